"""The page of a training run: its charts and events, and the graph through which each kept step can be gone.

Two steps share a graph if the program did the same with other numbers. Whether it did is not guessed: each step is
computed anew in that graph, and must give its recorded loss and gradients. Not here: the browser's side
(`training.js`). Read next: `debug.dap`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context
from functools import cached_property
from importlib.resources import files as resources
from math import isfinite
from pathlib import Path
from typing import Any

from autograd_mini.core.sweep import adjoints, topological_order
from autograd_mini.debug.flight.events import UNITS, Event
from autograd_mini.debug.flight.passes import Slot
from autograd_mini.debug.flight.steps import Moment, Steps
from autograd_mini.debug.pages import checked_path
from autograd_mini.debug.pages.alive import MOST
from autograd_mini.debug.pages.contents import Contents
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.page import document
from autograd_mini.errors import counted
from autograd_mini.notation.text import number
from autograd_mini.output import files

_NEAR = 1e-9  # relative to the largest gradient: tanh and others are computed in the form that this one step used


class Replays:
    """The graph of one step, and the steps that it stands for."""

    def __init__(self, flight: Steps) -> None:
        self.inputs: dict[int, list[float]] = {}  # the numbers of the leaves, in the order of the graph, by step
        self.near: set[int] = set()  # the steps whose last digits may differ
        self.step, self.why = -1, ""  # the step whose graph it is, or why there is none
        self.trace: Trace | None = None  # its pass, in which constants that differ from step to step are leaves
        passes = {moment.step: moment for moment in flight if moment.kept is not None}
        small = {step: moment for step, moment in passes.items() if moment.kept and len(moment.kept) <= MOST}
        if not small:
            self.why = f"Graphs of more than {MOST:,} nodes are not on the page." if passes else "No pass was kept."
            return
        groups: dict[tuple[object, ...], list[int]] = {}
        slots: dict[int, list[Slot]] = {}
        for step, moment in small.items():
            assert moment.kept is not None
            slots[step] = moment.kept.slots()
            groups.setdefault(tuple(slot.kind for slot in slots[step]), []).append(step)
        first, largest = next(iter(groups.values())), max(groups.values(), key=len)
        chosen = first if 2 * len(first) >= len(largest) else largest  # the first step may know its lines
        self.step = chosen[0]
        own = small[self.step].kept
        assert own is not None
        self._flight, self._own = flight, own
        numbers = {step: self._numbers(small[step], slots[step]) for step in chosen}
        usual, varying = numbers[self.step], []
        for i, slot in enumerate(slots[self.step]):
            if slot.kind == "constant" and any(repr(many[i]) != repr(usual[i]) for many in numbers.values()):
                varying.append(slot.place)
        self._open = {place: f"input {number}" for number, place in enumerate(varying, start=1)}
        root, _, leaves = own.build(flight.names, self._open)
        self.trace = Trace(root, own.seed, ())
        self.trace.seek(self.trace.start)
        order = [node for node in topological_order(root, everything=True) if node.op is None]
        place_of = {node: place for place, node in leaves.items()}
        for step in chosen:
            given = {slot.place: number for slot, number in zip(slots[self.step], numbers[step], strict=True)}
            if self._gives(small[step], given):
                self.inputs[step] = [given[place_of[leaf]] for leaf in order]

    @staticmethod
    def _numbers(moment: Moment, slots: Sequence[Slot]) -> list[float]:
        assert moment.kept is not None
        return [moment.kept.numbers[slot.place] for slot in slots]

    def _gives(self, moment: Moment, given: Mapping[int, float]) -> bool:
        """Whether the graph gives the recorded loss and gradients of a step with its numbers."""
        numbers = [given.get(place, number) for place, number in enumerate(self._own.numbers)]
        root, parameters, _ = self._own.build(self._flight.names, self._open, numbers)
        swept = Context().run(adjoints, root, moment.seed)
        found = [root.data, *[_float(swept.get(p)) if p is not None else 0.0 for p in parameters]]
        assert moment.gradients is not None
        recorded = [moment.loss, *moment.gradients]
        if repr(found) == repr(recorded):
            return True
        self.near.add(moment.step)
        most = max((abs(x) for x in recorded if math.isfinite(x)), default=0.0)
        pairs = zip(found, recorded, strict=True)
        return all(a == b or (a != a and b != b) or abs(a - b) <= _NEAR * most for a, b in pairs)


def _float(adjoint: object) -> float:
    return adjoint if type(adjoint) is float else 0.0


_TITLES = {"inf": "infinite numbers", "nan": "nan, not a number", "explosion": "the gradients explode"}
_MOST_EVENTS = 24  # on the page
_MOST_ROWS = 100  # parameters in the table
_MOST_TOLD = 4  # units of one event
_MOST_INPUTS = 200_000  # numbers of all passes
_FINE = "Nothing went wrong: no nan, no infinity, no explosion, no dead or saturated unit."


class TrainingPage:
    """The page of a run; notebooks show it in a frame.

    >>> import autograd_mini as am
    >>> w = am.Value(4.0, name="w")
    >>> with am.record([w]) as flight:
    ...     (w * w).backward()
    >>> flight.page()
    TrainingPage(1 step); notebooks show it, .save("training.html") writes it
    """

    def __init__(self, flight: Steps) -> None:
        flight.moment(-1)  # raises if there is none
        self.flight = flight

    @cached_property
    def html(self) -> str:
        """The text of the page."""
        flight, replays = self.flight, Replays(self.flight)
        pages = resources("autograd_mini.debug.pages")
        base = (pages / "backprop.css").read_text(encoding="utf-8")
        ended = f"ended by {flight.ended.partition(':')[0]}" if flight.ended else "still running or killed"
        title = f"Training: {counted(flight.steps, 'step')}{f', {ended}' * (flight.ended != 'finished')}"
        body, own = (resources(__package__) / "training.html").read_text(encoding="utf-8"), ""
        data: dict[str, Any] = {}
        passes = {step: [*map(repr, numbers)] for step, numbers in replays.inputs.items()}
        if replays.trace is not None:
            contents = Contents(replays.trace, quiz=False)
            inner, data, own = contents.parts()
            body, own = body + inner, own + (pages / "backprop.js").read_text(encoding="utf-8")
            if contents.positions is None:  # no other numbers than the recorded ones
                passes = {step: [] for step in passes if step == replays.step}
            wide = max(map(len, passes.values()), default=1)
            every = -(-len(passes) * wide // _MOST_INPUTS)
            passes = {step: passes[step] for i, step in enumerate(passes) if i % every == 0 or step == replays.step}
        data["run"] = self._data(replays, passes)
        return document(title, __package__, "training.css", "training.js", body, data, own, base)

    def _data(self, replays: Replays, passes: dict[int, list[str]]) -> dict[str, Any]:
        flight = self.flight
        rest, large = len(flight.names) - _MOST_ROWS, "Of so many parameters, only the charts are kept at this step."
        events = _grouped(flight.events)
        more = f"The first {_MOST_EVENTS} of {len(events):,}; flight.events has all."
        different = f"This step made another graph than step {replays.step:,}, so its pass is not on the page"
        way = "flight.trace({}) steps through it in a program."
        sizes = [counted(len(many), "parameter") for many in flight.layers.values()]
        return {
            "steps": flight.steps,
            "names": flight.names[:_MOST_ROWS],
            "layers": [*map(list, zip(flight.layers, sizes, strict=True))],
            "rows": [self._row(moment) for moment in flight],
            "rest": f"{rest:,} more parameters are not listed." if rest > 0 else "",
            "large": large,
            "events": events[:_MOST_EVENTS],
            "fine": "" if 0 < len(events) <= _MOST_EVENTS else more if events else _FINE,
            "passes": passes,
            "graph": replays.step,
            "different": {step: f"{different}: {way.format(step)}" for step in flight.passes if step not in passes},
            "near": sorted(replays.near & passes.keys()),
            "form": f"The graph is that of step {replays.step:,}, so last digits may differ.",
            "why": replays.why,
        }

    def _row(self, moment: Moment) -> list[Any]:
        flight = self.flight
        many = [[] if x is None else [number(y) for y in x[:_MOST_ROWS]] for x in (moment.values, moment.gradients)]
        bands = [[[*map(_brief, band)] for band in layers] for layers in flight.bands(moment)]
        return [moment.step, _brief(moment.loss), number(moment.loss), *many, *bands]

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, and return its path.

        Raises:
            ArgumentError: the name does not end in .html, or the folder does not exist.
        """
        path = checked_path(path)
        files.write(path, self.html)
        return path

    def __repr__(self) -> str:
        steps = counted(self.flight.steps, "step")
        return f'TrainingPage({steps}); notebooks show it, .save("training.html") writes it'

    def _repr_html_(self) -> str:
        return (
            '<iframe sandbox="allow-scripts" title="A training run" width="100%" height="760" '
            f'style="border: 1px solid #8888; border-radius: 6px" srcdoc="{html.escape(self.html)}"></iframe>'
        )


