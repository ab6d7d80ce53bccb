"""Which nodes share a box, which keeps the picture of a large graph readable; decided before the layout.

Not here: the text in a box (`picture`). Read next: `drawing.picture`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from autograd_mini.drawing.parts import Kind, Merging, Outline, Part
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.names import users_of
from autograd_mini.program.stack import Scope

READABLE = 150  # boxes in a picture, unless you ask for more
MOST_BOXES = 1000
_MOST_ARROWS = 800  # in a picture that collapses on its own
_MOST_LOOSE = 60  # boxes of operations beside the boxes of scopes
_FEW = 24  # up to so many operations of a part, or leaves used alike, get a box each
_FEW_NAMED = 8  # up to so many leaves with names, such as inputs, stay out of other boxes
_NEAR = 80  # boxes in the picture of a part, with leaves
_HOPS = 2  # from a node in focus to the farthest nodes shown with it


@dataclass(eq=False, slots=True)
class Box:
    """A box, and the nodes it shows."""

    place: Part  # the part it stands in
    part: Part | None = None  # the part that it shows as a whole
    kind: Kind | None = None  # what its operations have in common
    around: bool = False  # True if it is outside the focus
    nodes: list[Value] = field(default_factory=list)  # operands before results
    outputs: dict[Value, None] = field(default_factory=dict)  # the nodes used elsewhere, and the result of the graph

    @property
    def computes(self) -> bool:
        """Whether it contains an operation."""
        return self.kind is not None or (self.part is not None and self.part.operations > 0)

    @property
    def alone(self) -> Value | None:
        """The node of a box that shows a single one, else None."""
        return self.nodes[0] if self.part is None and not self.around and len(self.nodes) == 1 else None


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of a picture, in the order of their first operations."""

    boxes: list[Box]
    arrows: dict[tuple[Box, Box], list[tuple[Value, Value]]]  # every operand along the arrow, and the node that uses it
    box: dict[Value, Box]  # nodes outside the picture included


@dataclass(frozen=True, eq=False)
class _Focus:
    """What to draw: everything, parts, or nodes."""

    everything: bool = False
    parts: Collection[Part] = ()
    nodes: Collection[Value] = ()


class _Choice:
    """Which parts of an outline are open: down to a depth below the focus, and where you asked for it."""

    def __init__(
        self, outline: Outline, depth: int, focus: _Focus, expand: Iterable[Part] = (), automatic: bool = False
    ) -> None:
        self.outline, self.focus = outline, focus
        self.expanded = {part for asked in expand for part in _shown_open(asked)}
        holding = [*focus.parts, *map(outline.part.__getitem__, focus.nodes), *self.expanded]
        around = {part for inner in holding for part in inner.around()}
        base = min((part.depth for part in focus.parts), default=0)
        self.closed: dict[Part, Part | None] = {outline.whole: None}  # the part whose box contains it
        self.within = {outline.whole: focus.everything}  # True if it is in focus
        for part in outline.whole.inside():
            if part.parent is not None:
                within = self.within[part] = self.within[part.parent] or part in focus.parts
                outer = self.closed[part.parent]
                by_depth = within and part.depth <= base + depth and not (automatic and _is_innermost(part))
                self.closed[part] = None if outer is None and (part in around or by_depth) else outer or part

    def each(self, part: Part) -> bool:
        """Return True if all operations directly in an open part have boxes of their own."""
        few = READABLE if part in self.expanded else _FEW
        return not self.outline.merging or (len(part.scopes) <= 1 and len(part.loose) <= few)

    def size(self) -> tuple[int, int]:
        """Count the boxes in focus, without leaves outside closed parts, and those among them that show no part."""
        parts = [part for part, within in self.within.items() if within and self.closed[part] is None]
        closed = sum(self.closed[inner] is not None for part in parts for inner in part.parts)
        loose = sum(len(part.loose) if self.each(part) else len(part.kinds) for part in parts)
        return closed + loose, loose

    def boxes(self, order: Sequence[Value]) -> Boxes:
        """Put every node in its box, and find what goes from box to box."""
        boxes: dict[object, Box] = {}
        box: dict[Value, Box] = {}
        each = {part: self.each(part) for part, closed in self.closed.items() if closed is None}
        leaves = []
        for node in order:
            part = self.outline.part[node]
            closed = self.closed[part]
            if closed is None and node._row is None:
                leaves.append(node)
                continue
            within = self.within[part] or node in self.focus.nodes
            key: object = closed
            kind = None
            if closed is None:
                kind = self.outline.kind[node]
                key = node if node in self.focus.nodes or (within and each[part]) else kind
            found = boxes.get(key)
            if found is None:
                found = boxes[key] = Box(closed.parent or closed if closed else part, closed, kind, not within)
            found.nodes.append(node)
            box[node] = found
        self._place(leaves, order, box)
        return self._seen(order, box)

    def _place(self, leaves: list[Value], order: Sequence[Value], box: dict[Value, Box]) -> None:
        """Put leaves outside closed parts into the only box that uses them, or beside it, many used alike as one."""
        users = users_of(order)
        named = sum(leaf.name is not None for leaf in leaves)
        alike: dict[tuple[Box, ...], list[Value]] = {}
        for leaf in leaves:
            using = dict.fromkeys(box[user] for user in users.get(leaf, ()))
            near = tuple([user for user in using if not user.around] or using)
            homes = [user for user in near if user.part] if len(leaves) > _FEW else near
            stays = leaf in self.focus.nodes or (leaf.name is not None and named <= _FEW_NAMED)
            if len(homes) == 1 and homes[0].alone is None and not stays:
                box[leaf] = homes[0]
                homes[0].nodes.append(leaf)
            else:
                alike.setdefault(near, []).append(leaf)
        for near, together in alike.items():
            few = 3 if len(leaves) <= _FEW or all(user.alone is not None for user in near) else 1
            around = bool(near) and all(user.around for user in near)
            shared = Box(self.outline.whole, around=around)
            for leaf in together:
                single = len(together) <= few or not self.outline.merging or leaf in self.focus.nodes
                box[leaf] = Box(self.outline.part[leaf], around=around) if single else shared
                box[leaf].nodes.append(leaf)

    def _seen(self, order: Sequence[Value], box: dict[Value, Box]) -> Boxes:
        """Return the boxes in focus, and the boxes around them that an arrow connects with those."""
        arrows: dict[tuple[Box, Box], list[tuple[Value, Value]]] = {}
        for node in order:
            head = box[node]
            for x in node.operands:
                if is_node(x) and (tail := box[x]) is not head:
                    tail.outputs[x] = None
                    if not (tail.around and head.around):
                        arrows.setdefault((tail, head), []).append((x, node))
        box[order[-1]].outputs[order[-1]] = None
        near = {end for ends in arrows for end in ends}
        # In the order of first operations, because the leaves in a box may be from anywhere.
        first = {box[node]: None for node in order if node._row is not None or not box[node].computes}
        return Boxes([found for found in first if not found.around or found in near], arrows, box)


