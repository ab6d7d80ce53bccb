"""Functions of functions: `grad`, `jacobian`, `hessian`, `vjp`, `jvp`, `hvp`, which nest in any order.

All but `jvp` record the function once (`recorded`); `jvp` runs it on dual numbers (`dual`).
Not here: the chain rule (`sweep`, `dual`), structures (`trees`), sparse matrices (`sparsity`).
Read next: `transforms.curvature`.
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
from autograd_mini.core.traced import Traced, tape
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.program.owner import transparent
from autograd_mini.program.stack import recording
from autograd_mini.transforms import sparsity, trees
from autograd_mini.transforms.detached import detach, no_grad, recorded
from autograd_mini.transforms.recorded import Recorded, innermost, variable
from autograd_mini.transforms.trees import Tree

Function = Callable[..., Any]
Argnums = int | Sequence[int]


# -- formulas among the arguments --------------------------------------------------------------------------------------


class FormulaError(Exception):
    """An argument is a formula, such as a SymPy symbol."""


def of_formulas(function: Function, always: bool = False) -> Function:
    """Make a function of trees accept formulas too: it then runs on traced numbers and returns formulas.

    With `always`, it returns formulas even if only a number outside its arguments is one. Inside `no_grad` it records
    a graph of its own, and takes and returns constants.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if recording().hooks.finish is not None:  # inside `no_grad`
            args, kwargs = trees.mapped(detach, (args, kwargs))
            with recorded():
                return trees.mapped(detach, call(*args, **kwargs))
        try:
            result = function(*args, **kwargs)
            if not always:
                return result
        except FormulaError:
            leaves = [Traced(leaf) if is_formula(leaf) else leaf for _, leaf in trees.numbers(args)]
            result = function(*trees.rebuilt(args, iter(leaves)), **kwargs)
        if tape.get() is not None or any(type(innermost(leaf)) is Traced for _, leaf in trees.numbers(args)):
            return result  # inside another transform of formulas, or a trace
        return trees.mapped(lambda number: number.data if type(number) is Traced else number, result)

    return call


def is_formula(leaf: Any) -> bool:
    """Return True for something like a SymPy expression: operations work on it, but it is not a number or a node."""
    return not isinstance(leaf, Methods) and as_number(leaf) is None and is_operand(leaf)


# -- what users call ---------------------------------------------------------------------------------------------------


def grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """Return the function that computes the gradient of f.

    Args:
        f: a function that returns one number, written with this package's functions. Its arguments are numbers, or
            lists, tuples, dicts and NumPy arrays of numbers, nested as you like.
        argnums: the position, or positions, of the arguments to differentiate with respect to.
        has_aux: True if f returns (number, something else), where something else is passed on.

    Returns:
        a function of the same arguments. It returns floats in the structure of the argument: an array of its shape for
        a NumPy array, a tuple with one entry per position if argnums is a sequence. If an argument, or anything else
        that f uses, is a `Value`, it returns `Value`s, which you can differentiate again, to any order. With has_aux it
        returns (gradient, something else).

    Raises:
        ArgumentError: f has no argument at that position.
        OperandError: f does not return one number, or an argument to differentiate by is not made of numbers.

    >>> grad(lambda x: x**3)(2.0), grad(grad(lambda x: x**3))(2.0)
    (12.0, 12.0)
    >>> grad(lambda params: params["w"][0] * params["w"][1] + params["b"])({"w": [2.0, 5.0], "b": 1.0})
    {'w': [5.0, 2.0], 'b': 1.0}
    """
    return _transform("grad", f, argnums, has_aux, lambda record: _value_and_gradient("grad", record)[1])


