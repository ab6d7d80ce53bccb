"""`compare`: at which instruction, on which line and by how much two backends first differ.

Each instruction of a backend runs alone, on the numbers of the interpreter, so that a difference is found where it
arises, not where it shows. Not here: what is compared (`backends`). Read next: `compile.stepping`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autograd_mini.compile import backends
from autograd_mini.compile.arguments import Arguments
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.compiled import Compiled, Jit
from autograd_mini.compile.tape import INPUT, NUMBER, Instruction, Place, Tape, kind_of, spelled
from autograd_mini.core.methods import Methods
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.program.source import located
from autograd_mini.transforms import trees

EAGER, REFERENCE = "eager", "interpreter"


@dataclass(frozen=True)
class Difference:
    """Two numbers that should be the same.

    Attributes:
        what: an instruction, such as "v5 = exp(x)", or a part of the result, such as "result[0]".
        names: what computed each of them.
        numbers: the two numbers.
        place: where the user wrote the instruction, if anywhere.
        operands: the operands of the instruction, by name.
    """

    what: str
    names: tuple[str, str]
    numbers: tuple[float, float]
    place: Place | None = None
    operands: tuple[tuple[str, float], ...] = ()

    @property
    def ulps(self) -> float:
        """How many units in the last place they differ by; inf for signs of zeros, infinities and nan."""
        a, b = self.numbers
        if not (math.isfinite(a) and math.isfinite(b)) or a == b:
            return math.inf
        return abs(a - b) / math.ulp(max(abs(a), abs(b)))

    def __str__(self) -> str:
        lines = [self.what]
        if self.place is not None:
            lines.append(f"  where: {located(self.place.file, self.place.line)}: {self.place.expression}")
        if self.operands:
            lines.append(f"  with:  {', '.join([f'{name} = {x!r}' for name, x in self.operands])}")
        width = max(map(len, self.names))
        pairs = zip(self.names, self.numbers, strict=True)
        lines += [f"  {name + ':':{width + 1}} {x!r:24} {x.hex()}" for name, x in pairs]
        return "\n".join([*lines[:-1], f"{lines[-1]}   {_distance(self)}"])


@dataclass(frozen=True)
class Comparison:
    """What `compare` has found.

    Attributes:
        instructions: how many instructions the tape has.
        results: how many numbers the result has, in all samples.
        backend: the backend that was compared with the interpreter.
        steps: the instructions in which both differ on the same operands, in the first sample whose result differs.
        outcomes: the numbers of the result that differ, also from the function itself.
    """

    instructions: int
    results: int
    backend: str
    steps: tuple[Difference, ...]
    outcomes: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether every number has the same bits everywhere."""
        return not self.steps and not self.outcomes

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        size = f"{counted(self.instructions, 'instruction')}, {counted(self.results, 'result')}"
        if self.ok:
            return f"{size}: the same bits in eager mode, on the {REFERENCE} and on {self.backend}."
        lines = [f"{size}."]
        if self.steps:
            lines.append(f"{self.backend} first differs from the {REFERENCE} at {self.steps[0]}")
            lines += _others(self.steps, "instruction")
        for name in (self.backend, EAGER):
            found = [one for one in self.outcomes if name in one.names and name != REFERENCE]
            if found:
                first = found[0]
                what = "in eager mode" if name == EAGER else f"on {name}"
                lines.append(f"The result {what} differs from that on the {REFERENCE}: {first}")
                lines += _others(found, "number")
        if self.outcomes and not self.steps:
            lines.append(
                "Each instruction alone has the same bits. Eager mode has other forms of some functions near 0, and "
                "matrix products add up in another order."
            )
        return "\n".join(lines)


