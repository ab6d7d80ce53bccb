"""Every mistake, planted in at least three functions, is found and named first; right derivatives draw no diagnosis."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import accumulate, product

import numpy as np
import pytest

import autograd_mini as am
from autograd_mini.check.mistakes.diagnosis import diagnose
from autograd_mini.check.mistakes.rows import constant_factor
from autograd_mini.check.tasks import TASK_NAMES, flat, task_named
from tests.effort import effort

GOLDEN = 0.6180339887498949


def softmax(zs):
    largest = max(zs)
    terms = [math.exp(z - largest) for z in zs]
    return [term / math.fsum(terms) for term in terms]


def jacobian(a):
    return [[a_i * ((i == j) - a_j) for j, a_j in enumerate(a)] for i, a_i in enumerate(a)]


def loss_gradient(a, t):
    return [x - y for x, y in zip(a, t, strict=True)]


def right(name):
    """The right derivative of a function of the package, as somebody's function."""
    task = task_named(name)
    return lambda *point: task.derivative(point)


def changed(name, change):
    """The right derivative of a function, with its numbers changed by a function of (numbers, n)."""

    def wrong(*point):
        derivative = task_named(name).derivative(point)
        if isinstance(derivative, float):
            return change([derivative], 1)[0]
        if isinstance(derivative[0], float):
            return change(derivative, len(derivative))
        return [change(row, len(row)) for row in derivative]

    return wrong


def scaled(factor):
    return lambda numbers, n: [factor * x for x in numbers]


def naive_softmax(zs, kind=np.float64):
    terms = np.exp(np.array(zs, dtype=kind))
    return [float(term) for term in terms / terms.sum()]


def running_sum(zs):
    terms = [math.exp(z - max(zs)) for z in zs]
    return [term / total for term, total in zip(terms, accumulate(terms), strict=True)]


def partial_sum(zs, missing):
    terms = [math.exp(z - max(zs)) for z in zs]
    return [float(np.float64(term) / np.float64(math.fsum(terms) - terms[missing])) for term in terms]


def by_class(change):
    return lambda z, t: [change(a, y) for a, y in zip(softmax(z), t, strict=True)]


def running_maximum(zs):
    largest = 5e-324
    for z in zs:
        largest = max(largest, z)
    terms = [math.exp(z - largest) for z in zs]
    return [float(np.float64(term) / np.float64(math.fsum(terms))) for term in terms]


def tabled(derivative):
    """Overwrites the list that it is given."""

    def wrong(zs, *rest):
        answer = derivative(list(zs), *rest)
        for i in range(len(zs)):
            zs[i] = 0.0
        return answer

    return wrong


def linear(xs):
    return [2.0 * xs[0] - xs[1], xs[0] * xs[1], xs[1]]


def curved(xs):
    return [am.exp(xs[0]) * xs[1], xs[0] + am.sin(xs[1]) * xs[2], xs[2] * xs[0]]


PAIRS = [[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]]
TRIPLES = [[1.0, 2.0, 0.5], [0.5, -1.0, 2.0], [3.0, 0.25, -1.5]]


def matrix_of(f, change):
    return lambda xs: change(am.jacobian(f)(xs))


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def diagonal(matrix):
    return [[x if i == j else 0.0 for j, x in enumerate(row)] for i, row in enumerate(matrix)]


def minus_beside(matrix):
    return [[x if i == j else -x for j, x in enumerate(row)] for i, row in enumerate(matrix)]


def net(p, x):
    first = am.tanh(p["w"][0] * x + p["b"][0])
    second = am.tanh(p["w"][1] * first + p["b"][1])
    return (p["w"][2] * second - 0.25) ** 2


def net_backward(p, x, slope_1=None, slope_2=None, stale=None, counted=1.0):
    """A hand-written backward pass of `net`, with places to go wrong."""
    first = math.tanh(p["w"][0] * x + p["b"][0])
    second = math.tanh(p["w"][1] * first + p["b"][1])
    dy = 2.0 * (p["w"][2] * second - 0.25)
    dz2 = dy * p["w"][2] * (1.0 - second**2 if slope_2 is None else slope_2(first, second))
    dz1 = dz2 * p["w"][1] * (1.0 - first**2 if slope_1 is None else slope_1(first, second))
    return {"w": [dz1 * x, counted * dz2 * first, dy * second], "b": [dz1, dz2]}


WEIGHTS = [({"w": [0.3, -0.5, 0.7], "b": [0.1, 0.2]}, 1.5), ({"w": [-0.4, 1.5, 0.2], "b": [0.3, -0.2]}, -0.5)]
POINTS = [0.3, 1.2, -0.7, 2.0]


def two_layers(x):
    return 2.0 * am.tanh(x) + am.tanh(3.0 * x)


def two_elements(xs):
    return am.sigmoid(xs[0]) + 2.0 * am.sigmoid(xs[1])


def slope_of_sigmoid(x):
    a = float(am.sigmoid(x))
    return a * (1.0 - a)


def shared(x):
    h = x * x + 1.0
    return h * am.exp(h * 0.1) + am.sin(h)


def sequence(f):
    """Gradients that are one call late, or a sum of all calls: (stale, accumulated)."""
    state = {"stale": None, "sum": 0.0}

    def stale(x):
        before, state["stale"] = state["stale"], am.grad(f)(x)
        return state["stale"] if before is None else before

    def accumulated(x):
        state["sum"] += am.grad(f)(x)
        return state["sum"]

    return stale, accumulated


