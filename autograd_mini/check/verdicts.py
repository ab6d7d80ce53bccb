"""What a check says: a verdict for each number, and the report that a user reads.

Rely on: `Verdict` (strings, so `verdict == "FAIL"`), `Finding`, `Report` (`.ok .verdict .findings .assert_ok()`; it is
true if it is ok), and `Diagnosis`, a report with `.mistakes`. Not here: how verdicts are found.
Read next: `check.differences`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from autograd_mini.notation.text import number as written
from autograd_mini.output.streams import columns, printable_lines, wrapped

RIGHT, WRONG, UNKNOWN = 0, 1, 2  # exit statuses


class Verdict(StrEnum):
    """What can be said about a derivative."""

    PASS = "PASS"  # it agrees
    KINK = "KINK"  # the slopes on both sides differ, and it is a convention between them
    NOISE = "NOISE"  # cannot tell: rounding hides the difference
    DOMAIN = "DOMAIN"  # the function has no value there
    FAIL = "FAIL"  # it is wrong

    @property
    def status(self) -> int:
        """The exit status of a command that finds this."""
        return {Verdict.PASS: RIGHT, Verdict.KINK: RIGHT, Verdict.FAIL: WRONG}.get(self, UNKNOWN)


_SEVERITY = [*Verdict]  # the verdict of several numbers is the worst of them
_MOST = 12  # lines of a report for numbers that are right, and for those that are not


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of several numbers; PASS if there are none."""
    return max(verdicts, key=_SEVERITY.index, default=Verdict.PASS)


@dataclass(frozen=True)
class Finding:
    """One number that was checked."""

    where: str  # such as "x[0]", or "tanh(20.0)"
    verdict: Verdict
    claimed: float | None  # the number that was judged; None where it is missing
    expected: float  # what it should be
    error: float = 0.0  # how far off `expected` may be
    left: float | None = None  # the slope on the left, at a kink
    right: float | None = None
    remark: str = ""  # why, as a sentence
    curve: tuple[tuple[float, float], ...] = ()  # (step, error of the difference quotient), from large to small steps

    @property
    def ok(self) -> bool:
        """Whether it is right as far as rounding lets one see."""
        is_seen = self.verdict is Verdict.NOISE and self.error < math.inf
        return is_seen or self.verdict in (Verdict.PASS, Verdict.KINK)

    def __str__(self) -> str:
        claimed = "no number" if self.claimed is None else written(self.claimed, 10)
        if self.left is not None and self.right is not None:
            right = f"the slope is {written(self.left, 10)} on the left, {written(self.right, 10)} on the right"
        elif self.verdict is Verdict.DOMAIN:
            right = "the function has no finite value there"
        elif self.error == math.inf:
            right = "differences show nothing but noise"
        elif self.verdict is Verdict.NOISE:
            right = f"cannot tell it from {written(self.expected, 10)} ± {self.error:.0e}"
        else:
            right = f"{written(self.expected, 10)}" + (f" ± {self.error:.0e}" if self.error else "") + " is right"
        if self.claimed is None and math.isnan(self.expected):
            return f"{self.verdict:<6}  {self.where}\n        {self.remark}"
        more = "" if right.startswith(f"{claimed} is") else f"; {right}"
        text = f"{self.verdict:<6}  {self.where}: {claimed}{more}"
        return f"{text}\n        {self.remark}" if self.remark else text


def on_screen(text: str, most: int | None = None) -> str:
    """Return a report as it can be printed: harmless, and wrapped, by default to the width of the terminal."""
    wide = columns() if most is None else most
    return "\n".join(part for line in printable_lines(text).split("\n") for part in wrapped(line, wide))


