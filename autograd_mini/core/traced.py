"""`Traced`: a node with any data, such as a SymPy expression, for a graph that covers all inputs at once.

The answer of a comparison is unknown while tracing: it is a `Condition`, both forms of a branch are computed, and
`where` joins them. Not here: operations on the data, whose type has an interpreter. Read next: `core.dual`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from copy import copy
from operator import attrgetter
from typing import Any, ClassVar, NoReturn, cast, final

from autograd_mini.core import ieee
from autograd_mini.core.answer import Answer, numbers_of
from autograd_mini.core.arrays import is_array
from autograd_mini.core.copies import Copyable, kept
from autograd_mini.core.methods import Methods
from autograd_mini.core.node import Node
from autograd_mini.core.row import (
    TABLE,
    ZERO,
    Primitive,
    as_number,
    evaluate,
    interpreters,
    is_formula,
    on_arrays,
    operand_error,
)
from autograd_mini.errors import OperandError, TraceError, shown
from autograd_mini.program.stack import recording

RELATE: dict[str, Callable[..., Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "&": operator.and_, "|": operator.or_, "~": operator.invert,
}  # fmt: skip

# Comparison handlers by data type, for types whose operators mean something else (== of SymPy's expressions asks
# whether they are written alike): relations[type](symbol, *operands). They also join conditions; a bool is an answer.
relations: dict[type, Callable[..., Any]] = {}


# The tape that is being written. Until it ends, a derivative at a constant is traced too: what else it uses may be.
tape: ContextVar[Any] = ContextVar("tape", default=None)


def _bare(operand: Any, where: str) -> Any:
    """The data of an operand; numbers as floats."""
    if isinstance(operand, (Unrecorded, Condition)):
        return operand.data
    if operand is ZERO:  # an arm of a `select`
        return ZERO
    if isinstance(operand, Methods):
        raise OperandError(
            f"{where} got {shown(operand)} while tracing, where a number with a graph is unknown.",
            "Make it an argument of the traced function (parameters of a model: functional_call), or use its .data.",
        )
    number = as_number(operand)
    if number is None:
        raise operand_error(where, operand)
    return number


def _compared(sign: str) -> Callable[[Any, Any], Any]:
    def method(self: Unrecorded, other: Any) -> Any:
        symbol, other = ieee.beside(sign, other) if type(other) is int else (sign, other)
        if not isinstance(other, Methods) and as_number(other) is None:
            if any(kind in relations for kind in type(other).__mro__):  # its own == would answer instead
                raise operand_error(f"The operator {symbol}", other)
            return NotImplemented
        if isinstance(other, Methods) and other.contains_others:
            return NotImplemented  # a dual number of traced ones compares what it contains
        a, b = self._data, _bare(other, f"The operator {symbol}")
        return _related(symbol, (a, b), (self, other if isinstance(other, Methods) else b), type(self))

    return method


def _related(symbol: str, data: tuple[Any, ...], operands: tuple[Any, ...], made: type | None) -> Condition | bool:
    """Compare data or join conditions: a bool if the answer is known already, else a `Condition`."""
    relate = next((relations[kind] for part in data for kind in type(part).__mro__ if kind in relations), None)
    relation = RELATE[symbol](*data) if relate is None else relate(symbol, *data)
    return relation if isinstance(relation, bool) else Condition(relation, symbol, operands, made)


class Condition(Copyable, Answer):
    """The answer of a comparison, unknown while tracing, for use in `where`; it supports &, |, ~, ^, == and !=.

    Attributes:
        data: the relation between the data.
        op: the comparison, such as "<", or "&", "|", "~".
        operands: what is compared or joined.
    """

    __slots__ = ("_kind", "data", "op", "operands")

    def __init__(self, data: Any, op: str, operands: tuple[Any, ...], kind: type | None) -> None:
        self.data = data
        self.op = op
        self.operands = operands
        self._kind = kind  # the class of the result of `where`; None for bare data

    def _state(self) -> tuple[Any, ...]:
        return self.op, self.data, self.operands, self._kind

    def _restore(self, *state: Any) -> None:
        self.op, self.data, self.operands, self._kind = state

    def __bool__(self) -> bool:
        raise TraceError(
            f"Whether {shown(self.data)} holds is not known while tracing, so Python cannot branch on it.",
            "Compute both forms and write where(condition, a, b); join conditions with &, | and ~. For a number that "
            "is always the same, `jit` has static_argnums.",
        )

    def __and__(self, other: Any) -> Any:
        return self._joined("&", other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return self._joined("|", other)

    __ror__ = __or__

    def __invert__(self) -> Any:
        return _related("~", (self.data,), (self,), self._kind)

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, Condition):
            return (self & other) | ~(self | other)
        answer = as_number(other)
        return NotImplemented if answer not in (0.0, 1.0) else self if answer else ~self

    def __ne__(self, other: Any) -> Any:
        is_equal = self.__eq__(other)
        return is_equal if is_equal is NotImplemented else _opposite(is_equal)

    __xor__ = __rxor__ = __ne__
    __hash__ = object.__hash__
    __float__ = __int__ = __index__ = __bool__

    def _joined(self, symbol: str, other: Any) -> Any:
        if not isinstance(other, (Condition, bool)):
            return NotImplemented
        data, operand = (other.data, other) if isinstance(other, Condition) else (other, float(other))
        return _related(symbol, (self.data, data), (self, operand), self._kind)

    def dressed(self) -> Condition:
        """The same for data without a graph."""
        return Condition(self.data, self.op, self.operands, Unrecorded)

    def __repr__(self) -> str:
        return f"Condition({self.data})"


class Unrecorded(Methods):
    """Data with the operators and functions of a recording number, without recording; rules are evaluated on it.

    Args:
        data: anything that has an interpreter, such as a SymPy expression.
    """

    __slots__ = ("_data",)
    compares_itself: ClassVar[bool] = True

    def __init__(self, data: Any) -> None:
        self._data = data

    @property
    def data(self) -> Any:
        """What it stands for."""
        return self._data

    __lt__, __le__, __gt__, __ge__, __eq__, __ne__ = map(_compared, list(RELATE)[:6])
    __hash__ = object.__hash__

    def dressed(self) -> Any:
        """Its data with operators, for rules."""
        return self._data if isinstance(self._data, Unrecorded) else Unrecorded(self._data)

    def __bool__(self) -> bool:
        return bool(self != 0.0)

    def __float__(self) -> NoReturn:
        raise TraceError(
            f"{shown(self)} stands for all numbers, so float() and `math` cannot take it.",
            "Use this package's function of the same name (autograd_mini.exp, ...), and `where` to choose by a number; "
            "make an argument that is always the same one of jit's static_argnums.",
        )

    def __format__(self, spec: str) -> str:
        if spec:
            raise TraceError(
                f"{shown(self)} stands for all numbers, so it has no digits to format.", "Print it without a format."
            )
        return str(self)

    def __index__(self) -> NoReturn:
        raise TraceError(
            f"{shown(self)} stands for all numbers, so it cannot be an index, a length or a range.",
            "Write take(values, index) for values[index]; make an argument that is always the same integer one of "
            "jit's static_argnums.",
        )

    __int__ = __index__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._data})"


@final
class Traced(Unrecorded, Copyable, Node):
    """A node of a graph for all inputs at once; a leaf when you make it yourself.

    Args:
        data: what the node stands for, such as a SymPy symbol.
        name: its name.
    """

    __slots__ = ("_notes", "_operands", "_partials", "_row")
    keeps_pairs: ClassVar[bool] = False

    _operands: tuple[Any, ...]
    _partials: tuple[Any, ...] | None  # None until a sweep asks: rules are slow, and most nodes are never asked

    def __init__(self, data: Any, name: str | None = None) -> None:
        self._data = data
        self._row, self._operands, self._partials = None, (), ()
        now = recording()
        self._notes = now.scope
        if name is not None:
            self.name = name
        if now.observe is not None:
            now.observe(self)

    def __init_subclass__(cls) -> NoReturn:
        raise OperandError("Traced cannot be a base class.", "Write functions of traced numbers.")

    operands = property(  # in C, because sweeps ask all the time
        attrgetter("_operands"),
        doc="What it was computed from: traced nodes, a `Condition` first in a `where`, and floats for constants.",
    )

    @property
    def partials(self) -> tuple[Any, ...]:
        """The local partial for each operand, as data; `ZERO` for constants, `Guarded` for an arm that may be taken."""
        if self._partials is None:
            assert self._row is not None  # leaves have no partials
            slopes = zip(self._operands, local_partials(self._row, self._data, self._operands), strict=True)
            self._partials = tuple([slope if type(x) is Traced else ZERO for x, slope in slopes])
        return self._partials

    def _state(self) -> tuple[Any, ...]:
        return self._row, self._data, self._operands, kept(self._notes)

    def _restore(self, *state: Any) -> None:
        self._row, self._data, self._operands, self._notes = state
        self._partials = None if self._operands else ()

    def _cut(self) -> None:
        """Become `stop_gradient` of what was recorded: a constant whose computation is still needed."""
        if self._row is not None:
            self._row, self._operands, self._partials = TABLE["stop_gradient"], (copy(self),), (ZERO,)

    def _retire(self) -> None:
        if self._row is not None:
            self._row = TABLE["pos"]


# -- slopes behind a branch --------------------------------------------------------------------------------------------


class Guarded:
    """A slope that is an edge only where a condition holds; elsewhere it is `ZERO`.

    It stays one through the whole sweep: behind a branch that is not taken nothing is multiplied, so 0 * inf cannot
    arise. Its sum with a slope that always has an edge is an ordinary number.
    """

    __slots__ = ("_is_total", "condition", "value")

    def __init__(self, condition: Condition, value: Any, is_total: bool = False) -> None:
        self.condition, self.value = condition, value
        self._is_total = is_total  # the value is a sum, which is that zero already where the condition does not hold

    def __mul__(self, other: Any) -> Any:
        if type(other) is Guarded:
            return _guarded(_both(self.condition, other.condition), self.value * other.value)
        return ZERO if other is ZERO else Guarded(self.condition, self.value * other)

    def __rmul__(self, other: Any) -> Guarded:
        return Guarded(self.condition, other * self.value)

    def __truediv__(self, other: Any) -> Guarded:
        return Guarded(self.condition, self.value / other)

    def __neg__(self) -> Guarded:
        return Guarded(self.condition, -self.value)

    def __add__(self, other: Any) -> Any:
        if other is ZERO:
            return self
        if type(other) is not Guarded:
            return self.__radd__(other)
        here, there = self.condition, other.condition
        if here.data is there.data:
            return Guarded(here, self.value + other.value)
        if _both(here, there) is False:
            return _guarded(_either(here, there), _where(here, self.value, other.value))
        holds, zero = _either(here, there), self._nothing
        if zero is not None:
            return _guarded(holds, self._or(zero) + other._or(zero), is_total=True)
        both = _where(there, self.value + other.value, self.value)
        return _guarded(holds, _where(here, both, other.value))

    def __radd__(self, other: Any) -> Any:
        zero = self._nothing
        return _where(self.condition, other + self.value, other) if zero is None else other + self._or(zero)

    @property
    def _nothing(self) -> float | None:
        """A zero that changes no sum; in formulas zeros have no sign. None where only the sum itself will do."""
        data = self.condition.data
        return 0.0 if is_formula(data) else getattr(data, "nothing", None)

    def _or(self, zero: float) -> Any:
        return self.value if self._is_total else _where(self.condition, self.value, zero)

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return other + -self

    def __repr__(self) -> str:
        return f"Guarded({self.condition!r}, {self.value!r})"


def resolved(slope: Any) -> Any:
    """A slope as a number: 0.0 behind a branch that is not taken."""
    return _where(slope.condition, slope.value, 0.0) if type(slope) is Guarded else slope


def _guarded(condition: Condition | bool, value: Any, is_total: bool = False) -> Any:
    return Guarded(condition, value, is_total) if isinstance(condition, Condition) else value if condition else ZERO


def _where(condition: Condition | bool, a: Any, b: Any) -> Any:
    """One of two numbers, which may be bare data."""
    if isinstance(condition, bool):
        return a if condition else b
    asked: Condition = condition
    if condition.op == "~":
        asked, a, b = _inside(condition), b, a
    return evaluate(_WHERE, (asked.data if condition._kind is None else asked, a, b))


def _selected(condition: Condition, a: Any, b: Any) -> Any:
    """`where` of two slopes, at least one of which may have no edge."""
    (in_a, a), (in_b, b) = _edge(a), _edge(b)
    if in_a is True or in_b is True:  # c | (not c & d) is c | d
        holds = _either(condition, in_b) if in_a is True else _either(_opposite(condition), in_a)
    else:
        holds = _either(_both(condition, in_a), _both(_opposite(condition), in_b))
    return _guarded(holds, b if in_a is False else a if in_b is False else _where(condition, a, b))


def _edge(slope: Any) -> tuple[Condition | bool, Any]:
    """The condition under which there is an edge, and its slope then."""
    if type(slope) is Guarded:
        return slope.condition, slope.value
    return slope is not ZERO, slope


def _opposite(condition: Condition | bool) -> Condition | bool:
    if isinstance(condition, bool):
        return not condition
    return _inside(condition) if condition.op == "~" else cast("Condition | bool", ~condition)


def _inside(opposite: Condition) -> Condition:
    """What `~` was applied to, of the same kind: the user's own condition has to stay what it is."""
    inner = opposite.operands[0]
    return Condition(inner.data, inner.op, inner.operands, opposite._kind)


