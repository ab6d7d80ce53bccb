"""Gradient descent: `SGD` with momentum and weight decay, and `Adam`.

Not here: computing gradients; call `loss.backward()` before `step()`. Read next: `examples/`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.primitives import as_number


class Optimizer:
    """What optimizers share: the parameters, `zero_grad`, and a state that can be saved.

    Args:
        parameters: the `Value`s to change, all of them leaves.
        lr: the learning rate, > 0; it may be changed between steps.
        weight_decay: added to each gradient, times the parameter; >= 0.

    Raises:
        ArgumentError: there are no parameters, one is not a leaf, or a setting is out of range.
        OperandError: a parameter is not a `Value`.
    """

    def __init__(self, parameters: Iterable[Value], lr: float, weight_decay: float = 0.0) -> None:
        if not isinstance(parameters, Iterable):
            raise OperandError(
                f"An optimizer takes a list of Values, not {shown(parameters)}.", "Pass model.parameters()."
            )
        self.parameters = list(parameters)
        if not self.parameters:
            raise ArgumentError("An optimizer got no parameters.", "Pass model.parameters().")
        for parameter in self.parameters:
            if not is_node(parameter):
                raise OperandError(f"{shown(parameter)} is not a Value.", "Pass a list of Values.")
            if parameter.op is not None:
                raise ArgumentError(f"A parameter was computed ({parameter.op}).", "Pass leaves: Value(number).")
        self.parameters = list(dict.fromkeys(self.parameters))  # a shared parameter is changed once
        self.lr = _setting("lr", lr, lambda x: x > 0.0, "> 0")
        self.weight_decay = _setting("weight_decay", weight_decay, lambda x: x >= 0.0, ">= 0")
        self.state: dict[str, list[float]] = {}
        self.steps = 0

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters, before the next `backward()` adds to them."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Change every parameter once, by the gradient it has now."""
        gradients = [p.grad + self.weight_decay * p.data for p in self.parameters]
        self.steps += 1
        for parameter, change in zip(self.parameters, self._changes(gradients), strict=True):
            parameter.data -= self.lr * change

    def _changes(self, gradients: list[float]) -> list[float]:
        """How far to go against each gradient, in units of the learning rate."""
        raise NotImplementedError  # each optimizer is this one method

    def state_dict(self) -> dict[str, Any]:
        """What the optimizer remembers between steps, as JSON can hold it."""
        return {"steps": self.steps, **{name: list(numbers) for name, numbers in self.state.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            ArgumentError: it belongs to another optimizer or to other parameters. Nothing has changed then.
        """
        n = len(self.parameters)
        if (
            not isinstance(state, Mapping)
            or state.keys() != {"steps", *self.state}
            or as_number(state["steps"]) is None
            or not all(isinstance(m, list) and len(m) == n for name, m in state.items() if name != "steps")
            or any(as_number(x) is None for name, m in state.items() if name != "steps" for x in m)
        ):
            raise ArgumentError(
                "The state belongs to another optimizer or model.", "Load the one saved with this model."
            )
        self.state = {name: [float(x) for x in m] for name, m in state.items() if name != "steps"}
        self.steps = int(state["steps"])


class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        parameters: the `Value`s to change.
        lr: the learning rate, > 0.
        momentum: how much of the last change is kept, in [0, 1).
        weight_decay: added to each gradient, times the parameter; >= 0.

    Raises:
        ArgumentError: there are no parameters, one is not a leaf, or a setting is out of range.
        OperandError: a parameter is not a `Value`.

    >>> x = Value(3.0)
    >>> descent = SGD([x], lr=0.1)
    >>> (x * x).backward()
    >>> descent.step()
    >>> x.data
    2.4
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 0.01, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.momentum = _setting("momentum", momentum, lambda x: 0.0 <= x < 1.0, "in [0, 1)")
        self.state = {"velocity": [0.0] * len(self.parameters)}

    def _changes(self, gradients: list[float]) -> list[float]:
        velocity = [self.momentum * v + g for v, g in zip(self.state["velocity"], gradients, strict=True)]
        self.state["velocity"] = velocity
        return velocity


class Adam(Optimizer):
    """Adam: steps in units of the gradient's recent size, parameter by parameter.

    Args:
        parameters: the `Value`s to change.
        lr: the learning rate, > 0.
        betas: how much of the running mean of the gradient and of its square is kept, each in [0, 1).
        eps: added to the size, > 0.
        weight_decay: added to each gradient, times the parameter; >= 0.

    Raises:
        ArgumentError: there are no parameters, one is not a leaf, or a setting is out of range.
        OperandError: a parameter is not a `Value`.

    Source: Kingma, Ba, 2015, arXiv:1412.6980.

    >>> x = Value(3.0)
    >>> descent = Adam([x], lr=0.1)
    >>> (x * x).backward()
    >>> descent.step()
    >>> round(x.data, 6)
    2.9
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        self.betas = _setting(
            "betas", betas, lambda pair: len(pair) == 2 and all(0.0 <= x < 1.0 for x in pair), "two numbers in [0, 1)"
        )
        self.eps = _setting("eps", eps, lambda x: x > 0.0, "> 0")
        self.state = {"mean": [0.0] * len(self.parameters), "square": [0.0] * len(self.parameters)}

    def _changes(self, gradients: list[float]) -> list[float]:
        b1, b2 = self.betas
        means = [b1 * m + (1.0 - b1) * g for m, g in zip(self.state["mean"], gradients, strict=True)]
        squares = [b2 * s + (1.0 - b2) * g * g for s, g in zip(self.state["square"], gradients, strict=True)]
        self.state = {"mean": means, "square": squares}
        # The running means start at 0; dividing by these takes that bias out.
        c1, c2 = 1.0 - b1**self.steps, 1.0 - b2**self.steps
        return [m / c1 / (math.sqrt(s / c2) + self.eps) for m, s in zip(means, squares, strict=True)]


def _setting(name: str, value: Any, holds: Callable[[Any], bool], allowed: str) -> Any:
    try:
        right = bool(holds(value))
    except (TypeError, ValueError):  # of an array of several numbers it is not known
        right = False
    if not right:
        raise ArgumentError(f"{name} = {shown(value)} is not {allowed}.", f"Pass {name} {allowed}.")
    number = as_number(value)  # NumPy's float32 would make the whole computation one of float32
    return tuple(map(float, value)) if number is None else number
