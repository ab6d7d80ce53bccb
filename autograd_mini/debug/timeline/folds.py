"""The calls of compositions in a graph, such as tanh and softmax or the user's own, each as a single operation.

Their derivatives and closed forms come from `drawing.folds`, which pictures share. Not here: stepping over a call
(`travel`). Read next: `debug.timeline.paths`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from autograd_mini import functions
from autograd_mini.core.row import ZERO
from autograd_mini.core.table import ndtr
from autograd_mini.debug.timeline.journal import edges
from autograd_mini.drawing.folds import fold
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.local_rules import ClosedForm
from autograd_mini.notation.names import call_of, users_of
from autograd_mini.notation.text import number
from autograd_mini.program.stack import Scope, outwards

_CLOSE = 1e-6  # relative: how near a closed form must come to the derivative, if its numbers are shown


class Call:
    """A call of a composition."""

    def __init__(self, nodes: Sequence[Value], outputs: Sequence[Value], scope: Scope) -> None:
        self.nodes, self.scope = nodes, scope  # those inside, operands before results; where they were made
        self.fold = fold(scope.name, nodes, outputs)  # what goes in and comes out, with the derivatives of the whole

    @property
    def name(self) -> str:
        """The composition."""
        return self.fold.name

    def slope(self, output: Value, by: Value) -> float | None:
        """Return the derivative of an output by an input; None if no path leads there."""
        found = self.fold.partials[by, output]
        return None if found is ZERO else float(found)

    def form(self) -> ClosedForm | None:
        """Return the closed form of its derivative, if one is known and holds here."""
        return self.fold.closed_form

    def numbered(self, output: Value, by: Value, value: Callable[[Value], float]) -> str:
        """Return the closed form with its numbers; "" where a letter's number is not known, or it does not fit."""
        form, slope = self.form(), self.slope(output, by)
        if form is None or slope is None or not math.isfinite(slope):
            return ""
        letters = self._letters(slope, output, by, value)
        if not {*form.letters} <= letters.keys():
            return ""
        found = form.value(**{letter: letters[letter] for letter in form.letters})
        return form.numbered(letters) if abs(found - slope) <= _CLOSE * max(abs(slope), 1e-12) else ""

    def _letters(self, slope: float, output: Value, by: Value, value: Callable[[Value], float]) -> dict[str, float]:
        numbers = [value(x) for x in self.fold.inputs]
        if len(numbers) == 1:
            (x,) = numbers
            density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) if abs(x) < 1e100 else 0.0
            return {"x": x, "o": value(output), "a": functions.sigmoid(x), "Φ": ndtr(x), "φ": density}
        if self.name not in ("softmax", "log_softmax", "logsumexp", "cross_entropy"):
            return {}
        a_j = functions.softmax(numbers)[self.fold.inputs.index(by)]
        letters = {"a_j": a_j, "a_i": value(output)}
        if self.name == "cross_entropy":  # the form holds, so this is the target
            return {**letters, "t_j": round(a_j - slope, 12)}
        is_own = slope > 0.0 if self.name == "softmax" else slope > -a_j + 0.5
        return {**letters, "δ_ij": 1.0 if is_own else 0.0}

    def text(self, output: Value, by: Value, value: Callable[[Value], float]) -> str:
        """Return the derivative of an output by an input: closed form, its numbers, and the result."""
        form, slope = self.form(), self.slope(output, by)
        parts = [form.text if form is not None else "", self.numbered(output, by, value), number(slope or 0.0)]
        return " = ".join(dict.fromkeys(filter(None, parts)))


def calls_in(order: Sequence[Value]) -> dict[Scope, Call]:
    """Return the calls of this package's compositions, by their scopes, in the order of their first nodes."""
    return _called(order, lambda node: filter(None, [call_of(node)]))


def scopes_in(order: Sequence[Value]) -> dict[Scope, Call]:
    """Return the user's own scopes and composites in a graph as calls, without one that holds everything."""

    def around(node: Value) -> Iterable[Scope]:
        call = call_of(node)
        return outwards(node.scope if call is None else call.parent)

    whole = sum(node.op is not None for node in order)
    return {scope: call for scope, call in _called(order, around).items() if len(call.nodes) < whole}


def _called(order: Sequence[Value], around: Callable[[Value], Iterable[Scope]]) -> dict[Scope, Call]:
    """Return what is inside the scopes around each node as calls."""
    inside: dict[Scope, list[Value]] = {}
    for node in order:
        for scope in around(node) if node.op is not None else ():
            inside.setdefault(scope, []).append(node)
    users = users_of(order) if inside else {}
    found = {}
    for scope, nodes in inside.items():
        own = {*nodes}
        outputs = [node for node in nodes if node is order[-1] or any(x not in own for x in users.get(node, ()))]
        if len(nodes) > 1:
            found[scope] = Call(nodes, outputs, scope)
    return found


def folded_edges(calls: Mapping[Scope, Call]) -> Callable[[Value], Iterable[tuple[Value, float]]]:
    """Return the edges of a graph in which each call is a single operation."""
    whole = {output: call for call in calls.values() for output in call.fold.outputs}

    def found(node: Value) -> Iterable[tuple[Value, float]]:
        call = whole.get(node)
        if call is None:
            return edges(node)
        slopes = [(x, call.slope(node, x)) for x in call.fold.inputs]
        return [(x, slope) for x, slope in slopes if slope is not None and is_node(x)]

    return found
