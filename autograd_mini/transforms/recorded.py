"""A function, recorded once at its arguments, and the derivatives of what it returned by any of its numbers.

The sweep runs on the recorded floats where nothing outside depends on the answer. Otherwise the rules are evaluated
again, on `Value`s, and the answer is a graph of its own: a derivative inside a derivative, a penalty on a gradient.
Not here: what users call, and what arguments may look like (`derivatives`). Read next: `transforms.derivatives`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from autograd_mini.core.dual import Dual, perturbed, primal_at, settled, tangent_at
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import TABLE, ZERO, Constant, evaluate
from autograd_mini.core.sweep import propagate, push, topological_order
from autograd_mini.core.table import sum_of
from autograd_mini.core.traced import Traced
from autograd_mini.program.scopes import unobserved
from autograd_mini.transforms import sparsity, trees
from autograd_mini.transforms.curvature import Curvature, check_unwritten
from autograd_mini.transforms.trees import Tree

# The row of a variable whose derivative goes on. Whatever is behind it, a derivative inside of that one is told by this
# row that the answer depends on the variable: live edges to a leaf are no measure of it.
_VARIABLE = replace(TABLE["pos"])
# Rows of which it is known that the slope by one operand never depends on another one that has no edge.
_PLAIN = frozenset(TABLE.values()) | {_VARIABLE, None}


def variable(number: Any, leaf: type) -> Any:
    """A node of its own for a number of the arguments, of class `leaf` for a float: other uses of it are others."""
    if type(number) is Dual:
        return Dual(variable(number.primal, leaf), number.tangent, number.level)
    return evaluate(_VARIABLE, (number,)) if isinstance(number, Methods) else leaf(number)


def innermost(number: Any) -> Any:
    """What a dual number of dual numbers is made of."""
    while type(number) is Dual:
        number = number.primal
    return number


def nodes_of(number: Any) -> list[Any]:
    """The nodes that a number consists of: itself, or the parts of a dual number."""
    if type(number) is Dual:
        return nodes_of(number.primal) + nodes_of(number.tangent)
    return [number] if isinstance(number, Methods) else []


class _Graph:
    """The graph behind numbers that were computed from variables; `free` derivatives are graphs over these."""

    def __init__(self, variables: Sequence[Any], free: bool = False) -> None:
        self.variables = variables
        self._own = set(variables)
        self._dependents = set(variables)
        # What depends on other variables: on what an argument was computed from, or on what else f uses. A trace does
        # throughout, if only by a condition.
        self._outside = {
            v for v in variables if free or type(v) is Traced or any(isinstance(x, Methods) for x in v.operands)
        }
        self._edges: dict[Any, list[Any]] = {}

    def order(self, root: Any) -> tuple[dict[Any, Any], bool]:
        """The graph behind a root, and whether the recorded floats are all there is to it."""
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
                if free or any(operand in self._outside for operand in operands):
                    self._outside.add(node)
                if any(operand in self._dependents for operand in operands):
                    self._dependents.add(node)
        return order, False

    def order_of(self, numbers: Sequence[Any]) -> tuple[dict[Any, Any], bool]:
        """The graph behind all of several numbers."""
        nodes = [node for number in numbers for node in nodes_of(number)]
        if len(nodes) < 2:
            return self.order(nodes[0]) if nodes else ({}, True)
        with unobserved():
            return self.order(sum_of(*nodes))

    def slopes(self, roots: Sequence[Any], weights: Sequence[Any] | None = None) -> list[Any]:
        """For each variable the sum of the derivatives of the roots by it, times constant weights: one sweep."""
        return [0.0 if slope is ZERO else slope for slope in self._slopes(roots, weights or [1.0] * len(roots))]

    def _slopes(self, roots: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
        levels = [root.level for root in roots if type(root) is Dual]
        if levels:  # of outer derivatives; a derivative is linear
            level = max(levels, key=lambda level: level.number)
            primals = self._slopes([primal_at(root, level) for root in roots], weights)
            tangents = self._slopes([tangent_at(root, level) for root in roots], weights)
            return [perturbed(*both, level) for both in zip(primals, tangents, strict=True)]
        seeds = [(root, weight) for root, weight in zip(roots, weights, strict=True) if isinstance(root, Methods)]
        if not seeds:
            return [ZERO] * len(self.variables)
        adjoints, plain = self.order_of([root for root, _ in seeds])
        for root, weight in seeds:
            before = adjoints[root]
            adjoints[root] = weight if before is ZERO else before + weight
        last = next(reversed(adjoints))
        propagate(last, adjoints[last], adjoints, self.variables, None if plain else self._partials)
        return [adjoints[leaf] for leaf in self.variables]

    def _partials(self, node: Any) -> Sequence[Any]:
        """The local partials of a node by its rule, and only towards what depends on the variables."""
        operands = node.operands
        if node not in self._dependents:
            return (ZERO,) * len(operands)
        if node not in self._edges:
            with unobserved():  # `checked()` is about contributions; a partial that nobody needs may well be infinite
                constant = Constant if len(operands) == 2 else float
                numbers = [
                    self.number(x) if isinstance(x, Methods) else constant(x) if type(x) is float else x
                    for x in operands
                ]
                slopes = node._row.partials(self.number(node), numbers)
            live = [
                slope if slope is not ZERO and isinstance(x, Methods) and x in self._dependents else ZERO
                for slope, x in zip(slopes, operands, strict=True)
            ]
            if node.keeps_pairs:  # a traced node would only now compute what was not recorded
                recorded = node.partials
                live = [ZERO if known is ZERO else slope for slope, known in zip(live, recorded, strict=True)]
                for slope, known in zip(live, recorded, strict=True):
                    check_unwritten(node, slope, known)
            self._edges[node] = live
        return self._edges[node]

    def number(self, node: Any) -> Any:
        """A node as rules and callers are to see it: a part of the graph that the answer belongs to, or a float."""
        return node if node in self._outside else node.data


class Recorded(_Graph):
    """f, recorded once at its arguments; each number of `argument`, to differentiate by, is a variable of its own.

    `split` takes what f returned apart: into a structure of numbers, the numbers in it, and the rest.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        arguments: Sequence[Any],
        named: dict[str, Any],
        argument: Tree,
        variables: Sequence[Any],
        split: Callable[[Any], tuple[Tree, list[Any], Any]],
    ) -> None:
        super().__init__([innermost(v) for v in variables])
        self.argument = argument
        try:
            self.result, self.outputs, aux = split(f(*arguments, **named))
        finally:
            for leaf in self.variables:
                leaf._retire()
        self.aux = self.answer(aux)  # as the caller may see it; the result still has nodes of this graph in it

    def arranged(self, slopes: Iterable[Any]) -> Tree:
        """One slope for each variable, in the structure of the argument."""
        return trees.rebuilt(self.argument, iter(slopes))

    def answer(self, tree: Tree) -> Tree:
        """Numbers that f computed as the caller may see them: floats, unless other variables are behind them."""
        self.order_of([settled(number) for _, number in trees.numbers(tree)])
        return trees.mapped(self.answer_of, tree)

    def answer_of(self, number: Any) -> Any:
        """The same of one number, whose graph has been ordered before."""
        number = settled(number)
        if type(number) is Dual:
            return perturbed(self.answer_of(number.primal), self.answer_of(number.tangent), number.level)
        return self.number(number) if isinstance(number, Methods) else number

    # -- matrices ------------------------------------------------------------------------------------------------------

    def jacobian(self, symmetric: bool = False) -> sparsity.Rows:
        """For each output its derivatives by the variables it depends on, by their numbers."""
        order, plain = self.order_of(self.outputs)
        depends = sparsity.dependence(order, self.variables)
        patterns = [
            functools.reduce(int.__or__, [depends[node] for node in nodes_of(output)], 0) for output in self.outputs
        ]
        if symmetric:
            return sparsity.recover_symmetric(patterns, self._row_sums)
        columns, backward = sparsity.transposed(patterns, len(self.variables)), sparsity.groups(patterns)
        if plain and len(forward := sparsity.groups(columns)) < len(backward):
            column_sums = functools.partial(self._column_sums, order)
            return sparsity.flipped(sparsity.recover(columns, forward, column_sums), len(patterns))
        return sparsity.recover(patterns, backward, self._row_sums)

    def _column_sums(self, order: Iterable[Any], columns: list[int]) -> list[Any]:
        """The derivatives of all outputs in one direction: columns that do not overlap, all in one pass forwards."""
        tangents = push(order, dict.fromkeys(self.variables, ZERO) | {self.variables[j]: 1.0 for j in columns})

        def tangent_of(output: Any) -> Any:
            if type(output) is Dual:
                return perturbed(tangent_of(output.primal), tangent_of(output.tangent), output.level)
            return tangents[output] if isinstance(output, Methods) else ZERO

        return [0.0 if (tangent := tangent_of(output)) is ZERO else tangent for output in self.outputs]

    def _row_sums(self, rows: list[int]) -> list[Any]:
        """The derivatives of a sum of outputs: rows that do not overlap, all in one sweep."""
        with unobserved():
            return self.slopes([self.outputs[i] for i in rows])

    def hessian(self) -> sparsity.Rows:
        """The second derivatives of the only output."""
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
        """The second derivatives of the only output, times a vector."""
        curvature = self._curvature() if all(type(number) is float for number in vector) else None
        if curvature is not None:
            return curvature.times(vector)
        return self.slopes(self._gradient(), vector)

    def _curvature(self) -> Curvature | None:
        """The Hessian, where the recorded floats are all there is to it."""
        (output,) = self.outputs
        if not isinstance(output, Methods) or type(output) is Dual:
            return None
        order, plain = self.order(output)
        return Curvature(output, order, self.variables) if plain else None

    def _gradient(self) -> list[Any]:
        """The gradient of the only output, as a graph over the variables."""
        return _Graph(self.variables, free=True).slopes(self.outputs)
