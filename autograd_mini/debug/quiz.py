"""A step as a question: how much does a node hand on? And the table of slips behind wrong answers.

The terminal and the page share it; the script of a page only compares. Not here: asking. Read next: `debug.wording`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from autograd_mini.debug.timeline.journal import BACKWARD, Step, edges
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value

NEAR = 0.01  # relative: numbers are shown with four digits, and typed with fewer
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TYPED = re.compile(rf"({_NUMBER})(?:/({_NUMBER}))?")
_OTHERWISE = "No. It is the gradient of {node} times the local derivative ∂{node}/∂{operand}."


@dataclass(frozen=True)
class Question:
    """What does a node hand on to an operand?"""

    text: str
    answer: float
    slips: tuple[tuple[float, str], ...]  # wrong answers, each with the slip behind it
    otherwise: str  # what to say about any other answer

    def said(self, answer: float) -> str:
        """Return what is wrong with an answer; "" if it is right."""
        if is_near(answer, self.answer):
            return ""
        return next((sentence for wrong, sentence in self.slips if is_near(answer, wrong)), self.otherwise)


def question(trace: Trace, step: Step, name: Callable[[Value], str]) -> Question | None:
    """Return the question about a step, with these names for nodes; None if there is nothing to ask."""
    answer, operand = step.contribution, step.operand
    if step.phase != BACKWARD or operand is None or answer is None or not math.isfinite(answer):
        return None
    names = {"node": name(step.node), "operand": name(operand)}
    slips: list[tuple[float, str]] = []
    for wrong, sentence in _slips(trace, step, operand, answer):
        if wrong is not None and math.isfinite(wrong) and not any(is_near(wrong, x) for x in [answer, *dict(slips)]):
            slips.append((wrong, sentence.format(**names)))
    text = "How much does {node} hand on to {operand}?".format(**names)
    return Question(text, answer, tuple(slips), _OTHERWISE.format(**names))


def _slips(trace: Trace, step: Step, operand: Value, answer: float) -> list[tuple[float | None, str]]:
    """Return the wrong answers to expect, each with the slip behind it; of equal numbers the first counts."""
    upstream, local, before = step.upstream or 0.0, step.local or 0.0, trace.grad(operand, step.index - 1)
    arrived = [trace[index].total for index in trace.journal.arrivals(step.node) if index < step.index]
    others = [slope for x, slope in edges(step.node) if x is not operand]
    return [
        *[(part * local, "You took what had arrived at {node} so far. It hands on when all of its contributions are "
           "there.") for part in arrived[:-1]],
        (None if before is None else step.total,
         "That is the new total of {operand}. Only what {node} adds to it is asked for."),
        (before, "You took what had arrived at {operand} before."),
        (-answer, "The size is right, and the sign is wrong."),
        (upstream, "You forgot the inner derivative: that is the gradient of {node} alone. Multiply it by "
         "∂{node}/∂{operand}."),
        (local, "That is the local derivative ∂{node}/∂{operand} alone. Multiply it by the gradient of {node}."),
        (upstream + local,
         "You added the gradient of {node} and the local derivative. The chain rule multiplies them."),
        (upstream / local if local else None, "You divided by the local derivative. The chain rule multiplies by it."),
        *[(upstream * slope, "You multiplied by the derivative by another operand of {node}.") for slope in others],
        *[(upstream * trace.value(x), f"You multiplied by the number of {{{name}}} itself. The derivative "
           "∂{node}/∂{operand} is needed.") for x, name in ((operand, "operand"), (step.node, "node"))],
        (0.0 if answer else None, "Something does arrive: neither factor is 0."),
    ]  # fmt: skip


def is_near(a: float, b: float) -> bool:
    """Return whether an answer is as good as a number."""
    return a == b or abs(a - b) <= NEAR * abs(b)


def typed(text: str) -> float | None:
    """Return the number in what was typed, such as "-0.25", "-0,25" or "-1/4"; None for anything else."""
    found = _TYPED.fullmatch("".join(text.split()).replace(",", ".").replace("−", "-"))
    if found is None or (found[2] is not None and float(found[2]) == 0.0):
        return None
    return float(found[1]) / float(found[2] or 1.0)
