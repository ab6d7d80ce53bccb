"""How a backward pass goes wrong: each mistake as a way to walk through a graph, to add up, or to begin anew.

A wrong engine is one of the right ways with one or two of them replaced. Its mistake is known when the gradients of all
graphs are those of such a walk. Not here: the right sweep (`core.sweep`). Read next: `check.examination`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from autograd_mini.check.graphs import Graph, is_close
from autograd_mini.check.verdicts import Named

Edges = Sequence[Sequence[tuple[int, float]]]
Event = tuple[int, int]  # a node, and the number of the edge along which it hands on
Walk = Callable[[Edges, int, bool], Iterable[Event]]
_LOST = 0.01  # of a local derivative such as 1 - y**2 in its tail, beside a tolerance
_LONGEST = 3000  # events of a walk along every path


# -- in which order nodes hand on --------------------------------------------------------------------------------------


def _operands(edges: Edges, node: int, mirrored: bool) -> Iterable[int]:
    return reversed(range(len(edges[node]))) if mirrored else range(len(edges[node]))


def _whole(edges: Edges, nodes: Iterable[int]) -> Iterator[Event]:
    return ((node, edge) for node in nodes for edge in range(len(edges[node])))


def _ordered(edges: Edges, root: int, mirrored: bool) -> list[int]:
    """Return the nodes behind a root, operands first."""
    found: dict[int, None] = {}
    path = [(root, iter(_operands(edges, root, mirrored)))]
    while path:
        node, rest = path[-1]
        for edge in rest:
            operand = edges[node][edge][0]
            if operand not in found:
                path.append((operand, iter(_operands(edges, operand, mirrored))))
                break
        else:
            found[path.pop()[0]] = None
    return [*found]


def _topological(edges: Edges, root: int, mirrored: bool) -> Iterable[Event]:
    return _whole(edges, reversed(_ordered(edges, root, mirrored)))


def _leaves_first(edges: Edges, root: int, mirrored: bool) -> Iterable[Event]:
    return _whole(edges, _ordered(edges, root, mirrored))


def _stacked(last_in: bool, once: bool) -> Walk:
    """Return a walk that keeps the nodes to visit in a stack, or in a queue."""

    def walk(edges: Edges, root: int, mirrored: bool) -> Iterable[Event]:
        waiting, seen = deque([root]), {root}
        nodes: list[int] = []
        while waiting and len(nodes) < _LONGEST:
            node = waiting.pop() if last_in else waiting.popleft()
            nodes.append(node)
            for edge in _operands(edges, node, mirrored):
                operand = edges[node][edge][0]
                if not (once and operand in seen):
                    seen.add(operand)
                    waiting.append(operand)
        return _whole(edges, nodes)

    return walk


def _recursive(once: bool, at_once: bool) -> Walk:
    """Return the recursion into operands: after each contribution (`at_once`), or after all of a node."""

    def walk(edges: Edges, root: int, mirrored: bool) -> Iterator[Event]:
        seen = {root}
        path = [(root, iter([*_operands(edges, root, mirrored)]))]
        if not at_once:
            yield from _whole(edges, [root])
        while path:
            node, rest = path[-1]
            for edge in rest:
                operand = edges[node][edge][0]
                if at_once:
                    yield node, edge
                if once and operand in seen:
                    continue
                seen.add(operand)
                if not at_once:
                    yield from _whole(edges, [operand])
                path.append((operand, iter([*_operands(edges, operand, mirrored)])))
                break
            else:
                path.pop()

    return walk


def _along_paths(edges: Edges, root: int, mirrored: bool) -> Iterable[Event]:
    """Walk every path with a gradient of its own, as in `operand.backward(gradient * local)`: right, but slow."""
    return _recursive(once=False, at_once=True)(edges, root, mirrored)


# -- the table ---------------------------------------------------------------------------------------------------------


class Way(NamedTuple):
    """One way to do a part of backpropagation; a wrong one has a name."""

    mistake: Named | None
    do: object


_SORT = "Sort the nodes so that operands come before results, once per node, and go through them in reverse."
_EARLY = "A node hands its gradient on before all of its consumers have added to it"
_REVERSE = Named("reverse-order", "backward() goes from the leaves to the root, or handles the root alone: nothing "
                  "gets further than the operands of the root.",
                  "Go through the sorted nodes in reverse: reversed(order).")  # fmt: skip
_VISITED = Named("early-visit", f"{_EARLY}: the recursion visits each node once, when it first reaches it.", _SORT)
_STACK = Named("stack-walk", f"{_EARLY}: a plain stack does not give the nodes in topological order.", _SORT)
_QUEUE = Named("queue-walk", f"{_EARLY}: a plain queue, breadth first, is not a topological order.", _SORT)
_PATHS = Named(
    "depth-first", f"{_EARLY}, and again after each: a recursion, or a plain stack, takes every path.", _SORT
)
WALKS = (
    Way(None, _topological), Way(None, _along_paths), Way(_REVERSE, _leaves_first),
    Way(_VISITED, _recursive(once=True, at_once=False)), Way(_VISITED, _recursive(once=True, at_once=True)),
    Way(_STACK, _stacked(last_in=True, once=True)), Way(_QUEUE, _stacked(last_in=False, once=True)),
    Way(_PATHS, _recursive(once=False, at_once=True)), Way(_PATHS, _recursive(once=False, at_once=False)),
    Way(_QUEUE, _stacked(last_in=False, once=False)),
)  # fmt: skip

ADD, EVERYWHERE, ONCE_FIRST, ONCE_LAST = "+=", "=", "first of equals", "last of equals"
_EQUAL = Named("equal-operands", "An operand that appears twice, as in x * x, gets its contribution once.",
                "Keep the operands in a tuple, not in a set or a dict, and add a contribution for each.")  # fmt: skip
_RESTART = "Set the gradient of all computed nodes to 0 at the beginning of backward(); leaves keep theirs."
BEGINNINGS = (
    Way(None, "restart"),
    Way(Named("stale-interior", "Computed nodes keep the gradient of the backward() before, and hand it on again. "
               "This matters if a node is used by two calls of backward(); with a new graph per step it does not.",
               _RESTART), "stale"),
    Way(Named("root-added", "backward() adds 1 to the gradient of the root instead of setting it, and computed nodes "
               "keep the gradient of the call before.", f"{_RESTART} Then set that of the root to 1."), "root added"),
    Way(Named("overwritten", "backward() clears the gradients of the leaves: a second call replaces what the first "
               "one left there, instead of adding to it.",
               "Clear only computed nodes; let the user clear leaves, as in zero_grad()."), "clear all"),
    Way(Named("no-seed", "The gradient of the root is never set to 1, so everything is 0.",
               "Begin backward() with self.grad = 1.0."), "no seed"),
)  # fmt: skip


def _sums(operations: Iterable[str]) -> Iterator[Way]:
    """Yield the ways to add up, of an engine with these operations."""

    def assigned(where: str) -> Named:
        return Named("assigned", f"The gradient is assigned with = {where}, so a second contribution replaces the "
                      "first.", "Write += for every contribution: self.grad += …")  # fmt: skip

    yield Way(None, ADD)
    yield Way(assigned("everywhere"), EVERYWHERE)
    for op in operations:
        yield Way(assigned(f"in {op}"), op)
    yield Way(_EQUAL, ONCE_FIRST)
    yield Way(_EQUAL, ONCE_LAST)


def gradients(
    graph: Graph, walk: Walk, sums: str, beginning: str, mirrored: bool = False, edges: Edges | None = None
) -> list[float]:
    """Return what an engine that works this way leaves in the nodes of a graph."""
    edges, found = edges or graph.edges, [0.0] * len(graph)
    if sums in (ONCE_FIRST, ONCE_LAST):  # of equal operands, one is left
        edges = [[*dict(pairs if sums == ONCE_LAST else reversed(pairs)).items()] for pairs in edges]
    first = len(graph.leaves)
    for root in [root % len(graph) for root in graph.roots]:
        behind = _ordered(edges, root, False)
        for node in behind:
            if beginning == "clear all" or (node >= first and beginning == "restart"):
                found[node] = 0.0
        if beginning != "no seed":
            found[root] = 1.0 + found[root] * (beginning == "root added")
        carried = {root: found[root]}  # the gradient of each node on the path, where a walk hands that on
        for node, edge in islice(walk(edges, root, mirrored), _LONGEST):
            operand, local = edges[node][edge]
            carried[operand] = (carried if walk is _along_paths else found)[node] * local
            is_assigned = sums == EVERYWHERE or (node >= first and sums == graph.steps[node - first].op)
            found[operand] = carried[operand] + (0.0 if is_assigned else found[operand])
    return found


def right(graph: Graph) -> list[float]:
    """Return the right gradients, in the order of the graph's nodes."""
    return gradients(graph, _topological, ADD, "restart")


