"""`check_engine`: is a `Value` class of your own right, and if not, which mistake is in it.

First every operation alone, then small graphs in which order and sums matter, two calls of backward(), random graphs, a
deep and a wide graph. What fails is made smaller. Not here: a time limit that nothing escapes (`child`).
Read next: `check.child`.
"""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autograd_mini.check import diagnosis, tasks
from autograd_mini.check.adapters import Engine, Outcome, told
from autograd_mini.check.graphs import (
    METHODS,
    SIGNS,
    Graph,
    Step,
    graph,
    is_close,
    random_graphs,
    shrunk,
    single,
    slopes,
)
from autograd_mini.check.sweeps import magnitudes, named_mistakes, right
from autograd_mini.check.verdicts import Diagnosis, Finding, Named, Verdict
from autograd_mini.drawing import draw
from autograd_mini.errors import counted
from autograd_mini.notation.text import ALL_DIGITS, number

_SWEEPS = """add 0 0 | mul 0 0 | add 0 1; mul 2 2 | mul 0 1; add 2 2; add 3 3 | mul 0 1; add 2 0 | mul 0 1; add 1 2
mul 0 1; mul 2 0; add 2 3 | mul 0 1; mul 2 0; add 3 2 | add 0 1; mul 2 0; mul 3 1; add 2 4; add 5 2
mul 0 1; mul 2 1; mul 3 0 | add 0 1; mul 2 0; mul 2 1; add 3 4; mul 5 2 | mul 0 0; mul 2 2; add 3 0; mul 4 2
mul 0 1; mul 2 2; add 3 0; mul 4 1; add 2 5; mul 4 6"""
_AGAIN = (  # graphs with two calls of backward(): of the same root, or of roots that share nodes or leaves
    ("add 0 1", (2, 2)), ("add 0 1; add 2 1", (3, 3)), ("mul 0 1; add 2 0", (3, 3)),
    ("mul 0 1; add 2 0; mul 2 1", (3, 4)), ("mul 0 1; add 0 1", (2, 3)), ("mul 0 1; add 2 0; mul 3 1", (3, 4)),
)  # fmt: skip
_POINTS = (3.0, 2.0), (0.5, 1.7), (-1.5, 0.8)
_ROUNDING = 1e-9, 2e-5  # of float64, of float32
_WIDE = 60  # levels of a graph with 2**60 paths
_RANDOM, _REPEATED = 60, 16
_MAGNITUDES = 1e16, 1.0, -1e16, 3.0, 1e8, -1e8


@dataclass(frozen=True)
class Example:
    """The smallest graph that shows a mistake, with the engine's gradients and the right ones.

    Attributes:
        program: its lines, as you would write them for the engine.
        sentence: which gradient is wrong.
        mistakes: what explains it; empty if nothing known does.
    """

    graph: Graph
    theirs: list[float | None]
    right: list[float]
    program: tuple[str, ...]
    sentence: str
    mistakes: tuple[Named, ...]

    @cached_property
    def svg(self) -> str:
        """A picture of the graph: the right gradients, and in the names those of the engine that differ."""
        made = Graph(self.graph.leaves, self.graph.steps)  # new nodes, to be named
        for node, name, mine, wanted in zip(made.nodes, made.names, self.theirs, self.right, strict=True):
            is_wrong = mine is not None and not is_close(mine, wanted, _ROUNDING[1])
            node.name = f"{name} (yours: {number(mine)})" if is_wrong else name
        for root in self.graph.roots:
            made.nodes[root].backward()
        return draw(made.nodes[self.graph.roots[-1]], title=self.sentence, legend=False).svg


