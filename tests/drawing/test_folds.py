"""Folds: calls of compositions are one box with the derivatives of the whole call, and lists of leaves are one box."""

from __future__ import annotations

import math
import random
import re
from contextlib import nullcontext

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.sweep import topological_order
from autograd_mini.drawing import draw
from tests.drawing.graphs import GRAPHS
from tests.drawing.test_drawing import Seen
from tests.effort import effort


def texts(drawing) -> list[list[str]]:
    """The texts of the boxes."""
    return [found for key, found in Seen(drawing).texts.items() if re.fullmatch(r"n\d+", key)]


def test_a_call_is_one_box_with_its_derivative_and_the_closed_form():
    """tanh is one box, however it is composed; the arrow has 1 − o² to all digits, and `expand` opens it."""
    for number in (-3.0, -0.2, 0.0, 0.4, 2.0):
        o = am.tanh(Value(number, name="x"))
        o.name = "o"
        o.backward()
        drawing = draw(o)
        seen = Seen(drawing)
        assert [found[0] for found in texts(drawing)] == ["x", "o"]
        assert "derivative 1 − o²" in texts(drawing)[1]
        slope = float(re.search(r"whole call (\S+)", seen.tooltips["e0"])[1])
        assert slope == pytest.approx(1.0 - math.tanh(number) ** 2, rel=1e-14)
        assert draw(o, expand="tanh").boxes > 2
        assert draw(o, depth=1).boxes == draw(o, force=True).boxes == draw(o, expand="tanh").boxes


def test_softmax_shows_each_pair_of_input_and_output():
    """A box lists the results, and each arrow has the derivative of each: the Jacobian."""
    z = [Value(v, name=f"z{i}") for i, v in enumerate([2.0, 1.0, 0.1])]
    a = am.softmax(z)
    for i, p in enumerate(a):
        p.name = f"a{i}"
    loss = am.dot([1.0, 2.0, 3.0], a)
    loss.backward()
    drawing = draw(loss)
    seen = Seen(drawing)
    (box,) = [found for found in texts(drawing) if found[0] == "softmax"]
    assert {"a0", "a1", "a2", "derivative a_i(δ_ij − a_j)"} <= set(box)
    for j in range(3):
        (tip,) = [tip for tip in seen.tooltips.values() if tip.count("whole call") == 3 and f"a{j}: " in tip and
                  float(re.search(rf"a{j}: (\S+)", tip)[1]) > 0.0]  # fmt: skip
        for i in range(3):
            slope = float(re.search(rf"a{i}: (\S+)", tip)[1])
            assert slope == pytest.approx(a[i].data * ((i == j) - a[j].data), rel=1e-12)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "silu", "gelu", "log_sigmoid", "softsign", "elu"])
def test_the_derivative_of_a_fold_times_its_gradient_is_the_gradient(name):
    """The chain rule over folds gives the gradient that `backward()` gives."""
    for number in (-1.7, -0.3, 0.6, 3.0):
        x = Value(number, name="x")
        y = getattr(am, name)(x)
        total = y * 3.0
        total.backward()
        (tip,) = [tip for tip in Seen(draw(total)).tooltips.values() if "whole call" in tip]
        assert 3.0 * float(tip.rpartition(" ")[2]) == pytest.approx(x.grad, rel=1e-14)


def test_a_users_function_of_the_same_name_has_no_closed_form():
    """A closed form is shown only where this package's function gives the same number."""

    @am.composite
    def tanh(x):
        return x * x * x

    assert "1 − o²" not in draw(tanh(Value(2.0, name="x"))).dot


def test_users_scopes_stay_open():
    """Scopes and composites of the user are frames, in which calls are folded."""

    @am.composite
    def energy(x):
        return am.sigmoid(x) * x + 1.0

    drawing = draw(energy(Value(2.0, name="x")))
    assert "energy" in [found[0] for key, found in Seen(drawing).texts.items() if key[0] == "s"]
    assert [found[0] for found in texts(drawing)].count("sigmoid") == 1


