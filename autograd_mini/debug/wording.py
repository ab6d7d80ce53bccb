"""The text of a stop for terminals and editors: the place with its expression marked, the chain rule, tables.

Numbers are short, as in pictures; with colours, a function paints each text by its role.
Not here: what happened (`timeline`), and the printing. Read next: `debug.terminal`.
"""

from __future__ import annotations

import linecache
import math
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, SEED, WHAT_IF, Step
from autograd_mini.debug.timeline.paths import Call
from autograd_mini.debug.timeline.touched import Change, Doubt
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import counted
from autograd_mini.explanation.report import Explanation, explained
from autograd_mini.notation.names import users_of
from autograd_mini.notation.spelling import spelling
from autograd_mini.notation.text import bare, bracketed, guarded, number
from autograd_mini.output.streams import columns_of, printable, width
from autograd_mini.program.source import Site, cell
from autograd_mini.program.stack import Scope, outwards

Paint = Callable[[str, str], str]  # takes a role ("header", "mark", "result", "faint", "error") and a text

_FEW = 12  # of many terms, operands or lines, show this many
_TAB = 8
_LONGEST = 60  # characters of a name in a formula
_NOTHING = "nothing ever arrives"


def plain(role: str, text: str) -> str:
    """Paint nothing."""
    return text


# -- text --------------------------------------------------------------------------------------------------------------


