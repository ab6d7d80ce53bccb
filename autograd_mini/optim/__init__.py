"""Gradient descent as in PyTorch: optimizers, learning rate schedules and clipping.

Not here: computing gradients; call `loss.backward()` before `step()`. Read next: `optim.states`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.optim.states import checked_state, setting

__all__ = ["SGD", "Adam", "AdamW", "CosineAnnealingLR", "LambdaLR", "Optimizer", "RMSprop", "StepLR", "clip_grad_norm"]


def __dir__() -> list[str]:
    return __all__


class Optimizer:
    """The base of all optimizers: parameters, `zero_grad`, `step`, and a state that you can save.

    Args:
        parameters: the `Value`s to change, which must be leaves.
        lr: the learning rate, > 0; you may change it between steps.
        weight_decay: this factor times the parameter is added to its gradient; >= 0.

    Raises:
        ArgumentError: there are no parameters, one is not a leaf, or a setting is out of range.
        OperandError: a parameter is not a `Value`.
    """

    def __init__(self, parameters: Iterable[Value], lr: float, weight_decay: float = 0.0) -> None:
        self.parameters = _leaves(parameters, "An optimizer")
        if not self.parameters:
            raise ArgumentError("An optimizer got no parameters.", "Pass model.parameters().")
        self.lr, self.weight_decay = setting("lr", lr, "> 0"), setting("weight_decay", weight_decay, ">= 0")
        self.state: dict[str, list[float]] = {}  # what it remembers, one number per parameter

    def zero_grad(self) -> None:
        """Clear the gradients of all parameters, before the next `backward()` adds to them."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Take one step with every parameter that got a gradient since `zero_grad()`.

        Other parameters do not change, and neither does what the optimizer remembers about them.
        """
        for index, parameter in enumerate(self.parameters):
            if parameter._grad is not None:
                gradient = self._decayed(parameter, parameter._grad) if self.weight_decay else parameter._grad
                parameter.data -= self.lr * self._change(index, gradient)

    def _decayed(self, parameter: Value, gradient: float) -> float:
        return gradient + self.weight_decay * parameter.data

    def _change(self, index: int, gradient: float) -> float:
        """Return how far a parameter moves against its gradient, in units of the learning rate."""
        raise NotImplementedError  # each optimizer defines this method

    def _remember(self, *names: str) -> None:
        self.state = {name: [0.0] * len(self.parameters) for name in names}

    def state_dict(self) -> dict[str, Any]:
        """Return what the optimizer remembers between steps, ready for JSON, without settings such as `lr`."""
        return {name: list(numbers) for name, numbers in self.state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, including nan and infinities from a run that diverged.

        Raises:
            ArgumentError: it is broken, or belongs to another optimizer or to other parameters. Nothing changes.
        """
        self.state = checked_state(state, self.state)


class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        parameters: as for `Optimizer`, which raises the errors; so are lr and weight_decay.
        momentum: how much of the last change to keep, in [0, 1).
        nesterov: look ahead by the momentum.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> SGD([x], lr=0.1).step()
    >>> x.data
    2.4
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 0.01, momentum: float = 0.0, weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay)
        self.momentum, self.nesterov = setting("momentum", momentum, "in [0, 1)"), nesterov
        if nesterov and not self.momentum:
            raise ArgumentError("nesterov=True looks ahead by the momentum, but momentum is 0.", "Pass momentum=0.9.")
        self._remember("velocity")

    def _change(self, index: int, gradient: float) -> float:
        if not self.momentum:
            return gradient
        velocity = self.state["velocity"]
        velocity[index] = self.momentum * velocity[index] + gradient
        return gradient + self.momentum * velocity[index] if self.nesterov else velocity[index]


