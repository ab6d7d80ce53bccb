"""The debugger's commands that change numbers: set, nudge, reset.

Not here: what a change does (`timeline.touched`), and commands that only look (`looking`).
Read next: `debug.terminal.looking`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from autograd_mini.debug.program import Again, Call
from autograd_mini.debug.terminal.looking import Looking
from autograd_mini.debug.timeline.touched import Change, Touched
from autograd_mini.debug.wording import Wording
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, shown


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
