"""Second derivatives from the recorded floats equal those from differentiating the gradient's graph."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, grad, hessian, hvp, jacobian, jvp
from autograd_mini.core.row import TABLE, evaluate
from tests.effort import effort

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 5e-324, 1e-200, 1e200, math.inf, -math.inf, math.nan]


def alike(a, b):
    """Equal, or close, or both nan."""
    return (
        (math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-15)
    )  # cancellation


def arity(row):
    return {"clip": 3, "where": 3, "sum": 3, "dot": 4, "maximum": 3, "minimum": 2, "hypot": 3}.get(
        row.name, row.rule.__code__.co_argcount - 1
    )


ROWS = [row for name, row in TABLE.items() if name in am.__all__ or row.symbol != name]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_at_special_numbers(row):
    """Hessian, product with a vector and the graph of the gradient agree at kinks, poles and outside domains."""
    generator = random.Random(row.name)
    n = arity(row)

    def f(x):
        return evaluate(row, tuple(x)) * 1.5

    special = [x for x in SPECIAL if x != 5e-324] if row.name == "atan2" else SPECIAL  # which underflows on the way
    for _ in range(40):
        x = [generator.choice([*special, generator.uniform(-2.0, 2.0)]) for _ in range(n)]
        found = hessian(f)(x)
        gradient = jacobian(grad(f))(x)
        for i in range(n):
            for j in range(n):
                assert alike(found[i][j], gradient[i][j]) or alike(found[i][j], gradient[j][i]), (x, found, gradient)
        if not np.isfinite(found).all():  # inf - inf, in one order of the sum or the other
            continue
        vector = [generator.choice([1.0, -2.0, 0.5]) for _ in range(n)]
        for mine, forwards in zip(hvp(f, (x,), (vector,)), jvp(grad(f), (x,), (vector,))[1], strict=True):
            assert alike(mine, forwards), (x, vector)


def composed(seed):
    """A random function of a list, of operators, rows of many operands, squares, repeated and constant operands."""
    generator = random.Random(seed)
    choices = [
        lambda a, b, c: a * b, lambda a, b, c: a - b * 0.5, lambda a, b, c: a / (2.5 + am.sin(b)), lambda a, b, c: a**2,
        lambda a, b, c: am.exp(0.3 * a), lambda a, b, c: am.norm([a, b, c, 1.0]),
        lambda a, b, c: am.dot([a, b, a], [c, 2.0, b]), lambda a, b, c: am.maximum(a, b, c),
        lambda a, b, c: am.hypot(a, a), lambda a, b, c: am.atan2(a, 3.0 + am.cos(b)),
        lambda a, b, c: am.where(a > b, a * c, b), lambda a, b, c: am.logsumexp([a, b, c]), lambda a, b, c: am.tanh(a),
        lambda a, b, c: (2.0 + am.sin(a)) ** am.cos(b), lambda a, b, c: am.sum([a, b, a, 2.0]), lambda a, b, c: 1.7 - a,
    ]  # fmt: skip
    program = [(generator.choice(choices), [generator.random() for _ in range(3)]) for _ in range(8)]

    def f(x):
        values = list(x)
        for operation, places in program:
            values.append(am.sin(operation(*[values[int(place * len(values))] for place in places])))
        return am.sum(values[len(x) :])

    return f, [generator.uniform(-1.5, 1.5) for _ in range(generator.randint(1, 4))]


@settings(max_examples=effort(50, 500))
@given(st.integers(0, 10**9))
def test_random_functions(seed):
    """Dense and sparse Hessians and products with vectors, of plain numbers and inside of another derivative."""
    f, x = composed(seed)
    n = len(x)
    truth = np.array([grad(lambda z, i=i: grad(f)(z)[i])(x) for i in range(n)])
    vector = [1.0, -0.5, 0.7, 0.2][:n]
    product = truth @ vector
    close = {"rel": 1e-9, "abs": 1e-9}
    assert np.array(hessian(f)(x)) == pytest.approx(truth, **close)
    assert hessian(f, sparse=True)(x).toarray() == pytest.approx(truth, **close)
    assert hvp(f, (x,), (vector,)) == pytest.approx(product, **close)
    nodes = [Value(number) for number in x]  # these go the other way: the gradient is a graph
    assert [getattr(y, "data", y) for y in hvp(f, (nodes,), (vector,))] == pytest.approx(product, **close)
    assert jvp(lambda z: hvp(f, (z,), (vector,)), (x,), (vector,))[0] == pytest.approx(product, **close)


def test_what_else_a_function_uses_stays_a_variable():
    """With a `Value` from outside in it, a Hessian is a graph: a penalty on the curvature trains."""
    w = Value(2.0)
    ((second,),) = hessian(lambda x: w * x[0] ** 3)([3.0])
    second.backward()
    assert (second.data, w.grad) == (36.0, 18.0)
    (product,) = hvp(lambda x: w * x[0] ** 3, ([3.0],), ([2.0],))
    product.backward()
    assert (product.data, w.grad) == (72.0, 18.0 + 36.0)
    direction = Value(2.0)
    (product,) = hvp(lambda x: x[0] ** 3, ([3.0],), ([direction],))
    product.backward()
    assert (product.data, direction.grad) == (36.0, 18.0)


def test_f_runs_once():
    """A function with a memory of its own is called once by each of them, whatever it uses."""
    for outside in (1.0, Value(1.0)):
        for derive in (lambda f: hessian(f)([2.0]), lambda f: hvp(f, ([2.0],), ([1.0],)), lambda f: grad(f)([2.0])):
            calls = []
            derive(lambda x, calls=calls, outside=outside: (calls.append(1), outside * x[0] ** 3)[1])
            assert len(calls) == 1


def test_a_leaf_written_in_between_is_noticed():
    """Second partials come from the numbers of the operands, so these must be the recorded ones."""
    w = []

    def f(x):
        w.append(x[0])
        y = am.sin(x[0]) * x[0]
        x[0].data = 5.0
        return y

    for derive in (lambda: hessian(f)([2.0]), lambda: hvp(f, ([2.0],), ([1.0],))):
        with pytest.raises(am.ArgumentError, match="written between"):
            derive()


def test_checked_raises_in_second_derivatives():
    """Under `checked()`, an infinite second derivative is an error, not a number."""
    with am.checked(), pytest.raises(am.NonFiniteError):
        hessian(lambda x: abs(x[0]) ** 1.5)([0.0])
