"""Compute a recorded graph again with other numbers, and find the program's decisions that would change.

The program itself does not run again, so every choice that it made stays.
Not here: derivatives. Read next: `transforms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autograd_mini.core.node import Node, is_relu
from autograd_mini.core.traced import RELATE
from autograd_mini.program.owner import is_of_package
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope


@dataclass(frozen=True, eq=False)
class Decision:
    """A comparison made while a graph was recorded; what was recorded later may depend on its answer."""

    left: Any  # a node, or a number
    op: str  # such as "<"
    right: Any  # a node, or a number
    answer: bool  # then
    site: Site | None  # where it was made; None if unknown
    scope: Scope | None = None  # that it was made in; None if in none, or unknown
    is_derivative: bool = False  # it stands for a derivative, recorded for this number alone: its edges may be others

    def answer_at(self, numbers: Mapping[Any, float]) -> bool:
        """The answer if nodes had these numbers; those without one are computed from the others."""
        nodes = [x for x in (self.left, self.right) if isinstance(x, Node)]
        if not all(node in numbers for node in nodes):
            numbers = replay(nodes, numbers)
        return bool(RELATE[self.op](*_numbers((self.left, self.right), numbers)))

    @property
    def is_of_program(self) -> bool:
        """Whether the user's program made it, as in `if x > 0`, rather than a function of this package."""
        return self.site is not None and not is_of_package(self.site)

    def __str__(self) -> str:
        numbers = f"{getattr(self.left, 'data', self.left)!r} {self.op} {getattr(self.right, 'data', self.right)!r}"
        return f"{numbers} at {self.site}" if self.site else numbers


def computed(node: Any, operands: tuple[Any, ...]) -> Any:
    """The number of a node whose operands have these numbers; a leaf has its own."""
    return node.data if node._row is None else node._row.function(*operands)


def behind(node: Any) -> tuple[tuple[Any, ...], Decision | None]:
    """The operands of a node, and the comparison that decides between them if it is known."""
    return node.operands, choice_of(node)


def replay(
    order: Iterable[Any],
    numbers: Mapping[Any, Any],
    compute: Callable[[Any, tuple[Any, ...]], Any] = computed,
    behind: Callable[[Any], tuple[tuple[Any, ...], Decision | None]] = behind,
) -> dict[Any, Any]:
    """The number of every node in an order, operands before results, with new numbers for some of the nodes.

    Leaves without a new number keep their own. Nodes that the order lacks, such as those of an arm not taken, are
    computed too. A `where` is decided again if `choice_of` knows its comparison; every other choice stays. With other
    functions for `compute` and `behind` it finds anything else that comes from operands, such as new nodes.
    """
    found = dict(numbers)
    path = [*order][::-1]
    while path:
        node = path[-1]
        if node in found:
            path.pop()
            continue
        operands, choice = behind(node)
        needed = operands if choice is None else (*operands, choice.left, choice.right)
        if missing := [x for x in needed if isinstance(x, Node) and x not in found]:
            path += missing
            continue
        if choice is not None:
            operands = (float(choice.answer_at(found)), *operands[1:])
        found[node] = compute(node, tuple(_numbers(operands, found)))
    return found


def choice_of(node: Any) -> Decision | None:
    """The comparison that was made for this `where` alone, under `provenance`; None if that is not certain.

    `watch.origins` notes it at the node. The scope of a `relu` is not entered, and has no place in the program, unlike
    a scope of the user with the same name.
    """
    if is_relu(node) and node.origin is not None and node.scope.site is None:
        holds, _, x = node.operands
        return Decision(x, "<=", 0.0, bool(holds), node.origin)
    if node.op != "where" or not node.decisions:
        return None
    first: Decision = node.decisions[0]  # comparisons that the program made with the node itself may follow
    return None if first.left is node or first.right is node else first


def switched(order: Iterable[Any], numbers: Mapping[Any, float]) -> list[Decision]:
    """The comparisons that have another answer at these numbers, if `provenance` was on when they were made.

    If the program itself made one (`if x > 0:`), `replay` follows a path that the program would not have taken; the
    same holds for a function that was recorded where it has another form, such as at nan, but not for a choice that
    `replay` decides again. Functions that switch between two equal forms lose digits, or overflow. A comparison that
    the result does not lead to is found if one of its leaves is in the order or among the numbers, and only a few
    operations lie between, unless `no_grad` or `detach` made its operands constants.
    """
    return [decision for decision in followed(order, numbers) if decision.answer_at(numbers) is not decision.answer]


def followed(order: Iterable[Any], leaves: Iterable[Any] = ()) -> list[Decision]:
    """The comparisons that `replay` does not decide again: those of a graph, and of more leaves."""
    found: dict[Decision, None] = {}
    order = [*order]
    again = {choice for choice in map(choice_of, order) if choice is not None}
    for node in dict.fromkeys((*order, *leaves)):  # max(a, b) may be a alone, and the graph behind it without b
        decisions = node.decisions
        if is_relu(node) and choice_of(node) is None:  # relu compares bare numbers, so no decision was noted
            holds, _, x = node.operands
            if (x.data <= 0.0) is bool(holds):
                decisions = (*decisions, Decision(x, "<=", 0.0, bool(holds), node.origin))
        found |= {d: None for d in decisions if d not in again}
    return [*found]


def _numbers(operands: Iterable[Any], found: Mapping[Any, float]) -> list[float]:
    return [found[x] if isinstance(x, Node) else x for x in operands]
