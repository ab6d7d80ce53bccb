"""What recording knows beside the numbers: names for parts of a graph, and who watches each new node.

A scope ("softmax", "Layer0") is always on and costs a node one reference; watching costs nothing while nobody does.
Not here: nodes, and what the watchers do (that is `observers`). Read next: `observers`, `engine`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from autograd_mini.source import Site, user_site

P = ParamSpec("P")
R = TypeVar("R")

Observer = Callable[[Any], None]


@dataclass(eq=False, slots=True)  # not frozen, for that would make entering a scope three times as slow
class Scope:
    """One entry into a named part of a program; compared by identity, so that two calls of `softmax` are two scopes.

    Attributes:
        name: what the part is called.
        parent: the scope around it, or None.
        site: where the user's program entered it; None unless provenance is on.
    """

    name: str
    parent: Scope | None = None
    site: Site | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The names from the outermost scope to this one.

        >>> Scope("exp", Scope("softmax")).path
        ('softmax', 'exp')
        """
        names: list[str] = []
        scope: Scope | None = self
        while scope is not None:
            names.append(scope.name)
            scope = scope.parent
        return tuple(reversed(names))

    def __reduce__(self) -> tuple[Any, ...]:
        return Scope, (self.name, self.parent)  # without the site: code objects cannot be pickled


def outwards(scope: Scope | None) -> Iterator[Scope]:
    """A scope and those it is in."""
    while scope is not None:
        yield scope
        scope = scope.parent


@dataclass(eq=False, slots=True)
class Recording:
    """The circumstances of recording: the scope of new nodes, and a function to call with each of them (or None).

    They are a stack: `outer` is what holds again when this ends.
    """

    scope: Scope | None = None
    observe: Observer | None = None
    outer: Recording | None = None


_default = Recording()
_recording: ContextVar[Recording] = ContextVar("recording", default=_default)
recording = _recording.get


def observe_everywhere(observe: Observer) -> None:
    """Call a function with every node recorded from now on, in every thread."""
    _default.observe = observe


def _enter(name: str) -> None:
    outer = recording()
    site = None if outer.observe is None else user_site()
    _recording.set(Recording(Scope(name, outer.scope, site), outer.observe, outer))


def _leave() -> None:
    _recording.set(recording().outer or _default)


class scope:  # noqa: N801  # a context manager is used like a function
    """Give a part of the graph a name: nodes made inside belong to it, in pictures and in the debugger.

    Args:
        name: any text.

    >>> import autograd_mini as am
    >>> with am.scope("energy"):
    ...     y = am.Value(3.0) * 2.0
    >>> y.scope.path
    ('energy',)
    """

    __slots__ = ("name",)  # no state of an entry: one object may be entered again inside of itself, or by threads

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> scope:
        _enter(self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _leave()


def composite(function: Callable[P, R]) -> Callable[P, R]:
    """Make every call of a function a scope of its name.

    Args:
        function: computes something from primitives.

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
        _enter(name)
        try:
            return function(*args, **kwargs)
        finally:
            _leave()

    return scoped


@contextmanager
def observing(observe: Observer) -> Iterator[None]:
    """Call a function with every node that is recorded inside, after those that watch already."""
    outer = recording()
    first = outer.observe

    def both(node: Any) -> None:
        if first is not None:
            first(node)
        observe(node)

    _recording.set(Recording(outer.scope, both, outer))
    try:
        yield
    finally:
        _leave()


@contextmanager
def unobserved() -> Iterator[None]:
    """Record without anybody watching."""
    outer = recording()
    _recording.set(Recording(outer.scope, None, outer))
    try:
        yield
    finally:
        _leave()
