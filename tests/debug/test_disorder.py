"""The wrong order of backpropagation, against the recursion that beginners write."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug import disorder
from tests.debug.timeline.test_journal import bits, graph, graphs
from tests.effort import effort


class Naive:
    """A beginner's node: it hands its gradient on as soon as anything arrives."""

    def __init__(self, value, made):
        self.gradient = 0.0
        self.used = []
        self.edges = [
            (made[operand], local)
            for operand, local in zip(value.operands, value.partials, strict=True)
            if local is not am.ZERO
        ]

    def backward(self, gradient):
        self.gradient += gradient
        for operand, local in self.edges:
            self.used.append(self.gradient)
            operand.backward(self.gradient * local)


@settings(max_examples=effort(60, 1000))
@given(graphs)
def test_it_does_what_the_naive_recursion_does(graph_):
    """`wrong_order` returns the very bits of a naive recursive engine, and reports one of the nodes it gets wrong."""
    numbers, program = graph_
    leaves, root = graph(numbers, program[:10])
    found = debug.wrong_order(root)
    made = {}
    for node in found.trace.journal.order:
        made[node] = Naive(node, made)
    made[root].backward(1.0)
    reached = [leaf for leaf in leaves if leaf in found.gradients]
    assert [bits(found.gradients[leaf] + 0.0) for leaf in reached] == [bits(made[leaf].gradient) for leaf in reached]
    wrong = [
        node
        for node in found.trace.journal.order
        if any(bits(used + 0.0) != bits((found.trace.grad(node, -1) or 0.0) + 0.0) for used in made[node].used)
    ]
    assert bool(found) == bool(wrong)
    if found:
        assert found.node in wrong
        assert found.used == found.steps[-1].upstream or math.isnan(found.used)
    str(found)


def test_a_chain_has_no_wrong_order():
    """Where each node has one user the naive order is right, and the report is falsy and says so."""
    x = Value(2.0)
    found = debug.wrong_order(am.exp(x * 3.0))
    assert not found
    assert "right gradients" in str(found)


def test_rounding_is_not_a_wrong_gradient():
    """Another order of a sum rounds differently: what is called wrong can be seen to differ in its digits."""
    x, w = Value(1.0, name="x"), Value(1.0, name="w")
    y = x * 1.0
    found = debug.wrong_order(w * 0.1 + (w * 0.2 + w * 0.3) + (y + y * y))
    assert found.gradients[w] == pytest.approx(w_gradient := found.trace.grad(w, -1), rel=1e-15)
    assert found.gradients[w] != w_gradient
    assert "w gets" not in str(found)
    assert "x gets 6 instead of 3" in str(found)  # 1 + 2 + 3
    nearly = debug.wrong_order(y + y * 1e-8)
    assert "hands on 1, but its gradient is 1.00000001" in str(nearly)
    for a, b in re.findall(
        r"(?:gets|hands on) (\S+?),? (?:instead of|but its gradient is) (\S+)", f"{found}\n{nearly}"
    ):
        assert float(a) != float(b.rstrip(".,:"))


def test_exponentially_many_paths_are_not_walked(monkeypatch):
    """When too many paths would be walked it stops counting, and still names the first wrong number."""
    monkeypatch.setattr(disorder, "_LONGEST", 1000)
    y = x = Value(1.0, name="x")
    for _ in range(60):
        y = y + y
    found = debug.wrong_order(y)
    assert found.gradients is None
    assert "It walks every path" in str(found)
    assert (found.used, found.complete) == (1.0, 2.0)
    with pytest.raises(am.OperandError):
        debug.wrong_order(x.data)


def test_the_columns_stand_side_by_side(monkeypatch):
    """However long the wrong numbers are, where there is room."""
    monkeypatch.setattr(disorder, "_WIDEST", 200)
    a = Value(2.0, name="a")
    b = a * a
    b.name = "b"
    found = str(debug.wrong_order(b * (-1.0 / 3000.0) + b * 1e5))
    first, *rows = found.partition("\n\n")[0].splitlines()
    assert {row.rindex("▶") for row in rows if row.count("▶") == 2} == {first.index("in topological order")}
    assert all(row[first.index("in topological order") - 1] == " " for row in rows if len(row) > len("depth first"))
