"""The order of a graph and the sweep through it: the chain rule, in the one place where it happens.

The pairs that `Value`s keep (see `node`) are read directly; all other nodes are asked for operands and partials.
Not here: recording, and any derivative. Read next: `engine`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, islice
from operator import attrgetter
from typing import Any

from autograd_mini.core.node import Node
from autograd_mini.core.row import FLAT, ZERO
from autograd_mini.core.traced import resolved
from autograd_mini.program.stack import recording

Partials = Callable[[Any], Sequence[Any]]


def topological_order(root: Any, leaves: Iterable[Any] = (), everything: bool = False) -> dict[Any, Any]:
    """The nodes behind a root, operands before results: a dict in that order, every node with `ZERO`.

    The order follows from the shape of the graph alone, so gradients have the same bits in every run. The walk does not
    look behind the leaves it starts with; with everything, it also enters branches where no gradient flows.
    """
    order: dict[Any, Any] = dict.fromkeys(leaves, ZERO)
    path: list[Any] = []  # nodes that wait for one of their operands, each for the next one
    others: list[Iterator[Any]] = []  # of those that may have many: the operands to wait for after that
    node, in_pairs = root, root.keeps_pairs and not everything
    while True:
        while node not in order:  # down, along the first operands
            path.append(node)
            if not in_pairs or type(node._dleft) is tuple:
                others.append(_sources(node, everything))
                break
            if node._dleft is ZERO:
                break
            node = node._left
        while path:  # up, until an operand is missing
            node = path[-1]
            if in_pairs and type(node._dleft) is not tuple:
                if node._dright is not ZERO and node._right not in order:
                    node = node._right
                    break
            else:
                for operand in others[-1]:
                    if operand not in order:
                        break
                else:
                    others.pop()
                    order[path.pop()] = ZERO
                    continue
                node = operand
                break
            order[path.pop()] = ZERO
        else:
            return order


def _sources(node: Any, everything: bool) -> Iterator[Any]:
    """The operands that a walk enters from a node: those with an edge, as far as that is known; or all nodes."""
    if everything:
        return iter([operand for operand in node.operands if type(operand) is not float])
    if not node.keeps_pairs:  # its partials are not known before they are asked for
        return iter([operand for operand in node.operands if isinstance(operand, Node)])
    return compress(node._left, [partial is not ZERO for partial in node._dleft])


def sweep(
    root: Any, seed: Any, adjoints: dict[Any, Any], partials: Partials | None = None
) -> Iterator[tuple[Any, Any]]:
    """Walk from the root to the leaves, and hand each node's adjoint on to its operands: the chain rule.

    Yields each node with its complete adjoint before it is handed on, and fills the adjoints, which are a topological
    order at first. `partials` gives one partial for each operand of a node; by default they are the recorded ones.
    """
    adjoints[root] = seed
    if partials is None and not root.keeps_pairs:
        partials = attrgetter("partials")
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


def adjoints(root: Any, seed: Any = 1.0, partials: Partials | None = None) -> dict[Any, Any]:
    """The derivative of a root by every node behind it, times the seed, in topological order; `ZERO` for none."""
    found = topological_order(root)
    deque(sweep(root, seed, found, partials), maxlen=0)
    return found if root.keeps_pairs else {node: resolved(adjoint) for node, adjoint in found.items()}


def propagate(
    root: Any,
    seed: Any,
    adjoints: dict[Any, Any],
    leaves: Sequence[Any] = (),
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
        adjoints[leaf] = ZERO if adjoints[leaf] is FLAT else resolved(adjoints[leaf])


def push(order: Iterable[Any], tangents: dict[Any, Any]) -> dict[Any, Any]:
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
        dleft, dright = node._dleft, node._dright
        if type(dleft) is tuple:
            for operand, partial in zip(node._left, dleft, strict=True):
                if partial is not ZERO and (inner := tangents[operand]) is not ZERO:
                    tangent = inner * partial if tangent is ZERO else tangent + inner * partial
        else:
            if dleft is not ZERO and (inner := tangents[node._left]) is not ZERO:
                tangent = inner * dleft
            if dright is not ZERO and (inner := tangents[node._right]) is not ZERO:
                tangent = inner * dright if tangent is ZERO else tangent + inner * dright
        tangents[node] = tangent
        if checks is not None:
            checks.tangent(node, tangent)
    return tangents
