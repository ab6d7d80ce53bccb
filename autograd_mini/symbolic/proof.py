"""Is a claimed closed form what falls out, for all inputs? By a normal form, and a search for a counter-example.

Not here: either of them (`normal`, `search`). Read next: `lessons`, which prints proofs step by step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import mpmath
import sympy

from autograd_mini.core.row import as_number
from autograd_mini.core.traced import Condition, Traced
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, shown
from autograd_mini.symbolic.formulas import flat, formula, mapped, symbolic_arguments, trace
from autograd_mini.symbolic.normal import is_equal
from autograd_mini.symbolic.search import DIGITS, ROUNDED, Evaluation, candidates
from autograd_mini.symbolic.table import exact
from autograd_mini.transforms.derivatives import jacobian

_NO_OVERFLOW = 30.0  # up to here exponentials, and squares of them, are floats: a claim that is nan is not defined


class Verdict(StrEnum):
    """What `prove` found out."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, eq=False)
class Proof:
    """Whether what falls out equals a claim; true where that is proved.

    Attributes:
        verdict: PROVED for all inputs; REFUTED by a counterexample; UNDECIDED: neither was found.
        points: at how many points the numeric search compared the two.
        counterexample: the inputs where they differ, by name; None unless refuted.
        entry: which entry of the gradient differs there, as its indices or keys; () for a single number.
        derived: what falls out there.
        claimed: what was claimed; nan where the claim is not defined.
        difference: by how much the two differ, also where that is less than floats can show.
        tolerance: relative differences below this did not count, as a number in the formulas has 16 digits only.
    """

    verdict: Verdict
    points: int
    counterexample: dict[str, float] | None = None
    entry: tuple[Any, ...] = ()
    derived: float = math.nan
    claimed: float = math.nan
    difference: float = math.nan
    tolerance: float = 0.0

    def __bool__(self) -> bool:
        return self.verdict is Verdict.PROVED

    def __str__(self) -> str:
        if self.verdict is Verdict.PROVED:
            return f"PROVED for all inputs, algebraically; {self.points} points agree"
        if self.counterexample is None:
            by_much = f" by more than {self.tolerance:g} of it" if self.tolerance else ""
            return f"UNDECIDED: no proof found; {self.points} points compared, none differs{by_much}"
        where = ", ".join(f"{name} = {number:g}" for name, number in self.counterexample.items())
        entry = "".join(f"[{index!r}]" for index in self.entry)
        return (
            f"REFUTED: at {where} {'entry ' + entry if entry else 'the derivative'} is {self.derived!r}, "
            f"and {self.claimed!r} was claimed"
            + (f"; they differ by {self.difference:.2g}" if self.derived == self.claimed else "")
        )

    __repr__ = __str__


