"""The derivative of any function of floats by differences: extrapolated, on both sides, with an error bar.

Rely on: `differentiate(function, x) -> Estimate`, and `judge(claimed, estimate) -> Verdict`.
Not here: what is differentiated. Read next: `check.tasks`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from typing import NamedTuple

from autograd_mini.check.verdicts import Verdict

_HALVINGS = 44  # of the first step: from where a function bends down to where rounding hides it
_AT_LEAST = 10  # steps, before what has converged ends the search
_WIDTH = 6  # columns of the extrapolation
_SURE = 1e-10  # a relative error that needs no smaller steps
_CLOSE = 1e-6  # relative differences that need no explanation: rounding of the derivative itself
_COARSE = 1e-4  # steps of a staircase; smaller ones may be rounding
TELLING = 1e-4  # an error bar of this relative size or less decides; a larger one is noise


class Limit(NamedTuple):
    """The limit of difference quotients for a step of zero, and how far off it may be."""

    slope: float
    error: float
    step: float = math.nan  # the smallest step that it is extrapolated from


NOTHING = Limit(math.nan, math.inf)


@dataclass(frozen=True)
class Estimate:
    """A slope by differences."""

    slope: float
    error: float  # how far off it may be
    left: float  # the slope on the left alone; infinite where it grows without limit, nan where there is no value
    right: float
    is_kink: bool  # do the slopes on both sides differ by more than their errors, or is one side without a value?
    is_jump: bool  # does the value itself jump there?
    flat: float  # the step within which the value does not change at all, though it does further out; else 0.0
    value: float  # of the function
    curve: tuple[tuple[float, float], ...]  # (step, central difference quotient), from large steps to small ones

    @property
    def between(self) -> tuple[float, float]:
        """The smallest and the largest slope on the sides that have one."""
        sides = [side for side in (self.left, self.right) if not math.isnan(side)]
        return min(sides, default=math.nan), max(sides, default=math.nan)


def judge(claimed: float, estimate: Estimate) -> Verdict:
    """Compare a derivative with differences; nan is never right."""
    if not math.isfinite(estimate.value):
        return Verdict.DOMAIN
    if estimate.is_kink:
        low, high = estimate.between
        slack = _CLOSE * max(abs(side) for side in (low, high, 0.0) if not math.isinf(side)) + 4.0 * estimate.error
        return Verdict.KINK if low - slack <= claimed <= high + slack else Verdict.FAIL
    if math.isinf(estimate.error):
        return Verdict.FAIL if math.isnan(claimed) else Verdict.NOISE
    if not math.isfinite(claimed):
        return Verdict.FAIL
    size = max(abs(claimed), abs(estimate.slope))
    if claimed == 0.0 and estimate.flat:  # a staircase; a fine one may be rounding
        return Verdict.PASS if estimate.flat > _COARSE else Verdict.NOISE
    if abs(claimed - estimate.slope) > estimate.error + _CLOSE * size:
        return Verdict.FAIL
    if estimate.error <= TELLING * size or claimed == estimate.slope == 0.0:
        return Verdict.PASS
    return Verdict.NOISE


def order_of(curve: Iterable[tuple[float, float]], claimed: float) -> float | None:
    """Return the order with which difference quotients converge to a number: 2 if it is right, 0 if it is not.

    None if they agree at every step, as for a straight line.
    """
    errors = [(step, abs(quotient - claimed)) for step, quotient in curve if math.isfinite(quotient)]
    if not errors or not math.isfinite(claimed):
        return None
    least = min(range(len(errors)), key=lambda k: errors[k][1])
    falls = [
        math.log(before / after) / math.log(step / smaller)
        for (step, before), (smaller, after) in pairwise(errors[: least + 1])
        if after > 0.0 and before > 1e-9 * abs(claimed)
    ]
    if falls:
        return sorted(falls)[len(falls) // 2]
    return None if errors[least][1] <= 1e-6 * abs(claimed) else 0.0


def differentiate(function: Callable[[float], float], x: float, patient: bool = False) -> Estimate:
    """Return the slope of a function at x; if `patient`, try the smallest steps even where larger ones agree.

    Steps are halved from the size of x on, and from 1 on for a small x, because a function may bend on either scale.
    Source of the extrapolation: C. J. F. Ridders, Advances in Engineering Software 4 (1982) 75-76.
    """
    value = function(x)
    if not (math.isfinite(value) and math.isfinite(x)):
        return Estimate(math.nan, math.inf, math.nan, math.nan, False, False, 0.0, math.nan, ())
    size = 2.0 ** (math.frexp(x)[1] - 4) if x else 0.0
    scales = [size] if abs(x) >= 1e-3 else [1.0, size] if size else [1.0]
    largest = 0.0

    def watched(x: float) -> float:
        nonlocal largest
        y = function(x)
        largest = max(largest, abs(y)) if math.isfinite(y) else largest
        return y

    found = [_at_scale(watched, x, value, max(scale, 1e-308), patient) for scale in scales]
    found = [_with_rounding(estimate, largest) for estimate in found]
    best = min(found, key=lambda estimate: (estimate.error, math.isnan(estimate.slope)))
    # A kink that only large steps see lies beside x; one that only small steps see is at x.
    near = found[-1]
    return near if near.is_kink or (best.is_kink and near.error < math.inf) else best


def _with_rounding(estimate: Estimate, largest: float) -> Estimate:
    """Give an estimate of 0 an honest error: 1 + x**2 may have rounded to 1 on the way to the value."""
    if estimate.slope != 0.0 or estimate.is_kink:
        return estimate
    steps = [step for step, _ in takewhile(lambda point: point[1] == 0.0, reversed(estimate.curve))]
    error = 4.0 * sys.float_info.epsilon * largest / steps[-1] if steps else 0.0
    return replace(estimate, error=max(estimate.error, error))


def by_operand(function: Callable[..., float], numbers: Sequence[float], place: int) -> Estimate:
    """Return the slope of a function of several numbers with respect to one of them."""
    before, after = numbers[:place], numbers[place + 1 :]
    return differentiate(lambda x: float(function(*before, x, *after)), numbers[place])


def _at_scale(function: Callable[[float], float], x: float, value: float, step: float, patient: bool) -> Estimate:
    """Return the estimate with steps from one scale downwards."""
    middle: list[Limit] = []
    left: list[Limit] = []
    right: list[Limit] = []  # quotients, with the rounding error of the values in place of an error
    rounding = sys.float_info.epsilon * abs(value)
    for k in range(_HALVINGS):
        above, below = x + step, x - step
        if above == x or below == x:
            break
        high, low = function(above), function(below)
        rounding = max(rounding, *(sys.float_info.epsilon * abs(y) for y in (high, low) if math.isfinite(y)), 0.0)
        grain = max(math.ulp(value), *(math.ulp(y) for y in (high, low) if math.isfinite(y)), 0.0)
        middle.append(Limit((high - low) / (above - below), grain, step))
        right.append(Limit((high - value) / (above - x), grain, step))
        left.append(Limit((value - low) / (x - below), grain, step))
        step *= 0.5
        if not patient and k >= _AT_LEAST and k % 4 == 0 and _is_sure(middle, left, right, rounding):
            break
    return _joined(value, middle, left, right, rounding)


def _is_sure(middle: list[Limit], left: list[Limit], right: list[Limit], rounding: float) -> bool:
    whole = _extrapolated(middle, 4.0, rounding)
    one, other = _extrapolated(left, 2.0, rounding), _extrapolated(right, 2.0, rounding)
    size = abs(whole.slope)
    sides = one.error + other.error
    return whole.error <= _SURE * size and sides <= _CLOSE * size and abs(one.slope - other.slope) <= sides


def _extrapolated(quotients: Sequence[Limit], base: float, rounding: float) -> Limit:
    """Return the limit of quotients whose errors are a series in powers of the step, 1/base apart.

    `rounding` is the rounding error of the largest value, which others on the way to a smaller one may share.
    """
    best, at = NOTHING, 0
    finite = [q for q in quotients if math.isfinite(q.slope)][-5:]
    # Where steps are smallest, quotients differ from row to row by noise.
    level = max((abs(after.slope - before.slope) * after.step for before, after in pairwise(finite)), default=0.0)
    row: list[float] = []
    rows: list[Limit] = []  # the best entry of each row
    smoothed: list[tuple[float, float]] = []
    for k, (quotient, grain, step) in enumerate(quotients):
        before, row, factor, of_row = row[:_WIDTH], [quotient], base, NOTHING
        for former in before if math.isfinite(quotient) else ():
            row.append(row[-1] + (row[-1] - former) / (factor - 1.0))
            factor *= base
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - former)) + max(2.0 * grain, level) / step
            of_row = min(of_row, Limit(row[-1], error, step), key=lambda entry: entry.error)
        if of_row.error <= best.error and of_row is not NOTHING:
            best, at = of_row, k
        rows.append(of_row)
        smoothed.append((row[min(2, len(row) - 1)], step))
        row = row if math.isfinite(quotient) else []
    best, at = _nearer(best, at, rows, rounding)
    # Neighbours may agree by luck: smaller steps show how much noise there is in the values.
    noise = max((abs(slope - best.slope) * step for slope, step in smoothed[at:] if math.isfinite(slope)), default=0.0)
    return best._replace(error=max(best.error, 2.0 * noise / best.step)) if best.error < math.inf else best


def _nearer(best: Limit, at: int, rows: list[Limit], rounding: float) -> tuple[Limit, int]:
    """Return a limit on which smaller steps agree; larger ones may have seen a wave as a line."""
    chosen, relative = (best, at), 10.0 * TELLING
    for k in range(at + 1, len(rows)):
        former, (slope, error, _) = rows[k - 1], rows[k]
        is_sure = max(error / relative, former.error / (10.0 * TELLING)) < abs(slope)
        is_alike = abs(slope - former.slope) <= 4.0 * (error + former.error)
        gap = abs(slope - best.slope)
        if is_sure and is_alike and gap > 10.0 * (error + best.error) and gap * former.step > 64.0 * rounding:
            chosen, relative = (rows[k], k), error / abs(slope)
    return chosen


def _joined(value: float, middle: list[Limit], left: list[Limit], right: list[Limit], rounding: float) -> Estimate:
    """Return the estimate from the quotients on both sides and across."""
    whole = _extrapolated(middle, 4.0, rounding)
    (one, left_jumps), (other, right_jumps) = _side(left, rounding), _side(right, rounding)
    sides = [one.slope, other.slope]
    is_jump = left_jumps or right_jumps
    is_kink, error = is_jump or math.isnan(one.slope) != math.isnan(other.slope), whole.error
    if not is_kink and not any(map(math.isnan, sides)):
        gap, bars = abs(one.slope - other.slope), one.error + other.error
        smaller = [q.slope for side in (left, right) for q in side if q.step == min(one.step, other.step)]
        is_seen = len(smaller) == 2 and abs(smaller[0] - smaller[1]) > 0.5 * gap  # by small steps, too
        is_kink = any(map(math.isinf, sides)) or (
            is_seen and gap > max(16.0 * bars, _CLOSE * max(map(abs, sides))) and gap * one.step > 64.0 * rounding
        )
    if is_kink:
        error = max((side.error for side in (one, other) if side.error < math.inf), default=math.inf)
    elif abs(whole.slope) <= whole.error and _is_without_signal(middle):
        error = math.inf
    curve = tuple([(q.step, q.slope) for q in middle])
    flat = 0.0 if is_kink or abs(whole.slope) <= whole.error else _flat(middle, whole.slope)
    return Estimate(whole.slope, error, one.slope, other.slope, is_kink, is_jump, flat, value, curve)


def _is_without_signal(quotients: list[Limit]) -> bool:
    """Return True if values differ as much at the smallest steps as anywhere, beyond rounding: a wave of sin(1e13)."""
    changes = [(abs(q.slope) * 2.0 * q.step, q.error) for q in quotients if math.isfinite(q.slope)]
    near, far = changes[len(changes) // 2 :], changes[: len(changes) // 2]
    return max(c for c, _ in near) > 64.0 * max(g for _, g in near) and max(near)[0] >= 0.25 * max(far)[0]


def _flat(quotients: list[Limit], slope: float) -> float:
    """Return the largest step within which the value does not change at all; 0.0 if rounding explains that."""
    steps = []
    for q in reversed(quotients):
        if q.slope != 0.0:
            break
        steps.append(q.step)
    is_stair = len(steps) > 5 and abs(slope) * steps[-1] > 64.0 * quotients[-1].error
    return steps[-1] if is_stair else 0.0


def _side(quotients: list[Limit], rounding: float) -> tuple[Limit, bool]:
    """Return the slope on one side, and whether the value jumps there."""
    limit = _extrapolated(quotients, 2.0, rounding)
    if abs(limit.slope) > limit.error and _flat(quotients, limit.slope) > _COARSE:
        return Limit(0.0, 0.0), False
    # Rounding has no part in the growth of quotients that are far larger than its noise.
    finite = [q for q in quotients if math.isfinite(q.slope)]
    rows = [q for q in finite[-24:] if abs(q.slope) > 1e3 * q.error / q.step]
    telling = [q.slope for q in rows]
    grown = [after - before for before, after in pairwise(telling)]
    changes = [(math.copysign(change, change * q.slope), q) for change, q in zip(grown, rows[1:], strict=False)]
    if len(telling) < 12 or any(change <= 8.0 * q.error / q.step for change, q in changes):
        return limit, False
    if all(after > 1.9 * before for before, after in pairwise(map(abs, telling))):  # the value jumps: look beyond
        beyond = [(q, p, (q.slope * q.step - p.slope * p.step) / (q.step - p.step)) for q, p in pairwise(finite)]
        return _side([Limit(slope, q.error, p.step) for q, p, slope in beyond], rounding)[0], True
    if all(after >= 0.97 * before for before, after in pairwise(map(abs, grown))):
        return Limit(math.copysign(math.inf, telling[-1]), 0.0), False
    return limit, False
