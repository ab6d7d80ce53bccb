"""Placement: the direction of a picture, its rows, and the order of its boxes, from their sizes.

Not here: what boxes say (`picture`), and where exactly they stand, which `dot` decides. Read next: `drawing.picture`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.drawing.folds import Fold
from autograd_mini.drawing.layered import size
from autograd_mini.drawing.titles import by_lists
from autograd_mini.engine import is_node
from autograd_mini.notation.names import Names

_PAGE = 3.0  # to one are the proportions of a page
_COLUMN = 830.0  # points: a picture as wide is readable in the column of a page, which shrinks it to three quarters
_ARROW, _APART, _MARGIN = 75.0, 15.0, 40.0  # points between two ranks, between two boxes of a rank, and around a row
_FEW = 6  # results in a list, in a frame, where dot would permute them
_MOST_ASKED = 200  # boxes, before two of them are left in any order
_SIDES = {"LR": ("w", "e"), "RL": ("e", "w"), "TB": ("n", "s"), "BT": ("s", "n")}


class Placement:
    """How the boxes of a picture stand, given their labels; without a direction, the shape decides."""

    def __init__(
        self, boxes: Boxes, labels: Mapping[Box, str], folds: Mapping[Box, Fold], names: Names, direction: str | None
    ) -> None:
        self.boxes, self.folds, self.names = boxes, folds, names
        heads: dict[Box, list[int]] = {}
        for tail, head in boxes.arrows:
            heads.setdefault(tail, []).append(boxes.levels[head])
        levels = boxes.levels.items()
        # How far from the beginning each box stands.
        self.ranks = {box: level if box.computes else min(heads.get(box, [1])) - 1 for box, level in levels}
        # Boxes side by side, which are one node for dot, because it would permute neurons.
        self.rows = {f"c{number}": row for number, row in enumerate(self._rows())}
        self.row = {box: name for name, row in self.rows.items() for box in row}
        sizes = {box: size(text) for box, text in labels.items()}
        fitting, widths = self._fitting(sizes)
        self.direction = direction or fitting  # where the arrows point
        self.enter, self.leave = _SIDES[self.direction]  # the sides of a box at which arrows end and start
        self.across = self.direction in ("TB", "BT")
        self.width = widths[self.across]  # about, in points
        self.columns: dict[str, int] = {}  # of rows that would be wider than a page, and are wrapped
        broad: Counter[int] = Counter()  # the widths of ranks
        for box, rank in self.ranks.items() if self.across else ():
            broad[rank] += math.ceil(sizes[box][0] + 5.0)
        for name, row in self.rows.items():
            lines = math.ceil(broad[self.ranks[row[0]]] / (_COLUMN - _MARGIN))
            if lines > 1:
                self.columns[name] = math.ceil(len(row) / lines)
        open_rows = self.rows.keys() - self.columns.keys()
        # Whether arrows go from row to row.
        self.fans = any(open_rows.issuperset(self.rows_of(ends)) and ends[0].part for ends in boxes.arrows)

    def rows_of(self, ends: tuple[Box, Box]) -> tuple[str, str]:
        """Return the rows that an arrow leads from and to; "" for none."""
        return self.row.get(ends[0], ""), self.row.get(ends[1], "")

    def _rows(self) -> Iterator[list[Box]]:
        """Yield boxes that stand side by side, in order: numbered scopes, such as neurons; leaves used alike; lists."""
        rows: dict[object, list[Box]] = {}
        for box in self.boxes.boxes:
            if box.row:
                rows.setdefault(box.row, []).append(box)
            elif box.part is not None and not box.around and box not in self.folds:
                rows.setdefault((box.place, _shape(box.part.name), self.boxes.levels[box]), []).append(box)
            elif box.alone is not None and box.alone.op and box.place.depth:
                name = self._name(box)
                if (shape := _shape(name)) != name:
                    rows.setdefault((box.place, shape, self.ranks[box]), []).append(box)
        found = [row for row in rows.values() if row[0].part or row[0].row or len(row) <= _FEW]
        return (by_lists(row, self._name) for row in found if len(row) > 1)

    def _name(self, box: Box) -> str:
        return box.part.name if box.part is not None else self.names.name(box.nodes[0])

    def _fitting(self, sizes: Mapping[Box, tuple[float, float]]) -> tuple[str, tuple[float, float]]:
        """Return the direction in which the picture fits a page better, tall for chains and time; both widths."""
        ranks: dict[int, list[Box]] = {}
        for box, rank in self.ranks.items():
            ranks.setdefault(rank, []).append(box)
        wide, long, high, tall = 0.0, 0.0, 0.0, 0.0  # from left to right, and from top to bottom
        for boxes in ranks.values():
            widths, heights = zip(*map(sizes.__getitem__, boxes), strict=True)
            wide, high = wide + max(widths) + _ARROW, max(high, sum(heights) + _APART * len(boxes))
            broad, tall = sum(widths) + _APART * len(boxes), tall + max(heights) + _ARROW
            long = max(long, min(broad, _COLUMN) if all(box in self.row for box in boxes) else broad)
        in_time = any(part.is_step for box in self.boxes.boxes for part in (box.place, box.part) if part is not None)
        fits = wide - _ARROW <= max(_COLUMN, long) and wide / (high + 90.0) <= max(_PAGE, long / tall)
        return "LR" if fits and not in_time else "TB", (wide, long)  # a tall page scrolls

    def in_order(self) -> Iterator[tuple[Box, Box]]:
        """Yield boxes side by side that must stand in this order: dot permutes them, and forgets `ordering` in scopes.

        They are what only one box uses, by its operands, and elements of one list, by their indices. Operations are
        left alone where there are frames: dot permutes what is in a frame in spite of this, and arrows would cross.
        """
        framed = any(box.place.depth for box in self.boxes.boxes)
        wanted: list[list[Box]] = []
        lists: dict[object, list[Box]] = {}
        uses = Counter(tail for (tail, _), along in self.boxes.arrows.items() for _ in along)
        for box, rank in self.ranks.items():
            beside: dict[object, list[Box]] = {}
            for found in dict.fromkeys(self.boxes.box[x] for x in self._operands(box) if is_node(x)):
                here = len(self.boxes.arrows.get((found, box), ()))
                alone = here == uses[found] and (here == 1 or box in self.folds)
                if alone and self._is_free(found, framed):
                    beside.setdefault(self.ranks[found], []).append(found)
            wanted += beside.values()
            if self._is_free(box, framed) and (shape := _shape(self._name(box))) != self._name(box):
                lists.setdefault((shape, rank), []).append(box)
        wanted += [by_lists(found, self._name) for found in lists.values()]
        after: dict[Box, list[Box]] = {}
        for upper, lower in chain.from_iterable(map(pairwise, wanted)):
            waiting = [lower]
            for box in waiting:  # the loop appends to it
                if len(waiting) < _MOST_ASKED:
                    waiting += after.get(box, ())
            if upper not in waiting and len(waiting) < _MOST_ASKED and lower not in after.get(upper, ()):
                after.setdefault(upper, []).append(lower)
                yield upper, lower

    def _is_free(self, box: Box, framed: bool) -> bool:
        node = box.alone if box in self.ranks and box not in self.row and not box.place.depth else None
        return node is not None and not (framed and node.op)

    def _operands(self, box: Box) -> Sequence[Any]:
        if box in self.folds:
            return by_lists(self.folds[box].inputs, self.names.name)
        return box.alone.operands if box.alone is not None else ()


def _shape(name: str) -> str:
    """Return a name without its numbers."""
    return re.sub(r"\d+", "#", name)