def compare(f: Callable[..., Any], *args: Any, backend: str = "numpy", **kwargs: Any) -> Comparison:
    """Compare a function on two backends and in eager mode, bit by bit.

    Args:
        f: a function, or what `jit` made of it.
        args: its arguments.
        backend: the backend to compare with the interpreter.
        kwargs: its named arguments.

    Returns:
        a `Comparison`, which is true and `.ok` if all bits are equal. Printed, it says at which instruction, which
        expression and which line they first differ, and how many results differ.

    Raises:
        OperandError: f is not a function.
        ArgumentError: there is no such backend, or f has no samples for these arguments.
        AutogradError: as the compiled function does.

    >>> import autograd_mini as am
    >>> print(am.compare(am.grad(lambda x: am.sqrt(x) / (x + 1.0)), 2.0))
    13 instructions, 1 result: the same bits in eager mode, on the interpreter and on numpy.
    """
    if not callable(f):
        raise OperandError(f"compare() takes a function, not {shown(f)}.", "Write compare(f, x), not compare(f(x)).")
    compiled = f if isinstance(f, Jit) else Jit(f)
    given = Arguments(compiled, compiled._with_parameters(args), kwargs)
    if given.records:
        raise ArgumentError("compare() got a number with a graph, or a formula.", "Pass plain numbers.")
    if given.samples == 0:
        raise ArgumentError("compare() got an empty batch.", "Pass at least one sample.")
    made = compiled._for(given)
    backends.choose(backend, made.tape)
    outcomes, sample = _outcomes(compiled, made, given, backend)
    numbers = [x[sample] if many else x for x, many in zip(backends.flat(given.parts), made.tape.batched, strict=True)]
    steps = tuple(_steps(made.tape, list(map(float, numbers)), backend))
    return Comparison(len(made.tape), len(made.tape.outputs) * _rows(compiled, given), backend, steps, outcomes)


def _rows(compiled: Jit, given: Arguments) -> int:
    return 1 if given.samples is None or compiled.reduce is not None else given.samples


def _outcomes(compiled: Jit, made: Compiled, given: Arguments, backend: str) -> tuple[tuple[Difference, ...], int]:
    """The numbers of the result that differ, and the first sample for which one does."""
    rows = _rows(compiled, given)
    paths = [path for path, _ in trees.numbers(made.result, "result")]

    def on(name: str) -> list[list[float]]:
        found = backends.program(name, made.tape, compiled.reduce)(given.parts, given.samples)
        return [list(map(float, row)) if hasattr(row, "__len__") else [float(row)] for row in found]

    reference = on(REFERENCE)
    others = {backend: on(backend), EAGER: _eager(compiled, given, rows)}
    found = [
        (k, Difference(path + (f" of sample {k}" if rows > 1 else ""), (REFERENCE, name), (one[k], other[k])))
        for name, columns in others.items()
        for path, one, other in zip(paths, reference, columns, strict=True)
        for k in range(rows)
        if _bits(one[k]) != _bits(other[k])
    ]
    on_backend = [k for k, one in found if backend in one.names]
    return tuple([one for _, one in found]), min(on_backend, default=0)


def _eager(compiled: Jit, given: Arguments, rows: int) -> list[list[float]]:
    """The results of the function itself, a list for each number of a result."""
    samples = [compiled._directly(given, None)] if rows == 1 else [compiled._call_for(given, k) for k in range(rows)]
    found = [[float(x.data if isinstance(x, Methods) else x) for _, x in trees.numbers(sample)] for sample in samples]
    return [list(column) for column in zip(*found, strict=True)]


def _steps(tape: Tape, numbers: list[float], backend: str) -> Iterator[Difference]:
    """The instructions in which a backend differs from the interpreter, each on the same operands."""
    names, places = tape.names, tape.places or (None,) * len(tape)
    known: list[Any] = []
    for register, number in Program(tape).steps(numbers):
        known.append(number)
        op, operands, _ = tape.instructions[register]
        if not operands or kind_of(op) != NUMBER or op == "where":
            continue  # comparisons, joins and choices are exact
        inputs = [known[x] for x in operands]
        other = _alone(op, inputs, backend)
        if _bits(other) != _bits(number):
            what = f"{names[register]} = {spelled(op, [names[x] for x in operands])}"
            by_name = tuple(dict(zip([names[x] for x in operands], inputs, strict=True)).items())
            pair = float(number), other
            yield Difference(what, (REFERENCE, backend), pair, places[register], by_name)


def _alone(op: str, operands: list[float], backend: str) -> float:
    """What a backend computes for one instruction."""
    inputs: tuple[Instruction, ...] = tuple([(INPUT, (), i) for i in range(len(operands))])
    tape = Tape(
        (*inputs, (op, tuple(range(len(operands))), None)),
        tuple([f"x{i}" for i in range(len(operands))]),
        (len(operands),),
        (False,) * len(operands),
    )
    return float(backends.program(backend, tape, None)([operands])[0])


def _bits(number: float) -> str:
    return "nan" if math.isnan(number) else float(number).hex()


def _distance(one: Difference) -> str:
    return "another kind of number" if math.isinf(one.ulps) else f"{one.ulps:,.0f} ulp"


def _others(found: tuple[Difference, ...] | list[Difference], noun: str) -> list[str]:
    if len(found) < 2:
        return []
    worst = max(found, key=lambda one: one.ulps)
    return [f"{counted(len(found), noun)} differ; most in {shown(worst.what)}, by {_distance(worst)}."]
