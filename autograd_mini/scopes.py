"""What recording knows beside the numbers: names for parts of a graph, and who watches.

Both are entries of one stack, in one `ContextVar`: `recording()` is the entry on top, with all that holds now worked out
already, so that a node costs no search. A scope ("softmax", "Layer0") costs a node one reference; watching costs
nothing while nobody does. Not here: nodes, and what the watchers do (that is `observers`). Read next: `observers`.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from autograd_mini.errors import OperandError, shown
from autograd_mini.source import Site, user_site

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

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


@dataclass(frozen=True, eq=False, slots=True)
class Hooks:
    """All that may happen beside recording.

    Attributes:
        observers: called with each new node.
        finish: called with each new node after them, watched or not: `no_grad` cuts its edges.
        checked: whether sweeps and forward mode raise at nan and infinity.
        reports: the lists that kinks are put on.
        at_boundary: called with both operands where `< <= > >=` finds them equal.
        at_backward: called with the root and the seed when `backward()` begins.
    """

    observers: tuple[Observer, ...] = ()
    finish: Observer | None = None
    checked: bool = False
    reports: tuple[Any, ...] = ()
    at_boundary: Callable[[Any, Any], None] | None = None
    at_backward: Callable[[Any, float], None] | None = None

    def observe(self) -> Observer | None:
        """One function for all that want to see a new node."""
        functions = self.observers if self.finish is None else (*self.observers, self.finish)
        if len(functions) < 2:
            return functions[0] if functions else None

        def observe(node: Any) -> None:
            for function in functions:
                function(node)

        return observe


class Recording:
    """The circumstances of recording: an entry of the stack, with everything that it and those below it say.

    An entry that is left while it is on top, in the context where it was entered, is simply not on top any more: a task
    that was started inside has the stack of that moment, and keeps it. An entry that is left in any other way (a
    generator holds it, and ends while others are above it, or in another thread) is *ended*: it says nothing any more,
    wherever it lies; those above it are worked out again.

    Attributes:
        scope: the scope of new nodes.
        observe: a function to call with each of them, or None.
        hooks: what else happens.
        outer: the entry below.
        block: the block that made it; None if it is ended.
        relatives: all entries above the same lowest one, those that are ended as weak references, for another context
            may still have them on top.
        token: whether this context is that of the entry; the number of its end after that.
    """

    __slots__ = ("__weakref__", "block", "hooks", "observe", "outer", "relatives", "scope", "token")

    scope: Scope | None
    observe: Observer | None
    hooks: Hooks
    outer: Recording
    block: Any
    relatives: set[Any]
    token: Token[Recording] | int | None


_new = object.__new__
_bottom = Recording()
_bottom.scope, _bottom.observe, _bottom.hooks, _bottom.block = None, None, Hooks(), "bottom"
_recording: ContextVar[Recording] = ContextVar("recording", default=_bottom)
recording = _recording.get
_set = _recording.set
_exits = 0  # in all threads, ever


def observe_everywhere(observe: Observer) -> None:
    """Call a function with every node recorded from now on, in every thread."""
    _bottom.hooks, _bottom.observe = Hooks(observers=(observe,)), observe


# -- the stack ---------------------------------------------------------------------------------------------------------


def enter(block: Any) -> Recording:
    """Put an entry for a block on the stack; to be left with `leave`."""
    exits = _exits
    entry = _new(Recording)
    entry.block = block
    entry.token = None
    entry.outer = outer = recording()
    if outer.block is None:
        outer = entry.outer = _below(outer)
    entry.relatives = relatives = set() if outer is _bottom else outer.relatives
    relatives.add(entry)
    site = user_site() if outer.hooks.observers else None
    block.fill(entry, outer, site)
    entry.token = _set(entry)
    if _exits != exits:
        _settle(entry, site, exits)
    return entry


def leave(entry: Recording) -> None:
    """Undo an entry, and nothing else, wherever it lies."""
    global _exits
    if recording() is entry:
        try:
            _recording.reset(cast("Token[Recording]", entry.token))
        except ValueError:  # this context is a copy of the one where it was entered
            pass
        else:
            _exits += 1
            entry.token = _exits
            entry.relatives.discard(entry)
            return
    _end(entry)


def _end(entry: Recording) -> None:
    """Let an entry say nothing any more, in whatever stacks it lies."""
    global _exits
    _exits += 1
    entry.block, entry.token = None, _exits
    relatives = entry.relatives
    relatives.discard(entry)
    relatives.add(weakref.ref(entry))
    affected = {entry: None}  # in an order in which each comes after those below it
    for relative in tuple(relatives):
        at = relative() if type(relative) is weakref.ref else relative
        if at is None:
            relatives.discard(relative)
            continue
        path = []
        while at is not _bottom and at is not entry:
            path.append(at)
            at = at.outer
        if at is entry:
            affected |= dict.fromkeys(reversed(path))
    exits = 0
    while exits != _exits:  # the garbage collector may close a generator meanwhile
        exits = _exits
        for other in affected:
            _fill(other, None if other.scope is None else other.scope.site)


def _fill(entry: Recording, site: Site | None) -> None:
    if entry.block is not None:
        entry.block.fill(entry, entry.outer, site)
    else:
        entry.scope, entry.observe, entry.hooks = entry.outer.scope, entry.outer.observe, entry.outer.hooks


def _below(entry: Recording, exits: int | None = None) -> Recording:
    """The first entry that is not ended; with a number of exits, that was not left since then either."""
    while entry is not _bottom and (
        entry.block is None or (exits is not None and type(entry.token) is int and entry.token > exits)
    ):
        entry = entry.outer
    return entry


def _settle(entry: Recording, site: Site | None, exits: int) -> None:
    """Put a new entry where it belongs: others were left while it was made.

    The garbage collector may close a generator at any moment, and other threads end entries of this one.
    """
    while exits != _exits:
        before, exits = exits, _exits
        below: Any = cast("Token[Recording]", entry.token).old_value
        below = _bottom if below is Token.MISSING else below
        outer = _below(below, before)
        if outer is not below:
            _set(outer)
            entry.token = _set(entry)
        if outer is not entry.outer:
            entry.relatives.discard(entry)
            entry.outer, entry.relatives = outer, set() if outer is _bottom else outer.relatives
            entry.relatives.add(entry)
        _fill(entry, site)


class _Block:
    """A context manager that makes entries. One object may be entered again inside of itself, or by threads."""

    __slots__ = ("entries",)

    entries: list[Recording]  # that are open

    def fill(self, entry: Recording, outer: Recording, site: Site | None) -> None:
        """Work out what holds in an entry from what holds below it."""
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entries = self.entries
        at = recording()
        if entries[-1] is not at:  # the innermost of ours in this context; if there is none, it was another context
            while at is not _bottom and at not in entries:
                at = at.outer
            at = entries[-1] if at is _bottom else at
        entries.remove(at)
        leave(at)


# -- names -------------------------------------------------------------------------------------------------------------


class scope(_Block):  # noqa: N801  # a context manager is used like a function
    """Give a part of the graph a name: nodes made inside belong to it, in pictures and in the debugger.

    Args:
        name: any text.

    >>> import autograd_mini as am
    >>> with am.scope("energy"):
    ...     y = am.Value(3.0) * 2.0
    >>> y.scope.path
    ('energy',)
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries = []

    def __enter__(self) -> scope:
        self.entries.append(enter(self))
        return self

    def fill(self, entry: Recording, outer: Recording, site: Site | None) -> None:
        entry.scope = named = _new(Scope)
        named.name = self.name
        named.parent = outer.scope
        named.site = site
        entry.observe = outer.observe
        entry.hooks = outer.hooks


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
    part = scope(getattr(function, "__name__", type(function).__name__))

    @functools.wraps(function)
    def scoped(*args: P.args, **kwargs: P.kwargs) -> R:
        entry = enter(part)
        try:
            return function(*args, **kwargs)
        finally:
            leave(entry)

    return scoped


