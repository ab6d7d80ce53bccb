"""The `Value` for code written for micrograd: constants are nodes, `a - b` is `a + b * -1`, `tanh` is one node.

Not here: derivatives; both kinds of `Value` share the table and the sweep. Read next: `micrograd.nn`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from math import nan
from typing import Any

from autograd_mini import engine, functions
from autograd_mini.core.methods import Methods, right_operand
from autograd_mini.core.row import TABLE, ZERO, Constant, Primitive, float_of, interpreters, real_number
from autograd_mini.core.sweep import topological_order
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.program.stack import recording

_POW, _WHERE = TABLE["pow"], TABLE["where"]


class Value(engine.Value, tracked=True):
    """A number that records the operations it takes part in, as code written for micrograd expects it.

    Unlike with the plain `Value`, `==`, `in`, `index` and `remove` compare identity, every node is true, accepts any
    attribute and new data, and you can derive classes from it. To define an operation, make a node from its operands;
    its `_backward` adds to their `.grad` when its own `.grad` is complete. Pictures and debuggers call it too, and
    restore all gradients. It differs from micrograd in two things that micrograd gets wrong: a second `backward()` adds
    to leaves only, and gradients are those of the recorded computation, even if data was written since.

    Args:
        data: a real number, stored as a float.
        _children: the operands of your own operation. Assign `_backward` to the result; without it, the operands get
            no gradient.
        _op: the name of that operation.
        label: the name of the number in pictures and debuggers.

    Raises:
        OperandError: data is not a real number, or an entry of _children is not such a `Value`.

    >>> x = Value(3.0, label="x")
    >>> def cube(x):
    ...     out = Value(x.data**3, (x,), "cube")
    ...     def _backward():
    ...         x.grad += 3 * x.data**2 * out.grad
    ...     out._backward = _backward
    ...     return out
    >>> y = cube(2 * x) + x
    >>> y.backward()
    >>> x.grad, y in [x, y], y == Value(y.data)
    (217.0, True, False)
    """

    # No __slots__, because nodes take attributes and weak references.

    def __init__(self, data: float, _children: Iterable[Value] = (), _op: str = "", label: Any = "") -> None:
        number = data if type(data) is float else real_number(data, "Value()")
        children = tuple(dict.fromkeys(_children if isinstance(_children, Iterable) else (_children,)))
        for child in children:
            _check_kind(child)
            if not isinstance(child, Value):
                raise OperandError(
                    f"The operands of a Value are Values, not {type(child).__name__}: {shown(child)}.",
                    "Pass the operands in a tuple, and a name as label='...'.",
                )
        self._row, self._data, self._grad = (_own(_op or "operation") if children else None), number, None
        self._link(children, (ZERO,) * len(children))
        if children or _op:
            self._op = _op
        now = recording()
        self._notes = now.scope
        if label != "":
            self.label = label
        if now.observe is not None:
            now.observe(self)

    def __init_subclass__(cls) -> None:
        if "_backward" in vars(cls):
            raise ArgumentError(
                f"The class {cls.__name__} defines _backward, which belongs to each node.",
                "Assign it in __init__: self._backward = self.a_method.",
            )
        interpreters[cls] = _apply

    # -- identity ------------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__
    __ne__ = object.__ne__  # the base class compares numbers

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad})"

    # -- what micrograd's nodes have -----------------------------------------------------------------------------------

    @property
    def data(self) -> float:
        """The number; you can write it, and graphs recorded before keep the number they were recorded with."""
        return self._data

    @data.setter
    def data(self, data: float) -> None:
        self._data = real_number(data, "Value.data")

    @property
    def label(self) -> Any:
        """The name in pictures and debuggers, "" by default; it need not be text."""
        label = vars(self).get("label")
        return label if label is not None and str(label) == self.name else self.name or ""

    @label.setter
    def label(self, label: Any) -> None:
        self.name = str(label) or None
        if not isinstance(label, str):
            vars(self)["label"] = label

    @property
    def _prev(self) -> tuple[Any, ...]:
        return tuple([x for x in self.operands if isinstance(x, Value)])

    @property
    def _op(self) -> str:
        op: str | None = vars(self).get("_op")
        return super()._op if op is None else op

    @_op.setter
    def _op(self, op: str) -> None:
        vars(self)["_op"] = op

    @property
    def _backward(self) -> Callable[[], object]:
        function: Callable[[], object] | None = vars(self).get("_backward")
        return function or partial(_hand_on, self, self.operands, self.partials)

    @_backward.setter
    def _backward(self, function: Callable[[], object]) -> None:
        if not callable(function):
            raise OperandError(f"_backward must be a function, not {shown(function)}.", "Write out._backward = f.")
        vars(self)["_backward"] = function
        children = tuple(dict.fromkeys(self._prev))
        if children:
            share = _Shares(self, children, function)
            self._op, self._row = self._op, _own(self._op or "operation")
            self._link(children, tuple([_Share(share, place) for place in range(len(children))]))

    @property
    def partials(self) -> tuple[Any, ...]:
        """The local partial derivative by each operand; for your own operation, what `_backward` adds for 1."""
        edges = super().partials
        if edges and type(edges[0]) is _Share:
            shares = edges[0].shares
            return tuple([_Share(shares, place, slope) for place, slope in enumerate(shares(1.0))])
        return edges

    def backward(self, seed: float = 1.0) -> None:
        """Add the derivative of this value by every leaf to the leaf's `.grad`; see `autograd_mini.Value.backward`.

        An error, even in a `_backward` of your own, leaves all gradients unchanged.

        Args:
            seed: the derivative to start with, a factor of all gradients.

        >>> x = Value(3.0)
        >>> (x * x).backward()
        >>> x.grad
        6.0
        """
        before = [(node, node._grad) for node in topological_order(self)]
        try:
            super().backward(seed)
            for node, _ in reversed(before):
                if not node._prev and "_backward" in vars(node):
                    node._backward()
        except BaseException:
            for node, gradient in before:
                node._grad = gradient
            raise

    def _attributes(self) -> dict[str, Any]:
        if "_backward" in vars(self):
            raise ArgumentError(
                f"{self._op or 'A node'} with a _backward of your own cannot be copied or pickled: "
                "that function adds to the nodes it was written for, not to copies of them.",
                "Copy the leaves and compute again.",
            )
        return dict(vars(self))

    # -- arithmetic, in micrograd's terms ------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return _with_node("add", self, other)

    def __mul__(self, other: Any) -> Any:
        return _with_node("mul", self, other)

    def __pow__(self, other: Any) -> Any:
        power = Methods.__pow__(self, other)  # without the shortcuts of the plain Value
        if power is not NotImplemented and not isinstance(other, Value):
            power._op = f"**{other}"
        return power

    def __neg__(self) -> Any:
        return self * -1.0

    def __radd__(self, other: Any) -> Any:
        return self + other

    def __rmul__(self, other: Any) -> Any:
        return self * other

    def __sub__(self, other: Any) -> Any:
        operand = _operand("sub", other)
        return NotImplemented if operand is None else self + -operand

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __truediv__(self, other: Any) -> Any:
        divisor = _operand("div", other)
        if divisor is None:
            return NotImplemented
        return self * (_POW.function(divisor, -1.0) if type(divisor) is float else divisor**-1)

    def __rtruediv__(self, other: Any) -> Any:
        return self**-1 * other


def _hand_on(node: Value, operands: tuple[Any, ...], partials: tuple[Any, ...]) -> None:
    """Do what `_backward` does for an operation of the table: add to the gradients of the operands."""
    for operand, slope in zip(operands, partials, strict=True):
        if slope is not ZERO:
            operand.grad += node.grad * slope


def _operand(name: str, other: Any) -> Any:
    """Return the right-hand side of an operator; None if its own class may implement the operator."""
    operand = right_operand(TABLE[name], other)
    _check_kind(operand)
    return operand


def _with_node(name: str, self: Value, other: Any) -> Any:
    """Return a sum or product, with a constant as a node of its own."""
    operand = _operand(name, other)
    if operand is None:
        return NotImplemented
    return _apply(TABLE[name], (self, _node(Value, None, operand, (), ()) if type(operand) is float else operand))


def _node(kind: type[Value], row: Primitive | None, data: float, operands: Any, partials: Any) -> Value:
    node = object.__new__(kind)
    node._row, node._data, node._grad = row, data, None
    node._link(operands, partials)
    now = recording()
    node._notes = now.scope
    if now.observe is not None and row is not None:  # a constant has no expression of its own
        now.observe(node)
    return node


def _apply(row: Primitive, operands: tuple[Any, ...]) -> Value:
    """Record one operation on numbers and these `Value`s; anything else raises an OperandError."""
    kind, kept = Value, []
    for x in operands:
        if isinstance(x, Value):
            kind = type(x) if issubclass(type(x), kind) else kind
        elif type(x) is not float:
            _check_kind(x)
            x = real_number(x, f"{row.name}()")
        kept.append(x)
    if row is _WHERE:  # no gradient goes to the operands of the condition
        kept[0] = 1.0 if getattr(kept[0], "data", kept[0]) else 0.0
    numbers = [x._data if isinstance(x, Value) else x for x in kept]
    data = float_of(row, row.function(*numbers))
    if len(kept) == 2:  # as in `engine.apply`
        numbers = [x._data if isinstance(x, Value) else Constant(x) for x in kept]
    partials = row.partials(data, numbers)
    edges = tuple([p if isinstance(x, Value) else ZERO for p, x in zip(partials, kept, strict=True)])
    return _node(kind, row, data, tuple(kept), edges)


interpreters[Value] = _apply


def _check_kind(x: Any) -> None:
    if isinstance(x, Methods) and not isinstance(x, Value):
        what = "a Value of autograd_mini" if type(x) is engine.Value else f"a {type(x).__name__}"
        raise OperandError(
            f"{shown(x)} is {what}, which does not mix with a Value of autograd_mini.micrograd.",
            "Import Value and nn from only one of the two; grad, jacobian and the like need autograd_mini.",
        )


# -- rows outside the table --------------------------------------------------------------------------------------------


class _Row(Primitive):
    """An operation outside the table: a composed function as one node, or a user's own operation."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_own if self.function is _unknown else _composed), (self.name,)


