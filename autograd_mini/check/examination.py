"""What an engine is asked to compute: operations alone, graphs in which order and sums matter, two calls of backward().

Then random graphs, a deep one and a wide one. What fails is made smaller. Not here: the report (`engines`).
Read next: `check.engines`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from autograd_mini.check.adapters import Engine, Outcome, told
from autograd_mini.check.diagnosis import diagnose
from autograd_mini.check.graphs import METHODS, SIGNS, Graph, Step, graph, is_close, random_graphs, shrunk, slopes
from autograd_mini.check.sweeps import magnitudes, named_mistakes, right
from autograd_mini.check.tasks import task_of
from autograd_mini.check.verdicts import Finding, Named, Verdict
from autograd_mini.engine import Value
from autograd_mini.errors import AutogradError, counted
from autograd_mini.notation.text import ALL_DIGITS, number

_SWEEPS = """add 0 0 | mul 0 0 | add 0 1; mul 2 2 | mul 0 1; add 2 2; add 3 3 | mul 0 1; add 2 0 | mul 0 1; add 1 2
mul 0 1; mul 2 0; add 2 3 | mul 0 1; mul 2 0; add 3 2 | add 0 1; mul 2 0; mul 3 1; add 2 4; add 5 2
mul 0 1; mul 2 1; mul 3 0 | add 0 1; mul 2 0; mul 2 1; add 3 4; mul 5 2 | mul 0 0; mul 2 2; add 3 0; mul 4 2
mul 0 1; mul 2 2; add 3 0; mul 4 1; add 2 5; mul 4 6"""
_AGAIN = (  # graphs with two calls of backward(): of the same root, or of roots that share nodes or leaves
    ("add 0 1", (2, 2)), ("add 0 1; add 2 1", (3, 3)), ("mul 0 1; add 2 0", (3, 3)),
    ("mul 0 1; add 2 0; mul 2 1", (3, 4)), ("mul 0 1; add 0 1", (2, 3)), ("mul 0 1; add 2 0; mul 3 1", (3, 4)),
)  # fmt: skip
_POINTS = (3.0, 2.0), (0.5, 1.7), (-1.5, 0.8), (0.8, 0.4), (-0.3, 2.5)
_ROUNDING = 1e-9, 2e-5  # of float64, of float32
_WIDE, _DEEPEST = 60, 20_000  # levels of a graph with 2**60 paths; of one without a second path
_RANDOM, _REPEATED = 60, 16
_MAGNITUDES = 1e16, 1.0, -1e16, 3.0, 1e8, -1e8  # their sum depends on the order


class _HungError(Exception):
    """A small graph took longer than the time limit."""


@dataclass(frozen=True)
class Trial:
    """A graph, and what the engine made of it."""

    graph: Graph
    outcome: Outcome
    tolerance: float

    @cached_property
    def wanted(self) -> list[float]:
        """The right gradients."""
        return right(self.graph)

    @property
    def leaves(self) -> list[float]:
        """The engine's gradients of the leaves."""
        return [gradient or 0.0 for gradient in self.outcome.gradients[: len(self.graph.leaves)]]

    @cached_property
    def leaf(self) -> int | None:
        """The first leaf whose gradient is wrong."""
        if self.outcome.error is not None:
            return None
        found = zip(self.leaves, self.wanted, magnitudes(self.graph), strict=False)
        return next((k for k, (mine, x, size) in enumerate(found) if not is_close(mine, x, self.tolerance, size)), None)

    @property
    def has_value(self) -> bool:
        """Whether the number of the root is right, before any gradient."""
        size = max(map(abs, self.graph.data)) if len(self.graph.steps) > 1 else 0.0
        root = self.graph.roots[0]
        return is_close(self.outcome.numbers[root], self.graph.data[root], self.tolerance, size)

    @property
    def is_wrong(self) -> bool:
        """Whether the number or a gradient is wrong; an error is not."""
        return self.outcome.error is None and (self.leaf is not None or not self.has_value)

    @property
    def form(self) -> str:
        """The last operation as an expression."""
        return self.graph.program("")[-1 - len(self.graph.roots)].partition(" = ")[2]

    @property
    def finding(self) -> Finding:
        """The verdict."""
        where = "; ".join(self.graph.program("Value"))
        if self.outcome.error is not None:
            return Finding(where, Verdict.NOISE, None, math.nan, math.inf, remark=told(self.outcome.error))
        verdict = Verdict.FAIL if self.is_wrong else Verdict.PASS
        if not self.has_value:
            return Finding(f"{where}, its value", verdict, self.outcome.numbers[-1], self.graph.data[-1])
        return Finding(where, verdict, self.leaves[self.leaf or 0], self.wanted[self.leaf or 0])

    def sentence(self, gradient: str) -> str:
        """Say which number is wrong, and which node on the way back has the first wrong gradient."""
        if not self.has_value:
            return f"{self.form} gives {self.outcome.numbers[-1]!r}, and {self.graph.data[-1]!r} is right."
        names, leaf, theirs = self.graph.names, self.leaf or 0, self.outcome.gradients
        few = 4 if number(theirs[leaf]) != number(self.wanted[leaf]) else ALL_DIGITS
        said = (
            f"{names[leaf]}.{gradient} is {number(theirs[leaf], few)}, and {number(self.wanted[leaf], few)} is right."
        )
        for node in reversed(range(len(self.graph.leaves), len(self.graph))):
            if theirs[node] and not is_close(theirs[node], self.wanted[node], self.tolerance):
                first = f"{number(theirs[node])} instead of {number(self.wanted[node])}"
                return f"{said} On the way back, {names[node]}.{gradient} is wrong first: {first}."
        return said


