"""Every row of the table: values, partials and higher derivatives against mpmath, proofs against SymPy, special values."""

from __future__ import annotations

import math
import random

import mpmath
import pytest
import sympy

import autograd_mini as am
from autograd_mini import primitives
from autograd_mini.primitives import TABLE, ZERO
from autograd_mini.symbolic import exact
from tests.oracles import MEANING, X, Y, arity, derivative, derivatives, exactly, ulps

SMOOTH = [row for row in TABLE.values() if row.ulp]
OPERATION = {row.name: getattr(primitives, {"sum": "sum_of", "dot": "dot_of"}.get(row.name, row.name)) for row in SMOOTH}


def points(row, n, order, count):
    """Points of a row's domain: uniform, on all scales, and close to the ends; the same ones in every run."""
    generator = random.Random(f"{row.name} {order}")

    def number(low, high):
        kind = generator.randrange(3)
        if kind == 0:
            return generator.uniform(max(low, -20.0), min(high, 20.0))
        if kind == 1:  # all scales; derivatives of order 2 and 3 overflow on the outermost
            widest = 300 if order < 2 else 60
            size = 10.0 ** generator.uniform(-widest, widest)
            number = size if low >= 0 or generator.random() < 0.5 else -size
            return number if low <= number <= high else generator.uniform(max(low, -1e3), min(high, 1e3))
        distance = 10.0 ** generator.uniform(-12, 0)
        return generator.choice([max(low, -1e3) + distance, min(high, 1e3) - distance])

    intervals = [row.domain[min(i, len(row.domain) - 1)] for i in range(n)]
    return [tuple(number(*interval) for interval in intervals) for _ in range(count)]


def nested(operation, by):
    for position in by:
        operation = am.grad(operation, position)
    return operation


def worst_error(row, order, count):
    """The largest error over the domain, with the point where it occurs.

    A derivative of second or third order that changes sign cannot keep its digits close to its zero, whatever the
    rule: there the error is divided by the condition number, where that is above 16.
    """
    meaning = MEANING[row.name]
    n = arity(meaning)
    worst = (0.0, None, None)
    for by in derivatives(n, order):
        ours = nested(OPERATION[row.name], by)
        reference = derivative(meaning, by)
        for xs in points(row, n, order, count):
            sign = 1.0
            if row.name == "cbrt" and xs[0] < 0.0:
                sign = -1.0 if order % 2 == 0 else 1.0
            truth = sign * exactly(reference, *(map(abs, xs) if row.name == "cbrt" else xs))
            if truth != 0 and not 1e-290 < abs(truth) < 1e290:
                continue  # subnormal or overflowed: ulp mean nothing there
            error = ulps(float(ours(*xs)), truth)
            if error > 1.0 and order >= 2 and truth != 0:
                slopes = [
                    exactly(derivative(meaning, (*by, i)), *(map(abs, xs) if row.name == "cbrt" else xs)) for i in range(n)
                ]
                condition = sum(abs(x * slope / truth) for x, slope in zip(xs, slopes, strict=True))
                error /= max(1.0, float(condition) / 16.0)
            worst = max(worst, (error, by, xs), key=lambda found: found[0])
    return worst


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_accuracy(row, order):
    """Value and derivatives up to the third are as accurate as the row says, over its whole domain."""
    error, by, xs = worst_error(row, order, count=(200, 200, 60, 30)[order])
    assert error <= row.ulp[order], f"{error:.3g} ulp in derivative {by} at {xs}"


if __name__ == "__main__":  # python -m tests.test_primitives: measure the bounds that the rows store
    for row in SMOOTH:
        found = [worst_error(row, order, (2000, 2000, 300, 100)[order]) for order in range(4)]
        print(f"{row.name:14}", *[f"{e:9.3g}/{b:<4g}" for (e, _, _), b in zip(found, row.ulp, strict=True)])
        for (e, by, xs), b in zip(found, row.ulp, strict=True):
            if e > b:
                print("      ", by, xs, e)
