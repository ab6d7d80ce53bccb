"""A training run, recorded: `record(model)` keeps values, gradients and whole passes in bounded memory.

Not here: how a pass is kept (`passes`), what went wrong (`events`), which steps stay (`steps`), the hook (`recorder`),
files (`storage`), and the page (`training`). Read next: `debug.flight.passes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd_mini.debug.flight.events import KINDS
from autograd_mini.debug.flight.recorder import Recorder, Storage, load
from autograd_mini.debug.flight.steps import NO_STEP, Steps, nearest
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.nn.module import Module, by_name
from autograd_mini.notation.text import number
from autograd_mini.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

_TICKS = "▁▂▃▄▅▆▇█"
_WIDTH, _NARROW = 24, 8  # of a sparkline, and of one in a box
_DECADES = 100.0  # from here on, a sparkline is logarithmic
_FEW = 12


@dataclass(frozen=True)
class FlightStep:
    """One step that was kept.

    Attributes:
        step: its number, from 0.
        loss: the value that `backward()` was called on.
        values: the numbers of the parameters by name, before the optimizer's step; empty if they were not kept.
        gradients: what this call alone adds to their gradients, by name.
    """

    step: int
    loss: float
    values: dict[str, float]
    gradients: dict[str, float]


class Flight(Steps):
    """What is kept of a training run: a step for each `backward()`, numbered from 0.

    `record(model)` makes it, and `Flight.load(path)` reads it from a file. `flight[120]` is a step, `flight[-1]` the
    last one; `flight.trace(120)` steps through its backward pass.

    Attributes:
        names: the parameters.
        steps: how many there have been.
        ended: "finished", or the error that ended the run; "" if it is still running, or was killed.

    >>> import autograd_mini as am
    >>> w = am.Value(4.0, name="w")
    >>> with am.record([w]) as flight:
    ...     for _ in range(3):
    ...         (w * w).backward()
    ...         w.data -= 0.25 * w.grad
    ...         w.grad = 0.0
    >>> flight[-1].loss, flight[-1].gradients
    (1.0, {'w': 2.0})
    """

    @staticmethod
    def load(path: str | Path) -> Flight:
        """Read a run that was recorded with `record(model, path=...)`, even if it was killed.

        Raises:
            DataError: the file is not the record of a run.
            OSError: it cannot be read.
        """
        return load(Flight, path)

    def __getitem__(self, step: int) -> FlightStep:
        moment = self.moment(step)
        pairs = [[] if many is None else many for many in (moment.values, moment.gradients)]
        return FlightStep(moment.step, moment.loss, *[dict(zip(self.names, many, strict=bool(many))) for many in pairs])

    def trace(self, step: int) -> Trace:
        """Return the backward pass of a step, to the same bits: its gradients are those that were recorded.

        Raises:
            ArgumentError: the pass is not kept; or its numbers were changed between the computation and `backward()`.
        """
        moment = self.moment(step)
        if moment.kept is None:
            near = f"The nearest pass is that of step {nearest(self.passes, step)}." if self.passes else "No pass is."
            raise ArgumentError(f"The inputs of step {moment.step:,} are not kept.", near)
        root, parameters, _ = moment.kept.build(self.names)
        trace = Trace(root, moment.seed, ())
        last = len(trace) - 1
        swept = [None if p is None else trace.journal.gradient(p, last) for p in parameters]
        found = [0.0 if gradient is None else gradient for gradient in swept]
        assert moment.gradients is not None
        if repr([root.data, *found]) != repr([moment.loss, *moment.gradients]):
            raise ArgumentError(
                f"The pass of step {moment.step:,} cannot be repeated, because a leaf was written between the "
                "computation and backward(), or an operation gives another result each time.",
                "Call backward() before you change parameters or inputs.",
            )
        trace.seek(trace.start)
        return trace

    def story(self, node: Value) -> tuple[str, str] | None:
        """Return what happened to a parameter, in a few characters and in a line; None for any other node.

        Raises:
            ArgumentError: the run comes from a file, which does not know the `Value`s of this program.
        """
        if not self.places:
            raise ArgumentError(
                "A run from a file does not know which Values of your program it trained.",
                "Pass the run that am.record(model) gave.",
            )
        place = self.places.get(node)
        many = [] if place is None else [moment.values[place] for moment in self if moment.values is not None]
        if len(many) < 2:
            return None
        ends, low, high = [number(x, 3) for x in (many[0], many[-1])], number(min(many)), number(max(many))
        return (
            f"{ends[0]} {sparkline(many, _NARROW)} {ends[1]}",
            f"over {counted(self.steps, 'step')}: {many[0]!r} → {many[-1]!r}, between {low} and {high}",
        )

    # -- showing -------------------------------------------------------------------------------------------------------

    def page(self, path: str | Path | None = None) -> Any:
        """Show the run in a browser or a notebook; a click on a step leads to its backward pass.

        Args:
            path: the HTML file to write, which works offline; without it you get the page, which a notebook shows.

        Returns:
            the path, or without one a page, which has `.save(path)` and `.html`.

        Raises:
            ArgumentError: nothing was recorded; the path does not end in .html, or its folder does not exist.
        """
        from autograd_mini.debug.flight.training import TrainingPage

        page = TrainingPage(self)
        return page if path is None else page.save(path)

    def _repr_html_(self) -> str:
        return str(self.page()._repr_html_()) if self.kept else f"<p>{self!r}</p>"

    def __repr__(self) -> str:
        if self.latest is None:
            return "Flight(no step yet)"
        losses = f"loss {number(self.moment(self.kept[0]).loss)} → {number(self.latest.loss)}"
        began = "".join(f", {kind} from step {step:,}" for kind, step in self._began().items())
        return f"Flight({counted(self.steps, 'step')}, {losses}{began})"

    def __str__(self) -> str:
        if self.latest is None:
            return f"no step yet: {NO_STEP}"
        moments = [*self]
        losses = [moment.loss for moment in moments]
        rows = [
            ("steps", f"{self.steps:,}; kept are {len(moments)}, {len(self.passes)} with their backward pass"),
            ("loss", f"{number(losses[0])} {sparkline(losses)} {number(losses[-1])}"),
            ("ended", self.ended or "no: it is running, or was killed"),
        ]
        firsts, lasts = (self.bands(moment) for moment in (moments[0], moments[-1]))
        for place, layer in enumerate(self.layers):
            sizes = f"{number(firsts[1][place][2], 2)} → {number(lasts[1][place][2], 2)}"
            rows.append((layer, f"{counted(len(self.layers[layer]), 'parameter')}, median size of a gradient {sizes}"))
        wide = max(len(name) for name, _ in rows)
        said = [str(event) for event in self.events]
        if len(said) > _FEW:
            said[_FEW:] = [f"and {len(said) - _FEW} more"]
        return "\n".join([f"{name:{wide}}  {text}" for name, text in rows] + said)

    def _began(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for event in self.events:
            found.setdefault(event.kind, event.step)
        return {kind: found[kind] for kind in KINDS if kind in found}


def record(
    model: Module | Value | Iterable[Any] | Mapping[Any, Any], path: str | Path | None = None, sources: bool = True
) -> Watch[Flight]:
    """Record a training run: at every `backward()` inside, the loss, and values and gradients of the parameters.

    Memory stays bounded: of a long run, every second step is kept, then every fourth, and so on; always the first, the
    last, and those where nan, an infinity, an explosion, a dead or a saturated unit began. Up to 64 backward passes
    are kept with their inputs. Neither a number nor a gradient changes. In a small network, a step takes about half as
    long again, and each of the first 64, whose passes are all kept, two to six times as long.

    A `backward()` that does not reach the model does not count, nor do other threads and transforms such as
    `value_and_grad`. Two models with losses of their own need a record each. Parameters that the model gets inside the
    block are not followed, which is a warning.

    A unit is a weighted sum of parameters with an activation. It is dead or saturated where, for at least five steps
    and 20 samples in a row, its relu gives 0, or another activation has less than 1 % of its largest slope.

    Args:
        model: an `nn.Module`, a `Value`, or a list or dict of these, nested in any way.
        path: a file to write as the run goes, which `debug.Flight.load` reads, even if the run is killed. An older
            file is replaced.
        sources: note where your program made the nodes of the first step, for the page; this step takes longer.

    Returns:
        a context manager, which gives a `Flight`.

    Raises:
        OperandError: the model is none of these.
        ArgumentError: it has no parameters, or one was computed; or the path is in no folder.

    >>> import autograd_mini as am
    >>> model = am.nn.MLP(2, [3, 1], activation="tanh", seed=0)
    >>> descent = am.optim.SGD(model.parameters(), lr=0.1)
    >>> with am.record(model) as flight:
    ...     for step in range(100):
    ...         descent.zero_grad()
    ...         am.mse([model([0.0, 1.0]), model([1.0, 1.0])], [1.0, 0.0]).backward()
    ...         descent.step()
    >>> flight
    Flight(100 steps, loss 0.3969 → 1.307e-05)
    """
    if isinstance(model, Iterator):
        model = [*model]
    found = _parameters(model)
    flight = Flight([*found.values()])
    flight.places = {parameter: place for place, parameter in enumerate(found)}
    return Recorder(flight, lambda: _parameters(model), None if path is None else Storage(path), sources)


class _Given(Module):
    """Holds the model that the user passed, so that its parameters have names."""

    def __init__(self, given: Any) -> None:
        self.model = given


def _parameters(model: Any) -> dict[Value, str]:
    """Return the parameters of a model with their names, as Python writes them: "layers[0].neurons[2].w[1]"."""
    if is_node(model):
        model = [model]
    if isinstance(model, str | bytes) or not isinstance(model, Module | Mapping | Iterable):
        raise OperandError(f"record() takes a model, not {shown(model)}.", "Pass an nn.Module or its parameters.")
    given = model if isinstance(model, Module | Mapping) else [*model]
    found: dict[Value, str] = {}
    for name, parameter in by_name(model if isinstance(model, Module) else _Given(given)).items():
        found.setdefault(parameter, parameter.name or _written(name.removeprefix("model.")))
    if not found:
        for thing in given if isinstance(given, list) else ():
            if is_node(thing):
                raise ArgumentError(f"A parameter was computed by {thing.op}.", "Pass leaves: Value(number).")
        raise ArgumentError("record() found no parameters.", "Pass an nn.Module or its parameters.")
    return found


def _written(name: str) -> str:
    """Return a dotted name with its indices in brackets; a bare index is that of a parameter."""
    text = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f".{name}").removeprefix(".")
    return f"parameters{text}" if text.startswith("[") else text


def sparkline(numbers: Sequence[float], width: int = _WIDTH) -> str:
    """Return numbers as a row of small bars; × stands for nan and infinities."""
    wide = min(len(numbers), width)
    shown = [numbers[i * (len(numbers) - 1) // max(wide - 1, 1)] for i in range(wide)]
    finite = [x for x in shown if math.isfinite(x)]
    if finite and min(finite) > 0.0 and max(finite) > _DECADES * min(finite):
        return sparkline([math.log(x) if math.isfinite(x) else x for x in shown], width)
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    room = (high - low) or 1.0
    bars = [_TICKS[int((x - low) / room * 7.99)] if math.isfinite(x) else "×" for x in shown]
    return "".join(bars if high > low or not finite else ["▄" if math.isfinite(x) else "×" for x in shown])
