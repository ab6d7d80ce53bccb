"""THE TABLE: one row per primitive operation. Adding an operation is adding one row.

A row holds the name, the function on floats, the rule (the local partial derivatives, written with the functions of
this table), the domain from which tests draw points, the largest errors they allow, the text of `help`, and the facts
that the rest of the package uses (the columns of `row.Primitive`). The same rule serves floats, `Value`s (derivatives
of any order), SymPy expressions (proofs) and traced values.
Not here: `Value`; each type of operand has its interpreter in `interpreters`. Read next: `core.rules`.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from autograd_mini.core import ieee
from autograd_mini.core import rules as of
from autograd_mini.core.operation import define as row
from autograd_mini.core.row import FLAT, ZERO, Operation, branch, select
from autograd_mini.core.rules import ANY, DENSITY, GAUSS, LN2, LOG2E, LOG10E, POSITIVE, ROUNDED, UNIT, WIDE

# Rules use these rows before they are defined.
abs: Operation
cos: Operation
cosh: Operation
floor: Operation
hypot: Operation
one_minus_square: Operation
one_power_less: Operation
sign: Operation
sum_of: Operation

_IS_OPERATOR: Any = {"is_public": False, "is_method": False}
_FOR_RULES: Any = {"is_public": False, "is_method": False}
_INF = math.inf

# fmt: off
# -- the operators -----------------------------------------------------------------------------------------------------
add  = row("add", operator.add, lambda y, a, b: (1.0, 1.0), ANY, ROUNDED,
           "The sum, `a + b`.", "1, 1.", "add(2.0, 3.0) -> 5.0", "+", letter="s", is_straight=True, **_IS_OPERATOR)
sub  = row("sub", operator.sub, lambda y, a, b: (1.0, -1.0), ANY, ROUNDED,
           "The difference, `a - b`.", "1, -1.", "sub(2.0, 3.0) -> -1.0", "-", letter="d", is_straight=True, **_IS_OPERATOR)
mul  = row("mul", operator.mul, lambda y, a, b: (b, a), WIDE, ROUNDED,
           "The product, `a * b`.", "b, a.", "mul(2.0, 3.0) -> 6.0", "*", letter="p", **_IS_OPERATOR)
div  = row("div", ieee.divide, lambda y, a, b: (1.0 / b, -(y / b)), WIDE, (0.5, 2, 3, 4),
           "The quotient, `a / b`; a zero divisor gives inf or nan.", "1 / b, -(a / b) / b.", "div(3.0, 2.0) -> 1.5", "/",
           form="fraction", letter="q", poles=(0.0,), has_flat_tails=True, **_IS_OPERATOR)
neg  = row("neg", operator.neg, lambda y, x: (-1.0,), ANY, ROUNDED,
           "The number with its sign changed, `-x`.", "-1.", "neg(2.0) -> -2.0", "-", is_exact=True, is_straight=True, **_IS_OPERATOR)
pos  = row("pos", operator.pos, lambda y, x: (1.0,), ANY, ROUNDED,
           "The number itself, as a new node.", "1.", "pos(2.0) -> 2.0", "+", is_exact=True, is_straight=True, **_IS_OPERATOR)
pow  = row("pow", ieee.power, of.pow_rule, ((1e-3, 1e3), (-30.0, 30.0)), (1, 3, 8, 16),
           "x to the power p, `x ** p`. x ** 2 equals x * x bit for bit, x ** 0 is 1, and a negative x needs an integer p.",
           "p * x ** (p - 1), x ** p * log(x).\nIn x it is 0 for p = 0; in p it is 0 at x = 0 <= p, and nan for x < 0.\nSecond derivatives at x = 0 are the limits from the right.",
           "pow(2.0, 3.0) -> 8.0", "**", form="power", kink=lambda y, x, p: x == 0.0 < p < 1.0, poles=(0.0,), numpy="float_power", is_method=False)
floor_divide = row("floor_divide", ieee.floor_divide, lambda y, a, b: (ZERO, ZERO), WIDE, (),
           "The quotient rounded down to an integer, `a // b`.", "0.", "floor_divide(7.0, 2.0) -> 3.0", "//",
           kink=lambda y, a, b: a / b == y if b else False, expansion=lambda a, b: floor(a / b), poles=(0.0,), is_step=True, **_IS_OPERATOR)
remainder = row("remainder", ieee.remainder, lambda y, a, b: of.remainder_rule(y, floor_divide(a, b)), WIDE, (),
           "The remainder of `a // b`, `a % b`; it has the sign of b.", "1, -(a // b).", "remainder(-7.0, 3.0) -> 2.0", "%",
           kink=lambda y, a, b: y == 0.0, is_method=False)
fmod = row("fmod", ieee.fmod, lambda y, a, b: of.remainder_rule(y, floor_divide(abs(a), abs(b)) * sign(a) * sign(b)), WIDE, (),
           "The remainder of a division rounded towards zero, as C's `fmod`; it has the sign of a.", "1, minus the quotient rounded towards zero.",
           "fmod(-7.0, 3.0) -> -1.0", kink=lambda y, a, b: y == 0.0 != a, expansion=lambda a, b: a - b * sign(a / b) * floor(abs(a / b)))

# -- exponentials, logarithms, roots -----------------------------------------------------------------------------------
exp   = row("exp", ieee.exp, lambda y, x: (y,), (-708.0, 709.0), (1, 1, 1, 1),
            "e to the power x.", "exp(x), the result itself.", "exp(1.0) -> 2.718281828459045")
exp2  = row("exp2", ieee.exp2, of.exp2_rule, (-1021.0, 1023.0), (1, 2, 3, 4),
            "2 to the power x.", "exp2(x) * log(2).", "exp2(3.0) -> 8.0", expansion=lambda x: pow(2.0, x))
expm1 = row("expm1", ieee.expm1, lambda y, x: (exp(x),), (-700.0, 709.0), (1, 1, 1, 1),
            "exp(x) - 1, accurate for small x too.", "exp(x).", "expm1(1e-20) -> 1e-20",
            letter="u", expansion=lambda x: exp(x) - 1.0)
log   = row("log", ieee.log, lambda y, x: (of.log_slope(x),), POSITIVE, (1, 1, 3, 4),
            "The natural logarithm; -inf at 0.", "1 / x; inf at 0.", "log(2.0) -> 0.6931471805599453", inside=(0.0, _INF), poles=(0.0,))
log2  = row("log2", ieee.log2, lambda y, x: (of.log_slope(x, LOG2E),), POSITIVE, (1, 2, 3, 4),
            "The logarithm to base 2; -inf at 0.", "1 / (x * log(2)); inf at 0.", "log2(8.0) -> 3.0",
            expansion=lambda x: log(x) / LN2, inside=(0.0, _INF), poles=(0.0,))
log10 = row("log10", ieee.log10, lambda y, x: (of.log_slope(x, LOG10E),), POSITIVE, (2, 2, 3, 4),
            "The logarithm to base 10; -inf at 0.", "1 / (x * log(10)); inf at 0.", "log10(1000.0) -> 3.0",
            expansion=lambda x: log(x) / math.log(10.0), inside=(0.0, _INF), poles=(0.0,))
log1p = row("log1p", ieee.log1p, lambda y, x: (of.log_slope(1.0 + x),), (-0.999, 1e300), (1, 2, 4, 4),
            "log(1 + x), accurate for small x too; -inf at -1.", "1 / (1 + x); inf at -1.", "log1p(1e-20) -> 1e-20",
            expansion=lambda x: log(1.0 + x), inside=(-1.0, _INF), poles=(-1.0,))
sqrt  = row("sqrt", ieee.sqrt, lambda y, x: (0.5 / (y + 0.0),), POSITIVE, (0.5, 2, 4, 8),
            "The square root.", "0.5 / sqrt(x); inf at 0 and at -0.0.", "sqrt(2.0) -> 1.4142135623730951",
            form="square root", kink=lambda y, x: x == 0.0, inside=(0.0, _INF), poles=(0.0,))
cbrt  = row("cbrt", ieee.cbrt, of.cbrt_rule, ANY, (3, 4, 8, 12),
            "The cube root, also of negative numbers.", "1 / (3 * cbrt(x)**2); inf at 0.", "cbrt(-8.0) -> -2.0",
            form="cube root", kink=lambda y, x: x == 0.0, expansion=lambda x: sign(x) * pow(abs(x), 1.0 / 3.0), poles=(0.0,))

# -- circles and hyperbolas --------------------------------------------------------------------------------------------
sin   = row("sin", ieee.sin, lambda y, x: (cos(x),), (-1e6, 1e6), (1, 1, 1, 1),
            "The sine of x in radians.", "cos(x).", "sin(1.0) -> 0.8414709848078965")
cos   = row("cos", ieee.cos, lambda y, x: (-sin(x),), (-1e6, 1e6), (1, 1, 1, 1),
            "The cosine of x in radians.", "-sin(x).", "cos(1.0) -> 0.5403023058681398")
tan   = row("tan", ieee.tan, lambda y, x: (1.0 + y * y,), (-1.57, 1.57), (1, 2, 4, 8),
            "The tangent of x in radians.", "1 + tan(x)**2.", "tan(1.0) -> 1.5574077246549023")
asin  = row("asin", ieee.asin, lambda y, x: (1.0 / sqrt(one_minus_square(x)),), UNIT, (1, 2, 6, 12),
            "The angle whose sine is x, from -π/2 to π/2.", "1 / sqrt(1 - x**2); inf at ±1.", "asin(1.0) -> 1.5707963267948966",
            kink=lambda y, x: x * x == 1.0, numpy="arcsin", inside=UNIT, poles=UNIT)
acos  = row("acos", ieee.acos, lambda y, x: (-1.0 / sqrt(one_minus_square(x)),), UNIT, (1, 2, 6, 12),
            "The angle whose cosine is x, from 0 to π.", "-1 / sqrt(1 - x**2); -inf at ±1.", "acos(0.0) -> 1.5707963267948966",
            kink=lambda y, x: x * x == 1.0, numpy="arccos", inside=UNIT, poles=UNIT)
atan  = row("atan", ieee.atan, of.atan_rule, ANY, (1, 3, 6, 12),
            "The angle whose tangent is x, from -π/2 to π/2.", "1 / (1 + x**2).", "atan(1.0) -> 0.7853981633974483",
            numpy="arctan", has_flat_tails=True)
atan2 = row("atan2", ieee.atan2, of.atan2_rule, WIDE, (1, 3, 16, 16),
            "The angle of the point (x, y), from -π to π; note the order of the arguments.",
            "x / (x**2 + y**2), -y / (x**2 + y**2); nan at the origin.", "atan2(1.0, -1.0) -> 2.356194490192345",
            kink=lambda angle, y, x: x <= 0.0 == y, numpy="arctan2", has_flat_tails=True)
sinh  = row("sinh", ieee.sinh, lambda y, x: (cosh(x),), (-709.0, 709.0), (2, 2, 2, 2),
            "The hyperbolic sine.", "cosh(x).", "sinh(1.0) -> 1.1752011936438014")
cosh  = row("cosh", ieee.cosh, lambda y, x: (sinh(x),), (-709.0, 709.0), (2, 2, 2, 2),
            "The hyperbolic cosine.", "sinh(x).", "cosh(1.0) -> 1.5430806348152437")
asinh = row("asinh", ieee.asinh, lambda y, x: (1.0 / hypot(1.0, x),), ANY, (2, 2, 6, 12),
            "The number whose hyperbolic sine is x.", "1 / sqrt(1 + x**2).", "asinh(1.0) -> 0.881373587019543", numpy="arcsinh")
acosh = row("acosh", ieee.acosh, lambda y, x: (1.0 / sqrt(x - 1.0) / sqrt(x + 1.0),), (1.0, 1e300), (2, 3, 6, 12),
            "The number whose hyperbolic cosine is x >= 1.", "1 / sqrt(x**2 - 1); inf at 1.", "acosh(2.0) -> 1.3169578969248166",
            kink=lambda y, x: x == 1.0, numpy="arccosh", inside=(1.0, _INF), poles=(1.0,))
atanh = row("atanh", ieee.atanh, lambda y, x: (select(abs(x) > 1.0, math.nan, 1.0) / one_minus_square(x),), UNIT, (2, 2, 6, 12),
            "The number whose hyperbolic tangent is x.", "1 / (1 - x**2); inf at ±1.", "atanh(0.5) -> 0.5493061443340548",
            numpy="arctanh", inside=UNIT, poles=UNIT)
hypot = row("hypot", ieee.hypot, of.hypot_rule, WIDE, (1, 3, 6, 12),
            "The length of a vector, sqrt(x1**2 + x2**2 + ...), without overflow.", "x / hypot for each x. At the origin, the tip of a cone, it is 0 and second derivatives are nan.",
            "hypot(3.0, 4.0) -> 5.0", kink=lambda h, *xs: h == 0.0, curvature=math.nan, expansion=lambda *xs: sqrt(sum_of(*[x * x for x in xs])), has_flat_tails=True)

# -- the normal distribution -------------------------------------------------------------------------------------------
erf   = row("erf", ieee.erf, lambda y, x: (GAUSS * of.gaussian(x),), (-26.0, 26.0), (1, 4, 6, 8),
            "The error function.", "2 / sqrt(π) * exp(-x**2).", "erf(0.0) -> 0.0", has_flat_tails=True)
erfc  = row("erfc", ieee.erfc, lambda y, x: (-GAUSS * of.gaussian(x),), (-26.0, 26.0), (4, 4, 6, 8),
            "1 - erf(x), accurate in the right tail too.", "-2 / sqrt(π) * exp(-x**2).", "erfc(0.0) -> 1.0", has_flat_tails=True)
erfinv = row("erfinv", ieee.erfinv, of.erfinv_rule, UNIT, (2, 5, 8, 12),
            "The inverse of the error function; ±inf at ±1.", "sqrt(π) / 2 * exp(erfinv(x)**2); inf at ±1.", "erfinv(0.5) -> 0.4769362762044699",
            inside=UNIT, poles=UNIT)
ndtr  = row("ndtr", ieee.ndtr, lambda y, x: (DENSITY * of.gaussian(x, 0.5),), (-37.0, 37.0), (4, 4, 6, 8),
            "The probability that a standard normal variable is below x.", "exp(-x**2 / 2) / sqrt(2π).", "ndtr(0.0) -> 0.5",
            letter="Φ", expansion=lambda x: (1.0 + erf(x / math.sqrt(2.0))) / 2.0, has_flat_tails=True)
lifted_ndtr = row("lifted_ndtr", ieee.lifted_ndtr, lambda y, x: (DENSITY * of.gaussian(x, 0.5, 70.0),), (-40.0, -37.0), (4, 4, 6, 8),
            "exp(70) * ndtr(x), accurate on the far left, where ndtr(x) is so small that it has few digits.",
            "exp(70 - x**2 / 2) / sqrt(2π).", "lifted_ndtr(-50.0) < 1e-300 -> True", expansion=lambda x: exp(70.0 + 0.0 * x) * ndtr(x), **_FOR_RULES)

# -- with kinks and steps ----------------------------------------------------------------------------------------------
abs   = row("abs", operator.abs, lambda y, x: (select(x == 0.0, ZERO, branch(x == x, lambda: sign(x), lambda: x / x)),), ANY, (),
            "The absolute value.", "sign(x).\nAt 0 it is 0, the smallest in absolute value of the slopes between -1 and 1; second derivatives are 0 too.", "abs(-2.0) -> 2.0",
            form="bars", kink=lambda y, x: x == 0.0, curvature=0.0, numpy="fabs", is_exact=True)
sign  = row("sign", ieee.sign, lambda y, x: (ZERO,), ANY, (),
            "The sign of x: -1, 0 or 1; nan for nan.", "0.", "sign(-2.0) -> -1.0", kink=lambda y, x: x == 0.0, is_step=True, is_exact=True)
floor = row("floor", ieee.floor, lambda y, x: (ZERO,), ANY, (),
            "The largest integer not above x.", "0.", "floor(-1.5) -> -2.0", form="floor", kink=lambda y, x: y == x, is_step=True, is_exact=True)
round = row("round", ieee.rounded, lambda y, x, digits: (ZERO, ZERO), (ANY, (0.0, 0.0)), (),
            "x rounded to this many decimals (0 by default), ties to even.", "0.",
            "round(2.5) -> 2.0", kink=ieee.is_halfway, expansion=of.round_half_even, is_step=True, is_public=False)
maximum = row("maximum", ieee.maximum, of.extremum_rule, ANY, (),
            "The largest of several numbers, or of those in one iterable; nan if any is nan.", "1 for the largest, no edge for the others; n tied operands get 1/n each.",
            "maximum(1.0, 3.0, 2.0) -> 3.0", kink=lambda y, *xs: xs.count(y) > 1, takes_iterable=True, curvature=0.0, is_exact=True)
minimum = row("minimum", ieee.minimum, of.extremum_rule, ANY, (),
            "The smallest of several numbers, or of those in one iterable; nan if any is nan.", "1 for the smallest, no edge for the others; n tied operands get 1/n each.",
            "minimum(1.0, 3.0, 2.0) -> 1.0", kink=lambda y, *xs: xs.count(y) > 1, takes_iterable=True, curvature=0.0, is_exact=True)
clip  = row("clip", lambda x, low, high: ieee.minimum(ieee.maximum(x, low), high), of.clip_rule, ANY, (),
            "x limited to the interval from low to high.", "1 for x inside; outside and at the bounds x has no edge, and the bound has slope 1.", "clip(1.7, 0.0, 1.0) -> 1.0",
            kink=lambda y, x, low, high: x in (low, high), curvature=0.0, expansion=lambda x, low, high: minimum(maximum(x, low), high), is_exact=True)
where = row("where", lambda condition, a, b: a if condition else b, lambda y, condition, a, b: (ZERO, select(condition, 1.0, ZERO), select(condition, ZERO, 1.0)), ANY, (),
            "a if the condition holds, else b.", "1 for the arm taken; no edge for the other arm or the condition.", "where(2.0 > 1.0, 5.0, 6.0) -> 5.0",
            form="choice", is_exact=True, is_straight=True)
stop  = row("stop_gradient", operator.pos, lambda y, x: (ZERO,), ANY, (),
            "The number itself, as a constant.", "None: there is no edge, so derivatives end here.", "stop(2.0) -> 2.0",
            expansion=lambda x: x, is_exact=True, is_straight=True, is_public=False)
defined = row("defined", operator.pos, lambda y, x: (select(x == x, 1.0, y),), ANY, ROUNDED,
            "The number itself; in nan, nan stays whatever the order of differentiation.", "1, and nan where x is nan.", "defined(2.0) -> 2.0",
            expansion=lambda x: x, is_exact=True, **_FOR_RULES)
xlogy = row("xlogy", lambda x, y: 0.0 if x == 0.0 and not math.isnan(y) else x * ieee.log(y), of.xlogy_rule, ((1e-100, 1e100), (1e-100, 1e100)), (2, 2, 4, 4),
            "x * log(y); 0 for x = 0, even at y = 0.", "log(y), x / y; in y it is 0 for x = 0.", "xlogy(0.0, 0.0) -> 0.0",
            kink=lambda z, x, y: x == 0.0 == y, expansion=lambda x, y: x * log(y), poles=(0.0,))

# -- of any number of operands -----------------------------------------------------------------------------------------
sum_of = row("sum", ieee.total, lambda y, *xs: (1.0,) * len(xs), ANY, (),
             "The sum of all operands from left to right.", "1 for each operand.", "sum_of(1.0, 2.0, 3.0) -> 6.0", "Σ", form="total", letter="r", is_straight=True, **_IS_OPERATOR)
dot_of = row("dot", ieee.dot, lambda y, *xs: (*of.halves(xs)[1], *of.halves(xs)[0]), WIDE, (),
             "The sum of the products of the first half of the operands with the second.", "For each operand, its partner in the other half.", "dot_of(1.0, 2.0, 3.0, 4.0) -> 11.0", "·",
             form="products", letter="h", expansion=lambda *xs: sum_of(*[a * b for a, b in zip(*of.halves(xs), strict=True)]), **_IS_OPERATOR)
take_of = row("take", ieee.take, of.take_rule, ((0.0, 2.0), ANY), (),
             "The operand at an index, rounded down; nan if there is none.", "1 for the operand at the index, no edge for the others or the index.", "take_of(1.0, 5.0, 6.0) -> 6.0",
             expansion=of.taken, is_exact=True, **_IS_OPERATOR)

# -- building blocks of rules and derivatives --------------------------------------------------------------------------
one_minus_square = row("one_minus_square", lambda x: (1.0 - x) * (1.0 + x), lambda y, x: (-2.0 * x,), WIDE, (2, 1, 1, 1),
             "1 - x**2, accurate near 1 and -1 too.", "-2 * x; differentiating (1 - x) * (1 + x) would lose digits near 0, and give inf - inf at ±1 in asin.",
             "one_minus_square(0.5) -> 0.75", expansion=lambda x: 1.0 - x * x, is_public=False)
one_power_less = row("one_power_less", lambda y, x, p: ieee.divide(y, x), lambda q, y, x, p: (ZERO, (p - 1.0) * one_power_less(q, x, p - 1.0), ZERO), WIDE, (),
             "y / x, where y is x ** p, possibly times a constant. Its derivative in x is one product, because two terms could be inf - inf.",
             "(p - 1) * y / x / x.", "one_power_less(9.0, 3.0, 2.0) -> 3.0", expansion=lambda y, x, p: y / x, poles=(0.0,), **_FOR_RULES)
power_term = row("power_term", ieee.power_term, of.power_term_rule, WIDE, (),
             "x ** (p - less) * log(x) ** logs, the terms of derivatives of powers, with their limits at 0 and infinity.",
             "In x, terms with `less` greater by 1; in p, the term with `logs` greater by 1.", "power_term(2.0, 4.0, 1.0, 0.0) -> 8.0",
             expansion=lambda x, p, less, logs: pow(x, p - less) * pow(log(x), logs), poles=(0.0,), **_FOR_RULES)
flat  = row("flat", lambda x: FLAT, lambda y, x: (1.0,), ANY, (),
             "0, whatever it is multiplied by, with the derivative of x.", "1.", "flat(2.0) * float('inf') -> 0.0", expansion=lambda x: 0.0, **_FOR_RULES)
slope_at_kink = row("slope_at_kink", lambda *xs: FLAT, lambda y, *xs: (of.undefined(*xs),) * len(xs), ANY, (),
             "0, whatever it is multiplied by: the slope of a cone at its tip.", "nan.", "slope_at_kink(0.0, 0.0) -> 0.0", expansion=lambda *xs: 0.0, **_FOR_RULES)
# fmt: on
