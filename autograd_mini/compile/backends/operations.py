"""How NumPy computes each operation on arrays, with the same bits as Python's floats.

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


def stored(function: Callable[..., Array]) -> Callable[..., None]:
    """A function that returns its result, made to write it to its last operand."""

    def write(*operands: Array) -> None:
        operands[-1][...] = function(*operands[:-1])

    return write


def _mask(answers: Array, out: Array) -> Array:
    """Truth values as integers in which either all bits are set or none."""
    bits = np.asarray(answers).view(np.int8)
    out[...] = np.negative(bits, bits)
    return out


def _compared(compare: Callable[..., Array]) -> Callable[..., Array]:
    return lambda a, b, out: _mask(compare(a, b), out)


def _where(mask: Array, a: Array, b: Array, out: Array) -> Array:
    """By bits: `numpy.where` has a branch for each number, which a processor guesses wrong half of the time."""
    np.bitwise_xor(a, b, out)
    np.bitwise_and(out, mask, out)
    return np.bitwise_xor(out, b, out)


def _chosen(answers: Array, a: Array, b: Array) -> Array:
    mask = _mask(answers, np.empty(np.broadcast(answers, a, b).shape, np.int64))
    return _where(mask, a.view(np.int64), b.view(np.int64), np.empty_like(mask)).view(float)


def _first_extreme(is_better: Callable[..., Array]) -> Callable[..., None]:
    """`maximum` or `minimum`: the first of equal ones, which may be -0.0 and 0.0; nan if any is nan."""
    return stored(lambda *xs: functools.reduce(lambda a, b: _chosen(is_better(a, b) | (a != a), a, b), xs))


@stored
def _take(index: Array, *xs: Array) -> Array:
    place = np.floor(index)
    chosen = np.asarray(np.nan)
    for i, x in enumerate(xs):
        chosen = _chosen(place == i, x, chosen)
    return chosen


def _total(*operands: Array) -> None:
    """The sum from left to right."""
    *xs, out = operands
    out[...] = xs[0] if xs else 0.0
    for x in xs[1:]:
        np.add(out, x, out)


def _dot(*operands: Array) -> None:
    *xs, out = operands
    half = len(xs) // 2
    _total(*map(np.multiply, xs[:half], xs[half:]), out)


def _long_total(xs: Array, out: Array) -> None:
    """Sums of many terms: first the first terms of all sums, then the second ones, and so on."""
    out[...] = np.add.accumulate(xs.reshape(-1, out.size))[-1]


def _clip(x: Array, low: Array, high: Array, out: Array) -> None:
    if low.ndim == high.ndim == 0 and low < high and low * high:
        x.clip(low, high, out)  # no zeros, whose signs would have to be those of the first
    else:
        OPERATIONS["maximum"](x, low, out)
        OPERATIONS["minimum"](out.copy(), high, out)


def _power(x: Array, p: Array, out: Array) -> None:
    np.power(x, p, out)
    is_square, is_root = p == 2.0, p == 0.5
    if is_square.any():
        np.copyto(out, x * x, where=is_square)
    if is_root.any():  # NumPy may take the square root then, which is another number at -0.0 and -inf
        np.copyto(out, np.where(x == -np.inf, np.inf, out + 0.0), where=is_root)


def _hypot(*operands: Array) -> None:
    {2: np.absolute, 3: np.hypot}.get(len(operands), _by_elements("hypot"))(*operands)


def _by_elements(name: str) -> Callable[..., None]:
    """A function that NumPy lacks, one number after the other."""
    function = TABLE[name].function
    return stored(lambda *xs: np.frompyfunc(lambda *x: function(*map(float, x)), len(xs), 1)(*xs))


# Each is called with its operands, and with the array for the result. Conditions are masks; "where" and what joins
# masks get numbers as integers of the same bits.
OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: _by_elements(name) for name in TABLE},
    **{row.name: getattr(np, row.numpy or row.name) for row in TABLE.values() if hasattr(np, row.numpy or row.name)},
    "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "pos": np.positive,
    "stop_gradient": np.positive, "defined": np.positive, "abs": np.absolute, "floor": np.floor,
    "pow": _power,
    "floor_divide": stored(lambda a, b: np.where(b == 0.0, a / b, np.floor_divide(a, b))),
    "round": _by_elements("round"), "sum": _total, "dot": _dot, "take": _take, "hypot": _hypot,
    "long sum": _long_total,
    "long dot": lambda xs, out: _long_total(np.multiply(*np.split(xs, 2)), out),
    "maximum": _first_extreme(np.greater_equal), "minimum": _first_extreme(np.less_equal),
    "clip": _clip,
    "where": _where,
    "xlogy": stored(lambda x, y: np.where((x == 0.0) & (y == y), 0.0, x * np.log(y))),
    "one_minus_square": stored(lambda x: (1.0 - x) * (1.0 + x)),
    "one_power_less": lambda y, x, p, out: np.divide(y, x, out),
    "<": _compared(np.less), "<=": _compared(np.less_equal), ">": _compared(np.greater),
    ">=": _compared(np.greater_equal), "==": _compared(np.equal), "!=": _compared(np.not_equal),
    "&": np.bitwise_and, "|": np.bitwise_or, "~": np.invert,
}  # fmt: skip
check_total("numpy", OPERATIONS)
EXPANDED = frozenset({"erf", "erfc", "erfinv", "ndtr", "lifted_ndtr"})  # by elements, they would take ten times as long
