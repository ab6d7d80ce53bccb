"""Who may watch a graph being recorded: `provenance` notes source expressions, `checked` raises, `kinks` takes a list.

Nodes are looked at through their public attributes only. Not here: recording itself. Read next: `engine`.
"""

from __future__ import annotations

import gc
import operator
import os
import sys
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import copysign, inf, isfinite, isinf, isnan, nextafter
from types import CodeType, FrameType
from typing import Any, TypeVar

from autograd_mini.core.row import ZERO
from autograd_mini.errors import NonFiniteError, shown
from autograd_mini.program.scopes import Watch
from autograd_mini.program.source import Site, site_of, user_site
from autograd_mini.program.stack import Hooks, Observer, Scope, recording, watch_everywhere

Function = TypeVar("Function", bound=Callable[..., Any])

# What lies between an operation in the user's program and the observer: nobody looks for a node's origin there.
_MACHINERY = frozenset(
    f"autograd_mini.{name}"
    for name in [
        *("engine", "micrograd.engine", "program.scopes", "program.stack"),
        *("core.arrays", "core.dual", "core.methods", "core.row", "core.sweep", "core.table", "core.traced"),
        *("transforms.curvature", "transforms.derivatives", "transforms.detached", "transforms.recorded"),
        "transforms.trees",
    ]
)
RUNNER = "autograd_mini.program.script"  # what called it has nothing to do with the user's program
_TRANSPARENT: set[CodeType] = set()
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")


def transparent(function: Function) -> Function:
    """Let nodes made by a function come from where it was called: it is an operation, not a part of the program."""
    _TRANSPARENT.add(function.__code__)
    return function


def _program(frame: FrameType) -> FrameType:
    """The innermost frame, from this one outwards, that is not a part of an operation."""
    while frame.f_back is not None and (
        (name := frame.f_globals.get("__name__", "")) in _MACHINERY
        or frame.f_code in _TRANSPARENT
        or name.startswith("numpy.")
    ):
        frame = frame.f_back
    return frame


def _remember_origin(node: Any) -> None:
    if node.origin is None:  # who watches further outside may know the calls as well
        node.origin = site_of(_program(sys._getframe(1)))


def _remember_calls() -> Observer:
    """An observer that remembers the calls that led to an expression as well; equal ones are kept once."""
    known: dict[tuple[int, int, Site | None], Site] = {}

    def remember(node: Any) -> None:
        frame: FrameType | None = _program(sys._getframe(1))
        frames = []
        while frame is not None and frame.f_globals.get("__name__") != RUNNER:
            frames.append(frame)
            frame = frame.f_back
        site = None
        for frame in reversed(frames):
            key = id(frame.f_code), frame.f_lasti, site
            site = known.get(key) or known.setdefault(key, Site(frame.f_code, frame.f_lasti, site))
        node.origin = site

    return remember


@dataclass(frozen=True, eq=False)
class Decision:
    """A comparison that was made while a graph was recorded, on which the rest of the graph may depend.

    Attributes:
        left: a node, or a number.
        op: the comparison, such as "<".
        right: a node, or a number.
        answer: what came of it.
        site: where in the user's program; None if that is not known.
    """

    left: Any
    op: str
    right: Any
    answer: bool
    site: Site | None

    def answer_at(self, numbers: Mapping[Any, float]) -> bool:
        """The answer where nodes have other numbers."""
        return bool(_COMPARE[self.op](*[self._number(x, numbers) for x in (self.left, self.right)]))

    @property
    def is_of_program(self) -> bool:
        """Whether it is in the user's program, such as `if x > 0`, and not in a function of this package."""
        return self.site is not None and not is_of_package(self.site)

    @staticmethod
    def _number(x: Any, numbers: Mapping[Any, float]) -> Any:
        return numbers.get(x, x.data) if hasattr(x, "decisions") else x

    def __str__(self) -> str:
        numbers = f"{getattr(self.left, 'data', self.left)!r} {self.op} {getattr(self.right, 'data', self.right)!r}"
        return f"{self.site.expression or numbers} at {self.site}" if self.site else numbers


_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_MOST_DECISIONS = 100  # of one node: a leaf may be compared again in every step of a training


