"""The variable that an expression is assigned to: what the user calls its result.

Not here: which node an expression made (`watch.origins`). Read next: `program.stack`.
"""

from __future__ import annotations

import ast
import dis
import linecache
from collections import Counter
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from autograd_mini.program.source import Site, Span, parsed, span_of

_STORES = ("STORE_NAME", "STORE_FAST", "STORE_GLOBAL", "STORE_DEREF", "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST")
_BETWEEN = ("CACHE", "EXTENDED_ARG", "COPY")  # COPY: with several targets, as in a = b = x * y, the first one
_CALLED = ("PRECALL", "CALL")  # either calls, in Python 3.11: warm code skips the second


def variable(site: Site) -> str:
    """The variable that an expression as a whole is assigned to, or ""."""
    return _stored(site.code).get(site.instruction, "") or _assigned(site.file).unpacked.get(site.span, "")


def element(site: Site) -> str:
    """The list element that an expression is assigned to, such as "z[0]" in `z = [w * x, v * x]`, or ""."""
    return _assigned(site.file).elements.get(site.span, "")


def listed(site: Site) -> str:
    """The variable of the list whose comprehension has this element, as in `e = [exp(v) for v in z]`, or ""."""
    return _assigned(site.file).listed.get(site.span, "")


@lru_cache(maxsize=1000)
def _stored(code: CodeType) -> dict[int, str]:
    """The variable that the result of an instruction is stored in right away, by the offset of the instruction."""
    found: dict[int, str] = {}
    start, previous = 0, ""
    for instruction in dis.get_instructions(code):
        if instruction.opname in _STORES:  # during a call, the offset is that of a cache, not of the call
            names = instruction.argval
            name = names[0] if isinstance(names, tuple) else names
            if name.isidentifier():  # names that pytest adds are not
                found |= {offset: name for offset in range(start, instruction.offset, 2) if offset not in found}
        if instruction.opname not in _BETWEEN and (previous, instruction.opname) != _CALLED:
            start = instruction.offset
        previous = instruction.opname
    return found


class _Assigned(NamedTuple):
    """The names that assignments give to expressions, by the span of the expression."""

    unpacked: dict[Span, str]
    elements: dict[Span, str]
    listed: dict[Span, str]


def _assigned(file: str) -> _Assigned:
    return _read("".join(linecache.getlines(file)))


@lru_cache(maxsize=100)
def _read(program: str) -> _Assigned:
    found = _Assigned({}, {}, {})
    nodes: list[Any] = [*ast.walk(parsed(program))]
    for node in nodes:
        for target in node.targets if isinstance(node, ast.Assign) else []:
            match target, node.value:
                case ((ast.Tuple() | ast.List()), (ast.Tuple() | ast.List())) if _alike(target.elts, node.value.elts):
                    for name, value in zip(target.elts, node.value.elts, strict=True):
                        if isinstance(name, ast.Name):
                            found.unpacked.setdefault(span_of(value), name.id)
                case ast.Name(id=name), (ast.Tuple() | ast.List()):
                    for index, value in enumerate(node.value.elts):
                        if isinstance(value, ast.Starred):
                            break
                        found.elements.setdefault(span_of(value), f"{name}[{index}]")
    for node in nodes:  # inner functions come after the outer ones
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)):
            found.listed.update(_kept_lists([*ast.walk(node)]))
    return found


def _kept_lists(nodes: list[ast.AST]) -> dict[Span, str]:
    """The variable of each list comprehension, by its element; "" if it may change, so that the order is unknown."""
    stored = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    changed = {  # a method is called, or an element is stored
        node.value.id
        for node in nodes
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.value, ast.Name)
        if isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load)
    }
    found = {}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=str(name))], value=ast.ListComp(elt=value)):
                found[span_of(value)] = name if stored[name] == 1 and name not in changed else ""
    return found


def _alike(targets: list[ast.expr], values: list[ast.expr]) -> bool:
    return len(targets) == len(values) and not any(isinstance(value, ast.Starred) for value in values)
