"""Forward mode: numbers that carry a derivative along, computed with the same rules of the table.

A dual number is a + b ε with ε² = 0, where a and b are floats, nodes, or dual numbers of another derivative: every
operation computes its result from the a's, and its slope from the local partials and the b's. Nothing is recorded.
Not here: the rules (`table`). Read next: `core.replay`.
"""

from __future__ import annotations

import copy
from itertools import count
from typing import Any, NoReturn, final

from autograd_mini.core.arrays import is_array
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import FLAT, TABLE, ZERO, Constant, Primitive, as_number, evaluate, interpreters, on_arrays
from autograd_mini.core.traced import resolved
from autograd_mini.errors import OperandError, shown
from autograd_mini.program.scopes import unobserved
from autograd_mini.program.stack import recording

_WHERE = TABLE["where"]
_numbers = count(1)


class Level:
    """One derivative in forward mode, with its own ε; a derivative nested inside has a higher number."""

    __slots__ = ("is_over", "number")

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.is_over = False

    def __enter__(self) -> Level:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True


@final
class Dual(Methods):
    """The number `primal + tangent * ε`, with the ε of a level; only the primal once the derivative has ended.

    The tangent is the derivative along the direction of `jvp`: `ZERO` for a result that does not depend on it.
    """

    __slots__ = ("level", "primal", "tangent")
    contains_others = True

    def __init__(self, primal: Any, tangent: Any, level: Level) -> None:
        self.primal = primal
        self.tangent = tangent
        self.level = level

    @property
    def data(self) -> Any:
        """The bare number."""
        return getattr(self.primal, "data", self.primal)

    @property
    def _data(self) -> Any:
        return self.primal  # comparing a traced number gives a condition

    def as_float(self) -> float | None:
        """The number as a float, if no active derivative is lost; None otherwise, and for nodes."""
        number = _constant_of(self)
        return number if isinstance(number, float) else None

    # Arithmetic is inlined, which makes second derivatives twice as fast. A test compares it with the table's rules.
    # If the derivative has ended, and inside `no_grad` (which sets the hook `finish`), the general methods apply.

    def __add__(self, other: Any) -> Any:
        level = self.level
        if not level.is_over and recording().hooks.finish is None:
            if type(other) is Dual and other.level is level:
                return Dual(self.primal + other.primal, self.tangent + other.tangent, level)
            if isinstance(other, float):
                return Dual(self.primal + other, self.tangent, level)
        return Methods.__add__(self, other)

    def __radd__(self, other: Any) -> Any:
        if isinstance(other, float) and not self.level.is_over and recording().hooks.finish is None:
            return Dual(other + self.primal, self.tangent, self.level)
        return Methods.__radd__(self, other)

    def __sub__(self, other: Any) -> Any:
        level = self.level
        if not level.is_over and recording().hooks.finish is None:
            if type(other) is Dual and other.level is level:
                return Dual(self.primal - other.primal, self.tangent - other.tangent, level)
            if isinstance(other, float):
                return Dual(self.primal - other, self.tangent, level)
        return Methods.__sub__(self, other)

    def __rsub__(self, other: Any) -> Any:
        if isinstance(other, float) and not self.level.is_over and recording().hooks.finish is None:
            return Dual(other - self.primal, -self.tangent, self.level)
        return Methods.__rsub__(self, other)

    def __mul__(self, other: Any) -> Any:
        level = self.level
        if not level.is_over and recording().hooks.finish is None:
            if type(other) is Dual and other.level is level:
                tangent = self.tangent * other.primal + other.tangent * self.primal
                return Dual(self.primal * other.primal, tangent, level)
            if isinstance(other, float):
                return Dual(self.primal * other, self.tangent * other, level)
        return Methods.__mul__(self, other)

    def __rmul__(self, other: Any) -> Any:
        if isinstance(other, float) and not self.level.is_over and recording().hooks.finish is None:
            return Dual(other * self.primal, self.tangent * other, self.level)
        return Methods.__rmul__(self, other)

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, float) and other != 0.0 and not self.level.is_over and recording().hooks.finish is None:
            return Dual(self.primal / other, self.tangent * (1.0 / other), self.level)
        return Methods.__truediv__(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        x, is_number = self.primal, isinstance(other, float)
        if is_number and type(x) is float and x != 0.0 and not self.level.is_over and recording().hooks.finish is None:
            quotient = other / x
            return Dual(quotient, self.tangent * -(quotient / x), self.level)
        return Methods.__rtruediv__(self, other)

    def __neg__(self) -> Any:
        if self.level.is_over or recording().hooks.finish is not None:
            return Methods.__neg__(self)
        return Dual(-self.primal, -self.tangent, self.level)

    def backward(self, seed: float = 1.0) -> NoReturn:
        """Raise an error, because forward mode records no graph."""
        raise OperandError(
            f"backward() was called on {shown(self)}, a number in forward mode, which has no graph.",
            "Differentiate the function with grad instead of jvp, or call backward() outside of jvp.",
        )

    def __bool__(self) -> bool:
        return bool(self != 0.0)

    def __float__(self) -> Any:
        number = _constant_of(self)
        return Methods.__float__(self) if type(number) is Dual else float(number)

    def __int__(self) -> Any:
        number = _constant_of(self)
        return Methods.__int__(self) if type(number) is Dual else int(number)

    def __repr__(self) -> str:
        number = settled(self)
        return f"Dual({number.primal!r}, {number.tangent!r})" if type(number) is Dual else repr(number)

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __copy__(self) -> Any:
        return settled(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        number = settled(self)
        if type(number) is not Dual:
            return copy.deepcopy(number, memo)
        return Dual(copy.deepcopy(number.primal, memo), copy.deepcopy(number.tangent, memo), number.level)

    def __reduce__(self) -> tuple[Any, ...]:
        number = _constant_of(self)
        if type(number) is Dual:
            raise OperandError(
                f"{shown(self)} belongs to an unfinished derivative in forward mode, so it cannot be pickled.",
                "Pickle .data, the bare number, or wait until jvp has returned.",
            )
        return settled, (number,)


def settled(number: Any) -> Any:
    """A number without the ε of derivatives that have ended."""
    while type(number) is Dual and number.level.is_over:
        number = number.primal
    return number


def _constant_of(number: Any) -> Any:
    """The primal of a dual number if no derivative is lost; otherwise, the dual number."""
    number = settled(number)
    while type(number) is Dual and number.tangent is ZERO:
        number = settled(number.primal)
    return number


def _push(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Compute one operation with the chain rule, forwards.

    A float that does not depend on ε stays a dual number, so that it has the same methods on both sides of a kink.
    Operations treat it as a constant.
    """
    if not _USUAL.issuperset(map(type, operands)) and any(map(is_array, operands)):
        return on_arrays(row, operands)
    operands = tuple([settled(x) if type(x) is Dual else x for x in operands])
    levels = [x.level for x in operands if type(x) is Dual]
    if not levels:
        return evaluate(row, operands)
    if recording().hooks.finish is not None:  # inside `no_grad`: without the ε of any level
        return _constant(evaluate(row, tuple([_bare(x) for x in operands])), max(levels, key=_number_of))
    operands = tuple([x.primal if type(x) is Dual and x.tangent is ZERO else x for x in operands])
    levels = [x.level for x in operands if type(x) is Dual] or levels
    level = levels[0] if len(levels) == 1 else max(levels, key=_number_of)
    if row is _WHERE and isinstance(operands[0], (bool, Methods)):
        answer = operands[0] != 0.0  # it has no derivative, and is not known of a traced number
        operands = (float(answer) if isinstance(answer, bool) else answer, *operands[1:])
    primals = tuple([x.primal if type(x) is Dual and x.level is level else _number(x) for x in operands])
    result = evaluate(row, primals)
    if isinstance(result, Methods):
        with unobserved():  # `checked()` checks results; an unused partial may be infinite
            tangent = _tangent(row, operands, primals, result, level)
    else:
        tangent = _tangent(row, operands, primals, result, level)
    if (checks := recording().hooks.checked) is not None:
        numbers = ", ".join([repr(getattr(x, "data", x)) for x in primals])
        checks.dual(f"{row.name}({numbers})", result, 0.0 if tangent is ZERO else tangent)
    return _constant(result, level) if tangent is ZERO else Dual(result, tangent, level)


def _constant(result: Any, level: Level) -> Any:
    """A result without ε: a node as it is, a float as a dual number, so that it has methods too."""
    return Dual(result, ZERO, level) if type(result) is float else result


def _number_of(level: Level) -> int:
    return level.number


def _tangent(row: Primitive, operands: tuple[Any, ...], primals: tuple[Any, ...], result: Any, level: Level) -> Any:
    tangent: Any = ZERO
    if len(operands) == 2:
        primals = tuple([Constant(p) if type(x) is float else p for x, p in zip(operands, primals, strict=True)])
    for x, partial in zip(operands, row.partials(result, primals), strict=True):
        if type(x) is Dual and x.level is level and partial is not ZERO:
            term = x.tangent * partial
            tangent = term if tangent is ZERO else tangent + term
    return tangent


def _bare(x: Any) -> Any:
    """A number without the ε of any level."""
    while type(x) is Dual:
        x = x.primal
    return _number(x)


def _number(x: Any) -> Any:
    if type(x) is float or isinstance(x, Methods):
        return x
    number = as_number(x)
    return x if number is None else number


interpreters[Dual] = _push
_USUAL = {Dual, float}


def primal_at(number: Any, level: Level) -> Any:
    """The number without the ε of a level."""
    number = settled(number)
    return number.primal if type(number) is Dual and number.level is level else number


def tangent_at(number: Any, level: Level) -> Any:
    """The factor of the ε of a level; 0.0 if there is none."""
    number = settled(number)
    tangent = number.tangent if type(number) is Dual and number.level is level else 0.0
    return 0.0 if tangent is FLAT or tangent is ZERO else resolved(tangent)


def perturbed(primal: Any, tangent: Any, level: Level) -> Any:
    """`primal + tangent * ε`, where each part may have its own levels, or be `ZERO`."""
    if tangent is ZERO:
        return primal
    tangent = _times_epsilon(tangent, level)
    return tangent if primal is ZERO else primal + tangent


def _times_epsilon(number: Any, level: Level) -> Any:
    number = settled(number)
    if type(number) is not Dual or number.level.number < level.number:
        return Dual(0.0, number, level)
    if number.level is level:  # ε² = 0
        return Dual(0.0, number.primal, level)
    return Dual(_times_epsilon(number.primal, level), _times_epsilon(number.tangent, level), number.level)
