"""Few sweeps for sparse matrices: the groups are right, and the matrices equal those of one sweep per row."""

from __future__ import annotations

import itertools
import random
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.transforms import sparsity
from tests.benchmarks.counts import walks

matrices = st.integers(1, 7).flatmap(
    lambda n: st.lists(st.integers(0, 2**n - 1), min_size=1, max_size=8).map(lambda rows: (n, rows))
)


@given(matrices)
def test_groups_do_not_overlap(matrix):
    """Every row that has entries is in one group; no two of a group share a column."""
    _, rows = matrix
    found = sparsity.groups(rows)
    assert sorted(row for group in found for row in group) == [i for i, row in enumerate(rows) if row]
    for group in found:
        assert bin(sum(rows[i] for i in group)).count("1") == sum(rows[i].bit_count() for i in group)


@given(matrices)
def test_transposed_twice_is_the_same(matrix):
    """Rows of columns of rows."""
    n, rows = matrix
    assert sparsity.transposed(sparsity.transposed(rows, n), len(rows)) == rows


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.integers(0, 2**n - 1), min_size=n, max_size=n)))
def test_symmetric_recovery(rows):
    """From sums of rows, any symmetric matrix comes back, whatever its pattern."""
    n = len(rows)
    matrix = [
        [float(3 ** (min(i, j)) + 5 ** max(i, j)) * bool(rows[max(i, j)] >> min(i, j) & 1) for j in range(n)]
        for i in range(n)
    ]
    patterns = [sum(1 << j for j in range(n) if matrix[i][j]) for i in range(n)]
    found = sparsity.recover_symmetric(patterns, lambda group: [sum(matrix[i][j] for i in group) for j in range(n)])
    assert [[row.get(j, 0.0) for j in range(n)] for row in found] == matrix


def chain(x):
    return am.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in itertools.pairwise(x)])


def arrow(x):
    return am.sum([x[0] * am.sin(b) for b in x[1:]])


def separable(x):
    return am.sum([am.exp(a) for a in x])


def dense(x):
    return am.exp(am.dot(x, range(len(x))))


@pytest.mark.parametrize(("f", "most"), [(chain, 3), (arrow, 2), (separable, 1), (dense, 30)])
def test_hessians_cost_few_products(f, most):
    """A chain, an arrow, separate variables, a full matrix: one sweep, and the stated number of vector products."""
    x = [0.1 + 0.01 * i for i in range(30)]
    gradient = am.grad(f)
    expected = [am.grad(lambda y, i=i: gradient(y)[i])(x) for i in range(30)]
    with walks() as taken:
        found = am.hessian(f)(x)
    assert len(taken) <= 1 + 2 * most
    assert np.array(found) == pytest.approx(np.array(expected), rel=1e-13, abs=1e-300)
    assert found == np.array(found).T.tolist()  # to the bit


def test_the_hessian_of_a_long_chain():
    """1,000 variables, at least 50 times fewer sweeps than rows, and the right numbers."""
    n = 1000
    x = [0.5 + 0.001 * i for i in range(n)]
    with walks() as taken:
        found = am.hessian(chain, sparse=True)(x).toarray()
    assert 50 * len(taken) <= n + 1
    expected = np.zeros((n, n))
    for i in range(n - 1):
        expected[i, i] += 1200.0 * x[i] ** 2 - 400.0 * x[i + 1] + 2.0
        expected[i + 1, i + 1] += 200.0
        expected[i, i + 1] = expected[i + 1, i] = -400.0 * x[i]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("f", "most"),
    [
        (lambda x: [a * b for a, b in itertools.pairwise(x)], 2),  # a band
        (lambda x: [am.sin(x[0] * t) for t in range(50)], 1),  # tall: one pass forwards
        (lambda x: [am.dot(x, x)], 1),  # wide: one sweep back
        (lambda x: [x[0], 2.0 * x[1], 3.0], 1),
    ],
)
def test_jacobians_cost_few_sweeps(f, most):
    """Backwards or forwards, whichever needs fewer sweeps; the result equals one gradient per row."""
    x = [0.3 + 0.1 * i for i in range(12)]
    count = len(f(x))
    expected = [am.grad(lambda y, i=i: f(y)[i])(x) for i in range(count)]
    with walks() as taken:
        found = am.jacobian(f)(x)
    assert len(taken) <= most
    assert np.array(found) == pytest.approx(np.array(expected), rel=1e-14)


@given(st.integers(0, 10_000))
def test_random_sparse_functions(seed):
    """Random sums of products of a few variables: Jacobian and Hessian equal those of one gradient per row."""
    generator = random.Random(seed)
    n, m = generator.randint(1, 6), generator.randint(1, 6)
    terms = [
        [
            (generator.choice([am.sin, am.exp, am.sqrt]), generator.randrange(n), generator.randrange(n))
            for _ in range(generator.randint(0, 3))
        ]
        for _ in range(m)
    ]

    def f(x):
        return [am.sum([function(x[i]) * x[j] for function, i, j in row], 1.0) for row in terms]

    def total(x):
        return am.sum(f(x), 0.0)

    x = [generator.uniform(0.5, 2.0) for _ in range(n)]
    assert np.array(am.jacobian(f)(x)) == pytest.approx(
        np.array([am.grad(lambda y, i=i: f(y)[i])(x) for i in range(m)]), rel=1e-13
    )
    rows = [am.grad(lambda y, i=i: am.grad(total)(y)[i])(x) for i in range(n)]
    assert np.array(am.hessian(total)(x)) == pytest.approx(np.array(rows), rel=1e-12, abs=1e-15)


def test_coordinates_with_and_without_scipy(monkeypatch):
    """SciPy's COO array where SciPy is, three lists where it is not; entries that may differ from 0 only."""

    def f(x):
        return [x[0] * x[2], 5.0, x[1]]

    found = am.jacobian(f, sparse=True)([2.0, 3.0, 4.0])
    assert found.shape == (3, 3)
    assert found.toarray().tolist() == [[4.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert am.hessian(lambda x: 3.0 * x[1], sparse=True)([1.0, 2.0]).nnz == 0
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    rows, columns, values = am.jacobian(f, sparse=True)([2.0, 3.0, 4.0])
    assert (rows, columns, values) == ([0, 0, 2], [0, 2, 1], [4.0, 2.0, 1.0])
    w = am.Value(2.0)
    assert am.jacobian(lambda x: [w * x], sparse=True)(3.0).values[0].data == 2.0


def test_infinite_entries_stay_alone():
    """An infinite derivative does not spoil the rows and columns computed with it."""
    found = am.jacobian(lambda x: [am.sqrt(x[0]), am.log(x[1]), x[2] * x[2]])([0.0, -1.0, 3.0])
    assert found[0] == [np.inf, 0.0, 0.0]
    assert np.isnan(found[1][1])
    assert found[1][::2] == [0.0, 0.0]
    assert found[2] == [0.0, 0.0, 6.0]


def test_a_hessian_that_is_not_symmetric():
    """Outside of the domain of xlogy only one of d²/dxdy and d²/dydx is there; it stands for both."""
    found = am.hessian(lambda v: am.xlogy(v[0], v[1]))([0.0, -1.0])
    assert np.isnan(found[0][1])
    assert np.isnan(found[1][0])
    found = am.hessian(lambda v: am.Value(1.0) * am.xlogy(v[0], v[1]))([0.0, -1.0])
    assert np.isnan(found[0][1].data)
    assert np.isnan(found[1][0].data)
