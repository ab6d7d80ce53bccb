"""The contents of a picture: a graph in, text in the DOT language and tooltips out.

Not here: which nodes share a box (`boxes`), and the SVG of the text. Read next: `drawing.render`.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from autograd_mini.core.row import ZERO
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.drawing.gradients import Gradients
from autograd_mini.drawing.parts import Line, Part
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import counted
from autograd_mini.notation.names import Names
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.notation.spelling import spelling
from autograd_mini.notation.text import ALL_DIGITS, elided, number
from autograd_mini.output.streams import UNSAFE

SCOPE = "#dbe4f5"
LEAF, COMPUTED, _BLANK = "#fff1c9", "#f0f0f0", "#ffffff"
_PALE = 247  # the same for red, green and blue
_FULL = {  # minus and plus are ColorBrewer's RdBu, which is safe for the colour-blind
    "minus": (67, 147, 195), "plus": (214, 96, 77), "zero": (212, 212, 212), "broken": (255, 125, 255),
}  # fmt: skip
_FAINT, _PASSED = ' color="#bdbdbd" fontcolor="#7a7a7a" penwidth=0.7', ' color="#303030" penwidth=2'
_THIN = ' color="#9a9a9a" penwidth=0.6 arrowsize=0.5'
_FEW = 4  # boxes in a row whose arrows have labels
_BOXED = "□"  # an operand that has its own box, beside a constant
_DECADES = 3  # below the largest gradient, that colours tell apart
_FRAMED = 'BORDER="0" CELLBORDER="1" CELLSPACING="0" COLOR="#606060"'
_FRAME_AROUND = 'BORDER="1" CELLBORDER="0" CELLSPACING="0" COLOR="#606060" STYLE="dashed"'


def escaped(text: object, limit: int = 1000) -> str:
    """Shorten and escape the user's text for XML; nothing else escapes it."""
    text = str(text)
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return html.escape(UNSAFE.sub(lambda match: "↵" if match[0] == "\n" else "�", text))


def label(text: object, limit: int = 32) -> str:
    r"""Return the user's text for a label, without its middle if it is long; \N is escaped, or dot would replace it."""
    return escaped(elided(str(text), limit), limit).replace("\\", "\\\\")


def shade(gradient: float, largest: float) -> tuple[str, float]:
    """Return a gradient's colour as a word, and its strength from 0 (three decades below the largest) to 1."""
    if not math.isfinite(gradient) or gradient == 0.0:
        return "broken" if gradient else "zero", 1.0
    depth = 1.0 + (math.log10(abs(gradient)) - math.log10(largest)) / _DECADES
    # Never quite white, so that a small gradient shows its sign.
    return "minus" if gradient < 0.0 else "plus", 0.15 + 0.85 * max(depth, 0.0)


def scale(largest: float) -> list[float]:
    """Return the gradients that a legend shows, from the most negative to the most positive."""
    sizes = [largest / 10.0**decade for decade in range(_DECADES)] if largest else []
    return [-size for size in sizes] + [0.0] + sizes[::-1]


def table(header: str, tint: str, *cells: tuple[str, str]) -> str:
    """Return a box: a header and the cells below it, each with its background."""
    below = "".join(f'<TD BGCOLOR="{background}">{text}</TD>' for text, background in cells)
    return (
        f'<TABLE {_FRAMED} CELLPADDING="4"><TR><TD COLSPAN="{len(cells)}" BGCOLOR="{tint}">{header}</TD></TR>'
        f"<TR>{below}</TR></TABLE>"
    )


def tint(box: Box) -> str:
    """Return the background of a header."""
    return LEAF if not box.computes else SCOPE if box.part is not None else COMPUTED


