"""`autograd-mini draw`: it runs the user's program as Python would, and says in a sentence what is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

PROGRAM = """
import sys
import helper
import autograd_mini as am
x = am.Value(2.0, name="x")
def f(u):
    y = u * u + 1.0
    return y
loss = am.tanh(f(x)) * helper.factor
number = 3
if __name__ == "__main__":
    print(sys.argv, sys.path[0].endswith("programs"))
    loss.backward()
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "helper.py").write_text("factor = 2.0\n")

    def run(arguments, program=PROGRAM):
        (tmp_path / "programs" / "p.py").write_text(program)
        command = [sys.executable, "-m", "autograd_mini", "draw", *arguments.split()]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run


def texts(path):
    return [e.text for e in ElementTree.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text")]


def test_the_last_backward_is_drawn_with_the_names_of_variables(run, tmp_path):
    done = run("programs/p.py --title Title")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["['programs/p.py'] True", f"9 nodes, 10 edges: {tmp_path / 'graph.svg'}"]
    assert {"Title", "x", "y", "loss", "tanh", "u * u"} <= set(texts(tmp_path / "graph.svg"))


def test_options(run, tmp_path):
    for ending in ("dot", "html", "png"):
        assert run(f"programs/p.py -o g.{ending}").returncode == 0
        assert (tmp_path / f"g.{ending}").stat().st_size > 500
    assert run("programs/p.py:x").stdout.endswith(f"1 node, 0 edges: {tmp_path / 'graph.svg'}\n")
    assert "in 5 boxes" in run("programs/p.py --depth 0").stdout
    assert run("programs/p.py --focus tanh --direction TB").returncode == 0


def test_a_program_that_goes_elsewhere(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    done = run("programs/p.py", PROGRAM + "    import os; os.chdir('elsewhere')\n")
    assert done.returncode == 0
    assert "u * u" in texts(tmp_path / "graph.svg")


def test_sys_exit_after_the_work_is_no_error(run):
    assert run("programs/p.py", PROGRAM + "    sys.exit()\n").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "more", "status", "message"),
    [
        ("nowhere.py", "", 1, "There is no file 'nowhere.py'."),
        ("programs/p.py:number", "", 1, "number in programs/p.py is no Value, but int: 3."),
        ("programs/p.py:none", "", 1, "programs/p.py has no global variable 'none' at its end."),
        ("programs/p.py", "x = loss = None; import sys; sys.exit(3)", 1, "programs/p.py ended with sys.exit(3)."),
        ("programs/p.py --focus Z", "", 1, "The graph has no scope 'Z'.\n  do:    Name one of it, such as tanh."),
        ("programs/p.py -o none/g.svg", "", 1, "There is no folder 'none'."),
        ("programs/p.py -o g.txt", "", 1, "No picture can be saved as 'g.txt'."),
        ("programs/p.py --direction up", "", 2, "usage:"),
        ("programs/p.py --depth -1", "", 2, "usage:"),
        ("", "", 2, "usage:"),
    ],
)
def test_errors(run, tmp_path, arguments, more, status, message):
    done = run(arguments, PROGRAM + more)
    assert done.returncode == status
    assert done.stderr.removeprefix("autograd-mini: ").startswith(message)
    assert not list(tmp_path.glob("graph.svg"))


def test_a_program_without_backward(run):
    done = run("programs/p.py", "import autograd_mini as am\ny = am.Value(1.0) * 2\n")
    assert done.returncode == 1
    assert done.stderr == (
        "autograd-mini: programs/p.py never calls backward(); name the value to draw: programs/p.py:NAME.\n"
    )


def test_an_error_shows_the_frames_of_the_program_alone(run):
    done = run("programs/p.py", "import autograd_mini as am\ndef g():\n    return am.softmax([])\ng()\n")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[:2] == ["autograd-mini: the program raised an error", "Traceback (most recent call last):"]
    assert [line for line in lines if line.startswith("  File")] == [
        '  File "programs/p.py", line 4, in <module>',
        '  File "programs/p.py", line 3, in g',
    ]
    assert "softmax() got an empty list" in done.stderr
    syntax = run("programs/p.py", "x = = 1\n")
    assert syntax.returncode == 1
    assert "SyntaxError" in syntax.stderr
    assert "exec" not in syntax.stderr
