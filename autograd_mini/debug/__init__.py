"""Stepping through backpropagation, forwards and backwards in time: one `Trace`, four windows that show it.

Not here: the record (`journal`) and time travel (`travel`). The windows: `terminal`, `pages` (HTML, notebooks),
`dap` (editors). All are imported by the first use: `import autograd_mini` must stay fast. Read next: `travel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd_mini.engine import Value
from autograd_mini.errors import OperandError, shown

if TYPE_CHECKING:
    from autograd_mini.debug.travel import Trace


def trace(v: Value, seed: float = 1.0) -> Trace:
    """Record every step of `v.backward()`, to go through it forwards and backwards in time.

    Neither the graph nor any `.grad` changes. Record the computation under `with am.provenance(calls=True):`, and every
    step knows its place in your program.

    Args:
        v: the value whose derivatives are computed.
        seed: the derivative to start with, as in `backward(seed)`.

    Returns:
        a `Trace`: a sequence of `Step`s and a position in it.

    Raises:
        OperandError: v is not a `Value`, or the seed is no number.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0, name="x")
    >>> steps = am.debug.trace(x * x + x)
    >>> [(step.upstream, step.local, step.contribution, step.total) for step in steps if step.operand is x]
    [(1.0, 1.0, 1.0, 1.0), (1.0, 3.0, 3.0, 4.0), (1.0, 3.0, 3.0, 7.0)]
    """
    from autograd_mini.debug.travel import Trace

    return Trace(_checked(v, "trace"), Value(seed).data)


def serve(v: Value, port: int = 5678, seed: float = 1.0) -> None:
    """Wait for an editor, and let it step through `v.backward()` in both directions in time.

    The editor attaches to 127.0.0.1, on this machine; see README. The program goes on when the editor continues at the
    end of the sweep, or goes away. Neither the graph nor any `.grad` changes.

    Args:
        v: the value whose derivatives are computed.
        port: where to wait; 0 for any that is free, it is printed.
        seed: the derivative to start with, as in `backward(seed)`.

    Raises:
        OperandError: v is not a `Value`, or the seed is no number.
        ArgumentError: somebody else uses the port.
    """
    from autograd_mini.debug.dap import serve_call
    from autograd_mini.debug.program import Call
    from autograd_mini.source import user_site

    serve_call(Call(1, _checked(v, "serve"), Value(seed).data, user_site()), port)


def _checked(v: Value, what: str) -> Value:
    if type(v) is not Value:
        raise OperandError(
            f"debug.{what}() takes a Value, not {type(v).__name__}: {shown(v)}.",
            "Pass one node: the result, or an element of a list of results. A number has no graph.",
        )
    return v
