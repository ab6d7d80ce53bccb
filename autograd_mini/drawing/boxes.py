"""Which nodes share a box, which keeps the picture of a large graph readable; decided before the layout.

Not here: the text in a box (`picture`). Read next: `drawing.style`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from autograd_mini.drawing.folds import call
from autograd_mini.drawing.parts import Kind, Merging, Outline, Part
from autograd_mini.drawing.structure import Structure
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.names import Names, users_of
from autograd_mini.program.stack import Scope

READABLE = 150  # boxes in a picture, unless you ask for more
FITTING = 40  # boxes in a picture that fits a page, if the graph has parts that can be boxes
MOST_BOXES = 1000
_MOST_ARROWS = 800  # in a picture that collapses on its own
_MOST_LEVELS = 2500  # that all arrows pass together
_MOST_LOOSE = 60  # boxes of operations beside the boxes of scopes
_FEW = 24  # up to so many operations of a part, or leaves used alike, get a box each
_MOST_RESULTS = 6  # of a call, that its box lists
_FEW_FOLDED = 80  # boxes of a large graph that need not collapse once its calls are folded
_FEW_LISTED = 6  # up to so many leaves of a list get a box each, if operations use them
_FEW_NAMED = 8  # up to so many leaves with names, such as inputs, stay out of other boxes
_FEWEST_USERS = 3  # parts that use several leaves alike, which then stand in a row, with their arrows together
_NEAR = 80  # boxes in the picture of a part, with leaves
_ELEMENT = re.compile(r"(\[\d+\])+$")  # at the end of the name of a leaf in a list, or in a list of lists
_HOPS = 2  # from a node in focus to the farthest nodes shown with it


@dataclass(eq=False, slots=True)
class Box:
    """A box, and the nodes it shows."""

    place: Part  # the part it stands in
    part: Part | None = None  # the part that it shows as a whole
    kind: Kind | None = None  # what its operations have in common
    around: bool = False  # True if it is outside the focus
    row: tuple[object, ...] = ()  # what boxes of leaves that are used alike have in common
    nodes: list[Value] = field(default_factory=list)  # operands before results
    outputs: dict[Value, None] = field(default_factory=dict)  # the nodes used elsewhere, and the result of the graph

    @property
    def computes(self) -> bool:
        """Whether it contains an operation."""
        return self.kind is not None or (self.part is not None and self.part.operations > 0)

    @property
    def folded(self) -> bool:
        """Whether it shows one call of a composition as if it were an operation, with its derivatives."""
        return self.part is not None and self.part.is_fold and len(self.part.scopes) == 1 and not self.around

    @property
    def results(self) -> list[Value]:
        """The nodes of a single operation or call whose values it shows, each with its gradient; else none."""
        if self.folded:
            return [*self.outputs] if len(self.outputs) <= _MOST_RESULTS else []
        return [self.nodes[0]] if self.alone is not None else []

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
    users: dict[Value, list[Value]]
    folds: bool = False  # whether calls are shown as operations

    @cached_property
    def levels(self) -> dict[Box, int]:
        """The length of the longest path to each box."""
        index = {box: i for i, box in enumerate(self.boxes)}
        levels = dict.fromkeys(self.boxes, 0)
        for tail, head in sorted(self.arrows, key=lambda ends: index[ends[0]]):
            if index[tail] < index[head]:  # there may be cycles
                levels[head] = max(levels[head], levels[tail] + 1)
        return levels


class Graph:
    """A graph, and what several pictures of it need: outlines, structure, users."""

    def __init__(self, order: Sequence[Value], names: Names | None = None) -> None:
        self.order, self.names = order, names
        self.outlines: dict[Merging, Outline] = {}

    @cached_property
    def index(self) -> dict[Value, int]:
        """The place of each node in the order."""
        return {node: place for place, node in enumerate(self.order)}

    @cached_property
    def users(self) -> dict[Value, list[Value]]:
        """The users of each node."""
        return users_of(self.order)

    @cached_property
    def leaves(self) -> list[Value]:
        """The leaves."""
        return [node for node in self.order if node._row is None]

    @cached_property
    def structure(self) -> Structure:
        """The scopes found by structure."""
        return Structure(self.order, self.names)

    @cached_property
    def has_parts(self) -> bool:
        """Whether there are scopes, the program's or found by structure, beside calls of compositions."""
        return any(node.scope is not None and call(node) is None for node in self.order) or bool(self.structure.scopes)

    @cached_property
    def is_small(self) -> bool:
        """Whether few boxes are left once calls are folded."""
        most = 20 * READABLE  # more are not counted
        return len(self.order) <= most and len({call(node) or node for node in self.order}) <= _FEW_FOLDED


