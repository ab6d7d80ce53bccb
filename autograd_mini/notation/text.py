"""How numbers and the user's texts are written: few digits, long texts cut in the middle, parentheses if needed.

Not here: how an operation is written (`spelling`), colours and columns. Read next: `notation.names`.
"""

from __future__ import annotations

import re

LONGEST = 32  # characters of an expression that serves as a label
ALL_DIGITS = 17
NOT_YET = "not yet"  # in place of a gradient that has not arrived
_UNAMBIGUOUS = re.compile(r"[\w.]+(\([^()]*\)|\[[^\[\]]*\])*(#\d+)?|\([^()]*\)#\d+")  # needs no parentheses after a ∂


def number(x: float | None, digits: int = 4, faithful: bool = False) -> str:
    """Write a number in few digits, and -0.0 without its sign, which would raise questions; all 17 digits keep it.

    If `faithful`, write all digits if few would make a non-integer look whole: acos(1.00000005) is not acos(1).
    """
    if x is None:
        return NOT_YET
    text = f"{x if digits == ALL_DIGITS else x + 0.0:.{digits}g}"
    return repr(x) if faithful and float(text) != x and text.lstrip("-").isdigit() else text


def elided(text: str, longest: int = LONGEST) -> str:
    """Cut the middle out of a long text."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[len(text) - (longest - 1 - longest // 2) :]}"


def bracketed(text: str) -> str:
    """Put an expression with an operator in parentheses, for use in a formula."""
    return text if _UNAMBIGUOUS.fullmatch(text) else f"({text})"


def bare(text: str) -> str:
    """Undo `bracketed`: remove the parentheses around a whole text."""
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def guarded(text: str) -> str:
    """Put a negative number in parentheses, for use after ×."""
    return f"({text})" if text.startswith("-") else text
