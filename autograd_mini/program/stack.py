"""The stack of what holds while nodes are recorded: scopes and watchers, one stack a context, in one `ContextVar`.

Its top is read for every node, so everything is worked out there in advance. An exit undoes its own entry and nothing
else, in any order, from any thread, task or the garbage collector. Not here: what users write (that is `scopes`), and
what the watchers do (`observers`). Read next: `scopes`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass
from itertools import pairwise
from threading import get_ident
from types import FunctionType, TracebackType
from typing import Any

from autograd_mini.program.source import Site, user_site

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
        return tuple([scope.name for scope in outwards(self)][::-1])

    def __reduce__(self) -> tuple[Any, ...]:
        return Scope, (self.name, self.parent)  # without the site: code objects cannot be pickled


def outwards(scope: Scope | None) -> Iterator[Scope]:
    """A scope and those it is in."""
    while scope is not None:
        yield scope
        scope = scope.parent


@dataclass(frozen=True, eq=False, slots=True)
class Hooks:
    """All that may happen beside recording.

    Attributes:
        observers: called with each new node.
        finish: called with each new node after them, watched or not: `no_grad` cuts its edges.
        checked: whether sweeps and forward mode raise at nan and infinity.
        reports: the lists that kinks are put on.
        comparisons: called with each comparison of numbers: left, symbol, right, answer.
        at_backward: called with the root and the seed when `backward()` begins.
    """

    observers: tuple[Observer, ...] = ()
    finish: Observer | None = None
    checked: bool = False
    reports: tuple[Any, ...] = ()
    comparisons: tuple[Callable[[Any, str, Any, bool], None], ...] = ()
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
        adds: what it says itself: the name of a scope, or a function of the hooks outside; or that it is ended.
        relatives: all entries of any context above the same lowest `with`, and its own; empty while it is alone. Those
            that are ended are weak references: another context may still have them on top. None if only calls of
            composites are below, for those end in the context where they began.
        token: whether this context is that of the entry.
        left: of that of a `with`, the number of exits when it was left, and `thread` where.
        twin: an entry of the same block that is open too.
    """

    __slots__ = (
        "__weakref__",
        "adds",
        "hooks",
        "left",
        "observe",
        "outer",
        "relatives",
        "scope",
        "thread",
        "token",
        "twin",
    )

    scope: Scope | None
    observe: Observer | None
    hooks: Hooks
    outer: Recording
    adds: Any
    relatives: set[Any] | None
    left: int
    thread: int
    token: Token[Recording] | None
    twin: Recording | None


_new = object.__new__
_ended = object()
_bottom, _unset = Recording(), Recording()  # what a new context has is an entry that ended long ago
_bottom.scope = _bottom.observe = _bottom.relatives = _unset.scope = _unset.observe = None
_bottom.hooks = _unset.hooks = Hooks()
_bottom.adds, _unset.adds, _unset.outer = "", _ended, _bottom
_recording: ContextVar[Recording] = ContextVar("recording", default=_unset)
recording = _recording.get
_put = _recording.set
_put(_bottom)  # `recording()` takes two thirds of the time where it is set
_exits = 0  # of `with` blocks, in all threads, ever
nobody: set[Any] = set()


def watch_everywhere(hooks: Hooks) -> None:
    """Let these hooks hold from now on, in every thread."""
    _bottom.hooks = _unset.hooks = hooks
    _bottom.observe = _unset.observe = hooks.observe()


# -- the stack ---------------------------------------------------------------------------------------------------------


def enter(adds: str | Callable[[Hooks], Hooks], entry: Recording) -> Recording:
    """Put an entry on the stack; to be left with `leave`.

    Args:
        adds: the name of a scope, or a function that gives the hooks inside for those outside.
        entry: a new object, to be filled.
    """
    exits = _exits
    outer = recording()
    if outer.adds is _ended:
        outer = _below(outer)
    entry.outer = outer
    entry.adds = adds
    entry.relatives = None
    if type(adds) is str:  # `_fill`, inlined
        entry.scope = scope = _new(Scope)
        scope.name = adds
        scope.parent = outer.scope
        entry.observe = observe = outer.observe
        scope.site = None if observe is None else user_site()
        entry.hooks = outer.hooks
    else:
        _fill(entry, None)
    relatives = outer.relatives
    if relatives is not None:  # `_relate`, inlined; not before the entry is filled, for now others may see it
        if not relatives:
            relatives = outer.relatives = {outer}
        entry.relatives = relatives
        relatives.add(entry)
    entry.token = _put(entry)
    if _exits != exits:
        _settle(entry, exits)
    return entry


def leave(entry: Recording) -> None:
    """Undo an entry, and nothing else, wherever it lies."""
    top = recording()
    if top is entry or (top.adds is _ended and _below(top) is entry):
        try:
            _recording.reset(entry.token)  # type: ignore[arg-type]  # none only once it has ended
        except ValueError:  # this context is a copy of the one where it was entered
            _end(entry)
        else:
            if entry.relatives:
                entry.relatives.discard(entry)
    else:
        _end(entry)