def magnitudes(graph: Graph) -> list[float]:
    """Return how large the terms are that add up to each gradient; their rounding is not a mistake."""
    edges = [[(operand, abs(local) + _LOST) for operand, local in pairs] for pairs in graph.edges]
    return gradients(graph, _topological, ADD, "restart", edges=edges)


def named_mistakes(observed: Sequence[tuple[Graph, Sequence[float]]], tolerance: float) -> tuple[Named, ...]:
    """Return the mistakes, as few as possible, that explain the gradients of the leaves of all graphs."""
    operations = dict.fromkeys(step.op for graph, _ in observed for step in graph.steps)
    ways = sorted(
        product(WALKS, [*_sums(operations)], BEGINNINGS), key=lambda ways: sum(w.mistake is not None for w in ways)
    )
    for walk, sums, beginning in ways:
        if all(_explains(case, seen, walk.do, sums.do, beginning.do, tolerance) for case, seen in observed):
            return tuple([way.mistake for way in (walk, sums, beginning) if way.mistake is not None])
    return ()


def _explains(
    graph: Graph, seen: Sequence[float], walk: object, sums: object, beginning: object, tolerance: float
) -> bool:
    for mirrored in (False, True):  # an engine may take operands in either order
        simulated = gradients(graph, walk, sums, beginning, mirrored)  # type: ignore[arg-type]
        if all(is_close(a, b, tolerance) for a, b in zip(seen, simulated, strict=False)):
            return True
    return False
