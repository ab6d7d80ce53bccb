"""The plan of a tape for NumPy: one call for all instructions of a level that do the same, on rows of a store.

One store has a column for each sample of a strip, the other one a single column for what all samples share. Rows of
registers that are not read any more are used again. Sums of products that share a half become matrix products, whose
last digits depend on BLAS. Not here: numbers (`arrays`). Read next: `compile.backends.arrays`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from autograd_mini.compile.tape import COMPARISONS, CONSTANT, INPUT, Tape

GATHER, MATRIX = "gather", "matrix"
_FREE = b"\1"
_MATRIX = 4  # from this many rows and columns on, sums of products become matrix products
_FEW = 4  # with this many times more terms than sums, the sums are accumulated together


class Factors(NamedTuple):
    """A sum of products of registers of the samples, and of registers that all samples share."""

    operands: tuple[int, ...]
    shared: tuple[int, ...]


class Outer(NamedTuple):
    """Results that are sums, over the samples, of a left times a right register: also a matrix product."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    results: list[tuple[int, int, int]]  # the position of a result, its row and its column


class Rows(NamedTuple):
    """Evenly spaced rows of a store: the store with a column for each sample, or the one for shared numbers."""

    is_batched: bool
    first: int
    size: int
    step: int = 1


class Step(NamedTuple):
    """A call of NumPy: an operation of the tape, or `GATHER` of rows at some indices, or `MATRIX` times rows."""

    op: str
    operands: tuple[Rows, ...]
    result: Rows
    registers: tuple[tuple[int, int], ...]  # the first and the last register of the result and of each operand
    indices: tuple[int, ...] = ()


class Group(NamedTuple):
    """Instructions that one call computes."""

    is_batched: bool
    op: str
    registers: list[int]


