"""The table over SymPy, the formulas of what falls out, and the proofs: SymPy's own derivative is the judge."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core import table as primitives
from autograd_mini.core.row import TABLE, evaluate
from autograd_mini.symbolic import Verdict, exact, formula, prove
from autograd_mini.symbolic.formulas import simplified, text
from autograd_mini.symbolic.normal import _single_value, arms_of, vanishes
from tests.effort import effort

x, y = sympy.symbols("x y", positive=True)
anything = sympy.Symbol("anything")  # of no known sign


def test_every_operation_has_a_formula():
    """Each row, applied to symbols and evaluated at numbers, gives the row's own number."""
    numbers = {x: 0.4, y: 0.7}
    for row in TABLE.values():
        operation = getattr(
            primitives, {"sum": "sum_of", "dot": "dot_of", "stop_gradient": "stop"}.get(row.name, row.name), None
        )
        if operation is None or row.name == "where":
            continue
        arity = 2 if row.rule.__code__.co_flags & inspect.CO_VARARGS else row.rule.__code__.co_argcount - 1
        symbols = (x, y, sympy.Integer(1), sympy.Integer(2))[:arity]
        symbols = symbols if row.name != "clip" else (x, sympy.Rational(1, 2), y)
        values = tuple(float(s.subs(numbers)) for s in symbols)
        if row.name == "acosh":
            continue  # outside of its domain there
        formula = operation(*symbols)
        assert isinstance(formula, sympy.Basic), row.name
        assert float(formula.subs(numbers)) == pytest.approx(operation(*values), rel=1e-12), row.name


def test_compositions_over_symbols():
    """Activations and softmax of symbols are formulas; the gradient of softmax is the closed form for all inputs."""
    a = am.softmax([x, y])
    for i in range(2):
        for j, z in enumerate((x, y)):
            assert sympy.simplify(exact(a[i].diff(z) - a[i] * (int(i == j) - a[j]))) == 0
    assert sympy.simplify(exact(am.cross_entropy([x, y], 0).diff(x) - (a[0] - 1))) == 0
    for name in ("sigmoid", "tanh", "relu", "softplus", "silu", "gelu", "elu", "leaky_relu"):
        formula = getattr(am, name)(x)
        assert float(formula.subs(x, 0.3)) == pytest.approx(getattr(am, name)(0.3), rel=1e-12)


@pytest.mark.parametrize(
    "f",
    [am.softplus, am.log_sigmoid, am.atanh, lambda x: am.xlogy(x, x), lambda x: am.relu(x) * am.log(x)],
    ids=["softplus", "log_sigmoid", "atanh", "xlogy", "relu_log"],
)
def test_derivatives_can_be_printed(f):
    """First and second derivatives are formulas that SymPy can print, and read as the numbers that they stand for."""
    for derivative in (am.grad(f), am.hessian(f)):
        read = sympy.sympify(str(derivative(anything)))
        assert float(read.subs(anything, 0.3)) == pytest.approx(derivative(0.3), rel=1e-12)


def test_a_slope_outside_of_the_domain_is_undefined():
    """The formula of the slope of log is nan at -1, as the slope is, and so is its derivative."""
    for derivative in (am.grad(am.log), am.hessian(am.log)):
        assert derivative(anything).subs(anything, -1.0) is sympy.nan
        assert derivative(anything).subs(anything, 2.0) == derivative(2.0)


def test_exact_numbers():
    """Floats in formulas become the numbers that they stand for."""
    assert exact(0.5 * x) == x / 2
    assert exact(x / 3.0) == x / 3
    assert exact(math.log(2.0) * x) == sympy.log(2) * x
    assert exact(0.1 + x) == x + sympy.Rational(1, 10)
    assert exact(am.ZERO) == 0


def test_formulas_and_values_do_not_mix():
    """A `Value` times a symbol has no meaning, and says so; numbers of SymPy are numbers."""
    with pytest.raises(am.OperandError):
        Value(2.0) * x
    assert (Value(2.0) * sympy.Integer(3)).data == 6.0
    assert am.exp(Value(0.0)).data == 1.0


@pytest.fixture
def scratch():
    """The table, for a test that adds rows to it."""
    rows = set(TABLE)
    yield
    for name in set(TABLE) - rows:
        del TABLE[name]


@pytest.mark.usefixtures("scratch")
def test_operations_of_the_user():
    """One written with the package's functions is a formula; one for floats alone a function of its name."""
    cube = am.primitive("test_cube", lambda v: v * am.exp(v), lambda r, v: (am.exp(v) + r,))
    assert cube(x) == x * sympy.exp(x)
    sinc = am.primitive("sinc", lambda v: math.sin(v) / v, lambda r, v: ((am.cos(v) - r) / v,))
    opaque = sinc(x)
    assert str(opaque) == "sinc(x)"
    assert opaque.func is not sympy.sinc
    assert opaque.func is sinc(y).func
    assert opaque.diff(x) == (sympy.cos(x) - opaque) / x
    assert float(opaque.subs(x, 2).evalf()) == math.sin(2.0) / 2.0


