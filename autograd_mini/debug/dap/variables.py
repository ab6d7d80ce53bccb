"""The editor's tree of variables: nodes, the chain rule of this step, the leaves.

The rows behind a number of the tree are computed on demand, in pages. Not here: changes (`session`).
Read next: `debug.dap.sources`.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from autograd_mini.debug.dap.sources import Sources
from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, SEED, Step
from autograd_mini.debug.wording import Wording
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.notation.text import elided
from autograd_mini.notation.text import number as in_digits
from autograd_mini.program.stack import outwards

Row = dict[str, Any]
Rows = Sequence[Callable[[], Row]]
_PARTS = "upstream", "local", "contribution", "total"
_MANY = 6  # elements of a list, or operands, that stand one by one; more share a row
_ELEMENT = re.compile(r"(.+)\[(\d+)\]")


class Branch(NamedTuple):
    """A part of the tree that can be opened: the functions that make its rows, and the node they describe."""

    rows: Callable[[], Rows]
    node: Value | None = None


class Variables:
    """The tree at one stop; its numbers are valid at this stop only."""

    def __init__(self, wording: Wording, numbers: Iterator[int] | None = None) -> None:
        self.trace, self._wording = wording.trace, wording
        self._numbers = numbers or itertools.count(1)  # that are still free
        self._branches: dict[int, Branch] = {}

    def branch(self, number: int) -> Branch:
        """Return the part of the tree that a number refers to."""
        if number not in self._branches:
            raise ArgumentError(f"Variable number {number} belongs to an earlier stop.", "Ask for the scopes again.")
        return self._branches[number]

    def rows(self, number: int, start: int = 0, count: int = 0) -> list[Row]:
        """Return a page of the rows inside; all of them if the count is 0."""
        return [row() for row in self.branch(number).rows()[start : start + count if count else None]]

    def scopes(self) -> list[Row]:
        """Return the top of the tree."""
        trace, passed = self.trace, self.trace.passed
        nodes = [*dict.fromkeys(step.node for step in trace.passed_steps)] or [trace.step.node]
        inside = [partial(self.node, "this", nodes[0])] if passed is None else self._labelled(nodes)
        has_rule = trace.step.node.op is not None if passed is None else passed in trace.calls
        scopes: dict[str, Rows | Callable[[], Rows]] = {  # editors open the first one
            "Forward" if trace.step.phase == FORWARD else "Chain rule": [
                partial(self._step, step) for step in trace.handed_on
            ],
            "Local rule": (lambda: self._lines(self._wording.rules_here())) if has_rule else [],
            "Node" if passed is None else f"Inside {passed.name}": inside,
            "Leaves": self._by_list(trace.leaves),
            "Watches": [partial(self._watched, watch) for watch in trace.watches],
        }
        return [
            {"name": name, "expensive": False, **self._opened(rows, "indexed")}
            for name, rows in scopes.items()
            if rows or name not in ("Watches", "Local rule")
        ]

    def title(self) -> str:
        """Return what this step is about: a derivative, or in the forward phase the computed node."""
        trace, passed, wording = self.trace, self.trace.passed, self._wording
        if trace.step.phase == FORWARD:
            return elided(passed.name) if passed else wording.symbol(trace.step.node)
        return f"∂{wording.symbol(trace.root)}/∂{elided(passed.name)}" if passed else wording.gradient(trace.step.node)

    def frames(self, sources: Sources) -> list[Row]:
        """Return the places that led to this step, the innermost first."""
        passed, frames = self.trace.passed, self.trace.frames(self.trace.step.node)
        around = {*outwards(passed)}  # a scope without a place has that of the scope around it
        first = next((i for i, frame in enumerate(frames) if frame.scope in around), 0)
        rows = []
        for i, frame in enumerate(frames[first:] or [Frame("", None)]):
            name, site = frame.name, frame.site
            if i == 0:
                name = self.title() + (f" in {name}" if name not in ("", "<module>") and not passed else "")
            where = {"line": 0, "column": 0} if site is None else sources.span(site)
            source = {} if site is None else {"source": sources.source(site.file)}
            rows.append({"id": i + 1, "name": name, **source, **where})
        return rows

    def any(self, name: str, found: Any) -> Row:
        """Return the row of an expression's result."""
        if is_node(found):
            return self.node(name, found)
        return {**_text(name, self.trace.now.text(found)), "type": type(found).__name__}

    def nodes(self, name: str, nodes: Sequence[Value], short: str = "") -> Row:
        """Return the row of several nodes that share a name, which may be shown in short."""
        return _text(short or name, counted(len(nodes), "node"), name) | self._opened(self._labelled(nodes), "indexed")

    def node(self, name: str, node: Value) -> Row:
        """Return the row of a node, which can be opened."""
        label = self.trace.names.short(node)
        text = f"{in_digits(self.trace.value(node))}, grad {in_digits(self.trace.grad(node))}"
        text += f", {remark}" if (remark := self.trace.remark(node)) else ""
        return {
            **_text(name, text if name == label else f"{self._wording.symbol(node)} = {text}"),
            "type": node.op or "leaf",
            "evaluateName": self.trace.now.written(node),
            **self._opened(self._properties(node), "named", node),
        }

    def _properties(self, node: Value) -> list[Callable[[], Row]]:
        trace, number, place = self.trace, self.trace.number(node), self.trace.place(node)

        def gradient() -> Row:
            found = trace.grad(node)
            return _text("grad", "not yet" if found is None else repr(found), f"#{number}.grad", writable=True)

        rows: list[Callable[[], Row]] = [
            lambda: _text("value", repr(trace.value(node)), f"#{number}.value", writable=node.op is None),
            gradient,
        ]
        if place is not None and place.expression:
            rows.append(partial(_text, "expression", place.expression))
        if node.scope is not None:
            rows.append(partial(_text, "scope", "/".join(node.scope.path)))
        operands: Rows = [partial(self.any, f"in[{i}]", operand) for i, operand in enumerate(node.operands)]
        if len(operands) > _MANY:
            operands = [partial(self._list, "in", f"{len(operands):,} operands", operands)]
        rows += operands
        if node.op is not None:
            rows.append(partial(self._rule, node))
        if node is not trace.root:
            rows.append(partial(self._paths, node))
        return rows

    def _list(self, name: str, text: str, rows: Rows) -> Row:
        return _text(name, text) | self._opened(rows, "indexed")

    def _rule(self, node: Value) -> Row:
        first, *rest = lines = self._wording.rules_of(node)
        return _text("rule", f"{first} …") | self._opened(self._lines(lines), "named") if rest else _text("rule", first)

    def _paths(self, node: Value) -> Row:
        text = f"from {self.trace.names.short(self.trace.root)}"
        return _text("paths", text) | self._opened(lambda: self._lines(self._wording.paths(node)), "")

    @staticmethod
    def _lines(lines: Iterable[str]) -> Rows:
        """Return a row for each line of a table: the text before the first gap or equals sign, and the rest."""
        cells = [re.split(r"(?<=^with) |\s{2,}(?:= )?|\s*= ", line.strip(), maxsplit=1) for line in lines]
        return [partial(_text, name, rest[0] if rest else "") for name, *rest in cells]

    def _step(self, step: Step) -> Row:
        wording, total = self._wording, in_digits(step.total)
        if step.operand is None:
            symbol = wording.symbol(step.node)
            return _text(symbol, wording.computed(step.node).removeprefix(f"{symbol} = "))
        name = f"{wording.symbol(step.operand)}.grad"
        if step.phase != BACKWARD:
            return _text(name, f"{total}, {'the seed' if step.phase == SEED else 'what if'}")
        before = self.trace.grad(step.operand, step.index - 1)
        product = f"{in_digits(step.upstream)} × {in_digits(step.local)} = {total}"
        parts = [partial(_text, part, repr(getattr(step, part))) for part in _PARTS]
        if (rule := self.trace.rule(step)) is not None:
            named = f"∂{rule.operation(wording.symbol)}/∂{wording.symbol(rule.operand)}"
            parts.append(partial(_text, "rule", f"{named} = {rule.text(wording.symbol, self.trace.value)}"))
        text = product if before is None else f"{in_digits(before)} + {product}"
        return _text(name, text) | self._opened(parts, "named")

    def _labelled(self, nodes: Sequence[Value]) -> list[Callable[[], Row]]:
        return [partial(self._by_label, node) for node in nodes]

    def _by_label(self, node: Value) -> Row:
        return self.node(self.trace.names.short(node), node)

    def _by_list(self, nodes: Sequence[Value]) -> list[Callable[[], Row]]:
        """Return the rows of nodes; the elements of a long list share one."""
        lists: dict[tuple[str, int], list[tuple[int, Value]]] = {}
        for node in nodes:
            element = _ELEMENT.fullmatch(self.trace.name(node))
            list_, place = ((element[1], -1), int(element[2])) if element else (("", self.trace.number(node)), 0)
            lists.setdefault(list_, []).append((place, node))
        cut = Counter(elided(name) for name, _ in lists)
        rows: list[Callable[[], Row]] = []
        for (name, _), found in lists.items():
            elements = [node for _, node in sorted(found, key=lambda pair: pair[0])]
            short = elided(name) if cut[elided(name)] == 1 else name  # because no two may look alike
            rows += [partial(self.nodes, name, elements, short)] if len(found) > _MANY else self._labelled(elements)
        return rows

    def _watched(self, watch: Any) -> Row:
        return self.any(str(watch), watch(self.trace.now))

    def _opened(self, rows: Rows | Callable[[], Rows], kind: str, node: Value | None = None) -> Row:
        """Return the entries of a row that make it openable; a function computes the rows only then."""
        number = next(self._numbers)
        self._branches[number] = Branch(rows if callable(rows) else lambda: rows, node)
        return {"variablesReference": number, **({} if callable(rows) else {f"{kind}Variables": len(rows)})}


def _text(name: str, text: str, expression: str | None = None, writable: bool = False) -> Row:
    row: Row = {"name": name, "value": text, "variablesReference": 0}
    row |= {"evaluateName": expression} if expression else {}
    return row if writable else row | {"presentationHint": {"attributes": ["readOnly"]}}
