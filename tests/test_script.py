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
    """`draw SCRIPT` runs it as `__main__` and draws its last backward with names, source and title."""
    done = run("programs/p.py --title Title")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "['programs/p.py'] True",
        f"9 nodes in 5 boxes, 5 edges: {tmp_path / 'graph.svg'}",
    ]
    drawn = texts(tmp_path / "graph.svg")
    assert {"Title", "x", "y", "loss", "u * u"} <= set(drawn)
    assert any("tanh" in text for text in drawn)


def test_options(run, tmp_path):
    """Each ending of `-o`, a variable behind the script's name, `--depth`, `--focus` and `--direction` work."""
    for ending in ("dot", "html", "png"):
        assert run(f"programs/p.py -o g.{ending}").returncode == 0
        assert (tmp_path / f"g.{ending}").stat().st_size > 500
    assert run("programs/p.py:x").stdout.endswith(f"1 node, 0 edges: {tmp_path / 'graph.svg'}\n")
    assert "in 5 boxes" in run("programs/p.py --depth 0").stdout
    assert run("programs/p.py --focus tanh --direction TB").returncode == 0


def test_a_program_that_goes_elsewhere(run, tmp_path):
    """The picture is saved where the command was given, although the program changes the folder."""
    (tmp_path / "elsewhere").mkdir()
    done = run("programs/p.py", PROGRAM + "    import os; os.chdir('elsewhere')\n")
    assert done.returncode == 0
    assert "u * u" in texts(tmp_path / "graph.svg")


def test_sys_exit_after_the_work_is_no_error(run):
    """A program that ends with `sys.exit()` is drawn like any other."""
    assert run("programs/p.py", PROGRAM + "    sys.exit()\n").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "more", "status", "message"),
    [
        ("nowhere.py", "", 1, "There is no file 'nowhere.py'."),
        ("programs/p.py:number", "", 1, "number in programs/p.py is not a Value, but has type int: 3."),
        ("programs/p.py:none", "", 1, "programs/p.py has no global variable 'none' at its end."),
        ("programs/p.py", "x = loss = None; import sys; sys.exit(3)", 1, "programs/p.py ended with sys.exit(3)."),
        (
            "programs/p.py --focus Z",
            "",
            1,
            "The graph has no scope 'Z'.\n  do:    Name one of its scopes, such as tanh.",
        ),
        ("programs/p.py -o none/g.svg", "", 1, "There is no folder 'none'."),
        ("programs/p.py -o g.txt", "", 1, "No picture can be saved as 'g.txt'."),
        ("programs/p.py --direction up", "", 2, "usage:"),
        ("programs/p.py --depth -1", "", 2, "usage:"),
        ("", "", 2, "usage:"),
    ],
)
def test_errors(run, tmp_path, arguments, more, status, message):
    """Each mistake ends with its status and a message that begins with what is wrong, and draws nothing."""
    done = run(arguments, PROGRAM + more)
    assert done.returncode == status
    assert done.stderr.removeprefix("autograd-mini: ").startswith(message)
    assert not list(tmp_path.glob("graph.svg"))


def test_a_program_without_backward(run):
    """Without a backward the command says to name the value to draw."""
    done = run("programs/p.py", "import autograd_mini as am\ny = am.Value(1.0) * 2\n")
    assert done.returncode == 1
    assert done.stderr == (
        "autograd-mini: programs/p.py never calls backward(); name the value to draw: programs/p.py:NAME.\n"
    )


def test_an_error_shows_the_frames_of_the_program_alone(run):
    """A traceback shows the user's frames and none of the package, for syntax errors too."""
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


def test_arguments_of_the_program_stand_behind_two_dashes(run):
    """All of them, options and further dashes too; what stands before is for the command."""
    done = run("programs/p.py -o g.svg -- --epochs 3 -o x -- file")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("['programs/p.py', '--epochs', '3', '-o', 'x', '--', 'file'] True\n")
    assert "g.svg" in done.stdout
    unknown = run("programs/p.py --epochs 3")
    assert unknown.returncode == 2
    assert unknown.stderr.endswith("error: unrecognized arguments: --epochs 3; the program's arguments go after --\n")
    assert "usage: autograd-mini draw [options] [-m] SCRIPT.py[:NAME] [options] [-- ARGUMENTS" in run("--help").stdout


