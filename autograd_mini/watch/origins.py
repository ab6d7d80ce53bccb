"""`provenance`: remember where in the user's program each node was made.

It also notes comparisons, and which of them decided a `where`: the one in its call, as in `where(x > y, a, b)`.
Not here: what a place is (`program.source`), and what a program calls its nodes (`notation.names`).
Read next: `watch.finiteness`.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
import weakref
from collections import ChainMap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import repeat
from types import CodeType, FrameType, ModuleType
from typing import Any

from autograd_mini.core.node import Node
from autograd_mini.core.replay import Decision
from autograd_mini.core.table import where
from autograd_mini.core.traced import RELATE
from autograd_mini.program.owner import frames_of_run, is_of_package, program_frame
from autograd_mini.program.source import Site, Span, parsed, site_of, span_of
from autograd_mini.program.stack import Hooks, Observer, outwards, recording, watch_everywhere
from autograd_mini.watch import Watch

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Mod: "%", ast.FloorDiv: "//"}
# The last comparison at each instruction, by the id of its code, as long as its nodes exist.
_last: dict[int, dict[int, weakref.ref[Decision]]] = {}


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


# -- what nodes remember -----------------------------------------------------------------------------------------------


def remember_origin(node: Any) -> None:
    """Note the expression that made a node, unless an outer observer has noted it, perhaps with its calls."""
    if node.origin is None:
        frame = program_frame(sys._getframe(1))
        node.origin = site_of(frame)
        note_choice(node, frame)


def remember_calls() -> Observer:
    """An observer that also notes the calls that led to an expression; it keeps equal ones once."""
    known: dict[tuple[int, int, Site | None], Site] = {}

    def remember(node: Any) -> None:
        site, innermost = None, program_frame(sys._getframe(1))
        for frame in reversed(frames_of_run(innermost)):
            key = id(frame.f_code), frame.f_lasti, site
            site = known.get(key) or known.setdefault(key, Site(frame.f_code, frame.f_lasti, site))
        node.origin = site
        note_choice(node, innermost)

    return remember


_MOST_DECISIONS = 100  # per node: training may compare the same leaf in each step
_MOST_BEHIND = 100  # computed nodes behind a comparison that leaves keep; the graph of a loss would be too large


def _remember_decision(left: Any, op: str, right: Any, answer: bool) -> None:
    """Note a comparison at its nodes, and at the leaves that they were computed from.

    Later nodes may depend on the answer only: in `3.0 * x if x * x > y else y`, no node leads to x * x.
    """
    nodes = [x for x in (left, right) if isinstance(x, Node)]
    if nodes:
        site = site_of(program_frame(sys._getframe(2)))
        decision = Decision(left, op, right, answer, site, recording().scope)
        _last.setdefault(id(site.code), {})[site.instruction] = weakref.ref(decision)
        for node in dict.fromkeys(nodes) | _leaves_behind(nodes):
            node.decisions = (*node.decisions[1 - _MOST_DECISIONS :], decision)


def notes_decisions() -> bool:
    """Whether comparisons are being remembered."""
    return _remember_decision in recording().hooks.comparisons


def note_decision(x: Any, op: str, number: Any) -> None:
    """Note a comparison of the bare number of x, which a function of this package has made."""
    if notes_decisions() and isinstance(x, Node) and type(x.data) is float:
        answer = bool(RELATE[op](x.data, getattr(number, "data", number)))
        made = Decision(x, op, number, answer, site_of(program_frame(sys._getframe(2))), recording().scope)
        x.decisions = (*x.decisions[1 - _MOST_DECISIONS :], made)


def note_derivative(leaf: Any) -> None:
    """Note that the program has recorded a derivative that depends on a leaf, for the number that it has."""
    number = leaf if leaf.data != leaf.data else leaf.data  # nan differs from any number, and from itself
    site = site_of(program_frame(sys._getframe(1)))
    made = Decision(leaf, "!=", number, number is leaf, site, recording().scope, is_derivative=True)
    leaf.decisions = (*leaf.decisions[1 - _MOST_DECISIONS :], made)


def _leaves_behind(nodes: list[Any]) -> dict[Any, None]:
    """The leaves behind a few nodes; none if the graph is large."""
    found = dict.fromkeys(nodes)
    waiting = [*nodes]
    while waiting:
        operands = [x for x in waiting.pop().operands if isinstance(x, Node) and x not in found]
        found |= dict.fromkeys(operands)
        waiting += operands
        if len(found) > _MOST_BEHIND:
            return {}
    return {node: None for node in found if node.op is None}


def _remembering(hooks: Hooks, observe: Observer) -> Hooks:
    others = [watch for watch in hooks.comparisons if watch is not _remember_decision]
    return replace(hooks, observers=(*hooks.observers, observe), comparisons=(*others, _remember_decision))


if os.environ.get("AUTOGRAD_MINI_PROVENANCE", "0") not in ("", "0"):
    watch_everywhere(_remembering(Hooks(), remember_calls()))


def provenance(calls: bool = False) -> Watch[None]:
    """Remember, for every node recorded inside, the source expression that made it: `node.origin`.

    It also remembers the comparisons that a program makes with a node, with their answers: `node.decisions`. It is off
    by default because it makes recording slower. The environment variable AUTOGRAD_MINI_PROVENANCE=1 turns it on, with
    calls, for a whole run.

    Args:
        calls: remember the calls that led there too: `node.origin.caller`, and so on outwards.

    Returns:
        a context manager.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0)
    >>> with am.provenance():
    ...     y = (x + 1.0) * (x - 1.0)
    >>> y.origin.expression
    '(x + 1.0) * (x - 1.0)'
    """
    observe = remember_calls() if calls else remember_origin
    return Watch(lambda hooks: _remembering(hooks, observe), None)


def place_of(node: Any) -> Site | None:
    """The expression in the program that made a node; for a node made in this package, the call that led there."""
    origin: Site | None = node.origin
    if origin is None or not is_of_package(origin):
        return origin
    return next((scope.site for scope in outwards(node.scope) if scope.site is not None), origin)