class Plan:
    """What is computed in which rows."""

    def __init__(
        self,
        tape: Tape,
        is_batched: Sequence[bool],  # whether each register has one number per sample
        kept: Collection[int],  # the registers that are read at the end
        factors: Mapping[int, Factors],  # the sums that become matrix products
    ) -> None:
        self._tape, self._is_batched, self._factors = tape, is_batched, factors
        self._reads = [operands for _, operands, _ in tape.instructions]
        for register, (operands, shared) in factors.items():
            self._reads[register] = operands + shared
        self.inputs: list[tuple[Rows, list[int]]] = []  # and the positions of the inputs in these rows
        self.constants: list[tuple[Rows, list[float]]] = []
        self.steps: tuple[list[Step], list[Step]] = [], []  # for shared numbers, and for each strip
        self._free = bytearray(), bytearray()  # a byte for each row
        self._rows: dict[int, int] = {}
        groups = self._groups(kept)
        for group, dead in zip(groups, self._last_reads(groups, kept), strict=True):
            self._place(group)
            for register in dead:
                self._free[group.is_batched][self._rows[register]] = 1

    @property
    def sizes(self) -> tuple[int, int]:
        """How many rows both stores have."""
        return len(self._free[False]), len(self._free[True])

    def _needed(self, kept: Collection[int]) -> list[int]:
        """The registers that the kept ones depend on, in the order of the tape."""
        needed = {*kept}
        for register in range(len(self._tape) - 1, -1, -1):
            if register in needed:
                needed.update(self._reads[register])
        return sorted(needed)

    def _groups(self, kept: Collection[int]) -> list[Group]:
        """The groups, each for one call, in an order in which they can be computed; shared registers come first.

        Shared registers of a level that do the same are a group. A strip is long, so that it would take longer to
        gather rows than to call NumPy once more: there the operands have to come from the same groups, too.
        """
        instructions = self._tape.instructions
        levels: dict[int, int] = {}
        origins: dict[int, Any] = {}  # where operands come from: the first register of a group, an array, a constant
        found: dict[Any, Group] = {}
        for register in self._needed(kept):
            (op, _, detail), reads = instructions[register], self._reads[register]
            is_batched, factors = self._is_batched[register], self._factors.get(register)
            levels[register] = level = 1 + max([levels[x] for x in reads], default=-1)
            key: tuple[Any, ...] = op, level, len(reads)
            if factors is not None:
                op, key = MATRIX, factors.operands
            elif is_batched:
                compares = op in COMPARISONS  # with any constants
                key = op, *[CONSTANT if compares and instructions[x][0] == CONSTANT else origins[x] for x in reads]
            group = found.setdefault((is_batched, key), Group(is_batched, op, []))
            group.registers.append(register)
            origins[register] = register if op == CONSTANT else group.registers[0]
            if op == INPUT:
                origins[register] = self._tape.inputs[int(str(detail))].partition("[")[0]
        given = INPUT, CONSTANT  # they are written before all steps, so their rows must not have been used by others
        return self._ordered(sorted(found.values(), key=lambda group: (group.is_batched, group.op not in given)))

    def _ordered(self, groups: list[Group]) -> list[Group]:
        """Groups after those that they read, and otherwise in their order."""
        home = {register: i for i, group in enumerate(groups) for register in group.registers}
        found: dict[int, Group] = {}
        for i in range(len(groups)):
            stack = [i]
            while stack:
                group = groups[stack[-1]]
                before = {home[x]: None for register in group.registers for x in self._reads[register]}
                missing = [x for x in before if x not in found]
                stack += reversed(missing)
                if not missing:
                    found[stack.pop()] = group
        return [*found.values()]

    def _last_reads(self, groups: Sequence[Group], kept: Collection[int]) -> list[list[int]]:
        """For each group the registers that nothing reads after it; shared ones may be read by every strip."""
        last: dict[int, int] = {}
        for i, group in enumerate(groups):
            for register in group.registers:
                for x in self._reads[register]:
                    last[x] = i if self._is_batched[x] == group.is_batched else -1
        for register in kept:
            last[register] = -1
        found: list[list[int]] = [[] for _ in groups]
        for register, i in last.items():
            if i >= 0 and self._tape.instructions[register][0] != CONSTANT:
                found[i].append(register)
        return found

    def _place(self, group: Group) -> None:
        """Find rows for a group, in the order of the rows that it reads, so that those need no gather."""
        is_batched, _, registers = group
        registers.sort(key=lambda register: [self._rows[x] for x in self._reads[register]])
        gathered = len(self.steps[is_batched])
        op, columns = self._columns(group)
        operands = tuple([self.select(column) for column in columns])
        result = self._allocate(is_batched, len(registers))
        self._rows |= zip(registers, range(result.first, result.first + result.size), strict=True)
        details = [self._tape.instructions[register][2] for register in registers]
        if op == INPUT:
            self.inputs.append((result, [int(str(x)) for x in details]))
        elif op == CONSTANT:
            self.constants.append((result, [float(str(x)) for x in details]))
        else:
            ends = tuple([(x[0], x[-1]) for x in (registers, *columns)])
            self.steps[is_batched].append(Step(op, operands, result, ends))
            for _, _, rows, _, _ in self.steps[is_batched][gathered:-1]:
                self._free[is_batched][rows.first : rows.first + rows.size] = _FREE * rows.size

    def _columns(self, group: Group) -> tuple[str, list[tuple[int, ...]]]:
        """The call, and for each place of an operand the registers there in all instructions."""
        is_batched, op, registers = group
        if op == MATRIX:
            both = [self._factors[register] for register in registers]
            return op, [tuple([x for one in both for x in one.shared]), both[0].operands]
        columns = [*zip(*[self._reads[register] for register in registers], strict=True)]
        if op in ("sum", "dot") and not is_batched and len(columns) > _FEW * len(registers):
            return f"long {op}", [tuple([x for column in columns for x in column])]
        return op, [column[:1] if len({*column}) == 1 else column for column in columns]

    def select(self, registers: Sequence[int]) -> Rows:
        """Rows with these registers in this order; they are gathered unless they are evenly spaced."""
        is_batched, rows = self._is_batched[registers[0]], [self._rows[x] for x in registers]
        step = rows[1] - rows[0] if len(rows) > 1 else 1
        if step and rows == [*range(rows[0], rows[0] + step * len(rows), step)]:
            return Rows(is_batched, rows[0], len(rows), step)
        result = self._allocate(is_batched, len(rows))
        ends = (registers[0], registers[-1])
        self.steps[is_batched].append(Step(GATHER, (), result, (ends, ends), tuple(rows)))
        return result

    def _allocate(self, is_batched: bool, size: int) -> Rows:
        """The first free rows that suffice, or new ones at the end."""
        free = self._free[is_batched]
        first = free.find(_FREE * size)
        if first < 0:
            first = len(free.rstrip(_FREE))
        free[first : first + size] = bytes(size)
        return Rows(is_batched, first, size)

    def lines(self, is_batched: bool) -> Iterator[str]:
        """The calls of NumPy, as text."""
        names = self._tape.names
        for op, _, result, registers, _ in self.steps[is_batched]:
            name, *operands = [names[a] if a == b else f"{names[a]} … {names[b]}" for a, b in registers]
            count = f" of {result.size}" if op in (GATHER, MATRIX) else ""
            yield f"{name} = {op}{count}({', '.join(operands)})"


