"""THE TABLE: one row per primitive operation. Adding an operation = adding one row.

A row holds the name, the function on floats, the rule (the local partial derivatives, written with the functions of
this very table), the domain from which tests draw points, and the accuracy they hold it to. The same rule text serves
floats, `Value`s (derivatives of any order), SymPy expressions (proofs) and traced registers (compiled code).
Not here: `Value`; an operand of another type finds its interpreter in `interpreters`. Read next: `engine`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

from autograd_mini.core import ieee
from autograd_mini.core.row import (
    FLAT,
    ZERO,
    Constant,
    Interval,
    Operation,
    _add,
    _operands,
    _smooth,
    as_number,
    branch,
    numbers_in,
    select,
)
from autograd_mini.errors import ArgumentError

# Pieces that several rules share. Each is chosen so that its own derivatives keep their digits as well.


def _known(x: Any) -> float:
    """The number behind an operand, to find a special point; nan for formulas, which keep to the general form."""
    number = getattr(x, "data", x)
    return number if isinstance(number, float) else math.nan


def _log_slope(x: Any, scale: Any = 1.0) -> Any:
    """scale / x for x >= 0, +inf at both zeros (x + 0.0 turns -0.0 into 0.0).

    Outside the domain it is nan with all its derivatives: a quotient of nan, for a mere nan would be a constant.
    """
    return select(x < 0.0, math.nan, scale) / (x + 0.0)


def _gaussian(x: Any, scale: float = 1.0, lift: float = 0.0) -> Any:
    """exp(lift - scale x²) for a scale of 1 or 0.5, by splitting x = h + rest with h*h exact; the rounding of x*x would cost x² ulp (trap T16).

    h is a step function of x, so it has no derivative, and the identity holds for every h. It is the nearest multiple,
    so that a small x has h = 0 and (x - h) + (x + h), which comes up in the next derivative, is 2x.
    Far out it is 0 with all its derivatives, where its factors would be 0 and inf.
    """
    if math.fabs(_known(x)) > 64.0:
        x = clip(x, -64.0, 64.0)
    h = floor(x * 4096.0 + 0.5) / 4096.0
    square = -scale * h * h
    return exp(square + lift if lift else square) * exp(-scale * (x - h) * (x + h))


def _cosine(x: Any, other: Any, h: Any) -> Any:
    """x / h for h = hypot(x, other): where x dominates, in the form whose derivative does not cancel."""
    return branch(abs(x) <= abs(other), lambda: x / h, lambda: sign(x) / hypot(1.0, other / x))


def _hypot_rule(h: Any, *xs: Any) -> tuple[Any, ...]:
    """The zero vector has no slope; for h = 0 the others are 0/0, which nobody takes."""
    slopes = [x / h for x in xs] if len(xs) != 2 else [_cosine(xs[0], xs[1], h), _cosine(xs[1], xs[0], h)]
    return tuple([select(h == 0.0, ZERO, slope) for slope in slopes])


def _undefined(*xs: Any) -> Any:
    """nan, with nan as all its derivatives by all operands."""
    return math.nan / sum_of(*xs)


def _atan2_rule(angle: Any, y: Any, x: Any) -> tuple[Any, ...]:
    h = hypot(x, y)
    if _known(h) == 0.0:
        return (_undefined(y, x),) * 2
    if _known(h) == math.inf and not math.isnan(_known(angle)):
        return 0.0, 0.0
    return (
        ZERO if isinstance(y, Constant) else x / h / h,
        ZERO if isinstance(x, Constant) else -(y / h) / h,
    )


def _atan_rule(y: Any, x: Any) -> tuple[Any, ...]:
    h = hypot(1.0, x)
    return (1.0 / h / h,)


def _extremum_rule(y: Any, *xs: Any) -> tuple[Any, ...]:
    """Ties share evenly; losers have no edge; a nan result is everybody's."""
    ties: Any = select(y == y, 0.0, 1.0)
    for x in xs:
        ties = ties + select(x == y, 1.0, 0.0)
    return tuple([select(x == y, 1.0 / ties, select(y == y, ZERO, y)) for x in xs])


