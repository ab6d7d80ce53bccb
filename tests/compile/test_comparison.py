"""`compare`: the first instruction, line and bit in which two backends differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autograd_mini as am
from autograd_mini.compile.backends import operations


def loss(x, y):
    product = am.exp(x) * y
    return am.sqrt(product) + x / y


def test_the_same_bits():
    """Operations that round correctly are the same everywhere: the report is true, and says so."""
    found = am.compare(am.value_and_grad(lambda x, y: am.sqrt(x * y) / am.maximum(x, y)), 2.0, 3.0)
    assert found
    assert found.ok
    assert (found.steps, found.outcomes, found.results) == ((), (), 2)
    assert str(found).endswith("2 results: the same bits in eager mode, on the interpreter and on numpy.")


def test_a_wrong_instruction(monkeypatch):
    """A backend that computes an instruction wrongly is found at this instruction, with line, operands and bits."""
    monkeypatch.setitem(operations.OPERATIONS, "exp", operations.stored(lambda x: np.nextafter(np.exp(x), math.inf)))
    found = am.compare(am.jit(loss, backend="numpy"), 0.5, 2.0)
    assert not found
    (step,) = found.steps
    assert step.what == "v2 = exp(x)"
    assert step.names == ("interpreter", "numpy")
    assert step.numbers[0] == math.exp(0.5)
    assert step.ulps == 1.0
    assert step.operands == (("x", 0.5),)
    assert (step.place.line, step.place.expression) == (loss.__code__.co_firstlineno + 1, "am.exp(x)")
    text = str(found)
    assert "numpy first differs from the interpreter at v2 = exp(x)" in text
    assert f"{__file__}:{step.place.line}: am.exp(x)" in text
    assert math.exp(0.5).hex() in text
    assert "1 ulp" in text
    assert found.outcomes[0].names == ("interpreter", "numpy")
    assert found.outcomes[0].what == "result"


def test_the_first_sample(monkeypatch):
    """In a batch, it steps through the first sample whose result differs."""
    monkeypatch.setitem(
        operations.OPERATIONS, "sqrt", operations.stored(lambda x: np.where(x == 9.0, -3.0, np.sqrt(x)))
    )
    f = am.jit(lambda x, w: am.sqrt(x) * w, in_axes=(0, None))
    found = am.compare(f, [4.0, 9.0, 16.0, 9.0], 2.0)
    assert found.results == 4
    assert found.steps[0].operands == (("x", 9.0),)
    assert [one.what for one in found.outcomes] == ["result of sample 1", "result of sample 3"]
    assert "result of sample 1" in str(found)
    assert "2 numbers differ" in str(found)
    total = am.compare(am.jit(lambda x: am.sqrt(x), in_axes=0, reduce="sum"), [4.0, 9.0])
    assert total.results == 1
    assert total.outcomes[0].numbers == (5.0, -1.0)


@pytest.mark.parametrize("wrong", [lambda x: -np.floor(x), lambda x: x + math.inf, lambda x: np.full_like(x, math.nan)])
def test_other_kinds_of_numbers(monkeypatch, wrong):
    """Signs of zeros, infinities and nan are differences too; nan equals nan."""
    monkeypatch.setitem(operations.OPERATIONS, "floor", operations.stored(wrong))
    found = am.compare(lambda x: am.floor(x) * 1.5, 0.5)
    assert found.steps[0].ulps == math.inf
    assert "another kind of number" in str(found)
    assert not found.ok
    assert am.compare(lambda x: am.log(x) * 2.0, -1.0).ok


def test_eager_mode():
    """Forms that only save digits differ between eager mode and a tape, and no instruction is to blame."""
    f = lambda x: am.gelu(x) * am.tanh(x)  # noqa: E731
    reports = [am.compare(am.jit(f, backend="interpreter"), x / 7.0, backend="interpreter") for x in range(-40, 40)]
    assert all(report.steps == () for report in reports)
    different = [report for report in reports if not report.ok]
    assert different
    for report in different:
        (one,) = report.outcomes
        assert one.names == ("interpreter", "eager")
        assert one.ulps < 16.0
        assert "The result in eager mode differs from that on the interpreter: " in str(report)
        assert "on interpreter" not in str(report)
        assert "Each instruction alone has the same bits" in str(report)


def test_models_and_structures():
    """Modules, structures and named arguments work as in a call."""
    assert am.compare(am.nn.MLP(2, [3, 1], activation="relu", seed=0), [0.1, 0.2]).ok
    found = am.compare(lambda p, k: {"a": p["x"] * k, "b": [p["x"] + 1.0]}, {"x": 2.0}, k=3.0)
    assert found.ok
    assert found.results == 2


def test_errors():
    """A graph, an empty batch and an unknown backend are errors that say what to do."""
    with pytest.raises(am.ArgumentError, match="Pass plain numbers"):
        am.compare(loss, am.Value(1.0), 2.0)
    with pytest.raises(am.ArgumentError, match="empty batch"):
        am.compare(am.jit(loss, in_axes=0), [], [])
    with pytest.raises(am.ArgumentError, match="There is no backend 'java'"):
        am.compare(loss, 1.0, 2.0, backend="java")
    with pytest.raises(am.OperandError, match="not str"):
        am.compare(loss, "a", 2.0)
    with pytest.raises(am.OperandError, match="takes a function, not 3"):
        am.compare(3.0, 4.0)


def test_arrays():
    """A function may return arrays, of one sample and of each of a batch."""
    for options, results in (({}, 4), ({"in_axes": 0}, 4), ({"in_axes": 1, "reduce": "sum"}, 2)):
        found = am.compare(am.jit(lambda x: x * 2.0, **options), np.ones((2, 2)))
        assert (found.ok, found.results) == (True, results)
