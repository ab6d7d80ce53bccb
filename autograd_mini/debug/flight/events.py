"""What goes wrong in a training run, and where it began: nan, infinities and explosions.

Not here: dead and saturated units (`units`). Read next: `debug.flight.units`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isfinite, isnan
from typing import Any

from autograd_mini.engine import Value
from autograd_mini.errors import counted
from autograd_mini.notation.text import number
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
