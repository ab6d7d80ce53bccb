"""Test vectors: inputs that expose mistakes, with the right values and derivatives, as data or as a ready test.

The tests are programs in Java, C, JavaScript and Python, made from `templates/`. Not here: the inputs themselves
(`tasks`), and the diagnosis of what a test prints. Read next: `check.foreign.alignment`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files as resources
from pathlib import PurePath
from typing import Any

from autograd_mini.check.tasks import Point, Task, flat
from autograd_mini.errors import ArgumentError
from autograd_mini.transforms import trees

# How a ready test is written, and how it calls the user's function: with its key, its name in camel case and in snake
# case, and arguments. The rest of it is in `templates/`.
_LANGUAGES = {
    "java": ("VectorsTest.java", '            case "{key}": return numbers(Mine.{camel}({arguments}));'),
    "c": ("vectors_test.c", '    if (!strcmp(name, "{key}")) return {before}my_{snake}({arguments}{after}), 1;'),
    "js": ("vectors_test.js", '  "{key}": (a) => mine.{camel}({arguments}),'),
    "python": ("vectors_test.py", '    "{key}": lambda a: mine.{snake}({arguments}),'),
}


def written(tasks: Sequence[Task], form: str, path: str = "") -> str:
    """Return the vectors of some tasks in a format; `path` is the file they are for, which names a Java class."""
    pairs = [(task, point) for task in tasks for point in task.points]
    if form == "json":
        return json.dumps([_entry(*pair) for pair in pairs], indent=1) + "\n"
    if form == "csv":
        rows = [(task.name, *_lines(task, point)) for task, point in pairs]
        return csv_text(("task", "input", "value", "derivative"), rows)
    return _program(tasks, form, PurePath(path or _LANGUAGES[form][0]))


def csv_text(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows((names, *rows))
    return table.getvalue()


def one_line(numbers: Any) -> str:
    """Return the numbers of a point, or of an answer, as one line that the parsers of all languages read."""
    return " ".join(map(str, map(_readable, flat(numbers))))


def _readable(x: float) -> float | str:
    return float(x) if math.isfinite(x) else "NaN" if math.isnan(x) else f"{'-' * (x < 0)}Infinity"


def _lines(task: Task, point: Point) -> tuple[str, str, str]:
    return one_line(point), one_line(task.value(point)), one_line(task.derivative(point))


def _entry(task: Task, point: Point) -> dict[str, Any]:
    found = {"input": point, "value": task.value(point), "derivative": task.derivative(point)}
    plain = {key: trees.rebuilt(tree, map(_readable, flat(tree))) for key, tree in found.items()}
    return {"task": task.name, **plain, "kink": task.is_kink(point)}


def _program(tasks: Sequence[Task], form: str, path: PurePath) -> str:
    """Fill in the template of a test."""
    if form == "java" and not re.fullmatch(r"[A-Za-z_]\w*", path.stem):
        raise ArgumentError(f"{path.stem!r} cannot be the name of a Java class.", "Choose another with -o.")
    lines = []
    for task in tasks:
        for point in task.points:
            parts = task.name, "|".join(map(one_line, point)), *_lines(task, point)[1:], "kink" * task.is_kink(point)
            lines.append(f'        "{";".join(parts)}",')
    text = (resources("autograd_mini.check.foreign") / "templates" / f"vectors.{form}").read_text(encoding="utf-8")
    for key, replacement in {
        "TASKS": ", ".join(task.name for task in tasks),
        "TASK": tasks[0].name,
        "FILE": path.name,
        "STEM": path.stem,
        "CALLS": "\n".join(call for task in tasks for call in _calls(task, _LANGUAGES[form][1])),
        "LINES": "\n".join(lines),
    }.items():
        text = text.replace(f"@{key}@", replacement)
    return text


def _calls(task: Task, pattern: str) -> Iterator[str]:
    """Yield the calls of the user's function and of its derivative."""
    point = task.points[0]
    arguments = ", ".join(f"a[{i}]" if isinstance(x, list) else f"a[{i}][0]" for i, x in enumerate(point))
    for key, result in ((task.name, task.value(point)), (f"{task.name}'", task.derivative(point))):
        snake = key.replace("'", "_derivative")
        camel = re.sub("_([a-z])", lambda match: match[1].upper(), snake)
        after = ", n" * isinstance(point[0], list) + ", out" * isinstance(result, list)
        before = "out[0] = " * (not isinstance(result, list))
        yield pattern.format(key=key, snake=snake, camel=camel, arguments=arguments, before=before, after=after)
