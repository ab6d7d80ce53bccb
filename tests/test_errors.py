"""The exception tree: what it derives from, what a message holds, that it survives pickling."""

from __future__ import annotations

import pickle

import pytest

import autograd_mini as am
from autograd_mini import errors

TREE = {
    "OperandError": TypeError,
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
    assert message.splitlines()[2] == "  do:    Classes are counted from 0 to 1."
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_long_values_are_shortened():
    """A message does not drown in a list of a million numbers."""
    with pytest.raises(am.OperandError) as caught:
        am.exp([0.0] * 1000)
    assert len(str(caught.value)) < 500
