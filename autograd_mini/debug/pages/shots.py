"""The pictures of a page: each knows where every node is, so that one list of steps serves all.

Not here: the layout (`stage`), and which steps there are (`scenes`). Read next: `debug.pages.listing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from autograd_mini.debug.pages.alive import Positions, position
from autograd_mini.debug.pages.mathml import called
from autograd_mini.debug.pages.scenes import Scenes, Track
from autograd_mini.debug.pages.stage import Stage, before_numbers
from autograd_mini.debug.timeline.folds import Call
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.engine import Value

_MOST_INSIDE = 12_000  # nodes in the lists of a picture's boxes
_FEWEST_INSIDE = 50  # of each box
_WIDEST = 2400  # points; a wider picture would shrink until it is unreadable
Shown = Callable[[Track], dict[str, Any]]


class Shot:
    """A picture of a trace.

    Args:
        key: how the address of the page names it; "" for the first.
        title: what the reader chooses it by.
        trace: the trace.
        boxes: its boxes.
        tall: let its arrows point down, as a phone needs it; else to the right, unless that is too wide.
        opens: the calls that a click on their boxes opens by showing this picture.
        folds: the call that a click on its frame folds by showing this picture.
        is_for_slides: keep its width, and do not count the nodes in its boxes.
    """

    def __init__(
        self,
        key: str,
        title: str,
        trace: Trace,
        boxes: Boxes,
        tall: bool = False,
        opens: Collection[Call] = (),
        folds: Call | None = None,
        is_for_slides: bool = False,
    ) -> None:
        self.opens, self.folds = opens, folds
        self.key, self.title, self.trace, self.boxes, self.tall = key, title, trace, boxes, tall
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
