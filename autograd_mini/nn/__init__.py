"""Neurons, layers and networks. Code written for micrograd's `nn` runs unchanged.

    >>> model = Sequential(Linear(2, 16, init="kaiming_normal", seed=0), "relu", Linear(16, 3, seed=1))
    >>> len(model([1.0, -2.0]))
    3

Not here: finding the parameters (`module`), saving (`states`), training (`optim`). Read next: `nn.module`.
"""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from autograd_mini import functions
from autograd_mini.core.cell import record_dot
from autograd_mini.core.table import dot_of
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.nn.binding import functional_call
from autograd_mini.nn.module import Module
from autograd_mini.optim.states import load, save
from autograd_mini.program.stack import enter, leave, recording

__all__ = ["MLP", "Layer", "Linear", "Module", "Neuron", "Sequential", "functional_call", "load", "save"]

Activation = str | Callable[[Any], Any] | None
Init = str | Callable[[int, int, Any], float]
Seed = int | random.Random | None


_LOSSES = {"CrossEntropyLoss": "cross_entropy", "BCEWithLogitsLoss": "binary_cross_entropy", "MSELoss": "mse"}


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # type checkers then know that there are no other names

    def __getattr__(name):
        """Say how to write a class of `torch.nn` that is a function here."""
        activation = next((own for own in functions.ACTIVATIONS if own.replace("_", "") == name.lower()), None)
        hint = f"; write am.{_LOSSES[name]}(...)" if name in _LOSSES else ""
        hint = f"; write {activation!r} as a part of nn.Sequential, or am.{activation}(x)" if activation else hint
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