PLANTED = [
    ("sign", "cross_entropy", lambda z, t: [y - x for x, y in zip(softmax(z), t, strict=True)], None),
    ("sign", "sin", lambda x: -math.cos(x), None),
    ("sign", "mse", changed("mse", scaled(-1.0)), None),
    ("output-form", "tanh", lambda x: 1 - x * x, None),
    ("output-form", "sigmoid", lambda x: x * (1 - x), None),
    ("output-form", "sqrt", lambda x: 1 / (2 * x), None),
    ("output-form", "softsign", lambda a: (1 - abs(a)) ** 2, None),
    ("output-form", "cross_entropy", loss_gradient, None),
    ("input-form", "tanh", lambda x: 1 - math.tanh(math.tanh(x)) ** 2, None),
    ("input-form", "sin", lambda x: math.cos(math.sin(x)), None),
    ("input-form", "softplus", lambda x: am.sigmoid(am.softplus(x)), None),
    ("formula", "tanh", lambda x: 1 / math.tanh(x) - math.tanh(x), [0.5, -1.0, 2.0, 3.0]),
    ("formula", "sigmoid", lambda x: 1 - am.sigmoid(x), None),
    ("formula", "softsign", lambda x: 1 / (1 + abs(x)), None),
    ("formula", "silu", lambda x: am.sigmoid(x) * (1 - am.sigmoid(x)), None),
    ("factor", "mse", changed("mse", scaled(0.5)), None),
    ("factor", "sin", changed("sin", scaled(2.0)), None),
    ("factor", "softmax", changed("softmax", scaled(-3.5)), None),
    ("degrees", "sin", lambda x: math.cos(x) * math.pi / 180, None),
    ("degrees", "cos", lambda x: -math.sin(x * math.pi / 180), None),
    ("degrees", "atan", lambda x: 1 / (1 + x * x) * 180 / math.pi, None),
    ("sum-for-mean", "mse", lambda y, t: [2 * (a - b) for a, b in zip(y, t, strict=True)], None),
    ("sum-for-mean", "mae", changed("mae", lambda numbers, n: [n * x for x in numbers]), None),
    ("sum-for-mean", "mean", lambda xs: [1.0 for _ in xs], None),
    ("mean-for-sum", "sum", lambda xs: [1 / len(xs) for _ in xs], None),
    ("mean-for-sum", "dot", lambda xs, ys: [y / len(ys) for y in ys], None),
    ("mean-for-sum", "cross_entropy", changed("cross_entropy", lambda numbers, n: [x / n for x in numbers]), None),
    ("reciprocal", "log", lambda x: x, None),
    ("reciprocal", "atan", lambda x: 1 + x * x, None),
    ("reciprocal", "sinh", lambda x: 1 / math.cosh(x), None),
    ("transposed", "log_softmax", lambda z: transposed(task_named("log_softmax").derivative((z,))), None),
    ("transposed", linear, matrix_of(linear, transposed), PAIRS),
    ("transposed", curved, matrix_of(curved, transposed), TRIPLES),
    ("diagonal", "softmax", lambda z: diagonal(jacobian(softmax(z))), None),
    ("diagonal", "log_softmax", lambda z: [row[i] for i, row in enumerate(right("log_softmax")(z))], None),
    ("diagonal", curved, matrix_of(curved, diagonal), TRIPLES),
    ("diagonal", "cross_entropy", lambda z, t: [-y * (1 - a) for a, y in zip(softmax(z), t, strict=True)], None),
    ("off-diagonal-sign", "softmax", lambda z: minus_beside(jacobian(softmax(z))), None),
    ("off-diagonal-sign", "log_softmax", lambda z: minus_beside(right("log_softmax")(z)), None),
    ("off-diagonal-sign", curved, matrix_of(curved, minus_beside), TRIPLES),
    ("row-for-column", "softmax", lambda z: jacobian(softmax(z))[0], None),
    ("row-for-column", "log_softmax", lambda z: transposed(right("log_softmax")(z))[0], None),
    ("row-for-column", curved, matrix_of(curved, lambda m: [sum(row) for row in m]), TRIPLES),
    ("inner-derivative", lambda x: am.sin(x * x), lambda x: math.cos(x * x), None),
    ("inner-derivative", lambda x: am.exp(3.0 * x), lambda x: math.exp(3.0 * x), POINTS),
    ("inner-derivative", lambda x: am.log(am.cosh(x) + 1.0), lambda x: 1 / (math.cosh(x) + 1), POINTS),
    ("inner-derivative", "cross_entropy", lambda z, t: [-y / a for a, y in zip(softmax(z), t, strict=True)],
     [([1.0, 2.0, 3.0], [0.0, 1.0, 0.0]), ([0.5, -1.0], [0.25, 0.75])]),
    ("inner-derivative", net, lambda p, x: net_backward(p, x, lambda a, b: 1.0, lambda a, b: 1.0), WEIGHTS),
    ("inner-derivative", net, lambda p, x: net_backward(p, x, lambda a, b: 1.0), WEIGHTS),
    ("wrong-layer", net, lambda p, x: net_backward(p, x, lambda a, b: 1 - b * b, lambda a, b: 1 - a * a), WEIGHTS),
    ("wrong-layer", two_layers, lambda x: 2 * (1 - math.tanh(3 * x) ** 2) + 3 * (1 - math.tanh(x) ** 2), POINTS),
    ("wrong-layer", two_elements, lambda xs: [slope_of_sigmoid(xs[1]), 2 * slope_of_sigmoid(xs[0])], PAIRS),
    ("precedence", "softmax", lambda z: [[(i == j) * a - b for j, b in enumerate(softmax(z))]
                                         for i, a in enumerate(softmax(z))], None),
    ("precedence", "sigmoid", lambda x: am.sigmoid(x) * 1 - am.sigmoid(x), None),
    ("extra-derivative", "binary_cross_entropy",
     lambda z, t: (am.sigmoid(z) - t) * am.sigmoid(z) * (1 - am.sigmoid(z)), None),
    ("extra-derivative", "cross_entropy", by_class(lambda a, t: (a - t) * a * (1 - a)), None),
    ("extra-derivative, sign", "cross_entropy", by_class(lambda a, t: (t - a) * a * (1 - a)), None),
    *[("mean-for-sum, sign", name, changed(name, lambda numbers, n: [-x / n for x in numbers]), None)
      for name in ("cross_entropy", "logsumexp", "dot")],
    *[("sum-for-mean, sign", name, changed(name, lambda numbers, n: [-n * x for x in numbers]), None)
      for name in ("mse", "mae", "mean")],
    ("precedence", "softplus", lambda x: 1 / 1 + np.exp(-x), None),
    ("extra-derivative, sign", "binary_cross_entropy",
     lambda z, t: (t - am.sigmoid(z)) * am.sigmoid(z) * (1 - am.sigmoid(z)), None),
    ("running-sum", "softmax", lambda z: jacobian(running_sum(z)), None),
    ("running-sum", "cross_entropy", lambda z, t: loss_gradient(running_sum(z), t), None),
    ("running-sum", "logsumexp", lambda z: running_sum(z), None),
    ("partial-sum", "softmax", lambda z: jacobian(partial_sum(z, -1)), None),
    ("partial-sum", "cross_entropy", lambda z, t: loss_gradient(partial_sum(z, 0), t), None),
    ("partial-sum", "logsumexp", lambda z: partial_sum(z, -1), None),
    ("overflow", "softmax", lambda z: jacobian(naive_softmax(z, np.float32)), None),
    ("overflow", "exp", lambda x: float(np.exp(np.float32(x))), None),
    ("overflow", "sinh", lambda x: float(np.cosh(np.float32(x))), None),
    ("formula", "tanh", lambda x: 1 / math.tanh(x) - math.tanh(x), None),
    ("power-rule", lambda x: x**3, lambda x: 3 * x, POINTS),
    ("power-rule", lambda x: x**3, lambda x: 3 * x**3, POINTS),
    ("power-rule", lambda x: am.exp(x) + x**4, lambda x: math.exp(x) + 4 * x**2, POINTS),
    ("off-by-one", "mse", changed("mse", lambda numbers, n: numbers[-1:] + numbers[:-1]), None),
    ("off-by-one", "cross_entropy", changed("cross_entropy", lambda numbers, n: numbers[1:] + numbers[:1]), None),
    ("off-by-one", "norm", changed("norm", lambda numbers, n: numbers[1:] + numbers[:1]), None),
    ("double", net, lambda p, x: net_backward(p, x, counted=2.0), WEIGHTS),
    ("double", lambda x: x * am.sin(x), lambda x: 2 * math.sin(x) + x * math.cos(x), POINTS),
    ("double", lambda x: x * am.exp(x), lambda x: math.exp(x) + 2 * x * math.exp(x), POINTS),
    ("assigned", lambda x: x * am.sin(x), lambda x: math.sin(x), POINTS),
    ("assigned", lambda x: x * am.exp(x), lambda x: x * math.exp(x), POINTS),
    ("assigned", lambda x: am.sin(x) + am.tanh(x), lambda x: 1 - math.tanh(x) ** 2, POINTS),
    ("stale", "tanh", sequence(am.tanh)[0], None),
    ("stale", lambda x: x * am.sin(x), sequence(lambda x: x * am.sin(x))[0], POINTS),
    ("stale", "exp", sequence(am.exp)[0], None),
    ("accumulated", "tanh", sequence(am.tanh)[1], None),
    ("accumulated", lambda x: x * am.sin(x), sequence(lambda x: x * am.sin(x))[1], POINTS),
    ("accumulated", "softplus", sequence(am.softplus)[1], None),
    ("softmax-twice", "softmax", lambda z: jacobian(softmax(softmax(z))), None),
    ("softmax-twice", "cross_entropy", lambda z, t: loss_gradient(softmax(softmax(z)), t), None),
    ("softmax-twice", "logsumexp", lambda z: softmax(softmax(z)), None),
    ("output-form", "softmax", jacobian, None),
    ("logits", "logsumexp", lambda z: z, None),
    ("logits", "log_softmax", lambda z: [[(i == j) - x for j, x in enumerate(z)] for i in range(len(z))], None),
    ("in-place", "softmax", tabled(lambda z: jacobian(softmax(z))), None),
    ("in-place", "cross_entropy", tabled(lambda z, t: loss_gradient(softmax(z), t)), None),
    ("in-place", "mse", tabled(right("mse")), None),
    ("integer-division", "mean", lambda xs: [1 // len(xs) for _ in xs], None),
    ("integer-division", "sigmoid", lambda x: int(am.sigmoid(x) * (1 - am.sigmoid(x))), None),
    ("integer-division", "log", lambda x: 1 // x, [0.3, 0.7, 1.5, 3.0]),
    ("forward", "sigmoid", lambda x: (a := 1 / 1 + math.exp(-x)) * (1 - a), None),
    ("forward", "tanh", lambda x: 1 - (math.exp(x) - math.exp(-x) / (math.exp(x) + math.exp(-x))) ** 2, None),
    ("forward", lambda x: 1 / 1 + math.exp(-x), lambda x: am.sigmoid(x) * (1 - am.sigmoid(x)), None),
    ("running-maximum", "softmax", lambda z: jacobian(running_maximum(z)), None),
    ("running-maximum", "cross_entropy", lambda z, t: loss_gradient(running_maximum(z), t), None),
    ("running-maximum", "logsumexp", running_maximum, None),
    ("overflow", "softmax", lambda z: jacobian(naive_softmax(z)), None),
    ("overflow", "cross_entropy", lambda z, t: loss_gradient(naive_softmax(z), t), None),
    ("overflow", "sigmoid", lambda x: (a := 1 / (1 + math.exp(-x))) * (1 - a), [0.5, -1.0, 3.0, -800.0]),
    ("wrong-function", "tanh", lambda x: am.sigmoid(x) * (1 - am.sigmoid(x)), None),
    ("wrong-function", "sin", lambda x: math.sinh(x), [0.5, -1.0, 2.0]),
    ("wrong-function", "softplus", lambda x: 1 - math.tanh(x) ** 2, None),
    ("value", "sin", math.sin, None),
    ("value", "softmax", softmax, None),
    ("value", "tanh", math.tanh, None),
    ("value", "sigmoid", lambda x: 1 / 1 + np.exp(-x), None),
]  # fmt: skip


class Number:
    """Somebody's own engine, whose backward pass walks the graph with a stack or a queue instead of sorting it."""

    def __init__(self, data, edges=()):
        self.data, self.edges, self.grad = data, edges, 0.0

    def __add__(self, other):
        return Number(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        return Number(self.data * other.data, ((self, other.data), (other, self.data)))

    def sin(self):
        return Number(math.sin(self.data), ((self, math.cos(self.data)),))

    def backward(self, is_stack):
        self.grad, waiting, seen = 1.0, [self], {self}
        while waiting:
            node = waiting.pop(-1 if is_stack else 0)
            for operand, slope in node.edges:
                operand.grad += node.grad * slope
                if operand not in seen:
                    seen.add(operand)
                    waiting.append(operand)


def diamond(x, sin=am.sin):
    h = x * x
    a = sin(h)
    b = a * h
    return (b + a) * h + b * sin(b)


def ladder(x, sin=am.sin):
    a = sin(x)
    b = a * x
    c = b * a + x
    return c * b + sin(c) * a


def knot(x, sin=am.sin):
    a = x * x
    b = sin(a + x)
    c = sin(b * a)
    return c * c * b + sin(b) * x


@pytest.mark.parametrize("is_stack", [True, False])
@pytest.mark.parametrize("f", [diamond, ladder, knot])
def test_a_walk_without_an_order(f, is_stack):
    """A backward pass that visits a node before all its consumers is named, whichever walk it takes."""

    def df(x):
        leaf = Number(x)
        f(leaf, Number.sin).backward(is_stack)
        return leaf.grad

    report = am.check_derivative(f, df, at=POINTS)
    assert report.verdict == "FAIL"
    walk = {"stack-walk", "early-visit", "depth-first"} if is_stack else {"queue-walk"}
    assert report.mistakes[0].name in walk, report


@pytest.mark.sampled(3)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "f", "df", "at"), PLANTED)
def test_a_planted_mistake_is_named_first(name, f, df, at):
    """A wrong derivative is FAIL, and the first of the mistakes is the one that was made, at no more than 40 points."""
    report = am.check_derivative(f, df, at=at)
    assert report.verdict == "FAIL"
    assert not report.ok
    assert [mistake.name for mistake in report.mistakes][:1] == [name], report
    assert len(report.findings) <= 40
    assert all(mistake.sentence and mistake.correction for mistake in report.mistakes)


LOGITS = [
    ("softmax", jacobian),
    ("cross_entropy", loss_gradient),
    ("binary_cross_entropy", lambda a, t: a - t),
]


def test_every_mistake_is_planted_three_times():
    """The tables here cover what users do; each mistake in them stands in three functions or more."""
    counts = Counter([*[name for name, *_ in PLANTED], *["logits"] * len(LOGITS)])
    few = {name for name, count in counts.items() if count < 3}
    assert few == {"extra-derivative", "extra-derivative, sign"}  # there are two such losses


@pytest.mark.parametrize(("name", "df"), LOGITS)
def test_logits_for_probabilities(name, df):
    """If df must take the input, the output is no way out: the logits stand where the probabilities belong."""
    report = am.check_derivative(name, df, argument="input")
    assert report.verdict == "FAIL"
    assert report.mistakes[0].name == "logits"
    assert am.check_derivative(name, df, argument="output").ok


@pytest.mark.parametrize(
    ("name", "f", "df", "at"),
    [
        ("digits", "tanh", lambda x: 1 - math.tanh(x) ** 2, None),
        ("digits", "expm1", lambda x: math.expm1(x) + 1, None),
        ("digits", "sigmoid", lambda x: (a := am.sigmoid(x)) * (1 - a), None),
        ("convention", "relu", lambda x: 1.0 if x >= 0 else 0.0, None),
        ("convention", "abs", lambda x: 1.0 if x >= 0 else -1.0, None),
        ("convention", "hard_tanh", lambda x: 1.0 if -1 <= x <= 1 else 0.0, None),
        ("float32", "tanh", lambda x: 1 - np.tanh(np.float32(x)) ** 2, None),
        ("float32", "sin", lambda x: np.cos(np.float32(x)), None),
        ("float32", "sigmoid", lambda x: np.float32(0.5) / (np.float32(1) + np.cosh(np.float32(x))),
         [0.5, -1.0, 2.0, 5.0]),
        ("differences", "tanh", lambda x: (math.tanh(x + 1e-6) - math.tanh(x)) / 1e-6, None),
        ("differences", "sin", lambda x: (math.sin(x + 1e-13) - math.sin(x - 1e-13)) / 2e-13, None),
        ("differences", "softplus", lambda x: (am.softplus(x + 1e-5) - am.softplus(x - 1e-5)) / 2e-5, None),
    ],
)  # fmt: skip
def test_what_is_right_after_all(name, f, df, at):
    """Lost digits, a convention at a kink, float32 and differences are named, and ok."""
    report = am.check_derivative(f, df, at=at)
    assert report.ok, report
    assert [mistake.name for mistake in report.mistakes] == [name]
    assert report.mistakes[0].is_right


def smooth(x):
    return 2.0 * am.tanh(x) + 0.5


CUT = [("tanh", 2), ("tanh", 3), ("tanh", 5), ("sigmoid", 3), ("softplus", 5), ("silu", 8), ("gelu", 3), ("atan", 40),
       (math.tanh, 3), (smooth, 2), (smooth, 5)]  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("f", "end"), CUT)
@pytest.mark.parametrize("tail", [0.0, -0.0, 1e-9])
def test_a_derivative_that_is_cut_in_the_tails_fails(f, end, tail):
    """Exact numbers at the other points show that no differences were taken: 0 in the tails is wrong, not noise."""
    slope = am.grad(getattr(am, f if isinstance(f, str) else "tanh")) if f is not smooth else am.grad(smooth)
    report = am.check_derivative(f, lambda x: slope(x) if abs(x) < end else tail)
    assert report.verdict == "FAIL", report
    assert not report


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9])
def test_differences_that_are_cut_in_the_tails_fail(step):
    """Differences with a step explain what differences with this step give, and nothing else."""
    quotient = lambda x: (math.tanh(x + step) - math.tanh(x - step)) / (2.0 * step)  # noqa: E731
    assert am.check_derivative("tanh", quotient)
    assert not am.check_derivative("tanh", lambda x: quotient(x) if abs(x) < 5.0 else 0.0)
    single = lambda x: 1 - np.tanh(np.float32(x)) ** 2  # noqa: E731
    assert not am.check_derivative("tanh", lambda x: single(x) if abs(x) < 5.0 else 0.0)


