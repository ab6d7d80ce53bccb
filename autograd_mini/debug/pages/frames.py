"""The frames of a deck of slides: which steps each shows, and the picture at that moment as SVG that needs no script.

The picture is laid out once, with room for every number, so that it stands still from frame to frame. Not here: the
slides around it (`deck`). Read next: `debug.pages.deck`.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import hypot, isfinite

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.shots import Shot
from autograd_mini.debug.pages.stage import before_numbers
from autograd_mini.debug.timeline.folds import Call
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Boxes, Graph, arrange
from autograd_mini.drawing.cells import shade
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.text import number

_READABLE = 0.75  # pixels per point of the picture, on a slide of 1280 × 720
_LEAST = 0.5  # if no picture is larger
_LARGEST = 3.0
_MOST_BOXES, _MOST_NODES = 40, 20_000  # of a picture that could be readable, and that is arranged in a few seconds
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, eq=False)
class Frame:
    """A moment of a trace.

    Attributes:
        steps: the steps that it shows: one, all leaves, or all of a box that shows several nodes.
        box: that box, else None.
        call: the call that the box shows folded, else None.
    """

    steps: Sequence[Step]
    box: Box | None = None
    call: Call | None = None

    @property
    def step(self) -> Step:
        """The last of its steps: all numbers are those just after it."""
        return self.steps[-1]

    @property
    def is_given(self) -> bool:
        """Whether it shows the leaves."""
        return self.step.phase == FORWARD and self.step.node.op is None


class Film:
    """The frames of a trace, and their picture.

    Args:
        trace: the trace.
        room: the width and the height for the picture, in pixels on a slide of 1280 × 720.
    """

    def __init__(self, trace: Trace, room: tuple[float, float]) -> None:
        self.trace, self.room = trace, room
        self.shot = self._readable(room)
        boxes = self.shot.boxes.box
        self.calls = {boxes[call.nodes[0]]: call for call in trace.calls.values() if self.shot.is_closed(call)}
        self.frames = [*self._divided()]
        text = re.sub(r' xmlns(:\w+)?="[^"]*"|<title>.*?</title>|<!--.*?-->', "", self.shot.stage.svg, flags=re.DOTALL)
        self._svg = ElementTree.fromstring(text)
        totals = [abs(step.total) for step in trace if step.phase != FORWARD and isfinite(step.total)]
        self._largest = max(totals, default=0.0)

    def _readable(self, room: tuple[float, float]) -> Shot:
        """Return the finest picture that can be read from the last row; its arrows point to the right, or else down."""
        trace = self.trace
        graph = Graph(tuple(topological_order(trace.root, everything=True)))
        known = {call.name for call in trace.calls.values()}
        opened = [name for name in sorted(trace.opened) if name in known]
        shots: list[Shot] = []
        fewest = _MOST_BOXES
        for depth in (None, 2, 1, 0) if len(graph.order) <= _MOST_NODES else ():
            found = arrange(graph, depth, names=trace.names, expand=opened if depth is None else ())
            boxes = replace(found, folds=True)  # what is one call stays one, at any depth
            if len(boxes.boxes) > fewest:
                continue
            fewest = len(boxes.boxes) - 1
            for tall in (False, True):
                shots.append(shot := Shot("", "", trace, boxes, tall=tall))
                if _scale(shot, room) >= _READABLE:
                    return shot
        if shots and _scale(largest := max(shots, key=lambda shot: _scale(shot, room)), room) >= _LEAST:
            return largest
        raise ArgumentError(
            f"A picture of this graph of {len(graph.order):,} nodes would be too small to be read on a slide.",
            "Give its parts scopes, with am.scope(name), which the picture collapses; or make slides of a part: "
            "am.debug.slides(part, path).",
        )

    def _divided(self) -> Iterator[Frame]:
        """Yield a frame with all leaves; then each box when all that it needs is known; then the sweep in its order."""
        found: dict[object, list[Step]] = {}
        for step in self.trace:
            box = self.shot.boxes.box[step.node]
            key: object = step.index
            if step.phase == FORWARD:
                key = box if step.node.op is not None else FORWARD
            elif step.phase == BACKWARD and box.alone is None:
                key = BACKWARD, box
            found.setdefault(key, []).append(step)
        if FORWARD in found:
            yield Frame(found.pop(FORWARD))
        forwards = {key: found.pop(key) for key in [*found] if isinstance(key, Box)}
        for box in _in_order(self.shot.boxes, forwards):
            yield self._framed(forwards[box], box)
        for steps in sorted(found.values(), key=lambda steps: steps[-1].index):
            yield self._framed(steps, self.shot.boxes.box[steps[-1].node])

    def _framed(self, steps: Sequence[Step], box: Box) -> Frame:
        is_whole = box.alone is None and steps[-1].phase in (FORWARD, BACKWARD)
        return Frame(steps, box, self.calls.get(box)) if is_whole else Frame(steps)

    # -- the picture ---------------------------------------------------------------------------------------------------

    def picture(self, frame: Frame) -> str:
        """Return the picture at a frame."""
        svg, now = copy.deepcopy(self._svg), self.frames.index(frame)
        groups = {str(group.get("id")): group for group in svg.iter("g")}
        for edge in svg.iter("g"):
            if edge.get("class") == "edge":
                first, last, going = self._used(str(edge.get("id")), now)
                states = ["unknown"] * (not first), ["passed"] * last, ["going"] * going
                edge.set("class", " ".join(["edge", *(word for some in states for word in some)]))
                if going and frame.step.phase == BACKWARD:
                    _turn_round(edge)
        boxes = self.shot.boxes.box
        at = {boxes[step.node] for step in frame.steps if not frame.is_given or boxes[step.node].alone is not None}
        to = {boxes[step.operand] for step in frame.steps if step.phase == BACKWARD and step.operand is not None} - at
        known = {boxes[step.node] for shown in self.frames[: now + 1] for step in shown.steps
                 if step.node.op is not None or boxes[step.node].alone is not None}  # fmt: skip
        for box in self.shot.tracks:
            group = groups[self.shot.stage.id(box)]
            self._fill(frame, box, group, box in known)
            states = ["unknown"] * (box not in known), ["at"] * (box in at), ["to"] * (box in to)
            group.set("class", " ".join(["box", *(word for some in states for word in some)]))
        for element in svg.iter():
            element.attrib.pop("id", None)
            if element.tag == "text" and element.text:
                element.text = element.text.replace("-", "−")
        del svg.attrib["height"]
        svg.set("width", f"{_scale(self.shot, self.room) * _size(self.shot)[0] / 16.0:.2f}rem")
        svg.set("aria-hidden", "true")  # the words and the formula say it
        return ElementTree.tostring(svg, encoding="unicode")

    def _fill(self, frame: Frame, box: Box, group: ElementTree.Element, known: bool) -> None:
        """Write the numbers of a box."""
        scene, texts, tracks = self.shot.scenes.of(frame.step.index), group.findall("text"), self.shot.tracks[box]
        scene = scene if frame.step.phase != FORWARD else -1
        cells = [cell for cell in group.findall("polygon") if cell.get("fill") != "none"]
        before = before_numbers(box)
        count, across = len(tracks), 3 if len(tracks) > 1 else 2  # a name, a value, a gradient
        for place, track in enumerate(tracks):
            end = across * (count - 1 - place) + 1 + (box in self.shot.stage.noted)
            of_value, of_gradient = -end - 1, -end
            if self.shot.beside(box):  # a row of names, one of values, one of gradients
                of_value, of_gradient = place - 2 * count, place - count
            value = track.values[-1][1] if known and track.values else ""
            gradients = [total for first, total in track.gradients if first <= scene]
            gradient = number(gradients[-1]) if gradients else ""
            gradient = gradient.lstrip("-") if before[1] else gradient  # max|g| has no sign
            _write(
                texts[of_value],
                cells[of_value],
                before[0] * bool(value) + (value if isinstance(value, str) else value[0]),
            )
            _write(texts[of_gradient], cells[of_gradient], before[1] * bool(gradient) + gradient)
            word, depth = shade(gradients[-1], self._largest) if gradients else ("none", 0.0)
            cells[of_gradient].set("class", f"gradient {word} d{round(10 * depth)}")
            if 0 < len(gradients) < len(track.gradients):
                texts[of_gradient].set("class", "unfinished")

    def _used(self, key: str, now: int) -> tuple[bool, bool, bool]:
        """Return whether something has gone along an arrow forwards, and backwards, and whether it does so now."""
        forwards, backwards = self._uses.get(key, ([], []))
        along = forwards if self.frames[now].step.phase == FORWARD else backwards
        return any(at <= now for at in forwards), any(at <= now for at in backwards), now in along

    @cached_property
    def _uses(self) -> dict[str, tuple[list[int], list[int]]]:
        """The frames in which something goes along each arrow, forwards and backwards."""
        found: dict[str, tuple[list[int], list[int]]] = {}
        for place, frame in enumerate(self.frames):
            for step in frame.steps:
                ways = self.shot.stage.ways_to(step.node) if step.phase in (FORWARD, BACKWARD) else []
                if step.phase == BACKWARD:
                    ways = [ways[step.index - self.trace.journal.turn(step.index)[0]]]
                for way in filter(None, ways):
                    found.setdefault(way, ([], []))[step.phase == BACKWARD].append(place)
        return found


def _in_order(boxes: Boxes, computed: Mapping[Box, Sequence[Step]]) -> Iterator[Box]:
    """Yield boxes so that each comes after those that it needs; if they need each other, by their last steps."""
    needs: dict[Box, set[Box]] = {box: set() for box in computed}
    for tail, head in boxes.arrows:
        if head in needs and tail in needs:
            needs[head].add(tail)
    left = sorted(computed, key=lambda box: computed[box][-1].index)
    while left:
        chosen = next((box for box in left if needs[box].isdisjoint(left)), left[0])
        left.remove(chosen)
        yield chosen


def _scale(shot: Shot, room: tuple[float, float]) -> float:
    """Return the pixels per point of a picture that fills its room."""
    wide, high = _size(shot)
    return min(room[0] / wide, room[1] / high, _LARGEST)


def _size(shot: Shot) -> tuple[float, float]:
    found = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', shot.stage.svg)
    assert found is not None  # dot writes one
    return float(found[1]), float(found[2])


def _write(text: ElementTree.Element, cell: ElementTree.Element, content: str) -> None:
    """Write a text in the middle of its cell."""
    across = [float(point.partition(",")[0]) for point in str(cell.get("points")).split()]
    text.text = content
    text.set("text-anchor", "middle")
    text.set("x", f"{(min(across) + max(across)) / 2:.2f}")


def _turn_round(edge: ElementTree.Element) -> None:
    """Put the head of an arrow at its other end, where the gradient goes."""
    path, head = edge.find("path"), edge.find("polygon")
    if path is None or head is None:
        return
    x, y, away, down = [*map(float, _NUMBER.findall(str(path.get("d"))))][:4]
    far = hypot(away - x, down - y) or 1.0
    across, along = (away - x) / far, (down - y) / far
    points = [(x, y)] + [(x + 9.0 * across - half * along, y + 9.0 * along + half * across) for half in (3.8, -3.8)]
    head.set("points", " ".join(f"{a:.2f},{b:.2f}" for a, b in points))
