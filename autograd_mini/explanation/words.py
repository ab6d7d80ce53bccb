"""The names of a graph's parts in explanations, with the numbers that were recorded.

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

SHOWN = 6  # a longer list shows this many of its first and of its last things


def ends(things: tuple[Any, ...]) -> list[Any]:
    """Return all of a few things, or the first and the last of many."""
    return list(things) if len(things) <= 2 * SHOWN else [*things[:SHOWN], *things[-SHOWN:]]


def short(number: float) -> str:
    """Return a number in six digits, or in all if six would make a non-integer look whole."""
    return written(number, 6, faithful=True)


def slope_text(partial: Any) -> str:
    return "none (no connection: nothing flows there)" if partial is ZERO else short(partial)


def at(node: Value) -> str:
    """Return the place of a node, such as " (model.py:12: x * x)"; "" if it is not known."""
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
        """Return the number of an operand, which is a constant or a node."""
        return operand if type(operand) is float else self.recorded.value(operand)

    def name(self, node: Value) -> str:
        """Return the user's name for a node; "" if there is none."""
        return self.names.name(node) if node in self.names.number else node.name or ""

    def called(self, node: Value) -> str:
        """Return an operation with its numbers, such as "log(0)" or "0 / 3"; a leaf by its name."""
        if node.op is None:
            number, remark = short(self.number(node)), self.recorded.remark(node)
            text = f"{name} = {number}" if (name := self.name(node)) else f"the input {number}"
            return f"{text}, {remark}," if remark else text
        spelled = spelling(node)
        return spelled.text([short(self.number(x)) for x in spelled.operands], PYTHON, most=4)

    def call(self, name: str, inputs: Iterable[Value]) -> str:
        """Return a call of a composition with its arguments, such as "tanh(0.5)"."""
        numbers = [short(self.number(x)) for x in inputs]
        return f"{name}({', '.join(numbers[:3])}{', ...' * (len(numbers) > 3)})"

    def label(self, node: Value) -> str:
        """Return what to call a node whose gradient is explained."""
        number = short(self.number(node))
        return self.name(node) or (f"{self.called(node)}{at(node)}" if node.op else f"the input {number}")

    def seen(self, node: Value, text: str = "") -> str:
        """Describe a node with its number and place; `text` replaces its operation."""
        result = f" = {short(node.data)}" if node.op else ""
        return f"{text or self.called(node)}{result}{at(node)}"
