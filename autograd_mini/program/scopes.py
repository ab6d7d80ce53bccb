"""What users write around code: names for parts of a graph, and who watches it being recorded.

A scope ("softmax", "Layer0") costs a node one reference; watching costs nothing while nobody does. Not here: how both
come and go (that is `stack`), and what the watchers do. Read next: `observers`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Generic, ParamSpec, TypeVar, cast

from autograd_mini.errors import OperandError, shown
from autograd_mini.program.stack import Block, Hooks, Observer, Recording, enter, leave, nobody, recording

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


# -- names -------------------------------------------------------------------------------------------------------------


class scope(Block):  # noqa: N801  # a context manager is used like a function
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
        self.entry = None
        self.used = False

    def __enter__(self) -> scope:
        if self.used:
            self._enter(self.name)
            return self
        self.used = True  # the same, inlined
        enter(self.name, self)
        if self.relatives is None:
            self.relatives = nobody
        self.twin = self.entry
        self.entry = self
        return self


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
        entry = enter(name, Recording())
        try:
            return function(*args, **kwargs)
        finally:
            leave(entry)

    return scoped


# -- watching ----------------------------------------------------------------------------------------------------------


class Watch(Block, Generic[T]):
    """A block with other hooks: a context manager, and a decorator of functions.

    Args:
        change: gives the hooks inside, for those outside.
        result: what `with ... as` gives.
    """

    __slots__ = ("change", "result")

    def __init__(self, change: Callable[[Hooks], Hooks], result: T) -> None:
        self.change = change
        self.result = result
        self.entry = None
        self.used = False

    def __enter__(self) -> T:
        self._enter(self.change)
        return self.result

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
_unobserved = hooked(observers=(), comparisons=())


def unobserved() -> AbstractContextManager[None]:
    """Record without anybody watching."""
    return _unobserved if recording().hooks.observers else _nothing