def aligned(rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Align rows of cells in columns; the columns in `right` are aligned to the right."""
    rows = list(rows)
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        gaps = [" " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)]
        cells = [gap + cell if i in right else cell + gap for i, (cell, gap) in enumerate(zip(row, gaps, strict=True))]
        lines.append(" ".join(cells).rstrip())
    return lines


def some(lines: list[str], most: int = _FEW, what: str = "more") -> list[str]:
    """Return the first of many lines, and a line with the number of the rest."""
    return lines if len(lines) <= most else [*lines[: most - 1], f"… {len(lines) - most + 1:,} {what}"]


def moved_by(before: float, after: float) -> str:
    """Write a change as a step, "+ 0.01" or "- 0.01"; both numbers where their difference is nan."""
    if math.isnan(after - before):
        return f"= {number(after)}, before {number(before)}"
    text = number(after - before)
    return f"- {text[1:]}" if text.startswith("-") else f"+ {text}"


# -- places ------------------------------------------------------------------------------------------------------------


def path(file: str) -> str:
    """Return the path of a file, relative to the working directory if the file is inside it."""
    if found := cell(file):
        return found
    inside = os.path.abspath(file).startswith(os.path.join(os.getcwd(), ""))
    return printable(os.path.relpath(file) if inside else file)


def file_and_line(site: Site) -> str:
    """Return file and line: "model.py:4", or "cell [6], line 4"."""
    return f"{path(site.file)}{', line ' if cell(site.file) else ':'}{site.line}"


def location(site: Site) -> str:
    """Return file, line and function."""
    return file_and_line(site) + (f" in {printable(site.function)}" if site.function != "<module>" else "")


def marked(site: Site, paint: Paint = plain, columns: int = 0) -> list[str]:
    """Return the lines of an expression, each with a line below that marks it; [] if there is no source.

    Common indentation is removed, and lines wider than `columns` (0: no limit) are cut around the mark.
    """
    first, start, last, end = site.span
    raw = [linecache.getline(site.file, line).rstrip("\r\n").encode() for line in range(first, last + 1)]
    if not any(raw):
        return []
    found: list[tuple[str, int, int]] = []  # the text, and the columns where the expression begins and ends
    for position, line in enumerate(raw):
        stop = end if position == len(raw) - 1 and end else len(line)
        begin = start if position == 0 else len(line) - len(line.lstrip())
        text, to_end, to_begin = (
            printable_source(part.decode(errors="replace")) for part in (line, line[:stop].rstrip(), line[:begin])
        )
        found.append((text, width(to_begin), max(width(to_end), width(to_begin))))
    margin = min(len(text) - len(text.lstrip(" ")) for text, _, _ in found if text.strip())
    lines: list[str] = []
    for text, left, right in found:
        offset = margin
        if columns and width(text) - margin > columns:
            offset = max(margin, min(left - columns // 4, width(text) - columns))
            text = _between(text, 0, offset + columns - 1) + "…"
            right = min(right, width(text))
        before, inside, after = (_between(text, *ends) for ends in ((offset, left), (left, right), (right, None)))
        before = f"…{_between(before, 1)}" if offset > margin else before
        lines.append((before + paint("mark", inside) + after).rstrip())
        if right > left:
            lines.append(" " * width(before) + paint("mark", "^" * width(inside)))
    return some(lines, 2 * _FEW, "lines more")


def _between(text: str, first: int, last: int | None = None) -> str:
    """Return the part of a text in some columns; zero-width characters stay with the one before them."""
    found, column = "", 0
    for character in text:
        wide = columns_of(character)
        if column - (not wide) >= first and (last is None or column - (not wide) < last):
            found += character
        column += wide
    return found


def printable_source(text: str) -> str:
    """Expand the tabs in source, counted in columns of the screen."""
    done, *rest = map(printable, text.split("\t"))
    for part in rest:
        done += " " * (_TAB - width(done) % _TAB) + part
    return done


# -- what happened -----------------------------------------------------------------------------------------------------


class Wording:
    """The painted text of a trace's stops, for a screen of some columns (0: no limit)."""

    def __init__(self, trace: Trace, paint: Paint = plain, columns: int = 0) -> None:
        self.trace = trace
        self.paint = paint
        self.columns = columns

    # -- names ---------------------------------------------------------------------------------------------------------

    def symbol(self, node: Value) -> str:
        """Return a node's name in formulas: its label, in parentheses if it is an expression with an operator."""
        label = printable(self.trace.names.short(node))
        return label if self.trace.name(node) else bracketed(label)

    def gradient(self, node: Value) -> str:
        """Return the symbol of the derivative by a node."""
        return self.derivative(self.trace.root, node)

    def derivative(self, of: Value, by: Value) -> str:
        """Return the symbol of the derivative of a node by another."""
        return f"∂{self.symbol(of)}/∂{self.symbol(by)}"

    def operation(self, node: Value, name: Callable[[Value], str]) -> str:
        """Return an operation in mathematical notation, with these names for its operands."""
        if node._row is None:
            return number(self.trace.value(node))
        spelled = spelling(node)
        names = [name(operand) if is_node(operand) else number(operand) for operand in spelled.operands]
        return spelled.text(names, most=_FEW // 2)

    def computed(self, node: Value) -> str:
        """Return how a node was computed: "y = x * w = 2 × -3 = -6"."""
        name, result = self.symbol(node), self.paint("result", number(self.trace.value(node)))
        if node.op is None:
            return ", ".join(filter(None, [f"{name} = {result}   a leaf", self.trace.remark(node)]))
        symbols = printable(self.trace.names.expression(node)) or self.operation(node, self.symbol)
        numbers = self.operation(node, lambda operand: number(self.trace.value(operand)))
        return " = ".join([name] * (bare(name) != symbols) + [symbols, numbers, result])

    # -- a stop --------------------------------------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """Return everything that a terminal shows at a stop: when, where, what."""
        site = self.site()
        excerpt = self.excerpt(site) if site is not None else []
        return [self.paint("header", self.header()), *excerpt, *[f"   {line}" for line in self.happened()]]

    def header(self) -> str:
        """Return when: the number of the step, the phase, the scope."""
        trace, step = self.trace, self.trace.step
        text = f"step {step.index} of {len(trace) - 1}, {step.phase}"
        if trace.passed is not None:
            return f"{text} through {_path(trace.passed)}"
        return text + (f", in {_path(step.node.scope)}" if step.node.scope is not None else "")

    def site(self) -> Site | None:
        """Return where: the expression of this step, or the call of a scope that was passed."""
        calls = (scope.site for scope in outwards(self.trace.passed) if scope.site is not None)
        return next(calls, None) or self.trace.place(self.trace.step.node)

    def excerpt(self, site: Site, remark: str = "") -> list[str]:
        """Return a place in the program, with its source and the expression marked."""
        lines = marked(site, self.paint, max(self.columns - 4, 0))
        source = [("   " if i else "-> ") + line for i, line in enumerate(lines)]
        return [self.paint("faint", f"> {location(site)}{remark}"), *source]

    def frame(self, frame: Frame) -> list[str]:
        """Return one of the places that led to a node."""
        if frame.site is None:
            return [self.paint("faint", f"> {printable(frame.name)}")]
        return self.excerpt(frame.site, f" calls {printable(frame.name)}" if frame.scope is not None else "")

    def happened(self) -> list[str]:
        """Return what: the chain rule of each contribution at this stop, or the computed number."""
        trace, step = self.trace, self.trace.step
        if trace.passed is not None:
            return self._whole(trace.passed)
        if step.phase == FORWARD:
            return [self.computed(step.node)]
        gradient = f"{self.gradient(step.node)} = {self.paint('result', number(step.total))}   "
        if step.phase == SEED:
            return [f"{gradient}here the sweep begins"]
        if step.phase == WHAT_IF:
            return [f"{gradient}what if: changed by hand, before: {number(trace.grad(step.node, step.index - 1))}"]
        return self._chain_rule(trace.contributions())

    def _chain_rule(self, steps: Sequence[Step]) -> list[str]:
        """Return the contributions of a node, one per line, with their numbers and the sums that they lead to."""
        rows = []
        for step in steps[:_FEW]:  # a sum has one per operand
            assert step.operand is not None  # it is a contribution
            rows.append((
                self.gradient(step.operand),
                f"+= {self.gradient(step.node)} × {self.derivative(step.node, step.operand)}",
                f"= {number(step.upstream)} × {number(step.local)}",
                f"= {number(step.contribution)}",
                f"  total {number(step.total)}",
            ))  # fmt: skip
        lines = aligned(rows)
        if self.columns and max(map(width, lines)) > self.columns - 3:  # symbols above, numbers below
            lines = [f"{' '.join(row[:2])}\n      {' '.join(row[2:])}" for row in rows]
        lines = some([*map(self._with_result, lines), *[""] * (len(steps) - len(lines))])
        return [part for line in lines for part in line.split("\n")]

    def _with_result(self, line: str) -> str:
        text, word, total = line.rpartition("total ")
        return text + word + self.paint("result", total)

    def _whole(self, scope: Scope) -> list[str]:
        """Return what a scope that was passed did: what came in from outside, and what went out."""
        trace, steps = self.trace, self.trace.passed_steps
        nodes = dict.fromkeys(step.node for step in steps)
        if steps[0].phase == FORWARD:
            users = users_of(trace.journal.order)
            operands = dict.fromkeys(x for node in nodes for x in node.operands if is_node(x))
            came = [f"{self.symbol(x)} = {number(trace.value(x))}" for x in operands if not trace.is_inside(x, scope)]
            went = [
                f"{self.symbol(node)} = {self.paint('result', number(trace.value(node)))}"
                for node in nodes
                if node is trace.root or not all(trace.is_inside(user, scope) for user in users.get(node, ()))
            ]
        else:
            around, arrivals = trace.journal.around, trace.journal.arrivals
            came = [
                f"{self.gradient(node)} = {number(trace.grad(node))}"
                for node in nodes
                if any(scope not in around(arrival) for arrival in arrivals(node))
            ]
            sums: dict[Value, float] = {}
            for step in trace.handed_on:
                assert step.operand is not None  # it is a contribution
                sums[step.operand] = sums.get(step.operand, 0.0) + (step.contribution or 0.0)
            rows = [
                (self.gradient(node), f"+= {number(total)}", f"  total {number(trace.grad(node))}")
                for node, total in sums.items()
            ]
            went = [self._with_result(line) for line in aligned(rows)]
        others = trace.position + 1 - steps[0].index - len(steps)
        between = [f"    {counted(others, 'step')} of others came in between"] if others else []
        return [
            f"{'   ' if position else word} {line}"
            for word, lines in (("in ", came), ("out", went))
            for position, line in enumerate(some(lines))
        ] + between

    # -- what would happen ---------------------------------------------------------------------------------------------

    def change(self, change: Change, says: str = "says") -> str:
        """Return what a change of a leaf does to the result, and what its gradient says: "w + 0.01 → loss + 0.019"."""
        leaf, root = self.symbol(change.leaf), self.symbol(self.trace.root)
        moved = f"{leaf} {moved_by(change.before, change.after)}"
        moved += f" → {root} {moved_by(change.result_before, change.result_after)}"
        return f"{moved} (gradient {says} {number(change.slope * (change.after - change.before))})"

    def doubts(self, doubts: Sequence[Doubt], runs_again: bool = False) -> list[str]:
        """Return why numbers may differ from the program's, and where it would take another path."""
        lines = [(f"{file_and_line(d.site)}: " if d.site is not None else "") + printable(d.text) for d in doubts]
        if runs_again:
            return [*some(lines), "so the program runs again"]
        stays = "These numbers hold for the path that your program took."
        return [*some(lines), *[stays] * bool(lines)]

    # -- why -----------------------------------------------------------------------------------------------------------

    def rules(self, node: Value, steps: Sequence[Step] = ()) -> list[str]:
        """Return the local derivatives of a node as formulas with their numbers: those of some steps, or all."""
        if node.op is None:
            return [f"{self.symbol(node)} is a leaf: it was given, not computed"]
        turn = self.trace.journal.turn_of(node)
        chosen = [step.index - turn[0] for step in steps] or [*range(len(turn))]
        known = self.trace.rules(node)
        rows = []
        for place in chosen[:_FEW]:
            step, rule = self.trace[turn[place]], known[place]
            assert step.operand is not None  # it is a contribution
            if rule is None:
                local = self.derivative(node, step.operand)
                rows.append((local, f"= {number(step.local)}   its rule cannot be written in symbols"))
            else:
                operation = rule.operation(self.symbol)
                operation = operation if width(operation) <= _LONGEST else self.symbol(node)
                local = f"∂{operation}/∂{self.symbol(step.operand)}"
                rows.append((local, f"= {rule.text(self.symbol, self.trace.value)}"))
        nothing = [f"{self.symbol(node)} hands on nothing: no gradient flows through it"]
        return some(aligned(rows) + [""] * (len(chosen) - len(rows))) if rows else nothing

    def rules_here(self) -> list[str]:
        """Return the local derivatives of this step, or of the call that was passed as a whole."""
        trace = self.trace
        if trace.passed is not None and trace.passed in trace.calls:
            return self.call_rules(trace.calls[trace.passed])
        return self.rules(trace.step.node, [step for step in trace.contributions() if step.phase == BACKWARD])

    def rules_of(self, node: Value) -> list[str]:
        """Return the local derivatives of a node; of a result of a call such as softmax, those of the whole call."""
        call = next((call for call in self.trace.calls.values() if node in call.fold.outputs), None)
        return self.rules(node) if call is None else self.call_rules(call, [node])

    def call_rules(self, call: Call, outputs: Sequence[Value] | None = None) -> list[str]:
        """Return the derivatives of a call as a whole: closed form, numbers, result; of all outputs, or of some."""
        fold, rows = call.fold, []
        for output, by in product(fold.outputs if outputs is None else outputs, fold.inputs):
            if call.slope(output, by) is not None:
                text = call.text(output, by, self.trace.value)
                rows.append((self.derivative(output, by), f"= {text}"))
        form = call.form()
        where = [f"with {form.where}"] if form is not None else []
        return some(aligned(rows)) + where

    def paths(self, node: Value) -> list[str]:
        """Return every path from the root to a node, with the product of its local derivatives, and their sum."""
        found = self.trace.paths(node, opened=self.trace.opened)
        if not found.paths:
            return [f"No path leads from {self.symbol(self.trace.root)} to {self.symbol(node)}."]
        rows = []
        for path in found.paths:
            nodes = [self.trace.root, *[link.operand for link in path.links]]
            factors = [number(link.local) for link in path.links]
            factors = [number(self.trace.seed), *factors] if self.trace.seed != 1.0 or not factors else factors
            multiplied = " × ".join([factors[0], *map(guarded, factors[1:])])
            rows.append((" → ".join(map(self.symbol, nodes)), f"  {multiplied}", f"= {number(path.product)}"))
        lines = [f"   {line}" for line in aligned(rows)]
        if self.columns and max(map(width, lines)) > self.columns:
            lines = [line for way, *rest in rows for line in (f"   {way}", f"     {' '.join(rest)}")]
        total = number(found.total)
        if found.left_out:
            gradient = number(self.trace.journal.gradient(node, len(self.trace) - 1))
            listed = f"the {len(found.paths)} heaviest of {found.count:,} paths"
            sum_ = f"sum {total} of {listed}; the gradient is {gradient}"
        else:
            sum_ = f"{self.gradient(node)} = {total}, the sum over {counted(found.count, 'path')}"
        return [*lines, f"   {self.paint('result', sum_)}"]

    # -- tables --------------------------------------------------------------------------------------------------------

    def table(self, nodes: Sequence[Value], most: int = 40) -> list[str]:
        """Return nodes with their numbers, their current gradients, and the places that made them."""
        rows = [("node", "value", "gradient", "")]
        for node in nodes[:most]:
            site = self.trace.place(node)
            where = "  ".join(["", *filter(None, [file_and_line(site) if site else "", self.trace.remark(node)])])
            is_reached = self.trace.journal.arrivals(node)
            gradient = number(self.trace.grad(node)) if is_reached else f"0: {_NOTHING}"
            rows.append((self.symbol(node), f"  {number(self.trace.value(node))}", f"  {gradient}", where))
        heading, *lines = aligned(rows, right=(1, 2))
        rest = [f"… {len(nodes) - most:,} more; grad all shows all"] if len(nodes) > most else []
        return [self.paint("header", heading), *lines, *rest]

    def explanation(self, node: Value | None = None, **limits: Any) -> Explanation:
        """Explain the gradient of a node, or without a node whatever is wrong; limits as for `explain`."""
        trace = self.trace
        asked = None if node is None else {node: trace.name(node)}
        return explained(trace.root, trace.names, trace.journal.recorded, asked, **limits)

    def sum_of(self, node: Value) -> list[str]:
        """Return how the gradient of a node has built up so far."""
        arrivals = self.trace.journal.arrivals(node)
        steps = [self.trace[index] for index in arrivals if index <= self.trace.position]
        if not steps:
            return [f"{self.gradient(node)}: {'nothing has arrived yet' if arrivals else _NOTHING}"]
        changed = [position for position, step in enumerate(steps) if step.phase == WHAT_IF]
        steps = steps[changed[-1] if changed else 0 :]  # earlier steps no longer count
        parts = [number(step.contribution if step.contribution is not None else step.total) for step in steps]
        sums = [" + ".join(some(parts))] * (len(parts) > 1) + [self.paint("result", number(steps[-1].total))]
        return [" = ".join([self.gradient(node), *sums])] + [
            f"   {part} set by hand, in step {step.index}"
            if step.phase == WHAT_IF
            else f"   {part} from {self.symbol(step.node)}, in step {step.index}"
            for step, part in zip(steps[:_FEW], parts, strict=False)
            if step.phase != SEED
        ]

    def tree(self, node: Value, depth: int = 3, most: int = 40) -> list[str]:
        """Return a node with its operands below it, to some depth, with numbers and gradients."""
        rows = [("node", "value", "gradient")]
        waiting: list[tuple[Value | float, str, str, int]] = [(node, "", "", 0)]
        while waiting and len(rows) <= most:
            operand, branch, indent, level = waiting.pop()
            if isinstance(operand, float):
                rows.append((f"{branch}{number(operand)}", "", ""))
                continue
            below = operand.operands if level < depth else ()
            more = " …" if operand.operands and not below else ""
            what = f" = {self.operation(operand, self.symbol)}" if operand.op and self.trace.name(operand) else ""
            value, gradient = self.trace.value(operand), self.trace.grad(operand)
            rows.append((f"{branch}{self.symbol(operand)}{what}{more}", f"  {number(value)}", f"  {number(gradient)}"))
            for position, inner in enumerate(reversed(below)):
                corner, further = ("└─ ", "   ") if position == 0 else ("├─ ", "│  ")
                waiting.append((inner, indent + corner, indent + further, level + 1))
        heading, *lines = aligned(rows, right=(1, 2))
        return [self.paint("header", heading), *lines, *(["…"] if waiting else [])]


def _path(scope: Scope) -> str:
    return printable("/".join(scope.path))
