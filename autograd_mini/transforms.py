"""Functions of functions: `grad`, `jacobian`, `hessian`, `vjp`, `jvp`, `hvp`, which nest in any order.

All but `jvp` record the function once and run the same sweep as `backward()` on what was recorded: on the recorded
floats where nothing outside depends on the answer; otherwise the rules are evaluated again on what the arguments were,
on `Value`s (a derivative inside a derivative, a penalty on a gradient) or on dual numbers (forward over reverse).
Not here: the chain rule (`sweep`, `dual`), derivatives (`primitives`), structures (`trees`) and which sweeps a sparse
matrix needs (`sparsity`). Read next: `sparsity`, `nn`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from math import isnan
from operator import index
from typing import Any

from autograd_mini import sparsity, trees
from autograd_mini.detached import is_cut, isolated
from autograd_mini.dual import Dual, perturbed, primal_at, tangent_at
from autograd_mini.engine import Value, layout, retire
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.methods import Methods
from autograd_mini.observers import check_dual, is_checked, transparent
from autograd_mini.primitives import (
    TABLE,
    ZERO,
    Constant,
    as_number,
    dot_of,
    evaluate,
    is_operand,
    operand_error,
    stop,
    sum_of,
)
from autograd_mini.scopes import unobserved
from autograd_mini.sweep import propagate, push, topological_order
from autograd_mini.tracing import Traced
from autograd_mini.trees import Tree

Function = Callable[..., Any]


# -- formulas among the arguments --------------------------------------------------------------------------------------


class _FormulaError(Exception):
    """An argument is a formula, such as a SymPy symbol."""


def _of_formulas(function: Function) -> Function:
    """A transform that takes formulas too: it runs on traced numbers then, and returns formulas."""
    function = isolated(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except _FormulaError:
            leaves = [Traced(leaf) if _is_formula(leaf) else leaf for _, leaf in trees.numbers(args)]
            result = function(*trees.rebuilt(args, iter(leaves)), **kwargs)
            return trees.mapped(lambda number: number.data if type(number) is Traced else number, result)

    return call


def _is_formula(leaf: Any) -> bool:
    return not isinstance(leaf, Methods) and as_number(leaf) is None and is_operand(leaf)


# -- what users call ---------------------------------------------------------------------------------------------------


def grad(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The function that computes the gradient of f.

    Args:
        f: a function to one number, written with this package's functions. Its arguments are numbers, or lists, tuples,
            dicts and NumPy arrays of numbers, nested as you like.
        argnums: the position of the argument to differentiate by, or several.
        has_aux: whether f returns (number, something else that is passed on).

    Returns:
        a function of the same arguments. It returns floats in the structure of the argument (a tuple with one entry
        a position where argnums is a sequence), for a NumPy array an array of its shape; and `Value`s instead, if an
        argument or something else that f uses is a `Value`: derivatives of derivatives, to any order. With has_aux
        it returns (gradient, something else).

    Raises:
        ArgumentError: f has no argument of that position.
        OperandError: f returns something other than one number; an argument to differentiate by is not made of numbers.

    >>> grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    >>> grad(lambda params: params["w"][0] * params["w"][1] + params["b"])({"w": [2.0, 5.0], "b": 1.0})
    {'w': [5.0, 2.0], 'b': 1.0}
    """
    return _gradient("grad", f, argnums, has_aux)


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """The function that computes the value of f and its gradient, in one go.

    Args:
        f: as for `grad`.
        argnums: as for `grad`.
        has_aux: as for `grad`.

    Returns:
        a function of the same arguments that returns (value, gradient), or ((value, something else), gradient).

    Raises:
        ArgumentError: f has no argument of that position.
        OperandError: f returns something other than one number; an argument to differentiate by is not made of numbers.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """
    return _value_and_grad("value_and_grad", f, argnums, has_aux)


