"""What a picture says: a graph in, text in the DOT language and tooltips out.

Not here: running a program (that is `render`). Numbers and gradients are those the nodes hold; nothing is computed.
Read next: `render`, which makes an SVG of the text.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from autograd_mini.engine import Value
from autograd_mini.primitives import ZERO
from autograd_mini.scopes import Scope
from autograd_mini.sweep import topological_order

_LEAF, _COMPUTED, _BLANK, _ZERO, _NOT_FINITE = "#fff1c9", "#f0f0f0", "#ffffff", "#d4d4d4", "#ff7dff"
_PALE, _BLUE, _RED = (247, 247, 247), (67, 147, 195), (214, 96, 77)  # ColorBrewer's RdBu: safe for the colour-blind
_DECADES = 3
_MATHEMATICAL = {"*": "×", "/": "÷", "-": "−"}
_BOXED = "□"  # an operand that has its own box, beside one that is a constant
_FRAMED = 'BORDER="0" CELLBORDER="1" CELLSPACING="0" COLOR="#606060"'

# What XML forbids, what would turn the direction of the text around it, and what breaks lines.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def escaped(text: object, limit: int = 1000) -> str:
    """Text of the user, shortened, for XML: the one place where it is escaped."""
    text = str(text)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return html.escape(_UNSAFE.sub(lambda match: "↵" if match[0] == "\n" else "�", text))


def label(text: object, limit: int = 32) -> str:
    r"""Text of the user for a label: XML again, but there dot would replace \N by the name of the node."""
    return escaped(text, limit).replace("\\", "\\\\")


def _made_at(node: Value | float) -> tuple[int, int] | None:
    """Where in the program a node was made."""
    origin = node.origin if type(node) is Value else None
    return (id(origin.code), origin.instruction) if origin else None


class Picture:
    """A graph as text in the DOT language.

    Args:
        order: all nodes, operands before results; the last one is the root.
        precision: how many digits numbers have.

    Attributes:
        tooltips: what to say of a node, edge or scope under the mouse (XML), by its id in the text.
        edges: the number of edges written so far.
    """

    def __init__(self, order: tuple[Value, ...], precision: int) -> None:
        self.order, self.precision = order, precision
        self.reached, self.swept = topological_order(order[-1]), order[-1]._grad is not None
        self.place = {node: f"n{i}" for i, node in enumerate(order)}
        gradients = [abs(g) for g in map(self.gradient, order) if g is not None and math.isfinite(g)]
        self.largest = max(gradients, default=0.0)
        self.uses = Counter(x for node in order for x in node.operands if type(x) is Value)
        # Expressions that made nodes from one another, as sum(xs) does: none of these can be called by it alone.
        steps = ((_made_at(node), _made_at(operand)) for node in order for operand in node.operands)
        self.manifold = {site for site, before in steps if site == before}
        self.tooltips: dict[str, str] = {}
        self.edges = 0

    def gradient(self, node: Value) -> float | None:
        """What `.grad` holds; 0 where none arrives from the root, whatever a sweep of another root left there."""
        if not self.swept:
            return None
        return node._grad if node in self.reached else 0.0

    def lines(self, direction: str, legend: bool, title: str | None) -> Iterator[str]:
        """The text between the braces of a digraph."""
        # `ordering` keeps operands in their order, as far as dot can. One edge a line: a long chain in one statement
        # exhausts dot's memory.
        yield f'graph [id="graph" rankdir={direction} ordering=in bgcolor=white nodesep=0.2 ranksep=0.35]\n'
        yield "graph [fontname=Courier fontsize=12 labelloc=t labeljust=l]\n"
        yield "node [fontname=Courier fontsize=12 shape=plain]\n"
        yield 'edge [fontname=Courier fontsize=10 color="#707070" fontcolor="#303030" arrowsize=0.7]\n'
        self.tooltips["graph"] = escaped(title or "gradient graph")
        above = [f"<B>{label(title, 100)}</B>"] if title else []
        above += [self._legend()] if legend else []
        if above:
            rows = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in above)
            yield f'graph [label=<<TABLE BORDER="0" CELLBORDER="0">{rows}</TABLE>>]\n'
        yield from self._boxes()
        for node in self.order:
            yield from self._arrows(node)
            yield from self._in_order(node)

    def _boxes(self) -> Iterator[str]:
        """The nodes in their scopes. Earlier nodes stand higher, so scopes open and close as their nodes come up."""
        ids: dict[Scope, str] = {}
        path: list[Scope] = []  # those open
        for node in self.order:
            wanted: list[Scope] = []
            scope = node.scope
            while scope is not None:
                wanted.insert(0, scope)
                scope = scope.parent
            while path != wanted[: len(path)]:
                path.pop()
                yield "}\n"
            for scope in wanted[len(path) :]:
                path.append(scope)
                known = scope in ids
                key = ids.setdefault(scope, f"s{len(ids)}")
                yield f"subgraph cluster_{key} {{\n"
                if not known:
                    self.tooltips[key] = escaped(" > ".join(scope.path))
                    yield f'graph [id={key} label=<{label(scope.name) or " "}> style="rounded,filled"]\n'
                    yield 'graph [color="#a9b6d3" fillcolor="#f7f9fd" fontcolor="#4c5a80"]\n'
            yield self._box(node)
        yield "}\n" * len(path)

    def _box(self, node: Value) -> str:
        key, gradient = self.place[node], self.gradient(node)
        absent = "cleared" if self.swept else "no backward yet"
        operation = self._operation(node, 17) if node.op else None
        facts = [
            " = ".join(str(part) for part in (node.name, operation) if part) or "leaf",
            f"value {node.data!r}",
            f"gradient {absent if gradient is None else repr(gradient)}",
        ]
        if node not in self.reached and node._grad:
            facts.append(f"(.grad is {node._grad!r}: of a backward() somewhere else)")
        if node.origin and node.origin.expression:
            facts.append(f"source {node.origin.expression}")
        self.tooltips[key] = "\n".join(map(escaped, facts))
        shown = f'<FONT POINT-SIZE="10">{absent}</FONT>' if gradient is None else self._number(gradient)
        return (
            f'{key} [id={key} label=<<TABLE {_FRAMED} CELLPADDING="4">'
            f'<TR><TD COLSPAN="2" BGCOLOR="{_COMPUTED if node.op else _LEAF}">{self._header(node)}</TD></TR>'
            f'<TR><TD BGCOLOR="{_BLANK}">{self._number(node.data)}</TD>'
            f'<TD BGCOLOR="{self._colour(gradient)}">{shown}</TD></TR></TABLE>>]\n'
        )

    def _header(self, node: Value) -> str:
        operation = self._operation(node, self.precision) if node.op else ""
        if node.name:
            return f"<B>{label(node.name)}</B>" + (f" = {label(operation)}" if operation else "")
        source = node.origin.expression if node.origin else ""
        if source and _made_at(node) in self.manifold:
            source = f"{operation} in {source}"
        return label(source or operation or "leaf")

    def _operation(self, node: Value, precision: int) -> str:
        """The operation, with the operands that are constants."""
        row, operands = node._row, node.operands
        assert row is not None
        symbol = _MATHEMATICAL.get(row.symbol, row.symbol)
        if all(type(operand) is Value for operand in operands):
            return symbol
        written = [_BOXED if type(x) is Value else f"{x:.{precision}g}" for x in operands]
        if len(operands) == 2 and row.symbol != row.name:
            return f"{written[0]} {symbol} {written[1]}"
        return f"{symbol}({', '.join(written)})"

    def _arrows(self, node: Value) -> Iterator[str]:
        carries = node in self.reached and self.gradient(node) != 0.0
        for operand, partial in zip(node.operands, node.partials, strict=True):
            if type(operand) is not Value:
                continue
            key, style, remark = f"e{self.edges}", "", ""
            self.edges += 1
            if partial is ZERO or not carries or (self.swept and partial == 0.0):
                style = ' color="#bdbdbd" fontcolor="#7a7a7a" penwidth=0.7'
            if partial is ZERO:
                partial, style, remark = 0.0, style + " style=dashed", ": a branch not taken, or a step"
            self.tooltips[key] = f"local derivative {partial!r}{remark}"
            yield f'{self.place[operand]} -> {self.place[node]} [id={key} label=" {self._number(partial)} "{style}]\n'

    def _in_order(self, node: Value) -> Iterator[str]:
        """Invisible edges between leaves that only this node uses: where there are scopes, dot forgets `ordering`."""
        leaves = [x for x in node.operands if type(x) is Value and x.op is None and not x.scope and self.uses[x] == 1]
        for upper, lower in pairwise(leaves):
            yield f"{{rank=same {self.place[upper]} -> {self.place[lower]} [style=invis]}}\n"

    def _number(self, number: float) -> str:
        return f"{number:.{self.precision}g}"

    def _colour(self, gradient: float | None) -> str:
        if gradient is None:
            return _BLANK
        if not math.isfinite(gradient):
            return _NOT_FINITE
        if gradient == 0.0:
            return _ZERO
        depth = 1.0 + (math.log10(abs(gradient)) - math.log10(self.largest)) / _DECADES
        depth = 0.15 + 0.85 * max(depth, 0.0)  # never quite white, so that a small gradient has a sign
        full = _BLUE if gradient < 0.0 else _RED
        return "#" + "".join(f"{round(pale + depth * (c - pale)):02x}" for pale, c in zip(_PALE, full, strict=True))

    def _legend(self) -> str:
        def row(*cells: tuple[str, str]) -> str:
            start = f'<TD COLSPAN="{8 // len(cells)}" BGCOLOR='
            return "".join(f'{start}"{tint}"><FONT POINT-SIZE="10">{text}</FONT></TD>' for text, tint in cells)

        rows = [
            row(("<B>name</B> = operation", _COMPUTED), ("<B>leaf</B>", _LEAF)),
            row(("value", _BLANK), ("gradient" if self.swept else "gradient: no backward yet", _BLANK)),
            row(("on an arrow: local derivative", _BLANK)),
            row((f"{_BOXED} × 2: the constant 2 times the operand", _BLANK)),
            row(("faint: no gradient flows", _BLANK)),
            row(("dashed: branch not taken, or a step", _BLANK)),
        ]
        if self.swept:
            scale = [self.largest / 10.0**i for i in range(_DECADES)] if self.largest else []
            steps = [-x for x in scale] + [0.0] + scale[::-1]
            rows.insert(2, row(*[(self._number(x), self._colour(x)) for x in steps], ("nan, inf", _NOT_FINITE)))
        return f"<TABLE {_FRAMED}><TR>{'</TR><TR>'.join(rows)}</TR></TABLE>"
