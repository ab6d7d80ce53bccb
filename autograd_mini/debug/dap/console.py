"""The terminal's commands in an editor's console: a line in, its text out, and the words that may follow.

Not here: the commands (`debug.terminal.commands`), and what the editor is told of their effects (`session`).
Read next: `debug.dap.stops`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from autograd_mini.debug.terminal.commands import Shell
from autograd_mini.errors import ArgumentError

_MOST = 100  # completions
_OPERATOR = re.compile(r"\w+ *([-+*/%<>]|[=!]=)")
_WORD_IN_COMMAND, _WORD_IN_EXPRESSION = re.compile(r"[^ \t\n,;(]*$"), re.compile(r"[^ \t\n,;(*/%<>=!+-]*$")


class Console(Shell):
    """A session of the debugger that an editor leads: it runs one line when asked."""

    def __init__(self, repeats: bool = False) -> None:
        super().__init__(stdin=io.StringIO(), stdout=io.StringIO())
        self.repeats, self._fault = repeats, ""

    def converse(self) -> bool:
        """Return at once, because the editor brings the lines."""
        return True

    def look_here(self) -> None:
        """Look at the innermost place, as after every motion."""
        self.frame, self.next_line = 0, None

    def is_command(self, line: str) -> bool:
        """Return True if a line is a command; a variable comes before a command that only begins like it."""
        line, name = line.strip(), self.parseline(line)[0]
        command = self.commands.get(name or "")
        if command is None:
            return False
        word = re.match(r"\w*", line)[0]  # type: ignore[index]  # may be ""
        if word not in self.trace.vocabulary:
            return True
        return word in (command.name, *command.shorts) and not _OPERATOR.match(line)

    def run(self, line: str) -> tuple[str, bool]:
        """Run a line; return what it prints, and True if the program should go on; raise if it only complains."""
        self.stdout, self._fault = io.StringIO(), ""
        ends = self.onecmd(line)
        while self.cmdqueue and not ends:
            ends = self.onecmd(self.cmdqueue.pop(0))
        self.cmdqueue.clear()
        if line in self.trace.vocabulary:
            self.say(f"({line} is also a node: p {line} prints it.)")
        text = self.stdout.getvalue().rstrip("\n")
        if self._fault and not text:
            raise ArgumentError(self._fault)
        return "\n".join(filter(None, [text, self._fault])), ends

    def _complain(self, text: str) -> None:
        self._fault = text

    def targets(self, arguments: Mapping[str, Any], first_line: int, first_column: int) -> list[dict[str, Any]]:
        """Return the completions of a request, in an editor's UTF-16 columns."""
        lines = str(arguments["text"]).split("\n")
        line = lines[min(max(int(arguments.get("line") or 0) - first_line, 0), len(lines) - 1)]
        end = max(int(arguments["column"]) - first_column, 0)
        word, found = self.completions(line.encode("utf-16-le")[: 2 * end].decode("utf-16-le", "replace"))
        length = len(word.encode("utf-16-le")) // 2
        where = {"start": end - length + first_column, "length": length} if length else {}
        return [
            {"label": name.strip(), "text": name, "type": "method" if name.strip() in self.commands else "variable"}
            | where
            for name in found[:_MOST]
        ]

    def completions(self, text: str) -> tuple[str, list[str]]:
        """Return the word at the end of a text, and what it may become."""
        line, name = text.lstrip(), self.parseline(text)[0] or ""
        inside = name in self.commands
        word = (_WORD_IN_COMMAND if inside else _WORD_IN_EXPRESSION).search(line)[0]  # type: ignore[index]  # may be ""
        if word == line:
            return word, [*self.completenames(word), *self.completedefault(word, f"p {word}")]
        complete = getattr(self, f"complete_{name}", self.completedefault)
        return word, complete(word, line, len(line) - len(word), len(line))