def jacobian(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False, *, sparse: bool = False) -> Function:
    """The function that computes the derivative of every number that f returns by every number of its argument.

    f is recorded once. Which outputs depend on which inputs is read off the graph, and rows (sweeps backwards) or
    columns (passes forwards) that do not overlap are computed together, whichever needs fewer.

    Args:
        f: a function to a structure of numbers; otherwise as for `grad`.
        argnums: as for `grad`.
        has_aux: as for `grad`.
        sparse: return only the entries that can differ from zero.

    Returns:
        a function of the same arguments. It returns the structure of the result of f, each number replaced by its
        derivative in the structure of the argument; for an array by an array, an array of both shapes. With sparse,
        the matrix with one row an output and one column an input, as SciPy's `coo_array` where SciPy is
        installed, otherwise as (rows, columns, values); numbers are counted from left to right, in dicts in the order
        of their keys.

    Raises:
        ArgumentError: f has no argument of that position.
        OperandError: f returns, or is given, something that is not made of numbers.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + 1.0])([2.0, 5.0])
    [[5.0, 2.0], [1.0, 0.0]]
    """
    return _jacobian("jacobian", f, argnums, has_aux, sparse)


def hessian(f: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False, *, sparse: bool = False) -> Function:
    """The function that computes all second derivatives of f: the Jacobian of its gradient.

    The gradient is recorded as a graph, and that graph shows which entries can differ from zero. They are computed
    once for both halves of the symmetric matrix, and columns that do not overlap together: the Hessian of a chain
    costs four sweeps, however long it is.

    Args:
        f: as for `grad`.
        argnums: as for `grad`.
        has_aux: as for `grad`.
        sparse: as for `jacobian`.

    Returns:
        a function of the same arguments. It returns the structure of the argument, each number replaced by the
        structure of the argument: for a list a list of lists, for an array an array of twice its shape.

    Raises:
        ArgumentError: f has no argument of that position.
        OperandError: f returns something other than one number; an argument to differentiate by is not made of numbers.

    >>> hessian(lambda x: x[0] ** 3 * x[1])([2.0, 5.0])
    [[60.0, 12.0], [12.0, 0.0]]
    """
    return _jacobian("hessian", _gradient("hessian", f, argnums, has_aux), argnums, has_aux, sparse, symmetric=True)


def vjp(f: Function, *primals: Tree, has_aux: bool = False) -> tuple[Any, ...]:
    """The value of f, and the function that takes derivatives backwards through it: products vector times Jacobian.

    Args:
        f: a function to a structure of numbers.
        primals: its arguments; the derivative is by all of them.
        has_aux: whether f returns (result, something else that is passed on).

    Returns:
        (result, pullback), and with has_aux (result, pullback, something else). `pullback(cotangent)` takes a
        structure like the result, and returns a tuple with one structure an argument. It can be called again.

    Raises:
        ArgumentError: the cotangent has not the structure of the result.
        OperandError: f returns, or is given, something that is not made of numbers.

    >>> y, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 5.0)
    >>> y, pullback([1.0, 0.0]), pullback([0.0, 1.0])
    ([10.0, 7.0], (5.0, 2.0), (1.0, 1.0))
    """
    result, pullback, aux = isolated(_vjp)(f, primals, has_aux)
    pullback = isolated(pullback, always=is_cut())  # what was outside of it stays constant for the pullback
    return (result, pullback, aux) if has_aux else (result, pullback)


def _vjp(f: Function, primals: Sequence[Tree], has_aux: bool) -> tuple[Tree, Function, Tree]:
    recorded = _Recorded("vjp", f, primals, {}, range(len(primals)), has_aux)

    def pullback(cotangent: Tree) -> tuple[Any, ...]:
        weights = trees.matched(recorded.result, cotangent, "the result", "cotangent")
        with unobserved():
            root = dot_of(*recorded.outputs, *weights)
        slopes = iter(recorded.slopes(root))
        return tuple([trees.rebuilt(primal, slopes) for primal in primals])

    return recorded.answer(recorded.result), pullback, recorded.aux


