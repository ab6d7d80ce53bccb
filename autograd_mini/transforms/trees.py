"""Taking apart structures of numbers (nested lists, tuples, dicts, NumPy arrays), and putting them together again.

Anything other than a container counts as a number; None is an empty container, as in JAX's pytrees.
Not here: derivatives. Read next: `transforms.recorded`.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, islice, pairwise, product
from math import prod
from typing import Any

from autograd_mini.core.arrays import array_of, is_array
from autograd_mini.core.methods import Methods
from autograd_mini.errors import ArgumentError, shown

Tree = Any  # a number, or a list, tuple, dict or array of trees
Path = str  # how a part is written in Python: "['layer1'][3]"


def parts_of(tree: Tree) -> list[tuple[Path, Tree]] | None:
    """Return the parts of a list, tuple or dict with their paths; None for an array or a number."""
    if isinstance(tree, (float, Methods)):  # first, because checking an abstract class is slow
        return None
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(f".{name}", part) for name, part in zip(tree._fields, tree, strict=True)]
    if isinstance(tree, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(tree)]
    if isinstance(tree, Mapping):
        return [(f"[{key!r}]", part) for key, part in tree.items()]
    return [] if tree is None else None


def numbers(tree: Tree, path: Path = "") -> Iterator[tuple[Path, Any]]:
    """Yield the numbers of a tree from left to right, each with its path, which starts with `path`."""
    parts = parts_of(tree)
    if parts is not None:
        for step, part in parts:
            yield from numbers(part, path + step)
    elif is_array(tree):
        for index in product(*map(range, tree.shape)):
            yield path + (str(list(index)) if index else ""), tree[index]
    else:
        yield path, tree


def rebuilt(tree: Tree, replacements: Iterator[Any]) -> Tree:
    """Return the same structure with other numbers, in the order of `numbers`.

    An array becomes an array of floats, or of objects if a replacement is not a number. An array without dimensions
    becomes the recording number itself, because NumPy would wrap it.
    """
    if type(tree) is float:
        return next(replacements)
    if type(tree) is list:  # the common cases, without paths: a dense Hessian takes half the time
        return [rebuilt(part, replacements) for part in tree]
    if type(tree) is tuple:
        return tuple([rebuilt(part, replacements) for part in tree])
    if type(tree) is dict:
        return {key: rebuilt(part, replacements) for key, part in tree.items()}
    return _folded(tree, lambda number: next(replacements),
                   lambda array: _array([*islice(replacements, array.size)], array.shape))  # fmt: skip


class Blank:
    """A structure to be filled with floats again and again, without a step for each element of its arrays."""

    def __init__(self, tree: Tree) -> None:
        self._shapes: list[tuple[int, ...] | None] = []  # None for a number
        self._tree = _folded(tree, lambda number: self._noted(None), lambda array: self._noted(array.shape))
        self._starts = [0, *accumulate([prod(shape or ()) for shape in self._shapes])]

    def _noted(self, shape: tuple[int, ...] | None) -> float:
        self._shapes.append(shape)
        return 0.0

    def filled(self, floats: Any) -> Tree:
        """Return the structure with these floats: a list, or an array, which may have a column for each sample."""
        if set(self._shapes) <= {None}:
            return rebuilt(self._tree, iter(floats.tolist() if getattr(floats, "ndim", 2) == 1 else floats))
        array, pieces = sys.modules["numpy"].asarray(floats, float), []
        for shape, (start, stop) in zip(self._shapes, pairwise(self._starts), strict=True):
            piece = array[start:stop].T.reshape((*array.shape[1:], *(shape or ())))
            pieces.append(float(piece) if shape is None and array.ndim == 1 else piece)
        return rebuilt(self._tree, iter(pieces))


def mapped(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """Apply a function to every recording number in a structure."""

    def inside(array: Any) -> Any:
        if array.dtype != object:
            return array
        return _array([mapped(function, element) for element in array.flat], array.shape)

    return _folded(tree, lambda leaf: function(leaf) if isinstance(leaf, Methods) else leaf, inside)


def outer(tree: Tree, inner: Tree, layers: Iterator[Tree]) -> Tree:
    """Return one tree with a tree in place of each number; arrays of arrays become one array."""
    return _folded(tree, lambda number: next(layers),
                   lambda array: stacked(inner, [*islice(layers, array.size)], array.shape))  # fmt: skip


def stacked(tree: Tree, layers: list[Tree], shape: tuple[int, ...]) -> Tree:
    """Stack trees of one structure into one: each number or array becomes an array with leading axes `shape`."""
    parts = parts_of(tree)
    if parts is None:
        return _array([number for layer in layers for _, number in numbers(layer)], shape + _shape(tree))
    inside = [[part for _, part in parts_of(layer) or ()] for layer in layers]
    return like(tree, [stacked(part, [layer[i] for layer in inside], shape) for i, (_, part) in enumerate(parts)])


def columns(tree: Tree, numbers: Iterator[Any], out: Tree = None) -> Tree:
    """Return a tree with one array per number, of its value in each sample; an array gets a new first axis.

    With `out`, a tree of arrays to fill, it returns that.
    """
    parts = parts_of(tree)
    if parts is not None:
        outs = dict.fromkeys(dict(parts)) if out is None else dict(parts_of(out) or ())
        if outs.keys() != dict(parts).keys() or (out is not None and kind(out) != kind(tree)):
            raise ArgumentError(f"out= is {described(out)}, for {described(tree)}.", "Give it the same structure.")
        made = [columns(part, numbers, outs[step]) for step, part in parts]
        return like(tree, made) if out is None else out
    rows = [next(numbers) for _ in range(tree.size if is_array(tree) else 1)]
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return list(rows[0])
    if not is_array(tree) and isinstance(rows[0], numpy.ndarray) and out is None:
        return rows[0]
    plain = all(isinstance(row, numpy.ndarray) or set(map(type, row)) <= {float} for row in rows)
    array = numpy.array(rows, dtype=float if plain else object).T.reshape(-1, *_shape(tree))
    if out is None:
        return array
    if not is_array(out) or (out.shape, out.dtype) != (array.shape, array.dtype) or not out.flags.writeable:
        what = f"an array of shape {array.shape} and dtype {array.dtype}"
        also = "" if not is_array(out) else f" and dtype {out.dtype}" + ", read-only" * (not out.flags.writeable)
        raise ArgumentError(f"out= is {described(out)}{also}, where the result is {what}.", f"Pass {what}.")
    out[...] = array
    return out


def _folded(tree: Tree, leaf: Callable[[Any], Any], array: Callable[[Any], Any]) -> Tree:
    """Return the same containers with each number and each array replaced."""
    parts = parts_of(tree)
    if parts is not None:
        return like(tree, [_folded(part, leaf, array) for _, part in parts])
    return array(tree) if is_array(tree) else leaf(tree)


def like(tree: Tree, parts: list[Any]) -> Tree:
    """Return a container of the same kind with these parts."""
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


def matched(tree: Tree, other: Tree, path: Path, role: str) -> list[Any]:
    """Return the numbers of another tree, such as a tangent (`role`), if it has the structure of this one."""
    parts, others = parts_of(tree), parts_of(other)
    if parts is None and others is None and _shape(tree) == _shape(other):
        return [number for _, number in numbers(other)]
    keys, names = ([step for step, _ in found or ()] for found in (parts, others))
    if parts is None or others is None or kind(tree) != kind(other) or set(keys) != set(names):
        missing = [key for key in keys if key not in names] if others is not None else []
        extra = [name for name in names if name not in keys] if parts is not None else []
        detail = f" {path}{missing[0]} has none." if missing else f" There is no {path}{extra[0]}." if extra else ""
        raise ArgumentError(
            f"The {role} of {path} is {described(other)}, but {path} is {described(tree)}.{detail}",
            f"Give the {role} the structure of {path}, one number for each number.",
        )
    found = dict(others)
    return [number for step, part in parts for number in matched(part, found[step], path + step, role)]


def is_number(tree: Tree) -> bool:
    """Return True for a number; an array without dimensions counts as one."""
    return parts_of(tree) is None and not getattr(tree, "shape", ())


def _shape(tree: Tree) -> tuple[int, ...]:
    return tree.shape if is_array(tree) else ()


def kind(tree: Tree) -> type:
    """Return the kind of container; all dicts are of one kind."""
    return dict if isinstance(tree, Mapping) else type(tree)


def described(tree: Tree) -> str:
    """Describe a structure in a few words, for an error."""
    if is_array(tree):
        return f"an array of shape {tree.shape}"
    parts = parts_of(tree)
    return f"a {type(tree).__name__} of {len(parts)}: {shown(tree)}" if parts else shown(tree)
