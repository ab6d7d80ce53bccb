"""Compiled functions: transforms and models, when it traces again, and when it calls the function itself."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import pickle
import threading
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest
import sympy
from hypothesis import given, settings

import autograd_mini as am
from autograd_mini.compile.backends import BACKENDS
from autograd_mini.core.row import TABLE
from autograd_mini.transforms import trees
from tests.compile.programs import bits, leaves, points, programs, run
from tests.effort import effort

Pair = namedtuple("Pair", "x y")


def f(x, y):
    return am.exp(x * y) + am.sin(x) / y


def h(xs):
    return am.sum([am.sqrt(x * x + 1.0) * xs[0] for x in xs]) * am.maximum(*xs)


def agree(a, b, digits=14):
    return all(
        math.isclose(x, y, rel_tol=10.0**-digits, abs_tol=10.0**-digits)
        for x, y in zip(leaves(a), leaves(b), strict=True)
    )


XS = [0.3, -0.2, 1.5]
NESTINGS = {
    "grad": (am.grad(f, (0, 1)), 0.5, 2.0),
    "grad of grad": (am.grad(am.grad(f), 1), 0.5, 2.0),
    "third": (am.grad(am.grad(am.grad(f))), 0.5, 2.0),
    "value_and_grad": (am.value_and_grad(h), XS),
    "value_and_grad with something else": (
        am.value_and_grad(lambda x: (x * x, {"a": am.exp(x), "b": [x, 1.0]}), has_aux=True), 0.5,
    ),
    "hessian": (am.hessian(h), XS),
    "hessian of an array": (am.hessian(lambda xs: h(list(xs))), np.array(XS)),
    "jacobian": (am.jacobian(lambda xs: [x * xs[0] / xs[1] for x in xs]), XS),
    "jacobian of an array": (am.jacobian(lambda xs: xs * xs[0] - xs[::-1]), np.array(XS)),
    "jvp": (lambda x, t: am.jvp(f, (x, 2.0), (t, 1.0)), 0.5, 2.0),
    "vjp": (lambda x, t: am.vjp(f, x, 2.0)[1](t), 0.5, 2.0),
    "hvp": (lambda xs, v: am.hvp(h, (xs,), (v,)), XS, [1.0, 0.0, 2.0]),
    "grad of jvp": (am.grad(lambda x: am.jvp(f, (x, 2.0), (x, 1.0))[1]), 0.5),
    "jvp of grad": (lambda x: am.jvp(am.grad(f), (x, 2.0), (1.0, 0.0)), 0.5),
    "hessian of a penalty": (am.hessian(lambda xs: am.sum([g * g for g in am.grad(h)(xs)])), XS),
    "a dict": (am.grad(lambda p: p["w"][0] * p["w"][1] + p["b"]), {"w": [2.0, 5.0], "b": 1.0}),
    "a named tuple": (am.value_and_grad(lambda p: p.x / p.y), Pair(1.0, 3.0)),
    "an ordered dict": (am.grad(lambda p: p["b"] - p["a"] * 2.0), OrderedDict(b=1.0, a=2.0)),
    "None": (lambda x, nothing: [x * 2.0, nothing], 1.5, None),
    "a constant": (lambda x: [x, 3.0], 1.0),
    "no arguments": (lambda: am.exp(1.0),),
    "an array without dimensions": (lambda x: x * 2.0, np.array(1.5)),
    "a matrix": (lambda a: a @ a.T, np.arange(6.0).reshape(2, 3)),
    "a composite": (am.grad(am.composite(lambda x: am.relu(x) * x)), 0.5),
    "stop_gradient": (am.grad(lambda x: am.stop_gradient(x) * x), 3.0),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NESTINGS)
def test_transforms(name, backend):
    """Every transform, nested, and every structure gives what the function itself gives."""
    function, *args = NESTINGS[name]
    compiled, expected = am.jit(function, backend=backend), function(*args)
    found = compiled(*args)
    assert agree(found, expected)
    assert isinstance(found, float) if isinstance(expected, float) else type(found) is type(expected)
    assert bits(compiled(*args)) == bits(found)
    assert compiled.stats.calls == 2


ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign"]
ACTIVATIONS += ["log_sigmoid", "hard_tanh"]
LOSSES = {
    "cross_entropy": lambda z: am.cross_entropy(z, 1),
    "log_softmax": lambda z: am.log_softmax(z)[0] * z[1],
    "softmax": lambda z: am.softmax(z)[2],
    "binary_cross_entropy": lambda z: am.binary_cross_entropy(z[0], 0.3),
    "huber": lambda z: am.huber(z[0], z[1]),
    "norm": lambda z: am.norm(z),
    "take": lambda z: am.take(z, am.where(z[0] > 0.0, 1.0, 2.0)) * z[0],
    **{name: functools.partial(lambda name, z: getattr(am, name)(z[0]) * z[1], name) for name in ACTIVATIONS},
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_functions(name):
    """Functions that are composed of others, their gradients and Hessians, one sample and a batch, at kinks too."""
    points = [[*p] for p in itertools.product([-30.0, -1.0, -0.0, 0.0, 0.7, 40.0], [-2.0, 0.0, 1.0], [0.5, 1e-9])]
    for transform in (am.value_and_grad, am.hessian):
        function = transform(LOSSES[name])
        one, many = am.jit(function), am.jit(function, in_axes=0)
        results = leaves_by_sample(many(points), len(points))
        for point, result in zip(points, results, strict=True):
            expected = function(point)
            assert agree(one(point), expected, 13), point
            assert agree(result, leaves(expected), 13), point


def leaves_by_sample(result, samples):
    columns = [np.asarray(leaf).reshape(samples, -1).T for leaf in flat(result)]
    return [[float(row[i]) for column in columns for row in column] for i in range(samples)]


def flat(result):
    return [leaf for part in result for leaf in flat(part)] if isinstance(result, (list, tuple)) else [result]


TARGETS = {
    "cross_entropy": lambda x, y, t: am.cross_entropy([x, y, 0.5], [t, 1.0 - t, 0.0]),
    "nll": lambda x, y, t: am.nll([x, y], [t, 1.0 - t]),
    "binary_cross_entropy": lambda x, y, t: am.binary_cross_entropy([x, y], [t, 1.0 - t]),
    "hinge": lambda x, y, t: am.hinge([x, y], [2.0 * t - 1.0, 1]),
    "huber": lambda x, y, t: am.huber([x, y], [t, 0.5], 2.0 - t),
    "mse": lambda x, y, t: am.mse([x, y], [t, 0.5]),
    "mae": lambda x, y, t: am.mae([x, y], [t, 0.5]),
}


@pytest.mark.parametrize("transform", ["value", "gradient", "hessian"])
@pytest.mark.parametrize("name", TARGETS)
def test_targets_of_losses(name, transform):
    """Targets, labels and settings may be arguments."""
    loss = TARGETS[name]
    function = {
        "value": loss,
        "gradient": am.value_and_grad(loss, (0, 1)),
        "hessian": lambda x, y, t: am.hessian(lambda xs: loss(*xs, t))([x, y]),
    }[transform]
    points = [*itertools.product([-800.0, -0.5, 0.0, 0.5, 2.0], [-0.5, 0.0, 3.0], [0.0, 1.0])]
    one, many = am.jit(function), am.jit(function, in_axes=0)
    found = leaves_by_sample(many(*zip(*points, strict=True)), len(points))
    for point, result in zip(points, found, strict=True):
        expected = leaves(function(*point))
        for answer in (result, leaves(one(*point))):
            pairs = zip(answer, expected, strict=True)
            assert all((a != a and b != b) or math.isclose(a, b, rel_tol=1e-13) for a, b in pairs), (point, expected)


def test_wrong_targets():
    """What eager mode refuses is nan while tracing, with its derivative."""
    for loss, good, bad in ((am.hinge, -1.0, 0.0), (lambda x, d: am.huber(x, 0.0, d), 0.5, 0.0)):
        compiled = am.jit(am.value_and_grad(loss))
        assert compiled(3.0, good) == am.value_and_grad(loss)(3.0, good)
        assert bits(compiled(3.0, bad)) == ["nan", "nan"]
    with pytest.raises(am.ArgumentError, match="label"):
        am.hinge(3.0, 0.0)


# -- inside and outside ------------------------------------------------------------------------------------------------


def test_compiled_inside_compiled():
    """A compiled function inside another one is traced with it, a batch of them too."""
    inner = am.jit(f)
    outer = am.jit(am.grad(lambda x: inner(x, 2.0) * inner(2.0, x)))
    assert outer(0.5) == am.grad(lambda x: f(x, 2.0) * f(2.0, x))(0.5)
    assert not inner._compiled
    batch = am.jit(f, in_axes=(0, None), reduce="mean")
    assert am.jit(am.grad(lambda w: batch([0.5, 0.6], w)))(2.0) == am.grad(lambda w: (f(0.5, w) + f(0.6, w)) / 2.0)(2.0)
    assert am.jit(lambda x: inner(x, 2.0), in_axes=0)([0.5, 0.6]).tolist() == [f(0.5, 2.0), f(0.6, 2.0)]


def test_derivatives_of_compiled_functions():
    """Differentiating a compiled function from outside gives the derivative of the function itself."""
    compiled = am.jit(f)
    compiled(1.0, 1.0)
    assert am.grad(compiled, (0, 1))(0.5, 2.0) == am.grad(f, (0, 1))(0.5, 2.0)
    assert am.hessian(am.jit(h))(XS) == am.hessian(h)(XS)
    assert am.jvp(compiled, (0.5, 2.0), (1.0, 0.0)) == am.jvp(f, (0.5, 2.0), (1.0, 0.0))
    x = am.Value(0.5)
    compiled(x, 2.0).backward()
    assert x.grad == am.grad(f)(0.5, 2.0)
    batch = am.jit(f, in_axes=(0, None))
    total = am.sum(batch([am.Value(1.0), x], 2.0))
    total.backward()
    assert x.grad == 2.0 * am.grad(f)(0.5, 2.0)
    assert am.grad(lambda w: am.jit(f, in_axes=(0, None), reduce="sum")([0.5, 0.6], w))(2.0) == am.grad(
        lambda w: f(0.5, w) + f(0.6, w)
    )(2.0)


def test_derivatives_at_constants():
    """Inside a trace, a derivative at a number may use traced numbers, such as the first step of Newton's method."""

    def root(a):
        x = 1.0
        for _ in range(6):
            g = lambda x: x * x - a  # noqa: E731
            x = x - g(x) / am.grad(g)(x)
        return x

    for function in (root, am.grad(root), am.value_and_grad(root)):
        assert am.jit(function)(2.0) == function(2.0)
    assert agree(am.jit(am.grad(am.grad(root)))(2.0), am.grad(am.grad(root))(2.0))
    for function, expected in (
        (lambda a: am.grad(lambda x, y: x * x * y)(3.0, a), 30.0),
        (lambda a: am.grad(lambda x: x * x)(3.0), 6.0),
        (lambda a: am.grad(lambda x: am.grad(lambda y: x * y * a)(2.0))(3.0), 5.0),
        (lambda a: am.hessian(lambda x: x[0] * x[1] * a)([3.0, 1.0]), [[0.0, 5.0], [5.0, 0.0]]),
        (lambda a: am.jvp(lambda x: x * x * a, (3.0,), (1.0,)), (45.0, 30.0)),
        (lambda a: am.vjp(lambda x: x * x * a, 3.0)[1](1.0), (30.0,)),
        (lambda a: am.hvp(lambda x: x * x * a, (3.0,), (1.0,)), 10.0),
        (lambda a: am.jacobian(lambda x: [x[0] * a, a])([1.0]), [[5.0], [0.0]]),
    ):
        assert am.jit(function)(5.0) == expected
    with pytest.raises(am.TraceError):
        am.jit(lambda a: float(am.grad(lambda x: x * a)(3.0)))(5.0)


