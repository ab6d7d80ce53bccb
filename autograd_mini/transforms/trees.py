"""Structures of numbers (nested lists, tuples, dicts, NumPy arrays), taken apart and put together again.

Everything that is not a container counts as a number; None is an empty container, as in JAX's pytrees.
Not here: derivatives. Read next: `transforms`, which differentiates by structures.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from itertools import islice, product
from typing import Any

from autograd_mini.core.arrays import array_of, is_array
from autograd_mini.core.methods import Methods
from autograd_mini.errors import ArgumentError, shown

Tree = Any  # a number, or a list, tuple, dict or array of trees
Path = str  # how a part is written in Python: "['layer1'][3]"


def _parts(tree: Tree) -> list[tuple[Path, Tree]] | None:
    """What a list, tuple or dict consists of, with the path to each; None for an array or a number."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(f".{name}", part) for name, part in zip(tree._fields, tree, strict=True)]
    if isinstance(tree, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(tree)]
    if isinstance(tree, Mapping):
        return [(f"[{key!r}]", part) for key, part in tree.items()]
    return [] if tree is None else None


def numbers(tree: Tree, path: Path = "") -> Iterator[tuple[Path, Any]]:
    """The numbers of a tree from left to right, each with the path to it.

    Args:
        tree: the structure.
        path: how its root is called.

    >>> list(numbers({"w": [1.0, 2.0], "b": 3.0}, "params"))
    [("params['w'][0]", 1.0), ("params['w'][1]", 2.0), ("params['b']", 3.0)]
    """
    parts = _parts(tree)
    if parts is not None:
        for step, part in parts:
            yield from numbers(part, path + step)
    elif is_array(tree):
        for index in product(*map(range, tree.shape)):
            yield path + (str(list(index)) if index else ""), tree[index]
    else:
        yield path, tree


def rebuilt(tree: Tree, replacements: Iterator[Any]) -> Tree:
    """The same structure with other numbers, in the order of `numbers`.

    An array becomes an array of floats, or of objects where a replacement is not a number; one without dimensions
    becomes the recording number itself, for NumPy would wrap it.

    Args:
        tree: the structure.
        replacements: as many numbers as the tree has.

    >>> rebuilt({"w": [1.0, 2.0], "b": 3.0}, iter("xyz"))
    {'w': ['x', 'y'], 'b': 'z'}
    """
    if type(tree) is float:
        return next(replacements)
    if type(tree) is list:  # nearly all there is: without the paths (a dense Hessian takes half the time)
        return [rebuilt(part, replacements) for part in tree]
    parts = _parts(tree)
    if parts is not None:
        return _like(tree, [rebuilt(part, replacements) for _, part in parts])
    if is_array(tree):
        return _array([next(replacements) for _ in range(tree.size)], tree.shape)
    return next(replacements)


def _like(tree: Tree, parts: list[Any]) -> Tree:
    """A container of the same kind, with these parts."""
    if tree is None:
        return None
    if isinstance(tree, Mapping):
        # A copy keeps the kind: OrderedDict, defaultdict and its factory.
        clone: Any = copy.copy(tree) if isinstance(tree, dict) else dict(tree)
        for key, part in zip(tree, parts, strict=True):
            clone[key] = part
        return clone
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


def _array(elements: list[Any], shape: tuple[int, ...]) -> Any:
    return elements[0] if not shape and isinstance(elements[0], Methods) else array_of(elements, shape)


def mapped(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """The same structure, with every recording number in it replaced by what the function makes of it.

    Args:
        function: called with each of them, and with nothing else.
        tree: the structure; other things in it stay as they are.
    """
    parts = _parts(tree)
    if parts:
        return _like(tree, [mapped(function, part) for _, part in parts])
    if is_array(tree) and tree.dtype == object:
        return _array([mapped(function, element) for element in tree.flat], tree.shape)
    return function(tree) if isinstance(tree, Methods) else tree


def is_number(tree: Tree) -> bool:
    """Whether it is one number, which an array without dimensions is too."""
    return _parts(tree) is None and not getattr(tree, "shape", ())


def outer(tree: Tree, inner: Tree, layers: Iterator[Tree]) -> Tree:
    """The structure of one tree with a tree in place of each number; arrays of arrays become one array.

    Args:
        tree: the outer structure.
        inner: the structure of the trees.
        layers: one for each number of the outer tree.

    >>> outer([0.0, 0.0], (0.0, 0.0), iter([(1.0, 2.0), (3.0, 4.0)]))
    [(1.0, 2.0), (3.0, 4.0)]
    """
    parts = _parts(tree)
    if parts is not None:
        return _like(tree, [outer(part, inner, layers) for _, part in parts])
    if is_array(tree):
        return stacked(inner, list(islice(layers, tree.size)), tree.shape)
    return next(layers)


def stacked(tree: Tree, layers: list[Tree], shape: tuple[int, ...]) -> Tree:
    """Trees of one structure as one tree, whose every number or array is an array over them.

    Args:
        tree: the structure.
        layers: as many trees as an array of the shape has elements.
        shape: the leading axes of the results.
    """
    parts = _parts(tree)
    if parts is None:
        return _array([number for layer in layers for _, number in numbers(layer)], shape + _shape(tree))
    inside = [[part for _, part in _parts(layer) or ()] for layer in layers]
    return _like(tree, [stacked(part, [layer[i] for layer in inside], shape) for i, (_, part) in enumerate(parts)])


def matched(tree: Tree, other: Tree, path: Path, role: str) -> list[Any]:
    """The numbers of another tree that has the same structure.

    Args:
        tree: the structure wanted.
        other: what was given.
        path: how the root of the tree is called in an error.
        role: what the other is to the tree: "tangent".

    Raises:
        ArgumentError: they differ; the message names the place.

    >>> matched([1.0, [2.0]], [3.0, [4.0]], "x", "tangent")
    [3.0, 4.0]
    """
    parts, others = _parts(tree), _parts(other)
    keys, names = ([step for step, _ in found or ()] for found in (parts, others))
    if parts is None and others is None and _shape(tree) == _shape(other):
        return [number for _, number in numbers(other)]
    if parts is None or others is None or kind(tree) != kind(other) or set(keys) != set(names):
        missing = [key for key in keys if key not in names] if others is not None else []
        extra = [name for name in names if name not in keys] if parts is not None else []
        detail = f" {path}{missing[0]} has none." if missing else f" There is no {path}{extra[0]}." if extra else ""
        raise ArgumentError(
            f"The {role} of {path} is {described(other)}, and {path} is {described(tree)}.{detail}",
            f"Give the {role} the structure of {path}, one number for each number.",
        )
    found = dict(others)
    return [number for step, part in parts for number in matched(part, found[step], path + step, role)]


def _shape(tree: Tree) -> tuple[int, ...]:
    """The shape of an array; a number has none, and an array without dimensions is one."""
    return tree.shape if is_array(tree) else ()


def kind(tree: Tree) -> type:
    """The kind of container, for which all dicts are one."""
    return dict if isinstance(tree, Mapping) else type(tree)


def described(tree: Tree) -> str:
    """A structure in a few words, for an error."""
    if is_array(tree):
        return f"an array of shape {tree.shape}"
    parts = _parts(tree)
    if parts is None:
        return shown(tree)
    if tree is None:
        return "None"
    return f"a {type(tree).__name__} of {len(parts)}: {shown(tree)}"
