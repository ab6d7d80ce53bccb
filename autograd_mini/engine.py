"""`Value`: a number that records, and goes back.

A `Value` is a number that remembers how it was computed. Every operation makes a node that holds its operands and,
from the same moment, the local partial derivative for each; the sweep multiplies them from the result back to the
leaves. Not here: any derivative (that is `primitives`), and the sweep (`sweep`). Read next: `functions`.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn, final

from autograd_mini.errors import ArgumentError, OperandError
from autograd_mini.methods import Methods, right_operand
from autograd_mini.observers import at_backward, is_checked, last_root
from autograd_mini.primitives import TABLE, ZERO, Constant, Primitive, as_number, float_of, interpreters, operand_error
from autograd_mini.scopes import Scope, recording
from autograd_mini.source import Site
from autograd_mini.sweep import propagate, sweep, topological_order

_ADD, _SUB, _MUL, _DIV = TABLE["add"], TABLE["sub"], TABLE["mul"], TABLE["div"]
_DOT, _WHERE = TABLE["dot"], TABLE["where"]
_new = object.__new__


def _converted(operate: Callable[[Value, Any], Value], row: Primitive, self: Value, other: object) -> Value:
    """An inlined operator once more, with the other operand as a float."""
    operand = right_operand(row, other)
    return operate(self, operand) if type(operand) is float else NotImplemented


class Notes(NamedTuple):
    """What only some nodes have; `swept`: the seed of the last `backward()`, and (data, grad) of each leaf after it."""

    scope: Scope | None
    name: str | None = None
    origin: Site | None = None
    swept: tuple[float, dict[Any, tuple[float, float]]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Notes, (self.scope, self.name)  # without the origin: code objects cannot be pickled


@final
class Value(Methods):
    """A real number that records the operations it takes part in.

    Args:
        data: a real number (int, bool, float, Fraction or NumPy scalar), stored as a float.
        name: what pictures and debuggers call it.

    Raises:
        OperandError: data is anything else, such as text, None, a complex number, an array or a `Value`.
        OverflowError: data is an integer beyond the range of floats.

    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> c = a * b + a
    >>> c.data
    -4.0
    >>> c.backward()
    >>> a.grad, b.grad
    (-2.0, 2.0)
    """

    # `_left` and `_right` are the operands (a Value, a float, or None), `_dleft` and `_dright` the local partials, ZERO
    # where there is no edge: a constant, or a branch not taken. An operation of three or more operands keeps two
    # tuples in `_left` and `_dleft`; `where`, for every relu is one, keeps its only edge in `_left` and `_dleft`, and
    # its operands in `_right`. One tracked object a node, with no cycle and no closure, is what makes recording fast
    # (measured: a tuple of operands in every node doubles the time). Each slot costs time and memory too, so what few
    # nodes have shares one: `_notes` is the scope (or None), or `Notes`. `_grad` is None until a sweep arrives.
    __slots__ = ("_data", "_dleft", "_dright", "_grad", "_left", "_notes", "_right", "_row")

    _data: float
    _grad: float | None
    _row: Primitive | None
    _left: Any
    _right: Any
    _dleft: Any
    _dright: Any
    _notes: Scope | Notes | None

    def __init__(self, data: float, name: str | None = None) -> None:
        self._data = data if type(data) is float else _real(data, "Value()")
        self._row = self._left = self._right = self._grad = None
        self._dleft = self._dright = ZERO
        now = recording()
        self._notes = now.scope
        if name is not None:
            self.name = name
        if now.observe is not None:
            now.observe(self)

    def __init_subclass__(cls) -> NoReturn:
        raise OperandError(
            "Value cannot be a base class.", "Write functions of Values, or hold a Value as an attribute."
        )

    # -- what a node knows ---------------------------------------------------------------------------------------------

    @property
    def data(self) -> float:
        """The number. It can be written on leaves; graphs recorded before keep the number they were recorded with."""
        return self._data

    @data.setter
    def data(self, data: float) -> None:
        if self._row is not None:
            raise ArgumentError(
                f"The data of a computed node ({self._row.name}) cannot be written.",
                "Write to a leaf and compute again, or make a new leaf with Value(number).",
            )
        self._data = data if type(data) is float else _real(data, "Value.data")

    @property
    def grad(self) -> float:
        """The gradient: on leaves the sum over all sweeps, on computed nodes that of the last; 0.0 before any."""
        return 0.0 if self._grad is None else self._grad

    @grad.setter
    def grad(self, grad: float | None) -> None:
        self._grad = None if grad is None else grad if type(grad) is float else _real(grad, "Value.grad")

    @property
    def op(self) -> str | None:
        """The name of the primitive that computed it; None for a leaf."""
        return None if self._row is None else self._row.name

    @property
    def operands(self) -> tuple[Any, ...]:
        """What it was computed from: `Value`s, and floats for constants; () for a leaf."""
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

    @property
    def scope(self) -> Scope | None:
        """The named part of the program that made it, or None."""
        return self._notes.scope if isinstance(self._notes, Notes) else self._notes

    @property
    def name(self) -> str | None:
        """What pictures and debuggers call it; None where nobody gave it a name."""
        return self._notes.name if type(self._notes) is Notes else None

    @name.setter
    def name(self, name: str | None) -> None:
        self._note(name=name)

    @property
    def origin(self) -> Site | None:
        """The source expression that made it; None unless `provenance` was on."""
        return self._notes.origin if type(self._notes) is Notes else None

    @origin.setter
    def origin(self, origin: Site | None) -> None:
        self._note(origin=origin)

    def _note(self, **changes: Any) -> None:
        notes = self._notes if type(self._notes) is Notes else Notes(self.scope)
        self._notes = notes._replace(**changes)

    # -- backpropagation -----------------------------------------------------------------------------------------------

    def backward(self, seed: float = 1.0) -> None:
        """Add the derivative of this value by every leaf to the leaf's `.grad`.

        Computed nodes on the way get the gradient of this sweep in theirs. The gradient is that of the recorded
        computation, even where the data of a leaf was written since.

        Args:
            seed: the derivative to start with, a factor on all gradients.

        Raises:
            OperandError: the seed is not a real number.
            NonFiniteError: under `checked()`, a contribution is nan or infinite; no gradient has changed then.

        >>> x = Value(3.0)
        >>> (x * x).backward()
        >>> x.grad
        6.0
        """
        if type(self) is not Value:
            raise operand_error("Value.backward()", self)
        seed = _real(seed, "backward(seed)")
        if (debugger := at_backward.get()) is not None:
            debugger(self, seed)
        if is_checked.get():  # once without writing, so that an error leaves all gradients as they were
            propagate(self, seed, topological_order(self))
        for node, adjoint in sweep(self, seed, topological_order(self)):
            if node._row is None and node._grad is not None:
                node._grad += adjoint
            else:
                node._grad = adjoint
        if self.origin is not None:  # somebody studies this graph, with `explain` or a picture
            last_root.set(self)
            if self._row is not None:
                leaves = [node for node in topological_order(self, everything=True) if node._row is None]
                held = {leaf: (leaf._data, leaf.grad) for leaf in leaves}
                self._note(swept=(seed, held))  # the program may write both later

    def debug(self) -> None:
        """Step through `backward()` in the terminal, without changing a gradient; see `autograd_mini.debug.shell`."""
        # By name, for the debugger is made of values, not values of it: nothing here may import it.
        importlib.import_module("autograd_mini.debug").shell(self)

    # -- arithmetic ----------------------------------------------------------------------------------------------------
    # The four common operators are inlined: a generic call to the table takes three times as long. In sums and products
    # of two Values, of which networks consist, `record` is inlined too: 4 to 8 % of a training step. A test holds all
    # of them to the table's rules.

    def __add__(self, other: Value | float) -> Value:
        if type(other) is Value:
            node = _new(Value)  # `record`, inlined
            node._row = _ADD
            node._data = self._data + other._data
            node._left = self
            node._right = other
            node._dleft = 1.0
            node._dright = 1.0
            node._grad = None
            now = recording()
            node._notes = now.scope
            if now.observe is not None:
                now.observe(node)
            return node
        if type(other) is float:
            return record(_ADD, self._data + other, self, other, 1.0, ZERO)
        return _converted(Value.__add__, _ADD, self, other)

    def __radd__(self, other: float) -> Value:
        if type(other) is float:
            return record(_ADD, other + self._data, other, self, ZERO, 1.0)
        return _converted(Value.__radd__, _ADD, self, other)

    def __sub__(self, other: Value | float) -> Value:
        if type(other) is Value:
            return record(_SUB, self._data - other._data, self, other, 1.0, -1.0)
        if type(other) is float:
            return record(_SUB, self._data - other, self, other, 1.0, ZERO)
        return _converted(Value.__sub__, _SUB, self, other)

    def __rsub__(self, other: float) -> Value:
        if type(other) is float:
            return record(_SUB, other - self._data, other, self, ZERO, -1.0)
        return _converted(Value.__rsub__, _SUB, self, other)

    def __mul__(self, other: Value | float) -> Value:
        x = self._data
        if type(other) is Value:
            y = other._data
            node = _new(Value)  # `record`, inlined
            node._row = _MUL
            node._data = x * y
            node._left = self
            node._right = other
            node._dleft = y
            node._dright = x
            node._grad = None
            now = recording()
            node._notes = now.scope
            if now.observe is not None:
                now.observe(node)
            return node
        if type(other) is float:
            return record(_MUL, x * other, self, other, other, ZERO)
        return _converted(Value.__mul__, _MUL, self, other)

    def __rmul__(self, other: float) -> Value:
        if type(other) is float:
            return record(_MUL, other * self._data, other, self, ZERO, other)
        return _converted(Value.__rmul__, _MUL, self, other)

    def __truediv__(self, other: Value | float) -> Value:
        x = self._data
        if type(other) is Value:
            y = other._data
            if y != 0.0:
                z = x / y
                return record(_DIV, z, self, other, 1.0 / y, -(z / y))
        elif type(other) is float and other != 0.0:
            return record(_DIV, x / other, self, other, 1.0 / other, ZERO)
        quotient: Value = Methods.__truediv__(self, other)  # also a zero divisor
        return quotient

    def __neg__(self) -> Value:
        return record(TABLE["neg"], -self._data, self, None, -1.0, ZERO)

    def __pos__(self) -> Value:
        return self

    # -- a number among numbers ----------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return self._data != 0.0

    def __repr__(self) -> str:
        grad = "" if self._grad is None else f", grad={self._grad!r}"
        name = "" if self.name is None else f", name={self.name!r}"
        return f"Value(data={self._data!r}{grad}{name})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else str(self)

    # -- copying and pickling: flat, for a graph may be a million nodes deep -------------------------------------------

    def __copy__(self) -> Value:
        return _restore([_state(self, lambda operand: operand)])[0]

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        fresh = [node for node in topological_order(self, everything=True) if id(node) not in memo]
        place = {node: index for index, node in enumerate(fresh)}
        copies = _restore([_state(node, lambda v: place.get(v, memo.get(id(v)))) for node in fresh])
        memo.update(zip(map(id, fresh), copies, strict=True))
        clone: Value = memo[id(self)]
        return clone

    def __reduce__(self) -> tuple[Any, ...]:
        # Leaves are pickled as objects, so that what shares them (the parameters of a model) goes on sharing them.
        computed = [node for node in topological_order(self, everything=True) if node._row is not None or node is self]
        place = {node: index for index, node in enumerate(computed)}
        return _last, ([_state(node, lambda v: place.get(v, v)) for node in computed],)

    # -- what code written for micrograd looks at ----------------------------------------------------------------------

    @property
    def _prev(self) -> tuple[Value, ...]:
        return tuple(dict.fromkeys([operand for operand in self.operands if type(operand) is Value]))

    @property
    def _op(self) -> str:
        return "" if self._row is None else self._row.symbol


def record(row: Primitive, data: float, left: Any, right: Any, dleft: Any, dright: Any) -> Value:
    """Make the node of one operation: its result, its operands, its local partials."""
    node: Value = _new(Value)
    node._row = row
    node._data = data
    node._left = left
    node._right = right
    node._dleft = dleft
    node._dright = dright
    node._grad = None
    now = recording()
    node._notes = now.scope
    if now.observe is not None:
        now.observe(node)
    return node


def retire(leaf: Value) -> None:
    """Turn a leaf that was a variable into a constant: a node with no edge to it, `pos` of a number."""
    if leaf._row is None:
        leaf._row, leaf._left = TABLE["pos"], leaf._data


def apply(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Record one operation on numbers and `Value`s.

    Raises:
        OperandError: an operand is neither.
        ArgumentError: the rule of the row gives another number of partials than there are operands.
    """
    if len(operands) == 1:
        (x,) = operands
        data = float_of(row, row.function(x._data))
        (partial,) = row.partials(data, (x._data,))
        return record(row, data, x, None, partial, ZERO)
    if set(map(type, operands)) == {Value} and row is not _WHERE:
        if row is _DOT and len(operands) > 2:
            return _record_dot(operands)
        numbers = tuple(map(_DATA, operands))
        data = float_of(row, row.function(*numbers))
        partials = row.partials(data, numbers)
    else:
        for x in operands:
            if type(x) is not Value and type(x) in interpreters:  # a dual number of Values, not a Value of dual numbers
                return interpreters[type(x)](row, operands)
        if row is _WHERE:
            return record_where(*operands)
        operands = tuple([x if type(x) is Value or type(x) is float else _real(x, f"{row.name}()") for x in operands])
        numbers = tuple([x._data if type(x) is Value else x for x in operands])
        data = float_of(row, row.function(*numbers))
        if len(numbers) == 2:  # a rule of two may be dear, and 0 * log(0) of x**2 raises an alarm in NumPy
            numbers = tuple([Constant(x) if type(x) is float else x._data for x in operands])
        partials = row.partials(data, numbers)
        partials = tuple([p if type(x) is Value else ZERO for p, x in zip(partials, operands, strict=True)])
    if len(operands) == 2:
        return record(row, data, *operands, *partials)
    return record(row, data, operands, None, partials, ZERO)


