"""The commands that change what a session shows: other numbers in leaves, and another `backward()` of the program.

The graphs of earlier calls are kept as long as there is room, with the names that the program had for their nodes; it
does not run again for them. Not here: what another number does (`timeline.touched`), and running the program
(`terminal`). Read next: `debug.terminal.looking`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.program import Again, Call
from autograd_mini.debug.terminal.looking import Looking
from autograd_mini.debug.timeline.touched import Change, Touched
from autograd_mini.debug.wording import Wording
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, shown
from autograd_mini.notation.namespaces import remembered


class Touching(Looking):
    """The commands that change numbers in a trace, and never in the program."""

    touched: Touched
    call: Call | None = None  # of a program
    repeats = False  # whether it can run again
    again: Again | None = None  # how it should

    def do_set(self, text: str) -> bool:
        """Change the number of a leaf, and see what follows: set w 0.7; set w gives it its own number again.

        set w 0.7            sets add up, and reset takes all of them back
        set a[1] 3           the gradient of a node that is computed; later changes are forgotten
        """
        if not text:
            raise ArgumentError("Write a node and a number, as in set w 0.7.")
        node, value = self._assignment(text)
        if node.op is not None and value is not None:
            self.trace.what_if(node, value)
            self.show()
            return False
        return self._changed(self.touched.set(node, value), "said")

    def do_nudge(self, text: str) -> None:
        """Say what a small change of a leaf would do, without making it: nudge w, nudge w 0.1."""
        if not text:
            raise ArgumentError("Write a leaf, as in nudge w.")
        node, by = self._assignment(text)
        change, doubts = self.touched.nudged(node, by)
        self.say(*[f"   {line}" for line in (self.wording.change(change), *self.wording.doubts(doubts))])

    def do_reset(self, text: str) -> bool:
        """Give every leaf the program's number again: reset; reset w: only w."""
        if text:
            return self.do_set(self.trace.now.written(self.node(text)))
        self.touched.reset()
        return self._changed(None)

    def _assignment(self, text: str) -> tuple[Value, float | None]:
        """Return the node and the number of "w 0.7", "w = 0.7" or "w * x 2 / 3"; None for a node alone."""
        text = re.sub(r"(?<![<>=!])=(?!=)", " = ", text)
        first: AutogradError | None = None
        for name, value in _splits(text):
            try:
                return self.node(name), self.number(value) if value else None
            except AutogradError as error:
                first = first or error
        raise first or ArgumentError("Write a node and a number, as in set w 0.7.")

    def number(self, text: str, of_nodes: bool = False) -> float:
        """Return the number that was typed, perhaps as an expression; with `of_nodes` also that of a node."""
        found = self.trace.evaluate(text)
        if of_nodes and is_node(found):
            return self.trace.value(found)
        if not isinstance(found, float):
            raise ArgumentError(f"{shown(text)} is not a number.", "Write a number, or an expression such as 2 * x.")
        return found

    def _changed(self, change: Change | None, says: str = "says") -> bool:
        """Show the trace on other numbers; return True if the program must run again for them."""
        touched = self.touched
        forgotten = ["the gradients that you set are forgotten"] * bool(self.trace.journal.changes)
        self.trace, self.met = touched.trace, ()
        if touched.doubts and self.call is not None:
            self.again = Again.asked(self.call, touched, change)
        if self.again is not None:
            self.say(*[f"   {line}" for line in self.wording.doubts(touched.doubts, runs_again=True)])
            return True
        said = [*([self.wording.change(change, says)] if change is not None else []), *forgotten]
        self.say(*[f"   {line}" for line in (*said, *self.wording.doubts(touched.doubts))])
        self.wording = Wording(self.trace, self.paint, self.columns)
        self.show()
        self.say_if_over()
        return False


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to read a text as a node and a number, the shortest number first, and as a node alone."""
    words = text.split(" ")
    if len(words) == 1:
        yield text, ""
    for place in range(len(words) - 1, 0, -1):
        yield " ".join(words[:place]).removesuffix("=").strip(), " ".join(words[place:])
    if len(words) > 1:
        yield text, ""


_MOST_NODES = 300_000  # of all graphs that are kept


@dataclass(eq=False)
class Visit:
    """A call of `backward()` that can be visited again."""

    call: Call
    nodes: int
    epoch: object  # what the program's variable of this name held; None if there is none
    position: int | None = None  # where the session left its trace


@dataclass(frozen=True)
class Goal:
    """A call, or an epoch, by its number."""

    kind: str
    number: int

    def is_met(self, visit: Visit) -> bool:
        """Whether a call is the one."""
        return self.number == (visit.call.number if self.kind == "call" else visit.epoch)

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class Calls:
    """The calls so far: the latest ones, as many as there is room for."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.has_ended = False  # the program, so that even the latest has happened

    def add(self, call: Call) -> Visit:
        """Take a new call in; it is the latest."""
        epoch = next((space["epoch"] for space in call.spaces if "epoch" in space), None)
        self.has_ended = False
        nodes = topological_order(call.root, everything=True)
        accesses = call.accesses.kept() if call.accesses is not None else None
        # Both as they are now, because the program goes on to assign to its variables and to write to its leaves.
        call = replace(call, spaces=remembered(call.spaces, nodes.keys()), accesses=accesses)
        visit = Visit(call, len(nodes), epoch)
        self.visits.append(visit)
        while len(self.visits) > 1 and sum(visit.nodes for visit in self.visits) > _MOST_NODES:
            del self.visits[0]
        return visit

    def find(self, goal: Goal) -> Visit | None:
        """Return the first call that is meant; None if it may still come."""
        found = next(filter(goal.is_met, self.visits), None)
        first, last = self.visits[0], self.visits[-1]
        if found is None and goal.kind == "call" and goal.number < first.call.number:
            kept = f"call {first.call.number}" if first is last else f"calls {first.call.number} to {last.call.number}"
            raise ArgumentError(f"{goal} is no longer kept; {kept} can be visited.".capitalize())
        return found

    def after(self, visit: Visit) -> Visit | None:
        """Return the next call; None after the latest."""
        return next((other for other in self.visits if other.call.number > visit.call.number), None)


