"""The numbers of a plan: its stores, and calls of NumPy with their operands, made ready for one run at a time.

Not here: what the calls compute (`operations`). Read next: `compile.backends.products`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_mini.compile.backends.levels import GATHER, MATRIX, Plan, Rows, Step
from autograd_mini.compile.backends.operations import OPERATIONS, Array
from autograd_mini.compile.tape import CONDITION, JOINS, kind_of


class Workspace:
    """The numbers of a plan, and its calls.

    Args:
        plan: the plan.
        width: the number of samples in a strip.
    """

    def __init__(self, plan: Plan, width: int) -> None:
        self.width = width
        self._stores: tuple[Array, Array] = np.empty(plan.sizes[False]), np.empty((plan.sizes[True], width))
        self._views: dict[Any, Array] = {}
        for rows, numbers in plan.constants:
            self.view(rows)[:] = numbers
        self._calls = [[self._call(step) for step in steps] for steps in plan.steps]

    def view(self, rows: Rows, kind: type = float) -> Array:
        """The numbers in some rows; conditions are integers in which all bits are set, or none."""
        if (rows, kind) not in self._views:
            is_batched, first, size, step = rows
            stop = first + size * step
            store = self._stores[is_batched].view(kind)
            self._views[rows, kind] = store[first : stop if stop >= 0 else None : step]
        return self._views[rows, kind]

    def _call(self, step: Step) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """A function, and its operands; the last one is the array for the result."""
        op, operands, result, _, indices = step
        if op == GATHER:
            store = self._stores[result.is_batched]
            return store.take, (np.array(indices), 0, self.view(result), "clip")  # other modes need another array
        if op == MATRIX:
            matrix, factors = map(self.view, operands)
            return np.matmul, (matrix.reshape(result.size, -1), factors, self.view(result))
        kind = np.int64 if op == "where" or op in JOINS else float
        made = self.view(result, np.int64 if kind_of(op) == CONDITION else kind)
        return OPERATIONS[op], (*[self._operand(rows, result, kind) for rows in operands], made)

    def _operand(self, rows: Rows, result: Rows, kind: type) -> Array:
        """A number for all is an array without dimensions, with which NumPy is fastest."""
        operand = self.view(rows, kind)
        if rows.is_batched or (rows.size == result.size and not result.is_batched):
            return operand
        if rows.size == 1:
            return operand.reshape(())
        return operand[:, None] if result.is_batched else operand

    def run(self, is_batched: bool) -> None:
        """Compute what all samples share, or what a strip has for each sample."""
        for function, operands in self._calls[is_batched]:
            function(*operands)