def test_formulas():
    """Symbols pass through a compiled function."""
    x = sympy.Symbol("x", real=True)
    assert am.jit(lambda x: x * x + 1)(x) == x**2 + 1
    assert "x**2" in str(am.symbolic.formula(am.jit(lambda x: x * x), "x"))


def test_provenance():
    """Under `provenance`, the answer is the same."""
    with am.provenance():
        assert am.jit(am.grad(f))(0.5, 2.0) == am.grad(f)(0.5, 2.0)


def test_checked():
    """Under `checked`, the function itself runs: it raises where eager mode does, and not behind a branch."""
    root, safe = am.jit(am.grad(am.sqrt)), am.jit(am.value_and_grad(lambda x: am.where(x > 0.0, am.log(x), x)))
    assert root(0.0) == math.inf
    with am.checked():
        with pytest.raises(am.NonFiniteError, match="sqrt"):
            root(0.0)
        assert root(4.0) == 0.25
        assert safe(1.0) == (0.0, 1.0)
        model = am.nn.MLP(1, [1], seed=0)
        assert type(am.jit(model)([1.0])) is float


def test_kinks():
    """Under `kinks`, they are reported as in eager mode."""
    slope = am.jit(am.grad(abs))
    slope(0.0)
    with am.kinks() as found:
        assert slope(0.0) == 0.0
    assert "abs" in str(found)


