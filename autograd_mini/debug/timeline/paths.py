"""Every path from a result down to a node, with its product of local derivatives: their sum is the gradient.

Up to a limit all paths are listed, above it the heaviest. Not here: how windows show them, and the derivatives of a
call as a whole (`drawing.folds`). Read next: `debug.timeline.differences`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autograd_mini.debug.timeline.journal import edges
from autograd_mini.engine import Value

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
