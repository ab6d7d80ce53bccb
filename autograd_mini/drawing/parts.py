"""The named parts of a graph: an outline of its scopes that counts the passes of a loop as one part.

Not here: which parts a picture shows open or closed (`boxes`). Read next: `drawing.boxes`.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple

from autograd_mini.core.row import Primitive
from autograd_mini.drawing.folds import call
from autograd_mini.drawing.structure import Found, Step
from autograd_mini.engine import Value, is_node
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope, outwards


class Merging(IntEnum):
    """How alike two scopes, or two operations outside scopes, must be to become one; from fine to coarse."""

    NEVER = 0
    PARALLEL = 1  # same name, side by side like the samples of a batch: neither follows from the other
    NAMED = 2  # same name, like the steps of a recurrent network
    NUMBERED = 3  # names that differ only in digits
    OPERATIONS = 4  # no scopes at all


@dataclass(eq=False, slots=True)
class Part:
    """A scope, or several that are the same part of a program, such as the passes of a loop."""

    name: str  # "" for the whole graph
    parent: Part | None = None
    depth: int = 0  # the number of named parts around it, itself included
    scopes: list[Scope] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)  # directly inside, like the next two
    loose: list[Value] = field(default_factory=list)
    kinds: set[Kind] = field(default_factory=set)
    operations: int = 0  # inner parts included
    is_fold: bool = False  # a call of one of this package's compositions, or what it calls
    is_found: bool = False  # by its structure
    is_step: bool = False  # of a loop that was found

    @property
    def path(self) -> tuple[str, ...]:
        """The names from the outermost part to this one."""
        return tuple(part.name for part in reversed([*self.around()]))

    def around(self) -> Iterator[Part]:
        """Yield this part and those around it, from the inside out, without the whole graph."""
        part: Part | None = self
        while part is not None and part.depth:
            yield part
            part = part.parent

    def inside(self) -> Iterator[Part]:
        """Yield this part and all parts in it, outer ones first."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting += reversed(part.parts)


class Line(NamedTuple):
    """A line of the user's program."""

    file: str
    number: int
    text: str


# Operations that are alike: where, what, and a number that separates those that follow from others.
Kind = tuple[Part, Primitive | Line, int]
_FEW, _FEW_RECORDED = 24, 6  # up to so many operations of a part, found or recorded, are compared one by one


