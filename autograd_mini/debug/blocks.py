"""`backprop`, a `with` block, and `%%backprop`, a cell of IPython: the page of a `backward()` inside, shown below.

Not here: what the page shows (`pages`). Read next: `debug.flight`.
"""

from __future__ import annotations

import argparse
import io
import operator
import sys
import tokenize
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from autograd_mini.debug.pages import Page, missing_call, page_of_call
from autograd_mini.debug.program import Call
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, sentences, shown
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


NAME = "backprop"
_SILENT = (tokenize.ENDMARKER, tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT)


def load_ipython_extension(shell: Any) -> None:
    """Add `%%backprop` to an IPython shell; IPython calls this for `%load_ext autograd_mini`."""

    def backprop(line: str, cell: str) -> None:
        """Run the cell, and show below it the page that steps through its last backward().

        %%backprop            the last call of backward() in the cell; without one, the value of its last expression
        %%backprop --at 2     the second call
        %%backprop --quiz     the page asks for each contribution before it shows it
        """
        _run(shell, line, cell)

    shell.register_magic_function(backprop, "cell", NAME)


def unload_ipython_extension(shell: Any) -> None:
    """Remove `%%backprop` from an IPython shell; IPython calls this for `%unload_ext autograd_mini`."""
    shell.magics_manager.magics["cell"].pop(NAME, None)


def _run(shell: Any, line: str, cell: str) -> None:
    options = _options(line)
    with Recorder(options.at, options.quiz) as recorder:
        result = _run_cell(shell, line, cell)
    if (error := result.error_before_exec or result.error_in_exec) is not None:
        _say_once(shell, error)
        raise error
    if recorder.calls == 0 and options.at is None and is_node(result.result):
        recorder.call = Call(1, result.result, 1.0, None, None, (dict(shell.user_ns),))
    try:
        page = recorder.page_of("The cell", "Call it there, in the same thread, or end the cell with a Value.")
        recorder.show(page, f"%%{NAME} --at N")
    except AutogradError as problem:
        raise _usage_error(sentences(problem)) from None


def _run_cell(shell: Any, line: str, cell: str) -> Any:
    """Run the text below the magic as a cell, and return IPython's result."""
    # A comment instead of the magic: lines have the numbers that the editor shows.
    source = cell if cell.lstrip().startswith("%%") else f"# %%{NAME} {line}".rstrip() + "\n" + cell
    if _must_wait(shell, source):
        raise _usage_error(f"%%{NAME} cannot run a cell that awaits. Write `with am.backprop():` around that code.")
    number, cache = shell.displayhook.prompt_count, shell.compile.cache
    shell.compile.cache = lambda text, *_, **more: cache(text, number, **more)  # it is part of this cell, not the next
    try:
        return shell.run_cell(source, silent=_is_silenced(cell))
    finally:
        shell.compile.cache = cache


def _must_wait(shell: Any, source: str) -> bool:
    """Whether a cell awaits where IPython cannot wait for it: while an event loop is running, as in Jupyter."""
    import asyncio

    with suppress(Exception):  # no loop is running, or IPython is about to show what is wrong with the cell
        asyncio.get_running_loop()
        return bool(shell.should_run_async(source, transformed_cell=shell.transform_cell(source)))
    return False


def _is_silenced(cell: str) -> bool:
    """Whether a semicolon at the end of the cell says not to show the value of its last expression."""
    with suppress(tokenize.TokenError, SyntaxError):  # IPython is about to show it
        tokens = [*tokenize.generate_tokens(io.StringIO(cell).readline)]
        return [token.string for token in tokens if token.type not in _SILENT][-1:] == [";"]
    return False


def _say_once(shell: Any, error: BaseException) -> None:
    """Keep IPython from reporting an error a second time, because it has shown the cell's own."""

    def say(*args: Any, **options: Any) -> None:
        del shell.showtraceback  # the class has the real one
        if shell._get_exc_info()[1] is not error:
            shell.showtraceback(*args, **options)

    shell.showtraceback = say


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _usage_error(f"%%{NAME}: {message}. It takes --at N, the number of a call of backward(), and --quiz.")


def _options(line: str) -> argparse.Namespace:
    parser = _Options(add_help=False, allow_abbrev=False)
    parser.add_argument("--at", type=_number, metavar="N")
    parser.add_argument("--quiz", action="store_true")
    return parser.parse_args(line.partition("#")[0].split())


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _usage_error(message: str) -> Exception:
    """Return an error that IPython shows as one line."""
    from IPython.core.error import UsageError

    error: Exception = UsageError(message)
    return error
