"""How a workload is timed: each peer in a fresh process, all in turns, so that the machine's moods affect all alike.

The parent asks over a pipe, the child answers with JSON; between its turns a child waits and costs nothing. The engine
of "ours" is the one that runs here, and a peer "ours, ..., python" is the same on the Python text.
Not here: what is computed (`eager`), the table (`__main__`).
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Step = Callable[[], Sequence[Any]]  # computes the value and all gradients, and drops the graph
MISSING = "not installed"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"  # one thread for jax, as for all others
PURE = ", python"  # the end of the name of a peer


@dataclass(frozen=True)
class Workload:
    """What is measured: `setup(peer)` gives the step; the first peer is the one that ratios refer to.

    With `nodes`, figures are ns per node, otherwise ms per step; `watched` are the peers whose memory is measured, too.
    """

    name: str
    setup: Callable[[str], Step]
    peers: tuple[str, ...]
    nodes: int = 0
    watched: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """The minimum and the median over the repeats, and the peak of Python's memory in bytes per node."""

    best: float
    median: float
    peak: float


Figures = dict[tuple[str, str], Measurement]  # by names of workload and peer


@dataclass(frozen=True)
class Limit:
    """A figure that must not be exceeded, and the one to aim for; less is better."""

    title: str
    figure: Callable[[Figures], float]
    must: float
    aim: float


def serve(workload: Workload, peer: str) -> None:
    """The child: answer one line for each line read. The collector is left as Python has it."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    try:
        step = workload.setup(peer.removesuffix(PURE))
    except ModuleNotFoundError:
        if peer.startswith("ours"):
            raise
        print(json.dumps(MISSING), file=answers, flush=True)
        return
    for command in sys.stdin:
        gc.collect()  # off the clock, which favours peers whose graphs are cycles: half of micrograd's time is here
        match command.strip():
            case "check":
                answer: Any = [float(x) for x in step()]
            case "peak":
                tracemalloc.start()
                step()
                answer = tracemalloc.get_traced_memory()[1]
            case _:
                start = time.perf_counter()
                step()
                answer = time.perf_counter() - start
        print(json.dumps(answer), file=answers, flush=True)


class Child:
    """The parent's end of the pipe to a process that runs `serve`."""

    def __init__(self, workload: Workload, peer: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks", "--child", workload.name, peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                **dict.fromkeys(_THREADS + ("AUTOGRAD_MINI_PURE",) * peer.endswith(PURE), "1"),
                "XLA_FLAGS": _XLA,
            },
        )

    def ask(self, command: str) -> Any:
        with contextlib.suppress(BrokenPipeError):  # it has ended, perhaps with an answer
            print(command, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"A process died when asked to {command}.")
        return json.loads(answer)

    def close(self) -> None:
        self._process.communicate()


def measure(workload: Workload, repeats: int) -> dict[str, Measurement | None]:
    """The figures of all peers; None for those that are not installed.

    Raises:
        SystemExit: peers disagree on a number; nothing is timed then.
    """
    children = {peer: Child(workload, peer) for peer in workload.peers}
    numbers = {peer: child.ask("check") for peer, child in children.items()}
    present = [peer for peer in workload.peers if numbers[peer] != MISSING]
    expected = numbers[present[0]]
    for peer in present:
        for index, (a, b) in enumerate(zip(expected, numbers[peer], strict=True)):
            if not math.isclose(a, b, rel_tol=1e-9):
                raise SystemExit(f"{workload.name}: number {index} is {a!r} for {present[0]} and {b!r} for {peer}.")
    rounds = [{peer: children[peer].ask("time") for peer in present} for _ in range(repeats)]
    for child in children.values():
        child.close()
    unit = 1e9 / workload.nodes if workload.nodes else 1e3
    figures: dict[str, Measurement | None] = dict.fromkeys(workload.peers)
    for peer in present:
        times = [times[peer] * unit for times in rounds]
        figures[peer] = Measurement(min(times), statistics.median(times), _peak(workload, peer))
    return figures


def _peak(workload: Workload, peer: str) -> float:
    """Bytes per node at the worst moment; in another process, because watching memory takes time."""
    if peer not in workload.watched:
        return math.nan
    child = Child(workload, peer)
    peak = child.ask("peak") / workload.nodes
    child.close()
    return peak
