"""The names that a running program has for its values: variables, and paths through lists, dicts and objects.

Not here: names that follow from the source alone, and which name a node gets (`names`). Read next: `notation.snapshot`.
"""

from __future__ import annotations

import ast
import dis
import linecache
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any

from autograd_mini.engine import Value, is_node
from autograd_mini.program.owner import frames_of_run, is_of_library, is_tool
from autograd_mini.program.source import parsed, site_of

Namespace = Mapping[str, Any]

_MOST = 200_000  # things to search
_LONGEST = 20_000  # entries of one list to search
_DEEPEST = 6
_NO_CONTAINERS = (str, bytes, int, float, complex, type, ModuleType, FunctionType, type(None))
_NOT_THE_USERS = ("In", "Out", "exit", "quit")  # in notebooks

# The variables of the last program that was run, for its graph after it has ended: first those of functions that
# called backward(), then those of its files.
of_program: ContextVar[tuple[Namespace, ...]] = ContextVar("of_program", default=())


class _Locals(dict[str, Any]):
    """The variables of a function."""

    def __init__(self, frame: FrameType) -> None:
        super().__init__(frame.f_locals)
        self.code = frame.f_code


class _Remembered(dict[str, Any]):
    """The variables of a function or a file as they were, as far as nodes can be named with them."""

    def __init__(self, space: Namespace, nodes: Collection[Value], found: dict[Value, str]) -> None:
        kept = ((name, thing, (is_node(thing) and thing in nodes) or _is_plain(thing)) for name, thing in users(space))
        super().__init__({name: thing if names else None for name, thing, names in kept})
        self.paths = found


def remembered(spaces: Sequence[Namespace], nodes: Collection[Value]) -> tuple[Namespace, ...]:
    """Return the program's variables as they are now, which name these nodes in the same way later.

    They hold nothing else of the program, whose lists and objects may change.
    """
    found = paths(spaces, nodes)
    return tuple([_Remembered(space, nodes, found) for space in spaces])


def namespaces(innermost: FrameType | None) -> tuple[Namespace, ...]:
    """Return the variables of the program's running functions, innermost first, and then of its files."""
    frames = [frame for frame in frames_of_run(innermost) if not is_of_library(site_of(frame))]
    functions = [_Locals(frame) for frame in frames if frame.f_locals is not frame.f_globals]
    files = {id(frame.f_globals): frame.f_globals for frame in frames}
    return (*functions, *files.values()) or of_program.get()


def paths(spaces: Sequence[Namespace], nodes: Collection[Value]) -> dict[Value, str]:
    """Return how the program can write the nodes: "x", "w[0][1]", "net.layers[0].neurons[1].b".

    A variable that holds the node itself comes first, then the shortest path through what the program made first: a
    list of all parameters comes from a model, not the other way round. Elements that a loop runs over get an index; the
    loop's own variable is the last resort.
    """
    if spaces and isinstance(spaces[0], _Remembered):
        return {node: path for node, path in spaces[0].paths.items() if node in nodes}
    found: dict[Value, str] = {}
    seen: set[int] = set()
    loops = {id(space): _of_loops(space) for space in spaces}
    variables = [(pair[0] in loops[id(space)], pair) for space in spaces for pair in users(space)]
    for _, variable in sorted(variables, key=lambda entry: (entry[0], not is_node(entry[1][1]))):
        waiting: deque[tuple[str, Any, int]] = deque([(*variable, 0)])
        while waiting and len(seen) < _MOST and len(found) < len(nodes):
            path, thing, depth = waiting.popleft()
            if is_node(thing):
                if thing in nodes:
                    found.setdefault(thing, path)
            elif depth < _DEEPEST and not isinstance(thing, _NO_CONTAINERS) and id(thing) not in seen:
                seen.add(id(thing))
                waiting.extend((path + end, inner, depth + 1) for end, inner in _parts(thing))
    return found


@lru_cache(maxsize=1000)
def _stored_by_loops(code: CodeType) -> frozenset[str]:
    """Return the variables of the loops in a function."""
    found: set[str] = set()
    previous = ""
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name.startswith("STORE_") and previous == "FOR_ITER":
            found |= {*instruction.argval} if isinstance(instruction.argval, tuple) else {instruction.argval}
        elif name not in ("UNPACK_SEQUENCE", "CACHE", "EXTENDED_ARG"):
            previous = name
    return frozenset(found)


@lru_cache(maxsize=1000)
def _written_in_loops(program: str) -> frozenset[str]:
    """Return the variables of the loops in a file, outside its functions."""
    waiting: list[ast.AST] = [parsed(program)]
    found: set[str] = set()
    for node in waiting:  # the loop appends to it
        if isinstance(node, (ast.For, ast.AsyncFor)):
            found |= {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
        if not isinstance(node, (ast.expr, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return frozenset(found)


def _of_loops(space: Namespace) -> frozenset[str]:
    if isinstance(space, _Locals):
        return _stored_by_loops(space.code)
    file, cells = space.get("__file__"), space.get("In")  # of a notebook, the texts of its cells
    texts = ["".join(linecache.getlines(file))] if type(file) is str else []
    texts += [text for text in cells if type(text) is str] if isinstance(cells, list) else []
    return frozenset().union(*map(_written_in_loops, texts))


def users(space: Namespace) -> Iterator[tuple[str, Any]]:
    """Yield the variables that a user made in a namespace: names without a leading underscore."""
    for name, thing in space.items():
        if name[:1] != "_" and name not in _NOT_THE_USERS and name.isidentifier():  # pytest adds other names
            yield name, thing


def plain(spaces: Sequence[Namespace]) -> dict[str, Any]:
    """Return the variables that are numbers, texts or booleans; the innermost if several share a name."""
    found = {name: thing for space in reversed(spaces) for name, thing in users(space) if _is_plain(thing)}
    return {name: float(thing) if type(thing) is int else thing for name, thing in found.items()}


def _is_plain(thing: Any) -> bool:
    return type(thing) in (float, str, bool) or (type(thing) is int and abs(thing) < 1 << 1000)


def _attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes in `__dict__` and in slots."""
    with suppress(AttributeError):
        yield from dict.items(object.__getattribute__(thing, "__dict__"))
    for kind in type(thing).__mro__:
        for name, member in vars(kind).items() if kind.__module__ != "builtins" else ():
            if type(member) is MemberDescriptorType:
                with suppress(AttributeError):  # an empty slot
                    yield name, member.__get__(thing)


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a thing, and how to write them, without calling the program's code."""
    if is_tool(type(thing)):
        return iter(())
    if type(thing).__module__ == "numpy" and getattr(getattr(thing, "dtype", None), "kind", "") == "O":
        thing = thing.tolist()
    parts: Iterable[tuple[str, Any]]
    if isinstance(thing, (list, tuple, deque)):
        kind: Any = next(kind for kind in (list, tuple, deque) if isinstance(thing, kind))
        parts = ((f"[{index}]", part) for index, part in enumerate(islice(kind.__iter__(thing), _LONGEST)))
    elif isinstance(thing, dict):
        parts = [(f"[{key!r}]", part) for key, part in dict.items(thing) if type(key) in (str, int)]
    else:
        parts = [(f".{name}", part) for name, part in _attributes(thing) if name[:1] != "_"]
    return ((end, part) for end, part in parts if type(part) is not float)
