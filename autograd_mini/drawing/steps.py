"""Steps: the passes of a loop that carries something on, such as a recurrent network or Newton's method.

Programs unroll it without scopes, but they use the same weight in each pass. So a step begins where a leaf is used by
something that depends on an earlier use of it. Not here: passes side by side, such as samples (`structure`).
Read next: `drawing.structure`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from autograd_mini.drawing.units import Unit
from autograd_mini.engine import Value, is_node

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
