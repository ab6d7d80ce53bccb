"""An engine of your own, and what it made of one graph: right or wrong, and the mistake if that is one operation.

The names it uses are found by trying: `data` and `grad` as in micrograd, `derivative` as in minitorch, arrays as in
TinyTorch. Not here: mistakes in the order and the sums of a whole backward pass (`sweeps`).
Read next: `check.engines.examination`.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import math
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from autograd_mini.check.engines.graphs import SIGNS, Graph, Step, looked_up
from autograd_mini.check.mistakes.diagnosis import Quantity, diagnose
from autograd_mini.check.mistakes.formulas import right_formula
from autograd_mini.check.mistakes.sweeps import gradients, is_close
from autograd_mini.check.tasks import task_of
from autograd_mini.check.verdicts import Finding, Named, Verdict
from autograd_mini.core.arrays import is_array
from autograd_mini.core.row import as_number
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, shown
from autograd_mini.notation.text import ALL_DIGITS, elided, number

_MISSING = (TypeError, AttributeError, NotImplementedError, AssertionError)  # raised where an operation is missing
LOST = 0.01  # of a local derivative such as 1 - y**2 in its tail, beside a tolerance


@dataclass(frozen=True)
class Trial:
    """A graph, and what an engine made of it."""

    graph: Graph
    tolerance: float
    numbers: list[float | None]  # of the nodes that were computed
    gradients: list[float | None]  # after the last sweep; None where the engine keeps none
    error: BaseException | None = None  # what it raised
    words: tuple[str, str] = ("data", "grad")  # what the engine calls number and gradient

    @property
    def is_built(self) -> bool:
        """Whether all nodes were computed."""
        return len(self.numbers) == len(self.graph)

    @property
    def is_missing(self) -> bool:
        """Whether the engine has no such operation."""
        return isinstance(self.error, _MISSING) and not self.is_built

    @property
    def step(self) -> Step:
        """The first operation."""
        return self.graph.steps[0]

    @property
    def function(self) -> str:
        """The operation, if the graph is a call of one function; else ""."""
        return self.step.op if len(self.graph.steps) == 1 and self.step.op not in SIGNS else ""

    @cached_property
    def wanted(self) -> list[float]:
        """The right gradients."""
        return gradients(self.graph.edges, self.graph.roots)

    @property
    def leaves(self) -> list[float]:
        """The engine's gradients of the leaves."""
        return [gradient or 0.0 for gradient in self.gradients[: len(self.graph.leaves)]]

    @cached_property
    def leaf(self) -> int | None:
        """The first leaf whose gradient is wrong: by more than the rounding of the terms that add up to it."""
        if self.has_kink and 0.0 <= self.leaves[0] <= 1.0:
            return None
        lost = 0.0 if len(self.graph.steps) == 1 and not self.function else LOST
        edges = [[e._replace(local=abs(e.local) + lost) for e in pairs] for pairs in self.graph.edges]
        sizes = gradients(edges, self.graph.roots)
        found = zip(self.leaves if self.error is None else (), self.wanted, sizes, strict=False)
        return next((k for k, (mine, x, size) in enumerate(found) if not is_close(mine, x, self.tolerance, size)), None)

    @property
    def has_kink(self) -> bool:
        """Whether it is relu at 0, whose slope is a convention."""
        return self.function == "relu" and self.graph.data[0] == 0.0

    @property
    def has_other_slope(self) -> bool:
        """Whether the slope at a kink is right, but not that of this package."""
        return self.has_kink and self.error is None and self.leaf is None and self.leaves[0] != self.wanted[0]

    @property
    def has_value(self) -> bool:
        """Whether the number of the root is right, before any gradient."""
        size = max(map(abs, self.graph.data)) if len(self.graph.steps) > 1 else 0.0
        size = LOST if self.function else size  # in the tails, a formula with exponentials loses digits
        root = self.graph.roots[0]
        return is_close(self.numbers[root], self.graph.data[root], self.tolerance, size)

    @property
    def is_wrong(self) -> bool:
        """Whether the number or a gradient is wrong; an error is not."""
        return self.error is None and (self.leaf is not None or not self.has_value)

    @property
    def operands(self) -> list[float]:
        """The numbers of the operands of the first operation."""
        return looked_up(self.step.operands, self.graph.data)

    @property
    def form(self) -> str:
        """The last operation as an expression."""
        return self.graph.program("")[-1 - len(self.graph.roots)].partition(" = ")[2]

    @property
    def finding(self) -> Finding:
        """The verdict."""
        where = "; ".join(self.graph.program("Value"))
        if self.error is not None:
            return Finding(where, Verdict.NOISE, None, math.nan, math.inf, remark=told(self.error))
        if not self.has_value:
            return Finding(f"{where}, its value", Verdict.FAIL, self.numbers[-1], self.graph.data[-1])
        verdict, leaf = Verdict.PASS if self.leaf is None else Verdict.FAIL, self.leaf or 0
        if self.has_other_slope:
            return Finding(where, Verdict.KINK, self.leaves[0], self.wanted[0], left=0.0, right=1.0)
        return Finding(where, verdict, self.leaves[leaf], self.wanted[leaf])

    def sentence(self, gradient: str) -> str:
        """Say which number is wrong, and which node on the way back has the first wrong gradient."""
        if not self.has_value:
            return f"{self.form} gives {self.numbers[-1]!r}, and {self.graph.data[-1]!r} is right."
        names, leaf, theirs, wanted = self.graph.names, self.leaf or 0, self.gradients, self.wanted
        few = 4 if number(theirs[leaf]) != number(wanted[leaf]) else ALL_DIGITS
        said = f"{names[leaf]}.{gradient} is {number(theirs[leaf], few)}, and {number(wanted[leaf], few)} is right."
        for node in reversed(range(len(self.graph.leaves), len(self.graph))):
            if theirs[node] and not is_close(theirs[node], wanted[node], self.tolerance):
                first = f"{number(theirs[node])} instead of {number(wanted[node])}"
                return f"{said} On the way back, {names[node]}.{gradient} is wrong first: {first}."
        return said


