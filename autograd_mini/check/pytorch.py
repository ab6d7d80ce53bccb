"""`from_torch` and `check_against`: a small PyTorch network as a module of this package, compared number by number.

It computes what PyTorch's modules document. For the comparison, PyTorch computes in float64, so that differences do not
come from rounding. Not here: code in other languages. Read next: `check.foreign`.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from autograd_mini import functions
from autograd_mini.check.verdicts import Finding, Report, Verdict, on_screen, worst
from autograd_mini.core.row import ZERO, as_number
from autograd_mini.core.sweep import adjoints
from autograd_mini.core.table import clip, where
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, MissingError, OperandError, shown
from autograd_mini.nn.module import Module, by_name
from autograd_mini.notation.text import ALL_DIGITS, number
from autograd_mini.program.scopes import scope
from autograd_mini.transforms import trees

_GELU = math.sqrt(2.0 / math.pi)
_SAME = 1e-9  # relative
_ROUNDING = 1e-13  # of terms of some size
_MOST_DIGITS, _FEW = 15.95, 3

Tensors = dict[str, Any]  # numbers or leaves in nested lists, by names such as "output" and "gradient of 0.weight"

# From a PyTorch module to a function of one number; in the next tables, of a list of numbers, and a loss of one sample.
_OF_ONE: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "ReLU": lambda m: functions.relu, "Tanh": lambda m: functions.tanh, "Sigmoid": lambda m: functions.sigmoid,
    "SELU": lambda m: functions.selu, "SiLU": lambda m: functions.silu, "Softsign": lambda m: functions.softsign,
    "LogSigmoid": lambda m: functions.log_sigmoid,
    "GELU": lambda m: functions.gelu if m.approximate == "none" else gelu_by_tanh,
    "ELU": lambda m: lambda x: functions.elu(x, m.alpha),
    "LeakyReLU": lambda m: lambda x: functions.leaky_relu(x, m.negative_slope),
    "Hardtanh": lambda m: lambda x: clip(x, m.min_val, m.max_val),
    "Softplus": lambda m: lambda x: where(m.beta * x > m.threshold, x, functions.softplus(m.beta * x) / m.beta),
    "Identity": lambda m: lambda x: x, "Dropout": lambda m: lambda x: x, "Flatten": lambda m: lambda x: x,
}  # fmt: skip
_OF_LIST: dict[str, Callable[[list[Any]], list[Any]]] = {
    "Softmax": functions.softmax, "LogSoftmax": functions.log_softmax,
}  # fmt: skip
_LOSSES: dict[str, Callable[[list[Any], Any], Any]] = {
    "CrossEntropyLoss": functions.cross_entropy, "MSELoss": functions.mse,
    "BCEWithLogitsLoss": functions.binary_cross_entropy,
}  # fmt: skip


def gelu_by_tanh(x: Any) -> Any:
    """PyTorch's GELU(approximate="tanh")."""
    return 0.5 * x * (1.0 + functions.tanh(_GELU * (x + 0.044715 * x * x * x)))


def _listed(x: Any) -> Any:
    """Return a tensor or an array as a list, and anything else as it is."""
    return x.tolist() if hasattr(x, "tolist") else x


class Expanded(Module):
    """A module of PyTorch as one of this package: of one sample, a list of numbers; a loss also takes its target."""

    def __init__(self, title: str, function: Callable[..., Any], parts: dict[str, Any] | None = None) -> None:
        self._title, self._function, self._parts = title, function, tuple(parts or ())
        vars(self).update(parts or {})  # with PyTorch's names

    def __call__(self, x: Iterable[Any], *target: Any) -> Any:
        """Return the outputs, or the loss, for one sample."""
        return self._function(self, [*_listed(x)], *target)

    def __repr__(self) -> str:
        return self._title


def _linear(layer: Any, inputs: list[Any]) -> list[Any]:
    """Compute a layer whose `weight.0.1` goes from input 1 to output 0."""
    if len(inputs) != len(layer.weight[0]):
        raise ArgumentError(
            f"{layer!r} got {len(inputs)} inputs.", f"Pass a list of {len(layer.weight[0])} numbers: one sample."
        )
    outputs = []
    for place, row in enumerate(layer.weight):
        with scope(f"Neuron{place}"):
            weighted = functions.dot(row, inputs)
            outputs.append(weighted + layer.bias[place] if hasattr(layer, "bias") else weighted)
    return outputs