def _clip_rule(y: Any, x: Any, low: Any, high: Any) -> tuple[Any, ...]:
    return (
        select(y != y, y, select(x <= low, ZERO, select(x >= high, ZERO, 1.0))),
        select(x <= low, select(low < high, 1.0, ZERO), ZERO),
        select(x >= high, 1.0, select(low >= high, 1.0, ZERO)),
    )


def _pow_rule(y: Any, x: Any, p: Any) -> tuple[Any, ...]:
    """The slope in x is p x^(p-1), that of x itself for p = 2; in p it is 0 at x = 0 = p, where 0^p jumps."""
    if isinstance(p, float) and p == 2.0:
        return 2.0 * x, ZERO if isinstance(p, Constant) else power_term(x, p, 0.0, 1.0)
    by_x = ZERO if isinstance(x, Constant) else _power_slope(y, x, p, 0.0, 0.0)
    if isinstance(p, Constant):
        return by_x, ZERO
    by_p = power_term(x, p, 0.0, 1.0)
    return by_x, flat(by_p) if _known(x) == 0.0 == _known(p) else by_p


def _power_slope(y: Any, x: Any, p: Any, less: float, logs: float) -> Any:
    """(p - less) * x^(p-less-1) * log(x)^logs for y = x^(p-less) * log(x)^logs, without 0 * inf."""
    factor = p - less
    if logs == 0.0 and isinstance(factor, float) and factor == 0.0:
        return 0.0
    if less == logs == 0.0 and isinstance(p, float) and (p - 1.0) + 1.0 == p:
        lower = pow(x, p - 1.0)
    else:
        lower = power_term(x, p, less + 1.0, logs)
    if _known(x) == 0.0 != _known(factor):
        return stop(factor) * lower  # in p, the logarithm outweighs what comes of the factor
    if _known(factor) == 0.0 and (math.isinf(_known(lower)) or (logs == 0.0 and math.isnan(_known(lower)))):
        return flat(factor) * lower
    return factor / x * y if math.isinf(_known(lower)) and math.isfinite(_known(y)) else factor * lower


def _power_term_rule(y: Any, x: Any, p: Any, less: float, logs: float) -> tuple[Any, ...]:
    """At x = 0 the highest power of the logarithm outweighs the others."""
    by_x = _power_slope(y, x, p, less, logs)
    if logs > 0.0:
        other = logs * power_term(x, p, less + 1.0, logs - 1.0)
        if _known(x) != 0.0:
            by_x = by_x + other
        elif _known(p) == less:
            by_x = other
    return by_x, power_term(x, p, less, logs + 1.0), ZERO, ZERO


def _xlogy_rule(z: Any, x: Any, y: Any) -> tuple[Any, ...]:
    """At x = 0 the term is kept out, where its slope in y is no number: it is 0, and changes with x."""
    if _known(y) < 0.0:
        slope = _undefined(x, y)
        return slope, flat(slope) if _known(x) == 0.0 else slope
    slope = _log_slope(y, x)
    if _known(x) == 0.0 == _known(y):
        slope = flat(x) * _log_slope(y)
    return log(y), slope


def _of_one_iterable(name: str) -> tuple[int, Callable[..., tuple[Any, ...]]]:
    """What completes fewer than two operands: one iterable stands for the numbers in it, as of the builtin `max`."""

    def completed(*operands: Any) -> tuple[Any, ...]:
        if not operands:
            raise ArgumentError(f"{name}() got nothing.", "Pass numbers, or one list of them.")
        if isinstance(operands[0], Iterable) and as_number(operands[0]) is None:
            return tuple(numbers_in(name, operands[0]))
        return operands

    return 2, completed


def _dot_rule(y: Any, *operands: Any) -> tuple[Any, ...]:
    half = len(operands) // 2
    return operands[half:] + operands[:half]


