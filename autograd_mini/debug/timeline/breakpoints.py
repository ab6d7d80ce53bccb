"""Where a debugger stops: the kinds of breakpoints, one row each, and the meaning of the places you type.

Not here: moving (`travel`), and the language of conditions (`expressions`). Read next: `debug.timeline.travel`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from operator import eq, ge, gt, le, lt
from typing import Any

from autograd_mini.debug.timeline.expressions import Expression, Moment
from autograd_mini.debug.timeline.index import Index
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, shown

_SIGNS = {">": gt, ">=": ge, "<": lt, "<=": le, "==": eq, "=": eq}
_HITS = re.compile(r"\s*(>=|<=|==|=|>|<|%)?\s*(\d+)\s*")
_LINE = re.compile(r"(?:(.+):)?(\d+)")
_LIMIT = re.compile(r"(above|below)\s+(\S+)")
_KIND = re.compile(r"(op|scope|function|node|watch|when)\s+(.+)")
_WORD = re.compile(r"[^\W\d]\w*|(?:[^\W\d]\w*)?#\d+|[^\w\s]{1,2}")


@dataclass(eq=False)
class Breakpoint:
    """A place to stop at, and its conditions.

    Attributes:
        kind: one of `KINDS`.
        target: what you asked for: a line, a name, a number, an expression or a function.
        nodes: the nodes where it can be met; None for all nodes.
        entering: stop only when coming from other nodes.
        number: its number in the debugger.
        file: the file of a line.
        condition: stop only where this holds.
        hit_condition: how often it must be met: "3" or ">= 3" (from the third time), "== 3", "% 3".
        temporary: True if it goes away once met.
        enabled: False if it is switched off.
        log: print this instead of stopping, with the expressions in braces computed.
        hits: how often it was met.
        absent: True if this graph lacks its place, which the graph of an earlier `backward()` had.
    """

    kind: str
    target: Any = None
    nodes: Collection[Value] | None = None
    entering: bool = False
    number: int = 0
    file: str | None = None
    condition: Expression | None = None
    hit_condition: str = ""
    temporary: bool = False
    enabled: bool = True
    log: str | None = None
    hits: int = 0
    absent: bool = False

    def __post_init__(self) -> None:
        _is_enough(self.hit_condition, 1)  # to raise now

    def is_met(self, now: Moment, before: int) -> bool:
        """Return True if it is met, coming from the step `before`, and often enough; count the hits."""
        if not self.enabled or self.absent or not KINDS[self.kind](self, now, before):
            return False
        if self.condition is not None and not self.condition(now):
            return False
        self.hits += 1
        return _is_enough(self.hit_condition, self.hits)

    def ignore(self, times: int) -> None:
        """Do not stop the next `times` times."""
        self.hit_condition = f"> {self.hits + times}" if times > 0 else ""

    def moved(self, now: Moment) -> Breakpoint:
        """Return the same breakpoint in another graph; it is absent if that graph lacks its place."""
        target = str(self.target) if isinstance(self.target, Expression) else self.target
        try:
            found = located(now, self.kind, target, self.file)
            if self.condition is not None:
                self.condition(now)
        except ArgumentError:
            return replace(self, absent=True)
        return replace(self, target=found.target, nodes=found.nodes, entering=found.entering, absent=False)

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


def _is_enough(condition: str, hits: int) -> bool:
    found = _HITS.fullmatch(condition or ">= 1")
    if not found or int(found[2]) == 0:
        raise ArgumentError(f"{shown(condition)} is not a number of hits.", 'Write "3", ">= 3", "== 3" or "% 3".')
    sign, number = found[1] or ">=", int(found[2])
    return hits % number == 0 if sign == "%" else _SIGNS[sign](hits, number)


# -- the kinds ---------------------------------------------------------------------------------------------------------


def _at_nodes(breakpoint: Breakpoint, now: Moment, before: int) -> bool:
    """Met once per node in each direction: when it is computed, and when it has handed on everything."""
    nodes, index, journal = breakpoint.nodes, now.step.index, now.journal
    if nodes is None or now.step.node not in nodes or index != journal.turn(index)[-1]:
        return False
    came_from = journal.turn(index)[0] - 1 if before < index else before  # the turn before this one
    return not breakpoint.entering or journal[came_from].node not in nodes


def _at_scopes(breakpoint: Breakpoint, now: Moment, before: int) -> bool:
    """Met each time that a scope is entered, from either side."""
    index = now.step.index
    return _at_nodes(breakpoint, now, before) and now.journal.is_entered(breakpoint.target, index, before > index)


def _changes(breakpoint: Breakpoint, now: Moment, before: int) -> bool:
    """Met where the watched expression differs from one step earlier; nan equals nan here."""
    step = now.step
    if breakpoint.nodes is not None and (step.phase == FORWARD or step.operand not in breakpoint.nodes):
        return False
    if step.index == 0:
        return False
    earlier = Moment(now.index, now.journal, now.journal[step.index - 1])
    return repr(breakpoint.target(now)) != repr(breakpoint.target(earlier))


def _not_finite(breakpoint: Breakpoint, now: Moment, before: int) -> bool:
    """Met where nan or an infinity is computed, handed on, or comes out of a sum."""
    step = now.step
    return not all(map(math.isfinite, (step.local or 0.0, step.contribution or 0.0, step.total)))


def _above(breakpoint: Breakpoint, now: Moment, before: int) -> bool:
    """Met where a gradient is larger in size, or nan."""
    return now.step.phase != FORWARD and not abs(now.step.total) <= breakpoint.target


def _below(breakpoint: Breakpoint, now: Moment, before: int) -> bool:
    """Met where a gradient other than zero is handed on as one this small, or zero."""
    step = now.step
    return step.phase == BACKWARD and bool(step.upstream) and abs(step.contribution or 0.0) <= breakpoint.target


def _when(breakpoint: Breakpoint, now: Moment, before: int) -> bool:
    """Met where an expression, or a function of the step, is true."""
    target = breakpoint.target
    return bool(target(now) if isinstance(target, Expression) else target(now.step))


KINDS: dict[str, Callable[[Breakpoint, Moment, int], bool]] = {
    "line": _at_nodes, "op": _at_nodes, "function": _at_nodes, "node": _at_nodes, "scope": _at_scopes,
    "watch": _changes, "nonfinite": _not_finite, "above": _above, "below": _below, "when": _when,
}  # fmt: skip


# -- places ------------------------------------------------------------------------------------------------------------

_NOUNS = {"scope": "scope", "op": "operation", "function": "function"}


def named(index: Index, kind: str) -> dict[str, set[Value]]:
    """Return the operations (by name and symbol), scopes or functions of a graph, with their nodes."""
    if kind == "function":
        return index.functions
    found: dict[str, set[Value]] = {}
    for node in index.names.order:
        row, scopes = node._row, index.scopes(node)
        names = [scope.name for scope in scopes] if kind == "scope" else [row.name, row.symbol] if row else []
        for name in names:
            found.setdefault(name, set()).add(node)
    return found


def located(now: Moment, kind: str, target: Any, file: str | None = None) -> Breakpoint:
    """Make a breakpoint of a kind, with the nodes that it means in this graph."""
    index, nodes, entering = now.index, None, kind == "function"
    if kind == "line":
        file, target, nodes, entering = index.at_line(target, file)
    elif kind in _NOUNS:
        known = named(index, kind)
        if target not in known:
            raise ArgumentError(
                f"The graph has no {_NOUNS[kind]} {shown(target)}.",
                f"There are {', '.join(sorted(known)[:12]) or 'none'}.",
            )
        nodes = known[target]
    elif kind == "watch" and is_node(target):
        nodes, target = {target}, Expression(f"{now.written(target)}.grad")
    elif kind == "node":
        nodes = {target} if is_node(target) else {*index.nodes(target)}
        target = index.label(target) if is_node(target) else target
    elif kind == "watch" or (kind == "when" and not callable(target)):
        target = now.read(target)
    elif kind in ("above", "below"):
        target = Value(target).data
    return Breakpoint(kind, target, nodes, entering, file=file)


def meant(index: Index, text: str, file: str | None = None) -> dict[str, Any]:
    """Interpret a place that you type, such as "12", "exp", "x.grad" or "above 1e3", for `Trace.break_at`."""
    text = text.strip()
    if found := _LINE.fullmatch(text):
        return {"line": int(found[2]), "file": _file(index, found[1]) if found[1] else file}
    if text == "nonfinite":
        return {"nonfinite": True}
    if found := _LIMIT.fullmatch(text):
        try:
            return {found[1]: float(found[2])}
        except ValueError:
            raise ArgumentError(f"{shown(found[2])} is not a number.", f"Write one, as in {found[1]} 1e3.") from None
    if found := _KIND.fullmatch(text):
        return {found[1]: found[2]}
    if text.endswith(".grad") and (nodes := _nodes(index, text.removesuffix(".grad"))):
        return {"watch": nodes[0] if len(nodes) == 1 else text}
    if _nodes(index, text):
        return {"node": text}
    if not _WORD.fullmatch(text):
        return {"when": text}
    known = {kind: named(index, kind) for kind in _NOUNS}
    for kind, names in known.items():
        if text in names:
            return {kind: text}
    lists = {"node": index.vocabulary, **{_NOUNS[kind]: sorted(names) for kind, names in known.items()}}
    there_are = [f"the {noun}s {', '.join(names[:8])}" for noun, names in lists.items() if names]
    raise ArgumentError(
        f"No node, scope, operation or function is called {shown(text)}.", f"There are {'; '.join(there_are)}."
    )


def _nodes(index: Index, name: str) -> list[Value]:
    """Return the nodes of a name; [] if there are none."""
    try:
        return index.nodes(name)
    except ArgumentError:
        return []


def _file(index: Index, name: str) -> str:
    """Return the file of a path, or of the last part of a path that occurs in the graph."""
    for file in index.files:
        if os.path.realpath(file) == os.path.realpath(name) or os.path.basename(file) in (name, f"{name}.py"):
            return file
    return name
