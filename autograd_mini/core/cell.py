"""What a `Value` holds, and how the common operations are recorded in it: the inner loop, forwards.

`_native.c` does the same in C, with the same names; this module defines what both do, and runs where C was not
compiled. Not here: all other operations (`engine`), and the way back (`sweep`). Read next: `core.sweep`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from autograd_mini.core.accelerator import native
from autograd_mini.core.methods import Methods, right_operand
from autograd_mini.core.row import TABLE, ZERO, Primitive, real_number
from autograd_mini.program.stack import Recording, Scope, context, recording

_ADD, _SUB, _MUL, _DIV, _POW = TABLE["add"], TABLE["sub"], TABLE["mul"], TABLE["div"], TABLE["pow"]
_NEG, _DOT, _SUM, _WHERE = TABLE["neg"], TABLE["dot"], TABLE["sum"], TABLE["where"]
_new = object.__new__

# The fields of a node. Recording is fast because a node is one tracked object, without cycles and closures (measured:
# with a tuple of operands in every node it takes twice the time). `_grad` is None until the first sweep. `Value` itself
# has the slots: in a base class they cost the garbage collector 6 %.
SLOTS: tuple[str, ...] = ("_data", "_dleft", "_dright", "_grad", "_left", "_notes", "_right", "_row")
Value: Any  # the class of the nodes that are made here


def adopt(kind: type) -> None:
    """Set the class of the nodes that are made here, a `Cell`."""
    global Value
    Value = kind
    if native is not None:
        rows = [TABLE[name] for name in ("add", "sub", "mul", "div", "pow", "neg", "dot", "sum")]
        signs = [f"__{r}{sign}__" for sign in ("add", "sub", "mul", "truediv", "pow") for r in ("", "r")]
        operators = [getattr(_Text, sign, getattr(Methods, sign)) for sign in (*signs, "__neg__", "__neg__")]
        slots = [*map(vars(Recording).get, ("scope", "observe")), *map(vars(Scope).get, ("name", "parent", "site"))]
        native.adopt((*rows, ZERO, 2.0, context, kind, Scope, *_twins, *operators, *slots))


def _converted(operate: Callable[[Any, Any], Any], row: Primitive, self: Any, other: object) -> Any:
    """Call an operator again, with the other operand as a float."""
    operand = right_operand(row, other)
    if type(operand) is Value:  # reflected, and called by its name
        return row.function(operand, self)
    return operate(self, operand) if type(operand) is float else NotImplemented


class Cell:
    """The fields of a `Value`, described in `Node`, and its arithmetic."""

    __slots__ = ()
    _data: float

    # The four common operators are inlined: a generic call to the table takes three times as long. Sums and products of
    # two Values, the bulk of a network, also inline `record`, which saves 4 to 8 % of a training step. A test compares
    # all of them with the table's rules.

    def __add__(self, other: Any) -> Any:
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
        return _converted(Cell.__add__, _ADD, self, other)

    def __radd__(self, other: Any) -> Any:
        if type(other) is float:
            return record(_ADD, other + self._data, other, self, ZERO, 1.0)
        return _converted(Cell.__radd__, _ADD, self, other)

    def __sub__(self, other: Any) -> Any:
        if type(other) is Value:
            return record(_SUB, self._data - other._data, self, other, 1.0, -1.0)
        if type(other) is float:
            return record(_SUB, self._data - other, self, other, 1.0, ZERO)
        return _converted(Cell.__sub__, _SUB, self, other)

    def __rsub__(self, other: Any) -> Any:
        if type(other) is float:
            return record(_SUB, other - self._data, other, self, ZERO, -1.0)
        return _converted(Cell.__rsub__, _SUB, self, other)

    def __mul__(self, other: Any) -> Any:
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
        return _converted(Cell.__mul__, _MUL, self, other)

    def __rmul__(self, other: Any) -> Any:
        if type(other) is float:
            return record(_MUL, other * self._data, other, self, ZERO, other)
        return _converted(Cell.__rmul__, _MUL, self, other)

    def __truediv__(self, other: Any) -> Any:
        x = self._data
        if type(other) is Value:
            y = other._data
            if y != 0.0:
                z = x / y
                return record(_DIV, z, self, other, 1.0 / y, -(z / y))
        elif type(other) is float and other != 0.0:
            return record(_DIV, x / other, self, other, 1.0 / other, ZERO)
        return Methods.__truediv__(self, other)  # handles a zero divisor too

    def __pow__(self, other: Any) -> Any:
        if type(other) in (int, float) and other == 2:  # a square, as in many losses
            x = self._data
            return record(_POW, x * x, self, 2.0, 2.0 * x, ZERO)
        return Methods.__pow__(self, other)

    def __neg__(self) -> Any:
        return record(_NEG, -self._data, self, None, -1.0, ZERO)


def record(
    row: Primitive, data: float, left: Any, right: Any, dleft: Any, dright: Any, scope: str | None = None
) -> Any:
    """Make the node of one operation: its result, its operands, its local partials; perhaps in a scope of its own."""
    node = _new(Value)
    node._row = row
    node._data = data
    node._left = left
    node._right = right
    node._dleft = dleft
    node._dright = dright
    node._grad = None
    now = recording()
    node._notes = now.scope if scope is None else Scope(scope, now.scope)
    if now.observe is not None:
        now.observe(node)
    return node


def record_where(condition: Any, a: Any, b: Any) -> Any:
    """The row "where", inlined like the common operators, because every relu is one."""
    if type(condition) is not bool and type(condition) is not Value:
        condition = real_number(condition, "where()")
    condition = 1.0 if condition else 0.0  # no gradient flows into the condition
    if type(a) is not Value and type(a) is not float:
        a = real_number(a, "where()")
    if type(b) is not Value and type(b) is not float:
        b = real_number(b, "where()")
    taken = a if condition else b
    if type(taken) is Value:
        return record(_WHERE, taken._data, taken, (condition, a, b), 1.0, ZERO)
    return record(_WHERE, taken, taken, (condition, a, b), ZERO, ZERO)


def record_relu(x: Any) -> Any:
    """`where(x <= 0.0, 0.0, x)` in a scope "relu", inlined: in many networks half of the nodes come from it."""
    data = x._data
    if data <= 0.0:
        return record(_WHERE, 0.0, 0.0, (1.0, 0.0, x), ZERO, ZERO, "relu")
    return record(_WHERE, data, x, (0.0, 0.0, x), 1.0, ZERO, "relu")


def record_dot(operands: Any) -> Any:
    """The row "dot" of `Value`s alone, inlined, because every neuron is one; None for anything else."""
    if set(map(type, operands)) != {Value}:
        return None
    numbers = [x._data for x in operands]
    half = len(operands) // 2
    lefts, rights = numbers[:half], numbers[half:]
    total = -0.0  # adding it changes no number
    for product in map(operator.mul, lefts, rights):
        total += product
    if half == 1:
        return record(_DOT, total, *operands, *rights, *lefts)
    return record(_DOT, total, operands, None, (*rights, *lefts), ZERO)


def record_sum(operands: Any) -> Any:
    """The row "sum" of `Value`s alone, inlined: for a few operands, as fast as adding them one by one."""
    if set(map(type, operands)) != {Value}:
        return None
    total = operands[0]._data
    for x in operands[1:]:
        total += x._data
    if len(operands) > 2:
        return record(_SUM, total, operands, None, (1.0,) * len(operands), ZERO)
    left, right = operands[0], operands[-1] if len(operands) == 2 else None
    return record(_SUM, total, left, right, 1.0, ZERO if right is None else 1.0)


_Text, _twins = Cell, (record_dot, record_sum)  # C leaves unusual operands to them
if native is not None:
    SLOTS, record, record_dot, record_sum = (), native.record, native.record_dot, native.record_sum
    Cell = native.Cell  # type: ignore[misc]  # mypy expects a class to stay what it is
