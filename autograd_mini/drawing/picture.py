"""The contents of a picture: a graph in, text in the DOT language and tooltips out.

Not here: which nodes share a box (`boxes`), and the SVG of the text. Read next: `drawing.layered`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from autograd_mini.core.row import ZERO
from autograd_mini.drawing import style
from autograd_mini.drawing.boxes import Box, Boxes
from autograd_mini.drawing.cells import BOXED, escaped, framed, label, shade, small
from autograd_mini.drawing.cells import legend as explained
from autograd_mini.drawing.folds import Fold, fold
from autograd_mini.drawing.gradients import Gradients
from autograd_mini.drawing.parts import Line, Part
from autograd_mini.drawing.placement import Placement
from autograd_mini.drawing.titles import by_lists, span, title, word
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import counted
from autograd_mini.notation.names import Names
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.notation.spelling import SCHOOL, spelling
from autograd_mini.notation.text import ALL_DIGITS, guarded, number

_NOTHING = f' color="{style.FAINT}" fontcolor="{style.QUIET}" penwidth=0.7'  # the styles of arrows
_THICK = f' color="{style.PASSED}" penwidth=2'
_THIN, _BROAD = f' color="{style.FAINT}" penwidth=0.6 arrowsize=0.5', " penwidth=3 arrowsize=0.7 weight=100"
_FEW = 4  # arrows between two rows that have labels
_MOST_ROWS = 1000  # of the list of a box
_MESH = 48  # arrows between two rows; more become one
_NARROW = 450.0  # points: the legend of a picture as wide has notes side by side
_FRAME_AROUND = f'BORDER="1" CELLBORDER="0" CELLSPACING="0" COLOR="{style.FRAME}" STYLE="dashed"'


class Stories(Protocol):
    """A training run, which knows what happened to a parameter."""

    def story(self, node: Value) -> tuple[str, str] | None:
        """Return it in a few characters and in a line; None for any other node."""


class Picture:
    """A graph as text in the DOT language, in which boxes, arrows and frames have ids."""

    def __init__(
        self, boxes: Boxes, gradients: Gradients, precision: int, names: Names, numbers: Snapshot,
        over: Stories | None = None,
    ) -> None:  # fmt: skip
        self.boxes, self.gradients, self.precision = boxes, gradients, precision
        self.names, self.numbers, self.over = names, numbers, over
        self.ids = {box: f"n{i}" for i, box in enumerate(boxes.boxes)}
        self.largest = gradients.strongest
        self.folds: dict[Box, Fold] = {}
        if boxes.folds:
            results = {box: sorted(box.results, key=lambda node: names.number[node]) for box in boxes.boxes}
            called = {box: box.part for box in boxes.boxes if box.folded and box.part and results[box]}
            self.folds = {box: fold(part.name, box.nodes, results[box]) for box, part in called.items()}
        self.tooltips: dict[str, str] = {}  # in XML, by id
        self.scopes: dict[str, str] = {}  # the paths of those that boxes and frames stand for, by id
        # By id, a function that gives the rows of a box of several nodes.
        self.lists = {self.ids[box]: partial(self.contents, box) for box in boxes.boxes if not self.is_single(box)}
        self.noted: set[Box] = set()  # those with a note beside their numbers
        self.clusters: dict[Part, str] = {}
        self.across = False  # True if arrows point down or up
        # In the frames of an animation, boxes keep their size.
        self._room = f' WIDTH="{round(7.2 * (precision + 7) + 50)}"' if gradients.handed_on is not None else ""
        self.ways: dict[str, list[tuple[Value, Value]]] = {}  # operands along each arrow, and their users, by id

    def lines(self, direction: str | None, legend: bool, above: str | None) -> Iterator[str]:
        """Yield the text between the braces of a digraph; without a direction, the shape decides."""
        self.drawn = {box: self._drawn(box) for box in self.boxes.boxes}
        self.place = Placement(self.boxes, self.drawn, self.folds, self.names, direction)
        self.across = self.place.across
        if self.across:  # the cells of several results stand side by side, so that arrows leave below them
            self.drawn |= {box: self._drawn(box) for box, fold in self.folds.items() if len(fold.outputs) > 1}
        boxes = [*self._boxes()]
        arrows = [self._bundle(tail, head, uses) for (tail, head), uses in self._bundles().items()]
        for box in self.boxes.boxes:
            if self.is_single(box):
                arrows += self._arrows(box)
        for upper, lower in self.place.in_order():
            arrows.append(f"{{rank=same {self.ids[upper]} -> {self.ids[lower]} [style=invis]}}\n")
        # `ordering` keeps operands in their order, as far as dot can. Each edge gets a line: a long chain in one
        # statement exhausts dot's memory. Between rows, straight lines under the boxes are clearest.
        lines = " splines=line outputorder=edgesfirst" if self.place.fans else ""
        room = f"nodesep={0.12 if self.across else 0.2} ranksep=0.35{lines}"
        yield f'graph [id="graph" rankdir={self.place.direction} ordering=in newrank=true {room}]\n'
        yield from style.DEFAULTS
        self.tooltips["graph"] = escaped(above or "gradient graph")
        head = [f"<B>{label(above, 100)}</B>"] if above else []
        head += [self._legend(boxes + arrows)] if legend else []
        if head:
            rows = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in head)
            yield f'graph [label=<<TABLE BORDER="0" CELLBORDER="0">{rows}</TABLE>>]\n'
        yield from boxes
        yield from arrows

    def _legend(self, lines: Sequence[str]) -> str:
        occurring = {"operations" if self.is_single(box) else "groups" for box in self.boxes.boxes if box.computes}
        occurring |= {"calls"} if self.folds else set()
        forms = [found.closed_form for found in self.folds.values()]
        letters = [*dict.fromkeys(form.where for form in forms if form is not None)]
        columns = 1 if self.place.width < _NARROW else 2
        return explained("".join(lines), self.gradients, self.number, self.colour, occurring, letters, columns)

    def is_single(self, box: Box) -> bool:
        """Return True if a box shows an operation, a leaf, or a call as an operation."""
        return box.alone is not None or box in self.folds

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
                    yield style.CLUSTERED
            name = self.place.row.get(box)
            if name is None:
                yield f"{self.ids[box]} [id={self.ids[box]} label=<{self.drawn[box]}>]\n"
            elif box is self.place.rows[name][0]:
                yield self._row(name)
        yield "}\n" * len(path)

    def _row(self, name: str) -> str:
        cells, row = [], self.place.rows[name]
        for box in row:
            key = self.ids[box]  # old versions of dot drop the id without a link; `render` removes it
            cells.append(f'<TD ID="{key}" HREF="#{key}" TOOLTIP="{key}" PORT="{key}">{self.drawn[box]}</TD>')
        columns = self.place.columns.get(name, len(row)) if self.across else 1
        rows = "</TR><TR>".join("".join(cells[place : place + columns]) for place in range(0, len(row), columns))
        # Arrows that end at the whole row need an edge to end at.
        start = f'<TABLE BORDER="1" COLOR="{style.CLUSTER_LINE}" CELLBORDER="0" CELLSPACING="5" CELLPADDING="0">'
        return f"{name} [id={name} label=<{start}<TR>{rows}</TR></TABLE>>]\n"

    def _drawn(self, box: Box) -> str:
        """Return a box: a header, and for each result, or for all nodes together, value and gradient."""
        fold, nodes = self.folds.get(box), box.results if self.is_single(box) else []
        if fold is not None:
            nodes = [*fold.outputs]
        header, first, last = self._headed(box)
        several, rows, told = len(nodes) > 1, [], []
        group = not self.is_single(box)
        for place, node in enumerate(nodes or [None]):
            value, (gradient, colour), facts = self._shown(box, place, node)
            called = self._called(node) if several and node is not None else ""
            told += [f"{called}: {fact}" if several else fact for fact in facts]
            start = [f'<TD ALIGN="LEFT" BGCOLOR="{style.BLANK}"><B>{label(called, 12) or " "}</B></TD>'] * several
            port = f' PORT="r{place}"' * (fold is not None)
            cells = [f'<TD{self._room} BGCOLOR="{style.BLANK}">{value}</TD>',
                     f'<TD{self._room}{port} BGCOLOR="{colour}">{gradient}</TD>']  # fmt: skip
            rows.append([*start, *cells])
        story = self.over.story(box.alone) if self.over is not None and box.alone is not None else None
        told += story[1:] if story is not None else ()
        self.tooltips[self.ids[box]] = "\n".join(map(escaped, [*first, *told, *last]))
        closed = fold.closed_form if fold is not None else None
        note = self._content(box) if group and box.computes else ""
        note = story[0] if story is not None else f"derivative {closed.text}" if closed is not None else note
        self.noted |= {box} if note else set()
        if box.around:
            lines = f'</TD></TR><TR><TD BGCOLOR="{style.BLANK}">'.join(filter(None, (header, small(note))))
            return f'<TABLE {_FRAME_AROUND}><TR><TD BGCOLOR="{style.BLANK}">{lines}</TD></TR></TABLE>'
        downwards = group or (several and self.across)  # arrows leave the cells of the gradients
        table = ["".join(row) for row in (zip(*rows, strict=True) if downwards else rows)]
        columns = len(rows) if downwards else len(rows[0])
        tint = style.LEAF if not box.computes else style.SCOPE if box.part is not None else style.COMPUTED
        return framed(header, tint, table, small(note), columns, above=several and downwards)

    def _shown(self, box: Box, place: int, node: Value | None) -> tuple[str, tuple[str, str], list[str]]:
        """Return the value and the gradient of a result, or of a whole group, and what its tooltip says of them."""
        if node is not None:
            told, cell = self._gradient([node])
            remark = small(" written since") if self.numbers.written.get(node, 0.0) is None else ""
            value = self.numbers.value(node)
            return self.number(value) + remark, cell, [f"value {value!r}", f"gradient {told}"]
        told, cell = self._gradient(box.nodes, "max|g| ")
        values = [node.data for node in box.outputs if node.op] or [*map(self.numbers.value, box.nodes)]
        low, high = (math.nan, math.nan) if any(map(math.isnan, values)) else (min(values), max(values))
        out = self.number(low) if low == high or math.isnan(low) else f"{self.number(low)} … {self.number(high)}"
        many = f"{len(box.outputs):,} outputs from {low!r} to {high!r}"
        facts = [f"output {low!r}" if len(box.outputs) == 1 else many, f"largest gradient {told}"]
        return small("out " if box.computes else "") + out, cell, facts

    def _headed(self, box: Box) -> tuple[str, list[str], list[str]]:
        """Return the header of a box, and what its tooltip says before and after the numbers."""
        node, fold = box.alone, self.folds.get(box)
        if node is not None:
            operation = self._operation(node, ALL_DIGITS) if node.op else ""
            facts = [f"written since: {node.data!r} now"] * (node in self.numbers.written)
            if node not in self.gradients.reached and node._grad:
                facts.append(f"(.grad is {node._grad!r}, from a backward() elsewhere)")
            if source := self.names.expression(node) or self.names.step_of(node):
                facts.append(f"source {source}")
            return self._header(node), [" = ".join(filter(None, (self._called(node), operation))) or "leaf"], facts
        if fold is not None and box.part is not None:
            form = fold.closed_form
            facts = [f"closed form of its derivative: {form.text}, with {form.where}"] if form is not None else []
            facts += [*_tally(box), *self._opens(self.ids[box], box.part, "expand")]
            name = self._part(box) if len(fold.outputs) == 1 else fold.name
            bold, equals, rest = name.partition(f" = {fold.name}")
            return f"<B>{label(bold)}</B>{equals}{label(rest)}", [name], facts
        name, often = self._title(box)
        content = self._content(box) or name
        beside = [content] if content != name else []
        facts = self._opens(self.ids[box], box.part) if box.part is not None else []
        return f"<B>{label(name) + often or ' '}</B>", [name + often, *beside, *_tally(box)], facts

    def _gradient(self, nodes: list[Value], what: str = "") -> tuple[str, tuple[str, str]]:
        """Return the largest gradient of some nodes: the text of its tooltip, and its cell (a text and a colour)."""
        gradient, absent = self.gradients.largest(nodes), self.gradients.absent
        so_far = " so far" if any(node in self.gradients.unfinished for node in nodes) else ""
        number = abs(gradient) if what and gradient is not None else gradient
        shown = small(absent) if number is None else small(what) + self.number(number)
        told = absent if gradient is None else repr(gradient)
        return told + so_far, (shown + small(so_far), self.colour(gradient))

    def contents(self, box: Box) -> list[tuple[str, str, str, str]]:
        """Return name, operation, value and gradient of each node in a box."""
        gradients, found = self.gradients, []
        for node in box.nodes[:_MOST_ROWS]:
            gradient = gradients.largest([node])
            spelled = spelling(node) if node.op else None
            named = [self.names.label(x) if is_node(x) else self.number(x) for x in spelled.operands] if spelled else []
            operation = spelled.text(named, SCHOOL, 4) if spelled else "leaf"
            told = gradients.absent if gradient is None else self.number(gradient)
            found.append((self.names.label(node), operation, self.number(self.numbers.value(node)), told))
        left = len(box.nodes) - len(found)
        return found + [(f"and {left:,} more", "", "", "")] * (left > 0)

    def _opens(self, key: str, part: Part, how: str = "focus") -> list[str]:
        """Note which scope opens there, and say how; nothing if a part has scopes of several names."""
        if part.scopes[0].path != part.path:
            return []
        self.scopes[key] = "/".join(part.path)
        return [f'open it: draw(…, {how}="{self.scopes[key]}")']

    def _content(self, box: Box) -> str:
        """Return how many operations, parameters and inputs a group has; leaves that every pass uses are parameters."""
        passes = len(box.part.scopes) if box.part is not None else 1
        operations = sum(node.op is not None for node in box.nodes)
        leaves = [node for node in box.nodes if node.op is None]
        shared = sum(len(self.boxes.users.get(leaf, ())) >= passes for leaf in leaves) if passes > 1 else 0
        counts = [counted(operations, "operation")] if box.part is not None and operations else []
        counts += [counted(shared, "parameter")] if shared else []
        words = ("input", "inputs") if shared else ("leaf", "leaves")
        counts += [counted(len(leaves) - shared, *words)] * (len(leaves) > shared)
        return ", ".join(counts)

    def _title(self, box: Box) -> tuple[str, str]:
        """Return the name of a group, and how often it occurs."""
        if box.part is not None:
            return self._part(box), _times(box.part)
        operations = [node for node in box.nodes if node.op]
        if not operations:
            if name := span([*map(self.names.name, box.nodes)]):
                return name, ""
            named = [node.name for node in box.nodes if node.name]
            return (f"{named[0]} … {named[-1]}" if len(named) == len(box.nodes) > 1 else self._content(box)), ""
        if len(operations) == 1:
            return self._called(operations[0]) or self._operation(operations[0], self.precision), ""
        assert box.kind is not None
        what = box.kind[1]
        said = title([operations], self.names) or (what.text if isinstance(what, Line) else word(operations))
        return said, f" × {len(operations):,}"

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
        first, *rest = [BOXED if is_node(x) else number(x, precision) for x in spelled.operands]
        return spelled.text([first, *(rest if spelled.form == "call" else map(guarded, rest))])

    def _arrows(self, box: Box) -> Iterator[str]:
        """Yield arrows with local derivatives from the operands of an operation or call, if they are shown too."""
        fold = self.folds.get(box)
        slopes: list[tuple[Value, dict[Value, Any]]] = []
        if fold is not None:
            inputs = by_lists(fold.inputs, self.names.name)  # it may use the elements of a list in any order
            slopes = [(x, {node: fold.partials[x, node] for node in fold.outputs}) for x in inputs]
        elif (node := box.alone) is not None:
            slopes = [(x, {node: p}) for x, p in zip(node.operands, node.partials, strict=True) if is_node(x)]
        for operand, partials in slopes:
            tail = self.boxes.box[operand]
            if not self.is_single(tail):
                continue
            flows = any(self.gradients.flows(node, partial) for node, partial in partials.items())
            look, remark = self._style(flows, [*partials]), ""
            if all(partial is ZERO for partial in partials.values()):
                look, remark = look + " style=dashed", ": a branch not taken, or a step"
            uses = [use for use in self.boxes.arrows[tail, box] if use[0] is operand]
            key = self._key(uses if fold is not None else uses[:1])
            numbers = {node: 0.0 if partial is ZERO else float(partial) for node, partial in partials.items()}
            told = [(f"{self._called(node)}: " if len(numbers) > 1 else "", slope) for node, slope in numbers.items()]
            kind = "derivative of the whole call" if fold is not None else "local derivative"
            self.tooltips[key] = "\n".join(escaped(f"{kind} {name}{slope!r}{remark}") for name, slope in told)
            lines = [f"{label(name, 12)}{self.number(slope)}" for name, slope in told]
            text = f" {lines[0]} " if len(lines) == 1 else "".join(f" {line} \\l" for line in lines)
            yield f'{self._end(operand)} -> {self._port(box, self.place.enter)} [id={key} label="{text}"{look}]\n'

    def _end(self, operand: Value) -> str:
        """Return where arrows from a node start."""
        box = self.boxes.box[operand]
        fold = self.folds.get(box)
        if fold is None or len(fold.outputs) == 1:
            return self._port(box, self.place.leave)
        return f"{self.ids[box]}:r{fold.outputs.index(operand)}:{self.place.leave}"

    def _port(self, box: Box, side: str) -> str:
        row = self.place.row.get(box)
        return f"{row}:{self.ids[box]}:{side}" if row else self.ids[box]

    def _bundles(self) -> dict[tuple[str, str], list[tuple[Value, Value]]]:
        """Return the arrows at groups, from port to port.

        Arrows that skip a row start and end at whole rows. All arrows do if none goes from row to row, because then
        the picture does not show a network of neurons.
        """
        place = self.place
        bundles: dict[tuple[str, str], list[tuple[Value, Value]]] = {}
        between = Counter(map(place.rows_of, self.boxes.arrows))
        for (tail, head), uses in self.boxes.arrows.items():
            if self.is_single(tail) and self.is_single(head):
                continue
            far = self.boxes.levels[head] - self.boxes.levels[tail]
            rows = place.rows_of((tail, head))
            dense = (all(rows) and between[rows] > _MESH) or not place.columns.keys().isdisjoint(rows)
            whole, ends = not place.fans or far > 1 or dense, []
            for box, row, side in zip((tail, head), rows, (place.leave, place.enter), strict=True):
                apart = not whole or (self.is_single(box) and not box.row)
                port = f"{row}:{self.ids[box]}" if row and apart else row or self.ids[box]
                if box is tail and row and far > 1 and place.fans and self.across and not dense:
                    port += ":e"  # not behind the row between them
                elif not whole and (row or not self.is_single(box)):
                    port += f":{side}"
                ends.append(port)
            bundles.setdefault((ends[0], ends[1]), []).extend(uses)
        return bundles

    def _bundle(self, tail: str, head: str, uses: list[tuple[Value, Value]]) -> str:
        """Return an arrow from port to port that says how many values go along it."""
        key = self._key(uses)
        edges = ((use, edge) for use in uses for edge in zip(use[1].operands, use[1].partials, strict=True))
        flows = any(x is operand and self.gradients.flows(node, p) for (operand, node), (x, p) in edges)
        look = self._style(flows, [node for _, node in uses])
        self.tooltips[key] = counted(len(uses), "operand")
        rows, ends = self.place.rows, [port.partition(":") for port in (tail, head)]
        crowds = [len(rows[row]) if ":" in inner else 1 for row, _, inner in ends]
        if min(crowds) > 1 and not look:
            look = _THIN
        if max(crowds) == 1 and all(row in rows for row, _, _ in ends):
            look += f'{_BROAD} label=" each to each, × {len(uses):,} \\n "'
        elif len(uses) > 1 and math.prod(crowds) <= _FEW:
            look += f' label=" × {len(uses):,} "'
        elif max(crowds) > 1:
            look += " minlen=2"  # room for a fan; labels have room
        return f"{tail} -> {head} [id={key}{look}]\n"

    def _style(self, flows: bool, nodes: list[Value]) -> str:
        """Return the style of the arrows to some nodes: a gradient flows there, or has gone that way, or neither."""
        handed_on = self.gradients.handed_on or ()
        return _NOTHING if not flows else _THICK if any(node in handed_on for node in nodes) else ""

    def _key(self, uses: list[tuple[Value, Value]]) -> str:
        key = f"e{len(self.ways)}"
        self.ways[key] = uses
        return key

    def number(self, x: float) -> str:
        """Write a number; the tooltip has all digits."""
        return number(x, self.precision)

    def colour(self, gradient: float | None) -> str:
        """Return the background of a gradient."""
        return style.BLANK if gradient is None else style.mixed(*shade(gradient, self.largest))


def _times(part: Part) -> str:
    return f" × {len(part.scopes):,}" if len(part.scopes) > 1 else ""


def _tally(box: Box) -> list[str]:
    tally = Counter(node.op for node in box.nodes if node.op).most_common(8)
    return [", ".join(f"{name} × {often:,}" for name, often in tally)] if tally else []
