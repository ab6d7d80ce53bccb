"""Softmax and its logarithms: lists of numbers, of which none overflows.

Not here: the losses that use them. Read next: `losses`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from autograd_mini.core.arrays import elementwise, is_array
from autograd_mini.core.methods import attach
from autograd_mini.core.row import numbers_in
from autograd_mini.core.table import (
    exp,
    log1p,
    maximum,
    sum_of,
)
from autograd_mini.functions.activations import stable_sigmoid, stable_softplus
from autograd_mini.functions.scalars import Scalar, between, constant, number_of
from autograd_mini.program.scopes import composite

# -- softmax and its logarithms ----------------------------------------------------------------------------------------
#
# All are written relative to the largest element, number k: the exponentials are then at most 1, and the term of k
# itself is exactly 1, so that 1 + rest and log1p(rest) keep the digits that 1 - a would lose (trap T18).


def relative(name: str, zs: Iterable[Scalar]) -> tuple[list[Scalar], int, list[Scalar], list[Scalar], Scalar]:
    """The logits z, the index k of the largest, z_j - z_k and its exponential for all j, and the sum of the others'.

    Any k gives the same function and derivatives; the largest one gives them without overflow.
    """
    zs = numbers_in(name, zs, ordered=name != "logsumexp")
    known = all(number_of(z) is not None for z in zs)
    k = max(range(len(zs)), key=zs.__getitem__) if known else 0
    gaps = [0.0 if j == k else z - zs[k] for j, z in enumerate(zs)]
    terms = [1.0 if j == k else exp(gap) for j, gap in enumerate(gaps)]
    others = terms[:k] + terms[k + 1 :]
    return zs, k, gaps, terms, sum_of(*others) if others else constant(0.0, zs[0])


def tail_of(gaps: list[Scalar], k: int, rest: Scalar) -> Scalar:
    """log(1 + rest), the logarithm of the sum relative to its largest term."""
    return stable_softplus(gaps[1 - k]) if len(gaps) == 2 and between(-0.7, gaps[1 - k], 0.7) else log1p(rest)


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
    _, _, gaps, terms, rest = relative("softmax", zs)
    if len(gaps) == 2 and between(-1.0, sum_of(*gaps), 1.0):  # whose second derivative changes sign at a tie
        return [stable_sigmoid(gaps[0] - gaps[1]), stable_sigmoid(gaps[1] - gaps[0])]
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
    _, k, gaps, _, rest = relative("log_softmax", zs)
    tail = tail_of(gaps, k, rest)
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
    zs, k, gaps, _, rest = relative("logsumexp", zs)
    if number_of(zs[k]) in (math.inf, -math.inf):
        return maximum(*zs)
    return zs[k] + tail_of(gaps, k, rest)


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
