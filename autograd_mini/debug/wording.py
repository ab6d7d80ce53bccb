"""What a stop says, as text, for terminals and editors: the place with its expression marked, the chain rule, tables.

Numbers are short, as in pictures. Whoever prints in colours passes a function that paints a text by its role.
Not here: what happened (that is `journal`), and who prints it. Read next: `terminal`.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from autograd_mini.debug.timeline.journal import FORWARD, SEED, WHAT_IF, Step
from autograd_mini.debug.timeline.lines import Frame
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.drawing.picture import MATHEMATICAL
from autograd_mini.engine import Value, is_node
from autograd_mini.explanation import explained
from autograd_mini.explanation.report import Explanation
from autograd_mini.notation.names import bracketed, elided, is_relu
from autograd_mini.output.screen import columns_of, width
from autograd_mini.output.streams import printable as printable
from autograd_mini.program.source import Site, cell
from autograd_mini.program.stack import Scope

Paint = Callable[[str, str], str]

ROLES = "header", "mark", "result", "faint", "error"
_FEW = 12  # terms, operands or lines shown of many
_TAB = 8
_LONGEST = 60  # characters of a name in a formula
_NOT_YET = "not yet"
_NOTHING = "nothing ever arrives"


def plain(role: str, text: str) -> str:
    """Paint nothing.

    >>> plain("mark", "x * w")
    'x * w'
    """
    return text


# -- text --------------------------------------------------------------------------------------------------------------


def number(x: float | None) -> str:
    """A number as pictures show it; of a gradient that is not there yet, that.

    >>> number(0.07814756), number(-0.0), number(None)
    ('0.07815', '0', 'not yet')
    """
    return _NOT_YET if x is None else f"{x + 0.0:.4g}"


def _without_tabs(text: str) -> str:
    """With spaces up to the next stop, counted in columns."""
    done = ""
    for part in re.split(r"(\t)", text):
        done += part if part != "\t" else " " * (_TAB - width(done) % _TAB)
    return done


def aligned(rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows of cells as lines, in columns; those of these numbers keep to the right.

    >>> aligned([("x", "= 1"), ("total", "= 10")])
    ['x     = 1', 'total = 10']
    """
    rows = list(rows)
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            " " * (wide - width(cell)) + cell if place in right else cell + " " * (wide - width(cell))
            for place, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(" ".join(cells).rstrip())
    return lines


def some(lines: list[str], most: int = _FEW, what: str = "more") -> list[str]:
    """The first lines of many, and how many there are beyond them."""
    return lines if len(lines) <= most else [*lines[: most - 1], f"… {len(lines) - most + 1:,} {what}"]


# -- places ------------------------------------------------------------------------------------------------------------


def path(file: str) -> str:
    """The path of a file from the working directory, if it is inside of it."""
    if found := cell(file):
        return found
    inside = os.path.abspath(file).startswith(os.path.join(os.getcwd(), ""))
    return printable(os.path.relpath(file) if inside else file)


def line(site: Site) -> str:
    """File and line: "model.py:4", or "cell [6], line 4"."""
    return f"{path(site.file)}{', line ' if cell(site.file) else ':'}{site.line}"


def location(site: Site) -> str:
    """File, line, and function."""
    return line(site) + (f" in {printable(site.function)}" if site.function != "<module>" else "")