class Neuron(Module):
    """A weighted sum of the inputs plus a bias, passed through an activation.

    Args:
        nin: the number of inputs.
        nonlin: False for no activation.
        activation: a name ("relu", "tanh", "sigmoid", ...), any function of one `Value`, or None.
        seed: an int or a `random.Random` to draw the weights from. By default they come from Python's global
            generator, which `random.seed` controls.
        bias: False for no bias.
        init: how to draw the weights: "uniform" (from -1 to 1, as in micrograd), "xavier_uniform", "xavier_normal",
            "kaiming_uniform", "kaiming_normal", "zeros", or a function of (nin, nout, generator).
        nout: the number of neurons with the same inputs, which Xavier's methods need.

    Raises:
        ArgumentError: nin is not positive, or the name of the activation or initialisation is unknown.
        OperandError: nin or the seed is not a whole number.

    Sources: Glorot, Bengio, 2010; He et al., 2015, arXiv:1502.01852.

    >>> neuron = Neuron(2, activation="tanh", seed=1)
    >>> neuron
    TanhNeuron(2)
    >>> neuron([1.0, 2.0]).op
    'div'
    """

    _leaf: ClassVar[type] = Value  # the class of parameters; `micrograd.nn` has its own

    def __init__(
        self, nin: int, nonlin: bool = True, activation: Activation = "relu", seed: Seed = None, bias: bool = True,
        init: Init = "uniform", nout: int = 1,
    ) -> None:  # fmt: skip
        nin = _size("A neuron with {} inputs", "nin", nin)
        draw, generator = _chosen("init", init, _INITIALISATIONS), _generator(seed)
        self.w = [self._leaf(draw(nin, nout, generator)) for _ in range(nin)]
        self.b = self._leaf(0.0) if bias else None
        self.nonlin = nonlin and activation is not None
        self.activation = activation
        self._activate = _chosen("activation", activation, functions.ACTIVATIONS) if activation is not None else None

    def __call__(self, x: Iterable[Any]) -> Any:
        """Return the output for one list of inputs.

        Raises:
            ArgumentError: there are more or fewer inputs than weights.
        """
        inputs = _inputs("neuron", x)
        if len(inputs) != len(self.w):
            scope = recording().scope
            *layers, neuron = scope.path if scope is not None else ("",)
            place = f"In {'/'.join(layers)}, a" if layers and neuron.startswith("Neuron") else "A"
            raise ArgumentError(
                f"{place} neuron with {counted(len(self.w), 'weight')} got {counted(len(inputs), 'input')}.",
                "Pass one input per weight.",
            )
        weighted = self._weighted(inputs)
        return self._activate(weighted) if self.nonlin and self._activate else weighted

    def _weighted(self, inputs: tuple[Any, ...]) -> Any:
        operands = *self.w, *inputs
        weighted = record_dot(operands)  # the same node, without checks of the inputs, as in every hidden neuron
        if weighted is None:
            weighted = dot_of(*operands)
        return weighted if self.b is None else weighted + self.b

    def __repr__(self) -> str:
        return f"{_title(self.activation) if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """Neurons side by side that share their inputs.

    Args:
        nin: the number of inputs.
        nout: the number of neurons.
        kwargs: as for `Neuron`.

    Raises:
        AutogradError: nout is not a positive whole number, or as `Neuron` does.

    >>> len(Layer(3, 2, seed=0)([1.0, 2.0, 3.0]))
    2
    """

    _neuron: ClassVar[type[Neuron]] = Neuron

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        nout = _size("A layer of {} neurons", "nout", nout)
        kwargs["seed"] = _generator(kwargs.get("seed"))
        self.neurons = [self._neuron(nin, nout=nout, **kwargs) for _ in range(nout)]

    def __call__(self, x: Iterable[Any]) -> Any:
        """Return the outputs of all neurons as a list; a single output comes without a list, as in micrograd."""
        inputs = _inputs("layer", x)
        outputs = [_inside(f"Neuron{index}", neuron, inputs) for index, neuron in enumerate(self.neurons)]
        return outputs[0] if len(outputs) == 1 else outputs

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class Linear(Layer):
    """A layer without activation: weighted sums of the inputs, each plus a bias.

    Args:
        nin: the number of inputs.
        nout: the number of outputs; a single output comes without a list, as from every `Layer`.
        bias: False for no bias.
        init: as for `Neuron`.
        seed: as for `Neuron`; so are the errors.

    >>> len(Linear(3, 2, bias=False).parameters())
    6
    """

    def __init__(self, nin: int, nout: int, bias: bool = True, init: Init = "uniform", seed: Seed = None) -> None:
        super().__init__(nin, nout, activation=None, bias=bias, init=init, seed=seed)

    def __repr__(self) -> str:
        return f"Linear({len(self.neurons[0].w)}, {len(self.neurons)})"


class Sequential(Module):
    """Modules and functions, applied one after the other.

    Args:
        parts: modules, which take the outputs so far as a list; this package's activations or their names, which act
            on each output; other functions, which take the list of outputs, or a single output.

    Raises:
        ArgumentError: there are no parts, or the name of an activation is unknown.
        OperandError: a part cannot be called.

    >>> model = Sequential(Linear(2, 3, seed=0), "tanh", Linear(3, 2, seed=1), functions.softmax)
    >>> model
    Sequential of [Linear(2, 3), tanh, Linear(3, 2), softmax]
    """

    def __init__(self, *parts: Module | Activation) -> None:
        if not parts:
            raise ArgumentError("Sequential() got no parts.", "Pass modules: Sequential(Linear(2, 1)).")
        if any(isinstance(part, (list, tuple)) for part in parts):
            raise OperandError(
                f"Sequential() takes its parts one by one, not {shown(parts[0])}.", "Write Sequential(*layers)."
            )
        own = functions.ACTIVATIONS
        self.parts = [part if isinstance(part, Module) else _chosen("activation", part, own) for part in parts]

    def __call__(self, x: Any) -> Any:
        """Return the outputs of the last part."""
        return _passed(self.parts, x)

    def __repr__(self) -> str:
        shown = [str(part) if isinstance(part, Module) else getattr(part, "__name__", str(part)) for part in self.parts]
        return f"Sequential of [{', '.join(shown)}]"


class MLP(Module):
    """A multilayer perceptron: layers one after the other, the last one without an activation.

    Args:
        nin: the number of inputs.
        nouts: the number of neurons of each layer.
        activation: as for `Neuron`; or a list, with one entry per hidden layer or one per layer.
        seed: as for `Neuron`.
        init: as for `Neuron`; or a list with one entry per layer.

    Raises:
        ArgumentError: there are no layers, or a list has the wrong length.
        AutogradError: as `Layer` does.

    >>> model = MLP(2, [16, 16, 1], seed=1)
    >>> len(model.parameters())
    337
    >>> model([1.0, -2.0]).scope.path
    ('Layer2', 'Neuron0')
    >>> MLP(1, [1, 1, 1], activation=["relu", "tanh"])
    MLP of [Layer of [ReLUNeuron(1)], Layer of [TanhNeuron(1)], Layer of [LinearNeuron(1)]]
    """

    _layer: ClassVar[type[Layer]] = Layer

    def __init__(
        self, nin: int, nouts: Sequence[int], activation: Activation | Sequence[Activation] = "relu",
        seed: Seed = None, init: Init | Sequence[Init] = "uniform",
    ) -> None:  # fmt: skip
        sizes = [nin, *nouts] if isinstance(nouts, Iterable) else []
        if len(sizes) < 2:
            raise ArgumentError(
                f"MLP() got nouts = {shown(nouts)}.", "Pass the sizes of the layers: MLP(2, [16, 16, 1])."
            )
        n = len(sizes) - 1
        listed = isinstance(activation, (list, tuple))
        activations: list[Any] = [*activation] if isinstance(activation, (list, tuple)) else [activation] * n
        if len(activations) == n - 1:
            activations.append(None)
        inits = init if isinstance(init, (list, tuple)) else [init] * n
        for what, given in (("activation", activations), ("init", inits)):
            if len(given) != n:
                raise ArgumentError(f"MLP() of {n} layers got {len(given)} of {what}.", "Pass one per layer.")
        generator = _generator(seed)
        kwargs = [{"activation": a, "init": i, "seed": generator} for a, i in zip(activations, inits, strict=True)]
        self.layers = [self._layer(sizes[i], sizes[i + 1], nonlin=listed or i < n - 1, **kwargs[i]) for i in range(n)]

    def __call__(self, x: Iterable[Any]) -> Any:
        """Return the outputs of the last layer: a list, or a single `Value` if it has one neuron."""
        return _passed(self.layers, x)

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


def _passed(parts: Iterable[Any], x: Any) -> Any:
    """Apply modules and functions one after the other, each module in a scope of its own."""
    for index, part in enumerate(parts):
        if isinstance(part, Module):
            module: Any = part
            is_single = is_node(x) or (index > 0 and not isinstance(x, Iterable))
            x = _inside(f"{type(part).__name__}{index}", module, [x] if is_single else x)
        elif any(part is own for own in functions.ACTIVATIONS.values()) and isinstance(x, Iterable):
            x = [part(output) for output in x]
        else:
            x = part(x)
    return x


def _inside(name: str, module: Callable[[Any], Any], x: Any) -> Any:
    """Call a module inside a scope: like `composite`, with a name made at every call."""
    entry = enter(name)
    try:
        return module(x)
    finally:
        leave(entry)


def _inputs(what: str, x: Any) -> tuple[Any, ...]:
    if type(x) is tuple:  # a layer passes one to its neurons
        return x
    if not isinstance(x, Iterable):
        raise OperandError(f"A {what} takes a list of inputs, not {shown(x)}.", "Put the input into a list.")
    return tuple(x)


# -- activations, initialisations, sizes, seeds ------------------------------------------------------------------------

_TITLES = {"relu": "ReLU", "elu": "ELU", "selu": "SELU", "gelu": "GELU", "silu": "SiLU"}
_INITIALISATIONS: dict[str, Callable[[int, int, Any], float]] = {
    "uniform": lambda nin, nout, random: random.uniform(-1, 1),
    "xavier_uniform": lambda nin, nout, random: random.uniform(-1, 1) * math.sqrt(6 / (nin + nout)),
    "xavier_normal": lambda nin, nout, random: random.gauss(0, math.sqrt(2 / (nin + nout))),
    "kaiming_uniform": lambda nin, nout, random: random.uniform(-1, 1) * math.sqrt(6 / nin),
    "kaiming_normal": lambda nin, nout, random: random.gauss(0, math.sqrt(2 / nin)),
    "zeros": lambda nin, nout, random: 0.0,
}


def _chosen(what: str, given: Any, choices: dict[str, Callable[..., Any]]) -> Any:
    """Return a function that is given itself or by its name."""
    if callable(given):
        return given
    if isinstance(given, str) and given in choices:
        return choices[given]
    do = f"Choose one of {', '.join(choices)}, or pass a function."
    if isinstance(given, str) and given in ("softmax", "log_softmax"):
        do = f"End with the logits, which cross_entropy takes; for probabilities, call {given}(model(x))."
    raise ArgumentError(f"There is no {what} {shown(given)}.", do)


def _title(activation: Activation) -> str:
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", "Custom")
    return _TITLES.get(name, name.title().replace("_", ""))


def _size(what: str, name: str, number: Any) -> int:
    """Return a whole number that is at least 1, or raise."""
    size = _whole(name, number, "an int")
    if size < 1:
        raise ArgumentError(f"{what.format(size)} computes nothing.", f"Pass {name} >= 1.")
    return size


def _whole(name: str, number: Any, allowed: str) -> int:
    try:
        return operator.index(number)
    except TypeError:
        raise OperandError(f"{name} = {shown(number)} is not a whole number.", f"Pass {name} as {allowed}.") from None


def _generator(seed: Any) -> Any:
    """Return the generator of a seed; Python's global one if there is no seed."""
    if seed is None or seed is random:
        return random
    return seed if isinstance(seed, random.Random) else random.Random(_whole("seed", seed, "an int or a random.Random"))
