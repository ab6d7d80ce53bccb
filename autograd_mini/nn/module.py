"""`Module`: an object whose parameters are the leaves in its attributes.

It searches modules, mappings, lists, tuples, deques, sets, dataclasses and NumPy arrays, nested in any way. A leaf held
by anything else is an error, because half of a model must not stay untrained in silence.
Not here: the modules of a network. Read next: `nn.binding`.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator, Mapping, MappingView, Sequence, Set
from dataclasses import is_dataclass
from itertools import chain, product
from operator import itemgetter
from types import CodeType, FrameType, FunctionType, MemberDescriptorType, ModuleType, TracebackType
from typing import Any, ClassVar

from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.optim.states import real_number
from autograd_mini.program.owner import is_machinery

Named = tuple[str, Any]
Bound = Mapping[int, Any]


class Module:
    """An object with parameters; derive from it, and override `named_parameters` or `parameters` to choose others.

    >>> Module().parameters()
    []
    """

    # In the copies that `functional_call` makes, it returns the replacements of parameters by id. It is a function, so
    # that a class that searches its own attributes does not find the numbers twice.
    _functional_call_bound: ClassVar[Any] = dict

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield the parameters with names that say where they are, such as "layers.0.neurons.2.w.1".

        A parameter in several places has several names.

        Raises:
            ArgumentError: a `Value` is inside an attribute that is not searched.
        """
        yield from _leaves(self, self._functional_call_bound())

    def parameters(self) -> list[Value]:
        """Return the `Value`s to train, in the order of `named_parameters`."""
        return list(dict.fromkeys(parameter for _, parameter in self.named_parameters()))  # shared ones once

    def zero_grad(self) -> None:
        """Clear the gradients of all parameters, before the next `backward()` adds to them."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, float]:
        """Return the numbers of all parameters by name, ready for JSON.

        Raises:
            ArgumentError: two parameters share a name, or are in a set without an order.

        >>> from autograd_mini import nn
        >>> sorted(nn.Neuron(2, seed=0).state_dict())
        ['b', 'w.0', 'w.1']
        """
        return {name: parameter.data for name, parameter in by_name(self).items()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set all parameters to the numbers that `state_dict` returned, nan and infinities included.

        Args:
            state: one number per name.

        Raises:
            ArgumentError: it is not a dict, a name is missing or unknown, or a parameter with two names gets two
                numbers. Nothing changes.
            OperandError: an entry is not a number. Nothing changes.

        >>> from autograd_mini import nn
        >>> small, other = nn.Neuron(2, seed=0), nn.Neuron(2, seed=1)
        >>> other.load_state_dict(small.state_dict())
        >>> other.w[0].data == small.w[0].data
        True
        """
        if not isinstance(state, Mapping):
            raise ArgumentError(f"The state is {shown(state)}, not a dict.", "Pass what state_dict() returned.")
        parameters = by_name(self)
        missing, unknown = parameters.keys() - state.keys(), state.keys() - parameters.keys()
        for problem, names in (("lacks", missing), ("has unknown", unknown)):
            if names:
                raise ArgumentError(
                    f"The state {problem} {', '.join(sorted(map(str, names))[:3])}{' …' if len(names) > 3 else ''}.",
                    "Load it into a network of the same sizes as the one you saved.",
                )
        for name in parameters:
            if real_number(state[name]) is None:
                raise OperandError(f"The state of {name} is not a number: {shown(state[name])}.", "Save it again.")
        given = once_each((name, parameter, real_number(state[name])) for name, parameter in parameters.items())
        for parameter, (_, number) in given.items():
            parameter.data = number


def once_each(given: Iterable[tuple[str, Value, Any]]) -> dict[Value, tuple[str, Any]]:
    """Return a name and the number of each parameter; raise if its several names have different numbers."""
    found: dict[Value, tuple[str, Any]] = {}
    for name, parameter, number in given:
        first, other = found.setdefault(parameter, (name, number))
        if other is not number and not (type(other) is type(number) is float and repr(other) == repr(number)):
            raise ArgumentError(
                f"{first} and {name} are the same parameter, but have two numbers: {other!r} and {number!r}.",
                "Give all of its names the same number, or use only one of them if names may be left out.",
            )
    return found


