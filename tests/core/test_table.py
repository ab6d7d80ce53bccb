"""Every row of the table: values and derivatives against mpmath, proofs against SymPy, special values."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import itertools
import math
import pickle
import pydoc
import random
from pathlib import Path

import pytest
import sympy

import autograd_mini as am
from autograd_mini.compile.expansions import EXPANSIONS
from autograd_mini.compile.languages.emitted import LANGUAGES
from autograd_mini.compile.languages.language import EXPANDED
from autograd_mini.core import table as primitives
from autograd_mini.core.row import FLAT, TABLE, ZERO, interpreters
from autograd_mini.symbolic import exact
from autograd_mini.symbolic import table as symbolic_table
from tests.effort import effort
from tests.oracles import MEANING, X, Y, arity, derivative, derivatives, exactly, ulps

SMOOTH = [row for row in TABLE.values() if row.ulp]
OPERATION = {
    row.name: getattr(primitives, {"sum": "sum_of", "dot": "dot_of", "stop_gradient": "stop"}.get(row.name, row.name))
    for row in SMOOTH
}


# Points where a rule that looks right loses digits, and random ones seldom come by.
HARD = {
    "pow": [(897.4061909743286, -15.017909773960392), (0.0016072008935229297, -3.966230640965314e-38)],
    "asin": [(1e-10,), (0.9999999999,)],
    "erf": [(-2.1907690173041897e-60,), (25.5,)],
    "hypot": [(1e8, 1.0), (-3e-8, 2.0)],
}


def points(row, n, order, count):
    """Points of a row's domain: uniform, on all scales, and close to the ends; the same ones in every run."""
    generator = random.Random(f"{row.name} {order}")

    def number(low, high):
        kind = generator.randrange(3)
        if kind == 0:
            return generator.uniform(max(low, -20.0), min(high, 20.0))
        if kind == 1:  # all scales; derivatives of order 2 and 3 overflow on the outermost
            widest = 300 if order < 2 else 40
            size = 10.0 ** generator.uniform(-widest, widest)
            number = size if low >= 0 or generator.random() < 0.5 else -size
            return number if low <= number <= high else generator.uniform(max(low, -1e3), min(high, 1e3))
        distance = 10.0 ** generator.uniform(-12, 0)
        return generator.choice([max(low, -1e3) + distance, min(high, 1e3) - distance])

    hard = HARD.get(row.name, [])
    intervals = [row.domain[min(i, len(row.domain) - 1)] for i in range(n)]
    return hard + [tuple(number(*interval) for interval in intervals) for _ in range(count)]


def nested(operation, by):
    for position in by:
        operation = am.grad(operation, position)
    return operation


def worst_error(row, order, count):
    """The largest error over the domain, with the point where it occurs.

    A derivative of second or third order that changes sign cannot keep its digits close to its zero, whatever the
    rule: there the error is divided by the condition number, where that is above 8.
    """
    meaning = MEANING[row.name]
    n = arity(meaning)
    worst = (0.0, None, None)
    for by in derivatives(n, order):
        ours = nested(OPERATION[row.name], by)
        reference = derivative(meaning, by)
        for xs in points(row, n, order, count):
            sign = 1.0
            if row.name == "cbrt" and xs[0] < 0.0:
                sign = -1.0 if order % 2 == 0 else 1.0
            truth = sign * exactly(reference, *(map(abs, xs) if row.name == "cbrt" else xs))
            if truth != 0 and not 1e-290 < abs(truth) < 1e290:
                continue  # subnormal or overflowed: ulp mean nothing there
            error = ulps(float(ours(*xs)), truth)
            if error > 1.0 and order >= 2 and truth != 0:
                slopes = [
                    exactly(derivative(meaning, (*by, i)), *(map(abs, xs) if row.name == "cbrt" else xs))
                    for i in range(n)
                ]
                condition = sum(abs(x * slope / truth) for x, slope in zip(xs, slopes, strict=True))
                error /= max(1.0, float(condition) / 8.0)
            worst = max(worst, (error, by, xs), key=lambda found: found[0])
    return worst


