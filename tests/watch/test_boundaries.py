"""`kinks()`: every place where a run sits exactly on a point that is not differentiable, and no other."""

from __future__ import annotations

import math
import threading
from math import inf, nan

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.row import TABLE, evaluate

SMOOTH = TABLE["add"].kink

# name: operands on the kink, the slopes chosen, on the left, on the right
AT_KINKS = {
    "pow": ((0.0, 0.5), (inf, 0.0), (nan, 0.0), (inf, 0.0)),
    "floor_divide": ((6.0, 3.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
    "remainder": ((6.0, 3.0), (1.0, -2.0), (1.0, -2.0), (1.0, -1.0)),
    "fmod": ((6.0, 3.0), (1.0, -2.0), (1.0, -2.0), (1.0, -1.0)),
    "sqrt": ((0.0,), (inf,), (nan,), (inf,)),
    "cbrt": ((0.0,), (inf,), (inf,), (inf,)),
    "asin": ((1.0,), (inf,), (inf,), (nan,)),
    "acos": ((-1.0,), (-inf,), (nan,), (-inf,)),
    "atan2": ((0.0, -1.0), (-1.0, -0.0), (-1.0, -0.0), (-1.0, -0.0)),
    "acosh": ((1.0,), (inf,), (nan,), (inf,)),
    "hypot": ((0.0, 0.0), (0.0, 0.0), (-1.0, -1.0), (1.0, 1.0)),
    "abs": ((0.0,), (0.0,), (-1.0,), (1.0,)),
    "sign": ((0.0,), (0.0,), (0.0,), (0.0,)),
    "floor": ((2.0,), (0.0,), (0.0,), (0.0,)),
    "round": ((2.5, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
    "maximum": ((2.0, 2.0), (0.5, 0.5), (0.0, 0.0), (1.0, 1.0)),
    "minimum": ((2.0, 2.0), (0.5, 0.5), (1.0, 1.0), (0.0, 0.0)),
    "clip": ((0.5, 0.5, 2.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 0.0)),
    "xlogy": ((0.0, 0.0), (-inf, 0.0), (-inf, 0.0), (-inf, 0.0)),
}


def test_every_row_with_a_kink_is_tested():
    """The table above has all rows whose column `kink` is filled."""
    assert set(AT_KINKS) == {row.name for row in TABLE.values() if row.kink is not SMOOTH and not row.is_users}


@pytest.mark.parametrize("name", AT_KINKS)
def test_rows_report_at_their_kink_and_not_beside_it(name):
    """One entry with the operands, the slopes chosen and those on both sides; none at moved operands."""
    numbers, *slopes = AT_KINKS[name]
    with am.kinks() as report:
        node = evaluate(TABLE[name], tuple(map(Value, numbers)))
    (kink,) = report
    assert kink.node is node
    assert (kink.op, kink.numbers) == (name, numbers)
    for got, expected in zip((kink.chosen, kink.left, kink.right), slopes, strict=True):
        assert repr(got) == repr(expected)
    with am.kinks() as report:
        apart = [n * 0.9 + 0.05 * (i + 1) for i, n in enumerate(numbers)]
        evaluate(TABLE[name], tuple(map(Value, apart)))
    assert not report


def test_several_operands_have_a_slope_each():
    """The text says to which operand the numbers belong."""
    with am.kinks() as report:
        am.maximum(Value(2.0), Value(2.0))
        abs(Value(0.0))
    texts = [kink.meaning for kink in report]
    assert texts == [
        "slopes (0.5, 0.5), one per operand, were chosen; they are (0.0, 0.0) on the left, (1.0, 1.0) on the right",
        "slope 0.0 was chosen; it is -1.0 on the left, 1.0 on the right",
    ]


def test_constants_do_not_move():
    """A tie with a constant: the constant has no slope on either side."""
    with am.kinks() as report:
        am.maximum(Value(2.0), 2.0)
    assert (report[0].chosen, report[0].left, report[0].right) == ((0.5, 0.0), (0.0, 0.0), (1.0, 0.0))


@pytest.mark.parametrize(
    ("activation", "slopes"),
    [
        (am.relu, (0.0, 0.0, 1.0)),
        (am.leaky_relu, (0.01, 0.01, 1.0)),
        (lambda x: am.leaky_relu(x, Value(0.5)), (0.5, 0.5, 1.0)),
        (lambda x: am.elu(x, alpha=2.0), (2.0, 2.0, 1.0)),
        (am.selu, (1.7580993408473768, 1.7580993408473768, 1.0507009873554805)),
        (am.hard_tanh, None),
        (lambda x: am.hard_tanh(x + 1.0), (0.0, 1.0, 0.0)),
        (lambda x: am.hinge(x + 1.0, 1), (0.0, 0.0, 1.0)),
        (lambda x: am.mae(x + 3.0, 3.0), (0.0, -1.0, 1.0)),
        (lambda x: am.leaky_relu(x, 1.0), None),
        (am.elu, None),
        *((f, None) for f in (am.sigmoid, am.tanh, am.softplus, am.softsign, am.gelu, am.silu, am.log_sigmoid)),
        *((lambda x, f=f: f(x + 1.0), None) for f in (am.relu, am.leaky_relu, am.selu, am.softsign)),
        *((lambda x, f=f: f(x - 1.0), None) for f in (am.relu, am.leaky_relu, am.selu, am.softsign)),
        (lambda x: am.huber(x + 1.0, 0.0), None),
        (lambda x: am.huber(x - 1.0, 0.0), None),
        (lambda x: am.logsumexp([x, x]), None),
        (lambda x: am.cross_entropy([x, x * 1.0], 0), None),
    ],
)
def test_activations(activation, slopes):
    """A switch between halves of different slopes is a kink; one between analytically equal forms is not."""
    for zero in (0.0, -0.0):
        x = Value(zero)
        with am.kinks() as report:
            activation(x)
        found = [(kink.chosen[0], kink.left[0], kink.right[0]) for kink in report]
        assert found == ([] if slopes is None else [pytest.approx(slopes)])
        assert x.grad == 0.0


def test_activations_by_name_and_method():
    """The entry has the name of the activation that the user called, and the place of the call."""
    x = Value(0.0)
    with am.kinks() as report:
        x.relu()
        am.selu(x)
        am.grad(am.relu)(0.0)
        am.mae([x], [0.0])
    assert [kink.op for kink in report] == ["relu", "selu", "relu", "abs"]
    expressions = [kink.site.expression for kink in report]
    assert expressions == ["x.relu()", "am.selu(x)", "am.grad(am.relu)(0.0)", "am.mae([x], [0.0])"]
    assert {kink.site.file for kink in report} == {__file__}


def test_numpy_is_not_the_program():
    """A kink, a comparison and an origin inside of NumPy's own code are at the user's line."""
    np = pytest.importorskip("numpy")
    x = np.array([Value(0.0), Value(-1.0)])
    with am.kinks() as report, am.scope("mean"):
        total = (x * x).sum()
        np.abs(x).mean()
        x.max(initial=-1.0)
    assert total.origin.expression == "(x * x).sum()"
    assert [kink.site.file for kink in report] == [__file__] * len(report)
    assert "np.abs(x)" in [kink.site.expression for kink in report]


def test_comparisons_of_equal_numbers():
    """All four orderings of equal numbers, reflected ones and those by builtins too; not == and unequal ones."""
    x, y = Value(0.0), Value(1.0)
    with am.kinks() as report:
        assert not x > 0.0
        assert x >= 0
        assert not 0.0 < x  # noqa: SIM300  # the reflected operator
        assert y <= Value(1.0)
        assert max([y, y]) is y
        assert x == 0.0
        assert x != y
        assert x < y
        assert not Value(nan) >= nan
    assert [kink.site.expression for kink in report] == [
        "x > 0.0", "x >= 0", "0.0 < x", "y <= Value(1.0)", "max([y, y])",
    ]  # fmt: skip
    assert {kink.op for kink in report} == {"comparison"}
    assert (report[0].node, report[0].numbers, report[0].chosen) == (x, (0.0, 0.0), (0.0, 0.0))
    assert "the decision x > 0.0 lies exactly on its boundary" in str(report)


def test_nothing_is_seen_in_the_rules():
    """Second derivatives evaluate rules on Values; the decisions of a rule are not the program's."""
    cube = am.primitive(
        "cube_of_test_boundaries", lambda x: x**3, lambda y, x: (3.0 * x * x if x >= 0.0 else x,), check=False
    )
    try:
        with am.kinks() as report:
            assert am.grad(am.grad(cube))(0.0) == 0.0
            am.grad(am.grad(lambda x: am.maximum(x, -1.0) * x))(0.0)
        assert not report
    finally:
        del TABLE["cube_of_test_boundaries"]


def test_nan_is_no_kink():
    """nan among the operands, the very same object twice too."""
    with am.kinks() as report:
        am.maximum(Value(nan), Value(nan))
        am.clip(Value(nan), nan, 1.0)
        am.relu(Value(nan))
        am.sqrt(Value(nan))
    assert list(report) == []


def test_a_loop_is_one_place():
    """The report is a list; printed, equal places come once, with their number."""
    x = Value(0.0)
    with am.kinks() as report:
        for _ in range(100):
            am.relu(x)
    assert len(report) == 100
    text = str(report)
    assert text.count("am.relu(x)") == 1
    assert "× 100" in text
    assert text == repr(report)
    with am.kinks() as report:
        am.floor(Value(3.0))
    assert "the value jumps there" in str(report)
    with am.kinks() as report:
        am.sqrt(Value(3.0))
    assert not report
    assert "No kinks" in str(report)


def test_blocks_nest_and_end():
    """Inner and outer blocks see the same once each; an exception ends it, and leaves the report."""
    x = Value(0.0)
    with am.provenance(), am.checked(), am.kinks() as outer:
        am.relu(x)
        with pytest.raises(ZeroDivisionError), am.kinks() as inner:  # noqa: PT012  # what precedes the error is tested too
            y = abs(x)
            assert x >= 0.0
            1 / 0  # noqa: B018  # any exception will do
        am.relu(x)
    am.relu(x)
    assert not x > 0.0
    assert [kink.op for kink in inner] == ["abs", "comparison"]
    assert [kink.op for kink in outer] == ["relu", "abs", "comparison", "relu"]
    assert y.origin.expression == "abs(x)"
    assert (x + 1.0).origin is None
    with am.kinks() as report, am.provenance():
        am.relu(x)
    assert len(report) == 1


def test_threads_watch_for_themselves():
    """A block sees its own thread only."""
    x = Value(0.0)
    with am.kinks() as report:
        thread = threading.Thread(target=lambda: am.relu(x) >= 0.0)
        thread.start()
        thread.join()
    assert not report


def test_the_graph_is_the_same():
    """Watching does not change values and gradients."""

    def run():
        x = Value(0.0)
        y = am.selu(x) + am.relu(x) * 2.0 + am.leaky_relu(x)
        y.backward()
        return y.data, x.grad

    with am.kinks():
        watched = run()
    assert watched == run()
    assert math.isfinite(watched[1])


def test_one_place_is_listed_once():
    """One entry per place, however the interpreter specialises the instruction while it runs again and again."""
    with am.kinks() as report:
        for _ in range(100):
            abs(Value(0.0))
    assert str(report).count("× 100") == 1
