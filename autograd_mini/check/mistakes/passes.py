"""Mistakes in a whole backward pass: that of a recorded function, with one thing done wrong in it.

A call of a composition, such as tanh, is one step. Not here: mistakes in a formula (`mistakes`).
Read next: `check.mistakes.diagnosis`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from autograd_mini.check.mistakes.formulas import RIGHT, function_of
from autograd_mini.check.mistakes.rows import Case, Mistake, Numbers
from autograd_mini.check.mistakes.sweeps import EARLY, TERMS, Edge, Edges, Sum, gradients
from autograd_mini.check.tasks import TASK_NAMES, flat, task_named
from autograd_mini.core.ieee import divide
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import propagate, topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.explanation.graph import inputs_of
from autograd_mini.explanation.words import at
from autograd_mini.notation.names import call_of
from autograd_mini.transforms import trees
from autograd_mini.watch.origins import provenance

_MOST = 300  # steps of a function; each gives several rows, and each row a sweep


@dataclass(frozen=True, eq=False)
class Pass:
    """The steps of a function at a point, as edges from results to operands, and the places of its inputs."""

    nodes: tuple[Any, ...]  # operands before results
    edges: tuple[list[Edge], ...]
    leaves: tuple[int | None, ...]  # None for an input that nothing depends on
    calls: frozenset[int]  # the nodes that are calls of compositions

    def gradient(self, edges: Edges | None = None, **ways: Any) -> Numbers:
        """Return the gradient by the inputs, with other edges or ways of `gradients`."""
        found = gradients(self.edges if edges is None else edges, **ways)
        return [0.0 if leaf is None else found[leaf] for leaf in self.leaves]

    def changed(self, change: Callable[[int, Edge], float]) -> Numbers:
        """Return the gradient with other local derivatives: a function of a node and an edge."""
        return self.gradient([[e._replace(local=change(k, e)) for e in pairs] for k, pairs in enumerate(self.edges)])


def recorded(case: Case) -> Pass | None:
    """Return the backward pass of a case; None if its function does not record, or returns several numbers."""
    leaves = tuple(map(Value, case.xs))
    try:
        with provenance():
            root = case.task.function(trees.rebuilt(case.point[0], iter(leaves)), *case.point[1:])
    except Exception:  # a function of floats alone
        return None
    if not is_node(root):
        return None
    order = [*topological_order(root)]
    users: dict[Any, list[Any]] = {}
    for node in order:
        for operand in node.operands:
            users.setdefault(operand, []).append(node)
    steps: dict[Any, list[tuple[Any, float]]] = {}
    calls, inside = {}, set()
    for node in reversed(order):
        call = call_of(node)
        inputs = [] if call is None or node in inside else inputs_of(node, call)
        if call is not None and len(inputs) == 1 and all(call_of(user) is not call for user in users.get(node, ())):
            adjoints = topological_order(node, leaves=inputs)
            inside |= set(adjoints) - set(inputs)
            propagate(node, 1.0, adjoints, leaves=inputs)
            steps[node], calls[node] = [(x, adjoints[x]) for x in inputs if adjoints[x] is not ZERO], call.name
        elif node not in inside:
            pairs = zip(node.operands, node.partials, strict=True) if node.op is not None else ()
            steps[node] = [(x, float(partial)) for x, partial in pairs if is_node(x) and partial is not ZERO]
    nodes = tuple(reversed(steps))
    places = {node: k for k, node in enumerate(nodes)}
    edges = tuple([
        [Edge(places[x], slope, calls.get(node, str(node.op)), place) for place, (x, slope) in enumerate(steps[node])]
        for node in nodes
    ])  # fmt: skip
    found = Pass(nodes, edges, tuple(map(places.get, leaves)), frozenset(places[node] for node in calls))
    return found if len(nodes) <= _MOST else None


Wrong = Callable[[Pass], Numbers]
Row = Callable[[str, str, str, Wrong], Mistake]


def mistakes_in_passes(cases: Sequence[Case]) -> Iterator[Mistake]:
    """Yield the rows for the backward pass of a user's function that returns one number."""
    if cases[0].task.name in TASK_NAMES or len(cases[0].values) != 1:
        return
    pass_of = functools.cache(recorded)
    if (first := pass_of(cases[0])) is None:
        return

    def row(name: str, sentence: str, correction: str, wrong: Wrong) -> Mistake:
        def apply(case: Case) -> Numbers | None:
            found = pass_of(case)
            return wrong(found) if found is not None and _shape(found) == _shape(first) else None

        return Mistake(name, sentence, correction, apply)

    names = dict.fromkeys(edge.op for k in sorted(first.calls, reverse=True) for edge in first.edges[k])
    for name in names:
        yield from _of_calls(first, name, row)
    for kind, kept in (("=", "last"), ("first", "first")):
        yield row("assigned", f"= instead of +=: of several contributions to a gradient only the {kept} one is kept.",
                  "Add every contribution: x.grad += ...", partial(Pass.gradient, sums=Sum(kind)))  # fmt: skip
    for (mistake, walk), mirrored in [(way, mirrored) for way in EARLY for mirrored in (False, True)]:
        if mistake is not None:
            yield row(mistake.name, mistake.sentence, mistake.correction,
                      partial(Pass.gradient, walk=walk, mirrored=mirrored))  # fmt: skip
    steps = [k for k in reversed(range(len(first.nodes))) if first.edges[k]]
    for k in steps[1:] if cases[0].is_number else ():
        what = f"{first.edges[k][0].op}{at(first.nodes[k])}"
        yield row("inner-derivative", f"The chain rule stops at {what}: the inner derivative is missing.",
                  "Multiply by the derivative of what is inside.",
                  partial(lambda k, found: [gradients(found.edges)[k]], k))  # fmt: skip
    for k in steps:
        for edge in first.edges[k]:
            yield from _of_an_edge(first, k, edge, row)


