"""Two trained networks: their graphs, their losses step by step, and where one of them draws the line.

Not here: how they are drawn. Read next: `__main__`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import autograd_mini as am
from autograd_mini.demo.data import iris


@dataclass(frozen=True, eq=False)
class Training:
    """A network after training.

    Attributes:
        model: the network.
        losses: its loss at each step.
        loss: the last of them, as a `Value` after `backward()`.
        points: what it was trained on.
        labels: the class of each of these.
    """

    model: am.nn.MLP
    losses: list[float]
    loss: am.Value
    points: Sequence[Sequence[float]]
    labels: Sequence[int]


def train_iris(steps: int = 60) -> Training:
    """Three species from four lengths: a hidden layer of eight neurons with tanh, cross-entropy, batches of 24."""
    data = iris()
    points = [[x - c for x, c in zip(row, (5.8, 3.1, 3.8, 1.2), strict=True)] for row in data.rows]
    model, choose = am.nn.MLP(4, [8, 3], activation="tanh", seed=0), random.Random(0)
    descent, losses = am.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), []
    for _ in range(steps):
        batch = choose.sample(range(len(points)), 24)
        loss = am.mean([am.cross_entropy(model(points[i]), data.labels[i]) for i in batch])
        model.zero_grad()
        loss.backward()
        descent.step()
        losses.append(loss.data)
    loss.name = "loss"
    return Training(model, losses, loss, points, data.labels)


def train_moons(steps: int = 60) -> Training:
    """Two interleaved half circles: two hidden layers of 16 neurons with relu, hinge loss, all 100 points at once."""
    choose = random.Random(1337)
    points, labels = [], []
    for i in range(100):
        angle = math.pi * choose.random()
        x, y = (math.cos(angle), math.sin(angle)) if i % 2 else (1.0 - math.cos(angle), 0.5 - math.sin(angle))
        points.append([x + choose.gauss(0.0, 0.1), y + choose.gauss(0.0, 0.1)])
        labels.append(1 if i % 2 else -1)
    model, losses = am.nn.MLP(2, [16, 16, 1], seed=1337), []
    for step in range(steps):
        loss = am.hinge([model(point) for point in points], labels)
        loss = loss + 1e-4 * am.sum([p * p for p in model.parameters()])
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * step / steps) * p.grad
        losses.append(loss.data)
    loss.name = "loss"
    return Training(model, losses, loss, points, labels)