COUNTS = effort(60, 500), effort(60, 500), effort(30, 150), effort(15, 60)  # of points, for each order


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_accuracy(row, order):
    """Value and derivatives up to the third are as accurate as the row says, over its whole domain."""
    error, by, xs = worst_error(row, order, count=COUNTS[order])
    assert error <= row.ulp[order], f"{error:.3g} ulp in derivative {by} at {xs}"


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_rule_is_proved(row):
    """The rule of every smooth row equals SymPy's derivative as a formula, for all positive operands in the domain."""
    x, y = sympy.symbols("x y", positive=True)
    meaning = MEANING[row.name]
    operands = (x, y)[: arity(meaning)]
    truth = meaning.subs({X: x, Y: y}, simultaneous=True)
    for partial, operand in zip(row.rule(truth, *operands), operands, strict=True):
        expected = sympy.diff(truth, operand)
        for arm in arms(exact(partial)):
            assert sympy.simplify(arm - expected) == 0 or settled(arm, expected), (arm, expected)


EXTREME = [
    1e-310,
    1e-300,
    1e-200,
    1e-155,
    1e-100,
    1e-30,
    1e-8,
    0.99,
    26.5,
    64.0,
    700.0,
    745.0,
    1e6,
    1e30,
    1e155,
    1e200,
    1e300,
]


def truth_at(row, order, x):
    """A derivative at a number far out: infinite where it is beyond the largest float, nan outside of the domain."""
    low, high = row.inside
    if not low <= x <= high:
        return math.nan
    if row.name in ("erf", "erfc", "ndtr") and abs(x) > 100.0 and order:
        return 0.0
    sign = -1.0 if row.name == "cbrt" and x < 0.0 and order % 2 == 0 else 1.0
    exact = exactly(derivative(MEANING[row.name], (0,) * order), abs(x) if row.name == "cbrt" else x)
    return sign * float(exact)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    "row", [row for row in SMOOTH if arity(MEANING.get(row.name, X)) == 1], ids=lambda row: row.name
)
def test_extremes(row, order):
    """At 1e±300, at subnormal numbers and far out: infinite where a derivative overflows, never inf - inf."""
    exponential = row.name in ("exp", "exp2", "expm1", "sinh", "cosh", "sin", "cos", "tan", "lifted_ndtr")
    for x in [sign * x for x in EXTREME for sign in (1.0, -1.0) if x <= 1e3 or not exponential]:
        if row.name == "lifted_ndtr" and not -40.0 < x < -37.0:
            continue
        expected = truth_at(row, order, x)
        derivative_of = OPERATION[row.name]
        for _ in range(order):
            derivative_of = (lambda g: lambda z: am.jvp(g, (z,), (1.0,))[1])(derivative_of)
        for got in (nested(OPERATION[row.name], (0,) * order)(x), derivative_of(x)):
            if math.isnan(expected):
                assert math.isnan(got), x
            elif math.isinf(expected):
                assert got == expected, x
            else:
                assert got == pytest.approx(expected, rel=1e-12, abs=1e-320), x


def arms(expression):
    """The finite alternatives of a piecewise formula: at special points rules give 0, inf or nan."""
    if not expression.has(sympy.Piecewise):
        return [expression]
    found = [arm for arm, _ in sympy.piecewise_fold(expression).args]
    found = [arm for arm in found if arm.free_symbols or len(found) == 1]
    assert found
    return found


def settled(arm, expected):
    """Equality of the logarithms, for products of exponentials; a step inside is any number."""
    arm = arm.replace(sympy.floor, lambda _: sympy.Symbol("step", real=True))
    return sympy.simplify(sympy.expand(sympy.expand_log(sympy.log(arm / expected), force=True))) == 0


inf, nan = math.inf, math.nan


