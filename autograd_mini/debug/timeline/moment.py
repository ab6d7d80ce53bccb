"""What names in conditions mean at a moment: words about the step, and the nodes of the graph.

Not here: the language they stand in (that is `conditions`). Read next: `travel`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from autograd_mini.debug.timeline.conditions import Condition
from autograd_mini.debug.timeline.journal import Journal, Step
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.text import number
from autograd_mini.program.source import Site

WORDS = {
    "index": "the number of the step", "phase": '"forward", "seed" or "backward"',
    "node": "the node that is computed, or hands on its gradient", "operand": "the node that receives",
    "upstream": "what arrived at the node", "local": "the local derivative", "contribution": "upstream times local",
    "total": "what it led to", "value": "the number of the node", "grad": "the gradient of the node",
    "op": "the operation of the node", "scope": "its scope, as in Layer0/Neuron1", "line": "its line",
}  # fmt: skip
_BRACES = re.compile(r"\{([^{}]*)\}")


class _Trace(Protocol):
    journal: Journal
    called: dict[str, list[Value]]
    variables: dict[str, Any]

    def nodes(self, name: str) -> list[Value]: ...
    def label(self, node: Value) -> str: ...
    def place(self, node: Value) -> Site | None: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """The names of conditions when a step has just happened: nodes, words about the step, variables of the program.

    Where the program has a name that is a word, it means what it means there; `step.total` is the word all the same.
    """

    trace: _Trace
    step: Step

    def find(self, name: str) -> Any:
        """What a name means now.

        Raises:
            ArgumentError: nothing, or several nodes.
        """
        word = name.removeprefix("step.")
        if name not in self.trace.called:
            if name == "step":
                return self.step.node
            if word in ("value", "grad", "op", "scope", "line"):
                return self.attribute(self.step.node, word)
            if word in WORDS:
                found = getattr(self.step, word)
                return float(found) if type(found) is int else found
            if name in self.trace.variables:
                return self.trace.variables[name]
        nodes = self.trace.nodes(name)
        if len(nodes) > 1:
            names = [self.trace.label(node) for node in nodes]
            raise ArgumentError(f"{len(nodes)} nodes are called {name}.", f"Write one of {', '.join(names[:8])}.")
        return nodes[0]

    def attribute(self, node: Value, name: str) -> Any:
        """An attribute of a node now."""
        match name:
            case "data" | "value":
                return self.trace.journal.value(node)
            case "grad":
                return self.trace.journal.gradient(node, self.step.index)
            case "op":
                return node.op
            case "name":
                return self.trace.label(node)
            case "scope":
                return "/".join(node.scope.path) if node.scope is not None else ""
            case "number":
                return float(self.trace.journal.number(node))
            case _:
                place = self.trace.place(node)
                return float(place.line) if place is not None else None

    @staticmethod
    def pieces(message: str) -> list[str | Condition]:
        """A message with its expressions read; texts and expressions take turns.

        Raises:
            ArgumentError: an expression cannot be read.
        """
        parts: list[str | Condition] = [*_BRACES.split(message)]
        return [Condition(str(part)) if place % 2 else part for place, part in enumerate(parts)]

    def filled(self, message: str) -> str:
        """A message with its expressions computed."""
        return "".join(part if isinstance(part, str) else self.text(part(self)) for part in self.pieces(message))

    def text(self, value: Any) -> str:
        """A value as people read it: of a node its name, number and gradient."""
        if value is None:
            return "not yet"
        if not is_node(value):
            return number(value, 6) if isinstance(value, float) else str(value)
        gradient = self.trace.journal.gradient(value, self.step.index)
        return f"{self.trace.label(value)} = {number(self.trace.journal.value(value), 6)}, grad {self.text(gradient)}"
