"""Commands in bad surroundings: streams that are closed, full, cut off or not UTF-8, files that cannot be written.

Each is one sentence that names what is wrong, with an exit status that is not 0, and never a traceback.
"""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.output import streams

PROGRAM = 'import autograd_mini as am\nx = am.Value(2.0)\ny = x * x\ny.backward()\nprint("ran", end="")\n'
PACKAGE = Path(am.__file__).parent
posix = pytest.mark.skipif(os.name == "nt", reason="a shell redirects descriptors here")
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")


@pytest.fixture
def shell(tmp_path):
    """Run a line of a shell, in which `am` is the command; standard input is empty."""
    (tmp_path / "ex.py").write_text(PROGRAM)

    def run(line, **environment):
        start = f'am() {{ "{sys.executable}" -m autograd_mini "$@"; }}; '
        return subprocess.run(
            ["sh", "-c", start + line], cwd=tmp_path, capture_output=True, timeout=120, stdin=subprocess.DEVNULL,
            encoding="utf-8", errors="backslashreplace", env={**os.environ, "PYTHONUNBUFFERED": "", **environment},
        )  # fmt: skip

    return run


def sentence(done, text, status=1):
    """One line on standard error, that says this."""
    assert done.stderr == f"autograd-mini: {text}\n"
    assert done.returncode == status


# -- what an encoding lacks --------------------------------------------------------------------------------------------


