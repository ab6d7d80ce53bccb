"""A row of the table: one primitive operation, and how it is evaluated on operands of each type.

Not here: the rows (`table`), and `Value`, which is registered in `interpreters` like every type of operand.
Read next: `core.operation`.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final

from autograd_mini.core import ieee
from autograd_mini.core.arrays import elements as array_elements
from autograd_mini.core.arrays import elementwise, is_array
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, RangeError, counted, shown
from autograd_mini.program.stack import recording

Interval = tuple[float, float]
Interpreter = Callable[["Primitive", tuple[Any, ...]], Any]
Operation = Callable[..., Any]  # on floats, `Value`s, SymPy expressions and traced values


class Zero:
    """The type of `ZERO`, the structural zero: there is no edge, so nothing is ever multiplied."""

    __slots__ = ()

    def __mul__(self, other: Any) -> Zero:
        return self

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __rsub__ = __add__

    def __sub__(self, other: Any) -> Any:
        return -other

    def __neg__(self) -> Zero:
        return self

    def __repr__(self) -> str:
        return "ZERO"

    def __reduce__(self) -> str:
        return "ZERO"  # pickled by name, so that there is only one


ZERO: Final = Zero()


class Flat(float):
    """The type of `FLAT`, a zero slope that keeps its edge: the first derivative is 0, whatever multiplies it.

    The second derivative follows the edge, because the slope is 0 at this one point only.
    """

    __slots__ = ()

    def __mul__(self, other: Any) -> Any:
        return self if isinstance(other, (float, int)) or type(other) in interpreters else NotImplemented

    def __add__(self, other: Any) -> Any:
        return other if isinstance(other, (float, int)) or type(other) in interpreters else NotImplemented

    __rmul__, __radd__ = __mul__, __add__

    def __neg__(self) -> Flat:
        return self

    def __reduce__(self) -> str:
        return "FLAT"


FLAT: Final = Flat()


def nowhere(result: float, *operands: float) -> bool:
    return False


@dataclass(frozen=True, eq=False, slots=True)
class Primitive:
    """A row of the table: one operation, and the facts about it that the rest of the package uses."""

    name: str  # its key in `TABLE`, and what `Value.op` says
    function: Callable[..., float]  # the operation on floats; returns inf and nan where `math` raises
    rule: Callable[..., tuple[Any, ...]]  # rule(result, *operands): a local partial per operand, a number or `ZERO`
    symbol: str  # how formulas and pictures write it: "+" for "add"; for functions, the name
    domain: tuple[Interval, ...]  # one interval per operand, from which tests draw points; the last one repeats
    ulp: tuple[float, ...]  # the largest errors of the value and three derivatives; empty if it is not smooth
    kink: Callable[..., bool] = nowhere  # kink(result, *operands): is it defined but not differentiable there?
    curvature: float | None = None  # second derivatives where slopes jump: 0.0 between lines, nan at the tip of a cone
    expansion: Operation | None = None  # its value in simpler rows, for languages that lack it
    numpy: str = ""  # NumPy's name, if different
    form: str = ""  # how formulas write it, if neither as a sign nor as a call: "power", "fraction", ...
    letter: str = ""  # the letter for its results in a written proof; by default, the first one of the name
    inside: Interval = (-math.inf, math.inf)  # the operands at which value and slope are finite
    poles: tuple[float, ...] | None = ()  # the operands at which value or slope are infinite; None if unknown
    has_flat_tails: bool = False  # does the slope become 0 in floating point far out, while the value does not?
    is_step: bool = False  # is the derivative 0 wherever it exists?
    is_exact: bool = False  # is the result exact, without rounding?
    is_straight: bool = False  # are the partials the same for all operands?
    is_public: bool = True  # is it a function of the package?
    is_method: bool = True  # is it a method of numbers that record?
    is_users: bool = False  # was it added with `primitive`?

    @property
    def arity(self) -> int | None:
        """The number of operands; None if it varies."""
        code = getattr(self.rule, "__code__", None)
        return None if code is None or code.co_flags & 4 else code.co_argcount - 1  # 4: inspect.CO_VARARGS

    def partials(self, result: Any, operands: Sequence[Any]) -> tuple[Any, ...]:
        """The local partial derivative for each operand, following C99; `ZERO` where there is no edge."""
        if self.curvature is None:
            return self._c99_partials(result, operands)
        is_cone = math.isnan(self.curvature)  # not by ==: NumPy would warn of a comparison with nan
        if is_cone and not isinstance(known(result), float):  # on a tape, where both are needed
            is_tip, slope = self.kink(result, *operands), evaluate(TABLE["slope_at_kink"], tuple(operands))
            return tuple([select(is_tip, slope, p) for p in self._c99_partials(result, operands)])
        if not (is_cone or recording().hooks.checked) or not self.is_at_kink(result, operands):
            return self._c99_partials(result, operands)
        slope = evaluate(TABLE["slope_at_kink"], tuple(operands))
        if is_cone:
            return (slope,) * len(operands)
        return tuple([slope if p is ZERO else p + slope for p in self._c99_partials(result, operands)])

    def is_at_kink(self, result: Any, operands: Sequence[Any]) -> bool:
        """Whether all operands are numbers, and the operation is not differentiable there."""
        if {type(result), *map(type, operands)} == {float}:
            return self.kink(result, *operands)
        numbers = [getattr(number, "data", number) for number in (result, *operands)]
        return all(isinstance(number, float) for number in numbers) and self.kink(*numbers)

    def _c99_partials(self, result: Any, operands: Sequence[Any]) -> tuple[Any, ...]:
        try:
            partials = self.rule(result, *operands)
            if not isinstance(partials, (tuple, list)):
                raise ArgumentError(
                    f"The rule of {self.name!r} returned {shown(partials)}, which is not a tuple.",
                    "Return one partial derivative per operand; write a tuple of one as (p,).",
                )
            if len(partials) != len(operands):
                raise ArgumentError(
                    f"The rule of {self.name!r} gives {counted(len(partials), 'partial derivative')} for "
                    f"{counted(len(operands), 'operand')}.",
                    "Return a tuple with one entry per operand, ZERO where there is no edge.",
                )
            return tuple([p if type(p) is float or p is ZERO else self._partial(p, result) for p in partials])
        except AutogradError:
            raise
        except (ArithmeticError, ValueError):
            partials = by_c99(f"The rule of {self.name!r}", self.rule, (result, *operands))
            return tuple([self._partial(p, result, is_c99=True) for p in partials])

    def _partial(self, partial: Any, result: Any, is_c99: bool = False) -> Any:
        if partial is ZERO:
            return ZERO
        if type(partial) in interpreters and not isinstance(partial, float):
            return partial
        if isinstance(partial, complex) and not is_c99:  # (-8.0) ** 0.5 is nan then
            raise ArithmeticError
        number = as_number(partial)
        is_wrong = isinstance(result, float) or (is_hopeless(partial) and not is_formula(partial))
        if number is None and is_wrong and type(partial) not in interpreters:
            raise ArgumentError(
                f"The rule of {self.name!r} returned {shown(partial)} for numbers.",
                "Compute each partial from the result and the operands; it must be a number or ZERO.",
            )
        return partial if number is None else number

    def __reduce__(self) -> tuple[Any, ...]:
        return _row_named, (self.name,)


TABLE: dict[str, Primitive] = {}

# Interpreters by operand type: interpreters[type](row, operands) evaluates an operation. The module named below adds a
# library's types; it is imported when the first operand of that library arrives.
interpreters: dict[type, Interpreter] = {}
_INTERPRETED_BY = {"sympy": "autograd_mini.symbolic.table"}


def as_number(operand: object) -> float | None:
    """A real number (int, bool, float, Fraction, NumPy scalar or zero-dimensional array) as a float, else None."""
    try:
        if isinstance(operand, (float, int)):  # first, because checking an abstract class is slow
            return float(operand)
        if isinstance(operand, Real) and type(operand).__name__ != "timedelta64":  # an integer type for NumPy
            number = float(operand)
            if math.isinf(number) and number != operand:
                raise OverflowError
            return number
    except OverflowError:
        raise RangeError(
            f"{shown(operand)} is beyond the range of floats, 1.8e308.", "Scale the problem, or use a logarithm."
        ) from None
    if type(operand).__module__ == "numpy" and type(operand).__name__ in ("bool", "bool_"):
        return float(bool(operand))  # the one NumPy scalar that is not registered as a number
    # A dual number after its derivative has ended. Only its class is asked: an object may have any attribute.
    as_float: Callable[[Any], float | None] | None = getattr(type(operand), "as_float", None)
    if as_float is not None:
        return as_float(operand)
    return as_number(operand[()]) if is_array(operand) and operand.ndim == 0 else None


def is_formula(x: object) -> bool:
    """Whether an operand is from a library whose expressions the package interprets."""
    return any(kind.__module__.partition(".")[0] in _INTERPRETED_BY for kind in type(x).__mro__)


def known(x: Any) -> Any:
    """What to compare in search of a special point: the number behind an operand.

    For a formula it is nan, so that the general form is kept; on a tape the operand itself, and `branch` decides.
    """
    number = getattr(x, "data", x)
    return number if isinstance(number, float) else math.nan if is_formula(number) else x


def is_operand(operand: object) -> bool:
    """Whether operations take an operand: a number, or an object whose type has an interpreter."""
    is_interpreted = any(kind in interpreters for kind in type(operand).__mro__)
    return as_number(operand) is not None or is_interpreted or is_formula(operand)


def is_hopeless(operand: object) -> bool:
    """Whether a wrong operand cannot implement the operator either, so that the error is due now."""
    if is_formula(operand):
        return True  # formulas and numbers with a graph do not mix
    kind = type(operand)
    return operand is None or kind.__name__ == "Decimal" or kind in (str, bytes, list, tuple, dict, set, complex)


_BARE = ("backward(seed)", "huber(delta)", "Value.data", "Value.grad")  # these take plain numbers only


def operand_error(where: str, operand: object) -> OperandError:
    """The error for an operand of a type without an interpreter, with advice for common mistakes."""
    if is_array(operand) and operand.ndim == 0:
        return operand_error(where, operand[()])
    kind = type(operand).__name__
    takes = "a real number" if where in (*_BARE, "Value()") else "real numbers and Values"
    return OperandError(f"{where} takes {takes}, not {kind}: {shown(operand)}.", _advice(where, operand, kind))


def _advice(where: str, operand: Any, kind: str) -> str:
    if isinstance(operand, str):
        return "Convert text first: float(text)."
    if operand is None:
        return "Look for a function without a `return`, or a name that was never assigned."
    if isinstance(operand, complex):
        return "Values are real; compute with .real and .imag instead."
    if kind == "Decimal":
        return "Python does not mix Decimal and float either; write float(x)."
    if kind == "Value":
        own = "It is a Value already; use it as it is, or pass its .data for a new leaf with the same number."
        return "Pass its number, .data." if where in _BARE else own
    if kind.startswith("Masked"):
        return "Masks are not supported: pass the elements that are not masked, array.compressed()."
    is_leaf = where.startswith("Value")
    if not (hasattr(operand, "__array__") or isinstance(operand, Iterable)):
        takes = (
            "int, float, Fraction or NumPy scalar"
            if is_leaf or where in _BARE
            else "int, float, Fraction, NumPy scalar or Value"
        )
        return f"Pass an {takes}."
    if is_leaf:
        return "A Value is one number; make a list: [Value(x) for x in xs]."
    if hasattr(operand, "__array__") and not is_array(operand) and getattr(operand, "shape", None) != ():
        return "Make it a NumPy array first: numpy.asarray(x)."
    if " by " in where:
        return "Pass a number, or a list, tuple, dict or NumPy array of numbers."
    if ", element " in where:
        return "Pass one list of numbers; for several lists, call it once for each."
    if where.startswith("The operator"):
        return "Operate on one number at a time, or on a NumPy array, whose operators work element by element."
    call, is_call, _ = where.partition("()")
    arity = TABLE[call].arity if call in TABLE else 1
    if is_call and arity is None:
        return f"Pass the numbers as separate arguments: {call}(*xs); or NumPy arrays."
    each = f": [{call}(x) for x in xs]; or a NumPy array" if is_call and arity == 1 else ""
    return f"Pass one number at a time{each}."


def operand_of(x: Any, where: str) -> Any:
    """A number as a float, any other valid operand as it is; raises an error that says where otherwise."""
    if type(x) in interpreters:  # also a constant in forward mode, which `as_number` would turn into a float
        return x
    number = as_number(x)
    if number is None and is_array(x) and x.ndim == 0:
        return operand_of(x[()], where)  # a `Value` in a zero-dimensional array
    if number is None and not is_operand(x):
        raise operand_error(where, x)
    return x if number is None else number


def real_number(number: Any, where: str) -> float:
    """A real number as a float; raises an error with advice for anything else."""
    real = as_number(number)
    if real is None:
        raise operand_error(where, number)
    return real


def elements(name: str, xs: Any, ordered: bool = False) -> list[Any]:
    """The elements of the one-dimensional iterable that a function takes, as a new list."""
    if type(xs) is list or type(xs) is tuple:
        return list(xs)
    shape = getattr(xs, "shape", None)
    if isinstance(xs, (str, bytes)) or not isinstance(xs, Iterable) or shape == ():
        raise OperandError(f"{name}() takes a list of numbers or Values, not {shown(xs)}.", "Put it into a list.")
    if isinstance(xs, Mapping):
        raise OperandError(f"{name}() takes a list of numbers or Values, not the dict {shown(xs)}.",
                           f"Pass its values: {name}(d.values()).")  # fmt: skip
    if ordered and isinstance(xs, (set, frozenset)):
        raise OperandError(f"{name}() takes a list of numbers or Values, but a set has no order.", "Pass a list.")
    if isinstance(shape, tuple) and len(shape) != 1:
        raise OperandError(
            f"{name}() takes one dimension, not {len(shape)}: it got an array of shape {tuple(shape)}.",
            f"For each row write numpy.apply_along_axis(autograd_mini.{name}, 1, a); for all elements, a.ravel().",
        )
    return array_elements(xs) if is_array(xs) else list(xs)


def numbers_in(name: str, xs: Any, least: int = 1, ordered: bool = False) -> list[Any]:
    """The numbers in the one-dimensional iterable that a function takes, as a new list."""
    numbers = elements(name, xs, ordered)
    if len(numbers) < least:
        raise ArgumentError(f"{name}() got an empty list.", "Pass at least one number or Value.")
    if not set(map(type, numbers)) - {float} <= interpreters.keys():
        numbers = [operand_of(x, f"{name}(), element {index},") for index, x in enumerate(numbers)]
    return numbers


def evaluate(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The result of a row: a float for floats, else the result of the interpreter of the first other operand."""
    plain = True
    for operand in operands:
        kind = type(operand)
        if kind is not float and kind is not Flat:
            if kind in interpreters:
                return interpreters[kind](row, operands)
            if kind is int and row.form == "choice" and operand is operands[0] and operand in (-1, -2):
                raise OperandError(
                    f"{row.name}() got the condition {operand}, which is ~{operand == -2}: Python's ~ is for integers.",
                    "Write `not`, or (...) == False, which means the same while tracing.",
                )
            plain = False
    return float_of(row, row.function(*operands)) if plain else _interpret(row, operands)