@dataclass(frozen=True, repr=False)
class Report:
    """What a check found; print it as text. It is true if everything is right.

    Attributes:
        title: what was checked.
        findings: one per number.
    """

    title: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return worst(finding.verdict for finding in self.findings)

    @property
    def ok(self) -> bool:
        """Whether everything agrees: within the error bar where rounding hides more, by convention at a kink."""
        return all(finding.ok for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return on_screen("\n".join([f"{self.title}: {self.verdict}", *self._lines()]))

    def _lines(self) -> list[str]:
        """Return the lines below the title: first what is wrong."""
        lines = []
        order = sorted(self.findings, key=lambda finding: -_SEVERITY.index(finding.verdict))
        for is_ok in (False, True):
            found = [finding for finding in order if finding.ok is is_ok]
            lines += [f"  {line}" for finding in found[:_MOST] for line in str(finding).splitlines()]
            if len(found) > _MOST:
                lines.append(f"  … and {len(found) - _MOST} more {'that are right' if is_ok else 'that are not ok'}")
        return lines

    def assert_ok(self) -> None:
        """Raise an AssertionError with the report, unless it is ok."""
        __tracebackhide__ = True  # pytest then shows the caller's line
        if not self.ok:
            raise AssertionError(str(self))

    def _repr_html_(self) -> str:
        """Return the report and, for some of its numbers, the error of differences over the step, which has a U."""
        order = sorted(self.findings, key=lambda finding: -_SEVERITY.index(finding.verdict))
        curves = "".join(_curve(finding) for finding in [f for f in order if f.curve][:4])
        return f"<pre>{html.escape(on_screen(str(self), _COLUMNS))}</pre>{curves}"


@dataclass(frozen=True)
class Named:
    """A mistake that explains numbers."""

    name: str  # a short key, such as "sign"
    sentence: str  # what was done
    correction: str  # what to write
    is_right: bool = False  # right after all, such as the noise of float32


@dataclass(frozen=True, repr=False)
class Diagnosis(Report):
    """A report with the mistakes that explain all numbers, the simplest first.

    Attributes:
        mistakes: what explains every number; empty if all is right, or if nothing explains it.
        partial: what explains some of the wrong numbers, if nothing explains all.
        is_rest_right: whether `partial` explains all wrong numbers, although others are right.
        place: the line of the user's program that was judged; "" if it is unknown.
    """

    mistakes: tuple[Named, ...] = ()
    partial: tuple[Named, ...] = ()
    is_rest_right: bool = False
    place: str = ""

    def _lines(self) -> list[str]:
        lines = [f"  {self.place}"] if self.place else []
        for n, mistake in enumerate(self.mistakes[:3]):
            lines += [f"  {'or: ' if n else ''}{mistake.sentence}", f"      {mistake.correction}"]
        for n, mistake in enumerate(self.partial):
            lines += [f"  {'And' if n else 'In part'}: {mistake.sentence}", f"      {mistake.correction}"]
        if len(self.partial) == 1:
            lines.append(f"  The rest {'is right' if self.is_rest_right else 'has another cause'}.")
        return lines + super()._lines()


# -- the picture -------------------------------------------------------------------------------------------------------

_COLUMNS = 110  # of the text above it
_WIDTH, _HEIGHT = 300, 150


def _curve(finding: Finding) -> str:
    """Return a picture of the error of differences over the step, both in powers of ten."""
    points = [(math.log10(s), math.log10(max(e, 1e-320))) for s, e in finding.curve if math.isfinite(e) and s > 0.0]
    if len({y for _, y in points}) < 2:
        return ""
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*points, strict=True))
    low = min(max(low, high - 24.0), high - 4.0)  # an error of exactly 0 has no logarithm; a level looks level
    wide, tall = (_WIDTH - 50) / (right - left), (_HEIGHT - 42) / (high - low)
    places = [(40 + (x - left) * wide, 12 + (high - max(y, low)) * tall) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    title = html.escape(f"{finding.verdict} {finding.where}")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" style="font:10px'
        f' sans-serif"><title>{title}: error of differences by step</title>'
        f'<polyline points="{line}" fill="none" stroke="{"#c22" if finding.verdict is Verdict.FAIL else "#27a"}"/>'
        f'<g fill="currentColor"><text x="40" y="9">{title}: error</text>'
        f'<text x="2" y="18">1e{round(high)}</text><text x="2" y="{_HEIGHT - 30}">1e{round(low)}</text>'
        f'<text x="40" y="{_HEIGHT - 14}">1e{round(left)}</text>'
        f'<text x="{_WIDTH - 30}" y="{_HEIGHT - 14}">1e{round(right)}</text>'
        f'<text x="{_WIDTH // 2 - 10}" y="{_HEIGHT - 14}">step</text></g></svg>'
    )
