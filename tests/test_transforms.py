"""`grad` and `value_and_grad`: structures, orders, nesting, what else is in the graph, errors."""

from __future__ import annotations

import collections
import math

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, grad, value_and_grad

x_, y_ = sympy.symbols("x y")


def test_structures():
    """Results have the structure of the argument; argnums chooses arguments; other arguments pass through."""
    assert grad(lambda x: x * x)(3) == 6.0
    assert grad(lambda w: w[0] * w[1])([2.0, 5.0]) == [5.0, 2.0]
    assert grad(lambda w: w[0][0] * w[1])(([2.0, 1.0], 5.0)) == ([5.0, 0.0], 2.0)
    assert grad(lambda x, y: x * y, argnums=1)(2.0, 5.0) == 2.0
    assert grad(lambda x, y: x * y, argnums=-1)(2.0, 5.0) == 2.0
    assert grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 5.0) == (5.0, 2.0)
    assert grad(lambda x, label, scale=1.0: x * x * scale)(3.0, "text", scale=2.0) == 12.0
    assert value_and_grad(lambda x: am.exp(x))(0.0) == (1.0, 1.0)
    assert type(grad(am.exp)(0.0)) is float


def test_named_tuples_and_numpy_positions():
    """A named tuple comes back as one; argnums may be any integer."""
    point = collections.namedtuple("point", "x y")
    assert grad(lambda p: p.x * p.y)(point(2.0, 3.0)) == point(3.0, 2.0)
    assert grad(lambda x, y: x * y, argnums=np.int64(1))(2.0, 3.0) == 2.0


def test_constants_and_identities():
    """A constant has gradient 0, the identity 1, and what does not depend on the argument 0."""
    assert grad(lambda x: 1.0)(2.0) == 0.0
    assert grad(lambda x: 7)(2.0) == 0.0
    assert grad(lambda x: x)(2.0) == 1.0
    assert grad(grad(lambda x: x))(2.0) == 0.0
    assert grad(lambda w: w[0])([1.0, 2.0]) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("f", "formula"),
    [
        (lambda x: am.exp(am.sin(x)), sympy.exp(sympy.sin(x_))),
        (lambda x: am.log(x) * x**3 / (1 + x), sympy.log(x_) * x_**3 / (1 + x_)),
        (lambda x: am.tanh(x) ** 2, sympy.tanh(x_) ** 2),
        (lambda x: am.sqrt(1 + am.atan(x)), sympy.sqrt(1 + sympy.atan(x_))),
        (lambda x: am.softplus(x) / am.hypot(x, 2.0), sympy.log(1 + sympy.exp(x_)) / sympy.sqrt(x_**2 + 4)),
        (lambda x: am.dot([x, x, 2.0], [x, am.erf(x), x]), x_**2 + x_ * sympy.erf(x_) + 2 * x_),
        (lambda x: x**x - 2**x, x_**x_ - 2**x_),
    ],
)
def test_derivatives_up_to_the_fifth(f, formula):
    """Nested grad agrees with SymPy."""
    for _ in range(5):
        f, formula = grad(f), sympy.diff(formula, x_)
        for point in (0.4, 1.3):
            assert f(point) == pytest.approx(float(formula.subs(x_, sympy.Rational(point))), rel=1e-10)


@given(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0))
def test_mixed_derivatives_commute(x, y):
    """d²f/dxdy = d²f/dydx, nested in both orders."""

    def f(a, b):
        return am.sin(a * b) + am.sigmoid(a) * am.exp(b) + am.hypot(a, b, 1.0)

    one, other = grad(grad(f, 0), 1)(x, y), grad(grad(f, 1), 0)(x, y)
    assert one == pytest.approx(other, rel=1e-12, abs=1e-13)


def test_perturbations_are_not_confused():
    """An inner derivative knows its own variable from an outer one, even where numbers or nodes are the same."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert grad(lambda x: grad(lambda y: x * y)(x))(3.0) == 1.0
    assert grad(lambda x: grad(lambda y: x * y * y)(x))(3.0) == 12.0
    assert grad(lambda x: x * grad(lambda y: grad(lambda z: x * y * z)(1.0) * y)(2.0))(3.0) == 24.0
    first, second = value_and_grad(lambda x: value_and_grad(lambda y: x * x * y)(2.0)[1])(3.0)
    assert (first, second) == (9.0, 6.0)


def test_other_values_stay_connected():
    """A `Value` that f merely uses makes the answer a `Value`: a penalty on a gradient trains parameters."""
    w = Value(2.0)
    slope = grad(lambda x: w * x * x)(3.0)
    assert slope.data == 12.0
    (slope * slope).backward()
    assert w.grad == 2 * 12.0 * 6.0
    x = Value(3.0)
    slope = grad(lambda z: z**3)(x)
    slope.backward()
    assert (slope.data, x.grad) == (27.0, 18.0)
    assert w.grad == 144.0  # grad itself writes no .grad


def test_an_answer_is_not_a_variable():
    """What a finished derivative leaves behind is a constant to others: no stray leaves in later graphs."""
    w = Value(2.0)
    inner = []

    def f(x):
        inner.append(x)
        return w * x

    result = grad(f)(3.0) * 5.0
    assert inner[0].op == "pos"
    assert grad(lambda x: x * inner[0] * inner[0])(2.0) == 9.0
    result.backward()
    assert w.grad == 5.0


def test_errors_leave_no_trace():
    """An exception in f passes, and the next derivative is right; variables end as constants all the same."""
    leaves = []

    def bad(x):
        leaves.append(x)
        raise RuntimeError("user error")

    with pytest.raises(RuntimeError, match="user error"):
        grad(bad)(1.0)
    assert leaves[0].op == "pos"
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0) == 6.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grad(lambda x: [x])(1.0), am.OperandError, "one number"),
        (lambda: grad(lambda x: None)(1.0), am.OperandError, "one number"),
        (lambda: grad(lambda x: x)("1"), am.OperandError, "float"),
        (lambda: grad(lambda x: x, argnums=1)(1.0), am.ArgumentError, "no argument 1"),
        (lambda: grad(lambda x: x)(), am.ArgumentError, "no argument 0"),
        (lambda: grad(lambda x, y: x, argnums=(0, -2))(1.0, 2.0), am.ArgumentError, "twice"),
        (lambda: grad(3.0), am.OperandError, "takes a function"),
        (lambda: grad(lambda x: am.exp(x))([1.0]), am.OperandError, "list"),
    ],
)
def test_bad_input(call, error, message):
    """The error says what came instead of a number."""
    with pytest.raises(error, match=message):
        call()


def test_a_leaf_written_in_between_is_noticed():
    """The second derivative of a graph whose leaf was overwritten would mix two numbers: it raises instead."""
    w = Value(2.0)

    def f(x):
        y = w * x * x
        w.data = 5.0
        return y

    with pytest.raises(am.ArgumentError, match="was written between"):
        grad(f)(3.0)
    w.data = 2.0
    assert grad(lambda x: w * x * x)(3.0).data == 12.0


def test_deep_functions():
    """A gradient through 100,000 operations, and one of second order through 10,000."""

    def f(x):
        y = x
        for _ in range(10_000):
            y = y * 0.9999 + am.sin(x) * 1e-4 if _ % 100 == 0 else y * 0.9999 + 1e-4
        return y

    assert math.isfinite(grad(f)(1.0))
    assert math.isfinite(grad(grad(f))(1.0))
