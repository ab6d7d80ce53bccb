"""`prove` under assumptions: what holds only for some inputs is proved for those, and nothing is proved of no input."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.symbolic import Verdict, prove
from tests.effort import effort
from tests.symbolic.test_symbolic import probabilities, ts, u, v, x, y, zs


def difference(z, t):
    """What textbooks write for softmax with cross-entropy."""
    return [a - target for a, target in zip(probabilities(z), t, strict=True)]


def cross_entropy_with(assume, n=3):
    return prove(am.cross_entropy, difference, [zs(n), ts(n)], argnums=0, assume=assume)


TARGETS = sympy.symbols("t1:4")  # of no known sign: the names count


@pytest.mark.parametrize(
    "assume",
    [
        lambda z, t: am.sum(t) == 1,
        lambda z, t: sum(t) == 1.0,
        lambda z, t: 1 - sum(t) == 0,
        lambda z, t: [am.sum(t) == 1, *(p >= 0 for p in t)],
        lambda z, t: (t[0] + t[1] == 1 - t[2]) & (t[0] > 0),
        sympy.Eq(sum(TARGETS), 1),
        [sympy.Eq(sum(TARGETS), 1.0), *(p > 0 for p in TARGETS)],
        [sympy.Eq(TARGETS[0], 1), sympy.Eq(TARGETS[1], 0), sympy.Eq(TARGETS[2], 0)],
    ],
)
def test_the_plain_claim_needs_targets_that_sum_to_one(assume):
    """a - t is refuted for arbitrary targets, and proved for targets that are assumed to sum to 1."""
    without = cross_entropy_with(None)
    assert without.verdict is Verdict.REFUTED
    assert sum(without.counterexample[t] for t in ts(3)) != 1.0
    assert all(without.counterexample[t] >= 0.0 for t in ts(3))
    proof = cross_entropy_with(assume)
    assert proof.verdict is Verdict.PROVED, proof
    assert proof.points > 5
    assert "for all inputs with " in str(proof)


def test_what_was_assumed_is_said():
    """With every verdict, in the user's order."""
    proof = cross_entropy_with(lambda z, t: [am.sum(t) == 1, t[0] > 0.5])
    assert str(proof).startswith("PROVED for all inputs with t1 + t2 + t3 = 1 and t1 > 1/2, algebraically; ")
    assert proof.assumed == "t1 + t2 + t3 = 1 and t1 > 1/2"
    refuted = cross_entropy_with(lambda z, t: am.sum(t) == 2)
    assert str(refuted).startswith("REFUTED for inputs with t1 + t2 + t3 = 2: at z1 = 0, ")
    assert sum(refuted.counterexample[t] for t in ts(3)) == 2.0
    either = prove(abs, lambda x: 1.0, "x", assume=lambda x: [(x > 1) | (x < -2), x <= 5])
    assert str(either).startswith("REFUTED for inputs with (x > 1 or x < -2) and x ≤ 5: at x = -")
    on_a_circle = prove(
        lambda x, y: x * x + y * y, lambda x, y: (2 * x, 2 * y * (x * x + y * y)),
        assume=lambda x, y: x * x + y * y == 1,
    )  # fmt: skip
    assert str(on_a_circle).startswith("UNDECIDED: no proof found; ")
    assert " points with x² + y² = 1 compared" in str(on_a_circle)


@pytest.mark.parametrize(
    ("f", "claim", "assume", "verdict"),
    [
        (abs, lambda x: 1, lambda x: x > 0, Verdict.PROVED),
        (abs, lambda x: 1, lambda x: x >= 0, Verdict.REFUTED),
        (abs, lambda x: -1, lambda x: x < 0, Verdict.PROVED),
        (abs, lambda x: 1, lambda x: x >= 1e-3, Verdict.PROVED),
        (lambda x: abs(x - 1), lambda x: 1, lambda x: x > 1000, Verdict.PROVED),
        (lambda x: abs(x - 1), lambda x: 1, lambda x: (x > 1) & (x < 1.5), Verdict.PROVED),
        (lambda x: abs(x - 1), lambda x: am.where(x > 0, 1, -1), lambda x: (x > 1) | (x < -2), Verdict.PROVED),
        (lambda x: abs(x - 1), lambda x: am.where(x > -2, 1, -1), lambda x: (x > 1) | (x < -2), Verdict.PROVED),
        (lambda x: abs(x - 1), lambda x: am.where(x > -3, 1, -1), lambda x: (x > 1) | (x < -2), Verdict.REFUTED),
        (lambda x: am.sqrt(x * x), lambda x: 1, lambda x: ~(x <= 0), Verdict.PROVED),
        (lambda x: x**2, lambda x: 4, lambda x: x == 2, Verdict.PROVED),
        (lambda x: x**2, lambda x: 4, lambda x: (x >= 2) & (x <= 2), Verdict.PROVED),
        (lambda x: x**2, lambda x: 4, lambda x: x * x == 4, Verdict.REFUTED),
        (lambda x: abs(x), lambda x: 1, lambda x: abs(x - 3) <= 2, Verdict.PROVED),
        (lambda x: abs(x), lambda x: 1, lambda x: abs(x - 3) <= 4, Verdict.REFUTED),
        (am.log, lambda x: 3, lambda x: x < -1, Verdict.UNDECIDED),  # it is defined nowhere there
    ],
)  # fmt: skip
def test_inequalities(f, claim, assume, verdict):
    """They rule out branches and points; bounds that leave one number put it in."""
    assert prove(f, claim, "x", assume=assume).verdict is verdict


