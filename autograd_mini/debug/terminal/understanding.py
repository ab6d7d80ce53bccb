"""The debugger's commands that say why: local rules, paths, sums, explanations, finite differences.

Not here: moving and stopping (`commands`), and the texts (`wording`). Read next: `debug.terminal.prompt`.
"""

from __future__ import annotations

import re
from itertools import islice
from math import isfinite

from autograd_mini.debug.terminal.prompt import Prompt
from autograd_mini.debug.timeline import differences
from autograd_mini.debug.timeline.breakpoints import Breakpoint
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import Wording, aligned, printable
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.text import number

LINES = 11
FEW = 4


class Understanding(Prompt):
    """The commands that look at a moment of a trace and change nothing but what is open."""

    trace: Trace  # set before any command runs
    wording: Wording
    met: tuple[Breakpoint, ...] = ()  # at this stop

    def do_rule(self, text: str) -> None:
        """Print the local derivatives as formulas with their numbers: rule (at this step), rule x, rule softmax."""
        calls = [call for scope, call in self.trace.calls.items() if scope is self.trace.passed or scope.name == text]
        if (calls and not text) or (text and text not in self.trace.called and calls):
            for call in calls[:FEW]:
                self.say(*[f"   {line}" for line in self.wording.call_rules(call)])
            return
        steps = [
            step for step in self.trace.contributions() if step.local is not None and step.node is not step.operand
        ]
        self.say(*[f"   {line}" for line in self.wording.rules(self._node(text), () if text else steps)])

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
        self.say(*self.wording.paths(self._node(text)))
        self._say_without_changes("This shows")

    def do_grad(self, text: str) -> None:
        """Print the gradients of the leaves now: grad, grad all (however many); grad x lists the terms of its sum."""
        if text in ("", "all"):
            self.say(*self.wording.table(self.trace.leaves, **({"most": len(self.trace)} if text else {})))
        else:
            self.say(*self.wording.sum_of(self._node(text)))

    def do_tree(self, text: str) -> None:
        """Print what a node was computed from: tree, tree loss, tree loss 5 (levels)."""
        name, _, depth = text.rpartition(" ") if re.search(r"(^|\s)\d+$", text) else (text, "", "3")
        self.say(*self.wording.tree(self._node(name), int(depth)))

    def do_explain(self, text: str) -> None:
        """Say why a gradient is what it is: explain (at this step), explain x, explain all (anything that is wrong)."""
        node = None if text == "all" else self._node(text) if text else self._subject()
        self.say(*map(printable, str(self.wording.explanation(node)).splitlines()))
        self._say_without_changes("This explains")

    def _subject(self) -> Value:
        """Return what to explain at a step: the receiver of what made us stop or is not finite, else the node."""
        trace, step = self.trace, self.trace.step
        if step.operand is not None and any(b.kind in ("nonfinite", "above", "below") for b in self.met):
            return step.operand
        steps = trace.passed_steps if trace.passed is not None else trace.contributions()
        broken = (step.operand for step in steps if step.operand is not None and not isfinite(step.total))
        return next(broken, step.node)

    def do_check(self, text: str) -> None:
        """Compare derivatives with finite differences, each step and the whole: check (this node), check x."""
        trace, node = self.trace, self._node(text)
        name = self.wording.symbol(node)
        compared = [
            (f"∂{name}/∂{self.wording.symbol(x)}", found)
            for x, found in islice(differences.local(trace.journal, node), LINES)  # a sum may have many thousands
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

    def _node(self, text: str) -> Value:
        """Return the node that a text means; an empty text means the node of this step."""
        trace, text = self.trace, text.strip()
        if not text:
            return trace.step.node
        known = text in trace.vocabulary or text in trace.names.expressed or "#" in text
        if known and len(nodes := trace.nodes(text)) == 1:  # a name need not be valid in an expression
            return nodes[0]
        found = trace.evaluate(text)
        if not is_node(found):
            raise ArgumentError(f"{shown(text)} is not a node.")
        return found
