"""Derivatives as formulas, and proofs that they equal a closed form for all inputs.

The first use of a name below imports SymPy: `import autograd_mini` must stay fast, and work without it.
Not here: floats and `Value`s. Read next: `symbolic.table`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from autograd_mini.errors import MissingError

if TYPE_CHECKING:
    from autograd_mini.symbolic.derivation import explain_proof
    from autograd_mini.symbolic.formulas import Formula, formula, simplified, symbolic_arguments, text, traced
    from autograd_mini.symbolic.proof import Proof, Verdict, prove
    from autograd_mini.symbolic.table import exact

_HOME = {
    "Formula": "formulas", "Proof": "proof", "Verdict": "proof", "exact": "table", "explain_proof": "derivation",
    "formula": "formulas", "prove": "proof", "simplified": "formulas", "symbolic_arguments": "formulas",
    "text": "formulas", "traced": "formulas",
    "named_symbol": "derivation", "solved": "derivation", "trace": "formulas",  # older code may use them
}  # fmt: skip
__all__ = [
    "Formula", "Proof", "Verdict",
    "exact", "explain_proof", "formula", "prove", "simplified", "symbolic_arguments", "text", "traced",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_HOME[name]}")
        return getattr(module, "traced" if name == "trace" else name)
    except ModuleNotFoundError as error:
        if error.name not in ("sympy", "mpmath"):
            raise
        raise MissingError('Formulas and proofs need SymPy: pip install "autograd-mini[symbolic]"') from None


def __dir__() -> list[str]:
    return __all__
