"""Models as arguments of an emitted function: their parameters become arrays, such as a matrix of a layer's weights.

Not here: other arguments, and the code (`emitted`). Read next: `compile.languages.emitted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograd_mini.nn.binding import functional_call
from autograd_mini.nn.module import Module, by_first_name
from autograd_mini.transforms import trees

Names = Any  # the name of a parameter, or a list or dict of such


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
