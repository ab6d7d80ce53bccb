"""Finding the nodes of a graph by their names in the program, and by the lines and functions that made them.

Not here: the choice of names (`notation.names`), and anything that happens in time (`journal`).
Read next: `debug.timeline.expressions`.
"""

from __future__ import annotations

import difflib
import functools
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.notation.names import Names, site_in_program
from autograd_mini.notation.namespaces import Namespace, plain
from autograd_mini.program.owner import is_of_library
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope, outwards


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the program that led to a node: in a function, or where a scope was entered."""

    name: str
    site: Site | None  # None if not known
    scope: Scope | None = None


class Index:
    """The names of a graph's nodes, and the places they come from."""

    def __init__(self, order: Sequence[Value], spaces: Sequence[Namespace]) -> None:
        self.names = Names(order, spaces)
        self.called = self.names.called  # the nodes by the names that the program can write now
        self.program_values = plain(spaces)  # the program's numbers, texts and booleans

    # -- names ---------------------------------------------------------------------------------------------------------

    def number(self, node: Value) -> int:
        """Return the number of a node, which is also the index of the step that computes it."""
        if not is_node(node):
            raise OperandError(
                f"{shown(node)} is of type {type(node).__name__}, not a Value.", "Pass a node of the graph."
            )
        if node not in self.names.number:
            root = self.names.label(self.names.order[-1])
            raise ArgumentError(f"{shown(node)} is not in the graph of {root}.", "Pass a node of that graph.")
        return self.names.number[node]

    def name(self, node: Value) -> str:
        """Return the user's name for a node, now or when it was made; "" if none is known."""
        return self.names.name(node)

    def label(self, node: Value) -> str:
        """Return an unambiguous label for a node: "x", "e#7" among several e, "x * w", or "exp#7".

        Raises:
            ArgumentError: the node is not in the graph.
        """
        self.number(node)
        return self.names.label(node)

    @property
    def vocabulary(self) -> list[str]:
        """The nodes' names that the user knows."""
        return [*self.called]

    def nodes(self, name: str) -> list[Value]:
        """Return the nodes of a name, of a list or object (all inside it), of a label, or of a number as in "#7".

        Raises:
            ArgumentError: nothing in the graph has this name.
        """
        order, known, bound = self.names.order, self.called, self.names.bound
        if name in known:
            return known[name]
        if name in bound:
            return [bound[name]]
        for text, nodes in known.items():  # Python's parser, and so conditions, normalise names
            if unicodedata.normalize("NFKC", text) == name:
                return nodes
        all_ = known | {text: [node] for text, node in bound.items() if text not in known}
        inside = [nodes for text, nodes in all_.items() if text.startswith((f"{name}[", f"{name}."))]
        if inside or name in self.names.expressed:
            return [*dict.fromkeys(node for nodes in inside for node in nodes)] or self.names.expressed[name]
        _, sharp, digits = str(name).rpartition("#")
        if sharp and digits.isdecimal() and int(digits) < len(order):
            return [order[int(digits)]]
        numbers = f"#0 to #{len(order) - 1}"
        close = difflib.get_close_matches(str(name), known, 3, 0.4)
        hint = f"Did you mean {', '.join(close)}?" if close else f"There are {', '.join([*known][:4])}, …"
        raise ArgumentError(
            f"Nothing in the graph is called {shown(name)}.",
            f"{hint} Or write a number, {numbers}." if known else f"Nodes have no names here; write {numbers}.",
        )

    # -- where nodes come from -----------------------------------------------------------------------------------------

    @staticmethod
    def place(node: Value) -> Site | None:
        """Return the expression in the user's program that made a node."""
        return site_in_program(node)

    @staticmethod
    def scopes(node: Value) -> list[Scope]:
        """Return the scopes around a node, innermost first."""
        return [*outwards(node.scope)]

    def frames(self, node: Value) -> list[Frame]:
        """Return where a node came from: its expression, then the scopes and calls around it, innermost first."""
        here = site_in_program(node)
        scopes = [scope for scope in self.scopes(node) if scope.site is not None]
        calls = [site for site in _callers(here) if site is here or not is_of_library(site)]
        frames: list[Frame] = []
        for inner, site in zip([None, *calls], calls, strict=False):
            if inner is not None and inner.code.co_qualname != inner.function == site.function:
                continue  # a comprehension is part of its function, not called by it
            entered = [scope for scope in scopes if scope.site is not None and scope.site.code is site.code]
            called = any(scope.site is not None and scope.site.instruction == site.instruction for scope in entered)
            if site is here or not called:
                frames.append(Frame(site.function, site))
            frames += [Frame(scope.name, scope.site, scope) for scope in entered]
            scopes = [scope for scope in scopes if scope not in entered]
        return frames + [Frame(scope.name, scope.site, scope) for scope in scopes]

    @cached_property
    def functions(self) -> dict[str, set[Value]]:
        """The functions of the program by name, with the nodes made in them or in what they called."""
        found: dict[str, set[Value]] = {}
        for node in self.names.order:
            for frame in self.frames(node):
                if frame.scope is None and frame.site is not None and frame.name != "<module>":
                    found.setdefault(frame.name.rpartition(".")[2], set()).add(node)
        return found

    # -- lines ---------------------------------------------------------------------------------------------------------

    @cached_property
    def files(self) -> list[str]:
        """The files of the program that made or called something in the graph."""
        return sorted({site.file for sites in self._sites.values() for site, _ in sites})

    @cached_property
    def _sites(self) -> dict[str, dict[tuple[Site, bool], list[Value]]]:
        """The places by real path of the file, each with its nodes, and True if it is an expression, not a call."""
        found: dict[str, dict[tuple[Site, bool], list[Value]]] = {}
        alike: dict[tuple[Site | None, Scope | None], list[Value]] = {}  # with the same frames
        for node in self.names.order:
            alike.setdefault((node.origin, node.scope), []).append(node)
        first: dict[tuple[object, ...], tuple[Site, bool]] = {}
        for (origin, _), nodes in alike.items():
            keys: dict[tuple[Site, bool], None] = {}
            for frame in self.frames(nodes[0]):
                if (site := frame.site) is not None:  # a call inside this package is not an expression of the user
                    is_expression = origin is not None and site.place == origin.place
                    keys[first.setdefault((site.place, is_expression), (site, is_expression))] = None
            for key in keys:
                found.setdefault(os.path.realpath(key[0].file), {}).setdefault(key, []).extend(nodes)
        return found

    @cached_property
    def written(self) -> dict[tuple[str, int], list[Value]]:
        """The nodes that a line of the program names, by real path and line; if it names none, the last one of it."""
        named: dict[tuple[str, int], list[tuple[int, Value]]] = {}
        last: dict[tuple[str, int], list[Value]] = {}
        real = functools.cache(os.path.realpath)
        for node in self.names.order:
            if (site := site_in_program(node)) is not None:
                key = real(site.file), site.line
                last[key] = [node]
                if self.names.name(node):
                    named.setdefault(key, []).append((site.span[1], node))
        as_written = {key: sorted(pairs, key=lambda pair: pair[0]) for key, pairs in named.items()}
        return last | {key: [node for _, node in pairs] for key, pairs in as_written.items()}

    @cached_property
    def _main(self) -> str:
        """The file that made the last node whose place is known."""
        places = map(site_in_program, reversed(self.names.order))
        return next((os.path.realpath(site.file) for site in places if site is not None), "")

    def lines(self, file: str | None = None) -> list[int]:
        """Return the lines of a file, by default the main one, that can have breakpoints."""
        return sorted({site.line for site, _ in self._sites.get(os.path.realpath(file) if file else self._main, {})})

    def at_line(self, line: int, file: str | None = None) -> tuple[str, int, set[Value], bool]:
        """Return the file, line (the next one in use) and nodes of a breakpoint, and True if only calls are there."""
        expressions: dict[int, set[Value]] = {}
        calls: dict[int, set[Value]] = {}
        for (site, is_expression), nodes in self._sites.get(os.path.realpath(file or self._main), {}).items():
            first, _, last, _ = site.span
            inside = is_expression and first < line <= last
            (expressions if is_expression else calls).setdefault(line if inside else first, set()).update(nodes)
        known = sorted({*expressions, *calls})
        if not known:
            raise ArgumentError(
                f"Nothing in the graph comes from {file or self._main or 'a known file'}.",
                f"There are {', '.join(sorted(self._sites)[:8])}."
                if self._sites
                else "Record inside `with am.provenance():`, or run the program with autograd-mini debug.",
            )
        target = next((number for number in known if number >= line), None)
        if target is None:
            raise ArgumentError(f"Nothing in the graph comes from line {line} or later; the last is {known[-1]}.")
        return file or self._main, target, expressions.get(target) or calls[target], target not in expressions


def _callers(site: Site | None) -> Iterator[Site]:
    while site is not None:
        yield site
        site = site.caller