@cache
def _composed(name: str) -> Primitive:
    """Return a composed function as one operation; `kinks` sees into it while it is evaluated."""
    function: Callable[[Any], Any] = getattr(functions, name)
    return _Row(name, function, lambda y, x: (functions.slope(function, x),), name, (), ())


@cache
def _own(op: str) -> Primitive:
    """Return an operation that the user's program evaluates and differentiates itself."""
    return _Row(op, _unknown, _without_rule, op, (), ())


def _unknown(*numbers: float) -> float:
    return nan


def _without_rule(result: Any, *operands: Any) -> Any:
    raise OperandError("An operation with a _backward of its own has no formula.", "Write it with this package.")


def _method(name: str) -> Callable[..., Any]:
    function, row = getattr(functions, name), _composed(name)

    def method(self: Value, *settings: Any, **named: Any) -> Any:
        return function(self, *settings, **named) if settings or named else _apply(row, (self,))

    method.__name__, method.__doc__ = name, f"`autograd_mini.{name}` of this number, as one node."
    return method


for _name in functions.ACTIVATIONS:
    if _name != "relu":  # relu is already one node
        setattr(Value, _name, _method(_name))


# -- the user's own operations -----------------------------------------------------------------------------------------
#
# Their local derivatives are inside a function that adds to gradients. The sweep multiplies adjoints by partials, so
# the partial of such an edge is a `_Share`: when it is multiplied by an adjoint, it calls the function.