class Outline:
    """The parts of a graph, given its nodes with operands first; pinned scopes stay parts of their own.

    `scopes` are those found by structure, in place of the ones recorded.
    """

    def __init__(
        self, order: Sequence[Value], merging: Merging, pinned: Collection[Scope] = (),
        scopes: Mapping[Value, Scope | None] | None = None,
    ) -> None:  # fmt: skip
        self.merging, self._scopes = merging, scopes
        self.whole = Part("")  # contains everything
        self.part: dict[Value, Part] = {}
        self.kind: dict[Value, Kind] = {}  # which operations are alike, for parts too large to show each one
        self._alone = {scope for inner in pinned for scope in outwards(inner)}
        self._known: dict[Scope | None, Part] = {None: self.whole}
        self._alike: dict[object, Part] = {}
        # How many times a path to a node crosses from one scope into another: equal for the samples of a batch, even
        # if one of them takes a different branch inside a function.
        crossings: dict[Value, int] = {}
        levels: dict[Value, int] = {}  # the same for operations of different kinds
        turns: dict[tuple[Scope | None, Primitive | Line], dict[int, int]] = {}
        parallel = merging is Merging.PARALLEL
        lines: dict[tuple[int, int], Line | None] = {}
        for node in order:
            scope = node.scope if scopes is None else scopes[node]
            if merging is Merging.OPERATIONS:
                scope = None
            stage = level = 0
            operands = [x for x in node.operands if is_node(x) and x._row is not None] if parallel else []
            for x in operands:  # faster than max(), and graphs are large
                before = crossings[x] + ((x.scope if scopes is None else scopes[x]) is not scope)
                if before > stage:
                    stage = before
            crossings[node] = stage
            part = self._known.get(scope) or self._enter(scope, stage, node)
            self.part[node] = part
            if node._row is not None:
                part.loose.append(node)
                what: Primitive | Line = node._row
                if part is self.whole and merging is not Merging.OPERATIONS and node.origin:
                    what = _line(node.origin, lines) or what
                for x in operands:
                    place, other, _ = self.kind[x]
                    before = levels[x] + (place is not part or other != what)
                    if before > level:
                        level = before
                levels[node] = level
                # Its rank among its kind in this pass of a loop: absolute levels may differ between passes.
                seen = turns.setdefault((scope, what), {})
                self.kind[node] = kind = part, what, seen.setdefault(level, len(seen))
                part.kinds.add(kind)
        if parallel:
            self._align()
        for part in reversed([*self.whole.inside()]):
            part.operations += len(part.loose)
            if part.parent is not None:
                part.parent.operations += part.operations

    def _align(self) -> None:
        """In parts that run several times, let operations share a box by their place, if all passes do the same."""
        for part in self.whole.inside():
            passes: dict[Scope | None, list[Value]] = {}
            few = _FEW if part.is_found else _FEW_RECORDED
            if len(part.scopes) > 1 and len(part.loose) <= few * len(part.scopes):
                for node in part.loose:
                    passes.setdefault(node.scope if self._scopes is None else self._scopes[node], []).append(node)
            done = set()
            for nodes in passes.values():
                place = {node: index for index, node in enumerate(nodes)}
                using = [[place.get(x, -1) if is_node(x) else -2 for x in node.operands] for node in nodes]
                done.add(tuple([(node.op, *own) for node, own in zip(nodes, using, strict=True)]))
            if len(done) == 1 and len(passes) == len(part.scopes):
                part.kinds.clear()
                for nodes in passes.values():
                    for index, node in enumerate(nodes):
                        self.kind[node] = kind = part, self.kind[node][1], index
                        part.kinds.add(kind)

    def _enter(self, scope: Scope | None, stage: int, node: Value) -> Part:
        """Add the part of the scope of a node, and the parts around it."""
        unknown = [*takewhile(lambda inner: inner not in self._known, outwards(scope))]
        part = self._known[unknown[-1].parent]
        depth = 0 if (inner := call(node)) is None else len([*outwards(node.scope)]) - len([*outwards(inner)]) + 1
        folded = unknown[:depth]
        for inner in reversed(unknown):
            name = re.sub(r"\d+", "…", inner.name) if self.merging is Merging.NUMBERED else inner.name
            alone = self.merging is Merging.NEVER or inner in self._alone
            in_turn = self.merging is Merging.PARALLEL and not any(type(scope) is Step for scope in outwards(inner))
            alike = inner if alone else (part, name, stage if in_turn else 0)
            known = self._alike.get(alike)
            if known is None:
                known = self._alike[alike] = Part(name, part, part.depth + 1, is_fold=inner in folded)
                known.is_found, known.is_step = type(inner) in (Found, Step), type(inner) is Step
                part.parts.append(known)
            known.scopes.append(inner)
            part = self._known[inner] = known
        return part

    def named(self, name: str | Scope) -> list[Part]:
        """Return the parts of a scope, of a path such as "Layer1/Neuron3", or of the end of one, such as "Neuron3"."""
        if isinstance(name, Scope):
            return [self._known[name]] if name in self._known else []
        wanted = name.strip("/")
        known = self._called.get(wanted.rpartition("/")[2], ())
        return [part for part in known if f"/{'/'.join(part.path)}".endswith(f"/{wanted}")]

    @cached_property
    def _called(self) -> dict[str, list[Part]]:
        """The parts by their names, or by what follows the last slash of a name."""
        found: dict[str, list[Part]] = {}
        for part in self.whole.inside():
            if part.parent is not None:
                found.setdefault(part.name.rpartition("/")[2], []).append(part)
        return found


def _line(site: Site, known: dict[tuple[int, int], Line | None]) -> Line | None:
    """Return the line where something was made; None if it cannot be read."""
    key = id(site.code), site.instruction
    if key not in known:
        number = site.line
        text = linecache.getline(site.file, number).strip()
        known[key] = Line(site.file, number, text) if text else None
    return known[key]
