"""The scopes and hooks that apply to new nodes: one stack for each context, in one `ContextVar`.

An exit undoes only its own entry, in any order, from any thread, any task or the garbage collector.
Not here: what users write (`scopes`), and what the hooks do (`watch`). Read next: `program.scopes`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token, copy_context
from dataclasses import dataclass, field
from threading import get_ident
from types import FunctionType, TracebackType
from typing import Any, NamedTuple

from autograd_mini.program.owner import user_site
from autograd_mini.program.source import Site

Observer = Callable[[Any], None]


@dataclass(eq=False, slots=True)  # not frozen: that would make entering a scope three times as slow
class Scope:
    """One entry into a named part of a program; compared by identity, so two calls of `softmax` are two scopes."""

    name: str
    parent: Scope | None = None
    site: Site | None = None  # where the user's program entered it, if provenance was on
    call: Any = field(default=None, repr=False)  # the `Repeatable` call that it is, or unset: see `call_in`

    @property
    def path(self) -> tuple[str, ...]:
        """The names from the outermost scope to this one."""
        return tuple([scope.name for scope in outwards(self)][::-1])

    def __reduce__(self) -> tuple[Any, ...]:
        return Scope, (self.name, self.parent)  # without the site: code objects cannot be pickled


def outwards(scope: Scope | None) -> Iterator[Scope]:
    """A scope and the scopes around it."""
    while scope is not None:
        yield scope
        scope = scope.parent


class Checks(NamedTuple):
    """The checks of `checked()` in a sweep, in forward mode and for slopes that are differentiated again."""

    contributions: Callable[[Any, Any], None]
    tangent: Callable[[Any, Any], None]
    dual: Callable[[str, Any, Any], None]
    slopes: Callable[[Any], None]


@dataclass(frozen=True, eq=False, slots=True)
class Hooks:
    """Everything that can happen besides recording."""

    observers: tuple[Observer, ...] = ()  # called with each new node
    finish: Observer | None = None  # called with it after them, even if unobserved: `no_grad` cuts its edges
    checked: Checks | None = None  # these raise at nan and infinity
    reports: tuple[Any, ...] = ()  # the lists that kinks are put on
    comparisons: tuple[Callable[[Any, str, Any, bool], None], ...] = ()  # called with left, symbol, right, answer
    at_backward: Callable[[Any, float], None] | None = None  # called with root and seed when `backward()` begins

    def observe(self) -> Observer | None:
        """One function that calls all observers with a new node; None if there are none."""
        functions = self.observers if self.finish is None else (*self.observers, self.finish)
        if len(functions) < 2:
            return functions[0] if functions else None

        def observe(node: Any) -> None:
            for function in functions:
                function(node)

        return observe


class Recording:
    """An entry of the stack. It stores everything that applies at its level, so a new node reads the top entry only.

    Most entries are left in order: the entry below becomes the top again, and nothing else changes. A task that was
    started inside has its own stack with the same entries, and keeps them.

    An entry that is left in any other way has *ended*: for example, a generator that holds it is closed while other
    entries lie above it, in another thread, or by the garbage collector. It then adds nothing to any stack, and the
    entries above it are computed again. `open_entries` finds those in other stacks: calls of composites end before
    their callers do, so only each `with` and the entries above one have to be found.
    """

    __slots__ = "__weakref__", "adds", "block", "hooks", "left", "observe", "outer", "scope", "thread", "token"

    scope: Scope | None  # of new nodes
    observe: Observer | None  # called with each of them
    hooks: Hooks
    outer: Any  # the entry below; None at the bottom
    adds: Any  # the name of a scope, a function that makes its hooks from those outside, or `_ended`
    block: Any  # the `Block` that will leave it; for any other entry, whether a `with` is below
    token: Token[Recording] | None  # restores the former top in the context where it was entered
    left: int  # for a `with`: the number of exits when it was left, and its thread
    thread: int


_new = object.__new__
_ended = object()
_bottom, _unset = Recording(), Recording()  # a new context has `_unset`, an entry that ended long ago
_bottom.scope = _bottom.observe = _unset.scope = _unset.observe = None
_bottom.hooks = _unset.hooks = Hooks()
_bottom.adds, _bottom.outer, _unset.adds, _unset.outer = "", None, _ended, _bottom
_bottom.block = _unset.block = False
context: ContextVar[Recording] = ContextVar("recording", default=_unset)
recording = context.get
# While one of these two runs, the collector may close a generator in a `with`, which calls them too. CPython then frees
# the map of variables that the first is still reading, unless a copy of the context holds it (50 ns).
_put, _back = context.set, context.reset
_put(_bottom)  # `recording()` takes two thirds of the time if the variable is set
open_entries: set[Recording] = set()  # each `with`, and the entries above one
_ended_above_blocks: set[weakref.ref[Recording]] = set()  # another context may still have them on top
_exits = 0  # of `with` blocks, in all threads, ever


def watch_everywhere(hooks: Hooks) -> None:
    """Apply these hooks from now on, in every thread."""
    _bottom.hooks = _unset.hooks = hooks
    _bottom.observe = _unset.observe = hooks.observe()


def downwards(entry: Recording | None) -> Iterator[Recording]:
    """An entry and the entries below it."""
    while entry is not None:
        yield entry
        entry = entry.outer


def enter(adds: str | Callable[[Hooks], Hooks], block: Block | None = None) -> Recording:
    """Put an entry on the stack; `leave` takes it off, or its `Block` in the case of a `with`."""
    exits = _exits
    outer = recording()
    if outer.adds is _ended:
        outer = _below(outer)
    entry = Recording()
    entry.outer = outer
    entry.adds = adds
    entry.block = within = block or (outer.block and True)  # `bool` would take longer
    if type(adds) is str:  # `_fill`, inlined
        entry.scope = scope = _new(Scope)
        scope.name = adds
        scope.parent = outer.scope
        entry.observe = observe = outer.observe
        scope.site = None if observe is None else user_site()
        entry.hooks = outer.hooks
    else:
        _fill(entry, None)
    if within:
        open_entries.add(entry)  # only after it is filled: from now on other threads may see it
    _kept = copy_context() if open_entries else None  # see `_put`
    entry.token = _put(entry)
    if _exits != exits:
        _settle(entry, exits)
    return entry


def leave(entry: Recording) -> None:
    """Undo only this entry, wherever it lies."""
    top = recording()
    if top is entry or (top.adds is _ended and _below(top) is entry):
        try:
            _kept = copy_context() if open_entries else None  # see `_put`
            _back(entry.token)  # type: ignore[arg-type]  # None only once it has ended
        except ValueError:  # this context is a copy of the one where it was entered
            _end(entry)
        else:
            if entry.block:
                open_entries.discard(entry)
    else:
        _end(entry)


class Block:
    """A context manager for an entry of the stack; it can be entered again inside itself, or by several threads."""

    __slots__ = ("adds",)

    def __init__(self, adds: Any) -> None:
        self.adds = adds

    def __enter__(self) -> Any:
        enter(self.adds, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _exits
        entry: Any = recording()
        if entry.block is self:
            entry.block = True
            try:  # `leave`, inlined
                _kept = copy_context() if len(open_entries) > 1 else None  # see `_put`
                _back(entry.token)
            except ValueError:
                _end(entry)
            open_entries.discard(entry)
        elif (entry := self._innermost(entry)) is not None:
            entry.block = True
            leave(entry)
        else:
            return
        _exits = entry.left = _exits + 1  # an unfinished `enter` may have taken this entry as the one below
        entry.thread = get_ident()

    def _innermost(self, top: Recording) -> Recording | None:
        """Its innermost open entry in this context, or else in another one; None if all were left already."""
        here = [entry for entry in downwards(top) if entry.block is self]
        elsewhere = [entry for entry in tuple(open_entries) if entry.block is self]
        return here[0] if here else max(elsewhere, key=lambda entry: len([*downwards(entry)]), default=None)


def _fill(entry: Recording, site: Site | None) -> None:
    """Compute what applies at an entry from the entry below it."""
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
    """Make an entry add nothing from now on, in all stacks that it is in."""
    global _exits
    exits = _exits = _exits + 1
    entry.adds, entry.token = _ended, None  # a token keeps its context and the former top alive
    open_entries.discard(entry)
    if entry.outer.block:
        _ended_above_blocks.add(weakref.ref(entry, _ended_above_blocks.discard))
    affected = {entry: None}  # each after those below it
    for top in (recording(), *open_entries, *[reference() for reference in tuple(_ended_above_blocks)]):
        stack = [*downwards(top)]
        if entry in stack:
            affected |= dict.fromkeys(reversed(stack[: stack.index(entry)]))
    while True:
        for other in affected:
            _refill(other)
        if exits == _exits:
            return
        exits = _exits  # the garbage collector closed a generator meanwhile


def _below(entry: Recording) -> Recording:
    """The first entry, from this one downwards, that has not ended."""
    if entry is _unset:
        _put(_bottom)
    while entry.adds is _ended:
        entry = entry.outer
    return entry


def _settle(entry: Recording, exits: int) -> None:
    """Put a new entry where it belongs, if others were left since the count of exits was read.

    The garbage collector may close a generator between any two steps of `enter`, even inside `_put`, and other threads
    may end entries of this one.
    """
    thread = get_ident()
    while exits != _exits:
        before, exits = exits, _exits
        below: Any = entry.token.old_value  # type: ignore[union-attr]  # it was put a moment ago
        below = outer = _bottom if below is Token.MISSING else below
        while outer.adds is _ended or (getattr(outer, "left", 0) > before and outer.thread == thread):
            outer = outer.outer
        if outer is not below:  # it was left inside `_put`
            _kept = copy_context()  # see `_put`
            _put(outer)
            _kept = copy_context()
            entry.token = _put(entry)
        entry.outer = outer
        _refill(entry)