@pytest.mark.usefixtures("scratch")
def test_a_branch_in_an_operation_of_the_user():
    """A function with an `if` has no formula: neither arm is taken for both, not even where == is asked."""
    stairs = am.primitive("test_stairs", lambda v: 1.0 if v == 0.0 else am.sin(v) / v, lambda r, v: (am.ZERO,))
    assert str(stairs(sympy.Symbol("u", real=True))) == "test_stairs(u)"


def test_sympy_is_loaded_only_when_it_comes():
    """Without a SymPy operand nothing imports it; the first one is understood at once."""
    program = (
        "import sys, autograd_mini as am; am.exp(am.Value(1.0)); assert 'sympy' not in sys.modules;"
        "import sympy; print(am.exp(sympy.Symbol('x')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "exp(x)\n"


# -- formulas ----------------------------------------------------------------------------------------------------------

u, v = sympy.symbols("u v", real=True)
SMOOTH = [row for row in TABLE.values() if row.ulp and row.rule.__code__.co_argcount in (2, 3)]


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_formula_of_every_smooth_row(row):
    """The gradient equals SymPy's derivative of the value, at points inside the domain."""
    operands = [u, v][: row.rule.__code__.co_argcount - 1]
    found = formula(lambda *xs: evaluate(row, xs), operands)
    slopes = found.gradient if len(operands) > 1 else [found.gradient]
    short = found.simplified()
    base = 1.2 if row.name == "acosh" else 0.3
    for point in ({u: base, v: 0.7}, {u: base + 0.1, v: 0.2}):
        for operand, slope in zip(operands, slopes, strict=True):
            expected = float(sympy.diff(found.value, operand).subs(point))
            assert float(slope.subs(point)) == pytest.approx(expected, rel=1e-12)
        for before, after in zip(slopes, short.gradient if len(operands) > 1 else [short.gradient], strict=True):
            assert float(before.subs(point)) == pytest.approx(float(after.subs(point)), rel=1e-12)


TERMS = st.recursive(
    st.sampled_from(["u", "v", "2.0", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["exp", "sin", "atan", "tanh", "softplus", "expm1", "erf"]), inner),
        st.tuples(st.sampled_from("+-*/"), inner, inner),
    ),
    max_leaves=5,
)


def build(term, a, b):
    """A random function as the package computes it."""
    if isinstance(term, str):
        return {"u": a, "v": b}.get(term) if term in "uv" else float(term)
    operands = [build(part, a, b) for part in term[1:]]
    if len(operands) == 1:
        return getattr(am, term[0])(operands[0])
    one, two = operands
    return {"+": lambda: one + two, "-": lambda: one - two, "*": lambda: one * two,
            "/": lambda: one / (1.5 + am.sin(two))}[term[0]]()  # fmt: skip


@settings(max_examples=effort(20, 150))
@given(TERMS)
def test_formula_of_random_functions(term):
    """The gradient that falls out is SymPy's, and its number is the one that floats give."""
    found = formula(lambda u, v: build(term, u, v) + 0.0 * u * v)
    point = {u: sympy.Rational(3, 8), v: sympy.Rational(-5, 4)}
    numbers = am.grad(lambda u, v: build(term, u, v) + 0.0 * u * v, argnums=(0, 1))(0.375, -1.25)
    for symbol, slope, number in zip((u, v), found.gradient, numbers, strict=True):
        expected = float(sympy.diff(found.value, symbol).subs(point))
        assert float(slope.subs(point)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert number == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_structure_of_a_formula():
    """Names, lists, tuples, symbols, expressions, numbers; one argument bare, several as a tuple, a list as rows."""
    one = formula(lambda x: x * x)
    assert (str(one.value), str(one.gradient), str(one.symbols)) == ("x**2", "2*x", "(x,)")
    two = formula(lambda w, b: w[0] * w[1] + b, [["p", "q"], "b"])
    assert str(two.gradient) == "([q, p], 1)"
    assert str(formula(lambda w, b: w[0] * w[1] + b, [["p", "q"], "b"], argnums=1).gradient) == "1"
    assert str(formula(lambda w, b: w[0] * b, [("p", "q"), "b"], argnums=(1, 0)).gradient) == "(p, (b, 0))"
    rows = formula(lambda x, y: [x * y, 3.0, x], "x, y")
    assert str(rows.value) == "[x*y, 3, x]"
    assert str(rows.gradient) == "[(y, x), (0, 0), (1, 0)]"
    assert str(formula(lambda x: (x, x), "x").gradient) == "[1, 1]"
    constant = formula(lambda x: 2.0)
    assert (constant.value, constant.gradient) == (2, 0)
    positive = sympy.Symbol("s", positive=True)
    assert formula(lambda x: abs(x) * 2.0, [positive]).gradient == 2
    t = sympy.Symbol("t", real=True)
    assert str(formula(lambda x, y: x * y, ["x", 1 - t]).gradient) == "1 - t"
    assert str(formula(am.cross_entropy, [["x", "y"], 0]).gradient[1]) == "exp(-x + y)/(exp(-x + y) + 1)"
    assert str(formula(lambda x, scale=3.0: scale * x).gradient) == "3"


def test_numbers_are_exact():
    """0.1 is exactly a tenth, and log(2) stays a logarithm."""
    assert formula(lambda x: 0.1 * x + x / 3.0).gradient == sympy.Rational(13, 30)
    assert formula(lambda x: am.exp2(x)).gradient.subs(sympy.Symbol("x", real=True), 0) == sympy.log(2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("x x", "twice"), ("", "does not name"), ([], "does not name"), (3, "does not name"),
        ([None], "does not name a number"),
        ([[" "]], "does not name a number"), ([sympy.pi], "does not name a number"),
    ],
)  # fmt: skip
def test_bad_names(names, message):
    """Each error says what is wrong with the names."""
    with pytest.raises(am.ArgumentError, match=message):
        formula(lambda *xs: xs[0], names)


