"""The debugger's commands in a terminal: pdb's verbs, with each motion backwards too.

Not here: reading lines (`prompt`), the text of a stop (`wording`), the meaning of a place (`breakpoints`).
Read next: `debug.terminal.calls`.
"""

from __future__ import annotations

import glob
import linecache
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.program import Call
from autograd_mini.debug.terminal.calls import Calling
from autograd_mini.debug.timeline.breakpoints import Breakpoint, meant
from autograd_mini.debug.timeline.expressions import ATTRIBUTES, FUNCTIONS, WORDS
from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.touched import Touched
from autograd_mini.debug.timeline.travel import Stop, Trace
from autograd_mini.debug.wording import Wording, aligned, location, path, printable, printable_source, some
from autograd_mini.drawing import draw
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown
from autograd_mini.notation.text import number

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
_LINES = 11
_FEW = 4
_STEP = "upstream", "local", "contribution", "total"


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

    def show(self) -> None:
        """Print where we are, and the displayed expressions."""
        self.frame = 0
        self.next_line: int | None = None
        self.say(*self.wording.stop(), *[f"   {line}" for line in self._displayed()])

    def _displayed(self) -> list[str]:
        lines, names = [], self.trace.now
        for count, watch in enumerate(self.trace.watches, start=1):
            try:
                lines.append(f"{count}: {watch} = {printable(names.text(watch(names)))}")
            except AutogradError as error:
                lines.append(f"{count}: {watch}: {sentences(error)}")
        return lines

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

    def say_if_over(self) -> None:
        """At the end of the sweep, say so, and what gradients from before do."""
        trace = self.trace
        if self.is_over():
            set_ = "would be the gradients of backward() with these numbers"
            self.say(f"   the sweep is over: these {'are the gradients of backward()' if not trace.remarks else set_}")
            leaves = [] if self.is_past else trace.leaves  # the gradients of now
            for leaf in [leaf for leaf in leaves if leaf.grad and trace.grad(leaf) is not None][:_FEW]:
                name, held = self.wording.symbol(leaf), leaf.grad
                after = number(held + (trace.grad(leaf) or 0.0))
                self.say(f"   {name}.grad holds {number(held)} from before: backward() adds to it, {after} then")

    def is_over(self) -> bool:
        """Whether the last step has happened."""
        return self.trace.position == len(self.trace) - 1

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
        if not re.fullmatch(r"[+-]?\s*\d+", text):
            raise ArgumentError(f"{shown(text)} is not a step: write a number, +3, -3, start or end.")
        target = int(text.replace(" ", "")) + (trace.position if text[0] in "+-" else 0)
        if not 0 <= target < len(trace):
            raise ArgumentError(f"There is no step {target}; steps go from 0 to {len(trace) - 1}.")
        trace.seek(target)
        self.met = ()
        self.show()

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
        _required(text, "an expression, as in watch x.grad")
        self.do_break(text if re.fullmatch(r"[\w#]+\.grad", text) else f"watch {text}")

    def do_condition(self, text: str) -> None:
        """Stop at a breakpoint only where an expression is true: condition 1 grad > 2; without one, always."""
        breakpoint, condition = self._breakpoint(text)
        breakpoint.condition = self.trace.now.read(condition) if condition else None
        self._say_breakpoints([breakpoint])

    def do_ignore(self, text: str) -> None:
        """Ignore a breakpoint a number of times: ignore 1 3."""
        breakpoint, times = self._breakpoint(text)
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
        _required(number, "the number of a breakpoint first")
        return self._breakpoints(number)[0], rest.strip()

    def _say_breakpoints(self, breakpoints: Iterable[Breakpoint]) -> None:
        for breakpoint in breakpoints:
            text = str(breakpoint)
            text = text.replace(breakpoint.file, path(breakpoint.file)) if breakpoint.file else text
            self.say(f"breakpoint {breakpoint.number}: {printable(text)}")

    # -- looking -------------------------------------------------------------------------------------------------------

    def do_p(self, text: str) -> None:
        """Print an expression as it is now: p x, p x.grad, p grad * 2, p upstream."""
        _required(text, "an expression, as in p x.grad")
        self.say(printable(self.trace.now.text(self.trace.evaluate(text))))

    def do_pp(self, text: str) -> None:
        """Print with all digits: pp x.grad; pp x prints all about a node; pp alone, all about this step."""
        found = self.trace.evaluate(text) if text else None
        if is_node(found):
            self._say_facts(self._facts(found))
        elif text:
            self.say("not yet" if found is None else repr(found))
        else:
            for step in self.trace.contributions():
                facts = [("step", repr(step.index)), ("phase", step.phase), ("node", self.trace.label(step.node))]
                facts += [("operand", self.trace.label(step.operand))] if step.operand is not None else []
                self._say_facts(facts + [(name, repr(x)) for name in _STEP if (x := getattr(step, name)) is not None])

    def _say_facts(self, facts: list[tuple[str, str]]) -> None:
        self.say(*aligned([(word, printable(text)) for word, text in facts if text]))

    def _facts(self, node: Value) -> list[tuple[str, str]]:
        trace, site, gradient = self.trace, self.trace.place(node), self.trace.grad(node)
        operands = [
            f"{trace.label(operand) if is_node(operand) else 'a constant'}, derivative {partial!r}"
            for operand, partial in zip(node.operands, node.partials, strict=True)
        ]
        return [
            ("node", trace.label(node)), ("value", repr(trace.value(node))),
            ("gradient", "not yet" if gradient is None else repr(gradient)), ("operation", node.op or "a leaf"),
            *[("operand", text) for text in some(operands)],
            ("scope", "/".join(node.scope.path) if node.scope is not None else ""),
            ("place", location(site) if site is not None else ""),
        ]  # fmt: skip

    def do_display(self, text: str) -> None:
        """Print an expression at every stop: display x.grad; without an expression, list them."""
        if text:
            self.trace.watches.append(self.trace.now.read(text))
        lines = self._displayed() or ["Nothing is displayed; display x.grad shows x.grad at every stop."]
        self.say(*lines[-1:] if text else lines)

    def do_undisplay(self, text: str) -> None:
        """Stop displaying an expression: undisplay 1, undisplay x.grad; without an argument, all of them."""
        watches = self.trace.watches
        found = [w for count, w in enumerate(watches, start=1) if text in ("", str(count), str(w))]
        if text and not found:
            raise ArgumentError(f"{shown(text)} is not displayed.")
        watches[:] = [watch for watch in watches if watch not in found]

    def _frames(self) -> list[Frame]:
        node = self.trace.step.node
        frames = self.trace.frames(node) or [Frame(self.trace.label(node), None)]
        first, second = frames[0].site, frames[1].site if len(frames) > 1 else None
        if first is not None and second is not None and first.place == second.place:
            return frames[1:]  # in a scope of this package the user sees the call, so show it only once
        return frames

    def do_where(self, _: str) -> None:
        """Print the calls that led to this node, the innermost last."""
        for depth, frame in reversed([*enumerate(self._frames())]):
            first, *source = self.wording.frame(frame)
            self.say(first if depth == self.frame else first.replace(">", " ", 1), *source)

    def do_up(self, _: str, way: int = 1) -> None:
        """Look at the caller."""
        if not 0 <= self.frame + way < len(self._frames()):
            raise ArgumentError(f"This is the {'outermost' if way > 0 else 'innermost'} place.")
        self.frame, self.next_line = self.frame + way, None
        self.say(*self.wording.frame(self._frames()[self.frame]))

    def do_down(self, _: str) -> None:
        """Look at the called function."""
        self.do_up("", -1)

    def do_list(self, text: str) -> None:
        """Print the source around here, then what follows; l . again here, l 5 around a line, l 5, 9 these lines."""
        through = self.frame == 0 and self.trace.passed is not None
        site = self.wording.site() if through else self._frames()[self.frame].site
        lines = linecache.getlines(site.file) if site is not None else []
        if site is None or not lines:
            raise ArgumentError("The source of this node is not known.")
        given = re.fullmatch(r"(\d+)(?:\s*,\s*(\d+))?", text)
        if text not in ("", ".") and not given:
            raise ArgumentError(f"{shown(text)} is not a range of lines; write l 5 or l 5, 9.")
        middle = int(given[1]) if given else site.line
        first = int(given[1]) if given and given[2] else middle - _LINES // 2
        first = max(self.next_line if self.next_line is not None and text == "" else first, 1)
        last = min(int(given[2]) if given and given[2] else first + _LINES - 1, len(lines))
        if first > len(lines):
            raise ArgumentError(f"The file ends at line {len(lines)}.")
        stops = {b.target for b in self.trace.breakpoints if b.file and path(b.file) == path(site.file)}
        for line in range(first, last + 1):
            mark = ("B" if line in stops else " ") + ("->" if line == site.line else "  ")
            source = printable_source(lines[line - 1].rstrip()).expandtabs()
            self.say(f"{line:4} {self.paint('mark', mark)} {source}".rstrip())
        self.next_line = last + 1

    # -- pictures ------------------------------------------------------------------------------------------

    def do_graph(self, text: str) -> None:
        """Draw this moment: graph, graph file.svg; other endings are .html, .dot and .png."""
        trace = self.trace
        file = Path(text.strip() or f"step-{trace.position}.svg").expanduser()
        saved = draw(trace.root, after=self.handed_on(), title=self.wording.header()).save(file).absolute()
        self._say_without_changes("The picture shows")
        self.say(str(saved))

    def handed_on(self) -> int:
        """Return how many nodes have handed on their gradient, as `draw` counts them."""
        trace, step = self.trace, self.trace.step
        if trace.position <= trace.start:
            return 0
        order = [*topological_order(trace.root)][::-1]
        turn = trace.journal.turn(trace.position)
        return len(order) if self.is_over() else order.index(step.node) + (trace.position == turn[-1])

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


def _required(text: str, what: str) -> None:
    if not text:
        raise ArgumentError(f"Write {what}.")


def _at_condition(text: str) -> tuple[str, str]:
    """Split a place from its condition, at a comma outside parentheses, or at "if" as in other debuggers."""
    for end in re.finditer(",| if " if " else " not in text else ",", text):
        where = text[: end.start()]
        if where.count("(") == where.count(")") and where.count("[") == where.count("]"):
            return where, text[end.end() :].strip()
    return text, ""
