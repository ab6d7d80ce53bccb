"""The state now: the steps of a journal, the names of its nodes, and a position in time.

The step at the position has just happened; moving changes only that number. Not here: motions that stop at breakpoints
(`travel`). Read next: `debug.timeline.expressions`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any, overload

from autograd_mini.debug.timeline.expressions import Expression, Moment
from autograd_mini.debug.timeline.folds import Call, calls_in, folded_edges
from autograd_mini.debug.timeline.index import Index
from autograd_mini.debug.timeline.journal import BACKWARD, Journal, Step
from autograd_mini.debug.timeline.paths import MOST, Paths, Walk
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.local_rules import LocalRule, local_rules
from autograd_mini.notation.namespaces import Namespace, namespaces
from autograd_mini.program.stack import Scope, outwards


class Timeline(Index, Sequence[Step]):
    """The steps of a computation and of the sweep back through it, and a position among them; see `Trace`."""

    def __init__(self, root: Value, seed: float = 1.0, spaces: Sequence[Namespace] | None = None) -> None:
        self.journal = Journal(root, seed)
        # Keep the names of now, like the numbers: the program can write to `node.name` later.
        self.spaces = namespaces(sys._getframe(1)) if spaces is None else spaces
        super().__init__(self.journal.order, self.spaces)
        self.root, self.seed, self.start = root, seed, self.journal.start
        self.position = 0
        self.passed: Scope | None = None
        self.remarks: dict[Value, str] = {}  # on leaves
        self._rules: tuple[Value, list[LocalRule | None]] = root, []
        self._calls: dict[Scope, Call] | None = None
        self._walk: Walk | None = None

    def __len__(self) -> int:
        return len(self.journal)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        return [self[i] for i in range(len(self))[index]] if isinstance(index, slice) else self.journal[index]

    def __repr__(self) -> str:
        return f"Trace({self.label(self.root)}, step {self.position} of {len(self) - 1})"

    # -- now -----------------------------------------------------------------------------------------------------------

    @property
    def step(self) -> Step:
        """The step that has just happened."""
        return self[self.position]

    @property
    def now(self) -> Moment:
        """The meaning of names and expressions now."""
        return self.moment(self.position)

    def moment(self, index: int) -> Moment:
        """Return the meaning of names and expressions just after a step."""
        return Moment(self, self.journal, self[index])

    def evaluate(self, expression: str) -> Any:
        """Compute an expression now: names of nodes, `x.grad`, words about the step, arithmetic, comparisons.

        Returns:
            a number, a text, a bool, a `Value`, or None for something not known yet.

        Raises:
            ArgumentError: it cannot be read, contains something that could do harm, or a name means nothing.

        >>> from autograd_mini import Value, debug
        >>> x = Value(3.0, name="x")
        >>> debug.trace(x * x).evaluate("x + 1 if phase == 'forward' else x.grad")
        4.0
        """
        return Expression(expression)(self.now)

    def grad(self, node: Value, at: int | None = None) -> float | None:
        """Return the gradient of a node now, or after step `at`; None if nothing has arrived yet.

        Raises:
            ArgumentError: the node is not in the graph, or there is no such step.
        """
        self.number(node)
        return self.journal.gradient(node, self.position if at is None else self._checked(at))

    def value(self, node: Value) -> float:
        """Return the number of a node in the recorded computation; the current number of a leaf if it is not known.

        Raises:
            ArgumentError: the node is not in the graph.
        """
        self.number(node)
        return self.journal.value(node)

    def remark(self, node: Value) -> str:
        """Return a remark on a leaf that was set by hand, or written since it was recorded; "" for any other node."""
        return self.remarks.get(node) or self.journal.recorded.remark(node)

    @property
    def gradients(self) -> dict[Value, float]:
        """The current gradients of all nodes that have one."""
        pairs = ((node, self.journal.gradient(node, self.position)) for node in self.journal.order)
        return {node: gradient for node, gradient in pairs if gradient is not None}

    @property
    def leaves(self) -> list[Value]:
        """The leaves of the graph, in the engine's order."""
        return [node for node in self.journal.order if node.op is None]

    def contributions(self, index: int | None = None) -> list[Step]:
        """Return what the node of a step (by default this one) has handed on so far: the chain rule, term by term."""
        index = self.position if index is None else self._checked(index)
        return self[self.journal.turn(index)[0] : index + 1]

    def rules(self, node: Value) -> list[LocalRule | None]:
        """Return the local derivatives of a node as formulas, one per contribution; None where none can be written."""
        if self._rules[0] is not node or not self._rules[1]:  # most requests are in a row, as for the edges of a node
            self._rules = node, [] if node.op is None else [*local_rules(node, self.journal.value)]
        return self._rules[1]

    def rule(self, step: Step) -> LocalRule | None:
        """Return the local derivative of a contribution as a formula; None if none can be written."""
        if step.phase != BACKWARD:
            return None
        return self.rules(step.node)[step.index - self.journal.turn(step.index)[0]]

    @property
    def calls(self) -> dict[Scope, Call]:
        """The calls of this package's compositions, such as softmax, each as a single operation."""
        if self._calls is None:
            self._calls = calls_in(self.journal.order)
        return self._calls

    def paths(self, node: Value, most: int = MOST, opened: Collection[str] = ()) -> Paths:
        """Return the paths from the root to a node, whose products add up to its gradient at the end of the sweep.

        Args:
            node: a node of the graph.
            most: list the heaviest if there are more paths.
            opened: the names of compositions to go through; a call of any other, such as softmax, is one factor. To a
                node inside a call, paths go through all.

        Raises:
            ArgumentError: the node is not in the graph.

        >>> from autograd_mini import Value, debug
        >>> x = Value(3.0, name="x")
        >>> [path.product for path in debug.trace(x * x + x).paths(x).paths]
        [3.0, 3.0, 1.0]
        """
        self.number(node)
        order, calls = self.journal.order, self.calls
        closed = {scope: call for scope, call in calls.items() if call.name not in opened}
        hidden = any(node in call.nodes and node not in call.fold.outputs for call in closed.values())
        if hidden or len(closed) < len(calls) or most != MOST:
            return Walk(order, self.seed, folded_edges({} if hidden else closed), most).to(node)
        self._walk = self._walk or Walk(order, self.seed, folded_edges(calls))
        return self._walk.to(node)

    @property
    def level(self) -> Scope | None:
        """The current scope: the one around the scope that was passed, or that of the node."""
        if self.passed is not None:
            return self.passed.parent
        return next(iter(self.journal.around(self.position)), None)

    @property
    def passed_steps(self) -> list[Step]:
        """The steps of the scope that the last motion went over, without steps of others between them."""
        if self.passed is None:
            return []
        first, _ = self.journal.extent(self.passed, self.position)
        return [self[i] for i in range(first, self.position + 1) if self.passed in self.journal.around(i)]

    @staticmethod
    def is_inside(node: Value, scope: Scope | None) -> bool:
        """Return True if a node was computed inside a scope."""
        return node.op is not None and any(around is scope for around in outwards(node.scope))

    @property
    def handed_on(self) -> list[Step]:
        """What this step's node has handed on so far; for a scope that was passed as a whole, what left it."""
        if self.passed is None:
            return self.contributions()
        return [s for s in self.passed_steps if s.operand is None or not self.is_inside(s.operand, self.passed)]

    # -- any moment ----------------------------------------------------------------------------------------------------

    def seek(self, index: int) -> Step:
        """Go to the moment just after a step.

        Args:
            index: the step, from 0 to len(trace) - 1; negative numbers count from the end.

        Raises:
            ArgumentError: there is no such step.
        """
        self.position, self.passed = self._checked(index), None
        return self.step

    def next(self) -> Step | None:
        """Go one step forwards; at the end, stay and return None."""
        return self.seek(self.position + 1) if self.position + 1 < len(self) else None

    def back(self) -> Step | None:
        """Go one step back; at the beginning, stay and return None."""
        return self.seek(self.position - 1) if self.position else None

    def _checked(self, index: int) -> int:
        try:
            return range(len(self))[index]
        except (IndexError, TypeError):
            raise ArgumentError(
                f"There is no step {shown(index)}.", f"Pass a whole number from 0 to {len(self) - 1}."
            ) from None
