"""Folds: a call of one of this package's compositions, such as tanh or softmax, as a single operation.

Its derivatives are sums over the paths inside, by the same sweep as everywhere; the closed form is stored text.
Not here: which calls a picture shows folded (`boxes`). Read next: `drawing.units`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autograd_mini import functions
from autograd_mini.core.row import ZERO
from autograd_mini.engine import Value, is_node
from autograd_mini.explanation.graph import slopes_by
from autograd_mini.notation.local_rules import ClosedForm, closed_form
from autograd_mini.notation.names import call_of
from autograd_mini.program.stack import Scope

_INDEXED = ("softmax", "log_softmax", "logsumexp")  # of a list; their closed forms need no further numbers


@dataclass(frozen=True, eq=False)
class Fold:
    """A call: what goes in, what comes out, and the derivative of each output by each input."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    partials: dict[tuple[Value, Value], Any]  # by input and output; `ZERO` where no path leads from one to the other

    @property
    def closed_form(self) -> ClosedForm | None:
        """The closed form of its derivative; None if none is known, or if the numbers are not those of the function."""
        normalised = True
        if closed_form(self.name) is None:
            return None
        if self.name == "cross_entropy":
            slopes = [self.partials[x, self.outputs[0]] for x in self.inputs]
            slopes = [0.0 if slope is ZERO else float(slope) for slope in slopes]
            shares = functions.softmax([x.data for x in self.inputs])
            targets = [share - slope for share, slope in zip(shares, slopes, strict=True)]
            normalised = all(min(abs(t), abs(t - 1.0)) < 1e-9 for t in targets) and abs(math.fsum(targets) - 1.0) < 1e-9
        elif not self._is_of_package():
            return None
        return closed_form(self.name, normalised)

    def _is_of_package(self) -> bool:
        """Whether this package's function of that name gives the same results: a user's function may share the name."""
        numbers = [x.data for x in self.inputs]
        function: Callable[..., Any] = getattr(functions, self.name)
        try:
            again = function(numbers) if self.name in _INDEXED else function(*numbers)
        except Exception:  # it takes more than these operands, such as a target
            return any(x.origin is not None for x in self.outputs)
        results = again if isinstance(again, (list, tuple)) else [again]
        return set(map(repr, results)) >= {repr(output.data) for output in self.outputs}


def call(node: Value) -> Scope | None:
    """Return the user's call of a composition that a node is part of, or of relu, which is recorded directly."""
    found, scope = call_of(node), node.scope
    return scope if found is None and scope is not None and scope.name == "relu" and node.op else found


def fold(name: str, nodes: Sequence[Value], outputs: Sequence[Value]) -> Fold:
    """Return the fold of the nodes of a call, operands before results."""
    inside = set(nodes)
    inputs = tuple(dict.fromkeys([x for node in nodes for x in node.operands if is_node(x) and x not in inside]))
    partials: dict[tuple[Value, Value], Any] = {}
    for output in outputs:
        partials |= {(x, output): slope for x, slope in slopes_by(output, inputs).items()}
    return Fold(name, inputs, tuple(outputs), partials)
