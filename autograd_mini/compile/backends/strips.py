"""A batch on NumPy: a strip of samples after the other, one call for each instruction.

Sums of products that share a half become matrix products: `dot`, chains of contributions to an adjoint, and results
that are sums of products over the samples. Not here: what all samples share. Read next: `compile.backends.arrays`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_mini.compile.backends.operations import OPERATIONS, Array
from autograd_mini.compile.tape import INPUT, Tape

_STRIP = 1 << 18  # numbers that all registers alive hold for a strip: 2 MB, which stays in the cache
_MATRIX = 4  # from this many rows and columns on, BLAS computes sums of products, in an order of its own


class Product(NamedTuple):
    """Sums of products that share a half: a matrix of shared numbers times one of samples."""

    results: tuple[int, ...]
    matrix: tuple[tuple[int, ...], ...]  # shared registers, a row for each result
    operands: tuple[int, ...]  # batched registers


class Outer(NamedTuple):
    """Results that are sums over the samples of a left times a right register: a matrix product as well."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    results: list[tuple[int, int, int]]  # the position of a result, its row and its column


class Call(NamedTuple):
    """A call of NumPy for one instruction."""

    op: str
    results: tuple[int, ...]
    operands: tuple[int, ...]


class Strips:
    """The plan for a batch.

    Args:
        tape: the tape.
        is_batched: whether each register has one number per sample.
        reduce: "sum" or "mean" over the samples, or None.

    Attributes:
        shared: the registers that it reads and does not compute.
    """

    def __init__(self, tape: Tape, is_batched: Sequence[bool], reduce: str | None) -> None:
        self._tape, self._reduce = tape, reduce
        self._outer = _outer_products(tape, is_batched) if reduce is not None else []
        inside = {position for outer in self._outer for position, _, _ in outer.results}
        self._rest = [(i, output) for i, output in enumerate(tape.outputs) if i not in inside]
        kept = {x for outer in self._outer for x in (*outer.left, *outer.right)} | {x for _, x in self._rest}
        self._products = _products(tape, is_batched)
        steps = self._needed(is_batched, kept)
        last = {x: place for place, step in enumerate(steps) for x in step.operands}
        dead: list[list[int]] = [[] for _ in steps]
        for register, place in last.items():
            if is_batched[register] and register not in kept:
                dead[place].append(register)
        functions: list[Callable[..., Array] | None] = [OPERATIONS.get(getattr(step, "op", "")) for step in steps]
        self._steps = [*zip(functions, steps, dead, strict=True)]
        read = kept | {x for step in steps for x in step.operands}
        self._inputs = [
            (register, int(str(detail)))
            for register, (op, _, detail) in enumerate(tape.instructions)
            if op == INPUT and is_batched[register] and register in read
        ]
        read |= {x for step in steps if isinstance(step, Product) for row in step.matrix for x in row}
        self.shared = sorted(x for x in read if not is_batched[x])
        alive = most = 1
        for _, step, gone in self._steps:
            alive += len(step.results)
            most, alive = max(most, alive), alive - len(gone)
        self._strip = max(256, min(8192, _STRIP // most))

    def _needed(self, is_batched: Sequence[bool], kept: set[int]) -> list[Call | Product]:
        """The steps that lead to some registers, in order; a matrix product stands at the first of its results."""
        steps: dict[int, Call | Product] = {}
        needed = set(kept)
        for register in range(len(self._tape) - 1, -1, -1):
            op, operands, _ = self._tape.instructions[register]
            if register in needed and is_batched[register] and op != INPUT:
                step = self._products.get(register) or Call(op, (register,), operands)
                steps[step.results[0]] = step
                needed.update(step.operands)
        return [steps[register] for register in sorted(steps)]

    def run(self, numbers: Sequence[Any], samples: int, shared: dict[int, Any]) -> list[Any]:
        """The results for a batch, given the shared registers."""
        registers: list[Any] = [None] * len(self._tape)
        for register, number in shared.items():
            registers[register] = number
        matrices = {
            product.results: np.array([[shared[x] for x in row] for row in product.matrix])
            for product in dict.fromkeys(self._products.values())
        }
        count = len(self._tape.outputs)
        results = np.zeros((count, samples)) if self._reduce is None else np.zeros(count)
        totals: list[Array] = [0.0 for _ in self._outer]
        total: Array | None = None
        pieces = max(1, -(-samples // self._strip))  # of nearly the same size
        stacks: dict[tuple[int, ...], Array] = {}

        def stacked(rows: tuple[int, ...]) -> Array:
            if rows not in stacks:
                stacks[rows] = np.array([registers[x] for x in rows])
            return stacks[rows]

        for start, stop in ((samples * i // pieces, samples * (i + 1) // pieces) for i in range(pieces)):
            stacks.clear()
            for register, position in self._inputs:
                registers[register] = np.ascontiguousarray(numbers[position][start:stop], float)
            for function, step, gone in self._steps:
                if function is not None:
                    registers[step.results[0]] = function(*[registers[x] for x in step.operands])
                else:
                    rows = matrices[step.results] @ stacked(step.operands)
                    for register, row in zip(step.results, rows, strict=True):
                        registers[register] = row
                for register in gone:
                    registers[register] = None
            for i, (left, right, _) in enumerate(self._outer):
                totals[i] = totals[i] + stacked(left) @ stacked(right).T
            rows = np.empty((len(self._rest), stop - start))
            for row, (_, output) in zip(rows, self._rest, strict=True):
                row[:] = registers[output]
            if self._reduce is None:
                results[:, start:stop] = rows
            elif stop > start:
                total = _continued(total, rows)
        if self._reduce is None:
            return list(results)
        if total is not None:
            results[[i for i, _ in self._rest]] = total
        for matrix, (_, _, entries) in zip(totals, self._outer, strict=True):
            for position, row, column in entries:
                results[position] = matrix[row, column] if samples else 0.0
        found: list[Any] = (results / samples if self._reduce == "mean" else results).tolist()
        return found

    def lines(self) -> list[str]:
        """The calls of NumPy, as text."""
        names = self._tape.names
        found = [f"for each strip of at most {self._strip} samples:"]
        for _, step, _ in self._steps:
            if isinstance(step, Product):
                rows, columns = len(step.matrix), len(step.operands)
                last = f" … {names[step.results[-1]]}"
                found.append(f"    {names[step.results[0]]}{last} = matrix of {rows} × {columns} @ {columns} registers")
            else:
                operands = ", ".join([names[x] for x in step.operands])
                found.append(f"    {names[step.results[0]]} = {step.op}({operands})")
        return found + [f"    {len(left)} × {len(right)} sums of products" for left, right, _ in self._outer]


def _products(tape: Tape, is_batched: Sequence[bool]) -> dict[int, Product]:
    """The matrix product that each register is a result of, if any."""
    rows: dict[tuple[int, ...], dict[int, tuple[int, ...]]] = {}  # by the batched half: results, and shared halves
    for register, (one, other) in _sums_of_products(tape, is_batched).items():
        for batched, shared in ((one, other), (other, one)):
            if all(is_batched[x] for x in batched) and not any(is_batched[x] for x in shared):
                rows.setdefault(batched, {})[register] = shared
    found: dict[int, Product] = {}
    for batched, members in rows.items():
        if min(len(members), len(batched)) >= _MATRIX:
            product = Product(tuple(members), tuple(members.values()), batched)
            found |= dict.fromkeys(members, product)
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


def _outer_products(tape: Tape, is_batched: Sequence[bool]) -> list[Outer]:
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


def _continued(total: Array | None, rows: Array) -> Array:
    """A sum over samples, continued from left to right."""
    if total is not None:
        rows = np.concatenate([total[:, None], rows], axis=1)
    return np.add.accumulate(rows, axis=1)[:, -1]
