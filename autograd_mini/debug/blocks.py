"""`backprop`: a `with` block that shows the page of a `backward()` inside it, in a notebook below the cell.

Not here: whole cells of IPython (`magics`), and what the page shows. Read next: `debug.magics`.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from autograd_mini.debug.pages import Page, missing_call, page_of_call
from autograd_mini.debug.program import Call
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.notation.namespaces import namespaces
from autograd_mini.program.stack import Block, Hooks
from autograd_mini.watch.origins import provenance


class Recorder(Block):
    """A block that keeps one call of `backward()` inside it: number `at`, by default the last."""

    def __init__(self, at: int | None, quiz: bool) -> None:
        remember: Callable[[Hooks], Hooks] = provenance(calls=True).adds
        super().__init__(lambda outside: self._noting(remember(outside)))
        self.at, self.quiz = at, quiz
        self.calls = 0
        self.call: Call | None = None

    def _noting(self, outside: Hooks) -> Hooks:
        also = outside.at_backward  # of a debugger, or of a block around this one

        def note(root: Value, seed: float) -> None:
            self.calls += 1
            if self.at in (None, self.calls):
                # Copies, because the program may assign to its variables before the page is made.
                spaces = [dict(space) if type(space) is dict else space for space in namespaces(sys._getframe(1))]
                self.call = Call(self.calls, root, seed, None, None, spaces)
            if also is not None:
                also(root, seed)

        return replace(outside, at_backward=note)

    def page_of(self, block: str, otherwise: str) -> Page:
        """Return the page of the call that was kept; an error calls the code inside `block`, and says what to do."""
        if self.call is None:
            raise missing_call(block, self.calls, otherwise)
        return page_of_call(self.call, self.quiz)

    def show(self, page: Page, another: str) -> None:
        """Show the page in a notebook, and how to choose another one if there are several; elsewhere do nothing."""
        if (display := _display()) is not None:
            page.html  # noqa: B018  # errors are raised now: notebooks only print those of a display
            if self.calls > 1 and self.call is not None:
                print(f"Call {self.call.number:,} of {self.calls:,} of backward(); {another} shows the N-th.")
            display(page)


class backprop(Recorder):  # noqa: N801  # a context manager is used like a function
    """Show the page that steps through the `backward()` called in a `with` block, in a notebook below the cell.

    The page has your source lines and names, as if the block ran under `with am.provenance(calls=True):`. IPython and
    marimo show it at the end of the block; a plain program saves it, or takes `page`. If an error leaves the block,
    nothing is shown. Calls of `backward()` in other threads do not count. No gradient changes. IPython has a magic for
    whole cells: `%load_ext autograd_mini`, then `%%backprop`.

    Args:
        at: which call of `backward()` to show, counted from 1; by default the last.
        quiz: ask for each contribution before it is shown, as in `debug.page`.

    Attributes:
        calls: the number of calls of `backward()` so far.

    Raises:
        OperandError: at is not a whole number.
        ArgumentError: at is less than 1. At the end of the block: it has no such call of `backward()`.

    >>> import autograd_mini as am
    >>> x = am.Value(3.0, name="x")
    >>> with am.backprop() as shown:
    ...     y = x * x
    ...     y.backward()
    >>> shown.page
    Page(y, 5 steps); notebooks show it, .save("backprop.html") writes it
    """

    def __init__(self, at: int | None = None, quiz: bool = False) -> None:
        super().__init__(None if at is None else _checked(at), quiz)
        self._is_open = False
        self._page: Page | None = None

    def __enter__(self) -> backprop:
        if self._is_open:
            raise ArgumentError("This block is open already.", "Write am.backprop() again for a block of its own.")
        self._is_open, self.calls, self.call, self._page = True, 0, None, None
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._is_open = False
        if kind is None:
            self._page = self._made()  # now, because the program may write to its leaves later
            self.show(self._page, "am.backprop(at=N)")

    @property
    def page(self) -> Page:
        """The page; inside the block, and after an error, that of the calls so far.

        Raises:
            ArgumentError: there is no such call of `backward()`.
        """
        return self._page or self._made()

    def _made(self) -> Page:
        return self.page_of("The block", "Call it inside, in the same thread, or use am.debug.page(v).")

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, and return its path.

        Raises:
            ArgumentError: the name does not end in .html, or the folder does not exist.
            MissingError: no dot program was found.
            ProgramError: the dot program fails.
        """
        return self.page.save(path)

    def __repr__(self) -> str:
        return "backprop()" if self._page is None else f"backprop({self._page!r})"


def _checked(at: int) -> int:
    try:
        number = operator.index(at)
    except TypeError:
        raise OperandError(f"at = {shown(at)} is not a whole number.", "Calls are counted from 1.") from None
    if number < 1:
        raise ArgumentError(f"There is no call {number} of backward().", "Calls are counted from 1.")
    return number


def _display() -> Callable[[Page], object] | None:
    """Return the function with which this notebook shows something below the cell; None outside of notebooks."""
    show: Callable[[Page], object] | None = None
    if "IPython" in sys.modules:  # a notebook has imported it
        from IPython import get_ipython
        from IPython.display import display

        show = display if get_ipython() is not None else None
    if "marimo" in sys.modules:
        import marimo

        show = marimo.output.append if marimo.running_in_notebook() else show
    return show
