"""`Value`: recording, topological order, the reverse sweep.

A `Value` is a number that remembers how it was computed. Every operation makes a node that holds its operands and,
from the same moment, the local partial derivative for each; the sweep multiplies them from the result back to the
leaves. Not here: any derivative (that is the table in `primitives`). Read next: `functions`, then `transforms`.
"""

from __future__ import annotations

import operator
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, final

from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.observers import check_contributions, is_checked
from autograd_mini.primitives import TABLE, ZERO, Primitive, as_number, interpreters, operand_error
from autograd_mini.scopes import Scope, recording
from autograd_mini.source import Site

_ADD, _SUB, _MUL, _DIV = TABLE["add"], TABLE["sub"], TABLE["mul"], TABLE["div"]
_new = object.__new__


def _operator(name: str) -> tuple[Callable[[Value, Any], Value], Callable[[Value, Any], Value]]:
    """An operator and its reflection for operands of every kind; the four common ones are inlined in `Value`."""
    row = TABLE[name]

    def forward(self: Value, other: Any) -> Value:
        return apply(row, (self, other)) if _is_operand(other) else NotImplemented

    def reflected(self: Value, other: Any) -> Value:
        return apply(row, (other, self)) if _is_operand(other) else NotImplemented

    return forward, reflected


def _comparison(compare: Callable[[float, float], bool]) -> Callable[[Value, Any], bool]:
    def method(self: Value, other: Any) -> bool:
        number = other._data if type(other) is Value else as_number(other)
        return NotImplemented if number is None else compare(self._data, number)

    return method


def _is_operand(operand: object) -> bool:
    return type(operand) is Value or as_number(operand) is not None


