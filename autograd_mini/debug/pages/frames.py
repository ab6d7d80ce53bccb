"""The frames of a deck of slides: which steps each shows, and the picture at that moment as SVG that needs no script.

The picture is laid out once, with room for every number, so that it stands still from frame to frame; where it would be
too small, frames have close-ups and a map. Not here: the slides around it (`deck`). Read next: `debug.pages.deck`.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import hypot, isfinite
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.shots import Shot, Stage, Track, before_numbers
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, Step
from autograd_mini.debug.timeline.paths import Call
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import FITTING, Box, Boxes, Graph, arrange
from autograd_mini.drawing.cells import shade
from autograd_mini.drawing.style import SMALL
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.notation.text import elided, number

READABLE = 1.2  # pixels per point on a slide of 1280 × 720: the smallest letters have 18 pixels on one of 1920 × 1080
_LARGE, _LARGEST_NEAR, _LARGEST_MAP = 1.6, 2.4, 0.6  # beyond letters of 24 pixels, a larger map is better
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
    """The close-ups of a picture with these boxes, what is written in them, and the picture in several layouts."""

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
            large = _LARGEST_NEAR
            for box, to in self._moments:
                sides = self.stage(box, to, most).size
                large = min(large, scale((sides[0] - _MARGINS, sides[1] - _MARGINS), near))
                if large < READABLE:
                    break
            else:
                for map in self.maps:
                    small = min(_LARGEST_MAP, scale(map.size, aside))
                    yield Plan(large, most, near, map, small, aside[0] == wide)

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


_LARGEST = 3.0  # pixels per point of a whole picture, on a slide of 1280 × 720
_MORE = 125.0  # pixels of a room for all operands of a step, if they need them
_LEAST, _WIDE, _FEW = 13.0, 0.61, 10  # pixels of letters in a map, how wide one is, and how many of a longer name
_MOST_BOXES, _MOST_NODES = 60, 20_000  # of a picture, so that it and its close-ups are arranged in a few seconds
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_UNUSED = re.compile(r' xmlns(:\w+)?="[^"]*"|<title>.*?</title>|<!--.*?-->', re.DOTALL)


@dataclass(frozen=True, eq=False)
class Frame:
    """A moment of a trace."""

    number: int  # its place among the frames
    steps: Sequence[Step]  # one, all leaves, or all of a box, or between two boxes, that show several nodes
    at: Collection[Box]  # where it happens
    to: Collection[Box]  # that receive something
    box: Box | None = None  # that several steps are of
    call: Call | None = None  # that the box shows folded

    @property
    def step(self) -> Step:
        """The last of its steps: all numbers are those just after it."""
        return self.steps[-1]

    @property
    def phase(self) -> str:
        """Which way it goes; the seed is a step back."""
        return FORWARD if self.step.phase == FORWARD else BACKWARD

    @property
    def is_given(self) -> bool:
        """Whether it shows the leaves."""
        return self.step.phase == FORWARD and self.step.node.op is None


class Film:
    """The frames of a trace, and their picture, which gets a room of at least so many pixels of 1280 × 720."""

    def __init__(self, trace: Trace, room: Size) -> None:
        self.trace, self.room = trace, room
        self.shot, self.closeups = self._readable()
        self.boxes = self.shot.boxes.box
        self.calls = {self.boxes[call.nodes[0]]: call for call in trace.calls.values() if self.shot.is_closed(call)}
        self.frames = [self._framed(number, steps) for number, steps in enumerate(self._divided())]
        totals = [abs(step.total) for step in trace if step.phase != FORWARD and isfinite(step.total)]
        self._largest = max(totals, default=0.0)
        self._uses = cache(self._used)

    def _readable(self) -> tuple[Shot, Closeups | None]:
        """Return the finest picture that can be read, whole or close up; if possible all, and with no names of ours."""
        trace = self.trace
        graph = Graph(tuple(topological_order(trace.root, everything=True)))
        known = {call.name for call in trace.calls.values()}
        opened = [name for name in sorted(trace.opened) if name in known]
        wide, high = self.room
        partly: list[tuple[Shot, Closeups]] = []
        for boxes in sorted(self._pictures(graph, opened), key=lambda boxes: not opened and self._is_ours(boxes)):
            shots: list[Shot] = []
            for tall in (False, True):  # arrows to the right, or else down
                shots.append(shot := Shot("", "", trace, boxes, tall=tall, is_for_slides=True))
                if scale(shot.stage.size, self.room) >= READABLE:
                    return shot, None
            closeups = Closeups(trace, boxes, shots[0].tracks, [shot.stage for shot in shots])
            most = max(map(len, closeups.operands.values()))
            for room in (self.room, (wide, high + _MORE)):
                if (plan := closeups.plan(room)) is not None and plan.most[0] >= most:
                    self.room = room
                    return shots[0], closeups
            if closeups.plan(self.room) is not None:
                partly.append((shots[0], closeups))
        if partly:
            return partly[0]
        raise ArgumentError(
            f"A picture of this graph of {len(graph.order):,} nodes would be too small to be read on a slide.",
            "Give its parts scopes, with am.scope(name), which the picture collapses; or make slides of a part: "
            "am.debug.slides(part, path).",
        )

    def _pictures(self, graph: Graph, opened: Sequence[str]) -> Iterator[Boxes]:
        """Yield the boxes of pictures from fine to coarse; what is one call stays one, until it is opened."""
        fewest = _MOST_BOXES + 1
        for depth in (None, 2, 1, 0) if len(graph.order) <= _MOST_NODES else ():
            expand = opened if depth is None else ()
            boxes = arrange(graph, depth, names=self.trace.names, expand=expand, most=FITTING)
            if len(boxes.boxes) < fewest:
                fewest = len(boxes.boxes)
                yield replace(boxes, boxes=[*_in_order(boxes)], folds=True)

    def _is_ours(self, boxes: Boxes) -> bool:
        """Return whether a picture names an operation that the user's program does not name."""
        names = self.trace.names
        alone = [box.alone for box in boxes.boxes if box.alone is not None and box.alone.op is not None]
        return not all(names.name(node) or names.expression(node) for node in alone)

    def _divided(self) -> Iterator[Sequence[Step]]:
        """Yield all leaves; then each box as soon as all its inputs are known; then the sweep in its order."""
        found: dict[object, list[Step]] = {}
        for step in self.trace:
            box = self.boxes[step.node]
            key: object = step.index
            if step.phase == FORWARD:
                key = box if step.node.op is not None else FORWARD
            elif step.phase == BACKWARD and step.operand is not None:
                to = self.boxes[step.operand]
                key = key if box.alone is not None and to.results else (box, None if box.alone is None else to)
            found.setdefault(key, []).append(step)
        if FORWARD in found:
            yield found.pop(FORWARD)
        yield from [found.pop(box) for box in self.shot.boxes.boxes if box in found]
        yield from sorted(found.values(), key=lambda steps: steps[-1].index)

    def _framed(self, number: int, steps: Sequence[Step]) -> Frame:
        is_given = steps[0].phase == FORWARD and steps[0].node.op is None
        at = {self.boxes[step.node]: None for step in steps if not is_given or not self.boxes[step.node].computes}
        to = {self.boxes[step.operand]: None for step in steps if step.phase == BACKWARD and step.operand is not None}
        box = self.boxes[steps[-1].node]
        is_single = is_given or steps[0].phase not in (FORWARD, BACKWARD) or (box.alone is not None and len(steps) == 1)
        whole = () if is_single else (box, self.calls.get(box))
        return Frame(number, steps, at.keys(), to.keys() - at, *whole)

    # -- the picture ---------------------------------------------------------------------------------------------------

    def stage(self, frame: Frame, room: Size | None = None) -> Stage | None:
        """Return the picture that a frame shows, whole or close up; None if there is only the map."""
        if self.closeups is None:
            return self.shot.stage
        plan = self.closeups.plan(room or self.room)
        if len(frame.at) != 1 or plan is None:
            return None
        (box,), (to,) = frame.at, frame.to if len(frame.to) == 1 else [None]
        return self.closeups.stage(box, to, plan.most)

    def picture(self, frame: Frame, room: Size | None = None) -> str:
        """Return the picture at a frame, or a close-up and a map, in a room that is not smaller than the least."""
        room = room or self.room
        closeups, stage = self.closeups, self.stage(frame, room)
        if closeups is None:
            whole = self.shot.stage
            return _svg("whole", self._drawn(whole, frame), min(scale(whole.size, room), _LARGEST), whole.size)
        plan = closeups.plan(room)
        assert plan is not None  # as there is one of the least room
        if stage is None:
            large = scale(plan.map.size, room)
            return _svg("map", self._map(plan.map, frame, frame.at, large), large, plan.map.size)
        drawn = self._drawn(stage, frame)
        size = plan.near[0] / plan.scale, plan.near[1] / plan.scale
        corner = (stage.size[0] - size[0]) / 2.0, (stage.size[1] - size[1]) / 2.0
        (box,) = frame.at
        if told := closeups.left_out(box, stage):
            places = {"x": f"{corner[0] + 4.0:.1f}", "y": f"{corner[1] + size[1] - 4.0:.1f}"}
            SubElement(drawn, "text", {**places, "font-size": str(SMALL)}).text = told
        near = _svg("near", drawn, plan.scale, size, corner)
        small = _svg("map", self._map(plan.map, frame, stage.boxes.boxes), plan.small, plan.map.size)
        return f'<div class="{"below" if plan.is_below else "beside"}">{near}{small}</div>'

    def _drawn(self, stage: Stage, frame: Frame) -> Element:
        """Return the picture of a stage with the numbers known at a frame."""
        drawn = fromstring(_UNUSED.sub("", stage.svg))
        groups = {str(group.get("id")): group for group in drawn.iter("g")}
        for key, edge in groups.items():
            if edge.get("class") == "edge":
                forwards, backwards = self._uses(stage).get(key, ([], []))
                is_going = frame.number in (forwards if frame.phase == FORWARD else backwards)
                _mark(edge, "edge", unknown=min(forwards, default=math.inf) > frame.number,
                      passed=min(backwards, default=math.inf) <= frame.number, going=is_going)  # fmt: skip
                if is_going and frame.phase == BACKWARD:
                    _turn_round(edge)
        for box in stage.boxes.boxes:
            self._fill(stage, frame, box, group := groups[stage.id(box)])
            _mark(group, "box", unknown=self._firsts[box] > frame.number, at=box in frame.at, to=box in frame.to)
        for element in drawn.iter():
            element.attrib.pop("id", None)
            if element.tag == "text" and element.text:
                element.text = element.text.replace("-", "−")
        return drawn

    def _fill(self, stage: Stage, frame: Frame, box: Box, group: Element) -> None:
        """Write the numbers of a box."""
        texts, cells = group.findall("text"), [cell for cell in group.findall("polygon") if cell.get("fill") != "none"]
        for place, track in enumerate(stage.tracks[box]):
            value = track.values[-1][1] if self._firsts[box] <= frame.number and track.values else ""
            value = value if isinstance(value, str) else value[0]
            gradients = self._gradients(track, frame)
            gradient = number(gradients[-1]) if gradients else ""
            before = before_numbers(box)
            gradient = gradient.lstrip("-") if before[1] else gradient  # max|g| has no sign
            of_value, of_gradient = stage.cells(box, place)
            _write(texts[of_value], cells[of_value], before[0] * bool(value) + value)
            _write(texts[of_gradient], cells[of_gradient], before[1] * bool(gradient) + gradient)
            cells[of_gradient].set("class", self._shade(gradients))
            if 0 < len(gradients) < len(track.gradients):
                texts[of_gradient].set("class", "unfinished")

    def _map(self, stage: Stage, frame: Frame, near: Collection[Box], large: float = 0.0) -> Element:
        """Return a picture of coloured boxes, with names if all can be read at so many pixels per point."""
        whole = fromstring(_UNUSED.sub("", stage.svg))
        groups = {str(group.get("id")): group for group in whole.iter("g")}
        drawn, graph = Element("svg"), next(whole.iter("g"))
        inside = SubElement(drawn, "g", {"transform": str(graph.get("transform"))})
        edges = [group for group in groups.values() if group.get("class") == "edge"]
        ways = "".join(str(path.get("d")) for edge in edges for path in edge.iter("path"))
        SubElement(inside, "path", {"class": "ways", "d": ways})
        bounds = {box: _bounds(groups[stage.id(box)]) for box in stage.boxes.boxes}
        letters = _LEAST / large if large else math.inf
        names = {box: stage.title(box).replace("-", "−") for box in bounds}
        rooms = {box: int((right - left) / (letters * _WIDE)) - 1 for box, (left, _, right, _) in bounds.items()}
        is_named = all(rooms[box] >= min(len(name), _FEW) for box, name in names.items())
        for box, (left, top, right, low) in bounds.items():
            place = {"x": left, "y": top, "width": right - left, "height": low - top}
            rect = SubElement(inside, "rect", {key: f"{side:.1f}" for key, side in place.items()})
            totals = [total for track in stage.tracks[box] for total in self._gradients(track, frame)[-1:]]
            kind = "scope" if box.part is not None and box.computes else "computed" if box.computes else "leaf"
            colour = self._shade(sorted(totals, key=abs)) if totals else kind
            unknown = self._firsts[box] > frame.number
            _mark(rect, colour, unknown=unknown, near=box in near, at=box in frame.at, to=box in frame.to)
            if is_named:
                middle = {"x": f"{(left + right) / 2.0:.1f}", "y": f"{(top + low) / 2.0 + letters / 3.0:.1f}"}
                text = SubElement(inside, "text", {**middle, "text-anchor": "middle", "font-size": f"{letters:.2f}"})
                text.text = elided(names[box], rooms[box])
        return drawn

    def _gradients(self, track: Track, frame: Frame) -> list[float]:
        """Return the gradients that have been written so far."""
        scene = -1 if frame.phase == FORWARD else self.shot.scenes.of(frame.step.index)
        return [total for first, total in track.gradients if first <= scene]

    def _shade(self, gradients: Sequence[float]) -> str:
        word, depth = shade(gradients[-1], self._largest) if gradients else ("none", 0.0)
        return f"gradient {word} d{round(10 * depth)}"

    @cached_property
    def _firsts(self) -> dict[Box, float]:
        """The frame in which the value of each box is known."""
        found: dict[Box, float] = dict.fromkeys(self.shot.tracks, math.inf)
        for frame in reversed(self.frames):
            found |= dict.fromkeys(frame.at, frame.number)
        return found

    def _used(self, stage: Stage) -> dict[str, tuple[list[int], list[int]]]:
        """Return the frames in which something goes along each arrow, forwards and backwards."""
        found: dict[str, tuple[list[int], list[int]]] = {}
        for frame in self.frames:
            for step in frame.steps:
                ways = stage.ways_to(step.node) if step.phase in (FORWARD, BACKWARD) else []
                if step.phase == BACKWARD:
                    ways = [ways[step.index - self.trace.journal.turn(step.index)[0]]]
                for way in filter(None, ways):
                    found.setdefault(way, ([], []))[step.phase == BACKWARD].append(frame.number)
        return found


