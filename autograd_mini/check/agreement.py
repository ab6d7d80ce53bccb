"""`check_against`: a network of this package and one of PyTorch, number by number.

PyTorch computes twice: as it is, to count the digits in which both agree, and in float64, to tell rounding from a
difference. Not here: the expansion of PyTorch's modules (`pytorch`). Read next: `drawing`.
"""

from __future__ import annotations

import copy
import html
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autograd_mini.check.pytorch import Expanded, from_torch, torch
from autograd_mini.check.verdicts import Finding, Report, Verdict, worst
from autograd_mini.core.row import ZERO, as_number
from autograd_mini.core.sweep import adjoints
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.functions import dot
from autograd_mini.nn.module import Module, by_name
from autograd_mini.notation.text import ALL_DIGITS, number

_SAME = 1e-9  # relative, in float64
_ROUNDING = 1e-13  # of terms of some size, in float64
_MOST_DIGITS, _FEW = 15.95, 3

Numbers = dict[str, dict[str, float]]  # by tensor, then by the place in it, such as "[1, 0]"


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
        dtype: the type in which PyTorch computed.
    """

    rows: tuple[Row, ...] = ()
    dtype: str = "float64"

    def __str__(self) -> str:
        wide = max(len(row.name) for row in self.rows)
        lines = [f"{self.title}: {self.verdict}", "", f"  {'':{wide}}  numbers  digits, against {self.dtype}"]
        for row in self.rows:
            lines.append(f"  {row.name:{wide}}  {row.size:7,}  {row.digits:6.1f}{_said(row)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = [(row.name, f"{row.size:,}", f"{row.digits:.1f}", _said(row).strip()) for row in self.rows]
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in cell)}</tr>" for cell in cells)
        head = f"<tr><th></th><th>numbers</th><th>digits, against {self.dtype}</th><th></th></tr>"
        return f"<p>{html.escape(f'{self.title}: {self.verdict}')}</p><table>{head}{rows}</table>"


def _said(row: Row) -> str:
    """Return what to say about a tensor that does not simply agree."""
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
        a report: true if everything agrees. It has `.rows`, one per tensor, with the `.digits` in which both agree.

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
    expanded, samples = from_torch(module), _samples(inputs)
    targets = None if loss is None else _targets(inputs, target, is_class=type(loss).__name__ == "CrossEntropyLoss")
    parameters = _paired(model, expanded)
    ours = _ours(model, parameters, samples, None if loss is None else from_torch(loss), targets)
    dtype = next((p.dtype for p in module.parameters()), torch().float64)
    theirs = _theirs(module, samples, loss, targets, dtype)
    exact = _theirs(_exact(module, parameters), samples, copy.deepcopy(loss), targets, torch().float64)
    rows = tuple([_row(name, ours[name], theirs[name], exact[name]) for name in ours if name in theirs])
    title = f"{shown(model, 40)} against PyTorch"
    return Agreement(title, tuple([row.finding for row in rows]), rows, str(dtype).removeprefix("torch."))


def _samples(inputs: Any) -> list[list[float]]:
    """Return the inputs as a list of samples."""
    listed = _listed(inputs)
    if not isinstance(listed, (list, tuple)) or not listed:
        raise OperandError(f"check_against() takes a list of numbers, not {shown(inputs)}.", "Pass [1.0, 2.0].")
    samples = [*listed] if isinstance(listed[0], (list, tuple)) else [listed]
    for x in [x for sample in samples for x in sample]:
        if as_number(x) is None:
            raise OperandError(f"check_against() takes numbers as inputs, not {shown(x)}.", "Pass a list of numbers.")
    return [[float(x) for x in sample] for sample in samples]


def _listed(x: Any) -> Any:
    return x.tolist() if hasattr(x, "tolist") else x


def _targets(inputs: Any, target: Any, is_class: bool) -> list[Any]:
    """Return one target per sample: a class, or a list of numbers."""
    if target is None:
        raise ArgumentError("check_against() got a loss and no target.", "Pass target=..., one per sample.")
    found = _listed(target)
    listed = _listed(inputs)
    found = [*found] if isinstance(listed[0], (list, tuple)) else [found]
    if len(found) != (len(listed) if isinstance(listed[0], (list, tuple)) else 1):
        raise ArgumentError(f"There are {len(listed)} samples and {len(found)} targets.", "Pass one target per sample.")
    return [x if is_class or isinstance(x, (list, tuple)) else [x] for x in found]


def _paired(model: Module, expanded: Expanded) -> dict[str, Value]:
    """Return the model's parameters by PyTorch's names, after a look at their numbers."""
    own, theirs = by_name(model), by_name(expanded)
    if own.keys() != theirs.keys():  # one neuron after the other, with its bias
        rows = [name.replace(".bias.", ".weight.") for name in theirs]
        order = sorted(theirs, key=lambda name: _place(name.replace("bias.", "weight."), name, rows))
        if len(own) != len(order):
            raise ArgumentError(
                f"The model has {len(own):,} parameters, and PyTorch's module has {len(order):,}.",
                "Compare networks of equal sizes, or pass from_torch(module).",
            )
        own = dict(zip(order, own.values(), strict=True))
    for name, parameter in own.items():
        other = theirs[name].data
        if abs(parameter.data - other) > 1e-6 * abs(other):
            raise ArgumentError(
                f"PyTorch's {name} is {other!r}, but the model's is {parameter.data!r}.",
                "Give both the same parameters, or pass from_torch(module).",
            )
    return own


def _place(shared: str, name: str, rows: list[str]) -> tuple[Any, ...]:
    """Return the place of a parameter among neurons: its layer, its row, then weights before the bias."""
    layer, _, indices = shared.rpartition("weight.")
    first = next(place for place, row in enumerate(rows) if row.startswith(f"{layer}weight."))
    row, *rest = map(int, indices.split("."))
    return first, row, "bias." in name, rest


def _ours(
    model: Callable[..., Any], parameters: dict[str, Value], samples: list[list[float]], loss: Any, targets: Any
) -> Numbers:
    inputs = [[Value(x) for x in sample] for sample in samples]
    outputs = []
    for sample in inputs:
        output = model(sample)
        outputs.append([output] if is_node(output) else [*output])
    if loss is None:
        flat = [x for output in outputs for x in output]
        root = dot(flat, [float(place) for place in range(1, len(flat) + 1)])
    else:
        root = loss(outputs, targets)
    if not is_node(root):
        raise ArgumentError("The model's outputs depend on none of its inputs.", "Return what it computes from them.")
    found = adjoints(root)

    def slope(node: Value) -> float:
        adjoint = found.get(node, ZERO)
        return 0.0 if adjoint is ZERO else float(adjoint)

    numbers: Numbers = {"output": _named([[x.data for x in output] for output in outputs])}
    if loss is not None:
        numbers["loss"] = {"": root.data}
    numbers["gradient of input"] = _named([[slope(x) for x in sample] for sample in inputs])
    for name, parameter in parameters.items():
        tensor, place = _split(name)
        numbers.setdefault(f"gradient of {tensor}", {})[place] = slope(parameter)
    return numbers


def _exact(module: Any, parameters: dict[str, Value]) -> Any:
    """Return a copy in float64, with the numbers of the model: its own may be rounded."""
    copied = copy.deepcopy(module).to(torch().float64)
    for name, tensor in copied.named_parameters():
        places = torch().cartesian_prod(*[torch().arange(size) for size in tensor.shape]).reshape(-1, tensor.dim())
        numbers = [parameters[".".join([name, *map(str, place)])].data for place in places.tolist()]
        tensor.data = torch().tensor(numbers, dtype=tensor.dtype).reshape(tensor.shape)
    return copied


def _theirs(module: Any, samples: list[list[float]], loss: Any, targets: Any, dtype: Any) -> Numbers:
    """Return PyTorch's numbers, computed in a type; they change no `.grad`."""
    library = torch()
    inputs = library.tensor(samples, dtype=dtype, requires_grad=True)
    output = module(inputs)
    if loss is None:
        places = library.arange(1, output.numel() + 1, dtype=dtype)
        root = (output.reshape(-1) * places).sum()
    else:
        is_class = all(isinstance(target, int) for target in targets)
        root = loss(output, library.tensor(targets, dtype=library.long if is_class else dtype))
    named = {name: tensor for name, tensor in module.named_parameters() if tensor.requires_grad}
    slopes = library.autograd.grad(root, [inputs, *named.values()], allow_unused=True)
    numbers: Numbers = {"output": _named(output.tolist())}
    if loss is not None:
        numbers["loss"] = {"": root.item()}
    shapes = [inputs, *named.values()]
    titles = ["gradient of input", *[f"gradient of {name}" for name in named]]
    for title, tensor, slope in zip(titles, shapes, slopes, strict=True):
        numbers[title] = _named((library.zeros_like(tensor) if slope is None else slope).tolist())
    return numbers


