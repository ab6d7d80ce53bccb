"""The demo: train a softmax classifier built from primitives, and compare its derivatives with the closed forms.

Not here: command-line arguments (`cli`), derivatives. Read next: `output`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import exp, fsum, hypot, sqrt, ulp
from pathlib import Path
from typing import NamedTuple

from autograd_mini.demo.data import Dataset
from autograd_mini.drawing import draw
from autograd_mini.engine import Value
from autograd_mini.functions.logits import softmax
from autograd_mini.functions.losses import cross_entropy
from autograd_mini.functions.sums import dot, mean
from autograd_mini.optim import Adam
from autograd_mini.output.streams import printable, progress
from autograd_mini.program.scopes import scope

_WIDEST = 8  # classes shown in a table


class SoftmaxClassifier:
    """One weighted sum per class of the columns, which are standardised to mean 0 and deviation 1."""

    def __init__(self, data: Dataset, seed: int = 0) -> None:
        columns = list(zip(*data.rows, strict=True))
        self.centre = [fsum(x / len(column) for x in column) for column in columns]
        shifted = [[x - c for x in column] for column, c in zip(columns, self.centre, strict=True)]
        self.scale = [hypot(*column) / sqrt(len(column)) or 1.0 for column in shifted]
        normal = random.Random(seed).gauss
        classes, inputs = range(len(data.classes)), range(len(columns))
        self.weights = [[Value(normal(0.0, 0.1), name=f"w{k}{j}") for j in inputs] for k in classes]
        self.biases = [Value(0.0, name=f"b{k}") for k in classes]

    def parameters(self) -> list[Value]:
        """Return all weights and biases."""
        return [w for row in self.weights for w in row] + self.biases

    def logits(self, row: Sequence[float]) -> list[Value]:
        """Return the weighted sums for one sample."""
        inputs = [(x - c) / s for x, c, s in zip(row, self.centre, self.scale, strict=True)]
        with scope("logits"):
            return [dot(weights, inputs) + bias for weights, bias in zip(self.weights, self.biases, strict=True)]

    def accuracy(self, data: Dataset) -> float:
        """Return the share of samples whose most probable class is the right one."""
        guesses = [[z.data for z in self.logits(row)] for row in data.rows]
        return sum(zs.index(max(zs)) == label for zs, label in zip(guesses, data.labels, strict=True)) / len(data)


def train(model: SoftmaxClassifier, data: Dataset, steps: int = 400, batch: int = 32, seed: int = 0) -> None:
    """Minimise the mean cross-entropy with Adam on random batches, with a progress bar on standard error."""
    descent = Adam(model.parameters(), lr=0.1)
    generator = random.Random(seed)
    bar = progress(range(steps), "training", "step")
    for step in bar:
        chosen = generator.sample(range(len(data)), min(batch, len(data)))
        loss = mean([cross_entropy(model.logits(data.rows[i]), data.labels[i]) for i in chosen])
        descent.zero_grad()
        loss.backward()
        descent.lr = 0.1 * (1.0 - step / steps)
        descent.step()
        bar.set_postfix(loss=f"{loss:.4f}", refresh=False)


class Derived(NamedTuple):
    """What falls out of the graph for the logits z of one sample, beside the closed forms."""

    logits: list[float]
    probabilities: list[float]  # a = softmax(z)
    targets: list[float]  # t, 1 for the right class
    slopes: list[float]  # dL/dz, which the engine derives from the composition of the cross-entropy
    closed_slopes: list[float]  # a - t
    slope_error: float  # the largest difference, in ulp of the larger of a and t
    jacobian: list[list[float]]  # da_i/dz_j, which the engine derives from the composition of softmax
    closed_jacobian: list[list[float]]  # a_i (δ_ij - a_j)
    jacobian_error: float  # the largest difference, in ulp of a_i


def derive(logits: Sequence[float], target: int) -> Derived:
    """Derive dL/dz and the Jacobian of softmax at some logits."""
    zs, classes = [Value(z) for z in logits], range(len(logits))
    cross_entropy(zs, target).backward()
    slopes, jacobian = [z.grad for z in zs], []
    for i in classes:
        variables = [Value(z) for z in logits]
        softmax(variables)[i].backward()
        jacobian.append([z.grad for z in variables])
    a, t = softmax(logits), [float(j == target) for j in classes]
    closed = [a[j] - t[j] for j in classes]
    closed_jacobian = [[a[i] * ((i == j) - a[j]) for j in classes] for i in classes]
    error = max(abs(slopes[j] - closed[j]) / ulp(max(a[j], t[j])) for j in classes)
    jacobian_error = max(abs(jacobian[i][j] - closed_jacobian[i][j]) / ulp(a[i]) for i in classes for j in classes)
    return Derived(list(logits), a, t, slopes, closed, error, jacobian, closed_jacobian, jacobian_error)


def least_certain(model: SoftmaxClassifier, data: Dataset) -> int:
    """Return the index of the most telling sample: the one whose two most probable classes are closest."""

    def margin(i: int) -> float:
        *_, second, first = sorted(z.data for z in model.logits(data.rows[i]))
        return 1.0 - exp(second - first)

    return min(range(len(data)), key=margin)


def run(data: Dataset, title: str, steps: int, seed: int, output: Path, say: Callable[[str], None]) -> None:
    """Train, print what falls out beside the closed forms, and draw the graph of one sample's loss."""
    training, testing = data.split(seed=seed)
    model = SoftmaxClassifier(training, seed)
    say(
        f"{title}: {len(data)} samples, {len(data.columns)} numbers each, "
        f"{len(data.classes)} classes; {len(training)} to train on, {len(testing)} to test on"
    )
    train(model, training, steps, seed=seed)
    index = least_certain(model, testing)
    row, label = testing.rows[index], testing.labels[index]
    names = [printable(name) for name in data.classes]
    logits = model.logits(row)
    _say_derived(derive([z.data for z in logits], label), label, names, say)
    say(f"\naccuracy: {model.accuracy(training):.1%} in training, {model.accuracy(testing):.1%} on the test samples")

    if len(data.columns) * len(data.classes) > 60:  # too many weights for one picture, so begin at the logits
        logits = [Value(z.data) for z in logits]
    for parameter in model.parameters():
        parameter.grad = None
    for i, z in enumerate(logits):
        z.name = f"z{i}"
    loss = cross_entropy(logits, label)
    loss.name = "loss"
    loss.backward()
    written = draw(loss, title=f"cross-entropy of one sample, a {names[label]}").save(output)
    say(f"the graph of this sample's loss: {Path(written).resolve()}")


