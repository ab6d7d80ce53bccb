"""`%%backprop`, which `%load_ext autograd_mini` adds to IPython: the page of a whole cell, below it.

Not here: recording and showing (`blocks`). Read next: `debug.flight`.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tokenize
from contextlib import suppress
from typing import Any, NoReturn

from autograd_mini.debug.blocks import Recorder
from autograd_mini.debug.program import Call
from autograd_mini.engine import is_node
from autograd_mini.errors import AutogradError, sentences

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
