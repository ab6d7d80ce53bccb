"""Structures: taken apart and put together they are unchanged; mismatches name the path."""

from __future__ import annotations

import collections

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.transforms import trees

Point = collections.namedtuple("Point", "x y")
number = st.floats(-5.0, 5.0)
arrays = st.one_of(
    st.lists(number, max_size=4).map(np.array),
    st.tuples(st.integers(0, 2), st.integers(0, 3)).map(np.ones),
    number.map(np.array),
)
keys = st.one_of(st.text(max_size=3), st.integers(-2, 2))
structures = st.recursive(
    st.one_of(number, arrays, st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict),
        st.tuples(inner, inner).map(lambda pair: Point(*pair)),
    ),
    max_leaves=8,
)


def same(a, b):
    """Equal in kind, shape and every number."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and bool((a == b).all())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(structures)
def test_round_trip(tree):
    """Numbers taken out and put back give the same structure; paths are Python expressions for them."""
    found = list(trees.numbers(tree, "tree"))
    assert same(trees.rebuilt(tree, iter([float(leaf) for _, leaf in found])), tree)
    for path, leaf in found:
        assert eval(path, {"tree": tree, "OrderedDict": collections.OrderedDict}) == leaf
    assert [float(x) for x in trees.matched(tree, tree, "tree", "tangent")] == [float(leaf) for _, leaf in found]


@given(structures)
def test_gradients_have_the_structure_of_the_argument(tree):
    """The gradient of a sum of squares is twice the argument, in its structure."""

    def f(argument):
        return sum((leaf * leaf for _, leaf in trees.numbers(argument)), 0.0)

    doubled = trees.rebuilt(tree, iter([2.0 * float(leaf) for _, leaf in trees.numbers(tree)]))
    assert same(am.grad(f)(tree), doubled)
    value, pullback = am.vjp(f, tree)
    assert same(pullback(1.0), (doubled,))
    primal, tangent = am.jvp(f, (tree,), (tree,))
    assert primal == value
    assert tangent == pytest.approx(2.0 * value)


@given(structures)
def test_jacobian_of_the_identity(tree):
    """Its rows, taken apart, are the unit matrix."""
    assume(tree is not None)  # a function that returns None has forgotten its `return`, and is told so
    count = len(list(trees.numbers(tree)))
    matrix = [float(entry) for _, entry in trees.numbers(am.jacobian(lambda x: x)(tree))]
    assert len(matrix) == count * count
    expected = am.jacobian(lambda x: [leaf for _, leaf in trees.numbers(x)])(tree)
    rows = [[float(entry) for _, entry in trees.numbers(row)] for row in expected]
    assert rows == [[float(i == j) for j in range(count)] for i in range(count)]


def test_kinds_are_kept():
    """Ordered and default dicts stay what they are; an array without dimensions stays an array."""
    params = collections.defaultdict(list, {"a": [1.0]})
    gradient = am.grad(lambda p: p["a"][0] * 2.0)(params)
    assert type(gradient) is collections.defaultdict
    assert gradient.default_factory is list
    assert params == {"a": [1.0]}
    slope = am.grad(lambda x: x * x)(np.array(3.0))
    assert isinstance(slope, np.ndarray)
    assert slope.shape == ()
    assert slope == 6.0
    assert am.grad(lambda x: (x @ x) * 0.5)(np.arange(3)).tolist() == [0.0, 1.0, 2.0]
    assert am.grad(lambda x: x.sum())(np.ones((2, 0, 3))).shape == (2, 0, 3)
    assert am.grad(lambda p: p["w"] * 2.0)({"w": 1.0, "bias": None}) == {"w": 2.0, "bias": None}


def test_recording_numbers_in_arrays():
    """With `Value`s involved, arrays are of objects."""
    w = Value(2.0)
    slopes = am.grad(lambda x: w * (x * x).sum())(np.array([1.0, 3.0]))
    assert slopes.dtype == object
    assert [slope.data for slope in slopes] == [4.0, 12.0]


@pytest.mark.parametrize(
    ("tree", "other", "message"),
    [
        ({"layer1": [1.0, 2.0, 3.0, 4.0]}, {"layer1": [1.0, 2.0, 3.0]}, r"params\['layer1'\]\[3\] has none"),
        ({"layer1": [1.0]}, {"layer2": [1.0]}, r"params\['layer1'\] has none"),
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, r"There is no params\['b'\]"),
        ([1.0, [2.0]], [1.0, 2.0], r"tangent of params\[1\] is 2.0, but params\[1\] is a list of 1"),
        ([1.0, 2.0], (1.0, 2.0), "a tuple of 2"),
        ([1.0, [2.0, 5.0]], [1.0, (2.0, 5.0)], r"params\[1\] is a tuple of 2"),
        (1.0, [1.0], "tangent of params is a list of 1"),
        (np.ones(3), np.ones(4), r"array of shape \(4,\), but params is an array of shape \(3,\)"),
        (np.ones(3), [1.0, 1.0, 1.0], r"a list of 3.*array of shape \(3,\)"),
        ({"w": [np.ones(2)]}, {"w": [1.0]}, r"params\['w'\]\[0\] is 1.0"),
        (Point(1.0, [2.0]), Point(1.0, []), r"params\.y"),
        (None, 1.0, "is 1.0, but params is None"),
    ],
)
def test_mismatches_name_the_path(tree, other, message):
    """A tangent or cotangent of another structure: the message says where, and what is there."""
    with pytest.raises(am.ArgumentError, match=message):
        trees.matched(tree, other, "params", "tangent")
    with pytest.raises(am.ArgumentError, match=message):
        am.jvp(lambda params: 1.0, (tree,), (other,))


def test_wrong_leaves_name_the_path():
    """Anything but a number is named with its place."""
    with pytest.raises(am.OperandError, match=r"grad\(\) by params\['layer1'\]\[3\].*str"):
        am.grad(lambda params: 0.0)({"layer1": [1.0, 2.0, 3.0, "4"]})
    with pytest.raises(am.OperandError, match=r"jvp\(\) by x\[1\].*complex"):
        am.jvp(lambda x: x, ([1.0, 1j],), ([1.0, 1.0],))
    with pytest.raises(am.OperandError, match=r"result\['loss'\]\[0\] is 'text'"):
        am.jacobian(lambda x: {"loss": ["text"]})(1.0)
    with pytest.raises(am.OperandError, match=r"by w\[0, 1\].*str"):
        am.grad(lambda w: 0.0)(np.array([[1.0, "b"]], dtype=object))


def test_mapped_touches_recording_numbers_only():
    """Labels and arrays of integers pass through as they are."""
    labels = np.arange(3)
    tree = {"loss": Value(2.0), "labels": labels, "name": "run 1", "list": [Value(1.0), 7]}
    found = trees.mapped(lambda v: v.data, tree)
    assert found["labels"] is labels
    assert found == {"loss": 2.0, "labels": labels, "name": "run 1", "list": [1.0, 7]}