def test_bad_functions():
    """Results that are not numbers, branches, wrong positions and parameters without names are errors."""
    with pytest.raises(am.OperandError, match="returned None"):
        formula(lambda x: None)
    with pytest.raises(am.OperandError, match="returned Value"):
        formula(lambda x: Value(1.0))
    with pytest.raises(am.OperandError, match="where"):
        formula(lambda x: x if x > 0 else -x)
    with pytest.raises(am.ArgumentError, match="no argument 1"):
        formula(lambda x: x, argnums=1)
    with pytest.raises(am.ArgumentError, match="no argument 1"):
        formula(lambda x, y: x * y, ["x", 2.0], argnums=(0, 1))
    with pytest.raises(am.ArgumentError, match="names"):
        formula(lambda *xs: xs[0])


def test_how_it_reads():
    """Text, LaTeX for notebooks, text for people."""
    found = formula(am.softmax, [["x", "y"]])
    assert str(found) == repr(found)
    assert str(found).splitlines()[3] == "∂f[0]/∂y = -exp(-x + y)/(exp(-x + y) + 1)**2"
    assert found._repr_latex_() == f"$\\displaystyle {found.latex()}$"
    assert (
        r"\frac{\partial f_{0}}{\partial y} &= - \frac{e^{- x + y}}{\left(e^{- x + y} + 1\right)^{2}}" in found.latex()
    )
    assert found.latex().count("{") == found.latex().count("}")
    assert text(sympy.Piecewise((u**2, u >= 0), (-2 * u**12, True))) == "u² if u ≥ 0, else -2·u^12"


def test_an_operation_of_the_user_reads_as_its_symbol():
    """In text and LaTeX, as in pictures; a sign and its operands stay together, whatever is around them."""
    rows = [("spelled_root", "√"), ("spelled_name", None), ("spelled_sign", "⊕")]
    root, named = [am.primitive(n, math.tanh, lambda y, x: (1.0 - y * y,), symbol=s) for n, s in rows[:2]]
    sign = am.primitive("spelled_sign", math.copysign, lambda y, a, b: (1.0, 0.0), symbol="⊕", check=False)
    for name, _ in rows:
        del TABLE[name]
    for f, written, latex in (
        (lambda x: root(x + 1.0) ** 2, "(√(x + 1))**2", r"\left(√ \left(x + 1\right)\right)^{2}"),
        (lambda x: named(x - 1.0) * x, "x*spelled_name(x - 1)", r"x \operatorname{spelled\_name}\left(x - 1\right)"),
        (lambda x: 2.0 * sign(x, -x), "2*(x ⊕ (-x))", r"2 \left(x ⊕ \left(- x\right)\right)"),
    ):
        found = formula(f, "x")
        assert str(found).splitlines()[0].endswith(f" = {written}")
        assert rf"f &= {latex} \\" in found.latex()


def test_it_prints_as_simplified():
    """Text and LaTeX show no internals; the attributes are what falls out."""
    for name in ("softplus", "erf", "sigmoid"):
        found = formula(getattr(am, name), "x")
        assert str(found) == repr(found) == str(found.simplified())
        assert found.latex() == found.simplified().latex()
        assert "floor" not in str(found)
        assert "Piecewise" not in str(found)
    assert str(found.value).startswith("Piecewise")
    assert formula(am.erf, "x").gradient.has(sympy.floor)


def test_simplified():
    """Arms that are equal become one, a step that stands for nothing goes, what is undefined is left out."""
    for name, value, slope in (
        ("sigmoid", "1/(1 + exp(-x))", "exp(x)/(exp(x) + 1)**2"),
        ("softplus", "log(exp(x) + 1)", "exp(x)/(exp(x) + 1)"),
        ("erf", "erf(x)", "2*exp(-x**2)/sqrt(pi)"),
        ("log", "log(x)", "1/x"),
        ("relu", "Piecewise((0, x <= 0), (x, True))", "Piecewise((0, x <= 0), (1, True))"),
        ("softsign", "Piecewise((x/(1 - x), x < 0), (x/(x + 1), x > 0), (x, True))", None),
    ):
        short = formula(getattr(am, name), "x").simplified()
        assert str(short.value) == value
        assert slope is None or str(short.gradient) == slope
    assert simplified(3.0) == 3
    assert simplified(sympy.floor(u) + sympy.nan) is sympy.nan


