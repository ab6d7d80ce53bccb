"""What all tests share: Hypothesis without deadlines, and no skips where continuous integration forbids them."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Machines differ and are noisy: no test asserts a time. Examples are the same in every run.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With AUTOGRAD_MINI_NO_SKIP=1, a test that skips because something is missing fails."""
    report = yield
    if report.skipped and os.environ.get("AUTOGRAD_MINI_NO_SKIP") == "1" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be missing: {report.longrepr}"
    return report
