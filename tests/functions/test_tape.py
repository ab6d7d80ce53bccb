"""Compositions on a tape: recorded once for all inputs, run on any; comparisons have another answer in each run."""

from __future__ import annotations

import itertools
import math

import pytest

import autograd_mini as am
from autograd_mini.core.row import TABLE, ZERO
from autograd_mini.core.sweep import adjoints, topological_order
from tests.core.registers import inputs, run


def recorded(f, n):
    """The function on lists of n numbers that runs what was recorded of f once: results, and the gradient of each."""
    leaves = inputs(n)
    results = f(leaves)
    results = results if isinstance(results, list) else [results]
    gradients = [[found.get(leaf, ZERO) for leaf in leaves] for found in map(adjoints, results)]
    slopes = [0.0 if slope is ZERO else slope for row in gradients for slope in row]

    def of_numbers(xs):
        values = run([*results, *slopes], dict(zip(leaves, xs, strict=True)))
        rest = values[len(results) :]
        return values[: len(results)], [rest[i : i + n] for i in range(0, len(rest), n)]

    return of_numbers


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
    of_numbers = recorded(FUNCTIONS[name], n)
    for zs in [zs for zs in LOGITS if len(zs) == n]:
        values, gradients = of_numbers(zs)
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
    ops = [node.op for node in topological_order(getattr(am, name)(inputs(1)[0]))]
    assert ops.count(dear) == count
    of_numbers = recorded(lambda xs: getattr(am, name)(xs[0]), 1)
    for x in (-800.0, -3.0, -0.5, 0.5, 3.0, 800.0):
        (value,), ((slope,),) = of_numbers([x])
        assert value == pytest.approx(getattr(am, name)(x), rel=1e-14)
        assert slope == pytest.approx(am.grad(getattr(am, name))(x), rel=1e-13)


def test_the_bits_of_tanh():
    """On numbers the short form gives what the two separate arms gave before."""
    expm1 = TABLE["expm1"].function
    for k in range(-2000, 2001):
        x = k / 37.0
        if abs(x) >= 0.5:
            u = expm1(-2.0 * x) if x >= 0.0 else expm1(2.0 * x)
            assert repr(am.tanh(x)) == repr(-u / (2.0 + u) if x >= 0.0 else u / (2.0 + u))


def test_a_label_can_be_an_input():
    """`hinge` of a traced label is that of numbers; a label that is neither 1 nor -1 gives nan, with nan slopes."""
    f = am.jit(am.value_and_grad(am.hinge))
    for score in (-2.0, -1.0, 0.5, 1.0, 3.0, math.inf, -math.inf):
        for label in (1, -1, 1.0):
            assert f(score, label) == am.value_and_grad(am.hinge)(score, label)
    assert all(map(math.isnan, [*f(0.5, 0), *f(0.5, math.nan), *f(0.5, 2)]))
    assert "t" in str(am.symbolic.formula(am.hinge, ["s", "t"]))


def test_delta_is_a_plain_number():
    """The width of `huber` has no gradient: a `Value` asks for a plain number; a traced one is nan below 0."""
    with pytest.raises(am.OperandError, match=r"(?s)huber\(delta\) takes a real number, not Value.*Pass its number"):
        am.huber(1.0, 0.0, delta=am.Value(1.0))
    f = am.jit(am.value_and_grad(am.huber))
    for delta in (0.5, 2.0):
        assert f(1.0, 0.0, delta) == am.value_and_grad(am.huber)(1.0, 0.0, delta)
    for error in (0.0, 1.0, -3.0):
        assert all(map(math.isnan, [*f(error, 0.0, -1.0), *f(error, 0.0, math.nan)]))
