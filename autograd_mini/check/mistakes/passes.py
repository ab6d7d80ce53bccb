"""Mistakes in a whole backward pass: the pass of a recorded function, with one thing done wrong.

A call of a composition, such as tanh, is one step. Not here: mistakes in a formula (`rows`).
Read next: `check.mistakes.diagnosis`.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from autograd_mini.check.mistakes.formulas import RIGHT, function_of
from autograd_mini.check.mistakes.rows import Case, Mistake, Numbers
from autograd_mini.check.mistakes.sweeps import EARLY, TERMS, Edge, Edges, Sum, gradients
from autograd_mini.check.tasks import TASK_NAMES, flat, task_named
from autograd_mini.core.ieee import divide, power
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import propagate, topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.explanation.graph import at, inputs_of
from autograd_mini.notation.names import call_of, users_of
from autograd_mini.transforms import trees
from autograd_mini.watch.origins import provenance

_MOST = 300  # steps of a function; each gives several rows, and each row a sweep


@dataclass(frozen=True, eq=False)
class Pass:
    """The steps from one output of a function to its inputs, as edges from results to operands."""

    nodes: tuple[Any, ...]  # operands before results
    edges: tuple[list[Edge], ...]
    leaves: tuple[int | None, ...]  # the inputs; None for one that the output does not depend on
    calls: frozenset[int]  # the nodes that are calls of compositions

    def gradient(self, edges: Edges | None = None, **ways: Any) -> Numbers:
        """Return the gradient by the inputs, with other edges or ways of `gradients`."""
        found = gradients(self.edges if edges is None else edges, **ways)
        return [0.0 if leaf is None else found[leaf] for leaf in self.leaves]

    def changed(self, change: Callable[[int, Edge], float]) -> Numbers:
        """Return the gradient with other local derivatives: a function of a node and an edge."""
        return self.gradient([[e._replace(local=change(k, e)) for e in pairs] for k, pairs in enumerate(self.edges)])

    @cached_property
    def shape(self) -> list[tuple[str, int]]:
        """The operations and where their operands stand: the same for passes whose nodes have the same numbers."""
        return [(edge.op, edge.operand) for pairs in self.edges for edge in pairs]

    @cached_property
    def sites(self) -> list[str]:
        """For each node the operation, with its place in the program; a loop computes several nodes at one place."""
        return [f"{pairs[0].op}{at(node)}" if pairs else "" for node, pairs in zip(self.nodes, self.edges, strict=True)]


def recorded(case: Case) -> list[Pass]:
    """Return the backward passes of a case, one per output; none if its function does not record."""
    leaves = tuple(map(Value, case.xs))
    try:
        with provenance():
            result = case.task.function(trees.rebuilt(case.point[0], iter(leaves)), *case.point[1:])
    except Exception:  # a function of floats alone
        return []
    roots = [root for _, root in trees.numbers(result)]
    passes = [_pass(root, leaves) for root in roots if is_node(root)]
    return passes if len(passes) == len(roots) and sum(len(found.nodes) for found in passes) <= _MOST else []


def _pass(root: Any, leaves: Sequence[Value]) -> Pass:
    order = [*topological_order(root)]
    users = users_of(order)
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
    named = [(calls.get(node, str(node.op)), enumerate(steps[node])) for node in nodes]
    edges = tuple([[Edge(places[x], slope, op, place) for place, (x, slope) in pairs] for op, pairs in named])
    return Pass(nodes, edges, tuple(map(places.get, leaves)), frozenset(places[node] for node in calls))


Wrong = Callable[[Pass], Numbers]
Row = Callable[..., Mistake]  # of name, sentence, correction, its gradient, and whether nodes need the same numbers


def mistakes_in_passes(cases: Sequence[Case]) -> Iterator[Mistake]:
    """Yield the rows for the backward pass of a user's function."""
    if cases[0].task.name in TASK_NAMES:
        return
    passes_of = functools.cache(recorded)
    if not (passes := passes_of(cases[0])):
        return

    def row(name: str, sentence: str, correction: str, wrong: Wrong, is_numbered: bool = False) -> Mistake:
        def apply(case: Case) -> Numbers | None:
            found = passes_of(case)
            if is_numbered and [each.shape for each in found] != [each.shape for each in passes]:
                return None
            return [x for each in found for x in wrong(each)] or None

        return Mistake(name, sentence, correction, apply)

    whole = max(passes, key=lambda each: len(each.nodes))
    names = dict.fromkeys(edge.op for k in sorted(whole.calls, reverse=True) for edge in whole.edges[k])
    for name in names:
        yield from _of_calls(whole, name, row, len(passes) == 1)
    for kind, kept in (("=", "last"), ("first", "first")):
        yield row("assigned", f"= instead of +=: of several contributions to a gradient only the {kept} one is kept.",
                  "Add every contribution: x.grad += ...", partial(Pass.gradient, sums=Sum(kind)))  # fmt: skip
    for (mistake, walk), mirrored in [(way, mirrored) for way in EARLY for mirrored in (False, True)]:
        if mistake is not None:
            yield row(mistake.name, mistake.sentence, mistake.correction,
                      partial(Pass.gradient, walk=walk, mirrored=mirrored))  # fmt: skip
    steps = [k for k in reversed(range(len(whole.nodes))) if whole.edges[k]]
    if cases[0].is_number:
        yield from _of_a_number(whole, steps, row)
    for k in steps:
        for edge in whole.edges[k]:
            yield from _of_an_edge(whole, k, edge, row, len(passes) == 1)


