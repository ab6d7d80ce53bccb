"""THE TABLE: one row per primitive operation. Adding an operation = adding one row.

A row holds the name, the function on floats, the rule (the local partial derivatives, written with the functions of
this very table), the domain from which tests draw points, and the accuracy they hold it to. The same rule text serves
floats, `Value`s (derivatives of any order), SymPy expressions (proofs) and traced registers (compiled code).
Not here: `Value`; an operand of another type finds its interpreter in `interpreters`. Read next: `engine`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import operator
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, Final

from autograd_mini import ieee
from autograd_mini.arrays import elements as array_elements
from autograd_mini.arrays import elementwise, is_array
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, RangeError, counted, shown
from autograd_mini.stack import recording

Interval = tuple[float, float]
Interpreter = Callable[["Primitive", tuple[Any, ...]], Any]
Operation = Callable[..., Any]  # on floats, `Value`s, SymPy expressions and traced values


class Zero:
    """The type of `ZERO`, the structural zero: there is no edge, so nothing is ever multiplied.

    >>> ZERO * math.inf, 2.0 + ZERO, ZERO - 2.0
    (ZERO, 2.0, -2.0)
    """

    __slots__ = ()

    def __mul__(self, other: Any) -> Zero:
        return self

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
        return "ZERO"  # pickled by name: there is one


ZERO: Final = Zero()


class Flat(float):
    """The type of `FLAT`, a zero slope with an edge: to first order as if there were none, whatever it is multiplied by.

    Along the edge goes the second derivative, which sees that the slope is 0 at this one point alone.
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


@dataclass(frozen=True, eq=False, slots=True)
class Primitive:
    """A row of the table.

    Attributes:
        name: its key in `TABLE`, and what `Value.op` says.
        function: the operation on floats; returns inf and nan where others raise.
        rule: `rule(result, *operands)` gives one local partial derivative an operand, each a number or `ZERO`.
        symbol: how it is written in formulas and pictures: "+" for "add"; otherwise the name.
        domain: an interval an operand; the last one repeats for operations of any number of operands.
        ulp: the largest errors allowed there of the value and of the first, second and third derivative, in units in
            the last place; empty for operations that are not smooth.
        kink: `kink(result, *operands)` says whether the operation, at these floats, is defined and not differentiable.
        curvature: what its second derivatives are at a kink where slopes jump: 0.0 between straight lines, nan at the
            tip of a cone; None if there is no such kink.
    """

    name: str
    function: Callable[..., float]
    rule: Callable[..., tuple[Any, ...]]
    symbol: str
    domain: tuple[Interval, ...]
    ulp: tuple[float, ...]
    kink: Callable[..., bool]
    curvature: float | None = None

    def partials(self, result: Any, operands: Sequence[Any]) -> tuple[Any, ...]:
        """The rule at these operands: one local partial derivative an operand, `ZERO` where there is no edge.

        At floats all are floats, and as C99 has them: Python raises for 1/0 and turns complex for (-8)**0.5.
        """
        if self.curvature is None:
            return self._c99_partials(result, operands)
        is_cone = math.isnan(self.curvature)  # not by ==: a comparison with nan leaves an alarm that NumPy finds
        if not (is_cone or recording().hooks.checked) or not self.is_at_kink(result, operands):
            return self._c99_partials(result, operands)
        slope = slope_at_kink(*operands)
        if is_cone:
            return (slope,) * len(operands)
        return tuple([slope if p is ZERO else p + slope for p in self._c99_partials(result, operands)])

    def is_at_kink(self, result: Any, operands: Sequence[Any]) -> bool:
        """Whether these are numbers, and the operation is not differentiable there."""
        if {type(result), *map(type, operands)} == {float}:
            return self.kink(result, *operands)
        numbers = [getattr(number, "data", number) for number in (result, *operands)]
        return all(isinstance(number, float) for number in numbers) and self.kink(*numbers)

    def _c99_partials(self, result: Any, operands: Sequence[Any]) -> tuple[Any, ...]:
        try:
            partials = self.rule(result, *operands)
            if not isinstance(partials, (tuple, list)):
                raise ArgumentError(
                    f"The rule of {self.name!r} returned {shown(partials)}, which is no tuple.",
                    "Return one partial derivative for each operand; a tuple of one is written (p,).",
                )
            if len(partials) != len(operands):
                raise ArgumentError(
                    f"The rule of {self.name!r} gives {counted(len(partials), 'partial derivative')} for "
                    f"{counted(len(operands), 'operand')}.",
                    "Return a tuple with one entry for each operand, ZERO where there is no edge.",
                )
            return tuple([p if type(p) is float or p is ZERO else self._partial(p, result) for p in partials])
        except AutogradError:
            raise
        except (ArithmeticError, ValueError):
            partials = _by_c99(f"The rule of {self.name!r}", self.rule, (result, *operands))
            return tuple([self._partial(p, result) for p in partials])

    def _partial(self, partial: Any, result: Any) -> Any:
        if partial is ZERO:
            return ZERO
        if type(partial) in interpreters and not isinstance(partial, float):
            return partial
        if isinstance(partial, complex):
            raise ArithmeticError
        number = as_number(partial)
        if number is None and isinstance(result, float) and type(partial) not in interpreters:
            raise ArgumentError(
                f"The rule of {self.name!r} gave {shown(partial)} at numbers.",
                "Compute each partial from the result and the operands; it must be a number or ZERO.",
            )
        return partial if number is None else number

    def __reduce__(self) -> tuple[Any, ...]:
        return _row_named, (self.name,)


TABLE: dict[str, Primitive] = {}

# Who evaluates an operation on operands of which type: interpreters[type](row, operands). A library's types appear
# here when the module named below is imported, which happens when the first operand of that library arrives.
interpreters: dict[type, Interpreter] = {}
_INTERPRETED_BY = {"sympy": "autograd_mini.symbolic.table"}


