"""The gradients that a picture shows: after the last `backward()`, or in the middle of one.

Not here: how they look (`picture`). Read next: `drawing.folds`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints, sweep, topological_order
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.snapshot import gradients


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradients of the nodes that have one."""

    numbers: dict[Value, float]
    absent: str  # the text for the others
    reached: Collection[Value]  # the nodes that a gradient can get to from the root
    unfinished: Collection[Value] = ()  # more contributions are still to arrive there
    handed_on: Collection[Value] | None = None  # nodes that have handed theirs on; None if no sweep was interrupted
    final: Collection[float] | None = None  # those of the whole sweep, if it was interrupted: they decide the colours

    @cached_property
    def strongest(self) -> float:
        """The largest finite gradient, without its sign."""
        numbers = self.numbers.values() if self.final is None else self.final
        return max((abs(g) for g in numbers if math.isfinite(g)), default=0.0)

    def largest(self, nodes: Iterable[Value]) -> float | None:
        """Return the gradient farthest from zero, nan and infinities first; None if there is none."""
        return max((self.numbers[node] for node in nodes if node in self.numbers), key=size, default=None)

    def flows(self, node: Value, partial: Any) -> bool:
        """Return True if a node hands something on by a local derivative (as 0 does by inf), or can, before a sweep."""
        if partial is ZERO or node not in self.reached:
            return False
        return not self.numbers or self.numbers.get(node, 1.0) * partial != 0.0


def size(number: float | None) -> float:
    """Return how much a number matters: nan and infinities most, then the largest."""
    return 0.0 if number is None else math.inf if math.isnan(number) else abs(number)


def recorded(order: Sequence[Value]) -> Gradients:
    """Return the gradients of the last sweep; 0 where none arrives from the root, whatever other sweeps left there."""
    numbers = gradients(order)
    return Gradients(numbers, "cleared" if numbers else "no backward yet", topological_order(order[-1]))


def interrupted(order: Sequence[Value], after: int) -> Gradients:
    """Return the gradients after a sweep has handed on those of this many nodes."""
    root = order[-1]
    so_far = topological_order(root)
    if type(after) is not int or not 0 <= after <= len(so_far):
        raise ArgumentError(
            f"backward() cannot stop after {shown(after)} nodes.", f"Pass a whole number from 0 to {len(so_far)}."
        )
    # A sweep hands on a node's adjoint when the next node is asked for.
    handed_on = {node for node, _ in [*islice(sweep(root, 1.0, so_far), after + 1)][:after]}
    numbers = {node: adjoint for node, adjoint in so_far.items() if adjoint is not ZERO}
    numbers |= {node: 0.0 for node in order if node not in so_far}
    others = (zip(node.operands, node.partials, strict=True) for node in so_far if node not in handed_on)
    waiting = {operand for edges in others for operand, partial in edges if partial is not ZERO}
    final = [adjoint for adjoint in adjoints(root).values() if adjoint is not ZERO]
    return Gradients(numbers, "not yet", so_far, waiting & numbers.keys(), handed_on, final)
