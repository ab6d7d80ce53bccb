"""Writing: the text of the statements and loops of a plan.

Not here: the text around them, such as the head of the function, which each language writes.
Read next: `compile.languages.python`.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from autograd_mini.compile.languages.expressions import ATOM, TIGHT, Expressions, Text
from autograd_mini.compile.languages.language import Language, ascii_of, remark
from autograd_mini.compile.languages.lowering import Sign, sign_of
from autograd_mini.compile.languages.ordering import Plan, Store, Unit, is_condition, length_of
from autograd_mini.compile.languages.rolling import (
    GATHERED,
    Down,
    Entry,
    Fold,
    Folds,
    Grid,
    Rolled,
    Vector,
)
from autograd_mini.compile.tape import COMPARISONS, CONSTANT, INPUT, Tape
from autograd_mini.core.row import TABLE

_CHAINS, _FEW = ("sum", "dot", "maximum", "minimum"), 6  # more operands are joined from left to right
_NAME = re.compile(r"\w+(\[[^]]*\])?")  # of a variable or of an element
WIDTH = 90  # of an expression; a longer one gets names for its parts
_TITLES = {"abs": "size", "add": "sum", "dot": "total", "sum": "total", "take": "largest", "where": "choice",
           "maximum": "largest", "minimum": "smallest", "sub": "difference", "mul": "product", "div": "quotient",
           "neg": "minus", "lifted_ndtr": "n", "ndtr": "n", "sqrt": "root", "log": "logarithm",
           "log1p": "logarithm"}  # fmt: skip


class Writer:
    """The body of a function: its `lines`, and in `uses` the functions that they need."""

    def __init__(
        self,
        language: Language,
        rolled: Rolled,  # what it computes
        inputs: Sequence[str],  # the text of each input that is not an element of a vector
        names: Mapping[int, str],  # what the user calls a register
        results: Sequence[Store],  # what is stored, in order
        returned: Sequence[int],  # registers that are returned
        taken: Sequence[str],  # names that variables must not have
        filled: Sequence[tuple[str, int]] = (),  # the arrays that the results fill, if they must be declared
        uses: Expressions | None = None,  # of the file; by default this is its first function
    ) -> None:
        self.language, self.rolled, self.tape = language, rolled, rolled.tape
        self.lines: list[str] = []
        self._taken = {*taken, *language.forbidden}
        self.uses = uses or Expressions(language, self._taken, _body)
        self._numbered: Counter[str] = Counter()  # how many more names of this kind there are
        self._inputs = inputs
        self._signs: list[Sign] = []
        for instruction in self.tape.instructions:
            self._signs.append(sign_of(instruction, self._signs))
        self._plan = Plan(rolled, names, results, returned)
        self._texts: dict[Unit, str] = {}
        self._last_place: tuple[str, int] | None = None
        self._waiting: list[str] = []  # statements that the next one needs
        self._has_remark = False
        self.index = self._new("i")
        self._declare_arrays(filled, False)
        for group in self._plan.groups:
            if length_of(group[0]) is None:
                self._statement(group[0])
            else:
                self._loop(group)

    def result(self, register: int, longest: int = WIDTH // 2) -> str:
        """The expression of a result that is returned, or its name; statements that it needs are added."""
        text = self._text(register).text
        if len(text) > longest:
            name = self._new("value")
            self._say(f"{self.language.number}{name} = {text}")
            return name
        self._flush()
        return text

    # -- names ---------------------------------------------------------------------------------------------------------

    def _new(self, wanted: str) -> str:
        """A name that is not taken."""
        name = wanted = re.sub(r"\W", "_", ascii_of(wanted))
        while name in self._taken:
            self._numbered[wanted] += 1
            name = f"{wanted}{self._numbered[wanted] + 1}"
        self._taken.add(name)
        return name

    def _fresh(self, unit: Unit | None) -> str:
        """A name for something: the user's, or one that says what operation it is."""
        name = self._plan.name_of(unit) if unit is not None else ""
        if name or unit is None:
            return self._new(self.language.variable_of(name or "part"))
        op = self.tape.instructions[unit][0] if isinstance(unit, int) else getattr(unit, "op", "")
        return self._new(_TITLES.get(op) or (TABLE[op].letter or op[0] if op in TABLE else "holds"))

    @functools.cached_property
    def _inner(self) -> str:
        """The index of the inner of two loops."""
        return self._new("j")

    # -- expressions ---------------------------------------------------------------------------------------------------

    def _text(self, register: int) -> Text:
        """A register as an expression, outside of loops over it."""
        vector, i = self.rolled.elements.get(register, (None, 0))
        if vector is not None and vector.op not in COMPARISONS:
            return Text(f"{self._array(vector)}[{vector.array[1] + vector.array[2] * i}]")
        text = self._raw(register)
        return self._real(text) if self._is_index(register) else text

    def _raw(self, register: int) -> Text:
        """A register that is not an element of an array; an index is an integer."""
        op, operands, detail = self.tape.instructions[register]
        unit = self.rolled.folds.get(register, register)
        if op == CONSTANT:
            return self.uses.literal(float(detail or 0.0))
        if op == INPUT:
            return Text(self._inputs[int(detail or 0)])
        if unit in self._texts:
            return Text(self._texts[unit])
        if (alias := self._plan.alias(register)) is not None:
            return self._raw(alias)
        if (chosen := self._plan.chosen(register)) is not None:
            return self._indexed(chosen, self._raw(operands[0]).text)
        return self._composed(op, operands, self._text)

    def _is_index(self, register: int) -> bool:
        """Whether a register is an integer in the code: the index of a largest element."""
        alias = self._plan.alias(register)
        return self._plan.is_index(register if alias is None else alias)

    def _real(self, index: Text) -> Text:
        """An integer as a number: -0 is not -0.0, and 1 / 2 is 0 in C and Java."""
        text = self.language.real.format(index.text)
        return index if text == index.text else Text(text, ATOM if text.endswith(")") else TIGHT)

    def _array(self, vector: Vector) -> str:
        return vector.array[0] if vector.op == INPUT else self._texts[vector]

    def _indexed(self, vector: Vector, index: str) -> Text:
        _, start, apart = vector.array
        return Text(f"{self._array(vector)}[{_place(start, (apart, index))}]")

    def _entry(self, entry: Entry | None, row: str, column: str) -> Text:
        """The entry at a row and a column of nested loops; in a single loop the column is its index."""
        match entry:
            case None:
                return Text(column)
            case Grid(op="input", array=(name, start, down, right)):
                return Text(f"{name}[{_place(start, (down, row), (right, column))}]")
            case Grid():
                return self._composed(entry.op, entry.operands, lambda inner: self._entry(inner, row, column))
            case Down():
                return self._at(entry.vector, row)
            case Vector():
                return self._at(entry, column)
        return self._text(entry)

    def _element(self, part: Entry | None) -> Text:
        """What the loop that is being written reads."""
        return self._entry(part, "", self.index)

    def _at(self, vector: Vector, index: str) -> Text:
        """An element of a vector; the one that its own loop has just computed needs no array."""
        is_in_array = vector.op in (INPUT, GATHERED) or vector in self._plan.arrays or index != self.index
        if is_in_array:
            return self._indexed(vector, index)
        if vector in self._texts:
            return Text(self._texts[vector])
        return self._composed(vector.op, vector.operands, self._element)

    def _composed(self, op: str, operands: Sequence[Any], text_of: Callable[[Any], Text]) -> Text:
        """An operation of operands; where it would be too long, its parts get names."""
        is_test = is_condition(op)
        texts = [self._raw(x) if is_test and type(x) is int and self._is_index(x) else text_of(x) for x in operands]
        if not is_test:
            texts = [self._real(text) if x is None else text for x, text in zip(operands, texts, strict=True)]
        constants = [self._number(x) for x in operands]
        if op in _CHAINS and len(operands) > _FEW:
            return self._chained(op, texts)
        while len((whole := self.uses.expression(op, texts, constants)).text) > WIDTH:
            parts = [i for i, x in enumerate(texts) if len(x.text) >= WIDTH // 3 and not _NAME.fullmatch(x.text)]
            if not parts:
                return self._chained(op, texts) if op in _CHAINS and len(texts) > 2 else whole
            longest = max(parts, key=lambda i: len(texts[i].text))
            x = operands[longest]
            kind = self.tape.instructions[x][0] if isinstance(x, int) else getattr(x, "op", "")
            texts[longest] = self._named(texts[longest], kind)
        return whole

    def _chained(self, op: str, texts: Sequence[Text]) -> Text:
        """An operation of many operands from left to right, in parts that are not too long."""
        if op == "dot":
            half = len(texts) // 2
            texts = [self.uses.expression("mul", pair, ()) for pair in zip(texts[:half], texts[half:], strict=True)]
            op = "sum"
        total = texts[0]
        for text in texts[1:]:
            longer = self.uses.expression(op, (total, text), (None, None))
            if len(longer.text) > WIDTH and not _NAME.fullmatch(total.text):
                longer = self.uses.expression(op, (self._named(total), text), (None, None))
            total = longer
        return total

    def _named(self, text: Text, op: str = "") -> Text:
        """A part of an expression, perhaps a condition, under a name of its own."""
        name = self._fresh(None)
        self._waiting.append(f"{self._declared(op)}{name} = {text.text}{self.language.end}")
        return Text(name)

    def _number(self, register: Any) -> float | None:
        op, _, detail = self.tape.instructions[register] if isinstance(register, int) else ("", (), None)
        return float(detail or 0.0) if op == CONSTANT else None

    # -- statements ----------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self.lines += self._waiting
        self._waiting.clear()

    def _say(self, text: str, comment: str = "") -> None:
        """Add a statement, after those that it needs."""
        self._flush()
        line, remark = text + self.language.end, f"{self.language.comment} {comment}"
        if comment and len(line) + len(remark) > WIDTH:
            self.lines.append(remark)
            comment = ""
        self.lines.append(line + (f"  {remark}" if comment else ""))

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        """A loop around the statements that follow; on one line if it has one short one, in languages with braces."""
        outside, self.lines = self.lines, []
        yield
        body, self.lines = self.lines, outside
        is_short = len(body) == 1 and len(head) + len(body[0]) < WIDTH and self.language.comment not in body[0]
        if self.language.closing and is_short:
            self.lines.append(f"{head} {body[0]}")
        else:
            self.lines += self.language.block(head, body)

    def _loop_head(self, index: str, count: int, is_descending: bool) -> str:
        return self.language.loops[2 * is_descending].format(i=index, n=count, last=count - 1)

    def _declared(self, op: str) -> str:
        return self.language.condition if is_condition(op) else self.language.number

    def _declare_arrays(self, arrays: Sequence[tuple[str, int]], is_test: bool) -> None:
        """Add the declarations of arrays, by name and length; several in one, where it begins with a type."""
        kind = self.language.kinds[is_test]
        declared, form = self.language.arrays[0].format(kind=kind), self.language.arrays[1]
        texts = [form.format(name=name, count=count, kind=kind) for name, count in arrays]
        lines: list[str] = []
        for text in texts:
            if declared and lines and len(lines[-1]) + len(text) < WIDTH:
                lines[-1] += f", {text}"
            else:
                lines.append(declared + text)
        for line in lines:
            self._say(line)

    def _comment(self, register: int) -> str:
        """The user's expression, if the statement before has another one."""
        place = self.tape.places[register] if self.tape.places else None
        if place is None or not place.expression:
            return ""
        here = place.expression, place.line
        if here == self._last_place:
            return ""
        self._last_place = here
        expression = remark(place.expression)
        return f"{expression if len(expression) <= 60 else expression[:57] + '...'}  (line {place.line})"

    def _statement(self, unit: Unit) -> None:
        match unit:
            case Store(source=int() as source):
                text = self._text(source) if unit.constant is None else self.uses.literal(unit.constant)
                self._say(f"{unit.target} = {text.text}")
            case Fold():
                self._largest(unit)
            case Vector():
                texts = [self._raw(x).text for x in unit.registers]
                name = self._texts[unit] = self._fresh(unit)
                self._say(self.language.filled.format(name=name, numbers=", ".join(texts)))
            case int():
                op, text = self.tape.instructions[unit][0], self._raw(unit)
                name = self._texts[unit] = self._fresh(unit)
                self._say(f"{self._declared(op)}{name} = {text.text}", self._comment(unit))

    def _largest(self, fold: Fold) -> None:
        """Find the index of the largest element."""
        (vector,) = fold.terms
        name = self._texts[fold] = self._new(self.language.variable_of(self._plan.name_of(fold) or "k"))
        self._say(f"{self.language.integer}{name} = 0", self._comment(fold.register))
        test = f"{self._indexed(vector, self.index).text} > {self._indexed(vector, name).text}"
        head, branch = self.language.loops[1].format(i=self.index, n=len(vector)), self.language.branch.format(test)
        with self._block(head), self._block(branch):
            self._say(f"{name} = {self.index}")

    def _loop(self, group: Sequence[Unit]) -> None:
        """A loop, after the declarations of what it fills."""
        arrays = [unit for unit in group if isinstance(unit, Vector) and unit in self._plan.arrays]
        for vector in arrays:
            self._texts[vector] = self._fresh(vector)
        for is_test in (False, True):
            chosen = [vector for vector in arrays if is_condition(vector.op) == is_test]
            self._declare_arrays([(self._texts[vector], len(vector)) for vector in chosen], is_test)
        folds = [unit for unit in group if isinstance(unit, Fold)]
        for fold in folds:
            self._begin(fold)
        is_descending = any(fold.is_descending for fold in folds)
        with self._block(self._loop_head(self.index, length_of(group[0]) or 0, is_descending)):
            for unit in group:
                self._turn(unit)
        for fold in folds:
            for x in fold.after:
                self._join(fold, self._text(x))

    def _turn(self, unit: Unit) -> None:
        """What a loop does for a statement in each turn."""
        match unit:
            case Fold():
                comment = self._comment(unit.register)
                self._join(unit, self._term(unit, "", self.index), comment)
            case Folds():
                self._fold_inside(unit)
            case Vector():
                text = self._composed(unit.op, unit.operands, self._element)
                comment = self._comment(unit.registers[0])
                self._say(f"{self._target(unit, self._declared(unit.op))} = {text.text}", comment)
            case Store(source=Vector() as vector):
                place = _place(unit.offset, (unit.stride, self.index))
                self._say(f"{unit.target}[{place}] = {self._element(vector).text}")
            case Store(source=Grid() as grid):
                place = _place(unit.offset, (unit.stride, self.index), (unit.right, self._inner))
                with self._block(self._loop_head(self._inner, len(grid.rows[0]), False)):
                    self._say(f"{unit.target}[{place}] = {self._entry(grid, self.index, self._inner).text}")

    def _target(self, unit: Vector | Fold, declared: str) -> str:
        """Where a result goes: into an element of an array, or a new variable."""
        if unit in self._plan.arrays:
            return f"{self._texts[unit]}[{self.index}]"
        name = self._texts[unit] = self._fresh(unit)
        return declared + name

    # -- folds ---------------------------------------------------------------------------------------------------------

    def _fold_inside(self, folds: Folds) -> None:
        """The fold of a row or a column, inside the loop over all of them."""
        self._begin(folds, self._comment(folds.registers[0]))
        grid = next(entry for entry in folds.terms if isinstance(entry, Grid))
        count = len(grid.rows if folds.is_by_column else grid.rows[0])
        where = (self._inner, self.index) if folds.is_by_column else (self.index, self._inner)
        with self._block(self._loop_head(self._inner, count, folds.is_descending)):
            self._join(folds, self._term(folds, *where))
        for x in folds.after:
            self._join(folds, self._entry(x, self.index, self.index))

    def _begin(self, fold: Fold | Folds, comment: str = "") -> None:
        """Declare what a fold starts with: -0.0 + x is x for every x, also for -0.0."""
        before = [self._entry(x, self.index, self.index) for x in fold.before]
        joined = [self._signs[x] for entry in fold.terms for x in _registers(entry)]
        if before:
            start = self.uses.expression(fold.op, before, [*map(self._number, fold.before)]).text
        elif fold.op in ("maximum", "minimum"):
            start = self.language.literal(float("-inf" if fold.op == "maximum" else "inf"))
        else:
            start = "0.0" if all(sign.is_plus for sign in joined) else "-0.0"
        remark = "-0.0 + x is x, also for x = -0.0" if start == "-0.0" and not self._has_remark else ""
        self._has_remark = self._has_remark or bool(remark)
        target = self._target(fold, self.language.variable)
        self._flush()
        if remark and comment:
            self.lines.append(f"{self.language.comment} {comment}")
        self._say(f"{target} = {start}", remark or comment)

    def _term(self, fold: Fold | Folds, row: str, column: str) -> Text:
        """What is joined in each turn."""
        if fold.op == "dot":
            return self._composed("mul", fold.terms, lambda entry: self._entry(entry, row, column))
        return self._entry(fold.terms[0], row, column)

    def _join(self, fold: Fold | Folds, term: Text, comment: str = "") -> None:
        """The statement that adds a number to a fold."""
        name = self._target(fold, "") if fold in self._plan.arrays else self._texts[fold]
        if fold.op in ("sum", "dot"):
            self._say(f"{name} += {term.text}", comment)
        else:
            joined = self.uses.expression(fold.op, (Text(name), term), (None, None))
            self._say(f"{name} = {joined.text}", comment)


def registers(language: Language, tape: Tape, inputs: str, made: str) -> tuple[list[str], list[str]]:
    """Each register of a tape as an operation of others, given the names of two arrays; and the functions they need."""
    uses = Expressions(language, set(), _body)
    constants = [float(detail or 0.0) if op == CONSTANT else None for op, _, detail in tape.instructions]
    known = [Text(f"{made}[{i}]") if x is None else uses.literal(x) for i, x in enumerate(constants)]
    found = []
    for text, (op, operands, detail) in zip(known, tape.instructions, strict=True):
        if op == INPUT:
            text = Text(f"{inputs}[{detail}]")
        elif op != CONSTANT:
            text = uses.expression(op, [known[x] for x in operands], [constants[x] for x in operands])
        found.append(text.text)
    return found, [*uses.helpers.values()]


def _body(tape: Tape, parameters: Sequence[str], uses: Expressions) -> tuple[Sequence[str], str]:
    """The statements and the result of a function that others call."""
    writer = Writer(uses.language, Rolled(tape, []), parameters, {}, [], tape.outputs, parameters, uses=uses)
    result = writer.result(tape.outputs[0], 2 * WIDTH)
    return writer.lines, result


def _registers(entry: Entry) -> Sequence[int]:
    match entry:
        case Grid():
            return [x for row in entry.rows for x in row.registers]
        case Down():
            return entry.vector.registers
        case Vector():
            return entry.registers
    return [entry]


def _place(offset: int, *steps: tuple[int, str]) -> str:
    """The place of an element in an array, given how far elements are apart, and the indices."""
    terms = [f"{step} * {index}" if step > 1 else index for step, index in sorted(steps, reverse=True)]
    return " + ".join([*terms, *[str(offset)] * bool(offset)])