def as_number(operand: object) -> float | None:
    """A real number (int, bool, float, Fraction, NumPy scalar or array without dimensions) as a float, else None.

    Raises:
        RangeError: an integer, Fraction or long double beyond the range of floats.
    """
    try:
        if isinstance(operand, (float, int)):  # in this order: asking an abstract class takes long
            return float(operand)
        if isinstance(operand, Real) and type(operand).__name__ != "timedelta64":  # which NumPy counts among integers
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
    # What is left of a dual number after its derivative: asked of its class, for an object may have any attribute.
    as_float: Callable[[Any], float | None] | None = getattr(type(operand), "as_float", None)
    if as_float is not None:
        return as_float(operand)
    return as_number(operand[()]) if is_array(operand) and operand.ndim == 0 else None


def is_operand(operand: object) -> bool:
    """Whether operations take it: a number, or something of a type that has an interpreter."""
    if as_number(operand) is not None or any(kind in interpreters for kind in type(operand).__mro__):
        return True
    return type(operand).__module__.partition(".")[0] in _INTERPRETED_BY


def is_hopeless(operand: object) -> bool:
    """Whether no class that defines operators of its own can be behind a wrong operand, so that an error is due now."""
    if type(operand).__module__.partition(".")[0] in _INTERPRETED_BY:
        return True  # a formula: it and a number with a graph do not mix
    return operand is None or type(operand) in (str, bytes, list, tuple, dict, set, complex, Decimal)


_BARE = ("backward(seed)", "Value.data", "Value.grad")  # numbers alone: what is written to them records nothing


def operand_error(where: str, operand: object) -> OperandError:
    """The error for an operand of a type that no interpreter takes, with advice for the usual suspects."""
    if is_array(operand) and operand.ndim == 0:
        return operand_error(where, operand[()])
    kind = type(operand).__name__
    bare = where in _BARE
    if isinstance(operand, str):
        advice = "Convert text first: float(text)."
    elif operand is None:
        advice = "Look for a function that forgot its `return`, or a name that was never assigned."
    elif isinstance(operand, complex):
        advice = "Values are real; take .real and .imag and compute with the two."
    elif kind == "Decimal":
        advice = "Python does not mix Decimal and float either; write float(x)."
    elif kind == "Value" and bare:
        advice = "Pass its number, which is .data."
    elif kind == "Value":
        advice = "It is a Value already; use it as it is, or .data for a fresh leaf with the same number."
    elif kind.startswith("Masked"):
        advice = "Derivatives know no masks: pass the elements that count, array.compressed()."
    elif where.startswith("Value"):
        advice = "A Value is one number; make a list: [Value(x) for x in xs]."
        if not (hasattr(operand, "__array__") or isinstance(operand, Iterable)):
            advice = "Pass an int, float, Fraction or NumPy scalar."
    elif hasattr(operand, "__array__") or isinstance(operand, Iterable):
        advice = "Pass one number at a time."
        if hasattr(operand, "__array__") and not is_array(operand) and getattr(operand, "shape", None) != ():
            advice = "Make it a NumPy array first: numpy.asarray(x)."
        elif " by " in where:
            advice = "Pass a number, or a list, tuple, dict or NumPy array of numbers."
        elif ", element " in where:
            advice = "Pass one list of numbers; for several, call it once for each."
        elif where.startswith("The operator"):
            advice = "Operate on one number at a time, or on a NumPy array, whose operators work element by element."
        elif where.endswith("()"):
            call = where[:-2]
            count = _count(TABLE[call].rule) if call in TABLE else 2
            if count is None:
                advice = f"Pass as many numbers as there are: {call}(*xs); or NumPy arrays."
            elif count == 2:  # the result and one operand
                advice = f"Pass one number at a time: [{call}(x) for x in xs]; or a NumPy array."
    else:
        advice = "Pass an int, float, Fraction, NumPy scalar or Value."
    takes = "a real number" if bare or where == "Value()" else "real numbers and Values"
    return OperandError(f"{where} takes {takes}, not {kind}: {shown(operand)}.", advice)


def operand_of(x: Any, where: str) -> Any:
    """A number as a float, anything else that operations take as it is.

    Raises:
        OperandError: it is neither; the message says where.
    """
    if type(x) in interpreters:  # in forward mode a constant too, which is a number to all who ask for one
        return x
    number = as_number(x)
    if number is None and is_array(x) and x.ndim == 0:
        return operand_of(x[()], where)  # a `Value` in an array without dimensions
    if number is None and not is_operand(x):
        raise operand_error(where, x)
    return x if number is None else number


def elements(name: str, xs: Any, ordered: bool = False) -> list[Any]:
    """What is in the one-dimensional iterable that a function takes, as a list of its own.

    Raises:
        OperandError: it is not iterable, has no order where that matters, or has more than one dimension.
    """
    if type(xs) is list or type(xs) is tuple:
        return list(xs)
    shape = getattr(xs, "shape", None)
    if isinstance(xs, (str, bytes)) or not isinstance(xs, Iterable) or shape == ():
        raise OperandError(f"{name}() takes a list of numbers or Values, not {shown(xs)}.", "Put it into a list.")
    if isinstance(xs, Mapping):
        raise OperandError(f"{name}() takes a list of numbers or Values, not the dict {shown(xs)}.",
                           f"Pass what is in it: {name}(d.values()).")  # fmt: skip
    if ordered and isinstance(xs, (set, frozenset)):
        raise OperandError(f"{name}() takes a list of numbers or Values, and a set has no order.", "Pass a list.")
    if isinstance(shape, tuple) and len(shape) != 1:
        raise OperandError(
            f"{name}() takes one dimension, not {len(shape)}: it got an array of shape {tuple(shape)}.",
            f"For each row write numpy.apply_along_axis(autograd_mini.{name}, 1, a); for all elements, a.ravel().",
        )
    return array_elements(xs) if is_array(xs) else list(xs)


def numbers_in(name: str, xs: Any, least: int = 1, ordered: bool = False) -> list[Any]:
    """The numbers in the one-dimensional iterable that a function takes, as a list of its own.

    Raises:
        OperandError: as from `elements`, or an element is not a number.
        ArgumentError: there are fewer than the least.
    """
    numbers = elements(name, xs, ordered)
    if len(numbers) < least:
        raise ArgumentError(f"{name}() got an empty list.", "Pass at least one number or Value.")
    if not set(map(type, numbers)) - {float} <= interpreters.keys():
        numbers = [operand_of(x, f"{name}(), element {index},") for index, x in enumerate(numbers)]
    return numbers


