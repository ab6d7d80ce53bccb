"""Functions of functions: `grad`, `jacobian`, `hessian`, `vjp`, `jvp`, `hvp`, which nest in any order.

All but `jvp` record the function once (`recorded`); `jvp` runs it on dual numbers (`dual`).
Not here: the chain rule (`sweep`, `dual`), derivatives (`primitives`), structures (`trees`) and which sweeps a sparse
matrix needs (`sparsity`). Read next: `recorded`, `nn`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from operator import index
from typing import Any

from autograd_mini.core.dual import Dual, Level, primal_at, settled, tangent_at
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import as_number, is_operand, operand_error
from autograd_mini.core.table import stop
from autograd_mini.core.traced import Traced
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.program.owner import transparent
from autograd_mini.program.stack import recording
from autograd_mini.transforms import sparsity, trees
from autograd_mini.transforms.detached import is_cut, isolated
from autograd_mini.transforms.recorded import Recorded, innermost, variable
from autograd_mini.transforms.trees import Tree

Function = Callable[..., Any]


# -- formulas among the arguments --------------------------------------------------------------------------------------


class _FormulaError(Exception):
    """An argument is a formula, such as a SymPy symbol."""


def _of_formulas(function: Function, always: bool = False, cut: bool = False) -> Function:
    """A transform that takes formulas too: it runs on traced numbers then, and returns formulas.

    Args:
        function: a function of trees.
        always: whether what it returns are formulas although its own arguments are not.
        cut: whether it returns constants outside of `no_grad` too.
    """
    function = isolated(function, cut)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
            if not always:
                return result
        except _FormulaError:
            leaves = [Traced(leaf) if _is_formula(leaf) else leaf for _, leaf in trees.numbers(args)]
            result = function(*trees.rebuilt(args, iter(leaves)), **kwargs)
        if any(type(innermost(leaf)) is Traced for _, leaf in trees.numbers(args)):
            return result  # inside of another transform of formulas
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
    both = _value_and_grad("grad", f, argnums, has_aux)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return _transform("grad", f, wrapper)


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
    return _jacobian("jacobian", f, argnums, has_aux, sparse, lambda found, _: (found.result, found.jacobian()))


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

    def rows(recorded: Recorded, argument: Tree) -> tuple[Tree, sparsity.Rows]:
        _check_one_number("hessian", recorded.result)
        return argument, recorded.hessian()

    return _jacobian("hessian", f, argnums, has_aux, sparse, rows)


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
    result, pullback, aux = _of_formulas(_vjp)(f, primals, has_aux)
    of_formulas = any(_is_formula(leaf) for _, leaf in trees.numbers(primals))
    pullback = _of_formulas(pullback, of_formulas, is_cut())  # what was outside of `no_grad` stays constant for it
    return (result, pullback, aux) if has_aux else (result, pullback)


def _vjp(f: Function, primals: Sequence[Tree], has_aux: bool) -> tuple[Tree, Function, Tree]:
    recorded = _recorded("vjp", f, primals, {}, range(len(primals)), has_aux)

    def pullback(cotangent: Tree) -> tuple[Any, ...]:
        weights = _matched("vjp", recorded.result, cotangent, "the result", "cotangent")
        slopes = iter(recorded.slopes(recorded.outputs, weights))
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
    names = _check_primals("jvp", f, primals, tangents)
    with Level() as level:
        duals = iter(
            [
                Dual(number, slope, level)
                for name, primal, tangent in zip(names, primals, tangents, strict=True)
                for number, slope in zip(
                    _numbers("jvp", name, primal), _matched("jvp", primal, tangent, name, "tangent"), strict=True
                )
            ]
        )
        result, outputs, aux = _split("jvp", f(*[trees.rebuilt(primal, duals) for primal in primals]), has_aux)
        value = [primal_at(y, level) for y in outputs]
        tangent = [tangent_at(y, level) for y in outputs]
        aux = trees.mapped(lambda y: primal_at(y, level), aux)
    if (checks := recording().hooks.checked) is not None:
        for numbers in zip(value, tangent, strict=True):
            checks.dual("jvp's result", *numbers)
    answer = trees.rebuilt(result, iter(value)), trees.rebuilt(result, iter(tangent))
    return (*answer, aux) if has_aux else answer


@_of_formulas
def hvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """The Hessian of f times a vector, without the Hessian: the derivative of the sweep along the vector.

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
    names = _check_primals("hvp", f, primals, tangents)
    positions = range(len(primals))
    vector = [
        number
        for name, primal, tangent in zip(names, primals, tangents, strict=True)
        for number in _matched("hvp", primal, tangent, name, "tangent")
    ]
    recorded = _recorded("hvp", f, primals, {}, positions, False)
    _check_one_number("hvp", recorded.result)
    return _arranged(primals, 0 if len(primals) == 1 else positions, recorded.hessian_times(vector))


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


# -- arguments and results ---------------------------------------------------------------------------------------------


def _transform(name: str, f: Function, wrapper: Function) -> Function:
    if not callable(f):
        raise OperandError(f"{name}() takes a function, not {shown(f)}.", f"Write {name}(f)(x), not {name}(f(x)).")
    return functools.wraps(f)(_of_formulas(wrapper))


