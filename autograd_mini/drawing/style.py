"""Style: the colours, fonts and sizes of pictures and pages. They stand in one file, `style.css`, for both.

Not here: which of them shows what (`cells`, `picture`, and the style sheets of pages). Read next: `drawing.cells`.
"""

from __future__ import annotations

import re
from importlib.resources import files

STYLE = (files(__package__) / "style.css").read_text(encoding="utf-8")
_LIGHT: dict[str, str] = dict(re.findall(r"--([\w-]+): ([^;]+);", STYLE.partition("@media")[0]))

LEAF, COMPUTED, SCOPE, BLANK, FRAME = map(_LIGHT.__getitem__, ("leaf", "computed", "scope", "cell", "frame"))
CLUSTER, CLUSTER_LINE, CLUSTER_INK = map(_LIGHT.__getitem__, ("cluster", "cluster-line", "cluster-ink"))
EDGE, EDGE_INK, FAINT, QUIET, PASSED = map(_LIGHT.__getitem__, ("edge", "edge-ink", "faint", "quiet", "passed"))
TEXT, SMALL, LEGEND = (int(_LIGHT[size]) for size in ("text", "small", "legend"))
FONTS = _LIGHT["mono"].replace('"', "&quot;")
_WITH = f"[fontname={_LIGHT['layout']} fontsize"
DEFAULTS = (  # of all parts of a picture, in the DOT language; the background is named, unlike cells
    f"graph {_WITH}={TEXT} labelloc=t labeljust=l bgcolor=white]\n",
    f"node {_WITH}={TEXT} shape=plain]\n",
    f'edge {_WITH}={SMALL} color="{EDGE}" fontcolor="{EDGE_INK}" arrowsize=0.7]\n',
)
CLUSTERED = f'graph [color="{CLUSTER_LINE}" fillcolor="{CLUSTER}" fontcolor="{CLUSTER_INK}"]\n'


def sheet(own: str, is_dark: bool | None = None) -> str:
    """Return the style sheet of a page: the page of style, and its own rules; `[fill=--leaf]` finds leaves in SVG.

    The reader's system chooses the theme, unless it is given.
    """
    text = STYLE
    if is_dark is not None:
        text = text.replace("color-scheme: light dark", f"color-scheme: {'dark' if is_dark else 'light'}")
        text = text.replace("(prefers-color-scheme: dark)", "(width >= 0)" if is_dark else "(width < 0)")
    return text + re.sub(r"\[fill=--([\w-]+)\]", lambda found: f'[fill="{_LIGHT[found[1]]}"]', own)


def mixed(word: str, depth: float) -> str:
    """Return the colour of a gradient: a word of the style, such as "plus", from pale (0) to full (1)."""
    ends = ([int(_LIGHT[name][place : place + 2], 16) for place in (1, 3, 5)] for name in ("pale", word))
    return "#" + "".join(f"{round(pale + depth * (full - pale)):02x}" for pale, full in zip(*ends, strict=True))
