"""`check_engine`: is a `Value` class of your own right, and if not, which mistake is in it.

It computes operations alone, graphs in which order and sums matter, random ones, a deep and a wide one; what fails is
made smaller. Not here: a time limit that nothing escapes (`child`). Read next: `check.child`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autograd_mini.check.adapters import ROUNDING_32, Engine, TimeoutReached
from autograd_mini.check.graphs import METHODS, SIGNS, Graph, Step, graph, is_close, random_graphs, shrunk
from autograd_mini.check.sweeps import LOST, named_mistakes
from autograd_mini.check.trials import Trial, told, wrong_at, wrong_rule
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
_ORDER = ("add", "mul", "pow", "neg", "sub", "div", *METHODS)  # what others are made of comes first
_OFTEN_MADE = ("neg", "sub", "div")
_POINTS = (3.0, 2.0), (0.5, 1.7), (-1.5, 0.8), (0.8, 0.4), (-0.3, 2.5)
_SPECIAL = (  # pairs of numbers where a rule with a case of its own goes wrong: zeros, ones, ties, large and tiny ones
    (0.0, 2.0), (2.0, 0.0), (-0.0, 3.0), (3.0, -0.0), (0.0, 0.0), (1.0, -1.0), (-1.0, 1.0), (3.0, 3.0), (-2.0, -2.0),
    (1e8, 1e-8), (1e-8, 1e8),
)  # fmt: skip
_SPECIAL_OF_ONE = (0.0, -0.0, 1.0, -1.0, 5.0, -5.0, 20.0, -20.0, 1e-8)
_WIDE, _DEEPEST = 60, 20_000  # levels of a graph with 2**60 paths; of one without a second path
_RANDOM, _REPEATED = 60, 16
_MAGNITUDES = 2.0, 1e16, 1.0, -1e16, 3.0, 1e8, -1e8  # the slope by the first depends on the order of the sum
_SUM = "mul 0 1; mul 0 2; mul 0 3; mul 0 4; mul 0 5; mul 0 6; add 7 8; add 13 9; add 14 10; add 15 11; add 16 12"


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
    labels: dict[str, str] = field(default_factory=dict)  # what the engine calls an operation; "" if nothing
    made: dict[str, set[str]] = field(default_factory=dict)  # operations that it makes of others, with their labels
    wrong: dict[str, list[Trial]] = field(default_factory=dict)  # such ones, which wait for a reason
    is_swept_wrong: bool = False  # is a mistake in the order or the sums of one backward() known?

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
            self.engine.tolerance = ROUNDING_32
            self._remark("float32", "It computes in float32, so gradients are compared in 5 digits.")
        self._operations()
        basic = {"add", "mul"} & self.known.keys()
        if self.known and not basic:
            self._remark("untried", "Neither + nor * is right, so the order and the sums of backward() were not tried.")
        if basic:
            self._structure()
        self._made_of_others()
        if basic:
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

    def _raised(self, trials: Sequence[Trial]) -> None:
        """Say what the engine raised first, if it did."""
        for trial in [trial for trial in trials if trial.error is not None][:1]:
            is_alone = len(trial.graph.steps) == len(trial.graph.roots) == 1
            what = trial.form if is_alone else self._program(trial.graph)
            verb = "backward() raises" if trial.is_built else "it raises"
            self._remark("raises", f"Cannot tell about {what}: {verb} {told(trial.error)}.")

    def _program(self, given: Graph) -> str:
        return "; ".join(given.program(self.engine.name, self.engine.backward))

    def _trial(self, given: Graph) -> Trial:
        trial = self.engine.run(given)
        if isinstance(trial.error, TimeoutReached):
            raise _HungError(f"It did not end within {self.engine.seconds:g} s: {self._program(given)}")
        return trial

    def _judged(self, given: Graph) -> Trial:
        trial = self._trial(given)
        if trial.error is None or len(given.roots) == 1:  # an engine may refuse a second backward()
            self.findings.append(trial.finding)
        return trial

    def _show(self, trial: Trial, mistakes: Sequence[Named], said: str = "") -> None:
        """Note a graph that shows mistakes, and what to say about it if its gradients do not."""
        given, said = trial.graph, said or trial.sentence(self.engine.gradient)
        program = tuple(given.program(self.engine.name, self.engine.backward))
        self.examples.append(Example(given, trial.gradients, trial.wanted, program, said, tuple(mistakes)))

    def _shrink(self, trial: Trial) -> Trial:
        """Return the smallest graph that goes wrong as well."""
        return self._trial(shrunk(trial.graph, lambda given: self._trial(given).is_wrong))

    # -- each operation ------------------------------------------------------------------------------------------------

    def _operations(self) -> None:
        """Try each operation alone: its number, and its local derivatives."""
        wrong: dict[str, list[Trial]] = {}
        alone: list[Trial] = []
        for op in _ORDER:
            trials = [self._trial(given) for given in _alone(op)]
            there = [trial for trial in trials if not trial.is_missing]
            alone += there
            self.findings += [trial.finding for trial in there]
            self._raised(there)
            built = [trial.nodes[-1] for trial in there if trial.is_built]
            label, behind = (self.engine.parts(built[0]) if built else None) or ("", [])
            if behind or (
                op in _OFTEN_MADE and label and label in self.labels.values()
            ):  # x - y = x + (-y), and -x = x * -1
                self.made[op] = {label, *behind}
            self.labels[op] = label
            if bad := [trial for trial in there if trial.is_wrong]:
                wrong[op] = bad
            elif there and all(trial.error is None for trial in there):
                steps = [trial.graph.steps[0] for trial in there]
                self.forms += dict.fromkeys(steps)
                self.known.update((op, len(form)) for _, form in steps if all(type(x) is int for x in form))
            missing = {trial.form: trial for trial in trials if trial.is_missing and there and op != "pow"}
            for form, trial in missing.items():
                if len(trial.graph.leaves) < len(trial.graph.steps[0].operands):  # with a constant
                    self._remark("missing", f"Cannot tell whether {form} is right: it raises {told(trial.error)}.")
        if not self.findings:
            self._give_up("It has none of the operations + - * / **.")
        elif wrong and not any(any(trial.leaves) for trial in alone):
            self.known = {}
            together = [trial for trials in wrong.values() for trial in trials]
            mistakes = named_mistakes([(trial.graph, trial.leaves) for trial in together], self.engine.tolerance)
            self._show(self._shrink(together[0]), mistakes)
        elif wrong and (seed := _seed([*alone, *self._twice(alone)])) is not None:
            self.known = {}
            times = number(seed, 6)
            named = Named("seed", f"backward() begins with {times} at the root instead of 1, so every gradient is "
                          f"{times} times what is right.",
                          f"Begin backward() with self.{self.engine.gradient} = 1.0.")  # fmt: skip
            self._show(next(iter(wrong.values()))[0], [named])
        else:
            special = self._at_special_numbers([op for op in _ORDER if op not in wrong])
            self._blame(wrong | special, special)

    def _twice(self, alone: Sequence[Trial]) -> Iterator[Trial]:
        """Yield operations on their own results: a wrong seed counts once there, a wrong factor of each twice."""
        for op in dict.fromkeys(trial.graph.steps[0].op for trial in alone if trial.graph.steps[0].operands == (0, 1)):
            trial = self._trial(Graph((3.0, 2.0), (Step(op, (0, 1)), Step(op, (2, 1)))))
            if not trial.is_missing:
                yield trial

    def _at_special_numbers(self, operations: Sequence[str]) -> dict[str, list[Trial]]:
        """Try operations that are right so far at zeros, ones, ties, large and tiny numbers; return what goes wrong."""
        wrong: dict[str, list[Trial]] = {}
        for op in operations:
            if not any(step.op == op for step in self.forms):
                continue
            trials = [self._trial(given) for given in _special(op)]
            raised = [trial for trial in trials if trial.error is not None and not trial.is_missing]
            self._raised(raised)
            # An engine may refuse to compute there; a computed number whose backward() fails cannot be judged.
            self.findings += [trial.finding for trial in trials if trial.error is None or trial.is_built]
            if any(trial.has_other_slope for trial in trials):
                self._remark(
                    "convention", "At 0, relu has another slope than in this package: any from 0 to 1 will do."
                )
            if bad := [trial for trial in trials if trial.is_wrong]:
                wrong[op] = bad
        self.known = {op: arity for op, arity in self.known.items() if op not in wrong}
        self.forms = [step for step in self.forms if step.op not in wrong]
        return wrong

    def _blame(self, wrong: dict[str, list[Trial]], special: dict[str, list[Trial]]) -> None:
        """Name the mistakes in operations that are not made of others; the rest waits in `wrong`."""
        self.wrong = {op: bad for op, bad in wrong.items() if op in self.made}
        blamed = [op for op in _ORDER if op in wrong and op not in self.made]
        for op in blamed:
            self._show(wrong[op][0], [wrong_at(op, wrong[op][0]) if op in special else wrong_rule(op, wrong[op])])
        for part in blamed:  # a wrong number does not come from a wrong gradient
            self._waits_for(part, [
                op for op, bad in self.wrong.items()
                if self.labels[part] in self.made[op] | {""} and (bad[0].has_value or not wrong[part][0].has_value)
            ])  # fmt: skip

    def _waits_for(self, what: str, rest: Sequence[str]) -> None:
        """Say which operations go wrong because of something else, and forget them."""
        if rest:
            verb, them = ("goes", "it") if len(rest) == 1 else ("go", "them")
            said = f"{', '.join(rest)} {verb} wrong as well, and the engine makes {them} of other operations."
            self._remark("made-of-others", said, f"Mend {what} first, then check again.")
        self.wrong = {op: bad for op, bad in self.wrong.items() if op not in rest}

    def _made_of_others(self) -> None:
        """Name mistakes in operations that are made of others, unless the order or the sums explain them."""
        if self.is_swept_wrong:
            rest = [op for op, bad in self.wrong.items() if bad[0].has_value]
            self._waits_for("the order or the sums of backward()", rest)
        for op, bad in self.wrong.items():
            self._show(bad[0], [wrong_rule(op, bad)])

    # -- order, sums, beginnings ---------------------------------------------------------------------------------------

    def _structure(self) -> None:
        """Try graphs in which the order, the sums and the beginning of backward() matter."""
        cases = [graph(text) for text in _SWEEPS.replace("\n", "|").split("|")]
        for op, arity in self.known.items():
            text = f"{op} 0 {'1' * (arity == 2)}"
            cases += [graph(f"{text}; add 2 0"), graph(f"{text}; add 0 2"), *[graph(f"{op} 0 0")] * (arity == 2)]
        cases += [graph(text, *roots) for text, roots in _AGAIN]
        cases = [case for case in cases if all(step.op in self.known for step in case.steps)]
        trials = [self._judged(case) for case in [*cases, *self._scaled()]]
        named: tuple[Named, ...] = ()
        for calls in (1, 2):  # what goes wrong in one call of backward() needs no second one to show it
            part = [trial for trial in trials if trial.error is None and len(trial.graph.roots) <= calls]
            bad = [trial for trial in part if len(trial.graph.roots) == calls and trial.is_wrong]
            if not bad:
                continue
            if plain := [trial for trial in bad if self._is_plain(trial.graph)]:
                bad, part = plain, [trial for trial in part if self._is_plain(trial.graph)]
            found = named_mistakes([(trial.graph, trial.leaves) for trial in part], self.engine.tolerance)
            new = [mistake for mistake in found if mistake not in named]
            if new or calls == 1 or not named:
                self._show(self._shrink(bad[0]), new)
            named = found
            self.is_swept_wrong = self.is_swept_wrong or (calls == 1 and bool(found))
        self._raised(trials)

    def _is_plain(self, given: Graph) -> bool:
        """Whether no operation is made of others: the engine then has the same nodes as the graph."""
        return not self.made.keys() & {step.op for step in given.steps}

    def _scaled(self) -> Iterator[Graph]:
        """Yield each operation in graphs in which what arrives at it is not 1."""
        for op, form in self.forms:
            then = [Step("add", (2, 2)), Step("mul", (2, 1)), Step("mul", (2, 2))]
            yield from [Graph((2.0, 3.0), (Step(op, form), step)) for step in then if step.op in self.known]

    def _random(self) -> None:
        for given in random_graphs([*self.known.items()], 0 if self.examples else _RANDOM):
            if (trial := self._judged(given)).is_wrong:
                self._show(self._shrink(trial), ())
                return

    def _order_of_sums(self) -> None:
        """Repeat a sum whose rounding depends on its order."""
        given = graph(_SUM, leaves=_MAGNITUDES)
        held = [self._trial(given) for _ in range(_REPEATED)]  # all at once, so that addresses differ
        if len({repr(trial.leaves[0]) for trial in held}) > 1:
            self._remark(
                "set-order", "Gradients differ from run to run in their last digits, because operands are in a set, "
                "whose order is not fixed.", "Keep them in a tuple."
            )  # fmt: skip

    def _clearing(self) -> None:
        """Try zero_grad(), if numbers have it."""
        trial = self._trial(graph("mul 0 1"))
        nodes = [node for node in trial.nodes if callable(getattr(node, "zero_grad", None))]
        for node, name in zip(nodes[::-1], "axy"[3 - len(nodes) :], strict=True):  # that of the root may clear all
            if left := self.engine.cleared(node):
                where = f"{name}.zero_grad()"
                mistake = Named("zero-grad", "zero_grad() does not clear the gradient.", "Set it to 0 there.")
                self.findings.append(Finding(where, Verdict.FAIL, left, 0.0))
                said = f"After {where}, {name}.{self.engine.gradient} is {number(left)}, and 0 is right."
                self._show(trial, [mistake], said)
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
        if not self.examples and isinstance(self.engine.run(wide).error, TimeoutReached):
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


def _seed(alone: Sequence[Trial]) -> float | None:
    """Return the factor of all gradients of operations alone, if there is one beside 1."""
    trials = [trial for trial in alone if trial.error is None]
    pairs = [pair for trial in trials for pair in zip(trial.leaves, trial.wanted, strict=False)]
    factor = next((mine / wanted for mine, wanted in pairs if wanted), 0.0)
    is_known = len({trial.graph.steps[0].op for trial in trials}) > 1 and factor not in (0.0, 1.0)
    is_same = all(is_close(mine, factor * wanted, trials[0].tolerance, LOST) for mine, wanted in pairs)
    return factor if is_known and is_same and all(trial.has_value for trial in trials) else None


def _one_step(op: str, form: tuple[float, ...], *numbers: float) -> Graph:
    """Return the graph of one operation, with as many leaves as the form has."""
    return Graph(numbers[: sum(type(x) is int for x in form)], (Step(op, form),))
