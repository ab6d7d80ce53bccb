"""Stepping through backpropagation, forwards and backwards in time: one `Trace`, and the windows that show it.

Not here: the trace itself (`timeline`), its windows (`terminal`, `pages` for browsers and notebooks, `dap` for editors)
and training runs (`flight`). The first use imports them, because `import autograd_mini` must stay fast.
Read next: `debug.timeline`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, overload

from autograd_mini.engine import Value, is_node
from autograd_mini.errors import OperandError, shown

if TYPE_CHECKING:
    from pathlib import Path

    from autograd_mini.debug.disorder import Disorder
    from autograd_mini.debug.flight import Flight
    from autograd_mini.debug.pages import Page
    from autograd_mini.debug.timeline.breakpoints import Breakpoint
    from autograd_mini.debug.timeline.journal import Step
    from autograd_mini.debug.timeline.travel import Stop, Trace

_HOMES = {
    "Breakpoint": "timeline.breakpoints", "Disorder": "disorder", "Flight": "flight", "Page": "pages",
    "Step": "timeline.journal", "Stop": "timeline.travel", "Trace": "timeline.travel",
}  # fmt: skip
__all__ = [
    "Breakpoint", "Disorder", "Flight", "Page", "Step", "Stop", "Trace",
    "page", "serve", "shell", "slides", "trace", "wrong_order",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def trace(v: Value | Callable[..., Any], *args: Any, seed: float = 1.0) -> Trace:
    """Record every step of `v.backward()`, so that you can step through it forwards and backwards in time.

    Neither the graph nor any `.grad` changes. If you record the computation under `with am.provenance(calls=True):`,
    every step knows its place in your program.

    Args:
        v: the value to differentiate; or a function compiled by `jit`, which then runs instruction by instruction on
            the interpreter, with the names of `print(f.tape)` and the places in your program.
        args: the arguments of the compiled function; of a batch, the first sample is shown. If it returns several
            numbers, the sweep differentiates their sum.
        seed: the derivative to start with, as in `backward(seed)`.

    Returns:
        a `Trace`: a sequence of `Step`s and a position among them.

    Raises:
        OperandError: v is neither a `Value` nor a compiled function, or the seed is not a number.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0, name="x")
    >>> steps = am.debug.trace(x * x + x)
    >>> [(step.upstream, step.local, step.contribution, step.total) for step in steps if step.operand is x]
    [(1.0, 1.0, 1.0, 1.0), (1.0, 3.0, 3.0, 4.0), (1.0, 3.0, 3.0, 7.0)]
    """
    if not is_node(v) and callable(v):
        v = _run(v, args)
    elif len(args) > 1:
        raise OperandError(
            f"debug.trace() of a Value takes a seed, not the arguments {shown(args)}.",
            "Arguments are for a function that jit() has compiled.",
        )
    elif args:
        seed = args[0]
    return _stepped(_checked(v, "trace"), "trace", seed)


def shell(v: Value | Trace, seed: float = 1.0, commands: Sequence[str] = (), quiz: bool = False) -> None:
    """Step through `v.backward()` in the terminal, forwards and backwards in time, with pdb's commands.

    Neither the graph nor any `.grad` changes. If you record the computation under `with am.provenance(calls=True):`,
    every step shows its place in your program; `autograd-mini debug SCRIPT.py` does that for a whole program.

    Args:
        v: the value to differentiate, or a `Trace`, such as one of a compiled function.
        seed: the derivative to start with, as in `backward(seed)`.
        commands: commands to run first, as if you typed them; the next ones come from the terminal, or a pipe.
        quiz: ask for each contribution before it is shown, and name the slip behind a wrong answer.

    Raises:
        OperandError: v is neither a `Value` nor a `Trace`, or the seed is not a number.

    >>> import autograd_mini as am
    >>> x, w = am.Value(2.0, name="x"), am.Value(-3.0, name="w")
    >>> am.debug.shell(am.exp(x * w), commands=["next", "next", "quit"])  # doctest: +ELLIPSIS
    n steps, rn steps back, help lists more...
    step 4 of 7, seed
       ∂exp#3/∂exp#3 = 1   here the sweep begins
    step 5 of 7, backward
       ∂exp#3/∂mul#2 += ∂exp#3/∂exp#3 × ∂exp#3/∂mul#2 = 1 × 0.002479 = 0.002479   total 0.002479
    step 7 of 7, backward
       ∂exp#3/∂x += ∂exp#3/∂mul#2 × ∂mul#2/∂x = 0.002479 × -3 = -0.007436   total -0.007436
       ∂exp#3/∂w += ∂exp#3/∂mul#2 × ∂mul#2/∂w = 0.002479 × 2  = 0.004958    total 0.004958
       the sweep is over: these are the gradients of backward()
    """
    from autograd_mini.debug import terminal

    terminal.shell(_stepped(v, "shell", seed), commands, quiz)


def wrong_order(v: Value) -> Disorder:
    """Run backpropagation depth first, beside the right order, up to the point where it goes wrong.

    Args:
        v: the value to differentiate.

    Returns:
        a `Disorder` to print; it is true if a gradient goes wrong.

    Raises:
        OperandError: v is not a `Value`.

    >>> import autograd_mini as am
    >>> a = am.Value(3.0, name="a")
    >>> b = a + a
    >>> b.name = "b"
    >>> c = b + b
    >>> c.name = "c"
    >>> print(am.debug.wrong_order(c))
    depth first                    in topological order
      c → b: 1 × 1 = 1, b has 1      c → b: 1 × 1 = 1, b has 1
                                     c → b: 1 × 1 = 1, b has 2
    ▶ b → a: 1 × 1 = 1, a has 1    ▶ b → a: 2 × 1 = 2, a has 2
    <BLANKLINE>
    b hands on 1, but its gradient is 2: 1 of 2 contributions had arrived.
    In the end a gets 6 instead of 4.
    """
    from autograd_mini.debug.disorder import disorder

    return disorder(trace(_checked(v, "wrong_order")))


@overload
def page(v: Value | Trace, path: None = None, quiz: bool = False) -> Page: ...
@overload
def page(v: Value | Trace, path: str | Path, quiz: bool = False) -> Path: ...
def page(v: Value | Trace, path: str | Path | None = None, quiz: bool = False) -> Page | Path:
    """Step through backpropagation in a browser or a notebook: picture, chain rule, source and gradients on one page.

    If you record the computation under `with am.provenance(calls=True):`, the page marks the expression of every step
    in your program. It is a single file that works offline. Large graphs collapse, as in `draw`.

    Args:
        v: the value to differentiate, or a `Trace`, at whose position the page begins.
        path: the HTML file to write; without it you get the page, which a notebook shows.
        quiz: ask for each contribution before it is shown, and name the slip behind a wrong answer. Printed, the page
            is a worksheet with a key.

    Returns:
        the path, or without one a `Page`, which has `.save(path)` and `.html`.

    Raises:
        OperandError: v is neither a `Value` nor a `Trace`.
        ArgumentError: the path does not end in .html, or its folder does not exist.
        MissingError: no dot program was found.
        ProgramError: the dot program fails.

    >>> import autograd_mini as am, os, tempfile
    >>> x = am.Value(3.0, name="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     am.debug.page(x * x, os.path.join(folder, "square.html")).name
    'square.html'
    """
    from autograd_mini.debug.pages import Page, checked_path

    if path is not None:
        checked_path(path)
    found = Page(_stepped(v, "page"), quiz)
    return found if path is None else found.save(path)


def slides(v: Value | Trace, path: str | Path, steps: Collection[int] | None = None) -> Path:
    """Write slides for a class: one 16 : 9 page per step, with the picture, the line of source and the chain rule.

    The picture stands still from slide to slide; one too large to be read is a map beside close-ups of the steps. A
    call such as softmax is one slide, and so is each box of a graph that collapses; `trace.opened.add("softmax")` opens
    a call, step by step.

    Args:
        v: the value to differentiate, or a `Trace`.
        path: the .html file, which works offline and steps with arrow keys, space, clicks and swipes; or a .pdf file,
            which a browser on this machine prints.
        steps: the steps to show, such as range(12, 20); by default all.

    Returns:
        the path.

    Raises:
        OperandError: v is neither a `Value` nor a `Trace`.
        ArgumentError: the path ends otherwise, its folder or a step does not exist, or there would be too many slides,
            or too small a picture.
        MissingError: there is no browser to print the PDF, or no dot program.
        ProgramError: the browser or the dot program fails.

    >>> import autograd_mini as am, os, tempfile
    >>> x = am.Value(3.0, name="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     am.debug.slides(x * x, os.path.join(folder, "deck.html")).name
    'deck.html'
    """
    return _stepped(v, "slides").slides(path, steps)


def serve(v: Value, port: int = 5678, seed: float = 1.0) -> None:
    """Wait for an editor, and let it step through `v.backward()` forwards and backwards in time.

    The editor attaches to 127.0.0.1, on this machine, with the printed token; see README. Your program continues when
    the editor does so at the end of the sweep, or disconnects. Neither the graph nor any `.grad` changes.

    Args:
        v: the value to differentiate.
        port: the port to wait on; 0 takes any free port and prints it.
        seed: the derivative to start with, as in `backward(seed)`.

    Raises:
        OperandError: v is not a `Value`, or the seed is not a number.
        ArgumentError: the port is in use.
    """
    from autograd_mini.debug.dap import serve_call
    from autograd_mini.debug.program import Call
    from autograd_mini.program.owner import user_site

    serve_call(Call(1, _checked(v, "serve"), Value(seed).data, user_site()), port)


def _run(f: Callable[..., Any], args: Sequence[Any]) -> Value:
    """The graph of one call of a compiled function."""
    from autograd_mini.compile.compiled import Jit
    from autograd_mini.compile.stepping import graph

    if not isinstance(f, Jit):
        raise OperandError(
            f"debug.trace() takes a Value or a compiled function, not {shown(f)}.",
            "Compile it: debug.trace(am.jit(f), *args); or pass the Value that it returns.",
        )
    return graph(f, args)


def _stepped(v: Any, what: str, seed: float = 1.0) -> Trace:
    """The trace of a node; a trace is its own."""
    from autograd_mini.debug.timeline.travel import Trace

    return v if isinstance(v, Trace) else Trace(_checked(v, what), Value(seed).data)


def _checked(v: Any, what: str) -> Value:
    if not is_node(v):
        raise OperandError(
            f"debug.{what}() takes a Value, not {type(v).__name__}: {shown(v)}.",
            "Pass one node: the result, or an element of a list of results. A number has no graph.",
        )
    return v


def _debug(self: Value) -> None:
    """Step through `backward()` in the terminal, without changing a gradient; see `autograd_mini.debug.shell`."""
    shell(self)


_debug.__name__, _debug.__qualname__ = "debug", "Value.debug"
Value.debug = _debug  # here, because the debugger knows values, and values need not know the debugger
