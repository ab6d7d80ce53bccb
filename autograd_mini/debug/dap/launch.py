"""The process that runs the user's program: its start, alone or in a terminal of the editor, and what it runs.

It keeps its own output, and talks to the adapter over a socket. Not here: stops (`session`), and the editor's requests.
Read next: `debug.dap.session`.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, NoReturn

from autograd_mini.debug.dap.protocol import Channel, Editor, Message, SocketChannel, in_background
from autograd_mini.debug.dap.session import Session
from autograd_mini.debug.program import debug_program
from autograd_mini.errors import ArgumentError, AutogradError, ProgramError, sentences, shown
from autograd_mini.output.streams import WatchedInput
from autograd_mini.script import ScriptError, path_and_name

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


LINGERING = 2.0  # seconds to wait for output when the process has ended but another one holds its pipes
_PATIENCE = 30.0  # seconds for an interpreter to start
_TICK = 0.05  # seconds
_KINDS = {"internalConsole": None, "integratedTerminal": "integrated", "externalTerminal": "external"}
_UNFILLED = re.compile(r"\$\{[^}]*\}")


class Debuggee:
    """The far end of a session's channel: a program that ends, or continues alone, when the channel is closed."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.pending: dict[int, Message] = {}  # the editor's requests without an answer yet, by our number

    def wait(self) -> int | None:
        """Wait for the end and return the exit status of the process; None if it is not known."""
        return None  # only the connection is known, and it has ended

    def end(self) -> None:
        """End it now."""
        self.channel.close()


class Process(Debuggee):
    """A program in a process of its own; its output goes to a callback, as a text and "stdout" or "stderr"."""

    def __init__(
        self, command: list[str], options: Mapping[str, Any], token: str, say: Callable[[str, str], None]
    ) -> None:
        self.pending = {}
        environment = {**os.environ, **(options.get("env") or {}), TOKEN: token}
        self._interpreter = command[0]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=options.get("cwd") or None,
            env={name: value for name, value in environment.items() if value is not None},
            start_new_session=True,  # so that its children end with it
        )
        streams = [(self._process.stdout, "stdout"), (self._process.stderr, "stderr")]
        self._output = [in_background(_pass_on, stream, category, say) for stream, category in streams]

    def connect(self, connection: socket.socket) -> None:
        """Talk to it over a connection until it ends; its children may hold the other side longer."""

        def hang_up() -> None:
            self._process.wait()
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RD)

        self.channel = SocketChannel(connection)
        in_background(hang_up)

    def check(self) -> None:
        """Raise if it has ended."""
        if self._process.poll() is not None:
            raise ProgramError(f"{self._interpreter} ended before the program began.", "Choose Python 3.11 or newer.")

    def wait(self) -> int:
        """Wait for the end and for all output, and return the exit status as a shell would."""
        status = self._process.wait()
        end = time.monotonic() + LINGERING
        for thread in self._output:
            thread.join(max(0.0, end - time.monotonic()))
        return status if status >= 0 else 128 - status

    def end(self) -> None:
        """End the process and its children."""
        with suppress(OSError):  # it has ended by itself
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()


