"""The conventions C1 to C9, each a sentence that a user can remember, up to third derivatives at every kink and switch.

Reverse mode, forward mode and `backward()` must give the same answer: a convention is not a matter of the mode.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

import autograd_mini as am
from autograd_mini import Value, functions, grad, jvp
from autograd_mini.core.row import TABLE
from tests.oracles import MEANING, X, derivative, exactly, ulps

inf, nan = math.inf, math.nan


def derivatives(f, x, order=3):
    """The value and the derivatives of a function of one number, by nested grad."""
    found = [f(x)]
    for _ in range(order):
        f = grad(f)
        found.append(f(x))
    return found


def forwards(f, x, order=3):
    """The same by nested jvp."""
    found = [f(x)]
    for _ in range(order):
        f = (lambda g: lambda z: jvp(g, (z,), (1.0,))[1])(f)
        found.append(f(x))
    return found


def agree(got, expected):
    return all(
        (math.isnan(a) and math.isnan(b)) or a == b or a == pytest.approx(b, rel=1e-14)
        for a, b in zip(got, expected, strict=True)
    )


# -- C1: IEEE values, always -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "value"),
    [
        (lambda x: 1.0 / x, 0.0, inf),
        (lambda x: 1.0 / x, -0.0, -inf),
        (lambda x: x / x, 0.0, nan),
        (am.exp, 710.0, inf),
        (am.log, -1.0, nan),
        (am.log, 0.0, -inf),
        (am.sqrt, -1.0, nan),
        (lambda x: x ** (1 / 3), -8.0, nan),
        (lambda x: 0.0**x, -1.0, inf),
        (lambda x: x % 0.0, 1.0, nan),
        (lambda x: x // 0.0, -1.0, -inf),
        (lambda x: x * x, 1e300, inf),
        (am.cosh, -1000.0, inf),
        (lambda x: am.fmod(x, 0.0), 1.0, nan),
    ],
)
def test_c1_nothing_raises_and_nothing_turns_complex(f, x, value):
    """The results of C, of NumPy and of compiled code, for numbers, `Value`s and dual numbers alike."""
    for got in (f(Value(x)).data, jvp(f, (x,), (1.0,))[0], am.value_and_grad(f)(x)[0]):
        assert got == value or (math.isnan(got) and math.isnan(value))
    f(Value(x)).backward()
    derivatives(f, Value(x))


def test_c1_checked_raises_instead():
    """At the first result or contribution that is not finite, with the numbers and the user's expression."""
    x = Value(0.0)
    with am.checked():
        with pytest.raises(am.NonFiniteError, match=r"(?s)div\(1.0, 0.0\) is inf.*1.0 / x"):
            1.0 / x
        y = am.sqrt(x)
        with pytest.raises(am.NonFiniteError, match=r"(?s)adjoint 1.0 times local derivative inf.*am.sqrt\(x\)"):
            y.backward()
    assert x.grad == 0.0


# -- C2: a branch not taken has no edge --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (lambda x: am.where(x > 0.0, am.sqrt(x), 0.0), -1.0, 0.0),
        (lambda x: am.where(x > 0.0, am.log(x), x), 0.0, 1.0),
        (lambda x: am.relu(am.log(x)), 0.0, 0.0),
        (lambda x: abs(am.sqrt(x)), 0.0, 0.0),
        (lambda x: am.maximum(1.0, am.sqrt(x)), 0.0, 0.0),
        (lambda x: am.minimum(-1.0, am.cbrt(x)), 0.0, 0.0),
        (lambda x: am.clip(am.log(x), -1.0, 1.0), 0.0, 0.0),
        (lambda x: am.cross_entropy([am.log(x), 1.0], [0.0, 0.0]), 0.0, 0.0),
        (lambda x: am.floor(am.sqrt(x)), 0.0, 0.0),
        (lambda x: am.xlogy(0.0, x), 0.0, 0.0),
    ],
)
def test_c2_structural_zeros(f, x, slope):
    """0 * inf is never formed: what was not taken has no derivative of any order."""
    for found in (derivatives(f, x), forwards(f, x)):
        assert found[1:] == [slope, 0.0, 0.0]


@pytest.mark.parametrize("f", [lambda x: am.sqrt(x) ** 2, lambda x: am.sqrt(x * x), lambda x: 0.0 * am.log(x)])
def test_c2_a_zero_by_value_multiplies_normally(f):
    """0 * inf is nan where both factors are there: an honest answer, and not a silent 0."""
    assert math.isnan(derivatives(f, 0.0, 1)[1])
    assert math.isnan(forwards(f, 0.0, 1)[1])


