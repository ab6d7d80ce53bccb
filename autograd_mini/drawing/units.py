"""Units: the pieces of a structure, which pictures never divide: an operation, a call, or a sum that a loop adds up.

Loops that carry something on, such as a recurrent network or Newton's method, are found here too. Programs unroll them
without scopes, but they use the same weight in each pass: a step begins where a leaf is used by what an earlier use of
it led to. Not here: which units are alike, and passes side by side, such as samples (`structure`).
Read next: `drawing.titles`.
"""

from __future__ import annotations

from collections import Counter
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


# -- the steps of a loop -----------------------------------------------------------------------------------------------

_FEWEST = 3  # steps of a loop
_FAR = 2000  # units to look at between one use of a leaf and the next
_MOST = 300_000  # units times leaves to look at; of a large network every other weight is enough


def find_steps(units: Sequence[Unit]) -> int:
    """Note the step of each unit that belongs to a loop, given users before operands; return how many there are."""
    uses = _uses(units)
    carried = {leaf: len({unit.level for unit in using}) for leaf, using in uses.items() if _is_carried(using)}
    if not carried:
        return 0
    often, _ = Counter(carried.values()).most_common(1)[0]
    leaves = [leaf for leaf, count in carried.items() if count == often]
    every = 1 + len(leaves) * len(units) // _MOST
    _count(units, [{*uses[leaf]} for leaf in leaves[::every]])
    shared = {leaf for leaf, using in uses.items() if len({unit.step for unit in using}) > 1}
    alike = {unit: (unit.name, *[id(leaf) for leaf in unit.leaves if leaf in shared]) for unit in units}
    steps: dict[int, set[tuple[object, ...]]] = {}
    for unit in units:
        if unit.step is not None:
            steps.setdefault(unit.step, set()).add(alike[unit])
    # Operations that no neighbouring step repeats come before or after the loop.
    for unit in units:
        if unit.step is not None:
            near = steps.get(unit.step - 1, set()) | steps.get(unit.step + 1, set())
            unit.step = unit.step if alike[unit] in near else None
    found = sorted({unit.step for unit in units if unit.step is not None})
    number = {step: place for place, step in enumerate(found)}
    for unit in units:
        unit.step = None if unit.step is None or len(found) < _FEWEST else number[unit.step]
    return len(found) if len(found) >= _FEWEST else 0


def _uses(units: Sequence[Unit]) -> dict[Value, list[Unit]]:
    """Return the units that use each leaf, operands first; -w, made again in each pass, is used in place of w."""
    uses: dict[Value, list[Unit]] = {}
    for unit in reversed(units):
        unit.leaves = {x: None for node in unit.nodes for x in node.operands if is_node(x) and x._row is None}
        for operand in unit.operands:
            if not operand.operands and len(operand.leaves) == 1:
                unit.leaves |= operand.leaves
        if unit.operands or len(unit.leaves) > 1:
            for leaf in unit.leaves:
                uses.setdefault(leaf, []).append(unit)
    return uses


def _is_carried(using: Sequence[Unit]) -> bool:
    """Return True if the last use of a leaf needs an earlier one."""
    ordered = sorted(using, key=lambda unit: unit.level)
    if len({unit.level for unit in using}) < _FEWEST:
        return False
    last = ordered[-1]
    before = {unit for unit in using if unit.level < last.level}
    near, seen = [last], {last}
    for unit in near:  # the loop appends to it
        for operand in unit.operands:
            if operand in before:
                return True
            if operand not in seen and len(seen) < _FAR:
                seen.add(operand)
                near.append(operand)
    return False


def _count(units: Sequence[Unit], uses: Sequence[set[Unit]]) -> None:
    """Note on how many uses of one leaf each unit depends at most; if on none, it belongs to the step that uses it."""
    count = dict.fromkeys(units, 0)
    for using in uses:
        level: dict[Unit, int] = {}
        for unit in reversed(units):
            level[unit] = max([level[operand] for operand in unit.operands], default=0) + (unit in using)
            count[unit] = max(count[unit], level[unit])
    users: dict[Unit, set[int | None]] = {}
    for unit in units:
        steps = users.get(unit, set())
        before = max([count[operand] for operand in unit.operands], default=0)
        # A weight from one unit to another is used by what led to it only after a detour.
        is_late = not before or (count[unit] == before and any(unit in using for using in uses))
        unit.step = next(iter(steps)) if is_late and len(steps) == 1 else count[unit] or None
        for operand in unit.operands:
            users.setdefault(operand, set()).add(unit.step)
