"""What to do about a gradient: write a stable form, or try what usually helps.

Not here: the stable forms (`stable`). Read next: `explanation.report`.
"""

from __future__ import annotations

import math

from autograd_mini.core.node import is_relu
from autograd_mini.explanation.causes import Cause, Causes
from autograd_mini.explanation.graph import SHOWN, Link, ends
from autograd_mini.explanation.stable import advise
from autograd_mini.notation.names import call_of


def advice(causes: Causes, cause: Cause, kind: str, path: tuple[Link, ...]) -> str | None:
    """Return one sentence of advice; None if nothing is wrong, or no remedy is known."""
    if cause.code == "never reaches":
        return causes.cut_off() or "Did you use .data, a new Value, or another variable of the same name?"
    if kind in ("ordinary", "unreached") or cause.code in ("stopped", "step"):
        return None
    users = causes.graph.users
    trouble = ends(cause.trouble)
    # A larger form may end above the trouble, closer to the output.
    above = [user for node in trouble for user, _ in users.get(node, ())[:SHOWN]]
    roots = [*trouble, *above, *(user for node in above for user, _ in users[node][:SHOWN])]
    roots += [link.node for link in path[-2 * SHOWN :]]
    found = advise([root for root in dict.fromkeys(roots) if root.op is not None], set(trouble))
    return found or _habit(causes, cause, kind)


def _habit(causes: Causes, cause: Cause, kind: str) -> str | None:
    """Return what usually helps if no single formula is to blame."""
    if cause.code == "dead branch" and is_relu(cause.node):
        remedies = "a smaller learning rate, another initialisation or leaky_relu keeps it alive"
        return f"The unit is off for this input; {remedies}."
    if cause.code == "product of many factors" and kind == "vanishing":
        return "Initialise so that slopes are near 1, add residual connections, or use relu."
    if cause.code == "product of many factors":
        return "Initialise smaller, so that slopes are near 1; clipping the gradient limits the damage."
    call = call_of(cause.node)
    if cause.code == "saturated" and call is not None and call.name in ("sigmoid", "tanh", "softmax"):
        loss = {"sigmoid": "binary_cross_entropy", "softmax": "cross_entropy"}.get(call.name)
        logits = f"; with a loss on top, use one that takes the logits, such as {loss}" if loss else ""
        return f"Scale the inputs of {call.name}, or initialise smaller{logits}."
    for node in cause.trouble:
        numbers = [causes.words.number(x) for x in node.operands]
        low, high = node._row.inside if node._row is not None else (-math.inf, math.inf)
        is_below = low > -math.inf and numbers[0] <= low
        if is_below or (high < math.inf and numbers[0] >= high):  # nan and inf began elsewhere
            inside = f"between {low:g} and {high:g}" if high < math.inf else f"above {low:g}" if low else "positive"
            return f"Keep the argument of {node.op} {inside}: clip it, or use a form that cannot get there."
        if node.op == "div" and numbers[1] == 0.0:
            return "Keep the denominator away from 0: clip it, or use a form that cannot get there."
    return None
