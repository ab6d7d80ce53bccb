"""Settings and states, checked before anything changes; `save` and `load`, which `nn` also offers.

Not here: the contents of a state, which each class decides. Read next: `micrograd`.
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
    """An object that can continue where it stopped: a model, an optimizer or a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it remembers, ready for JSON."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, or raise an `AutogradError` and change nothing."""


def setting(name: str, value: object, allowed: str) -> float:
    """Return a setting as a float; raise if it is not a finite number in the allowed range."""
    number = real_number(value)
    if number is None or not math.isfinite(number) or not _RANGES[allowed](number):
        raise ArgumentError(f"{name} = {shown(value)} is not {allowed}.", f"Pass {name} {allowed}.")
    return number


def real_number(value: object) -> float | None:
    """Return a number of a state as a float; None for anything else, such as a bool or a number beyond floats."""
    try:
        return None if isinstance(value, bool) else as_number(value)
    except RangeError:
        return None


def checked_state(state: object, like: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Check that a saved state has the names and lengths of another one; nan and infinities are allowed.

    "steps" are whole numbers, and a "size" is not negative.
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
    """Save what a model, its optimizer and a schedule remember, as JSON.

    Nan and infinities are written as Python's `json` writes them. If writing fails, an existing file stays.

    Args:
        path: the file to write.
        model: an `nn.Module`.
        optimizer: one of `optim`, to continue training.
        schedule: one of `optim`.

    Returns:
        the path.

    Raises:
        OSError: the file cannot be written.
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
    """Continue from what `save` wrote: restore the parameters, and what the optimizer and the schedule remember.

    Settings, such as the learning rate, come from the optimizer that you pass. For an example see `save`.

    Args:
        path: the file to read.
        model: a model of the same sizes as the saved one.
        optimizer: an optimizer of the same kind; without it, the optimizer's part of the file is ignored.
        schedule: a schedule of the same kind.

    Raises:
        OSError: the file cannot be read.
        DataError: the file is broken, lacks something, or does not fit; the message names the line. Nothing changes.
        OperandError: one of the three has no state.
    """
    things = _named(model, optimizer, schedule)
    try:
        text = Path(path).read_text(encoding="utf-8")
        states = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unusable(path, error.lineno, f"{error.msg} in column {error.colno}.") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise _unusable(path, 1, f"this is not JSON: {error}.") from None
    before: list[tuple[Stateful, dict[str, Any]]] = []
    try:
        for name, thing in things.items():
            if not isinstance(states, dict) or name not in states:
                raise _unusable(path, 1, f"it contains no {name}.")
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
