"""Activations, the softmax family and losses, composed from primitives: no derivative in sight, they fall out.

Each composition is chosen so that the derivative that falls out keeps its digits in both tails. Where two forms are
analytically equal, each is used where it is accurate; derivatives of every order agree at the switch. Functions of
single numbers work on NumPy arrays element by element; functions of a list take any one-dimensional iterable.
Not here: derivatives. Read next: `nn`, or `transforms`.
"""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from autograd_mini.arrays import elementwise, is_array
from autograd_mini.engine import Value, is_node, name_scope, record_sum, record_where
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.methods import Methods, attach
from autograd_mini.observers import Kink, is_checked, is_watched, note_kink, place_of, transparent
from autograd_mini.primitives import (
    ZERO,
    abs,
    as_number,
    branch,
    clip,
    cosh,
    dot_of,
    elements,
    exp,
    expm1,
    hypot,
    lifted_ndtr,
    log1p,
    maximum,
    ndtr,
    numbers_in,
    operand_error,
    operand_of,
    sinh,
    sum_of,
    where,
)
from autograd_mini.scopes import composite, unobserved
from autograd_mini.sweep import propagate, topological_order

_LN2 = math.log(2.0)

Scalar = Any  # a number, a Value, a SymPy expression or a traced value: what comes in, comes out


def _known(x: Scalar) -> float | None:
    """The number behind a number; None for formulas and traces, whose number is not known yet."""
    if type(x) is Value:
        return x._data
    return as_number(x.data if isinstance(x, Methods) else x)


def _between(low: float, x: Scalar, high: float) -> bool:
    """Whether a number is known and lies there; formulas and traces keep to the form that holds everywhere."""
    number = _known(x)
    return number is not None and low < number < high


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
    y = function(leaf)
    adjoints = topological_order(y, (leaf,))
    propagate(y, 1.0, adjoints)
    return adjoints[leaf]


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


def _sigmoid(x: Scalar) -> Scalar:
    if _between(-1.0, x, 1.0):
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
    return _sigmoid(x)


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
    if _between(-0.5, x, 0.5):
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
    if _between(-40.0, x, -37.0):  # Φ(x) has few digits left, and x times those
        return (x * math.exp(-70.0)) * lifted_ndtr(x)
    return _constant(-0.0, x) if _known(x) == -math.inf else x * ndtr(x)


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
    if _between(-800.0, x, -700.0):  # sigmoid(x) has few digits left, and x times those
        root = exp(0.5 * x)
        return (x * root) * (root / (1.0 + root * root))
    return _constant(-0.0, x) if _known(x) == -math.inf else x * sigmoid(x)


def _softplus(x: Scalar) -> Scalar:
    if _between(-0.7, x, 0.7):  # x/2 + log(2 cosh(x/2))
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
    return _softplus(x)


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


# -- sums --------------------------------------------------------------------------------------------------------------


@transparent
def sum(xs: Iterable[Scalar], start: Scalar = 0) -> Scalar:
    """The sum from left to right, as one node; of whole numbers a whole number, as from the builtin `sum`.

    Args:
        xs: any number of numbers and `Value`s.
        start: added first.

    Returns:
        A `Value` if there is one among them, else a number.

    Raises:
        OperandError: xs is not iterable, or an element next to a `Value` is not a number.

    Derivative: 1 by each.

    >>> sum([1.0, 2.0, 3.0])
    6.0
    """
    terms = elements("sum", xs)
    if type(start) is not int or start != 0:
        terms.insert(0, start)
    if set(map(type, terms)) == {Value}:
        return record_sum(terms)
    if any(type(term) is Value or isinstance(term, float) for term in terms):
        return sum_of(*terms)
    if any(type(term).__module__ == "numpy" and not term.ndim for term in terms):  # of few bits, which would overflow
        return sum([term.item() if type(term).__module__ == "numpy" and not term.ndim else term for term in terms])
    return builtins.sum(terms[1:], terms[0]) if terms else 0  # `from autograd_mini import *` does no harm