SPECIAL = [
    (am.sqrt, (0.0,), 0.0, (inf,)),
    (am.sqrt, (-0.0,), -0.0, (inf,)),
    (am.sqrt, (-1.0,), nan, (nan,)),
    (am.sqrt, (inf,), inf, (0.0,)),
    (am.log, (0.0,), -inf, (inf,)),
    (am.log, (-0.0,), -inf, (inf,)),
    (am.log, (-1.0,), nan, (nan,)),
    (am.log2, (-1.0,), nan, (nan,)),
    (am.log10, (-1.0,), nan, (nan,)),
    (am.log1p, (-1.0,), -inf, (inf,)),
    (am.log1p, (-2.0,), nan, (nan,)),
    (am.exp, (710.0,), inf, (inf,)),
    (am.exp, (-inf,), 0.0, (0.0,)),
    (am.expm1, (-inf,), -1.0, (0.0,)),
    (am.exp2, (2000.0,), inf, (inf,)),
    (am.sinh, (-1000.0,), -inf, (inf,)),
    (am.cosh, (-1000.0,), inf, (-inf,)),
    (am.cbrt, (0.0,), 0.0, (inf,)),
    (am.cbrt, (-inf,), -inf, (0.0,)),
    (am.sin, (inf,), nan, (nan,)),
    (am.tan, (inf,), nan, (nan,)),
    (am.asin, (1.0,), math.pi / 2, (inf,)),
    (am.asin, (1.5,), nan, (nan,)),
    (am.acos, (-1.0,), math.pi, (-inf,)),
    (am.atan, (inf,), math.pi / 2, (0.0,)),
    (am.acosh, (1.0,), 0.0, (inf,)),
    (am.cbrt, (1e-300,), math.cbrt(1e-300), (math.cbrt(1e-300) / 1e-300 / 3.0,)),
    (am.acosh, (0.5,), nan, (nan,)),
    (am.acosh, (-2.0,), nan, (nan,)),
    (am.atanh, (1.0,), inf, (inf,)),
    (am.atanh, (-1.0,), -inf, (inf,)),
    (am.atanh, (2.0,), nan, (nan,)),
    (am.asinh, (inf,), inf, (0.0,)),
    (am.erf, (inf,), 1.0, (0.0,)),
    (am.erfc, (1e200,), 0.0, (-0.0,)),
    (am.abs, (0.0,), 0.0, (ZERO,)),
    (am.abs, (-0.0,), 0.0, (ZERO,)),
    (am.abs, (nan,), nan, (nan,)),
    (am.sign, (-0.0,), 0.0, (ZERO,)),
    (am.floor, (-0.5,), -1.0, (ZERO,)),
    (am.floor, (inf,), inf, (ZERO,)),
    (am.atan2, (0.0, 0.0), 0.0, (nan, nan)),
    (am.hypot, (0.0, 0.0), 0.0, (0.0, 0.0)),
    (am.hypot, (inf, 1.0), inf, (1.0, 0.0)),
    (am.hypot, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0)),
    (am.hypot, (2.0, 3.0, 6.0), 7.0, (2 / 7, 3 / 7, 6 / 7)),
    (am.hypot, (3e200, 4e200), 5e200, (0.6, 0.8)),
    (am.pow, (0.0, 2.0), 0.0, (0.0, 0.0)),
    (am.pow, (0.0, 0.0), 1.0, (0.0, 0.0)),
    (am.pow, (0.0, -1.0), inf, (-inf, -inf)),
    (am.pow, (-0.0, -1.0), -inf, (-inf, inf)),
    (am.pow, (nan, 0.0), 1.0, (0.0, nan)),
    (am.pow, (1.0, nan), 1.0, (nan, 0.0)),
    (am.pow, (-2.0, 3.0), -8.0, (12.0, nan)),
    (am.pow, (-8.0, 1 / 3), nan, (nan, nan)),
    (am.pow, (-1e200, 3.0), -inf, (inf, nan)),
    (am.pow, (5e-324, 0.0), 1.0, (0.0, math.log(5e-324))),
    (am.maximum, (2.0, 2.0), 2.0, (0.5, 0.5)),
    (am.maximum, (1.0, 3.0, 3.0, 2.0), 3.0, (ZERO, 0.5, 0.5, ZERO)),
    (am.maximum, (nan, 1.0), nan, (nan, nan)),
    (am.maximum, (1.0, nan), nan, (nan, nan)),
    (am.minimum, (1.0, 3.0, 1.0), 1.0, (0.5, ZERO, 0.5)),
    (am.minimum, (1.0, nan), nan, (nan, nan)),
    (am.clip, (0.0, 0.0, 1.0), 0.0, (ZERO, 1.0, ZERO)),
    (am.clip, (1.0, 0.0, 1.0), 1.0, (ZERO, ZERO, 1.0)),
    (am.clip, (0.5, 0.0, 1.0), 0.5, (1.0, ZERO, ZERO)),
    (am.clip, (0.5, 2.0, 1.0), 1.0, (ZERO, ZERO, 1.0)),
    (am.xlogy, (0.0, 0.0), 0.0, (-inf, 0.0)),
    (am.xlogy, (0.0, nan), nan, (nan, nan)),
    (am.xlogy, (2.0, 0.0), -inf, (-inf, inf)),
    (am.remainder, (-7.0, 3.0), 2.0, (1.0, 3.0)),
    (am.remainder, (-5.0, inf), inf, (1.0, 1.0)),
    (am.remainder, (1.0, 0.0), nan, (nan, nan)),
    (am.clip, (nan, 0.0, 1.0), nan, (nan, ZERO, ZERO)),
    (am.pow, (inf, 0.1), inf, (0.0, inf)),
    (am.pow, (inf, -1.0), 0.0, (-0.0, 0.0)),
    (am.atan2, (1.0, inf), 0.0, (0.0, 0.0)),
    (am.atan2, (-inf, 1.0), -math.pi / 2, (0.0, 0.0)),
    (am.exp2, (1024.0,), inf, (2.0**1023 * (2.0 * math.log(2.0)),)),
    (am.ndtr, (-50.0,), 0.0, (0.0,)),
    (am.ndtr, (inf,), 1.0, (0.0,)),
    (am.ndtr, (nan,), nan, (nan,)),
    (am.fmod, (-7.0, 3.0), -1.0, (1.0, 2.0)),
    (am.fmod, (7.0, -3.0), 1.0, (1.0, 2.0)),
    (am.fmod, (inf, 3.0), nan, (nan, nan)),
    (am.erfinv, (1.0,), inf, (inf,)),
    (am.erfinv, (-1.0,), -inf, (inf,)),
    (am.erfinv, (1.5,), nan, (nan,)),
    (am.erfinv, (-inf,), nan, (nan,)),
    (am.erfinv, (nan,), nan, (nan,)),
    (am.erfinv, (0.0,), 0.0, (math.sqrt(math.pi) / 2.0,)),
    (am.erfinv, (-0.0,), -0.0, (math.sqrt(math.pi) / 2.0,)),
    (am.erfinv, (5e-324,), 5e-324, (math.sqrt(math.pi) / 2.0,)),
    (am.cos, (inf,), nan, (nan,)),
    (am.cos, (0.0,), 1.0, (-0.0,)),
    (am.where, (0.0, 2.0, inf), inf, (ZERO, ZERO, 1.0)),
    (am.where, (nan, 2.0, inf), 2.0, (ZERO, 1.0, ZERO)),
]


