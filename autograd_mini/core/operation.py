"""The function that evaluates a row, with the documentation that `help` shows.

Not here: rows (`row`, `table`). Read next: `core.ieee`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from autograd_mini.core.row import TABLE, Operation, Primitive, as_number, evaluate, numbers_in
from autograd_mini.errors import ArgumentError

_DOCUMENTATION = """{}

Args:
    {}

Returns:
    {}

Raises:
    {}

Derivative: {}

>>> {}
{}
"""
_TAKES = "{}: numbers, `Value`s, SymPy expressions or traced values; or NumPy arrays of them."
_RETURNS = """A float for numbers, otherwise the kind of the operands; nan outside the domain, never an exception.
For arrays, an array, element by element."""


def documentation(meaning: str, takes: str, returns: str, raises: str, derivative: str, example: str) -> str:
    """The docstring of an operation or a composition; lines after the first are indented."""
    call, _, result = example.partition(" -> ")
    indented = [fact.replace("\n", "\n    ") for fact in (takes, returns, raises)]
    return _DOCUMENTATION.format(meaning, *indented, derivative, call, result)


def define(
    name: str, function: Callable[..., float], rule: Callable[..., tuple[Any, ...]], domain: Any,
    ulp: tuple[float, ...], meaning: str, derivative: str, example: str, symbol: str = "",
    takes_iterable: bool = False, **columns: Any,
) -> Operation:  # fmt: skip
    """Add a row to the table, and return its operation with the rule's operands and the function's defaults."""
    intervals: Any = domain if isinstance(domain[0], tuple) else (domain,)
    row = TABLE[name] = Primitive(name, function, rule, symbol or name, intervals, ulp, **columns)
    names, is_variadic = rule.__code__.co_varnames[1:], row.arity is None
    names = names[:1] if is_variadic else names[: row.arity]
    takes = _TAKES.format(f"*{names[0]}" if is_variadic else ", ".join(names))
    doc = documentation(meaning, takes, _RETURNS, "OperandError: an operand has another type.", derivative, example)
    defaults = getattr(function, "__defaults__", None)
    return operation_of(row, names, is_variadic, "autograd_mini.core.table", doc, defaults, takes_iterable)


def operation_of(
    row: Primitive, names: tuple[str, ...], is_variadic: bool, module: str, doc: str,
    defaults: tuple[Any, ...] | None, takes_iterable: bool = False,
) -> Operation:  # fmt: skip
    """The function that evaluates a row; `help` shows the given operand names."""

    def one(a: Any) -> Any:
        return evaluate(row, (a,))

    def two(a: Any, b: Any) -> Any:
        return evaluate(row, (a, b))

    def three(a: Any, b: Any, c: Any) -> Any:
        return evaluate(row, (a, b, c))

    def several(*operands: Any) -> Any:
        if takes_iterable and len(operands) < 2:  # one iterable stands for the numbers in it, as in the builtin `max`
            if not operands:
                raise ArgumentError(f"{row.name}() got no arguments.", "Pass numbers, or one list of them.")
            if isinstance(operands[0], Iterable) and as_number(operands[0]) is None:
                operands = tuple(numbers_in(row.name, operands[0]))
        elif defaults and len(operands) < len(names):
            operands += defaults[len(operands) - len(names) :]
        return evaluate(row, operands)

    operation: Any = {1: one, 2: two, 3: three}.get(0 if is_variadic else len(names), several)
    if operation is not several or is_variadic:
        operation.__code__ = operation.__code__.replace(co_name=row.name, co_varnames=names)
    operation.__name__ = operation.__qualname__ = row.name
    operation.__doc__, operation.__module__, operation.__annotations__ = doc, module, {}
    if operation is not several:
        operation.__defaults__ = defaults
    made: Operation = operation  # type checkers know of no `__code__` of a callable
    return made
