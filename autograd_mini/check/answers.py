"""The numbers that a program printed, in whatever form: CSV, JSON, pasted columns, labelled lines, results alone.

A column is told by its name or by a label before its numbers, and else by what it agrees with. What cannot be told is
an error, not a guess. Not here: whether the numbers are right. Read next: `check.vectors`.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from autograd_mini.check.diagnosis import diagnose
from autograd_mini.check.tasks import Point, Task
from autograd_mini.errors import DataError, counted, shown

Quantity = Literal["value", "derivative"]
INPUT, VALUE, DERIVATIVE, ARGUMENT, ERROR, TASK = "input", "value", "derivative", "argument", "error", "task"
_WORDS = {  # what names a column, or stands before numbers, by its role; the first that fits counts
    ERROR: r"error|exception",
    ARGUMENT: r"argument|after",
    DERIVATIVE: r"derivatives?|gradients?|grads?|jacobian|slopes?|d[a-z]\w*|.*('|_?(derivative|gradient|grad|jacobian|prime))",
    INPUT: r"inputs?|xs?|zs?|logits?|ts?|targets?|labels?|predictions?|scores?|points?",
    TASK: r"task|function",
    VALUE: r"values?|outputs?|results?|ys?|as?|fs?|loss",
    "": r"why|kink|i|n|nr|#",
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(inf(inity)?|nan)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;|=:()\[\]{}\"]+")
_LAYOUTS = [(INPUT, VALUE, DERIVATIVE), (INPUT, VALUE), (INPUT, DERIVATIVE), (VALUE, DERIVATIVE), (VALUE,), (DERIVATIVE,)]
_HOW = "Write a first line that names the columns, such as input,value,derivative."


@dataclass
class Line:
    """A line of text: its number, and what stands in it, by role; numbers without a label have the role None."""

    number: int
    parts: dict[str | None, list[str]] = field(default_factory=dict)


@dataclass
class Answers:
    """Points, and what was claimed there; None where it is missing."""

    points: list[Point] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    derivative: list[Any] = field(default_factory=list)
    argument: list[Any] = field(default_factory=list)  # after the call
    errors: list[str] = field(default_factory=list)  # what the program says instead of numbers
    digits: int = 17  # printed for each number

    def given(self, quantity: str) -> int:
        """Return the number of points for which there is an answer."""
        return sum(claim is not None for claim in getattr(self, quantity))


def read(text: str, task: Task, asked: Sequence[Point] | None = None) -> Answers:
    """Read what a program printed about a task.

    If it does not repeat the inputs, line i is about point i: of those it was `asked`, else of the task's points.

    Raises:
        DataError: there are no numbers, or it cannot be told what they are.
    """
    lines = [*_lines(text.replace("−", "-").lstrip("\ufeff"), task.name)]
    points = task.points if asked is None else asked
    if not lines:
        raise DataError(f"There are no numbers for {task.name} in what was given.")
    bare = [line for line in lines if None in line.parts]
    if not bare:
        return _answers(lines, task, points)
    if any(None not in line.parts and ERROR not in line.parts for line in lines):
        raise DataError(f"Line {bare[0].number} does not say what its numbers are, but others do. {_HOW}")
    if len(lines) == 1 < len(points) and len(numbers := lines[0].parts[None]) % len(points) == 0:  # all on one line
        size = len(numbers) // len(points)
        lines = [Line(1, {None: numbers[i : i + size]}) for i in range(0, len(numbers), size)]
    return _told(lines, task, points, partial=asked is not None)


# -- lines -------------------------------------------------------------------------------------------------------------


def _lines(text: str, task: str) -> Iterator[Line]:
    rows = _objects(text) if text.lstrip()[:1] in ("[", "{") else None
    for line in _table(text) if rows is None else rows:
        if line.parts.pop(TASK, [task]) == [task]:
            line.parts.pop("", None)
            yield line


def _objects(text: str) -> list[Line] | None:
    """Read JSON: a list of objects, of lists, or of numbers; None if it is something else."""
    try:
        rows = json.loads(text)
    except ValueError:
        return None
    rows = rows if isinstance(rows, list) and not all(isinstance(row, (int, float)) for row in rows) else [rows]
    pairs = [row if isinstance(row, dict) else {None: row} for row in rows]
    return [
        Line(number, {_role(key, number): [str(x) for x in flat(part)] for key, part in row.items()})
        for number, row in enumerate(pairs, 1)
    ]


def _table(text: str) -> Iterator[Line]:
    if "." not in text and re.search(r"\d,\d{4}", text):  # decimal commas
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    written = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip(" \t#")]
    first = [word for word in _BETWEEN.split(written[0][1].strip(" \t#")) if word] if written else []
    if not first or any(map(_NUMBER.fullmatch, first)) or _role(first[0], written[0][0]) == ERROR:
        yield from (_labelled(number, line) for number, line in written)
        return
    header = written[0][1].strip(" \t#")
    between = next((mark for mark in "\t;," if mark in header), None)
    names = [name.strip(' "') for name in (header.split(between) if between else header.split())]
    roles = [_role(name, written[0][0]) for name in names]
    for number, line in written[1:]:
        cells = next(csv.reader([line], delimiter=between)) if between else line.split()
        if len(cells) != len(roles):
            raise DataError(f"Line {number} has {counted(len(cells), 'column')}, but line {written[0][0]} names {len(roles)}.")
        found = Line(number)
        for role, cell in zip(roles, cells, strict=True):
            if role in (TASK, ERROR, ""):
                found.parts.update({role: [cell.strip()]} if cell.strip() else {})
            else:
                found.parts.setdefault(role, []).extend(filter(None, _BETWEEN.split(cell)))
        yield found


def _labelled(number: int, line: str) -> Line:
    found, role = Line(number), None
    for word in filter(None, _BETWEEN.split(line)):
        if _NUMBER.fullmatch(word):
            found.parts.setdefault(role, []).append(word)
        elif (role := _role(word, number)) == ERROR:
            found.parts[ERROR] = [line.partition(word)[2].strip(" :=")]
            break
        elif role == ARGUMENT:  # after several calls, the last one counts
            found.parts[role] = []
    return found


def _role(word: str | None, line: int) -> str | None:
    if word is None:
        return None
    bare = re.sub(r"[\d_\[\].]+$", "", word.lower())
    for role, pattern in _WORDS.items():
        if re.fullmatch(pattern, bare):
            return role
    raise DataError(f"Line {line} has {shown(word)}, which is neither a number nor a name such as input, value, derivative.")


# -- numbers -----------------------------------------------------------------------------------------------------------


def flat(numbers: Any) -> list[Any]:
    """Return the numbers in nested lists, one after the other."""
    return [x for part in numbers for x in flat(part)] if isinstance(numbers, (list, tuple)) else [numbers]


def _shaped(numbers: list[float], like: Any) -> Any:
    """Return numbers as a number, a list or a matrix."""
    rest = iter(numbers)

    def shape(like: Any) -> Any:
        return [shape(part) for part in like] if isinstance(like, (list, tuple)) else next(rest)

    return shape(like)


def _point(task: Task, numbers: list[float]) -> Point | None:
    """Return the arguments that some numbers are: lists of equal length, and single numbers; None if they are not."""
    example = task.points[0]
    lists = sum(isinstance(argument, list) for argument in example)
    size, rest = divmod(len(numbers) - (len(example) - lists), lists or 1)
    if rest or (size < 1 if lists else size):
        return None
    return tuple(_shaped(numbers, [[0.0] * size if isinstance(argument, list) else 0.0 for argument in example]))


def _answers(lines: Sequence[Line], task: Task, points: Sequence[Point]) -> Answers:
    """Put the labelled numbers of lines into the shapes of a task.

    Raises:
        DataError: a line has too many or too few numbers, or no point.
    """
    found = Answers()
    precision = Precision([word for line in lines for role in (VALUE, DERIVATIVE) for word in line.parts.get(role, ())])
    found.digits = precision.digits
    for i, line in enumerate(lines):
        point = _point(task, [*map(float, line.parts[INPUT])]) if INPUT in line.parts else None
        if point is None and (INPUT in line.parts or i >= len(points)):
            raise DataError(f"Line {line.number} has no input that {task.name} takes, and it is beyond the {len(points)} vectors.")
        found.points.append(point := points[i] if point is None else point)
        found.errors.append("".join(line.parts.get(ERROR, ())))
        for role, right in ((VALUE, task.value(point)), (DERIVATIVE, task.derivative(point)), (ARGUMENT, point[0])):
            words, numbers = line.parts.get(role), flat(right)
            if words is not None and len(words) != len(numbers):
                raise DataError(
                    f"Line {line.number}: the {role} of {task.name} at {shown(point)} is {counted(len(numbers), 'number')}, "
                    f"but there {'is' if len(words) == 1 else 'are'} {len(words)}."
                )
            claims = [*map(precision.number, words or (), numbers)]
            known = words is not None and None not in claims
            getattr(found, role).append(_shaped(claims, right) if known else None)
    return found


class Precision:
    """How many digits a program prints: a number that agrees with the right one in all of them counts as right."""

    def __init__(self, words: Sequence[str]) -> None:
        numbers = [re.sub(r"e.*|[-+]", "", word.lower()) for word in words if word[-1:].isdigit() or word[-1:] == "."]
        digits = max((len(number.replace(".", "").lstrip("0")) for number in numbers), default=17)
        decimals = {len(number.partition(".")[2]) for number in numbers}
        fixed = len(decimals) == 1 and len(numbers) > 2 and not any("e" in word.lower() for word in words)
        self.decimals = min(decimals) if fixed and 3 <= min(decimals) < 15 else None
        self.digits = digits if 3 <= digits < 15 else 17
        if self.decimals is not None:
            self.digits = 3  # numbers with fewer digits than these say too little

    def number(self, word: str, right: float) -> float | None:
        """Return a printed number; the right one if it agrees as far as it is printed, None if too little is printed."""
        x = float(word)
        if not (math.isfinite(x) and math.isfinite(right)) or (self.digits == 17 and self.decimals is None):
            return x
        if self.decimals is None:
            return right if abs(x - right) <= 0.51 * 10.0 ** (math.floor(math.log10(abs(x or 1.0))) + 1 - self.digits) else x
        if abs(x - right) <= 0.51 * 10.0**-self.decimals:
            return right
        return x if abs(x) >= 100 * 10.0**-self.decimals or abs(right) >= 100 * 10.0**-self.decimals else None


# -- lines without labels ----------------------------------------------------------------------------------------------


def _told(lines: Sequence[Line], task: Task, points: Sequence[Point], partial: bool) -> Answers:
    """Find out what the numbers of unlabelled lines are: the layout whose numbers agree with the right ones most often."""
    known = {tuple(flat(point)) for point in points}
    found: list[tuple[float, tuple[str, ...], Answers]] = []
    for layout in _LAYOUTS:
        labelled = [_with_layout(line, layout, task, points[i] if i < len(points) else None) for i, line in enumerate(lines)]
        if None in labelled or (INPUT not in layout and not partial and len(lines) != len(points)):
            continue
        answers = _answers([line for line in labelled if line is not None], task, points)
        score = [tuple(flat(point)) in known for point in answers.points] if INPUT in layout else []
        for quantity in {VALUE, DERIVATIVE} & {*layout}:
            right = getattr(task, quantity)
            score += [_agree(claim, right(point)) for claim, point in zip(getattr(answers, quantity), answers.points, strict=True)]
        found.append((sum(score) / len(score), layout, answers))
    best = [entry for entry in found if entry[0] == max(found, key=lambda entry: entry[0])[0]]
    if len(best) > 1:  # told by the mistake, then
        best = [(score, layout, answers) for score, layout, answers in best if _is_explained(task, answers)]
    if len(best) == 1:
        return best[0][2]
    if not found:
        count = f"{counted(len(lines), 'line')} of {len(lines[0].parts.get(None, ()))} numbers"
        raise DataError(f"The vectors of {task.name} are {len(points)}, and {count} do not fit them. {_HOW}")
    layouts = " or ".join(" and ".join(layout) for _, layout, _ in best or found)
    raise DataError(f"It cannot be told whether the numbers are {layouts} of {task.name}. {_HOW}")


def _with_layout(line: Line, layout: Sequence[str], task: Task, point: Point | None) -> Line | None:
    """Label the numbers of a line; None if they are too many or too few."""
    words = line.parts.get(None)
    if words is None:
        return line
    for inputs in range(1, len(words) + 1) if INPUT in layout else (0,):
        at = _point(task, [*map(float, words[:inputs])]) if INPUT in layout else point
        if at is None:
            continue
        sizes = {INPUT: inputs, VALUE: len(flat(task.value(at))), DERIVATIVE: len(flat(task.derivative(at)))}
        if sum(sizes[role] for role in layout) == len(words):
            rest = iter(words)
            return Line(line.number, {role: [next(rest) for _ in range(sizes[role])] for role in layout})
    return None


def _agree(claim: Any, right: Any) -> bool:
    pairs = zip(flat(claim), flat(right), strict=True) if claim is not None else ()
    return claim is None or all(a == b or math.isclose(a, b, rel_tol=1e-4) for a, b in pairs)


def _is_explained(task: Task, answers: Answers) -> bool:
    quantities: tuple[Quantity, Quantity] = "value", "derivative"
    return all(
        diagnose(task, answers.points, getattr(answers, quantity), quantity, answers.digits).mistakes
        for quantity in quantities
        if answers.given(quantity)
    )
