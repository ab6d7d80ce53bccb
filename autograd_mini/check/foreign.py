"""The numbers of a program in any language, judged: read from a file or asked for line by line, and diagnosed.

A program that is asked gets one input a line on its standard input, and answers each with one line. Not here: how it
is run (`programs`) and read (`answers`). Read next: `check.alignment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autograd_mini.check.answers import Answers, flat, read
from autograd_mini.check.diagnosis import diagnose
from autograd_mini.check.programs import Limits, Outcome, run
from autograd_mini.check.tasks import Point, Task
from autograd_mini.check.vectors import line
from autograd_mini.check.verdicts import Diagnosis
from autograd_mini.errors import AutogradError, counted, sentences, shown

RIGHT, WRONG, UNKNOWN = 0, 1, 2  # the exit status of a command


@dataclass(frozen=True, repr=False)
class Judgement:
    """What can be said about the answers of a program; print it as text.

    Attributes:
        reports: the diagnosis of each quantity that was given, "value" and "derivative".
        changed: the first point at which a function changed its argument, and the argument after the call.
        fault: why not everything could be judged; "" if it could.
    """

    task: Task
    answers: Answers
    reports: dict[str, Diagnosis]
    changed: tuple[Point, Any] | None = None
    fault: str = ""

    @property
    def status(self) -> int:
        """The exit status: 0 if all is right, 1 if something is wrong, 2 if it cannot be told."""
        if self.changed or any(report.verdict == "FAIL" for report in self.reports.values()):
            return WRONG
        return RIGHT if self.reports and not self.fault and all(report.ok for report in self.reports.values()) else UNKNOWN

    def __str__(self) -> str:
        said = [str(report) for report in self.reports.values()]
        if self.changed is not None:
            point, after = self.changed
            said.append(
                f"{self.task.name} changes its argument: {shown(point[0])} is {shown(after)} after the call. "
                "What the caller computes from it later is wrong. Copy the list first, and write to the copy."
            )
        missing = [quantity for quantity in ("value", "derivative") if quantity not in self.reports]
        if self.reports and missing:
            said.append(f"No {missing[0]}s were given.")
        return "\n\n".join([*said, *filter(None, [self.fault])])


def judge(task: Task, answers: Answers, fault: str = "") -> Judgement:
    """Diagnose what was given of value and derivative."""
    reports = {}
    quantities: tuple[Any, Any] = "value", "derivative"
    for quantity in quantities:
        claims = getattr(answers, quantity)
        pairs = [(point, claim) for point, claim in zip(answers.points, claims, strict=True) if claim is not None]
        if pairs:
            points, given = zip(*pairs, strict=True)
            reports[quantity] = diagnose(task, points, given, quantity, answers.digits)
    changed = [
        (point, after)
        for point, after in zip(answers.points, answers.argument, strict=True)
        if after is not None and any(a != b for a, b in zip(flat(after), flat(point[0]), strict=True))
    ]
    errors = [(point, error) for point, error in zip(answers.points, answers.errors, strict=True) if error]
    if errors and not fault:
        point, error = errors[0]
        fault = f"At {counted(len(errors), 'point')} there is an error instead of numbers, first at {_at(task, point)}: {error}"
    return Judgement(task, answers, reports, changed[0] if changed else None, fault)


def check_printed(task: Task, text: str) -> Judgement:
    """Judge what a program printed.

    Raises:
        DataError: it cannot be read.
    """
    return judge(task, read(text, task))


def check_program(task: Task, command: Sequence[str], limits: Limits = Limits()) -> Judgement:
    """Ask a program for its answers at the points of a task, one a line, and judge them."""
    outcome = run(command, "".join(f"{line(point)}\n" for point in task.points), limits)
    return judge_outcome(task, outcome)


def judge_outcome(task: Task, outcome: Outcome) -> Judgement:
    """Judge the answers of a program that has ended; a line that it did not finish does not count."""
    whole = outcome.output if not outcome.fault else outcome.output[: outcome.output.rfind("\n") + 1]
    lines = [answer for answer in whole.splitlines() if answer.strip()]
    points, fault = task.points, outcome.fault
    if fault and len(lines) > len(points):
        lines = []
    elif len(lines) < len(points):
        fault = (
            f"{fault or 'It ended.'} It had answered {len(lines)} of {len(points)} inputs; "
            f"the next one was {line(points[len(lines)])!r}."
        )
    elif not fault and len(lines) > len(points):
        fault = f"It printed {len(lines)} lines for {len(points)} inputs: print one line for each, and nothing else."
        lines = []
    if outcome.complaint and (fault or outcome.fault):
        fault = f"{fault} Its last words: {outcome.complaint}"
    if not lines:
        return Judgement(task, Answers(), {}, fault=fault)
    try:
        answers = read("\n".join(lines), task, points)
    except AutogradError as error:
        return Judgement(task, Answers(), {}, fault=f"{fault} {sentences(error)}".strip())
    return judge(task, answers, fault if len(lines) < len(points) else "")


def _at(task: Task, point: Point) -> str:
    return f"{task.name}({', '.join(map(shown, point))})"
