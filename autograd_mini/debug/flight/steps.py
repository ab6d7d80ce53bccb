"""The steps of a training run that are kept: fewer and fewer of every second, fourth, eighth, in bounded memory.

Not here: what looks at each step (`recorder`), and a run as the user sees it (`flight`).
Read next: `debug.flight.recorder`.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autograd_mini.debug.flight.events import RECENT, Event, Units, Watcher
from autograd_mini.debug.flight.passes import Pass
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, OperandError, shown

MOST_STEPS = 256
MOST_PASSES = 64
MOST_BYTES = 64_000_000  # of all passes
MOST_NODES = 200_000  # of the graph of a pass
_MOST_PINNED = 24
SMALL = 500  # parameters; of larger models a step keeps quantiles
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_MOST_LAYERS = 24

NO_STEP = "call backward() on a loss of this model inside the block, in the same thread"

Bands = list[list[float]]


@dataclass(slots=True)
class Moment:
    """What is kept of one step; `values` and `gradients` are None for a large model, unless its pass is kept."""

    step: int
    loss: float
    seed: float
    values: array[float] | None
    gradients: array[float] | None
    bands: tuple[Bands, Bands] | None = None  # quantiles by layer: of the values, and of the sizes of the gradients
    kept: Pass | None = None

    def forget(self) -> None:
        """Keep the pass no longer."""
        self.kept = None
        if self.bands is not None:
            self.values = self.gradients = None


def bands_of(numbers: Sequence[float], layers: Iterable[Sequence[int]]) -> Bands:
    """Return the quantiles of each layer; a nan makes all of them nan."""
    found = []
    for layer in layers:
        many = [numbers[i] for i in layer]
        if any(x != x for x in many):
            found.append([float("nan")] * len(QUANTILES))
        else:
            many.sort()
            found.append([many[round(share * (len(many) - 1))] for share in QUANTILES])
    return found


class Steps:
    """A training run: the steps that are kept, by number; see `Flight`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [*names]
        self.steps, self.ended = 0, ""
        self.moments: dict[int, Moment] = {}
        self.latest: Moment | None = None
        self._recent: deque[Moment] = deque(maxlen=RECENT)
        self.every = self.every_pass = 1  # which steps are kept
        self.watcher = Watcher(self.names)
        self.units = Units(self.names, self.watcher.events)
        self._waiting: dict[int, Moment] = {}  # where units went off that may turn out to be dead
        self.places: dict[Value, int] = {}  # of the parameters that the program holds

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "places": {}}  # copies are not the program's parameters

    # -- keeping -------------------------------------------------------------------------------------------------------

    def add(self, moment: Moment, began: bool) -> None:
        """Take a step in; it stays if it is one of every `every`, or something began there."""
        step = moment.step
        self.steps, self.latest = step + 1, moment
        self._recent.append(moment)
        if began:
            steps = {event.step for event in self.events}
            known = [*self._waiting.values(), *self._recent]
            self.moments |= {known.step: known for known in known if known.step in steps}
        if self._waiting or self.units.off:
            held = self._waiting | {step: moment}
            self._waiting = {s: held[s] for s in self.units.waiting[:_MOST_PINNED] if s in held}
        if not began and step % self.every:
            return
        self.moments[step] = moment
        pinned = {0, *[event.step for event in self.watcher.events[:_MOST_PINNED]]}
        while len(self.moments) > MOST_STEPS + len(pinned):  # first those that were pinned for a while
            self.moments = {s: known for s, known in self.moments.items() if s % self.every == 0 or s in pinned}
            if len(self.moments) > MOST_STEPS + len(pinned):
                self.every *= 2
                self.every_pass = max(self.every, self.every_pass)
        passes = {s: known.kept.size for s, known in self.moments.items() if known.kept is not None}
        while self.every_pass <= self.steps and (
            len(passes) > MOST_PASSES + len(pinned) or sum(passes.values()) > MOST_BYTES
        ):
            self.every_pass *= 2
            for s in [s for s in passes if s % self.every_pass and s not in pinned]:
                del passes[s]
                self.moments[s].forget()

    def restore(self, moment: Moment) -> None:
        """Take in a step of a file, where one at which something began may come after later ones."""
        began = moment.step in {event.step for event in self.watcher.events}
        if moment.step < self.steps:
            self.moments |= {moment.step: moment} if began else {}
        else:
            self.add(moment, began)

    # -- reading -------------------------------------------------------------------------------------------------------

    @property
    def kept(self) -> list[int]:
        """The steps that are kept: the first, the last, those where something began, and some between."""
        last = [] if self.latest is None else [self.latest.step]
        return sorted({*self.moments, *last})

    @property
    def passes(self) -> list[int]:
        """The steps whose backward pass is kept."""
        return [moment.step for moment in self if moment.kept is not None]

    @property
    def events(self) -> tuple[Event, ...]:
        """What went wrong, in the order in which it began."""
        return tuple(sorted(self.watcher.events, key=lambda event: event.step))

    def __iter__(self) -> Iterator[Moment]:
        return map(self.moment, self.kept)

    def __len__(self) -> int:
        return self.steps

    def moment(self, step: int) -> Moment:
        """Return what is kept of a step; -1 is the last one.

        Raises:
            ArgumentError: it is not kept.
        """
        if type(step) is not int:
            raise OperandError(f"A step is a whole number, not {shown(step)}.", "Pass flight.kept[0], for example.")
        known = self.kept
        if not known:
            raise ArgumentError("Nothing was recorded.", f"{NO_STEP.capitalize()}.")
        found = step + self.steps if step < 0 else step
        if found not in known:
            raise ArgumentError(
                f"Step {step:,} of {self.steps:,} is not kept.", f"The nearest one is {nearest(known, found)}."
            )
        return self.latest if self.latest is not None and found == self.latest.step else self.moments[found]

    # -- layers --------------------------------------------------------------------------------------------------------

    @cached_property
    def layers(self) -> dict[str, list[int]]:
        """The parameters of each layer, by their places among the names."""
        found: dict[str, list[int]] = {}
        for place, name in enumerate(self.names):
            found.setdefault(_layer(name), []).append(place)
        return found if len(found) <= _MOST_LAYERS else {"parameters": [*range(len(self.names))]}

    def bands(self, moment: Moment) -> tuple[Bands, Bands]:
        """Return the quantiles by layer at a step: of the values, and of the sizes of the gradients."""
        if moment.bands is not None:
            return moment.bands
        assert moment.values is not None
        assert moment.gradients is not None
        layers = [*self.layers.values()]
        return bands_of(moment.values, layers), bands_of([*map(abs, moment.gradients)], layers)


def nearest(steps: Sequence[int], step: int) -> int:
    """Return the step of a sorted list that is nearest to another."""
    place = bisect_left(steps, step)
    return min(steps[max(place - 1, 0) : place + 1], key=lambda known: abs(known - step))


def _layer(name: str) -> str:
    """Return the layer of a parameter: "layers[0]" of "layers[0].neurons[2].w[1]", "w" of "w[0][1]"."""
    container, dot, _ = name.partition("].")
    return f"{container}]" if dot else re.sub(r"(\[\d+\])+$", "", name)
