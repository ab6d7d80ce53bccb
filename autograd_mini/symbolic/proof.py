"""Proving that a claimed closed form is the gradient for all inputs: a normal form, and a search for counterexamples.

Not here: either of them (that is `normal` and `search`). Read next: `symbolic.derivation`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import mpmath
import sympy

from autograd_mini.core.row import as_number
from autograd_mini.core.traced import Condition, Traced
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, shown
from autograd_mini.symbolic.assumptions import assumptions, by_name
from autograd_mini.symbolic.formulas import flat, formula, mapped, symbolic_arguments, traced
from autograd_mini.symbolic.normal import is_equal
from autograd_mini.symbolic.search import DIGITS, ROUNDED, Evaluation
from autograd_mini.symbolic.table import exact
from autograd_mini.transforms.derivatives import jacobian

_NO_OVERFLOW = 30.0  # below this, exponentials and their squares fit in floats, so a claim that is nan is undefined


class ProofVerdict(StrEnum):
    """What `prove` found."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"


Verdict = ProofVerdict  # its public name in `autograd_mini.symbolic`; `check.verdicts` has verdicts of another kind


@dataclass(frozen=True, eq=False)
class Proof:
    """What `prove` found out about a claim; true if the claim is proved.

    Attributes:
        verdict: PROVED for all inputs, REFUTED by a counterexample, or UNDECIDED if neither was found.
        points: the number of points at which the numeric search compared the two.
        counterexample: the inputs where they differ, by name; None unless refuted.
        entry: which entry of the gradient differs there, as its indices or keys; () for a single number.
        derived: the derivative that falls out there.
        claimed: what was claimed; nan where the claim is not defined.
        difference: by how much the two differ, even if floats cannot show it.
        tolerance: smaller relative differences did not count, because a number in the formulas has only 16 digits.
        assumed: what was assumed about the inputs, as text; "" for nothing.
    """

    verdict: ProofVerdict
    points: int
    counterexample: dict[str, float] | None = None
    entry: tuple[Any, ...] = ()
    derived: float = math.nan
    claimed: float = math.nan
    difference: float = math.nan
    tolerance: float = 0.0
    assumed: str = ""

    def __bool__(self) -> bool:
        return self.verdict is ProofVerdict.PROVED

    def __str__(self) -> str:
        inputs = f" with {self.assumed}" if self.assumed else ""
        if self.verdict is ProofVerdict.PROVED:
            agreeing = "1 point agrees" if self.points == 1 else f"{self.points} points agree"
            return f"PROVED for all inputs{inputs}, algebraically; {agreeing}"
        if self.counterexample is None:
            by_much = f" by more than {self.tolerance:g} of it" if self.tolerance else ""
            return f"UNDECIDED: no proof found; {self.points} points{inputs} compared, none differs{by_much}"
        where = ", ".join(f"{name} = {number:g}" for name, number in self.counterexample.items())
        entry = "".join(f"[{index!r}]" for index in self.entry)
        return (
            f"REFUTED{inputs and f' for inputs{inputs}'}: at {where} {'entry ' + entry if entry else 'the derivative'} "
            f"is {self.derived!r}, and {self.claimed!r} was claimed"
            + (f"; they differ by {self.difference:.2g}" if self.derived == self.claimed else "")
        )

    __repr__ = __str__


