"""Places in the program as editors count them, with UTF-16 columns, and sources without a file.

Not here: which places matter (the frames of a trace). Read next: `debug.dap.install`.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Mapping
from typing import Any

from autograd_mini.errors import ArgumentError
from autograd_mini.program.source import Site


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
