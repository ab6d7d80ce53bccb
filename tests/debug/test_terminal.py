"""The debugger in a terminal: every verb, through a pipe and on a terminal; programs of every kind under it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug import terminal
from autograd_mini.debug.terminal import prompt
from autograd_mini.debug.timeline.breakpoints import meant

NETWORK = """
from autograd_mini import Value, log, softmax

x = Value(2.0)
w, v = Value(0.5), Value(-1.0)

def logit(weight):
    return weight * x

z = [logit(w), logit(v)]
a = softmax(z)
loss = -log(a[1])
loss.backward()
print("gradient", w.grad)
"""

LOOP = """
from autograd_mini import Value
x = Value(1.0)
for i in range(3):
    y = x * x
    y.backward()
    x.data = x.data + 1.0
print("done")
"""


@pytest.fixture
def session(tmp_path):
    """Run `autograd-mini debug` on a program with commands in a pipe; give the finished process."""

    def run(program, *commands, options=(), arguments=(), target="program.py", encoding="utf-8"):
        (tmp_path / "program.py").write_text(program, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "autograd_mini", "debug", *options, target, *arguments],
            input="".join(f"{command}\n" for command in commands),
            cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=120,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )  # fmt: skip

    return run


def steps(output):
    """The numbers of the steps at which a session stopped."""
    return [int(number) for number in re.findall(r"^step (\d+) of", output, re.MULTILINE)]


@pytest.fixture
def shell(tmp_path):
    """A shell on the network, in this process: call it with lines, get what it says."""
    file = tmp_path / "network.py"
    program = NETWORK.replace("loss.backward()", "").replace('print("gradient", w.grad)', "")
    file.write_text(program)
    variables = {}
    with am.provenance(calls=True):
        exec(compile(program, str(file), "exec"), variables)
    output = io.StringIO()
    inner = terminal.Shell(["jump start"], stdin=io.StringIO(), stdout=output)
    inner.interact(debug.trace(variables["loss"]))

    def say(*lines):
        output.seek(0)
        output.truncate()
        for line in lines:
            inner.onecmd(line)
        return output.getvalue()

    say.inner = inner
    say.file = file
    say.trace = inner.trace
    return say


# -- a session through a pipe ------------------------------------------------------------------------------------------


def test_a_session(session):
    """Every stop says when, where and what; the program's own output appears when it goes on."""
    done = session(NETWORK, "n", "n", "n", "c", "c")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(backprop)" not in done.stdout
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith("backward(), call 1 at program.py:13.")
    assert "> program.py:12" in lines
    assert "-> loss = -log(a[1])" in lines
    assert "           ^^^^^^^^^" in lines
    assert "   ∂loss/∂log(a[1]) += ∂loss/∂loss × ∂loss/∂log(a[1]) = 1 × -1 = -1   total -1" in lines
    assert any(line.endswith("backward through softmax") for line in lines)
    assert lines[-3:-1] == [
        "   the sweep is over: these are the gradients of backward()",
        "gradient 1.9051482536448665",
    ]
    assert lines[-1] == "program.py has ended."


def test_abbreviations_and_full_names_are_the_same(session):
    """A session in abbreviations prints exactly what one in full command names prints."""
    short = session(NETWORK, "n", "s", "r", "rn", "rs", "rr", "b exp", "c", "rc", "j 3", "w", "l", "grad all", "q")
    long = session(
        NETWORK, "next", "step", "return", "rnext", "rstep", "rreturn", "break exp", "continue", "rcontinue", "jump 3",
        "where", "list", "grad all", "quit",
    )  # fmt: skip
    assert short.stdout == long.stdout
    assert short.stdout.count("\nstep ") == 10


def test_an_empty_line_does_the_same_again(session):
    """An empty line repeats the last command."""
    assert session(NETWORK, "n", "", "", "q").stdout == session(NETWORK, "n", "n", "n", "q").stdout


def test_two_commands_on_a_line(session):
    """`;;` separates two commands, which act as if typed on two lines."""
    assert session(NETWORK, "n ;; n", "q").stdout == session(NETWORK, "n", "n", "q").stdout


def test_the_end_of_input_ends_the_session_and_the_program(session):
    """A pipe that is empty leaves the program unfinished, and says so; q, and a named value, are meant."""
    done = session(NETWORK, "n")
    assert (done.returncode, done.stderr) == (
        1,
        "autograd-mini: The commands ended before program.py did. End them with q to leave it, or with enough c to "
        "finish it.\n",
    )
    assert "gradient" not in done.stdout
    left = session(NETWORK, "n", "q")
    assert (left.returncode, left.stderr, "gradient" in left.stdout) == (0, "", False)
    named = session(NETWORK, "n", target="program.py:loss")
    assert (named.returncode, named.stderr) == (0, "")


