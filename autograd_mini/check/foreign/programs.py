"""Running a program in any language on lines of text: one process, a group of its own, limits, and no way to hang.

All input is written while the output is drained, then standard input is closed: a C program that does not flush would
wait forever otherwise. This is not a sandbox. Not here: what the lines mean. Read next: `check.foreign.child`.
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
from typing import Any, NamedTuple

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

    def why(self, otherwise: str = "") -> str:
        """Return what went wrong, or another sentence, with the last line of its error output."""
        return f"{self.fault or otherwise} {self.complaint}".strip()


def run(
    command: Sequence[str], given: str = "", limits: Limits = _LIMITS, folder: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:  # fmt: skip
    """Run a program to its end or its limits, and kill everything it has started."""
    mark = uuid.uuid4().hex
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
            env={**os.environ, **environment, _MARK: mark}, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        return Outcome("", f"The program {command[0]!r} cannot be started: {why}.")
    output, errors, fault = bytearray(), bytearray(), ""
    flooded = threading.Event()

    def stop() -> None:
        flooded.set()
        _kill(process, mark)

    threads = [
        threading.Thread(target=_feed, args=(process.stdin, given.encode()), daemon=True),
        threading.Thread(target=_drain, args=(process.stdout, output, limits.output << 20, stop), daemon=True),
        threading.Thread(target=_drain, args=(process.stderr, errors, 1 << 16), daemon=True),
    ]
    try:
        for thread in threads:
            thread.start()
        if limits.memory is not None:
            _limit_memory(process.pid, limits.memory << 20)
        process.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        fault = f"It did not end within {limits.seconds:g} s and was stopped."
    finally:
        _kill(process, mark)
        process.wait()
    end = time.monotonic() + _GRACE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if flooded.is_set():
        fault = f"It printed more than {limits.output} MB and was stopped."
    words = [] if fault else bytes(errors).decode(errors="replace").splitlines()
    complaint = next((line.strip() for line in reversed(words) if line.strip()), "")
    printed = bytes(output).decode(errors="replace")
    return Outcome(printed, fault or _ending(process.returncode), printable(complaint)[:120])


def _feed(pipe: Any, data: bytes) -> None:
    """Write all input; the program may end without reading it."""
    with contextlib.suppress(OSError, ValueError), pipe:
        pipe.write(data)


def _drain(pipe: Any, kept: bytearray, most: int, when_full: Callable[[], object] = bool) -> None:
    """Read a pipe to its end and keep the last part; call a function as soon as there is more than that."""
    with contextlib.suppress(OSError, ValueError), pipe:
        while chunk := pipe.read1(1 << 16):
            kept += chunk
            if len(kept) > most:
                when_full()
                del kept[: most // 2]


def _limit_memory(process: int, size: int) -> None:
    with contextlib.suppress(ImportError, AttributeError, OSError):  # other systems; it has ended already
        import resource

        # Not the address space: Java and node reserve more of it than they use. Only Linux has prlimit().
        resource.prlimit(process, resource.RLIMIT_DATA, (size, size))  # type: ignore[attr-defined,unused-ignore]  # see above


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
    names = {signum.value: signum.name for signum in signal.Signals}
    return f"It crashed with {names.get(-status, f'signal {-status}')}."