def without(row):
    """The tables of SymPy and of the languages that cannot write a row."""
    if row.expansion is not None:
        return
    if not (hasattr(sympy, row.name) or row.name in symbolic_table._SPELLING):
        yield "symbolic/table.py"
    for language in LANGUAGES.values():
        if language.operations.get(row.name, EXPANDED) == EXPANDED and row.name not in EXPANSIONS:
            yield f"compile/languages/{language.name}.py"


def missing(row):
    """What is still to be written for a row, each in words: nothing, for the rows of the package."""
    if row.ulp and row.name not in MEANING:
        yield f"write an oracle for {row.name}: what it means, as a SymPy expression, in MEANING of tests/oracles.py"
    if tables := [*without(row)]:
        yield f"write an `expansion` of {row.name} in core/table.py, or how it is written in {', '.join(tables)}"
    if row.is_public and not any(operation.__name__ == row.name for operation, *_ in SPECIAL):
        yield f"write what {row.name} gives at kinks, poles and ±inf in SPECIAL of tests/core/test_table.py"
    if (row.is_public and row.name not in PUBLIC_STUB) or (row.is_method and not hasattr(am.Value, row.name)):
        yield f"tell type checkers of {row.name}: run `python -m tests.stubs`"


PUBLIC_STUB = (Path(am.__file__).parent / "__init__.pyi").read_text()


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_nothing_is_missing(row):
    """An operation is one row and its oracles."""
    assert list(missing(row)) == []


