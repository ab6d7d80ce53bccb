"""What a node is called: by its name, by the variable it was assigned to, or by its source.

Not here: how the picture writes it (that is `picture`). Read next: `picture`.
"""

from __future__ import annotations

import ast
import dis
import linecache
from collections.abc import Sequence
from functools import lru_cache
from types import CodeType

from autograd_mini.draw.parts import outwards
from autograd_mini.engine import Value
from autograd_mini.observers import is_of_package
from autograd_mini.scopes import Scope
from autograd_mini.source import Site

_STORES = ("STORE_NAME", "STORE_FAST", "STORE_GLOBAL", "STORE_DEREF", "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST")
_BETWEEN = ("CACHE", "EXTENDED_ARG", "COPY")  # COPY: of several targets, as in a = b = x * y, the first


@lru_cache(maxsize=1000)
def _variables(code: CodeType) -> dict[int, str]:
    """The variable in which the result of an instruction is stored at once, by the offset of the instruction."""
    found: dict[int, str] = {}
    start = 0
    for instruction in dis.get_instructions(code):
        if instruction.opname in _STORES:  # a call that is running stands at one of its caches, not at its start
            names = instruction.argval
            name = names[0] if isinstance(names, tuple) else names
            found |= {offset: name for offset in range(start, instruction.offset, 2) if offset not in found}
        if instruction.opname not in _BETWEEN:
            start = instruction.offset
    return found


def variable(site: Site) -> str:
    """The variable to which an expression is assigned as a whole; "" if it is to none.

    >>> import sys
    >>> def program():
    ...     y = sys._getframe()
    ...     return y
    >>> frame = program()
    >>> variable(Site(frame.f_code, frame.f_lasti))
    ''
    """
    found = _variables(site.code).get(site.instruction, "")
    return found or _unpacked("".join(linecache.getlines(site.file))).get(site.span, "")


@lru_cache(maxsize=100)
def _unpacked(program: str) -> dict[tuple[int, ...], str]:
    """The variables of assignments such as `a, b = Value(2.0), Value(3.0)`, by the places of the expressions."""
    found: dict[tuple[int, ...], str] = {}
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Tuple, ast.List)):
            for target in node.targets:
                if isinstance(target, (ast.Tuple, ast.List)) and len(target.elts) == len(node.value.elts):
                    for name, value in zip(target.elts, node.value.elts, strict=True):
                        place = value.lineno, value.col_offset, value.end_lineno or 0, value.end_col_offset or 0
                        if isinstance(name, ast.Name):
                            found.setdefault(place, name.id)
    return found


class Names:
    """What the nodes of a graph are called.

    Args:
        order: all of them, operands before results.
    """

    def __init__(self, order: Sequence[Value]) -> None:
        known = [node for node in order if node.origin]
        # Expressions that made nodes from one another, as sum(xs) does: of these only the last can be called by it.
        steps = [
            (site, operand)
            for node in known
            if (site := made_at(node))
            for operand in node.operands
            if type(operand) is Value and made_at(operand) == site
        ]
        self._manifold = {site for site, _ in steps}
        self._passed_on = {operand for _, operand in steps}
        self._results = _results(order) if known else {}

    def name(self, node: Value) -> str:
        """The name the user gave, or that of the variable."""
        if node.name:
            return node.name
        if not node.origin or node in self._passed_on or (node.op is None and is_of_package(node.origin)):
            return ""
        return variable(node.origin) or self._results.get(node, "")

    def own_name(self, node: Value) -> str:
        """The same, but not a variable inside of this package: what the user's program can call it."""
        if node.name or not node.origin or not is_of_package(node.origin):
            return self.name(node)
        return self._results.get(node, "") if node not in self._passed_on else ""

    def source(self, node: Value) -> str:
        """The expression that made it, "" if that is not known."""
        return node.origin.expression if node.origin and node.op else ""

    def is_step(self, node: Value) -> bool:
        """Whether a node is one of several that its expression made from one another."""
        return made_at(node) in self._manifold


def _results(order: Sequence[Value]) -> dict[Value, str]:
    """The variables to which calls of functions are assigned, by the only node that leaves the function's scope."""
    leaving: dict[Scope, set[Value]] = {}
    for node in order:
        elsewhere = [x for x in node.operands if type(x) is Value and x.origin and x.scope is not node.scope]
        around = set(outwards(node.scope)) if elsewhere else ()
        for x in elsewhere:
            for scope in outwards(x.scope):
                if scope in around:
                    break
                leaving.setdefault(scope, set()).add(x)
    for scope in outwards(order[-1].scope):
        leaving.setdefault(scope, set()).add(order[-1])
    return {
        node: variable(scope.site)
        for scope, nodes in leaving.items()
        if scope.site and len(nodes) == 1
        for node in nodes
    }


def made_at(node: Value) -> tuple[int, int] | None:
    """Where in the program a node was made."""
    origin = node.origin
    return (id(origin.code), origin.instruction) if origin else None
