"""The expressions you type as conditions, watches or messages, and their meaning at a moment of a trace.

Python's parser reads them, and a closure per part computes them: `eval` is never called, and anything not listed here
is refused while reading. Numbers are floats with IEEE arithmetic. Not here: where a debugger stops.
Read next: `debug.timeline.breakpoints`.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from autograd_mini.core.row import TABLE
from autograd_mini.debug.timeline.index import Index
from autograd_mini.debug.timeline.journal import Journal, Step
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.notation.text import number

WORDS = (  # about the step: the attributes of `Step` and of its node
    "index", "phase", "node", "operand", "upstream", "local", "contribution", "total",
    "value", "grad", "op", "scope", "line",
)  # fmt: skip
ATTRIBUTES: dict[str, Callable[[Moment, Value], Any]] = {
    "data": lambda now, node: now.journal.value(node),
    "value": lambda now, node: now.journal.value(node),
    "grad": lambda now, node: now.journal.gradient(node, now.step.index),  # None if nothing has arrived
    "op": lambda now, node: node.op,
    "name": lambda now, node: now.index.label(node),
    "line": lambda now, node: float(site.line) if (site := now.index.place(node)) is not None else None,
    "scope": lambda now, node: "/".join(node.scope.path) if node.scope is not None else "",
    "number": lambda now, node: float(now.index.number(node)),
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "max": lambda *numbers: max(numbers), "min": lambda *numbers: min(numbers),
    "log10": TABLE["log10"].function, "sqrt": TABLE["sqrt"].function,
    "isnan": math.isnan, "isinf": math.isinf, "isfinite": math.isfinite,
}  # fmt: skip
_ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: TABLE["div"].function,
    ast.Mod: TABLE["remainder"].function, ast.Pow: TABLE["pow"].function,
}  # fmt: skip
_ORDER: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_CONSTANTS = {"inf": math.inf, "nan": math.nan}
_LONGEST = 1000
_DEEPEST = 40
_NUMBERED = re.compile(r"(?:[^\W\d]\w*)?#(\d+)")
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Moment:
    """What names mean just after a step: nodes, words about the step, variables of the program.

    A name of the program hides a word; `step.total` always is the word.
    """

    index: Index
    journal: Journal
    step: Step

    def find(self, name: str) -> Any:
        """Return what a name means now."""
        word = name.removeprefix("step.")
        if name not in self.index.called:
            if name == "step":
                return self.step.node
            if word in WORDS and word in ATTRIBUTES:
                return ATTRIBUTES[word](self, self.step.node)
            if word in WORDS:
                found = getattr(self.step, word)
                return float(found) if type(found) is int else found
            if name in self.index.program_values:
                return self.index.program_values[name]
        nodes = self.index.nodes(name)
        if len(nodes) > 1:
            names = [self.index.label(node) for node in nodes]
            raise ArgumentError(f"{len(nodes)} nodes are called {name}.", f"Write one of {', '.join(names[:8])}.")
        return nodes[0]

    def read(self, text: str) -> Expression:
        """Read an expression and check that its names mean something now, so that errors show early."""
        expression = Expression(text)
        expression(self)
        return expression

    def written(self, node: Value) -> str:
        """Return how an expression can name a node: by its label, or its number if the label means something else."""
        label, numbered = self.index.label(node), f"#{self.index.number(node)}"
        try:
            return label if Expression(label)(self) is node else numbered
        except ArgumentError:
            return numbered

    @staticmethod
    def pieces(message: str) -> list[str | Expression]:
        """Split a message into its texts and the expressions in its braces, which alternate."""
        return [Expression(text) if place % 2 else text for place, text in enumerate(_BRACES.split(message))]

    def filled(self, message: str) -> str:
        """Return a message with its expressions computed."""
        return "".join(part if isinstance(part, str) else self.text(part(self)) for part in self.pieces(message))

    def bare(self, value: Any) -> Any:
        """Return the recorded number of a node, which may have been written since; anything else unchanged."""
        return self.journal.value(value) if is_node(value) else value

    def text(self, value: Any) -> str:
        """Return a value as text; for a node its name, number and gradient."""
        if value is None:
            return "not yet"
        if not is_node(value):
            return number(value, 6) if isinstance(value, float) else str(value)
        gradient = self.text(self.journal.gradient(value, self.step.index))
        return f"{self.index.label(value)} = {number(self.journal.value(value), 6)}, grad {gradient}"


Meaning = Callable[[Moment], Any]


class Expression:
    """An expression that was read and found harmless; call it with a moment to compute it."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ArgumentError(f"{shown(text)} is not text.", 'Write an expression in quotes, such as "x.grad > 1".')
        self.text = text = text.strip()
        if len(text) > _LONGEST:
            raise ArgumentError(f"An expression of {len(text):,} characters is too long.", f"{_LONGEST:,} are allowed.")
        # A node by number, as in x#12 or #12, becomes a subscript, which Python can parse; quoted texts stay.
        parts = re.split(r"""("[^"]*"|'[^']*')""", text)
        parts[::2] = [_NUMBERED.sub(r"_number_[\1]", part) for part in parts[::2]]
        try:
            tree = ast.parse("".join(parts), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or str(error)
            raise ArgumentError(f"{shown(text)} cannot be read: {reason}.", "Write it like x.grad > 1.") from None
        self._meaning = _read(tree.body)

    def __call__(self, now: Moment) -> Any:
        """Compute the expression."""
        return self._meaning(now)

    def __str__(self) -> str:
        return self.text


def _read(node: ast.expr, depth: int = 0) -> Meaning:
    """Return the closure that computes a part of an expression; raise for anything outside the language."""
    if depth > _DEEPEST:
        raise ArgumentError("The expression is nested too deeply.", "Write a simpler one.")

    def read(*inner: ast.expr) -> list[Meaning]:
        return [_read(part, depth + 1) for part in inner]

    def of_numbers(function: Callable[..., Any], *operands: ast.expr) -> Meaning:
        parts = [*zip(read(*operands), operands, strict=True)]
        return lambda now: _applied(function, [_number(now.bare(part(now)), source) for part, source in parts])

    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as constant):
            if type(constant) is int and abs(constant) > sys.float_info.max:
                raise ArgumentError(f"{shown(constant)} is beyond the range of floats.")
            found = float(constant) if type(constant) is int else constant
            return lambda now: found
        case ast.Name(id=name):
            return lambda now: _constant_or_name(now, name)
        case ast.Subscript(value=ast.Name(id="_number_"), slice=ast.Constant(value=int() as place)):
            return lambda now: now.find(f"#{place}")
        case ast.Subscript(
            value=ast.Name() | ast.Subscript() | ast.Attribute() as owner, slice=ast.Constant(value=int() | str())
        ):
            read(owner)
            return lambda now: now.find(ast.unparse(node))
        case ast.Attribute(value=owner, attr=name) if name[0] != "_":  # of a node, or a part of a node's name
            (of,) = read(owner)
            if name in ATTRIBUTES:
                return lambda now: _attribute(now, of, owner, name)
            return lambda now: now.find(ast.unparse(node))
        case ast.BoolOp(op=op, values=values):
            parts, ends = read(*values), isinstance(op, ast.Or)
            return lambda now: _first(now, parts, ends)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            decide, then, otherwise = read(test, body, orelse)
            return lambda now: then(now) if now.bare(decide(now)) else otherwise(now)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            (negated,) = read(operand)
            return lambda now: not now.bare(negated(now))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            return of_numbers(operator.neg if isinstance(op, ast.USub) else operator.pos, operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return of_numbers(_ARITHMETIC[type(op)], left, right)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, (*_ORDER, ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in ops
        ):
            parts = read(left, *others)
            return lambda now: _chained(now, node, ops, parts)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                raise ArgumentError(f"Conditions have no function {name!r}.", f"There are {', '.join(FUNCTIONS)}.")
            return of_numbers(partial(_called, name), *arguments)
    raise ArgumentError(
        f"{shown(ast.unparse(node))} cannot be used in a condition.",
        "Use numbers, names, x.grad, comparisons, and, or, not, + - * / ** %.",
    )


def _constant_or_name(now: Moment, name: str) -> Any:
    """Return what a name means; a constant counts only if the program has no such name."""
    try:
        return now.find(name)
    except ArgumentError:
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        raise


def _attribute(now: Moment, of: Meaning, source: ast.expr, name: str) -> Any:
    owner = of(now)
    if owner is not None and not is_node(owner):
        raise ArgumentError(f"{ast.unparse(source)} is not a node; it has no {name}.")
    return None if owner is None else ATTRIBUTES[name](now, owner)


def _first(now: Moment, parts: list[Meaning], ends: bool) -> Any:
    """Return the first part that decides an `and` or `or`, else the last."""
    result: Any = None
    for part in parts:
        result = part(now)
        if bool(now.bare(result)) is ends:
            break
    return result


def _number(value: Any, source: ast.expr) -> float | None:
    """Return a float, or None for a number that is not known yet."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, (bool, int)):
        return float(value)
    raise ArgumentError(f"{ast.unparse(source)} is {shown(value)}, not a number.")


def _applied(function: Callable[..., Any], numbers: list[float | None]) -> Any:
    """Apply a function to numbers; None if one of them is not known yet."""
    return None if None in numbers else function(*numbers)


def _called(name: str, *numbers: float) -> Any:
    try:
        return FUNCTIONS[name](*numbers)
    except (TypeError, ValueError):  # ValueError: max of none
        raise ArgumentError(f"{name}() does not take {len(numbers)} arguments.") from None


def _chained(now: Moment, node: ast.Compare, ops: list[ast.cmpop], parts: list[Meaning]) -> bool:
    """Compute a comparison, which may be chained, as in 0 < x < 1."""
    first = parts[0](now)
    for op, part in zip(ops, parts[1:], strict=True):
        second = part(now)
        if not _compared(now, op, first, second, node):
            return False
        first = second
    return True


def _compared(now: Moment, op: ast.cmpop, first: Any, second: Any, source: ast.Compare) -> bool:
    if isinstance(op, (ast.In, ast.NotIn)):
        if not (isinstance(first, str) and isinstance(second, str)):
            raise ArgumentError(f"In {ast.unparse(source)}, `in` needs a text on both sides.")
        return (first in second) is isinstance(op, ast.In)
    if isinstance(op, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):  # nodes are equal if they are the same node
        same = first is second if is_node(first) and is_node(second) else now.bare(first) == now.bare(second)
        return same is isinstance(op, (ast.Eq, ast.Is))
    if not (isinstance(first, str) and isinstance(second, str)):
        first, second = _number(now.bare(first), source), _number(now.bare(second), source)
    if first is None or second is None:  # a number that is not known yet has no order
        return False
    return _ORDER[type(op)](first, second)
