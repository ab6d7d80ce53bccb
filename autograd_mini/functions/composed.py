"""What the compositions share: questions about their operands, and the docstrings that `help` shows.

Not here: the compositions. Read next: `functions.sums`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from autograd_mini.core.methods import Methods
from autograd_mini.core.operation import documentation
from autograd_mini.core.row import as_number
from autograd_mini.core.table import where
from autograd_mini.engine import Value, is_node
from autograd_mini.watch.origins import note_decision, notes_decisions

Scalar = Any  # a number, a Value, a SymPy expression or a traced value; results are of the same kind
F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}  # the public ones, by name
NOT_NUMBERS = "OperandError: the argument is not a list, or an element is not a number."
EMPTY = "ArgumentError: the list is empty."


def composition(
    meaning: str, derivative: str, example: str, *, takes: str, returns: str, raises: str
) -> Callable[[F], F]:
    """A decorator that makes a function public, with these facts as its docstring."""

    def document(function: F) -> F:
        function.__doc__ = documentation(meaning, takes, returns, raises, derivative, example)
        FUNCTIONS[function.__name__] = function
        return function

    return document


def number_of(x: Scalar) -> float | None:
    """The float behind an operand; None for formulas and traces, whose number is not known yet."""
    if type(x) is Value:
        return x._data
    return as_number(x.data if isinstance(x, Methods) else x)


def between(low: float, x: Scalar, high: float) -> bool:
    """Whether a known number is in the interval; formulas and traces use the form that holds everywhere."""
    number = number_of(x)
    if type(x) is Value and notes_decisions():
        note_decision(x, ">", low)
        note_decision(x, "<", high)
    return number is not None and low < number < high


def constant(number: float, like: Scalar) -> Scalar:
    """A constant of the same kind as an operand, without an edge to it: a `Value` for a `Value`."""
    return where(False, like, number)


def like(operands: list[Scalar], result: Scalar) -> Scalar:
    """The result, as a `Value` if any operand is one, even if it depends on none of them."""
    values = [x for x in operands if is_node(x)]
    return constant(result, values[0]) if values and type(result) is float else result