class _Shares:
    """What the `_backward` of a node adds to its operands for an adjoint; one call serves all of them."""

    __slots__ = ("_children", "_function", "_node", "adjoint", "found")

    def __init__(self, node: Value, children: tuple[Value, ...], function: Callable[[], object]) -> None:
        self._node, self._children, self._function = node, children, function
        self.adjoint: Any = None
        self.found: list[float] = []

    def __call__(self, adjoint: float) -> list[float]:
        """Call the function with this gradient of the node, and restore all gradients."""
        node, children = self._node, self._children
        cells = [cell.cell_contents for cell in getattr(self._function, "__closure__", None) or ()]
        others = [(x, x._grad) for x in cells if isinstance(x, Value) and x is not node and x not in children]
        touched = [(x, x._grad) for x in (node, *children)]
        node._grad = adjoint
        for x in children:
            x._grad = None
        try:
            self._function()
            for x, gradient in others:
                if x._grad is not gradient:
                    raise ArgumentError(
                        f"The _backward of {node._op or 'a node'} adds to the gradient of {x.label or shown(x)}, which "
                        "is not among its operands.",
                        "Pass all operands: Value(data, (a, b), 'op').",
                    )
            self.adjoint, self.found = adjoint, [x.grad for x in children]
        finally:
            for x, gradient in (*touched, *others):
                x._grad = gradient
        return self.found


class _Share(float):
    """The partial of an edge to one operand: `adjoint * share` is the contribution.

    As a number it is the contribution for an adjoint of 1; only inspection needs that, never the sweep.
    """

    __slots__ = ("place", "shares")

    shares: _Shares
    place: int

    def __new__(cls, shares: _Shares, place: int, number: float = nan) -> _Share:
        share = super().__new__(cls, number)
        share.shares, share.place = shares, place
        return share

    def __rmul__(self, adjoint: Any) -> float:
        if not isinstance(adjoint, float):
            raise OperandError(
                "An operation with a _backward of its own has only first derivatives.", "Write it with this package."
            )
        if self.place == 0 or adjoint is not self.shares.adjoint:
            self.shares(adjoint)
        return self.shares.found[self.place]
