"""Expansions: what a backend or language without a function computes in its place."""

from __future__ import annotations

import itertools
import math
import random

import mpmath
import pytest

from autograd_mini.compile import expansions
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.expansions import EXPANSIONS
from autograd_mini.compile.tracing import tracing
from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import Unrecorded
from tests.effort import effort
from tests.oracles import MEANING, derivative, exactly, ulps

SPECIAL = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 7.0, 30.0, 60.0, 1e300, 1.7976931348623157e308, 5e-324, math.inf]
SPECIAL = [*SPECIAL, *[-x for x in SPECIAL], math.nan, 0.25, 0.65, 0.9999999999999999]
CASES = [
    *[(name, n, ()) for name in EXPANSIONS if TABLE[name].arity is None for n in (2, 4, 6)],
    *[(name, TABLE[name].arity, ()) for name in EXPANSIONS if TABLE[name].arity in (1, 2, 3) and name != "round"],
    *[("round", 1, (digits,)) for digits in (0.0, -1.0, -5.0, -22.0)],
    *[("power_term", 2, (less, logs)) for less in (0.0, 1.0, 3.0) for logs in (0.0, 1.0, 2.0)],
]


def program(name, n, constants):
    """An expansion on registers, run by the interpreter."""
    with tracing() as builder:
        inputs = [Unrecorded(builder.input(f"x{i}")) for i in range(n)]
        result = EXPANSIONS[name](*inputs, *constants)
        return Program(builder.tape([result.data if isinstance(result, Unrecorded) else result]))


def points(row, n, count):
    """Random points of the row's domain, of all sizes."""
    rng = random.Random(row.name)
    for _ in range(count):
        point = []
        for low, high in ([*row.domain, row.domain[-1]] * n)[:n]:
            size = 10.0 ** rng.uniform(-20.0, 20.0)
            x = rng.choice([rng.uniform(-5.0, 5.0), rng.uniform(-50.0, 50.0), size, -size])
            point.append(x if low <= x <= high else rng.uniform(max(low, -1.0), min(high, max(low, -1.0) + 3.0)))
        yield tuple(point)


def is_near(got, expected, ulp):
    if not (math.isfinite(got) and math.isfinite(expected)):
        return repr(got) == repr(expected)
    return abs(got - expected) <= ulp * math.ulp(expected) and math.copysign(1.0, got) == math.copysign(1.0, expected)


@pytest.mark.parametrize(("name", "n", "constants"), CASES)
def test_an_expansion_is_its_row(name, n, constants):
    """Special values are those of the row, zeros with their sign; elsewhere it is within the errors of both."""
    run, row = program(name, n, constants), TABLE[name]
    rng = random.Random(name)
    special = itertools.product(SPECIAL, repeat=n) if n <= 2 else [rng.choices(SPECIAL, k=n) for _ in range(1000)]
    ulp = 0 if row.is_exact else 3 + sum(row.ulp[:1])
    for point in [*special, *points(row, n, effort(50, 5000))]:
        assert is_near(run(point)[0], row.function(*point, *constants), ulp), point


@pytest.mark.parametrize("name", [name for name in EXPANSIONS if name in MEANING])
def test_an_expansion_is_accurate(name):
    """It is within 3 ulp of the exact result, or as near as the row's own function."""
    row, exact = TABLE[name], derivative(MEANING[name], ())
    n = row.arity or 2
    run = program(name, n, ())
    for point in points(row, n, effort(25, 3000)):
        truth = exactly(exact, *point)
        assert ulps(run(point)[0], truth) <= max(3.0, ulps(row.function(*point), truth)), point


def interpolation(function, low, high, n):
    """The polynomial in u from -1 to 1 that meets a function of the interval at n Chebyshev points."""
    nodes = [mpmath.cos(mpmath.pi * (k + 0.5) / n) for k in range(n)]
    values = mpmath.matrix([function((high - low) / 2 * u + (low + high) / 2) for u in nodes])
    return list(mpmath.lu_solve(mpmath.matrix([[u**j for j in range(n)] for u in nodes]), values))


def shifted(polynomial, scale, shift):
    """The coefficients of p(scale * v + shift)."""
    return [
        sum(c * mpmath.binomial(i, j) * scale**j * shift ** (i - j) for i, c in enumerate(polynomial) if i >= j)
        for j in range(len(polynomial))
    ]


def test_coefficients():
    """The polynomials of the error functions are computed again."""
    with mpmath.workdps(60):
        edge, half_pi = mpmath.mpf("0.65"), mpmath.sqrt(mpmath.pi) / 2
        z = edge * edge

        def near(z):
            return mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1

        def far(t):
            x = 1 / t - 1
            return mpmath.log(x * mpmath.erfc(x)) + x * x + 0.5625

        def near_inverse(z):
            return (mpmath.erfinv(mpmath.sqrt(z)) / mpmath.sqrt(z) - half_pi) / z

        def far_inverse(t):
            r = 1 / t - 2
            return mpmath.findroot(lambda y: mpmath.log(mpmath.erfc(y)) + r * r, 0.9 * r) - r

        least = mpmath.sqrt(-mpmath.log(1 - edge))
        most = mpmath.sqrt(53 * mpmath.log(2))
        computed = {
            "_NEAR_ERF": shifted(interpolation(near, 0, z, 11), 2 / z, -1),
            "_FAR_ERFC": interpolation(far, mpmath.mpf(1) / 29, 1 / (edge + 1), 27),
            "_NEAR_ERFINV": shifted(interpolation(near_inverse, 0, z, 18), 2 / z, 0),
            "_FAR_ERFINV": interpolation(far_inverse, 1 / (most + 2), 1 / (least + 2), 22),
        }
    for name, coefficients in computed.items():
        found = getattr(expansions, name)
        assert len(found) == len(coefficients)
        assert all(abs(a - b) <= 1e-12 * abs(b) for a, b in zip(found, coefficients, strict=True)), name