@_of_formulas
def jvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: bool = False) -> tuple[Any, ...]:
    """The value of f and its derivative in one direction, in one pass: forward mode, products Jacobian times vector.

    Args:
        f: a function to a structure of numbers.
        primals: its arguments, in a tuple or list.
        tangents: the direction, in the same structure.
        has_aux: whether f returns (result, something else that is passed on).

    Returns:
        (result, tangent), both in the structure of the result, and with has_aux (result, tangent, something else).

    Raises:
        ArgumentError: tangents have not the structure of primals.
        OperandError: f returns, or is given, something that is not made of numbers.

    >>> jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, 0.0))
    (10.0, 5.0)
    """
    _check_primals("jvp", f, primals)
    names = names_of(f, len(primals))
    if not isinstance(tangents, (tuple, list)) or len(tangents) != len(primals):
        raise ArgumentError(
            f"primals has {len(primals)} entries, and tangents is {trees.described(tangents)}.",
            "Pass a tuple with one tangent an argument: jvp(f, (x,), (dx,)).",
        )
    level = next(_levels)
    duals = iter(
        [
            Dual(number, slope, level)
            for name, primal, tangent in zip(names, primals, tangents, strict=True)
            for number, slope in zip(
                _numbers("jvp", name, primal),
                _numbers("jvp", name, trees.matched(primal, tangent, name, "tangent")),
                strict=True,
            )
        ]
    )
    result, aux = _split(f(*[trees.rebuilt(primal, duals) for primal in primals]), has_aux)
    outputs = _outputs("jvp", result)
    if is_checked():
        for output in outputs:
            check_dual(name="jvp's result", primal=primal_at(output, level), tangent=tangent_at(output, level))
    value = trees.rebuilt(result, iter([primal_at(y, level) for y in outputs]))
    tangent = trees.rebuilt(result, iter([tangent_at(y, level) for y in outputs]))
    aux = trees.mapped(lambda y: primal_at(y, level), aux)
    return (value, tangent, aux) if has_aux else (value, tangent)


@_of_formulas
def hvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """The Hessian of f times a vector, without the Hessian: forward mode over the reverse sweep, one pass of each.

    Args:
        f: a function to one number.
        primals: its arguments, in a tuple or list.
        tangents: the vector, in the same structure.

    Returns:
        the product, in the structure of the argument; a tuple of them if there are several arguments.

    Raises:
        ArgumentError: tangents have not the structure of primals.
        OperandError: f returns something other than one number; an argument is not made of numbers.

    >>> hvp(lambda x: x[0] ** 3 * x[1], ([2.0, 5.0],), ([1.0, 0.0],))
    [60.0, 12.0]
    """
    _check_primals("hvp", f, primals)
    return jvp(_gradient("hvp", f, 0 if len(primals) == 1 else range(len(primals)), False), primals, tangents)[1]


@transparent
def stop_gradient(x: Tree) -> Tree:
    """The same numbers as constants: derivatives of every kind end here.

    Args:
        x: a number or `Value`, or a structure of them.

    Returns:
        The same structure.

    Raises:
        OperandError: x is not made of numbers.

    Derivative: no edge.

    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    3.0
    """
    return trees.rebuilt(x, map(stop, [number for _, number in trees.numbers(x)]))


# -- how it works ------------------------------------------------------------------------------------------------------

_levels = count(1)  # of dual numbers: what begins later is further inside


