"""The table over SymPy: `am.exp(x)` of a SymPy expression is a SymPy expression, and so is every rule and composition.

Imported when the first SymPy operand arrives. Not here: floats and `Value`s. Read next: `primitives`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy

from autograd_mini.errors import OperandError, shown
from autograd_mini.primitives import ZERO, Primitive, interpreters


def _where(condition: Any, a: Any, b: Any) -> Any:
    return sympy.Piecewise((a, condition), (b, True))


def _cbrt(x: Any) -> Any:
    return sympy.sign(x) * sympy.Abs(x) ** sympy.Rational(1, 3)


def _dot(*operands: Any) -> Any:
    half = len(operands) // 2
    return sympy.Add(*[a * b for a, b in zip(operands[:half], operands[half:], strict=True)])


def _clip(x: Any, low: Any, high: Any) -> Any:
    return sympy.Min(sympy.Max(x, low), high)


# A row that is missing here is spelled in SymPy as in the table.
_SPELLING: dict[str, Callable[..., Any]] = {
    "add": sympy.Add,
    "sub": lambda a, b: a - b,
    "mul": sympy.Mul,
    "div": lambda a, b: a / b,
    "neg": lambda x: -x,
    "pos": lambda x: x,
    "one_minus_square": lambda x: 1 - x**2,
    "stop_gradient": lambda x: x,
    "pow": sympy.Pow,
    "floor_divide": lambda a, b: sympy.floor(a / b),
    "remainder": sympy.Mod,
    "fmod": lambda a, b: a - b * sympy.sign(a / b) * sympy.floor(sympy.Abs(a / b)),
    "exp2": lambda x: 2**x,
    "expm1": lambda x: sympy.exp(x) - 1,
    "log2": lambda x: sympy.log(x) / sympy.log(2),
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "log1p": lambda x: sympy.log(1 + x),
    "cbrt": _cbrt,
    "hypot": lambda *xs: sympy.sqrt(sympy.Add(*[x**2 for x in xs])),
    "ndtr": lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
    "abs": sympy.Abs,
    "maximum": sympy.Max,
    "minimum": sympy.Min,
    "clip": _clip,
    "where": _where,
    "xlogy": lambda x, y: x * sympy.log(y),
    "sum": sympy.Add,
    "dot": _dot,
}

# Floats in rules and compositions that stand for these numbers.
_CONSTANTS = {
    math.log(2.0): sympy.log(2),
    math.log2(math.e): 1 / sympy.log(2),
    math.log10(math.e): 1 / sympy.log(10),
    math.sqrt(2.0): sympy.sqrt(2),
    2.0 / math.sqrt(math.pi): 2 / sympy.sqrt(sympy.pi),
    1.0 / math.sqrt(2.0 * math.pi): 1 / sympy.sqrt(2 * sympy.pi),
}


def exact(expression: Any) -> Any:
    """The expression with every float replaced by the number it stands for: 0.5 by 1/2, 0.693147... by log(2)."""
    if expression is ZERO:
        return sympy.Integer(0)
    expression = sympy.sympify(expression)
    return expression.xreplace({number: _exact_number(float(number)) for number in expression.atoms(sympy.Float)})


def _exact_number(number: float) -> Any:
    constant = _CONSTANTS.get(abs(number))
    if constant is not None:
        return constant if number > 0.0 else -constant
    if not math.isfinite(number):
        return sympy.sympify(number)
    binary = Fraction(number)
    if binary.denominator <= 2**40:
        return sympy.Rational(binary)
    near = binary.limit_denominator(1_000_000)  # SymPy turns x / 3.0 into 0.333333333333333 * x
    return sympy.Rational(near if abs(float(near) - number) <= 4.0 * math.ulp(number) else repr(number))


def _interpret(row: Primitive, operands: tuple[Any, ...]) -> Any:
    spelled = _SPELLING.get(row.name) or getattr(sympy, row.name, None)
    if spelled is None:
        raise OperandError(
            f"{row.name}() has no SymPy spelling; its operands are {shown(operands)}.", "Use it on numbers and Values."
        )
    return spelled(*[exact(operand) for operand in operands])


interpreters[sympy.Basic] = _interpret
