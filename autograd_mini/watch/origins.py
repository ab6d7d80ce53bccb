"""`provenance`: remember where in the user's program each node was made.

Not here: what a place is (`program.source`), and what a program calls its nodes (`notation.names`).
Read next: `watch.finiteness`.
"""

from __future__ import annotations

import os
import sys
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
        for frame in reversed(frames_of_run(program_frame(sys._getframe(1)))):
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
