"""The arguments of a compiled function, taken apart: static ones, numbers that all samples share, and batches.

Not here: what is done with them (`compiled`). Read next: `compile.compiled`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

from autograd_mini.compile.tracing import Builder
from autograd_mini.core.arrays import is_array
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import as_number, operand_error
from autograd_mini.core.traced import Traced
from autograd_mini.errors import ArgumentError, TraceError, counted, shown
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import is_formula
from autograd_mini.transforms.trees import Tree

Axes = int | None | Sequence[int | None]
_PARAMETERS = "the parameters"  # of a module: its first argument here


class Arguments:
    """The arguments of one call.

    Args:
        owner: the compiled function.
        args: positional arguments.
        kwargs: named ones, which all samples share.

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
        self._static = _static(owner, len(args))
        self._axes = _axes(owner.in_axes, len(args))
        if owner.model is not None:
            self._axes[0] = None
        self._names = _names(owner, len(args))
        self._first = ""  # the first batch, for an error
        keys = []
        for i, (argument, axis, name) in enumerate(zip(args, self._axes, self._names, strict=True)):
            if i in self._static:
                keys.append(_static_key(argument, name))
            elif axis is None:
                keys.append(self._shared(argument, name))
            else:
                keys.append(self._batch(argument, axis, name))
        keys += [(name, self._shared(argument, name)) for name, argument in kwargs.items()]
        self.key = tuple(keys)

    def _shared(self, tree: Tree, path: str) -> Any:
        """Add the numbers of an argument that all samples share, and return its structure."""
        if type(tree) in (list, tuple, dict):  # the common case: many floats
            leaves = tree.values() if type(tree) is dict else tree
            if all(issubclass(kind, float) for kind in set(map(type, leaves))):
                self.parts.append([*map(float, leaves)])
                return type(tree), tuple(tree) if type(tree) is dict else len(tree)
        parts = trees.parts_of(tree)
        if parts is not None:
            return trees.kind(tree), tuple([(step, self._shared(part, path + step)) for step, part in parts])
        if is_array(tree) and tree.dtype.kind in "biuf":
            self.conversions += tree.dtype != float
            self.parts.append(sys.modules["numpy"].asarray(tree, float).ravel())
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
        if number is None:
            raise operand_error(f"The argument {path} of a function compiled by jit()", leaf)
        return number

    def _batch(self, tree: Tree, axis: int, path: str) -> Any:
        """Add the columns of an argument with samples, and return the structure of one sample."""
        parts = trees.parts_of(tree)
        if parts is not None and not _is_rows(tree):
            return trees.kind(tree), tuple([(step, self._batch(part, axis, path + step)) for step, part in parts])
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
            return "rows", repr(_structure(tree[0]))
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
            rows = rows.astype(float)
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

    def sample(self, index: int) -> list[Any]:
        """The positional arguments of one sample."""
        return [
            tree if axis is None or i in self._static else _sample(tree, axis, index)
            for i, (tree, axis) in enumerate(zip(self.args, self._axes, strict=True))
        ]

    def traced(self, call: Any, builder: Builder) -> Any:
        """The result of a function for traced numbers in place of one sample."""
        args = [
            argument if i in self._static else self._inputs(builder, sample, name, axis is not None)
            for i, (argument, sample, name, axis) in enumerate(
                zip(self.args, self.sample(0), self._names, self._axes, strict=True)
            )
        ]
        kwargs = {name: self._inputs(builder, tree, name, False) for name, tree in self.kwargs.items()}
        try:
            return call(*args, **kwargs)
        except IndexError as error:
            if "valid indices" not in str(error):
                raise
            raise TraceError(  # NumPy drops the error that says so
                "A NumPy array has perhaps been indexed by a number that stands for all numbers (see the error above).",
                "Write take(values, index) for values[index], or make the index one of jit's static_argnums.",
            ) from error

    def _inputs(self, builder: Builder, tree: Tree, path: str, is_batched: bool) -> Tree:
        names = tree if path == _PARAMETERS else [name for name, _ in trees.numbers(tree, path)]
        inputs = [Traced(builder.input(name, is_batched), name) for name in names]
        return trees.rebuilt(tree, iter(inputs))


def _axes(in_axes: Axes, count: int) -> list[int | None]:
    """The axis of each argument."""
    if in_axes is None or isinstance(in_axes, int):
        return [in_axes] * count
    if len(in_axes) != count:
        raise ArgumentError(
            f"in_axes is {shown(in_axes)}, for {counted(count, 'positional argument')}.",
            "Give one axis, or None, for each.",
        )
    return [*in_axes]


def _static(owner: Any, count: int) -> set[int]:
    """The positions of the static arguments in this call; those after the last one have their defaults."""
    if not owner.static_argnums:
        return set()
    parameters = owner.parameters
    most = max(count, len(parameters) + (owner.model is not None))
    wrong = [i for i in owner.static_argnums if not -count <= i < most]
    if wrong and not (parameters and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL):
        raise ArgumentError(
            f"static_argnums is {shown(owner.static_argnums)}, and there is no argument {wrong[0]}: "
            f"the function takes {counted(most, 'positional argument')}.",
            "Count positions from 0.",
        )
    return {i % count for i in owner.static_argnums if i < count}


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
    if isinstance(argument, float):
        return type(argument), argument.hex()
    return type(argument), tuple(map(_frozen, argument)) if isinstance(argument, (tuple, frozenset)) else argument


def _structure(tree: Tree) -> Any:
    parts = trees.parts_of(tree)
    return (
        "number" if parts is None else (trees.kind(tree).__name__, [(step, _structure(part)) for step, part in parts])
    )


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
