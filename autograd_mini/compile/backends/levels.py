"""One sample on NumPy: one call for all instructions of a level that do the same.

Not here: batches (`strips`). Read next: `compile.backends.strips`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_mini.compile.backends.operations import OPERATIONS, Array
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, NUMBER, Tape, kind_of

_FEW = 4  # sums of so many times more terms than there are sums are accumulated at once


class Levels:
    """Instructions that share no results, level by level: one call of NumPy for all that do the same.

    Args:
        tape: the tape.
        registers: those to compute, in order; their operands are among them.
    """

    def __init__(self, tape: Tape, registers: Sequence[int]) -> None:
        self._tape = tape
        self._rows: dict[int, int] = {}  # of each register, in the store of its kind
        self._sizes = {NUMBER: 0, CONDITION: 0}
        self._constants: list[tuple[int, float]] = []
        self._inputs: tuple[slice, list[int]] | None = None  # the rows, and the positions among the numbers
        self._steps: list[tuple[str, list[tuple[str, Any]], slice]] = []
        groups: dict[Any, list[int]] = {}
        levels: dict[int, int] = {}
        for register in registers:
            op, operands, _ = tape.instructions[register]
            levels[register] = level = 1 + max([levels[x] for x in operands], default=-1)
            groups.setdefault((level, op, len(operands)), []).append(register)
        for (_, op, _), members in sorted(groups.items(), key=lambda item: item[0][0]):
            kind = kind_of(op)
            first = self._sizes[kind]
            self._sizes[kind] += len(members)
            self._rows |= zip(members, range(first, self._sizes[kind]), strict=True)
            instructions = [tape.instructions[register] for register in members]
            if op == CONSTANT:
                self._constants += [(row, float(str(x))) for row, (_, _, x) in enumerate(instructions, first)]
            elif op == INPUT:
                self._inputs = slice(first, first + len(members)), [int(str(x)) for _, _, x in instructions]
            else:
                columns = zip(*[operands for _, operands, _ in instructions], strict=True)
                reads = [*map(self._operand, columns)]
                self._steps.append((op, reads, slice(first, self._sizes[kind])))

    def _operand(self, registers: tuple[int, ...]) -> tuple[str, Any]:
        """Where an operand of several instructions lies: the kind of store, and a slice or an array of rows."""
        rows = [self._rows[x] for x in registers]
        stop = rows[0] + len(rows)
        is_slice = rows == [*range(rows[0], stop)]
        return self._kind(registers[0]), slice(rows[0], stop) if is_slice else np.array(rows)

    def _kind(self, register: int) -> str:
        return kind_of(self._tape.instructions[register][0])

    def run(self, numbers: Sequence[Any], wanted: list[tuple[str, Array]]) -> list[Any]:
        """Compute all, and return the numbers and conditions at some `places`."""
        stores = {NUMBER: np.empty(self._sizes[NUMBER]), CONDITION: np.empty(self._sizes[CONDITION], bool)}
        for row, number in self._constants:
            stores[NUMBER][row] = number
        if self._inputs:
            rows, positions = self._inputs
            stores[NUMBER][rows] = [numbers[position] for position in positions]
        for op, operands, rows in self._steps:
            kind = kind_of(op)
            inputs = [stores[of][selected] for of, selected in operands]
            if op in ("sum", "dot") and len(inputs) > _FEW * len(inputs[0]):
                stores[kind][rows] = _long_sum(op, np.array(inputs))
            else:
                stores[kind][rows] = OPERATIONS[op](*inputs)
        return [x for kind, rows in wanted for x in stores[kind][rows].tolist()]

    def places(self, registers: Sequence[int]) -> list[tuple[str, Array]]:
        """Where registers lie: the kind of store and the rows, of all neighbours of one kind together."""
        runs = itertools.groupby(registers, self._kind)
        return [(kind, np.array([self._rows[register] for register in run])) for kind, run in runs]

    def lines(self) -> list[str]:
        """The steps, one call of NumPy each."""
        names = {NUMBER: "x", CONDITION: "c"}
        return [
            f"{names[kind_of(op)]}[{rows.start}:{rows.stop}] = {op}("
            + ", ".join([f"{names[kind]}[{_shown(selected)}]" for kind, selected in operands])
            + ")"
            for op, operands, rows in self._steps
        ]


def _long_sum(op: str, inputs: Array) -> Array:
    """Sums of many terms, from left to right."""
    if op == "dot":
        half = len(inputs) // 2
        inputs = inputs[:half] * inputs[half:]
    return np.add.accumulate(inputs, axis=0)[-1]


def _shown(selected: Any) -> str:
    return f"{selected.start}:{selected.stop}" if isinstance(selected, slice) else f"{len(selected)} rows"
