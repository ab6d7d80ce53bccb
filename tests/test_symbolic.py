"""The table and the compositions over SymPy: formulas in, formulas out, with exact numbers."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import sympy

import autograd_mini as am
from autograd_mini import Value, primitives
from autograd_mini.primitives import TABLE
from autograd_mini.symbolic import exact

x, y = sympy.symbols("x y", positive=True)


def test_every_operation_has_a_formula():
    """Each row, applied to symbols and evaluated at numbers, gives the row's own number."""
    numbers = {x: 0.4, y: 0.7}
    for row in TABLE.values():
        operation = getattr(
            primitives, {"sum": "sum_of", "dot": "dot_of", "stop_gradient": "stop"}.get(row.name, row.name), None
        )
        if operation is None or row.name == "where":
            continue
        arity = 1 if len(row.rule.__code__.co_varnames) == 2 and row.rule.__code__.co_argcount == 2 else 2
        symbols = (x, y)[:arity] if row.name != "clip" else (x, sympy.Rational(1, 2), y)
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