def _both(a: Condition | bool, b: Condition | bool) -> Condition | bool:
    if isinstance(a, bool):
        return b if a else False
    if isinstance(b, bool):
        return a if b else False
    return a if a.data is b.data else False if _exclude(a, b) else a & b


def _either(a: Condition | bool, b: Condition | bool) -> Condition | bool:
    if isinstance(a, bool):
        return True if a else b
    if isinstance(b, bool):
        return True if b else a
    is_all = a.op == b.op == "~" and _exclude(a.operands[0], b.operands[0])
    return a if a.data is b.data else True if is_all or _are_opposite(a, b) else a | b


def _exclude(a: Condition, b: Condition) -> bool:
    """Whether both cannot hold: one is the other's opposite, or one number would equal two constants."""
    if a.op == b.op == "==":
        (x, one), (y, other) = a.operands, b.operands
        is_same = isinstance(x, Methods) and isinstance(y, Methods) and x._data is y._data
        return is_same and type(one) is type(other) is float and one != other
    return _are_opposite(a, b)


def _are_opposite(a: Condition, b: Condition) -> bool:
    return (a.op == "~" and a.operands[0].data is b.data) or (b.op == "~" and b.operands[0].data is a.data)


# -- the interpreters --------------------------------------------------------------------------------------------------


