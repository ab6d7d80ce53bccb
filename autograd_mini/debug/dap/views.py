"""What an editor shows of a trace: places with UTF-16 columns, ends of lines, the graph, the variables, the console.

The rows behind a number of the tree of variables are computed on demand, in pages. The console takes the commands of
the terminal. Not here: requests (`session`), and the page itself (`debug.pages`). Read next: `debug.dap.install`.
"""

from __future__ import annotations

import io
import itertools
import linecache
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, NamedTuple

from autograd_mini.debug.pages.contents import Contents
from autograd_mini.debug.pages.listing import utf16 as units
from autograd_mini.debug.terminal.commands import Shell
from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, SEED, Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import Wording
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.notation.text import elided
from autograd_mini.notation.text import number as in_digits
from autograd_mini.program.source import Site
from autograd_mini.program.stack import outwards

_FEW = 4  # nodes at the end of a line
_MOST_STEPS = 50_000  # steps whose page takes seconds


class Sources:
    """Files and columns in the form that the editor asked for in its `initialize` request."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self.first_line = 1 if client.get("linesStartAt1", True) else 0
        self.first_column = 1 if client.get("columnsStartAt1", True) else 0
        self._texts: list[str] = []  # files that only Python knows; their number is the index here, from 1

    def line(self, number: int) -> int:
        """Return the editor's number of a line."""
        return number - 1 + self.first_line

    def python_line(self, number: int) -> int:
        """Return Python's number of an editor's line."""
        return number + 1 - self.first_line

    def span(self, site: Site) -> dict[str, int]:
        """Return where an expression begins and ends."""
        line, column, end_line, end_column = site.span
        if end_column == 0:  # without recorded columns it is the whole line
            end_column = len(linecache.getline(site.file, end_line).rstrip("\n").encode())
        return {
            "line": self.line(line), "column": self.first_column + utf16(site.file, line, column),
            "endLine": self.line(end_line), "endColumn": self.first_column + utf16(site.file, end_line, end_column),
        }  # fmt: skip

    def source(self, file: str) -> dict[str, Any]:
        """Return a file's path, or its number if the file does not exist but Python knows its text."""
        if os.path.isfile(file):
            return {"name": os.path.basename(file), "path": os.path.abspath(file)}
        if not linecache.getlines(file):
            return {"name": file, "presentationHint": "deemphasize"}
        if file not in self._texts:
            self._texts.append(file)
        return {"name": file, "sourceReference": self._texts.index(file) + 1}

    def file(self, source: Mapping[str, Any]) -> str:
        """Return the file that the editor means."""
        reference = source.get("sourceReference") or 0
        return self._texts[reference - 1] if 0 < reference <= len(self._texts) else str(source.get("path") or "")

    def text(self, reference: int) -> str:
        """Return the text of a source that has a number."""
        if not 0 < reference <= len(self._texts):
            raise ArgumentError(f"There is no source number {reference}.")
        return "".join(linecache.getlines(self._texts[reference - 1]))


def utf16(file: str, line: int, column: int) -> int:
    """Convert a column in UTF-8 bytes into UTF-16 code units; it stays the same if the text is not known."""
    text = linecache.getline(file, line).encode()[:column]
    return units(text) if text or not column else column


# -- beside the source -----------------------------------------------------------------------------------------------


def inline(trace: Trace, file: str, sources: Sources) -> list[dict[str, Any]]:
    """Return the texts at the ends of a file's lines: the nodes that they name, now, and those near this step."""
    real, found = os.path.realpath(file), []

    def text(node: Value) -> str:
        gradient, name = trace.grad(node), f"{trace.names.short(node)} " * bool(trace.name(node))
        return f"{name}= {in_digits(trace.value(node))}" + (f", ∂ = {in_digits(gradient)}" * (gradient is not None))

    is_early = trace.step.phase == FORWARD
    for (where, line), nodes in trace.written.items():
        known = [node for node in nodes if not is_early or trace.number(node) <= trace.position]
        if where != real or not known:
            continue
        here = trace.number(trace.step.node)
        near = sorted(known, key=lambda node: abs(trace.number(node) - here))[:_FEW]
        texts = [text(node) for node in known if node in near]
        texts += [f"… {len(known) - _FEW:,} more"] * (len(known) > _FEW)
        found.append({"line": sources.line(line), "text": "; ".join(texts)})
    return found


