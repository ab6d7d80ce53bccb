"""The breakpoints of an editor: what it wants, before there is a trace, and what becomes of that in each trace.

Not here: when a breakpoint is met (that is `breakpoints`), and requests (that is `session`). Read next: `session`.
"""

from __future__ import annotations

import ast
import linecache
import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from autograd_mini.debug.dap.protocol import sentences
from autograd_mini.debug.dap.sources import Sources
from autograd_mini.debug.program import Call
from autograd_mini.debug.timeline.breakpoints import Breakpoint, meant
from autograd_mini.debug.timeline.expressions import Expression, Moment
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import is_node
from autograd_mini.errors import ArgumentError, AutogradError

FILTERS: dict[str, dict[str, Any]] = {  # where each stops by itself
    "nonfinite": {"nonfinite": True},
    "exploding": {"above": 1e6},
    "vanishing": {"below": 1e-12},
}
REASONS = {
    "line": "breakpoint", "function": "function breakpoint", "data": "data breakpoint", "exception": "exception",
}  # fmt: skip


@dataclass(eq=False)
class Wanted:
    """One breakpoint as the editor wants it, and what it is in the trace of now.

    Attributes:
        kind: one of `REASONS`.
        target: a line, a name, an expression, or a filter.
        number: the editor's number of it.
        file: of a line.
        condition: stop only where this holds.
        hits: how often it must have been met, such as "3" or "% 3".
        log: what to say instead of stopping.
        flaw: why it can never be met, "" if nothing is known against it.
        problem: why it cannot be met in the trace of now.
        armed: what the trace of now, or `backward()`, has of it.
    """

    kind: str
    target: Any
    number: int
    file: str | None = None
    condition: str = ""
    hits: str = ""
    log: str | None = None
    flaw: str = ""
    problem: str = ""
    armed: Breakpoint | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            condition = Expression(self.condition) if self.condition and self._threshold is None else None
            always = Breakpoint("when", lambda step: True, condition=condition, hit_condition=self.hits, log=self.log)
            Moment.pieces(self.log or "")
        except ArgumentError as error:
            self.flaw = sentences(error)
        else:
            self.armed = always if self.is_call else None

    @property
    def _threshold(self) -> float | None:
        """The number that is written instead of a condition, of filters."""
        try:
            return float(self.condition) if self.kind == "exception" and self.target != "nonfinite" else None
        except ValueError:
            return None

    @property
    def is_call(self) -> bool:
        """Whether it stands on a line that calls `backward()`: then it chooses among the calls."""
        return self.kind == "line" and self.target in calling_lines(self.file or "")

    def is_of(self, call: Call) -> bool:
        """Whether it chooses this call."""
        site = call.site
        return site is not None and site.span[0] <= self.target <= site.span[2] and self.is_in_file_of(call)

    def is_in_file_of(self, call: Call) -> bool:
        """Whether it stands in the file in which `backward()` is called."""
        return call.site is not None and is_same_file(call.site.file, self.file)

    def arm(self, trace: Trace) -> None:
        """Join the breakpoints of a trace, if that has such a place; the hits go on being counted."""
        if self.is_call or self.flaw:
            return
        hits = self.armed.hits if self.armed else 0
        self.problem = ""
        try:
            condition = self.condition if self._threshold is None else ""
            if condition:
                trace.now.read(condition)  # to complain now
            self.armed = trace.break_at(**self._where(trace), condition=condition, hits=self.hits, log=self.log)
            self.armed.hits = hits
        except AutogradError as error:
            self.problem = sentences(error)

    @property
    def limits(self) -> dict[str, float]:
        """What `explain` is to find too large or too small, of filters with a number of their own."""
        threshold = self._threshold
        return {} if threshold is None else {"large" if self.target == "exploding" else "small": threshold}

    def _where(self, trace: Trace) -> dict[str, Any]:
        if self.kind == "line":
            return {"line": self.target, "file": self.file}
        if self.kind == "function":
            return meant(trace, self.target)
        if self.kind == "data":
            watched = trace.evaluate(self.target)
            return {"watch": watched if is_node(watched) else self.target}
        threshold = self._threshold
        return {kind: usual if threshold is None else threshold for kind, usual in FILTERS[self.target].items()}

    def answer(self, sources: Sources) -> dict[str, Any]:
        """What the protocol calls a breakpoint."""
        verified = self.armed is not None and not self.problem
        answer: dict[str, Any] = {"id": self.number, "verified": verified}
        if self.kind == "line":
            line = self.armed.target if self.armed is not None and verified and not self.is_call else self.target
            answer |= {"line": sources.line(line), "source": sources.source(self.file or "")}
        if problem := self.flaw or self.problem:
            answer |= {"message": problem, "reason": "failed"}
        elif self.armed is None:
            answer |= {"message": "It waits for the first backward().", "reason": "pending"}
        return answer


def is_same_file(file: str, other: str | None) -> bool:
    """Whether two paths lead to one file."""
    return other is not None and os.path.realpath(file) == os.path.realpath(other)


@lru_cache(maxsize=100)
def calling_lines(file: str) -> frozenset[int]:
    """The lines of a file on which `backward()` is called; none where it cannot be read."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    found = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "backward"]
    return frozenset(line for call in found for line in range(call.lineno, (call.end_lineno or call.lineno) + 1))
