"""Networks: micrograd's interface, seeds, activations, state, errors."""

from __future__ import annotations

import json
import random

import pytest

import autograd_mini as am
from autograd_mini import Value, nn


def test_micrograds_own_program_runs():
    """The training loop of micrograd's README and demo, with only the imports changed."""
    from autograd_mini.engine import Value
    from autograd_mini.nn import MLP

    random.seed(1337)
    model = MLP(2, [16, 16, 1])  # 2-layer neural network
    assert repr(model).startswith("MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)")
    assert repr(model).endswith("Layer of [LinearNeuron(16)]]")
    assert len(model.parameters()) == 337
    random.seed(1337)
    assert model.parameters()[0].data == random.uniform(-1, 1)

    xs = [[2.0, 3.0], [3.0, -1.0], [0.5, 1.0], [1.0, 1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    losses = []
    for k in range(20):
        inputs = [list(map(Value, row)) for row in xs]
        scores = list(map(model, inputs))
        data_loss = sum((1 + -yi * si).relu() for yi, si in zip(ys, scores, strict=True)) * (1.0 / len(ys))
        loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * 0.1 * p.grad
        losses.append(loss.data)
    assert losses[-1] < 0.5 * losses[0]

    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert f"{g.data:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"  # printed in micrograd's README
    assert {"*", "+"} >= {v._op for v in d._prev} | {d._op}


def test_a_neuron_is_one_dot_node():
    """Weighted sum, bias, activation: three nodes, whatever the number of inputs."""
    neuron = nn.Neuron(5, seed=0)
    output = neuron([1.0, 2.0, Value(3.0), 4, 5.0])
    assert output.op == "where"
    assert output.scope.path == ("relu",)
    linear = output.operands[1] if type(output.operands[1]) is Value else output.operands[2]
    assert (linear.op, linear.operands[0].op) == ("add", "dot")


def test_seeds_and_activations():
    """The same seed gives the same weights; activations go by name or are any function."""
    one, other = nn.MLP(3, [4, 2], seed=7), nn.MLP(3, [4, 2], seed=7)
    assert one.state_dict() == other.state_dict() != nn.MLP(3, [4, 2], seed=8).state_dict()
    x = [0.1, -0.2, 0.3]
    for activation in ("tanh", am.tanh, lambda z: am.tanh(z)):
        model = nn.MLP(3, [4, 2], activation=activation, seed=7)
        hidden = [am.tanh(am.dot([w.data for w in n.w], x) + n.b.data) for n in model.layers[0].neurons]
        expected = [am.dot([w.data for w in n.w], hidden) + n.b.data for n in model.layers[1].neurons]
        assert [z.data for z in model(x)] == expected
    assert repr(nn.Neuron(1, activation="tanh")) == "TanhNeuron(1)"
    with am.scope("net"):
        assert model(x)[1].scope.path == ("net", "Layer1", "Neuron1")


def test_state_survives_json():
    """state_dict goes through JSON and back; what does not fit is refused before anything changes."""
    model, other = nn.MLP(2, [3, 1], seed=1), nn.MLP(2, [3, 1], seed=2)
    state = json.loads(json.dumps(model.state_dict()))
    other.load_state_dict(state)
    assert other([0.5, 0.5]).data == model([0.5, 0.5]).data
    before = other.state_dict()
    for wrong, message in (
        ({**state, "extra": 1.0}, "unknown extra"),
        ({k: v for k, v in state.items() if not k.endswith("b")}, "lacks"),
        (dict.fromkeys(state, "1"), "not a number"),
    ):
        with pytest.raises(am.AutogradError, match=message):
            other.load_state_dict(wrong)
        assert other.state_dict() == before


def test_custom_modules():
    """A class of one's own finds its parameters in attributes, lists and other modules; or overrides parameters()."""

    class Pair(nn.Module):
        def __init__(self):
            self.left, self.scales, self.title = nn.Neuron(1, seed=0), [Value(1.0), Value(2.0)], "text"

    class Old(nn.Module):
        def __init__(self):
            self.p = Value(1.0)

        def parameters(self):
            return [self.p]

    pair, old = Pair(), Old()
    assert list(pair.state_dict()) == ["left.w.0", "left.b", "scales.0", "scales.1"]
    for module in (pair, old):
        am.sum([p * p for p in module.parameters()]).backward()
        assert any(p.grad for p in module.parameters())
        module.zero_grad()
        assert not any(p.grad for p in module.parameters())


def test_shared_nested_and_computed():
    """Shared parameters train once; dicts and cycles are looked into; results kept in attributes are no parameters."""

    class Tied(nn.Module):
        def __init__(self):
            self.weights = {"w": Value(1.0), "rows": [[Value(2.0)]]}
            self.same = self.weights["rows"]
            self.me = self

        def __call__(self, x):
            self.last = self.weights["w"] * x
            return self.last

    model = Tied()
    model(2.0)
    assert list(model.state_dict()) == ["weights.w", "weights.rows.0.0", "same.0.0"]
    assert [p.data for p in model.parameters()] == [1.0, 2.0]
    x = Value(3.0)
    descent = am.optim.SGD([x, x], lr=0.1)
    (x * x).backward()
    descent.step()
    assert x.data == pytest.approx(2.4)


def test_a_layer_of_one_neuron_may_be_hidden():
    """Its output is a single Value, and the next layer takes it."""
    assert len(nn.MLP(2, [1, 3], seed=0)([1.0, 2.0])) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Neuron(0), "0 inputs"),
        (lambda: nn.Layer(1, 0), "0 neurons"),
        (lambda: nn.MLP(2, [3], activation="rleu"), "no activation 'rleu'"),
        (lambda: nn.MLP(3, 4), "nouts = 4"),
        (lambda: nn.MLP(3, []), "nouts = "),
        (lambda: nn.Neuron(2)([1.0]), "2 weights got 1 inputs"),
        (lambda: nn.MLP(2, [3, 1])([1.0, 2.0, 3.0]), "2 weights got 3 inputs"),
        (lambda: nn.MLP(2, [3, 1])(1.0), "takes a list of inputs"),
        (lambda: nn.Neuron(1)(Value(1.0)), "takes a list of inputs"),
        (lambda: nn.Neuron(1, seed="a"), "no whole number"),
    ],
)
def test_bad_input(call, message):
    """Sizes that do not fit and unknown names are refused with both numbers or the choices."""
    with pytest.raises(am.AutogradError, match=message):
        call()
