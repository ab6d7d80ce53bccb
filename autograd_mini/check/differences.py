"""The derivative of any function of floats by differences: extrapolated, on both sides, with an error bar.

Rely on: `differentiate(function, x) -> Estimate`. Not here: verdicts of derivatives. Read next: `check.tasks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A slope by differences."""

    slope: float
    error: float  # how far off it may be
    left: float  # the slope on the left alone
    right: float
    is_kink: bool  # do the two differ by more than their errors?
    order: float  # the observed order of convergence: 2 for a smooth function, 0 at a kink
    curve: tuple[tuple[float, float], ...]  # (step, slope of the central difference)


def differentiate(function: Callable[[float], float], x: float) -> Estimate:
    """Return the slope of a function at x."""
    raise NotImplementedError
