"""Backpropagation as an HTML page: picture, chain rule, source and gradients at every step, in one file.

All numbers and sentences come from here; the script on the page only shows them. Not here: the browser's side
(`backprop.js`), and time travel (`travel`). Read next: `debug.pages.scenes`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.listing import Listing, readable
from autograd_mini.debug.pages.mathml import asked, called, formula, slopes, words
from autograd_mini.debug.pages.scenes import Number, Scenes, Track, written
from autograd_mini.debug.pages.stage import Stage, before_numbers
from autograd_mini.debug.program import Call, Quit, debug_program
from autograd_mini.debug.quiz import NEAR, question
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, Graph, arrange
from autograd_mini.drawing.cells import scale, shade
from autograd_mini.drawing.gradients import size
from autograd_mini.drawing.page import document
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.output import files

KINDS = (".html", ".htm")
_MOST_ROWS = 100  # in the table of gradients


class Page:
    """A page that steps through a trace, starting at its position; notebooks show it in a frame.

    Args:
        trace: the trace to show.
        quiz: ask for each contribution before it is shown; printed, the page is a worksheet with a key.

    >>> from autograd_mini import Value, debug
    >>> x = Value(3.0, name="x")
    >>> debug.page(x * x)
    Page(mul#1, 5 steps); notebooks show it, .save("backprop.html") writes it
    """

    def __init__(self, trace: Trace, quiz: bool = False) -> None:
        self.trace, self.quiz = trace, quiz

    @cached_property
    def html(self) -> str:
        """The text of the page.

        Raises:
            MissingError: no dot program was found.
            ProgramError: the dot program fails.
        """
        return _Contents(self.trace, self.quiz).html

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, and return its path.

        Raises:
            ArgumentError: the name does not end in .html, or the folder does not exist.
            MissingError: no dot program was found.
            ProgramError: the dot program fails.
        """
        path = checked_path(path)
        files.write(path, self.html)
        return path

    def __repr__(self) -> str:
        name = called(self.trace, self.trace.root)
        return f'Page({name}, {len(self.trace):,} steps); notebooks show it, .save("backprop.html") writes it'

    def _repr_html_(self) -> str:
        return (
            '<iframe sandbox="allow-scripts" title="Stepping through backpropagation" width="100%" height="760" '
            f'style="border: 1px solid #8888; border-radius: 6px" srcdoc="{html.escape(self.html)}"></iframe>'
        )


def checked_path(path: str | Path) -> Path:
    """Check the path of a page before the work begins, and return it."""
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise ArgumentError(f"A page cannot be saved as {str(path)!r}.", "End the name in .html.")
    if not path.parent.is_dir():
        raise ArgumentError(f"There is no folder {str(path.parent)!r}.", "Create it first, or choose another.")
    return path


def page_of_program(
    program: str, arguments: Sequence[str], path: str | Path, at: int = 1, module: bool = False, quiz: bool = False
) -> Path:
    """Run a program, as `debug_program` does, up to call number `at` of `backward()`, and write the page of it."""
    path = checked_path(path)
    target = path.absolute()  # the program may change the directory

    def stop(call: Call) -> None:
        if call.number == at:
            trace = call.trace()
            trace.seek(trace.start if quiz else 0)
            Page(trace, quiz).save(target)
            raise Quit

    count = debug_program(program, arguments, stop, module=module)
    if count < at:
        raise ArgumentError(
            f"{program} calls backward() {counted(count, 'time')}." if count else f"{program} never calls backward().",
            f"Pass a number from 1 to {count}."
            if count
            else f"Name the value to differentiate: {'-m ' * module}{program}:NAME.",
        )
    return path


class _Contents:
    """The contents of a page, as data for its script."""

    def __init__(self, trace: Trace, quiz: bool) -> None:
        self.trace, self.quiz = trace, quiz
        boxes = arrange(Graph(tuple(topological_order(trace.root, everything=True))))  # as `draw` has them
        self.scenes = Scenes(trace, boxes)
        self.tracks = self.scenes.tracks()
        self.stage = Stage(trace, boxes, self.tracks)
        self.listing = Listing()
        totals = [abs(step.total) for step in trace if step.phase != FORWARD and math.isfinite(step.total)]
        self.largest = max(totals, default=0.0)
        self.single = len(self.scenes) == len(trace)
        self._number = {box: number for number, box in enumerate(self.tracks)}

    @property
    def html(self) -> str:
        title = f"Backpropagation of {called(self.trace, self.trace.root)}{': a quiz' * self.quiz}"
        body = (resources(__package__) / "backprop.html").read_text(encoding="utf-8")
        body = body.replace("<!--picture-->", self.stage.svg)
        return document(title, __package__, "backprop.css", "backprop.js", body, self._data())

    def _data(self) -> dict[str, Any]:
        trace, rows = self.trace, self._rows()
        left_out = len(self._nodes) - len(rows)
        return {
            "scenes": [self._scene(number) for number in range(len(self.scenes))],
            "steps": len(trace),
            "start": self.scenes.of(trace.start),
            "first": self.scenes.of(trace.position),
            "boxes": [self._box(box) for box in self.tracks],
            "rows": rows,
            "places": self.listing.places,
            "files": self.listing.files,
            "note": self._note(),
            "rest": f"{left_out:,} more nodes are not listed." if left_out else "",
            "scale": self._scale(),
            "near": str(NEAR),
        }

    # -- scenes --------------------------------------------------------------------------------------------------------

    def _scene(self, number: int) -> dict[str, Any]:
        trace, steps = self.trace, self.scenes.steps(number)
        step = trace[steps[-1]]
        if steps[0] >= trace.start:  # show the largest of several contributions
            step = max((trace[index] for index in steps), key=lambda step: size(step.contribution))
        scene = {
            "step": steps[-1],
            "phase": step.phase,
            "turn": self.scenes.of(trace.journal.turn(step.index)[0]) if self.single else number,
            "scope": _path(step.node),
            "words": words(trace, step),
            "formula": formula(trace, step),
            "slopes": slopes(trace, step),
            "place": self.listing.place(trace, step.node),
            **self._motion(steps),
            **self._asked(step),
        }
        return scene if len(steps) == 1 else {**scene, "first": steps[0], "words": self._summary(steps, step)}

    def _asked(self, step: Step) -> dict[str, Any]:
        """Return the question about a step, if the page is a quiz; numbers as text, because JSON has no infinities."""
        found = question(self.trace, step, lambda node: called(self.trace, node)) if self.quiz and self.single else None
        if found is None:
            return {}
        slips = [(repr(wrong), sentence) for wrong, sentence in found.slips]
        about = formula(self.trace, self.trace[self.trace.journal.numbers[step.node]])
        return {"quiz": {"text": found.text, "formula": asked(self.trace, step), "about": about,
                         "answer": repr(found.answer), "slips": slips, "otherwise": found.otherwise}}  # fmt: skip

    def _motion(self, steps: range) -> dict[str, Any]:
        """Return the boxes where something happens, the boxes where something arrives, and the arrows between them."""
        box, journal = self.stage.boxes.box, self.trace.journal
        places: dict[int, None] = {}
        receivers: dict[int, None] = {}
        ways: dict[str | None, None] = {}
        for index in steps:
            step = journal[index]
            places[self._number[box[step.node]]] = None
            if step.phase == FORWARD:
                ways.update(dict.fromkeys(self.stage.ways_to(step.node)))
            elif step.phase == BACKWARD and step.operand is not None:
                receivers[self._number[box[step.operand]]] = None
                ways[self.stage.ways_to(step.node)[index - journal.turn(index)[0]]] = None
        return {"at": [*places], "to": [*receivers], "ways": [way for way in ways if way]}

    def _summary(self, steps: range, shown: Step) -> str:
        scopes = {_path(step.node) for step in self.trace[steps[0] : steps[-1] + 1] if step.node.op is not None}
        where = f" in {scopes.pop()}" if len(scopes) == 1 and "" not in scopes else ""
        what, which = ("numbers", "last") if shown.phase == FORWARD else ("contributions", "largest")
        return f"{len(steps):,} {what}{where}; the {which}: {words(self.trace, shown)}"

    # -- boxes and rows ------------------------------------------------------------------------------------------------

    def _box(self, box: Box) -> dict[str, Any]:
        journal = self.trace.journal
        turns = [turn[0] for node in box.nodes if (turn := journal.turn_of(node))]
        arrivals = [step for node in box.nodes for step in journal.arrivals(node)]
        backward = min(turns) if turns else max(arrivals, default=None)
        return {
            "id": self.stage.id(box),
            "name": self.stage.title(box),
            "before": before_numbers(box),
            "forward": self.scenes.of(max(journal.numbers[node] for node in box.nodes)),
            "backward": -1 if backward is None else self.scenes.of(backward),
            **self._shown(self.tracks[box]),
        }

    @cached_property
    def _nodes(self) -> list[Value]:
        """The nodes of the table: leaves, named ones first, then results with names."""
        name = self.trace.name  # variables come before the contents of lists and objects, such as parameters
        leaves = sorted(self.trace.leaves, key=lambda leaf: (not name(leaf), not name(leaf).isidentifier()))
        return leaves + [node for node in self.trace.journal.order if node.op is not None and self.trace.name(node)]

    def _rows(self) -> list[dict[str, Any]]:
        named = [node for node in self._nodes if node.op is not None][: _MOST_ROWS // 2]
        leaves = [node for node in self._nodes if node.op is None][: _MOST_ROWS - len(named)]
        return [
            {"name": called(self.trace, node), "leaf": node.op is None, **self._shown(self.scenes.track(node))}
            for node in leaves + named
        ]

    def _shown(self, track: Track) -> dict[str, Any]:
        gradients = [(scene, written(total), *self._colour(total)) for scene, total in track.gradients]
        return {"values": track.values, "gradients": gradients}

    def _colour(self, gradient: float) -> tuple[str, int]:
        """Return the sign of a gradient as a word, which selects the colour, and its strength in percent."""
        word, depth = shade(gradient, self.largest)
        return word, round(100 * depth)

    def _scale(self) -> list[tuple[Number, str, int]]:
        """Return the legend of the colours."""
        return [(written(number), *self._colour(number)) for number in scale(self.largest)]

    def _note(self) -> str:
        """Return a note on nodes grouped into boxes, steps grouped into scenes, and leaves written since."""
        nodes, boxes = len(self.trace.journal.order), len(self.tracks)
        said = [] if boxes == nodes else [f"{nodes:,} nodes are in {boxes:,} boxes"]
        if not self.single:
            said.append(f"{len(self.trace):,} steps are shown in {len(self.scenes):,} groups")
        note = [f"A large graph: {' and '.join(said)}."] if said else []
        unknown = [called(self.trace, node) for node, was in self.trace.journal.recorded.written.items() if was is None]
        more = f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else ""
        return " ".join(note + [f"Written since: {', '.join(unknown[:3])}{more}."] * bool(unknown))


def _path(node: Value) -> str:
    """Return the scopes of a node, from the outside in."""
    return "/".join(map(readable, node.scope.path)) if node.scope is not None else ""
