"""What derivatives cost, counted: operations of a gradient beside those of the value, walks of a sparse Hessian."""

from __future__ import annotations

import pytest

from tests.benchmarks.counts import PROGRAMS, cost, sweeps

# Their rules take more than a cheap gradient may: an exponential split in two to keep its digits (T11), and
# `hypot` twice instead of a square that overflows.
DEAR = {f"chain of {name}" for name in ("erf", "erfc", "erfinv", "ndtr", "atan2", "hypot")}


@pytest.mark.parametrize("name", PROGRAMS)
def test_cheap_gradient(name):
    """Value and gradient together take at most four times the operations of the value."""
    forward, both = cost(PROGRAMS[name])
    assert forward > 0
    assert both <= (7 if name in DEAR else 4) * forward
    assert (both > 4 * forward) == (name in DEAR), f"list {name} in DEAR, or make its rule cheaper"


def test_sparse_hessian():
    """The Hessian of a chain of 1,000 variables takes at least fifty times fewer walks than its rows one by one."""
    sparse, dense = sweeps(1000)
    assert 50 * sparse <= dense


def test_sweeps_do_not_depend_on_the_length():
    """The Hessian of a chain costs one sweep for the gradient and three products with vectors, however long it is."""
    assert {sweeps(n)[0] for n in (10, 100, 300)} == {1 + 3 * 2}