def test_no_grad():
    """Inside `no_grad`, a compiled derivative is a derivative; `no_grad` inside the function makes a constant."""

    def constant(x):
        with am.no_grad():
            return x * x

    with am.no_grad():
        assert am.jit(am.grad(f))(0.5, 2.0) == am.grad(f)(0.5, 2.0)
    assert am.jit(am.grad(lambda x: constant(x) * x))(3.0) == 9.0


OPPOSITE = {
    "jacobian": am.jacobian(lambda xs: [opposite(*xs), opposite(*xs) * xs[0]]),
    "hessian": am.hessian(lambda xs: opposite(*xs) * xs[1]),
    "jacobian of grad": am.jacobian(am.grad(lambda xs: opposite(*xs) * xs[0])),
    "jvp of jacobian": lambda xs: am.jvp(am.jacobian(lambda xs: [opposite(*xs), opposite(*xs)]), (xs,), ([1.0, 2.0],)),
    "two sweeps": lambda xs: [am.vjp(opposite, *xs)[1](seed) for seed in xs],
}


def opposite(x, y):
    condition = ((x < y) == False) ^ (y == 0.0)  # noqa: E712
    return am.where(condition, x * x, y) * am.where(condition == False, y, x * y)  # noqa: E712


@pytest.mark.parametrize("name", OPPOSITE)
def test_opposite_conditions(name):
    """The opposite of a condition, and the condition itself, may be used in several sweeps."""
    compiled = am.jit(OPPOSITE[name])
    for xs in itertools.product([0.5, 3.0, 0.0, math.nan], [1.0, 0.0, -2.0]):
        assert bits(compiled([*xs])) == bits(OPPOSITE[name]([*xs])), xs