def record_where(condition: Any, a: Any, b: Any) -> Value:
    """The row "where", inlined like the common operators: every relu is one."""
    if type(condition) is not bool and type(condition) is not Value:
        condition = _real(condition, "where()")
    condition = 1.0 if condition else 0.0  # what the condition was computed from has no part in the gradient
    if type(a) is not Value and type(a) is not float:
        a = _real(a, "where()")
    if type(b) is not Value and type(b) is not float:
        b = _real(b, "where()")
    taken = a if condition else b
    if type(taken) is Value:
        return record(_WHERE, taken._data, taken, (condition, a, b), 1.0, ZERO)
    return record(_WHERE, taken, taken, (condition, a, b), ZERO, ZERO)


def _record_dot(operands: tuple[Value, ...]) -> Value:
    """The row "dot" of `Value`s alone, inlined: every neuron is one."""
    numbers = [x._data for x in operands]
    half = len(numbers) // 2
    xs, ys = numbers[:half], numbers[half:]
    products = map(operator.mul, xs, ys)
    total = next(products)
    for product in products:
        total += product
    return record(_DOT, total, operands, None, (*ys, *xs), ZERO)


def name_scope(name: str, node: Value) -> Value:
    """Put a single node into a scope of its own: what `composite` does, for compositions of one operation."""
    notes = node._notes
    if isinstance(notes, Notes):
        node._notes = notes._replace(scope=Scope(name, notes.scope))
    else:
        node._notes = Scope(name, notes)
    return node


