"""A function, recorded once at its arguments, and the derivatives of its result by any of its numbers.

The sweep runs on the recorded floats if the answer does not depend on outer variables. If it does, as in a derivative
inside a derivative or a penalty on a gradient, the rules are evaluated again on `Value`s, and the answer is a graph.
Not here: the public functions, and the structure of arguments (`derivatives`). Read next: `transforms.derivatives`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import methodcaller
from typing import Any

from autograd_mini.core.dual import Dual, perturbed, primal_at, settled, tangent_at
from autograd_mini.core.methods import Methods
from autograd_mini.core.node import Node
from autograd_mini.core.row import TABLE, ZERO, Constant, evaluate
from autograd_mini.core.sweep import propagate, push, topological_order
from autograd_mini.core.table import sum_of
from autograd_mini.core.traced import Traced, Unrecorded, tape
from autograd_mini.program.scopes import call_in, unobserved
from autograd_mini.program.stack import recording
from autograd_mini.transforms import sparsity, trees
from autograd_mini.transforms.curvature import Curvature, check_unwritten
from autograd_mini.transforms.trees import Tree
from autograd_mini.watch.origins import note_derivative, notes_decisions

# The row of a variable that an outer derivative needs. It tells an inner derivative that its answer depends on the
# variable, whatever is behind it; live edges to a leaf would not.
_VARIABLE = replace(TABLE["pos"])
# Rows whose rules have the same form for all numbers.
_STEADY = frozenset({None, "pos", "add", "sub", "mul", "neg", "div", "exp", "log", "sin", "cos", "sum", "dot"})
# Rows whose slope by one operand never depends on another operand without an edge.
_PLAIN = frozenset(TABLE.values()) | {_VARIABLE, None}


def variable(number: Any, leaf: type) -> Any:
    """Make a new node for a number of the arguments (a `leaf` for a float), so that other uses of it do not count."""
    if type(number) is Dual:
        return Dual(variable(number.primal, leaf), number.tangent, number.level)
    return evaluate(_VARIABLE, (number,)) if isinstance(number, Node) else leaf(number)


def innermost(number: Any) -> Any:
    """Unwrap dual numbers down to the innermost primal."""
    while type(number) is Dual:
        number = number.primal
    return number


def nodes_of(number: Any) -> list[Any]:
    """Return the nodes that a number consists of: itself, or the parts of a dual number."""
    if type(number) is Dual:
        return nodes_of(number.primal) + nodes_of(number.tangent)
    return [number] if isinstance(number, Node) else []


_bare = methodcaller("dressed")  # of what is traced, for a rule whose answer nothing differentiates again


def _by_rule(node: Any, operands: Sequence[Any], number: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Return the local partials of a node, computed from its numbers anew."""
    constant = Constant if len(operands) == 2 else float
    numbers = [constant(x) if type(x) is float else number(x) for x in operands]
    slopes: tuple[Any, ...] = node._row.partials(number(node), numbers)
    return slopes


