"""The pictures of a page: each knows where every node is, so that one list of steps serves all.

Not here: the layout (`stage`), and which steps there are (`scenes`). Read next: `debug.pages.listing`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd_mini.debug.pages.scenes import Scenes, Track
from autograd_mini.debug.pages.stage import Stage, before_numbers
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.engine import Value

Shown = Callable[[Track], dict[str, Any]]


class Shot:
    """A picture of a trace.

    Args:
        key: how the address of the page names it; "" for the first.
        title: what the reader chooses it by.
        trace: the trace.
        boxes: its boxes.
    """

    def __init__(self, key: str, title: str, trace: Trace, boxes: Boxes) -> None:
        self.key, self.title, self.trace, self.boxes = key, title, trace, boxes
        self.scenes = Scenes(trace, boxes)
        self.tracks = self.scenes.tracks()
        self.stage = Stage(trace, boxes, self.tracks)
        self.number = {box: number for number, box in enumerate(self.tracks)}
        self._arrows: dict[str, int] = {}

    def box(self, node: Value) -> int:
        """Return the number of the box that a node is in; -1 if it is in none."""
        return self.number.get(self.boxes.box[node], -1)

    def ways(self, node: Value) -> list[int]:
        """Return the numbers of the arrows along which a node hands on, one per contribution; -1 inside a box."""
        return [
            -1 if way is None else self._arrows.setdefault(way, len(self._arrows)) for way in self.stage.ways_to(node)
        ]

    def data(self, shown: Shown) -> dict[str, Any]:
        """Return the picture for the script of a page; `shown` gives the texts of a track."""
        single = len(self.scenes) == len(self.trace)  # else scenes say what happens in which box
        order = self.trace.journal.order if single else ()
        boxes = [self._box(box, shown) for box in self.tracks]
        ways = [self.ways(node) for node in order]
        return {
            "key": self.key, "title": self.title, "boxes": boxes, "box": [*map(self.box, order)], "ways": ways,
            "arrows": [*self._arrows],
        }  # fmt: skip

    def _box(self, box: Box, shown: Shown) -> dict[str, Any]:
        journal, scenes = self.trace.journal, self.scenes
        turns = [turn[0] for node in box.nodes if (turn := journal.turn_of(node))]
        arrivals = [step for node in box.nodes for step in journal.arrivals(node)]
        backward = min(turns) if turns else max(arrivals, default=None)
        leaf = box.alone if box.alone is not None and box.alone.op is None else None
        return {
            "id": self.stage.id(box),
            "name": self.stage.title(box),
            "before": before_numbers(box),
            "forward": scenes.of(max(journal.numbers[node] for node in box.nodes)),
            "backward": -1 if backward is None else scenes.of(backward),
            "leaf": journal.numbers[leaf] if leaf is not None else -1,
            **shown(self.tracks[box]),
        }
