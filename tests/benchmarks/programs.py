"""E3 and D0: a transformer written in scalars, and the gradient of a small function.

E3 is a step of microgpt, forward and backward: 4,192 parameters, eight letters, 57,841 nodes. "microgpt" is a class
like its own, with operands and slopes in tuples. D0 is `grad` of a Rosenbrock chain of 50 variables, recorded at every
call.
Not here: clocks (that is `harness`). Read next: `derivatives`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.benchmarks import counts, eager
from tests.benchmarks.derivatives import chain
from tests.benchmarks.harness import Limit, Step, Workload

WIDTH, HEADS, LETTERS, LENGTH = 16, 4, 27, 16
WORD = [26, 4, 12, 12, 0, 13, 20, 4, 11]  # a name between two marks, of which the last is what comes after eight


class TupleValue:
    """The kind of `Value` that microgpt has: results with their operands and the slope for each."""

    __slots__ = ("data", "grad", "operands", "slopes")

    def __init__(self, data: float, operands: tuple[Any, ...] = (), slopes: tuple[float, ...] = ()) -> None:
        self.data, self.grad, self.operands, self.slopes = data, 0.0, operands, slopes

    def __add__(self, other: Any) -> TupleValue:
        other = other if isinstance(other, TupleValue) else TupleValue(other)
        return TupleValue(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> TupleValue:
        other = other if isinstance(other, TupleValue) else TupleValue(other)
        return TupleValue(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, power: float) -> TupleValue:
        return TupleValue(self.data**power, (self,), (power * self.data ** (power - 1),))

    def log(self) -> TupleValue:
        return TupleValue(math.log(self.data), (self,), (1.0 / self.data,))

    def exp(self) -> TupleValue:
        y = math.exp(self.data)
        return TupleValue(y, (self,), (y,))

    def relu(self) -> TupleValue:
        return TupleValue(max(0.0, self.data), (self,), (float(self.data > 0.0),))

    def __neg__(self) -> TupleValue:
        return self * -1.0

    def __sub__(self, other: Any) -> TupleValue:
        return self + (-other)

    def __truediv__(self, other: Any) -> TupleValue:
        return self * other**-1.0

    __radd__, __rmul__ = __add__, __mul__

    def backward(self) -> None:
        order: list[TupleValue] = []
        seen = set()

        def visit(node: TupleValue) -> None:
            if node not in seen:
                seen.add(node)
                for operand in node.operands:
                    visit(operand)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for operand, slope in zip(node.operands, node.slopes, strict=True):
                operand.grad += slope * node.grad


# -- the transformer ---------------------------------------------------------------------------------------------------


def _linear(x: list[Any], matrix: list[list[Any]]) -> list[Any]:
    return [sum(w * xi for w, xi in zip(row, x, strict=True)) for row in matrix]


def _softmax(logits: list[Any]) -> list[Any]:
    largest = max(z.data for z in logits)
    powers = [(z - largest).exp() for z in logits]
    total = sum(powers)
    return [power / total for power in powers]


def _normalized(x: list[Any]) -> list[Any]:
    scale = (sum(xi * xi for xi in x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def _plus(x: list[Any], y: list[Any]) -> list[Any]:
    return [a + b for a, b in zip(x, y, strict=True)]


class Transformer:
    """One layer: attention of four heads, then a network of 64 relus; root mean squares in place of layer norms."""

    def __init__(self, leaf: Callable[[float], Any]) -> None:
        generator = random.Random(42)

        def matrix(outputs: int, inputs: int) -> list[list[Any]]:
            return [[leaf(generator.gauss(0.0, 0.08)) for _ in range(inputs)] for _ in range(outputs)]

        self.letters, self.places, self.head = matrix(LETTERS, WIDTH), matrix(LENGTH, WIDTH), matrix(LETTERS, WIDTH)
        self.query, self.key, self.value, self.out = (matrix(WIDTH, WIDTH) for _ in range(4))
        self.wide, self.narrow = matrix(4 * WIDTH, WIDTH), matrix(WIDTH, 4 * WIDTH)

    def parameters(self) -> list[Any]:
        return [p for matrix in vars(self).values() for row in matrix for p in row]

    def logits(self, letter: int, place: int, keys: list[list[Any]], values: list[list[Any]]) -> list[Any]:
        x = _normalized(_plus(self.letters[letter], self.places[place]))
        normalized = _normalized(x)
        query = _linear(normalized, self.query)
        keys.append(_linear(normalized, self.key))
        values.append(_linear(normalized, self.value))
        size = WIDTH // HEADS
        attended = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            scores = [sum(q * k for q, k in zip(query[part], key[part], strict=True)) / size**0.5 for key in keys]
            weights = _softmax(scores)
            for j in range(part.start, part.stop):
                attended.append(sum(weight * value[j] for weight, value in zip(weights, values, strict=True)))
        x = _plus(_linear(attended, self.out), x)
        hidden = [z.relu() for z in _linear(_normalized(x), self.wide)]
        return _linear(_plus(_linear(hidden, self.narrow), x), self.head)

    def loss(self, word: list[int]) -> Any:
        keys: list[list[Any]] = []
        values: list[list[Any]] = []
        losses = []
        for place, (letter, following) in enumerate(pairwise(word)):
            losses.append(-_softmax(self.logits(letter, place, keys, values))[following].log())
        return sum(losses) * (1.0 / len(losses))


def microgpt(peer: str) -> Step:
    """E3: value and gradients of one word."""
    from autograd_mini import Value

    model = Transformer(TupleValue if peer == "microgpt" else Value)
    parameters = model.parameters()

    def step() -> list[Any]:
        for p in parameters:
            p.grad = 0.0
        loss = model.loss(WORD)
        loss.backward()
        return [loss.data, *[p.grad for p in parameters]]

    return step


# -- the gradient of a small function ----------------------------------------------------------------------------------


def gradient(peer: str) -> Step:
    """D0: the gradient by the transform; by HIPS autograd on arrays; by aadc, recorded in every call."""
    point = chain()
    if peer == "autograd":
        import autograd
        import autograd.numpy as np

        derivative = autograd.grad(lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2))
        array = np.array(point)
        return lambda: derivative(array)
    if peer == "aadc":
        import aadc  # noqa: F401  # missing: said now

        return lambda: eager.on_aadc(counts.rosenbrock, point)[1:]
    import autograd_mini as am

    ours = am.grad(counts.rosenbrock)
    return lambda: ours(point)


MICROGPT, GRADIENT = "E3 microgpt", "D0 gradient"
WORKLOADS = [
    Workload(MICROGPT, microgpt, ("ours", "ours, python", "microgpt")),
    Workload(GRADIENT, gradient, ("ours", "ours, python", "autograd", "aadc")),
]
LIMITS = [
    Limit("E3 ours / microgpt", lambda f: f[MICROGPT, "ours"].best / f[MICROGPT, "microgpt"].best, 1 / 8, 1 / 11),
    Limit(f"{GRADIENT} of Rosenbrock 50, µs", lambda f: 1000 * f[GRADIENT, "ours"].best, 200, 150),
]
