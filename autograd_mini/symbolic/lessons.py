"""Well-known derivatives: a function, and the closed form that its derivative collapses to.

Not here: the derivations, which are read from the graph. Read next: `explanation`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograd_mini import functions
from autograd_mini.core.table import exp, ndtr
from autograd_mini.functions.activations import sigmoid
from autograd_mini.functions.logits import softmax


@dataclass(frozen=True, eq=False)
class Lesson:
    """One derivative to prove; a name such as "z*" stands for a list, one entry per class."""

    about: str
    function: Callable[..., Any]  # differentiated by its first argument
    arguments: str
    result: str
    closed: Callable[..., Any]  # of the shorthand and the arguments
    shorthand: Callable[..., Any]  # of the first argument: a list of what the closed form uses
    letters: str
    where: str  # how the letters are introduced
    normalised: Callable[..., Any] | None = None  # the closed form for targets that sum to 1, if it is simpler


_by_softmax = functools.partial(Lesson, shorthand=softmax, letters="a*", where="a = softmax(z)")
_by_sigmoid = functools.partial(Lesson, shorthand=lambda x: [sigmoid(x)], letters="a", where="a = sigmoid(x)")


def _diagonal(i: int, j: int) -> int:
    return 1 if i == j else 0


LESSONS: dict[str, Lesson] = {
    "softmax-cross-entropy": _by_softmax(
        "the gradient of cross-entropy by the logits is a - t, with a = softmax(z)",
        functions.cross_entropy, "z* t*", "L",
        lambda a, z, t: [p * sum(t) - u for p, u in zip(a, t, strict=True)],
        normalised=lambda a, z, t: [p - u for p, u in zip(a, t, strict=True)],
    ),
    "softmax": _by_softmax(
        "the Jacobian of softmax is a_i (δ_ij - a_j)",
        softmax, "z*", "a",
        lambda a, z: [[p * (_diagonal(i, j) - q) for j, q in enumerate(a)] for i, p in enumerate(a)],
    ),
    "log-softmax": _by_softmax(
        "the Jacobian of log-softmax is δ_ij - a_j, with a = softmax(z)",
        functions.log_softmax, "z*", "y",
        lambda a, z: [[_diagonal(i, j) - q for j, q in enumerate(a)] for i in range(len(a))],
    ),
    "logsumexp": _by_softmax(
        "the gradient of log-sum-exp is softmax", functions.logsumexp, "z*", "y", lambda a, z: list(a)
    ),
    "sigmoid": _by_sigmoid(
        "the derivative of the sigmoid is a (1 - a)", sigmoid, "x", "y", lambda a, x: a[0] * (1 - a[0])
    ),
    "tanh": Lesson(
        "the derivative of tanh is 1 - a²",
        functions.tanh, "x", "y", lambda a, x: 1 - a[0] ** 2,
        lambda x: [functions.tanh(x)], "a", "a = tanh(x)",
    ),
    "softplus": _by_sigmoid(
        "the derivative of softplus is the sigmoid", functions.softplus, "x", "y", lambda a, x: a[0]
    ),
    "silu": _by_sigmoid(
        "the derivative of silu is a (1 + x (1 - a)), with a = sigmoid(x)",
        functions.silu, "x", "y", lambda a, x: a[0] * (1 + x * (1 - a[0])),
    ),
    "gelu": Lesson(
        "the derivative of gelu is Φ(x) + x φ(x)",
        functions.gelu, "x", "y", lambda a, x: a[0] + x * a[1],
        lambda x: [ndtr(x), exp(-x * x / 2) * (1.0 / math.sqrt(2.0 * math.pi))], "Φ φ",
        "Φ = ndtr(x), the normal distribution, and φ = exp(-x²/2)/√(2π), its density",
    ),
    "binary-cross-entropy": _by_sigmoid(
        "the derivative of binary cross-entropy is a - t, with a = sigmoid(x)",
        functions.binary_cross_entropy, "x t", "L", lambda a, x, t: a[0] - t,
    ),
}  # fmt: skip
