"""The picture of a graph for a page, whose boxes have room for every number that will appear in them.

Not here: the numbers (`scenes`), and the layout (`draw`). Read next: `debug.pages.shots`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.listing import readable
from autograd_mini.debug.pages.mathml import called
from autograd_mini.debug.pages.scenes import Track
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.drawing.cells import label, small
from autograd_mini.drawing.gradients import Gradients
from autograd_mini.drawing.parts import Part
from autograd_mini.drawing.picture import Picture
from autograd_mini.drawing.render import prefix, svg
from autograd_mini.drawing.style import BLANK
from autograd_mini.engine import Value, is_node


class Stage(Picture):
    """The picture of a trace, with placeholders as wide as the numbers in its tracks."""

    def __init__(
        self, trace: Trace, boxes: Boxes, tracks: Mapping[Box, Sequence[Track]], direction: str | None,
        has_counts: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(
            boxes, Gradients({}, "", topological_order(trace.root)), 4, trace.names, trace.journal.recorded
        )
        self.trace, self.tracks, self.has_counts = trace, tracks, has_counts
        dot = "digraph stage {\n" + "".join(self.lines(direction, legend=False, above=None)) + "}\n"
        self.prefix = prefix(dot, self.tooltips)
        self.svg = svg(dot, self.tooltips)
        found = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', self.svg)
        assert found is not None  # dot writes one
        self.size = float(found[1]), float(found[2])
        self._ways: dict[Value, list[str | None]] = {}
        self._along: dict[tuple[Value, Value], list[str]] = {}
        for key, uses in self.ways.items():
            for use in uses:
                self._along.setdefault(use, []).append(self.prefix + key)

    def id(self, box: Box) -> str:
        """Return the id of a box in the SVG."""
        return self.prefix + self.ids[box]

    def cells(self, box: Box, place: int) -> tuple[int, int]:
        """Return which texts of a box are the value and the gradient of a result, counted from the end."""
        count = len(self.tracks[box])
        if self.beside(box):  # a row of names, one of values, one of gradients
            return place - 2 * count, place - count
        last = (2 if count == 1 else 3) * (place - count + 1) - 1 - (box in self.noted)  # a name, a value, a gradient
        return last - 1, last

    def beside(self, box: Box) -> bool:
        """Return whether the results of a box stand side by side: names, then values, then gradients."""
        return self.across and len(self.tracks[box]) > 1

    def title(self, box: Box) -> str:
        """Return the name of a box."""
        return called(self.trace, box.alone) if box.alone is not None else readable("".join(self._title(box)))

    def ways_to(self, node: Value) -> list[str | None]:
        """Return the ids of the arrows along which a node hands on, one per contribution; None inside a box."""
        if node in self._ways:
            return self._ways[node]
        ways = self._ways[node] = []
        for way, partial in zip(self.every_way(node), node.partials, strict=True):
            if partial is not ZERO and way is not None:
                ways.append(way or None)
        return ways

    def every_way(self, node: Value) -> list[str | None]:
        """Return the id of the arrow from each operand; "" inside a box, None for an operand that is a constant."""
        left: dict[Value, list[str]] = {}
        ways: list[str | None] = []
        for operand in node.operands:
            keys = left.setdefault(operand, [*self._along.get((operand, node), ())]) if is_node(operand) else []
            ways.append((keys.pop(0) if keys else "") if is_node(operand) else None)
        return ways

    def _content(self, box: Box) -> str:
        return "" if box.computes and not self.has_counts else super()._content(box)

    def _called(self, node: Value) -> str:  # like the text beside the picture
        return called(self.trace, node) if self.names.name(node) or self.names.expression(node) else ""

    def _headed(self, box: Box) -> tuple[str, list[str], list[str]]:
        header, first, last = super()._headed(box)
        if (node := box.alone) is None:
            name, often = self._title(box)
            return header if box in self.folds else f"<B>{label(name) + often or ' '}</B>", first, last
        name, operation = called(self.trace, node), self._operation(node, self.precision) if node.op else ""
        whole = self.names.step_of(node)
        if not self._called(node):  # the text beside the picture uses its number
            header = f"{label(name)} {small(f'{operation} in {whole}' if whole else operation)}"
        return header, [*filter(None, (name, operation, self.names.expression(node) or whole))], []

    def _shown(self, box: Box, place: int, node: Value | None) -> tuple[str, tuple[str, str], list[str]]:
        widths = zip(self.tracks[box][place].widest, before_numbers(box), strict=True)
        value, gradient = ("0" * (width + len(before)) for width, before in widths)
        return value, (gradient, BLANK), []

    def _opens(self, key: str, part: Part, how: str = "focus") -> list[str]:
        super()._opens(key, part, how)  # for its scope
        return []


def before_numbers(box: Box) -> tuple[str, str]:
    """Return the labels before the value and the gradient in a box."""
    if box.alone is not None or (box.folded and box.results):
        return "", ""
    return "out " if any(node.op for node in box.nodes) else "", "max|g| "
