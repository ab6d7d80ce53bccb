"""The variable that an expression is assigned to: what the user calls its result.

Not here: which node an expression made (that is `observers`). Read next: `draw.names`.
"""

from __future__ import annotations

import ast
import dis
import linecache
from functools import lru_cache
from types import CodeType

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
