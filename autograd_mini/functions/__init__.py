"""Functions composed from primitives: activations, sums, softmax and its logarithms, losses. None has its own rule.

`__init__.pyi` lists the functions for type checkers. Not here: primitives (`core.table`).
Read next: `functions.composed`.
"""

import autograd_mini.functions.losses
import autograd_mini.functions.sums  # noqa: F401  # all modules fill FUNCTIONS
from autograd_mini.functions.activations import ACTIVATIONS
from autograd_mini.functions.composed import FUNCTIONS
from autograd_mini.functions.switches import kink_at_switch, slope

globals().update(FUNCTIONS)
__all__ = [*FUNCTIONS, "ACTIVATIONS", "FUNCTIONS", "kink_at_switch", "slope"]