def test_c2_zero_adjoints_are_not_skipped():
    """An adjoint that happens to be 0 has a derivative: d²(x y)/dx dy = 1 at x = y = 0."""
    assert grad(grad(lambda x, y: x * y, 0), 1)(0.0, 0.0) == 1.0
    assert am.hessian(lambda v: v[0] * v[1] * v[2])([0.0, 0.0, 5.0])[0][1] == 5.0


# -- C3: kinks ---------------------------------------------------------------------------------------------------------

KINKS = {  # the function of one number, where, and its first three derivatives there
    "abs": (am.abs, 0.0, [0.0, 0.0, 0.0]),
    "abs at -0.0": (am.abs, -0.0, [0.0, 0.0, 0.0]),
    "relu": (am.relu, 0.0, [0.0, 0.0, 0.0]),
    "relu at -0.0": (am.relu, -0.0, [0.0, 0.0, 0.0]),
    "relu squared": (lambda x: am.relu(x) ** 2, 0.0, [0.0, 0.0, 0.0]),
    "leaky_relu": (am.leaky_relu, 0.0, [0.01, 0.0, 0.0]),
    "elu": (am.elu, 0.0, [1.0, 1.0, 1.0]),
    "elu, alpha 2": (lambda x: am.elu(x, 2.0), 0.0, [2.0, 2.0, 2.0]),
    "hard_tanh": (am.hard_tanh, 1.0, [0.0, 0.0, 0.0]),
    "hard_tanh at -1": (am.hard_tanh, -1.0, [0.0, 0.0, 0.0]),
    "clip, low": (lambda x: am.clip(x * x, 0.0, 1.0), 0.0, [0.0, 0.0, 0.0]),
    "clip, high": (lambda x: am.clip(x * x, 0.0, 4.0), 2.0, [0.0, 0.0, 0.0]),
    "maximum, tie of two": (lambda x: am.maximum(x * x, x), 1.0, [1.5, 1.0, 0.0]),
    "maximum, tie of three": (lambda x: am.maximum(x, 2.0 * x, x**3), 0.0, [1.0, 0.0, 2.0]),
    "minimum, tie": (lambda x: am.minimum(x, -x), 0.0, [0.0, 0.0, 0.0]),
    "maximum of equal operands": (lambda x: am.maximum(x, x), 3.0, [1.0, 0.0, 0.0]),
    "hypot": (lambda x: am.hypot(x, 0.0), 0.0, [0.0, nan, nan]),
    "hypot of one": (lambda x: am.hypot(x), 0.0, [0.0, nan, nan]),
    "hypot of three": (lambda x: am.hypot(x, x, 2.0 * x), 0.0, [0.0, nan, nan]),
    "hypot of a root": (lambda x: am.hypot(am.sqrt(x), 0.0), 0.0, [0.0, nan, nan]),
    "hypot of two roots": (lambda x: am.hypot(am.sqrt(x), am.cbrt(x)), 0.0, [0.0, nan, nan]),
    "hypot beside its tip": (lambda x: am.hypot(1.0, x), 0.0, [0.0, 1.0, 0.0]),
    "norm": (lambda x: am.norm([x, x]), 0.0, [0.0, nan, nan]),
    "norm squared": (lambda x: am.norm([x, x]) ** 2, 0.0, [0.0, nan, nan]),
    "root of norm": (lambda x: am.sqrt(am.norm([x, x])), 0.0, [0.0, nan, nan]),
    "norm of norm": (lambda x: am.norm([am.norm([x]), 1.0 - am.cos(x)]), 0.0, [0.0, nan, nan]),
    "norm that nobody takes": (lambda x: am.where(x > 0.0, am.norm([x]), x * x), 0.0, [0.0, 2.0, 0.0]),
    "abs squared": (lambda x: abs(x) ** 2, 0.0, [0.0, 0.0, 0.0]),
    "sign": (am.sign, 0.0, [0.0, 0.0, 0.0]),
    "floor": (am.floor, 2.0, [0.0, 0.0, 0.0]),
    "remainder": (lambda x: x % 2.0, 4.0, [1.0, 0.0, 0.0]),
    "floor division": (lambda x: x // 2.0, 4.0, [0.0, 0.0, 0.0]),
    "hinge": (lambda x: am.hinge(x, 1), 1.0, [0.0, 0.0, 0.0]),
    "mae": (lambda x: am.mae(x, 0.0), 0.0, [0.0, 0.0, 0.0]),
    "huber at its switch": (lambda x: am.huber(x, 0.0), 1.0, [1.0, 1.0, 0.0]),
    "where": (lambda x: am.where(x > 0.0, x * x, -x), 0.0, [-1.0, 0.0, 0.0]),
    # One-sided: the defined side.
    "sqrt": (am.sqrt, 0.0, [inf, -inf, inf]),
    "sqrt at -0.0": (am.sqrt, -0.0, [inf, -inf, inf]),
    "log": (am.log, 0.0, [inf, -inf, inf]),
    "log at -0.0": (am.log, -0.0, [inf, -inf, inf]),
    "log2": (am.log2, 0.0, [inf, -inf, inf]),
    "log10": (am.log10, 0.0, [inf, -inf, inf]),
    "log1p": (am.log1p, -1.0, [inf, -inf, inf]),
    "asin": (am.asin, 1.0, [inf, inf, inf]),
    "asin at -1": (am.asin, -1.0, [inf, -inf, inf]),
    "acos": (am.acos, 1.0, [-inf, -inf, -inf]),
    "acos at -1": (am.acos, -1.0, [-inf, inf, -inf]),
    "acosh": (am.acosh, 1.0, [inf, -inf, inf]),
    "atanh": (am.atanh, 1.0, [inf, inf, inf]),
    "atanh at -1": (am.atanh, -1.0, [inf, -inf, inf]),
    "x ** 0.5": (lambda x: x**0.5, 0.0, [inf, -inf, inf]),
    "x ** 1.5": (lambda x: x**1.5, 0.0, [0.0, inf, -inf]),
    "x ** 2.5": (lambda x: x**2.5, 0.0, [0.0, 0.0, inf]),
    "cbrt from the right": (am.cbrt, 0.0, [inf, -inf, inf]),
    "cbrt from the left": (am.cbrt, -0.0, [inf, inf, inf]),
    "xlogy": (lambda x: am.xlogy(x, x), 0.0, [-inf, inf, -inf]),
    "xlogy at x = 0 < y": (lambda x: am.xlogy(x, 2.0 + x), 0.0, [math.log(2.0), 1.0, -0.75]),
    # Outside the domain: nan, whatever the order.
    "sqrt outside": (am.sqrt, -1.0, [nan, nan, nan]),
    "log outside": (am.log, -1.0, [nan, nan, nan]),
    "log2 outside": (am.log2, -1.0, [nan, nan, nan]),
    "log10 outside": (am.log10, -1.0, [nan, nan, nan]),
    "log1p outside": (am.log1p, -2.0, [nan, nan, nan]),
    "asin outside": (am.asin, 2.0, [nan, nan, nan]),
    "acos outside": (am.acos, -2.0, [nan, nan, nan]),
    "acosh outside": (am.acosh, 0.5, [nan, nan, nan]),
    "acosh far outside": (am.acosh, -2.0, [nan, nan, nan]),
    "atanh outside": (am.atanh, 2.0, [nan, nan, nan]),
    "xlogy outside": (lambda y: am.xlogy(2.0, y), -1.0, [nan, nan, nan]),
    "pow outside": (lambda x: x**0.5, -1.0, [nan, nan, nan]),
}


@pytest.mark.parametrize("name", KINKS)
def test_c3_kinks(name):
    """The minimum-norm subgradient; the defined side; nan outside: first, second and third derivative, both modes."""
    f, x, expected = KINKS[name]
    assert agree(derivatives(f, x)[1:], expected), derivatives(f, x)
    assert agree(forwards(f, x)[1:], expected), forwards(f, x)
    leaf = Value(x)
    f(leaf).backward()
    assert agree([leaf.grad], expected[:1])


def test_c3_several_operands():
    """Ties share evenly, the zero vector has slope (0, 0), the angle at the origin has none."""
    assert grad(am.maximum, (0, 1, 2))(2.0, 2.0, 1.0) == (0.5, 0.5, 0.0)
    assert grad(am.minimum, (0, 1, 2))(2.0, 2.0, 2.0) == (1 / 3,) * 3
    assert grad(am.hypot, (0, 1))(0.0, 0.0) == (0.0, 0.0)
    assert all(map(math.isnan, grad(am.atan2, (0, 1))(0.0, 0.0)))


SECOND = {  # every way to the second derivatives of a function of two numbers, as a list of four
    "hessian": lambda f, x, y: flat(am.hessian(lambda v: f(*v))([x, y])),
    "hessian by argnums": lambda f, x, y: flat(am.hessian(f, (0, 1))(x, y)),
    "sparse hessian": lambda f, x, y: am.hessian(lambda v: f(*v), sparse=True)([x, y]).toarray().ravel().tolist(),
    "jacobian of grad": lambda f, x, y: flat(am.jacobian(grad(lambda v: f(*v)))([x, y])),
    "jacobian of jacobian": lambda f, x, y: flat(am.jacobian(am.jacobian(lambda v: f(*v)))([x, y])),
    "grad of grad": lambda f, x, y: [grad(grad(f, i), j)(x, y) for i in (0, 1) for j in (0, 1)],
    "jvp of grad": lambda f, x, y: [along(grad(f, i), j)(x, y) for i in (0, 1) for j in (0, 1)],
    "grad of jvp": lambda f, x, y: [grad(along(f, i), j)(x, y) for i in (0, 1) for j in (0, 1)],
    "jvp of jvp": lambda f, x, y: [along(along(f, i), j)(x, y) for i in (0, 1) for j in (0, 1)],
    "grad of a Value": lambda f, x, y: [swept(grad(f, i), j, (x, y)) for i in (0, 1) for j in (0, 1)],
}


def flat(matrix):
    return list(itertools.chain.from_iterable(matrix))


def along(f, i):
    """The derivative by one argument in forward mode; the others are constants."""
    return lambda *xs: jvp(lambda x: f(*xs[:i], x, *xs[i + 1 :]), (xs[i],), (1.0,))[1]


def swept(slope, j, xs):
    """`backward()` through a gradient."""
    leaves = [Value(x) for x in xs]
    result = slope(*leaves)
    if isinstance(result, Value):
        result.backward()
    return leaves[j].grad


CORNERS = {  # where there are second derivatives in question: the function, the point, d²/dx², d²/dxdy, d²/dy²
    "norm at its tip": (am.hypot, (0.0, 0.0), (nan, nan, nan)),
    "norm squared": (lambda x, y: am.norm([x, y]) ** 2, (0.0, 0.0), (nan, nan, nan)),
    "norm to a point": (lambda x, y: 0.5 * am.norm([x - 1.0, y - 2.0]) ** 2, (1.0, 2.0), (nan, nan, nan)),
    "root of norm": (lambda x, y: am.sqrt(am.norm([x, y])), (0.0, -0.0), (nan, nan, nan)),
    "norm of one of them": (lambda x, y: am.norm([x]) * y, (0.0, 3.0), (nan, 0.0, 0.0)),
    "beside the tip": (am.hypot, (0.0, 2.0), (0.5, 0.0, 0.0)),
    "abs": (lambda x, y: abs(x) * abs(x) + y * y, (0.0, 0.0), (0.0, 0.0, 2.0)),
    "angle of the origin": (am.atan2, (0.0, 0.0), (nan, nan, nan)),
    "angle far away": (am.atan2, (1.0, inf), (0.0, 0.0, 0.0)),
    "xlogy outside": (am.xlogy, (1.0, -1.0), (nan, nan, nan)),
    "xlogy of 0 outside": (am.xlogy, (0.0, -1.0), (nan, nan, nan)),
    "xlogy at 0": (am.xlogy, (0.0, 0.0), (0.0, inf, 0.0)),
    "fmod outside": (am.fmod, (1.0, 0.0), (nan, nan, nan)),
    "remainder outside": (lambda x, y: x % y, (1.0, 0.0), (nan, nan, nan)),
    "maximum of nan": (am.maximum, (nan, 1.0), (nan, nan, nan)),
}


@pytest.mark.parametrize("way", SECOND)
@pytest.mark.parametrize("corner", CORNERS)
def test_c3_second_derivatives_do_not_depend_on_the_way(corner, way):
    """nan at the tip of a cone and outside of a domain, whichever transforms are nested in whichever order."""
    f, point, (xx, xy, yy) = CORNERS[corner]
    found = SECOND[way](f, *point)
    assert agree(found, [xx, xy, xy, yy]), found


@pytest.mark.parametrize("point", [(0.0, 0.0), (-0.0, 0.0)])
def test_c3_the_first_derivative_at_a_tip_is_0_whatever_it_is_part_of(point):
    """As if there were no edge: 0 * inf is never formed, neither beside a second derivative nor with others nested."""

    def root(v):
        return am.sqrt(am.norm(v))

    def both(v):
        return am.value_and_grad(root)(v)

    leaves = [Value(x) for x in point]
    root(leaves).backward()
    zeros = [0.0, 0.0]
    assert grad(root)(list(point)) == zeros == [leaf.grad for leaf in leaves]
    assert jvp(root, (list(point),), (zeros,)) == (0.0, 0.0)
    assert grad(lambda v: root([am.sqrt(v[0]), am.cbrt(v[1])]))(list(point)) == zeros
    value, slopes = jvp(grad(root), (list(point),), ([1.0, 0.0],))
    assert value == zeros
    assert all(map(math.isnan, slopes))
    assert [v.data for v in both(leaves)[1]] == zeros
    assert grad(lambda u: both([u * point[0], u * point[1]])[0])(2.0) == 0.0
    assert grad(lambda u: am.sum(grad(lambda v: u * root(v))(list(point))))(2.0) == 0.0
    assert am.jacobian(lambda v: [root(v), v[0]])(list(point)) == [zeros, [1.0, 0.0]]
    assert am.vjp(root, list(point))[1](2.0) == (zeros,)
    assert [type(slope) for slope in grad(am.norm)(list(point))] == [float, float]
    assert type(leaves[0].grad) is float


def test_c3_checked_raises_at_a_kink_under_a_second_derivative():
    """0 is a convention there, and the cone has none at all; first derivatives do not raise, nor do steps."""
    kinks = {
        "abs": abs, "maximum": lambda x: am.maximum(x, -x), "minimum": lambda x: am.minimum(x, 2.0 * x),
        "clip": lambda x: am.clip(x, 0.0, 1.0), "relu": am.relu, "leaky_relu": am.leaky_relu, "selu": am.selu,
        "elu": lambda x: am.elu(x, 2.0), "hard_tanh": lambda x: am.hard_tanh(1.0 + x),
        "norm": lambda x: am.norm([x, x]), "hinge": lambda x: am.hinge(x + 1.0, 1),
        "mae": lambda x: am.mae(3.0 * x, 0.0),
    }  # fmt: skip
    smooth = {
        "floor": am.floor, "sign": am.sign, "elu": am.elu, "leaky_relu": lambda x: am.leaky_relu(x, 1.0),
        "softsign": am.softsign, "where": lambda x: am.where(x > 0.0, x, 2.0 * x),
        "relu beside": lambda x: am.relu(x + 1.0),
    }  # fmt: skip
    ways = {
        "grad of grad": lambda f: grad(grad(f))(0.0), "jvp of grad": lambda f: along(grad(f), 0)(0.0),
        "grad of jvp": lambda f: grad(along(f, 0))(0.0), "jvp of jvp": lambda f: along(along(f, 0), 0)(0.0),
        "hessian": lambda f: am.hessian(lambda v: f(v[0]))([0.0, 1.0]), "hvp": lambda f: am.hvp(f, (0.0,), (1.0,)),
    }  # fmt: skip
    for name, f in {**kinks, **smooth}.items():

        def square(x, f=f):
            return f(1.0 * x) ** 2 + x

        with am.checked():
            first = grad(square)(0.0)
            assert first == grad(square)(Value(0.0)) == jvp(square, (0.0,), (1.0,))[1], name
            assert grad(lambda u: u * grad(square)(0.0))(1.0) == first, name  # not through it
            leaf = Value(0.0)
            square(leaf).backward()
            assert leaf.grad == first
        for way, second in ways.items():
            with am.checked():
                if f in kinks.values():
                    with pytest.raises(
                        am.NonFiniteError, match=r"(?s)second derivative was taken at a kink.*test_conv"
                    ):
                        second(square)
                else:
                    second(square)
            assert f is kinks["norm"] or np.all(np.isfinite(second(square))), (name, way)


def test_c3_the_error_at_a_kink_names_the_operand():
    """Its place in the user's program, where that was recorded."""
    for second in (
        lambda: grad(grad(lambda x: abs(x - 3.0) ** 2))(3.0),
        lambda: am.hessian(lambda v: abs(v[0] - 3.0) ** 2)([3.0]),
    ):
        with (
            am.checked(),
            pytest.raises(am.NonFiniteError, match=r"(?s)at 0.0, .*Look at .*test_conventions.py.*which is 0.0"),
        ):
            second()


# -- C4: accurate in the tails, closed under differentiation -----------------------------------------------------------

SWITCHES = {  # compositions of two analytically equal forms: what they mean, and where they switch
    "sigmoid": ("1 / (1 + exp(-x))", (1.0, -1.0)),
    "tanh": ("tanh(x)", (0.5, -0.5)),
    "softplus": ("log(1 + exp(x))", (0.7, -0.7)),
    "log_sigmoid": ("-log(1 + exp(-x))", (0.7, -0.7)),
    "silu": ("x / (1 + exp(-x))", (-700.0, 1.0, -1.0)),
    "gelu": ("x * erfc(-x / sqrt(2)) / 2", (-37.0,)),
}


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("name", SWITCHES)
def test_c4_the_switch_cannot_be_seen(name, order):
    """At the switch of a composition and on both sides of it every derivative is right, against mpmath."""
    text, switches = SWITCHES[name]
    meaning = sympy.sympify(text, locals={"x": X})
    f = getattr(am, name)
    beside = [float(np.nextafter(switch, to)) for switch in switches for to in (inf, -inf)]
    for x in (*switches, *beside, 0.0, -0.0, 5e-324, -5e-324, 1e-300, -1e-300, 2.0**-20, -(2.0**-20), 0.25, -0.25):
        exact = exactly(derivative(meaning, (0,) * order), x)
        for found in (derivatives(f, x, order)[order], forwards(f, x, order)[order]):
            assert ulps(found, exact) <= 4.0 * (order + 1), x


@pytest.mark.parametrize("name", SWITCHES)
def test_c4_derivatives_that_change_sign_at_0_keep_their_digits(name):
    """The second of tanh and sigmoid, the third of softplus and the like, at any distance from their zero."""
    meaning = sympy.sympify(SWITCHES[name][0], locals={"x": X})
    f = getattr(am, name)
    for order in (2, 3):
        for size in (3e-1, 1e-1, 1e-3, 1e-5, 1e-8, 1e-12, 1e-20, 1e-160, 1e-300):
            for x in (size, -size):
                exact = exactly(derivative(meaning, (0,) * order), x)
                for found in (derivatives(f, x, order)[order], forwards(f, x, order)[order]):
                    assert ulps(found, exact) <= 16.0, (order, x)


@pytest.mark.parametrize("gap", [3e-1, 1e-4, 1e-9, 1e-20, -1e-5])
def test_c4_two_logits_near_a_tie(gap):
    """Second derivatives of softmax, and third ones of logsumexp, change sign there and keep their digits."""
    for f, meaning, order in (
        (lambda x: am.softmax([x, 0.0])[0], "1 / (1 + exp(-x))", 2),
        (lambda x: am.softmax([0.0, x])[0], "1 / (1 + exp(x))", 2),
        (lambda x: am.logsumexp([x, 0.0]), "log(1 + exp(x))", 3),
        (lambda x: am.logaddexp(0.0, x), "log(1 + exp(x))", 3),
        (lambda x: am.log_softmax([x, 0.0])[1], "-log(1 + exp(x))", 3),
        (lambda x: am.cross_entropy([x, 0.0], 0), "log(1 + exp(-x))", 3),
        (lambda x: am.binary_cross_entropy(x, 1.0), "log(1 + exp(-x))", 3),
    ):
        exact = exactly(derivative(sympy.sympify(meaning, locals={"x": X}), (0,) * order), gap)
        for found in (derivatives(f, gap, order)[order], forwards(f, gap, order)[order]):
            assert ulps(found, exact) <= 16.0, (meaning, gap)


NAN_STAYS = {
    name: getattr(am, name)
    for name in (
        *functions.ACTIVATIONS,
        *(row.name for row in TABLE.values() if row.is_public and row.arity == 1 and not (row.is_users or row.is_step)),
    )
} | {
    "softmax": lambda x: am.softmax([x, 1.0])[1], "softmax of three": lambda x: am.softmax([1.0, x, 0.2])[2],
    "log_softmax": lambda x: am.log_softmax([1.0, x])[0], "logsumexp": lambda x: am.logsumexp([x, 2.0, 1.0]),
    "logaddexp": lambda x: am.logaddexp(1.0, x), "cross_entropy": lambda x: am.cross_entropy([x, 1.0], 1),
    "binary_cross_entropy": lambda x: am.binary_cross_entropy(x, 0.3), "mae": lambda x: am.mae(x, 1.0),
    "huber": lambda x: am.huber(x, 1.0), "hinge": lambda x: am.hinge(x, 1), "norm": lambda x: am.norm([x, 1.0]),
    "norm of one": lambda x: am.norm([x]), "maximum": lambda x: am.maximum(1.0, x),
    "minimum": lambda x: am.minimum(x, 1.0),
    "clip": lambda x: am.clip(x, 0.0, 1.0), "atan2": lambda x: am.atan2(1.0, x), "pow": lambda x: x**2.5,
    "power": lambda x: 2.0**x, "remainder": lambda x: x % 2.0, "fmod": lambda x: am.fmod(2.0, x),
}  # fmt: skip


@pytest.mark.parametrize("name", NAN_STAYS)
def test_c1_nan_stays_nan_on_the_way_back(name):
    """The value and the derivatives of every order are nan, for all that is not a straight line or a step."""
    f = NAN_STAYS[name]
    for found in (derivatives(f, nan), forwards(f, nan)):
        assert all(map(math.isnan, found)), found
    leaf = Value(nan)
    f(leaf).backward()
    assert math.isnan(leaf.grad)


def test_c1_nan_of_straight_lines_and_steps():
    """A slope that does not depend on x is what it is at nan too; x**0 is 1."""
    for f, slope in (
        (lambda x: 2.0 * x, 2.0), (lambda x: am.sum([x, 1.0]), 1.0), (lambda x: am.mean([x, 1.0]), 0.5),
        (am.floor, 0.0), (am.sign, 0.0), (lambda x: am.where(x > 0.0, x, 3.0 * x), 3.0), (lambda x: x**0, 0.0),
        (lambda x: am.xlogy(x, math.e), 1.0),
    ):  # fmt: skip
        assert derivatives(f, nan)[1:] == [slope, 0.0, 0.0] == forwards(f, nan)[1:]


def test_c4_softsign_at_its_switches():
    """x / (1 + |x|) is written in three pieces, and has one derivative of each order at ±1."""
    for x in (-1.0, 1.0, np.nextafter(1.0, 2.0), -np.nextafter(1.0, 2.0)):
        d = 1.0 + abs(x)
        expected = [x / d, 1 / d**2, -2 * math.copysign(1.0, x) / d**3, 6 / d**4]
        assert derivatives(am.softsign, float(x)) == pytest.approx(expected, rel=1e-14)
    assert derivatives(am.softsign, 0.0, 2) == [0.0, 1.0, 0.0]  # f'' jumps from 2 to -2: the smallest in between


def test_c4_softmax_and_its_logarithm_at_ties():
    """logsumexp has no kink where the largest logit changes: second derivatives are those of the closed form."""
    for zs in ([0.0, 0.0], [1.0, 1.0, 1.0], [2.0, 2.0, -1.0], [0.0, -0.0], [800.0, 800.0, 0.0]):
        a = am.softmax(zs)
        closed = [[a[i] * ((i == j) - a[j]) for j in range(len(zs))] for i in range(len(zs))]
        assert np.array(am.hessian(am.logsumexp)(zs)) == pytest.approx(np.array(closed), rel=1e-14, abs=1e-16)
        assert np.array(am.jacobian(am.softmax)(zs)) == pytest.approx(np.array(closed), rel=1e-14, abs=1e-16)


def test_c4_fixed_points():
    """The numbers that everybody knows."""
    assert derivatives(am.sigmoid, 0.0) == [0.5, 0.25, 0.0, -0.125]
    assert derivatives(am.tanh, 0.0) == [0.0, 1.0, 0.0, -2.0]
    assert derivatives(am.softplus, 0.0)[1:] == [0.5, 0.25, 0.0]
    assert derivatives(am.relu, 0.0) == [0.0, 0.0, 0.0, 0.0]


# -- C5: powers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [0.0, -0.0, 1.0, -3.0, inf, -inf, 5e-324])
def test_c5_the_power_zero(x):
    """x ** 0 is 1 with derivative 0, whatever x."""
    assert derivatives(lambda v: v**0, x) == [1.0, 0.0, 0.0, 0.0]
    assert derivatives(lambda v: v**0.0, x) == [1.0, 0.0, 0.0, 0.0]


BASES = [0.0, 1.0, 2.0, 0.5, 1e-310, 5e-324, 1e-100, inf]
EXPONENTS = [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, -1.0, -0.5, 0.3]


def limit_of_power(x, p, by):
    """The limit of a derivative of x**p as x comes from the right, with mpmath: its digits, or its sign if infinite."""
    if x in (0.0, inf):
        near = [
            exactly(derivative(MEANING["pow"], by), float(f"1e{e}" if x == 0.0 else f"1e{-e}"), p) for e in (-99, -300)
        ]
        if all(abs(n) < 1e-20 for n in near):
            return 0.0
        if abs(near[1]) > 1e20 or (abs(near[1]) > 200.0 and abs(near[1]) > 2.0 * abs(near[0])):
            return math.copysign(inf, near[1])
        return float(near[1])
    return float(exactly(derivative(MEANING["pow"], by), x, p))


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("x", BASES)
def test_c5_second_derivatives_of_powers_are_limits(x, p):
    """Also where x or p is 0, where x is subnormal or infinite; one answer in every order of differentiation."""
    expected = [limit_of_power(x, p, by) for by in ((0, 0), (0, 1), (0, 1), (1, 1))]
    for way, second in SECOND.items():
        found = second(am.pow, x, p)
        assert found == pytest.approx(expected, rel=1e-13, abs=1e-320), way


@pytest.mark.parametrize("x", [-0.0, -1.0, -2.5, -inf, nan])
@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, nan])
def test_c5_powers_of_other_numbers(x, p):
    """A negative base has no derivative in p; one answer in every order."""
    first, *others = (second(am.pow, x, p) for second in SECOND.values())
    for other in others:
        assert agree(other, first), (first, other)
    assert first[1] == first[2] or math.isnan(first[1] + first[2])
    if x < 0.0:
        assert all(map(math.isnan, first[1:]))
        if p in (1.0, 2.0, 3.0):
            assert first[0] == {1.0: 0.0, 2.0: 2.0, 3.0: 6.0 * x}[p]


