"""THE MISTAKES: one row per way to get a derivative, or a value, wrong; each says which numbers would come of it.

A row holds a name, a sentence, a correction (by default, the right formula), and the numbers that the mistake gives at
a point. Simple rows stand first. Rows for whole backward passes are in `passes`.
Not here: which rows explain given numbers. Read next: `check.mistakes.sweeps`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from autograd_mini.check.mistakes.formulas import RIGHT, WRONG_SLOPES, WRONG_VALUES, function_of, right_formula
from autograd_mini.check.tasks import TASK_NAMES, Point, Task, flat, task_named, task_of
from autograd_mini.core import ieee
from autograd_mini.functions import ACTIVATIONS
from autograd_mini.functions.logits import softmax
from autograd_mini.notation.text import number as written
from autograd_mini.transforms import trees

Numbers = list[float]
SIMPLEST = 7  # rows: the sign and factors


class Case:
    """One point, with the numbers that are right there, as flat lists; `before` holds the points before it."""

    def __init__(self, task: Task, point: Point, quantity: str, before: tuple[Case, ...] = ()) -> None:
        self.task, self.point, self.before = task, point, before
        self.xs = flat(point[0])
        self.targets = flat(point[1]) if len(point) > 1 else []
        self.values, self.slopes = flat(task.value(point)), flat(task.derivative(point))  # a Jacobian row by row
        self.right = self.slopes if quantity == "derivative" else self.values
        self.is_number = trees.is_number(point[0]) and len(self.values) == 1

    @property
    def matrix(self) -> list[Numbers]:
        """The derivative as rows, one per output."""
        n = len(self.xs)
        return [self.slopes[i * n : (i + 1) * n] for i in range(len(self.values))]


Applied = Callable[[Case], Numbers | None]


@dataclass(frozen=True, eq=False)
class Mistake:
    """A row of the table."""

    name: str  # a short key, the same for all who make it
    sentence: str
    correction: str  # "" for the right formula
    apply: Applied  # the numbers that come of it; None where it does not apply


def mistakes_of(cases: Sequence[Case], quantity: str) -> Iterator[Mistake]:
    """Yield the rows that may apply to a task, the simplest first."""
    task = cases[0].task
    right = right_formula(task.name) if quantity == "derivative" else ""
    write = f"Write {right}." if right else "Compare with this package: the function itself, grad(f) or jacobian(f)."
    for row in _of_slopes(cases[0]) if quantity == "derivative" else _of_values(task):
        yield row if row.correction else Mistake(row.name, row.sentence, write, row.apply)


# fmt: off
def _of_slopes(first: Case) -> Iterator[Mistake]:
    task = first.task
    yield Mistake("sign", "The sign is flipped.", _SIGNS.get(task.name, ""), _scaled(-1.0))
    yield from _FACTORS
    of_a_list = _of_a_matrix() if len(first.values) > 1 else _of_a_gradient(task)
    yield from _of_a_number(task) if first.is_number else of_a_list
    yield Mistake("value", "It is the value of the function, not its derivative.", "", lambda case: case.values)
    yield from _OF_ANY


def _scaled(factor: float) -> Applied:
    return lambda case: [factor * x for x in case.right]


def constant_factor(factor: float) -> Mistake | None:
    """Return the row of a factor that is the same at all points; None if it says nothing: 0, 1, or no number."""
    text = written(factor, 6)
    if not math.isfinite(factor) or float(f"{factor:.5e}") in (0.0, 1.0):
        return None
    return Mistake("factor", f"It is {text} times what is right, everywhere.", f"Divide by {text}.", _scaled(factor))


_SIGNS = {name: f"Write {right_formula(name)}: a - t, not t - a." for name in ("cross_entropy", "binary_cross_entropy")}
_FACTORS = (
    Mistake("factor", "A factor 2 is missing: it is half of what is right.", "", _scaled(0.5)),
    Mistake("factor", "It is twice what is right: a factor 2 too many, or a contribution that is added twice.", "",
            _scaled(2.0)),
    Mistake("degrees", "It is the derivative by an angle in degrees: a factor pi/180 too many.", "",
            _scaled(math.pi / 180.0)),
    Mistake("degrees", "A factor pi/180 is missing or inverted: degrees instead of radians.", "",
            _scaled(180.0 / math.pi)),
    Mistake("sum-for-mean", "It is n times what is right: a sum where the mean is meant.", "Divide by n.",
            lambda case: [len(case.xs) * x for x in case.right]),
    Mistake("mean-for-sum", "It is divided by n once too often: a mean where the sum is meant.", "Do not divide by n.",
            lambda case: [x / len(case.xs) for x in case.right]),
)


def _stale(case: Case) -> Numbers | None:
    last = case.before[-1] if case.before else case
    return last.right if len(last.right) == len(case.right) else None


def _piled(case: Case) -> Numbers | None:
    steps = [each.right for each in (*case.before, case)]
    return [sum(column) for column in zip(*steps, strict=True)] if len(set(map(len, steps))) == 1 else None


_OF_ANY = (
    Mistake("reciprocal", "It is 1 divided by what is right.", "",
            lambda case: [ieee.divide(1.0, x) for x in case.right]),
    Mistake("integer-division", "It has lost its fraction: an integer division, as 1/n of integers in Java and C.",
            "Divide floating-point numbers: 1.0/n.", lambda case: [float(math.trunc(x)) for x in case.right]),
    Mistake("integer-division", "It is rounded down: // instead of /.", "Divide with /.",
            lambda case: [float(math.floor(x)) for x in case.right]),
    Mistake("zero", "It is always 0: never assigned, or an integer division such as 1/n.", "", _scaled(0.0)),
    Mistake("stale", "It is the result for the previous point: stale.",
            "Compute the gradient from this step's numbers, after the forward pass.", _stale),
    Mistake("accumulated", "What belongs to earlier points is still in it: it is the sum of all so far.",
            "Set gradients to zero before each backward pass.", _piled),
)


# -- a number of a number ----------------------------------------------------------------------------------------------


def _of_text(text: str, is_of_output: bool = False) -> Applied:
    return lambda case: [function_of(text)(case.xs[0], case.xs[0] if is_of_output else case.values[0])]


def _derivative_of(task: Task, place: Callable[[Case], float] = lambda case: case.xs[0]) -> Applied:
    return lambda case: flat(task.derivative((place(case), *case.point[1:])))


def _of_a_number(task: Task) -> Iterator[Mistake]:
    right = RIGHT.get(task.name)
    if right and right.by_output:
        yield Mistake("output-form", f"{right.by_output} is right if you pass the output a = {task.name}(x); "
                      "here a is the input.",
                      f"Compute a = {task.name}(x) first, or write {right.by_input}.", _of_text(right.by_output, True))
    if task.name == "binary_cross_entropy":
        yield from _OF_BINARY_CROSS_ENTROPY
    yield Mistake("input-form", "It is right if you pass the input; here it got the output of the function.", "",
                  _derivative_of(task, lambda case: case.values[0]))
    for text, why in WRONG_SLOPES.get(task.name, {}).items():
        yield Mistake("precedence" if why.startswith("precedence") else "formula", f"It is {text}: {why}.", "",
                      _of_text(text))
    for text, why in WRONG_VALUES.get(task.name, {}).items():
        wrong, advice = task_of(function_of(text), (), text), f"Correct the function first: {why}."
        yield Mistake("forward", f"It belongs to another function: {task.name}(x) is computed as {text}.", advice,
                      partial(lambda wrong, case: flat(wrong.derivative(case.point[:1])), wrong))
        yield Mistake("value", f"It is the value of the function, not its derivative, and computed as {text}.", advice,
                      partial(lambda wrong, case: [wrong.value(case.point[:1])], wrong))
        if right and right.by_output:
            yield Mistake("forward", f"{right.by_output} is right, but a is computed as {text}.", advice,
                          partial(lambda wrong, form, case: [form(case.xs[0], wrong.value(case.point[:1]))],
                                  wrong, function_of(right.by_output)))
    yield Mistake("degrees", "The argument is converted to radians, as if it were in degrees.", "Pass radians.",
                  _derivative_of(task, lambda case: case.xs[0] * math.pi / 180.0))
    for other in (*ACTIVATIONS, *RIGHT) if task.name in TASK_NAMES else ():  # a user's function may itself be wrong
        if other != task.name:
            sentence = f"It is the derivative of {other}, not of {task.name}."
            yield Mistake("wrong-function", sentence, "",
                          partial(lambda f, case: flat(f.derivative(case.point[:1])), task_named(other)))
            if other in RIGHT and len(RIGHT[other].by_output) > 1:  # "a" is the value
                yield Mistake("wrong-function", sentence, "", _of_text(RIGHT[other].by_output))


# -- lists -------------------------------------------------------------------------------------------------------------


def _entries(change: Callable[[int, int, float], float]) -> Applied:
    return lambda case: [change(i, j, x) for i, row in enumerate(case.matrix) for j, x in enumerate(row)]


def _of_a_matrix() -> Iterator[Mistake]:
    all_rows = "Return all rows, one per output."
    yield Mistake("diagonal", "Only the diagonal is there: every output depends on every input.", "",
                  _entries(lambda i, j, x: x if i == j else 0.0))
    yield Mistake("diagonal", "It is the diagonal of the Jacobian alone: every output depends on every input.", "",
                  lambda case: [row[i] for i, row in enumerate(case.matrix) if i < len(row)])
    yield Mistake("off-diagonal-sign", "The sign beside the diagonal is flipped.", "",
                  _entries(lambda i, j, x: x if i == j else -x))
    yield Mistake("transposed", "It is transposed: rows are inputs and columns outputs.",
                  "J[i][j] is the derivative of output i by input j; swap rows and columns.",
                  lambda case: [row[j] for j in range(len(case.xs)) for row in case.matrix])
    yield Mistake("row-for-column", "It is the first row of the Jacobian alone.", all_rows, lambda case: case.matrix[0])
    yield Mistake("row-for-column", "It is the first column of the Jacobian alone.", all_rows,
                  lambda case: [row[0] for row in case.matrix])
    yield Mistake("row-for-column", "It is the Jacobian summed over inputs.", all_rows,
                  lambda case: [sum(row) for row in case.matrix])
    yield Mistake("row-for-column", "It is the Jacobian summed over outputs.", all_rows,
                  lambda case: [sum(column) for column in zip(*case.matrix, strict=True)])
    for name, wrong, sentence, correction in WRONG_SOFTMAX:
        yield Mistake(name, sentence, correction, partial(_softmax_jacobian, wrong))
    yield Mistake("off-diagonal-sign", "It is a[i]*((1 if i == j else 0) + a[j]): plus instead of minus.", "",
                  lambda case: [a * (b + (i == j)) for i, a in enumerate(case.values)
                                for j, b in enumerate(case.values)])
    yield Mistake("precedence", "It is a[i]*(1 if i == j else 0) - a[j]: the parentheses are missing.", "",
                  lambda case: [a * (i == j) - b for i, a in enumerate(case.values)
                                for j, b in enumerate(case.values)])
    yield Mistake("missing-term", "It is a[i] on the diagonal alone: the term -a[i]*a[j] is missing.", "",
                  lambda case: [a * (i == j) for i, a in enumerate(case.values) for j in range(len(case.values))])
    yield Mistake("missing-term", "It is -a[i]*a[j] alone: the term a[i] on the diagonal is missing.", "",
                  lambda case: [-a * b for a in case.values for b in case.values])
    yield Mistake("input-form", "It is the Jacobian at the output: you passed it, or applied the function twice.", "",
                  lambda case: flat(case.task.derivative((_like(case, case.values), *case.point[1:]))))


def _like(case: Case, numbers: Numbers) -> object:
    return trees.rebuilt(case.point[0], iter(numbers))


def _softmax_jacobian(wrong: Callable[[Numbers], Numbers], case: Case) -> Numbers:
    a = wrong(case.xs)
    if case.task.name == "log_softmax":
        return [(i == j) - a_j for i in range(len(a)) for j, a_j in enumerate(a)]
    return [a_i * ((i == j) - a[j]) for i, a_i in enumerate(a) for j in range(len(a))]


def _exponentials(zs: Numbers, shift: float = 0.0) -> Numbers:
    return [ieee.exp(z - shift) for z in zs]


def _normalised(terms: Numbers) -> Numbers:
    return [ieee.divide(term, sum(terms)) for term in terms]


def _shifted(zs: Numbers) -> Numbers:
    return _exponentials(zs, max(zs))


def _left_out(which: int | None, zs: Numbers) -> Numbers:
    """Return a softmax whose denominator lacks one term: the first, the last, or (None) each one's own."""
    terms = _shifted(zs)
    return [ieee.divide(term, sum(terms) - terms[i if which is None else which]) for i, term in enumerate(terms)]


