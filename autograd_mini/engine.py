"""`Value`: a number that records how it was computed, so that it can be differentiated.

Every operation makes a node that holds its operands and the local partial derivative for each; the sweep multiplies
them on the way back. Not here: derivatives (`table`), and the sweep (`sweep`). Read next: `functions`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, ClassVar, Final, TypeGuard

from autograd_mini.core.accelerator import is_unwatched, native
from autograd_mini.core.arrays import is_array
from autograd_mini.core.cell import SLOTS, Cell, adopt, record, record_dot, record_where
from autograd_mini.core.copies import Copied
from autograd_mini.core.node import CUT_OFF, FOR_MICROGRAD, Missing, Notes, is_cut_off
from autograd_mini.core.row import (
    TABLE,
    ZERO,
    Constant,
    Primitive,
    float_of,
    interpreters,
    on_arrays,
    operand_error,
    real_number,
)
from autograd_mini.core.sweep import propagate, topological_order
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.program.marks import new_mark
from autograd_mini.program.stack import Scope, recording

_DOT, _WHERE = TABLE["dot"], TABLE["where"]

implementation: Final = "python" if native is None else "native"  # which version of the inner loop runs


class Value(Cell, Copied):
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

    __slots__ = SLOTS

    _data: float
    _grad: float | None
    debug: ClassVar[Callable[[Value], None]]  # the debugger attaches it

    # A hook for all unknown attributes would double the time to read known ones; setting would take ten times as long.
    _backward, _vis_color, m, v = Missing(), Missing(), Missing(), Missing()

    def __init__(self, data: float, name: str | None = None, label: str | None = None) -> None:
        self._data = data if type(data) is float else real_number(data, "Value()")
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
        self._data = data if type(data) is float else real_number(data, "Value.data")

    @property
    def grad(self) -> float:
        """The gradient: on leaves the sum over all sweeps, on computed nodes from the last; 0.0 before the first."""
        return 0.0 if self._grad is None else float(self._grad)  # not FLAT

    @grad.setter
    def grad(self, grad: float | None) -> None:
        self._grad = None if grad is None else grad if type(grad) is float else real_number(grad, "Value.grad")

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
        seed = real_number(seed, "backward(seed)")
        if is_cut_off(self):
            raise ArgumentError(
                f"backward() was called on {self!r}, which {CUT_OFF}.",
                "Compute it outside of no_grad(), or call backward() on what it was detached from.",
            )
        hooks = recording().hooks
        if hooks.at_backward is not None:
            hooks.at_backward(self, seed)
        _accumulate(self, seed)
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


def _accumulate(root: Any, seed: float) -> None:
    """Add its adjoint to the gradient of each leaf behind a root, and make it the gradient of each computed node.

    All are written in one call, during which no signal arrives and no other thread runs: after an interruption, no
    gradient has changed. If another thread or a signal handler has added to a leaf meanwhile, it begins again.
    """
    if is_unwatched() and native.propagate(root, seed, None, 0):
        return
    found = topological_order(root)
    propagate(root, seed, found)
    leaves = [node for node in found if node._row is None]
    before = [*_gradients(leaves)]
    sums = [a if node._row is not None or (old := node._grad) is None else old + a for node, a in found.items()]
    changes = map(operator.ne if native else operator.is_not, before, _gradients(leaves))
    if any(chain(changes, map(type(root)._grad.__set__, found, sums))):
        _accumulate(root, seed)


def _gradients(leaves: Iterable[Any]) -> Iterator[Any]:
    """The current gradients, to see whether one is replaced; as text if C makes a new float at each look."""
    gradients = map(operator.attrgetter("_grad"), leaves)
    return map(repr, gradients) if native else gradients


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
        if row is _DOT and (product := record_dot(operands)) is not None:
            return product
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
        operands = tuple(
            [x if type(x) is Value or type(x) is float else real_number(x, f"{row.name}()") for x in operands]
        )
        numbers = tuple([x._data if type(x) is Value else x for x in operands])
        data = float_of(row, row.function(*numbers))
        if len(numbers) == 2:  # rules of two may be slow, and NumPy would warn of 0 * log(0) in x**2
            numbers = tuple([Constant(x) if type(x) is float else x._data for x in operands])
        partials = row.partials(data, numbers)
        partials = tuple([p if type(x) is Value else ZERO for p, x in zip(partials, operands, strict=True)])
    if len(operands) == 2:
        return record(row, data, *operands, *partials)
    return record(row, data, operands, None, partials, ZERO)


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
adopt(Value)
interpreters[Value] = apply
