"""`check_engine`: is a `Value` class of your own right, and if not, which mistake does it make?

It computes operations alone, graphs in which order and sums matter, random ones, a deep and a wide one; what fails is
made smaller. Not here: a time limit that nothing escapes (`child`). Read next: `check.pytorch`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autograd_mini.check.engines.graphs import METHODS, SIGNS, Graph, Step, graph, random_graphs, shrunk
from autograd_mini.check.engines.trials import ROUNDING_32, Engine, TimeoutReached, Trial, told, wrong_at, wrong_rule
from autograd_mini.check.mistakes.sweeps import is_close, named_mistakes
from autograd_mini.check.verdicts import Diagnosis, Finding, Named, Verdict, on_screen
from autograd_mini.drawing import draw
from autograd_mini.errors import counted
from autograd_mini.notation.text import number

_SWEEPS = """add 0 0 | mul 0 0 | add 0 1; mul 2 2 | mul 0 1; add 2 2; add 3 3 | mul 0 1; add 2 0 | mul 0 1; add 1 2
mul 0 1; mul 2 0; add 2 3 | mul 0 1; mul 2 0; add 3 2 | add 0 1; mul 2 0; mul 3 1; add 2 4; add 5 2
mul 0 1; mul 2 1; mul 3 0 | add 0 1; mul 2 0; mul 2 1; add 3 4; mul 5 2 | mul 0 0; mul 2 2; add 3 0; mul 4 2
mul 0 1; mul 2 2; add 3 0; mul 4 1; add 2 5; mul 4 6"""
_AGAIN = (  # graphs with two calls of backward(): of the same root, or of roots that share nodes or leaves
    ("add 0 1", (2, 2)), ("add 0 1; add 2 1", (3, 3)), ("mul 0 1; add 2 0", (3, 3)),
    ("mul 0 1; add 2 0; mul 2 1", (3, 4)), ("mul 0 1; add 0 1", (2, 3)), ("mul 0 1; add 2 0; mul 3 1", (3, 4)),
)  # fmt: skip
_ORDER = ("add", "mul", "pow", "neg", "sub", "div", *METHODS)  # those that others are made of come first
_PARTS = {"neg": ("mul",), "sub": ("add", "mul", "neg"), "div": ("mul", "pow")}  # which many engines build from these
_POINTS = (3.0, 2.0), (0.5, 1.7), (-1.5, 0.8), (0.8, 0.4), (-0.3, 2.5)
_SPECIAL = (  # pairs of numbers where a rule with a case of its own goes wrong: zeros, ones, ties, large and tiny ones
    (0.0, 2.0), (2.0, 0.0), (-0.0, 3.0), (3.0, -0.0), (0.0, 0.0), (1.0, -1.0), (-1.0, 1.0), (3.0, 3.0), (-2.0, -2.0),
    (1e8, 1e-8), (1e-8, 1e8),
)  # fmt: skip
_SPECIAL_OF_ONE = (0.0, -0.0, 1.0, -1.0, 5.0, -5.0, 20.0, -20.0, 1e-8)
_DEEPEST = 20_000  # operations of a graph without a second path
_RANDOM = 60  # random graphs


@dataclass(frozen=True)
class Example:
    """The smallest graph that shows a mistake."""

    graph: Graph
    theirs: list[float | None]  # the engine's gradient of each node; None where it keeps none
    right: list[float]
    program: tuple[str, ...]  # the lines of the computation, as you would write them for the engine
    sentence: str  # which number is wrong
    mistakes: tuple[Named, ...]  # what explains it; empty if nothing known does

    @cached_property
    def svg(self) -> str:
        """A picture of the graph with the right gradients; the names say those of the engine where they differ."""
        nodes = self.graph.nodes
        for node, name, mine, wanted in zip(nodes, self.graph.names, self.theirs, self.right, strict=True):
            is_same = mine is None or is_close(mine, wanted, 1e-5)
            node.name = name if is_same else f"{name} (yours: {number(mine)})"
        for root in self.graph.roots:
            nodes[root].backward()
        return draw(nodes[self.graph.roots[-1]], title=self.sentence, legend=False).svg


@dataclass(frozen=True, repr=False)
class EngineReport(Diagnosis):
    """What `check_engine` found, graph by graph; print it, or look at it in a notebook.

    Attributes:
        examples: for each mistake, the smallest graph that shows it.
        remarks: limits, and what could not be tried; they do not change the verdict.
    """

    examples: tuple[Example, ...] = ()
    remarks: tuple[Named, ...] = ()

    @property
    def svg(self) -> str:
        """The picture of the first example; "" if there is none."""
        return self.examples[0].svg if self.examples else ""

    def __repr__(self) -> str:
        count, wrong = len(self.findings), sum(finding.verdict is Verdict.FAIL for finding in self.findings)
        said = f"{wrong} of {counted(count, 'graph')} went wrong." if wrong else f"{counted(count, 'graph')} are right."
        lines = [f"{self.title}: {self.verdict}, {'cannot tell.' if self.verdict is Verdict.NOISE else said}"]
        for example in self.examples:
            for mistake in example.mistakes:
                lines += ["", f"  {mistake.name}: {mistake.sentence}", f"  do: {mistake.correction}"]
            lines += [""] * (not example.mistakes) + [f"      {line}" for line in example.program]
            lines += [f"  {example.sentence}"] + ["  No known mistake explains it."] * (not example.mistakes)
        lines += [""] * bool(self.remarks)
        lines += [f"  {remark.name}: {remark.sentence} {remark.correction}".rstrip() for remark in self.remarks]
        return on_screen("\n".join(lines))

    def _repr_html_(self) -> str:
        return super()._repr_html_() + "".join(example.svg for example in self.examples)


def check_engine(Class: Callable[..., Any], seconds: float = 5.0) -> EngineReport:
    """Judge an engine of your own by its gradients in small graphs, and name its mistake.

    The engine may use the names of micrograd (`data`, `grad`, `backward`), of minitorch (`derivative`), or hold arrays
    of one element. It runs in this process: an engine that never ends is interrupted between two instructions of
    Python, and what it prints is dropped. `autograd-mini check-engine FILE.py:CLASS` runs it in a process of its own.

    Args:
        Class: the class, or a function that makes one of its objects from a number.
        seconds: how long the engine may take for one graph.

    Returns:
        a report: true if the engine is right; it has `.verdict`, `.mistakes`, `.examples`, `.remarks` and `.svg`, and
        prints as text.

    Raises:
        OperandError: Class cannot be called.
        ArgumentError: an object of the class cannot be made from a number, or has no number, gradient or backward().

    >>> import autograd_mini as am
    >>> am.check_engine(am.Value).ok
    True
    """
    found = Examination(Engine(Class, seconds))
    found.run()
    mistakes = tuple(dict.fromkeys(mistake for example in found.examples for mistake in example.mistakes))
    return EngineReport(
        found.engine.name, tuple(found.findings), mistakes, examples=tuple(found.examples), remarks=tuple(found.remarks)
    )


# -- what is tried -----------------------------------------------------------------------------------------------------


class _HungError(Exception):
    """A small graph took longer than the time limit."""


@dataclass
class Examination:
    """One engine, and what is known about it so far."""

    engine: Engine
    findings: list[Finding] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    remarks: list[Named] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)  # the operations that are right, with their arity
    forms: list[Step] = field(default_factory=list)  # those, with constants as operands as well
    wrong: dict[str, list[Trial]] = field(default_factory=dict)  # those that are not, with the wrong trials first
    special: set[str] = field(default_factory=set)  # of those, the ones that are wrong at special numbers alone

    def run(self) -> None:
        """Try everything, unless the engine hangs."""
        try:
            if self.engine.run(Graph((0.1,), (), ())).numbers != [0.1]:
                self.engine.tolerance = ROUNDING_32
                self._remark("float32", "It computes in float32, so gradients are compared in 5 digits.")
            self._operations()
            basic = {"add", "mul"} & self.known.keys()
            if basic:
                self._structure()
            elif self.known:
                said = "Neither + nor * is right, so the order and the sums of backward() were not tried."
                self._remark("untried", said)
            for op, bad in self.wrong.items():
                self._show_rule(op, bad)
            if basic and not self.examples:
                self._random()
            if "add" in basic:
                self._depth()
        except _HungError as hung:
            self._give_up(str(hung))

    def _give_up(self, why: str) -> None:
        self.findings.append(Finding("backward()", Verdict.NOISE, None, math.nan, math.inf, remark=why))
        self._remark("cannot-tell", why)

    def _remark(self, name: str, sentence: str, correction: str = "") -> None:
        self.remarks.append(Named(name, sentence, correction))

    def _raised(self, trials: Sequence[Trial]) -> None:
        """Say what the engine raised first, if it did."""
        for trial in [trial for trial in trials if trial.error is not None][:1]:
            is_alone = len(trial.graph.steps) == len(trial.graph.roots) == 1
            what = trial.form if is_alone else "; ".join(self._program(trial.graph))
            verb = "backward() raises" if trial.is_built else "it raises"
            self._remark("raises", f"Cannot tell about {what}: {verb} {told(trial.error)}.")

    def _program(self, given: Graph) -> list[str]:
        return given.program(self.engine.name, self.engine.backward)

    def _trial(self, given: Graph) -> Trial:
        trial = self.engine.run(given)
        if isinstance(trial.error, TimeoutReached):
            program = "; ".join(self._program(given))
            raise _HungError(f"It did not end within {self.engine.seconds:g} s: {program}")
        return trial

    def _judged(self, given: Graph) -> Trial:
        trial = self._trial(given)
        if trial.error is None or len(given.roots) == 1:  # an engine may refuse a second backward()
            self.findings.append(trial.finding)
        return trial

    def _show(self, trial: Trial, mistakes: Sequence[Named]) -> None:
        """Note a graph that shows mistakes."""
        given, said = trial.graph, trial.sentence(self.engine.gradient)
        program = tuple(self._program(given))
        self.examples.append(Example(given, trial.gradients, trial.wanted, program, said, tuple(mistakes)))

    def _shrink(self, trial: Trial) -> Trial:
        """Return the smallest graph that goes wrong as well."""
        return self._trial(shrunk(trial.graph, lambda given: self._trial(given).is_wrong))

    def _named(self, trials: Sequence[Trial]) -> tuple[Named, ...]:
        ended = [trial for trial in trials if trial.error is None]
        observed = [(trial.graph.edges, trial.graph.roots, trial.leaves) for trial in ended]
        return named_mistakes(observed, self.engine.tolerance)

    # -- each operation ------------------------------------------------------------------------------------------------

    def _operations(self) -> None:
        """Try each operation alone: its number, and its local derivatives."""
        alone: list[Trial] = []
        for op in _ORDER:
            trials = [self._trial(given) for given in _alone(op)]
            there = [trial for trial in trials if not trial.is_missing]
            for trial in trials if there and op != "pow" else ():
                if trial.is_missing and trial.graph.leaves == (3.0,) and len(trial.step.operands) > 1:
                    said = f"Cannot tell whether {trial.form} is right: it raises {told(trial.error)}."
                    self._remark("missing", said)
            alone += there
            self._note(op, there)
            if there and all(trial.error is None for trial in there) and op not in self.wrong:
                # An engine may refuse to compute there; a computed number whose backward() fails cannot be judged.
                special = [trial for trial in map(self._trial, _special(op)) if trial.error is None or trial.is_built]
                self._note(op, special)
                self.special |= {op} & self.wrong.keys()
                if op not in self.wrong:
                    self.forms += dict.fromkeys(trial.step for trial in there)
                    self.known.update((op, len(t.operands)) for t in there if len(t.graph.leaves) == len(t.operands))
        if not self.findings:
            self._give_up("It has none of the operations + - * / **.")
        elif len(self.wrong) > 1 and not self.known and (seed := self._named([*alone, *self._twice()])):
            self._show(self._shrink(next(iter(self.wrong.values()))[0]), seed)
            self.wrong = {}
        else:
            self._blame()

    def _note(self, op: str, trials: Sequence[Trial]) -> None:
        self.findings += [trial.finding for trial in trials]
        self._raised(trials)
        if any(trial.is_wrong for trial in trials):
            self.wrong[op] = sorted([t for t in trials if t.error is None], key=lambda trial: not trial.is_wrong)
        if any(trial.has_other_slope for trial in trials):
            self._remark("convention", "At 0, relu has a different slope from this package's: any from 0 to 1 will do.")

    def _twice(self) -> Iterator[Trial]:
        """Yield operations on their own results: a wrong seed counts once there, a wrong factor of each twice."""
        for op in self.wrong.keys() & {"add", "mul", "sub", "div"}:
            yield self._trial(Graph((3.0, 2.0), (Step(op, (0, 1)), Step(op, (2, 1)))))

    def _blame(self) -> None:
        """Name the mistakes in operations whose parts are right; others wait until the parts, or the sums, are."""
        wrong, self.wrong = self.wrong, {}
        for op in [op for op in _ORDER if op in wrong]:
            bad = wrong[op]  # a wrong number does not come from a wrong gradient
            parts = [p for p in _PARTS.get(op, ()) if p in wrong and (bad[0].has_value or not wrong[p][0].has_value)]
            if parts:
                self._waits_for(parts[0], op)
            elif op in _PARTS:
                self.wrong[op] = bad
            else:
                self._show_rule(op, bad)

    def _show_rule(self, op: str, bad: Sequence[Trial]) -> None:
        self._show(bad[0], [wrong_at(op, bad[0]) if op in self.special else wrong_rule(op, bad)])

    def _waits_for(self, what: str, op: str) -> None:
        self._remark("made-of-others", f"{op} goes wrong as well; many engines build it from other operations.",
                     f"Fix {what} first, then check again.")  # fmt: skip

    # -- order, sums, beginnings ---------------------------------------------------------------------------------------

    def _structure(self) -> None:
        """Try graphs in which the order, the sums and the beginning of backward() matter."""
        cases = [graph(text) for text in _SWEEPS.replace("\n", "|").split("|")]
        for op, arity in self.known.items():
            text = f"{op} 0 {'1' * (arity == 2)}"
            cases += [graph(f"{text}; add 2 0"), graph(f"{text}; add 0 2"), *[graph(f"{op} 0 0")] * (arity == 2)]
        cases += [graph(text, *roots) for text, roots in _AGAIN]
        arriving = (Step("add", (2, 2)), Step("mul", (2, 1)), Step("mul", (2, 2)))  # gradients that are not 1
        cases = [case for case in cases if all(step.op in self.known for step in case.steps)]
        cases += [Graph((2.0, 3.0), (f, step)) for f in self.forms for step in arriving if step.op in self.known]
        trials = [*map(self._judged, cases)]
        named: tuple[Named, ...] = ()
        for calls in (1, 2):  # one call of backward() suffices to show what goes wrong in one
            part = [trial for trial in trials if trial.error is None and len(trial.graph.roots) <= calls]
            bad = [trial for trial in part if len(trial.graph.roots) == calls and trial.is_wrong]
            if not bad:
                continue
            if plain := [trial for trial in bad if _is_plain(trial.graph)]:
                bad, part = plain, [trial for trial in part if _is_plain(trial.graph)]
            found = self._named(part)
            new = [mistake for mistake in found if mistake not in named]
            if new or calls == 1 or not named:
                self._show(self._shrink(bad[0]), new)
            named = found
            for op in [op for op, waiting in self.wrong.items() if calls == 1 and found and waiting[0].has_value]:
                del self.wrong[op]
                self._waits_for("the order or the sums of backward()", op)
        self._raised(trials)

    def _random(self) -> None:
        for given in random_graphs([*self.known.items()], _RANDOM):
            if (trial := self._judged(given)).is_wrong:
                self._show(self._shrink(trial), ())
                return

    def _depth(self) -> None:
        """Try a graph deeper than Python's recursion."""
        length = min(2 * sys.getrecursionlimit(), _DEEPEST)
        deep = Graph((2.0, 0.0), tuple([Step("add", (k + 1 if k else 0, 1)) for k in range(length)]))
        if isinstance(self.engine.run(deep).error, RecursionError):
            self._remark("recursion-limit", f"A chain of {length:,} additions raises RecursionError.", "Sort the nodes "
                         "with a loop and a list of your own instead of a function that calls itself.")  # fmt: skip


