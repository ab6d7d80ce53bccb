"""Pieces that rules of the table share, each chosen so that its own derivatives are accurate too.

They refer to rows by name, so that you can read them after the table, and Python can load them before it.
Not here: rules that fit on a line (`table`). Read next: `core.row`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from autograd_mini.core import ieee
from autograd_mini.core.row import TABLE, ZERO, Constant, Operation, branch, evaluate, known, select

LN2, LOG2E, LOG10E = math.log(2.0), math.log2(math.e), math.log10(math.e)
GAUSS, DENSITY = 2.0 / math.sqrt(math.pi), 1.0 / math.sqrt(2.0 * math.pi)
ANY = (-1e300, 1e300)
WIDE = (-1e150, 1e150)  # squares stay finite
POSITIVE = (1e-300, 1e300)
UNIT = (-1.0, 1.0)
ROUNDED = (0.5, 0.5, 0.5, 0.5)


def named(name: str) -> Operation:
    """The operation of a row, looked up at each call."""
    return lambda *operands: evaluate(TABLE[name], operands)


abs, clip, exp, exp2, flat, floor, hypot, log, one_power_less = map(named, (
    "abs", "clip", "exp", "exp2", "flat", "floor", "hypot", "log", "one_power_less",
))  # fmt: skip
pow, power_term, sign, stop, sum_of = map(named, (
    "pow", "power_term", "sign", "stop_gradient", "sum",
))  # fmt: skip


def is_infinite(x: Any) -> Any:
    """A bool, or on a tape a condition."""
    number = known(x)
    return math.isinf(number) if isinstance(number, float) else (number == math.inf) | (number == -math.inf)


def is_finite(x: Any) -> Any:
    """A bool, or on a tape a condition; False for formulas."""
    number = known(x)
    return math.isfinite(number) if isinstance(number, float) else (number < math.inf) & (number > -math.inf)


def undefined(*xs: Any) -> Any:
    """nan, whose derivatives with respect to all operands are nan too."""
    return math.nan / sum_of(*xs)


def log_slope(x: Any, scale: Any = 1.0) -> Any:
    """scale / x for x >= 0, and +inf at both zeros: x + 0.0 turns -0.0 into 0.0.

    Outside the domain it is nan divided by x, because a plain nan would be a constant with derivative 0.
    """
    return select(x < 0.0, math.nan, scale) / (x + 0.0)


def gaussian(x: Any, scale: float = 1.0, lift: float = 0.0) -> Any:
    """exp(lift - scale * x**2) for a scale of 1 or 0.5; rounding x * x would cost x**2 ulp (T11).

    x is split into h + rest, with h * h exact. h is a step function of x, so it has no derivative, and the identity
    holds for every h. It is the nearest multiple of 1/4096, so a small x has h = 0, and (x - h) + (x + h) in the next
    derivative is 2x. Far out, where the factors are 0 and inf, the result and all its derivatives are 0.
    """
    number = known(x)
    if not isinstance(number, float) or math.fabs(number) > 64.0:
        x = clip(x, -64.0, 64.0)
    h = floor(x * 4096.0 + 0.5) / 4096.0
    square = -scale * h * h
    return exp(square + lift if lift else square) * exp(-scale * (x - h) * (x + h))


def erfinv_rule(y: Any, x: Any) -> tuple[Any, ...]:
    """exp(y**2) * sqrt(pi) / 2, with y split as `gaussian` splits x.

    The rounding of y would cost 2 * y**2 ulp, so the exponent includes Newton's next step from y, as a constant; on a
    tape and in formulas it does not.
    """
    number, lost = known(y), math.nan
    if isinstance(number, float) and math.isfinite(number):
        lost = 2.0 * number * ieee.erfinv_step(number, known(x))

    def by_parts() -> Any:
        h = floor(y * 4096.0 + 0.5) / 4096.0
        rest = (y - h) * (y + h)
        return exp(h * h) * exp(rest - lost if math.isfinite(lost) else rest) * (math.sqrt(math.pi) / 2.0)

    return (branch(is_infinite(y), lambda: exp(y * y), by_parts),)


def _cosine(x: Any, other: Any, h: Any) -> Any:
    """x / h for h = hypot(x, other); where x dominates, a form whose derivative does not cancel."""
    return branch(abs(x) <= abs(other), lambda: x / h, lambda: sign(x) / hypot(1.0, other / x))


def hypot_rule(h: Any, *xs: Any) -> tuple[Any, ...]:
    """At h = 0 every slope is `ZERO` in formulas; of numbers and on a tape `Primitive.partials` knows the slope."""
    slopes = [x / h for x in xs] if len(xs) != 2 else [_cosine(xs[0], xs[1], h), _cosine(xs[1], xs[0], h)]
    is_tape = not isinstance(known(h), float)
    return tuple([slope if is_tape else select(h == 0.0, ZERO, slope) for slope in slopes])


def exp2_rule(y: Any, x: Any) -> tuple[Any, ...]:
    """Where the result overflows, the slope may not yet."""
    is_over = known(y) == math.inf
    if is_over is False:
        return (y * LN2,)
    return (branch(is_over, lambda: exp2(x - 1.0) * (2.0 * LN2), lambda: y * LN2),)


def cbrt_rule(y: Any, x: Any) -> tuple[Any, ...]:
    """The form by y holds at 0 and at infinity, the other one keeps its digits everywhere else."""
    is_end = known(x) == known(y)
    if is_end is False:
        return (one_power_less(y, x, 1.0 / 3.0) / 3.0,)
    return (branch(is_end, lambda: 1.0 / y / y / 3.0, lambda: one_power_less(y, x, 1.0 / 3.0) / 3.0),)


def atan_rule(y: Any, x: Any) -> tuple[Any, ...]:
    h = hypot(1.0, x)
    return (1.0 / h / h,)


def atan2_rule(angle: Any, y: Any, x: Any) -> tuple[Any, ...]:
    """nan at the origin, and 0 infinitely far away from it."""
    h = hypot(x, y)
    size = known(h)
    is_ordinary = (0.0 < size < math.inf) if isinstance(size, float) else False

    def slope(general: Callable[[], Any]) -> Any:
        if is_ordinary:
            return general()
        is_far = (size == math.inf) & (known(angle) == known(angle))
        return branch(size == 0.0, lambda: undefined(y, x), lambda: branch(is_far, lambda: 0.0, general))

    by_y = ZERO if isinstance(y, Constant) else slope(lambda: x / h / h)
    return by_y, ZERO if isinstance(x, Constant) else slope(lambda: -(y / h) / h)


def extremum_rule(y: Any, *xs: Any) -> tuple[Any, ...]:
    """Ties share evenly; losers have no edge; a nan result gives every operand nan."""
    ties: Any = select(y == y, 0.0, 1.0)
    for x in xs:
        ties = ties + select(x == y, 1.0, 0.0)
    return tuple([select(x == y, 1.0 / ties, select(y == y, ZERO, y)) for x in xs])


def clip_rule(y: Any, x: Any, low: Any, high: Any) -> tuple[Any, ...]:
    return (
        select(y != y, y, select(x <= low, ZERO, select(x >= high, ZERO, 1.0))),
        select(x <= low, select(low < high, 1.0, ZERO), ZERO),
        select(x >= high, 1.0, select(low >= high, 1.0, ZERO)),
    )


def remainder_rule(y: Any, quotient: Any) -> tuple[Any, ...]:
    """1 and minus the integer quotient; nan where the result is nan, such as for a zero divisor."""
    return select(y == y, 1.0, y), select(y == y, -quotient, y)


def pow_rule(y: Any, x: Any, p: Any) -> tuple[Any, ...]:
    """The slope in x is p x^(p-1), or 2x for p = 2; the slope in p is 0 at x = p = 0, where 0^p jumps (C5)."""
    if isinstance(p, float) and p == 2.0:
        return 2.0 * x, ZERO if isinstance(p, Constant) else power_term(x, p, 0.0, 1.0)
    by_x = ZERO if isinstance(x, Constant) else _power_slope(y, x, p, 0.0, 0.0)
    if isinstance(p, Constant):
        return by_x, ZERO
    by_p = power_term(x, p, 0.0, 1.0)
    is_jump = (known(x) == 0.0) & (known(p) == 0.0)
    return by_x, by_p if is_jump is False else branch(is_jump, lambda: flat(by_p), lambda: by_p)


def _power_slope(y: Any, x: Any, p: Any, less: float, logs: float) -> Any:
    """(p - less) * x^(p-less-1) * log(x)^logs for y = x^(p-less) * log(x)^logs, without 0 * inf."""
    factor = p - less
    if logs == 0.0 and isinstance(factor, float) and factor == 0.0:
        return 0.0
    if less == logs == 0.0 and isinstance(p, float) and (p - 1.0) + 1.0 == p:
        lower = pow(x, p - 1.0)
    else:
        lower = power_term(x, p, less + 1.0, logs)
    size = known(lower)
    if isinstance(size, float) and math.isfinite(size) and known(x) != 0.0:
        return factor * lower
    is_large, is_flat = is_infinite(lower), known(factor) == 0.0
    if is_flat is not False:
        is_flat = is_flat & (is_large | ((logs == 0.0) & (size != size)))

    def inside() -> Any:
        return branch(is_large & is_finite(y), lambda: factor / x * y, lambda: factor * lower)

    return branch(  # at 0, in p, the logarithm dominates the factor's derivative
        (known(x) == 0.0) & (known(factor) != 0.0),
        lambda: stop(factor) * lower,
        lambda: branch(is_flat, lambda: flat(factor) * lower, inside),
    )


def power_term_rule(y: Any, x: Any, p: Any, less: float, logs: float) -> tuple[Any, ...]:
    """At x = 0 the highest power of the logarithm dominates."""
    by_x = _power_slope(y, x, p, less, logs)
    if logs > 0.0:
        highest, other = by_x, logs * power_term(x, p, less + 1.0, logs - 1.0)

        def at_zero() -> Any:
            return branch(known(p) == less, lambda: other, lambda: highest)

        by_x = branch(known(x) != 0.0, lambda: highest + other, at_zero)
    return by_x, power_term(x, p, less, logs + 1.0), ZERO, ZERO


def xlogy_rule(z: Any, x: Any, y: Any) -> tuple[Any, ...]:
    """At x = 0 the slope in y is `flat` where x / y is not finite: 0, but with a derivative in x."""
    if (known(y) > 0.0) is True:
        return log(y), log_slope(y, x)
    is_outside, is_zero = known(y) < 0.0, known(x) == 0.0
    by_x = branch(is_outside, lambda: undefined(x, y), lambda: log(y))
    return by_x, branch(
        is_outside,
        lambda: branch(is_zero, lambda: flat(by_x), lambda: by_x),
        lambda: branch(is_zero & (known(y) == 0.0), lambda: flat(x) * log_slope(y), lambda: log_slope(y, x)),
    )


def take_rule(y: Any, index: Any, *xs: Any) -> tuple[Any, ...]:
    place = floor(index)
    return (ZERO, *[select(place == float(i), 1.0, ZERO) for i in range(len(xs))])


def taken(index: Any, *xs: Any) -> Any:
    """The operand at an index, as a chain of choices."""
    place, chosen = floor(index), math.nan
    for i, x in enumerate(xs):
        chosen = select(place == float(i), x, chosen)
    return chosen


def halves(operands: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    half = len(operands) // 2
    return operands[:half], operands[half:]


def round_half_even(x: Any, digits: Any) -> Any:
    """The nearest integer is floor(x + 1/2), or one less if that is odd and x lies halfway."""
    scale = pow(10.0, floor(digits))
    tie = (2.0 * x * scale - 1.0) / 4.0
    return (floor(2.0 * tie + 1.0) - floor(-tie) - floor(tie) - 1.0) / scale
