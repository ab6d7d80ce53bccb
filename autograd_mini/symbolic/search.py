"""The numeric search for a counterexample: expressions at real points, with many digits.

Not here: what is compared. Read next: `symbolic.proof`.
"""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import mpmath
import sympy

DIGITS = 60
ROUNDED = 1e-7  # smaller relative differences do not count if some number is known to only 16 digits
_MOST_EDGES = 64
_SPECIAL = [Fraction(number) for number in (0, 1, -1, 20, -20, 40, -40, 0.5, 2)]


def candidates(symbols: list[Any], relations: Iterable[Any] = (), count: int = 64) -> Iterator[dict[Any, Fraction]]:
    """Yield ties at special numbers, mixtures of them, random points and edges of relations; the same in each run."""
    chance = random.Random(0)
    special = {symbol: [n for n in _SPECIAL if admits(symbol, n)] or [Fraction(1)] for symbol in symbols}
    points = [{s: n if n in special[s] else special[s][0] for s in symbols} for n in _SPECIAL]
    for index in range(count if symbols else 0):
        point = {}
        for symbol in symbols:
            drawn = Fraction(chance.randint(-64, 64), (4, 16, 64)[index % 3])
            drawn = drawn if admits(symbol, drawn) else abs(drawn)
            usual = admits(symbol, drawn) and index % 4 != 0
            point[symbol] = drawn if usual else chance.choice(special[symbol])
        points.append(point)
    points += islice(_edges(symbols, relations, points[:2] + points[len(_SPECIAL) : len(_SPECIAL) + 4]), _MOST_EDGES)
    seen = set()
    for point in points:
        key = tuple(point.values())
        if key not in seen:
            seen.add(key)
            yield point


def _edges(
    symbols: list[Any], relations: Iterable[Any], points: list[dict[Any, Fraction]]
) -> Iterator[dict[Any, Fraction]]:
    """Yield points where the two sides of a comparison are equal, beside them, and between two of them."""
    before: dict[Any, Fraction] = {}
    for relation in relations:
        difference = relation.lhs - relation.rhs
        for symbol in sorted(relation.free_symbols.intersection(symbols), key=str):
            for point in points if len(relation.free_symbols) > 1 else points[:1]:
                at = {s: sympy.Rational(n) for s, n in point.items() if s != symbol}
                try:
                    roots = _roots(difference.xreplace(at), symbol)
                except (TypeError, ValueError):  # SymPy compares no number that is infinite or not real, as in max(1/0)
                    continue
                for root in roots:
                    near = (root, root + 1, root - 1, (root + before.get(symbol, root)) / 2)
                    yield from (point | {symbol: n} for n in near if admits(symbol, n))
                    before[symbol] = root


def _roots(expression: Any, symbol: Any) -> list[Fraction]:
    """Return the rational roots of a polynomial; else a number near the root, or the numbers in the expression."""
    try:
        found = list(sympy.Poly(expression, symbol, domain="QQ").ground_roots())
    except (sympy.PolynomialError, sympy.CoercionFailed):  # as in x > π
        found = [sign * number for number in expression.atoms(sympy.Rational) for sign in (1, -1)]
        factor, rest = [sympy.expand(expression).coeff(symbol, power) for power in (1, 0)]
        if factor.is_zero is False and (root := -rest / factor).is_extended_real and root.is_finite:
            found.append(sympy.Rational(float(root)))
    return sorted({Fraction(int(root.p), int(root.q)) for root in found if root.is_finite})


def admits(symbol: Any, number: Any) -> bool:
    """Return True if the assumptions of a symbol hold for a number."""
    candidate = sympy.sympify(number)
    return all(getattr(candidate, f"is_{fact}", truth) in (truth, None) for fact, truth in symbol.assumptions0.items())


def _mod(a: Any, b: Any) -> Any:
    return a - b * mpmath.floor(a / b)


def _power(base: Any, exponent: Any) -> Any:
    if base == 0:
        return mpmath.nan if exponent < 0 else mpmath.mpf(exponent == 0)
    return mpmath.power(base, exponent)


def _product(*factors: Any) -> Any:
    """Multiply; a structural zero (the int 0) wins, whatever the other factors are."""
    return 0 if any(type(factor) is int for factor in factors) else math.prod(factors)


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *numbers: choose(numbers) if not any(map(mpmath.isnan, numbers)) else mpmath.nan


