"""The page of a training run: its charts and events as data, and the graph to step through each kept step.

Not here: the browser's side (`training.js`), and which steps share a graph (`replays`). Read next: `debug.dap`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cached_property
from importlib.resources import files as resources
from math import isfinite
from pathlib import Path
from typing import Any

from autograd_mini.debug.flight.events import UNITS, Event
from autograd_mini.debug.flight.replays import Replays
from autograd_mini.debug.flight.steps import Moment, Steps
from autograd_mini.debug.pages import checked_path
from autograd_mini.debug.pages.contents import Contents
from autograd_mini.drawing.page import document
from autograd_mini.errors import counted
from autograd_mini.notation.text import number
from autograd_mini.output import files

_TITLES = {"inf": "infinite numbers", "nan": "nan, not a number", "explosion": "the gradients explode"}
_MOST_EVENTS = 24  # on the page
_MOST_ROWS = 100  # parameters in the table
_MOST_TOLD = 4  # units of one event
_MOST_INPUTS = 200_000  # numbers of all passes
_FINE = "Nothing went wrong: no nan, no infinity, no explosion, no dead or saturated unit."


class TrainingPage:
    """The page of a run; notebooks show it in a frame.

    Args:
        flight: the run.

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
