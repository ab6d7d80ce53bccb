"""The gradient as a sum over paths: every path from the result to a node, and its product of local derivatives."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.timeline.journal import edges
from autograd_mini.debug.timeline.paths import MOST, Walk
from tests.effort import effort


def by_recursion(root, node) -> list[float]:
    """The products of all paths, in the simplest way."""
    if root is node:
        return [1.0]
    return [local * rest for operand, local in edges(root) for rest in by_recursion(operand, node)]


@st.composite
def graphs(draw):
    """A graph of a few operations on three leaves, in which nodes are used several times."""
    nodes = [Value(draw(st.integers(-3, 3)) / 2, name=letter) for letter in "abc"]
    leaves = [*nodes]
    for _ in range(draw(st.integers(1, 7))):
        left, right = (nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(2))
        make = draw(st.sampled_from([lambda x, y: x * y, lambda x, y: x + y, lambda x, y: x - y * y,
                                     lambda x, y: am.tanh(x) + y, lambda x, y: am.sum([x, y, x])]))  # fmt: skip
        nodes.append(make(left, right))
    return nodes[-1], leaves


@settings(max_examples=effort(60, 3000), deadline=None)
@given(graphs())
def test_the_products_of_all_paths_add_up_to_the_gradient(graph):
    """For every leaf of any graph; a node that uses an operand twice has two paths."""
    root, leaves = graph
    trace = debug.trace(root)
    walk = Walk(trace.journal.order, most=10**6)
    trace.seek(len(trace) - 1)
    for leaf in leaves:
        found = walk.to(leaf)
        gradient = trace.grad(leaf) if leaf in trace.journal.numbers else None
        assert found.count == len(found.paths)
        assert found.total == pytest.approx(gradient or 0.0, rel=1e-9, abs=1e-9)
        if leaf in trace.journal.numbers and found.count < 2000:
            expected = sorted(by_recursion(root, leaf), key=abs, reverse=True)
            assert sorted(path.product for path in found.paths) == pytest.approx(sorted(expected), rel=1e-9)
            heaviest = Walk(trace.journal.order, most=3).to(leaf)
            assert heaviest.count == len(expected)
            assert [abs(p.product) for p in heaviest.paths] == pytest.approx([abs(x) for x in expected[:3]], rel=1e-9)
        for path in found.paths[:20]:
            assert path.links[0].node is root or leaf is root
            assert all(one.operand is next_.node for one, next_ in itertools.pairwise(path.links))
            assert math.prod(link.local for link in path.links) == pytest.approx(path.product, rel=1e-9, abs=1e-12)


def test_a_diamond_has_two_paths():
    """Their products are those of the chain rule, the heaviest first."""
    x = Value(3.0, name="x")
    a, b = x * 2.0, x * -5.0
    found = Walk(debug.trace(a * b).journal.order).to(x)
    assert [path.product for path in found.paths] == [-30.0, -30.0]
    assert [[link.local for link in path.links] for path in found.paths] == [[6.0, -5.0], [-15.0, 2.0]]
    assert (found.count, found.left_out, found.total) == (2, 0, -60.0)


def test_a_graph_with_more_paths_than_atoms_is_walked_at_once():
    """2 ** 200 paths are counted exactly, and the heaviest listed."""
    x = Value(1.0, name="x")
    y = x
    for _ in range(200):
        y = y * 0.75 + y * 0.25
    found = Walk(debug.trace(y).journal.order).to(x)
    assert found.count == 2**200
    assert len(found.paths) == MOST
    assert found.paths[0].product == 0.75**200
    assert found.left_out == 2**200 - MOST


def test_the_root_and_a_node_that_nothing_reaches():
    """The root has the empty path, whose product is the seed; a branch not taken has none."""
    x, unused = Value(2.0), Value(3.0)
    root = am.where(x > 0.0, x, unused)
    walk = Walk(debug.trace(root, seed=2.0).journal.order, seed=2.0)
    assert walk.to(root).total == 2.0
    assert walk.to(root).paths[0].links == ()
    assert walk.to(x).total == 2.0
    assert walk.to(unused).paths == ()


def test_nan_and_infinite_products_are_among_the_heaviest():
    """What is broken must not be hidden behind ordinary numbers."""
    x = Value(0.0, name="x")
    y = am.sqrt(x) * 2.0 + x * 3.0
    found = Walk(debug.trace(y).journal.order, most=1).to(x)
    assert found.paths[0].product == math.inf
    assert found.total == math.inf


def test_products_beyond_the_range_of_floats_add_up_to_infinity():
    """Each product is finite, and their sum is not: it is what the sweep adds, and no error."""
    x = Value(1.0, name="x")
    y = x * 1e308 + x * 1e308
    found = Walk(debug.trace(y).journal.order).to(x)
    assert [path.product for path in found.paths] == [1e308, 1e308]
    assert found.total == math.inf
