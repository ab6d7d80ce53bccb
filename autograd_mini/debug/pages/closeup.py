"""Close-ups for slides: a box with its operands and the nodes that use it, in letters that a class can read.

A picture of many boxes is too large for such letters, so a map of it stands beside the close-up. Not here: the texts in
the boxes (`frames`). Read next: `debug.pages.frames`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from autograd_mini.debug.pages.scenes import Track
from autograd_mini.debug.pages.stage import Stage
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.errors import counted

READABLE = 1.2  # pixels per point on a slide of 1280 × 720: the smallest letters have 18 pixels on one of 1920 × 1080
_LARGE, _LARGEST, _LARGEST_MAP = 1.6, 2.4, 0.6  # beyond letters of 24 pixels, a larger map is better
_BESIDE, _BELOW = (260.0, 24.0), (84.0, 40.0)  # pixels: the width of a map beside, the height of one below; and around
_MOST = (6, 3), (4, 2), (3, 1), (6, 0), (3, 0), (2, 0)  # operands, of which a formula has at most six, and users
_MARGINS = 6.0  # points of a picture, beside which there is nothing

Size = tuple[float, float]


class Plan(NamedTuple):
    """How the room for a picture is divided: pixels per point, and pixels."""

    scale: float
    most: tuple[int, int]  # operands and users in a close-up
    near: Size
    map: Stage
    small: float  # the scale of the map
    is_below: bool


class Closeups:
    """The close-ups of a picture.

    Args:
        trace: the trace.
        boxes: the boxes of the picture.
        tracks: what is written in them.
        maps: the picture, in several layouts.
    """

    def __init__(
        self, trace: Trace, boxes: Boxes, tracks: Mapping[Box, Sequence[Track]], maps: Sequence[Stage]
    ) -> None:
        self.trace, self.boxes, self.tracks, self.maps = trace, boxes, tracks, maps
        self.operands = {box: [tail for tail, head in boxes.arrows if head is box] for box in boxes.boxes}
        self.users = {box: [head for tail, head in boxes.arrows if tail is box] for box in boxes.boxes}
        self._stages: dict[tuple[Box, ...], Stage] = {}
        self._plans: dict[Size, Plan | None] = {}

    def stage(self, box: Box, to: Box | None, most: tuple[int, int]) -> Stage:
        """Return the picture of a box with so many operands, `to` among them, and users."""
        operands, users = self.operands[box], self.users[box]
        first = operands.index(to) // most[0] * most[0] if to in operands else 0
        near = dict.fromkeys([*operands[first : first + most[0]], box, *users[: most[1]]])
        shown = tuple(near)
        if shown not in self._stages:
            away = Box(box.place, around=True)
            inside = defaultdict(lambda: away, {node: one for one in shown for node in one.nodes})
            arrows = {ends: uses for ends, uses in self.boxes.arrows.items() if box in ends and near.keys() >= {*ends}}
            some = replace(self.boxes, boxes=[*shown], arrows=arrows, box=inside)
            self._stages[shown] = Stage(self.trace, some, self.tracks, "LR", has_counts=False)
        return self._stages[shown]

    def left_out(self, box: Box, stage: Stage) -> str:
        """Return how many operands and uses of a box its close-up does not show; "" if it shows all."""
        told = []
        for others, what in ((self.operands[box], "more operand"), (self.users[box], "more use")):
            count = sum(other not in stage.ids for other in others)
            told += [counted(count, what)] * (count > 0)
        return ", ".join(told)

    def is_complete(self, room: Size) -> bool:
        """Return whether all operands can be read in a room."""
        plan = self.plan(room)
        return plan is not None and plan.most[0] >= max(map(len, self.operands.values()))

    def plan(self, room: Size) -> Plan | None:
        """Return how to divide a room; None if not even a few operands can be read there."""
        if room not in self._plans:
            plans = (max(self._divided(room, most), key=_better, default=None) for most in _MOST)
            self._plans[room] = next(filter(None, plans), None)
        return self._plans[room]

    def _divided(self, room: Size, most: tuple[int, int]) -> Iterator[Plan]:
        """Yield the ways to divide a room between a close-up that can be read and a map."""
        wide, high = room
        beside = (wide - sum(_BESIDE), high), (_BESIDE[0], high)
        below = (wide, high - sum(_BELOW)), (wide, _BELOW[0])
        for near, aside in (beside, below):
            large = _LARGEST
            for moment in self._moments:
                large = min(large, scale(self._size(*moment, most), near))
                if large < READABLE:
                    break
            else:
                for map in self.maps:
                    small = min(_LARGEST_MAP, scale(map.size, aside))
                    yield Plan(large, most, near, map, small, aside[0] == wide)

    def _size(self, box: Box, to: Box | None, most: tuple[int, int]) -> Size:
        wide, high = self.stage(box, to, most).size
        return wide - _MARGINS, high - _MARGINS

    @cached_property
    def _moments(self) -> list[tuple[Box, Box | None]]:
        """The boxes in close-ups, with what they hand on to; a leaf, if it is the only one."""
        leaves = [(box, None) for box, operands in self.operands.items() if not operands]
        return [*leaves[: len(leaves) == 1], *((head, tail) for tail, head in self.boxes.arrows)]


def scale(size: Size, room: Size) -> float:
    """Return the pixels per point of a picture that fills a room."""
    return min(room[0] / size[0], room[1] / size[1])


def _better(plan: Plan) -> Size:
    alike = 0.5 if plan.map.across else 1.0  # arrows of close-ups point to the right
    return min(plan.scale, _LARGE), alike * plan.small