SECOND = {
    "hessian": am.hessian,
    "grad of grad": lambda f: am.grad(lambda xs: am.sum(am.grad(f)(xs))),
    "hvp": lambda f: lambda xs: am.hvp(f, (xs,), ([1.0, -0.5, 0.0],)),
    "jvp of grad": lambda f: lambda xs: am.jvp(am.grad(f), (xs,), ([1.0, -0.5, 0.0],)),
}


@settings(max_examples=effort(30, 500))
@pytest.mark.parametrize("name", SECOND)
@given(steps=programs, samples=points)
def test_second_derivatives_of_random_programs(name, steps, samples):
    """Second derivatives have the bits of the same rules on `Value`s, at special points too."""
    f = SECOND[name](lambda xs: run(steps, xs))
    compiled = am.jit(f)
    for sample in samples[:4]:
        expected = [getattr(leaf, "data", leaf) for _, leaf in trees.numbers(f([*map(am.Value, sample)]))]
        assert bits(compiled(sample)) == bits(expected), sample


@settings(max_examples=effort(30, 500))
@given(steps=programs, samples=points)
def test_forward_mode_of_random_programs(steps, samples):
    """Dual numbers of traced ones, which comparisons meet on either side, have the bits of eager mode."""
    f = lambda xs: am.jvp(lambda xs: run(steps, xs), (xs,), ([1.0, -0.5, 0.0],))  # noqa: E731
    compiled = am.jit(f)
    for sample in samples[:4]:
        assert bits(compiled(sample)) == bits(f(sample)), sample


# -- models ------------------------------------------------------------------------------------------------------------


def test_a_model():
    """A compiled module reads its parameters at each call, so it need not be compiled again after a step."""
    model = am.nn.MLP(2, [3, 1], seed=1)
    compiled = am.jit(model)
    before = compiled([0.1, 0.2])
    assert before == model([0.1, 0.2]).data
    for parameter in model.parameters():
        parameter.data *= 2.0
    assert compiled([0.1, 0.2]) == model([0.1, 0.2]).data != before
    assert len(compiled._compiled) == 1
    assert am.jit(model, in_axes=0)(np.array([[0.1, 0.2]] * 3)).tolist() == [model([0.1, 0.2]).data] * 3
    assert am.jit(model, in_axes=(0,))([[0.1, 0.2]]).tolist() == [model([0.1, 0.2]).data]
    assert compiled.tape.inputs[:2] == ("layers.0.neurons.0.w.0", "layers.0.neurons.0.w.1")
    assert compiled.tape.inputs[-2:] == ("x[0]", "x[1]")


def test_a_step_of_training():
    """The mean gradient over a batch is that of a loop over the samples."""
    model = am.nn.MLP(2, [4, 2], seed=1)
    params = model.state_dict()
    inputs, targets = [[0.1 * i, 0.2] for i in range(6)], [i % 2 for i in range(6)]

    def loss(params, x, target):
        logits = am.nn.functional_call(model, params, (x,))
        return am.sum(logits) - am.take(logits, target) * 2.0

    step = am.jit(am.value_and_grad(loss), in_axes=(None, 0, 0), reduce="mean")
    value, slopes = step(params, inputs, targets)
    each = [am.value_and_grad(loss)(params, x, t) for x, t in zip(inputs, targets, strict=True)]
    assert math.isclose(value, sum(v for v, _ in each) / 6.0, rel_tol=1e-14)
    assert list(slopes) == list(params)
    for name, slope in slopes.items():
        assert math.isclose(slope, sum(g[name] for _, g in each) / 6.0, rel_tol=1e-12, abs_tol=1e-15)


def test_a_module_with_a_static_argument():
    """Positions of static arguments count from the first argument of the call."""

    class Repeated(am.nn.Module):
        def __init__(self):
            self.w = am.Value(3.0)

        def __call__(self, n, x):
            return am.sum([self.w * x for _ in range(n)])

    compiled = am.jit(Repeated(), static_argnums=0)
    assert (compiled(2, 1.0), compiled(3, 1.0)) == (6.0, 9.0)
    with pytest.raises(am.TraceError, match="static_argnums"):
        am.jit(Repeated())(2, 1.0)


# -- arguments ---------------------------------------------------------------------------------------------------------


