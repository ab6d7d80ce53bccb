"""The NumPy backend: numbers that all samples share are computed once, the rest in strips of samples.

Sums run from left to right, those over the samples too; matrix products run in the order of BLAS.
Not here: scalars (`interpreter`). Read next: `compile.arguments`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autograd_mini.compile.backends import batched_registers
from autograd_mini.compile.backends.levels import GATHER, MATRIX, Plan, Rows, Step, factors, outer_products
from autograd_mini.compile.backends.operations import EXPANDED, OPERATIONS, Array
from autograd_mini.compile.expansions import expanded
from autograd_mini.compile.passes import optimized
from autograd_mini.compile.tape import CONDITION, JOINS, Tape, kind_of

_STRIP = 1 << 18  # numbers in the store for a strip: 2 MB, which stays in the cache
_WIDEST, _NARROWEST = 8192, 256  # samples in a strip
_KEPT = 1 << 23  # numbers in the stores that are kept for the next call: 64 MB


class Workspace:
    """The numbers of a plan, and its calls; a strip has as many samples as the width."""

    def __init__(self, plan: Plan, width: int) -> None:
        self.width = width
        self._stores: tuple[Array, Array] = np.empty(plan.sizes[False]), np.empty((plan.sizes[True], width))
        self.size = sum([store.size for store in self._stores])
        self._views: dict[Any, Array] = {}
        for rows, numbers in plan.constants:
            self.view(rows)[:] = numbers
        self._calls = [[self._call(step) for step in steps] for steps in plan.steps]

    def view(self, rows: Rows, kind: type = float) -> Array:
        """The numbers in some rows; conditions are integers in which either all bits are set or none."""
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
        """A number that all rows share becomes an array without dimensions, with which NumPy is fastest."""
        operand = self.view(rows, kind)
        if rows.is_batched or (rows.size == result.size and not result.is_batched):
            return operand
        if rows.size == 1:
            return operand.reshape(())
        return operand[:, None] if result.is_batched else operand

    def run(self, is_batched: bool) -> None:
        """Compute the numbers that all samples share, or those of each sample in a strip."""
        for function, operands in self._calls[is_batched]:
            function(*operands)


class Program:
    """A tape, ready to run; the results of the samples may be reduced to their "sum" or "mean"."""

    def __init__(self, tape: Tape, reduce: str | None = None) -> None:
        self._reduce = reduce
        simpler = expanded(tape, EXPANDED)
        self._tape = tape if simpler is tape else optimized(simpler)[0]
        is_batched, outputs = batched_registers(self._tape), self._tape.outputs
        self._outer = outer_products(self._tape, is_batched) if reduce is not None else []
        inside = {position for outer in self._outer for position, _, _ in outer.results}
        self._rest = [i for i in range(len(outputs)) if i not in inside]
        kept = {x for outer in self._outer for x in (*outer.left, *outer.right)} | {outputs[i] for i in self._rest}
        self._plan = plan = Plan(self._tape, is_batched, kept, factors(self._tape, is_batched))
        self._sides = [(plan.select(left), plan.select(right)) for left, right, _ in self._outer]
        self._entries = [np.array(results).T for _, _, results in self._outer]
        self._single = None if any(self._tape.batched) or not outputs else plan.select(outputs)
        self._rows = [plan.select([outputs[i]]) for i in self._rest]
        self._width = max(_NARROWEST, min(_WIDEST, _STRIP // max(1, plan.sizes[True])))
        self._idle: list[Workspace] = []  # of an earlier call

    def __call__(self, parts: Sequence[Any], samples: int | None = None) -> Any:
        """The results: a float each, or an array of one per sample.

        Args:
            parts: the inputs in order: a float, or several of them; for batched ones an array with a row for each.
            samples: the size of the batch.
        """
        if samples == 0:
            empty = np.empty(0) if self._reduce is None else 0.0 if self._reduce == "sum" else math.nan
            return [empty] * len(self._tape.outputs)
        count = samples or 1
        pieces = -(-count // self._width)  # of nearly the same size
        work = self._workspace(-(-count // pieces))
        with np.errstate(all="ignore"):
            inputs = [*self._loaded(parts, work)]
            work.run(False)
            if samples is None:
                found = np.empty(0) if self._single is None else work.view(self._single).copy()
            elif self._reduce is None:
                found = self._each(work, inputs, samples)
            else:
                found = self._summed(work, inputs, samples)
        if work.size <= _KEPT:
            self._idle[:] = [work]
        return found

    def _workspace(self, width: int) -> Workspace:
        """The workspace of an earlier call, unless another thread has it, or it is for strips of another width."""
        try:
            work = self._idle.pop()
        except IndexError:
            return Workspace(self._plan, width)
        return work if work.width == width else Workspace(self._plan, width)

    def _loaded(self, parts: Sequence[Any], work: Workspace) -> Iterator[tuple[Array, Array]]:
        """Write the inputs that all samples share; yield the rows for the others, and the numbers for them."""
        first = 0
        for part in parts:
            numbers = [part] if isinstance(part, float) else part
            stop = first + len(numbers)
            for rows, positions in self._plan.inputs:
                start, end = bisect_left(positions, first), bisect_left(positions, stop)
                if start < end:
                    if end - start < len(numbers):
                        numbers = np.asarray(numbers)[[position - first for position in positions[start:end]]]
                    target = work.view(rows)[start:end]
                    if rows.is_batched:
                        yield target, np.asarray(numbers)
                    else:
                        target[:] = numbers
            first = stop

    def _strips(self, work: Workspace, inputs: list[tuple[Array, Array]], samples: int) -> Iterator[tuple[int, int]]:
        """Compute strip after strip; yield where each starts, and how many of its samples were in the one before."""
        for begin in range(0, samples, work.width):
            start = min(begin, samples - work.width)
            for target, numbers in inputs:
                target[:] = numbers[:, start : start + work.width]
            work.run(True)
            yield start, begin - start

    def _each(self, work: Workspace, inputs: list[tuple[Array, Array]], samples: int) -> Array:
        """The results of each sample."""
        rows = [work.view(rows)[0] for rows in self._rows]
        results = np.empty((len(rows), samples))
        for start, _ in self._strips(work, inputs, samples):
            for result, row in zip(results, rows, strict=True):
                result[start : start + work.width] = row
        return results

    def _summed(self, work: Workspace, inputs: list[tuple[Array, Array]], samples: int) -> Array:
        """The sums of the results, or their means."""
        rows = [work.view(rows)[0] for rows in self._rows]
        products: list[Array] = [0.0] * len(self._outer)
        sums = np.empty((len(rows), 1 + work.width))
        total: Array | None = None
        for _, again in self._strips(work, inputs, samples):
            for i, (left, right) in enumerate(self._sides):
                products[i] = products[i] + work.view(left)[:, again:] @ work.view(right)[:, again:].T
            for i, row in enumerate(rows):
                sums[i, 1:] = row
            if total is not None:
                sums[:, again] = total
            total = np.add.accumulate(sums[:, 1 if total is None else again :], axis=1)[:, -1]
        totals = np.empty(len(self._tape.outputs))
        totals[self._rest] = total
        for matrix, (positions, left, right) in zip(products, self._entries, strict=True):
            totals[positions] = matrix[left, right]
        return totals / samples if self._reduce == "mean" else totals

    def text(self) -> str:
        """The calls of NumPy: those for one sample or for shared numbers, then those for each strip."""
        lines = [*self._plan.lines(False)]
        if any(self._tape.batched):
            lines.append(f"for each strip of at most {self._width} samples:")
            lines += [f"    {line}" for line in self._plan.lines(True)]
        lines += [f"    {len(left)} × {len(right)} sums of products" for left, right, _ in self._outer]
        return "\n".join(lines)