def _chain(chain: Expanded, numbers: list[Any]) -> list[Any]:
    for name in chain._parts:
        part = vars(chain)[name]
        with scope(f"{part!r}".partition("(")[0] + name):
            numbers = part(numbers)
    return numbers


def torch() -> Any:
    """Import PyTorch."""
    try:
        import torch
    except ImportError as error:
        raise MissingError("from_torch() and check_against() need PyTorch: pip install torch") from error
    return torch


def from_torch(module: Any) -> Expanded:
    """Expand a small PyTorch network into `Value`s with its weights, to draw, step through and explain.

    It may consist of Linear, activations (ReLU, Tanh, Sigmoid, GELU, ELU, SELU, SiLU, Softplus, LeakyReLU, Softsign,
    Hardtanh, LogSigmoid), Softmax, LogSoftmax, Flatten, Identity and Dropout in evaluation mode, in nested Sequentials;
    or be a loss: CrossEntropyLoss, MSELoss, BCEWithLogitsLoss. Later changes in PyTorch do not reach it.

    Args:
        module: the `torch.nn.Module`.

    Returns:
        an `nn.Module` whose parameters have PyTorch's names, such as "0.weight.1.0"; call it with one sample, a list of
        numbers. A loss takes the outputs and the target of one sample.

    Raises:
        MissingError: PyTorch is not installed.
        OperandError: module is not a module of PyTorch.
        ArgumentError: a part of it is not in the list above, or has settings that are not supported.

    >>> import torch  # doctest: +SKIP
    >>> model = am.from_torch(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh()))  # doctest: +SKIP
    >>> len(model([1.0, -2.0]))  # doctest: +SKIP
    3
    """
    library = torch()
    if not isinstance(module, library.nn.Module):
        raise OperandError(f"from_torch() takes a torch.nn.Module, not {shown(module)}.", "Pass the module itself.")
    return _expanded(library, module, "", {})


def _expanded(library: Any, module: Any, path: str, known: dict[int, Any]) -> Expanded:
    """Return a module expanded; a parameter that occurs twice is shared here too."""
    kind, title = _kind(library, module, path), str(module).partition("(\n")[0]
    if kind == "Sequential":
        parts = {name: _expanded(library, part, f"{path}{name}.", known) for name, part in module._modules.items()}
        return Expanded(title, _chain, parts)
    if kind == "Linear":
        leaves = {name: _leaves(getattr(module, name), f"{path}{name}", known) for name in ("weight", "bias")}
        return Expanded(title, _linear, {name: part for name, part in leaves.items() if part is not None})
    if kind in _OF_LIST:
        return Expanded(title, lambda _, x: _OF_LIST[kind](x))
    if kind in _LOSSES:
        return Expanded(title, lambda _, x, target: _LOSSES[kind](x, target))
    function = _OF_ONE[kind](module)
    return Expanded(title, lambda _, x: [function(number) for number in x])


def _leaves(parameter: Any, name: str, known: dict[int, Any]) -> Any:
    """Return a parameter as nested lists of leaves with names such as "0.weight.1.0", or None."""
    if parameter is None:
        return None
    if id(parameter) not in known:
        numbers = parameter.tolist()
        leaves = (Value(x, key) for key, x in _named(numbers, name).items())
        known[id(parameter)] = trees.rebuilt(numbers, leaves)
    return known[id(parameter)]


def _named(tensor: Any, name: str) -> dict[str, Any]:
    """Return the numbers of a tensor by names such as "0.weight.1.0"."""
    return {re.sub(r"\[(\d+)\]", r".\1", path): x for path, x in trees.numbers(tensor, name)}


