"""THE MISTAKES: one row per way to get a derivative, or a value, wrong; each says which numbers would come of it.

A row holds a name, the numbers that the mistake gives at a point, a sentence and the correction. Simple rows stand
first. Rows for whole backward passes are in `passes`. Not here: which rows explain given numbers.
Read next: `check.passes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from autograd_mini.check.formulas import RIGHT, WRONG_SLOPES, WRONG_VALUES, function_of, right_formula
from autograd_mini.check.tasks import TASK_NAMES, Point, Task, flat, task_named, task_of
from autograd_mini.core import ieee
from autograd_mini.functions import ACTIVATIONS
from autograd_mini.functions.logits import softmax
from autograd_mini.notation.text import number as written
from autograd_mini.transforms import trees

Numbers = list[float]
SIMPLEST = 7  # rows: the sign and factors


@dataclass(frozen=True, eq=False)
class Case:
    """One point, with the numbers that are right there, as flat lists; `before` holds the points before it."""

    task: Task
    point: Point
    before: tuple[Case, ...] = ()
    xs: Numbers = field(init=False)  # the first argument
    targets: Numbers = field(init=False)  # the second one; [] if there is none
    values: Numbers = field(init=False)
    slopes: Numbers = field(init=False)  # row by row, for a Jacobian

    def __post_init__(self) -> None:
        found = (self.point[0], self.point[1] if len(self.point) > 1 else [], self.task.value(self.point),
                 self.task.derivative(self.point))  # fmt: skip
        for name, tree in zip(("xs", "targets", "values", "slopes"), found, strict=True):
            object.__setattr__(self, name, flat(tree))

    @property
    def matrix(self) -> list[Numbers]:
        """The derivative as rows, one per output."""
        n = len(self.xs)
        return [self.slopes[i * n : (i + 1) * n] for i in range(len(self.values))]

    @property
    def is_number(self) -> bool:
        """Whether it is a function of one number that returns one."""
        return trees.is_number(self.point[0]) and len(self.values) == 1


@dataclass(frozen=True, eq=False)
class Mistake:
    """A row of the table."""

    name: str  # a short key, the same for all who make it
    apply: Callable[[Case], Numbers | None]  # the numbers that come of it; None where it does not apply
    sentence: str
    correction: str = ""


def mistakes_of(cases: Sequence[Case], quantity: str) -> Iterator[Mistake]:
    """Yield the rows that may apply to a task, the simplest first."""
    task = cases[0].task
    right = right_formula(task.name)
    write = f"Write {right}." if right else "Compare with the derivative by autograd_mini: grad(f) or jacobian(f)."
    rows = _of_values(task) if quantity == "value" else _of_slopes(task, cases, write)
    for row in rows:
        yield row if row.correction else Mistake(row.name, row.apply, row.sentence, write)


def _scaled(factor: float) -> Callable[[Case], Numbers]:
    return lambda case: [factor * slope for slope in case.slopes]


def _of_slopes(task: Task, cases: Sequence[Case], write: str) -> Iterator[Mistake]:
    is_number = cases[0].is_number
    yield Mistake("sign", _scaled(-1.0), "The sign is flipped.", _sign_advice(task.name) or write)
    yield from _factors()
    if is_number:
        yield from _of_a_number(task)
    elif len(cases[0].values) > 1:
        yield from _of_a_matrix()
    else:
        yield from _of_a_gradient(task)
    yield Mistake("reciprocal", lambda case: [ieee.divide(1.0, slope) for slope in case.slopes],
                  "It is 1 divided by the derivative.")  # fmt: skip
    yield Mistake("value", lambda case: case.values, "It is the value of the function, not its derivative.")
    yield Mistake("integer-division", lambda case: [float(math.trunc(slope)) for slope in case.slopes],
                  "It has lost its fraction: in an integer division, as in 1/n of integers in Java and C.",
                  "Divide floating-point numbers: 1.0/n.")  # fmt: skip
    yield Mistake("integer-division", lambda case: [float(math.floor(slope)) for slope in case.slopes],
                  "It is rounded down: // instead of /.", "Divide with /.")  # fmt: skip
    yield Mistake("zero", lambda case: [0.0 for _ in case.slopes],
                  "It is always 0: a gradient that is never assigned, or an integer division such as 1/n.")  # fmt: skip
    yield from _of_sequences()


_NAMED_FACTORS: tuple[tuple[str, float, str], ...] = (
    ("factor", 0.5, "A factor 2 is missing: it is half the derivative."),
    ("factor", 2.0, "It is twice the derivative: a factor 2 too many, or a contribution that is added twice."),
    ("degrees", math.pi / 180.0, "It is the derivative by an angle in degrees: a factor pi/180 too many."),
    ("degrees", 180.0 / math.pi, "A factor pi/180 is missing or inverted: degrees instead of radians."),
)


def _factors() -> Iterator[Mistake]:
    for name, factor, sentence in _NAMED_FACTORS:
        yield Mistake(name, _scaled(factor), sentence)
    yield Mistake("sum-for-mean", lambda case: [len(case.xs) * slope for slope in case.slopes],
                  "It is n times the derivative: a sum where the mean is meant.", "Divide by n.")  # fmt: skip
    yield Mistake("mean-for-sum", lambda case: [slope / len(case.xs) for slope in case.slopes],
                  "It is divided by n once too often: a mean where the sum is meant.", "Do not divide by n.")  # fmt: skip


def constant_factor(factor: float) -> Mistake:
    """Return the row of a factor that is the same at all points."""
    text = written(factor, 6)
    return Mistake("factor", _scaled(factor), f"It is {text} times the derivative, everywhere.", f"Divide by {text}.")


def _sign_advice(name: str) -> str:
    if name in ("cross_entropy", "binary_cross_entropy"):
        return f"Write {right_formula(name)}: a - t, not t - a."
    return ""


# -- a number of a number ----------------------------------------------------------------------------------------------


def _of_text(text: str) -> Callable[[Case], Numbers]:
    return lambda case: [function_of(text)(case.xs[0], case.values[0])]


def _of_a_number(task: Task) -> Iterator[Mistake]:
    right = RIGHT.get(task.name)
    if right and right.by_output:
        text = right.by_output
        yield Mistake("output-form", lambda case: [function_of(text)(case.xs[0], case.xs[0])],
                      f"{text} is right if you pass the output a = {task.name}(x); here a is the input.",
                      f"Compute a = {task.name}(x) first, or write {right.by_input}.")  # fmt: skip
    yield Mistake("input-form", lambda case: flat(task.derivative((case.values[0], *case.point[1:]))),
                  "It is right if you pass the input; here it got the output of the function.")  # fmt: skip
    for text, why in WRONG_SLOPES.get(task.name, {}).items():
        yield Mistake("formula", _of_text(text), f"It is {text}: {why}.")
    for text, why in WRONG_VALUES.get(task.name, {}).items():
        wrong = task_of(function_of(text), (), text)
        advice = f"Correct the function first: {why}."
        says = f"The derivative belongs to another function: {task.name}(x) is computed as {text}."
        yield Mistake("forward", lambda case, wrong=wrong: flat(wrong.derivative(case.point[:1])), says, advice)  # type: ignore[misc]
        if right and right.by_output:
            by_output = function_of(right.by_output)
            yield Mistake("forward", lambda case, wrong=wrong, f=by_output: [f(case.xs[0], wrong.value(case.point[:1]))],  # type: ignore[misc]
                          f"{right.by_output} is right, but a is computed as {text}.", advice)  # fmt: skip
    yield Mistake("degrees", lambda case: flat(task.derivative((case.xs[0] * math.pi / 180.0, *case.point[1:]))),
                  "The argument is converted to radians, as if it were in degrees.", "Pass radians.")  # fmt: skip
    for other in (*ACTIVATIONS, *RIGHT):
        if other != task.name and task.name in TASK_NAMES:  # a user's function may itself be wrong
            yield from _of_another(other, task.name)


def _of_another(other: str, name: str) -> Iterator[Mistake]:
    task = task_named(other)
    sentence = f"It is the derivative of {other}, not of {name}."
    yield Mistake("wrong-function", lambda case: flat(task.derivative(case.point[:1])), sentence)
    if other in RIGHT and len(RIGHT[other].by_output) > 1:  # "a" is the value
        yield Mistake("wrong-function", _of_text(RIGHT[other].by_output), sentence)


# -- lists -------------------------------------------------------------------------------------------------------------


def _of_a_matrix() -> Iterator[Mistake]:
    def transposed(case: Case) -> Numbers:
        return [row[j] for j in range(len(case.xs)) for row in case.matrix]

    def signs(case: Case) -> Numbers:
        return [slope if i == j else -slope for i, row in enumerate(case.matrix) for j, slope in enumerate(row)]

    def diagonal(case: Case) -> Numbers:
        return [slope if i == j else 0.0 for i, row in enumerate(case.matrix) for j, slope in enumerate(row)]

    yield Mistake("diagonal", diagonal, "Only the diagonal is there: every output depends on every input.")
    yield Mistake("diagonal", lambda case: [row[i] for i, row in enumerate(case.matrix) if i < len(row)],
                  "It is the diagonal of the Jacobian alone: every output depends on every input.")  # fmt: skip
    yield Mistake("off-diagonal-sign", signs, "The sign beside the diagonal is flipped.")
    yield Mistake("transposed", transposed, "It is transposed: rows are inputs and columns outputs.",
                  "J[i][j] is the derivative of output i by input j; swap rows and columns.")  # fmt: skip
    for name, sentence, which in (("row-for-column", "the first row", 0), ("row-for-column", "the first column", 1)):
        yield Mistake(name, lambda case, which=which: [row[0] for row in case.matrix] if which else case.matrix[0],  # type: ignore[misc]
                      f"It is {sentence} of the Jacobian alone.", "Return all rows, one per output.")  # fmt: skip
    for name, sentence, sums in (
        ("row-for-column", "the sum over inputs", lambda m: [sum(row) for row in m]),
        ("row-for-column", "the sum over outputs", lambda m: [sum(column) for column in zip(*m, strict=True)]),
    ):
        yield Mistake(name, lambda case, sums=sums: sums(case.matrix), f"It is {sentence} of the Jacobian.",  # type: ignore[misc]
                      "Return all rows, one per output.")  # fmt: skip
    yield from _of_softmax()
    yield Mistake("input-form", lambda case: flat(case.task.derivative((_like(case, case.values), *case.point[1:]))),
                  "It is the Jacobian at the output: the function is applied twice, or you passed its output.")  # fmt: skip


def _like(case: Case, numbers: Numbers) -> object:
    return trees.rebuilt(case.point[0], iter(numbers))


def _exponentials(zs: Numbers, shift: float) -> Numbers:
    return [ieee.exp(z - shift) for z in zs]


def _normalised(terms: Numbers) -> Numbers:
    return [ieee.divide(term, sum(terms)) for term in terms]


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
    ("not-normalised", lambda zs: _exponentials(zs, 0.0), "The exponentials are not divided by their sum.",
     "Divide by the sum of the exponentials."),
    ("linear", _normalised, "The logits themselves are divided by their sum, without exponentials.",
     "Take exp of each logit first."),
    ("sigmoid-for-softmax", lambda zs: [ieee.divide(1.0, 1.0 + ieee.exp(-z)) for z in zs],
     "It is the sigmoid of each logit, not softmax.", "Divide each exponential by the sum of all."),
    ("in-place", _overwritten, "The list is overwritten while it is still read: later elements see earlier results.",
     "Write the results into a new list."),
    ("running-maximum", lambda zs: _normalised(_exponentials(zs, max(5e-324, *zs))),
     "The running maximum starts at the smallest positive number, so it stays there if all logits are negative.",
     "Start at the first logit, or at -infinity (Double.MIN_VALUE is positive)."),
    ("overflow", lambda zs: _normalised(_exponentials(zs, 0.0)), "It is right, but exp overflows for large logits.",
     "Subtract the largest logit from all before taking exp."),
)  # fmt: skip


def _of_softmax() -> Iterator[Mistake]:
    for name, wrong, sentence, correction in WRONG_SOFTMAX:

        def jacobian(case: Case, wrong: Callable[[Numbers], Numbers] = wrong) -> Numbers | None:
            a = wrong(case.xs)
            if case.task.name == "log_softmax":
                return [(i == j) - a_j for i in range(len(a)) for j, a_j in enumerate(a)]
            return [a_i * ((i == j) - a[j]) for i, a_i in enumerate(a) for j in range(len(a))]

        yield Mistake(name, jacobian, sentence, correction)

    def plus(case: Case) -> Numbers:
        return [a_i * ((i == j) + a_j) for i, a_i in enumerate(case.values) for j, a_j in enumerate(case.values)]

    yield Mistake("off-diagonal-sign", plus, "It is a[i]*((1 if i == j else 0) + a[j]): plus instead of minus.")


def _of_a_gradient(task: Task) -> Iterator[Mistake]:
    if task.name in ("cross_entropy", "logsumexp"):
        for name, wrong, sentence, correction in WRONG_SOFTMAX:
            yield Mistake(name, lambda case, wrong=wrong: _less(wrong(case.xs), case.targets), sentence, correction)  # type: ignore[misc]
            yield Mistake(f"{name}, sign", lambda case, wrong=wrong: [-x for x in _less(wrong(case.xs), case.targets)],  # type: ignore[misc]
                          f"{sentence} And the sign is flipped.", correction)  # fmt: skip
    if task.name == "cross_entropy":
        yield Mistake("inner-derivative", lambda case: [-ieee.divide(t, a) for a, t in _classes(case)],
                      "It is -t/a, the derivative by the probabilities: the derivative of softmax is missing.")  # fmt: skip
        yield Mistake("diagonal", lambda case: [-t * (1.0 - a) for a, t in _classes(case)],
                      "Only the diagonal of the derivative of softmax is used.")  # fmt: skip
        yield Mistake("target", lambda case: [a for a, _ in _classes(case)], "The target is not subtracted.")
        yield Mistake("target", lambda case: [a - 1.0 for a, _ in _classes(case)],
                      "1 is subtracted for every class, not for the right one alone.")  # fmt: skip
        yield Mistake("extra-derivative", lambda case: [(a - t) * a * (1.0 - a) for a, t in _classes(case)],
                      "a - t is multiplied by a*(1 - a), which it contains already.")  # fmt: skip
    if task.name in ("mse", "mae", "huber"):
        yield Mistake("target", lambda case: [2.0 * y / len(case.xs) for y in case.xs],
                      "The target is not subtracted.")  # fmt: skip
    yield Mistake("absolute", lambda case: list(map(abs, case.slopes)), "The sign is lost: it is the absolute value.")
    for by, sentence in ((1, "It is shifted by one: each number stands where the one before it belongs."),
                         (-1, "It is shifted by one: each number stands where the next one belongs.")):  # fmt: skip
        yield Mistake("off-by-one", lambda case, by=by: case.slopes[-by:] + case.slopes[:-by], sentence,  # type: ignore[misc]
                      "Check the index: the derivative of the wrong element or layer.")  # fmt: skip
    yield Mistake("reversed", lambda case: case.slopes[::-1], "It is in reverse order.")
    yield Mistake("last-only", lambda case: [*[0.0] * (len(case.slopes) - 1), case.slopes[-1]],
                  "Only the last element has a gradient: = for += or an index that stands still.")  # fmt: skip


def _less(probabilities: Numbers, targets: Numbers) -> Numbers:
    return [a - t for a, t in zip(probabilities, targets or [0.0] * len(probabilities), strict=True)]


def _classes(case: Case) -> list[tuple[float, float]]:
    return list(zip(softmax(case.xs), case.targets, strict=True))


def _of_sequences() -> Iterator[Mistake]:
    def stale(case: Case) -> Numbers | None:
        if not case.before:
            return case.slopes
        return case.before[-1].slopes if len(case.before[-1].slopes) == len(case.slopes) else None

    def piled(case: Case) -> Numbers | None:
        steps = [each.slopes for each in (*case.before, case)]
        same = len({len(step) for step in steps}) == 1
        return [sum(column) for column in zip(*steps, strict=True)] if same else None

    yield Mistake("stale", stale, "It is the gradient of the point before: stale.",
                  "Compute the gradient from this step's numbers, after the forward pass.")  # fmt: skip
    yield Mistake("accumulated", piled, "Gradients of earlier points are still in it: it is the sum of all so far.",
                  "Set gradients to zero before each backward pass.")  # fmt: skip


# -- values ------------------------------------------------------------------------------------------------------------


def _of_values(task: Task) -> Iterator[Mistake]:
    right = f"{task.name} as the package computes it"
    for factor, sentence in ((-1.0, "The sign is flipped."), (2.0, "It is twice the value."),
                             (0.5, "It is half the value.")):  # fmt: skip
        yield Mistake("sign" if factor < 0.0 else "factor", lambda case, c=factor: [c * y for y in case.values],  # type: ignore[misc]
                      sentence, f"Compare with {right}.")  # fmt: skip
    for text, why in WRONG_VALUES.get(task.name, {}).items():
        yield Mistake("forward", _of_text(text), f"It is {text}: {why}.", f"Compare with {right}.")
    if task.name == "softmax":
        for name, wrong, sentence, correction in WRONG_SOFTMAX:
            yield Mistake(name, lambda case, wrong=wrong: wrong(case.xs), sentence, correction)  # type: ignore[misc]
    if task.name == "cross_entropy":
        yield from _of_cross_entropy()
    yield Mistake("sum-for-mean", lambda case: [len(case.xs) * y for y in case.values],
                  "It is n times the value: a sum where the mean is meant.", "Divide by n.")  # fmt: skip
    yield Mistake("derivative", lambda case: case.slopes, "It is the derivative, not the value.", "Return the value.")
    yield Mistake("integer-division", lambda case: [float(math.trunc(y)) for y in case.values],
                  "It has lost its fraction: an integer division, or an int variable.",
                  "Divide floating-point numbers: 1.0/n.")  # fmt: skip
    for other in (*ACTIVATIONS, *RIGHT):
        if other != task.name and task.name in RIGHT:
            yield Mistake("wrong-function", lambda case, f=task_named(other): flat(f.value(case.point[:1])),  # type: ignore[misc]
                          f"It is {other}, not {task.name}.", f"Compare with {right}.")  # fmt: skip


def _of_cross_entropy() -> Iterator[Mistake]:
    for name, wrong, sentence, correction in WRONG_SOFTMAX:

        def loss(case: Case, wrong: Callable[[Numbers], Numbers] = wrong) -> Numbers:
            terms = [t * ieee.log(a) for a, t in zip(wrong(case.xs), case.targets, strict=True) if t]
            return [-sum(terms)]

        yield Mistake(name, loss, sentence, correction)
