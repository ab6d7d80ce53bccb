"""Structure: the parts of a graph without scopes, such as samples and neurons, found because they repeat.

A part is everything that reaches the result through one operation only (its dominator). Parts of the same shape are
passes of one part if they use the same leaves, as samples do, and neighbours if they have their own, as neurons do.
Not here: loops that carry something on (`units`), and programs with scopes (`parts`). Read next: `drawing.parts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd_mini.drawing.folds import call as call_around
from autograd_mini.drawing.titles import title, word
from autograd_mini.drawing.units import SUMS, Unit, find_steps, units_of
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.names import Names
from autograd_mini.program.stack import Scope, outwards

_FEWEST = 3  # operations of a part
_MOST_STEPS = 24  # with a box each
_MOST_ALIKE = 100  # parts of one shape with leaves of their own; more become one


class Found(Scope):
    """A scope that no program entered."""

    __slots__ = ()


class Step(Found):
    """The scope of a step of a loop."""

    __slots__ = ()


class Sum(Found):
    """The scope of a sum that a loop adds up, with the products in it."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class _Class:
    """The passes of a part."""

    leaves: list[Value]  # of the first pass
    units: list[Unit] = field(default_factory=list)


class Structure:
    """The scopes that stand for the repeated parts of a graph, given its nodes with operands first."""

    def __init__(self, order: Sequence[Value], names: Names | None = None) -> None:
        self._names, self._place = names, {node: place for place, node in enumerate(order)}
        self.scopes: dict[Value, Scope | None] = {}  # empty if the program has its own, or if nothing repeats
        self.copies: dict[Scope, Scope] = {}  # the scopes of calls, by those that the program entered
        self._call: dict[Value, Any] = {node: call_around(node) for node in order if node.scope is not None}
        if order[-1]._row is None or any(call is None or call.parent is not None for call in self._call.values()):
            return
        units = units_of(order, self._call)
        self._are_many = find_steps(units) > _MOST_STEPS
        self._dominate(units)
        self._scope: dict[Unit, Found | None] = {units[0]: None}
        self._beside: set[Found | None] = set()  # the scopes of parts in which whole loops stand side by side
        self._steps: dict[tuple[Found | None, int], Step] = {}
        self._divide(units[0])
        if any(scope is not None for scope in self._scope.values()) or any(unit.step is not None for unit in units):
            self._enter(units[0], order)

    def _dominate(self, units: list[Unit]) -> None:
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
        self._within: dict[Unit, set[int | None]] = {unit: {unit.step} for unit in units}
        for unit in reversed(units):
            if unit.above is not None:
                unit.above.size += unit.size
                self._within[unit.above] |= self._within[unit]

    def _around(self, steps: set[int | None], around: Found | None) -> Found | None:
        """Return the scope of something inside a scope: its step, if it belongs to a single one."""
        is_inside = around in self._beside or any(type(scope) is Step for scope in outwards(around))
        if len(steps) > 1 or None in steps or is_inside:
            return around
        (step,) = steps
        assert step is not None
        name = "step" if self._are_many else f"step {step}"
        return self._steps.setdefault((around, step), Step(name, around))

    def _divide(self, top: Unit) -> None:
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
            # Earlier layers and steps have the smaller numbers.
            found = sorted([known for passes in classes.values() for known in passes], key=lambda x: x.units[0].level)
            if any(len(self._within[known.units[0]] - {None}) > 1 for known in found):
                self._beside.add(self._scope[whole])
            placed = [(known, self._around(self._within[known.units[0]], self._scope[whole])) for known in found]
            firsts = [known.units[0] for known, _ in placed]
            words = [unit.name if unit.nodes[0] in self._call else word(unit.nodes[:1]) for unit in firsts]
            often = Counter((name, around) for name, (_, around) in zip(words, placed, strict=True))
            numbers: Counter[object] = Counter()
            for name, (known, around) in zip(words, placed, strict=True):
                step = around
                many = 1 < often[name, step] <= _MOST_ALIKE
                for unit in known.units:
                    around = self._around(self._within[unit], self._scope[whole])
                    self._scope[unit] = Found(f"{name} {numbers[name, step]}" if many else name, around)
                numbers[name, step] += 1

    def _rename(self, results: Mapping[Found, Sequence[Value]]) -> None:
        """Name parts as the user names their results: all passes get one name, because they are one part."""
        parts: dict[tuple[str, ...], list[Found]] = {}
        for scope in results:
            parts.setdefault(scope.path, []).append(scope)
        titles: dict[tuple[str, ...], str] = {}
        for path, scopes in parts.items():
            passes = sorted([results[scope] for scope in scopes], key=lambda nodes: self._place[nodes[0]])
            titles[path] = title(passes, self._names, passes[0][0] in self._call)
        often = Counter((path[:-1], said) for path, said in titles.items())
        numbers: Counter[object] = Counter()
        for path, said in titles.items():
            beside = path[:-1], said
            name = f"{said} {numbers[beside]}" if often[beside] > 1 else said
            numbers[beside] += 1
            for scope in parts[path] if said and (*path[:-1], name) not in parts else ():
                scope.name = name

    def _enter(self, root: Unit, order: Sequence[Value]) -> None:
        """Note the scope of each node."""
        self.scopes = dict.fromkeys(order)
        waiting: list[tuple[Unit, Found | None]] = [(root, None)]
        sums: Counter[Found | None] = Counter()
        results: dict[Found, Sequence[Value]] = {}
        for unit, scope in self._scope.items():
            if scope is not None:  # a call may have several results
                results[scope] = unit.nodes if unit.nodes[0] in self._call else unit.nodes[:1]
        while waiting:
            unit, around = waiting.pop()
            around = self._scope.get(unit) or around
            within = home = self._around({unit.step}, around)
            if len(unit.nodes) >= _FEWEST - 1 and unit.nodes[0].op in SUMS and unit.nodes[0] not in self._call:
                within = Sum(f"sum {sums[home]}" if sums[home] else "sum", home)
                results[within] = unit.nodes[:1]
                sums[home] += 1
            weighing = [below for below in unit.below if below.weighs] if within is not home else []
            for node in [*unit.nodes, *[node for below in weighing for node in below.nodes]]:
                self.scopes[node] = self._copy(node.scope, within)
            waiting += [(below, around) for below in unit.below if below not in weighing]
            waiting += [(inner, around) for below in weighing for inner in below.below]
        self._rename(results)

    def _copy(self, scope: Scope | None, around: Found | None) -> Scope | None:
        """Return a scope inside another one."""
        for inner in reversed([*outwards(scope)]):
            if inner not in self.copies:
                outer = around if inner.parent is None else self.copies[inner.parent]
                self.copies[inner] = Scope(inner.name, outer, inner.site)
        return around if scope is None else self.copies[scope]


def _is_part(unit: Unit) -> bool:
    return unit.size >= _FEWEST and not unit.weighs


def _meet(first: Unit, second: Unit) -> Unit:
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


def _below(unit: Unit) -> Iterator[Unit]:
    """Yield everything below a unit."""
    waiting = [*unit.below]
    while waiting:
        yield (found := waiting.pop())
        waiting += found.below


def _leaves(unit: Unit) -> list[Value]:
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
    """Return True if two parts of one shape are passes of the same part: they have no leaves, or share most of them."""
    most = max(len(first), len(second))
    return not most or 2 * sum(x is y for x, y in zip(first, second, strict=False)) > most
