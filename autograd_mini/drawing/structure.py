"""Structure: the parts of a graph without scopes, such as samples and neurons, found because they repeat.

A part is everything that reaches the result through one operation only (its dominator). Parts of the same shape are
passes of one part if they use the same leaves, as samples do, and neighbours if they have their own, as neurons do.
Not here: the parts of a program with scopes (`parts`). Read next: `drawing.parts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd_mini.drawing.folds import call as call_around
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.names import users_of
from autograd_mini.program.stack import Scope, outwards

_FEWEST = 3  # operations of a part
_MOST_ALIKE = 100  # parts of one shape with leaves of their own; more become one
_SUMS = ("add", "sub")


class Found(Scope):
    """A scope that no program entered."""

    __slots__ = ()


class Sum(Found):
    """The scope of a sum that a loop adds up, with the products in it."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class _Unit:
    """An operation, a call of a composition, or the terms of a sum that a loop adds up."""

    shape: int
    name: str
    nodes: list[Value] = field(default_factory=list)
    operands: dict[_Unit, None] = field(default_factory=dict)
    users: int = 0
    above: _Unit | None = None  # its dominator: every path to the result leads through it
    jump: _Unit | None = None  # a dominator further up
    depth: int = 0
    below: list[_Unit] = field(default_factory=list)
    size: int = 1  # of everything below, itself included
    weighs: bool = False  # a product with a leaf, which belongs to the sum that it goes into


@dataclass(eq=False, slots=True)
class _Class:
    """The passes of a part."""

    leaves: list[Value]  # of the first pass
    units: list[_Unit] = field(default_factory=list)


class Structure:
    """The scopes that stand for the repeated parts of a graph, given its nodes with operands first.

    Attributes:
        scopes: the scope of each node; empty if the program has scopes of its own, or if nothing repeats.
        copies: the scopes of calls, by those that the program entered.
    """

    def __init__(self, order: Sequence[Value]) -> None:
        self.scopes: dict[Value, Scope | None] = {}
        self.copies: dict[Scope, Scope] = {}
        self._call: dict[Value, Any] = {node: call_around(node) for node in order if node.scope is not None}
        if order[-1]._row is None or any(call is None or call.parent is not None for call in self._call.values()):
            return
        self._order = order
        units = self._units()
        self._dominate(units)
        self._scope: dict[_Unit, Found | None] = {units[0]: None}
        self._divide(units[0])
        if any(scope is not None for scope in self._scope.values()):
            self._enter(units[0])

    def _units(self) -> list[_Unit]:
        """Return the units, users before operands."""
        shape = self._shapes()
        users = users_of(self._order)
        unit: dict[Value, _Unit] = {}
        calls: dict[Scope, _Unit] = {}
        for node in reversed(self._order):
            if node._row is None:
                continue
            call, using = self._call.get(node), users.get(node, ())
            if call is not None:
                unit[node] = calls.setdefault(call, _Unit(shape[node], call.name))
            elif len(using) == 1 and _adds_up(node, using[0], shape):
                unit[node] = unit[using[0]]
            else:
                unit[node] = _Unit(shape[node], str(node.op))
                unit[node].weighs = node.op == "mul" and any(is_node(x) and x._row is None for x in node.operands)
            unit[node].nodes.append(node)
        for node, found in unit.items():
            found.operands |= {unit[x]: None for x in node.operands if x in unit and unit[x] is not found}
        for found in dict.fromkeys(unit.values()):
            for operand in found.operands:
                operand.users += 1
        ready = [unit[self._order[-1]]]
        for found in ready:  # the loop appends to it
            for operand in found.operands:
                operand.users -= 1
                if operand.users == 0:
                    ready.append(operand)
        return ready

    def _shapes(self) -> dict[Value, int]:
        """Number the shapes of what is behind each node; a call is one operation, whatever branches it takes inside."""
        inputs: dict[Scope, dict[Value, None]] = {}
        for node, call in self._call.items():
            outside = [x for x in node.operands if is_node(x) and self._call.get(x) is not call]
            inputs.setdefault(call, {}).update(dict.fromkeys(outside))
        numbers: dict[object, int] = {}
        shape: dict[Value, int] = {}
        for node in self._order:
            call = self._call.get(node)
            operands = node.operands if call is None else inputs[call]
            key = (node.op if call is None else call.name, *[shape.get(x, -1) if is_node(x) else -2 for x in operands])
            shape[node] = numbers.setdefault(key, len(numbers))
        return shape

    def _dominate(self, units: list[_Unit]) -> None:
        """Find the dominators of all units."""
        for unit in units:
            if unit.above is None:
                unit.jump = unit
            else:
                above, far = unit.above, unit.above.jump
                assert far is not None
                assert far.jump is not None
                unit.depth = above.depth + 1
                unit.jump = far.jump if above.depth - far.depth == far.depth - far.jump.depth else above
                above.below.append(unit)
            for operand in unit.operands:
                operand.above = unit if operand.above is None else _meet(operand.above, unit)
        for unit in reversed(units):
            if unit.above is not None:
                unit.above.size += unit.size

    def _divide(self, top: _Unit) -> None:
        """Give a scope to each part that repeats below a unit, and to the parts in it."""
        waiting = [top]
        while waiting:
            whole = waiting.pop()
            repeated = Counter((unit.shape, unit.size) for unit in _below(whole) if _is_part(unit))
            classes: dict[tuple[int, int], list[_Class]] = {}
            path = [*reversed(whole.below)]
            while path:
                unit = path.pop()
                if not _is_part(unit) or repeated[unit.shape, unit.size] == 1:
                    path += reversed(unit.below)
                    continue
                passes = classes.setdefault((unit.shape, unit.size), [])
                leaves = _leaves(unit)
                compared = passes if len(passes) <= _MOST_ALIKE else []
                alike = next((known for known in compared if _is_same(known.leaves, leaves)), None)
                if alike is None:
                    passes.append(alike := _Class(leaves))
                alike.units.append(unit)
                waiting.append(unit)
            found = [known for passes in classes.values() for known in passes]
            often = Counter(known.units[0].name for known in found)
            numbers: Counter[str] = Counter()
            for known in found:
                name = known.units[0].name
                many = 1 < often[name] <= _MOST_ALIKE
                for unit in known.units:
                    self._scope[unit] = Found(f"{name} {numbers[name]}" if many else name, self._scope[whole])
                numbers[name] += 1

    def _enter(self, root: _Unit) -> None:
        """Note the scope of each node."""
        self.scopes = dict.fromkeys(self._order)
        waiting: list[tuple[_Unit, Found | None]] = [(root, None)]
        sums: Counter[Found | None] = Counter()
        while waiting:
            unit, around = waiting.pop()
            around = within = self._scope.get(unit) or around
            if len(unit.nodes) >= _FEWEST - 1 and unit.nodes[0].op in _SUMS and unit.nodes[0] not in self._call:
                within = Sum(f"sum {sums[around]}" if sums[around] else "sum", around)
                sums[around] += 1
            weighing = [below for below in unit.below if below.weighs] if within is not around else []
            for node in [*unit.nodes, *[node for below in weighing for node in below.nodes]]:
                self.scopes[node] = self._copy(node.scope, within)
            waiting += [(below, around) for below in unit.below if below not in weighing]
            waiting += [(inner, around) for below in weighing for inner in below.below]

    def _copy(self, scope: Scope | None, around: Found | None) -> Scope | None:
        """Return a scope inside another one."""
        for inner in reversed([*outwards(scope)]):
            if inner not in self.copies:
                self.copies[inner] = Scope(inner.name, self.copies.get(inner.parent, around), inner.site)  # type: ignore[arg-type]
        return around if scope is None else self.copies[scope]