@dataclass(frozen=True, eq=False)
class _Focus:
    """What to draw: everything, parts, or nodes."""

    everything: bool = False
    parts: Collection[Part] = ()
    nodes: Collection[Value] = ()


class _Choice:
    """Which parts of an outline are open: down to a depth below the focus, and where you asked for it."""

    def __init__(
        self, outline: Outline, depth: int, focus: _Focus, expand: Iterable[Part], automatic: bool = False,
        *, folds: bool, lists: Mapping[Value, str],
    ) -> None:  # fmt: skip
        self.outline, self.focus, self.folds, self.lists = outline, focus, folds, lists
        self.expanded = {part for asked in expand for part in _shown_open(asked)}
        near = [outline.part[node] for node in focus.nodes]
        kept = {*near[0].around()} if near and folds else {*near}  # only the node itself opens the call that it is in
        for place, part in enumerate(near):
            while folds and part.is_fold and part not in kept and part.parent is not None:
                part = part.parent
            near[place] = part
        holding = [*focus.parts, *near, *self.expanded]
        around = {part for inner in holding for part in inner.around()}
        base = min((part.depth for part in focus.parts), default=0)
        self.closed: dict[Part, Part | None] = {outline.whole: None}  # the part whose box contains it
        self.within = {outline.whole: focus.everything}  # True if it is in focus
        for part in outline.whole.inside():
            if part.parent is not None:
                within = self.within[part] = self.within[part.parent] or part in focus.parts
                outer = self.closed[part.parent]
                by_depth = within and part.depth <= base + depth
                by_depth = by_depth and not (automatic and _is_innermost(part)) and not (folds and part.is_fold)
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

    def boxes(self, graph: Graph) -> Boxes:
        """Put every node in its box, and find what goes from box to box."""
        boxes: dict[object, Box] = {}
        box: dict[Value, Box] = {}
        order = graph.order if self.focus.everything else self._near(graph)
        touched = {self.closed[self.outline.part[node]] for node in self.focus.nodes}
        each = {part: self.each(part) for part, closed in self.closed.items() if closed is None}
        leaves = []
        for node in order:
            part = self.outline.part[node]
            closed = self.closed[part]
            if closed is None and node._row is None:
                leaves.append(node)
                continue
            within = self.within[part] or node in self.focus.nodes or (closed is not None and closed in touched)
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
        self._place(leaves, graph.users, box)
        if not self.focus.everything:
            for found in boxes.values():
                if found.around and found.part is not None:
                    found.nodes = [node for part in found.part.inside() for node in part.loose]
        return self._seen(order, graph, box)

    def _near(self, graph: Graph) -> list[Value]:
        """Return the nodes in focus and all that an arrow connects with them, in their order."""
        near = dict.fromkeys(node for part, within in self.within.items() if within for node in part.loose)
        near |= dict.fromkeys(leaf for leaf in graph.leaves if self.within[self.outline.part[leaf]])
        near |= dict.fromkeys(self.focus.nodes)
        closed = dict.fromkeys(part for node in self.focus.nodes if (part := self.closed[self.outline.part[node]]))
        near |= dict.fromkeys(node for part in closed for inner in part.inside() for node in inner.loose)
        inside = [*near]
        near |= dict.fromkeys(x for node in inside for x in node.operands if is_node(x))
        near |= dict.fromkeys(user for node in inside for user in graph.users.get(node, ()))
        leaves = [node for node in near if node._row is None]
        near |= dict.fromkeys(user for leaf in leaves for user in graph.users.get(leaf, ()))
        return sorted(near, key=graph.index.__getitem__)

    def _place(self, leaves: list[Value], users: dict[Value, list[Value]], box: dict[Value, Box]) -> None:
        """Put leaves outside closed parts into the only box that uses them, or beside it, many used alike as one.

        Leaves of one list that are used alike are one box.
        """
        named = sum(leaf.name is not None for leaf in leaves)
        alike: dict[tuple[object, ...], list[Value]] = {}
        beside: dict[tuple[object, ...], tuple[Box, ...]] = {}
        for leaf in leaves:
            using = dict.fromkeys(box[user] for user in users.get(leaf, ()))
            near = tuple([user for user in using if not user.around] or using)
            homes = [user for user in near if user.part] if len(leaves) > _FEW else near
            stays = leaf in self.focus.nodes or (leaf.name is not None and named <= _FEW_NAMED)
            if len(homes) == 1 and homes[0].alone is None and not homes[0].folded and not stays:
                box[leaf] = homes[0]
                homes[0].nodes.append(leaf)
            else:
                shared_by = (*near, self.lists.get(leaf))
                beside[shared_by] = near
                alike.setdefault(shared_by, []).append(leaf)
        for key, together in alike.items():
            near, listed = beside[key], key[-1] is not None
            few = 3 if len(leaves) <= _FEW or all(user.alone is not None for user in near) else 1
            if listed:
                grouped = all(user.part is not None and not user.folded for user in near)
                few = 1 if grouped and key[-1] else min(few, 2) if len(leaves) > _FEW and not key[-1] else _FEW_LISTED
            around = bool(near) and all(user.around for user in near)
            in_row = 1 < len(together) <= _FEW_NAMED and len(near) >= _FEWEST_USERS and all(x.name for x in together)
            in_row = in_row and all(user.part and not user.folded and not user.around for user in near)
            few = len(together) if in_row else few
            shared = Box(self.outline.whole, around=around)
            for leaf in together:
                single = len(together) <= few or not (self.outline.merging or listed) or leaf in self.focus.nodes
                row = key if in_row else ()
                box[leaf] = Box(self.outline.part[leaf], around=around, row=row) if single else shared
                box[leaf].nodes.append(leaf)

    def _seen(self, order: Sequence[Value], graph: Graph, box: dict[Value, Box]) -> Boxes:
        """Return the boxes in focus, and the boxes around them that an arrow connects with those."""
        arrows: dict[tuple[Box, Box], list[tuple[Value, Value]]] = {}
        for node in order:
            head = box[node]
            for x in node.operands:
                if (tail := box.get(x, head)) is not head:  # no number is in a box
                    tail.outputs[x] = None
                    if not (tail.around and head.around):
                        arrows.setdefault((tail, head), []).append((x, node))
        if (root := graph.order[-1]) in box:
            box[root].outputs[root] = None
        near = {end for ends in arrows for end in ends}
        # In the order of first operations, because the leaves in a box may be from anywhere.
        first = {box[node]: None for node in order if node._row is not None or not box[node].computes}
        shown_boxes = [found for found in first if not found.around or found in near]
        return Boxes(shown_boxes, arrows, box, graph.users, self.folds)


