"""The breakpoints of an editor: what it asks for before there is a trace, and their state in each trace.

Not here: when a breakpoint is met (`breakpoints`), and requests (`session`). Read next: `debug.dap.views`.
"""

from __future__ import annotations

import ast
import linecache
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from autograd_mini.debug.dap.views import Sources
from autograd_mini.debug.program import Call
from autograd_mini.debug.timeline.breakpoints import Breakpoint, meant
from autograd_mini.debug.timeline.expressions import Expression, Moment
from autograd_mini.debug.timeline.journal import FORWARD
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import Wording
from autograd_mini.engine import is_node
from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown
from autograd_mini.notation.text import number
from autograd_mini.program.source import parsed


class _Filter(NamedTuple):
    """An exception filter: its kind of breakpoint, default and limit in `explain`, and the texts that editors show."""

    place: str
    usual: Any
    limit: str
    label: str
    description: str

    @property
    def shown(self) -> dict[str, Any]:
        """The protocol's description of the filter, without its name."""
        example = "Another limit, such as 100, or a condition." if self.limit else "A condition, such as op == 'log'."
        condition = {"supportsCondition": True, "conditionDescription": example}
        return {"label": self.label, "description": self.description, **condition}


FILTERS = {
    "nonfinite": _Filter("nonfinite", True, "", "nan or infinity",
                         "Stop where nan or an infinity is computed, handed on, or comes out of a sum."),
    "exploding": _Filter("above", 1e6, "large", "Exploding gradient",
                         "Stop where a gradient is larger than 1e6 in size."),
    "vanishing": _Filter("below", 1e-12, "small", "Vanishing gradient",
                         "Stop where 1e-12 or less is handed on although what arrived was not zero."),
}  # fmt: skip
REASONS = {
    "line": "breakpoint", "function": "function breakpoint", "data": "data breakpoint", "exception": "exception",
}  # fmt: skip
_TARGETS = {"line": "line", "function": "name", "data": "dataId", "exception": "filterId"}  # in the protocol


@dataclass(eq=False)
class Wanted:
    """One breakpoint as the editor asked for it, and its state in the current trace."""

    kind: str  # one of REASONS
    target: Any  # a line, a name, an expression, or a filter
    number: int  # the editor's number; 0 for filters, which have none
    file: str | None = None  # of a line
    condition: str = ""
    hits: str = ""  # how often it must be met, such as "3" or "% 3"
    log: str | None = None  # what to say instead of stopping
    flaw: str = ""  # why it can never be met
    problem: str = ""  # why it cannot be met in the current trace
    armed: Breakpoint | None = field(default=None, repr=False)  # in the current trace, or at `backward()`

    @classmethod
    def asked(cls, kind: str, asked: Mapping[str, Any], sources: Sources, file: str | None) -> Wanted:
        """Make a breakpoint from the protocol's arguments."""
        target: Any = asked[_TARGETS[kind]]
        if kind == "exception" and target not in FILTERS:
            raise ArgumentError(f"There is no filter {shown(target)}.", f"There are {', '.join(FILTERS)}.")
        target = sources.python_line(target) if kind == "line" else str(target)
        condition, hits = str(asked.get("condition") or ""), str(asked.get("hitCondition") or "")
        return cls(kind, target, int(asked.get("id", 0)), file, condition, hits, asked.get("logMessage"))

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
        """The number written instead of a condition, for filters that have a limit."""
        try:
            return float(self.condition) if self.kind == "exception" and FILTERS[self.target].limit else None
        except ValueError:
            return None

    @property
    def is_call(self) -> bool:
        """Whether it is on a line that calls `backward()`, so that it chooses among the calls."""
        return self.kind == "line" and self.target in calling_lines(self.file or "")

    def is_of(self, call: Call) -> bool:
        """Return True if it chooses this call."""
        site = call.site
        return site is not None and site.span[0] <= self.target <= site.span[2] and self.is_in_file_of(call)

    def is_in_file_of(self, call: Call) -> bool:
        """Return True if it is in the file that calls `backward()`."""
        return call.site is not None and is_same_file(call.site.file, self.file)

    def is_met(self, trace: Trace, say: Callable[[str], object]) -> bool:
        """Return True if it stops at a call of `backward()`; it does if its condition fails to compute."""
        assert self.armed is not None  # the caller knows it
        try:
            is_met = self.armed.is_met(trace.now, trace.position)
            if is_met and self.log is not None:
                say(trace.now.filled(self.log))
        except AutogradError as error:
            say(sentences(error))
            return True
        return is_met and self.log is None

    def arm(self, trace: Trace) -> None:
        """Join the breakpoints of a trace if it has such a place; hits keep counting."""
        if self.is_call or self.flaw:
            return
        hits = self.armed.hits if self.armed else 0
        self.problem = ""
        try:
            condition = self.condition if self._threshold is None else ""
            if condition:
                trace.now.read(condition)  # to raise now
            self.armed = trace.break_at(**self._where(trace), condition=condition, hits=self.hits, log=self.log)
            self.armed.hits = hits
        except AutogradError as error:
            self.problem = sentences(error)

    def _where(self, trace: Trace) -> dict[str, Any]:
        if self.kind == "line":
            return {"line": self.target, "file": self.file}
        if self.kind == "function":
            return meant(trace, self.target)
        if self.kind == "data":
            watched = trace.evaluate(self.target)
            return {"watch": watched if is_node(watched) else self.target}
        row = FILTERS[self.target]
        return {row.place: row.usual if self._threshold is None else self._threshold}

    def answer(self, sources: Sources) -> dict[str, Any]:
        """Return the protocol's description of the breakpoint."""
        verified = self.armed is not None and not self.problem
        answer: dict[str, Any] = {"id": self.number, "verified": verified}
        if self.kind == "line":
            line = self.armed.target if self.armed is not None and verified and not self.is_call else self.target
            answer |= {"line": sources.line(line), "source": sources.source(self.file or "")}
        if self.kind == "exception":  # a filter need not wait
            answer = {"verified": not (self.flaw or self.problem)}
        if problem := self.flaw or self.problem:
            answer |= {"message": problem, "reason": "failed"}
        elif self.armed is None and self.kind != "exception":
            answer |= {"message": "It waits for the first backward().", "reason": "pending"}
        return answer

    def exception(self, wording: Wording) -> dict[str, Any]:
        """Return the protocol's description of a filter that was met: what happened, and why."""
        step, name = wording.trace.step, wording.symbol
        if step.phase == FORWARD:
            what = f"{name(step.node)} is {number(step.total)}"
        else:
            upstream, local, contribution = map(number, (step.upstream, step.local, step.contribution))
            receiver = name(step.node if step.operand is None else step.operand)  # a Value of 0 is false
            what = f"{receiver} gets {upstream} × {local} = {contribution}; its gradient is {number(step.total)}"
        limits = {} if self._threshold is None else {FILTERS[self.target].limit: self._threshold}
        why = "\n".join(wording.stop()) if step.operand is None else wording.explanation(step.operand, **limits)
        details = {"message": what, "typeName": self.target, "stackTrace": str(why)}  # editors show long texts here
        return {"exceptionId": self.target, "breakMode": "always", "description": what, "details": details}