def test_what_is_missing_says_what_to_write():
    """For a row that has just been added, every other piece is named, with the file it belongs to."""
    row = dataclasses.replace(TABLE["erfinv"], name="just_added")
    places = ("tests/oracles.py", "core/table.py", "tests/core/test_table.py", "tests.stubs")
    for sentence, place in zip(missing(row), places, strict=True):
        assert "just_added" in sentence
        assert place in sentence
        assert sentence.startswith(("write ", "tell "))


@pytest.mark.parametrize(("operation", "operands", "value", "partials"), SPECIAL)
def test_special_values(operation, operands, value, partials):
    """Kinks, poles, signed zeros, infinities and nan give what the conventions C1 to C5 say, as float and as Value."""
    assert same(operation(*operands), value)
    node = operation(*map(am.Value, operands))
    assert same(node.data, value)
    assert all(map(same, node.partials, partials)), node.partials
    node.backward()  # and nothing raises


def same(got, expected):
    if expected is ZERO:
        return got is ZERO
    if isinstance(expected, float) and math.isnan(expected):
        return math.isnan(got)
    return got == pytest.approx(expected, rel=1e-15) and math.copysign(1.0, got) == math.copysign(1.0, expected)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_inlined_sums_follow_the_table(n):
    """`sum` of Values alone has the value and partials of its row, to the bit."""
    row = TABLE["sum"]
    for numbers in itertools.product([0.1, -0.0, 1e300, nan], repeat=n):
        node = am.sum(map(am.Value, numbers))
        assert (repr(node.data), node.op) == (repr(row.function(*numbers)), "sum")
        assert node.partials == row.partials(node.data, numbers)
        assert [x.data for x in node.operands] == pytest.approx(list(numbers), nan_ok=True)


def test_inlined_squares_follow_the_table():
    """`x**2` has the value and partials of the row of pow, to the bit."""
    for a in [0.0, -0.0, 1.0, -1.0, 0.1, 3.0, 5e-324, 1e300, -1e300, inf, nan]:
        expected = interpreters[am.Value](TABLE["pow"], (am.Value(a), 2.0))
        for square in (am.Value(a) ** 2, am.Value(a) ** 2.0):
            assert (repr(square.data), repr(square.partials)) == (repr(expected.data), repr(expected.partials))
            assert (square.op, square.operands[1]) == ("pow", 2.0)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "neg", "pos", "where", "dot"])
def test_inlined_operations_follow_the_table(name):
    """What `Value` inlines for speed has the values and partials of the table, to the bit."""
    row = TABLE[name]
    numbers = [0.0, -0.0, 1.0, -1.0, 0.1, 3.0, 5e-324, 1e300, -1e300, inf, nan]
    operate = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "neg": lambda a, b: -a,
        "pos": lambda a, b: primitives.pos(a),
        "where": lambda a, b: am.where(a, a, b),
        "dot": lambda a, b: am.dot([a, b], [b, a]),
    }[name]
    for a in numbers:
        for b in numbers:
            operands = {"neg": (a,), "pos": (a,), "where": (1.0 if a else 0.0, a, b), "dot": (a, b, b, a)}.get(
                name, (a, b)
            )
            value = row.function(*operands)
            partials = row.partials(value, operands)
            both = operate(am.Value(a), am.Value(b))
            assert repr(both.data) == repr(value)
            assert repr(both.partials) == repr(partials)
            if len(operands) == 2:  # one operand a constant: the same partial, and no edge to the constant
                for node, constant in ((operate(am.Value(a), b), 1), (operate(a, am.Value(b)), 0)):
                    expected = [ZERO if i == constant else p for i, p in enumerate(partials)]
                    assert repr(node.data) == repr(value)
                    assert repr(node.partials) == repr(tuple(expected))


