"""How numbers and the user's own texts are written: few digits, no middle where it is long, parentheses where needed.

Not here: how an operation is written (that is `spelling`), and colours or columns. Read next: `notation.names`.
"""

from __future__ import annotations

import re

LONGEST = 32  # characters of an expression that a node is called by
ALL_DIGITS = 17
NOT_YET = "not yet"  # where a gradient would stand that has not arrived
_UNAMBIGUOUS = re.compile(r"[\w.]+(\([^()]*\)|\[[^\[\]]*\])*(#\d+)?|\([^()]*\)#\d+")  # needs no parentheses behind a ∂


def number(x: float | None, digits: int = 4, faithful: bool = False) -> str:
    """A number in few digits, without the sign of -0.0, which would raise questions; all 17 digits keep it.

    A faithful one has all digits where few would make a non-integer look whole: acos(1.00000005) is not acos(1).
    """
    if x is None:
        return NOT_YET
    text = f"{x if digits == ALL_DIGITS else x + 0.0:.{digits}g}"
    return repr(x) if faithful and float(text) != x and text.lstrip("-").isdigit() else text


def elided(text: str, longest: int = LONGEST) -> str:
    """A text without its middle, if it is long."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[len(text) - (longest - 1 - longest // 2) :]}"


def bracketed(text: str) -> str:
    """A text as it can stand in a formula: an expression with an operator in parentheses."""
    return text if _UNAMBIGUOUS.fullmatch(text) else f"({text})"


def bare(text: str) -> str:
    """A bracketed text without the parentheses around all of it."""
    return text[1:-1] if text.startswith("(") else text


def guarded(text: str) -> str:
    """A factor as it can stand behind ×: a negative number in parentheses."""
    return f"({text})" if text.startswith("-") else text