@pytest.mark.parametrize(("name", "tail", "at"), [
    ("atan", 1e-8, [5.0, 8.0]), ("erf", 1e-8, [5.0, 8.0]), ("tanh", 1e-8, [3.0, 20.0]), ("tanh", 1e-9, [5.0]),
    ("softplus", 1.0, [3.0, 20.0]), ("gelu", 1.0, [5.0, 8.0]), ("silu", 1.0, [3.0, 20.0]),
])  # fmt: skip
def test_a_tail_of_a_constant_is_no_difference(name, tail, at):
    """A tiny number is no multiple of the last digit, and 1 is not what differences give beside 1."""
    slope = am.grad(getattr(am, name))
    assert am.check_derivative(name, lambda x: slope(x) if x < 4.0 else tail, at=at).verdict == "FAIL"


@pytest.mark.parametrize("at", [[8.0], [5.0, 8.0], [5.0, -5.0, 20.0]])
def test_zeros_are_no_sign_of_a_method(at):
    """A derivative that is 0 at every point that was checked is neither float32 nor differences."""
    assert am.check_derivative("tanh", lambda x: 0.0, at=at).verdict == "FAIL"


@pytest.mark.parametrize("name", TASK_NAMES)
@pytest.mark.parametrize("quantity", ["derivative", "value"])
def test_right_numbers_draw_no_diagnosis(name, quantity):
    """Value and derivative of every function of the package pass at all their points, kinks and tails included."""
    task = task_named(name)
    right_ones = [getattr(task, quantity)(point) for point in task.points]
    report = diagnose(task, task.points, right_ones, quantity)
    assert report.verdict == "PASS"
    assert (report.mistakes, report.partial) == ((), ())
    assert 3 <= len(task.points) <= 40


