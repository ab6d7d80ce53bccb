"""The plan of the NumPy backend: what is computed together, in which rows, in which strips, and for which arguments."""

from __future__ import annotations

import itertools
import math
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.compile.backends import BACKENDS, arrays, levels
from autograd_mini.core.row import TABLE, evaluate
from tests.compile.programs import OPERATIONS, SPECIAL, bits, numbers, points, programs, run
from tests.effort import effort

inf, nan = math.inf, math.nan
LANES = 5


@pytest.fixture
def narrow(monkeypatch):
    """Strips of at most 7 samples; the last one of 13 overlaps with the one before."""
    monkeypatch.setattr(arrays, "_WIDEST", 7)
    monkeypatch.setattr(arrays, "_NARROWEST", 7)


def columns(result):
    """The results of a batch, one list for each sample."""
    parts = result if isinstance(result, (list, tuple)) else [result]
    flat = [x for part in parts for x in (columns(part) if isinstance(part, (list, tuple)) else [np.asarray(part).T])]
    return flat if isinstance(result, (list, tuple)) else [np.asarray(result).T]


def by_sample(result, samples):
    return [bits([x.T[i] for x in columns(result)]) for i in range(samples)]


# -- instructions that are computed together ---------------------------------------------------------------------------

lane = st.tuples(st.sampled_from([*OPERATIONS]), *[st.tuples(st.integers(0, 9), st.integers(0, 9))] * 3)
vectors = st.lists(lane, min_size=1, max_size=4)
rows = st.lists(numbers, min_size=2 * LANES, max_size=2 * LANES)
ORDERS = [*itertools.islice(itertools.permutations(range(LANES)), 0, 120, 17), range(LANES), [*range(LANES)][::-1]]
ORDERS += [[0] * LANES, [1, 1, 2, 2, 3]]


def run_lanes(steps, vectors):
    """Each step does the same with the elements of three vectors, in orders of their own."""
    pool = [*vectors]
    for name, *picks in steps:
        operands = [[pool[-1 - i % len(pool)][k] for k in ORDERS[-1 - j]] for i, j in picks]
        pool.append([OPERATIONS[name](*xs) for xs in zip(*operands, strict=True)])
    return am.sum(pool[-1])


