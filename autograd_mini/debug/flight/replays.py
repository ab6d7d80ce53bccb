"""Which steps of a run one page can step through: the graph of one step, with the inputs of the others.

Two steps share a graph if the program did the same with other numbers. Whether it did is not guessed: each step is
computed anew in that graph, and must give its recorded loss and gradients. Not here: the page (`training`).
Read next: `debug.flight.training`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextvars import Context

from autograd_mini.core.sweep import adjoints, topological_order
from autograd_mini.debug.flight.passes import Slot
from autograd_mini.debug.flight.steps import Moment, Steps
from autograd_mini.debug.pages.alive import MOST
from autograd_mini.debug.timeline.travel import Trace

_NEAR = 1e-9  # relative to the largest gradient: tanh and others are computed in the form that this one step used


class Replays:
    """The graph of one step, and the steps that it stands for.

    Attributes:
        step: the step whose graph it is; -1 if there is none.
        trace: its backward pass, in which constants that differ from step to step are leaves.
        inputs: the numbers of the leaves, in the order of the graph, by step.
        near: the steps whose last digits may differ.
        why: why there is no graph; "" if there is one.
    """

    def __init__(self, flight: Steps) -> None:
        self.inputs: dict[int, list[float]] = {}
        self.near: set[int] = set()
        self.step, self.why, self.trace = -1, "", None
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
