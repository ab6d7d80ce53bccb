"""The numbers of a program in any language, read and judged: CSV, JSON, pasted columns, labelled lines, results alone.

A column is known by its name or by a label before its numbers, and else by what it agrees with. What stays unclear is
an error, not a guess. A program that is asked gets one input per line, and answers each with one line: the value, the
derivative, or both in this order. Not here: how it is run (`programs`). Read next: `check.foreign.vectors`.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from autograd_mini.check.foreign.programs import Limits, Outcome, run
from autograd_mini.check.foreign.vectors import one_line
from autograd_mini.check.mistakes.diagnosis import Quantity, diagnose, single
from autograd_mini.check.tasks import TASK_NAMES, Point, Task, flat
from autograd_mini.check.verdicts import RIGHT, UNKNOWN, WRONG, Diagnosis
from autograd_mini.errors import AutogradError, DataError, counted, sentences, shown
from autograd_mini.output.streams import reason
from autograd_mini.transforms import trees

_TELLING = 5  # fewer numbers look like the noise of some step of differences
QUANTITIES: tuple[Quantity, ...] = ("value", "derivative")
INPUT, VALUE, DERIVATIVE, ARGUMENT, ERROR, TASK, OTHER = "input", *QUANTITIES, "argument", "error", "task", "other"
_NAMES = "|".join(TASK_NAMES)
_WORDS = {  # what names a column, or stands before numbers, by its role; the first that fits counts
    ERROR: "error|exception",
    ARGUMENT: "argument|after",
    DERIVATIVE: r"(derivative|gradient|grad|slope)s?|jacobian|d[a-z]{1,2}(/?d[a-z]{1,2})?"
    rf"|d_?({_NAMES}|loss)|({_NAMES}|[a-z])('|_?(derivative|gradient|grad|jacobian|prime))",
    INPUT: "(input|x|z|logit|t|target|label|prediction|score|point)s?",
    TASK: "task|function",
    VALUE: f"(value|output|result|y|a|f)s?|loss|{_NAMES}",
    OTHER: "why|kink|nr|#",
}
_TEXTS = (ERROR, TASK, OTHER)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:inf(?:inity)?|nan)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;|=:()\[\]{}\"]+")
_WITHOUT_INPUT = (QUANTITIES, (VALUE,), (DERIVATIVE,))
_LAYOUTS = tuple([(INPUT, *layout) for layout in _WITHOUT_INPUT])
_HOW = "Write a first line that names the columns, such as input,value,derivative."


# -- digits ------------------------------------------------------------------------------------------------------------


class Precision:
    """How many digits a program prints: what agrees with the right number in all of them counts as right.

    A program that prints 15 digits anywhere, a single digit everywhere, or whole numbers, does not round.
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        words = [word for word in words if "n" not in word.lower()]
        numbers = [re.sub("e.*|[-+]", "", word.lower()) for word in words]
        digits = [*map(_digits, words)]
        decimals = {len(number.partition(".")[2]) for number in numbers}
        is_fixed = len(decimals) == 1 and len(numbers) > 2 and not any("e" in word.lower() for word in words)
        self.decimals = min(decimals) if is_fixed and 2 <= min(decimals) < 15 else None
        telling = [count for count in digits if count >= 2]
        most = max(digits, default=0) if self.decimals is None else min(telling, default=2)
        self.digits = most if 2 <= most < 15 and decimals != {0} else 17
        # Whether they may have been computed in single precision, however they are printed.
        finite = [(word, float(word)) for word in words if math.isfinite(float(word))]
        self.is_single = self.digits < 17 and all(abs(single(x) - x) <= 0.51 * _unit(word) for word, x in finite)
        self.least = 0.0 if self.decimals is None else 10.0 ** (1 - self.decimals)  # smaller ones have fewer digits

    def number(self, word: str, right: float) -> float | None:
        """Return the number that is meant: the right one if it agrees, None if too few digits are printed to tell."""
        x = float(word)
        if not (math.isfinite(x) and math.isfinite(right)) or abs(x - right) > self.rounding(word):
            return x
        # With fixed decimals, a small number agrees because it is small.
        return right if right == 0.0 or abs(right) >= self.least else None

    def rounding(self, word: str) -> float:
        """Return how far off a number may be if it is printed with few digits."""
        if self.decimals is not None:
            return 0.51 * 10.0**-self.decimals
        x = abs(float(word))
        if self.digits == 17 or not 0.0 < x < math.inf:
            return 0.0
        return float(0.51 * 10.0 ** (1 - self.digits + math.floor(math.log10(x))))


