"""The debugger in a terminal as a quiz: before it shows a step, you type what is handed on.

Not here: the questions, and the slips behind wrong answers (`quiz`). Read next: `debug.terminal.turns`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd_mini.debug.program import Call
from autograd_mini.debug.quiz import Question, question, typed
from autograd_mini.debug.terminal.commands import COMMANDS, Shell
from autograd_mini.debug.timeline.journal import Step
from autograd_mini.debug.timeline.travel import Stop, Trace
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.text import guarded, number

HOW = "n goes on to a question; answer with a number such as -0.25 or -1/4; hint and skip help, help lists more."


class QuizShell(Shell):
    """A session that asks for each contribution when you first come to it."""

    table = {**COMMANDS, "quiz": "hint, skip"}  # noqa: RUF012  # as in the base class
    _waiting: tuple[int, ...] = ()  # the steps of this turn that are not answered
    _end = 0  # where the trace goes when they are
    _seen = 0  # the last step that was shown
    _tried = False
    _passed = _asked = 0

    def interact(self, trace: Trace, about: str = "", call: Call | None = None) -> bool:
        """Show a trace until the user leaves it, and ask about its steps."""
        self._seen, self._passed, self._asked = trace.start, 0, 0
        return super().interact(trace, about, call)

    def show(self) -> None:
        """Show this stop, after questions if it is new."""
        trace, turn = self.trace, self.trace.journal.turn(self.trace.position)
        new = [index for index in turn if self._seen < index <= trace.position and self._question(index) is not None]
        self._waiting, self._end = tuple(new if trace.passed is None else ()), trace.position
        if not self._waiting:
            self._seen = max(self._seen, trace.position)
            super().show()
            return
        trace.seek(turn[0] - 1)  # no command gives the answer away
        node = trace[turn[0]].node
        site = trace.place(node)
        self.say(
            self.paint("header", f"step {self._end} of {len(trace) - 1}, question"),
            *(self.wording.excerpt(site) if site is not None else []),
            f"   {self.wording.computed(node)}",
        )
        self._ask()

    def move(self, motion: Callable[[Trace, bool], Stop], back: bool, times: str) -> None:
        """Move once, or `times` times; a question that is left open counts as not answered."""
        if self._waiting:
            self._seen, self._waiting = self._end, ()
            self.trace.seek(self._end)
        super().move(motion, back, times)

    def default(self, line: str) -> None:
        """Take a number as the answer to a question, and anything else as an expression."""
        answer = typed(line)
        if answer is None:
            super().default(line)
            return
        asked = self._pending[1]
        self.lastcmd = "next"  # an empty line goes on
        if wrong := asked.said(answer):
            self._tried = True
            self.say(f"   {wrong}")
            return
        self._passed += not self._tried
        self._answered("right")

    def do_hint(self, _: str) -> None:
        """Say the two factors of the answer."""
        step, self._tried = self._pending[0], True
        node, local = self._factors(step)
        self.say(f"   {node} = {number(step.upstream)}, and {local} = {number(step.local)}. Multiply them.")

    def do_skip(self, _: str) -> None:
        """Say the answer, and ask the next question."""
        self._answered("the answer")

    def _answered(self, word: str) -> None:
        step, _ = self._pending
        product = f"{number(step.upstream)} × {guarded(number(step.local))} = {number(step.contribution)}"
        self.say(f"   {self.paint('result', word)}: {product}")
        self._waiting = self._waiting[1:]
        if self._waiting:
            self._ask()
            return
        self._seen = self._end
        self.trace.seek(self._end)
        self.show()
        self.say_if_over()

    def say_if_over(self) -> None:
        """At the end of the sweep, print how many answers were right."""
        super().say_if_over()
        if self._asked and self.is_over():
            self.say(f"   quiz: {self._passed} of {self._asked} right at the first try")

    @property
    def _pending(self) -> tuple[Step, Question]:
        """The step that is asked about, and the question."""
        if not self._waiting or (found := self._question(self._waiting[0])) is None:
            raise ArgumentError("There is no question now; n goes on to the next.")
        return self.trace[self._waiting[0]], found

    def _question(self, index: int) -> Question | None:
        return question(self.trace, self.trace[index], self.wording.symbol)

    def _ask(self) -> None:
        self._asked, self._tried = self._asked + 1, False
        step: Any = self._pending[0]
        self.say(f"   {self.wording.gradient(step.operand)} += {' × '.join(self._factors(step))} = ?")

    def _factors(self, step: Any) -> tuple[str, str]:
        return self.wording.gradient(step.node), self.wording.derivative(step.node, step.operand)