def _say_derived(found: Derived, label: int, names: Sequence[str], say: Callable[[str], None]) -> None:
    shown = range(min(len(names), _WIDEST))
    width = max(12, *(len(names[i]) for i in shown))
    say(f"\nThe test sample the classifier is least sure of, a {names[label]}: what falls out of the graph\n")
    say(f"{'':{width}}  {'z':>9}  {'a':>9}  {'t':>3}  {'dL/dz derived':>22}  {'a - t':>22}")
    for i in shown:
        say(
            f"{names[i]:{width}}  {found.logits[i]:9.4f}  {found.probabilities[i]:9.6f}  {found.targets[i]:3.0f}"
            f"  {found.slopes[i]:22.17f}  {found.closed_slopes[i]:22.17f}"
        )
    say(f"largest difference: {found.slope_error:.2g} ulp (units in the last place of the larger of a and t)\n")
    say("The Jacobian of softmax, da_i/dz_j: derived, and a_i(δ_ij - a_j) below it\n")
    for i in shown:
        for title, matrix in ((f"row {i}", found.jacobian), ("", found.closed_jacobian)):
            say(f"{title:{width}}  " + "  ".join(f"{matrix[i][j]:22.17f}" for j in shown))
    say(f"largest difference: {found.jacobian_error:.2g} ulp (units in the last place of a_i)")
    if len(names) > _WIDEST:
        say(f"({len(names) - _WIDEST} more classes are compared but not shown)")
