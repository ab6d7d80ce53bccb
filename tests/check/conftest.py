"""Tests may add primitives: they are removed again."""

from __future__ import annotations

import pytest

from autograd_mini.core.row import TABLE


@pytest.fixture
def new_primitives():
    """Forget the primitives that a test adds."""
    before = set(TABLE)
    yield
    for name in set(TABLE) - before:
        del TABLE[name]
