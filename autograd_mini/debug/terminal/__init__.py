"""The debugger in a terminal: the verbs of pdb, and each of them backwards.

Works through a pipe as well: then there is no prompt, no colour and no history. Not here: moving (that is `travel`),
what a stop says (`wording`), what a place means (`places`). Read next: `wording`.
"""

from __future__ import annotations

import cmd
import glob
import linecache
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import IO, Any

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.program import Call, Quit, debug_program
from autograd_mini.debug.terminal import turns
from autograd_mini.debug.terminal.console import line_editing, painter
from autograd_mini.debug.timeline import differences
from autograd_mini.debug.timeline.breakpoints import Breakpoint, meant
from autograd_mini.debug.timeline.expressions import ATTRIBUTES, FUNCTIONS, WORDS
from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.travel import Stop, Trace
from autograd_mini.debug.wording import Wording, aligned, location, path, printable, printable_source, some
from autograd_mini.drawing import draw
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, shown
from autograd_mini.notation.text import number
from autograd_mini.output.streams import abandon, reason, wrapped, write
from autograd_mini.script import path_and_name

ALIASES = {
    "n": "next", "s": "step", "r": "return", "c": "continue", "cont": "continue",
    "rn": "rnext", "rs": "rstep", "rr": "rreturn", "rc": "rcontinue",
    "b": "break", "cl": "clear", "w": "where", "bt": "where", "u": "up", "d": "down", "l": "list",
    "p": "p", "pp": "pp", "j": "jump", "i": "info", "h": "help", "q": "quit", "exit": "quit",
}  # fmt: skip
HELP = {
    "forwards in time": ("next", "step", "return", "continue"),
    "backwards": ("rnext", "rstep", "rreturn", "rcontinue"),
    "anywhere": ("jump",),
    "stop": ("break", "tbreak", "watch", "condition", "ignore", "disable", "enable", "clear"),
    "look": ("p", "pp", "display", "undisplay", "info", "list", "where", "up", "down"),
    "understand": ("grad", "tree", "explain", "check", "graph", "set"),
    "leave": ("quit", "help"),
}
_INFO = ("breakpoints", "leaves", "step", "watches")
_LINES = 11
_FEW = 4
_HOW = "n steps, rn steps back, help lists more."


