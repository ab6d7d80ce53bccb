"""`grad` and its relatives: arguments, orders, nesting, what else is in the graph, errors."""

from __future__ import annotations

import collections
import copy
import itertools
import math
import operator
import pickle

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, grad, hessian, hvp, jacobian, jvp, stop_gradient, value_and_grad, vjp
from autograd_mini.core.dual import Dual, Level
from autograd_mini.core.row import TABLE, interpreters

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
    """Numbers of a finished derivative are constants to others: no stray leaves in later graphs."""
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
        (lambda: grad(lambda x: None)(1.0), am.OperandError, "returned None"),
        (lambda: grad(lambda x: x)("1"), am.OperandError, "float"),
        (lambda: grad(lambda x: x, argnums=1)(1.0), am.ArgumentError, "no argument 1"),
        (lambda: grad(lambda x: x)(), am.ArgumentError, "no argument 0"),
        (lambda: grad(lambda x, y: x, argnums=(0, -2))(1.0, 2.0), am.ArgumentError, "twice"),
        (lambda: grad(3.0), am.OperandError, "takes a function"),
        (lambda: grad(lambda x: am.exp(x))([1.0]), am.OperandError, "list"),
    ],
)
def test_bad_input(call, error, message):
    """The error says what the function returned instead of a number."""
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


# -- jacobian, hessian, vjp, jvp, hvp ----------------------------------------------------------------------------------


def mixed(x, y):
    """Smooth, of two arguments with several numbers each, to three outputs."""
    return [am.sin(x[0] * y["a"]) + x[1], am.exp(x[1]) * y["b"][0], am.tanh(x[0] * x[1] * y["a"])]


POINT = ([0.3, -0.7], {"a": 1.1, "b": [0.4]})
X0, X1, A, B = sympy.symbols("x0 x1 a b")
FORMULAS = [sympy.sin(X0 * A) + X1, sympy.exp(X1) * B, sympy.tanh(X0 * X1 * A)]
NUMBERS = {X0: 0.3, X1: -0.7, A: 1.1, B: 0.4}


def truth(formula, *by):
    return float(sympy.diff(formula, *by).subs(NUMBERS)) if by else float(formula.subs(NUMBERS))


def test_jacobian_by_each_argument():
    """One row per output, in the structure of the argument; argnums as for grad."""
    for i, row in enumerate(jacobian(mixed)(*POINT)):
        assert row == pytest.approx([truth(FORMULAS[i], X0), truth(FORMULAS[i], X1)], rel=1e-14)
    for i, row in enumerate(jacobian(mixed, argnums=1)(*POINT)):
        assert row["a"] == pytest.approx(truth(FORMULAS[i], A), rel=1e-14)
        assert row["b"] == pytest.approx([truth(FORMULAS[i], B)], rel=1e-14)
    for both, first, second in zip(
        jacobian(mixed, argnums=(0, 1))(*POINT), jacobian(mixed)(*POINT), jacobian(mixed, -1)(*POINT), strict=True
    ):
        assert both == (first, second)


def test_hessian_by_each_argument():
    """The structure of the argument in the structure of the argument."""

    def f(x, y):
        return am.sum(mixed(x, y))

    total = sum(FORMULAS)
    found = hessian(f, argnums=(0, 1))(*POINT)
    for i, u in enumerate((X0, X1)):
        by_x, by_y = found[0][i]
        assert by_x == pytest.approx([truth(total, u, X0), truth(total, u, X1)], rel=1e-13)
        assert by_y["a"] == pytest.approx(truth(total, u, A), rel=1e-13)
        assert found[1]["b"][0][0][i] == pytest.approx(truth(total, B, u), rel=1e-13)
    assert np.array(hessian(f)(*POINT)) == pytest.approx(np.array([by_x for by_x, _ in found[0]]), rel=1e-14)
    assert hessian(lambda x: x**4)(2.0) == 48.0
    assert hessian(lambda x: x * 2.0)(3.0) == 0.0


def test_numpy_shapes():
    """An array by an array has both shapes; a list of numbers by an array is a list of arrays."""
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = jacobian(lambda x: x @ x)(x)
    assert found.shape == (2, 2, 2, 2)
    eye = np.eye(2)
    assert found == pytest.approx(np.einsum("ik,lj->ijkl", eye, x) + np.einsum("ik,lj->ijkl", x, eye))
    assert hessian(lambda x: (x**3).sum())(x).shape == (2, 2, 2, 2)
    assert [type(row) for row in jacobian(lambda x: [x[0, 0], x.sum()])(x)] == [np.ndarray] * 2
    assert jacobian(lambda p: np.array([p["w"].sum(), 1.0]))({"w": x})["w"].shape == (2, 2, 2)
    assert hvp(lambda x: (x**3).sum(), (x,), (eye,)).tolist() == [[6.0, 0.0], [0.0, 24.0]]