def test_a_square_is_a_product(monkeypatch):
    """x ** 2 is x * x to the bit wherever the C library rounds its pow: pow is not asked."""
    monkeypatch.setattr(math, "pow", lambda x, y: nan)
    assert am.pow(1.1, 2.0) == (am.Value(1.1) ** 2).data == 1.1 * 1.1


def test_rows_are_total():
    """No row raises, whatever the floats: an engine that raises cannot agree with its own compiled code."""
    numbers = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 30.0, 5e-324, -1e-308, 1e300, -1e300, inf, -inf, nan]
    for row in TABLE.values():
        n = (
            3
            if row.name in ("where", "clip")
            else len(row.domain)
            if len(row.domain) > 1
            else row.rule.__code__.co_argcount - 1
        )
        for _ in range(300):
            generator = random.Random(row.name)
            xs = [generator.choice(numbers) for _ in range(max(n, 2 if n == 0 else n))]
            value = row.function(*xs)
            assert isinstance(value, float)
            for partial in row.partials(value, xs):
                assert partial is ZERO or isinstance(partial, float)


def test_a_primitive_of_the_users():
    """One public call adds an operation with gradients of every order, an error for a wrong rule, and a docstring."""
    if "test_tanh" not in TABLE:
        am.primitive("test_tanh", math.tanh, lambda y, x: (1.0 - y * y,), domain=(-2.0, 2.0), doc="As math.tanh.")
    operation = am.primitive("test_recip", lambda x: 1.0 / x, lambda y, x: (-1.0 / x**2,), domain=(0.1, 9.0))
    try:
        assert operation(4.0) == 0.25
        assert am.grad(operation)(2.0) == -0.25
        assert am.grad(am.grad(am.grad(operation)))(2.0) == pytest.approx(-6 / 16, rel=1e-15)
        for wrong in (None, max):
            with pytest.raises(am.ArgumentError):
                am.primitive("test_wrong", abs, wrong)
            assert "test_wrong" not in TABLE
        half = am.primitive("test_half", lambda a, b: a * b, lambda y, a, b: (b, None))
        with pytest.raises(am.ArgumentError, match=r"returned None for numbers"):
            half(am.Value(1.0), am.Value(2.0))
        with pytest.raises(am.ArgumentError, match="Choose another name"):
            am.primitive("exp", math.exp, lambda y, x: (y,))
        broken = am.primitive("test_broken", lambda x: x, lambda y, x: (1.0, 1.0))
        comma = am.primitive("test_comma", lambda x: x, lambda y, x: 1.0)
        with pytest.raises(am.ArgumentError, match=r"(?s)not a tuple.*\(p,\)"):
            comma(am.Value(1.0))
        with pytest.raises(am.ArgumentError, match="2 partial derivatives for 1 operand"):
            broken(am.Value(1.0))
    finally:
        for name in ("test_recip", "test_broken", "test_comma", "test_half", "test_tanh"):
            TABLE.pop(name, None)


def test_a_cell_of_a_notebook_runs_again():
    """The same function defined once more replaces its row; another one of that name does not."""

    def cell(factor):
        @am.primitive(rule=lambda y, x: (factor,))
        def test_again(x):
            return factor * x

        return test_again

    try:
        cell(2.0)
        assert am.grad(cell(3.0))(1.0) == 3.0
        with pytest.raises(am.ArgumentError, match="already"):
            am.primitive("test_again", math.sin, lambda y, x: (am.cos(x),))
    finally:
        del TABLE["test_again"]


