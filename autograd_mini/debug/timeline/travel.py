"""Time travel: the state at a moment, motions forwards and back that stop at breakpoints, gradients set by hand.

The step at the position has just happened; moving changes only that number. Not here: the steps (`journal`), where to
stop (`breakpoints`), and how it looks (`wording`). Read next: `debug.timeline.paths`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, overload

from autograd_mini.debug.timeline.breakpoints import Breakpoint, located
from autograd_mini.debug.timeline.expressions import Expression, Moment
from autograd_mini.debug.timeline.index import Index
from autograd_mini.debug.timeline.journal import BACKWARD, Journal, Step
from autograd_mini.debug.timeline.paths import MOST, Call, Paths, Walk, calls_in, folded_edges
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.local_rules import LocalRule, local_rules
from autograd_mini.notation.namespaces import Namespace, namespaces
from autograd_mini.program.stack import Scope, outwards


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a motion ended.

    Attributes:
        reason: "step", "breakpoint", "interrupted" (by Ctrl-C), or "end" if there is nothing further that way.
        breakpoints: the breakpoints that were met.
        messages: the messages of logging breakpoints on the way.
    """

    reason: str
    breakpoints: tuple[Breakpoint, ...] = ()
    messages: tuple[str, ...] = ()


class Trace(Index, Sequence[Step]):
    """Every step of a computation and of its `backward()`, and a position among them; `debug.trace(v)` makes it.

    Attributes:
        root: the value that is differentiated.
        seed: the derivative that the sweep begins with.
        start: the step where the sweep begins and the root gets its seed.
        journal: all steps and the state after each.
        position: the index of the step that has just happened.
        passed: the scope that the last motion went over as a whole, or None.
        opened: the names of scopes that `over` goes into.
        breakpoints: where `run` stops.
        watches: expressions to show at every stop.

    >>> from autograd_mini import Value, debug
    >>> x = Value(3.0, name="x")
    >>> trace = debug.trace(x * x)
    >>> [step.phase for step in trace]
    ['forward', 'forward', 'seed', 'backward', 'backward']
    >>> trace.seek(3).total, trace.grad(x)
    (3.0, 3.0)
    >>> trace.next().total, trace.grad(x)
    (6.0, 6.0)
    >>> trace.back().total, trace.grad(x)
    (3.0, 3.0)
    """

    def __init__(self, root: Value, seed: float = 1.0, spaces: Sequence[Namespace] | None = None) -> None:
        self.journal = Journal(root, seed)
        # Keep the names of now, like the numbers: the program can write to `node.name` later.
        self.spaces = namespaces(sys._getframe(1)) if spaces is None else spaces
        super().__init__(self.journal.order, self.spaces)
        self.root, self.seed, self.start = root, seed, self.journal.start
        self.position = 0
        self.passed: Scope | None = None
        self.remarks: dict[Value, str] = {}  # on leaves
        self.breakpoints: list[Breakpoint] = []
        self.watches: list[Expression] = []
        self.opened: set[str] = set()
        self._made = 0  # breakpoints made so far
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

    # -- moving --------------------------------------------------------------------------------------------------------

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

    def into(self, back: bool = False) -> Stop:
        """Go to the next node, wherever it is, up to the end of all that it hands on. `back` goes the other way."""
        return self._move(self._beside(back), back)

    def over(self, back: bool = False) -> Stop:
        """Go to the next node in this scope or outside it; an inner scope is one motion, to its end."""
        target = self._beside(back)
        if back and self.passed is not None:  # go back over the whole of what was passed as a whole
            target = self._whole(self.journal.extent(self.passed, self.position)[0] - 1)
        if not 0 <= target < len(self) or target in self.journal.turn(self.position):
            return self._move(target, back)
        around = {*outwards(self.level)}
        passed = None
        for scope in self.journal.around(target):
            if scope in around:
                break
            if scope.name not in self.opened:
                passed = scope  # the last one is the outermost that is not around us
        if passed is not None and not back:
            target = self.journal.extent(passed, target)[1]
        return self._move(target, back, passed)

    def out(self, back: bool = False) -> Stop:
        """Go on to the next node after all of this scope; outside all scopes, to the end."""
        if self.level is None:
            return self.run(back)
        first, last = self.journal.extent(self.level, self.position)
        return self._move(self._whole(first - 1 if back else last + 1), back)

    def run(self, back: bool = False) -> Stop:
        """Go on to the next breakpoint, or to the end."""
        return self._move(-1 if back else len(self), back)

    def run_to(self, target: int | Value | str | Callable[[Step], bool], back: bool = False) -> Stop:
        """Go on to a place, regardless of breakpoints: a step, a node, a condition, or a function of the step.

        Raises:
            ArgumentError: there is no such step or node, or the condition cannot be read.
        """
        if isinstance(target, int):
            return self._move(self._checked(target), target < self.position, to=())
        if is_node(target):
            self.number(target)
        there = located(self.now, "node" if is_node(target) else "when", target)
        return self._move(-1 if back else len(self), back, to=(there,))

    def _beside(self, back: bool) -> int:
        """Return the end of this turn, or of the next one if this is over; going back, the end of the turn before."""
        here = self.journal.turn(self.position)
        if not back and self.position < here[-1]:
            return here[-1]
        return self._whole(here[0] - 1 if back else here[-1] + 1)

    def _whole(self, index: int) -> int:
        """Return the last step of a turn; an index beyond the ends of time stays the same."""
        return self.journal.turn(index)[-1] if 0 <= index < len(self) else index

    def _checked(self, index: int) -> int:
        try:
            return range(len(self))[index]
        except (IndexError, TypeError):
            raise ArgumentError(
                f"There is no step {shown(index)}.", f"Pass a whole number from 0 to {len(self) - 1}."
            ) from None

    def _move(
        self, target: int, back: bool, passed: Scope | None = None, to: Sequence[Breakpoint] | None = None
    ) -> Stop:
        """Go to a step, but stop earlier at a breakpoint, and at the ends of time."""
        messages: list[str] = []
        direction = -1 if back else 1
        active = [breakpoint for breakpoint in (self.breakpoints if to is None else to) if breakpoint.enabled]
        end = min(max(target, 0), len(self) - 1)
        if end == self.position:
            return Stop("end")
        index = self.position
        try:
            for index in range(self.position + direction, end + direction, direction) if active else ():
                now = self.moment(index)
                met = [breakpoint for breakpoint in active if breakpoint.is_met(now, index - direction)]
                messages += [now.filled(breakpoint.log) for breakpoint in met if breakpoint.log is not None]
                met = [breakpoint for breakpoint in met if breakpoint.log is None]
                if met:
                    self.breakpoints[:] = [b for b in self.breakpoints if not (b.temporary and b in met)]
                    self.position, self.passed = index, passed if index == target else None
                    return Stop("breakpoint", tuple(met), tuple(messages))
        except KeyboardInterrupt:
            self.position, self.passed = index, None
            return Stop("interrupted", (), tuple(messages))
        self.position, self.passed = end, passed
        return Stop("step" if end == target else "end", (), tuple(messages))

    # -- stopping ------------------------------------------------------------------------------------------------------

    def break_at(
        self,
        *, line: int | None = None, file: str | None = None, op: str | None = None, scope: str | None = None,
        function: str | None = None, node: Value | str | None = None, watch: Value | str | None = None,
        nonfinite: bool = False, above: float | None = None, below: float | None = None,
        when: str | Callable[[Step], bool] | None = None, condition: str | None = None, hits: str | int = "",
        temporary: bool = False, log: str | None = None,
    ) -> Breakpoint:  # fmt: skip
        """Stop at a place from now on; exactly one of the arguments from line to when, without file, says where.

        Args:
            line: a source line where an expression made a node or a call led to one, or else the next such line.
            file: the file of that line; by default the one that made the root.
            op: the name or symbol of a primitive, such as "exp" or "*".
            scope: the name of a scope, to stop where it is entered.
            function: the name of a function of the program, to stop where its computation begins.
            node: a node, or a name of nodes.
            watch: the gradient of a node or an expression, to stop where it changes.
            nonfinite: stop where anything is nan or infinite.
            above: stop where a gradient is larger than this in size.
            below: stop where a gradient this small is handed on although what arrived was not zero.
            when: an expression or a function of a `Step`, to stop where it is true.
            condition: stop only if this expression is also true.
            hits: how often it must be met first: 3, or ">= 3", "== 3", "% 3".
            temporary: stop only once.
            log: print this instead of stopping, with the expressions in braces computed: "{x.grad} at {line}".

        Returns:
            the new breakpoint, which is also in `breakpoints`.

        Raises:
            ArgumentError: the graph has no such line, operation, scope or node; or an argument cannot be read.
            OperandError: above or below is not a number.
        """
        given = {
            "line": line, "op": op, "scope": scope, "function": function, "node": node, "watch": watch,
            "nonfinite": nonfinite or None, "above": above, "below": below, "when": when,
        }  # fmt: skip
        kinds = [kind for kind, target in given.items() if target is not None]
        if len(kinds) != 1:
            raise ArgumentError(
                f"A breakpoint has one place, not {len(kinds)}: {', '.join(kinds) or 'nothing'}.",
                f"Pass one of {', '.join(given)}.",
            )
        now = self.now
        found = replace(
            located(now, kinds[0], given[kinds[0]], file),
            condition=now.read(condition) if condition else None, hit_condition=str(hits), temporary=temporary,
            log=log, number=self._made + 1,
        )  # fmt: skip
        if log is not None:
            now.filled(log)  # to raise now
        self._made += 1
        self.breakpoints.append(found)
        return found

    def inherit(self, earlier: Trace) -> None:
        """Take over the breakpoints and watches of an earlier sweep's trace; what is not in this graph waits."""
        self.watches, self.opened, self._made = earlier.watches, earlier.opened, earlier._made
        self.breakpoints += [former.moved(self.now) for former in earlier.breakpoints]

    # -- showing -------------------------------------------------------------------------------------------------------

    def slides(self, path: str | Path, steps: Collection[int] | None = None) -> Path:
        """Write slides for a class, as `debug.slides` does; a call whose name is in `opened` has one per step."""
        # By name, because windows know traces, and traces need not know windows.
        pages, deck = (import_module(f"autograd_mini.debug.pages{name}") for name in ("", ".deck"))
        target: Path = pages.checked_path(path, slides=True)
        deck.Deck(self, steps).save(target)
        return target

    # -- changing ------------------------------------------------------------------------------------------------------

    def what_if(self, node: Value, gradient: float) -> Step:
        """Change the gradient of a node now, and see what happens to the others; this adds a step and goes there.

        Changes at later steps are forgotten. Neither the graph nor any `.grad` changes.

        Raises:
            ArgumentError: the node is not in the graph, no gradient reaches it, the sweep has not begun, or the node
                has already handed on its gradient.
            OperandError: the gradient is not a number.
        """
        label, journal = self.label(node), self.journal
        if self.position < self.start:
            raise ArgumentError("There are no gradients in the forward phase.", f"Go to step {self.start} or later.")
        if not journal.arrivals(node):
            raise ArgumentError(f"No gradient reaches {label}.", "It is behind a branch not taken.")
        turn = journal.turn_of(node)
        if turn and turn[0] <= self.position:
            raise ArgumentError(f"{label} has already handed on its gradient.", f"Go back to before step {turn[0]}.")
        self.journal = journal.changed(self.position, node, Value(gradient).data)
        return self.seek(journal.turn(self.position)[-1] + 1)
