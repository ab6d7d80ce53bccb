"""Scopes, composites, observers: names of parts, source expressions, checks for nan and infinity."""

from __future__ import annotations

import inspect
import math
import os
import pickle
import subprocess
import sys

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.program.stack import recording
from autograd_mini.watch import observing


def test_scopes_nest_and_end():
    """Nodes belong to the innermost scope around them; every entry is another scope; exceptions end it too."""
    x = Value(1.0)
    with am.scope("outer"):
        a = x + 1.0
        with am.scope("inner"):
            b = a * 2.0
        c = Value(3.0)
    with pytest.raises(ZeroDivisionError), am.scope("broken"):
        1 / 0  # noqa: B018  # any exception will do
    assert (x + 1.0).scope is None
    assert [node.scope.path for node in (a, b, c)] == [("outer",), ("outer", "inner"), ("outer",)]
    assert b.scope.parent is a.scope
    one, other = am.softmax([x, 2.0]), am.softmax([x, 2.0])
    assert one[0].scope.path == ("softmax",)
    assert one[0].scope is one[1].scope is not other[0].scope
    assert pickle.loads(pickle.dumps(b)).scope.path == ("outer", "inner")


def test_a_scope_may_be_entered_again():
    """One scope object inside itself, and after itself: nothing of it stays behind."""
    part = am.scope("part")
    with part:
        with part:
            assert (Value(1.0) + 1.0).scope.path == ("part", "part")
        assert (Value(1.0) + 1.0).scope.path == ("part",)
    with part:
        pass
    assert (Value(1.0) + 1.0).scope is None


def test_composite_keeps_the_function():
    """Name, docstring and signature are the function's own."""

    @am.composite
    def energy(x, scale=0.5):
        """Half the square."""
        return scale * x * x

    assert (energy.__name__, energy.__doc__) == ("energy", "Half the square.")
    assert str(inspect.signature(energy)) == "(x, scale=0.5)"
    assert energy(2.0) == 2.0
    assert energy(Value(2.0)).scope.path == ("energy",)


def test_provenance_names_the_expression():
    """Operators, reflections, methods, functions, multi-line expressions, lambdas, comprehensions, += : all exact."""
    x = Value(2.0)
    with am.provenance():
        a = (x + 1.0) * 3.0
        b = 2.0 - x
        c = x.tanh()
        d = am.exp(x)
        e = am.maximum(
            x,
            1.0,
        )
        f = [v * v for v in (x,)][0]  # noqa: RUF015  # the comprehension is tested
        g = (lambda v: v / 2.0)(x)
        h = x
        h += 5.0
        α = x**2
        ß = α + "naïve🙂".count("🙂") * x
        s = am.sum([x, am.dot([x], [3.0])])
        t = am.maximum(x,  # of both
                       s \
                       + 1.0)  # fmt: skip
    assert t.origin.expression == "am.maximum(x, s + 1.0)"
    found = [node.origin.expression for node in (a, a.operands[0], b, d, e, f, g, h, α, ß, s, s.operands[1])]
    assert found == [
        "(x + 1.0) * 3.0", "x + 1.0", "2.0 - x", "am.exp(x)", "am.maximum(x, 1.0,)", "v * v", "v / 2.0", "h += 5.0",
        "x**2", 'α + "naïve🙂".count("🙂") * x',
        "am.sum([x, am.dot([x], [3.0])])", "am.dot([x], [3.0])",
    ]  # fmt: skip
    assert a.origin.file == __file__
    assert a.origin.function == "test_provenance_names_the_expression"
    assert a.origin.line == inspect.getsourcelines(test_provenance_names_the_expression)[1] + 4
    assert c.origin.file.endswith("activations.py")
    assert c.scope.site.expression == "x.tanh()"
    assert (x + 1.0).origin is None
    a.name = "a"
    assert (a.name, a.origin.expression) == ("a", "(x + 1.0) * 3.0")


def test_provenance_of_a_whole_run():
    """The environment variable turns it on everywhere, in threads too."""
    program = """
import threading
import autograd_mini as am
x, y = am.Value(1.0), []
thread = threading.Thread(target=lambda: y.append(x * 7.0))
thread.start()
thread.join()
print((x + 1.0).origin is not None, y[0].origin is not None)
"""
    for setting, expected in (("1", "True True"), ("0", "False False"), ("", "False False")):
        run = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "AUTOGRAD_MINI_PROVENANCE": setting},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert run.stdout.strip() == expected


def test_observers_see_every_node():
    """Observers run in the order they were added, and stop with their block."""
    seen = []
    x = Value(1.0)
    with observing(seen.append), observing(lambda node: seen.append(node.op)):
        y = x * 2.0
        with am.scope("s"):
            z = y + x
    x * 3.0
    assert seen == [y, "mul", z, "add"]
    assert recording().observe is None


# -- checked() ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda x: am.log(x - 3.0), r"log\(-1.0\) is nan.*am\.log\(x - 3\.0\).*the operand = -1.0 from .*: x - 3\.0"),
        (lambda x: am.exp(x * 400.0), r"exp\(800.0\) is inf.*am\.exp\(x \* 400\.0\)"),
        (lambda x: 1.0 / (x - 2.0), r"div\(1.0, 0.0\) is inf.*1\.0 / \(x - 2\.0\)"),
    ],
)
def test_checked_raises_at_the_first_result(compute, message):
    """The error names the operation, its operands, and the user's expression."""
    with am.checked(), pytest.raises(am.NonFiniteError, match="(?s)" + message):
        compute(Value(2.0))
    assert not math.isfinite(compute(Value(2.0)).data)  # and outside of the block nothing raises


def test_checked_raises_at_the_first_contribution():
    """sqrt at 0: the value is fine, the gradient is infinite. The error names both factors; no gradient has changed."""
    x, w = Value(0.0), Value(1.0)
    with am.checked():
        y = am.sqrt(x) * w
        y_before = y.grad
        with pytest.raises(am.NonFiniteError, match=r"(?s)adjoint 1\.0 times local derivative inf.*am\.sqrt\(x\)"):
            y.backward()
    assert (x.grad, w.grad, y.grad) == (0.0, 0.0, y_before)
    y.backward()
    assert x.grad == math.inf
    with pytest.raises(FloatingPointError), am.checked():
        am.grad(am.sqrt)(0.0)


def test_checked_lets_dead_branches_be():
    """A branch that is not taken may hold what it likes; second derivatives of finite functions are finite."""
    x = Value(-1.0)
    with am.checked():
        am.where(x > 0.0, x, x * x).backward()
        assert am.grad(am.grad(lambda v: v**2))(-3.0) == 2.0
        assert am.grad(am.grad(lambda v: v * v * v / 2.0))(-1.0) == -3.0
    assert x.grad == -2.0


def test_switched_off_costs_nothing_that_shows():
    """No observer, no scope: a node holds no notes."""
    assert (Value(1.0) * 2.0)._notes is None


@pytest.mark.parametrize("name", [3, None, ["energy"], b"energy"])
def test_a_scope_is_named_with_text(name):
    """Anything else is a TypeError at the user's line, not a picture that fails later."""
    with pytest.raises(TypeError, match=r"named with text(.|\n)*where: .*test_scopes.py:\d+"):
        am.scope(name)
