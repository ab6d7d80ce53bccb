"""Lines of the user's program and the nodes of a graph: which made which.

Not here: which frames a node has (that is `travel`). Read next: `travel`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from autograd_mini.debug.timeline.journal import Journal
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the program that led to a node.

    Attributes:
        name: what runs there: the function, and the scopes that were entered there.
        site: where, or None if that is not known.
        scope: the innermost of those scopes, or None.
    """

    name: str
    site: Site | None
    scope: Scope | None = None


class _Trace(Protocol):
    journal: Journal

    def place(self, node: Value) -> Site | None: ...
    def frames(self, node: Value) -> list[Frame]: ...


class Lines:
    """Where breakpoints on lines can be. What is found is kept, for there may be many nodes.

    Args:
        trace: whose nodes.
    """

    def __init__(self, trace: _Trace) -> None:
        self._trace = trace

    @cached_property
    def _sites(self) -> dict[str, dict[tuple[Site, bool], list[Value]]]:
        """By file: the places, whether a place is the expression of a node or a call that led to it, and the nodes."""
        found: dict[str, dict[tuple[Site, bool], list[Value]]] = {}
        known: dict[tuple[Site | None, Scope | None], list[list[Value]]] = {}
        real: dict[str, str] = {}
        first: dict[tuple[object, ...], tuple[Site, bool]] = {}
        for node in self._trace.journal.order:
            key = node.origin, node.scope
            if key not in known:
                lists = known[key] = []
                for frame in self._trace.frames(node):
                    if (site := frame.site) is not None:  # what this package does for a call is no expression there
                        kind = node.origin is not None and site.place == node.origin.place
                        same = first.setdefault((site.place, kind), (site, kind))
                        file = real.get(site.file) or real.setdefault(site.file, os.path.realpath(site.file))
                        nodes = found.setdefault(file, {}).setdefault(same, [])
                        lists += [nodes] if all(nodes is not other for other in lists) else []
            for nodes in known[key]:
                nodes.append(node)
        return found

    @cached_property
    def main(self) -> str:
        """The file in which the last node was made whose place is known."""
        places = map(self._trace.place, reversed(self._trace.journal.order))
        return next((os.path.realpath(place.file) for place in places if place is not None), "")

    def lines(self, file: str | None = None) -> list[int]:
        """The lines of a file, by default the main one, where something is."""
        sites = self._sites.get(os.path.realpath(file) if file else self.main, {})
        return sorted({site.line for site, _ in sites})

    def find(self, line: int, file: str | None = None) -> tuple[str, int, set[Value], bool]:
        """What a breakpoint on a line means.

        Returns:
            the file; the line, or the next one that has something; its nodes; whether only calls are there.

        Raises:
            ArgumentError: nothing in the graph comes from there.
        """
        path = os.path.realpath(file) if file else self.main
        expressions: dict[int, set[Value]] = {}
        calls: dict[int, set[Value]] = {}
        for (site, is_expression), nodes in self._sites.get(path, {}).items():
            first, _, last, _ = site.span
            inside = is_expression and first < line <= last
            (expressions if is_expression else calls).setdefault(line if inside else first, set()).update(nodes)
        known = sorted({*expressions, *calls})
        if not known:
            raise ArgumentError(
                f"Nothing in the graph comes from {file or self.main or 'a known file'}.",
                f"There are {', '.join(sorted(self._sites)[:8])}."
                if self._sites
                else "Record inside `with am.provenance():`, or run the program with autograd-mini debug.",
            )
        target = next((number for number in known if number >= line), None)
        if target is None:
            raise ArgumentError(f"Nothing in the graph comes from line {line} or later; the last is {known[-1]}.")
        return file or self.main, target, expressions.get(target) or calls[target], target not in expressions
