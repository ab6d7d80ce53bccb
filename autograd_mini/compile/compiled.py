"""`jit`: a function that is traced once for each structure of its arguments, and runs as a tape from then on.

Not here: tapes and what runs them. Read next: `compile.comparison`.
"""

from __future__ import annotations

import functools
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MethodType
from typing import Any

from autograd_mini.compile.arguments import Arguments, Axes, positional
from autograd_mini.compile.backends import choose, program
from autograd_mini.compile.passes import EXACT, without_dead_code
from autograd_mini.compile.tape import Place, Tape
from autograd_mini.compile.tracing import collector_paused, is_tracing, tracing
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import as_number
from autograd_mini.core.traced import Condition, Traced, Unrecorded
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.functions.sums import mean, sum
from autograd_mini.nn.binding import functional_call
from autograd_mini.nn.module import Module, by_first_name
from autograd_mini.program.source import Site
from autograd_mini.program.stack import recording
from autograd_mini.transforms import trees
from autograd_mini.transforms.trees import Tree

_REDUCTIONS = {"sum": sum, "mean": mean}


@dataclass
class Stats:
    """What compiling for one structure of arguments has done.

    Attributes:
        nodes: the number of instructions, as they would be without passes and after them.
        passes: how many instructions each pass has changed.
        seconds: how long each stage took; most passes work while the function is traced, and the last one afterwards.
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

    def __str__(self) -> str:
        times = {stage: f"{1e3 * seconds:,.2f} ms" for stage, seconds in self.seconds.items()}
        rows = [
            ("trace", times["trace"], counted(self.nodes["traced"], "instruction")),
            ("verify", times["verify"], ""),
            ("passes", times["passes"], counted(self.nodes["optimized"], "instruction")),
            *[(f"  {name}", "", f"{count:,} changed") for name, count in self.passes.items() if count],
            ("backend", times["backend"], f"{self.backend}: {self.why}"),
        ]
        width = max(len(time) for _, time, _ in rows)
        lines = [f"{stage:13}{time:>{width}}   {what}".rstrip() for stage, time, what in rows]
        converted = f"; the last one converted {counted(self.conversions, 'argument')} to floats"
        return "\n".join([*lines, counted(self.calls, "call") + converted * bool(self.conversions)])


@dataclass
class Compiled:
    """A tape with its program, for one structure of arguments."""

    tape: Tape
    result: Tree  # the structure of the result, with any numbers
    blank: trees.Blank  # the same, to be filled
    program: Any
    sites: dict[Place, Site]
    stats: Stats


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
        self.parameters = positional(f)  # of the function, or of the module's call
        if self.model is not None:
            self.static_argnums = tuple([i + (i >= 0) for i in self.static_argnums])  # after the parameters
        self.in_axes = (None, *in_axes) if self.model is not None and isinstance(in_axes, Sequence) else in_axes
        self._compiled: dict[Any, Compiled] = {}
        self._last: Compiled | None = None
        functools.update_wrapper(self, f, updated=())

    def __reduce__(self) -> str | tuple[Any, ...]:
        name = getattr(self.function, "__qualname__", "")
        try:
            if attrgetter(name)(sys.modules[self.function.__module__]) is self:
                return str(name)  # decorated: only its name leads to it
        except (AttributeError, KeyError):
            pass
        return Jit, (self.function, *self._options)

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else MethodType(self, instance)

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
            return self._directly(given, out)
        hooks = recording().hooks
        if hooks.checked is not None or hooks.reports:  # they watch numbers, but a tape has both arms of a branch
            return trees.mapped(lambda number: number.data, self._directly(given, out))
        is_batch = given.samples is not None and self.reduce is None
        if out is not None and not is_batch:
            raise ArgumentError(
                "out= takes arrays for the results of each sample, and there is one result.",
                "Leave it out, or set in_axes." if given.samples is None else "Leave it out.",
            )
        compiled = self._for(given)
        compiled.stats.calls += 1
        compiled.stats.conversions = given.conversions
        numbers = compiled.program(given.parts, given.samples)
        if is_batch and (out is not None or isinstance(numbers, list)):
            return trees.columns(compiled.result, iter(numbers), out)
        return compiled.blank.filled(numbers)

    def _with_parameters(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, with the current parameters of a module first."""
        return args if self.model is None else ({name: p.data for name, p in by_first_name(self.model).items()}, *args)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, for one sample."""
        if self.model is not None:
            return functional_call(self.model, args[0], args[1:], kwargs)
        return self.function(*args, **kwargs)

    def _call_for(self, given: Arguments, sample: int) -> Any:
        args, kwargs = given.sample(sample)
        return self.call(*args, **kwargs)

    def _for(self, given: Arguments) -> Compiled:
        """The program for these arguments."""
        key = given.key
        if key not in self._compiled:
            with collector_paused():
                self._compiled[key] = self._compile(given)
        self._last = self._compiled[key]
        return self._last

    def _compile(self, given: Arguments) -> Compiled:
        times = [time.perf_counter()]
        with tracing(sys._getframe(), EXACT) as builder:
            result = given.traced(self.call, builder)
            leaves = [_output(path, leaf) for path, leaf in trees.numbers(result, "result")]
            times.append(time.perf_counter())
            traced = builder.tape(leaves)
        times.append(time.perf_counter())
        tape = without_dead_code(traced)
        times.append(time.perf_counter())
        backend, why = choose(self.backend, tape)
        ready = program(backend, tape, self.reduce)
        times.append(time.perf_counter())
        stages = ("trace", "verify", "passes", "backend")
        seconds = {stage: end - start for stage, start, end in zip(stages, times, times[1:], strict=False)}
        nodes = {"traced": builder.writing.asked, "optimized": len(tape)}
        stats = Stats(nodes, builder.writing.counts, seconds, backend, why)
        zeros = trees.rebuilt(result, iter([0.0] * len(leaves)))
        return Compiled(tape, zeros, trees.Blank(zeros), ready, builder.sites, stats)

    def _directly(self, given: Arguments, out: Any) -> Any:
        """Call the function itself, sample by sample, so that an outer derivative or trace records it."""
        if given.samples is None:
            return self.call(*given.args, **given.kwargs)
        results = [self._call_for(given, i) for i in range(given.samples)]
        model = results[0] if results else self._call_for(given, 0)
        count = len([*trees.numbers(model)])
        rows = [[leaf for _, leaf in trees.numbers(result)] for result in results]
        columns = [*zip(*rows, strict=True)] if rows else [()] * count
        if self.reduce is None:
            return trees.columns(model, iter(columns), out)
        empty = 0.0 if self.reduce == "sum" else math.nan
        return trees.rebuilt(model, iter([_REDUCTIONS[self.reduce](x) if x else empty for x in columns]))


def _output(path: str, leaf: Any) -> Any:
    """A number of the result, as data."""
    if type(leaf) is Traced or (isinstance(leaf, Unrecorded) and leaf.data is leaf):  # or the data of a traced number
        return leaf.data
    if isinstance(leaf, Condition):
        raise OperandError(
            f"The {path} is the answer of a comparison, not a number.", "Return where(condition, 1.0, 0.0)."
        )
    number = None if isinstance(leaf, Methods) else as_number(leaf)
    if number is None:
        raise OperandError(
            f"The {path} of the compiled function is {shown(leaf)}, which is not a number of the trace.",
            "Make it an argument of the function."
            if isinstance(leaf, Methods)
            else "Return numbers, or lists, tuples, dicts and arrays of them.",
        )
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
            samples share; one entry per argument, or one for all. All samples share an argument that f takes by name
            only. f is written for a single sample. A list of numbers, or of lists of them, has one entry per sample;
            lists and dicts of arrays hold a batch in each array.
        reduce: "sum" or "mean" adds up the results of all samples; None returns one per sample, in arrays.
        static_argnums: the positions of arguments that f is compiled for anew at each value, such as a length.
        backend: "interpreter" (Python alone), "numpy", or "auto" for the faster one.

    Returns:
        a function of the same arguments, with the attributes `tape`, `stats` and `lower()`. Inside another derivative
        or trace, and under `checked` or `kinks`, it calls f itself. If there is a batch, `out=` takes arrays for the
        results.

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
    axes = in_axes if isinstance(in_axes, (list, tuple)) else (in_axes,)
    if not all(axis is None or type(axis) is int for axis in axes):
        raise OperandError(
            f"in_axes is {shown(in_axes)}.", "Give one axis for all arguments, or a tuple with one, or None, for each."
        )
    if reduce is not None and not any(axis is not None for axis in axes):
        raise ArgumentError(
            f"reduce={reduce!r} adds up the samples of a batch, but in_axes marks no argument as one.",
            "Set in_axes, or leave out reduce.",
        )
    positions = static_argnums if isinstance(static_argnums, (list, tuple)) else (static_argnums,)
    if not all(type(position) is int for position in positions):
        raise OperandError(
            f"static_argnums is {shown(static_argnums)}.", "Give positions of arguments, counted from 0."
        )
    return Jit(f, in_axes, reduce, static_argnums, backend)