def float_of(row: Primitive, result: Any) -> float:
    """The result of a row's function as a float."""
    number = result if type(result) is float or result is FLAT else as_number(result)
    if number is None:
        raise ArgumentError(
            f"The function of {row.name!r} returned {shown(result)} for numbers.",
            "It must return one number; look for a forgotten `return`.",
        )
    return number


def on_arrays(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The interpreter of arrays; all others call it if any operand is an array."""
    return elementwise(lambda *elements: evaluate(row, elements), *operands)


def _interpret(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Evaluate a row on numbers that are not all floats, on arrays, or on the first operand of a library."""
    if any(map(is_array, operands)):
        return on_arrays(row, operands)
    for operand in operands:
        for kind in type(operand).__mro__:
            if kind in interpreters:
                return interpreters[kind](row, operands)
        library = type(operand).__module__.partition(".")[0]
        if library in _INTERPRETED_BY and _INTERPRETED_BY[library] not in sys.modules:
            importlib.import_module(_INTERPRETED_BY[library])
            return _interpret(row, operands)
    numbers = [as_number(operand) for operand in operands]
    if None in numbers:
        raise operand_error(f"{row.name}()", operands[numbers.index(None)])
    return float_of(row, row.function(*numbers))


def _totally(row: Primitive, operands: tuple[Any, ...]) -> Any:
    result = row.function(*operands)
    return result if result is FLAT else ieee.Total(result)


interpreters[ieee.Total] = _totally


def by_c99(what: str, function: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """Call a function on floats whose arithmetic follows C99; if it still raises, the error says why."""
    try:
        return function(*[ieee.Total(x) if isinstance(x, float) else x for x in operands])
    except AutogradError:
        raise
    except (ArithmeticError, ValueError) as error:
        raise ArgumentError(
            f"{what} raised {type(error).__name__}: {error} (at "
            f"{shown([getattr(x, 'data', x) for x in operands])[1:-1]}).",
            "Write it with this package's functions (am.log, not math.log): they return inf or nan where `math` "
            "raises.",
        ) from error


def _row_named(name: str) -> Primitive:
    if name not in TABLE:
        raise ArgumentError(
            f"A pickled graph uses the primitive {name!r}, which is not in the table.",
            "Define it before you load the graph.",
        )
    return TABLE[name]


def select(condition: Any, a: Any, b: Any) -> Any:
    """`a if condition else b` in the rules of primitives: if the condition is known, it records nothing.

    Args:
        condition: a bool or float; for the condition of a formula or a trace, `where` decides.
        a: a number, or `ZERO` for "no edge".
        b: likewise.

    Returns:
        a or b itself; both are computed, so a rule may have 0/0 in the one that is not taken.

    >>> select(2.0 > 1.0, 5.0, ZERO)
    5.0
    """
    if isinstance(condition, (bool, float)):
        return a if condition else b
    return evaluate(TABLE["where"], (condition, a, b))


def branch(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """`select` of two forms; if the condition is known, only the one needed is computed."""
    if isinstance(condition, bool):
        return then() if condition else otherwise()
    return evaluate(TABLE["where"], (condition, then(), otherwise()))


class Constant(float):
    """A constant operand, which tells a rule that its partial need not be computed (C5)."""

    __slots__ = ()
