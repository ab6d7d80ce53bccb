"""The hook in every `backward()` of a training run: it looks at each step, and keeps fewer and fewer of them.

After the first steps, only every second is kept, then every fourth, and so on. The hook computes the gradients of the
sweep itself, and touches neither the graph nor any `.grad`. Not here: what happened (`events`), and what is kept
(`steps`). Read next: `debug.flight.replays`.
"""

from __future__ import annotations

import os
import sys
import warnings
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from operator import attrgetter
from types import TracebackType
from typing import Any, TypeVar

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import propagate, topological_order
from autograd_mini.debug.flight.passes import Pass, Taker, bare
from autograd_mini.debug.flight.steps import MOST_NODES, SMALL, Moment, Steps, bands_of
from autograd_mini.debug.flight.storage import Storage
from autograd_mini.engine import Value
from autograd_mini.errors import AutogradError, counted
from autograd_mini.notation.names import Names
from autograd_mini.notation.namespaces import namespaces
from autograd_mini.program.stack import Hooks, recording
from autograd_mini.watch import Watch, hooked, observing
from autograd_mini.watch.origins import remember_calls

_MOST_NAMED = 20_000
_MOST_SURPRISING = 10_000  # nodes of a pass that is kept because a unit goes off
_DATA = attrgetter("_data")

Run = TypeVar("Run", bound=Steps)


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
