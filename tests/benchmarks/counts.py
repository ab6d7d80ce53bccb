"""What derivatives cost where no clock is needed: operations of a gradient, walks of a sparse Hessian.

An operation is a node of a graph that computes something: arithmetic or a call of a function, constants, variables
and `pos`, the number itself, not counted. The graph of value and gradient is the one that `grad` records at `Value`s.
Not here: time (`derivatives`). Read next: `tests/test_cost.py`, which holds the limits.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core import table as primitives
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import topological_order
from autograd_mini.transforms import curvature, recorded

WALKS = ("propagate", "push")  # backwards, forwards
Program = tuple[Callable[[list[Any]], Any], list[float]]  # a function of a list of numbers, and where


def _numbers(n: int, low: float = 0.2, high: float = 0.9) -> list[float]:
    generator = random.Random(n)
    return [generator.uniform(low, high) for _ in range(n)]


def rosenbrock(x: list[Any]) -> Any:
    """The chain of Rosenbrock functions, which ties every variable to the next."""
    return sum(100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x))


def logistic_regression(w: list[Any]) -> Any:
    """The mean loss of 100 samples, in as many features as there are weights."""
    rows = [_numbers(len(w) + 1000 + i, -1.0, 1.0)[: len(w)] for i in range(100)]
    return am.binary_cross_entropy([am.dot(row, w) for row in rows], [float(i % 2) for i in range(100)])


def network(w: list[Any]) -> Any:
    """4 inputs, two layers of 8 tanh, one output; squared error of three samples."""
    total = 0.0
    for sample in range(3):
        parameters = iter(w)
        layer: list[Any] = _numbers(4 + sample)[:4]
        for outputs in (8, 8, 1):
            sums = [am.dot([next(parameters) for _ in layer], layer) + next(parameters) for _ in range(outputs)]
            layer = sums if outputs == 1 else [am.tanh(z) for z in sums]
        total = total + (layer[0] - 0.5) ** 2
    return total


def softmax_cross_entropy(z: list[Any]) -> Any:
    """The loss of a classifier of as many classes as there are logits."""
    return am.cross_entropy(z, 3)


def _chain(name: str) -> Program:
    """A smooth primitive, 20 times over, kept inside of its domain."""
    operation = getattr(primitives, name)
    binary = len(TABLE[name].domain) > 1 or name in ("add", "sub", "mul", "div", "atan2", "hypot")

    def f(x: list[Any]) -> Any:
        y = x[0]
        for _ in range(20):
            y = operation(y, x[1]) if binary else operation(y)
            y = 0.25 * y + 1.5 if name == "acosh" else 0.01 * y + 0.5
        return y

    return f, [1.5, 0.7] if name == "acosh" else [0.6, 0.7]


SMOOTH = [name for name, row in TABLE.items() if row.ulp and name not in ("pos", "lifted_ndtr")]
PROGRAMS: dict[str, Program] = {
    "Rosenbrock, 50 variables": (rosenbrock, _numbers(50)),
    "logistic regression, 20 weights": (logistic_regression, _numbers(20)),
    "network 4-8-8-1 of tanh": (network, _numbers(4 * 8 + 8 + 8 * 8 + 8 + 8 + 1, -1.0, 1.0)),
    "softmax cross-entropy, 10 classes": (softmax_cross_entropy, _numbers(10)),
    **{f"chain of {name}": _chain(name) for name in SMOOTH},
}


def operations(*roots: Any) -> int:
    """How many operations stand behind some numbers; `sum` and `dot` of n count as the n - 1 and 2n - 1 they are."""
    nodes = {node for root in roots if isinstance(root, Value) for node in topological_order(root, everything=True)}
    return sum(map(_weight, nodes))


def _weight(node: Value) -> int:
    n = len(node.operands)
    return {None: 0, "pos": 0, "sum": n - 1, "dot": n - 1}.get(node.op, 1)


def cost(program: Program) -> tuple[int, int]:
    """The operations of the value, and those of the value and the gradient."""
    f, point = program
    xs = [Value(x) for x in point]
    forward = operations(f(xs))
    value, gradient = am.value_and_grad(f)(xs)
    return forward, operations(value, *gradient)


@contextlib.contextmanager
def walks() -> Iterator[list[str]]:
    """A list that grows by one with each walk through a graph, backwards or forwards, that a derivative takes."""
    found: list[str] = []
    originals = [(module, name, getattr(module, name)) for module in (recorded, curvature) for name in WALKS]

    def counting(name: str, walk: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: (found.append(name), walk(*args))[1]

    for module, name, walk in originals:
        setattr(module, name, counting(name, walk))
    try:
        yield found
    finally:
        for module, name, walk in originals:
            setattr(module, name, walk)


def sweeps(n: int) -> tuple[int, int]:
    """How many walks the Hessian of a chain of n variables takes: one for its gradient, and two for a group of rows."""
    with walks() as found:
        matrix = am.hessian(rosenbrock, sparse=True)(_numbers(n))
    assert len(matrix.data if hasattr(matrix, "data") else matrix.values) == 3 * n - 2
    return len(found), 2 * n + 1


def lines() -> Iterator[str]:
    """The counts as a table."""
    yield f"{'operations of':34} {'value':>7} {'and gradient':>13} {'ratio':>6}"
    for name, program in PROGRAMS.items():
        forward, both = cost(program)
        yield f"{name:34} {forward:7,} {both:13,} {both / forward:6.2f}"
    sparse, dense = sweeps(1000)
    yield f"Hessian of a chain of 1,000: {sparse} walks instead of {dense:,}, {dense / sparse:.0f} times fewer"
