"""`%%backprop` in IPython's own shell, in this process."""

from __future__ import annotations

import asyncio
import sys

import pytest

import autograd_mini as am
from autograd_mini.program.stack import recording

IPython = pytest.importorskip("IPython")


class Notebook:
    """A shell that has loaded the extension; it notes what it displays."""

    def __init__(self, shell, capture) -> None:
        self.shell, self.capture = shell, capture
        self.result = self.shown = None

    def run(self, cell: str) -> str:
        """Run a cell; what it prints."""
        with self.capture() as output:
            self.result = self.shell.run_cell(cell, store_history=True)
        self.shown = [data for data in (shown.data for shown in output.outputs) if "text/html" in data]
        return output.stdout + output.stderr

    @property
    def page(self) -> str:
        """The only page that the last cell displayed."""
        (shown,) = self.shown
        return shown["text/html"]

    def __getitem__(self, name: str):
        return self.shell.user_ns[name]


@pytest.fixture
def notebook(tmp_path_factory, monkeypatch):
    """What the shell changes in this process is put back."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    plain = "NoColor" if IPython.version_info < (9,) else "nocolor"
    settings = Config(HistoryManager={"enabled": False}, InteractiveShell={"colors": plain})
    InteractiveShell.clear_instance()
    found = Notebook(InteractiveShell.instance(config=settings), capture_output)
    found.run("import autograd_mini as am\n%load_ext autograd_mini\nw, x = am.Value(0.5), am.Value(2.0)")
    assert found.result.success
    yield found
    InteractiveShell.clear_instance()


def test_a_cell_is_recorded_and_its_page_shown_below(notebook):
    """With the value of its last expression, its variables, names and source lines, numbered as the editor does."""
    output = notebook.run("%%backprop\ny = w * x\nloss = am.tanh(y)\nloss.backward()\nloss")
    assert output.startswith("Out[2]: Value(data=0.76")
    assert "Page(loss, 17 steps)" in notebook.shown[0]["text/plain"]
    assert notebook["w"].grad == pytest.approx(2.0 * 0.41997, abs=1e-5)
    assert notebook["y"].origin.line == 2
    assert str(notebook["y"].origin) == "cell [2], line 2 in <module>: w * x"
    assert "cell [2]" in notebook.page
    assert "called from" not in notebook.page  # IPython's frames
    notebook.run("late = w * x")
    assert notebook["late"].origin is None


def test_each_cell_has_its_own_number(notebook):
    """Also after an ordinary cell, when functions of an earlier one are called, and when the same text runs again."""
    notebook.run("%%backprop\ndef f(v):\n    return v * v\nf(x).backward()")
    for number in (4, 5):
        notebook.run("1")
        notebook.run("%%backprop\ny = f(w)\ny.backward()")
        origin = notebook["y"].origin
        assert str(origin) == "cell [2], line 3 in f: v * v"
        assert str(origin.caller).startswith(f"cell [{2 * number - 4}], line 2 in <module>")
        assert origin.caller.caller is None


@pytest.mark.parametrize(("options", "number"), [("", 3), ("--at 2", 2), ("--at 1  # the first", 1)])
def test_one_of_several_calls_is_chosen(notebook, options, number):
    """A line says which one it is, and how to see another."""
    output = notebook.run(f"%%backprop {options}\nfor factor in (2.0, 3.0, 4.0):\n    y = x * factor\n    y.backward()")
    assert output == f"Call {number} of 3 of backward(); %%backprop --at N shows the N-th.\n"
    assert "Page(y, 4 steps)" in notebook.shown[0]["text/plain"]
    assert f"{2 * (number + 1)}" in notebook.page


def test_without_a_call_the_last_expression_is_stepped_through(notebook):
    """Without a call, the last expression is shown if it is a Value; no gradient changes."""
    output = notebook.run("%%backprop\nam.exp(x)")
    assert output.startswith("Out[2]: Value(data=7.389")
    assert "Page(am.exp(x), 4 steps)" in notebook.shown[0]["text/plain"]
    assert notebook["x"].grad == 0.0
    said = "The cell never calls backward(). Call it there, in the same thread, or end the cell with a Value.\n"
    for cell in ("x * 2.0;", "[x]", "1 + 1", "y = x * x"):
        assert notebook.run(f"%%backprop\n{cell}").endswith(said)
        assert notebook.shown == []


def test_a_quiz(notebook):
    """With --quiz the page asks."""
    notebook.run("%%backprop --quiz\n(w * x).backward()")
    assert "a quiz" in notebook.page


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--foo", "unrecognized arguments: --foo. It takes --at N"),
        ("--at", "argument --at: expected one argument"),
        ("--at two", "argument --at: 'two' is not a whole number from 1 on"),
        ("--at 0", "argument --at: '0' is not a whole number from 1 on"),
        ("--at 2", "The cell calls backward() 1 time. Pass 1, or nothing."),
    ],
)
def test_options_that_mean_nothing(notebook, options, said):
    """One line says what is wrong; the cell fails."""
    output = notebook.run(f"%%backprop {options}\n(w * x).backward()")
    assert said in output
    assert len(output.splitlines()) == 1
    assert not notebook.result.success


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("loss = w * x\nloss.backward()\n1 / 0", ZeroDivisionError),
        ("loss = (w * x", SyntaxError),
        ("loss = w * x\n  loss.backward()", IndentationError),
        ("%nothing", IPython.core.error.UsageError),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
    ],
)
def test_an_error_in_the_cell_is_shown_as_usual(notebook, cell, error):
    """IPython reports an error once, without a frame of this package; the cell fails, and recording is as before."""
    before = recording()
    output = notebook.run(f"%%backprop\n{cell}")
    assert isinstance(notebook.result.error_in_exec or notebook.result.error_before_exec, error)
    assert output.count(f"{error.__name__}: ") + output.count(f"{error.__name__}:\n") == 1
    assert "magics.py" not in output
    assert "run_cell_magic" not in output
    assert recording() is before
    assert notebook.shown == []
    again = notebook.run("1 / 0")
    assert again.count("ZeroDivisionError: ") == 1
    assert "showtraceback" not in vars(notebook.shell)


def test_an_error_that_the_program_catches_does_not_silence_the_next(notebook):
    """A cell magic may be called by a program."""
    notebook.run("try:\n    get_ipython().run_cell_magic('backprop', '', '1 / 0')\nexcept ZeroDivisionError:\n    pass")
    assert notebook.result.success
    assert "KeyError: 'a'" in notebook.run("{}['a']")


@pytest.mark.parametrize("is_running", [False, True])
def test_a_cell_that_awaits(notebook, is_running):
    """It runs where IPython can wait for it; in Jupyter, where an event loop is running, one line says what to do."""
    cell = "%%backprop\nimport asyncio\nawait asyncio.sleep(0)\n(w * x).backward()"

    async def run():
        return notebook.run(cell)

    output = asyncio.run(run()) if is_running else notebook.run(cell)
    assert ("%%backprop cannot run a cell that awaits. Write `with am.backprop():`" in output) == is_running
    assert len(notebook.shown) == (not is_running)


def test_the_block_shows_its_page_in_a_notebook(notebook):
    """And may be inside a cell that is recorded as a whole."""
    output = notebook.run("with am.backprop() as shown:\n    y = w * x\n    y.backward()\n    y.backward()")
    assert output == "Call 2 of 2 of backward(); am.backprop(at=N) shows the N-th.\n"
    assert "cell [2]" in notebook.page
    notebook.run("%%backprop\nwith am.backprop():\n    (w * x).backward()")
    assert len(notebook.shown) == 2
    assert "where: cell [4], line 1" in notebook.run("with am.backprop():\n    pass")


def test_the_extension_can_be_unloaded_and_loaded_again(notebook):
    """The magic goes and comes."""
    notebook.run("%unload_ext autograd_mini")
    assert "`%%backprop` not found" in notebook.run("%%backprop\n1")
    notebook.run("%reload_ext autograd_mini")
    notebook.run("%load_ext autograd_mini")
    notebook.run("%%backprop\n(w * x).backward()")
    assert len(notebook.shown) == 1


def test_importing_does_not_know_of_notebooks():
    """The names that IPython asks for are not among the public ones."""
    assert callable(am.load_ipython_extension)
    assert callable(am.unload_ipython_extension)
    assert not {"load_ipython_extension", "unload_ipython_extension"} & {*dir(am)}
