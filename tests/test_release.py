"""What is installed: one version wherever it is asked for, and the extras that the tests and the checks need."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini.program import owner

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
BUILD = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
# Compared with where they are; the tests that do are skipped, or leave them out, where they are not.
PEERS = {"aadc", "jax", "torch", "autograd", "ddx", "micrograd", "marimo"}


def packages(requirements):
    """The names of required packages, with what extras of this package stand for."""
    for requirement in requirements:
        name, extras = re.match(r"([\w-]+)(?:\[([\w,]+)\])?", requirement).groups()
        if name == PROJECT["name"]:
            for extra in extras.split(","):
                yield from packages(EXTRAS[extra])
        else:
            yield name


def imported(*folders):
    """The packages that the Python files of some folders import."""
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield node.module.partition(".")[0]


def foreign(*folders):
    """Those of them that must be installed."""
    return (
        {name.lower() for name in imported(*folders)}
        - {*sys.stdlib_module_names}
        - {"autograd_mini", "tests", "visualizations", "helper"}
    )


def test_one_version():
    """The metadata, the attribute and the command agree; it is found by dir, and costs nothing to import."""
    installed = importlib.metadata.version("autograd-mini")
    command = subprocess.run([sys.executable, "-m", "autograd_mini", "--version"], capture_output=True, text=True)
    assert am.__version__ == installed
    assert command.stdout == f"autograd-mini {installed}\n"
    assert "__version__" in dir(am)
    assert "__version__" not in am.__all__
    with pytest.raises(AttributeError, match="module 'autograd_mini' has no attribute 'nothing'"):
        _ = am.nothing
    program = "import sys; before = set(sys.modules); import autograd_mini; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"importlib.metadata", "tomllib", "email"} & set(loaded)


def test_a_checkout_that_is_not_installed_has_its_version(monkeypatch, tmp_path):
    """From the file that the metadata are made of; and without that file, "unknown"."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert am.__version__ == PROJECT["version"]
    monkeypatch.setattr(owner, "FOLDER", str(tmp_path / "autograd_mini"))
    assert am.__version__ == "unknown"
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'another'\n")
    assert am.__version__ == "unknown"


def test_extras_install_what_something_imports():
    """No extra exists for a feature that does not."""
    assert set(EXTRAS) == {"symbolic", "plot", "jit", "all", "test", "dev"}
    assert {*packages(EXTRAS["all"])} == {"sympy", "mpmath", "matplotlib", "numpy"}
    assert {*packages(EXTRAS["all"])} <= foreign("autograd_mini", "examples", "visualizations")


def test_what_the_tests_import_is_installed_for_them():
    """`test` lists each package, also one that another brings along; linters are for `dev`."""
    wanted = foreign("tests", "visualizations", "examples", "autograd_mini") - PEERS
    assert wanted <= {*packages(EXTRAS["test"]), *packages(PROJECT["dependencies"])}
    # The first is imported by pytest, which the options in pyproject.toml need; the second only lends its script.
    plugins = {"pytest-xdist", "axe-core-python"}
    assert {*packages(EXTRAS["test"])} <= wanted | plugins | {*packages(BUILD)}
    assert {*packages(EXTRAS["dev"])} == {"ruff", "mypy", "types-tqdm"}


def test_the_checks_install_their_tools():
    """CI runs the two commands of the README, then installs what the linters need; and notebooks, which are large."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index(" jupyterlab marimo\n") < script.index("tests/debug/test_notebooks.py\n")
    assert script.index("    beside notebooks\n") < script.index("    finish notebooks\n")
    assert script.index('pip install ".[dev]"') < script.index("ruff check .") < script.index("    mypy")


def test_the_checks_run_the_suite_on_both_engines():
    """Each run says which engine it wants, and does not begin on the other one; one more run watches the memory."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pure = 'AUTOGRAD_MINI_PURE=1 AUTOGRAD_MINI_IMPLEMENTATION=python bash -euo pipefail -c "${commands[1]}"\n'
    native = " AUTOGRAD_MINI_IMPLEMENTATION=native pytest -q --exhaustive\n"
    sanitized = "python -m tests.sanitized\n"
    assert script.index(pure) < script.index("pip install -e .\n") < script.index(native) < script.index(sanitized)
    for asked, status in (("native", pytest.ExitCode.USAGE_ERROR), ("python", pytest.ExitCode.OK)):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "--collect-only", "tests/test_cost.py"],
            cwd=ROOT, capture_output=True, text=True,
            env={**os.environ, "AUTOGRAD_MINI_PURE": "1", "AUTOGRAD_MINI_IMPLEMENTATION": asked},
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
