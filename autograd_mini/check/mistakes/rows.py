"""THE MISTAKES: one row per way to get a derivative, or a value, wrong; each says which numbers it gives.

A row holds a name, a sentence, a correction (by default, the right formula), and the numbers that the mistake gives at
a point. Simple rows stand first. Rows for whole backward passes are in `passes`.
Not here: which rows explain given numbers. Read next: `check.mistakes.sweeps`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from autograd_mini.check.mistakes.formulas import (
    RIGHT,
    WRONG_GRADIENTS,
    WRONG_JACOBIANS,
    WRONG_SLOPES,
    WRONG_VALUES,
    Entry,
    function_of,
    right_formula,
)
from autograd_mini.check.tasks import TASK_NAMES, Point, Task, flat, task_named, task_of
from autograd_mini.core import ieee
from autograd_mini.errors import AutogradError
from autograd_mini.functions import ACTIVATIONS
from autograd_mini.functions.logits import softmax
from autograd_mini.notation.text import number as written
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import jacobian

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

    @cached_property
    def may_bend(self) -> bool:
        """Whether there may be a kink: functions of the package know theirs, differences find those of others."""
        return self.task.name not in TASK_NAMES or self.task.is_kink(self.point)

    @property
    def matrix(self) -> list[Numbers]:
        """The derivative as rows, one per output."""
        n = len(self.xs)
        return [self.slopes[i * n : (i + 1) * n] for i in range(len(self.values))]


Applied = Callable[[Case], Numbers | None]


@dataclass(frozen=True, eq=False)
class Mistake:
    """A row of the table."""

    name: str  # a short key
    sentence: str
    correction: str  # "" for the right formula
    apply: Applied  # the numbers that it gives; None where it does not apply


def known_as(cases: Sequence[Case]) -> Task:
    """Return the task of the package whose values and slopes a user's function has, under whatever name; or its own."""
    task = cases[0].task
    others = map(task_named, TASK_NAMES if task.name not in TASK_NAMES else ())
    has_left = _has_negative([case.point for case in cases])
    found = (other for other in others if all(_is_case_of(other, case) for case in cases))
    return next((other for other in found if has_left or not _has_negative(other.points)), task)


def _is_case_of(task: Task, case: Case) -> bool:
    try:
        pairs = [*zip(flat(task.value(case.point)), case.values, strict=True)]
        if not task.is_kink(case.point):  # there, a slope is a choice
            pairs += zip(flat(task.derivative(case.point)), case.slopes, strict=True)
    except Exception:  # it takes other arguments, or gives other results
        return False
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in pairs)


def _has_negative(points: Sequence[Point]) -> bool:
    """Return True if the left side, where a piecewise function differs from others, is among the points."""
    return any(x < 0.0 for point in points for x in flat(point[0]))


def mistakes_of(cases: Sequence[Case], quantity: str) -> Iterator[Mistake]:
    """Yield the rows that may apply to a task, the simplest first."""
    task = known_as(cases)
    right = right_formula(task.name) if quantity == "derivative" else ""
    write = f"Write {right}." if right else "Compare with this package: the function itself, grad(f) or jacobian(f)."
    for row in _of_slopes(cases[0], task) if quantity == "derivative" else _of_values(task):
        yield row if row.correction else Mistake(row.name, row.sentence, write, row.apply)


# fmt: off
def _of_slopes(first: Case, task: Task) -> Iterator[Mistake]:
    yield Mistake("sign", "The sign is flipped.", _SIGNS.get(task.name, ""), _scaled(-1.0))
    yield from _FACTORS
    of_a_list = _of_a_matrix(task) if len(first.values) > 1 else _of_a_gradient(task)
    yield from _of_a_number(task) if first.is_number else of_a_list
    yield Mistake("value", "It is the value of the function, not its derivative.", "", lambda case: case.values)
    yield from _OF_ANY
    if first.is_number and first.task.name in TASK_NAMES:  # a user's function may itself be wrong
        yield from _of_other_functions(task)


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
    Mistake("integer-division", "It has lost its fraction: an integer division, such as 1/n of integers in Java and C.",
            "Divide floating-point numbers: 1.0/n.", lambda case: [float(math.trunc(x)) for x in case.right]),
    Mistake("integer-division", "It is rounded down: // instead of /.", "Divide with /.",
            lambda case: [float(math.floor(x)) for x in case.right]),
    Mistake("zero", "It is always 0: never assigned, or an integer division such as 1/n.", "", _scaled(0.0)),
    Mistake("stale", "It is the result for the previous point: stale.",
            "Compute the gradient from this step's numbers, after the forward pass.", _stale),
    Mistake("accumulated", "The gradients of earlier points are still in it: it is the sum of all so far.",
            "Set gradients to zero before each backward pass.", _piled),
)