def _recorded(
    name: str, f: Function, args: Sequence[Any], kwargs: dict[str, Any], positions: Sequence[int], has_aux: bool
) -> Recorded:
    """f, recorded at its arguments, with a variable for every number at these positions."""
    names = names_of(f, len(args))
    found = [_numbers(name, names[position], args[position]) for position in positions]
    leaf = (
        Traced if any(type(innermost(x)) is Traced for numbers in found for x in numbers) else Value
    )  # they do not mix
    variables = [variable(x, leaf) for numbers in found for x in numbers]
    replacements = iter(variables)
    arguments = list(args)
    for position in positions:
        arguments[position] = trees.rebuilt(args[position], replacements)
    return Recorded(f, arguments, kwargs, variables, lambda returned: _split(name, returned, has_aux))


def _value_and_grad(name: str, f: Function, argnums: int | Sequence[int], has_aux: bool) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        recorded = _recorded(name, f, args, kwargs, _positions(argnums, args), has_aux)
        _check_one_number(name, recorded.result)
        (output,) = recorded.outputs
        gradient = _arranged(args, argnums, recorded.slopes([output]))
        value = recorded.answer_of(output)
        return ((value, recorded.aux) if has_aux else value), gradient

    return _transform(name, f, wrapper)


def _jacobian(
    name: str, f: Function, argnums: int | Sequence[int], has_aux: bool, sparse: bool, rows: Callable[..., Any]
) -> Function:
    """The function that computes a matrix; `rows` gives its structure and its entries."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        recorded = _recorded(name, f, args, kwargs, _positions(argnums, args), has_aux)
        argument = tuple([args[i] for i in argnums]) if isinstance(argnums, Sequence) else args[argnums]
        outer, entries = rows(recorded, argument)
        n = len(recorded.variables)
        if sparse:
            matrix = sparsity.coordinates(entries, n)
        else:
            layers = [_arranged(args, argnums, [row.get(j, 0.0) for j in range(n)]) for row in entries]
            matrix = trees.outer(outer, argument, iter(layers))
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
                f"There is no argument {position} to differentiate by: {counted(len(args), 'positional argument')} "
                f"{'was' if len(args) == 1 else 'were'} given.",
                "Derivatives are by positional arguments: write f(2.0), not f(x=2.0); argnums counts them from 0.",
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
        leaf = settled(leaf)
        _check_kind(name, place, leaf)
        number = leaf if isinstance(leaf, Methods) else as_number(leaf)
        if number is None:
            if is_operand(leaf):
                raise _FormulaError
            raise operand_error(f"{name}() by {place}", leaf)
        found.append(number)
    return found


def _check_kind(name: str, place: str, leaf: Any) -> None:
    inner = innermost(leaf)
    if is_node(inner) and type(inner) is not Value:
        raise OperandError(
            f"{name}() takes numbers and Values of autograd_mini; {place} is one of autograd_mini.micrograd.",
            "Call backward() on those, or import Value from autograd_mini.",
        )


def _outputs(name: str, result: Tree) -> list[Any]:
    """The numbers that f returned."""
    if result is None:
        raise OperandError(
            f"{name}() needs a function that returns numbers; this one returned None.", "Look for a forgotten `return`."
        )
    found = []
    for place, leaf in trees.numbers(result, "result"):
        leaf = settled(leaf)
        _check_kind(name, place, leaf)
        number = leaf if isinstance(leaf, Methods) else None if isinstance(leaf, bool) else as_number(leaf)
        if number is None:
            raise OperandError(
                f"{name}() needs a function that returns numbers; {place} is {shown(leaf)}.",
                "Return Values, or lists, tuples, dicts and arrays of them.",
            )
        found.append(number)
    return found


def _split(name: str, returned: Any, has_aux: bool) -> tuple[Tree, list[Any], Any]:
    """What f returned: a structure of numbers, the numbers in it, and the rest."""
    if not has_aux:
        return returned, _outputs(name, returned), None
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ArgumentError(
            f"With has_aux the function must return (result, something else); this one returned {shown(returned)}.",
            "Return a tuple of two, or leave has_aux out.",
        )
    return returned[0], _outputs(name, returned[0]), returned[1]


def _check_one_number(name: str, result: Tree) -> None:
    if not trees.is_number(result):
        raise OperandError(
            f"{name}() needs a function that returns one number; this one returned {trees.described(result)}.",
            "Return a single Value, or use jacobian(f): the derivative of every number that f returns"
            + ("; its second derivatives are jacobian(jacobian(f))." if name == "hessian" else "."),
        )


def _matched(name: str, tree: Tree, other: Tree, path: str, role: str) -> list[Any]:
    """The numbers of a tangent or cotangent, one for each number of the structure it belongs to."""
    return _numbers(name, f"the {role}", trees.matched(tree, other, path, role))


def _check_primals(name: str, f: Function, primals: Any, tangents: Any) -> list[str]:
    """Hold the arguments of a forward transform against each other; return what the primals are called."""
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
        pass
    if not isinstance(tangents, (tuple, list)) or len(tangents) != len(primals):
        raise ArgumentError(
            f"primals has {len(primals)} entries, and tangents is {trees.described(tangents)}.",
            f"Pass a tuple with one tangent an argument: {name}(f, (x,), (dx,)).",
        )
    return names_of(f, len(primals))
