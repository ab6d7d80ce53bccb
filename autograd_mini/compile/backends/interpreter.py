"""The interpreter: runs a tape on Python's floats, one instruction after the other. The reference for all others.

It needs the standard library alone. Not here: batches (`arrays`). Read next: `compile.backends.operations`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograd_mini.compile.backends import check_total, flat
from autograd_mini.compile.tape import CONSTANT, INPUT, Tape
from autograd_mini.core import ieee
from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import RELATE

OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: row.function for name, row in TABLE.items()},
    **RELATE,
    "~": operator.not_,  # of a bool
}
check_total("interpreter", OPERATIONS)


class Program:
    """A tape, ready to run on floats; a batch runs sample by sample, and may be reduced to its "sum" or "mean"."""

    def __init__(self, tape: Tape, reduce: str | None = None) -> None:
        self.tape = tape
        self._reduce = reduce
        instructions = tape.instructions
        self._start: list[Any] = [float(str(x)) if op == CONSTANT else None for op, _, x in instructions]
        self._inputs = [(register, int(str(x))) for register, (op, _, x) in enumerate(instructions) if op == INPUT]
        self._steps = [(i, OPERATIONS[op], operands) for i, (op, operands, _) in enumerate(instructions) if operands]

    def __call__(self, parts: Sequence[Any], samples: int | None = None) -> list[Any]:
        """The results: a float each, or one per sample in a list.

        Args:
            parts: the inputs in order: a float, or several of them; for batched ones a sequence with a row for each.
            samples: the size of the batch.
        """
        numbers = flat(parts)
        if samples is None:
            return self._run(numbers)
        batched = self.tape.batched
        rows = [
            self._run([float(x[i]) if many else x for x, many in zip(numbers, batched, strict=True)])
            for i in range(samples)
        ]
        columns = [[row[k] for row in rows] for k in range(len(self.tape.outputs))]
        if self._reduce is None:
            return columns
        return [
            ieee.divide(ieee.total(*column), float(samples) if self._reduce == "mean" else 1.0) for column in columns
        ]

    def _registers(self, numbers: Sequence[float]) -> list[Any]:
        registers = self._start.copy()
        for register, position in self._inputs:
            registers[register] = numbers[position]
        for register, function, operands in self._steps:
            registers[register] = function(*[registers[x] for x in operands])
        return registers

    def _run(self, numbers: Sequence[float]) -> list[float]:
        registers = self._registers(numbers)
        return [registers[output] for output in self.tape.outputs]

    def steps(self, numbers: Sequence[float]) -> Iterator[tuple[int, Any]]:
        """Run one sample, and yield each register with its number or truth value."""
        return enumerate(self._registers(numbers))

    def text(self) -> str:
        """What it runs: the tape itself."""
        return str(self.tape)
