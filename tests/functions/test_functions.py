"""Activations, softmax family, losses: the closed forms, accuracy in both tails, kinks, bad input."""

from __future__ import annotations

import inspect
import math

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from tests.effort import effort
from tests.oracles import X, derivative, exactly, ulps

inf, nan = math.inf, math.nan

# -- the closed forms --------------------------------------------------------------------------------------------------

logits = st.one_of(
    st.floats(-30.0, 30.0), st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e3, -1e3, 1e-300, 5e-324, 40.0, -745.0])
)
lists = st.one_of(
    st.lists(logits, min_size=1, max_size=8), st.tuples(logits, st.integers(1, 8)).map(lambda pair: [pair[0]] * pair[1])
)


def exact_softmax(zs):
    with mpmath.workdps(60):
        exponentials = [mpmath.exp(mpmath.mpf(z) - mpmath.mpf(max(zs))) for z in zs]
        return [e / mpmath.fsum(exponentials) for e in exponentials]


def conditioning(zs):
    """How far a rounding error may grow: exp magnifies that of z_j - max(z) by its size, and the slope by the largest
    logit is computed as 1 minus the others, which costs a factor of 1 / max(a), at most the number of classes.
    """
    gap = max(abs(z - max(zs)) if z - max(zs) > -745.0 else 0.0 for z in zs)
    return max(1.0, gap) / float(max(exact_softmax(zs)))


@given(lists)
def test_softmax_jacobian_is_the_closed_form(zs):
    """da_i/dz_j = a_i (δ_ij - a_j), in ulp of the exact number, also where 1 - a_i has no digits."""
    exact = exact_softmax(zs)
    for i in range(len(zs)):
        variables = [Value(z) for z in zs]
        a = am.softmax(variables)
        assert ulps(a[i].data, exact[i]) <= 4.0 * conditioning(zs) or exact[i] < 1e-300
        a[i].backward()
        for j, variable in enumerate(variables):
            with mpmath.workdps(60):
                others = mpmath.fsum(e for m, e in enumerate(exact) if m != j)
                truth = exact[i] * (others if i == j else -exact[j])
            assert ulps(variable.grad, truth) <= 8.0 * conditioning(zs) or abs(truth) < 1e-300


targets = st.sampled_from(["index", "one-hot", "soft", "unnormalised"])


@given(lists, targets, st.data())
def test_cross_entropy_gradient_is_the_closed_form(zs, kind, data):
    """dL/dz = a * sum(t) - t, which is a - t where the targets sum to 1; in ulp of the larger of the two terms."""
    n = len(zs)
    index = data.draw(st.integers(0, n - 1))
    t = [float(j == index) for j in range(n)]
    if kind in ("soft", "unnormalised"):
        t = data.draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]), min_size=n, max_size=n))
    if kind == "soft" and sum(t) > 0.0:
        t = [weight / sum(t) for weight in t]
    variables = [Value(z) for z in zs]
    loss = am.cross_entropy(variables, index if kind == "index" else t)
    loss.backward()
    exact = exact_softmax(zs)
    for variable, a, weight in zip(variables, exact, t, strict=True):
        with mpmath.workdps(60):
            truth = a * mpmath.fsum(t) - weight
            scale = math.ulp(float(max(a * mpmath.fsum(t), weight)))
            assert abs(mpmath.mpf(variable.grad) - truth) <= 4.0 * conditioning(zs) * scale
    with mpmath.workdps(60):
        value = mpmath.fsum(-w * mpmath.log(a) for w, a in zip(t, exact, strict=True) if w)
    assert ulps(loss.data, value) <= 4.0 * conditioning(zs) or abs(value) < 1e-290


def test_the_right_class_keeps_its_digits():
    """Where a is nearly 1, a - t is a rounding error as a formula; the gradient is right to the last digits."""
    z = [Value(40.0), Value(0.0)]
    am.cross_entropy(z, 0).backward()
    assert z[0].grad == pytest.approx(-math.exp(-40.0), rel=1e-15)
    assert am.softmax([40.0, 0.0])[0] - 1.0 == 0.0


