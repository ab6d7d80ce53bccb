"""Real functions on floats with the results of C99 Annex F: none raises, none returns a complex number.

Python's `math` raises where C, NumPy, Java and JavaScript return inf or nan; these return what C returns, so
that all interpreters of a graph agree. Not here: derivatives. Read next: `core.node`.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from math import copysign, inf, isfinite, isinf, isnan, nan
from typing import Any


def _c99(
    function: Callable[[float], float], poles: tuple[float, ...] = (), pole: float = -inf, is_odd: bool = False
) -> Callable[[float], float]:
    """Extend a function of `math` to all floats: inf on overflow, the given value at poles, nan outside its domain."""

    def total(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return copysign(inf, x) if is_odd else inf
        except ValueError:
            return nan if x not in poles else copysign(inf, x) if is_odd else pole

    total.__name__ = total.__qualname__ = function.__name__
    return total


exp, exp2, expm1, cosh, sinh = *map(_c99, (math.exp, math.exp2, math.expm1, math.cosh)), _c99(math.sinh, is_odd=True)
log, log2, log10 = (_c99(function, (0.0,)) for function in (math.log, math.log2, math.log10))
log1p, atanh = _c99(math.log1p, (-1.0,)), _c99(math.atanh, (-1.0, 1.0), is_odd=True)
sin, cos, tan, sqrt = map(_c99, (math.sin, math.cos, math.tan, math.sqrt))
asin, acos, acosh = map(_c99, (math.asin, math.acos, math.acosh))
cbrt, atan, atan2, asinh = math.cbrt, math.atan, math.atan2, math.asinh
erf, erfc, hypot = math.erf, math.erfc, math.hypot


def ndtr(x: float) -> float:
    """The standard normal distribution function, erfc(-x/√2) / 2.

    Rounding x/√2 would cost x²/2 ulp in the left tail. Dekker's exact product (Numerische Mathematik 18, 1971) gives
    the rounding error, which corrects erfc to first order.
    """
    if not abs(x) < 40.0:
        return x if isnan(x) else 0.0 if x < 0.0 else 1.0
    product = x * _ROOT
    high, low = _halves(x)
    error = ((high * _ROOT_HIGH - product) + high * _ROOT_LOW + low * _ROOT_HIGH) + low * _ROOT_LOW
    slope = 2.0 / math.sqrt(math.pi) * math.exp(-product * product)
    return 0.5 * (math.erfc(-product) + slope * (error + x * _ROOT_REST))


def lifted_ndtr(x: float) -> float:
    """exp(70) * ndtr(x); the left tail is Laplace's continued fraction, DLMF 7.9.3."""
    if not -60.0 < x < -30.0:
        return math.exp(70.0) * ndtr(x)
    fraction = -x
    for n in range(8, 0, -1):
        fraction = n / fraction - x
    h = math.floor(x * 4096.0) / 4096.0  # h * h is exact
    return math.exp(70.0 - 0.5 * h * h) * math.exp(-0.5 * (x - h) * (x + h)) / math.sqrt(2.0 * math.pi) / fraction


def erfinv(x: float) -> float:
    """The inverse of `erf`, by Halley's method, starting from Winitzki's approximation in the tails."""
    if not 1e-8 <= abs(x) < 1.0:
        return x * 0.886226925452758 if abs(x) < 1.0 else copysign(inf, x) if abs(x) == 1.0 else nan
    logarithm = math.log1p(-x * x)
    term = 2.0 / (math.pi * 0.147) + 0.5 * logarithm
    y = math.copysign(math.sqrt(math.sqrt(term * term - logarithm / 0.147) - term), x) if abs(x) > 0.1 else 0.89 * x
    for _ in range(3):
        step = erfinv_step(y, x)
        y -= step / (1.0 + y * step)
    return y


def erfinv_step(y: float, x: float) -> float:
    """Newton's step from y towards erfinv(x), (erf(y) - x) / erf'(y); it uses erfc where erf(y) has lost digits."""
    rest = math.erf(y) - x if abs(x) <= 0.5 else copysign(1.0, x) * ((1.0 - abs(x)) - math.erfc(abs(y)))
    return rest / (2.0 / math.sqrt(math.pi) * exp(-y * y))


def _halves(x: float) -> tuple[float, float]:
    """x as a sum of two numbers of 26 bits each, whose products are exact."""
    high = 134217729.0 * x  # 2**27 + 1
    high = high - (high - x)
    return high, x - high


_ROOT = math.sqrt(0.5)
_ROOT_HIGH, _ROOT_LOW = _halves(_ROOT)
_ROOT_REST = -4.833646656726457e-17  # √½ minus its nearest float


def divide(a: float, b: float) -> float:
    """`a / b`; a zero divisor gives a signed infinity, or nan for 0/0."""
    if b != 0.0:
        return a / b
    return nan if a == 0.0 or isnan(a) else copysign(inf, a) * copysign(1.0, b)


def power(x: float, y: float) -> float:
    """C99 `pow`, except that `power(x, 2.0)` is `x * x` to the bit (C5)."""
    if y == 2.0:
        return x * x
    try:
        return math.pow(x, y)
    except OverflowError:
        return -inf if x < 0.0 and y % 2.0 == 1.0 else inf
    except ValueError:  # a zero base with a negative exponent, or a negative base with a fractional one
        if x != 0.0:
            return nan
        return copysign(inf, x) if y % 2.0 == 1.0 else inf


