"""Text in the DOT language in, an SVG out, by whichever `dot` program there is.

Not here: what the picture says. The `graphviz` package does not run the program, for it does so without a time limit,
finds only `dot`, and takes no output for success. Read next: nothing; this is the end of drawing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping

from autograd_mini.errors import MissingError, ProgramError

VARIABLE = "AUTOGRAD_MINI_DOT"
SECONDS = 30.0
_SIGNATURES = {"svg": b"</svg>", "png": b"\x89PNG"}
_FONTS = "ui-monospace, Menlo, Consolas, &quot;DejaVu Sans Mono&quot;, monospace"  # none wider than Courier
_ADVICE = (
    f"pip install graphviz-pure, or install Graphviz, or set the environment variable {VARIABLE} to the path of dot."
)


def program() -> str:
    """The path of the program: $AUTOGRAD_MINI_DOT, `graphviz-pure` beside the interpreter, or `dot`.

    Raises:
        MissingError: there is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not shutil.which(named):
            raise MissingError(f"{VARIABLE} is set to {named!r}, which is no program that can be run.", _ADVICE)
        return named
    beside = os.path.join(sysconfig.get_path("scripts"), "graphviz-pure" + (".exe" if os.name == "nt" else ""))
    found = shutil.which(beside) or shutil.which("dot")  # that directory is often not on PATH
    if found is None:
        raise MissingError("There is no `dot` program, which turns a drawing into SVG.", _ADVICE)
    return found


def run(dot: str, kind: str) -> bytes:
    """What the program makes of a text in the DOT language, as "svg" or "png".

    Raises:
        MissingError: there is no program.
        ProgramError: the program fails, or does not finish.
    """
    command = program()
    try:
        done = subprocess.run([command, f"-T{kind}"], input=dot.encode(), capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{command} did not finish within {SECONDS:g} seconds.", _ADVICE) from error
    except OSError as error:
        raise ProgramError(f"{command} cannot be run: {error}.", _ADVICE) from error
    # The exit status is not enough: for some input it is 0 and nothing is printed. The picture neither: a label that
    # dot cannot read gives status 1 and a picture without it.
    if done.returncode != 0 or _SIGNATURES[kind] not in done.stdout:
        complaints = done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        reason = next((line for line in complaints if line.startswith("Error")), complaints[0])
        raise ProgramError(f"{command} drew no {kind.upper()} (exit status {done.returncode}): {reason}", _ADVICE)
    return done.stdout


def prefix(dot: str, tooltips: Mapping[str, str]) -> str:
    """What ids in the SVG begin with. It follows from what is drawn: pictures differ in it, runs do not."""
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