class Sample(NamedTuple):
    """A trial that shows mistakes, and what to say about it if its gradients do not."""

    trial: Trial
    mistakes: tuple[Named, ...]
    said: str = ""


@dataclass
class Examination:
    """One engine, and what is known about it so far."""

    engine: Engine
    findings: list[Finding] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    remarks: list[Named] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)  # the operations that are right, with their arity
    tolerance: float = _ROUNDING[0]

    def run(self) -> None:
        """Try everything, unless the engine hangs."""
        try:
            self._run()
        except _HungError as hung:
            self._give_up(str(hung))
        if self.engine.printed.lines:
            self._remark("printed", f"It printed {counted(self.engine.printed.lines, 'line')}, which are not shown.")

    def _run(self) -> None:
        if self.engine.run(Graph((0.1,), (), ())).numbers != [0.1]:
            self.tolerance = _ROUNDING[1]
            self._remark("float32", "It computes in float32, so gradients are compared in 5 digits.")
        self._operations()
        basic = {"add", "mul"} & self.known.keys()
        if self.known and not basic:
            self._remark("untried", "Neither + nor * is right, so the order and the sums of backward() were not tried.")
        if basic:
            self._structure()
        if basic and not self.samples:
            self._random()
        if len(basic) == 2:
            self._order_of_sums()
            self._clearing()
        if "add" in basic:
            self._limits()

    def _give_up(self, why: str) -> None:
        self.findings.append(Finding("backward()", Verdict.NOISE, None, math.nan, math.inf, remark=why))
        self._remark("cannot-tell", why)

    def _remark(self, name: str, sentence: str, correction: str = "") -> None:
        self.remarks.append(Named(name, sentence, correction))

    def _raises(self, trial: Trial, what: str) -> None:
        assert trial.outcome.error is not None
        verb = "backward() raises" if trial.outcome.is_built else "it raises"
        self._remark("raises", f"Cannot tell about {what}: {verb} {told(trial.outcome.error)}.")

    def _trial(self, given: Graph) -> Trial:
        outcome = self.engine.run(given)
        if outcome.is_hung:
            program = "; ".join(given.program(self.engine.name))
            raise _HungError(f"It did not end within {self.engine.seconds:g} s: {program}")
        return Trial(given, outcome, self.tolerance)

    def _judged(self, given: Graph) -> Trial:
        trial = self._trial(given)
        if trial.outcome.error is None or len(given.roots) == 1:  # an engine may refuse a second backward()
            self.findings.append(trial.finding)
        return trial

    def _show(self, trial: Trial, mistakes: Sequence[Named]) -> None:
        """Note the smallest graph that shows mistakes."""
        small = shrunk(trial.graph, lambda given: self._trial(given).is_wrong)
        self.samples.append(Sample(self._trial(small), tuple(mistakes)))

    # -- each operation ------------------------------------------------------------------------------------------------

    def _operations(self) -> None:
        """Try each operation alone: its number, and its local derivatives."""
        tried = {op: [self._trial(given) for given in _alone(op)] for op in (*SIGNS, *METHODS)}
        wrong: dict[str, list[Trial]] = {}
        for op, trials in tried.items():
            there = [trial for trial in trials if not trial.outcome.is_missing]
            self.findings += [trial.finding for trial in there]
            for trial in [trial for trial in there if trial.outcome.error is not None][:1]:
                self._raises(trial, trial.form)
            if bad := [trial for trial in there if trial.is_wrong]:
                wrong[op] = bad
            elif there and all(trial.outcome.error is None for trial in there):
                forms = [trial.graph.steps[0].operands for trial in there]
                self.known.update((op, len(form)) for form in forms if all(type(x) is int for x in form))
            missing = {trial.form: trial for trial in trials if trial.outcome.is_missing and there and op != "pow"}
            for form, trial in missing.items():
                if trial.outcome.error is not None and len(trial.graph.leaves) < len(trial.graph.steps[0].operands):
                    error = told(trial.outcome.error)
                    self._remark("missing", f"Cannot tell whether {form} is right: it raises {error}.")
        if not self.findings:
            self._give_up("It has none of the operations + - * / **.")
        elif wrong and not any(any(trial.leaves) for trials in tried.values() for trial in trials):
            self.known = {}
            together = [trial for trials in wrong.values() for trial in trials]
            self._show(together[0], named_mistakes([(t.graph, t.leaves) for t in together], self.tolerance))
        else:
            self.samples += [Sample(bad[0], tuple(self._wrong_rule(op, bad))) for op, bad in wrong.items()]

    def _wrong_rule(self, op: str, bad: list[Trial]) -> list[Named]:
        """Name what is wrong with one operation, for its first wrong form."""
        trial = bad[0]
        if not trial.has_value:
            otherwise = Named("wrong-value", f"{trial.form} is wrong, before any gradient.", "Check the formula.")
            return (
                _by_reflection(op, bad, self.tolerance)
                or _by_epsilon(op, bad, self.tolerance)
                or _by_table(op, bad, None)
                or [otherwise]
            )
        by = trial.graph.names[trial.leaf or 0]
        otherwise = Named("wrong-rule", f"The local derivative of {trial.form} by {by} is wrong.", "Derive it again.")
        return _by_operands(op, bad, self.tolerance) or _by_table(op, bad, trial.leaf or 0) or [otherwise]

    # -- order, sums, beginnings ---------------------------------------------------------------------------------------

    def _structure(self) -> None:
        """Try graphs in which the order, the sums and the beginning of backward() matter."""
        cases = [graph(text) for text in _SWEEPS.replace("\n", "|").split("|")]
        for op, arity in self.known.items():
            text = f"{op} 0 {'1' * (arity == 2)}"
            cases += [graph(f"{text}; add 2 0"), graph(f"{text}; add 0 2"), *[graph(f"{op} 0 0")] * (arity == 2)]
        cases += [graph(text, *roots) for text, roots in _AGAIN]
        trials = [self._judged(case) for case in cases if all(step.op in self.known for step in case.steps)]
        named: tuple[Named, ...] = ()
        for calls in (1, 2):  # what goes wrong in one call of backward() needs no second one to show it
            part = [trial for trial in trials if trial.outcome.error is None and len(trial.graph.roots) <= calls]
            bad = [trial for trial in part if len(trial.graph.roots) == calls and trial.is_wrong]
            if not bad:
                continue
            found = named_mistakes([(trial.graph, trial.leaves) for trial in part], self.tolerance)
            new = [mistake for mistake in found if mistake not in named]
            if new or calls == 1 or not named:
                self._show(bad[0], new)
            named = found
        for trial in [trial for trial in trials if trial.outcome.error is not None][:1]:
            self._raises(trial, "; ".join(trial.graph.program(self.engine.name, self.engine.backward)))

    def _random(self) -> None:
        for given in random_graphs([*self.known.items()], _RANDOM):
            trial = self._judged(given)
            if trial.is_wrong:
                self._show(trial, ())
                return

    def _order_of_sums(self) -> None:
        """Repeat a sum whose rounding depends on its order."""
        first, count = 1 + len(_MAGNITUDES), len(_MAGNITUDES)
        steps = [Step("mul", (0, place)) for place in range(1, first)]
        steps += [Step("add", (first + count + k - 2 if k > 1 else first, first + k)) for k in range(1, count)]
        given = Graph((2.0, *_MAGNITUDES), tuple(steps))
        held = [self._trial(given) for _ in range(_REPEATED)]  # all at once, so that addresses differ
        if len({repr(trial.leaves[0]) for trial in held}) > 1:
            self._remark(
                "set-order", "Gradients differ from run to run in their last digits, because operands are in a set, "
                "whose order is not fixed.", "Keep them in a tuple."
            )  # fmt: skip

    def _clearing(self) -> None:
        """Try zero_grad(), if numbers have it."""
        trial = self._trial(graph("mul 0 1"))
        nodes = [node for node in trial.outcome.nodes if callable(getattr(node, "zero_grad", None))]
        for node, name in zip(nodes[::-1], "axy"[3 - len(nodes) :], strict=True):  # that of the root may clear all
            if left := self.engine.cleared(node):
                where = f"{name}.zero_grad()"
                mistake = Named("zero-grad", "zero_grad() does not clear the gradient.", "Set it to 0 there.")
                self.findings.append(Finding(where, Verdict.FAIL, left, 0.0))
                said = f"After {where}, {name}.{self.engine.gradient} is {number(left)}, and 0 is right."
                self.samples.append(Sample(trial, (mistake,), said))
                return

    def _limits(self) -> None:
        """Try a graph deeper than Python's recursion, and one with more paths than can be walked."""
        length = min(2 * sys.getrecursionlimit(), _DEEPEST)
        deep = Graph((2.0, 0.0), tuple([Step("add", (k + 1 if k else 0, 1)) for k in range(length)]))
        if isinstance(self.engine.run(deep).error, RecursionError):
            self._remark(
                "recursion-limit", f"A chain of {length:,} additions raises RecursionError.",
                "Sort the nodes with a loop and a list of your own instead of a function that calls itself.",
            )  # fmt: skip
        wide = Graph((2.0,), tuple([Step("add", (k, k)) for k in range(_WIDE)]))
        if not self.samples and self.engine.run(wide).is_hung:
            self._remark(
                "every-path", f"a = a + a, {_WIDE} times, did not end within {self.engine.seconds:g} s: backward() "
                f"takes each of 2**{_WIDE} paths.", "Visit each node once, in topological order.",
            )  # fmt: skip