def _relate(entry: Recording, outer: Recording) -> None:
    """Let an entry be found where one below it ends."""
    if not outer.relatives:
        outer.relatives = {outer}
    entry.relatives = outer.relatives
    entry.relatives.add(entry)


def _fill(entry: Recording, site: Site | None) -> None:
    """Work out what holds in an entry from what holds below it."""
    outer, adds = entry.outer, entry.adds
    if type(adds) is FunctionType:
        hooks = adds(outer.hooks)
        entry.scope, entry.hooks, entry.observe = outer.scope, hooks, hooks.observe()
    else:
        entry.scope = outer.scope if adds is _ended else Scope(adds, outer.scope, site)
        entry.hooks, entry.observe = outer.hooks, outer.observe


def _refill(entry: Recording) -> None:
    _fill(entry, None if entry.scope is None else entry.scope.site)


def _end(entry: Recording) -> None:
    """Let an entry say nothing any more, in whatever stacks it lies."""
    global _exits
    exits = _exits = _exits + 1
    entry.adds, entry.token = _ended, None  # a token keeps its context, and what was on top before
    affected = {entry: None}  # in an order in which each comes after those below it
    for relative in (recording(), *(entry.relatives or ())):
        above = []
        at = relative() if type(relative) is weakref.ref else relative
        while at is not None and at is not _bottom and at is not entry:
            above.append(at)
            at = at.outer
        if at is entry:
            affected |= dict.fromkeys(reversed(above))
    if entry.relatives:
        dead = [other for other in tuple(entry.relatives) if type(other) is weakref.ref and other() is None]
        entry.relatives.difference_update([entry, *dead])
        entry.relatives.add(weakref.ref(entry))
    while True:
        for other in affected:
            _refill(other)
        if exits == _exits:
            return
        exits = _exits  # the garbage collector closed a generator meanwhile


def _below(entry: Recording) -> Recording:
    """The first entry that is not ended."""
    if entry is _unset:
        _put(_bottom)
    while entry.adds is _ended:
        entry = entry.outer
    return entry


def _still_below(entry: Recording, exits: int) -> Recording:
    """The first entry that this thread did not leave since a number of exits."""
    thread = get_ident()
    while getattr(entry, "left", 0) > exits and entry.thread == thread:
        entry = entry.outer
    return _below(entry)


def _settle(entry: Recording, exits: int) -> None:
    """Put a new entry where it belongs: others were left while it was made.

    The garbage collector may close a generator at any moment, and other threads may end entries of this one.
    """
    while exits != _exits:
        before, exits = exits, _exits
        below: Any = entry.token.old_value  # type: ignore[union-attr]  # it was put a moment ago
        below = _bottom if below is Token.MISSING else below
        outer = _still_below(below, before)
        if outer is not below:  # it was left in the middle of `_put`
            _put(outer)
            entry.token = _put(entry)
        if outer is not entry.outer:
            if entry.relatives:
                entry.relatives.discard(entry)
            entry.outer, entry.relatives = outer, None
            if outer.relatives is not None:
                _relate(entry, outer)
        _refill(entry)


class Block(Recording):
    """A context manager, and its own first entry. It may be entered again inside of itself, or by threads."""

    __slots__ = ("entry", "used")

    entry: Recording | None  # the last one that is open; those before it are its twins
    used: bool

    def _enter(self, adds: Any) -> None:
        if self.used:
            entry = enter(adds, Recording())
        else:
            self.used = True
            entry = enter(adds, self)
        if entry.relatives is None:
            entry.relatives = nobody
        entry.twin = self.entry
        self.entry = entry

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _exits
        entry = self.entry
        if entry is None:
            return
        if entry.twin is not None:
            entry = self._innermost(entry)
        self.entry = entry.twin
        if recording() is entry:  # `leave`, inlined
            try:
                _recording.reset(entry.token)  # type: ignore[arg-type]  # none only once it has ended
            except ValueError:
                _end(entry)
            if entry.relatives:
                entry.relatives.discard(entry)
        else:
            leave(entry)
        _exits = entry.left = _exits + 1
        entry.thread = get_ident()

    def _innermost(self, entry: Recording) -> Recording:
        """Of several entries, the innermost in this context, or the last made elsewhere; it becomes the first twin."""
        twins = [entry]
        while (twin := twins[-1].twin) is not None:
            twins.append(twin)
        at = recording()
        while at is not _bottom and at not in twins:
            at = at.outer
        found = twins[0] if at is _bottom else at
        twins.remove(found)
        for entry, twin in pairwise([found, *twins]):
            entry.twin = twin
        twins[-1].twin = None
        return found
