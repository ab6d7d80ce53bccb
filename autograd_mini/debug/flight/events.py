"""What goes wrong in a training run, and where it began: nan, infinities, explosions, dead and saturated units.

A unit is a weighted sum of parameters with an activation. Not here: which steps stay (`steps`).
Read next: `debug.flight.steps`.
"""

from __future__ import annotations

import math
import re
from collections import Counter, deque
from collections.abc import Mapping, Reversible, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isfinite, isnan
from typing import Any

from autograd_mini.core.node import Notes
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import counted
from autograd_mini.functions.composed import FUNCTIONS
from autograd_mini.notation.text import number
from autograd_mini.program.stack import Scope
from autograd_mini.watch.origins import place_of

_LARGER, _LOSS_LARGER, _FIRST = 30.0, 100.0, 4  # gradients and loss, than ever in the first steps: an explosion
_FEW = 3
RECENT = 32  # steps in which an explosion may have begun before it is noticed
UNITS = ("dead", "saturated")
KINDS = ("inf", "nan", "explosion", *UNITS)


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
        return f"step {self.step:,}: {self.text} {self.end}".rstrip()

    @property
    def end(self) -> str:
        """A sentence about the end of a unit's trouble; "" for events that have none."""
        if self.until is not None:
            return f"It works again at step {self.until:,}."
        return f"It stays {self.kind} to the last step." if self.kind in UNITS else ""


