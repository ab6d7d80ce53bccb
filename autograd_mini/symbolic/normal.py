"""The normal form, in which expressions that are equal for all real numbers look equal.

Branches are taken apart, exponentials of sums become products of powers, and a fraction is 0 if its numerator is.
Not here: numbers. Read next: `symbolic.search`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import sympy

from autograd_mini.symbolic.search import Evaluation

_MOST_ARMS = 2000  # of branches, before the proof gives up
_MOST_OPERATIONS = 60  # in an expression that SymPy may simplify slowly
_LONGEST = 10**9  # the largest number in such an expression

HYPERBOLIC = (sympy.sinh, sympy.cosh, sympy.tanh, sympy.coth, sympy.sech, sympy.csch)

Arm = tuple[Any, Any, tuple[Any, ...]]  # derived, claimed, and the conditions under which both hold


def is_equal(derived: Any, claimed: Any, conditions: tuple[Any, ...] = ()) -> bool:
    """Return True if two expressions are proved equal wherever the conditions hold and the first is defined."""
    if derived == claimed:
        return True
    try:
        arms = arms_of(derived, claimed, (sympy.Piecewise, sympy.Abs, sympy.Max, sympy.Min, sympy.sign), conditions)
    except (TypeError, ValueError):  # SymPy met a comparison of numbers that are infinite or not real
        return False
    if arms is None:
        return False
    return all(map(vanishes, dict.fromkeys(derived - claimed for derived, claimed, _ in arms)))  # many are alike


def arms_of(
    derived: Any, claimed: Any, kinds: tuple[Any, ...], conditions: tuple[Any, ...] = (), put_in: bool = True
) -> list[Arm] | None:
    """Split a pair of expressions into pairs without branches of some kinds; None if there are too many.

    Arms that no input reaches, and arms where the first expression is undefined, are left out. Where the conditions of
    an arm leave a single value for a symbol, the value replaces the symbol, in the conditions too.
    """
    waiting: list[Arm] = [(derived, claimed, facts) for facts in _cases(sympy.And(*conditions))]
    done: list[Arm] = []
    for _ in range(_MOST_ARMS):
        if not waiting:
            return done
        derived, claimed, conditions = waiting.pop()
        conditions = tuple(dict.fromkeys(c for c in conditions if c is not sympy.S.true))
        value = _single_value(conditions)
        if value is None or derived is sympy.nan:
            continue
        branches = _split((derived, claimed, conditions), kinds)
        if branches is not None:
            waiting += reversed(branches)
        elif value and put_in:
            waiting.append((derived.subs(value), claimed.subs(value), tuple([c.subs(value) for c in conditions])))
        else:
            done.append((derived, claimed, conditions))
    return None


def _split(arm: Arm, kinds: tuple[Any, ...]) -> list[Arm] | None:
    """Split an arm into one per branch of its innermost piecewise function; None if it has no such function."""
    derived, claimed, conditions = arm
    nodes = Evaluation(list(arm[:2] + conditions)).nodes
    steps = {node: sympy.Dummy("step", real=True) for node in nodes if isinstance(node, sympy.floor)}
    if steps:  # a proof for all numbers holds for integers too
        return [(derived.xreplace(steps), claimed.xreplace(steps), tuple([c.xreplace(steps) for c in conditions]))]
    for node in nodes:  # operands come first
        split_here = isinstance(node, kinds) and not isinstance(node, sympy.Piecewise)
        pieces = node.rewrite(sympy.Piecewise) if split_here else node
        if not isinstance(pieces, sympy.Piecewise):
            continue
        branches = []
        before: Any = sympy.S.true
        for value, condition in pieces.args:
            cases = _cases(sympy.And(before, condition))
            before = sympy.And(before, sympy.Not(condition))
            for facts in cases:
                chosen = [part.xreplace({node: value}) for part in (derived, claimed, *conditions)]
                branches.append((chosen[0], chosen[1], (*chosen[2:], *facts)))
        return branches
    return None


def _cases(condition: Any) -> list[tuple[Any, ...]]:
    """Return the ways in which a condition can hold, each as facts that hold together."""
    either = sympy.to_dnf(condition)
    cases = either.args if isinstance(either, sympy.Or) else [either]
    return [case.args if isinstance(case, sympy.And) else (case,) for case in cases]


def _single_value(conditions: Iterable[Any]) -> dict[Any, Any] | None:
    """Return {symbol: its only value} if the conditions leave one, {} if not, None if they contradict each other.

    Every comparison is brought to the form `expression REL number`; the numbers bound an interval for each expression.
    """
    bounds: dict[Any, list[Any]] = {}  # expression: [lowest, may it be that, highest, may it be that, not these]
    for condition in conditions:
        if condition is sympy.S.false:
            return None
        if not condition.is_Relational:
            continue
        constant, form = sympy.expand(condition.lhs - condition.rhs).as_coeff_Add()
        lead = form.as_ordered_terms()[0].as_coeff_Mul()[0]
        if not lead.is_Rational or form.is_number:
            continue
        number, symbol = -constant / lead, condition.rel_op
        bound = bounds.setdefault(sympy.expand(form / lead), [-sympy.oo, False, sympy.oo, False, set()])
        if symbol == "!=":
            bound[4].add(number)
            continue
        upwards = (symbol in (">", ">=")) == (lead > 0)
        closed = symbol in ("<=", ">=", "==")
        if (symbol == "==" or upwards) and (number > bound[0] or (number == bound[0] and not closed)):
            bound[0], bound[1] = number, closed
        if (symbol == "==" or not upwards) and (number < bound[2] or (number == bound[2] and not closed)):
            bound[2], bound[3] = number, closed
    for form, (lowest, has_lowest, highest, has_highest, excluded) in bounds.items():
        if lowest > highest or (lowest == highest and (not (has_lowest and has_highest) or lowest in excluded)):
            return None
        if lowest == highest:
            value = linear_solution(form - lowest, sorted(form.free_symbols, key=str))
            if value:
                return value
    return {}


def linear_solution(expression: Any, symbols: list[Any]) -> dict[Any, Any]:
    """Return {symbol: the value that makes the expression 0} for the first symbol that always has exactly one."""
    expression = sympy.expand(expression)
    for symbol in symbols:
        factor = expression.coeff(symbol)
        rest = sympy.expand(expression - factor * symbol)
        is_linear = symbol not in factor.free_symbols | rest.free_symbols
        if is_linear and factor != 0 and (factor.is_nonzero or rest.is_nonzero):  # where both are 0, any value will do
            return {symbol: -rest / factor}
    return {}


def vanishes(expression: Any) -> bool:
    """Return True if an expression without branches is proved to be 0 wherever it is defined."""
    if expression == 0:
        return True
    if expression.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        return False
    expression = expression.rewrite(HYPERBOLIC, sympy.exp).rewrite(sympy.erfc, sympy.erf)
    if _numerator(_with_powers(expression)) == 0:
        return True
    if sympy.count_ops(expression) > _MOST_OPERATIONS or any(
        max(abs(number.p), number.q) > _LONGEST for number in expression.atoms(sympy.Rational)
    ):
        return False  # SymPy would take minutes
    return bool(sympy.simplify(expression) == 0)


def _numerator(expression: Any) -> Any:
    return sympy.expand(sympy.fraction(sympy.together(expression))[0])


def _with_powers(expression: Any) -> Any:
    """Turn exp of a sum into a product of powers of new symbols, and log of a product into a sum."""
    exponents = {}
    for node in outermost(expression, sympy.exp, sympy.Pow) + list(expression.atoms(sympy.exp, sympy.Pow)):
        base, exponent = node.as_base_exp()
        if isinstance(node, sympy.exp):
            exponents[node] = sympy.expand(node.exp)
        elif base.is_positive and base.is_number and not exponent.is_number:
            exponents[node] = sympy.expand(exponent * sympy.log(base))
    terms = {node: [term.as_coeff_Mul() for term in sympy.Add.make_args(e)] for node, e in exponents.items()}
    parts: dict[Any, int] = {}  # each exponent: the common denominator of its multiples
    for factor, term in (pair for pairs in terms.values() for pair in pairs):
        if factor.is_Rational:
            parts[term] = math.lcm(parts.get(term, 1), factor.q)
    base_of = {term: sympy.Dummy("power", positive=True if term.is_real else None) for term in parts}
    expression = expression.xreplace({
        node: sympy.Mul(*[
            base_of[term] ** (factor * parts[term]) if factor.is_Rational else sympy.exp(factor * term)
            for factor, term in pairs
        ])
        for node, pairs in terms.items()
    })  # fmt: skip
    logarithms = {sympy.log(base): term / parts[term] for term, base in base_of.items() if base.is_positive}
    return expression.replace(
        sympy.log, lambda x: sympy.expand_log(sympy.log(sympy.factor(sympy.together(x)))).xreplace(logarithms)
    )


def outermost(expression: Any, *kinds: type) -> list[Any]:
    """Return the subexpressions of some kinds that are not inside another one, in a fixed order."""
    found = []
    walk = sympy.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, kinds):
            found.append(node)
            walk.skip()
    return list(dict.fromkeys(found))
