"""Text for a terminal, and standard streams as they may be: closed, full, cut off, in an encoding that has no ∂.

What a command prints goes through here. Not here: what is printed. Read next: `errors`.
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
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_ASCII = {
    "∂": "d", "×": "x", "÷": "/", "−": "-", "·": "*", "±": "+-", "√": "sqrt", "≤": "<=", "≥": ">=", "≠": "!=",
    "→": "->", "←": "<-", "↑": "^", "↓": "v", "▶": ">", "↵": " ", "□": "_", "…": "...", "“": '"', "”": '"', "’": "'",
    "─": "-", "│": "|", "├": "|", "└": "`", "½": "1/2", "–": "-",
}  # fmt: skip


# -- texts -------------------------------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Text of the user without what would steer a terminal, break the line or turn its direction."""
    return UNSAFE.sub("�", text)


def printable_lines(text: str) -> str:
    """The same of a text of several lines, with its tabs."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else "�", text)


def columns(otherwise: int = 0) -> int:
    """How many columns the terminal has that is written to; what is written elsewhere has no width of its own."""
    import shutil  # here: importing it takes longer than all of this module

    is_terminal = getattr(sys.stdout, "isatty", bool)()
    return shutil.get_terminal_size().columns if is_terminal else otherwise


def width(text: str) -> int:
    """How many columns a text takes on a screen; colours take none."""
    return sum(columns_of(character) for character in _COLOUR.sub("", text))


def columns_of(character: str) -> int:
    """How many columns a character takes: none for accents and joiners, two for those of East Asia."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(line: str, columns: int, below: int | None = None) -> list[str]:
    """A line broken between words to some columns (0: no limit); what follows begins two further inside, or `below`."""
    if not columns or width(line) <= columns:
        return [line]
    start = len(line) - len(line.lstrip(" "))
    indent = " " * (start + 2 if below is None else below)
    first, *words = line[start:].split(" ")
    lines = [line[:start] + first]
    for word in words:
        if word and width(f"{lines[-1]} {word}") > columns:
            lines.append(indent + word)
        else:
            lines[-1] += f" {word}"
    return [part.rstrip() for part in lines]


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


# -- streams -----------------------------------------------------------------------------------------------------------


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
    """Print text of a command, without control characters that came with the user's data; errors as of `write`."""
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
    """What an error of the system is about, and what it is: "net.csv: No such file or directory"."""
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