def by_name(module: Module) -> dict[str, Value]:
    """Return all parameters by name, including those that only an overridden `parameters` returns."""
    if _overrides(module, "named_parameters"):
        found = [*module.named_parameters()]
    else:
        found = _leaves(module, module._functional_call_bound(), in_state=True)
    named: dict[str, Value] = {}
    for name, parameter in chain(found, _further(module, found)):
        if named.setdefault(name, parameter) is not parameter:
            raise ArgumentError(
                f"Two parameters are called {name}, so a state could not tell them apart.",
                "Rename an attribute or a key.",
            )
    return named


def by_first_name(module: Module) -> dict[str, Value]:
    """Return the parameters to train by name; one in several places by its first."""
    names: dict[Value, str] = {}
    for name, parameter in module.named_parameters():
        names.setdefault(parameter, name)
    return {name: parameter for parameter, name in names.items()}


def _overrides(module: Module, method: str) -> bool:
    return getattr(module.__class__, method) is not getattr(Module, method)


def _further(module: Module, found: Iterable[Named]) -> Iterator[Named]:
    """Yield the parameters that only an overridden `parameters` returns."""
    if _overrides(module, "parameters"):
        known = {leaf for _, leaf in found}
        for index, parameter in enumerate(module.parameters()):
            if parameter not in known:
                yield f"parameters.{index}", parameter


# -- searching for leaves ----------------------------------------------------------------------------------------------

ATOMS = (str, bytes, bytearray, memoryview, range, int, float, complex, type(None), type, ModuleType)
# These refer to the whole program, so nothing behind them counts as part of a model.
_BOUNDARIES = (*ATOMS, CodeType, FrameType, TracebackType, BaseException)
_SEARCHED = 10_000  # objects behind an attribute
_COMMON = {float, int, str, bool, type(None)}
_IN_CLASSES = (Value, Module, list, tuple, dict, Set, deque)


def _leaves(root: Any, bound: Bound, in_state: bool = False, above: Container[int] = ()) -> list[tuple[str, Value]]:
    """Return the leaves in a module's attributes, or in a list, with all their names; only sets recurse.

    Replacements of parameters (`bound`) count as leaves. `in_state` asks for names that mean the same in another run;
    objects `above`, by id, are not searched again.
    """
    found: list[tuple[str, Value]] = []
    opaque: list[Named] = []
    seen: dict[int, Any] = {}
    cyclic: set[int] = set()  # searched once: the number of paths through a network of modules grows without bound
    inside: Iterator[Named] | None
    # What the walk is inside: its key, its remaining parts, and whether everything in it must be searchable.
    path: dict[int, tuple[str, Iterator[Named], bool]] = {}
    if isinstance(root, Module):
        path[id(root)] = "", attributes(root), not _overrides(root, "parameters")
    else:
        path[id(root)] = "", iter([("", part) for part in root]), False
    while path:
        _, remaining, strict = path[next(reversed(path))]
        prefix = "".join([f"{key}." for key, _, _ in path.values() if key])
        for key, part in remaining:
            name = prefix + key if key else prefix[:-1]
            if type(part) is Value or is_node(part) or id(part) in bound:
                if id(part) in bound or part.op is None:
                    found.append((name, part))
                continue
            if type(part) in _COMMON or isinstance(part, ATOMS):
                continue
            if type(part) is list and not bound and set(map(type, part)) == {Value}:  # as most are; this saves time
                found += [(f"{name}.{index}", x) for index, x in enumerate(part) if x.op is None]
                continue
            if isinstance(part, Set) and not isinstance(part, MappingView):
                inside = _members(name, part, found, bound, in_state, {*path, id(part)})
            else:
                inside = _parts(part, found)
            if strict and (inside is None or isinstance(part, Mapping)):
                opaque += [(name, x) for x in ([part] if inside is None else part) if type(x) not in _COMMON]
            if id(part) in path:
                places = [*path]
                cyclic.update(places[places.index(id(part)) :])
            elif inside and id(part) not in cyclic and id(part) not in above:
                seen[id(part)] = part  # keeps the part alive, and so its id
                lenient = isinstance(part, Module) and _overrides(part, "parameters")
                path[id(part)] = key, inside, strict and not lenient
                break
        else:
            path.popitem()
    known, met = {leaf for _, leaf in found}, set(seen)
    for name, part in opaque:
        if _reaches_a_leaf(part, known, met):
            raise ArgumentError(
                f"{type(root).__name__}.{name} is {shown(part)}, which is not searched, but has a Value inside.",
                "Hold the Value in an attribute, list, dict, array or nn.Module, or override parameters().",
            )
    return found


