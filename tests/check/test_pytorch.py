"""Networks of PyTorch as `Value`s: the same numbers and gradients, the same names, and clear refusals."""

from __future__ import annotations

import math
import re
import sys

import pytest

import autograd_mini as am
from autograd_mini.check.pytorch import check_against, from_torch

peer = pytest.mark.peer("torch")

ACTIVATIONS = {
    "ReLU": [{}], "Tanh": [{}], "Sigmoid": [{}], "SELU": [{}], "SiLU": [{}], "Softsign": [{}], "LogSigmoid": [{}],
    "GELU": [{}, {"approximate": "tanh"}], "ELU": [{}, {"alpha": 0.5}], "LeakyReLU": [{}, {"negative_slope": 0.2}],
    "Hardtanh": [{}, {"min_val": -2.0, "max_val": 0.5}], "ReLU6": [{}], "Identity": [{}], "Flatten": [{}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 5.0}],
}  # fmt: skip
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 6.0, 2.5, 2.500001, 20.0, 20.1, -30.0, 5e-324, 1e-9, -1e-9]


@pytest.fixture
def nn():
    """PyTorch's modules, with the same weights in every run."""
    import torch

    torch.manual_seed(0)
    return torch.nn


def network(nn):
    """A network with a part in a part, a layer without bias, and dropout that is off."""
    inner = nn.Sequential(nn.Linear(4, 4, bias=False), nn.GELU(), nn.Dropout(0.5))
    return nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.Tanh(), inner, nn.Linear(4, 3)).eval()


@peer
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_pytorch(name, nn):
    """Values and slopes at kinks, thresholds, far out and in between, with each of their settings."""
    for settings in ACTIVATIONS[name]:
        module = getattr(nn, name)(**settings)
        report = check_against(from_torch(module), module, SPECIAL)
        assert report.ok, str(report)


@peer
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
def test_softmax_is_that_of_pytorch(name, nn):
    """Of one sample, of several, with ties and far apart."""
    module = nn.Sequential(nn.Linear(3, 4), getattr(nn, name)(dim=-1)).double()
    report = check_against(from_torch(module), module, [[0.5, 0.5, 0.5], [3.0, -2.0, 9.0], [0.0, 0.0, 0.0]])
    assert report.ok, str(report)
    assert min(row.digits for row in report.rows) > 11


@peer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [None, "CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss"])
def test_networks_agree(dtype, loss, nn):
    """Outputs, loss, gradients of inputs and of every parameter, of one sample and of three."""
    import torch

    module = network(nn).to(getattr(torch, dtype))
    model = from_torch(module)
    one = {"CrossEntropyLoss": 2, "MSELoss": [0.5, -1.0, 2.0], "BCEWithLogitsLoss": [0.0, 1.0, 0.25], None: None}[loss]
    criterion = getattr(nn, loss)() if loss else None
    samples = [[0.3, -1.2, 2.0], [0.0, 1.0, -1.0], [5.0, -4.0, 0.1]]
    for inputs, target in (
        (samples[0], one),
        (samples, [one] * 3),
        (torch.tensor(samples), torch.tensor([one] * 3) if loss else None),
    ):
        report = check_against(model, module, inputs, loss=criterion, target=target)
        assert report.ok, str(report)
        names = ["1.weight", "1.bias", "3.0.weight", "4.weight", "4.bias"]
        titles = ["output", *["loss"] * (loss is not None), "gradient of input", *[f"gradient of {n}" for n in names]]
        assert [row.name for row in report.rows] == titles
        assert min(row.digits for row in report.rows) > 11
    assert module[1].weight.grad is None
    assert all(parameter.grad == 0.0 for parameter in model.parameters())