@pytest.mark.sampled(4)
@posix
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
@pytest.mark.parametrize(
    "command", ["demo --steps 2", "demo --help", "prove softmax-cross-entropy", "draw ü×.py", "debug ü×.py", "doctor"]
)
def test_every_command_prints_in_every_encoding(shell, tmp_path, command, encoding):
    """What cannot be written is spelt: ∂ is d, δ is delta; nothing dies of it, also not the program that is run."""
    (tmp_path / "ü×.py").write_text(PROGRAM + "print('∂')\n", encoding="utf-8")
    done = shell(f"printf 'n\\nc\\nc\\n' | am {command}", PYTHONIOENCODING=encoding, PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    if encoding == "ascii":
        for command_, word in {
            "demo --steps": "a_i(delta_ij - a_j)",
            "prove": "dL/dz1",
            "debug": "dy/dx += dy/dy x",
        }.items():
            assert word in done.stdout or not command.startswith(command_)


@posix
def test_the_locale_c(shell):
    """As on an old server: no UTF-8 at all."""
    done = shell("am prove softmax-cross-entropy", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.stderr, done.returncode) == ("", 0)
    assert "dL/dz1" in done.stdout


def test_every_letter_of_the_package_can_be_spelt():
    """Whatever stands in a text of the package has a spelling in ASCII that says something."""
    found = {letter for path in PACKAGE.rglob("*.py") for letter in path.read_text(encoding="utf-8") if letter > "\x7f"}
    for letter in found - set("数�"):
        assert "?" not in letter.encode("ascii", "readable").decode(), letter


@given(st.text(), st.sampled_from(["ascii", "cp1252", "utf-8", "utf-16", "shift_jis", "cp037"]))
@example("\udcff\ud800", "utf-8")
@example("e\u0301 ½ δ Σ ² ﬁ", "ascii")
def test_any_text_can_be_written_anywhere(text, encoding):
    """Lone surrogates too; what the encoding has stays as it is."""

    def one(letter):
        try:
            return letter.encode(encoding).decode(encoding)
        except UnicodeEncodeError:
            spelt = letter.encode("ascii", "readable").decode()
            assert spelt or unicodedata.combining(letter)
            return spelt

    assert text.encode(encoding, "readable").decode(encoding) == "".join(map(one, text))


def test_spelling():
    """The `readable` error handler turns mathematical signs into ASCII, and what has no spelling into ?."""
    assert "∂L/∂z × δ ≤ x² … é e\u0301 🙂".encode("ascii", "readable") == b"dL/dz x delta <= x^2 ... e e ?"


# -- streams that are closed, full, or cut off -------------------------------------------------------------------------


@pytest.mark.sampled(3)
@posix
@pytest.mark.parametrize(
    "command", ["prove", "draw ex.py", "demo --steps 2", "debug ex.py", "debug --page p.html ex.py", "doctor", "--help"]
)
def test_standard_output_that_is_closed(shell, tmp_path, command):
    """What was to be printed is lost, so the status is 1; pictures are written."""
    done = shell(f"am {command} 2>errors >&-")
    assert (done.stdout, done.returncode) == ("", 1)
    assert (tmp_path / "errors").read_text().endswith("autograd-mini: standard output: it is closed\n")
    assert (tmp_path / "graph.svg").exists() == command.startswith("draw")
    assert (tmp_path / "p.html").exists() == ("--page" in command)


@pytest.mark.sampled(3)
@posix
@full
@pytest.mark.parametrize(
    "command", ["prove", "draw ex.py", "demo --steps 2", "debug ex.py", "doctor", "--help", "prove --help", "--version"]
)
def test_standard_output_that_is_full(shell, command):
    """One sentence, and not another one of the interpreter when it ends."""
    done = shell(f"am {command} >/dev/full 2>errors; echo $?; cat errors")
    status, *_, last = done.stdout.splitlines()
    assert (status, last) == ("1", "autograd-mini: standard output: No space left on device")
    assert "Traceback" not in done.stdout
    assert "Exception ignored" not in done.stdout


@pytest.mark.sampled(3)
@posix
@pytest.mark.parametrize("command", ["prove", "prove softmax", "draw ex.py", "--help", "debug ex.py"])
def test_output_whose_reader_goes(shell, tmp_path, command):
    """As in `| head`: a quiet end, with the status of one that the system has stopped."""
    done = shell(f"{{ am {command}; echo $? >status; }} 2>errors | true")
    assert (done.stderr, done.returncode) == ("", 0)
    assert (tmp_path / "errors").read_text() == ""
    assert (tmp_path / "status").read_text() in ("141\n", "0\n")  # 0: it was quicker than the reader


@posix
def test_output_whose_reader_has_gone(tmp_path):
    """The same, where the reader has gone before."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "autograd_mini", "prove"], stdout=write, stderr=subprocess.PIPE, timeout=60,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@posix
@pytest.mark.parametrize("command", ["draw", "debug --page p.html"])
def test_the_program_is_not_blamed_for_standard_output(shell, tmp_path, command):
    """It prints more than a buffer holds, or flushes: then the error comes out of a line of its own."""
    (tmp_path / "talks.py").write_text("for i in range(99999):\n    print(i, flush=True)\n")
    gone = shell(f"{{ am {command} talks.py; echo $? >status; }} 2>errors | head -1")
    assert ((tmp_path / "errors").read_text(), (tmp_path / "status").read_text()) == ("", "141\n"), gone
    if os.path.exists("/dev/full"):
        sentence(shell(f"am {command} talks.py >/dev/full"), "standard output: No space left on device")
    (tmp_path / "talks.py").write_text("raise BrokenPipeError(32, 'Broken pipe')\n")
    own = shell(f"am {command} talks.py")
    assert own.returncode == 1
    assert "the program raised an error" in own.stderr


@pytest.mark.sampled(3)
@posix
@pytest.mark.parametrize("command", ["prove", "draw ex.py", "demo --steps 2", "debug --page p.html ex.py"])
@pytest.mark.parametrize("where", ["&-", pytest.param("/dev/full", marks=full)])
def test_standard_error_that_is_closed_or_full(shell, tmp_path, command, where):
    """A progress bar is not worth an end: the work is done."""
    done = shell(f"am {command} 2>{where}")
    assert done.returncode == 0
    assert done.stdout
    bad = shell(f"am draw nowhere.py 2>{where}")
    assert (bad.returncode, bad.stdout) == (1, "")


@posix
def test_standard_input_that_is_closed(shell):
    """What does not read it works; a debugger without commands is told."""
    assert shell("am draw ex.py <&-").returncode == 0
    assert shell("am demo --steps 2 <&-").returncode == 0
    sentence(shell("am debug ex.py <&-"), "Standard input is closed, but commands come from there.")
    sentence(shell("am dap <&-"), "Standard input is closed, but the editor's messages come from there.")


@posix
def test_everything_is_closed(shell, tmp_path):
    """As under a service: no descriptor of a file is taken for a standard stream."""
    writes = "import os, subprocess\nfile = open('data.txt', 'w')\nos.write(1, b'stray')\nos.write(2, b'stray')\n"
    child = (
        "subprocess.run(['sh', '-c', 'echo stray && echo stray >&2'], check=True)\nfile.write('kept')\nfile.close()\n"
    )
    (tmp_path / "ex.py").write_text(writes + child + PROGRAM)
    assert shell("am draw ex.py <&- >&- 2>&-").returncode == 1
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
    assert (tmp_path / "data.txt").read_text() == "kept"


# -- files -------------------------------------------------------------------------------------------------------------


@posix
@full
@pytest.mark.parametrize(
    ("command", "file"),
    [("draw ex.py -o full.svg", "full.svg"), ("demo --steps 2 -o full.svg", "full.svg"),
     ("debug --page full.html ex.py", "full.html")],
)  # fmt: skip
def test_a_disk_that_is_full(shell, tmp_path, command, file):
    """The file is named, and the program is not blamed."""
    (tmp_path / file).symlink_to("/dev/full")
    done = shell(f"am {command}")
    assert done.returncode == 1
    assert re.fullmatch(rf"autograd-mini: (.*/)?{file}: No space left on device", done.stderr.splitlines()[-1])
    assert "the program raised" not in done.stderr


@pytest.mark.sampled(3)
@posix
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("draw folder", "'folder' is a folder, not a program."),
        ("debug folder", "'folder' is a folder, not a program."),
        ("demo --data folder", "folder: Is a directory."),
        ("draw ex.py -o folder.svg", "{}/folder.svg: Is a directory"),
        ("debug --page folder.html ex.py", "{}/folder.html: Is a directory"),
        ("draw ex.py -o none/x.svg", "There is no folder 'none'.\n  do:    Create it, or choose another with -o."),
        ("draw " + "a" * 300, "a" * 300 + ": File name too long"),
        ("draw ex.py -o " + "a" * 300 + ".svg", "{}/" + "a" * 300 + ".svg: File name too long"),
        ("debug --input none ex.py", "none: No such file or directory"),
        ("debug --input folder ex.py", "the program raised an error\n"),
        ("draw null.py", "null.py cannot be parsed\nSyntaxError: source code string cannot contain null bytes"),
        ("draw latin.py", "latin.py cannot be parsed\nSyntaxError: invalid or missing encoding declaration"),
        ("draw syntax.py", 'syntax.py cannot be parsed\n  File "syntax.py", line 1\n    x = = 1\n        ^\nSyntax'),
        ("debug syntax.py", 'syntax.py cannot be parsed\n  File "syntax.py", line 1\n    x = = 1\n        ^\nSyntax'),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used(shell, tmp_path, command, message):
    """One sentence, or Python's own report of what it cannot parse."""
    for name in ("folder", "folder.svg", "folder.html"):
        (tmp_path / name).mkdir()
    (tmp_path / "null.py").write_bytes(b"x = 1\0\n")
    (tmp_path / "latin.py").write_bytes(b"x = 1  # \xfc\n")
    (tmp_path / "syntax.py").write_text("x = = 1\n")
    if "--input folder" in command:
        (tmp_path / "ex.py").write_text("input()\n" + PROGRAM)
    done = shell(f"am {command}")
    assert done.returncode == 1
    assert done.stderr.removeprefix("autograd-mini: ").startswith(message.format(tmp_path))


@posix
def test_the_current_folder_is_gone(shell):
    """Where the current folder was deleted, `draw` ends with one sentence about it."""
    sentence(shell('p=$PWD; mkdir gone; cd gone; rmdir ../gone; am draw "$p/ex.py"'),
             "the current folder: No such file or directory")  # fmt: skip


@posix
def test_names_that_are_not_utf_8(shell, tmp_path):
    """Bytes that are not UTF-8, in the names of the program and of the picture."""
    done = shell("""a=$(printf 'a\\377'); mv ex.py "$a.py"; am draw "$a.py" -o "$a.svg"; am draw "$a" """)
    assert done.stdout.startswith("ran2 nodes, 2 edges: ")
    sentence(done, r"There is no file 'a\udcff'.")
    assert os.path.exists(os.fsencode(tmp_path) + b"/a\xff.svg")


# -- text of the user --------------------------------------------------------------------------------------------------


@posix
def test_labels_do_not_steer_the_terminal(shell, tmp_path):
    """Escape sequences, line ends and marks of direction in a CSV file are shown, not sent."""
    with open(tmp_path / "labels.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["a\x1b[2J", "b\nc", "label"])
        rows.writerows([i % 7, i % 3, "x\x1b]0;title\x07" if i % 7 > 3 else "y\u202e\nz"] for i in range(40))
    done = shell("am demo --data labels.csv --steps 2")
    assert done.returncode == 0
    assert "x�]0;title�" in done.stdout
    assert "y��z" in done.stdout
    wrong = (tmp_path / "labels.csv").read_text(encoding="utf-8").replace("\n6,", "\n\x1b[1m,", 1)
    (tmp_path / "wrong.csv").write_text(wrong, encoding="utf-8")
    bad = shell("am demo --data wrong.csv")
    assert "wrong.csv, line 13, column 1 (a�[2J): '\\x1b[1m' is not a number." in bad.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", done.stdout + bad.stderr)


def test_names_do_not_steer_the_terminal():
    """In explanations, in the wrong order, in errors."""
    x = am.Value(-1.0, name="x\x1b[2J\u202e")
    with am.provenance(), am.scope("s\x1b"):
        y = am.sqrt(x) * 2.0
    with pytest.raises(am.ArgumentError) as error:
        am.draw(y, focus="none")
    with pytest.raises(am.NonFiniteError) as other, am.checked():
        am.sqrt(x)
    b = x + x
    for text in (am.explain(y), *am.explain(y).findings, am.debug.wrong_order(b + b), error.value, other.value):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", str(text))


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("command", ["draw", "debug", "debug --page p.html", "demo --steps 1000000"])
def test_control_c(tmp_path, command):
    """One word, status 130."""
    (tmp_path / "slow.py").write_text(
        "import sys, time\nprint('begun', file=sys.stderr, flush=True)\ntime.sleep(3600)\n"
    )
    arguments = command.split() + ["slow.py"] * (not command.startswith("demo"))
    process = subprocess.Popen(
        [sys.executable, "-m", "autograd_mini", *arguments], cwd=tmp_path,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stderr.read(5)  # it has begun
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "autograd-mini: interrupted"
    assert "Traceback" not in said


# -- the module itself -------------------------------------------------------------------------------------------------


def test_a_stream_that_the_program_has_closed():
    """Writing to a closed stream raises an OSError that names the stream."""
    stream = io.StringIO()
    stream.close()
    with pytest.raises(OSError, match="it is closed") as caught:
        streams.write(stream, "text")
    assert caught.value.filename == "standard output"