def test_aux():
    """Something else that f returns is passed on, with plain numbers where there are no other variables."""

    def f(x):
        y = x * x
        return y, {"y": y, "label": "seven", "count": 7}

    aux = {"y": 9.0, "label": "seven", "count": 7}
    assert grad(f, has_aux=True)(3.0) == (6.0, aux)
    assert value_and_grad(f, has_aux=True)(3.0) == ((9.0, aux), 6.0)
    assert jacobian(f, has_aux=True)(3.0) == (6.0, aux)
    assert hessian(f, has_aux=True)(3.0) == (2.0, aux)
    value, pullback, also = vjp(f, 3.0, has_aux=True)
    assert (value, pullback(1.0), also) == (9.0, (6.0,), aux)
    assert jvp(f, (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, aux)
    slope, inner = grad(lambda x: grad(f, has_aux=True)(x)[1]["y"] * 2.0)(3.0), grad(f, has_aux=True)(Value(3.0))[1]
    assert slope == 12.0
    assert type(inner["y"]) is Value
    with pytest.raises(am.ArgumentError, match="With has_aux"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_pullback_can_be_called_again():
    """One recording, any number of sweeps; cotangents may be `Value`s and dual numbers."""
    _, pullback = vjp(lambda x: [x * x, am.sin(x)], 2.0)
    assert pullback([1.0, 0.0]) == pullback([1.0, 0.0]) == (4.0,)
    w = Value(3.0)
    (slope,) = pullback([w, 1.0])
    slope.backward()
    assert w.grad == 4.0
    assert jvp(lambda c: pullback([c, 0.5 * c])[0], (1.0,), (1.0,))[1] == pytest.approx(4.0 + 0.5 * math.cos(2.0))


NESTINGS = list(itertools.product(["grad", "jvp", "vjp", "jacobian", "hvp"], repeat=3))


def nested(kind, f):
    """A derivative of f, of order 1 (2 for hvp), by one transform."""
    return {
        "grad": grad(f),
        "jvp": lambda x: jvp(f, (x,), (1.0,))[1],
        "vjp": lambda x: vjp(f, x)[1](1.0)[0],
        "jacobian": lambda x: jacobian(lambda z: [f(z[0])])([x])[0][0],
        "hvp": lambda x: hvp(f, (x,), (1.0,)),
    }[kind]


@pytest.mark.parametrize("kinds", NESTINGS, ids="-".join)
def test_nested_in_any_order(kinds):
    """Three transforms inside each other, all 125 ways, against SymPy."""

    def f(x):
        return am.exp(am.sin(x)) * am.sigmoid(x) + x**3 / (2.0 + x)

    formula = sympy.exp(sympy.sin(x_)) / (1 + sympy.exp(-x_)) + x_**3 / (2 + x_)
    for kind in kinds:
        formula = sympy.diff(formula, x_, 2 if kind == "hvp" else 1)
        f = nested(kind, f)
    assert f(0.6) == pytest.approx(float(formula.subs(x_, sympy.Rational(0.6))), rel=1e-11)


@pytest.mark.parametrize("outer", ["grad", "jvp", "vjp", "jacobian", "hvp"])
@pytest.mark.parametrize("f", [am.pow, am.atan2, am.hypot, am.xlogy, lambda x, y: x / y, am.maximum])
def test_mixed_derivatives_of_two_operands(f, outer):
    """d²f/dx dy where each operand is a plain number to the other derivative: neither is a constant."""
    x, y = 1.3, 0.7
    order = 1 if outer != "hvp" else 2
    for first, second in ((0, 1), (1, 0)):

        def inner(b, first=first):
            return grad(lambda a: f(a, b) if first == 0 else f(b, a))((x, y)[first])

        expected = grad(f, first)
        for _ in range(order):
            expected = grad(expected, second)
        assert nested(outer, inner)((x, y)[second]) == pytest.approx(expected(x, y), rel=1e-13)


@pytest.mark.parametrize("outer", ["grad", "jvp", "vjp", "jacobian", "hvp"])
@pytest.mark.parametrize("inner", ["grad", "jvp", "vjp", "jacobian", "hvp"])
def test_perturbations_are_not_confused_in_any_pair(outer, inner):
    """x is used inside of the inner derivative beside its own variable y, and again in its argument."""

    def g(x):
        return x * nested(inner, lambda y: am.sin(x * y) * y * x)(x * x)

    inner_formula = sympy.diff(sympy.sin(x_ * y_) * y_ * x_, y_, 2 if inner == "hvp" else 1)
    formula = sympy.diff(x_ * inner_formula.subs(y_, x_**2), x_, 2 if outer == "hvp" else 1)
    assert nested(outer, g)(0.9) == pytest.approx(float(formula.subs(x_, sympy.Rational(0.9))), rel=1e-12)


def test_what_an_inner_derivative_does_not_touch_stays_connected():
    """An inner result that depends on outer variables alone keeps its outer derivative, and has an inner one of 0."""
    for part, expected in ((0, (9.0, 6.0)), (1, (0.0, 0.0))):
        assert jvp(lambda x, part=part: jvp(lambda y: x * x, (1.0,), (1.0,))[part], (3.0,), (1.0,)) == expected
    for transform in (grad, lambda f: lambda x: jvp(f, (x,), (1.0,))[1], lambda f: lambda x: vjp(f, x)[1](1.0)[0]):
        assert transform(lambda x: value_and_grad(lambda y: x * x)(1.0)[0])(3.0) == 6.0
        assert transform(lambda x: vjp(lambda y: x * x, 1.0)[0])(3.0) == 6.0
        assert transform(lambda x: jvp(lambda y: x * x, (1.0,), (1.0,), has_aux=False)[0])(3.0) == 6.0


def test_forward_mode_records_nothing():
    """jvp runs f on dual numbers: no graph, and branches, loops and kinks as on floats."""
    nodes = []
    from autograd_mini.watch import observing

    def f(x):
        y = x
        while y < 100.0:
            y = y * am.maximum(x, 1.5) + am.where(y > 50.0, am.relu(x - 1.0), 0.0)
        return [y, am.dot([x, y], [y, 2.0]), am.softmax([x, y, 700.0])[2]]

    with observing(nodes.append):
        value, slope = jvp(f, (2.0,), (1.0,))
    assert not nodes
    assert value == f(2.0)
    assert slope == pytest.approx(jacobian(f)(2.0), rel=1e-14)


def test_conventions_hold_in_forward_mode():
    """A branch not taken has no edge; ties share; the same rules give the same answers at kinks."""
    for f, x in [
        (am.relu, 0.0), (am.abs, 0.0), (am.sqrt, 0.0), (am.elu, 0.0), (am.log, -1.0), (lambda x: x**x, 0.0),
        (lambda x: am.maximum(x, x), 1.0), (lambda x: am.clip(x, 0.0, 1.0), 1.0), (lambda x: 1.0 / x, 0.0),
        (lambda x: am.where(x > 0.0, am.sqrt(x), 0.0), -1.0), (lambda x: x**0, 0.0), (lambda x: am.hypot(x, 0.0), 0.0),
        (lambda x: am.sqrt(x) ** 2, 0.0),
        (lambda x: am.cross_entropy([x, 0.0], [0.0, 1.0]), 800.0), (am.floor, 2.0), (lambda x: 2.0**x % 3, 1.0),
        (lambda x: abs(x) // 2 + (-x) ** 2 - 3 / x, 1.5), (stop_gradient, 3.0),
    ]:  # fmt: skip
        forward, backward = jvp(f, (x,), (1.0,))[1], grad(f)(x)
        assert repr(forward) == repr(backward) or forward == backward, (f, x)


def test_dual_numbers_are_numbers():
    """They compare, print and refuse float() as `Value`s do; a whole program of methods and NumPy runs on them."""
    seen = []

    def f(x):
        seen.extend(
            [x > 1.0, x == 2.0, operator.gt(3, x), bool(x), f"{x:.1f}", repr(x), x.data, np.exp(np.array([x]))[0].data]
        )
        with pytest.raises(am.OperandError, match="lose the gradient"):
            math.exp(x)
        with pytest.raises(am.OperandError):
            x + "1"
        return (+x).exp().tanh() + np.sin(np.array([x]))[0]

    slope = jvp(f, (2.0,), (1.0,))[1]
    assert slope == pytest.approx(grad(lambda x: x.exp().tanh() + am.sin(x))(2.0), rel=1e-15)
    assert seen == [True, True, True, True, "2.0", "Dual(2.0, 1.0)", 2.0, math.exp(2.0)]


def test_inlined_operations_of_dual_numbers_follow_the_table():
    """Sums and products have the primal and tangent of the table's rules, to the bit, whatever the numbers."""
    numbers = [0.0, -0.0, 1.0, -0.1, 3.0, 5e-324, 1e300, math.inf, math.nan]
    level = Level()
    duals = [Dual(a, b, level) for a, b in itertools.product(numbers, repeat=2)]
    for name in ("add", "sub", "mul", "truediv"):
        operate = getattr(operator, name)
        row = TABLE[name.removeprefix("true")]
        for x, y in itertools.product(duals, [*duals, *numbers]):
            for a, b in ((x, y), (y, x)):
                assert repr(operate(a, b)) == repr(interpreters[Dual](row, (a, b)))


def test_stop_gradient():
    """Numbers, nodes, formulas and structures pass as constants, in every kind of derivative."""
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert jvp(lambda x: x * stop_gradient({"a": [x]})["a"][0], (3.0,), (1.0,))[1] == 3.0
    assert grad(grad(lambda x: x**2 * stop_gradient(x)))(3.0) == 6.0
    assert stop_gradient(3.0) == 3.0
    assert stop_gradient([np.ones(2), None])[0].tolist() == [1.0, 1.0]
    node = stop_gradient(Value(3.0))
    assert (node.op, node.partials) == ("stop_gradient", (am.ZERO,))


def test_several_outputs_through_composite():
    """A function of several results is a composite; each result has its derivatives, of every order and kind."""

    @am.composite
    def polar(x, y):
        return am.hypot(x, y), am.atan2(y, x)

    radius, angle = jacobian(lambda p: polar(*p))([3.0, 4.0])
    assert radius == pytest.approx([0.6, 0.8])
    assert angle == pytest.approx([-4 / 25, 3 / 25])
    assert jvp(polar, (3.0, 4.0), (1.0, 0.0)) == ((5.0, math.atan2(4, 3)), (pytest.approx(0.6), pytest.approx(-0.16)))
    assert polar(Value(3.0), Value(4.0))[0].scope.path == ("polar",)


def test_a_primitive_by_decorator_has_all_rights():
    """One decorated function: derivatives of every order and kind, names, errors."""

    @am.primitive(rule=lambda y, x: (-y * y * 2.0 * x,), domain=(-3.0, 3.0))
    def test_bell(x):
        """1 / (1 + x**2)."""
        return 1.0 / (1.0 + x * x)

    try:
        formula = 1 / (1 + x_**2)
        at = {x_: sympy.Rational(1, 2)}
        for kind in ("grad", "jvp", "vjp", "jacobian"):
            assert nested(kind, test_bell)(0.5) == pytest.approx(float(formula.diff(x_).subs(at)))
            assert nested(kind, grad(test_bell))(0.5) == pytest.approx(float(formula.diff(x_, 2).subs(at)))
        assert hvp(test_bell, (0.5,), (2.0,)) == pytest.approx(2 * float(formula.diff(x_, 2).subs(at)))
        assert (test_bell.__name__, test_bell.__doc__) == ("test_bell", "1 / (1 + x**2).")
        assert test_bell(Value(0.5)).op == "test_bell"
        with pytest.raises(am.ArgumentError, match="no rule"):

            @am.primitive
            def test_missing(x):
                return x

        with pytest.raises(am.ArgumentError, match="must be functions"):
            am.primitive("test_missing", abs)
        named = am.primitive("test_named", rule=lambda y, x: (1.0,))(lambda x: x)
        assert named.__name__ == "test_named"
    finally:
        for name in ("test_bell", "test_named"):
            TABLE.pop(name, None)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grad(am.softmax)([1.0, 2.0]), am.OperandError, r"one number; .* a list of 2.*(?s:.*)jacobian"),
        (lambda: hessian(lambda x: x)([1.0, 2.0]), am.OperandError, r"hessian\(\) needs .*one number"),
        (lambda: hvp(lambda x: [x], (1.0,), (1.0,)), am.OperandError, r"hvp\(\) needs .*a list of 1"),
        (lambda: value_and_grad(lambda x: np.array([x, x]))(1.0), am.OperandError, r"array of shape \(2,\)"),
        (lambda: jvp(lambda x: x, 1.0, 1.0), am.OperandError, r"jvp\(f, \(x,\), \(dx,\)\)"),
        (
            lambda: jvp(lambda x: x, (1.0,), (1.0, 2.0)),
            am.ArgumentError,
            "primals has 1 entries, but tangents is a tuple of 2",
        ),
        (lambda: hvp(lambda x: x, [1.0, 2.0], [1.0, 2.0]), am.ArgumentError, "cannot be called with the 2 arguments"),
        (lambda: vjp(lambda x: [x, x], 1.0)[1]([1.0]), am.ArgumentError, r"the result\[1\] has none"),
        (lambda: jacobian(lambda x: None)("a"), am.OperandError, r"jacobian\(\) by x .*str"),
        (lambda: jacobian(lambda x: None)(1.0), am.OperandError, "forgotten `return`"),
        (lambda: jvp(lambda x: None, (1.0,), (1.0,)), am.OperandError, "forgotten `return`"),
        (lambda: grad(lambda x: x > 2.0)(1.0), am.OperandError, "False"),
        (lambda: grad(lambda x: x)(range(3)), am.OperandError, "list, tuple, dict or NumPy array"),
        (lambda: grad(lambda x: x, argnums={0})(1.0), am.OperandError, "argnums takes the position"),
        (lambda: grad(lambda x: x, argnums="x")(1.0), am.OperandError, "argnums takes the position.*'x'"),
        (lambda: hessian(lambda x: [x])(1.0), am.OperandError, r"jacobian\(jacobian\(f\)\)"),
        (lambda: jacobian(3.0), am.OperandError, r"jacobian\(\) takes a function"),
        (lambda: jvp(3.0, (1.0,), (1.0,)), am.OperandError, r"jvp\(\) takes a function"),
    ],
)
def test_bad_input_to_the_others(call, error, message):
    """The error says what the function returned, where in the structure, and what to call instead."""
    with pytest.raises(error, match=message):
        call()


