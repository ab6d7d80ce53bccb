"""Units: the pieces of a structure, which pictures never divide: an operation, a call, or a sum that a loop adds up.

Not here: which of them are alike (`structure`), and loops (`steps`). Read next: `drawing.titles`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd_mini.engine import Value, is_node
from autograd_mini.notation.names import users_of
from autograd_mini.program.stack import Scope

SUMS = ("add", "sub")


@dataclass(eq=False, slots=True)
class Unit:
    """An operation, a call of a composition, or the terms of a sum that a loop adds up."""

    shape: int
    name: str
    nodes: list[Value] = field(default_factory=list)
    operands: dict[Unit, None] = field(default_factory=dict)
    users: int = 0
    above: Unit | None = None  # its dominator: every path to the result leads through it
    jump: Unit | None = None  # a dominator further up
    depth: int = 0
    below: list[Unit] = field(default_factory=list)
    size: int = 1  # of everything below, itself included
    weighs: bool = False  # a product with a leaf, which belongs to the sum that it goes into
    level: int = 0  # the length of the longest path to it
    step: int | None = None  # of the loop that it belongs to
    leaves: dict[Value, None] = field(default_factory=dict)  # that it uses, or that what it uses was made from


def units_of(order: Sequence[Value], calls: Mapping[Value, Any]) -> list[Unit]:
    """Return the units of a graph, users before operands, given its nodes the other way round and their calls."""
    shape = _shapes(order, calls)
    users = users_of(order)
    unit: dict[Value, Unit] = {}
    called: dict[Scope, Unit] = {}
    for node in reversed(order):
        if node._row is None:
            continue
        call, using = calls.get(node), users.get(node, ())
        if call is not None:
            unit[node] = called.setdefault(call, Unit(shape[node], call.name))
        elif len(using) == 1 and _adds_up(node, using[0], shape):
            unit[node] = unit[using[0]]
        else:
            unit[node] = Unit(shape[node], str(node.op))
            unit[node].weighs = node.op == "mul" and any(is_node(x) and x._row is None for x in node.operands)
        unit[node].nodes.append(node)
    for node, found in unit.items():
        found.operands |= {unit[x]: None for x in node.operands if x in unit and unit[x] is not found}
    for found in dict.fromkeys(unit.values()):
        if found.nodes[0] in calls:  # each branch inside may use them in another order
            found.operands = dict.fromkeys(sorted(found.operands, key=lambda operand: operand.shape))
        for operand in found.operands:
            operand.users += 1
    ready = [unit[order[-1]]]
    for found in ready:  # the loop appends to it
        for operand in found.operands:
            operand.users -= 1
            if operand.users == 0:
                ready.append(operand)
    for found in reversed(ready):
        found.level = 1 + max([operand.level for operand in found.operands], default=0)
    return ready


def _shapes(order: Sequence[Value], calls: Mapping[Value, Any]) -> dict[Value, int]:
    """Number the shapes of what is behind each node; a call is one operation, whatever branches it takes inside."""
    inputs: dict[Scope, dict[Value, None]] = {}
    for node, call in calls.items():
        outside = [x for x in node.operands if is_node(x) and calls.get(x) is not call]
        inputs.setdefault(call, {}).update(dict.fromkeys(outside))
    numbers: dict[object, int] = {}
    shape: dict[Value, int] = {}
    for node in order:
        call = calls.get(node)
        operands = node.operands if call is None else inputs[call]
        behind = [shape.get(x, -1) if is_node(x) else -2 for x in operands]
        key = (node.op, *behind) if call is None else (call.name, *sorted(behind))
        shape[node] = numbers.setdefault(key, len(numbers))
    return shape


def _adds_up(node: Value, user: Value, shape: Mapping[Value, int]) -> bool:
    """Return True if two operations add terms of the same shape to a sum, one after the other."""
    if node.op not in SUMS or user.op not in SUMS or user.operands[0] is not node:
        return False
    terms = node.operands[1], user.operands[1]
    return all(is_node(term) for term in terms) and shape[terms[0]] == shape[terms[1]]