class _Graph:
    """The graph behind numbers computed from variables; derivatives are graphs over the variables if `free`."""

    def __init__(self, variables: Sequence[Any], free: bool = False) -> None:
        self.variables = variables
        self._own = set(variables)
        self._dependents = set(variables)
        # What depends on outer variables: on the operands of an argument, or on anything else that f uses. Everything
        # traced does, if only by a condition.
        self._outside = {
            v for v in variables if free or type(v) is Traced or any(isinstance(x, Methods) for x in v.operands)
        }
        self._edges: dict[Any, list[Any]] = {}
        self._free, self._is_last = free, False  # does nothing differentiate the answer again?

    def order(self, root: Any) -> tuple[dict[Any, Any], bool]:
        """Return the graph behind a root, and True if its recorded floats are enough."""
        order = topological_order(root, self.variables)
        rows = {node._row for node in order}
        if not rows <= _PLAIN and type(root) is not Traced:
            order = topological_order(root, self.variables, everything=True)
            rows = {node._row for node in order}
        if not (self._outside or None in rows or _VARIABLE in rows):
            return order, True
        for node in order:
            if node not in self._own:
                operands = [operand for operand in node.operands if isinstance(operand, Methods)]
                free = type(node) is Traced or node._row in (None, _VARIABLE)
                if free or not self._outside.isdisjoint(operands):
                    self._outside.add(node)
                if not self._dependents.isdisjoint(operands):
                    self._dependents.add(node)
        return order, False

    def order_of(self, numbers: Sequence[Any]) -> tuple[dict[Any, Any], bool]:
        """Return the graph behind several numbers."""
        nodes = [node for number in numbers for node in nodes_of(number)]
        if len(nodes) < 2:
            return self.order(nodes[0]) if nodes else ({}, True)
        with unobserved():
            return self.order(sum_of(*nodes))

    def slopes(self, roots: Sequence[Any], weights: Sequence[Any] | None = None) -> list[Any]:
        """Return for each variable the sum of the roots' derivatives by it, times constant weights, in one sweep."""
        return [0.0 if slope is ZERO else slope for slope in self._slopes(roots, weights or [1.0] * len(roots))]

    def _slopes(self, roots: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
        levels = [root.level for root in roots if type(root) is Dual]
        if levels:  # levels of outer derivatives; a derivative is linear
            level = max(levels, key=lambda level: level.number)
            primals = self._slopes([primal_at(root, level) for root in roots], weights)
            tangents = self._slopes([tangent_at(root, level) for root in roots], weights)
            return [perturbed(*both, level) for both in zip(primals, tangents, strict=True)]
        seeds = [(root, weight) for root, weight in zip(roots, weights, strict=True) if isinstance(root, Node)]
        if not seeds:
            return [ZERO] * len(self.variables)
        adjoints, plain = self.order_of([root for root, _ in seeds])
        for root, weight in seeds:
            before = adjoints[root]
            adjoints[root] = weight if before is ZERO else before + weight
        last = next(reversed(adjoints))
        task = last, adjoints[last], adjoints, self.variables, None if plain else self._partials
        if (written := tape.get()) is None:
            propagate(*task)
            return [adjoints[leaf] for leaf in self.variables]
        is_open = written.derivatives or any(isinstance(weight, Methods) for _, weight in seeds)
        is_last = not (self._free or is_open or recording().observe)
        if is_last is not self._is_last:
            self._is_last, self._edges = is_last, {}
        written.in_one_place(propagate, *task)
        found = [adjoints[leaf] for leaf in self.variables]
        return [Traced(x.data) if is_last and isinstance(x, Unrecorded) else x for x in found]

    def _partials(self, node: Any) -> Sequence[Any]:
        """Return the local partials of a node by its rule, `ZERO` towards what does not depend on the variables."""
        operands = node.operands
        if node not in self._dependents:
            return (ZERO,) * len(operands)
        if node not in self._edges:
            if self._is_last:  # nothing is recorded
                slopes = _by_rule(node, operands, _bare)
            else:
                with unobserved():  # `checked()` is about contributions; a partial that is not needed may be infinite
                    slopes = _by_rule(node, operands, self.number)
            live = [
                slope if slope is not ZERO and isinstance(x, Methods) and x in self._dependents else ZERO
                for slope, x in zip(slopes, operands, strict=True)
            ]
            if type(node) is not Traced:  # which has none recorded and would compute them now
                recorded = node.partials
                live = [ZERO if known is ZERO else slope for slope, known in zip(live, recorded, strict=True)]
                for slope, known in zip(live, recorded, strict=True):
                    check_unwritten(node, slope, known)
            self._edges[node] = live
        return self._edges[node]

    def number(self, node: Any) -> Any:
        """Return a node as rules and callers see it: itself if the answer's graph contains it, else its float."""
        return node.data if isinstance(node, Methods) and node not in self._outside else node


class Recorded(_Graph):
    """f, recorded once at its arguments; each number of `argument`, to differentiate by, is a variable of its own.

    `split` takes the result of f apart into a structure of numbers, the numbers in it, and the rest.
    """

    def __init__(
        self, f: Callable[..., Any], arguments: Sequence[Any], named: dict[str, Any], argument: Tree,
        variables: Sequence[Any], split: Callable[[Any], tuple[Tree, list[Any], Any]],
    ) -> None:  # fmt: skip
        super().__init__([innermost(v) for v in variables])
        self.argument = argument
        if (written := tape.get()) is not None:
            written.derivatives += 1
        try:
            self.result, self.outputs, aux = split(f(*arguments, **named))
        finally:
            if written is not None:
                written.derivatives -= 1
            for leaf in self.variables:
                leaf._retire()
        if notes_decisions():
            self._note_leaves()
        self.aux = self.answer(aux)  # for the caller; the result still contains nodes of this graph

    def _note_leaves(self) -> None:
        """Note the leaves outside on which a derivative depends, unless it has the same edges for all numbers."""
        for root in [node for output in self.outputs for node in nodes_of(output)]:
            order = topological_order(root, everything=True)
            if any(node.op not in _STEADY or call_in(node.scope) is not None for node in order):
                for leaf in [node for node in order if node.op is None and node not in self._own]:
                    note_derivative(leaf)

    def arranged(self, slopes: Iterable[Any]) -> Tree:
        """Arrange one slope per variable in the structure of the argument."""
        return trees.rebuilt(self.argument, iter(slopes))

    def answer(self, tree: Tree) -> Tree:
        """Turn numbers that f computed into floats for the caller, unless they depend on outer variables."""
        self.order_of([settled(number) for _, number in trees.numbers(tree)])
        return trees.mapped(self.answer_of, tree)

    def answer_of(self, number: Any) -> Any:
        """Do the same for one number, whose graph has been ordered before."""
        number = settled(number)
        if type(number) is Dual:
            return perturbed(self.answer_of(number.primal), self.answer_of(number.tangent), number.level)
        return self.number(number)

    # -- matrices ------------------------------------------------------------------------------------------------------

    def jacobian(self, symmetric: bool = False) -> sparsity.Rows:
        """Return for each output its derivatives by the variables it depends on, keyed by their indices."""
        order, plain = self.order_of(self.outputs)
        depends = sparsity.dependence(order, self.variables)
        behind = [[depends[node] for node in nodes_of(output)] for output in self.outputs]
        patterns = [functools.reduce(int.__or__, sets, 0) for sets in behind]
        if symmetric:
            return sparsity.recover_symmetric(patterns, self._row_sums)
        columns, backward = sparsity.transposed(patterns, len(self.variables)), sparsity.groups(patterns)
        if plain and len(forward := sparsity.groups(columns)) < len(backward):
            column_sums = functools.partial(self._column_sums, order)
            return sparsity.flipped(sparsity.recover(columns, forward, column_sums), len(patterns))
        return sparsity.recover(patterns, backward, self._row_sums)

    def _column_sums(self, order: Iterable[Any], columns: list[int]) -> list[Any]:
        """Return the sum of columns that do not overlap: the derivatives of all outputs, in one pass forwards."""
        tangents = push(order, dict.fromkeys(self.variables, ZERO) | {self.variables[j]: 1.0 for j in columns})

        def tangent_of(output: Any) -> Any:
            if type(output) is Dual:
                return perturbed(tangent_of(output.primal), tangent_of(output.tangent), output.level)
            return tangents[output] if isinstance(output, Methods) else ZERO

        return [0.0 if (tangent := tangent_of(output)) is ZERO else tangent for output in self.outputs]

    def _row_sums(self, rows: list[int]) -> list[Any]:
        """Return the sum of rows that do not overlap: the derivatives of a sum of outputs, in one sweep."""
        with unobserved():
            return self.slopes([self.outputs[i] for i in rows])

    def hessian(self) -> sparsity.Rows:
        """Return the second derivatives of the only output."""
        curvature = self._curvature()
        if curvature is not None:

            def row_sums(rows: list[int]) -> list[Any]:
                vector: list[Any] = [ZERO] * len(self.variables)
                for row in rows:
                    vector[row] = 1.0
                return curvature.times(vector)

            return sparsity.recover_symmetric(curvature.patterns(), row_sums)
        self.outputs = self._gradient()
        return self.jacobian(symmetric=True)

    def hessian_times(self, vector: Sequence[Any]) -> list[Any]:
        """Return the second derivatives of the only output, times a vector."""
        curvature = self._curvature() if all(type(number) is float for number in vector) else None
        if curvature is not None:
            return curvature.times(vector)
        return self.slopes(self._gradient(), vector)

    def _curvature(self) -> Curvature | None:
        """Return the Hessian if the recorded floats are enough, else None."""
        (output,) = self.outputs
        if not isinstance(output, Methods) or type(output) is Dual:
            return None
        order, plain = self.order(output)
        return Curvature(output, order, self.variables) if plain else None

    def _gradient(self) -> list[Any]:
        """Return the gradient of the only output, as a graph over the variables."""
        return _Graph(self.variables, free=True).slopes(self.outputs)
