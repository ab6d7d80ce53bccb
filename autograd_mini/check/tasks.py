"""What the right numbers are: a function, its value and derivative at a point, and the points that expose errors.

Rely on: `task_named("tanh")` for every differentiable function of the package (`TASK_NAMES`), `task_of(f, points)` for
a user's function, and `Task.value`, `Task.derivative`, `Task.points`. A point is a tuple of the arguments: `(0.5,)` for
tanh, `([1.0, 2.0],)` for softmax, `([1.0, 2.0], [0.0, 1.0])` for cross_entropy and other losses of a list and a target.
Derivatives are by the first argument: a number for a number of a number, a list (the gradient) for a number of a list,
a matrix (the Jacobian, `[output][input]`) for a list of a list; in general the structure of `jacobian`.
Not here: wrong numbers. Read next: `check.gradients`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from autograd_mini.check.differences import Estimate, differentiate
from autograd_mini.core import table
from autograd_mini.core.row import TABLE, Primitive, as_number
from autograd_mini.core.sweep import topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.functions import ACTIVATIONS, FUNCTIONS
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import jacobian
from autograd_mini.transforms.detached import no_grad
from autograd_mini.watch.boundaries import kinks

Point = tuple[Any, ...]


def flat(tree: Any) -> list[float]:
    """Return the numbers of a structure, from left to right; nan for anything that is not a number."""
    found = [as_number(x.data if is_node(x) else x) for _, x in trees.numbers(tree)]
    return [math.nan if x is None else x for x in found]


@dataclass(frozen=True, eq=False)
class Task:
    """A function whose derivative is known."""

    name: str  # what reports call it
    function: Callable[..., Any]  # the right one
    points: tuple[Point, ...]  # that expose errors: tails, kinks, ties, the ends of the domain
    _known: dict[str, tuple[Any, Any, list[float]]] = field(default_factory=dict, repr=False)
    _moved: dict[tuple[str, int], Callable[[float], list[float]]] = field(default_factory=dict, repr=False)

    def value(self, point: Point) -> Any:
        """Return the right value: a number, or a list."""
        return self._at(point)[0]

    def derivative(self, point: Point) -> Any:
        """Return the right derivative by the first argument."""
        return self._at(point)[1]

    def errors(self, point: Point) -> list[float]:
        """Return how far off each number of the derivative may be, if it comes from differences."""
        return self._at(point)[2]

    def is_kink(self, point: Point) -> bool:
        """Return True where the derivative is a choice; only for functions that record."""
        with kinks() as found:
            self.function(_leaves(point), *point[1:])
        return bool(found)

    def moved(self, point: Point, index: int) -> Callable[[float], list[float]]:
        """Return the values as a function of one number of the first argument; [] where there are none."""
        here = flat(point[0])

        def function(x: float) -> list[float]:
            numbers = iter([*here[:index], x, *here[index + 1 :]])
            try:
                return flat(_plain(self.function, (trees.rebuilt(point[0], numbers), *point[1:])))
            except (ArithmeticError, ValueError):  # outside the domain of `math`
                return []

        return function

    def estimate(self, point: Point, output: int, index: int, patient: bool = False) -> Estimate:
        """Return the slope of one output by one number of the first argument, by differences."""
        key = _key(point), index
        if key not in self._moved:
            self._moved[key] = functools.cache(self.moved(point, index))
        function, here = self._moved[key], flat(point[0])[index]
        return differentiate(lambda x: (function(x) or [math.nan] * (output + 1))[output], here, patient)

    def _at(self, point: Point) -> tuple[Any, Any, list[float]]:
        key = _key(point)
        if key not in self._known:
            value = _plain(self.function, point)
            try:
                derivative = jacobian(self.function)(*point)
                errors = [0.0] * len(flat(derivative))
                is_sure = self.name in TASK_NAMES or not _has_own_rules(self.function, point)
            except (OperandError, AttributeError, TypeError):  # it takes only floats, as `math` does
                is_sure = False
            if not is_sure:
                derivative, errors = self._by_differences(point, value)
            self._known[key] = value, derivative, errors
        return self._known[key]

    def _by_differences(self, point: Point, value: Any) -> tuple[Any, list[float]]:
        inputs, outputs = range(len(flat(point[0]))), range(len(flat(value)))
        found = [[self.estimate(point, j, i) for i in inputs] for j in outputs]
        rows = [trees.rebuilt(point[0], iter([estimate.slope for estimate in row])) for row in found]
        return trees.outer(value, point[0], iter(rows)), [estimate.error for row in found for estimate in row]


def _leaves(point: Point) -> Any:
    """Return the first argument as leaves of a graph."""
    return trees.rebuilt(point[0], map(Value, flat(point[0])))


def _key(point: Point) -> str:
    return repr([*trees.numbers(point)])  # not of the point itself: NumPy writes few digits of an array


def _has_own_rules(function: Callable[..., Any], point: Point) -> bool:
    """Return True if a function uses primitives of the user, whose rules may be what is wrong."""
    result = function(_leaves(point), *point[1:])
    roots = [root for _, root in trees.numbers(result) if is_node(root)]
    return any(node._row is not None and node._row.is_users for root in roots for node in topological_order(root))


def _plain(function: Callable[..., Any], point: Point) -> Any:
    """Return the value of a function of floats, or of `Value`s if it needs their methods."""
    try:
        return function(*point)
    except AttributeError:
        with no_grad():
            return trees.mapped(lambda x: x.data, function(_leaves(point), *point[1:]))


# -- points ------------------------------------------------------------------------------------------------------------

_SIZES = (0.5, 1.0, 2.0, 0.0, 0.1, 3.0, 1e-8, 1.5, 5.0, 8.0, 20.0, 40.0, 300.0)
NUMBERS = tuple([(sign * size,) for size in _SIZES for sign in (1.0, -1.0)])
_LOGITS: tuple[list[float], ...] = (
    [1.0, 2.0, 3.0], [0.5, -1.0, 2.0, 0.1], [3.0, -2.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -3.0], [2.0, 2.0, 0.5],
    [30.0, 0.0, -30.0], [1000.0, 1001.0, 998.0], [-1000.0, -1001.0, -1003.0, -1002.0], [0.3, 0.2, -0.4, 1.1, -2.0],
)  # fmt: skip
_VECTORS = ([3.0, 4.0], [0.5, -1.0, 2.0], [1.0, 1.0, 1.0, 1.0], [-1.0, -2.0, -0.5, 0.25], [20.0, -1.0, 1e-8, 3.0, 7.0])
_TARGETS = ([1.5, 0.0], [0.25, 0.5, 2.5], [1.0, 0.0, 3.0, -1.0], [-1.5, 2.0, 1.0, 0.75], [19.0, 2.0, 0.5, 3.0, 4.0])
_LABELS = ([1.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0], [-1.0, -1.0, 1.0, 1.0, -1.0])
_PAIRS = ((2.0, 3.0), (0.5, 1.5), (3.0, 0.25), (1.0, 1.0), (1.0, 2.0), (20.0, 2.0), (0.1, -2.0), (2.5, 20.0))
_CLASSES = (
    *[(z, [float(j == k % len(z)) for j in range(len(z))]) for k, z in enumerate(_LOGITS)],
    ([0.5, 1.5, -1.0], [0.2, 0.3, 0.5]), ([1.0, 2.0], [0.75, 0.25]),
)  # fmt: skip
_PAIRED = {
    "cross_entropy": _CLASSES,
    "nll": tuple([([-abs(x) - 0.125 for x in z], t) for z, t in _CLASSES if max(map(abs, z)) < 100.0]),
    "binary_cross_entropy": tuple([(x, t) for (x,) in NUMBERS for t in (1.0, 0.0, 0.25)][::2]),
    **dict.fromkeys(("mse", "mae", "huber", "dot"), tuple(zip(_VECTORS, _TARGETS, strict=True))),
    "hinge": tuple(zip(_VECTORS, _LABELS, strict=True)),
    **dict.fromkeys(("logaddexp", "atan2", "hypot", "pow", "maximum", "minimum", "xlogy", "remainder", "fmod"), _PAIRS),
}
_OF_LISTS = {**dict.fromkeys(("softmax", "log_softmax", "logsumexp"), _LOGITS),
             **dict.fromkeys(("sum", "mean", "norm"), _VECTORS)}  # fmt: skip
_WITHOUT_SLOPE = ("where", "clip", "floor", "sign", "take")  # of three operands, flat, or of an index
_PRIMITIVES = [row.name for row in TABLE.values() if row.is_public and not row.is_users]
TASK_NAMES: tuple[str, ...] = tuple([
    name for name in dict.fromkeys([*ACTIVATIONS, *FUNCTIONS, *_PRIMITIVES]) if name not in _WITHOUT_SLOPE
])  # fmt: skip


@functools.cache
def task_named(name: str) -> Task:
    """Return the task of a function of the package; an ArgumentError if there is no such function to check."""
    if name not in TASK_NAMES:
        near = get_close_matches(str(name), TASK_NAMES, 1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Choose one of {', '.join(TASK_NAMES[:20])}, …"
        raise ArgumentError(f"There is no function {shown(name)} to check.", advice)
    row = TABLE.get(name)
    if name in _OF_LISTS:
        points: Sequence[Point] = tuple([(xs,) for xs in _OF_LISTS[name]])
    else:
        points = _PAIRED.get(name) or (*NUMBERS, *_ends(row))
    function = FUNCTIONS.get(name) or getattr(table, name)
    return Task(name, function, tuple(_usable(Task(name, function, ()), points)))


def task_of(function: Callable[..., Any], points: Sequence[Point] | None = None, name: str = "f") -> Task:
    """Return the task of a user's function, whose derivative is computed by this package, or by differences.

    Without points they are chosen: numbers or, if the function does not take one, lists of numbers. An ArgumentError if
    it takes neither.
    """
    if points is not None:
        return Task(name, function, tuple(points))
    for chosen in (NUMBERS, tuple([(xs,) for xs in _LOGITS])):
        usable = tuple(_usable(Task(name, function, ()), chosen))
        if usable:
            return Task(name, function, usable)
    raise ArgumentError(f"{name} takes neither a number nor a list of numbers.", "Pass points: at=[...].")


def _ends(row: Primitive | None) -> Iterator[Point]:
    """Yield points beside the ends of a domain, where a slope is large."""
    for end, inwards in zip(row.inside if row else (), (1.0, -1.0), strict=False):
        if math.isfinite(end):
            yield from ((end + inwards * size,) for size in (1e-9, 1e-3, 0.25))


def _usable(task: Task, points: Sequence[Point]) -> Iterator[Point]:
    """Yield the points at which value and derivative exist."""
    for point in points:
        try:
            if all(map(math.isfinite, flat(task.value(point)) + flat(task.derivative(point)) + task.errors(point))):
                yield point
        except Exception:  # from a user's function, which may not take such points at all
            continue