def _alone(op: str) -> Iterator[Graph]:
    """Yield the graphs of one operation, with nodes and with constants as operands."""
    for a, b in _POINTS:
        forms: Sequence[tuple[float, ...]] = [(0, 1), (0, 2.0), (2.0, 0)]
        if op == "pow":
            forms = [(0, 2.0), (0, 3.0), (0, -1.0), (0, 0.5), (0, 1), (2.0, 0)][: 6 if a > 0.0 else 3]
        elif op not in SIGNS or op == "neg":
            forms = [(0,)] if a > 0.0 or op not in ("log", "sqrt") else []
        for form in forms:
            yield Graph((a, b)[: 1 + (1 in form)], (Step(op, form),))


def _by_table(op: str, bad: list[Trial], leaf: int | None) -> list[Named]:
    """Ask the table of mistakes what explains the derivatives of an operation, or its values (`leaf` None)."""
    form = bad[0].graph.steps[0].operands
    place = 0 if leaf is None else form.index(leaf)
    points, claimed = [], []
    for trial in [trial for trial in bad if [*map(type, trial.graph.steps[0].operands)] == [*map(type, form)]]:
        form = trial.graph.steps[0].operands
        numbers = [trial.graph.data[x] if type(x) is int else x for x in form]
        points.append((numbers.pop(place), *numbers))
        claimed.append(trial.outcome.numbers[-1] if leaf is None else trial.leaves[leaf])

    def function(x: Any, *others: Any) -> Any:
        return Step(op, ()).applied([*others[:place], x, *others[place:]])

    try:
        found = diagnose(task_of(function, points, op), points, claimed, "value" if leaf is None else "derivative")
    except AutogradError:  # the operation has no derivative there
        return []
    named = [m for m in found.mistakes if not m.is_right and ".py" not in m.sentence]  # not places in this package
    return [Named(m.name, f"In {op}: {m.sentence}", m.correction) for m in named[:1]]