class _Recorded:
    """f, recorded once at its arguments, each number to differentiate by a variable of its own.

    Attributes:
        variables: the leaves of the graph, in the order of the numbers in the arguments.
        result: what f returned, with nodes of the graph in it.
        outputs: the numbers in it.
        aux: what f returned beside it, as the caller may see it.
    """

    def __init__(
        self, name: str, f: Function, args: Sequence[Any], kwargs: Any, positions: Sequence[int], has_aux: bool
    ) -> None:
        # What stands for a node where rules are evaluated again: dual numbers, for everything that depends on one.
        self.lifted: dict[Any, Any] = {}
        self.edges: dict[Any, tuple[Any, Any]] = {}
        names = names_of(f, len(args))
        found = [_numbers(name, names[position], args[position]) for position in positions]
        traced = any(type(_innermost(number)) is Traced for numbers in found for number in numbers)
        self._leaf = Traced if traced else Value  # the two do not mix
        self.variables = [self._variable(number) for numbers in found for number in numbers]
        self.own = set(self.variables)
        self.dependents = set(self.variables)
        # What depends on other variables: on what an argument was computed from, or on what else f uses. A trace does
        # throughout, if only by a condition.
        self.outside = {leaf for leaf in self.variables if leaf.operands or type(leaf) is Traced}
        replacements = iter(self.variables)
        fresh = list(args)
        for position in positions:
            fresh[position] = trees.rebuilt(args[position], replacements)
        try:
            self.result, aux = _split(f(*fresh, **kwargs), has_aux)
        finally:
            for leaf in self.variables:
                retire(leaf)
        self.outputs = _outputs(name, self.result)
        self.aux = self.answer(aux)

    def _variable(self, number: Any) -> Any:
        """A node of its own for a number of the arguments: what else uses that number is another variable."""
        if type(number) is Dual:
            leaf = self._variable(number.primal)
            base = leaf if leaf.operands else leaf.data
            self.lifted[leaf] = Dual(self.lifted.get(leaf, base), number.tangent, number.level)
            return leaf
        return evaluate(TABLE["pos"], (number,)) if isinstance(number, Methods) else self._leaf(number)

    def order(self, root: Any) -> tuple[dict[Any, Any], bool]:
        """The graph behind a root, and whether the recorded floats are all there is to it."""
        order = topological_order(root, self.variables)
        if not (self.lifted or self.outside) and all(node.op is not None or node in self.own for node in order):
            return order, True
        for node in order:
            operands = [operand for operand in node.operands if isinstance(operand, Methods)]
            if node in self.own:
                continue
            if node.op is None or type(node) is Traced or any(operand in self.outside for operand in operands):
                self.outside.add(node)
            if any(operand in self.dependents for operand in operands):
                self.dependents.add(node)
                if node not in self.lifted and any(operand in self.lifted for operand in operands):
                    with unobserved():
                        self.lifted[node] = evaluate(node._row, self._numbers(node))
        return order, False

    def _number(self, node: Any) -> Any:
        """A node as rules are to see it: a dual number, a node of the graph that the answer belongs to, or a float."""
        return self.lifted.get(node, node if node in self.outside else node.data)

    def _numbers(self, node: Any) -> tuple[Any, ...]:
        return tuple([self._number(x) if isinstance(x, Methods) else x for x in node.operands])

    def slopes(self, root: Any) -> list[Any]:
        """The derivative of one number, which f computed, by each variable: one sweep."""
        return [0.0 if slope is ZERO else slope for slope in self._slopes(root)]

    def _slopes(self, root: Any) -> list[Any]:
        if type(root) is Dual:  # f uses dual numbers of an outer derivative; a derivative is linear
            both = zip(self._slopes(root.primal), self._slopes(root.tangent), strict=True)
            return [perturbed(primal, tangent, root.level) for primal, tangent in both]
        if not isinstance(root, Methods):
            return [ZERO] * len(self.variables)
        adjoints, plain = self.order(root)
        propagate(root, 1.0, adjoints, self.variables, None if plain else self._partials)
        return [adjoints[leaf] for leaf in self.variables]

    def _partials(self, node: Any) -> tuple[Any, Any]:
        """The local partials of a node by its rule, and only towards what depends on the variables."""
        if node not in self.dependents:
            return ZERO, ZERO
        if node not in self.edges:
            with unobserved():  # `checked()` is about contributions; a partial that nobody needs may well be infinite
                numbers = self._numbers(node)
                if len(numbers) == 2:
                    numbers = tuple(
                        [
                            Constant(x) if type(x) is float and x is y else x
                            for x, y in zip(numbers, node.operands, strict=True)
                        ]
                    )
                slopes = node._row.partials(self._number(node), numbers)
            live = [
                slope if recorded is not ZERO and isinstance(operand, Methods) and operand in self.dependents else ZERO
                for operand, recorded, slope in zip(node.operands, node.partials, slopes, strict=True)
            ]
            for slope, recorded in zip(live, node.partials, strict=True):
                _check_unwritten(node, slope, recorded)
            row = node._row if type(node) is Value else None  # a traced `where` has two live edges
            self.edges[node] = layout(row, node.operands, tuple(live))[2:]
        return self.edges[node]

    def answer(self, tree: Tree) -> Tree:
        """Numbers that f computed as the caller may see them: floats, unless other variables are behind them."""
        self._everything([number for _, number in trees.numbers(tree)])
        return trees.mapped(self.answer_of, tree)

    def answer_of(self, number: Any) -> Any:
        """The same of one number, whose graph has been ordered before."""
        if type(number) is Dual:
            return perturbed(self.answer_of(number.primal), self.answer_of(number.tangent), number.level)
        return self._number(number) if isinstance(number, Methods) else number

    def _everything(self, numbers: Sequence[Any]) -> tuple[dict[Any, Any], bool]:
        """The graph behind all of several numbers."""
        nodes = [node for number in numbers for node in _nodes(number)]
        with unobserved():
            return self.order(sum_of(*nodes, 0.0)) if nodes else ({}, True)

    def matrix(self, symmetric: bool) -> sparsity.Rows:
        """The Jacobian: for each output its derivatives by the variables it depends on, by their numbers."""
        order, plain = self._everything(self.outputs)
        depends = sparsity.dependence(order, self.variables)
        patterns = [
            functools.reduce(int.__or__, [depends[node] for node in _nodes(output)], 0) for output in self.outputs
        ]
        columns = sparsity.transposed(patterns, len(self.variables))
        column_sums = functools.partial(self._column_sums, order)
        if symmetric:
            if plain:
                return sparsity.recover_symmetric(columns, column_sums)
            return sparsity.recover_symmetric(patterns, self._row_sums)
        backward = sparsity.groups(patterns)
        if plain and len(forward := sparsity.groups(columns)) < len(backward):
            return sparsity.flipped(sparsity.recover(columns, forward, column_sums), len(patterns))
        return sparsity.recover(patterns, backward, self._row_sums)

    def _column_sums(self, order: Iterable[Any], columns: list[int]) -> list[Any]:
        """The derivatives of all outputs in one direction: columns that do not overlap, all in one pass forwards."""
        tangents = dict.fromkeys(self.variables, ZERO) | {self.variables[j]: 1.0 for j in columns}
        push(order, tangents)
        found = [tangents[output] if isinstance(output, Methods) else ZERO for output in self.outputs]
        return [0.0 if tangent is ZERO else tangent for tangent in found]

    def _row_sums(self, rows: list[int]) -> list[Any]:
        """The derivatives of a sum of outputs: rows that do not overlap, all in one sweep."""
        outputs = [self.outputs[i] for i in rows]
        with unobserved():
            return self.slopes(outputs[0] if len(outputs) == 1 else sum_of(*outputs))


