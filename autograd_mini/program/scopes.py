"""A `with` block and a decorator that name a part of the graph.

A scope costs each node one reference. Not here: the stack of entries (`stack`). Read next: `program.marks`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar

from autograd_mini.program.owner import user_site
from autograd_mini.program.stack import Block, Recording, Scope, enter, leave, outwards, recording

P = ParamSpec("P")
R = TypeVar("R")


class scope(Block):  # noqa: N801  # a context manager is used like a function
    """Name a part of the graph: nodes made inside belong to it, in pictures and in the debugger.

    Args:
        name: any text.

    Raises:
        TypeError: the name is not text.

    >>> import autograd_mini as am
    >>> with am.scope("energy"):
    ...     y = am.Value(3.0) * 2.0
    >>> y.scope.path
    ('energy',)
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            where = f"\n  where: {site}" if (site := user_site()) else ""  # this room stands below that of errors
            raise TypeError(f'A scope is named with text, not {name!r:.60}.{where}\n  do:    Write am.scope("a name").')
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
    is_repeatable = str(getattr(function, "__module__", "")).startswith(_COMPOSITIONS)  # the user's may do anything

    @functools.wraps(function)
    def scoped(*args: P.args, **kwargs: P.kwargs) -> R:
        entry = enter(name)
        try:
            if is_repeatable and entry.observe is not None:
                return _noted(entry, function, args, kwargs)
            return function(*args, **kwargs)
        finally:
            leave(entry)

    return scoped


# -- calls that can be repeated ----------------------------------------------------------------------------------------

_COMPOSITIONS = f"{__name__.partition('.')[0]}.functions."


@dataclass(eq=False, slots=True)
class Repeatable:
    """A call of a composition of this package, noted while nodes are observed, to make it again with other numbers."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: dict[int, int]  # the places of what it returned, by ids: holding the nodes would make cycles

    def again(self, scope: Scope, replaced: Callable[[Any], Any]) -> list[Any]:
        """The results of the function of replaced arguments, in the same scope."""
        args = [_mapped(replaced, x) for x in self.args]
        kwargs = {name: _mapped(replaced, x) for name, x in self.kwargs.items()}
        with inside(scope):
            return _listed(self.function(*args, **kwargs))

    def arguments(self) -> Iterator[Any]:
        """All that it was called with; elements of lists one by one."""
        for x in (*self.args, *self.kwargs.values()):
            yield from _listed(x)


@contextmanager
def inside(scope: Scope | None) -> Iterator[None]:
    """Record into a scope that exists already."""
    entry = enter("")
    entry.scope = scope
    try:
        yield
    finally:
        leave(entry)


def call_in(scope: Scope | None) -> Scope | None:
    """The outermost scope around that is a call that can be repeated."""
    return next((s for s in reversed([*outwards(scope)]) if getattr(s, "call", None) is not None), None)


def _noted(entry: Recording, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
    """Call a function, and note the call at the scope of an entry."""
    args, kwargs = tuple(map(_readable, args)), {name: _readable(x) for name, x in kwargs.items()}
    scope: Any = entry.scope
    result = function(*args, **kwargs)
    own = tuple(map(_copied, args)), {name: _copied(x) for name, x in kwargs.items()}
    scope.call = Repeatable(function, *own, {id(x): place for place, x in enumerate(_listed(result))})
    return result


def _readable(x: Any) -> Any:
    """An argument that can be read twice."""
    return [*x] if hasattr(type(x), "__next__") else x


def _copied(x: Any) -> Any:
    """An argument as it is now: the user may change a list or an array."""
    return x.tolist() if getattr(x, "ndim", 0) == 1 else [*x] if type(x) is list else x


def _listed(x: Any) -> list[Any]:
    return [*x] if isinstance(x, (list, tuple)) else [x]


def _mapped(function: Callable[[Any], Any], x: Any) -> Any:
    return [*map(function, x)] if isinstance(x, (list, tuple)) else function(x)


# -- recording without observers ---------------------------------------------------------------------------------------

_nothing = nullcontext()


def unobserved() -> AbstractContextManager[Any]:
    """Record without showing the nodes to any observer."""
    if not recording().hooks.observers:
        return _nothing
    return Block(lambda outside: replace(outside, observers=(), comparisons=()))