def test_c5_third_derivatives_of_powers():
    """At 0 the limits from the right, in all orders; powers of the logarithm take over from each other."""
    for p, by, expected in (
        (2.0, (0, 0, 1), -inf), (3.0, (0, 0, 1), 0.0), (2.5, (0, 0, 0), inf), (1.0, (0, 1, 1), inf),
        (2.0, (0, 1, 1), 0.0), (0.5, (0, 0, 1), inf), (-1.0, (0, 1, 1), -inf), (2.0, (1, 1, 1), 0.0),
    ):  # fmt: skip
        for order in set(itertools.permutations(by)):
            for step in (grad, along):
                f = am.pow
                for position in order:
                    f = step(f, position)
                assert f(0.0, p) == expected, (p, order, f(0.0, p))


def test_c5_a_power_overflows_as_one():
    """Second derivatives beyond the largest float are infinite, not inf - inf."""
    for f, x, expected in (
        (lambda x: x**0.3, 1e-300, [-inf, inf]), (am.cbrt, 1e-300, [-inf, inf]), (am.cbrt, -1e-200, [inf, inf]),
        (lambda x: x**1.7, 1e-300, [1.7 * 0.7 * 1e90, -inf]), (lambda x: x**-0.2, 1e-300, [inf, -inf]),
    ):  # fmt: skip
        for found in (derivatives(f, x), forwards(f, x)):
            assert found[2:] == pytest.approx(expected, rel=1e-12)


