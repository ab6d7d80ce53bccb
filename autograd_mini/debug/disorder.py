"""Why backpropagation needs the right order: the wrong one, run beside ours up to where it goes astray.

The wrong one is the first that everybody writes, and it looks right:

    def backward(self, gradient):
        self.grad += gradient
        for operand, local in self.edges:
            operand.backward(self.grad * local)  # self.grad may not be complete yet

Not here: the right one (that is `sweep`). Read next: `travel`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import isclose, isnan

from autograd_mini.debug.timeline.journal import BACKWARD, Step, edges
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.notation.names import elided
from autograd_mini.output.streams import columns, printable_lines, width, wrapped

_LONGEST = 200_000  # contributions of the wrong order, whose number may grow exponentially
_SHOWN = 8
_WIDEST = 80  # columns, where no terminal says how many there are
_LONGEST_NAME = 40


@dataclass(frozen=True, eq=False, repr=False)
class Disorder:
    """Depth-first backpropagation beside the right one; print it.

    Attributes:
        trace: the right one.
        steps: those of the wrong one, the last of them the first in which a node hands on a gradient that is not
            complete; where nothing goes wrong, all.
        node: that node, or None.
        used: the gradient that it hands on.
        complete: the one it should have waited for.
        gradients: the wrong gradients of the leaves in the end; None where that would take too long.
    """

    trace: Trace
    steps: tuple[Step, ...]
    node: Value | None
    used: float | None
    complete: float | None
    gradients: dict[Value, float] | None

    def __bool__(self) -> bool:
        return self.node is not None

    def __str__(self) -> str:
        trace, label, most = self.trace, self._label, columns(_WIDEST)
        if self.node is None:
            root = printable_lines(label(trace.root))
            return f"Depth first, {root} has the right gradients: no node hands on before it is complete."
        right = [step for step in trace if step.phase == BACKWARD]
        last = next(i for i, step in enumerate(right) if step.node is self.node)
        both = [
            ["depth first", *self._lines(self.steps[:-1]), "▶ " + self._line(self.steps[-1])],
            ["in topological order", *self._lines(right[:last]), "▶ " + self._line(right[last])],
        ]
        left = max(map(width, both[0])) + 4
        if left + max(map(width, both[1])) <= most:
            rows = max(map(len, both))
            for column in both:  # the two last lines stand side by side
                column[-1:-1] = [""] * (rows - len(column))
            lines = [f"{one}{' ' * (left - width(one))}{other}".rstrip() for one, other in zip(*both, strict=True)]
        else:
            lines = [*both[0], "", *both[1]]
        arrivals = trace.journal.arrivals(self.node)
        assert self.used is not None
        assert self.complete is not None
        used, complete = _instead(self.used, self.complete)
        arrived = sum(step.operand is self.node for step in self.steps) + (self.node is trace.root)
        lines += [
            "",
            f"{label(self.node)} hands on {used}, but its gradient is {complete}: "
            f"{arrived} of {len(arrivals)} contributions had arrived.",
        ]
        if self.gradients is None:
            lines.append(f"Even after {_LONGEST:,} contributions it has not come to its end: every path is walked.")
        else:
            wrong = [
                "{} gets {} instead of {}".format(label(leaf), *_instead(gradient, right_one))
                for leaf, gradient in self.gradients.items()
                if not _same(gradient, right_one := trace.grad(leaf, -1) or 0.0)
            ]
            more = f", and {len(wrong) - 4} more leaves are wrong" if len(wrong) > 4 else ""
            lines.append("In the end " + (", ".join(wrong[:4]) + more or "the leaves are right by chance") + ".")
        return printable_lines("\n".join(part for line in lines for part in wrapped(line, most)))

    __repr__ = __str__

    def _lines(self, steps: list[Step] | tuple[Step, ...]) -> list[str]:
        hidden = len(steps) - _SHOWN
        lines = ["  " + self._line(step) for step in steps[max(hidden, 0) :]]
        return [f"  … {hidden:,} before", *lines] if hidden > 0 else lines

    def _label(self, node: Value) -> str:
        return elided(self.trace.label(node), _LONGEST_NAME)

    def _line(self, step: Step) -> str:
        assert step.operand is not None
        receiver = self._label(step.operand)
        return (
            f"{self._label(step.node)} → {receiver}: {step.upstream:.4g} × {step.local:.4g} = "
            f"{step.contribution:.4g}, {receiver} has {step.total:.4g}"
        )


def disorder(trace: Trace) -> Disorder:
    """Run depth-first backpropagation up to the first gradient that is handed on before it is complete, and to its end.

    >>> a = Value(3.0, name="a")
    >>> b = a + a
    >>> c = b + b
    >>> found = disorder(Trace(c))
    >>> found.node is b, found.used, found.complete, found.gradients[a]
    (True, 1.0, 2.0, 6.0)
    """
    last = len(trace) - 1
    steps: list[Step] = []
    node = used = complete = None
    for step in islice(_depth_first(trace), _LONGEST):
        steps.append(step)
        complete = trace.grad(step.node, last)
        assert step.upstream is not None
        assert complete is not None
        if not _same(step.upstream, complete):
            node, used = step.node, step.upstream
            break
    return Disorder(trace, tuple(steps), node, used, complete if node is not None else None, _end(trace))


def _end(trace: Trace) -> dict[Value, float] | None:
    """The gradients of the leaves that the wrong order ends with."""
    gradients = dict.fromkeys(trace.leaves, 0.0)
    for step in _depth_first(trace):
        if step.index == _LONGEST:
            return None
        if step.operand in gradients:
            gradients[step.operand] = step.total
    return gradients


def _depth_first(trace: Trace) -> Iterator[Step]:
    """The wrong order, without recursion: each contribution is handed further down at once."""
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
    """Whether gradients are equal but for rounding, which differs with the order of a sum."""
    return isclose(a, b, rel_tol=1e-12) or (isnan(a) and isnan(b))


def _instead(a: float, b: float) -> tuple[str, str]:
    """Two numbers that differ, with as many digits as it takes to see that."""
    return next(pair for digits in range(6, 18) if len({*(pair := (f"{a:.{digits}g}", f"{b:.{digits}g}"))}) == 2)