class Shell(cmd.Cmd):
    """A session of the debugger, which may see several traces, one after the other.

    Args:
        commands: what to do first.
        stdin: where commands come from.
        stdout: where answers go to.
    """

    def __init__(
        self, commands: Sequence[str] = (), stdin: IO[str] | None = None, stdout: IO[str] | None = None
    ) -> None:
        super().__init__("tab", stdin, stdout)
        if self.stdin is None:
            raise ArgumentError("Standard input is closed, and commands are read from there.")
        self.use_rawinput = self.stdin.isatty() and self.stdout is not None and self.stdout.isatty()
        self.prompt = "(backprop) " if self.use_rawinput else ""
        self.cmdqueue = list(commands)
        self.paint = painter(self.stdout)
        self.columns = shutil.get_terminal_size().columns if self.use_rawinput else 0
        self.trace: Trace | None = None
        self.met: tuple[Breakpoint, ...] = ()  # at this stop
        self.quits = False
        self.ran_out = False

    # -- a session -----------------------------------------------------------------------------------------------------

    def interact(self, trace: Trace, about: str = "") -> bool:
        """Show a trace until the user goes on; whether that is meant, not the end of everything."""
        if self.trace is not None:
            trace.inherit(self.trace)
        self.trace, self.quits, self.met = trace, False, ()
        self.columns = shutil.get_terminal_size().columns if self.use_rawinput else 0
        self.wording = Wording(trace, self.paint, self.columns)
        with line_editing() if self.use_rawinput else nullcontext():
            self.say(about)
            self._show()
            while True:
                try:
                    self.cmdloop()
                    return not self.quits
                except KeyboardInterrupt:
                    if not self.prompt:
                        raise
                    self.say("")  # another prompt
                except UnicodeDecodeError as error:
                    self._complain(f"this cannot be read as text: {error}")

    def parseline(self, line: str) -> tuple[str | None, str | None, str]:
        """A verb, spelt out, and the rest; of an expression, which begins with a name too, no verb."""
        line = line.strip()
        if re.match(r"\w+[.\[#(]", line):
            return None, None, line
        word, rest, line = super().parseline(line)
        return self._verb(word) if word else word, rest, line

    def onecmd(self, line: str) -> bool:
        """Do what a line says; an error never ends the session."""
        line, _, more = line.partition(";;")
        if more:
            self.cmdqueue.insert(0, more.strip())
        try:
            return bool(super().onecmd(line))
        except KeyboardInterrupt:
            self._complain("interrupted")
        except BrokenPipeError:
            raise
        except AutogradError as error:
            self._complain(_in_one_line(error))
        except OSError as error:
            self._complain(reason(error))
        except Exception as error:  # the user's place in time is worth more than an end that is clean
            self._complain(f"{type(error).__name__}: {error}")
        return False

    def default(self, line: str) -> None:
        """An expression; anything else is an error."""
        text = line.removeprefix("!").strip()
        word, *_ = re.findall(r"\w*", text)
        known = [verb for verb in self._verbs() if word and verb.startswith(word)]
        if known and word == text.partition(" ")[0]:
            raise ArgumentError(f"{word} may be {', '.join(known)}.")
        if word == text and word not in WORDS and word not in self._trace.vocabulary:
            raise ArgumentError(f"There is no command or node {shown(text)}; help lists the commands.")
        self.do_p(text)

    def _verbs(self) -> list[str]:
        return [name.removeprefix("do_") for name in self.get_names() if name.startswith("do_") and name != "do_EOF"]

    def _verb(self, word: str) -> str:
        """The verb that a word stands for: its name, its short name, or the beginning of one only."""
        known = [verb for verb in self._verbs() if verb.startswith(word)]
        return ALIASES.get(word, known[0] if len(known) == 1 else word)

    @property
    def _trace(self) -> Trace:
        assert self.trace is not None  # there is one as soon as there are commands
        return self.trace

    def say(self, *lines: str) -> None:
        """Print lines, broken at words on a screen."""
        write(self.stdout, "".join(f"{part}\n" for line in lines for part in wrapped(line, self.columns)))

    def _complain(self, text: str) -> None:
        self.say(self.paint("error", f"*** {printable(text)}"))

    # -- a stop --------------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Say where we are, and what was asked to be shown."""
        self.frame = 0
        self.next_line: int | None = None
        self.say(*self.wording.stop())
        for place_, watch in enumerate(self._trace.watches, start=1):
            try:
                self.say(f"   {place_}: {watch} = {self._text(watch(self._trace.now))}")
            except AutogradError as error:
                self.say(f"   {place_}: {watch}: {_in_one_line(error)}")

    def _move(self, motion: Callable[[bool], Stop], back: bool, times: str = "") -> None:
        """Move once, or so many times; say where that led."""
        if times and not (times.isdecimal() and int(times) > 0):
            raise ArgumentError(f"{shown(times)} is no number of times.")
        trace = self._trace
        before, self.met = trace.position, ()
        for _ in range(int(times or 1)):
            stop = motion(back)
            self.say(*map(printable, stop.messages))
            if stop.reason not in ("step", "breakpoint") or (stop.breakpoints and motion != trace.run):
                break
        if stop.reason == "end" and trace.position == before:
            self.say(
                "This is the beginning: nothing has been computed before."
                if back
                else "The sweep is over. c goes on with the program; rn goes back."
            )
            return
        if stop.reason == "interrupted":
            self.say("interrupted here")
        self.met = stop.breakpoints
        for breakpoint in stop.breakpoints:
            self.say(f"breakpoint {breakpoint.number}: {_described(breakpoint)}")
        self._show()
        if self._go_on():
            self.say("   the sweep is over: these are the gradients of backward()")
            for leaf in [leaf for leaf in trace.leaves if leaf.grad and trace.grad(leaf) is not None][:_FEW]:
                name, held = self.wording.symbol(leaf), leaf.grad
                after = number(held + (trace.grad(leaf) or 0.0))
                self.say(f"   {name}.grad holds {number(held)} from before: backward() adds to it, {after} then")

    def _go_on(self) -> bool:
        return self._trace.position == len(self._trace) - 1

    def do_next(self, times: str) -> None:
        """Go to the next node; a scope further inside, such as softmax, is one step. next 3: three times."""
        self._move(self._trace.over, False, times)

    def do_step(self, times: str) -> None:
        """Go to the next node, wherever it is, also into a scope."""
        self._move(self._trace.into, False, times)

    def do_return(self, times: str) -> None:
        """Go on until this scope is left; outside of all scopes, to the end of the sweep."""
        self._move(self._trace.out, False, times)

    def do_continue(self, times: str) -> bool:
        """Go on to the next breakpoint, or to the end of the sweep; from there, on with the program."""
        if self._go_on():
            return True
        self._move(self._trace.run, False, times)
        return False

    def do_rnext(self, times: str) -> None:
        """Go back to the node before; a scope further inside is one step."""
        self._move(self._trace.over, True, times)

    def do_rstep(self, times: str) -> None:
        """Go back to the node before, wherever it is, also into a scope."""
        self._move(self._trace.into, True, times)

    def do_rreturn(self, times: str) -> None:
        """Go back to before this scope was entered."""
        self._move(self._trace.out, True, times)

    def do_rcontinue(self, times: str) -> None:
        """Go back to the breakpoint before, or to the beginning of the computation."""
        self._move(self._trace.run, True, times)

    def do_jump(self, text: str) -> None:
        """Go to a moment: jump 21, jump +3, jump -3, jump start (where the sweep begins), jump end, jump 0."""
        trace = self._trace
        words = {"start": trace.start, "end": len(trace) - 1}
        if text not in words and not re.fullmatch(r"[+-]?\s*\d+", text):
            raise ArgumentError(f"{shown(text)} is no step: write a number, +3, -3, start or end.")
        target = words.get(text) if text in words else int(text.replace(" ", ""))
        assert target is not None
        if text[0] in "+-":
            target += trace.position
        if not 0 <= target < len(trace):
            raise ArgumentError(f"There is no step {target}: they go from 0 to {len(trace) - 1}.")
        trace.seek(target)
        self.met = ()
        self._show()

    def do_quit(self, _: str) -> bool:
        """End the session, and under `autograd-mini debug` the program; what called loss.debug() goes on."""
        self.quits = True
        return True

    def do_EOF(self, _: str) -> bool:
        """End the session, at the end of what there is to read."""
        if self.prompt:
            self.say("")
        else:
            self.ran_out = True
        return self.do_quit("")

    # -- breakpoints ---------------------------------------------------------------------------------------------------

    def do_break(self, text: str, temporary: bool = False) -> None:
        """Stop at a place from now on; without one, list the breakpoints.

        b 12                 a line of the source; b net.py:12 of another file
        b exp   b softmax    an operation, where a scope is entered,
        b loss  b mul#7      or a node; after "op", "scope" or "node" only that
        b x.grad             where a gradient changes; "b watch EXPRESSION" for anything else
        b nonfinite          where nan or an infinity turns up
        b above 1e3          where a gradient is larger; b below 1e-6 where one is handed on that is smaller
        b grad * value > 2   where an expression is true
        Behind a comma, or "if", may stand a condition: b exp, abs(grad) > 1
        """
        if not text:
            self._list_breakpoints()
            return
        where, condition = _at_condition(text)
        site = self._frames()[self.frame].site
        arguments = meant(self._trace, where, site.file if site is not None else None)
        found = self._trace.break_at(**arguments, condition=condition or None, temporary=temporary)
        self.say(f"breakpoint {found.number}: {_described(found)}")

    def do_tbreak(self, text: str) -> None:
        """Stop at a place once: tbreak exp; the places are those of break."""
        self.do_break(text, temporary=True)

    def do_watch(self, text: str) -> None:
        """Stop where an expression changes: watch x.grad, watch abs(x.grad) > 1."""
        self._required(text, "an expression, as in watch x.grad")
        self.do_break(text if re.fullmatch(r"[\w#]+\.grad", text) else f"watch {text}")

    def do_condition(self, text: str) -> None:
        """Stop at a breakpoint only where an expression is true: condition 1 grad > 2; without one, always."""
        which, _, condition = text.partition(" ")
        breakpoint = self._breakpoints(which)[0]
        read = self._trace.now.read(condition) if condition.strip() else None
        breakpoint.condition = read
        self.say(f"breakpoint {breakpoint.number}: {_described(breakpoint)}")

    def do_ignore(self, text: str) -> None:
        """Pass a breakpoint so many times: ignore 1 3."""
        which, _, times = text.partition(" ")
        breakpoint = self._breakpoints(which)[0]
        if not times.strip().isdecimal():
            raise ArgumentError(f"{shown(times)} is no number of times; write it as in ignore 1 3.")
        breakpoint.ignore(int(times))
        self.say(f"breakpoint {breakpoint.number}: {_described(breakpoint)}")

    def do_disable(self, text: str) -> None:
        """Let breakpoints do nothing: disable 1 2; without numbers, all."""
        self._enable(text, False)

    def do_enable(self, text: str) -> None:
        """Let breakpoints stop again: enable 1 2; without numbers, all."""
        self._enable(text, True)

    def do_clear(self, text: str) -> None:
        """Remove breakpoints: clear 1 2, clear net.py:12; without anything, all."""
        if re.fullmatch(r".+:\d+", text):
            file, line = meant(self._trace, text)["file"], text.rpartition(":")[2]
            found = [
                b for b in self._trace.breakpoints if b.file and str(b.target) == line and path(b.file) == path(file)
            ]
            if not found:
                raise ArgumentError(f"There is no breakpoint at {text}.")
        else:
            found = self._breakpoints(text) if text else [*self._trace.breakpoints]
        for breakpoint in found:
            self._trace.breakpoints.remove(breakpoint)
        self.say(f"removed {', '.join(str(b.number) for b in found) or 'nothing'}")

    def _enable(self, text: str, enabled: bool) -> None:
        for breakpoint in self._breakpoints(text) if text else self._trace.breakpoints:
            breakpoint.enabled = enabled
            self.say(f"breakpoint {breakpoint.number}: {_described(breakpoint)}")

    def _breakpoints(self, text: str) -> list[Breakpoint]:
        """Those of the numbers in a text."""
        known = {str(breakpoint.number): breakpoint for breakpoint in self._trace.breakpoints}
        words = text.split()
        for word in words or [""]:
            if word not in known:
                numbers = f"there are {', '.join(known)}" if known else "there are none"
                raise ArgumentError(f"There is no breakpoint {word or 'without its number'}: {numbers}.")
        return [known[word] for word in words]

    def _list_breakpoints(self) -> None:
        lines = [f"breakpoint {b.number}: {_described(b)}" for b in self._trace.breakpoints]
        self.say(*(lines or ["No breakpoints; help break says what can be one."]))

    # -- looking -------------------------------------------------------------------------------------------------------

    def do_p(self, text: str) -> None:
        """Print what an expression is now: p x, p x.grad, p grad * 2, p upstream."""
        self._required(text, "an expression, as in p x.grad")
        self.say(self._text(self._trace.evaluate(text)))

    def do_pp(self, text: str) -> None:
        """Print with all digits: pp x.grad; of a node, as in pp x, all that is known of it."""
        self._required(text, "an expression, as in pp x")
        found = self._trace.evaluate(text)
        if not is_node(found):
            self.say("not yet" if found is None else repr(found))
            return
        trace = self._trace
        site = trace.place(found)
        operands = [
            f"{trace.label(operand) if is_node(operand) else 'a constant'}, derivative {partial!r}"
            for operand, partial in zip(found.operands, found.partials, strict=True)
        ]
        rows = [
            ("node", trace.label(found)),
            ("value", repr(trace.value(found))),
            ("gradient", "not yet" if trace.grad(found) is None else repr(trace.grad(found))),
            ("operation", found.op or "a leaf"),
            *[("operand", text) for text in some(operands)],
            ("scope", "/".join(found.scope.path) if found.scope is not None else ""),
            ("place", location(site) if site is not None else ""),
        ]
        self.say(*aligned([(word, printable(text)) for word, text in rows if text]))

    def do_display(self, text: str) -> None:
        """Print an expression at every stop: display x.grad; without one, list them."""
        if text:
            self._trace.watches.append(self._trace.now.read(text))
        self._watches(f"{len(self._trace.watches)}" if text else "")

    def do_undisplay(self, text: str) -> None:
        """Print an expression no longer: undisplay 1, undisplay x.grad; without one, none of them."""
        watches = self._trace.watches
        found = [w for place_, w in enumerate(watches, start=1) if text in ("", str(place_), str(w))]
        if text and not found:
            raise ArgumentError(f"{shown(text)} is not displayed.")
        watches[:] = [watch for watch in watches if watch not in found]

    def _watches(self, only: str = "") -> None:
        names = self._trace.now
        for place_, watch in enumerate(self._trace.watches, start=1):
            if only in ("", str(place_)):
                self.say(f"{place_}: {watch} = {self._text(watch(names))}")
        for breakpoint in self._trace.breakpoints:
            if breakpoint.kind == "watch" and not only:
                self.say(f"breakpoint {breakpoint.number}: {_described(breakpoint)}")
        if not self._trace.watches:
            self.say("Nothing is displayed; display x.grad shows x.grad at every stop.")

    def do_info(self, text: str) -> None:
        """Say what there is: info breakpoints, info leaves, info step (with all digits), info watches."""
        found = [topic for topic in _INFO if text and topic.startswith(text)]
        if len(found) != 1:
            raise ArgumentError(f"There is info about {', '.join(_INFO)}.")
        if found == ["breakpoints"]:
            self._list_breakpoints()
        elif found == ["leaves"]:
            self.say(*self.wording.table(self._trace.leaves, most=10**6))
        elif found == ["watches"]:
            self._watches()
        else:
            self._info_step()

    def _info_step(self) -> None:
        for step in self._trace.contributions():
            named = [("step", repr(step.index)), ("phase", step.phase), ("node", self._trace.label(step.node))]
            named += [("operand", self._trace.label(step.operand))] if step.operand is not None else []
            numbers = ("upstream", "local", "contribution", "total")
            named += [(name, repr(x)) for name in numbers if (x := getattr(step, name)) is not None]
            self.say(*aligned([(name, printable(value)) for name, value in named]))

    def _frames(self) -> list[Frame]:
        node = self._trace.step.node
        frames = self._trace.frames(node) or [Frame(self._trace.label(node), None)]
        first, second = frames[0].site, frames[1].site if len(frames) > 1 else None
        if first is not None and second is not None and first.place == second.place:
            return frames[1:]  # in a scope of this package, whose call the user sees: show it once
        return frames

    def do_where(self, _: str) -> None:
        """Print the calls that led to this node, the innermost last."""
        frames = self._frames()
        for place_ in reversed(range(len(frames))):
            first, *source = self.wording.frame(frames[place_])
            self.say(first if place_ == self.frame else first.replace(">", " ", 1), *source)

    def do_up(self, _: str) -> None:
        """Look at the caller."""
        self._look(self.frame + 1, "This is the outermost place.")

    def do_down(self, _: str) -> None:
        """Look at what was called."""
        self._look(self.frame - 1, "This is the innermost place.")

    def _look(self, frame: int, complaint: str) -> None:
        if not 0 <= frame < len(self._frames()):
            raise ArgumentError(complaint)
        self.frame, self.next_line = frame, None
        self.say(*self.wording.frame(self._frames()[frame]))

    def do_list(self, text: str) -> None:
        """Print the source around here, then what follows; l . here again, l 5 around a line, l 5, 9 these lines."""
        site = self._frames()[self.frame].site
        if self.frame == 0 and self._trace.passed is not None:
            site = self.wording.site()
        lines = linecache.getlines(site.file) if site is not None else []
        if site is None or not lines:
            raise ArgumentError("The source of this node is not known.")
        given = re.fullmatch(r"(\d+)(?:\s*,\s*(\d+))?", text)
        if text not in ("", ".") and not given:
            raise ArgumentError(f"{shown(text)} is no range of lines; write l 5 or l 5, 9.")
        first = self.next_line if self.next_line is not None and text == "" else site.line - _LINES // 2
        if given:
            first = int(given[1]) if given[2] else int(given[1]) - _LINES // 2
        first = max(first, 1)
        last = min(int(given[2]) if given and given[2] else first + _LINES - 1, len(lines))
        if first > len(lines):
            raise ArgumentError(f"The file ends at line {len(lines)}.")
        stops = {b.target for b in self._trace.breakpoints if b.file and path(b.file) == path(site.file)}
        for line in range(first, last + 1):
            mark = ("B" if line in stops else " ") + ("->" if line == site.line else "  ")
            source = printable_source(lines[line - 1].rstrip()).expandtabs()
            self.say(f"{line:4} {self.paint('mark', mark)} {source}".rstrip())
        self.next_line = last + 1

    # -- understanding -------------------------------------------------------------------------------------------------

    def do_grad(self, text: str) -> None:
        """Print the gradients of the leaves now; grad x says what that of x is the sum of."""
        if text:
            self.say(*self.wording.sum_of(self._node(text)))
        else:
            self.say(*self.wording.table(self._trace.leaves))

    def do_tree(self, text: str) -> None:
        """Print what a node was computed from: tree, tree loss, tree loss 5 (levels)."""
        name, _, depth = text.rpartition(" ") if re.search(r"(^|\s)\d+$", text) else (text, "", "3")
        self.say(*self.wording.tree(self._node(name), int(depth)))

    def do_explain(self, text: str) -> None:
        """Say why a gradient is what it is: explain (at this step), explain x, explain all (what is wrong anywhere)."""
        node = None if text == "all" else self._node(text) if text else self._subject()
        self.say(*map(printable, str(self.wording.explanation(node)).splitlines()))
        self._say_without_changes("This explains")

    def _subject(self) -> Value:
        """What there is to explain at a step: the node, or who received from it what is not finite or made us stop."""
        trace, step = self._trace, self._trace.step
        if step.operand is not None and any(b.kind in ("nonfinite", "above", "below") for b in self.met):
            return step.operand
        steps = trace.passed_steps if trace.passed is not None else trace.contributions()
        broken = (step.operand for step in steps if step.operand is not None and not isfinite(step.total))
        return next(broken, step.node)

    def do_check(self, text: str) -> None:
        """Compare derivatives with finite differences, each step and the whole: check (of this node), check x."""
        trace, node = self._trace, self._node(text)
        name = self.wording.symbol(node)
        compared = [
            (f"∂{name}/∂{self.wording.symbol(x)}", found)
            for x, found in islice(differences.local(trace.journal, node), _LINES)  # a sum may have many thousands
        ]
        compared.append((self.wording.gradient(node), differences.total(trace.journal, node)))
        rows = [
            (symbol, f"= {number(found.derivative)}", f"  by differences {found.estimate:.10g}", f"  {found.verdict}")
            for symbol, found in compared
        ]
        self.say(*aligned(rows))
        hidden = sum(is_node(operand) for operand in node.operands) - len(rows) + 1
        if hidden:
            self.say(f"… and {hidden:,} more operands, which are not compared")

    def do_graph(self, text: str) -> None:
        """Draw this moment: graph, graph file.svg; .html, .dot and .png can be written too."""
        trace = self._trace
        done = self._handed_on()
        file = Path(text.strip() or f"step-{trace.position}.svg").expanduser()
        saved = draw(trace.root, after=done, title=self.wording.header()).save(file).absolute()
        self._say_without_changes("The picture shows")
        self.say(str(saved))

    def _say_without_changes(self, who: str) -> None:
        if self._trace.journal.changes or self._trace.seed != 1.0:
            self.say(f"{who} the sweep from 1, without what you changed.")

    def _handed_on(self) -> int:
        """How many nodes have handed their gradient on, as `draw` counts them."""
        trace, step = self._trace, self._trace.step
        if trace.position <= trace.start:
            return 0
        order = [*topological_order(trace.root)][::-1]
        if self._go_on():
            return len(order)
        turn = trace.journal.turn(trace.position)
        return order.index(step.node) + (trace.position == turn[-1])

    def do_set(self, text: str) -> None:
        """Change the gradient of a node: set y 2; what was changed later is forgotten."""
        name, _, value = text.strip().rpartition(" ")
        if not name:
            raise ArgumentError("Write a node and a number, as in set y 2.")
        new = self._trace.evaluate(value)
        if not isinstance(new, float):
            raise ArgumentError(f"{shown(value)} is no number.")
        self._trace.what_if(self._node(name), new)
        self._show()

    def _node(self, text: str) -> Value:
        """The node that a text means; of an empty one, that of this step."""
        if not text.strip():
            return self._trace.step.node
        trace, text = self._trace, text.strip()
        known = text in trace.vocabulary or text in trace.names.expressed or "#" in text
        if known and len(nodes := trace.nodes(text)) == 1:  # also of a name that is no expression
            return nodes[0]
        found = trace.evaluate(text)
        if not is_node(found):
            raise ArgumentError(f"{shown(text)} is no node.")
        return found

    def _text(self, value: Any) -> str:
        return printable(self._trace.now.text(value))

    def _required(self, text: str, what: str) -> None:
        if not text:
            raise ArgumentError(f"Write {what}.")

    # -- help and completion -------------------------------------------------------------------------------------------

    def do_help(self, text: str) -> None:
        """Say what the commands are: help, help break."""
        short = {verb: name for name, verb in reversed(ALIASES.items()) if name != verb}
        if text:
            verb = self._verb(text)
            if verb not in self._verbs():
                raise ArgumentError(f"There is no command {shown(text)}.")
            first, *rest = (getattr(self, f"do_{verb}").__doc__ or "").rstrip().splitlines()
            names = f"{verb} ({short[verb]})" if verb in short else verb
            self.say(self.paint("header", names), f"   {first}", *[f"   {line[8:]}".rstrip() for line in rest])
            return
        rows: list[tuple[str, str, str]] = []
        for title, verbs in HELP.items():
            rows.append((title, "", ""))
            rows += [(f"  {verb}", short.get(verb, ""), f"  {self._about(verb)}") for verb in verbs]
        lines = aligned(rows)
        below = lines[1].index(rows[1][2].strip())
        lines = [self.paint("header", line) if line in HELP else line for line in lines]
        self.say(*[part for line in lines for part in wrapped(line, self.columns, below)])
        self.say(
            "A stop shows what has just happened. An empty line does the same again. Verbs can be shortened; "
            "anything else is an expression."
        )

    def _about(self, verb: str) -> str:
        """What a verb does, without its examples."""
        return re.split("[:;.]", getattr(self, f"do_{verb}").__doc__ or "")[0]

    def completenames(self, text: str, *_: Any) -> list[str]:
        """The verbs that begin so."""
        return [f"{verb} " for verb in self._verbs() if verb.startswith(text)]

    def completedefault(self, *words: Any) -> list[str]:
        """What may follow a verb: names of nodes, scopes, operations, files; after a dot, attributes."""
        text, line = str(words[0]), str(words[1])
        verb = self.parseline(line)[0]
        trace = self._trace
        if "." in text and verb != "graph":
            owner, _, start = text.rpartition(".")
            return [f"{owner}.{name}" for name in ATTRIBUTES if name.startswith(start)]
        known: list[str] = [*trace.vocabulary, *WORDS, *[f"{name}(" for name in FUNCTIONS]]
        if verb in ("break", "tbreak"):
            known = [*trace.vocabulary, "nonfinite", "above ", "below ", *[f"{path(file)}:" for file in trace.files]]
            known += [node.op for node in trace.journal.order if node.op]
            known += [scope.name for node in trace.journal.order for scope in trace.scopes(node)]
        elif verb == "info":
            known = [*_INFO]
        elif verb == "help":
            known = self._verbs()
        elif verb == "jump":
            known = ["start", "end"]
        elif verb == "graph":
            known = glob.glob(f"{glob.escape(text)}*")
        elif verb in ("tree", "grad", "check", "explain", "set"):
            known = trace.vocabulary
        return sorted({name for name in known if name.startswith(text)})


