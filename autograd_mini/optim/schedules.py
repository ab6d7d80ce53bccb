"""Schedules: the learning rate of an optimizer as a function of the number of steps, with PyTorch's names.

Not here: the optimizers. Read next: `optim`, which has these names too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from autograd_mini.errors import OperandError, shown
from autograd_mini.optim.states import checked_state, setting


class _HasRate(Protocol):
    lr: float


class Schedule:
    """What schedules share: each `step()` sets the next learning rate; creating one sets the first.

    Args:
        optimizer: whose `lr` is set.

    Raises:
        OperandError: the optimizer has no learning rate.
    """

    def __init__(self, optimizer: _HasRate) -> None:
        if not isinstance(getattr(optimizer, "lr", None), float):
            raise OperandError(f"{shown(optimizer)} has no learning rate.", "Pass an optimizer, such as Adam(...).")
        self.optimizer, self.start, self.steps = optimizer, optimizer.lr, 0
        self._go(self.start, 0)

    def _rate(self, start: float, steps: int) -> float:
        """The learning rate after a number of steps."""
        raise NotImplementedError  # each schedule is this one method

    def _go(self, start: float, steps: int) -> None:
        lr = setting(f"The learning rate after {steps} steps", self._rate(start, steps), lambda x: x >= 0.0, ">= 0")
        self.start, self.steps, self.optimizer.lr = start, steps, lr

    def step(self) -> None:
        """Set the next learning rate; call it after the step of the optimizer.

        Raises:
            ArgumentError: the next one is not a finite number >= 0. Nothing has changed then.
        """
        self._go(self.start, self.steps + 1)

    def state_dict(self) -> dict[str, Any]:
        """The learning rate at the start and the number of steps, as JSON can hold them."""
        return {"start": [self.start], "steps": [self.steps]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, and set the learning rate.

        Raises:
            ArgumentError: it is broken. Nothing has changed then.
        """
        loaded = checked_state(state, self.state_dict())
        self._go(loaded["start"][0], int(loaded["steps"][0]))


class LambdaLR(Schedule):
    """The learning rate at the start, times a function of the number of steps.

    Args:
        optimizer: whose `lr` is set.
        factor: the function; it is called with 0 at once.

    Raises:
        ArgumentError: a learning rate is not a finite number >= 0.
        OperandError: the optimizer has no learning rate.

    >>> from autograd_mini import Value, optim
    >>> descent = optim.SGD([Value(1.0)], lr=0.5)
    >>> warm_up = LambdaLR(descent, lambda step: min(1.0, (step + 1) / 4))
    >>> descent.lr
    0.125
    >>> warm_up.step()
    >>> descent.lr
    0.25
    """

    def __init__(self, optimizer: _HasRate, factor: Callable[[int], float]) -> None:
        self.factor = factor
        super().__init__(optimizer)

    def _rate(self, start: float, steps: int) -> float:
        return start * self.factor(steps)


class StepLR(Schedule):
    """The learning rate, times `gamma` after each `step_size` steps.

    Args:
        optimizer: whose `lr` is set.
        step_size: how many steps a learning rate lasts, >= 1.
        gamma: the factor, > 0.

    Raises:
        ArgumentError: a setting is out of range.
        OperandError: the optimizer has no learning rate.

    >>> from autograd_mini import Value, optim
    >>> schedule = StepLR(optim.SGD([Value(1.0)], lr=1.0), step_size=2, gamma=0.5)
    >>> for _ in range(3):
    ...     schedule.step()
    ...     print(schedule.optimizer.lr)
    1.0
    0.5
    0.5
    """

    def __init__(self, optimizer: _HasRate, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = setting("step_size", step_size, _is_count, "a whole number >= 1")
        self.gamma = setting("gamma", gamma, lambda x: x > 0.0, "> 0")
        super().__init__(optimizer)

    def _rate(self, start: float, steps: int) -> float:
        return start * math.pow(self.gamma, steps // self.step_size)


class CosineAnnealingLR(Schedule):
    """The learning rate along half a wave of the cosine, from its start down to `eta_min`.

    Args:
        optimizer: whose `lr` is set.
        T_max: the number of steps down; after it the rate goes up again, as in PyTorch.
        eta_min: the lowest learning rate, >= 0.

    Raises:
        ArgumentError: a setting is out of range.
        OperandError: the optimizer has no learning rate.

    Source: Loshchilov, Hutter, 2017, arXiv:1608.03983.

    >>> from autograd_mini import Value, optim
    >>> schedule = CosineAnnealingLR(optim.SGD([Value(1.0)], lr=1.0), T_max=2)
    >>> schedule.step()
    >>> round(schedule.optimizer.lr, 6)
    0.5
    """

    def __init__(self, optimizer: _HasRate, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = setting("T_max", T_max, _is_count, "a whole number >= 1")
        self.eta_min = setting("eta_min", eta_min, lambda x: x >= 0.0, ">= 0")
        super().__init__(optimizer)

    def _rate(self, start: float, steps: int) -> float:
        return self.eta_min + (start - self.eta_min) * (1.0 + math.cos(math.pi * steps / self.T_max)) / 2.0


def _is_count(x: float) -> bool:
    return x >= 1.0 and x % 1.0 == 0.0