@pytest.mark.parametrize(
    ("call", "kind", "hint"),
    [
        (lambda: formula(am.maximum, "x", "y"), am.ArgumentError, r'formula\(f, "x y"\)'),
        (lambda: formula(am.softmax, ["a", "b"]), am.ArgumentError, r'\[\["a", "b"\]\]'),
        (lambda: formula(3, "x"), am.OperandError, "3 is not a function"),
        (lambda: formula(3), am.OperandError, "3 is not a function"),
        (lambda: formula(am.exp, "2x"), am.ArgumentError, "'2x' does not name a number"),
        (lambda: formula(am.exp, [None]), am.ArgumentError, "None"),
        (lambda: formula(lambda x: {"a": x}), am.OperandError, "a list of them"),
        (lambda: prove(am.sin, lambda x, y: x), am.ArgumentError, "does not take 1 argument"),
    ],
)
def test_slips(call, kind, hint):
    """Each says what to write."""
    with pytest.raises(kind, match=hint):
        call()


def test_dicts():
    """Arguments may be dicts; the gradient, and a claim, have their structure, in whatever order."""

    def f(p):
        return p["w"] * am.exp(p["b"][0])

    names = {"w": "w", "b": ["b"]}
    found = formula(f, [names])
    assert str(found.gradient) == "{'w': exp(b), 'b': [w*exp(b)]}"
    assert str(found).splitlines()[2] == "∂f/∂b = w*exp(b)"
    assert prove(f, lambda p: {"b": [p["w"] * am.exp(p["b"][0])], "w": am.exp(p["b"][0])}, [names])
    wrong = prove(f, lambda p: {"b": [p["w"]], "w": am.exp(p["b"][0])}, [names])
    assert wrong.entry == ("b", 0)
    assert "entry ['b'][0] is " in str(wrong)
    with pytest.raises(am.ArgumentError, match=r"structure \{'w': ·\}, but the gradient has \{'b': \[·\], 'w': ·\}"):
        prove(f, lambda p: {"w": 1}, [names])


# -- proofs ------------------------------------------------------------------------------------------------------------


def zs(n):
    return [f"z{i + 1}" for i in range(n)]


def ts(n):
    return [f"t{i + 1}" for i in range(n)]


def sigmoid(x):
    """The form of textbooks, which the package does not compute with."""
    return 1 / (1 + am.exp(-x))


def probabilities(z):
    total = sum(map(am.exp, z))
    return [am.exp(x) / total for x in z]


def jacobian(z):
    a = probabilities(z)
    return [[p * ((1 if i == j else 0) - q) for j, q in enumerate(a)] for i, p in enumerate(a)]


def loss_gradient(z, t):
    return [a * sum(t) - target for a, target in zip(probabilities(z), t, strict=True)]


def normal(x):
    return (1 + am.erf(x / math.sqrt(2))) / 2


def density(x):
    return am.exp(-(x**2) / 2) * (1 / math.sqrt(2 * math.pi))


