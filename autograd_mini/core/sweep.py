"""The order of a graph and the sweep through it: the chain rule, in the one place where it happens.

Recorded edges are read as `Value`s keep them (`node` describes the pairs); any other node is asked for its partials.
Not here: recording, and any derivative. Read next: `engine`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from autograd_mini.core.row import FLAT, ZERO
from autograd_mini.program.stack import recording

Node = Any  # a Value, which this module need not know
Partials = Callable[[Node], Sequence[Any]]


def topological_order(root: Node, leaves: Iterable[Node] = (), everything: bool = False) -> dict[Node, Any]:
    """The nodes behind a root, operands before results: a dict in that order, every node with `ZERO`.

    The order follows from the shape of the graph alone, so gradients have the same bits in every run. The walk does not
    look behind the leaves it starts with; with everything, it also enters branches where no gradient flows.
    """
    order: dict[Node, Any] = dict.fromkeys(leaves, ZERO)
    path: list[Any] = [root]
    while path:
        node = path.pop()
        if node is None:  # what the next one was computed from is in the order by now
            order[path.pop()] = ZERO
        elif node not in order:
            path += node, None
            if everything:
                path += [operand for operand in reversed(node.operands) if type(operand) is not float]
            elif type(node._dleft) is tuple:
                edges = zip(reversed(node._left), reversed(node._dleft), strict=True)
                path += [operand for operand, partial in edges if partial is not ZERO]
            else:
                if node._dright is not ZERO:
                    path.append(node._right)
                if node._dleft is not ZERO:
                    path.append(node._left)
    return order


def sweep(
    root: Node, seed: Any, adjoints: dict[Node, Any], partials: Partials | None = None
) -> Iterator[tuple[Node, Any]]:
    """Walk from the root to the leaves, and hand each node's adjoint on to its operands: the chain rule.

    Yields each node with its complete adjoint before it is handed on, and fills the adjoints, which are a topological
    order at first. `partials` gives one partial for each operand of a node; by default they are the recorded ones.
    """
    adjoints[root] = seed
    for node, adjoint in reversed(adjoints.items()):
        yield node, adjoint
        if partials is not None:
            edges: Any = ()
            if adjoint is not ZERO:
                edges = zip(node.operands, partials(node), strict=True)
                adjoint = adjoints[node]  # it may have been changed in the meantime: what if
        else:
            dleft, dright = node._dleft, node._dright
            if type(dleft) is tuple:
                edges = zip(node._left, dleft, strict=True)
            else:  # one operand or two, as most operations have: the loop below, written out
                if dleft is not ZERO:
                    operand, contribution = node._left, adjoint * dleft
                    before = adjoints[operand]
                    adjoints[operand] = contribution if before is ZERO else before + contribution
                if dright is not ZERO:
                    operand, contribution = node._right, adjoint * dright
                    before = adjoints[operand]
                    adjoints[operand] = contribution if before is ZERO else before + contribution
                continue
        for operand, partial in edges:
            if partial is not ZERO:
                contribution, before = adjoint * partial, adjoints[operand]
                adjoints[operand] = contribution if before is ZERO else before + contribution


def adjoints(root: Node, seed: Any = 1.0, partials: Partials | None = None) -> dict[Node, Any]:
    """The derivative of a root by every node behind it, times the seed, in topological order; `ZERO` for none."""
    found = topological_order(root)
    deque(sweep(root, seed, found, partials), maxlen=0)
    return found


def propagate(
    root: Node,
    seed: Any,
    adjoints: dict[Node, Any],
    leaves: Sequence[Node] = (),
    partials: Partials | None = None,
) -> None:
    """Run a sweep to its end, or up to the leaves that the order starts with.

    Raises:
        NonFiniteError: under `checked()`, a contribution is nan or infinite.
    """
    walk = sweep(root, seed, adjoints, partials)
    if leaves:  # a sweep hands on what it yielded only when it is asked for more: the last node asked for is a leaf
        walk = islice(walk, len(adjoints) - len(leaves) + 1)
    if (checks := recording().hooks.checked) is not None:
        for node, adjoint in walk:
            checks.contributions(node, adjoint)
    deque(walk, maxlen=0)
    for leaf in leaves:
        if adjoints[leaf] is FLAT:
            adjoints[leaf] = ZERO


def push(order: Iterable[Node], tangents: dict[Node, Any]) -> dict[Node, Any]:
    """Walk from the leaves to the roots and give each node its derivative in one direction: the same edges, forwards.

    The tangents are those of the leaves at first; `ZERO` where nothing arrives.

    Raises:
        NonFiniteError: under `checked()`, a tangent is nan or infinite.
    """
    checks = recording().hooks.checked
    for node in order:
        if node in tangents:
            continue
        tangent: Any = ZERO
        many = type(node._dleft) is tuple
        edges = zip(node._left, node._dleft, strict=True) if many else _pair(node)
        for operand, partial in edges:
            if partial is not ZERO and (inner := tangents[operand]) is not ZERO:
                tangent = inner * partial if tangent is ZERO else tangent + inner * partial
        tangents[node] = tangent
        if checks is not None:
            checks.tangent(node, tangent)
    return tangents


def _pair(node: Node) -> tuple[Any, Any]:
    return (node._left, node._dleft), (node._right, node._dright)