def start(options: Mapping[str, Any], editor: Editor) -> Debuggee:
    """Run a program where its launch configuration says, in a process or in a terminal of the editor.

    It raises ArgumentError if the options are impossible, and ProgramError if no interpreter or terminal starts.
    """
    _check(options)
    start_it = _in_terminal if _KINDS[options.get("console") or "internalConsole"] else _alone
    if start_it is _in_terminal and not (editor.client or {}).get("supportsRunInTerminalRequest"):
        what = "This editor opens no terminals for debuggers, so the program runs without one and finds no input."
        editor.channel.say(f"{what}\n", "important")
        start_it = _alone
    python = options.get("python") or sys.executable
    command = [*([python] if isinstance(python, str) else python), "-u", str(Path(__file__).parent)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        return start_it([*command, str(server.getsockname()[1])], options, editor, server)


def _alone(command: list[str], options: Mapping[str, Any], editor: Editor, server: socket.socket) -> Debuggee:
    token = secrets.token_hex(16)
    try:
        process = Process(command, options, token, editor.channel.say)
    except (OSError, ValueError) as error:
        raise ProgramError(f"{command[0]} cannot be started: {error}.") from None
    try:
        process.connect(_accept(server, token, editor, process.check))
    except BaseException:
        process.end()
        process.wait()
        raise
    return process


def _in_terminal(command: list[str], options: Mapping[str, Any], editor: Editor, server: socket.socket) -> Debuggee:
    token = secrets.token_hex(16)
    try:
        handle, secret = tempfile.mkstemp(prefix="autograd-mini-")  # not on the command line, which all users can see
        with open(handle, "w", encoding="ascii") as file:
            file.write(token)
    except OSError as error:
        raise ProgramError(f"The token cannot be passed to the terminal: {error}.") from None
    try:
        asked = editor.channel.request("runInTerminal", {
            "kind": _KINDS[options["console"]], "title": "autograd-mini", "args": [*command, secret],
            "cwd": os.path.abspath(options.get("cwd") or "."), "env": options.get("env") or {},
        })  # fmt: skip

        def check() -> None:
            for answer in [*editor.refusals]:
                if answer.get("request_seq") == asked:
                    raise ProgramError(f"The editor did not open a terminal: {shown(answer.get('message'), 200)}.")

        return Debuggee(SocketChannel(_accept(server, token, editor, check)))
    finally:
        os.unlink(secret)


def _accept(server: socket.socket, token: str, editor: Editor, check: Callable[[], None]) -> socket.socket:
    """Return the connection that sends the token, among any others; `check` raises once waiting is pointless."""
    wanted, guests = token.encode() + b"\n", list[socket.socket]()
    known = SimpleQueue[socket.socket]()

    def read(guest: socket.socket) -> None:
        received = b""
        with suppress(OSError):
            received = guest.recv(len(wanted), socket.MSG_WAITALL)
        if secrets.compare_digest(received, wanted):
            known.put(guest)
        else:
            guest.close()

    server.settimeout(_TICK)
    end = time.monotonic() + _PATIENCE
    found = None
    try:
        while found is None and time.monotonic() < end:
            check()
            if editor.is_leaving:
                raise ProgramError("It was ended before the program began.")
            with suppress(OSError):  # in a thread, because a silent connection must not block the others
                guests.append(server.accept()[0])
                in_background(read, guests[-1])
            with suppress(Empty):
                found = known.get(timeout=_TICK if guests else 0)
    finally:
        for guest in guests:
            if guest is not found:
                with suppress(OSError):  # gone already
                    guest.shutdown(socket.SHUT_RDWR)
                guest.close()
    if found is None:
        raise ProgramError(f"No interpreter connected within {_PATIENCE:.0f} seconds.")
    return found


def completed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a launch without the token and with ~ expanded, which some editors do not do."""
    whole = {name: option for name, option in options.items() if name != "token"}
    for name in ("program", "cwd", "python"):
        if isinstance(path := whole.get(name), str):
            whole[name] = os.path.expanduser(path)
        elif isinstance(path, list) and path and isinstance(path[0], str):
            whole[name] = [os.path.expanduser(path[0]), *path[1:]]
    return whole


def _check(options: Mapping[str, Any]) -> None:
    """Raise if a launch configuration is wrong, before anything starts."""

    def texts(things: object) -> bool:
        return isinstance(things, list) and all(isinstance(thing, str) for thing in things)

    def environment(things: object) -> bool:
        return isinstance(things, dict) and all(isinstance(thing, str | None) for thing in things.values())

    forms: dict[str, tuple[str, Callable[[Any], bool]]] = {  # what an option must be, if given
        "args": ("a list of strings", texts),
        "env": ("an object of strings", environment),
        "at": ("the number of a backward() call, from 1", lambda at: type(at) is int and at > 0),
        "python": ("the path of an interpreter", lambda python: isinstance(python, str) or texts(python)),
        "console": (f"one of {', '.join(_KINDS)}", lambda console: isinstance(console, str) and console in _KINDS),
    }
    if not isinstance(options.get("program"), str):
        raise ArgumentError("The configuration has no program.", 'Write "program": "${file}".')
    for name, (form, fits) in forms.items():
        if (option := options.get(name)) is not None and (option or name == "at") and not fits(option):
            raise ArgumentError(f"{name} must be {form}, not {shown(option)}.")
    for name in ("cwd", "program", "python"):
        path = options.get(name) or ""
        path = path[0] if isinstance(path, list) else str(path)
        if (variable := _UNFILLED.search(path)) and not os.path.exists(path):
            raise ArgumentError(f"The editor has not replaced {variable[0]} in {name}: {path}", "Write out the path.")
    folder = options.get("cwd") or "."
    if not isinstance(folder, str) or not os.path.isdir(folder):
        raise ArgumentError(f"There is no folder {shown(folder)}.", "Correct cwd.")
    path_and_name(os.path.join(folder, options["program"]))


def _pass_on(stream: IO[bytes], category: str, say: Callable[[str, str], None]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while chunk := os.read(stream.fileno(), 1 << 16):
        if text := decoder.decode(chunk):
            say(text, category)
    if text := decoder.decode(b"", final=True):
        say(text, category)
    stream.close()