def _remember_decision(left: Any, op: str, right: Any, answer: bool) -> None:
    nodes = [x for x in (left, right) if hasattr(x, "decisions")]
    if nodes:
        node = next((x for x in nodes if x.op is not None), nodes[0])  # a computed one is gone with its graph
        decision = Decision(left, op, right, answer, site_of(_program(sys._getframe(2))))
        node.decisions = (*node.decisions[1 - _MOST_DECISIONS :], decision)


def _remembering(hooks: Hooks, observe: Observer) -> Hooks:
    others = [watch for watch in hooks.comparisons if watch is not _remember_decision]
    return replace(hooks, observers=(*hooks.observers, observe), comparisons=(*others, _remember_decision))


if os.environ.get("AUTOGRAD_MINI_PROVENANCE", "0") not in ("", "0"):
    watch_everywhere(_remembering(Hooks(), _remember_calls()))


def provenance(calls: bool = False) -> Watch[None]:
    """Remember, for every node recorded inside, the source expression that made it: `node.origin`.

    Off by default, for it makes recording slower; the environment variable AUTOGRAD_MINI_PROVENANCE=1 turns it on,
    with calls, for a whole run.

    Args:
        calls: remember the calls that led there too: `node.origin.caller`, and so on outwards.

    Returns:
        a context manager.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0)
    >>> with am.provenance():
    ...     y = (x + 1.0) * (x - 1.0)
    >>> y.origin.expression
    '(x + 1.0) * (x - 1.0)'
    """
    observe = _remember_calls() if calls else _remember_origin
    return Watch(lambda hooks: _remembering(hooks, observe), None)


@dataclass(frozen=True, eq=False)  # not slotted, for it must take weak references
class Mark:
    """What a node that `backward()` was called on keeps in its notes: as long as that node lives, this does."""

    node: int  # its id, for copies of the node have the same notes
    seed: float
    held: dict[Any, tuple[float, float]]  # number and gradient of each leaf, which the program may write later


_last_mark: ContextVar[weakref.ref[Mark] | None] = ContextVar("last_mark", default=None)


def new_mark(node: Any, seed: float, held: dict[Any, tuple[float, float]]) -> Mark:
    """The mark of the node that `backward()` was called on last, while provenance was on."""
    mark = Mark(id(node), seed, held)
    _last_mark.set(weakref.ref(mark))
    return mark


def last_root() -> Any:
    """The node that was marked last, as long as the program holds it: the root that `explain(leaf)` means.

    A `Value` takes no weak references, for every node would be dearer; so it is found by what refers to its mark.
    """
    reference = _last_mark.get()
    mark = None if reference is None else reference()
    for notes in [] if mark is None else gc.get_referrers(mark):
        for node in gc.get_referrers(notes):
            if mark is not None and id(node) == mark.node and getattr(node, "_notes", None) is notes:
                return node
    return None


def is_checked() -> bool:
    """Whether `checked` is on."""
    return recording().hooks.checked


def checked() -> Watch[None]:
    """Raise at the first nan or infinity, in recording and in `backward()`, instead of going on with it.

    The error names the operands, or the adjoint and the local derivative, and the expression in the user's program.
    Everything that is recorded inside is checked, also in a branch that is not taken; plain numbers and the data of
    leaves are not. A second derivative that goes through a kink, of `abs`, `relu`, `maximum` or `clip`, raises too:
    outside of `checked` it is 0 there.

    Returns:
        a context manager.

    >>> import autograd_mini as am
    >>> x = am.Value(-1.0)
    >>> with checked():
    ...     am.log(x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    autograd_mini.errors.NonFiniteError: log(-1.0) is nan.
    ...
    """

    def change(hooks: Hooks) -> Hooks:
        return replace(hooks, observers=(*hooks.observers, _remember_origin, _check_result), checked=True)

    return Watch(change, None)


def _check_result(node: Any) -> None:
    if node.op is not None and type(node.data) is float and not isfinite(node.data):
        numbers = shown([getattr(operand, "data", operand) for operand in node.operands])[1:-1]
        sources = [
            f"{operand.name or 'the operand'} = {operand.data!r}"
            + (f" from {place_of(operand)}" if operand.origin else "")
            for operand in node.operands
            if hasattr(operand, "origin")
        ]
        raise NonFiniteError(f"{node.op}({numbers}) is {node.data}.", f"Look at {'; '.join(sources[:3]) or 'it'}.")


