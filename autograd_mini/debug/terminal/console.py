"""What a terminal can do beyond printing: colours, a history of what was typed, keys that complete.

Through a pipe it can do nothing of that, and nothing of it is ever missed. Not here: the commands (that is `terminal`).
Read next: `terminal`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from autograd_mini.debug.wording import Paint, plain

_COLOURS = {"header": "1", "mark": "1;36", "result": "32", "faint": "2", "error": "31"}
_REMEMBERED = 1000


def painter(output: IO[str] | None) -> Paint:
    """Colours, where they are seen and welcome: on a terminal, without NO_COLOR in the environment."""
    if output is None or not output.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return plain
    return lambda role, text: f"\x1b[{_COLOURS[role]}m{text}\x1b[0m" if text else text


def history_file() -> Path:
    """Where the history is kept: in the folder that the XDG specification has for state."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autograd-mini" / "history"


@contextmanager
def line_editing() -> Iterator[None]:
    """Give a debugger the keyboard: its own history and completion; those of the program come back afterwards."""
    try:
        import readline
    except ImportError:  # as on Windows: the terminal edits lines by itself
        yield
        return
    delimiters = readline.get_completer_delims()
    former = [readline.get_history_item(place) for place in range(1, readline.get_current_history_length() + 1)]
    readline.clear_history()
    readline.set_completer_delims(" \t\n,;(")  # a node may be called mul#7, a scope Layer0/Neuron1
    if "libedit" in (readline.__doc__ or ""):  # which has its own language for keys
        readline.parse_and_bind("bind ^I rl_complete")
    # A history that cannot be read or written, for whatever reason, is no history.
    with suppress(OSError, RuntimeError):
        readline.read_history_file(history_file())
    try:
        yield
    finally:
        with suppress(OSError, RuntimeError):
            history_file().parent.mkdir(parents=True, exist_ok=True)
            readline.set_history_length(_REMEMBERED)
            readline.write_history_file(history_file())
        readline.clear_history()
        for line in former:
            readline.add_history(line)
        readline.set_completer_delims(delimiters)
