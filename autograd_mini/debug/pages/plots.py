"""A small plot of an operation by one operand: its curve, and the tangent whose slope is the local derivative.

It is SVG without style attributes, which the policy of a page forbids. Not here: formulas (`mathml`).
Read next: `debug.pages.folded`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from autograd_mini.core.row import ZERO, Interval
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.cells import escaped
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.text import number

_WIDE, _HIGH = 240, 150
_POINTS = 48  # on each side of the operand
_NEAR = 2.5  # how far around the operand the plot reaches, at least
_MOST_OPERANDS = 64
_FAR = 1e6  # operands beyond are not plotted: the curve would be a point

Curve = Callable[[float], float]


def plot(trace: Trace, node: Value, place: int, key: str) -> str:
    """Return the plot of an operation by the operand of one of its contributions; "" if it has none."""
    row, edge = node._row, [i for i, partial in enumerate(node.partials) if partial is not ZERO]
    if row is None or len(node.operands) > _MOST_OPERANDS or place >= len(edge):
        return ""
    by = edge[place]
    at = [trace.value(x) if is_node(x) else x for x in node.operands]

    def curve(x: float) -> float:
        return row.function(*at[:by], x, *at[by + 1 :])

    inside = row.inside if len(at) == 1 else (-math.inf, math.inf)
    return tangent(curve, at[by], trace.value(node), float(node.partials[by]), row.name, key, inside)


def tangent(
    curve: Curve, x: float, y: float, slope: float, name: str, key: str, inside: Interval = (-math.inf, math.inf)
) -> str:
    """Return the plot of a curve with its tangent at a point; "" if a number there is not finite, or does not fit."""
    if not all(map(math.isfinite, (x, y, slope))) or abs(x) > _FAR or abs(y) > _FAR or abs(slope) > _FAR:
        return ""
    reach = _NEAR if abs(x) <= 2.0 * _NEAR else 0.5 * abs(x)
    left, right = max(x - reach, inside[0]), min(x + reach, inside[1])
    points = [(p, q) for p, q in _sampled(curve, left, right, x) if math.isfinite(q)]
    if len(points) < _POINTS // 2 or not _fits(curve, x, y):
        return ""
    low, high = _range([q for _, q in points], y)

    def place(p: float, q: float) -> str:
        across, up = (p - left) / (right - left), (q - low) / (high - low)
        return f"{_WIDE * across:.1f},{min(max(_HIGH * (1.0 - up), -_HIGH), 2 * _HIGH):.1f}"

    if all(abs(q - y - slope * (p - x)) < 1e-9 * (high - low) for p, q in points):
        points = [points[0], points[-1]]  # a straight line
    parts: list[str] = []
    before = -math.inf
    for p, q in points:
        gap = len(points) > 2 and p - before > 3.0 * (right - left) / (2 * _POINTS)
        parts.append(("M" if gap or not parts else "L") + place(p, q))
        before = p
    half = _half(slope, right - left, high - low)
    ends = [place(x - half, y - slope * half), place(x + half, y + slope * half)]
    axes = [f"M{place(left, 0.0)}L{place(right, 0.0)}"] * (low < 0.0 < high)
    axes += [f"M{place(0.0, low)}L{place(0.0, high)}"] * (left < 0.0 < right)
    spot = place(x, y).split(",")
    said = f"{escaped(name)} at {number(x)}: {number(y)}, slope {number(slope)}"
    # The words stand where the tangent leaves room: it rises or falls.
    top, bottom = ("start", 6), ("end", _WIDE - 6)
    (first, first_x), (last, last_x) = (top, bottom) if slope >= 0.0 else (bottom, top)
    return (
        f'<svg id="{key}" class="plot" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{said}">'
        + f'<path class="axis" d="{"".join(axes)}"/>' * bool(axes)
        + f'<path class="curve" d="{"".join(parts)}"/><path class="tangent" d="M{ends[0]}L{ends[1]}"/>'
        f'<circle class="spot" cx="{spot[0]}" cy="{spot[1]}" r="4"/>'
        f'<text x="{first_x}" y="15" text-anchor="{first}">slope {_signed(slope)}</text>'
        f'<text x="{last_x}" y="{_HIGH - 7}" text-anchor="{last}">{escaped(name)} at {_signed(x)}</text></svg>'
    )


def _signed(x: float) -> str:
    return number(x).replace("-", "−")


def _sampled(curve: Curve, left: float, right: float, x: float) -> list[tuple[float, float]]:
    """Return points of a curve, the one at x among them; nan where it cannot be computed."""
    places = [left + (right - left) * i / (2 * _POINTS) for i in range(2 * _POINTS + 1)]
    points = []
    for p in sorted({*places, x}):
        try:
            points.append((p, float(curve(p))))
        except Exception:  # a user's operation may do anything
            points.append((p, math.nan))
    return points


def _fits(curve: Curve, x: float, y: float) -> bool:
    """Return whether the curve passes through the recorded point: a user's operation may have changed."""
    found = float(curve(x))
    return found == y or abs(found - y) <= 1e-6 * max(abs(y), 1e-300)


def _range(ys: list[float], y: float) -> tuple[float, float]:
    """Return the lowest and the highest number to show: near a pole, not all."""
    ys = sorted(ys)
    low, high = ys[len(ys) // 12], ys[-1 - len(ys) // 12]
    margin = 0.35 * (high - low) or 0.5 * abs(y) or 1.0
    low, high = max(ys[0], low - margin), min(ys[-1], high + margin)
    low, high = min(low, y), max(high, y)
    margin = 0.12 * (high - low) or margin
    return low - margin, high + margin


def _half(slope: float, wide: float, high: float) -> float:
    """Return how far the tangent reaches on each side, so that it is equally long whatever its slope."""
    return 0.32 * wide / math.hypot(1.0, slope * wide / high * _HIGH / _WIDE)