def test_methods_of_a_model_and_partials():
    """Anything callable: bound methods, functools.partial, builtins without a signature."""
    model = am.nn.MLP(2, [2, 1], activation="tanh", seed=0)
    slopes = grad(model)([0.5, -0.5])
    assert [type(slope) for slope in slopes] == [Value, Value]  # for the weights are variables too
    assert jvp(lambda x: model(x), ([0.5, -0.5],), ([1.0, 0.0],))[1].data == pytest.approx(slopes[0].data)
    assert hvp(model, ([0.5, -0.5],), ([1.0, 0.0],))[0].data == pytest.approx(
        hessian(model)([0.5, -0.5])[0][0].data, rel=1e-13
    )
    assert grad(max, argnums=1)(2.0, 3.0) == 1.0


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.relu().exp() * x,
        lambda x: x.detach().exp() * x,
        lambda x: stop_gradient(x).exp() * x,
        lambda x: am.no_grad()(lambda: x * x)().exp() * x,
        lambda x: x / am.floor(x + 1.5),
        lambda x: x + am.floor(x + 1.5) / am.floor(x + 1.5),
        lambda x: (am.floor(x) - 1.0) ** 0.5 * x,
        lambda x: (am.floor(x) - 1e300) ** 2 * x,
        lambda x: -am.floor(x) - x - (x - am.floor(x)) - (am.floor(x) - am.relu(x)),
        lambda x: am.sum([am.relu(x), am.floor(x), 3]).exp() * x,
        lambda x: x ** -am.floor(x),
        lambda x: am.hypot(am.floor(x), x.relu()) * x,
        lambda x: am.tanh(x.relu()).exp() * x,
        lambda x: am.leaky_relu(am.relu(x.relu())).exp() * x,
        lambda x: am.mean([x.relu(), 1]).exp() * x,
        lambda x: am.maximum([x.relu(), 1]).exp() * x,
        lambda x: am.logsumexp([x.relu(), 1]).exp() * x,
        lambda x: am.softmax([x.relu(), 1])[0].exp() * x,
        lambda x: am.dot([x.relu(), 1], [1, 2]).exp() * x,
        lambda x: am.cross_entropy([x.relu(), 1], 0).exp() * x,
        lambda x: am.where(x > 0.0, x, 1.0).exp() * x,
    ],
)
def test_constants_in_forward_mode_are_numbers_as_others(f):
    """What does not depend on the direction has methods and C99's answers in `jvp`, as it has in `grad`."""
    x = -1.25
    value, slope = value_and_grad(f)(x)
    curvature = hessian(f)(x)
    assert jvp(f, (x,), (1.0,)) == pytest.approx((value, slope), rel=1e-14, nan_ok=True)
    assert jvp(grad(f), (x,), (1.0,))[1] == pytest.approx(curvature, rel=1e-14, nan_ok=True)
    assert grad(lambda x: jvp(f, (x,), (1.0,))[1])(x) == pytest.approx(curvature, rel=1e-14, nan_ok=True)
    twice = jvp(lambda x: jvp(f, (x,), (1.0,))[1], (x,), (1.0,))[1]
    assert twice == pytest.approx(curvature, rel=1e-14, nan_ok=True)


