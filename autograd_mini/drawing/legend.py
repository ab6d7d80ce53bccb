"""The legend of a picture: it explains what occurs there, in small letters.

Not here: the picture (`picture`). Read next: `drawing.picture`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autograd_mini.drawing.cells import BOXED, FRAMED, label, scale
from autograd_mini.drawing.gradients import Gradients
from autograd_mini.drawing.style import BLANK, COMPUTED, FAINT, LEAF, LEGEND, SCOPE

_COLUMNS = 12


@dataclass(frozen=True)
class Contents:
    """What there is to explain."""

    single: bool  # operations
    calls: bool
    groups: bool
    leaves: bool
    around: bool  # boxes outside the focus


def legend(
    there: Contents, text: str, gradients: Gradients, number: Callable[[float], str], colour: Callable[[float], str]
) -> str:
    """Return the legend of a picture with this text, as a table."""
    swept, frames = bool(gradients.numbers), gradients.handed_on is not None  # frames of an animation have one legend
    single, groups = there.single, there.groups
    so_far = " so far" if gradients.unfinished or frames else ""
    gradient = f"gradient{so_far}" if swept else f"gradient: {gradients.absent}"
    kinds = [
        ("<B>name</B> = operation", COMPUTED) if single else None,
        ("<B>scope × how often</B>", SCOPE) if groups else None,
        ("<B>call</B>", SCOPE) if there.calls else None,
        ("<B>leaf</B>", LEAF) if there.leaves else None,
    ]
    facts = [("value", BLANK), (gradient, BLANK)] if single or not groups else []
    facts += [("out: what leaves it", BLANK), ("max|g|: largest |gradient|", BLANK)] if groups else []
    rows = [[cell for cell in kinds if cell is not None], facts]
    if swept:
        steps = [(label(number(x)), colour(x)) for x in scale(gradients.strongest)]
        broken = any(not math.isfinite(g) for g in gradients.numbers.values())
        rows.append(steps + [("nan, inf", colour(math.nan))] * broken)
    notes = {
        "on an arrow: local derivative": single and "->" in text,
        "on an arrow × 3: three values": '" × ' in text,
        "call: one box, with its own derivative": there.calls,
        "draw(…, expand=&quot;name&quot;) opens a box": there.calls or groups,
        f"{BOXED} × 2: the constant 2 times the operand": BOXED in text,
        "thick: the gradient has gone this way": frames,
        "faint: no gradient flows": FAINT in text or frames,
        "dashed box: around what is shown": there.around,
        "dashed: branch not taken, or a step": "style=dashed" in text,
    }
    told = [(note, BLANK) for note, applies in notes.items() if applies]
    rows += [told[place : place + 2] for place in range(0, len(told), 2)]
    written = "".join(f"<TR>{_row(row)}</TR>" for row in rows if row)
    return f'<TABLE {FRAMED} CELLPADDING="1">{written}</TABLE>'


def _row(cells: Sequence[tuple[str, str]]) -> str:
    """Return cells that share the width."""
    ends = [_COLUMNS * (place + 1) // len(cells) for place in range(len(cells))]
    spans = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return "".join(
        f'<TD COLSPAN="{span}" BGCOLOR="{below}"><FONT POINT-SIZE="{LEGEND}">{text}</FONT></TD>'
        for (text, below), span in zip(cells, spans, strict=True)
    )
