"""Activations, composed from primitives, which gives their derivatives.

Each composition is chosen so that its derivative is accurate in both tails. Where two forms are mathematically equal,
each is used where it is accurate; derivatives of every order agree at the switch.
Not here: switches at which derivatives differ (`switches`). Read next: `functions.switches`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from autograd_mini.core.arrays import elementwise, is_array
from autograd_mini.core.cell import record_relu
from autograd_mini.core.methods import attach
from autograd_mini.core.row import branch, known, operand_of
from autograd_mini.core.table import clip, cosh, defined, exp, expm1, lifted_ndtr, log1p, ndtr, sinh, where
from autograd_mini.engine import Value, is_node, name_scope
from autograd_mini.functions.composed import Scalar, between, composition, constant
from autograd_mini.functions.switches import bent, note_switch, switching
from autograd_mini.program.owner import transparent
from autograd_mini.program.scopes import composite
from autograd_mini.watch.origins import note_decision, notes_decisions

_LN2 = math.log(2.0)
ACTIVATIONS: dict[str, Callable[..., Any]] = {}  # in the order of their definition


def _activation(
    meaning: str, derivative: str, example: str, returns: str = "", settings: str = "", switches: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: a composite of one number, or of each in an array, that is a method of `Value` too."""
    describe = composition(
        meaning, derivative, example, takes=f"x: a number or `Value`, or a NumPy array of them.{settings}",
        returns=f"The same kind{returns}.", raises="OperandError: an operand is not a number.",
    )  # fmt: skip

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        name, scoped = function.__name__, composite(switching(function) if switches else function)

        @functools.wraps(function)
        def activation(x: Scalar, *settings: Scalar, **named: Scalar) -> Scalar:
            if type(x) is not Value and type(x) is not float:
                if is_array(x):
                    return elementwise(activation, x, *settings, **named)
                x = operand_of(x, f"{name}()")
            if (settings or named) and any(map(is_array, (*settings, *named.values()))):
                return elementwise(activation, x, *settings, **named)
            return scoped(x, *settings, **named)

        return _offered(describe(activation))

    return make


def _offered(activation: Callable[..., Any]) -> Callable[..., Any]:
    attach(activation.__name__, activation)
    ACTIVATIONS[activation.__name__] = activation
    return activation


# Near 0 the second derivatives of sigmoid and tanh, and the third of softplus, change sign. They are accurate there
# only if the form is even or odd in x as the function is; further out, exponentials are more accurate.


def stable_sigmoid(x: Scalar) -> Scalar:
    if between(-1.0, x, 1.0):
        half = 0.5 * x
        return 0.5 + 0.5 * (sinh(half) / cosh(half))
    return branch(x >= 0.0, lambda: 1.0 / (1.0 + exp(-x)), lambda: (e := exp(x)) / (1.0 + e))


def stable_softplus(x: Scalar) -> Scalar:
    if between(-0.7, x, 0.7):  # x/2 + log(2 cosh(x/2))
        root = sinh(0.25 * x)
        return (0.5 * x + log1p(2.0 * root * root)) + _LN2
    return branch(x > 0.0, lambda: x + log1p(exp(-x)), lambda: log1p(exp(x)))


@_activation("The logistic function 1 / (1 + exp(-x)), which maps all numbers to (0, 1).",
             "a * (1 - a) with a = sigmoid(x), and 0.25 at 0. It is accurate even where 1 - a has no digits left.\n"
             "The second derivative is accurate near 0, where it changes sign.",
             "sigmoid(0.0) -> 0.5", "; within 1.4 ulp, and its derivative within 2.6 ulp, in both tails")  # fmt: skip
def sigmoid(x: Scalar) -> Scalar:
    return stable_sigmoid(x)


@_activation("The hyperbolic tangent, which maps all numbers to (-1, 1).",
             "1 - a**2 with a = tanh(x), and 1 at 0. It is accurate even where a**2 is nearly 1.\n"
             "The second derivative is accurate near 0, where it changes sign.",
             "tanh(1.0) -> 0.7615941559557649",
             "; within 2.5 ulp, and its derivative within 2.7 ulp, in both tails")  # fmt: skip
def tanh(x: Scalar) -> Scalar:
    if between(-0.5, x, 0.5):
        return sinh(x) / cosh(x)
    is_right = x >= 0.0
    u = expm1(branch(is_right, lambda: -2.0 * x, lambda: 2.0 * x))
    return branch(is_right, lambda: -u, lambda: u) / (2.0 + u)


@_offered
@composition("The rectifier: x where it is positive, else 0.",
             "1 for x > 0, no edge for x < 0; at the kink 0 it is 0, the smallest of the slopes between 0 and 1.",
             "relu(-2.0), relu(3.0) -> (0.0, 3.0)", takes="x: a number or `Value`, or a NumPy array of them.",
             returns="The same kind; nan for nan.", raises="OperandError: the operand is not a number.")  # fmt: skip
@transparent
def relu(x: Scalar) -> Scalar:
    # Not x > 0: nan must stay nan. In many networks half the nodes are made here, so they are recorded directly.
    if type(x) is Value or is_node(x):
        number = x._data
        if number != number:
            note_decision(x, "!=", x)
            return name_scope("relu", x / x)
        y = record_relu(x) if type(x) is Value else name_scope("relu", where(number <= 0.0, 0.0, x))
        if number == 0.0:
            note_switch("relu", relu, x, y)
            return bent(x, y)
        return y
    if is_array(x):
        return elementwise(relu, x)
    x = operand_of(x, "relu()")
    y = where(x <= 0.0, 0.0, x if (x == x) is True else defined(x))  # nan has nan as all its derivatives
    return bent(x, y) if (x == 0.0) is True else y