def _overwritten(zs: Numbers) -> Numbers:
    """Return what a softmax gives that overwrites its argument while it still reads it."""
    zs = [z - max(zs) for z in zs]
    for i, z in enumerate(zs):
        zs[i] = ieee.divide(ieee.exp(z), sum(map(ieee.exp, zs)))
    return zs


# How softmax goes wrong: name, what is computed in its place, sentence, correction.
WRONG_SOFTMAX: tuple[tuple[str, Callable[[Numbers], Numbers], str, str], ...] = (
    ("softmax-twice", lambda zs: softmax(softmax(zs)), "Softmax is applied twice.",
     "Pass logits, not probabilities, to a function that applies softmax itself."),
    ("logits", lambda zs: zs, "The logits are used where the probabilities belong.", "Compute a = softmax(z) first."),
    ("not-normalised", _exponentials, "The exponentials are not divided by their sum.",
     "Divide by the sum of the exponentials."),
    ("linear", _normalised, "The logits themselves are divided by their sum, without exponentials.",
     "Take exp of each logit first."),
    ("sigmoid-for-softmax", lambda zs: [ieee.divide(1.0, 1.0 + ieee.exp(-z)) for z in zs],
     "It is the sigmoid of each logit, not softmax.", "Divide each exponential by the sum of all."),
    ("running-sum", lambda zs: [e / s for e, s in zip(_shifted(zs), itertools.accumulate(_shifted(zs)), strict=True)],
     "The denominator is a running sum: each exponential is divided by the sum of those up to it, not of all.",
     "Sum all exponentials first, then divide in a second loop."),
    *[("partial-sum", partial(_left_out, which), f"The denominator is a partial sum: it lacks {what}.",
       "Divide by the sum of all exponentials: check where the loop begins and ends.")
      for which, what in ((0, "the first exponential"), (-1, "the last exponential"), (None, "each one's own term"))],
    ("in-place", _overwritten, "The list is overwritten while it is still read: later elements see earlier results.",
     "Write the results into a new list."),
    ("running-maximum", lambda zs: _normalised(_exponentials(zs, max(5e-324, *zs))),
     "The running maximum starts at the smallest positive number, so it stays there if all logits are negative.",
     "Start at the first logit, or at -infinity (Double.MIN_VALUE is positive)."),
    ("overflow", lambda zs: _normalised(_exponentials(zs)), "It is right, but exp overflows for large logits.",
     "Subtract the largest logit from all before taking exp."),
)