# -- a number of a number ----------------------------------------------------------------------------------------------


def _of_text(text: str, is_of_output: bool = False) -> Applied:
    return lambda case: [function_of(text)(case.xs[0], case.xs[0] if is_of_output else case.values[0])]


def _derivative_of(task: Task, place: Callable[[Case], float] = lambda case: case.xs[0]) -> Applied:
    return lambda case: flat(task.derivative((place(case), *case.point[1:])))


def _second(case: Case) -> Numbers | None:
    try:
        return flat(jacobian(jacobian(case.task.function))(*case.point))
    except AutogradError:  # a function of floats alone
        return None


def _of_a_number(task: Task) -> Iterator[Mistake]:
    right = RIGHT.get(task.name)
    if right and right.by_output:
        yield Mistake("output-form", f"{right.by_output} is right if you pass the output a = {task.name}(x); "
                      "here a is the input.",
                      f"Compute a = {task.name}(x) first, or write {right.by_input}.", _of_text(right.by_output, True))
    if task.name == "binary_cross_entropy":
        yield from _written(WRONG_GRADIENTS, task, _of_element)
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
    yield Mistake("second-derivative", "It is the second derivative.", "", _second)
    yield Mistake("degrees", "The argument is converted to radians, as if it were in degrees.", "Pass radians.",
                  _derivative_of(task, lambda case: case.xs[0] * math.pi / 180.0))


def _of_other_functions(task: Task) -> Iterator[Mistake]:
    for other in [name for name in (*ACTIVATIONS, *RIGHT) if name != task.name]:
        sentence = f"It is the derivative of {other}, not of {task.name}."
        yield Mistake("wrong-function", sentence, "",
                      partial(lambda f, case: flat(f.derivative(case.point[:1])), task_named(other)))
        if other in RIGHT and len(RIGHT[other].by_output) > 1:  # "a" is the value
            yield Mistake("wrong-function", sentence, "", _of_text(RIGHT[other].by_output))


# -- lists -------------------------------------------------------------------------------------------------------------


def _of_entry(name: str, text: str, case: Case) -> Numbers:
    """Return what a formula gives for each entry of a Jacobian."""
    formula, a = function_of(text), softmax(case.xs) if name == "log_softmax" else case.values
    return [formula(a=a, i=i, j=j, J=x) for i, row in enumerate(case.matrix) for j, x in enumerate(row)]


def _of_element(name: str, text: str, case: Case) -> Numbers:
    """Return what a formula gives for each element of a gradient."""
    formula, n, largest = function_of(text), len(case.xs), max(case.xs)
    targets = case.targets or [math.nan] * n
    values = softmax(case.xs) if name == "cross_entropy" else case.values * n
    values = [ieee.divide(1.0, 1.0 + ieee.exp(-case.xs[0]))] if name == "binary_cross_entropy" else values
    return [formula(x, a, t=t, n=n, largest=largest) for x, a, t in zip(case.xs, values, targets, strict=True)]


def _written(rows: Sequence[Entry], task: Task, apply: Callable[[str, str, Case], Numbers]) -> Iterator[Mistake]:
    """Yield the rows of a table of entries that are about a task."""
    kind = "own" if task.name == "softmax" or task.name not in TASK_NAMES else task.name
    for tasks, name, text, sentence, *correction in rows:
        if not tasks or kind in tasks.split():
            yield Mistake(name, sentence.format(text), "".join(correction), partial(apply, task.name, text))


