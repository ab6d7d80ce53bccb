"""The record of a computation and of the sweep back through it: what happened at each moment, and what was so then.

A moment is a number. Nothing is replayed and nothing is undone: of each contribution the sum that it led to is kept, so
the gradient of a node at any moment is the last such sum, found by bisection. Sixteen bytes a step, beside the graph.
Not here: where a debugger is (that is `travel`). Read next: `travel`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import sweep, topological_order
from autograd_mini.engine import Value
from autograd_mini.notation.snapshot import Snapshot

FORWARD, SEED, BACKWARD, WHAT_IF = "forward", "seed", "backward", "what if"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: a node is computed, or it hands one contribution to one operand.

    Attributes:
        index: the number of the step, from 0.
        phase: "forward": a node is computed; "seed": the sweep begins at the root; "backward": a contribution;
            "what if": somebody changed a gradient.
        node: the node that is computed, or that hands on its gradient.
        operand: who receives; None in the forward phase.
        upstream: the gradient of the node, complete; None in the forward phase.
        local: the local derivative of the node by this operand; None in the forward phase.
        contribution: upstream times local: what is added; None in the forward phase.
        total: the gradient of the operand after this step; in the forward phase the number that was computed.
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
    """A gradient that somebody changed, after the node number `after` of the sweep had handed on its own."""

    after: int
    node: Value
    gradient: float


class Journal(Sequence[Step]):
    """All steps: first every node as it is computed, then every contribution of the sweep, in its order.

    Args:
        root: where the sweep begins.
        seed: the gradient it begins with.

    Attributes:
        changes: gradients that are changed on the way, in the order of time.
        order: the nodes, leaves first, operands before results, also those behind branches not taken.
        start: the index of the step in which the sweep begins.
        recorded: what the leaves were, and which of them were written since.
    """

    def __init__(self, root: Value, seed: float = 1.0) -> None:
        self.root, self.seed = root, seed
        order = topological_order(root, everything=True)
        self.order = (*(node for node in order if node.op is None), *(node for node in order if node.op is not None))
        self.start = len(self.order)
        self._number = {node: number for number, node in enumerate(self.order)}
        self.recorded = Snapshot(self.order)  # now: the data of leaves can be written later
        self._values = array("d", map(self.recorded.value, self.order))
        self._record(())

    def changed(self, changes: Sequence[WhatIf]) -> Journal:
        """The same computation with another sweep back through it."""
        journal = copy(self)
        journal._record(changes)
        return journal

    def _record(self, changes: Sequence[WhatIf]) -> None:
        self.changes = tuple(changes)
        # A turn is what one node hands on, or a change. Steps are numbered from the seed here.
        self._turns: list[Value | WhatIf] = [self.root]
        self._firsts = array("q", [0])  # the first step of each turn
        self._upstreams = array("d", [self.seed])
        self._totals = array("d", [self.seed])  # of each step
        self._receivers = array("q", [self._number[self.root]])
        self._turn: dict[Value, int] = {}
        self._recent: tuple[Value, list[tuple[Value, float]]] = self.root, edges(self.root)
        self._sweep()
        self._sort_by_receiver()

    def _sweep(self) -> None:
        adjoints = topological_order(self.root)
        for node, _ in sweep(self.root, self.seed, adjoints, lambda node: node.partials):
            self._change(adjoints)
            # The sweep pauses before it hands on. What it is going to do, contribution by contribution:
            first, upstream = len(self._totals), adjoints[node]
            sums: dict[Value, float] = {}
            for operand, local in edges(node):
                contribution = upstream * local
                before = sums.get(operand, adjoints[operand])
                sums[operand] = total = contribution if before is ZERO else before + contribution
                self._totals.append(total)
                self._receivers.append(self._number[operand])
            if sums:
                self._turn[node] = len(self._turns)
                self._add(node, first, upstream)
        self._change(adjoints)

    def _change(self, adjoints: dict[Value, float]) -> None:
        """Make the changes whose time has come."""
        for change in self.changes:
            if change.after == len(self._turns) - 1:
                adjoints[change.node] = change.gradient
                self._add(change, len(self._totals), change.gradient)
                self._totals.append(change.gradient)
                self._receivers.append(self._number[change.node])

    def _add(self, turn: Value | WhatIf, first: int, upstream: float) -> None:
        self._turns.append(turn)
        self._firsts.append(first)
        self._upstreams.append(upstream)

    def _sort_by_receiver(self) -> None:
        counts = [0] * len(self.order)
        for receiver in self._receivers:
            counts[receiver] += 1
        self._received = array("q", accumulate(counts, initial=0))  # where the arrivals at each node begin
        free = self._received[:]
        self._arrivals = array("q", self._receivers)
        for step, receiver in enumerate(self._receivers):
            self._arrivals[free[receiver]] = step
            free[receiver] += 1

    # -- steps ---------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.start + len(self._totals)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        if index < self.start:
            return Step(index, FORWARD, self.order[index], None, None, None, None, self._values[index])
        step = index - self.start
        number = bisect_right(self._firsts, step) - 1
        turn, upstream, total = self._turns[number], self._upstreams[number], self._totals[step]
        if isinstance(turn, WhatIf):
            return Step(index, WHAT_IF, turn.node, turn.node, None, None, None, total)
        if number == 0:
            return Step(index, SEED, turn, turn, upstream, 1.0, upstream, total)
        recent = self._recent
        if recent[0] is not turn:  # steps are mostly asked for in a row; a node may have thousands of operands
            recent = self._recent = turn, edges(turn)
        operand, local = recent[1][step - self._firsts[number]]
        return Step(index, BACKWARD, turn, operand, upstream, local, upstream * local, total)

    def turn(self, index: int) -> range:
        """The steps of one turn: all that the node of this step hands on; of the forward phase this step alone."""
        if index < self.start:
            return range(index, index + 1)
        number = bisect_right(self._firsts, index - self.start) - 1
        last = self._firsts[number + 1] if number + 1 < len(self._firsts) else len(self._totals)
        return range(self.start + self._firsts[number], self.start + last)

    def turn_of(self, node: Value) -> range:
        """The steps in which a node hands on its gradient; empty if it hands on nothing, as a leaf."""
        number = self._turn.get(node)
        return range(0) if number is None else self.turn(self.start + self._firsts[number])

    def turns_before(self, index: int) -> int:
        """How many turns have begun when a step is done; the seed is one."""
        return bisect_right(self._firsts, index - self.start)

    # -- what was so at a moment: after a step -------------------------------------------------------------------------

    def holds(self, node: object) -> bool:
        """Whether a node is in the graph."""
        return node in self._number

    def number(self, node: Value) -> int:
        """The step in which a node is computed."""
        return self._number[node]

    def value(self, node: Value) -> float:
        """The number that was computed, or that a leaf had in the recorded computation, as far as that is known."""
        return float(self._values[self._number[node]])

    def gradient(self, node: Value, at: int) -> float | None:
        """The gradient of a node after a step; None where nothing has arrived yet."""
        number = self._number[node]
        first = self._received[number]
        found = bisect_right(self._arrivals, at - self.start, first, self._received[number + 1])
        return None if found == first else float(self._totals[self._arrivals[found - 1]])

    def arrivals(self, node: Value) -> list[int]:
        """The steps that change the gradient of a node."""
        number = self._number[node]
        return [self.start + step for step in self._arrivals[self._received[number] : self._received[number + 1]]]


def edges(node: Value) -> list[tuple[Value, float]]:
    """The operands that a node hands something on to, with the local derivatives."""
    pairs = zip(node.operands, node.partials, strict=True)
    return [(operand, local) for operand, local in pairs if local is not ZERO]
