"""`autograd-mini doctor`: what it says of this installation, and of others."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

import autograd_mini as am
from autograd_mini import doctor, engine
from autograd_mini.core import accelerator
from autograd_mini.drawing import render
from tests.test_release import EXTRAS, PROJECT, packages


@pytest.fixture
def lines(monkeypatch):
    """The report as a dictionary, in which `dot` is not run and paths are whole."""
    monkeypatch.setenv("HOME", "/home/of/another")
    monkeypatch.setenv("USERPROFILE", r"C:\home\of\another")
    monkeypatch.setattr(render, "programs", list)
    monkeypatch.setattr(render, "run", lambda dot, kind: b"")

    def report():
        return dict(line.split(maxsplit=1) for line in doctor.report().splitlines() if "  " in line)

    return report


@pytest.fixture
def pure(monkeypatch):
    """An engine that is the Python text, for the reason that is passed."""

    def choose(why_not):
        monkeypatch.setattr(engine, "implementation", "python")
        monkeypatch.setattr(accelerator, "native", None)
        monkeypatch.setattr(accelerator, "why_not", why_not)

    return choose


def test_the_command_prints_the_report_and_succeeds(tmp_path):
    """Version, Python, engine, packages and a picture that was drawn; the DAP token stays secret; the status is 0."""
    done = subprocess.run(
        [sys.executable, "-m", "autograd_mini", "doctor"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "AUTOGRAD_MINI_DAP_TOKEN": "secret-1", "AUTOGRAD_MINI_PURE": "1"},
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    said = [line.split() for line in done.stdout.splitlines()]
    for line in (
        "why AUTOGRAD_MINI_PURE is set.",
        f"numpy {importlib.metadata.version('numpy')}",
        "AUTOGRAD_MINI_PURE 1",
        "AUTOGRAD_MINI_DAP_TOKEN (set)",
    ):
        assert line.split() in said
    assert done.stdout.startswith(f"autograd-mini  {am.__version__}, ")
    assert "graphviz-pure - graphviz-pure version" in done.stdout
    assert "secret-1" not in done.stdout
    assert "fails" not in done.stdout


def test_a_home_folder_does_not_tell_its_owner(lines, monkeypatch):
    """The home folder is written as ~."""
    home = str(Path(sys.executable).parent)
    assert home in doctor.report()
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USERPROFILE", home)
    assert home not in doctor.report()
    assert f"~{os.sep}{Path(sys.executable).name}" in doctor.report()


def test_nothing_works_and_it_is_said(lines, monkeypatch):
    """No packages, no dot, no stream, no pip: a command for each package, and no error."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        report = lines()
    assert report["sympy"] == 'missing, for formulas and proofs: pip install "autograd-mini[symbolic]"'
    assert report["output"] == "None"
    assert "not installed, " in report["autograd-mini"]


def test_a_picture_that_cannot_be_drawn_is_said_with_its_remedy(monkeypatch):
    """A program that is missing, and one that fails."""
    monkeypatch.setenv("AUTOGRAD_MINI_DOT", "not-there")
    assert "AUTOGRAD_MINI_DOT is set to 'not-there', which is not a program" in doctor.report()
    monkeypatch.setenv("AUTOGRAD_MINI_DOT", sys.executable)
    assert "drew no SVG" in doctor.report()
    assert "pip install graphviz-pure, or install Graphviz" in doctor.report()


def test_what_it_looks_for_is_what_the_package_uses():
    """Its own requirements and extras, and the two libraries whose data it takes and gives."""
    required = {*packages(PROJECT["dependencies"]), *packages(EXTRAS["all"])}
    assert {*doctor._PACKAGES} == required | {"numpy", "scipy"}


# -- what is fast ------------------------------------------------------------------------------------------------------


def test_the_compiled_engine_is_named_with_its_file(lines, monkeypatch):
    """The file is named, so that you see which engine runs."""
    monkeypatch.setattr(engine, "implementation", "native")
    monkeypatch.setattr(accelerator, "native", SimpleNamespace(__file__="/lib/_native.so"))
    assert lines()["native"] == "compiled, /lib/_native.so"
    assert "why" not in lines()


@pytest.mark.parametrize("why_not", ["it was not compiled", "another version", "no symbol"])
def test_the_python_engine_is_explained(lines, pure, why_not):
    """The report says why the engine is not the compiled one, and gives a command."""
    pure(why_not)
    assert lines()["why"] == f"{why_not}."
    assert "pip install" in lines()["do"]


def test_the_switch_is_explained(lines, pure, monkeypatch):
    """The advice is to unset the variable."""
    pure(f"{accelerator.VARIABLE} is set")
    assert lines()["do"] == "Unset AUTOGRAD_MINI_PURE."


def test_what_a_compilation_lacks_is_named(lines, pure, monkeypatch, tmp_path):
    """The compiler, the headers of Python; and that some Pythons have no compiled engine."""
    pure("it was not compiled")
    monkeypatch.setattr(os, "name", "posix")
    monkeypatch.setenv("CC", "/not/there/cc -m64")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert "there is no /not/there/cc. " in lines()["do"]
    assert f"there is no {tmp_path / 'Python.h'}. " in lines()["do"]
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: name == "Py_GIL_DISABLED")
    assert lines()["do"] == "Nothing: the compiled engine needs CPython with its global lock."


# -- how it was installed ----------------------------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A distribution of the package at some folder, with the address that pip wrote down."""
    library = tmp_path / "library"
    library.mkdir()

    def install(address, runs):
        (library / "direct_url.json").write_text(address)

        class Distribution:
            version = "1.0"
            read_text = staticmethod(lambda name: (library / name).read_text() or None)
            locate_file = staticmethod(lambda name: library / name)

        monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution)
        monkeypatch.setattr(doctor, "FOLDER", str(runs / "autograd_mini"))
        return library

    return install


def test_four_ways_of_being_installed(lines, pure, installed, tmp_path):
    """From an index, from a folder, editable, and hidden by a folder of the same name: each with its command."""
    pure("it was not compiled")
    library, source = tmp_path / "library", tmp_path / "a checkout"
    source.mkdir()
    installed("", library)
    assert f", installed, {library / 'autograd_mini'}" in lines()["autograd-mini"]
    assert lines()["do"].endswith("In a checkout run: pip install .")
    installed(f'{{"url": "{source.as_uri()}", "dir_info": {{}}}}', library)
    assert lines()["do"].endswith(f'Run: pip install "{source}"')
    installed(f'{{"url": "{source.as_uri()}", "dir_info": {{"editable": true}}}}', source)
    assert f", editable, {source / 'autograd_mini'}" in lines()["autograd-mini"]
    assert lines()["do"].endswith(f'Run: pip install -e "{source}"')
    installed("", source)
    assert (
        f"{source / 'autograd_mini'}, which hides the installed {library / 'autograd_mini'}"
        in (lines()["autograd-mini"])
    )
    assert lines()["do"].endswith(f'Run: pip install -e "{source}"')
