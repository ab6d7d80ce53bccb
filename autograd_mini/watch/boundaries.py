"""`kinks`: list every place where a computation sits exactly on a point where it is not differentiable.

Not here: which points those are (each row of the table says its own). Read next: `notation`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import copysign, inf, isinf, isnan, nextafter
from typing import Any

from autograd_mini.core.row import ZERO
from autograd_mini.errors import shown
from autograd_mini.program.owner import is_package_frame, user_site
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Hooks, recording
from autograd_mini.watch import Watch
from autograd_mini.watch.origins import place_of, remember_origin


@dataclass(frozen=True, eq=False)
class Kink:
    """One place where a run sat exactly on a point where an operation is not differentiable.

    Attributes:
        node: the result; for a comparison, its left operand.
        op: its name, such as "relu", "abs", "maximum", "comparison".
        numbers: the operands.
        chosen: the slope that was chosen for each operand; 0.0 where there is no edge.
        left: the slope just below each operand; inf where it grows without limit, nan outside the domain.
        right: the slope just above each operand.
        site: the place in your program; None if unknown.
    """

    node: Any
    op: str
    numbers: tuple[float, ...]
    chosen: tuple[float, ...]
    site: Site | None
    _beside: Callable[[float], tuple[float, ...]] = field(repr=False)

    left = property(lambda self: self._beside(-inf))
    right = property(lambda self: self._beside(inf))

    @property
    def meaning(self) -> str:
        """The slopes that were chosen, and the slopes on both sides."""
        if self.op == "comparison":
            decision = (self.site.expression if self.site else "") or " against ".join(map(repr, self.numbers))
            return f"the decision {decision} lies exactly on its boundary; the derivative is that of the branch taken"
        left, right = self.left, self.right
        sides = f"{_listed(left)} on the left, {_listed(right)} on the right"
        if len(left) == 1:
            text = f"slope {_listed(self.chosen)} was chosen; it is {sides}"
        else:
            text = f"slopes {_listed(self.chosen)}, one per operand, were chosen; they are {sides}"
        return text + ("; the value jumps there" if left == right and not any(map(isinf, left)) else "")

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.numbers))})" + (f" at {self.site}" if self.site else "")


class Kinks(list[Kink]):
    """The list that `kinks` fills; printing it shows each place once."""

    def __str__(self) -> str:
        if not self:
            return "No kinks: every operation was differentiable where it was evaluated."
        places: dict[Any, list[Kink]] = {}
        for kink in self:
            site = kink.site and kink.site.place
            places.setdefault((kink.op, site, kink.chosen), []).append(kink)
        lines = [f"{len(self)} kink{'s' * (len(self) > 1)}"]
        for first, *others in places.values():
            lines += [f"  {first}" + (f" × {len(others) + 1}" if others else ""), f"      {first.meaning}"]
        return "\n".join(lines)

    __repr__ = __str__


def _listed(slopes: tuple[float, ...]) -> str:
    return repr(slopes[0]) if len(slopes) == 1 else shown(slopes)


def kink_of(node: Any) -> Kink | None:
    """The kink of a recorded node, or None; a result of nan does not count."""
    row = node._row
    operands, result = node.operands, node.data
    numbers = tuple([getattr(operand, "data", operand) for operand in operands])
    if isnan(result) or not row.kink(result, *numbers):
        return None
    chosen = tuple([0.0 if partial is ZERO else partial for partial in node.partials])

    def beside(direction: float) -> tuple[float, ...]:
        slopes = []
        for i, (operand, number) in enumerate(zip(operands, numbers, strict=True)):
            moved = (*numbers[:i], nextafter(number, direction), *numbers[i + 1 :])
            slope = 0.0 if type(operand) is float else row.partials(row.function(*moved), moved)[i]
            if slope is ZERO:
                slope = 0.0
            elif abs(slope) > 1e100 or (isinf(chosen[i]) and not isnan(slope)):
                slope = copysign(inf, slope)
            slopes.append(slope)
        return tuple(slopes)

    return Kink(node, row.name, numbers, chosen, place_of(node), beside)


def is_watched() -> bool:
    """Whether `kinks` is on; False inside `unobserved` and `no_grad`."""
    hooks = recording().hooks
    return bool(hooks.reports and hooks.observers) and hooks.finish is None


def note_kink(kink: Kink) -> None:
    """Add a kink to the list of every active `kinks`."""
    kink = replace(kink, site=user_site())
    for report in recording().hooks.reports:
        report.append(kink)


def _note_comparison(left: Any, op: str, right: Any, answer: bool) -> None:
    if op in ("==", "!=") or left._data != getattr(right, "_data", right):
        return
    frame = sys._getframe(2)  # past the operator; decisions in this package are between equal forms
    if is_watched() and not is_package_frame(frame):
        numbers = left.data, float(getattr(right, "data", right))
        note_kink(Kink(left, "comparison", numbers, (0.0, 0.0), None, lambda _: (0.0, 0.0)))


def _note_row(node: Any) -> None:
    if node.op is not None and type(node.data) is float and is_watched() and (kink := kink_of(node)) is not None:
        note_kink(kink)


def kinks() -> Watch[Kinks]:
    """List every place where the computation inside sits exactly on a point where it is not differentiable.

    There the derivative is a choice: `abs` at 0, `relu` at 0, ties of `maximum`, `clip` at its bounds, the steps of
    `floor`, `sqrt` at 0. A comparison of two equal numbers with `<`, `<=`, `>` or `>=` counts too, also in `max`, `min`
    and `sorted`, because the program might as well have gone the other way. `==` and `!=` do not count: a program that
    asks for equality means that one point. Operations on plain numbers and in forward mode (`jvp`) are not recorded, so
    they are not listed.

    Returns:
        a context manager; `with ... as` gives a list of entries, each with `op`, `numbers`, `chosen`, `left`, `right`
        (slopes), `site` and `node`. Print the list to read it.

    >>> import autograd_mini as am
    >>> x = am.Value(0.0)
    >>> with am.kinks() as report:
    ...     y = abs(x) + am.sigmoid(x)
    >>> [(kink.op, kink.chosen, kink.left, kink.right) for kink in report]
    [('abs', (0.0,), (-1.0,), (1.0,))]
    """
    report = Kinks()

    def change(hooks: Hooks) -> Hooks:
        observers = hooks.observers
        if _note_row not in observers:  # it adds a kink to all lists
            observers = (*observers, remember_origin, _note_row)
        others = [watch for watch in hooks.comparisons if watch is not _note_comparison]
        comparisons = (*others, _note_comparison)
        return replace(hooks, observers=observers, reports=(*hooks.reports, report), comparisons=comparisons)

    return Watch(change, report)