_KINK = "slope_at_kink"  # the row whose derivative is nan


def _kink_error(numbers: str, operand: Any = None, operation: str = "an operation at ") -> NonFiniteError:
    place = place_of(operand) if getattr(operand, "origin", None) else None
    return NonFiniteError(
        f"A second derivative was taken at a kink, of {operation}{numbers}: its slope has no derivative there.",
        f"Look at {place}, which is {operand.data!r}."
        if place
        else "Look at what has these operands; `kinks` lists all.",
    )


def check_kink(node: Any) -> None:
    """Raise if a node whose slopes are differentiated again is at a kink of its own."""
    if node._row.curvature is not None and node._row.is_at_kink(node.data, node.operands):
        numbers = shown([getattr(x, "data", x) for x in node.operands])[1:-1]
        raise _kink_error(numbers, node.operands[0], f"{node.op} at ")


def check_tangent(node: Any, tangent: Any) -> None:
    """Raise if the derivative of a node in forward mode is nan or infinite."""
    if node.op is None or tangent is ZERO:
        return
    numbers = shown([getattr(x, "data", x) for x in node.operands])[1:-1]
    if node.op == _KINK:
        raise _kink_error(numbers, node.operands[0])
    check_dual(f"{node.op}({numbers})", 0.0, tangent)


def check_dual(name: str, primal: Any, tangent: Any) -> None:
    """Raise if a number or its derivative in forward mode is nan or infinite."""
    for what, number in (("", primal), ("The derivative of ", tangent)):
        number = getattr(number, "data", number)
        if name.startswith(_KINK) and isnan(number):
            raise _kink_error(name.removeprefix(_KINK)[1:-1])
        if type(number) is float and not isfinite(number):
            raise NonFiniteError(f"{what}{name} is {number}.", "Look at the numbers that go into it.")


def check_contributions(node: Any, adjoint: Any) -> None:
    """Raise if anything that a node hands on to its operands in a sweep is nan or infinite."""
    adjoint = getattr(adjoint, "data", adjoint)  # a Value in sweeps of higher order
    if type(adjoint) is not float or not isinstance(node.data, float):
        return  # `ZERO`, or a formula
    for operand, partial in zip(node.operands, node.partials, strict=True):
        if partial is ZERO or isfinite(adjoint * partial):
            continue
        if node.op == _KINK:
            raise _kink_error(shown([getattr(x, "data", x) for x in node.operands])[1:-1], operand)
        raise NonFiniteError(
            f"The gradient that {node.op} hands to its operand {operand.name or repr(operand.data)} is not finite: "
            f"adjoint {adjoint!r} times local derivative {partial!r} is {adjoint * partial!r}.",
            f"Look at {place_of(node)}, which gave {node.data!r}."
            if node.origin
            else "Record the computation inside `with checked():` too, and this message will name its expression.",
        )


# -- kinks -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Kink:
    """One place where a run sat exactly on a point where an operation is not differentiable.

    Attributes:
        node: the result; of a comparison, its left operand.
        op: what the user calls it: "relu", "abs", "maximum", "comparison".
        numbers: the operands.
        chosen: the slope that was chosen for each operand; 0.0 where there is no edge.
        site: where in the user's program; None if that is not known.
    """

    node: Any
    op: str
    numbers: tuple[float, ...]
    chosen: tuple[float, ...]
    site: Site | None
    _beside: Callable[[float], tuple[float, ...]] = field(repr=False)

    @property
    def left(self) -> tuple[float, ...]:
        """The slope just below each operand; inf where it grows without limit, nan outside the domain."""
        return self._beside(-inf)

    @property
    def right(self) -> tuple[float, ...]:
        """The slope just above each operand."""
        return self._beside(inf)

    @property
    def meaning(self) -> str:
        """What was chosen, and what it was chosen from."""
        if self.op == "comparison":
            decision = (self.site.expression if self.site else "") or " against ".join(map(repr, self.numbers))
            return (
                f"the decision {decision} was made exactly on its boundary; the derivative is that of the branch taken"
            )
        left, right = self.left, self.right
        slopes, are, by = (
            ("slope", "it is", "was") if len(left) == 1 else ("slopes", "they are", "by each operand were")
        )
        text = (
            f"{slopes} {_listed(self.chosen)} {by} chosen; "
            f"{are} {_listed(left)} on the left, {_listed(right)} on the right"
        )
        return text + ("; the value jumps there" if left == right and not any(map(isinf, left)) else "")

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.numbers))})" + (f" at {self.site}" if self.site else "")


