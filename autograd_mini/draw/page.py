"""A picture as a page: pan, zoom, search, and a click on a scope opens it. One file; the script is ours, and short.

There is no layout in the browser: each scope has its picture in the page already, and a click shows another one.
Not here: what the pictures say. Read next: `page.js`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Protocol

from autograd_mini.draw.render import prefix

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
    data = json.dumps({"names": names, "opens": opens}).replace("<", "\\u003c")
    sections = "".join(
        f"<section{' hidden' if path else ''}>\n{picture.svg}</section>\n" for path, picture in pictures.items()
    )
    return _PAGE.format(
        title=html.escape(title), style=_text("page.css"), script=_text("page.js"), sections=sections, data=data,
        styles=_digest("page.css"), scripts=_digest("page.js"),
    )  # fmt: skip


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _digest(name: str) -> str:
    """What the content security policy calls a style or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(_text(name).encode()).digest()).decode()


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{styles}'; script-src '{scripts}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<nav aria-label="scopes"></nav>
<input type="search" placeholder="search by name" aria-label="search by name" autocomplete="off"><output></output>
<button data-do="out" aria-label="smaller">−</button><button data-do="fit">fit</button
><button data-do="in" aria-label="larger">+</button>
<small>drag, wheel, arrows, + − 0; a click opens a scope, Esc goes back</small>
</header>
<main tabindex="0" aria-label="picture">
{sections}</main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
