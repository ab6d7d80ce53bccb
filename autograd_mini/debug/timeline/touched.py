"""Numbers set by hand: the graph recorded once more on other numbers, and its trace at the same place in time.

Calls of this package's compositions are made again, so that they take the form for the new numbers; everything else is
a replay. Sets add up, and each has a way back; what a replay cannot follow is told.
Not here: running the program again (`program`). Read next: `debug.disorder`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from autograd_mini import functions
from autograd_mini.core.node import Notes, is_cut_off, is_relu
from autograd_mini.core.replay import Decision, behind, choice_of, followed, replay
from autograd_mini.core.row import ZERO, as_number, evaluate
from autograd_mini.core.sweep import adjoints
from autograd_mini.debug.accesses import Accesses
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError
from autograd_mini.functions import relu
from autograd_mini.notation.text import number
from autograd_mini.program.scopes import call_in, inside
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope
from autograd_mini.watch import hooked
from autograd_mini.watch.origins import provenance


class Retaken:
    """The graph of an order, operands before results and the root last, with these numbers in its leaves."""

    def __init__(self, order: Sequence[Value], recorded: Mapping[Value, float], changed: Mapping[Value, float]) -> None:
        self._numbers = {**recorded, **changed}
        self._results: dict[Scope, list[Any]] = {}  # of the calls that were made again
        self._opened = _opened(order)
        with hooked(observers=(), comparisons=(), finish=None):
            # The new node for each old one behind the root, but for those inside of calls that were made again.
            self.nodes: dict[Value, Value] = replay([order[-1]], {}, self._made, self._behind)
            self.root = self.nodes[order[-1]]
            now = {node: made.data for node, made in self.nodes.items()}
            # A leaf may have been compared in earlier runs, with other numbers.
            known = [d for d in followed(order) if d.answer_at(recorded) is d.answer and not self._is_followed(d)]
            # Those with another answer now that it could not follow: it goes on as recorded.
            self.switched = [decision for decision in known if decision.answer_at(now) is not decision.answer]
            self._note_decisions()
        self.cut = [node for node in order if is_cut_off(node)]  # no_grad or detach hid what they were computed from

    # -- one node ------------------------------------------------------------------------------------------------------

    def _behind(self, node: Value) -> tuple[tuple[Any, ...], Decision | None]:
        """Return the inputs of a node: the arguments of its call, if it is a result of one, or its operands."""
        if (scope := self._call_of(node)) is not None:
            return () if scope in self._results else _nodes(scope), None
        return behind(node)

    def _call_of(self, node: Value) -> Scope | None:
        """Return the call that a node is a result of, if it can be made again."""
        scope = call_in(node.scope) if node.op is not None else None
        return scope if scope is not None and scope not in self._opened and id(node) in scope.call.results else None

    def _made(self, node: Value, operands: tuple[Any, ...]) -> Value:
        """Make the new node for an old one, from new operands."""
        if (scope := self._call_of(node)) is not None:
            return self._result(node, scope, operands)
        row: Any = node._row
        if row is None:
            made = type(node)(self._numbers.get(node, node.data))
        elif not any(map(is_node, operands)):  # a constant, or a choice between constants
            made = object.__new__(type(node))
            made._row, made._data, made._grad = row, row.function(*operands), None
            made._link(operands, (ZERO,) * len(operands))
        elif is_relu(node) and choice_of(node) is not None:  # which has another form at nan, and at 0 under `checked`
            with inside(node.scope):
                made = relu(operands[2])
        else:
            made = evaluate(row, operands)
        notes = node._notes
        made._notes = notes._replace(mark=None, decisions=()) if type(notes) is Notes else notes
        return made

    def _result(self, node: Value, scope: Scope, operands: tuple[Any, ...]) -> Value:
        """Return the new result of a call, which is made again for the first of them."""
        if scope not in self._results:
            replaced = dict(zip(_nodes(scope), operands, strict=True))
            with provenance():
                self._results[scope] = scope.call.again(scope, lambda x: replaced[x] if is_node(x) else x)
        made: Value = self._results[scope][scope.call.results[id(node)]]
        if node.name is not None:
            made.name = node.name
        return made

    # -- comparisons ---------------------------------------------------------------------------------------------------

    def _is_followed(self, decision: Decision) -> bool:
        """Return True if a call made it that was made again, or an earlier one at that place, which leaves keep."""
        call = call_in(decision.scope)
        return call is not None and (call in self._results or (call.site and call.site.place) in self._places)

    @cached_property
    def _places(self) -> set[Any]:
        return {scope.site.place for scope in self._results if scope.site is not None}

    def _note_decisions(self) -> None:
        """Note the old comparisons at the new nodes, with their new answers."""
        noted = {node: [d for d in node.decisions if not self._is_followed(d)] for node in self.nodes}
        sides = [x for decisions in noted.values() for d in decisions for x in (d.left, d.right) if is_node(x)]
        nodes = replay(sides, self.nodes, self._made, self._behind)
        known: dict[Decision, Decision] = {}
        for node, decisions in noted.items():
            for old in decisions:
                left, right = (nodes[x] if is_node(x) else x for x in (old.left, old.right))
                made = replace(old, left=left, right=right)
                known[old] = known.get(old) or replace(made, answer=made.answer_at({left: left, right: right}))
            if decisions:
                self.nodes[node].decisions += tuple(map(known.__getitem__, decisions))


def fault(order: Sequence[Value], recorded: Mapping[Value, float]) -> str:
    """Return why a graph cannot be recorded once more; "" if with the recorded numbers it comes out as it was."""
    try:
        again = Retaken(order, recorded, {})
    except Exception as error:  # the user's operations may do anything
        return f"an operation takes recorded numbers only ({str(error).partition(chr(10))[0] or type(error).__name__})"
    before, after = adjoints(order[-1]), adjoints(again.nodes[order[-1]])
    known = [(node, made) for node, made in again.nodes.items() if node in recorded]
    for node, made in known:
        if repr(made.data) != repr(recorded[node]):
            return f"{node.op} does not give its result again, as your own operations, or a leaf was written since"
    for node, made in known:
        if repr(before.get(node, ZERO)) != repr(after.get(made, ZERO)):
            return f"only your program can differentiate {node.op or 'its result'}"
    return ""


def _opened(order: Sequence[Value]) -> set[Scope]:
    """Return the calls that cannot be made again: others, such as derivatives, use more of them than the results."""
    calls = {node: call_in(node.scope) if node.op is not None else None for node in order}

    def is_plain(x: Any) -> bool:
        return x is None or isinstance(x, (str, Value)) or as_number(x) is not None

    opened = {scope for scope in calls.values() if scope and not all(map(is_plain, scope.call.arguments()))}
    used = [(node, calls[node]) for node in order[-1:]]
    for node in order:
        operands, choice = behind(node)
        sides = () if choice is None else (choice.left, choice.right)
        used += [(x, calls[x]) for x in (*operands, *sides) if x in calls and calls[x] is not calls[node]]
    for scope in filter(None, {*calls.values()}):
        used += [(x, calls[x]) for x in scope.call.arguments() if x in calls]
    return opened | {scope for node, scope in used if scope is not None and id(node) not in scope.call.results}


def _nodes(scope: Scope) -> tuple[Value, ...]:
    """Return the nodes that a call was made with."""
    return tuple([x for x in scope.call.arguments() if is_node(x)])


class Change(NamedTuple):
    """A leaf with another number: before and after, with the results, and the derivative of the result before."""

    leaf: Value
    before: float
    after: float
    result_before: float
    result_after: float
    slope: float


class Doubt(NamedTuple):
    """Why numbers may not be those of the program."""

    text: str  # what happened
    site: Site | None  # where, if that is known


class Touched:
    """A trace as the program made it, and the numbers that were set since."""

    def __init__(self, program: Trace, accesses: Accesses | None = None, repeats: bool = False) -> None:
        self.program = self.trace = program  # the trace of the program, and the one to show
        self.doubts: list[Doubt] = []  # why the numbers of this one may not be those that the program would get
        self.accesses, self.repeats = accesses, repeats  # what it has read and written; whether it can run again
        self._journal = program.journal  # without gradients changed by hand
        self._numbers: dict[Value, float] = {}  # that were set, by the leaves of the program
        self._of_program: dict[Value, Value] = {}  # the program's node for each node of the trace
        self._recorded = {node: program.value(node) for node in program.journal.order}
        program.remarks = {leaf: self._remark(leaf) for leaf in program.leaves if self._own(leaf) is not None}

    def _own(self, leaf: Value) -> float | None:
        """Return the program's number of a leaf that had another one in this run; None if it had its own."""
        return self.accesses.replaced.get(self.accesses.key(leaf)) if self.accesses is not None else None

    def _remark(self, leaf: Value) -> str:
        own = self._own(leaf)
        return f"set by hand: {number(self._recorded[leaf] if own is None else own)} in the program"

    def leaf(self, node: Value) -> Value:
        """Return the program's leaf behind a leaf of the trace; raise if it is computed."""
        if node.op is not None:
            raise ArgumentError(f"{self.trace.label(node)} is computed.", "Set the number of a leaf.")
        self.trace.number(node)
        return self.former(node)

    def former(self, node: Value) -> Value:
        """Return the program's node behind one of this trace, or of one before."""
        return self._of_program.get(node, node)

    def set(self, node: Value, to: float | None) -> Change:
        """Give a leaf another number, or with None its own again, and make the trace that shows it."""
        leaf = self.leaf(node)
        numbers = {**self._numbers}
        numbers.pop(leaf, None)
        if to is None and node not in self.trace.remarks:
            raise ArgumentError(f"{self.trace.label(node)} has its own number.", "Write another one after it.")
        if (new := self._own(leaf) if to is None else to) is not None:
            numbers[leaf] = new
        if self.fault and self.repeats:  # only another run can tell
            self._numbers, self.doubts = numbers, [Doubt(self.fault, None)]
            return self._change(node, numbers, math.nan)
        retaken = self._retaken(numbers)
        change = self._change(node, numbers, retaken.root.data)
        self._show(numbers, retaken)
        return change

    def reset(self) -> None:
        """Give all leaves their own numbers again."""
        numbers = {leaf: own for leaf in self.program.leaves if (own := self._own(leaf)) is not None}
        if self.fault and numbers:
            self._numbers, self.doubts = numbers, [Doubt(self.fault, None)]
        else:
            self._show(numbers, self._retaken(numbers) if numbers else None)

    def for_program(self) -> dict[str, float] | None:
        """Return all numbers by their keys, for another run of the program; None if it cannot be run with them."""
        if self.accesses is None or not self.repeats:
            return None
        numbers = {**self.accesses.numbers}
        for leaf, new in self._numbers.items():
            numbers[self.accesses.key(leaf)] = new
            if repr(new) == repr(self._own(leaf)):
                del numbers[self.accesses.key(leaf)]
        return None if "" in numbers else numbers

    def nudged(self, node: Value, by: float | None = None) -> tuple[Change, list[Doubt]]:
        """Return what another number in a leaf would do, without changing anything; by default, a small step away."""
        leaf, now = self.leaf(node), self.trace.value(node)
        numbers = {**self._numbers, leaf: now + (_step(now) if by is None else by)}
        retaken = self._retaken(numbers)
        return self._change(node, numbers, retaken.root.data), self._doubted(retaken, numbers)

    def place(self) -> int:
        """Return where the trace of the program is at the place of this one, without anything that was set."""
        program = copy(self.program)
        program.journal = self._journal
        return same_place(self.trace, program, {node: self.former(node) for node in self.trace.journal.order})

    # -- the other trace -----------------------------------------------------------------------------------------------

    @cached_property
    def fault(self) -> str:
        """Why the graph cannot be computed with other numbers; "" if it can."""
        return fault(self._journal.order, self._recorded)

    def _retaken(self, numbers: Mapping[Value, float]) -> Retaken:
        if self.fault:
            raise ArgumentError(f"The graph cannot be computed with other numbers: {self.fault}.")
        return Retaken(self._journal.order, self._recorded, numbers)

    def _change(self, node: Value, numbers: Mapping[Value, float], result: float) -> Change:
        trace, leaf = self.trace, self.leaf(node)
        slope = adjoints(trace.root).get(node, ZERO)
        before, after = trace.value(node), numbers.get(leaf, self._recorded[leaf])
        return Change(node, before, after, trace.value(trace.root), result, 0.0 if slope is ZERO else float(slope))

    def _show(self, numbers: Mapping[Value, float], retaken: Retaken | None) -> None:
        """Make the trace on these numbers, and go to the same place in it."""
        before, now, order = copy(self.trace), self.program, self._journal.order
        nodes = {node: node for node in order}
        self.doubts = []
        if numbers and retaken is not None:
            nodes = {node: made for node, made in retaken.nodes.items() if node in self._recorded}
            for node, made in nodes.items():
                if node in now.called.get(name := now.name(node), ()):
                    made.name = name  # which may go through the program's variables, and these hold the old node
            held = {path: nodes[node] for path, node in now.names.bound.items() if node in nodes}
            now = Trace(retaken.root, now.seed, now.spaces)
            now.names.bound |= held
            own = {x for x in numbers if repr(numbers[x]) == repr(self._own(x))}
            touched = {*numbers, *self.program.remarks} - own
            now.remarks = {nodes[x]: self._remark(x) for x in touched if x in nodes}
            self.doubts = self._doubted(retaken, numbers)
        now.journal, now.passed = (self._journal if now is self.program else now.journal), None
        alike = {node: nodes[old] for node in before.journal.order if (old := self.former(node)) in nodes}
        now.position = same_place(before, now, alike)
        self._numbers = dict(numbers)
        self._of_program |= {made: node for node, made in nodes.items()}
        if now is not self.trace:
            scopes = {scope for node in now.journal.order for scope in now.scopes(node)}
            now.passed = before.passed if before.passed in scopes else None
            now.breakpoints.clear()
            now.inherit(before)
        self.trace = now

    def _doubted(self, retaken: Retaken, numbers: Mapping[Value, float]) -> list[Doubt]:
        """Return why the numbers may not be those that the program would get."""
        program, accesses = self.program, self.accesses
        found = [
            _switched(decision)
            for decision in retaken.switched
            if accesses is None or accesses.concerns(decision) or decision.left in retaken.nodes
        ]
        found += [Doubt(f"{program.label(x)} keeps its number: no_grad() or detach() hid how it was computed",
                        program.place(x)) for x in retaken.cut]  # fmt: skip
        for node, was, site in accesses.reads(program.root) if accesses is not None else ():
            made = retaken.nodes.get(node)
            now = made.data if made is not None else replay([node], {**self._recorded, **numbers})[node]
            if repr(now) != repr(was):
                found.append(
                    Doubt(f"{site.expression or 'a number'} was {number(was)}, and is {number(now)} now", site)
                )
        if any(node.origin is None for node in self._journal.order if node.op is not None):
            found.append(Doubt("recorded without provenance: what the program compared is not known", None))
        if accesses is not None and accesses.too_many:
            found.append(Doubt("the program reads .data too often to follow", None))
        return [*dict.fromkeys(found)]


