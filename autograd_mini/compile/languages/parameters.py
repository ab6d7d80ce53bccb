"""Parameters: what the emitted function takes; a model gives arrays, such as a matrix of a layer's weights.

Not here: the code (`emitted`). Read next: `compile.languages.emitted`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from autograd_mini.compile.languages.language import Language, Parameter, ascii_of
from autograd_mini.compile.tracing import Builder
from autograd_mini.core.arrays import is_array
from autograd_mini.core.row import as_number, operand_error
from autograd_mini.core.traced import Traced
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.nn.binding import functional_call
from autograd_mini.nn.module import Module, by_first_name
from autograd_mini.transforms import trees
from autograd_mini.transforms.trees import Tree

_NARROW = 6  # columns, each of which is a term of a sum in one line
Names = Any  # the name of a parameter of a model, or a list or dict of such


class Arguments:
    """The arguments of the function, as parameters of the emitted one."""

    def __init__(
        self,
        paths: Sequence[str],  # what messages call them
        example: Sequence[Tree],
        language: Language,
        title: str,  # what the function is called
        positions: Sequence[int],  # the arguments to differentiate by
    ) -> None:
        self.models = {i: (tree, names_in(tree)) for i, tree in enumerate(example) if isinstance(tree, Module)}
        self.example = [numbers_in(*self.models[i]) if i in self.models else x for i, x in enumerate(example)]
        self.language, self.title, self.positions = language, title, [*positions]
        self.parameters: list[Parameter] = []
        self.numbers: list[float] = []  # of the example
        self.texts: list[str] = []  # of each number
        self.rows: list[tuple[str, range, int]] = []  # for each vector its array, the places in it, and its first input
        self._places: list[range] = []  # the numbers of each parameter
        self._owners: list[int] = []  # the argument of each parameter
        for i, (path, tree) in enumerate(zip(paths, self.example, strict=True)):
            self._add("" if [*self.models] == [i] else path, tree)
            self._owners += [i] * (len(self.parameters) - len(self._owners))

    def given(self) -> list[float | list[float]]:
        """The example, as the emitted function takes it."""
        numbers = [[self.numbers[i] for i in places] for places in self._places]
        return [x if p.length is not None else x[0] for p, x in zip(self.parameters, numbers, strict=True)]

    def chosen(self) -> list[tuple[Parameter, range]]:
        """The parameters to differentiate by, and their numbers."""
        known = [*zip(self._owners, self.parameters, self._places, strict=True)]
        return [(parameter, places) for i in self.positions for owner, parameter, places in known if owner == i]

    def _add(self, path: str, tree: Tree) -> None:
        parts = trees.parts_of(tree)
        is_list = isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields") and _is_plain(tree)
        if parts is not None and not is_list:
            for step, part in parts:
                self._add(path + step, part)
            return
        name = identifier(path, self.language, [self.title, *[p.name for p in self.parameters]])
        start = len(self.numbers)
        for place, leaf in trees.numbers(tree, path):
            number = as_number(leaf.data if type(leaf) is Value else leaf)
            if number is None:
                raise operand_error(f"emit() with {place}", leaf)
            self.numbers.append(number)
        count = None if trees.is_number(tree) else len(self.numbers) - start
        if count == 0:
            raise ArgumentError(f"{path} is empty, so there is nothing to differentiate by.", "Pass some numbers.")
        self.parameters.append(Parameter(name, count))
        self._places.append(range(start, len(self.numbers)))
        self.texts += [name if count is None else f"{name}[{i}]" for i in range(count or 1)]
        if count is not None:
            self.rows += [(name, places, start) for places in _vectors([*_row_lengths(tree)])]

    def takes_models(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """The function of numbers that calls f with models."""
        if not self.models:
            return f
        return lambda *args: f(*[bound(*self.models[i], x) if i in self.models else x for i, x in enumerate(args)])

    def inputs(self, builder: Builder) -> list[Traced]:
        """New inputs of a tape, one for each number."""
        return [Traced(builder.input(text), text) for text in self.texts]


def _is_plain(tree: Tree) -> bool:
    """Whether a structure consists of lists and numbers alone."""
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        return all(map(_is_plain, tree))
    return trees.parts_of(tree) is None and not is_array(tree)


def _row_lengths(tree: Tree) -> Iterator[int]:
    """The lengths of the innermost lists."""
    if is_array(tree):
        yield from [tree.shape[-1]] * (tree.size // tree.shape[-1])
    elif any(trees.parts_of(part) is not None for part in tree):
        for part in tree:
            yield from _row_lengths(part) if trees.parts_of(part) is not None else [1]
    else:
        yield len(tree)


def _vectors(lengths: Sequence[int]) -> Iterator[range]:
    """The places in an array of its rows, or of its columns if those are longer and few."""
    width, size = lengths[0], sum(lengths)
    if {*lengths} == {width} and len(lengths) >= max(width, 2) and width <= _NARROW:
        yield from [range(column, size, width) for column in range(width)]
    else:
        yield from [range(end - n, end) for n, end in zip(lengths, accumulate(lengths), strict=True)]


def identifier(name: str, language: Language, taken: Sequence[str] = ()) -> str:
    """A name that the language allows."""
    name = re.sub(r"\W+", "_", ascii_of(name)).strip("_") or "f"
    name = f"x{name}" if name[0].isdigit() else name
    while name in language.forbidden or name in taken:
        name += "_"
    return name


# -- models ----------------------------------------------------------------------------------------------------------


def names_in(model: Module) -> Names:
    """The names of a model's parameters as a structure, such as {"w": [["w.0", "w.1"], ...], "b": [...]}."""
    root: dict[str, Any] = {}
    for name in by_first_name(model):
        *path, last = name.split(".")
        inside = root
        for step in path:
            inside = inside.setdefault(step, {})
        inside[last] = name
    return _arranged(root)


def numbers_in(model: Module, names: Names) -> Names:
    """The numbers of the parameters in the structure of their names."""
    parameters = by_first_name(model)
    return trees.rebuilt(names, iter([parameters[name].data for name in _leaves(names)]))


def bound(model: Module, names: Names, numbers: Any) -> Callable[..., Any]:
    """The model with other numbers, which have the structure of its names."""
    params = dict(zip(_leaves(names), [number for _, number in trees.numbers(numbers)], strict=True))
    return lambda *args, **kwargs: functional_call(model, params, args, kwargs)


def _leaves(names: Names) -> Iterator[str]:
    return (name for _, name in trees.numbers(names))


def _arranged(tree: Any) -> Names:
    """Numbered parts as lists; those that are alike and hold at most rows, such as neurons, as lists of each entry."""
    if not isinstance(tree, dict):
        return tree
    parts = {key: _arranged(part) for key, part in tree.items()}
    if [*parts] != [str(i) for i in range(len(parts))]:
        return parts
    found = [*parts.values()]
    shapes = [_shape(part) for part in found]
    if isinstance(found[0], dict) and shapes[0] is not None and shapes == shapes[:1] * len(shapes):
        return {key: [part[key] for part in found] for key in found[0]}
    return found


def _shape(part: Any) -> Sequence[tuple[str, int]] | None:
    """The entries of a part and their lengths, if they are numbers and rows of numbers."""
    if not isinstance(part, dict):
        return None
    rows = [[entry] if isinstance(entry, str) else entry for entry in part.values()]
    is_flat = all(isinstance(row, list) and all(isinstance(x, str) for x in row) for row in rows)
    kinds = [-1 if isinstance(entry, str) else len(entry) for entry in part.values()]
    return [*zip(part, kinds, strict=True)] if is_flat else None
