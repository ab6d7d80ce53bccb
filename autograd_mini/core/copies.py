"""Copying and pickling of graphs: nothing recurses, because a graph may be a million nodes deep.

Not here: what a node holds (`node`). Read next: `core.traced`.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Container
from copy import deepcopy
from typing import Any, Self

from autograd_mini.core.node import Node, Notes

_new = object.__new__


class Copied(Node):
    """A node that can be copied and pickled with the whole graph behind it."""

    __slots__ = ()

    def __copy__(self) -> Self:
        clone: Self = _revived(None, *_state(self))
        if (attributes := self._attributes()) is not None:
            vars(clone).update(attributes)
        return clone

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        fresh = _history(self, memo)
        for node in fresh:
            kind, row, data, grad, notes, operands, partials = _state(node)
            operands = tuple([memo[id(x)] if isinstance(x, Node) else x for x in operands])
            memo[id(node)] = _revived(None, kind, row, data, grad, notes, operands, partials)
        for node in fresh:
            if (attributes := node._attributes()) is not None:  # they may refer to any of the copies
                vars(memo[id(node)]).update(deepcopy(attributes, memo))
        clone: Self = memo[id(self)]
        return clone

    def __reduce__(self) -> tuple[Any, ...]:
        attributes = self._attributes()  # they may lead back to the node
        return _revived, (_pickled_first(self), *_state(self)), attributes

    def _attributes(self) -> dict[str, Any] | None:
        """Attributes that a program has set on a node, to be copied with it."""
        return None


def _state(node: Any) -> tuple[Any, ...]:
    """Everything a node holds, except the program's comparisons, which hold other nodes."""
    notes = node._notes._replace(decisions=()) if type(node._notes) is Notes else node._notes
    return type(node), node._row, node._data, node._grad, notes, node.operands, node.partials


def _revived(first: Any, kind: type[Any], row: Any, data: Any, grad: Any, notes: Any, *edges: Any) -> Any:
    """The node of a state; `first` is what had to be unpickled before it."""
    node = _new(kind)
    node._row, node._data, node._grad, node._notes = row, data, grad, notes
    node._link(*edges)
    return node


def _history(root: Any, known: Container[int]) -> dict[Any, None]:
    """The nodes behind a root, operands before results; the walk stops at nodes whose `id` is known."""
    order: dict[Any, None] = {}
    path = [root] if id(root) not in known else []
    while path:
        missing = [x for x in path[-1].operands if isinstance(x, Node) and id(x) not in known and x not in order]
        if missing:
            path += reversed(missing)
        else:
            order[path.pop()] = None
    return order


class _Dump:
    """The computed nodes that one pickler has pickled, as far as is known.

    Each node is pickled as an object, so that shared nodes stay shared; but a pickler recurses into operands that it
    does not have yet. A node therefore brings those along, operands first. Nodes do not know which pickler asks. Only
    the memo of the pickler keeps this object, so both end together; and if a node is asked although it is in here,
    another pickler asks, for which a new `_Dump` begins. A wrong guess changes how far a pickler recurses and how much
    it writes, never what is restored.
    """

    __slots__ = ("__weakref__", "nodes")

    def __init__(self) -> None:
        self.nodes: set[int] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, ()  # its content is not needed later


class _Dumping(threading.local):
    dump: Callable[[], _Dump | None] = staticmethod(lambda: None)


_dumping = _Dumping()


def _pickled_first(node: Any) -> Any:
    """What must be pickled before the operands of a node: the nodes behind it that the pickler does not have yet."""
    if node._row is None:
        return None
    dump = _dumping.dump()
    if dump is None or id(node) in dump.nodes:
        dump = _Dump()
        _dumping.dump = weakref.ref(dump)
    computed = [x for x in node.operands if isinstance(x, Node) and x._row is not None]
    complete = dump.nodes.issuperset(map(id, computed))
    missing = () if complete else [x for x in _history(node, dump.nodes) if x._row is not None and x is not node]
    dump.nodes.add(id(node))
    return (dump, missing) if missing else dump