class RMSprop(Optimizer):
    """Steps in units of the gradient's recent size.

    Args:
        parameters: as for `Optimizer`, which raises the errors; so are lr and weight_decay.
        alpha: how much of the running mean of the squared gradient to keep, in [0, 1).
        eps: added to the size, > 0.
        momentum: how much of the last change to keep, in [0, 1).

    Source: Hinton, 2012, Neural Networks for Machine Learning, lecture 6e.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> RMSprop([x], lr=0.1).step()
    >>> round(x.data, 6)
    2.0
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 0.01, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0.0, momentum: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay)
        self.alpha, self.eps = setting("alpha", alpha, "in [0, 1)"), setting("eps", eps, "> 0")
        self.momentum = setting("momentum", momentum, "in [0, 1)")
        self._remember("size", "velocity")

    def _change(self, index: int, gradient: float) -> float:
        size, velocity = self.state["size"], self.state["velocity"]
        size[index] = _running_size(self.alpha, size[index], gradient)
        change = gradient / (size[index] + self.eps)
        if self.momentum:
            change = velocity[index] = self.momentum * velocity[index] + change
        return change


class Adam(Optimizer):
    """Steps against the running mean of the gradient, in units of its recent size, parameter by parameter.

    Args:
        parameters: as for `Optimizer`, which raises the errors; so are lr and weight_decay.
        betas: how much to keep of the running means of the gradient and of its square, each in [0, 1).
        eps: added to the size, > 0.

    Source: Kingma, Ba, 2015, arXiv:1412.6980.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> Adam([x], lr=0.1).step()
    >>> round(x.data, 6)
    2.9
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 0.001, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, weight_decay)
        if not isinstance(betas, Iterable) or len(pair := tuple(betas)) != 2:
            raise ArgumentError(f"betas = {shown(betas)} is not a pair.", "Pass two numbers in [0, 1).")
        self.betas = setting("betas[0]", pair[0], "in [0, 1)"), setting("betas[1]", pair[1], "in [0, 1)")
        self.eps = setting("eps", eps, "> 0")
        self._remember("steps", "mean", "size")

    def _change(self, index: int, gradient: float) -> float:
        (b1, b2), (steps, mean, size) = self.betas, self.state.values()
        steps[index] += 1
        mean[index] = b1 * mean[index] + (1.0 - b1) * gradient
        size[index] = _running_size(b2, size[index], gradient)
        # The running means start at 0; these factors remove the bias. They come last, so that nothing overflows.
        c1, c2 = 1.0 - math.pow(b1, steps[index]), math.sqrt(1.0 - math.pow(b2, steps[index]))
        return mean[index] / (size[index] + self.eps * c2) * (c2 / c1)


class AdamW(Adam):
    """Adam with decoupled weight decay, which shrinks the parameter itself by the share `lr * weight_decay`.

    Args:
        parameters: as for `Adam`; so are lr, betas, eps and the errors.
        weight_decay: times the learning rate, the share of a parameter that it loses in each step; >= 0.

    Source: Loshchilov, Hutter, 2019, arXiv:1711.05101.

    >>> x = Value(3.0)
    >>> (x * x).backward()
    >>> AdamW([x], lr=0.1, weight_decay=0.5).step()
    >>> round(x.data, 6)
    2.75
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 0.001, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _decayed(self, parameter: Value, gradient: float) -> float:
        parameter.data *= 1.0 - self.lr * self.weight_decay
        return gradient


def _running_size(kept: float, size: float, gradient: float) -> float:
    """Return the root of the running mean of the squared gradient; scaling by a power of two prevents overflow."""
    unit = math.ldexp(1.0, math.frexp(max(size, abs(gradient)))[1] - 1)
    size, gradient = size / unit, gradient / unit
    return unit * math.sqrt(kept * (size * size) + (1.0 - kept) * (gradient * gradient))


def clip_grad_norm(parameters: Iterable[Value], max_norm: float) -> float:
    """Scale all gradients down together so that their norm is at most `max_norm`; call it before a step.

    As in PyTorch, the factor is `max_norm / (norm + 1e-6)` if that is below 1. A norm of nan makes all gradients nan,
    and an infinite gradient makes itself nan and all others 0.

    Args:
        parameters: the `Value`s whose gradients to scale; those without a gradient since `zero_grad()` do not change.
        max_norm: the largest norm to allow, > 0; `math.inf` only measures.

    Returns:
        the norm of all gradients before scaling.

    Raises:
        ArgumentError: a parameter is not a leaf, or max_norm is out of range.
        OperandError: a parameter is not a `Value`.

    >>> x, y = Value(3.0), Value(4.0)
    >>> (x * x / 2 + y * y / 2).backward()
    >>> clip_grad_norm([x, y], 1.0)
    5.0
    >>> round(x.grad, 6), round(y.grad, 6)
    (0.6, 0.8)
    """
    if max_norm != math.inf:
        max_norm = setting("max_norm", max_norm, "> 0")
    moved = [p for p in _leaves(parameters, "clip_grad_norm()") if p._grad is not None]
    largest = max((abs(p.grad) for p in moved), default=0.0)
    unit = 2.0**600 if 2.0**500 < largest < math.inf else 1.0  # the norm of floats may exceed their range
    gradients = [p.grad / unit for p in moved]
    norm = math.nan if any(map(math.isnan, gradients)) else math.hypot(*gradients)
    factor = max_norm / (norm + 1e-6 / unit)
    if max_norm != math.inf and not factor >= unit:
        for parameter, gradient in zip(moved, gradients, strict=True):
            is_small = abs(parameter.grad) < 1.0  # divided by the unit, it might keep too few digits
            parameter.grad = parameter.grad * factor / unit if is_small else gradient * factor
    return norm * unit


def _leaves(parameters: Iterable[Value], who: str) -> list[Value]:
    """Return the parameters, each once, or raise."""
    if not isinstance(parameters, Iterable):
        raise OperandError(f"{who} takes a list of Values, not {shown(parameters)}.", "Pass model.parameters().")
    found = list(parameters)
    for parameter in found:
        if not is_node(parameter):
            raise OperandError(f"{shown(parameter)} is not a Value.", "Pass a list of Values.")
        if parameter.op is not None:
            raise ArgumentError(f"A parameter was computed by {parameter.op}.", "Pass leaves: Value(number).")
    return list(dict.fromkeys(found))


# -- schedules ---------------------------------------------------------------------------------------------------------


class Schedule:
    """The base of all schedules: creating one sets the first learning rate, and each `step()` sets the next."""

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(getattr(optimizer, "lr", None), float):
            raise OperandError(f"{shown(optimizer)} has no learning rate.", "Pass an optimizer, such as Adam(...).")
        self.optimizer, self.start, self.steps = optimizer, optimizer.lr, 0
        self._go(self.start, 0)

    def _rate(self, start: float, steps: int) -> float:
        raise NotImplementedError  # each schedule defines this method

    def _go(self, start: float, steps: int) -> None:
        lr = setting(f"The learning rate after {steps} steps", self._rate(start, steps), ">= 0")
        self.start, self.steps, self.optimizer.lr = start, steps, lr

    def step(self) -> None:
        """Set the next learning rate; call it after the optimizer's step.

        Raises:
            ArgumentError: the next rate is not a finite number >= 0. Nothing changes.
        """
        self._go(self.start, self.steps + 1)

    def state_dict(self) -> dict[str, Any]:
        """Return the learning rate at the start and the number of steps, ready for JSON."""
        return {"start": [self.start], "steps": [self.steps]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, and set the learning rate.

        Raises:
            ArgumentError: it is broken. Nothing changes.
        """
        loaded = checked_state(state, self.state_dict())
        self._go(loaded["start"][0], int(loaded["steps"][0]))


