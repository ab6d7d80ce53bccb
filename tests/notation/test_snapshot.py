"""What is shown is what was recorded and swept, although a training step has written leaves and cleared gradients."""

from __future__ import annotations

import copy
import gc
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.wording import Wording
from autograd_mini.notation.snapshot import Snapshot, gradients
from autograd_mini.script import graph_of
from tests.drawing.test_drawing import Seen

STEP = """
import autograd_mini as am

w, b, x = am.Value(1.99, name="w"), am.Value(0.1, name="b"), 2.0
for step in range(2):
    loss = (w * x + b - 1.0) ** 2
    loss.name = "loss"
    for p in (w, b):
        p.grad = 0.0
    loss.backward()
    for p in (w, b):
        p.data -= 0.1 * p.grad
for p in (w, b):
    p.grad = GRAD
"""


def ordered(root):
    return tuple(topological_order(root, everything=True))


def train(grad="None"):
    variables = {}
    exec(STEP.replace("GRAD", grad), variables)
    return variables


def by_hand():
    """The numbers of the second step: w, b, loss, dloss/dw, dloss/db."""
    w, b = 1.99, 0.1
    for _ in range(2):
        error = w * 2.0 + b - 1.0
        numbers = w, b, error**2, 4.0 * error, 2.0 * error
        w, b = w - 0.1 * numbers[3], b - 0.1 * numbers[4]
    return numbers


@pytest.mark.parametrize("grad", ["None", "0.0"])
def test_the_picture_of_a_program_that_trains(tmp_path, grad):
    """`autograd-mini draw`: numbers and gradients are those of the last backward(), not of the end of the program."""
    file = tmp_path / "train.py"
    file.write_text(STEP.replace("GRAD", grad))
    seen = Seen(am.draw(graph_of(str(file)), precision=10))
    w, b, loss, dw, db = by_hand()
    shown = {"w": (w, dw), "b": (b, db), "loss = □ ** 2": (loss, 1.0)}
    for name, (value, gradient) in shown.items():
        assert float(seen.value(name)) == pytest.approx(value, rel=1e-9)
        assert float(seen.gradient(name)) == pytest.approx(gradient, rel=1e-9)
    assert "written since: " in seen.tooltips[seen.node("w")]


def test_under_provenance_every_window_shows_the_sweep():
    """The picture, the trace, the page and explain."""
    with am.provenance():
        variables = train("0.0")
    w, b, loss, dw, _ = by_hand()
    root = variables["loss"]
    trace = debug.trace(root)
    assert trace.value(variables["w"]) == pytest.approx(w)
    assert trace.value(variables["b"]) == pytest.approx(b)
    assert trace.grad(variables["w"], -1) == pytest.approx(dw)
    assert "written since: " in "\n".join(Wording(trace).table(trace.leaves))
    assert f"{w:.4g}" in debug.page(trace).html
    assert f"{w:.6g} * 2 = " in str(am.explain(root, variables["w"]))
    assert root.data == pytest.approx(loss)


def test_where_nothing_was_noted_what_was_written_is_marked():
    """A product remembers its operands; a sum only shows that something was written, not which number it was."""
    variables = train("0.0")
    root, w, b = (variables[name] for name in ("loss", "w", "b"))
    found = Snapshot(ordered(root))
    assert set(found.written) == {w, b}
    seen = Seen(am.draw(root))
    boxes = {texts[0]: texts[2:] for texts in seen.texts.values() if texts[0] in ("w", "b")}
    assert boxes == {"w": ["written since", "cleared"], "b": ["written since", "cleared"]}
    trace = debug.trace(root)
    assert trace.remark(b) == "written since"
    assert "written since" in "\n".join(Wording(trace).table([b]))
    assert "Written since: " in debug.page(trace).html


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_products_remember_their_operands(x, w, other):
    """The numbers of the forward pass are recovered from a product after a leaf was written, which is noticed."""
    a, b = Value(x), Value(w)
    root = a * b
    a.data = other
    recorded = Snapshot(ordered(root))
    assert recorded.value(a) == x
    assert recorded.value(b) == w
    assert (a in recorded.written) is (other != x)


@pytest.mark.parametrize(
    "function",
    [lambda x: x + 1.0, lambda x: 3.0 * x, am.exp, am.tanh, am.sigmoid, lambda x: x**2, lambda x: am.sum([x, x, 1.0]),
     lambda x: am.softmax([x, 1.0])[0], lambda x: 1 / x, lambda x: -x, lambda x: am.where(True, x, 0.0), am.relu],
)  # fmt: skip
def test_a_leaf_that_was_written_is_found_whatever_uses_it(function):
    """A leaf written after the forward pass is found behind every kind of operation."""
    x = Value(0.5)
    root = function(x)
    assert not Snapshot(ordered(root)).written
    x.data = 0.75
    assert x in Snapshot(ordered(root)).written


def test_who_was_not_written_is_not_marked():
    """Also where another operand of the same operation was, if a third operation vouches for it."""
    x, w = Value(2.0), Value(3.0)
    root = (x + w) * (x * 4.0)
    w.data = 5.0
    assert list(Snapshot(ordered(root)).written) == [w]


def test_an_operation_of_chance_is_no_proof():
    """Which gives another result each time it is asked."""
    numbers = iter(range(1, 100))

    @am.primitive(rule=lambda y, x: (y / x,), check=False)
    def chance(x):
        return x * next(numbers)

    try:
        x = Value(2.0)
        assert not Snapshot(ordered(chance(x))).written
    finally:
        del TABLE["chance"]


def test_gradients_that_were_cleared_are_not_zero():
    """0.0 as people write it, and None; a gradient that is 0 stays 0."""
    x, y = Value(2.0), Value(3.0)
    root = x * y + y * 0.0
    root.backward()
    x.grad, y.grad = 0.0, None
    found = gradients(ordered(root))
    assert x not in found
    assert y not in found
    flat = (x - 2.0) ** 2
    flat.backward()
    assert gradients(ordered(flat))[x] == 0.0


def test_what_is_noted_ends_with_the_graph():
    """Nothing keeps a root alive that the program drops; copies and pickles have no notes of other leaves."""
    with am.provenance():
        x = Value(2.0)
        root = x * x
        root.backward()
    x.data = 5.0
    assert Snapshot(ordered(root)).value(x) == 2.0
    for twin in (copy.deepcopy(root), pickle.loads(pickle.dumps(root))):
        assert twin.data == 4.0
        assert Snapshot(ordered(twin)).value(twin.operands[0]) == 2.0
    root.name = "renamed"
    assert Snapshot(ordered(root)).value(x) == 2.0
    del root, twin
    gc.collect()


def test_another_sweep_of_the_same_graph_is_the_one_shown():
    """After two backwards the gradients of the last one are shown."""
    with am.provenance():
        x = Value(2.0, name="x")
        y = x * x
        y.backward()
        x.grad = None
        y.backward(10.0)
    assert gradients(ordered(y)) == {x: 40.0, y: 10.0}
