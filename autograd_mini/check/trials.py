"""One graph, and what an engine made of it: right or wrong, and the mistake if the graph is one operation.

Not here: mistakes in the order and the sums of a whole backward pass (`sweeps`). Read next: `check.adapters`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from autograd_mini.check.diagnosis import diagnose
from autograd_mini.check.formulas import right_formula
from autograd_mini.check.graphs import SIGNS, Graph, Step, is_close, looked_up, slopes
from autograd_mini.check.sweeps import LOST, magnitudes, right
from autograd_mini.check.tasks import task_of
from autograd_mini.check.verdicts import Finding, Named, Verdict
from autograd_mini.engine import Value
from autograd_mini.errors import AutogradError
from autograd_mini.notation.text import ALL_DIGITS, elided, number

_MISSING = (TypeError, AttributeError, NotImplementedError, AssertionError)  # raised where an operation is missing


@dataclass(frozen=True)
class Trial:
    """A graph, and what an engine made of it."""

    graph: Graph
    tolerance: float
    nodes: list[Any]  # the engine's objects, as far as they were computed
    numbers: list[float | None]
    gradients: list[float | None]  # after the last sweep; None where the engine keeps none
    error: BaseException | None = None  # what it raised
    words: tuple[str, str] = ("data", "grad")  # what the engine calls number and gradient

    @property
    def is_built(self) -> bool:
        """Whether all nodes were computed."""
        return len(self.nodes) == len(self.graph)

    @property
    def is_missing(self) -> bool:
        """Whether the engine has no such operation."""
        return isinstance(self.error, _MISSING) and not self.is_built

    @cached_property
    def wanted(self) -> list[float]:
        """The right gradients."""
        return right(self.graph)

    @property
    def leaves(self) -> list[float]:
        """The engine's gradients of the leaves."""
        return [gradient or 0.0 for gradient in self.gradients[: len(self.graph.leaves)]]

    @cached_property
    def leaf(self) -> int | None:
        """The first leaf whose gradient is wrong."""
        if self.has_kink and 0.0 <= self.leaves[0] <= 1.0:
            return None
        lost = 0.0 if len(self.graph.steps) == 1 and self.graph.steps[0].op in SIGNS else LOST
        sizes = magnitudes(self.graph, lost)
        found = zip(self.leaves if self.error is None else (), self.wanted, sizes, strict=False)
        return next((k for k, (mine, x, size) in enumerate(found) if not is_close(mine, x, self.tolerance, size)), None)

    @property
    def has_kink(self) -> bool:
        """Whether it is relu at 0, whose slope is a convention."""
        return self.graph.steps[0].op == "relu" and len(self.graph.steps) == 1 and self.graph.data[0] == 0.0

    @property
    def has_other_slope(self) -> bool:
        """Whether the slope at a kink is right, but not that of this package."""
        return self.has_kink and self.error is None and self.leaf is None and self.leaves[0] != self.wanted[0]

    @property
    def has_value(self) -> bool:
        """Whether the number of the root is right, before any gradient."""
        size = max(map(abs, self.graph.data)) if len(self.graph.steps) > 1 else 0.0
        if len(self.graph.steps) == 1 and self.graph.steps[0].op not in SIGNS:
            size = LOST  # in the tails, a formula with exponentials loses digits
        root = self.graph.roots[0]
        return is_close(self.numbers[root], self.graph.data[root], self.tolerance, size)

    @property
    def is_wrong(self) -> bool:
        """Whether the number or a gradient is wrong; an error is not."""
        return self.error is None and (self.leaf is not None or not self.has_value)

    @property
    def operands(self) -> list[float]:
        """The numbers of the operands of the first operation."""
        return looked_up(self.graph.steps[0].operands, self.graph.data)

    @property
    def form(self) -> str:
        """The last operation as an expression."""
        return self.graph.program("")[-1 - len(self.graph.roots)].partition(" = ")[2]

    @property
    def finding(self) -> Finding:
        """The verdict."""
        where = "; ".join(self.graph.program("Value"))
        if self.error is not None:
            return Finding(where, Verdict.NOISE, None, math.nan, math.inf, remark=told(self.error))
        if not self.has_value:
            return Finding(f"{where}, its value", Verdict.FAIL, self.numbers[-1], self.graph.data[-1])
        verdict, leaf = Verdict.PASS if self.leaf is None else Verdict.FAIL, self.leaf or 0
        if self.has_other_slope:
            return Finding(where, Verdict.KINK, self.leaves[0], self.wanted[0], left=0.0, right=1.0)
        return Finding(where, verdict, self.leaves[leaf], self.wanted[leaf])

    def sentence(self, gradient: str) -> str:
        """Say which number is wrong, and which node on the way back has the first wrong gradient."""
        if not self.has_value:
            return f"{self.form} gives {self.numbers[-1]!r}, and {self.graph.data[-1]!r} is right."
        names, leaf, theirs, wanted = self.graph.names, self.leaf or 0, self.gradients, self.wanted
        few = 4 if number(theirs[leaf]) != number(wanted[leaf]) else ALL_DIGITS
        said = f"{names[leaf]}.{gradient} is {number(theirs[leaf], few)}, and {number(wanted[leaf], few)} is right."
        for node in reversed(range(len(self.graph.leaves), len(self.graph))):
            if theirs[node] and not is_close(theirs[node], wanted[node], self.tolerance):
                first = f"{number(theirs[node])} instead of {number(wanted[node])}"
                return f"{said} On the way back, {names[node]}.{gradient} is wrong first: {first}."
        return said