PROVED = {
    **{f"cross_entropy {n}": (am.cross_entropy, loss_gradient, [zs(n), ts(n)], 0) for n in (2, 3, 4)},
    **{f"softmax {n}": (am.softmax, jacobian, [zs(n)], None) for n in (1, 2, 3)},
    "bools": (
        am.softmax,
        lambda z: [[a[i] * ((i == j) - a[j]) for j in range(3)] for a in [probabilities(z)] for i in range(3)],
        [zs(3)], None,
    ),
    "cross_entropy by both": (
        am.cross_entropy,
        lambda z, t: (loss_gradient(z, t), [-am.log(a) for a in probabilities(z)]), [zs(3), ts(3)], None,
    ),
    "cross_entropy of a class": (
        am.cross_entropy,
        lambda z, k: [a - (1 if i == k else 0) for i, a in enumerate(probabilities(z))], [zs(3), 1], None,
    ),
    "log_softmax": (
        am.log_softmax,
        lambda z: [[(1 if i == j else 0) - a for j, a in enumerate(probabilities(z))] for i in range(3)], [zs(3)], None,
    ),
    "logsumexp": (am.logsumexp, probabilities, [zs(3)], None),
    "logaddexp": (am.logaddexp, lambda a, b: tuple(probabilities([a, b])), None, None),
    "sigmoid": (am.sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), None, None),
    "tanh": (am.tanh, lambda x: 1 - am.tanh(x) ** 2, None, None),
    "softplus": (am.softplus, sigmoid, None, None),
    "log_sigmoid": (am.log_sigmoid, lambda x: sigmoid(-x), None, None),
    "silu": (am.silu, lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))), None, None),
    "gelu": (am.gelu, lambda x: normal(x) + x * density(x), None, None),
    "relu": (am.relu, lambda x: am.where(x > 0, 1, 0), None, None),
    "leaky_relu": (lambda x: am.leaky_relu(x, 0.1), lambda x: am.where(x > 0, 1.0, 0.1), None, None),
    "elu": (am.elu, lambda x: am.where(x > 0, 1, am.exp(x)), None, None),
    "softsign": (am.softsign, lambda x: 1 / (1 + abs(x)) ** 2, None, None),
    "hard_tanh": (am.hard_tanh, lambda x: am.where((x > -1) & (x < 1), 1, 0), None, None),
    "binary_cross_entropy": (am.binary_cross_entropy, lambda x, t: (sigmoid(x) - t, -x), None, None),
    "huber": (am.huber, lambda p, t: am.clip(p - t, -1, 1), None, 0),
    "mse": (am.mse, lambda p, t: [2 * (x - y) / 2 for x, y in zip(p, t, strict=True)], [["p", "q"], ts(2)], 0),
    "abs": (lambda x: abs(x), am.sign, None, None),
    "maximum": (
        lambda x, y: am.maximum(x, y),
        lambda x, y: (am.where(x > y, 1, am.where(x < y, 0, 0.5)), am.where(x < y, 1, am.where(x > y, 0, 0.5))),
        None, None,
    ),
    "an expression": (lambda x: x**3, 3 * sympy.Symbol("x", real=True) ** 2, None, None),
    "a power": (lambda x, p: x**p, lambda x, p: p * x**p / x, [sympy.Symbol("x", positive=True), "p"], 0),
    "a matrix": (am.softmax, sympy.Matrix(jacobian(sympy.symbols("z1 z2", real=True))), [zs(2)], None),
    "ties that rounding hides": (
        lambda x, y: am.minimum(x, (x + y) * y / 5.0),
        tuple(sympy.expand(g) for g in formula(lambda x, y: am.minimum(x, (x + y) * y / 5.0)).gradient), None, None,
    ),
    "its own": (lambda x: am.exp2(x) * am.cbrt(x), formula(lambda x: am.exp2(x) * am.cbrt(x)).gradient, None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", PROVED)
def test_proofs(case):
    """The gradient equals the closed form of the textbook, for all inputs."""
    proof = prove(*PROVED[case])
    assert proof.verdict is Verdict.PROVED, proof
    assert proof
    assert proof.points > 20
    assert proof.counterexample is None
    assert str(proof) == f"PROVED for all inputs, algebraically; {proof.points} points agree"


REFUTED = {
    "t - a": (am.cross_entropy, lambda z, t: [-g for g in loss_gradient(z, t)], [zs(2), ts(2)], 0),
    "a - t": (
        am.cross_entropy, lambda z, t: [a - x for a, x in zip(probabilities(z), t, strict=True)], [zs(2), ts(2)], 0,
    ),
    "a diagonal everywhere": (am.softmax, lambda z: [[a * (1 - a)] * 3 for a in probabilities(z)], [zs(3)], None),
    "sigmoid' = a": (am.sigmoid, sigmoid, None, None),
    "tanh' = 1 - a": (am.tanh, lambda x: 1 - am.tanh(x), None, None),
    "tanh' = 1/a - a": (am.tanh, lambda x: 1 / am.tanh(x) - am.tanh(x), None, None),
    "relu'(0) = 1": (am.relu, lambda x: am.where(x >= 0, 1, 0), None, None),
    "a small error": (am.sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)) + 1e-9, None, None),
    "only in a tail": (am.softplus, lambda x: am.where(x > 5, 1, sigmoid(x)), None, None),
    "only at ties": (
        lambda x, y: am.maximum(x, y), lambda x, y: (am.where(x >= y, 1, 0), am.where(x < y, 1, 0)), None, None,
    ),
    "0/0 at a kink": (lambda x: abs(x), lambda x: x / abs(x), None, None),
    "an arm not taken": (
        lambda x: am.where(x > 0, am.sqrt(x), 0.0), lambda x: am.where(x > 0, 1 / (2 * am.sqrt(x)), 1), None, None,
    ),
    "at one number": (am.sin, lambda x: am.where(x == 2.5, 7, am.cos(x)), None, None),
    "not at one number": (am.sin, lambda x: am.where(x != -17.25, am.cos(x), 7), None, None),
    "at a root": (am.sin, lambda x: am.where(x * x == 6.25, 7, am.cos(x)), None, None),
    "at a distance": (am.sin, lambda x: am.where(abs(x) == 3.7, 7, am.cos(x)), None, None),
    "between": (am.sin, lambda x: am.where((x > 2.51) & (x < 2.55), 7, am.cos(x)), None, None),
    "far away": (am.sin, lambda x: am.where(x > 1000, 7, am.cos(x)), None, None),
    "on a line": (lambda x, y: x * y, lambda x, y: (am.where(x == 2 * y + 7, 7, y), x), None, None),
    "another symbol": (lambda x: x * x, lambda x: 2 * sympy.Symbol("y", real=True), None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUTED)
