"""What goes wrong in a training run, and where it began: nan, infinities, explosions, dead and saturated units.

Not here: what is kept of a step (`steps`). Read next: `debug.flight.steps`.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isfinite, isnan
from typing import Any

from autograd_mini.core.node import is_relu
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import counted
from autograd_mini.notation.text import number
from autograd_mini.watch.origins import place_of

_LARGER, _LOSS_LARGER, _FIRST = 30.0, 100.0, 4  # gradients and loss, than ever in the first steps: an explosion
_FLAT = {"tanh": 0.01, "sigmoid": 0.0025}  # slopes below: 1 % of the largest
_PASSES, _SAMPLES = 5, 20  # as many in a row before a unit counts as dead or saturated
_BEHIND = 60  # nodes between an activation and its unit's parameters
_FEW = 3
RECENT = 32  # steps in which an explosion may have begun before it is noticed
KINDS = ("inf", "nan", "explosion", "dead", "saturated")


@dataclass(slots=True)
class Event:
    """Something that began at a step.

    Attributes:
        step: where it began.
        kind: "inf", "nan", "explosion", "dead" or "saturated".
        where: the parameter or the unit; "loss" for the loss.
        text: a sentence about it.
        until: the step where a unit was seen to work again; None if it was not.
    """

    step: int
    kind: str
    where: str
    text: str
    until: int | None = None

    def __str__(self) -> str:
        end = f" It works again at step {self.until:,}." if self.until is not None else ""
        return f"step {self.step:,}: {self.text}{end}"


class Watcher:
    """Looks at every step, and at the units of every pass that is kept."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._units = [*map(unit_of, names)]
        self.events: list[Event] = []
        self.off: dict[tuple[str, str], list[Any]] = {}  # of unit and kind: since when, passes, samples, the event
        self._looked = -1  # the step of the last pass
        self._losses = deque[float](maxlen=RECENT)
        self._high = 0.0, 0.0  # size of the gradients and loss, the largest so far
        self._early, self._later, self._next = (0, *self._high), (0, *self._high), 1  # those of the first steps

    def look(self, step: int, root: Value, values: Sequence[float], gradients: Sequence[float],
             graph: Mapping[Value, Any]) -> bool:  # fmt: skip
        """Look at the numbers of a step; return True if something began."""
        before, loss, size = len(self.events), root.data, sum(map(abs, gradients))
        if not (isfinite(loss) and isfinite(size) and isfinite(sum(values))):
            self._not_finite(step, loss, {"value": values, "gradient": gradients}, graph)
        if not self._has("explosion") and isfinite(size):
            self._measure(step, size, abs(loss))
        return len(self.events) > before

    def _has(self, *kinds: str) -> bool:
        return any(event.kind in kinds for event in self.events)

    def _not_finite(
        self, step: int, loss: float, numbers: Mapping[str, Sequence[float]], graph: Mapping[Value, Any]
    ) -> None:
        for kind, is_it in (("inf", math.isinf), ("nan", isnan)):
            if self._has(kind):
                continue
            told, where = (["the loss"], ["loss"]) if is_it(loss) else ([], [])
            for what, many in numbers.items():
                names = [self.names[i] for i, x in enumerate(many) if is_it(x)]
                if names:
                    more = f" and {len(names) - _FEW:,} more" * (len(names) > _FEW)
                    told.append(f"the {what}{'s' * (len(names) > 1)} of {', '.join(names[:_FEW])}{more}")
                    where += names
            if told:
                verb = "is" if len(where) == 1 else "are"
                text = f"{', '.join(told)} {verb} {kind} for the first time.{_cause(graph)}"
                self.events.append(Event(step, kind, where[0], text))

    def _measure(self, step: int, size: float, loss: float) -> None:
        """Compare the gradients with those of the first quarter to half of the run, as powers of two cut it."""
        if step == self._next:
            self._early, self._later, self._next = self._later, (step, *self._high), 2 * step
        steps, most, most_loss = self._early
        self._losses.append(loss)
        if steps >= _FIRST and most > 0.0 and size > _LARGER * most and loss > _LOSS_LARGER * most_loss:
            rising = zip([*self._losses][-2::-1], [*self._losses][::-1], strict=False)  # each loss and the next
            since = step - sum(1 for _ in takewhile(lambda pair: pair[0] < pair[1], rising))
            text = (
                f"the gradients begin to explode: at step {step:,} they are together {number(size / most, 2)} times as "
                f"large as ever in the first {counted(steps, 'step')}, and the loss is {number(loss)}. Try a smaller "
                "learning rate."
            )
            self.events.append(Event(since, "explosion", "loss", text))
        self._high = max(self._high[0], size), max(self._high[1], loss)

    # -- units ---------------------------------------------------------------------------------------------------------

    def look_inside(self, step: int, nodes: Sequence[Value], parameters: Mapping[Value, int]) -> None:
        """Look at the activations of a pass; a unit is off if its slope is flat for every sample."""
        seen: dict[tuple[str, str], list[bool]] = {}
        for kind, node, x in _activations(nodes):
            place = _nearest(x, parameters)
            if place is not None and not isnan(node.data):
                flat = bool(node.operands[0]) if kind == "relu" else _slope(kind, node.data) < _FLAT[kind]
                seen.setdefault((self._units[place], kind), []).append(flat)
        for unit, flats in seen.items():
            if not all(flats):
                if unit in self.off and (event := self.off.pop(unit)[3]) is not None:
                    event.until = step
                continue
            known = self.off.setdefault(unit, [step, 0, 0, None, self._looked])
            known[1] += 1
            known[2] += len(flats)
            if known[3] is None and known[1] >= _PASSES and known[2] >= _SAMPLES:
                known[3] = found = _off(known[0], known[4], *unit)
                self.events.append(found)
        self._looked = step

    @property
    def waiting(self) -> list[int]:
        """The steps where a unit went off that is still off, and may turn out to be dead."""
        return [since for since, *_ in self.off.values()]


