"""The local derivative of every operation as a formula: what it says is what the sweep multiplies by."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.core.row import TABLE, evaluate
from autograd_mini.notation.local_rules import LocalRule, local_rules
from tests.effort import effort

POINTS = {"acosh": 2.0, "lifted_ndtr": -38.0, "log1p": 0.5}
ROWS = [row.name for row in TABLE.values() if not row.is_users]
FUNCTIONS = {row.name: row.function for row in TABLE.values()} | {"log": am.log, "sqrt": am.sqrt, "π": math.pi}


def rules(node) -> list[LocalRule | None]:
    return [*local_rules(node, lambda x: x.data)]


def written(node) -> list[str]:
    """Each rule as text, with names as letters."""
    return [
        f"∂{rule.operation(named)}/∂{rule.operand.name} = {rule.text(named, lambda x: x.data)}" if rule else "none"
        for rule in rules(node)
    ]


def named(node) -> str:
    return node.name


def computed(formula: str, letters: dict[str, float]) -> float:
    """The number of a formula, read by Python."""
    for ours, theirs in (("2/√π", "(2/sqrt(π))"), ("1/√(2π)", "(1/sqrt(2*π))"), ("√π/2", "(sqrt(π)/2)"),
                         ("×", "*"), ("−", "-"), ("Σ", "total")):  # fmt: skip
        formula = formula.replace(ours, theirs)
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    formula = re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: f"**({found[0].translate(plain)})", formula)
    names = {**FUNCTIONS, **letters, "nan": math.nan, "total": lambda *xs: sum(xs)}
    return float(eval(formula, {"__builtins__": {}}, names))


def operands(row) -> list[am.Value]:
    count = 3 if row.arity is None else row.arity
    numbers = [0.55, 0.7, 0.9, 0.4][:count] if row.arity is not None else [2.0, 3.0, 0.5, 1.5]
    numbers = [POINTS[row.name], *numbers[1:]] if row.name in POINTS else numbers
    numbers = [2.0, 4.0, 1.0, 1.0] if row.name == "power_term" else numbers  # its last operands count
    return [am.Value(x, name=letter) for x, letter in zip(numbers, "abcd", strict=False)]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_a_rule_in_symbols_that_gives_its_derivative(name):
    """Read as a formula, with the operands' numbers for their names, it is the recorded partial derivative."""
    values = operands(TABLE[name])
    node = evaluate(TABLE[name], tuple(values))
    letters = {x.name: x.data for x in values}
    handed = [(x, p) for x, p in zip(node.operands, node.partials, strict=True) if p is not am.ZERO]
    for rule, (operand, partial) in zip(rules(node), handed, strict=True):
        assert rule is not None
        assert rule.operand is operand
        assert rule.slope == partial or math.isnan(partial)
        found = computed(rule.derivative.text(named), letters)
        assert found == pytest.approx(partial, rel=1e-3 if name == "lifted_ndtr" else 1e-12, nan_ok=True)


@settings(max_examples=effort(60, 2000), deadline=None)
@given(
    st.sampled_from([n for n in ROWS if n not in ("lifted_ndtr", "round", "flat", "slope_at_kink", "power_term")]),
    st.data(),
)
def test_whatever_the_numbers_a_rule_is_right_or_absent(name, data):
    """Also at 0, -0.0, ties, poles, infinities and nan: what is shown leads to the recorded derivative."""
    row = TABLE[name]
    special = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, math.inf, -math.inf, math.nan, 5e-324, 1e300])
    number = special | st.floats(-5.0, 5.0).map(lambda x: round(x, 2))
    values = [am.Value(data.draw(number), name=letter) for letter in "abcd"[: 4 if row.arity is None else row.arity]]
    node = evaluate(row, tuple(values))
    for rule in rules(node):
        if rule is not None and math.isfinite(rule.slope) and rule.slope:
            assert rule.text(named, lambda x: x.data).endswith(am.notation.text.number(rule.slope))


