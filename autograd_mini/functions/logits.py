"""Softmax and its logarithms: functions of lists of numbers of any size.

Not here: the losses that use them. Read next: `functions.losses`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from autograd_mini.core.arrays import elementwise, is_array
from autograd_mini.core.methods import Methods, attach
from autograd_mini.core.row import branch, is_formula, numbers_in
from autograd_mini.core.rules import is_infinite
from autograd_mini.core.table import exp, floor, log1p, maximum, sum_of, take_of, where
from autograd_mini.functions.activations import stable_sigmoid, stable_softplus
from autograd_mini.functions.composed import EMPTY, NOT_NUMBERS, Scalar, between, composition, constant, number_of
from autograd_mini.program.scopes import composite

_LOGITS = "zs: the logits, one or more numbers and `Value`s. The list is not changed."
_RAISES = f"{NOT_NUMBERS}\n{EMPTY}"


class Relative(NamedTuple):
    """Logits relative to the largest, which has index k.

    The exponentials are then at most 1, and the term of k itself is exactly 1, so that 1 + rest and log1p(rest) keep
    the digits that 1 - a would lose (T18). Any k gives the same function and derivatives, but only the largest logit
    avoids overflow.
    """

    zs: list[Scalar]
    k: int | None  # None on a tape, where the largest may differ from run to run
    largest: Scalar
    gaps: list[Scalar]  # z - largest; a constant 0 for k
    terms: list[Scalar]  # their exponentials; a constant 1 for k
    rest: Scalar  # the sum of the other terms

    @property
    def tail(self) -> Scalar:
        """log(1 + rest), the logarithm of the sum relative to its largest term."""
        if self.k is not None and len(self.gaps) == 2 and between(-0.7, self.gaps[1 - self.k], 0.7):
            return stable_softplus(self.gaps[1 - self.k])
        return log1p(self.rest)


def relative(name: str, zs: Iterable[Scalar]) -> Relative:
    """Choose k: the largest logit where it is known, the first in formulas; on a tape, `where` chooses."""
    zs = numbers_in(name, zs, ordered=name != "logsumexp")
    k: int | None = None
    if all(number_of(z) is not None for z in zs):
        k = max(range(len(zs)), key=zs.__getitem__)
    elif len(zs) == 1 or any(is_formula(z.data if isinstance(z, Methods) else z) for z in zs):
        k = 0
    if k is None:
        return _on_tape(zs)
    gaps = [0.0 if j == k else z - zs[k] for j, z in enumerate(zs)]
    terms = [1.0 if j == k else exp(gap) for j, gap in enumerate(gaps)]
    others = terms[:k] + terms[k + 1 :]
    return Relative(zs, k, zs[k], gaps, terms, sum_of(*others) if others else constant(0.0, zs[0]))


def _on_tape(zs: list[Scalar]) -> Relative:
    k, largest = 0.0, zs[0]
    for j, z in enumerate(zs[1:], 1):
        is_larger = z > largest
        k, largest = where(is_larger, float(j), k), where(is_larger, z, largest)
    largest = take_of(k, *zs)  # each logit has one edge to it, behind the condition that it is the largest
    place = floor(k)  # as the rule of `take` does, so that the conditions are the same
    is_largest = [place == float(j) for j in range(len(zs))]
    gaps = [where(is_it, 0.0, z - largest) for is_it, z in zip(is_largest, zs, strict=True)]
    terms = [exp(gap) for gap in gaps]
    rest = sum_of(*[where(is_it, 0.0, term) for is_it, term in zip(is_largest, terms, strict=True)])
    return Relative(zs, None, largest, gaps, terms, rest)


@composition("Probabilities proportional to the exponentials: a_i = exp(z_i) / sum_j exp(z_j).",
             "da_i/dz_j = a_i * ((1 if i == j else 0) - a_j). It follows from the composition, and is accurate even\n"
             "where a_i is so close to 1 that 1 - a_i is 0.",
             "softmax([0.0, 0.0]) -> [0.5, 0.5]", takes=_LOGITS,
             returns="A list of the same length, which sums to 1. Logits of any size work.",
             raises=_RAISES)  # fmt: skip
@composite
def softmax(zs: Iterable[Scalar]) -> list[Scalar]:
    _, k, _, gaps, terms, rest = relative("softmax", zs)
    if k is not None and len(gaps) == 2 and between(-1.0, sum_of(*gaps), 1.0):
        # The second derivative changes sign at a tie.
        return [stable_sigmoid(gaps[0] - gaps[1]), stable_sigmoid(gaps[1] - gaps[0])]
    total = 1.0 + rest
    return [term / total for term in terms]


@composition("The logarithms of `softmax`, without underflow.",
             "(1 if i == j else 0) - a_j for element i with respect to z_j, with a = softmax(zs).",
             "log_softmax([0.0, -1000.0]) -> [-0.0, -1000.0]", takes=_LOGITS, returns="A list of the same length.",
             raises=_RAISES)  # fmt: skip
@composite
def log_softmax(zs: Iterable[Scalar]) -> list[Scalar]:
    logits = relative("log_softmax", zs)
    tail = logits.tail
    return [-tail if j == logits.k else gap - tail for j, gap in enumerate(logits.gaps)]


@composition("The logarithm of the sum of the exponentials, a smooth maximum, without overflow.",
             "softmax(zs); smooth at ties. If the largest element is infinite, it is that of `maximum`.",
             "logsumexp([1000.0, 1000.0]) -> 1000.6931471805599", takes="zs: one or more numbers and `Value`s.",
             returns="A `Value` if any element is one, else a float; infinite if the largest element is.",
             raises=_RAISES)  # fmt: skip
@composite
def logsumexp(zs: Iterable[Scalar]) -> Scalar:
    logits = relative("logsumexp", zs)
    return branch(is_infinite(logits.largest), lambda: maximum(*logits.zs), lambda: logits.largest + logits.tail)


@composition("log(exp(a) + exp(b)), without overflow.", "softmax([a, b]).",
             "logaddexp(0.0, 0.0) -> 0.6931471805599453",
             takes="a: a number or `Value`, or a NumPy array of them.\nb: the same.",
             returns="A `Value` if an operand is one, else a float.",
             raises="OperandError: an operand is not a number.")  # fmt: skip
def logaddexp(a: Scalar, b: Scalar) -> Scalar:
    if is_array(a) or is_array(b):
        return elementwise(logaddexp, a, b)
    return logsumexp([a, b])


attach("logaddexp", logaddexp)