def _off(step: int, before: int, unit: str, kind: str) -> Event:
    since = f" At step {before:,}, the last pass before, it was not." if before < step - 1 else ""
    if kind == "relu":
        text = f"{unit} is dead: its relu gives 0 for every sample, so no gradient passes, and it cannot learn.{since}"
        return Event(step, "dead", unit, text)
    flat = f"its {kind} is flat for every sample, so almost no gradient passes, and it learns very slowly"
    return Event(step, "saturated", unit, f"{unit} is saturated: {flat}.{since}")


def _cause(graph: Mapping[Value, Any]) -> str:
    """Say which operation made the first number that is not finite."""
    for node in graph:
        if not isfinite(node._data):
            if node.op is None:
                return ""
            numbers = ", ".join(number(getattr(x, "data", x)) for x in node.operands[:4])
            more = ", …" if len(node.operands) > 4 else ""
            place = f" ({place_of(node)})" if node.origin is not None else ""
            return f" It begins where {node.op}({numbers}{more}) gives {number(node._data)}{place}."
    return " All numbers on the way to the loss are finite, so a local derivative is not: see the chain rule there."


def _activations(nodes: Sequence[Value]) -> Iterator[tuple[str, Value, Any]]:
    """Yield the relus, tanhs and sigmoids of a graph: kind, result and operand."""
    last: dict[int, Value] = {}  # of each tanh and sigmoid
    for node in nodes:
        scope = node.scope
        if scope is None:
            continue
        if scope.name == "relu":
            if is_relu(node):
                yield "relu", node, node.operands[2]
        elif scope.name in _FLAT:
            last[id(scope)] = node
    for node in last.values():
        scope, inner = node.scope, node
        while is_node(inner) and inner.scope is scope:
            inner = next((x for x in inner.operands if is_node(x)), None)  # type: ignore[assignment]  # ends
        if inner is not None:
            assert scope is not None
            yield scope.name, node, inner


def _slope(kind: str, y: float) -> float:
    return 1.0 - y * y if kind == "tanh" else y * (1.0 - y)


def _nearest(x: Value, parameters: Mapping[Value, int]) -> int | None:
    """Return the parameter nearest behind a node, a bias if there is one."""
    behind = [x]
    for node in behind:  # the loop appends to it
        for operand in reversed(node.operands):
            if is_node(operand):
                if operand in parameters:
                    return parameters[operand]
                if len(behind) < _BEHIND:
                    behind.append(operand)
    return None


def unit_of(name: str) -> str:
    """Return the unit that a parameter belongs to: "layers[0].neurons[3]" for its weights and its bias."""
    return re.sub(r"(?<=\])\.[A-Za-z_]+(\[\d+\])?$", "", name)