def test_lists_of_leaves_are_one_box_until_opened():
    """Leaves of one list that are used alike are one box, `w[0..15]`; `expand` with its name opens it."""
    w = [Value(math.sin(i)) for i in range(16)]
    x = [Value(math.cos(i)) for i in range(16)]
    y = am.dot(w, x)
    y.backward()
    assert {found[0] for found in texts(draw(y))} == {"w[0..15]", "x[0..15]", "y"}
    assert draw(y, expand="w").boxes == 18
    assert draw(y, expand=["w", "x"]).boxes == 33
    short = [Value(1.0), Value(2.0)]
    assert draw(am.dot(short, [3.0, 4.0])).boxes == 3


def test_gradients_of_all_nodes_are_in_some_picture_of_the_twenty():
    """None of the twenty graphs fails, and each picture counts all nodes of its graph."""
    for make in GRAPHS.values():
        root = make()
        assert draw(root).nodes == len(topological_order(root, everything=True))


def test_magnitudes_have_no_sign():
    """`max|g|` is a magnitude; the colour and the tooltip tell the sign."""
    drawing = draw(GRAPHS["primitives"]())
    for found in texts(drawing):
        if "max|g|" in found:
            assert not found[found.index("max|g|") + 1].startswith("-")


def test_chains_and_time_are_tall():
    """Where a picture would be wider than three times its height, it grows downwards."""
    assert "rankdir=TB" in draw(GRAPHS["chain"]()).dot
    assert "rankdir=TB" in draw(GRAPHS["recurrent"]()).dot
    assert "rankdir=LR" in draw(GRAPHS["neuron"]()).dot
    assert "rankdir=LR" in draw(GRAPHS["chain"](), direction="LR").dot


def test_frames_have_one_size():
    """The pictures of all steps of a backward have the same size, so they make an animation."""
    root = GRAPHS["neuron"]()
    sizes = {re.search(r"viewBox=\"[^\"]*\"", draw(root, after=step, title="t").svg)[0] for step in range(15)}
    assert len(sizes) == 1


def test_the_legend_explains_what_occurs():
    """No branch, nan or group is explained where there is none; `force` changes nothing in that."""
    plain = " ".join(Seen(draw(GRAPHS["diamond"](), force=True)).texts["graph"])
    assert "dashed" not in plain
    assert "nan" not in plain
    assert "max" not in plain
    branches = " ".join(Seen(draw(GRAPHS["branches"]())).texts["graph"])
    assert "dashed: branch not taken" in branches
    assert "nan, inf" in branches


@pytest.mark.parametrize("seed", range(effort(15, 500)))
def test_random_graphs_with_calls(seed):
    """Whole, and around any node, pictures of calls, scopes and loose operations have each node once, and arrows."""
    choose = random.Random(seed)
    numbers = [0.0, 1.0, -2.5, math.nan, math.inf, 1e308, choose.random()]
    nodes = [Value(choose.choice(numbers), name=choose.choice([None, f"w[{i}]", "x"])) for i in range(8)]
    for _ in range(choose.choice([20, 80, 300])):
        a, b = choose.choice(nodes[-12:]), choose.choice(nodes[-30:])
        with am.scope(choose.choice("abc")) if choose.random() < 0.1 else nullcontext():
            made = [am.tanh(a), am.relu(a), am.gelu(b), am.softmax([a, b, nodes[0]])[1], am.where(a > 0, a, b)]
            made += [a * b, a + b]
        nodes.append(choose.choice(made))
    root = am.sum(nodes[-8:])
    root.backward()
    order = [*topological_order(root, everything=True)]
    drawing = draw(root)
    assert drawing.nodes == len(order)
    assert drawing.edges > 0
    for node in choose.sample(order, 5):
        around = draw(root, focus=node)
        assert around.boxes > 0
        assert around.nodes <= len(order)
        if node.scope is not None:
            assert draw(root, focus=node.scope).boxes > 0
            assert draw(root, expand=node.scope).nodes == len(order)