_NUMERIC: dict[str, Callable[..., Any]] = {
    "Add": lambda *terms: sum(terms),
    "Mul": _product,
    "Pow": _power,
    "Abs": abs,
    "Max": _extreme(max),
    "Min": _extreme(min),
    "Mod": _mod,
    "And": lambda *conditions: all(conditions),
    "Or": lambda *conditions: any(conditions),
    "Not": operator.not_,
}
_COMPARISONS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne
}  # fmt: skip


class Evaluation:
    """Expressions that are evaluated together, node by node."""

    def __init__(self, expressions: list[Any]) -> None:
        self.expressions = expressions
        self.nodes: dict[Any, None] = {}  # operands first
        stack = [(expression, False) for expression in reversed(expressions)]
        while stack:
            node, ready = stack.pop()
            if ready:
                self.nodes[node] = None
            elif node not in self.nodes:
                stack.append((node, True))
                stack += [(operand, False) for operand in node.args]
        # A float stands for a number known to only 16 digits, unless that number is short.
        self.rounded = any(hasattr(node, "row") or (node.is_Rational and node.q > 10**12) for node in self.nodes)

    @property
    def relations(self) -> list[Any]:
        """The comparisons in the expressions."""
        return [node for node in self.nodes if node.is_Relational]

    def at(self, point: dict[Any, Fraction], digits: int) -> list[Any]:
        """Evaluate each expression at a point; nan where the value is not a real number."""
        values: dict[Any, Any] = {}
        with mpmath.workdps(digits):
            for node in self.nodes:
                try:
                    value = self._value(node, [values[operand] for operand in node.args], point)
                except (ArithmeticError, ValueError, TypeError):
                    value = mpmath.nan
                if isinstance(value, mpmath.mpc):
                    value = value.real if value.imag == 0 else mpmath.nan
                values[node] = value
            return [mpmath.mpf(values[expression]) for expression in self.expressions]

    def _value(self, node: Any, operands: list[Any], point: dict[Any, Fraction]) -> Any:
        if node in point:
            return mpmath.mpf(point[node].numerator) / point[node].denominator
        if node.is_Rational:
            return mpmath.mpf(node.p) / node.q if node.p else 0
        if isinstance(node, sympy.Piecewise):
            return next((arm for arm, holds in operands if holds), mpmath.nan)
        if type(node).__name__ == "ExprCondPair":
            return tuple(operands)
        if node.is_Relational:
            a, b = operands
            tie = abs(a - b) <= mpmath.mpf(10) ** (-2 * mpmath.mp.dps // 3) * max(1, abs(a), abs(b))
            return _COMPARISONS[node.rel_op](a, a if tie else b)  # rounding must not decide between < and ==
        if node.is_Boolean and not node.args:
            return bool(node)
        if hasattr(node, "row"):
            return mpmath.mpf(node.row.function(*map(float, operands)))
        name = node.func.__name__
        if name in _NUMERIC:
            return _NUMERIC[name](*operands)
        if node.args and hasattr(mpmath, name):
            return getattr(mpmath, name)(*operands)
        digits = mpmath.mp.dps
        return mpmath.mpmathify(node.func(*[sympy.Float(x, digits) for x in operands]).evalf(digits))

    def agree(self, derived: Any, claimed: Any, digits: int = DIGITS) -> bool:
        """Return True if two numbers are equal up to the digits that rounding lost."""
        if not mpmath.isfinite(claimed):
            return False
        with mpmath.workdps(digits):
            relative = mpmath.mpf(ROUNDED) if self.rounded else mpmath.mpf(10) ** (-digits // 3)
            least = mpmath.mpf(10) ** (-digits // 2)  # large numbers that cancel do not quite give 0
            return bool(abs(derived - claimed) <= max(relative * max(abs(derived), abs(claimed)), least))

    def apart(self, point: dict[Any, Fraction], index: int) -> tuple[float, float, float] | None:
        """Return (derived, claimed, difference) at a point as floats, if they still differ with far more digits."""
        for digits in (4 * DIGITS, 16 * DIGITS):
            derived, claimed = self.at(point, digits)[2 * index : 2 * index + 2]
            if self.agree(derived, claimed, digits):
                return None
        with mpmath.workdps(digits):
            return float(derived), float(claimed), float(derived - claimed)
