"""How a backward pass goes wrong: each mistake as a way to walk through a graph, to add up, or to begin again.

A wrong pass is the right one with one or two of these ways replaced; its mistake is known when the gradients of all
graphs are those of such a pass. Not here: the right sweep (`core.sweep`). Read next: `check.mistakes.passes`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, product
from typing import Any, NamedTuple

from autograd_mini.check.verdicts import Named
from autograd_mini.notation.text import number


class Edge(NamedTuple):
    """From a node to one of its operands, which has an earlier number."""

    operand: int
    local: float  # the derivative of the node by it
    op: str = ""  # the operation of the node
    place: int = 0  # which operand of the operation it is


Edges = Sequence[Sequence[Edge]]  # of each node of a graph; a leaf has none
Event = tuple[int, int]  # a node, and the number of the edge along which it hands on
Walk = Callable[[Edges, int, bool], Iterable[Event]]  # edges, root, and whether the last operand comes first
_LONGEST = 6000  # events of a walk along every path


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
        pairs = edges[path[-1]]
        missing = (edge.operand for edge in (reversed(pairs) if mirrored else pairs) if edge.operand not in found)
        if (operand := next(missing, None)) is not None:
            path.append(operand)
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
                operand = edges[node][edge].operand
                if not (once and operand in seen):
                    waiting += parts(operand)
                    seen |= {operand} if not late else set()

    return walk


_along_paths = _unsorted(once=False, at_once=True)  # with a gradient of its own: `operand.backward(gradient * local)`
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
EARLY = (
    Way(_VISITED, _unsorted(late=True)), Way(_VISITED, _unsorted(at_once=True)),
    Way(_STACK, _unsorted()), Way(_QUEUE, _unsorted(last_in=False)),
    Way(_PATHS, _unsorted(once=False, at_once=True)), Way(_PATHS, _unsorted(once=False)),
    Way(_QUEUE, _unsorted(last_in=False, once=False)),
)  # fmt: skip
WALKS = (Way(None, _sorted), Way(None, _along_paths), Way(_REVERSE, partial(_sorted, step=1)), *EARLY)


# -- how contributions are added up ------------------------------------------------------------------------------------


class Sum(NamedTuple):
    """How contributions add up: all of them with +=, but at the edges of one operation ("": of each) otherwise."""

    kind: str = "+="  # "=", "first" is kept, "equal first" and "equal last" of equal operands, "no upstream"
    op: str = ""
    place: int | None = None  # None for each operand

    def at(self, edge: Edge) -> str:
        """Return how the contribution of an edge is added."""
        return self.kind if self.op in ("", edge.op) and self.place in (None, edge.place) else "+="


_ADD = Sum()
_EQUAL = Named("equal-operands", "An operand that appears twice, as in x * x, gets its contribution once.",
               "Keep the operands in a tuple, not in a set or a dict, and add a contribution for each.")  # fmt: skip


def _sums(operations: dict[str, int]) -> Iterator[Way]:
    """Yield the ways to add up, of an engine with these operations, given with their numbers of operands."""
    yield from (Way(None, _ADD), Way(_EQUAL, Sum("equal first")), Way(_EQUAL, Sum("equal last")))
    for op, arity in {"": 0, **operations}.items():
        for place in (None, *range(arity * (arity > 1))):
            where = f"in {op}" if op else "everywhere"
            where += "" if place is None else f", {('first', 'second')[place]} operand"
            yield Way(Named("assigned", f"The gradient is assigned with = {where}, so a second contribution replaces "
                            "the first.", "Write += for every contribution: self.grad += …"),
                      Sum("=", op, place))  # fmt: skip
            yield Way(Named("missing-upstream", f"What arrives is forgotten {where}: the local derivative is handed on "
                            "without the gradient of the result.",
                            "Multiply by out.grad: self.grad += local derivative * out.grad."),
                      Sum("no upstream", op, place))  # fmt: skip


# -- how a call of backward() begins -----------------------------------------------------------------------------------

_RESTART = "Set the gradient of all computed nodes to 0 at the beginning of backward(); leaves keep theirs."
_BEGINNINGS = (
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
    Way(Named("visited-kept", "Later calls skip what one backward() has visited: the set or list of visited nodes "
              "is kept between calls, like a default argument or an attribute of the class.",
              "Begin each backward() with a new set."), "visited kept"),
)  # fmt: skip


def gradients(
    edges: Edges, roots: Sequence[int] = (-1,), walk: Walk = _sorted, sums: Sum = _ADD,
    beginning: str | float = "restart", mirrored: bool = False,
) -> list[float]:  # fmt: skip
    """Return the gradients that a pass of this kind leaves in the nodes of a graph; by default, the right ones."""
    found, visited = [0.0] * len(edges), set[int]()  # by earlier calls
    if sums.kind.startswith("equal"):  # of equal operands, one is left
        edges = [[*{edge.operand: edge for edge in pairs[:: 1 if "last" in sums.kind else -1]}.values()]
                 for pairs in edges]  # fmt: skip
    for root in [root % len(edges) for root in roots]:
        for node in _behind(edges, root) if any(found) else ():
            if beginning == "clear all" or (edges[node] and beginning not in ("stale", "root added", "no seed")):
                found[node] = found[node] if node in visited else 0.0
        if beginning != "no seed":
            seed = beginning if isinstance(beginning, float) else 1.0
            found[root] = seed + found[root] * (beginning == "root added")
        carried = {root: found[root]}  # the gradient of each node on the path, where a walk hands that on
        for node, k in [event for event in islice(walk(edges, root, mirrored), _LONGEST) if event[0] not in visited]:
            edge = edges[node][k]
            how, is_known = sums.at(edge), edge.operand in carried
            upstream = 1.0 if how == "no upstream" else (carried if walk is _along_paths else found)[node]
            carried[edge.operand] = upstream * edge.local
            if not (how == "first" and is_known):
                found[edge.operand] = carried[edge.operand] + (0.0 if how == "=" else found[edge.operand])
        if beginning == "visited kept":
            visited.update(_behind(edges, root))
    return found


# -- one term of the chain rule ----------------------------------------------------------------------------------------

Change = Callable[[float], float]  # of a local derivative
TERMS: tuple[tuple[str, str, str, Change], ...] = (
    ("inner-derivative", "it is not multiplied by the local derivative (the inner derivative)",
     "Multiply by the local derivative.", lambda local: 1.0),
    ("local-sign", "its sign is flipped", "Flip it back.", lambda local: -local),
    ("path", "it is missing", "Every use adds a term.", lambda local: 0.0),
    ("double", "it is counted twice, or has a factor of 2 too many", "Add it once.", lambda local: 2.0 * local),
    ("half", "it lacks a factor of 2", "Multiply by 2.", lambda local: 0.5 * local),
)  # fmt: skip


# -- which of them explain what was seen -------------------------------------------------------------------------------

Observed = Sequence[tuple[Edges, Sequence[int], Sequence[float]]]  # graphs, their roots, and the gradients of leaves


def named_mistakes(observed: Observed, tolerance: float) -> tuple[Named, ...]:
    """Return the mistakes, as few as possible, that explain the gradients of the leaves of all graphs."""
    operations: dict[str, int] = {}
    for edge in [edge for edges, *_ in observed for pairs in edges for edge in pairs]:
        operations[edge.op] = max(operations.get(edge.op, 0), edge.place + 1)
    found = product(WALKS, [*_sums(operations)], [*_BEGINNINGS, *_seeds(observed)])
    for ways in sorted(found, key=lambda ways: sum(way.mistake is not None for way in ways)):
        if all(_explains(graph, ways, tolerance) for graph in observed):
            return tuple([way.mistake for way in ways if way.mistake is not None])
    return ()


def _seeds(observed: Observed) -> Iterator[Way]:
    """Yield the wrong seed that would explain the first gradient, if there is one."""
    pairs = [(a, b) for edges, roots, seen in observed for a, b in zip(seen, gradients(edges, roots), strict=False)]
    factor = next((mine / right for mine, right in pairs if right), 0.0)
    if factor not in (0.0, 1.0):
        times = number(factor, 6)
        said = f"backward() begins with {times} at the root instead of 1, so each gradient is {times} times"
        yield Way(Named("seed", f"{said} what is right.", "Begin backward() with self.grad = 1.0."), factor)


def _explains(graph: tuple[Edges, Sequence[int], Sequence[float]], ways: Sequence[Way], tolerance: float) -> bool:
    """Return True if an engine that takes operands in one order or the other leaves these gradients."""
    (edges, roots, seen), (walk, sums, beginning) = graph, [way.do for way in ways]
    left = (gradients(edges, roots, walk, sums, beginning, mirrored) for mirrored in (False, True))
    return any(all(is_close(a, b, tolerance) for a, b in zip(seen, found, strict=False)) for found in left)


def is_close(a: float | None, b: float, tolerance: float, scale: float = 0.0) -> bool:
    """Return whether two numbers agree, up to the rounding of terms of some size."""
    if a is None or math.isnan(a):
        return a is not None and math.isnan(b)
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b), scale)