def _adds_up(node: Value, user: Value, shape: dict[Value, int]) -> bool:
    """Return True if two operations add terms of the same shape to a sum, one after the other."""
    if node.op not in _SUMS or user.op not in _SUMS or user.operands[0] is not node:
        return False
    terms = node.operands[1], user.operands[1]
    return all(is_node(term) for term in terms) and shape[terms[0]] == shape[terms[1]]


def _is_part(unit: _Unit) -> bool:
    return unit.size >= _FEWEST and not unit.weighs


def _meet(first: _Unit, second: _Unit) -> _Unit:
    """Return the lowest unit that dominates both, or is one of them."""
    a, b = first, second
    while a is not b:
        if a.depth < b.depth:
            a, b = b, a
        far, other, above, beside = a.jump, b.jump, a.above, b.above
        assert far is not None
        assert other is not None
        assert above is not None
        if a.depth > b.depth:
            a = far if far.depth >= b.depth else above
        elif far is not other:
            a, b = far, other
        else:
            assert beside is not None
            a, b = above, beside
    return a


def _below(unit: _Unit) -> Iterator[_Unit]:
    """Yield everything below a unit."""
    waiting = [*unit.below]
    while waiting:
        yield (found := waiting.pop())
        waiting += found.below


def _leaves(unit: _Unit) -> list[Value]:
    """Return the leaves that a part uses, in the order of its shape."""
    found: list[Value] = []
    waiting, seen = [unit], {unit}
    while waiting:
        part = waiting.pop()
        found += [x for node in part.nodes for x in node.operands if is_node(x) and x._row is None]
        inside = [x for x in part.operands if x not in seen and x.depth > unit.depth]
        seen.update(inside)
        waiting += inside
    return found


def _is_same(first: list[Value], second: list[Value]) -> bool:
    """Return True if two parts of one shape are passes of the same part: they share most of their leaves."""
    return 2 * sum(x is y for x, y in zip(first, second, strict=False)) > max(len(first), len(second))