def _shape(found: Pass) -> list[tuple[str, int]]:
    return [(edge.op, edge.operand) for pairs in found.edges for edge in pairs]


# fmt: off
def _of_calls(first: Pass, name: str, row: Row) -> Iterator[Mistake]:
    """Yield what goes wrong with the derivative of an activation: for all its calls, then for one."""
    calls = [k for k in sorted(first.calls, reverse=True) if first.edges[k] and first.edges[k][0].op == name]
    write = f"Multiply by the derivative of {name} at its input."

    def at_calls(slope: Callable[[Pass, int, Edge], float], chosen: Sequence[int] = calls) -> Wrong:
        return lambda found: found.changed(lambda k, edge: slope(found, k, edge) if k in chosen else edge.local)

    yield row("inner-derivative", f"The derivative of {name} is missing at every call.", write,
              at_calls(lambda found, k, edge: 1.0))
    for k in calls if len(calls) > 1 else ():
        yield row("inner-derivative", f"The derivative of {name} is missing at one call{at(first.nodes[k])}.", write,
                  at_calls(lambda found, k, edge: 1.0, [k]))
    if name in TASK_NAMES:
        task = task_named(name)
        yield row("input-form", f"The derivative of {name} is taken at its output.", "Take it at the input.",
                  at_calls(lambda found, k, edge: flat(task.derivative((found.nodes[k].data,)))[0]))
    if name in RIGHT and RIGHT[name].by_output:
        form = function_of(RIGHT[name].by_output)
        yield row("output-form", f"The derivative of {name}, {RIGHT[name].by_output}, is right for its output a; "
                  "here a is the input.", f"Use a = {name}(z).",
                  at_calls(lambda found, k, edge: form(0.0, found.nodes[edge.operand].data)))
    for by in (1, -1) if len(calls) > 1 else ():
        other = dict(zip(calls, calls[by:] + calls[:by], strict=True))
        yield row("wrong-layer", f"The derivative of {name} is that of another layer or element.", "Check the index.",
                  at_calls(partial(lambda other, found, k, edge: found.edges[other[k]][0].local, other)))


def _of_an_edge(first: Pass, k: int, edge: Edge, row: Row) -> Iterator[Mistake]:
    """Yield what goes wrong with one term of the chain rule."""
    where = f"{edge.op}{at(first.nodes[k])}, operand {edge.place + 1}"

    def at_edge(change: Callable[[Pass, Edge], float]) -> Wrong:
        return lambda found: found.changed(
            lambda n, e: change(found, e) if (n, e.place) == (k, edge.place) else e.local)

    for name, said, correction, change in TERMS:
        if name != "inner-derivative" or (k not in first.calls and edge.local != 1.0):
            yield row(name, f"The term of the chain rule through {where} is wrong: {said}.", correction,
                      at_edge(partial(lambda change, found, e: change(e.local), change)))
    if edge.op == "pow" and edge.place == 0:
        write = "d(x**n)/dx is n * x**(n - 1)."
        yield row("power-rule", f"The exponent is not lowered by 1: {where}.", write,
                  at_edge(lambda found, e: e.local * found.nodes[e.operand].data))
        yield row("power-rule", f"The exponent is lowered by 2: {where}.", write,
                  at_edge(lambda found, e: divide(e.local, found.nodes[e.operand].data)))
    if edge.op == "mul" and len(first.edges[k]) == 2:
        yield row("product-rule", f"The factors of the product rule are swapped: {where}.", "d(u*v)/du is v.",
                  at_edge(lambda found, e: found.edges[k][1 - e.place].local))
