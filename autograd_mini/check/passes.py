"""Mistakes in a whole backward pass: the sweep of a recorded function, with one thing done wrong in it.

A call of a composition, such as tanh, is one step. Not here: mistakes in a formula (`mistakes`).
Read next: `check.diagnosis`.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from autograd_mini.check.formulas import RIGHT, function_of
from autograd_mini.check.mistakes import Case, Mistake, Numbers
from autograd_mini.check.tasks import TASK_NAMES, flat, task_named
from autograd_mini.core.ieee import divide
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import propagate, topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.explanation.graph import inputs_of
from autograd_mini.explanation.words import at
from autograd_mini.notation.names import call_of
from autograd_mini.transforms import trees
from autograd_mini.watch.origins import provenance

_MOST = 300  # steps of a function; each gives several rows, and each row a sweep


class Step(NamedTuple):
    """One step of a backward pass: a result, what it hands on to, and the slope towards each."""

    result: Any
    edges: tuple[tuple[Any, float], ...]
    name: str  # "tanh", or "mul"
    is_call: bool


Slopes = Callable[[int, int, float], float | None]  # (step, place, right slope) -> another; None for no edge


@dataclass(frozen=True, eq=False)
class Pass:
    """The steps of a function at a point, from the output down, and its inputs."""

    steps: tuple[Step, ...]
    leaves: tuple[Any, ...]

    def gradient(
        self, slope_of: Slopes = lambda k, place, slope: slope, keeps: str = "all", stops: int | None = None
    ) -> Numbers:
        """Return the gradient with other slopes, where the sum, the first or the last contribution is kept.

        If it `stops` at a step, it is the gradient of that step's result.
        """
        found: dict[Any, float] = {self.steps[0].result: 1.0} if self.steps else {}
        for k, step in enumerate(self.steps):
            if step.result not in found:
                continue
            for place, (operand, slope) in enumerate(step.edges):
                if (partial := slope_of(k, place, slope)) is not None and not (keeps == "first" and operand in found):
                    before = found.get(operand, 0.0) if keeps == "all" else 0.0
                    found[operand] = before + found[step.result] * partial
        return [found.get(leaf, 0.0) for leaf in (self.leaves if stops is None else (self.steps[stops].result,))]

    def walked(self, from_end: bool, repeats: bool = False) -> Numbers | None:
        """Return the gradient of a walk that hands on before everything has arrived: a stack or a queue of nodes."""
        steps = {step.result: step for step in self.steps}
        root = self.steps[0].result
        found, seen, waiting = {root: 1.0}, {root}, deque([root])
        for _ in range(20 * _MOST):
            if not waiting:
                return [found.get(leaf, 0.0) for leaf in self.leaves]
            node = waiting.pop() if from_end else waiting.popleft()
            for operand, slope in steps[node].edges if node in steps else ():
                found[operand] = found.get(operand, 0.0) + found[node] * slope
                if repeats or operand not in seen:
                    seen.add(operand)
                    waiting.append(operand)
        return None


def recorded(case: Case) -> Pass | None:
    """Return the backward pass of a case; None if its function does not record, or returns several numbers."""
    leaves = tuple(map(Value, case.xs))
    try:
        with provenance():
            root = case.task.function(trees.rebuilt(case.point[0], iter(leaves)), *case.point[1:])
    except Exception:  # a function of floats alone
        return None
    if not is_node(root):
        return None
    order = list(topological_order(root))
    users: dict[Any, list[Any]] = {}
    for node in order:
        for operand in node.operands:
            users.setdefault(operand, []).append(node)
    steps, inside = [], set()
    for node in reversed(order):
        call = call_of(node)
        inputs = [] if call is None or node in inside else inputs_of(node, call)
        if call is not None and len(inputs) == 1 and all(call_of(user) is not call for user in users.get(node, ())):
            adjoints = topological_order(node, leaves=inputs)
            inside |= set(adjoints) - set(inputs)
            propagate(node, 1.0, adjoints, leaves=inputs)
            steps.append(
                Step(node, tuple([(x, adjoints[x]) for x in inputs if adjoints[x] is not ZERO]), call.name, True)
            )
        elif node not in inside and node.op is not None:
            edges = [
                (x, float(p)) for x, p in zip(node.operands, node.partials, strict=True) if is_node(x) and p is not ZERO
            ]
            steps.append(Step(node, tuple(edges), str(node.op), False))
    return Pass(tuple(steps), leaves) if len(steps) <= _MOST else None


Wrong = Callable[[Pass], Numbers | None]
Row = Callable[[str, str, str, Wrong], Mistake]


def mistakes_in_passes(cases: Sequence[Case]) -> Iterator[Mistake]:
    """Yield the rows for the backward pass of a user's function that returns one number."""
    if cases[0].task.name in TASK_NAMES or len(cases[0].values) != 1:
        return
    pass_of = functools.cache(recorded)
    if (first := pass_of(cases[0])) is None:
        return
    shape = [(step.name, len(step.edges)) for step in first.steps]

    def row(name: str, sentence: str, correction: str, wrong: Wrong) -> Mistake:
        def apply(case: Case) -> Numbers | None:
            found = pass_of(case)
            is_alike = found is not None and [(step.name, len(step.edges)) for step in found.steps] == shape
            return wrong(found) if found is not None and is_alike else None

        return Mistake(name, sentence, correction, apply)

    for name in dict.fromkeys(step.name for step in first.steps if step.is_call):
        yield from _of_calls(first, name, row)
    for keeps in ("last", "first"):
        yield row("assigned", f"= for +=: of several contributions to a gradient only the {keeps} one is kept.",
                  "Add every contribution: x.grad += ...", partial(Pass.gradient, keeps=keeps))  # fmt: skip
    for from_end, repeats in ((True, False), (False, False), (True, True), (False, True)):
        again = ", and again for each of them" if repeats else ""
        yield row("order", f"A node hands its gradient on before all its consumers have been visited{again}.",
                  "Visit nodes in reverse topological order.",
                  partial(Pass.walked, from_end=from_end, repeats=repeats))  # fmt: skip
    for k, step in enumerate(first.steps[1:] if cases[0].is_number else (), 1):
        yield row("inner-derivative",
                  f"The chain rule stops at {step.name}{at(step.result)}: the inner derivative is missing.",
                  "Multiply by the derivative of what is inside.", partial(Pass.gradient, stops=k))  # fmt: skip
    for k, step in enumerate(first.steps):
        for place in range(len(step.edges)):
            yield from _of_an_edge(k, place, step, row)


