"""How a program uses `.data` while it runs under a debugger: numbers that it reads, and leaves that it writes.

A graph does not show either. A leaf is recognised in another run by where it is made, how many leaves were made there
before, and how often it was written; its number counts from the last call of `backward()` on.
Not here: running the program (`program`). Read next: `debug.quiz`.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import lru_cache, partial
from types import CodeType
from typing import Any

from autograd_mini import micrograd
from autograd_mini.core.replay import Decision
from autograd_mini.core.sweep import topological_order
from autograd_mini.engine import Value
from autograd_mini.program.owner import is_package_frame, program_frame
from autograd_mini.program.source import Site, parsed, site_of, span_of

Place = tuple[str, int, int]  # the file, the first line of the function, and the instruction
_MOST = 1000  # reads between two calls of backward() that are kept


class Accesses:
    """The nodes that a run has made, what it has read and written, and numbers to put in place of its own."""

    def __init__(self, numbers: Mapping[str, float]) -> None:
        self.numbers = dict(numbers)  # new ones of leaves, by their keys
        self.replaced: dict[str, float] = {}  # the program's own, which they have replaced, by the same keys
        self.too_many = False  # reads since the last call of `backward()`, so that not all are kept
        self._counts: dict[Place, int] = {}  # of leaves made there
        self._places: dict[Value, tuple[Place, int]] = {}
        self._writes: dict[Value, int] = {}
        self._made: set[int] = set()  # the ids of nodes that were made since the last call
        self._reads: list[tuple[Value, float, Site]] = []
        self._calls = 0

    # -- what happens --------------------------------------------------------------------------------------------------

    def remember(self, node: Value) -> None:
        """Note a new node, and give it another number if it is a leaf that has one."""
        self._made.add(id(node))
        if node.op is None:
            frame = program_frame(sys._getframe(1))
            place = frame.f_code.co_filename, frame.f_code.co_firstlineno, frame.f_lasti
            count = self._counts.get(place, 0)
            self._counts[place] = count + 1
            self._places[node] = place, count
            self._replace(node)

    def _replace(self, leaf: Value) -> None:
        if self.numbers and (number := self.numbers.get(key := self.key(leaf))) is not None:
            self.replaced[key], leaf._data = leaf._data, number

    def forget(self) -> None:
        """Start again, because `backward()` is called: the next graph does not depend on earlier reads."""
        self._reads.clear()
        self._made.clear()
        self.too_many = False
        self._calls += 1
        for leaf in self._places if self.numbers else ():
            self._replace(leaf)

    def kept(self) -> Accesses:
        """Return what is known now; it does not change while the program goes on."""
        now = copy(self)
        now.replaced, now._writes = dict(self.replaced), dict(self._writes)
        now._made, now._reads = set(self._made), list(self._reads)
        return now

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is read and written inside."""
        plain: dict[Any, Any] = {kind: kind.data for kind in (Value, micrograd.Value)}
        for kind, data in plain.items():
            kind.data = property(self._read, partial(self._write, data.fset), doc=data.__doc__)
        try:
            yield
        finally:
            for kind, data in plain.items():
                kind.data = data

    def _read(self, node: Value) -> float:
        frame = sys._getframe(1)
        if not is_package_frame(frame) and not _is_printed(frame.f_code, frame.f_lasti):
            self.too_many |= len(self._reads) >= _MOST
            if not self.too_many:
                self._reads.append((node, node._data, site_of(frame)))
        return node._data

    def _write(self, write: Callable[[Value, float], None], node: Value, number: float) -> None:
        write(node, number)
        if node in self._places:
            self._writes[node] = self._writes.get(node, 0) + 1
            self._reads = [entry for entry in self._reads if entry[0] is not node]  # it had another number
            self._replace(node)

    # -- what is known -------------------------------------------------------------------------------------------------

    def key(self, leaf: Value) -> str:
        """Return the key of a leaf with its current number, the same in every run; "" if it was not seen."""
        if leaf not in self._places:
            return ""
        (file, line, instruction), count = self._places[leaf]
        return f"{file}:{line}:{instruction}#{count}, {self._writes.get(leaf, 0)} writes, call {self._calls + 1}"

    def leaf(self, key: str) -> Value | None:
        """Return the leaf that a key means now."""
        return next((leaf for leaf in self._places if self.key(leaf) == key), None)

    def concerns(self, decision: Decision) -> bool:
        """Return True if a comparison may have been made since the last call of `backward()`."""
        nodes = [x for x in (decision.left, decision.right) if isinstance(x, Value)]
        return any(node.op is None or id(node) in self._made for node in nodes)

    def reads(self, root: Value) -> list[tuple[Value, float, Site]]:
        """Return the reads while a graph was recorded; they may decide what else is recorded, or that nothing is."""
        order = topological_order(root, everything=True)
        return [read for read in self._reads if id(read[0]) in self._made or read[0] in order]


@lru_cache(maxsize=10_000)
def _is_printed(code: CodeType, instruction: int) -> bool:
    """Return True if a place is in a statement that only prints."""
    line, column, *_ = Site(code, instruction).span
    return any(
        isinstance(node, ast.Expr) and isinstance(call := node.value, ast.Call) and isinstance(call.func, ast.Name)
        and call.func.id == "print" and span_of(node)[:2] <= (line, column) < span_of(node)[2:]
        for node in ast.walk(parsed("".join(linecache.getlines(code.co_filename))))
    )  # fmt: skip