def test_counterexamples(case):
    """Wrong claims differ, and they do so with floats as well: derived is what `grad` gives there."""
    f, claim, names, argnums = REFUTED[case]
    proof = prove(f, claim, names, argnums)
    assert proof.verdict is Verdict.REFUTED
    assert not proof
    inputs = iter(proof.counterexample.values())
    arguments = [[next(inputs) for _ in entry] if isinstance(entry, list) else next(inputs)
                 for entry in (names or formula(f).symbols)]  # fmt: skip
    index = list(proof.entry)
    if case == "a diagonal everywhere":
        row = index.pop(0)
        slope = am.grad(lambda z: f(z)[row])(*arguments)
    else:
        slope = am.grad(f, argnums=0 if argnums is None and len(arguments) == 1 else argnums or (0, 1))(*arguments)
        slope = slope[0] if argnums == 0 and isinstance(slope, tuple) else slope
    for i in index:
        slope = slope[i]
    assert slope == pytest.approx(proof.derived, rel=1e-12, abs=1e-15)
    assert slope != pytest.approx(proof.claimed, rel=1e-12, abs=1e-15)
    assert str(proof).startswith("REFUTED: at ")


@pytest.mark.parametrize(
    "claim",
    [
        lambda x: 7 if x == 0 else am.cos(x),
        lambda x: 7 if am.exp(x) == 1 else am.cos(x),
        lambda x: math.cos(x),
        lambda x: sympy.cos(x),
        lambda x: am.cos(x) * sympy.exp(x),
        lambda x: 7 if x == u else am.cos(x),
        lambda x: 7 if u == x else am.cos(x),
        lambda x: x > 0,
        lambda x: am.cos(x) if sympy.Eq(x, 0) else 7,
    ],
)
def test_claims_are_traced(claim):
    """No comparison is answered by how an expression is written: such a claim is an error, as such an f is."""
    with pytest.raises(am.OperandError):
        prove(am.sin, claim)


def test_errors_of_claims():
    """They say what to write instead."""
    with pytest.raises(am.OperandError, match=r"write where\(condition, a, b\)"):
        prove(am.sin, lambda x: 7 if x == 0 else am.cos(x))
    with pytest.raises(am.OperandError, match=r"Use this package's functions \(autograd_mini\.exp"):
        prove(am.sin, lambda x: sympy.cos(x))


def test_a_difference_that_floats_do_not_show():
    """It is one, and the report gives its size."""
    proof = prove(am.softplus, lambda x: am.where(x > 39, 1, sigmoid(x)))
    assert proof.verdict is Verdict.REFUTED
    assert proof.counterexample == {"x": 40.0}
    assert proof.derived == proof.claimed == 1.0
    assert proof.difference == pytest.approx(-math.exp(-40.0))
    assert str(proof).endswith("they differ by -4.2e-18")
    clear = prove(am.softplus, lambda x: am.where(x > 39, 1, am.where(x == 2, 7, sigmoid(x))))
    assert clear.counterexample == {"x": 2.0}


def test_numbers_that_no_input_may_be():
    """Where f refuses the numbers, as a loss refuses negative probabilities, nothing is refuted."""

    def claim(z, t):
        return [a * sum(map(abs, t)) - x for a, x in zip(probabilities(z), t, strict=True)]

    assert prove(am.cross_entropy, claim, [zs(2), ts(2)], argnums=0).verdict is Verdict.UNDECIDED


def test_targets_that_sum_to_one():
    """a - t holds where a last target is 1 minus the others."""
    t1, t2 = sympy.symbols("t1 t2", real=True)

    def claim(z, t):
        return [a - x for a, x in zip(probabilities(z), t, strict=True)]

    assert prove(am.cross_entropy, claim, [zs(3), [t1, t2, 1 - t1 - t2]], argnums=0)


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize("name", ["exp", "tan", "erf", "log1p", "atan"])
def test_a_wrong_rule_is_refuted(name, monkeypatch):
    """The proofs read the rules: one that is off, in any row, loses what was proved."""
    row = TABLE[name]
    closed = sympy.diff(getattr(sympy, name, lambda x: sympy.log(1 + x))(u), u)
    f = getattr(am, name)
    assert prove(f, closed, [u])
    wrong = am.primitive(f"wrong_{name}", f, lambda y, x: tuple(p * 1.001 for p in row.rule(y, x)), check=False)
    assert prove(wrong, closed, [u]).verdict is Verdict.REFUTED


@pytest.mark.usefixtures("scratch")
def test_rows_of_the_user_are_proved():
    """One with a formula; one that is known at floats alone, of which the rule is all that a proof can use."""
    cube = am.primitive("test_cube", lambda x: x**3, lambda y, x: (3.0 * x * x,))
    assert prove(lambda x: cube(am.sin(x)), lambda x: 3 * am.sin(x) ** 2 * am.cos(x))
    opaque = am.primitive("test_opaque", lambda x: math.exp(-x * x), lambda y, x: (-2.0 * x * y,))
    assert prove(lambda x: opaque(2.0 * x), lambda x: -8 * x * opaque(2 * x))
    assert prove(lambda x: opaque(x), lambda x: 2 * x * opaque(x)).verdict is Verdict.REFUTED
    assert prove(lambda x: opaque(x), lambda x: -2 * x * am.exp(-(x**2))).verdict is Verdict.UNDECIDED


