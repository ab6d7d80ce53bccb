"""Copying and pickling of graphs: nothing recurses, because a graph may be a million nodes deep.

Not here: what a node holds (`node`). Read next: `core.answer`.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Container
from copy import deepcopy
from typing import Any, Self

from autograd_mini.core.node import Node, Notes

_new = object.__new__


class Copyable:
    """A part of a graph, a node or a condition, that can be copied and pickled with the whole graph behind it."""

    __slots__ = ()
    operands: Any
    _state: Any  # a method: all that it holds, second its data, last but one its operands; a copy shares the rest
    _restore: Any  # a method: become what has this state

    def __copy__(self) -> Self:
        clone: Self = _revived(None, type(self), *self._state())
        if (attributes := self._attributes()) is not None:
            vars(clone).update(attributes)
        return clone

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        fresh = _history(self, memo)
        for part in fresh:
            row, data, *rest, operands, last = part._state()
            operands = tuple([memo[id(x)] if isinstance(x, Copyable) else x for x in operands])
            memo[id(part)] = _revived(None, type(part), row, deepcopy(data, memo), *rest, operands, last)
        for part in fresh:
            if (attributes := part._attributes()) is not None:  # they may refer to any of the copies
                vars(memo[id(part)]).update(deepcopy(attributes, memo))
        clone: Self = memo[id(self)]
        return clone

    def __reduce__(self) -> tuple[Any, ...]:
        attributes = self._attributes()  # they may lead back to the node
        return _revived, (_pickled_first(self), type(self), *self._state()), attributes

    def _attributes(self) -> dict[str, Any] | None:
        """Attributes that a program has set on a node, to be copied with it."""
        return None


class Copied(Copyable, Node):
    """A node in pairs that can be copied."""

    __slots__ = ()

    def _state(self) -> tuple[Any, ...]:
        return self._row, self._data, self._grad, kept(self._notes), self.operands, self.partials

    def _restore(self, *state: Any) -> None:
        self._row, self._data, self._grad, self._notes, *edges = state
        self._link(*edges)


def kept(notes: Any) -> Any:
    """What a copy keeps of notes: not the program's comparisons, which hold other nodes."""
    return notes._replace(decisions=()) if type(notes) is Notes else notes


def _revived(first: Any, kind: type[Any], *state: Any) -> Any:
    """The part of a graph in a state; `first` is what had to be unpickled before it."""
    part = _new(kind)
    part._restore(*state)
    return part


def _history(root: Any, known: Container[int]) -> dict[Any, None]:
    """The parts behind a root, operands before results; the walk stops where the `id` is known."""
    order: dict[Any, None] = {}
    path = [root] if id(root) not in known else []
    while path:
        missing = [x for x in path[-1].operands if isinstance(x, Copyable) and id(x) not in known and x not in order]
        if missing:
            path += reversed(missing)
        else:
            order[path.pop()] = None
    return order


class _Dump:
    """The computed nodes that one pickler has pickled, as far as is known.

    Each node is pickled as an object, so that shared nodes stay shared; but a pickler recurses into operands that it
    does not have yet. A node therefore brings those along, operands first. Nodes do not know which pickler asks. Only
    the memo of the pickler keeps this object, so both end together; and if a node that is in here is asked again,
    another pickler is asking, and a new `_Dump` begins for it. A wrong guess changes how far a pickler recurses and how
    much it writes, never what is restored.
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
    if not node.operands:
        return None
    dump = _dumping.dump()
    if dump is None or id(node) in dump.nodes:
        dump = _Dump()
        _dumping.dump = weakref.ref(dump)
    computed = [x for x in node.operands if isinstance(x, Copyable) and x.operands]
    complete = dump.nodes.issuperset(map(id, computed))
    missing = () if complete else [x for x in _history(node, dump.nodes) if x.operands and x is not node]
    dump.nodes.add(id(node))
    return (dump, missing) if missing else dump
