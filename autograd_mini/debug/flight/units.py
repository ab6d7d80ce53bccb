"""Dead and saturated units, looked for at every step: activations that let no gradient through, whatever the sample.

A unit is a weighted sum of parameters with an activation. Not here: nan and explosions (`events`), and which steps stay
(`steps`). Read next: `debug.flight.steps`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Reversible, Sequence
from dataclasses import dataclass
from typing import Any

from autograd_mini.core.node import Notes
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.flight.events import Event
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import counted
from autograd_mini.functions.composed import FUNCTIONS
from autograd_mini.program.stack import Scope

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
            for number, samples in Counter([number for number in flat if number not in working]).items():
                unit = number, activation
                if (spell := self.off.get(unit)) is None:
                    spell = self.off[unit] = Spell(step)
                    surprise = surprise or step - self._returned.get(unit, -_CALM) >= _CALM
                spell.steps += 1
                spell.samples += samples
                enough = max(_SAMPLES, _LONGER * self._longest.get(unit, 0))
                if spell.event is None and spell.steps >= _STEPS and spell.samples >= enough:
                    if everywhere is None:  # also behind other relus, where no gradient arrives
                        everywhere = self._seen(topological_order(root, everything=True), places)
                    if number in everywhere[activation][3]:
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
