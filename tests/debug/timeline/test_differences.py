"""Finite differences agree with right derivatives, and find wrong ones."""

from __future__ import annotations

import math

import pytest

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.core.row import TABLE
from autograd_mini.debug.timeline import differences
from autograd_mini.engine import apply


@pytest.mark.parametrize("function", [am.softmax, lambda xs: [am.tanh(xs[0]) * xs[1] + am.hypot(*xs)]])
def test_right_derivatives_agree_with_differences(function):
    """Local and total derivatives of a right graph agree with finite differences at every node."""
    xs = [Value(0.3), Value(-1.2)]
    journal = debug.trace(function(xs)[0]).journal
    for node in journal.order:
        for _, compared in differences.local(journal, node):
            assert compared.verdict == "agrees"
        assert differences.total(journal, node).verdict == "agrees"


def test_a_wrong_rule_is_found():
    """An operation of the user with a wrong derivative: in its own step, and in all behind it."""
    am.primitive("wrong_square", lambda x: x * x, lambda y, x: (x,), domain=[(-2.0, 2.0)], check=False)
    try:
        x = Value(3.0)
        y = apply(TABLE["wrong_square"], (x * 2.0,))
        journal = debug.trace(y).journal
        ((_, compared),) = differences.local(journal, y)
        assert (compared.verdict, compared.derivative) == ("differs", 6.0)
        assert compared.estimate == pytest.approx(12.0)
        assert differences.total(journal, x).verdict == "differs"
        assert differences.total(journal, y).verdict == "agrees"
    finally:
        del TABLE["wrong_square"]


def test_choices_of_the_program_stay_as_they_were():
    """Where a branch was taken, the other one is not looked at."""
    x = Value(1e-9)
    y = am.relu(x) if x > 0 else x * 5.0
    journal = debug.trace(y).journal
    assert differences.total(journal, x) == differences.total(journal, x)
    assert differences.total(journal, x).verdict == "agrees"


def test_a_seed_is_a_factor_and_what_was_changed_by_hand_does_not_count():
    """The check multiplies by the seed, and looks at the true gradient although one was changed by hand."""
    x = Value(3.0, name="x")
    y = x * 2.0
    trace = debug.trace(am.exp(y), seed=-2.0)
    trace.seek(trace.start)
    trace.into()
    trace.what_if(y, 7.0)
    compared = differences.total(trace.journal, x)
    assert compared.derivative == pytest.approx(-4.0 * math.exp(6.0))
    assert compared.verdict == "agrees"


def test_at_a_kink_the_derivative_is_a_choice():
    """At a kink the verdict names the slope chosen and those on the left and on the right."""
    journal = debug.trace(abs(Value(0.0))).journal
    ((_, compared),) = differences.local(journal, journal.root)
    assert compared.verdict == "is a choice: slope 0.0 was chosen; it is -1.0 on the left, 1.0 on the right"


def test_a_kink_elsewhere_excuses_no_wrong_rule():
    """Nodes that the gradient does not pass through say nothing about it."""
    am.primitive("wrong_square", lambda x: x * x, lambda y, x: (x,), domain=[(-2.0, 2.0)], check=False)
    try:
        x, other = Value(3.0), Value(0.0)
        journal = debug.trace(apply(TABLE["wrong_square"], (x,)) + am.clip(other, 0.0, 1.0)).journal
        assert differences.total(journal, x).verdict == "differs"
        assert differences.total(journal, other).verdict.startswith("passes a kink: clip")
    finally:
        del TABLE["wrong_square"]