@transparent
def dot(xs: Iterable[Scalar], ys: Iterable[Scalar]) -> Scalar:
    """The sum from left to right of the products x * y, as one node.

    Args:
        xs: any number of numbers and `Value`s.
        ys: as many.

    Returns:
        A `Value` if there is one among them, else a float; 0.0 for none.

    Raises:
        OperandError: an argument is not iterable, or an element is not a number.
        ArgumentError: xs and ys differ in length.

    Derivative: y by x, and x by y.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    11.0
    """
    xs, ys = numbers_in("dot", xs, 0, ordered=True), numbers_in("dot", ys, 0, ordered=True)
    if len(xs) != len(ys):
        raise ArgumentError(f"dot() got {len(xs)} numbers and {len(ys)} numbers.", "Pass two lists of one length.")
    return dot_of(*xs, *ys)


@transparent
def mean(xs: Iterable[Scalar]) -> Scalar:
    """The arithmetic mean: the sum divided by the number of elements.

    Args:
        xs: one or more numbers and `Value`s.

    Returns:
        A `Value` if there is one among them, else a float.

    Raises:
        OperandError: xs is not iterable, or an element is not a number.
        ArgumentError: xs is empty.

    Derivative: 1 / n by each.

    >>> mean([1.0, 2.0, 6.0])
    3.0
    """
    numbers = numbers_in("mean", xs)
    total = record_sum(numbers) if set(map(type, numbers)) == {Value} else sum_of(*numbers)
    return total / float(len(numbers))


@transparent
def norm(xs: Iterable[Scalar]) -> Scalar:
    """The Euclidean length of a vector, without overflow, as one node.

    Args:
        xs: one or more numbers and `Value`s.

    Returns:
        A `Value` if there is one among them, else a float.

    Raises:
        OperandError: xs is not iterable, or an element is not a number.
        ArgumentError: xs is empty.

    Derivative: x / norm by each x; 0 at the kink, the zero vector, where second derivatives are nan: the tip of a cone.

    >>> norm([3.0, 4.0])
    5.0
    """
    return hypot(*numbers_in("norm", xs))


# -- softmax and its logarithms ----------------------------------------------------------------------------------------
#
# All are written relative to the largest element, number k: the exponentials are then at most 1, and the term of k
# itself is exactly 1, so that 1 + rest and log1p(rest) keep the digits that 1 - a would lose (trap T18).


def _relative(name: str, zs: Iterable[Scalar]) -> tuple[list[Scalar], int, list[Scalar], list[Scalar], Scalar]:
    """The logits z, the index k of the largest, z_j - z_k and its exponential for all j, and the sum of the others'.

    Any k gives the same function and derivatives; the largest one gives them without overflow.
    """
    zs = numbers_in(name, zs, ordered=name != "logsumexp")
    known = all(_known(z) is not None for z in zs)
    k = max(range(len(zs)), key=zs.__getitem__) if known else 0
    gaps = [0.0 if j == k else z - zs[k] for j, z in enumerate(zs)]
    terms = [1.0 if j == k else exp(gap) for j, gap in enumerate(gaps)]
    others = terms[:k] + terms[k + 1 :]
    return zs, k, gaps, terms, sum_of(*others) if others else _constant(0.0, zs[0])


def _tail(gaps: list[Scalar], k: int, rest: Scalar) -> Scalar:
    """log(1 + rest), the logarithm of the sum relative to its largest term."""
    return _softplus(gaps[1 - k]) if len(gaps) == 2 and _between(-0.7, gaps[1 - k], 0.7) else log1p(rest)


def _constant(number: float, like: Scalar) -> Scalar:
    """A number of the same kind as another, with no edge to it: what does not depend on it is still a `Value`."""
    return where(False, like, number)


