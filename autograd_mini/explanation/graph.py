"""A graph with adjoints, the paths through it (up from a node, down to it, what blocks them), and words for its parts.

Not here: the sweep (`core.sweep`), and what is wrong with a gradient. Read next: `explanation.causes`.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints, sweep, topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.names import Names, call_of
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.notation.spelling import PYTHON, spelling
from autograd_mini.notation.text import number as written
from autograd_mini.program.source import Site, cell, located
from autograd_mini.program.stack import Scope, outwards
from autograd_mini.watch.origins import place_of

SHOWN = 6  # a longer list shows this many of its first and of its last things


def ends(things: tuple[Any, ...]) -> list[Any]:
    """Return all of a few things, or the first and the last of many."""
    return list(things) if len(things) <= 2 * SHOWN else [*things[:SHOWN], *things[-SHOWN:]]


def short(number: float) -> str:
    """Return a number in six digits, or in all if six would make a non-integer look whole."""
    return written(number, 6, faithful=True)


def slope_text(partial: Any) -> str:
    return "none (no connection: nothing flows there)" if partial is ZERO else short(partial)


def at(node: Value) -> str:
    """Return the place of a node, such as " (model.py:12: x * x)"; "" if it is not known."""
    return at_site(place_of(node) if node.op is not None else None)


def at_site(site: Site | None) -> str:
    if site is None:
        return ""
    file = site.file if cell(site.file) else os.path.basename(site.file)
    return f" ({located(file, site.line)}: {site.expression})"


class Words:
    """The names of the nodes of a graph, and the numbers of its leaves when it was recorded."""

    def __init__(self, names: Names, recorded: Snapshot) -> None:
        self.names, self.recorded = names, recorded

    def number(self, operand: Any) -> float:
        """Return the number of an operand, which is a constant or a node."""
        return operand if type(operand) is float else self.recorded.value(operand)

    def name(self, node: Value) -> str:
        """Return the user's name for a node; "" if there is none."""
        return self.names.name(node) if node in self.names.number else node.name or ""

    def called(self, node: Value) -> str:
        """Return an operation with its numbers, such as "log(0)" or "0 / 3"; a leaf by its name."""
        if node.op is None:
            number, remark = short(self.number(node)), self.recorded.remark(node)
            text = f"{name} = {number}" if (name := self.name(node)) else f"the input {number}"
            return f"{text}, {remark}," if remark else text
        spelled = spelling(node)
        return spelled.text([short(self.number(x)) for x in spelled.operands], PYTHON, most=4)

    def call(self, name: str, inputs: Iterable[Value]) -> str:
        """Return a call of a composition with its arguments, such as "tanh(0.5)"."""
        numbers = [short(self.number(x)) for x in inputs]
        return f"{name}({', '.join(numbers[:3])}{', ...' * (len(numbers) > 3)})"

    def label(self, node: Value) -> str:
        """Return what to call a node whose gradient is explained."""
        number = short(self.number(node))
        return self.name(node) or (f"{self.called(node)}{at(node)}" if node.op else f"the input {number}")

    def seen(self, node: Value, text: str = "") -> str:
        """Describe a node with its number and place; `text` replaces its operation."""
        result = f" = {short(node.data)}" if node.op else ""
        return f"{text or self.called(node)}{result}{at(node)}"


_CANCELLED = 1e-12  # a sum smaller than its terms by this factor has no digits left


class Link(NamedTuple):
    """One factor of a path: an operation that hands its adjoint on to one of its operands.

    If a composition of this package, such as `tanh`, is one link, its operand is what it was called with.
    """

    node: Value  # the operation's result
    origin: Site | None  # where in the user's program it was computed; None without provenance
    upstream: float  # the adjoint of the node, 0.0 where nothing arrives
    local: Any  # its local partial derivative for the next node down; `ZERO` where there is no edge
    contribution: float  # their product, what the next node down gets from here; 0.0 where nothing arrives
    arrivals: int = 1  # the number of contributions that add up to the adjoint
    text: str = ""  # a composition with its arguments: "tanh(0.5)"


class Edge(NamedTuple):
    """An operation, one of its operands, the partial derivative, and what the operation hands on to the operand."""

    node: Value
    below: Value
    partial: Any
    contribution: float


