"""Second derivatives of a recorded graph of floats: the Hessian times a vector, in one pass forwards and one back.

The derivative of a sweep is a sweep over the same edges. It starts at every operand whose local partial changes along
the vector, with adjoint × second partial × tangent. The rules of the table, on dual numbers, give the second partials.
Not here: graphs that depend on outer variables; their gradient is itself a graph (`recorded`).
Read next: `transforms.sparsity`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from math import isnan
from typing import Any

from autograd_mini.core.dual import Dual, Level
from autograd_mini.core.row import TABLE, ZERO, Constant
from autograd_mini.core.sweep import propagate, push
from autograd_mini.errors import ArgumentError
from autograd_mini.program.stack import recording
from autograd_mini.transforms.sparsity import Set, dependence, members

# Rows whose local partials are constants or other operands need no evaluation.
_STRAIGHT = frozenset(row for row in TABLE.values() if row.is_straight)
_BILINEAR = frozenset(TABLE[name] for name in ("mul", "dot"))
_POW = TABLE["pow"]


class Curvature:
    """Products of vectors with a computed node's Hessian by all variables behind it, which come first in its order."""

    def __init__(self, root: Any, order: dict[Any, Any], variables: Sequence[Any]) -> None:
        self._root, self._order, self._variables = root, order, variables
        # (operand, other, factor): along a vector, the operand gets the factor times the tangent of the other.
        self._bends: list[tuple[Any, Any, float]] = []
        # Other nodes that may bend, with their adjoints: each vector evaluates their rules. An operand outside the
        # order has no edge to them, and does not affect their slopes.
        self._others: list[tuple[Any, float]] = []
        adjoints = dict(order)
        propagate(root, 1.0, adjoints, variables)
        for node, adjoint in adjoints.items():
            row = node._row
            if adjoint is ZERO or row in _STRAIGHT:
                continue
            if row in _BILINEAR:
                for x, other in zip(node.operands, row.rule(None, *node.operands), strict=True):
                    if type(x) is not float and type(other) is not float:
                        self._bends.append((x, other, adjoint))
            elif row is _POW and type(node.operands[1]) is float and node.operands[1] == 2.0:  # recorded as x * x
                x = node.operands[0]
                self._bends.append((x, x, 2.0 * adjoint))
            else:
                self._others.append((node, adjoint))

    def patterns(self) -> list[Set]:
        """Return the columns where each row of the matrix may have entries; `times` is faster afterwards."""
        depends = dependence(self._order, self._variables)
        others, self._others = self._others, []
        blocks = set()
        with Level() as level:
            for node, adjoint in others:
                operands = node.operands
                if len(operands) > 2:  # do not list n² second partials
                    if _changes(node, [1.0] * len(operands), level):
                        self._others.append((node, adjoint))
                        inside = [depends.get(x, 0) for x in operands if type(x) is not float]
                        blocks.add((functools.reduce(int.__or__, inside),) * 2)
                    continue
                for position, other in enumerate(operands):
                    if type(other) is not float and other in depends:
                        along = [1.0 if i == position else ZERO for i in range(len(operands))]
                        for x, change in _changes(node, along, level):
                            self._bends.append((x, other, adjoint * change))
        blocks |= {(depends[x], depends[other]) for x, other, _ in self._bends}
        found = [0] * len(self._variables)
        for rows, columns in blocks:
            for row in members(rows):
                found[row] |= columns
            for column in members(columns):
                found[column] |= rows
        return found

    def times(self, vector: Sequence[Any]) -> list[Any]:
        """Return the Hessian times a vector: one number per variable, `ZERO` where there is no entry."""
        tangents = push(self._order, dict(zip(self._variables, vector, strict=True)))
        adjoints: dict[Any, Any] = dict.fromkeys(self._order, ZERO)
        for operand, other, factor in self._bends:
            tangent = tangents[other]
            if tangent is not ZERO:
                before = adjoints[operand]
                adjoints[operand] = factor * tangent if before is ZERO else before + factor * tangent
        with Level() as level:
            for node, adjoint in self._others:
                along = [ZERO if type(x) is float else tangents.get(x, ZERO) for x in node.operands]
                for operand, change in _changes(node, along, level):
                    before = adjoints[operand]
                    adjoints[operand] = adjoint * change if before is ZERO else before + adjoint * change
        propagate(self._root, ZERO, adjoints, self._variables)
        return [0.0 if adjoints[variable] is ZERO else adjoints[variable] for variable in self._variables]


def _changes(node: Any, along: Sequence[Any], level: Level) -> list[tuple[Any, float]]:
    """Return (operand, change) for each local partial of a node that changes along a direction of its operands."""
    if (checks := recording().hooks.checked) is not None:
        checks.slopes(node)
    numbers: list[Any] = []
    result: Any = ZERO
    for x, partial, tangent in zip(node.operands, node.partials, along, strict=True):
        if type(x) is float:
            numbers.append(Constant(x) if len(along) == 2 else x)
        elif tangent is ZERO:
            numbers.append(x.data)
        else:
            numbers.append(Dual(x.data, tangent, level))
            if partial is not ZERO:
                result = tangent * partial if result is ZERO else result + tangent * partial
    y = node.data if result is ZERO else Dual(node.data, result, level)
    found = []
    for x, recorded, slope in zip(node.operands, node.partials, node._row.partials(y, numbers), strict=True):
        if type(x) is not float and slope is not ZERO:
            check_unwritten(node, slope, recorded)
            if type(slope) is Dual and slope.tangent is not ZERO:
                found.append((x, slope.tangent))
    return found


def check_unwritten(node: Any, slope: Any, recorded: Any) -> None:
    """Raise if evaluating a local partial again does not give the recorded one."""
    number = getattr(slope, "data", slope)
    is_known = type(number) is float and recorded is not ZERO
    if is_known and number != recorded and not (isnan(number) and isnan(recorded)):
        raise ArgumentError(
            f"The data of a leaf was written between recording {node.op} and differentiating it: its local "
            f"derivative was {recorded!r} and is {number!r} now.",
            "Write to leaves after the derivative is computed, or before the function uses them.",
        )