def _digits(word: str) -> int:
    return len(re.sub("e.*|[-+.]", "", word.lower()).lstrip("0"))


def _unit(word: str) -> float:
    """Return what 1 in the last digit of a number means."""
    mantissa, _, exponent = word.lower().partition("e")
    return float(f"1e{int(exponent or 0) - len(mantissa.partition('.')[2])}")  # 0 or inf if it is not a float


# -- answers -----------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of text: its number, and what stands in it, by role; what has no label has the role None."""

    number: int
    parts: dict[str | None, list[str]]

    def add(self, role: str | None, words: list[str]) -> None:
        if role not in _TEXTS and (odd := [word for word in words if not NUMBER.fullmatch(word)]):
            raise DataError(f"Line {self.number} has {shown(odd[0])} where a number should be.")
        self.parts.setdefault(role, []).extend(words)


@dataclass
class Answers:
    """Points, and what a program claimed there (None where it is missing), with what can be said; print it as text."""

    task: Task
    points: list[Point] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    derivative: list[Any] = field(default_factory=list)
    argument: list[Any] = field(default_factory=list)  # after the call
    errors: list[str] = field(default_factory=list)  # what the program says instead of numbers
    precision: Precision = field(default_factory=Precision)
    unclear: int = 0  # points at which too few digits are printed
    fault: str = ""  # why not everything could be judged
    layout: tuple[str, ...] = ()  # what numbers without names were taken for

    def of(self, quantity: Quantity) -> dict[int, Any]:
        """Return the claims for a quantity, by the index of the point."""
        return {i: claim for i, claim in enumerate(getattr(self, quantity)) if claim is not None}

    @cached_property
    def reports(self) -> dict[Quantity, Diagnosis]:
        """The diagnosis of each quantity that was given, "value" and "derivative"."""
        return {quantity: self._report(quantity) for quantity in QUANTITIES if self.of(quantity)}

    def _report(self, quantity: Quantity) -> Diagnosis:
        """Diagnose numbers that may have few digits: those that agree so far have become the right ones."""
        task, digits = self.task, self.precision.digits
        points, claims = [self.points[i] for i in self.of(quantity)], [*self.of(quantity).values()]
        report = diagnose(task, points, claims, quantity, is_single=self.precision.is_single)
        if report.ok or digits == 17:
            return report
        telling = [i for i, claim in enumerate(claims) if all(abs(x) >= self.precision.least for x in flat(claim))]
        if not telling:
            return report
        named = diagnose(task, [points[i] for i in telling], [claims[i] for i in telling], quantity, digits)
        return report if named.ok else replace(report, mistakes=named.mistakes)

    @cached_property
    def complaints(self) -> list[str]:
        """What is wrong beside the numbers: the first changed argument, and the first point with an error."""
        changed = [
            f"{self.task.name} changes its argument: {shown(point[0])} has become {shown(after)} after the call, and "
            "what the caller computes from it is wrong. Copy it first, and write to the copy."
            for point, after in zip(self.points, self.argument, strict=True)
            if after is not None and flat(after) != flat(point[0])
        ]
        where = "At {} there is an error, no answer: " if len({*self.errors}) > 1 else ""
        pairs = zip(self.points, self.errors, strict=True)
        errors = [where.format(one_line(point)) + error for point, error in pairs if error]
        return [*changed[:1], *errors[:1]]

    @property
    def trouble(self) -> list[str]:
        """The complaints, and why not everything could be judged."""
        return [*self.complaints, self.fault] if self.fault else self.complaints

    @property
    def status(self) -> int:
        """The exit status: 0 if all is right, 1 if something is wrong, 2 if there is no telling."""
        reports = self.reports.values()
        if self.complaints or any(report.verdict == "FAIL" for report in reports):
            return WRONG
        few = any(report.verdict == "NOISE" and len(report.findings) < _TELLING for report in reports)
        return UNKNOWN if self.fault or few or not reports or not all(reports) else RIGHT

    def __str__(self) -> str:
        said = [f"The numbers have no names; they were read as {', '.join(self.layout)}."] * bool(self.layout)
        said += [short(report) for report in self.reports.values()]
        said += [f"No {name}s were given." for name in QUANTITIES if self.reports and name not in self.reports]
        if self.unclear:
            points = counted(self.unclear, "point")
            said.append(f"At {points} too few digits were printed to tell: print them all.")
        if self.precision.digits < 17:
            said.append("Few digits were printed, so no more than those were compared.")
        return "\n\n".join([*said, *self.trouble])


