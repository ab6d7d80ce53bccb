"""The numbers that a program printed, in whatever form: CSV, JSON, pasted columns, labelled lines, results alone.

A column is told by its name or by a label before its numbers, and else by what it agrees with. What cannot be told is
an error, not a guess. Not here: whether the numbers are right. Read next: `check.vectors`.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autograd_mini.check.diagnosis import Quantity, diagnose
from autograd_mini.check.tasks import TASK_NAMES, Point, Task, flat
from autograd_mini.errors import AutogradError, DataError, counted, shown

QUANTITIES: tuple[Quantity, ...] = ("value", "derivative")
INPUT, VALUE, DERIVATIVE, ARGUMENT, ERROR, TASK = "input", "value", "derivative", "argument", "error", "task"
_NAMES = "|".join(TASK_NAMES)
_WORDS = {  # what names a column, or stands before numbers, by its role; the first that fits counts
    ERROR: "error|exception",
    ARGUMENT: "argument|after",
    DERIVATIVE: r"(derivative|gradient|grad|slope)s?|jacobian|d[a-z]{1,2}(/?d[a-z]{1,2})?"
    rf"|d_?({_NAMES}|loss)|({_NAMES}|[a-z])('|_?(derivative|gradient|grad|jacobian|prime))",
    INPUT: "(input|x|z|logit|t|target|label|prediction|score|point)s?",
    TASK: "task|function",
    VALUE: f"(value|output|result|y|a|f)s?|loss|{_NAMES}",
    "": "why|kink|nr|#",
}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(inf(inity)?|nan)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;|=:()\[\]{}\"]+")
_LAYOUTS = [
    (INPUT, VALUE, DERIVATIVE),
    (INPUT, VALUE),
    (INPUT, DERIVATIVE),
    (VALUE, DERIVATIVE),
    (VALUE,),
    (DERIVATIVE,),
]
_HOW = "Write a first line that names the columns, such as input,value,derivative."


class Line(NamedTuple):
    """A line of text: its number, and what stands in it, by role; what has no label has the role None."""

    number: int
    parts: dict[str | None, list[str]]

    def add(self, role: str | None, words: list[str]) -> None:
        if role not in (ERROR, TASK, "") and (odd := [word for word in words if not _NUMBER.fullmatch(word)]):
            raise DataError(f"Line {self.number} has {shown(odd[0])} where a number should be.")
        self.parts.setdefault(role, []).extend(words)


@dataclass
class Answers:
    """Points, and what was claimed there; None where it is missing."""

    points: list[Point] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    derivative: list[Any] = field(default_factory=list)
    argument: list[Any] = field(default_factory=list)  # after the call
    errors: list[str] = field(default_factory=list)  # what the program says instead of numbers
    digits: int = 17  # printed for each number
    least: float = 0.0  # smaller numbers are printed with fewer digits
    unclear: int = 0  # points at which too few digits are printed

    def of(self, quantity: Quantity) -> dict[int, Any]:
        """Return the claims for a quantity, by the index of the point."""
        return {i: claim for i, claim in enumerate(getattr(self, quantity)) if claim is not None}


def read(text: str, task: Task, asked: Sequence[Point] | None = None) -> Answers:
    """Read what a program printed about a task.

    If it does not repeat the inputs, line i is about point i: of those it was `asked`, else of the task's points.

    Raises:
        DataError: there are no numbers, or it cannot be told what they are.
    """
    points = task.points if asked is None else asked
    lines = [
        line
        for line in _lines(text.replace("−", "-").lstrip("\ufeff"))
        if task.name in line.parts.get(TASK, [task.name])
    ]
    if not lines:
        raise DataError(f"There are no numbers for {task.name} in what was given.")
    bare = [line for line in lines if None in line.parts]
    if not bare:
        return _answers(lines, task, points)
    if any(None not in line.parts and ERROR not in line.parts for line in lines):
        raise DataError(f"Line {bare[0].number} does not say what its numbers are, but others do. {_HOW}")
    numbers = bare[0].parts[None]
    if len(lines) == 1 < len(points) and len(numbers) % len(points) == 0:  # all on one line
        size = len(numbers) // len(points)
        lines = [Line(1, {None: numbers[i : i + size]}) for i in range(0, len(numbers), size)]
    return _told(lines, task, points, partial=asked is not None)


# -- lines -------------------------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[Line]:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            yield from _objects(json.loads(text))
            return
        except json.JSONDecodeError:
            pass  # a line of numbers in brackets
    if "." not in text and re.search(r"\d,\d{4}", text):  # decimal commas
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    written = [(number, line.strip(" \t#")) for number, line in enumerate(text.splitlines(), 1)]
    written = [(number, line) for number, line in written if line]
    head = _split(written[0][1]) if written else []
    if head and not any(map(_NUMBER.fullmatch, head)) and _role(head[0], *written[0]) != ERROR:
        yield from _table(written)
    else:
        yield from itertools.starmap(_labelled, written)


def _objects(found: Any) -> Iterator[Line]:
    """Read JSON: a list of objects, of lists, or of numbers."""
    for number, row in enumerate(found if isinstance(found, list) else [found], 1):
        line = Line(number, {})
        for key, part in (row if isinstance(row, dict) else {None: row}).items():
            line.add(key and _role(key, number, key), _split(json.dumps(part)))
        yield line


def _table(written: Sequence[tuple[int, str]]) -> Iterator[Line]:
    """Read rows under a line of names; a cell may hold several numbers."""
    number, header = written[0]
    between = next((mark for mark in "\t;," if mark in header), None)

    def cells(text: str) -> list[str]:
        return next(csv.reader([text], delimiter=between)) if between else text.split()

    roles = [_role(name.strip(), number, header) for name in cells(header)]
    for number, text in written[1:]:
        row = cells(text)
        if len(row) != len(roles):
            raise DataError(f"Line {number} has {counted(len(row), 'column')}, and {len(roles)} are named.")
        line = Line(number, {})
        for role, cell in zip(roles, row, strict=True):
            line.add(role, [cell.strip()] if role in (ERROR, TASK, "") else _split(cell))
        yield line


def _labelled(number: int, text: str) -> Line:
    """Read numbers with or without labels before them."""
    line, role = Line(number, {}), None
    for word in _split(text):
        if _NUMBER.fullmatch(word):
            line.add(role, [word])
        elif (role := _role(word, number, text)) == ERROR:
            line.add(ERROR, [text.partition(word)[2].strip(" :=")])
            break
        elif role == ARGUMENT:  # after several calls, the last one counts
            line.parts.pop(role, None)
    return line


def _split(text: str) -> list[str]:
    return [word for word in _BETWEEN.split(text) if word]


def _role(word: str, number: int, text: str) -> str:
    bare = re.sub(r"[\d_\[\].]+$", "", word.lower())
    for role, pattern in _WORDS.items():
        if re.fullmatch(pattern, word.lower()) or re.fullmatch(pattern, bare):
            return role
    raise DataError(
        f"Line {number} cannot be read: {shown(text)}. Before numbers, only names may stand: input, value, derivative."
    )


# -- numbers -----------------------------------------------------------------------------------------------------------


def _shaped(numbers: Iterator[Any], like: Any) -> Any:
    """Return numbers in nested lists of the same shape."""
    return [_shaped(numbers, part) for part in like] if isinstance(like, (list, tuple)) else next(numbers)


def _point(task: Task, words: Sequence[str]) -> Point | None:
    """Return the arguments that some numbers are: lists of equal length, and single numbers; None if they are not."""
    lists = [isinstance(argument, list) for argument in task.points[0]]
    size, rest = divmod(len(words) - lists.count(False), max(1, lists.count(True)))
    if rest or (size < 1 if any(lists) else size):
        return None
    return tuple(_shaped(map(float, words), [[0.0] * size if is_list else 0.0 for is_list in lists]))


def _answers(lines: Sequence[Line], task: Task, points: Sequence[Point]) -> Answers:
    """Put the labelled numbers of lines into the shapes of a task."""
    found = Answers()
    precision = Precision([word for line in lines for role in (VALUE, DERIVATIVE) for word in line.parts.get(role, ())])
    found.digits, found.least = precision.digits, precision.least
    for i, line in enumerate(lines):
        point = _point(task, line.parts[INPUT]) if INPUT in line.parts else points[i] if i < len(points) else None
        if point is None:
            raise DataError(f"Line {line.number} is about no input: {task.name} has {len(points)} vectors. {_HOW}")
        found.points.append(point)
        found.errors.append("".join(line.parts.get(ERROR, ())))
        for role, right in ((VALUE, task.value(point)), (DERIVATIVE, task.derivative(point)), (ARGUMENT, point[0])):
            words, numbers = line.parts.get(role), flat(right)
            if words is not None and len(words) != len(numbers):
                what = f"Line {line.number} has {counted(len(words), 'number')} as the {role} of {task.name}"
                raise DataError(f"{what}, and at {shown(point)} there should be {len(numbers)}.")
            claims = [*map(precision.number, words or (), numbers)]
            found.unclear += None in claims and role != ARGUMENT
            getattr(found, role).append(_shaped(iter(claims), right) if claims and None not in claims else None)
    return found


class Precision:
    """How many digits a program prints: what agrees with the right number in all of them counts as right.

    A program that prints 15 digits anywhere, a single digit everywhere, or whole numbers, does not round.
    """

    def __init__(self, words: Sequence[str]) -> None:
        numbers = [re.sub("e.*|[-+]", "", word.lower()) for word in words if "n" not in word.lower()]
        digits = [len(number.replace(".", "").lstrip("0")) for number in numbers]
        decimals = {len(number.partition(".")[2]) for number in numbers}
        is_fixed = len(decimals) == 1 and len(numbers) > 2 and not any("e" in word.lower() for word in words)
        self.decimals = min(decimals) if is_fixed and 2 <= min(decimals) < 15 else None
        telling = [count for count in digits if count >= 2]
        most = max(digits, default=0) if self.decimals is None else min(telling, default=2)
        self.digits = most if 2 <= most < 15 and decimals != {0} else 17
        self.least = 0.0 if self.decimals is None else 10.0 ** (1 - self.decimals)

    def number(self, word: str, right: float) -> float | None:
        """Return a number as it is meant: the right one if it agrees, None if too few digits are printed to tell."""
        x = float(word)
        if (self.digits == 17 and self.decimals is None) or not (math.isfinite(x) and math.isfinite(right)):
            return x
        places = self.decimals
        if places is None:
            places = self.digits - 1 - math.floor(math.log10(abs(x))) if x else 400
        if abs(x - right) <= 0.51 * 10.0**-places:
            # With fixed decimals, a small number agrees because it is small.
            return right if right == 0.0 or abs(right) >= self.least else None
        return x


# -- lines without labels ----------------------------------------------------------------------------------------------


def _told(lines: Sequence[Line], task: Task, points: Sequence[Point], partial: bool) -> Answers:
    """Find the layout of unlabelled lines: the one whose numbers agree most often, or that a mistake explains."""
    known = {tuple(flat(point)) for point in points}
    in_order = [tuple(flat(point)) for point in points] if len(lines) == len(points) else []
    found: list[tuple[float, tuple[str, ...], Answers]] = []
    for layout in _LAYOUTS:
        labelled = [_laid_out(line, layout, task, points[i : i + 1]) for i, line in enumerate(lines)]
        if None in labelled or (INPUT not in layout and not partial and len(lines) != len(points)):
            continue
        answers = _answers([line for line in labelled if line is not None], task, points)
        inputs = [tuple(flat(point)) for point in answers.points] if INPUT in layout else []
        score = [x == y for x, y in zip(inputs, in_order, strict=False)] or [x in known for x in inputs]
        for quantity in QUANTITIES:
            right = getattr(task, quantity)
            score += [_agree(claim, right(answers.points[i])) for i, claim in answers.of(quantity).items()]
        found.append((sum(score) / max(1, len(score)), layout, answers))
    best = [entry for entry in found if entry[0] == max(score for score, _, _ in found)]
    if len(best) > 1 and len(lines) > 2:  # something explains any two numbers
        best = [entry for entry in best if _is_explained(task, entry[2])]
    if len(best) == 1:
        return best[0][2]
    layouts = " or ".join(" and ".join(layout) for _, layout, _ in best or found) or "anything"
    raise DataError(
        f"It cannot be told whether the numbers are {layouts} of {task.name}, which has {len(points)} vectors. {_HOW}"
    )


def _laid_out(line: Line, layout: Sequence[str], task: Task, points: Sequence[Point]) -> Line | None:
    """Label the numbers of a line; None if they are too many or too few."""
    words = line.parts.get(None)
    if words is None:
        return line
    for inputs in range(1, len(words)) if INPUT in layout else (0,):
        point = _point(task, words[:inputs]) if inputs else next(iter(points), None)
        with contextlib.suppress(AutogradError):  # not a point of this function
            if point is None:
                continue
            sizes = {INPUT: inputs, VALUE: len(flat(task.value(point))), DERIVATIVE: len(flat(task.derivative(point)))}
            if sum(sizes[role] for role in layout) == len(words):
                rest = iter(words)
                return Line(line.number, {role: [next(rest) for _ in range(sizes[role])] for role in layout})
    return None


def _agree(claim: Any, right: Any) -> bool:
    pairs = zip(flat(claim), flat(right), strict=True)
    return all(a == b or math.isclose(a, b, rel_tol=1e-4) for a, b in pairs)


def _is_explained(task: Task, answers: Answers) -> bool:
    given = [(quantity, answers.of(quantity)) for quantity in QUANTITIES]
    reports = [
        diagnose(task, [answers.points[i] for i in claims], [*claims.values()], quantity, answers.digits)
        for quantity, claims in given
        if claims
    ]
    return all(report.ok or report.mistakes for report in reports)
