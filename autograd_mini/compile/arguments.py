"""The arguments of a compiled function, taken apart: static ones, numbers that all samples share, and batches.

Not here: what is done with them (`compiled`). Read next: `compile.compiled`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from autograd_mini.compile.tracing import Builder
from autograd_mini.core.arrays import is_array
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import as_number, operand_error
from autograd_mini.core.traced import Traced, Unrecorded
from autograd_mini.errors import ArgumentError, OperandError, TraceError, counted, shown
from autograd_mini.program.owner import is_called_by_program
from autograd_mini.program.source import site_of
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import is_formula
from autograd_mini.transforms.trees import Tree

Axes = int | None | Sequence[int | None]
_PARAMETERS = "the parameters"  # of a module: its first argument here
_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


class Arguments:
    """The arguments of one call.

    Args:
        owner: the compiled function.
        args: positional arguments.
        kwargs: named ones. One that could be given by position is treated as if it were; samples share the others.

    Attributes:
        samples: the size of the batch; None without one.
        parts: the inputs of the tape in order: a float, or several of them; for batched ones a row for each.
        key: equal for all calls that can use the same tape.
        conversions: how many numbers and arrays had to be converted to floats.
        records: whether a number has a graph, or is a formula, so that the function itself must be called.
    """

    def __init__(self, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs
        self.samples: int | None = None
        self.parts: list[Any] = []
        self.conversions = 0
        self.records = False
        self._names = _names(owner, len(args))
        self._first = ""  # the first batch, for an error
        named = _positions(owner, kwargs) if kwargs and (owner.static_argnums or owner.in_axes is not None) else {}
        static, axes = _static(owner, len(args)), _axes(owner.in_axes, len(args), named)
        if owner.model is not None:
            axes[0] = None
        places: list[Any] = [*range(len(args)), *[named.get(name, name) for name in kwargs]]
        self._static = [place in static for place in places]
        self._axes = [axes.get(place) for place in places]
        keys = [self._key(*one) for one in zip((*args, *kwargs.values()), self._all(), strict=True)]
        self.key = tuple(keys), tuple(kwargs)

    def _all(self) -> list[tuple[str, bool, int | None]]:
        """The name of each argument, whether it is static, and its axis: positional ones come first."""
        return [*zip((*self._names, *self.kwargs), self._static, self._axes, strict=True)]

    def _key(self, argument: Any, facts: tuple[str, bool, int | None]) -> Any:
        """Add the numbers of an argument, and return its part of the key."""
        name, is_static, axis = facts
        if is_static:
            return _static_key(argument, name)
        return self._shared(argument, name) if axis is None else self._batch(argument, axis, name)

    def _shared(self, tree: Tree, path: str) -> Any:
        """Add the numbers of an argument that all samples share, and return its structure."""
        if type(tree) in (list, tuple, dict):  # the common case: many floats
            leaves = tree.values() if type(tree) is dict else tree
            if all(issubclass(kind, float) for kind in set(map(type, leaves))):
                self.parts.append([*map(float, leaves)])
                return type(tree), tuple(tree) if type(tree) is dict else len(tree)
        parts = trees.parts_of(tree)
        if parts is not None:
            return _container(tree), tuple([(step, self._shared(part, path + step)) for step, part in parts])
        if is_array(tree) and tree.dtype.kind in "biuf":
            self.conversions += tree.dtype != float
            self.parts.append(_floats(tree).ravel())
        else:
            self.parts += [self._number(leaf, path) for _, leaf in trees.numbers(tree)]
        return ("array", tree.shape) if is_array(tree) else "number"

    def _number(self, leaf: Any, path: str) -> Any:
        if type(leaf) is float:
            return leaf
        if isinstance(leaf, Methods) or is_formula(leaf):
            self.records = True
            return leaf
        self.conversions += 1
        number = as_number(leaf)
        if number is None and (isinstance(leaf, str) or callable(leaf)):
            raise OperandError(
                f"The argument {path} of a function compiled by jit() takes numbers, not {type(leaf).__name__}: "
                f"{shown(leaf)}.",
                "Convert text to a number first: float(text). For a setting or a function, put its position into "
                "static_argnums.",
            )
        if number is None:
            raise operand_error(f"The argument {path} of a function compiled by jit()", leaf)
        return number

    def _batch(self, tree: Tree, axis: int, path: str) -> Any:
        """Add the columns of an argument with samples, and return the structure of one sample."""
        parts = trees.parts_of(tree)
        if parts is not None and not _is_rows(tree):
            return _container(tree), tuple([(step, self._batch(part, axis, path + step)) for step, part in parts])
        if not is_array(tree):
            self._count(len(tree) if isinstance(tree, (list, tuple)) else None, path, tree)
            if axis != 0:
                raise ArgumentError(
                    f"in_axes is {axis} for {path}, a {type(tree).__name__}, whose entries are the samples.",
                    "Use axis 0, or pass a NumPy array.",
                )
            flat = [_numbers_of(row, tree[0], f"{path}[{i}]") for i, row in enumerate(tree)]
            if not flat:  # samples with an unknown structure: suppose that they are numbers
                self.parts.append([[]])
                return "rows", ""
            columns = [[self._number(x, path) for x in column] for column in zip(*flat, strict=True)]
            numpy = sys.modules.get("numpy")
            plain = numpy is not None and all(type(x) is float for column in columns for x in column)
            self.parts.append(numpy.array(columns) if numpy is not None and plain else columns)
            return "rows", _structure(tree[0])
        if tree.ndim == 0 or not -tree.ndim <= axis < tree.ndim:
            raise ArgumentError(
                f"{path} has no axis {axis}: it is an array of shape {tree.shape}.", "Change in_axes, or the argument."
            )
        numpy = sys.modules["numpy"]
        rows = numpy.moveaxis(tree, axis, 0)
        self._count(len(rows), path, tree)
        if tree.dtype.kind not in "biuf":
            [self._number(x, path) for x in tree.flat]  # raises if it is not a number
            rows = rows if any(isinstance(x, Methods) for x in tree.flat) else rows.astype(float)
        elif tree.dtype != float:
            self.conversions += 1
            rows = _floats(rows)
        self.parts.append(rows.reshape(len(rows), _size(rows)).T)
        return "batch", rows.shape[1:]

    def _count(self, samples: int | None, path: str, tree: Tree) -> None:
        if samples is None:
            if type(tree).__name__.startswith("Masked"):
                raise operand_error(f"The argument {path} of a function compiled by jit()", tree)
            raise ArgumentError(
                f"{path} is {shown(tree)}, which has no axis for the samples of a batch.",
                "Pass an array or a list with one entry per sample, or None for it in in_axes.",
            )
        if self.samples is not None and samples != self.samples:
            raise ArgumentError(
                f"{self._first} has {counted(self.samples, 'sample')}, but {path} has {samples:,}.",
                "Pass as many samples in each batch.",
            )
        self.samples, self._first = samples, self._first or path

    def sample(self, index: int) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the named arguments of one sample."""
        found = [
            tree if axis is None or is_static else _sample(tree, axis, index)
            for tree, (_, is_static, axis) in zip((*self.args, *self.kwargs.values()), self._all(), strict=True)
        ]
        return self._split(found)

    def _split(self, arguments: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        count = len(self.args)
        return arguments[:count], dict(zip(self.kwargs, arguments[count:], strict=True))

    def traced(self, call: Any, builder: Builder) -> Any:
        """The result of a function for traced numbers in place of one sample."""
        positional, named = self.sample(0)
        args, kwargs = self._split([
            argument if is_static else self._inputs(builder, argument, name, axis is not None)
            for argument, (name, is_static, axis) in zip((*positional, *named.values()), self._all(), strict=True)
        ])  # fmt: skip
        try:
            return call(*args, **kwargs)
        except (IndexError, KeyError, TypeError) as error:
            if not _asks_for_a_number(error):
                raise
            raise _unknown(error) from error

    def _inputs(self, builder: Builder, tree: Tree, path: str, is_batched: bool) -> Tree:
        names = tree if path == _PARAMETERS else [name for name, _ in trees.numbers(tree, path)]
        inputs = [Traced(builder.input(name, is_batched), name) for name in names]
        return trees.rebuilt(tree, iter(inputs))


def _asks_for_a_number(error: Exception) -> bool:
    """Whether an error says that an index, a key or a length is a traced number, which NumPy and dicts do not know."""
    if isinstance(error, KeyError):
        return bool(error.args) and isinstance(error.args[0], Unrecorded)
    text = str(error)
    return "valid indices" in text or "used as indices" in text or "integer, got 'Traced(" in text


def _unknown(error: Exception) -> TraceError:
    """The error for an index, a key or a length that is not known, with the place where the function uses it."""
    what = "A length has perhaps been given as"
    if isinstance(error, LookupError):
        is_key = isinstance(error, KeyError)
        what = "A dict has been asked for" if is_key else "A NumPy array has perhaps been indexed by"
    trace, site = error.__traceback__, None
    while trace is not None:
        site = site if is_called_by_program(trace.tb_frame) else site_of(trace.tb_frame)
        trace = trace.tb_next
    return TraceError(
        f"{what} a number that stands for all numbers (see the error above).\n  where: {site}\n"
        "  do:    Write take(values, index) for values[index]; make an argument that is always the same one of jit's "
        "static_argnums."
    )


def _positions(owner: Any, named: dict[str, Any]) -> dict[str, int]:
    """The positions of named arguments, as far as they have one."""
    found = {p.name: i for i, p in enumerate(owner.parameters, owner.model is not None) if p.kind is _EITHER}
    return {name: found[name] for name in named if name in found}


def _axes(in_axes: Axes, count: int, named: dict[str, int]) -> dict[int, int | None]:
    """The axis of each argument that has a position."""
    given = {*range(count), *named.values()}
    if in_axes is None or isinstance(in_axes, int):
        return dict.fromkeys(given, in_axes)
    if count > len(in_axes) or not given.issuperset(range(len(in_axes))):
        raise ArgumentError(
            f"in_axes is {shown(in_axes)}, for {counted(count, 'positional argument')}"
            f"{' and ' * bool(named)}{', '.join(named)}.",
            "Give one axis, or None, for each.",
        )
    return dict(enumerate(in_axes))


def _static(owner: Any, count: int) -> set[int]:
    """The positions of the static arguments."""
    if not owner.static_argnums:
        return set()
    parameters = owner.parameters
    least = len(parameters) + (owner.model is not None)
    is_open = not parameters or parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
    most = max(count, least) if is_open else least
    wrong = [i for i in owner.static_argnums if not -most <= i < most]
    if wrong and not (parameters and is_open):
        raise ArgumentError(
            f"static_argnums is {shown(owner.static_argnums)}, and there is no argument {wrong[0]}: "
            f"the function takes {counted(most, 'positional argument')}.",
            "Count positions from 0.",
        )
    return {i % (count if is_open else most) for i in owner.static_argnums if i < most}


def positional(function: Any) -> list[inspect.Parameter]:
    """The parameters of a function that may be given by position; none if they are unknown."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)]


def _names(owner: Any, count: int) -> list[str]:
    """What the parameters of a function are called; those of a module come first."""
    first = [] if owner.model is None else [_PARAMETERS]
    names = [*first, *[p.name for p in owner.parameters if p.kind is not p.VAR_POSITIONAL]][:count]
    rest = next((p.name for p in owner.parameters if p.kind is p.VAR_POSITIONAL), "x")
    return names + [f"{rest}[{i}]" for i in range(count - len(names))]


def _static_key(argument: Any, name: str) -> Any:
    try:
        hash(argument)
    except TypeError:
        raise ArgumentError(
            f"The static argument {name} is {shown(argument)}, which has no hash.",
            "Pass something that cannot change: a tuple for a list, frozenset for a set.",
        ) from None
    return "static", _frozen(argument)


def _frozen(argument: Any) -> Any:
    """An argument as part of a key: 1 and True, 0.0 and -0.0 are equal, but functions of them may differ."""
    kind = type(argument)
    if isinstance(argument, float):
        return kind, argument.hex()
    if isinstance(argument, (tuple, frozenset)):
        return kind, (frozenset if isinstance(argument, frozenset) else tuple)(map(_frozen, argument))
    if isinstance(argument, (int, str)) or _is_plain(kind):
        return kind, argument
    return kind, argument, repr(argument)  # such as a frozen dataclass: equal ones may hold 1 and True


def _is_plain(kind: Any) -> bool:
    """Whether equal objects of a class are the same object, or have no text that could tell them apart."""
    return kind.__eq__ is object.__eq__ or kind.__repr__ is object.__repr__


def _container(tree: Tree) -> Any:
    """What a container is: its kind, and the keys of a dict, because two may be written alike."""
    return (dict, tuple(tree)) if isinstance(tree, Mapping) else type(tree)


def _structure(tree: Tree) -> Any:
    parts = trees.parts_of(tree)
    return "number" if parts is None else (_container(tree), tuple([(step, _structure(part)) for step, part in parts]))


def _floats(array: Any) -> Any:
    """An array of numbers of any type as one of floats."""
    if array.dtype.itemsize > 8:
        [as_number(x) for x in array.flat]  # raises for what is beyond the range
    return sys.modules["numpy"].asarray(array, float)


def _numbers_of(sample: Tree, first: Tree, path: str) -> list[Any]:
    """The numbers of a sample, which has the structure of the first one."""
    if type(sample) is type(first) is float:
        return [sample]
    is_flat = type(sample) is type(first) in (list, tuple) and len(sample) == len(first)
    if is_flat and all(issubclass(kind, (float, int)) for kind in {*map(type, sample), *map(type, first)}):
        return [*sample]
    try:
        return trees.matched(first, sample, path, "structure")
    except ArgumentError:
        raise ArgumentError(
            f"{path} is {trees.described(sample)}, but the first sample is {trees.described(first)}.",
            "Give all samples one structure.",
        ) from None


def _is_rows(tree: Tree) -> bool:
    """Whether a list holds numbers, or lists of numbers: its entries are samples. Arrays have samples of their own."""
    if not isinstance(tree, (list, tuple)) or hasattr(tree, "_fields"):
        return False
    return not any(is_array(leaf) for entry in tree for leaf in _leaves(entry))


def _leaves(tree: Tree) -> Any:
    parts = trees.parts_of(tree)
    return [tree] if parts is None else [leaf for _, part in parts for leaf in _leaves(part)]


def _size(rows: Any) -> int:
    size = 1
    for n in rows.shape[1:]:
        size *= n
    return size


def _sample(tree: Tree, axis: int, index: int) -> Tree:
    """One sample of a batch; zeros if the batch is empty."""
    if is_array(tree):
        rows = sys.modules["numpy"].moveaxis(tree, axis, 0)
        return rows[index] if len(rows) else sys.modules["numpy"].zeros(rows.shape[1:])
    if _is_rows(tree):
        return tree[index] if len(tree) else 0.0
    return trees.like(tree, [_sample(part, axis, index) for _, part in trees.parts_of(tree) or ()])
