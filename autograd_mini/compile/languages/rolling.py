"""Rolling: an operation that a tape does alike on each element of a list becomes one vector, written as a loop.

The order of computation stays, so no bit changes.
Not here: the order of loops (`ordering`). Read next: `compile.languages.ordering`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, product

from autograd_mini.compile.passes import live
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, Instruction, Tape, kind_of

LEAST = 3  # elements that make a loop
GATHERED, LARGEST = "gathered", "largest"


@dataclass(frozen=True, eq=False)
class Vector:
    """Registers that hold the elements of a list."""

    op: str  # that computes each element; `INPUT` for a given array; `GATHERED` for one of the registers themselves
    operands: tuple[Vector | int | None, ...]  # vectors, registers that all elements share, or None for the index
    registers: tuple[int, ...]  # one for each element
    array: tuple[str, int, int] = ("", 0, 1)  # a given array, where in it they start, and how far they are apart

    def __len__(self) -> int:
        return len(self.registers)


@dataclass(frozen=True, eq=False)
class Fold:
    """A register that joins numbers from left to right: before, then the elements of vectors, then after."""

    op: str  # "sum", "dot", "maximum", "minimum"; or `LARGEST` for the index of the first of the largest elements
    register: int
    terms: tuple[Vector, ...]  # one, or two for "dot"
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    is_descending: bool = False  # does the last element come first?

    def __len__(self) -> int:
        return len(self.terms[0])


@dataclass(frozen=True, eq=False)
class Down:
    """The elements of a vector, one for each row of a grid."""

    vector: Vector


@dataclass(frozen=True, eq=False)
class Grid:
    """Vectors that are computed alike, one for each turn of a loop: the rows of a table."""

    op: str  # as in a vector
    operands: tuple[Entry, ...]
    rows: tuple[Vector, ...]
    array: tuple[str, int, int, int] = ("", 0, 0, 1)  # where it starts, and how far rows and columns are apart


Entry = Grid | Down | Vector | int  # what differs in each place, from row to row, from column to column, or nowhere


@dataclass(frozen=True, eq=False)
class Folds(Vector):
    """Registers each of which is the fold of one row of a grid, or of one column."""

    terms: tuple[Entry, ...] = ()
    before: tuple[Entry, ...] = ()
    after: tuple[Entry, ...] = ()
    is_by_column: bool = False
    is_descending: bool = False


class Rolled:
    """A lowered tape with its vectors and folds; `arrays` are inputs, as rows or columns: where, and the registers."""

    def __init__(self, tape: Tape, arrays: Iterable[tuple[tuple[str, int, int], tuple[int, ...]]]) -> None:
        self.tape = with_sums(tape)
        self.elements: dict[int, tuple[Vector, int]] = {}  # for each register of a vector the vector, and the index
        self.rows: dict[Vector, tuple[Grid, int]] = {}  # for each row of a grid the grid, and which row it is
        self.folds: dict[int, Fold] = {}  # by register
        self._inside: set[int] = set()  # the intermediate results of folds
        self._known: dict[Instruction, int] = {one: i for i, one in enumerate(self.tape.instructions)}
        self._users: list[list[int]] = [[] for _ in self.tape.instructions]
        self._returns = Counter(self.tape.outputs)
        is_needed = live(self.tape)
        for register, (_, operands, _) in enumerate(self.tape.instructions):
            for x in operands if is_needed[register] else ():
                self._users[x].append(register)
        given = [Vector(INPUT, (), registers, array) for array, registers in arrays if len(registers) >= LEAST]
        for vector in given:
            self._keep(vector)
        for _, of_array in groupby(given, lambda vector: vector.array[0]):
            self._tabulate([*of_array])
        self._lengths = sorted({len(vector) for vector, _ in self.elements.values()}, reverse=True)
        for register, (op, operands, _) in enumerate(self.tape.instructions):
            if op == "take":
                self._take(operands)
            if is_needed[register] and register not in self.elements and register not in self._inside and operands:
                fold = self._fold(register, op, operands)
                if fold is not None:
                    if not self._folds(fold):
                        self.folds[register] = fold
                elif register not in self.folds:
                    self._vector(op, operands)

    def _keep(self, vector: Vector) -> None:
        self.elements.update((register, (vector, i)) for i, register in enumerate(vector.registers))

    def _vector(self, op: str, operands: tuple[int, ...]) -> None:
        """Find the vector whose first element is an operation of these operands."""
        choices: list[list[Vector | int | None]] = []
        for x in operands:
            vector, i = self.elements.get(x, (None, 0))
            choice: list[Vector | int | None] = [vector, x] if vector is not None and i == 0 else [x]
            if self.tape.instructions[x] == (CONSTANT, (), "0.0"):
                choice.append(None)
            choices.append(choice)
        few = sum(len(choice) > 1 for choice in choices) <= 6
        for parts in product(*choices) if few else [tuple([choice[0] for choice in choices])]:
            if all(isinstance(part, int) for part in parts):
                continue
            lengths = {len(part) for part in parts if isinstance(part, Vector)}
            for length in lengths if len(lengths) == 1 else [] if lengths else self._lengths:
                registers = [self._element(op, parts, i) for i in range(length)]
                if None not in registers and len({*registers}) == length:
                    found = tuple([x for x in registers if x is not None])
                    if self._are_free(found):
                        vector = Vector(op, parts, found)
                        self._keep(self._by_column(vector) or vector)
                        self._rows_like(vector)
                        return

    def _are_free(self, registers: Iterable[int]) -> bool:
        return not any(x in self.elements or x in self.folds or x in self._inside for x in registers)

    # -- grids ---------------------------------------------------------------------------------------------------------

    def _tabulate(self, given: Sequence[Vector]) -> None:
        """Make a grid of the rows of a given array, if they are equally long and equally far apart."""
        shapes = {(len(vector), vector.array[2]) for vector in given}
        apart = {b.array[1] - a.array[1] for a, b in pairwise(given)}
        if len(given) >= LEAST and len(shapes) == len(apart) == 1:
            name, start, right = given[0].array
            self._keep_grid(Grid(INPUT, (), tuple(given), (name, start, apart.pop(), right)))

    def _keep_grid(self, grid: Grid) -> None:
        self.rows.update((row, (grid, i)) for i, row in enumerate(grid.rows))

    def _spot(self, part: Vector | int) -> tuple[Grid | Down, tuple[int, int]] | None:
        """The grid that a vector is a row of, or the vector that a register is in; its index, and the number of all."""
        if isinstance(part, Vector):
            grid, row = self.rows.get(part, (None, 0))
            return None if grid is None else (grid, (row, len(grid.rows)))
        vector, i = self.elements.get(part, (None, 0))
        return None if vector is None else (Down(vector), (i, len(vector)))

    def _entries(self, parts: Sequence[Vector | int | None]) -> tuple[list[Entry], int, int] | None:
        """Parts of one row as entries of a grid, the row, and the number of rows; None if there is no grid."""
        known = [part for part in parts if part is not None]
        ops = [part.op if isinstance(part, Vector) else self.tape.instructions[part][0] for part in known]
        spots = [self._spot(part) for part in known]
        # A grid knows better than a vector, whose element may be shared by all rows.
        found = sorted([spot for spot in spots if spot is not None], key=lambda spot: isinstance(spot[0], Down))
        if len(known) < len(parts) or not found or any(kind_of(op) == CONDITION for op in ops):
            return None
        here = found[0][1]
        entries = [spot[0] if spot and spot[1] == here else part for spot, part in zip(spots, known, strict=True)]
        return entries, *here

    def _rows_like(self, vector: Vector) -> None:
        """Find the grid that a vector is a row of; each element of it is used once, so that it is computed once."""
        found = self._entries(vector.operands) if kind_of(vector.op) != CONDITION else None
        if found is None or found[2] < LEAST:
            return
        entries, _, count = found
        rows: list[Vector] = []
        for i in range(count):
            parts = [_row_of(entry, i) for entry in entries]
            registers = tuple([self._element(vector.op, parts, k) or -1 for k in range(len(vector))])
            known, _ = self.elements.get(registers[0], (None, 0))
            rows.append(known if known and known.registers == registers else Vector(vector.op, tuple(parts), registers))
        everything = [x for row in rows for x in row.registers]
        is_whole = -1 not in everything and len({*everything}) == len(everything)
        new = [row for row in rows if is_whole and row.registers[0] not in self.elements]
        if (
            is_whole
            and {len(self._users[x]) + self._returns[x] for x in everything} == {1}
            and self._are_free([x for row in new for x in row.registers])
            and not any(row in self.rows for row in rows)
        ):
            for row in new:
                self._keep(row)
            self._keep_grid(Grid(vector.op, tuple(entries), tuple(rows)))

    def _folds(self, fold: Fold) -> bool:
        """Find the folds of all rows of a grid, given that of one."""
        parts: tuple[Vector | int, ...] = (*fold.before, *fold.terms, *fold.after)
        found = self._entries(parts)
        if found is None or not any(isinstance(entry, Grid) for entry in found[0]):
            return False
        entries, here, count = found
        registers = []
        for i in range(count):
            row = [_row_of(entry, i) for entry in entries]
            runs = [(x,) if isinstance(x, int) else x.registers[:: -1 if fold.is_descending else 1] for x in row]
            registers.append(self._known.get((fold.op, tuple([x for run in runs for x in run]), None), -1))
        is_whole = len({*registers}) == count and -1 not in registers and registers[here] == fold.register
        if not is_whole or not self._are_free(registers):
            return False
        first, last = len(fold.before), len(fold.before) + len(fold.terms)
        self._keep(Folds(fold.op, (), tuple(registers), ("", 0, 1), tuple(entries[first:last]), tuple(entries[:first]),
                         tuple(entries[last:]), False, fold.is_descending))  # fmt: skip
        return True

    def _by_column(self, vector: Vector) -> Folds | None:
        """A vector of sums as the folds of the columns of a grid, if its rows are added up in order."""
        for start, part in enumerate(vector.operands) if vector.op in ("sum", "maximum", "minimum") else ():
            grid, _ = self.rows.get(part, (None, 0)) if isinstance(part, Vector) else (None, 0)
            if grid is not None:
                end = start + len(grid.rows)
                run, others = vector.operands[start:end], (*vector.operands[:start], *vector.operands[end:])
                known = tuple([x for x in others if x is not None])
                if run not in (grid.rows, grid.rows[::-1]) or len(known) < len(others):
                    return None
                return Folds(vector.op, (), vector.registers, vector.array, (grid,), known[:start], known[start:], True,
                             run != grid.rows)  # fmt: skip
        return None

    # -- folds ---------------------------------------------------------------------------------------------------------

    def _element(self, op: str, parts: Sequence[Vector | int | None], i: int) -> int | None:
        """The register that holds an operation of elements with one index."""
        operands = []
        for part in parts:
            x = self._constant(float(i)) if part is None else part if isinstance(part, int) else part.registers[i]
            if x is None:
                return None
            operands.append(x)
        return self._known.get((op, tuple(operands), None))

    def _constant(self, number: float) -> int | None:
        return self._known.get((CONSTANT, (), repr(number)))

    def _run(self, operands: Sequence[int]) -> tuple[Vector, int, int, bool] | None:
        """The first run of all elements of a vector, in order: the vector, start, end, and whether it descends."""
        for start, x in enumerate(operands):
            vector, _ = self.elements.get(x, (None, 0))
            if vector is not None:
                end = start + len(vector)
                if tuple(operands[start:end]) == vector.registers:
                    return vector, start, end, False
                if tuple(operands[start:end]) == vector.registers[::-1]:
                    return vector, start, end, True
        return None

    def _fold(self, register: int, op: str, operands: tuple[int, ...]) -> Fold | None:
        if op == "dot":
            half = len(operands) // 2
            a, b = self._run(operands[:half]), self._run(operands[half:])
            if a is None or b is None or (a[1:], len(a[0])) != (b[1:], half):
                return None
            return Fold(op, register, (a[0], b[0]), (), (), a[3])
        if op in ("sum", "maximum", "minimum") and (run := self._run(operands)) is not None:
            vector, start, end, is_descending = run
            return Fold(op, register, (vector,), operands[:start], operands[end:], is_descending)
        return None

    def _take(self, operands: tuple[int, ...]) -> None:
        """Recognize the index of the largest element: k = where(x[i] > largest, i, k), with its largest."""
        index, *xs = operands
        vector, _ = self.elements.get(xs[0], (None, 0))
        if vector is None and len({*xs}) == len(xs) >= LEAST and not any(x in self.elements for x in xs):
            vector = Vector(GATHERED, (), tuple(xs))
        if vector is None or tuple(xs) != vector.registers:
            return
        steps: list[int] = []
        k, largest = self._constant(0.0), xs[0]
        for i, x in enumerate(xs[1:], 1):
            condition = self._known.get((">", (x, largest), None))
            number = self._constant(float(i))
            if condition is None or number is None or k is None:
                return
            steps += [condition, k, largest]
            k = self._known.get(("where", (condition, number, k), None))
            largest = self._known.get(("where", (condition, x, largest), None), -1)
        if k != index:
            return
        inner = {x for x in steps if x != xs[0] and self.tape.instructions[x][0] != CONSTANT}
        if all(user in inner or user == index for x in inner for user in self._users[x]):
            self._inside |= inner
            self._keep(vector)
            self.folds[index] = Fold(LARGEST, index, (vector,))


def _row_of(entry: Entry, i: int) -> Vector | int:
    """What stands for an entry in a row."""
    match entry:
        case Grid():
            return entry.rows[i]
        case Down():
            return entry.vector.registers[i]
    return entry


def with_sums(tape: Tape) -> Tape:
    """The tape with chains of additions as sums: ((a + b) + c) + d is sum(a, b, c, d)."""
    uses = Counter(x for _, operands, _ in tape.instructions for x in operands)
    uses.update(tape.outputs)
    terms: dict[int, list[int]] = {}
    chains: set[int] = set()
    for register, (op, operands, _) in enumerate(tape.instructions):
        if op in ("add", "sum") and len(operands) > 1:
            first, *rest = operands
            if first not in terms and op == "add" and rest[0] in terms and uses[rest[0]] == 1:
                first, rest = rest[0], [first]  # the order of two operands does not matter, that of three does
            are_alike = any(tape.instructions[x][0] == "add" for x in rest)  # so the first may be an element, too
            is_chain = uses[first] == 1 and first in terms and (first in chains or not are_alike)
            terms[register] = terms.pop(first) if is_chain else [first]
            terms[register] += rest
            if is_chain or are_alike:
                chains.add(register)
    instructions = [
        ("sum", tuple(terms[i]), None) if len(terms.get(i, ())) > 2 else one for i, one in enumerate(tape.instructions)
    ]
    return Tape(tuple(instructions), tape.inputs, tape.outputs, tape.batched, tape.places)