def _innermost(number: Any) -> Any:
    """What a dual number of dual numbers is made of."""
    while type(number) is Dual:
        number = number.primal
    return number


def _nodes(number: Any) -> list[Any]:
    """The nodes that a number consists of: itself, or the parts of a dual number."""
    if type(number) is Dual:
        return _nodes(number.primal) + _nodes(number.tangent)
    return [number] if isinstance(number, Methods) else []


def _check_unwritten(node: Any, slope: Any, recorded: Any) -> None:
    number = getattr(slope, "data", slope)
    if type(number) is float and number != recorded and not (isnan(number) and isnan(recorded)):
        raise ArgumentError(
            f"The data of a leaf was written between recording {node.op} and differentiating it: its local "
            f"derivative was {recorded!r} and is {number!r} now.",
            "Write to leaves after the derivative is computed, or inside of the function.",
        )


# -- arguments and results ---------------------------------------------------------------------------------------------


def _transform(name: str, f: Function, wrapper: Function) -> Function:
    if not callable(f):
        raise OperandError(f"{name}() takes a function, not {shown(f)}.", f"Write {name}(f)(x), not {name}(f(x)).")
    return functools.wraps(f)(_of_formulas(wrapper))


def _value_and_grad(name: str, f: Function, argnums: int | Sequence[int], has_aux: bool) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        recorded = _Recorded(name, f, args, kwargs, _positions(argnums, args), has_aux)
        if not trees.is_number(recorded.result):
            raise OperandError(
                f"{name}() needs a function that returns one number; this one returned "
                f"{trees.described(recorded.result)}.",
                "Return a single Value, or use jacobian(f): the derivative of every number that f returns"
                + ("; its second derivatives are jacobian(jacobian(f))." if name == "hessian" else "."),
            )
        (output,) = recorded.outputs
        gradient = _arranged(args, argnums, recorded.slopes(output))
        value = recorded.answer_of(output)
        return ((value, recorded.aux) if has_aux else value), gradient

    return _transform(name, f, wrapper)


def _gradient(name: str, f: Function, argnums: int | Sequence[int], has_aux: bool) -> Function:
    both = _value_and_grad(name, f, argnums, has_aux)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return _transform(name, f, wrapper)


