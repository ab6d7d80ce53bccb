"""What every number that records can do: the operators, and the functions as methods, so that NumPy finds them too.

`v.exp()` is `exp(v)`, and `np.exp` of an array of such numbers asks for it. All go through the table, and from there to
the interpreter of the number's class. Not here: any such class. Read next: `engine`, which has the first, `Value`.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from autograd_mini.errors import OperandError, shown
from autograd_mini.primitives import FLAT, TABLE, Primitive, as_number, interpreters, is_hopeless, operand_error

# NumPy's names for functions that `math` calls otherwise.
_NUMPY_NAMES = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}


def right_operand(row: Primitive, other: Any) -> Any:
    """The right-hand side of an operator; None where its own class may have an answer."""
    if isinstance(other, Methods):
        return other
    number = None if other is FLAT and row.symbol in "+*" else as_number(other)  # it answers for itself
    if number is None and is_hopeless(other):
        raise operand_error(f"The operator {row.symbol}", other)
    return number


def _operator(name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """An operator and its reflection."""
    row = TABLE[name]

    def forward(self: Any, other: Any) -> Any:
        operand = right_operand(row, other)
        return NotImplemented if operand is None else interpreters[type(self)](row, (self, operand))

    def reflected(self: Any, other: Any) -> Any:
        operand = right_operand(row, other)
        return NotImplemented if operand is None else interpreters[type(self)](row, (operand, self))

    return forward, reflected


# Called with both operands where `< <= > >=` finds them equal; set while `kinks` watches.
on_boundary: ContextVar[Callable[[Any, Any], None] | None] = ContextVar("on_boundary", default=None)


def _comparison(compare: Callable[[Any, Any], Any], has_boundary: bool = True) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if type(other) is not float and type(other) is not int:  # an int of any size compares exactly
            other = other._data if isinstance(other, Methods) else as_number(other)
        answer = NotImplemented if other is None else compare(self._data, other)
        if has_boundary and type(answer) is bool and self._data == other and (watch := on_boundary.get()) is not None:
            watch(self, other)
        return answer

    return method


def _method(name: str) -> Callable[..., Any]:
    row = TABLE[name]

    def method(self: Any, *others: Any) -> Any:
        return interpreters[type(self)](row, (self, *others))

    method.__name__, method.__doc__ = name, f"`autograd_mini.{name}` of this number."
    return method


class Methods:
    """The base class of numbers that record: operators, and methods with the names of functions."""

    __slots__ = ()

    _data: Any  # what comparisons look at
    contains_others: ClassVar[bool] = False  # whether such a number is made of numbers of the other classes

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub")
    __mul__, __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("div")
    __pow__, __rpow__ = _operator("pow")
    __floordiv__, __rfloordiv__ = _operator("floor_divide")
    __mod__, __rmod__ = _operator("remainder")
    __neg__, __abs__, __floor__ = map(_method, ("neg", "abs", "floor"))  # NumPy's floor asks for the last

    def __pos__(self) -> Any:
        return self

    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __eq__ = _comparison(operator.eq, has_boundary=False)  # numeric, as on floats; see also __hash__
    __ne__ = _comparison(operator.ne, has_boundary=False)
    __hash__ = object.__hash__  # identity: two equal numbers are two nodes (trap T28)

    def __float__(self) -> NoReturn:
        raise OperandError(
            f"A plain number, as float() and `math` make it, would lose the gradient of {shown(self)}.",
            "Use this package's function of the same name (autograd_mini.exp, ...); .data is the bare number.",
        )

    __int__ = __float__

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's functions of arrays and such numbers work element by element, in arrays of dtype object."""
        numpy = sys.modules["numpy"]  # NumPy called: it is there
        boxed = []
        for value in inputs:
            box = numpy.empty((), dtype=object)
            box[()] = value
            boxed.append(box if isinstance(value, Methods) else value)
        return getattr(ufunc, method)(*boxed, **options)

    if TYPE_CHECKING:

        @property
        def data(self) -> Any: ...  # the bare number

        abs: Callable[..., Any]
        acos: Callable[..., Any]
        acosh: Callable[..., Any]
        arccos: Callable[..., Any]
        arccosh: Callable[..., Any]
        arcsin: Callable[..., Any]
        arcsinh: Callable[..., Any]
        arctan: Callable[..., Any]
        arctan2: Callable[..., Any]
        arctanh: Callable[..., Any]
        asin: Callable[..., Any]
        asinh: Callable[..., Any]
        atan: Callable[..., Any]
        atan2: Callable[..., Any]
        atanh: Callable[..., Any]
        cbrt: Callable[..., Any]
        clip: Callable[..., Any]
        cos: Callable[..., Any]
        cosh: Callable[..., Any]
        elu: Callable[..., Any]
        erf: Callable[..., Any]
        erfc: Callable[..., Any]
        exp: Callable[..., Any]
        exp2: Callable[..., Any]
        expm1: Callable[..., Any]
        floor: Callable[..., Any]
        fmod: Callable[..., Any]
        gelu: Callable[..., Any]
        hard_tanh: Callable[..., Any]
        hypot: Callable[..., Any]
        leaky_relu: Callable[..., Any]
        log: Callable[..., Any]
        log10: Callable[..., Any]
        log1p: Callable[..., Any]
        log2: Callable[..., Any]
        log_sigmoid: Callable[..., Any]
        maximum: Callable[..., Any]
        minimum: Callable[..., Any]
        ndtr: Callable[..., Any]
        one_minus_square: Callable[..., Any]
        relu: Callable[..., Any]
        selu: Callable[..., Any]
        sigmoid: Callable[..., Any]
        sign: Callable[..., Any]
        silu: Callable[..., Any]
        sin: Callable[..., Any]
        sinh: Callable[..., Any]
        softplus: Callable[..., Any]
        softsign: Callable[..., Any]
        sqrt: Callable[..., Any]
        stop_gradient: Callable[..., Any]
        tan: Callable[..., Any]
        tanh: Callable[..., Any]
        where: Callable[..., Any]
        xlogy: Callable[..., Any]


def attach(name: str, function: Callable[..., Any]) -> None:
    """Make a function of a recording number one of its methods, also under NumPy's name for it."""
    for alias in {name, _NUMPY_NAMES.get(name, name)}:
        setattr(Methods, alias, function)


_FOR_RULES = ("flat", "lifted_ndtr", "one_power_less", "power_term", "slope_at_kink")

for _row in TABLE.values():
    if _row.symbol == _row.name and _row.name not in _FOR_RULES:  # written as a function, not as an operator
        attach(_row.name, _method(_row.name))
