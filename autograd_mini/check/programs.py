"""Running a program in any language on lines of text: one process, a group of its own, limits, and no way to hang.

All input is written while the output is drained, then standard input is closed: a C program that does not flush would
wait for ever otherwise. This is no sandbox. Not here: what the lines mean. Read next: `check.answers`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple

from autograd_mini.output.streams import printable, reason

_MARK = "AUTOGRAD_MINI_RUN"  # in the environment of a program and its children, so that none of them outlives it
_GRACE = 1.0  # seconds for pipes to close when every process of a run has been killed


class Limits(NamedTuple):
    """What a program may use: seconds, megabytes of memory in each process (on Linux), and megabytes of output."""

    seconds: float = 10.0
    memory: int | None = None
    output: int = 16


_LIMITS = Limits()


class Outcome(NamedTuple):
    """What a program printed, and what went wrong with it: a sentence, or "" if it ended well."""

    output: str
    fault: str = ""
    complaint: str = ""  # the last line of its standard error


def run(
    command: Sequence[str],
    given: str = "",
    limits: Limits = _LIMITS,
    folder: str | Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """Run a program to its end or its limits, and kill everything it has started."""
    mark = uuid.uuid4().hex
    try:
        process = subprocess.Popen(
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env={**os.environ, **environment, _MARK: mark}, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        return Outcome("", f"The program {command[0]!r} cannot be started: {why}.")
    output = _Drain(process.stdout, keep=limits.output << 20, when_full=lambda: _kill(process, mark))
    errors = _Drain(process.stderr, keep=1 << 16)
    threads = [*map(_started, (output.run, errors.run, lambda: _feed(process.stdin, given.encode())))]
    late = False
    try:
        if limits.memory is not None:
            _limit_memory(process.pid, limits.memory << 20)
        process.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        _kill(process, mark)
        process.wait()
    end = time.monotonic() + _GRACE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    complaint = next((line.strip() for line in reversed(errors.text.splitlines()) if line.strip()), "")
    if output.is_full:
        fault = f"It printed more than {limits.output} MB and was stopped."
    elif late:
        fault = f"It did not end within {limits.seconds:g} s and was stopped."
    else:
        return Outcome(output.text, _ending(process.returncode), printable(complaint)[:120])
    return Outcome(output.text, fault)


class _Drain:
    """Reads a pipe to its end and keeps the last part; calls a function as soon as there is more than that."""

    def __init__(self, pipe: IO[bytes] | None, keep: int, when_full: Callable[[], object] = bool) -> None:
        assert pipe is not None
        self._pipe, self._keep, self._when_full = pipe, keep, when_full
        self._data, self.is_full = bytearray(), False

    def run(self) -> None:
        with self._pipe, contextlib.suppress(OSError, ValueError):
            while chunk := self._pipe.read(1 << 16):
                self._data += chunk
                if len(self._data) > self._keep:
                    self.is_full = True
                    self._when_full()
                    del self._data[: self._keep // 2]

    @property
    def text(self) -> str:
        return bytes(self._data).decode(errors="replace")


def _started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _feed(pipe: IO[bytes] | None, data: bytes) -> None:
    assert pipe is not None
    with contextlib.suppress(OSError, ValueError):  # the program may end without reading
        view = memoryview(data)
        while view:
            view = view[pipe.write(view) :]
    with contextlib.suppress(OSError):
        pipe.close()


def _limit_memory(process: int, size: int) -> None:
    with contextlib.suppress(ImportError, AttributeError, OSError):  # other systems; it has ended already
        import resource

        # Not the address space: Java and node reserve more of it than they use.
        resource.prlimit(process, resource.RLIMIT_DATA, (size, size))  # type: ignore[attr-defined,unused-ignore]


def _kill(process: subprocess.Popen[bytes], mark: str) -> None:
    """Kill a program, its process group, and what has left the group but carries its mark."""
    if os.name != "posix":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    wanted = f"{_MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)


def _ending(status: int) -> str:
    if status >= 0:
        return f"It ended with exit status {status}." if status else ""
    with contextlib.suppress(ValueError):
        return f"It crashed with {signal.Signals(-status).name}."
    return f"It crashed with signal {-status}."
