"""What happened: each node as it is computed, each contribution of the sweep, and the state after every step.

Nothing is replayed or undone, because the journal keeps the sum after each contribution. Not here: the names of nodes
(`index`), and the debugger's position (`travel`). Read next: `debug.timeline.index`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import sweep, topological_order
from autograd_mini.engine import Value
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.program.stack import Scope, outwards

FORWARD, SEED, BACKWARD, WHAT_IF = "forward", "seed", "backward", "what if"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: a node is computed, or it hands one contribution to one operand.

    Attributes:
        index: the number of the step, from 0.
        phase: "forward" if a node is computed, "seed" if the sweep begins at the root, "backward" for a contribution,
            "what if" for a gradient changed by hand.
        node: the node that is computed, or that hands on its gradient.
        operand: the node that receives; None in the forward phase.
        upstream: the complete gradient of the node; None in the forward phase.
        local: the local derivative of the node by this operand; None in the forward phase.
        contribution: upstream times local, which is added; None in the forward phase.
        total: the gradient of the operand after this step; in the forward phase the computed number.
    """

    index: int
    phase: str
    node: Value
    operand: Value | None
    upstream: float | None
    local: float | None
    contribution: float | None
    total: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A gradient changed by hand after turn number `after` of the sweep."""

    after: int
    node: Value
    gradient: float


class _Noted:
    """A number for the sweep to multiply and add, which notes the sum after each contribution."""

    __slots__ = ("number", "sums")

    def __init__(self, number: float, sums: array[float]) -> None:
        self.number, self.sums = number, sums

    def __mul__(self, local: float) -> _Noted:
        contribution = self.number * local
        self.sums.append(contribution)
        return _Noted(contribution, self.sums)

    def __add__(self, contribution: _Noted) -> _Noted:
        self.sums[-1] = total = self.number + contribution.number
        return _Noted(total, self.sums)


class Journal:
    """All steps of a computation and of the sweep back through it, in order."""

    def __init__(self, root: Value, seed: float = 1.0) -> None:
        self.root, self.seed = root, seed
        self.order = tuple(sorted(topological_order(root, everything=True), key=lambda node: node.op is not None))
        self.start = len(self.order)  # the step where the sweep begins; each earlier step computes a node
        self.numbers = {node: number for number, node in enumerate(self.order)}
        self.recorded = Snapshot(self.order)  # now, because the program may write to leaves later
        self._values = array("d", map(self.recorded.value, self.order))
        self._record(())

    def _record(self, changes: Sequence[WhatIf]) -> None:
        self.changes = tuple(changes)  # in the order of time
        # A turn is all that one node hands on, or a change by hand. The first turn is the seed; steps count from there.
        self._turns: list[Value | WhatIf] = []
        self._firsts = array("q")  # the first step of each turn
        self._turn_of: dict[Value, int] = {}
        self._sums = array("d", [self.seed])  # after each step
        self._arrivals = {node: array("q") for node in self.order}
        self._recent: tuple[Value, list[tuple[Value, float]]] = self.root, edges(self.root)
        self._extents: dict[tuple[Scope, bool], tuple[int, int]] = {}
        self._begin(self.root, 0, [self.root])
        adjoints = topological_order(self.root)
        for node, _ in sweep(self.root, _Noted(self.seed, self._sums), adjoints):
            self._change(adjoints)
            receivers = [operand for operand, _ in edges(node)]
            if receivers:  # the sweep hands on when the next node is asked for
                self._turn_of[node] = len(self._turns)
                self._begin(node, len(self._sums), receivers)
        self._change(adjoints)

    def _begin(self, turn: Value | WhatIf, first: int, receivers: Sequence[Value]) -> None:
        self._turns.append(turn)
        self._firsts.append(first)
        for step, receiver in enumerate(receivers, first):
            self._arrivals[receiver].append(step)

    def _change(self, adjoints: dict[Value, Any]) -> None:
        """Apply the changes by hand that are due."""
        for change in self.changes:
            if change.after == len(self._turns) - 1:
                self._begin(change, len(self._sums), [change.node])
                self._sums.append(change.gradient)
                if adjoints[change.node] is ZERO:
                    adjoints[change.node] = _Noted(change.gradient, self._sums)
                else:  # in place, because the sweep may hold it already
                    adjoints[change.node].number = change.gradient

    # -- steps and turns -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.start + len(self._sums)

    def __iter__(self) -> Iterator[Step]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> Step:
        index = range(len(self))[index]
        if index < self.start:
            return Step(index, FORWARD, self.order[index], None, None, None, None, self._values[index])
        step = index - self.start
        number = self._number_of_turn(index)
        turn, first, total = self._turns[number], self._firsts[number], self._sums[step]
        if isinstance(turn, WhatIf):
            return Step(index, WHAT_IF, turn.node, turn.node, None, None, None, total)
        if number == 0:
            return Step(index, SEED, turn, turn, total, 1.0, total, total)
        if self._recent[0] is not turn:  # most requests are in a row, and a node may have thousands of operands
            self._recent = turn, edges(turn)
        operand, local = self._recent[1][step - first]
        upstream = self.gradient(turn, self.start + first - 1)
        assert upstream is not None  # the node has handed it on
        return Step(index, BACKWARD, turn, operand, upstream, local, upstream * local, total)

    def _number_of_turn(self, index: int) -> int:
        return bisect_right(self._firsts, index - self.start) - 1

    def turn(self, index: int) -> range:
        """Return the steps of one turn: all that this step's node hands on; in the forward phase only this step."""
        if index < self.start:
            return range(index, index + 1)
        number = self._number_of_turn(index)
        last = self._firsts[number + 1] if number + 1 < len(self._firsts) else len(self._sums)
        return range(self.start + self._firsts[number], self.start + last)

    def turn_at(self, index: int) -> Value:
        """Return the node whose turn a step of the sweep belongs to."""
        turn = self._turns[self._number_of_turn(index)]
        return turn.node if isinstance(turn, WhatIf) else turn

    def turn_of(self, node: Value) -> range:
        """Return the steps in which a node hands on its gradient; empty for a node that hands on nothing, as a leaf."""
        number = self._turn_of.get(node)
        return range(0) if number is None else self.turn(self.start + self._firsts[number])

    def changed(self, index: int, node: Value, gradient: float) -> Journal:
        """Return the same computation with a gradient changed after the turn of a step; later changes are dropped."""
        after = self._number_of_turn(index)
        earlier = [change for change in self.changes if change.after < after]
        journal = copy(self)
        journal._record([*earlier, WhatIf(after, node, gradient)])
        return journal

    # -- the state after a step ----------------------------------------------------------------------------------------

    def value(self, node: Value) -> float:
        """Return the computed number of a node, or the recorded number of a leaf as far as it is known."""
        return float(self._values[self.numbers[node]])

    def gradient(self, node: Value, at: int) -> float | None:
        """Return the gradient of a node after a step; None if nothing has arrived yet."""
        arrivals = self._arrivals[node]
        found = bisect_right(arrivals, at - self.start)
        return None if found == 0 else float(self._sums[arrivals[found - 1]])

    def arrivals(self, node: Value) -> list[int]:
        """Return the steps that change the gradient of a node."""
        return [self.start + step for step in self._arrivals[node]]

    # -- scopes in time ------------------------------------------------------------------------------------------------

    def around(self, index: int) -> list[Scope]:
        """Return the scopes in which a step happens, innermost first; leaves and the seed are outside all scopes."""
        node = self.order[index] if index < self.start else self[index].node
        return [] if node.op is None or index == self.start else [*outwards(node.scope)]

    def extent(self, scope: Scope, index: int) -> tuple[int, int]:
        """Return the first and the last step of a scope, in the phase of a step.

        Other steps may lie between them: the sweep may reach a function's arguments before it is done with it.
        """
        if not self._extents:
            first = 0
            while first < len(self):
                last = self.turn(first)[-1]
                for inner in self.around(first):
                    key = inner, first < self.start
                    self._extents[key] = self._extents.get(key, (first, last))[0], last
                first = last + 1
        return self._extents[scope, index < self.start]

    def is_entered(self, name: str, index: int, back: bool = False) -> bool:
        """Return True if a scope of this name begins with the turn of a step, or, going back, ends with it."""
        extents = [self.extent(scope, index) for scope in self.around(index) if scope.name == name]
        return any(index == (last if back else self.turn(first)[-1]) for first, last in extents)


def edges(node: Value) -> list[tuple[Value, float]]:
    """Return the operands that a node hands something on to, with the local derivatives."""
    pairs = zip(node.operands, node.partials, strict=True)
    return [(operand, local) for operand, local in pairs if local is not ZERO]