def marked(site: Site, paint: Paint = plain, columns: int = 0) -> list[str]:
    """The lines of an expression, and below each a line that marks the expression.

    Args:
        site: of the expression.
        paint: gives the mark its colour.
        columns: the width of the screen: longer lines are cut around the mark; 0 for no limit.

    Returns:
        the lines, without the indentation that they have in common; [] where there is no source.
    """
    first, start, last, end = site.span
    raw = [linecache.getline(site.file, line).rstrip("\r\n").encode() for line in range(first, last + 1)]
    if not any(raw):
        return []
    found: list[tuple[str, int, int]] = []  # the text, and the columns where the expression begins and ends
    for place, line in enumerate(raw):
        stop = end if place == len(raw) - 1 and end else len(line)
        begin = start if place == 0 else len(line) - len(line.lstrip())
        text, to_end, to_begin = (
            _without_tabs(printable_source(part.decode(errors="replace")))
            for part in (line, line[:stop].rstrip(), line[:begin])
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
    """The part of a text that stands in some columns; what takes none stays with the character before it."""
    found, column = "", 0
    for character in text:
        wide = columns_of(character)
        if column - (not wide) >= first and (last is None or column - (not wide) < last):
            found += character
        column += wide
    return found


def printable_source(text: str) -> str:
    """Source with its tabs, which are turned into spaces later, when their columns are known."""
    return "\t".join(map(printable, text.split("\t")))


# -- what happened -----------------------------------------------------------------------------------------------------


class Wording:
    """What there is to say at the stops of a trace.

    Args:
        trace: says where we are.
        paint: gives a text its colour, by one of `ROLES`.
        columns: the width of the screen, to which source is cut; 0 for no limit.

    >>> from autograd_mini import Value, debug
    >>> x, w = Value(2.0, name="x"), Value(-3.0, name="w")
    >>> trace = debug.trace(x * w)
    >>> wording = Wording(trace)
    >>> trace.run().reason, wording.header()
    ('end', 'step 5 of 5, backward')
    >>> print(*wording.happened(), sep="\\n")
    ∂mul#2/∂x += ∂mul#2/∂mul#2 × ∂mul#2/∂x = 1 × -3 = -3   total -3
    ∂mul#2/∂w += ∂mul#2/∂mul#2 × ∂mul#2/∂w = 1 × 2  = 2    total 2
    """

    def __init__(self, trace: Trace, paint: Paint = plain, columns: int = 0) -> None:
        self.trace = trace
        self.paint = paint
        self.columns = columns

    # -- names ---------------------------------------------------------------------------------------------------------

    def expression(self, node: Value) -> str:
        """The user's expression that is this operation; "" if that is not known, or if others came of it too."""
        return printable(self.trace.names.expression(node))

    def symbol(self, node: Value) -> str:
        """What a node is called in formulas: its label, in parentheses where it is an expression with an operator."""
        label = printable(elided(self.trace.label(node), _LONGEST))
        return label if self.trace.name(node) else bracketed(label)

    def operation(self, node: Value, name: Callable[[Value], str]) -> str:
        """An operation as mathematics writes it, with these names for its operands.

        >>> from autograd_mini import Value, debug, exp
        >>> y = exp(Value(2.0, name="x") * 0.5)
        >>> wording = Wording(debug.trace(y))
        >>> wording.operation(y, wording.symbol), wording.operation(y.operands[0], wording.symbol)
        ('exp(mul#1)', 'x × 0.5')
        """
        row, operands = node._row, node.operands
        if row is None:
            return number(self.trace.value(node))
        if is_relu(node):
            operands = tuple(operand for operand in operands if is_node(operand))
            return f"relu({', '.join(_bare(name(operand)) for operand in operands)})"
        names = [name(operand) if is_node(operand) else number(operand) for operand in operands]
        symbol = MATHEMATICAL.get(row.symbol, row.symbol)
        if row.symbol == row.name:
            return f"{symbol}({', '.join(some([_bare(name) for name in names], _FEW // 2))})"
        if len(names) == 1:
            return f"{symbol}({names[0]})" if names[0][0] in "-−(" else f"{symbol}{names[0]}"
        return f" {symbol} ".join(names)

    def computed(self, node: Value) -> str:
        """How a node was computed: "y = x * w = 2 × -3 = -6"."""
        result = number(self.trace.value(node))
        if node.op is None:
            remark = self.trace.remark(node)
            return f"{self.symbol(node)} = {self.paint('result', result)}   a leaf{', ' * bool(remark)}{remark}"
        symbols = self.expression(node) or self.operation(node, self.symbol)
        name = self.symbol(node)
        names = [] if _bare(name) == symbols else [name]
        numbers = self.operation(node, lambda operand: number(self.trace.value(operand)))
        return " = ".join([*names, symbols, numbers, self.paint("result", result)])

    def gradient(self, node: Value) -> str:
        """The derivative by a node, as a symbol."""
        return f"∂{self.symbol(self.trace.root)}/∂{self.symbol(node)}"

    # -- a stop --------------------------------------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """All that a terminal shows at a stop: when, where, what."""
        site = self.site()
        lines = [self.paint("header", self.header())]
        if site is not None:
            lines += self.place(site)
        return lines + [f"   {line}" for line in self.happened()]

    def header(self) -> str:
        """When: the number of the step, the phase, the scope."""
        trace, step = self.trace, self.trace.step
        text = f"step {step.index} of {len(trace) - 1}, {step.phase}"
        if trace.passed is not None:
            return f"{text} through {_scopes(trace.passed)}"
        return text + (f", in {_scopes(step.node.scope)}" if step.node.scope is not None else "")

    def site(self) -> Site | None:
        """Where: the expression of this step; of a scope that was passed, its call."""
        scope = self.trace.passed
        while scope is not None:
            if scope.site is not None:
                return scope.site
            scope = scope.parent
        return self.trace.place(self.trace.step.node)

    def place(self, site: Site, remark: str = "") -> list[str]:
        """A place in the program: where that is, and its source with the expression marked."""
        lines = marked(site, self.paint, max(self.columns - 4, 0))
        arrows = ["-> ", *["   "] * (len(lines) - 1)] if lines else []
        source = [arrow + line for arrow, line in zip(arrows, lines, strict=True)]
        return [self.paint("faint", f"> {location(site)}{remark}"), *source]

    def frame(self, frame: Frame) -> list[str]:
        """One of the places that led to a node."""
        if frame.site is None:
            return [self.paint("faint", f"> {printable(frame.name)}")]
        return self.place(frame.site, f" calls {printable(frame.name)}" if frame.scope is not None else "")

    def happened(self) -> list[str]:
        """What: the chain rule of each contribution of this stop, or the number that was computed."""
        trace, step = self.trace, self.trace.step
        if trace.passed is not None:
            return self._whole(trace.passed)
        if step.phase == FORWARD:
            return [self.computed(step.node)]
        if step.phase == SEED:
            return [f"{self.gradient(step.node)} = {self.paint('result', number(step.total))}   here the sweep begins"]
        if step.phase == WHAT_IF:
            before = number(trace.grad(step.node, step.index - 1))
            total = self.paint("result", number(step.total))
            return [f"{self.gradient(step.node)} = {total}   what if: changed by hand, before: {before}"]
        return self.chain_rule(trace.contributions())

    def chain_rule(self, steps: Sequence[Step]) -> list[str]:
        """The contributions of a node, one a line, with the numbers and the sums that they lead to."""
        rows = []
        for step in steps[:_FEW]:  # a sum has as many as operands; of more than a few the last is not shown
            assert step.operand is not None  # it is a contribution
            local = f"∂{self.symbol(step.node)}/∂{self.symbol(step.operand)}"
            rows.append(
                (
                    self.gradient(step.operand),
                    f"+= {self.gradient(step.node)} × {local}",
                    f"= {number(step.upstream)} × {number(step.local)}",
                    f"= {number(step.contribution)}",
                    f"  total {number(step.total)}",
                )
            )
        lines = aligned(rows)
        if self.columns and max(map(width, lines)) > self.columns - 3:  # symbols above, numbers below
            lines = [f"{' '.join(row[:2])}\n      {' '.join(row[2:])}" for row in rows]
        lines = some([*map(self._with_result, lines), *[""] * (len(steps) - len(lines))])
        return [part for line in lines for part in line.split("\n")]

    def _with_result(self, line: str) -> str:
        text, word, total = line.rpartition("total ")
        return text + word + self.paint("result", total)

    @cached_property
    def _users(self) -> dict[Value, list[Value]]:
        """Which nodes were computed from a node."""
        users: dict[Value, list[Value]] = {}
        for user in self.trace.journal.order:
            for node in user.operands:
                if is_node(node):
                    users.setdefault(node, []).append(user)
        return users

    def _whole(self, scope: Scope) -> list[str]:
        """What a scope that was gone over did: what came in from elsewhere, and what it led to there."""
        trace, steps = self.trace, self.trace.passed_steps
        nodes = _distinct(step.node for step in steps)

        def is_inside(node: Value) -> bool:
            return node.op is not None and scope in trace.scopes(node)

        if steps[0].phase == FORWARD:
            operands = [x for node in nodes for x in node.operands if is_node(x) and not is_inside(x)]
            results = [
                node
                for node in nodes
                if node is trace.root or any(not is_inside(user) for user in self._users.get(node, ()))
            ]
            came = [f"{self.symbol(node)} = {number(trace.value(node))}" for node in _distinct(operands)]
            went = [f"{self.symbol(node)} = {self.paint('result', number(trace.value(node)))}" for node in results]
        else:
            results = [
                node
                for node in nodes
                if any(scope not in trace.around(arrival) for arrival in trace.journal.arrivals(node))
            ]
            came = [f"{self.gradient(node)} = {number(trace.grad(node))}" for node in results]
            sums: dict[Value, float] = {}
            for step in steps:
                if step.operand is not None and not is_inside(step.operand):
                    sums[step.operand] = sums.get(step.operand, 0.0) + (step.contribution or 0.0)
            rows = [
                (self.gradient(node), f"+= {number(total)}", f"  total {number(trace.grad(node))}")
                for node, total in sums.items()
            ]
            went = [self._with_result(line) for line in aligned(rows)]
        others = trace.position + 1 - steps[0].index - len(steps)
        between = [f"    {others:,} step{'s' * (others > 1)} of others came in between"] if others else []
        return [
            f"{'   ' if place else word} {line}"
            for word, lines in (("in ", came), ("out", went))
            for place, line in enumerate(some(lines))
        ] + between

    # -- tables --------------------------------------------------------------------------------------------------------

    def table(self, nodes: Sequence[Value], most: int = 40) -> list[str]:
        """Nodes with their numbers, the gradients that they have now, and where they were made."""
        rows = [("node", "value", "gradient", "")]
        for node in nodes[:most]:
            place = self.trace.place(node)
            facts = [line(place)] if place is not None else []
            where = "  ".join(["", *facts, *filter(None, [self.trace.remark(node)])])
            name, value = self.symbol(node), number(self.trace.value(node))
            rows.append((name, f"  {value}", f"  {self.now(node)}", where))
        heading, *lines = aligned(rows, right=(1, 2))
        rest = [f"… {len(nodes) - most:,} more; grad all shows all"] if len(nodes) > most else []
        return [self.paint("header", heading), *lines, *rest]

    def explanation(self, node: Value | None = None, **limits: Any) -> Explanation:
        """Why the gradient of a node is what it is; of none, what is wrong with any; limits as for `explain`."""
        trace = self.trace
        asked = None if node is None else {node: trace.name(node)}
        return explained(trace.root, trace.names, trace.journal.recorded, asked, **limits)

    def is_reached(self, node: Value) -> bool:
        """Whether any gradient arrives at a node, sooner or later."""
        return bool(self.trace.journal.arrivals(node))

    def now(self, node: Value) -> str:
        """The gradient that a node has now."""
        gradient = self.trace.grad(node)
        return number(gradient) if gradient is not None or self.is_reached(node) else f"0: {_NOTHING}"

    def sum_of(self, node: Value) -> list[str]:
        """How the gradient of a node came about, up to now."""
        now = self.trace.position
        steps = [self.trace[index] for index in self.trace.journal.arrivals(node) if index <= now]
        if not steps:
            return [f"{self.gradient(node)}: {'nothing has arrived yet' if self.is_reached(node) else _NOTHING}"]
        changed = [place for place, step in enumerate(steps) if step.phase == WHAT_IF]
        steps = steps[changed[-1] if changed else 0 :]  # what came before does not count any more
        parts = [number(step.contribution if step.contribution is not None else step.total) for step in steps]
        total = self.paint("result", number(steps[-1].total))
        lines = [f"{self.gradient(node)} = {' + '.join(some(parts))} = {total}" if len(parts) > 1 else ""]
        lines = [f"{self.gradient(node)} = {total}"] if len(parts) == 1 else lines
        return lines + [
            f"   {number(step.total)} set by hand, in step {step.index}"
            if step.phase == WHAT_IF
            else f"   {number(step.contribution)} from {self.symbol(step.node)}, in step {step.index}"
            for step in steps[:_FEW]
            if step.phase != SEED
        ]

    def tree(self, node: Value, depth: int = 3, most: int = 40) -> list[str]:
        """A node with its operands below it, to some depth, with numbers and gradients."""
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
            for place, inner in enumerate(reversed(below)):
                corner, further = ("└─ ", "   ") if place == 0 else ("├─ ", "│  ")
                waiting.append((inner, indent + corner, indent + further, level + 1))
        heading, *lines = aligned(rows, right=(1, 2))
        return [self.paint("header", heading), *lines, *(["…"] if waiting else [])]


def _bare(symbol: str) -> str:
    """A symbol without the parentheses around all of it."""
    return symbol[1:-1] if symbol.startswith("(") else symbol


def _scopes(scope: Scope) -> str:
    return printable("/".join(scope.path))


def _distinct(nodes: Iterable[Value]) -> list[Value]:
    return [*dict.fromkeys(nodes)]
