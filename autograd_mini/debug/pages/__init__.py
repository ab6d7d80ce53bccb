"""Backpropagation as an HTML page: picture, chain rule, source and gradients at every step, in one file.

All numbers and sentences are made here; the script in the page shows them and computes nothing. Not here: what happens
in the browser (that is `backprop.js`), and time travel (`travel`). Read next: `scenes`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.formulas import called, formula, slopes, words
from autograd_mini.debug.pages.listing import Listing, readable
from autograd_mini.debug.pages.scenes import Number, Scenes, Track, written
from autograd_mini.debug.pages.stage import Stage, before_numbers
from autograd_mini.debug.program import Call, Quit, debug_program
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Box, arrange
from autograd_mini.drawing.gradients import size
from autograd_mini.drawing.page import document
from autograd_mini.drawing.picture import colour_depth, scale
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.output import files

KINDS = (".html", ".htm")
_MOST_ROWS = 100  # of the table of gradients


class Page:
    """A page that steps through a trace, from its position on; notebooks show it in a frame.

    Args:
        trace: what to show.

    >>> from autograd_mini import Value, debug
    >>> x = Value(3.0, name="x")
    >>> debug.page(x * x)
    Page(mul#1, 5 steps); notebooks show it, .save("backprop.html") writes it
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    @cached_property
    def html(self) -> str:
        """The text of the page.

        Raises:
            MissingError: no dot program can be found.
            ProgramError: the program found fails.
        """
        return _Contents(self.trace).html

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, and return its path.

        Raises:
            ArgumentError: the name does not end in .html, or the folder does not exist.
            MissingError: no dot program can be found.
            ProgramError: the program found fails.
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
    """The path of a page to be; called before the work, not after it.

    Raises:
        ArgumentError: the name does not end in .html, or the folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise ArgumentError(f"A page cannot be saved as {str(path)!r}.", "End the name in .html.")
    if not path.parent.is_dir():
        raise ArgumentError(f"There is no folder {str(path.parent)!r}.", "Create it first, or choose another.")
    return path


def write_page(trace: Trace, path: str | Path) -> Path:
    """Write the page of a trace to a file, and return its path.

    Raises:
        ArgumentError: the name does not end in .html, or the folder does not exist.
        MissingError: no dot program can be found.
        ProgramError: the program found fails.
    """
    return Page(trace).save(checked_path(path))


def page_of_program(
    program: str, arguments: Sequence[str], path: str | Path, at: int = 1, module: bool = False
) -> Path:
    """Run a program up to a call of `backward()`, and write the page of that call.

    Args:
        program: the path of a Python file, and after ":" the name of a global variable if that is to be differentiated.
        arguments: what the program finds in `sys.argv[1:]`.
        path: of the HTML file to write.
        at: which call of `backward()`, from 1.
        module: whether the program is the name of a module, as after `python -m`.

    Raises:
        ArgumentError: nothing can be written there; there is no such program or variable, or no such call.
        ScriptError: the program raises an error before.
        MissingError: no dot program can be found.
        ProgramError: the program found fails.
    """
    path = checked_path(path)
    target = path.absolute()  # the program may change the directory

    def stop(call: Call) -> None:
        if call.number == at:
            trace = call.trace()
            trace.seek(0)
            write_page(trace, target)
            raise Quit

    count = debug_program(program, arguments, stop, module=module)
    if count < at:
        calls = f"calls backward() {count} time{'s' * (count != 1)}" if count else "never calls backward()"
        raise ArgumentError(
            f"{program} {calls}.",
            f"Pass a number from 1 to {count}."
            if count
            else f"Name the value to differentiate: {'-m ' * module}{program}:NAME.",
        )
    return path


class _Contents:
    """What stands in a page."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        boxes = arrange(tuple(topological_order(trace.root, everything=True)))  # as `draw` has them
        self.scenes = Scenes(trace, boxes)
        self.tracks = self.scenes.tracks()
        self.stage = Stage(trace, boxes, self.tracks)
        self.listing = Listing()
        totals = [abs(step.total) for step in trace if step.phase != FORWARD and math.isfinite(step.total)]
        self.largest = max(totals, default=0.0)
        self.single = len(self.scenes) == len(trace)

    @property
    def html(self) -> str:
        title = f"Backpropagation of {called(self.trace, self.trace.root)}"
        body = _BODY.replace("<!--picture-->", self.stage.svg)
        return document(title, __package__, "backprop.css", "backprop.js", body, self._data())

    def _data(self) -> dict[str, Any]:
        trace = self.trace
        rows = self._rows()
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
        }

    # -- scenes --------------------------------------------------------------------------------------------------------

    def _scene(self, number: int) -> dict[str, Any]:
        steps = self.scenes.steps(number)
        step = self._main(steps)
        last = steps[-1]
        scene = {
            "step": last,
            "phase": step.phase,
            "turn": self.scenes.of(self.trace.journal.turn(step.index)[0]) if self.single else number,
            "scope": _path(step.node),
            "words": words(self.trace, step),
            "formula": formula(self.trace, step),
            "slopes": slopes(self.trace, step),
            "place": self.listing.place(self.trace, step.node),
            **self._motion(steps),
        }
        if len(steps) > 1:
            scene["first"], scene["words"] = steps[0], self._summary(steps, step)
        return scene

    def _main(self, steps: range) -> Step:
        """The step of a scene to show: the largest contribution, or the last node computed."""
        if len(steps) == 1 or steps[0] < self.trace.start:
            return self.trace[steps[-1]]
        return max((self.trace[index] for index in steps), key=lambda step: size(step.contribution))

    def _motion(self, steps: range) -> dict[str, Any]:
        """The boxes where something happens, those where something arrives, and the arrows in between."""
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
        nodes = [self.trace[index].node for index in steps]
        scopes = {_path(node) for node in nodes if node.op is not None}
        where = f" in {scopes.pop()}" if len(scopes) == 1 and "" not in scopes else ""
        if shown.phase == FORWARD:
            return f"{len(steps):,} numbers{where}; the last: {words(self.trace, shown)}"
        return f"{len(steps):,} contributions{where}; the largest: {words(self.trace, shown)}"

    # -- boxes and rows ------------------------------------------------------------------------------------------------

    @cached_property
    def _number(self) -> dict[Box, int]:
        return {box: number for number, box in enumerate(self.tracks)}

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
        """The nodes of the table: leaves, those with names first, then results with names."""
        name = self.trace.name  # variables come before what is inside of lists and objects, such as parameters
        leaves = sorted(self.trace.leaves, key=lambda leaf: (not name(leaf), not name(leaf).isidentifier()))
        return leaves + [node for node in self.trace.journal.order if node.op is not None and self.trace.name(node)]

    def _rows(self) -> list[dict[str, Any]]:
        named = [node for node in self._nodes if node.op is not None][: _MOST_ROWS // 2]
        leaves = [node for node in self._nodes if node.op is None][: _MOST_ROWS - len(named)]
        return [self._row(node) for node in leaves + named]

    def _row(self, node: Value) -> dict[str, Any]:
        return {
            "name": called(self.trace, node),
            "leaf": node.op is None,
            **self._shown(self.scenes.track(node)),
        }

    def _shown(self, track: Track) -> dict[str, Any]:
        return {
            "values": track.values,
            "gradients": [(scene, written(total), *self._colour(total)) for scene, total in track.gradients],
        }

    def _colour(self, gradient: float) -> tuple[str, int]:
        """The sign of a gradient in words, which chooses the colour, and how strong it is, in percent."""
        if not math.isfinite(gradient):
            return "broken", 100
        if gradient == 0.0:
            return "zero", 100
        return "minus" if gradient < 0.0 else "plus", round(100 * colour_depth(gradient, self.largest))

    def _scale(self) -> list[tuple[Number, str, int]]:
        """The legend of the colours."""
        return [(written(number), *self._colour(number)) for number in scale(self.largest)]

    def _note(self) -> str:
        """What to say of a graph that is not shown node by node, or step by step; and of leaves written since."""
        nodes, boxes = len(self.trace.journal.order), len(self.tracks)
        said = [] if boxes == nodes else [f"{nodes:,} nodes are in {boxes:,} boxes"]
        if not self.single:
            said.append(f"{len(self.trace):,} steps are shown in {len(self.scenes):,} groups")
        large = [f"A large graph: {' and '.join(said)}."] if said else []
        unknown = [called(self.trace, node) for node, was in self.trace.journal.recorded.written.items() if was is None]
        more = f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else ""
        return " ".join([*large, *([f"Written since: {', '.join(unknown[:3])}{more}."] if unknown else [])])


def _path(node: Value) -> str:
    """The scopes of a node, from the outside in."""
    return "/".join(map(readable, node.scope.path)) if node.scope is not None else ""


_BODY = """<a class="skip" href="#rule">skip the picture</a>
<header>
<h1 id="title">Backpropagation</h1>
<p id="now"><strong id="phase"></strong> <span id="count"></span></p>
<div role="toolbar" aria-label="moving in time">
<button data-do="first" aria-label="to the beginning" title="to the beginning (Home)"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3h2v10H3zM13 3v10L6 8z"/></svg></button>
<button data-do="back" aria-label="one step back" title="one step back (←)"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M11 3v10L4 8z"/></svg></button>
<button data-do="play" id="play" title="play or pause (space)"><svg viewBox="0 0 16 16" aria-hidden="true"><path class="run" d="M4 2v12l9-6z"/><path class="rest" d="M4 3h3v10H4zM9 3h3v10H9z"/></svg><span>play</span></button>
<button data-do="next" aria-label="one step on" title="one step on (→)"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M5 3v10l7-5z"/></svg></button>
<button data-do="last" aria-label="to the end" title="to the end (End)"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M11 3h2v10h-2zM3 3v10l7-5z"/></svg></button>
</div>
<div id="time"><input type="range" id="slider" min="0" step="1" aria-label="step"
><div id="phases" role="group" aria-label="phases"><button data-do="first" id="forward">forward</button
><button data-do="start" id="backward">backward</button></div></div>
<div id="options"><label>speed <select id="speed"><option value="2000">½×</option><option value="1000" selected>1×</option
><option value="500">2×</option><option value="200">5×</option><option value="50">20×</option></select></label>
<button data-do="help" aria-label="keys" title="keys (?)">?</button></div>
</header>
<main>
<section id="graph" aria-labelledby="graph-title">
<h2 id="graph-title">Graph</h2>
<div id="zoom" role="group" aria-label="size of the picture"><button data-do="smaller" aria-label="smaller">−</button
><button data-do="fit">fit</button><button data-do="larger" aria-label="larger">+</button></div>
<p id="note"></p>
<div id="picture"><!--picture--></div>
<ul id="legend" aria-label="colours of gradients"></ul>
</section>
<section id="rule" aria-labelledby="rule-title" tabindex="-1">
<h2 id="rule-title">Chain rule</h2>
<p id="words" role="status" aria-live="polite"></p>
<div id="formulas"></div>
</section>
<section id="source" aria-labelledby="source-title">
<h2 id="source-title">Source</h2>
<ol id="calls" aria-label="where this comes from"></ol>
<div id="files" tabindex="0"></div>
</section>
<section id="gradients" aria-labelledby="gradients-title" tabindex="0">
<div class="heading"><h2 id="gradients-title">Gradients now</h2>
<label><input type="checkbox" id="digits"> all digits</label></div>
<table><thead><tr><th scope="col">node</th><th scope="col">value</th><th scope="col">gradient</th></tr></thead><tbody></tbody></table>
<p id="rest"></p>
</section>
</main>
<dialog id="help" aria-labelledby="help-title">
<h2 id="help-title">Keys</h2>
<dl>
<div><dt><kbd>←</kbd> <kbd>→</kbd></dt><dd>one step back, one step on</dd></div>
<div><dt><kbd>Shift</kbd> <kbd>←</kbd> <kbd>→</kbd></dt><dd>to the node before, to the next node</dd></div>
<div><dt><kbd>Page ↑</kbd> <kbd>Page ↓</kbd></dt><dd>to the scope before, to the next scope</dd></div>
<div><dt><kbd>Home</kbd> <kbd>End</kbd></dt><dd>to the beginning, to the end</dd></div>
<div><dt><kbd>F</kbd></dt><dd>between forward and backward</dd></div>
<div><dt><kbd>Space</kbd></dt><dd>play, pause</dd></div>
<div><dt><kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd></dt><dd>size of the picture</dd></div>
<div><dt><kbd>D</kbd></dt><dd>all digits</dd></div>
<div><dt>click, <kbd>Enter</kbd></dt><dd>on a box: to the step of this node</dd></div>
</dl>
<form method="dialog"><button>close</button></form>
</dialog>
<noscript><p>This page needs JavaScript; it runs in the page alone and asks no server for anything.</p></noscript>
"""  # noqa: E501  # an icon is one line
