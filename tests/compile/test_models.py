"""Models as arguments of emitted functions: their parameters in arrays, and the gradients of `backward()`."""

from __future__ import annotations

import math

import pytest

import autograd_mini as am
from autograd_mini import emit, nn
from autograd_mini.compile.languages.parameters import names_in

X, TARGET = [0.3, -0.8, 1.1], [0.2, 0.5, 0.3]


def loss(model, x, t):
    return am.cross_entropy(model(x), t)


class Scaled(nn.Module):
    """A model with a shared layer, a number of its own and rows of different lengths."""

    def __init__(self):
        self.layer = nn.Linear(3, 3, seed=1)
        self.again = self.layer
        self.scale = am.Value(0.7)
        self.triangle = [[am.Value(1.0 + i) for i in range(n)] for n in (1, 2, 3)]

    def __call__(self, x):
        h = self.again([am.tanh(a) for a in self.layer(x)])
        return [self.scale * a * am.sum(row) for a, row in zip(h, self.triangle, strict=True)]


MODELS = {
    "relu": lambda: nn.MLP(3, [4, 3], seed=0),
    "tanh": lambda: nn.MLP(3, [5, 4, 3], activation="tanh", seed=0),
    "sequential": lambda: nn.Sequential(nn.Linear(3, 4, seed=2), am.sigmoid, nn.Linear(4, 3, seed=3)),
    "no bias": lambda: nn.Linear(3, 3, bias=False, seed=4),
    "own": Scaled,
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_an_argument(name):
    """The code takes its parameters, by `names_in`; value and gradient are those of `backward()`."""
    model = MODELS[name]()
    code = emit(loss, model, X, TARGET)
    state, arguments = model.state_dict(), {}

    def flat(names):
        if isinstance(names, str):
            return [names]
        return [name for part in (names.values() if isinstance(names, dict) else names) for name in flat(part)]

    known = flat(names_in(model))
    assert len(known) == len(model.parameters())
    for parameter in code.outline.parameters[:-2]:
        taken, known = known[: parameter.length or 1], known[parameter.length or 1 :]
        arguments[parameter.name] = taken
    given = [
        [state[name] for name in arguments[p.name]] if p.length else state[arguments[p.name][0]]
        for p in code.outline.parameters[:-2]
    ]
    value, derivatives = code.function(*given, X, TARGET)
    result = loss(model, X, TARGET)
    result.backward()
    assert math.isclose(value, result.data, rel_tol=1e-15)  # the eager tanh has another form near 0
    gradients = {name: p.grad for name, p in model.named_parameters()}
    for parameter, derivative in zip(code.outline.parameters[:-2], derivatives, strict=False):
        expected = [gradients[name] for name in arguments[parameter.name]]
        got = derivative if parameter.length else [derivative]
        assert all(math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15) for a, b in zip(got, expected, strict=True))


def test_weights_are_matrices():
    """A layer has one array of weights and one of biases; a model by itself is a function of them and its input."""
    names = [p.name for p in emit(loss, nn.MLP(3, [4, 3]), X, TARGET).outline.parameters]
    layers = [f"layers_{i}_neurons_{kind}" for i in range(2) for kind in "wb"]
    assert names == [*layers, "x", "t"]
    code = emit(nn.MLP(3, [4, 1]), X)
    assert code.name == "mlp"
    assert [p.name for p in code.outline.parameters] == [*layers, "x"]
    two = emit(lambda first, second, x: am.sum(second(first(x))), nn.Linear(3, 3), nn.Linear(3, 3), X)
    assert [p.name for p in two.outline.parameters] == [
        f"{m}_neurons_{k}" for m in ("first", "second") for k in "wb"
    ] + ["x"]


@pytest.mark.parametrize("name", MODELS)
def test_jit_takes_a_model(name):
    """A model may share a layer or lack biases: None stays an attribute of the copy that is called."""
    model = MODELS[name]()
    expected = [y.data for y in model(X)]
    assert all(math.isclose(a, b, rel_tol=1e-14) for a, b in zip(am.jit(model)(X), expected, strict=True))


def test_values_are_examples():
    """Only the numbers of `Value`s in an example matter."""
    assert str(emit(lambda x, y: x * y, am.Value(2.0), 3.0)) == str(emit(lambda x, y: x * y, 2.0, 3.0))


@pytest.mark.parametrize("language", ["python", "java"])
def test_relu_reads_like_relu(language):
    """One condition for the value and one for the slope; nan has a slope of nan."""
    code = str(emit(lambda x: am.relu(x) * 2.0, 1.5, language=language, name="f"))
    assert code.count("<=") <= 2
    assert "/" not in code.split("written by")[1].replace("*/", "").replace("//", "")
    if language == "python":
        function = emit(lambda x: am.relu(x) * 2.0, 1.5).function
        for x in (-1.0, -0.0, 0.0, 2.0, math.inf, -math.inf, math.nan):
            v = am.Value(x)
            y = am.relu(v) * 2.0
            y.backward()
            assert repr(function(x)) == repr((y.data, v.grad))
