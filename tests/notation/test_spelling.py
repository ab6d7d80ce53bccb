"""How operations and numbers are written: one description, from which texts, pictures and pages are rendered."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.node import is_relu
from autograd_mini.core.row import TABLE
from autograd_mini.engine import is_node
from autograd_mini.notation.spelling import ALGEBRA, PYTHON, SCHOOL, spelling
from autograd_mini.notation.text import ALL_DIGITS, bare, bracketed, elided, guarded, number

X, W = Value(2.0, name="x"), Value(-3.0, name="w")

OPERATIONS = [
    (X + W, "x + w", "x + w"),
    (X - W, "x − w", "x - w"),
    (X * W, "x × w", "x * w"),
    (X / W, "x ÷ w", "x / w"),
    (X**3.0, "x ** 3", "x ** 3"),
    (X // W, "x // w", "x // w"),
    (X % W, "x % w", "x % w"),
    (-X, "−x", "-x"),
    (am.exp(X), "exp(x)", "exp(x)"),
    (am.relu(X), "relu(x)", "relu(x)"),
    (am.relu(W), "relu(w)", "relu(w)"),
    (am.maximum(X, 0.0), "maximum(x, 0)", "maximum(x, 0)"),
    (am.where(X > 0, X, 2.5), "where(1, x, 2.5)", "where(1, x, 2.5)"),
    (am.sum([X, W, X, W, X]), "Σ(x, w, …, x)", "sum(x, w, …, x)"),
    (am.dot([X, W], [W, 0.5]), "x × w + w × 0.5", "x * w + w * 0.5"),
    (am.dot([X] * 5, [W] * 5), "x × w + … + x × w", "x * w + … + x * w"),
]


def named(node):
    return [x.name if is_node(x) else number(x) for x in spelling(node).operands]


@pytest.mark.parametrize(("node", "school", "python"), OPERATIONS, ids=[row[2] for row in OPERATIONS])
def test_an_operation_as_text(node, school, python):
    """Every style has its signs; relu is recognised; long calls and dot products lose their middle."""
    assert spelling(node).text(named(node), SCHOOL, most=4) == school
    assert spelling(node).text(named(node), PYTHON, most=4) == python


def test_a_sign_before_a_number():
    """−(2) is an operation, -2 a number."""
    for operand, text in (("x", "−x"), ("2", "−(2)"), ("-2", "−(-2)"), ("inf", "−(inf)"), ("(a + b)", "−(a + b)")):
        assert spelling(-X).text([operand]) == text


def test_an_operation_written_out():
    """In lessons a sum, a dot product and a choice show what they do."""
    total, chosen = am.sum([X, W]), am.where(X > 0, X, W)
    assert spelling(total, written_out=True).text(["x", "w"], ALGEBRA) == "x + w"
    assert spelling(am.dot([X, X], [W, W])).text(["a", "b", "c", "d"], ALGEBRA) == "a·c + b·d"
    assert spelling(chosen, written_out=True).text(["x > 0", "x", "w"]) == "x if x > 0 else w"


def test_a_row_of_a_user():
    """A symbol that is a word is a function; another one is a sign."""
    for symbol, text in (("σ", "σ(x)"), ("√", "√x")):
        mine = am.primitive("mine", lambda x: x * x, lambda y, x: (2.0 * x,), symbol=symbol)
        del TABLE["mine"]
        assert spelling(mine(X)).text(["x"]) == text


def test_what_is_a_relu():
    """`where(…, 0, x)` in a scope of that name; another choice there is not, nor is a relu of nan."""
    assert is_relu(am.relu(X))
    assert is_relu(am.relu(W))
    assert not is_relu(am.where(X > 0, X, 0.0))
    assert not is_relu(am.leaky_relu(W))
    assert not is_relu(am.relu(Value(math.nan)))
    with am.scope("relu"):
        assert not is_relu(am.where(X < 0, 0.1, X))
        assert am.where(X < 0, 0.1, X)._op == "where"
        assert not is_relu(X * W)
    assert am.relu(W)._op == "ReLU"


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [
        (0.07814756, 4, "0.07815"), (-0.0, 4, "0"), (-0.0, ALL_DIGITS, "-0"), (1e300, 4, "1e+300"), (3.0, 4, "3"),
        (math.nan, 4, "nan"), (-math.inf, 4, "-inf"), (1.00000005, 6, "1"), (None, 4, "not yet"),
        (0.1, ALL_DIGITS, "0.10000000000000001"),
    ],
)  # fmt: skip
def test_a_number(x, digits, text):
    """`number` writes 4 digits, 6 or all, a plain 0 for minus zero, and `not yet` for None."""
    assert number(x, digits) == text


def test_a_faithful_number():
    """A number that is almost whole does not look whole; others are short."""
    assert number(1.00000005, 6, faithful=True) == "1.00000005"
    assert number(-1.00000005, 6, faithful=True) == "-1.00000005"
    assert number(0.1 + 0.2, 6, faithful=True) == "0.3"
    assert [number(x, 6, faithful=True) for x in (3.0, -0.0, math.inf, math.nan)] == ["3", "0", "inf", "nan"]


def test_parentheses_of_a_text():
    """Those around a negative factor; and none around a text that stands alone."""
    assert [bare(text) for text in ("(x * w)", "x")] == ["x * w", "x"]
    assert [guarded(text) for text in ("-2", "2")] == ["(-2)", "2"]


@given(st.text(), st.integers(3, 40))
def test_elided_texts_fit_and_keep_both_ends(text, longest):
    """A long text loses its middle, a short one nothing."""
    short = elided(text, longest)
    assert len(short) <= longest
    assert (short == text) is (len(text) <= longest)
    assert text.startswith(short.partition("…")[0]) or "…" in text
    if len(text) > longest:
        assert short[-1] == text[-1] or longest == 3


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("x * w", "(x * w)"), ("am.log(a[1])", "am.log(a[1])"), ("mul#2", "mul#2"), ("(x * w)#2", "(x * w)#2"),
     ("-x", "(-x)"), ("w[0]", "w[0]"), ("am.exp(v)#4", "am.exp(v)#4")],
)  # fmt: skip
def test_what_needs_parentheses_in_a_formula_has_them(text, symbol):
    """Operators need parentheses behind a ∂; calls, elements and numbered names do not."""
    assert bracketed(text) == symbol