class AllWanted:
    """All breakpoints of an editor, in groups that it replaces as a whole."""

    def __init__(self) -> None:
        self._groups: dict[str, list[Wanted]] = {}

    @property
    def all(self) -> list[Wanted]:
        """The breakpoints of all groups."""
        return [wanted for group in self._groups.values() for wanted in group]

    def arm(self, trace: Trace, sources: Sources) -> Iterator[dict[str, Any]]:
        """Put all into a new trace, in place of what it has inherited, and yield the descriptions that change."""
        _remove(trace, self.all)
        for wanted in self.all:
            before = wanted.answer(sources)
            wanted.arm(trace)
            after = wanted.answer(sources)
            if after != before and wanted.kind != "exception":
                yield after

    def replace(self, group: str, wanted: list[Wanted], trace: Trace | None) -> None:
        """Replace a group, also in the trace if there is one."""
        if trace is not None:
            _remove(trace, self._groups.get(group, []))
            for new in wanted:
                new.arm(trace)
        self._groups[group] = wanted

    def cleared(self, trace: Trace) -> list[Wanted]:
        """Forget and return those that are no longer in the trace, because they were removed there."""
        numbers = {0, *(breakpoint.number for breakpoint in trace.breakpoints)}
        gone = [w for w in self.all if w.armed is not None and not w.problem and w.armed.number not in numbers]
        for group, wanted in self._groups.items():
            self._groups[group] = [w for w in wanted if w not in gone]
        return gone


def _remove(trace: Trace, wanted: Iterable[Wanted]) -> None:
    numbers = {w.armed.number for w in wanted if w.armed is not None}
    trace.breakpoints[:] = [breakpoint for breakpoint in trace.breakpoints if breakpoint.number not in numbers]


def is_same_file(file: str, other: str | None) -> bool:
    """Return True if two paths lead to the same file."""
    return other is not None and os.path.realpath(file) == os.path.realpath(other)


@lru_cache(maxsize=100)
def calling_lines(file: str) -> frozenset[int]:
    """Return the lines of a file that call `backward()`; none if it cannot be read."""
    return frozenset(
        line
        for call in ast.walk(parsed("".join(linecache.getlines(file))))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "backward"
        for line in range(call.lineno, (call.end_lineno or call.lineno) + 1)
    )
