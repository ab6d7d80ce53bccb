"""What all tests share: Hypothesis without deadlines, peers that may be missing, no skips where CI forbids them."""

from __future__ import annotations

import gc
import importlib.util
import os

import pytest
from hypothesis import settings

from tests import effort

# Machines differ and are noisy: no test asserts a time. Examples are the same in every run.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("steady")


def pytest_addoption(parser):
    """What is tried in CI beside what everybody waits for."""
    parser.addoption("--exhaustive", action="store_true", help="try many more points, examples and rounds")


def pytest_configure(config):
    """The choice is made before any test is imported: decorators read it."""
    effort.exhaustive = config.getoption("--exhaustive")
    if effort.exhaustive:
        settings.register_profile("exhaustive", parent=settings.get_profile("steady"), max_examples=1000)
        settings.load_profile("exhaustive")


def pytest_collection_modifyitems(config, items):
    """Tests against a peer, which the tests do not install, are there where it is: they are not skipped."""
    missing = [
        item for item in items if any(importlib.util.find_spec(m.args[0]) is None for m in item.iter_markers("peer"))
    ]
    if missing:
        config.hook.pytest_deselected(items=missing)
        items[:] = [item for item in items if item not in missing]


def pytest_collection_finish(session):
    """What has been imported stays: the garbage collector need not look through it in each of its rounds."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With AUTOGRAD_MINI_NO_SKIP=1, a test that skips because something is missing fails."""
    report = yield
    if report.skipped and os.environ.get("AUTOGRAD_MINI_NO_SKIP") == "1" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be missing: {report.longrepr}"
    return report