@pytest.mark.parametrize(("make", "expected"), [
    (lambda a, b: a / b, ["∂(a / b)/∂a = 1 / b = 1 / 1.05 = 0.9524", "∂(a / b)/∂b = −a / b² = −(-3) / 1.05² = 2.721"]),
    (lambda a, b: a * b, ["∂(a × b)/∂a = b = 1.05", "∂(a × b)/∂b = a = -3"]),
    (lambda a, b: a + b, ["∂(a + b)/∂a = 1", "∂(a + b)/∂b = 1"]),
    (lambda a, b: -b, ["∂(−b)/∂b = -1"]),
    (lambda a, b: 1.0 - b, ["∂(1 − b)/∂b = -1"]),
    (lambda a, b: a**2, ["∂(a ** 2)/∂a = 2 × a = 2 × (-3) = -6"]),
    (lambda a, b: a**3, ["∂(a ** 3)/∂a = 3 × a² = 3 × (-3)² = 27"]),
    (lambda a, b: a**-1, ["∂(a ** (-1))/∂a = −a⁻² = −(-3)⁻² = -0.1111"]),
    (lambda a, b: a / 4.0, ["∂(a / 4)/∂a = 0.25"]),
    (lambda a, b: am.exp(a), ["∂exp(a)/∂a = exp(a) = exp(-3) = 0.04979"]),
    (lambda a, b: am.log(b), ["∂log(b)/∂b = 1 / b = 1 / 1.05 = 0.9524"]),
    (lambda a, b: am.log2(b), ["∂log2(b)/∂b = 1 / (b × log(2)) = 1 / (1.05 × log(2)) = 1.374"]),
    (lambda a, b: am.erf(b), ["∂erf(b)/∂b = 2/√π × exp(−b²) = 2/√π × exp(−1.05²) = 0.3747"]),
    (lambda a, b: am.ndtr(b), ["∂ndtr(b)/∂b = 1/√(2π) × exp(−0.5 × b²) = 1/√(2π) × exp(−0.5 × 1.05²) = 0.2299"]),
    (lambda a, b: am.atan(a), ["∂atan(a)/∂a = 1 / (1 + a²) = 1 / (1 + (-3)²) = 0.1"]),
    (lambda a, b: am.asin(b - 0.75), ["∂asin(d)/∂d = 1 / sqrt(1 − d²) = 1 / sqrt(1 − 0.3²) = 1.048"]),
    (lambda a, b: am.relu(b), ["∂relu(b)/∂b = 1, as b > 0"]),
    (lambda a, b: am.dot([a, b], [2.0, b]), ["∂(a × 2 + b × b)/∂a = 2", *["∂(a × 2 + b × b)/∂b = b = 1.05"] * 2]),
])  # fmt: skip
def test_rules_as_a_reader_sees_them(make, expected):
    """Trivial factors vanish, a minus moves to the front, and negative numbers get parentheses."""
    a, b = am.Value(-3.0, name="a"), am.Value(1.05, name="b")
    node = make(a, b)
    for operand in node.operands:
        if isinstance(operand, am.Value) and operand.name is None:
            operand.name = "d"
    assert written(node) == expected


def test_mathml_has_the_same_numbers():
    """Quotients become fractions, powers go up."""
    a, b = am.Value(-3.0, name="a"), am.Value(1.05, name="b")
    by_a, by_b = rules(a / b)
    markup = lambda x: ["mi", x.name]  # noqa: E731
    assert by_a.derivative.mathml(markup) == ["mfrac", ["mn", "1", "1.0"], ["mi", "b"]]
    assert by_b.derivative.mathml(markup) == [
        "mrow", ["mo", "−"], ["mfrac", ["mi", "a"], ["msup", ["mi", "b"], ["mn", "2", "2.0"]]]]  # fmt: skip


def test_a_rule_of_the_users_that_symbols_cannot_pass_is_left_out():
    """The rule may call `math`, print, or want floats; nothing is shown, and nothing breaks."""
    cube = am.primitive("cube_by_math", lambda x: x**3, lambda y, x: (3.0 * math.pow(x, 2.0),))
    try:
        assert rules(cube(am.Value(2.0, name="x"))) == [None]
        square = am.primitive("square_by_rule", lambda x: x * x, lambda y, x: (2.0 * x,))
        assert written(square(am.Value(2.0, name="x"))) == ["∂square_by_rule(x)/∂x = 2 × x = 2 × 2 = 4"]
    finally:
        for name in ("cube_by_math", "square_by_rule"):
            TABLE.pop(name, None)


def test_a_rule_that_does_not_lead_to_the_recorded_derivative_is_not_shown():
    """As after a leaf was written, if the old number is not known."""
    x = am.Value(2.0, name="x")
    assert [*local_rules(x * x * x, lambda node: 3.0)] == [None, None]
