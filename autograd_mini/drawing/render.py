"""Text in the DOT language in, an SVG out, by whichever `dot` program there is and works.

The `graphviz` package is not used to run it: that has no time limit, finds only `dot`, and takes no output for success.
Not here: what the picture says. Read next: `drawing.page`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from functools import lru_cache

from autograd_mini.errors import MissingError, ProgramError

VARIABLE = "AUTOGRAD_MINI_DOT"
SECONDS = 30.0
_VERSION = "0.2"  # of graphviz-pure, as in pyproject.toml
_SIGNATURES = {"svg": b"</svg>", "png": b"\x89PNG"}
_FONTS = "ui-monospace, Menlo, Consolas, &quot;DejaVu Sans Mono&quot;, monospace"  # none wider than Courier
_ADVICE = (
    f"pip install graphviz-pure, or install Graphviz, or set the environment variable {VARIABLE} to the path of dot."
)


def programs() -> list[str]:
    """The programs to try in turn: $AUTOGRAD_MINI_DOT alone, or `graphviz-pure` beside the interpreter and `dot`."""
    named = os.environ.get(VARIABLE)
    if named:
        if not shutil.which(named):
            raise MissingError(f"{VARIABLE} is set to {named!r}, which is not a program that can be run.", _ADVICE)
        return [named]
    beside = os.path.join(sysconfig.get_path("scripts"), "graphviz-pure" + (".exe" if os.name == "nt" else ""))
    found = [path for path in (shutil.which(beside), shutil.which("dot")) if path]  # that folder is often not on PATH
    if not found:
        raise MissingError("There is no `dot` program, which turns a drawing into SVG.", _ADVICE)
    if len(found) > 1 and not _is_known(found[0]):
        found.reverse()
    return found


@lru_cache
def _is_known(pure: str) -> bool:
    """Whether this `graphviz-pure` runs, and has a version whose pictures are known."""
    try:
        done = subprocess.run([pure, "-V"], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    said = (done.stdout + done.stderr).decode(errors="replace")
    return done.returncode == 0 and f"graphviz-pure version {_VERSION}." in said


def run(dot: str, kind: str) -> bytes:
    """What a program makes of a text in the DOT language, as "svg" or "png"; where one fails, the next is tried."""
    failures = []
    for command in programs():
        drawn = _attempt(command, dot, kind)
        if isinstance(drawn, bytes):
            return drawn
        failures.append(drawn)
    raise ProgramError("\n".join(failures), _ADVICE)


def _attempt(command: str, dot: str, kind: str) -> bytes | str:
    """What a program draws; if it fails, a sentence that says how."""
    try:
        done = subprocess.run([command, f"-T{kind}"], input=dot.encode(), capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"{command} did not finish within {SECONDS:g} seconds."
    except OSError as error:
        return f"{command} cannot be run: {error}."
    # The exit status is not enough: for some input it is 0 and nothing is printed. The picture neither: a label that
    # dot cannot read gives status 1 and a picture without it.
    if done.returncode != 0 or _SIGNATURES[kind] not in done.stdout:
        complaints = done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        reason = next((line for line in complaints if line.startswith("Error")), complaints[0])
        return f"{command} drew no {kind.upper()} (exit status {done.returncode}): {reason}"
    return done.stdout


def prefix(dot: str, tooltips: Mapping[str, str]) -> str:
    """What ids in the SVG begin with: it follows from what is drawn, so pictures differ in it and runs do not."""
    return "g" + hashlib.sha256("\0".join([dot, *tooltips.values()]).encode()).hexdigest()[:10] + "-"


def svg(dot: str, tooltips: Mapping[str, str]) -> str:
    """The `<svg>` element for a text in the DOT language, with these tooltips, fit to stand in a page with others."""
    start = prefix(dot, tooltips)

    def group(match: re.Match[str]) -> str:
        key, attributes = match.groups()
        title = f"\n<title>{tooltips[key]}</title>" if key in tooltips else ""
        return f'<g id="{start}{key}"{attributes}>{title}'

    drawn = run(dot, "svg").decode().replace("\r\n", "\n")
    # Without the prolog, which could not stand inside a page. Text of the user is never taken for a tag: its angle
    # brackets are escaped. Dot computed with Courier, which looks poor on a screen, or is not there.
    drawn = f'<svg font-family="{_FONTS}"' + drawn[drawn.index("<svg") + 4 :]
    # What stands in a row of a table is a box like the others, not a link.
    drawn = re.sub(r'<g id="a_(\w+)"><a [^>]*>', r'<g id="\1" class="node">', drawn).replace("</a>", "")
    drawn = re.sub(r'<g id="(\w+)"([^>]*)>(?:\s*<title>[^<]*</title>)?', group, drawn)
    return re.sub(r'<text(?: xml:space="preserve")?([^>]*) font-family="[^"]*"', r'<text xml:space="preserve"\1', drawn)
