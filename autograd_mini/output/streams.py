"""Standard streams as they may be: closed, full, cut off, or in an encoding that has no ∂.

What a command prints goes through here. Not here: what is printed. Read next: `cli`.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Any

# What XML forbids, what would steer a terminal or turn the direction of the text around it, and what breaks lines.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
STANDARD_OUTPUT = "standard output"
_ASCII = {
    "∂": "d", "×": "x", "÷": "/", "−": "-", "·": "*", "±": "+-", "√": "sqrt", "≤": "<=", "≥": ">=", "≠": "!=",
    "→": "->", "←": "<-", "↑": "^", "↓": "v", "▶": ">", "↵": " ", "□": "_", "…": "...", "“": '"', "”": '"', "’": "'",
    "─": "-", "│": "|", "├": "|", "└": "`", "½": "1/2", "–": "-",
}  # fmt: skip


def printable(text: str) -> str:
    r"""Text of the user without what would steer a terminal, break the line or turn its direction.

    >>> printable("a\x1b[2Jb")
    'a�[2Jb'
    """
    return UNSAFE.sub("�", text)


def printable_lines(text: str) -> str:
    r"""The same of a text of several lines, with its tabs.

    >>> printable_lines("a\n\tb\r")
    'a\n\tb�'
    """
    return UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else "�", text)


def _readable(error: UnicodeError) -> tuple[str, int]:
    """The error handler "readable": what an encoding lacks is spelt in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelt, error.object[error.start : error.end])), error.end


def _spelt(character: str) -> str:
    greek = re.fullmatch(r"GREEK \w+ LETTER (\w+)", unicodedata.name(character, ""))
    if greek or character in _ASCII:
        return greek[1].lower() if greek else _ASCII[character]
    parts = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    power = "^" if unicodedata.decomposition(character).startswith("<super>") else ""
    return power + parts if parts else "" if unicodedata.combining(character) else "?"


codecs.register_error("readable", _readable)


def prepare() -> None:
    """Make the streams of this process fit to be written to, whatever is behind them."""
    for descriptor in range(3):  # the next file that is opened would become a standard stream
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # it stays until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="readable")


def write(stream: Any, text: str) -> None:
    """Write to a stream at once, spelling what its encoding lacks.

    Raises:
        BrokenPipeError: its reader has gone.
        OSError: it is closed or full; its `filename` says "standard output".
    """
    try:
        if stream is None or stream.closed:
            raise OSError(errno.EBADF, "it is closed")
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "readable").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        error.filename = STANDARD_OUTPUT
        raise


def say(text: str) -> None:
    """Print text of a command, and no control characters that came with the user's data.

    Raises:
        OSError: as `write` does.
    """
    write(sys.stdout, printable_lines(text) + "\n")


def complain(text: str) -> None:
    """Print a message on standard error, if that can be written to."""
    try:
        write(sys.stderr, printable_lines(f"autograd-mini: {text}\n"))
    except OSError:
        abandon(sys.stderr)


def abandon(stream: Any) -> None:
    """Let what could not be written go, so that the interpreter does not try again when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def reason(error: OSError) -> str:
    """What an error of the system is about, and what it is.

    >>> reason(FileNotFoundError(2, "No such file or directory", "net.csv")), reason(OSError("timed out"))
    ('net.csv: No such file or directory', 'timed out')
    """
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename not in (None, "") else what


class WatchedInput(io.RawIOBase):
    """An empty standard input that calls a function when the program reads from it."""

    def __init__(self, when_read: Callable[[], object]) -> None:
        self._when_read = when_read

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0

    def readinto(self, _: Any) -> int:
        self._when_read()
        return 0
