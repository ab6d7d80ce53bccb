"""The main job: train a softmax classifier built from primitives, and hold what falls out against the closed forms.

Not here: command-line arguments (`cli`), derivatives. Read next: `functions`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, hypot, sqrt, ulp
from typing import Any

from autograd_mini.demo.data import Dataset
from autograd_mini.engine import Value
from autograd_mini.functions.logits import softmax
from autograd_mini.functions.losses import cross_entropy
from autograd_mini.functions.sums import dot, mean
from autograd_mini.optim import Adam
from autograd_mini.output.streams import abandon, write
from autograd_mini.program.scopes import scope


class SoftmaxClassifier:
    """One weighted sum of the numbers for each class; softmax turns them into probabilities.

    Args:
        data: what it will be trained on. Each column is shifted and scaled to mean 0 and deviation 1.
        seed: decides the initial weights.
    """

    def __init__(self, data: Dataset, seed: int = 0) -> None:
        columns = list(zip(*data.rows, strict=True))
        self.centre = [fsum(x / len(column) for x in column) for column in columns]
        self.scale = [
            hypot(*[x - c for x in column]) / sqrt(len(column)) or 1.0
            for column, c in zip(columns, self.centre, strict=True)
        ]
        normal = random.Random(seed).gauss
        self.weights = [
            [Value(normal(0.0, 0.1), name=f"w{k}{j}") for j in range(len(columns))] for k in range(len(data.classes))
        ]
        self.biases = [Value(0.0, name=f"b{k}") for k in range(len(data.classes))]

    def parameters(self) -> list[Value]:
        """All weights and biases."""
        return [w for row in self.weights for w in row] + self.biases

    def logits(self, row: Sequence[float]) -> list[Value]:
        """The weighted sums for one sample."""
        inputs = [(x - c) / s for x, c, s in zip(row, self.centre, self.scale, strict=True)]
        with scope("logits"):
            return [dot(weights, inputs) + bias for weights, bias in zip(self.weights, self.biases, strict=True)]

    def predict(self, row: Sequence[float]) -> int:
        """The index of the most probable class."""
        logits = [z.data for z in self.logits(row)]
        return logits.index(max(logits))

    def accuracy(self, data: Dataset) -> float:
        """The share of samples whose most probable class is the right one."""
        return sum(self.predict(row) == label for row, label in zip(data.rows, data.labels, strict=True)) / len(data)


class _Progress:
    """Standard error; if that is closed or full, a progress bar is not worth an end."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def write(self, text: str) -> None:
        try:
            write(sys.stderr, text)
        except OSError:
            abandon(sys.stderr)


def train(model: SoftmaxClassifier, data: Dataset, steps: int = 400, batch: int = 32, seed: int = 0) -> None:
    """Minimise the mean cross-entropy with Adam, on random batches, with a progress bar on standard error."""
    from tqdm import trange  # here, so that importing the package loads the standard library alone

    descent = Adam(model.parameters(), lr=0.1)
    generator = random.Random(seed)
    progress = trange(steps, desc="training", unit="step", file=_Progress())
    for step in progress:
        chosen = generator.sample(range(len(data)), min(batch, len(data)))
        loss = mean([cross_entropy(model.logits(data.rows[i]), data.labels[i]) for i in chosen])
        descent.zero_grad()
        loss.backward()
        descent.lr = 0.1 * (1.0 - step / steps)
        descent.step()
        progress.set_postfix(loss=f"{loss:.4f}", refresh=False)


@dataclass(frozen=True)
class Comparison:
    """What falls out of the graph beside the closed forms, for the logits of one sample.

    Attributes:
        logits: z.
        probabilities: a = softmax(z).
        targets: t, 1 for the right class.
        slopes: dL/dz, derived by the engine from the composition of the cross-entropy.
        jacobian: da_i/dz_j, derived by the engine from the composition of softmax.
    """

    logits: list[float]
    probabilities: list[float]
    targets: list[float]
    slopes: list[float]
    jacobian: list[list[float]]

    @property
    def closed_slopes(self) -> list[float]:
        """The closed form a - t."""
        return [a - t for a, t in zip(self.probabilities, self.targets, strict=True)]

    @property
    def closed_jacobian(self) -> list[list[float]]:
        """The closed form a_i (δ_ij - a_j)."""
        a = self.probabilities
        return [[a[i] * ((i == j) - a[j]) for j in range(len(a))] for i in range(len(a))]

    @property
    def slope_error(self) -> float:
        """The largest difference between derived and closed slopes, in ulp of the larger of a and t."""
        differences = zip(self.slopes, self.closed_slopes, self.probabilities, self.targets, strict=True)
        return max(abs(derived - closed) / ulp(max(a, t)) for derived, closed, a, t in differences)

    @property
    def jacobian_error(self) -> float:
        """The largest difference between derived and closed Jacobian, in ulp of a_i."""
        rows = zip(self.jacobian, self.closed_jacobian, self.probabilities, strict=True)
        return max(abs(d - c) / ulp(a) for derived, closed, a in rows for d, c in zip(derived, closed, strict=True))


def compare(logits: Sequence[float], target: int) -> Comparison:
    """Derive dL/dz and the Jacobian of softmax at some logits.

    >>> compare([1.0, 2.0], 1).slope_error <= 1.0
    True
    """
    zs = [Value(z) for z in logits]
    cross_entropy(zs, target).backward()
    jacobian = []
    for i in range(len(zs)):
        variables = [Value(z) for z in logits]
        softmax(variables)[i].backward()
        jacobian.append([z.grad for z in variables])
    return Comparison(
        list(logits),
        softmax(logits),
        [float(j == target) for j in range(len(zs))],
        [z.grad for z in zs],
        jacobian,
    )


def least_certain(model: SoftmaxClassifier, data: Dataset) -> int:
    """The index of the sample whose two most probable classes are closest, the most telling one to look at."""

    def margin(i: int) -> float:
        *_, second, first = sorted(z.data for z in model.logits(data.rows[i]))
        return 1.0 - exp(second - first)

    return min(range(len(data)), key=margin)