def test_output_that_nobody_reads_ends_the_session(tmp_path):
    """A closed pipe ends the session silently with status 141, as the shell's own tools do."""
    (tmp_path / "program.py").write_text(NETWORK)
    command = [sys.executable, "-m", "autograd_mini", "debug", "program.py"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.stdout.close()
    _, complaints = process.communicate("n\n" * 3000)
    assert complaints == ""
    assert process.returncode == 141


def test_a_screen_without_mathematical_letters(session):
    """In an ASCII terminal derivatives are written with plain letters, and nothing fails."""
    done = session(NETWORK, "n", "c", "c", encoding="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "dloss/dlog(a[1])" in done.stdout


# -- programs ----------------------------------------------------------------------------------------------------------


def test_a_program_stops_at_each_backward(session):
    """The session opens once per `backward()`, knows the variables of that moment, and says when the program ends."""
    done = session(LOOP, "c", "c", "c", "c", "p x", "c", "c")
    assert re.findall(r"call (\d)", done.stdout) == ["1", "2", "3"]
    assert "x = 3, grad not yet" in done.stdout
    assert done.stdout.endswith("done\nprogram.py has ended.\n")


def test_a_program_can_stop_at_one_call_only(session):
    """`--at 2` opens the session at the second `backward()` only."""
    done = session(LOOP, "p x", "c", "c", options=["--at", "2"])
    assert re.findall(r"call (\d)", done.stdout) == ["2"]
    assert "x = 2, grad not yet" in done.stdout
    assert done.stdout.endswith("done\nprogram.py has ended.\n")


def test_breakpoints_and_displays_stay_for_the_next_backward(session):
    """Breakpoints, with their hits, and displays carry over to the next call."""
    done = session(LOOP, "b x.grad, x.grad > 5", "display x.grad * 2", "c", "c", "c", "c", "c")
    assert re.findall(r"^breakpoint 1: (.*)$", done.stdout, re.MULTILINE) == [
        "watch x.grad, if x.grad > 5", "watch x.grad, if x.grad > 5 (1 hit)",
    ]  # fmt: skip
    assert "   1: x.grad * 2 = 12" in done.stdout


def test_breakpoints_wait_for_a_graph_that_has_their_place(session):
    """A breakpoint that fits nothing in this graph waits, says so, and stops again in a later one."""
    program = "from autograd_mini import Value, exp\nx = Value(1.0)\n"
    program += "exp(x).backward()\n(x * x).backward()\nexp(x).backward()\n"
    done = session(program, "b exp", "c", "c", "c", "b", "c", "c", "q")
    assert "breakpoint 1: op exp, not in this graph (1 hit)" in done.stdout
    assert "breakpoint 1: op exp (2 hits)" in done.stdout


def test_expressions_wait_for_their_names(session):
    """A condition or watch with a name that this graph lacks waits without an error."""
    program = "from autograd_mini import Value\nx = Value(1.0)\ny = x * 2.0\n(y * y).backward()\n"
    program += "(x * x).backward()\n(y + y).backward()\n"
    done = session(program, "b y.grad > 0", "watch y.grad", "c", "c", "c", "clear 1", "c", "b", "c", "c", "c")
    waiting = session(program, "b y.grad > 0", "jump end", "c", "b", "c", "c", "c").stdout
    assert "when y.grad > 0, not in this graph" in waiting
    assert "call 3" in waiting
    assert "***" not in waiting
    watched = re.findall(r"watch y.grad.*", done.stdout)
    assert watched[-2:] == ["watch y.grad, not in this graph (2 hits)", "watch y.grad (3 hits)"]


def test_everything_behind_the_script_is_for_the_script(session):
    """Options after the script's name reach the script, even those that the debugger has itself."""
    program = "import sys\nprint(sys.argv)\n" + LOOP
    done = session(program, "q", arguments=["--at", "7", "-h", "--", "file"])
    assert done.stdout.startswith("['program.py', '--at', '7', '-h', '--', 'file']\n")
    assert "call 1" in done.stdout


def test_a_variable_can_be_named_instead(session):
    """`program.py:y` runs the program and then debugs `backward()` of that variable."""
    done = session("from autograd_mini import Value\nx = Value(3.0)\ny = x * x\nprint('ran')\n", "c", "grad", "q",
                   target="program.py:y")  # fmt: skip
    assert done.stdout.startswith("ran\nbackward(), call 1. n steps")
    assert re.search(r"^x +3 +6 +program.py:2$", done.stdout, re.MULTILINE)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("program", "commands", "options", "message"),
    [
        ("x = 1\n", (), (), "program.py never calls backward()."),
        ("import sys\nsys.exit()\n", (), (), "program.py never calls backward()."),
        ("import sys\nsys.exit(3)\n", (), (), "program.py ended with sys.exit(3)."),
        (LOOP + "1 / 0\n", ["c"] * 6, (), 'Traceback (most recent call last):\n  File "program.py", line 9'),
        ("from autograd_mini import Value\nValue('2')\n", (), (), "OperandError"),
        (LOOP, (), ("--at", "7"), "program.py calls backward() 3 times, so there is no call 7."),
    ],
    ids=["never", "exit", "exit 3", "raises", "error of the package", "at"],
)
def test_programs_that_end_otherwise(session, program, commands, options, message):
    """One clear sentence, or the traceback of the program's own frames, and exit status 1."""
    done = session(program, *commands, options=options)
    assert done.returncode == 1
    assert message in done.stderr
    assert "autograd_mini/" not in done.stderr


def test_a_file_that_is_not_there(session):
    """A missing script ends with status 1 and one sentence on stderr."""
    done = session("", target="nowhere.py")
    assert (done.returncode, done.stderr) == (1, "autograd-mini: There is no file 'nowhere.py'.\n")


READS = LOOP.replace("x = Value(1.0)", "x = Value(float(input()))") + "print('read', input())\n"


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "reads",
    [
        "input()",
        "import sys; sys.stdin.read()",
        "import sys; next(sys.stdin)",
        "import sys; sys.stdin.buffer.readline()",
    ],
)
def test_a_program_may_not_read_the_pipe_that_commands_come_from(session, reads):
    """It would read commands; they stay whole, nothing ends well, and two ways out are told."""
    for program in (f"x = 1\n{reads}\n" + LOOP, f"x = 1\ntry:\n    {reads}\nexcept Exception:\n    pass\n" + LOOP):
        done = session(program, "2", "1", "n", "q")
        assert (done.returncode, done.stdout) == (2, "")
        line = 2 if program.startswith(f"x = 1\n{reads}") else 3
        assert done.stderr == (
            f"autograd-mini: program.py, line {line}, reads standard input, which is where the debugger's commands "
            "come from. Type them at a terminal, or give the program its input with --input FILE.\n"
        )
    late = session(LOOP + reads, "n", "c", "c", "c", "c", "c")
    assert late.returncode == 2
    assert "done" in late.stdout


