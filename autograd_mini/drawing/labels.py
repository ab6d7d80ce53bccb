"""Labels stand on their arrows, and arrows pass around boxes: with straight lines, dot programs do neither.

Not here: what they say (`picture`). Read next: `drawing.page`.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from itertools import pairwise

_NEAR = 14.0  # points between a label and its arrow
_WIDE = 0.602  # of the size of a letter
_EDGE = re.compile(r'<g id="[^"]*" class="edge">.*?</g>', re.DOTALL)
_FRAME = re.compile(r'<g id="[^"]*" class="cluster">.*?</g>', re.DOTALL)
_TEXT = re.compile(r'(<text [^>]*?) x="(-?[\d.]+)" y="(-?[\d.]+)"([^>]*font-size="([\d.]+)"[^>]*)>([^<]*)</text>')
_PATH = re.compile(r'<path [^>]*? d="([^"]*)"')
_BACKGROUND = re.compile(r'<polygon fill="white" stroke="[^"]*" points="([^"]*)"')
_CELL = re.compile(r'<polygon fill="#\w+" stroke="none" points="([^"]*)"')

_LINE = re.compile(
    r'(<polygon fill="(?:none|#\w+" stroke="none)"[^>]* points="([^"]*)"/>\n)'
    r'((?:<text [^>]*"start"[^>]*>[^<]*</text>\n)+)'
)
_START = re.compile(r' x="-?[\d.]+"')

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


def on_arrows(svg: str) -> str:
    """Return a picture whose labels stand on their arrows, outside boxes and beside one another, and texts in cells."""
    svg = _LINE.sub(_centred, svg)
    boxes = [_bounds(points) for points in _CELL.findall(svg)]
    taken: list[Rectangle] = []

    def moved(match: re.Match[str]) -> str:
        group = _PATH.sub(lambda path: path[0].replace(path[1], _around_boxes(path[1], boxes)), match[0])
        path, texts = _PATH.search(group), [*_TEXT.finditer(group)]
        if path is None or not texts:
            return group
        points = [*_along(path[1])]
        lines = [_rectangle(text) for text in texts]
        now = _union(lines)
        is_free = not any(_overlap(now, other) for other in boxes + taken)
        if not is_free or _distance(now, points) > _NEAR:
            here = _place(now, points, boxes, taken)
            right, down = here[0] - now[0], here[1] - now[1]
            now = here
            group = _TEXT.sub(lambda text: _shifted(text, right, down), group)
        taken.append(now)
        return group

    svg = _EDGE.sub(moved, svg)
    taken += boxes
    arrows = [point for group in _EDGE.findall(svg) if (path := _PATH.search(group)) for point in _along(path[1])]
    background = _BACKGROUND.search(svg)
    page = _bounds(background[1]) if background else (-math.inf, -math.inf, math.inf, math.inf)
    return _FRAME.sub(lambda match: _named(match[0], arrows, taken, page), svg)


def _centred(line: re.Match[str]) -> str:
    """Return a cell whose text stands in its middle: dot takes a letter beyond ASCII for several."""
    left, _, right, _ = _bounds(line[2])
    texts = [*_TEXT.finditer(line[3])]
    widths = [b - a for a, _, b, _ in map(_rectangle, texts)]
    x, moved = (left + right - sum(widths)) / 2.0, line[1]
    for text, width in zip(texts, widths, strict=True):
        moved += _START.sub(f' x="{x:.2f}"', text[0]) + "\n"
        x += width
    return moved


def _named(frame: str, arrows: list[Point], taken: list[Rectangle], page: Rectangle) -> str:
    """Return a frame whose name stands where no arrow passes: at its upper edge, above it, inside, or beside it."""
    text, outline = _TEXT.search(frame), _PATH.search(frame)
    if text is None or outline is None:
        return frame
    now, (left, top, right, bottom) = _rectangle(text), _bounds(outline[1])
    width, height = now[2] - now[0], now[3] - now[1]
    around = (left - width - 12.0, top - 24.0, right + width + 12.0, bottom + 4.0)
    near = [place for place in (*taken, *[(x, y, x, y) for x, y in arrows]) if _overlap(place, around)]
    columns = [now[0], *_steps(left + 8.0, right - width - 8.0)]
    lines = [now[1], top - height - 2.0, *reversed(_steps(top + 4.0, bottom - height - 4.0))]
    places = [(x, y) for y in lines for x in columns]
    places += [(x, y) for y in lines[2:] for x in (right + 4.0, left - width - 4.0)]
    for x, y in places:
        there = (x - 4.0, y - 1.0, x + width + 4.0, y + height + 1.0)
        outside = _union([there, page]) != page
        if not outside and not any(_overlap(there, other) for other in near):
            taken.append(there)
            return frame.replace(text[0], _shifted(text, x - now[0], y - now[1]))
    return frame


def _steps(start: float, end: float) -> list[float]:
    """Return numbers from start to end, a few points apart."""
    return [start + 6.0 * step for step in range(max(0, int((end - start) / 6.0) + 1))]


def _shifted(text: re.Match[str], right: float, down: float) -> str:
    return f'{text[1]} x="{float(text[2]) + right:.2f}" y="{float(text[3]) + down:.2f}"{text[4]}>{text[6]}</text>'


def _around_boxes(path: str, boxes: list[Rectangle]) -> str:
    """Lead an arrow to the right that passes behind boxes below them."""
    joints = _ends(path)[::3]
    (x, y), (end, _) = joints[0], joints[-1]
    if len(joints) < 3 or end < x + max(50.0, abs(joints[-1][1] - y)):
        return path
    inside = [*_along(path)][2:-2]
    if not any(a + 3 < x < c - 3 and b + 3 < y < d - 3 for a, b, c, d in boxes for x, y in inside):
        return path
    between = [bottom for left, _, right, bottom in boxes if left < joints[-2][0] and right > x + 10.0]
    below = max(between, default=y) + 20.0
    corners = [(x + 10.0, y), (x + 10.0, below), (joints[-2][0], max(below, joints[-2][1])), joints[-1]]
    ends = pairwise([(x, y), *corners])
    curves = "".join(f"C{a:.2f},{b:.2f} {c:.2f},{d:.2f} {c:.2f},{d:.2f}" for (a, b), (c, d) in ends)
    return f"M{x:.2f},{y:.2f}{curves}"


def _ends(path: str) -> list[Point]:
    """Return the points that a path names."""
    numbers = [*map(float, re.findall(r"-?\d+\.?\d*", path))]
    return [*zip(numbers[::2], numbers[1::2], strict=False)]


def _place(label: Rectangle, points: list[Point], boxes: list[Rectangle], taken: list[Rectangle]) -> Rectangle:
    """Return the best place beside an arrow: free if possible, and near its middle."""
    width, height = label[2] - label[0], label[3] - label[1]
    left, top, right, bottom = _union([(x, y, x, y) for x, y in points])
    around = left - width - 3.0, top - height, right + width + 3.0, bottom + height
    others = [other for other in (*boxes, *boxes, *taken) if _overlap(other, around)]
    middle, best, least = len(points) / 2.0, label, math.inf
    for place, (x, y) in enumerate(points):
        beside = (x + 3.0, height / 2.0), (x - width - 3.0, height / 2.0), (x - width / 2.0, height)
        for left, above in beside:
            there = (left, y - above, left + width, y - above + height)
            crowded = sum(_overlap(there, other) for other in others)
            cost = 1000.0 * crowded + abs(place - middle)
            if cost < least:
                best, least = there, cost
    return best


def _along(path: str) -> Iterator[Point]:
    """Yield points along a path of Bézier curves."""
    ends = _ends(path)
    for start in range(0, len(ends) - 3, 3):
        curve = ends[start : start + 4]
        steps = max(4, int(math.dist(curve[0], curve[3]) / 8.0))
        for step in range(steps + 1):
            t = step / steps
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield (sum(w * x for w, (x, _) in zip(weights, curve, strict=True)),
                   sum(w * y for w, (_, y) in zip(weights, curve, strict=True)))  # fmt: skip


def _rectangle(text: re.Match[str]) -> Rectangle:
    size, x, y = float(text[5]), float(text[2]), float(text[3])
    width = _WIDE * size * len(html.unescape(text[6]))  # with the spaces around it
    left = x - width / 2.0 if 'text-anchor="middle"' in text[1] + text[4] else x
    return left, y - 0.75 * size, left + width, y + 0.25 * size


def _union(rectangles: list[Rectangle]) -> Rectangle:
    lefts, tops, rights, bottoms = zip(*rectangles, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _bounds(points: str) -> Rectangle:
    numbers = [*map(float, re.findall(r"-?\d+\.?\d*", points))]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _distance(label: Rectangle, points: list[Point]) -> float:
    """Return how far a label is from an arrow."""
    left, top, right, bottom = label
    return min(math.hypot(max(left - x, 0.0, x - right), max(top - y, 0.0, y - bottom)) for x, y in points)