@composite
def softmax(zs: Iterable[Scalar]) -> list[Scalar]:
    """Probabilities in the ratio of the exponentials: a_i = exp(z_i) / sum_j exp(z_j).

    Args:
        zs: one or more numbers and `Value`s, the logits. They are not changed.

    Returns:
        A list of as many, which sum to 1. No logit is too large or too small.

    Raises:
        OperandError: zs is not a list, or an element is not a number.
        ArgumentError: zs is empty.

    Derivative: da_i/dz_j = a_i * ((1 if i == j else 0) - a_j). Nobody has to write it: it falls out, and keeps its
    digits where a_i is so close to 1 that 1 - a_i is 0.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    _, _, gaps, terms, rest = _relative("softmax", zs)
    if len(gaps) == 2 and _between(-1.0, sum_of(*gaps), 1.0):  # whose second derivative changes sign at a tie
        return [_sigmoid(gaps[0] - gaps[1]), _sigmoid(gaps[1] - gaps[0])]
    total = 1.0 + rest
    return [term / total for term in terms]


@composite
def log_softmax(zs: Iterable[Scalar]) -> list[Scalar]:
    """The logarithms of the probabilities of `softmax`, without their underflow.

    Args:
        zs: one or more numbers and `Value`s, the logits.

    Returns:
        A list of as many.

    Raises:
        OperandError: zs is not a list, or an element is not a number.
        ArgumentError: zs is empty.

    Derivative: (1 if i == j else 0) - a_j for element i by z_j, with a = softmax(zs).

    >>> log_softmax([0.0, -1000.0])
    [-0.0, -1000.0]
    """
    _, k, gaps, _, rest = _relative("log_softmax", zs)
    tail = _tail(gaps, k, rest)
    return [-tail if j == k else gap - tail for j, gap in enumerate(gaps)]


@composite
def logsumexp(zs: Iterable[Scalar]) -> Scalar:
    """The logarithm of the sum of the exponentials, a smooth maximum, without overflow.

    Args:
        zs: one or more numbers and `Value`s.

    Returns:
        A `Value` if there is one among them, else a float; where the largest is infinite, that infinity.

    Raises:
        OperandError: zs is not a list, or an element is not a number.
        ArgumentError: zs is empty.

    Derivative: softmax(zs); smooth at ties. Among infinite elements it is that of `maximum`.

    >>> logsumexp([1000.0, 1000.0])
    1000.6931471805599
    """
    zs, k, gaps, _, rest = _relative("logsumexp", zs)
    if _known(zs[k]) in (math.inf, -math.inf):
        return maximum(*zs)
    return zs[k] + _tail(gaps, k, rest)


def logaddexp(a: Scalar, b: Scalar) -> Scalar:
    """log(exp(a) + exp(b)), without overflow.

    Args:
        a: a number or `Value`.
        b: a number or `Value`.

    Returns:
        A `Value` if one of them is, else a float.

    Raises:
        OperandError: an operand is not a number.

    Derivative: softmax([a, b]).

    >>> logaddexp(0.0, 0.0)
    0.6931471805599453
    """
    if is_array(a) or is_array(b):
        return elementwise(logaddexp, a, b)
    return logsumexp([a, b])


attach("logaddexp", logaddexp)


# -- losses ------------------------------------------------------------------------------------------------------------


def _weights(name: str, target: Any, classes: int) -> list[tuple[int, Scalar]]:
    """A target as (class, weight) pairs; a class of weight zero has no pair, hence no edge (convention C2)."""
    if isinstance(target, (Mapping, Set, str, bytes)):
        raise OperandError(
            f"{name}() got {shown(target)} as its target.",
            "Pass the index of the right class, or a list of probabilities.",
        )
    if isinstance(target, Iterable) and getattr(target, "shape", None) != ():
        weights = list(target)
        if len(weights) != classes:
            raise ArgumentError(
                f"{name}() got {classes} class{'es' * (classes != 1)} and a target of {len(weights)} "
                f"{'probability' if len(weights) == 1 else 'probabilities'}.",
                "Pass one probability for each class, or the index of the right class.",
            )
        for j, weight in enumerate(weights):
            number = _known(operand_of(weight, f"{name}(), target[{j}]"))
            if number is not None and not 0.0 <= number < math.inf:
                raise ArgumentError(f"{name}() got target[{j}] = {number!r}.", "Probabilities are not negative.")
        return [(j, w) for j, w in enumerate(weights) if as_number(w) != 0.0]
    try:
        index = operator.index(target)
    except TypeError:
        raise OperandError(
            f"{name}() got {shown(target)} as its target.",
            "Pass the index of the right class, or a list of probabilities.",
        ) from None
    if not 0 <= index < classes:
        raise ArgumentError(
            f"{name}() got class {index} of {classes}.", f"Classes are counted from 0 to {classes - 1}."
        )
    return [(index, 1.0)]


def _check_order(name: str, first: str, given: Any, target: Any) -> None:
    """That the target does not come first."""
    if type(given) is not list and not _are_several(given) and _are_several(target):
        raise OperandError(
            f"{name}() got {shown(given)} as its {first} and {shown(target)} as its target.",
            f"The target comes last: {name}({first}, target).",
        )


def _weighted(pairs: list[tuple[Scalar, Scalar]]) -> Scalar:
    """The sum of weight * term; a single term of weight 1, the usual case, as it is."""
    if len(pairs) == 1 and as_number(pairs[0][0]) == 1.0:
        return pairs[0][1]
    return dot_of(*[w for w, _ in pairs], *[term for _, term in pairs])


def _like(operands: list[Scalar], result: Scalar) -> Scalar:
    """The result, as a `Value` if there is one among the operands, even if it depends on none of them."""
    values = [x for x in operands if is_node(x)]
    return _constant(result, values[0]) if values and type(result) is float else result


@composite
def cross_entropy(logits: Iterable[Scalar], target: Any) -> Scalar:
    """The cross-entropy of softmax(logits) against a target: minus the logarithm of the right class's probability.

    Args:
        logits: one or more numbers and `Value`s, before softmax: not probabilities. One sample; for several, take
            `mean([cross_entropy(z, t) for z, t in ...])`.
        target: the index of the right class, or a list with the probability of each class. Its sum may differ from 1.

    Returns:
        The loss, at least 0 where the target sums to 1; a `Value` if there is one among the logits.

    Raises:
        OperandError: logits is not a list, or an element is not a number; target is neither.
        ArgumentError: logits is empty; the index is out of range; the target has another length or is negative.

    Derivative: a * sum(t) - t with a = softmax(logits), which is a - t where the target sums to 1.

    >>> cross_entropy([0.0, 0.0], 1)
    0.6931471805599453
    """
    _check_order("cross_entropy", "logits", logits, target)
    zs, k, gaps, _, rest = _relative("cross_entropy", logits)
    weights = _weights("cross_entropy", target, len(zs))
    tail = _tail(gaps, k, rest)  # -log a_j = tail - gap_j: both parts are >= 0, nothing cancels
    return _like(zs, _weighted([(w, tail if j == k else tail - gaps[j]) for j, w in weights]))


@composite
def nll(log_probabilities: Iterable[Scalar], target: Any) -> Scalar:
    """The negative log-likelihood: minus the sum of target * log-probability.

    Args:
        log_probabilities: one or more numbers and `Value`s, such as `log_softmax` returns.
        target: the index of the right class, or a list with the probability of each class.

    Returns:
        A `Value` if there is one among them, else a float.

    Raises:
        OperandError: log_probabilities is not a list, or an element is not a number; target is neither.
        ArgumentError: the list is empty; the index is out of range; the target has another length or is negative.

    Derivative: -t by each log-probability; no edge to classes of target 0.

    >>> nll([-0.5, -1.5], 1)
    1.5
    """
    _check_order("nll", "log_probabilities", log_probabilities, target)
    logs = numbers_in("nll", log_probabilities, ordered=True)
    return _like(logs, -_weighted([(w, logs[j]) for j, w in _weights("nll", target, len(logs))]))


def _are_several(xs: Any) -> bool:
    return isinstance(xs, Iterable) and not isinstance(xs, (str, bytes)) and getattr(xs, "shape", None) != ()


def _averaged(name: str, predictions: Any, targets: Any, loss: Callable[[Scalar, Scalar], Scalar]) -> Scalar:
    """The loss of one prediction, or the mean loss of a list of them."""
    if type(predictions) is Value and type(targets) in (float, int):
        return loss(predictions, float(targets))
    if not _are_several(predictions):
        if _are_several(targets):
            raise ArgumentError(
                f"{name}() got one prediction and a list of targets.", "Pass one target for each prediction."
            )
        return loss(operand_of(predictions, f"{name}(), prediction,"), operand_of(targets, f"{name}(), target,"))
    predictions = numbers_in(name, predictions, ordered=True)
    targets = numbers_in(name, targets, ordered=True)
    if len(predictions) != len(targets):
        raise ArgumentError(
            f"{name}() got {counted(len(predictions), 'prediction')} and {counted(len(targets), 'target')}.",
            "Pass one target for each prediction.",
        )
    return mean([loss(p, t) for p, t in zip(predictions, targets, strict=True)])


@composite
def binary_cross_entropy(logit: Any, target: Any) -> Scalar:
    """The cross-entropy of sigmoid(logit) against the probability of the positive class.

    Args:
        logit: a number or `Value`, before the sigmoid; or a list of them.
        target: a probability from 0 to 1; or a list of as many.

    Returns:
        The loss; of lists, the mean loss.

    Raises:
        OperandError: an element is not a number.
        ArgumentError: a target is outside of [0, 1]; the lists are empty or differ in length.

    Derivative: sigmoid(logit) - target.

    >>> binary_cross_entropy(0.0, 1.0)
    0.6931471805599453
    """

    def loss(x: Scalar, t: Scalar) -> Scalar:
        number = _known(operand_of(t, "binary_cross_entropy(), target"))
        if number is not None and not 0.0 <= number <= 1.0:
            raise ArgumentError(f"binary_cross_entropy() got a target of {number!r}.", "Pass a probability.")
        # Both parts are >= 0, and one of weight zero has no edge: nothing cancels and nothing is 0 * inf.
        parts = [(w, softplus(z)) for w, z in ((1.0 - t, x), (t, -x)) if as_number(w) != 0.0]
        return _like([x], _weighted(parts))

    return _averaged("binary_cross_entropy", logit, target, loss)


@composite
def mse(predictions: Any, targets: Any) -> Scalar:
    """The mean squared error.

    Args:
        predictions: a number or `Value`, or a list of them.
        targets: as many.

    Returns:
        The squared difference; of lists, its mean.

    Raises:
        OperandError: an element is not a number.
        ArgumentError: the lists are empty or differ in length.

    Derivative: 2 * (prediction - target) / n.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """

    def loss(p: Scalar, t: Scalar) -> Scalar:
        difference = p - t
        return difference * difference

    return _averaged("mse", predictions, targets, loss)


@composite
def mae(predictions: Any, targets: Any) -> Scalar:
    """The mean absolute error.

    Args:
        predictions: a number or `Value`, or a list of them.
        targets: as many.

    Returns:
        The absolute difference; of lists, its mean.

    Raises:
        OperandError: an element is not a number.
        ArgumentError: the lists are empty or differ in length.

    Derivative: sign(prediction - target) / n; 0 at the kink, where they are equal.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return _averaged("mae", predictions, targets, lambda p, t: abs(p - t))