def test_a_constant_in_forward_mode_is_a_float_where_one_is_asked_for():
    """`float`, `int`, `math`, `Value` and pickle take what lost its derivative on purpose, and nothing else."""

    def f(x):
        step = am.floor(x)
        leaf = Value(x.detach())
        assert (pickle.loads(pickle.dumps(step)), leaf.data) == (2.0, 2.5)
        assert copy.deepcopy([step])[0].data == 2.0
        kept.append(step)
        with pytest.raises(am.OperandError):
            float(x)
        return x * math.sqrt(step) * int(step) * float(step)

    kept = []
    assert jvp(f, (2.5,), (1.0,)) == (2.5 * 4.0 * math.sqrt(2.0), 4.0 * math.sqrt(2.0))
    assert grad(lambda x: x * kept[0])(3.0) == 2.0
    assert type(kept[0] + 1.0) is float


def test_pullbacks_of_formulas():
    """`vjp` takes formulas as arguments and as cotangents, and gives formulas."""
    value, pullback, also = vjp(lambda x, ys: ([x**3, ys[0] * x], x), x_, [y_], has_aux=True)
    assert (value, also) == ([x_**3, x_ * y_], x_)
    by_x, (by_y,) = pullback([1.0, y_])
    assert sympy.simplify(by_x - (3 * x_**2 + y_**2)) == 0
    assert by_y == x_ * y_
    assert vjp(lambda x: x * x, 2.0)[1](x_) == (4 * x_,)
    assert grad(lambda x: vjp(lambda y: y * y * x, x)[1](1.0)[0])(x_) == 4 * x_
    assert grad(lambda y: vjp(lambda x: x * x, x_)[1](y)[0])(y_) == 2 * x_
    assert grad(lambda y: hvp(lambda x: x**3, (x_,), (y,)))(y_) == 6 * x_
    assert jvp(lambda y: jvp(lambda x: x**3, (x_,), (y,))[1], (y_,), (1.0,)) == (3 * x_**2 * y_, 3 * x_**2)


