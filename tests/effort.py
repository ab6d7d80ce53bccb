"""How much a test tries: every day little enough to wait for it, with `pytest --exhaustive` as much as makes sense."""

from __future__ import annotations

exhaustive = False  # conftest.py sets it before any test is imported


def effort(everyday: int, thorough: int) -> int:
    """The number of points, examples or rounds of a test."""
    return thorough if exhaustive else everyday