def _is_plain(given: Graph) -> bool:
    """Whether no operation is one that engines build from others: the engine then has the same nodes as the graph."""
    return not _PARTS.keys() & {step.op for step in given.steps}


def _alone(op: str) -> Iterator[Graph]:
    """Yield the graphs of one operation, with nodes and with constants as operands."""
    for a, b in _POINTS:
        forms: Sequence[tuple[float, ...]] = [(0, 1), (0, 2.0), (2.0, 0)]
        if op == "pow":
            forms = [(0, 2.0), (0, 3.0), (0, -1.0), (0, 0.5), (0, 1), (2.0, 0)][: 6 if a > 0.0 else 3]
        elif op not in SIGNS or op == "neg":
            forms = [(0,)] if a > 0.0 or op not in ("log", "sqrt") else []
        for form in forms:
            yield _one_step(op, form, a, b)


def _special(op: str) -> Iterator[Graph]:
    """Yield the graphs of one operation at special numbers, where it has finite derivatives."""
    if op not in SIGNS or op == "neg":
        large = (1e8, -1e8) if op in ("relu", "neg") else (1e8,) * (op in ("log", "sqrt"))
        for x in (*_SPECIAL_OF_ONE, *large):
            if x > 0.0 or op not in ("log", "sqrt"):
                yield _one_step(op, (0,), x)
        return
    for a, b in _SPECIAL:
        forms: list[tuple[float, ...]] = [(0, 1), (0, b), (b, 0)]
        if op == "div":
            forms = [form for form, divisor in zip(forms, (b, b, a), strict=True) if divisor != 0.0]
        elif op == "pow":
            forms = [(0, 1.0), (0, 2.0), (0, 3.0)]
            forms += [(0, 0.0), (0, -1.0)] * (a != 0.0)
            forms += [(0, 1), (0, 0.5)] * (a > 0.0) + [(2.0, 0)] * (0.0 <= a <= 10.0)
        for form in forms:
            yield _one_step(op, form, a, b)


def _one_step(op: str, form: tuple[float, ...], *numbers: float) -> Graph:
    """Return the graph of one operation, with as many leaves as the form has."""
    return Graph(numbers[: sum(type(x) is int for x in form)], (Step(op, form),))