def prove(f: Callable[..., Any], claim: Any, names: Any = None, argnums: int | Sequence[int] | None = None) -> Proof:
    """Whether the gradient that falls out of a function equals a claimed closed form, for all inputs.

    Points are compared first, many digits each: random ones, 0, ±1, ties, tails, the edges of conditions; one that
    differs refutes the claim.
    Then both sides are brought to a normal form, branch by branch, where equal functions look equal. Inputs for
    which f or its gradient is not defined do not count. A float is read as the number that rounds to it: 0.1 as 1/10,
    math.pi as π.

    Args:
        f: as for `formula`: a number or a list of numbers, whose Jacobian is meant then.
        claim: a function of the same arguments, written with this package's functions as f is, or the closed form
            itself: SymPy expressions and numbers. Its structure is that of the gradient (a list for a list argument,
            a tuple for several arguments, a list of rows for an f that returns a list).
        names: as for `formula`.
        argnums: as for `formula`.

    Returns:
        a `Proof`, which is true if the claim is proved.

    Raises:
        ArgumentError: the claim has another structure than the gradient; or as for `formula`.
        OperandError: the claim branches with Python's `if`, or an entry of it is no formula; or as for `formula`.

    >>> import autograd_mini as am
    >>> prove(am.sigmoid, lambda x: am.sigmoid(x) * (1 - am.sigmoid(x))).verdict
    <Verdict.PROVED: 'PROVED'>
    >>> prove(am.tanh, lambda x: 1 - am.tanh(x))
    REFUTED: at x = 1 the derivative is 0.4199743416140261, and 0.23840584404423512 was claimed
    """
    found = formula(f, names, argnums)
    arguments = symbolic_arguments(f, names)
    is_function = callable(claim) and not isinstance(claim, sympy.Basic)
    claimed = _plain(trace(claim, arguments)[0] if is_function else claim)
    gradient = _plain(found.gradient)
    if _outline(claimed) != _outline(gradient):
        raise ArgumentError(
            f"The claim has the structure {_outline(claimed)}, the gradient {_outline(gradient)}.",
            "Claim a list for a list argument, a tuple for several arguments, a list of rows for several results.",
        )
    pairs = list(zip(flat(gradient), map(_expression, flat(claimed)), strict=True))
    symbols = list(dict.fromkeys(entry for entry in flat(arguments) if isinstance(entry, sympy.Symbol)))
    extra = {s for pair in pairs for e in pair for s in e.free_symbols}.difference(symbols)
    symbols += sorted(extra, key=str)
    indices = list(_indices(gradient))
    points, hardly = 0, None
    search = Evaluation([e for pair in pairs for e in pair] + [*flat(found.value)])
    by = argnums if argnums is not None else tuple(range(len(arguments)))
    for point in candidates(symbols, search.relations):
        compared = False
        numbers = search.at(point, DIGITS)
        if not all(map(mpmath.isfinite, numbers[2 * len(pairs) :])):
            continue  # outside the domain of f
        # SymPy has simplified both sides, exp(log(x)) to x for example: floats know where they are defined.
        slopes = _at(jacobian(f, by), arguments, point)  # None: f does not take such numbers
        claims = _at(claim, arguments, point) if is_function and slopes is not None else None
        for index, (derived, expected) in enumerate(zip(numbers[: 2 * len(pairs) : 2], numbers[1::2], strict=False)):
            if not mpmath.isfinite(derived) or (slopes is not None and not math.isfinite(slopes[index])):
                continue
            compared = True
            inputs = {str(symbol): float(number) for symbol, number in point.items()}
            if claims is not None and math.isnan(claims[index]) and max(map(abs, inputs.values())) <= _NO_OVERFLOW:
                return Proof(Verdict.REFUTED, points + 1, inputs, indices[index], float(derived), math.nan)
            if search.agree(derived, expected) or (numbers_apart := search.apart(point, index)) is None:
                continue
            if slopes is None:
                break
            refuted = Proof(Verdict.REFUTED, points + 1, inputs, indices[index], *numbers_apart)
            if refuted.derived != refuted.claimed:
                return refuted
            hardly = hardly or refuted  # only beyond the digits of floats; another point may show it better
        points += compared
    if hardly is not None:
        return hardly
    if points and all(is_equal(derived, expected) for derived, expected in pairs):
        return Proof(Verdict.PROVED, points)
    return Proof(Verdict.UNDECIDED, points, tolerance=ROUNDED if search.rounded else 0.0)


def _at(function: Callable[..., Any], arguments: list[Any], point: dict[Any, Fraction]) -> list[float] | None:
    """What a function returns at floats, as one list; None if it does not take them."""
    numbers = {symbol: sympy.Rational(number) for symbol, number in point.items()}
    try:  # on `Value`s, for Python's own division by zero raises
        inputs = mapped(lambda x: Value(float(x.xreplace(numbers))) if isinstance(x, sympy.Basic) else x, arguments)
        return [float(getattr(number, "data", number)) for number in flat(_plain(function(*inputs)))]
    except (AutogradError, ArithmeticError, ValueError, TypeError):
        return None


def _plain(structure: Any) -> Any:
    """Nested lists, of tuples, matrices and arrays too; dicts in the order of their keys."""
    if hasattr(structure, "tolist"):
        structure = structure.tolist()
    if isinstance(structure, (list, tuple)):
        return [_plain(element) for element in structure]
    if isinstance(structure, Mapping):
        return {key: _plain(structure[key]) for key in sorted(structure, key=str)}
    return structure


def _outline(structure: Any) -> str:
    if isinstance(structure, dict):
        return f"{{{', '.join(f'{key!r}: {_outline(part)}' for key, part in structure.items())}}}"
    return f"[{', '.join(map(_outline, structure))}]" if isinstance(structure, list) else "·"


def _expression(entry: Any) -> Any:
    if isinstance(entry, Condition):
        raise OperandError(f"The claim {entry.data} is a condition, not a number.", f"Write where({entry.data}, 1, 0).")
    entry = entry.data if isinstance(entry, Traced) else entry
    if not isinstance(entry, sympy.Expr) and as_number(entry) is None:
        raise OperandError(f"The claim {shown(entry)} is no formula.", "Return numbers, made of the arguments.")
    return exact(entry)


def _indices(structure: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(structure, (list, dict)):
        for index, element in structure.items() if isinstance(structure, dict) else enumerate(structure):
            yield from _indices(element, (*before, index))
    else:
        yield before
