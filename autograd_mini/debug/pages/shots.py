"""The pictures of a page: which steps it shows together, the numbers of each box over time, and where every node is.

The boxes have room for every number that will appear in them, and one list of steps serves all pictures. Not here: the
layout (`draw`), formulas and source. Read next: `debug.pages.listing`.
"""

from __future__ import annotations

import heapq
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.alive import Positions, position
from autograd_mini.debug.pages.listing import readable
from autograd_mini.debug.pages.mathml import called
from autograd_mini.debug.timeline.journal import Step
from autograd_mini.debug.timeline.paths import Call
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.drawing.cells import label, small
from autograd_mini.drawing.gradients import Gradients, size
from autograd_mini.drawing.parts import Part
from autograd_mini.drawing.picture import Picture
from autograd_mini.drawing.render import prefix, svg
from autograd_mini.drawing.style import BLANK
from autograd_mini.engine import Value, is_node
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


_MOST_INSIDE = 12_000  # nodes in the lists of a picture's boxes
_FEWEST_INSIDE = 50  # of each box
_WIDEST = 2400  # points; a wider picture would shrink until it is unreadable
Shown = Callable[[Track], dict[str, Any]]


class Shot:
    """A picture of a trace, for its page or `is_for_slides`: these are as wide as they are, and count nothing."""

    def __init__(
        self, key: str, title: str, trace: Trace, boxes: Boxes, tall: bool = False, opens: Collection[Call] = (),
        folds: Call | None = None, is_for_slides: bool = False,
    ) -> None:  # fmt: skip
        self.key, self.title = key, title  # how the address of the page names it, and what the reader chooses it by
        self.trace, self.boxes = trace, boxes
        self.tall = tall  # its arrows point down, as a phone needs it; else to the right, unless that is too wide
        self.opens, self.folds = opens, folds  # by a click on the calls' boxes, or on the frame of one
        self.scenes = Scenes(trace, boxes)
        of_boxes = self.scenes.tracks()
        self.tracks = {box: [*map(self.scenes.track, _results(box))] or [of_boxes[box]] for box in boxes.boxes}
        self.stage = Stage(trace, boxes, self.tracks, "TB" if tall else "LR", has_counts=not is_for_slides)
        if not tall and not is_for_slides and self.stage.size[0] > _WIDEST:
            self.stage = Stage(trace, boxes, self.tracks, None)  # the shape decides
        self.number = {box: number for number, box in enumerate(self.tracks)}
        self._arrows: dict[str, int] = {}
        self.most = max(_MOST_INSIDE // len(boxes.boxes), _FEWEST_INSIDE)

    def box(self, node: Value) -> int:
        """Return the number of the box that a node is in; -1 if it is in none."""
        return self.number.get(self.boxes.box[node], -1)

    def ways(self, node: Value) -> list[int]:
        """Return the numbers of the arrows along which a node hands on, one per contribution; -1 inside a box."""
        return [
            -1 if way is None else self._arrows.setdefault(way, len(self._arrows)) for way in self.stage.ways_to(node)
        ]

    def data(self, shown: Shown, calls: Sequence[Call], positions: Positions | None) -> dict[str, Any]:
        """Return the picture for the script of a page; `shown` gives the texts of a track."""
        single = len(self.scenes) == len(self.trace)  # else scenes say what happens in which box
        order = self.trace.journal.order if single else ()
        boxes = [self._box(box, shown, calls, positions) for box in self.tracks]
        ways = [self.ways(node) for node in order]
        return {
            "key": self.key, "title": self.title, "tall": self.tall, "boxes": boxes,
            "box": [*map(self.box, order)], "ways": ways, "arrows": [*self._arrows],
            "labels": {} if positions is None or not single else self._labels(positions, calls),
            "closed": [number for number, call in enumerate(calls) if self.is_closed(call)],
            "opens": [number for number, call in enumerate(calls) if call in self.opens],
            "folds": calls.index(self.folds) if self.folds is not None else -1,
            "frames": [*self._frames(calls)],
        }  # fmt: skip

    def _frames(self, calls: Sequence[Call]) -> Iterator[tuple[str, int]]:
        """Yield the ids of the frames around whole calls, with the calls' numbers."""
        found = {part.scopes[0]: key for part, key in self.stage.clusters.items() if len(part.scopes) == 1}
        for number, call in enumerate(calls):
            if call.scope in found:
                yield self.stage.prefix + found[call.scope], number

    def is_closed(self, call: Call) -> bool:
        """Return whether a call is folded: one box shows it, and nothing else."""
        return {node for node in self.boxes.box[call.nodes[0]].nodes if node.op is not None} == {*call.nodes}

    def _box(self, box: Box, shown: Shown, calls: Sequence[Call], positions: Positions | None) -> dict[str, Any]:
        journal, scenes = self.trace.journal, self.scenes
        turns = [turn[0] for node in box.nodes if (turn := journal.turn_of(node))]
        arrivals = [step for node in box.nodes for step in journal.arrivals(node)]
        backward = min(turns) if turns else max(arrivals, default=None)
        is_group = box.alone is None and box not in self.stage.folds

        def is_shown(number: int) -> bool:
            return self.boxes.box[calls[number].nodes[0]] is box and self.is_closed(calls[number])

        leaf = box.alone if box.alone is not None and box.alone.op is None else None
        return {
            "id": self.stage.id(box),
            "name": self.stage.title(box),
            "before": before_numbers(box),
            "forward": scenes.of(max(journal.numbers[node] for node in box.nodes)),
            "backward": -1 if backward is None else scenes.of(backward),
            "leaf": journal.numbers[leaf] if leaf is not None else -1,
            "fold": next(filter(is_shown, range(len(calls))), -1),
            "inside": [journal.numbers[node] for node in box.nodes[: self.most]] if is_group else [],
            "more": max(len(box.nodes) - self.most, 0),
            "slots": [*map(shown, self.tracks[box])],
            "all": None if positions is None or box.alone is not None or _results(box) else self._all(box, positions),
            "named": [called(self.trace, node) for node in results] if len(results := _results(box)) > 1 else [],
            "cells": [self.stage.cells(box, place) for place in range(len(self.tracks[box]))],
        }

    def _all(self, box: Box, positions: Positions) -> list[list[list[Any]]]:
        """Return the numbers behind those of a group: when each comes, and where it is computed."""
        journal, of = self.trace.journal, self.scenes.of
        results = [node for node in box.outputs if node.op] or box.nodes
        values = sorted((journal.numbers[x], position(journal.value(x))) for x in results)
        steps = sorted(step for node in box.nodes for step in journal.arrivals(node))
        edges = [-1 if step == journal.start else positions.edge_of(journal, step) for step in steps]
        return [_by_scene(values, of), _by_scene(zip(steps, edges, strict=True), of)]

    def _labels(self, positions: Positions, calls: Sequence[Call]) -> dict[str, list[Any]]:
        """Return where the local derivatives on arrows are computed, by the id of the arrow."""
        found: dict[str, list[Any]] = {}
        inside = {node for call in calls if self.is_closed(call) for node in call.nodes}
        for node, place in positions.edges:
            is_alone = node not in inside and self.boxes.box[node].alone is not None
            if is_alone and (way := self.stage.every_way(node)[place]):
                found[way] = [positions.locals[node, place]]
        for call in calls:
            if self.is_closed(call):
                for x in call.fold.inputs:
                    ways = {way for node in call.nodes for i, way in enumerate(self.stage.every_way(node))
                            if way and node.operands[i] is x}  # fmt: skip
                    slopes = [position(call.slope(y, x)) for y in call.fold.outputs]
                    found |= dict.fromkeys(ways, slopes)
        return found


def _by_scene(pairs: Iterable[tuple[int, Any]], of: Callable[[int], int]) -> list[list[Any]]:
    """Return what happens in each scene, after the scene's number."""
    return [[scene, *[x for _, x in some]] for scene, some in groupby(pairs, lambda pair: of(pair[0]))]


def _results(box: Box) -> list[Value]:
    """Return the results of a folded call, whose numbers its box lists; none for any other box."""
    return box.results if box.folded else []