@pytest.mark.parametrize(
    ("f", "claim", "assume", "verdict"),
    [
        (am.maximum, lambda x, y: (1, 0), lambda x, y: x > y, Verdict.PROVED),
        (am.maximum, lambda x, y: (1, 0), lambda x, y: x >= y, Verdict.REFUTED),
        (am.maximum, lambda x, y: (0.5, 0.5), lambda x, y: x == y, Verdict.PROVED),
        (lambda x, y: x * y, lambda x, y: (y, 1 / y), lambda x, y: x * y == 1, Verdict.PROVED),
        (lambda x, y: x * y, lambda x, y: (1 / y, 1 / y), lambda x, y: x * y == 1, Verdict.REFUTED),
        (lambda x, y: x * y, lambda x, y: (0, x), lambda x, y: x * y == 0, Verdict.REFUTED),  # x = 0 is a way too
        (lambda x, y: x * y, lambda x, y: (am.exp(x), x), lambda x, y: y == am.exp(x), Verdict.PROVED),
        (lambda x, y: x * y, lambda x, y: (y, 2 * y), [sympy.Eq(x + 2, 2 * y + 2)], Verdict.PROVED),
    ],
)  # fmt: skip
def test_equations(f, claim, assume, verdict):
    """A symbol is replaced only where the equation has one solution for it, whatever the others are."""
    proof = prove(f, claim, "x y", assume=assume)
    assert proof.verdict is verdict, proof


@pytest.mark.parametrize(
    "assume",
    [
        lambda x, y: [x > 1, x < 0],
        lambda x, y: [x + y == 1, x + y == 2],
        lambda x, y: [x + y == 1, x > 2, y > 0],
        lambda x, y: x * x < 0,
        lambda x, y: x * x + 1 == 0,
        lambda x, y: am.sin(x) > 2,
        lambda x, y: am.log(x) == am.log(-x),
        lambda x, y: [x == 1, False],
        sympy.S.false,
    ],
)
def test_assumptions_that_contradict_each_other_prove_nothing(assume):
    """Assumptions that no input satisfies would prove everything: they are an error, whatever the claim."""
    for claim in (lambda x, y: (y, x), lambda x, y: (7, 7)):
        with pytest.raises(am.ArgumentError, match=r"(?s)No input was found for which .*contradict each other"):
            prove(lambda x, y: x * y, claim, assume=assume)


@pytest.mark.parametrize(
    ("assume", "kind", "message"),
    [
        (
            sum(TARGETS) == 1,
            am.ArgumentError,
            r"(?s)False is not .*== asks whether .*am\.sum\(t\) == 1",
        ),
        (True, am.ArgumentError, "True is not a relation"),
        (3, am.ArgumentError, "3 is not a relation"),
        ("x > 0", am.ArgumentError, "'x > 0' is not a relation"),
        (lambda x, y: x, am.ArgumentError, r"Traced\(x\) is not a relation"),
        (lambda x, y: None if x is y else [x > 0, 2.0], am.ArgumentError, "2.0 is not a relation"),
        (lambda x: x > 0, am.ArgumentError, "does not take 2 arguments"),
        (lambda x, y: 0 < x < 1, am.OperandError, "join conditions with &"),
        (sympy.Symbol("q") > sympy.Symbol("x"), am.ArgumentError, "q > x is about q, but the arguments are x, y"),
        (lambda z, t: None, am.ArgumentError, "`return`"),
    ],
)
def test_slips_in_assumptions(assume, kind, message):
    """Each error says what to write; nothing else passes for an assumption."""
    with pytest.raises(kind, match=message):
        prove(lambda x, y: x * y, lambda x, y: (y, x), assume=assume)


SMALL = st.integers(-3, 3)


@settings(max_examples=effort(40, 300))
@given(st.tuples(SMALL, SMALL, SMALL), st.tuples(SMALL, SMALL), st.sampled_from(["<", "<=", ">", ">=", "!="]), SMALL)
def test_verdicts_hold_where_the_assumptions_do(equation, side, relation, slope):
    """Random assumptions on x·|y|: a counterexample satisfies them; what is proved holds at all points of a grid."""
    a, b, c = equation
    p, q = side
    assume = [sympy.Eq(a * u + b * v, c), sympy.Rel(p * u + q * v, 1, relation)]

    def holds(x, y):
        return all(part.subs({u: x, v: y}) == sympy.true for part in map(sympy.sympify, assume))

    def claim(u, v):
        return abs(v), slope * u

    grid = [sympy.Rational(k, 2) for k in range(-8, 9)]
    try:
        proof = prove(lambda u, v: u * abs(v), claim, [u, v], assume=assume)
    except am.ArgumentError:
        assert not any(holds(x, y) for x in grid for y in grid)
        return
    if proof.verdict is Verdict.REFUTED:
        assert holds(*[sympy.Rational(x).limit_denominator(10**6) for x in proof.counterexample.values()])
    if proof:
        true = [x == 0 or slope == sympy.sign(y) for x in grid for y in grid if holds(x, y)]
        assert all(true)


def test_many_targets():
    """Probabilities of ten classes are found although random numbers hardly ever are such."""
    proof = cross_entropy_with(lambda z, t: [am.sum(t) == 1, *(p > 0 for p in t)], 10)
    assert proof
    assert proof.points > 5
