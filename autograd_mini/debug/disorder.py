"""Why backpropagation needs the right order: the wrong order, run beside it up to the point where it goes wrong.

The wrong order is everyone's first try, and it looks right:

    def backward(self, gradient):
        self.grad += gradient
        for operand, local in self.edges:
            operand.backward(self.grad * local)  # self.grad may not be complete yet

Not here: the right one (`sweep`). Read next: `debug.program`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose, isnan

from autograd_mini.debug.timeline.journal import BACKWARD, Step, edges
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.notation.text import elided, number
from autograd_mini.output.streams import columns, printable_lines, width, wrapped

_LONGEST = 200_000  # contributions in the wrong order, whose number may grow exponentially
_SHOWN = 8
_WIDEST = 80  # columns, if there is no terminal
_LONGEST_NAME = 40


@dataclass(frozen=True, eq=False, repr=False)
class Disorder:
    """Depth-first backpropagation beside the right order; print it.

    Attributes:
        trace: the steps in the right order.
        steps: the steps in the wrong order, up to the first in which a node hands on an incomplete gradient, or all.
        node: that node, or None.
        used: the gradient that it hands on.
        complete: the gradient that it should have waited for.
        gradients: the wrong final gradients of the leaves; None if they would take too long.
    """

    trace: Trace
    steps: Sequence[Step]
    node: Value | None
    used: float
    complete: float
    gradients: dict[Value, float] | None

    def __bool__(self) -> bool:
        return self.node is not None

    def __str__(self) -> str:
        if self.node is None:
            root = printable_lines(self._label(self.trace.root))
            return f"Depth first, {root} has the right gradients: no node hands on before it is complete."
        lines = [*self._side_by_side(), "", self._mistake(), self._outcome()]
        return printable_lines("\n".join(part for line in lines for part in wrapped(line, columns(_WIDEST))))

    __repr__ = __str__

    def _side_by_side(self) -> list[str]:
        """Return both orders up to the step that goes wrong, or one below the other if the screen is too narrow."""
        right = [step for step in self.trace if step.phase == BACKWARD]
        last = next(i for i, step in enumerate(right) if step.node is self.node)
        wrong, right_lines = self._lines(self.steps), self._lines(right[: last + 1])
        wrong.insert(0, "depth first")
        right_lines.insert(0, "in topological order")
        left = max(map(width, wrong)) + 4
        if left + max(map(width, right_lines)) > columns(_WIDEST):
            return [*wrong, "", *right_lines]
        rows = max(len(wrong), len(right_lines))
        for column in wrong, right_lines:  # the last lines of both stand side by side
            column[-1:-1] = [""] * (rows - len(column))
        pairs = zip(wrong, right_lines, strict=True)
        return [f"{one}{' ' * (left - width(one))}{other}".rstrip() for one, other in pairs]

    def _mistake(self) -> str:
        assert self.node is not None
        used, complete = _told_apart(self.used, self.complete)
        arrived = sum(step.operand is self.node for step in self.steps) + (self.node is self.trace.root)
        return (
            f"{self._label(self.node)} hands on {used}, but its gradient is {complete}: "
            f"{arrived} of {len(self.trace.journal.arrivals(self.node))} contributions had arrived."
        )

    def _outcome(self) -> str:
        if self.gradients is None:
            return f"It walks every path, and has not finished after {_LONGEST:,} contributions."
        wrong = [
            "{} gets {} instead of {}".format(self._label(leaf), *_told_apart(gradient, right))
            for leaf, gradient in self.gradients.items()
            if not _same(gradient, right := self.trace.grad(leaf, -1) or 0.0)
        ]
        more = f", and {len(wrong) - 4} more leaves are wrong" if len(wrong) > 4 else ""
        return "In the end " + (", ".join(wrong[:4]) + more or "the leaves are right by chance") + "."

    def _lines(self, steps: Sequence[Step]) -> list[str]:
        """Return contributions, one per line; the last is the one that matters."""
        hidden = max(len(steps) - 1 - _SHOWN, 0)
        lines = [f"  … {hidden:,} before"] if hidden else []
        for step in steps[hidden:]:
            assert step.operand is not None  # it is a contribution
            receiver = self._label(step.operand)
            lines.append(
                f"{'▶' if step is steps[-1] else ' '} {self._label(step.node)} → {receiver}: {number(step.upstream)} × "
                f"{number(step.local)} = {number(step.contribution)}, {receiver} has {number(step.total)}"
            )
        return lines

    def _label(self, node: Value) -> str:
        return elided(self.trace.label(node), _LONGEST_NAME)


def disorder(trace: Trace) -> Disorder:
    """Run depth-first backpropagation to its end, and find the first gradient handed on before it is complete."""
    steps: list[Step] = []
    gradients = dict.fromkeys(trace.leaves, 0.0)
    node, used, complete, ends = None, 0.0, 0.0, True
    for step in _depth_first(trace):
        if step.index == _LONGEST:
            ends = False
            break
        if step.operand is not None and step.operand in gradients:
            gradients[step.operand] = step.total
        if node is None:
            steps.append(step)
            used, complete = step.upstream or 0.0, trace.grad(step.node, -1) or 0.0
            node = None if _same(used, complete) else step.node
    return Disorder(trace, steps, node, used, complete, gradients if ends else None)


def _depth_first(trace: Trace) -> Iterator[Step]:
    """Yield the steps of the wrong order, which hands each contribution on at once; without recursion."""
    gradients = {trace.root: trace.seed}
    path = [(trace.root, iter(edges(trace.root)))]
    index = 0
    while path:
        node, rest = path[-1]
        for operand, local in rest:
            contribution = gradients[node] * local
            total = gradients[operand] + contribution if operand in gradients else contribution
            yield Step(index, BACKWARD, node, operand, gradients[node], local, contribution, total)
            gradients[operand] = total
            index += 1
            path.append((operand, iter(edges(operand))))
            break
        else:
            path.pop()


def _same(a: float, b: float) -> bool:
    """Return True if gradients are equal up to rounding, which depends on the order of a sum."""
    return isclose(a, b, rel_tol=1e-12) or (isnan(a) and isnan(b))


def _told_apart(a: float, b: float) -> tuple[str, str]:
    """Return two numbers with as many digits as it takes to see that they differ."""
    return next(pair for digits in range(6, 18) if len({*(pair := (f"{a:.{digits}g}", f"{b:.{digits}g}"))}) == 2)