@settings(max_examples=effort(60, 2000), deadline=None)
@given(
    steps=vectors, data=st.lists(st.lists(numbers, min_size=2 * LANES, max_size=2 * LANES), min_size=11, max_size=11)
)
def test_vectors(steps, data):
    """Elements of vectors in any order, also repeated ones, of one sample, a batch, or one of each: the same bits.

    Those of the interpreter: where three or more contributions meet, eager mode adds them in an order that depends on
    which edges are live in this sample, and a tape holds them all.
    """
    f = am.value_and_grad(lambda x, y: run_lanes(steps, [x, y]), (0, 1))
    xs, ys = [row[:LANES] for row in data], [row[LANES:] for row in data]
    one, tape = am.jit(f, backend="numpy"), am.jit(f, backend="interpreter")
    assert [bits(one(x, y)) for x, y in zip(xs, ys, strict=True)] == [
        bits(tape(x, y)) for x, y in zip(xs, ys, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "_MATRIX", 1000)  # BLAS has an order of its own
        patch.setattr(arrays, "_WIDEST", 5)
        patch.setattr(arrays, "_NARROWEST", 5)
        for axes, args in (((0, 0), (xs, ys)), ((None, 0), (xs[0], ys)), ((0, None), (xs, ys[0]))):
            value, slopes = am.jit(f, in_axes=axes, backend="numpy")(*args)
            pairs = [(xs[i] if axes[0] == 0 else xs[0], ys[i] if axes[1] == 0 else ys[0]) for i in range(11)]
            assert by_sample([value, *slopes[0], *slopes[1]], 11) == [
                bits([v, *a, *b]) for v, (a, b) in [tape(*pair) for pair in pairs]
            ], axes


def test_functions_of_shared_vectors():
    """A shared operand that differs from element to element: exponents, bounds, choices, functions without a ufunc."""
    xs = [[x, x, x, x, x] for x in [*SPECIAL, 0.3, -0.7, 2.5]]
    for name, function in {
        "powers": lambda x, p: [evaluate(TABLE["pow"], pair) for pair in zip(x, p, strict=True)],
        "bounds": lambda x, p: [am.clip(a, b, 2.0) for a, b in zip(x, p, strict=True)],
        "choices": lambda x, p: [am.where(a > b, a, b) for a, b in zip(x, p, strict=True)],
        "extremes": lambda x, p: [am.maximum(a, b) - am.minimum(b, a) for a, b in zip(x, p, strict=True)],
        "elements": lambda x, p: [am.take([a, b, 2.0], am.where(a > b, 1.0, 2.0)) for a, b in zip(x, p, strict=True)],
        "quotients": lambda x, p: [evaluate(TABLE["floor_divide"], pair) for pair in zip(x, p, strict=True)],
        "lengths": lambda x, p: [am.hypot(a, b, 1.0) for a, b in zip(x, p, strict=True)],
    }.items():
        p = [0.5, 2.0, 3.0, -0.0, 0.0]
        found = am.jit(function, in_axes=(0, None), backend="numpy")(xs, p)
        for i, x in enumerate(xs):
            for a, b in zip([column[i] for column in found], function(x, p), strict=True):
                assert bits(a) == bits(b) or math.isclose(a, b, rel_tol=1e-15), (name, x, a, b)


def test_rows_are_used_again():
    """The rows of registers that are no longer read go to others, whatever their number."""

    def chain(xs):
        for i in range(200):
            ys = [x * 0.5 + 1.0 for x in xs[: 10 - i % 3]]
            xs = [y - xs[0] for y in ys] + ys[: i % 3]
        return xs

    single, batch = am.jit(chain, backend="numpy"), am.jit(chain, in_axes=0)
    xs = [0.1 * i for i in range(10)]
    assert bits(single(xs)) == bits(chain(xs))
    assert by_sample(batch([xs] * 3), 3) == [bits(chain(xs))] * 3
    for compiled in (single, batch):
        assert sum(compiled._last.program._plan.sizes) < 80


def test_neighbours_are_one_group():
    """Isomorphic instructions are one call, in the derivative too, where they come in the reverse order."""
    f = am.value_and_grad(lambda w, x: am.sum([am.sin(a * b) * b for a, b in zip(w, x, strict=True)]))
    for axes in (None, (None, 0)):
        args = ([1.0] * 30, [2.0] * 30 if axes is None else [[2.0] * 30])
        text = am.jit(f, in_axes=axes, backend="numpy").lower(*args)
        assert len(text.splitlines()) < 16, text


# -- strips ------------------------------------------------------------------------------------------------------------


@settings(max_examples=effort(60, 2000), deadline=None)
@given(steps=programs, samples=points)
def test_where_a_strip_ends(steps, samples):
    """Strips may overlap: each sample has the same bits, and counts once in a sum."""
    f = am.value_and_grad(lambda xs: run(steps, xs))
    samples = samples[:11]
    eager = [f(sample) for sample in samples]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_WIDEST", 5)
        patch.setattr(arrays, "_NARROWEST", 5)
        value, slopes = am.jit(f, in_axes=0)(np.array(samples))
        total = am.jit(f, in_axes=0, reduce="sum")(np.array(samples))
    assert by_sample([value, *slopes.T], 11) == [bits(one) for one in eager]
    sums = [eager[0][0], *eager[0][1]]
    for one in eager[1:]:
        sums = [a + b for a, b in zip(sums, [one[0], *one[1]], strict=True)]
    assert bits(total) == bits(sums)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("samples", [1, 7, 8, 9, 12, 16, 17, 33])
def test_matrix_products_in_strips(samples):
    """Sums of products count each sample once, too, and a row of shared numbers may be repeated."""
    rng = np.random.default_rng(samples)
    w, x = rng.normal(size=(6, 5)), rng.normal(size=(samples, 5))

    def loss(w, x):
        rows = [*w, w[0]]
        return am.sum([am.tanh(am.dot([*row], [*x])) for row in rows]) + w[0, 0]

    f = am.value_and_grad(loss)
    value, slope = am.jit(f, in_axes=(None, 0), reduce="sum")(w, x)
    each = [f(w, row) for row in x]
    assert math.isclose(value, sum(v for v, _ in each), rel_tol=1e-13)
    assert np.allclose(slope, sum(s for _, s in each), rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("narrow")
def test_what_no_sample_changes():
    """Results of shared numbers alone are those of every sample, and count for each in a sum."""
    f = lambda x, w: [w * 3.0, x * w, 2.0]  # noqa: E731
    xs = [0.1 * i for i in range(13)]
    for reduce, expected in (
        (None, [[0.3] * 13, [x * 0.1 for x in xs], [2.0] * 13]),
        ("sum", [am.sum([0.1 * 3.0] * 13), am.sum([x * 0.1 for x in xs]), 26.0]),
    ):
        found = am.jit(f, in_axes=(0, None), reduce=reduce, backend="numpy")(xs, 0.1)
        assert bits([[*map(float, x)] if reduce is None else x for x in found]) == bits(
            [[0.1 * 3.0] * 13, *expected[1:]] if reduce is None else expected
        )


# -- calls -------------------------------------------------------------------------------------------------------------


def test_calls_share_nothing():
    """The next call, of any size, uses the rows again; earlier results, constants and inputs stay as they are."""
    f = am.value_and_grad(lambda x, w: am.dot([a * 3.0 for a in x], w) + am.sqrt(x[0] * x[0]), (0, 1))
    batch = am.jit(f, in_axes=(0, None), backend="numpy")
    one = am.jit(f, backend="numpy")
    rng = np.random.default_rng(0)
    kept = []
    for size in (3, 20_000, 1, 3, 0, 1, 20_000, 3):
        x, w = rng.normal(size=(size, 4)), rng.normal(size=4)
        before = x.copy(), w.copy()
        kept.append((x, w, batch(x, w), [one(row, w) for row in x[:3]]))
        assert (x == before[0]).all()
        assert (w == before[1]).all()
    for x, w, (value, (by_x, by_w)), singles in kept:
        assert by_x.shape == by_w.shape == x.shape
        for i in range(min(3, len(x))):
            assert bits((value[i], (by_x[i], by_w[i]))) == bits(singles[i]) == bits(f(x[i], w))
        value[:] = by_x[:] = 0.0
        assert bits(by_w[:3]) == bits([single[1][1] for single in singles])


def test_a_large_store_is_not_kept(monkeypatch):
    """Between calls, a compiled function keeps its store only if that is small."""
    f = am.jit(lambda x: am.sin(x) * x, in_axes=0)
    xs = np.linspace(0.0, 1.0, 100)
    first = f(xs)
    assert f._last.program._idle
    monkeypatch.setattr(arrays, "_KEPT", 50)
    second = f(xs)
    assert not f._last.program._idle
    assert bits(first) == bits(second) == bits(f(xs))


def test_threads_on_arrays():
    """Threads that call one compiled function at the same time do not use the same rows."""
    interval = sys.getswitchinterval()
    f = am.value_and_grad(lambda x: am.sum([am.sin(a) * a for a in x]))
    one, batch = am.jit(f, backend="numpy"), am.jit(f, in_axes=0)
    data = [np.random.default_rng(i).normal(size=(5000 + i // 4, 3)) for i in range(6)]
    expected = [(bits(one(x[0])), batch(x)[0]) for x in data]
    wrong = []

    def work(i):
        for _ in range(effort(10, 200)):
            if bits(one(data[i][0])) != expected[i][0] or (batch(data[i])[0] != expected[i][1]).any():
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_that_nothing_needs(backend):
    """Columns, whole arguments and shared numbers that no result depends on change nothing."""
    f = lambda x, y, z, w: [x[3] * 2.0 + w[1], x[0]]  # noqa: E731
    x, y, z, w = np.arange(20.0).reshape(4, 5), np.ones((4, 2)), [7.0] * 4, [1.0, 5.0, 9.0]
    found = am.jit(f, in_axes=(0, 0, 0, None), backend=backend)(x, y, z, w)
    assert [[*column] for column in found] == [[2.0 * a[3] + 5.0 for a in x], [*x[:, 0]]]
    nothing = am.jit(lambda x, w: [w[0], 4.0], in_axes=(0, None), backend=backend)(np.empty((4, 0)), [3.0])
    assert [[*column] for column in nothing] == [[3.0] * 4, [4.0] * 4]
    assert am.jit(lambda x: [], backend=backend)(x) == []


# -- arguments and results ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_shared_arrays(backend):
    """Arrays of all layouts and types mean what lists of their elements mean; results are arrays of floats."""
    base = np.arange(24).reshape(4, 6) % 7
    expected = am.jit(lambda a: a * 2.0 + a[0, 0], backend=backend)(base.astype(float))
    assert expected.tolist() == (base * 2.0 + base[0, 0]).tolist()
    wide = np.zeros((8, 12))
    wide[::2, ::2] = base
    frozen = base.astype(float)
    frozen.flags.writeable = False
    f = am.jit(lambda a: a * 2.0 + a[0, 0], backend=backend)
    for array in (
        np.asfortranarray(base.astype(float)),
        wide[::2, ::2],
        np.ascontiguousarray(base[::-1].astype(float))[::-1],
        frozen,
        *[base.astype(kind) for kind in ("float32", "float16", "int64", "uint8", ">f8", "longdouble", object)],
    ):
        found = f(array)
        assert found.dtype == float
        assert found.flags.writeable
        assert found.tolist() == expected.tolist()
        assert f.stats.conversions == (0 if array.dtype == float else base.size if array.dtype == object else 1)
    assert am.jit(lambda a: a[0, 1] * 2.0, backend=backend)(np.full((1, 2), 3.0).view(np.matrix)) == 6.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_structures_of_results(backend):
    """Numbers and arrays of any shape, in any order, are filled from left to right."""

    def f(x, a):
        return {"n": [x, a, (x + 1.0, x + 2.0)], "e": a[:0], "z": np.array(x * 3.0), "m": [a[1:] * x, -x], "last": a.T}

    a = np.arange(6.0).reshape(2, 3)
    for reduce, axes in ((None, None), ("sum", (0, None))):
        found = am.jit(f, in_axes=axes, reduce=reduce, backend=backend)([2.0] if axes else 2.0, a)
        assert (found["n"][0], found["n"][2], found["m"][1]) == (2.0, (3.0, 4.0), -2.0)
        assert type(found["n"][0]) is float
        assert found["n"][1].tolist() == a.tolist()
        assert found["e"].shape == (0, 3)
        assert found["z"] == 6.0
        assert found["m"][0].tolist() == [[6.0, 8.0, 10.0]]
        assert found["last"].tolist() == a.T.tolist()
