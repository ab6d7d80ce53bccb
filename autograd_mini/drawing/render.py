"""Rendering: DOT text in, SVG out, by the first `dot` program that works, or by a layout of our own if there is none.

`graphviz-pure` comes first, though a user's `dot` draws as well: of twenty graphs, as large (26.6 and 25.5 million
square points), with as many crossings (1,717 and 1,666), in as much time (2.5 and 2.2 s). But pip installs a known
version, so the same graph gives the same bytes on each machine, and `dot` 2.42 fails on some nested frames.
The `graphviz` package does not run it, because it has no time limit, finds only `dot`, and takes empty output for
success. Not here: the contents of the picture. Read next: `drawing.labels`.
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

from autograd_mini.drawing.labels import on_arrows
from autograd_mini.drawing.layered import layered
from autograd_mini.drawing.style import FONTS
from autograd_mini.errors import MissingError, ProgramError

VARIABLE = "AUTOGRAD_MINI_DOT"
SECONDS = 20.0
_SLOW = "did not finish within"
_VERSION = "0.2"  # of graphviz-pure, as in pyproject.toml
_SIGNATURES = {"svg": b"</svg>", "png": b"\x89PNG"}
_ADVICE = (
    f"pip install graphviz-pure, or install Graphviz, or set the environment variable {VARIABLE} to the path of dot."
)


def programs() -> list[str]:
    """Return the programs to try: $AUTOGRAD_MINI_DOT alone, or `graphviz-pure` beside the interpreter, then `dot`."""
    named = os.environ.get(VARIABLE)
    if named:
        if not shutil.which(named):
            raise MissingError(f"{VARIABLE} is set to {named!r}, which is not a program that can be run.", _ADVICE)
        return [named]
    beside = os.path.join(sysconfig.get_path("scripts"), "graphviz-pure" + (".exe" if os.name == "nt" else ""))
    found = [path for path in (shutil.which(beside), shutil.which("dot")) if path]  # `beside` is often not on PATH
    if len(found) > 1 and not _is_known(found[0]):
        found.reverse()
    return found


@lru_cache
def _is_known(pure: str) -> bool:
    """Return True if this `graphviz-pure` runs, and has a version whose pictures are known."""
    try:
        done = subprocess.run([pure, "-V"], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    said = (done.stdout + done.stderr).decode(errors="replace")
    return done.returncode == 0 and f"graphviz-pure version {_VERSION}." in said


def run(dot: str, kind: str) -> bytes:
    """Render a text in the DOT language as "svg" or "png"; if one program fails, try the next."""
    failures = []
    found = programs()
    if not found and kind == "svg":
        return layered(dot)
    if not found:
        raise MissingError(f"There is no `dot` program to turn a drawing into {kind.upper()}.", _ADVICE)
    for command in found:
        drawn = _attempt(command, dot, kind)
        if isinstance(drawn, bytes):
            return drawn
        failures.append(drawn)
    if kind == "svg" and all(_SLOW in failure for failure in failures):
        return layered(dot, f"Laid out without Graphviz, which {_SLOW} {SECONDS:g} seconds.")
    raise ProgramError("\n".join(failures), _ADVICE)


def _attempt(command: str, dot: str, kind: str) -> bytes | str:
    """Return what a program draws, or a sentence that says how it failed."""
    try:
        done = subprocess.run([command, f"-T{kind}"], input=dot.encode(), capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"{command} {_SLOW} {SECONDS:g} seconds."
    except OSError as error:
        return f"{command} cannot be run: {error}."
    # The exit status is not enough: for some input it is 0 and nothing is printed. Neither is the picture: a label
    # that dot cannot read gives status 1 and a picture without the label.
    if done.returncode != 0 or _SIGNATURES[kind] not in done.stdout:
        complaints = done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"]
        reason = next((line for line in complaints if line.startswith("Error")), complaints[0])
        return f"{command} drew no {kind.upper()} (exit status {done.returncode}): {reason}"
    return done.stdout


def prefix(dot: str, tooltips: Mapping[str, str]) -> str:
    """Return the prefix of ids in the SVG: a hash of the contents, so it differs by picture and not by run."""
    return "g" + hashlib.sha256("\0".join([dot, *tooltips.values()]).encode()).hexdigest()[:10] + "-"


def svg(dot: str, tooltips: Mapping[str, str]) -> str:
    """Return the `<svg>` element for DOT text with tooltips, so that it can share a page with others."""
    start = prefix(dot, tooltips)

    def group(match: re.Match[str]) -> str:
        key, attributes = match.groups()
        title = f"\n<title>{tooltips[key]}</title>" if key in tooltips else ""
        return f'<g id="{start}{key}"{attributes}>{title}'

    drawn = run(dot, "svg").decode().replace("\r\n", "\n")
    # Drop the prolog, which a page cannot contain. The user's text is never taken for a tag: its angle brackets are
    # escaped. Dot measured with Courier, which looks poor on a screen or is missing.
    drawn = f'<svg font-family="{FONTS}"' + drawn[drawn.index("<svg") + 4 :]
    # A cell of a row is a box like the others, not a link.
    drawn = re.sub(r'<g id="a_(\w+)"><a [^>]*>', r'<g id="\1" class="node">', drawn).replace("</a>", "")
    drawn = re.sub(r'<g id="(\w+)"([^>]*)>(?:\s*<title>[^<]*</title>)?', group, drawn)
    drawn = re.sub(
        r'<text(?: xml:space="preserve")?([^>]*) font-family="[^"]*"', r'<text xml:space="preserve"\1', drawn
    )
    return on_arrows(drawn)