class Kinks(list[Kink]):
    """The list that `kinks` fills; printed, it says each place once."""

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


def is_of_package(site: Site) -> bool:
    """Whether a place is in this package, not in the user's program."""
    return site.file.startswith(_FOLDER)


@lru_cache(maxsize=1000)
def _is_library(file: str) -> bool:
    import sysconfig  # here, for it takes a while to find out the paths

    names = "stdlib", "platstdlib", "purelib", "platlib", "scripts"
    return file.startswith(("<frozen ", _FOLDER, *[os.path.join(sysconfig.get_path(name), "") for name in names]))


def is_of_library(site: Site) -> bool:
    """Whether a place is in this package, the standard library, or an installed package: not in the user's program."""
    return _is_library(site.file)


def place_of(node: Any) -> Site | None:
    """The expression in the user's program that made a node: of one made by this package, the call that led there."""
    origin: Site | None = node.origin
    scope: Scope | None = node.scope
    if origin is None or not is_of_package(origin):
        return origin
    while scope is not None and scope.site is None:
        scope = scope.parent
    return scope.site if scope is not None else origin


def _listed(slopes: tuple[float, ...]) -> str:
    return repr(slopes[0]) if len(slopes) == 1 else shown(slopes)


def kink_of(node: Any) -> Kink | None:
    """The kink that a recorded node sits on, or None; nan is no kink."""
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
    """Whether `kinks` is on; not while something is recorded that nobody watches, and not inside of `no_grad`."""
    hooks = recording().hooks
    return bool(hooks.reports and hooks.observers) and hooks.finish is None


def note_kink(kink: Kink) -> None:
    """Put a kink on the lists of all who watch."""
    kink = replace(kink, site=user_site())
    for report in recording().hooks.reports:
        report.append(kink)


def _note_comparison(left: Any, op: str, right: Any, answer: bool) -> None:
    if op in ("==", "!=") or left._data != getattr(right, "_data", right):
        return
    frame = sys._getframe(2)  # past the operator; a decision of this package is between two equal forms
    if is_watched() and frame.f_globals.get("__name__", "").partition(".")[0] != __name__.partition(".")[0]:
        numbers = left.data, float(getattr(right, "data", right))
        note_kink(Kink(left, "comparison", numbers, (0.0, 0.0), None, lambda _: (0.0, 0.0)))


def _note_row(node: Any) -> None:
    kink = kink_of(node) if node.op is not None and type(node.data) is float and is_watched() else None
    if kink is not None:
        note_kink(kink)


def kinks() -> Watch[Kinks]:
    """List every place where the computation inside sits exactly on a point where it is not differentiable.

    There the derivative is a choice: `abs` at 0, `relu` at 0, ties of `maximum`, `clip` at its bounds, the steps of
    `floor`, `sqrt` at 0. A comparison of two equal numbers counts too, for the program might as well have gone the
    other way: `<`, `<=`, `>` and `>=` count, also in `max`, `min` and `sorted`; `==` and `!=` do not, for a program
    that asks for equality means that one point. Operations on plain numbers, and those of forward mode (`jvp`), are
    not recorded, so they are not seen.

    Returns:
        a context manager that gives a list of entries, each with `op`, `numbers`, `chosen`, `left`, `right` (slopes),
        `site` and `node`; print the list to read it.

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
        if _note_row not in observers:  # it puts a kink on all lists
            observers = (*observers, _remember_origin, _note_row)
        others = [watch for watch in hooks.comparisons if watch is not _note_comparison]
        comparisons = (*others, _note_comparison)
        return replace(hooks, observers=observers, reports=(*hooks.reports, report), comparisons=comparisons)

    return Watch(change, report)
