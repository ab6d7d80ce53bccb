"""`from_torch`: a small PyTorch network as a module of this package, weight by weight.

It computes what PyTorch's modules document, such as the threshold of Softplus, on one list of numbers at a time. This
is the only place that imports PyTorch. Not here: the comparison (`agreement`). Read next: `check.agreement`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from autograd_mini import functions
from autograd_mini.core.table import clip, where
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, MissingError, OperandError, shown
from autograd_mini.nn.module import Module
from autograd_mini.program.scopes import scope

_GELU = math.sqrt(2.0 / math.pi)

# From a PyTorch module to a function of one number; in the next table, of a list of numbers.
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


def _listed(x: Any) -> list[Any]:
    """Return a sample as a list; it may be a tensor or an array."""
    return [*(x.tolist() if hasattr(x, "tolist") else x)]


class Expanded(Module):
    """A module of PyTorch as one of this package; calling it with a list of numbers gives a list."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __call__(self, x: Iterable[Any]) -> list[Any]:
        """Return the outputs for one sample."""
        raise NotImplementedError

    def neurons(self) -> Iterator[list[Value]]:
        """Yield the parameters of each neuron: its weights, then its bias."""
        yield from ()

    def __repr__(self) -> str:
        return self._title


class _Linear(Expanded):
    """A layer whose weights have PyTorch's names: `weight.0.1` goes from input 1 to output 0."""

    def __init__(self, title: str, weight: list[list[Value]], bias: list[Value] | None) -> None:
        super().__init__(title)
        self.weight = weight
        if bias is not None:
            self.bias = bias

    def __call__(self, x: Iterable[Any]) -> list[Any]:
        inputs = _listed(x)
        if len(inputs) != len(self.weight[0]):
            raise ArgumentError(
                f"{self._title} got {len(inputs)} inputs.", f"Pass a list of {len(self.weight[0])} numbers: one sample."
            )
        outputs = []
        for place, row in enumerate(self.weight):
            with scope(f"Neuron{place}"):
                weighted = functions.dot(row, inputs)
                outputs.append(weighted + self.bias[place] if hasattr(self, "bias") else weighted)
        return outputs

    def neurons(self) -> Iterator[list[Value]]:
        """Yield the parameters of each neuron: its weights, then its bias."""
        for place, row in enumerate(self.weight):
            yield [*row, self.bias[place]] if hasattr(self, "bias") else row


class _Chain(Expanded):
    """Modules one after the other, in attributes with PyTorch's names."""

    def __init__(self, title: str, parts: dict[str, Expanded]) -> None:
        super().__init__(title)
        self._names = tuple(parts)
        vars(self).update(parts)

    def __call__(self, x: Iterable[Any]) -> list[Any]:
        numbers = _listed(x)
        for name in self._names:
            part = vars(self)[name]
            with scope(f"{part!r}".partition("(")[0] + name):
                numbers = part(numbers)
        return numbers

    def neurons(self) -> Iterator[list[Value]]:
        """Yield the parameters of each neuron, layer by layer."""
        for name in self._names:
            yield from vars(self)[name].neurons()


class _Function(Expanded):
    """A module without parameters."""

    def __init__(self, title: str, function: Callable[[list[Any]], list[Any]]) -> None:
        super().__init__(title)
        self._function = function

    def __call__(self, x: Iterable[Any]) -> list[Any]:
        return self._function(_listed(x))


class Loss(Expanded):
    """A loss of one sample, or of a list of samples and a list of targets."""

    def __init__(self, title: str, function: Callable[[list[Any], Any], Any], is_sum: bool) -> None:
        super().__init__(title)
        self._function, self._is_sum = function, is_sum

    def __call__(self, x: Iterable[Any], target: Any = None) -> Any:
        """Return the loss of outputs; those of several samples are averaged, or added up if PyTorch does so."""
        outputs = _listed(x)
        if not isinstance(outputs[0], list):
            loss = self._function(outputs, target)
            per_number = self._is_sum and self._function is not functions.cross_entropy
            return loss * float(len(outputs)) if per_number else loss
        losses = [self(sample, wanted) for sample, wanted in zip(outputs, target, strict=True)]
        return functions.sum(losses) if self._is_sum else functions.mean(losses)


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
        numbers. A loss takes the outputs and the target.

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
    _check_settings(module, kind, path)
    if kind == "Sequential":
        parts = {name: _expanded(library, part, f"{path}{name}.", known) for name, part in module._modules.items()}
        return _Chain(title, parts)
    if kind == "Linear":
        return _Linear(title, *[_leaves(getattr(module, name), f"{path}{name}", known) for name in ("weight", "bias")])
    if kind in _OF_LIST:
        return _Function(title, _OF_LIST[kind])
    if kind in _LOSSES:
        return Loss(title, _LOSSES[kind], module.reduction == "sum")
    function = _OF_ONE[kind](module)
    return _Function(title, lambda x: [function(number) for number in x])


def _leaves(parameter: Any, name: str, known: dict[int, Any]) -> Any:
    """Return a parameter as nested lists of leaves, or None."""
    if parameter is not None and id(parameter) not in known:

        def leaves(numbers: Any, inside: str) -> Any:
            if isinstance(numbers, list):
                return [leaves(number, f"{inside}.{place}") for place, number in enumerate(numbers)]
            return Value(numbers, inside)

        known[id(parameter)] = leaves(parameter.detach().tolist(), name)
    return None if parameter is None else known[id(parameter)]


def _kind(library: Any, module: Any, path: str) -> str:
    """Return the name of PyTorch's class whose forward() a module has."""
    for kind in type(module).__mro__:
        known = kind.__name__ in ("Sequential", "Linear", *_OF_ONE, *_OF_LIST, *_LOSSES)
        if known and getattr(library.nn, kind.__name__, None) is kind and type(module).forward is kind.forward:
            return str(kind.__name__)
    own = " with a forward() of its own" if not type(module).__module__.startswith("torch.") else ""
    raise ArgumentError(
        f"from_torch() cannot expand {shown(module)}{own}{_at(path)}.",
        "Pass a Sequential of Linear, activations and softmax; help(autograd_mini.from_torch) lists them.",
    )


def _check_settings(module: Any, kind: str, path: str) -> None:
    """Raise if a module does more than its expansion."""
    wrong = {
        "Dropout": kind == "Dropout" and module.training and module.p > 0.0 and "is in training mode: call eval()",
        "dim": kind in _OF_LIST and module.dim not in (-1, 1) and "needs dim=-1: it acts on the outputs of one sample",
        "weight": kind in _LOSSES and getattr(module, "weight", None) is not None and "has class weights",
        "pos_weight": getattr(module, "pos_weight", None) is not None and "has pos_weight",
        "smoothing": getattr(module, "label_smoothing", 0.0) != 0.0 and "has label_smoothing",
        "reduction": kind in _LOSSES and module.reduction == "none" and 'has reduction="none"',
        "hooks": bool(module._forward_hooks or module._forward_pre_hooks) and "has hooks",
        "complex": kind == "Linear" and module.weight.is_complex() and "has complex weights",
        "empty": kind == "Linear" and not module.weight.numel() and "has no weights yet",
    }
    for why in filter(None, wrong.values()):
        raise ArgumentError(f"{shown(module)}{_at(path)} {why}.", "from_torch() expands modules without that.")


def _at(path: str) -> str:
    return f" at {path[:-1]!r}" if path else ""
