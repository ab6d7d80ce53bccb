"""Rolling: what a tape does with each element of a list in the same way becomes one vector, to be written as a loop.

Nothing is computed in another order, so no bit changes.
Not here: the order of loops (`ordering`). Read next: `compile.languages.ordering`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from autograd_mini.compile.tape import CONSTANT, INPUT, Instruction, Tape

LEAST = 3  # elements that make a loop
GATHERED = "gathered"


@dataclass(frozen=True, eq=False)
class Vector:
    """Registers that hold the elements of a list.

    Attributes:
        op: the operation that computes each element; `INPUT` for an array that is given; `GATHERED` for one that is
            filled with the registers themselves.
        operands: for each operand the vector whose element it is, the register that all share, or None for the index.
        registers: one for each element.
        array: the name of a given array, where in it the elements start, and how far they are apart.
    """

    op: str
    operands: tuple[Vector | int | None, ...]
    registers: tuple[int, ...]
    array: tuple[str, int, int] = ("", 0, 1)

    def __len__(self) -> int:
        return len(self.registers)


@dataclass(frozen=True, eq=False)
class Fold:
    """A register that joins numbers from left to right: before, then the elements of vectors, then after.

    Attributes:
        op: "sum", "dot", "maximum", "minimum"; or "largest" for the index of the first of the largest elements.
        register: what holds the result.
        vectors: one, or two for "dot".
        before: registers that come first.
        after: registers that come last.
        is_descending: whether the last element comes first.
    """

    op: str
    register: int
    vectors: tuple[Vector, ...]
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    is_descending: bool = False


class Rolled:
    """A tape with its vectors and folds.

    Args:
        tape: lowered.
        arrays: the inputs that are given as rows or columns of arrays: where they are, and their registers.

    Attributes:
        tape: with chains of additions as sums.
        elements: for the register of each element its vector and index.
        folds: by register.
        inside: registers that a fold computes on its way.
    """

    def __init__(self, tape: Tape, arrays: Iterable[tuple[tuple[str, int, int], tuple[int, ...]]]) -> None:
        self.tape = with_sums(tape)
        self.elements: dict[int, tuple[Vector, int]] = {}
        self.folds: dict[int, Fold] = {}
        self.inside: set[int] = set()
        self._known: dict[Instruction, int] = {one: i for i, one in enumerate(self.tape.instructions)}
        self._users: list[list[int]] = [[] for _ in self.tape.instructions]
        for i, (_, operands, _) in enumerate(self.tape.instructions):
            for x in operands:
                self._users[x].append(i)
        for array, registers in arrays:
            if len(registers) >= LEAST:
                self._keep(Vector(INPUT, (), registers, array))
        self._lengths = sorted({len(vector) for vector, _ in self.elements.values()}, reverse=True)
        for register, (op, operands, _) in enumerate(self.tape.instructions):
            if op == "take":
                self._take(operands)
            if register not in self.elements and register not in self.inside and operands:
                fold = self._fold(register, op, operands)
                if fold is not None:
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
                    if not any(x in self.elements or x in self.folds or x in self.inside for x in found):
                        self._keep(Vector(op, parts, found))
                        return

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
            self.inside |= inner
            self._keep(vector)
            self.folds[index] = Fold("largest", index, (vector,))


def with_sums(tape: Tape) -> Tape:
    """The tape with chains of additions as sums: ((a + b) + c) + d is sum(a, b, c, d)."""
    uses = Counter(x for _, operands, _ in tape.instructions for x in operands)
    uses.update(tape.outputs)
    terms: dict[int, tuple[int, ...]] = {}
    chains: set[int] = set()
    for register, (op, operands, _) in enumerate(tape.instructions):
        if op in ("add", "sum") and len(operands) > 1:
            first, *rest = operands
            if first not in terms and op == "add" and rest[0] in terms and uses[rest[0]] == 1:
                first, rest = rest[0], [first]  # the order of two operands does not matter, that of three does
            are_alike = any(tape.instructions[x][0] == "add" for x in rest)  # so the first may be an element, too
            is_chain = uses[first] == 1 and first in terms and (first in chains or not are_alike)
            terms[register] = (*terms[first], *rest) if is_chain else (first, *rest)
            if is_chain or are_alike:
                chains.add(register)
    instructions = [
        ("sum", terms[i], None) if len(terms.get(i, ())) > 2 else one for i, one in enumerate(tape.instructions)
    ]
    return Tape(tuple(instructions), tape.inputs, tape.outputs, tape.batched, tape.places)
