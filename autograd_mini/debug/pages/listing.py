"""The user's source, with the places that led to the nodes of a graph, for a page to mark.

Columns become UTF-16 code units, in which browsers count. The listing has only files of the user's program, and of long
files only the lines near a mark. Not here: the marking. Read next: `debug.pages.mathml`.
"""

from __future__ import annotations

import linecache
import os
from typing import Any

from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.output.streams import UNSAFE
from autograd_mini.program.owner import is_of_library
from autograd_mini.program.source import Site, cell

_SHORT = 400  # lines; a longer file is not shown whole
_NEAR = 15  # lines around a mark in a longer file
_WIDEST = 1000  # characters of a line

Span = tuple[int, int, int]


class Listing:
    """The files and places of a program that were asked for."""

    def __init__(self) -> None:
        self.places: list[list[dict[str, Any]]] = []  # marks of each place: the expression, then the calls to it
        self._known: dict[tuple[object, ...], int] = {}
        self._files: dict[str, int] = {}
        self._marked: list[set[int]] = []

    def place(self, trace: Trace, node: Value) -> int:
        """Return the number of the place that a node came from; -1 if none of it can be read."""
        sites = [
            (_words(frame, depth), site)
            for depth, frame in enumerate(trace.frames(node))
            if (site := frame.site) is not None and linecache.getlines(site.file) and not is_of_library(site)
        ]
        key = tuple([(words, *site.place) for words, site in sites])
        if sites and key not in self._known:
            self._known[key] = len(self.places)
            self.places.append([self._mark(words, site) for words, site in sites])
        return self._known.get(key, -1)

    def _mark(self, words: str, site: Site) -> dict[str, Any]:
        file = self._files.setdefault(site.file, len(self._files))
        self._marked += [set()] * (file == len(self._marked))
        pieces = spans(site)
        if site.expression.startswith(("with ", "async with ")):  # a scope is entered here, not in its block
            pieces = pieces[:1]
        self._marked[file] |= {line for line, _, _ in pieces}
        return {"file": file, "words": readable(words), "spans": pieces}

    @property
    def files(self) -> list[dict[str, Any]]:
        """What can be read of the files: runs of lines with the number of their first line."""
        return [
            {"name": cell(file) or readable(os.path.basename(file)), "runs": _runs(file, self._marked[number])}
            for file, number in self._files.items()
        ]


def _words(frame: Frame, depth: int) -> str:
    """Return how a place is related to the node."""
    name = "top level" if frame.name == "<module>" else frame.name
    return f"call of {name}" if frame.scope is not None else f"called from {name}" if depth else f"in {name}"


def _runs(file: str, marked: set[int]) -> list[tuple[int, list[str]]]:
    lines = linecache.getlines(file)
    near = [*range(1, len(lines) + 1)]
    if len(lines) > _SHORT:
        around = {line for mark in marked for line in range(mark - _NEAR, mark + _NEAR + 1)}
        near = [line for line in near if line in around]
    runs: list[tuple[int, list[str]]] = []
    for line in near:
        if not runs or line != runs[-1][0] + len(runs[-1][1]):
            runs.append((line, []))
        runs[-1][1].append(readable(lines[line - 1].rstrip("\r\n"))[:_WIDEST])
    return runs


def readable(text: str) -> str:
    """Replace characters that would change the direction of text or cannot be shown; positions stay the same."""
    return UNSAFE.sub(lambda match: match[0] if match[0] == "\t" else "\ufffd", text)


def spans(site: Site) -> list[Span]:
    """Return the pieces of an expression, line by line: (line, from, to), in UTF-16 code units from 0.

    If the columns are not known (`python -X no_debug_ranges`), the piece is the whole line.
    """
    first, start, last, end = site.span
    pieces = []
    for number in range(first, last + 1):
        line = linecache.getline(site.file, number).rstrip("\r\n")
        written = line.encode(errors="replace")
        indent = len(line) - len(line.lstrip())
        left = utf16(written[:start]) if number == first and end else indent
        right = utf16(written[:end]) if number == last and end else utf16(line.rstrip().encode(errors="replace"))
        if left < right:
            pieces.append((number, left, right))
    return pieces


def utf16(text: str | bytes) -> int:
    """Return the length of a text in UTF-16 code units, in which browsers and editors count."""
    text = text if isinstance(text, str) else text.decode(errors="replace")
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
