"""Your own operations: one public call adds a row to the table, after checking its rule against its function.

Not here: how rows are evaluated (`row`), and the package's own rows (`table`). Read next: `core.copies`.
"""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from autograd_mini.core.operation import operation_of
from autograd_mini.core.row import TABLE, ZERO, Interval, Primitive, by_c99, nowhere
from autograd_mini.errors import ArgumentError, AutogradError, counted, shown


def primitive(
    name: str | Callable[..., float] | None = None,
    function: Callable[..., float] | None = None,
    rule: Callable[..., tuple[Any, ...]] | None = None,
    *,
    symbol: str | None = None,
    domain: Interval | tuple[Interval, ...] = (-10.0, 10.0),
    ulp: tuple[float, ...] = (),
    kink: Callable[..., bool] = nowhere,
    curvature: float | None = None,
    doc: str = "",
    check: bool = True,
) -> Any:
    """Add an operation to the table; the package can then do everything with it that it can do with its own.

    Use it as a decorator of a function on floats, or call it with name, function and rule.

    Args:
        name: a name that no other primitive has; by default, the function's. You can define the same function again,
            as in a notebook.
        function: the operation on floats, one argument per operand (`*xs` for any number).
        rule: `rule(result, *operands)` returns a tuple with one local partial derivative per operand, written with
            this package's functions (`am.exp`, not `math.exp`), so that it can be differentiated again. `ZERO` means
            that there is no edge; then no other slope should depend on that operand either.
        symbol: how pictures and formulas write it; by default, the name.
        domain: the interval from which the check and tests draw operands, or one interval per operand.
        ulp: the largest errors that tests allow, in units in the last place: of the value and the first, second and
            third derivative.
        kink: `kink(result, *operands)` says whether the operation is not differentiable at these floats.
        curvature: its second derivatives at a kink where its slopes jump: 0.0 between straight lines, `math.nan` at the
            tip of a cone, as in `hypot`.
        doc: the docstring of the operation; by default, the function's.
        check: whether to compare the rule with finite differences of the function at a few points of the domain. Pass
            False if the slope differs on purpose, or if the function must not be called yet.

    Returns:
        the operation, a function of floats, `Value`s, SymPy expressions and traced values.

    Raises:
        ArgumentError: the name is taken; the rule is missing, takes a different number of operands than the function,
            or contradicts it; the domain is no interval.

    In both, Python's operators follow C99, so 1 / 0 is inf. Functions of `math` raise at a pole, outside their domain
    and on overflow; you then get an ArgumentError that names the operation and the numbers.

    >>> import autograd_mini as am
    >>> @am.primitive(rule=lambda y, x: (3.0 * x * x,))
    ... def cube(x):
    ...     return x * x * x
    >>> am.grad(cube)(2.0), am.grad(am.grad(cube))(2.0)
    (12.0, 12.0)
    """

    def add(function: Callable[..., float]) -> Any:
        title = name if isinstance(name, str) else getattr(function, "__name__", name)
        names, is_variadic, signature = _operands(title, function, rule)
        intervals = _intervals(title, domain)
        assert isinstance(title, str)
        assert rule is not None
        row = Primitive(title, _completed(title, function), rule, symbol or title, intervals, ulp, kink, curvature,
                        poles=None, is_users=True)  # fmt: skip
        if check:
            _check(row, names, 2 if is_variadic else len(names))
        text = inspect.cleandoc(doc or (function.__doc__ or "" if decorates else ""))
        defaults = getattr(function, "__defaults__", None)
        operation = operation_of(row, names, is_variadic, rule.__module__, text, defaults)
        operation.__signature__ = signature  # type: ignore[attr-defined]  # what help() shows; typeshed has no name for it
        TABLE[title] = row  # last: an error above leaves the name free
        return operation

    decorates = function is None
    if function is not None:
        return add(function)
    if name is not None and not isinstance(name, str):
        raise ArgumentError(
            f"The primitive {shown(name)} has no rule.",
            "Decorate with @primitive(rule=lambda y, x: (...,)): one partial derivative per operand.",
        )
    return add


def _operands(name: Any, function: Any, rule: Any) -> tuple[tuple[str, ...], bool, inspect.Signature]:
    """The names of the operands, whether their number varies, and the signature that `help` shows."""
    if not isinstance(name, str):
        raise ArgumentError(f"The name of a primitive must be a string, not {shown(name)}.", "Pass name='...'.")
    if name in TABLE and not _is_redefined(TABLE[name].function, function):
        raise ArgumentError(f"A primitive named {name!r} exists already.", "Choose another name.")
    if not callable(function) or not callable(rule):
        raise ArgumentError(f"The function and the rule of {name!r} must be functions.", "See help(primitive).")
    try:
        first, *others = inspect.signature(rule).parameters.values()
    except ValueError:
        raise ArgumentError(f"The rule of {name!r} must have parameters.", "Write rule(result, *operands).") from None
    wanted, given = _count(function), _count(rule)
    if wanted is not None and given not in (None, wanted + 1):
        raise ArgumentError(
            f"The function of {name!r} takes {counted(wanted, 'operand')}, so its rule must take "
            f"{counted(wanted + 1, 'argument')}.",
            "The rule takes the result and the operands: rule(result, *operands).",
        )
    parameters = [first, *others] if first.kind is first.VAR_POSITIONAL else others
    is_variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    names = tuple([p.name for p in parameters if not is_variadic or p.kind is p.VAR_POSITIONAL])
    return names, is_variadic, inspect.Signature([p.replace(annotation=p.empty) for p in parameters])


