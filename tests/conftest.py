"""What all tests share: Hypothesis without deadlines, peers that may be missing, no skips where CI forbids them.

With AUTOGRAD_MINI_IMPLEMENTATION=native or python, a run in which the engine is the other one does not begin.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from autograd_mini import engine
from autograd_mini.core import accelerator
from tests import effort

# Machines differ and are noisy: no test asserts a time. Examples are the same in every run.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("steady")


def pytest_addoption(parser):
    """What is tried in CI beside what everybody waits for."""
    parser.addoption("--exhaustive", action="store_true", help="try many more points, examples and rounds")


def pytest_configure(config):
    """The choice is made before any test is imported: decorators read it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a script; who is started inherits it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    effort.exhaustive = config.getoption("--exhaustive")
    if effort.exhaustive:
        settings.register_profile("exhaustive", parent=settings.get_profile("steady"), max_examples=1000)
        settings.load_profile("exhaustive")


def pytest_report_header(config):
    """Which engine the tests are about to run on."""
    return f"autograd_mini: {engine.implementation}, {accelerator.why_not or accelerator.native.__file__}"


def pytest_sessionstart(session):
    """This process and those that tests start run the engine that was asked for: a checkout hides what is installed."""
    asked = os.environ.get("AUTOGRAD_MINI_IMPLEMENTATION")
    if asked is None or hasattr(session.config, "workerinput"):
        return
    program = "import autograd_mini as am; print(am.engine.implementation, end='')"
    other = subprocess.run(
        [sys.executable, "-c", program], cwd=tempfile.gettempdir(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    if (engine.implementation, other) != (asked, asked):
        reason = accelerator.why_not and f" ({accelerator.why_not})"
        pytest.exit(
            f"AUTOGRAD_MINI_IMPLEMENTATION is {asked}, and here the engine is {engine.implementation}{reason}, "
            f"in other folders {other}. To compile it: pip install -e . To run the Python text: AUTOGRAD_MINI_PURE=1.",
            returncode=pytest.ExitCode.USAGE_ERROR,
        )


def pytest_collection_modifyitems(config, items):
    """Tests of a peer, an editor or the C text, which the tests do not install, are there where it is, not skipped.

    Of a test that is `sampled(n)`, every n-th case runs, and with --exhaustive all.
    """
    is_compiled = importlib.util.find_spec("autograd_mini.core._native") is not None
    counts: Counter[tuple[Path, str]] = Counter()
    for item in items:
        for mark in item.iter_markers("sampled"):
            name = item.path, item.originalname
            if counts[name] % mark.args[0] and not effort.exhaustive:
                item.add_marker("left_out")
            counts[name] += 1
    missing = [
        item
        for item in items
        if item.get_closest_marker("left_out")
        or any(importlib.util.find_spec(m.args[0]) is None for m in item.iter_markers("peer"))
        or any(m.args[0] not in os.environ for m in item.iter_markers("editor"))
        or (item.get_closest_marker("native") and not is_compiled)
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