def test_static_arguments():
    """Each value of a static argument is compiled separately; equal numbers of another type or sign differ."""
    power = am.jit(lambda x, n: x**n, static_argnums=1)
    assert [power(3.0, n) for n in (0, 1, 2, 2)] == [1.0, 3.0, 9.0, 9.0]
    assert len(power._compiled) == 3
    scaled = am.jit(lambda x, k: x * k[0], static_argnums=-1)
    assert [str(scaled(1.0, (k,))) for k in (0.0, -0.0)] == ["0.0", "-0.0"]
    kind = am.jit(lambda x, k: x * (2.0 if k is True else 3.0), static_argnums=(1,))
    assert [kind(1.0, True), kind(1.0, 1)] == [2.0, 3.0]
    default = am.jit(lambda x, n=2: x**n, static_argnums=1)
    assert (default(3.0), default(3.0, 3)) == (9.0, 27.0)
    assert am.jit(lambda *xs: xs[0], static_argnums=5)(2.0) == 2.0
    last = am.jit(lambda x, n=2: x**n, static_argnums=-1)
    assert [last(x) for x in (3.0, 4.0)] == [9.0, 16.0]
    assert len(last._compiled) == 1


@dataclass(frozen=True)
class Setting:
    k: object


@pytest.mark.parametrize(
    "settings",
    [
        [Setting(k) for k in (0.0, -0.0, 1, 1.0, True)],
        [(Setting(k), 1) for k in (0.0, -0.0, 1, True)],
        [np.float32(k) for k in (0.0, -0.0)],
        [complex(0.0, k) for k in (0.0, -0.0)],
        [frozenset([k]) for k in (0.0, -0.0, 1, True)],
        [Decimal(k) for k in ("0", "-0", "1.0", "1.00")],
        [range(0), range(1, 1)],
        [Pair(0.0, 1), Pair(-0.0, 1), (0.0, 1), Pair(0.0, True)],
        ["a", "b", b"a", None, am.exp, am.sin],
    ],
    ids=lambda settings: type(settings[0]).__name__,
)
def test_static_arguments_that_are_equal(settings):
    """Static arguments that are equal, but are or hold other numbers, are others; the same one is compiled once."""
    seen = []
    compiled = am.jit(lambda setting, x: seen.append(setting) or x, static_argnums=0)
    for setting in (*settings, *settings):
        compiled(setting, 1.0)
    assert list(map(repr, seen)) == list(map(repr, settings))


def test_named_arguments():
    """An argument that could be given by position means the same by name: its axis, and whether it is static."""

    def f(x, w=1.0, n=2, *, shift=0.0):
        return am.sum([x * w] * n) + shift

    xs, ws = np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0])
    for static in (2, -1):
        one, many = am.jit(f, static_argnums=static), am.jit(f, in_axes=(0, None, None), static_argnums=static)
        assert one(3.0, n=4) == one(n=4, x=3.0) == one(3.0, 1.0, 4) == 12.0
        assert one(3.0, shift=1.0, w=2.0) == 13.0
        for found in (many(xs, 2.0, 3), many(xs, 2.0, n=3), many(n=3, w=2.0, x=xs), many(xs, n=3, w=2.0)):
            assert found.tolist() == [6.0, 12.0, 18.0]
    every = am.jit(lambda x, w, *, shift=0.0: x * w + shift, in_axes=0, reduce="sum")
    for found in (every(xs, ws), every(xs, w=ws), every(w=ws, x=xs), every(xs, w=ws, shift=0.0)):
        assert found == 38.0
    assert am.grad(lambda k: every(w=ws, x=xs, shift=k))(0.0) == 3.0
    assert am.jit(lambda x, number=1.0: x * number)(3.0, number=2.0) == 6.0
    model = am.nn.Linear(2, 1, seed=0)
    batch = am.jit(model, in_axes=0)
    assert batch(x=np.ones((3, 2))).tolist() == batch(np.ones((3, 2))).tolist()
    with pytest.raises(am.ArgumentError, match=r"w is 2\.0, which has no axis"):
        every(xs, w=2.0)
    with pytest.raises(am.ArgumentError, match=r"in_axes is \(0, None\), for 1 positional argument"):
        am.jit(f, in_axes=(0, None))(xs, n=2)
    compared = am.compare(am.jit(f, in_axes=(0, None), static_argnums=2), w=2.0, x=xs)
    assert compared.ok
    assert compared.results == 3


def test_keys_of_structures():
    """Structures that are written alike are others: classes of one name, keys of a dict with one text."""

    def pair(scale):
        class Weighted(Pair):
            def total(self):
                return scale * self.x + self.y

        return Weighted(1.0, 2.0)

    for options, wrap in (({}, lambda p: p), ({"in_axes": 0}, lambda p: [p]), ({}, lambda p: [[p]])):
        total = am.jit(lambda p: (p[0][0] if isinstance(p, list) else p).total(), **options)
        found = [total(wrap(pair(scale))) for scale in (1.0, 100.0)]
        assert [float(np.asarray(x).item()) for x in found] == [3.0, 102.0]

    class Key:
        def __repr__(self):
            return "<key>"

    first, second = Key(), Key()
    pick = am.jit(lambda d: (d.get(first) or [0.0])[0])
    assert [pick({first: [2.0]}), pick({second: [3.0]})] == [2.0, 0.0]