def _is_innermost(part: Part) -> bool:
    """Return True if a part is a step, or computes something itself, as a neuron does, and not only joins others."""
    if part.is_step:
        return True
    if part.is_found:
        return not any(inner.is_found for inner in part.parts)
    return len(part.parts) <= len(part.kinds)


def _shown_open(asked: Part) -> list[Part]:
    """Return what to open if you ask for a part: all inside too, if that is little, but no calls in a user's part."""
    inside = [part for part in asked.inside() if asked.is_fold or not part.is_fold]
    boxes = sum(len(part.kinds) or len(part.loose) for part in inside)
    return inside if boxes <= _MOST_LOOSE else [asked]


def lists(leaves: Iterable[Value], names: Names) -> dict[Value, str]:
    """Return the list that each leaf with a name such as "w[3]" is in; "" for leaves without a name."""
    named = {leaf: names.name(leaf) for leaf in leaves if leaf._row is None}
    return {leaf: _ELEMENT.sub("", name) for leaf, name in named.items() if not name or _ELEMENT.search(name)}


def arrange(
    graph: Graph, depth: int | None = None, focus: Value | str | Scope | None = None,
    expand: Sequence[str | Scope] = (), force: bool = False, names: Names | None = None, closed: Scope | None = None,
    most: int = READABLE,
) -> Boxes:  # fmt: skip
    """Return the boxes of a picture in the finest form that is readable or requested; `most` if there are parts.

    With names, calls of compositions and lists of leaves are folded, and so is a scope of the user's to be closed.
    """
    order = graph.order
    folds = names is not None and not force and depth is None
    listed: Mapping[Value, str] = {}
    if names is not None:
        known = lists(graph.leaves, names)
        listed = {leaf: name for leaf, name in known.items() if not name or name not in expand} if folds else {}
        expand = [name for name in expand if name not in set(known.values())]
    few = len(order) <= READABLE or (folds and graph.is_small)
    everything = force or (depth is None and focus is None and few)
    found_scopes = len(order) > READABLE and not everything
    if everything and not force and most < READABLE and graph.has_parts:
        outline = Outline(order, Merging.NEVER)
        opened = _Choice(outline, READABLE, _Focus(everything=True), (), folds=folds, lists=listed)
        found_scopes = len(opened.boxes(graph).boxes) > most
        everything = not found_scopes
    if found_scopes:
        copies = graph.structure.copies
        expand = [copies.get(scope, scope) if isinstance(scope, Scope) else scope for scope in expand]
        focus = copies.get(focus, focus) if isinstance(focus, Scope) else focus
    pinned = [scope for scope in (focus, *expand, closed) if isinstance(scope, Scope)]
    outlines = {} if pinned else graph.outlines
    automatic = depth is None and focus is None and not everything
    mergings = [*Merging][:1] if everything else [*Merging][1:] if automatic else [*Merging][: Merging.NUMBERED]
    for merging in mergings:
        if merging not in outlines:
            outlines[merging] = Outline(order, merging, pinned, (found_scopes and graph.structure.scopes) or None)
        outline = outlines[merging]
        for part in outline.named(closed) if closed is not None else ():
            part.is_fold = True
        focused = _focused(outline, graph, focus)
        if len(focused.parts) > _NEAR and merging is not mergings[-1]:
            continue
        expanded = [part for name in expand for part in _found(outline, name)]
        deepest = max(part.depth for part in outline.whole.inside())
        for level in range(deepest, -1, -1) if depth is None else [depth]:
            choice = partial(_Choice, outline, level, focused, folds=folds, lists=listed)
            boxes, loose = choice((), automatic).size()
            found = None
            if everything or (boxes <= READABLE and (loose <= _MOST_LOOSE or not automatic)):
                found = choice(expanded, automatic).boxes(graph)
                lonely = automatic and sum(box.computes for box in found.boxes) == 1
                inner = partial(_Choice, outline, deepest, focused, folds=folds, lists=listed)
                if lonely and sum(inner(()).size()) <= _MOST_LOOSE:
                    found = inner(expanded).boxes(graph)
                if automatic:
                    # Too long to be laid out in a second, as those from a weight to each step of a loop.
                    lengths = [abs(found.levels[head] - found.levels[tail]) for tail, head in found.arrows]
                    crowded = sum(lengths) > _MOST_LEVELS or len(found.boxes) > READABLE
                    crowded = crowded or (level > 0 and len(found.arrows) > _MOST_ARROWS)
                else:  # counted with the leaves that many boxes share
                    room = _FEW if merging is Merging.NEVER and most < READABLE else READABLE
                    crowded = len(found.boxes) > (_NEAR if depth is None else room)
                if everything or not crowded:
                    return _checked(found, force)
    return _checked(found or choice(expanded, automatic).boxes(graph), force)


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


def _focused(outline: Outline, graph: Graph, focus: Value | str | Scope | None) -> _Focus:
    if focus is None:
        return _Focus(everything=True)
    if isinstance(focus, (str, Scope)):
        return _Focus(parts=_found(outline, focus))
    if focus not in outline.part:
        raise ArgumentError(f"The node {shown(focus)} is not in the graph.", "Draw the node itself: draw(node).")
    users = graph.users
    nodes = {focus: None}
    for _ in range(_HOPS):
        for node in list(nodes):
            for near in (*node.operands, *users.get(node, ())):
                if is_node(near) and len(nodes) < _MOST_LOOSE:
                    nodes[near] = None
    return _Focus(nodes=nodes)
