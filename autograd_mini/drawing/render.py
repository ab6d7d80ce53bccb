"""Rendering: DOT text in, SVG out, by the first `dot` program that works, or by a layout of our own if there is none.

`graphviz-pure` comes first, though a user's `dot` draws as well: of twenty graphs, as large (26.6 and 25.5 million
square points), with as many crossings (1,717 and 1,666), in as much time (2.5 and 2.2 s). But pip installs a known
version, so the same graph gives the same bytes on each machine, and `dot` 2.42 fails on some nested frames.
The `graphviz` package does not run it, because it has no time limit, finds only `dot`, and takes empty output for
success. A PDF needs no program: it is the SVG, shape by shape, in Courier, which every reader has; letters that Courier
lacks, such as Chinese ones, are written as their code points. Not here: the contents of the picture.
Read next: `drawing.labels`.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from functools import lru_cache

from autograd_mini.drawing.labels import on_arrows
from autograd_mini.drawing.layered import layered
from autograd_mini.drawing.style import FONTS
from autograd_mini.errors import MissingError, ProgramError
from autograd_mini.output.streams import BARS

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
    return f"graphviz-pure version {_VERSION}." in version_of(pure)


def version_of(command: str) -> str:
    """Return what a program says about its version, or how it fails to."""
    try:
        done = subprocess.run([command, "-V"], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be run ({error})"
    lines = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines() or ["says nothing"]
    return f"ends with exit status {done.returncode}" if done.returncode else lines[0]


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


# -- as a PDF of one page ----------------------------------------------------------------------------------------------

_SHAPE = re.compile(r"<(polygon|path|polyline|text)\b([^>]*?)(?:/>|>([^<]*)</text>)")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NAMED = {"white": "1.000 1.000 1.000", "black": "0.000 0.000 0.000"}
_WIDE = 0.6  # of the size of a letter in Courier
_SIMPLER = str.maketrans(
    {"−": "-", "□": "[]", "∂": "d", "≤": "<=", "≥": ">=", "↵": "\xb6", "Σ": "sum", "δ": "delta", "σ": "sigma",
     "μ": "\xb5", "ρ": "rho", "φ": "phi", "Φ": "Phi", "π": "pi", "√": "sqrt",
     **BARS}
)  # fmt: skip


def pdf(svg: str) -> bytes:
    """Return the PDF of the SVG of a drawing."""
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None
    _, _, width, height = map(float, box[1].split())
    moved = re.search(r"translate\((-?[\d.]+)[ ,]+(-?[\d.]+)\)", svg)
    right, down = (float(moved[1]), float(moved[2])) if moved else (0.0, 0.0)
    scaled = re.search(r"scale\(([\d.]+)", svg)
    scale = float(scaled[1]) if scaled else 1.0
    # SVG counts downwards.
    start = f"{scale:.4f} 0 0 {-scale:.4f} {right * 1.0:.2f} {height - down:.2f} cm 1 j\n"
    content = start + "".join(piece for shape in _SHAPE.finditer(svg) for piece in _drawn(shape))
    stream = content.encode("cp1252", errors="replace")
    fonts = "".join(f"/F{place} << /Type /Font /Subtype /Type1 /BaseFont /Courier{style} /Encoding /WinAnsiEncoding >> "
                    for place, style in enumerate(("", "-Bold")))  # fmt: skip
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.2f} {height:.2f}] /Contents 4 0 R "
        f"/Resources << /Font << {fonts}>> >> >>".encode(),
        f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, inner in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + inner + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def _drawn(shape: re.Match[str]) -> Iterator[str]:
    """Write a shape in the language of PDF."""
    kind, facts = shape[1], dict(_ATTRIBUTE.findall(shape[2]))
    if kind == "text":
        yield _text(html.unescape(shape[3] or ""), facts)
        return
    fill, stroke = facts.get("fill", "black"), facts.get("stroke", "none")
    fill, stroke = (colour.replace("transparent", "none") for colour in (fill, stroke))
    if fill == stroke == "none":
        return
    dashes = facts.get("stroke-dasharray", "").replace(",", " ")
    yield f"[{dashes}] 0 d {facts.get('stroke-width', '1')} w "
    yield (f"{_colour(fill)} rg " if fill != "none" else "") + (f"{_colour(stroke)} RG " if stroke != "none" else "")
    numbers = [*map(float, _NUMBER.findall(facts.get("points") or facts.get("d", "")))]
    ends = [f"{x:.2f} {y:.2f}" for x, y in zip(numbers[::2], numbers[1::2], strict=False)]
    if kind == "path":
        yield f"{ends[0]} m "
        for place in range(1, len(ends) - 2, 3):
            yield " ".join(ends[place : place + 3]) + " c "
    else:
        yield f"{ends[0]} m " + "".join(f"{end} l " for end in ends[1:])
    yield {(True, True): "B", (True, False): "f", (False, True): "S"}[fill != "none", stroke != "none"] + "\n"


def _text(text: str, facts: dict[str, str]) -> str:
    """Write a text, which stands upright although the page is upside down."""
    letters = text.translate(_SIMPLER)  # Courier has those of cp1252
    has = {letter for letter in letters if letter.isprintable() and letter.encode("cp1252", "ignore")}
    written = "".join(letter if letter in has else f"U+{ord(letter):04X}" for letter in letters)
    size, x, y = (float(facts.get(name, "0")) for name in ("font-size", "x", "y"))
    # As wide as the text was measured.
    squeezed = 100.0 * min(1.0, max(len(text), 1) / max(len(written), 1))
    x -= _WIDE * size * len(text) / 2.0 if facts.get("text-anchor") == "middle" else 0.0
    literal = re.sub(r"([\\()])", r"\\\1", written)
    font = "F1" if "font-weight" in facts else "F0"
    return (f"{_colour(facts.get('fill', 'black'))} rg BT /{font} {size:.2f} Tf {squeezed:.0f} Tz "
            f"1 0 0 -1 {x:.2f} {y:.2f} Tm ({literal}) Tj ET\n")  # fmt: skip


def _colour(name: str) -> str:
    """Write a colour as three numbers from 0 to 1."""
    return _NAMED.get(name) or " ".join(f"{int(name[place : place + 2], 16) / 255:.3f}" for place in (1, 3, 5))
