"""Writing: the text of the statements and loops of a plan.

Not here: what surrounds them, such as the head of the function (`outline`). Read next: `compile.languages.outline`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograd_mini.compile.languages.language import ATOM, TIGHT, WIDTH, Helpers, Language, Text, ascii_of
from autograd_mini.compile.languages.lowering import Sign, sign_of
from autograd_mini.compile.languages.ordering import Plan, Store, Thing, Unit, is_condition, length_of
from autograd_mini.compile.languages.rolling import GATHERED, Down, Entry, Fold, Folds, Grid, Rolled, Vector
from autograd_mini.compile.tape import CONSTANT, INPUT
from autograd_mini.core.row import TABLE


@dataclass(frozen=True)
class Syntax:
    """How a language writes statements, from texts in braces.

    Attributes:
        variable: declares a number that changes.
        integer: declares an index that changes.
        arrays: declares arrays: before the first, each, and whether one statement declares several.
        filled: declares an array of given numbers.
        real: turns an integer into a number.
        loop: the heads of a loop: upwards from 0, upwards from 1, and downwards.
        branch: the head of an `if`.
    """

    variable: str
    integer: str
    arrays: tuple[str, str, bool]
    filled: str
    real: str
    loop: tuple[str, str, str]
    branch: str


_TITLES = {"add": "sum", "dot": "total", "sum": "total", "take": "largest", "where": "choice", "maximum": "largest",
           "minimum": "smallest", "sub": "difference", "mul": "product", "div": "quotient", "neg": "minus",
           "lifted_ndtr": "n", "ndtr": "n", "sqrt": "root", "log": "logarithm", "log1p": "logarithm"}  # fmt: skip


class Writer:
    """The body of a function.

    Args:
        language: what it is written in.
        syntax: its statements.
        rolled: what it computes.
        inputs: the text of each input that is not an element of a vector.
        names: what the user calls a register.
        results: what is stored, in order.
        taken: names that variables must not have.
        filled: the arrays that the results fill, if they must be declared.

    Attributes:
        lines: the statements.
        uses: the functions that they need.
    """

    def __init__(
        self,
        language: Language,
        syntax: Syntax,
        rolled: Rolled,
        inputs: Sequence[str],
        names: Mapping[int, str],
        results: Sequence[Store],
        returned: Sequence[int],
        taken: Sequence[str],
        filled: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.language, self.syntax, self.rolled, self.tape = language, syntax, rolled, rolled.tape
        self.lines: list[str] = []
        self.uses = Helpers(language)
        self._taken = {*taken, *language.forbidden}
        self._inputs = inputs
        self._signs: list[Sign] = []
        for instruction in self.tape.instructions:
            self._signs.append(sign_of(instruction, self._signs))
        self._plan = Plan(rolled, names, results, returned)
        self._texts: dict[Thing, str] = {}
        self._last_place: tuple[str, int] | None = None
        self._local: list[str] = []
        self._has_remark = False
        self.index = self._new("i")
        self.declare_arrays(filled)
        self._write(self._plan.groups)

    def result(self, register: int) -> str:
        """The expression of a result that is returned; statements that it needs are added."""
        text = self._text(register).text
        if len(text) > WIDTH // 2:
            name = self._new("value")
            self._say(f"{self.language.number}{name} = {text}{self.language.end}")
            return name
        self.lines += self._local
        self._local.clear()
        return text

    # -- the text ------------------------------------------------------------------------------------------------------

    def _new(self, wanted: str) -> str:
        """A name that is not taken."""
        name = wanted = re.sub(r"\W", "_", ascii_of(wanted))
        count = 1
        while name in self._taken:
            count += 1
            name = f"{wanted}{count}"
        self._taken.add(name)
        return name

    def _fresh(self, thing: Thing | None) -> str:
        """A name for something: the user's, or one that says what operation it is."""
        name = self._plan.name_of(thing) if thing is not None else ""
        if name or thing is None:
            return self._new(self.language.variable(name or "part"))
        op = thing.op if isinstance(thing, Vector) else self.tape.instructions[thing][0]
        return self._new(_TITLES.get(op) or (TABLE[op].letter or op[0] if op in TABLE else "holds"))

    def _write(self, groups: list[list[Unit]]) -> None:
        for group in groups:
            if length_of(group[0]) is not None:
                self._loop(group)
            else:
                for unit in group:
                    self._statement(unit)

    def _text(self, register: int) -> Text:
        """A register as an expression, outside of loops over it."""
        vector, i = self.rolled.elements.get(register, (None, 0))
        if vector is not None and not is_condition(vector.op):
            return Text(f"{self._array(vector)}[{vector.array[1] + vector.array[2] * i}]")
        text = self._raw(register)
        return self._real(text) if self._is_index(register) else text

    def _is_index(self, register: int) -> bool:
        """Whether a register is an integer in the code: the index of a largest element."""
        alias = self._plan.alias(register)
        fold = self.rolled.folds.get(register if alias is None else alias)
        return fold is not None and fold.op == "largest"

    def _real(self, index: Text) -> Text:
        """An integer as a number: -0 is not -0.0, and 1 / 2 is 0 in C and Java."""
        text = self.syntax.real.format(index.text)
        return index if text == index.text else Text(text, ATOM if text.endswith(")") else TIGHT)

    def _raw(self, register: int) -> Text:
        """A register that is no element of an array."""
        op, _, detail = self.tape.instructions[register]
        if op == CONSTANT:
            return self.language.literal(float(detail or 0.0))
        if op == INPUT:
            return Text(self._inputs[int(detail or 0)])
        if register in self._texts:
            return Text(self._texts[register])
        alias = self._plan.alias(register)
        return self._raw(alias) if alias is not None else self._operation(register)

    def _array(self, vector: Vector) -> str:
        return vector.array[0] if vector.op == INPUT else self._texts[vector]

    def _operation(self, register: int) -> Text:
        op, operands, _ = self.tape.instructions[register]
        taken = self._plan.chosen(register)
        if taken is not None:
            return self._indexed(taken, self._raw(operands[0]).text)
        return self._composed(op, operands, self._text)

    def _composed(self, op: str, operands: Sequence[Any], text_of: Callable[[Any], Text]) -> Text:
        """An operation of operands, the longest of which get names where it would be too long."""
        texts = [
            self._raw(x) if is_condition(op) and type(x) is int and self._is_index(x) else text_of(x) for x in operands
        ]
        if None in operands and not is_condition(op):
            texts = [self._real(text) if x is None else text for x, text in zip(operands, texts, strict=True)]
        constants = [self._number(x) if isinstance(x, int) else None for x in operands]
        while True:
            text = self.language.expression(op, texts, constants, self.uses)
            longest = max(range(len(texts)), key=lambda i: len(texts[i].text), default=None)
            if len(text.text) <= WIDTH or longest is None or len(texts[longest].text) < WIDTH // 3:
                return text
            name, x = self._fresh(None), operands[longest]
            kind = self.tape.instructions[x][0] if isinstance(x, int) else x.op
            declared = self.language.condition if is_condition(kind) else self.language.number
            self._local.append(f"{declared}{name} = {texts[longest].text}{self.language.end}")
            texts[longest] = Text(name)

    def _number(self, register: int) -> float | None:
        op, _, detail = self.tape.instructions[register]
        return float(detail or 0.0) if op == CONSTANT else None

    def _indexed(self, vector: Vector, index: str) -> Text:
        return Text(f"{self._array(vector)}[{_place(index, *vector.array[1:])}]")

    def _element(self, part: Vector | int | None) -> Text:
        """An operand of a vector, in its loop."""
        if part is None:
            return Text(self.index)
        if isinstance(part, int):
            return self._text(part)
        if part.op in (INPUT, GATHERED) or part in self._plan.arrays:
            return self._indexed(part, self.index)
        if part in self._texts:
            return Text(self._texts[part])
        return self._vector_text(part)

    def _vector_text(self, vector: Vector) -> Text:
        return self._composed(vector.op, vector.operands, self._element)

    def _say(self, line: str, comment: str = "") -> None:
        """Add a statement, after those that it needs."""
        self.lines += self._local
        self._local.clear()
        remark = f"{self.language.comment} {comment}"
        if comment and len(line) + len(remark) > WIDTH:
            self.lines.append(remark)
            comment = ""
        self.lines.append(line + (f"  {remark}" if comment else ""))

    def _comment(self, register: int) -> str:
        """The user's expression, if the statement before has another one."""
        place = self.tape.places[register] if self.tape.places else None
        if place is None or not place.expression:
            return ""
        here = place.expression, place.line
        if here == self._last_place:
            return ""
        self._last_place = here
        expression = ascii_of(" ".join(place.expression.split())).replace("\\", "/")  # Java reads \u in comments too
        return f"{expression if len(expression) <= 60 else expression[:57] + '...'}  (line {place.line})"

    def _statement(self, unit: Unit) -> None:
        end = self.language.end
        match unit:
            case Store(target=target, source=source, constant=constant):
                assert isinstance(source, int)  # vectors are stored in loops
                text = self._text(source) if constant is None else self.language.literal(constant)
                self._say(f"{target} = {text.text}{end}")
            case Fold(op="largest", vectors=(vector,)):
                name = self._texts[unit.register] = self._new(
                    self.language.variable(self._plan.name_of(unit.register) or "k")
                )
                comment = self._comment(unit.register)
                self._say(self.syntax.integer.format(name=name, text="0") + end, comment)
                here, best = self._indexed(vector, self.index).text, self._indexed(vector, name).text
                branch = self.syntax.branch.format(condition=f"{here} > {best}")
                chosen = f"{name} = {self.index}{end}"
                head = self.syntax.loop[1].format(i=self.index, n=len(vector))
                self._block(head, [f"{branch} {chosen}"] if self.language.close else [branch, f"    {chosen}"])
            case Vector(op="gathered"):
                texts = [self._raw(x).text for x in unit.registers]
                name = self._texts[unit] = self._fresh(unit)
                self._say(self.syntax.filled.format(name=name, numbers=", ".join(texts)) + end)
            case int():
                text = self._operation(unit)
                op = self.tape.instructions[unit][0]
                name = self._texts[unit] = self._fresh(unit)
                declared = self.language.condition if is_condition(op) else self.language.number
                self._say(f"{declared}{name} = {text.text}{end}", self._comment(unit))

    def _loop(self, group: Sequence[Unit]) -> None:
        """A loop, after the declarations of what it fills."""
        end, n = self.language.end, length_of(group[0])
        arrays = [unit for unit in group if isinstance(unit, Vector) and unit in self._plan.arrays]
        for vector in arrays:
            self._texts[vector] = self._fresh(vector)
        self.declare_arrays([(self._texts[vector], len(vector)) for vector in arrays])
        for unit in group:
            if isinstance(unit, Fold):
                before = [*map(self._text, unit.before)]
                start = self._start(
                    unit.op, unit.before, before, [x for vector in unit.vectors for x in vector.registers]
                )
                name = self._texts[unit.register] = self._fresh(unit.register)
                self._say_start(self.syntax.variable.format(name=name, text=start) + end, start)
        is_descending = any(isinstance(unit, Fold) and unit.is_descending for unit in group)
        head = self.syntax.loop[2 * is_descending].format(i=self.index, n=n, last=(n or 0) - 1)
        outside, self.lines = self.lines, []
        for unit in group:
            match unit:
                case Folds():
                    self._folds(unit)
                case Vector():
                    self._vector_statement(unit)
                case Store(source=Vector() as stored):
                    place = _place(self.index, unit.offset, unit.stride)
                    self._say(f"{unit.target}[{place}] = {self._element(stored).text}{end}")
                case Store(source=Grid() as grid):
                    self._grid(unit, grid)
                case Fold():
                    self._accumulate(unit)
        body, self.lines = self.lines, outside
        self._block(head, body)
        for unit in group:
            if isinstance(unit, Fold):
                for x in unit.after:
                    name = self._texts[unit.register]
                    self._say(self._joining(unit, name, self._text(x)))

    def declare_arrays(self, arrays: Sequence[tuple[str, int]]) -> None:
        """Add the declarations of arrays, by name and length."""
        first, each, are_joined = self.syntax.arrays
        texts = [each.format(name=name, count=count) for name, count in arrays]
        several = 4 if are_joined else 1
        for start in range(0, len(texts), several):
            self._say(f"{first}{', '.join(texts[start : start + several])}{self.language.end}")

    def _block(self, head: str, body: Sequence[str]) -> None:
        """A loop; on one line if it has one short statement, in languages with braces."""
        is_short = len(body) == 1 and len(head) + len(body[0]) < WIDTH and self.language.comment not in body[0]
        if self.language.close and is_short:
            self._say(f"{head} {body[0].strip()}")
            return
        self.lines += [f"{head} {{" if self.language.close else head, *[f"    {line}" for line in body]]
        self.lines += ["}"] if self.language.close else []

    def _vector_statement(self, vector: Vector) -> None:
        text, comment = self._vector_text(vector), self._comment(vector.registers[0])
        if vector in self._plan.arrays:
            target = f"{self._texts[vector]}[{self.index}]"
        else:
            name = self._texts[vector] = self._fresh(vector)
            declared = self.language.condition if is_condition(vector.op) else self.language.number
            target = f"{declared}{name}"
        self._say(f"{target} = {text.text}{self.language.end}", comment)

    def _start(self, op: str, before: Sequence[Entry], texts: Sequence[Text], joined: Sequence[int]) -> str:
        """What a fold of registers starts with: -0.0 + x is x for every x, also for -0.0."""
        if before:
            constants = [self._number(x) if isinstance(x, int) else None for x in before]
            return self.language.expression(op, texts, constants, self.uses).text
        if op in ("maximum", "minimum"):
            return self.language.literal(float("-inf" if op == "maximum" else "inf")).text
        return "0.0" if all(self._signs[x].is_plus for x in joined) else "-0.0"  # the comment in the code says why

    def _say_start(self, line: str, start: str, comment: str = "") -> None:
        remark = "-0.0 + x is x, also for x = -0.0" if start == "-0.0" and not self._has_remark else ""
        self._has_remark = self._has_remark or bool(remark)
        if remark and comment:
            self._say(f"{self.language.comment} {comment}")
        self._say(line, remark or comment)

    def _accumulate(self, fold: Fold) -> None:
        name = self._texts[fold.register]
        comment = self._comment(fold.register)
        if fold.op == "dot":
            text = self._composed("mul", fold.vectors, self._element)
        else:
            text = self._element(fold.vectors[0])
        self._say(self._joining(fold, name, text), comment)

    # -- loops inside of loops -----------------------------------------------------------------------------------------

    @functools.cached_property
    def _inner(self) -> str:
        """The index of a loop inside of a loop."""
        return self._new("j")

    def _folds(self, folds: Folds) -> None:
        """The fold of a row or a column, inside of the loop over all of them."""
        end, comment = self.language.end, self._comment(folds.registers[0])
        before = [self._entry(x, self.index, self.index) for x in folds.before]
        joined = [x for entry in folds.terms for x in _registers(entry)]
        start = self._start(folds.op, folds.before, before, joined)
        if folds in self._plan.arrays:
            name = f"{self._texts[folds]}[{self.index}]"
            self._say_start(f"{name} = {start}{end}", start, comment)
        else:
            name = self._texts[folds] = self._fresh(folds)
            self._say_start(self.syntax.variable.format(name=name, text=start) + end, start, comment)
        where = (self._inner, self.index) if folds.is_by_column else (self.index, self._inner)
        first = folds.terms[0]
        count = len(first.rows if folds.is_by_column and isinstance(first, Grid) else _columns(folds.terms))
        head = self.syntax.loop[2 * folds.is_descending].format(i=self._inner, n=count, last=count - 1)
        outside, self.lines = self.lines, []
        if folds.op == "dot":
            text = self._composed("mul", folds.terms, lambda entry: self._entry(entry, *where))
        else:
            text = self._entry(first, *where)
        self._say(self._joining(folds, name, text))
        body, self.lines = self.lines, outside
        self._block(head, body)
        for x in folds.after:
            self._say(self._joining(folds, name, self._entry(x, self.index, self.index)))

    def _grid(self, store: Store, grid: Grid) -> None:
        """Store a row of a grid, inside of the loop over all of them."""
        place = _place_in_grid(self.index, self._inner, store.offset, store.stride, store.right)
        head = self.syntax.loop[0].format(i=self._inner, n=len(grid.rows[0]), last=len(grid.rows[0]) - 1)
        outside, self.lines = self.lines, []
        text = self._entry(grid, self.index, self._inner).text
        self._say(f"{store.target}[{place}] = {text}{self.language.end}")
        body, self.lines = self.lines, outside
        self._block(head, body)

    def _entry(self, entry: Entry, row: str, column: str) -> Text:
        """An entry of a grid, in a row and a column."""
        match entry:
            case Grid(op="input", array=(name, start, down, right)):
                return Text(f"{name}[{_place_in_grid(row, column, start, down, right)}]")
            case Grid():
                return self._composed(entry.op, entry.operands, lambda inner: self._entry(inner, row, column))
            case Down():
                return self._at(entry.vector, row)
            case Vector():
                return self._at(entry, column)
        return self._text(entry)

    def _at(self, vector: Vector, index: str) -> Text:
        return self._element(vector) if index == self.index else self._indexed(vector, index)

    def _joining(self, fold: Fold | Folds, name: str, text: Text) -> str:
        """The statement that adds a number to a fold."""
        if fold.op in ("sum", "dot"):
            return f"{name} += {text.text}{self.language.end}"
        joined = self.language.expression(fold.op, (Text(name), text), (None, None), self.uses)
        return f"{name} = {joined.text}{self.language.end}"


def _registers(entry: Entry) -> Sequence[int]:
    match entry:
        case Grid():
            return [x for row in entry.rows for x in row.registers]
        case Down():
            return entry.vector.registers
        case Vector():
            return entry.registers
    return [entry]


def _columns(terms: Sequence[Entry]) -> Sequence[int]:
    """The registers of one row."""
    return next(entry.rows[0].registers for entry in terms if isinstance(entry, Grid))


def _place_in_grid(row: str, column: str, offset: int, down: int, right: int) -> str:
    """The place of an element in an array of rows, or of columns."""
    steps = sorted([(down, row), (right, column)], reverse=True)
    text = " + ".join(f"{step} * {index}" if step > 1 else index for step, index in steps)
    return f"{text} + {offset}" if offset else text


def _place(index: str, offset: int, stride: int) -> str:
    """The place of an element in an array."""
    text = f"{stride} * {index}" if stride > 1 else index
    return text if not offset else f"{text} + {offset}" if stride > 1 else f"{offset} + {text}"
