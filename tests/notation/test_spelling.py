"""How operations and numbers are written: one description, from which texts, pictures and pages are rendered."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.node import is_relu
from autograd_mini.core.row import TABLE
from autograd_mini.engine import is_node
from autograd_mini.notation.spelling import ALGEBRA, PYTHON, SCHOOL, Spelling, grouped, spelling, spelling_of
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
    """A symbol that is a word is a function; any other is a sign."""
    for symbol, text in (("σ", "σ(x)"), ("√", "√x")):
        mine = am.primitive("mine", lambda x: x * x, lambda y, x: (2.0 * x,), symbol=symbol)
        del TABLE["mine"]
        assert spelling(mine(X)).text(["x"]) == text


LATEX = [
    (X + W, r"x + w"),
    (X * W, r"x \cdot w"),
    (X / W, r"\frac{x}{w}"),
    (X**-2.0, r"x^{-2}"),
    (Value(-2.0, name="-2") ** X, r"\left(-2\right)^{x}"),
    (-X, r"- x"),
    (X % W, r"x \bmod w"),
    (abs(X), r"\left| x \right|"),
    (am.floor(X), r"\left⌊ x \right⌋"),
    (am.sqrt(X), r"\sqrt{x}"),
    (am.cbrt(X), r"\sqrt[3]{x}"),
    (am.exp(X), r"\operatorname{exp}\left(x\right)"),
    (am.relu(X), r"\operatorname{relu}\left(x\right)"),
    (am.sum([X, W, X, W, X]), r"x + w + \dots + x"),
    (am.dot([X, W], [W, -0.5]), r"x \cdot w + w \cdot \left(-0.5\right)"),
]


@pytest.mark.parametrize(("node", "latex"), LATEX, ids=[row[1] for row in LATEX])
def test_an_operation_in_latex(node, latex):
    """As a mathematician writes it: fractions, powers, roots, bars, cases; a negative number gets parentheses."""
    assert spelling(node).latex(named(node), most=4) == latex
    cases = r"\begin{cases} x & \text{for}\: x > 0 \\ w & \text{otherwise} \end{cases}"
    assert spelling(am.where(X > 0, X, W), written_out=True).latex(["x > 0", "x", "w"]) == cases


def test_what_stands_alone_beside_a_sign():
    """Names, indexed names and numbers; a power of a power, or a product in a sum, needs parentheses."""
    for latex in ("x", "x_{12}", "x_1", "2.5", r"\infty"):
        assert grouped(latex) == latex
    for latex in ("-2", "x^{2}", "a + b", r"\frac{a}{b}", "", "1e-20"):
        assert grouped(latex) == rf"\left({latex}\right)"


CHILDREN = {"msup": 2, "mfrac": 2, "mroot": 2}
PAGE = Path(am.__file__).parent / "debug" / "pages" / "backprop.js"
TAGS = set(re.findall(r'"(m\w+)"', re.search(r"TAGS = new Set\((.*)\)", PAGE.read_text(encoding="utf-8"))[1]))


def is_mathml(piece):
    """Whether the page takes a piece of markup: its tag is known there, and has the children that belong to it."""
    tag, *children = piece
    if tag in ("mi", "mo", "mn", "mtext"):
        return len(children) == 1 and isinstance(children[0], str)
    return tag in TAGS and len(children) == CHILDREN.get(tag, len(children)) and all(map(is_mathml, children))


def words(piece):
    return [piece[1]] if isinstance(piece[1], str) else [word for child in piece[1:] for word in words(child)]


def is_balanced(latex):
    """Whether braces close in order, and each \\left and \\begin has its end."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    pairs = ((r"\left", r"\right"), (r"\begin", r"\end"))
    return depth == 0 and all(len(re.findall(rf"\{a}\b|\{a}(?=[|⌊])", latex)) == latex.count(b) for a, b in pairs)


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("written_out", [False, True])
def test_every_row_has_a_spelling_in_every_format(name, written_out):
    """Each shows all its operands: texts, MathML that the page takes, and LaTeX that closes what it opens."""
    row = TABLE[name]
    letters = [f"v{i}" for i in range(row.arity or 4)]
    node = SimpleNamespace(_row=row, operands=tuple(letters), scope=None)
    spelled = spelling(node, written_out)
    for signs in (PYTHON, SCHOOL, ALGEBRA):
        assert set(re.findall(r"v\d", spelled.text(letters, signs))) == {*letters}
    pieces = spelled.mathml([["mi", letter] for letter in letters])
    assert all(map(is_mathml, pieces)), pieces
    assert {*letters} <= {word for piece in pieces for word in words(piece)}
    for operands in (letters, [f"-{letter}" for letter in letters], [rf"\frac{{{x}}}{{2}}" for x in letters]):
        latex = spelled.latex(operands)
        assert is_balanced(latex), latex
        assert set(re.findall(r"v\d", latex)) == {*letters}
        assert not re.search(r"[-+^] *-", latex), latex


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), st.integers(1, 3))
def test_any_symbol_of_a_user_is_escaped(symbol, arity):
    """No symbol opens a group, starts a command or a comment, or ends a formula."""
    row = replace(TABLE["exp"], symbol=symbol)
    latex = spelling_of(row, ("a",) * arity).latex(["a"] * arity)
    assert is_balanced(latex.replace(r"\backslash", ""))
    assert not re.search(r"(?<!\\)[#$%&~]|(?<!\\)_", latex)


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


def test_an_operand_of_a_call_has_one_pair_of_parentheses():
    """A name that is an expression loses its own in a call, but not if a number follows them."""
    call = Spelling("call", "exp", (1,))
    assert call.text(["(w * x)"]) == "exp(w * x)"
    assert call.text(["(w * x)#3"]) == "exp((w * x)#3)"
    assert call.mathml([["mi", "(w * x)"]])[1] == ["mrow", ["mo", "("], ["mi", "w * x"], ["mo", ")"]]
