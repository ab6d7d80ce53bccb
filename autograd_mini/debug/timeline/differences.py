"""Checking the derivatives of a recorded graph by finite differences: each step of the chain rule, and the whole.

It computes the recorded operations again, not your program, so every choice that it made, as in `if x > 0`, stays.
Not here: the display (`terminal`). Read next: `debug.timeline.touched`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from autograd_mini.check.differences import Estimate, by_operand, differentiate, judge
from autograd_mini.check.verdicts import Verdict
from autograd_mini.core.replay import replay
from autograd_mini.core.row import ZERO
from autograd_mini.debug.timeline.journal import Journal
from autograd_mini.engine import Value, is_node
from autograd_mini.watch.boundaries import kink_of

_WORDS = {
    Verdict.PASS: "agrees",
    Verdict.NOISE: "agrees",  # as far as rounding allows
    Verdict.KINK: "is a choice: the slopes on the left and on the right differ",
    Verdict.FAIL: "differs",
}


@dataclass(frozen=True)
class DerivativeCheck:
    """A derivative, and its estimate by finite differences."""

    derivative: float
    found: Estimate
    remark: str = ""  # why the two cannot be compared

    @property
    def estimate(self) -> float:
        """The slope by differences."""
        return self.found.slope

    @property
    def verdict(self) -> str:
        """The result: "agrees", "differs", or why the two cannot be compared."""
        if self.remark:
            return self.remark
        if not (math.isfinite(self.derivative) and math.isfinite(self.found.value)):
            return "cannot be compared: not finite"
        return _WORDS[judge(self.derivative, self.found)]


def local(journal: Journal, node: Value) -> Iterator[tuple[Value, DerivativeCheck]]:
    """Yield the local derivatives of a node by its operands, each beside its estimate, computed on demand."""
    row = node._row
    if row is None:
        return
    numbers = [journal.value(operand) if is_node(operand) else operand for operand in node.operands]
    kink = kink_of(node)
    remark = _of_the_user(journal, [node]) or ("" if kink is None else f"is a choice: {kink.meaning}")
    for position, (operand, partial) in enumerate(zip(node.operands, node.partials, strict=True)):
        if is_node(operand):
            derivative = 0.0 if partial is ZERO else partial
            yield operand, DerivativeCheck(derivative, by_operand(row.function, numbers, position), remark)


def total(journal: Journal, node: Value) -> DerivativeCheck:
    """Return the final gradient of a node beside its estimate through the whole recorded graph."""
    if journal.changes:
        journal = Journal(journal.root, journal.seed)
    root, above = journal.root, {node: None}
    for other in journal.order[journal.numbers[node] + 1 :]:
        if any(x in above for x in other.operands if is_node(x)):
            above[other] = None
    del above[node]
    recorded = {other: journal.value(other) for other in journal.order if other not in above}

    def function(x: float) -> float:
        return float(replay(above, recorded | {node: x})[root] * journal.seed)

    derivative = journal.gradient(node, len(journal) - 1) or 0.0
    compared = DerivativeCheck(derivative, differentiate(function, journal.value(node)), _of_the_user(journal, above))
    kinks = (kink_of(other) for other in above)
    if compared.verdict != "agrees" and (kink := next(filter(None, kinks), None)) is not None:
        return replace(compared, remark=f"passes a kink: {kink}")
    return compared


def _of_the_user(journal: Journal, nodes: Iterable[Value]) -> str:
    """Return why nodes cannot be computed again (code for micrograd has its own operations); "" if they can."""
    for node in nodes:
        numbers = {x: journal.value(x) for x in node.operands if is_node(x)}
        if math.isnan(replay([node], numbers)[node]) and not math.isnan(journal.value(node)):
            return f"cannot be compared: only your program can compute {node.op}"
    return ""
