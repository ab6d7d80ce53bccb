"""The numbers of a page, each with the place where the page recomputes it when the reader moves a slider.

A number carries its position in one list: the registers of the graph's tape, then what the sweep makes of them.
Not here: the sliders (`backprop.js`), and the tape (`compile.graphs`). Read next: `debug.pages.frames`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from autograd_mini import functions
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.graphs import GraphTape
from autograd_mini.compile.languages.javascript import source
from autograd_mini.compile.tape import INPUT
from autograd_mini.core.replay import Decision
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages.listing import readable, utf16
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, Journal, Step
from autograd_mini.debug.timeline.paths import Call
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.errors import AutogradError
from autograd_mini.notation.text import elided
from autograd_mini.notation.text import number as short

_SPACES = re.compile(r" *(?<![<>=!])([=*/?:,])(?!=) *|^ +(?=r\[)", re.MULTILINE)
_INPUT = re.compile(r"r\[(\d+)\]=x\[\1\];")
MOST = 20_000  # nodes of a graph whose page has sliders
_TOLD = re.compile("\x01([^\x02]*)\x02([^\x03]*)\x03")  # `readable` keeps such characters out of the user's texts


class Number(float):
    """A number with its position in the list, or those of numbers whose sum it is."""

    at: int | list[int]

    def __new__(cls, number: float, at: int | list[int]) -> Number:
        made = super().__new__(cls, number)
        made.at = at
        return made


def position(number: float | None) -> int | list[int] | None:
    """Return where the page computes a number; None if it never changes."""
    return number.at if isinstance(number, Number) else None


def told(number: float, guard: bool = False) -> str:
    """Write a number into a sentence, which `sentence` takes apart; a negative one in parentheses on request."""
    text, at = short(number), position(number)
    text = f"({text})" if guard and text.startswith("-") else text
    return text if at is None else f"\x01{text}\x02{at}{' guard' * guard}\x03"


def sentence(text: str) -> tuple[str, list[list[int]]]:
    """Return a sentence, and for each number in it the place, as JavaScript counts, and the position."""
    plain, places, end = "", [], 0
    for found in _TOLD.finditer(text):
        plain += text[end : found.start()]
        first = utf16(plain)
        plain, end = plain + found[1], found.end()
        at, *guard = found[2].split()
        places.append([first, utf16(plain), int(at), len(guard)])
    return plain + text[end:], places


def worded(text: str) -> dict[str, Any]:
    """Return a sentence for the script of a page."""
    plain, numbers = sentence(text)
    return {"words": plain, "told": numbers} if numbers else {"words": plain}


class Positions:
    """Where each number of a trace is in the list of the page.

    Registers come first, then for each edge what it hands on, the sum before and the sum after it, then the gradient of
    each node, then derivatives of whole calls.
    """

    def __init__(self, journal: Journal) -> None:
        self.seed, self._value = journal.seed, journal.value
        self.root, self.graph = journal.root, GraphTape(journal.root)
        self.numbers = journal.numbers
        edges = [(node, edge) for node, turn in self.graph.turns.items() for edge in turn]
        self.edges = {(node, edge.place): number for number, (node, edge) in enumerate(edges)}
        self.locals = {(node, edge.place): edge.local for node, edge in edges}
        self.registers, count = len(self.graph.tape), len(edges)
        self.products, self.before, self.after, self.adjoints = [self.registers + count * i for i in range(4)]
        self.slopes: dict[tuple[Call, Value, Value], int] = {}
        self.parts: dict[tuple[Call, Value], tuple[list[list[int]], list[int]]] = {}  # of calls, by their outputs
        self.recorded = {node: [i for i, partial in enumerate(node.partials) if partial is not ZERO]
                         for node in self.numbers}  # fmt: skip

    def slope(self, call: Call, output: Value, by: Value) -> int:
        """Return where the derivative of an output of a call by an input will be."""
        key = call, output
        inputs, _ = self.parts.setdefault(key, ([], [*map(self.numbers.__getitem__, call.nodes)]))
        known = self.slopes.setdefault((*key, by), len(self.slopes))
        at = self.adjoints + len(self.numbers) + known
        if known == len(self.slopes) - 1 and [self.numbers[by], at] not in inputs:
            inputs.append([self.numbers[by], at])
        return at

    def adjoint(self, node: Value) -> int:
        """Return where the gradient of a node is."""
        return self.adjoints + self.numbers[node]

    def edge_of(self, journal: Journal, step: int) -> int:
        """Return the number of the edge of a contribution."""
        turn = journal.turn(step)
        node = journal.turn_at(step)
        return self.edges[node, self.recorded[node][step - turn[0]]]

    def fault(self, journal: Journal) -> str:
        """Return why the graph does not give the recorded numbers; "" if it does."""
        leaves = [float(journal.value(leaf)) for leaf in self.graph.leaves]
        found = [number for _, number in Program(self.graph.tape).steps(leaves)]
        for node, register in self.graph.values.items():
            if repr(float(found[register])) != repr(float(journal.value(node))):
                return "The graph cannot be computed again with other numbers, because its numbers were written since."
        lost = [node for node, places in self.recorded.items() for place in places if (node, place) not in self.edges]
        return f"The operation {lost[0].op!r} cannot be computed with other numbers." if lost else ""

    def data(self, called: Any) -> dict[str, Any]:
        """Return what the script computes with."""
        number, graph = self.numbers, self.graph
        turns = [[number[node], *[x for edge in turn for x in (number[edge.operand], edge.local)]]
                 for node, turn in graph.turns.items()]  # fmt: skip
        states = [e.state for turn in graph.turns.values() for e in turn]
        texts = [*dict.fromkeys(_decided(decision) for decision, _ in graph.decisions)]
        choices = [[at, int(known.answer), called(node) + _where(known)] for node, known, at in graph.choices]
        place = {node: i for i, node in enumerate(graph.turns)}
        usual = [place[node] for node in reversed(topological_order(self.root)) if self.recorded[node]]
        known = {self.edges[node, i] for node, places in self.recorded.items() for i in places}
        return {
            "root": number[self.root],
            "seed": repr(self.seed),
            "leaves": _listed([(number[x], called(x), repr(float(self._value(x)))) for x in graph.leaves]),
            "positions": [self.registers, len(self.edges), len(number), len(self.slopes)],
            "values": [graph.values[node] for node in number],
            "turns": turns,
            "states": {edge: state for edge, state in enumerate(states) if state is not None},
            "usual": usual,
            "hidden": [edge for edge in self.edges.values() if edge not in known],
            "parts": [[number[output], inputs, nodes] for (_, output), (inputs, nodes) in self.parts.items()],
            "choices": choices,
            "decisions": [[at, int(known.answer), texts.index(_decided(known))] for known, at in graph.decisions],
            "texts": texts,
        }  # fmt: skip


def _listed(leaves: Sequence[tuple[int, str, str]]) -> list[list[Any]]:
    """Return leaves, each with how much of its name it shares with the one before, because there may be thousands."""
    found, before = [], ""
    for node, name, number in leaves:
        pairs = enumerate(zip(before, name, strict=False))
        shared = next((i for i, (a, b) in pairs if a != b), min(len(before), len(name)))
        found.append([node, shared, name[shared:], number])
        before = name
    return found


def _where(decision: Decision) -> str:
    return f" (line {decision.site.line})" if decision.site is not None else ""


def _decided(decision: Decision) -> str:
    """Return what to say where a decision would change."""
    site = decision.site
    if decision.is_derivative:
        return f"A derivative{_where(decision)} was recorded for other numbers, so others may be wrong."
    if site is not None and decision.is_of_program:
        text = f": {elided(readable(site.expression))}" if site.expression else ""
        switched = f"Your program would take the other branch at line {site.line}{text}."
        return f"{switched} The numbers are those of the recorded path."
    name = "" if site is None else site.function.removeprefix("stable_").removeprefix("_")
    name = name if name in functions.__all__ else "A function"
    return f"{name} was recorded in a form for other numbers: digits may be lost, and large numbers overflow."


class LiveJournal(Journal):
    """A journal whose numbers know their positions."""

    def __init__(self, journal: Journal, positions: Positions) -> None:
        vars(self).update(vars(journal))
        self._positions = positions

    def value(self, node: Value) -> float:
        return Number(super().value(node), self._positions.graph.values[node])

    def gradient(self, node: Value, at: int) -> float | None:
        found, positions = super().gradient(node, at), self._positions
        if found is None:
            return None
        arrivals = self._arrivals[node]
        last = self.start + arrivals[bisect_right(arrivals, at + 1 - self.start) - 1]
        if last == at + 1:
            return Number(found, positions.before + self._edge(last))
        is_final = at == len(self) - 1 or last == self.start
        return Number(found, positions.adjoint(node) if is_final else positions.after + self._edge(last))

    def __getitem__(self, index: int) -> Step:
        step, positions = super().__getitem__(index), self._positions
        if step.phase == FORWARD:
            return replace(step, total=self.value(step.node))
        if step.phase != BACKWARD:
            return step
        assert step.upstream is not None
        assert step.local is not None
        assert step.contribution is not None
        edge = self._edge(step.index)
        place = positions.recorded[step.node][step.index - self.turn(step.index)[0]]
        return replace(
            step,
            upstream=Number(step.upstream, positions.adjoint(step.node)),
            local=Number(step.local, positions.locals[step.node, place]),
            contribution=Number(step.contribution, positions.products + edge),
            total=Number(step.total, positions.after + edge),
        )

    def _edge(self, index: int) -> int:
        return self._positions.edge_of(self, index)


class LiveCall(Call):
    """A call whose derivatives know their positions."""

    def __init__(self, call: Call, positions: Positions) -> None:
        self.nodes, self.fold, self.scope, self._positions = call.nodes, call.fold, call.scope, positions

    def slope(self, output: Value, by: Value) -> float | None:
        found = super().slope(output, by)
        return None if found is None else Number(found, self._positions.slope(self, output, by))


def enliven(trace: Trace, with_calls: bool) -> tuple[Trace, Positions | None, str]:
    """Return a trace whose numbers know their positions, and these; or the trace, None and the reason."""
    journal = trace.journal
    if len(journal.order) > MOST:
        return trace, None, f"A graph of more than {MOST:,} nodes has no sliders."
    if journal.changes:
        return trace, None, "There are no sliders, because a gradient was set by hand."
    if not any(node.op is None for node in journal.order):
        return trace, None, ""
    try:
        positions = Positions(journal)
        fault = positions.fault(journal)
    except AutogradError as error:
        fault = str(error).partition("\n")[0]
    except Exception as error:  # a rule of the user's is made for floats, and may raise anything
        fault = f"An operation takes recorded numbers only ({type(error).__name__}: {error})."
    if fault:
        return trace, None, f"There are no sliders. {fault}"
    live = copy(trace)
    live.journal = LiveJournal(journal, positions)
    if with_calls:
        live._calls = {scope: LiveCall(call, positions) for scope, call in trace.calls.items()}
    live._rules, live._walk = (trace.root, []), None
    return live, positions, ""


def script(positions: Positions) -> str:
    """Return the function of all leaves that computes the registers, with few spaces, as it can be long."""
    graph = positions.graph
    assert all(op == INPUT for op, _, _ in graph.tape.instructions[: len(graph.leaves)])  # so they are copied at once
    text = _SPACES.sub(r"\1", source(graph.tape, "compute"))
    lines = [line for line in text.split("\n") if not _INPUT.fullmatch(line)]
    head = next(i for i, line in enumerate(lines) if "new Float64Array" in line)
    lines.insert(head + 1, "r.set(x);")
    return "\n".join(['"use strict";', *lines]).replace("\n    return r;", "\nreturn r;")
