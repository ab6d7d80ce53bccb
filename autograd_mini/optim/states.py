"""Settings and states, checked before anything changes; `save` and `load`, which `nn` has too.

Not here: what a state consists of; that is up to each class. Read next: `micrograd`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from autograd_mini.core.row import as_number
from autograd_mini.errors import ArgumentError, AutogradError, DataError, OperandError, RangeError, shown
from autograd_mini.output import files

_RANGES: dict[str, Callable[[float], bool]] = {
    "> 0": lambda x: x > 0.0,
    ">= 0": lambda x: x >= 0.0,
    "in [0, 1)": lambda x: 0.0 <= x < 1.0,
    "a whole number >= 1": lambda x: x >= 1.0 and x % 1.0 == 0.0,
}


class Stateful(Protocol):
    """Something that can go on where it stopped: a model, an optimizer, a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """What it remembers, as JSON can hold it."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, or raise an `AutogradError` and change nothing."""


def setting(name: str, value: object, allowed: str) -> float:
    """A setting as a float; an error if it is not a finite number in the allowed range."""
    number = real_number(value)
    if number is None or not math.isfinite(number) or not _RANGES[allowed](number):
        raise ArgumentError(f"{name} = {shown(value)} is not {allowed}.", f"Pass {name} {allowed}.")
    return number


def real_number(value: object) -> float | None:
    """A number as a state holds it, as a float; None for anything else, also for a bool or a number beyond floats."""
    try:
        return None if isinstance(value, bool) else as_number(value)
    except RangeError:
        return None


def checked_state(state: object, like: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """A saved state with the names and lengths of another one; nan and infinities are numbers like others.

    "steps" are whole numbers, a "size" is not negative.
    """
    if not isinstance(state, Mapping) or state.keys() != like.keys():
        raise _broken(f"{shown(state)} is not a dict of {', '.join(like)}")
    for name, expected in like.items():
        if not isinstance(state[name], (list, tuple)) or len(state[name]) != len(expected):
            raise _broken(f"{name}: {shown(state[name])} is not a list of {len(expected)}")
        for number in state[name]:
            x = real_number(number)
            if x is None or (name == "size" and x < 0.0) or (name == "steps" and not (x >= 0.0 and x % 1.0 == 0.0)):
                raise _broken(f"{name}: {shown(number)}")
    return {name: [float(x) for x in state[name]] for name in like}


def _broken(detail: str) -> ArgumentError:
    return ArgumentError(
        f"The state is broken, or belongs to another optimizer or model ({detail}).",
        "Load the one saved with this model.",
    )


# -- files -------------------------------------------------------------------------------------------------------------


def save(
    path: str | Path, model: Stateful, optimizer: Stateful | None = None, schedule: Stateful | None = None
) -> Path:
    """Write what a model, its optimizer and a schedule remember, as JSON.

    A number that is nan or infinite is written as Python's `json` writes it. A write that fails leaves the file that
    is there.

    Args:
        path: where to.
        model: an `nn.Module`.
        optimizer: one of `optim`, to go on training.
        schedule: one of `optim`.

    Returns:
        the path.

    Raises:
        OSError: it cannot be written.
        OperandError: one of the three has no state.

    >>> import tempfile
    >>> from autograd_mini import nn
    >>> model, other = nn.MLP(2, [3, 1], seed=1), nn.MLP(2, [3, 1], seed=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(folder + "/model.json", model), other)
    >>> other.state_dict() == model.state_dict()
    True
    """
    states = {name: thing.state_dict() for name, thing in _named(model, optimizer, schedule).items()}
    return files.write(path, json.dumps(states, indent=1) + "\n")


def load(
    path: str | Path, model: Stateful, optimizer: Stateful | None = None, schedule: Stateful | None = None
) -> None:
    """Go on from what `save` wrote: set the parameters, and what the optimizer and the schedule remember.

    Settings, such as the learning rate, are those of the optimizer that it is loaded into. For an example see `save`.

    Args:
        path: where from.
        model: one of the same sizes as the one that was saved.
        optimizer: one of the same kind; without it, what the file has of one is left aside.
        schedule: one of the same kind.

    Raises:
        OSError: it cannot be read.
        DataError: the file is broken, lacks something, or does not fit; the message names the line. Nothing has
            changed then.
        OperandError: one of the three has no state.
    """
    things = _named(model, optimizer, schedule)
    try:
        text = Path(path).read_text(encoding="utf-8")
        states = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unusable(path, error.lineno, f"{error.msg} in column {error.colno}.") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise _unusable(path, 1, f"this is not JSON, {error}.") from None
    before: list[tuple[Stateful, dict[str, Any]]] = []
    try:
        for name, thing in things.items():
            if not isinstance(states, dict) or name not in states:
                raise _unusable(path, 1, f"there is no {name} in it.")
            now = thing.state_dict()
            try:
                thing.load_state_dict(states[name])
            except AutogradError as error:
                line = text[: text.find(f'"{name}"')].count("\n") + 1
                raise _unusable(path, line, f"the {name} does not fit. {str(error).splitlines()[0]}") from None
            before.append((thing, now))
    except BaseException:
        for thing, state in reversed(before):
            thing.load_state_dict(state)
        raise


def _named(model: Stateful, optimizer: Stateful | None, schedule: Stateful | None) -> dict[str, Stateful]:
    given = {"model": model, "optimizer": optimizer, "schedule": schedule}
    things: dict[str, Any] = {name: thing for name, thing in given.items() if thing is not None}
    for name, thing in things.items():
        if not hasattr(thing, "load_state_dict"):
            raise OperandError(
                f"The {name} is {shown(thing)}, which has no state.",
                'Pass the path first, then an nn.Module: save("model.json", model, optimizer).',
            )
    return things


def _unusable(path: str | Path, line: int, what: str) -> DataError:
    return DataError(f"{path}, line {line}: {what}", "Load a file that save() wrote for this model.")