@dataclass(frozen=True, repr=False)
class EngineReport(Diagnosis):
    """What `check_engine` found; print it, or look at it in a notebook.

    Attributes:
        examples: the smallest graph for each mistake.
        remarks: limits, and what could not be tried; they do not change the verdict.
    """

    examples: tuple[Example, ...] = ()
    remarks: tuple[Named, ...] = ()

    @property
    def svg(self) -> str:
        """The picture of the first example; "" if there is none."""
        return self.examples[0].svg if self.examples else ""

    def __str__(self) -> str:
        said = {
            Verdict.FAIL: f"{self._count(Verdict.FAIL)} of {counted(len(self.findings), 'graph')} went wrong.",
            Verdict.NOISE: "cannot tell.",
        }
        lines = [f"{self.title}: {self.verdict}, " + said.get(self.verdict, f"{len(self.findings)} graphs are right.")]
        for example in self.examples:
            for mistake in example.mistakes:
                lines += ["", f"  {mistake.name}: {mistake.sentence}", f"  do: {mistake.correction}"]
            lines += [""] * (not example.mistakes) + [f"      {line}" for line in example.program]
            lines.append(f"  {example.sentence}")
            lines += ["  No known mistake explains all of it."] * (not example.mistakes)
        lines += [""] * bool(self.remarks)
        lines += [f"  {remark.name}: {remark.sentence} {remark.correction}".rstrip() for remark in self.remarks]
        return "\n".join(lines)

    def _count(self, verdict: Verdict) -> int:
        return sum(finding.verdict is verdict for finding in self.findings)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>" + "".join(example.svg for example in self.examples)


