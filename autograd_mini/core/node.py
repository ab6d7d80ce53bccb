"""A node of a graph: the row that made it, its operands, one local partial derivative for each, and notes.

Not here: what makes nodes (`engine` records numbers, `traced` anything else), and walks through a graph (`sweep`).
Read next: `core.cell`.
"""

from __future__ import annotations

from gc import is_tracked
from typing import Any, ClassVar, NamedTuple

from autograd_mini.core.accelerator import native
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import TABLE, ZERO, Primitive
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope

_WHERE, _STOP, _POS = TABLE["where"], TABLE["stop_gradient"], TABLE["pos"]


CUT_OFF = "was made inside no_grad() or by detach(): nothing is recorded behind it"
FOR_MICROGRAD = "For code written for micrograd, import Value from autograd_mini.micrograd"


class Notes(NamedTuple):
    """What only some nodes need."""

    scope: Scope | None
    name: str | None = None
    origin: Site | None = None
    mark: Any = None  # on a node that `backward()` was called on
    decisions: tuple[Any, ...] = ()  # comparisons of this node, under `provenance`

    def __reduce__(self) -> tuple[Any, ...]:
        return Notes, (self.scope, self.name)  # code objects and comparisons cannot be pickled


class Node(Methods):
    """The base class of `Value`s and traced numbers. Walks through a graph use its `operands` and `partials`.

    A `Value` keeps both in pairs, which only this module, `cell` and `sweep` know: `_left` and `_right` are the
    operands (a node, a float, or None), `_dleft` and `_dright` the local partials, `ZERO` where there is no edge: a
    constant, or a branch not taken. An operation of three or more operands keeps two tuples in `_left` and `_dleft`;
    `where` keeps its only edge in `_left` and `_dleft`, and its operands in `_right`, because every relu is one.
    """

    # Empty, as in all base classes of `Value`: slots in a base class cost the garbage collector 6 %.
    __slots__ = ()
    keeps_pairs: ClassVar[bool] = True  # if not, only `operands` and `partials` exist, and partials may be slow

    _row: Primitive | None
    _left: Any
    _right: Any
    _dleft: Any
    _dright: Any
    # Each slot costs time and memory, so rare facts share one: it holds the scope (or None), or `Notes`.
    _notes: Scope | Notes | None

    @property
    def op(self) -> str | None:
        """The name of the primitive that computed it; None for a leaf."""
        return None if self._row is None else self._row.name

    @property
    def operands(self) -> tuple[Any, ...]:
        """What it was computed from: nodes, and floats for constants; () for a leaf."""
        if isinstance(self._left, tuple):
            return self._left
        if type(self._right) is tuple:
            return self._right
        if self._right is not None:
            return self._left, self._right
        return () if self._row is None else (self._left,)

    @property
    def partials(self) -> tuple[Any, ...]:
        """The local partial derivative for each operand; `ZERO` for constants and branches not taken."""
        if isinstance(self._dleft, tuple):
            return self._dleft
        if type(self._right) is tuple:
            return (ZERO, self._dleft, ZERO) if self._right[0] else (ZERO, ZERO, self._dleft)
        if self._right is not None:
            return self._dleft, self._dright
        return () if self._row is None else (self._dleft,)

    def _link(self, operands: tuple[Any, ...], partials: tuple[Any, ...]) -> None:
        """Set operands and partials; the row is set already."""
        self._right, self._dright = None, ZERO
        if self._row is _WHERE:
            taken = 1 if operands[0] else 2
            self._left, self._right, self._dleft = operands[taken], operands, partials[taken]
        elif len(operands) > 2:
            self._left, self._dleft = operands, partials
        else:
            self._left, self._right, *_ = *operands, None, None
            self._dleft, self._dright, *_ = *partials, ZERO, ZERO

    def _cut(self) -> None:
        """Turn a computed node into a constant that does not hold its operands."""
        if self._row is not None:
            self._row = _STOP
            self._link((self.data,), (ZERO,))

    def _retire(self) -> None:
        """Turn a variable into a constant: `pos` of its number, or of the node that it was made from."""
        if self._row is None:
            self._left = self._data
        self._row = _POS

    # -- notes ---------------------------------------------------------------------------------------------------------

    @property
    def scope(self) -> Scope | None:
        """The named part of the program that made it, or None."""
        return self._notes.scope if isinstance(self._notes, Notes) else self._notes

    @property
    def name(self) -> str | None:
        """Its name in pictures and debuggers; None if it has no name."""
        return self._notes.name if type(self._notes) is Notes else None

    @name.setter
    def name(self, name: str | None) -> None:
        self._note(name=name)

    @property
    def label(self) -> str | None:
        """An alias of `name`."""
        return self.name

    @label.setter
    def label(self, label: str | None) -> None:
        self.name = label

    @property
    def origin(self) -> Site | None:
        """The source expression that made it; None unless `provenance` was on."""
        return self._notes.origin if type(self._notes) is Notes else None

    @origin.setter
    def origin(self, origin: Site | None) -> None:
        self._note(origin=origin)

    @property
    def decisions(self) -> tuple[Any, ...]:
        """The comparisons that the program made with this node, while `provenance` was on."""
        return self._notes.decisions if type(self._notes) is Notes else ()

    @decisions.setter
    def decisions(self, decisions: tuple[Any, ...]) -> None:
        self._note(decisions=decisions)

    # -- what code written for micrograd reads -------------------------------------------------------------------------

    @property
    def _prev(self) -> tuple[Any, ...]:
        return tuple(dict.fromkeys([operand for operand in self.operands if isinstance(operand, Node)]))

    @property
    def _op(self) -> str:
        return "" if self._row is None else "ReLU" if is_relu(self) else self._row.symbol

    def _note(self, **notes: Any) -> None:
        before = self._notes
        self._notes = before._replace(**notes) if isinstance(before, Notes) else Notes(before, **notes)
        if native is not None and not notes.keys() <= {"name", "origin"}:  # these refer to no node
            track(self)


def track(node: Any) -> None:
    """Let the garbage collector track a node and all nodes behind it; nodes made in C begin untracked.

    A node refers only to older nodes; notes alone may lead to later ones, and so into a cycle. The collector finds a
    cycle only if it tracks every part.
    """
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if not is_tracked(node):
            for part in (node, *[held for held in (node._left, node._right) if type(held) is tuple]):
                native.track(part)
            waiting += [operand for operand in node.operands if type(operand) is type(node)]


def is_relu(node: Node) -> bool:
    """Whether a node is a relu, which is recorded as where(…, 0, x) in a scope of that name."""
    if node._row is not _WHERE or node.scope is None or node.scope.name != "relu":
        return False
    _, zero, x = node.operands
    return bool(zero == 0.0) and isinstance(x, Node)


def is_cut_off(node: Node) -> bool:
    """Whether a node is a constant that does not hold its operands."""
    return node._row is _STOP and type(node.operands[0]) is float


class Missing:
    """An attribute that code written for micrograd reads or sets, and that a `Value` has no slot for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, node: object, owner: type) -> Any:
        if self.name in getattr(node, "__dict__", ()):  # in the class for micrograd's code
            return vars(node)[self.name]
        raise AttributeError(f"A Value has no attribute {self.name!r}. {FOR_MICROGRAD}: it takes any attribute.")

    def __set__(self, node: object, value: object) -> None:
        if not hasattr(node, "__dict__"):
            self.__get__(node, type(node))
        vars(node)[self.name] = value

    def __delete__(self, node: object) -> None:
        self.__get__(node, type(node))
        del vars(node)[self.name]
