"""The hook in every `backward()` of a training run, which keeps fewer and fewer steps, and the file that it writes.

The hook computes the gradients of the sweep itself, and touches neither the graph nor any `.grad`. The file gets one
line per step, with numbers to the bit, so that a killed run leaves what it had. Not here: what happened (`events`), and
what is kept (`steps`). Read next: `debug.flight.training`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import propagate, topological_order
from autograd_mini.debug.flight.events import Event
from autograd_mini.debug.flight.passes import Pass, Taker, bare, packed, unpacked
from autograd_mini.debug.flight.steps import MOST_NODES, SMALL, Moment, Steps, bands_of
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, AutogradError, DataError, counted
from autograd_mini.notation.names import Names
from autograd_mini.notation.namespaces import namespaces
from autograd_mini.output import files
from autograd_mini.output.streams import reason
from autograd_mini.program.stack import Hooks, recording
from autograd_mini.watch import Watch, hooked, observing
from autograd_mini.watch.origins import remember_calls

Run = TypeVar("Run", bound=Steps)
_MOST_NAMED = 20_000
_MOST_SURPRISING = 10_000  # nodes of a pass that is kept because a unit goes off
_DATA = attrgetter("_data")


class Recorder(Watch[Run]):
    """The block of `record`, whose hook hands steps to a run."""

    __slots__ = "_layers", "_members", "_open", "_parameters", "_process", "_search", "_sources", "_storage", "_taker"

    def __init__(
        self, flight: Run, search: Callable[[], Mapping[Value, str]], storage: Storage | None, sources: bool
    ) -> None:
        def observe(root: Value, seed: float) -> None:
            if os.getpid() == self._process:  # a fork has its own copy, but not its own file
                self._observe(root, seed)

        def change(hooks: Hooks) -> Hooks:
            outer = hooks.at_backward
            inside = getattr(outer, "recorders", ())
            if self in inside:  # entered again inside itself, it would count each step twice
                return hooks

            def both(root: Value, seed: float) -> None:
                if outer is not None:
                    outer(root, seed)
                observe(root, seed)

            both.recorders = *inside, self  # type: ignore[attr-defined]  # of a function
            return replace(hooks, at_backward=both)

        super().__init__(change, flight)
        parameters = [*flight.places]
        self._parameters, self._members, self._search = parameters, frozenset(parameters), search
        self._taker, self._storage, self._process = Taker(parameters), storage, os.getpid()
        self._layers = [*flight.layers.values()]
        self._sources = observing(remember_calls()) if sources else None  # of the first step alone: it takes time
        self._open = 0

    def __enter__(self) -> Run:
        flight = self.result
        flight.ended = ""
        if self._storage is not None and not self._open:
            self._storage.begin(flight)  # first: it may fail
        super().__enter__()
        self._open += 1
        if self._sources is not None and self._open == 1:
            if flight.steps or recording().hooks.observers:
                self._sources = None
            else:
                self._sources.__enter__()
        return flight

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open -= 1
        if not self._open:
            self._leave_sources()
            self.result.ended = "finished" if kind is None else f"{kind.__name__}: {error}".rstrip(": ")
            if self._storage is not None and os.getpid() == self._process:
                self._storage.finish(self.result)
        super().__exit__(kind, error, trace)
        new: list[str] = []
        if not self._open and kind is None:
            with suppress(AutogradError):  # by now the model may hold parts that cannot be searched
                new = [name for parameter, name in self._search().items() if parameter not in self._members]
        if new:
            warnings.warn(
                f"Since record(model), the model has gained {counted(len(new), 'parameter')}, such as {new[0]}, which "
                "this record does not follow. Write to p.data instead of replacing p, and complete the model first.",
                stacklevel=2,
            )

    def _leave_sources(self) -> None:
        if self._sources is not None:
            self._sources.__exit__(None, None, None)
            self._sources = None

    def _observe(self, root: Value, seed: float) -> None:
        graph = topological_order(root)
        if self._members.isdisjoint(graph) and self._members.isdisjoint(topological_order(root, everything=True)):
            return  # another model's; a model whose relus are all dead is in the graph, but no gradient gets there
        hooks = recording().hooks
        if hooks.observers or hooks.checked is not None:  # theirs is the sweep of the program alone
            with hooked(observers=(), checked=None):
                propagate(root, seed, graph)
        else:
            propagate(root, seed, graph)
        gradients = [*map(graph.get, self._parameters, repeat(0.0))]
        if set(map(type, gradients)) != {float}:
            gradients = [0.0 if x is ZERO else float(x) for x in gradients]
        self._keep(root, seed, graph, [*map(_DATA, self._parameters)], gradients)
        self._leave_sources()

    def _keep(
        self, root: Value, seed: float, graph: dict[Any, Any], values: list[float], gradients: list[float]
    ) -> None:
        flight = self.result
        step = flight.steps
        known, changes = len(flight.events), flight.units.changes
        flight.watcher.look(step, root, values, gradients, graph)
        began = len(flight.events) > known
        wanted = step % flight.every_pass == 0 or began
        surprise = flight.units.look(step, root, graph, flight.places)
        began = began or flight.units.changes > changes
        moment = Moment(step, root.data, seed, None, None)
        if len(graph) <= (MOST_NODES if wanted else _MOST_SURPRISING * surprise):
            moment.kept, nodes = self._taker.take(root, seed, graph)
            if recording().hooks.observers or root.origin is not None:
                self._describe(moment.kept, nodes)
        if len(values) <= SMALL or moment.kept is not None:
            moment.values, moment.gradients = array("d", values), array("d", gradients)
        if len(values) > SMALL:
            sizes = [*map(abs, gradients)]
            moment.bands = bands_of(values, self._layers), bands_of(sizes, self._layers)
        flight.add(moment, began)
        if self._storage is not None:
            self._storage.add(flight, moment, began)

    def _describe(self, kept: Pass, nodes: Sequence[Value]) -> None:
        """Note what the program calls the nodes of a pass, and where it made them."""
        kept.scopes = bare(kept.scopes)
        kept.origins = [node.origin for node in nodes]
        if len(nodes) <= _MOST_NAMED and not self.result.moments:
            names = Names(nodes, namespaces(sys._getframe(1)))
            kept.names = {place: name for place, node in enumerate(nodes) if (name := names.name(node))}


_KIND = "autograd-mini flight"
_SECONDS = 0.25  # between two steps that are written although they may not be kept
_ROOM = 4_000_000  # bytes beyond twice those of what is kept, until the file is written anew


class Storage:
    """Appends steps to a file, and writes it anew when it holds too much that is no longer kept."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise ArgumentError(f"There is no folder {str(self.path.parent)!r}.", "Create it first, or choose another.")
        self.path = self.path.absolute()  # the program may change the directory
        self._file: IO[str] | None = None
        self._written = self._least = 0
        self._last = 0.0
        self._events: object = None  # what changes with them
        self._lines = set[int]()  # the steps in the file

    def begin(self, flight: Steps) -> None:
        """Write the file anew, with what is kept."""
        if self._file is not None:
            self._file.close()
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in _lines(flight))
        files.write(self.path, text)
        self._written, self._least, self._lines = len(text), len(text), {*flight.kept}
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115  # open as long as the run

    def add(self, flight: Steps, moment: Moment, began: bool) -> None:
        """Write a step if it is kept, or if the last one was written a while ago; a full disk does not end a run."""
        now = time.monotonic()
        if self._file is None or not (moment.step in flight.moments or began or now - self._last > _SECONDS):
            return
        self._last = now
        try:
            if began or self._events != (len(flight.events), flight.units.changes):
                self._append({"events": [*map(asdict, flight.events)]})
                self._events = len(flight.events), flight.units.changes
                self._append_all(known for step, known in flight.moments.items() if step not in self._lines)
            if moment.step not in self._lines:
                self._append_all([moment])
            self._file.flush()
            if self._written > 2 * self._least + _ROOM:
                self.begin(flight)
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            self._file = None
            warnings.warn(f"The record of this run ends at step {moment.step:,}: {reason(error)}", stacklevel=2)

    def finish(self, flight: Steps) -> None:
        """Write what is kept, and how the run ended."""
        if self._file is not None:
            self.begin(flight)
            self._file.close()
            self._file = None

    def _append_all(self, moments: Iterable[Moment]) -> None:
        for moment in moments:
            self._append(_line(moment))
            self._lines.add(moment.step)

    def _append(self, line: dict[str, Any]) -> None:
        assert self._file is not None
        text = json.dumps(line, separators=(",", ":")) + "\n"
        self._written += len(text)
        self._file.write(text)


