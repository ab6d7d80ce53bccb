"""What a check says: a verdict for each number, and the report that a user reads.

Rely on: `Verdict` (strings, so `verdict == "FAIL"`), `Finding`, `Report` (`.ok .verdict .findings .assert_ok()`, true
if it is ok), and `Diagnosis`, a report with `.mistakes`. Not here: how verdicts are found. Read next: `check.differences`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What can be said about a derivative."""

    PASS = "PASS"  # it agrees
    KINK = "KINK"  # the slopes on both sides differ, and it is a convention between them
    NOISE = "NOISE"  # cannot tell: rounding hides the difference
    DOMAIN = "DOMAIN"  # the function has no value there
    FAIL = "FAIL"  # it is wrong


# The verdict of several numbers is the worst of them.
_SEVERITY = [Verdict.PASS, Verdict.KINK, Verdict.NOISE, Verdict.DOMAIN, Verdict.FAIL]


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
    curve: tuple[tuple[float, float], ...] = ()  # the error of differences, by step: (step, error)


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
        """Whether everything is right, or a convention at a kink. It is false if rounding hides the answer."""
        return self.verdict in (Verdict.PASS, Verdict.KINK)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{self.title}: {self.verdict}"

    def assert_ok(self) -> None:
        """Raise an AssertionError with the report, unless it is ok."""
        __tracebackhide__ = True  # pytest then shows the caller's line
        if not self.ok:
            raise AssertionError(str(self))


@dataclass(frozen=True)
class Named:
    """A mistake that explains numbers."""

    name: str  # a short key, the same for all who make it: "sign"
    sentence: str  # what was done
    correction: str  # what to write
    is_right: bool = False  # right after all, such as the noise of float32


@dataclass(frozen=True, repr=False)
class Diagnosis(Report):
    """A report with the mistakes that explain all numbers, the simplest first.

    Attributes:
        mistakes: what explains every number; empty if all is right, or if nothing explains it.
        partial: what explains some of the wrong numbers, if nothing explains all.
    """

    mistakes: tuple[Named, ...] = ()
    partial: tuple[Named, ...] = ()