def _is_innermost(part: Part) -> bool:
    """Return True if a part computes something itself, as a neuron does, and does not only join others, as a layer."""
    return len(part.parts) <= len(part.kinds)


def _shown_open(asked: Part) -> list[Part]:
    """Return what to open if you ask for a part: everything in it too, if that is little."""
    inside = [*asked.inside()]
    boxes = sum(len(part.kinds) or len(part.loose) for part in inside)
    return inside if boxes <= _MOST_LOOSE else [asked]


def arrange(
    order: Sequence[Value],
    depth: int | None = None,
    focus: Value | str | Scope | None = None,
    expand: Sequence[str | Scope] = (),
    force: bool = False,
    outlines: dict[Merging, Outline] | None = None,
) -> Boxes:
    """Return the boxes of a picture in the finest form that is readable or asked for; new outlines are remembered."""
    pinned = [scope for scope in (focus, *expand) if isinstance(scope, Scope)]
    outlines = {} if outlines is None or pinned else outlines
    everything = force or (depth is None and focus is None and len(order) <= READABLE)
    automatic = depth is None and focus is None and not everything
    mergings = [*Merging][:1] if everything else [*Merging][1:] if automatic else [*Merging][: Merging.NUMBERED]
    for merging in mergings:
        outline = outlines.get(merging) or outlines.setdefault(merging, Outline(order, merging, pinned))
        focused = _focused(outline, order, focus)
        expanded = [part for name in expand for part in _found(outline, name)]
        deepest = max(part.depth for part in outline.whole.inside())
        for level in range(deepest, -1, -1) if depth is None else [depth]:
            boxes, loose = _Choice(outline, level, focused, (), automatic).size()
            found = None
            if everything or (boxes <= READABLE and (loose <= _MOST_LOOSE or not automatic)):
                found = _Choice(outline, level, focused, expanded, automatic).boxes(order)
                lonely = automatic and sum(box.computes for box in found.boxes) == 1
                if lonely and sum(_Choice(outline, deepest, focused).size()) <= _MOST_LOOSE:
                    found = _Choice(outline, deepest, focused, expanded).boxes(order)
                if automatic:
                    crowded = level > 0 and len(found.arrows) > _MOST_ARROWS
                else:  # counted with the leaves that many boxes share
                    crowded = len(found.boxes) > (_NEAR if depth is None else READABLE)
                if everything or not crowded:
                    return _checked(found, force)
    return _checked(found or _Choice(outline, level, focused, expanded, automatic).boxes(order), force)


def _checked(found: Boxes, force: bool) -> Boxes:
    if len(found.boxes) > MOST_BOXES and not force:
        raise ArgumentError(
            f"The picture would have {len(found.boxes):,} boxes; at most {MOST_BOXES:,} are readable.",
            "Open less with a smaller depth or fewer scopes in expand, draw a part with focus, "
            "or draw everything with draw(v, force=True).",
        )
    return found


def _found(outline: Outline, name: str | Scope) -> list[Part]:
    """Return the parts of a name; an error if there are none, unless merging has changed the names."""
    parts = outline.named(name)
    if not parts and outline.merging < Merging.NUMBERED:
        known = list(dict.fromkeys("/".join(part.path) for part in outline.whole.inside() if part.parent is not None))
        wanted = "/".join(name.path) if isinstance(name, Scope) else name
        names = dict.fromkeys([*difflib.get_close_matches(wanted, known, 3, 0.4), *known[:3]])
        advice = f"Name one of its scopes, such as {', '.join(names)}." if known else "It has no scopes."
        raise ArgumentError(f"The graph has no scope {shown(wanted)}.", advice)
    return parts


def _focused(outline: Outline, order: Sequence[Value], focus: Value | str | Scope | None) -> _Focus:
    if focus is None:
        return _Focus(everything=True)
    if isinstance(focus, (str, Scope)):
        return _Focus(parts=_found(outline, focus))
    if focus not in outline.part:
        raise ArgumentError(f"The node {shown(focus)} is not in the graph.", "Draw the node itself: draw(node).")
    users = users_of(order)
    nodes = {focus: None}
    for _ in range(_HOPS):
        for node in list(nodes):
            for near in (*node.operands, *users.get(node, ())):
                if is_node(near) and len(nodes) < _MOST_LOOSE:
                    nodes[near] = None
    return _Focus(nodes=nodes)