def _by_reflection(op: str, bad: list[Trial], tolerance: float) -> list[Named]:
    """Return the mistake if 2 - x is computed as x - 2."""
    if all(type(t.graph.steps[0].operands[0]) is float for t in bad):
        wanted = [Step(op, ()).applied([t.graph.leaves[0], t.graph.steps[0].operands[0]]) for t in bad]
        if all(is_close(t.outcome.numbers[-1], x, tolerance) for t, x in zip(bad, wanted, strict=True)):
            sign = SIGNS[op][0]
            return [Named("reflected", f"2 {sign} x is computed as x {sign} 2.",
                          f"The reflected operator of {op} is other {sign} self, in this order.")]  # fmt: skip
    return []


def _by_epsilon(op: str, bad: list[Trial], tolerance: float) -> list[Named]:
    """Return the mistake if the values are those of x + ε, which keeps log and division from infinity."""
    step, (first, *_) = Step(op, ()), bad[0].graph.steps[0].operands
    for epsilon in [10.0**-k for k in range(3, 13)] * (len(bad[0].graph.steps[0].operands) == 1 and first == 0):
        wanted = [step.applied([Value(trial.graph.leaves[0] + epsilon)]).data for trial in bad]
        if all(is_close(t.outcome.numbers[-1], x, tolerance / 100) for t, x in zip(bad, wanted, strict=True)):
            return [Named("epsilon", f"It computes {op} of x + {epsilon:g}: finite at 0, and wrong everywhere else.",
                          "Leave it out: -inf at 0 is right, and losses of logits need no log of 0.")]  # fmt: skip
    return []


