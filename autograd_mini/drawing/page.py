"""A picture as a page: pan, zoom, search, and a click on a scope opens it. One file; the script is ours, and short.

There is no layout in the browser: each scope has its picture in the page already, and a click shows another one.
Not here: what the pictures say. Read next: `page.js`.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from autograd_mini.drawing.document import document
from autograd_mini.drawing.render import prefix

_MOST_PICTURES = 60
_MOST_BYTES = 6_000_000


class Drawing(Protocol):
    """What a page needs of a `Drawing`."""

    tooltips: Mapping[str, str]
    scopes: Mapping[str, str]
    inside: Callable[[str], Any] | None

    @property
    def dot(self) -> str:
        """The picture in the DOT language."""

    @property
    def svg(self) -> str:
        """The picture as an `<svg>` element."""


def page(drawing: Drawing) -> str:
    """The HTML page of a drawing and, as far as there is room, of all scopes in it.

    Raises:
        MissingError: no dot program can be found.
        ProgramError: the program found fails, or cannot draw that.
    """
    pictures: dict[str, Drawing] = {"": drawing}
    waiting = list(drawing.scopes.values())
    size = len(drawing.svg)
    for path in waiting:
        if path not in pictures and drawing.inside is not None:
            if len(pictures) == _MOST_PICTURES or size > _MOST_BYTES:
                break
            pictures[path] = drawing.inside(path)
            size += len(pictures[path].svg)
            waiting += pictures[path].scopes.values()
    names = list(pictures)
    opens = {
        prefix(picture.dot, picture.tooltips) + key: names.index(path)
        for picture in pictures.values()
        for key, path in picture.scopes.items()
        if path in pictures
    }
    title = html.unescape(drawing.tooltips["graph"])
    sections = "".join(
        f"<section{' hidden' if path else ''}>\n{picture.svg}</section>\n" for path, picture in pictures.items()
    )
    data = {"names": names, "opens": opens}
    return document(title, __package__, "page.css", "page.js", _BODY.format(sections=sections), data)


_BODY = """<header>
<nav aria-label="scopes"></nav>
<input type="search" placeholder="search by name" aria-label="search by name" autocomplete="off"><output></output>
<button data-do="out" aria-label="smaller">−</button><button data-do="fit">fit</button
><button data-do="in" aria-label="larger">+</button>
<small>drag, wheel, arrows, + − 0; a click opens a scope, Esc goes back</small>
</header>
<main tabindex="0" aria-label="picture">
{sections}</main>
"""
