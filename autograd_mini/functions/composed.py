"""What the compositions share: what they ask of the numbers they are given, and how `help` describes them.

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

Scalar = Any  # a number, a Value, a SymPy expression or a traced value: what comes in, comes out
F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}  # all that are public, by name
NOT_NUMBERS = "OperandError: it is not a list, or an element is not a number."
EMPTY = "ArgumentError: the list is empty."


def composition(
    meaning: str, derivative: str, example: str, *, takes: str, returns: str, raises: str
) -> Callable[[F], F]:
    """A decorator: the function is public, and `help` tells these facts."""

    def document(function: F) -> F:
        function.__doc__ = documentation(meaning, takes, returns, raises, derivative, example)
        FUNCTIONS[function.__name__] = function
        return function

    return document


def number_of(x: Scalar) -> float | None:
    """The number behind a number; None for formulas and traces, whose number is not known yet."""
    if type(x) is Value:
        return x._data
    return as_number(x.data if isinstance(x, Methods) else x)


def between(low: float, x: Scalar, high: float) -> bool:
    """Whether a number is known and lies there; formulas and traces keep to the form that holds everywhere."""
    number = number_of(x)
    return number is not None and low < number < high


def constant(number: float, like: Scalar) -> Scalar:
    """A number of the same kind as another, with no edge to it: what does not depend on it is still a `Value`."""
    return where(False, like, number)


def like(operands: list[Scalar], result: Scalar) -> Scalar:
    """The result, as a `Value` if there is one among the operands, even if it depends on none of them."""
    values = [x for x in operands if is_node(x)]
    return constant(result, values[0]) if values and type(result) is float else result
