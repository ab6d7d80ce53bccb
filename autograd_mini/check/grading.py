"""Grading a folder of submissions: each runs on a copy, in processes of its own with limits, and gets points.

This is not a sandbox: a submission can read your files and use the network. Do not grade code that you would not run.
Grades are written as a table, JSON, CSV, or what Gradescope and PrairieLearn read. Not here: what the process of a
submission does (`foreign.child`). Read next: `compile`.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import shlex
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from autograd_mini.check.foreign import child
from autograd_mini.check.foreign.answers import QUANTITIES, Answers, answered, asked, short
from autograd_mini.check.foreign.programs import Limits, run
from autograd_mini.check.foreign.vectors import csv_text, one_line
from autograd_mini.check.mistakes.diagnosis import Quantity
from autograd_mini.check.tasks import flat, task_named
from autograd_mini.check.verdicts import RIGHT
from autograd_mini.drawing import draw
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, DataError, counted, sentences, shown
from autograd_mini.notation.text import number
from autograd_mini.output import files
from autograd_mini.output.streams import progress, reason, width
from autograd_mini.transforms import trees

ENGINE = "engine"
_DERIVATIVES = "{0}_derivative d{0} d_{0} {0}_prime {0}_grad {0}_gradient {0}_jacobian grad_{0}"
_BUILD = 60.0  # seconds


@dataclass(frozen=True)
class Assignment:
    """One task for all submissions, as a table in tasks.toml describes it."""

    name: str  # a task, or "engine"
    points: float = 1.0  # for all of it; value and derivative count half each
    files: str = "*.py"  # which file of a submission holds it, as a pattern
    value: str = ""  # the name of the function in a Python file; of an engine, the name of the class
    derivative: str = ""  # the names that the derivative may have
    run: str = ""  # the command that answers line by line, for other languages; {file} and {stem} are filled in
    build: str = ""  # a command to run before


@dataclass(frozen=True)
class Part:
    """The points for one part of a submission, with the report, the mistake, and a picture of a counterexample."""

    name: str
    points: float
    most: float
    text: str = ""
    mistake: str = ""
    svg: str = ""

    @property
    def why(self) -> str:
        """Why points are missing: the mistake, or the first line of the report; "" if none are."""
        return "" if self.points == self.most else self.mistake or self.text.strip().partition("\n")[0]


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

    def missing(self) -> list[str]:
        """Return why points are missing, after the names of the parts."""
        found: dict[str, list[str]] = {}
        for part in self.parts:
            if part.why:
                found.setdefault(part.why, []).append(part.name)
        return [f"{', '.join(names)}: {why}" for why, names in found.items()]


def assignments(task: str) -> tuple[list[Assignment], Limits]:
    """Return what --task names: a task of the package, "engine", or a file of tables [[task]], with its limits.

    An ArgumentError if there is no such task; a DataError if the file is not TOML, or has keys that mean nothing.
    """
    table: dict[str, Any] = {"task": [{"name": task}]}
    try:
        if task.endswith(".toml"):
            table = tomllib.loads(Path(task).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{task} is not TOML: {error}.") from None
    try:
        limits = Limits(float(table.pop("seconds", 10.0)), int(table.pop("memory", 1024)))
        found = [Assignment(**entry) for entry in table.pop("task")]
        if table or min([limits.seconds, limits.memory or 0, *[entry.points for entry in found]]) <= 0.0 or not found:
            raise ValueError
    except (TypeError, ValueError, KeyError):
        keys = ", ".join(field.name for field in fields(Assignment))
        raise DataError(
            f"{task} may hold seconds, memory (in MB), and tables [[task]] with a name; their keys are {keys}."
        ) from None
    for assignment in found:
        if assignment.name != ENGINE:
            task_named(assignment.name)
    return found, limits


def grade(folder: Path, tasks: Sequence[Assignment], limits: Limits, pictures: bool = False) -> list[Grade]:
    """Grade all files and folders in a folder, several at a time, with a progress bar; an error if there are none."""
    patterns = {task.files for task in tasks}
    found = [path for path in (sorted(folder.iterdir()) if folder.is_dir() else ()) if path.name[0] not in "._"]
    paths = [path for path in found if path.is_dir() or any(map(path.match, patterns))]
    if not paths:
        raise ArgumentError(f"There are no submissions in {str(folder)!r}: no {' or '.join(patterns)}, and no folders.")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each thread waits for the processes of one submission
        grades = pool.map(lambda path: _graded(path, tasks, limits, pictures), paths)
        return list(progress(grades, "grading", "submission", len(paths)))


def _graded(path: Path, tasks: Sequence[Assignment], limits: Limits, pictures: bool) -> Grade:
    """Grade a submission, each task on a fresh copy; a failure costs only the points of that task."""
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
            raise DataError(f"It cannot be built. {built.why()}")
    if task.name == ENGINE:
        result = child.examined(f"{file}:{task.value or 'Value'}", limits, copy)
        points = task.points if result.verdict.status == RIGHT else 0.0
        first, *lines = [line.strip() for line in result.text.splitlines() if line.strip()] or ["It has no report."]
        return [Part(ENGINE, points, task.points, result.text, next(iter(lines), first), result.svg)]
    asks = task_named(task.name)
    if task.run:
        both = [asked(asks, command(task.run), limits, copy)] * 2
    else:
        derivatives = (task.derivative or _DERIVATIVES.format(task.name)).split()
        outcome = child.answers(file, [[task.value or task.name], derivatives], asks.points, limits, copy)
        lines, half = outcome.output.splitlines(keepends=True), len(asks.points)
        both = [answered(asks, outcome._replace(output="".join(part))) for part in (lines[:half], lines[half:])]
    return [_part(task, *pair, pictures) for pair in zip(both, QUANTITIES, strict=True)]


def _part(task: Assignment, answers: Answers, quantity: Quantity, pictures: bool) -> Part:
    """Give all points for a quantity, or none."""
    report, name, most = answers.reports.get(quantity), f"{task.name}: {quantity}", task.points / 2
    if report is None:
        why = " ".join(answers.trouble) or f"No {quantity}s were given."
        return Part(name, 0.0, most, why, why)
    text = "\n".join([short(report), *answers.trouble])
    if report.ok and not answers.trouble:
        return Part(name, most, most, text)
    mistakes = [f"{named.sentence} {named.correction}" for named in report.mistakes]
    svg = _counterexample(answers, quantity) if pictures and not report.ok else ""
    return Part(name, 0.0, most, text, next(iter([*mistakes, *answers.trouble]), ""), svg)


def _counterexample(answers: Answers, quantity: Quantity) -> str:
    """Return a picture of the smallest graph for which an answer is wrong, of softmax one probability, or ""."""
    task = answers.task
    pairs = zip(answers.of(quantity).items(), answers.reports[quantity].findings, strict=False)  # one for each point
    wrong = [(answers.points[i], claim) for (i, claim), finding in pairs if finding.verdict == "FAIL"]
    if not wrong:
        return ""
    point, claim = min(wrong, key=lambda pair: (len(flat(pair[0])), len(one_line(pair[0]))))
    first, right = point[0], getattr(task, quantity)(point)
    leaves = [Value(x, name=f"z{i}" if isinstance(first, list) else "x") for i, x in enumerate(flat(first))]
    root = task.function(trees.rebuilt(first, iter(leaves)), *point[1:])
    if isinstance(root, list):
        rows = zip(root, right, claim, strict=True)
        root, right, claim = max(rows, key=lambda row: math.dist(flat(row[1]), flat(row[2])))
    root.backward()
    is_right, is_claimed = (" ".join(map(number, flat(numbers))) for numbers in (right, claim))
    title = f"{task.name} at {one_line(point)}: its {quantity} is {is_right}, not {is_claimed}"
    return draw(root, title=title, legend=False).svg


# -- what is written ---------------------------------------------------------------------------------------------------


def groups(grades: Sequence[Grade]) -> dict[str, list[str]]:
    """Return the submissions that share a mistake, the most frequent first."""
    found: dict[str, list[str]] = {}
    for entry in grades:
        for why in entry.missing():
            found.setdefault(why, []).append(entry.submission)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def _text(grades: Sequence[Grade]) -> str:
    columns = max(width(entry.submission) for entry in grades)
    lines = []
    for entry in grades:
        name = entry.submission + " " * (columns - width(entry.submission))
        lines += [f"{name}  {entry.points:g} of {entry.most:g}", *[f"    {why}" for why in entry.missing()]]
    shared = [(why, names) for why, names in groups(grades).items() if len(names) > 1]
    lines += ["", "Shared mistakes"] * bool(shared)
    for why, names in shared:
        lines += [f"{len(names)} × {why}", f"    {', '.join(names)}"]
    full = sum(entry.points == entry.most for entry in grades)
    return "\n".join([*lines, "", f"{counted(len(grades), 'submission')}, {full} with all points"])


_DOCUMENTS: dict[str, dict[str, str]] = {  # of one submission: what each calls the fields of a part
    "gradescope": {"name": "name", "score": "points", "max_score": "most", "output": "text"},
    "prairielearn": {
        "name": "name", "points": "points", "max_points": "most", "message": "mistake", "output": "text",
    },
}  # fmt: skip


def _document(entry: Grade, form: str) -> dict[str, Any]:
    """Return a grade as the JSON document that a grading system reads."""
    tests = [{key: getattr(part, name) for key, name in _DOCUMENTS[form].items()} for part in entry.parts]
    if form == "gradescope":
        return {"score": entry.points, "tests": tests}
    pictures = {part.name: base64.b64encode(part.svg.encode()).decode() for part in entry.parts if part.svg}
    images = [{"label": name, "url": f"data:image/svg+xml;base64,{data}"} for name, data in pictures.items()]
    return {"gradable": True, "score": entry.points / entry.most, "tests": tests, "images": images}


def written(grades: Sequence[Grade], form: str) -> str:
    """Return grades as one text; in formats for one submission, several become an object with their names as keys."""
    if form == "text":
        return _text(grades)
    if form == "csv":
        rows = [(e.submission, p.name, f"{p.points:g}", f"{p.most:g}", p.why) for e in grades for p in e.parts]
        return csv_text(("submission", "part", "points", "most", "mistake"), rows).rstrip("\n")
    if form == "json":
        found: Any = {"submissions": [_plain(entry) for entry in grades], "mistakes": groups(grades)}
    else:
        found = {entry.submission: _document(entry, form) for entry in grades}
        found = found[grades[0].submission] if len(found) == 1 else found
    return json.dumps(found, indent=1, ensure_ascii=False)


def _plain(entry: Grade) -> dict[str, Any]:
    parts = [{key: thing for key, thing in vars(part).items() if key != "svg"} for part in entry.parts]
    return {"submission": entry.submission, "points": entry.points, "most": entry.most, "parts": parts}


def save(grades: Sequence[Grade], form: str, folder: Path) -> list[Path]:
    """Write grades and pictures to a folder, in formats for one submission one file for each; return their paths."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        raise ArgumentError(f"There is no folder {str(folder)!r}.", "Choose another with -o.") from None
    texts = {f"grades.{form.replace('text', 'txt')}": written(grades, form)}
    if form in _DOCUMENTS:
        texts = {f"{entry.submission}.json": written([entry], form) for entry in grades}
    for part, name in [(part, entry.submission) for entry in grades for part in entry.parts if part.svg]:
        texts[f"{name}-{re.sub('[^a-z_]+', '-', part.name)}.svg"] = part.svg
    return [files.write(folder / name, f"{text.rstrip()}\n") for name, text in texts.items()]
