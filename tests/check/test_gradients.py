"""`check_grads`: first and second derivatives in both modes, kinks, domains, noise, wrong rules, bad input."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.row import TABLE, evaluate


def test_structures():
    """Arguments and results are structures of numbers; each input has its verdict, by name."""
    report = am.check_grads(
        lambda p, xs: {"y": am.dot(p["w"], xs) + p["b"], "z": [am.tanh(xs[0])]},
        ({"w": [0.5, -1.0], "b": 2.0}, [0.3, 1.2]),
    )
    assert report.verdict == "PASS"
    names = [finding.where for finding in report.findings]
    assert names[:3] == ["p['w'][0] → result['y']", "p['w'][1] → result['y']", "p['b'] → result['y']"]
    assert any(name.startswith("second derivative by xs[0] and ") for name in names)
    assert am.check_grads(lambda a: (a @ a).sum(), (np.arange(4.0).reshape(2, 2),)).ok


@pytest.mark.parametrize("f", [am.softmax, am.log_softmax, am.logsumexp, am.norm, lambda z: am.cross_entropy(z, 1)])
def test_functions_of_lists(f):
    """Functions of the package agree with differences in both modes."""
    assert am.check_grads(f, ([0.5, -1.0, 2.0],)).verdict == "PASS"


def test_plain_methods_of_values():
    """f may need `Value`s: it is called with them."""
    assert am.check_grads(lambda x: x.tanh() * x.exp(), (0.3,)).verdict == "PASS"


def test_a_wrong_rule_fails(new_primitives):
    """A primitive whose rule contradicts its function is FAIL."""
    am.primitive("wrong_square", lambda x: x * x, lambda y, x: (x,), check=False)

    def f(x, y):
        return am.exp(evaluate(TABLE["wrong_square"], (x,))) * y

    report = am.check_grads(f, (0.3, 2.0))
    assert [finding.verdict for finding in report.findings] == ["FAIL", "PASS"]
    with pytest.raises(AssertionError, match="observed order 0"):
        report.assert_ok()


@pytest.mark.parametrize("factor", [-0.8, 1.001, 0.0, math.nan, math.inf])
def test_small_wrong_slopes(factor, new_primitives):
    """A slope of 5e-6 is not hidden by a tolerance: -4e-6 is FAIL."""
    am.primitive("slight", lambda x: 5e-6 * x, lambda y, x: (5e-6 * factor,), check=False)
    report = am.check_grads(lambda x: evaluate(TABLE["slight"], (x,)), (1.3,), order=1)
    assert report.verdict == "FAIL"
    assert not report


def test_a_wrong_second_derivative(new_primitives):
    """A rule that is right but cannot be differentiated again is found only at order 2."""
    am.primitive("flat_rule", math.sin, lambda y, x: (math.cos(getattr(x, "data", x)),), check=False)

    def f(x):
        return evaluate(TABLE["flat_rule"], (x,))

    assert am.check_grads(f, (0.3,), order=1).verdict == "PASS"
    report = am.check_grads(f, (0.3,), order=2)
    assert report.verdict == "FAIL"
    assert report.findings[-1].where == "second derivative by x and x"


def test_a_detached_input_is_explained():
    """If nothing flows although the function depends on the input, the report says where to look."""
    report = am.check_grads(lambda x: am.stop_gradient(x) * 2.0, (0.3,))
    assert report.verdict == "FAIL"
    assert "Nothing flows" in str(report)


def test_noise_and_domain():
    """Differences cannot judge 1e-300 squared; a slope beside a hidden value is NOISE; outside is DOMAIN."""
    report = am.check_grads(lambda x: x**2, (1e-300,))
    assert report.verdict == "NOISE"
    assert report.ok
    assert am.check_grads(am.sin, (1e16,), order=1).verdict == "NOISE"
    assert not am.check_grads(am.sin, (1e16,), order=1).ok  # nothing but noise
    assert am.check_grads(am.log, (-1.0,)).verdict == "DOMAIN"
    chance = random.Random(1)
    assert "different numbers for the same input" in str(am.check_grads(lambda x: x * chance.random(), (1.0,)))


def test_kinks_have_both_slopes():
    """At a kink the derivative must lie between the slopes on both sides."""
    report = am.check_grads(lambda x, y: am.maximum(x, y) + abs(x), (2.0, 2.0), order=1)
    assert [finding.verdict for finding in report.findings] == ["KINK", "KINK"]
    assert [(finding.left, finding.right) for finding in report.findings] == [(1.0, 2.0), (0.0, 1.0)]
    assert am.check_grads(lambda x: abs(x.data if x.data else x), (0.0,), order=1).verdict == "KINK"


def test_linearity_in_the_seed(monkeypatch):
    """Twice the seed must give exactly twice the gradient."""
    from autograd_mini.check import gradients

    def pulled(f, *primals):
        result, pullback = am.vjp(f, *primals)
        return result, lambda seed: tuple([g * abs(seed) for g in pullback(seed)])

    monkeypatch.setattr(gradients, "vjp", pulled)
    report = am.check_grads(lambda x: x * x, (3.0,), order=1)
    assert any("linear in its seed" in finding.remark for finding in report.findings)


def test_the_page_has_a_curve():
    """In a notebook the report shows the error of differences over the step."""
    html = am.check_grads(am.exp, (1.0,))._repr_html_()
    assert html.count("<svg") == 2
    assert "check_grads: PASS" in html


@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_one_mode(mode):
    """Either mode may be checked alone."""
    assert am.check_grads(am.tanh, (0.3,), modes=(mode,)).ok


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: am.check_grads(3.0, (1.0,)), "takes a function, not 3.0"),
        (lambda: am.check_grads(am.sin, 1.0), "got 1.0 as the arguments"),
        (lambda: am.check_grads(am.sin, ("1",)), "not str: '1'"),
        (lambda: am.check_grads(am.sin, (1.0, 2.0)), "cannot be called with the 2 arguments"),
        (lambda: am.check_grads(am.sin, (1.0,), order=0), "order = 0"),
        (lambda: am.check_grads(am.sin, (1.0,), modes="rev"), "modes = 'rev'"),
        (lambda: am.check_grads(lambda x: "a", (1.0,)), "result is 'a'"),
    ],
)
def test_bad_input(call, what):
    """Errors say what is wrong."""
    with pytest.raises(am.AutogradError) as raised:
        call()
    assert what in str(raised.value)


def test_arguments_are_not_changed():
    """`Value`s among the arguments keep their gradients."""
    x = Value(2.0)
    x.grad = 5.0
    assert am.check_grads(lambda x: x * x, (x,)).ok
    assert (x.data, x.grad) == (2.0, 5.0)