CHANGES = {
    "sign": lambda xs, k: [-x for x in xs],
    "twice": lambda xs, k: [2.0 * x for x in xs],
    "mean": lambda xs, k: [x / (len(xs) + 2.0) for x in xs],
    "shifted": lambda xs, k: xs[1:] + xs[:1] if len(xs) > 1 else [xs[0] + GOLDEN],
    "first": lambda xs, k: [x if i else x + 0.25 for i, x in enumerate(xs)],
    "absolute": lambda xs, k: [abs(x) + 1e-3 for x in xs],
    "one point": lambda xs, k: [x + 1e-3 * (k == 1) for x in xs],
    "tiny": lambda xs, k: [x * (1.0 + 1e-5) for x in xs],
}


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softmax", "cross_entropy", "mse", "log", "gelu", "logsumexp"])
def test_two_mistakes_at_once_never_pass(name):
    """Whatever two mistakes do together, the verdict is FAIL."""
    task = task_named(name)
    chosen = random.Random(name).sample([*product(CHANGES.items(), repeat=2)], effort(5, len(CHANGES) ** 2))
    for (one, change), (two, other) in chosen:
        if (one, two) != ("sign", "sign"):
            claimed = [other(change(flat(task.derivative(p)), k), k) for k, p in enumerate(task.points)]
            report = diagnose(task, task.points, claimed)
            assert report.verdict == "FAIL", (one, two, report)
            assert not report


