"""E1 and E2: graphs recorded one scalar operation at a time, then one sweep.

Each function takes the name of a peer and returns one step: a function that gives the value and all gradients.
Not here: clocks (that is `harness`). A peer is imported only where it is measured, in a process of its own.
"""

from __future__ import annotations

import functools
import math
import random
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.benchmarks.harness import Limit, Step, Workload

SAMPLES, SIZES = 100, (2, 16, 16, 1)


def _moons() -> tuple[list[list[float]], list[int]]:
    """Two interleaved half circles with noise, and their labels."""
    noise = functools.partial(random.Random(1337).gauss, 0.0, 0.1)
    angles = [math.pi * i / (SAMPLES // 2 - 1) for i in range(SAMPLES // 2)]
    outer = [[math.cos(t) + noise(), math.sin(t) + noise()] for t in angles]
    inner = [[1.0 - math.cos(t) + noise(), 0.5 - math.sin(t) + noise()] for t in angles]
    return outer + inner, [-1] * len(outer) + [1] * len(inner)


def _leaf(peer: str) -> Callable[[float], Any]:
    """What makes a variable of a number."""
    if peer == "micrograd":
        from micrograd.engine import Value
    elif peer == "torch scalars":
        import torch

        torch.set_num_threads(1)
        return functools.partial(torch.tensor, dtype=torch.float64, requires_grad=True)
    else:
        from autograd_mini import Value
    return Value


class ScalarMLP:
    """micrograd's network, its lines of arithmetic unchanged, on any kind of scalar."""

    def __init__(self, leaf: Callable[[float], Any]) -> None:
        self.layers = [
            [([leaf(0.0) for _ in range(nin)], leaf(0.0)) for _ in range(nout)] for nin, nout in pairwise(SIZES)
        ]

    def parameters(self) -> list[Any]:
        return [p for layer in self.layers for w, b in layer for p in (*w, b)]

    def __call__(self, x: list[Any]) -> Any:
        for layer in self.layers:
            out = [sum((wi * xi for wi, xi in zip(w, x)), b) for w, b in layer]  # noqa: B905  # as in micrograd
            x = out if layer is self.layers[-1] else [act.relu() for act in out]
        return x[0]


def moons(peer: str) -> Step:
    """E1: a training step of micrograd's demo, hinge loss and L2, without the update."""
    leaf = _leaf(peer)
    if peer == "micrograd":
        from micrograd.nn import MLP

        model = MLP(SIZES[0], list(SIZES[1:]))
    elif peer == "ours, dot":
        from autograd_mini.nn import MLP

        model = MLP(SIZES[0], SIZES[1:])
    else:
        model = ScalarMLP(leaf)
    weights = random.Random(42)
    for parameter in model.parameters():
        parameter.data = leaf(weights.uniform(-1.0, 1.0)).data  # torch wants a tensor
    points, labels = _moons()

    def step() -> list[Any]:
        for p in model.parameters():
            p.grad = None if peer == "torch scalars" else 0
        scores = [model(list(map(leaf, point))) for point in points]
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        loss.backward()
        return [loss.data, *[p.grad for p in model.parameters()]]

    return step


def chain(nodes: int, peer: str) -> Step:
    """E2: x = x*a + b, over and over: deep and thin, where recursion ends."""
    leaf = _leaf(peer)
    if peer == "micrograd":  # its sweep recurses; from Python 3.11 on, that takes no stack of the machine
        sys.setrecursionlimit(nodes + 1000)

    def step() -> list[Any]:
        x, a, b = leaf(0.5), leaf(1.0 - 1e-6), leaf(1e-6)
        y = x
        for _ in range(nodes // 2):
            y = y * a + b
        y.backward()
        return [y.data, x.grad, a.grad, b.grad]

    return step


MOONS, SHORT, LONG = "E1 moons", "E2 n = 1e5", "E2 n = 1e6"
# The memory of a library in C++ cannot be seen from Python, and at n = 1e6 watching micrograd takes hours: for each
# allocation, the watch counts all frames of the recursion.
WORKLOADS = [
    Workload(MOONS, moons, ("ours", "ours, dot", "micrograd", "torch scalars")),
    Workload(
        SHORT, functools.partial(chain, 10**5), ("ours", "micrograd", "torch scalars"), 10**5, ("ours", "micrograd")
    ),
    Workload(LONG, functools.partial(chain, 10**6), ("ours", "micrograd"), 10**6, ("ours",)),
]

LIMITS = [
    Limit("E1 ours / micrograd", lambda f: f[MOONS, "ours"].best / f[MOONS, "micrograd"].best, 1 / 12, 1 / 16),
    Limit(
        "E1 ours, dot / micrograd", lambda f: f[MOONS, "ours, dot"].best / f[MOONS, "micrograd"].best, 1 / 40, 1 / 60
    ),
    Limit(f"{SHORT}, ns a node", lambda f: f[SHORT, "ours"].best, 1000, 600),
    Limit(f"{LONG}, ns a node", lambda f: f[LONG, "ours"].best, 1000, 600),
    Limit(f"{SHORT}, bytes a node", lambda f: f[SHORT, "ours"].peak, 250, 200),
    Limit(f"{LONG}, bytes a node", lambda f: f[LONG, "ours"].peak, 250, 200),
    Limit("E2 ns a node, 1e6 / 1e5", lambda f: f[LONG, "ours"].best / f[SHORT, "ours"].best, 1.5, 1.5),
]
