"""`check_engine`: is a `Value` class of your own right, and if not, which mistake is in it.

Not here: what is tried (`examination`), and a time limit that nothing escapes (`child`). Read next: `check.child`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autograd_mini.check.adapters import Engine
from autograd_mini.check.examination import Examination, Sample
from autograd_mini.check.graphs import Graph, is_close
from autograd_mini.check.verdicts import Diagnosis, Named, Verdict, on_screen
from autograd_mini.drawing import draw
from autograd_mini.errors import counted
from autograd_mini.notation.text import number


@dataclass(frozen=True)
class Example:
    """The smallest graph that shows a mistake.

    Attributes:
        graph: the computation.
        theirs: the engine's gradient of each node; None where it keeps none.
        right: the right gradients.
        program: the lines of the computation, as you would write them for the engine.
        sentence: which number is wrong.
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
        """A picture of the graph with the right gradients; the names say those of the engine where they differ."""
        made = Graph(self.graph.leaves, self.graph.steps)  # new nodes, to be named
        for node, name, mine, wanted in zip(made.nodes, made.names, self.theirs, self.right, strict=True):
            is_same = mine is None or is_close(mine, wanted, 1e-5)
            node.name = name if is_same else f"{name} (yours: {number(mine)})"
        for root in self.graph.roots:
            made.nodes[root].backward()
        return draw(made.nodes[self.graph.roots[-1]], title=self.sentence, legend=False).svg


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
    engine = Engine(Class, seconds)
    found = Examination(engine)
    found.run()
    examples = tuple([_example(engine, sample) for sample in found.samples])
    mistakes = tuple(dict.fromkeys(mistake for example in examples for mistake in example.mistakes))
    return EngineReport(
        engine.name, tuple(found.findings), mistakes=mistakes, examples=examples, remarks=tuple(found.remarks)
    )


def _example(engine: Engine, sample: Sample) -> Example:
    trial = sample.trial
    program = tuple(trial.graph.program(engine.name, engine.backward))
    said = sample.said or trial.sentence(engine.gradient)
    return Example(trial.graph, trial.outcome.gradients, trial.wanted, program, said, sample.mistakes)
