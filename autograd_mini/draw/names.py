"""What a node is called: by its name, by the variable it was assigned to, or by its source.

Not here: how the picture writes it (that is `picture`). Read next: `picture`.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_mini.draw.parts import outwards
from autograd_mini.engine import Value, is_node
from autograd_mini.observers import is_of_package
from autograd_mini.scopes import Scope
from autograd_mini.variables import variable


class Names:
    """What the nodes of a graph are called.

    Args:
        order: all of them, operands before results.
    """

    def __init__(self, order: Sequence[Value]) -> None:
        known = [node for node in order if node.origin]
        # Expressions that made nodes from one another, as sum(xs) does: of these only the last can be called by it.
        steps = [
            (site, operand)
            for node in known
            if (site := made_at(node))
            for operand in node.operands
            if is_node(operand) and made_at(operand) == site
        ]
        self._manifold = {site for site, _ in steps}
        self._passed_on = {operand for _, operand in steps}
        self._results = _results(order) if known else {}

    def name(self, node: Value) -> str:
        """The name the user gave, or that of the variable."""
        if node.name:
            return node.name
        if not node.origin or node in self._passed_on or (node.op is None and is_of_package(node.origin)):
            return ""
        return variable(node.origin) or self._results.get(node, "")

    def own_name(self, node: Value) -> str:
        """The same, but not a variable inside of this package: what the user's program can call it."""
        if node.name or not node.origin or not is_of_package(node.origin):
            return self.name(node)
        return self._results.get(node, "") if node not in self._passed_on else ""

    def source(self, node: Value) -> str:
        """The expression that made it, "" if that is not known."""
        return node.origin.expression if node.origin and node.op else ""

    def is_step(self, node: Value) -> bool:
        """Whether a node is one of several that its expression made from one another."""
        return made_at(node) in self._manifold


def _results(order: Sequence[Value]) -> dict[Value, str]:
    """The variables to which calls of functions are assigned, by the only node that leaves the function's scope."""
    leaving: dict[Scope, set[Value]] = {}
    for node in order:
        elsewhere = [x for x in node.operands if is_node(x) and x.origin and x.scope is not node.scope]
        around = set(outwards(node.scope)) if elsewhere else ()
        for x in elsewhere:
            for scope in outwards(x.scope):
                if scope in around:
                    break
                leaving.setdefault(scope, set()).add(x)
    for scope in outwards(order[-1].scope):
        leaving.setdefault(scope, set()).add(order[-1])
    return {
        node: variable(scope.site)
        for scope, nodes in leaving.items()
        if scope.site and len(nodes) == 1
        for node in nodes
    }


def made_at(node: Value) -> tuple[int, int] | None:
    """Where in the program a node was made."""
    origin = node.origin
    return (id(origin.code), origin.instruction) if origin else None