def test_what_reads_below_python_gets_nothing_of_the_commands(session):
    """Children and file descriptors: an error there, not a command lost."""
    for reads in ("import os; os.read(0, 10)", "import subprocess; subprocess.run(['cat'], check=True)"):
        done = session(reads + "\n" + LOOP, "q")
        assert done.returncode == 1
        assert "the program raised an error" in done.stderr
    looks = "import sys\nassert not sys.stdin.isatty()\nassert sys.stdin.fileno() == 0\nsys.stdin = None\n"
    done = session(looks + LOOP + "assert sys.stdin is None\n", *"cccccc")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_input_of_a_program_can_be_a_file(session, tmp_path):
    """--input FILE: for Python, for descriptors and for children; commands come from the pipe as before."""
    (tmp_path / "input.txt").write_text("4\nthe rest\n")
    done = session(READS, "p x", "c", "c", "c", "c", "c", "c", options=["--input", "input.txt"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "x = 4, grad not yet" in done.stdout
    assert "read the rest" in done.stdout
    child = "import subprocess\nprint('child', subprocess.run(['cat'], capture_output=True).stdout)\n"
    done = session(child + LOOP, "q", options=["--input", "input.txt"])
    assert "child b'4\\nthe rest\\n'" in done.stdout
    page = session(READS, options=["--input", "input.txt", "--page", "p.html"])
    assert (page.returncode, page.stdout) == (0, "p.html\n")
    page = session(READS, "4", "the rest", options=["--page", "p.html"])  # there are no commands, the pipe is its own
    assert (page.returncode, page.stdout) == (0, "p.html\n")


def test_a_session_inside_of_the_program_reads_the_same_commands(session):
    """`loss.debug()` under `autograd-mini debug`."""
    done = session(LOOP.replace("y.backward()", "y.debug()"), *["p x", "q"] * 3)
    assert re.findall("^x = ([123]), grad not yet$", done.stdout, re.MULTILINE) == ["1", "2", "3"]
    assert done.stderr == "autograd-mini: " + terminal_never("program.py")


def terminal_never(program):
    return (
        f"{program} never calls backward(). Call it on the value you want to differentiate, or name the value: "
        f"autograd-mini debug {program}:NAME. Other threads and processes are not followed.\n"
    )


def test_commands_that_are_not_utf_8(tmp_path):
    """Bytes that are not UTF-8 are one wrong command."""
    (tmp_path / "program.py").write_text(NETWORK)
    done = subprocess.run(
        [sys.executable, "-m", "autograd_mini", "debug", "program.py"], input=b"p \xff\nn\nq\n",
        cwd=tmp_path, capture_output=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"*** ") == 1
    assert done.stdout.count(b"\nstep ") == 2


def test_modules(session, tmp_path):
    """-m: as python -m does it, with arguments, and a value by its name."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "inner.py").write_text(
        "import sys\nfrom . import __name__ as name\nprint(name, sys.argv[1:])\n" + LOOP
    )
    done = session("", "p x", "c", "c", "q", options=["-m"], target="package.inner", arguments=["--at", "7"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("package ['--at', '7']\n")
    assert "> package/inner.py:8" in done.stdout
    named = session("", "q", options=["-m"], target="package.inner:y")
    assert "call 1. n steps" in named.stdout
    page = session("", options=["--page", "p.html", "-m"], target="package.inner")
    assert (page.returncode, page.stdout) == (0, "package []\np.html\n")
    never = session("x = 1\n", options=["-m"], target="program")
    assert "-m program never calls backward()" in never.stderr


def test_the_end_is_said_where_the_session_was(session):
    """Whatever the program made of `print`."""
    done = session(LOOP.replace('print("done")', "import builtins\nbuiltins.print = None"), *"cccccc")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "program.py has ended."


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes can be forked")
def test_processes_that_the_program_forks_are_not_stopped(session):
    """Nobody can talk to two debuggers at once."""
    fork = "import os\nchild = os.fork()\n" + LOOP + "if not child:\n    os._exit(0)\nos.waitpid(child, 0)\n"
    done = session(fork, *"cccccc")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("backward(), call") == 3
    assert done.stdout.splitlines()[-1] == "program.py has ended."


def test_a_program_that_catches_everything_can_be_left(session):
    """`q` ends the program although it catches every Exception."""
    program = LOOP.replace("    y.backward()", "    try:\n        y.backward()\n    except Exception:\n        pass")
    done = session(program, "q")
    assert (done.returncode, done.stderr) == (0, "")
    assert "done" not in done.stdout


# -- moving ------------------------------------------------------------------------------------------------------------


def test_next_passes_softmax_step_goes_in_return_leaves(shell):
    """`n` crosses softmax, `s` enters it, `r` leaves it, and `rn`, `rs` do so backwards."""
    shell("n", "n")
    assert "through softmax" in shell("n")
    assert "_" not in shell("rn").splitlines()[0]
    assert "in softmax" in shell("s")
    inside = shell.trace.position
    assert "in softmax" not in shell("r").splitlines()[0]
    assert shell.trace.position > inside
    assert "in softmax" in shell("rs")


def test_the_ends_of_time(shell):
    """At both ends of the trace a motion says in a sentence what can be done there."""
    assert "the sweep is over" in shell("c")
    assert shell("n") == "The sweep is over. c goes on with the program; rn goes back.\n"
    assert "forward" in shell("rc")
    assert shell.trace.position == 0
    assert shell("rn") == "This is the beginning: nothing was computed before.\n"
    assert shell("s").splitlines()[0] == f"step 1 of {len(shell.trace) - 1}, forward"


def test_every_step_forwards_is_undone_by_one_backwards(shell):
    """`rs` visits the positions of `s` in reverse."""
    positions = [shell.trace.position]
    while not shell("s").startswith("The sweep"):
        positions.append(shell.trace.position)
    for position in positions[-2::-1]:
        shell("rs")
        assert shell.trace.position == position


def test_jump(shell):
    """`jump` takes a number, an offset, `start` or `end`; others are refused with what is possible."""
    start, end = shell.trace.start, len(shell.trace) - 1
    for text, position in [("jump 3", 3), ("j +2", 5), ("j -1", 4), ("j start", start), ("j end", end), ("j 0", 0)]:
        shell(text)
        assert shell.trace.position == position
    assert shell("j -1") == f"*** There is no step -1; steps go from 0 to {end}.\n"
    assert shell("j soon") == "*** 'soon' is not a step: write a number, +3, -3, start or end.\n"


def test_control_c_stops_a_long_run_where_it_is(shell):
    """An interrupt during `c` stops at the step reached and says that it was interrupted."""

    def interrupt(step):
        if step.index == shell.trace.start + 4:
            raise KeyboardInterrupt
        return False

    shell.trace.break_at(when=interrupt)
    assert shell("c").startswith(f"interrupted here\nstep {shell.trace.start + 4} of")
    assert shell.trace.position == shell.trace.start + 4


# -- breakpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("b 8", "line {file}:8"),
        ("b network.py:8", "line {file}:8"),
        ("b exp", "op exp"),
        ("b *", "op *"),
        ("b softmax", "scope softmax"),
        ("b op div", "op div"),
        ("b node loss", "node loss"),
        ("b w", "node w"),
        ("b w.grad", "watch w.grad"),
        ("b watch w.grad * 2", "watch w.grad * 2"),
        ("watch w.grad", "watch w.grad"),
        ("watch w.grad > 1", "watch w.grad > 1"),
        ("b nonfinite", "nonfinite"),
        ("b above 1e3", "above 1000.0"),
        ("b below 0.1", "below 0.1"),
        ("b abs(grad) > 2", "when abs(grad) > 2"),
        ("b exp, max(grad, 0) > 2", "op exp, if max(grad, 0) > 2"),
        ("b exp if max(grad, 0) > 2", "op exp, if max(grad, 0) > 2"),
        ("tbreak exp", "op exp, once"),
    ],
)
def test_breakpoints_of_every_kind(shell, text, said):
    """Each way to write a breakpoint makes one of the kind named, and the list shows it in the same words."""
    assert shell(text) == f"breakpoint 1: {said.format(file=shell.file)}\n"
    assert shell("b") == f"breakpoint 1: {said.format(file=shell.file)}\n"
    assert len(shell.trace.breakpoints) == 1


def test_a_breakpoint_stops_in_both_directions(shell):
    """`rc` from the end stops inside softmax as well, and `c` stops again where it did first."""
    shell("b softmax", "c")
    there = shell.trace.position
    assert "in softmax" in shell("p 1", "l", "jump end", "rc")
    shell("jump start", "c")
    assert shell.trace.position == there


def test_a_temporary_breakpoint_stops_once(shell):
    """`tbreak` disappears after its first hit."""
    assert "once (1 hit)" in shell("tbreak exp", "c")
    assert shell.trace.breakpoints == []
    assert "the sweep is over" in shell("c")


def test_conditions_counts_and_switches(shell):
    """`condition`, `ignore`, `enable`, `disable` and `clear` change a breakpoint and say what it is now."""
    shell("b *")
    assert "if grad > 1e9" in shell("condition 1 grad > 1e9")
    assert "the sweep is over" in shell("c")
    assert shell("cond 1") == "breakpoint 1: op *\n"
    assert "hits > 1" in shell("ignore 1 1", "jump start")
    assert "(2 hits)" in shell("c")
    assert "off" in shell("disable 1")
    assert "the sweep is over" in shell("jump start", "c")
    assert "off" not in shell("enable")
    assert shell("clear 1") == "removed 1\n"
    assert shell("b") == "No breakpoints; help break lists the places.\n"
    assert shell("b 8", f"clear {shell.file}:8").endswith("removed 2\n")
    assert shell("b 8", "b exp", "clear").endswith("removed 3, 4\n")


LAYERS = """
import autograd_mini as am
network = am.nn.MLP(2, [2, 2], seed=1)
losses = []
for inputs, label in [([0.0, 1.0], 0), ([1.0, 0.0], 1)]:
    z = network(inputs)
    losses.append(am.cross_entropy(z, label))
am.sum(losses).backward()
"""


@pytest.mark.sampled(3)
@pytest.mark.parametrize("place", ["6", "7", "cross_entropy", "Layer1"])
@pytest.mark.parametrize("back", [False, True])
def test_a_line_that_calls_something_of_the_package_stops_once_for_each_call(session, place, back):
    """Though it is many nodes, and many contributions; the same for entering a scope."""
    moves = ["jump end", *["rc"] * 2] if back else ["c", "c"]
    done = session(LAYERS, f"b {place}", *moves, "b", "q")
    line = {"cross_entropy": "7", "Layer1": "6"}.get(place, place)
    assert done.stdout.count(f"> program.py:{line}\n") == 2 + (back and line == "6")
    assert done.stdout.splitlines()[-1].endswith("(2 hits)")


@pytest.mark.parametrize("back", [False, True])
def test_a_scope_is_entered_from_both_sides(back):
    """Forwards at its first node of the sweep, backwards at its last: one comes from a node outside."""
    loss = am.cross_entropy(am.nn.MLP(2, [2, 2], seed=1)([1.0, 2.0]), 0)
    trace = debug.trace(loss)
    trace.seek(len(trace) - 1 if back else trace.start)
    trace.break_at(scope="Neuron0")
    entered = 0
    while trace.run(back).breakpoints:
        if trace.position < trace.start:
            break
        entered += 1
        turn = trace.journal.turn(trace.position)
        assert trace.position == turn[-1]
        (scope,) = [scope for scope in trace.scopes(trace.step.node) if scope.name == "Neuron0"]
        assert scope not in trace.scopes(trace[turn[-1] + 1 if back else turn[0] - 1].node)
    assert entered == 2 - back  # the sweep ends inside of one


def test_what_a_word_means():
    """A node first, then a scope, then an operation; anything longer is an expression."""
    x = Value(2.0, name="exp")
    trace = debug.trace(am.tanh(am.exp(x)))
    assert meant(trace, "exp") == {"node": "exp"}
    assert meant(trace, "op exp") == {"op": "exp"}
    assert meant(trace, "exp.grad") == {"watch": x}
    assert meant(trace, "12") == {"line": 12, "file": None}
    assert meant(trace, "net.py:12") == {"line": 12, "file": "net.py"}


# -- looking -----------------------------------------------------------------------------------------------------------


def test_motions_can_be_repeated(shell):
    """A number after a motion repeats it, prints once, and stops at the end of the trace."""
    shell("jump start", "s", "s", "s")
    there = shell.trace.position
    assert shell("jump start", "s 3").count("\nstep") == 1
    assert shell.trace.position == there
    shell("rs 3")
    assert shell.trace.position == shell.trace.start
    shell("b when total == total", "c 4")
    assert shell.trace.position == shell.trace.start + 4
    assert shell("n x") == "*** 'x' is not a number of times.\n"
    shell("clear", "n 1000")
    assert shell.trace.position == len(shell.trace) - 1


def test_what_a_leaf_holds_from_before_is_told(session):
    """Who forgets to set gradients to zero sees it here."""
    program = "import autograd_mini as am\nx = am.Value(2.0)\nfor _ in range(2):\n    y = x * x\n    y.backward()\n"
    out = session(program, "c", "c", "c", "q").stdout
    assert "holds" not in out.partition("call 2")[0]
    assert "x.grad holds 4 from before: backward() adds to it, 8 then" in out.partition("call 2")[2]


def test_a_leaf_that_nothing_reaches_is_told_apart_from_one_that_waits(session):
    """A leaf behind an untaken branch reads `nothing ever arrives`, one further down `not yet`."""
    program = "import autograd_mini as am\nw, x = am.Value(-2.0), am.Value(3.0)\ny = am.relu(w) + x\ny.backward()\n"
    out = session(program, "grad", "grad w", "grad x", "q").stdout
    assert "0: nothing ever arrives" in out
    assert "∂y/∂w: nothing ever arrives" in out
    assert "∂y/∂x: nothing has arrived yet" in out


def test_print_and_display(shell):
    """`p` prints, `pp` gives all digits and details, `display` repeats at each stop, `undisplay` ends that."""
    assert shell("p w") == "w = 0.5, grad not yet\n"
    assert shell("w.grad") == "not yet\n"
    assert shell("c", "w.grad").endswith("1.90515\n")
    assert shell("pp w.grad") == "1.9051482536448665\n"
    assert "operation div" in shell("pp a")
    assert "place     " in shell("pp a")
    assert shell("!upstream * 2").count("\n") == 1
    assert shell("display w.grad") == "1: w.grad = 1.90515\n"
    assert "   1: w.grad = not yet" in shell("jump start")
    assert shell("display") == "1: w.grad = not yet\n"
    assert "w.grad" not in shell("undisplay w.grad", "n")
    assert shell("display v.grad", "undisplay 1", "display").endswith("shows x.grad at every stop.\n")


def test_all_leaves_and_all_digits(shell):
    """`grad all` lists every leaf, and `pp` shows a contribution in full."""
    assert [line.split()[0] for line in shell("grad all").splitlines()] == ["node", "v", "x", "w"]
    shell("n")
    assert "contribution -1.0" in shell("pp")


def test_where_up_down_list(shell):
    """`w`, `u`, `d` and `l` walk through the frames and show the source around them, with arrow and breakpoint."""
    shell("b 8", "c")
    said = shell("w").splitlines()
    assert said[-3].startswith("> ")
    assert said[-2:] == ["-> return weight * x", "          ^^^^^^^^^^"]
    assert "z = [logit(w), logit(v)]" in "\n".join(said[:-3])
    assert shell("d") == "*** This is the innermost place.\n"
    assert "logit" in shell("u").splitlines()[1]
    assert shell("u", "u", "u", "u").endswith("*** This is the outermost place.\n")
    assert "   8 B->     return weight * x" in shell("n", "rn", "l").splitlines()
    assert shell("l").splitlines()[0].split()[0] == "14"
    assert shell("l 2, 3").splitlines() == ["   2     from autograd_mini import Value, log, softmax", "   3"]
    assert shell("l 4").splitlines()[0].split()[0] == "1"
    assert shell("l .").splitlines()[0].split()[0] == "3"
    assert shell("l 99, 100").startswith("*** The file ends at line")
    assert shell("l x").startswith("*** 'x' is not a range")


def test_without_places_everything_else_works():
    """Where the graph has no places only `l` complains; motions, tables and checks work."""
    x = Value(2.0, name="x")
    output = io.StringIO()
    inner = terminal.Shell(["n", "w", "l", "u", "grad", "tree", "check", "q"], io.StringIO(), output)
    trace = debug.trace(x * x)
    trace.seek(trace.start)
    assert inner.interact(trace) is False
    assert "*** The source of this node is not known." in output.getvalue()
    assert "total 4" in output.getvalue()


# -- understanding -----------------------------------------------------------------------------------------------------


def test_grad_tree_explain_check(shell):
    """`grad`, `tree`, `explain` and `check` tell the gradients, the expression, the verdict and the differences."""
    shell("c")
    assert re.search(r"^w +0\.5 +1\.905 .*:5$", shell("grad"), re.MULTILINE)
    assert shell("grad x").splitlines()[0].endswith(" = 1.429")
    assert shell("tree loss 1").splitlines()[1].startswith("loss = −log(a[1])")
    assert shell("tree").splitlines()[1].startswith("variables['z'][1]")
    assert "Nothing is wrong" in shell("explain w")
    assert shell("explain all").startswith("Derivatives of")
    said = shell("check loss").splitlines()
    assert len(said) == 2
    assert all(line.endswith("agrees") for line in said)
    assert "∂loss/∂w = 1.905" in shell("check w")


def test_graph_draws_this_moment(shell, tmp_path, monkeypatch):
    """`graph` saves a picture of the current step and prints its path; a wrong one is one line."""
    monkeypatch.chdir(tmp_path)
    for command, name in [("graph", f"step-{shell.trace.start}.svg"), ("graph now.dot", "now.dot")]:
        said = shell(command)
        assert said == f"{tmp_path / name}\n"
        assert Path(said.strip()).stat().st_size > 500
    assert shell("graph none/x.svg").startswith("*** There is no folder 'none'.")
    assert shell("graph x.txt").startswith("*** A drawing cannot be saved as 'x.txt'.")


@pytest.mark.parametrize("position", range(0, 40, 3))
def test_pictures_have_the_gradients_of_the_moment(shell, position):
    """What `draw` shows after as many nodes is what the trace says now, at the end of each turn."""
    from autograd_mini.drawing.gradients import interrupted

    trace = shell.trace
    trace.seek(min(trace.start + position, len(trace) - 1))
    trace.seek(trace.journal.turn(trace.position)[-1])
    drawn = interrupted(trace.journal.order, shell.inner.handed_on())
    assert {node: g for node, g in drawn.numbers.items() if g} == {n: g for n, g in trace.gradients.items() if g}


def test_of_an_operation_with_thousands_of_operands_a_few_are_looked_at(monkeypatch):
    """What a stop costs to show does not grow with what it hides."""
    output = io.StringIO()
    inner = terminal.Shell(stdin=io.StringIO(), stdout=output)
    x = Value(1.0, name="x")
    y = am.sum([x] * 5000)
    inner.interact(debug.trace(y))
    inner.onecmd("jump start")
    symbol, asked = inner.wording.symbol, []
    monkeypatch.setattr(inner.wording, "symbol", lambda node: asked.append(node) or symbol(node))
    for verb, most in ("next", 20), ("check", 20), ("pp node", 20):
        output.truncate(0)
        asked.clear()
        inner.onecmd(verb)
        assert len(output.getvalue().splitlines()) <= most
        assert "… " in output.getvalue()
        assert len(asked) < 200
    inner.onecmd("jump end")
    assert "… 4,989 more" in output.getvalue()


def test_names_that_are_no_expressions():
    """Also a name that is a keyword, a word about the step, or has other letters for Python's parser."""
    output = io.StringIO()
    inner = terminal.Shell(stdin=io.StringIO(), stdout=output)
    names = "lambda", "x y", "grad", "w['a'][0]", "x[0]", "ϵ"
    inner.interact(debug.trace(am.sum([Value(float(i), name=name) for i, name in enumerate(names)])))
    for i, name in enumerate(names):
        output.truncate(0)
        inner.onecmd(f"tree {name}")
        assert re.search(rf"{re.escape(name)} +{i} ", output.getvalue())
    output.truncate(0)
    for line in "p w['a'][0].value", "p x[0].value + 0.5", "p ϵ.value":
        inner.onecmd(line)
    assert output.getvalue().lstrip("\0").splitlines() == ["3", "4.5", "5"]


def test_explain_calls_a_node_what_the_debugger_calls_it(tmp_path, monkeypatch):
    """And says that it knows nothing of what was changed."""
    file = tmp_path / "p.py"
    file.write_text("from autograd_mini import Value\nx = Value(2.0)\ny = x * 0.0\nz = y * 3.0\n")
    variables = {}
    with am.provenance(calls=True):
        exec(compile(file.read_text(), str(file), "exec"), variables)
    output = io.StringIO()
    inner = terminal.Shell(stdin=io.StringIO(), stdout=output)
    inner.interact(debug.trace(variables["z"]))
    for line in "explain x", "explain y", "explain all":
        inner.onecmd(line)
    said = output.getvalue()
    assert "Gradient of x = 0.0" in said
    assert "Gradient of y = 3.0" in said
    assert "the input" not in said
    assert "without what you changed" not in said
    for line in "jump start", "set z 2", "explain y":
        inner.onecmd(line)
    assert "This explains the sweep from 1, without what you changed." in output.getvalue()


def test_what_if(shell):
    """`set` changes a gradient that has not been handed on, the sweep goes on with it, and pictures say so."""
    shell("n", "n")
    (a,), (w,) = shell.trace.nodes("a"), shell.trace.nodes("w")
    before = shell.trace.grad(a)
    said = shell("set a 1")
    assert f"∂loss/∂a = 1   what if: changed by hand, before: {before:.4g}" in said
    assert "would be the gradients of backward() with the gradients that you set" in shell("c")
    assert shell.trace.grad(w) == pytest.approx(1.9051482536448665 / before)
    assert "without what you changed" in shell(f"graph {shell.file.parent / 'a.dot'}")
    assert shell("set w") == "*** w has its own number. Write another one after it.\n"
    assert shell("set w=0.6").splitlines()[1] == "   the gradients that you set are forgotten"
    both = shell("j 14", "set a 1", "c")
    assert "would be the gradients of backward() with these numbers and the gradients that you set" in both
    shell("reset", "j 14")
    assert shell("set loss 2").startswith("*** loss has already handed on its gradient.")
    assert shell("set w x").startswith("*** 'x' is not a number")


# -- other numbers -----------------------------------------------------------------------------------------------------


def test_setting_a_leaf(shell):
    """`set` shows everything on the new number, at the same place; sets add up, and each goes back."""
    shell("n", "n")
    said = shell("set w 0.7")
    assert said.splitlines()[:2] == ["   w + 0.2 → loss + 0.3842 (gradient said 0.381)", "step 14 of 25, backward"]
    assert "= -1 × 30.96 = -30.96   total -30.96" in said
    assert re.search(r"w +0.7 +not yet .*set by hand: 0.5 in the program", shell("grad"))
    assert "would be the gradients of backward() with these numbers" in shell("c")
    assert "agrees" in shell("check w")
    assert "0.7 * 2 = 1.4" in shell("explain w")
    assert re.search(r"w +0.7 ", shell("tree loss 9"))
    assert any("= 0.7 × 2 = 1.4" in shell(f"j {i}") for i in range(3, 6))
    shell("j 3")
    picture = shell.file.parent / "set.dot"
    shell(f"graph {picture}")
    assert "0.7" in picture.read_text()
    assert shell("set x = 1 / 2").startswith("   x - 1.5 → loss")
    assert shell("p w * x") == "0.35\n"
    assert shell("set w").startswith("   w - 0.2 → loss - 0.0")
    assert shell("reset").startswith("step 3 of 25")
    assert shell("reset w") == shell("set w") == "*** w has its own number. Write another one after it.\n"
    assert shell("pp loss").splitlines()[1] == f"value     {shell.trace.root.data!r}"
    (w,) = shell.trace.nodes("w")
    assert (w.data, w.grad) == (0.5, 0.0)


def test_a_nudge_changes_nothing(shell):
    """It says in one line what a step would do, and what the gradient says."""
    before = shell("p loss")
    assert shell("nudge w") == "   w + 0.01 → loss + 0.01906 (gradient says 0.01905)\n"
    assert shell("nudge w -0.1", "nudge v 1e-3") == (
        "   w - 0.1 → loss - 0.1896 (gradient says -0.1905)\n   v + 0.001 → loss - 0.001905 (gradient says -0.001905)\n"
    )
    assert shell("nudge a").startswith("*** a is computed.")
    assert shell("nudge w x").startswith("*** 'x' is not a number")
    assert shell("nudge").startswith("*** Write a leaf")
    assert shell("p loss") == before


def test_help_and_completion_know_the_commands_for_numbers(shell):
    """They stand in the list, complete nodes, and shorten like the others."""
    assert "nudge" in shell("help")
    assert "set w 0.7" in shell("help set")
    assert shell.inner.completedefault("lo", "nudge lo", 6, 8) == ["loss"]
    assert shell("nu w") == shell("nudge w")
    assert shell("res") == shell("reset")


BRANCHES = """
from autograd_mini import Value, tanh
import rates
x, w = Value(2.0), Value(0.5)
print("begins")
h = w * x
if h > 0.8:
    y = h * rates.rate
else:
    y = tanh(h) * Value(3.0, name="c")
for i in range(int((x * 2.0).data)):
    y = y + h
y.backward()
for i in range(3):
    loss = (w * x - 3.0) ** 2
    if loss < 0.5:
        loss = loss * 2.0
    w.grad = 0.0
    loss.backward()
    w.data -= 0.1 * w.grad
print("ends", w.data)
"""


@pytest.fixture
def branches(session, tmp_path):
    """Run the program that decides, with a module of its own; give its lines without the source excerpts."""

    def run(*commands, **options):
        (tmp_path / "rates.py").write_text("from autograd_mini import Value\nrate = Value(1.5, name='rate')\n")
        done = session(BRANCHES, *commands, **options)
        assert (done.returncode, done.stderr) == (0, "")
        return [line for line in done.stdout.splitlines() if not line.startswith(("> ", "-> ", "    "))]

    return run


def test_the_program_runs_again_where_only_it_can_tell(branches):
    """An `if` goes the other way, a number that was read is another: said with file and line, then run."""
    lines = branches("n", "set w 0.1", "grad", "set c 2", "set x 1.2", "reset", "grad", "q")
    assert lines.count("begins") == 4
    told = lines.index("   program.py:7: h > 0.8 is False now, not True")
    assert lines[told + 1 : told + 4] == [
        "   so the program runs again", "begins", "   w - 0.4 → y - 4.108 (gradient said -4.4)",
    ]  # fmt: skip
    assert any(re.match(r"w +0.1 .*set by hand: 0.5 in the program", line) for line in lines[told:])
    assert "   c - 1 → y - 0.1974 (gradient said -0.1974)" in lines  # c is new in this run
    assert "   program.py:11: (x * 2.0).data was 4, and is 2.4 now" in lines
    assert {tuple(line.split()[:2]) for line in lines[-3:]} == {("rate", "1.5"), ("w", "0.5"), ("x", "2")}


def test_a_set_in_training_counts_from_there(branches):
    """The steps before it are those that were; in another run it is put in place after as many writes."""
    lines = branches("set w 2", "j end", "grad", "c", "q", options=["--at", "3"])
    assert lines.count("begins") == 2
    assert "   program.py:16: loss < 0.5 is False now, not True" in lines
    assert "   w + 0.7 → loss + 0.68 (gradient said -2.24)" in lines
    assert any(re.match(r"w +2 +4 .*set by hand: 1.3 in the program", line) for line in lines)
    assert lines[-2:] == ["ends 1.44", "program.py has ended."]


def test_the_numbers_stand_for_the_branch_where_the_program_cannot_run_again(session, tmp_path):
    """If it reads a file, or is inside `shell(v)`: nothing is wrong in silence."""
    (tmp_path / "input.txt").write_text("4\n")
    program = "import autograd_mini as am\nx = am.Value(float(input()))\ny = x * x if x > 3.0 else -x\ny.backward()\n"
    done = session(program, "set x 2", "q", options=["--input", "input.txt"])
    assert "   program.py:3: x > 3.0 is False now, not True\n   These numbers stand for the way" in done.stdout
    assert "   x - 2 → y - 12 (gradient said -16)" in done.stdout
    named = session(program.replace("input()", "4"), "set x 2", "p y", "q", target="program.py:y")
    assert "so the program runs again" in named.stdout
    assert "y = -2, grad 1" in named.stdout
    output = io.StringIO()
    x = Value(4.0, name="x")
    inner = terminal.Shell(["set x 2", "q"], stdin=io.StringIO(), stdout=output)
    inner.interact(debug.trace(x * x if x > 3.0 else -x))
    assert "recorded without provenance: what the program compared is not known" in output.getvalue()


def test_what_the_program_can_write_is_understood(session):
    """A node with a name of its own is found by its variable and its place in a list, before and after a set."""
    program = """
import autograd_mini as am
xs = [am.Value(float(i), name="x") for i in range(3)]
w = am.Value(2.0, name="weight")
y = sum(x * w for x in xs)
y.backward()
"""
    said = session(
        program, "set xs[1] 5", "jump end", "p xs[1]", "p w", "p xs[1].grad", "set w 3", "p xs[2]", "p xs", "q"
    )
    lines = [line for line in said.stdout.splitlines() if line[:2] in ("x#", "we", "2 ", "**", "2")]
    assert lines[:2] == ["x#2 = 5, grad 2", "weight = 2, grad 7"]
    assert lines[2:4] == ["2", "x#3 = 2, grad 3"]
    assert lines[4].startswith("*** 3 nodes are called xs.")


def test_what_is_not_a_node_is_named(session):
    """A number of the program that is no node cannot be set; relu of nan is no `if` of the program."""
    program = """
import autograd_mini as am
k, x = 3, am.Value(2.0)
y = am.relu(x) * k
y.backward()
"""
    said = session(program, "set k 4", "set x nan", "set x 1", "q").stdout
    assert "*** 'k' is not a node. It is 3 in your program; only a Value has a gradient." in said
    assert "relu(x) is" not in said
    assert "   x = nan, before 2 → y = nan, before 6 (gradient said nan)" in said


def test_a_number_that_the_program_does_not_survive(session):
    """It says the error, or that it does not get there, and comes back to the numbers before."""
    program = """
import autograd_mini as am
x = am.Value(2.0)
if x < 1.0:
    raise ValueError("x is too small")
if x < 3.0:
    (x * 2.0).backward()
(x * x).backward()
"""
    done = session(program, "set x 0.5", "p x", "c", "c", "set x 5", "p x", "c", "c")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ValueError: x is too small\n   so it does not get here: back to the numbers before" in done.stdout
    assert done.stdout.count("x = 2, grad not yet") == done.stdout.count("back to the numbers before") == 1
    assert "   x + 3 → (x * x) + 21 (gradient said 12)" in done.stdout  # at the second call the first one is over
    assert done.stdout.endswith("program.py has ended.\n")


def test_a_program_that_does_not_repeat_itself_is_told(session):
    """The leaves whose numbers are others than before, though nobody set them; chance begins in the same way."""
    program = """
import os, random
import autograd_mini as am
x, v = am.Value(2.0), am.Value(random.random())
n = am.Value(float(len(os.listdir("."))))
open(f"file{n.data}", "w").close()
y = x * v * n if x > 1.0 else v * n - x
y.backward()
"""
    done = session(program, "p v", "set x 0", "p v", "q")
    first, second = re.findall("^v = (.*), grad", done.stdout, re.MULTILINE)
    assert first == second
    assert "   n is 2 now, and was 1" in done.stdout


def test_numbers_that_the_program_reads(session):
    """A number read through `.data` may decide that nothing else is recorded; what only prints decides nothing."""
    program = """
from autograd_mini import Value
w, x = Value(1.0), Value(3.0)
for i in range(2):
    y = w * x
    print("y", y.data)
    if y.data < 2.0:
        y = y * 10.0
    w.grad = 0.0
    y.backward()
    w.data = w.data - 0.25 * w.grad
    if abs(w.data) > 100.0:
        w.data = 100.0
"""
    done = session(program, "set w 2", "p y", "set w 0.5", "p y", "c", "c", "p w", "set w 200", "p w", "c", "c")
    assert (done.returncode, done.stderr) == (0, "")
    assert "y = 6, grad 1\n" in done.stdout
    assert "   program.py:7: y.data was 3, and is 6 now\n   so the program runs again\ny 6.0\n" in done.stdout
    assert "   program.py:7: y.data was 6, and is 1.5 now\n   so the program runs again\ny 1.5\n" in done.stdout
    assert "y = 15, grad 1\n" in done.stdout
    assert done.stdout.count("so the program runs again") == 3
    assert "the number that you set is not here: the program does not make its leaf, or writes it" in done.stdout
    assert "w = 100, grad not yet" in done.stdout


def test_code_for_micrograd_runs_again(session):
    """Only the program can compute an operation of its own; its class reads and writes numbers too."""
    program = """
from autograd_mini.micrograd import Value
x = Value(3.0, label="x")
def cube(x):
    out = Value(x.data**3, (x,), "cube")
    def _backward():
        x.grad += 3 * x.data**2 * out.grad
    out._backward = _backward
    return out
(cube(x) + x).backward()
x.data = 1.0
(x * x).backward()
"""
    done = session(program, "set x 2", "grad x", "c", "grad x", "c", "set x 5", "p x", "c", "c")
    assert (done.returncode, done.stderr) == (0, "")
    assert "so the program runs again" in done.stdout
    assert "x - 1 → (cube(x) + x) - 20 (gradient said -28)" in done.stdout
    assert "x + 4 → (x * x) + 24 (gradient said 8)" in done.stdout


def test_numbers_are_set_in_a_quiz_too(session):
    """The questions go on, on the new numbers."""
    done = session(NETWORK, "set w 0.7", "n", "-1", "q", options=["--quiz"])
    assert "w + 0.2 → loss + 0.3842" in done.stdout
    assert "right: 1 × (-1) = -1" in done.stdout


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "foo", "g", "b foo", "b 99", "b above much", "b exp, foo > 1", "b exp, (", "b __import__('os')", "p",
        "p no.grad", "clear :3",
        "p ().__class__", "x = 3", "condition 7", "ignore", "enable 7", "clear 7", "clear network.py:3", "undisplay 3",
        "display foo", "tree foo", "grad foo", "explain foo", "check foo", "check 3", "set", "jump", "help foo",
        "tree loss 2.5", "watch", "l 0, x", "b op foo", "b scope foo", "b node foo", "b watch foo", "??", "!",
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_never_the_end(shell, line):
    """A wrong command prints one line with `***`, changes nothing, and the session goes on."""
    before = shell.trace.position
    said = shell(line)
    assert said.startswith("*** ")
    assert said.count("\n") == 1
    assert "Error:" not in said  # it has been thought of
    assert shell.trace.position == before
    assert shell.trace.breakpoints == []
    assert shell("n").startswith("step ")


def test_even_a_mistake_of_the_debugger_is_one_line(shell, monkeypatch):
    """An exception inside the debugger is reported in one line too."""
    monkeypatch.setattr(shell.inner.wording, "table", lambda nodes: 1 // 0)
    assert shell("grad") == "*** ZeroDivisionError: integer division or modulo by zero\n"


def test_every_verb_says_what_it_does(shell):
    """`help` lists every command, `help VERB` explains it, and shorts give the same text."""
    said = shell("help")
    for verb in shell.inner.commands:
        assert re.search(rf"^  {verb} ", said, re.MULTILINE), f"{verb} is not in the overview"
        assert shell(f"help {verb}").startswith(verb)
    assert shell("?") == said
    assert shell("h b") == shell("help break")
    documented = {name.removeprefix("do_") for name in shell.inner.get_names() if name.startswith("do_")}
    assert documented == {*shell.inner.commands, "EOF"}
    for verb, command in shell.inner.commands.items():
        for short in command.shorts:
            assert shell(f"help {short}") == shell(f"help {verb}")


# -- on a terminal -----------------------------------------------------------------------------------------------------

try:
    import pexpect
except ImportError:
    pexpect = None
on_a_terminal = pytest.mark.skipif(
    pexpect is None or sys.platform == "win32", reason="needs pexpect, and a system with pseudo-terminals"
)
PROMPT = r"\(backprop\) "


@pytest.fixture
def typed(tmp_path):
    """`autograd-mini debug` on a pseudo-terminal."""
    (tmp_path / "program.py").write_text(NETWORK)
    children = []

    def start(*command, prompt=PROMPT, **environment):
        program, *arguments = command or (sys.executable, "-m", "autograd_mini", "debug", "program.py")
        known = {"XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm", "INPUTRC": "/dev/null", **environment}
        child = pexpect.spawn(
            program, arguments, cwd=str(tmp_path), timeout=60,
            encoding="utf-8", dimensions=(50, 200), env={**os.environ, "NO_COLOR": "", **known},
        )  # fmt: skip
        children.append(child)
        child.expect(prompt)
        return child

    yield start
    for child in children:
        child.close(force=True)


def ask(child, line):
    child.sendline(line)
    child.expect(PROMPT)
    return child.before


@on_a_terminal
def test_colours_on_a_terminal_unless_unwanted(typed):
    """A terminal gets colours unless NO_COLOR or TERM=dumb is set."""
    assert "\x1b[1;36m^^^" in ask(typed(), "n")
    assert "\x1b[1;36m" not in ask(typed(NO_COLOR="1"), "n")
    assert "\x1b[1;36m" not in ask(typed(TERM="dumb"), "n")


@on_a_terminal
def test_at_a_terminal_program_and_debugger_take_turns(typed, tmp_path):
    """What is typed goes to whoever asks."""
    (tmp_path / "reads.py").write_text(READS.replace("input()", "input('number? ')"))
    child = typed(sys.executable, "-m", "autograd_mini", "debug", "reads.py", prompt="number[?] ")
    assert "step" in ask(child, "4")
    assert "x = 4, grad not yet" in ask(child, "p x")
    for _ in range(5):
        ask(child, "c")
    child.sendline("c")
    child.expect("number[?] ")
    child.sendline("the rest")
    child.expect("read the rest\r\nreads.py has ended.\r\n")
    child.expect(pexpect.EOF)


@on_a_terminal
@pytest.mark.parametrize("given", ["-", "input.txt"])
def test_the_program_reads_a_pipe_or_a_file_and_commands_are_typed(typed, tmp_path, given):
    """--input - is the pipe; keys edit and complete as ever."""
    (tmp_path / "reads.py").write_text(READS)
    (tmp_path / "input.txt").write_text("4\nthe rest\n")
    line = f"'{sys.executable}' -m autograd_mini debug --input {given} reads.py"
    child = typed("sh", "-c", f"cat input.txt | {line}" if given == "-" else line)
    assert "x = 4, grad not yet" in ask(child, "p z\b x")
    child.send("p x.gr\t")
    child.expect("x.grad")
    ask(child, "")
    for _ in range(5):
        ask(child, "c")
    child.sendline("c")
    child.expect("read the rest\r\nreads.py has ended.\r\n")
    child.expect(pexpect.EOF)


@on_a_terminal
def test_control_c_at_the_prompt_gives_another_one(typed):
    """Ctrl-C discards the line and shows a fresh prompt."""
    child = typed()
    child.send("gra")
    child.expect_exact("gra")
    child.sendintr()
    child.expect(PROMPT)
    assert "step" in ask(child, "n")


@on_a_terminal
def test_control_d_ends_the_session(typed):
    """Ctrl-D leaves with status 0."""
    child = typed()
    child.sendeof()
    child.expect(pexpect.EOF)
    child.wait()
    assert (child.exitstatus, child.signalstatus) == (0, None)


@on_a_terminal
def test_tab_completes(typed):
    """Tab completes commands, scopes, nodes and attributes."""
    child = typed()
    for typing, completed in [
        ("expl", "explain "),
        ("b sof", "b softmax"),
        ("p los", "p loss"),
        ("p w.gr", "p w.grad"),
    ]:
        child.send(typing + "\t")
        child.expect_exact(completed)
        child.send("\x15")  # Ctrl-U empties the line; Ctrl-C would also discard what is typed next


@on_a_terminal
def test_what_was_typed_is_remembered(typed, tmp_path):
    """The history is written to the state folder, and the next session offers it."""
    child = typed()
    ask(child, "p loss")
    child.sendline("q")
    child.expect(pexpect.EOF)
    assert (tmp_path / "state" / "autograd-mini" / "history").read_text() == "p loss\nq\n"
    child = typed()
    child.send("\x1b[A\x1b[A")
    child.expect_exact("p loss")


@on_a_terminal
def test_a_history_that_cannot_be_written_is_no_trouble(typed, tmp_path):
    """An unwritable state folder goes unnoticed."""
    (tmp_path / "file").write_text("")
    child = typed(XDG_STATE_HOME=str(tmp_path / "file"))
    ask(child, "n")
    child.sendline("q")
    child.expect(pexpect.EOF)
    assert "Error" not in child.before


def test_completion_knows_what_fits(shell):
    """Completion offers, for each command, just the kinds of words that it takes."""

    def complete(line):
        word = re.split(r"[ ,(;]", line)[-1]
        return shell.inner.completedefault(word, line, len(line) - len(word), len(line))

    assert shell.inner.completenames("re", "re", 0, 2) == ["return ", "reset "]
    assert complete("b so") == ["softmax"]
    assert complete("tbreak n") == ["neg", "nonfinite"]
    assert complete("b net") in ([], ["network.py:"])
    assert complete("p w.") == [
        f"w.{name}" for name in ("data", "value", "grad", "op", "name", "line", "scope", "number")
    ]
    assert complete("p abs") == ["abs("]
    assert "break" in complete("help b")
    assert complete("j s") == ["start"]
    assert complete("tree lo") == ["loss"]


def test_the_history_of_the_program_comes_back(tmp_path, monkeypatch):
    """A program's own readline history is set aside during the session and restored after it."""
    readline = pytest.importorskip("readline")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    readline.add_history("mine")
    before = readline.get_current_history_length()
    with prompt.line_editing():
        assert readline.get_current_history_length() == 0
        readline.add_history("n")
    assert readline.get_current_history_length() == before
    assert readline.get_history_item(before) == "mine"
    assert prompt.history_file().read_text().splitlines()[-1] == "n"


# -- from Python -------------------------------------------------------------------------------------------------------


def test_a_value_can_be_debugged_where_it_is(monkeypatch, capsys):
    """`value.debug()` opens a session in place, and leaves the gradients unwritten."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\nq\n"))
    x = Value(3.0, name="x")
    (x * x).debug()
    said = capsys.readouterr().out
    assert "provenance(calls=True)" in said.splitlines()[0]
    assert "total 6" in said
    assert x._grad is None


@pytest.mark.parametrize("wrong", [3.0, None, [Value(1.0)]])
def test_only_values_can_be_debugged(wrong):
    """`debug.shell` refuses anything but a Value, and names itself in the message."""
    with pytest.raises(am.OperandError, match=r"debug.shell\(\) takes a Value"):
        debug.shell(wrong)


PDB = """
from autograd_mini import Value
x, w = Value(2.0, name="x"), Value(-3.0, name="w")
y = x * w
y.backward()
"""


def test_plain_pdb_finds_readable_code(tmp_path):
    """Who steps into backward() finds the chain rule, with the contribution in local variables of good names."""
    (tmp_path / "program.py").write_text(PDB)
    source = (Path(am.__file__).parent / "core" / "sweep.py").read_text().splitlines()
    step = "contribution, before = adjoint * dleft, adjoints[operand]"
    (line,) = [n for n, text in enumerate(source, 1) if step in text]
    commands = ["b 5", "c", "s", "n", "n", f"b autograd_mini/core/sweep.py:{line}", "c", "n"]
    commands += ["p contribution", "p operand.name", "p adjoint, before", "q"]
    path = os.pathsep.join([str(Path(am.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pdb", "program.py"], input="\n".join(commands) + "\n", cwd=tmp_path,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=120,
    )  # fmt: skip
    assert "backward()\n-> def backward(self, seed: float = 1.0)" in done.stdout
    assert "-> adjoints[operand] = contribution if before is ZERO else before + contribution" in done.stdout
    assert "(Pdb) -3.0\n(Pdb) 'x'\n(Pdb) (1.0, ZERO)\n" in done.stdout


BROKEN = """
import autograd_mini as am
x, w = am.Value(0.0), am.Value(2.0)
y = am.sqrt(x) * w
y.backward()
z = am.log(w - 2.0)
z.backward()
"""


def test_explain_is_about_who_received_what_is_not_finite(session):
    """Where a breakpoint stopped, and where one step on led to it; in the forward phase, about the number."""
    for way in (["b nonfinite", "c"], ["n", "n"], ["jump end"]):
        done = session(BROKEN, *way, "explain", "q", options=("--at", "1"))
        assert "total inf" in done.stdout
        assert "Nothing is wrong" not in done.stdout
        assert "Gradient of x = inf (infinite slope)" in done.stdout
    done = session(BROKEN, "jump 0", "b nonfinite", "c", "explain", "q", options=("--at", "2"))
    assert "Nothing is wrong" not in done.stdout
    assert "log(0) is -inf" in done.stdout


# -- why ---------------------------------------------------------------------------------------------------------------


def test_rule_writes_the_local_derivatives_as_formulas(shell):
    """Of this step in the order of its contributions, of any node, and a leaf has none."""
    assert shell("jump 14", "rule").splitlines()[-1] == "   ∂log(a)/∂a = 1 / a = 1 / 0.04743 = 21.09"
    lines = [" ".join(line.split()) for line in shell("rule #9").splitlines()]
    assert lines[0].endswith("= 1 / add#8 = 1 / 1.05 = 0.9526")
    assert "² = −0.04979 / 1.05² = -0.04518" in lines[1]
    assert shell("rule x") == "   x is a leaf: it was given, not computed\n"
    assert shell("rule #3").splitlines() == ["   ∂(v × x)/∂v = x = 2", "   ∂(v × x)/∂x = v = -1"]


def test_rule_of_an_operation_of_the_users_says_that_it_has_none():
    """Its slope is told all the same."""
    cube = am.primitive("cubed_by_math", lambda x: x**3, lambda y, x: (3.0 * float(x) ** 2,), check=False)
    output = io.StringIO()
    x = Value(2.0, name="x")
    inner = terminal.Shell(["jump end", "rule"], stdin=io.StringIO(), stdout=output)
    try:
        y = cube(x)
    except am.AutogradError:
        pytest.skip("such a rule is refused")
    finally:
        am.core.row.TABLE.pop("cubed_by_math")
    inner.interact(debug.trace(y))
    assert "its rule cannot be written in symbols" in output.getvalue()


def test_paths_lists_every_path_with_its_product(shell):
    """A call such as softmax is one factor until it is opened; the products add up to the gradient."""
    lines = shell("paths w").splitlines()
    assert lines[0].split()[:7] == ["loss", "→", "log(a[1])", "→", "a", "→", "z[0]"] or "(-0.04518)" in lines[0]
    assert lines[-1] == "   ∂loss/∂w = 1.905, the sum over 1 path"
    lines = shell("open softmax", "paths w").splitlines()
    assert lines[0] == "open: softmax"
    assert lines[-1] == "   ∂loss/∂w = 1.905, the sum over 2 paths"
    assert lines[2].endswith("= -0.09485")
    assert shell("fold") == "open: nothing\n"
    assert "∂loss/∂loss = 1, the sum over 1 path" in shell("paths loss")
    (inner,) = shell.trace.nodes("#6")
    assert f"the sum over {shell.trace.paths(inner).count} path" in shell("paths #6")


def test_open_lets_n_go_into_a_call(shell):
    """`n` passes softmax as a whole until it is opened, and again when it is folded; no other name is taken."""

    def motions() -> int:
        shell("jump start")
        for count in range(100):
            if shell.trace.position == len(shell.trace) - 1:
                return count
            shell("n")
        raise AssertionError

    few = motions()
    shell("open softmax")
    assert motions() > few
    shell("fold softmax")
    assert motions() == few
    assert "There is no scope 'tanh'; there are" in shell("open tanh")


def test_rule_of_a_call_is_its_closed_form(shell):
    """By name, or after `n` went over it: with the numbers of its letters, and what they mean."""
    said = [" ".join(line.split()) for line in shell("rule softmax").splitlines()]
    assert said[0].endswith("= a_i(δ_ij − a_j) = 0.04743 × (1 − 0.04743) = 0.04518")
    assert said[1].endswith("= a_i(δ_ij − a_j) = 0.04743 × (0 − 0.9526) = -0.04518")
    assert said[2] == "with a = softmax(z), δ_ij = 1 if i = j, else 0"
    shell("jump start", "n", "n", "n")
    assert shell.trace.passed is not None
    assert [" ".join(line.split()) for line in shell("rule").splitlines()] == said