_LN2, _LOG2E, _LOG10E = math.log(2.0), math.log2(math.e), math.log10(math.e)
_GAUSS, _DENSITY = 2.0 / math.sqrt(math.pi), 1.0 / math.sqrt(2.0 * math.pi)

_ANY = (-1e300, 1e300)
_WIDE = (-1e150, 1e150)  # squares stay finite
_POSITIVE = (1e-300, 1e300)
_UNIT = (-1.0, 1.0)
_ROUNDED = (0.5, 0.5, 0.5, 0.5)

_DOCUMENTATION = """{meaning}

Args:
    {operands}: numbers, `Value`s, SymPy expressions or traced values; or NumPy arrays of them.

Returns:
    A float for numbers, otherwise what the operands are; nan outside the domain, never an exception. For arrays an
    array, element by element.

Raises:
    OperandError: an operand is none of these.

Derivative: {derivative}

>>> {call}
{result}
"""


def _row(
    name: str,
    function: Callable[..., float],
    rule: Callable[..., tuple[Any, ...]],
    domain: Interval | tuple[Interval, ...],
    ulp: tuple[float, ...],
    meaning: str,
    derivative: str,
    example: str,
    symbol: str | None = None,
    kink: Callable[..., bool] = _smooth,
    spread: tuple[int, Callable[..., tuple[Any, ...]]] | None = None,
    curvature: float | None = None,
) -> Operation:
    operands = ", ".join(map(str, _operands(rule)))
    call, _, result = example.partition(" -> ")
    doc = _DOCUMENTATION.format(meaning=meaning, operands=operands, derivative=derivative, call=call, result=result)
    return _add(name, function, rule, symbol, domain, ulp, kink, doc, spread, curvature)


# Rules speak of these rows before they are defined.
abs: Operation
cos: Operation
cosh: Operation
exp2: Operation
flat: Operation
hypot: Operation
one_power_less: Operation
power_term: Operation
sign: Operation
slope_at_kink: Operation

# fmt: off
# -- the operators -----------------------------------------------------------------------------------------------------
add  = _row("add", operator.add, lambda y, a, b: (1.0, 1.0), _ANY, _ROUNDED,
            "The sum, `a + b`.", "1, 1.", "add(2.0, 3.0) -> 5.0", "+")
sub  = _row("sub", operator.sub, lambda y, a, b: (1.0, -1.0), _ANY, _ROUNDED,
            "The difference, `a - b`.", "1, -1.", "sub(2.0, 3.0) -> -1.0", "-")
mul  = _row("mul", operator.mul, lambda y, a, b: (b, a), _WIDE, _ROUNDED,
            "The product, `a * b`.", "b, a.", "mul(2.0, 3.0) -> 6.0", "*")
div  = _row("div", ieee.divide, lambda y, a, b: (1.0 / b, -(y / b)), _WIDE, (0.5, 2, 3, 4),
            "The quotient, `a / b`; a zero divisor gives inf or nan.", "1 / b, -(a / b) / b.", "div(3.0, 2.0) -> 1.5", "/")
neg  = _row("neg", operator.neg, lambda y, x: (-1.0,), _ANY, _ROUNDED,
            "The number with its sign changed, `-x`.", "-1.", "neg(2.0) -> -2.0", "-")
one_minus_square = _row("one_minus_square", lambda x: (1.0 - x) * (1.0 + x), lambda y, x: (-2.0 * x,), _WIDE, (2, 1, 1, 1),
            "1 - x**2, without losing digits near 1 and -1.", "-2 * x; the factors' own would lose digits near 0, and be inf - inf at ±1 in asin.",
            "one_minus_square(0.5) -> 0.75")
pos  = _row("pos", operator.pos, lambda y, x: (1.0,), _ANY, _ROUNDED,
            "The number itself, as a node of its own.", "1.", "pos(2.0) -> 2.0", "+")
