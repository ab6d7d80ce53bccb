"""Ordering: which statements a rolled tape needs, which values get no name, and which statements share a loop.

Not here: their text (`writing`). Read next: `compile.languages.writing`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograd_mini.compile.languages.rolling import GATHERED, LARGEST, Down, Entry, Fold, Folds, Grid, Rolled, Vector
from autograd_mini.compile.tape import COMPARISONS, CONDITION, CONSTANT, INPUT, kind_of

_DEEP = 12  # operations in one expression, each inside the next


@dataclass(eq=False)
class Store:
    """A statement that writes results: a whole vector or grid into an array, or one number into an element of it."""

    target: str
    source: int | Vector | Grid
    constant: float | None = None
    offset: int = 0
    stride: int = 1  # how far elements are apart, or the rows of a grid
    right: int = 1  # how far the columns of a grid are apart


Unit = int | Vector | Fold | Store  # a statement, and what it computes; an int is the register of a single number
Reads = Iterator[tuple[Unit, bool]]  # what a statement reads, and whether it reads element by element, in one loop


class Plan:
    """The statements that results need."""

    def __init__(
        self,
        rolled: Rolled,
        names: Mapping[int, str],  # what the user calls a register
        results: Sequence[Store],  # what is stored, in order
        returned: Sequence[int],  # registers that are returned
    ) -> None:
        self.rolled, self.tape, self._names = rolled, rolled.tape, names
        returns = [Store("", register) for register in returned]
        self._readers = self._collected([*results, *returns])
        computed = sorted([unit for unit in self._readers if not self._is_given(unit)], key=_position)
        self.inlined: set[Unit] = set()  # what has no statement, because it is part of those that read it
        self._inline(computed)
        units = [*[unit for unit in computed if unit not in self.inlined], *results]
        self._waits = {unit: self._needed(unit) for unit in (*units, *returns)}
        self.groups = self._sunk(self._scheduled(units))  # each is a loop, or a single statement
        self.arrays: set[Vector] = set()  # the vectors that not only their own loop reads
        endings: list[list[Unit]] = [*self.groups, [*returns]]
        for group in endings:
            for x, is_each in [read for unit in group for read in self._waits[unit].items()]:
                if isinstance(x, Vector) and x.op != GATHERED and not (is_each and x in group):
                    self.arrays.add(x)

    # -- what there is to compute --------------------------------------------------------------------------------------

    def _unit(self, register: int) -> Unit:
        """The unit that computes a register; a comparison is written where it is read, even one of an element."""
        vector, _ = self.rolled.elements.get(register, (None, 0))
        if vector is not None and vector.op not in COMPARISONS:
            return vector
        return self.rolled.folds.get(register, register)

    def is_index(self, register: int) -> bool:
        """Whether a register holds the index of a largest element; a sum is a fold, too, but no index."""
        fold = self.rolled.folds.get(register)
        return fold is not None and fold.op == LARGEST

    def chosen(self, register: int) -> Vector | None:
        """The vector that `take` takes an element from at the index of a largest one, which is never outside."""
        op, operands, _ = self.tape.instructions[register]
        if op != "take" or not self.is_index(operands[0]):
            return None
        vector, _ = self.rolled.elements.get(operands[1], (None, 0))
        is_long_enough = vector is not None and len(vector) >= len(self.rolled.folds[operands[0]])
        return vector if vector is not None and is_long_enough and vector.registers == operands[1:] else None

    def alias(self, register: int) -> int | None:
        """The index of a largest element, if this register is its floor."""
        op, operands, _ = self.tape.instructions[register]
        return operands[0] if op == "floor" and self.is_index(operands[0]) else None

    def name_of(self, unit: Unit) -> str:
        """What the user calls it."""
        return self._names.get(_position(unit), "")

    def _collected(self, stores: Sequence[Store]) -> dict[Unit, list[tuple[Unit, bool]]]:
        """The units that the results need, each with its readers and how they read it."""
        readers: dict[Unit, list[tuple[Unit, bool]]] = {}
        waiting: list[Unit] = [*stores]
        while waiting:
            unit = waiting.pop()
            for read, is_each in self._reads(unit):
                if read not in readers:
                    waiting.append(read)
                readers.setdefault(read, []).append((unit, is_each))
        return readers

    def _reads(self, unit: Unit) -> Reads:
        match unit:
            case Store(source=Vector() as vector):
                yield vector, True
            case Store(source=Grid() as grid):
                yield from self._entry_reads(grid)
            case Store(source=int(register), constant=None):
                yield self._unit(register), False
            case Folds():
                for entry in (*unit.before, *unit.terms, *unit.after):
                    yield from self._entry_reads(entry, unit.is_by_column)
            case Vector(op="gathered"):
                for register in unit.registers:  # themselves, not as elements of this vector
                    yield self.rolled.folds.get(register, register), False
            case Vector():
                for part in unit.operands:
                    if part is not None:
                        yield (part, True) if isinstance(part, Vector) else (self._unit(part), False)
            case Fold():
                for vector in unit.terms:
                    yield vector, unit.op != LARGEST
                for x in (*unit.before, *unit.after):
                    yield self._unit(x), False
            case int():
                operands, taken = self.tape.instructions[unit][1], self.chosen(unit)
                for x in operands if taken is None else ():
                    yield self._unit(x), False
                if taken is not None:
                    yield from ((self.rolled.folds[operands[0]], False), (taken, False))

    def _entry_reads(self, entry: Entry, is_by_column: bool = False) -> Reads:
        """What a loop over rows or columns reads of an entry in the inner loop."""
        match entry:
            case Grid():
                for inner in entry.operands:
                    yield from self._entry_reads(inner, is_by_column)
            case Down():
                yield entry.vector, not is_by_column
            case Vector():
                yield entry, is_by_column
            case int():
                yield self._unit(entry), False

    def _is_given(self, unit: Unit) -> bool:
        match unit:
            case Vector():
                return unit.op == INPUT
            case int():
                return self.tape.instructions[unit][0] in (INPUT, CONSTANT)
        return False

    def _inline(self, computed: Sequence[Unit]) -> None:
        """Choose the units that get no name, because the only statement that reads one contains it: not too deep."""
        depths: dict[Unit, int] = {}
        for unit in computed:
            if not isinstance(unit, (Fold, Folds)):
                depths[unit] = 1 + max([depths[x] for x, _ in self._reads(unit) if x in self.inlined], default=0)
                is_test = isinstance(unit, Vector) and unit.op in COMPARISONS
                if is_test or (self._may_be_part(unit) and depths[unit] < _DEEP):
                    self.inlined.add(unit)

    def _may_be_part(self, unit: Unit) -> bool:
        if isinstance(unit, int) and self.alias(unit) is not None:
            return True
        (reader, is_each), *others = self._readers[unit]
        is_gathered = isinstance(reader, Vector) and reader.op == GATHERED
        if others or (self.name_of(unit) and not is_gathered):
            return False
        if isinstance(reader, Vector) and reader.op in COMPARISONS and len(self._readers[reader]) > 1:
            return False  # otherwise it would be computed again for each of them
        if isinstance(unit, Vector):
            is_in_inner_loop = isinstance(reader, Folds) or isinstance(getattr(reader, "source", None), Grid)
            return is_each and unit.op != GATHERED and not is_in_inner_loop
        return isinstance(reader, int) or (length_of(reader) is None and not isinstance(reader, Fold))

    def _needed(self, unit: Unit) -> dict[Unit, bool]:
        """What must be computed before a statement, also for its parts, and whether it reads element by element."""
        found: dict[Unit, bool] = {}
        waiting = [*self._reads(unit)][::-1]
        while waiting:
            x, is_each = waiting.pop()
            if x in self.inlined:
                waiting += [*self._reads(x)][::-1]
            elif not self._is_given(x):
                found[x] = found.get(x, True) and is_each  # a vector that is read in both ways must be complete
        return found

    # -- the order -----------------------------------------------------------------------------------------------------

    def _scheduled(self, units: Sequence[Unit]) -> list[list[Unit]]:
        """Groups of statements; single ones come as early as they can, and each loop takes all that fit into it."""
        places = {unit: i for i, unit in enumerate(units)}
        missing = {unit: len(self._waits[unit]) for unit in units}
        waiting: dict[Unit, list[Unit]] = {}
        for unit in units:
            for x in self._waits[unit]:
                waiting.setdefault(x, []).append(unit)
        singles = [places[unit] for unit in units if length_of(unit) is None and not missing[unit]]
        loops = [unit for unit in units if length_of(unit) is not None]
        done: set[Unit] = set()
        groups: list[list[Unit]] = []
        while singles or loops:
            if singles:
                group = [units[heapq.heappop(singles)]]
            else:
                group = []
                while (loop := next((u for u in loops if self._fits(u, group, done)), None)) is not None:
                    group.append(loop)
                    loops.remove(loop)
            groups.append(group)
            done.update(group)
            for reader in [reader for unit in group for reader in waiting.get(unit, ())]:
                missing[reader] -= 1
                if not missing[reader] and length_of(reader) is None:
                    heapq.heappush(singles, places[reader])
        return groups

    def _fits(self, unit: Unit, group: Sequence[Unit], done: set[Unit]) -> bool:
        """Whether a statement can join a loop."""
        directions = {u.is_descending for u in (unit, *group) if isinstance(u, Fold)}
        if (group and length_of(unit) != length_of(group[0])) or len(directions) == 2:
            return False
        return all(x in done or (is_each and x in group) for x, is_each in self._waits[unit].items())

    def _sunk(self, groups: list[list[Unit]]) -> list[list[Unit]]:
        """Move a statement that only one later loop reads into that loop, where it needs no array."""
        home = {unit: group for group in groups for unit in group}
        readers: dict[Unit, list[tuple[Unit, bool]]] = {}
        for unit in home:
            for x, is_each in self._waits[unit].items():
                readers.setdefault(x, []).append((unit, is_each))
        for group in reversed(groups):
            for unit in [u for u in group[::-1] if isinstance(u, Vector) and len(group) > 1]:
                found = readers.get(unit, [])
                target = home[found[0][0]] if found else group
                is_free = all(is_each and home[reader] is target for reader, is_each in found)
                has_inputs = any(is_each and x in group for x, is_each in self._waits[unit].items())
                if is_free and target is not group and not has_inputs and length_of(target[0]) == len(unit):
                    group.remove(unit)
                    target.insert(0, unit)
                    home[unit] = target
        return [group for group in groups if group]


def is_condition(op: str) -> bool:
    return kind_of(op) == CONDITION


def length_of(unit: Unit) -> int | None:
    """The number of elements of the loop that a statement is in; None if it is in none."""
    match unit:
        case Store(source=int()) | Vector(op="gathered") | Fold(op="largest") | int():
            return None
        case Store(source=Grid() as grid):
            return len(grid.rows)
        case Store(source=Vector() as vector):
            return len(vector)
        case Vector() | Fold():
            return len(unit)
    raise AssertionError(unit)


def _position(unit: Unit) -> int:
    match unit:
        case Vector():
            return unit.registers[0]
        case Fold():
            return unit.register
        case int():
            return unit
    raise AssertionError(unit)
