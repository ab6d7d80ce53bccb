"""What the right numbers are: a function, its value and derivative at a point, and the points that expose errors.

Rely on: `task_named("tanh")` for every function of the package with a derivative (`TASK_NAMES`), `task_of(f, points)`
for a user's function, and `Task.value / derivative / points`. A point is a tuple of the arguments: `(0.5,)` for tanh,
`([1.0, 2.0],)` for softmax, `([1.0, 2.0], [0.0, 1.0])` for cross_entropy and the other losses of a list and a target.
Derivatives are by the first argument: a number for a function of a number, a list (the gradient) for a number of a
list, a matrix (the Jacobian, `[output][input]`) for a list of a list. Not here: mistakes. Read next: `check.diagnosis`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Point = tuple[Any, ...]
TASK_NAMES: tuple[str, ...] = ("tanh", "softmax", "cross_entropy")


@dataclass(frozen=True)
class Task:
    """A function whose derivative is known."""

    name: str
    function: Callable[..., Any]
    points: tuple[Point, ...]  # they expose errors: tails, kinks, ties, the ends of the domain

    def value(self, point: Point) -> Any:
        """Return the right value: a number, or a list."""
        raise NotImplementedError

    def derivative(self, point: Point) -> Any:
        """Return the right derivative by the first argument."""
        raise NotImplementedError


def task_named(name: str) -> Task:
    """Return the task of a function of the package."""
    raise NotImplementedError


def task_of(function: Callable[..., Any], points: tuple[Point, ...], name: str = "f") -> Task:
    """Return the task of a user's function, whose derivative is computed by this package, or by differences."""
    raise NotImplementedError
