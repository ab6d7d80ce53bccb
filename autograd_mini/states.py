"""Settings and saved states, checked before anything changes.

Not here: what is saved, and where to. Read next: `optim`, `nn`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from autograd_mini.errors import ArgumentError, RangeError, shown
from autograd_mini.primitives import as_number


class Stateful(Protocol):
    """Something that can go on where it stopped: a model, an optimizer, a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """What it remembers, as JSON can hold it."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, or raise an `AutogradError` and change nothing."""
        ...


def setting(name: str, value: object, holds: Callable[[float], bool], allowed: str) -> float:
    """A setting as a float.

    Args:
        name: what it is called.
        value: what was passed.
        holds: whether a finite number is allowed.
        allowed: the same in words.

    Raises:
        ArgumentError: it is not a finite number, or not allowed.

    >>> setting("lr", 1, lambda x: x > 0.0, "> 0")
    1.0
    """
    number = _number(value)
    if number is None or not math.isfinite(number) or not holds(number):
        raise ArgumentError(f"{name} = {shown(value)} is not {allowed}.", f"Pass {name} {allowed}.")
    return number


def checked_state(state: object, like: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """A saved state of lists of numbers; nan and infinities, which a run that diverges meets, are among them.

    Args:
        state: what was loaded.
        like: a state with the right names and lengths. "steps" are whole numbers, a "size" is not negative.

    Raises:
        ArgumentError: it is anything else.

    >>> checked_state({"steps": [1]}, {"steps": [0.0]})
    {'steps': [1.0]}
    """
    if not isinstance(state, Mapping) or state.keys() != like.keys():
        raise _broken(f"{shown(state)} is not a dict of {', '.join(like)}")
    for name, expected in like.items():
        if not isinstance(state[name], (list, tuple)) or len(state[name]) != len(expected):
            raise _broken(f"{name}: {shown(state[name])} is not a list of {len(expected)}")
        for number in state[name]:
            x = _number(number)
            if x is None or (name == "size" and x < 0.0) or (name == "steps" and not (x >= 0.0 and x % 1.0 == 0.0)):
                raise _broken(f"{name}: {shown(number)}")
    return {name: [float(x) for x in state[name]] for name in like}


def _number(value: object) -> float | None:
    try:
        return None if isinstance(value, bool) else as_number(value)
    except RangeError:
        return None


def _broken(detail: str) -> ArgumentError:
    return ArgumentError(
        f"The state is broken, or belongs to another optimizer or model ({detail}).",
        "Load the one saved with this model.",
    )