def test_two_mistakes_are_explained_in_part():
    """The mistake that fits up to a factor, or that explains most numbers, is named as a part."""
    report = am.check_derivative("tanh", lambda x: -2.0 * (1 - x * x))
    assert report.verdict == "FAIL"
    assert [mistake.name for mistake in report.partial] == ["output-form", "factor"]
    assert "And: It is -2 times" in str(report)
    task = task_named("tanh")
    report = diagnose(task, task.points, [1 - x * x if x < 3.0 else 0.5 for (x,) in task.points])
    assert not report.mistakes
    assert [mistake.name for mistake in report.partial] == ["output-form"]
    assert "The rest has another cause" in str(report)


def rounded_sigmoid(x):
    return round(am.sigmoid(x), 5)


def rising(x):
    raise ValueError("no")


def by_entry(entry):
    """A Jacobian from a function of probabilities and two places."""
    return lambda z: [[entry(softmax(z), i, j) for j in range(len(z))] for i in range(len(z))]


def by_element(change):
    """A gradient from a function of an element of each argument, and n."""
    return lambda xs, ts: [change(x, t, len(xs)) for x, t in zip(xs, ts, strict=True)]


def normalised(xs, sqrt=am.sqrt):
    """A layer norm."""
    mean = sum(xs) / len(xs)
    spread = sqrt(sum((x - mean) ** 2 for x in xs) / len(xs) + 1e-5)
    return [(x - mean) / spread for x in xs]


