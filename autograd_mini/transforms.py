"""Functions of functions: `grad` and `value_and_grad`, of any order.

They run the same sweep as `backward()`. Where nothing outside the function depends on the answer, it runs on the
recorded floats; otherwise (a derivative inside a derivative, a penalty on a gradient) it runs on `Value`s: the rules
of the table are evaluated on nodes, and the answer is itself a graph.
Not here: the chain rule (`sweep`) and derivatives (`primitives`). Read next: `nn`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from math import isnan
from operator import index
from typing import Any

from autograd_mini.engine import Value, layout, record, retire
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.primitives import TABLE, ZERO, as_number, operand_error
from autograd_mini.scopes import unobserved
from autograd_mini.sweep import propagate, topological_order


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that computes the gradient of f.

    Args:
        f: a function of numbers (or lists, tuples of numbers) to one number, written with this package's functions.
        argnums: the position of the argument to differentiate by, or several.

    Returns:
        a function of the same arguments. It returns floats in the structure of the argument (a tuple with one entry
        a position where argnums is a sequence); and `Value`s instead, if an argument or something else that f uses
        is a `Value`: derivatives of derivatives, to any order.

    Raises:
        ArgumentError: f has no argument of that position.
        OperandError: f returns something other than one number; an argument to differentiate by is not a number.

    >>> grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    >>> grad(lambda w: w[0] * w[1])([2.0, 5.0])
    [5.0, 2.0]
    """
    gradient = value_and_grad(f, argnums)

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return gradient(*args, **kwargs)[1]

    return wrapper


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Any, Any]]:
    """The function that computes the value of f and its gradient, in one go.

    Args:
        f: as for `grad`.
        argnums: as for `grad`.

    Returns:
        a function of the same arguments that returns (value, gradient).

    Raises:
        ArgumentError: f has no argument of that position.
        OperandError: f returns something other than one number; an argument to differentiate by is not a number.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """
    if not callable(f):
        raise OperandError(f"grad() takes a function, not {shown(f)}.", "Write grad(f)(x), not grad(f(x)).")
    chosen: Sequence[Any] = argnums if isinstance(argnums, Sequence) else [argnums]

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        positions = list(map(index, chosen))
        for position in positions:
            if not -len(args) <= position < len(args):
                raise ArgumentError(
                    f"There is no argument {position} to differentiate by: {len(args)} were given.",
                    "Choose argnums among the positional arguments, counted from 0.",
                )
        if len({position % len(args) for position in positions}) < len(positions):
            raise ArgumentError(f"argnums = {argnums} names an argument twice.", "Name each argument once.")
        leaves: list[Value] = []
        fresh = list(args)
        for position in positions:
            fresh[position] = _fresh(args[position], leaves)
        try:
            value, slopes = _gradient(f(*fresh, **kwargs), leaves)
        finally:
            for leaf in leaves:
                retire(leaf)
        remaining = iter(slopes)
        gradients = tuple([_rebuilt(args[position], remaining) for position in positions])
        return value, gradients if isinstance(argnums, Sequence) else gradients[0]

    return wrapper


def _fresh(argument: Any, leaves: list[Value]) -> Any:
    """The argument with a node of its own for every number in it: what else uses the number is another variable."""
    if isinstance(argument, (list, tuple)):
        return _like(argument, [_fresh(element, leaves) for element in argument])
    if type(argument) is Value:
        leaf = record(TABLE["pos"], argument.data, argument, None, 1.0, ZERO)
    else:
        number = as_number(argument)
        if number is None:
            raise operand_error("grad()", argument)
        leaf = Value(number)
    leaves.append(leaf)
    return leaf


def _like(argument: Any, elements: list[Any]) -> Any:
    """The elements in a list, tuple or named tuple as the argument is one."""
    return type(argument)(*elements) if hasattr(argument, "_fields") else type(argument)(elements)


def _rebuilt(argument: Any, slopes: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        return _like(argument, [_rebuilt(element, slopes) for element in argument])
    return next(slopes)


def _gradient(result: Any, leaves: list[Value]) -> tuple[Any, list[Any]]:
    """The result and its derivative by each leaf: floats, or `Value`s where other variables are behind the result."""
    if type(result) is not Value:
        number = as_number(result)
        if number is None:
            raise OperandError(
                f"grad() needs a function that returns one number; this one returned {shown(result)}.",
                "Return a single Value; for a list, take one element at a time: "
                "[grad(lambda x: f(x)[i])(x) for i in range(n)].",
            )
        return number, [0.0] * len(leaves)
    adjoints = topological_order(result, leaves)
    own = set(leaves)
    if any(leaf.operands for leaf in leaves) or any(node.op is None and node not in own for node in adjoints):
        propagate(result, 1.0, adjoints, leaves, _partials_as_values(adjoints, own))
        value: Any = result
    else:
        propagate(result, 1.0, adjoints, leaves)
        value = result.data
    return value, [0.0 if (slope := adjoints[leaf]) is ZERO else slope for leaf in leaves]


def _partials_as_values(order: Iterable[Value], leaves: set[Value]) -> Callable[[Value], tuple[Any, Any]]:
    """The local partials of a node as a graph: its rule on nodes, and only towards what depends on the leaves."""
    depends = set(leaves)
    for node in order:
        if any(type(operand) is Value and operand in depends for operand in node.operands):
            depends.add(node)

    def partials(node: Value) -> tuple[Any, Any]:
        if node not in depends:
            return ZERO, ZERO
        with unobserved():  # `checked()` is about contributions; a partial that nobody needs may well be infinite
            slopes = TABLE[str(node.op)].partials(node, node.operands)
        edges = []
        for operand, recorded, slope in zip(node.operands, node.partials, slopes, strict=True):
            if recorded is ZERO or operand not in depends:
                edges.append(ZERO)
                continue
            edges.append(slope)
            number = slope.data if type(slope) is Value else 0.0 if slope is ZERO else slope
            if number != recorded and not (isnan(number) and isnan(recorded)):
                raise ArgumentError(
                    f"The data of a leaf was written between recording {node.op} and differentiating it: its local "
                    f"derivative was {recorded!r} and is {number!r} now.",
                    "Write to leaves after the derivative is computed, or inside of the function.",
                )
        return layout(node._row, node.operands, tuple(edges))[2:]

    return partials