def check_engine(Class: Callable[..., Any], seconds: float = 5.0) -> EngineReport:
    """Judge an engine of your own by its gradients: small graphs, against this package; and name the mistake.

    The engine may use the names of micrograd (`data`, `grad`, `backward`), of minitorch (`derivative`), or hold arrays
    of one element. It runs in this process: an engine that never ends is interrupted between two instructions of
    Python, and what it prints is dropped. `autograd-mini check-engine FILE.py:Class` runs it in a process of its own.

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
    engine = Engine(Class, seconds)
    examination = _Examination(engine)
    try:
        examination.run()
    except _HungError as hung:
        examination.give_up(str(hung))
    return examination.report()


class _HungError(Exception):
    """A small graph took longer than the time limit."""


@dataclass
class _Examination:
    """One engine, and what is known about it so far."""

    engine: Engine
    findings: list[Finding] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    remarks: list[Named] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)  # the operations that are right, with their arity
    tolerance: float = _ROUNDING[0]

    def run(self) -> None:
        """Try everything."""
        tenth = self.engine.run(Graph((0.1,), (), ())).numbers[0]
        if tenth != 0.1:
            self.tolerance = _ROUNDING[1]
            self._remark("float32", "It computes in float32, so gradients are compared in 5 digits.")
        self._operations()
        if self.known and not any(op in self.known for op in ("add", "mul")):
            self._remark("untried", "Neither + nor * is right, so the order and the sums of backward() were not tried.")
        if not any(op in self.known for op in ("add", "mul")):
            return
        self._structure()
        if not self.examples:
            self._random()
        if {"add", "mul"} <= self.known.keys():
            self._order_of_sums()
        self._limits()

    def report(self) -> EngineReport:
        """Return what was found."""
        if self.engine.printed.lines:
            self._remark("printed", f"It printed {counted(self.engine.printed.lines, 'line')}, which are not shown.")
        found = tuple(dict.fromkeys(m for example in self.examples for m in example.mistakes))
        return EngineReport(
            self.engine.name, tuple(self.findings), found, (), tuple(self.examples), tuple(self.remarks)
        )

    def give_up(self, why: str) -> None:
        """Note that nothing more can be said."""
        self.findings.append(Finding("backward()", Verdict.NOISE, None, math.nan, remark=why))
        self._remark("cannot-tell", why)

    def _remark(self, name: str, sentence: str, correction: str = "") -> None:
        self.remarks.append(Named(name, sentence, correction))

    # -- one graph -----------------------------------------------------------------------------------------------------

    def _outcome(self, given: Graph) -> Outcome:
        outcome = self.engine.run(given)
        if outcome.is_hung:
            program = "; ".join(given.program(self.engine.name))
            raise _HungError(f"It did not end within {self.engine.seconds:g} s: {program}")
        return outcome

    def _is_wrong(self, given: Graph) -> bool:
        outcome = self._outcome(given)
        return outcome.error is None and self._worst(given, outcome) is not None

    def _worst(self, given: Graph, outcome: Outcome) -> int | None:
        """Return the first leaf whose gradient is wrong."""
        pairs = zip(outcome.gradients[: len(given.leaves)], right(given), magnitudes(given), strict=False)
        wrong = [k for k, (mine, wanted, size) in enumerate(pairs) if not is_close(mine, wanted, self.tolerance, size)]
        return wrong[0] if wrong else None

    def _judge(self, given: Graph) -> Outcome:
        """Run a graph, and note the verdict."""
        outcome = self._outcome(given)
        where = "; ".join(given.program(self.engine.name))
        if outcome.error is not None:
            if len(given.roots) == 1:  # an engine may refuse a second backward()
                self.findings.append(Finding(where, Verdict.NOISE, None, math.nan, remark=told(outcome.error)))
            return outcome
        leaf, root = self._worst(given, outcome), given.roots[0]
        claimed, expected = outcome.gradients[leaf or 0], right(given)[leaf or 0]
        if not self._has_value(given, outcome):
            claimed, expected = outcome.numbers[root], given.data[root]
            where = f"{where}, its value"
        verdict = Verdict.FAIL if self._is_off(given, outcome) else Verdict.PASS
        self.findings.append(Finding(where, verdict, claimed, expected))
        return outcome

    def _show(self, given: Graph, mistakes: Sequence[Named]) -> None:
        """Note the smallest graph that shows a mistake."""
        small = shrunk(given, self._is_wrong)
        outcome, wanted, names = self._outcome(small), right(small), small.names
        leaf = self._worst(small, outcome) or 0
        sentence = (
            f"{self._gradient(names[leaf])} is {number(outcome.gradients[leaf])}, and {number(wanted[leaf])} is right."
        )
        behind = [
            node
            for node in reversed(range(len(small.leaves), len(small)))
            if outcome.gradients[node] and not is_close(outcome.gradients[node], wanted[node], self.tolerance)
        ]
        if behind:
            mine, other = number(outcome.gradients[behind[0]]), number(wanted[behind[0]])
            sentence += (
                f" On the way back, {self._gradient(names[behind[0]])} is wrong first: {mine} instead of {other}."
            )
        program = tuple(small.program(self.engine.name, self.engine.backward))
        self.examples.append(Example(small, outcome.gradients, wanted, program, sentence, tuple(mistakes)))

    def _gradient(self, name: str) -> str:
        return f"{name}.{self.engine.gradient}"

    def _contrast(self, given: Graph, node: int, mine: float | None, wanted: float) -> str:
        few = 4 if number(mine) != number(wanted) else ALL_DIGITS
        return f"{self._gradient(given.names[node])} is {number(mine, few)}, and {number(wanted, few)} is right."

    # -- each operation ------------------------------------------------------------------------------------------------

    def _operations(self) -> None:
        """Try each operation alone: its number, and its local derivatives."""
        silent = True  # every gradient was 0
        wrong: list[tuple[str, list[Graph]]] = []
        for op in (*SIGNS, *METHODS):
            tried, missing = [], []
            for given in _alone(op):
                outcome = self._outcome(given)
                if outcome.is_missing:
                    missing.append((given, outcome))
                    continue
                tried.append((given, self._judge(given)))
                silent = silent and not any(outcome.gradients[: len(given.leaves)])
            self._note_missing(missing, bool(tried))
            bad = [given for given, outcome in tried if outcome.error is None and self._is_off(given, outcome)]
            if bad:
                wrong.append((op, bad))
            elif all(outcome.error is None for _, outcome in tried):
                forms = [given.steps[0].operands for given, _ in tried]
                self.known.update((op, len(form)) for form in forms if all(type(x) is int for x in form))
        if not self.findings or all(f.verdict is Verdict.NOISE for f in self.findings):
            self.give_up(next((f.remark for f in self.findings), "It has none of the operations + - * / **."))
        elif silent:
            self.known = {}
            self._show(
                wrong[0][1][0], named_mistakes([(g, self._leaves(g)) for _, gs in wrong for g in gs], self.tolerance)
            )
        else:
            for op, bad in wrong:
                self._wrong_rule(op, bad)

    def _leaves(self, given: Graph) -> list[float]:
        return [x or 0.0 for x in self._outcome(given).gradients[: len(given.leaves)]]

    def _is_off(self, given: Graph, outcome: Outcome) -> bool:
        return self._worst(given, outcome) is not None or not self._has_value(given, outcome)

    def _has_value(self, given: Graph, outcome: Outcome) -> bool:
        return is_close(
            outcome.numbers[-1], given.data[-1], self.tolerance, max(map(abs, given.data)) * (len(given.steps) > 1)
        )

    def _note_missing(self, missing: list[tuple[Graph, Outcome]], is_there: bool) -> None:
        """Note the forms of an operation that an engine lacks, such as 2 * x, if it has another form."""
        forms: dict[str, str] = {}  # with the error
        for given, outcome in missing:
            step = given.steps[0]
            if is_there and step.op != "pow" and any(type(x) is float for x in step.operands) and outcome.error:
                forms.setdefault(_form(given), told(outcome.error))
        for form, error in forms.items():
            self._remark("missing", f"Cannot tell whether {form} is right: it raises {error}.")

    def _wrong_rule(self, op: str, bad: list[Graph]) -> None:
        """Name what is wrong with one operation."""
        example = bad[0]
        outcome = self._outcome(example)
        form = _form(example)
        if not self._has_value(example, outcome):
            sentence = f"{form} gives {outcome.numbers[-1]!r}, and {example.data[-1]!r} is right."
            mistakes = [
                Named("wrong-value", f"The result of {form} is wrong, before any gradient.", "Check the formula.")
            ]
            self._keep(example, outcome, sentence, self._by_table(op, bad, None) or mistakes)
            return
        leaf = self._worst(example, outcome) or 0
        rule = self._by_table(op, bad, leaf) or _by_operands(op, [(g, self._leaves(g)) for g in bad], self.tolerance)
        by = example.names[leaf]
        fallback = Named("wrong-rule", f"The local derivative of {form} by {by} is wrong.", "Derive it again.")
        wanted = right(example)[leaf]
        sentence = self._contrast(example, leaf, outcome.gradients[leaf], wanted)
        self._keep(example, outcome, sentence, rule or [fallback])

    def _keep(self, given: Graph, outcome: Outcome, sentence: str, mistakes: Sequence[Named]) -> None:
        program = tuple(given.program(self.engine.name, self.engine.backward))
        self.examples.append(Example(given, outcome.gradients, right(given), program, sentence, tuple(mistakes)))

    def _by_table(self, op: str, bad: list[Graph], leaf: int | None) -> list[Named]:
        """Ask the table of mistakes what explains the derivatives of an operation, or its values (`leaf` None)."""
        points, claimed = [], []
        for given in bad:
            operands, outcome = given.steps[0].operands, self._outcome(given)
            if operands == bad[0].steps[0].operands:
                numbers = [given.data[x] if type(x) is int else x for x in operands]
                first = operands.index(leaf) if leaf is not None else 0
                points.append((numbers[first], *numbers[:first], *numbers[first + 1 :]))
                claimed.append(outcome.numbers[-1] if leaf is None else outcome.gradients[leaf])

        def function(x: Any, *others: Any) -> Any:
            operands = [*others[:first], x, *others[first:]]
            return Step(op, ()).applied(operands)

        try:
            task = tasks.task_of(function, tuple(points), op)
            found = diagnosis.diagnose(task, points, claimed, "value" if leaf is None else "derivative")
        except NotImplementedError:
            return []
        return [Named(m.name, f"In {op}: {m.sentence}", m.correction) for m in found.mistakes[:1] if not m.is_right]

    # -- order, sums, beginnings ---------------------------------------------------------------------------------------

    def _structure(self) -> None:
        """Try graphs in which the order, the sums and the beginning of backward() matter."""
        cases = [graph(text) for text in _SWEEPS.replace("\n", "|").split("|")]
        for op, arity in self.known.items():
            text = f"{op} 0 {'1' * (arity == 2)}"
            cases += [graph(f"{text}; add 2 0"), graph(f"{text}; add 0 2")]
            cases += [graph(f"{op} 0 0")] * (arity == 2)
        cases += [graph(text, *roots) for text, roots in _AGAIN]
        cases = [case for case in cases if all(step.op in self.known for step in case.steps)]
        judged = [(case, self._judge(case)) for case in cases]
        named: dict[Named, None] = {}
        for calls in (1, 2):  # what goes wrong in one call of backward() needs no second one to show it
            part = [(c, outcome) for c, outcome in judged if outcome.error is None and len(c.roots) <= calls]
            bad = [c for c, outcome in part if len(c.roots) == calls and self._worst(c, outcome) is not None]
            found = named_mistakes([(c, self._leaves(c)) for c, _ in part], self.tolerance) if bad else ()
            if bad and (calls == 1 or not self.examples or not {*found} <= named.keys()):
                self._show(bad[0], [mistake for mistake in found if mistake not in named])
            named |= dict.fromkeys(found)
        for case, outcome in judged:
            if outcome.error is not None:
                program = "; ".join(case.program(self.engine.name, self.engine.backward))
                self._remark("raises", f"Cannot tell about {program}: it raises {told(outcome.error)}.")
                break

    def _random(self) -> None:
        for given in random_graphs([*self.known.items()], _RANDOM):
            outcome = self._judge(given)
            if outcome.error is None and self._worst(given, outcome) is not None:
                self._show(given, ())
                return

    def _order_of_sums(self) -> None:
        """Repeat a sum whose rounding depends on its order."""
        first, count = 1 + len(_MAGNITUDES), len(_MAGNITUDES)
        steps = [Step("mul", (0, place)) for place in range(1, first)]
        steps += [Step("add", (first + count + k - 2 if k > 1 else first, first + k)) for k in range(1, count)]
        given = Graph((2.0, *_MAGNITUDES), tuple(steps))
        held = [self._outcome(given) for _ in range(_REPEATED)]  # all at once, so that addresses differ
        if len({repr(outcome.gradients[0]) for outcome in held}) > 1:
            self._remark(
                "set-order", "Gradients differ from run to run in their last digits, because operands are in a set, "
                "whose order is not fixed.", "Keep them in a tuple."
            )  # fmt: skip

    def _limits(self) -> None:
        """Try a graph deeper than Python's recursion, and one with more paths than can be walked."""
        length = 2 * sys.getrecursionlimit()
        deep = Graph((2.0, 0.0), tuple([Step("add", (k + 1 if k else 0, 1)) for k in range(length)]))
        wide = Graph((2.0,), tuple([Step("add", (k, k)) for k in range(_WIDE)]))
        if "add" not in self.known:
            return
        outcome = self.engine.run(deep)
        if isinstance(outcome.error, RecursionError):
            self._remark(
                "recursion-limit", f"A chain of {len(deep.steps):,} additions raises RecursionError.",
                "Sort the nodes with a loop and a list of your own instead of a function that calls itself.",
            )  # fmt: skip
        if not self.examples and self.engine.run(wide).is_hung:
            self._remark(
                "every-path", f"a = a + a, {_WIDE} times, did not end within {self.engine.seconds:g} s: backward() "
                f"takes each of 2**{_WIDE} paths.", "Visit each node once, in topological order.",
            )  # fmt: skip


