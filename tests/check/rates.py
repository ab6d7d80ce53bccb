"""How often checkers are wrong: `python -m tests.check.rates` prints a table, beside JAX and PyTorch where installed.

Random functions are checked at random points of all sizes, once with their right derivative and once with each
mutation of it. "false alarm": a right derivative is rejected; "missed": a wrong one is accepted.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import autograd_mini as am
from autograd_mini.core.row import TABLE, evaluate

UNARY = ("sin", "cos", "tanh", "exp", "relu", "sigmoid", "square", "root", "logarithm", "identity")
MUTATIONS: dict[str, Callable[[float], float]] = {
    "right": lambda d: d,
    "sign": lambda d: -d,
    "factor 2": lambda d: 2.0 * d,
    "1 % more": lambda d: 1.01 * d,
    "0.1 % more": lambda d: 1.001 * d,
    "zero": lambda d: 0.0,
    "nan": lambda d: math.nan,
}


class Example(NamedTuple):
    """A random function of one number, a point, and its derivative there."""

    tree: Any
    x: float
    derivative: float


def random_tree(chance: random.Random, depth: int) -> Any:
    """An expression: ("sin", tree), ("+", tree, tree), a constant, or "x"."""
    if depth == 0:
        return "x" if chance.random() < 0.7 else chance.uniform(-2.0, 2.0)
    if chance.random() < 0.5:
        return (chance.choice(UNARY), random_tree(chance, depth - 1))
    return (chance.choice("+-*"), random_tree(chance, depth - 1), random_tree(chance, depth - 1))


def value(tree: Any, x: Any, functions: Any) -> Any:
    """An expression at x, with the functions of a library."""
    if isinstance(tree, tuple) and len(tree) == 3:
        a, b = value(tree[1], x, functions), value(tree[2], x, functions)
        return a + b if tree[0] == "+" else a - b if tree[0] == "-" else a * b
    if isinstance(tree, tuple):
        inner = value(tree[1], x, functions)
        match tree[0]:
            case "square":
                return inner * inner
            case "root":
                return functions.sqrt(1.0 + inner * inner)
            case "logarithm":
                return functions.log(1.0 + inner * inner)
            case "identity":
                return inner * 1.0
            case name:
                return getattr(functions, name)(inner)
    return x if tree == "x" else x * 0.0 + tree


def random_examples(count: int, seed: int = 1) -> list[Example]:
    """Functions and points of all sizes; values are finite, and rounding does not hide derivatives."""
    chance, found = random.Random(seed), []
    while len(found) < count:
        scale, size = 10.0 ** chance.uniform(-6.0, 6.0), 10.0 ** chance.uniform(-6.0, 6.0)
        tree = ("*", scale, random_tree(chance, chance.randint(1, 4)))
        x = size * chance.choice((1.0, -1.0))
        y, derivative = am.value_and_grad(lambda x, tree=tree: value(tree, x, am) + 0.0 * x)(x)
        is_visible = abs(derivative * x) > 1e-10 * abs(y)  # or rounding hides it
        if math.isfinite(y) and 1e-100 < abs(derivative) < 1e100 and abs(y) < 1e100 and is_visible:
            found.append(Example(tree, x, derivative))
    return found


def ours(example: Example, claimed: float) -> str:
    """The verdict of `check_grads` on a primitive with this derivative."""
    try:
        operation = am.primitive("claimed", lambda x: float(value(example.tree, x, am)),
                                 lambda y, x: (claimed,), check=False)  # fmt: skip
        assert operation is not None
        row = TABLE["claimed"]
        report = am.check_grads(lambda x: evaluate(row, (x,)), (example.x,), order=1)
    finally:
        TABLE.pop("claimed", None)
    return {"PASS": "accepted", "KINK": "accepted", "NOISE": "cannot tell"}.get(report.verdict, "rejected")


def torchs(example: Example, claimed: float) -> str:
    """The verdict of `torch.autograd.gradcheck`."""
    import torch

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            return value(example.tree, x, torch)

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            return gradient * claimed

    x = torch.tensor(example.x, dtype=torch.float64, requires_grad=True)
    is_right = torch.autograd.gradcheck(Claimed.apply, (x,), raise_exception=False)
    return "accepted" if is_right else "rejected"


def jaxs(example: Example, claimed: float) -> str:
    """The verdict of `jax.test_util.check_grads`."""
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    functions = argparse.Namespace(sin=jnp.sin, cos=jnp.cos, tanh=jnp.tanh, exp=jnp.exp, sqrt=jnp.sqrt, log=jnp.log,
                                   relu=lambda x: jnp.maximum(x, 0.0), sigmoid=jax.nn.sigmoid)  # fmt: skip

    @jax.custom_jvp
    def f(x: Any) -> Any:
        return value(example.tree, x, functions)

    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0] * claimed))
    try:
        check_grads(f, (jnp.float64(example.x),), order=1, modes=("rev",))
    except AssertionError:
        return "rejected"
    return "accepted"


CHECKERS = {
    "autograd_mini": ("autograd_mini", ours),
    "PyTorch gradcheck": ("torch", torchs),
    "JAX check_grads": ("jax", jaxs),
}


def rates(examples: list[Example], check: Callable[[Example, float], str]) -> Counter[tuple[str, str]]:
    """How often each mutation got each verdict."""
    return Counter(
        (name, check(example, mutation(example.derivative)))
        for example in examples
        for name, mutation in MUTATIONS.items()
    )


def table(count: int) -> str:
    """One row per checker and mutation: percentages of functions."""
    examples, lines = random_examples(count), []
    for title, (module, check) in CHECKERS.items():
        if importlib.util.find_spec(module) is None:
            lines.append(f"{title}: not installed")
            continue
        found = rates(examples, check)
        for name in MUTATIONS:
            accepted, unknown = (100.0 * found[name, verdict] / count for verdict in ("accepted", "cannot tell"))
            wrong = 100.0 - accepted - unknown if name == "right" else accepted
            kind = "false alarm" if name == "right" else "missed"
            lines.append(f"{title:<20}{name:<12}{kind:<12}{wrong:>7.1f} %   cannot tell{unknown:>6.1f} %")
    return "\n".join([f"{count:,} random functions", *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many functions (1000)")
    print(table(parser.parse_args().count))
