"""Which node `backward()` was called on last: the root that `explain(leaf)` means.

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
    """What a node that `backward()` was called on keeps in its notes: as long as that node lives, this does."""

    node: int  # its id, since copies of the node have the same notes
    seed: float
    held: dict[Any, tuple[float, float]]  # number and gradient of each leaf, which the program may write later


_last_mark: ContextVar[weakref.ref[Mark] | None] = ContextVar("last_mark", default=None)


def new_mark(node: Any, seed: float, held: dict[Any, tuple[float, float]]) -> Mark:
    """The mark of the node that `backward()` was called on last, while provenance was on."""
    mark = Mark(id(node), seed, held)
    _last_mark.set(weakref.ref(mark))
    return mark


def last_root() -> Any:
    """The node that was marked last, as long as the program holds it.

    A `Value` takes no weak references, which would cost every node memory; it is found by what refers to its mark.
    """
    reference = _last_mark.get()
    mark = None if reference is None else reference()
    for notes in [] if mark is None else gc.get_referrers(mark):
        for node in gc.get_referrers(notes):
            if mark is not None and id(node) == mark.node and getattr(node, "_notes", None) is notes:
                return node
    return None
