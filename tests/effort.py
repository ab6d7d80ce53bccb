"""How much a test tries: little enough to wait for every day, as much as makes sense with `pytest --exhaustive`."""

from __future__ import annotations

exhaustive = False  # conftest.py sets it before any test is imported


def effort(everyday: int, thorough: int) -> int:
    """The number of points, examples or rounds of a test."""
    return thorough if exhaustive else everyday
