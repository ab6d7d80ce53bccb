"""The exception tree: what it derives from, what a message holds, that it survives pickling."""

from __future__ import annotations

import pickle

import pytest

import autograd_mini as am
from autograd_mini import Value, errors

TREE = {
    "OperandError": TypeError,
    "TraceError": TypeError,
    "ArgumentError": ValueError,
    "RangeError": OverflowError,
    "NonFiniteError": FloatingPointError,
    "DataError": ValueError,
    "ProgramError": RuntimeError,
    "MissingError": ImportError,
}


@pytest.mark.parametrize("name", TREE)
def test_tree(name):
    """Every error is an AutogradError and what Python programmers expect; the docstring draws the tree."""
    error = getattr(am, name)
    assert issubclass(error, am.AutogradError)
    assert issubclass(error, TREE[name])
    assert name in errors.__doc__
    assert {c for c in vars(errors) if c.endswith("Error")} == {*TREE, "AutogradError"}


def test_messages_say_where():
    """The place is the user's expression, also deep inside of the package; pickling keeps the message."""
    with pytest.raises(am.ArgumentError) as caught:
        am.cross_entropy([1.0, 2.0], 5)
    message = str(caught.value)
    assert message.splitlines()[0] == "cross_entropy() got class 5 of 2."
    assert "test_errors.py" in message
    assert "test_messages_say_where: am.cross_entropy([1.0, 2.0], 5)" in message
    assert message.splitlines()[2] == "  do:    Pass an index from 0 to 1."
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_long_values_are_shortened():
    """A message shortens a list of a million numbers."""
    with pytest.raises(am.OperandError) as caught:
        am.exp([0.0] * 1000)
    assert len(str(caught.value)) < 500


def _set(name, number):
    setattr(Value(1.0), name, number)


def _in_scope():
    with am.scope("part"):
        return am.draw(Value(1.0) * 2.0, focus="whole")


@pytest.mark.parametrize(
    ("call", "what", "do"),
    [
        (lambda: Value(1.0).backward(Value(1.0)), "takes a real number, not Value", "its number, .data"),
        (lambda: _set("grad", Value(1.0)), "takes a real number, not Value", "its number, .data"),
        (lambda: _set("data", Value(1.0)), "takes a real number, not Value", "its number, .data"),
        (lambda: _set("grad", "1"), "takes a real number, not str", "float(text)"),
        (lambda: Value(Value(1.0)), "takes a real number, not Value", "It is a Value already"),
        (lambda: am.cross_entropy(0, [1.0, 2.0]), "got 0 as its logits", "cross_entropy(logits, target)"),
        (lambda: am.nll(0, (1.0, 2.0)), "got 0 as its log_prob", "nll(log_probabilities, target)"),
        (lambda: am.cross_entropy(0, 1), "takes a list of numbers", "into a list"),
        (lambda: am.nn.Sequential([am.nn.Linear(2, 3)]), "one by one", "Sequential(*layers)"),
        (lambda: am.nn.Sequential(am.nn.Linear(2, 2), "softmax"), "no activation 'softmax'", "cross_entropy takes"),
        (lambda: am.nn.MLP(2, [2, 2], activation="log_softmax"), "no activation", "call log_softmax(model(x))"),
        (lambda: am.nn.MLP(2, [3, 1])([1.0]), "In Layer0, a neuron with 2 weights got 1 input.", "per weight"),
        (lambda: am.nn.Sequential(am.nn.Linear(2, 3), am.nn.Linear(4, 1))([1.0, 2.0]), "In Linear1, a neuron", "per"),
        (lambda: am.nn.Neuron(2)([1.0]), "A neuron with 2 weights got 1 input.", "per weight"),
        (lambda: am.grad(lambda x, y: x * y)(x=2.0, y=3.0), "0 positional arguments were", "not f(x=2.0)"),
        (lambda: am.grad(lambda x: x, argnums=1)(2.0), "1 positional argument was given", "counts them from 0"),
        (lambda: am.mse([1.0], [1.0, 2.0]), "1 prediction and 2 targets", "one target per prediction"),
        (lambda: am.mse(1.0, [1.0]), "one prediction and a list", "one target per prediction"),
        (lambda: _in_scope(), "no scope 'whole'", "Name one of its scopes, such as part."),
    ],
)
def test_frequent_slips_are_told_from_others(call, what, do):
    """Each message says what was passed by mistake, and what to write."""
    with pytest.raises(am.AutogradError) as raised:
        call()
    wrong, _, advice = str(raised.value).partition("do:")
    assert what in wrong
    assert do in advice


def test_a_condition_is_not_a_formula():
    """The claim is written with where()."""
    pytest.importorskip("sympy")
    with pytest.raises(am.OperandError, match=r"Write where\(x > 0, 1, 0\)"):
        am.symbolic.prove(am.relu, lambda x: x > 0.0)
