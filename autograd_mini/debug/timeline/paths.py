"""Calls such as softmax as single operations, and every path through a graph: their products add up to the gradient.

The derivatives of a call as a whole come from `drawing.folds`, which pictures share. Up to a limit all paths are
listed, above it the heaviest. Not here: how windows show them. Read next: `debug.timeline.differences`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autograd_mini import functions
from autograd_mini.core.row import ZERO
from autograd_mini.core.table import ndtr
from autograd_mini.debug.timeline.journal import edges
from autograd_mini.drawing.folds import fold
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.local_rules import ClosedForm
from autograd_mini.notation.names import call_of, users_of
from autograd_mini.notation.text import number
from autograd_mini.program.stack import Scope, outwards

_CLOSE = 1e-6  # relative: how near a closed form must come to the derivative, if its numbers are shown


class Call:
    """A call of a composition."""

    def __init__(self, nodes: Sequence[Value], outputs: Sequence[Value], scope: Scope) -> None:
        self.nodes, self.scope = nodes, scope  # those inside, operands before results; where they were made
        self.fold = fold(scope.name, nodes, outputs)  # what goes in and comes out, with the derivatives of the whole

    @property
    def name(self) -> str:
        """The composition."""
        return self.fold.name

    def slope(self, output: Value, by: Value) -> float | None:
        """Return the derivative of an output by an input; None if no path leads there."""
        found = self.fold.partials[by, output]
        return None if found is ZERO else float(found)

    def form(self) -> ClosedForm | None:
        """Return the closed form of its derivative, if one is known and holds here."""
        return self.fold.closed_form

    def numbered(self, output: Value, by: Value, value: Callable[[Value], float]) -> str:
        """Return the closed form with its numbers; "" where a letter's number is not known, or it does not fit."""
        form, slope = self.form(), self.slope(output, by)
        if form is None or slope is None or not math.isfinite(slope):
            return ""
        letters = self._letters(slope, output, by, value)
        if not {*form.letters} <= letters.keys():
            return ""
        found = form.value(**{letter: letters[letter] for letter in form.letters})
        return form.numbered(letters) if abs(found - slope) <= _CLOSE * max(abs(slope), 1e-12) else ""

    def _letters(self, slope: float, output: Value, by: Value, value: Callable[[Value], float]) -> dict[str, float]:
        numbers = [value(x) for x in self.fold.inputs]
        if len(numbers) == 1:
            (x,) = numbers
            density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) if abs(x) < 1e100 else 0.0
            return {"x": x, "o": value(output), "a": functions.sigmoid(x), "Φ": ndtr(x), "φ": density}
        if self.name not in ("softmax", "log_softmax", "logsumexp", "cross_entropy"):
            return {}
        a_j = functions.softmax(numbers)[self.fold.inputs.index(by)]
        letters = {"a_j": a_j, "a_i": value(output)}
        if self.name == "cross_entropy":  # the form holds, so this is the target
            return {**letters, "t_j": round(a_j - slope, 12)}
        is_own = slope > 0.0 if self.name == "softmax" else slope > -a_j + 0.5
        return {**letters, "δ_ij": 1.0 if is_own else 0.0}

    def text(self, output: Value, by: Value, value: Callable[[Value], float]) -> str:
        """Return the derivative of an output by an input: closed form, its numbers, and the result."""
        form, slope = self.form(), self.slope(output, by)
        parts = [form.text if form is not None else "", self.numbered(output, by, value), number(slope or 0.0)]
        return " = ".join(dict.fromkeys(filter(None, parts)))


def calls_in(order: Sequence[Value]) -> dict[Scope, Call]:
    """Return the calls of this package's compositions, by their scopes, in the order of their first nodes."""
    return _called(order, lambda node: filter(None, [call_of(node)]))


def scopes_in(order: Sequence[Value]) -> dict[Scope, Call]:
    """Return the user's own scopes and composites in a graph as calls, without one that holds everything."""

    def around(node: Value) -> Iterable[Scope]:
        call = call_of(node)
        return outwards(node.scope if call is None else call.parent)

    whole = sum(node.op is not None for node in order)
    return {scope: call for scope, call in _called(order, around).items() if len(call.nodes) < whole}