_DATA = operator.attrgetter("_data")
interpreters[Value] = apply


def _real(number: Any, where: str) -> float:
    """A real number as a float, or the error that says why it is none."""
    real = as_number(number)
    if real is None:
        raise operand_error(where, number)
    return real


def layout(row: Primitive | None, operands: tuple[Any, ...], partials: tuple[Any, ...]) -> tuple[Any, Any, Any, Any]:
    """The operands and their partials as a node keeps them: (`_left`, `_right`, `_dleft`, `_dright`)."""
    if row is _WHERE:
        taken = 1 if operands[0] else 2
        return operands[taken], operands, partials[taken], ZERO
    if len(operands) > 2:
        return operands, None, partials, ZERO
    left, right, *_ = *operands, None, None
    dleft, dright, *_ = *partials, ZERO, ZERO
    return left, right, dleft, dright


def _state(node: Value, refer: Callable[[Value], Any]) -> tuple[Any, ...]:
    """Everything a node holds, with references for its operands."""
    operands = tuple([refer(x) if type(x) is Value else x for x in node.operands])
    notes = node._notes._replace(swept=None) if type(node._notes) is Notes else node._notes  # whose leaves are others
    return node._row, node._data, node._grad, notes, operands, node.partials


def _restore(states: Iterable[tuple[Any, ...]]) -> list[Value]:
    """The nodes of these states; an int among the operands refers to a node restored before."""
    nodes: list[Value] = []
    for row, data, grad, notes, references, partials in states:
        operands = tuple([nodes[x] if type(x) is int else x for x in references])
        node: Value = _new(Value)
        node._row, node._data, node._grad, node._notes = row, data, grad, notes
        node._left, node._right, node._dleft, node._dright = layout(row, operands, partials)
        nodes.append(node)
    return nodes


def _last(states: Iterable[tuple[Any, ...]]) -> Value:
    return _restore(states)[-1]