def told(error: BaseException | None) -> str:
    """Return the type of an error and the beginning of its message."""
    message = str(error).strip().split("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {elided(message, 120)}" if message else type(error).__name__


# -- the mistake in one operation --------------------------------------------------------------------------------------


def wrong_rule(op: str, trials: Sequence[Trial]) -> Named:
    """Return what is wrong with an operation, in the form of the first trial, which is wrong; others may be right."""
    trial = trials[0]
    if not trial.has_value:
        otherwise = Named("wrong-value", f"{trial.form} is wrong, before any gradient.", "")
        found = _reflected(op, trials) or _by_table(op, trials, "value") or otherwise
    else:
        by = trial.graph.names[trial.leaf or 0]
        otherwise = Named("wrong-rule", f"The local derivative of {trial.form} by {by} is wrong.", "")
        found = _local(op, trials) or _by_table(op, trials, "derivative") or otherwise
    return replace(found, correction=_correction_of(trial))


def wrong_at(op: str, trial: Trial) -> Named:
    """Return what to say about an operation that is right at ordinary numbers, and wrong at these."""
    numbers = " and ".join([number(x, ALL_DIGITS) for x in trial.operands])
    sentence = f"{op} is right at ordinary numbers, and wrong at {numbers}."
    return Named("special-operand", sentence, _correction_of(trial))


_RULES = {  # by the operands, in the words of an engine
    "add": ("self.{g} += out.{g}", "other.{g} += out.{g}"), "sub": ("self.{g} += out.{g}", "other.{g} -= out.{g}"),
    "mul": ("self.{g} += other.{d} * out.{g}", "other.{g} += self.{d} * out.{g}"),
    "div": ("self.{g} += out.{g} / other.{d}", "other.{g} -= self.{d} / other.{d}**2 * out.{g}"),
    "pow": ("self.{g} += n * self.{d}**(n - 1) * out.{g}, with n the exponent",
            "other.{g} += math.log(self.{d}) * out.{d} * out.{g}"),
    "neg": ("self.{g} -= out.{g}",),
}  # fmt: skip


def _correction_of(trial: Trial) -> str:
    """Return how to compute an operation, or its rule by the first operand that is wrong, in the engine's words."""
    step, (data, grad) = trial.step, trial.words
    if not trial.has_value:
        operands = [f"{name}.{data}" for name, _ in zip(("self", "other"), step.operands, strict=False)]
        written = step.written(operands) if step.op in SIGNS else f"{step.op}({operands[0]})"
        return f"Compute out.{data} = {written}."
    if step.op in _RULES:
        return f"Write {_RULES[step.op][_place(trial)].format(d=data, g=grad)}."
    formula = right_formula(step.op).partition(",")[0]
    words = {"a": f"out.{data}", "x": f"self.{data}"}
    written = re.sub(r"\b[ax]\b", lambda found: words[found[0]], formula)
    return f"Write self.{grad} += {f'({written})' if ' ' in written else written} * out.{grad}."


def _place(trial: Trial) -> int:
    """Return which operand has the first wrong gradient; 0 if it is the value that is wrong."""
    return next((k for k, x in enumerate(trial.step.operands) if type(x) is int and x == (trial.leaf or 0)), 0)


def _alike(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that are of the same form as the first one."""
    form = [*map(type, trials[0].step.operands)]
    return [t for t in trials if [*map(type, t.step.operands)] == form]


def _by_table(op: str, trials: Sequence[Trial], quantity: Quantity) -> Named | None:
    """Ask the table of mistakes what explains the values of an operation, or its derivatives by one operand."""
    place, by, trials = _place(trials[0]), trials[0].leaf or 0, _alike(trials)
    points = [(t.operands[place], *t.operands[:place], *t.operands[place + 1 :]) for t in trials]
    claimed = [t.numbers[-1] if quantity == "value" else t.leaves[by] for t in trials]

    def function(x: Any, *others: Any) -> Any:
        return Step(op, ()).applied([*others[:place], x, *others[place:]])

    try:
        found = diagnose(task_of(function, points, op), points, claimed, quantity)
    except AutogradError:  # the operation has no derivative there
        return None
    named = [m for m in found.mistakes if not m.is_right and ".py" not in m.sentence]  # not places in this package
    return next((Named(m.name, f"In {op}: {m.sentence}", "") for m in named), None)


def _reflected(op: str, trials: Sequence[Trial]) -> Named | None:
    """Return the mistake if 2 - x is computed as x - 2."""
    bad = [trial for trial in trials if trial.is_wrong]
    if op not in SIGNS or not all(type(t.step.operands[0]) is float for t in bad):
        return None
    swapped = [Step(op, ()).applied([*map(Value, t.operands[::-1])]).data for t in bad]
    if not all(is_close(t.numbers[-1], x, t.tolerance) for t, x in zip(bad, swapped, strict=True)):
        return None
    return Named("reflected", f"2 {SIGNS[op][0]} x is computed as x {SIGNS[op][0]} 2.", "")


Rule = Callable[[list[float], list[float], int], float]  # of operands, right local derivatives, and a place
_LOCAL: tuple[tuple[str, str, str, Rule], ...] = (  # operations, name, sentence, and the local derivative that is used
    ("", "inner-derivative", "The gradient goes through {op} unchanged: the local derivative is missing.",
     lambda xs, slopes, k: 1.0),
    ("", "swapped", "{swapped}", lambda xs, slopes, k: slopes[1 - k]),
    ("", "forgotten", "The {nth} operand of {op} gets nothing.", lambda xs, slopes, k: 0.0),
    ("pow", "formula", "The local derivative of x ** y is y * x**y: the exponent must become one less.",
     lambda xs, slopes, k: xs[1] * xs[0] ** xs[1]),
    ("pow", "formula", "The local derivative of x ** y is x**(y - 1): the factor y is missing.",
     lambda xs, slopes, k: xs[0] ** (xs[1] - 1.0)),
    ("pow", "formula", "The local derivative of x ** y is y * x: the exponent y - 1 is missing.",
     lambda xs, slopes, k: xs[1] * xs[0]),
    ("div", "formula", "The local derivative of x / y is -x / y: the divisor must be squared.",
     lambda xs, slopes, k: -xs[0] / xs[1]),
    ("div", "formula", "The local derivative of x / y is -1 / y**2: the numerator is missing.",
     lambda xs, slopes, k: -1.0 / xs[1] ** 2),
)  # fmt: skip


def _local(op: str, trials: Sequence[Trial]) -> Named | None:
    """Return the mistake if a factor or an operand is missing, or two operands are confused."""
    place, by, trials = _place(trials[0]), trials[0].leaf or 0, _alike(trials)
    nth = ("first", "second")[place]
    swapped = f"The operands of {op} get each other's gradients."
    if len(trials[0].leaves) == 2 and is_close(trials[0].leaves[1 - by], trials[0].wanted[1 - by], trials[0].tolerance):
        swapped = f"The {nth} operand of {op} gets the gradient of the other one."
    for operation, name, sentence, rule in _LOCAL if op not in ("relu", "sub", "neg") else ():
        is_of_two = name in ("swapped", "forgotten")
        if operation in ("", op) and (len(trials[0].leaves) == 2 or not is_of_two):
            local = [rule(t.operands, _slopes(t), place) for t in trials]
            if all(is_close(t.leaves[by], x, t.tolerance) for t, x in zip(trials, local, strict=True)):
                return Named(name, sentence.format(op=op, nth=nth, swapped=swapped), "")
    return None


def _slopes(trial: Trial) -> list[float]:
    """Return the right derivatives of the only operation by its operands, 0 by a constant."""
    by = {edge.place: edge.local for edge in trial.graph.edges[-1]}
    return [by.get(place, 0.0) for place in range(len(trial.step.operands))]


# -- how an engine is used ---------------------------------------------------------------------------------------------

_NUMBERS = ("data", "value", "val", "_data", "item")
_PARTS: dict[str, tuple[str, tuple[str, ...], Callable[[Any], bool]]] = {  # what a user writes, names to try, a test
    "number": ("data", _NUMBERS, lambda found: number_in(found) == 2.0),
    "backward()": ("backward", ("backward", "backprop", "backpropagate"), callable),
    "gradient": ("grad or derivative", ("grad", "derivative", "gradient", "_grad", "adjoint"),
                 lambda found: not callable(found)),
}  # fmt: skip
ROUNDING, ROUNDING_32 = 1e-9, 2e-5  # relative, of float64 and float32


class TimeoutReached(BaseException):
    """The time is up; not an Exception, so that an engine's `except Exception` does not swallow it."""


_RAISED = (Exception, SystemExit, TimeoutReached)


class Engine:
    """A class, or a function that makes its objects from a number."""

    def __init__(self, make: Callable[..., Any], seconds: float) -> None:
        if not callable(make):
            raise OperandError(
                f"check_engine() takes a class, not {shown(make)}.", "Pass the class itself: check_engine(Value)."
            )
        self.name = getattr(make, "__name__", type(make).__name__)
        self.seconds, self.tolerance, self._make = seconds, ROUNDING, make
        self._settings = {"requires_grad": True} if "requires_grad" in _parameters(make) else {}
        try:
            with _borne(seconds):
                sample = self._leaf(2.0)
        except _RAISED as error:
            raise ArgumentError(
                f"{self.name}(2.0) raised {told(error)}.", "Pass a class, or a function, that takes one number."
            ) from error
        self._number, self.backward, self.gradient = (self._name_of(part, sample) for part in _PARTS)
        given = _parameters(getattr(sample, self.backward)).values()
        required = [p for p in given if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD]
        self._seed = (1.0,) * len(required)  # as in backward(gradient)

    def _name_of(self, part: str, sample: Any) -> str:
        usual, names, fits = _PARTS[part]
        for name in names:
            if hasattr(sample, name) and fits(getattr(sample, name)):
                return name
        raise ArgumentError(
            f"{self.name}(2.0) is {shown(sample)}, and nothing in it looks like its {part}.",
            f"Pass a class whose objects have {usual}; a subclass may add it as a property.",
        )

    def run(self, graph: Graph) -> Trial:
        """Build a graph with the engine and call its backward(), as often as the graph says."""
        nodes: list[Any] = []
        error: BaseException | None = None
        try:
            with _borne(self.seconds):
                nodes += [self._leaf(number) for number in graph.leaves]
                graph.extend(nodes)
                for root in graph.roots:
                    getattr(nodes[root], self.backward)(*self._seed)
        except _RAISED as raised:
            error = raised
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of gradients that it does not keep
            numbers, gradients = ([_read(node, name) for node in nodes] for name in (self._number, self.gradient))
        for place in range(min(len(graph.leaves), len(nodes))):  # a leaf that nothing arrives at may have None
            gradients[place] = gradients[place] or 0.0
        return Trial(graph, self.tolerance, numbers, gradients, error, (self._number, self.gradient))

    def _leaf(self, number: float) -> Any:
        node = self._make(number, **self._settings)
        if callable(require := getattr(node, "requires_grad_", None)):
            require(True)
        return node


def number_in(thing: Any) -> float | None:
    """Return the number in a float, an array or tensor of one element, or an object that holds one; else None."""
    for _ in range(4):
        if thing is None or (number := as_number(thing)) is not None:
            return None if thing is None else number
        if is_array(thing):
            thing = thing.item() if thing.size == 1 else None
        else:
            inner = next((getattr(thing, name) for name in ("item", *_NUMBERS) if hasattr(thing, name)), None)
            thing = inner() if callable(inner) else inner
    return None


def _read(node: Any, name: str) -> float | None:
    try:
        return number_in(getattr(node, name, None))
    except Exception:  # from a property
        return None


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # written in C
        return {}


@contextlib.contextmanager
def _borne(seconds: float) -> Iterator[None]:
    """Tolerate an engine that prints, warns, or never ends."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(nowhere),
        _time_limit(seconds),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutReached in this thread when the time is up: between two instructions of Python, not inside C."""
    thread, lock, raise_in = threading.get_ident(), threading.Lock(), ctypes.pythonapi.PyThreadState_SetAsyncExc
    is_over = is_up = False

    def interrupt() -> None:
        nonlocal is_up
        with lock:
            is_up = not is_over
            if is_up:
                raise_in(ctypes.c_ulong(thread), ctypes.py_object(TimeoutReached))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        # Python 3.11 cannot cancel an interruption cleanly: it then hangs under any tracer, so wait for it to come.
        with contextlib.suppress(TimeoutReached):
            timer.cancel()
            with lock:
                is_over = True
            for _ in range(1000 if is_up else 0):
                pass