def normalised_backward(xs, mean=1.0, spread=1.0):
    """The Jacobian of a layer norm; 0 for a path that is forgotten."""
    n, ys = len(xs), normalised(xs, math.sqrt)
    size = (xs[0] - xs[1]) / (ys[0] - ys[1])
    return [[((i == j) - mean / n - spread * a * b / n) / size for j, b in enumerate(ys)] for i, a in enumerate(ys)]


UNEQUAL = [[1.0, 2.0, 3.5], [0.5, -1.0, 2.0, 0.1], [3.0, -2.0, 0.25]]
NORMAL = 1.0 / math.sqrt(2.0 * math.pi)
OF_BEGINNERS = [
    ("plus instead of minus", "cross_entropy", by_class(lambda a, t: a + t)),
    ("Only the right class", "cross_entropy", by_class(lambda a, t: (a - t) if t else 0.0)),
    ("no square", "binary_cross_entropy", lambda x, t: (float(am.sigmoid(x)) - t) ** 2),
    ("1 is subtracted, whatever", "binary_cross_entropy", lambda x, t: float(am.sigmoid(x)) - 1.0),
    ("cases i == j and i != j are swapped", "softmax", by_entry(lambda a, i, j: a[i] * ((i != j) - a[j]))),
    ("the last index is j", "softmax", by_entry(lambda a, i, j: a[i] * ((i == j) - a[i]))),
    ("the first index is i", "softmax", by_entry(lambda a, i, j: a[j] * ((i == j) - a[j]))),
    ("the 1 belongs to the diagonal", "softmax", by_entry(lambda a, i, j: a[i] * (1 - a[j]))),
    ("the Jacobian of softmax", "log_softmax", by_entry(lambda a, i, j: a[i] * ((i == j) - a[j]))),
    ("plus instead of minus", "log_softmax", by_entry(lambda a, i, j: (i == j) + a[j])),
    ("the term 1 on the diagonal is missing", "log_softmax", by_entry(lambda a, i, j: -a[j])),
    ("that of max", "logsumexp", lambda z: [float(x == max(z)) for x in z]),
    ("not divided by their sum", "logsumexp", lambda z: [math.exp(x - max(z)) for x in z]),
    ("a factor 2 is missing, and it is not divided by n", "mse", by_element(lambda y, t, n: y - t)),
    ("a factor 2 is missing, and it is not divided by n", "mse", by_element(lambda y, t, n: t - y)),
    ("divided by n - 1", "mse", by_element(lambda y, t, n: 2 * (y - t) / (n - 1))),
    ("the difference, not its sign", "mae", by_element(lambda y, t, n: (y - t) / n)),
    ("not clipped", "huber", by_element(lambda y, t, n: (y - t) / n)),
    ("a factor 1/2", "huber", by_element(lambda y, t, n: (2 * (y - t) if abs(y - t) < 1 else am.sign(y - t)) / n)),
    ("the sign everywhere", "huber", by_element(lambda y, t, n: ((y > t) - (y < t)) / n)),
    ("The sign is lost", "huber", by_element(lambda y, t, n: ((y - t) if abs(y - t) < 1 else 1) / n)),
    ("The margin is missing", "hinge", by_element(lambda y, t, n: -t / n if y * t < 0 else 0.0)),
    ("The factor label", "hinge", by_element(lambda y, t, n: -1 / n if y * t < 1 else 0.0)),
    ("the square of the norm", "norm", lambda xs: [2 * x for x in xs]),
    ("not divided by norm(x)", "norm", lambda xs: [*xs]),
    ("by the other argument", "dot", lambda xs, ys: [*xs]),
    ("the cases are swapped", "leaky_relu", lambda x: 0.01 if x > 0 else 1.0),
    ("the slope on the left is 0.01", "leaky_relu", lambda x: 1.0 if x > 0 else 0.2),
    ("the sign on the left", "leaky_relu", lambda x: 1.0 if x > 0 else -0.01),
    ("the cases are swapped", "relu", lambda x: 0.0 if x > 0 else 1.0),
    ("a + 1 is exp(x)", "elu", lambda x: 1.0 if x > 0 else math.exp(x) + 1),
    ("alpha, 1.6733, is missing", "selu", lambda x: 1.0507009873554805 * (1.0 if x > 0 else math.exp(x))),
    ("minus instead of plus", "gelu", lambda x: 0.5 * math.erfc(-x / 2**0.5) - x * math.exp(-x * x / 2) * NORMAL),
    ("lacks a factor x", "gelu", lambda x: 0.5 * math.erfc(-x / 2**0.5) + math.exp(-x * x / 2) * NORMAL),
    ("minus instead of plus", "silu", lambda x: (a := float(am.sigmoid(x))) * (1 - x * (1 - a))),
    ("second derivative", "tanh", lambda x: -2 * math.tanh(x) * (1 - math.tanh(x) ** 2)),
    ("second derivative", "log", lambda x: -1 / x**2),
    ("u'*v'", lambda x: x * am.exp(x), lambda x: math.exp(x)),
    ("u'/v'", lambda x: am.sin(x) / x, lambda x: math.cos(x)),
    ("denominator is not squared", lambda x: am.sin(x) / x, lambda x: (x * math.cos(x) - math.sin(x)) / x),
    ("not squared in the second term", lambda x: am.sin(x) / x, lambda x: (math.cos(x) - math.sin(x)) / x),
    ("lowered by 2", lambda x: x**3, lambda x: 3 * x),
    ("is right for its output a", lambda xs: sum(am.tanh(x) for x in xs), lambda xs: [1 - x * x for x in xs]),
    ("x - mean), operand 2 is wrong: it is missing", normalised, lambda xs: normalised_backward(xs, mean=0.0)),
    ("/ spread), operand 2 is wrong: it is missing", normalised, lambda xs: normalised_backward(xs, spread=0.0)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "f", "df"), OF_BEGINNERS)