class LambdaLR(Schedule):
    """The learning rate at the start, times a function of the number of steps.

    Args:
        optimizer: the optimizer whose `lr` to set.
        factor: the function; it is called with 0 at once.

    Raises:
        ArgumentError: a learning rate is not a finite number >= 0.
        OperandError: the optimizer has no learning rate.

    >>> descent = SGD([Value(1.0)], lr=0.5)
    >>> warm_up = LambdaLR(descent, lambda step: min(1.0, (step + 1) / 4))
    >>> warm_up.step()
    >>> descent.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer, factor: Callable[[int], float]) -> None:
        self.factor = factor
        super().__init__(optimizer)

    def _rate(self, start: float, steps: int) -> float:
        return start * self.factor(steps)


class StepLR(Schedule):
    """The learning rate, times `gamma` after each `step_size` steps.

    Args:
        optimizer: the optimizer whose `lr` to set.
        step_size: how many steps a learning rate lasts, >= 1.
        gamma: the factor, > 0.

    Raises:
        AutogradError: a setting is out of range, or as `LambdaLR` does.

    >>> schedule = StepLR(SGD([Value(1.0)], lr=1.0), step_size=1, gamma=0.5)
    >>> schedule.step()
    >>> schedule.optimizer.lr
    0.5
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = setting("step_size", step_size, "a whole number >= 1")
        self.gamma = setting("gamma", gamma, "> 0")
        super().__init__(optimizer)

    def _rate(self, start: float, steps: int) -> float:
        return start * math.pow(self.gamma, steps // self.step_size)


class CosineAnnealingLR(Schedule):
    """The learning rate along half a cosine wave, from its start down to `eta_min`.

    Args:
        optimizer: the optimizer whose `lr` to set.
        T_max: the number of steps down; then the rate goes up again, as in PyTorch.
        eta_min: the lowest learning rate, >= 0.

    Raises:
        AutogradError: a setting is out of range, or as `LambdaLR` does.

    Source: Loshchilov, Hutter, 2017, arXiv:1608.03983.

    >>> schedule = CosineAnnealingLR(SGD([Value(1.0)], lr=1.0), T_max=2)
    >>> schedule.step()
    >>> round(schedule.optimizer.lr, 6)
    0.5
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = setting("T_max", T_max, "a whole number >= 1")
        self.eta_min = setting("eta_min", eta_min, ">= 0")
        super().__init__(optimizer)

    def _rate(self, start: float, steps: int) -> float:
        return self.eta_min + (start - self.eta_min) * (1.0 + math.cos(math.pi * steps / self.T_max)) / 2.0