def test_the_program_is_compiled_on_its_own(run):
    """Annotations, for one, are what they are under `python`."""
    program = "def f(x: int): pass\nassert f.__annotations__ == {'x': int}\n"
    assert run("programs/p.py", program + PROGRAM).returncode == 0


def test_streams_that_the_program_replaces_are_its_own_affair(run):
    """The command's own line is printed although the program replaced stdout and stderr."""
    done = run("programs/p.py", PROGRAM + "    import io\n    sys.stdout = sys.stderr = io.StringIO()\n")
    assert "9 nodes" in done.stdout


MODULE = """
import sys
import autograd_mini as am
from . import helper
from package.helper import factor
x = am.Value(2.0, name="x")
y = x * factor
y.backward()
print(__name__, __package__, __spec__.name, __spec__.origin == __file__ == sys.argv[0], sys.argv[1:], sys.path[0])
"""


@pytest.fixture
def package(tmp_path):
    """A package with a module that imports relatively, a __main__, and one without."""
    for name in ("package/inner", "bare"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "package" / "__init__.py").write_text("print('imported once')\n")
    (tmp_path / "package" / "helper.py").write_text("factor = 3.0\n")
    (tmp_path / "package" / "model.py").write_text(MODULE)
    (tmp_path / "package" / "__main__.py").write_text(MODULE + "sys.exit(0)\n")
    (tmp_path / "package" / "inner" / "__init__.py").write_text("")
    (tmp_path / "package" / "wants.py").write_text("import not_there\n")
    (tmp_path / "bare" / "__init__.py").write_text("int('x')\n")
    return tmp_path


@pytest.mark.parametrize("module", ["package.model", "package"])
def test_modules_run_as_with_python_m(run, package, module):
    """The same name, package, spec, arguments and path as `python -m`; also a package by its __main__."""
    done = run(f"-m {module} -o g.svg -- --epochs 3")
    assert (done.returncode, done.stderr) == (0, "")
    python = subprocess.run(
        [sys.executable, "-m", module, "--epochs", "3"], cwd=package, capture_output=True, text=True, timeout=60
    )
    assert python.returncode == 0
    said, picture = done.stdout.rsplit("\n", 2)[:2]
    assert said == python.stdout.rstrip("\n")
    assert picture == f"2 nodes, 1 edge: {package / 'g.svg'}"
    assert {"x", "y"} <= set(texts(package / "g.svg"))


def test_a_variable_of_a_module(run, package):
    """`-m package.module:variable` draws that variable."""
    assert "1 node, 0 edges" in run("-m package.model:x").stdout


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("nowhere", "There is no module 'nowhere'; write package.module, or leave out -m for a file."),
        ("package.nowhere", "There is no module 'package.nowhere'; write package.module"),
        ("package.model.deeper", "There is no module 'package.model.deeper'; write package.module"),
        ("programs/p.py", "There is no module 'programs/p.py'; write package.module"),
        (".package", "There is no module '.package'; write package.module"),
        ("package.inner", "package.inner is a package without __main__, so it cannot run; name one of its modules."),
        ("package.model:none", "package.model has no global variable 'none' at its end."),
        ("package.helper", "package.helper never calls backward(); name the value to draw: -m package.helper:NAME."),
        ("package.wants", "the program raised an error\nTraceback (most recent call last):\n  File"),
        ("bare.module", "the program raised an error\nTraceback (most recent call last):\n  File"),
    ],
)
def test_modules_that_cannot_be_run(run, package, module, message):
    """One sentence; an error of what is imported is one of the program, with its frames alone."""
    done = run(f"-m {module}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"autograd-mini: {message}")
    for line in done.stderr.splitlines():
        assert not line.startswith("  File") or str(package) in line