def test_what_beginners_write_is_named(text, f, df):
    """Formulas with one thing wrong, and a forgotten path of a function of lists of any length, are named."""
    report = am.check_derivative(f, df, at=UNEQUAL if f is normalised else None)
    assert report.verdict == "FAIL"
    found = [mistake.sentence for mistake in report.mistakes]
    assert text in found[0] or (not isinstance(f, str) and any(text in sentence for sentence in found)), report


def own_softmax(zs):
    terms = [am.exp(z) for z in zs]
    return [term / sum(terms) for term in terms]


def own_loss(zs, ts):
    return -sum(t * am.log(a) for t, a in zip(ts, own_softmax(zs), strict=True))


def own_mse(ys, ts):
    return sum((y - t) ** 2 for y, t in zip(ys, ts, strict=True)) / len(ys)


def own_relu(x):
    return am.maximum(x, 0.0)


def centred(xs):
    mean = sum(xs) / len(xs)
    return [x - mean for x in xs]


OWN_CLASSES = [([1.0, 2.0, 3.0], [0.0, 1.0, 0.0]), ([0.5, -1.0, 2.0], [1.0, 0.0, 0.0]), ([3.0, -2.0], [0.0, 1.0])]
OF_OWN_FUNCTIONS = [
    ("sign", own_loss, by_class(lambda a, t: t - a)),
    ("target", own_loss, by_class(lambda a, t: a)),
    ("target", own_loss, by_class(lambda a, t: a + t)),
    ("extra-derivative", own_loss, by_class(lambda a, t: (a - t) * a * (1 - a))),
    ("inner-derivative", own_loss, by_class(lambda a, t: -t / a)),
    ("sum-for-mean", own_mse, by_element(lambda y, t, n: y - t)),
    ("target", own_mse, by_element(lambda y, t, n: 2 * (y + t) / n)),
    ("formula", own_relu, lambda x: 0.0 if x > 0 else 1.0),
    ("formula", own_relu, lambda x: 1.0),
    ("inner-derivative", centred, lambda xs: [[(i == j) - 1.0 for j in range(len(xs))] for i in range(len(xs))]),
]