def _probabilities(case: Case) -> Numbers:
    return softmax(case.xs) if case.task.name == "cross_entropy" else [ieee.divide(1.0, 1.0 + ieee.exp(-case.xs[0]))]


def _of_classes(change: Callable[[float, float], float]) -> Applied:
    """Return a change of every probability and its target."""
    return lambda case: [change(a, t) for a, t in zip(_probabilities(case), case.targets, strict=True)]


def _less(wrong: Callable[[Numbers], Numbers], sign: float, case: Case) -> Numbers:
    probabilities = wrong(case.xs)
    targets = case.targets or [0.0] * len(probabilities)
    total = sum(case.targets) if case.targets else 1.0
    return [sign * (a * total - t) for a, t in zip(probabilities, targets, strict=True)]


_TARGET_SUM = Mistake("target-sum", "a - t is right only for targets that sum to 1.",
                      "Write a*sum(t) - t, with a = softmax(z).", _of_classes(lambda a, t: a - t))
_OF_CLASSES = (  # of both losses of logits
    Mistake("target", "The target is not subtracted.", "", _of_classes(lambda a, t: a)),
    Mistake("extra-derivative", "a - t is multiplied by a*(1 - a), which it contains already.", "",
            _of_classes(lambda a, t: (a - t) * a * (1.0 - a))),
    Mistake("extra-derivative, sign", "The sign is flipped, and it is multiplied by a*(1 - a), which it contains "
            "already.", "", _of_classes(lambda a, t: (t - a) * a * (1.0 - a))),
)
_OF_CROSS_ENTROPY = (
    Mistake("inner-derivative", "It is -t/a, the derivative by the probabilities: that of softmax is missing.", "",
            _of_classes(lambda a, t: -ieee.divide(t, a))),
    Mistake("diagonal", "Only the diagonal of the derivative of softmax is used.", "",
            _of_classes(lambda a, t: -t * (1.0 - a))),
    *_OF_CLASSES,
    Mistake("target", "1 is subtracted for every class, not for the right one alone.", "",
            _of_classes(lambda a, t: a - 1.0)),
)
_OF_BINARY_CROSS_ENTROPY = (
    Mistake("inner-derivative", "It is (a - t)/(a*(1 - a)), the derivative by the probability: that of sigmoid is "
            "missing.", "", _of_classes(lambda a, t: ieee.divide(a - t, a * (1.0 - a)))),
    *_OF_CLASSES,
    Mistake("logits", "The logit is used where the probability belongs.", "Compute a = sigmoid(z) first.",
            lambda case: [case.xs[0] - case.targets[0]]),
)
_PER_NUMBER = (  # two mistakes that come together: t - a, and n
    Mistake("mean-for-sum, sign", "The sign is flipped, and it is divided by n once too often.",
            "Flip the sign, and do not divide by n.", lambda case: [-slope / len(case.xs) for slope in case.slopes]),
    Mistake("sum-for-mean, sign", "The sign is flipped, and it is n times the derivative.",
            "Flip the sign, and divide by n.", lambda case: [-len(case.xs) * slope for slope in case.slopes]),
)


