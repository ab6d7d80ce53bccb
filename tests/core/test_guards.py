"""Slopes behind a branch that is not known while tracing: whatever the inputs are, the answer is that of numbers.

Functions are traced over registers, and the tape is run at kinks, ties, zeros of both signs, infinities and nan.
"""

from __future__ import annotations

import math
from functools import partial

import pytest
import sympy

import autograd_mini as am
from autograd_mini.core.row import TABLE, ZERO, evaluate
from autograd_mini.core.sweep import adjoints, topological_order
from autograd_mini.core.traced import Guarded, Traced
from autograd_mini.functions.activations import ACTIVATIONS
from autograd_mini.symbolic import exact
from tests.core.registers import inputs, run

inf, nan = math.inf, math.nan
POINTS = [-2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.7, 1e-320, inf, -inf, nan]


def _row(name, x):
    return evaluate(TABLE[name], (x,))


def _row_of_list(name, xs):
    return evaluate(TABLE[name], tuple(xs))


# They have a form of their own for numbers near 0, which a tape cannot choose: only the last digits differ.
SMOOTH = ["sigmoid", "tanh", "softplus", "log_sigmoid", "gelu", "silu"]
FUNCTIONS = {
    "relu": am.relu,
    "log of relu": lambda x: am.log(am.relu(x) + 0.0),
    "1 / relu": lambda x: 1.0 / am.relu(x),
    "relu of relu": lambda x: am.relu(am.relu(x) * x - 1.0) * x,
    "two sides": lambda x: am.log(am.relu(x)) * am.relu(-x),
    "a sum of relus": lambda x: am.relu(x) + am.relu(-x) + am.relu(x - 1.0),
    "abs": abs,
    "sqrt of abs": lambda x: am.sqrt(abs(x)),
    "maximum": lambda x: am.maximum(x, 0.0),
    "minimum": lambda x: am.minimum(x, 1.0, -x),
    "a tie": lambda x: am.maximum(x, x),
    "clip": lambda x: am.clip(x, -1.0, 1.0),
    "log of clip": lambda x: am.log(am.clip(x, 0.0, 1.0)),
    "leaky_relu": am.leaky_relu,
    "elu": am.elu,
    "softsign": am.softsign,
    "huber": lambda x: am.huber(x, 0.0),
    "where": lambda x: am.where(x > 0.0, am.log(x), x * x),
    "nested where": lambda x: am.where(x > 0.0, am.sqrt(x), am.where(x < -1.0, 1.0 / (x + 1.0), 0.0)),
    "one point": lambda x: am.where(x == 0.0, 1.0, am.sin(x) / x),
    "joined": lambda x: am.where((x > 0.0) & (x < 1.0), am.sqrt(x * (1.0 - x)), -0.0),
    "remainder": lambda x: x % 2.0,
    "a negative zero": lambda x: am.where(x > 0.0, x * x, 1.0) + x * -0.0,
    "a step": lambda x: am.floor(x) * x,
    "hinge": lambda x: am.hinge(x, 1),
    **{name: f for name, f in ACTIVATIONS.items() if name not in SMOOTH},
    **{f"of one: {name}": partial(_row, name) for name, row in TABLE.items() if row.arity == 1 and name != "flat"},
    "x**x": lambda x: am.pow(x, x),
    "x**0": lambda x: am.pow(x, 0.0),
    "x**0.5": lambda x: am.pow(x, 0.5),
    "x**0.01": lambda x: am.pow(x, 0.01),
    "x**3": lambda x: am.pow(x, 3.0),
    "x**-1": lambda x: am.pow(x, -1.0),
    "0**x": lambda x: am.pow(0.0, x),
    "(-0.5)**x": lambda x: am.pow(-0.5, x),
    "xlogy of one": lambda x: am.xlogy(x, x),
    "length of one": lambda x: am.hypot(x),
    "log of a length": lambda x: am.log(am.hypot(x, x)),
    "angle of one": lambda x: am.atan2(x, x),
    "logaddexp of one": lambda x: am.logaddexp(x, x),
}
TWO = {
    **{name: partial(_row_of_list, name) for name in ("pow", "xlogy", "atan2", "maximum", "minimum")},
    "hypot": lambda xs: am.hypot(*xs),
    "norm of three": lambda xs: am.norm([*xs, xs[0]]),
    "log of hypot": lambda xs: am.log(am.hypot(*xs)),
    "logsumexp": am.logsumexp,
    "power in a sum": lambda xs: xs[0] ** xs[1] + xs[1] * am.relu(xs[0]),
}


def agree(a, b):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return math.isclose(a, b, rel_tol=1e-13) and math.copysign(1.0, a) == math.copysign(1.0, b)


def leaves(tree):
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, list) else [tree]


def number(x):
    return float(getattr(x, "data", x))


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_numbers(name, order):
    """The value and three derivatives are those of eager mode, to the sign of a zero; and nothing gives 0 * inf."""
    f = FUNCTIONS[name]
    for _ in range(order):
        f = am.grad(f)
    (x,) = inputs(1)
    traced = f(x)
    for point in POINTS:
        eager = number(f(am.Value(point)))
        (found,) = run([traced], {x: point})
        assert agree(found, eager), f"{name} at {point}: {found} traced, {eager} eager"


