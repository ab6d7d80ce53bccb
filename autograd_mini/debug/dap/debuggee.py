"""The process that runs the user's program; it keeps its own output, and talks to the adapter over a socket.

Not here: stops (`session`), and the start of this process (`launch`). Read next: `debug.dap.session`.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

from autograd_mini.debug.dap.protocol import SocketChannel
from autograd_mini.debug.dap.session import Session
from autograd_mini.debug.program import debug_program
from autograd_mini.errors import AutogradError, sentences
from autograd_mini.output.streams import WatchedInput
from autograd_mini.script import ScriptError

_NO_INPUT = (
    "The program reads standard input, which is empty here. To type into it, add "
    '"console": "integratedTerminal" to the configuration.\n'
)
TOKEN = "AUTOGRAD_MINI_DAP_TOKEN"


def main(port: int, secret: str | None = None) -> int:
    """Connect to the adapter, run the program that it names, and return the exit status.

    In a terminal, `secret` is the file that holds the token; otherwise the token is in the environment.
    """
    token = os.environ.pop(TOKEN, "")
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall((Path(secret).read_text(encoding="ascii") if secret else token).encode() + b"\n")
    is_over = False
    session = Session(SocketChannel(connection), gone=lambda: None if is_over else _end())
    options = session.options()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if secret else "utf-8", errors="backslashreplace")
    if not secret:
        if sys.stdin is not None:
            empty = io.BufferedReader(WatchedInput(cache(partial(session.channel.say, _NO_INPUT))))  # says it once
            sys.stdin = io.TextIOWrapper(empty, encoding=sys.stdin.encoding)
        return _run(options, session)
    try:
        return _run(options, session)
    finally:  # what remains of the program, such as its child processes, has nothing to say
        is_over = True
        session.channel.close()


def _run(options: dict[str, Any], session: Session) -> int:
    numbers = {leaf: float(number) for leaf, number in options.get("numbers", {}).items()}
    try:
        calls = debug_program(os.path.abspath(options["program"]), options.get("args") or [], session.stop, numbers)
        session.ended()
    except ScriptError as error:
        if isinstance(error.__cause__, SystemExit):
            sys.exit(error.__cause__.code)
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # typed into a terminal
        print("KeyboardInterrupt", file=sys.stderr)
        return 128 + signal.SIGINT
    except AutogradError as error:
        print(sentences(error), file=sys.stderr)
        return 1
    if not calls:
        name = options["program"]
        hint = f"To look at its variable NAME, debug {name}:NAME instead."
        session.channel.say(f"{name} never called backward(). {hint}\n", "important")
    return 0


def _end() -> NoReturn:
    """End this process and its children, because no adapter is left to do so."""
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
