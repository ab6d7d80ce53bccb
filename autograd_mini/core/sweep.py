"""The order of a graph and the sweep through it: the chain rule, applied in one place.

It reads the pairs of `Value`s (see `node`) directly, and asks all other nodes for operands and partials.
Not here: recording, and the derivatives of operations. Read next: `core.accelerator`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, islice
from operator import attrgetter
from typing import Any

from autograd_mini.core.accelerator import is_unwatched, native
from autograd_mini.core.node import Node
from autograd_mini.core.row import FLAT, ZERO
from autograd_mini.core.traced import resolved
from autograd_mini.program.stack import recording

Order = dict[Any, Any]  # nodes, operands before results, each with what a walk finds for it
Partials = Callable[[Any], Sequence[Any]] | None  # of a node, one per operand; None for the recorded ones


def topological_order(root: Any, leaves: Iterable[Any] = (), everything: bool = False) -> Order:
    """The nodes behind a root, operands before results: a dict in that order, every node with `ZERO`.

    The order depends only on the shape of the graph, so gradients have the same bits in every run. The walk does not
    look behind the given leaves; with `everything`, it also enters branches where no gradient flows.
    """
    order: Order = dict.fromkeys(leaves, ZERO)
    if root.keeps_pairs and not everything:
        if native is None or not native.propagate(root, ZERO, order, 0):
            order_of_pairs(root, order)
        return order
    kind = object if everything else Node  # a traced node may lead to a condition
    path = [] if root in order else [root]
    while path:
        waiting = len(path)
        for x in reversed(path[-1].operands):
            if type(x) is not float and isinstance(x, kind) and x not in order:
                path.append(x)
        if len(path) == waiting:
            order[path.pop()] = ZERO
    return order


def order_of_pairs(node: Any, order: Order) -> None:
    """Fill in the same order for `Value`s, found along one edge at a time, which is faster."""
    path: list[Any] = []  # nodes that wait for an operand, each for the next one
    others: list[Iterator[Any]] = []  # for each node with many operands on the path, the operands still to come
    while True:
        while node not in order:  # down, along the first operands
            path.append(node)
            if node._dleft is ZERO:
                break
            first = node._left
            if type(first) is tuple:
                others.append(compress(first, [partial is not ZERO for partial in node._dleft]))
                break
            node = first
        while path:  # up, until an operand is missing
            node = path[-1]
            if node._dright is not ZERO:
                if node._right not in order:
                    node = node._right
                    break
            elif type(node._left) is tuple:
                for operand in others[-1]:
                    if operand not in order:
                        node = operand
                        break
                if node is not path[-1]:
                    break
                others.pop()
            order[path.pop()] = ZERO
        else:
            return


def sweep(root: Any, seed: Any, adjoints: Order, partials: Partials = None) -> Iterator[tuple[Any, Any]]:
    """Walk from the root to the leaves, and pass each node's adjoint on to its operands: the chain rule.

    Yields each node with its complete adjoint, before passing it on, and fills `adjoints`, a topological order.
    """
    adjoints[root] = seed
    if partials is None and not root.keeps_pairs:
        partials = attrgetter("partials")
    for node, adjoint in reversed(adjoints.items()):
        yield node, adjoint
        if partials is None:
            operand, dleft, dright = node._left, node._dleft, node._dright
        elif adjoint is not ZERO:
            operand, dleft, dright = node.operands, tuple(partials(node)), ZERO
            adjoint = adjoints[node]  # the caller may have changed it, to ask "what if"
        else:
            continue
        if dleft is not ZERO:
            if type(dleft) is tuple:
                for operand, partial in zip(operand, dleft, strict=True):  # noqa: B020  # the tuple of all until here
                    if partial is not ZERO:
                        contribution, before = adjoint * partial, adjoints[operand]
                        adjoints[operand] = contribution if before is ZERO else before + contribution
                continue
            contribution, before = adjoint * dleft, adjoints[operand]
            adjoints[operand] = contribution if before is ZERO else before + contribution
        if dright is not ZERO:
            operand, contribution = node._right, adjoint * dright
            before = adjoints[operand]
            adjoints[operand] = contribution if before is ZERO else before + contribution


def adjoints(root: Any, seed: Any = 1.0, partials: Partials = None) -> Order:
    """Map each node behind a root, in topological order, to the derivative of the root times the seed, or `ZERO`."""
    found = topological_order(root)
    deque(sweep(root, seed, found, partials), maxlen=0)
    return found if root.keeps_pairs else {node: resolved(adjoint) for node, adjoint in found.items()}


def propagate(root: Any, seed: Any, adjoints: Order, leaves: Sequence[Any] = (), partials: Partials = None) -> None:
    """Run a sweep to its end, or to the leaves that the order starts with, with the checks of `checked()`."""
    if partials is not None or not is_unwatched() or not native.propagate(root, seed, adjoints, len(leaves)):
        walk = sweep(root, seed, adjoints, partials)
        if leaves:  # a sweep passes an adjoint on only when asked for the next node: the last one asked for is a leaf
            walk = islice(walk, len(adjoints) - len(leaves) + 1)
        if (checks := recording().hooks.checked) is not None:
            for node, adjoint in walk:
                checks.contributions(node, adjoint)
        deque(walk, maxlen=0)
    for leaf in leaves:
        if type(adjoint := adjoints[leaf]) is not float:
            adjoints[leaf] = ZERO if adjoint is FLAT else resolved(adjoint)


def push(order: Iterable[Any], tangents: Order) -> Order:
    """Compute the tangent of each node from those of the leaves: the chain rule along the same edges, forwards."""
    checks = recording().hooks.checked
    for node in order:
        if node in tangents:
            continue
        tangent: Any = ZERO
        pairs = ((node._left, node._dleft), (node._right, node._dright))
        for operand, partial in zip(node._left, node._dleft, strict=True) if type(node._dleft) is tuple else pairs:
            if partial is not ZERO and (inner := tangents[operand]) is not ZERO:
                tangent = inner * partial if tangent is ZERO else tangent + inner * partial
        tangents[node] = tangent
        if checks is not None:
            checks.tangent(node, tangent)
    return tangents