def test_wrong_primitives_say_so():
    """A rule of another number of operands, a function without `return`, a whole number; defaults are filled in."""
    with pytest.raises(am.ArgumentError, match="takes 2 operands, so its rule must take 3 arguments"):
        am.primitive("test_short", lambda a, b: a * b, lambda y, a: (1.0,))
    try:
        few = am.primitive("test_few", lambda a, b: a * b, lambda y, a, b: (b,))
        for call in (lambda: few(am.Value(1.0), 2.0), lambda: am.jvp(few, (1.0, 2.0), (1.0, 0.0))):
            with pytest.raises(am.ArgumentError, match="gives 1 partial derivative for 2 operands"):
                call()
        nothing = am.primitive("test_nothing", lambda x: None, lambda y, x: (1.0,))
        for x in (1.0, 1, am.Value(1.0)):
            with pytest.raises(am.ArgumentError, match="returned None for numbers"):
                nothing(x)
        whole = am.primitive("test_whole", lambda x: 3, lambda y, x: (0,))
        assert type(whole(1.0)) is float

        @am.primitive(rule=lambda y, x, k: (k, x))
        def test_default(x, k=2.0):
            return x * k

        assert test_default(5.0) == test_default(am.Value(5.0)).data == 10.0
        assert am.grad(test_default)(5.0) == 2.0
        assert test_default(5.0, 3.0) == 15.0
    finally:
        for name in ("test_few", "test_nothing", "test_whole", "test_default"):
            TABLE.pop(name, None)


