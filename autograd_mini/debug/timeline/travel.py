"""Time travel through backpropagation: motions forwards and back that stop at breakpoints, and gradients set by hand.

Not here: the state at a moment (`timeline`), where to stop (`breakpoints`), and how it looks (`wording`).
Read next: `debug.timeline.folds`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from autograd_mini.debug.timeline.breakpoints import Breakpoint, located
from autograd_mini.debug.timeline.expressions import Expression
from autograd_mini.debug.timeline.journal import Step
from autograd_mini.debug.timeline.timeline import Timeline
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.namespaces import Namespace
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


class Trace(Timeline):
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
        super().__init__(root, seed, spaces)
        self.breakpoints: list[Breakpoint] = []
        self.watches: list[Expression] = []
        self.opened: set[str] = set()
        self._made = 0  # breakpoints made so far

    # -- moving --------------------------------------------------------------------------------------------------------

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
        *,
        line: int | None = None,
        file: str | None = None,
        op: str | None = None,
        scope: str | None = None,
        function: str | None = None,
        node: Value | str | None = None,
        watch: Value | str | None = None,
        nonfinite: bool = False,
        above: float | None = None,
        below: float | None = None,
        when: str | Callable[[Step], bool] | None = None,
        condition: str | None = None,
        hits: str | int = "",
        temporary: bool = False,
        log: str | None = None,
    ) -> Breakpoint:
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
            condition=now.read(condition) if condition else None,
            hit_condition=str(hits),
            temporary=temporary,
            log=log,
            number=self._made + 1,
        )
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
