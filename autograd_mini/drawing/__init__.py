"""Drawing a graph: `draw(v)` makes a `Drawing`, which notebooks show and `save` writes to a file.

Not here: which nodes share a box (`parts`, `boxes`), what the picture says (`picture`), and which program turns it into
SVG (`render`). Read next: `drawing.gradients`.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autograd_mini.core.sweep import topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, MissingError, OperandError, counted, shown
from autograd_mini.notation.namespaces import namespaces
from autograd_mini.output import files
from autograd_mini.program.stack import Scope

if TYPE_CHECKING:  # the first drawing imports what only drawings need: `import autograd_mini` must stay fast
    from pathlib import Path

    import graphviz

    from autograd_mini.drawing.boxes import Boxes
    from autograd_mini.drawing.picture import Stories

Row = tuple[str, str, str, str]  # name, operation, value and gradient of a node
DIRECTIONS = ("LR", "RL", "TB", "BT")
KINDS = (".svg", ".dot", ".png", ".pdf", ".html")
_MOST_PICTURES = 60  # on a page
_MOST_BYTES = 6_000_000


@dataclass(eq=False, repr=False)
class Drawing:
    """A picture of a graph as it was when `draw` was called.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0, name="x")
    >>> am.draw(x * x)
    Drawing(2 nodes, 2 edges)
    """

    body: tuple[str, ...]  # in the DOT language, line by line, without the braces around it
    nodes: int  # the number of nodes shown
    boxes: int  # the number of boxes; fewer than nodes if some nodes share a box
    edges: int  # the number of arrows
    tooltips: Mapping[str, str]  # the tooltip of each box, arrow or scope, by its id in the body
    scopes: Mapping[str, str] = field(default_factory=dict)  # the paths of the scopes shown, by id
    inside: Callable[[str], Drawing] | None = None  # draws the scope of a path, as draw(v, focus=path) does
    lists: Mapping[str, Callable[[], list[Row]]] = field(default_factory=dict)  # what is in each box
    _svg: str = field(default="", init=False)

    @property
    def dot(self) -> str:
        """The picture in the DOT language."""
        return "digraph autograd_mini {\n" + "".join(self.body) + "}\n"

    @property
    def svg(self) -> str:
        """The picture as an `<svg>` element, which can be written to a file or into an HTML page."""
        if not self._svg:
            from autograd_mini.drawing.render import svg

            self._svg = svg(self.dot, self.tooltips)
        return self._svg

    @property
    def digraph(self) -> graphviz.Digraph:
        """The picture as a `graphviz` object, which you can change and render."""
        try:
            import graphviz
        except ImportError as error:
            raise MissingError("Drawing.digraph needs the package graphviz: pip install graphviz") from error
        return graphviz.Digraph("autograd_mini", body=self.body)

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file.

        Args:
            path: the file; its ending (.svg, .dot, .png, .pdf or .html) decides the format. The HTML page has a
                picture of every scope, and a list of every other group, which a click opens; it works offline.

        Returns:
            the path.

        Raises:
            ArgumentError: the ending is a different one, or the folder does not exist.
            MissingError: no dot program was found, and the file is a PNG.
            ProgramError: the dot program fails, or cannot draw the picture.

        >>> import autograd_mini as am, os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     am.draw(am.Value(3.0)).save(os.path.join(folder, "three.dot")).name
        'three.dot'
        """
        from pathlib import Path

        path = Path(path)
        kind = path.suffix.lower()
        if kind not in KINDS:
            raise ArgumentError(f"A drawing cannot be saved as {str(path)!r}.", f"End the name in {', '.join(KINDS)}.")
        if not path.parent.is_dir():
            raise ArgumentError(f"There is no folder {str(path.parent)!r}.", "Create it first, or choose another.")
        from autograd_mini.drawing.render import pdf, run

        written: dict[str, Callable[[], str | bytes]] = {
            ".svg": lambda: self.svg, ".dot": lambda: self.dot, ".png": lambda: run(self.dot, "png"),
            ".html": self._page, ".pdf": lambda: pdf(self.svg),
        }  # fmt: skip
        return files.write(path, written[kind]())

    def _page(self) -> str:
        """Return the HTML page of the picture and, as far as there is room, of the scopes in it; a list of the rest."""
        from concurrent.futures import ThreadPoolExecutor
        from itertools import accumulate, compress

        from autograd_mini.drawing.page import page
        from autograd_mini.drawing.render import prefix

        drawings: dict[str, Drawing] = {"": self}
        waiting = list(self.scopes.values())
        for path in waiting:  # the loop appends to it
            if path not in drawings and self.inside is not None:
                if len(drawings) == _MOST_PICTURES:
                    break
                drawings[path] = self.inside(path)
                waiting += drawings[path].scopes.values()
        with ThreadPoolExecutor() as threads:  # each waits for a process that lays out its picture
            sizes = [*accumulate(threads.map(lambda drawing: len(drawing.svg), drawings.values()))]
        kept = [size < _MOST_BYTES or not path for path, size in zip(drawings, sizes, strict=True)]
        drawings = dict(compress(drawings.items(), kept))
        opens: dict[str, str] = {}
        lists: dict[str, list[Row]] = {}
        for drawing in drawings.values():
            start = prefix(drawing.dot, drawing.tooltips)
            opens |= {start + key: path for key, path in drawing.scopes.items() if path in drawings}
            lists |= {start + key: rows() for key, rows in drawing.lists.items() if start + key not in opens}
        pictures = {path: drawing.svg for path, drawing in drawings.items()}
        return page(html.unescape(self.tooltips["graph"]), pictures, opens, lists)

    def __repr__(self) -> str:
        boxes = "" if self.boxes == self.nodes else f" in {counted(self.boxes, 'box', 'boxes')}"
        return f"Drawing({counted(self.nodes, 'node')}{boxes}, {counted(self.edges, 'edge')})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}


