"""A small language for conditions, watches and log messages: Python's expressions, without what could do harm.

An expression is read by Python's parser and computed here, node by node; nothing is ever passed to `eval`. Whatever is
not listed here is refused when it is written, not when it is met. Numbers are floats, so that no power grows without
end; like everywhere in the package, arithmetic has IEEE results and does not raise.
Not here: what the names mean (that is `travel`). Read next: `travel`.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from autograd_mini.core.row import TABLE
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, shown

ATTRIBUTES = {
    "data": "the number", "value": "the number", "grad": "the gradient now, None where nothing has arrived",
    "op": "the operation, None for a leaf", "name": "what it is called", "line": "the line of the expression",
    "scope": "the path of its scope", "number": "its number in the graph",
}  # fmt: skip
_LONGEST = 1000
_DEEPEST = 40

_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: TABLE["div"].function,
    ast.Mod: TABLE["remainder"].function, ast.Pow: TABLE["pow"].function,
}  # fmt: skip
_COMPARISONS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.eq, ast.IsNot: operator.ne,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "max": max, "min": min, "log10": TABLE["log10"].function, "sqrt": TABLE["sqrt"].function,
    "isnan": math.isnan, "isinf": math.isinf, "isfinite": math.isfinite,
}  # fmt: skip
_CONSTANTS = {"inf": math.inf, "nan": math.nan}

_NUMBERED = re.compile(r"(?:[^\W\d]\w*)?#(\d+)")


class Names(Protocol):
    """What an expression can ask for."""

    def find(self, name: str) -> Any:
        """What a name means: a number, a text, a `Value`, None; raises ArgumentError if it means nothing."""

    def attribute(self, node: Value, name: str) -> Any:
        """An attribute of a node, one of `ATTRIBUTES`."""


class Condition:
    """An expression that has been read and found harmless.

    Args:
        text: what the user wrote.

    Raises:
        ArgumentError: it is no expression, or has something in it that is not in this language.

    >>> Condition("__import__('os')")
    Traceback (most recent call last):
    autograd_mini.errors.ArgumentError: There is no function '__import__' in conditions.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ArgumentError(f"{shown(text)} is no text.", 'Write an expression in quotes, such as "x.grad > 1".')
        self.text = text = text.strip()
        if len(text) > _LONGEST:
            raise ArgumentError(f"An expression of {len(text):,} characters is too long.", f"{_LONGEST:,} are allowed.")
        try:
            # A node by number, as in x#12 or #12, becomes a call that no text can contain.
            tree = ast.parse(_outside_strings(text), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or str(error)
            raise ArgumentError(f"{shown(text)} is no expression: {reason}.", "Write one such as x.grad > 1.") from None
        self._body = tree.body
        _check(self._body, 0)

    def __call__(self, names: Names) -> Any:
        """What the expression is now.

        Raises:
            ArgumentError: a name means nothing, or an operation makes no sense for what it is given.
        """
        return _evaluate(self._body, names)

    def __str__(self) -> str:
        return self.text


def _outside_strings(text: str) -> str:
    """Nodes by number as subscripts of a name, which Python can parse; texts in quotes stay."""
    parts = re.split(r"""("[^"]*"|'[^']*')""", text)
    parts[::2] = [_NUMBERED.sub(r"_number_[\1]", part) for part in parts[::2]]
    return "".join(parts)


def _check(node: ast.expr, depth: int) -> None:
    """Refuse what is not in the language, before anything is computed."""
    if depth > _DEEPEST:
        raise ArgumentError("The expression is nested too deeply.", "Write a simpler one.")
    inner: Iterable[ast.expr]
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            if type(value) is int and abs(value) > sys.float_info.max:
                raise ArgumentError(f"{shown(value)} is beyond the range of floats.")
            inner = ()
        case ast.Name():
            inner = ()
        case ast.BoolOp(values=inner):
            pass
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            inner = (operand,)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            inner = left, right
        case ast.Compare(left=left, ops=ops, comparators=right) if all(
            type(op) in _COMPARISONS or isinstance(op, (ast.In, ast.NotIn)) for op in ops
        ):
            inner = left, *right
        case ast.IfExp(test=test, body=body, orelse=orelse):
            inner = test, body, orelse
        case ast.Subscript(
            value=ast.Name() | ast.Subscript() | ast.Attribute() as value, slice=ast.Constant(value=int() | str())
        ):
            inner = (value,)
        case ast.Attribute(value=value, attr=name) if name[0] != "_":  # of a node; or what a node is called, as a whole
            inner = (value,)
        case ast.Call(func=ast.Name(id=name), args=inner, keywords=[]):
            if name not in FUNCTIONS:
                raise ArgumentError(
                    f"There is no function {name!r} in conditions.", f"There are {', '.join(FUNCTIONS)}."
                )
        case _:
            raise ArgumentError(
                f"{shown(ast.unparse(node))} cannot stand in a condition.",
                "Use numbers, names, x.grad, comparisons, and, or, not, + - * / ** %.",
            )
    for part in inner:
        _check(part, depth + 1)


def _evaluate(node: ast.expr, names: Names) -> Any:
    match node:
        case ast.Constant(value=value):
            return float(value) if type(value) is int else value
        case ast.Name(id=name):
            return names.find(name) if name not in _CONSTANTS else _known(names, name)
        case ast.Subscript(value=ast.Name(id="_number_"), slice=ast.Constant(value=int() as place)):
            return names.find(f"#{place}")
        case ast.Subscript():
            return names.find(ast.unparse(node))
        case ast.Attribute(value=value, attr=name):
            if name not in ATTRIBUTES:
                return names.find(ast.unparse(node))
            owner = _evaluate(value, names)
            if owner is None:
                return None
            if not is_node(owner):
                raise ArgumentError(f"{ast.unparse(value)} is no node; it has no {name}.")
            return names.attribute(owner, name)
        case ast.BoolOp(op=op, values=values):
            result: Any = None
            for value in values:
                result = _evaluate(value, names)
                if _truth(result) is isinstance(op, ast.Or):
                    break
            return result
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _evaluate(body if _truth(_evaluate(test, names)) else orelse, names)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(_evaluate(operand, names))
        case ast.UnaryOp(op=op, operand=operand):
            number = _number(_evaluate(operand, names), operand)
            return number if number is None or isinstance(op, ast.UAdd) else -number
        case ast.BinOp(left=left, op=op, right=right):
            x, y = _number(_evaluate(left, names), left), _number(_evaluate(right, names), right)
            return None if x is None or y is None else _ARITHMETIC[type(op)](x, y)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            first = _evaluate(left, names)
            for comparison, comparator in zip(ops, comparators, strict=True):
                second = _evaluate(comparator, names)
                if not _compared(comparison, first, second, node):
                    return False
                first = second
            return True
        case ast.Call(func=ast.Name(id=name), args=arguments):
            numbers = [_number(_evaluate(argument, names), argument) for argument in arguments]
            if None in numbers:
                return None
            try:
                return FUNCTIONS[name](*numbers) if len(numbers) != 1 or name not in ("max", "min") else numbers[0]
            except TypeError:
                raise ArgumentError(f"{name}() does not take {len(numbers)} arguments.") from None
    raise AssertionError(ast.dump(node))  # _check let something through


def _known(names: Names, name: str) -> Any:
    """A constant, unless the program has a variable of that name."""
    try:
        return names.find(name)
    except ArgumentError:
        return _CONSTANTS[name]


def _truth(value: Any) -> bool:
    return bool(value.data if is_node(value) else value)


def _number(value: Any, source: ast.expr) -> float | None:
    """A float; None, for what is not there yet, stays."""
    if value is None or isinstance(value, float):
        return value
    if is_node(value) or isinstance(value, (bool, int)):
        return float(value.data if is_node(value) else value)
    raise ArgumentError(f"{ast.unparse(source)} is no number, but {shown(value)}.")


def _compared(op: ast.cmpop, first: Any, second: Any, source: ast.expr) -> bool:
    if isinstance(op, (ast.In, ast.NotIn)):
        if not (isinstance(first, str) and isinstance(second, str)):
            raise ArgumentError(f"In {ast.unparse(source)}, `in` does not stand between two texts.")
        return (first in second) is isinstance(op, ast.In)
    if isinstance(op, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
        if not (is_node(first) and is_node(second)):  # two nodes are equal if they are the same
            first, second = (x.data if is_node(x) else x for x in (first, second))
            return _COMPARISONS[type(op)](first, second)
        return (first is second) is isinstance(op, (ast.Eq, ast.Is))
    if isinstance(first, str) and isinstance(second, str):
        return _COMPARISONS[type(op)](first, second)
    x, y = _number(first, source), _number(second, source)
    return x is not None and y is not None and _COMPARISONS[type(op)](x, y)  # nothing is above or below None
