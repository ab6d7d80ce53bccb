"""Differences are as close to the derivative as they say, at every size, and tell kinks, jumps and noise apart."""

from __future__ import annotations

import math
import random

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.check.differences import differentiate, judge, order_of
from autograd_mini.core.row import TABLE
from autograd_mini.functions import ACTIVATIONS
from tests.effort import effort

SMOOTH = [*ACTIVATIONS, *(row.name for row in TABLE.values() if row.is_public and row.arity == 1)]


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=5), st.floats(-10.0, 10.0))
def test_the_slope_of_a_polynomial(coefficients, x):
    """The error bar holds, and is small where nothing cancels."""

    def polynomial(x):
        return math.fsum(c * x**n for n, c in enumerate(coefficients))

    estimate = differentiate(polynomial, x)
    right = math.fsum(n * c * x ** (n - 1) for n, c in enumerate(coefficients) if n)
    assert abs(estimate.slope - right) <= estimate.error + 1e-9 * abs(right)
    assert estimate.error <= 1e-6 * (
        1.0 + math.fsum(n * abs(c * x ** (n - 1)) for n, c in enumerate(coefficients) if n)
    )
    assert judge(right, estimate) in ("PASS", "NOISE")


@pytest.mark.parametrize("name", SMOOTH)
def test_right_derivatives_are_never_wrong(name):
    """At random points, in tails and at huge and tiny numbers, a right derivative is not FAIL, and a wrong one is."""
    f, derivative, chance = getattr(am, name), am.grad(getattr(am, name)), random.Random(name)
    low, high = TABLE[name].domain[0] if name in TABLE else (-30.0, 30.0)
    points = [chance.uniform(max(low, -size), min(high, size)) for size in (3.0, 30.0) for _ in range(effort(4, 200))]
    for x in [*points, 20.0, -20.0, 1e-8, 1e-300, 700.0, -700.0, *([1e9, 1e13] if name != "floor" else [])]:
        estimate, right = differentiate(f, x, patient=True), derivative(x)
        assert judge(right, estimate) != "FAIL", (x, right, estimate)
        if x in points and judge(right, estimate) == "PASS" and right and name not in ("floor", "sign"):
            assert judge(-right, estimate) == judge(1.01 * right, estimate) == "FAIL", (x, right, estimate)
            assert judge(math.nan, estimate) == judge(math.inf, estimate) == "FAIL"


@pytest.mark.parametrize(
    ("f", "x", "left", "right"),
    [
        (am.relu, 0.0, 0.0, 1.0),
        (abs, 0.0, -1.0, 1.0),
        (lambda x: am.maximum(x, 2.0), 2.0, 0.0, 1.0),
        (lambda x: abs(x - 1e6) * 3.0, 1e6, -3.0, 3.0),
        (am.sqrt, 0.0, math.nan, math.inf),
        (am.cbrt, 0.0, math.inf, math.inf),
        (lambda x: am.xlogy(x, x), 0.0, math.nan, -math.inf),
        (am.asin, 1.0, math.inf, math.nan),
        (math.floor, 3.0, 0.0, 0.0),
        (lambda x: x if x >= 1.0 else 2.0 * x, 1.0, 2.0, 1.0),
    ],
)
def test_kinks(f, x, left, right):
    """The slope on each side: infinite where it grows without limit, nan outside the domain, beyond a jump."""
    estimate = differentiate(lambda x: float(f(x)), x)
    assert estimate.is_kink
    for found, expected in ((estimate.left, left), (estimate.right, right)):
        assert found == pytest.approx(expected, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("x", [0.7, 1.3, 1e-9, -1e-9, 1e3])
def test_no_kink_is_seen_beside_it(x):
    """Near a kink the slope is that of the side."""
    estimate = differentiate(am.relu, x)
    assert not estimate.is_kink
    assert estimate.slope == (1.0 if x > 0 else 0.0)


def test_noise_is_no_slope():
    """Where values are nothing but rounding, there is no verdict; where they are coarse, the bar says how coarse."""
    assert judge(0.3, differentiate(math.sin, 1e15)) == "NOISE"
    assert judge(math.cos(1.0), differentiate(lambda x: math.sin(x) + 1e-9 * math.sin(1e12 * x), 1.0)) in (
        "NOISE",
        "PASS",
    )
    assert judge(1.0, differentiate(lambda x: (1e10 + x) - 1e10, 0.3)) == "PASS"
    assert judge(0.5, differentiate(lambda x: (1e10 + x) - 1e10, 0.3)) == "FAIL"


@pytest.mark.parametrize("slope", [5e-6, 1e-12, 1e-100, 1e100])
def test_no_size_is_small(slope):
    """There is no absolute tolerance: a slope of any size is told from its opposite, from 0 and from 1 % more."""
    estimate = differentiate(lambda x: slope * math.sin(x), 0.4)
    right = slope * math.cos(0.4)
    assert judge(right, estimate) == "PASS"
    assert {judge(wrong, estimate) for wrong in (-right, 0.0, 1.01 * right, -0.8 * right, 2.0 * right)} == {"FAIL"}


def test_the_order_of_convergence_explains():
    """Differences converge to a right derivative with order 2, and to a wrong one not at all."""
    estimate = differentiate(math.exp, 1.0)
    assert order_of(estimate.curve, math.e) == pytest.approx(2.0, abs=0.05)
    assert order_of(estimate.curve, 2.0) == pytest.approx(0.0, abs=0.05)
    assert order_of(differentiate(lambda x: 3.0 * x, 1.0).curve, 3.0) is None


@pytest.mark.parametrize("x", [0.3, 2.0, 7.5, 40.0])
def test_the_error_bar_against_mpmath(x):
    """The error bar holds for special functions, too."""
    for f, exact in ((am.erf, mpmath.erf), (am.gelu, lambda x: x * mpmath.ncdf(x)), (am.atan, mpmath.atan)):
        estimate = differentiate(f, x)
        with mpmath.workdps(40):
            assert abs(estimate.slope - float(mpmath.diff(exact, x))) <= estimate.error