def short(report: Diagnosis) -> str:
    """Return a report without the numbers that are right."""
    return re.sub(r"(?m)^  (PASS .*|… .* that are right)\n?( {10}.*\n?)*", "", str(report)).rstrip()


def read(text: str, task: Task, was_asked: bool = False) -> Answers:
    """Read what a program printed about a task; a DataError if there are no numbers, or if their meaning is unclear.

    If it does not repeat the inputs, line i is about point i of the task. If the program `was_asked`, each line is the
    answer to point i, whatever it repeats, and there may be fewer lines than points.
    """
    found = [line for line in _lines(text.replace("−", "-").lstrip("\ufeff")) if line.parts]
    lines = [line for line in found if task.name in line.parts.get(TASK, [task.name])]
    if not lines:
        raise DataError(f"There are no numbers for {task.name} in what was given.")
    if was_asked:
        _check_answers(lines, task)
    bare = [line for line in lines if None in line.parts]
    if not bare:
        return _answers(lines, task)
    if any(None not in line.parts and ERROR not in line.parts for line in lines):
        raise DataError(f"Line {bare[0].number} does not say what its numbers are, but others do. {_HOW}")
    numbers, count = bare[0].parts[None], len(task.points)
    if len(lines) == 1 < count and len(numbers) % count == 0 and not was_asked:  # all on one line
        size = len(numbers) // count
        lines = [Line(1, {None: numbers[i : i + size]}) for i in range(0, len(numbers), size)]
    return _told(lines, task, was_asked)


# -- lines -------------------------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[Line]:
    if text.lstrip()[:1] in ("[", "{"):
        with contextlib.suppress(json.JSONDecodeError):  # it may be a line of numbers in brackets
            found = json.loads(text)
            for number, row in enumerate(found if isinstance(found, list) else [found], 1):
                named = row if isinstance(row, dict) else {None: row}
                cells = [part if isinstance(part, str) else json.dumps(part) for part in named.values()]
                yield _row(number, [key and _role(key, number, key) for key in named], cells)
            return
    if "." not in text and re.search(r"\d,\d{4}", text):  # decimal commas
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    written = [(number, line.strip(" \t#")) for number, line in enumerate(text.splitlines(), 1) if line.strip(" \t#")]
    first = _split(written[0][1]) if written else []
    if not first or any(map(NUMBER.fullmatch, first)) or _role(first[0], *written[0]) == ERROR:
        yield from itertools.starmap(_labelled, written)
        return
    mark = next((mark for mark in "\t;," if mark in written[0][1]), None)
    names, *rows = [next(csv.reader([line], delimiter=mark)) if mark else line.split() for _, line in written]
    roles = [_role(name.strip(), *written[0]) for name in names]
    for (number, _), row in zip(written[1:], rows, strict=True):
        if len(row) != len(roles):
            raise DataError(f"Line {number} has {counted(len(row), 'column')}, and {len(roles)} are named.")
        yield _row(number, roles, row)


def _row(number: int, roles: Sequence[str | None], cells: Sequence[str]) -> Line:
    """Read cells whose roles are known; a cell may hold several numbers."""
    line = Line(number, {})
    for role, cell in zip(roles, cells, strict=True):
        line.add(role, [cell.strip()] if role in _TEXTS else _split(cell))
    return line


def _labelled(number: int, text: str) -> Line:
    """Read numbers with or without labels before them."""
    line, role = Line(number, {}), None
    for word in _split(text):
        if NUMBER.fullmatch(word):
            line.add(role, [word])
        elif role == TASK:
            line.add(role, [word])
            role = None
        elif (role := _role(word, number, text)) == ERROR:
            line.add(role, [text.partition(word)[2].strip(" :=")])
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


