"""A picture as a PDF of one page: the SVG of a drawing, shape by shape, in Courier, which every reader has.

No program is needed. Letters that Courier lacks, such as Chinese ones, are written as their code points.
Not here: any other SVG. Read next: `drawing.page`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from autograd_mini.output.streams import BARS

_SHAPE = re.compile(r"<(polygon|path|polyline|text)\b([^>]*?)(?:/>|>([^<]*)</text>)")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NAMED = {"white": "#ffffff", "black": "#000000"}
_WIDE = 0.6  # of the size of a letter in Courier
_SIMPLER = str.maketrans(
    {"−": "-", "□": "[]", "∂": "d", "≤": "<=", "≥": ">=", "↵": "\xb6", "Σ": "sum", "δ": "delta", "σ": "sigma",
     "μ": "\xb5", "ρ": "rho", "φ": "phi", "Φ": "Phi", "π": "pi", "√": "sqrt",
     **BARS}
)  # fmt: skip
_BOLD = "font-weight"


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
    font = "F1" if _BOLD in facts else "F0"
    return (f"{_colour(facts.get('fill', 'black'))} rg BT /{font} {size:.2f} Tf {squeezed:.0f} Tz "
            f"1 0 0 -1 {x:.2f} {y:.2f} Tm ({literal}) Tj ET\n")  # fmt: skip


def _colour(name: str) -> str:
    """Write a colour as three numbers from 0 to 1."""
    code = _NAMED.get(name, name)
    return " ".join(f"{int(code[place : place + 2], 16) / 255:.3f}" for place in (1, 3, 5))
