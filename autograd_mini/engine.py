"""`Value`: a number that records how it was computed, so that it can be differentiated.

Every operation makes a node that holds its operands and the local partial derivative for each; the sweep multiplies
them on the way back. Not here: derivatives (`table`), and the sweep (`sweep`). Read next: `functions`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeGuard

from autograd_mini.core import accelerator
from autograd_mini.core.arrays import is_array
from autograd_mini.core.copies import Copied
from autograd_mini.core.methods import Methods, right_operand
from autograd_mini.core.node import CUT_OFF, FOR_MICROGRAD, Missing, Notes, is_cut_off
from autograd_mini.core.row import (
    TABLE,
    ZERO,
    Constant,
    Primitive,
    as_number,
    float_of,
    interpreters,
    on_arrays,
    operand_error,
)
from autograd_mini.core.sweep import propagate, sweep, topological_order
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.program.marks import new_mark
from autograd_mini.program.stack import Scope, recording

implementation = "python" if accelerator.native is None else "native"

_ADD, _SUB, _MUL, _DIV, _POW = TABLE["add"], TABLE["sub"], TABLE["mul"], TABLE["div"], TABLE["pow"]
_DOT, _SUM, _WHERE, _STOP = TABLE["dot"], TABLE["sum"], TABLE["where"], TABLE["stop_gradient"]
_NEG = TABLE["neg"]
_new = object.__new__


def _converted(operate: Callable[[Value, Any], Value], row: Primitive, self: Value, other: object) -> Value:
    """Call an inlined operator again, with the other operand as a float."""
    operand = right_operand(row, other)
    return operate(self, operand) if type(operand) is float else NotImplemented


class Value(Copied):
    """A real number that records the operations it takes part in.

    Args:
        data: a real number (int, bool, float, Fraction, NumPy scalar or zero-dimensional array), stored as a float.
        name: its name in pictures and debuggers.
        label: an alias of `name`.

    Raises:
        OperandError: data is anything else, such as text, None, a complex number, an array or a `Value`; the name is
            not a string; or you pass operands, as to micrograd's Value: see `autograd_mini.micrograd`.
        ArgumentError: you pass both a name and a label.
        OverflowError: data is an integer beyond the range of floats.

    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> c = a * b + a
    >>> c.data
    -4.0
    >>> c.backward()
    >>> a.grad, b.grad
    (-2.0, 2.0)
    """

    # Recording is fast because a node is one tracked object, without cycles and closures (measured: with a tuple of
    # operands in every node it takes twice the time). `_grad` is None until the first sweep.
    __slots__ = ("_data", "_dleft", "_dright", "_grad", "_left", "_notes", "_right", "_row")

    _data: float
    _grad: float | None
    debug: ClassVar[Callable[[Value], None]]  # the debugger attaches it

    # A hook for all unknown attributes would double the time to read known ones; setting would take ten times as long.
    _backward, _vis_color, m, v = Missing(), Missing(), Missing(), Missing()

    def __init__(self, data: float, name: str | None = None, label: str | None = None) -> None:
        self._data = data if type(data) is float else _real(data, "Value()")
        self._row = self._left = self._right = self._grad = None
        self._dleft = self._dright = ZERO
        now = recording()
        self._notes = now.scope
        if name is not None or label is not None:
            self.name = _one_name(name, label)
        if now.observe is not None:
            now.observe(self)

    def __init_subclass__(cls, tracked: bool = False) -> None:
        if not tracked:  # only the class for micrograd's code is; others could define their own operators
            raise OperandError(
                "Value cannot be a base class.",
                "Write functions of Values, hold one as an attribute, or derive from autograd_mini.micrograd.Value.",
            )

    # -- what a node knows ---------------------------------------------------------------------------------------------

    @property
    def data(self) -> float:
        """The number. You can write it on leaves; graphs recorded before keep the number they were recorded with."""
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
        """The gradient: on leaves the sum over all sweeps, on computed nodes from the last; 0.0 before the first."""
        return 0.0 if self._grad is None else float(self._grad)  # not FLAT

    @grad.setter
    def grad(self, grad: float | None) -> None:
        self._grad = None if grad is None else grad if type(grad) is float else _real(grad, "Value.grad")

    # -- backpropagation -----------------------------------------------------------------------------------------------

    def backward(self, seed: float = 1.0) -> None:
        """Add the derivative of this value with respect to every leaf to the leaf's `.grad`.

        In computed nodes on the way, the gradient of this sweep replaces the last one. It is the gradient of the
        recorded computation, even if you have written to the data of a leaf since.

        Args:
            seed: the derivative to start with, a factor on all gradients.

        Raises:
            OperandError: the seed is not a real number.
            ArgumentError: this value was made inside `no_grad()` or by `detach()`: nothing is recorded behind it.
            NonFiniteError: under `checked()`, a contribution is nan or infinite; gradients then stay unchanged.

        >>> x = Value(3.0)
        >>> (x * x).backward()
        >>> x.grad
        6.0
        """
        if not isinstance(self, Value):
            raise operand_error("Value.backward()", self)
        seed = _real(seed, "backward(seed)")
        if is_cut_off(self):
            raise ArgumentError(
                f"backward() was called on {self!r}, which {CUT_OFF}.",
                "Compute it outside of no_grad(), or call backward() on what it was detached from.",
            )
        hooks = recording().hooks
        if hooks.at_backward is not None:
            hooks.at_backward(self, seed)
        if hooks.checked:  # once without writing, so that an error leaves all gradients as they were
            propagate(self, seed, topological_order(self))
        for node, adjoint in sweep(self, seed, topological_order(self)):
            if node._row is None and node._grad is not None:
                node._grad += adjoint
            else:
                node._grad = adjoint
        if self.origin is not None:  # `provenance` is on: `explain` or a picture may study this graph
            behind = topological_order(self, everything=True) if self._row is not None else ()
            held = {node: (node._data, node.grad) for node in behind if node._row is None}
            self._note(mark=new_mark(self, seed, held))

    # -- what floats can do too ----------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self != 0.0)  # an ordinary comparison, so `provenance` notes it

    def __repr__(self) -> str:
        grad = "" if self._grad is None else f", grad={self._grad!r}"
        name = "" if self.name is None else f", name={self.name!r}"
        op = "" if self._row is None else f", op={self._row.name!r}"
        return f"Value(data={self._data!r}{grad}{name}{op})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else str(self)

    # -- arithmetic ----------------------------------------------------------------------------------------------------
    # The four common operators are inlined: a generic call to the table takes three times as long. Sums and products of
    # two Values, the bulk of a network, inline `record` too, which saves 4 to 8 % of a training step. A test compares
    # all of them with the table's rules.

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
        quotient: Value = Methods.__truediv__(self, other)  # handles a zero divisor too
        return quotient

    def __pow__(self, other: Value | float) -> Value:
        if type(other) in (int, float) and other == 2:  # a square, as in many losses
            x = self._data
            return record(_POW, x * x, self, 2.0, 2.0 * x, ZERO)
        power: Value = Methods.__pow__(self, other)
        return power

    def __neg__(self) -> Value:
        return record(_NEG, -self._data, self, None, -1.0, ZERO)

    def __pos__(self) -> Value:
        return self


def _one_name(name: Any, label: Any) -> str:
    """The name of a leaf, passed as `name` or `label`; micrograd's `Value` takes operands in this position."""
    if isinstance(name, (tuple, list, set, frozenset)):
        raise OperandError("Value() makes leaves, which have no operands.", f"{FOR_MICROGRAD}.")
    if name is not None and label is not None:
        raise ArgumentError(f"Value() got name={shown(name)} and label={shown(label)}.", "Pass one of them.")
    text = label if name is None else name
    if not isinstance(text, str):
        raise OperandError(f"The name of a Value is a string, not {shown(text)}.", "Pass name='...', or omit it.")
    return text


