"""What all recording numbers can do: the operators, and the functions as methods, so that NumPy finds them too.

`v.exp()` is `exp(v)`, and `np.exp` of an array of such numbers calls it. All go through the table, and from there to
the interpreter of the number's class. Not here: these classes. Read next: `core.attached`.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import autograd_mini.core.table  # noqa: F401  # fills TABLE
from autograd_mini.core.arrays import boxed, elementwise
from autograd_mini.core.attached import Attached
from autograd_mini.core.row import FLAT, TABLE, Primitive, as_number, branch, interpreters, is_hopeless, operand_error
from autograd_mini.core.rules import named
from autograd_mini.errors import OperandError, shown
from autograd_mini.program.stack import recording

_where, _maximum, _minimum = map(named, ("where", "maximum", "minimum"))

# What NumPy's and SciPy's functions do on these numbers. NumPy's own loops over objects lack some of them, and lose nan
# and ties in others. Functions that are not listed here, NumPy computes with operators and methods.
_PREDICATES: dict[str, Callable[..., Any]] = {
    "isnan": lambda x: x != x,
    "isinf": lambda x: (x == math.inf) | (x == -math.inf),
    "isfinite": lambda x: (x == x) & (x != math.inf) & (x != -math.inf),
    "logical_and": lambda a, b: bool(a) and bool(b),
    "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_xor": lambda a, b: bool(a) != bool(b),
    "logical_not": operator.not_,
}
_ANSWERS: dict[str, Callable[..., Any]] = {
    **_PREDICATES,
    **{row.numpy or row.name: named(row.name) for row in TABLE.values() if row.is_public},
    "fmax": lambda a, b: _where(a != a, b, _where(b != b, a, _maximum(a, b))),
    "fmin": lambda a, b: _where(a != a, b, _where(b != b, a, _minimum(a, b))),
    "heaviside": lambda x, half: _where(x < 0.0, 0.0, _where(x == 0.0, half, _where(x > 0.0, 1.0, x))),
    "divmod": divmod,
}


def right_operand(row: Primitive, other: Any) -> Any:
    """The other operand of an operator as a number; None if its class may implement the operator."""
    if type(other) is float or isinstance(other, Methods):
        return other
    number = None if other is FLAT and row.symbol in "+*" else as_number(other)  # FLAT has both operators
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


def _comparison(symbol: str, compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        right = other
        if type(other) is not float and type(other) is not int:  # an int of any size compares exactly
            if isinstance(other, Methods):
                if other.compares_itself and not self.contains_others:
                    return NotImplemented  # it says what it compares with
                other = other if other.compares_itself else other._data
            else:
                other = as_number(other)
        answer = NotImplemented if other is None else compare(self._data, other)
        if type(answer) is bool:
            for watch in recording().hooks.comparisons:
                watch(self, symbol, right, answer)
        return answer

    return method


def _method(name: str) -> Callable[..., Any]:
    row = TABLE[name]

    def method(self: Any, *others: Any) -> Any:
        return interpreters[type(self)](row, (self, *others))

    method.__name__, method.__doc__ = name, f"`autograd_mini.{name}` of this number."
    return method


def _extra(name: str, meaning: str, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    method.__name__, method.__doc__ = name, meaning
    return method


def _put(number: Any, out: Any) -> Any:
    """Return a number, or store it in NumPy's `out=`."""
    if out is None:
        return number
    out[...] = number
    return out


def _input(name: str, x: Any) -> Any:
    """An operand of a NumPy function, whose elements become Python's numbers or ours as objects."""
    if isinstance(x, Methods):
        return boxed(x)
    if isinstance(x, (list, tuple)):
        x = sys.modules["numpy"].asarray(x)
    dtype: Any = getattr(x, "dtype", None)
    kind = getattr(dtype, "kind", "O")
    if kind in "cmMSUV" and name not in ("equal", "not_equal"):  # dates in nanoseconds would become integers
        raise operand_error(f"NumPy's {name} of Values", x)
    if kind == "f" and dtype.itemsize > 8:  # as objects, long doubles would call back here forever
        return elementwise(as_number, sys.modules["numpy"].asarray(x))
    return x


def _answering(ufunc: Any) -> Any:
    """The ufunc that computes a function of NumPy or SciPy on objects; it has all methods, such as `reduce`."""
    name, homes = ufunc.__name__, map(sys.modules.get, ("numpy._core.umath", "numpy.core.umath", "scipy.special"))
    if name not in _ANSWERS or all(getattr(home, name, None) is not ufunc for home in homes):
        return ufunc  # perhaps a user's, with the same name
    return _ufunc(name, ufunc.nin, ufunc.nout, ufunc.identity)


@functools.cache
def _ufunc(name: str, nin: int, nout: int, identity: Any) -> Any:
    def function(*operands: Any) -> Any:
        return _ANSWERS[name](*operands)

    function.__name__ = name
    return sys.modules["numpy"].frompyfunc(function, nin, nout, identity=identity)