pow  = _row("pow", ieee.power, _pow_rule, ((1e-3, 1e3), (-30.0, 30.0)), (1, 3, 8, 16),
            "x to the power p, `x ** p`; x ** 2 is x * x to the bit, x ** 0 is 1, a negative x needs a whole p.",
            "p * x ** (p - 1), x ** p * log(x); in x it is 0 for p = 0, in p it is 0 at x = 0 <= p and nan for x < 0; second derivatives at x = 0 are the limits from the right.",
            "pow(2.0, 3.0) -> 8.0", "**", kink=lambda y, x, p: x == 0.0 < p < 1.0)
one_power_less = _row("one_power_less", lambda y, x, p: ieee.divide(y, x), lambda q, y, x, p: (ZERO, (p - 1.0) * one_power_less(q, x, p - 1.0), ZERO), _WIDE, (),
             "y / x, where y is x ** p, maybe times a constant: for rules; its derivative in x is one product, for two terms may be inf - inf.",
             "(p - 1) * y / x / x.", "one_power_less(9.0, 3.0, 2.0) -> 3.0")
power_term = _row("power_term", ieee.power_term, _power_term_rule, _WIDE, (),
            "x ** (p - less) * log(x) ** logs, what derivatives of powers consist of, for rules; with its limits at 0 and infinity.",
            "the same with one more `less`, and in p with one more of `logs`.", "power_term(2.0, 4.0, 1.0, 0.0) -> 8.0")
floor_divide = _row("floor_divide", ieee.floor_divide, lambda y, a, b: (ZERO, ZERO), _WIDE, (),
            "The whole number below the quotient, `a // b`.", "0.", "floor_divide(7.0, 2.0) -> 3.0", "//", kink=lambda y, a, b: a / b == y if b else False)
remainder = _row("remainder", ieee.remainder, lambda y, a, b: (select(y == y, 1.0, y), select(y == y, -floor_divide(a, b), y)), _WIDE, (),
            "What is left after `a // b`, `a % b`; it has the sign of b.", "1, -(a // b).", "remainder(-7.0, 3.0) -> 2.0", "%", kink=lambda y, a, b: y == 0.0)
fmod = _row("fmod", ieee.fmod, lambda y, a, b: (select(y == y, 1.0, y), select(y == y, -floor_divide(abs(a), abs(b)) * sign(a) * sign(b), y)),
            _WIDE, (), "What is left after dividing towards zero, as C's `fmod`; it has the sign of a.",
            "1, minus the quotient rounded towards zero.", "fmod(-7.0, 3.0) -> -1.0", kink=lambda y, a, b: y == 0.0 != a)

# -- exponentials, logarithms, roots -----------------------------------------------------------------------------------
exp   = _row("exp", ieee.exp, lambda y, x: (y,), (-708.0, 709.0), (1, 1, 1, 1),
             "e to the power x.", "exp(x), the result itself.", "exp(1.0) -> 2.718281828459045")
exp2  = _row("exp2", ieee.exp2, lambda y, x: (exp2(x - 1.0) * (2.0 * _LN2) if _known(y) == math.inf else y * _LN2,), (-1021.0, 1023.0), (1, 2, 3, 4),
             "2 to the power x.", "exp2(x) * log(2).", "exp2(3.0) -> 8.0")
expm1 = _row("expm1", ieee.expm1, lambda y, x: (exp(x),), (-700.0, 709.0), (1, 1, 1, 1),
             "exp(x) - 1, without losing the digits of a small x.", "exp(x).", "expm1(1e-20) -> 1e-20")
log   = _row("log", ieee.log, lambda y, x: (_log_slope(x),), _POSITIVE, (1, 1, 3, 4),
             "The natural logarithm; -inf at 0.", "1 / x; inf at 0.", "log(2.0) -> 0.6931471805599453")
log2  = _row("log2", ieee.log2, lambda y, x: (_log_slope(x, _LOG2E),), _POSITIVE, (1, 2, 3, 4),
             "The logarithm to base 2; -inf at 0.", "1 / (x * log(2)); inf at 0.", "log2(8.0) -> 3.0")