_ALL_ROWS = "Return all rows, one per output."
_OF_A_MATRIX = (
    Mistake("diagonal", "It is the diagonal of the Jacobian alone: every output depends on every input.", "",
            lambda case: [row[i] for i, row in enumerate(case.matrix) if i < len(row)]),
    Mistake("transposed", "It is transposed: rows are inputs and columns outputs.",
            "J[i][j] is the derivative of output i by input j; swap rows and columns.",
            lambda case: [row[j] for j in range(len(case.xs)) for row in case.matrix]),
    Mistake("row-for-column", "It is the first row of the Jacobian alone.", _ALL_ROWS, lambda case: case.matrix[0]),
    Mistake("row-for-column", "It is the first column of the Jacobian alone.", _ALL_ROWS,
            lambda case: [row[0] for row in case.matrix]),
    Mistake("row-for-column", "It is the Jacobian summed over inputs.", _ALL_ROWS,
            lambda case: [sum(row) for row in case.matrix]),
    Mistake("row-for-column", "It is the Jacobian summed over outputs.", _ALL_ROWS,
            lambda case: [sum(column) for column in zip(*case.matrix, strict=True)]),
)


def _of_a_matrix(task: Task) -> Iterator[Mistake]:
    entries = [*_written(WRONG_JACOBIANS, task, _of_entry)]
    yield from (*entries[:2], *_OF_A_MATRIX)  # what is true of all Jacobians
    for name, wrong, sentence, correction in WRONG_SOFTMAX:
        yield Mistake(name, sentence, correction, partial(_softmax_jacobian, wrong, task.name))
    yield from entries[2:]
    yield Mistake("input-form", "It is the Jacobian at the output: you passed it, or applied the function twice.", "",
                  lambda case: flat(case.task.derivative((trees.rebuilt(case.point[0], iter(case.values)),
                                                          *case.point[1:]))))


def _softmax_jacobian(wrong: Callable[[Numbers], Numbers], name: str, case: Case) -> Numbers:
    a = wrong(case.xs)
    if name == "log_softmax":
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


def _less(wrong: Callable[[Numbers], Numbers], sign: float, case: Case) -> Numbers:
    probabilities = wrong(case.xs)
    targets = case.targets or [0.0] * len(probabilities)
    total = sum(case.targets) if case.targets else 1.0
    return [sign * (a * total - t) for a, t in zip(probabilities, targets, strict=True)]


_PER_NUMBER = (  # two mistakes that come together: t - a, and n
    Mistake("mean-for-sum, sign", "The sign is flipped, and it is divided by n once too often.",
            "Flip the sign, and do not divide by n.", lambda case: [-slope / len(case.xs) for slope in case.slopes]),
    Mistake("sum-for-mean, sign", "The sign is flipped, and it is n times the derivative.",
            "Flip the sign, and divide by n.", lambda case: [-len(case.xs) * slope for slope in case.slopes]),
)


_INDEX = "Check the index: it is the derivative of the wrong element or layer."
_OF_A_GRADIENT = (
    Mistake("absolute", "The sign is lost: it is the absolute value.", "", lambda case: list(map(abs, case.slopes))),
    Mistake("off-by-one", "It is shifted by one: each number stands where the next one belongs.", _INDEX,
            lambda case: case.slopes[-1:] + case.slopes[:-1]),
    Mistake("off-by-one", "It is shifted by one: each number stands where the one before it belongs.", _INDEX,
            lambda case: case.slopes[1:] + case.slopes[:1]),
    Mistake("reversed", "It is in reverse order.", _INDEX, lambda case: case.slopes[::-1]),
    Mistake("last-only", "Only the last element has a gradient: = instead of +=, or a constant index.", _INDEX,
            lambda case: [*[0.0] * (len(case.slopes) - 1), case.slopes[-1]]),
)


def _of_a_gradient(task: Task) -> Iterator[Mistake]:
    entries = [*_written(WRONG_GRADIENTS, task, _of_element)]
    if task.name == "cross_entropy":
        yield entries.pop(0)  # the condition of the right formula
    for name, wrong, sentence, correction in WRONG_SOFTMAX if task.name in ("cross_entropy", "logsumexp") else ():
        yield Mistake(name, sentence, correction, partial(_less, wrong, 1.0))
        yield Mistake(f"{name}, sign", f"{sentence} And the sign is flipped.", correction, partial(_less, wrong, -1.0))
    yield from (*entries, *_PER_NUMBER, *_OF_A_GRADIENT)


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