class Methods(Attached):
    """The base class of recording numbers: operators, and methods named like the functions."""

    __slots__ = ()

    _data: Any  # what comparisons compare
    contains_others: ClassVar[bool] = False  # whether it can hold numbers of the other classes
    compares_itself: ClassVar[bool] = False  # whether its data cannot be compared without it

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub")
    __mul__, __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("div")
    __pow__, __rpow__ = _operator("pow")
    __floordiv__, __rfloordiv__ = _operator("floor_divide")
    __mod__, __rmod__ = _operator("remainder")
    __neg__, __abs__, __floor__ = map(_method, ("neg", "abs", "floor"))  # NumPy's floor calls the last

    def __pos__(self) -> Any:
        return self

    __lt__ = _comparison("<", operator.lt)
    __le__ = _comparison("<=", operator.le)
    __gt__ = _comparison(">", operator.gt)
    __ge__ = _comparison(">=", operator.ge)
    __eq__ = _comparison("==", operator.eq)
    __eq__.__doc__ = """Whether the numbers are equal, as with floats; `hash`, sets and dict keys use identity.

    In a list, `v in nodes`, `nodes.index(v)` and `nodes.remove(v)` therefore match any node with the same number. To
    look for the node itself, write `any(v is node for node in nodes)`, or use a dict, as in `dict.fromkeys(nodes)`.
    For code written for micrograd, use the `Value` of `autograd_mini.micrograd`, whose `==` is identity.
    """
    __ne__ = _comparison("!=", operator.ne)
    __hash__ = object.__hash__  # identity: two equal numbers are two nodes (T28)

    def __float__(self) -> NoReturn:
        raise OperandError(
            f"float() and functions of `math` would lose the gradient of {shown(self)}.",
            "Use this package's function of the same name (autograd_mini.exp, ...); .data is the bare number.",
        )

    __int__ = __float__

    # -- called by Python's own functions and NumPy's loops over objects ---------------------------------------------

    def __ceil__(self) -> Any:
        return -math.floor(-self)

    def __trunc__(self) -> Any:
        return branch(
            self >= 1.0,
            lambda: math.floor(self),
            lambda: branch(self <= -1.0, lambda: math.ceil(self), lambda: 0.0 * self.stop_gradient()),  # -0.0, nan stay
        )

    def __round__(self, digits: int | None = None) -> Any:
        return self.round(digits or 0)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        """The nearest number with this many decimals; ties to even."""
        return _put(interpreters[type(self)](TABLE["round"], (self, operator.index(decimals))), out)

    def clip(self, low: Any = None, high: Any = None, out: Any = None) -> Any:
        """`autograd_mini.clip` of this number; None means no bound, as in NumPy."""
        bounds = -math.inf if low is None else low, math.inf if high is None else high
        return _put(interpreters[type(self)](TABLE["clip"], (self, *bounds)), out)

    def rint(self) -> Any:
        """The nearest integer; ties to even."""
        return self.round()

    def conjugate(self) -> Any:
        """The number itself, because it is real."""
        return self

    conj = conjugate

    @property
    def real(self) -> Any:
        """The number itself."""
        return self

    @property
    def imag(self) -> float:
        """0.0, because the number is real."""
        return 0.0

    square = _extra("square", "The number times itself.", lambda x: x * x)
    reciprocal = _extra("reciprocal", "1 / the number.", lambda x: 1.0 / x)
    degrees = rad2deg = _extra("degrees", "Convert an angle from radians to degrees.", lambda x: x * (180.0 / math.pi))
    radians = deg2rad = _extra("radians", "Convert an angle from degrees to radians.", lambda x: x * (math.pi / 180.0))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Apply a NumPy function to recording numbers and arrays of them, element by element, with dtype object."""
        numpy, is_mask = sys.modules["numpy"], ufunc.__name__ in _PREDICATES  # loaded, because NumPy called
        inputs = tuple([_input(ufunc.__name__, x) for x in inputs])
        if is_mask and "out" in options:
            options.setdefault("casting", "unsafe")
        try:
            answering = _answering(ufunc)
            dtype = numpy.dtype(options.pop("dtype", None) or object) if answering is not ufunc else None
            if dtype is not None and dtype.kind != "O" and not is_mask:
                raise TypeError("the results have dtype object, whatever dtype you ask for")
            with numpy.errstate(all="ignore"):  # NumPy would warn of Python's comparisons with nan
                answer = getattr(answering, method)(*inputs, **options)
        except TypeError as error:
            if isinstance(error, OperandError):
                raise
            raise OperandError(
                f"NumPy cannot compute {ufunc.__name__} of {shown(self)}: {error}.",
                "Use this package's functions, and arrays of dtype object to hold the results.",
            ) from error
        return answer.astype(bool) if is_mask and isinstance(answer, numpy.ndarray) and "out" not in options else answer


def attach(name: str, function: Callable[..., Any], alias: str = "") -> None:
    """Make a function a method of recording numbers, also under NumPy's name for it."""
    for title in {name, alias or name}:
        setattr(Attached, title, function)
    if name == "logaddexp":
        _ANSWERS[name] = function


for _row in TABLE.values():
    if _row.is_method and not hasattr(Methods, _row.name):
        attach(_row.name, _method(_row.name), _row.numpy)
