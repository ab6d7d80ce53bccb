"""An engine of your own as this package uses it: how it makes a number, and where it keeps number and gradient.

The names are found by trying: `data` and `grad` as in micrograd, `derivative` as in minitorch, arrays as in TinyTorch.
Not here: what the engine is asked to compute (`graphs`). Read next: `check.graphs`.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import io
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autograd_mini.check.graphs import Graph
from autograd_mini.core.arrays import is_array
from autograd_mini.core.row import as_number
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.notation.text import elided

_NUMBERS = ("data", "value", "val", "_data", "item")
_GRADIENTS = ("grad", "derivative", "gradient", "_grad", "adjoint")
_BACKWARD = ("backward", "backprop", "backpropagate")
_MISSING = (
    TypeError,
    AttributeError,
    NotImplementedError,
    AssertionError,
)  # what an engine without an operation raises


class TimeoutReached(BaseException):
    """The time is up; it is no Exception, so that an engine's `except Exception` does not swallow it."""


@dataclass(frozen=True)
class Outcome:
    """What an engine made of a graph.

    Attributes:
        numbers: the number of each node, as far as it was computed.
        gradients: the gradient of each node after the last sweep; None where the engine keeps none.
        nodes: the engine's objects.
        error: what it raised, or None.
    """

    numbers: list[float | None]
    gradients: list[float | None]
    nodes: list[Any]
    error: BaseException | None = None

    @property
    def is_missing(self) -> bool:
        """Whether the engine has no such operation."""
        return isinstance(self.error, _MISSING)

    @property
    def is_hung(self) -> bool:
        """Whether it did not end in time."""
        return isinstance(self.error, TimeoutReached)


class Engine:
    """A class, or a function that makes its objects from a number."""

    def __init__(self, make: Callable[..., Any], seconds: float) -> None:
        if not callable(make):
            raise OperandError(
                f"check_engine() takes a class, not {shown(make)}.", "Pass the class itself: check_engine(Value)."
            )
        self.name = getattr(make, "__name__", type(make).__name__)
        self.seconds, self.printed, self._make = seconds, _Sink(), make
        self._settings = {"requires_grad": True} if _takes(make, "requires_grad") else {}
        with self.watched():
            try:
                sample = self._leaf(2.0)
            except Exception as error:
                raise ArgumentError(
                    f"{self.name}(2.0) raised {told(error)}.", "Pass a class, or a function, that takes one number."
                ) from error
        self._number = _first(sample, _NUMBERS, lambda name: number_in(getattr(sample, name)) == 2.0)
        self.backward = _first(sample, _BACKWARD, lambda name: callable(getattr(sample, name)))
        self.gradient = _first(sample, _GRADIENTS, lambda name: not callable(getattr(sample, name)))
        for what, found, names in (
            ("number", self._number, "data"), ("backward()", self.backward, "backward"),
            ("gradient", self.gradient, "grad or derivative"),
        ):  # fmt: skip
            if not found:
                raise ArgumentError(
                    f"{self.name}(2.0) is {shown(sample)}, and nothing in it looks like its {what}.",
                    f"Pass a class whose objects have {names}; a subclass may add it as a property.",
                )

    def run(self, graph: Graph) -> Outcome:
        """Build a graph with the engine and call its backward(), as often as the graph says."""
        nodes: list[Any] = []
        error: BaseException | None = None
        with self.watched():
            try:
                nodes = [self._leaf(number) for number in graph.leaves]
                graph.extend(nodes)
                for root in graph.roots:
                    getattr(nodes[root], self.backward)()
            except (Exception, TimeoutReached) as raised:
                error = raised
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of gradients that it does not keep
            numbers = [number_in(getattr(node, self._number, None)) for node in nodes]
            gradients = [number_in(getattr(node, self.gradient, None)) for node in nodes]
        for place in range(min(len(graph.leaves), len(gradients))):  # a leaf that nothing arrives at may have None
            gradients[place] = gradients[place] or 0.0
        return Outcome(numbers, gradients, nodes, error)

    def _leaf(self, number: float) -> Any:
        node = self._make(number, **self._settings)
        require = getattr(node, "requires_grad_", None)
        if callable(require):
            require(True)
        return node

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Bear an engine that prints, warns, or takes for ever."""
        with (
            warnings.catch_warnings(), contextlib.redirect_stdout(self.printed), _time_limit(self.seconds)
        ):  # fmt: skip
            warnings.simplefilter("ignore")
            yield


def number_in(thing: Any) -> float | None:
    """Return the number in a float, an array or tensor of one element, or an object that holds one; else None."""
    for _ in range(4):
        if thing is None:
            return None
        if is_array(thing) and thing.size == 1:
            thing = thing.item()
        if (number := as_number(thing)) is not None:
            return number
        with contextlib.suppress(Exception):
            inner = next((getattr(thing, name) for name in ("item", *_NUMBERS) if hasattr(thing, name)), None)
            thing = inner() if callable(inner) else inner
            continue
        return None
    return None


def _first(sample: Any, names: tuple[str, ...], fits: Callable[[str], bool]) -> str:
    return next((name for name in names if hasattr(sample, name) and fits(name)), "")


def _takes(make: Callable[..., Any], parameter: str) -> bool:
    try:
        return parameter in inspect.signature(make).parameters
    except (TypeError, ValueError):
        return False


def told(error: BaseException) -> str:
    """Return the type of an error and the beginning of its message."""
    message = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {elided(message, 120)}" if message else type(error).__name__


class _Sink(io.TextIOBase):
    """Standard output that counts lines and keeps nothing: an engine may print at every step."""

    lines = 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return len(text)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutReached in this thread when the time is up: between two instructions of Python, not inside C."""
    thread, lock, over = ctypes.c_ulong(threading.get_ident()), threading.Lock(), False

    def interrupt() -> None:
        with lock:
            if not over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeoutReached))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            over = True
