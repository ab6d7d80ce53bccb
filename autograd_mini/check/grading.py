"""Grading a folder of submissions: each runs on a copy, in processes of its own with limits, and gets points.

This is no sandbox: a submission can read your files and use the network. Do not grade code that you would not run.
Not here: what the process of a submission does (`submission`), and the formats of grades. Read next: `check.gradebook`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from autograd_mini.check import child, submission
from autograd_mini.check.answers import QUANTITIES
from autograd_mini.check.diagnosis import Quantity
from autograd_mini.check.foreign import RIGHT, Judgement, judge_outcome, short
from autograd_mini.check.programs import Limits, run
from autograd_mini.check.tasks import Point, Task, flat, task_named
from autograd_mini.check.vectors import asked, line
from autograd_mini.check.verdicts import Verdict
from autograd_mini.drawing import draw
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, DataError, sentences, shown
from autograd_mini.notation.text import number
from autograd_mini.output.streams import progress, reason
from autograd_mini.program.owner import FOLDER

ENGINE = "engine"
_DERIVATIVES = "{0}_derivative d{0} d_{0} {0}_prime {0}_grad {0}_gradient {0}_jacobian grad_{0}"
_BUILD = 60.0  # seconds


@dataclass(frozen=True)
class Assignment:
    """One task for all submissions, as a table of tasks.toml says it.

    Attributes:
        name: a task, or "engine".
        points: for all of it; value and derivative count half each.
        files: which file of a submission holds it, as a pattern.
        value: the name of the function in a Python file; of an engine, the name of the class.
        derivative: the names that the derivative may have.
        run: the command that answers line by line, for other languages; {file} and {stem} are filled in.
        build: a command to run before.
    """

    name: str
    points: float = 1.0
    files: str = "*.py"
    value: str = ""
    derivative: str = ""
    run: str = ""
    build: str = ""

    def question(self, file: str) -> dict[str, Any]:
        """Return what a process is asked to load from a Python file."""
        derivatives = (self.derivative or _DERIVATIVES.format(self.name)).split()
        return {"file": file, "value": [self.value or self.name], "derivative": derivatives}


@dataclass(frozen=True)
class Part:
    """The points for one part of a submission, with the report, the mistake, and a picture of a counterexample."""

    name: str
    points: float
    most: float
    text: str = ""
    mistake: str = ""
    svg: str = ""


@dataclass(frozen=True)
class Grade:
    """What one submission gets."""

    submission: str
    parts: tuple[Part, ...]

    @property
    def points(self) -> float:
        """The sum of its points."""
        return sum(part.points for part in self.parts)

    @property
    def most(self) -> float:
        """The most that it could get."""
        return sum(part.most for part in self.parts)


def assignments(task: str) -> tuple[list[Assignment], Limits]:
    """Return what --task names: a task of the package, "engine", or a file of tables [[task]], with its limits.

    Raises:
        ArgumentError: there is no such task.
        DataError: the file cannot be read as TOML, or has keys that mean nothing.
    """
    table: dict[str, Any] = {"task": [{"name": task}]}
    if task.endswith(".toml"):
        try:
            table = tomllib.loads(Path(task).read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{task} is not TOML: {error}.") from None
    try:
        limits = Limits(float(table.pop("seconds", 10.0)), int(table.pop("memory", 1024)))
        found = [Assignment(**{"points": 1.0, **entry}) for entry in table.pop("task")]
        is_right = not table and all(
            size > 0.0 for size in (limits.seconds, limits.memory or 0, *[entry.points for entry in found])
        )
    except (TypeError, ValueError, KeyError):
        is_right, found = False, []
    if not is_right or not found:
        names = ", ".join(field.name for field in fields(Assignment))
        raise DataError(
            f"{task} may hold seconds, memory (in MB), and tables [[task]] with a name; their keys are {names}."
        )
    for assignment in found:
        if assignment.name != ENGINE:
            task_named(assignment.name)
    return found, limits


def grade(folder: Path, tasks: Sequence[Assignment], limits: Limits, pictures: bool = False) -> list[Grade]:
    """Grade all files and folders in a folder, several at a time, with a progress bar on standard error.

    Raises:
        ArgumentError: there is nothing to grade.
    """
    patterns = {task.files for task in tasks}
    paths = [
        path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if path.name[0] not in "._" and (path.is_dir() or any(map(path.match, patterns)))
    ]
    if not paths:
        raise ArgumentError(f"There are no submissions in {str(folder)!r}: no {' or '.join(patterns)}, and no folders.")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each thread waits for the processes of one submission
        grades = pool.map(lambda path: _graded(path, tasks, limits, pictures), paths)
        return list(progress(grades, "grading", "submission", len(paths)))


def _graded(path: Path, tasks: Sequence[Assignment], limits: Limits, pictures: bool) -> Grade:
    """Grade a submission, each task on a fresh copy; whatever goes wrong costs the points of that task alone."""
    parts: list[Part] = []
    folder = Path(tempfile.mkdtemp(prefix="autograd-mini-"))
    for i, task in enumerate(tasks):
        try:
            parts += _parts(path, folder / str(i), task, limits, pictures)
        except Exception as error:  # not even an error of ours may cost the others their grades
            why = reason(error) if isinstance(error, OSError) else sentences(error)
            parts.append(Part(task.name, 0.0, task.points, why, why))
    shutil.rmtree(folder, ignore_errors=True)
    return Grade(path.name, tuple(parts))


def _parts(path: Path, copy: Path, task: Assignment, limits: Limits, pictures: bool) -> list[Part]:
    if path.is_file():
        copy.mkdir()
        shutil.copy(path, copy)
    else:
        shutil.copytree(path, copy, symlinks=True)
    found = sorted(str(file.relative_to(copy)) for file in copy.rglob(task.files) if file.is_file())
    if len(found) != 1:
        raise DataError(f"It should hold one file {task.files}, and holds {shown(found) if found else 'none'}.")
    file = found[0]

    def command(text: str) -> list[str]:
        return [word.replace("{file}", file).replace("{stem}", Path(file).stem) for word in shlex.split(text)]

    if task.build:
        built = run(command(task.build), "", limits._replace(seconds=_BUILD), copy)
        if built.fault:
            raise DataError(f"It cannot be built. {built.fault} {built.complaint}".strip())
    if task.run:
        judgement = judge_outcome(
            task_named(task.name), run(command(task.run), asked(task_named(task.name)), limits, copy)
        )
        return [_part(task, judgement, quantity, pictures) for quantity in QUANTITIES]
    if task.name == ENGINE:
        return [_engine_part(task, file, copy, limits)]
    points = task_named(task.name).points
    given = "".join(json.dumps(entry) + "\n" for entry in (task.question(file), *points))
    outcome = run([sys.executable, str(submission.__file__)], given, limits, copy)
    lines = outcome.output.splitlines(keepends=True)
    halves = zip(QUANTITIES, (lines[: len(points)], lines[len(points) :]), strict=True)
    return [
        _part(task, judge_outcome(task_named(task.name), outcome._replace(output="".join(half))), quantity, pictures)
        for quantity, half in halves
    ]


def _engine_part(task: Assignment, file: str, copy: Path, limits: Limits) -> Part:
    """Let a process examine a class, as `check-engine` does."""
    left = copy / f"{ENGINE}.report"
    command = [sys.executable, "-P", "-m", child.__name__, f"{file}:{task.value or 'Value'}", str(left)]
    outcome = run(command, "", limits, copy, {"PYTHONPATH": str(Path(FOLDER).parent)})
    if not left.exists():
        raise DataError(f"{outcome.fault or 'It left no report.'} {outcome.complaint}".strip())
    verdict, text, svg = json.loads(left.read_text(encoding="utf-8"))
    is_right = child.STATUS.get(Verdict(verdict)) == RIGHT
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Part(
        ENGINE, task.points * is_right, task.points, text, "" if is_right else lines[min(1, len(lines) - 1)], svg
    )


def _part(task: Assignment, judgement: Judgement, quantity: Quantity, pictures: bool) -> Part:
    """Give all points for a quantity, or none."""
    report, name = judgement.reports.get(quantity), f"{task.name}: {quantity}"
    trouble = [why for why in (judgement.change, judgement.errors, judgement.fault) if why]
    if report is None:
        why = " ".join(trouble) or f"No {quantity}s were given."
        return Part(name, 0.0, task.points / 2, why, why)
    text = "\n".join([short(report), *trouble])
    if report.ok and not trouble:
        return Part(name, task.points / 2, task.points / 2, text)
    mistakes = [f"{named.sentence} {named.correction}" for named in report.mistakes]
    svg = counterexample(judgement, quantity) if pictures and not report.ok else ""
    return Part(name, 0.0, task.points / 2, text, next(iter([*mistakes, *trouble]), ""), svg)


def counterexample(judgement: Judgement, quantity: Quantity) -> str:
    """Return a picture of the smallest graph for which the answer is wrong, with the right numbers."""
    task, points = judgement.task, judgement.answers.points
    claims = judgement.answers.of(quantity)
    findings = judgement.reports[quantity].findings  # one for each point
    wrong = [i for i, finding in zip(claims, findings, strict=False) if finding.verdict == "FAIL"]
    if not wrong:
        return ""
    first = min(wrong, key=lambda i: (len(flat(points[i])), len(line(points[i]))))
    point, claim = points[first], claims[first]
    root, right, claim = _first_wrong(task, point, getattr(task, quantity)(point), claim)
    root.backward()
    shown_right, shown_claim = [" ".join(map(number, flat(x))) for x in (right, claim)]
    title = f"{task.name} at {line(point)}: its {quantity} is {shown_right}, not {shown_claim}"
    return draw(root, title=title, legend=False).svg


def _first_wrong(task: Task, point: Point, right: Any, claim: Any) -> tuple[Value, Any, Any]:
    """Record a function, and return the first result that was answered wrongly: of softmax, one probability."""
    x = point[0]
    xs = [Value(z, name=f"z{i}") for i, z in enumerate(x)] if isinstance(x, list) else Value(x, name="x")
    results = task.function(xs, *point[1:])
    if not isinstance(results, list):
        return results, right, claim
    rows = [*zip(results, right, claim, strict=True)]
    return max(rows, key=lambda row: max(abs(a - b) for a, b in zip(flat(row[1]), flat(row[2]), strict=True)))
