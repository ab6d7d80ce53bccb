"""NumPy arrays, element by element: one place makes a function of single numbers a function of arrays of them.

NumPy is never imported: where there is an array, it is loaded already.
Not here: what a function does with one element. Read next: `core.custom`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeGuard

from autograd_mini.errors import ArgumentError


def is_array(operand: object) -> TypeGuard[Any]:
    """Whether it is a NumPy array, without a mask: derivatives know none."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(operand, numpy.ndarray):
        return False
    return type(operand) is numpy.ndarray or not isinstance(operand, numpy.ma.MaskedArray)


def boxed(operand: object) -> Any:
    """One thing as an array without dimensions, which NumPy does not look into."""
    box = sys.modules["numpy"].empty((), dtype=object)
    box[()] = operand
    return box


def elementwise(function: Callable[..., Any], *operands: Any, **named: Any) -> Any:
    """A function of single numbers at all elements of arrays, broadcast as NumPy does.

    The result is an array of floats, or of objects where one is something else; without dimensions, the result itself.
    """
    numpy = sys.modules["numpy"]
    arrays = [x if is_array(x) else boxed(x) for x in (*operands, *named.values())]
    try:
        arrays = numpy.broadcast_arrays(*arrays)
    except ValueError:
        shapes = " and ".join([str(array.shape) for array in arrays if array.ndim])
        raise ArgumentError(
            f"Arrays of the shapes {shapes} do not fit together.",
            "Pass shapes that NumPy can broadcast: equal from the right, or 1.",
        ) from None
    n = len(operands)
    rows = zip(*map(elements, arrays), strict=True)
    results = [function(*row[:n], **dict(zip(named, row[n:], strict=True))) for row in rows]
    return array_of(results, arrays[0].shape) if arrays[0].ndim else results[0]


def elements(array: Any) -> list[Any]:
    """All elements, row after row: as Python's numbers where these exist (dates must not become whole numbers)."""
    return list(array.ravel().tolist() if array.dtype.kind in "biuf" else array.flat)


def array_of(elements: list[Any], shape: tuple[int, ...]) -> Any:
    """An array with these elements: of floats where all are, else of objects."""
    plain = all(isinstance(element, float) for element in elements)
    array = sys.modules["numpy"].empty(len(elements), dtype=float if plain else object)
    array[:] = elements
    return array.reshape(shape)