def _named(numbers: Any, place: str = "") -> dict[str, float]:
    """Return nested lists as a dict by place, "[1, 0]"."""

    def inside(part: Any, indices: tuple[int, ...]) -> Iterator[tuple[str, float]]:
        if not isinstance(part, list):
            yield str([*indices]), part
        else:
            for index, inner in enumerate(part):
                yield from inside(inner, (*indices, index))

    return dict(inside(numbers, ()))


def _split(name: str) -> tuple[str, str]:
    """Split the name of one number, "0.weight.1.0", into tensor and place: "0.weight" and "[1, 0]"."""
    parts = name.split(".")
    last = max(place for place, part in enumerate(parts) if not part.isdecimal())
    return ".".join(parts[: last + 1]), str([*map(int, parts[last + 1 :])])


def _row(name: str, ours: dict[str, float], theirs: dict[str, float], exact: dict[str, float]) -> Row:
    """Compare one tensor."""
    tensor = name.removeprefix("gradient of ")
    if ours.keys() != theirs.keys():
        finding = Finding(tensor, Verdict.FAIL, float(len(ours)), float(len(theirs)), remark=" (numbers of elements)")
        return Row(name, len(ours), 0.0, finding)
    largest = max((abs(x) for x in exact.values() if math.isfinite(x)), default=0.0)
    findings = [_finding(f"{name}{place}", ours[place], theirs[place], exact[place], largest) for place in ours]
    severe = worst(finding.verdict for finding in findings)
    digits = {finding: _digits(finding.claimed, finding.expected) for finding in findings}
    least = min((finding for finding in findings if finding.verdict is severe), key=digits.__getitem__)
    return Row(name, len(ours), min(digits.values()), least)


def _finding(where: str, mine: float, theirs: float, exact: float, largest: float) -> Finding:
    difference = abs(mine - exact)
    if mine == exact or difference <= _SAME * abs(exact):
        return Finding(where, Verdict.PASS, mine, theirs)
    if difference <= _ROUNDING * largest:
        return Finding(where, Verdict.PASS, mine, theirs, remark=", which is rounding beside the larger ones")
    if math.isnan(mine) and math.isnan(exact):
        return Finding(where, Verdict.DOMAIN, mine, theirs, remark=": no value in both")
    if difference <= _ROUNDING:
        return Finding(where, Verdict.NOISE, mine, theirs, remark=": both are rounding, seen from 1")
    return Finding(where, Verdict.FAIL, mine, theirs)


def _digits(mine: float | None, theirs: float) -> float:
    """Return in how many decimal digits two numbers agree."""
    if mine is None or math.isnan(mine) or math.isnan(theirs):
        return 0.0
    if mine == theirs:
        return _MOST_DIGITS
    relative = abs(mine - theirs) / max(abs(mine), abs(theirs))
    return min(max(-math.log10(relative), 0.0) + 0.0, _MOST_DIGITS) if math.isfinite(relative) else 0.0
