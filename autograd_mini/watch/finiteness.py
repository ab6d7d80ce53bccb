"""`checked`: raise at the first nan or infinity, wherever it arises, and name its cause.

Not here: the slopes at a kink (`boundaries`). Read next: `watch.boundaries`.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, isnan
from typing import Any

from autograd_mini.core.row import ZERO
from autograd_mini.errors import NonFiniteError, shown
from autograd_mini.program.stack import Checks, Hooks, recording
from autograd_mini.watch import Watch
from autograd_mini.watch.origins import place_of, remember_origin

_KINK = "slope_at_kink"  # the row whose derivative is nan


def is_checked() -> bool:
    """Whether `checked` is on."""
    return recording().hooks.checked is not None


def checked() -> Watch[None]:
    """Raise at the first nan or infinity, while recording and in `backward()`.

    The error names the operands, or the adjoint and the local derivative, and the expression in your program.
    Everything that is recorded inside is checked, also in a branch that is not taken; plain numbers and the data of
    leaves are not. A second derivative through a kink of `abs`, `relu`, `maximum` or `clip` raises too; without
    `checked`, it is 0 there.

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
        checks = Checks(_check_contributions, _check_tangent, _check_dual, _check_slopes)
        return replace(hooks, observers=(*hooks.observers, remember_origin, _check_result), checked=checks)

    return Watch(change, None)


def _numbers(node: Any) -> str:
    return shown([getattr(operand, "data", operand) for operand in node.operands])[1:-1]


def _check_result(node: Any) -> None:
    if node.op is not None and type(node.data) is float and not isfinite(node.data):
        operands = [(x, f" from {place_of(x)}" * bool(x.origin)) for x in node.operands if hasattr(x, "origin")]
        sources = [f"{x.name or 'the operand'} = {x.data!r}{place}" for x, place in operands[:3]]
        raise NonFiniteError(f"{node.op}({_numbers(node)}) is {node.data}.", f"Look at {'; '.join(sources) or 'it'}.")


def _kink_error(numbers: str, operand: Any = None, operation: str = "an operation at ") -> NonFiniteError:
    what = f"A second derivative was taken at a kink of {operation}{numbers}, where the slope has no derivative."
    if place := place_of(operand) if getattr(operand, "origin", None) else None:
        return NonFiniteError(what, f"Look at {place}, which is {operand.data!r}.")
    return NonFiniteError(what, "Look for the operation with these operands; `kinks` lists all kinks.")


def _check_slopes(node: Any) -> None:
    """Raise if a node whose slopes are differentiated again is at a kink of its own."""
    if node._row.curvature is not None and node._row.is_at_kink(node.data, node.operands):
        raise _kink_error(_numbers(node), node.operands[0], f"{node.op} at ")


def _check_tangent(node: Any, tangent: Any) -> None:
    """Raise if the derivative of a node in forward mode is nan or infinite."""
    if node.op == _KINK and tangent is not ZERO:
        raise _kink_error(_numbers(node), node.operands[0])
    if node.op is not None and tangent is not ZERO:
        _check_dual(f"{node.op}({_numbers(node)})", 0.0, tangent)


def _check_dual(name: str, primal: Any, tangent: Any) -> None:
    """Raise if a number or its derivative in forward mode is nan or infinite."""
    for what, number in (("", primal), ("The derivative of ", tangent)):
        number = getattr(number, "data", number)
        if name.startswith(_KINK) and isnan(number):
            raise _kink_error(name.removeprefix(_KINK)[1:-1])
        if type(number) is float and not isfinite(number):
            raise NonFiniteError(f"{what}{name} is {number}.", "Look at its operands.")


def _check_contributions(node: Any, adjoint: Any) -> None:
    """Raise if a gradient that a node passes to its operands in a sweep is nan or infinite."""
    adjoint = getattr(adjoint, "data", adjoint)  # a Value in sweeps of higher order
    if type(adjoint) is not float or not isinstance(node.data, float):
        return  # `ZERO`, or a formula
    for operand, partial in zip(node.operands, node.partials, strict=True):
        if partial is ZERO or isfinite(adjoint * partial):
            continue
        if node.op == _KINK:
            raise _kink_error(_numbers(node), operand)
        do = "Record the computation inside `with checked():` too; this message then names the expression."
        raise NonFiniteError(
            f"The gradient that {node.op} passes to its operand {operand.name or repr(operand.data)} is not finite: "
            f"adjoint {adjoint!r} times local derivative {partial!r} is {adjoint * partial!r}.",
            f"Look at {place_of(node)}, which gave {node.data!r}." if node.origin else do,
        )
