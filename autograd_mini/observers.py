"""Who may watch a graph being recorded: `provenance`, which notes source expressions, and `checked`, which raises.

Nodes are looked at through their public attributes only. Not here: recording itself. Read next: `engine`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from math import isfinite
from types import CodeType
from typing import Any, TypeVar

from autograd_mini.errors import NonFiniteError, shown
from autograd_mini.primitives import ZERO
from autograd_mini.scopes import observe_everywhere, observing
from autograd_mini.source import site_of

Function = TypeVar("Function", bound=Callable[..., Any])

# What lies between an operation in the user's program and the observer: nobody looks for a node's origin there.
_MACHINERY = ("autograd_mini.engine", "autograd_mini.methods", "autograd_mini.primitives", "autograd_mini.scopes")
_TRANSPARENT: set[CodeType] = set()


def transparent(function: Function) -> Function:
    """Let nodes made by a function come from where it was called: it is an operation, not a part of the program."""
    _TRANSPARENT.add(function.__code__)
    return function


def _remember_origin(node: Any) -> None:
    frame = sys._getframe(1)
    while frame.f_back is not None and (frame.f_globals.get("__name__") in _MACHINERY or frame.f_code in _TRANSPARENT):
        frame = frame.f_back
    node.origin = site_of(frame)


if os.environ.get("AUTOGRAD_MINI_PROVENANCE", "0") not in ("", "0"):
    observe_everywhere(_remember_origin)


def provenance() -> AbstractContextManager[None]:
    """Remember, for every node recorded inside, the source expression that made it: `node.origin`.

    Off by default, for it makes recording slower; the environment variable AUTOGRAD_MINI_PROVENANCE=1 turns it on
    for a whole run.

    Returns:
        a context manager.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0)
    >>> with am.provenance():
    ...     y = (x + 1.0) * (x - 1.0)
    >>> y.origin.expression
    '(x + 1.0) * (x - 1.0)'
    """
    return observing(_remember_origin)


# The root of the last `backward()`, where provenance was on: what the command line draws.
last_root: ContextVar[Any] = ContextVar("last_root", default=None)

is_checked: ContextVar[bool] = ContextVar("is_checked", default=False)


@contextmanager
def checked() -> Iterator[None]:
    """Raise at the first nan or infinity, in recording and in `backward()`, instead of going on with it.

    The error names the operands, or the adjoint and the local derivative, and the expression in the user's program.
    Everything that is recorded inside is checked, also in a branch that is not taken; plain numbers and the data of
    leaves are not.

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
    token = is_checked.set(True)
    try:
        with observing(_remember_origin), observing(_check_result):
            yield
    finally:
        is_checked.reset(token)


def _check_result(node: Any) -> None:
    if not isfinite(node.data):
        numbers = shown([getattr(operand, "data", operand) for operand in node.operands])[1:-1]
        sources = [
            f"{operand.name or 'the operand'} = {operand.data!r}"
            + (f" from {operand.origin}" if operand.origin else "")
            for operand in node.operands
            if hasattr(operand, "origin")
        ]
        raise NonFiniteError(f"{node.op}({numbers}) is {node.data}.", f"Look at {'; '.join(sources[:3]) or 'it'}.")


def check_contributions(node: Any, adjoint: Any) -> None:
    """Raise if anything that a node hands on to its operands in a sweep is nan or infinite."""
    if adjoint is ZERO:
        return
    adjoint = getattr(adjoint, "data", adjoint)  # a Value in sweeps of higher order
    for operand, partial in zip(node.operands, node.partials, strict=True):
        if partial is ZERO or isfinite(adjoint * partial):
            continue
        raise NonFiniteError(
            f"The gradient that {node.op} hands to its operand {operand.name or repr(operand.data)} is not finite: "
            f"adjoint {adjoint!r} times local derivative {partial!r} is {adjoint * partial!r}.",
            f"Look at {node.origin}, which gave {node.data!r}."
            if node.origin
            else "Record the computation inside `with checked():` too, and this message will name its expression.",
        )
