"""Losses of logits and predictions, in numerically stable form.

Not here: networks. Read next: `core.methods`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from autograd_mini.core.row import as_number, branch, is_formula, numbers_in, operand_error, operand_of
from autograd_mini.core.table import abs, dot_of, where
from autograd_mini.core.traced import Unrecorded
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.functions.activations import relu, softplus
from autograd_mini.functions.composed import Scalar, composition, like, number_of
from autograd_mini.functions.logits import relative
from autograd_mini.functions.sums import mean
from autograd_mini.program.scopes import composite

_TARGET = "target: the index of the correct class, or a list with the probability of each class."
_PREDICTIONS = "predictions: a number or `Value`, or a list of them.\ntargets: the same, one per prediction."
_CLASSES = (
    "OperandError: the first argument is not a list, or an element is not a number; target is neither an index\n"
    "    nor a list.\n"
    "ArgumentError: the list is empty; the index is out of range; the target has another length or a negative element."
)
_PAIRED = "OperandError: an element is not a number.\nArgumentError: the lists are empty or differ in length."


def _weights(name: str, target: Any, classes: int) -> list[tuple[int, Scalar]]:
    """A target as (class, weight) pairs; a class of weight 0 has no pair, and so no edge (C2)."""
    if _are_several(target) and not isinstance(target, (Mapping, Set)):
        weights = list(target)
        if len(weights) != classes:
            raise ArgumentError(
                f"{name}() got {classes} class{'es' * (classes != 1)} and a target of {len(weights)} "
                f"{'probability' if len(weights) == 1 else 'probabilities'}.",
                "Pass one probability per class, or the index of the correct class.",
            )
        for j, weight in enumerate(weights):
            number = number_of(operand_of(weight, f"{name}(), target[{j}]"))
            if number is not None and not 0.0 <= number < math.inf:
                raise ArgumentError(
                    f"{name}() got target[{j}] = {number!r}.", "Pass probabilities: finite and not negative."
                )
        return [(j, w) for j, w in enumerate(weights) if as_number(w) != 0.0]
    try:
        index = operator.index(target)
    except TypeError:
        raise OperandError(
            f"{name}() got {shown(target)} as its target.",
            "Pass the index of the correct class, or a list of probabilities.",
        ) from None
    if not 0 <= index < classes:
        raise ArgumentError(f"{name}() got class {index} of {classes}.", f"Pass an index from 0 to {classes - 1}.")
    return [(index, 1.0)]


def _check_order(name: str, first: str, given: Any, target: Any) -> None:
    """Raise if the target comes first."""
    if type(given) is not list and not _are_several(given) and _are_several(target):
        raise OperandError(
            f"{name}() got {shown(given)} as its {first} and {shown(target)} as its target.",
            f"The target comes last: {name}({first}, target).",
        )


def _weighted(pairs: list[tuple[Scalar, Scalar]]) -> Scalar:
    """The sum of weight * term; the term itself in the usual case of a single one with weight 1."""
    if len(pairs) == 1 and as_number(pairs[0][0]) == 1.0:
        return pairs[0][1]
    return dot_of(*[w for w, _ in pairs], *[term for _, term in pairs])


def _expected(name: str, target: Any, classes: int, term: Callable[[int], Scalar]) -> Scalar:
    """The sum of weight * term over the classes; for a traced index a chain of `where`, nan beyond the classes."""
    if isinstance(target, Unrecorded):
        picked = math.nan * term(0)  # not a mere nan, which would leave the gradient at 0
        for j in reversed(range(classes)):
            picked = where(target == float(j), term(j), picked)
        return picked
    return _weighted([(weight, term(j)) for j, weight in _weights(name, target, classes)])


@composition("The cross-entropy of softmax(logits) against a target: minus the log-probability of the correct class.",
             "a * sum(t) - t with a = softmax(logits), which is a - t where the target sums to 1.",
             "cross_entropy([0.0, 0.0], 1) -> 0.6931471805599453",
             takes="logits: one or more numbers and `Value`s before softmax, not probabilities. They are one sample;\n"
                   "    for several, use `mean([cross_entropy(z, t) for z, t in ...])`.\n"
                   f"{_TARGET} Its sum may differ from 1.",
             returns="The loss, at least 0 if the target sums to 1; a `Value` if any logit is one.",
             raises=_CLASSES)  # fmt: skip
@composite
def cross_entropy(logits: Iterable[Scalar], target: Any) -> Scalar:
    _check_order("cross_entropy", "logits", logits, target)
    z = relative("cross_entropy", logits)
    tail = z.tail  # -log a_j = tail - gap_j: both parts are >= 0, nothing cancels
    return like(z.zs, _expected("cross_entropy", target, len(z.zs), lambda j: tail if j == z.k else tail - z.gaps[j]))


@composition("The negative log-likelihood: minus the sum of target * log-probability.",
             "-t for each log-probability; no edge for classes with target 0.", "nll([-0.5, -1.5], 1) -> 1.5",
             takes=f"log_probabilities: one or more numbers and `Value`s, such as `log_softmax` returns.\n{_TARGET}",
             returns="A `Value` if any log-probability is one, else a float.", raises=_CLASSES)  # fmt: skip
@composite
def nll(log_probabilities: Iterable[Scalar], target: Any) -> Scalar:
    _check_order("nll", "log_probabilities", log_probabilities, target)
    logs = numbers_in("nll", log_probabilities, ordered=True)
    return like(logs, -_expected("nll", target, len(logs), logs.__getitem__))


def _are_several(xs: Any) -> bool:
    return isinstance(xs, Iterable) and not isinstance(xs, (str, bytes)) and getattr(xs, "shape", None) != ()


def _averaged(name: str, predictions: Any, targets: Any, loss: Callable[[Scalar, Scalar], Scalar]) -> Scalar:
    """The loss of one prediction, or the mean loss of a list of them."""
    if type(predictions) is Value and type(targets) in (float, int):
        return loss(predictions, float(targets))
    if not _are_several(predictions):
        if _are_several(targets):
            raise ArgumentError(
                f"{name}() got one prediction and a list of targets.", "Pass one target per prediction."
            )
        return loss(operand_of(predictions, f"{name}(), prediction,"), operand_of(targets, f"{name}(), target,"))
    predictions = numbers_in(name, predictions, ordered=True)
    targets = numbers_in(name, targets, ordered=True)
    if len(predictions) != len(targets):
        raise ArgumentError(
            f"{name}() got {counted(len(predictions), 'prediction')} and {counted(len(targets), 'target')}.",
            "Pass one target per prediction.",
        )
    return mean([loss(p, t) for p, t in zip(predictions, targets, strict=True)])


@composition("The cross-entropy of sigmoid(logit) against the probability of the positive class.",
             "sigmoid(logit) - target.", "binary_cross_entropy(0.0, 1.0) -> 0.6931471805599453",
             takes="logit: a number or `Value`, before the sigmoid; or a list of them.\n"
                   "target: a probability from 0 to 1; or a list of them, one per logit.",
             returns="The loss; for lists, the mean loss.",
             raises=_PAIRED.replace("the lists", "a target is outside [0, 1]; the lists"))  # fmt: skip
@composite
def binary_cross_entropy(logit: Any, target: Any) -> Scalar:
    def loss(x: Scalar, t: Scalar) -> Scalar:
        number = number_of(operand_of(t, "binary_cross_entropy(), target"))
        if number is not None and not 0.0 <= number <= 1.0:
            raise ArgumentError(
                f"binary_cross_entropy() got a target of {number!r}.", "Pass a probability from 0 to 1."
            )
        # Both parts are >= 0, and a part with weight 0 has no edge, so nothing cancels and nothing is 0 * inf.
        parts = [(w, softplus(z)) for w, z in ((1.0 - t, x), (t, -x)) if as_number(w) != 0.0]
        return like([x], _weighted(parts))

    return _averaged("binary_cross_entropy", logit, target, loss)


@composition("The mean squared error.", "2 * (prediction - target) / n.", "mse([1.0, 2.0], [1.0, 4.0]) -> 2.0",
             returns="The squared difference; for lists, its mean.", takes=_PREDICTIONS, raises=_PAIRED)  # fmt: skip
@composite
def mse(predictions: Any, targets: Any) -> Scalar:
    def loss(p: Scalar, t: Scalar) -> Scalar:
        difference = p - t
        return difference * difference

    return _averaged("mse", predictions, targets, loss)


@composition("The mean absolute error.", "sign(prediction - target) / n; 0 at the kink, where they are equal.",
             "mae([1.0, 2.0], [1.0, 4.0]) -> 1.0", returns="The absolute difference; for lists, its mean.",
             takes=_PREDICTIONS, raises=_PAIRED)  # fmt: skip
@composite
def mae(predictions: Any, targets: Any) -> Scalar:
    return _averaged("mae", predictions, targets, lambda p, t: abs(p - t))


@composition("The Huber loss: quadratic for small errors, linear beyond delta.",
             "clip(e, -delta, delta) / n for an error e; continuous.\n"
             "Source: Huber, 1964, Annals of Mathematical Statistics 35.", "huber(3.0, 0.0) -> 2.5",
             returns="e**2 / 2 for an error |e| <= delta, else delta * (|e| - delta / 2); for lists, the mean.",
             takes=f"{_PREDICTIONS}\ndelta: the error at which the loss becomes linear, a number > 0.",
             raises=f"{_PAIRED[:-1]}; delta is not positive.")  # fmt: skip
@composite
def huber(predictions: Any, targets: Any, delta: float = 1.0) -> Scalar:
    if as_number(delta) is None:
        raise operand_error("huber(delta)", delta)
    if not delta > 0.0:
        raise ArgumentError(f"huber() got delta = {shown(delta)}.", "Pass a positive number.")

    def loss(p: Scalar, t: Scalar) -> Scalar:
        e = p - t
        return branch((-delta <= e) & (e <= delta), lambda: 0.5 * e * e, lambda: delta * (abs(e) - 0.5 * delta))

    return _averaged("huber", predictions, targets, loss)


@composition("The hinge loss of a classifier with a margin: relu(1 - label * score).",
             "-label / n where the margin is violated, no edge where it is not; 0 at the kink.\n"
             "Source: Cortes, Vapnik, 1995, Machine Learning 20.", "hinge([0.5, 2.0], [1, 1]) -> 0.25",
             takes="scores: a number or `Value`, or a list of them.\nlabels: 1 or -1; or a list, one per score. While "
                   "tracing, the loss is nan for any other label.",
             returns="The loss; for lists, its mean.",
             raises=_PAIRED.replace("the lists", "a label is neither 1 nor -1; the lists"))  # fmt: skip
@composite
def hinge(scores: Any, labels: Any) -> Scalar:
    def loss(score: Scalar, label: Any) -> Scalar:
        if number_of(label) is None and not is_formula(getattr(label, "data", label)):  # on a tape
            margin = 1.0 - label * score
            return where((label == 1.0) | (label == -1.0), relu(margin), math.nan * margin)
        if number_of(label) not in (1.0, -1.0, None):
            raise ArgumentError(f"hinge() got the label {shown(label)}.", "Pass 1 or -1.")
        return relu(1.0 - label * score)

    return _averaged("hinge", scores, labels, loss)
