"""How wide a text is on a screen, and lines that are broken at words to fit one.

Not here: what the texts say. Read next: `explain.report`.
"""

from __future__ import annotations

import re
import shutil
import sys
import unicodedata

_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def columns(otherwise: int = 0) -> int:
    """How many columns the terminal has that is written to; what is written elsewhere has no width of its own."""
    is_terminal = getattr(sys.stdout, "isatty", bool)()
    return shutil.get_terminal_size().columns if is_terminal else otherwise


def width(text: str) -> int:
    """How many columns a text takes on a screen; colours take none.

    >>> width("x"), width("数"), width("e\u0301")
    (1, 2, 1)
    """
    return sum(columns_of(character) for character in _COLOUR.sub("", text))


def columns_of(character: str) -> int:
    """How many columns a character takes: none for accents and joiners, two for those of East Asia."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(line: str, columns: int, below: int | None = None) -> list[str]:
    """A line broken between words where it is too wide.

    Args:
        line: the text.
        columns: how wide it may be; 0 for no limit.
        below: where what follows begins; by default a little further inside than the line.

    >>> wrapped("  go to the next node", 16), wrapped("n  go to the next node", 16, below=3)
    (['  go to the next', '    node'], ['n  go to the', '   next node'])
    """
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
