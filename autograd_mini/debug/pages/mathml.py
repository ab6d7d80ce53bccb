"""A step as a formula with its numbers, in words, and as a plot of its operation with the tangent.

A formula is MathML as nested lists, `[tag, *children]`, which a page builds element by element; numbers are written
both short and in full. A plot is SVG without style attributes, which the policy of a page forbids. Not here: the order
of steps (`journal`). Read next: `debug.pages.alive`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from autograd_mini.core.node import is_relu
from autograd_mini.core.row import ZERO, Interval
from autograd_mini.debug.pages.alive import position, told
from autograd_mini.debug.pages.listing import readable
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, SEED, Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.cells import escaped
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.spelling import Markup, parenthesised, spelling
from autograd_mini.notation.text import bracketed, elided
from autograd_mini.notation.text import number as short

_MOST_OPERANDS = 6
_LONGEST = 40  # characters of the operands' names, beyond which an operation goes by its own
_INDEXED = re.compile(r"([^\W\d_]+)_?(\d+)|(\w+)\[(\w+)\]")


def called(trace: Trace, node: Value) -> str:
    """Return the name of a node on a page."""
    return elided(readable(trace.label(node)).replace("\t", " "))


# -- in symbols --------------------------------------------------------------------------------------------------------


def row(*children: Any) -> Markup:
    """Put children in a row; a plain text is a sign or a word."""
    return ["mrow", *(["mo", child] if isinstance(child, str) else child for child in children)]


def still(piece: Markup) -> Markup:
    """Mark a piece that holds for the recorded numbers alone."""
    return ["still", piece]


def numeral(number: float) -> Markup:
    return ["mn", short(number), repr(number), *([] if (at := position(number)) is None else [at])]


def variable(trace: Trace, node: Value) -> Markup:
    """Return the name of a node; an index at its end, as in z0 or a[1], becomes a subscript."""
    name = called(trace, node)
    found = _INDEXED.fullmatch(name)
    if not found:
        return ["mi", bracketed(name)]
    letter, index = (found[1], found[2]) if found[1] else (found[3], found[4])
    return ["msub", ["mi", letter], ["mn" if index.isdecimal() else "mi", index]]


def derivative(of: Markup, by: Markup) -> Markup:
    return ["mfrac", row("∂", of), row("∂", by)]


def formula(trace: Trace, step: Step) -> list[Markup]:
    """Return a step in pieces, between which a line may break."""
    root, node = variable(trace, trace.root), variable(trace, step.node)
    if step.phase == FORWARD:
        return _computed(trace, step.node, node)
    if step.phase != BACKWARD:
        return [row(derivative(root, node)), row("=", numeral(step.total))]
    receiver, upstream, local, contribution = _contribution(step)
    operand = variable(trace, receiver)
    pieces = [
        row(derivative(root, operand), "+="),
        row(derivative(root, node)),
        row("·", derivative(node, operand)),
        row("=", numeral(upstream)),
        row("×", parenthesised(numeral(local))),
        row("=", numeral(contribution)),
    ]
    before, total = trace.grad(receiver, step.index - 1), ["mtext", "total"]
    if before is None:
        return [*pieces, row(total, numeral(step.total))]
    sum_ = [row(total, numeral(before)), row("+", parenthesised(numeral(contribution)))]
    return [*pieces, *sum_, row("=", numeral(step.total))]


def asked(trace: Trace, step: Step) -> list[Markup]:
    """Return the formula of a contribution without its numbers."""
    return [*formula(trace, step)[:3], row("=", ["mtext", "?"])]


def _contribution(step: Step) -> tuple[Value, float, float, float]:
    """Return the receiver of a step, and the numbers of its contribution."""
    assert step.operand is not None  # a contribution has all of them
    assert step.upstream is not None
    assert step.local is not None
    assert step.contribution is not None
    return step.operand, step.upstream, step.local, step.contribution


def rules(trace: Trace, step: Step) -> list[tuple[Value, int]]:
    """Return which local derivatives a step is about: that of a contribution, or the first of a computed node."""
    turn = trace.journal.turn_of(step.node)
    if step.phase == FORWARD:
        return [(step.node, place) for place in range(len(turn[:_MOST_OPERANDS]))]
    return [(step.node, step.index - turn[0])] if step.phase == BACKWARD else []


def local(trace: Trace, node: Value, place: int) -> list[Markup]:
    """Return a local derivative of a node as a formula, in pieces: the rule in symbols, in numbers, and the result."""
    operand, _, slope, _ = _contribution(trace[trace.journal.turn_of(node)[place]])
    result, by = row("=", numeral(slope)), variable(trace, operand)
    rule = trace.rules(node)[place]
    if rule is None:
        return [row(derivative(variable(trace, node), by)), result]
    spelled = spelling(node)
    names = [variable(trace, x) if is_node(x) else numeral(x) for x in spelled.operands]
    operation = row(*spelled.mathml(names, _MOST_OPERANDS))
    if sum(len(called(trace, x)) for x in spelled.operands[:_MOST_OPERANDS] if is_node(x)) > _LONGEST:
        operation = variable(trace, node)
    elif spelled.form in ("infix", "prefix", "power", "fraction", "products", "choice"):
        operation = row("(", operation, ")")
    if is_relu(node):
        return [row(derivative(operation, by)), result, still(row(["mtext", "as"], by, ">", ["mn", "0"]))]
    symbols = rule.derivative.mathml(lambda x: variable(trace, x))
    numbers = rule.derivative.mathml(lambda x: numeral(trace.value(x)))
    pieces = [row("=", symbols)] * (symbols[0] != "mn") + [row("=", numbers)] * (numbers[0] != "mn")
    return [row(derivative(operation, by)), *pieces, result]


def _computed(trace: Trace, node: Value, name: Markup) -> list[Markup]:
    result = row("=", numeral(trace.value(node)))
    if node._row is None:
        return [row(name, *result[1:])]
    spelled = spelling(node)
    names = [variable(trace, x) if is_node(x) else numeral(float(x)) for x in spelled.operands]
    numbers = [numeral(trace.value(x) if is_node(x) else float(x)) for x in spelled.operands]
    symbols, digits = (spelled.mathml(operands, _MOST_OPERANDS) for operands in (names, numbers))
    return [row(name, "=", *symbols), row("=", *digits), result]


# -- in words ----------------------------------------------------------------------------------------------------------


def words(trace: Trace, step: Step) -> str:
    """Return a step in words, for screen readers and for readers who are new to the chain rule."""
    name, total = called(trace, step.node), told(step.total)
    if step.phase == FORWARD:
        if step.node.op is None:
            remark = trace.remark(step.node)
            return f"{name} is {total}, a number that is given{', ' * bool(remark)}{remark}."
        return f"{name} is computed: {total}."
    if step.phase == SEED:
        return f"Backward begins at {name}: its derivative by itself is {total}."
    if step.phase != BACKWARD:
        return f"What if the gradient of {name} were {total}?"
    receiver, upstream, local, contribution = _contribution(step)
    operand, before = called(trace, receiver), trace.grad(receiver, step.index - 1)
    product = f"{told(upstream)} × {told(local, guard=True)}"
    passed = f"{name} hands {told(contribution)} on to {operand}: {product}."
    if before is None:
        more = trace.journal.arrivals(receiver)[-1] > step.index
        return f"{passed} That is the gradient of {operand}{' so far' if more else ''}."
    return f"{passed} Added to {told(before)}, the gradient of {operand} is {total} now."


_WIDE, _HIGH = 240, 150
_POINTS = 48  # on each side of the operand
_NEAR = 2.5  # how far around the operand the plot reaches, at least
_MOST_PLOTTED = 64
_FAR = 1e6  # operands beyond are not plotted: the curve would be a point

Curve = Callable[[float], float]


def plot(trace: Trace, node: Value, place: int, key: str) -> str:
    """Return the plot of an operation by the operand of one of its contributions; "" if it has none."""
    operation, edge = node._row, [i for i, partial in enumerate(node.partials) if partial is not ZERO]
    if operation is None or len(node.operands) > _MOST_PLOTTED or place >= len(edge):
        return ""
    by = edge[place]
    at = [trace.value(x) if is_node(x) else x for x in node.operands]

    def curve(x: float) -> float:
        return operation.function(*at[:by], x, *at[by + 1 :])

    inside = operation.inside if len(at) == 1 else (-math.inf, math.inf)
    return tangent(curve, at[by], trace.value(node), float(node.partials[by]), operation.name, key, inside)


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
    said = f"{escaped(name)} at {short(x)}: {short(y)}, slope {short(slope)}"
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
    return short(x).replace("-", "−")


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