# fmt: off
def _of_calls(first: Pass, name: str, row: Row) -> Iterator[Mistake]:
    """Yield what goes wrong with the derivative of an activation: for all its calls, then for one."""
    calls = [k for k, step in enumerate(first.steps) if step.name == name and step.is_call]
    write = f"Multiply by the derivative of {name} at its input."
    yield row("inner-derivative", f"The derivative of {name} is missing at every call.", write, _with(calls,
              lambda found, k: 1.0))
    for k in calls if len(calls) > 1 else ():
        place = at(first.steps[k].result)
        yield row("inner-derivative", f"The derivative of {name} is missing at one call{place}.", write,
                  _with([k], lambda found, k: 1.0))
    if name in TASK_NAMES:
        task = task_named(name)
        yield row("input-form", f"The derivative of {name} is taken at its output.", "Take it at the input.",
                  _with(calls, lambda found, k: flat(task.derivative((found.steps[k].result.data,)))[0]))
    if name in RIGHT and RIGHT[name].by_output:
        form = function_of(RIGHT[name].by_output)
        yield row("output-form", f"The derivative of {name}, {RIGHT[name].by_output}, is right for its output a; "
                  "here a is the input.", f"Use a = {name}(z).", _with(calls,
                   lambda found, k: form(0.0, found.steps[k].edges[0][0].data)))
    for by in (1, -1) if len(calls) > 1 else ():
        other = dict(zip(calls, calls[by:] + calls[:by], strict=True))
        yield row("wrong-layer", f"The derivative of {name} is that of another layer or element.", "Check the index.",
                  _with(calls, partial(lambda other, found, k: found.steps[other[k]].edges[0][1], other)))


def _with(chosen: Sequence[int], slope: Callable[[Pass, int], float]) -> Wrong:
    """Return the gradient with other slopes at some steps."""
    return lambda found: found.gradient(lambda k, place, right: slope(found, k) if k in chosen else right)


def _of_an_edge(k: int, place: int, step: Step, row: Row) -> Iterator[Mistake]:
    """Yield what goes wrong with one local derivative."""
    where = f"{step.name}{at(step.result)}, operand {place + 1}"

    def changed(change: Callable[[Step, float], float | None]) -> Wrong:
        return lambda found: found.gradient(lambda n, p, x: change(found.steps[n], x) if (n, p) == (k, place) else x)

    if not step.is_call and step.edges[place][1] != 1.0:
        yield row("inner-derivative", f"A factor of the chain rule is missing: {where}.",
                  "Multiply by the local derivative.",
                  changed(lambda step, slope: 1.0))
    yield row("local-sign", f"The sign of one local derivative is flipped: {where}.", "Flip it back.",
              changed(lambda step, slope: -slope))
    yield row("path", f"A contribution is missing: {where}.", "Add what flows along this path.",
              changed(lambda step, slope: None))
    yield row("double", f"A contribution is added twice: {where}.",
              "Add it once.", changed(lambda step, slope: 2.0 * slope))
    if step.name == "pow" and place == 0:
        yield row("power-rule", f"The exponent is not lowered by 1: {where}.", "d(x**n)/dx is n * x**(n - 1).",
                  changed(lambda step, slope: slope * step.edges[0][0].data))
        yield row("power-rule", f"The exponent is lowered by 2: {where}.", "d(x**n)/dx is n * x**(n - 1).",
                  changed(lambda step, slope: divide(slope, step.edges[0][0].data)))
    if step.name == "mul" and len(step.edges) == 2:
        yield row("product-rule", f"The factors of the product rule are swapped: {where}.", "d(u*v)/du is v.",
                  changed(lambda step, slope: step.edges[1 - place][1]))