def test_structures_are_compiled_once():
    """A tape serves all calls with one structure of arguments; another structure gets another tape."""
    calls = []

    def counted(x, scale=1.0):
        calls.append(x)
        return am.sum(list(x.values()) if isinstance(x, dict) else list(x)) * scale

    compiled = am.jit(counted)
    for x in ([1.0, 2.0], [3.0, 4.0], (1.0, 2.0), [1.0, 2.0, 3.0], {"a": 1.0}, {"b": 1.0}, np.ones(3), np.zeros(3)):
        compiled(x)
    assert len(calls) == 6
    assert compiled([1.0, 2.0], scale=3.0) == 9.0
    assert compiled({"b": 2.0, "a": 5.0}) == compiled({"a": 5.0, "b": 2.0}) == 7.0


def test_order_of_dicts():
    """Numbers of a dict belong to their keys, in whatever order it holds them, for each sample too."""
    minus = am.jit(lambda p: p["a"] - p["b"])
    assert minus({"a": 5.0, "b": 1.0}) == minus({"b": 1.0, "a": 5.0}) == 4.0
    many = am.jit(lambda p: p["a"] - p["b"], in_axes=0)
    assert many([{"a": 5.0, "b": 1.0}, {"b": 1.0, "a": 5.0}]).tolist() == [4.0, 4.0]
    assert many({"b": [1.0, 2.0], "a": [5.0, 7.0]}).tolist() == [4.0, 5.0]


def test_axes():
    """`in_axes` may be any axis of an array, of arrays in a structure too."""
    a = np.arange(24.0).reshape(2, 3, 4)

    def g(x, k):
        return x[0][1] * k - x[1][0]

    for axis, samples in ((0, None), (1, 3), (2, 4), (-1, 4), (-2, 3)):
        if samples is None:
            continue
        moved = np.moveaxis(a, axis, 0)
        found = am.jit(g, in_axes=(axis, None))(a, 2.0)
        assert found.tolist() == [g(moved[i], 2.0) for i in range(samples)]
    both = am.jit(lambda p: p["x"] * p["y"][0], in_axes=0)
    assert both({"x": np.arange(3.0), "y": [np.ones(3) * 2.0]}).tolist() == [0.0, 2.0, 4.0]
    assert am.jit(lambda p: p[0] * p[1], in_axes=0)(([1.0, 2.0], [3.0, 4.0])).tolist() == [2.0, 12.0]
    assert am.jit(lambda p: p[0] * p[1], in_axes=0)([(1.0, 2), (3.0, 4)]).tolist() == [2.0, 12.0]


def test_no_numbers_in_a_batch():
    """Samples without numbers still count as samples."""
    for backend in BACKENDS:
        assert am.jit(lambda x: 2.0, in_axes=0, backend=backend)(np.empty((3, 0))).tolist() == [2.0] * 3
        assert am.jit(lambda x: 2.0, in_axes=0, reduce="sum", backend=backend)(np.empty((3, 0))) == 6.0
        assert am.jit(lambda x, w: w, in_axes=(0, None), backend=backend)([1.0, 2.0], 5.0).tolist() == [5.0, 5.0]
        assert am.jit(lambda x, w: w, in_axes=(0, None), reduce="sum", backend=backend)([1.0, 2.0], 5.0) == 10.0


def test_empty_batches_inside_others():
    """An empty batch inside a derivative or trace has the structure, and the sum, of one outside."""
    for reduce, expected in ((None, []), ("sum", 0.0), ("mean", math.nan)):
        batch = am.jit(lambda x, w: [x * w, w], in_axes=(0, None), reduce=reduce)
        outside = batch([], 2.0)
        inside = am.jit(lambda w: batch([], w))(2.0)  # noqa: B023
        with am.checked():
            watched = batch([], 2.0)
        for found in (outside, inside, watched):
            assert str([np.asarray(x).tolist() for x in found]) == str([expected] * 2)
    assert am.grad(lambda w: am.jit(lambda x, w: x * w, in_axes=(0, None), reduce="sum")([], w))(2.0) == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_out(backend):
    """`out=` takes arrays for the results: of the right shape and type, each for its own part."""
    compiled = am.jit(lambda x: {"a": x[0] * 2.0, "b": x}, in_axes=0, backend=backend)
    xs = np.arange(6.0).reshape(3, 2)
    out = {"b": np.zeros((3, 2)), "a": np.zeros(3)}
    assert compiled(xs, out=out) is out
    assert out["a"].tolist() == [0.0, 4.0, 8.0]
    assert out["b"].tolist() == xs.tolist()
    assert compiled(xs)["a"].tolist() == [0.0, 4.0, 8.0]
    square = am.jit(lambda x: x * x, in_axes=0, backend=backend)
    assert square(xs[:, 1], out=xs[:, 1]).tolist() == [1.0, 9.0, 25.0]
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    for wrong in (np.zeros(2), np.zeros((3, 1)), np.zeros(3, "f4"), [0.0] * 3, frozen, {"a": np.zeros(3)}):
        with pytest.raises(am.ArgumentError, match="out="):
            square(np.ones(3), out=wrong)
    for wrong in ({"a": np.zeros(3)}, {"a": np.zeros(3), "c": np.zeros((3, 2))}, np.zeros(3)):
        with pytest.raises(am.ArgumentError, match="Give it the same structure"):
            compiled(np.ones((3, 2)), out=wrong)
    for other in (am.jit(lambda x: x), am.jit(lambda x: x, in_axes=0, reduce="sum")):
        with pytest.raises(am.ArgumentError, match="out= takes arrays"):
            other([1.0], out=np.zeros(1))


