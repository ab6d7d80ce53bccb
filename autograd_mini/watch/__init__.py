"""Watching a graph while it is recorded: a `with` block or decorator that changes the hooks.

Not here: the stack that holds the hooks (`program.stack`). Read next: `watch.origins`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, Generic, ParamSpec, TypeVar, cast

from autograd_mini.errors import OperandError, shown
from autograd_mini.program.stack import Block, Hooks, Observer

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Watch(Block, Generic[T]):
    """A block that changes the hooks outside, and holds the result of `with ... as`; it also decorates functions."""

    __slots__ = ("result",)

    def __init__(self, change: Callable[[Hooks], Hooks], result: T) -> None:
        super().__init__(change)
        self.result = result

    def __enter__(self) -> T:
        super().__enter__()
        return self.result

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        run: Any
        if inspect.isasyncgenfunction(function):
            raise OperandError(
                f"{shown(function)} cannot be decorated: an asynchronous generator takes turns with its caller.",
                "Write the `with` inside it, around code that neither yields nor awaits.",
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
        """Run each step of a generator inside the block, and its caller outside."""
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
    """A block that sets some hooks and leaves the others as they are outside."""
    return Watch(lambda outside: replace(outside, **hooks), None)


def observing(*observers: Observer) -> Watch[None]:
    """Call functions with every node that is recorded inside, after the observers outside."""
    return Watch(lambda hooks: replace(hooks, observers=(*hooks.observers, *observers)), None)
