"""Independent sources of truth for the tests: mpmath through SymPy, forward-mode dual numbers, and ulp.

Not here: anything computed by the package under test.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any

import mpmath
import sympy

X, Y = sympy.symbols("x y", real=True)


class Meanings(dict[str, Any]):
    """What rows mean, by their names."""

    def __missing__(self, name: str) -> Any:
        raise AssertionError(f"write what {name} means, as a SymPy expression, in MEANING of tests/oracles.py")


# What each smooth row of the table means, written by hand. cbrt is tested on positive numbers and by its symmetry.
MEANING = Meanings()
MEANING |= {
    "add": X + Y,
    "sub": X - Y,
    "mul": X * Y,
    "div": X / Y,
    "neg": -X,
    "one_minus_square": 1 - X**2,
    "pos": X,
    "defined": X,
    "pow": X**Y,
    "exp": sympy.exp(X),
    "exp2": 2**X,
    "expm1": sympy.exp(X) - 1,
    "log": sympy.log(X),
    "log2": sympy.log(X) / sympy.log(2),
    "log10": sympy.log(X) / sympy.log(10),
    "log1p": sympy.log(1 + X),
    "sqrt": sympy.sqrt(X),
    "cbrt": X ** sympy.Rational(1, 3),
    "sin": sympy.sin(X),
    "cos": sympy.cos(X),
    "tan": sympy.tan(X),
    "asin": sympy.asin(X),
    "acos": sympy.acos(X),
    "atan": sympy.atan(X),
    "atan2": sympy.atan2(X, Y),
    "sinh": sympy.sinh(X),
    "cosh": sympy.cosh(X),
    "asinh": sympy.asinh(X),
    "acosh": sympy.acosh(X),
    "atanh": sympy.atanh(X),
    "hypot": sympy.sqrt(X**2 + Y**2),
    "erf": sympy.erf(X),
    "erfc": sympy.erfc(X),
    "erfinv": sympy.erfinv(X),
    "ndtr": sympy.erfc(-X / sympy.sqrt(2)) / 2,
    "lifted_ndtr": sympy.exp(70) * sympy.erfc(-X / sympy.sqrt(2)) / 2,
    "xlogy": X * sympy.log(Y),
}


def arity(meaning: Any) -> int:
    return 2 if meaning.has(Y) else 1


def derivatives(n: int, order: int) -> list[tuple[int, ...]]:
    """All derivatives of an order, each as the positions to differentiate by."""
    return list(combinations_with_replacement(range(n), order))


@functools.cache
def derivative(meaning: Any, by: tuple[int, ...]) -> Callable[..., Any]:
    """A derivative of a meaning as a function of mpmath numbers."""
    expression = meaning
    for position in by:
        expression = sympy.diff(expression, (X, Y)[position])
    return sympy.lambdify((X, Y)[: arity(meaning)], expression, "mpmath")


def exactly(function: Callable[..., Any], *xs: float) -> Any:
    """A function at floats with 40 right digits: the working precision doubles until two results agree."""
    last = None
    for digits in (60, 120, 240, 480, 960, 1920):
        with mpmath.workdps(digits):
            try:
                result = mpmath.mpmathify(function(*[mpmath.mpf(x) for x in xs]))
            except ZeroDivisionError:
                result = mpmath.nan
            result = mpmath.re(result)
            if result == 0 and digits < 960:
                continue  # perhaps all digits cancelled
            if last is not None and (result == last or mpmath.almosteq(result, last, rel_eps=mpmath.mpf(10) ** -40)):
                return result
            last = result
    raise ArithmeticError(f"no agreement at {xs}")


def ulps(got: float, exact: Any) -> float:
    """The error of a float in units in the last place of the exact number; 0 if it is the nearest float."""
    nearest = float(exact)
    if got == nearest or (math.isnan(got) and math.isnan(nearest)):
        return 0.0
    if not math.isfinite(got) or not math.isfinite(nearest):
        return math.inf
    with mpmath.workdps(60):
        return float(abs(mpmath.mpf(got) - exact) / mpmath.mpf(math.ulp(nearest)))
