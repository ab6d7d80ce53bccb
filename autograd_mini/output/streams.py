"""Text for a terminal, and standard streams that may be closed, full, cut off, or in an encoding without ∂.

Everything that a command prints goes through here. Not here: what it prints. Read next: `errors`.
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
from collections.abc import Callable, Iterable
from typing import Any

# Characters that XML forbids, that would control a terminal or change the direction of text, or that break lines.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
STANDARD_OUTPUT = "standard output"
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
BARS = dict(zip("▁▂▃▄▅▆▇█", "_.,-=+*#", strict=True))  # how high a bar is, in letters that every font has
_ASCII = BARS | {
    "∂": "d", "×": "x", "÷": "/", "−": "-", "·": "*", "±": "+-", "√": "sqrt", "≤": "<=", "≥": ">=", "≠": "!=",
    "→": "->", "←": "<-", "↑": "^", "↓": "v", "▶": ">", "↵": " ", "□": "_", "…": "...", "“": '"', "”": '"', "’": "'",
    "─": "-", "│": "|", "├": "|", "└": "`", "½": "1/2", "–": "-", "⁻": "^-", "⌊": "floor(", "⌋": ")",
}  # fmt: skip


# -- texts -------------------------------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Remove characters from the user's text that would control a terminal, break the line or turn its direction."""
    return UNSAFE.sub("�", text)


def printable_lines(text: str) -> str:
    """Do the same for a text of several lines, and keep its tabs."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else "�", text)


def columns(otherwise: int = 0) -> int:
    """Return the width of the terminal on standard output; `otherwise` if it is not a terminal."""
    import shutil  # here, because importing it takes longer than the rest of this module

    is_terminal = getattr(sys.stdout, "isatty", bool)()
    return shutil.get_terminal_size().columns if is_terminal else otherwise


def width(text: str) -> int:
    """Return the number of columns that a text takes on a screen; colours take none."""
    return sum(columns_of(character) for character in _COLOUR.sub("", text))


def columns_of(character: str) -> int:
    """Return the number of columns of a character: 0 for accents and joiners, 2 for wide East Asian ones."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(line: str, columns: int, below: int | None = None) -> list[str]:
    """Break a line between words at some columns (0: no limit); further lines are indented by two more, or `below`."""
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
    """Spell what an encoding lacks in ASCII; this is the error handler "readable"."""
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
    """Make the standard streams of this process safe to write to, whatever is behind them."""
    for descriptor in range(3):  # otherwise the next file opened would become a standard stream
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
    """Write to a stream and flush it, spelling out what its encoding lacks.

    Raises:
        BrokenPipeError: its reader has gone.
        OSError: it is closed or full; its `filename` is "standard output".
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
    """Print a command's text without control characters from the user's data; raises what `write` raises."""
    write(sys.stdout, printable_lines(text) + "\n")


def complain(text: str) -> None:
    """Print a message on standard error, if possible."""
    try:
        write(sys.stderr, printable_lines(f"autograd-mini: {text}\n"))
    except OSError:
        abandon(sys.stderr)


def abandon(stream: Any) -> None:
    """Drop what could not be written, so that the interpreter does not try again at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def reason(error: OSError) -> str:
    """Return the subject and the text of a system error: "net.csv: No such file or directory"."""
    what = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {what}" if error.filename not in (None, "") else what


def progress(items: Iterable[Any], what: str, unit: str, total: int | None = None) -> Any:
    """Iterate with a progress bar on standard error; if that is closed or full, go on without one."""
    from tqdm import tqdm  # here, so that importing the package loads only the standard library

    return tqdm(items, desc=what, unit=unit, total=total, file=_Errors())


class _Errors:
    """Standard error, for a bar that must not end the work."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def write(self, text: str) -> None:
        try:
            write(sys.stderr, text)
        except OSError:
            abandon(sys.stderr)


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
