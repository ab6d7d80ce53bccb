"""README: every program prints what it says, every link leads somewhere, CI runs the very commands of the set-up."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini.core.row import TABLE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {ROOT / "README.md": README} | {
    path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "autograd_mini").rglob("README.md"))
}
SESSIONS = [
    (text, *found)
    for text in DOCUMENTS.values()
    for found in re.findall(r"```console\n\$ (.*?)\n(.*?)```", text, re.DOTALL)
]
PROGRAMS = [
    found
    for text in DOCUMENTS.values()
    for found in re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
]


def test_every_program_has_its_output():
    """Every python block has a text block behind it."""
    assert sum(text.count("```python") for text in DOCUMENTS.values()) == len(PROGRAMS) > 5


@pytest.mark.parametrize(("program", "output"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_program(program, output, tmp_path, monkeypatch):
    """It prints exactly that, saved as example.py."""
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    rows = set(TABLE)
    linecache.cache["example.py"] = len(program), None, program.splitlines(keepends=True), "example.py"
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "example.py", "exec"), {})
    finally:
        del linecache.cache["example.py"]
        for name in set(TABLE) - rows:
            del TABLE[name]
    assert printed.getvalue() == output


@pytest.mark.parametrize(("text", "command", "session"), SESSIONS, ids=range(len(SESSIONS)))
def test_session(text, command, session, tmp_path):
    """A session in a terminal says exactly that, about the program that was shown last."""
    before = text[: text.index(session)]
    (tmp_path / "example.py").write_text(re.findall(r"```python\n(.*?)```", before, re.DOTALL)[-1], encoding="utf-8")
    typed = re.findall(r"^\(backprop\) (.*\n)", session, re.MULTILINE)
    name, *arguments = command.split()
    assert (name, bool(typed)) == ("autograd-mini", True)
    done = subprocess.run(
        [sys.executable, "-m", "autograd_mini", *arguments],
        input="".join(typed), cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == re.sub(r"(?m)^\(backprop\) .*\n", "", session)


def test_the_table_of_digits():
    """The figures in the table are computed, not copied."""
    for figure, text in (
        (am.grad(lambda z: am.softmax(z)[0])([40.0, 0.0])[0], "4.248354255291589e-18"),
        (am.grad(am.tanh)(-20.0), "1.6993417021166355e-17"),
    ):
        assert repr(figure) == text
        assert text in README
    assert am.grad(lambda x: am.where(x > 0, am.sqrt(x), 0.0))(-1.0) == 0.0


def test_links_and_pictures_exist():
    """Every relative link points at a file of the repository."""
    for path, text in DOCUMENTS.items():
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert "://" in target or (path.parent / target).exists(), target


def test_ci_runs_the_commands_of_the_readme():
    """The set-up commands are run on a clean checkout, word for word."""
    commands = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
    script = (ROOT / ".ci" / "run").read_text()
    assert len(commands) == 2
    assert "```sh" in script, "CI reads the commands from README.md"
