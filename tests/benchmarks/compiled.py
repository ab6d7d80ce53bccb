"""C0 to C3: compiled functions, on the NumPy backend.

C0 is the front end: trace, adjoint and passes. C1 is a network for digits, 64-32-10, from code for one sample. C2 is
Black-Scholes with five derivatives for a million options. C3 is a Rosenbrock chain, unrolled. The data are drawn.
Not here: graphs that are recorded at every call (`eager`), and clocks (`harness`).
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

from tests.benchmarks.harness import Limit, Step, Workload

SAMPLES, OPTIONS, CHAIN = 1797, 1_000_000, 100_000


def _compiled(function: Any, *arguments: Any, **options: Any) -> Any:
    """The function, compiled for these arguments."""
    import autograd_mini as am

    compiled = am.jit(function, **options)
    compiled(*arguments)
    return compiled


# -- C0: the front end -------------------------------------------------------------------------------------------------


def _chain(x: list[Any]) -> Any:
    import autograd_mini as am

    return am.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in itertools.pairwise(x)])


def _point(n: int) -> list[float]:
    return [math.sin(float(i)) for i in range(n)]


def front_end(peer: str) -> Step:
    """Trace the gradient of a chain, run the passes, and the tape once."""
    import autograd_mini as am

    x = _point(1000)

    def step() -> tuple[float]:
        compiled = am.jit(am.grad(_chain), backend="interpreter")
        compiled(x)
        return (float(compiled.stats.nodes["traced"]),)

    return step


# -- C1: a network for digits ------------------------------------------------------------------------------------------


def digits(peer: str) -> Step:
    """The mean loss of all samples, and the gradient by 2,410 parameters."""
    import numpy as np

    generator = np.random.default_rng(0)
    inputs, classes = generator.random((SAMPLES, 64)), generator.integers(0, 10, SAMPLES)
    targets = np.eye(10)[classes]
    w1, w2 = generator.normal(size=(32, 64)) * 0.1, generator.normal(size=(10, 32)) * 0.1
    b1, b2 = np.zeros(32), np.zeros(10)
    if peer == "ours":
        import autograd_mini as am

        def loss(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, t: Any) -> Any:
            hidden = [am.tanh(am.dot(row, x) + b) for row, b in zip(w1, b1, strict=True)]
            return am.cross_entropy([am.dot(row, hidden) + b for row, b in zip(w2, b2, strict=True)], list(t))

        parameters = w1, b1, w2, b2
        derivative = am.value_and_grad(loss, argnums=(0, 1, 2, 3))
        compiled = _compiled(
            derivative, *parameters, inputs, targets, in_axes=(None, None, None, None, 0, 0), reduce="mean"
        )

        def step() -> list[float]:
            value, gradients = compiled(*parameters, inputs, targets)
            return [value, *[float(x) for gradient in gradients for x in gradient.ravel()]]

        return step
    if peer == "jax.jit":
        import jax

        jax.config.update("jax_enable_x64", True)

        def batch(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
            logits = jax.numpy.tanh(inputs @ w1.T + b1) @ w2.T + b2
            return -(jax.nn.log_softmax(logits) * targets).sum(1).mean()

        function = jax.jit(jax.value_and_grad(batch, argnums=(0, 1, 2, 3)))

        def step() -> list[float]:
            value, gradients = function(w1, b1, w2, b2)
            return [float(value), *[float(x) for gradient in gradients for x in np.asarray(gradient).ravel()]]

        return step

    def step() -> list[float]:
        hidden = np.tanh(inputs @ w1.T + b1)
        logits = hidden @ w2.T + b2
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        softmax = exponentials / exponentials.sum(1, keepdims=True)
        value = -np.log((softmax * targets).sum(1)).mean()
        outer = (softmax - targets) / SAMPLES
        inner = (outer @ w2) * (1.0 - hidden * hidden)
        gradients = inner.T @ inputs, inner.sum(0), outer.T @ hidden, outer.sum(0)
        return [float(value), *[float(x) for gradient in gradients for x in gradient.ravel()]]

    return step


# -- C2: Black-Scholes -------------------------------------------------------------------------------------------------


def options(peer: str) -> Step:
    """The values of calls, and their derivatives by spot, strike, time, rate and volatility; sums are compared."""
    import numpy as np

    generator = np.random.default_rng(0)
    bounds = ((50, 150), (50, 150), (0.1, 2.0), (0.0, 0.1), (0.1, 0.5))
    arguments = [generator.uniform(*both, OPTIONS) for both in bounds]

    def call(of: Any, normal: Any, spot: Any, strike: Any, time: Any, rate: Any, volatility: Any) -> Any:
        spread = volatility * of.sqrt(time)
        first = (of.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / spread
        return spot * normal(first) - strike * of.exp(-rate * time) * normal(first - spread)

    if peer == "ours":
        import autograd_mini as am

        derivative = am.value_and_grad(functools.partial(call, am, am.ndtr), argnums=(0, 1, 2, 3, 4))
        function = _compiled(derivative, *[x[:10] for x in arguments], in_axes=0)
    else:
        import jax

        jax.config.update("jax_enable_x64", True)
        normal = lambda x: 0.5 * jax.scipy.special.erfc(-x / math.sqrt(2.0))  # noqa: E731
        one = functools.partial(call, jax.numpy, normal)
        batch = jax.jit(jax.vmap(jax.value_and_grad(one, argnums=(0, 1, 2, 3, 4))))
        function = lambda *arguments: jax.block_until_ready(batch(*arguments))  # noqa: E731
        arguments = [jax.numpy.asarray(x) for x in arguments]

    def step() -> list[float]:
        value, gradients = function(*arguments)
        return [float(x[1]) for x in (value, *gradients)]

    return step


# -- C3: a chain -------------------------------------------------------------------------------------------------------


def chain(peer: str) -> Step:
    """The gradient by 100,000 variables."""
    import numpy as np

    import autograd_mini as am

    x = np.array(_point(CHAIN))
    if peer == "ours":
        function = _compiled(am.grad(_chain), x)
    else:

        def function(x: Any) -> Any:
            rest, gradient = x[1:] - x[:-1] ** 2, np.zeros(len(x))
            gradient[:-1] = -400.0 * rest * x[:-1] - 2.0 * (1.0 - x[:-1])
            gradient[1:] += 200.0 * rest
            return gradient

    return lambda: function(x)[:10].tolist()


FRONT, DIGITS, BLACK_SCHOLES, LONG = "C0 front end", "C1 digits", "C2 options", "C3 n = 1e5"
WORKLOADS = [
    Workload(FRONT, front_end, ("ours",), 19_987),
    Workload(DIGITS, digits, ("ours", "NumPy by hand", "jax.jit")),
    Workload(BLACK_SCHOLES, options, ("ours", "jax.jit")),
    Workload(LONG, chain, ("ours", "NumPy by hand")),
]
LIMITS = [
    Limit("C0 front end, ns an instruction", lambda f: f[FRONT, "ours"].best, 5000, 2000),
    Limit("C1 ours / NumPy by hand", lambda f: f[DIGITS, "ours"].best / f[DIGITS, "NumPy by hand"].best, 3.0, 1.5),
    Limit("C2 ours / jax.jit", lambda f: f[BLACK_SCHOLES, "ours"].best / f[BLACK_SCHOLES, "jax.jit"].best, 1.4, 1.0),
    Limit("C3 at 1e5, ms", lambda f: f[LONG, "ours"].best, 3.0, 1.0),
]