def draw(
    v: Value,
    *,
    depth: int | None = None,
    focus: Value | str | Scope | None = None,
    expand: str | Scope | Sequence[str | Scope] = (),
    after: int | None = None,
    direction: str | None = None,
    precision: int = 4,
    legend: bool = True,
    title: str | None = None,
    force: bool = False,
    over: Stories | None = None,
) -> Drawing:
    """Draw the graph behind a value: one box per value, showing data and gradient; local derivatives on the arrows.

    A call of this package's compositions, such as tanh or softmax, is one box with the derivatives of the whole call,
    and its closed form where there is one; so are more than six leaves of one list that are used alike, `w[0..15]`.
    More than 40 boxes collapse to one box per scope, such as a neuron or a layer, so that the picture fits a page; the
    passes of a loop, such as the samples of a batch, share their boxes. Without scopes, samples and neurons are found
    by their shape, and named after your variables. Graphs without such parts collapse above 150 nodes.
    Name a scope by its path, "Layer1/Neuron3", or by the end of its path, "Neuron3". Or pass a `Scope`, such as
    `node.scope`, to get a single pass of a loop.

    Args:
        v: the last node of the graph, the one you call `backward()` on. The picture shows the recorded computation and
            the last sweep, even if your program has since written leaves or cleared gradients. Under `provenance()`
            all of it is known; otherwise such leaves say "written since", and such gradients "cleared".
        depth: show scopes and calls open down to this depth, and deeper ones as boxes; 0 shows all as boxes.
        focus: draw only this scope, or only the neighbourhood of this node, with the surroundings as small boxes.
        expand: one or several scopes, calls or lists to show open even if others are closed: "softmax", "tanh 2", "w".
        after: show the gradients in the middle of `v.backward()`, after this many nodes have handed theirs on.
        direction: where the arrows point: "LR" (left to right), "RL", "TB" (top to bottom) or "BT"; by default "LR",
            or "TB" for a chain or a loop, which would be too wide for a page.
        precision: the number of digits, 1 to 17; tooltips show all digits.
        legend: explain colours and lines.
        title: a text above the picture.
        force: collapse nothing, and draw more than 1,000 boxes if need be.
        over: a training run from `record`, to show under each parameter how its number went from first to last.

    Returns:
        A `Drawing`, which notebooks show; it has `.svg`, `.dot`, `.digraph` and `.save(path)`.

    Raises:
        OperandError: v is not a `Value`; over is not a run.
        ArgumentError: depth, direction, precision or after is impossible; a scope or node is not in the graph; or the
            picture would have more than 1,000 boxes.

    >>> import autograd_mini as am
    >>> a, b = am.Value(2.0, name="a"), am.Value(-3.0, name="b")
    >>> draw(a * b + a)
    Drawing(4 nodes, 4 edges)
    >>> network = am.nn.MLP(3, [8, 8, 1], seed=0)
    >>> draw(network([1.0, 2.0, 3.0]), depth=0)
    Drawing(163 nodes in 3 boxes, 2 edges)
    """
    if not is_node(v):
        raise OperandError(
            f"draw() takes a Value, not {type(v).__name__}: {shown(v)}.",
            "Pass one node: the result, an element of a list of results, or their sum. A number has no graph.",
        )
    if direction is not None and direction not in DIRECTIONS:
        raise ArgumentError(f"There is no direction {shown(direction)}.", f"Pass one of {', '.join(DIRECTIONS)}.")
    if type(precision) is not int or not 1 <= precision <= 17:
        raise ArgumentError(f"Numbers cannot have {shown(precision)} digits.", "Pass a precision from 1 to 17.")
    if depth is not None and (type(depth) is not int or depth < 0):
        raise ArgumentError(f"Scopes cannot be {shown(depth)} deep.", "Pass a whole number, 0 or more.")
    if over is not None and not hasattr(over, "story"):
        raise OperandError(f"{shown(over)} is not a training run.", "Pass what `with am.record(model) as ...` gives.")
    expand = [expand] if isinstance(expand, (str, Scope)) else list(expand)
    for name in [*expand, *([] if focus is None or is_node(focus) else [focus])]:
        if not isinstance(name, (str, Scope)):
            raise OperandError(
                f"{shown(name)} is not a scope.", 'Pass a name or path, such as "Layer1/Neuron3", or a Scope.'
            )
    from autograd_mini.drawing.boxes import FITTING, Graph, arrange
    from autograd_mini.drawing.gradients import interrupted, recorded
    from autograd_mini.drawing.picture import Picture
    from autograd_mini.notation.names import Names
    from autograd_mini.notation.snapshot import Snapshot

    order = tuple(topological_order(v, everything=True))
    gradients = recorded(order) if after is None else interrupted(order, after)
    names, numbers = Names(order, namespaces(sys._getframe(1))), Snapshot(order)
    graph = Graph(order, names)

    def drawing(boxes: Boxes, title: str | None) -> Drawing:
        picture = Picture(boxes, gradients, precision, names, numbers, over)
        lines = tuple(picture.lines(direction, legend, title))
        nodes = sum(len(box.nodes) for box in boxes.boxes)
        found = picture.tooltips, picture.scopes, inside, picture.lists
        return Drawing(lines, nodes, len(boxes.boxes), len(picture.ways), *found)

    def inside(path: str) -> Drawing:
        return drawing(arrange(graph, focus=path, names=names), " > ".join(filter(None, (title, path))))

    return drawing(arrange(graph, depth, focus, expand, force, names, most=FITTING), title)