def badness(number: float) -> str:
    """Return what is bad about a number: "nan", "inf" or "zero"; "finite" if nothing is."""
    return "nan" if math.isnan(number) else "inf" if math.isinf(number) else "zero" if number == 0.0 else "finite"


def inputs_of(node: Value, call: Scope) -> list[Value]:
    """Return the inputs of the part of a call that computed a node, each once."""
    found: dict[Value, None] = {}
    inside, seen = [node], {node}
    while inside:
        for operand in inside.pop().operands:
            if is_node(operand) and operand not in seen:
                seen.add(operand)
                if operand.operands and call in outwards(operand.scope):
                    inside.append(operand)
                else:
                    found[operand] = None
    return list(found)


def slopes_by(node: Value, inputs: Sequence[Value]) -> dict[Value, Any]:
    """Return the derivatives of a node by some nodes behind it; `ZERO` where no path leads from one to the other."""
    found = topological_order(node, leaves=inputs)
    # A sweep hands on a node's adjoint when the next node is asked for: the last one asked for is the first input.
    deque(itertools.islice(sweep(node, 1.0, found), len(found) - len(inputs) + 1), maxlen=0)
    return {x: found[x] for x in inputs}


class Graph:
    """The nodes behind a root, their adjoints, and the nodes that use them."""

    def __init__(self, root: Value, words: Words) -> None:
        self.root, self.words = root, words
        self.adjoints = adjoints(root)
        self.order = topological_order(root, everything=True)
        self.users: dict[Value, list[tuple[Value, Any]]] = {node: [] for node in self.order}
        for node in self.order:
            for operand, partial in zip(node.operands, node.partials, strict=True):
                if is_node(operand):
                    self.users[operand].append((node, partial))
        self._position = {node: i for i, node in enumerate(self.order)}
        self._slopes: dict[Value, dict[Value, Any]] = {}
        self._began: dict[Value, Edge | Value] = {}
        self._blocked: dict[Value, list[Edge]] = {}

    def adjoint(self, node: Value) -> float:
        """Return what arrives at a node; 0.0 if nothing does."""
        adjoint = self.adjoints.get(node, ZERO)
        return 0.0 if adjoint is ZERO else adjoint

    def edges(self, node: Value) -> list[Edge]:
        """Return the edges that hand something on to a node."""
        users = [user for user in self.users.get(node, ()) if user[1] is not ZERO]
        reached = [user for user in users if self.adjoints.get(user[0], ZERO) is not ZERO]
        return [Edge(user, node, partial, self.adjoint(user) * partial) for user, partial in reached]

    def is_cancelled(self, node: Value) -> bool:
        """Return True if the contributions to a node cancel almost completely."""
        largest = max([abs(edge.contribution) for edge in self.edges(node)], default=0.0)
        return math.isfinite(largest) and abs(self.adjoint(node)) < _CANCELLED * largest

    def arrivals(self, node: Value) -> int:
        """Return the number of contributions to a node's adjoint; all from one call of a composition count as one."""
        calls = [call_of(edge.node) for edge in self.edges(node)]
        return len(set(calls) - {None, call_of(node)}) + calls.count(None)

    # -- up ------------------------------------------------------------------------------------------------------------

    def up(self, node: Value) -> Edge | None:
        """Return the edge that made the adjoint of a node what it is; None at the root, or if only the sum did."""
        edges = self.edges(node)
        if node is self.root or not edges:
            return None
        kind = badness(self.adjoint(node))
        if kind == "finite":
            return max(edges, key=lambda edge: abs(edge.contribution))
        alike = [edge for edge in edges if badness(edge.contribution) == kind]
        if not alike or (kind == "zero" and len(alike) < len(edges)):
            return None
        return next((edge for edge in alike if badness(self.adjoint(edge.node)) != kind), alike[0])

    def began(self, node: Value) -> Edge | Value:
        """Return the edge where a node's adjoint became nan, infinite or zero, or the node whose sum made it so."""
        kind, way = badness(self.adjoint(node)), []
        while node not in self._began:
            way.append(node)
            edge = self.up(node)
            if edge is None:
                self._began[node] = node
            elif badness(self.adjoint(edge.node)) != kind:
                self._began[node] = edge
            else:
                node = edge.node
        self._began.update(dict.fromkeys(way, self._began[node]))
        return self._began[node]

    def _walls(self, node: Value) -> tuple[list[Edge], dict[Value, tuple[Value, Any]]]:
        """Return the nearest missing edges above a node that nothing reaches, and the way back from each."""
        walls: list[Edge] = []
        below: dict[Value, tuple[Value, Any]] = {node: (node, ZERO)}
        waiting = [node]
        for inner in waiting:  # the loop appends to it
            for user, partial in self.users[inner]:
                if partial is ZERO:
                    walls.append(Edge(user, inner, ZERO, 0.0))
                elif user not in below:
                    below[user] = inner, partial
                    waiting.append(user)
        return walls, below

    def walls(self, node: Value) -> list[Edge]:
        """Return the nearest missing edges; nodes whose only way is through the same node share one walk."""
        way = []
        while node not in self._blocked and len(self.users[node]) == 1 and self.users[node][0][1] is not ZERO:
            way.append(node)
            node = self.users[node][0][0]
        if node not in self._blocked:
            self._blocked[node] = self._walls(node)[0]
        self._blocked.update(dict.fromkeys(way, self._blocked[node]))
        return self._blocked[node]

    # -- down ----------------------------------------------------------------------------------------------------------

    def path(self, node: Value) -> tuple[Link, ...]:
        """Return the factors from the output down to a node."""
        links: list[Link] = []
        if node not in self.adjoints and node in self.users:
            (first, *_), below = self._walls(node)
            passed, inner = [self._link(first.node, ZERO)], first.below
            while inner is not node:
                user = inner
                inner, partial = below[user]
                passed.append(self._link(user, partial))
            links += reversed(passed)
            node = first.node
            while node not in self.adjoints and self.users[node]:
                user, partial = min(self.users[node], key=lambda user: user[0] not in self.adjoints)
                links.append(self._link(user, partial))
                node = user
        while node in self.adjoints and node is not self.root:
            # If only a sum made it what it is, follow its largest term.
            up = self.up(node) or max(self.edges(node), key=lambda edge: abs(edge.contribution))
            links.append(self._link(up.node, up.partial))
            node = up.node
        return tuple(reversed(links))

    def _link(self, node: Value, partial: Any) -> Link:
        upstream, is_connected = self.adjoint(node), node in self.adjoints and partial is not ZERO
        return Link(node, place_of(node), upstream, partial, upstream * partial if is_connected else 0.0)

    def steps(self, path: tuple[Link, ...], end: Value) -> tuple[Link, ...]:
        """Return a path as the program wrote it: one link per call of a composition, unless the path ends inside it."""
        around = call_of(end) if end.op is not None else None
        pairs = zip(path, [*[link.node for link in path[1:]], end], strict=False)
        steps: list[Link] = []
        calls = {link.node: found for link in path if (found := call_of(link.node)) is not around}
        groups = itertools.groupby(pairs, key=lambda pair: calls.get(pair[0].node) or id(pair[0].node))
        for call, members in groups:
            inside = list(members)
            (link, _), (_, bottom) = inside[0], inside[-1]
            if isinstance(call, Scope):
                slopes = self._slopes_of(link.node, call)
                link = self._link(link.node, slopes.get(bottom, ZERO))._replace(text=self.words.call(call.name, slopes))
            steps.append(link._replace(arrivals=self.arrivals(link.node)))
        return tuple(steps)

    def _slopes_of(self, node: Value, call: Scope) -> dict[Value, Any]:
        """Return the derivatives of a composition's result by everything that it was called with."""
        if node not in self._slopes:
            self._slopes[node] = slopes_by(node, sorted(inputs_of(node, call), key=self._position.__getitem__))
        return self._slopes[node]

    def seen(self, node: Value) -> str:
        """Describe a node with its number and place; the result of a composition reads as the call."""
        call = call_of(node)
        if call is None or any(call_of(user) is call for user, _ in self.users.get(node, ())):
            return self.words.seen(node)
        return self.words.seen(node, self.words.call(call.name, self._slopes_of(node, call)))