@pytest.mark.parametrize(("name", "f", "df"), OF_OWN_FUNCTIONS)
def test_a_known_function_under_another_name(name, f, df):
    """A user's function that has the values of one of the package has its mistakes, too, and no stranger is listed."""
    report = am.check_derivative(f, df, at=OWN_CLASSES if f in (own_loss, own_mse) else None)
    assert report.mistakes[0].name == name, report
    assert name != "sign" or len(report.mistakes) == 1


def test_a_right_layer_norm_draws_no_diagnosis():
    """The Jacobian of a layer norm that a user wrote by hand passes."""
    report = am.check_derivative(normalised, normalised_backward, at=UNEQUAL)
    assert report.verdict == "PASS"
    assert not report.mistakes


UNEXPLAINED = [
    ("tanh", lambda x: 1 - math.tanh(x) ** 2 if x else 0.0, None),
    ("tanh", lambda x: (1 - math.tanh(x) ** 2) ** 2, None),
    ("tanh", lambda x: (1 - math.tanh(x) ** 2) * x, None),
    ("tanh", rising, None),
    ("tanh", lambda x: math.nan, None),
    ("tanh", lambda x: math.nan, [2.0, 3.0]),
    ("tanh", lambda x: math.inf, [2.0, 3.0]),
    ("softplus", rounded_sigmoid, None),
    ("tanh", lambda x: 5.0 if abs(x) == 300 else 1 - math.tanh(x) ** 2, None),
    ("tanh", lambda x: 1.0, None),
    ("sigmoid", lambda x: -3.0, None),
    ("softmax", lambda z: [[x * (1.5 if i == 0 else 1.0) for i, x in enumerate(row)] for row in right("softmax")(z)],
     None),
]  # fmt: skip


@pytest.mark.parametrize(("f", "df", "at"), UNEXPLAINED)
def test_what_nothing_explains_is_not_explained(f, df, at):
    """No mistake is named for a few numbers, for zeros, for what is no number, or where it gives the right ones."""
    report = am.check_derivative(f, df, at=at)
    assert report.verdict == "FAIL"
    assert (report.mistakes, report.partial) == ((), ()), report


@pytest.mark.parametrize("factor", [0.0, 1.0, 1.0 + 1e-7, math.nan, math.inf])
def test_factors_that_say_nothing(factor):
    """The factors 0 and 1 are never printed."""
    assert constant_factor(factor) is None
    task = task_named("tanh")
    for change in (lambda x, d: factor * d if x > 0 else d, lambda x, d: factor * d if abs(x) > 1 else 2.5 * d):
        report = diagnose(task, task.points, [change(x, task.derivative((x,))) for (x,) in task.points])
        assert " 0 times" not in str(report)
        assert " 1 times" not in str(report)


def test_the_rest_may_be_right():
    """A sign that is flipped on one side is named for this side."""
    report = am.check_derivative("tanh", lambda x: (1 - math.tanh(x) ** 2) * (1 if x >= 0 else -1))
    assert [mistake.name for mistake in report.partial] == ["sign"]
    assert "The rest is right." in str(report)


@pytest.mark.parametrize("change", [scaled(-1.0), lambda row, n: [2.0 * row[0], *row[1:]], lambda row, n: row[::-1]])
def test_a_symmetric_matrix_is_not_transposed(change):
    """The Jacobian of softmax is its own transpose."""
    report = am.check_derivative("softmax", changed("softmax", change))
    assert "transposed" not in [mistake.name for mistake in (*report.mistakes, *report.partial)]


@pytest.mark.parametrize("at", [([1.0, 2.0], [1.0, 1.0]), [([1.0, 2.0], [0.5, 0.25]), ([1.0, 0.0], [1.0, 0.0])]])
def test_targets_that_do_not_sum_to_1(at):
    """a - t is the gradient of cross-entropy for targets that sum to 1 alone."""
    report = am.check_derivative("cross_entropy", lambda z, t: loss_gradient(softmax(z), t), at=at)
    assert [mistake.name for mistake in report.mistakes] == ["target-sum"]
    assert "Write a*sum(t) - t" in str(report)
    write = lambda z, t: [a * sum(t) - b for a, b in zip(softmax(z), t, strict=True)]  # noqa: E731
    assert am.check_derivative("cross_entropy", write, at=at)


@pytest.mark.parametrize(("name", "df"), [
    ("softmax", lambda z: jacobian(softmax(z))),
    ("cross_entropy", lambda z, t: loss_gradient(softmax(z), t)),
    ("gelu", lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2))) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
])  # fmt: skip
def test_the_usual_form_is_not_blamed(name, df):
    """Where no better form is known, digits that the usual one loses are not worth a word."""
    report = am.check_derivative(name, df)
    assert report.verdict == "PASS"
    assert not report.mistakes


def test_a_formula_is_named_alone():
    """What one formula explains is not also the derivative of other functions."""
    report = am.check_derivative("relu", lambda x: 1.0)
    assert [mistake.name for mistake in report.mistakes] == ["formula"]
    report = am.check_derivative("tanh", lambda x: 0.0, at=8.0)
    assert "wrong-function" not in [mistake.name for mistake in report.mistakes]
