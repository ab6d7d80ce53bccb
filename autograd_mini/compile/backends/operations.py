"""How NumPy computes each operation on arrays, with the bits of Python's floats.

Not here: which registers share an array. Read next: `compile.backends.levels`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_mini.compile.backends import check_total
from autograd_mini.core.row import TABLE

Array = Any
_BRANCHES = 2048  # below so many numbers, guessing wrong at a branch costs less than more calls


def _first_extreme(is_better: Callable[..., Array]) -> Callable[..., Array]:
    """`maximum` or `minimum`: the first of equal ones, which may be -0.0 and 0.0; nan if any is nan."""
    return lambda *xs: functools.reduce(lambda a, b: _where(is_better(a, b) | (a != a), a, b), xs)


def _total(*xs: Array) -> Array:
    """The sum from left to right."""
    if len(xs) < 2:
        return xs[0] if xs else 0.0
    total = np.asarray(xs[0] + xs[1])
    for x in xs[2:]:
        if total.ndim:
            np.add(total, x, out=total)
        else:  # so far, of numbers that all samples share
            total = np.asarray(total + x)
    return total


def _dot(*xs: Array) -> Array:
    half = len(xs) // 2
    return _total(*map(np.multiply, xs[:half], xs[half:]))


def _take(index: Array, *xs: Array) -> Array:
    place = np.floor(index)
    chosen: Array = np.nan
    for i, x in enumerate(xs):
        chosen = np.where(place == i, x, chosen)
    return chosen


def _where(condition: Array, a: Array, b: Array) -> Array:
    """`numpy.where` without a branch for each number, which a processor guesses wrong half of the time."""
    if np.size(condition) < _BRANCHES:
        return np.where(condition, a, b)
    bits, others = (np.asarray(x, float).view(np.int64) for x in (a, b))
    chosen = (bits ^ others) & -condition.astype(np.int64)
    chosen ^= others
    return chosen.view(float)


def _clip(x: Array, low: Array, high: Array) -> Array:
    if isinstance(low, float) and isinstance(high, float) and low < high and low * high:
        return np.clip(x, low, high)  # no zeros, whose signs would have to be those of the first
    return OPERATIONS["minimum"](OPERATIONS["maximum"](x, low), high)


def _power(x: Array, p: Array) -> Array:
    y = np.where(p == 2.0, x * x, np.power(x, p))
    if np.ndim(p) == 0 and p == 0.5:  # NumPy takes the square root then, which is another number at -0.0 and -inf
        y = np.where(x == -np.inf, np.inf, y + 0.0)
    return y


def _hypot(*xs: Array) -> Array:
    return np.hypot(*xs) if len(xs) == 2 else _by_elements("hypot")(*xs) if len(xs) > 2 else np.absolute(xs[0])


def _by_elements(name: str) -> Callable[..., Array]:
    """A function that NumPy lacks, one number after the other."""
    function = TABLE[name].function
    return lambda *xs: np.asarray(np.frompyfunc(lambda *x: function(*map(float, x)), len(xs), 1)(*xs), float)


OPERATIONS: dict[str, Callable[..., Array]] = {
    **{name: _by_elements(name) for name in TABLE},
    **{row.name: getattr(np, row.numpy or row.name) for row in TABLE.values() if hasattr(np, row.numpy or row.name)},
    "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "pos": np.positive,
    "stop_gradient": np.positive, "defined": np.positive, "abs": np.absolute, "floor": np.floor,
    "pow": _power,
    "floor_divide": lambda a, b: np.where(b == 0.0, a / b, np.floor_divide(a, b)),
    "round": _by_elements("round"), "sum": _total, "dot": _dot, "take": _take, "hypot": _hypot,
    "maximum": _first_extreme(np.greater_equal), "minimum": _first_extreme(np.less_equal),
    "clip": _clip,
    "where": _where,
    "xlogy": lambda x, y: np.where((x == 0.0) & (y == y), 0.0, x * np.log(y)),
    "one_minus_square": lambda x: (1.0 - x) * (1.0 + x),
    "one_power_less": lambda y, x, p: np.divide(y, x),
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
    "&": np.logical_and, "|": np.logical_or, "~": np.logical_not,
}  # fmt: skip
check_total("numpy", OPERATIONS)
EXPANDED = frozenset({"erf", "erfc", "erfinv", "ndtr", "lifted_ndtr"})  # by elements, they would take ten times as long
