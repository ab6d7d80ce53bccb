"""Constants without a graph: `no_grad` for everything computed inside, `detach` for one number.

Not here: `stop_gradient`, which keeps its argument in the graph. Read next: `nn`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar, overload

from autograd_mini.core.methods import attach
from autograd_mini.core.row import TABLE
from autograd_mini.core.table import stop
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.program.owner import user_site
from autograd_mini.watch import Watch, hooked

_ADD, _SUB = TABLE["add"], TABLE["sub"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def no_grad(function: None = None) -> Watch[None]: ...
@overload
def no_grad(function: Callable[P, R]) -> Callable[P, R]: ...
def no_grad(function: Any = None) -> Any:
    """Compute without a graph: every result inside is a constant and does not remember its operands.

    It is a context manager and a decorator, with or without parentheses. Leaves made inside are leaves. As in PyTorch,
    `grad` and its relatives work inside: they see their own variables, and everything around them is constant. Forward
    mode obeys too. To train, write `p.data -= step`: `p -= step` makes a new number, here as anywhere.

    Args:
        function: the function to decorate.

    Returns:
        a context manager; for a function, the same function without a graph.

    Raises:
        OperandError: function is not a function.
        ArgumentError: a leaf with a gradient is on the left of `-=` or `+=`.

    Derivative: no edge.

    >>> import autograd_mini as am
    >>> w = am.Value(3.0)
    >>> with am.no_grad():
    ...     y = w * w
    >>> (y * w).backward()
    >>> y.data, w.grad
    (9.0, 9.0)
    """
    if function is not None and not callable(function):
        raise OperandError(f"no_grad() decorates a function, not {shown(function)}.", "Write `with no_grad():`.")
    watch = Watch(lambda hooks: replace(hooks, finish=_finish), None)
    return watch if function is None else watch(function)


def _finish(node: Value) -> None:
    if node._row is _SUB or node._row is _ADD:
        leaf = node.operands[0]
        if type(leaf) is Value and leaf._row is None:
            _check_step(node, leaf)
    node._cut()


def _check_step(node: Value, leaf: Value) -> None:
    """Raise if the program writes `p -= step` and means a training step."""
    site = None if leaf._grad is None else user_site()
    if site is not None and site.is_assignment:
        sign = "-" if node._row is _SUB else "+"
        raise ArgumentError(
            f"{site.expression or sign + '='} makes a new number and leaves {leaf!r} unchanged.",
            f"Write {leaf.name or 'p'}.data {sign}= step to change a leaf in place.",
        )


def recorded() -> Watch[None]:
    """Return a block that records a graph, even inside `no_grad`."""
    return hooked(finish=None)


def detach(number: Any) -> Any:
    """Return the same number as a constant, which does not keep its operands alive.

    A `Value` gives a `Value`; a number in forward mode loses its derivative.
    """
    constant = stop(number)
    if type(constant) is Value:
        constant._cut()
    return constant


attach("detach", detach)
