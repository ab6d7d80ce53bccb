"""Neurons, layers and networks of micrograd's `Value`, whose sums of products are built node by node.

Not here: anything that `autograd_mini.nn` already has. Read next: `program`.
"""

from __future__ import annotations

from operator import methodcaller
from typing import Any

from autograd_mini import nn
from autograd_mini.micrograd.engine import Value
from autograd_mini.nn import Module

__all__ = ["MLP", "Layer", "Module", "Neuron"]


class Neuron(nn.Neuron):
    """`autograd_mini.nn.Neuron` with micrograd's `Value`s."""

    _leaf = Value

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.activation, str):  # the method makes one node
            self._activate = methodcaller(self.activation)

    def _weighted(self, inputs: tuple[Any, ...]) -> Any:
        return sum((w * x for w, x in zip(self.w, inputs, strict=True)), 0.0 if self.b is None else self.b)


class Layer(nn.Layer):
    """`autograd_mini.nn.Layer` with micrograd's `Value`s."""

    _neuron = Neuron


class MLP(nn.MLP):
    """`autograd_mini.nn.MLP` with micrograd's `Value`s.

    >>> MLP(2, [2, 1])
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]
    """

    _layer = Layer
