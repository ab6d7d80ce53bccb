"""What the functions ask of the numbers they are given.

Read next: `activations`.
"""

from __future__ import annotations

from typing import Any

from autograd_mini.core.methods import Methods
from autograd_mini.core.row import as_number
from autograd_mini.core.table import (
    where,
)
from autograd_mini.engine import Value, is_node

Scalar = Any  # a number, a Value, a SymPy expression or a traced value: what comes in, comes out


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
