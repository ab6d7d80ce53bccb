"""Ordering: which statements a rolled tape needs, which have no name of their own, and which share a loop.

Not here: their text (`writing`). Read next: `compile.languages.writing`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograd_mini.compile.languages.rolling import GATHERED, Down, Entry, Fold, Folds, Grid, Rolled, Vector
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, kind_of

Thing = int | Vector  # what a statement computes: a register, or the elements of a vector
EACH, WHOLE, ONCE = "each", "whole", "once"  # how it reads a vector, element by element or not; or a register
_DEEP = 12  # operations in one expression, each inside the next


@dataclass(eq=False)
class Store:
    """A statement that writes results: a whole vector or grid into an array, or one number into an element of it."""

    target: str
    source: Thing | Grid
    constant: float | None = None
    offset: int = 0
    stride: int = 1  # how far elements are apart, or the rows of a grid
    right: int = 1  # how far the columns of a grid are apart


Unit = int | Vector | Fold | Store


class Plan:
    """The statements that results need, in groups: each is a loop or a single statement.

    Args:
        rolled: what is computed.
        names: what the user calls a register.
        results: what is stored, in order.
        returned: registers that are returned.

    Attributes:
        groups: the statements, in order.
        inlined: what has no statement, because it is part of those that read it.
        arrays: the vectors that need an array.
    """

    def __init__(
        self, rolled: Rolled, names: Mapping[int, str], results: Sequence[Store], returned: Sequence[int]
    ) -> None:
        self.rolled, self.tape = rolled, rolled.tape
        self.inlined: set[Thing] = set()
        self._names, self._results, self._returned = names, results, returned
        self._counts: Counter[Thing] = Counter()
        self._modes: dict[Thing, set[str]] = {}
        self._readers: dict[Thing, list[Unit]] = {}
        self._units: dict[Thing, Unit] = {}
        self._collect(results)
        self._inline()
        self.groups = self._scheduled()
        self.arrays = self._arrays()

    # -- what there is to compute --------------------------------------------------------------------------------------

    def _thing(self, register: int) -> tuple[Thing, str]:
        vector, _ = self.rolled.elements.get(register, (None, 0))
        return (register, ONCE) if vector is None or is_condition(vector.op) else (vector, WHOLE)

    def chosen(self, register: int) -> Vector | None:
        """The vector that `take` takes an element from at the index of a largest one, which is never outside."""
        op, operands, _ = self.tape.instructions[register]
        if op != "take" or operands[0] not in self.rolled.folds:
            return None
        vector, _ = self.rolled.elements.get(operands[1], (None, 0))
        is_long_enough = vector is not None and len(vector) >= len(self.rolled.folds[operands[0]].vectors[0])
        return vector if vector is not None and is_long_enough and vector.registers == operands[1:] else None

    def _reads(self, unit: Unit) -> Iterator[tuple[Thing, str]]:
        """What a statement reads, and how."""
        match unit:
            case Store(source=Vector() as vector):
                yield vector, EACH
            case Store(source=Grid() as grid):
                yield from self._entry_reads(grid)
            case Folds():
                for entry in (*unit.before, *unit.terms, *unit.after):
                    yield from self._entry_reads(entry, unit.is_by_column)
            case Store(source=int(register), constant=None):
                yield self._thing(register)
            case Vector(op="gathered"):
                for register in unit.registers:  # themselves, not as elements of this vector
                    yield register, ONCE
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
                operands, taken = self.tape.instructions[unit][1], self.chosen(unit)
                if taken is not None:
                    yield from ((operands[0], ONCE), (taken, WHOLE))
                else:
                    yield from map(self._thing, operands)

    def _entry_reads(self, entry: Entry, is_by_column: bool = False) -> Iterator[tuple[Thing, str]]:
        """What a loop over rows, or columns, reads of an entry in the loop inside."""
        match entry:
            case Grid():
                for inner in entry.operands:
                    yield from self._entry_reads(inner, is_by_column)
            case Down():
                yield entry.vector, WHOLE if is_by_column else EACH
            case Vector():
                yield entry, EACH if is_by_column else WHOLE
            case int():
                yield self._thing(entry)

    def _collect(self, results: Sequence[Store]) -> None:
        """Find what the results need."""
        waiting: list[Unit] = [*results]
        for register in self._returned:
            thing, mode = self._thing(register)
            self._counts[thing] += 1
            self._modes.setdefault(thing, set()).add(mode)
            waiting.append(thing if isinstance(thing, Vector) else self.rolled.folds.get(thing, thing))
        seen: set[int] = set()
        while waiting:
            unit = waiting.pop()
            if id(unit) in seen or (isinstance(unit, int) and unit in self._units):
                continue
            seen.add(id(unit))
            if not isinstance(unit, Store):
                self._units[unit.register if isinstance(unit, Fold) else unit] = unit
            for read, mode in self._reads(unit):
                self._counts[read] += 1
                self._modes.setdefault(read, set()).add(mode)
                self._readers.setdefault(read, []).append(unit)
                waiting.append(read if isinstance(read, Vector) else self.rolled.folds.get(read, read))

    def _is_given(self, thing: Thing) -> bool:
        return (thing.op if isinstance(thing, Vector) else self.tape.instructions[thing][0]) in (INPUT, CONSTANT)

    def name_of(self, thing: Thing) -> str:
        return self._names.get(thing.registers[0] if isinstance(thing, Vector) else thing, "")

    def _inline(self) -> None:
        """Choose what gets no name, because it is part of the one statement that reads it: not too deep."""
        depths: dict[Thing, int] = {}
        for thing in sorted([x for x in self._units if not self._is_given(x)], key=_position):
            if thing in self.rolled.folds or isinstance(thing, Folds):
                continue
            reads = [x for x, _ in self._reads(self._units[thing])]
            depths[thing] = 1 + max([depths[x] for x in reads if x in self.inlined], default=0)
            is_test = isinstance(thing, Vector) and is_condition(thing.op)
            if is_test or (self._may_be_part(thing) and depths[thing] < _DEEP):
                self.inlined.add(thing)  # a test is computed again where it is read: there are no arrays of conditions

    def _may_be_part(self, thing: Thing) -> bool:
        if not isinstance(thing, Vector) and self.alias(thing) is not None:
            return True
        gathered = [u for u in self._readers.get(thing, ()) if isinstance(u, Vector) and u.op == GATHERED]
        if self._counts[thing] != 1 or (self.name_of(thing) and not gathered):
            return False
        readers = self._readers.get(thing, [])
        if isinstance(thing, Vector):
            is_once = not any(
                isinstance(u, Folds) or (isinstance(u, Store) and isinstance(u.source, Grid)) for u in readers
            )
            return self._modes[thing] == {EACH} and thing.op != GATHERED and is_once
        return all(isinstance(u, int) or _is_single(u) for u in readers)

    def alias(self, register: int) -> int | None:
        """The index of a largest element that this is the floor of."""
        op, operands, _ = self.tape.instructions[register]
        return operands[0] if op == "floor" and operands[0] in self.rolled.folds else None

    def _needs(self, unit: Unit) -> Iterator[tuple[Thing, str]]:
        """What must be computed before a statement, behind all that is part of it."""
        for thing, mode in self._reads(unit):
            if self._is_given(thing):
                continue
            if thing in self.inlined:
                yield from self._needs(self._units[thing])
            else:
                yield thing, mode

    # -- the order -----------------------------------------------------------------------------------------------------

    def _scheduled(self) -> list[list[Unit]]:
        """Groups of statements, each a loop or a single statement."""
        named = [u for x, u in self._units.items() if not self._is_given(x) and x not in self.inlined]
        units: list[Unit] = [*sorted(named, key=_position), *self._results]
        self._waits: dict[int, dict[Thing, str]] = {id(u): {} for u in units}
        for unit in units:
            waits = self._waits[id(unit)]
            for x, mode in self._needs(unit):
                if waits.get(x, EACH) == EACH:  # what is read in both ways must be complete
                    waits[x] = mode
        places = {id(u): i for i, u in enumerate(units)}
        missing = {id(u): len(self._waits[id(u)]) for u in units}
        waiting: dict[Thing, list[Unit]] = {}
        for unit in units:
            for x in self._waits[id(unit)]:
                waiting.setdefault(x, []).append(unit)
        singles = [places[id(u)] for u in units if length_of(u) is None and not missing[id(u)]]
        loops = [u for u in units if length_of(u) is not None]
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
                        if not missing[id(reader)] and length_of(reader) is None:
                            heapq.heappush(singles, places[id(reader)])
        return self._sunk(groups)

    def _is_ready(self, unit: Unit, done: set[Thing], group: Sequence[Unit]) -> bool:
        return all(x in done or (mode == EACH and x in group) for x, mode in self._waits[id(unit)].items())

    def _fits(self, unit: Unit, group: Sequence[Unit], done: set[Thing]) -> bool:
        """Whether a statement can join a loop."""
        if length_of(unit) != length_of(group[0]):
            return False
        directions = {u.is_descending for u in (unit, *group) if isinstance(u, Fold)}
        return len(directions) < 2 and self._is_ready(unit, done, group)

    def _sunk(self, groups: list[list[Unit]]) -> list[list[Unit]]:
        """Move what only one later loop reads into it, where it needs no array of its own."""
        home = {id(unit): group for group in groups for unit in group}
        readers: dict[Thing, list[tuple[Unit, str]]] = {}
        for group in groups:
            for unit in group:
                for x, mode in self._waits[id(unit)].items():
                    readers.setdefault(x, []).append((unit, mode))
        for group in reversed(groups):
            for unit in [u for u in group[::-1] if isinstance(u, Vector) and len(group) > 1]:
                found = readers.get(unit, [])
                target = home[id(found[0][0])] if found else group
                is_free = all(mode == EACH and home[id(reader)] is target for reader, mode in found)
                inputs = [x for x, mode in self._waits[id(unit)].items() if mode == EACH and x in group]
                if is_free and target is not group and not inputs and length_of(target[0]) == len(unit):
                    group.remove(unit)
                    target.insert(0, unit)
                    home[id(unit)] = target
        return [group for group in groups if group]

    def _arrays(self) -> set[Vector]:
        """The vectors that are read outside of their loop, or not element by element."""
        found = set()
        for group in self.groups:
            inner = {id(unit) for unit in group}
            for unit in group:
                if isinstance(unit, Vector) and unit.op != GATHERED:
                    is_read_outside = any(id(reader) not in inner for reader in self._all_readers(unit))
                    if is_read_outside or self._modes[unit] != {EACH}:
                        found.add(unit)
        return found

    def _all_readers(self, thing: Thing) -> Iterator[Unit]:
        """The statements that read something, perhaps as a part of them that has no name."""
        for reader in self._readers.get(thing, ()):
            inner = reader.register if isinstance(reader, Fold) else reader
            if not isinstance(inner, Store) and inner in self.inlined:
                yield from self._all_readers(inner)
            else:
                yield reader


def is_condition(op: str) -> bool:
    return kind_of(op) == CONDITION


def _has_inner_loop(unit: Unit) -> bool:
    return isinstance(unit, Folds) or (isinstance(unit, Store) and isinstance(unit.source, Grid))


def _is_single(unit: Unit) -> bool:
    """Whether a statement is in no loop, and evaluates what it reads once."""
    return length_of(unit) is None and not isinstance(unit, Fold)


def length_of(unit: Unit) -> int | None:
    """The number of elements of the loop that a statement is in; None if it is in none."""
    match unit:
        case Vector(op="gathered"):
            return None
        case Vector():
            return len(unit)
        case Fold() if unit.op != "largest":
            return len(unit.vectors[0])
        case Store(source=Vector() as vector):
            return len(vector)
        case Store(source=Grid() as grid):
            return len(grid.rows)
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
