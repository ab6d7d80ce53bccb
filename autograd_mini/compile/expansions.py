"""Expansions: rows of the table in simpler ones, for languages and backends that lack a function.

Each takes registers or floats and returns what the row's function returns, within 3 ulp and with the same special
values. They have no loops over data, and use only + - * /, comparisons, `where`, abs, floor, sqrt, exp, log, log1p,
pow, fmod, and rows that are expanded here themselves.
Not here: how a language writes an operation (`languages`). Read next: `compile.backends`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence, Set
from typing import Any

from autograd_mini.compile.tape import INPUT, Tape
from autograd_mini.compile.tracing import Builder, Register
from autograd_mini.core import ieee
from autograd_mini.core import table as of
from autograd_mini.core.row import TABLE
from autograd_mini.core.rules import LN2, halves
from autograd_mini.core.table import abs, exp, floor, log, log1p, pow, sqrt, where
from autograd_mini.errors import ArgumentError

# Polynomials through Chebyshev points, lowest power first; tests/compile/test_expansions.py computes them again. Each
# is for the part of a function that is small, so that its rounding errors are smaller still.
# fmt: off
_NEAR_ERF = (
    0.1283791670955126, -0.3761263890318375, 0.11283791670954922, -0.026866170645055833, 0.005223977624011282,
    -0.0008548326864938173, 0.0001205532202098794, -1.4925162650006643e-05, 1.644812562737759e-06,
    -1.6114976987186543e-07, 1.2220982889794602e-08,
)  # erf(x) / x - 1, in x**2, for |x| <= 0.65
_FAR_ERFC = (
    -0.09996729976660096, -0.19770468713187392, -0.13789610864130572, -0.03003372597606436, -0.0023096505247786133,
    -0.003461890882064839, -0.0014640086490061062, 1.2741423066745425e-05, -0.00016490418846626568,
    -9.478210085796357e-05, 1.556474160789064e-05, -1.2620830742474682e-05, -6.7871713328356986e-06,
    2.814832457356552e-06, -1.579160598651176e-06, -3.70480339300626e-07, 3.740366619536839e-07,
    -2.3984643516549854e-07, 2.548299932994891e-08, 2.2642208714965405e-08, -3.5745545288969577e-08,
    2.2707789842083194e-08, -1.5581648075626675e-09, -9.238444447968563e-09, 3.608549950150932e-09,
    1.0638406572167643e-09, -6.639873872067947e-10,
)  # log(x * erfc(x)) + x**2 + 0.5625, in u = 3.499... / (x + 1) - 1.120..., for x from 0.65 to 28
_NEAR_ERFINV = (
    0.26355984940495497, 0.17531563464581446, 0.14707132448271243, 0.1377886051107194, 0.13767214667179284,
    0.1434578809125036, 0.1539677572976329, 0.16890217533038715, 0.1884322381504258, 0.21304707743417048,
    0.24348110872593534, 0.28080099184934726, 0.3272147402830992, 0.3827234645173973, 0.4298624496203614,
    0.5076597277378746, 0.8445366344964508, 1.0080353159054298,
)  # (erfinv(x) / x - sqrt(pi) / 2) / x**2, in x**2 - 0.21125, for |x| <= 0.65
_FAR_ERFINV = (
    -0.3122568968585301, -0.09567416727946287, 0.02703561145138457, 0.011890278485913269, 0.004604041838696518,
    0.000767972195014779, 2.880422513823446e-05, -9.592871141884315e-05, -4.0343395658946554e-05,
    -1.3704648187132291e-05, -9.774777904536495e-07, 6.049751534315103e-07, 6.371201161572938e-07,
    1.8646218571851913e-07, 4.874908736362876e-08, -9.002819523796765e-09, -6.177095300704341e-09,
    -4.444118604477178e-09, -1.031092027303781e-09, -3.7331955445161594e-12, 2.956770851569791e-10,
    1.1490131815180713e-11,
)  # erfinv(x) - r with r = sqrt(-log(1 - x)), in u = 9.682... / (r + 2) - 2.201..., for x from 0.65 to 1
# fmt: on


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Horner's scheme."""
    return functools.reduce(lambda total, c: total * x + c, reversed(coefficients))


def _either_sign(x: Any, y: Any) -> Any:
    """An odd function of x, given as y for |x|; keeps the sign of a zero, and nan."""
    return where(x > 0.0, y, where(x < 0.0, -y, x))


def _far_erfc(x: Any) -> Any:
    """erfc(|x|) for |x| >= 0.65; exp(-x**2) is split as `core.rules.gaussian` splits it."""
    x = of.clip(abs(x), 0.65, 28.0)
    h = floor(x * 4096.0) / 4096.0
    rest = (h - x) * (h + x) + _polynomial(_FAR_ERFC, 3.4990859232175504 / (x + 1.0) - 1.1206581352833638)
    return exp(-h * h - 0.5625) * exp(rest) / x


def _erf(x: Any) -> Any:
    near = x + x * _polynomial(_NEAR_ERF, x * x)
    return where(abs(x) <= 0.65, near, _either_sign(x, 1.0 - _far_erfc(x)))


def _erfc(x: Any) -> Any:
    far, rest = _far_erfc(x), x * _polynomial(_NEAR_ERF, x * x)
    near = where(x <= 0.25, 1.0 - (x + rest), 0.5 - ((x - 0.5) + rest))
    return where(abs(x) <= 0.65, near, where(x < 0.0, 2.0 - far, far))


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
    square = x * x
    near = x * (0.5 * math.sqrt(math.pi) + square * _polynomial(_NEAR_ERFINV, square - 0.21125))
    r = sqrt(-log(1.0 - abs(x)))
    far = r + _polynomial(_FAR_ERFINV, 9.682013201955776 / (r + 2.0) - 2.2010800441760128)
    return where(abs(x) <= 0.65, near, _either_sign(x, far))


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


def _take(index: Any, *xs: Any) -> Any:
    place, taken = floor(index), math.nan
    for i, x in enumerate(xs):
        taken = where(place == float(i), x, taken)
    return taken


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
    "defined": lambda x: x,
    "sum": _sum,
    "take": _take,
    "xlogy": lambda x, y: where((x == 0.0) & (y == y), 0.0, x * log(y)),
}


def expansion_of(name: str) -> Callable[..., Any]:
    """The expansion of a row: the one above, or else that of formulas."""
    expansion = EXPANSIONS.get(name, TABLE[name].expansion)
    if expansion is None:
        raise ArgumentError(
            f"The operation {name!r} cannot be written in this language.",
            "Write an `expansion` of it in core/table.py: the same function in simpler operations.",
        )
    return expansion


def expanded(tape: Tape, names: Set[str]) -> Tape:
    """A tape without these operations, written in simpler ones."""
    while not names.isdisjoint([op for op, _, _ in tape.instructions]):
        builder = Builder()
        made: list[Register] = []
        inputs = [builder.input(name, many) for name, many in zip(tape.inputs, tape.batched, strict=True)]
        for op, operands, detail in tape.instructions:
            if op == INPUT:
                made.append(inputs[int(str(detail))])
            elif op in names:
                made.append(builder.register_of(EXPANSIONS[op](*[made[x] for x in operands])))
            else:
                made.append(builder.add(op, tuple([made[x] for x in operands]), detail))
        tape = builder.tape([made[x] for x in tape.outputs])
    return tape