WRONG = {
    "one axis too many": ({"in_axes": (0, 0)}, ([2.0],), r"in_axes is \(0, 0\), for 1 positional argument"),
    "no such axis": ({"in_axes": 3}, (np.ones((2, 2)),), r"x has no axis 3: it is an array of shape \(2, 2\)"),
    "a number": ({"in_axes": 0}, (2.0,), "x is 2.0, which has no axis"),
    "sizes": ({"in_axes": 0}, ([2.0], [1.0, 2.0]), "x has 1 sample, but y has 2"),
    "sizes of arrays": ({"in_axes": (1, 0)}, (np.ones((2, 3)), np.ones(2)), "x has 3 samples, but y has 2"),
    "ragged": ({"in_axes": 0}, ([[2.0], [1.0, 2.0]],), r"x\[1\] is a list of 2: .*, but the first sample is a list"),
    "other keys": ({"in_axes": 0}, ([{"a": 1.0}, {"b": 2.0}],), r"x\[1\] is a dict of 1: {'b': 2.0}, but the first"),
    "deep": ({"in_axes": 0}, ([[1.0, [2.0]], [[1.0], 2.0]],), r"x\[1\]"),
    "axis of a list": ({"in_axes": 1}, ([[1.0, 2.0]],), "in_axes is 1 for x, a list, whose entries are the samples"),
    "text": ({}, ("a",), "The argument x of a function compiled by jit.* not str: 'a'.(.|\n)*float\\(text\\)"),
    "a setting": ({}, (1.0, "sum"), r"The argument y of a function compiled(.|\n)*static_argnums"),
    "a function": ({}, (1.0, am.exp), r"The argument y of a function compiled(.|\n)*static_argnums"),
    "text in a batch": ({"in_axes": 0}, (np.array(["a", "b"]),), "not str_"),
    "objects": ({}, (np.array([1.0, "a"], object),), "not str: 'a'"),
    "complex": ({}, (1j,), "Values are real"),
    "complex in a batch": ({"in_axes": 0}, (np.array([1j]),), "Values are real"),
    "dates": ({"in_axes": 0}, (np.array(["2020-01-01"], "M8[D]"),), "not datetime64"),
    "masks": ({"in_axes": 0}, (np.ma.array([1.0, 2.0], mask=[0, 1]),), "Masks are not supported"),
    "long doubles": ({}, (np.array([np.longdouble("1e400")]),), "beyond the range of floats"),
    "long doubles in a batch": ({"in_axes": 0}, (np.array([np.longdouble("1e400")]),), "beyond the range of floats"),
    "a set": ({}, ({1.0, 2.0},), "not set"),
    "a generator": ({}, ((x for x in [1.0]),), "not generator"),
    "static list": ({"static_argnums": 1}, (2.0, [3]), "The static argument y is .* which has no hash"),
    "no static argument": ({"static_argnums": 2}, (2.0,), "there is no argument 2: the function takes 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name):
    """An argument that cannot be right is an error that names it and says what to do."""
    options, args, message = WRONG[name]
    with pytest.raises((am.ArgumentError, am.OperandError, am.RangeError), match=message) as caught:
        am.jit(lambda x, y=1.0: x * y, **options)(*args)
    assert "do:" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduce": "max", "in_axes": 0}, "There is no reduction 'max'"),
        ({"reduce": "sum"}, "in_axes marks no argument as one"),
        ({"reduce": "sum", "in_axes": (None, None)}, "in_axes marks no argument as one"),
        ({"in_axes": 0.0}, r"in_axes is 0\.0"),
        ({"in_axes": True}, "in_axes is True"),
        ({"in_axes": ({"a": 0},)}, "in_axes is"),
        ({"static_argnums": "n"}, "static_argnums is 'n'"),
        ({"static_argnums": (1, None)}, "static_argnums is"),
    ],
)
def test_wrong_options(options, message):
    """An option that cannot be right raises an error immediately."""
    with pytest.raises((am.ArgumentError, am.OperandError), match=message):
        am.jit(f, **options)


def test_wrong_results():
    """A result must be a number; the error names the part that is not."""
    x = am.Value(1.0)
    for function, message in (
        (lambda x: "a", "The result of the compiled function is 'a'"),
        (lambda x: [x, x > 0.0], r"The result\[1\] is the answer of a comparison"),
        (lambda y: {"a": x}, r"The result\['a'\] of the compiled function is Value(.|\n)*argument of the function"),
        (lambda x: (t for t in [x]), "generator"),
        (lambda x: 1j, "1j"),
    ):
        with pytest.raises(am.OperandError, match=message):
            am.jit(function)(1.0)
    with pytest.raises(am.OperandError, match=r"jit\(f\)\(x\)"):
        am.jit(3.0)
    with pytest.raises(am.ArgumentError, match="Call it first"):
        _ = am.jit(f).tape


