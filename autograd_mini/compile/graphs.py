"""A recorded graph on a tape: the leaves are inputs, and all values and local derivatives are results.

A `where` whose comparison is known is decided anew for each input; every other choice stays as it was recorded.
Not here: functions, which are traced (`compiled`). Read next: `compile.languages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from autograd_mini.compile.passes import EXACT, without_dead_code
from autograd_mini.compile.tape import Tape
from autograd_mini.compile.tracing import Builder, tracing
from autograd_mini.core.node import Node
from autograd_mini.core.replay import Decision, choice_of, followed
from autograd_mini.core.row import TABLE, ZERO, evaluate, select
from autograd_mini.core.sweep import topological_order
from autograd_mini.core.traced import RELATE, Guarded, Unrecorded, resolved


class Edge(NamedTuple):
    """An edge along which a node hands something on, with registers of the tape.

    Attributes:
        operand: the node that receives.
        place: its position among the operands.
        local: the local derivative; 0.0 where there is no edge.
        state: 0 where there is no edge, 1 where there is one, 2 where it hands on 0, whatever it multiplies, and adds
            nothing; None if it is always 1.
    """

    operand: Any
    place: int
    local: int
    state: int | None


class GraphTape:
    """A recorded graph on a tape.

    Args:
        root: the node to differentiate.

    Attributes:
        tape: its inputs are the leaves.
        leaves: the leaves, in the order of the inputs.
        values: the register of each node's number.
        turns: in the order of the sweep, each node with its edges, even those that exist only for other inputs.
        choices: the nodes that are decided again, with their comparisons and the registers of the answers.
        decisions: comparisons that stay as they were, with the registers of the answers that they would have.
    """

    def __init__(self, root: Any) -> None:
        order = [*topological_order(root, everything=True)]
        self.leaves = [node for node in order if node._row is None]
        self._found: dict[Any, Any] = {}  # nodes on the tape
        self._conditions: dict[Any, Any] = {}  # of each `where`
        self._outputs: list[Any] = []
        with tracing(passes=EXACT) as self._builder:
            for number, leaf in enumerate(self.leaves):
                self._found[leaf] = self._builder.input(f"x{number}")
            values = {node: self._output(self._number(node)) for node in order}
            known = [(node, choice) for node in order if (choice := choice_of(node)) is not None]
            choices = [(node, choice, self._answer(self._conditions[node])) for node, choice in known]
            decisions = [(decision, self._answer(self._relation(decision))) for decision in followed(order)]
            slopes = {node: self._partials(node) for node in order}
            usual = [*reversed(topological_order(root)), *reversed(order)]
            turns = {node: self._edges(node, slopes[node]) for node in _users_first(usual, slopes)}
            self.tape: Tape = without_dead_code(self._builder.tape(self._outputs))
        at = self.tape.outputs
        self.values = {node: at[x] for node, x in values.items()}
        self.choices: list[tuple[Any, Decision, int]] = [(node, choice, at[x]) for node, choice, x in choices]
        self.decisions: list[tuple[Decision, int]] = [(decision, at[x]) for decision, x in decisions]
        self.turns = {
            node: [e._replace(local=at[e.local], state=None if e.state is None else at[e.state]) for e in edges]
            for node, edges in turns.items()
            if edges
        }

    def _output(self, number: Any) -> int:
        self._outputs.append(number)
        return len(self._outputs) - 1

    def _answer(self, condition: Any) -> int:
        return self._output(select(condition, 1.0, 0.0))

    # -- numbers -------------------------------------------------------------------------------------------------------

    def _number(self, node: Any) -> Any:
        """What a node is on the tape, computed with all that it needs; a leaf that is not an input is a constant."""
        path = [node]
        while path:
            node = path[-1]
            choice = choice_of(node)
            needed = node.operands if choice is None else (*node.operands, choice.left, choice.right)
            if node in self._found:
                path.pop()
            elif missing := [x for x in needed if isinstance(x, Node) and x not in self._found]:
                path += missing
            else:
                self._found[path.pop()] = node.data if node._row is None else self._computed(node, choice)
        return self._found[node]

    def _computed(self, node: Any, choice: Decision | None) -> Any:
        operands = self._operands(node)
        if node.op != "where":
            return evaluate(node._row, operands)
        asked = operands[0] if choice is None else self._relation(choice)
        self._conditions[node] = asked != 0.0 if isinstance(asked, Unrecorded) else asked
        return select(self._conditions[node], *operands[1:])

    def _operands(self, node: Any) -> tuple[Any, ...]:
        return tuple([self._found[x] if isinstance(x, Node) else x for x in node.operands])

    def _relation(self, decision: Decision) -> Any:
        sides = (decision.left, decision.right)
        return RELATE[decision.op](*[self._number(x) if isinstance(x, Node) else x for x in sides])

    # -- slopes --------------------------------------------------------------------------------------------------------

    def _partials(self, node: Any) -> list[Any]:
        """The local derivatives of a node by its rule; `ZERO` for constants."""
        if node._row is None:
            return []
        operands = self._operands(node)
        if node in self._conditions:
            operands = (self._conditions[node], *operands[1:])
        slopes = node._row.partials(self._found[node], operands)
        return [slope if isinstance(x, Node) else ZERO for x, slope in zip(node.operands, slopes, strict=True)]

    def _edges(self, node: Any, slopes: Sequence[Any]) -> list[Edge]:
        edges = []
        for place, slope in enumerate(slopes):
            if slope is not ZERO:
                is_guarded = type(slope) is Guarded
                live = select(slope.condition, 1.0, 0.0) if is_guarded else 1.0
                local = slope.value if is_guarded else slope
                state = self._state(self._builder, live, local)
                edges.append(Edge(node.operands[place], place, self._output(resolved(slope)), state))
        return edges

    def _state(self, builder: Builder, live: Any, local: Any) -> int | None:
        flat = builder.register_of(local).flat
        if flat is False:
            return None if type(live) is float else self._output(live)
        return self._output(2.0 if flat is True else builder.compute(TABLE["where"], (flat, 2.0, live)))


def _users_first(nodes: Sequence[Any], slopes: dict[Any, list[Any]]) -> list[Any]:
    """The nodes in their order, except that a node that any edge leads from, whatever the inputs, comes earlier."""
    users: dict[Any, list[Any]] = {node: [] for node in nodes}
    for node in users:
        for operand, slope in zip(node.operands, slopes[node], strict=bool(slopes[node])):
            if slope is not ZERO:
                users[operand].append(node)
    done: dict[Any, None] = {}
    for first in users:
        path = [first]
        while path:
            if missing := [user for user in users[path[-1]] if user not in done]:
                path += reversed(missing)
            else:
                done[path.pop()] = None
    return [*done]
