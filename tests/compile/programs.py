"""Random programs of operations that round correctly, as plain data, and numbers that find their special points.

A program is a list of steps; each names an operation and picks operands from inputs, constants and earlier results.
"""

from __future__ import annotations

import math
from functools import partial

from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.core.row import TABLE, evaluate
from autograd_mini.functions.activations import ACTIVATIONS
from autograd_mini.transforms import trees

inf, nan = math.inf, math.nan
CONSTANTS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, inf, -inf, nan]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.5, inf, -inf, nan, 5e-324, -5e-324, 1e-310, 1e308, -1e308]


def _div(x, y):
    return evaluate(TABLE["div"], (x, y))  # Python's / raises for floats


# What C8 promises bits for, and what is composed of it.
OPERATIONS = {
    "add": lambda x, y, z: x + y,
    "sub": lambda x, y, z: x - y,
    "mul": lambda x, y, z: x * y,
    "div": lambda x, y, z: _div(x, y),
    "square": lambda x, y, z: x**2,
    "neg": lambda x, y, z: -x,
    "abs": lambda x, y, z: abs(x),
    "sqrt": lambda x, y, z: am.sqrt(x),
    "maximum": lambda x, y, z: am.maximum(x, y),
    "maximum of three": lambda x, y, z: am.maximum(x, y, z),
    "minimum": lambda x, y, z: am.minimum(x, y),
    "clip": lambda x, y, z: am.clip(x, y, z),
    "clip to constants": lambda x, y, z: am.clip(x, -1.0, 2.0),
    "relu": lambda x, y, z: am.relu(x),
    "where": lambda x, y, z: am.where(x < y, y, z),
    "where equal": lambda x, y, z: am.where(x == y, x * z, z),
    "where joined": lambda x, y, z: am.where((x < y) & (y != z), am.sqrt(x), _div(y, z)),
    "where either": lambda x, y, z: am.where((x <= 0.0) | (y > z), _div(1.0, x), y),
    "sum": lambda x, y, z: am.sum([x, y, z]),
    "sum of two": lambda x, y, z: am.sum([x, z]),
    "dot": lambda x, y, z: am.dot([x, y, z], [y, z, x]),
    "take": lambda x, y, z: am.take([y, z, x], am.where(x > 0.0, 1.0, am.where(y < 0.0, 2.0, 0.0))),
}
# All functions, which backends may compute with other last digits.
_OTHERS = ("flat", "slope_at_kink", "defined", "round", "take")
MIXED = {
    **OPERATIONS,
    **{name: partial(lambda row, x, y, z: evaluate(row, (x, y, z)[: row.arity]), row)
       for name, row in TABLE.items() if row.arity in (1, 2) and not row.is_users and name not in _OTHERS},
    **{f.__name__: partial(lambda f, x, y, z: f(x), f) for f in ACTIVATIONS.values()},
    "norm": lambda x, y, z: am.norm([x, y, z]),
    "hypot of three": lambda x, y, z: am.hypot(x, y, z),
    "logsumexp": lambda x, y, z: am.logsumexp([x, y, z]),
    "softmax": lambda x, y, z: am.softmax([x, y, z])[1],
}  # fmt: skip
INPUTS = 3


def run(steps, xs, operations=OPERATIONS):
    """The last result of a program."""
    pool = [*xs, *CONSTANTS]
    for name, *picks in steps:
        # A pick below 50 counts from the end, so that most results are used.
        pool.append(
            operations[name](*[pool[-1 - pick % len(pool)] if pick < 50 else pool[pick % len(pool)] for pick in picks])
        )
    return pool[-1]


pick = st.integers(0, 99)
programs = st.lists(st.tuples(st.sampled_from([*OPERATIONS]), pick, pick, pick), min_size=1, max_size=8)
numbers = st.one_of(st.sampled_from(SPECIAL), st.floats(-4.0, 4.0))
points = st.lists(st.lists(numbers, min_size=INPUTS, max_size=INPUTS), min_size=12, max_size=12)


def bits(tree):
    """Every number of a structure to the last bit, and the sign of a zero; nan is nan."""
    return ["nan" if leaf != leaf else float(leaf).hex() for _, leaf in trees.numbers(tree)]


def leaves(tree):
    """The numbers of a structure."""
    return [float(leaf) for _, leaf in trees.numbers(tree)]