def _of_a_gradient(task: Task) -> Iterator[Mistake]:
    if task.name == "cross_entropy":
        yield _TARGET_SUM
    for name, wrong, sentence, correction in WRONG_SOFTMAX if task.name in ("cross_entropy", "logsumexp") else ():
        yield Mistake(name, sentence, correction, partial(_less, wrong, 1.0))
        yield Mistake(f"{name}, sign", f"{sentence} And the sign is flipped.", correction, partial(_less, wrong, -1.0))
    if task.name == "cross_entropy":
        yield from _OF_CROSS_ENTROPY
    yield from _PER_NUMBER
    if task.name == "mse":
        yield Mistake("target", "The target is not subtracted.", "",
                      lambda case: [2.0 * y / len(case.xs) for y in case.xs])
    yield Mistake("absolute", "The sign is lost: it is the absolute value.", "",
                  lambda case: list(map(abs, case.slopes)))
    index = "Check the index: it is the derivative of the wrong element or layer."
    yield Mistake("off-by-one", "It is shifted by one: each number stands where the next one belongs.", index,
                  lambda case: case.slopes[-1:] + case.slopes[:-1])
    yield Mistake("off-by-one", "It is shifted by one: each number stands where the one before it belongs.", index,
                  lambda case: case.slopes[1:] + case.slopes[:1])
    yield Mistake("reversed", "It is in reverse order.", index, lambda case: case.slopes[::-1])
    yield Mistake("last-only", "Only the last element has a gradient: = instead of +=, or a constant index.", index,
                  lambda case: [*[0.0] * (len(case.slopes) - 1), case.slopes[-1]])