def _intervals(name: Any, domain: Any) -> tuple[Interval, ...]:
    """The interval of each operand; one interval stands for all."""
    several = isinstance(domain, (tuple, list)) and domain and all(isinstance(x, (tuple, list)) for x in domain)
    intervals = tuple(map(tuple, domain)) if several else (domain,)
    if not all(_is_interval(interval) for interval in intervals):
        raise ArgumentError(
            f"The domain of {name!r} is {shown(domain)}.",
            "Pass (low, high), the smaller number first, or a tuple with one such pair for each operand.",
        )
    return intervals


def _is_interval(interval: Any) -> bool:
    return (
        isinstance(interval, (tuple, list))
        and len(interval) == 2
        and all(isinstance(end, (int, float)) for end in interval)
        and interval[0] <= interval[1]
    )


def _is_redefined(old: Callable[..., Any], new: Callable[..., Any]) -> bool:
    """Whether a function is a new definition of an old one, as when a notebook cell runs again."""
    old = getattr(old, "__wrapped__", old)  # what `_completed` was given
    return all(getattr(old, key, old) == getattr(new, key, new) for key in ("__module__", "__qualname__"))


def _count(function: Callable[..., Any]) -> int | None:
    """The number of arguments a function takes; None if it varies or is unknown."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some builtins
        return None
    fixed = all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in parameters)
    return len(parameters) if fixed else None


def _completed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a user's function follow C99 where Python's operators raise (1/0) or turn complex ((-8)**0.5)."""

    @functools.wraps(function)
    def completed(*operands: Any) -> Any:
        try:
            result = function(*operands)
            if not isinstance(result, complex):
                return result
        except AutogradError:
            raise
        except (ArithmeticError, ValueError):
            pass
        return by_c99(f"The function of {name!r}", function, operands)

    return completed


# -- does the rule fit the function? -----------------------------------------------------------------------------------
#
# Central differences give the slopes at a few points. If the first three step sizes disagree, there is a kink, a jump
# or noise, and the point is skipped. The last two are smaller, because a staircase has slope 0 between its steps. An
# error needs two points.

_POINTS, _SECONDS = 24, 0.1
_STEPS = (1e-3, 2.5e-4, 6.25e-5, 1e-6, 1e-8)  # of the width of an interval
_IRRATIONAL = (0.6180339887, 0.7548776662, 0.8191725134, 0.8566748838)  # multiples are spread evenly
_TELLING = 4.0  # this close to 0, most functions are neither flat nor infinite


def _check(row: Primitive, names: tuple[str, ...], count: int) -> None:
    """Raise if a rule contradicts its function at two or more points."""
    found: dict[int, int] = {}
    end = time.perf_counter() + _SECONDS
    for point, sizes in _points(row, count):
        for i, (slope, difference) in _slopes(row, point, sizes):
            found[i] = found.get(i, 0) + 1
            if found[i] > 1:
                at = ", ".join([f"{x:.4g}" for x in point])
                by = f" with respect to {names[i]}" if len(names) > 1 else ""
                raise ArgumentError(
                    f"The rule of {row.name!r} contradicts its function: at {row.name}({at}) it gives the slope "
                    f"{slope:.4g}{by}, but finite differences of the function give {difference:.4g}.",
                    "Correct the rule; it takes the result first, then the operands. If the slope differs on purpose, "
                    "pass check=False.",
                )
        if time.perf_counter() > end:
            return


def _points(row: Primitive, count: int) -> Iterator[tuple[list[float], list[float]]]:
    """Points inside the domain, each with the interval width of every operand."""
    for k in range(_POINTS):
        point, sizes = [], []
        for j in range(count):
            low, high = row.domain[min(j, len(row.domain) - 1)]
            if max(low, -_TELLING) < min(high, _TELLING):
                low, high = max(low, -_TELLING), min(high, _TELLING)
            part = (0.5 + 0.1 * j + k * _IRRATIONAL[j % 4]) % 1.0
            point.append(low + (0.02 + 0.96 * part) * (high - low))
            sizes.append(high - low)
        yield point, sizes


def _slopes(row: Primitive, point: list[float], sizes: list[float]) -> Iterator[tuple[int, tuple[float, float]]]:
    """(operand, its slopes by the rule and by differences) where the two contradict each other."""
    try:
        result = float(row.function(*point))
        partials = row.partials(result, point)
    except Exception:  # from the user's code; calling the operation there will raise it again
        return
    for i, partial in enumerate(partials):
        if partial is ZERO or not math.isfinite(result):
            continue
        try:
            differences = [_difference(row, point, i, step * sizes[i]) for step in _STEPS]
        except Exception:
            continue
        rough, middle, fine, *_ = differences
        noises = [1e-13 * abs(result) / (step * sizes[i] or 1.0) for step in _STEPS]
        size = max(abs(fine), noises[2])
        is_sure = abs(fine - middle) <= 0.01 * size and abs(middle - rough) <= 0.1 * size
        both = zip(differences, noises, strict=True)
        near = [abs(partial - d) <= 0.05 * max(abs(partial), abs(d)) + noise for d, noise in both]
        if is_sure and not (math.isfinite(partial) and any(near)):
            yield i, (float(partial), fine)


def _difference(row: Primitive, point: list[float], i: int, step: float) -> float:
    above, below = ([*point[:i], point[i] + side * step, *point[i + 1 :]] for side in (1.0, -1.0))
    return (row.function(*above) - row.function(*below)) / (above[i] - below[i])
