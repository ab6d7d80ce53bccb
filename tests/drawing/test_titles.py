"""What parts of a program without scopes are called: the user's words where there are any."""

from __future__ import annotations

import math
import random

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.drawing import draw
from autograd_mini.drawing.titles import span
from tests.drawing.test_boxes import scopes, titles


@pytest.mark.parametrize(
    ("names", "one"),
    [
        (["h[0]", "h[1]", "h[2]"], "h[0..2]"),
        (["h[2]", "h[0]", "h[1]"], "h[0..2]"),
        (["q[0][3]", "q[1][3]"], "q[0..1][3]"),
        (["w[0][0]", "w[0][1]", "w[1][0]", "w[1][1]"], "w[0..1][0..1]"),
        (["net.layers[0].w[0]", "net.layers[0].w[1]"], "net.layers[0].w[0..1]"),
        (["y", "y"], "y"),
        (["h[0]", "h[2]"], ""),  # h[1] is missing
        (["w[0][0]", "w[1][1]"], ""),  # so are two of them
        (["h[0]", "k[1]"], ""),
        (["x0", "x1"], ""),  # no list
        (["d['a1']", "d['a2']"], ""),
        (["h[0]", ""], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_names_that_differ_in_their_indices_only_are_one(names, one):
    """A range is written only if all of it is there."""
    assert span(names) == one


def network() -> Value:
    """A network 2-4-1 from primitives, four samples, in plain loops."""
    choose = random.Random(0)
    w1, b1 = [[Value(choose.gauss(0, 1)) for _ in range(2)] for _ in range(4)], [Value(0.1 * i) for i in range(4)]
    w2, b2 = [Value(choose.gauss(0, 1)) for _ in range(4)], Value(0.0)
    loss = 0.0
    for x, t in zip([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)], [0.0, 1.0, 1.0, 0.0], strict=True):
        h = [am.tanh(sum((w * xi for w, xi in zip(row, x, strict=True)), b)) for row, b in zip(w1, b1, strict=True)]
        y = sum((w * a for w, a in zip(w2, h, strict=True)), b2)
        error = y - t
        loss = loss + error**2
    loss.backward()
    return draw(loss)


def test_parts_are_named_after_variables_and_expressions():
    """A part goes by the variable that the last pass left, by the expression that made it, or by what it does."""
    drawing = network()
    hidden = [f"h[{i}] × 4" for i in range(4)]
    assert titles(drawing) == [*hidden, "y × 4", "difference × 4", "square × 4", "loss"]
    assert scopes(drawing) == ["square × 4"]
    with am.provenance():
        drawing = network()
    shown = [title for title in titles(drawing) if "loss" not in title]
    assert shown == [*hidden, "y × 4", "error × 4", "error**2 × 4"]
    assert scopes(drawing) == ["error**2 × 4"]


def test_a_part_opens_by_the_name_it_is_shown_with():
    """`focus` and `expand` take the names of boxes."""
    choose = random.Random(0)
    w = [[Value(choose.gauss(0, 1)) for _ in range(3)] for _ in range(4)]
    outputs = [[sum((v * math.sin(i + j) for j, v in enumerate(row)), Value(0.0)) for row in w] for i in range(9)]
    loss = am.sum([y for row in outputs for y in row])
    drawing = draw(loss)
    assert "outputs[0..8][2] × 9" in [*titles(drawing), *scopes(drawing)]
    assert "outputs[0..8][2] × 9" in scopes(draw(loss, expand="outputs[0..8][2]"))
    assert {*scopes(draw(loss, focus="outputs[0..8][2]"))} == {"outputs[0..8][2]"}


def test_no_title_is_the_name_of_a_primitive_that_is_no_word():
    """Without names, operations are called by what they do."""
    x = [Value(float(i)) for i in range(1, 30)]
    y = [((v * v - 1.0) / (v + 2.0)) ** 3.0 * -v for v in x]
    del x
    shown = titles(draw(am.sum(y)))
    assert not {title.partition(" ")[0] for title in shown} & {"mul", "add", "sub", "div", "pow", "neg"}


def test_equal_titles_are_numbered():
    """Two parts of one title stay two parts."""
    choose = random.Random(3)

    def unit() -> Value:
        w = [Value(choose.gauss(0, 1)) for _ in range(12)]
        s = sum((v * math.sin(i) for i, v in enumerate(w)), Value(0.0))
        return am.exp(s) / 2.0

    total = am.sum([unit() for _ in range(5)])
    shown = [title for title in titles(draw(total)) if title.startswith("quotient")]
    assert shown == [f"quotient {i}" for i in range(5)]
    with am.provenance():
        total = am.sum([unit() for _ in range(5)])
    shown = [title for title in titles(draw(total)) if title.startswith("am.exp")]
    assert shown == [f"am.exp(s) / 2.0 {i}" for i in range(5)]