@_activation("x where it is positive, else slope * x.", "1 for x > 0, else slope; slope at the kink 0.",
             "leaky_relu(-2.0) -> -0.02", settings="\nslope: the derivative on the left.", switches=True)  # fmt: skip
def leaky_relu(x: Scalar, slope: Scalar = 0.01) -> Scalar:
    return where(x > 0.0, x, slope * x)


def _elu(x: Scalar, alpha: Scalar) -> Scalar:
    if is_node(x) and notes_decisions():  # both arms, so that a replay can take the other one
        return where(x > 0.0, x, alpha * expm1(where(x > 0.0, 0.0, x)))
    return branch(x > 0.0, lambda: where(True, x, alpha), lambda: alpha * expm1(x))


@_activation("The exponential linear unit: x where it is positive, else alpha * (exp(x) - 1).",
             "1 for x > 0, else alpha * exp(x); alpha at 0, which is a kink unless alpha is 1.\n"
             "Source: Clevert, Unterthiner, Hochreiter, 2016, arXiv:1511.07289.",
             "elu(-1.0) -> -0.6321205588285577", settings="\nalpha: minus the limit as x goes to -inf.",
             switches=True)  # fmt: skip
def elu(x: Scalar, alpha: Scalar = 1.0) -> Scalar:
    return _elu(x, alpha)


@_activation("The self-normalising ELU: 1.0507 * elu(x, 1.6733).",
             "1.0507 for x > 0, else 1.7581 * exp(x); 1.7581 at the kink 0.\n"
             "Source: Klambauer et al., 2017, arXiv:1706.02515, with their constants.",
             "selu(1.0) -> 1.0507009873554805", switches=True)  # fmt: skip
def selu(x: Scalar) -> Scalar:
    return 1.0507009873554804934193349852946 * _elu(x, 1.6732632423543772848170429916717)


def _but_at_minus_infinity(x: Scalar, product: Callable[[], Scalar]) -> Scalar:
    """The product of x and a probability, whose limit is -0.0; inf * 0 is not."""
    is_end = known(x) == -math.inf
    note_decision(x, "==", -math.inf)
    return product() if is_end is False else branch(is_end, lambda: constant(-0.0, x), product)


@_activation("The Gaussian error linear unit: x times the probability that a standard normal variable is below x.",
             "Φ(x) + x φ(x), with the normal distribution function Φ and its density φ; 0.5 at 0.\n"
             "Source: Hendrycks, Gimpel, 2016, arXiv:1606.08415.",
             "gelu(0.0) -> 0.0",
             "; the exact form, not the approximation by tanh; within 4 ulp in both tails")  # fmt: skip
def gelu(x: Scalar) -> Scalar:
    if between(-40.0, x, -37.0):  # Φ(x) has few digits left, and so does x times Φ(x)
        return (x * math.exp(-70.0)) * lifted_ndtr(x)
    return _but_at_minus_infinity(x, lambda: x * ndtr(x))


@_activation("The sigmoid linear unit x * sigmoid(x), also called swish.",
             "a * (1 + x * (1 - a)) with a = sigmoid(x); 0.5 at 0.",
             "silu(1.0) -> 0.7310585786300049",
             "; within 1.9 ulp, and its derivative within 19 ulp near its zero at -1.278")  # fmt: skip
def silu(x: Scalar) -> Scalar:
    if between(-800.0, x, -700.0):  # sigmoid(x) has few digits left, and so does x times it
        root = exp(0.5 * x)
        return (x * root) * (root / (1.0 + root * root))
    return _but_at_minus_infinity(x, lambda: x * sigmoid(x))


@_activation("log(1 + exp(x)), a smooth rectifier.",
             "sigmoid(x); 0.5 at 0. The third derivative is accurate near 0, where it changes sign.",
             "softplus(1000.0), softplus(-1000.0) -> (1000.0, 0.0)",
             "; within 1.3 ulp, and its derivative within 1.7 ulp, in both tails")  # fmt: skip
def softplus(x: Scalar) -> Scalar:
    return stable_softplus(x)


@_activation("x / (1 + |x|), which maps all numbers to (-1, 1) and approaches -1 and 1 slowly.",
             "1 / (1 + |x|)**2; 1 at 0, where the second derivative jumps from 2 to -2 and is taken as 0.",
             "softsign(3.0) -> 0.75")  # fmt: skip
def softsign(x: Scalar) -> Scalar:
    def at_most_zero() -> Scalar:
        return branch(x < 0.0, lambda: -x, lambda: branch(x == x, lambda: 0.0, lambda: x))

    size = branch(x > 0.0, lambda: x, at_most_zero)  # abs(x), without its kink
    return branch(
        x > 1.0,
        lambda: 1.0 - 1.0 / (1.0 + x),
        lambda: branch(x < -1.0, lambda: 1.0 / (1.0 - x) - 1.0, lambda: x / (1.0 + size)),
    )


@_activation("The logarithm of the sigmoid, without the sigmoid's underflow.", "sigmoid(-x); 0.5 at 0.",
             "log_sigmoid(-1000.0) -> -1000.0", ", as accurate as softplus")  # fmt: skip
def log_sigmoid(x: Scalar) -> Scalar:
    return -softplus(-x)


@_activation("x limited to the interval from -1 to 1.", "1 inside, no edge outside; 0 at the kinks -1 and 1.",
             "hard_tanh(3.0) -> 1.0")  # fmt: skip
def hard_tanh(x: Scalar) -> Scalar:
    return clip(x, -1.0, 1.0)
