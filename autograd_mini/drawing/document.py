"""One HTML file with its style, script and data inside: no server, no network, and only our own code may run in it.

Not here: what pages show (that is `page`, and `pages` of the debugger). Read next: `page`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import Any


def document(title: str, package: str, style: str, script: str, body: str, data: Any) -> str:
    """The text of the file.

    Args:
        title: any text.
        package: where style and script are.
        style: the name of a CSS file.
        script: the name of a JavaScript file; it finds the data in the element "data".
        body: HTML, escaped where it must be.
        data: for the script; no float may be in it, for JSON has neither nan nor infinities.
    """
    styles, scripts = _text(package, style), _text(package, script)
    written = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return _DOCUMENT.format(
        title=html.escape(title), style=styles, script=scripts, body=body, data=written,
        styles=_digest(styles), scripts=_digest(scripts),
    )  # fmt: skip


def _text(package: str, name: str) -> str:
    return (files(package) / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """What the content security policy calls a style or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


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
