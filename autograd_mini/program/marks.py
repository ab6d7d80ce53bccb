"""The node that `backward()` was called on last: the root for `explain(leaf)`.

Not here: the other notes of a node (`core`). Read next: `watch`.
"""

from __future__ import annotations

import gc
import weakref
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)  # not slotted: it must take weak references
class Mark:
    """A note on a node that `backward()` was called on; it lives as long as the node."""

    node: int  # its id, because copies of the node have the same notes
    seed: float
    held: dict[Any, tuple[float, float]]  # number and gradient of each leaf, which the program may overwrite


_last_mark: ContextVar[weakref.ref[Mark] | None] = ContextVar("last_mark", default=None)


def new_mark(node: Any, seed: float, held: dict[Any, tuple[float, float]]) -> Mark:
    """Make the mark of a node that `backward()` is called on under `provenance`, and remember it as the last."""
    mark = Mark(id(node), seed, held)
    _last_mark.set(weakref.ref(mark))
    return mark


def last_root() -> Any:
    """The node that was marked last, as long as the program holds it.

    Weak references to `Value`s would cost memory in every node, so the node is found through the referrers of its mark.
    """
    reference = _last_mark.get()
    mark = None if reference is None else reference()
    for notes in [] if mark is None else gc.get_referrers(mark):
        for node in gc.get_referrers(notes):
            if mark is not None and id(node) == mark.node and getattr(node, "_notes", None) is notes:
                return node
    return None