def _tensors(expanded: Expanded, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a network as nested lists, by PyTorch's names."""
    for name in expanded._parts:
        part = vars(expanded)[name]
        yield from _tensors(part, f"{path}{name}.") if isinstance(part, Expanded) else [(f"{path}{name}", part)]


def _kind(library: Any, module: Any, path: str) -> str:
    """Return the name of PyTorch's class whose forward() a module has, if its expansion does all that it does."""
    at = f" at {path[:-1]!r}" if path else ""
    known = {"Sequential", "Linear", *_OF_ONE, *_OF_LIST, *_LOSSES}
    kinds: list[Any] = [kind for kind in type(module).__mro__ if kind.__name__ in known]
    kinds = [kind for kind in kinds if getattr(library.nn, kind.__name__, None) is kind]
    if not kinds or type(module).forward is not kinds[0].forward:
        own = " with a forward() of its own" if not type(module).__module__.startswith("torch.") else ""
        raise ArgumentError(f"from_torch() cannot expand {shown(module)}{own}{at}.", "Pass a Sequential of Linear, "
                            "activations and softmax; help(autograd_mini.from_torch) lists them.")  # fmt: skip
    kind = str(kinds[0].__name__)
    wrong = {
        "is in training mode: call eval()": kind == "Dropout" and module.training and module.p > 0.0,
        "needs dim=-1: it acts on the outputs of one sample": kind in _OF_LIST and module.dim not in (-1, 1),
        "has class weights": kind in _LOSSES and getattr(module, "weight", None) is not None,
        "has pos_weight": getattr(module, "pos_weight", None) is not None,
        "has label_smoothing": getattr(module, "label_smoothing", 0.0) != 0.0,
        'needs reduction="mean"': kind in _LOSSES and module.reduction != "mean",
        "has hooks": bool(module._forward_hooks or module._forward_pre_hooks),
        "has complex weights": kind == "Linear" and module.weight.is_complex(),
        "has no weights yet": kind == "Linear" and not module.weight.numel(),
    }
    for why in [why for why, is_wrong in wrong.items() if is_wrong]:
        raise ArgumentError(f"{shown(module)}{at} {why}.", "from_torch() expands modules without that.")
    return kind


# -- the comparison ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One tensor: how many numbers it has, in how many digits they agree, and the number that agrees least."""

    name: str
    size: int
    digits: float
    finding: Finding


@dataclass(frozen=True, repr=False)
class Agreement(Report):
    """What `check_against` found; print it, or look at it in a notebook.

    Attributes:
        rows: one per tensor: the outputs, the loss, and the gradients of input and parameters.
    """

    rows: tuple[Row, ...] = ()

    def __repr__(self) -> str:
        wide = max(len(row.name) for row in self.rows)
        lines = [f"{self.title}: {self.verdict}", "", f"  {'':{wide}}  numbers  digits, in float64"]
        for row in self.rows:
            lines.append(f"  {row.name:{wide}}  {row.size:7,}  {row.digits:6.1f}{_said(row)}")
        return on_screen("\n".join(lines))


def _said(row: Row) -> str:
    """Return what to say about a tensor that does not fully agree."""
    found = row.finding
    if found.verdict is Verdict.PASS and not (found.remark and row.digits < _FEW):
        return ""
    mine, theirs = (number(x, ALL_DIGITS) for x in (found.claimed, found.expected))
    return f"  {found.verdict}: {found.where} is {mine} here, and {theirs} in PyTorch{found.remark}"


def check_against(model: Any, module: Any, inputs: Any, loss: Any = None, target: Any = None) -> Agreement:
    """Compare a network of this package with one of PyTorch: outputs, and gradients of parameters and inputs.

    Without a loss, the gradients are those of the sum of the outputs times 1, 2, 3, ... No `.grad` changes.

    Args:
        model: the network of this package, such as `from_torch(module)`; or an `nn.MLP` with the same numbers as
            parameters, neuron by neuron.
        module: the `torch.nn.Module`, which `from_torch` must be able to expand.
        inputs: one sample, a list of numbers, or several: a list of lists, an array or a tensor.
        loss: a loss of PyTorch that `from_torch` takes, such as `torch.nn.CrossEntropyLoss()`.
        target: what the loss compares with, for each sample.

    Returns:
        a report: true if everything agrees, as far as rounding allows. It has `.rows`, one per tensor, with the
        `.digits` in which both agree.

    Raises:
        MissingError: PyTorch is not installed.
        OperandError: model is not an `nn.Module`, module not one of PyTorch, or an input is not a number.
        ArgumentError: the two do not have the same parameters, or `from_torch` cannot expand the module or the loss.

    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())  # doctest: +SKIP
    >>> bool(am.check_against(am.from_torch(module), module, [1.0, -2.0]))  # doctest: +SKIP
    True
    """
    if not isinstance(model, Module) or not callable(model):
        raise OperandError(
            f"check_against() takes a model of this package, not {shown(model)}.", "Pass from_torch(module) first."
        )
    expanded, (samples, targets) = from_torch(module), _data(inputs, loss, target)
    parameters = _paired(model, dict(_tensors(expanded)))
    ours = _ours(model, parameters, samples, None if loss is None else from_torch(loss), targets)
    theirs = _theirs(module, parameters, samples, loss, targets)
    rows = tuple([_row(name, ours[name], theirs[name]) for name in ours if name in theirs])
    title = f"{str(model).partition(' of ')[0]} against PyTorch"
    return Agreement(title, tuple([row.finding for row in rows]), rows)


def _data(inputs: Any, loss: Any, target: Any) -> tuple[list[list[float]], list[Any]]:
    """Return the inputs as a list of samples; and one target for each, a class or a list of numbers."""
    listed = _listed(inputs)
    if not isinstance(listed, (list, tuple)) or not listed:
        raise OperandError(f"check_against() takes a list of numbers, not {shown(inputs)}.", "Pass [1.0, 2.0].")
    is_many = isinstance(listed[0], (list, tuple))
    samples = [*listed] if is_many else [listed]
    for x in [x for sample in samples for x in sample]:
        if as_number(x) is None:
            raise OperandError(f"check_against() takes numbers as inputs, not {shown(x)}.", "Pass a list of numbers.")
    if len({*map(len, samples)}) > 1:
        raise ArgumentError("The samples have different lengths.", "Pass lists of equal length.")
    floats, found = [[float(x) for x in sample] for sample in samples], _listed(target)
    if loss is None:
        return floats, []
    if target is None:
        raise ArgumentError("check_against() got a loss and no target.", "Pass target=..., one per sample.")
    found = [*found] if is_many and isinstance(found, (list, tuple)) else [found]
    if len(found) != len(samples):
        raise ArgumentError(
            f"There are {len(samples)} samples and {len(found)} targets.", "Pass one target per sample."
        )
    is_class = type(loss).__name__ == "CrossEntropyLoss"
    return floats, [x if is_class or isinstance(x, (list, tuple)) else [x] for x in found]


def _paired(model: Module, tensors: Tensors) -> Tensors:
    """Return the model's parameters as PyTorch's tensors, after a look at their numbers."""
    own = by_name(model)
    leaves = {key: leaf for name, tensor in tensors.items() for key, leaf in _named(tensor, name).items()}
    if len(own) != len(leaves):
        raise ArgumentError(
            f"The model has {len(own):,} parameters, and PyTorch's module has {len(leaves):,}.",
            "Compare networks of equal sizes, or pass from_torch(module).",
        )
    if own.keys() != leaves.keys():
        own = dict(zip(_by_neuron(tensors), own.values(), strict=True))
    for name, leaf in leaves.items():
        if abs(own[name].data - leaf.data) > 1e-6 * abs(leaf.data):
            raise ArgumentError(
                f"PyTorch's {name} is {leaf.data!r}, but the model's is {own[name].data!r}.",
                "Give both the same parameters, or pass from_torch(module).",
            )
    return {name: trees.mapped(lambda leaf: own[leaf.name], tensor) for name, tensor in tensors.items()}


def _by_neuron(tensors: Tensors) -> Iterator[str]:
    """Yield the names of the parameters neuron by neuron, with the bias after the weights."""
    for name, rows in tensors.items():
        layer, _, kind = name.rpartition(".")
        biases = tensors.get(f"{layer}.bias".removeprefix("."), [()] * len(rows))
        for row, bias in zip(rows, biases, strict=True) if kind == "weight" else ():
            yield from (leaf.name for _, leaf in trees.numbers([row, bias]))


def _ours(
    model: Callable[..., Any], parameters: Tensors, samples: list[list[float]], loss: Any, targets: list[Any]
) -> Tensors:
    inputs = [[Value(x) for x in sample] for sample in samples]
    outputs = [[output] if is_node(output) else [*output] for output in map(model, inputs)]
    if loss is None:
        flat = [x for output in outputs for x in output]
        root = functions.dot(flat, [float(place) for place in range(1, len(flat) + 1)])
    else:
        root = functions.mean(list(map(loss, outputs, targets)))
    if not is_node(root):
        raise ArgumentError("The model's outputs depend on none of its inputs.", "Return what it computes from them.")
    slopes = adjoints(root)

    def slope(leaf: Value) -> float:
        found = slopes.get(leaf, ZERO)
        return 0.0 if found is ZERO else float(found)

    found = {"output": trees.mapped(lambda x: x.data, outputs)} | ({} if loss is None else {"loss": root.data})
    leaves = {"input": inputs, **parameters}
    return found | {f"gradient of {name}": trees.mapped(slope, tensor) for name, tensor in leaves.items()}


def _theirs(module: Any, parameters: Tensors, samples: list[list[float]], loss: Any, targets: list[Any]) -> Tensors:
    """Return PyTorch's numbers, in float64 and with the numbers of the model: its own may be rounded."""
    library = torch()
    module, double = copy.deepcopy(module).to(library.float64), library.float64
    for name, tensor in module.named_parameters():
        tensor.data = library.tensor(trees.mapped(lambda x: x.data, parameters[name]), dtype=double)
    inputs = library.tensor(samples, dtype=double, requires_grad=True)
    output = module(inputs)
    if loss is None:
        root = (output.reshape(-1) * library.arange(1, output.numel() + 1, dtype=double)).sum()
    else:
        is_class = all(isinstance(target, int) for target in targets)
        root = copy.deepcopy(loss)(output, library.tensor(targets, dtype=library.long if is_class else double))
    leaves = {"input": inputs, **{name: tensor for name, tensor in module.named_parameters() if tensor.requires_grad}}
    slopes = library.autograd.grad(root, [*leaves.values()], allow_unused=True)
    found = {"output": output.tolist()} | ({} if loss is None else {"loss": root.item()})
    for (name, tensor), slope in zip(leaves.items(), slopes, strict=True):
        found[f"gradient of {name}"] = (library.zeros_like(tensor) if slope is None else slope).tolist()
    return found


def _row(name: str, ours: Any, theirs: Any) -> Row:
    """Compare one tensor."""
    mine, right = ([(path.replace("][", ", "), x) for path, x in trees.numbers(numbers)] for numbers in (ours, theirs))
    if [path for path, _ in mine] != [path for path, _ in right]:
        finding = Finding(name.removeprefix("gradient of "), Verdict.FAIL, float(len(mine)), float(len(right)),
                          remark=" (numbers of elements)")  # fmt: skip
        return Row(name, len(mine), 0.0, finding)
    largest = max((abs(x) for _, x in right if math.isfinite(x)), default=0.0)
    pairs = [(path, x, y) for (path, x), (_, y) in zip(mine, right, strict=True)]
    findings = [_finding(f"{name}{path}", x, y, largest) for path, x, y in pairs]
    digits = [_digits(x, y) for _, x, y in pairs]
    severe = worst(finding.verdict for finding in findings)
    _, least = min((n, k) for k, n in enumerate(digits) if findings[k].verdict is severe)
    return Row(name, len(mine), min(digits), findings[least])


def _finding(where: str, mine: float, theirs: float, largest: float) -> Finding:
    difference = abs(mine - theirs)
    if mine == theirs or difference <= _SAME * abs(theirs):
        return Finding(where, Verdict.PASS, mine, theirs)
    if difference <= _ROUNDING * largest:
        return Finding(where, Verdict.PASS, mine, theirs, remark=", which is rounding beside the larger ones")
    if math.isnan(mine) and math.isnan(theirs):
        return Finding(where, Verdict.DOMAIN, mine, theirs, remark=": no value in both")
    if difference <= _ROUNDING:
        return Finding(where, Verdict.NOISE, mine, theirs, _ROUNDING, remark=": both are rounding, seen from 1")
    return Finding(where, Verdict.FAIL, mine, theirs)


def _digits(mine: float, theirs: float) -> float:
    """Return in how many decimal digits two numbers agree."""
    if mine == theirs:
        return _MOST_DIGITS
    relative = abs(mine - theirs) / max(abs(mine), abs(theirs))
    return min(max(-math.log10(relative), 0.0) + 0.0, _MOST_DIGITS) if math.isfinite(relative) else 0.0
