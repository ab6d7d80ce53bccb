"""The table over SymPy: `am.exp(x)` of an expression is an expression, and so is every rule and composition.

The first SymPy operand imports it. Not here: derivatives of functions. Read next: `symbolic.formulas`.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

import sympy

from autograd_mini.core.methods import Methods
from autograd_mini.core.row import ZERO, Primitive, interpreters
from autograd_mini.core.traced import Guarded, Unrecorded, local_partials, relations, resolved
from autograd_mini.errors import OperandError, shown
from autograd_mini.notation.spelling import PYTHON, spelling_of
from autograd_mini.notation.text import bracketed


def _where(condition: Any, a: Any, b: Any) -> Any:
    if condition.is_number and not condition.is_Boolean:
        return a if condition != 0 else b
    if a is sympy.nan or b is sympy.nan:  # "undefined", because SymPy cannot print a sum with nan in its pieces
        return sympy.Piecewise((b, ~condition) if a is sympy.nan else (a, condition))
    return sympy.Piecewise((a, condition), (b, True))


# Rows that SymPy names differently; the others have its names, or an expansion into simpler rows.
_SPELLING: dict[str, Callable[..., Any]] = {
    "add": sympy.Add,
    "sub": operator.sub,
    "mul": sympy.Mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "pos": operator.pos,
    "defined": operator.pos,
    "pow": sympy.Pow,
    "remainder": sympy.Mod,
    "abs": sympy.Abs,
    "maximum": sympy.Max,
    "minimum": sympy.Min,
    "where": _where,
    "sum": sympy.Add,
}

# Floats in rules and compositions stand for these exact numbers.
_CONSTANTS = {
    math.log(2.0): sympy.log(2),
    math.log2(math.e): 1 / sympy.log(2),
    math.log10(math.e): 1 / sympy.log(10),
    math.log(10.0): sympy.log(10),
    math.pi: sympy.pi,
    math.e: sympy.E,
    math.sqrt(2.0): sympy.sqrt(2),
    math.sqrt(0.5): 1 / sympy.sqrt(2),
    math.sqrt(math.pi): sympy.sqrt(sympy.pi),
    math.sqrt(2.0 * math.pi): sympy.sqrt(2 * sympy.pi),
    math.sqrt(math.pi) / 2.0: sympy.sqrt(sympy.pi) / 2,
    2.0 / math.sqrt(math.pi): 2 / sympy.sqrt(sympy.pi),
    1.0 / math.sqrt(2.0 * math.pi): 1 / sympy.sqrt(2 * sympy.pi),
}


def exact(expression: Any) -> Any:
    """Replace every float by the number that rounds to it: 0.5 by 1/2, 0.693147... by log(2)."""
    if expression is ZERO:
        return sympy.Integer(0)
    expression = sympy.sympify(resolved(expression))
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
    return sympy.Rational(near if float(near) == number else repr(number))  # or all its digits


def _interpret(row: Primitive, operands: tuple[Any, ...]) -> Any:
    for operand in operands:
        if isinstance(operand, Methods):  # a recording number: its interpreter refuses formulas with its own message
            return interpreters[type(operand)](row, operands)
    expressions = [exact(operand) for operand in operands]
    if row.is_users:  # even if SymPy has a function of the same name
        return _formula_of(row, row.function, expressions)
    if row.expansion is not None:
        return _formula_of(row, row.expansion, expressions)
    return (_SPELLING.get(row.name) or getattr(sympy, row.name))(*expressions)


def _formula_of(row: Primitive, function: Callable[..., Any], expressions: list[Any]) -> Any:
    """Apply a function to formulas; if it takes only floats, return a SymPy function with the name of the row."""
    try:
        result = function(*map(Unrecorded, expressions))
        return exact(result.data if isinstance(result, Unrecorded) else result)
    except Exception:  # the user's code is made for floats and may raise anything
        return _opaque(row)(*expressions)


@functools.cache
def _opaque(row: Primitive) -> Any:
    """Make a SymPy function that knows only the value of a row at numbers, and its rule."""

    def fdiff(self: Any, argindex: int = 1) -> Any:
        return exact(local_partials(row, self, map(Unrecorded, self.args))[argindex - 1])

    def evalf(self: Any, precision: int) -> Any:
        if all(argument.is_number for argument in self.args):
            return sympy.Float(row.function(*map(float, self.args)), precision=precision)
        return None

    def is_real(self: Any) -> bool | None:
        return True if all(argument.is_real for argument in self.args) else None

    def text(self: Any, printer: Any) -> str:
        written = spelling_of(row, self.args).text([bracketed(printer.doprint(x)) for x in self.args], PYTHON)
        return written if row.symbol.isidentifier() else f"({written})"

    def latex(self: Any, printer: Any, exp: str = "") -> str:
        written = spelling_of(row, self.args).latex([printer.doprint(x) for x in self.args])
        written = written if row.symbol.isidentifier() and not exp else rf"\left({written}\right)"
        return f"{written}^{{{exp}}}" if exp else written

    return type(row.name, (sympy.Function,), {
        "row": row, "fdiff": fdiff, "_eval_evalf": evalf, "_eval_is_real": is_real, "__module__": __name__,
        "_sympystr": text, "_latex": latex,
    })  # fmt: skip


_JOIN = {"&": sympy.And, "|": sympy.Or, "~": sympy.Not}


def _relate(symbol: str, *operands: Any) -> Any:
    try:
        relation = _JOIN[symbol](*operands) if symbol in _JOIN else sympy.Rel(*map(exact, operands), symbol)
    except TypeError:  # an operand is not real; among floats that is nan
        return symbol == "!="
    return bool(relation) if relation in (sympy.S.true, sympy.S.false) else relation


def _refuse(self: Unrecorded) -> NoReturn:
    raise OperandError(
        f"SymPy's functions and expressions do not mix with {shown(self)}: its == is not numeric.",
        "Use this package's functions (autograd_mini.exp, ...) throughout; `prove` also takes a SymPy expression.",
    )


def exact_slope(slope: Any) -> Any:
    """Apply `exact` to a local partial derivative, which may be `ZERO` or guarded by a branch."""
    if type(slope) is Guarded:
        return Guarded(slope.condition, exact(slope.value))
    return slope if slope is ZERO else exact(slope)


Unrecorded._sympy_ = _refuse  # type: ignore[attr-defined]  # SymPy asks for it
interpreters[sympy.Basic] = _interpret
relations[sympy.Basic] = _relate
