"""Neurons, layers, networks: lists of `Value`s with a function. Code written for micrograd's `nn` runs unchanged.

Not here: training (that is `optim`). Read next: `optim`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autograd_mini import functions
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.module import Module as Module
from autograd_mini.primitives import dot_of
from autograd_mini.scopes import scope

Activation = str | Callable[[Any], Any]


def _inputs(what: str, x: Any) -> tuple[Any, ...]:
    if type(x) is tuple:  # as from a layer to its neurons
        return x
    if not isinstance(x, Iterable):
        raise OperandError(f"A {what} takes a list of inputs, not {shown(x)}.", "Put it into a list.")
    return tuple(x)


class Neuron(Module):
    """A weighted sum of the inputs plus a bias, passed through an activation.

    Args:
        nin: the number of inputs.
        nonlin: False for no activation.
        activation: the name of one ("relu", "tanh", "sigmoid", ...) or any function of one `Value`.
        seed: an int or a `random.Random`, from which the weights are drawn, uniformly from -1 to 1. Without it they
            come from Python's global generator, so that `random.seed` decides.

    Raises:
        ArgumentError: nin is not positive, or there is no activation of that name.

    >>> neuron = Neuron(2, activation="tanh", seed=1)
    >>> neuron
    TanhNeuron(2)
    >>> neuron([1.0, 2.0]).op
    'div'
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        activation: Activation = "relu",
        seed: int | random.Random | None = None,
    ) -> None:
        if nin < 1:
            raise ArgumentError(f"A neuron with {nin} inputs computes nothing.", "Pass nin >= 1.")
        uniform = _generator(seed).uniform
        self.w = [Value(uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0.0)
        self.nonlin = nonlin
        self.activation = activation
        self._activate = _activation(activation)

    def __call__(self, x: Iterable[Any]) -> Any:
        """The output for one list of inputs.

        Raises:
            ArgumentError: there are more or fewer inputs than weights.
        """
        inputs = _inputs("neuron", x)
        if len(inputs) != len(self.w):
            raise ArgumentError(
                f"A neuron with {len(self.w)} weights got {len(inputs)} inputs.", "Pass one input for each weight."
            )
        weighted = dot_of(*self.w, *inputs) + self.b
        return self._activate(weighted) if self.nonlin else weighted

    def __repr__(self) -> str:
        return f"{_title(self.activation) if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """Neurons side by side, all with the same inputs.

    Args:
        nin: the number of inputs.
        nout: the number of neurons.
        kwargs: as for `Neuron`.

    Raises:
        ArgumentError: nin or nout is not positive, or there is no activation of that name.

    >>> len(Layer(3, 2, seed=0)([1.0, 2.0, 3.0]))
    2
    """

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        if nout < 1:
            raise ArgumentError(f"A layer of {nout} neurons computes nothing.", "Pass nout >= 1.")
        kwargs["seed"] = _generator(kwargs.get("seed"))
        self.neurons = [Neuron(nin, **kwargs) for _ in range(nout)]

    def __call__(self, x: Iterable[Any]) -> Any:
        """The outputs of all neurons as a list; of a single neuron, the output itself, as in micrograd."""
        inputs = _inputs("layer", x)
        outputs = []
        for index, neuron in enumerate(self.neurons):
            with scope(f"Neuron{index}"):
                outputs.append(neuron(inputs))
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multilayer perceptron: layers one after the other, the last one without activation.

    Args:
        nin: the number of inputs.
        nouts: the number of neurons of each layer.
        activation: as for `Neuron`.
        seed: as for `Neuron`.

    Raises:
        ArgumentError: a size is not positive, or there is no activation of that name.

    >>> model = MLP(2, [16, 16, 1], seed=1)
    >>> len(model.parameters())
    337
    >>> model([1.0, -2.0]).scope.path
    ('Layer2', 'Neuron0')
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        activation: Activation = "relu",
        seed: int | random.Random | None = None,
    ) -> None:
        if not isinstance(nouts, Iterable) or not nouts:
            raise ArgumentError(
                f"MLP() got nouts = {shown(nouts)}.", "Pass the sizes of the layers: MLP(2, [16, 16, 1])."
            )
        sizes = [nin, *nouts]
        generator = _generator(seed)
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1, activation=activation, seed=generator)
            for i in range(len(nouts))
        ]

    def __call__(self, x: Iterable[Any]) -> Any:
        """The outputs of the last layer: a list, or a single `Value` where it has one neuron."""
        for index, layer in enumerate(self.layers):
            with scope(f"Layer{index}"):
                x = layer([x] if isinstance(x, Value) else x)
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


_TITLES = {"relu": "ReLU", "elu": "ELU", "selu": "SELU", "gelu": "GELU", "silu": "SiLU"}
_ACTIVATIONS = [
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "log_sigmoid",
    "hard_tanh",
]  # fmt: skip


def _activation(activation: Activation) -> Callable[[Any], Any]:
    if callable(activation):
        return activation
    if activation not in _ACTIVATIONS:
        raise ArgumentError(
            f"There is no activation {shown(activation)}.",
            f"Choose one of {', '.join(_ACTIVATIONS)}, or pass a function.",
        )
    chosen: Callable[[Any], Any] = getattr(functions, activation)
    return chosen


def _title(activation: Activation) -> str:
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", "Custom")
    return _TITLES.get(name, name.title().replace("_", ""))


def _generator(seed: int | random.Random | None) -> Any:
    """The generator of a seed; Python's global one where there is none."""
    if seed is None:
        return random
    if not isinstance(seed, (int, random.Random)) and seed is not random:
        raise OperandError(f"The seed {shown(seed)} is no whole number.", "Pass an int or a random.Random.")
    return random.Random(seed) if isinstance(seed, int) else seed
