"""The language of conditions: Python's meaning where it is allowed, and a refusal of everything else."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.timeline.expressions import Expression
from tests.effort import effort

COMPARISONS = ["<", "<=", ">", ">=", "==", "!=", "and", "or"]


@pytest.fixture(scope="module")
def trace():
    x = Value(2.0, name="x")
    w = [Value(-3.0, name="w[0]"), Value(0.5, name="w[1]")]
    y = x * w[0] + x * w[1]
    y.name = "y"
    made = debug.trace(y)
    made.seek(-1)
    return made


def texts(atoms):
    """Expressions written by a grammar of our own, to be compared with Python's results."""
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*"]), inner),
            st.builds("({} {} {})".format, inner, st.sampled_from(COMPARISONS), inner),
            st.builds("(not {})".format, inner),
            st.builds("(-{})".format, inner),
            st.builds("({} if {} else {})".format, inner, inner, inner),
            st.builds("abs({})".format, inner),
            st.builds("max({}, {})".format, inner, inner),
        ),
        max_leaves=12,
    )


@settings(max_examples=effort(80, 1000))
@given(texts(st.sampled_from(["1.5", "-2", "0", "x", "inf", "True", "1e300"])))
def test_what_is_allowed_means_what_python_means(trace, text):
    """An allowed expression has the value that Python's `eval` gives it, nan included."""
    expected = eval(text, {"x": 2.0, "inf": math.inf, "abs": abs, "max": max})
    found = trace.evaluate(text)
    found = found.data if type(found) is Value else found
    assert found == expected or (found != found and expected != expected)


HOSTILE = [
    "__import__('os').system('true')", "().__class__.__bases__", "x.__class__", "x.grad.__class__", "x._data",
    "(lambda: 1)()", "[i for i in (1,)]", "open('/etc/passwd')", "exec('1')", "eval('1')", "x := 3", "x = 3", "f'{x}'",
    "print(x)", "x.backward()", "abs(x, key=1)", "getattr(x, 'data')", "while True: pass", "import os", "x; y", "*x",
    "w[x]", "w[0:1]", "{1: 2}", "{1}", "(1, 2)", "1j", "b''", "...", "yield", "await x", "x @ x", "x >> 2", "~x",
    "x ** 'a'",
    "'a' * 10 ** 9", "'a' + 'b'", "max()", "max(x, 'a')", "abs(1, 2)", "1" * 400, "9" * 5000, "(" * 300 + ")" * 300,
    "-" * 900 + "1", "x.grad.grad", "nothing", "", " ", "x.", "x..grad", "'x' in 3", "'a' < x", "\0", "x\n+1;", "#99",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_else_is_refused_in_one_sentence(trace, text):
    """Attributes, calls, imports and other syntax outside of the small language raise an ArgumentError."""
    with pytest.raises(am.ArgumentError):
        trace.evaluate(text)


@settings(max_examples=effort(80, 1000))
@given(st.text(max_size=40))
def test_no_text_breaks_it(trace, text):
    """Any text at all is either evaluated or refused with an ArgumentError."""
    with contextlib.suppress(am.ArgumentError):
        trace.evaluate(text)


def test_nothing_grows_without_end(trace):
    """Towers of powers, division by zero and impossible roots become inf or nan at once."""
    assert trace.evaluate("9 ** 9 ** 9 ** 9") == math.inf
    assert trace.evaluate("1 / 0") == math.inf
    assert math.isnan(trace.evaluate("0 / 0 + (0 - 1) ** 0.5"))


def test_nodes_names_and_words(trace):
    """Names, `#numbers`, elements and the words of a step (`op`, `total`, `upstream`) mean what the trace holds."""
    x, y = trace.evaluate("x"), trace.evaluate("y")
    assert (x.name, y.name) == ("x", "y")
    assert trace.evaluate("x.grad") == -2.5
    assert trace.evaluate("w[0]").data == -3.0
    assert trace.evaluate("w[1].grad == 2 and w[0].value == -3") is True
    assert trace.evaluate("#0") is trace.journal.order[0]
    assert trace.evaluate("x#0 is x")
    assert trace.evaluate("y is not x")
    assert trace.evaluate("'#0' == '#0' and op == 'mul' and phase == 'backward' and 'back' in phase")
    assert trace.evaluate("node.op == op and node.number >= 0")
    assert trace.evaluate("total") == trace.step.total
    assert trace.evaluate("contribution == upstream * local")
    assert trace.evaluate("index") == trace.position
    assert trace.evaluate("isfinite(x.grad) and not isnan(total)") is True
    assert trace.evaluate("min(x, 1)") == 1.0


def test_what_is_not_there_yet_is_neither_large_nor_small(trace):
    """Before a gradient arrives it is None, compares as False with every number, and stays None in sums."""
    trace.seek(0)
    assert trace.evaluate("x.grad") is None
    assert trace.evaluate("x.grad > 0 or x.grad <= 0") is False
    assert trace.evaluate("x.grad == None")
    assert trace.evaluate("x.grad + 1") is None
    assert trace.evaluate("operand.grad") is None
    trace.seek(-1)


def test_a_name_of_several_nodes_must_be_told_apart():
    """An expression refuses a name of three nodes, a breakpoint takes all of them, and a label means one."""

    def doubled():
        total = Value(1.0)
        for _ in range(3):
            h = total * 2.0
            total = total + h
        return total

    with am.provenance():
        trace = debug.trace(doubled())
    with pytest.raises(am.ArgumentError, match="3 nodes are called h"):
        trace.evaluate("h.grad")
    assert len(trace.break_at(node="h").nodes) == 3
    assert trace.evaluate(f"{trace.label(trace.nodes('h')[1])}.value") == 6.0


def test_an_expression_is_read_once_and_computed_at_any_moment(trace):
    """One compiled expression gives the number of whichever moment it is asked about."""
    condition = Expression(" x.grad ")
    assert str(condition) == "x.grad"
    found = [condition(trace.moment(step.index)) for step in trace]
    assert found[0] is None
    assert found[-1] == -2.5
    assert len(set(found)) == 3


def test_a_node_means_the_number_that_was_recorded():
    """Also in arithmetic, comparisons and truths, when the program has written to a leaf since."""
    x = Value(2.0, name="x")
    trace = debug.trace(x * 3.0)
    x.data = 0.0
    for text, expected in [
        ("x + 1", 3.0), ("-x", -2.0), ("x > 1", True), ("x == 2", True), ("x != 2", False), ("not x", False),
        ("max(x, 1)", 2.0), ("1 if x else 5", 1.0), ("x.value", 2.0), ("x and 7", 7.0), ("0 < x < 1", False),
    ]:  # fmt: skip
        assert trace.evaluate(text) == expected, text
