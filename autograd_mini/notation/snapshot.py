"""The numbers of a graph when it was recorded, and the gradients of its last sweep, even if the program changed them.

Under provenance `backward()` notes them. Otherwise the operations show it: a leaf that no longer gives their results
was written since. Not here: how that is shown. Read next: `symbolic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from autograd_mini.core.node import Notes
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints, topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.text import number

_TELLING = ("add", "sub", "mul", "div", "neg", "sum", "dot")  # a change of an operand changes the result
_PRODUCTS = ("mul", "dot")  # their partial derivatives are the other operands


class Snapshot:
    """The leaves of a graph as they were recorded; `order` has all its nodes, operands first, the root last."""

    def __init__(self, order: Sequence[Value]) -> None:
        _, held = _swept(order[-1])
        self._noted = {leaf: held[leaf][0] for leaf in order if leaf in held}
        changed = {leaf: noted for leaf, noted in self._noted.items() if not _same(noted, leaf.data)}
        # The leaves that hold a different number now, with the recorded one, or None if it is unknown.
        self.written: dict[Value, float | None] = {**changed, **self._found(order)}

    def value(self, node: Value) -> float:
        """Return the recorded number of a node; for a leaf the current one, if no other is known."""
        recorded = self.written.get(node)
        return node.data if recorded is None else recorded

    def remark(self, node: Value) -> str:
        """Return a remark on a leaf that was written since, else ""."""
        if node not in self.written:
            return ""
        return "written since" if self.written[node] is None else f"written since: {number(node.data)} now"

    def _number(self, operand: Any) -> float:
        return operand if type(operand) is float else self._noted.get(operand, operand.data)

    def _found(self, order: Iterable[Value]) -> dict[Value, float | None]:
        """Find the leaves that the operations contradict, with the recorded number if it can be recovered."""
        told: dict[Value, float] = {}
        vouched: set[Value] = set()
        doubts: list[list[Value]] = []
        for node in order:
            leaves = [x for x in node.operands if is_node(x) and x.op is None]
            if not leaves:
                continue
            told |= _told(node)
            if not self._gives(node):
                doubts.append(leaves)
            elif node.op in _TELLING and node.data != 0.0:
                vouched.update(leaves)
        found: dict[Value, float | None] = {}
        found |= {leaf: recorded for leaf, recorded in told.items() if not _same(recorded, self._number(leaf))}
        vouched |= told.keys() - found.keys()
        for leaves in doubts:
            if not any(leaf in found for leaf in leaves):
                found |= dict.fromkeys([leaf for leaf in leaves if leaf not in vouched] or leaves)
        return found

    def _gives(self, node: Value) -> bool:
        """Return True if an operation still gives its result."""
        assert node._row is not None
        numbers = [self._number(x) for x in node.operands]
        try:
            result = float(node._row.function(*numbers))
            return _same(result, node.data) or not _same(float(node._row.function(*numbers)), result)
        except Exception:  # a user's operation may do anything
            return True


def _swept(root: Value) -> tuple[float | None, dict[Any, tuple[float, float]]]:
    """Return the seed of the last sweep, and number and gradient of each leaf after it; None if not noted."""
    mark = root._notes.mark if type(root._notes) is Notes else None
    return (mark.seed, mark.held) if mark is not None and mark.node == id(root) and mark.held else (None, {})


def _told(node: Value) -> dict[Value, float]:
    """Return the leaves that a product remembers: each factor is the derivative by the other."""
    if node.op not in _PRODUCTS:
        return {}
    half = len(node.operands) // 2
    partners = zip((*node.operands[half:], *node.operands[:half]), node.partials, strict=True)
    return {x: partial for x, partial in partners if is_node(x) and x.op is None and partial is not ZERO}


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def gradients(order: Sequence[Value]) -> dict[Value, float]:
    """Return the gradients after the last sweep, without those that were cleared and that nothing noted."""
    root = order[-1]
    seed, held = _swept(root)
    if seed is None and root._grad is None:
        return {}
    reached = topological_order(root)
    if seed is None and all(node._grad for node in reached):  # nothing was cleared
        return {node: node.grad if node in reached else 0.0 for node in order}
    swept_again = adjoints(root, root.grad if seed is None else seed)
    found = {}
    for node in order:
        adjoint = 0.0 if (known := swept_again.get(node, ZERO)) is ZERO else known
        if node not in reached:
            found[node] = 0.0
        elif seed is not None:
            found[node] = held[node][1] if node in held else adjoint
        elif node._grad is not None and (node._grad != 0.0 or adjoint == 0.0):
            found[node] = node._grad
    return found