def prove(
    f: Callable[..., Any],
    claim: Any,
    names: Any = None,
    argnums: int | Sequence[int] | None = None,
    *,
    assume: Any = None,
) -> Proof:
    """Prove or refute that the gradient of a function equals a claimed closed form for all inputs.

    First it compares both sides with many digits at points: random ones, 0, ±1, ties, tails, the edges of conditions.
    One point that differs refutes the claim. Then it brings both sides to a normal form, branch by branch, in which
    equal functions look equal. Inputs where f or its gradient is undefined do not count. A float is read as the number
    that rounds to it: 0.1 as 1/10, math.pi as π.

    Args:
        f: as for `formula`; if it returns a list of numbers, the claim is about its Jacobian.
        claim: a function of the same arguments, written like f with this package's functions, or the closed form
            itself: SymPy expressions and numbers. It has the structure of the gradient (a list for a list argument,
            a tuple for several arguments, a list of rows if f returns a list).
        names: as for `formula`.
        argnums: as for `formula`.
        assume: what holds for the inputs: a function of the same arguments that returns comparisons, joined by & and |
            or in a list; or SymPy relations between the names, such as `sympy.Eq(t1 + t2, 1)`.

    Returns:
        a `Proof`, which is true if the claim is proved.

    Raises:
        ArgumentError: the claim does not have the structure of the gradient; the assumptions are not relations between
            the arguments, or no input satisfies them; or as for `formula`.
        OperandError: the claim branches with Python's `if`, or one of its entries is not a formula; or as for
            `formula`.

    >>> import autograd_mini as am
    >>> prove(am.tanh, lambda x: 1 - am.tanh(x))
    REFUTED: at x = 1 the derivative is 0.4199743416140261, and 0.23840584404423512 was claimed
    >>> names = [["z1", "z2"], ["t1", "t2"]]
    >>> def claim(z, t):
    ...     return [a - target for a, target in zip(am.softmax(z), t)]
    >>> prove(am.cross_entropy, claim, names, argnums=0, assume=lambda z, t: am.sum(t) == 1)
    PROVED for all inputs with t1 + t2 = 1, algebraically; 72 points agree
    """
    arguments = symbolic_arguments(f, names)
    found = formula(f, arguments, argnums)
    is_function = callable(claim) and not isinstance(claim, sympy.Basic)
    claimed = _plain(traced(claim, arguments)[0] if is_function else claim)
    gradient = _plain(found.gradient)
    if _outline(claimed) != _outline(gradient):
        raise ArgumentError(
            f"The claim has the structure {_outline(claimed)}, but the gradient has {_outline(gradient)}.",
            "Claim a list for a list argument, a tuple for several arguments, a list of rows for several results.",
        )
    entries = [entry for entry in flat(arguments) if isinstance(entry, sympy.Expr)]
    symbols = list(dict.fromkeys(entry for entry in entries if entry.is_Symbol))
    closed = [by_name(_expression(entry), symbols) for entry in flat(claimed)]
    symbols += sorted({s for e in (*entries, *closed) for s in e.free_symbols}.difference(symbols), key=str)
    given = assumptions(assume, arguments, symbols)
    assumed = str(given)
    pairs = list(zip(map(given.applied, flat(gradient)), map(given.applied, closed), strict=True))
    indices = list(_indices(gradient))
    search = Evaluation([*itertools.chain(*pairs), *map(given.applied, flat(found.value))])
    by = argnums if argnums is not None else tuple(range(len(arguments)))
    point, points, hardly = None, 0, None
    for point, inputs in given.points(search.relations):
        compared = False
        results = search.at(point, DIGITS)
        if not all(map(mpmath.isfinite, results[2 * len(pairs) :])):
            continue  # outside the domain of f
        # SymPy has simplified both sides, exp(log(x)) to x for example; floats show where they are defined.
        if any(map(math.isnan, _at(f, arguments, inputs) or ())):
            continue
        slopes = _at(jacobian(f, by), arguments, inputs)  # None: f does not accept such numbers
        claims = _at(claim, arguments, inputs) if is_function and slopes is not None else None
        example = {str(symbol): float(number) for symbol, number in inputs.items()}
        for index, (derived, expected) in enumerate(zip(results[: 2 * len(pairs) : 2], results[1::2], strict=False)):
            if not mpmath.isfinite(derived) or (slopes is not None and not math.isfinite(slopes[index])):
                continue
            compared = True
            refuted = Proof(ProofVerdict.REFUTED, points + 1, example, indices[index], assumed=assumed)
            if claims is not None and math.isnan(claims[index]) and max(map(abs, example.values())) <= _NO_OVERFLOW:
                return replace(refuted, derived=float(derived))
            if search.agree(derived, expected) or (apart := search.apart(point, index)) is None:
                continue
            if slopes is None:
                break
            refuted = replace(refuted, derived=apart[0], claimed=apart[1], difference=apart[2])
            if refuted.derived != refuted.claimed:
                return refuted
            hardly = hardly or refuted  # floats cannot show the difference here; another point may
        points += compared
    if point is None:
        raise ArgumentError(
            f"No input was found for which {assumed} holds, so there is nothing to prove.",
            "Check whether the assumptions contradict each other.",
        )
    if hardly is not None:
        return hardly
    if points and all(is_equal(derived, expected, given.conditions) for derived, expected in pairs):
        return Proof(ProofVerdict.PROVED, points, assumed=assumed)
    return Proof(ProofVerdict.UNDECIDED, points, tolerance=ROUNDED if search.rounded else 0.0, assumed=assumed)


def _at(function: Callable[..., Any], arguments: list[Any], numbers: dict[Any, Any]) -> list[float] | None:
    """Return the results of a function at floats, as one list; None if it does not take them."""
    try:  # on `Value`s, because Python's own division by zero raises
        inputs = mapped(lambda x: Value(float(x.xreplace(numbers))) if isinstance(x, sympy.Basic) else x, arguments)
        return [float(getattr(number, "data", number)) for number in flat(_plain(function(*inputs)))]
    except (AutogradError, ArithmeticError, ValueError, TypeError):
        return None


def _plain(structure: Any) -> Any:
    """Turn tuples, matrices and arrays into nested lists, and sort dicts by key."""
    structure = structure.tolist() if hasattr(structure, "tolist") else structure
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
        raise OperandError(f"The claim {shown(entry)} is not a formula.", "Return numbers computed from the arguments.")
    return exact(entry)


def _indices(structure: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(structure, (list, dict)):
        for index, element in structure.items() if isinstance(structure, dict) else enumerate(structure):
            yield from _indices(element, (*before, index))
    else:
        yield before
