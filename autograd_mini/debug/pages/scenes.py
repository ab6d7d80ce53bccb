"""Which steps a page shows one by one and which together, and the text of each box in each scene.

Not here: the picture (`stage`), formulas and source. Read next: `debug.pages.stage`.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

from autograd_mini.debug.pages.alive import position
from autograd_mini.debug.timeline.journal import Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.drawing.gradients import size
from autograd_mini.engine import Value
from autograd_mini.notation.text import number as short

MOST = 2000  # scenes on a page
_ROOM = 6  # characters, for a number that a slider changes
_FEW = 50  # fewer scenes would show too little

Number = str | tuple[str, str]  # short, and in full if that differs


def written(number: float) -> Number:
    """Write a number for a page as text, because JSON has neither nan nor infinities."""
    brief, full = short(number), repr(number)
    return full if brief == full else (brief, full)


@dataclass(eq=False)
class Track:
    """The scenes in which the value or gradient of a node, or of the nodes in a box, changes."""

    values: list[tuple[Any, ...]] = field(default_factory=list)
    gradients: list[tuple[int, float]] = field(default_factory=list)
    node: int = -1  # its number, if it is one node

    @property
    def widest(self) -> tuple[int, int]:
        """The number of characters that value and gradient need."""
        values = [text if isinstance(text, str) else text[0] for _, text, *_ in self.values]
        least = _ROOM if any(len(entry) > 2 for entry in self.values) else 1
        gradients = [len(short(number)) for _, number in self.gradients]
        return max([least, *map(len, values)]), max([least, *gradients])


class Scenes:
    """The steps of a trace, grouped as a page shows them."""

    def __init__(self, trace: Trace, boxes: Boxes) -> None:
        self.trace, self.boxes = trace, boxes
        self.firsts = self._divided()  # the first step of each scene

    def __len__(self) -> int:
        return len(self.firsts)

    def steps(self, scene: int) -> range:
        """Return the indices of the steps in a scene."""
        return range(self.firsts[scene], (*self.firsts, len(self.trace))[scene + 1])

    def of(self, step: int) -> int:
        """Return the scene of a step."""
        return bisect_right(self.firsts, step) - 1

    def _divided(self) -> list[int]:
        """Return the finest division that is not too long: by steps, turns, scopes, boxes, or several boxes."""
        trace, start = self.trace, self.trace.start
        if len(trace) <= MOST:
            return [*range(len(trace))]
        keys: list[Callable[[Step], object]] = [
            lambda step: (step.phase, step.node),
            lambda step: (step.phase, step.node.scope),
            lambda step: (step.phase, self.boxes.box[step.node]),
        ]
        firsts: list[int] = []
        for key in keys:
            finer, firsts = firsts, [next(run).index for _, run in groupby(trace, key)]
            if len(firsts) <= MOST:
                firsts = finer if len(firsts) < _FEW else firsts  # several turns together, rather than a whole loop
                break
        every = -(-len(firsts) // MOST)
        return [first for number, first in enumerate(firsts) if number % every == 0 or first == start]

    # -- what is known when --------------------------------------------------------------------------------------------

    def track(self, node: Value) -> Track:
        """Return the value and gradient of a node over time."""
        journal = self.trace.journal
        arrivals = [(self.of(step), journal[step].total) for step in journal.arrivals(node)]
        value = journal.value(node)
        at = [] if (place := position(value)) is None else [place]
        number = journal.numbers[node]
        return Track([(self.of(number), written(value), *at)], [*dict(arrivals).items()], number)

    def tracks(self) -> dict[Box, Track]:
        """The value and gradient of each box over time; for several nodes the range of results and largest gradient."""
        return {box: self._group(box) if box.alone is None else self.track(box.alone) for box in self.boxes.boxes}

    def _group(self, box: Box) -> Track:
        journal, track = self.trace.journal, Track()
        results = [node for node in box.outputs if node.op] or box.nodes
        numbers = sorted((journal.numbers[node], journal.value(node)) for node in results)
        low, high = math.inf, -math.inf
        for step, number in numbers:
            low, high = (
                (math.nan, math.nan) if math.isnan(number) or math.isnan(low) else (min(low, number), max(high, number))
            )
            text = short(low) if low == high or math.isnan(low) else f"{short(low)} … {short(high)}"
            _note(track.values, (self.of(step), text))
        for scene, largest in self._largest(box.nodes):
            _note(track.gradients, (scene, largest))
        return track

    def _largest(self, nodes: Iterable[Value]) -> Iterator[tuple[int, float]]:
        """Yield the gradient farthest from zero after each step that changes one, with the scene of the step."""
        journal = self.trace.journal
        arrivals = sorted((step, journal.numbers[node]) for node in nodes for step in journal.arrivals(node))
        now: dict[int, float] = {}
        candidates: list[tuple[float, int, float]] = []  # the largest first; replaced ones stay for a while
        for step, number in arrivals:
            now[number] = total = journal[step].total
            heapq.heappush(candidates, (-size(total), number, total))
            while repr(now[candidates[0][1]]) != repr(candidates[0][2]):  # as text: nan differs from itself
                heapq.heappop(candidates)
            yield self.of(step), candidates[0][2]


Entry = TypeVar("Entry")


def _note(entries: list[tuple[int, Entry]], entry: tuple[int, Entry]) -> None:
    """Keep the last entry of a scene, and only if it differs from the entry before."""
    if entries and entries[-1][0] == entry[0]:
        entries.pop()
    if not entries or repr(entries[-1][1]) != repr(entry[1]):
        entries.append(entry)
