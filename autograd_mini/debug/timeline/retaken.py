"""A recorded graph, recorded again with other numbers in its leaves, and the decisions that this cannot follow.

Calls of this package's compositions are made again, so that they take the form for the new numbers; everything else is
a replay. The old graph does not change. Not here: the place in time (`touched`).
Read next: `debug.timeline.touched`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from autograd_mini.core.node import Notes, is_cut_off, is_relu
from autograd_mini.core.replay import Decision, behind, choice_of, followed, replay
from autograd_mini.core.row import ZERO, as_number, evaluate
from autograd_mini.core.sweep import adjoints
from autograd_mini.engine import Value, is_node
from autograd_mini.functions import relu
from autograd_mini.program.scopes import call_in, inside
from autograd_mini.program.stack import Scope
from autograd_mini.watch import hooked
from autograd_mini.watch.origins import provenance


class Retaken:
    """The graph of an order, operands before results and the root last, with these numbers in its leaves.

    Attributes:
        nodes: the new node for each old one behind the root, but for those inside of calls that were made again.
        switched: comparisons that now have another answer, and that it could not follow: it goes on as recorded.
        cut: the old nodes that stay as they were, because `no_grad` or `detach` hid what they were computed from.
    """

    def __init__(self, order: Sequence[Value], recorded: Mapping[Value, float], changed: Mapping[Value, float]) -> None:
        self._numbers = {**recorded, **changed}
        self._results: dict[Scope, list[Any]] = {}  # of the calls that were made again
        self._opened = _opened(order)
        with hooked(observers=(), comparisons=(), finish=None):
            self.nodes: dict[Value, Value] = replay([order[-1]], {}, self._made, self._behind)
            self.root = self.nodes[order[-1]]
            now = {node: made.data for node, made in self.nodes.items()}
            # A leaf may have been compared in earlier runs, with other numbers.
            known = [d for d in followed(order) if d.answer_at(recorded) is d.answer and not self._is_followed(d)]
            self.switched = [decision for decision in known if decision.answer_at(now) is not decision.answer]
            self._note_decisions()
        self.cut = [node for node in order if is_cut_off(node)]

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
    opened = {scope for scope in calls.values() if scope and not all(map(_is_plain, scope.call.arguments()))}
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


def _is_plain(x: Any) -> bool:
    return x is None or isinstance(x, (str, Value)) or as_number(x) is not None