class Picture:
    """A graph as text in the DOT language.

    Attributes:
        tooltips: the tooltip (XML) of each box, arrow or scope, by its id in the text.
        scopes: the path of the scope that a box or a frame stands for, by its id in the text.
        ways: the operands along each arrow, with the nodes that use them, by its id in the text.
    """

    def __init__(self, boxes: Boxes, gradients: Gradients, precision: int, names: Names, numbers: Snapshot) -> None:
        self.boxes, self.gradients, self.precision = boxes, gradients, precision
        self.names, self.numbers = names, numbers
        self.ids = {box: f"n{i}" for i, box in enumerate(boxes.boxes)}
        self.largest = max((abs(g) for g in gradients.numbers.values() if math.isfinite(g)), default=0.0)
        self.collapsed = any(box.alone is None for box in boxes.boxes)
        self.tooltips: dict[str, str] = {}
        self.scopes: dict[str, str] = {}
        self.clusters: dict[Part, str] = {}
        self.levels = dict.fromkeys(boxes.boxes, 0)  # the length of the longest path to each box
        self.rows: dict[str, list[Box]] = {}  # boxes side by side in one node of dot
        self.ports: dict[Box, str] = {}  # where a box is in its row
        self.fans = False  # True if arrows go from row to row
        self.uses = Counter(tail for (tail, _), uses in boxes.arrows.items() for _ in uses)
        self.ways: dict[str, list[tuple[Value, Value]]] = {}

    def lines(self, direction: str, legend: bool, title: str | None) -> Iterator[str]:
        """Yield the text between the braces of a digraph."""
        self._stack(direction)
        # `ordering` keeps operands in their order, as far as dot can. Each edge gets a line: a long chain in one
        # statement exhausts dot's memory. Between rows, straight lines under the boxes are clearest and need room.
        style = "ranksep=1.2 splines=line outputorder=edgesfirst" if self.fans else "ranksep=0.35"
        yield f'graph [id="graph" rankdir={direction} ordering=in bgcolor=white nodesep=0.2 {style}]\n'
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
        for (tail, head), uses in self._bundles().items():
            yield self._bundle(tail, head, uses)
        for box in self.boxes.boxes:
            if box.alone is not None:
                yield from self._arrows(box, box.alone)
                yield from self._in_order(box.alone)

    def _boxes(self) -> Iterator[str]:
        """Yield the boxes in their scopes; earlier ones stand higher, so scopes open and close as boxes come up."""
        path: list[Part] = []  # the open ones
        for box in self.boxes.boxes:
            wanted = [*box.place.around()][::-1]
            while path != wanted[: len(path)]:
                path.pop()
                yield "}\n"
            for part in wanted[len(path) :]:
                path.append(part)
                known = part in self.clusters
                key = self.clusters.setdefault(part, f"s{len(self.clusters)}")
                yield f"subgraph cluster_{key} {{\n"
                if not known:
                    self.tooltips[key] = escaped(" > ".join(part.path) + _times(part))
                    self._opens(key, part)
                    yield f'graph [id={key} label=<{label(part.name) or " "}{_times(part)}> style="rounded,filled"]\n'
                    yield 'graph [color="#a9b6d3" fillcolor="#f7f9fd" fontcolor="#4c5a80"]\n'
            name = _node(self.ports.get(box, ""))
            if not name:
                drawn = self._box(box, box.alone) if box.alone is not None else self._group(box)
                yield f"{self.ids[box]} [id={self.ids[box]} label=<{drawn}>]\n"
            elif box is self.rows[name][0]:
                yield self._row(name)
        yield "}\n" * len(path)

    def _stack(self, direction: str) -> None:
        """Decide which boxes form rows; a row is one node for dot, which would permute neurons."""
        self.enter, self.leave = {"LR": ("w", "e"), "RL": ("e", "w"), "TB": ("n", "s"), "BT": ("s", "n")}[direction]
        self.across = direction in ("TB", "BT")
        self.rows = {f"c{number}": row for number, row in enumerate(self._numbered() if self.collapsed else ())}
        self.ports = {box: f"{name}:{self.ids[box]}" for name, row in self.rows.items() for box in row}
        self.fans = any(tail in self.ports and head in self.ports for tail, head in self.boxes.arrows)

    def _row(self, name: str) -> str:
        cells = []
        for box in self.rows[name]:
            key = self.ids[box]  # old versions of dot drop the id without a link; `render` removes it
            cells.append(f'<TD ID="{key}" HREF="#{key}" TOOLTIP="{key}" PORT="{key}">{self._group(box)}</TD>')
        rows = ("" if self.across else "</TR><TR>").join(cells)
        start = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="5" CELLPADDING="0">'
        return f"{name} [id={name} label=<{start}<TR>{rows}</TR></TABLE>>]\n"

    def _box(self, box: Box, node: Value) -> str:
        """Return the box of one node: its name and operation, value and gradient."""
        told, cell = self._gradient([node])
        operation = self._operation(node, ALL_DIGITS) if node.op else ""
        facts = [
            " = ".join(filter(None, (self._called(node), operation))) or "leaf",
            f"value {self.numbers.value(node)!r}",
            f"gradient {told}",
        ]
        if node in self.numbers.written:
            facts.append(f"written since: {node.data!r} now")
        if node not in self.gradients.reached and node._grad:
            facts.append(f"(.grad is {node._grad!r}, from a backward() elsewhere)")
        if source := self.names.expression(node) or self.names.step_of(node):
            facts.append(f"source {source}")
        self.tooltips[self.ids[box]] = "\n".join(map(escaped, facts))
        remark = self._small(" written since") if self.numbers.written.get(node, 0.0) is None else ""
        value = self._number(self.numbers.value(node)) + remark
        return table(self._header(node), tint(box), (value, _BLANK), cell)

    def _gradient(self, nodes: list[Value], what: str = "") -> tuple[str, tuple[str, str]]:
        """Return the largest gradient of some nodes: the text of its tooltip, and its cell (a text and a colour)."""
        gradient, absent = self.gradients.largest(nodes), self.gradients.absent
        so_far = " so far" if any(node in self.gradients.unfinished for node in nodes) else ""
        shown = self._small(absent) if gradient is None else self._small(what) + self._number(gradient)
        told = absent if gradient is None else repr(gradient)
        return told + so_far, (shown + self._small(so_far), self._colour(gradient))

    def _group(self, box: Box) -> str:
        """Return the box of several nodes: what and how many they are, their outputs and their largest gradient."""
        told, cell = self._gradient(box.nodes, "max|g| ")
        name, often = self._title(box)
        content = _content(box) or name
        values = [node.data for node in box.outputs if node.op] or [*map(self.numbers.value, box.nodes)]
        low, high = (math.nan, math.nan) if any(map(math.isnan, values)) else (min(values), max(values))
        facts = [name + often, *([content] if content != name else []), *_tally(box)]
        if len(box.outputs) == 1:
            facts.append(f"output {low!r}")
        else:
            facts.append(f"{len(box.outputs):,} outputs from {low!r} to {high!r}")
        facts.append(f"largest gradient {told}")
        if box.part is not None:
            facts += self._opens(self.ids[box], box.part)
        self.tooltips[self.ids[box]] = "\n".join(map(escaped, facts))
        header = f"<B>{label(name) + often or ' '}</B>{self._small('  ' + content if content != name else '')}"
        if box.around:
            return f'<TABLE {_FRAME_AROUND}><TR><TD BGCOLOR="{_BLANK}">{header}</TD></TR></TABLE>'
        out = self._number(low) if low == high or math.isnan(low) else f"{self._number(low)} … {self._number(high)}"
        out = self._small("out " if box.computes else "") + out
        return table(header, tint(box), (out, _BLANK), cell)

    def _opens(self, key: str, part: Part) -> list[str]:
        """Note which scope opens there, and say how; nothing if a part has scopes of several names."""
        if part.scopes[0].path != part.path:
            return []
        self.scopes[key] = "/".join(part.path)
        return [f'open it: draw(…, focus="{self.scopes[key]}")']

    def _title(self, box: Box) -> tuple[str, str]:
        """Return the name of a group, and how often it occurs."""
        if box.part is not None:
            return self._part(box), _times(box.part)
        operations = [node for node in box.nodes if node.op]
        if not operations:
            named = [node.name for node in box.nodes if node.name]
            return (f"{named[0]} … {named[-1]}" if len(named) == len(box.nodes) > 1 else _content(box)), ""
        if len(operations) == 1:
            return self._called(operations[0]) or self._operation(operations[0], self.precision), ""
        assert box.kind is not None
        what = box.kind[1]
        return what.text if isinstance(what, Line) else what.name, f" × {len(operations):,}"

    def _called(self, node: Value) -> str:
        """Return the user's name for a node; "" if only its operation is known."""
        if node.name:
            return node.name
        return self.names.label(node) if self.names.name(node) or self.names.expression(node) else ""

    def _header(self, node: Value) -> str:
        operation = self._operation(node, self.precision) if node.op else "leaf"
        if self.names.name(node):
            return f"<B>{label(self._called(node))}</B>" + (f" = {label(operation)}" if node.op else "")
        whole = self.names.step_of(node)
        return label(self._called(node) or (f"{operation} in {whole}" if whole else operation))

    def _part(self, box: Box) -> str:
        """Return the name of a part; one call of tanh, for example, is named after its result."""
        assert box.part is not None
        results = [*box.outputs]
        if len(results) == len(box.part.scopes) == 1 and self.names.operation(results[0]) == box.part.name:
            if name := self.names.name(results[0]):
                return f"{name} = {box.part.name}"
            return self._called(results[0]) or box.part.name
        return box.part.name

    def _operation(self, node: Value, precision: int) -> str:
        """Return the operation with its constant operands."""
        spelled = spelling(node)
        if all(map(is_node, spelled.operands)):
            return spelled.sign()
        return spelled.text([_BOXED if is_node(x) else number(x, precision) for x in spelled.operands])

    def _arrows(self, box: Box, node: Value) -> Iterator[str]:
        """Yield arrows with local derivatives from the operands of a node, where both have boxes of their own."""
        for operand, partial in zip(node.operands, node.partials, strict=True):
            if not is_node(operand) or self.boxes.box[operand].alone is None:
                continue
            style, remark = self._style(self.gradients.flows(node, partial), [node]), ""
            key = self._key([(operand, node)])
            if partial is ZERO:
                partial, style, remark = 0.0, style + " style=dashed", ": a branch not taken, or a step"
            self.tooltips[key] = f"local derivative {partial!r}{remark}"
            tail = self.ids[self.boxes.box[operand]]
            yield f'{tail} -> {self.ids[box]} [id={key} label=" {self._number(partial)} "{style}]\n'

    def _bundles(self) -> dict[tuple[str, str], list[tuple[Value, Value]]]:
        """Return the arrows at groups, from port to port.

        Arrows that skip a row start and end at whole rows. All arrows do if none goes from row to row, because then
        the picture does not show a network of neurons.
        """
        bundles: dict[tuple[str, str], list[tuple[Value, Value]]] = {}
        for (tail, head), uses in self.boxes.arrows.items():
            if tail.alone is not None and head.alone is not None:
                continue
            whole = not self.fans or self.levels[head] - self.levels[tail] > 1
            ends = []
            for box, side in (tail, self.leave), (head, self.enter):
                port = self.ports.get(box, self.ids[box])
                side = f":{side}" if box.alone is None and not (whole and self.across) else ""  # anywhere on wide boxes
                ends.append((_node(port) if whole else port) + side)
            bundles.setdefault((ends[0], ends[1]), []).extend(uses)
        return bundles

    def _bundle(self, tail: str, head: str, uses: list[tuple[Value, Value]]) -> str:
        """Return an arrow from port to port that says how many values go along it."""
        key = self._key(uses)
        style = self._style(any(self._carries(*use) for use in uses), [node for _, node in uses])
        self.tooltips[key] = counted(len(uses), "operand")
        crowds = [len(self.rows[_node(port)]) if port.count(":") > 1 else 0 for port in (tail, head)]
        if all(crowds) and not style:
            style = _THIN
        if len(uses) > 1 and max(crowds) <= _FEW:
            style += f' label=" × {len(uses):,} "'
        return f"{tail} -> {head} [id={key}{style}]\n"

    def _style(self, flows: bool, nodes: list[Value]) -> str:
        """Return the style of the arrows to some nodes: a gradient flows there, or has gone that way, or neither."""
        handed_on = self.gradients.handed_on or ()
        return _FAINT if not flows else _PASSED if any(node in handed_on for node in nodes) else ""

    def _carries(self, operand: Value, node: Value) -> bool:
        """Return True if a gradient flows from a node to its operand, or, before a sweep, can."""
        edges = zip(node.operands, node.partials, strict=True)
        return any(x is operand and self.gradients.flows(node, partial) for x, partial in edges)

    def _key(self, uses: list[tuple[Value, Value]]) -> str:
        key = f"e{len(self.ways)}"
        self.ways[key] = uses
        return key

    def _in_order(self, node: Value) -> Iterator[str]:
        """Yield invisible edges between leaves that only this node uses: dot forgets `ordering` where scopes are."""
        boxes = [self.boxes.box[x] for x in node.operands if is_node(x) and x.op is None and not x.scope]
        leaves = [self.ids[box] for box in boxes if box.alone is not None and self.uses[box] == 1]
        for upper, lower in pairwise(leaves):
            yield f"{{rank=same {upper} -> {lower} [style=invis]}}\n"

    def _numbered(self) -> Iterator[list[Box]]:
        """Yield the numbered scopes that stand side by side, such as the neurons of a layer, in their order."""
        index = {box: i for i, box in enumerate(self.boxes.boxes)}
        for tail, head in sorted(self.boxes.arrows, key=lambda ends: index[ends[0]]):
            if index[tail] < index[head]:  # there may be cycles
                self.levels[head] = max(self.levels[head], self.levels[tail] + 1)
        rows: dict[object, list[Box]] = {}
        for box in self.boxes.boxes:
            if box.part is not None and not box.around:
                row = box.place, re.sub(r"\d+", "…", box.part.name), self.levels[box]
                rows.setdefault(row, []).append(box)
        return (sorted(row, key=_digits) for row in rows.values() if len(row) > 1)

    def _number(self, x: float) -> str:
        return number(x, self.precision)  # the tooltip has all digits

    def _small(self, text: str) -> str:
        return f'<FONT POINT-SIZE="10">{label(text, 60)}</FONT>' if text else ""

    def _colour(self, gradient: float | None) -> str:
        if gradient is None:
            return _BLANK
        word, depth = shade(gradient, self.largest)
        return "#" + "".join(f"{round(_PALE + depth * (full - _PALE)):02x}" for full in _FULL[word])

    def _legend(self) -> str:
        def row(*cells: tuple[str, str]) -> str:
            start = f'<TD COLSPAN="{8 // len(cells)}" BGCOLOR='
            return "".join(f'{start}"{below}"><FONT POINT-SIZE="10">{text}</FONT></TD>' for text, below in cells)

        swept, so_far = bool(self.gradients.numbers), " so far" if self.gradients.unfinished else ""
        if self.collapsed:
            rows = [
                row(("<B>scope × how often</B>", SCOPE), ("<B>leaves</B>", LEAF)),
                row(("out: what leaves it", _BLANK), ("max|g|: largest gradient", _BLANK)),
            ]
        else:
            gradient = f"gradient{so_far}" if swept else f"gradient: {self.gradients.absent}"
            rows = [
                row(("<B>name</B> = operation", COMPUTED), ("<B>leaf</B>", LEAF)),
                row(("value", _BLANK), (gradient, _BLANK)),
            ]
        if swept:
            steps = [(self._number(x), self._colour(x)) for x in scale(self.largest)]
            rows.append(row(*steps, ("nan, inf", self._colour(math.nan))))
        boxes = self.boxes.boxes
        single = any(box.alone is not None and box.alone.op for box in boxes)
        notes = {
            "on an arrow × 3: three values": self.collapsed,
            "draw(…, focus=&quot;name&quot;) opens a scope": any(box.part for box in boxes),
            "on an arrow: local derivative": single,
            f"{_BOXED} × 2: the constant 2 times the operand": single,
            "thick: the gradient has gone this way": self.gradients.handed_on is not None,
            "faint: no gradient flows": True,
            "dashed box: around what is shown": any(box.around for box in boxes),
            "dashed: branch not taken, or a step": not self.collapsed,
        }
        rows += [row((note, _BLANK)) for note, applies in notes.items() if applies]
        return f"<TABLE {_FRAMED}><TR>{'</TR><TR>'.join(rows)}</TR></TABLE>"


def _times(part: Part) -> str:
    return f" × {len(part.scopes):,}" if len(part.scopes) > 1 else ""


def _content(box: Box) -> str:
    """Return how many operations and leaves a group has."""
    operations = sum(node.op is not None for node in box.nodes)
    leaves = len(box.nodes) - operations
    counts = [counted(operations, "operation")] if box.part is not None and operations else []
    counts += [counted(leaves, "parameter") if operations else counted(leaves, "leaf", "leaves")] if leaves else []
    return ", ".join(counts)


def _tally(box: Box) -> list[str]:
    """Return the operations of a group, the most frequent first."""
    tally = Counter(node.op for node in box.nodes if node.op)
    return [", ".join(f"{name} × {often:,}" for name, often in tally.most_common(8))] if tally else []


def _digits(box: Box) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", box.part.name if box.part else "")]


def _node(port: str) -> str:
    return port.partition(":")[0]
