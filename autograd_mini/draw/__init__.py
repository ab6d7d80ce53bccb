"""Drawing a graph: `draw(v)` makes a `Drawing`, which notebooks show and `save` writes.

Not here: what the picture says (that is `picture`), and which program turns it into SVG (that is `render`).
Read next: `picture`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, MissingError, OperandError, shown
from autograd_mini.sweep import topological_order

if TYPE_CHECKING:  # what only a drawing needs is imported by the first one: `import autograd_mini` must stay fast
    from pathlib import Path

    import graphviz

MOST_NODES = 1000
_DIRECTIONS = ("LR", "RL", "TB", "BT")
_KINDS = (".svg", ".dot", ".png")


@dataclass(eq=False, repr=False)
class Drawing:
    """A picture of a graph as it was when `draw` was called.

    Attributes:
        body: the picture in the DOT language, line by line, without the braces around it.
        nodes: the number of boxes.
        edges: the number of arrows.
        tooltips: what the SVG says of each box, arrow and scope under the mouse, by its id in the body.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0, name="x")
    >>> am.draw(x * x)
    Drawing(2 nodes, 2 edges)
    """

    body: tuple[str, ...]
    nodes: int
    edges: int
    tooltips: Mapping[str, str]
    _svg: str = field(default="", init=False)

    @property
    def dot(self) -> str:
        """The picture in the DOT language."""
        return "digraph autograd_mini {\n" + "".join(self.body) + "}\n"

    @property
    def svg(self) -> str:
        """The picture as an `<svg>` element, which can be written to a file or into an HTML page."""
        if not self._svg:
            from autograd_mini.draw.render import svg

            self._svg = svg(self.dot, self.tooltips)
        return self._svg

    @property
    def digraph(self) -> graphviz.Digraph:
        """The picture as an object of the `graphviz` package, to change and render as one pleases."""
        try:
            import graphviz
        except ImportError as error:
            raise MissingError("Drawing.digraph needs the package graphviz: pip install graphviz") from error
        return graphviz.Digraph("autograd_mini", body=self.body)

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file.

        Args:
            path: where to; its ending, .svg, .dot or .png, decides what is written.

        Returns:
            the path.

        Raises:
            ArgumentError: another ending, or a folder that does not exist.
            MissingError: no dot program can be found.
            ProgramError: the program found fails, or cannot draw that.

        >>> import autograd_mini as am, os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     am.draw(am.Value(3.0)).save(os.path.join(folder, "three.dot")).name
        'three.dot'
        """
        from pathlib import Path

        path = Path(path)
        kind = path.suffix.lower()
        if kind not in _KINDS:
            raise ArgumentError(f"A drawing cannot be saved as {str(path)!r}.", f"End the name in {', '.join(_KINDS)}.")
        if not path.parent.is_dir():
            raise ArgumentError(f"There is no folder {str(path.parent)!r}.", "Create it first, or choose another.")
        if kind == ".png":
            from autograd_mini.draw.render import run

            path.write_bytes(run(self.dot, "png"))
        else:  # as bytes, so that lines end alike everywhere
            path.write_bytes((self.svg if kind == ".svg" else self.dot).encode())
        return path

    def __repr__(self) -> str:
        nodes, edges = "node" if self.nodes == 1 else "nodes", "edge" if self.edges == 1 else "edges"
        return f"Drawing({self.nodes:,} {nodes}, {self.edges:,} {edges})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}


def draw(
    v: Value,
    *,
    direction: str = "LR",
    precision: int = 4,
    legend: bool = True,
    title: str | None = None,
    force: bool = False,
) -> Drawing:
    """Draw the graph behind a value: a box a value with number and gradient, local derivatives on the arrows.

    Args:
        v: the last node of the graph, the one to call `backward()` on. Gradients are what `.grad` holds now.
        direction: where the arrows point: "LR" (left to right), "RL", "TB" (top to bottom) or "BT".
        precision: how many digits numbers have, 1 to 17; the tooltips have all.
        legend: whether to explain colours and lines.
        title: any text to stand above the picture.
        force: draw even more than 1,000 nodes.

    Returns:
        A `Drawing`, which notebooks show; it has `.svg`, `.dot`, `.digraph` and `.save(path)`.

    Raises:
        OperandError: v is not a `Value`.
        ArgumentError: an impossible direction or precision, or a graph of more than 1,000 nodes.

    >>> import autograd_mini as am
    >>> a, b = am.Value(2.0, name="a"), am.Value(-3.0, name="b")
    >>> draw(a * b + a)
    Drawing(4 nodes, 4 edges)
    """
    if type(v) is not Value:
        raise OperandError(
            f"draw() takes a Value, not {type(v).__name__}: {shown(v)}.",
            "Pass one node: the result, an element of a list of results, or their sum. A number has no graph.",
        )
    if direction not in _DIRECTIONS:
        raise ArgumentError(f"There is no direction {shown(direction)}.", f"Pass one of {', '.join(_DIRECTIONS)}.")
    if type(precision) is not int or not 1 <= precision <= 17:
        raise ArgumentError(f"Numbers cannot have {shown(precision)} digits.", "Pass a precision from 1 to 17.")
    order = topological_order(v, everything=True)
    if len(order) > MOST_NODES and not force:
        raise ArgumentError(
            f"The graph has {len(order):,} nodes; nobody can read a picture of more than {MOST_NODES:,}.",
            "Draw a part of it, draw(node) with an inner node, or everything with draw(v, force=True).",
        )
    from autograd_mini.draw.picture import Picture

    picture = Picture(tuple(order), precision)
    lines = tuple(picture.lines(direction, legend, title))
    return Drawing(lines, len(order), picture.edges, picture.tooltips)
