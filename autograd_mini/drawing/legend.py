"""The legend of a picture: it explains what occurs there, in small letters.

Not here: the picture (`picture`). Read next: `drawing.placement`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from autograd_mini.drawing.cells import BOXED, FRAMED, escaped, label, scale
from autograd_mini.drawing.gradients import Gradients
from autograd_mini.drawing.style import BLANK, COMPUTED, LEAF, LEGEND, QUIET, SCOPE

_COLUMNS = 12


def legend(
    text: str,
    gradients: Gradients,
    number: Callable[[float], str],
    colour: Callable[[float], str],
    *,
    operations: bool,
    calls: bool,
    groups: bool,
    letters: Sequence[str],
    columns: int,
) -> str:
    """Return the legend of a picture with this text, as a table; notes stand in so many columns."""
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
    return "".join(
        f'<TD COLSPAN="{span}" BGCOLOR="{below}"><FONT POINT-SIZE="{LEGEND}">{text}</FONT></TD>'
        for (text, below), span in zip(cells, spans, strict=True)
    )