def _parts(part: Any, found: list[tuple[str, Value]]) -> Iterator[Named] | None:
    """Yield the parts of an object with their keys; return None if it cannot be searched."""
    if isinstance(part, Module):  # its own overridden methods decide
        is_own = _overrides(part, "named_parameters")
        return iter(part.named_parameters()) if is_own else chain(attributes(part), _further(part, found))
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        return zip(part._fields, part, strict=True)
    if isinstance(part, (list, tuple, deque)):
        return ((str(index), x) for index, x in enumerate(part))
    if (array := array_within(part)) is not None:
        return ((".".join(map(str, place)), element) for place, element in array_parts(array))
    if isinstance(part, Mapping):
        return ((str(index if is_node(key) else key), x) for index, (key, x) in enumerate(part.items()))
    if isinstance(part, Sequence) or (isinstance(part, MappingView) and isinstance(part, Iterable)):
        return ((str(index), x) for index, x in enumerate(part))
    return attributes(part) if is_dataclass(part) and not is_machinery(type(part)) else None


def attributes(thing: Any) -> Iterator[Named]:
    """Yield the attributes: in `__dict__`, in slots, and leaves and containers that the class shares."""
    own = dict(getattr(thing, "__dict__", ()))
    own.pop("_functional_call_bound", None)
    yield from own.items()
    for kind in thing.__class__.__mro__:
        if kind.__module__ == "builtins" or is_machinery(kind):
            continue
        for key, member in vars(kind).items():
            if key in own:
                continue
            if type(member) is MemberDescriptorType:
                try:
                    member = member.__get__(thing)
                except AttributeError:  # an empty slot
                    continue
            elif key.startswith("__") or not (isinstance(member, _IN_CLASSES) or array_within(member) is not None):
                continue
            own[key] = member
            yield key, member


def _members(
    name: str, part: Set[Any], found: list[tuple[str, Value]], bound: Bound, in_state: bool, above: Container[int]
) -> Iterator[Named]:
    """Yield the members of a set: by their own names if they have them, else by the numbers they hold.

    A leaf that was found elsewhere already has a better name than an index in a set.
    """
    known = {leaf for _, leaf in found}
    holders = []
    for member in part:
        if not isinstance(member, ATOMS):
            leaves = _leaves([member], bound, above=above)
            if any(leaf not in known for _, leaf in leaves):
                looks = [(inner, getattr(leaf, "name", None), getattr(leaf, "data", leaf)) for inner, leaf in leaves]
                holders.append((repr(looks), member))
            elif not leaves:
                yield "", member
    holders.sort(key=itemgetter(0))
    names = Counter(member.name for _, member in holders if is_node(member))
    unnamed = 0
    for _, member in holders:
        if is_node(member) and member.name and names[member.name] == 1:
            yield member.name, member
        else:
            if in_state and unnamed:
                raise ArgumentError(
                    f"{name} is a set, which has no order, so a state could not tell its parameters apart.",
                    "Use a list or a dict, or give each Value a name of its own: Value(1.0, name='w').",
                )
            yield str(unnamed), member
            unnamed += 1


def _reaches_a_leaf(part: Any, known: Container[Value], met: set[int]) -> bool:
    """Return True if an unknown leaf is behind something; the search ends at computed `Value`s."""
    behind = [part]
    for count, thing in enumerate(behind):  # the loop appends to it
        if count > _SEARCHED:
            return False
        if isinstance(thing, _BOUNDARIES) or id(thing) in met:
            continue
        met.add(id(thing))
        if is_node(thing):
            if thing.op is None and thing not in known:
                return True
        elif isinstance(thing, FunctionType):  # not its globals
            behind += [thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
        elif isinstance(thing, weakref.ref):
            behind.append(thing())
        elif (array := array_within(thing)) is not None:
            behind += array.ravel().tolist() if array.dtype.hasobject else []
        elif isinstance(thing, Module) or not any(map(is_machinery, type(thing).__mro__)):
            behind += gc.get_referents(thing)
    return False


def array_within(thing: Any) -> Any:
    """Return a NumPy array without its mask; None for anything else."""
    numpy = sys.modules.get("numpy")
    return numpy.asarray(thing) if numpy is not None and isinstance(thing, numpy.ndarray) else None


def array_parts(array: Any) -> list[tuple[tuple[int, ...], Any]]:
    """Return the elements of an array of objects with their places; none of an array of numbers."""
    places = product(*map(range, array.shape)) if array.dtype.hasobject else ()
    return [(place, array.item(*place)) for place in places]