def test_c5_powers():
    """p x**(p-1); y log x, 0 at x = 0 <= p, nan for x < 0; a constant exponent has no partial; squares are products."""
    assert derivatives(lambda x: x**3, -2.0) == [-8.0, 12.0, -12.0, 6.0]
    assert derivatives(lambda x: x**2, 0.0) == [0.0, 0.0, 2.0, 0.0]
    assert derivatives(lambda x: x**1, 0.0) == [0.0, 1.0, 0.0, 0.0]
    assert derivatives(lambda p: 0.0**p, 2.0, 2) == [0.0, 0.0, 0.0]
    assert math.isnan(grad(lambda p: (-2.0) ** p)(3.0))
    assert (Value(-2.0) ** 3.0).partials == (12.0, am.ZERO)
    for x in (1.1, -0.3, 1e-170, 1e170, 0.1 + 0.2):
        assert (Value(x) ** 2).data == x * x == am.pow(x, 2.0)
        assert grad(lambda v: v**2)(x) == grad(lambda v: v * v)(x)


# -- C6: backward accumulates on leaves, interior nodes restart --------------------------------------------------------


def test_c6_a_second_backward_doubles_the_leaves_and_nothing_else():
    """Interior nodes hold the gradient of the last sweep; leaves the sum."""
    x = Value(3.0)
    y = x * x
    z = y * 2.0
    for n in (1, 2, 3):
        z.backward()
        assert (x.grad, y.grad, z.grad) == (12.0 * n, 2.0, 1.0)