def told(error: BaseException | None) -> str:
    """Return the type of an error and the beginning of its message."""
    message = str(error).strip().split("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {elided(message, 120)}" if message else type(error).__name__


# -- the mistake in one operation --------------------------------------------------------------------------------------


def wrong_rule(op: str, bad: list[Trial]) -> Named:
    """Return what is wrong with an operation, in the first of its forms that are wrong, at several points."""
    trial = bad[0]
    if not trial.has_value:
        otherwise = Named("wrong-value", f"{trial.form} is wrong, before any gradient.", _right_value(trial))
        by_table = _by_table(op, bad, None)
        by_table = by_table and replace(by_table, correction=_right_value(trial))
        return next(_of_value(op, bad), None) or by_table or otherwise
    by = trial.graph.names[trial.leaf or 0]
    otherwise = Named("wrong-rule", f"The local derivative of {trial.form} by {by} is wrong.", "Derive it again.")
    named = next(_of_derivative(op, bad), None) or _by_table(op, bad, trial.leaf or 0) or otherwise
    return replace(named, correction=right_rule(trial))


def _right_value(trial: Trial) -> str:
    """Return how an operation computes its number, in the words of the engine."""
    step, data = trial.graph.steps[0], trial.words[0]
    operands = [f"{name}.{data}" for name, _ in zip(("self", "other"), step.operands, strict=False)]
    written = step.written(operands) if step.op in SIGNS else f"{step.op}({operands[0]})"
    return f"Compute out.{data} = {written}."


def wrong_at(op: str, trial: Trial) -> Named:
    """Return what to say of an operation that is right at ordinary numbers, and wrong at these."""
    numbers = " and ".join([number(x, ALL_DIGITS) for x in trial.operands])
    sentence = f"{op} is right at ordinary numbers, and wrong at {numbers}."
    return Named("special-operand", sentence, right_rule(trial) if trial.has_value else _right_value(trial))


_RULES = {  # by the operands, in the words of an engine
    "add": ("self.{g} += out.{g}", "other.{g} += out.{g}"), "sub": ("self.{g} += out.{g}", "other.{g} -= out.{g}"),
    "mul": ("self.{g} += other.{d} * out.{g}", "other.{g} += self.{d} * out.{g}"),
    "div": ("self.{g} += out.{g} / other.{d}", "other.{g} -= self.{d} / other.{d}**2 * out.{g}"),
    "pow": ("self.{g} += n * self.{d}**(n - 1) * out.{g}, with n the exponent",
            "other.{g} += math.log(self.{d}) * out.{d} * out.{g}"),
    "neg": ("self.{g} -= out.{g}",),
}  # fmt: skip


def right_rule(trial: Trial) -> str:
    """Return the right rule by the first operand whose gradient is wrong, in the words of the engine."""
    step, (data, grad) = trial.graph.steps[0], trial.words
    if step.op in _RULES:
        leaf = trial.leaf or 0
        place = next((k for k, x in enumerate(step.operands) if type(x) is int and x == leaf), 0)
        return f"Write {_RULES[step.op][place].format(d=data, g=grad)}."
    formula = right_formula(step.op).partition(",")[0]
    words = {"a": f"out.{data}", "x": f"self.{data}"}
    written = re.sub(r"\b[ax]\b", lambda found: words[found[0]], formula)
    return f"Write self.{grad} += {f'({written})' if ' ' in written else written} * out.{grad}."


def _by_table(op: str, bad: list[Trial], leaf: int | None) -> Named | None:
    """Ask the table of mistakes what explains the derivatives of an operation, or its values (`leaf` None)."""
    form = bad[0].graph.steps[0].operands
    place = 0 if leaf is None else form.index(leaf)
    points, claimed = [], []
    for trial in bad:
        if [*map(type, trial.graph.steps[0].operands)] == [*map(type, form)]:
            numbers = trial.operands
            points.append((numbers.pop(place), *numbers))
            claimed.append(trial.numbers[-1] if leaf is None else trial.leaves[leaf])

    def function(x: Any, *others: Any) -> Any:
        return Step(op, ()).applied([*others[:place], x, *others[place:]])

    try:
        found = diagnose(task_of(function, points, op), points, claimed, "value" if leaf is None else "derivative")
    except AutogradError:  # the operation has no derivative there
        return None
    named = [m for m in found.mistakes if not m.is_right and ".py" not in m.sentence]  # not places in this package
    return next((Named(m.name, f"In {op}: {m.sentence}", m.correction) for m in named), None)


def _of_value(op: str, bad: list[Trial]) -> Iterator[Named]:
    """Yield the mistake if 2 - x is computed as x - 2, or x + ε keeps log and division from infinity."""

    def is_that_of(changed: Callable[[list[float]], list[float]], share: float) -> bool:
        wanted = [Step(op, ()).applied([*map(Value, changed(trial.operands))]).data for trial in bad]
        pairs = zip(bad, wanted, strict=True)
        return all(is_close(trial.numbers[-1], x, share * trial.tolerance) for trial, x in pairs)

    if all(type(t.graph.steps[0].operands[0]) is float for t in bad) and is_that_of(lambda xs: xs[::-1], 1.0):
        sign = SIGNS[op][0]
        yield Named("reflected", f"2 {sign} x is computed as x {sign} 2.",
                    f"The reflected operator of {op} is other {sign} self, in this order.")  # fmt: skip
    for epsilon in [10.0**-k for k in range(3, 13)] * (len(bad[0].operands) == 1):
        if is_that_of(lambda xs, epsilon=epsilon: [xs[0] + epsilon], 0.01):  # type: ignore[misc]
            yield Named("epsilon", f"It computes {op} of x + {epsilon:g}: finite at 0, and wrong everywhere else.",
                        "Leave it out: -inf at 0 is right, and losses of logits need no log of 0.")  # fmt: skip


_KNOWN: dict[str, tuple[tuple[int, str, Callable[..., Any]], ...]] = {  # wrong formulas, by the operand
    "pow": ((0, "y * x**y: the exponent must become one less", lambda x, y: y * x**y),
            (0, "x**(y - 1): the factor y is missing", lambda x, y: x ** (y - 1)),
            (0, "y * x: the exponent y - 1 is missing", lambda x, y: y * x)),
    "div": ((1, "-x / y: the divisor must be squared", lambda x, y: -x / y),
            (1, "-1 / y**2: the numerator is missing", lambda x, y: -1.0 / y**2),
            (0, "y: it must be 1 / y", lambda x, y: y)),
}  # fmt: skip


def _of_derivative(op: str, bad: list[Trial]) -> Iterator[Named]:
    """Yield the mistake if a factor or an operand is missing, or two operands are confused."""
    tolerance, wrong = bad[0].tolerance, [(t, t.leaf) for t in bad if t.leaf is not None]
    if op not in ("relu", "sub", "neg") and all(trial.leaves[leaf] == 1.0 for trial, leaf in wrong):
        yield Named("inner-derivative", f"The gradient goes through {op} unchanged: the local derivative is missing.",
                    "Multiply by the local derivative.")  # fmt: skip
    for place, said, rule in _KNOWN.get(op, ()):
        if len(wrong) == len(bad) and all(
            leaf == t.graph.steps[0].operands[place] and is_close(t.leaves[leaf], rule(*t.operands), tolerance)
            for t, leaf in wrong
        ):
            yield Named("formula", f"The local derivative of x {SIGNS[op][0]} y is {said}.", "Derive it again.")
    both = [(t.leaves, slopes(t.graph.steps[0], t.graph.data)) for t in bad if len(t.graph.leaves) == 2]
    if both and all(is_close(a, y, tolerance) and is_close(b, x, tolerance) for (a, b), (x, y) in both):
        yield Named("swapped", f"The operands of {op} get each other's gradients.", "Exchange them.")
    for place, name in enumerate(("first", "second")):
        if both and all(seen[place] == 0.0 for seen, _ in both):
            yield Named("forgotten", f"The {name} operand of {op} gets nothing.", "Add its contribution as well.")