def test_outside_of_the_domain():
    """Inputs for which f is not defined do not count; where it is defined nowhere, nothing is proved."""
    proof = prove(am.log, lambda x: 1 / x, "x")
    assert proof
    assert 0 < proof.points < 30
    assert not prove(lambda x: am.log(-1.0 - x * x), lambda x: 17)
    assert prove(lambda x: am.where(x > 0, am.sqrt(x), 0.0), lambda x: am.where(x > 0, 1 / (2 * am.sqrt(x)), 0))


def test_too_many_branches(monkeypatch):
    """A proof that would take too long is given up, and the verdict says what was compared."""
    monkeypatch.setattr("autograd_mini.symbolic.normal._MOST_ARMS", 3)
    proof = prove(am.softsign, lambda x: 1 / (1 + abs(x)) ** 2)
    assert proof.verdict is Verdict.UNDECIDED
    assert not proof
    assert str(proof) == f"UNDECIDED: no proof found; {proof.points} points compared, none differs"


@pytest.mark.parametrize(
    ("f", "claim", "names", "shapes"),
    [
        (am.softmax, lambda z: z, [["x", "y"]], r"\[·, ·\].*\[\[·, ·\], \[·, ·\]\]"),
        (am.sigmoid, lambda x: [x], None, r"\[·\].*·"),
        (lambda x, y: x * y, lambda x, y: x, None, r"·.*\[·, ·\]"),
    ],
)
def test_other_structure(f, claim, names, shapes):
    """The error shows both structures."""
    with pytest.raises(am.ArgumentError, match=shapes):
        prove(f, claim, names)
    with pytest.raises(am.OperandError, match="not a formula"):
        prove(lambda x: x, lambda x: "1")


def test_arms():
    """Conditions that contradict each other drop their arm; those that leave one value put it in."""
    kinds = (sympy.Piecewise,)
    one = sympy.Piecewise((1, u > 0), (2, True))
    two = sympy.Piecewise((u, u <= 0), (5, True))
    assert [(a, b) for a, b, _ in arms_of(one, two, kinds)] == [(1, 5), (2, u)]
    step = sympy.Piecewise((1, 2 * u - 3 >= 0), (2, True))
    tie = sympy.Piecewise((u, sympy.Le(-4 * u, -6)), (7, True))
    assert [(a, b) for a, b, _ in arms_of(step, tie, kinds)] == [(1, u), (2, 7)]
    point = sympy.Piecewise((sympy.Piecewise((u + v, v >= u), (0, True)), v <= u), (1, True))
    assert {a for a, _, _ in arms_of(point, sympy.Integer(0), kinds)} >= {0, 1}
    assert any(a in (2 * u, 2 * v) for a, _, _ in arms_of(point, sympy.Integer(0), kinds))
    assert arms_of(sympy.Piecewise((sympy.nan, u < 0), (1, True)), u, kinds) == [(1, u, (u >= 0,))]


@pytest.mark.parametrize(
    ("conditions", "value"),
    [
        ([u > 1, u <= 1], None),
        ([u >= 1, u < 1], None),
        ([u >= 1, u <= 1], {u: 1}),
        ([u >= 1, u <= 1, sympy.Ne(u, 1)], None),
        ([u > 1, u < 2, sympy.Ne(u, 1)], {}),
        ([sympy.Le(-2 * u, -6), u < 3], None),
        ([sympy.Ge(-2 * u, -6), u < 3], {}),
        ([sympy.Ge(-2 * u, -6), u >= 3], {u: 3}),
        ([sympy.Eq(u, 2), u > 2], None),
        ([sympy.Eq(u, 2), sympy.Eq(u, 3)], None),
        ([sympy.Eq(3 * u, 2)], {u: sympy.Rational(2, 3)}),
        ([u < v, v < u], None),
        ([u <= v, v <= u], {u: v}),
        ([sympy.Eq(u * v, 1)], {u: 1 / v}),
        ([sympy.Eq(u * u + u, 2)], {}),
        ([sympy.sin(u) >= 2, u > 1], {}),
        ([sympy.S.false], None),
        ([], {}),
    ],
)
def test_what_conditions_leave(conditions, value):
    """Bounds on one expression are put together, whatever its sign and factor."""
    assert _single_value(conditions) == value


def test_normal_form():
    """Powers of exponentials and logarithms of products; never more than is true."""
    e = sympy.exp
    assert vanishes(e(u - v) / (1 + e(u - v)) - e(u) / (e(u) + e(v)))
    assert vanishes(e(u / 2) ** 2 - e(u))
    assert vanishes(sympy.log(1 + e(-u)) + u - sympy.log(1 + e(u)))
    assert vanishes(2**u * 2**v - 2 ** (u + v))
    assert vanishes(sympy.erfc(u) + sympy.erf(u) - 1)
    assert not vanishes(sympy.log(u**2) - 2 * sympy.log(u))
    assert not vanishes(sympy.sqrt(u**2) - u)
    assert not vanishes(e(u) - e(v))
    complex_ = sympy.Symbol("complex")
    assert not vanishes(sympy.log(e(complex_)) - complex_)
    assert not vanishes(sympy.nan)


