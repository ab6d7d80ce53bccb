"""The interpreter: runs a tape on Python's floats, one instruction after the other. The reference for all others.

It needs the standard library alone. Not here: batches (`arrays`). Read next: `compile.backends.arrays`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograd_mini.compile.tape import CONSTANT, INPUT, Tape
from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import RELATE

OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: row.function for name, row in TABLE.items()},
    **RELATE,
    "~": operator.not_,  # of a bool
}


def steps(tape: Tape, numbers: Sequence[float]) -> Iterator[tuple[int, Any]]:
    """Run a tape, and yield each register with its number or its truth value."""
    registers: list[Any] = []
    for register, (op, operands, detail) in enumerate(tape.instructions):
        if op == INPUT:
            result = numbers[detail]  # type: ignore[index]  # of an input, it is a position
        elif op == CONSTANT:
            result = float(detail)  # type: ignore[arg-type]  # of a constant, it is a text
        else:
            result = OPERATIONS[op](*[registers[x] for x in operands])
        registers.append(result)
        yield register, result


class Program:
    """A tape, ready to run on floats."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._start: list[Any] = [float(x) if op == CONSTANT else None for op, _, x in tape.instructions]  # type: ignore[arg-type]
        self._inputs = [(i, x) for i, (op, _, x) in enumerate(tape.instructions) if op == INPUT]
        self._steps = [
            (i, OPERATIONS[op], operands) for i, (op, operands, _) in enumerate(tape.instructions) if operands
        ]

    def __call__(self, numbers: Sequence[float]) -> list[float]:
        """The results for one number per input."""
        registers = self._start.copy()
        for register, position in self._inputs:
            registers[register] = numbers[position]  # type: ignore[index]
        for register, function, operands in self._steps:
            registers[register] = function(*[registers[x] for x in operands])
        return [registers[output] for output in self.tape.outputs]