class Watcher:
    """Looks at the numbers of every step."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.events: list[Event] = []
        self._losses = deque[float](maxlen=RECENT)
        self._high = 0.0, 0.0  # size of the gradients and loss, the largest so far
        self._early, self._later, self._next = (0, *self._high), (0, *self._high), 1  # those of the first steps

    def look(self, step: int, root: Value, values: Sequence[float], gradients: Sequence[float],
             graph: Mapping[Value, Any]) -> None:  # fmt: skip
        """Look at the numbers of a step."""
        loss, size = root.data, sum(map(abs, gradients))
        if not (isfinite(loss) and isfinite(size) and isfinite(sum(values))):
            self._not_finite(step, loss, {"value": values, "gradient": gradients}, graph)
        if not self._has("explosion") and isfinite(size):
            self._measure(step, size, abs(loss))

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


_ADD = TABLE["add"]
_NEVER = math.nan  # no number is below or above it
# Between these inputs, the slope of an activation is more than 1 % of its largest; outside it is flat.
STEEP = {
    "relu": (0.0, _NEVER), "tanh": (-2.9932, 2.9932), "sigmoid": (-5.989, 5.989), "hard_tanh": (-1.0, 1.0),
    "softsign": (-9.0, 9.0), "softplus": (-4.595, _NEVER), "log_sigmoid": (_NEVER, 4.595), "elu": (-4.605, _NEVER),
    "selu": (-4.605, _NEVER), "gelu": (-3.022, _NEVER), "silu": (-6.143, _NEVER),
}  # fmt: skip
_STEPS, _SAMPLES = 5, 20  # flat for so many in a row counts; a unit that was off before, and came back,
_LONGER = 4  # has to be off for so many times as many samples as then
_CALM = 32  # steps that a unit works before its going off is a surprise
_SUMS = ("add", "sub", "sum", "neg")
_BEHIND = 60  # nodes between an activation and its unit's parameters

Unit = tuple[int, str]  # its number and its activation
Seen = tuple[float, float, list[int], set[int]]  # steep between; the units that are flat, those that are not


@dataclass(slots=True)
class Spell:
    """The steps in a row in which a unit is off; it has an event as soon as there are enough of them."""

    since: int
    steps: int = 0
    samples: int = 0
    event: Event | None = None


class Units:
    """The units that are off now, and what is remembered of those that came back; what counts goes to the events."""

    def __init__(self, names: Sequence[str], events: list[Event]) -> None:
        units = [*map(unit_of, names)]
        self._names = [*dict.fromkeys(units)]
        numbers = {name: number for number, name in enumerate(self._names)}
        self._units = [numbers[name] for name in units]  # of each parameter
        self._events = events
        self.off: dict[Unit, Spell] = {}
        self.changes = 0  # in the events
        self._longest: dict[Unit, int] = {}  # samples of a spell too short to count
        self._returned: dict[Unit, int] = {}  # the step
        self._told: dict[Unit, tuple[int, Event]] = {}  # how often, and the last time

    def look(self, step: int, root: Value, graph: dict[Any, Any], places: Mapping[Value, int]) -> bool:
        """Look at the activations that a sweep reached; return True if a unit goes off here that has long worked."""
        surprise, everywhere = False, None
        for activation, (_, _, flat, working) in self._seen(graph, places).items():
            for unit in [unit for unit in self.off if unit[0] in working and unit[1] == activation]:
                self._return(unit, step)
            for which, samples in Counter([which for which in flat if which not in working]).items():
                unit = which, activation
                if (spell := self.off.get(unit)) is None:
                    spell = self.off[unit] = Spell(step)
                    surprise = surprise or step - self._returned.get(unit, -_CALM) >= _CALM
                spell.steps += 1
                spell.samples += samples
                enough = max(_SAMPLES, _LONGER * self._longest.get(unit, 0))
                if spell.event is None and spell.steps >= _STEPS and spell.samples >= enough:
                    if everywhere is None:  # also behind other relus, where no gradient arrives
                        everywhere = self._seen(topological_order(root, everything=True), places)
                    if which in everywhere[activation][3]:
                        del self.off[unit]
                    else:
                        self._tell(unit, spell)
        return surprise

    @property
    def waiting(self) -> list[int]:
        """The steps where units went off that are still off, and may turn out to be dead."""
        return sorted({spell.since for spell in self.off.values() if spell.event is None})

    def _return(self, unit: Unit, step: int) -> None:
        spell = self.off.pop(unit)
        self._returned[unit] = step
        if spell.event is None:
            self._longest[unit] = max(spell.samples, self._longest.get(unit, 0))
        else:
            spell.event.until = step
            self.changes += 1

    def _tell(self, unit: Unit, spell: Spell) -> None:
        """Make an event of a spell; of a unit, the first and the last one stay."""
        times, last = self._told.get(unit, (0, None))
        if times > 1:
            self._events.remove(last)  # type: ignore[arg-type]  # there is one
        name, activation = self._names[unit[0]], unit[1]
        is_dead = activation == "relu"
        again = f" again ({counted(times, 'time')} before)" if times else ""
        flat = f"is saturated{again}: its {activation} is flat for every sample, so almost no gradient passes"
        dead = f"is dead{again}: its relu gives 0 for every sample, so no gradient passes, and it cannot learn."
        text = f"{name} {dead}" if is_dead else f"{name} {flat}, and it learns very slowly."
        spell.event = Event(spell.since, "dead" if is_dead else "saturated", name, text)
        self._events.append(spell.event)
        self._told[unit] = times + 1, spell.event
        self.changes += 1

    def _seen(self, nodes: Reversible[Any], places: Mapping[Value, int]) -> dict[str, Seen]:
        """Return for each activation which units are flat, once per sample, and which are not for some sample."""
        firsts: dict[Any, Any] = {  # the first node of each activation: it takes the weighted sum
            scope: node
            for node in reversed(nodes)
            if (scope := node._notes) is not None
            and (type(scope) is not Notes or (scope := scope.scope) is not None)
            and scope.name in STEEP
        }
        kind = type(next(reversed(nodes)))
        if kind is not Value:  # micrograd's activations are single nodes
            firsts |= {Scope(node.op): node for node in nodes if node.op in STEEP}
        found: dict[str, Seen] = {}
        for scope, node in reversed(firsts.items()):
            if scope.parent is not None and scope.parent.name in FUNCTIONS:
                continue  # part of a composition, such as the sigmoid of silu or of a loss
            operands = node.operands
            x = operands[0] if type(operands[0]) is kind else operands[-1]  # the last one of a relu
            if type(x) is not kind:
                x = next(filter(is_node, operands))
            place = places.get(x.operands[-1]) if x._row is _ADD else None
            if place is None and (place := nearest_parameter(x, places)) is None:
                continue
            if (known := found.get(scope.name)) is None:
                found[scope.name] = known = *STEEP[scope.name], [], set()
            low, high, flat, working = known
            if (number := x._data) <= low or number >= high:
                flat.append(self._units[place])
            elif number == number:
                working.add(self._units[place])
        return found


def nearest_parameter(x: Any, places: Mapping[Value, int]) -> int | None:
    """Return the place of a parameter that a weighted sum adds, a bias if there is one, or else multiplies by."""
    behind = [x]
    for node in behind:  # the loop appends to it
        if node in places:
            return places[node]
        if node.op in _SUMS and len(behind) < _BEHIND:
            behind += filter(is_node, reversed(node.operands))
        elif node.op in ("mul", "dot"):
            for operand in node.operands:
                if is_node(operand) and operand in places:
                    return places[operand]
    return None


def unit_of(name: str) -> str:
    """Return the unit that a parameter belongs to: "layers[0].neurons[3]" for its weights and its bias."""
    return re.sub(r"(?<=\])\.[A-Za-z_]+(\[\d+\])?$", "", name)