log10 = _row("log10", ieee.log10, lambda y, x: (_log_slope(x, _LOG10E),), _POSITIVE, (2, 2, 3, 4),
             "The logarithm to base 10; -inf at 0.", "1 / (x * log(10)); inf at 0.", "log10(1000.0) -> 3.0")
log1p = _row("log1p", ieee.log1p, lambda y, x: (_log_slope(1.0 + x),), (-0.999, 1e300), (1, 2, 4, 4),
             "log(1 + x), without losing the digits of a small x; -inf at -1.", "1 / (1 + x); inf at -1.",
             "log1p(1e-20) -> 1e-20")
sqrt  = _row("sqrt", ieee.sqrt, lambda y, x: (0.5 / (y + 0.0),), _POSITIVE, (0.5, 2, 4, 8),
             "The square root.", "0.5 / sqrt(x); inf at 0 and at -0.0.", "sqrt(2.0) -> 1.4142135623730951", kink=lambda y, x: x == 0.0)
cbrt  = _row("cbrt", ieee.cbrt, lambda y, x: (1.0 / y / y / 3.0 if _known(x) == _known(y) else one_power_less(y, x, 1.0 / 3.0) / 3.0,), _ANY, (3, 4, 8, 12),
             "The cube root, of negative numbers too.", "1 / (3 * cbrt(x)**2); inf at 0.", "cbrt(-8.0) -> -2.0", kink=lambda y, x: x == 0.0)

# -- circles and hyperbolas --------------------------------------------------------------------------------------------
sin   = _row("sin", ieee.sin, lambda y, x: (cos(x),), (-1e6, 1e6), (1, 1, 1, 1),
             "The sine of x in radians.", "cos(x).", "sin(1.0) -> 0.8414709848078965")
cos   = _row("cos", ieee.cos, lambda y, x: (-sin(x),), (-1e6, 1e6), (1, 1, 1, 1),
             "The cosine of x in radians.", "-sin(x).", "cos(1.0) -> 0.5403023058681398")
tan   = _row("tan", ieee.tan, lambda y, x: (1.0 + y * y,), (-1.57, 1.57), (1, 2, 4, 8),
             "The tangent of x in radians.", "1 + tan(x)**2.", "tan(1.0) -> 1.5574077246549023")
asin  = _row("asin", ieee.asin, lambda y, x: (1.0 / sqrt(one_minus_square(x)),), _UNIT, (1, 2, 6, 12),
             "The angle whose sine is x, from -π/2 to π/2.", "1 / sqrt(1 - x**2); inf at ±1.", "asin(1.0) -> 1.5707963267948966", kink=lambda y, x: x * x == 1.0)
acos  = _row("acos", ieee.acos, lambda y, x: (-1.0 / sqrt(one_minus_square(x)),), _UNIT, (1, 2, 6, 12),
             "The angle whose cosine is x, from 0 to π.", "-1 / sqrt(1 - x**2); -inf at ±1.", "acos(0.0) -> 1.5707963267948966", kink=lambda y, x: x * x == 1.0)
atan  = _row("atan", ieee.atan, _atan_rule, _ANY, (1, 3, 6, 12),
             "The angle whose tangent is x, from -π/2 to π/2.", "1 / (1 + x**2).", "atan(1.0) -> 0.7853981633974483")
atan2 = _row("atan2", ieee.atan2, _atan2_rule,
             _WIDE, (1, 3, 16, 16), "The angle of the point (x, y), from -π to π; note the order of the arguments.",
             "x / (x**2 + y**2), -y / (x**2 + y**2); nan at the origin.", "atan2(1.0, -1.0) -> 2.356194490192345", kink=lambda angle, y, x: x <= 0.0 == y)
sinh  = _row("sinh", ieee.sinh, lambda y, x: (cosh(x),), (-709.0, 709.0), (2, 2, 2, 2),
             "The hyperbolic sine.", "cosh(x).", "sinh(1.0) -> 1.1752011936438014")
