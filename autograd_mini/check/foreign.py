"""The numbers of a program in any language, judged: read from a file or asked for line by line, and diagnosed.

A program that is asked gets one input a line on its standard input, and answers each with one line. Not here: how it
is run (`programs`) and read (`answers`). Read next: `check.alignment`.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from autograd_mini.check.answers import QUANTITIES, Answers, read
from autograd_mini.check.diagnosis import Quantity, diagnose
from autograd_mini.check.programs import Limits, Outcome, run
from autograd_mini.check.tasks import Point, Task, flat
from autograd_mini.check.vectors import asked, line
from autograd_mini.check.verdicts import Diagnosis
from autograd_mini.errors import AutogradError, DataError, counted, sentences, shown
from autograd_mini.output.streams import reason
from autograd_mini.transforms import trees

RIGHT, WRONG, UNKNOWN = 0, 1, 2  # the exit status of a command
_TELLING = 5  # fewer numbers look like the noise of some step of differences


@dataclass(frozen=True, repr=False)
class Judgement:
    """What can be said about the answers of a program; print it as text.

    Attributes:
        reports: the diagnosis of each quantity that was given, "value" and "derivative".
        change: the sentence about a function that changes its argument; "" if none does.
        errors: the sentence about points at which the program reports an error; "" if there are none.
        fault: why not everything could be judged; "" if it could.
    """

    task: Task
    answers: Answers
    reports: dict[Quantity, Diagnosis]
    change: str = ""
    errors: str = ""
    fault: str = ""

    @property
    def status(self) -> int:
        """The exit status: 0 if all is right, 1 if something is wrong, 2 if it cannot be told."""
        reports = self.reports.values()
        if self.change or self.errors or any(report.verdict == "FAIL" for report in reports):
            return WRONG
        few = any(report.verdict == "NOISE" and len(report.findings) < _TELLING for report in reports)
        return UNKNOWN if self.fault or few or not reports or not all(reports) else RIGHT

    def __str__(self) -> str:
        missing = [
            f"No {quantity}s were given." for quantity in QUANTITIES if self.reports and quantity not in self.reports
        ]
        unclear = f"At {counted(self.answers.unclear, 'point')} too few digits were printed to tell: print them all."
        missing += [unclear] * (self.answers.unclear > 0)
        missing += ["Few digits were printed, so no more than those were compared."] * (self.answers.digits < 17)
        said = [*map(short, self.reports.values()), self.change, *missing, self.errors, self.fault]
        return "\n\n".join(filter(None, said))


def short(report: Diagnosis) -> str:
    """Return a report without the numbers that are right."""
    return re.sub(r"(?m)^  (PASS .*|… .* that are right)\n?( {10}.*\n?)*", "", str(report)).rstrip()


def judge(task: Task, answers: Answers) -> Judgement:
    """Diagnose what was given of value and derivative."""
    reports: dict[Quantity, Diagnosis] = {}
    for quantity in QUANTITIES:
        if claims := answers.of(quantity):
            points = [answers.points[i] for i in claims]
            reports[quantity] = _diagnosed(task, points, [*claims.values()], quantity, answers)
    change = errors = ""
    for point, after, error in zip(answers.points, answers.argument, answers.errors, strict=True):
        if not change and after is not None and any(a != b for a, b in zip(flat(after), flat(point[0]), strict=True)):
            change = (
                f"{task.name} changes its argument: {shown(point[0])} has become {shown(after)} after the call, and "
                "what the caller computes from it is wrong. Copy it first, and write to the copy."
            )
        if not errors and error:
            errors = (
                error if {*answers.errors} == {error} else f"At {line(point)} there is an error, no answer: {error}"
            )
    return Judgement(task, answers, reports, change, errors)


def _diagnosed(task: Task, points: Sequence[Point], claims: list[Any], quantity: Quantity, found: Answers) -> Diagnosis:
    """Diagnose numbers that may be printed with few digits: those that agree so far have become the right ones."""
    report = diagnose(task, points, claims, quantity)
    if report.ok or found.digits == 17:
        return report
    if 7 <= found.digits <= 9:  # as single precision is printed
        single = diagnose(task, points, trees.rebuilt(claims, map(_single, flat(claims))), quantity)
        if single.ok:
            return single
    telling = [i for i, claim in enumerate(claims) if all(abs(x) >= found.least for x in flat(claim))]
    if not telling:
        return report
    named = diagnose(task, [points[i] for i in telling], [claims[i] for i in telling], quantity, found.digits)
    return replace(report, mistakes=named.mistakes) if not named.ok else report


def _single(x: float) -> float:
    return float(struct.unpack("f", struct.pack("f", x))[0]) if abs(x) < 3e38 else x


class Source(NamedTuple):
    """Where the numbers come from: a file, standard input ("-"), or a program."""

    file: str | None
    command: Sequence[str] = ()
    limits: Limits = Limits()

    def judged(self, task: Task) -> Judgement:
        """Judge the numbers for a task; raises a DataError if they cannot be read."""
        if self.file is None:
            return judge_outcome(task, run(self.command, asked(task), self.limits))
        return judge(task, read(self.text(), task))

    def text(self) -> str:
        """Return all that was printed; raises a DataError if the file cannot be read, or the program fails."""
        if self.file is None:
            outcome = run(self.command, "", self.limits)
            if outcome.fault:
                raise DataError(f"{outcome.fault} {outcome.complaint}".strip())
            return outcome.output
        try:
            data = sys.stdin.buffer.read() if self.file == "-" else Path(self.file).read_bytes()
        except OSError as error:
            raise DataError(f"{reason(error)}.") from None
        is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # as PowerShell writes
        return data.decode("utf-16" if is_wide else "utf-8", "replace")


def judge_outcome(task: Task, outcome: Outcome) -> Judgement:
    """Judge the answers of a program that has ended; a line that it did not finish does not count."""
    whole = outcome.output[: outcome.output.rfind("\n") + 1] if outcome.fault else outcome.output
    lines = [answer for answer in whole.splitlines() if answer.strip()]
    wanted, fault = len(task.points), outcome.fault
    if len(lines) < wanted:
        next_one = line(task.points[len(lines)])
        fault = f"{fault or 'It ended.'} It had answered {len(lines)} of {wanted} inputs; the next was {next_one}."
    elif len(lines) > wanted:
        fault = (
            fault or f"It printed {len(lines)} lines for {wanted} inputs: print one line for each, and nothing else."
        )
        lines = []
    else:
        fault = ""
    if fault and outcome.complaint:
        fault = f"{fault} Its last words: {outcome.complaint}"
    try:
        found = judge(task, read("\n".join(lines), task, task.points)) if lines else Judgement(task, Answers(), {})
    except AutogradError as error:
        return Judgement(task, Answers(), {}, fault=fault or sentences(error))
    return replace(found, fault=fault)
