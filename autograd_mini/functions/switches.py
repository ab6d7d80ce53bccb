"""Activations that switch between two forms: if their slopes differ, there is a kink, which `kinks` reports.

Not here: the activations. Read next: `functions.logits`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from autograd_mini.core.methods import Methods
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints
from autograd_mini.core.table import where
from autograd_mini.engine import Value, is_node
from autograd_mini.functions.composed import Scalar
from autograd_mini.program.scopes import unobserved
from autograd_mini.watch.boundaries import Kink, is_watched, note_kink
from autograd_mini.watch.finiteness import is_checked
from autograd_mini.watch.origins import note_decision, place_of


def slope(function: Callable[[Any], Any], number: float) -> Any:
    """The derivative of a function of one number, from the sweep; `ZERO` if there is no edge."""
    leaf = Value(number)
    return adjoints(function(leaf)).get(leaf, ZERO)


def _slopes_beside(function: Callable[[Any], Any], number: float) -> list[float]:
    """The derivatives just below a number, at it, and just above it."""
    with unobserved():
        found = [slope(function, n) for n in (math.nextafter(number, -1.0), number, math.nextafter(number, 1.0))]
    return [0.0 if slope is ZERO else float(slope) for slope in found]


def kink_at_switch(name: str, function: Callable[[Any], Any], x: Value, y: Value) -> Kink | None:
    """The kink of an activation that switches between two forms at x; None where their slopes agree."""
    left, chosen, right = _slopes_beside(function, x.data)
    if left == right:
        return None
    return Kink(y, name, (x.data,), (chosen,), place_of(y), lambda side: (left if side < 0.0 else right,))


def note_switch(name: str, function: Callable[[Any], Any], x: Value, y: Value) -> None:
    """Report the kink at a switch to `kinks`."""
    kink = kink_at_switch(name, function, x, y) if is_watched() else None
    if kink is not None:
        note_kink(kink)


def bent(x: Scalar, y: Scalar) -> Scalar:
    """The result of a function with a kink at x; under `checked`, less a zero that has the kink (`abs`)."""
    if not is_checked():
        return y
    note_decision(x, "==", 0.0)
    with unobserved():
        result = y - abs(x)  # subtracting 0.0 keeps the sign of a zero
    if is_node(result):
        result.origin = getattr(y, "origin", None)
    return result


def switching(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of activations with two forms that meet at 0."""

    @functools.wraps(function)
    def switch(x: Scalar, *settings: Scalar, **named: Scalar) -> Scalar:
        number = x._data if is_node(x) else x  # comparing it is not a decision of the program
        is_nan = number != number
        if is_nan is True:
            note_decision(x, "!=", x)
            return x / x  # nan, with nan as all its derivatives
        y = function(x, *settings, **named)
        if is_nan is not False:  # on a tape
            return where(is_nan, x / x, y)
        if (number == 0.0) is True and isinstance(x, Methods):

            def same(z: Scalar) -> Scalar:
                return function(z, *settings, **named)

            if is_node(x):
                note_switch(function.__name__, same, x, y)
            if is_checked() and len(set(_slopes_beside(same, x.data))) > 1:
                y = bent(x, y)
        return y

    return switch
