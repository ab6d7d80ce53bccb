"""A `with` block and a decorator that name a part of the graph.

A scope costs each node one reference. Not here: the stack of entries (`stack`). Read next: `program.marks`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from autograd_mini.program.stack import Block, Hooks, enter, leave, recording

P = ParamSpec("P")
R = TypeVar("R")


class scope(Block):  # noqa: N801  # a context manager is used like a function
    """Name a part of the graph: nodes made inside belong to it, in pictures and in the debugger.

    Args:
        name: any text.

    >>> import autograd_mini as am
    >>> with am.scope("energy"):
    ...     y = am.Value(3.0) * 2.0
    >>> y.scope.path
    ('energy',)
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        self.adds = name


def composite(function: Callable[P, R]) -> Callable[P, R]:
    """Make every call of a function a scope with the function's name.

    Args:
        function: a function that uses primitives.

    Returns:
        the function, with the same signature.

    >>> import autograd_mini as am
    >>> @am.composite
    ... def energy(x):
    ...     return x * x
    >>> energy(am.Value(3.0)).scope.path
    ('energy',)
    """
    name = getattr(function, "__name__", type(function).__name__)

    @functools.wraps(function)
    def scoped(*args: P.args, **kwargs: P.kwargs) -> R:
        entry = enter(name)
        try:
            return function(*args, **kwargs)
        finally:
            leave(entry)

    return scoped


_nothing = nullcontext()


def _without_observers(outside: Hooks) -> Hooks:
    return replace(outside, observers=(), comparisons=())


def unobserved() -> AbstractContextManager[Any]:
    """Record without showing the nodes to any observer."""
    return Block(_without_observers) if recording().hooks.observers else _nothing
