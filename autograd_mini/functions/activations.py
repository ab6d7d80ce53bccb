"""Activations, the softmax family and losses, composed from primitives: no derivative in sight, they fall out.

Each composition is chosen so that the derivative that falls out keeps its digits in both tails. Where two forms are
analytically equal, each is used where it is accurate; derivatives of every order agree at the switch. Functions of
single numbers work on NumPy arrays element by element; functions of a list take any one-dimensional iterable.
Not here: derivatives. Read next: `nn`, or `transforms`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from autograd_mini.core.arrays import elementwise, is_array
from autograd_mini.core.methods import Methods, attach
from autograd_mini.core.row import ZERO, branch, operand_of
from autograd_mini.core.sweep import adjoints
from autograd_mini.core.table import (
    clip,
    cosh,
    exp,
    expm1,
    lifted_ndtr,
    log1p,
    ndtr,
    sinh,
    where,
)
from autograd_mini.engine import Value, is_node, name_scope, record_where
from autograd_mini.functions.scalars import Scalar, between, constant, number_of
from autograd_mini.program.owner import transparent
from autograd_mini.program.scopes import composite, unobserved
from autograd_mini.watch.boundaries import Kink, is_watched, note_kink
from autograd_mini.watch.finiteness import is_checked
from autograd_mini.watch.origins import place_of

_LN2 = math.log(2.0)


# -- activations -------------------------------------------------------------------------------------------------------


def _activation(function: Callable[..., Any]) -> Callable[..., Any]:
    """A composite of one number, or of each in an array, with an error for what is none; and a method of `Value`."""
    name, scoped = function.__name__, composite(function)

    @functools.wraps(function)
    def activation(x: Scalar, *settings: Scalar, **named: Scalar) -> Scalar:
        if type(x) is not Value and type(x) is not float:
            if is_array(x):
                return elementwise(activation, x, *settings, **named)
            x = operand_of(x, f"{name}()")
        if (settings or named) and any(map(is_array, (*settings, *named.values()))):
            return elementwise(activation, x, *settings, **named)
        return scoped(x, *settings, **named)

    attach(name, activation)
    return activation


def slope(function: Callable[[Any], Any], number: float) -> Any:
    """The derivative of a function of one number, out of the sweep; `ZERO` where there is no edge.

    >>> slope(tanh, 0.0)
    1.0
    """
    leaf = Value(number)
    return adjoints(function(leaf)).get(leaf, ZERO)


def _slopes_beside(function: Callable[[Any], Any], number: float) -> list[float]:
    """The derivative just below a number, there, and just above."""
    with unobserved():
        found = [slope(function, n) for n in (math.nextafter(number, -1.0), number, math.nextafter(number, 1.0))]
    return [0.0 if slope is ZERO else float(slope) for slope in found]


def kink_at_switch(name: str, function: Callable[[Any], Any], x: Value, y: Value) -> Kink | None:
    """The kink of an activation that switches between two forms at x; None where their slopes agree."""
    left, chosen, right = _slopes_beside(function, x.data)
    if left == right:
        return None
    return Kink(y, name, (x.data,), (chosen,), place_of(y), lambda side: (left if side < 0.0 else right,))


def _switched(name: str, function: Callable[[Any], Any], x: Value, y: Value) -> None:
    """Tell `kinks` of a switch."""
    kink = kink_at_switch(name, function, x, y) if is_watched() else None
    if kink is not None:
        note_kink(kink)


def _bent(x: Scalar, y: Scalar) -> Scalar:
    """The result of a function with a kink where it is; under `checked` with a node that has one, as `clip` has."""
    if not is_checked():
        return y
    with unobserved():
        bent = y + clip(x, 0.0, math.inf)
    if is_node(bent):
        bent.origin = getattr(y, "origin", None)
    return bent


def _switching(function: Callable[..., Any]) -> Callable[..., Any]:
    """An activation of two forms that meet at 0, which is a kink where their slopes differ: `kinks` hears of it."""

    @functools.wraps(function)
    def switching(x: Scalar, *settings: Scalar, **named: Scalar) -> Scalar:
        if (x != x) is True:
            return x / x  # nan, with nan as all its derivatives
        y = function(x, *settings, **named)
        if (x == 0.0) is True and isinstance(x, Methods):

            def same(z: Scalar) -> Scalar:
                return function(z, *settings, **named)

            if is_node(x):
                _switched(function.__name__, same, x, y)
            if is_checked() and len(set(_slopes_beside(same, x.data))) > 1:
                y = _bent(x, y)
        return y

    return switching


# Near 0 second derivatives of sigmoid and tanh, and the third one of softplus, change sign. What falls out keeps their
# digits only if the form is even or odd in x as the function is; from there on the exponentials are more accurate.


def stable_sigmoid(x: Scalar) -> Scalar:
    if between(-1.0, x, 1.0):
        half = 0.5 * x
        return 0.5 + 0.5 * (sinh(half) / cosh(half))
    return branch(x >= 0.0, lambda: 1.0 / (1.0 + exp(-x)), lambda: (e := exp(x)) / (1.0 + e))


@_activation
def sigmoid(x: Scalar) -> Scalar:
    """The logistic function 1 / (1 + exp(-x)), which maps all numbers to (0, 1).

    Args:
        x: a number or `Value`.

    Returns:
        The same kind; 1.4 ulp, and its derivative 2.6 ulp, in both tails.

    Derivative: a * (1 - a) with a = sigmoid(x), and 0.25 at 0; what falls out keeps its digits where 1 - a has none.
    The second derivative keeps them near 0, where it changes sign.

    >>> sigmoid(0.0)
    0.5
    """
    return stable_sigmoid(x)


@_activation
def tanh(x: Scalar) -> Scalar:
    """The hyperbolic tangent, which maps all numbers to (-1, 1).

    Args:
        x: a number or `Value`.

    Returns:
        The same kind; 2.5 ulp, and its derivative 2.7 ulp, in both tails.

    Derivative: 1 - a**2 with a = tanh(x), and 1 at 0; what falls out keeps its digits where a**2 is nearly 1.
    The second derivative keeps them near 0, where it changes sign.

    >>> tanh(1.0)
    0.7615941559557649
    """
    if between(-0.5, x, 0.5):
        return sinh(x) / cosh(x)
    return branch(x >= 0.0, lambda: -(u := expm1(-2.0 * x)) / (2.0 + u), lambda: (u := expm1(2.0 * x)) / (2.0 + u))


@transparent
def relu(x: Scalar) -> Scalar:
    """The rectifier: x where it is positive, else 0.

    Args:
        x: a number or `Value`.

    Returns:
        The same kind; nan for nan.

    Derivative: 1 for x > 0, no edge below; 0 at the kink 0, the smallest of the slopes between 0 and 1.

    >>> relu(-2.0), relu(3.0)
    (0.0, 3.0)
    """
    # Not x > 0: nan must stay nan. One node, which half of all networks consist of: the short way to record it.
    if type(x) is Value or is_node(x):
        number, choose = x._data, record_where if type(x) is Value else where
        if number > 0.0:
            return name_scope("relu", choose(False, 0.0, x))
        if number != number:
            return name_scope("relu", x / x)
        y = name_scope("relu", choose(True, 0.0, x))
        if number == 0.0:
            _switched("relu", relu, x, y)
            return _bent(x, y)
        return y
    if is_array(x):
        return elementwise(relu, x)
    x = operand_of(x, "relu()")
    if (x != x) is True:
        return x / x  # nan, with nan as all its derivatives
    y = where(x <= 0.0, 0.0, x)
    return _bent(x, y) if (x == 0.0) is True else y


attach("relu", relu)


@_activation
@_switching
def leaky_relu(x: Scalar, slope: Scalar = 0.01) -> Scalar:
    """x where it is positive, else slope * x.

    Args:
        x: a number or `Value`.
        slope: the derivative on the left.

    Returns:
        The same kind.

    Derivative: 1 for x > 0, else slope; slope at the kink 0.

    >>> leaky_relu(-2.0)
    -0.02
    """
    return where(x > 0.0, x, slope * x)


def _elu(x: Scalar, alpha: Scalar) -> Scalar:
    return branch(x > 0.0, lambda: where(True, x, alpha), lambda: alpha * expm1(x))


@_activation
@_switching
def elu(x: Scalar, alpha: Scalar = 1.0) -> Scalar:
    """The exponential linear unit: x where it is positive, else alpha * (exp(x) - 1).

    Args:
        x: a number or `Value`.
        alpha: minus the limit on the left.

    Returns:
        The same kind.

    Derivative: 1 for x > 0, else alpha * exp(x); alpha at 0, which is a kink unless alpha is 1.
    Source: Clevert, Unterthiner, Hochreiter, 2016, arXiv:1511.07289.

    >>> elu(-1.0)
    -0.6321205588285577
    """
    return _elu(x, alpha)


@_activation
@_switching
def selu(x: Scalar) -> Scalar:
    """The self-normalising ELU: 1.0507 * elu(x, 1.6733).

    Args:
        x: a number or `Value`.

    Returns:
        The same kind.

    Derivative: 1.0507 for x > 0, else 1.7581 * exp(x); 1.7581 at the kink 0.
    Source: Klambauer et al., 2017, arXiv:1706.02515, with their constants.

    >>> selu(1.0)
    1.0507009873554805
    """
    return 1.0507009873554804934193349852946 * _elu(x, 1.6732632423543772848170429916717)


@_activation
def gelu(x: Scalar) -> Scalar:
    """The Gaussian error linear unit: x times the probability that a standard normal number is below x.

    Args:
        x: a number or `Value`.

    Returns:
        The same kind; the exact form, not the approximation by tanh; 4 ulp in both tails.

    Derivative: Φ(x) + x φ(x), with the normal distribution and its density; 0.5 at 0.
    Source: Hendrycks, Gimpel, 2016, arXiv:1606.08415.

    >>> gelu(0.0)
    0.0
    """
    if between(-40.0, x, -37.0):  # Φ(x) has few digits left, and x times those
        return (x * math.exp(-70.0)) * lifted_ndtr(x)
    return constant(-0.0, x) if number_of(x) == -math.inf else x * ndtr(x)


@_activation
def silu(x: Scalar) -> Scalar:
    """The sigmoid linear unit x * sigmoid(x), also called swish.

    Args:
        x: a number or `Value`.

    Returns:
        The same kind; 1.9 ulp, and its derivative 19 ulp near its zero at -1.278.

    Derivative: a * (1 + x * (1 - a)) with a = sigmoid(x); 0.5 at 0.

    >>> silu(1.0)
    0.7310585786300049
    """
    if between(-800.0, x, -700.0):  # sigmoid(x) has few digits left, and x times those
        root = exp(0.5 * x)
        return (x * root) * (root / (1.0 + root * root))
    return constant(-0.0, x) if number_of(x) == -math.inf else x * sigmoid(x)


def stable_softplus(x: Scalar) -> Scalar:
    if between(-0.7, x, 0.7):  # x/2 + log(2 cosh(x/2))
        root = sinh(0.25 * x)
        return (0.5 * x + log1p(2.0 * root * root)) + _LN2
    return branch(x > 0.0, lambda: x + log1p(exp(-x)), lambda: log1p(exp(x)))


@_activation
def softplus(x: Scalar) -> Scalar:
    """log(1 + exp(x)), a smooth rectifier.

    Args:
        x: a number or `Value`.

    Returns:
        The same kind; 1.3 ulp, and its derivative 1.7 ulp, in both tails.

    Derivative: sigmoid(x); 0.5 at 0. The third derivative keeps its digits near 0, where it changes sign.

    >>> softplus(1000.0), softplus(-1000.0)
    (1000.0, 0.0)
    """
    return stable_softplus(x)


@_activation
def log_sigmoid(x: Scalar) -> Scalar:
    """The logarithm of the sigmoid, without the sigmoid's underflow.

    Args:
        x: a number or `Value`.

    Returns:
        The same kind, as accurate as softplus.

    Derivative: sigmoid(-x); 0.5 at 0.

    >>> log_sigmoid(-1000.0)
    -1000.0
    """
    return -softplus(-x)


@_activation
def softsign(x: Scalar) -> Scalar:
    """x / (1 + |x|), which maps all numbers to (-1, 1) and gets there slowly.

    Args:
        x: a number or `Value`.

    Returns:
        The same kind.

    Derivative: 1 / (1 + |x|)**2; 1 at 0, where the second derivative jumps from 2 to -2, and is 0.

    >>> softsign(3.0)
    0.75
    """
    if (x != x) is True:
        return x / x  # nan, with nan as all its derivatives
    size = branch(x > 0.0, lambda: x, lambda: branch(x < 0.0, lambda: -x, lambda: 0.0))  # abs(x), but this is no kink
    return branch(
        x > 1.0,
        lambda: 1.0 - 1.0 / (1.0 + x),
        lambda: branch(x < -1.0, lambda: 1.0 / (1.0 - x) - 1.0, lambda: x / (1.0 + size)),
    )


@_activation
def hard_tanh(x: Scalar) -> Scalar:
    """x limited to the interval from -1 to 1.

    Args:
        x: a number or `Value`.

    Returns:
        The same kind.

    Derivative: 1 inside, no edge outside; 0 at the kinks -1 and 1.

    >>> hard_tanh(3.0)
    1.0
    """
    return clip(x, -1.0, 1.0)