@pytest.mark.parametrize(
    "claim",
    [
        lambda x: am.exp(am.log(x)),
        lambda x: am.sqrt(x) ** 2,
        lambda x: am.sqrt(x) * am.sqrt(x),
        lambda x: am.sin(am.asin(x)),
        lambda x: x * x / x,
    ],
)
def test_claims_that_are_not_defined_everywhere(claim):
    """SymPy takes exp(log(x)) for x; where the claim is nan and the derivative is not, it is refuted."""
    proof = prove(lambda x: x * x / 2, claim)
    assert proof.verdict is Verdict.REFUTED
    assert math.isnan(claim(am.Value(proof.counterexample["x"])).data)


def test_numbers_as_people_write_them():
    """log(10), π and e are those; other long numbers end an attempt soon."""
    assert prove(am.log10, lambda x: 1 / (x * math.log(10))).verdict is Verdict.PROVED
    assert prove(am.erf, lambda x: 2 / math.sqrt(math.pi) * am.exp(-x * x)).verdict is Verdict.PROVED
    assert prove(am.exp2, lambda x: am.exp2(x) * 0.6931471805599).verdict is not Verdict.PROVED


def test_a_point_without_a_derivative_refutes_nothing():
    """exp(log(x)) has no derivative at 0, however SymPy simplifies it."""
    proof = prove(lambda x: am.exp(am.log(x)), lambda x: am.where(x > 0.0, 1.0, 5.0))
    assert proof.counterexample is None or proof.counterexample["x"] != 0.0


@pytest.mark.parametrize(
    ("f", "claim"),
    [
        (lambda x: x**2, lambda x: 2.000000000000001 * x),
        (lambda x: x**2, lambda x: 2.0000000000000004 * x),
        (lambda x: 3 * x, lambda x: 3.000000000000001),
        (lambda x: 0.1 * x, lambda x: 0.10000000000000002),
    ],
)
def test_a_float_beside_a_number_is_another_number(f, claim):
    """A claim that is off in the last digit is not proved, and the verdict says what was compared."""
    proof = prove(f, claim)
    assert proof.verdict is not Verdict.PROVED
    assert "by more than 1e-07" in str(proof)


def test_floats_stand_for_the_numbers_that_round_to_them():
    """0.1 is 1/10 and 0.3333333333333333 is 1/3; math.pi is π."""
    assert prove(lambda x: 0.1 * x * 3, lambda x: 0.3)
    assert prove(lambda x: x / 3, lambda x: 1 / 3)
    assert prove(am.erf, lambda x: 2 / am.sqrt(math.pi) * am.exp(-x * x))


@pytest.mark.parametrize(
    ("f", "claim", "verdict"),
    [
        (lambda a: am.where(a > math.pi, a, 2 * a), lambda a: am.where(a > math.pi, 1, 2), Verdict.PROVED),
        (lambda a: am.where(a > math.pi, a, 2 * a), lambda a: am.where(a > math.pi + 0.5, 1, 2), Verdict.REFUTED),
        (lambda a: a * a, lambda a: am.where((a > 100 * math.pi) & (a < 101 * math.pi), 0, 2 * a), Verdict.REFUTED),
        (lambda a: am.where(a > 2**0.5, a, 2 * a), lambda a: am.where(a >= 2**0.5, 1, 2), Verdict.UNDECIDED),
        (lambda a, b: am.log(a / b), lambda a, b: (1 / a, -1 / b), Verdict.PROVED),
        (
            lambda a, b: am.maximum(a, 1 / b),
            lambda a, b: (am.where(a > 1 / b, 1, 0), am.where(a > 1 / b, 0, -1 / b**2)),
            Verdict.REFUTED,  # by the tie at 1
        ),
        (lambda a, b: am.maximum(a, am.sqrt(b)), lambda a, b: (a, b), Verdict.REFUTED),
    ],
)
def test_edges_that_are_not_rational_or_not_real(f, claim, verdict):
    """Points are looked for beside π and √2, and where SymPy cannot compare what is at a point, at others."""
    assert prove(f, claim).verdict is verdict


@pytest.mark.parametrize(
    ("f", "claim"),
    [
        (lambda a: a / a - 0.5, lambda a: am.where(a == 0, 1, 0)),
        (lambda a, b: am.exp(am.log(b)) + 0 * a, lambda a, b: (am.where(b < 0, 1, 0), am.where(b > 0, 1, 1))),
    ],
)
def test_no_counterexample_where_f_is_not_defined(f, claim):
    """SymPy simplifies a / a to 1; at 0 it is still nan, and no claim can be wrong there."""
    assert prove(f, claim).verdict is not Verdict.REFUTED