cosh  = _row("cosh", ieee.cosh, lambda y, x: (sinh(x),), (-709.0, 709.0), (2, 2, 2, 2),
             "The hyperbolic cosine.", "sinh(x).", "cosh(1.0) -> 1.5430806348152437")
asinh = _row("asinh", ieee.asinh, lambda y, x: (1.0 / hypot(1.0, x),), _ANY, (2, 2, 6, 12),
             "The number whose hyperbolic sine is x.", "1 / sqrt(1 + x**2).", "asinh(1.0) -> 0.881373587019543")
acosh = _row("acosh", ieee.acosh, lambda y, x: (1.0 / sqrt(x - 1.0) / sqrt(x + 1.0),), (1.0, 1e300), (2, 3, 6, 12),
             "The number whose hyperbolic cosine is x >= 1.", "1 / sqrt(x**2 - 1); inf at 1.", "acosh(2.0) -> 1.3169578969248166", kink=lambda y, x: x == 1.0)
atanh = _row("atanh", ieee.atanh, lambda y, x: (select(abs(x) > 1.0, math.nan, 1.0) / one_minus_square(x),), _UNIT, (2, 2, 6, 12),
             "The number whose hyperbolic tangent is x.", "1 / (1 - x**2); inf at ±1.", "atanh(0.5) -> 0.5493061443340548")
hypot = _row("hypot", ieee.hypot, _hypot_rule, _WIDE, (1, 3, 6, 12),
             "The length of a vector, without overflow: sqrt(x1**2 + x2**2 + ...).", "x / hypot for each x; 0 at the origin, where second derivatives are nan: the tip of a cone.",
             "hypot(3.0, 4.0) -> 5.0", kink=lambda h, *xs: h == 0.0, curvature=math.nan)

# -- the normal distribution -------------------------------------------------------------------------------------------
erf   = _row("erf", ieee.erf, lambda y, x: (_GAUSS * _gaussian(x),), (-26.0, 26.0), (1, 4, 6, 8),
             "The error function.", "2 / sqrt(π) * exp(-x**2).", "erf(0.0) -> 0.0")
erfc  = _row("erfc", ieee.erfc, lambda y, x: (-_GAUSS * _gaussian(x),), (-26.0, 26.0), (4, 4, 6, 8),
             "1 - erf(x), without losing the digits of its right tail.", "-2 / sqrt(π) * exp(-x**2).",
             "erfc(0.0) -> 1.0")

ndtr  = _row("ndtr", ieee.ndtr, lambda y, x: (_DENSITY * _gaussian(x, 0.5),), (-37.0, 37.0), (4, 4, 6, 8),
             "The probability that a standard normal number is below x.", "exp(-x**2 / 2) / sqrt(2π).", "ndtr(0.0) -> 0.5")

lifted_ndtr = _row("lifted_ndtr", ieee.lifted_ndtr, lambda y, x: (_DENSITY * _gaussian(x, 0.5, 70.0),), (-40.0, -37.0), (4, 4, 6, 8),
             "exp(70) * ndtr(x): on the far left, where ndtr(x) is so small that it has few digits, this has all.",
             "exp(70 - x**2 / 2) / sqrt(2π).", "lifted_ndtr(-50.0) < 1e-300 -> True")

# -- with kinks and steps ----------------------------------------------------------------------------------------------
abs   = _row("abs", operator.abs, lambda y, x: (select(x == 0.0, ZERO, branch(x == x, lambda: sign(x), lambda: x / x)),), _ANY, (),
             "The absolute value.", "sign(x); 0 at 0, the smallest of the slopes between -1 and 1, and so are second derivatives.", "abs(-2.0) -> 2.0", kink=lambda y, x: x == 0.0, curvature=0.0)