# -- matrix products ---------------------------------------------------------------------------------------------------


def factors(tape: Tape, is_batched: Sequence[bool]) -> dict[int, Factors]:
    """The sums of products, as rows of a matrix of shared numbers times numbers of the samples."""
    rows: dict[tuple[int, ...], dict[int, Factors]] = {}  # by the half of the samples
    for register, (one, other) in _sums_of_products(tape, is_batched).items():
        for batched, shared in ((one, other), (other, one)):
            if all(is_batched[x] for x in batched) and not any(is_batched[x] for x in shared):
                rows.setdefault(batched, {})[register] = Factors(batched, shared)
    found: dict[int, Factors] = {}
    for batched, members in rows.items():
        if min(len(members), len(batched)) >= _MATRIX:
            found |= members
    return found


def _sums_of_products(tape: Tape, is_batched: Sequence[bool]) -> dict[int, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Both halves of each `dot`, and of each chain of additions of products that nothing else uses."""
    uses = [0] * len(tape)
    for x in (*tape.outputs, *[x for _, operands, _ in tape.instructions for x in operands]):
        uses[x] += 1
    found: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    chains: dict[int, list[int]] = {}  # by the last addition
    for register, (op, operands, _) in enumerate(tape.instructions):
        if op == "dot":
            half = len(operands) // 2
            found[register] = operands[:half], operands[half:]
        elif op == "add" and is_batched[register]:
            first, last = operands
            if tape.instructions[last][0] == "mul" and uses[first] == uses[last] == 1:
                begun = [first] if tape.instructions[first][0] == "mul" else None
                chain = chains.pop(first, begun)
                if chain is not None:
                    chains[register] = [*chain, last]
    for register, terms in chains.items():
        factors = [tape.instructions[term][1] for term in terms]
        sides = [(a, b) if is_batched[a] else (b, a) for a, b in factors]
        found[register] = tuple([a for a, _ in sides]), tuple([b for _, b in sides])
    return found


def outer_products(tape: Tape, is_batched: Sequence[bool]) -> list[Outer]:
    """The groups of results that are connected by common factors, if most products in their matrix are results."""
    pairs: list[tuple[int, int, int]] = []
    for position, output in enumerate(tape.outputs):
        op, operands, _ = tape.instructions[output]
        if op == "mul" and all(is_batched[x] for x in operands):
            a, b = operands
            pairs.append((position, a, b))
    groups: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for _, a, b in pairs:  # join the groups of both factors
        joined = groups.get(("left", a), {("left", a)}) | groups.get(("right", b), {("right", b)})
        groups |= dict.fromkeys(joined, joined)
    found = []
    for group in {id(group): group for group in groups.values()}.values():
        members = [pair for pair in pairs if ("left", pair[1]) in group]
        left, right = (tuple(dict.fromkeys([pair[side] for pair in members])) for side in (1, 2))
        rows, columns = ({x: i for i, x in enumerate(side)} for side in (left, right))
        entries = [(position, rows[a], columns[b]) for position, a, b in members]
        if min(len(left), len(right)) >= _MATRIX and 2 * len(entries) >= len(left) * len(right):
            found.append(Outer(left, right, entries))
    return found
