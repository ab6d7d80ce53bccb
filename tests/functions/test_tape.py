"""Compositions on a tape: recorded once for all inputs, run on any; comparisons have another answer in each run."""

from __future__ import annotations

import itertools
import math
import operator

import pytest

import autograd_mini as am
from autograd_mini.core import traced
from autograd_mini.core.row import TABLE, ZERO, interpreters
from autograd_mini.core.sweep import sweep, topological_order
from autograd_mini.core.traced import Traced, resolved


class Later:
    """A number that is known when the tape runs: a function of the inputs."""

    def __init__(self, run):
        self.run = run

    def __mul__(self, other):
        return later(operator.mul, (self, other)) if isinstance(other, (Later, float)) else NotImplemented

    def __add__(self, other):
        return later(operator.add, (self, other)) if isinstance(other, (Later, float)) else NotImplemented

    __rmul__, __radd__ = __mul__, __add__


def later(operation, operands):
    def run(inputs):
        return operation(*[x.run(inputs) if isinstance(x, Later) else x for x in operands])

    return Later(run)


RELATE = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "&": lambda a, b: a and b, "|": lambda a, b: a or b,
    "~": lambda a: not a,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _tape():
    interpreters[Later] = lambda row, operands: later(row.function, operands)
    traced.relations[Later] = lambda symbol, *operands: later(RELATE[symbol], operands)
    yield
    del interpreters[Later], traced.relations[Later]


def recorded(f, n):
    """The function on lists of n numbers that runs what was recorded of f once: results, and the gradient of each."""
    leaves = [Traced(Later(lambda inputs, i=i: inputs[i]), name=f"x{i}") for i in range(n)]
    results = f(leaves)
    results = results if isinstance(results, list) else [results]
    gradients = []
    for result in results:
        order = topological_order(result)
        for _ in sweep(result, 1.0, order):
            pass
        gradients.append([resolved(order.get(leaf, ZERO)) for leaf in leaves])

    def number(x, inputs):
        x = x.run(inputs) if isinstance(x, Later) else x
        return 0.0 if x is ZERO else float(x)

    def run(inputs):
        values = [number(result.data, inputs) for result in results]
        return values, [[number(slope, inputs) for slope in slopes] for slopes in gradients]

    return run


LOGITS = [
    [0.0, 1000.0], [1000.0, 0.0], [3.0, 3.0], [-800.0, -801.0], [40.0, 0.0],
    *map(list, itertools.permutations([0.0, 40.0, 1000.0])), *map(list, itertools.permutations([1.0, 1.0, -5.0])),
    [2.0, 2.0, 2.0], [-1e4, 0.0, 1e4, 0.5], [5.0],
]  # fmt: skip
FUNCTIONS = {
    "softmax": am.softmax,
    "log_softmax": am.log_softmax,
    "logsumexp": am.logsumexp,
    "cross_entropy": lambda zs: am.cross_entropy(zs, 0),
    "cross_entropy of the last": lambda zs: am.cross_entropy(zs, len(zs) - 1),
    "cross_entropy of a distribution": lambda zs: am.cross_entropy(zs, [0.25, *[0.75 / len(zs)] * (len(zs) - 1)]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_softmax_of_every_order(name, n):
    """What is recorded once is right whichever logit is the largest: values, gradients, and their last digits."""
    run = recorded(FUNCTIONS[name], n)
    for zs in [zs for zs in LOGITS if len(zs) == n]:
        values, gradients = run(zs)
        leaves = [am.Value(z) for z in zs]
        expected = FUNCTIONS[name](leaves)
        for value, slopes, truth in zip(
            values, gradients, expected if isinstance(expected, list) else [expected], strict=True
        ):
            assert value == pytest.approx(truth.data, rel=1e-14, abs=1e-300)
            for leaf in leaves:
                leaf.grad = None
            truth.backward()
            assert slopes == pytest.approx([leaf.grad for leaf in leaves], rel=1e-13, abs=1e-300), zs


@pytest.mark.parametrize("way", ["forwards", "nested"])
@pytest.mark.parametrize("zs", [zs for zs in LOGITS if len(zs) > 1], ids=str)
def test_softmax_in_the_other_worlds(way, zs):
    """Dual numbers, and Values of a gradient that is recorded, choose the largest logit as floats do."""
    n = len(zs)
    truth = [am.grad(lambda z, i=i: am.softmax([*z])[i])(zs) for i in range(n)]
    for j in range(n):
        if way == "forwards":
            unit = [float(i == j) for i in range(n)]
            slopes = am.jvp(lambda z: am.softmax([*z]), (zs,), (unit,))[1]
        else:
            slopes = [
                am.jvp(lambda t, i=i, j=j: am.softmax([z + t * (k == j) for k, z in enumerate(zs)])[i], (0.0,), (1.0,))[
                    1
                ]
                for i in range(n)
            ]
        assert slopes == pytest.approx([row[j] for row in truth], rel=1e-13, abs=1e-300)
    assert all(math.isfinite(x) for row in am.hessian(lambda z: am.logsumexp([*z]))(zs) for x in row)


@pytest.mark.parametrize(("name", "dear", "count"), [("tanh", "expm1", 1), ("sigmoid", "exp", 2), ("elu", "expm1", 1)])
def test_a_branch_shares_what_both_arms_compute(name, dear, count):
    """The expm1 of tanh is one, of an argument that `where` selects; values and gradients are those of numbers."""
    ops = [node.op for node in topological_order(getattr(am, name)(Traced(Later(lambda inputs: inputs[0]))))]
    assert ops.count(dear) == count
    run = recorded(lambda xs: getattr(am, name)(xs[0]), 1)
    for x in (-800.0, -3.0, -0.5, 0.5, 3.0, 800.0):
        (value,), ((slope,),) = run([x])
        assert value == pytest.approx(getattr(am, name)(x), rel=1e-14)
        assert slope == pytest.approx(am.grad(getattr(am, name))(x), rel=1e-13)


def test_the_bits_of_tanh():
    """On numbers the short form computes what the two arms were written as before."""
    expm1 = TABLE["expm1"].function
    for k in range(-2000, 2001):
        x = k / 37.0
        if abs(x) >= 0.5:
            u = expm1(-2.0 * x) if x >= 0.0 else expm1(2.0 * x)
            assert repr(am.tanh(x)) == repr(-u / (2.0 + u) if x >= 0.0 else u / (2.0 + u))