@peer
def test_gradients_are_those_of_backward(nn):
    """Without check_against: our backward() and PyTorch's, on a probability target."""
    import torch

    module = network(nn).double()
    model, loss = from_torch(module), from_torch(nn.CrossEntropyLoss())
    loss(model([0.3, -1.2, 2.0]), [0.2, 0.3, 0.5]).backward()
    output = module(torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64))
    nn.CrossEntropyLoss()(output, torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64)).backward()
    ours = {name: parameter.grad for name, parameter in model.named_parameters()}
    for name, tensor in module.named_parameters():
        for place in range(tensor.numel()):
            indices = torch.unravel_index(torch.tensor(place), tensor.shape)
            key = ".".join([name, *[str(int(index)) for index in indices]])
            assert ours[key] == pytest.approx(float(tensor.grad[tuple(indices)]), rel=1e-12)


@peer
def test_it_has_pytorchs_names_and_is_a_model_like_any_other(nn):
    """state_dict, drawing, stepping, explaining, functional_call and its gradient."""
    module = network(nn)
    model = from_torch(module)
    numbers = model.state_dict()
    expected = {
        ".".join([name, *map(str, place)]): value
        for name, tensor in module.state_dict().items()
        for place, value in flat(tensor.tolist())
    }
    assert numbers == expected
    root = am.cross_entropy(model([1.0, 2.0, 3.0]), 0)
    root.backward()
    drawing = am.draw(root, depth=1)
    assert "Linear1" in drawing.dot
    assert "Sequential3" in drawing.dot
    assert len(am.debug.trace(root)) > 50
    assert str(am.explain(root))
    assert model.parameters()[0].name == "1.weight.0.0"
    gradient = am.grad(lambda p: am.cross_entropy(am.nn.functional_call(model, p, [1.0, 2.0, 3.0]), 0))(numbers)
    assert gradient == {name: pytest.approx(p.grad, rel=1e-12) for name, p in model.named_parameters()}
    assert repr(model) == "Sequential"
    tensor = next(module.parameters()).new_tensor([1.0, 2.0, 3.0])
    assert [x.data for x in model(tensor)] == [x.data for x in model([1.0, 2.0, 3.0])]


def flat(numbers, place=()):
    """Pairs of a place and a number in nested lists."""
    if not isinstance(numbers, list):
        return [(place, numbers)]
    return [pair for index, part in enumerate(numbers) for pair in flat(part, (*place, index))]


@peer
def test_shared_weights_are_shared(nn):
    """A layer that occurs twice has one set of parameters, and the sum of both gradients."""
    layer = nn.Linear(3, 3)
    module = nn.Sequential(layer, nn.Tanh(), layer).double()
    model = from_torch(module)
    assert len(model.parameters()) == 12
    report = check_against(model, module, [0.1, 0.2, 0.3])
    assert report.ok, str(report)


@peer
def test_a_network_of_this_package_is_compared_neuron_by_neuron(nn):
    """An MLP with the same numbers agrees; with a wrong one, or another size, an error says which."""
    import torch

    mlp = am.nn.MLP(2, [3, 2], activation="tanh", seed=1)
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    for layer, part in zip(mlp.layers, (module[0], module[2]), strict=True):
        part.weight.data = torch.tensor([[w.data for w in neuron.w] for neuron in layer.neurons])
        part.bias.data = torch.tensor([0.5 * k for k in range(len(layer.neurons))])
        for k, neuron in enumerate(layer.neurons):
            neuron.b.data = 0.5 * k
    report = check_against(mlp, module, [1.0, 2.0], loss=nn.MSELoss(), target=[1.0, 2.0])
    assert report.ok, str(report)
    wrong = am.nn.MLP(2, [3, 2], activation="sigmoid", seed=1)
    wrong.load_state_dict(mlp.state_dict())
    report = check_against(wrong, module, [1.0, 2.0])
    assert report.verdict == "FAIL"
    assert re.search(r"FAIL: output\[0, \d\] is .* here, and .* in PyTorch", str(report))
    assert report._repr_html_().partition(">")[2].startswith("MLP against PyTorch: FAIL")
    with pytest.raises(AssertionError, match="in PyTorch"):
        report.assert_ok()
    mlp.layers[1].neurons[0].w[2].data += 0.1
    with pytest.raises(am.ArgumentError, match=r"PyTorch's 2\.weight\.0\.2 is"):
        check_against(mlp, module, [1.0, 2.0])
    with pytest.raises(am.ArgumentError, match="The model has 9 parameters, and PyTorch's module has 17"):
        check_against(am.nn.MLP(2, [3]), module, [1.0, 2.0])


