"""Formulas of what falls out, and proofs that they equal a closed form for all inputs.

SymPy is imported by the first use of a name below: `import autograd_mini` must stay fast, and work without it.
Not here: floats and `Value`s. Read next: `table`, `formulas`, `proof`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from autograd_mini.errors import MissingError

if TYPE_CHECKING:
    from autograd_mini.symbolic.formulas import (
        Formula,
        formula,
        named_symbol,
        simplified,
        solved,
        symbolic_arguments,
        text,
        traced,
    )
    from autograd_mini.symbolic.proof import Proof, Verdict, prove
    from autograd_mini.symbolic.table import exact

_HOME = {
    "formulas": ("Formula", "formula", "named_symbol", "simplified", "solved", "symbolic_arguments", "text", "traced"),
    "proof": ("Proof", "Verdict", "prove"),
    "table": ("exact",),
}
__all__ = [
    "Formula", "Proof", "Verdict",
    "exact", "formula", "named_symbol", "prove", "simplified", "solved", "symbolic_arguments", "text", "traced",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            try:
                return getattr(importlib.import_module(f"{__name__}.{module}"), name)
            except ModuleNotFoundError as error:
                if error.name not in ("sympy", "mpmath"):
                    raise
                raise MissingError('Formulas and proofs need SymPy: pip install "autograd-mini[symbolic]"') from None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