def _in_order(boxes: Boxes) -> Iterator[Box]:
    """Yield boxes so that each comes after those that it needs; if they need each other, by their last nodes."""
    last = {box: place for place, box in enumerate(boxes.box.values())}
    left = [*boxes.boxes]
    while left:
        free = (box for box in left if not any((other, box) in boxes.arrows for other in left))
        chosen = next(free, None) or min(left, key=last.__getitem__)
        left.remove(chosen)
        yield chosen


# -- SVG ---------------------------------------------------------------------------------------------------------------


def _svg(kind: str, drawn: Element, large: float, size: Size, corner: Size = (0.0, 0.0)) -> str:
    """Return a picture as text, so many pixels per point; the words and the formula of a slide say what it shows."""
    view = " ".join(f"{side:.2f}" for side in (*corner, *size))
    drawn.attrib.clear()
    drawn.attrib |= {"class": kind, "width": f"{large * size[0] / 16.0:.2f}rem", "viewBox": view, "aria-hidden": "true"}
    return tostring(drawn, encoding="unicode")


def _mark(element: Element, first: str, **states: bool) -> None:
    element.set("class", " ".join([first, *(state for state, holds in states.items() if holds)]))


def _bounds(group: Element) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of a box or cell."""
    points = [point.split(",") for shape in group.iter("polygon") for point in str(shape.get("points")).split()]
    across, down = ([float(point[axis]) for point in points] for axis in (0, 1))
    return min(across), min(down), max(across), max(down)


def _write(text: Element, cell: Element, content: str) -> None:
    """Write a text in the middle of its cell."""
    left, _, right, _ = _bounds(cell)
    text.text = content
    text.set("text-anchor", "middle")
    text.set("x", f"{(left + right) / 2.0:.2f}")


def _turn_round(edge: Element) -> None:
    """Put the head of an arrow at its other end, where the gradient goes."""
    path, head = edge.find("path"), edge.find("polygon")
    if path is None or head is None:
        return
    x, y, away, down = [*map(float, _NUMBER.findall(str(path.get("d"))))][:4]
    far = hypot(away - x, down - y) or 1.0
    across, along = (away - x) / far, (down - y) / far
    points = [(x, y)] + [(x + 9.0 * across - half * along, y + 9.0 * along + half * across) for half in (3.8, -3.8)]
    head.set("points", " ".join(f"{a:.2f},{b:.2f}" for a, b in points))