def _at_condition(text: str) -> tuple[str, str]:
    """A place and its condition: behind the first comma outside of parentheses, or behind "if", as others write it."""
    if " if " in text and " else " not in text:
        place_, _, condition = text.partition(" if ")
        return place_, condition.strip()
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            return text[:index], text[index + 1 :].strip()
    return text, ""


def _described(breakpoint: Breakpoint) -> str:
    text = str(breakpoint)
    return printable(text.replace(breakpoint.file, path(breakpoint.file)) if breakpoint.file else text)


def _in_one_line(error: AutogradError) -> str:
    what, *more = str(error).splitlines()
    return " ".join([what, *[line.removeprefix("  do:").strip() for line in more if line.startswith("  do:")]])


# -- programs ----------------------------------------------------------------------------------------------------------


def debug(
    program: str, arguments: Sequence[str] = (), at: int | None = None, module: bool = False, given: str | None = None
) -> None:
    """Run a program, and stop in it whenever it calls `backward()`.

    Args:
        program: SCRIPT.py, or SCRIPT.py:NAME for a value on which it does not call `backward()`.
        arguments: what the program finds in `sys.argv[1:]`.
        at: stop at the call of this number only, from 1.
        module: whether the program is the name of a module, as after `python -m`.
        given: the file that the program reads as its standard input; "-" for standard input itself, and then commands
            come from the terminal. None for what commands come from: at a terminal they take turns, else the program
            may not read it.

    Raises:
        ArgumentError: there is no such program, or it calls `backward()` less often; the commands end before it does.
        SharedInputError: it reads the pipe that commands come from.
        ScriptError: the program raises an error, or ends with an exit status other than 0.
        OSError: commands or the program cannot be read, or the answers cannot be written.
    """
    shared = turns.Turns(given)
    with shared.debugger():  # so that it knows whether that is a terminal
        shell = Shell(stdin=shared.commands)
    called = f"{'-m ' * module}{program}"
    quits = False

    def stop(call: Call) -> None:
        nonlocal quits
        if at is not None and call.number != at:
            return
        with shared.debugger():
            goes_on = shell.interact(call.trace(), _about(call))
        if not goes_on:
            quits = True
            raise Quit

    try:
        with shared.program():
            count = debug_program(program, arguments, stop, module=module)
    except Quit:  # of a program that has ended already
        return
    if quits and shell.ran_out and not path_and_name(program, module)[1]:
        raise ArgumentError(
            f"The commands ended before {called} did. End them with q to leave it, or with as many c as it takes."
        )
    if quits:
        return
    if count == 0:
        raise ArgumentError(
            f"{called} never calls backward(). Call it on the value whose derivatives you want, or name that: "
            f"autograd-mini debug {called}:NAME. What other threads and processes do is not followed."
        )
    if at is not None and count < at:
        raise ArgumentError(f"{called} calls backward() {count} time{'s' * (count > 1)}, so there is no call {at}.")
    shell.say(f"{printable(called)} has ended.")  # to where the session was, not to what the program made of sys.stdout


def _about(call: Call) -> str:
    where = f" at {path(call.site.file)}:{call.site.line}" if call.site is not None else ""
    return f"backward(), call {call.number}{where}. {_HOW}"


def shell(v: Value, seed: float, commands: Sequence[str]) -> None:
    """Step through the backpropagation of a value that is there already."""
    trace = Trace(v, seed)
    trace.seek(trace.start)
    about = _HOW
    if not any(node.origin is not None for node in trace.journal.order):
        about += " Record inside `with autograd_mini.provenance(calls=True):` to see your lines."
    with turns.commands():
        session = Shell(commands)
        try:
            session.interact(trace, about)
        except BrokenPipeError:  # the interpreter would complain of that once more when it ends
            abandon(session.stdout)