def _lines(flight: Steps) -> Iterator[dict[str, Any]]:
    yield {"kind": _KIND, "version": 1, "names": flight.names}
    yield {"events": [*map(asdict, flight.events)]}
    yield from map(_line, flight)
    if flight.ended:
        yield {"ended": flight.ended}


def _line(moment: Moment) -> dict[str, Any]:
    found: dict[str, Any] = {"step": moment.step, "loss": moment.loss, "seed": moment.seed, "bands": moment.bands}
    for what in ("values", "gradients"):
        numbers = getattr(moment, what)
        found[what] = None if numbers is None else packed(numbers)
    return found if moment.kept is None else {**found, "pass": moment.kept.data()}


def load(kind: type[Run], path: str | Path) -> Run:
    """Return the run in a file; the last line may be incomplete, if the run was killed."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        head = json.loads(lines[0])
        if head["kind"] != _KIND or head["version"] != 1:
            raise ValueError
        made = kind([*map(str, head["names"])])
    except (ValueError, LookupError, TypeError):
        raise DataError(f"{path} is not the record of a run.", "Load what am.record(model, path=...) wrote.") from None
    for number, text in enumerate(lines[1:], start=2):
        try:
            if not text:
                continue
            line = json.loads(text)
            if "step" in line:
                made.restore(_moment(line))
            elif "events" in line:
                made.watcher.events[:] = [Event(**event) for event in line["events"]]
            made.ended = str(line.get("ended", ""))
        except (ValueError, LookupError, TypeError, AttributeError):
            if number == len(lines):  # it was being written
                break
            raise DataError(f"{path}, line {number}: this is not a step of a run.", "The file was changed.") from None
    return made


def _moment(line: dict[str, Any]) -> Moment:
    values, gradients = (None if line[k] is None else unpacked("d", line[k]) for k in ("values", "gradients"))
    kept = Pass.read(line["pass"]) if "pass" in line else None
    bands: Any = line["bands"]
    return Moment(int(line["step"]), float(line["loss"]), float(line["seed"]), values, gradients, bands, kept)
