"""The NumPy backend: one call of NumPy for all instructions of a level that do the same, on a strip of samples.

What depends on no batched input is computed once. Sums run from left to right, sample by sample and over the samples.
Not here: scalars (`interpreter`). Read next: `compile.arguments`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd_mini.compile.backends import batched_registers, check_total
from autograd_mini.compile.expansions import expanded
from autograd_mini.compile.passes import optimized
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, NUMBER, Tape, kind_of
from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import RELATE

Array = Any
_STRIP = 1 << 18  # numbers that all registers alive hold for a strip of samples: 2 MB, which stays in the cache
_BRANCHES = 2048  # as few guesses cost less than more calls
_MATRIX = 4  # from this many rows and columns on, BLAS computes sums of products, in an order of its own
_FEW = 4  # sums of so many times more terms than there are sums are computed term by term


# -- the operations ----------------------------------------------------------------------------------------------------


def _first_extreme(is_better: Callable[..., Array]) -> Callable[..., Array]:
    """`maximum` or `minimum`: the first of equal ones, which may be -0.0 and 0.0; nan if any is nan."""
    return lambda *xs: functools.reduce(lambda a, b: _where(is_better(a, b) | (a != a), a, b), xs)


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


def _where(condition: Array, a: Array, b: Array) -> Array:
    """`numpy.where` without a branch for each number, which a processor guesses wrong half of the time."""
    if np.size(condition) < _BRANCHES:
        return np.where(condition, a, b)
    bits, others = (np.asarray(x, float).view(np.int64) for x in (a, b))
    chosen = (bits ^ others) & -condition.astype(np.int64)
    chosen ^= others
    return chosen.view(float)


def _clip(x: Array, low: Array, high: Array) -> Array:
    if isinstance(low, float) and isinstance(high, float) and low < high and low * high:
        return np.clip(x, low, high)  # no zeros, whose signs would have to be those of the first
    return OPERATIONS["minimum"](OPERATIONS["maximum"](x, low), high)


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
    "clip": _clip,
    "where": _where,
    "xlogy": lambda x, y: np.where((x == 0.0) & (y == y), 0.0, x * np.log(y)),
    "one_minus_square": lambda x: (1.0 - x) * (1.0 + x),
    "one_power_less": lambda y, x, p: y / x,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
    "&": np.logical_and, "|": np.logical_or, "~": np.logical_not,
}  # fmt: skip
check_total("numpy", OPERATIONS)
EXPANDED = frozenset({"erf", "erfc", "erfinv", "ndtr", "lifted_ndtr"})  # by elements, they would take ten times as long


# -- one sample: levels ------------------------------------------------------------------------------------------------


class Levels:
    """Instructions that share no results, level by level: one call of NumPy for all that do the same.

    Args:
        tape: the tape.
        registers: those to compute, in order; their operands are among them.
    """

    def __init__(self, tape: Tape, registers: Sequence[int]) -> None:
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
                self._steps.append((op, [*map(functools.partial(self._operand, tape), columns)], slice(first, self._sizes[kind])))

    def _operand(self, tape: Tape, registers: tuple[int, ...]) -> tuple[str, Any]:
        """Where an operand of several instructions lies: the kind of store, and a slice or an array of rows."""
        rows = [self._rows[x] for x in registers]
        stop = rows[0] + len(rows)
        is_slice = rows == [*range(rows[0], stop)]
        return kind_of(tape.instructions[registers[0]][0]), slice(rows[0], stop) if is_slice else np.array(rows)

    def run(self, numbers: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """Compute all, and return the numbers and conditions of some registers."""
        stores = {NUMBER: np.empty(self._sizes[NUMBER]), CONDITION: np.empty(self._sizes[CONDITION], bool)}
        for row, number in self._constants:
            stores[NUMBER][row] = number
        if self._inputs:
            rows, positions = self._inputs
            stores[NUMBER][rows] = [numbers[position] for position in positions]
        for op, operands, rows in self._steps:
            kind = CONDITION if op in RELATE else NUMBER
            inputs = [stores[of][selected] for of, selected in operands]
            if op in ("sum", "dot") and len(inputs) > _FEW * len(inputs[0]):
                stores[kind][rows] = _long_sum(op, np.array(inputs))
            else:
                stores[kind][rows] = OPERATIONS[op](*inputs)
        found = {kind: store.tolist() for kind, store in stores.items()}
        return [found[kind][row] for kind, row in wanted]

    def place(self, tape: Tape, register: int) -> tuple[str, int]:
        """The kind of store and the row of a register."""
        return kind_of(tape.instructions[register][0]), self._rows[register]

    def text(self) -> list[str]:
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


# -- a batch: strips of samples ----------------------------------------------------------------------------------------


class Product(NamedTuple):
    """Sums of products that share a half: a matrix of shared numbers times one of samples."""

    results: list[int]
    shared: list[tuple[int, ...]]  # registers of the matrix, a row for each result
    batched: tuple[int, ...]


def products(tape: Tape, is_batched: Sequence[bool], uses: Sequence[int]) -> dict[int, Product]:
    """The matrix products on a tape, each under the first of its results.

    They come from `dot`, and from sums of contributions to an adjoint, which are chains of additions.
    """
    halves: dict[tuple[int, ...], list[tuple[int, tuple[int, ...]]]] = {}
    chains: dict[int, list[int]] = {}  # of a sum of products, the products
    for register, (op, operands, _) in enumerate(tape.instructions):
        if op == "dot" and is_batched[register]:
            half = len(operands) // 2
            for a, b in ((operands[:half], operands[half:]), (operands[half:], operands[:half])):
                if all(is_batched[x] for x in a) and not any(is_batched[x] for x in b):
                    halves.setdefault(a, []).append((register, b))
        elif op == "add" and is_batched[register]:
            first, last = operands
            if tape.instructions[last][0] == "mul" and uses[last] == 1 and uses[first] == 1:
                start = chains.pop(first, [first] if tape.instructions[first][0] == "mul" else None)
                if start is not None:
                    chains[register] = [*start, last]
    for register, terms in chains.items():
        factors = [tape.instructions[term][1] for term in terms]
        sides = [(a, b) if is_batched[a] else (b, a) for a, b in factors]
        if all(is_batched[a] and not is_batched[b] for a, b in sides):
            halves.setdefault(tuple([a for a, _ in sides]), []).append((register, tuple([b for _, b in sides])))
    return {
        rows[0][0]: Product([register for register, _ in rows], [shared for _, shared in rows], batched)
        for batched, rows in halves.items()
        if len(rows) >= _MATRIX and len(batched) >= _MATRIX
    }


class Program:
    """A tape, ready to run.

    Args:
        tape: the tape.
        reduce: "sum" or "mean" over the samples, or None.
    """

    def __init__(self, tape: Tape, reduce: str | None = None) -> None:
        tape, _ = optimized(expanded(tape, EXPANDED))
        self._tape, self._reduce = tape, reduce
        self._is_batched = is_batched = batched_registers(tape)
        shared = [register for register, many in enumerate(is_batched) if not many]
        self._levels = Levels(tape, shared)
        self._outer = _outer_products(tape, is_batched) if reduce else []
        self._plan_batch()

    def _plan_batch(self) -> None:
        tape, is_batched = self._tape, self._is_batched
        uses = [0] * len(tape)
        for _, operands, _ in tape.instructions:
            for x in operands:
                uses[x] += 1
        kept = {x for outer in self._outer for x in (*outer.left, *outer.right)}
        done = {output for outer in self._outer for output in outer.results}
        self._rest = [(i, x) for i, x in enumerate(tape.outputs) if x not in done]
        kept |= {x for _, x in self._rest}
        for output in tape.outputs:
            uses[output] += 1
        self._products = products(tape, is_batched, uses)
        members = {register for product in self._products.values() for register in product.results}
        needed = set(kept)
        steps: list[tuple[Any, Any, tuple[int, ...]]] = []
        leaders = {register: product for product in self._products.values() for register in product.results}
        placed: set[int] = set()
        for register in range(len(tape) - 1, -1, -1):
            op, operands, _ = tape.instructions[register]
            if not is_batched[register] or register not in needed or op == INPUT:
                continue
            if register in members:
                needed |= {*leaders[register].batched}
            else:
                needed |= {*operands}
                steps.append((OPERATIONS[op], register, operands))
        order: list[tuple[Any, Any, tuple[int, ...]]] = []
        singles = {register: (function, register, operands) for function, register, operands in steps}
        for register in range(len(tape)):
            product = leaders.get(register)
            if product is not None and register in needed and product.results[0] not in placed:
                placed.add(product.results[0])
                order.append((None, product, product.batched))
            elif register in singles:
                order.append(singles[register])
        last: dict[int, int] = {}
        for place, (_, _, operands) in enumerate(order):
            last |= dict.fromkeys(operands, place)
        dead: list[list[int]] = [[] for _ in order]
        for register, place in last.items():
            if is_batched[register] and register not in kept:
                dead[place].append(register)
        self._steps = [(*step, gone) for step, gone in zip(order, dead, strict=True)]
        self._batch_inputs = [
            (register, int(str(detail)))
            for register, (op, _, detail) in enumerate(tape.instructions)
            if op == INPUT and is_batched[register] and register in needed
        ]
        reads = {x for _, _, operands, _ in self._steps for x in operands} | {x for _, x in self._rest}
        reads |= {x for product in self._products.values() for row in product.shared for x in row}
        self._wanted = sorted([x for x in reads if not is_batched[x]])
        alive = most = 0
        for _, result, _, gone in self._steps:
            alive += len(result.results) if isinstance(result, Product) else 1
            most, alive = max(most, alive), alive - len(gone)
        self._strip = max(256, min(8192, _STRIP // max(1, most)))

    def text(self) -> str:
        """What it does: the calls of NumPy for one sample or for what all samples share, then those for each strip."""
        names = self._tape.names
        lines = self._levels.text()
        if any(self._is_batched):
            lines.append(f"for each strip of {self._strip} samples:")
        for function, result, operands, _ in self._steps:
            if isinstance(result, Product):
                lines.append(f"    {names[result.results[0]]}, … = matrix of {len(result.results)} × {len(operands)} @ samples")
            else:
                lines.append(f"    {names[result]} = {getattr(function, '__name__', 'f')}({', '.join([names[x] for x in operands])})")
        lines += [f"    a matrix of {len(o.left)} × {len(o.right)} sums of products" for o in self._outer]
        return "\n".join(lines)

    def __call__(self, numbers: Sequence[Any], samples: int | None = None) -> list[Any]:
        """The results: a float each, or an array of one per sample.

        Args:
            numbers: one per input; for a batched one, an array with one per sample.
            samples: the size of the batch.
        """
        with np.errstate(all="ignore"):
            if samples is None:
                return self._levels.run(numbers, [self._levels.place(self._tape, x) for x in self._tape.outputs])
            wanted = self._levels.run(numbers, [self._levels.place(self._tape, x) for x in self._wanted])
            return self._over_samples(numbers, samples, dict(zip(self._wanted, wanted, strict=True)))

    def _over_samples(self, numbers: Sequence[Any], samples: int, shared: dict[int, Any]) -> list[Any]:
        outputs, reduce = self._tape.outputs, self._reduce
        matrices = {
            product.results[0]: np.array([[shared[x] for x in row] for row in product.shared])
            for product in self._products.values()
        }
        results = np.zeros((len(outputs), samples)) if reduce is None else np.zeros(len(outputs))
        total: Array = None
        sums: list[Array] = [0.0] * len(self._outer)
        registers: list[Any] = [None] * len(self._tape)
        for register, number in shared.items():
            registers[register] = number
        for start in range(0, samples, self._strip):
            stop = min(start + self._strip, samples)
            for register, position in self._batch_inputs:
                registers[register] = np.ascontiguousarray(numbers[position][start:stop])
            for function, result, operands, gone in self._steps:
                if function is None:
                    rows = matrices[result.results[0]] @ np.array([registers[x] for x in operands])
                    for register, row in zip(result.results, rows, strict=True):
                        registers[register] = row
                else:
                    registers[result] = function(*[registers[x] for x in operands])
                for register in gone:
                    registers[register] = None
            for i, outer in enumerate(self._outer):
                left, right = (np.array([registers[x] for x in side]) for side in (outer.left, outer.right))
                sums[i] = sums[i] + left @ right.T
            if reduce is None:
                for i, output in self._rest:
                    results[i, start:stop] = registers[output]
            elif self._rest:
                rows = np.empty((len(self._rest), stop - start))
                for row, (_, output) in zip(rows, self._rest, strict=True):
                    row[:] = registers[output]
                total = _continued(total, rows)
        if reduce is None:
            return list(results)
        if total is not None:
            results[[i for i, _ in self._rest]] = total
        if samples:
            for matrix, outer in zip(sums, self._outer, strict=True):
                for i, a, b in outer.entries:
                    results[i] = matrix[a, b]
        return list(map(float, results / samples if reduce == "mean" else results))


class Outer(NamedTuple):
    """Results that are sums over samples of a product of a left and a right register: a matrix product."""

    left: list[int]
    right: list[int]
    results: set[int]
    entries: list[tuple[int, int, int]]  # the number of a result, its row and its column


def _outer_products(tape: Tape, is_batched: Sequence[bool]) -> list[Outer]:
    """The groups of results that are connected by a common factor, if most products in the matrix are results."""
    pairs = []
    for i, output in enumerate(tape.outputs):
        op, operands, _ = tape.instructions[output]
        if op == "mul" and all(is_batched[x] for x in operands):
            pairs.append((i, output, operands))
    found: list[Outer] = []
    groups: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for _, _, (a, b) in pairs:  # join the groups of both factors
        joined = groups.get(("left", a), {("left", a)}) | groups.get(("right", b), {("right", b)})
        groups |= dict.fromkeys(joined, joined)
    for group in {id(group): group for group in groups.values()}.values():
        left, right = ([x for side, x in sorted(group) if side == name] for name in ("left", "right"))
        members = [(i, output, left.index(a), right.index(b)) for i, output, (a, b) in pairs if ("left", a) in group]
        if min(len(left), len(right)) >= _MATRIX and 2 * len(members) >= len(left) * len(right):
            entries = [(i, a, b) for i, _, a, b in members]
            found.append(Outer(left, right, {output for _, output, _, _ in members}, entries))
    return found


def _continued(total: Array | None, rows: Array) -> Array:
    """A sum over samples, continued from left to right."""
    if total is not None:
        rows = np.concatenate([total[:, None], rows], axis=1)
    return np.add.accumulate(rows, axis=1)[:, -1]
