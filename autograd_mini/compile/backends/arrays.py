"""The NumPy backend: what all samples share is computed once, level by level; the rest in strips of samples.

Sums run from left to right, those over the samples too; matrix products run in the order of BLAS.
Not here: scalars (`interpreter`). Read next: `compile.arguments`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_mini.compile.backends import batched_registers
from autograd_mini.compile.backends.levels import Levels
from autograd_mini.compile.backends.operations import EXPANDED
from autograd_mini.compile.backends.strips import Strips
from autograd_mini.compile.expansions import expanded
from autograd_mini.compile.passes import optimized
from autograd_mini.compile.tape import Tape


class Program:
    """A tape, ready to run.

    Args:
        tape: the tape.
        reduce: "sum" or "mean" over the samples, or None.
    """

    def __init__(self, tape: Tape, reduce: str | None = None) -> None:
        tape, _ = optimized(expanded(tape, EXPANDED))
        is_batched = batched_registers(tape)
        self._strips = Strips(tape, is_batched, reduce) if any(is_batched) else None
        shared = [register for register, many in enumerate(is_batched) if not many]
        self._levels = Levels(tape, shared)
        self._places = self._levels.places(tape.outputs if self._strips is None else self._strips.shared)

    def __call__(self, numbers: Sequence[Any], samples: int | None = None) -> list[Any]:
        """The results: a float each, or an array of one per sample.

        Args:
            numbers: one per input; for a batched one, an array with one per sample.
            samples: the size of the batch.
        """
        with np.errstate(all="ignore"):
            found = self._levels.run(numbers, self._places)
            if self._strips is None or samples is None:
                return found
            return self._strips.run(numbers, samples, dict(zip(self._strips.shared, found, strict=True)))

    def text(self) -> str:
        """The calls of NumPy: those for one sample or for what all samples share, then those for each strip."""
        return "\n".join([*self._levels.lines(), *(self._strips.lines() if self._strips is not None else ())])