def _point(task: Task, words: Sequence[str] | None, i: int) -> Point | None:
    """Return the arguments that some numbers are, or else point i; None if they are too many or too few."""
    if words is None:
        return task.points[i] if i < len(task.points) else None
    lists = [isinstance(argument, list) for argument in task.points[0]]
    size, rest = divmod(len(words) - lists.count(False), max(1, lists.count(True)))
    if rest or (size < 1 if any(lists) else size):
        return None
    return tuple(trees.rebuilt([[0.0] * size if is_list else 0.0 for is_list in lists], map(float, words)))


def _answers(lines: Sequence[Line], task: Task) -> Answers:
    """Put the labelled numbers of lines into the shapes of a task."""
    words = [word for line in lines for role in QUANTITIES for word in line.parts.get(role, ())]
    found = Answers(task, precision=Precision(words))
    for i, line in enumerate(lines):
        if (point := _point(task, line.parts.get(INPUT), i)) is None:
            has = f"{task.name} has {len(task.points)} vectors"
            raise DataError(f"Line {line.number} is about no input: {has}. {_HOW}")
        found.points.append(point)
        found.errors.append("".join(line.parts.get(ERROR, ())))
        for role, right in ((VALUE, task.value(point)), (DERIVATIVE, task.derivative(point)), (ARGUMENT, point[0])):
            words, numbers = line.parts.get(role, []), flat(right)
            if role in line.parts and len(words) != len(numbers):
                what = f"Line {line.number} has {counted(len(words), 'number')} as the {role} of {task.name}"
                raise DataError(f"{what}, and at {shown(point)} there should be {len(numbers)}.")
            claims = [*map(found.precision.number, words, numbers)]
            found.unclear += None in claims and role != ARGUMENT
            claim = trees.rebuilt(right, iter(claims)) if claims and None not in claims else None
            getattr(found, role).append(claim)
    return found


def _check_answers(lines: Sequence[Line], task: Task) -> None:
    """Drop the inputs that answers repeat; a DataError if one is to another input, or says less than others do."""
    given = {role for line in lines for role in line.parts if role in (None, *QUANTITIES)}
    for line, point in zip(lines, task.points, strict=False):
        words = line.parts.pop(INPUT, None)
        pairs = [*zip(map(float, words or ()), flat(point), strict=False)]
        is_other = any(not math.isclose(x, asked, rel_tol=1e-3, abs_tol=1e-3) for x, asked in pairs)
        if words is not None and (is_other or len(words) != len(flat(point))):
            raise DataError(
                f"Line {line.number} is about the input {' '.join(words)}, and {one_line(point)} was given."
            )
        if ERROR not in line.parts and (missing := [role or "number" for role in given - {*line.parts}]):
            raise DataError(f"Line {line.number} has no {missing[0]}, but others do.")


def _told(lines: Sequence[Line], task: Task, was_asked: bool) -> Answers:
    """Find the layout of unlabelled lines: the one whose numbers agree most often, or that a mistake explains.

    Answers are the value, the derivative, or both in this order; no number is left out.
    """
    is_whole = was_asked or len(lines) == len(task.points)
    found: list[Answers] = []
    for layout in (*(() if was_asked else _LAYOUTS), *(_WITHOUT_INPUT if is_whole else ())):
        laid_out = [_laid_out(line, layout, task, i) for i, line in enumerate(lines)]
        labelled = [line for line in laid_out if line is not None]
        if len(labelled) == len(lines):
            found.append(replace(_answers(labelled, task), layout=layout))
    scores = [_agreement(answers, is_whole) for answers in found]
    best = [answers for answers, score in zip(found, scores, strict=True) if score == max(scores)]
    if len(best) > 1 and len(lines) > 2:  # for any two numbers there is an explanation
        explained = [answers for answers in best if all(r.ok or r.mistakes for r in answers.reports.values())]
        best = explained or best[:was_asked]
    if len(best) == 1:  # answers have an agreed form: a value, and then a derivative
        return replace(best[0], layout=()) if was_asked and best[0].layout == QUANTITIES else best[0]
    if was_asked:
        raise _odd(lines, task)
    layouts = " or ".join(" and ".join(answers.layout) for answers in best or found) or "anything"
    which = f"{layouts} of {task.name}, which has {len(task.points)} vectors"
    raise DataError(f"Cannot tell whether the numbers are {which}. {_HOW}")


