"""The picture of a graph for a page, whose boxes have room for every number that will appear in them.

Not here: the numbers (`scenes`), and the layout (`draw`). Read next: `debug.pages.listing`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.listing import readable
from autograd_mini.debug.pages.mathml import called
from autograd_mini.debug.pages.scenes import Track
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.drawing.cells import escaped, label, small, table
from autograd_mini.drawing.gradients import Gradients
from autograd_mini.drawing.picture import Picture, tint
from autograd_mini.drawing.render import prefix, svg
from autograd_mini.engine import Value, is_node


class Stage(Picture):
    """The picture of a trace, with placeholders as wide as the numbers in its tracks."""

    def __init__(self, trace: Trace, boxes: Boxes, tracks: Mapping[Box, Track]) -> None:
        super().__init__(
            boxes, Gradients({}, "", topological_order(trace.root)), 4, trace.names, trace.journal.recorded
        )
        self.trace, self.tracks = trace, tracks
        dot = "digraph stage {\n" + "".join(self.lines("LR", legend=False, title=None)) + "}\n"
        self.prefix = prefix(dot, self.tooltips)
        self.svg = svg(dot, self.tooltips)
        self._ways: dict[Value, list[str | None]] = {}
        self._along: dict[tuple[Value, Value], list[str]] = {}
        for key, uses in self.ways.items():
            for use in uses:
                self._along.setdefault(use, []).append(self.prefix + key)

    def id(self, box: Box) -> str:
        """Return the id of a box in the SVG."""
        return self.prefix + self.ids[box]

    def title(self, box: Box) -> str:
        """Return the name of a box."""
        return called(self.trace, box.alone) if box.alone is not None else readable("".join(self._title(box)))

    def ways_to(self, node: Value) -> list[str | None]:
        """Return the ids of the arrows along which a node hands on, one per contribution; None inside a box."""
        if node in self._ways:
            return self._ways[node]
        left: dict[Value, list[str]] = {}
        ways = self._ways[node] = []
        for operand, partial in zip(node.operands, node.partials, strict=True):
            if is_node(operand):
                keys = left.setdefault(operand, [*self._along.get((operand, node), ())])
                way = keys.pop(0) if keys else None
                if partial is not ZERO:
                    ways.append(way)
        return ways

    def _called(self, node: Value) -> str:  # like the text beside the picture
        return called(self.trace, node) if self.names.name(node) or self.names.expression(node) else ""

    def _box(self, box: Box, node: Value) -> str:
        name, operation = called(self.trace, node), self._operation(node, self.precision) if node.op else ""
        whole = self.names.step_of(node)
        source = self.names.expression(node) or whole
        self.tooltips[self.ids[box]] = "\n".join(map(escaped, filter(None, (name, operation, source))))
        header = self._header(node)
        if not self._called(node):  # the text beside the picture uses its number
            header = f"{label(name)} {small(f'{operation} in {whole}' if whole else operation)}"
        return self._cells(box, header)

    def _group(self, box: Box) -> str:
        super()._group(box)  # for its tooltip and its scope
        title, *facts = self.tooltips[self.ids[box]].split("\n")
        self.tooltips[self.ids[box]] = "\n".join([title, *(fact for fact in facts if not _CHANGING.match(fact))])
        name, often = self._title(box)
        return self._cells(box, f"<B>{label(name) + often or ' '}</B>")

    def _cells(self, box: Box, header: str) -> str:
        widths = zip(self.tracks[box].widest, before_numbers(box), strict=True)
        return table(header, tint(box), *[("0" * (width + len(before)), "white") for width, before in widths])


_CHANGING = re.compile(r"([\d,]+ )?outputs? |largest gradient |open it: ")


def before_numbers(box: Box) -> tuple[str, str]:
    """Return the labels before the value and the gradient in a box."""
    if box.alone is not None:
        return "", ""
    return "out " if any(node.op for node in box.nodes) else "", "max|g| "
