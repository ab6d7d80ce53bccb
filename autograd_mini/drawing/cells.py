"""The cells of boxes in the DOT language: texts, colours, and the tables they stand in.

Not here: which texts (`picture`). Read next: `drawing.legend`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from autograd_mini.drawing.style import BLANK, FRAME, SMALL
from autograd_mini.notation.text import elided
from autograd_mini.output.streams import UNSAFE

BOXED = "□"  # an operand that has its own box, beside a constant
DECADES = 3  # below the largest gradient, that colours tell apart
FRAMED = 'BORDER="0" CELLBORDER="1" CELLSPACING="0" COLOR="' + FRAME + '"'


def escaped(text: object, limit: int = 1000) -> str:
    """Shorten and escape the user's text for XML; nothing else escapes it."""
    text = str(text)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return html.escape(UNSAFE.sub(lambda match: "↵" if match[0] == "\n" else "�", text))


def label(text: object, limit: int = 32) -> str:
    r"""Return the user's text for a label, without its middle if it is long; \N is escaped, or dot would replace it."""
    return escaped(elided(str(text), limit), limit).replace("\\", "\\\\")


def shade(gradient: float, largest: float) -> tuple[str, float]:
    """Return a gradient's colour as a word, and its strength from 0 (three decades below the largest) to 1."""
    if not math.isfinite(gradient) or gradient == 0.0:
        return "broken" if gradient else "zero", 1.0
    depth = 1.0 + (math.log10(abs(gradient)) - math.log10(largest)) / DECADES
    # Never quite white, so that a small gradient shows its sign.
    return "minus" if gradient < 0.0 else "plus", 0.15 + 0.85 * max(depth, 0.0)


def scale(largest: float) -> list[float]:
    """Return the gradients that a legend shows, from the most negative to the most positive."""
    sizes = [largest / 10.0**decade for decade in range(DECADES)] if largest else []
    return [-size for size in sizes] + [0.0] + sizes[::-1]


def framed(header: str, tint: str, rows: Sequence[str], note: str, columns: int, above: bool = False) -> str:
    """Return a box of several rows, with a note below or above them."""
    cells = "".join(f"<TR>{row}</TR>" for row in rows)
    noted = f'<TR><TD COLSPAN="{columns}" BGCOLOR="{BLANK}">{note}</TD></TR>' if note else ""
    return (
        f'<TABLE {FRAMED} CELLPADDING="4"><TR><TD COLSPAN="{columns}" BGCOLOR="{tint}">{header}</TD></TR>'
        f"{noted + cells if above else cells + noted}</TABLE>"
    )


def small(text: str) -> str:
    """Return the user's text for a label, in small letters."""
    return f'<FONT POINT-SIZE="{SMALL}">{label(text, 60)}</FONT>' if text else ""