def _form(given: Graph) -> str:
    """Return the last operation of a graph as an expression."""
    return given.program("", "")[-2].partition(" = ")[2]


def _alone(op: str) -> Iterator[Graph]:
    """Yield the graphs of one operation, with nodes and with constants as operands."""
    for a, b in _POINTS:
        if op not in SIGNS or op == "neg":
            if a > 0.0 or op not in ("log", "sqrt"):
                yield single(op, (a,), (0,))
        elif op != "pow":
            yield from (single(op, (a, b), (0, 1)), single(op, (a,), (0, 2.0)), single(op, (a,), (2.0, 0)))
        else:
            for power in (2.0, 3.0, -1.0, *[0.5] * (a > 0.0)):
                yield single(op, (a,), (0, power))
            if a > 0.0:
                yield from (single(op, (a, b), (0, 1)), single(op, (a,), (2.0, 0)))


def _by_operands(op: str, observed: list[tuple[Graph, list[float]]], tolerance: float) -> list[Named]:
    """Return the mistake in an operation of two operands, if the numbers are those of another operand."""
    both = [(seen, slopes(g.steps[0], g.data)) for g, seen in observed if len(g.leaves) == 2]
    if not both:
        return []
    if all(is_close(a, y, tolerance) and is_close(b, x, tolerance) for (a, b), (x, y) in both):
        return [Named("swapped", f"The operands of {op} get each other's gradients.", "Exchange them.")]
    for place, name in enumerate(("first", "second")):
        if all(seen[place] == 0.0 for seen, _ in both):
            return [Named("forgotten", f"The {name} operand of {op} gets nothing.", "Add its contribution as well.")]
    return []
