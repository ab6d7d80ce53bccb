"""The process in which the user's program runs; its output is its own, it talks with the adapter over a socket.

Not here: what happens at a stop (that is `session`), and who starts this (that is `adapter`). Read next: `program`.
"""

from __future__ import annotations

import io
import os
import socket
import sys

from autograd_mini.debug.dap.protocol import SocketChannel, sentences
from autograd_mini.debug.dap.session import Session
from autograd_mini.debug.program import debug_program
from autograd_mini.errors import AutogradError
from autograd_mini.script import ScriptError

TOKEN = "AUTOGRAD_MINI_DAP_TOKEN"


def main(port: int) -> int:
    """Connect to the adapter, run the program that it names, and return the exit status."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(os.environ.pop(TOKEN).encode() + b"\n")
    session = Session(SocketChannel(connection), gone=lambda: os._exit(1))  # without an adapter nobody would end us
    options = session.options()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    numbers = {int(leaf): float(number) for leaf, number in options.get("numbers", {}).items()}
    try:
        calls = debug_program(os.path.abspath(options["program"]), options.get("args") or [], session.stop, numbers)
    except ScriptError as error:
        if isinstance(error.__cause__, SystemExit):
            sys.exit(error.__cause__.code)
        print(error, file=sys.stderr)
        return 1
    except AutogradError as error:
        print(sentences(error), file=sys.stderr)
        return 1
    if not calls:
        name = options["program"]
        hint = f"To look at its variable NAME, debug {name}:NAME."
        session.channel.say(f"{name} never called backward(). {hint}\n", "important")
    return 0
