"""The contents of a page, as data for its script: scenes, pictures, gradients, rules, plots and paths.

Not here: the page as a file (`pages`), and the browser's side (`backprop.js`). Read next: `debug.pages.folded`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.resources import files as resources
from typing import Any

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.alive import LiveCall, enliven, position, script, sentence, told, worded
from autograd_mini.debug.pages.deck import Note
from autograd_mini.debug.pages.folded import FoldedCall
from autograd_mini.debug.pages.listing import Listing, readable
from autograd_mini.debug.pages.mathml import asked, called, formula, local, plot, rules, words
from autograd_mini.debug.pages.shots import MOST, Shot, Track, written
from autograd_mini.debug.quiz import NEAR, question
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, SEED, Step, edges
from autograd_mini.debug.timeline.paths import Call, Link, scopes_in
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.boxes import Boxes, Graph, arrange
from autograd_mini.drawing.cells import scale, shade
from autograd_mini.drawing.gradients import size
from autograd_mini.drawing.page import document
from autograd_mini.drawing.titles import by_lists
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.notation.text import number as short

_MOST_ROWS = 100  # in the table of gradients
_MOST_OPEN = 12  # calls that can be opened one by one
_MOST_BOXES = 450  # in all the pictures of open calls: a picture of 100 takes a quarter of a second
_MOST_TALL = 40  # boxes of a picture that a phone gets upright too
_MOST_PLOTS = 1_000
_MOST_LINKS = 30_000  # of all paths on a page
_LESSON = """<aside id="lesson" aria-label="lesson" tabindex="0">{sections}
<p id="unlike" role="status" hidden>You have changed a number; the text still has the recorded ones.</p>
<div id="sections"><button data-do="sectionBack" title="to the previous section (P)">back</button
><button data-do="sectionNext" title="to the next section (N)">continue</button></div></aside>
"""


class Contents:
    """The contents of a page, as data for its script."""

    def __init__(self, trace: Trace, quiz: bool, title: str = "", notes: Sequence[Note] = ()) -> None:
        self.title, self.notes = title, notes
        is_single = len(trace) <= MOST
        self.positions, why = None, ""
        if not quiz:
            trace, self.positions, why = enliven(trace, with_calls=is_single)
        self.trace, self.quiz, self.why = trace, quiz, why
        graph = Graph(tuple(topological_order(trace.root, everything=True)), None if quiz else trace.names)
        first = Shot("", "folded", trace, arrange(graph, names=None if quiz else trace.names))  # as `draw` has them
        self.scenes = first.scenes
        self.listing = Listing()
        totals = [abs(step.total) for step in trace if step.phase != FORWARD and math.isfinite(step.total)]
        self.largest = max(totals, default=0.0)
        self.single = len(self.scenes) == len(trace)
        if quiz and not self.single:
            raise ArgumentError(
                f"A quiz asks about single steps, and here are {len(trace):,}, which a page shows in groups.",
                "Ask about a part of the graph, or use debug.shell(v, quiz=True).",
            )
        self.rules: list[list[Any]] = []
        self._known_rules: dict[tuple[Value, int], int] = {}
        self.plots: dict[object, str] = {}
        self.calls: list[Call] = []
        self.shots = [first]
        self._remaining = _MOST_BOXES
        if self.single:
            self.calls = [call for call in trace.calls.values() if first.is_closed(call)]
            self.shots += self._opened(graph, first)
            if not quiz:
                self.shots += self._folded(graph, first)
            first.opens = {*self.calls} - {*trace.calls.values()}
            if first.opens == {*self.calls}:
                first.title = "all"
            if not first.stage.across and 2 < len(first.boxes.boxes) <= _MOST_TALL:
                self.shots.append(Shot("", first.title, trace, first.boxes, tall=True))

    def _opened(self, graph: Graph, first: Shot) -> Iterator[Shot]:
        """Yield pictures in which one of the calls is open, and one in which all are."""
        used: Counter[str] = Counter()
        for call in self.calls[:_MOST_OPEN]:
            scope = first.boxes.box[call.nodes[0]].part
            assert scope is not None  # a folded call is a part
            boxes = arrange(graph, names=self.trace.names, expand=[scope.scopes[0]])
            if not self._has_room(boxes):
                break
            yield Shot(_key(call, used), FoldedCall(self.trace, call).title, self.trace, boxes, opens=[call])
        if len(self.calls) > 1 and len((boxes := arrange(graph)).boxes) <= _MOST_BOXES // 3:
            yield Shot("all", "all", self.trace, boxes, opens=self.calls)

    def _folded(self, graph: Graph, first: Shot) -> Iterator[Shot]:
        """Yield pictures in which one of the user's own scopes and composites is folded."""
        used: Counter[str] = Counter()
        framed = {part.scopes[0] for part in first.stage.clusters if len(part.scopes) == 1}
        found = [call for scope, call in scopes_in(self.trace.journal.order).items() if scope in framed]
        calls = found if self.positions is None else [LiveCall(call, self.positions) for call in found]
        for call in calls[:_MOST_OPEN]:
            boxes = arrange(graph, names=self.trace.names, closed=call.scope)
            if not self._has_room(boxes):
                break
            self.calls.append(call)
            title = f"{FoldedCall(self.trace, call).title}, folded"
            yield Shot(f"fold-{_key(call, used)}", title, self.trace, boxes, folds=call)

    def _has_room(self, boxes: Boxes) -> bool:
        self._remaining -= len(boxes.boxes)
        return self._remaining >= 0

    def html(self, is_dark: bool | None = None) -> str:
        """Return the text of the page; without a theme, in that of the reader's system."""
        title = self.title or f"Backpropagation of {called(self.trace, self.trace.root)}{': a quiz' * self.quiz}"
        body, data, own = self.parts()
        return document(title, __package__, "backprop.css", "backprop.js", body, data, own, is_dark=is_dark)

    def parts(self) -> tuple[str, dict[str, Any], str]:
        """Return the body of the page, the data for its script, and what its script begins with."""
        data = self._data()
        body = (resources(__package__) / "backprop.html").read_text(encoding="utf-8")
        pictures = "".join(f'<div class="shot" hidden>{shot.stage.svg}</div>' for shot in self.shots)
        body = (
            body.replace("<!--lesson-->", self._lesson())
            .replace("<!--pictures-->", pictures)
            .replace("<!--plots-->", "".join(self.plots.values()))
        )
        alive = (resources(__package__) / "alive.js").read_text(encoding="utf-8")
        return body, data, "" if self.positions is None else script(self.positions) + alive

    def _lesson(self) -> str:
        """Return the text beside the steps."""
        if not self.notes:
            return ""
        sections = "".join(
            f'<section data-step="{step}"><h2><button>{heading}</button></h2>{text}</section>'
            for step, heading, text in self.notes
        )
        return _LESSON.format(sections=sections)

    def _data(self) -> dict[str, Any]:
        trace, rows = self.trace, [*map(self._row, self._shown_nodes)]
        scenes = [self._scene(number) for number in range(len(self.scenes))]  # first: they number the arrows
        pictures = [shot.data(self._shown, self.calls, self.positions) for shot in self.shots]
        left_out = len(self._nodes) - len(rows)
        return {
            "scenes": scenes,
            "steps": len(trace),
            "start": self.scenes.of(trace.start),
            "first": self.scenes.of(trace.position),
            "pictures": pictures,
            "folds": [self._fold(call) for call in self.calls],
            "inside": self._inside(),
            "rules": self.rules,
            "rows": rows,
            "others": self._others(pictures),
            "paths": (paths := self._paths()),
            "names": [called(trace, node) for node in trace.journal.order] if paths else [],
            "places": self.listing.places,
            "files": self.listing.files,
            "note": self._note(),
            "rest": f"{left_out:,} more nodes are not listed." if left_out else "",
            "scale": [(written(number), *self._colour(number)) for number in scale(self.largest)],
            "near": str(NEAR),
            "live": self.positions and self.positions.data(lambda node: called(trace, node)),
            "largest": repr(self.largest),
            "why": self.why,
        }

    # -- scenes --------------------------------------------------------------------------------------------------------

    def _scene(self, number: int) -> dict[str, Any]:
        trace, steps = self.trace, self.scenes.steps(number)
        step = trace[steps[-1]]
        if steps[0] >= trace.start:  # show the largest of several contributions
            step = max((trace[index] for index in steps), key=lambda step: size(step.contribution))
        about = rules(trace, step)
        scene = {
            "step": steps[-1],
            "phase": step.phase,
            "turn": self.scenes.of(trace.journal.turn(step.index)[0]) if self.single else number,
            "scope": _path(step.node),
            **worded(words(trace, step)),
            "formula": formula(trace, step),
            "rules": [self._rule(*key) for key in about],
            "plot": self._plot(about[0]) if len(about) == 1 else "",
            "place": self.listing.place(trace, step.node),
            **self._motion(steps),
            **self._asked(step),
        }
        return scene if len(steps) == 1 else {**scene, "first": steps[0], **worded(self._summary(steps, step))}

    def _rule(self, node: Value, place: int) -> int:
        """Return the number of a local derivative among those of the page."""
        key = node, place
        if key not in self._known_rules:
            self._known_rules[key] = len(self.rules)
            self.rules.append(local(self.trace, node, place))
        return self._known_rules[key]

    def _plot(self, key: tuple[Value, int]) -> str:
        """Return the id of the plot of a local derivative; "" if it has none."""
        if key not in self.plots:
            self.plots[key] = plot(self.trace, *key, f"plot-{len(self.plots)}") if len(self.plots) < _MOST_PLOTS else ""
        return self.plots[key][9:].partition('"')[0]  # <svg id="…"

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
        """Return where something happens: the node, its receiver, which contribution; for several steps, the boxes."""
        journal = self.trace.journal
        if self.single:
            step = journal[steps[0]]
            place = steps[0] - journal.turn(steps[0])[0] if step.phase == BACKWARD else -1
            receiver = journal.numbers[step.operand] if step.phase == BACKWARD and step.operand is not None else -1
            return {"move": [journal.numbers[step.node], receiver, place]}
        shot = self.shots[0]
        places: dict[int, None] = {}
        receivers: dict[int, None] = {}
        ways: dict[int, None] = {}
        for index in steps:
            step = journal[index]
            places[shot.box(step.node)] = None
            if step.phase == FORWARD:
                ways.update(dict.fromkeys(shot.ways(step.node)))
            elif step.phase == BACKWARD and step.operand is not None:
                receivers[shot.box(step.operand)] = None
                ways[shot.ways(step.node)[index - journal.turn(index)[0]]] = None
        return {"at": [*places], "to": [*receivers], "ways": [way for way in ways if way >= 0]}

    def _summary(self, steps: range, shown: Step) -> str:
        scopes = {_path(step.node) for step in self.trace[steps[0] : steps[-1] + 1] if step.node.op is not None}
        where = f" in {scopes.pop()}" if len(scopes) == 1 and "" not in scopes else ""
        what, which = ("numbers", "last") if shown.phase == FORWARD else ("contributions", "largest")
        return f"{len(steps):,} {what}{where}; the {which}: {words(self.trace, shown)}"

    # -- folds ---------------------------------------------------------------------------------------------------------

    def _fold(self, call: Call) -> dict[str, Any]:
        found, key = FoldedCall(self.trace, call), f"plot-{len(self.plots)}"
        self.plots[call] = found.plot(key)
        return found.data(key)

    def _inside(self) -> list[list[int]]:
        """Return the folds that each scene happens in."""
        if not self.calls:
            return []
        around: dict[Value, list[int]] = {}
        for fold, call in enumerate(self.calls):
            for node in call.nodes:
                around.setdefault(node, []).append(fold)
        return [[] if step.phase == SEED else around.get(step.node, []) for step in self.trace]

    # -- paths ---------------------------------------------------------------------------------------------------------

    def _paths(self) -> dict[int, dict[str, Any]]:
        """Return the paths from the root to the leaves of the table, by the leaf's number; nodes are numbers too."""
        journal, leaves = self.trace.journal, [node for node in self._shown_nodes if node.op is None]
        if not self.single or journal.changes:  # the paths of a large graph would be larger than the page
            return {}
        found: dict[int, dict[str, Any]] = {}
        left = _MOST_LINKS
        for leaf in leaves:
            paths = self.trace.paths(leaf)
            listed: list[Any] = []
            for path in paths.paths:
                left -= len(path.links) + 1
                if left < 0 and listed:
                    break
                steps = [
                    (journal.numbers[link.node], self._uses(link), written(link.local), self._place(link))
                    for link in path.links
                ]
                listed.append([written(path.product), steps])
            if listed:
                total = self._sum(leaf, [path.product for path in paths.paths[: len(listed)]], paths.count)
                plain, numbers = sentence(total)
                found[journal.numbers[leaf]] = {"paths": listed, "sum": plain, "told": numbers}
        return found

    def _place(self, link: Link) -> int | list[int] | None:
        """Return where the page computes a factor of a path."""
        if self.positions is None or link.node in self._by_output:
            return position(link.local)
        return self.positions.locals[link.node, self.positions.recorded[link.node][link.place]]

    def _uses(self, link: Link) -> list[tuple[int, int]]:
        """Return the contributions that a factor of a path stands for: all inside a call, if it is one."""
        numbers, call = self.trace.journal.numbers, self._by_output.get(link.node)
        if call is None:
            return [(numbers[link.node], link.place)]
        own = {*call.nodes, link.operand}
        return [(numbers[x], i) for x in call.nodes for i, (operand, _) in enumerate(edges(x)) if operand in own]

    @cached_property
    def _by_output(self) -> dict[Value, Call]:
        return {output: call for call in self.trace.calls.values() for output in call.fold.outputs}

    def _sum(self, leaf: Value, products: list[float], count: int) -> str:
        name, root = called(self.trace, leaf), called(self.trace, self.trace.root)
        gradient = told(self.trace.journal.gradient(leaf, len(self.trace) - 1) or 0.0)
        if len(products) < count:
            return (
                f"The {len(products)} heaviest of {count:,} paths from {root} to {name}: "
                f"they add up to {short(math.fsum(products) if all(map(math.isfinite, products)) else sum(products))}; "
                f"the gradient is {gradient}."
            )
        return f"{counted(count, 'path')} from {root} to {name}: adding up to {gradient}, the gradient."

    # -- rows ----------------------------------------------------------------------------------------------------------

    @cached_property
    def _nodes(self) -> list[Value]:
        """The nodes of the table: leaves, named ones first, then results with names; lists together, in their order."""
        name = self.trace.name  # variables come before the contents of lists and objects, such as parameters
        leaves = sorted(self.trace.leaves, key=lambda leaf: (not name(leaf), not name(leaf).isidentifier()))
        results = [node for node in self.trace.journal.order if node.op is not None and name(node)]
        return [*by_lists(leaves, name), *by_lists(results, name)]

    @cached_property
    def _shown_nodes(self) -> list[Value]:
        """The nodes that the table has room for."""
        named = [node for node in self._nodes if node.op is not None][: _MOST_ROWS // 2]
        return [node for node in self._nodes if node.op is None][: _MOST_ROWS - len(named)] + named

    def _row(self, node: Value) -> dict[str, Any]:
        number, shown = self.trace.journal.numbers[node], self._shown(self.scenes.track(node))
        return {"name": called(self.trace, node), "node": number, "leaf": node.op is None, **shown}

    def _others(self, pictures: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of the nodes in boxes that the table does not show until their box is opened."""
        order, shown = self.trace.journal.order, {self.trace.journal.numbers[node] for node in self._shown_nodes}
        inside = dict.fromkeys(n for picture in pictures for box in picture["boxes"] for n in box["inside"])
        return [self._row(order[number]) for number in inside if number not in shown]

    def _shown(self, track: Track) -> dict[str, Any]:
        gradients = [
            (scene, written(total), *self._colour(total), *([] if (at := position(total)) is None else [at]))
            for scene, total in track.gradients
        ]
        return {"values": track.values, "gradients": gradients, "node": track.node}

    def _colour(self, gradient: float) -> tuple[str, int]:
        """Return the sign of a gradient as a word, which selects the colour, and its strength in percent."""
        word, depth = shade(gradient, self.largest)
        return word, round(100 * depth)

    def _note(self) -> str:
        """Return a note on nodes grouped into boxes, steps grouped into scenes, and leaves written since."""
        nodes, boxes = len(self.trace.journal.order), len(self.shots[0].boxes.boxes)
        grouped = any(box.alone is None and not box.folded for box in self.shots[0].boxes.boxes)
        said = [] if not grouped else [f"{nodes:,} nodes are in {boxes:,} boxes"]
        if not self.single:
            said.append(f"{len(self.trace):,} steps are shown in {len(self.scenes):,} groups")
        note = [f"A large graph: {' and '.join(said)}."] if said else []
        unknown = [called(self.trace, node) for node, was in self.trace.journal.recorded.written.items() if was is None]
        more = f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else ""
        return " ".join(note + [f"Written since: {', '.join(unknown[:3])}{more}."] * bool(unknown))


def _key(call: Call, used: Counter[str]) -> str:
    """Return how the address of a page names a call: its name, numbered if several share it."""
    name = re.sub(r"\W", "-", call.name)
    used[name] += 1
    return f"{name}-{used[name]}" if used[name] > 1 else name


def _path(node: Value) -> str:
    """Return the scopes of a node, from the outside in."""
    return "/".join(map(readable, node.scope.path)) if node.scope is not None else ""
