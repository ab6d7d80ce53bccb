"""The NumPy backend: one call of NumPy for all instructions of a level that do the same, on a strip of samples.

What depends on no batched input is computed once. Sums run from left to right, sample by sample and over the samples.
Not here: scalars (`interpreter`). Read next: `compile.arguments`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_mini.compile.backends import check_total
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, NUMBER, Instruction, Tape, kind_of
from autograd_mini.core.row import TABLE

Array = Any
_STRIP = 1 << 17  # numbers that a strip of all registers holds: 1 MB, which stays in the cache
_FEW = 3  # as many instructions of a kind run one by one, without copies


# -- the operations ----------------------------------------------------------------------------------------------------


def _first_extreme(is_better: Callable[..., Array]) -> Callable[..., Array]:
    """`maximum` or `minimum`: the first of equal ones, which may be -0.0 and 0.0; nan if any is nan."""
    return lambda *xs: functools.reduce(lambda a, b: np.where(is_better(a, b) | (a != a), a, b), xs)


def _total(*xs: Array) -> Array:
    """The sum from left to right."""
    if len(xs) < 2:
        return xs[0] if xs else 0.0
    total = np.asarray(xs[0] + xs[1])
    for x in xs[2:]:
        np.add(total, x, out=total)
    return total


def _dot(*xs: Array) -> Array:
    half = len(xs) // 2
    return _total(*map(np.multiply, xs[:half], xs[half:]))


def _take(index: Array, *xs: Array) -> Array:
    place = np.floor(index)
    chosen: Array = np.nan
    for i, x in enumerate(xs):
        chosen = np.where(place == i, x, chosen)
    return chosen


def _hypot(*xs: Array) -> Array:
    return np.hypot(*xs) if len(xs) == 2 else _by_elements("hypot")(*xs) if len(xs) > 2 else np.absolute(xs[0])


def _by_elements(name: str) -> Callable[..., Array]:
    """A function that NumPy lacks, one number after the other."""
    function = TABLE[name].function
    return lambda *xs: np.asarray(np.frompyfunc(lambda *x: function(*map(float, x)), len(xs), 1)(*xs), float)


OPERATIONS: dict[str, Callable[..., Array]] = {
    **{name: _by_elements(name) for name in TABLE},
    **{row.name: getattr(np, row.numpy or row.name) for row in TABLE.values() if hasattr(np, row.numpy or row.name)},
    "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "pos": np.positive,
    "stop_gradient": np.positive, "abs": np.absolute, "floor": np.floor,
    "pow": lambda x, p: np.where(p == 2.0, x * x, np.power(x, p)),
    "floor_divide": lambda a, b: np.where(b == 0.0, a / b, np.floor_divide(a, b)),
    "round": _by_elements("round"), "sum": _total, "dot": _dot, "take": _take, "hypot": _hypot,
    "maximum": _first_extreme(np.greater_equal), "minimum": _first_extreme(np.less_equal),
    "clip": lambda x, low, high: OPERATIONS["minimum"](OPERATIONS["maximum"](x, low), high),
    "where": np.where,
    "xlogy": lambda x, y: np.where((x == 0.0) & (y == y), 0.0, x * np.log(y)),
    "one_minus_square": lambda x: (1.0 - x) * (1.0 + x),
    "one_power_less": lambda y, x, p: y / x,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
    "&": np.logical_and, "|": np.logical_or, "~": np.logical_not,
}  # fmt: skip
check_total("numpy", OPERATIONS)


# -- the plan ----------------------------------------------------------------------------------------------------------

Selector = Any  # rows of a store: a number, a slice, or an array of numbers


class Operand(NamedTuple):
    """Rows of a store, which an operation reads or writes."""

    is_batched: bool
    kind: str  # of the numbers in the store
    rows: Selector

    def __str__(self) -> str:
        name = ("sample" if self.is_batched else "shared") + (" condition" if self.kind == CONDITION else "")
        rows = self.rows
        if isinstance(rows, slice):
            return f"{name}s[{rows.start}:{rows.stop}]"
        return f"{name}[{rows}]" if isinstance(rows, int) else f"{name}s[{len(rows)} rows]"


class Step(NamedTuple):
    """An operation on rows of the stores."""

    op: str
    operands: tuple[Operand, ...]
    result: Operand


class Plan:
    """Where each register of a tape is stored, and the steps that compute them, level by level."""

    def __init__(self, tape: Tape) -> None:
        self.constants: list[tuple[int, float]] = []  # row and number
        self.inputs: list[tuple[Operand, int]] = []
        self.steps: list[Step] = []
        self.sizes = dict.fromkeys([(many, kind) for many in (False, True) for kind in (NUMBER, CONDITION)], 0)
        self._places: list[Operand] = []
        groups: dict[Any, list[int]] = {}
        levels: list[int] = []
        is_batched: list[bool] = []
        for register, (op, operands, detail) in enumerate(tape.instructions):
            level, many = 0, False
            for x in operands:
                level = max(level, levels[x] + 1)
                many = many or is_batched[x]
            many = many or (op == INPUT and tape.batched[int(str(detail))])
            levels.append(level)
            is_batched.append(many)
            flags = tuple([is_batched[x] for x in operands]) if many else len(operands)
            groups.setdefault((level, many, op, flags), []).append(register)
        self._places = [Operand(False, NUMBER, 0)] * len(tape)
        for (_, many, op, _), registers in sorted(groups.items(), key=lambda item: item[0][0]):
            kind = kind_of(op)
            first = self.sizes[many, kind]
            self.sizes[many, kind] += len(registers)
            for row, register in enumerate(registers, first):
                self._places[register] = Operand(many, kind, row)
                detail = tape.instructions[register][2]
                if op == CONSTANT:
                    self.constants.append((row, float(str(detail))))
                elif op == INPUT:
                    self.inputs.append((self._places[register], int(str(detail))))
            if op not in (CONSTANT, INPUT):
                self._add(op, [tape.instructions[register] for register in registers], Operand(many, kind, first))
        self.outputs = [self._places[output] for output in tape.outputs]

    def _add(self, op: str, instructions: list[Instruction], first: Operand) -> None:
        """Add the steps of instructions that do the same."""
        many, kind, row = first
        if many and len(instructions) <= _FEW:
            for i, (_, operands, _) in enumerate(instructions):
                self.steps.append(Step(op, tuple([self._places[x] for x in operands]), Operand(many, kind, row + i)))
            return
        columns = zip(*[operands for _, operands, _ in instructions], strict=True)
        reads = tuple([self._together([self._places[x] for x in column]) for column in columns])
        self.steps.append(Step(op, reads, Operand(many, kind, slice(row, row + len(instructions)))))

    def _together(self, places: list[Operand]) -> Operand:
        rows = [place.rows for place in places]
        start, stop = rows[0], rows[0] + len(rows)
        together = slice(start, stop) if rows == [*range(start, stop)] else np.array(rows)
        return Operand(places[0].is_batched, places[0].kind, together)


class Program:
    """A tape, ready to run.

    Args:
        tape: the tape.
        reduce: "sum" or "mean" over the samples, or None.
    """

    def __init__(self, tape: Tape, reduce: str | None = None) -> None:
        self._reduce = reduce
        self._plan = plan = Plan(tape)
        self._shared = [step for step in plan.steps if not step.result.is_batched]
        self._batched = [step for step in plan.steps if step.result.is_batched]
        self._strip = max(64, min(4096, _STRIP // (1 + plan.sizes[True, NUMBER])))

    def text(self) -> str:
        """The steps, one call of NumPy a line."""
        lines = [f"{step.result} = {step.op}({', '.join(map(str, step.operands))})" for step in self._plan.steps]
        return "\n".join(lines)

    def __call__(self, numbers: Sequence[Any], samples: int | None = None) -> list[Any]:
        """The results: a float each, or an array of one per sample.

        Args:
            numbers: one per input; for a batched one, an array with one per sample.
            samples: the size of the batch.
        """
        plan = self._plan
        stores = {key: np.empty(size, bool if key[1] == CONDITION else float) for key, size in plan.sizes.items()}
        shared = stores[False, NUMBER]
        for row, number in plan.constants:
            shared[row] = number
        for place, position in plan.inputs:
            if not place.is_batched:
                shared[place.rows] = numbers[position]
        with np.errstate(all="ignore"):
            self._run(self._shared, stores)
            if samples is None:
                return [float(shared[output.rows]) for output in plan.outputs]
            return self._over_samples(numbers, samples, stores)

    def _over_samples(self, numbers: Sequence[Any], samples: int, stores: dict[Any, Array]) -> list[Any]:
        plan, strip = self._plan, min(self._strip, max(samples, 1))
        wide = {
            kind: np.empty((plan.sizes[True, kind], strip), bool if kind == CONDITION else float)
            for kind in (NUMBER, CONDITION)
        }
        results = np.empty((len(plan.outputs), samples if self._reduce is None else 0))
        total: Array = None
        for start in range(0, samples, strip):
            stop = min(start + strip, samples)
            stores |= {(True, kind): store[:, : stop - start] for kind, store in wide.items()}
            for place, position in plan.inputs:
                if place.is_batched:
                    stores[True, NUMBER][place.rows] = numbers[position][start:stop]
            self._run(self._batched, stores)
            rows = np.empty((len(plan.outputs), stop - start))
            for i, output in enumerate(plan.outputs):
                rows[i] = stores[output.is_batched, NUMBER][output.rows]
            if self._reduce is None:
                results[:, start:stop] = rows
            else:
                total = _continued(total, rows)
        if self._reduce is None:
            return list(results)
        total = np.zeros(len(plan.outputs)) if total is None else total
        return list(map(float, total / samples if self._reduce == "mean" else total))

    def _run(self, steps: list[Step], stores: dict[Any, Array]) -> None:
        for op, operands, (is_batched, kind, rows) in steps:
            inputs = []
            for many, of, selected in operands:
                numbers = stores[many, of][selected]
                inputs.append(numbers[:, None] if is_batched and not many and numbers.ndim else numbers)
            stores[is_batched, kind][rows] = OPERATIONS[op](*inputs)


def _continued(total: Array | None, rows: Array) -> Array:
    """A sum over samples, continued from left to right."""
    if total is not None:
        rows = np.concatenate([total[:, None], rows], axis=1)
    return np.add.accumulate(rows, axis=1)[:, -1]
