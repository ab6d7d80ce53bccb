"""Calls as single operations: derivatives are sums over the inside, and a closed form agrees where it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.timeline.paths import Walk, calls_in, folded_edges
from tests.effort import effort

SCALARS = ["tanh", "sigmoid", "softplus", "log_sigmoid", "silu", "gelu", "softsign"]


def call_of(root: Value):
    """The only call in a graph."""
    (call,) = calls_in(debug.trace(root).journal.order).values()
    return call


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("at", [-3.0, -0.4, 0.1, 0.3, 2.0])
def test_a_function_of_a_number_has_its_closed_form_with_numbers(name, at):
    """Closed form, the same with numbers, and the recorded derivative."""
    x = Value(at, name="x")
    y = getattr(am, name)(x)
    call = call_of(y)
    assert call.slope(y, x) == pytest.approx(am.grad(getattr(am, name))(at), rel=1e-12)
    parts = call.text(y, x, lambda node: node.data).split(" = ")
    assert parts[-1] == am.notation.text.number(call.slope(y, x))
    assert parts[0] == am.notation.local_rules.closed_form(name).text


@settings(max_examples=effort(40, 1000), deadline=None)
@given(st.lists(st.floats(-4.0, 4.0), min_size=2, max_size=5, unique=True), st.sampled_from(["softmax", "log_softmax"]))
def test_the_jacobian_of_softmax(numbers, name):
    """Every entry that has numbers says what the chain rule gives."""
    z = [Value(x, name=f"z{i}") for i, x in enumerate(numbers)]
    a = getattr(am, name)(z)
    root = am.sum([y * (i + 1.0) for i, y in enumerate(a)])
    call = next(c for c in debug.trace(root).calls.values() if c.name == name)
    for i, y in enumerate(a):
        for j, x in enumerate(z):
            fresh = [Value(number) for number in numbers]
            getattr(am, name)(fresh)[i].backward()
            assert (call.slope(y, x) or 0.0) == pytest.approx(fresh[j].grad or 0.0, rel=1e-9, abs=1e-12)
            text = call.numbered(y, x, lambda node: node.data)
            assert not text or (" × (" in text or text.startswith(("1 − ", "0 − ")))


@pytest.mark.parametrize(("target", "text", "numbered"), [
    (1, "a_j − t_j", "0.2689 − 0"), ([1.0, 1.0], "a_jΣt − t_j", ""),
])  # fmt: skip
def test_cross_entropy_knows_whether_its_target_sums_to_1(target, text, numbered):
    """a − t is right for a class; else the sum of the targets stands in the form, without numbers."""
    z = [Value(1.0, name="z0"), Value(2.0, name="z1")]
    loss = am.cross_entropy(z, target)
    call = call_of(loss)
    assert call.form().text == text
    assert call.numbered(loss, z[0], lambda node: node.data) == numbered


def test_a_function_of_the_users_with_such_a_name_has_no_closed_form():
    """Nothing is shown that does not hold."""

    @am.composite
    def tanh(x):
        return x * x * 1.5

    x = Value(0.7, name="x")
    y = tanh(x)
    for call in calls_in(debug.trace(y).journal.order).values():
        assert call.form() is None
        assert call.numbered(y, x, lambda node: node.data) == ""


@settings(max_examples=effort(40, 1000), deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3), st.integers(0, 3))
def test_paths_through_folded_calls_add_up_to_the_gradient(numbers, shape):
    """With some calls open and others folded, too."""
    x, w, b = (Value(number, name=letter) for number, letter in zip(numbers, "xwb", strict=True))
    a = am.softmax([w * x, b * x, x])
    y = am.tanh(a[0] * b) + am.sigmoid(a[1] + w) * a[2]
    root = [y, y * y, am.logsumexp([y, x]), am.mse([y, a[0]], [1.0, w])][shape]
    trace = debug.trace(root)
    trace.seek(len(trace) - 1)
    for leaf in (x, w, b):
        for opened in ((), ("softmax",), ("tanh", "sigmoid", "softmax", "logsumexp", "mse")):
            found = trace.paths(leaf, 10**5, opened)
            assert found.left_out == 0
            assert found.total == pytest.approx(trace.grad(leaf) or 0.0, rel=1e-9, abs=1e-12)
    walk = Walk(trace.journal.order, edges=folded_edges(trace.calls))
    assert walk.to(x).count <= Walk(trace.journal.order).to(x).count