def local_partials(row: Primitive, result: Any, operands: Iterable[Any]) -> tuple[Any, ...]:
    """The rule of a row on data: one local partial per operand, as data, a float, `ZERO` or `Guarded`.

    Operands are traced nodes, or data as `Unrecorded`; floats for constants; a `Condition` or float for `where`.
    """
    dressed = [x.dressed() if isinstance(x, (Unrecorded, Condition)) else x for x in operands]
    return tuple([_undressed(p, f"The rule of {row.name!r}") for p in row.partials(Unrecorded(result), dressed)])


def _undressed(slope: Any, where: str) -> Any:
    if type(slope) is not Guarded:
        return _bare(slope, where)
    slope.condition._kind = None  # made by the rule, so nothing else uses it
    return Guarded(slope.condition, _bare(slope.value, where))


def _compute(row: Primitive, operands: tuple[Any, ...]) -> Unrecorded:
    return Unrecorded(evaluate(row, tuple([_bare(x, f"{row.name}()") for x in operands])))


def _record(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Make the node of one operation: its result and its operands."""
    data, is_kept = [], True
    for x in operands:
        kind = type(x)
        if kind is Traced:
            data.append(x._data)
        elif kind is float:
            data.append(x)
        elif is_array(x):
            return on_arrays(row, operands)
        elif isinstance(x, Methods) and x.contains_others:  # a dual number of traced ones
            return interpreters[kind](row, operands)
        elif kind is Condition and (data or row is not _WHERE):
            return evaluate(row, (*operands[: len(data)], *numbers_of(operands[len(data) :])))
        else:
            data.append(_bare(x, f"{row.name}()"))
            is_kept = is_kept and kind is Condition
    if row is _WHERE and type(operands[0]) is Traced:
        return evaluate(row, (operands[0] != 0.0, *operands[1:]))
    node = _new(Traced)
    node._row = row
    node._data = evaluate(row, tuple(data))
    if not is_kept:
        operands = tuple([x if isinstance(x, (Traced, Condition)) else d for x, d in zip(operands, data, strict=True)])
    node._operands, node._partials = operands, None
    now = recording()
    node._notes = now.scope
    if now.observe is not None:
        now.observe(node)
    return node


def _chosen(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """A row whose first operand is a condition: `where`."""
    condition, *arms = operands
    if row is not _WHERE:
        return evaluate(row, numbers_of(operands))
    if any(isinstance(x, Condition) for x in arms):
        return evaluate(row, (condition, *numbers_of(arms)))
    if any(x is ZERO or type(x) is Guarded for x in arms):
        return _selected(condition, *arms)
    return interpreters[condition._kind](row, operands)


_WHERE = TABLE["where"]
_new = object.__new__
interpreters[Unrecorded] = _compute
interpreters[Traced] = _record
interpreters[Condition] = _chosen
