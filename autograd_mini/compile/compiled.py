"""`jit`: a function that is traced once for each structure of its arguments, and runs as a tape from then on.

Not here: tapes and what runs them. Read next: `compile.graphs`.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd_mini.compile.arguments import Arguments, Axes
from autograd_mini.compile.backends import choose, program
from autograd_mini.compile.passes import optimized
from autograd_mini.compile.tape import Tape
from autograd_mini.compile.tracing import is_tracing, tracing
from autograd_mini.core.row import as_number, operand_error
from autograd_mini.core.traced import Condition, Traced
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.functions.sums import mean, sum
from autograd_mini.nn.binding import functional_call
from autograd_mini.nn.module import Module
from autograd_mini.transforms import trees
from autograd_mini.transforms.trees import Tree

_REDUCTIONS = {"sum": sum, "mean": mean}


@dataclass
class Stats:
    """What compiling for one structure of arguments has done.

    Attributes:
        nodes: the number of instructions, as traced and after the passes.
        passes: how many instructions each pass has changed.
        seconds: how long each stage took.
        backend: the name of the backend.
        why: why it was chosen.
        calls: how often the compiled function has run.
        conversions: how many arguments of the last call were converted, because they were not arrays of floats.
    """

    nodes: dict[str, int]
    passes: dict[str, int]
    seconds: dict[str, float]
    backend: str
    why: str
    calls: int = 0
    conversions: int = 0


@dataclass
class Compiled:
    """A tape with its program, for one structure of arguments."""

    tape: Tape
    result: Tree  # the structure of the result, with any numbers
    program: Any
    stats: Stats = field(compare=False)


class Jit:
    """A compiled function; see `jit`."""

    def __init__(
        self,
        f: Callable[..., Any],
        in_axes: Axes = None,
        reduce: str | None = None,
        static_argnums: int | Sequence[int] = (),
        backend: str = "auto",
    ) -> None:
        self._options = in_axes, reduce, static_argnums, backend
        self.function = f
        self.reduce, self.backend = reduce, backend
        self.static_argnums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
        self.model = f if isinstance(f, Module) else None
        self.in_axes = (None, *in_axes) if self.model is not None and isinstance(in_axes, Sequence) else in_axes
        self._compiled: dict[Any, Compiled] = {}
        self._last: Compiled | None = None
        functools.update_wrapper(self, f, updated=())

    def __reduce__(self) -> tuple[Any, ...]:
        return Jit, (self.function, *self._options)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<jit of {name}, compiled for {counted(len(self._compiled), 'structure')} of arguments>"

    @property
    def tape(self) -> Tape:
        """The tape of the last call, after the passes."""
        return self._recent().tape

    @property
    def stats(self) -> Stats:
        """What compiling for the structure of the last call has done."""
        return self._recent().stats

    def lower(self, *args: Any, **kwargs: Any) -> str:
        """Return the text that the backend runs: for these arguments, or without any for those of the last call."""
        if args or kwargs:
            self._for(Arguments(self, self._with_parameters(args), kwargs))
        text: str = self._recent().program.text()
        return text

    def _recent(self) -> Compiled:
        if self._last is None:
            raise ArgumentError(
                "The function has not been compiled yet, because that needs the structure of its arguments.",
                "Call it first.",
            )
        return self._last

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        given = Arguments(self, self._with_parameters(args), kwargs)
        if is_tracing() or given.records:
            return self._directly(given)
        compiled = self._for(given)
        compiled.stats.calls += 1
        compiled.stats.conversions = given.conversions
        numbers = compiled.program(given.numbers, given.samples)
        if given.samples is None or self.reduce is not None:
            return trees.rebuilt(compiled.result, iter(numbers))
        return trees.columns(compiled.result, iter(numbers), out)

    def _with_parameters(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments after those of a module that its parameters are, as they are now."""
        return args if self.model is None else ({name: p.data for name, p in self.model.named_parameters()}, *args)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, for one sample."""
        if self.model is not None:
            return functional_call(self.model, args[0], args[1:], kwargs)
        return self.function(*args, **kwargs)

    def _for(self, given: Arguments) -> Compiled:
        """The program for these arguments."""
        key = given.key
        if key not in self._compiled:
            self._compiled[key] = self._compile(given)
        self._last = self._compiled[key]
        return self._last

    def _compile(self, given: Arguments) -> Compiled:
        times = [time.perf_counter()]
        with tracing(sys._getframe()) as builder:
            result = given.traced(self.call, builder)
            leaves = [_output(path, leaf) for path, leaf in trees.numbers(result, "result")]
            times.append(time.perf_counter())
            traced = builder.tape(leaves)
        times.append(time.perf_counter())
        tape, counts = optimized(traced)
        times.append(time.perf_counter())
        backend, why = choose(self.backend, tape)
        ready = program(backend, tape, self.reduce)
        times.append(time.perf_counter())
        stages = ("trace", "verify", "passes", "backend")
        seconds = {stage: end - start for stage, start, end in zip(stages, times, times[1:], strict=False)}
        stats = Stats({"traced": len(traced), "optimized": len(tape)}, counts, seconds, backend, why)
        return Compiled(tape, trees.rebuilt(result, iter([0.0] * len(leaves))), ready, stats)

    def _directly(self, given: Arguments) -> Any:
        """Call the function itself, sample by sample: an outer derivative or trace records what it does."""
        if given.samples is None:
            return self.call(*given.args, **given.kwargs)
        results = [self.call(*given.sample(i), **given.kwargs) for i in range(given.samples)]
        rows = [[leaf for _, leaf in trees.numbers(result)] for result in results]
        if self.reduce is None:
            return trees.columns(results[0], iter(zip(*rows, strict=True)))
        return trees.rebuilt(results[0], iter([_REDUCTIONS[self.reduce](column) for column in zip(*rows, strict=True)]))


def _output(path: str, leaf: Any) -> Any:
    """A number of the result, as data."""
    if type(leaf) is Traced:
        return leaf.data
    if isinstance(leaf, Condition):
        raise OperandError(f"{path} is the answer of a comparison, not a number.", "Return where(condition, 1.0, 0.0).")
    number = as_number(leaf)
    if number is None:
        raise operand_error(f"jit() of a function whose {path}", leaf)
    return number


def jit(
    f: Callable[..., Any] | None = None,
    in_axes: Axes = None,
    reduce: str | None = None,
    static_argnums: int | Sequence[int] = (),
    backend: str = "auto",
) -> Any:
    """Compile a function: it is traced once for each structure of its arguments, and runs as a tape from then on.

    The function sees numbers that stand for all inputs, so Python's `if`, `float()` and `range` of them raise an error
    that names the line. What it takes from outside, such as a constant, is kept as it was at the first call.

    Args:
        f: a function, a transform such as `grad(loss)`, or a module of `nn`, whose parameters are read at each call.
            Its arguments are numbers, or lists, tuples, dicts and NumPy arrays of numbers. Without it, `jit` returns a
            decorator.
        in_axes: the axis of each argument along which the samples of a batch lie, or None for an argument that all
            samples share; one entry per argument, or one for all. f is written for a single sample.
        reduce: "sum" or "mean" adds up the results of all samples; None returns one per sample, in arrays.
        static_argnums: the positions of arguments that f is compiled for anew at each value, such as a length.
        backend: "interpreter" (Python alone), "numpy", or "auto" for the faster one.

    Returns:
        a function of the same arguments, with the attributes `tape`, `stats` and `lower()`. Inside another derivative
        or trace it calls f itself. If there is a batch, `out=` takes arrays for the results.

    Raises:
        TraceError: f needs the value of a number while it is traced.
        ArgumentError: an option is unknown, or the arguments have different numbers of samples.
        OperandError: an argument or a result is not made of numbers.

    >>> import autograd_mini as am
    >>> f = jit(am.value_and_grad(lambda x: am.exp(x) * x))
    >>> f(0.0)
    (0.0, 1.0)
    >>> f.stats.nodes
    {'traced': 10, 'optimized': 5}
    """
    if f is None:
        return functools.partial(jit, in_axes=in_axes, reduce=reduce, static_argnums=static_argnums, backend=backend)
    if not callable(f):
        raise OperandError(f"jit() takes a function, not {shown(f)}.", "Write jit(f)(x), not jit(f(x)).")
    if reduce is not None and reduce not in _REDUCTIONS:
        raise ArgumentError(f"There is no reduction {reduce!r}.", 'Choose "sum", "mean" or None.')
    return Jit(f, in_axes, reduce, static_argnums, backend)