class Calling(Touching):
    """The commands that go to another call of `backward()`."""

    calls: Calls | None = None  # None if no program is running
    visit: Visit | None = None  # the call that is shown
    goal: Goal | None = None  # where a command wants to go

    @property
    def is_past(self) -> bool:
        """Whether the call that is shown has happened already."""
        return self.calls is not None and (self.calls.has_ended or self.visit is not self.calls.visits[-1])

    def precmd(self, line: str) -> str:
        """Read "next call" and "previous call" as commands of their own."""
        words = line.split()
        if words[1:] == ["call"] and words[0] in ("next", "n"):
            return "call +1"
        return "call -1" if words[1:] == ["call"] and "previous".startswith(words[0]) else line

    def do_call(self, text: str) -> bool:
        """Go to another backward(): call 17, call +1, call -3, next call, previous call; without a number, list them.

        The program goes on until a later one. Earlier ones are shown again, as they were.
        """
        calls, here = self._calls()
        if not text:
            numbers = f"{calls.visits[0].call.number} to {calls.visits[-1].call.number}"
            self.say(f"This is call {here.call.number}; calls {numbers} can be visited, and later ones will come.")
            return False
        if not re.fullmatch(r"[+-]?\d+", text):
            raise ArgumentError(f"{shown(text)} is not a call: write call 17, call +1 or call -1.")
        number = int(text) + (here.call.number if text[0] in "+-" else 0)
        if number < 1:
            raise ArgumentError("This is the first call." if here.call.number == 1 else "Calls are counted from 1.")
        return self._go(Goal("call", number))

    def do_previous(self, times: str) -> bool:
        """Go to the backward() before this one: previous; previous 3: three before."""
        return self.do_call(f"-{times or 1}")

    def do_epoch(self, text: str) -> bool:
        """Go to the first backward() in which the program's variable `epoch` has this number: epoch 17."""
        _, here = self._calls()
        if not text.isdecimal():
            raise ArgumentError(f"{shown(text)} is not an epoch: write epoch 17.")
        if here.epoch is None:
            raise ArgumentError("The program has no variable epoch. Go to a backward() by its number: call 17.")
        return self._go(Goal("epoch", int(text)))

    def _calls(self) -> tuple[Calls, Visit]:
        if self.calls is None or self.visit is None:
            raise ArgumentError("There is one backward() here. autograd-mini debug SCRIPT.py goes from call to call.")
        return self.calls, self.visit

    def _go(self, goal: Goal) -> bool:
        calls, _ = self._calls()
        calls.find(goal)  # raises if it is gone
        self.goal = goal
        return True

    def travel(self, visit: Visit, show: Callable[[Visit], bool]) -> bool:
        """Show a call, and those that the user goes to from there; return True if the program should go on."""
        calls = self.calls
        assert calls is not None
        while True:
            self.visit, self.goal = visit, None
            if not show(visit):
                return False
            visit.position = self.touched.place()
            following = calls.after(visit) if self.goal is None else calls.find(self.goal)
            if following is None:
                return True
            visit = following