def _jacobian(
    name: str, f: Function, argnums: int | Sequence[int], has_aux: bool, sparse: bool, symmetric: bool = False
) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        recorded = _Recorded(name, f, args, kwargs, _positions(argnums, args), has_aux)
        rows, n = recorded.matrix(symmetric), len(recorded.variables)
        if sparse:
            matrix = sparsity.coordinates(rows, n)
        else:
            layers = [_arranged(args, argnums, [row.get(j, 0.0) for j in range(n)]) for row in rows]
            argument = tuple([args[i] for i in argnums]) if isinstance(argnums, Sequence) else args[argnums]
            matrix = trees.outer(recorded.result, argument, iter(layers))
        return (matrix, recorded.aux) if has_aux else matrix

    return _transform(name, f, wrapper)


def _positions(argnums: int | Sequence[int], args: Sequence[Any]) -> list[int]:
    """The arguments to differentiate by, counted from 0."""
    try:
        positions = list(map(index, argnums if isinstance(argnums, Sequence) else [argnums]))
    except TypeError:
        raise OperandError(
            f"argnums takes the position of an argument, or several, not {shown(argnums)}.",
            "Count from 0: argnums=(0, 1).",
        ) from None
    for position in positions:
        if not -len(args) <= position < len(args):
            raise ArgumentError(
                f"There is no argument {position} to differentiate by: {len(args)} were given.",
                "Choose argnums among the positional arguments, counted from 0.",
            )
    positions = [position % len(args) for position in positions]
    if len(set(positions)) < len(positions):
        raise ArgumentError(f"argnums = {argnums} names an argument twice.", "Name each argument once.")
    return positions


def _arranged(args: Sequence[Any], argnums: int | Sequence[int], slopes: list[Any]) -> Any:
    """One slope a number, in the structure of the arguments that were differentiated by."""
    remaining = iter(slopes)
    if isinstance(argnums, Sequence):
        return tuple([trees.rebuilt(args[position], remaining) for position in argnums])
    return trees.rebuilt(args[argnums], remaining)


def names_of(f: Function, n: int) -> list[str]:
    """What the first n arguments of f are called."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # some builtins have none
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return named[:n] + [f"args[{i}]" for i in range(len(named), n)]


def _numbers(name: str, path: str, tree: Tree) -> list[Any]:
    """The numbers of an argument."""
    found = []
    for place, leaf in trees.numbers(tree, path):
        number = leaf if isinstance(leaf, Methods) else as_number(leaf)
        if number is None:
            if is_operand(leaf):
                raise _FormulaError
            raise operand_error(f"{name}() by {place}", leaf)
        found.append(number)
    return found


def _outputs(name: str, result: Tree) -> list[Any]:
    """The numbers that f returned."""
    if result is None:
        raise OperandError(
            f"{name}() needs a function that returns numbers; this one returned None.", "Look for a forgotten `return`."
        )
    found = []
    for place, leaf in trees.numbers(result, "result"):
        number = leaf if isinstance(leaf, Methods) else None if isinstance(leaf, bool) else as_number(leaf)
        if number is None:
            raise OperandError(
                f"{name}() needs a function that returns numbers; {place} is {shown(leaf)}.",
                "Return Values, or lists, tuples, dicts and arrays of them.",
            )
        found.append(number)
    return found


def _split(returned: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return returned, None
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ArgumentError(
            f"With has_aux the function must return (result, something else); this one returned {shown(returned)}.",
            "Return a tuple of two, or leave has_aux out.",
        )
    return returned


def _check_primals(name: str, f: Function, primals: Any) -> None:
    if not callable(f):
        raise OperandError(f"{name}() takes a function, not {shown(f)}.", f"Write {name}(f, (x,), (dx,)).")
    if not isinstance(primals, (tuple, list)):
        raise OperandError(
            f"{name}() takes the arguments of f in a tuple, not {shown(primals)}.", f"Write {name}(f, (x,), (dx,))."
        )
    try:
        inspect.signature(f).bind(*primals)
    except TypeError as error:
        raise ArgumentError(
            f"f cannot be called with the {len(primals)} arguments in primals: {error}.",
            f"Give one entry an argument: {name}(f, (x,), (dx,)) where x itself may be a list.",
        ) from None
    except ValueError:  # some builtins have no signature
        return
