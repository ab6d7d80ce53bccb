"""`functional_call`: a model as a function of its parameters, for `grad` and its relatives.

Not here: a model's parameters and their names (`module`). Read next: `optim`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, MappingView, MutableMapping, MutableSequence, Sequence, Set
from dataclasses import is_dataclass
from types import MappingProxyType, MethodType
from typing import Any, cast

from autograd_mini.core.dual import settled
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import as_number, is_operand, operand_error
from autograd_mini.core.traced import Traced
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.nn.module import ATOMS, Module, array_parts, array_within, attributes, by_name, once_each
from autograd_mini.program.owner import is_machinery
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import FormulaError, is_formula, of_formulas
from autograd_mini.transforms.recorded import innermost, nodes_of

Bound = dict[Value, tuple[str, Any]]  # each parameter: the name it was given by, and its replacement
_ABSENT = object()
Copies = dict[int, tuple[Any, Any]]  # by id: the original, kept alive so that its id stays, and its copy


def functional_call(
    model: Module, params: Mapping[str, Any] | Sequence[Any], args: Any = (), kwargs: Mapping[str, Any] | None = None
) -> Any:
    """Call a model with other numbers in place of its parameters, like `torch.func.functional_call`.

    It calls a copy, so the model does not change even if the call sets an attribute or fails. The copy shares
    everything without parameters, such as a random generator.

    Args:
        model: an `nn.Module` that can be called.
        params: a dict of numbers of any kind by the names of `named_parameters()`, such as `state_dict()`; parameters
            left out keep their numbers, and one name of a shared parameter is enough. Or a list with one number for
            each of `parameters()`.
        args: a tuple of positional arguments; anything else is passed as the only argument.
        kwargs: keyword arguments.

    Returns:
        what the call returns.

    Raises:
        ArgumentError: a name is unknown, a list has the wrong length, a parameter gets two numbers, or the result
            depends on a parameter that params replaces: through a function that holds it, or through a result that
            was computed before.
        OperandError: the model is not an `nn.Module` that can be called, or an entry of params is not a number.

    >>> import autograd_mini as am
    >>> model = am.nn.Linear(2, 1, init="zeros")
    >>> params = {"neurons.0.w.0": 3.0, "neurons.0.w.1": 1.0, "neurons.0.b": -1.0}
    >>> am.grad(lambda params: am.nn.functional_call(model, params, [2.0, 5.0]) ** 2)(params)
    {'neurons.0.w.0': 40.0, 'neurons.0.w.1': 100.0, 'neurons.0.b': 20.0}
    """
    if not isinstance(model, Module) or not callable(model):
        raise OperandError(
            f"functional_call() takes a model that can be called, not {shown(model)}.",
            "Pass an nn.Module that has __call__, and its arguments as the third argument.",
        )
    return _call(model, params, args if isinstance(args, tuple) else (args,), kwargs or {})


@of_formulas  # records a graph even inside no_grad, which shows what the result depends on
def _call(model: Module, params: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    bound = _bound(model, params)
    given = [number for _, number in bound.values() if type(number) is not float]
    given += [leaf for _, leaf in trees.numbers((args, kwargs)) if type(leaf) is not float]
    if any(map(is_formula, given)):
        raise FormulaError
    is_traced = any(type(innermost(leaf)) is Traced for leaf in given)
    copies: Copies = {}
    for parameter, (_, number) in bound.items():
        if type(number) is float:  # the model expects a leaf, with its methods and name
            number = Traced(number) if is_traced else _leaf(parameter, number)
        copies[id(parameter)] = parameter, number
    standing = {id(number): number for _, number in copies.values()}
    copied = _copied(model, copies)
    for thing, made in copies.values():
        if isinstance(thing, Module):
            outside = thing._functional_call_bound()  # the replacements of an outer call
            object.__setattr__(made, "_functional_call_bound", ({**outside, **standing} if outside else standing).copy)
    result = copied(*args, **kwargs)
    _check_dependence(model, result, bound, given)
    return result


def _bound(model: Module, params: Any) -> Bound:
    """Return the replacement of each parameter that is given."""
    if isinstance(params, Mapping):
        own = by_name(model)
        for name in params:
            if name not in own:
                some = f"{', '.join([*own][:3])}{', …' if len(own) > 3 else ''}" if own else "none"
                raise ArgumentError(
                    f"{type(model).__name__} has no parameter {shown(name)}; its {len(own)} are {some}.",
                    "Use the names of model.named_parameters().",
                )
        given = [(name, own[name], number) for name, number in params.items()]
    elif isinstance(params, (list, tuple)):
        parameters = model.parameters()
        if len(params) != len(parameters):
            raise ArgumentError(
                f"{type(model).__name__} has {counted(len(parameters), 'parameter')}, but params has {len(params)}.",
                "Pass one number for each of model.parameters(), or a dict with some of their names.",
            )
        given = [(f"[{i}]", *both) for i, both in enumerate(zip(parameters, params, strict=True))]
    else:
        raise OperandError(
            f"functional_call() takes params as a dict, not {shown(params)}.",
            "Pass dict(model.named_parameters()), model.state_dict(), or a list like model.parameters().",
        )
    return once_each((name, parameter, _number(name, entry)) for name, parameter, entry in given)


def _number(name: str, entry: Any) -> Any:
    """Return a recording number or a formula unchanged, any other number as a float."""
    number = settled(entry)
    if isinstance(number, Methods):
        return number
    real = as_number(number)
    if real is None and not is_operand(number):
        raise operand_error(f"functional_call() with params[{name!r}]", number)
    return number if real is None else real


def _leaf(parameter: Value, number: float) -> Value:
    """Return a leaf of the same kind and name as the parameter."""
    if type(parameter) is Value:
        return Value(number, parameter.name)
    leaf = copy.copy(parameter)
    leaf.data, leaf.grad = number, None
    return leaf


def _copied(thing: Any, copies: Copies) -> Any:
    """Copy everything that may hold parameters, with the replacements in their places; share the rest."""
    if id(thing) in copies:
        return copies[id(thing)][1]
    if type(thing) is float or is_node(thing) or isinstance(thing, ATOMS):
        return thing
    made: Any
    parts: Any = ()
    kind: Any = thing.__class__  # unlike type(), it sees through a weak proxy
    put: Callable[[Any, Any], None] = lambda key, part: made.__setitem__(key, part)  # noqa: E731  # a branch below redefines it
    if isinstance(thing, (tuple, Set, MappingView)):
        inside = [_copied(part, copies) for part in cast("Iterable[Any]", thing)]
        is_view, is_named = isinstance(thing, MappingView), hasattr(thing, "_fields")
        made = inside if is_view else kind(*inside) if is_named else kind(inside)
    elif isinstance(thing, MappingProxyType):
        made = MappingProxyType({key: _copied(part, copies) for key, part in thing.items()})
    elif isinstance(thing, MethodType):
        made = MethodType(thing.__func__, _copied(thing.__self__, copies))
    elif isinstance(thing, Module) or (is_dataclass(thing) and not is_machinery(kind)):
        made, parts = object.__new__(kind), attributes(thing)

        def put(name: str, member: Any) -> None:
            if getattr(kind, name, _ABSENT) is not member:  # the class holds it, and nothing replaces it
                object.__setattr__(made, name, member)

    elif isinstance(thing, MutableMapping):
        made, parts = copy.copy(thing), ((_copied(key, copies), part) for key, part in thing.items())
        made.clear()
    elif isinstance(thing, MutableSequence):
        made, parts = copy.copy(thing), enumerate(thing)
    elif (array := array_within(thing)) is not None:
        made = thing.copy()
        parts, put = array_parts(array), array_within(made).__setitem__
    else:
        return thing
    copies[id(thing)] = thing, made  # before its parts are copied, which may lead back to it
    for key, part in [*parts]:
        put(key, _copied(part, copies))
    return made


def _check_dependence(model: Module, result: Any, bound: Bound, given: Any) -> None:
    """Raise if the result depends on a parameter itself instead of its replacement."""
    behind = [node for _, number in trees.numbers(result) for node in nodes_of(number)]
    met = {node for number in given for node in nodes_of(number)}
    while behind:
        node = behind.pop()
        if node not in met:
            met.add(node)
            if node in bound:
                raise ArgumentError(
                    f"The result depends on the {bound[node][0]} of {type(model).__name__} itself, not only on its "
                    "entry in params: a function, an object or an earlier result holds the parameter.",
                    "Let the model look it up in an attribute, list, dict, array or nn.Module when it is called.",
                )
            behind += [x for x in node.operands if isinstance(x, Methods)]
