"""Expansions: rows of the table in simpler ones, for languages and backends that lack a function.

Each takes registers or floats and returns what the row's function returns, within 3 ulp and with the same special
values. They have no loops over data, and use only + - * /, comparisons, `where`, abs, floor, sqrt, exp, log, log1p,
pow, fmod, and rows that are expanded here themselves.
Not here: how a language writes an operation (`languages`). Read next: `compile.passes`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from autograd_mini.core import ieee
from autograd_mini.core import table as of
from autograd_mini.core.rules import LN2, halves
from autograd_mini.core.table import abs, exp, floor, log, log1p, pow, sqrt, where
from autograd_mini.errors import ArgumentError

# Rational approximations, lowest power first. Source: W. J. Cody, "Rational Chebyshev approximations for the error
# function", Mathematics of Computation 23 (1969), 631-637, with the digits of his program (Netlib, specfun, 1990).
_ERF = (
    (3209.37758913846947, 377.485237685302021, 113.864154151050156, 3.16112374387056560, 0.185777706184603153),
    (2844.23683343917062, 1282.61652607737228, 244.024637934444173, 23.6012909523441209, 1.0),
)  # erf(x) / x in x**2, for |x| <= 0.46875
_ERFC = (
    (
        1230.33935479799725,
        2051.07837782607147,
        1712.04761263407058,
        881.952221241769090,
        298.635138197400131,
        66.1191906371416295,
        8.88314979438837594,
        0.564188496988670089,
        2.15311535474403846e-8,
    ),
    (
        1230.33935480374942,
        3439.36767414372164,
        4362.61909014324716,
        3290.79923573345963,
        1621.38957456669019,
        537.181101862009858,
        117.693950891312499,
        15.7449261107098347,
        1.0,
    ),
)  # exp(x**2) * erfc(x) in x, for x from 0.46875 to 4
_TAIL = (
    (6.58749161529837803e-4, 1.60837851487422766e-2, 0.125781726111229246, 0.360344899949804439, 0.305326634961232344,
     1.63153871373020978e-2),
    (2.33520497626869185e-3, 6.05183413124413191e-2, 0.527905102951428412, 1.87295284992346047, 2.56852019228982242, 1.0),
)  # (1 / sqrt(pi) - x * exp(x**2) * erfc(x)) * x**2 in 1 / x**2, for x >= 4  # fmt: skip

# Source: M. J. Wichura, "Algorithm AS 241", Applied Statistics 37 (1988), 477-484; Python's `statistics` has it too.
_MIDDLE = (
    (
        1.72349002693056428,
        62.5437517839112709,
        833.787063070113988,
        5028.05368635430059,
        13639.7536356514696,
        14317.3944738121242,
        3744.76677224566544,
    ),
    (
        1.0,
        42.3133307016009112520,
        687.187007492057908300,
        5394.19602142475110770,
        21213.7943015865958670,
        39307.8958000927106100,
        28729.0857357219426740,
        5226.49527885285456100,
    ),
)  # his (quantile / (p - 1/2)) in r = 0.180625 - (p - 1/2)**2, over √8, minus √π/2, over (p - 1/2)**2
_NEAR = (
    (
        1.42343711074968357734,
        4.63033784615654529590,
        5.76949722146069140550,
        3.64784832476320460504,
        1.27045825245236838258,
        0.241780725177450611770,
        0.0227238449892691845833,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187,
        1.67638483018380384940,
        0.689767334985100004550,
        0.148103976427480074590,
        0.0151986665636164571966,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)  # quantile in r - 1.6 with r = sqrt(-log(p)), for r <= 5
_FAR = (
    (
        6.65790464350110377720,
        5.46378491116411436990,
        1.78482653991729133580,
        0.296560571828504891230,
        0.0265321895265761230930,
        0.00124266094738807843860,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        0.599832206555887937690,
        0.136929880922735805310,
        0.0148753612908506148525,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)  # quantile in r - 5, beyond


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Horner's scheme."""
    return functools.reduce(lambda total, c: total * x + c, reversed(coefficients))


def _ratio(coefficients: tuple[Sequence[float], Sequence[float]], x: Any) -> Any:
    above, below = coefficients
    return _polynomial(above, x) / _polynomial(below, x)


