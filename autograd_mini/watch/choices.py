"""Which comparison decided a `where`: under `provenance`, the one in its call, as in `where(x > y, a, b)`.

Not here: what follows from it (`core.replay`). Read next: `watch.origins`.
"""

from __future__ import annotations

import ast
import linecache
import weakref
from collections import ChainMap
from contextlib import suppress
from functools import lru_cache
from types import FrameType, ModuleType
from typing import Any

from autograd_mini.core.node import Node
from autograd_mini.core.replay import Decision
from autograd_mini.core.table import where
from autograd_mini.program.source import Site, Span, parsed, span_of

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Mod: "%", ast.FloorDiv: "//"}
# The last comparison at each instruction, by the id of its code, as long as its nodes exist.
_last: dict[int, dict[int, weakref.ref[Decision]]] = {}


def note_comparison(decision: Decision, site: Site) -> None:
    """Remember the last comparison that was made at a place."""
    _last.setdefault(id(site.code), {})[site.instruction] = weakref.ref(decision)


def note_choice(node: Any, frame: FrameType) -> None:
    """Note at a `where` the comparison in its call, so that `replay` can decide it again.

    A comparison returns a plain bool, which does not tell where it is from. So its operands must be what the variables
    in the call hold now: the last comparison there may have been an earlier one, if this one is of no node.
    """
    if node.op != "where" or type(node.operands[0]) is not float or node.origin.span not in _calls(node.origin.file):
        return
    function, condition = _calls(node.origin.file)[node.origin.span]
    place, left, right = (frame.f_code, span_of(condition)), condition.left, condition.comparators[0]
    for last in [reference() for reference in [*_last.get(id(frame.f_code), {}).values()]]:
        if last and last.site and last.site.place == place and last.answer is bool(node.operands[0]):
            with suppress(LookupError):
                for a, b in ((last.left, last.right), (last.right, last.left)):  # to Python, 0.0 < x is x > 0.0
                    if _held(function, frame) is where and _gives(left, a, frame) and _gives(right, b, frame):
                        node.decisions = (last,)


def _calls(file: str) -> dict[Span, tuple[ast.expr, ast.Compare]]:
    return _conditional_calls("".join(linecache.getlines(file)))


@lru_cache(maxsize=100)
def _conditional_calls(program: str) -> dict[Span, tuple[ast.expr, ast.Compare]]:
    """The function and the condition of each call `f(a > b, ...)`, unless the call sets a variable."""
    found = {}
    for node in ast.walk(parsed(program)):
        match node:
            case ast.Call(func=function, args=[ast.Compare(comparators=[_]) as condition, *_]):
                if not any(isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield)) for part in ast.walk(node)):
                    found[span_of(node)] = function, condition
    return found


def _gives(expression: ast.expr, operand: Any, frame: FrameType) -> bool:
    """Whether an operand is what an expression gives now; a result is, if its operands are."""
    row = operand._row if isinstance(operand, Node) else None
    match expression:
        case ast.BinOp(left=left, op=op, right=right) if row is not None:
            parts, symbol = [left, right], SIGNS.get(type(op))
        case ast.UnaryOp(op=ast.USub(), operand=inner) if row is not None:
            parts, symbol = [inner], "-"
        case _:
            thing, are_numbers = _held(expression, frame), type(operand) in (int, float)
            return thing is operand or (are_numbers and type(thing) in (int, float) and bool(thing == operand))
    if row.symbol != symbol or len(parts) != len(operand.operands):
        return False
    return all(_gives(part, x, frame) for part, x in zip(parts, operand.operands, strict=True))


def _held(expression: ast.expr, frame: FrameType) -> Any:
    """What a variable, attribute or element holds now; a LookupError if only code of the program could tell."""
    match expression:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name(id=name):
            return ChainMap(frame.f_locals, frame.f_globals)[name]
        case ast.Attribute(value=owner, attr=name):
            thing = _held(owner, frame)
            if isinstance(thing, ModuleType) or not hasattr(type(thing), name):
                return getattr(thing, "__dict__", {})[name]
        case ast.Subscript(value=owner, slice=index):
            thing, key = _held(owner, frame), _held(index, frame)
            if type(key) in (int, str) and type(thing) in (list, tuple, dict):
                return (thing if type(thing) is dict else dict(enumerate(thing)))[key]
    raise LookupError
