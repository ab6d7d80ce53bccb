"""Scalar reverse-mode automatic differentiation that you can see through.

    >>> import autograd_mini as am
    >>> x, y = am.Value(2.0, name="x"), am.Value(-3.0, name="y")
    >>> loss = am.softplus(x * y) + x**2
    >>> loss.backward()
    >>> f"{x.grad:.6f}"
    '3.992582'

This module holds the public names only; `__init__.pyi` lists them for type checkers. Each module is imported when you
first use a name from it. Read next: `core`.
"""

import importlib as _importlib
import typing as _typing

from autograd_mini import debug as _debug  # noqa: F401  # attaches Value.debug
from autograd_mini.core.row import TABLE as _TABLE
from autograd_mini.functions import FUNCTIONS as _FUNCTIONS
from autograd_mini.transforms import detached as _detached  # noqa: F401  # attaches Value.detach

_HOMES = {  # the module each name comes from
    **{row.name: "core.table" for row in _TABLE.values() if row.is_public},
    **{name: function.__module__.removeprefix("autograd_mini.") for name, function in _FUNCTIONS.items()},
    **{
        name: home
        for home, names in {
            "": "debug nn optim symbolic",
            "check.engines.examination": "check_engine",
            "check.gradients": "check_grads",
            "check.handwritten": "check_derivative",
            "check.pytorch": "check_against from_torch",
            "compile.comparison": "compare",
            "compile.compiled": "jit",
            "compile.languages.emitted": "emit",
            "core.custom": "primitive",
            "core.row": "ZERO select",
            "debug.blocks": "backprop",
            "debug.flight": "record",
            "drawing": "draw",
            "engine": "Value",
            "errors": "ArgumentError AutogradError DataError MissingError NonFiniteError OperandError ProgramError "
            "RangeError TraceError",
            "explanation": "explain",
            "program.scopes": "composite scope",
            "transforms.derivatives": "grad hessian hvp jacobian jvp stop_gradient value_and_grad vjp",
            "transforms.detached": "no_grad",
            "watch.boundaries": "kinks",
            "watch.finiteness": "checked",
            "watch.origins": "provenance",
        }.items()
        for name in names.split()
    },
}
_EXTENSION = ("load_ipython_extension", "unload_ipython_extension")  # IPython asks for these, users do not
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> _typing.Any:
    if name == "__version__":
        from autograd_mini.program.owner import version  # here: slower than the rest of the import

        return version()
    if name in _EXTENSION:
        return getattr(_importlib.import_module(f"{__name__}.debug.blocks"), name)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES[name]
    module = _importlib.import_module(f"{__name__}.{home or name}")
    thing = globals()[name] = getattr(module, name) if home else module
    return thing


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
