"""Pages: one HTML file with style, script and data inside, which works offline, and the page of a drawing.

A content security policy lets only our own script run. The page of a drawing contains a picture of each scope, and a
list for each other group; a click shows another one. Not here: what pictures and the debugger's pages show.
Read next: `debug`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from autograd_mini.drawing.style import sheet


def document(
    title: str, package: str, style: str, script: str, body: str, data: Any, own: str = "", base: str = "",
    is_dark: bool | None = None,
) -> str:  # fmt: skip
    """Return the text of the file, with a style and a script that are files in a package, and data for the script.

    The body is escaped HTML; `own` and `base` are what this page alone has at the beginning of its script and style.
    Without a theme, the page has that of the reader's system. The data must not contain nan or infinities, because
    JSON has neither.
    """
    style_text, scripts = ((files(package) / name).read_text(encoding="utf-8") for name in (style, script))
    styles, scripts = sheet(base + style_text, is_dark), own + scripts
    written = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return _DOCUMENT.format(
        title=html.escape(title), style=styles, script=scripts, body=body, data=written,
        styles=_digest(styles), scripts=_digest(scripts),
    )  # fmt: skip


def _digest(text: str) -> str:
    """Return the hash by which the content security policy knows a style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page(
    title: str, pictures: Mapping[str, str], opens: Mapping[str, str], lists: Mapping[str, Sequence[Sequence[str]]]
) -> str:
    """Return the page of SVG pictures (by the paths of their scopes); a click on a box opens a picture, or a list."""
    names = list(pictures)
    sections = "".join(f"<section{' hidden' if path else ''}>\n{svg}</section>\n" for path, svg in pictures.items())
    data = {"names": names, "opens": {key: names.index(path) for key, path in opens.items()}, "lists": lists}
    return document(title, __package__, "page.css", "page.js", _BODY.format(sections=sections), data)


_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{styles}'; script-src '{scripts}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
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
