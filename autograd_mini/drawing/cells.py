"""Cells in the DOT language: texts, colours, and the tables that hold them: boxes, and the legend of a picture.

Not here: which texts boxes have (`picture`). Read next: `drawing.placement`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Collection, Sequence

from autograd_mini.drawing.gradients import Gradients
from autograd_mini.drawing.style import BLANK, COMPUTED, FRAME, LEAF, LEGEND, QUIET, SCOPE, SMALL
from autograd_mini.notation.text import elided
from autograd_mini.output.streams import UNSAFE

BOXED = "□"  # an operand that has its own box, beside a constant
DECADES = 3  # below the largest gradient, that colours tell apart
_COLUMNS = 12  # of the grid of a legend
FRAMED = 'BORDER="0" CELLBORDER="1" CELLSPACING="0" COLOR="' + FRAME + '"'


def escaped(text: object, limit: int = 1000) -> str:
    """Shorten and escape the user's text for XML; nothing else escapes it."""
    text = str(text)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return html.escape(UNSAFE.sub(lambda match: "↵" if match[0] == "\n" else "�", text))


def label(text: object, limit: int = 32) -> str:
    r"""Return the user's text for a label, its middle cut out if it is long; \N is escaped, or dot would replace it."""
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


def legend(
    text: str, gradients: Gradients, number: Callable[[float], str], colour: Callable[[float], str],
    occurring: Collection[str], letters: Sequence[str], columns: int,
) -> str:  # fmt: skip
    """Return the legend of a picture with this text, as a table; notes stand in so many columns."""
    operations, calls, groups = (kind in occurring for kind in ("operations", "calls", "groups"))
    frames = gradients.handed_on is not None  # those of an animation have one legend
    gradient = f"gradient{' so far' * (frames or bool(gradients.unfinished))}"
    kinds = {
        ("<B>name</B> = operation", COMPUTED): operations,
        ("<B>scope × how often</B>", SCOPE): groups,
        ("<B>call</B>", SCOPE): calls,
        ("<B>leaf</B>", LEAF): LEAF in text,
    }
    facts = {
        "value": operations or not groups,
        gradient if gradients.numbers else f"gradient: {gradients.absent}": operations or not groups,
        "out: what leaves it": groups,
        "max|g|: largest |gradient|": groups,
    }
    notes = {
        "on an arrow: local derivative": operations and "->" in text,
        "on an arrow × 3: three values": '" × ' in text,
        "call: one box, with its own derivative": calls,
        "draw(…, expand=&quot;name&quot;) opens a box": calls or groups,
        f"{BOXED} × 2: the constant 2 times the operand": BOXED in text,
        "thick: the gradient has gone this way": frames,
        "faint: no gradient flows": QUIET in text or frames,
        "dashed box: around what is shown": 'STYLE="dashed"' in text,
        "dashed: branch not taken, or a step": "style=dashed" in text,
    }
    steps = [(label(number(x)), colour(x)) for x in scale(gradients.strongest)] if gradients.numbers else []
    if any(not math.isfinite(g) for g in gradients.numbers.values()):
        steps.append(("nan, inf", colour(math.nan)))
    said = [*_rows(facts, 2), steps, *_rows(notes, columns), *[[(escaped(letter), BLANK)] for letter in letters]]
    rows = [[kind for kind, occurs in kinds.items() if occurs], *said]
    written = "".join(f"<TR>{_row(row)}</TR>" for row in rows if row)
    return f'<TABLE {FRAMED} CELLPADDING="1">{written}</TABLE>'


def _rows(said: dict[str, bool], columns: int) -> list[list[tuple[str, str]]]:
    """Return what occurs, side by side in so many columns."""
    told = [(text, BLANK) for text, occurs in said.items() if occurs]
    return [told[place : place + columns] for place in range(0, len(told), columns)]


def _row(cells: Sequence[tuple[str, str]]) -> str:
    """Return cells that share the width."""
    ends = [_COLUMNS * (place + 1) // len(cells) for place in range(len(cells))]
    spans = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    texts = [f'<FONT POINT-SIZE="{LEGEND}">{text}</FONT>' for text, _ in cells]
    rows = zip(texts, cells, spans, strict=True)
    return "".join(f'<TD COLSPAN="{span}" BGCOLOR="{below}">{text}</TD>' for text, (_, below), span in rows)
