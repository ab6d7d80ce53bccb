"""The program in an editor: places with UTF-16 columns, sources without a file, values at the ends of lines, the graph.

Not here: which places matter (the frames of a trace), and the page itself (`debug.pages`).
Read next: `debug.dap.install`.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from autograd_mini.debug.pages.contents import Contents
from autograd_mini.debug.timeline.journal import FORWARD
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.text import number as in_digits
from autograd_mini.program.source import Site

_FEW = 4  # nodes at the end of a line
_MOST = 50_000  # steps whose page takes seconds


class Sources:
    """Files and columns in the form that the editor asked for in its `initialize` request."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self.first_line = 1 if client.get("linesStartAt1", True) else 0
        self.first_column = 1 if client.get("columnsStartAt1", True) else 0
        self._texts: list[str] = []  # files that only Python knows; their number is the index here, from 1

    def line(self, number: int) -> int:
        """Return the editor's number of a line."""
        return number - 1 + self.first_line

    def python_line(self, number: int) -> int:
        """Return Python's number of an editor's line."""
        return number + 1 - self.first_line

    def span(self, site: Site) -> dict[str, int]:
        """Return where an expression begins and ends."""
        line, column, end_line, end_column = site.span
        if end_column == 0:  # without recorded columns it is the whole line
            end_column = len(linecache.getline(site.file, end_line).rstrip("\n").encode())
        return {
            "line": self.line(line), "column": self.first_column + utf16(site.file, line, column),
            "endLine": self.line(end_line), "endColumn": self.first_column + utf16(site.file, end_line, end_column),
        }  # fmt: skip

    def source(self, file: str) -> dict[str, Any]:
        """Return a file's path, or its number if the file does not exist but Python knows its text."""
        if os.path.isfile(file):
            return {"name": os.path.basename(file), "path": os.path.abspath(file)}
        if not linecache.getlines(file):
            return {"name": file, "presentationHint": "deemphasize"}
        if file not in self._texts:
            self._texts.append(file)
        return {"name": file, "sourceReference": self._texts.index(file) + 1}

    def file(self, source: Mapping[str, Any]) -> str:
        """Return the file that the editor means."""
        reference = source.get("sourceReference") or 0
        return self._texts[reference - 1] if 0 < reference <= len(self._texts) else str(source.get("path") or "")

    def text(self, reference: int) -> str:
        """Return the text of a source that has a number."""
        if not 0 < reference <= len(self._texts):
            raise ArgumentError(f"There is no source number {reference}.")
        return "".join(linecache.getlines(self._texts[reference - 1]))


def utf16(file: str, line: int, column: int) -> int:
    """Convert a column in UTF-8 bytes into UTF-16 code units; it stays the same if the text is not known."""
    text = linecache.getline(file, line).encode()[:column]
    return len(text.decode(errors="replace").encode("utf-16-le")) // 2 if text or not column else column


# -- beside the source -----------------------------------------------------------------------------------------------


def inline(trace: Trace, file: str, sources: Sources) -> list[dict[str, Any]]:
    """Return the texts at the ends of a file's lines: the nodes that they name, now, and those near this step."""
    real, found = os.path.realpath(file), []
    is_early = trace.step.phase == FORWARD
    for (where, line), nodes in trace.written.items():
        known = [node for node in nodes if not is_early or trace.number(node) <= trace.position]
        if where != real or not known:
            continue
        here = trace.number(trace.step.node)
        near = sorted(known, key=lambda node: abs(trace.number(node) - here))[:_FEW]
        texts = [_text(trace, node) for node in known if node in near]
        texts += [f"… {len(known) - _FEW:,} more"] * (len(known) > _FEW)
        found.append({"line": sources.line(line), "text": "; ".join(texts)})
    return found


def _text(trace: Trace, node: Value) -> str:
    gradient = trace.grad(node)
    name = f"{trace.names.short(node)} = " if trace.name(node) else "= "
    return f"{name}{in_digits(trace.value(node))}" + ("" if gradient is None else f", ∂ = {in_digits(gradient)}")


class Graph:
    """The page of a trace, which is drawn again only if the steps have changed."""

    def __init__(self) -> None:
        self._journal: object = None
        self._number = 0

    def page(self, trace: Trace, known: object, is_dark: bool) -> Callable[[], dict[str, Any]]:
        """Return a function that gives the number of the page, the step, and the text unless the number is known.

        The answer may take seconds; others may move in the trace meanwhile.
        """
        if len(trace) > _MOST:
            raise ArgumentError(
                f"This graph has {len(trace):,} steps, too many to draw at every stop.",
                "Type graph into the debug console for a picture.",
            )
        if self._journal is not trace.journal:
            self._journal, self._number = trace.journal, self._number + 1
        body = {"page": self._number, "step": trace.position}
        own = copy(trace)  # it remembers what it was last asked
        return lambda: body if known == body["page"] else {**body, "html": Contents(own, False).themed(is_dark)}
