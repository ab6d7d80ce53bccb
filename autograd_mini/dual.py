"""Forward mode: numbers that carry a derivative along, over the same rules of the table.

A dual number is a + b ε with ε² = 0: every operation computes its result from the a's, and its slope from the local
partials and the b's. Nothing is recorded, so it takes the memory of the program itself. What a and b are is open:
floats, `Value`s, SymPy expressions, dual numbers of another derivative.
Not here: any rule (`primitives`). Read next: `transforms`, where `jvp` uses them.
"""

from __future__ import annotations

from typing import Any, final

from autograd_mini.methods import Methods
from autograd_mini.observers import check_dual, is_checked
from autograd_mini.primitives import TABLE, ZERO, Constant, Primitive, as_number, evaluate, interpreters
from autograd_mini.scopes import unobserved
from autograd_mini.stack import recording

_WHERE = TABLE["where"]


@final
class Dual(Methods):
    """The number `primal + tangent * ε`.

    Args:
        primal: the number itself.
        tangent: its derivative along the direction of `jvp`.
        level: which ε. A derivative inside another has the higher one, so that they are not confused.

    >>> y = Dual(3.0, 1.0, level=1) ** 2
    >>> y.primal, y.tangent
    (9.0, 6.0)
    """

    __slots__ = ("level", "primal", "tangent")
    contains_others = True

    def __init__(self, primal: Any, tangent: Any, level: int) -> None:
        self.primal = primal
        self.tangent = tangent
        self.level = level

    @property
    def data(self) -> Any:
        """The bare number."""
        return getattr(self.primal, "data", self.primal)

    @property
    def _data(self) -> Any:
        return self.primal  # of a traced number, a comparison is a condition

    # Sums and products are inlined: forward over reverse consists of them (1.7 times as fast). A test holds them to
    # the table's rules.

    def __add__(self, other: Any) -> Any:
        if recording().hooks.finish is not None:  # inside of `no_grad`
            return Methods.__add__(self, other)
        if type(other) is Dual and other.level == self.level:
            return Dual(self.primal + other.primal, self.tangent + other.tangent, self.level)
        if type(other) is float:
            return Dual(self.primal + other, self.tangent, self.level)
        return Methods.__add__(self, other)

    def __mul__(self, other: Any) -> Any:
        if recording().hooks.finish is not None:
            return Methods.__mul__(self, other)
        if type(other) is Dual and other.level == self.level:
            tangent = self.tangent * other.primal + other.tangent * self.primal
            return Dual(self.primal * other.primal, tangent, self.level)
        if type(other) is float:
            return Dual(self.primal * other, self.tangent * other, self.level)
        return Methods.__mul__(self, other)

    def __rmul__(self, other: Any) -> Any:
        if type(other) is float and recording().hooks.finish is None:
            return Dual(other * self.primal, self.tangent * other, self.level)
        return Methods.__rmul__(self, other)

    def __bool__(self) -> bool:
        return bool(self.data != 0.0)

    def __repr__(self) -> str:
        return f"Dual({self.primal!r}, {self.tangent!r})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)


def _push(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """One operation: the chain rule, forwards. What does not depend on ε is no dual number."""
    level = max([x.level for x in operands if type(x) is Dual])
    if row is _WHERE and isinstance(operands[0], (bool, Methods)):
        operands = (1.0 if operands[0] else 0.0, *operands[1:])  # no part of the derivative
    if recording().hooks.finish is not None:  # inside of `no_grad`: no ε of any level
        return evaluate(row, tuple([_bare(x) for x in operands]))
    primals = tuple([x.primal if type(x) is Dual and x.level == level else _number(x) for x in operands])
    result = evaluate(row, primals)
    if isinstance(result, Methods):
        with unobserved():  # `checked()` is about results; a partial that nobody needs may well be infinite
            tangent = _tangent(row, operands, primals, result, level)
    else:
        tangent = _tangent(row, operands, primals, result, level)
    if is_checked():
        numbers = ", ".join([repr(getattr(x, "data", x)) for x in primals])
        check_dual(f"{row.name}({numbers})", result, 0.0 if tangent is ZERO else tangent)
    return result if tangent is ZERO else Dual(result, tangent, level)


def _tangent(row: Primitive, operands: tuple[Any, ...], primals: tuple[Any, ...], result: Any, level: int) -> Any:
    tangent: Any = ZERO
    if len(operands) == 2:
        primals = tuple([Constant(p) if type(x) is float else p for x, p in zip(operands, primals, strict=True)])
    for x, partial in zip(operands, row.partials(result, primals), strict=True):
        if type(x) is Dual and x.level == level and partial is not ZERO:
            term = x.tangent * partial
            tangent = term if tangent is ZERO else tangent + term
    return tangent


def _bare(x: Any) -> Any:
    """A number without its ε of all levels."""
    while type(x) is Dual:
        x = x.primal
    return _number(x)


def _number(x: Any) -> Any:
    if type(x) is float or isinstance(x, Methods):
        return x
    number = as_number(x)
    return x if number is None else number


interpreters[Dual] = _push


def primal_at(number: Any, level: int) -> Any:
    """The number without the ε of a level.

    >>> primal_at(Dual(3.0, 1.0, level=1), 1), primal_at(3.0, 1)
    (3.0, 3.0)
    """
    return number.primal if type(number) is Dual and number.level == level else number


def tangent_at(number: Any, level: int) -> Any:
    """The factor of the ε of a level; 0.0 where there is none.

    >>> tangent_at(Dual(3.0, 1.0, level=1), 1), tangent_at(3.0, 1)
    (1.0, 0.0)
    """
    return number.tangent if type(number) is Dual and number.level == level else 0.0


def perturbed(primal: Any, tangent: Any, level: int) -> Any:
    """`primal + tangent * ε`, for parts that may have levels of their own, or be `ZERO`.

    >>> perturbed(Dual(3.0, 1.0, level=1), 5.0, 1)
    Dual(3.0, 6.0)
    """
    if tangent is ZERO:
        return primal
    tangent = _times_epsilon(tangent, level)
    return tangent if primal is ZERO else primal + tangent


def _times_epsilon(number: Any, level: int) -> Any:
    if type(number) is not Dual or number.level < level:
        return Dual(0.0, number, level)
    if number.level == level:  # ε² = 0
        return Dual(0.0, number.primal, level)
    return Dual(_times_epsilon(number.primal, level), _times_epsilon(number.tangent, level), number.level)
