"""A recorded graph on other numbers, and which decisions of the program would have another answer there.

Nothing of the program runs again, so every choice that it made stays.
Not here: derivatives. Read next: `engine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograd_mini.core.row import TABLE
from autograd_mini.watch.observers import Decision

_WHERE = TABLE["where"]


def replay(order: Iterable[Any], numbers: Mapping[Any, float]) -> dict[Any, float]:
    """The number of every node in an order, operands before results, with other numbers for some of the nodes.

    A leaf that has none keeps its own, and so does an operand that is not in the order.
    """
    found = dict(numbers)
    for node in order:
        if node not in found:
            found[node] = node.data if node._row is None else node._row.function(*_numbers(node.operands, found))
    return found


def switched(order: Iterable[Any], numbers: Mapping[Any, float]) -> list[Decision]:
    """The comparisons that have another answer at these numbers, as far as `provenance` was on when they were made.

    One in the program itself (`if x > 0:`) means that `replay` follows a path which the program would not have taken;
    so does one of a function with a kink, such as `relu`. Functions that switch between two equal forms only lose
    digits.
    """
    found = []
    for node in order:
        decisions = node.decisions
        if node._row is _WHERE and node.scope is not None and node.scope.name == "relu":  # it looks at bare numbers
            holds, _, x = node.operands
            decisions = (*decisions, Decision(x, "<=", 0.0, bool(holds), node.origin))
        found += [decision for decision in decisions if decision.answer_at(numbers) is not decision.answer]
    return found


def _numbers(operands: Iterable[Any], found: Mapping[Any, float]) -> list[float]:
    return [x if type(x) is float else found.get(x, x.data) for x in operands]
