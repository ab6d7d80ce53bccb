"""E1 and E2: graphs recorded one scalar operation at a time, then one sweep.

Each function takes the name of a peer and returns one step: a function that gives the value and all gradients. "dot" is
the network with one operation for each neuron, "nn.MLP" the package's own. aadc interprets what it has recorded.
Not here: clocks (that is `harness`). A peer is imported only where it is measured, in a process of its own.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
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
    """The function that turns a number into a variable."""
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

    def __init__(self, leaf: Callable[[float], Any], relu: Callable[[Any], Any] | None = None) -> None:
        self.relu = operator.methodcaller("relu") if relu is None else relu
        self.layers = [
            [([leaf(0.0) for _ in range(nin)], leaf(0.0)) for _ in range(nout)] for nin, nout in pairwise(SIZES)
        ]

    def parameters(self) -> list[Any]:
        return [p for layer in self.layers for w, b in layer for p in (*w, b)]

    def __call__(self, x: list[Any]) -> Any:
        for layer in self.layers:
            out = [sum((wi * xi for wi, xi in zip(w, x)), b) for w, b in layer]  # noqa: B905  # as in micrograd
            x = out if layer is self.layers[-1] else [self.relu(act) for act in out]
        return x[0]


class DotMLP(ScalarMLP):
    """The same with one `dot` for each neuron."""

    def __call__(self, x: list[Any]) -> Any:
        from autograd_mini import dot

        for layer in self.layers:
            out = [dot(w, x) + b for w, b in layer]
            x = out if layer is self.layers[-1] else [self.relu(act) for act in out]
        return x[0]


def moons(peer: str) -> Step:
    """E1: a training step of micrograd's demo, hinge loss and L2, without the update."""
    if peer == "aadc":
        return moons_on_aadc()
    leaf = _leaf(peer)
    if peer == "micrograd":
        from micrograd.nn import MLP

        model = MLP(SIZES[0], list(SIZES[1:]))
    elif peer == "ours, nn.MLP":
        from autograd_mini.nn import MLP

        model = MLP(SIZES[0], SIZES[1:])
    elif peer == "ours, dot":
        model = DotMLP(leaf)
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


def moons_on_aadc() -> Step:
    """The same for aadc, which records between two calls."""
    import aadc

    def relu(x: Any) -> Any:
        return aadc.iif(x > 0.0, x, aadc.idouble(0.0))

    generator = random.Random(42)
    count = sum((nin + 1) * nout for nin, nout in pairwise(SIZES))
    weights = [generator.uniform(-1.0, 1.0) for _ in range(count)]
    points, labels = _moons()
    place = [*weights, *itertools.chain(*points)]  # points are variables here, because they are for the others

    def loss(variables: list[Any]) -> Any:
        remaining = iter(variables)
        model = ScalarMLP(lambda _: next(remaining), relu)
        scores = [model([next(remaining), next(remaining)]) for _ in points]
        losses = [relu(1 + -label * score) for label, score in zip(labels, scores, strict=True)]
        return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())

    return lambda: on_aadc(loss, place)[: 1 + count]


def on_aadc(function: Callable[[list[Any]], Any], point: list[float]) -> list[float]:
    """The value and the gradient of a function by aadc: recorded, interpreted once, thrown away."""
    import aadc

    functions = aadc.Functions()
    functions.start_recording()
    variables = [aadc.idouble(x) for x in point]
    inputs = [variable.mark_as_input() for variable in variables]
    output = function(variables).mark_as_output()
    functions.stop_recording()
    workspace = functions.create_workspace()
    for handle, x in zip(inputs, point, strict=True):
        workspace.set_val(handle, x)
    workspace.forward()
    workspace.set_diff(output, 1.0)
    workspace.reverse()
    return [workspace.val(output), *map(workspace.diff, inputs)]


def chain(nodes: int, peer: str) -> Step:
    """E2: x = x*a + b, over and over: deep and thin, where recursion fails."""
    if peer == "aadc":
        import aadc  # noqa: F401  # if it is missing, that is known before the first step

        def iterated(variables: list[Any]) -> Any:
            y, a, b = variables
            for _ in range(nodes // 2):
                y = y * a + b
            return y

        return lambda: on_aadc(iterated, [0.5, 1.0 - 1e-6, 1e-6])
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
BOTH = ("ours", "ours, python")
WORKLOADS = [
    Workload(
        MOONS,
        moons,
        (
            *("ours", "ours, python", "ours, dot", "ours, dot, python", "ours, nn.MLP", "ours, nn.MLP, python"),
            *("micrograd", "torch scalars", "aadc"),
        ),
    ),
    Workload(
        SHORT, functools.partial(chain, 10**5), (*BOTH, "micrograd", "torch scalars", "aadc"), 10**5,
        (*BOTH, "micrograd"),
    ),
    Workload(LONG, functools.partial(chain, 10**6), (*BOTH, "micrograd", "aadc"), 10**6, BOTH),
]  # fmt: skip


def _of_micrograd(title: str, must: float, aim: float) -> Limit:
    """A share of micrograd's time for its step."""
    figure = lambda f: f[MOONS, title].best / f[MOONS, "micrograd"].best  # noqa: E731
    return Limit(f"E1 {title} / micrograd", figure, must, aim)


# The engine in C, then the Python text, which must stay as fast as it was before there was C.
LIMITS = [
    _of_micrograd("ours", 1 / 90, 1 / 110),
    _of_micrograd("ours, dot", 1 / 140, 1 / 170),
    _of_micrograd("ours, nn.MLP", 1 / 60, 1 / 80),
    Limit("E1 ours / aadc", lambda f: f[MOONS, "ours"].best / f[MOONS, "aadc"].best, 1.0, 0.75),
    Limit(f"{SHORT}, ours / aadc", lambda f: f[SHORT, "ours"].best / f[SHORT, "aadc"].best, 1.0, 0.8),
    Limit(f"{SHORT}, ns a node", lambda f: f[SHORT, "ours"].best, 160, 105),
    Limit(f"{SHORT}, bytes a node", lambda f: f[SHORT, "ours"].peak, 170, 162),
    Limit(f"{LONG}, bytes a node", lambda f: f[LONG, "ours"].peak, 170, 162),
    Limit("E2 ns a node, 1e6 / 1e5", lambda f: f[LONG, "ours"].best / f[SHORT, "ours"].best, 1.8, 1.5),
    _of_micrograd("ours, python", 1 / 12, 1 / 16),
    _of_micrograd("ours, nn.MLP, python", 1 / 20, 1 / 40),
    Limit(f"{SHORT}, Python, ns a node", lambda f: f[SHORT, "ours, python"].best, 1200, 1000),
    Limit(f"{SHORT}, Python, bytes a node", lambda f: f[SHORT, "ours, python"].peak, 275, 250),
]
