"""Where something happened in the user's program: file, line, the exact expression, and the variable it is assigned to.

Not here: which nodes remember their place (`watch.origins`). Read next: `program.owner`.
"""

from __future__ import annotations

import ast
import dis
import io
import itertools
import linecache
import re
import sys
import tokenize
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

Span = tuple[int, int, int, int]

_CELL = re.compile(r"<ipython-input-(\d+)-.*>|.*[/\\](?:ipykernel_\d+[/\\][^/\\]*|__marimo__cell_[^/\\]*)\.py")
_SHIFTS = 4, -4  # marimo shifts the columns of a cell inside a function by these
_COMPREHENSION = re.compile(r"(\.<locals>)?(\.|^)<(listcomp|setcomp|dictcomp|genexpr)>")


def _joined(lines: list[str]) -> str:
    """Join the lines of an expression, without comments and line continuations."""
    if len(lines) == 1:
        return lines[0]
    text = "(" + "\n".join(lines) + "\n)"  # in parentheses, where indentation does not matter
    with suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                number, column = token.start
                lines[number - 1] = lines[number - 1][: column - (number == 1)].rstrip()
    joined = ""
    for line in filter(None, (line.removesuffix("\\").rstrip() for line in lines)):
        joined += line if joined[-1:] in ("", *"([{") or line[0] in ")]}" else f" {line}"
    return joined


@dataclass(frozen=True, eq=False, slots=True)
class Site:
    """A code object and its running instruction, which costs a tenth of looking up line and columns."""

    code: CodeType
    instruction: int
    caller: Site | None = None  # where the function was called, if remembered

    @property
    def file(self) -> str:
        """The file's path, as Python reports it."""
        return self.code.co_filename

    @property
    def function(self) -> str:
        """The function's qualified name; `<module>` at the top level of a file and in comprehensions there."""
        return _COMPREHENSION.sub("", self.code.co_qualname).removeprefix(".") or "<module>"

    @property
    def span(self) -> Span:
        """(line, column, end line, end column): lines from 1, columns from 0 in UTF-8 bytes, as in `ast`."""
        return _span(self.code, self.instruction)

    @property
    def place(self) -> tuple[object, ...]:
        """A key that is equal for all visits to an expression, even if the interpreter renumbers its instructions."""
        return self.code, self.span

    @property
    def line(self) -> int:
        """The line the expression starts on."""
        return self.span[0]

    @property
    def expression(self) -> str:
        """The source text of the expression, on one line, without comments; empty if there is no source."""
        line, column, end_line, end_column = self.span
        lines = [linecache.getline(self.file, number).encode() for number in range(line, end_line + 1)]
        if not any(lines):
            return ""
        if end_column == 0:  # no columns recorded (python -X no_debug_ranges): the whole line
            return lines[0].decode().strip()
        lines[-1] = lines[-1][:end_column]  # before the start is cut off: it may be the same line
        lines[0] = lines[0][column:]
        return _joined([text.decode(errors="replace").strip() for text in lines])

    @property
    def is_assignment(self) -> bool:
        """Whether the expression is an augmented assignment, such as `-=`."""
        operation, argument = self.code.co_code[self.instruction : self.instruction + 2]
        return operation == dis.opmap["BINARY_OP"] and 13 <= argument < 26  # from += to ^= in the order of CPython

    def __str__(self) -> str:
        expression = self.expression
        return f"{located(self.file, self.line)} in {self.function}" + (f": {expression}" if expression else "")


def cell(file: str) -> str:
    """The notebook's name for the cell behind a file name, such as "cell [6]"; "" for other files."""
    found = _CELL.fullmatch(file)
    if not found:
        return ""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", {})  # by the text, so the last run counts
    number = numbers.get(file) or found[1]
    return f"cell [{number}]" if number else "notebook cell"


def located(file: str, line: int) -> str:
    """A line in readable form: "model.py:4", or "cell [6], line 4"."""
    return f"{name}, line {line}" if (name := cell(file)) else f"{file}:{line}"


@lru_cache(maxsize=10_000)
def _span(code: CodeType, instruction: int) -> Span:
    position = next(itertools.islice(code.co_positions(), instruction // 2, None), (None,) * 4)
    line, end_line, column, end_column = position
    line = line or code.co_firstlineno
    span = line, column or 0, end_line or line, end_column or 0
    known = _expressions("".join(linecache.getlines(code.co_filename))) if end_column else frozenset()
    if known and span not in known:
        shifted = [(line, span[1] + by, span[2], span[3] + by) for by in _SHIFTS]
        return next((other for other in shifted if other in known), span)
    return span


@lru_cache(maxsize=100)
def _expressions(program: str) -> frozenset[Span]:
    """The spans of all expressions and statements of a program; empty if it cannot be parsed."""
    return frozenset(span_of(node) for node in ast.walk(parsed(program)) if isinstance(node, (ast.expr, ast.stmt)))


def parsed(program: str) -> ast.Module:
    """The syntax tree of a program; an empty one if it cannot be parsed."""
    try:
        return ast.parse(program)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])


def span_of(node: ast.expr | ast.stmt) -> Span:
    """The place of a part of a syntax tree, as in `Site.span`."""
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


def site_of(frame: FrameType) -> Site:
    """The place where a frame is right now."""
    return Site(frame.f_code, frame.f_lasti)


# -- what an expression is assigned to ---------------------------------------------------------------------------------

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