# -- C7: values are floats ---------------------------------------------------------------------------------------------


def test_c7_what_a_value_takes():
    """Real numbers of any kind, as floats; nothing else; no silent detachment; no silent infinity."""
    for number in (3, True, 3.0, Fraction(3, 1), np.float32(3.0), np.int64(3)):
        assert type(Value(number).data) is float
    for wrong in ("3", None, 3j, [3.0], np.ones(2), Value(3.0)):
        with pytest.raises(TypeError):
            Value(wrong)
    for detach in (float, int, math.exp, math.sqrt):
        with pytest.raises(TypeError, match="gradient"):
            detach(Value(3.0))
    with pytest.raises(OverflowError):
        Value(10**400)


# -- C8: bits ----------------------------------------------------------------------------------------------------------


def test_c8_the_same_bits_for_numbers_values_and_dual_numbers():
    """+ - * / sqrt neg abs max min select and the order of operations are those of floats, whoever computes."""
    numbers = [0.1, -0.3, 1e-310, 7.0, -0.0, 1e300]
    programs = [
        lambda a, b, c: a + b * c - a / (b + 1.5),
        lambda a, b, c: am.sqrt(abs(a)) * -b + am.maximum(a, b, c) - am.minimum(a, b),
        lambda a, b, c: am.sum([a, b, c, 0.1, 0.2]) + am.dot([a, b, c], [b, c, a]),
        lambda a, b, c: am.where(a > b, a, c) * am.clip(b, -1.0, 1.0),
    ]
    for program, xs in itertools.product(programs, itertools.permutations(numbers, 3)):
        plain = program(*xs)
        assert repr(program(*map(Value, xs)).data) == repr(plain)
        assert repr(jvp(program, xs, (1.0, 0.0, 0.0))[0]) == repr(plain)


# -- C9: a tape finds special points when it runs ----------------------------------------------------------------------


def test_c9_a_traced_probability_is_a_number():
    """A constant 0 among the targets has no edge; a 0 that is an input or a `Value` multiplies an infinite logit."""
    assert am.cross_entropy([-inf, 2.0], [0.0, 1.0]) == am.binary_cross_entropy(inf, 1.0) == 0.0
    traced = am.jit(lambda z, t: am.cross_entropy(z, t))([-inf, 2.0], [0.0, 1.0])
    assert math.isnan(traced)
    assert math.isnan(am.cross_entropy([-inf, 2.0], [Value(0.0), Value(1.0)]).data)
    assert am.jit(lambda z: am.cross_entropy(z, [0.0, 1.0]))([-inf, 2.0]) == 0.0
