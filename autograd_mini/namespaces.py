"""What a running program calls its values: by variables, and through lists, dicts and objects in them.

Not here: names that follow from the source alone, and which name a node gets (that is `names`). Read next: `names`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import FrameType, FunctionType, ModuleType
from typing import Any

from autograd_mini.engine import Value
from autograd_mini.observers import RUNNER, is_of_library
from autograd_mini.source import site_of

Namespace = Mapping[str, Any]

_MOST = 200_000  # things looked at
_LONGEST = 20_000  # of one list
_DEEPEST = 6
_NO_CONTAINERS = (str, bytes, int, float, complex, type, ModuleType, FunctionType, type(None))
_NOT_THE_USERS = ("In", "Out", "exit", "quit")  # in notebooks


def namespaces(frame: FrameType | None) -> tuple[Namespace, ...]:
    """The variables of the functions of the program that are running, the innermost first, and then of its files."""
    found: list[Namespace] = []
    files: list[Namespace] = []
    while frame is not None and frame.f_globals.get("__name__") != RUNNER:
        if not is_of_library(site_of(frame)):
            if frame.f_locals is not frame.f_globals:
                found.append(frame.f_locals)
            if all(frame.f_globals is not file for file in files):
                files.append(frame.f_globals)
        frame = frame.f_back
    return (*found, *files)


def paths(spaces: Sequence[Namespace], nodes: Collection[Value]) -> dict[Value, str]:
    """How the program can write the nodes, each in the shortest way: "x", "w[0][1]", "net.layers[0].neurons[1].b".

    >>> x, y = Value(1.0), Value(2.0)
    >>> list(paths([{"x": x, "data": [3.0, {"y": y, "x": x}]}], {x, y}).values())
    ['x', "data[1]['y']"]
    """
    found: dict[Value, str] = {}
    seen: set[int] = set()
    waiting: deque[tuple[str, Any, int]] = deque((name, thing, 0) for space in spaces for name, thing in users(space))
    while waiting and len(seen) < _MOST and len(found) < len(nodes):
        path, thing, depth = waiting.popleft()
        if type(thing) is Value:
            if thing in nodes:
                found.setdefault(thing, path)
        elif depth < _DEEPEST and not isinstance(thing, _NO_CONTAINERS) and id(thing) not in seen:
            seen.add(id(thing))
            waiting.extend((path + end, inner, depth + 1) for end, inner in _parts(thing))
    return found


def users(space: Namespace) -> Iterator[tuple[str, Any]]:
    """The variables of a namespace that a user made: none that begins with an underscore."""
    return (
        (name, thing)
        for name, thing in space.items()
        if name[:1] != "_" and name not in _NOT_THE_USERS and name.isidentifier()  # pytest has others
    )


def plain(spaces: Sequence[Namespace]) -> dict[str, Any]:
    """The variables that are numbers, texts or truths; of several of one name the innermost."""
    return {
        name: float(thing) if type(thing) is int and abs(thing) < 1 << 1000 else thing
        for space in reversed(spaces)
        for name, thing in users(space)
        if type(thing) in (float, str, bool) or (type(thing) is int and abs(thing) < 1 << 1000)
    }


def _is_tool(thing: Any) -> bool:
    """Whether something is an object of this package that is not a part of a model: a trace, an optimiser, a report."""
    package, *rest = type(thing).__module__.split(".")
    return package == __name__.partition(".")[0] and "nn" not in rest


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    """What is in something, and how one writes that; nothing of the program is called."""
    if _is_tool(thing):
        return iter(())
    if type(thing).__module__ == "numpy" and getattr(getattr(thing, "dtype", None), "kind", "") == "O":
        thing = thing.tolist()
    parts: Iterable[tuple[str, Any]]
    if isinstance(thing, (list, tuple)):
        elements = list.__iter__(thing) if isinstance(thing, list) else tuple.__iter__(thing)
        parts = ((f"[{index}]", part) for index, part in enumerate(islice(elements, _LONGEST)))
    elif isinstance(thing, dict):
        parts = [(f"[{key!r}]", part) for key, part in dict.items(thing) if type(key) in (str, int)]
    else:
        try:
            attributes = object.__getattribute__(thing, "__dict__")
        except AttributeError:
            return iter(())
        parts = [(f".{name}", part) for name, part in dict.items(attributes) if name[:1] != "_"]
    return ((end, part) for end, part in parts if type(part) is not float)
