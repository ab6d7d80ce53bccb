"""Where in the user's program a node was made, and which node `backward()` was called on last.

Not here: what a place is (`program.source`), and what a program calls its nodes (`notation.names`).
Read next: `finiteness`.
"""

from __future__ import annotations

import gc
import os
import sys
import weakref
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from autograd_mini.program.owner import frames_of_run, is_of_package, program_frame
from autograd_mini.program.source import Site, site_of
from autograd_mini.program.stack import Observer, observe_everywhere, outwards
from autograd_mini.watch import Watch, observing


def remember_origin(node: Any) -> None:
    """Note the expression that made a node; an observer further outside may have noted it, and its calls."""
    if node.origin is None:
        node.origin = site_of(program_frame(sys._getframe(1)))


def _remember_calls() -> Observer:
    """An observer that notes the calls that led to an expression as well; equal ones are kept once."""
    known: dict[tuple[int, int, Site | None], Site] = {}

    def remember(node: Any) -> None:
        site = None
        for frame in reversed([*frames_of_run(program_frame(sys._getframe(1)))]):
            key = id(frame.f_code), frame.f_lasti, site
            site = known.get(key) or known.setdefault(key, Site(frame.f_code, frame.f_lasti, site))
        node.origin = site

    return remember


if os.environ.get("AUTOGRAD_MINI_PROVENANCE", "0") not in ("", "0"):
    observe_everywhere(_remember_calls())


def provenance(calls: bool = False) -> Watch[None]:
    """Remember, for every node recorded inside, the source expression that made it: `node.origin`.

    It is off by default because it makes recording slower. The environment variable AUTOGRAD_MINI_PROVENANCE=1 turns it
    on, with calls, for a whole run.

    Args:
        calls: remember the calls that led there too: `node.origin.caller`, and so on outwards.

    Returns:
        a context manager.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0)
    >>> with am.provenance():
    ...     y = (x + 1.0) * (x - 1.0)
    >>> y.origin.expression
    '(x + 1.0) * (x - 1.0)'
    """
    return observing(_remember_calls() if calls else remember_origin)


def place_of(node: Any) -> Site | None:
    """The expression in the user's program that made a node: of one made by this package, the call that led there."""
    origin: Site | None = node.origin
    if origin is None or not is_of_package(origin):
        return origin
    return next((scope.site for scope in outwards(node.scope) if scope.site is not None), origin)


# -- the root that `explain(leaf)` means -------------------------------------------------------------------------------


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
