"""Programs that hang, crash, flood or leave children behind: each ends, and says so in one clear sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autograd_mini.check.foreign.programs import Limits, run

LATE = "It did not end within 3 s and was stopped."


def python(program, given="", **limits):
    return run([sys.executable, "-c", program], given, Limits(**limits))


def test_all_input_is_written_while_output_is_drained():
    """Neither a program that reads all before it prints, nor one that prints more than a pipe holds, waits for ever."""
    given = "".join(f"{i}\n" for i in range(200_000))
    assert python("import sys; print(len(sys.stdin.read()))", given).output == f"{len(given)}\n"
    echoed = python("import sys\nfor line in sys.stdin: print(line, end='')", given)
    assert (echoed.output, echoed.fault) == (given, "")
    assert python("print('done')", given) == ("done\n", "", "")


def test_c_that_does_not_flush(tmp_path):
    """Answers stay in a program's buffer until it ends, so its standard input is closed after the last line."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = '#include <stdio.h>\nint main(void) {double x; while (scanf("%lf", &x) == 1) printf("%g\\n", x * x);}'
    (tmp_path / "square.c").write_text(program)
    subprocess.run(["gcc", "square.c", "-o", "square"], cwd=tmp_path, check=True)
    assert run([str(tmp_path / "square")], "2\n3\n").output == "4\n9\n"


CASES = [
    ("import time; print('begun', flush=True); time.sleep(60)", {"seconds": 3}, LATE),
    ("while True: print('x' * 1000)", {"output": 1}, "It printed more than 1 MB and was stopped."),
    ("import os; os.abort()", {}, "It crashed with SIGABRT."),
    ("raise SystemExit(3)", {}, "It ended with exit status 3."),
    ("import sys\nwhile True: print('x' * 1000, file=sys.stderr)", {"seconds": 3}, LATE),
    ("import os, time\nos.close(1)\nos.close(2)\ntime.sleep(60)", {"seconds": 3}, LATE),
]


@pytest.fixture(scope="module")
def outcomes():
    """The outcome of each program, and after how long; programs that wait do so at the same time."""

    def outcome(case):
        began = time.monotonic()
        return python(case[0], "input\n" * 10_000, **case[1]), time.monotonic() - began

    with ThreadPoolExecutor(len(CASES)) as pool:
        return [*pool.map(outcome, CASES)]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_what_goes_wrong_is_one_sentence(case, outcomes):
    """Hanging, flooding either stream, crashing and failing; what was printed before is kept."""
    (program, _, sentence), (outcome, seconds) = CASES[case], outcomes[case]
    assert outcome.fault == sentence
    assert seconds < 30.0  # the programs wait for 60 s
    assert outcome.output.startswith("begun") == ("begun" in program)


def test_the_last_words_are_kept():
    """The end of standard error says why, without control characters."""
    outcome = python("raise ValueError('\\x1b[31mno')")
    assert outcome.fault == "It ended with exit status 1."
    assert outcome.complaint == "ValueError: �[31mno"


def test_a_program_that_cannot_be_started():
    """A program that cannot be started is named, and nothing is raised."""
    assert run(["no-such-program"]).fault == (
        "The program 'no-such-program' cannot be started: no-such-program: No such file or directory."
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and marks in /proc are Linux's")
def test_nothing_outlives_its_program(tmp_path):
    """A child that keeps the pipes open, in the same group or in a session of its own, ends with its parent."""
    for session in (False, True):
        began = time.monotonic()
        child = "import time; time.sleep(60)"
        parent = (
            f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}], "
            f"start_new_session={session}); print(p.pid)"
        )
        outcome = python(parent)
        assert time.monotonic() - began < 30.0
        assert outcome.fault == ""
        while is_running(int(outcome.output)):  # it has been killed, and may still have to notice
            assert time.monotonic() - began < 30.0
            time.sleep(0.01)


def is_running(process):
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().split()[2] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and marks in /proc are Linux's")
def test_memory_is_limited():
    """A program that eats memory fails; the machine does not."""
    outcome = python("b = [bytearray(1 << 24) for _ in range(1000)]", memory=256)
    assert (outcome.fault, outcome.complaint) == ("It ended with exit status 1.", "MemoryError")
