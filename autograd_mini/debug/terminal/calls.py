"""From one `backward()` of a program to another: the calls so far, and the commands that go there.

The graphs of earlier calls are kept as long as there is room, with the names that the program had for their nodes; it
does not run again for them.
Not here: running the program (`terminal`). Read next: `debug.terminal.touching`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.program import Call
from autograd_mini.debug.terminal.touching import Touching
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.namespaces import remembered

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

    def add(self, call: Call) -> Visit:
        """Take a new call in; it is the latest."""
        epoch = next((space["epoch"] for space in call.spaces if "epoch" in space), None)
        nodes = topological_order(call.root, everything=True)
        call = replace(call, spaces=remembered(call.spaces, nodes.keys()))  # the program assigns to its variables again
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
        """Whether the call that is shown is not the latest."""
        return self.calls is not None and self.visit is not self.calls.visits[-1]

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
            visit.position = self.trace.position
            following = calls.after(visit) if self.goal is None else calls.find(self.goal)
            if following is None:
                return True
            visit = following
