"""Scalar reverse-mode automatic differentiation that you can see through.

    >>> import autograd_mini as am
    >>> x, y = am.Value(2.0, name="x"), am.Value(-3.0, name="y")
    >>> loss = am.softplus(x * y) + x**2
    >>> loss.backward()
    >>> f"{x.grad:.6f}"
    '3.992582'

This module holds the public names, and nothing else. Read next: `primitives` (the table of operations), `engine`
(`Value` and the sweep), `functions` (what is composed from them).
"""

import typing as _typing

from autograd_mini import debug, nn, optim, symbolic
from autograd_mini.core.custom import primitive
from autograd_mini.core.row import ZERO, select
from autograd_mini.core.table import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    clip,
    cos,
    cosh,
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    floor,
    fmod,
    hypot,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    ndtr,
    pow,
    remainder,
    sign,
    sin,
    sinh,
    sqrt,
    tan,
    where,
    xlogy,
)
from autograd_mini.drawing import draw
from autograd_mini.engine import Value
from autograd_mini.errors import (
    ArgumentError,
    AutogradError,
    DataError,
    MissingError,
    NonFiniteError,
    OperandError,
    ProgramError,
    RangeError,
)
from autograd_mini.explanation import explain
from autograd_mini.functions.activations import (
    elu,
    gelu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    tanh,
)
from autograd_mini.functions.logits import log_softmax, logaddexp, logsumexp, softmax
from autograd_mini.functions.losses import binary_cross_entropy, cross_entropy, hinge, huber, mae, mse, nll
from autograd_mini.functions.sums import dot, mean, norm, sum
from autograd_mini.program.scopes import composite, scope
from autograd_mini.transforms.derivatives import grad, hessian, hvp, jacobian, jvp, stop_gradient, value_and_grad, vjp
from autograd_mini.transforms.detached import no_grad
from autograd_mini.watch.boundaries import kinks
from autograd_mini.watch.finiteness import checked
from autograd_mini.watch.origins import provenance

__all__ = [
    "ArgumentError",
    "AutogradError",
    "DataError",
    "MissingError",
    "NonFiniteError",
    "OperandError",
    "ProgramError",
    "RangeError",
    "Value",
    "ZERO",
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "binary_cross_entropy",
    "cbrt",
    "checked",
    "clip",
    "composite",
    "cos",
    "cosh",
    "cross_entropy",
    "debug",
    "dot",
    "draw",
    "elu",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "explain",
    "expm1",
    "floor",
    "fmod",
    "gelu",
    "grad",
    "hard_tanh",
    "hessian",
    "hinge",
    "huber",
    "hvp",
    "hypot",
    "jacobian",
    "jvp",
    "kinks",
    "leaky_relu",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mae",
    "maximum",
    "mean",
    "minimum",
    "mse",
    "ndtr",
    "nll",
    "nn",
    "no_grad",
    "norm",
    "optim",
    "pow",
    "primitive",
    "provenance",
    "relu",
    "remainder",
    "scope",
    "select",
    "selu",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "softsign",
    "sqrt",
    "stop_gradient",
    "sum",
    "symbolic",
    "tan",
    "tanh",
    "value_and_grad",
    "vjp",
    "where",
    "xlogy",
]


__version__: str

if not _typing.TYPE_CHECKING:  # a type checker would take every name for one that is there

    def __getattr__(name: str) -> str:
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from autograd_mini.program.owner import version  # here: looking it up takes longer than all the rest

        return version()


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
