"""Where a debugger stops: the kinds of breakpoints, one row each.

Not here: moving (that is `travel`), and what a condition may say (`conditions`). Read next: `travel`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from autograd_mini.debug.timeline.conditions import Condition
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, Journal, Step
from autograd_mini.debug.timeline.moment import Moment
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, shown


class Trace(Protocol):
    """What a breakpoint needs of a trace."""

    journal: Journal

    def is_entered(self, name: str, index: int, back: bool = False) -> bool:
        """Whether a scope of this name begins with a step, or, gone back, ends with it."""

    def names_at(self, step: Step) -> Moment:
        """What names mean after a step."""


_HITS = re.compile(r"\s*(>=|<=|==|=|>|<|%)?\s*(\d+)\s*")


@dataclass(eq=False)
class Breakpoint:
    """Where to stop, and when not to.

    Attributes:
        kind: one of `KINDS`.
        target: what the user asked for: a line, a name, a number, a function; None where there is nothing to say.
        nodes: where it can happen; None for everywhere.
        entering: whether only where one comes to them from other nodes.
        number: what the debugger calls it.
        file: of a line.
        condition: stop only where this holds.
        hit_condition: how often it must have been met: "3" or ">= 3" (from the third time), "== 3", "% 3".
        temporary: whether it goes away when it is met.
        enabled: whether it does anything.
        log: print this instead of stopping; expressions in braces are computed.
        hits: how often it was met.
        absent: whether what it means is not in this graph, but was in that of an earlier `backward()`.
    """

    kind: str
    target: Any = None
    nodes: Collection[Value] | None = None
    entering: bool = False
    number: int = 0
    file: str | None = None
    condition: Condition | None = None
    hit_condition: str = ""
    temporary: bool = False
    enabled: bool = True
    log: str | None = None
    hits: int = 0
    absent: bool = False
    _counts: Callable[[int], bool] = field(default=lambda hits: True, repr=False)

    def __post_init__(self) -> None:
        if self.hit_condition:
            self._counts = _counter(self.hit_condition)

    def happens(self, trace: Trace, step: Step, before: int) -> bool:
        """Whether a step is such a place; `before` is the step from which the debugger comes."""
        return KINDS[self.kind](self, trace, step, before)

    def is_met(self, trace: Trace, step: Step, before: int) -> bool:
        """Whether it happens and its condition holds, often enough; counts the hits."""
        if not self.enabled or self.absent or not self.happens(trace, step, before):
            return False
        if self.condition is not None and not self.condition(trace.names_at(step)):
            return False
        self.hits += 1
        return self._counts(self.hits)

    def ignore(self, times: int) -> None:
        """Do not count as met so many times from now on."""
        self.hit_condition = f"> {self.hits + times}" if times > 0 else ""
        self._counts = _counter(self.hit_condition or ">= 1")

    def __str__(self) -> str:
        target = "" if self.target in (None, True) else f" {getattr(self.target, '__name__', self.target)}"
        words = [f"{self.kind} {self.file}:{self.target}" if self.file else f"{self.kind}{target}"]
        words += [f"if {self.condition}"] if self.condition else []
        words += [f"hits {self.hit_condition}"] if self.hit_condition else []
        words += [f"log {self.log!r}"] if self.log else []
        words += ["once"] if self.temporary else []
        words += [] if self.enabled else ["off"]
        words += ["not in this graph"] if self.absent else []
        return ", ".join(words) + (f" ({self.hits} hit{'s' * (self.hits > 1)})" if self.hits else "")


def _counter(text: str) -> Callable[[int], bool]:
    found = _HITS.fullmatch(text)
    if not found or int(found[2]) == 0:
        raise ArgumentError(f"{shown(text)} is no number of hits.", 'Write "3", ">= 3", "== 3" or "% 3".')
    number = int(found[2])
    return {
        ">": number.__lt__, "<": number.__gt__, "<=": number.__ge__, "==": number.__eq__, "=": number.__eq__,
        "%": lambda hits: hits % number == 0,
    }.get(found[1], number.__le__)  # fmt: skip


# -- the kinds ---------------------------------------------------------------------------------------------------------


def _at_nodes(breakpoint: Breakpoint, trace: Trace, step: Step, before: int) -> bool:
    """Once for each node: when it is computed, and when it has handed on all that it hands on."""
    nodes = breakpoint.nodes
    if nodes is None or step.node not in nodes or step.index != trace.journal.turn(step.index)[-1]:
        return False
    return not breakpoint.entering or _node_before(trace, step, before) not in nodes


def _node_before(trace: Trace, step: Step, before: int) -> Value:
    """The node from which one comes to that of this step: whose turn it was, this way or that, before this turn."""
    return trace.journal[trace.journal.turn(step.index)[0] - 1 if before < step.index else before].node


def _at_scopes(breakpoint: Breakpoint, trace: Trace, step: Step, before: int) -> bool:
    """Once for each time that a scope is entered, from whichever side."""
    return _at_nodes(breakpoint, trace, step, before) and trace.is_entered(
        breakpoint.target, step.index, back=before > step.index
    )


def _changes(breakpoint: Breakpoint, trace: Trace, step: Step, before: int) -> bool:
    """Where what is watched differs from what it was one step earlier; nan is equal to nan here."""
    if breakpoint.nodes is not None and (step.phase == FORWARD or step.operand not in breakpoint.nodes):
        return False
    if step.index == 0:
        return False
    watched: Condition = breakpoint.target
    return repr(watched(trace.names_at(step))) != repr(watched(trace.names_at(trace.journal[step.index - 1])))


def _not_finite(breakpoint: Breakpoint, trace: Trace, step: Step, before: int) -> bool:
    """Where nan or an infinity is computed, handed on, or comes out of a sum."""
    return not all(math.isfinite(number) for number in (step.local or 0.0, step.contribution or 0.0, step.total))


def _above(breakpoint: Breakpoint, trace: Trace, step: Step, before: int) -> bool:
    """Where a gradient is larger in size."""
    return step.phase != FORWARD and not abs(step.total) <= float(breakpoint.target)


def _below(breakpoint: Breakpoint, trace: Trace, step: Step, before: int) -> bool:
    """Where a gradient that is not zero is handed on as one so small, or zero."""
    if step.phase != BACKWARD or step.contribution is None or not step.upstream:
        return False
    return abs(step.contribution) <= float(breakpoint.target)


def _when(breakpoint: Breakpoint, trace: Trace, step: Step, before: int) -> bool:
    """Where a function of the step, or an expression, is true."""
    if isinstance(breakpoint.target, Condition):
        return bool(breakpoint.target(trace.names_at(step)))
    return bool(breakpoint.target(step))


KINDS: dict[str, Callable[[Breakpoint, Trace, Step, int], bool]] = {
    "line": _at_nodes,
    "op": _at_nodes,
    "function": _at_nodes,
    "node": _at_nodes,
    "scope": _at_scopes,
    "watch": _changes,
    "nonfinite": _not_finite,
    "above": _above,
    "below": _below,
    "when": _when,
}
