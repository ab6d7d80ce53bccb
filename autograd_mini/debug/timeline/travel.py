"""Time travel through backpropagation: where we are, how to move, where to stop. Windows only show what this says.

Now is an index into the journal: the step of that index has just happened. Moving changes that number, nothing else.
Not here: what was so at a moment (that is `journal`), and how it looks (`wording`). Read next: `breakpoints`.
"""

from __future__ import annotations

import difflib
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

from autograd_mini.debug.timeline.breakpoints import Breakpoint
from autograd_mini.debug.timeline.conditions import Condition
from autograd_mini.debug.timeline.journal import Journal, Step, WhatIf
from autograd_mini.debug.timeline.lines import Frame, Lines
from autograd_mini.debug.timeline.moment import Moment
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.notation.names import Names, place
from autograd_mini.notation.namespaces import Namespace, namespaces, plain
from autograd_mini.program.owner import is_of_library
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope, outwards


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a motion ended.

    Attributes:
        reason: "step", "breakpoint", "interrupted" (by Ctrl-C), or "end": there is nothing further that way.
        breakpoints: those that were met.
        messages: what breakpoints that log had to say on the way.
    """

    reason: str
    breakpoints: tuple[Breakpoint, ...] = ()
    messages: tuple[str, ...] = ()


class Trace(Sequence[Step]):
    """Every step of a computation and of its `backward()`, and a position among them.

    It is made by `debug.trace(v)`, and changes neither the graph nor any `.grad`.

    Attributes:
        root: the value whose derivatives are computed.
        seed: the derivative that the sweep begins with.
        position: the index of the step that has just happened.
        passed: the scope that the last motion went over as a whole, or None.
        breakpoints: where `run` stops.
        watches: expressions to be shown at every stop.
        names: what the nodes are called.
        called: the nodes that have names, by them.
        variables: those of the program that are numbers, texts or truths, for conditions.

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
        self.position = 0
        self.passed: Scope | None = None
        self.breakpoints: list[Breakpoint] = []
        self.watches: list[Condition] = []
        self._numbers = 0
        self._extents: dict[tuple[Scope, bool], tuple[int, int]] = {}
        self._lines = Lines(self)
        spaces = namespaces(sys._getframe(1)) if spaces is None else spaces
        self.variables = plain(spaces)
        self.names = Names(self.journal.order, spaces)  # now, as with numbers: the program can write node.name later
        self.called = self.names.called

    @property
    def root(self) -> Value:
        """The value whose derivatives are computed."""
        return self.journal.root

    @property
    def seed(self) -> float:
        """The derivative that the sweep begins with."""
        return self.journal.seed

    @property
    def start(self) -> int:
        """The step in which the sweep begins: the root gets its seed."""
        return self.journal.start

    def __len__(self) -> int:
        return len(self.journal)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        return self.journal[index]

    def __iter__(self) -> Iterator[Step]:
        return (self.journal[index] for index in range(len(self.journal)))

    def __repr__(self) -> str:
        return f"Trace({self.label(self.root)}, step {self.position} of {len(self) - 1})"

    # -- now -----------------------------------------------------------------------------------------------------------

    @property
    def step(self) -> Step:
        """The step that has just happened."""
        return self[self.position]

    def grad(self, node: Value, at: int | None = None) -> float | None:
        """The gradient of a node now, or after a step; None where nothing has arrived yet.

        Raises:
            ArgumentError: the node is not in the graph, or there is no such step.
        """
        self._known(node)
        return self.journal.gradient(node, self.position if at is None else self._checked(at))

    def value(self, node: Value) -> float:
        """The number of a node in the recorded computation; of a leaf that which it has now, if no other is known.

        Raises:
            ArgumentError: the node is not in the graph.
        """
        self._known(node)
        return self.journal.value(node)

    def remark(self, node: Value) -> str:
        """What there is to say of the number of a leaf that was written since, else ""."""
        return self.journal.recorded.remark(node)

    @property
    def gradients(self) -> dict[Value, float]:
        """The gradients that there are now, of all nodes."""
        pairs = ((node, self.journal.gradient(node, self.position)) for node in self.journal.order)
        return {node: gradient for node, gradient in pairs if gradient is not None}

    @property
    def leaves(self) -> list[Value]:
        """The leaves of the graph, in the engine's order."""
        return [node for node in self.journal.order if node.op is None]

    def contributions(self, index: int | None = None) -> list[Step]:
        """What the node of a step, by default of this one, has handed on up to then: the chain rule, term by term."""
        index = self.position if index is None else self._checked(index)
        first = self.journal.turn(index)[0]
        return self[first : index + 1]

    # -- moving --------------------------------------------------------------------------------------------------------

    def seek(self, index: int) -> Step:
        """Go to a moment: when the step of this index has just happened.

        Args:
            index: from 0 to len(trace) - 1; negative ones count from the end.

        Raises:
            ArgumentError: there is no such step.
        """
        self.position, self.passed = self._checked(index), None
        return self.step

    def next(self) -> Step | None:
        """Go one step forwards; None, and nothing happens, at the end."""
        return self.seek(self.position + 1) if self.position + 1 < len(self) else None

    def back(self) -> Step | None:
        """Go one step back; None, and nothing happens, at the beginning."""
        return self.seek(self.position - 1) if self.position else None

    def into(self, back: bool = False) -> Stop:
        """Go to the next node, wherever it is: all that it hands on has then happened. `back` goes the other way."""
        here = self.journal.turn(self.position)
        target = here[0] - 1 if back else here[-1] + 1 if self.position == here[-1] else here[-1]
        return self._move(self.journal.turn(target)[-1] if 0 <= target < len(self) else target, back)

    def over(self, back: bool = False) -> Stop:
        """Go to the next node in this scope or outside of it; a scope further inside is one motion, to its end."""
        here = self.journal.turn(self.position)
        if not back and self.position < here[-1]:
            return self._move(here[-1], back)
        target = here[0] - 1 if back else here[-1] + 1
        if back and self.passed is not None:  # what was gone over as a whole is gone back over as a whole
            target = self._extent(self.passed, self.position)[0] - 1
        if not 0 <= target < len(self):
            return self._move(target, back)
        around = {*outwards(self.level)}
        passed = None
        for scope in self.around(target):
            if scope in around:
                break
            passed = scope  # in the end the outermost that is not around us
        if passed is not None and not back:
            target = self._extent(passed, target)[1]
        return self._move(self.journal.turn(target)[-1], back, passed)

    def out(self, back: bool = False) -> Stop:
        """Go on until all of this scope has happened, and to the next node; outside of all scopes, to the end."""
        level = self.level
        if level is None:
            return self._move(-1 if back else len(self), back)
        first, last = self._extent(level, self.position)
        target = first - 1 if back else last + 1
        return self._move(self.journal.turn(target)[-1] if 0 <= target < len(self) else target, back)

    def run(self, back: bool = False) -> Stop:
        """Go on to the next breakpoint, or to the end."""
        return self._move(-1 if back else len(self), back)

    def run_to(self, target: int | Value | str | Callable[[Step], bool], back: bool = False) -> Stop:
        """Go on to a place, whatever breakpoints there are: a step, a node, a condition, a function of the step.

        Raises:
            ArgumentError: there is no such step or node, or the condition cannot be read.
        """
        if isinstance(target, int):
            return self._move(self._checked(target), target < self.position, to=())
        if is_node(target):
            self._known(target)
            there = self._breakpoint("node", target)
        else:
            there = self._breakpoint("when", target)
        return self._move(-1 if back else len(self), back, to=(there,))

    @property
    def level(self) -> Scope | None:
        """The scope in which we are: around the one that was passed, or that of the node."""
        return self.passed.parent if self.passed is not None else next(iter(self.around(self.position)), None)

    @property
    def passed_steps(self) -> list[Step]:
        """The steps of the scope that the last motion went over; those of others that lie between them are not."""
        if self.passed is None:
            return []
        first, _ = self._extent(self.passed, self.position)
        return [self[index] for index in range(first, self.position + 1) if self.passed in self.around(index)]

    def scopes(self, node: Value) -> list[Scope]:
        """The scopes that a node is in, from the innermost."""
        return [*outwards(node.scope)]

    def around(self, index: int) -> list[Scope]:
        """The scopes in which a step happens, from the innermost; leaves and the seed are given from outside."""
        node = self.journal.order[index] if index < self.start else self.journal[index].node
        return [] if node.op is None or index == self.start else self.scopes(node)

    def _extent(self, scope: Scope, index: int) -> tuple[int, int]:
        """The first and the last step of a scope, in the phase of a step.

        Others may lie between them: the sweep goes into what a function was given before it is done with the function.
        """
        phase = index < self.start
        if (scope, phase) not in self._extents:
            self._extents.clear()
            index = 0
            while index < len(self):
                turn = self.journal.turn(index)
                for inner in self.around(index):
                    first, _ = self._extents.get((inner, index < self.start), (index, index))
                    self._extents[inner, index < self.start] = first, turn[-1]
                index = turn[-1] + 1
        return self._extents[scope, phase]

    def _move(
        self, target: int, back: bool, passed: Scope | None = None, to: Sequence[Breakpoint] | None = None
    ) -> Stop:
        """Go to a step; stop before it at a breakpoint, and at the ends of time."""
        messages: list[str] = []
        direction = -1 if back else 1
        armed = self.breakpoints if to is None else to
        active = [breakpoint for breakpoint in armed if breakpoint.enabled]
        end = min(max(target, 0), len(self) - 1)
        if end == self.position:
            return Stop("end")
        index = self.position
        try:
            for index in range(self.position + direction, end + direction, direction) if active else ():
                step = self[index]
                met = [breakpoint for breakpoint in active if breakpoint.is_met(self, step, index - direction)]
                if met:
                    names = self.names_at(step)
                    messages += [names.filled(breakpoint.log) for breakpoint in met if breakpoint.log is not None]
                    met = [breakpoint for breakpoint in met if breakpoint.log is None]
                if met:
                    for breakpoint in met:
                        if breakpoint.temporary and breakpoint in self.breakpoints:
                            self.breakpoints.remove(breakpoint)
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
        """Stop there from now on: exactly one of the first arguments says where.

        Args:
            line: of the source; the expression that made a node, or a call that led to it, is there. Of a line without
                any the next one counts.
            file: of that line; by default the one in which the root was made.
            op: the name or symbol of a primitive, such as "exp" or "*".
            scope: the name of a scope; where it is entered.
            function: the name of a function of the program; where what it computes begins.
            node: a node, or the name of some.
            watch: stop where this changes: the gradient of a node, or an expression.
            nonfinite: stop where anything is nan or infinite.
            above: stop where a gradient is larger than this in size.
            below: stop where a gradient is handed on that is this small, though what arrived was not zero.
            when: stop where this is true: an expression, or a function of a `Step`.
            condition: stop only if this expression is true as well.
            hits: how often it must be met first: 3, or ">= 3", "== 3", "% 3".
            temporary: stop there once.
            log: do not stop, but say this; expressions in braces are computed: "{x.grad} at {line}".

        Returns:
            the breakpoint; it is in `breakpoints` now.

        Raises:
            ArgumentError: nothing can ever be met: no such line, operation, scope or node; or something cannot be read.
            OperandError: what is a number above or below is none.
        """
        given = {
            "line": line, "op": op, "scope": scope, "function": function, "node": node, "watch": watch,
            "nonfinite": nonfinite or None, "above": above, "below": below, "when": when,
        }  # fmt: skip
        kinds = [kind for kind, target in given.items() if target is not None]
        if len(kinds) != 1:
            raise ArgumentError(
                f"A breakpoint says one thing, not {len(kinds)}: {', '.join(kinds) or 'nothing'}.",
                f"Pass one of {', '.join(given)}.",
            )
        found = replace(
            self._breakpoint(kinds[0], given[kinds[0]], file),
            condition=self.condition(condition) if condition else None,
            hit_condition=str(hits),
            temporary=temporary,
            log=log,
            number=self._numbers + 1,
        )
        if log is not None:
            self.names_at(self.step).filled(log)  # to complain now
        self._numbers += 1
        self.breakpoints.append(found)
        return found

    def inherit(self, earlier: Trace) -> None:
        """Take over the breakpoints and watches of the trace of an earlier sweep; what is not in this graph waits."""
        self.watches, self._numbers = earlier.watches, earlier._numbers
        for former in earlier.breakpoints:
            target = str(former.target) if isinstance(former.target, Condition) else former.target
            try:
                found = self._breakpoint(former.kind, target, former.file)
                if former.condition is not None:
                    former.condition(self.names_at(self.step))
            except ArgumentError:
                self.breakpoints.append(replace(former, absent=True))
            else:
                nodes, entering = found.nodes, found.entering
                self.breakpoints.append(
                    replace(former, target=found.target, nodes=nodes, entering=entering, absent=False)
                )

    def _breakpoint(self, kind: str, target: Any, file: str | None = None) -> Breakpoint:
        order = self.journal.order
        nodes: set[Value] | None = None
        entering = False
        if kind == "line":
            file, target, nodes, entering = self._lines.find(target, file)
        elif kind == "op":
            nodes = {node for node in order if node._row is not None and target in (node._row.name, node._row.symbol)}
            _some(nodes, f"No operation {shown(target)} is in the graph.", {node.op for node in order if node.op})
        elif kind == "scope":
            nodes = {node for node in order if any(scope.name == target for scope in self.scopes(node))}
            names = {scope.name for node in order for scope in self.scopes(node)}
            _some(nodes, f"The graph has no scope {shown(target)}.", names)
        elif kind == "function":
            nodes, entering = self.functions.get(target, set()), True
            _some(nodes, f"No function {shown(target)} computed anything in the graph.", self.functions)
        elif kind == "node":
            nodes = {target} if is_node(target) else {*self.nodes(target)}
            target = self.label(target) if is_node(target) else target
        elif kind == "watch":
            if is_node(target):
                nodes, target = {target}, Condition(f"{self.written(target)}.grad")
            else:
                target = self.condition(target)
        elif kind == "when" and not callable(target):
            target = self.condition(target)
        elif kind in ("above", "below"):
            target = Value(target).data
        return Breakpoint(kind, target, nodes, entering, file=file)

    def lines(self, file: str | None = None) -> list[int]:
        """The lines of a file where something of the graph was made or called: those that can have breakpoints."""
        return self._lines.lines(file)

    # -- changing ------------------------------------------------------------------------------------------------------

    def what_if(self, node: Value, gradient: float) -> Step:
        """Change the gradient of a node now, and see what becomes of the others: a step more, to which we go.

        What was changed later than now is forgotten. Neither the graph nor any `.grad` changes.

        Raises:
            ArgumentError: the node is not in the graph, or no gradient reaches it; the sweep has not begun; or the node
                has handed its gradient on already.
            OperandError: the gradient is no number.
        """
        self._known(node)
        if self.position < self.start:
            raise ArgumentError("There are no gradients in the forward phase.", f"Go to step {self.start} or later.")
        if not self.journal.arrivals(node):
            raise ArgumentError(f"No gradient reaches {self.label(node)}.", "It is behind a branch not taken.")
        turn = self.journal.turn_of(node)
        if turn and turn[0] <= self.position:
            raise ArgumentError(
                f"{self.label(node)} has handed its gradient on already.", f"Go back to before step {turn[0]}."
            )
        after = self.journal.turns_before(self.position) - 1
        earlier = [change for change in self.journal.changes if change.after < after]
        self.journal = self.journal.changed([*earlier, WhatIf(after, node, Value(gradient).data)])
        self._extents.clear()
        return self.seek(self.journal.turn(self.position)[-1] + 1)

    # -- names ---------------------------------------------------------------------------------------------------------

    def number(self, node: Value) -> int:
        """The number of a node, which is that of the step that computes it."""
        self._known(node)
        return self.journal.number(node)

    def name(self, node: Value) -> str:
        """What the user calls a node: its name, its variable now or when it was made, or how it can be written now.

        Returns:
            the name; "" where none is known. It may have been given to something else since.
        """
        return self.names.name(node)

    def label(self, node: Value) -> str:
        """What to call a node so that it is clear which is meant: "x", "e#7" among several e, "x * w", or "exp#7".

        Raises:
            ArgumentError: the node is not in the graph.
        """
        self._known(node)
        return self.names.label(node)

    def written(self, node: Value) -> str:
        """A node as an expression can write it: its label, or, where that is no expression, its number."""
        label = self.label(node)
        try:
            return label if self.evaluate(label) is node else f"#{self.number(node)}"
        except ArgumentError:
            return f"#{self.number(node)}"

    def nodes(self, name: str) -> list[Value]:
        """The nodes of a name; of a list, dict or object those in it; of an expression, as labels have it, its results.

        "#7" and "e#7" mean the node of that number.

        Raises:
            ArgumentError: there is none.
        """
        if name in self.called:
            return self.called[name]
        if name in self.names.bound:
            return [self.names.bound[name]]
        for called, nodes in self.called.items():  # as Python's parser, and with it conditions, write them
            if unicodedata.normalize("NFKC", called) == name:
                return nodes
        inside = [nodes for called, nodes in self.called.items() if called.startswith((f"{name}[", f"{name}."))]
        if inside:
            return [node for nodes in inside for node in nodes]
        if name in self.names.expressed:
            return self.names.expressed[name]
        _, sharp, digits = str(name).rpartition("#")
        if sharp and digits.isdecimal() and int(digits) < self.start:
            return [self.journal.order[int(digits)]]
        close = difflib.get_close_matches(str(name), self.called, 3, 0.4)
        known = f"Did you mean {', '.join(close)}?" if close else f"There are {', '.join([*self.called][:4])}, …"
        raise ArgumentError(
            f"Nothing in the graph is called {shown(name)}.",
            f"{known} Or write a number, #0 to #{self.start - 1}."
            if self.called
            else f"Nodes have no names here; write #0 to #{self.start - 1}.",
        )

    @property
    def vocabulary(self) -> list[str]:
        """The names of nodes that the user knows."""
        return [*self.called]

    # -- places in the program -----------------------------------------------------------------------------------------

    def place(self, node: Value) -> Site | None:
        """The expression in the user's program that made a node."""
        return place(node)

    def frames(self, node: Value) -> list[Frame]:
        """Where a node came from: its expression, then the scopes and the calls that led there, the innermost first."""
        place = self.place(node)
        scopes = [scope for scope in self.scopes(node) if scope.site is not None]
        calls = [site for site in _callers(place) if site is place or not is_of_library(site)]
        frames: list[Frame] = []
        for inner, site in zip([None, *calls], calls, strict=False):
            if inner is not None and inner.code.co_qualname != inner.function == site.function:
                continue  # a comprehension is not called by the function it stands in, but a part of it
            entered = [scope for scope in scopes if scope.site is not None and scope.site.code is site.code]
            called = any(scope.site is not None and scope.site.instruction == site.instruction for scope in entered)
            if site is place or not called:
                frames.append(Frame(site.function, site))
            frames += [Frame(scope.name, scope.site, scope) for scope in entered]
            scopes = [scope for scope in scopes if scope.site is None or scope.site.code is not site.code]
        return frames + [Frame(scope.name, scope.site, scope) for scope in scopes]

    @cached_property
    def functions(self) -> dict[str, set[Value]]:
        """The functions of the program, by their names, and the nodes that were made in them or in what they called."""
        found: dict[str, set[Value]] = {}
        for node in self.journal.order:
            for frame in self.frames(node):
                if frame.scope is None and frame.site is not None and frame.name != "<module>":
                    found.setdefault(frame.name.rpartition(".")[2], set()).add(node)
        return found

    # -- expressions ---------------------------------------------------------------------------------------------------

    def evaluate(self, expression: str) -> Any:
        """What an expression is now: names of nodes, `x.grad`, words about the step, arithmetic, comparisons.

        Returns:
            a number, a text, a bool, a `Value`, or None for what is not there yet.

        Raises:
            ArgumentError: it cannot be read, has something in it that could do harm, or a name means nothing.

        >>> from autograd_mini import Value, debug
        >>> x = Value(3.0, name="x")
        >>> debug.trace(x * x).evaluate("x + 1 if phase == 'forward' else x.grad")
        4.0
        """
        return Condition(expression)(self.names_at(self.step))

    def condition(self, expression: str) -> Condition:
        """An expression that has been read, and whose names mean something here.

        Raises:
            ArgumentError: as for `evaluate`.
        """
        condition = Condition(expression)
        condition(self.names_at(self.step))  # to complain now, not in the middle of a motion
        return condition

    def watch(self, expression: str) -> Condition:
        """Show an expression at every stop from now on: it joins `watches`."""
        condition = self.condition(expression)
        self.watches.append(condition)
        return condition

    def is_entered(self, name: str, index: int, back: bool = False) -> bool:
        """Whether a scope of this name begins with a step, or, gone back, ends with it."""
        for scope in self.around(index):
            if scope.name == name:
                first, last = self._extent(scope, index)
                if index == (last if back else self.journal.turn(first)[-1]):
                    return True
        return False

    def names_at(self, step: Step) -> Moment:
        """What names mean when a step has just happened."""
        return Moment(self, step)

    # -- checks --------------------------------------------------------------------------------------------------------

    def _checked(self, index: int) -> int:
        try:
            return range(len(self))[index]
        except (IndexError, TypeError):
            raise ArgumentError(
                f"There is no step {shown(index)}.", f"Pass a whole number from 0 to {len(self) - 1}."
            ) from None

    def _known(self, node: Value) -> None:
        if not is_node(node):
            raise OperandError(f"{shown(node)} is no Value, but {type(node).__name__}.", "Pass a node of the graph.")
        if not self.journal.holds(node):
            raise ArgumentError(f"{shown(node)} is not in the graph of {self.label(self.root)}.", "Pass a node of it.")


def _callers(site: Site | None) -> Iterator[Site]:
    while site is not None:
        yield site
        site = site.caller


def _some(nodes: Collection[Value], complaint: str, known: Iterable[str]) -> None:
    if not nodes:
        raise ArgumentError(complaint, f"There are {', '.join(sorted(known)[:12]) or 'none'}.")