_KNOWN: dict[str, tuple[tuple[int, str, Callable[..., Any]], ...]] = {  # wrong formulas, by the operand
    "pow": ((0, "y * x**y: the exponent must become one less", lambda x, y: y * x**y),
            (0, "x**(y - 1): the factor y is missing", lambda x, y: x ** (y - 1)),
            (0, "y * x: the exponent y - 1 is missing", lambda x, y: y * x)),
    "div": ((1, "-x / y: the divisor must be squared", lambda x, y: -x / y),
            (1, "-1 / y**2: the numerator is missing", lambda x, y: -1.0 / y**2),
            (0, "y: it must be 1 / y", lambda x, y: y)),
}  # fmt: skip


def _follows(trial: Trial, place: int, rule: Callable[..., Any], tolerance: float) -> bool:
    """Return True if the wrong derivative is that of the operand in a place, and a rule gives it."""
    operands = trial.graph.steps[0].operands
    node = operands[place] if place < len(operands) else -1.0
    numbers = [trial.graph.data[x] if type(x) is int else x for x in operands]
    return type(node) is int and trial.leaf == node and is_close(trial.leaves[node], rule(*numbers), tolerance)


def _by_operands(op: str, bad: list[Trial], tolerance: float) -> list[Named]:
    """Return the mistake in an operation if a factor or an operand is missing, or two operands are confused."""
    if op not in ("relu", "sub", "neg") and all(t.leaves[t.leaf] == 1.0 for t in bad if t.leaf is not None):
        sentence = f"The gradient goes through {op} unchanged: the local derivative is missing."
        return [Named("inner-derivative", sentence, "Multiply by the local derivative.")]
    for place, said, rule in _KNOWN.get(op, ()):
        if all(_follows(trial, place, rule, tolerance) for trial in bad):
            return [Named("formula", f"The local derivative of x {SIGNS[op][0]} y is {said}.", "Derive it again.")]
    both = [(t.leaves, slopes(t.graph.steps[0], t.graph.data)) for t in bad if len(t.graph.leaves) == 2]
    if both and all(is_close(a, y, tolerance) and is_close(b, x, tolerance) for (a, b), (x, y) in both):
        return [Named("swapped", f"The operands of {op} get each other's gradients.", "Exchange them.")]
    for place, name in enumerate(("first", "second")):
        if both and all(seen[place] == 0.0 for seen, _ in both):
            return [Named("forgotten", f"The {name} operand of {op} gets nothing.", "Add its contribution as well.")]
    return []