@given(logits, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_sigmoid_with_binary_cross_entropy(z, t):
    """dL/dz = sigmoid(z) - t."""
    x = Value(z)
    am.binary_cross_entropy(x, t).backward()
    with mpmath.workdps(60):
        a = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
        scale = math.ulp(float(max(a, t)))
        assert abs(mpmath.mpf(x.grad) - (a - t)) <= 4.0 * scale


@given(st.floats(-6.0, 6.0))
def test_tanh_and_sigmoid_closed_forms(z):
    """1 - a² and a (1 - a), where these formulas hold their digits: the error is measured in ulp of 1."""
    x = Value(z)
    a = am.tanh(x)
    a.backward()
    assert abs(x.grad - (1.0 - a.data**2)) <= 4.0 * math.ulp(1.0)
    x = Value(z)
    a = am.sigmoid(x)
    a.backward()
    assert abs(x.grad - a.data * (1.0 - a.data)) <= 4.0 * math.ulp(1.0)


def test_a_two_layer_network_against_backprop_by_hand():
    """All gradients of tanh and softmax layers with cross-entropy, against NumPy's matrices."""
    generator = np.random.default_rng(5)
    w1, b1 = generator.normal(size=(4, 3)), generator.normal(size=4)
    w2, b2 = generator.normal(size=(3, 4)), generator.normal(size=3)
    for _ in range(10):
        x, t = generator.normal(size=3), np.eye(3)[generator.integers(3)]
        hidden = np.tanh(w1 @ x + b1)
        z = w2 @ hidden + b2
        a = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        d2 = a - t
        d1 = (w2.T @ d2) * (1 - hidden**2)
        expected = [np.outer(d1, x), d1, np.outer(d2, hidden), d2]

        values = [np.vectorize(Value, otypes=[object])(p) for p in (w1, b1, w2, b2)]
        v1, c1, v2, c2 = values
        h = [am.tanh(am.dot(v1[i], x) + c1[i]) for i in range(4)]
        am.cross_entropy([am.dot(v2[i], h) + c2[i] for i in range(3)], list(t)).backward()
        for ours, truth in zip(values, expected, strict=True):
            assert np.vectorize(lambda v: v.grad)(ours) == pytest.approx(truth, rel=1e-12, abs=1e-14)


# -- accuracy of the compositions --------------------------------------------------------------------------------------

NORMAL = sympy.erfc(-X / sympy.sqrt(2)) / 2
TAILS = {  # meaning, interval, the largest error of value and derivative in ulp (NUMERICS where it has them)
    "sigmoid": (1 / (1 + sympy.exp(-X)), 700, 2, 4),
    "tanh": (sympy.tanh(X), 300, 3, 4),
    "softplus": (sympy.log(1 + sympy.exp(X)), 700, 2, 3),
    "log_sigmoid": (-sympy.log(1 + sympy.exp(-X)), 700, 2, 3),
    "silu": (X / (1 + sympy.exp(-X)), 700, 3, 20),  # the derivative has a zero at -1.278
    "gelu": (X * NORMAL, 36, 4, 4),  # the derivative has a zero at -0.751
}


@pytest.mark.parametrize("name", TAILS)
def test_accuracy_in_both_tails(name):
    """Value and derivative against 60 digits, over both tails."""
    meaning, widest, *bounds = TAILS[name]
    points = [s * widest * 10.0 ** (-e / 12) for e in range(100) for s in (1.0, -1.0)]
    points += [k / 7 for k in range(-40, 41) if k] + [1e-300, -1e-300]
    for order, bound in enumerate(bounds):
        ours = getattr(am, name) if order == 0 else am.grad(getattr(am, name))
        for x in points:
            truth = exactly(derivative(meaning, (0,) * order), x)
            if abs(truth) > 1e-300:
                near_zero = name in ("silu", "gelu") and order == 1 and abs(truth) < 0.06 and abs(x) < 2
                assert ulps(ours(x), truth) <= bound * (100 if near_zero else 1), (x, ours(x), truth)


@pytest.mark.parametrize("name", [*TAILS, "x**x", "exp2"])
def test_accuracy_at_subnormal_numbers(name):
    """Value and derivative within 4 units of the smallest float, where results or arguments are subnormal."""
    meaning = {"x**x": X**X, "exp2": 2**X}.get(name) or TAILS[name][0]
    f = {"x**x": lambda x: x**x}.get(name) or getattr(am, name)
    left = {"gelu": np.linspace(-40.0, -36.9, 63), "exp2": np.linspace(-1076.0, -1020.0, 57), "x**x": []}.get(
        name, np.linspace(-746.0, -699.0, 95)
    )
    small = [sign * x for x in (5e-324, 1.5e-323, 1e-315, 3.3e-310, 2e-308) for sign in (1.0, -1.0)]
    for x in [x for x in small if name != "x**x" or x > 0.0] + list(map(float, left[:: effort(6, 1)])):
        value, slope = (exactly(derivative(meaning, (0,) * order), x) for order in (0, 1))
        for g, truth in ((f, value), (am.grad(f), slope), (lambda z: am.jvp(f, (z,), (1.0,))[1], slope)):
            assert ulps(g(x), truth) <= 4.0, (x, g(x), float(truth))


def test_the_slope_where_the_value_overflows():
    """exp2 is beyond the largest float from 1024 on; log(2) times that is not, up to 1024.5."""
    for x in (1023.99, 1024.0, 1024.2, 1024.5):
        for order in (1, 2, 3):
            f = am.exp2
            for _ in range(order):
                f = am.grad(f)
            assert ulps(f(x), exactly(derivative(2**X, (0,) * order), x)) <= 4.0


@pytest.mark.parametrize(("name", "value"), [("silu", -0.0), ("gelu", -0.0), ("softplus", 0.0), ("sigmoid", 0.0)])
def test_far_left(name, value):
    """The limit, with derivatives 0, also at minus infinity."""
    for x in (-inf, -1e300, -1e3):
        f = getattr(am, name)
        assert repr(f(x)) == repr(f(Value(x)).data) == repr(value)
        assert am.grad(f)(x) == am.grad(am.grad(f))(x) == am.jvp(f, (x,), (1.0,))[1] == 0.0


@pytest.mark.parametrize(
    ("name", "x", "value", "slope"),
    [
        ("sigmoid", 0.0, 0.5, 0.25), ("sigmoid", inf, 1.0, 0.0), ("sigmoid", -inf, 0.0, 0.0),
        ("sigmoid", nan, nan, nan), ("tanh", 0.0, 0.0, 1.0), ("tanh", -0.0, -0.0, 1.0), ("tanh", inf, 1.0, 0.0),
        ("tanh", nan, nan, nan), ("softplus", 0.0, math.log(2), 0.5), ("softplus", inf, inf, 1.0),
        ("softplus", -inf, 0.0, 0.0), ("relu", 0.0, 0.0, 0.0), ("relu", -0.0, 0.0, 0.0), ("relu", 2.0, 2.0, 1.0),
        ("relu", -inf, 0.0, 0.0), ("relu", inf, inf, 1.0), ("leaky_relu", 0.0, 0.0, 0.01),
        ("leaky_relu", 3.0, 3.0, 1.0), ("elu", 0.0, 0.0, 1.0), ("elu", -inf, -1.0, 0.0), ("elu", 1e3, 1e3, 1.0),
        ("silu", 0.0, 0.0, 0.5), ("gelu", 0.0, 0.0, 0.5), ("gelu", 50.0, 50.0, 1.0), ("gelu", -50.0, -0.0, 0.0),
        ("log_sigmoid", 0.0, -math.log(2), 0.5), ("log_sigmoid", -1e3, -1e3, 1.0), ("softsign", 0.0, 0.0, 1.0),
        ("softsign", 1.0, 0.5, 0.25), ("softsign", -1e200, -1.0, 0.0), ("softsign", 1e10, 1.0 - 1e-10, 1e-20),
        ("hard_tanh", 1.0, 1.0, 0.0), ("hard_tanh", -1.0, -1.0, 0.0), ("hard_tanh", 0.5, 0.5, 1.0),
        ("selu", 0.0, 0.0, 1.7580993408473768),
    ],
)  # fmt: skip
def test_fixed_points_and_kinks(name, x, value, slope):
    """Values and derivatives at 0, at kinks and at infinity, the same on floats, on Values and as methods."""
    function = getattr(am, name)
    v = Value(x)
    result = function(v)
    result.backward()
    assert result.data == pytest.approx(value, rel=1e-15, nan_ok=True)
    assert math.copysign(1, result.data) == math.copysign(1, value) or math.isnan(value)
    assert v.grad == pytest.approx(slope, rel=1e-9, nan_ok=True)
    assert repr(function(x)) == repr(result.data) == repr(getattr(Value(x), name)().data)


def test_derivatives_agree_at_every_switch():
    """Two analytically equal forms: first to third derivatives have no jump where the composition changes form."""
    for name, switch in (("sigmoid", 0.0), ("tanh", 0.0), ("softplus", 0.0), ("softsign", 1.0), ("softsign", -1.0)):
        f = getattr(am, name)
        for _ in range(3):
            f = am.grad(f)
            below, at, above = f(switch - 1e-9), f(switch), f(switch + 1e-9)
            assert below == pytest.approx(at, abs=1e-7)
            assert above == pytest.approx(at, abs=1e-7)
    assert am.grad(am.grad(am.grad(am.tanh)))(0.0) == -2.0


def test_logsumexp_family():
    """Infinite elements, ties, one element; all agree with each other."""
    assert am.logsumexp([-inf, -inf]) == -inf
    assert am.logsumexp([inf, 1.0]) == am.logsumexp([inf, inf]) == inf
    assert math.isnan(am.logsumexp([nan, 1.0]))
    assert math.isnan(am.logsumexp([1.0, nan]))
    assert am.logaddexp(-inf, 3.0) == 3.0
    assert am.softmax([-inf, 0.0]) == [0.0, 1.0]
    assert am.grad(lambda z: am.logsumexp([*z]))([2.0, 2.0, 2.0]) == pytest.approx([1 / 3] * 3)
    for single in (am.softmax([Value(3.0)])[0], am.cross_entropy([Value(3.0)], 0), am.log_softmax([Value(3.0)])[0]):
        assert type(single) is Value
        single.backward()
    zs = [0.3, -1.0, 2.5]
    for j, log in enumerate(am.log_softmax(zs)):
        assert log == pytest.approx(zs[j] - am.logsumexp(zs))
        assert am.nll(am.log_softmax(zs), j) == am.cross_entropy(zs, j) == -log


def test_a_class_of_target_zero_has_no_edge():
    """Convention C2: 0 times an infinite log-probability is never formed, in the value and in the gradient."""
    zs = [Value(0.0), Value(-inf)]
    loss = am.cross_entropy(zs, [1.0, 0.0])
    loss.backward()
    assert (loss.data, zs[0].grad, zs[1].grad) == (0.0, 0.0, 0.0)
    logs = [Value(0.0), Value(-inf)]
    am.nll(logs, [1.0, 0.0]).backward()
    assert [v.grad for v in logs] == [-1.0, 0.0]
    x = Value(inf)
    am.binary_cross_entropy(x, 1.0).backward()
    assert x.grad == 0.0


def test_arguments_are_not_changed():
    """softmax leaves its list alone; what happens to the list later does not reach the graph."""
    zs = [Value(1.0), Value(2.0)]
    loss = am.logsumexp(zs)
    kept = list(zs)
    am.softmax(zs)
    assert zs[0] is kept[0]
    zs[0] = Value(50.0)
    loss.backward()
    assert kept[0].grad == pytest.approx(am.softmax([1.0, 2.0])[0])


def test_losses():
    """Values and derivatives of the other losses, of numbers and of lists."""
    p = [Value(1.0), Value(-3.0)]
    for loss, value, slopes in (
        (am.mse(p, [2.0, 0.0]), 5.0, [-1.0, -3.0]),
        (am.mae(p, [2.0, -3.0]), 0.5, [-0.5, 0.0]),
        (am.huber(p, [1.5, 0.0]), (0.125 + 2.5) / 2, [-0.25, -0.5]),
        (am.huber(p, [1.5, 0.0], delta=4.0), (0.125 + 4.5) / 2, [-0.25, -1.5]),
        (am.hinge(p, [1, 1]), 2.0, [0.0, -0.5]),
        (am.binary_cross_entropy(p, [1.0, 0.0]), (am.softplus(-1.0) + am.softplus(-3.0)) / 2, None),
    ):
        for v in p:
            v.grad = None
        loss.backward()
        assert loss.data == pytest.approx(value)
        assert slopes is None or [v.grad for v in p] == pytest.approx(slopes)
    assert am.mse(Value(3.0), 1.0).data == 4.0
    assert am.mean([1, 2]) == 1.5
    assert am.norm([Value(3.0), 4.0]).data == 5.0
    assert am.dot([], []) == 0.0


def test_a_value_among_the_operands_gives_a_value():
    """The result is a Value even where it does not depend on one: backward() must not fail for some data only."""
    v = Value(2.0)
    for result in (
        am.nll([v, 1.0], 1), am.nll([1.0, v], [0, 0]), am.cross_entropy([1.0, v], [0, 0]), am.elu(3.0, v),
        am.binary_cross_entropy(v, 0.0), am.leaky_relu(3.0, v), am.relu(v), am.softmax([1.0, v])[0],
    ):  # fmt: skip
        assert type(result) is Value
        result.backward()


def test_numpy_numbers_are_numbers():
    """NumPy scalars take the same branches as floats, without warnings; 0-d arrays of ints are indices."""
    assert am.softsign(np.float64(-1.0)) == -0.5
    assert am.softmax(np.array([0.0, 0.0])) == [0.5, 0.5]
    assert am.cross_entropy([0.0, 0.0], np.array(1)) == am.cross_entropy([0.0, 0.0], np.int64(1)) == math.log(2)


def test_sum_is_the_builtin_for_whole_numbers():
    """`from autograd_mini import *` must not turn counts into floats; a start value works as in the builtin."""
    assert repr(am.sum([1, 2, True])) == "4"
    assert repr(am.sum([])) == "0"
    assert am.sum([[1], [2]], []) == [1, 2]
    assert am.sum([0.5], 1) == 1.5
    x = Value(2.0)
    node = am.sum((x * k for k in range(3)), x)
    assert node.op == "sum"
    node.backward()
    assert x.grad == 4.0


def test_sum_begins_with_start():
    """`start` is the first operand, as in the builtin: what cancels depends on it."""
    a, b, start = Value(1e16), Value(-1e16), Value(1.0)
    node = am.sum([a, b], start)
    assert all(operand is wanted for operand, wanted in zip(node.operands, (start, a, b), strict=True))
    assert node.data == am.sum([1e16, -1e16], 1.0) == (1.0 + 1e16) - 1e16 == 0.0
    assert list(inspect.signature(am.sum).parameters) == ["xs", "start"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: am.softmax([]), am.ArgumentError, "empty"),
        (lambda: am.softmax(3.0), am.OperandError, "takes a list"),
        (lambda: am.softmax("ab"), am.OperandError, "takes a list"),
        (lambda: am.softmax([1.0, "2"]), am.OperandError, "element 1, takes .* not str"),
        (lambda: am.softmax([[1.0, 2.0]]), am.OperandError, "element 0"),
        (lambda: am.cross_entropy([[Value(1.0)], [Value(2.0)]], [0, 1]), am.OperandError, "element 0"),
        (lambda: am.tanh("x"), am.OperandError, "(?s)not str.*Convert text first"),
        (lambda: am.relu([1.0]), am.OperandError, r"(?s)not list.*\[relu\(x\) for x in xs\]"),
        (lambda: am.sigmoid(None), am.OperandError, "return"),
        (lambda: am.hypot([1.0, 2.0]), am.OperandError, r"hypot\(\*xs\)"),
        (lambda: am.cross_entropy([1.0, 2.0], 2), am.ArgumentError, "class 2 of 2"),
        (lambda: am.cross_entropy([1.0, 2.0], -1), am.ArgumentError, "class -1 of 2"),
        (lambda: am.cross_entropy([1.0, 2.0], 0.5), am.OperandError, "target"),
        (lambda: am.cross_entropy([1.0, 2.0], [1.0]), am.ArgumentError, "target of 1"),
        (lambda: am.cross_entropy([1.0, 2.0], [1.5, -0.5]), am.ArgumentError, "not negative"),
        (lambda: am.cross_entropy([1.0, 2.0], [nan, 0.5]), am.ArgumentError, "nan"),
        (lambda: am.cross_entropy([1.0, 2.0], ["a", 0.5]), am.OperandError, "target"),
        (lambda: am.cross_entropy([], 0), am.ArgumentError, "empty"),
        (lambda: am.binary_cross_entropy(1.0, 1.5), am.ArgumentError, "1.5"),
        (lambda: am.binary_cross_entropy([1.0], [1.0, 0.0]), am.ArgumentError, "1 prediction and 2 targets"),
        (lambda: am.mse([1.0], []), am.ArgumentError, "empty"),
        (lambda: am.huber(1.0, 2.0, delta=0.0), am.ArgumentError, "delta"),
        (lambda: am.hinge(1.0, 0), am.ArgumentError, "label"),
        (lambda: am.dot([1.0], [1.0, 2.0]), am.ArgumentError, "1 numbers and 2"),
        (lambda: am.dot(3.0, [1.0]), am.OperandError, "takes a list"),
        (lambda: am.mse(None, 1.0), am.OperandError, "prediction"),
        (lambda: am.mse(1.0, [1.0]), am.ArgumentError, "one prediction"),
        (lambda: am.huber(1.0, 0.0, delta="a"), am.OperandError, "delta"),
        (lambda: am.softmax(np.array(2.0)), am.OperandError, "takes a list"),
        (lambda: am.cross_entropy([1.0, 2.0], {0: 1.0}), am.OperandError, "target"),
        (lambda: am.where(None, Value(1.0), 2.0), am.OperandError, "where"),
        (lambda: am.mean([]), am.ArgumentError, "empty"),
        (lambda: am.norm([]), am.ArgumentError, "empty"),
    ],
)
def test_bad_input(call, error, message):
    """The error names what was wrong and where."""
    with pytest.raises(error, match=message) as caught:
        call()
    assert not isinstance(caught.value, am.AutogradError) or "test_functions.py" in str(caught.value)