def _called(order: Sequence[Value], around: Callable[[Value], Iterable[Scope]]) -> dict[Scope, Call]:
    """Return what is inside the scopes around each node as calls."""
    inside: dict[Scope, list[Value]] = {}
    for node in order:
        for scope in around(node) if node.op is not None else ():
            inside.setdefault(scope, []).append(node)
    users = users_of(order) if inside else {}
    found = {}
    for scope, nodes in inside.items():
        own = {*nodes}
        outputs = [node for node in nodes if node is order[-1] or any(x not in own for x in users.get(node, ()))]
        if len(nodes) > 1:
            found[scope] = Call(nodes, outputs, scope)
    return found


def folded_edges(calls: Mapping[Scope, Call]) -> Callable[[Value], Iterable[tuple[Value, float]]]:
    """Return the edges of a graph in which each call is a single operation."""
    whole = {output: call for call in calls.values() for output in call.fold.outputs}

    def found(node: Value) -> Iterable[tuple[Value, float]]:
        call = whole.get(node)
        if call is None:
            return edges(node)
        slopes = [(x, call.slope(node, x)) for x in call.fold.inputs]
        return [(x, slope) for x, slope in slopes if slope is not None and is_node(x)]

    return found


MOST = 50  # paths that are listed

Edges = Callable[[Value], Iterable[tuple[Value, float]]]


class Link(NamedTuple):
    """One factor of a path: a node, what it hands its gradient on to, and the local derivative between them."""

    node: Value
    operand: Value
    local: float
    place: int  # which of the node's contributions it is


class Path(NamedTuple):
    """A path from the root to a node, and the product of its local derivatives."""

    links: tuple[Link, ...]
    product: float


@dataclass(frozen=True)
class Paths:
    """The paths from a root to a node."""

    node: Value
    count: int  # of all
    paths: tuple[Path, ...]  # all, or the heaviest; the heaviest first

    @property
    def total(self) -> float:
        """The sum of the products of the paths that are listed; the gradient, if that is all."""
        products = [path.product for path in self.paths]
        try:
            return math.fsum(products) if all(map(math.isfinite, products)) else sum(products)
        except OverflowError:  # in between, or at the end
            return sum(products)

    @property
    def left_out(self) -> int:
        """The number of paths that are not listed."""
        return self.count - len(self.paths)


class _Trail(NamedTuple):
    """The end of a path, linked to the rest of it."""

    product: float
    before: _Trail | None
    link: Link | None

    @property
    def weight(self) -> float:
        return math.inf if math.isnan(self.product) else abs(self.product)


class Walk:
    """The heaviest paths from a root, the last in an order of nodes, to every node: one walk down the graph.

    `edges` gives what a node hands its gradient on to, with the local derivatives; `most` paths are kept for each node.
    """

    def __init__(self, order: Sequence[Value], seed: float = 1.0, edges: Edges = edges, most: int = MOST) -> None:
        self._trails: dict[Value, list[_Trail]] = {order[-1]: [_Trail(seed, None, None)]}
        self._counts = {order[-1]: 1}
        for node in reversed(order):
            if node not in self._trails:
                continue
            # A heaviest path continues a heaviest path: a factor changes all weights alike.
            trails = heapq.nlargest(most, self._trails[node], key=lambda trail: trail.weight)
            self._trails[node] = trails
            for place, (operand, local) in enumerate(edges(node)):
                self._counts[operand] = self._counts.get(operand, 0) + self._counts[node]
                link = Link(node, operand, local, place)
                longer = [_Trail(trail.product * local, trail, link) for trail in trails]
                self._trails.setdefault(operand, []).extend(longer)

    def to(self, node: Value) -> Paths:
        """Return the paths to a node."""
        return Paths(node, self._counts.get(node, 0), tuple([_path(t) for t in self._trails.get(node, ())]))


def _path(end: _Trail) -> Path:
    links = []
    trail: _Trail | None = end
    while trail is not None and trail.link is not None:
        links.append(trail.link)
        trail = trail.before
    return Path(tuple(links[::-1]), end.product)