@pytest.mark.parametrize(
    ("name", "function", "x", "value"),
    [
        ("test_sinc", lambda x: am.sin(x) / x, 0.0, nan),
        ("test_sinc", lambda x: math.sin(x) / x, 0.0, nan),
        ("test_reciprocal", lambda x: 1 / x, -0.0, -inf),
        ("test_reciprocal", lambda x: 1 // x, 0.0, inf),
        ("test_root", lambda x: x**0.5, -1.0, nan),
        ("test_power", lambda x: x**-2.0, 0.0, inf),
        ("test_big", lambda x: x**2.0, 1e200, inf),
    ],
)
def test_c99_in_a_users_function(name, function, x, value):
    """At a singular point a primitive of the user's gives what C99 gives: of floats, Values, dual numbers, nested."""
    operation = am.primitive(name, function, lambda y, x: (y / x,), check=False)
    try:
        np = pytest.importorskip("numpy")
        found = [
            operation(x),
            operation(am.Value(x)).data,
            am.jvp(operation, (x,), (1.0,))[0],
            operation(np.float64(x)),
        ]
        found += [am.jvp(lambda z: am.jvp(operation, (z,), (1.0,))[0], (x,), (1.0,))[0]]
        found += [am.value_and_grad(operation)(x)[0], am.value_and_grad(operation)(am.Value(x))[0].data]
        assert all(got == value or (math.isnan(got) and math.isnan(value)) for got in found)
        am.grad(am.grad(operation))(x)  # nothing raises
        operation(am.Value(x)).backward()
    finally:
        del TABLE[name]


@pytest.mark.parametrize(
    ("function", "x", "message"),
    [
        (lambda x: math.log(x), 0.0, r"'test_math' raised ValueError: .* \(at 0.0\)"),
        (lambda x: math.exp(x), 1000.0, r"'test_math' raised OverflowError: .* \(at 1000.0\)"),
        (lambda x: math.sqrt(x), -1.0, r"(?s)ValueError: .*do: .*am.log, not math.log"),
    ],
)
def test_functions_of_math_raise(function, x, message):
    """`math` does not say what C99 gives: the error says which operation, where, and what to write instead."""
    operation = am.primitive("test_math", function, lambda y, x: (y,), check=False)
    through_rule = am.primitive("test_math_rule", lambda x: x, lambda y, x: (function(x),), check=False)
    try:
        for call in (lambda: operation(x), lambda: operation(am.Value(x)), lambda: am.jvp(operation, (x,), (1.0,))):
            with pytest.raises(am.ArgumentError, match=message) as caught:
                call()
            assert "test_table.py" in str(caught.value)
        with pytest.raises(am.ArgumentError, match="rule of 'test_math_rule' raised"):
            through_rule(am.Value(x))
    finally:
        del TABLE["test_math"], TABLE["test_math_rule"]


def test_a_users_cone_and_kink():
    """A row says whether it is curved at its kink: there its second derivative is nan, else 0."""
    settings = {"rule": lambda y, x: (am.sign(x),), "kink": lambda y, x: x == 0.0}
    size = am.primitive("test_size", abs, **settings, curvature=0.0)
    cone = am.primitive("test_cone", abs, **settings, curvature=nan)
    try:
        for order, expected in ((1, (0.0, 0.0)), (2, (0.0, nan)), (3, (0.0, nan))):
            for operation, wanted in zip((size, cone), expected, strict=True):
                assert am.grad(lambda x, f=operation: f(x) * 2.0)(0.0) == 0.0
                got = nested(operation, (0,) * order)(0.0)
                assert got == wanted or (math.isnan(got) and math.isnan(wanted))
        with am.checked(), pytest.raises(am.NonFiniteError, match="kink"):
            am.grad(am.grad(size))(0.0)
    finally:
        del TABLE["test_size"], TABLE["test_cone"]


def test_a_flat_slope_is_a_float():
    """0.0 for all purposes but two: no number that it is multiplied by changes it, nor does it change a sum."""
    flat = FLAT
    x = am.Value(inf)
    assert (flat, repr(flat), f"{flat:.1f}", -flat) == (0.0, "0.0", "0.0", flat)
    for number in (inf, nan, 3.0, 2, x):
        assert flat * number is number * flat is flat
        assert flat + number is number
        assert number + flat is number
    assert copy.deepcopy(flat) is pickle.loads(pickle.dumps(flat)) is flat
    np = pytest.importorskip("numpy")
    assert (flat * np.ones(2)).tolist() == [0.0, 0.0]


def test_a_users_rule_may_divide_by_zero():
    """Python raises for 1/0 and turns complex for (-1)**0.5; rules get C99's answers."""
    rule = lambda y, x: (0.5 / y + 0.0 * x**0.5,)  # noqa: E731
    operation = am.primitive("test_root", lambda x: abs(x) ** 0.5, rule, domain=(0.0, 9.0))
    try:
        assert operation(am.Value(0.0)).partials == (inf,)
        assert math.isnan(operation(am.Value(-1.0)).partials[0])
    finally:
        del TABLE["test_root"]


if __name__ == "__main__":  # python -m tests.core.test_table: measure the bounds that the rows store
    for row in SMOOTH:
        found = [worst_error(row, order, (2000, 2000, 300, 100)[order]) for order in range(4)]
        print(f"{row.name:14}", *[f"{e:9.3g}/{b:<4g}" for (e, _, _), b in zip(found, row.ulp, strict=True)])
        for (e, by, xs), b in zip(found, row.ulp, strict=True):
            if e > b:
                print("      ", by, xs, e)


# -- help --------------------------------------------------------------------------------------------------------------

PUBLIC = sorted(name for name in am.__all__ if name in TABLE and name not in ("sum", "dot", "take", "stop_gradient"))


@pytest.mark.parametrize("name", [*PUBLIC, "add", "sub", "mul", "div", "neg"])
def test_help_names_the_operands_as_the_rule_does(name):
    """`help` shows the rule's own words for the operands, without types: pow(x, p), where(condition, a, b)."""
    operation, rule = getattr(primitives, name), TABLE[name].rule
    code = rule.__code__
    names = list(code.co_varnames[1 : code.co_argcount])
    if code.co_flags & inspect.CO_VARARGS:
        names.append(f"*{code.co_varnames[code.co_argcount]}")
    assert str(inspect.signature(operation)) == f"({', '.join(names)})"
    assert f"    {', '.join(names)}: numbers, `Value`s," in inspect.getdoc(operation)


def test_operands_have_the_order_of_mathematics():
    """Written down once more, independently of the table."""
    for operation, names in (
        (am.pow, "(x, p)"), (am.atan2, "(y, x)"), (am.xlogy, "(x, y)"), (am.clip, "(x, low, high)"),
        (am.where, "(condition, a, b)"), (am.remainder, "(a, b)"), (am.fmod, "(a, b)"), (am.exp, "(x)"),
        (am.hypot, "(*xs)"), (am.maximum, "(*xs)"),
    ):  # fmt: skip
        assert str(inspect.signature(operation)) == names
        assert f"{operation.__name__}{names}" in pydoc.render_doc(operation, renderer=pydoc.plaintext)