def _either_sign(x: Any, y: Any) -> Any:
    """An odd function of x, given as y for |x|; keeps the sign of a zero, and nan."""
    return where(x > 0.0, y, where(x < 0.0, -y, x))


def _far_erfc(x: Any) -> Any:
    """erfc(|x|) for |x| >= 0.46875; exp(-x**2) is split as `core.rules.gaussian` splits it."""
    x = of.clip(abs(x), 0.46875, 30.0)
    h = floor(x * 4096.0) / 4096.0
    gaussian = exp(-h * h) * exp((h - x) * (h + x))
    s = 1.0 / (x * x)
    return gaussian * where(x <= 4.0, _ratio(_ERFC, x), (math.sqrt(1.0 / math.pi) - s * _ratio(_TAIL, s)) / x)


def _near_erf(x: Any) -> Any:
    """erf(x) for |x| <= 0.46875."""
    return x * _ratio(_ERF, x * x)


def _erf(x: Any) -> Any:
    return where(abs(x) <= 0.46875, _near_erf(x), _either_sign(x, 0.5 - _far_erfc(x) + 0.5))


def _erfc(x: Any) -> Any:
    far = _far_erfc(x)
    return where(abs(x) <= 0.46875, 1.0 - _near_erf(x), where(x < 0.0, 2.0 - far, far))


def _ndtr(x: Any) -> Any:
    """`ieee.ndtr` explains the correction of erfc."""
    x = of.clip(x, -40.0, 40.0)
    product = x * ieee._ROOT
    high = 134217729.0 * x
    high = high - (high - x)
    low = x - high
    error = ((high * ieee._ROOT_HIGH - product) + high * ieee._ROOT_LOW + low * ieee._ROOT_HIGH) + low * ieee._ROOT_LOW
    slope = 2.0 / math.sqrt(math.pi) * exp(-product * product)
    return 0.5 * (of.erfc(-product) + slope * (error + x * ieee._ROOT_REST))


def _lifted_ndtr(x: Any) -> Any:
    left = of.clip(x, -60.0, -30.0)
    fraction = -left
    for n in range(8, 0, -1):
        fraction = float(n) / fraction - left
    h = floor(left * 4096.0) / 4096.0
    tail = exp(70.0 - 0.5 * h * h) * exp(-0.5 * (left - h) * (left + h)) / math.sqrt(2.0 * math.pi) / fraction
    return where(left == x, tail, math.exp(70.0) * of.ndtr(x))


def _erfinv(x: Any) -> Any:
    """The normal quantile of (1 + x) / 2, divided by √2."""
    half = 0.5 * x
    square = half * half
    middle = x * (0.5 * math.sqrt(math.pi) + square * _ratio(_MIDDLE, 0.180625 - square))
    r = sqrt(-log(0.5 - abs(half)))
    tail = where(r <= 5.0, _ratio(_NEAR, r - 1.6), _ratio(_FAR, r - 5.0)) * math.sqrt(0.5)
    return where(abs(half) <= 0.425, middle, _either_sign(x, where(abs(x) == 1.0, math.inf, tail)))


def _log2(x: Any) -> Any:
    """Exact for powers of two."""
    y = log(x) / LN2
    n = floor(y + 0.5)
    return where(pow(2.0, n) == x, n, y)


def _asinh(x: Any) -> Any:
    size = abs(x)
    square = size * size
    near = log1p(size + square / (1.0 + sqrt(1.0 + square)))
    return _either_sign(x, where(size < 1e8, near, log(size) + LN2))


def _acosh(x: Any) -> Any:
    t = x - 1.0
    y = where(x < 1e8, log1p(t + sqrt(2.0 * t + t * t)), log(x) + LN2)
    return where(x < 1.0, math.nan, y)


def _atanh(x: Any) -> Any:
    size = abs(x)
    double, rest = size + size, 1.0 - size
    return _either_sign(x, 0.5 * log1p(where(size < 0.5, double + double * size / rest, double / rest)))


def _hypot(*xs: Any) -> Any:
    """Scaled by a power of two where squares would overflow or vanish; the sum's rounding errors are added up too."""
    sizes = [abs(x) for x in xs]
    largest = _maximum(*sizes)
    scale = where(largest > 1e140, 2.0**-600, where(largest < 1e-140, 2.0**600, 1.0))
    total, lost, is_infinite = 0.0, 0.0, sizes[0] == math.inf
    for size in sizes:
        scaled = size * scale
        square = scaled * scaled
        before, total = total, total + square
        added = total - before
        lost = lost + ((before - (total - added)) + (square - added))
        is_infinite = is_infinite | (size == math.inf)
    return where(is_infinite, math.inf, sqrt(total + lost) / scale)


