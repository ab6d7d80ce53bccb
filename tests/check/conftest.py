"""Tests may add primitives, which are removed again; the programs of the README are compiled once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini.core.row import TABLE

README = Path(am.__file__).parent / "check" / "README.md"
FAST = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
JAVAC = f"javac {FAST.replace('-XX', '-J-XX')} -proc:none -g:none"
GCC = "gcc -Wall -Wextra -Werror -std=c11"
BLOCKS = {  # of the README: the fence, how they are compiled, how one is started
    "java": ("java", f"{JAVAC} Main.java Net.java", f"java {FAST} -cp {{folder}} {{name}}"),
    "c": ("c", f"{GCC} Main.c -lm -o Main && {GCC} Net.c -lm -o Net", "{folder}/{name}"),
    "js": ("js", "", "node {folder}/{name}.js"),
    "python": ("py", "", f"{sys.executable} {{folder}}/{{name}}.python"),
}


@pytest.fixture
def new_primitives():
    """Forget the primitives that a test adds."""
    before = set(TABLE)
    yield
    for name in set(TABLE) - before:
        del TABLE[name]


@pytest.fixture(scope="session", params=BLOCKS)
def programs(request, tmp_path_factory):
    """The commands that start two programs in a language: the one that answers, and the one that prints all numbers."""
    fence, build, start = BLOCKS[request.param]
    needed(*build.split()[:1], start.split()[0])
    folder = tmp_path_factory.mktemp(request.param)
    found = re.findall(rf"^```{fence}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    answers, _, prints, *_ = found if request.param == "python" else (found[0], "", found[1])
    for name, text in (("Main", answers), ("Net", prints)):
        (folder / f"{name}.{request.param}").write_text(text)
    subprocess.run(build or "true", shell=True, cwd=folder, check=True, capture_output=True)
    return [start.format(folder=folder, name=name) for name in ("Main", "Net")]


def needed(*programs):
    """Skip a test unless these programs are installed."""
    for program in programs:
        if "{" not in program and shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
