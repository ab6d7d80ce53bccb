"""Backends: each runs a tape, and is a table with an entry for every operation, checked when it is imported.

Not here: the compiled function (`compiled`). Read next: `compile.backends.interpreter`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from autograd_mini.compile.tape import COMPUTED, INPUT, Tape
from autograd_mini.errors import ArgumentError, MissingError

BACKENDS = {"interpreter": "interpreter", "numpy": "arrays"}  # the name of each, and its module
_LONG = 2000  # instructions from which NumPy pays off for a single sample


def choose(name: str, tape: Tape) -> tuple[str, str]:
    """The backend for a tape, and why; "auto" chooses."""
    if name != "auto":
        if name not in BACKENDS:
            raise ArgumentError(f"There is no backend {name!r}.", f"Choose one of auto, {', '.join(BACKENDS)}.")
        if name == "numpy" and find_spec("numpy") is None:
            raise MissingError("The backend 'numpy' needs NumPy.", 'Install it: pip install "autograd-mini[jit]".')
        return name, "asked for"
    if not any(tape.batched) and len(tape) < _LONG:
        return "interpreter", f"one sample, fewer than {_LONG:,} instructions"
    if find_spec("numpy") is None:
        return "interpreter", "NumPy is not installed"
    return "numpy", "a batch" if any(tape.batched) else f"{_LONG:,} instructions or more"


def program(backend: str, tape: Tape, reduce: str | None) -> Any:
    """A tape, ready to run: called with the parts of its inputs, and the size of the batch if there is one."""
    module = importlib.import_module(f"{__name__}.{BACKENDS[backend]}")
    return module.Program(tape, reduce)


def flat(parts: Sequence[Any]) -> list[Any]:
    """The parts of the inputs one by one: a float for each input, or its numbers in all samples."""
    found: list[Any] = []
    for part in parts:
        if isinstance(part, float):
            found.append(part)
        else:
            found.extend(part.tolist() if getattr(part, "ndim", 0) == 1 else part)
    return found


def check_total(backend: str, operations: dict[str, Callable[..., Any]]) -> None:
    """Raise if a backend lacks an operation that can be on a tape."""
    missing = COMPUTED - operations.keys()
    if missing:
        raise AssertionError(f"The backend {backend!r} lacks {', '.join(sorted(missing))}.")


def batched_registers(tape: Tape) -> list[bool]:
    """Whether each register has one number per sample."""
    found: list[bool] = []
    for op, operands, detail in tape.instructions:
        found.append(tape.batched[int(str(detail))] if op == INPUT else any(found[x] for x in operands))
    return found