@composite
def huber(predictions: Any, targets: Any, delta: float = 1.0) -> Scalar:
    """The Huber loss: quadratic for small errors, linear beyond delta.

    Args:
        predictions: a number or `Value`, or a list of them.
        targets: as many.
        delta: where it becomes linear, a number > 0.

    Returns:
        e**2 / 2 for an error |e| <= delta, else delta * (|e| - delta / 2); of lists, the mean.

    Raises:
        OperandError: an element is not a number.
        ArgumentError: the lists are empty or differ in length; delta is not positive.

    Derivative: e limited to [-delta, delta], divided by n; continuous.
    Source: Huber, 1964, Annals of Mathematical Statistics 35.

    >>> huber(3.0, 0.0)
    2.5
    """
    if as_number(delta) is None:
        raise operand_error("huber(delta)", delta)
    if not delta > 0.0:
        raise ArgumentError(f"huber() got delta = {shown(delta)}.", "Pass a positive number.")

    def loss(p: Scalar, t: Scalar) -> Scalar:
        e = p - t
        return branch((-delta <= e) & (e <= delta), lambda: 0.5 * e * e, lambda: delta * (abs(e) - 0.5 * delta))

    return _averaged("huber", predictions, targets, loss)


@composite
def hinge(scores: Any, labels: Any) -> Scalar:
    """The hinge loss of a classifier with a margin: relu(1 - label * score).

    Args:
        scores: a number or `Value`, or a list of them.
        labels: 1 or -1, or a list of as many.

    Returns:
        The loss; of lists, its mean.

    Raises:
        OperandError: an element is not a number.
        ArgumentError: a label is neither 1 nor -1; the lists are empty or differ in length.

    Derivative: -label / n where the margin is violated, no edge where it is not; 0 at the kink.
    Source: Cortes, Vapnik, 1995, Machine Learning 20.

    >>> hinge([0.5, 2.0], [1, 1])
    0.25
    """

    def loss(score: Scalar, label: Any) -> Scalar:
        if label != 1 and label != -1:
            raise ArgumentError(f"hinge() got the label {shown(label)}.", "Labels are 1 and -1.")
        return relu(1.0 - label * score)

    return _averaged("hinge", scores, labels, loss)
