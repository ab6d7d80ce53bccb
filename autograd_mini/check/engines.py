"""`check_engine`: is a `Value` class of your own right, and if not, which mistake is in it.

Not here: what is tried (`examination`), and a time limit that nothing escapes (`child`). Read next: `check.child`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograd_mini.check.adapters import Engine
from autograd_mini.check.examination import Examination, Example
from autograd_mini.check.verdicts import Diagnosis, Named, Verdict, on_screen
from autograd_mini.errors import counted


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
    mistakes = tuple(dict.fromkeys(mistake for example in found.examples for mistake in example.mistakes))
    return EngineReport(
        engine.name,
        tuple(found.findings),
        mistakes=mistakes,
        examples=tuple(found.examples),
        remarks=tuple(found.remarks),
    )