def _maximum(*xs: Any) -> Any:
    return functools.reduce(lambda a, b: where((a >= b) | (a != a), a, b), xs)


def _minimum(*xs: Any) -> Any:
    return functools.reduce(lambda a, b: where((a <= b) | (a != a), a, b), xs)


def _remainder(a: Any, b: Any) -> Any:
    rest = of.fmod(a, b)
    return where(rest == 0.0, where(b < 0.0, -0.0, 0.0), where((b < 0.0) == (rest < 0.0), rest, rest + b))


def _floor_divide(a: Any, b: Any) -> Any:
    """CPython's: a minus the remainder is almost a multiple of b, and the quotient almost an integer."""
    rest = of.fmod(a, b)
    is_beyond = (rest != 0.0) & ((b < 0.0) != (rest < 0.0))
    quotient = (a - rest) / b - where(is_beyond, 1.0, 0.0)
    below = floor(quotient)
    near = where(quotient == 0.0, 0.0 * (a / b), where(quotient - below > 0.5, below + 1.0, below))
    return where(b == 0.0, a / b, near)


def _round(x: Any, digits: float) -> Any:
    """To an integer or to a multiple of a power of ten, ties to even; both neighbours are rounded once."""
    if not -22.0 <= digits < 1.0:
        raise ArgumentError(
            f"round(x, {digits:g}) needs decimal digits, which this language or backend does not compute.",
            "Round to at most 0 digits, and at least -22.",
        )
    step = 10.0 ** -math.floor(digits)
    size = abs(x)
    rest = of.fmod(size, step)
    lower, upper = size - rest, size + (step - rest)
    is_odd = of.fmod(lower, 2.0 * step) >= step
    nearest = where((rest > 0.5 * step) | ((rest == 0.5 * step) & is_odd), upper, lower)
    return where(abs(x) == math.inf, x, _either_sign(x, nearest))


def _power_term(x: Any, p: Any, less: float, logs: float) -> Any:
    """`ieee.power_term` for the constants `less` and `logs`, which are floats on every tape."""
    exponent = p - less
    divided = pow(x, p)
    for _ in range(int(less)):
        divided = divided / x
    is_exact = (exponent + less == p) | (x == 0.0) | (abs(x) == math.inf)
    term = where(is_exact, pow(x, exponent), divided)
    if logs == 0.0:
        return term
    times = log(x) if logs == 1.0 else pow(log(x), logs)
    has_limit = ((exponent > 0.0) & (x == 0.0)) | ((exponent < 0.0) & (x == math.inf))
    return where(has_limit, term, term * times)


def _sum(*xs: Any) -> Any:
    return functools.reduce(lambda total, x: total + x, xs) if xs else 0.0


# For each row its expansion. Constant operands must be floats, as rules write them: `power_term` and `round` unroll.
EXPANSIONS: dict[str, Callable[..., Any]] = {
    "acosh": _acosh,
    "asinh": _asinh,
    "atanh": _atanh,
    "clip": lambda x, low, high: of.minimum(of.maximum(x, low), high),
    "dot": lambda *xs: _sum(*[a * b for a, b in zip(*halves(xs), strict=True)]),
    "erf": _erf,
    "erfc": _erfc,
    "erfinv": _erfinv,
    "exp2": lambda x: pow(2.0, x),
    "floor_divide": _floor_divide,
    "hypot": _hypot,
    "lifted_ndtr": _lifted_ndtr,
    "log2": _log2,
    "maximum": _maximum,
    "minimum": _minimum,
    "ndtr": _ndtr,
    "one_minus_square": lambda x: (1.0 - x) * (1.0 + x),
    "one_power_less": lambda y, x, p: y / x,
    "power_term": _power_term,
    "remainder": _remainder,
    "round": _round,
    "sign": lambda x: where(x > 0.0, 1.0, where(x < 0.0, -1.0, where(x == x, 0.0, x))),
    "stop_gradient": lambda x: x,
    "sum": _sum,
    "xlogy": lambda x, y: where((x == 0.0) & (y == y), 0.0, x * log(y)),
}
