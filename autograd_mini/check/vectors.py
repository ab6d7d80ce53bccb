"""Test vectors: inputs that expose mistakes, with the right values and derivatives, as data or as a ready test.

The tests are programs in Java, C, JavaScript and Python, made from `templates/`. Not here: the inputs themselves
(`tasks`), and the diagnosis of what a test prints. Read next: `check.foreign`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from importlib.resources import files as resources
from pathlib import PurePath
from typing import Any

from autograd_mini.check.answers import flat
from autograd_mini.check.tasks import Point, Task
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.watch.boundaries import kinks

FORMATS = ("json", "csv", "java", "c", "js", "python")


def written(tasks: Sequence[Task], form: str, path: str = "") -> str:
    """Return the vectors of some tasks in a format; `path` is the file they are for, which names a Java class.

    Raises:
        ArgumentError: the name of the file cannot be that of a Java class.
    """
    if form == "json":
        return json.dumps([_entry(task, point) for task in tasks for point in task.points], indent=1) + "\n"
    if form == "csv":
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("task", "input", "value", "derivative"))
        for task in tasks:
            for point in task.points:
                rows.writerow((task.name, *map(_text, (point, task.value(point), task.derivative(point)))))
        return table.getvalue()
    return _program(tasks, form, PurePath(path or {"java": "VectorsTest.java", "python": "vectors_test.py"}.get(form, f"vectors_test.{form}")))


def number(x: float) -> str:
    """Return a number in full, as the parsers of all languages read it."""
    return repr(float(x)) if math.isfinite(x) else "NaN" if math.isnan(x) else f"{'-' * (x < 0)}Infinity"


def _text(numbers: Any) -> str:
    return " ".join(map(number, flat(numbers)))


def line(point: Point) -> str:
    """Return a point as one line of the protocol: the numbers of all arguments."""
    return _text(point)


def _entry(task: Task, point: Point) -> dict[str, Any]:
    def plain(numbers: Any) -> Any:
        return [plain(x) for x in numbers] if isinstance(numbers, (list, tuple)) else numbers if math.isfinite(numbers) else number(numbers)

    value, derivative = plain(task.value(point)), plain(task.derivative(point))
    return {"task": task.name, "input": plain(point), "value": value, "derivative": derivative, "kink": _is_kink(task, point)}


def _is_kink(task: Task, point: Point) -> bool:
    """Return True where the derivative is a choice."""
    leaves = [[Value(x) for x in argument] if isinstance(argument, list) else Value(argument) for argument in point]
    with kinks() as found:
        task.function(leaves[0], *point[1:])
    return bool(found)


# -- programs ----------------------------------------------------------------------------------------------------------


def _program(tasks: Sequence[Task], form: str, path: PurePath) -> str:
    if form == "java" and not re.fullmatch(r"[A-Za-z_]\w*", path.stem):
        raise ArgumentError(f"{path.stem!r} cannot be the name of a Java class.", "Choose another with -o.")
    lines = [
        f"{task.name};{'|'.join(map(_text, point))};{_text(task.value(point))};{_text(task.derivative(point))};{'kink' * _is_kink(task, point)}"
        for task in tasks
        for point in task.points
    ]
    calls = [_CALLS[form](task, key, like) for task in tasks for key, like in _functions(task)]
    most = max(len(flat(task.derivative(point))) for task in tasks for point in task.points)
    text = (resources("autograd_mini.check") / "templates" / f"vectors.{form}").read_text(encoding="utf-8")
    for key, replacement in {
        "TASKS": ", ".join(task.name for task in tasks), "TASK": tasks[0].name, "FILE": path.name, "STEM": path.stem,
        "MOST": str(max(64, most)), "CALLS": "\n".join(calls), "LINES": "\n".join(f'        "{line}",' for line in lines),
    }.items():  # fmt: skip
        text = text.replace(f"@{key}@", replacement)
    return text


def _functions(task: Task) -> list[tuple[str, Any]]:
    """Return what a test asks a program: the key, and a result of the same shape."""
    point = task.points[0]
    return [(task.name, task.value(point)), (f"{task.name}'", task.derivative(point))]


def _arguments(task: Task) -> str:
    return ", ".join(f"a[{i}]" if isinstance(x, list) else f"a[{i}][0]" for i, x in enumerate(task.points[0]))


def _snake(key: str) -> str:
    return key.replace("'", "_derivative")


def _camel(key: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), _snake(key))


def _c(task: Task, key: str, like: Any) -> str:
    given = _arguments(task) + (", n" if isinstance(task.points[0][0], list) else "")
    call = f"my_{_snake(key)}({given}, out)" if isinstance(like, list) else f"out[0] = my_{_snake(key)}({given})"
    return f'    if (!strcmp(name, "{key}")) return {call}, 1;'


_CALLS: dict[str, Callable[[Task, str, Any], str]] = {
    "java": lambda task, key, _: f'            case "{key}": return numbers(Mine.{_camel(key)}({_arguments(task)}));',
    "js": lambda task, key, _: f'  "{key}": (a) => mine.{_camel(key)}({_arguments(task)}),',
    "python": lambda task, key, _: f'    "{key}": lambda a: mine.{_snake(key)}({_arguments(task)}),',
    "c": _c,
}  # fmt: skip