# -- users' operations -------------------------------------------------------------------------------------------------


@pytest.fixture
def operations():
    """The table, restored afterwards."""
    names = {*TABLE}
    yield
    for name in {*TABLE} - names:
        del TABLE[name]


@pytest.mark.usefixtures("operations")
def test_a_users_operation():
    """Written with this package's functions, it works on all backends; with `math`, the error names it."""
    good = am.primitive("good", lambda x, y: 2.0 * am.exp(x) * y, lambda z, x, y: (z, 2.0 * am.exp(x)))
    function = am.value_and_grad(lambda x, y: good(x, y) * x, (0, 1))
    for backend in BACKENDS:
        assert agree(am.jit(function, backend=backend)(0.5, 2.0), function(0.5, 2.0))
        value, (by_x, by_y) = am.jit(function, in_axes=0, backend=backend)([0.5, 0.7], [2.0, 3.0])
        assert agree([value[1], by_x[1], by_y[1]], leaves(function(0.7, 3.0)))
    assert agree(am.jit(am.hessian(lambda x: good(x[0], x[1])))([0.5, 2.0]), am.hessian(lambda x: good(*x))([0.5, 2.0]))
    floats = am.primitive("floats", lambda x: math.exp(x), lambda y, x: (y,))
    branch = am.primitive("branch", lambda x: x if x > 0.0 else 2.0 * x, lambda y, x: (1.0 if x > 0.0 else 2.0,))
    for operation in (floats, branch):
        for backend in BACKENDS:
            with pytest.raises(am.TraceError, match=rf"The operation '{operation.__name__}' cannot be compiled"):
                am.jit(operation, backend=backend)(1.0)
            with pytest.raises(am.TraceError, match=r"this package's functions \(am.exp, not math.exp\)"):
                am.jit(am.grad(operation), backend=backend)(1.0)


# -- as an object ------------------------------------------------------------------------------------------------------


def test_pickling():
    """A compiled function is pickled by its function and options, and compiles again; so does a copy."""
    for compiled in (am.jit(h), am.jit(f, in_axes=(0, None), reduce="sum", backend="numpy")):
        args = (XS,) if compiled.function is h else ([0.5, 0.6], 2.0)
        expected = compiled(*args)
        for other in (pickle.loads(pickle.dumps(compiled)), copy.deepcopy(compiled), copy.copy(compiled)):
            assert not other._compiled
            assert other(*args) == expected
            assert other.tape == compiled.tape


@am.jit(static_argnums=1)
def decorated(x, n):
    return x * n


def test_pickling_a_decorated_function():
    """Its name leads to the compiled function, as with other functions."""
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert pickle.loads(pickle.dumps({"f": Squares.f}))["f"] is Squares.f
    assert copy.deepcopy(decorated)(2.0, 3) == 6.0


class Squares:
    @staticmethod
    @am.jit
    def f(x):
        return x * x


def test_threads():
    """Threads may call and compile one function at the same time."""
    compiled, found = am.jit(am.value_and_grad(h)), {}
    expected = {n: am.value_and_grad(h)([0.1 * i for i in range(1, n)]) for n in range(3, 11)}
    barrier = threading.Barrier(8)

    def work(n):
        barrier.wait()
        found[n] = [compiled([0.1 * i for i in range(1, n)]) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(n,)) for n in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(agree(result, expected[n]) for n in expected for result in found[n])


def test_a_method():
    """As a decorator it keeps name and text of the function; a method's object is an argument, which can be static."""

    class Scale:
        def __init__(self, k):
            self.k = k

        @am.jit(static_argnums=0)
        def times(self, x):
            """k times x."""
            return x * self.k

    two, three = Scale(2.0), Scale(3.0)
    assert (two.times(5.0), three.times(5.0)) == (10.0, 15.0)
    assert am.jit(two.times.__func__.function.__get__(two))(5.0) == 10.0
    assert (Scale.times.__name__, Scale.times.__doc__) == ("times", "k times x.")


def test_statistics():
    """`stats` says what compiling did, and `repr` how often it compiled."""
    compiled = am.jit(am.grad(f))
    compiled(0.5, 2)
    stats = compiled.stats
    assert stats.nodes["traced"] > stats.nodes["optimized"] == len(compiled.tape)
    assert stats.backend == "interpreter"
    assert stats.conversions == 1
    text = str(stats)
    for part in (
        "interpreter",
        "one sample",
        "19 instructions",
        "identities",
        "copies",
        "2 changed",
        "1 call",
        "converted 1 argument",
    ):
        assert part in text
    assert repr(compiled) == "<jit of f, compiled for 1 structure of arguments>"
    assert am.jit(f, in_axes=0)([0.5], [2.0]) == f(0.5, 2.0)