def _brief(x: float) -> float | str:
    return float(f"{x:.6g}") if isfinite(x) else str(x)


def _grouped(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return the events with those of one kind at one step together."""
    groups: dict[tuple[int, str, bool], list[Event]] = {}
    for event in events:
        groups.setdefault((event.step, event.kind, event.until is None), []).append(event)
    found = []
    for (step, kind, stays), many in groups.items():
        is_slow = kind in UNITS
        names = [event.where for event in many[:_MOST_TOLD]]
        more = f" and {counted(len(many) - _MOST_TOLD, 'more unit')}" * (len(many) > _MOST_TOLD)
        text = many[0].text if is_slow else f"{many[0].text[0].upper()}{many[0].text[1:]}"
        ends = [many[0].end]
        if len(many) > 1:
            text = f"{', '.join(names)}{more}. Each is {text.partition(' is ')[2]}"
            ends = [f"{event.where}: {event.end}" for event in many]
            ends = [f"They stay {kind} to the last step."] if stays else ends
        title = f"{counted(len(many), f'{kind} unit')}, {'to the end' if stays else 'for a while'}"
        title = title if is_slow else _TITLES[kind]
        until = None if stays else max(event.until or 0 for event in many)
        texts = [text, *ends[:_MOST_TOLD]]
        found.append({"step": step, "until": until, "slow": is_slow, "title": title, "texts": texts})
    return found
