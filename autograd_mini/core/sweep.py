"""The order of a graph and the sweep through it: the chain rule, in the one place where it happens.

Nodes are `Value`s; only their edges matter here (`_left`, `_right`, `_dleft`, `_dright`, described in `engine`).
Not here: recording, and any derivative. Read next: `engine`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, islice
from typing import Any

from autograd_mini.core.row import FLAT, ZERO
from autograd_mini.program.stack import recording

Node = Any  # a Value, which this module need not know


def topological_order(root: Node, leaves: Iterable[Node] = (), everything: bool = False) -> dict[Node, Any]:
    """The nodes behind a root, operands before results.

    The order follows from the shape of the graph alone, so gradients have the same bits in every run, however the
    graph was built. Depth does not matter: nothing recurses.

    Args:
        root: where the order ends.
        leaves: nodes to start with; the walk does not look behind them.
        everything: also what is only behind branches not taken, where no gradient flows.

    Returns:
        a dict in that order, every node with `ZERO`: the adjoints before a sweep.

    >>> from autograd_mini import Value
    >>> x = Value(3.0)
    >>> y = x * x + 1.0
    >>> [node.op for node in topological_order(y)]
    [None, 'mul', 'add']
    """
    order: dict[Node, Any] = dict.fromkeys(leaves, ZERO)
    # Nodes whose left operands are done; on top of a node of many operands, the iterator over those still to visit.
    path: list[Any] = []
    node = root
    while True:
        while node not in order:  # down, along the left operands
            path.append(node)
            if everything:
                path.append(compress(node.operands, [type(operand) is not float for operand in node.operands]))
                break
            if node._dleft is ZERO:
                break
            left = node._left
            if type(left) is tuple:
                path.append(compress(left, [partial is not ZERO for partial in node._dleft]))
                break
            node = left
        while path:  # up, until there is another operand to go down to
            node = path.pop()
            if type(node) is compress:
                operands: Any = node
                for node in operands:
                    if node not in order:
                        path.append(operands)
                        break
                else:
                    continue
                break
            if node._dright is not ZERO and node._right not in order:
                path.append(node)
                node = node._right
                break
            order[node] = ZERO
        else:
            return order


def sweep(
    root: Node, seed: Any, adjoints: dict[Node, Any], partials: Callable[[Node], tuple[Any, Any]] | None = None
) -> Iterator[tuple[Node, Any]]:
    """Walk from the root to the leaves, and hand each node's adjoint on to its operands: the chain rule.

    The one place where it happens: `backward()` runs it to the end, `grad` runs it on `Value`s, a debugger pauses it.

    Args:
        root: the last node of the order.
        seed: the adjoint of the root.
        adjoints: the topological order, every node with `ZERO`; filled by the sweep.
        partials: the local partials of a node, as (left, right); by default the recorded floats.

    Yields:
        each node with its complete adjoint, before it is handed on; `ZERO` where nothing arrived.

    >>> from autograd_mini import Value
    >>> x = Value(3.0)
    >>> y = x * x + 1.0
    >>> [(node.op, adjoint) for node, adjoint in sweep(y, 1.0, topological_order(y))]
    [('add', 1.0), ('mul', 1.0), (None, 6.0)]
    """
    adjoints[root] = seed
    for node, adjoint in reversed(adjoints.items()):
        yield node, adjoint
        if partials is None:
            dleft, dright = node._dleft, node._dright
        elif adjoint is not ZERO:
            dleft, dright = partials(node)
            adjoint = adjoints[node]  # it may have been changed in the meantime: what if
        else:
            continue
        if dleft is not ZERO:
            if type(dleft) is tuple:
                for operand, partial in zip(node._left, dleft, strict=True):
                    if partial is not ZERO:
                        contribution = adjoint * partial
                        before = adjoints[operand]
                        adjoints[operand] = contribution if before is ZERO else before + contribution
                continue
            operand, contribution = node._left, adjoint * dleft
            before = adjoints[operand]
            adjoints[operand] = contribution if before is ZERO else before + contribution
        if dright is not ZERO:
            operand, contribution = node._right, adjoint * dright
            before = adjoints[operand]
            adjoints[operand] = contribution if before is ZERO else before + contribution


def propagate(
    root: Node,
    seed: Any,
    adjoints: dict[Node, Any],
    leaves: Sequence[Node] = (),
    partials: Callable[[Node], tuple[Any, Any]] | None = None,
) -> None:
    """Run a sweep to its end, or up to the leaves that the order starts with; arguments as for `sweep`.

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

    Args:
        order: the nodes, operands before results.
        tangents: those of the leaves, `ZERO` for none; filled by the walk.

    Returns:
        the tangents; `ZERO` where nothing arrived.

    Raises:
        NonFiniteError: under `checked()`, a tangent is nan or infinite.

    >>> from autograd_mini import Value
    >>> x = Value(3.0)
    >>> y = x * x + 1.0
    >>> push(topological_order(y), {x: 1.0})[y]
    6.0
    """
    checks = recording().hooks.checked
    for node in order:
        if node in tangents:
            continue
        tangent: Any = ZERO
        dleft, dright = node._dleft, node._dright
        if type(dleft) is tuple:
            for operand, partial in zip(node._left, dleft, strict=True):
                if partial is not ZERO:
                    inner = tangents[operand]
                    if inner is not ZERO:
                        tangent = inner * partial if tangent is ZERO else tangent + inner * partial
        else:
            if dleft is not ZERO:
                inner = tangents[node._left]
                if inner is not ZERO:
                    tangent = inner * dleft
            if dright is not ZERO:
                inner = tangents[node._right]
                if inner is not ZERO:
                    tangent = inner * dright if tangent is ZERO else tangent + inner * dright
        tangents[node] = tangent
        if checks is not None:
            checks.tangent(node, tangent)
    return tangents
