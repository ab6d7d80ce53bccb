"""`autograd-mini doctor`: what is installed, what is fast, what is missing; a text to copy into a bug report.

It runs `dot` and changes nothing. Not here: the choice of the implementation (`core.accelerator`). Read next: `demo`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from autograd_mini import engine
from autograd_mini.core import accelerator
from autograd_mini.drawing import render
from autograd_mini.errors import MissingError, ProgramError, sentences
from autograd_mini.program.owner import FOLDER, PACKAGE, version

_DISTRIBUTION = "autograd-mini"
_PACKAGES = {  # what each is for, and how to install it; a test compares them with pyproject.toml
    "graphviz": ("Drawing.digraph", "pip install graphviz"),
    "graphviz-pure": ("pictures, where there is no dot", "pip install graphviz-pure"),
    "tqdm": ("the progress bar of the demo", "pip install tqdm"),
    "sympy": ("formulas and proofs", 'pip install "autograd-mini[symbolic]"'),
    "mpmath": ("formulas and proofs", 'pip install "autograd-mini[symbolic]"'),
    "matplotlib": ("plots in the examples", 'pip install "autograd-mini[plot]"'),
    "numpy": ("arrays", "pip install numpy"),
    "scipy": ("sparse matrices as results", "pip install scipy"),
}
_SECRET = "AUTOGRAD_MINI_DAP_TOKEN"
Rows = Iterator[tuple[str, str]]  # a subject, and what there is to say about it


def report() -> str:
    """Return what this installation is, one subject a line, with the user's home folder as ~."""
    parts = [("", _surroundings), ("engine", _engine), ("packages", _packages), ("pictures", _pictures),
             ("variables", _variables)]  # fmt: skip
    lines: list[str] = []
    for title, rows in parts:
        found = [*rows()]
        if title and found:
            lines += ["", title]
        width = max((len(name) for name, _ in found), default=0)
        lines += [f"{'  ' * bool(title)}{name:<{width}}  {text}" for name, text in found]
    text, home = "\n".join(lines), os.path.expanduser("~")
    return text.replace(home + os.sep, "~" + os.sep) if len(home) > 1 else text


def _surroundings() -> Rows:
    yield "autograd-mini", f"{version()}, {_installation()}"
    bits = 64 if sys.maxsize > 2**32 else 32
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}, {bits} bits, {sys.executable}"
    yield "platform", f"{platform.platform()}, {platform.machine()}"
    yield "output", str(getattr(sys.stdout, "encoding", None))


# -- the package itself ------------------------------------------------------------------------------------------------


class _Installed(NamedTuple):
    """What pip knows: where the package is, which folder it was installed from, if any, and whether it stayed there."""

    folder: Path
    origin: Path | None
    editable: bool

    @property
    def runs(self) -> bool:
        """Whether this is the package that is running: a folder of the same name hides what is installed."""
        return Path(FOLDER).resolve() == self.folder.resolve()


def _installed() -> _Installed | None:
    try:
        found = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None
    address = json.loads(found.read_text("direct_url.json") or "{}")
    url = urlsplit(address.get("url", ""))
    origin = Path(url2pathname(url.path)) if url.scheme == "file" and "dir_info" in address else None
    if origin is not None and not origin.is_dir():  # it was only there for the installation
        origin = None
    editable = origin is not None and bool(address["dir_info"].get("editable"))
    return _Installed(Path(str(origin if editable else found.locate_file("")), PACKAGE), origin, editable)


def _installation() -> str:
    installed, here = _installed(), Path(FOLDER)
    if installed is None:
        return f"not installed, {here}"
    if not installed.runs:
        return f"{here}, which hides the installed {installed.folder}"
    return f"{'editable' if installed.editable else 'installed'}, {here}"


# -- what is fast ------------------------------------------------------------------------------------------------------


def _engine() -> Rows:
    if engine.implementation == "native":
        yield "native", f"compiled, {accelerator.native.__file__}"
        return
    yield "python", "the same numbers as the compiled engine, more slowly"
    yield "why", f"{accelerator.why_not}."
    advice = _advice()
    if advice:
        yield "do", advice


def _advice() -> str:
    """Return what to do for the compiled engine."""
    if accelerator.why_not.startswith(accelerator.VARIABLE):
        return f"Unset {accelerator.VARIABLE}."
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "Nothing: the compiled engine needs CPython with its global lock."
    return f"{_lacking()}{_install()}"


def _lacking() -> str:
    """Return a sentence for each thing a compilation would lack here, with a space at the end of each."""
    if os.name == "nt":
        return "Install Microsoft's C++ Build Tools, unless you have them. "
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include"), "Python.h")
    lacking = f"Install a C compiler: there is no {compiler}. " if shutil.which(compiler) is None else ""
    if not header.exists():
        lacking += f"Install the headers of Python (python3-dev, python3-devel): there is no {header}. "
    return lacking


def _install() -> str:
    """Return the command that compiles it and installs the result."""
    installed = _installed()
    if installed is None or not installed.runs or installed.editable:
        return f'Run: pip install -e "{Path(FOLDER).parent}"'
    if installed.origin is None:
        return "In a checkout run: pip install ."
    return f'Run: pip install "{installed.origin}"'


# -- what is missing ---------------------------------------------------------------------------------------------------


def _packages() -> Rows:
    for name, (purpose, command) in _PACKAGES.items():
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, f"missing, for {purpose}: {command}"


def _pictures() -> Rows:
    """Say which programs can draw, and whether a picture comes out."""
    try:
        for command in render.programs():
            yield Path(command).stem, f"{render.version_of(command)}, {command}"
        render.run("digraph { a -> b }", "svg")
    except (MissingError, ProgramError) as error:
        yield "fails", sentences(error)


def _variables() -> Rows:
    for name in sorted(os.environ):
        if name.startswith("AUTOGRAD_MINI_"):
            yield name, "(set)" if name == _SECRET else os.environ[name]
