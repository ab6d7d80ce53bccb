"""How a backward pass goes wrong: each mistake as a way to walk through a graph, to add up, or to begin anew.

A wrong engine is one of the right ways with one or two of them replaced. Its mistake is known when the gradients of all
graphs are those of such a walk. Not here: the right sweep (`core.sweep`). Read next: `check.trials`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, product
from typing import Any, NamedTuple

from autograd_mini.check.graphs import Graph, is_close
from autograd_mini.check.verdicts import Named

Edges = Sequence[Sequence[tuple[int, float]]]
Event = tuple[int, int]  # a node, and the number of the edge along which it hands on
Walk = Callable[[Edges, int, bool], Iterable[Event]]  # edges, root, and whether the last operand comes first
LOST = 0.01  # of a local derivative such as 1 - y**2 in its tail, beside a tolerance
_LONGEST = 3000  # events of a walk along every path


class Way(NamedTuple):
    """One way to do a part of backpropagation; a wrong one has a name."""

    mistake: Named | None
    do: Any


# -- in which order nodes hand on --------------------------------------------------------------------------------------


def _behind(edges: Edges, root: int, mirrored: bool = False) -> list[int]:
    """Return the nodes behind a root, operands first."""
    found: dict[int, None] = {}
    path = [root]
    while path:
        if missing := [operand for operand, _ in edges[path[-1]] if operand not in found]:
            path.append(missing[-1 if mirrored else 0])
        else:
            found[path.pop()] = None
    return [*found]


def _sorted(edges: Edges, root: int, mirrored: bool, step: int = -1) -> Iterable[Event]:
    nodes = _behind(edges, root, mirrored)[::step]
    return ((node, edge) for node in nodes for edge in range(len(edges[node])))


def _unsorted(last_in: bool = True, once: bool = True, at_once: bool = False, late: bool = False) -> Walk:
    """Return a walk whose nodes wait in a stack, as in a recursion, or in a queue: `late` ones are seen at their turn.

    If `at_once`, a recursion goes on after each contribution, not after all of a node.
    """

    def walk(edges: Edges, root: int, mirrored: bool) -> Iterator[Event]:
        def parts(node: int) -> list[tuple[int, list[int]]]:
            whole = [*range(len(edges[node]))]
            return [(node, [edge]) for edge in whole[:: 1 if mirrored else -1]] if at_once else [(node, whole)]

        waiting, seen = deque(parts(root)), {root} if not late else set()
        while waiting:
            node, part = waiting.pop() if last_in else waiting.popleft()
            if late and node in seen:
                continue
            yield from [(node, edge) for edge in part]
            seen.add(node)
            for edge in part[:: -1 if mirrored else 1]:
                operand = edges[node][edge][0]
                if not (once and operand in seen):
                    waiting += parts(operand)
                    seen |= {operand} if not late else set()

    return walk


_along_paths = _unsorted(once=False, at_once=True)  # with a gradient of its own: `operand.backward(gradient * local)`


# -- the table ---------------------------------------------------------------------------------------------------------


_SORT = "Sort the nodes so that operands come before results, once per node, and go through them in reverse."


def _early(name: str, how: str) -> Named:
    return Named(name, f"A node hands its gradient on before all of its consumers have added to it{how}.", _SORT)


_REVERSE = Named("reverse-order", "backward() goes from the leaves to the root, or handles the root alone: nothing "
                 "gets further than the operands of the root.",
                 "Go through the sorted nodes in reverse: reversed(order).")  # fmt: skip
_VISITED = _early("early-visit", ": the recursion visits each node once, when it first reaches it")
_STACK = _early("stack-walk", ": a plain stack does not give the nodes in topological order")
_QUEUE = _early("queue-walk", ": a plain queue, breadth first, is not a topological order")
_PATHS = _early("depth-first", ", and again after each: a recursion, or a plain stack, takes every path")
WALKS = (
    Way(None, _sorted), Way(None, _along_paths), Way(_REVERSE, partial(_sorted, step=1)),
    Way(_VISITED, _unsorted(late=True)), Way(_VISITED, _unsorted(at_once=True)),
    Way(_STACK, _unsorted()), Way(_QUEUE, _unsorted(last_in=False)),
    Way(_PATHS, _unsorted(once=False, at_once=True)), Way(_PATHS, _unsorted(once=False)),
    Way(_QUEUE, _unsorted(last_in=False, once=False)),
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


class Slip(NamedTuple):
    """What goes wrong where one operation ("": each) hands on, to one operand or (place None) to each."""

    op: str
    place: int | None
    is_assigned: bool  # with =; else what arrives is forgotten

    def concerns(self, graph: Graph, node: int, edge: int) -> bool:
        """Whether it happens at this edge of a node."""
        step = graph.steps[node - len(graph.leaves)]
        if self.op not in ("", step.op):
            return False
        return self.place is None or [k for k, x in enumerate(step.operands) if type(x) is int][edge] == self.place


def _slips(operations: dict[str, int]) -> Iterator[Way]:
    """Yield the ways to go wrong in one operation: all operands first, then one of them."""
    for op, arity in {"": 0, **operations}.items():
        for place in (None, *range(arity * (arity > 1))):
            where = f"in {op}" if op else "everywhere"
            where += "" if place is None else f", {('first', 'second')[place]} operand"
            yield Way(_assigned(where), Slip(op, place, True))
            yield Way(
                Named(
                    "missing-upstream",
                    f"What arrives is forgotten {where}: the local derivative is handed on "
                    "without the gradient of the result.",
                    "Multiply by out.grad: self.grad += local derivative * out.grad.",
                ),
                Slip(op, place, False),
            )


def _assigned(where: str) -> Named:
    sentence = f"The gradient is assigned with = {where}, so a second contribution replaces the first."
    return Named("assigned", sentence, "Write += for every contribution: self.grad += …")


def _sums(operations: dict[str, int]) -> list[Way]:
    """Return the ways to add up, of an engine with these operations, given with their numbers of operands."""
    equal = [Way(_EQUAL, ONCE_FIRST), Way(_EQUAL, ONCE_LAST)]
    return [Way(None, ADD), Way(_assigned("everywhere"), EVERYWHERE), *equal, *_slips(operations)]


def gradients(
    graph: Graph, walk: Walk, sums: str | Slip, beginning: str, mirrored: bool = False, edges: Edges | None = None
) -> list[float]:
    """Return what an engine that works this way leaves in the nodes of a graph."""
    edges, found, first = edges or graph.edges, [0.0] * len(graph), len(graph.leaves)
    if sums in (ONCE_FIRST, ONCE_LAST):  # of equal operands, one is left
        edges = [[*dict(pairs if sums == ONCE_LAST else reversed(pairs)).items()] for pairs in edges]
    for root in [root % len(graph) for root in graph.roots]:
        for node in _behind(edges, root):
            if beginning == "clear all" or (node >= first and beginning == "restart"):
                found[node] = 0.0
        if beginning != "no seed":
            found[root] = 1.0 + found[root] * (beginning == "root added")
        carried = {root: found[root]}  # the gradient of each node on the path, where a walk hands that on
        for node, edge in islice(walk(edges, root, mirrored), _LONGEST):
            operand, local = edges[node][edge]
            slip = sums if isinstance(sums, Slip) and sums.concerns(graph, node, edge) else None
            is_assigned = slip.is_assigned if slip else sums == EVERYWHERE
            is_forgotten = slip is not None and not slip.is_assigned
            upstream = 1.0 if is_forgotten else (carried if walk is _along_paths else found)[node]
            carried[operand] = upstream * local
            found[operand] = carried[operand] + (0.0 if is_assigned else found[operand])
    return found


def right(graph: Graph) -> list[float]:
    """Return the right gradients, in the order of the graph's nodes."""
    return gradients(graph, _sorted, ADD, "restart")


