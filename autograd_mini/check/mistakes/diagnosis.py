"""The diagnosis: numbers compared with the right ones, and the rows of the mistake table that explain all of them.

Rely on: `diagnose(task, points, claimed, quantity)`. It needs numbers alone, so a program in any language will do.
Not here: the mistakes (`mistakes`, `passes`), and Python functions (`handwritten`). Read next: `check.handwritten`.
"""

from __future__ import annotations

import functools
import itertools
import math
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from autograd_mini.check.differences import TELLING, Estimate
from autograd_mini.check.mistakes.formulas import RIGHT, right_formula
from autograd_mini.check.mistakes.passes import mistakes_in_passes
from autograd_mini.check.mistakes.rows import SIMPLEST, Case, Mistake, Numbers, constant_factor, known_as, mistakes_of
from autograd_mini.check.tasks import TASK_NAMES, Point, Task, flat
from autograd_mini.check.verdicts import Diagnosis, Finding, Named, Verdict
from autograd_mini.errors import ArgumentError, counted, shown
from autograd_mini.transforms import trees

Quantity = Literal["derivative", "value"]
Entry = tuple[int, int]  # a number: its point and its place; place -1 for a wrong number of numbers
Reason = tuple[Named, Verdict, Callable[[int, int], float]]  # with how far off each number may be

_CLOSE = 1e-9  # relative differences that need no explanation
_ALIKE = 1e-7  # relative differences between numbers and what a mistake gives
_SAME = 1e-12  # relative differences between two ways to compute a difference quotient
_EPSILON, _EPSILON_32 = sys.float_info.epsilon, 2.0**-23
_LOST = 64.0  # roundings of a naive formula
_LOST_32 = 8.0
_LOST_ALL = 2.0  # roundings, beside which a number can vanish
_MOST = 4  # explanations
_STEPS = [10.0**-k for k in range(3, 15)] + [2.0**-k for k in (10, 20, 26, 30)]  # of differences
_CONVENTION = Named("convention", "It is right; at a kink you chose a different slope from this package's.",
                    "Any slope between those on both sides will do.", True)  # fmt: skip
_SINGLE = Named("float32", "It is right in the precision of float32.", "Compute in double precision.", True)


def diagnose(
    task: Task, points: Sequence[Point], claimed: Sequence[Any], quantity: Quantity = "derivative", digits: int = 17,
    is_single: bool = False,
) -> Diagnosis:  # fmt: skip
    """Judge numbers that are claimed to be the derivatives, or the values, of a task at points.

    `claimed` has one entry per point: a number, a list, or a matrix (nested lists); None where there is no answer. If
    numbers were printed with few `digits`, they are compared in so many digits; if `is_single`, they may have been
    computed in float32 even if they are not numbers of float32 as they are printed.
    """
    if len(points) != len(claimed) or not points:
        raise ArgumentError(f"There are {counted(len(claimed), 'answer')} for {counted(len(points), 'point')}.",
                            "Give one answer per point, and at least one point.")  # fmt: skip
    cases: list[Case] = []
    for point in points:
        cases.append(Case(task, point, quantity, tuple(cases)))
    answers = [None if answer is None else flat(answer) for answer in claimed]
    is_whole = all(type(x) is int for answer in claimed for _, x in trees.numbers(answer))
    return _Judgement(cases, answers, quantity, 10.0 ** (1 - digits), is_whole, is_single).diagnosis()


