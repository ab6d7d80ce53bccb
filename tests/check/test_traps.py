"""The traps of kind `checker`: where other checkers say yes to what is wrong, or no to what is right."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import autograd_mini as am

TRAPS = {trap["id"]: trap for trap in json.loads(Path(__file__).with_name("traps.json").read_text())["traps"]}


def nan_is_not_nan():
    """Outside the domain nothing is right."""
    report = am.check_grads(am.sqrt, (-1.0,))
    assert report.verdict == "DOMAIN"
    assert not report.ok
    assert not am.check_derivative("sqrt", lambda x: math.nan, at=-1.0).ok


def a_tail_is_not_hidden():
    """A wrong gradient of -1e-6 does not pass as a rounding of 4.5e-7."""
    assert am.check_derivative("tanh", lambda x: -1e-6, at=8.0).verdict == "FAIL"
    wrong = am.primitive("tail", math.tanh, lambda y, x: (-1e-6,), check=False)
    assert am.check_grads(wrong, (8.0,), order=1).verdict == "FAIL"


def steps_are_scaled():
    """The right gradient of a square passes at every size."""
    for x in (1e9, 1e13, -1e13, 1e150):
        assert am.check_grads(lambda x: x**2, (x,)).verdict == "PASS"


def a_kink_is_told():
    """At a kink the report holds both slopes."""
    report = am.check_grads(am.relu, (0.0,))
    (first, *_) = report.findings
    assert (report.verdict, first.left, first.right, first.claimed) == ("KINK", 0.0, 1.0, 0.0)
    assert report.ok


def bits_agree():
    """Arithmetic and roots have the same bits in NumPy and `math`; other functions differ by at most 3 ulp."""
    xs = np.random.default_rng(0).uniform(-5.0, 5.0, 2000)
    for name in ("exp", "tanh", "sinh", "expm1", "sin", "cos"):
        mine = [getattr(am, name)(float(x)) for x in xs]
        theirs = getattr(np, name)(xs)
        assert max(abs(a - b) / math.ulp(a) for a, b in zip(mine, theirs.tolist(), strict=True)) <= 3.0
    for a, b in zip(xs.tolist(), xs[::-1].tolist(), strict=True):
        assert (np.float64(a) * b, np.float64(a) / b, np.sqrt(abs(a))) == (a * b, a / b, am.sqrt(abs(a)))


TESTS = {
    "check-nan-equals-nan": nan_is_not_nan,
    "check-atol-hides-tail": a_tail_is_not_hidden,
    "check-step-1e9": steps_are_scaled,
    "check-kink-relu": a_kink_is_told,
    "check-bits-across-backends": bits_agree,
}


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name, new_primitives):
    """Every trap of kind `checker` is avoided."""
    TESTS[name]()
