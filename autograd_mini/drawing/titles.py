"""Titles: a common name for several nodes, from the user's names or expression, otherwise from what they do.

Not here: the name of one node (`notation.names`). Read next: `drawing.structure`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import TypeVar

from autograd_mini.engine import Value
from autograd_mini.notation.names import Names

Named = TypeVar("Named")
_LONGEST = 24  # characters of an expression that serves as a title
_INDEX = re.compile(r"\d+")
_WORDS = {
    "add": "addition", "sub": "difference", "mul": "product", "div": "quotient", "pow": "power", "neg": "negation",
    "dot": "dot product", "where": "choice", "floordiv": "quotient", "mod": "remainder",
}  # fmt: skip


def span(names: Sequence[str]) -> str:
    """Return one name for names that differ in their indices only: "h[0..3]" for h[0], ..., h[3]; "" for others."""
    if len({_INDEX.sub("#", name) for name in names}) != 1:
        return ""
    columns = [sorted({*map(int, column)}) for column in zip(*map(_INDEX.findall, names), strict=True)]
    size = 1
    for column in columns:
        size *= len(column)
        if column[-1] - column[0] + 1 != len(column):
            return ""
    written = iter([f"{column[0]}..{column[-1]}" if len(column) > 1 else f"{column[0]}" for column in columns])
    varied = [name for name, column in zip(_INDEX.split(names[0])[1:], columns, strict=True) if len(column) > 1]
    if size != len({*names}) or not all(rest.startswith("]") for rest in varied):
        return ""
    return _INDEX.sub(lambda _: next(written), names[0])


def by_lists(things: Iterable[Named], name: Callable[[Named], str]) -> list[Named]:
    """Return things list by list, as the first of each list comes, and in the order of the numbers in their names."""
    lists: dict[str, list[tuple[list[int], Named]]] = {}
    for thing in things:
        said = name(thing)
        lists.setdefault(_INDEX.sub("#", said), []).append(([*map(int, _INDEX.findall(said))], thing))
    return [thing for found in lists.values() for _, thing in sorted(found, key=itemgetter(0))]


def title(passes: Sequence[Sequence[Value]], names: Names | None, call: bool = False) -> str:
    """Return what the user calls the results of all passes of a part; "" if they have nothing in common.

    A loop leaves its variables at the last pass, so their names stand for all, if no other pass has names. The
    expression that gave the result of a call is longer than the name of the call.
    """
    if names is None:
        return ""
    called = [[name for node in nodes if (name := names.name(node)) or not call] for nodes in passes]
    if not any(any(some) for some in called[:-1]):
        called = called[-1:]
    said = span([name for some in called for name in some]) if all(called) else ""
    if not call and not any(any(some) for some in called):
        texts = {names.expression(node) for nodes in passes for node in nodes}
        said = texts.pop() if len(texts) == 1 else ""
    return said if len(said) <= _LONGEST and "\n" not in said else ""


def word(nodes: Sequence[Value]) -> str:
    """Return what operations of one kind do."""
    first = nodes[0]
    pairs = [(x.op, *x.operands[:2]) for x in nodes if x.op in ("mul", "pow")]
    squares = [a is b if op == "mul" else b == 2.0 for op, a, b in pairs]
    return "square" if sum(squares) == len(nodes) else _WORDS.get(first.op or "", str(first.op))