def power_term(x: float, p: float, less: float, logs: float) -> float:
    """`x**(p - less) * log(x)**logs`, or its limit where that is 0 * inf; less and logs are integers."""
    exponent = p - less
    if exponent + less == p or x == 0.0 or isinf(x):
        term = power(x, exponent)
    else:  # rounding the exponent would cost log(x) times as much
        term = functools.reduce(divide, [x] * int(less), power(x, p))
    if logs == 0.0 or (exponent > 0.0 and x == 0.0) or (exponent < 0.0 and x == inf):
        return term
    return term * log(x) ** int(logs)


def floor(x: float) -> float:
    """The largest integer not above x, as a float; keeps -0.0, infinities and nan."""
    return x // 1.0 if isfinite(x) else x


def rounded(x: float, digits: float = 0.0) -> float:
    """Python's `round(x, digits)`, exact, ties to even; keeps -0.0, infinities and nan."""
    if not (isfinite(x) and isfinite(digits)):
        return x if isfinite(digits) else nan
    try:
        return round(x, math.floor(digits))
    except OverflowError:
        return copysign(inf, x)


def is_halfway(y: float, x: float, digits: float = 0.0) -> bool:
    """Whether x, which rounds to y, lies exactly halfway between two numbers with this many decimals."""
    if not (isfinite(x) and abs(digits) < 400.0):
        return False
    from fractions import Fraction  # here: it takes longer to import than this module

    doubled = 2 * Fraction(x) * Fraction(10) ** math.floor(digits)
    return doubled.denominator == 1 and doubled.numerator % 2 == 1


def floor_divide(a: float, b: float) -> float:
    """Python's `a // b`; a zero divisor gives what `a / b` gives."""
    return divide(a, b) if b == 0.0 else a // b


def remainder(a: float, b: float) -> float:
    """Python's `a % b`, which has the sign of b; nan for b = 0."""
    return nan if b == 0.0 else a % b


def fmod(a: float, b: float) -> float:
    """C99 `fmod`, which has the sign of a; nan for b = 0 or infinite a."""
    try:
        return math.fmod(a, b)
    except ValueError:
        return nan


def sign(x: float) -> float:
    """-1, 0 or 1; nan for nan."""
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x if isnan(x) else 0.0


def maximum(*xs: float) -> float:
    """The largest operand, the first of equal ones; nan if any is nan."""
    return functools.reduce(lambda a, b: a if a >= b or isnan(a) else b, xs)


def minimum(*xs: float) -> float:
    """The smallest operand, the first of equal ones; nan if any is nan."""
    return functools.reduce(lambda a, b: a if a <= b or isnan(a) else b, xs)


def total(*xs: float) -> float:
    """The sum from left to right, each addition rounded; the builtin `sum` gives other bits since Python 3.12."""
    return functools.reduce(operator.add, xs) if xs else 0.0


def dot(*operands: float) -> float:
    """The sum from left to right of the products of the first half of the operands with the second half."""
    half = len(operands) // 2
    return total(*map(operator.mul, operands[:half], operands[half:]))


def take(index: float, *xs: float) -> float:
    """The operand at an index from 0, rounded down; nan if there is none."""
    return xs[int(index)] if 0.0 <= index < len(xs) else nan


def _arithmetic(operate: Callable[[float, float], float]) -> tuple[Any, Any]:
    """An operator of `Total` and its reflection; other classes of numbers use their own."""

    def forward(self: Total, other: Any, modulo: None = None) -> Any:
        return Total(operate(float(self), float(other))) if isinstance(other, (float, int)) else NotImplemented

    def reflected(self: Total, other: Any, modulo: None = None) -> Any:
        return Total(operate(float(other), float(self))) if isinstance(other, (float, int)) else NotImplemented

    return forward, reflected


def beside(symbol: str, number: int) -> tuple[str, float]:
    """The same comparison of floats with a float, for an integer that may lie between two of them."""
    try:
        nearest = float(number)
    except OverflowError:
        nearest = inf if number > 0 else -inf
    if nearest == number:
        return symbol, nearest
    if symbol in ("==", "!="):
        return symbol, nan  # which no float is
    return "<=" if symbol in ("<", "<=") else ">", math.nextafter(nearest, -inf) if nearest > number else nearest


class Total(float):
    """A float whose arithmetic follows C99; a rule is evaluated again on these if plain floats raised."""

    __slots__ = ()

    __add__, __radd__ = _arithmetic(operator.add)
    __sub__, __rsub__ = _arithmetic(operator.sub)
    __mul__, __rmul__ = _arithmetic(operator.mul)
    __truediv__, __rtruediv__ = _arithmetic(divide)
    __floordiv__, __rfloordiv__ = _arithmetic(floor_divide)
    __mod__, __rmod__ = _arithmetic(remainder)
    __pow__, __rpow__ = _arithmetic(power)  # never complex

    def __neg__(self) -> Total:
        return Total(-float(self))