@pytest.mark.parametrize("transform", [lambda f: f, am.grad, am.hessian], ids=["value", "gradient", "hessian"])
@pytest.mark.parametrize("name", TWO)
def test_special_points_of_two(name, transform):
    """The origin, infinities and nan, where rules have another form: on a tape they find it when it runs."""
    f, (x, y) = transform(TWO[name]), inputs(2)
    traced = leaves(f([x, y]))
    for a in POINTS:
        for b in POINTS:
            for here, there in zip(run(traced, {x: a, y: b}), leaves(f([am.Value(a), am.Value(b)])), strict=True):
                assert agree(here, number(there)), f"{name} at {a}, {b}: {here} traced, {there} eager"


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions(name):
    """Far out, where a factor is 0 and the other one infinite, they agree; elsewhere to a few units of the result."""
    f = ACTIVATIONS[name]
    for _ in range(3):
        (x,) = inputs(1)
        traced = f(x)
        for point in POINTS:
            found, eager = run([traced], {x: point})[0], number(f(am.Value(point)))
            assert agree(found, eager) or abs(found - eager) < 1e-15, f"{point}: {found} traced, {eager} eager"
        f = am.grad(f)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_forward_mode(name, order):
    """Guards hold in forward mode too, alone and inside of another derivative."""
    f = FUNCTIONS[name]
    for _ in range(order):
        f = (lambda g: lambda z: am.jvp(g, (z,), (1.0,))[1])(f)
    (x,) = inputs(1)
    traced = f(x)
    for point in POINTS:
        assert agree(run([traced], {x: point})[0], number(f(am.Value(point)))), f"{name} at {point}"


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: am.maximum(x, y) * am.relu(x - y),
        lambda x, y: am.log(am.relu(x) + am.relu(y)),
        lambda x, y: am.clip(x, y, 1.0) / am.relu(y),
        lambda x, y: am.where(x < y, am.sqrt(y - x), am.where(x == y, x * y, am.log(x - y))),
        lambda x, y: am.cross_entropy([am.relu(x), y, 0.5], 0),
    ],
    ids=["maximum", "log", "clip", "where", "loss"],
)
@pytest.mark.parametrize("transform", [am.grad, am.hessian, am.jacobian], ids=["grad", "hessian", "jacobian"])
def test_two_inputs(f, transform):
    """Gradients, Jacobians and Hessians of two numbers, at all pairs of finite points."""
    x, y = inputs(2)

    def of_list(p):
        return [f(*p)] if transform is am.jacobian else f(*p)

    traced = leaves(transform(of_list)([x, y]))
    for a in POINTS[:9]:
        for b in POINTS[:9]:
            found = run(traced, {x: a, y: b})
            for here, there in zip(found, leaves(transform(of_list)([a, b])), strict=True):
                assert agree(here, number(there)) or abs(here - number(there)) < 1e-15, (a, b, here, there)


@pytest.mark.parametrize("f", [lambda x: am.hypot(x, 0.0), lambda x: am.exp(am.norm([x, x, x]))], ids=["hypot", "norm"])
def test_the_tip_of_a_cone(f):
    """Second derivatives do not exist there: nan, as in eager mode, and not 0."""
    (x,) = inputs(1)
    second = am.grad(am.grad(f))
    assert math.isnan(second(0.0))
    assert math.isnan(run([second(x)], {x: 0.0})[0])


def test_in_formulas():
    """One answer: behind a branch that is not taken, a formula has 0 where a product would be undefined."""
    slope = am.symbolic.formula(lambda x: am.log(am.relu(x) + 0.0), "x").gradient
    (x,) = slope.free_symbols
    assert (slope.subs(x, -1), slope.subs(x, 2)) == (0, sympy.Rational(1, 2))
    assert am.grad(lambda x: am.log(am.relu(x) + 0.0))(-1.0) == 0.0
    root = am.log(am.relu(Traced(x)) + 0.0)
    found = adjoints(root, sympy.Integer(1), lambda node: [exact(p) if type(p) is float else p for p in node.partials])
    assert not any(type(adjoint) is Guarded for adjoint in found.values())


def test_the_arms_of_one_condition_are_a_whole():
    """A slope that comes from both arms of a `where` no longer needs a guard."""
    (x,) = inputs(1)
    y = am.where(x > 0.0, 2.0 * x, 3.0 * x)
    assert [type(partial) for partial in y.partials[1:]] == [Guarded, Guarded]
    assert y.partials[0] is ZERO
    slope = am.grad(lambda x: am.where(x > 0.0, 2.0 * x, 3.0 * x))(x)
    assert slope.op == "where"
    assert run([slope], {x: -1.0}) == [3.0]


def test_a_sum_of_guards_stays_small():
    """A parameter that many branches share has a gradient that grows with their number, not faster."""

    def nodes(n):
        w, *xs = inputs(n + 1)
        slope = am.grad(lambda w: am.sum([am.relu(w * x) for x in xs]))(w)
        return len(topological_order(slope, everything=True))

    assert nodes(40) < 2.2 * nodes(20) < 2.2 * 20 * 25


def test_the_tip_of_a_cone_of_ones_own():
    """A primitive of the user says where its tip is; a tape asks when it runs."""
    cone = am.primitive(
        "cone_on_a_tape",
        math.hypot,
        lambda h, x, y: (x / h, y / h),
        domain=((1.0, 2.0), (1.0, 2.0)),
        kink=lambda h, x, y: h == 0.0,
        curvature=nan,
    )
    x, y = inputs(2)
    for transform in (am.grad, am.hessian):
        slopes = leaves(transform(lambda p: cone(*p))([x, y]))
        for point in ((0.0, 0.0), (3.0, 4.0)):
            eager = leaves(transform(lambda p: cone(*p))([*point]))
            found = run(slopes, dict(zip((x, y), point, strict=True)))
            assert all(map(agree, found, map(number, eager)))
    del TABLE["cone_on_a_tape"]