@final
class Value:
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
    # tuples in `_left` and `_dleft`. One tracked object a node, with no cycle and no closure, is what makes recording
    # fast (measured: a tuple of operands in every node doubles the time). `_origin` stays unset while provenance is
    # off, `_grad` is None until a sweep arrives.
    __slots__ = ("_data", "_dleft", "_dright", "_grad", "_left", "_origin", "_right", "_row", "_scope", "name")

    _data: float
    _grad: float | None
    _row: Primitive | None
    _left: Any
    _right: Any
    _dleft: Any
    _dright: Any
    _scope: Scope | None
    _origin: tuple[Any, int]
    name: str | None

    if TYPE_CHECKING:  # attached below, and by `functions` where they are composed
        abs: Callable[..., Value]
        acos: Callable[..., Value]
        acosh: Callable[..., Value]
        arccos: Callable[..., Value]
        arccosh: Callable[..., Value]
        arcsin: Callable[..., Value]
        arcsinh: Callable[..., Value]
        arctan: Callable[..., Value]
        arctan2: Callable[..., Value]
        arctanh: Callable[..., Value]
        asin: Callable[..., Value]
        asinh: Callable[..., Value]
        atan: Callable[..., Value]
        atan2: Callable[..., Value]
        atanh: Callable[..., Value]
        cbrt: Callable[..., Value]
        clip: Callable[..., Value]
        cos: Callable[..., Value]
        cosh: Callable[..., Value]
        elu: Callable[..., Value]
        erf: Callable[..., Value]
        erfc: Callable[..., Value]
        exp: Callable[..., Value]
        exp2: Callable[..., Value]
        expm1: Callable[..., Value]
        floor: Callable[..., Value]
        fmod: Callable[..., Value]
        gelu: Callable[..., Value]
        hard_tanh: Callable[..., Value]
        hypot: Callable[..., Value]
        leaky_relu: Callable[..., Value]
        log: Callable[..., Value]
        log10: Callable[..., Value]
        log1p: Callable[..., Value]
        log2: Callable[..., Value]
        log_sigmoid: Callable[..., Value]
        maximum: Callable[..., Value]
        minimum: Callable[..., Value]
        relu: Callable[..., Value]
        selu: Callable[..., Value]
        sigmoid: Callable[..., Value]
        sign: Callable[..., Value]
        silu: Callable[..., Value]
        sin: Callable[..., Value]
        sinh: Callable[..., Value]
        softplus: Callable[..., Value]
        softsign: Callable[..., Value]
        sqrt: Callable[..., Value]
        tan: Callable[..., Value]
        tanh: Callable[..., Value]
        where: Callable[..., Value]
        xlogy: Callable[..., Value]

    def __init__(self, data: float, name: str | None = None) -> None:
        self._data = data if type(data) is float else _real(data, "Value()")
        self._row = self._left = self._right = self._grad = None
        self._dleft = self._dright = ZERO
        self._scope = recording().scope
        self.name = name

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
        if type(self._left) is tuple:
            return self._left
        if self._right is not None:
            return self._left, self._right
        return () if self._row is None else (self._left,)

    @property
    def partials(self) -> tuple[Any, ...]:
        """The local partial derivative for each operand; `ZERO` for constants and branches not taken."""
        if type(self._left) is tuple:
            return self._dleft  # type: ignore[no-any-return]
        if self._right is not None:
            return self._dleft, self._dright
        return () if self._row is None else (self._dleft,)

    @property
    def scope(self) -> Scope | None:
        """The named part of the program that made it, or None."""
        return self._scope

    @property
    def origin(self) -> Site | None:
        """The source expression that made it; None unless provenance was on."""
        origin = getattr(self, "_origin", None)
        return None if origin is None else Site(*origin)

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
        for node, adjoint in propagate(self, _real(seed, "backward(seed)")).items():
            if adjoint is ZERO:
                adjoint = 0.0
            if node._row is None and node._grad is not None:
                node._grad += adjoint
            else:
                node._grad = adjoint

    # -- arithmetic. The four common operators are inlined: a generic call to the table takes three times as long.
    #    A test holds them to the table's rules. -------------------------------------------------------------------------

    def __add__(self, other: Value | float) -> Value:
        if type(other) is Value:
            return record(_ADD, self._data + other._data, self, other, 1.0, 1.0)
        if type(other) is float:
            return record(_ADD, self._data + other, self, other, 1.0, ZERO)
        return _add(self, other)

    def __radd__(self, other: float) -> Value:
        if type(other) is float:
            return record(_ADD, other + self._data, other, self, ZERO, 1.0)
        return _radd(self, other)

    def __sub__(self, other: Value | float) -> Value:
        if type(other) is Value:
            return record(_SUB, self._data - other._data, self, other, 1.0, -1.0)
        if type(other) is float:
            return record(_SUB, self._data - other, self, other, 1.0, ZERO)
        return _sub(self, other)

    def __rsub__(self, other: float) -> Value:
        if type(other) is float:
            return record(_SUB, other - self._data, other, self, ZERO, -1.0)
        return _rsub(self, other)

    def __mul__(self, other: Value | float) -> Value:
        x = self._data
        if type(other) is Value:
            y = other._data
            return record(_MUL, x * y, self, other, y, x)
        if type(other) is float:
            return record(_MUL, x * other, self, other, other, ZERO)
        return _mul(self, other)

    def __rmul__(self, other: float) -> Value:
        if type(other) is float:
            return record(_MUL, other * self._data, other, self, ZERO, other)
        return _rmul(self, other)

    def __truediv__(self, other: Value | float) -> Value:
        x = self._data
        if type(other) is Value:
            y = other._data
            if y != 0.0:
                quotient = x / y
                return record(_DIV, quotient, self, other, 1.0 / y, -(quotient / y))
        elif type(other) is float and other != 0.0:
            return record(_DIV, x / other, self, other, 1.0 / other, ZERO)
        return _div(self, other)

    __rtruediv__ = _operator("div")[1]
    __pow__, __rpow__ = _operator("pow")
    __floordiv__, __rfloordiv__ = _operator("floor_divide")
    __mod__, __rmod__ = _operator("remainder")

    def __neg__(self) -> Value:
        return record(TABLE["neg"], -self._data, self, None, -1.0, ZERO)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return apply(TABLE["abs"], (self,))

    # -- a number among numbers ----------------------------------------------------------------------------------------

    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __eq__ = _comparison(operator.eq)  # type: ignore[assignment]  # numeric, as on floats; see also __hash__
    __ne__ = _comparison(operator.ne)  # type: ignore[assignment]
    __hash__ = object.__hash__  # identity: two equal numbers are two nodes (trap T28)

    def __bool__(self) -> bool:
        return self._data != 0.0

    def __repr__(self) -> str:
        grad = "" if self._grad is None else f", grad={self._grad!r}"
        name = "" if self.name is None else f", name={self.name!r}"
        return f"Value(data={self._data!r}{grad}{name})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else str(self)

    def __float__(self) -> NoReturn:
        raise OperandError(
            f"float() and the functions of `math` would drop the gradient of {shown(self)}.",
            "Use this package's function of the same name (autograd_mini.exp, ...), or .data for the bare number.",
        )

    __int__ = __float__

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions of arrays and `Value`s work element by element, in arrays of dtype object."""
        numpy = sys.modules["numpy"]  # NumPy called: it is there
        boxed = []
        for value in inputs:
            box = numpy.empty((), dtype=object)
            box[()] = value
            boxed.append(box if type(value) is Value else value)
        return getattr(ufunc, method)(*boxed, **options)

    # -- copying and pickling: flat, for a graph may be a million nodes deep -------------------------------------------

    def __copy__(self) -> Value:
        return _restore([_state(self, lambda operand: operand)])[0]

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        fresh = [node for node in topological_order(self) if id(node) not in memo]
        place = {node: index for index, node in enumerate(fresh)}
        copies = _restore([_state(node, lambda v: place.get(v, memo.get(id(v)))) for node in fresh])
        memo.update(zip(map(id, fresh), copies, strict=True))
        return memo[id(self)]  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        # Leaves are pickled as objects, so that what shares them (the parameters of a model) goes on sharing them.
        computed = [node for node in topological_order(self) if node._row is not None or node is self]
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
    node.name = None
    now = recording()
    node._scope = now.scope
    if now.observe is not None:
        now.observe(node)
    return node


def apply(row: Primitive, operands: tuple[Any, ...]) -> Value:
    """Record one operation on numbers and `Value`s.

    Raises:
        OperandError: an operand is neither.
        ArgumentError: the rule of the row gives another number of partials than there are operands.
    """
    constants = set(map(type, operands)) != {Value}
    if constants:
        operands = tuple([x if type(x) is Value else _real(x, f"{row.name}()") for x in operands])
        numbers = tuple([x._data if type(x) is Value else x for x in operands])
    else:
        numbers = tuple(map(_DATA, operands))
    data = float(row.function(*numbers))
    partials = row.partials(data, numbers)
    if len(partials) != len(operands):
        raise ArgumentError(
            f"The rule of {row.name!r} gives {len(partials)} partial derivatives for {len(operands)} operands.",
            "Return a tuple with one entry an operand, ZERO where there is no edge.",
        )
    if constants:
        partials = tuple([p if type(x) is Value else ZERO for p, x in zip(partials, operands, strict=True)])
    if len(operands) == 1:
        return record(row, data, operands[0], None, partials[0], ZERO)
    if len(operands) == 2:
        return record(row, data, *operands, *partials)
    return record(row, data, operands, None, partials, ZERO)


_DATA = operator.attrgetter("_data")
interpreters[Value] = apply
_add, _radd = _operator("add")
_sub, _rsub = _operator("sub")
_mul, _rmul = _operator("mul")
_div, _ = _operator("div")


def _real(number: Any, where: str) -> float:
    """A real number as a float, or the error that says why it is none."""
    try:
        real = as_number(number)
    except OverflowError:
        raise OverflowError(f"{where} got {shown(number)}, which is beyond the range of floats (1.8e308).") from None
    if real is None:
        raise operand_error(where, number)
    return real


def topological_order(root: Value, leaves: Iterable[Value] = ()) -> dict[Value, Any]:
    """All nodes behind a root, operands before results.

    The order follows from the shape of the graph alone, so gradients have the same bits in every run, however the
    graph was built. Depth does not matter: nothing recurses.

    Args:
        root: where the order ends.
        leaves: nodes to start with; the walk does not look behind them.

    Returns:
        a dict in that order, every node with `ZERO`: the adjoints before a sweep.

    >>> x = Value(3.0)
    >>> y = x * x + 1.0
    >>> [node.op for node in topological_order(y)]
    [None, 'mul', 'add']
    """
    order: dict[Value, Any] = dict.fromkeys(leaves, ZERO)
    path: list[Any] = []  # nodes whose left operands are done; on top of an n-ary one, an iterator over its operands
    node = root
    while True:
        while node not in order:  # down, along the left operands
            path.append(node)
            left = node._left
            if type(left) is Value:
                node = left
            else:
                if type(left) is tuple:
                    path.append(iter(left))
                break
        while path:  # up, until there is another operand to go down to
            node = path.pop()
            if type(node) is Value:
                right = node._right
                if type(right) is Value and right not in order:
                    path.append(node)
                    node = right
                    break
                order[node] = ZERO
            else:
                operands: Any = node
                for node in operands:
                    if type(node) is Value and node not in order:
                        path.append(operands)
                        break
                else:
                    continue
                break
        else:
            return order


def sweep(
    root: Value, seed: Any, adjoints: dict[Value, Any], partials: Callable[[Value], tuple[Any, Any]] | None = None
) -> Iterator[tuple[Value, Any]]:
    """Walk from the root to the leaves, and hand each node's adjoint on to its operands: the chain rule.

    The one place where it happens: `backward()` runs it to the end, `grad` runs it on `Value`s, a debugger pauses it.

    Args:
        root: the last node of the order.
        seed: the adjoint of the root.
        adjoints: the topological order, every node with `ZERO`; filled by the sweep.
        partials: the local partials of a node, as (left, right); by default the recorded floats.

    Yields:
        each node with its complete adjoint, before it is handed on; `ZERO` where nothing arrived.

    >>> x = Value(3.0)
    >>> y = x * x + 1.0
    >>> [(node.op, adjoint) for node, adjoint in sweep(y, 1.0, topological_order(y))]
    [('add', 1.0), ('mul', 1.0), (None, 6.0)]
    """
    adjoints[root] = seed
    for node, adjoint in reversed(adjoints.items()):
        yield node, adjoint
        if adjoint is ZERO:
            continue
        dleft, dright = (node._dleft, node._dright) if partials is None else partials(node)
        if type(dleft) is tuple:
            for operand, partial in zip(node._left, dleft, strict=True):
                if partial is not ZERO:
                    before = adjoints[operand]
                    adjoints[operand] = adjoint * partial if before is ZERO else before + adjoint * partial
            continue
        if dleft is not ZERO:
            operand = node._left
            before = adjoints[operand]
            adjoints[operand] = adjoint * dleft if before is ZERO else before + adjoint * dleft
        if dright is not ZERO:
            operand = node._right
            before = adjoints[operand]
            adjoints[operand] = adjoint * dright if before is ZERO else before + adjoint * dright


def propagate(root: Value, seed: float) -> dict[Value, Any]:
    """The adjoints of all nodes behind a root, in topological order: a sweep run to its end.

    Raises:
        NonFiniteError: under `checked()`, a contribution is nan or infinite.
    """
    adjoints = topological_order(root)
    walk = sweep(root, seed, adjoints)
    if is_checked.get():
        for node, adjoint in walk:
            check_contributions(node, adjoint)
    deque(walk, maxlen=0)
    return adjoints


def _state(node: Value, refer: Callable[[Value], Any]) -> tuple[Any, ...]:
    """Everything a node holds (except its origin, for code cannot be pickled), with references for its operands."""
    operands = tuple([refer(x) if type(x) is Value else x for x in node.operands])
    return node._row, node._data, node._grad, node.name, node._scope, operands, node.partials


def _restore(states: Iterable[tuple[Any, ...]]) -> list[Value]:
    """The nodes of these states; an int among the operands refers to a node restored before."""
    nodes: list[Value] = []
    for row, data, grad, name, scope, references, partials in states:
        operands = tuple([nodes[x] if type(x) is int else x for x in references])
        node: Value = _new(Value)
        node._row, node._data, node._grad, node.name, node._scope = row, data, grad, name, scope
        if len(operands) > 2:
            node._left, node._right, node._dleft, node._dright = operands, None, partials, ZERO
        else:
            node._left, node._right = (*operands, None, None)[:2]
            node._dleft, node._dright = (*partials, ZERO, ZERO)[:2]
        nodes.append(node)
    return nodes


def _last(states: Iterable[tuple[Any, ...]]) -> Value:
    return _restore(states)[-1]


def attach(name: str, function: Callable[..., Any]) -> None:
    """Make a function of a `Value` one of its methods, also under NumPy's name for it, so that arrays find it."""
    for alias in {name, _NUMPY_NAMES.get(name, name)}:
        setattr(Value, alias, function)


_NUMPY_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2",
                "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}  # fmt: skip


def _method(row: Primitive) -> Callable[..., Value]:
    def method(self: Value, *others: Value | float) -> Value:
        return apply(row, (self, *others))

    method.__name__, method.__doc__ = row.name, f"`autograd_mini.{row.name}` of this value."
    return method


for _row in TABLE.values():
    if _row.symbol == _row.name:  # written as a function, not as an operator
        attach(_row.name, _method(_row))
