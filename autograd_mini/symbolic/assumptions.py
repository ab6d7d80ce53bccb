"""What `prove` may assume about the inputs: equations are solved for a symbol, inequalities narrow the symbols.

Not here: what holds under them. Read next: `symbolic.normal`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from autograd_mini.core.traced import Condition
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.symbolic.formulas import flat, text, traced
from autograd_mini.symbolic.normal import linear_solution
from autograd_mini.symbolic.search import admits, candidates
from autograd_mini.symbolic.table import exact

_SCALES = (1, Fraction(1, 64), 64)  # a point that violates a condition may satisfy it nearer to 0, or farther away


@dataclass(frozen=True, eq=False)
class Assumptions:
    """Relations between symbols, and the symbols that stay free where they hold."""

    relations: tuple[Any, ...]  # as the user gave them
    meanings: dict[Any, Any]  # each symbol in terms of the free ones
    conditions: tuple[Any, ...]  # on the free symbols

    def __str__(self) -> str:
        several = len(self.relations) > 1
        return " and ".join(f"({text(r)})" if several and isinstance(r, sympy.Or) else text(r) for r in self.relations)

    def applied(self, expression: Any) -> Any:
        """Rewrite an expression in the free symbols."""
        return expression.xreplace(self.meanings)

    def points(self, relations: Iterable[Any]) -> Iterator[tuple[dict[Any, Fraction], dict[Any, Any]]]:
        """Yield numbers for the free symbols and for all symbols where the assumptions hold, edges included."""
        free = list(dict.fromkeys(s for e in self.meanings.values() for s in sorted(e.free_symbols, key=str)))
        edges = [relation for condition in self.conditions for relation in condition.atoms(sympy.Rel)]
        for candidate in candidates(free, [*edges, *relations]):
            for scale in _SCALES if self.conditions else (1,):
                point = {symbol: number * scale for symbol, number in candidate.items()}
                inputs = self._inputs(point)
                if inputs is not None:
                    yield point, inputs
                    break

    def _inputs(self, point: dict[Any, Fraction]) -> dict[Any, Any] | None:
        """Return the number of each symbol at a point of the free ones; None if the assumptions fail there."""
        numbers = {symbol: sympy.Rational(number) for symbol, number in point.items()}
        inputs = {symbol: meaning.xreplace(numbers) for symbol, meaning in self.meanings.items()}
        if not all(number.is_real and admits(symbol, number) for symbol, number in (*numbers.items(), *inputs.items())):
            return None
        sides = [side for relation in self.relations for part in relation.atoms(sympy.Rel) for side in part.args]
        try:
            holds = all(condition.xreplace(numbers) == sympy.true for condition in self.conditions)
            return inputs if holds and all(side.xreplace(inputs).is_real for side in sides) else None
        except (TypeError, ValueError):  # SymPy met a comparison of numbers that are infinite or not real
            return None


def assumptions(assume: Any, arguments: list[Any], symbols: list[Any]) -> Assumptions:
    """Solve, as far as possible, what a user assumes: relations, or a function of the arguments that returns some."""
    relations = tuple(_relations(assume, arguments, symbols))
    meanings, conditions = {symbol: symbol for symbol in symbols}, list[Any]()
    facts = [part for r in relations for part in (r.args if isinstance(r, sympy.And) else [r])]
    # Equations first: the sign of a symbol must not get lost when an equation replaces the symbol.
    for fact in sorted(facts, key=lambda fact: not isinstance(fact, sympy.Eq)):
        fact = fact.xreplace(meanings)
        known = _solved(fact, symbols) if isinstance(fact, sympy.Eq) else _signed(fact)
        meanings = {symbol: meaning.xreplace(known) for symbol, meaning in meanings.items()}
        conditions = [condition.xreplace(known) for condition in (*conditions, fact)]
    return Assumptions(relations, meanings, tuple([c for c in conditions if c is not sympy.true]))


def _relations(assume: Any, arguments: list[Any], symbols: list[Any]) -> Iterator[Any]:
    is_function = callable(assume) and not isinstance(assume, sympy.Basic)
    found = traced(assume, arguments)[0] if is_function else assume
    if found is None and is_function:
        raise ArgumentError("The function of the assumptions returned None.", "Look for a forgotten `return`.")
    for entry in flat(found):
        relation = entry.data if isinstance(entry, Condition) else entry
        if isinstance(relation, bool) and is_function:  # already decided: its arguments are numbers
            relation = sympy.sympify(relation)
        if not isinstance(relation, sympy.logic.boolalg.Boolean):
            written = " SymPy's == asks whether two expressions are written alike." if relation is False else ""
            raise ArgumentError(
                f"{shown(relation)} is not a relation between the arguments.{written}",
                "Pass a function of the arguments, such as lambda z, t: am.sum(t) == 1, or sympy.Eq(a, b).",
            )
        relation = by_name(exact(relation), symbols)
        unknown = sorted(symbol.name for symbol in relation.free_symbols.difference(symbols))
        if unknown:
            raise ArgumentError(
                f"The assumption {text(relation)} is about {', '.join(unknown)}, but the arguments are "
                f"{', '.join(map(str, symbols))}.",
                "Use the names of the arguments.",
            )
        if relation is not sympy.true:
            yield relation


def by_name(expression: Any, symbols: Iterable[Any]) -> Any:
    """Rewrite a user's expression with the given symbols of the same names, whose assumptions count."""
    known = {symbol.name: symbol for symbol in symbols}
    return expression.xreplace({symbol: known.get(symbol.name, symbol) for symbol in expression.free_symbols})


def _solved(equation: Any, symbols: list[Any]) -> dict[Any, Any]:
    """Return {symbol: its value} if an equation has exactly one solution, whatever the other symbols are."""
    return linear_solution(equation.lhs - equation.rhs, list(reversed(symbols)))  # t3 = 1 - t1 - t2


def _signed(fact: Any) -> dict[Any, Any]:
    """Return {symbol: the same with its sign} if the fact tells the sign; SymPy then simplifies more."""
    if not (fact.is_Relational and (fact.lhs.is_Symbol or fact.rhs.is_Symbol)):
        return {}
    fact = fact if fact.lhs.is_Symbol else fact.reversed
    symbol, bound, relation = fact.lhs, fact.rhs, fact.rel_op
    if not bound.is_Rational:
        return {}
    if relation in (">", ">=") and bound >= 0:
        sign = "positive" if relation == ">" or bound > 0 else "nonnegative"
    elif relation in ("<", "<=") and bound <= 0:
        sign = "negative" if relation == "<" or bound < 0 else "nonpositive"
    else:
        return {}
    return {symbol: sympy.Symbol(symbol.name, **symbol.assumptions0 | {sign: True})}