# -- watching ----------------------------------------------------------------------------------------------------------


class Watch(_Block, Generic[T]):
    """A block with other hooks: a context manager, and a decorator of functions.

    Args:
        change: gives the hooks inside, for those outside.
        result: what `with ... as` gives.
    """

    __slots__ = ("change", "result")

    def __init__(self, change: Callable[[Hooks], Hooks], result: T) -> None:
        self.change = change
        self.result = result
        self.entries = []

    def __enter__(self) -> T:
        self.entries.append(enter(self))
        return self.result

    def fill(self, entry: Recording, outer: Recording, site: Site | None) -> None:
        entry.scope = outer.scope
        entry.hooks = self.change(outer.hooks)
        entry.observe = entry.hooks.observe()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        run: Any
        if inspect.isasyncgenfunction(function):
            raise OperandError(
                f"An asynchronous generator runs in turns with its caller: {shown(function)} cannot be decorated.",
                "Write the `with` inside of it, around code that neither yields nor awaits.",
            )
        if inspect.iscoroutinefunction(function):

            async def run(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return await function(*args, **kwargs)

        elif inspect.isgeneratorfunction(function):

            def run(*args: P.args, **kwargs: P.kwargs) -> Any:
                return self._in_turns(function(*args, **kwargs))

        else:

            def run(*args: P.args, **kwargs: P.kwargs) -> R:
                with self:
                    return function(*args, **kwargs)

        return cast("Callable[P, R]", functools.wraps(function)(run))

    def _in_turns(self, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Run a generator inside of the block, and its caller, between its steps, outside."""
        step: Callable[[Any], Any] = generator.send
        argument: Any = None
        while True:
            with self:
                try:
                    item = step(argument)
                except StopIteration as end:
                    return end.value
            try:
                argument, step = (yield item), generator.send
            except GeneratorExit:
                with self:
                    generator.close()
                raise
            except BaseException as error:
                argument, step = error, generator.throw


def hooked(**hooks: Any) -> Watch[None]:
    """A block with other hooks, whatever they are outside."""
    return Watch(lambda outside: replace(outside, **hooks), None)


def observing(observe: Observer) -> Watch[None]:
    """Call a function with every node that is recorded inside, after those that watch already."""
    return Watch(lambda hooks: replace(hooks, observers=(*hooks.observers, observe)), None)


_nothing = nullcontext()
_unobserved = hooked(observers=())


def unobserved() -> AbstractContextManager[None]:
    """Record without anybody watching."""
    return _unobserved if recording().hooks.observers else _nothing
