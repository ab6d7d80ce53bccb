"""A layout of our own, used only if no `dot` program is found or fast enough: layers of boxes, curves between them.

It reads the DOT text of `picture`, and writes SVG with the same ids. The picture says that it was laid out this way,
because `dot` leads arrows around boxes: of twenty graphs, 43 arrows pass behind a box here, and none there.
Not here: any other DOT text. Read next: `drawing.render`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from autograd_mini.drawing import style

REMARK = "Laid out without Graphviz: pip install graphviz-pure gives a better picture."
_GAP, _BETWEEN, _MARGIN, _WIDE = 46.0, 16.0, 12.0, 0.602
_NODE = re.compile(r"(\w+) \[id=\w+ label=<(.*)>\]\n")
_EDGE = re.compile(r"(\w+)(?::(\w+))?\S* -> (\w+)(?::(\w+))?\S* \[id=(\w+)(.*)\]\n")
_FRAME = re.compile(r'graph \[id=(\w+) label=<(.*)> style="rounded,filled"\]\n')


_Place = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(eq=False, slots=True)
class _Cell:
    """A cell of a table: a text, or a table inside."""

    width: float
    height: float
    text: str = ""
    fill: str = ""
    size: float = float(style.TEXT)
    rows: list[list[_Cell]] = field(default_factory=list)
    key: str = ""  # the id of a box in a row
    spacing: float = 0.0
    bordered: bool = True


@dataclass(eq=False, slots=True)
class _Box:
    key: str
    cell: _Cell
    level: int = 0
    along: float = 0.0  # the centre, in the direction of the arrows and across
    across: float = 0.0
    near: list[_Box] = field(default_factory=list)


def layered(dot: str, remark: str = REMARK) -> bytes:
    """Return the SVG of a picture in the DOT language, with a remark on how it was laid out."""
    return _Layout(dot).svg(remark).encode()


class _Layout:
    """Boxes in layers."""

    def __init__(self, dot: str) -> None:
        self.down = "rankdir=TB" in dot or "rankdir=BT" in dot
        self.boxes: dict[str, _Box] = {}
        self.edges: list[tuple[str, str, str, str]] = []
        self.ports: dict[str, tuple[str, str]] = {}  # the boxes in rows at the ends of an arrow
        self.frames: dict[str, tuple[str, list[_Box]]] = {}
        self.head: _Cell | None = None
        opened: list[str] = []
        for line in dot.splitlines(keepends=True):
            if line.startswith("subgraph cluster_"):
                opened.append(line.removeprefix("subgraph cluster_").partition(" ")[0])
            elif line == "}\n" and opened:
                opened.pop()
            elif found := _FRAME.fullmatch(line):
                self.frames[found[1]] = html.unescape(found[2]), []
            elif line.startswith("graph [label=<"):
                self.head = _measured(ElementTree.fromstring(line[14:-3]))
            elif found := _NODE.fullmatch(line):
                box = self.boxes[found[1]] = _Box(found[1], _measured(ElementTree.fromstring(found[2])))
                for frame in opened:
                    self.frames[frame][1].append(box)
            elif found := _EDGE.fullmatch(line):
                self.edges.append((found[1], found[3], found[5], found[6]))
                self.ports[found[5]] = found[2] or "", found[4] or ""
        self._arrange()

    def _arrange(self) -> None:
        """Give each box a layer, an order in it that crosses few arrows, and a place."""
        index = {key: place for place, key in enumerate(self._in_order())}
        forward = [(self.boxes[a], self.boxes[b]) for a, b, _, _ in self.edges if index[a] < index[b]]
        for a, b in sorted(forward, key=lambda ends: index[ends[0].key]):
            b.level = max(b.level, a.level + 1)
        for box in reversed(self.boxes.values()):
            heads = [b.level for a, b in forward if a is box]
            if heads and not any(b is box for _, b in forward):
                box.level = min(heads) - 1
        for a, b in forward:
            a.near.append(b)
            b.near.append(a)
        layers: dict[int, list[_Box]] = {}
        for box in self.boxes.values():
            layers.setdefault(box.level, []).append(box)
        ordered = [layers[level] for level in sorted(layers)]
        for layer in ordered:
            self._pack(layer)
        for turn in range(8):
            for layer in ordered if turn % 2 else reversed(ordered):
                wanted = {x: sum(y.across for y in x.near) / len(x.near) if x.near else x.across for x in layer}
                layer.sort(key=wanted.__getitem__)
                for box in layer:
                    box.across = wanted[box]
                self._pack(layer)
        along = 0.0
        labels = max([0.0, *[_WIDE * style.SMALL * len(found[1]) for _, _, _, more in self.edges
                             if (found := re.search('label="([^"]*)"', more))]])  # fmt: skip
        for layer in ordered:
            deep = max(self._size(box)[0] for box in layer)
            for box in layer:
                box.along = along + deep / 2.0
            along += deep + _GAP + (0.0 if self.down else labels)

    def _in_order(self) -> list[str]:
        """Return the boxes so that arrows lead from earlier to later ones, except where there is a circle."""
        heads: dict[str, list[str]] = {key: [] for key in self.boxes}
        for tail, head, _, _ in self.edges:
            heads[tail].append(head)
        done: dict[str, None] = {}
        entered: set[str] = set()
        path = [*reversed(self.boxes)]
        while path:
            key = path[-1]
            waiting = [head for head in heads[key] if head not in entered] if key not in done else []
            entered.add(key)
            path += waiting
            if not waiting:
                done.setdefault(path.pop())
        return [*reversed(done)]

    def _size(self, box: _Box) -> tuple[float, float]:
        """Return the size along the arrows and across."""
        return (box.cell.height, box.cell.width) if self.down else (box.cell.width, box.cell.height)

    def _pack(self, layer: list[_Box]) -> None:
        """Keep the order and the places wanted, without overlaps."""
        centre = sum(box.across for box in layer) / len(layer)
        end = -1e9
        for box in layer:
            half = self._size(box)[1] / 2.0
            box.across = max(box.across, end + half)
            end = box.across + half + _BETWEEN
        shift = centre - sum(box.across for box in layer) / len(layer)
        for box in layer:
            box.across += shift

    # -- writing -------------------------------------------------------------------------------------------------------

    def svg(self, remark: str) -> str:
        """Return the picture."""
        top = (self.head.height + 12.0 if self.head else 0.0) + _MARGIN + 18.0
        left = _MARGIN + 12.0 - min(self._rectangle(box)[0] for box in self.boxes.values())
        high = top + 12.0 - min(self._rectangle(box)[1] for box in self.boxes.values())
        place = {box: self._rectangle(box, left, high) for box in self.boxes.values()}
        broad = self.head.width if self.head else 0.0
        width = max(*[right for _, _, right, _ in place.values()], broad, _WIDE * style.LEGEND * len(remark)) + 24.0
        height = max(r[3] for r in place.values()) + 36.0
        corners = f"0,0 0,{height:.1f} {width:.1f},{height:.1f} {width:.1f},0"
        body = [f'<polygon fill="white" stroke="none" points="{corners}"/>\n']
        if self.head:
            body += _drawn(self.head, _MARGIN, _MARGIN, {})
        foot = f'x="{_MARGIN}" y="{height - 8:.1f}"'
        body.append(f'<text {foot} font-size="{style.LEGEND}.00" fill="{style.QUIET}">{remark}</text>\n')
        for key, (name, inside) in self.frames.items():
            others = [corners for box, corners in place.items() if box not in inside]
            body += self._frame(key, name, [place[box] for box in inside], others)
        cells: dict[str, _Place] = {}
        drawn = [(box.key, "".join(_drawn(box.cell, *corner[:2], cells))) for box, corner in place.items()]
        for tail, head, arrow, more in self.edges:
            start, end = self.ports[arrow]
            ends = cells.get(start) or place[self.boxes[tail]], cells.get(end) or place[self.boxes[head]]
            body += self._arrow(*ends, arrow, more)
        body += [f'<g id="{key}" class="node">\n{lines}</g>\n' for key, lines in drawn]
        size = f'width="{width:.0f}pt" height="{height:.0f}pt" viewBox="0 0 {width:.2f} {height:.2f}"'
        graph = f'<g id="graph" class="graph">\n{"".join(body)}</g>'
        return f'<svg {size} xmlns="http://www.w3.org/2000/svg">\n{graph}\n</svg>\n'

    def _rectangle(self, box: _Box, left: float = 0.0, top: float = 0.0) -> _Place:
        x, y = (box.across, box.along) if self.down else (box.along, box.across)
        wide, high = box.cell.width / 2.0, box.cell.height / 2.0
        return x - wide + left, y - high + top, x + wide + left, y + high + top

    def _frame(self, key: str, name: str, inside: list[Any], others: list[Any]) -> Iterator[str]:
        """Draw a frame around the boxes of a scope, if no other box stands between them."""
        if inside:
            xs, ys, right, bottom = zip(*inside, strict=True)
            x, y, x2, y2 = min(xs) - 8.0, min(ys) - 20.0, max(right) + 8.0, max(bottom) + 8.0
            if not any(a < x2 and x < c and b < y2 and y < d for a, b, c, d in others):
                corners = f"{x:.1f},{y:.1f} {x2:.1f},{y:.1f} {x2:.1f},{y2:.1f} {x:.1f},{y2:.1f}"
                look = f'fill="{style.CLUSTER}" stroke="{style.CLUSTER_LINE}"'
                yield f'<g id="{key}" class="cluster">\n<polygon {look} points="{corners}"/>\n'
                yield f'<text x="{x + 6:.1f}" y="{y + 14:.1f}" font-size="{style.TEXT}.00" fill="{style.CLUSTER_INK}">'
                yield f"{html.escape(name)}</text>\n</g>\n"

    def _arrow(self, tail: tuple[float, ...], head: tuple[float, ...], key: str, more: str) -> Iterator[str]:
        """Draw an arrow from border to border."""
        start, end = (0, 2), (1, 3)  # of a rectangle, along the arrows and across
        along, across = (end, start) if self.down else (start, end)
        (a1, b1), (a2, b2) = ([(ends[i] + ends[j]) / 2.0 for i, j in (along, across)] for ends in (tail, head))
        forwards = a2 >= a1
        a1, a2 = (tail[along[1]], head[along[0]]) if forwards else (tail[along[0]], head[along[1]])
        tip, middle = a2 - 7.0 if forwards else a2 + 7.0, (a1 + a2) / 2.0
        curve = [(a1, b1), (middle, b1), (middle, b2), (tip, b2)]
        drawn = [*curve, (a2, b2), (tip, b2 - 2.5), (tip, b2 + 2.5)]
        places = [f"{y:.2f},{x:.2f}" if self.down else f"{x:.2f},{y:.2f}" for x, y in drawn]
        colour = (re.search(r' color="(#\w+)"', more) or ["", style.EDGE])[1]
        wide = (re.search(r"penwidth=([\d.]+)", more) or ["", "1"])[1]
        dashes = ' stroke-dasharray="5,2"' if "style=dashed" in more else ""
        yield f'<g id="{key}" class="edge">\n<path fill="none" stroke="{colour}" stroke-width="{wide}"{dashes} '
        yield f'd="M{places[0]}C{" ".join(places[1:4])}"/>\n'
        yield f'<polygon fill="{colour}" stroke="{colour}" points="{" ".join(places[4:])}"/>\n'
        label = re.search(r'label="([^"]*)"', more)
        for number, line in enumerate(re.split(r"\\l", label[1]) if label else ()):
            if line.strip():
                x, y = ((b1 + b2) / 2.0, middle) if self.down else (middle, (b1 + b2) / 2.0)
                y += 11.0 * number - 3.0
                place = f'text-anchor="middle" x="{x:.2f}" y="{y:.2f}"'
                yield f'<text {place} font-size="{style.SMALL}.00" fill="{style.EDGE_INK}">{line}</text>\n'
        yield "</g>\n"


def size(label: str) -> tuple[float, float]:
    """Return width and height of a box, given its label in the DOT language."""
    table = _measured(ElementTree.fromstring(label))
    return table.width, table.height


def _measured(element: ElementTree.Element) -> _Cell:
    """Return a table with the sizes of its cells."""
    table = element if element.tag == "TABLE" else next(element.iter("TABLE"))
    padding = float(table.get("CELLPADDING", "2"))
    spacing = float(table.get("CELLSPACING", "2"))
    rows = [[_cell(cell, padding, table.get("CELLBORDER") != "0") for cell in row] for row in table]
    for count in {len(row) for row in rows}:
        alike = [row for row in rows if len(row) == count]
        for place in range(count):
            wide = max(row[place].width for row in alike)
            for row in alike:
                row[place].width = wide
    width = max(sum(cell.width + spacing for cell in row) for row in rows) + spacing
    for row in rows:
        room = (width - spacing - sum(cell.width + spacing for cell in row)) / len(row)
        high = max(cell.height for cell in row)
        for cell in row:
            cell.width, cell.height = cell.width + room, high
    height = sum(row[0].height + spacing for row in rows) + spacing
    return _Cell(width, height, rows=rows, spacing=spacing, bordered=table.get("BORDER") == "1")


def _cell(cell: ElementTree.Element, padding: float, bordered: bool) -> _Cell:
    inner = cell.find("TABLE")
    if inner is not None:
        found = _measured(inner)
        found.key, found.bordered = cell.get("ID", ""), False
        return found
    size = min([float(font.get("POINT-SIZE", style.TEXT)) for font in cell.iter("FONT")] or [float(style.TEXT)])
    if "".join(cell.itertext()).strip() and cell.find("B") is not None and cell.find("FONT") is not None:
        size = float(style.TEXT)  # a bold name, and small letters beside it
    text = "".join(cell.itertext()).replace("\\\\", "\\")
    width = max(_WIDE * size * len(text) + 2.0 * padding + 2.0, float(cell.get("WIDTH", "0")))
    return _Cell(width, 1.2 * size + 2.0 * padding, text, cell.get("BGCOLOR", ""), size, bordered=bordered)


def _drawn(cell: _Cell, x: float, y: float, inside: dict[str, _Place]) -> Iterator[str]:
    """Draw a cell, or the cells of a table, and note where the boxes of a row stand."""
    right, bottom = x + cell.width, y + cell.height
    points = f"{x:.2f},{bottom:.2f} {x:.2f},{y:.2f} {right:.2f},{y:.2f} {right:.2f},{bottom:.2f}"
    if cell.key:
        inside[cell.key] = x, y, right, bottom
        yield f'<g id="{cell.key}" class="node">\n'
    if cell.fill:
        yield f'<polygon fill="{cell.fill}" stroke="none" points="{points}"/>\n'
    if cell.bordered:
        yield f'<polygon fill="none" stroke="{style.FRAME}" points="{points}"/>\n'
    if cell.text:
        middle, base = x + cell.width / 2.0, y + cell.height / 2.0 + 0.3 * cell.size
        yield f'<text text-anchor="middle" x="{middle:.2f}" y="{base:.2f}" font-size="{cell.size:.2f}">'
        yield f"{html.escape(cell.text)}</text>\n"
    down = y + cell.spacing
    for row in cell.rows:
        left = x + cell.spacing
        for inner in row:
            yield from _drawn(inner, left, down, inside)
            left += inner.width + cell.spacing
        down += row[0].height + cell.spacing
    if cell.key:
        yield "</g>\n"
