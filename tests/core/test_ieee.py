"""Float functions with C99's answers: against the C library's own, through ctypes, where there is one."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import sys

import pytest

from autograd_mini.core import ieee

inf, nan = math.inf, math.nan
NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    3.0,
    1.5,
    -1.5,
    710.0,
    -710.0,
    5e-324,
    1e300,
    -1e300,
    inf,
    -inf,
    nan,
]


@pytest.fixture(scope="module")
def libm():
    name = ctypes.util.find_library("m") if sys.platform != "win32" else None
    if name is None:
        pytest.skip("no C mathematics library to compare with")
    return ctypes.CDLL(name)


def c_function(libm, name, arity):
    function = getattr(libm, name)
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * arity
    return function


@pytest.mark.parametrize(
    "name",
    ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "sin", "cos", "tan", "asin", "acos",
     "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erf", "erfc", "floor"],
)  # fmt: skip
def test_one_operand(libm, name):
    """Signs of zeros, infinities, nan: what C gives, C99 Annex F."""
    for x in NUMBERS:
        assert repr(getattr(ieee, name)(x)) == repr(c_function(libm, name, 1)(x)).replace("-nan", "nan"), x


@pytest.mark.parametrize(
    ("name", "c_name"), [("power", "pow"), ("fmod", "fmod"), ("atan2", "atan2"), ("hypot", "hypot")]
)
def test_two_operands(libm, name, c_name):
    """The same for operations of two numbers."""
    for x in NUMBERS:
        for y in NUMBERS:
            assert repr(getattr(ieee, name)(x, y)) == repr(c_function(libm, c_name, 2)(x, y)).replace("-nan", "nan"), (
                x,
                y,
            )


def test_division():
    """Zero divisors give signed infinities, and nan for 0/0."""
    assert ieee.divide(1.0, -0.0) == -inf
    assert ieee.divide(-1.0, -0.0) == inf
    assert math.isnan(ieee.divide(0.0, 0.0))
    assert math.isnan(ieee.divide(nan, 0.0))
    assert ieee.divide(inf, 0.0) == inf


def test_sums_do_not_depend_on_the_interpreter():
    """From left to right, each addition rounded: not the compensated sum of Python 3.12."""
    assert ieee.total(1e16, 1.0, -1e16) == 0.0
    assert ieee.dot(1.0, 1.0, 1.0, 1e16, 1.0, -1e16) == 0.0
    assert repr(ieee.total(-0.0, -0.0)) == "-0.0"
    assert ieee.total() == 0.0


def test_extrema_keep_nan():
    """nan wins, wherever it stands; among equals the first is the result."""
    for extremum in (ieee.maximum, ieee.minimum):
        assert math.isnan(extremum(1.0, nan, 2.0))
        assert math.isnan(extremum(nan, 1.0))
        assert repr(extremum(-0.0, 0.0)) == "-0.0"


def test_total_floats():
    """The floats that rules fall back on: closed under arithmetic, never raising, never complex."""
    zero, negative = ieee.Total(0.0), ieee.Total(-8.0)
    for result, expected in (
        (1.0 / zero, inf), (zero / 0.0, nan), (negative**0.5, nan), (2.0**negative, 2.0**-8), (zero**-1.0, inf),
        (5.0 // zero, inf), (5.0 % zero, nan), (1.0 - negative, 9.0), (-negative, 8.0), (2.0 * negative + 1.0, -15.0),
        (negative - 1.0, -9.0), (negative % 3.0, 1.0), (negative // 3.0, -3.0), (1.0 + negative, -7.0),
    ):  # fmt: skip
        assert type(result) is ieee.Total
        assert result == expected or (math.isnan(result) and math.isnan(expected))