def test_formulas_are_not_checked():
    """`checked()` looks at numbers; formulas pass."""
    with am.checked():
        assert grad(lambda x: x * x)(x_) == 2 * x_
        assert hessian(am.sin)(x_) == -sympy.sin(x_)
        assert vjp(am.exp, x_)[1](1.0) == (sympy.exp(x_),)


def test_checked_forwards():
    """Under `checked()` forward mode raises too, at the first result or derivative that is not finite."""
    with am.checked():
        with pytest.raises(am.NonFiniteError, match=r"(?s)^log\(-1.0\) is nan"):
            jvp(am.log, (-1.0,), (1.0,))
        with pytest.raises(am.NonFiniteError, match=r"The derivative of sqrt\(0.0\) is inf"):
            jvp(am.sqrt, (0.0,), (1.0,))
        with pytest.raises(am.NonFiniteError, match="result is inf"):
            jvp(lambda x: x * 1e300 * 1e300, (1.0,), (1.0,))
        assert jvp(am.exp, (0.0,), (1.0,)) == (1.0, 1.0)


def test_an_answer_names_the_users_line():
    """Nodes that `stop_gradient` makes come from where it was called."""
    with am.provenance():
        node = stop_gradient([Value(2.0)])[0]
    assert node.origin.expression == "stop_gradient([Value(2.0)])"


def test_deep_functions_of_every_kind():
    """10,000 operations deep, forwards and backwards; nothing recurses."""

    def f(x):
        for _ in range(10_000):
            x = x * 0.9999 + 1e-4
        return x

    expected = 0.9999**10_000
    assert jvp(f, (1.0,), (1.0,))[1] == pytest.approx(expected)
    assert jacobian(f)(1.0) == pytest.approx(expected)
    assert hvp(lambda x: f(x) ** 2, (1.0,), (1.0,)) == pytest.approx(2 * expected**2)
    assert hessian(lambda x: f(x) ** 2)(1.0) == pytest.approx(2 * expected**2)