# -- values ------------------------------------------------------------------------------------------------------------


def _loss(wrong: Callable[[Numbers], Numbers], case: Case) -> Numbers:
    return [-sum(t * ieee.log(a) for a, t in zip(wrong(case.xs), case.targets, strict=True) if t)]


def _of_values(task: Task) -> Iterator[Mistake]:
    yield Mistake("sign", "The sign is flipped.", "", _scaled(-1.0))
    yield from _FACTORS
    for text, why in WRONG_VALUES.get(task.name, {}).items():
        yield Mistake("forward", f"It is {text}: {why}.", "", _of_text(text))
    for name, wrong, sentence, correction in WRONG_SOFTMAX if task.name in ("softmax", "cross_entropy") else ():
        apply = _loss if task.name == "cross_entropy" else lambda wrong, case: wrong(case.xs)
        yield Mistake(name, sentence, correction, partial(apply, wrong))
    yield Mistake("derivative", "It is the derivative, not the value.", "Return the value.", lambda case: case.slopes)
    yield from _OF_ANY
    for other in (*ACTIVATIONS, *RIGHT) if task.name in RIGHT else ():
        if other != task.name:
            yield Mistake("wrong-function", f"It is {other}, not {task.name}.", "",
                          partial(lambda f, case: flat(f.value(case.point[:1])), task_named(other)))