flat  = _row("flat", lambda x: FLAT, lambda y, x: (1.0,), _ANY, (),
             "0, whatever it is multiplied by, with the derivative of x: for rules.", "1.", "flat(2.0) * float('inf') -> 0.0")
slope_at_kink = _row("slope_at_kink", lambda *xs: FLAT, lambda y, *xs: (_undefined(*xs),) * len(xs), _ANY, (),
             "0, whatever it is multiplied by: the slope of a cone at its tip, for rules.", "nan.", "slope_at_kink(0.0, 0.0) -> 0.0")
sign  = _row("sign", ieee.sign, lambda y, x: (ZERO,), _ANY, (),
             "-1, 0 or 1; nan for nan.", "0.", "sign(-2.0) -> -1.0", kink=lambda y, x: x == 0.0)
floor = _row("floor", ieee.floor, lambda y, x: (ZERO,), _ANY, (),
             "The largest whole number not above x.", "0.", "floor(-1.5) -> -2.0", kink=lambda y, x: y == x)
maximum = _row("maximum", ieee.maximum, _extremum_rule, _ANY, (),
             "The largest of several, or of those in one iterable; nan if any is nan.", "1 for the largest, no edge for the others; ties share evenly.",
             "maximum(1.0, 3.0, 2.0) -> 3.0", kink=lambda y, *xs: xs.count(y) > 1,
             spread=_of_one_iterable("maximum"), curvature=0.0)
minimum = _row("minimum", ieee.minimum, _extremum_rule, _ANY, (),
             "The smallest of several, or of those in one iterable; nan if any is nan.", "1 for the smallest, no edge for the others; ties share evenly.",
             "minimum(1.0, 3.0, 2.0) -> 1.0", kink=lambda y, *xs: xs.count(y) > 1,
             spread=_of_one_iterable("minimum"), curvature=0.0)
round = _row("round", ieee.rounded, lambda y, x, digits: (ZERO, ZERO), (_ANY, (0.0, 0.0)), (),
             "The nearest number with so many digits behind the point (none by default); of two, the one with the even digit.",
             "0.", "round(2.5) -> 2.0", kink=ieee.is_halfway)
clip  = _row("clip", ieee.clip, _clip_rule, _ANY, (),
             "x limited to the interval from low to high.", "1 inside, no edge outside and at the bounds, where the bound has 1.",
             "clip(1.7, 0.0, 1.0) -> 1.0", kink=lambda y, x, low, high: x in (low, high), curvature=0.0)
where = _row("where", ieee.where, lambda y, condition, a, b: (ZERO, select(condition, 1.0, ZERO), select(condition, ZERO, 1.0)),
             _ANY, (), "a if the condition holds, else b.", "1 for the arm taken, no edge for the other and for the condition.",
             "where(2.0 > 1.0, 5.0, 6.0) -> 5.0")
stop  = _row("stop_gradient", operator.pos, lambda y, x: (ZERO,), _ANY, (),
             "The number itself, as a constant.", "no edge: derivatives end here.", "stop(2.0) -> 2.0")
xlogy = _row("xlogy", ieee.xlogy,
             _xlogy_rule,
             ((1e-100, 1e100), (1e-100, 1e100)), (2, 2, 4, 4),
             "x * log(y), and 0 for x = 0 even at y = 0.", "log(y), x / y; in y it is 0 for x = 0.", "xlogy(0.0, 0.0) -> 0.0", kink=lambda z, x, y: x == 0.0 == y)

# -- of any number of operands -----------------------------------------------------------------------------------------
sum_of = _row("sum", ieee.total, lambda y, *xs: (1.0,) * len(xs), _ANY, (),
             "The sum of all operands from left to right.", "1 each.", "sum_of(1.0, 2.0, 3.0) -> 6.0", "Σ")
dot_of = _row("dot", ieee.dot, _dot_rule, _WIDE, (),
             "The sum of the products of the first half of the operands with the second.", "the partner in the other half.",
             "dot_of(1.0, 2.0, 3.0, 4.0) -> 11.0", "·")
# fmt: on
