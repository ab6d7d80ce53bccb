"""D1 and D2: all derivatives at once, recorded and differentiated in every call: Jacobians and Hessians.

D1 is a Rosenbrock chain of 50 variables, D2 a logistic regression of 20 weights on 100 samples. Ours is scalar code
that records at every call; autograd's is array code; ddx builds its expression once and may compile it, so that its
rows with "+ build" do that in every call, too.
Not here: counts, which do not depend on the machine (`counts`), and clocks (`harness`).
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable
from typing import Any

from tests.benchmarks import counts
from tests.benchmarks.harness import Limit, Step, Workload

N = 50
SAMPLES, WEIGHTS = 100, 20


def chain() -> list[float]:
    """The point of D1."""
    generator = random.Random(1)
    return [generator.uniform(-1.5, 1.5) for _ in range(N)]


def samples() -> tuple[list[list[float]], list[float], list[float]]:
    """The features, labels and weights of D2."""
    generator = random.Random(2)
    features = [[generator.gauss(0.0, 1.0) for _ in range(WEIGHTS)] for _ in range(SAMPLES)]
    labels = [float(generator.random() < 0.5) for _ in range(SAMPLES)]
    return features, labels, [generator.uniform(-0.5, 0.5) for _ in range(WEIGHTS)]


# -- the four functions, one library after the other -------------------------------------------------------------------


def ours(workload: str) -> Step:
    """Plain Python over numbers, one at a time."""
    import autograd_mini as am

    features, labels, weights = samples()

    def residuals(x: list[Any]) -> list[Any]:
        pairs = list(itertools.pairwise(x))
        return [10.0 * (b - a * a) for a, b in pairs] + [1.0 - a for a, _ in pairs]

    def rosenbrock(x: list[Any]) -> Any:
        return sum(100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in itertools.pairwise(x))

    def predictions(w: list[Any]) -> list[Any]:
        return [am.sigmoid(am.dot(row, w)) for row in features]

    def loss(w: list[Any]) -> Any:
        logits = [am.dot(row, w) for row in features]
        return am.binary_cross_entropy(logits, labels)

    derivative, point = {
        JACOBIAN_1: (am.jacobian(residuals), chain()),
        HESSIAN_1: (am.hessian(rosenbrock), chain()),
        JACOBIAN_2: (am.jacobian(predictions), weights),
        HESSIAN_2: (am.hessian(loss), weights),
    }[workload]
    return lambda: list(itertools.chain(*derivative(point)))


def hips(workload: str) -> Step:
    """HIPS autograd, on arrays."""
    import autograd
    import autograd.numpy as np

    features, labels, weights = map(np.array, samples())

    def residuals(x: Any) -> Any:
        return np.concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])

    def rosenbrock(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    def predictions(w: Any) -> Any:
        return 1.0 / (1.0 + np.exp(-np.dot(features, w)))

    def loss(w: Any) -> Any:
        logits = np.dot(features, w)
        return np.mean(np.logaddexp(0.0, logits) - labels * logits)

    derivative, point = {
        JACOBIAN_1: (autograd.jacobian(residuals), np.array(chain())),
        HESSIAN_1: (autograd.hessian(rosenbrock), np.array(chain())),
        JACOBIAN_2: (autograd.jacobian(predictions), weights),
        HESSIAN_2: (autograd.hessian(loss), weights),
    }[workload]
    return lambda: derivative(point).ravel()


def ddx(workload: str, compiled: bool, build: bool, vectors: bool = False) -> Step:
    """ddx: an expression over named symbols; its vectors exist in the interpreter only."""
    import ddx
    import numpy as np

    features, labels, weights = samples()

    def logits() -> Any:
        if vectors:
            columns = list(itertools.chain.from_iterable(zip(*features, strict=True)))
            return ddx.gemv(ddx.mat_constant(SAMPLES, WEIGHTS, columns), ddx.vec("w", WEIGHTS))
        w = [ddx.var(f"w{i}") for i in range(WEIGHTS)]
        return [sum((a * b for a, b in zip(row, w, strict=True)), 0.0) for row in features]

    def residuals() -> Any:
        x = [ddx.var(f"x{i}") for i in range(N)]
        return (*[10.0 * (b - a * a) for a, b in itertools.pairwise(x)], *[1.0 - a for a in x[:-1]])

    def rosenbrock() -> Any:
        x = [ddx.var(f"x{i}") for i in range(N)]
        return sum((100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in itertools.pairwise(x)), 0.0)

    def predictions() -> Any:
        if not vectors:
            return tuple(1.0 / (1.0 + ddx.exp(-z)) for z in logits())
        outputs = 1.0 / (1.0 + ddx.exp(-logits()))
        return tuple(outputs[i] for i in range(SAMPLES))

    def loss() -> Any:
        z = logits()
        if vectors:
            return ddx.sum(ddx.log(1.0 + ddx.exp(z)) - ddx.vec_constant(labels) * z) * (1.0 / SAMPLES)
        terms = [ddx.log(1.0 + ddx.exp(a)) - t * a for a, t in zip(z, labels, strict=True)]
        return sum(terms, 0.0) * (1.0 / SAMPLES)

    model, point, want = {
        JACOBIAN_1: (residuals, chain(), ddx.Want.JACOBIAN),
        HESSIAN_1: (rosenbrock, chain(), ddx.Want.HESSIAN),
        JACOBIAN_2: (predictions, weights, ddx.Want.JACOBIAN),
        HESSIAN_2: (loss, weights, ddx.Want.HESSIAN),
    }[workload]
    array = np.array(point)

    def built() -> Callable[[], Any]:
        equation = ddx.equation(model)
        backend = ddx.Backend.COMPILE if compiled else ddx.Backend.INTERPRET
        equation.options = ddx.Options(backend=backend, cache_dir="")
        if compiled:
            equation.wait_for_kernel(want=want)
        if want is ddx.Want.JACOBIAN:
            return lambda: equation.jacobian(array)[1]
        if vectors:
            return lambda: equation.dense_hessian(array)[2]
        return lambda: equation.hessian(array)[2]

    if build:
        return lambda: built()().ravel()
    call = built()
    return lambda: call().ravel()


def step(workload: str, peer: str) -> Step:
    """A function that computes the matrix, row by row."""
    if peer == "ours":
        return ours(workload)
    if peer == "autograd":
        return hips(workload)
    return ddx(workload, compiled="jit" in peer, build="+ build" in peer, vectors="vectors" in peer)


JACOBIAN_1, HESSIAN_1, JACOBIAN_2, HESSIAN_2 = "D1 jacobian", "D1 hessian", "D2 jacobian", "D2 hessian"
PEERS = ("ours", "autograd", "ddx", "ddx + build", "ddx jit", "ddx jit + build")
WORKLOADS = [
    Workload(JACOBIAN_1, functools.partial(step, JACOBIAN_1), PEERS),
    Workload(HESSIAN_1, functools.partial(step, HESSIAN_1), PEERS),
    Workload(JACOBIAN_2, functools.partial(step, JACOBIAN_2), (*PEERS, "ddx vectors")),
    Workload(HESSIAN_2, functools.partial(step, HESSIAN_2), (*PEERS, "ddx vectors")),
]


LIMITS = [
    Limit(f"{name} / autograd", lambda f, name=name: f[name, "ours"].best / f[name, "autograd"].best, 1.0, 0.5)
    for name in (JACOBIAN_1, HESSIAN_1)  # D2 is arrays, where autograd's operation does the work of thousands of ours
]
COUNTS = counts.lines