@peer
def test_rounding_is_no_agreement(nn):
    """Where PyTorch's 1 - a has no digits left, the verdict says so; a tail in which it keeps some passes."""
    module = nn.Sequential(nn.Identity())
    report = check_against(from_torch(module), module, [40.0, 0.0], loss=nn.CrossEntropyLoss(), target=0)
    assert report.verdict == "NOISE"
    assert "both are rounding, seen from 1" in str(report)
    report = check_against(from_torch(module), module, [8.0, 0.0], loss=nn.CrossEntropyLoss(), target=0)
    assert report.ok
    module = nn.Sequential(nn.LogSigmoid())
    assert not math.isnan(check_against(from_torch(module), module, [float("inf")]).rows[0].digits)


@peer
def test_what_cannot_be_expanded_is_named(nn):
    """The message says which module, where, and why; nothing is expanded in part."""
    import torch

    class Net(nn.Module):
        def forward(self, x):
            return x

    class Changed(nn.Tanh):
        def forward(self, x):
            return x

    class Kept(nn.Sequential):
        pass

    hooked = nn.Linear(2, 2)
    hooked.register_forward_hook(lambda *args: None)
    for module, what in (
        (nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Conv1d(1, 1, 1))), r"cannot expand Conv1d.* at '1\.0'"),
        (Net(), r"cannot expand Net\(\) with a forward\(\) of its own"),
        (Changed(), "cannot expand Changed"),
        (nn.Dropout(0.5), "is in training mode: call eval"),
        (nn.Softmax(dim=0), "needs dim=-1"),
        (nn.CrossEntropyLoss(weight=torch.ones(2)), "has class weights"),
        (nn.CrossEntropyLoss(label_smoothing=0.1), "has label_smoothing"),
        (nn.BCEWithLogitsLoss(pos_weight=torch.ones(2)), "has pos_weight"),
        (nn.MSELoss(reduction="sum"), "needs reduction"),
        (hooked, "has hooks"),
    ):
        with pytest.raises(am.ArgumentError, match=what):
            from_torch(module)
    assert from_torch(Kept(nn.Tanh()))([0.5]) == [math.tanh(0.5)]
    with pytest.raises(am.OperandError, match=r"takes a torch\.nn\.Module, not 3"):
        from_torch(3)
    model, module = from_torch(nn.Linear(2, 1)), nn.Linear(2, 1)
    with pytest.raises(am.ArgumentError, match=r"got 3 inputs\.(.|\n)*a list of 2 numbers"):
        model([1.0, 2.0, 3.0])
    for inputs, rest, what in (
        ([], {}, "takes a list of numbers"), (3.0, {}, "takes a list of numbers"), (["1"], {}, "numbers as inputs"),
        ([[1.0, 2.0], [1.0]], {}, "different lengths"),
        ([1.0, 2.0], {"loss": nn.MSELoss()}, "a loss and no target"),
        ([[1.0, 2.0]], {"loss": nn.MSELoss(), "target": [1.0, 2.0]}, "1 samples and 2 targets"),
    ):  # fmt: skip
        with pytest.raises(am.AutogradError, match=what):
            check_against(from_torch(module), module, inputs, **rest)
    with pytest.raises(am.OperandError, match=r"Pass from_torch\(module\) first"):
        check_against(module, module, [1.0])


def test_without_pytorch_a_sentence_says_how_to_install_it(monkeypatch):
    """The rest of the package does not need PyTorch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(am.MissingError, match="need PyTorch: pip install torch"):
        from_torch(None)
    with pytest.raises(am.MissingError, match="pip install torch"):
        check_against(am.nn.Linear(1, 1), None, [1.0])