# fmt: off
def _of_calls(first: Pass, name: str, row: Row, is_numbered: bool) -> Iterator[Mistake]:
    """Yield what goes wrong with the derivative of an activation: for all its calls, then for one."""
    calls = [k for k in sorted(first.calls, reverse=True) if first.edges[k] and first.edges[k][0].op == name]
    write = f"Multiply by the derivative of {name} at its input."

    def at_calls(slope: Callable[[Pass, int, Edge], float], chosen: Sequence[int] | None = None) -> Wrong:
        return lambda found: found.changed(
            lambda k, e: slope(found, k, e) if (e.op == name if chosen is None else k in chosen) else e.local)

    yield row("inner-derivative", f"The derivative of {name} is missing at every call.", write,
              at_calls(lambda found, k, edge: 1.0))
    for k in calls if len(calls) > 1 and is_numbered else ():
        yield row("inner-derivative", f"The derivative of {name} is missing at one call{at(first.nodes[k])}.", write,
                  at_calls(lambda found, k, edge: 1.0, [k]), True)
    if name in TASK_NAMES:
        task = task_named(name)
        yield row("input-form", f"The derivative of {name} is taken at its output.", "Take it at the input.",
                  at_calls(lambda found, k, edge: flat(task.derivative((found.nodes[k].data,)))[0]))
    if name in RIGHT and RIGHT[name].by_output:
        form = function_of(RIGHT[name].by_output)
        yield row("output-form", f"The derivative of {name}, {RIGHT[name].by_output}, is right for its output a; "
                  "here a is the input.", f"Use a = {name}(z).",
                  at_calls(lambda found, k, edge: form(0.0, found.nodes[edge.operand].data)))
    for by in (1, -1) if len(calls) > 1 and is_numbered else ():
        other = dict(zip(calls, calls[by:] + calls[:by], strict=True))
        yield row("wrong-layer", f"The derivative of {name} is that of another layer or element.", "Check the index.",
                  at_calls(partial(lambda other, found, k, edge: found.edges[other[k]][0].local, other), calls), True)


def _of_a_number(first: Pass, steps: Sequence[int], row: Row) -> Iterator[Mistake]:
    """Yield what goes wrong with the derivative of one number by one number: a rule of calculus is misread."""
    for k in steps[1:]:
        what = f"{first.edges[k][0].op}{at(first.nodes[k])}"
        yield row("inner-derivative", f"The chain rule stops at {what}: the inner derivative is missing.",
                  "Multiply by the derivative of what is inside.",
                  partial(lambda k, found: [gradients(found.edges)[k]], k), True)
    operands = [edge.operand for edge in first.edges[-1]]
    op = first.edges[-1][0].op if operands else ""
    if op in ("mul", "div") and len(operands) == 2:
        sign, rule = ("*", "u'*v + u*v'") if op == "mul" else ("/", "(u'*v - u*v')/(v*v)")
        join = operator.mul if op == "mul" else divide
        yield row("product-rule" if op == "mul" else "quotient-rule", f"It is u'{sign}v', which is not the derivative "
                  f"of u{sign}v.", f"Write {rule}.",
                  lambda found: [join(*[found.gradient(roots=(k,))[0] for k in operands])], True)


def _of_an_edge(first: Pass, k: int, edge: Edge, row: Row, is_numbered: bool) -> Iterator[Mistake]:
    """Yield what goes wrong with one term of the chain rule: wherever its line is computed, then once."""
    site = first.sites[k]
    alike = [n for n, other in enumerate(first.sites) if other == site]
    if k == alike[-1]:
        yield from _of_terms(first, k, edge, row, lambda found, n, e: found.sites[n] == site)
    if is_numbered and len(alike) > 1:
        yield from _of_terms(first, k, edge, partial(row, is_numbered=True), lambda found, n, e: n == k)


def _of_terms(
    first: Pass, k: int, edge: Edge, row: Row, is_chosen: Callable[[Pass, int, Edge], bool]
) -> Iterator[Mistake]:
    where = f"{first.sites[k]}, operand {edge.place + 1}"

    def at_edge(change: Callable[[Pass, int, Edge], float], *places: int) -> Wrong:
        return lambda found: found.changed(
            lambda n, e: change(found, n, e) if e.place in places and is_chosen(found, n, e) else e.local)

    for name, said, correction, change in TERMS:
        if name != "inner-derivative" or (k not in first.calls and edge.local != 1.0):
            yield row(name, f"The term of the chain rule through {where} is wrong: {said}.", correction,
                      at_edge(partial(lambda change, found, n, e: change(e.local), change), edge.place))
    if edge.op == "pow" and edge.place == 0:
        write = "d(x**n)/dx is n * x**(n - 1)."
        yield row("power-rule", f"The exponent is not lowered by 1: {where}.", write,
                  at_edge(lambda found, n, e: e.local * found.nodes[e.operand].data, 0))
        yield row("power-rule", f"The exponent is lowered by 2: {where}.", write, at_edge(_lowered_twice, 0))
    if edge.op == "mul" and len(first.edges[k]) == 2:
        yield row("product-rule", f"The factors of the product rule are swapped: {where}.", "d(u*v)/du is v.",
                  at_edge(lambda found, n, e: found.edges[n][1 - e.place].local, edge.place))
    if edge.op == "div" and edge.place == 1:
        def times_denominator(found: Pass, n: int, e: Edge) -> float:
            return e.local * _operands(found, n)[1]

        for places, what in (((0, 1), ""), ((1,), " in the second term")):
            yield row("quotient-rule", f"The denominator is not squared{what}: {first.sites[k]}.",
                      "It is (v*du - u*dv)/v**2.", at_edge(times_denominator, *places))
    # fmt: on


def _lowered_twice(found: Pass, n: int, edge: Edge) -> float:
    base, exponent = _operands(found, n)
    return exponent * power(base, exponent - 2.0)


def _operands(found: Pass, n: int) -> list[float]:
    return [x.data if is_node(x) else float(x) for x in found.nodes[n].operands]
