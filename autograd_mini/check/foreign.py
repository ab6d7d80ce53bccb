"""The numbers of a program in any language, judged: read from a file or asked for line by line, and diagnosed.

A program that is asked gets one input a line on its standard input, and answers each with one line. Not here: how it
is run (`programs`) and read (`answers`). Read next: `check.alignment`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from autograd_mini.check.answers import QUANTITIES, Answers, read
from autograd_mini.check.diagnosis import Quantity
from autograd_mini.check.programs import Limits, Outcome, run
from autograd_mini.check.tasks import Task, flat
from autograd_mini.check.vectors import line
from autograd_mini.check.verdicts import Diagnosis
from autograd_mini.errors import AutogradError, DataError, counted, sentences, shown
from autograd_mini.output.streams import reason

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
    answers: Answers = field(default_factory=Answers)
    reports: dict[Quantity, Diagnosis] = field(default_factory=dict)
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
        missing = [f"No {name}s were given." for name in QUANTITIES if self.reports and name not in self.reports]
        if self.answers.unclear:
            points = counted(self.answers.unclear, "point")
            missing.append(f"At {points} too few digits were printed to tell: print them all.")
        if self.answers.precision.digits < 17:
            missing.append("Few digits were printed, so no more than those were compared.")
        said = [*map(short, self.reports.values()), self.change, *missing, self.errors, self.fault]
        return "\n\n".join(filter(None, said))


def short(report: Diagnosis) -> str:
    """Return a report without the numbers that are right."""
    return re.sub(r"(?m)^  (PASS .*|… .* that are right)\n?( {10}.*\n?)*", "", str(report)).rstrip()


def judge(task: Task, answers: Answers) -> Judgement:
    """Diagnose what was given, and find changed arguments and errors."""
    change = errors = ""
    for point, after, error in zip(answers.points, answers.argument, answers.errors, strict=True):
        if not change and after is not None and flat(after) != flat(point[0]):
            change = (
                f"{task.name} changes its argument: {shown(point[0])} has become {shown(after)} after the call, and "
                "what the caller computes from it is wrong. Copy it first, and write to the copy."
            )
        if not errors and error:
            where = "" if {*answers.errors} == {error} else f"At {line(point)} there is an error, no answer: "
            errors = f"{where}{error}"
    return Judgement(task, answers, answers.reports(task), change, errors)


def asked(task: Task, command: Sequence[str], limits: Limits, folder: Path | None = None) -> Judgement:
    """Ask a program for its answers at the points of a task, one a line, and judge them."""
    given = "".join(f"{line(point)}\n" for point in task.points)
    return judge_outcome(task, run(command, given, limits, folder))


def judge_outcome(task: Task, outcome: Outcome) -> Judgement:
    """Judge the answers of a program that has ended; a line that it did not finish does not count."""
    whole = outcome.output[: outcome.output.rfind("\n") + 1] if outcome.fault else outcome.output
    lines = [answer for answer in whole.splitlines() if answer.strip()]
    count, wanted, fault = len(lines), len(task.points), ""
    if count < wanted:
        fault = f"{outcome.fault or 'It ended.'} It had answered {count} of {wanted} inputs; the next was "
        fault += f"{line(task.points[count])}."
    elif count > wanted:
        fault = f"It printed {count} lines for {wanted} inputs: print one line for each, and nothing else."
        fault, lines = outcome.fault or fault, []
    if fault and outcome.complaint:
        fault = f"{fault} Its last words: {outcome.complaint}"
    if not lines:
        return Judgement(task, fault=fault)
    try:
        return replace(judge(task, read("\n".join(lines), task, is_partial=True)), fault=fault)
    except AutogradError as error:
        return Judgement(task, fault=fault or sentences(error))


class Source(NamedTuple):
    """Where the numbers come from: a file, standard input ("-"), or a program."""

    file: str | None
    command: Sequence[str] = ()
    limits: Limits = Limits()

    def judged(self, task: Task) -> Judgement:
        """Judge the numbers for a task; raises a DataError if they cannot be read."""
        if self.file is None:
            return asked(task, self.command, self.limits)
        return judge(task, read(self.text(), task))

    def text(self) -> str:
        """Return all that was printed; raises a DataError if the file cannot be read, or the program fails."""
        if self.file is None:
            outcome = run(self.command, "", self.limits)
            if outcome.fault:
                raise DataError(outcome.why())
            return outcome.output
        try:
            data = sys.stdin.buffer.read() if self.file == "-" else Path(self.file).read_bytes()
        except OSError as error:
            raise DataError(f"{reason(error)}.") from None
        is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # as PowerShell writes
        return data.decode("utf-16" if is_wide else "utf-8", "replace")