class _Judgement:
    """Numbers beside the right ones."""

    def __init__(
        self, cases: list[Case], claimed: list[Numbers | None], quantity: str, printed: float, is_whole: bool,
        is_single: bool,
    ) -> None:  # fmt: skip
        self.cases, self.claimed, self.quantity = cases, claimed, quantity
        self.printed, self.is_single = printed, is_single  # how far off printed numbers may be, relatively
        self.is_whole = is_whole  # whether all are of type int
        self.is_slope = quantity == "derivative"
        self.right = [case.right for case in cases]
        self.errors = [case.task.errors(case.point) if self.is_slope else [0.0] * len(case.values) for case in cases]
        largest = max((abs(x) for right in self.right for x in right if math.isfinite(x)), default=0.0)
        # What a naive formula rounds is about as large as this.
        self.scale = [min(max([1.0, *map(abs, case.values), *map(abs, case.slopes)]), largest) for case in cases]
        self._estimate = functools.cache(self._by_differences)
        self.wrong = [(k, i) for k, i in self._entries() if not self._is_close(k, i, self.right[k][i], _CLOSE)]

    def _entries(self) -> Iterator[Entry]:
        """Yield every number that has a right one."""
        for k, right in enumerate(self.right):
            claimed = self.claimed[k]
            if claimed is not None and len(claimed) != len(right):
                yield k, -1
            else:
                yield from ((k, i) for i, x in enumerate(right) if math.isfinite(x))

    def _claim(self, k: int, i: int) -> float:
        claimed = self.claimed[k]
        return math.nan if claimed is None or i < 0 else claimed[i]

    def _is_close(self, k: int, i: int, number: float, tolerance: float, absolute: float = 0.0) -> bool:
        """Return True if a claim is a number, in the digits that both have."""
        return self._are_close(k, i, self._claim(k, i), number, tolerance, absolute)

    def _are_close(self, k: int, i: int, claim: float, number: float, tolerance: float, absolute: float) -> bool:
        if i < 0 or not math.isfinite(claim) or not math.isfinite(number):
            return i >= 0 and not math.isfinite(claim) and not math.isfinite(number)
        error = self.errors[k][i] if i < len(self.errors[k]) else 0.0
        slack = max(tolerance, self.printed) * max(abs(number), abs(claim)) + absolute * self.scale[k] + 4.0 * error
        return abs(claim - number) <= slack

    # -- kinks ---------------------------------------------------------------------------------------------------------

    def _by_differences(self, k: int, i: int) -> Estimate:
        case = self.cases[k]
        return case.task.estimate(case.point, *divmod(i, len(case.xs)))

    def is_kink(self, k: int, i: int) -> bool:
        """Return True if the function has a kink at a number of the first argument."""
        return self.is_slope and i >= 0 and self.cases[k].may_bend and self._estimate(k, i).is_kink

    def _is_convention(self, k: int, i: int) -> bool:
        """Return True if a slope lies between those on both sides of a kink."""
        claim = self._claim(k, i)
        if not math.isfinite(claim) or not self.is_kink(k, i):
            return False
        low, high = self._estimate(k, i).between
        slack = _ALIKE * max(abs(low), abs(high))
        return low - slack <= claim <= high + slack

    # -- the verdict ---------------------------------------------------------------------------------------------------

    def diagnosis(self) -> Diagnosis:
        """Return what is right, what is wrong, and why."""
        kinks = {(k, i) for k, i in self.wrong if self._is_convention(k, i)}
        self.wrong = [entry for entry in self.wrong if entry not in kinks]
        named = [_CONVENTION] if kinks else []
        verdicts = dict.fromkeys(kinks, Verdict.KINK)
        partial: tuple[Named, ...] = ()
        is_rest_right = False
        bars: dict[Entry, float] = {}
        if self.wrong and (reason := next(self._reasons(), None)) is not None:
            name, verdict, slack = reason
            bars = {entry: slack(*entry) for entry in self.wrong} if verdict is Verdict.NOISE else {}
            if name.correction:  # without a better form, lost digits are not worth mentioning
                named.append(name)
                verdicts |= dict.fromkeys(self.wrong, verdict)
        elif self.wrong:
            overflow = self._overflow()
            rounded = {entry for entry in self.wrong if self._is_rounded(*entry, _EPSILON, _LOST)}
            self.wrong = [entry for entry in self.wrong if entry not in rounded]
            verdicts |= dict.fromkeys(rounded, Verdict.PASS) | dict.fromkeys(self.wrong, Verdict.FAIL)
            explained = _simplest(itertools.islice(filter(self._explains, self._rows()), _MOST))
            explained = explained or [row for row in self._of_all() if self._explains(row)]
            distinct = {row.sentence: row for row in reversed(explained)}
            named = [_named(row) for row in reversed(distinct.values())] or overflow
            if not named:
                partial, is_rest_right = self._partial()
        findings = [self._finding(k, verdicts, bars) for k in range(len(self.cases))]
        if len(findings) == 1 and findings[0].verdict is not Verdict.DOMAIN and (0, -1) not in verdicts:
            findings = [self._of_number(0, i, verdicts.get((0, i)), bars) for i in range(len(self.right[0]))]
        title = f"{self.cases[0].task.name}: {self.quantity} at {counted(len(self.cases), 'point')}"
        return Diagnosis(title, tuple(findings), tuple(named), partial, is_rest_right)

    def _rows(self) -> Iterator[Mistake]:
        """Yield the rows that may explain the claims; none if no claim is a finite number."""
        claims = [x for claimed in self.claimed for x in claimed or () if math.isfinite(x)]
        rows = mistakes_of(self.cases, self.quantity) if claims else iter(())
        if self.is_whole:  # in Python, a type that no other mistake has
            rows = iter(sorted(rows, key=lambda row: row.name != "integer-division"))
        in_passes = mistakes_in_passes(self.cases) if self.is_slope and claims else iter(())
        if not self.is_whole and len(self.cases[0].values) == 1 and known_as(self.cases) is self.cases[0].task:
            yield from itertools.islice(rows, SIMPLEST)  # the sign and factors
            yield from in_passes
        late = ["integer-division"] * (not self.is_whole and self.cases[0].task.name not in TASK_NAMES)
        rows, others = itertools.tee(row for row in rows if any(claims) or row.name != "wrong-function")
        yield from (row for row in rows if row.name not in late)  # zeros alone are those of many functions
        yield from in_passes if not self.is_whole else ()
        yield from (row for row in others if row.name in late)

    def _finding(self, k: int, verdicts: dict[Entry, Verdict], bars: dict[Entry, float]) -> Finding:
        """Return what is found at one point: its first wrong number, or its first one."""
        right, claimed = self.right[k], self.claimed[k]
        own = {i: verdict for (n, i), verdict in verdicts.items() if n == k}
        if not all(map(math.isfinite, right)):
            return Finding(self._where(k, 0), Verdict.DOMAIN, claimed[0] if claimed else None, math.nan)
        if -1 in own:
            belong = f"{len(right)} belong{'s' * (len(right) == 1)}"
            remark = f"There are {counted(len(claimed or ()), 'number')} where {belong}."
            if len(self.cases[k].point) > 1:
                what = "a number" if len(right) == 1 else counted(len(right), "number")
                remark += f" Return the derivative by the first argument alone: {what}."
            return Finding(self._where(k, -1), Verdict.FAIL, None, math.nan, remark=remark)
        i = next((i for i, verdict in own.items() if verdict is Verdict.FAIL), next(iter(own), 0))
        return self._of_number(k, i, own.get(i), bars)

    def _of_number(self, k: int, i: int, verdict: Verdict | None, bars: dict[Entry, float]) -> Finding:
        """Return what is found about one number."""
        left = right = None
        if verdict is Verdict.KINK or (verdict is Verdict.FAIL and self.is_kink(k, i)):
            estimate = self._estimate(k, i)
            left, right = estimate.left, estimate.right
        claim = None if self.claimed[k] is None else self._claim(k, i)
        remark = "Digits are lost." if verdict is Verdict.PASS else ""
        error = bars.get((k, i), self.errors[k][i] if self.is_slope else 0.0)
        if verdict is None and error > TELLING * max(abs(self.right[k][i]), abs(self._claim(k, i))):
            verdict = Verdict.NOISE  # the right numbers come from differences, which cannot tell
        return Finding(self._where(k, i), verdict or Verdict.PASS, claim, self.right[k][i], error, left, right, remark)

    def _where(self, k: int, i: int) -> str:
        """Return what a number is called: the function, the point, and its place in the answer."""
        case = self.cases[k]
        where = f"{case.task.name} at {', '.join([shown(x, 40) for x in case.point])}"
        if i < 0 or len(self.right[k]) == 1:
            return where
        answer = case.task.derivative(case.point) if self.is_slope else case.task.value(case.point)
        places = [path for path, _ in trees.numbers(answer)]
        return f"{where}, {places[i]}"

    # -- right after all -----------------------------------------------------------------------------------------------

    def _reasons(self) -> Iterator[Reason]:
        """Yield why numbers are right although they differ."""
        if not all(math.isfinite(self._claim(*entry)) for entry in self.wrong):
            return
        name = self.cases[0].task.name
        right = RIGHT.get(name)
        advice = "" if right_formula(name) else "Use a form that does not subtract nearly equal numbers."
        advice = f"Write {right.stable} to keep them." if right and right.stable else advice
        digits = Named("digits", "It is right, but loses digits where it is small.", advice, True)
        if all(self._is_rounded(*entry, _EPSILON, _LOST) for entry in self.wrong):
            yield digits, Verdict.PASS, lambda k, i: _LOST * _EPSILON * self.scale[k]
        if self._is_float32() and all(self._is_rounded(*entry, _EPSILON_32, _LOST_32) for entry in self.wrong):
            yield _SINGLE, Verdict.NOISE, lambda k, i: _LOST_32 * _EPSILON_32 * self.scale[k]
        if self.is_slope:
            yield from self._steps()

    def _is_rounded(self, k: int, i: int, epsilon: float, count: float) -> bool:
        """Return True if so many roundings, beside the largest number, explain a claim; a few, if it is exactly 0."""
        claim = self._claim(k, i)
        return i >= 0 and abs(claim - self.right[k][i]) <= (count if claim else _LOST_ALL) * epsilon * self.scale[k]

    def _is_float32(self) -> bool:
        if not any(self._claim(k, i) for k, i in self.wrong):
            return False  # zeros do not point to any precision
        numbers = [x for claimed in self.claimed for x in claimed or () if math.isfinite(x)]
        return self.is_single or all(single(x) == x for x in numbers if abs(x) < 3e38)

    def _overflow(self) -> list[Named]:
        """Return the reason if all wrong numbers are not even finite, or only rounded, as in float32."""
        lost = {entry for entry in self.wrong if not math.isfinite(self._claim(*entry))}
        is_some = 0 < len(lost) < len([*self._entries()]) and all(i >= 0 for _, i in self.wrong)
        right = RIGHT.get(self.cases[0].task.name)
        stable = f"Write {right.stable}." if right and right.stable else "Use a form whose exponentials stay below 1."
        double, single = "exp overflows, or 0/0", "float32 overflows beyond 3.4e38, as exp(89)"
        for kind, why, correction, epsilon, count in (
            ("", double, stable, _EPSILON, _LOST),
            (" in float32", single, f"Compute in double precision. {stable}", _EPSILON_32, _LOST_32),
        ):
            is_rounded = all(entry in lost or self._is_rounded(*entry, epsilon, count) for entry in self.wrong)
            if is_some and is_rounded:
                said = f"It is right{kind}, but at some points it is not finite: {why}."
                return [Named("overflow", said, correction)]
        return []

    def _steps(self) -> Iterator[Reason]:
        """Yield the step of differences that give these numbers."""
        if not any(self._claim(k, i) for k, i in self.wrong):
            return  # zeros do not point to any step
        others = [entry for entry in self._entries() if entry not in self._wrong_set]
        for step, is_central in itertools.product(_STEPS, (True, False)):
            # A program that computes differences does so at every point, so exact numbers elsewhere rule them out.
            if all(self._is_difference(k, i, step, is_central) for k, i in (*self.wrong, *others)):
                sentence = f"It is right as far as {'central' if is_central else 'forward'} differences with the step "
                advice = "Differences are good to a few digits; do not train with them, or use a larger step."
                named = Named("differences", f"{sentence}{step:.0e} can be.", advice, True)
                yield named, Verdict.NOISE, lambda k, i: 2.0 * abs(self._claim(k, i) - self.right[k][i])

    def _is_difference(self, k: int, i: int, step: float, is_central: bool) -> bool:
        """Return True if a claim is a difference quotient with this step, up to a few last digits of the values."""
        case, is_wrong = self.cases[k], (k, i) in self._wrong_set
        output, index = divmod(i, len(case.xs))
        function, x = case.task.moved(case.point, index), case.xs[index]
        above, below = function(x + step), function(x - step if is_central else x)
        if not above or not below:
            return not is_wrong  # at the end of the domain a program may do something else
        width = 2.0 * step if is_central else step
        grain = max(math.ulp(above[output]), math.ulp(below[output]))
        change = self._claim(k, i) * width
        # A difference of floats is a multiple of their last digit: chance does not give that.
        digits = 2.0 * change / grain
        rounding = min(1e-6 + 1e-14 * abs(digits), 0.5 * abs(digits))  # a tiny number is not a multiple, even of 0
        is_multiple = math.isfinite(digits) and abs(digits - round(digits)) <= rounding
        distance = abs(change - (above[output] - below[output]))
        close = max(_SAME, min(_ALIKE, self.printed) if is_wrong else self.printed)
        return distance <= close * abs(change) or (is_multiple and distance <= (4.0 if change else 2.0) * grain)

    # -- wrong ---------------------------------------------------------------------------------------------------------

    def _explains(self, row: Mistake) -> bool:
        """Return True if a mistake gives all claims; at a kink, any slope will do."""
        seen = False
        for k, case in enumerate(self.cases):
            claimed = self.claimed[k]
            numbers = _applied(row, case)
            if numbers is None or (claimed is not None and len(claimed) != len(numbers)):
                return False
            for i, number in enumerate(numbers):
                is_known = i < len(self.right[k]) and len(numbers) == len(self.right[k])
                if is_known and not math.isfinite(self.right[k][i]):
                    continue
                if not self._is_close(k, i, number, _ALIKE, _LOST * _EPSILON):
                    if is_known and self.is_kink(k, i):
                        continue
                    return False
                if (k, i) in self._wrong_set or (k, -1) in self._wrong_set:
                    # A row that gives the right number explains nothing, however near the claim is.
                    right = self.right[k][i] if is_known else math.nan
                    seen = seen or not self._are_close(k, i, right, number, _ALIKE, _LOST * _EPSILON)
        return seen

    @functools.cached_property
    def _wrong_set(self) -> set[tuple[int, int]]:
        return set(self.wrong)

    def _of_all(self) -> Iterator[Mistake]:
        """Yield a factor that is the same at all points, if there is one."""
        ratios = [self._claim(k, i) / self.right[k][i] for k, i in self.wrong if i >= 0 and self.right[k][i]]
        if len(self.wrong) > 1 and ratios and (row := constant_factor(ratios[0])):
            yield row

    def _partial(self) -> tuple[tuple[Named, ...], bool]:
        """Return a mistake that explains all up to a factor, or half of what is wrong; is the rest right?"""
        best: tuple[Named, ...] = ()
        most = 0
        for row in self._rows():
            applied = [_applied(row, case) or [] for case in self.cases]
            numbers = {(k, i): applied[k][i] for k, i in self.wrong if 0 <= i < len(applied[k])}
            telling = {entry: number for entry, number in numbers.items() if self._is_telling(*entry, number)}
            if not _are_varied(telling.values()):
                continue
            ratios = [self._claim(*entry) / number for entry, number in telling.items()]
            is_constant = max(ratios) - min(ratios) <= _ALIKE * abs(ratios[0])
            factor = constant_factor(ratios[0]) if is_constant else None
            if factor and self._explains(_times(row, ratios[0])):
                return (_named(row), _named(factor)), False
            explained = [entry for entry, number in telling.items() if self._is_close(*entry, number, _ALIKE)]
            is_most = len(explained) > most and 2 * len(explained) >= len(self.wrong)
            if is_most and _are_varied(telling[entry] for entry in explained):
                best, most = (_named(row),), len(explained)
        return best, most == len(self.wrong)

    def _is_telling(self, k: int, i: int, number: float) -> bool:
        """Return True if a number that a mistake gives is neither 0 nor the right one."""
        if not number or not math.isfinite(number):
            return False
        return not self._are_close(k, i, self.right[k][i], number, _ALIKE, _LOST * _EPSILON)


def _named(row: Mistake) -> Named:
    return Named(row.name, row.sentence, row.correction)


def _simplest(rows: Iterable[Mistake]) -> list[Mistake]:
    """Return rows; without far-fetched ones if a sign, a formula, or a condition of it explains the numbers."""
    found = list(rows)
    is_plain = found and found[0].name in ("sign", "formula", "target-sum")
    return [row for row in found if not is_plain or row.name == found[0].name]


def _times(row: Mistake, factor: float) -> Mistake:
    """Return two mistakes at once: a row, and a factor."""
    return replace(row, apply=lambda case: [factor * x for x in row.apply(case) or ()])


def _are_varied(numbers: Iterable[float]) -> bool:
    """Return True if numbers have at least three sizes: fewer agree by chance."""
    return len({f"{abs(x):.6g}" for x in numbers}) > 2


def _applied(row: Mistake, case: Case) -> Numbers | None:
    """Return the numbers that a mistake gives; None where it does not apply."""
    try:
        return row.apply(case)
    except (ArithmeticError, ValueError, TypeError, IndexError):
        return None


def single(x: float) -> float:
    """Return the nearest number in single precision."""
    return float(struct.unpack("f", struct.pack("f", x))[0]) if abs(x) < 3e38 else x
