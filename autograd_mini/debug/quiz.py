"""A step as a question: how much does a node hand on? And the table of slips that a wrong answer may come from.

The terminal and the page share it; the script of a page only compares. Not here: asking. Read next: `debug.wording`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from autograd_mini.debug.timeline.journal import BACKWARD, Step, edges
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value

NEAR = 0.01  # relative: numbers are shown with four digits, and typed with fewer
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TYPED = re.compile(rf"({_NUMBER})(?:/({_NUMBER}))?")


class _Facts(NamedTuple):
    """The numbers around a contribution, of which slips are made."""

    upstream: float
    local: float
    contribution: float
    before: float | None  # the operand's gradient, if something has arrived already
    total: float
    value: float  # of the operand
    result: float  # of the node
    other_locals: tuple[float, ...]  # the node's derivatives by other operands
    sums: tuple[float, ...]  # the node's gradient while it was incomplete


# From the most telling: what was typed, and the number that it leads to; where two are equal, the first is said.
_SLIPS: tuple[tuple[str, Callable[[_Facts], tuple[float | None, ...]]], ...] = (
    ("You took what had arrived at {node} so far. It hands on when all of its contributions are there.",
     lambda f: tuple([sum_ * f.local for sum_ in f.sums])),
    ("That is the new total of {operand}. Only what {node} adds to it is asked for.",
     lambda f: (None if f.before is None else f.total,)),
    ("You took what had arrived at {operand} before.", lambda f: (f.before,)),
    ("The size is right, and the sign is wrong.", lambda f: (-f.contribution,)),
    ("You forgot the inner derivative: that is the gradient of {node} alone. Multiply it by ∂{node}/∂{operand}.",
     lambda f: (f.upstream,)),
    ("That is the local derivative ∂{node}/∂{operand} alone. Multiply it by the gradient of {node}.",
     lambda f: (f.local,)),
    ("You added the gradient of {node} and the local derivative. The chain rule multiplies them.",
     lambda f: (f.upstream + f.local,)),
    ("You divided by the local derivative. The chain rule multiplies by it.",
     lambda f: (f.upstream / f.local if f.local else None,)),
    ("You multiplied by the derivative by another operand of {node}.",
     lambda f: tuple([f.upstream * local for local in f.other_locals])),
    ("You multiplied by the number of {operand} itself. The derivative ∂{node}/∂{operand} is needed.",
     lambda f: (f.upstream * f.value,)),
    ("You multiplied by the number of {node} itself. The derivative ∂{node}/∂{operand} is needed.",
     lambda f: (f.upstream * f.result,)),
    ("Something does arrive: neither factor is 0.", lambda f: (0.0 if f.contribution else None,)),
)  # fmt: skip
_OTHERWISE = "No. It is the gradient of {node} times the local derivative ∂{node}/∂{operand}."


@dataclass(frozen=True)
class Question:
    """What does a node hand on to an operand?

    Attributes:
        text: the question in words.
        answer: the contribution.
        slips: wrong answers, each with what led to it.
        otherwise: what to say about any other answer.
    """

    text: str
    answer: float
    slips: tuple[tuple[float, str], ...]
    otherwise: str

    def said(self, answer: float) -> str:
        """Return what is wrong with an answer; "" if it is right."""
        if is_near(answer, self.answer):
            return ""
        return next((sentence for wrong, sentence in self.slips if is_near(answer, wrong)), self.otherwise)


def question(trace: Trace, step: Step, name: Callable[[Value], str]) -> Question | None:
    """Return the question about a step, with these names for nodes; None if there is nothing to ask."""
    if step.phase != BACKWARD or step.operand is None or not math.isfinite(step.contribution or 0.0):
        return None
    facts = _facts(trace, step)
    names = {"node": name(step.node), "operand": name(step.operand)}
    slips: list[tuple[float, str]] = []
    for sentence, wrong_answers in _SLIPS:
        for wrong in wrong_answers(facts):
            known = [facts.contribution, *[number for number, _ in slips]]
            if wrong is not None and math.isfinite(wrong) and not any(is_near(wrong, number) for number in known):
                slips.append((wrong, sentence.format(**names)))
    text = "How much does {node} hand on to {operand}?".format(**names)
    return Question(text, facts.contribution, tuple(slips), _OTHERWISE.format(**names))


def _facts(trace: Trace, step: Step) -> _Facts:
    assert step.operand is not None  # it is a contribution
    assert step.upstream is not None
    assert step.local is not None
    assert step.contribution is not None
    sums = [trace[index].total for index in trace.journal.arrivals(step.node) if index < step.index]
    return _Facts(
        step.upstream, step.local, step.contribution, trace.grad(step.operand, step.index - 1), step.total,
        trace.value(step.operand), trace.value(step.node),
        tuple([local for operand, local in edges(step.node) if operand is not step.operand]), tuple(sums[:-1]),
    )  # fmt: skip


def is_near(a: float, b: float) -> bool:
    """Return whether an answer is as good as a number."""
    return a == b or abs(a - b) <= NEAR * abs(b)


def typed(text: str) -> float | None:
    """Return the number in what was typed, such as "-0.25", "-0,25" or "-1/4"; None for anything else."""
    found = _TYPED.fullmatch("".join(text.split()).replace(",", ".").replace("−", "-"))
    if found is None or (found[2] is not None and float(found[2]) == 0.0):
        return None
    return float(found[1]) / float(found[2] or 1.0)