def is_node(x: object) -> TypeGuard[Value]:
    """Whether an object is a `Value`, of this module or of `micrograd`."""
    return isinstance(x, Value)


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


def apply(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Record one operation on numbers and `Value`s: the interpreter of all rows."""
    if len(operands) == 1:
        (x,) = operands
        number = x._data
        data = row.function(number)
        if type(data) is not float:
            data = float_of(row, data)
        partial = None
        if row.curvature is None:
            try:  # mostly the rule gives one float; `partials` handles everything else
                (partial,) = row.rule(data, number)
            except Exception:  # `partials` raises it again, unless C99 defines a result
                partial = None
        if type(partial) is not float:
            (partial,) = row.partials(data, (number,))
        return record(row, data, x, None, partial, ZERO)
    if set(map(type, operands)) == {Value} and row is not _WHERE:
        if row is _DOT and len(operands) > 2:
            return record_dot(operands)
        numbers = tuple(map(_DATA, operands))
        data = float_of(row, row.function(*numbers))
        partials = row.partials(data, numbers)
    else:
        for x in operands:
            if type(x) not in _PLAIN:
                if type(x) in interpreters:  # a dual number of Values, not a Value of dual numbers
                    return interpreters[type(x)](row, operands)
                if is_array(x):
                    return on_arrays(row, operands)
        if row is _WHERE:
            return record_where(*operands)
        operands = tuple([x if type(x) is Value or type(x) is float else _real(x, f"{row.name}()") for x in operands])
        numbers = tuple([x._data if type(x) is Value else x for x in operands])
        data = float_of(row, row.function(*numbers))
        if len(numbers) == 2:  # rules of two may be slow, and NumPy would warn of 0 * log(0) in x**2
            numbers = tuple([Constant(x) if type(x) is float else x._data for x in operands])
        partials = row.partials(data, numbers)
        partials = tuple([p if type(x) is Value else ZERO for p, x in zip(partials, operands, strict=True)])
    if len(operands) == 2:
        return record(row, data, *operands, *partials)
    return record(row, data, operands, None, partials, ZERO)


def record_where(condition: Any, a: Any, b: Any) -> Value:
    """The row "where", inlined like the common operators, because every relu is one."""
    if type(condition) is not bool and type(condition) is not Value:
        condition = _real(condition, "where()")
    condition = 1.0 if condition else 0.0  # no gradient flows into the condition
    if type(a) is not Value and type(a) is not float:
        a = _real(a, "where()")
    if type(b) is not Value and type(b) is not float:
        b = _real(b, "where()")
    taken = a if condition else b
    if type(taken) is Value:
        return record(_WHERE, taken._data, taken, (condition, a, b), 1.0, ZERO)
    return record(_WHERE, taken, taken, (condition, a, b), ZERO, ZERO)


def record_relu(x: Value) -> Value:
    """`where(x <= 0.0, 0.0, x)` in a scope "relu", inlined: in many networks it makes half of the nodes."""
    node: Value = _new(Value)
    node._row = _WHERE
    data = x._data
    if data <= 0.0:
        node._data, node._left, node._right, node._dleft = 0.0, 0.0, (1.0, 0.0, x), ZERO
    else:
        node._data, node._left, node._right, node._dleft = data, x, (0.0, 0.0, x), 1.0
    node._dright, node._grad = ZERO, None
    now = recording()
    node._notes = scope = _new(Scope)
    scope.name, scope.parent, scope.site = "relu", now.scope, None
    if now.observe is not None:
        now.observe(node)
    return node


def record_dot(operands: tuple[Value, ...]) -> Value:
    """The row "dot" of `Value`s alone, inlined, because every neuron is one."""
    numbers = [x._data for x in operands]
    half = len(numbers) // 2
    xs, ys = numbers[:half], numbers[half:]
    total = -0.0  # adding it changes no number
    for product in map(operator.mul, xs, ys):
        total += product
    if half == 1:
        return record(_DOT, total, *operands, *ys, *xs)
    return record(_DOT, total, operands, None, (*ys, *xs), ZERO)


def record_sum(operands: Sequence[Value]) -> Value:
    """The row "sum" of `Value`s alone, inlined: for a few operands, as fast as adding them one by one."""
    total = operands[0]._data
    for x in operands[1:]:
        total += x._data
    if len(operands) > 2:
        return record(_SUM, total, tuple(operands), None, (1.0,) * len(operands), ZERO)
    left, right = operands[0], operands[-1] if len(operands) == 2 else None
    return record(_SUM, total, left, right, 1.0, ZERO if right is None else 1.0)


def name_scope(name: str, node: Value) -> Value:
    """Put a single node into its own scope, as `composite` does, for compositions of one operation."""
    notes = node._notes
    if isinstance(notes, Notes):
        node._notes = notes._replace(scope=Scope(name, notes.scope))
    else:
        node._notes = Scope(name, notes)
    return node


_DATA = operator.attrgetter("_data")
_PLAIN = frozenset({Value, float, int, bool})
interpreters[Value] = apply


def _real(number: Any, where: str) -> float:
    """A real number as a float; raises an error with advice for anything else."""
    real = as_number(number)
    if real is None:
        raise operand_error(where, number)
    return real