def value_and_grad(f: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """Return the function that computes the value of f and its gradient together.

    Args:
        f: as for `grad`.
        argnums: as for `grad`.
        has_aux: as for `grad`.

    Returns:
        a function of the same arguments that returns (value, gradient), or ((value, something else), gradient).

    Raises:
        AutogradError: as `grad` does.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """
    finish = functools.partial(_value_and_gradient, "value_and_grad")
    return _transform("value_and_grad", f, argnums, has_aux, finish, lambda both, aux: ((both[0], aux), both[1]))


def jacobian(f: Function, argnums: Argnums = 0, has_aux: bool = False, *, sparse: bool = False) -> Function:
    """Return the function that computes the derivatives of all numbers f returns with respect to all input numbers.

    f is recorded once, and the graph shows which outputs depend on which inputs. Rows (sweeps backwards) or columns
    (passes forwards) that do not overlap are computed together, whichever needs fewer.

    Args:
        f: a function that returns a structure of numbers; otherwise as for `grad`.
        argnums: as for `grad`.
        has_aux: as for `grad`.
        sparse: return only the entries that can differ from zero.

    Returns:
        a function of the same arguments. It returns the structure of the result of f, with each number replaced by its
        derivative in the structure of the argument; an array by an array gives an array of both shapes. With sparse it
        returns a matrix with one row per output and one column per input, from left to right: SciPy's `coo_array`, or
        (rows, columns, values) if SciPy is not installed.

    Raises:
        ArgumentError: f has no argument at that position.
        OperandError: f returns, or is given, something that is not made of numbers.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + 1.0])([2.0, 5.0])
    [[5.0, 2.0], [1.0, 0.0]]
    """
    return _transform("jacobian", f, argnums, has_aux, lambda r: _matrix(r, r.result, r.jacobian(), sparse))


def hessian(f: Function, argnums: Argnums = 0, has_aux: bool = False, *, sparse: bool = False) -> Function:
    """Return the function that computes all second derivatives of f, the Jacobian of its gradient.

    The recorded graph shows which entries can differ from zero. Each is computed once for both halves of the symmetric
    matrix, and columns that do not overlap share a sweep: the Hessian of a chain costs four sweeps, however long it is.

    Args:
        f: as for `grad`.
        argnums: as for `grad`.
        has_aux: as for `grad`.
        sparse: as for `jacobian`.

    Returns:
        a function of the same arguments. It returns the structure of the argument with each number replaced by that
        structure: a list of lists for a list, an array with the shape twice over for an array.

    Raises:
        AutogradError: as `grad` does.

    >>> hessian(lambda x: x[0] ** 3 * x[1])([2.0, 5.0])
    [[60.0, 12.0], [12.0, 0.0]]
    """

    def finish(record: Recorded) -> Any:
        _output("hessian", record)
        return _matrix(record, record.argument, record.hessian(), sparse)

    return _transform("hessian", f, argnums, has_aux, finish)


def vjp(f: Function, *primals: Tree, has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of f, and the function that pulls derivatives back through it: vector-Jacobian products.

    Args:
        f: a function that returns a structure of numbers.
        primals: its arguments; the derivative is with respect to all of them.
        has_aux: True if f returns (result, something else), where something else is passed on.

    Returns:
        (result, pullback), and with has_aux (result, pullback, something else). `pullback(cotangent)` takes a
        structure like the result, and returns a tuple with one structure per argument. You can call it repeatedly.

    Raises:
        ArgumentError: the cotangent does not have the structure of the result.
        OperandError: f returns, or is given, something that is not made of numbers.

    >>> y, pullback = vjp(lambda x, y: [x * y, x + y], 2.0, 5.0)
    >>> y, pullback([1.0, 0.0]), pullback([0.0, 1.0])
    ([10.0, 7.0], (5.0, 2.0), (1.0, 1.0))
    """
    result, pullback, aux = of_formulas(_vjp)(f, primals, has_aux)
    pullback = of_formulas(pullback, always=any(is_formula(leaf) for _, leaf in trees.numbers(primals)))
    if recording().hooks.finish is not None:  # what is outside `no_grad` stays constant for it
        pullback = no_grad(pullback)
    return (result, pullback, aux) if has_aux else (result, pullback)


def _vjp(f: Function, primals: Sequence[Tree], has_aux: bool) -> tuple[Tree, Function, Tree]:
    record = _recorded("vjp", f, primals, {}, range(len(primals)), has_aux)

    def pullback(cotangent: Tree) -> Any:
        matched = trees.matched(record.result, cotangent, "the result", "cotangent")
        weights = _numbers("vjp", "the cotangent", matched)
        return record.arranged(record.slopes(record.outputs, weights))

    return record.answer(record.result), pullback, record.aux


@of_formulas
def jvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of f and its derivative along a direction, in one pass forwards: Jacobian-vector products.

    Args:
        f: a function that returns a structure of numbers.
        primals: its arguments, in a tuple or list.
        tangents: the direction, in the same structure.
        has_aux: True if f returns (result, something else), where something else is passed on.

    Returns:
        (result, tangent), both in the structure of the result, and with has_aux (result, tangent, something else).

    Raises:
        ArgumentError: tangents does not have the structure of primals.
        OperandError: f returns, or is given, something that is not made of numbers.

    >>> jvp(lambda x, y: x * y, (2.0, 5.0), (1.0, 0.0))
    (10.0, 5.0)
    """
    numbers, slopes = _directed("jvp", f, primals, tangents)
    with Level() as level:
        duals = iter([Dual(number, slope, level) for number, slope in zip(numbers, slopes, strict=True)])
        result, outputs, aux = _split("jvp", f(*[trees.rebuilt(primal, duals) for primal in primals]), has_aux)
        value = [primal_at(y, level) for y in outputs]
        tangent = [tangent_at(y, level) for y in outputs]
        aux = trees.mapped(lambda y: primal_at(y, level), aux)
    if (checks := recording().hooks.checked) is not None:
        for both in zip(value, tangent, strict=True):
            checks.dual("jvp's result", *both)
    answer = trees.rebuilt(result, iter(value)), trees.rebuilt(result, iter(tangent))
    return (*answer, aux) if has_aux else answer


@of_formulas
def hvp(f: Function, primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """Return the Hessian of f times a vector, without computing the Hessian: the sweep's derivative along the vector.

    Args:
        f: a function that returns one number.
        primals: its arguments, in a tuple or list.
        tangents: the vector, in the same structure.

    Returns:
        the product in the structure of the argument; a tuple of products if there are several arguments.

    Raises:
        ArgumentError: tangents does not have the structure of primals.
        OperandError: f does not return one number, or an argument is not made of numbers.

    >>> hvp(lambda x: x[0] ** 3 * x[1], ([2.0, 5.0],), ([1.0, 0.0],))
    [60.0, 12.0]
    """
    _, vector = _directed("hvp", f, primals, tangents)
    record = _recorded("hvp", f, primals, {}, 0 if len(primals) == 1 else range(len(primals)), False)
    _output("hvp", record)
    return record.arranged(record.hessian_times(vector))


@transparent
def stop_gradient(x: Tree) -> Tree:
    """Return the same numbers as constants: every derivative ends here.

    Args:
        x: a number or `Value`, or a structure of them.

    Returns:
        the same structure.

    Raises:
        OperandError: x is not made of numbers.

    Derivative: no edge.

    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    3.0
    """
    return trees.rebuilt(x, map(stop, [number for _, number in trees.numbers(x)]))


# -- arguments and results ---------------------------------------------------------------------------------------------


def _transform(
    name: str, f: Function, argnums: Argnums, has_aux: bool, finish: Callable[[Recorded], Any],
    join: Callable[[Any, Any], Any] = lambda answer, aux: (answer, aux),
) -> Function:  # fmt: skip
    """Return the function that records f at its arguments, and joins the result of `finish` with the rest."""
    if not callable(f):
        raise OperandError(f"{name}() takes a function, not {shown(f)}.", f"Write {name}(f)(x), not {name}(f(x)).")

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        record = _recorded(name, f, args, kwargs, argnums, has_aux)
        answer = finish(record)
        return join(answer, record.aux) if has_aux else answer

    return functools.wraps(f)(of_formulas(wrapper))


def _recorded(
    name: str, f: Function, args: Sequence[Any], kwargs: dict[str, Any], argnums: Argnums, has_aux: bool
) -> Recorded:
    """Record f at its arguments, with a variable for every number to differentiate by."""
    positions, names = _positions(argnums, args), names_of(f, len(args))
    found = [number for position in positions for number in _numbers(name, names[position], args[position])]
    is_traced = tape.get() is not None or any(type(innermost(x)) is Traced for x in found)
    leaf = Traced if is_traced else Value  # they do not mix
    variables = [variable(x, leaf) for x in found]
    replacements = iter(variables)
    arguments = list(args)
    for position in positions:
        arguments[position] = trees.rebuilt(args[position], replacements)
    argument = tuple([args[i] for i in argnums]) if isinstance(argnums, Sequence) else args[argnums]
    return Recorded(f, arguments, kwargs, argument, variables, lambda returned: _split(name, returned, has_aux))


def _value_and_gradient(name: str, record: Recorded) -> tuple[Any, Tree]:
    output = _output(name, record)
    gradient = record.arranged(record.slopes([output]))
    return record.answer_of(output), gradient


def _matrix(record: Recorded, outer: Tree, rows: sparsity.Rows, sparse: bool) -> Any:
    width = len(record.variables)
    if sparse:
        return sparsity.coordinates(rows, width)
    layers = [record.arranged([row.get(j, 0.0) for j in range(width)]) for row in rows]
    return trees.outer(outer, record.argument, iter(layers))


def _positions(argnums: Argnums, args: Sequence[Any]) -> list[int]:
    """Return the arguments to differentiate by, counted from 0."""
    try:
        positions = list(map(index, argnums if isinstance(argnums, Sequence) else [argnums]))
    except TypeError:
        raise OperandError(
            f"argnums takes the position of an argument, or several positions, not {shown(argnums)}.",
            "Count from 0: argnums=(0, 1).",
        ) from None
    for position in positions:
        if not -len(args) <= position < len(args):
            raise ArgumentError(
                f"There is no argument {position} to differentiate by: {counted(len(args), 'positional argument')} "
                f"{'was' if len(args) == 1 else 'were'} given.",
                "Pass those arguments by position: f(2.0), not f(x=2.0); argnums counts them from 0.",
            )
    positions = [position % len(args) for position in positions]
    if len(set(positions)) < len(positions):
        raise ArgumentError(f"argnums = {argnums} names an argument twice.", "Name each argument once.")
    return positions


def names_of(f: Function, n: int) -> list[str]:
    """Return the names of the first n arguments of f."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # some builtins have no signature
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return named[:n] + [f"args[{i}]" for i in range(len(named), n)]


def _number(name: str, place: str, leaf: Any) -> Any:
    """Return a leaf of a structure as a recording number or a float; None if it is neither."""
    if type(leaf) is float:
        return leaf
    leaf = settled(leaf)
    inner = innermost(leaf)
    if is_node(inner) and type(inner) is not Value:
        raise OperandError(
            f"{name}() takes numbers and Values of autograd_mini; {place} is one of autograd_mini.micrograd.",
            "Call backward() on those, or import Value from autograd_mini.",
        )
    return leaf if isinstance(leaf, Methods) else as_number(leaf)


def _numbers(name: str, path: str, tree: Tree) -> list[Any]:
    """Return the numbers of an argument."""
    found = []
    for place, leaf in trees.numbers(tree, path):
        number = _number(name, place, leaf)
        if number is None:
            raise FormulaError if is_operand(leaf) else operand_error(f"{name}() by {place}", leaf)
        found.append(number)
    return found


def _split(name: str, returned: Any, has_aux: bool) -> tuple[Tree, list[Any], Any]:
    """Split what f returned into a structure of numbers, the numbers in it, and the rest."""
    result, aux = returned, None
    if has_aux:
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise ArgumentError(
                f"With has_aux, the function must return (result, something else), but it returned {shown(returned)}.",
                "Return a pair, or leave has_aux out.",
            )
        result, aux = returned
    if result is None:
        raise OperandError(
            f"{name}() needs a function that returns numbers; this one returned None.", "Look for a forgotten `return`."
        )
    outputs = []
    for place, leaf in trees.numbers(result, "result"):
        number = None if isinstance(leaf, bool) else _number(name, place, leaf)
        if number is None:
            raise OperandError(
                f"{name}() needs a function that returns numbers; {place} is {shown(leaf)}.",
                "Return Values, or lists, tuples, dicts and arrays of them.",
            )
        outputs.append(number)
    return result, outputs, aux


def _output(name: str, record: Recorded) -> Any:
    """Return the single number that f returned."""
    if not trees.is_number(record.result):
        raise OperandError(
            f"{name}() needs a function that returns one number; this one returned {trees.described(record.result)}.",
            "Return a single Value, or use jacobian(f), the derivative of every number that f returns"
            + ("; its second derivatives are jacobian(jacobian(f))." if name == "hessian" else "."),
        )
    return record.outputs[0]


def _directed(name: str, f: Function, primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
    """Return the numbers in the arguments of a forward transform, and the numbers of the direction."""
    usage = f"{name}(f, (x,), (dx,))"
    if not callable(f):
        raise OperandError(f"{name}() takes a function, not {shown(f)}.", f"Write {usage}.")
    if not isinstance(primals, (tuple, list)):
        raise OperandError(f"{name}() takes the arguments of f in a tuple, not {shown(primals)}.", f"Write {usage}.")
    try:
        inspect.signature(f).bind(*primals)
    except TypeError as error:
        raise ArgumentError(
            f"f cannot be called with the {len(primals)} arguments in primals: {error}.",
            f"Pass one entry per argument: {usage}, where x itself may be a list.",
        ) from None
    except ValueError:  # some builtins have no signature
        pass
    if not isinstance(tangents, (tuple, list)) or len(tangents) != len(primals):
        raise ArgumentError(
            f"primals has {len(primals)} entries, but tangents is {trees.described(tangents)}.",
            f"Pass a tuple with one tangent per argument: {usage}.",
        )
    numbers, slopes = [], []
    for path, primal, tangent in zip(names_of(f, len(primals)), primals, tangents, strict=True):
        numbers += _numbers(name, path, primal)
        slopes += _numbers(name, "the tangent", trees.matched(primal, tangent, path, "tangent"))
    return numbers, slopes
