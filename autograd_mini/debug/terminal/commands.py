"""The debugger's commands in a terminal: pdb's verbs, with each motion backwards too; and the quiz, which asks first.

Not here: reading lines (`prompt`), the text of a stop (`wording`), the meaning of a place (`breakpoints`), and the
questions (`quiz`). Read next: `debug.terminal.calls`.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable
from typing import Any

from autograd_mini.debug.program import Call
from autograd_mini.debug.quiz import Question, question, typed
from autograd_mini.debug.terminal.calls import Calling
from autograd_mini.debug.terminal.looking import required
from autograd_mini.debug.timeline.breakpoints import Breakpoint, meant
from autograd_mini.debug.timeline.expressions import ATTRIBUTES, FUNCTIONS, WORDS
from autograd_mini.debug.timeline.journal import Step
from autograd_mini.debug.timeline.touched import Touched
from autograd_mini.debug.timeline.travel import Stop, Trace
from autograd_mini.debug.wording import Wording, path
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.text import guarded, number
from autograd_mini.output.streams import printable

# By purpose: each command, its short names, and after a colon what may follow it.
COMMANDS = {
    "forwards in time": "next n, step s, return r, continue c cont",
    "backwards": "rnext rn, rstep rs, rreturn rr, rcontinue rc",
    "anywhere": "jump j goto: moment",
    "to another backward()": "call, previous, epoch",
    "stop": "break b: place, tbreak: place, watch, condition, ignore, disable, enable, clear cl",
    "look": "p, pp, display, undisplay, list l, where w bt, up u, down d",
    "understand": "rule: node, paths: node, grad: node, tree: node, explain: node, check: node, graph: file",
    "other numbers": "set: node, nudge: node, reset: node",
    "see the inside of calls": "open: scope, fold: scope",
    "leave": "quit q exit, help h: command",
}


def _motion(motion: Callable[[Trace, bool], Stop], back: bool, about: str) -> Callable[[Shell, str], None]:
    """Return a command that moves once, or as often as its argument says."""

    def move(shell: Shell, times: str) -> None:
        shell.move(motion, back, times)

    move.__doc__ = about
    return move


class Shell(Calling):
    """A session of the debugger, which may show several traces, one after the other."""

    table = COMMANDS

    def interact(self, trace: Trace, about: str = "", call: Call | None = None) -> bool:
        """Show a trace until the user leaves it; return True if the program should continue."""
        if hasattr(self, "trace"):
            trace.inherit(self.trace)
        self.trace, self.met = trace, ()
        self.touched = Touched(trace, call.accesses if call is not None else None, self.repeats)
        self.call = call
        self.wording = Wording(trace, self.paint, self.columns)
        self.say(about)
        self.show()
        self.say_if_over()
        return self.converse()

    def default(self, line: str) -> None:
        """Print an expression, or raise if it is not one."""
        text = line.removeprefix("!").strip()
        word, *_ = re.findall(r"\w*", text)
        known = self.beginning(word) if word else []
        if known and word == text.partition(" ")[0]:
            raise ArgumentError(f"{word} may be {', '.join(known)}.")
        if word == text and word not in WORDS and word not in self.trace.vocabulary:
            raise ArgumentError(f"There is no command or node {shown(text)}; help lists the commands.")
        self.do_p(text)

    # -- a stop --------------------------------------------------------------------------------------------------------

    def move(self, motion: Callable[[Trace, bool], Stop], back: bool, times: str) -> None:
        """Move once, or `times` times, and print where that led."""
        if times and not (times.isdecimal() and int(times) > 0):
            raise ArgumentError(f"{shown(times)} is not a number of times.")
        trace = self.trace
        before, self.met = trace.position, ()
        for _ in range(int(times or 1)):
            stop = motion(trace, back)
            self.say(*map(printable, stop.messages))
            if stop.reason not in ("step", "breakpoint") or (stop.breakpoints and motion is not Trace.run):
                break
        if stop.reason == "end" and trace.position == before:
            beginning = "This is the beginning: nothing was computed before."
            self.say(beginning if back else "The sweep is over. c goes on with the program; rn goes back.")
            return
        if stop.reason == "interrupted":
            self.say("interrupted here")
        self.met = stop.breakpoints
        self._say_breakpoints(stop.breakpoints)
        self.show()
        self.say_if_over()

    do_next = _motion(
        Trace.over, False, "Go to the next node; a scope, such as softmax, is one step; n 3: three times."
    )
    do_step = _motion(Trace.into, False, "Go to the next node, wherever it is, even inside a scope.")
    do_return = _motion(Trace.out, False, "Go on until this scope is left; outside all scopes, to the end.")
    do_rnext = _motion(Trace.over, True, "Go back to the node before; an inner scope is one step.")
    do_rstep = _motion(Trace.into, True, "Go back to the node before, wherever it is, even inside a scope.")
    do_rreturn = _motion(Trace.out, True, "Go back to before this scope was entered.")
    do_rcontinue = _motion(Trace.run, True, "Go back to the last breakpoint, or to the beginning of the computation.")

    def do_continue(self, times: str) -> bool:
        """Go on to the next breakpoint, or to the end of the sweep; from there, continue the program."""
        if self.is_over():
            return True
        self.move(Trace.run, False, times)
        return False

    def do_jump(self, text: str) -> None:
        """Go to a moment: jump 21, jump +3, jump -3, jump start (where the sweep begins), jump end, jump 0."""
        trace = self.trace
        text = {"start": str(trace.start), "end": str(len(trace) - 1)}.get(text, text)
        required(text, "a moment, as in jump 21, jump +3, jump start or jump end")
        if not re.fullmatch(r"[+-]?\s*\d+", text):
            raise ArgumentError(f"{shown(text)} is not a step: write a number, +3, -3, start or end.")
        target = int(text.replace(" ", "")) + (trace.position if text[0] in "+-" else 0)
        if not 0 <= target < len(trace):
            raise ArgumentError(f"There is no step {target}; steps go from 0 to {len(trace) - 1}.")
        trace.seek(target)
        self.met = ()
        self.show()
        self.say_if_over()

    # -- breakpoints ---------------------------------------------------------------------------------------------------

    def do_break(self, text: str, temporary: bool = False) -> None:
        """Stop at a place from now on; without a place, list the breakpoints.

        b 12                 a line of the source; b net.py:12 of another file
        b exp   b softmax    an operation, where a scope is entered,
        b loss  b mul#7      or a node; write "op", "scope" or "node" before it to mean only that
        b x.grad             where a gradient changes; "b watch EXPRESSION" for anything else
        b nonfinite          where nan or an infinity turns up
        b above 1e3          where a gradient is larger; b below 1e-6 where a smaller one is handed on
        b grad * value > 2   where an expression is true
        A condition may follow a comma, or "if": b exp, abs(grad) > 1
        """
        if not text:
            self._say_breakpoints(self.trace.breakpoints)
            self.say(*["No breakpoints; help break lists the places."] * (not self.trace.breakpoints))
            return
        where, condition = _at_condition(text)
        site = self._frames()[self.frame].site
        arguments = meant(self.trace, where, site.file if site is not None else None)
        self._say_breakpoints([self.trace.break_at(**arguments, condition=condition or None, temporary=temporary)])

    def do_tbreak(self, text: str) -> None:
        """Stop at a place once: tbreak exp; it takes the same places as break."""
        self.do_break(text, temporary=True)

    def do_watch(self, text: str) -> None:
        """Stop where an expression changes: watch x.grad, watch abs(x.grad) > 1."""
        required(text, "an expression, as in watch x.grad")
        self.do_break(text if re.fullmatch(r"[\w#]+\.grad", text) else f"watch {text}")

    def do_condition(self, text: str) -> None:
        """Stop at a breakpoint only where an expression is true: condition 1 grad > 2; without one, always."""
        breakpoint, condition = self._breakpoint(text)
        breakpoint.condition = self.trace.now.read(condition) if condition else None
        self._say_breakpoints([breakpoint])

    def do_ignore(self, text: str) -> None:
        """Ignore a breakpoint a number of times: ignore 1 3."""
        breakpoint, times = self._breakpoint(text)
        required(times, "how often after the number of the breakpoint, as in ignore 1 3")
        if not times.isdecimal():
            raise ArgumentError(f"{shown(times)} is not a number of times; write it as in ignore 1 3.")
        breakpoint.ignore(int(times))
        self._say_breakpoints([breakpoint])

    def do_disable(self, text: str, enabled: bool = False) -> None:
        """Switch breakpoints off: disable 1 2; without numbers, all."""
        found = self._breakpoints(text)
        for breakpoint in found:
            breakpoint.enabled = enabled
        self._say_breakpoints(found)

    def do_enable(self, text: str) -> None:
        """Switch breakpoints on again: enable 1 2; without numbers, all."""
        self.do_disable(text, enabled=True)

    def do_clear(self, text: str) -> None:
        """Remove breakpoints: clear 1 2, clear net.py:12; without an argument, all."""
        if re.fullmatch(r".+:\d+", text):
            file, line = path(meant(self.trace, text)["file"]), text.rpartition(":")[2]
            found = [b for b in self.trace.breakpoints if b.file and (path(b.file), str(b.target)) == (file, line)]
            if not found:
                raise ArgumentError(f"There is no breakpoint at {text}.")
        else:
            found = self._breakpoints(text)
        for breakpoint in found:
            self.trace.breakpoints.remove(breakpoint)
        self.say(f"removed {', '.join(str(b.number) for b in found) or 'nothing'}")

    def _breakpoints(self, numbers: str) -> list[Breakpoint]:
        """Return the breakpoints with these numbers; without numbers, all."""
        known = {str(breakpoint.number): breakpoint for breakpoint in self.trace.breakpoints}
        for word in numbers.split():
            if word not in known:
                there = f"there are {', '.join(known)}" if known else "there are none"
                raise ArgumentError(f"There is no breakpoint {word}: {there}.")
        return [known[word] for word in numbers.split() or known]

    def _breakpoint(self, text: str) -> tuple[Breakpoint, str]:
        """Return the breakpoint whose number comes first, and the rest of the text."""
        number, _, rest = text.partition(" ")
        required(number, "the number of a breakpoint first")
        return self._breakpoints(number)[0], rest.strip()

    def _say_breakpoints(self, breakpoints: Iterable[Breakpoint]) -> None:
        for breakpoint in breakpoints:
            text = str(breakpoint)
            text = text.replace(breakpoint.file, path(breakpoint.file)) if breakpoint.file else text
            self.say(f"breakpoint {breakpoint.number}: {printable(text)}")

    # -- completion ----------------------------------------------------------------------------------------------------

    def completedefault(self, *words: Any) -> list[str]:
        """Complete what may follow a command according to the table; after a dot, attributes of nodes."""
        text, line = str(words[0]), str(words[1])
        command = self.commands.get(self.parseline(line)[0] or "")
        follows = command.follows if command is not None else ""
        trace, order = self.trace, self.trace.journal.order
        if follows == "file":
            return sorted(glob.glob(f"{glob.escape(text)}*"))
        if "." in text:
            owner, _, start = text.rpartition(".")
            return [f"{owner}.{name}" for name in ATTRIBUTES if name.startswith(start)]
        known: dict[str, Callable[[], list[str]]] = {
            "command": lambda: [*self.commands],
            "moment": lambda: ["start", "end"],
            "node": lambda: trace.vocabulary,
            "scope": lambda: [scope.name for node in order for scope in trace.scopes(node)],
            "place": lambda: [
                *trace.vocabulary, *[f"{path(file)}:" for file in trace.files], "nonfinite", "above ", "below ",
                *[node.op for node in order if node.op], *[s.name for node in order for s in trace.scopes(node)],
            ],
            "": lambda: [*trace.vocabulary, *WORDS, *[f"{name}(" for name in FUNCTIONS]],
        }  # fmt: skip
        return sorted({name for name in known[follows]() if name.startswith(text)})


def _at_condition(text: str) -> tuple[str, str]:
    """Split a place from its condition, at a comma outside parentheses, or at "if" as in other debuggers."""
    for end in re.finditer(",| if " if " else " not in text else ",", text):
        where = text[: end.start()]
        if where.count("(") == where.count(")") and where.count("[") == where.count("]"):
            return where, text[end.end() :].strip()
    return text, ""


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