def _odd(lines: Sequence[Line], task: Task) -> DataError:
    """Return the error for the first answer with too few or too many numbers."""
    for line, point in zip(lines, task.points, strict=False):
        count = len(line.parts.get(None, ()))
        value, derivative = len(flat(task.value(point))), len(flat(task.derivative(point)))
        if count not in (value, derivative, value + derivative):
            break
    what = f"Line {line.number} has {counted(count, 'number')} for {one_line(point)}."
    return DataError(f"{what} Print the value ({value}), the derivative ({derivative}), or both, in this order and in "
                     "all lines.")  # fmt: skip


def _agreement(answers: Answers, in_order: bool) -> float:
    """Return which part of the inputs are known, and of the claims about right."""
    known = [flat(point) for point in answers.task.points]
    inputs = map(flat, answers.points if INPUT in answers.layout else ())
    score = [xs == known[i] if in_order else xs in known for i, xs in enumerate(inputs)]
    for quantity in QUANTITIES:
        for i, claim in answers.of(quantity).items():
            pairs = zip(flat(claim), flat(getattr(answers.task, quantity)(answers.points[i])), strict=True)
            score.append(all(a == b or math.isclose(a, b, rel_tol=1e-4) for a, b in pairs))
    return sum(score) / max(1, len(score))


def _laid_out(line: Line, layout: Sequence[str], task: Task, i: int) -> Line | None:
    """Label the numbers of a line; None if they are too many or too few."""
    words = line.parts.get(None)
    labelled: dict[str | None, list[str]] = {role: part for role, part in line.parts.items() if role is not None}
    if words is None:
        return line
    if not labelled.keys().isdisjoint(layout):
        return None
    for inputs in range(1, len(words)) if INPUT in layout else (0,):
        point = _point(task, words[:inputs] if inputs else None, i)
        with contextlib.suppress(AutogradError):  # not a point of this function
            if point is None:
                continue
            sizes = {INPUT: inputs, VALUE: len(flat(task.value(point))), DERIVATIVE: len(flat(task.derivative(point)))}
            if sum(sizes[role] for role in layout) == len(words):
                rest = iter(words)
                labelled |= {role: [*itertools.islice(rest, sizes[role])] for role in layout}
                return Line(line.number, labelled)
    return None


# -- where they come from ----------------------------------------------------------------------------------------------


class Source(NamedTuple):
    """Where the numbers come from: a file, standard input ("-"), or a program."""

    file: str | None
    command: Sequence[str] = ()
    limits: Limits = Limits()

    def answers(self, task: Task) -> Answers:
        """Return the answers for a task; raises a DataError if they cannot be read."""
        return asked(task, self.command, self.limits) if self.file is None else read(self.text(), task)

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


def asked(task: Task, command: Sequence[str], limits: Limits, folder: Path | None = None) -> Answers:
    """Ask a program for its answers at the points of a task, one per line."""
    return answered(task, run(command, "".join(f"{one_line(point)}\n" for point in task.points), limits, folder))


def answered(task: Task, outcome: Outcome) -> Answers:
    """Read the answers of a program that has ended; a line that it did not finish does not count."""
    whole = outcome.output[: outcome.output.rfind("\n") + 1] if outcome.fault else outcome.output
    lines = [answer for answer in whole.splitlines() if answer.strip()]
    count, wanted, fault = len(lines), len(task.points), ""
    if count < wanted:
        fault = f"{outcome.fault or 'It ended.'} It had answered {count} of {wanted} inputs; the next was "
        fault += f"{one_line(task.points[count])}."
    elif count > wanted:
        fault = f"It printed {count} lines for {wanted} inputs: print one line for each, and nothing else."
        fault, lines = outcome.fault or fault, []
    if fault and outcome.complaint:
        fault = f"{fault} Its error output ends with: {outcome.complaint}"
    try:
        found = read("\n".join(lines), task, was_asked=True) if lines else Answers(task)
    except AutogradError as error:
        return Answers(task, fault=fault or sentences(error))
    if len(found.points) != len(lines):  # a line of names, or about another function
        return Answers(task, fault=fault or f"Of {len(lines)} lines {len(found.points)} are answers: print no other.")
    found.fault = fault
    return found
