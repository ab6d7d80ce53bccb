"""The diagnosis: numbers compared with the right ones, and the rows of the mistake table that explain all of them.

Rely on: `diagnose(task, points, claimed, quantity=...)`. Numbers alone are needed, so a program in any language will
do. Not here: the mistakes. Read next: the mistake table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from autograd_mini.check.tasks import Point, Task
from autograd_mini.check.verdicts import Diagnosis

Quantity = Literal["derivative", "value"]


def diagnose(
    task: Task,
    points: Sequence[Point],
    claimed: Sequence[Any],
    quantity: Quantity = "derivative",
    digits: int = 17,
) -> Diagnosis:
    """Judge numbers that are claimed to be the derivatives, or the values, of a task at points.

    `claimed` has one entry per point: a number, a list, or a matrix (nested lists); None where there is no answer. If
    numbers were printed with few `digits`, they are compared in so many digits.
    """
    raise NotImplementedError
