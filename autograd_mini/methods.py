"""The functions that are also methods: `v.exp()` is `exp(v)`, and `np.exp` of an array of `Value`s finds it.

Here they are declared, for editors and type checkers; `engine` and `functions` attach them. Read next: `engine`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

# NumPy's names for functions that `math` calls otherwise.
_NUMPY_NAMES = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}


class Methods:
    """The base class of `Value` that holds its methods with the names of functions."""

    __slots__ = ()

    if TYPE_CHECKING:
        abs: Callable[..., Any]
        acos: Callable[..., Any]
        acosh: Callable[..., Any]
        arccos: Callable[..., Any]
        arccosh: Callable[..., Any]
        arcsin: Callable[..., Any]
        arcsinh: Callable[..., Any]
        arctan: Callable[..., Any]
        arctan2: Callable[..., Any]
        arctanh: Callable[..., Any]
        asin: Callable[..., Any]
        asinh: Callable[..., Any]
        atan: Callable[..., Any]
        atan2: Callable[..., Any]
        atanh: Callable[..., Any]
        cbrt: Callable[..., Any]
        clip: Callable[..., Any]
        cos: Callable[..., Any]
        cosh: Callable[..., Any]
        elu: Callable[..., Any]
        erf: Callable[..., Any]
        erfc: Callable[..., Any]
        exp: Callable[..., Any]
        exp2: Callable[..., Any]
        expm1: Callable[..., Any]
        floor: Callable[..., Any]
        fmod: Callable[..., Any]
        gelu: Callable[..., Any]
        hard_tanh: Callable[..., Any]
        hypot: Callable[..., Any]
        leaky_relu: Callable[..., Any]
        log: Callable[..., Any]
        log10: Callable[..., Any]
        log1p: Callable[..., Any]
        log2: Callable[..., Any]
        log_sigmoid: Callable[..., Any]
        maximum: Callable[..., Any]
        minimum: Callable[..., Any]
        ndtr: Callable[..., Any]
        relu: Callable[..., Any]
        selu: Callable[..., Any]
        sigmoid: Callable[..., Any]
        sign: Callable[..., Any]
        silu: Callable[..., Any]
        sin: Callable[..., Any]
        sinh: Callable[..., Any]
        softplus: Callable[..., Any]
        softsign: Callable[..., Any]
        sqrt: Callable[..., Any]
        tan: Callable[..., Any]
        tanh: Callable[..., Any]
        where: Callable[..., Any]
        xlogy: Callable[..., Any]


def attach(name: str, function: Callable[..., Any]) -> None:
    """Make a function of a `Value` one of its methods, also under NumPy's name for it."""
    for alias in {name, _NUMPY_NAMES.get(name, name)}:
        setattr(Methods, alias, function)