def magnitudes(graph: Graph, lost: float = LOST) -> list[float]:
    """Return how large the terms are that add up to each gradient; their rounding is not a mistake."""
    edges = [[(operand, abs(local) + lost) for operand, local in pairs] for pairs in graph.edges]
    return gradients(graph, _sorted, ADD, "restart", edges=edges)


def named_mistakes(observed: Sequence[tuple[Graph, Sequence[float]]], tolerance: float) -> tuple[Named, ...]:
    """Return the mistakes, as few as possible, that explain the gradients of the leaves of all graphs."""
    operations = {step.op: len(step.operands) for graph, _ in observed for step in graph.steps}
    found = product(WALKS, _sums(operations), BEGINNINGS)
    for ways in sorted(found, key=lambda ways: sum(way.mistake is not None for way in ways)):
        if all(_explains(graph, seen, ways, tolerance) for graph, seen in observed):
            return tuple([way.mistake for way in ways if way.mistake is not None])
    return ()


def _explains(graph: Graph, seen: Sequence[float], ways: Sequence[Way], tolerance: float) -> bool:
    """Return True if an engine that takes operands in one order or the other leaves these gradients."""
    walk, sums, beginning = [way.do for way in ways]
    left = (gradients(graph, walk, sums, beginning, mirrored) for mirrored in (False, True))
    return any(all(is_close(a, b, tolerance) for a, b in zip(seen, found, strict=False)) for found in left)
