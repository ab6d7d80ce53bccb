"""Which comparison decided a `where`: under `provenance`, the one in its call, as in `where(x > y, a, b)`.

Not here: what follows from it (`core.replay`). Read next: `watch.origins`.
"""

from __future__ import annotations

import ast
import linecache
import weakref
from collections import ChainMap
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import repeat
from types import CodeType, FrameType, ModuleType
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

    A comparison returns a plain bool, which does not tell where it comes from. So its operands must be what the
    variables in the call hold now: if this comparison involves no node, the last one noted there is an earlier one.
    """
    if node.op != "where" or type(node.operands[0]) is not float or not (call := _call_at(frame.f_code, frame.f_lasti)):
        return
    place, (function, condition) = (frame.f_code, span_of(call[1])), call
    for last in [reference() for reference in [*_last.get(id(frame.f_code), {}).values()]]:
        if last and last.site and last.site.place == place and last.answer is bool(node.operands[0]):
            with suppress(LookupError):
                for operands in ((last.left, last.right), (last.right, last.left)):  # to Python, 0.0 < x is x > 0.0
                    written = condition.left, *condition.comparators
                    if _held(function, frame) is where and _give(written, operands, frame):
                        node.decisions = (last,)


Call = tuple[ast.expr, ast.Compare]  # the function, and its first argument


@lru_cache(maxsize=10_000)
def _call_at(code: CodeType, instruction: int) -> Call | None:
    return _calls("".join(linecache.getlines(code.co_filename))).get(Site(code, instruction).span)


@lru_cache(maxsize=100)
def _calls(program: str) -> dict[Span, Call]:
    """The calls such as `f(a > b, ...)` in a program, unless they set a variable."""
    return {
        span_of(node): (node.func, node.args[0])
        for node in ast.walk(parsed(program))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Compare)
        if not any(isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield)) for part in ast.walk(node))
    }


def _give(expressions: Sequence[ast.expr], operands: Sequence[Any], frame: FrameType) -> bool:
    """Whether expressions give these operands now; they give a result if they give its operands."""
    return len(expressions) == len(operands) and all(map(_gives, expressions, operands, repeat(frame)))


def _gives(expression: ast.expr, operand: Any, frame: FrameType) -> bool:
    row = operand._row if isinstance(operand, Node) else None
    match expression:
        case ast.BinOp(left=left, op=op, right=right) if row is not None:
            return row.symbol == SIGNS.get(type(op)) and _give((left, right), operand.operands, frame)
        case ast.UnaryOp(op=ast.USub(), operand=inner) if row is not None:
            return row.symbol == "-" and _give((inner,), operand.operands, frame)
    thing, numbers = _held(expression, frame), (int, float)
    return thing is operand or (type(operand) in numbers and type(thing) in numbers and bool(thing == operand))


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