class Graph:
    """The page of a trace, which is drawn again only if the steps have changed."""

    def __init__(self) -> None:
        self._journal: object = None
        self._number = 0

    def page(self, trace: Trace, known: object, is_dark: bool) -> Callable[[], dict[str, Any]]:
        """Return a function that gives the number of the page, the step, and the text unless the number is known.

        The answer may take seconds; others may move in the trace meanwhile.
        """
        if len(trace) > _MOST_STEPS:
            raise ArgumentError(
                f"This graph has {len(trace):,} steps, too many to draw at every stop.",
                "Type graph into the debug console for a picture.",
            )
        if self._journal is not trace.journal:
            self._journal, self._number = trace.journal, self._number + 1
        body = {"page": self._number, "step": trace.position}
        own = copy(trace)  # it remembers what it was last asked
        return lambda: body if known == body["page"] else {**body, "html": Contents(own, False).html(is_dark)}


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
        """Return the row of a node, which can be opened; without a name, it goes by its label."""
        label = self.trace.names.short(node)
        name = name or label
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
        together = [lambda: _text("in", f"{len(operands):,} operands") | self._opened(operands, "indexed")]
        rows += operands if len(operands) <= _MANY else together
        if node.op is not None:
            rows.append(partial(self._rule, node))
        if node is not trace.root:
            rows.append(partial(self._paths, node))
        return rows

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
        return [partial(self.node, "", node) for node in nodes]

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


_MOST_WORDS = 100  # completions
_OPERATOR = re.compile(r"\w+ *([-+*/%<>]|[=!]=)")
_WORD_IN_COMMAND, _WORD_IN_EXPRESSION = re.compile(r"[^ \t\n,;(]*$"), re.compile(r"[^ \t\n,;(*/%<>=!+-]*$")


class Console(Shell):
    """A session of the debugger that an editor leads: it runs one line when asked."""

    def __init__(self, repeats: bool = False) -> None:
        super().__init__(stdin=io.StringIO(), stdout=io.StringIO())
        self.repeats, self._fault = repeats, ""

    def converse(self) -> bool:
        """Return at once, because the editor brings the lines."""
        return True

    def is_command(self, line: str) -> bool:
        """Return True if a line is a command; a variable takes precedence over a command that only begins like it."""
        line, name = line.strip(), self.parseline(line)[0]
        command = self.commands.get(name or "")
        if command is None:
            return False
        word = re.match(r"\w*", line)[0]  # type: ignore[index]  # may be ""
        if word not in self.trace.vocabulary:
            return True
        return word in (command.name, *command.shorts) and not _OPERATOR.match(line)

    def run(self, line: str) -> tuple[str, bool]:
        """Run a line; return what it prints, and True if the program should go on; raise if it only complains."""
        self.stdout, self._fault = io.StringIO(), ""
        ends = self.onecmd(line)
        while self.cmdqueue and not ends:
            ends = self.onecmd(self.cmdqueue.pop(0))
        self.cmdqueue.clear()
        if line in self.trace.vocabulary:
            self.say(f"({line} is also a node: p {line} prints it.)")
        text = self.stdout.getvalue().rstrip("\n")
        if self._fault and not text:
            raise ArgumentError(self._fault)
        return "\n".join(filter(None, [text, self._fault])), ends

    def _complain(self, text: str) -> None:
        self._fault = text

    def targets(self, arguments: Mapping[str, Any], first_line: int, first_column: int) -> list[dict[str, Any]]:
        """Return the completions of a request, in an editor's UTF-16 columns."""
        lines = str(arguments["text"]).split("\n")
        line = lines[min(max(int(arguments.get("line") or 0) - first_line, 0), len(lines) - 1)]
        end = max(int(arguments["column"]) - first_column, 0)
        word, found = self.completions(line.encode("utf-16-le")[: 2 * end].decode("utf-16-le", "replace"))
        length = units(word)
        where = {"start": end - length + first_column, "length": length} if length else {}
        return [
            {"label": name.strip(), "text": name, "type": "method" if name.strip() in self.commands else "variable"}
            | where
            for name in found[:_MOST_WORDS]
        ]

    def completions(self, text: str) -> tuple[str, list[str]]:
        """Return the word at the end of a text, and what it may become."""
        line, name = text.lstrip(), self.parseline(text)[0] or ""
        inside = name in self.commands
        word = (_WORD_IN_COMMAND if inside else _WORD_IN_EXPRESSION).search(line)[0]  # type: ignore[index]  # may be ""
        if word == line:
            return word, [*self.completenames(word), *self.completedefault(word, f"p {word}")]
        complete = getattr(self, f"complete_{name}", self.completedefault)
        return word, complete(word, line, len(line) - len(word), len(line))
