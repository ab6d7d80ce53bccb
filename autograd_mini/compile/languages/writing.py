"""Writing: the statements and loops of a rolled tape, in an order in which each can be computed.

Not here: what surrounds them, such as the head of the function (`programs`). Read next: `compile.languages.programs`.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograd_mini.compile.languages.language import WIDTH, Helpers, Language, Text
from autograd_mini.compile.languages.lowering import Sign, sign_of
from autograd_mini.compile.languages.rolling import Fold, Rolled, Vector
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, kind_of

Thing = int | Vector  # what a statement computes: a register, or the elements of a vector
EACH, WHOLE, ONCE = "each", "whole", "once"  # how it reads a vector, element by element or not; or a register


@dataclass(frozen=True)
class Syntax:
    """How a language writes statements, from texts in braces.

    Attributes:
        variable: declares a number that changes.
        integer: declares an index that changes.
        array: declares an array of so many numbers.
        loop: the heads of a loop: upwards from a start, and downwards.
        branch: the head of an `if`.
    """

    variable: str
    integer: str
    array: str
    loop: tuple[str, str]
    branch: str


@dataclass(eq=False)
class Store:
    """A statement that writes results: a whole vector into an array, or one number into an element of it."""

    target: str
    source: Thing
    constant: float | None = None
    offset: int = 0


Unit = int | Vector | Fold | Store
_DEEP = 12  # operations in one expression, each inside the next


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
    ) -> None:
        self.language, self.syntax, self.rolled, self.tape = language, syntax, rolled, rolled.tape
        self.lines: list[str] = []
        self.uses = Helpers(language)
        self._names, self._taken = names, {*taken, *language.reserved}
        self._inputs = inputs
        self._signs: list[Sign] = []
        for instruction in self.tape.instructions:
            self._signs.append(sign_of(instruction, self._signs))
        self._returned = returned
        self._counts: Counter[Thing] = Counter()
        self._modes: dict[Thing, set[str]] = {}
        self._readers: dict[Thing, list[Unit]] = {}
        self._units: dict[Thing, Unit] = {}
        self._texts: dict[Thing, str] = {}
        self._arrays: set[Vector] = set()
        self._last_place: tuple[str, int] | None = None
        self._local: list[str] = []
        self._results = results
        self._inlined: set[Thing] = set()
        self._collect(results)
        self._inline()
        self.index = self._new("i")
        self._write(self._scheduled())

    def result(self, register: int) -> str:
        """The expression of a result that is returned; statements that it needs are added."""
        text = self._text(register).text
        self.lines += self._local
        self._local.clear()
        return text

    # -- what there is to compute --------------------------------------------------------------------------------------

    def _thing(self, register: int) -> tuple[Thing, str]:
        vector, _ = self.rolled.elements.get(register, (None, 0))
        return (register, ONCE) if vector is None or _is_condition(vector.op) else (vector, WHOLE)

    def _chosen(self, register: int) -> Vector | None:
        """The vector that `take` takes an element from at the index of a largest one, which is never outside."""
        op, operands, _ = self.tape.instructions[register]
        if op != "take" or operands[0] not in self.rolled.folds:
            return None
        vector, _ = self.rolled.elements.get(operands[1], (None, 0))
        return vector if vector is not None and vector.registers == operands[1:] else None

    def _reads(self, unit: Unit) -> Iterator[tuple[Thing, str]]:
        """What a statement reads, and how."""
        match unit:
            case Store(source=Vector() as vector):
                yield vector, EACH
            case Store(source=int(register), constant=None):
                yield self._thing(register)
            case Vector():
                for part in unit.operands:
                    if isinstance(part, Vector):
                        yield part, EACH
                    elif part is not None:
                        yield self._thing(part)
            case Fold():
                for vector in unit.vectors:
                    yield vector, WHOLE if unit.op == "largest" else EACH
                for register in (*unit.before, *unit.after):
                    yield self._thing(register)
            case int():
                operands, taken = self.tape.instructions[unit][1], self._chosen(unit)
                if taken is not None:
                    yield from ((operands[0], ONCE), (taken, WHOLE))
                else:
                    yield from map(self._thing, operands)

    def _collect(self, results: Sequence[Store]) -> None:
        """Find what the results need."""
        waiting: list[Unit] = [*results, *self._returned]
        for register in self._returned:
            self._counts[self._thing(register)[0]] += 1
        seen: set[int] = set()
        while waiting:
            unit = waiting.pop()
            if isinstance(unit, int):
                thing, mode = self._thing(unit)
                if isinstance(thing, Vector):
                    self._modes.setdefault(thing, set()).add(mode)
                unit = self.rolled.folds.get(unit, unit) if thing == unit else thing
            if id(unit) in seen or (isinstance(unit, int) and unit in self._units):
                continue
            seen.add(id(unit))
            thing = unit.register if isinstance(unit, Fold) else unit
            if not isinstance(thing, Store):
                self._units[thing] = unit
            for read, mode in self._reads(unit):
                self._counts[read] += 1
                self._modes.setdefault(read, set()).add(mode)
                self._readers.setdefault(read, []).append(unit)
                waiting.append(read if isinstance(read, Vector) else self.rolled.folds.get(read, read))

    def _is_given(self, thing: Thing) -> bool:
        return (thing.op if isinstance(thing, Vector) else self.tape.instructions[thing][0]) in (INPUT, CONSTANT)

    def _name_of(self, thing: Thing) -> str:
        return self._names.get(thing.registers[0] if isinstance(thing, Vector) else thing, "")

    def _inline(self) -> None:
        """Choose what gets no name, because it is part of the one statement that reads it: not too deep."""
        depths: dict[Thing, int] = {}
        for thing in sorted([x for x in self._units if not self._is_given(x)], key=_position):
            if thing in self.rolled.folds:
                continue
            reads = [x for x, _ in self._reads(self._units[thing])]
            depths[thing] = 1 + max([depths[x] for x in reads if x in self._inlined], default=0)
            if self._may_be_part(thing) and depths[thing] < _DEEP:
                self._inlined.add(thing)

    def _may_be_part(self, thing: Thing) -> bool:
        if isinstance(thing, Vector) and _is_condition(thing.op):
            return True  # computed again where it is read: there are no arrays of conditions
        if not isinstance(thing, Vector) and self._alias(thing) is not None:
            return True
        if self._counts[thing] != 1 or self._name_of(thing):
            return False
        if isinstance(thing, Vector):
            return self._modes[thing] == {EACH}
        readers = self._readers.get(thing, [])
        return all(isinstance(u, int) or (isinstance(u, Store) and u.source == thing) for u in readers)

    def _alias(self, register: int) -> int | None:
        """The index of a largest element that this is the floor of."""
        op, operands, _ = self.tape.instructions[register]
        return operands[0] if op == "floor" and operands[0] in self.rolled.folds else None

    def _needs(self, unit: Unit) -> Iterator[tuple[Thing, str]]:
        """What must be computed before a statement, behind all that is part of it."""
        for thing, mode in self._reads(unit):
            if self._is_given(thing):
                continue
            if thing in self._inlined:
                yield from self._needs(self._units[thing])
            else:
                yield thing, mode

    # -- the order -----------------------------------------------------------------------------------------------------

    def _scheduled(self) -> list[list[Unit]]:
        """Groups of statements, each a loop or a single statement."""
        named = [u for x, u in self._units.items() if not self._is_given(x) and x not in self._inlined]
        units: list[Unit] = [*sorted(named, key=_position), *self._results]
        self._waits = {id(u): {x: mode for x, mode in self._needs(u)} for u in units}
        places = {id(u): i for i, u in enumerate(units)}
        missing = {id(u): len(self._waits[id(u)]) for u in units}
        waiting: dict[Thing, list[Unit]] = {}
        for unit in units:
            for x in self._waits[id(unit)]:
                waiting.setdefault(x, []).append(unit)
        singles = [places[id(u)] for u in units if _length(u) is None and not missing[id(u)]]
        loops = [u for u in units if _length(u) is not None]
        done: set[Thing] = set()
        groups: list[list[Unit]] = []
        while singles or loops:
            if singles:
                group = [units[heapq.heappop(singles)]]
            else:
                group = [next(u for u in loops if self._is_ready(u, done, ()))]
                while more := [u for u in loops if u not in group and self._fits(u, group, done)][:1]:
                    group += more
                loops = [u for u in loops if u not in group]
            groups.append(group)
            for one in group:
                if not isinstance(one, Store):
                    thing = one.register if isinstance(one, Fold) else one
                    done.add(thing)
                    for reader in waiting.get(thing, ()):
                        missing[id(reader)] -= 1
                        if not missing[id(reader)] and _length(reader) is None:
                            heapq.heappush(singles, places[id(reader)])
        return self._sunk(groups)

    def _is_ready(self, unit: Unit, done: set[Thing], group: Sequence[Unit]) -> bool:
        return all(x in done or (mode == EACH and x in group) for x, mode in self._waits[id(unit)].items())

    def _fits(self, unit: Unit, group: Sequence[Unit], done: set[Thing]) -> bool:
        """Whether a statement can join a loop."""
        if _length(unit) != _length(group[0]):
            return False
        directions = {u.is_descending for u in (unit, *group) if isinstance(u, Fold)}
        return len(directions) < 2 and self._is_ready(unit, done, group)

    def _sunk(self, groups: list[list[Unit]]) -> list[list[Unit]]:
        """Move what only one later loop reads into it, where it needs no array of its own."""
        for here, group in reversed([*enumerate(groups)]):
            for unit in [u for u in group[::-1] if isinstance(u, Vector) and _length(group[0]) is not None]:
                readers = [i for i, g in enumerate(groups) for u in g for x, mode in self._needs(u) if x is unit]
                modes = {mode for g in groups for u in g for x, mode in self._needs(u) if x is unit}
                later = {*readers}
                inputs = [x for x, mode in self._needs(unit) if mode == EACH and x in group]
                if modes == {EACH} and len(later) == 1 and here not in later and not inputs and len(group) > 1:
                    target = groups[later.pop()]
                    if _length(target[0]) == len(unit):
                        group.remove(unit)
                        target.insert(0, unit)
        return groups

    # -- the text ------------------------------------------------------------------------------------------------------

    def _new(self, wanted: str) -> str:
        """A name that is not taken."""
        name = wanted = re.sub(r"\W", "_", wanted)
        count = 1
        while name in self._taken:
            count += 1
            name = f"{wanted}{count}"
        self._taken.add(name)
        return name

    def _fresh(self, thing: Thing, default: str = "t") -> str:
        name = self._name_of(thing)
        if name:
            return self._new(self.language.variable(name))
        count = 1
        while f"{default}{count}" in self._taken:
            count += 1
        return self._new(f"{default}{count}" if default == "t" else default)

    def _write(self, groups: list[list[Unit]]) -> None:
        for group in groups:
            for unit in group:
                if isinstance(unit, Vector):
                    inner = {id(u) for u in group}
                    outside = [r for r in self._all_readers(unit) if id(r) not in inner]
                    if outside or self._modes[unit] != {EACH}:
                        self._arrays.add(unit)
        for group in groups:
            if _length(group[0]) is not None:
                self._loop(group)
            else:
                for unit in group:
                    self._statement(unit)

    def _all_readers(self, thing: Thing) -> Iterator[Unit]:
        """The statements that read something, perhaps as a part of them that has no name."""
        for reader in self._readers.get(thing, ()):
            inner = reader.register if isinstance(reader, Fold) else reader
            if not isinstance(inner, Store) and inner in self._inlined:
                yield from self._all_readers(inner)
            else:
                yield reader

    def _text(self, register: int) -> Text:
        """A register as an expression, outside of loops over it."""
        op, operands, detail = self.tape.instructions[register]
        vector, i = self.rolled.elements.get(register, (None, 0))
        if vector is not None and not _is_condition(op):
            return Text(f"{self._array(vector)}[{vector.array[1] + i}]")
        if op == CONSTANT:
            return self.language.literal(float(detail or 0.0))
        if op == INPUT:
            return Text(self._inputs[int(detail or 0)])
        if register in self._texts:
            return Text(self._texts[register])
        alias = self._alias(register)
        return self._text(alias) if alias is not None else self._operation(register)

    def _array(self, vector: Vector) -> str:
        return vector.array[0] if vector.op == INPUT else self._texts[vector]

    def _operation(self, register: int) -> Text:
        op, operands, _ = self.tape.instructions[register]
        taken = self._chosen(register)
        if taken is not None:
            return self._indexed(taken, self._text(operands[0]).text)
        text: Text = self._composed(op, operands, self._text)
        return text

    def _composed(self, op, operands, text_of):  # type: ignore[no-untyped-def]
        """An operation of operands, the longest of which get names where it would be too long."""
        texts = [text_of(x) for x in operands]
        constants = [self._number(x) if isinstance(x, int) else None for x in operands]
        while True:
            text = self.language.expression(op, texts, constants, self.uses)
            longest = max(range(len(texts)), key=lambda i: len(texts[i].text), default=None)
            if len(text.text) <= WIDTH or longest is None or len(texts[longest].text) < WIDTH // 3:
                return text
            name, x = self._fresh(-1), operands[longest]
            kind = x.op if isinstance(x, Vector) else self.tape.instructions[x][0]
            declared = self.language.condition if _is_condition(kind) else self.language.number
            self._local.append(f"{declared}{name} = {texts[longest].text}{self.language.end}")
            texts[longest] = Text(name)

    def _number(self, register: int) -> float | None:
        op, _, detail = self.tape.instructions[register]
        return float(detail or 0.0) if op == CONSTANT else None

    def _indexed(self, vector: Vector, index: str) -> Text:
        start = vector.array[1]
        return Text(f"{self._array(vector)}[{f'{start} + ' if start else ''}{index}]")

    def _element(self, part: Vector | int | None) -> Text:
        """An operand of a vector, in its loop."""
        if part is None:
            return Text(self.index)
        if isinstance(part, int):
            return self._text(part)
        if part.op == INPUT or part in self._arrays:
            return self._indexed(part, self.index)
        if part in self._texts:
            return Text(self._texts[part])
        return self._vector_text(part)

    def _vector_text(self, vector: Vector) -> Text:
        text: Text = self._composed(vector.op, vector.operands, self._element)
        return text

    def _say(self, line: str, depth: int, comment: str = "") -> None:
        inner = "    " * depth
        for local in self._local:
            self.lines.append(inner + local)
        self._local.clear()
        remark = f"{self.language.comment} {comment}"
        if comment and len(inner + line) + len(remark) > WIDTH:
            self.lines.append(inner + remark)
            comment = ""
        self.lines.append(inner + line + (f"  {remark}" if comment else ""))

    def _comment(self, register: int) -> str:
        """The user's expression, if the statement before has another one."""
        place = self.tape.places[register] if self.tape.places else None
        if place is None or not place.expression:
            return ""
        here = place.expression, place.line
        if here == self._last_place:
            return ""
        self._last_place = here
        expression = " ".join(place.expression.split())
        return f"{expression if len(expression) <= 60 else expression[:57] + '...'}  (line {place.line})"

    def _statement(self, unit: Unit, depth: int = 0) -> None:
        end = self.language.end
        match unit:
            case Store(target=target, source=source, constant=constant):
                text = self.language.literal(constant) if constant is not None else self._text(source)  # type: ignore[arg-type]
                self._say(f"{target} = {text.text}{end}", depth)
            case Fold(op="largest", vectors=(vector,)):
                name = self._texts[unit.register] = self._fresh(unit.register, "k")
                comment = self._comment(unit.register)
                self._say(self.syntax.integer.format(name=name, text="0") + end, depth, comment)
                self._say(self.syntax.loop[0].format(i=self.index, start=1, n=len(vector)), depth)
                here, best = self._indexed(vector, self.index).text, self._indexed(vector, name).text
                self._say(self.syntax.branch.format(condition=f"{here} > {best}"), depth + 1)
                self._say(f"{name} = {self.index}{end}", depth + 2)
                if self.language.close:
                    self.lines += ["    " * (depth + 1) + "}", "    " * depth + "}"]
            case int():
                text = self._operation(unit)
                op = self.tape.instructions[unit][0]
                name = self._texts[unit] = self._fresh(unit, "largest" if op == "take" else "t")
                declared = self.language.condition if _is_condition(op) else self.language.number
                self._say(f"{declared}{name} = {text.text}{end}", depth, self._comment(unit))

    def _loop(self, group: Sequence[Unit]) -> None:
        """A loop, after the declarations of what it fills."""
        end, n = self.language.end, _length(group[0])
        for unit in group:
            if isinstance(unit, Fold):
                start = self._start(unit)
                name = self._texts[unit.register] = self._fresh(unit.register)
                self._say(self.syntax.variable.format(name=name, text=start) + end, 0)
            elif isinstance(unit, Vector) and unit in self._arrays:
                name = self._texts[unit] = self._fresh(unit)
                self._say(self.syntax.array.format(name=name, count=n) + end, 0)
        is_descending = any(isinstance(unit, Fold) and unit.is_descending for unit in group)
        self._say(self.syntax.loop[is_descending].format(i=self.index, start=0, n=n, last=(n or 0) - 1), 0)
        for unit in group:
            match unit:
                case Vector():
                    self._vector_statement(unit)
                case Store(target=target, source=Vector() as vector):
                    start = f"{unit.offset} + " if unit.offset else ""
                    self._say(f"{target}[{start}{self.index}] = {self._element(vector).text}{end}", 1)
                case Fold():
                    self._accumulate(unit)
        if self.language.close:
            self._say("}", 0)
        for unit in group:
            if isinstance(unit, Fold):
                for x in unit.after:
                    name = self._texts[unit.register]
                    self._say(f"{name} = {self._joined(unit, name, self._text(x)).text}{end}", 0)

    def _vector_statement(self, vector: Vector) -> None:
        text, comment = self._vector_text(vector), self._comment(vector.registers[0])
        if vector in self._arrays:
            target = f"{self._texts[vector]}[{self.index}]"
        else:
            name = self._texts[vector] = self._fresh(vector)
            declared = self.language.condition if _is_condition(vector.op) else self.language.number
            target = f"{declared}{name}"
        self._say(f"{target} = {text.text}{self.language.end}", 1, comment)

    def _joined(self, fold: Fold, name: str, text: Text) -> Text:
        op = "add" if fold.op == "dot" else fold.op
        return self.language.expression(op, (Text(name), text), (None, None), self.uses)

    def _start(self, fold: Fold) -> str:
        """What a fold starts with: -0.0 + x is x for every x, also for -0.0."""
        if fold.before:
            operands = [self._text(x) for x in fold.before]
            constants = [self._number(x) for x in fold.before]
            return self.language.expression(fold.op, operands, constants, self.uses).text
        if fold.op in ("maximum", "minimum"):
            return self.language.literal(float("-inf" if fold.op == "maximum" else "inf")).text
        is_plus = all(self._signs[x].is_plus for vector in fold.vectors for x in vector.registers)
        return "0.0" if is_plus else "-0.0"

    def _accumulate(self, fold: Fold) -> None:
        name, end = self._texts[fold.register], self.language.end
        comment = self._comment(fold.register)
        if fold.op == "dot":
            text = self._composed("mul", fold.vectors, self._element)
        else:
            text = self._element(fold.vectors[0])
        if fold.op in ("sum", "dot"):
            self._say(f"{name} += {text.text}{end}", 1, comment)
        else:
            self._say(f"{name} = {self._joined(fold, name, text).text}{end}", 1, comment)


def _is_condition(op: str) -> bool:
    return kind_of(op) == CONDITION


def _length(unit: Unit) -> int | None:
    """The number of elements of the loop that a statement is in; None if it is in none."""
    match unit:
        case Vector():
            return len(unit)
        case Fold() if unit.op != "largest":
            return len(unit.vectors[0])
        case Store(source=Vector() as vector):
            return len(vector)
    return None


def _position(unit: Unit) -> int:
    match unit:
        case Vector():
            return unit.registers[0]
        case Fold():
            return unit.register
        case int():
            return unit
    raise AssertionError(unit)