def evaluate(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The result of a row: of floats a float, otherwise what the interpreter of the first other operand makes of them.

    Raises:
        OperandError: an operand is neither a number nor of a type that has an interpreter.
    """
    plain = True
    for operand in operands:
        kind = type(operand)
        if kind is not float and kind is not Flat:
            if kind in interpreters:
                return interpreters[kind](row, operands)
            plain = False
    return float_of(row, row.function(*operands)) if plain else _interpret(row, operands)


def float_of(row: Primitive, result: Any) -> float:
    """What the function of a row returned, as a float.

    Raises:
        ArgumentError: it is no number.
    """
    number = result if type(result) is float or result is FLAT else as_number(result)
    if number is None:
        raise ArgumentError(
            f"The function of {row.name!r} returned {shown(result)} for numbers.",
            "It must return one number; look for a forgotten `return`.",
        )
    return number


def on_arrays(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The interpreter of arrays, to which every other one leaves operands with an array among them."""
    return elementwise(lambda *elements: evaluate(row, elements), *operands)


def _interpret(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Evaluate a row on numbers that are not all floats, on arrays, or on operands of a library that is met first."""
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


def _smooth(result: float, *operands: float) -> bool:
    return False


def primitive(
    name: str | Callable[..., float] | None = None,
    function: Callable[..., float] | None = None,
    rule: Callable[..., tuple[Any, ...]] | None = None,
    *,
    symbol: str | None = None,
    domain: Interval | tuple[Interval, ...] = (-10.0, 10.0),
    ulp: tuple[float, ...] = (),
    kink: Callable[..., bool] = _smooth,
    curvature: float | None = None,
    doc: str = "",
) -> Any:
    """Add an operation to the table; everything the package can do with an operation, it can then do with this one.

    A decorator of the function on floats, or called with name, function and rule.

    Args:
        name: a name that is not taken yet, unless by this very function, as in a notebook; that of the function by
            default.
        function: the operation on floats, one argument an operand (`*xs` for any number).
        rule: `rule(result, *operands)` returns a tuple with one local partial derivative an operand, written with
            this package's functions (`am.exp`, not `math.exp`), so that it can be differentiated again. `ZERO` means
            that there is no edge; then no other slope should depend on that operand either.
        symbol: how pictures and formulas write it, where that differs from the name.
        domain: the interval from which tests draw an operand, or one interval an operand.
        ulp: the accuracy tests hold it to: of the value and the first, second and third derivative.
        kink: `kink(result, *operands)` says whether the operation is not differentiable at these floats.
        curvature: its second derivatives at a kink where its slopes jump: 0.0 between straight lines, `math.nan` at the
            tip of a cone, as of `hypot`.
        doc: the docstring of the result; that of the function by default.

    Returns:
        the operation, a function of floats, `Value`s, SymPy expressions and traced values.

    Raises:
        ArgumentError: the name is taken; the rule is missing, or takes another number of operands than the function.

    Python's operators give what C99 gives in both, so 1 / 0 is inf. Functions of `math` raise at a pole, outside of
    their domain and on overflow; that is an ArgumentError which names the operation and the numbers.

    >>> import autograd_mini as am
    >>> @am.primitive(rule=lambda y, x: (3.0 * x * x,))
    ... def cube(x):
    ...     return x * x * x
    >>> am.grad(cube)(2.0), am.grad(am.grad(cube))(2.0)
    (12.0, 12.0)
    """
    settings: dict[str, Any] = {"symbol": symbol, "domain": domain, "ulp": ulp, "kink": kink}
    settings |= {"curvature": curvature, "complete": _completed}
    if function is not None:
        return _add(name, function, rule, doc=doc, **settings)
    if name is not None and not isinstance(name, str):
        raise ArgumentError(
            f"The primitive {shown(name)} has no rule.",
            "Decorate with @primitive(rule=lambda y, x: (...,)): one partial derivative an operand.",
        )
    return lambda function: _add(
        name or getattr(function, "__name__", None), function, rule, doc=doc or function.__doc__ or "", **settings
    )


def _completed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A user's function with C99's answers where Python's operators raise for 1/0 or turn complex for (-8)**0.5."""

    @functools.wraps(function)
    def completed(*operands: Any) -> Any:
        try:
            result = function(*operands)
            if not isinstance(result, complex):
                return result
        except AutogradError:
            raise
        except (ArithmeticError, ValueError):
            pass
        return _by_c99(f"The function of {name!r}", function, operands)

    return completed


def _by_c99(what: str, function: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """The result for operands whose own arithmetic does not raise.

    Raises:
        ArgumentError: it was not their arithmetic.
    """
    try:
        return function(*[ieee.Total(x) if isinstance(x, float) else x for x in operands])
    except AutogradError:
        raise
    except (ArithmeticError, ValueError) as error:
        raise ArgumentError(
            f"{what} raised {type(error).__name__}: {error} (at {shown([getattr(x, 'data', x) for x in operands])[1:-1]}).",
            "Write it with this package's functions (am.log, not math.log): they return inf or nan where `math` raises.",
        ) from error


def _add(
    name: Any,
    function: Callable[..., float],
    rule: Callable[..., tuple[Any, ...]] | None,
    symbol: str | None,
    domain: Any,
    ulp: tuple[float, ...],
    kink: Callable[..., bool],
    doc: str,
    spread: tuple[int, Callable[..., tuple[Any, ...]]] | None = None,
    curvature: float | None = None,
    complete: Callable[[str, Callable[..., float]], Callable[..., float]] = lambda name, function: function,
) -> Operation:
    if not isinstance(name, str):
        raise ArgumentError(f"A primitive cannot be called {shown(name)}.", "Pass a text as its name.")
    if name in TABLE and not _is_redefined(TABLE[name].function, function):
        raise ArgumentError(f"There is a primitive called {name!r} already.", "Choose another name.")
    if rule is None or not callable(function) or not callable(rule):
        raise ArgumentError(f"The function and the rule of {name!r} must be functions.", "See the example in help().")
    try:
        parameters = _operands(rule)
    except ValueError:
        raise ArgumentError(f"The rule of {name!r} must have parameters.", "Write rule(result, *operands).") from None
    wanted = _count(function)
    if wanted is not None and _count(rule) not in (None, wanted + 1):
        raise ArgumentError(
            f"The function of {name!r} takes {counted(wanted, 'operand')}, so its rule must take "
            f"{counted(wanted + 1, 'argument')}.",
            "The rule takes the result and the operands: rule(result, *operands).",
        )
    intervals = (domain,) if domain and isinstance(domain[0], (int, float)) else domain
    row = Primitive(name, complete(name, function), rule, symbol or name, intervals, ulp, kink, curvature)

    defaults = getattr(function, "__defaults__", None) or ()
    most = len(inspect.signature(function).parameters) if defaults else 0
    # Fewer operands than this are completed before: by defaults, or by what is in an iterable.
    least, completed = spread or (most, lambda *operands: operands + defaults[len(operands) - most :])

    def operation(*operands: Any) -> Any:
        if len(operands) < least:
            operands = completed(*operands)
        return evaluate(row, operands)

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = inspect.cleandoc(doc)
    operation.__module__ = rule.__module__
    operation.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what help() shows; typeshed has no name for it
    TABLE[name] = row  # last: an error above leaves the name free
    return operation


def _is_redefined(old: Callable[..., Any], new: Callable[..., Any]) -> bool:
    """Whether a function is the same once more, as when a cell of a notebook runs again."""
    old = getattr(old, "__wrapped__", old)  # what `_completed` was given
    return all(getattr(old, key, old) == getattr(new, key, new) for key in ("__module__", "__qualname__"))


def _operands(rule: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a rule behind the result, as `help` shows them: without types."""
    _, *operands = inspect.signature(rule).parameters.values()
    return [operand.replace(annotation=operand.empty) for operand in operands]


def _count(function: Callable[..., Any]) -> int | None:
    """How many arguments a function takes; None where that is not fixed, or not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some builtins
        return None
    fixed = all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in parameters)
    return len(parameters) if fixed else None


def _row_named(name: str) -> Primitive:
    if name not in TABLE:
        raise ArgumentError(
            f"A pickled graph uses the primitive {name!r}, which is not in the table.", "Define it first."
        )
    return TABLE[name]


def select(condition: Any, a: Any, b: Any) -> Any:
    """`a if condition else b` for rules of primitives: it records nothing where the condition is known.

    Args:
        condition: a bool or float; anything else is the condition of a formula or a trace, and `where` decides.
        a: a number, or `ZERO` for "no edge".
        b: the other one.

    Returns:
        a or b themselves; both are computed, so a rule may write 0/0 in the one that is not taken.

    >>> select(2.0 > 1.0, 5.0, ZERO)
    5.0
    """
    if isinstance(condition, (bool, float)):
        return a if condition else b
    return where(condition, a, b)


def branch(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """`select` of two forms of which only the one that is needed is computed, where the condition is known.

    Args:
        condition: a bool; anything else is the condition of a formula or a trace, and `where` joins both forms.
        then: gives the one.
        otherwise: gives the other.

    >>> branch(2.0 > 1.0, lambda: 5.0, lambda: 1 / 0)
    5.0
    """
    if isinstance(condition, bool):
        return then() if condition else otherwise()
    return where(condition, then(), otherwise())


class Constant(float):
    """A number that nobody differentiates by, as rules are told: its partial need not be formed (C5).

    >>> Constant(2.0) + 1.0
    3.0
    """

    __slots__ = ()


# Pieces that several rules share. Each is chosen so that its own derivatives keep their digits as well.


def _known(x: Any) -> float:
    """The number behind an operand, to find a special point; nan for formulas, which keep to the general form."""
    number = getattr(x, "data", x)
    return number if isinstance(number, float) else math.nan


def _log_slope(x: Any, scale: Any = 1.0) -> Any:
    """scale / x for x >= 0, +inf at both zeros (x + 0.0 turns -0.0 into 0.0).

    Outside the domain it is nan with all its derivatives: a quotient of nan, for a mere nan would be a constant.
    """
    return select(x < 0.0, math.nan, scale) / (x + 0.0)


def _gaussian(x: Any, scale: float = 1.0, lift: float = 0.0) -> Any:
    """exp(lift - scale x²) for a scale of 1 or 0.5, by splitting x = h + rest with h*h exact; the rounding of x*x would cost x² ulp (trap T16).

    h is a step function of x, so it has no derivative, and the identity holds for every h. It is the nearest multiple,
    so that a small x has h = 0 and (x - h) + (x + h), which comes up in the next derivative, is 2x.
    Far out it is 0 with all its derivatives, where its factors would be 0 and inf.
    """
    if math.fabs(_known(x)) > 64.0:
        x = clip(x, -64.0, 64.0)
    h = floor(x * 4096.0 + 0.5) / 4096.0
    square = -scale * h * h
    return exp(square + lift if lift else square) * exp(-scale * (x - h) * (x + h))


def _cosine(x: Any, other: Any, h: Any) -> Any:
    """x / h for h = hypot(x, other): where x dominates, in the form whose derivative does not cancel."""
    return branch(abs(x) <= abs(other), lambda: x / h, lambda: sign(x) / hypot(1.0, other / x))


def _hypot_rule(h: Any, *xs: Any) -> tuple[Any, ...]:
    """The zero vector has no slope; for h = 0 the others are 0/0, which nobody takes."""
    slopes = [x / h for x in xs] if len(xs) != 2 else [_cosine(xs[0], xs[1], h), _cosine(xs[1], xs[0], h)]
    return tuple([select(h == 0.0, ZERO, slope) for slope in slopes])


def _undefined(*xs: Any) -> Any:
    """nan, with nan as all its derivatives by all operands."""
    return math.nan / sum_of(*xs)


def _atan2_rule(angle: Any, y: Any, x: Any) -> tuple[Any, ...]:
    h = hypot(x, y)
    if _known(h) == 0.0:
        return (_undefined(y, x),) * 2
    if _known(h) == math.inf and not math.isnan(_known(angle)):
        return 0.0, 0.0
    return (
        ZERO if isinstance(y, Constant) else x / h / h,
        ZERO if isinstance(x, Constant) else -(y / h) / h,
    )


def _atan_rule(y: Any, x: Any) -> tuple[Any, ...]:
    h = hypot(1.0, x)
    return (1.0 / h / h,)


def _extremum_rule(y: Any, *xs: Any) -> tuple[Any, ...]:
    """Ties share evenly; losers have no edge; a nan result is everybody's."""
    ties: Any = select(y == y, 0.0, 1.0)
    for x in xs:
        ties = ties + select(x == y, 1.0, 0.0)
    return tuple([select(x == y, 1.0 / ties, select(y == y, ZERO, y)) for x in xs])


def _clip_rule(y: Any, x: Any, low: Any, high: Any) -> tuple[Any, ...]:
    return (
        select(y != y, y, select(x <= low, ZERO, select(x >= high, ZERO, 1.0))),
        select(x <= low, select(low < high, 1.0, ZERO), ZERO),
        select(x >= high, 1.0, select(low >= high, 1.0, ZERO)),
    )


def _pow_rule(y: Any, x: Any, p: Any) -> tuple[Any, ...]:
    """The slope in x is p x^(p-1), that of x itself for p = 2; in p it is 0 at x = 0 = p, where 0^p jumps."""
    if isinstance(p, float) and p == 2.0:
        return 2.0 * x, ZERO if isinstance(p, Constant) else power_term(x, p, 0.0, 1.0)
    by_x = ZERO if isinstance(x, Constant) else _power_slope(y, x, p, 0.0, 0.0)
    if isinstance(p, Constant):
        return by_x, ZERO
    by_p = power_term(x, p, 0.0, 1.0)
    return by_x, flat(by_p) if _known(x) == 0.0 == _known(p) else by_p


def _power_slope(y: Any, x: Any, p: Any, less: float, logs: float) -> Any:
    """(p - less) * x^(p-less-1) * log(x)^logs for y = x^(p-less) * log(x)^logs, without 0 * inf."""
    factor = p - less
    if logs == 0.0 and isinstance(factor, float) and factor == 0.0:
        return 0.0
    if less == logs == 0.0 and isinstance(p, float) and (p - 1.0) + 1.0 == p:
        lower = pow(x, p - 1.0)
    else:
        lower = power_term(x, p, less + 1.0, logs)
    if _known(x) == 0.0 != _known(factor):
        return stop(factor) * lower  # in p, the logarithm outweighs what comes of the factor
    if _known(factor) == 0.0 and (math.isinf(_known(lower)) or (logs == 0.0 and math.isnan(_known(lower)))):
        return flat(factor) * lower
    return factor / x * y if math.isinf(_known(lower)) and math.isfinite(_known(y)) else factor * lower


def _power_term_rule(y: Any, x: Any, p: Any, less: float, logs: float) -> tuple[Any, ...]:
    """At x = 0 the highest power of the logarithm outweighs the others."""
    by_x = _power_slope(y, x, p, less, logs)
    if logs > 0.0:
        other = logs * power_term(x, p, less + 1.0, logs - 1.0)
        if _known(x) != 0.0:
            by_x = by_x + other
        elif _known(p) == less:
            by_x = other
    return by_x, power_term(x, p, less, logs + 1.0), ZERO, ZERO


def _xlogy_rule(z: Any, x: Any, y: Any) -> tuple[Any, ...]:
    """At x = 0 the term is kept out, where its slope in y is no number: it is 0, and changes with x."""
    if _known(y) < 0.0:
        slope = _undefined(x, y)
        return slope, flat(slope) if _known(x) == 0.0 else slope
    slope = _log_slope(y, x)
    if _known(x) == 0.0 == _known(y):
        slope = flat(x) * _log_slope(y)
    return log(y), slope


def _of_one_iterable(name: str) -> tuple[int, Callable[..., tuple[Any, ...]]]:
    """What completes fewer than two operands: one iterable stands for the numbers in it, as of the builtin `max`."""

    def completed(*operands: Any) -> tuple[Any, ...]:
        if not operands:
            raise ArgumentError(f"{name}() got nothing.", "Pass numbers, or one list of them.")
        if isinstance(operands[0], Iterable) and as_number(operands[0]) is None:
            return tuple(numbers_in(name, operands[0]))
        return operands

    return 2, completed


def _dot_rule(y: Any, *operands: Any) -> tuple[Any, ...]:
    half = len(operands) // 2
    return operands[half:] + operands[:half]


_LN2, _LOG2E, _LOG10E = math.log(2.0), math.log2(math.e), math.log10(math.e)
_GAUSS, _DENSITY = 2.0 / math.sqrt(math.pi), 1.0 / math.sqrt(2.0 * math.pi)

_ANY = (-1e300, 1e300)
_WIDE = (-1e150, 1e150)  # squares stay finite
_POSITIVE = (1e-300, 1e300)
_UNIT = (-1.0, 1.0)
_ROUNDED = (0.5, 0.5, 0.5, 0.5)

_DOCUMENTATION = """{meaning}

Args:
    {operands}: numbers, `Value`s, SymPy expressions or traced values; or NumPy arrays of them.

Returns:
    A float for numbers, otherwise what the operands are; nan outside the domain, never an exception. For arrays an
    array, element by element.

Raises:
    OperandError: an operand is none of these.

Derivative: {derivative}

>>> {call}
{result}
"""


def _row(
    name: str,
    function: Callable[..., float],
    rule: Callable[..., tuple[Any, ...]],
    domain: Interval | tuple[Interval, ...],
    ulp: tuple[float, ...],
    meaning: str,
    derivative: str,
    example: str,
    symbol: str | None = None,
    kink: Callable[..., bool] = _smooth,
    spread: tuple[int, Callable[..., tuple[Any, ...]]] | None = None,
    curvature: float | None = None,
) -> Operation:
    operands = ", ".join(map(str, _operands(rule)))
    call, _, result = example.partition(" -> ")
    doc = _DOCUMENTATION.format(meaning=meaning, operands=operands, derivative=derivative, call=call, result=result)
    return _add(name, function, rule, symbol, domain, ulp, kink, doc, spread, curvature)


# Rules speak of these rows before they are defined.
abs: Operation
cos: Operation
cosh: Operation
exp2: Operation
flat: Operation
hypot: Operation
one_power_less: Operation
power_term: Operation
sign: Operation
slope_at_kink: Operation

# fmt: off
# -- the operators -----------------------------------------------------------------------------------------------------
add  = _row("add", operator.add, lambda y, a, b: (1.0, 1.0), _ANY, _ROUNDED,
            "The sum, `a + b`.", "1, 1.", "add(2.0, 3.0) -> 5.0", "+")
sub  = _row("sub", operator.sub, lambda y, a, b: (1.0, -1.0), _ANY, _ROUNDED,
            "The difference, `a - b`.", "1, -1.", "sub(2.0, 3.0) -> -1.0", "-")
mul  = _row("mul", operator.mul, lambda y, a, b: (b, a), _WIDE, _ROUNDED,
            "The product, `a * b`.", "b, a.", "mul(2.0, 3.0) -> 6.0", "*")
div  = _row("div", ieee.divide, lambda y, a, b: (1.0 / b, -(y / b)), _WIDE, (0.5, 2, 3, 4),
            "The quotient, `a / b`; a zero divisor gives inf or nan.", "1 / b, -(a / b) / b.", "div(3.0, 2.0) -> 1.5", "/")
neg  = _row("neg", operator.neg, lambda y, x: (-1.0,), _ANY, _ROUNDED,
            "The number with its sign changed, `-x`.", "-1.", "neg(2.0) -> -2.0", "-")
one_minus_square = _row("one_minus_square", lambda x: (1.0 - x) * (1.0 + x), lambda y, x: (-2.0 * x,), _WIDE, (2, 1, 1, 1),
            "1 - x**2, without losing digits near 1 and -1.", "-2 * x; the factors' own would lose digits near 0, and be inf - inf at ±1 in asin.",
            "one_minus_square(0.5) -> 0.75")
pos  = _row("pos", operator.pos, lambda y, x: (1.0,), _ANY, _ROUNDED,
            "The number itself, as a node of its own.", "1.", "pos(2.0) -> 2.0", "+")
pow  = _row("pow", ieee.power, _pow_rule, ((1e-3, 1e3), (-30.0, 30.0)), (1, 3, 8, 16),
            "x to the power p, `x ** p`; x ** 2 is x * x to the bit, x ** 0 is 1, a negative x needs a whole p.",
            "p * x ** (p - 1), x ** p * log(x); in x it is 0 for p = 0, in p it is 0 at x = 0 <= p and nan for x < 0; second derivatives at x = 0 are the limits from the right.",
            "pow(2.0, 3.0) -> 8.0", "**", kink=lambda y, x, p: x == 0.0 < p < 1.0)
one_power_less = _row("one_power_less", lambda y, x, p: ieee.divide(y, x), lambda q, y, x, p: (ZERO, (p - 1.0) * one_power_less(q, x, p - 1.0), ZERO), _WIDE, (),
             "y / x, where y is x ** p, maybe times a constant: for rules; its derivative in x is one product, for two terms may be inf - inf.",
             "(p - 1) * y / x / x.", "one_power_less(9.0, 3.0, 2.0) -> 3.0")
power_term = _row("power_term", ieee.power_term, _power_term_rule, _WIDE, (),
            "x ** (p - less) * log(x) ** logs, what derivatives of powers consist of, for rules; with its limits at 0 and infinity.",
            "the same with one more `less`, and in p with one more of `logs`.", "power_term(2.0, 4.0, 1.0, 0.0) -> 8.0")
floor_divide = _row("floor_divide", ieee.floor_divide, lambda y, a, b: (ZERO, ZERO), _WIDE, (),
            "The whole number below the quotient, `a // b`.", "0.", "floor_divide(7.0, 2.0) -> 3.0", "//", kink=lambda y, a, b: a / b == y if b else False)
remainder = _row("remainder", ieee.remainder, lambda y, a, b: (select(y == y, 1.0, y), select(y == y, -floor_divide(a, b), y)), _WIDE, (),
            "What is left after `a // b`, `a % b`; it has the sign of b.", "1, -(a // b).", "remainder(-7.0, 3.0) -> 2.0", "%", kink=lambda y, a, b: y == 0.0)
fmod = _row("fmod", ieee.fmod, lambda y, a, b: (select(y == y, 1.0, y), select(y == y, -floor_divide(abs(a), abs(b)) * sign(a) * sign(b), y)),
            _WIDE, (), "What is left after dividing towards zero, as C's `fmod`; it has the sign of a.",
            "1, minus the quotient rounded towards zero.", "fmod(-7.0, 3.0) -> -1.0", kink=lambda y, a, b: y == 0.0 != a)

# -- exponentials, logarithms, roots -----------------------------------------------------------------------------------
exp   = _row("exp", ieee.exp, lambda y, x: (y,), (-708.0, 709.0), (1, 1, 1, 1),
             "e to the power x.", "exp(x), the result itself.", "exp(1.0) -> 2.718281828459045")
exp2  = _row("exp2", ieee.exp2, lambda y, x: (exp2(x - 1.0) * (2.0 * _LN2) if _known(y) == math.inf else y * _LN2,), (-1021.0, 1023.0), (1, 2, 3, 4),
             "2 to the power x.", "exp2(x) * log(2).", "exp2(3.0) -> 8.0")
expm1 = _row("expm1", ieee.expm1, lambda y, x: (exp(x),), (-700.0, 709.0), (1, 1, 1, 1),
             "exp(x) - 1, without losing the digits of a small x.", "exp(x).", "expm1(1e-20) -> 1e-20")
log   = _row("log", ieee.log, lambda y, x: (_log_slope(x),), _POSITIVE, (1, 1, 3, 4),
             "The natural logarithm; -inf at 0.", "1 / x; inf at 0.", "log(2.0) -> 0.6931471805599453")
log2  = _row("log2", ieee.log2, lambda y, x: (_log_slope(x, _LOG2E),), _POSITIVE, (1, 2, 3, 4),
             "The logarithm to base 2; -inf at 0.", "1 / (x * log(2)); inf at 0.", "log2(8.0) -> 3.0")
log10 = _row("log10", ieee.log10, lambda y, x: (_log_slope(x, _LOG10E),), _POSITIVE, (2, 2, 3, 4),
             "The logarithm to base 10; -inf at 0.", "1 / (x * log(10)); inf at 0.", "log10(1000.0) -> 3.0")
log1p = _row("log1p", ieee.log1p, lambda y, x: (_log_slope(1.0 + x),), (-0.999, 1e300), (1, 2, 4, 4),
             "log(1 + x), without losing the digits of a small x; -inf at -1.", "1 / (1 + x); inf at -1.",
             "log1p(1e-20) -> 1e-20")
sqrt  = _row("sqrt", ieee.sqrt, lambda y, x: (0.5 / (y + 0.0),), _POSITIVE, (0.5, 2, 4, 8),
             "The square root.", "0.5 / sqrt(x); inf at 0 and at -0.0.", "sqrt(2.0) -> 1.4142135623730951", kink=lambda y, x: x == 0.0)
cbrt  = _row("cbrt", ieee.cbrt, lambda y, x: (1.0 / y / y / 3.0 if _known(x) == _known(y) else one_power_less(y, x, 1.0 / 3.0) / 3.0,), _ANY, (3, 4, 8, 12),
             "The cube root, of negative numbers too.", "1 / (3 * cbrt(x)**2); inf at 0.", "cbrt(-8.0) -> -2.0", kink=lambda y, x: x == 0.0)

# -- circles and hyperbolas --------------------------------------------------------------------------------------------
sin   = _row("sin", ieee.sin, lambda y, x: (cos(x),), (-1e6, 1e6), (1, 1, 1, 1),
             "The sine of x in radians.", "cos(x).", "sin(1.0) -> 0.8414709848078965")
cos   = _row("cos", ieee.cos, lambda y, x: (-sin(x),), (-1e6, 1e6), (1, 1, 1, 1),
             "The cosine of x in radians.", "-sin(x).", "cos(1.0) -> 0.5403023058681398")
tan   = _row("tan", ieee.tan, lambda y, x: (1.0 + y * y,), (-1.57, 1.57), (1, 2, 4, 8),
             "The tangent of x in radians.", "1 + tan(x)**2.", "tan(1.0) -> 1.5574077246549023")
asin  = _row("asin", ieee.asin, lambda y, x: (1.0 / sqrt(one_minus_square(x)),), _UNIT, (1, 2, 6, 12),
             "The angle whose sine is x, from -π/2 to π/2.", "1 / sqrt(1 - x**2); inf at ±1.", "asin(1.0) -> 1.5707963267948966", kink=lambda y, x: x * x == 1.0)
acos  = _row("acos", ieee.acos, lambda y, x: (-1.0 / sqrt(one_minus_square(x)),), _UNIT, (1, 2, 6, 12),
             "The angle whose cosine is x, from 0 to π.", "-1 / sqrt(1 - x**2); -inf at ±1.", "acos(0.0) -> 1.5707963267948966", kink=lambda y, x: x * x == 1.0)
atan  = _row("atan", ieee.atan, _atan_rule, _ANY, (1, 3, 6, 12),
             "The angle whose tangent is x, from -π/2 to π/2.", "1 / (1 + x**2).", "atan(1.0) -> 0.7853981633974483")
atan2 = _row("atan2", ieee.atan2, _atan2_rule,
             _WIDE, (1, 3, 16, 16), "The angle of the point (x, y), from -π to π; note the order of the arguments.",
             "x / (x**2 + y**2), -y / (x**2 + y**2); nan at the origin.", "atan2(1.0, -1.0) -> 2.356194490192345", kink=lambda angle, y, x: x <= 0.0 == y)
sinh  = _row("sinh", ieee.sinh, lambda y, x: (cosh(x),), (-709.0, 709.0), (2, 2, 2, 2),
             "The hyperbolic sine.", "cosh(x).", "sinh(1.0) -> 1.1752011936438014")
cosh  = _row("cosh", ieee.cosh, lambda y, x: (sinh(x),), (-709.0, 709.0), (2, 2, 2, 2),
             "The hyperbolic cosine.", "sinh(x).", "cosh(1.0) -> 1.5430806348152437")
asinh = _row("asinh", ieee.asinh, lambda y, x: (1.0 / hypot(1.0, x),), _ANY, (2, 2, 6, 12),
             "The number whose hyperbolic sine is x.", "1 / sqrt(1 + x**2).", "asinh(1.0) -> 0.881373587019543")
acosh = _row("acosh", ieee.acosh, lambda y, x: (1.0 / sqrt(x - 1.0) / sqrt(x + 1.0),), (1.0, 1e300), (2, 3, 6, 12),
             "The number whose hyperbolic cosine is x >= 1.", "1 / sqrt(x**2 - 1); inf at 1.", "acosh(2.0) -> 1.3169578969248166", kink=lambda y, x: x == 1.0)
atanh = _row("atanh", ieee.atanh, lambda y, x: (select(abs(x) > 1.0, math.nan, 1.0) / one_minus_square(x),), _UNIT, (2, 2, 6, 12),
             "The number whose hyperbolic tangent is x.", "1 / (1 - x**2); inf at ±1.", "atanh(0.5) -> 0.5493061443340548")
hypot = _row("hypot", ieee.hypot, _hypot_rule, _WIDE, (1, 3, 6, 12),
             "The length of a vector, without overflow: sqrt(x1**2 + x2**2 + ...).", "x / hypot for each x; 0 at the origin, where second derivatives are nan: the tip of a cone.",
             "hypot(3.0, 4.0) -> 5.0", kink=lambda h, *xs: h == 0.0, curvature=math.nan)

# -- the normal distribution -------------------------------------------------------------------------------------------
erf   = _row("erf", ieee.erf, lambda y, x: (_GAUSS * _gaussian(x),), (-26.0, 26.0), (1, 4, 6, 8),
             "The error function.", "2 / sqrt(π) * exp(-x**2).", "erf(0.0) -> 0.0")
erfc  = _row("erfc", ieee.erfc, lambda y, x: (-_GAUSS * _gaussian(x),), (-26.0, 26.0), (4, 4, 6, 8),
             "1 - erf(x), without losing the digits of its right tail.", "-2 / sqrt(π) * exp(-x**2).",
             "erfc(0.0) -> 1.0")

ndtr  = _row("ndtr", ieee.ndtr, lambda y, x: (_DENSITY * _gaussian(x, 0.5),), (-37.0, 37.0), (4, 4, 6, 8),
             "The probability that a standard normal number is below x.", "exp(-x**2 / 2) / sqrt(2π).", "ndtr(0.0) -> 0.5")

lifted_ndtr = _row("lifted_ndtr", ieee.lifted_ndtr, lambda y, x: (_DENSITY * _gaussian(x, 0.5, 70.0),), (-40.0, -37.0), (4, 4, 6, 8),
             "exp(70) * ndtr(x): on the far left, where ndtr(x) is so small that it has few digits, this has all.",
             "exp(70 - x**2 / 2) / sqrt(2π).", "lifted_ndtr(-50.0) < 1e-300 -> True")

# -- with kinks and steps ----------------------------------------------------------------------------------------------
abs   = _row("abs", operator.abs, lambda y, x: (select(x == 0.0, ZERO, branch(x == x, lambda: sign(x), lambda: x / x)),), _ANY, (),
             "The absolute value.", "sign(x); 0 at 0, the smallest of the slopes between -1 and 1, and so are second derivatives.", "abs(-2.0) -> 2.0", kink=lambda y, x: x == 0.0, curvature=0.0)
flat  = _row("flat", lambda x: FLAT, lambda y, x: (1.0,), _ANY, (),
             "0, whatever it is multiplied by, with the derivative of x: for rules.", "1.", "flat(2.0) * float('inf') -> 0.0")
slope_at_kink = _row("slope_at_kink", lambda *xs: FLAT, lambda y, *xs: (_undefined(*xs),) * len(xs), _ANY, (),
             "0, whatever it is multiplied by: the slope of a cone at its tip, for rules.", "nan.", "slope_at_kink(0.0, 0.0) -> 0.0")
sign  = _row("sign", ieee.sign, lambda y, x: (ZERO,), _ANY, (),
             "-1, 0 or 1; nan for nan.", "0.", "sign(-2.0) -> -1.0", kink=lambda y, x: x == 0.0)
floor = _row("floor", ieee.floor, lambda y, x: (ZERO,), _ANY, (),
             "The largest whole number not above x.", "0.", "floor(-1.5) -> -2.0", kink=lambda y, x: y == x)
maximum = _row("maximum", ieee.maximum, _extremum_rule, _ANY, (),
             "The largest of several, or of those in one iterable; nan if any is nan.", "1 for the largest, no edge for the others; ties share evenly.",
             "maximum(1.0, 3.0, 2.0) -> 3.0", kink=lambda y, *xs: xs.count(y) > 1,
             spread=_of_one_iterable("maximum"), curvature=0.0)
minimum = _row("minimum", ieee.minimum, _extremum_rule, _ANY, (),
             "The smallest of several, or of those in one iterable; nan if any is nan.", "1 for the smallest, no edge for the others; ties share evenly.",
             "minimum(1.0, 3.0, 2.0) -> 1.0", kink=lambda y, *xs: xs.count(y) > 1,
             spread=_of_one_iterable("minimum"), curvature=0.0)
round = _row("round", ieee.rounded, lambda y, x, digits: (ZERO, ZERO), (_ANY, (0.0, 0.0)), (),
             "The nearest number with so many digits behind the point (none by default); of two, the one with the even digit.",
             "0.", "round(2.5) -> 2.0", kink=ieee.is_halfway)
clip  = _row("clip", ieee.clip, _clip_rule, _ANY, (),
             "x limited to the interval from low to high.", "1 inside, no edge outside and at the bounds, where the bound has 1.",
             "clip(1.7, 0.0, 1.0) -> 1.0", kink=lambda y, x, low, high: x in (low, high), curvature=0.0)
where = _row("where", ieee.where, lambda y, condition, a, b: (ZERO, select(condition, 1.0, ZERO), select(condition, ZERO, 1.0)),
             _ANY, (), "a if the condition holds, else b.", "1 for the arm taken, no edge for the other and for the condition.",
             "where(2.0 > 1.0, 5.0, 6.0) -> 5.0")
stop  = _row("stop_gradient", operator.pos, lambda y, x: (ZERO,), _ANY, (),
             "The number itself, as a constant.", "no edge: derivatives end here.", "stop(2.0) -> 2.0")
xlogy = _row("xlogy", ieee.xlogy,
             _xlogy_rule,
             ((1e-100, 1e100), (1e-100, 1e100)), (2, 2, 4, 4),
             "x * log(y), and 0 for x = 0 even at y = 0.", "log(y), x / y; in y it is 0 for x = 0.", "xlogy(0.0, 0.0) -> 0.0", kink=lambda z, x, y: x == 0.0 == y)

# -- of any number of operands -----------------------------------------------------------------------------------------
sum_of = _row("sum", ieee.total, lambda y, *xs: (1.0,) * len(xs), _ANY, (),
             "The sum of all operands from left to right.", "1 each.", "sum_of(1.0, 2.0, 3.0) -> 6.0", "Σ")
dot_of = _row("dot", ieee.dot, _dot_rule, _WIDE, (),
             "The sum of the products of the first half of the operands with the second.", "the partner in the other half.",
             "dot_of(1.0, 2.0, 3.0, 4.0) -> 11.0", "·")
# fmt: on
