"""An engine of your own as this package uses it: how it makes a number, and where it keeps number and gradient.

The names are found by trying: `data` and `grad` as in micrograd, `derivative` as in minitorch, arrays as in TinyTorch.
Not here: what the engine is asked to compute (`engines`). Read next: `check.engines.examination`.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from autograd_mini.check.engines.graphs import Graph
from autograd_mini.check.engines.trials import Trial, told
from autograd_mini.core.arrays import is_array
from autograd_mini.core.row import as_number
from autograd_mini.errors import ArgumentError, OperandError, shown

_NUMBERS = ("data", "value", "val", "_data", "item")
_PARTS: dict[str, tuple[str, tuple[str, ...], Callable[[Any], bool]]] = {  # what a user writes, names to try, a test
    "number": ("data", _NUMBERS, lambda found: number_in(found) == 2.0),
    "backward()": ("backward", ("backward", "backprop", "backpropagate"), callable),
    "gradient": ("grad or derivative", ("grad", "derivative", "gradient", "_grad", "adjoint"),
                 lambda found: not callable(found)),
}  # fmt: skip
ROUNDING, ROUNDING_32 = 1e-9, 2e-5  # relative, of float64 and float32


class TimeoutReached(BaseException):
    """The time is up; not an Exception, so that an engine's `except Exception` does not swallow it."""


_RAISED = (Exception, SystemExit, TimeoutReached)


class Engine:
    """A class, or a function that makes its objects from a number."""

    def __init__(self, make: Callable[..., Any], seconds: float) -> None:
        if not callable(make):
            raise OperandError(
                f"check_engine() takes a class, not {shown(make)}.", "Pass the class itself: check_engine(Value)."
            )
        self.name = getattr(make, "__name__", type(make).__name__)
        self.seconds, self.tolerance, self._make = seconds, ROUNDING, make
        self._settings = {"requires_grad": True} if "requires_grad" in _parameters(make) else {}
        try:
            with _borne(seconds):
                sample = self._leaf(2.0)
        except _RAISED as error:
            raise ArgumentError(
                f"{self.name}(2.0) raised {told(error)}.", "Pass a class, or a function, that takes one number."
            ) from error
        self._number, self.backward, self.gradient = (self._name_of(part, sample) for part in _PARTS)
        given = _parameters(getattr(sample, self.backward)).values()
        required = [p for p in given if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD]
        self._seed = (1.0,) * len(required)  # as in backward(gradient)

    def _name_of(self, part: str, sample: Any) -> str:
        usual, names, fits = _PARTS[part]
        for name in names:
            if hasattr(sample, name) and fits(getattr(sample, name)):
                return name
        raise ArgumentError(
            f"{self.name}(2.0) is {shown(sample)}, and nothing in it looks like its {part}.",
            f"Pass a class whose objects have {usual}; a subclass may add it as a property.",
        )

    def run(self, graph: Graph) -> Trial:
        """Build a graph with the engine and call its backward(), as often as the graph says."""
        nodes: list[Any] = []
        error: BaseException | None = None
        try:
            with _borne(self.seconds):
                nodes += [self._leaf(number) for number in graph.leaves]
                graph.extend(nodes)
                for root in graph.roots:
                    getattr(nodes[root], self.backward)(*self._seed)
        except _RAISED as raised:
            error = raised
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of gradients that it does not keep
            numbers, gradients = ([_read(node, name) for node in nodes] for name in (self._number, self.gradient))
        for place in range(min(len(graph.leaves), len(nodes))):  # a leaf that nothing arrives at may have None
            gradients[place] = gradients[place] or 0.0
        return Trial(graph, self.tolerance, numbers, gradients, error, (self._number, self.gradient))

    def _leaf(self, number: float) -> Any:
        node = self._make(number, **self._settings)
        if callable(require := getattr(node, "requires_grad_", None)):
            require(True)
        return node


def number_in(thing: Any) -> float | None:
    """Return the number in a float, an array or tensor of one element, or an object that holds one; else None."""
    for _ in range(4):
        if thing is None or (number := as_number(thing)) is not None:
            return None if thing is None else number
        if is_array(thing):
            thing = thing.item() if thing.size == 1 else None
        else:
            inner = next((getattr(thing, name) for name in ("item", *_NUMBERS) if hasattr(thing, name)), None)
            thing = inner() if callable(inner) else inner
    return None


def _read(node: Any, name: str) -> float | None:
    try:
        return number_in(getattr(node, name, None))
    except Exception:  # from a property
        return None


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # written in C
        return {}


@contextlib.contextmanager
def _borne(seconds: float) -> Iterator[None]:
    """Tolerate an engine that prints, warns, or never ends."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(nowhere),
        _time_limit(seconds),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutReached in this thread when the time is up: between two instructions of Python, not inside C."""
    thread, lock, raise_in = threading.get_ident(), threading.Lock(), ctypes.pythonapi.PyThreadState_SetAsyncExc
    is_over = is_up = False

    def interrupt() -> None:
        nonlocal is_up
        with lock:
            is_up = not is_over
            if is_up:
                raise_in(ctypes.c_ulong(thread), ctypes.py_object(TimeoutReached))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        # Python 3.11 cannot cancel an interruption cleanly: it then hangs under any tracer, so wait for it to come.
        with contextlib.suppress(TimeoutReached):
            timer.cancel()
            with lock:
                is_over = True
            for _ in range(1000 if is_up else 0):
                pass