def _switched(decision: Decision) -> Doubt:
    site = decision.site
    if decision.is_derivative:
        return Doubt("a derivative was recorded for other numbers", site)
    if site is not None and decision.is_of_program and decision.left is not decision.right:  # relu asks for nan so
        return Doubt(f"{site.expression or 'a comparison'} is {not decision.answer} now, not {decision.answer}", site)
    name = "" if site is None else site.function.removeprefix("stable_").removeprefix("_")
    what = name if name in functions.__all__ else "a function"
    return Doubt(f"{what} was recorded in a form for other numbers", None)


def _step(at: float) -> float:
    """Return a step that changes a number a little."""
    size = abs(at)
    usual = 0.1 <= size < 10.0 or size == 0.0 or not math.isfinite(size)
    return 0.01 if usual else 0.01 * 10.0 ** math.floor(math.log10(size))


def same_place(before: Trace, now: Trace, nodes: Mapping[Value, Value]) -> int:
    """Return the step of a trace at the position of another, or the last one before that exists.

    `nodes` are its nodes by those of the other trace; if both have the same operations, these tell.
    """
    if [node.op for node in before.journal.order] == [node.op for node in now.journal.order]:
        nodes = dict(zip(before.journal.order, now.journal.order, strict=True))
    if before.position == len(before) - 1:
        return len(now) - 1
    if before.passed is not None:
        with suppress(KeyError):  # nothing flows through it now
            return now.journal.extent(before.passed, 0 if before.position < before.start else now.start + 1)[1]
    for index in range(before.position, -1, -1):
        step, turn = before[index], before.journal.turn(index)
        if index == before.start:
            return now.start
        made = nodes.get(step.node)
        if made is not None and step.phase == FORWARD:
            return now.number(made)
        if made is not None and step.phase == BACKWARD and (found := now.journal.turn_of(made)):
            assert step.operand is not None  # it is a contribution
            place, receiver = index - turn[0], nodes.get(step.operand)
            same = place < len(found) and index != turn[-1] and now[found[place]].operand is receiver
            return found[place] if same else found[-1]
    return 0
