"""What the parts of a graph are called in explanations, with the numbers that they were recorded with.

Not here: what is wrong with them. Read next: `explanation.graph`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from autograd_mini.core.row import ZERO
from autograd_mini.engine import Value
from autograd_mini.notation.names import Names
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.notation.spelling import PYTHON, spelling
from autograd_mini.notation.text import number as written
from autograd_mini.program.source import Site, cell, located
from autograd_mini.watch.origins import place_of

SHOWN = 6  # of a longer list, a text has this many of the first things and of the last


def ends(things: tuple[Any, ...]) -> list[Any]:
    """All of a few things, the first and the last of many."""
    return list(things) if len(things) <= 2 * SHOWN else [*things[:SHOWN], *things[-SHOWN:]]


def short(number: float) -> str:
    """A number in six digits, or in all where those would make a non-integer look whole."""
    return written(number, 6, faithful=True)


def slope_text(partial: Any) -> str:
    return "none (no connection: nothing flows there)" if partial is ZERO else short(partial)


def at(node: Value) -> str:
    """The place of a node: " (model.py:12: x * x)", or nothing where it is not known."""
    return at_site(place_of(node) if node.op is not None else None)


def at_site(site: Site | None) -> str:
    if site is None:
        return ""
    file = site.file if cell(site.file) else os.path.basename(site.file)
    return f" ({located(file, site.line)}: {site.expression})"


class Words:
    """The names of the nodes of a graph, and the numbers of its leaves when it was recorded."""

    def __init__(self, names: Names, recorded: Snapshot) -> None:
        self.names, self.recorded = names, recorded

    def number(self, operand: Any) -> float:
        """The number of an operand: a constant, or a node."""
        return operand if type(operand) is float else self.recorded.value(operand)

    def name(self, node: Value) -> str:
        """What the user calls a node; "" where that is not known."""
        return self.names.name(node) if node in self.names.number else node.name or ""

    def called(self, node: Value) -> str:
        """An operation with its numbers: "log(0)", "0 / 3"; a leaf by its name."""
        if node.op is None:
            number, remark = short(self.number(node)), self.recorded.remark(node)
            text = f"{name} = {number}" if (name := self.name(node)) else f"the input {number}"
            return f"{text}, {remark}," if remark else text
        spelled = spelling(node)
        return spelled.text([short(self.number(x)) for x in spelled.operands], PYTHON, most=4)

    def call(self, name: str, inputs: Iterable[Value]) -> str:
        """A call of a composition with what it was called with: "tanh(0.5)"."""
        numbers = [short(self.number(x)) for x in inputs]
        return f"{name}({', '.join(numbers[:3])}{', ...' * (len(numbers) > 3)})"

    def label(self, node: Value) -> str:
        """What a node whose gradient is explained is called."""
        number = short(self.number(node))
        return self.name(node) or (f"{self.called(node)}{at(node)}" if node.op else f"the input {number}")

    def seen(self, node: Value, text: str = "") -> str:
        """A node, its number and its place; with another text for its operation."""
        result = f" = {short(node.data)}" if node.op else ""
        return f"{text or self.called(node)}{result}{at(node)}"
