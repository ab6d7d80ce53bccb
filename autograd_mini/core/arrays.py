"""NumPy arrays, element by element: this module alone applies functions of single numbers to arrays.

NumPy is never imported here: if you pass an array, NumPy is loaded already.
Not here: what a function does with one element. Read next: `core.custom`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeGuard

from autograd_mini.errors import ArgumentError


def is_array(operand: object) -> TypeGuard[Any]:
    """Whether an operand is a NumPy array without a mask; masks are not supported."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(operand, numpy.ndarray):
        return False
    return type(operand) is numpy.ndarray or not isinstance(operand, numpy.ma.MaskedArray)


def boxed(operand: object) -> Any:
    """Wrap an object in a zero-dimensional array, so that NumPy does not look into it."""
    box = sys.modules["numpy"].empty((), dtype=object)
    box[()] = operand
    return box


def elementwise(function: Callable[..., Any], *operands: Any, **named: Any) -> Any:
    """Apply a function of single numbers to all elements of arrays, with NumPy's broadcasting.

    The result is an array of floats, or of objects if an element is not a float; with no dimensions, it is the element.
    """
    numpy = sys.modules["numpy"]
    arrays = [x if is_array(x) else boxed(x) for x in (*operands, *named.values())]
    try:
        arrays = numpy.broadcast_arrays(*arrays)
    except ValueError:
        shapes = " and ".join([str(array.shape) for array in arrays if array.ndim])
        raise ArgumentError(
            f"Arrays of shapes {shapes} cannot be broadcast together.",
            "Pass shapes whose dimensions, from the right, are equal or 1.",
        ) from None
    n = len(operands)
    rows = zip(*map(elements, arrays), strict=True)
    results = [function(*row[:n], **dict(zip(named, row[n:], strict=True))) for row in rows]
    return array_of(results, arrays[0].shape) if arrays[0].ndim else results[0]


def elements(array: Any) -> list[Any]:
    """All elements in row-major order: as Python's numbers where possible, but dates must not become integers."""
    return list(array.ravel().tolist() if array.dtype.kind in "biuf" else array.flat)


def array_of(elements: list[Any], shape: tuple[int, ...]) -> Any:
    """An array of these elements: of dtype float if all are floats, else object."""
    plain = all(isinstance(element, float) for element in elements)
    array = sys.modules["numpy"].empty(len(elements), dtype=float if plain else object)
    array[:] = elements
    return array.reshape(shape)
