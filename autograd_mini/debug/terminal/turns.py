"""Whose turn it is to read standard input: the debugger's or the program's.

At a terminal both read what you type, in turns. In a pipe nothing tells commands from the program's input, so there the
program must not read. Not here: the meaning of commands. Read next: `debug.pages`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from autograd_mini.debug.program import Quit
from autograd_mini.errors import ArgumentError
from autograd_mini.output.streams import WatchedInput, printable
from autograd_mini.program.owner import user_site
from autograd_mini.program.source import Site
from autograd_mini.script import SharedInputError

_TERMINAL = "CONIN$" if os.name == "nt" else "/dev/tty"


# The turns of the running program; `loss.debug()` inside it reads commands too.
_running: ContextVar[Turns | None] = ContextVar("running", default=None)


def commands() -> AbstractContextManager[None]:
    """Let the debugger read commands, even inside a program that runs under the debugger."""
    turns = _running.get()
    return nullcontext() if turns is None else turns.debugger()


class Turns:
    """Standard input, which the program and the debugger share.

    `given` is the file that becomes the program's standard input. With "-" the program reads standard input itself, and
    commands come from the terminal. With None both come from the same place.
    """

    def __init__(self, given: str | None, commands: bool = True) -> None:
        self._refused: Site | None = None  # where the program read the debugger's input
        self._swapped: tuple[int, int] | None = None  # the files behind descriptor 0 for the program and for commands
        self.commands: Any = sys.stdin
        self._program: Any = sys.stdin
        if given == "-" and commands:
            try:
                terminal = os.open(_TERMINAL, os.O_RDWR)
            except OSError:
                raise ArgumentError("--input - needs a terminal to read commands from, and there is none.") from None
            self._swapped = os.dup(0), terminal
            self.commands = self._open()
        elif given not in (None, "-"):
            self._swapped = os.open(str(given), os.O_RDONLY), os.dup(0)
            self._program = self._open()
        elif given is None and commands and _is_descriptor_0(sys.stdin) and not sys.stdin.isatty():
            self._swapped = os.open(os.devnull, os.O_WRONLY), os.dup(0)
            self._program = io.TextIOWrapper(io.BufferedReader(WatchedInput(self._refuse)), encoding=sys.stdin.encoding)
            if isinstance(sys.stdin, io.TextIOWrapper):
                sys.stdin.reconfigure(errors="backslashreplace")

    def _refuse(self) -> None:
        self._refused = user_site()
        raise Quit

    def _open(self) -> io.TextIOWrapper:
        encoding = getattr(sys.stdin, "encoding", None) or "utf-8"
        return open(0, encoding=encoding, closefd=False)  # it stays until the end

    @contextmanager
    def program(self) -> Iterator[None]:
        """Give the program its own input; raise SharedInputError if it reads the debugger's."""
        before = sys.stdin
        self._give(0, self._program)
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)
            self._give(1, before)
        if (site := self._refused) is not None:
            raise SharedInputError(
                f"{printable(site.file)}, line {site.line}, reads standard input, which is where the debugger's "
                "commands come from. Type them at a terminal, or give the program its input with --input FILE."
            )

    @contextmanager
    def debugger(self) -> Iterator[None]:
        """Let the debugger read commands, even if the program has replaced `sys.stdin`."""
        before = sys.stdin
        self._give(1, self.commands)
        try:
            yield
        finally:
            self._give(0, before)

    def _give(self, whose: int, stream: Any) -> None:
        if self._swapped is not None:
            os.dup2(self._swapped[whose], 0)
        sys.stdin = stream


def _is_descriptor_0(stream: Any) -> bool:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return bool(stream.fileno() == 0)
    return False
