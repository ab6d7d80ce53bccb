"""`Traced`: a node whose data is whatever it is given, such as a SymPy expression: a graph for all inputs at once.

It records what a `Value` records, and the same sweep walks it. What cannot be known while tracing is the answer of a
comparison: it is a `Condition`, both forms of a branch are computed, and `where` joins them.
Not here: what the operations mean on the data; the interpreter of its type knows. Read next: `symbolic`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, final

from autograd_mini.core.arrays import is_array
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import TABLE, ZERO, Primitive, as_number, evaluate, interpreters, on_arrays, operand_error
from autograd_mini.errors import OperandError, shown
from autograd_mini.program.stack import Scope, recording

_RELATE: dict[str, Callable[..., Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&": operator.and_,
    "|": operator.or_,
    "~": operator.invert,
}

# Who compares data of which type, and joins what comes of it, where Python's operators mean something else (of SymPy's
# expressions, == asks whether they are written alike): relations[type](symbol, *operands). A bool is a known answer.
relations: dict[type, Callable[..., Any]] = {}


def _bare(operand: Any, where: str) -> Any:
    """The data of an operand; numbers as floats."""
    if isinstance(operand, (Unrecorded, Condition)):
        return operand.data
    if operand is ZERO:  # an arm of a `select`
        return ZERO
    if isinstance(operand, Methods):
        raise OperandError(
            f"{where} got {shown(operand)} while tracing: a number that records and a formula do not mix.",
            "Use plain numbers inside, or make the number an argument of the function that is traced.",
        )
    number = as_number(operand)
    if number is None:
        raise operand_error(where, operand)
    return number


def _compared(symbol: str) -> Callable[[Any, Any], Any]:
    def method(self: Unrecorded, other: Any) -> Any:
        if not isinstance(other, Methods) and as_number(other) is None:
            if any(kind in relations for kind in type(other).__mro__):  # its own == would answer for us
                raise operand_error(f"The operator {symbol}", other)
            return NotImplemented
        a, b = self._data, _bare(other, f"The operator {symbol}")
        return _related(symbol, (a, b), (self, other if isinstance(other, Methods) else b), type(self))

    return method


def _related(symbol: str, data: tuple[Any, ...], operands: tuple[Any, ...], made: type) -> Condition | bool:
    """A comparison or a joint condition: a bool where the answer is known already."""
    relate = next((relations[kind] for part in data for kind in type(part).__mro__ if kind in relations), None)
    relation = _RELATE[symbol](*data) if relate is None else relate(symbol, *data)
    return relation if isinstance(relation, bool) else Condition(relation, symbol, operands, made)


class Condition:
    """The answer of a comparison that is not known while tracing, for `where`; it takes part in &, | and ~.

    Attributes:
        data: the relation between the data.
        op: the comparison, such as "<", or "&", "|", "~".
        operands: what is compared or joined.
    """

    __slots__ = ("_kind", "data", "op", "operands")
    _dleft = _dright = ZERO  # a node as others, in walks through everything: no gradient flows

    def __init__(self, data: Any, op: str, operands: tuple[Any, ...], kind: type) -> None:
        self.data = data
        self.op = op
        self.operands = operands
        self._kind = kind  # the class of what `where` makes of it

    def __bool__(self) -> bool:
        raise OperandError(
            f"Whether {shown(self.data)} holds is not known while tracing, so Python cannot branch on it.",
            "Compute both forms and write where(condition, a, b); join conditions with &, | and ~.",
        )

    def __and__(self, other: Any) -> Any:
        return self._joined("&", other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return self._joined("|", other)

    __ror__ = __or__

    def __invert__(self) -> Any:
        return _related("~", (self.data,), (self,), self._kind)

    def _joined(self, symbol: str, other: Any) -> Any:
        if not isinstance(other, (Condition, bool)):
            return NotImplemented
        data, operand = (other.data, other) if isinstance(other, Condition) else (other, float(other))
        return _related(symbol, (self.data, data), (self, operand), self._kind)

    def _unrecorded(self) -> Condition:
        return Condition(self.data, self.op, self.operands, Unrecorded)

    def __repr__(self) -> str:
        return f"Condition({self.data})"


class Unrecorded(Methods):
    """Data with the operators and functions of a number that records; nothing is recorded. Rules are evaluated on it.

    Args:
        data: anything that has an interpreter, such as a SymPy expression.
    """

    __slots__ = ("_data",)

    def __init__(self, data: Any) -> None:
        self._data = data

    @property
    def data(self) -> Any:
        """What it stands for."""
        return self._data

    __lt__, __le__, __gt__, __ge__, __eq__, __ne__ = map(_compared, list(_RELATE)[:6])
    __hash__ = object.__hash__

    def _unrecorded(self) -> Unrecorded:
        return Unrecorded(self._data)

    def __bool__(self) -> bool:
        return bool(self != 0.0)

    def __float__(self) -> NoReturn:
        raise OperandError(
            f"{shown(self)} stands for all numbers: float() and `math` cannot take it.",
            "Use this package's function of the same name (autograd_mini.exp, ...).",
        )

    __int__ = __float__

    def _sympy_(self) -> NoReturn:
        raise OperandError(
            f"SymPy's functions and expressions do not mix with {shown(self)}: its == is not numeric.",
            "Use this package's functions (autograd_mini.exp, ...) throughout; `prove` also takes a SymPy expression.",
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._data})"


@final
class Traced(Unrecorded):
    """A node of a graph for all inputs at once; a leaf of it when made by hand.

    Args:
        data: what the node stands for, such as a SymPy symbol.
        name: what it is called.

    >>> import sympy
    >>> from autograd_mini.core.sweep import topological_order
    >>> x = Traced(sympy.Symbol("x"), name="x")
    >>> y = x * x + 1.0
    >>> y.data, [node.op for node in topological_order(y)]
    (x**2 + 1, [None, 'mul', 'add'])
    """

    # As in a `Value`, but three or more operands are always two tuples: a `where` whose condition is not known has two
    # edges.
    __slots__ = ("_dleft", "_dright", "_left", "_right", "_row", "name", "scope")

    _row: Primitive | None
    _left: Any
    _right: Any
    _dleft: Any
    _dright: Any
    scope: Scope | None

    def __init__(self, data: Any, name: str | None = None) -> None:
        super().__init__(data)
        self._row = self._left = self._right = None
        self._dleft = self._dright = ZERO
        self.name = name
        self.scope = recording().scope

    def __init_subclass__(cls) -> NoReturn:
        raise OperandError("Traced cannot be a base class.", "Write functions of traced numbers.")

    @property
    def op(self) -> str | None:
        """The name of the primitive that computed it; None for a leaf."""
        return None if self._row is None else self._row.name

    @property
    def operands(self) -> tuple[Any, ...]:
        """What it was computed from: traced nodes, a `Condition` first in a `where`, and floats for constants."""
        if type(self._left) is tuple:
            return self._left
        if self._right is not None:
            return self._left, self._right
        return () if self._row is None else (self._left,)

    @property
    def partials(self) -> tuple[Any, ...]:
        """The local partial derivative for each operand, as data; `ZERO` for constants and arms not taken."""
        return self._dleft if type(self._dleft) is tuple else (self._dleft, self._dright)[: len(self.operands)]


def local_partials(row: Primitive, result: Any, operands: Iterable[Any]) -> tuple[Any, ...]:
    """The rule of a row at data.

    Args:
        row: a row of the table.
        result: the data of the result.
        operands: traced nodes, or data as `Unrecorded`; floats for constants; a `Condition` or float for `where`.

    Returns:
        one local partial derivative an operand: data, a float or `ZERO`.
    """
    dressed = [x._unrecorded() if isinstance(x, (Unrecorded, Condition)) else x for x in operands]
    return tuple([_bare(p, f"The rule of {row.name!r}") for p in row.partials(Unrecorded(result), dressed)])


def _compute(row: Primitive, operands: tuple[Any, ...]) -> Unrecorded:
    return Unrecorded(evaluate(row, tuple([_bare(x, f"{row.name}()") for x in operands])))


def _record(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Make the node of one operation: its result, its operands, its local partials, all as data."""
    if any(map(is_array, operands)):
        return on_arrays(row, operands)
    for x in operands:
        if isinstance(x, Methods) and x.contains_others:  # a dual number of traced ones
            return interpreters[type(x)](row, operands)
    if row is TABLE["where"] and isinstance(operands[0], Traced):
        operands = (operands[0] != 0.0, *operands[1:])
    data = tuple([_bare(x, f"{row.name}()") for x in operands])
    kept = tuple([x if isinstance(x, (Traced, Condition)) else d for x, d in zip(operands, data, strict=True)])
    node = Traced(evaluate(row, data))
    node._row = row
    slopes = local_partials(row, node.data, kept)
    is_cut = recording().hooks.finish is not None  # inside of `no_grad`
    edges = tuple([slope if type(x) is Traced and not is_cut else ZERO for x, slope in zip(kept, slopes, strict=True)])
    if len(kept) > 2:
        node._left, node._dleft = kept, edges
    else:
        node._left, node._right, *_ = *kept, None
        node._dleft, node._dright, *_ = *edges, ZERO
    return node


def _chosen(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """A row whose first operand is a condition: `where`."""
    if row is not TABLE["where"] or any(isinstance(x, Condition) for x in operands[1:]):
        raise OperandError(
            f"{row.name}() takes numbers, not the condition {shown(operands[0].data)}.",
            "Turn it into a number with where(condition, 1.0, 0.0).",
        )
    return interpreters[operands[0]._kind](row, operands)


interpreters[Unrecorded] = _compute
interpreters[Traced] = _record
interpreters[Condition] = _chosen
