"""The debugger's commands that look at a moment and change nothing: numbers, source, rules, paths, explanations.

Not here: moving and stopping (`commands`), and the texts (`wording`). Read next: `debug.terminal.prompt`.
"""

from __future__ import annotations

import linecache
import re
from itertools import islice
from math import isfinite
from pathlib import Path

from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.terminal.prompt import Prompt
from autograd_mini.debug.timeline import differences
from autograd_mini.debug.timeline.breakpoints import Breakpoint
from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import Wording, aligned, location, path, printable_source, some
from autograd_mini.drawing import draw
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown
from autograd_mini.notation.text import number
from autograd_mini.output.streams import printable

_LINES = 11
_FEW = 4
_STEP = "upstream", "local", "contribution", "total"


class Looking(Prompt):
    """A session at a moment of a trace, and the commands that show more of it."""

    trace: Trace  # set before any command runs
    wording: Wording
    met: tuple[Breakpoint, ...] = ()  # at this stop
    frame = 0  # the place that is looked at, among those that led to this node
    next_line: int | None = None  # which list shows next

    # -- a stop --------------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Print where we are, and the displayed expressions."""
        self.frame, self.next_line = 0, None
        self.say(*self.wording.stop(), *[f"   {line}" for line in self._displayed()])

    def _displayed(self) -> list[str]:
        lines, names = [], self.trace.now
        for count, watch in enumerate(self.trace.watches, start=1):
            try:
                lines.append(f"{count}: {watch} = {printable(names.text(watch(names)))}")
            except AutogradError as error:
                lines.append(f"{count}: {watch}: {sentences(error)}")
        return lines

    def say_if_over(self) -> None:
        """At the end of the sweep, say so, and what earlier gradients will do."""
        trace = self.trace
        if self.is_over():
            gradients = "would be" if trace.remarks or trace.journal.changes else "are"
            gradients += " the gradients of backward()" + " with these numbers" * bool(trace.remarks)
            gradients += " with the gradients that you set" * bool(trace.journal.changes)
            self.say(f"   the sweep is over: these {gradients}".replace("numbers with the", "numbers and the"))
            leaves = [] if self.is_past else trace.leaves  # the gradients of now
            for leaf in [leaf for leaf in leaves if leaf.grad and trace.grad(leaf) is not None][:_FEW]:
                name, held = self.wording.symbol(leaf), leaf.grad
                after = number(held + (trace.grad(leaf) or 0.0))
                self.say(f"   {name}.grad holds {number(held)} from before: backward() adds to it, {after} then")

    @property
    def is_past(self) -> bool:
        """Whether the call that is shown has happened already."""
        return False

    def is_over(self) -> bool:
        """Whether the last step has happened."""
        return self.trace.position == len(self.trace) - 1

    # -- looking -------------------------------------------------------------------------------------------------------

    def do_p(self, text: str) -> None:
        """Print an expression as it is now: p x, p x.grad, p grad * 2, p upstream."""
        required(text, "an expression, as in p x.grad")
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

    # -- understanding -------------------------------------------------------------------------------------------------

    def do_rule(self, text: str) -> None:
        """Print the local derivatives as formulas with their numbers: rule (at this step), rule x, rule softmax."""
        trace, wording = self.trace, self.wording
        calls = [call for scope, call in trace.calls.items() if scope.name == text and text not in trace.called]
        if calls:
            lines = [line for call in calls[:_FEW] for line in wording.call_rules(call)]
        else:
            lines = wording.rules(self.node(text)) if text else wording.rules_here()
        self.say(*[f"   {line}" for line in lines])

    def do_open(self, text: str, opened: bool = True) -> None:
        """Let n go into scopes of a name from now on: open softmax; without a name, list what is open."""
        trace = self.trace
        names = {scope.name for node in trace.journal.order for scope in trace.scopes(node)}
        if text and text not in names:
            raise ArgumentError(f"There is no scope {shown(text)}; there are {', '.join(sorted(names)) or 'none'}.")
        if text:
            (trace.opened.add if opened else trace.opened.discard)(text)
        self.say(f"open: {', '.join(sorted(trace.opened)) or 'nothing'}")

    def do_fold(self, text: str) -> None:
        """Let n pass scopes of a name as a whole again: fold softmax; without a name, all."""
        if text:
            self.do_open(text, opened=False)
        else:
            self.trace.opened.clear()
            self.do_open("")

    def do_paths(self, text: str) -> None:
        """Print every path from the result to a node, whose products add up to its gradient: paths w."""
        self.say(*self.wording.paths(self.node(text)))
        self._say_without_changes("This shows")

    def do_grad(self, text: str) -> None:
        """Print the gradients of the leaves now: grad, grad all (however many); grad x lists the terms of its sum."""
        if text in ("", "all"):
            self.say(*self.wording.table(self.trace.leaves, **({"most": len(self.trace)} if text else {})))
        else:
            self.say(*self.wording.sum_of(self.node(text)))

    def do_tree(self, text: str) -> None:
        """Print what a node was computed from: tree, tree loss, tree loss 5 (levels)."""
        name, _, depth = text.rpartition(" ") if re.search(r"(^|\s)\d+$", text) else (text, "", "3")
        self.say(*self.wording.tree(self.node(name), int(depth)))

    def do_explain(self, text: str) -> None:
        """Say why a gradient is what it is: explain (at this step), explain x, explain all (anything that is wrong)."""
        node = None if text == "all" else self.node(text) if text else self._subject()
        self.say(*map(printable, str(self.wording.explanation(node)).splitlines()))
        self._say_without_changes("This explains")

    def _subject(self) -> Value:
        """Return what to explain at a step: the receiver, if we stopped for it or it is not finite, else the node."""
        trace, step = self.trace, self.trace.step
        if step.operand is not None and any(b.kind in ("nonfinite", "above", "below") for b in self.met):
            return step.operand
        steps = trace.passed_steps if trace.passed is not None else trace.contributions()
        broken = (step.operand for step in steps if step.operand is not None and not isfinite(step.total))
        return next(broken, step.node)

    def do_check(self, text: str) -> None:
        """Compare derivatives with finite differences, each step and the whole: check (this node), check x."""
        trace, node = self.trace, self.node(text)
        compared = [
            (self.wording.derivative(node, x), found)
            for x, found in islice(differences.local(trace.journal, node), _LINES)  # a sum may have many thousands
        ]
        compared.append((self.wording.gradient(node), differences.total(trace.journal, node)))
        self.say(*aligned([
            (symbol, f"= {number(found.derivative)}", f"  by differences {found.estimate:.10g}", f"  {found.verdict}")
            for symbol, found in compared
        ]))  # fmt: skip
        hidden = sum(is_node(operand) for operand in node.operands) - len(compared) + 1
        if hidden:
            self.say(f"… and {hidden:,} more operands, which are not compared")

    def _say_without_changes(self, who: str) -> None:
        if self.trace.journal.changes or self.trace.seed != 1.0:
            self.say(f"{who} the sweep from 1, without what you changed.")

    def node(self, text: str) -> Value:
        """Return the node that a text means; an empty text means the node of this step."""
        trace, text = self.trace, text.strip()
        if not text:
            return trace.step.node
        known = text in trace.vocabulary or text in trace.names.expressed or "#" in text
        if known and len(nodes := trace.nodes(text)) == 1:  # a name need not be valid in an expression
            return nodes[0]
        found = trace.evaluate(text)
        if not is_node(found):
            is_known = text in trace.program_values
            advice = (
                f"It is {trace.now.text(found)} in your program; only a Value has a gradient." if is_known else None
            )
            raise ArgumentError(f"{shown(text)} is not a node.", advice)
        return found


def required(text: str, what: str) -> None:
    if not text:
        raise ArgumentError(f"Write {what}.")
