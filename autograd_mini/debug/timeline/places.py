"""What somebody means who types where to stop: a line, a name, `x.grad`, `above 1e3`, an expression.

Not here: the kinds of breakpoints (that is `breakpoints`). Read next: `terminal`.
"""

from __future__ import annotations

import os
import re
from typing import Any

from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, shown

_LINE = re.compile(r"(?:(.+):)?(\d+)")
_LIMIT = re.compile(r"(above|below)\s+(\S+)")
_KIND = re.compile(r"(op|scope|function|node|watch|when)\s+(.+)")
_WORD = re.compile(r"[^\W\d]\w*|(?:[^\W\d]\w*)?#\d+|[^\w\s]{1,2}")


def place(trace: Trace, text: str, file: str | None = None) -> dict[str, Any]:
    """What a text means, as arguments for `Trace.break_at`.

    Args:
        trace: knows names, operations, scopes.
        text: what was typed.
        file: of a line without one.

    Raises:
        ArgumentError: it means nothing here.

    >>> from autograd_mini import Value, debug, exp
    >>> trace = debug.trace(exp(Value(2.0, name="x")))
    >>> place(trace, "exp"), place(trace, "above 1e3"), place(trace, "abs(grad) > 2")
    ({'op': 'exp'}, {'above': 1000.0}, {'when': 'abs(grad) > 2'})
    """
    text = text.strip()
    if found := _LINE.fullmatch(text):
        return {"line": int(found[2]), "file": _file(trace, found[1]) if found[1] else file}
    if text == "nonfinite":
        return {"nonfinite": True}
    if found := _LIMIT.fullmatch(text):
        try:
            return {found[1]: float(found[2])}
        except ValueError:
            raise ArgumentError(f"{shown(found[2])} is no number.", f"Write one, as in {found[1]} 1e3.") from None
    if found := _KIND.fullmatch(text):
        return {found[1]: found[2]}
    if text.endswith(".grad") and (nodes := _nodes(trace, text.removesuffix(".grad"))):
        return {"watch": nodes[0] if len(nodes) == 1 else text}
    if _nodes(trace, text):
        return {"node": text}
    return _named(trace, text) if _WORD.fullmatch(text) else {"when": text}


def _named(trace: Trace, word: str) -> dict[str, Any]:
    """A scope, an operation or a function of this name."""
    rows = {node._row for node in trace.journal.order if node._row is not None}
    operations = {row.name for row in rows} | {row.symbol for row in rows}
    scopes = {scope.name for node in trace.journal.order for scope in trace.scopes(node)}
    if word in scopes:
        return {"scope": word}
    if word in operations:
        return {"op": word}
    if word in trace.functions:
        return {"function": word}
    known = [f"{kind} {', '.join(names)}" for kind, names in (
        ("the nodes", trace.vocabulary[:8]), ("the scopes", sorted(scopes)[:8]), ("the operations", sorted(operations)),
        ("the functions", sorted(trace.functions)[:8]),
    ) if names]  # fmt: skip
    raise ArgumentError(
        f"No node, scope, operation or function is called {shown(word)}.", f"There are {'; '.join(known)}."
    )


def _nodes(trace: Trace, name: str) -> list[Value]:
    """The nodes of a name; none where nothing is called so."""
    try:
        return trace.nodes(name)
    except ArgumentError:
        return []


def files(trace: Trace) -> list[str]:
    """The files of the program in which something of the graph was made or called."""
    found = {frame.site.file for node in trace.journal.order for frame in trace.frames(node) if frame.site is not None}
    return sorted(found)


def _file(trace: Trace, name: str) -> str:
    """The file that is meant: a path, or the last part of one that occurs in the graph."""
    for file in files(trace):
        if os.path.realpath(file) == os.path.realpath(name) or os.path.basename(file) in (name, f"{name}.py"):
            return file
    return name
