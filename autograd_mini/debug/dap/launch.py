"""Starting the user's program: in a process of its own, or in a terminal of the editor if it reads input.

Not here: what the program does then (that is `debuggee`), and what its editor asks. Read next: `adapter`.
"""

from __future__ import annotations

import codecs
import os
import re
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from autograd_mini.debug.dap.debuggee import TOKEN
from autograd_mini.debug.dap.protocol import Channel, Editor, SocketChannel
from autograd_mini.errors import ArgumentError, ProgramError, shown
from autograd_mini.script import path_and_name

LINGERING = 2.0  # seconds to wait for output when the process has ended, but another one holds its pipes
_PATIENCE = 30.0  # seconds for an interpreter to start
_KINDS = {"internalConsole": None, "integratedTerminal": "integrated", "externalTerminal": "external"}
_UNFILLED = re.compile(r"\$\{[^}]*\}")


class Debuggee(Protocol):
    """Where a session lives."""

    @property
    def channel(self) -> Channel:
        """To the session."""

    def wait(self) -> int | None:
        """Wait for the end; the exit status of a process, None where it is not known."""

    def end(self) -> None:
        """End it, now."""


class Connected:
    """A debuggee that runs elsewhere, and ends or goes on alone when its connection is closed.

    Args:
        channel: to it.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def wait(self) -> None:
        """The connection is all there is, and it has ended."""

    def end(self) -> None:
        """Hang up."""
        self.channel.close()


class Process:
    """A program in a process of its own, whose output goes to the editor.

    Args:
        command: what to run.
        options: of the launch.
        token: the secret that it must send back.
        say: what to do with its output: called with a text, and "stdout" or "stderr".
    """

    channel: Channel

    def __init__(
        self, command: list[str], options: Mapping[str, Any], token: str, say: Callable[[str, str], None]
    ) -> None:
        environment = {**os.environ, **(options.get("env") or {}), TOKEN: token}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=options.get("cwd") or None,
            env={name: value for name, value in environment.items() if value is not None},
            start_new_session=True,  # so that its own processes end with it
        )
        streams = [(self._process.stdout, "stdout"), (self._process.stderr, "stderr")]
        self._output = [in_background(_pass_on, stream, category, say) for stream, category in streams]

    def connect(self, connection: socket.socket) -> None:
        """Talk with it over a connection, until it ends; its children may hold the other side for longer."""

        def hang_up() -> None:
            self._process.wait()
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RD)

        self.channel = SocketChannel(connection)
        in_background(hang_up)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """Wait for the end, and for all output; the exit status, as a shell counts it."""
        status = self._process.wait()
        end = time.monotonic() + LINGERING
        for thread in self._output:
            thread.join(max(0.0, end - time.monotonic()))
        return status if status >= 0 else 128 - status

    def end(self) -> None:
        """End the process, and those that it started."""
        try:
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except OSError:
            pass  # it has ended by itself


def start(options: Mapping[str, Any], editor: Editor) -> Debuggee:
    """Run a program where the launch wants it.

    Args:
        options: of the launch: `program`, `args`, `cwd`, `env`, `python`, `console`.
        editor: who gets the output, and is asked for a terminal.

    Raises:
        ArgumentError: the options make no sense.
        ProgramError: the interpreter does not start, or the editor opens no terminal.
    """
    _check(options)
    kind = _KINDS[options.get("console") or "internalConsole"]
    if kind and not (editor.client or {}).get("supportsRunInTerminalRequest"):
        what = "This editor opens no terminals for debuggers: the program runs without one, and finds no input."
        editor.channel.say(f"{what}\n", "important")
        kind = None
    python = options.get("python") or sys.executable
    command = [*([python] if isinstance(python, str) else python), "-u", str(Path(__file__).parent)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        command.append(str(server.getsockname()[1]))
        return (_in_terminal if kind else _alone)(command, options, editor, server)


def _alone(command: list[str], options: Mapping[str, Any], editor: Editor, server: socket.socket) -> Debuggee:
    token = secrets.token_hex(16)
    try:
        process = Process(command, options, token, editor.channel.say)
    except (OSError, ValueError) as error:
        raise ProgramError(f"{command[0]} cannot be started: {error}.") from None

    def look() -> None:
        if process.is_over:
            raise ProgramError(
                f"{command[0]} ended before the program began.", "Choose a Python of version 3.11 or newer."
            )

    try:
        process.connect(_accept(server, token, editor, look))
    except BaseException:
        process.end()
        process.wait()
        raise
    return process


def _in_terminal(command: list[str], options: Mapping[str, Any], editor: Editor, server: socket.socket) -> Debuggee:
    token = secrets.token_hex(16)
    try:
        handle, secret = tempfile.mkstemp(prefix="autograd-mini-")  # a command line is visible to all users
        with open(handle, "w", encoding="ascii") as file:
            file.write(token)
    except OSError as error:
        raise ProgramError(f"No secret can be handed to the terminal: {error}.") from None
    try:
        asked = editor.channel.request("runInTerminal", {
            "kind": _KINDS[options["console"]], "title": "autograd-mini", "args": [*command, secret],
            "cwd": os.path.abspath(options.get("cwd") or "."), "env": options.get("env") or {},
        })  # fmt: skip

        def look() -> None:
            for answer in [*editor.refusals]:
                if answer.get("request_seq") == asked:
                    raise ProgramError(f"The editor opens no terminal: {shown(answer.get('message'), 200)}.")

        return Connected(SocketChannel(_accept(server, token, editor, look)))
    finally:
        os.unlink(secret)


def _accept(server: socket.socket, token: str, editor: Editor, look: Callable[[], None]) -> socket.socket:
    """The connection that sends the token, among any others; `look` raises when waiting has become pointless."""
    wanted = token.encode() + b"\n"
    end = time.monotonic() + _PATIENCE
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        try:
            while time.monotonic() < end:
                look()
                if editor.is_leaving:
                    raise ProgramError("It was ended before the program began.")
                for key, _ in selector.select(0.05):  # all at once: a silent one must not block the others
                    if key.fileobj is server:
                        with suppress(OSError):
                            connection, _ = server.accept()
                            connection.setblocking(False)
                            selector.register(connection, selectors.EVENT_READ, bytearray())
                    elif (known := _known(key, wanted, selector)) is not None:
                        return known
        finally:
            for key in [*selector.get_map().values()]:
                if isinstance(key.fileobj, socket.socket) and key.fileobj is not server:
                    key.fileobj.close()
    raise ProgramError(f"No interpreter came within {_PATIENCE:.0f} seconds.")


def _known(key: selectors.SelectorKey, wanted: bytes, selector: selectors.BaseSelector) -> socket.socket | None:
    """The connection behind a key, once it has sent what is wanted; one that sends something else is closed."""
    connection = key.fileobj
    assert isinstance(connection, socket.socket)
    try:
        received = connection.recv(len(wanted) - len(key.data))
    except OSError:
        received = b""
    key.data.extend(received)
    if received and len(key.data) < len(wanted):
        return None
    selector.unregister(connection)
    if secrets.compare_digest(bytes(key.data), wanted):
        connection.setblocking(True)
        return connection
    connection.close()
    return None


def completed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a launch, with ~ expanded, which some editors leave to us, and without the token.

    >>> completed({"program": "example.py", "token": "secret"})
    {'program': 'example.py'}
    """
    whole = {name: option for name, option in options.items() if name != "token"}
    for name in ("program", "cwd", "python"):
        if isinstance(path := whole.get(name), str):
            whole[name] = os.path.expanduser(path)
        elif isinstance(path, list) and path and isinstance(path[0], str):
            whole[name] = [os.path.expanduser(path[0]), *path[1:]]
    return whole


def _check(options: Mapping[str, Any]) -> None:
    """Complain about a launch configuration before anything is started."""

    def texts(things: object) -> bool:
        return isinstance(things, list) and all(isinstance(thing, str) for thing in things)

    environment = options.get("env") or {}
    at = options.get("at")
    if not isinstance(options.get("program"), str):
        raise ArgumentError("The configuration has no program.", 'Write "program": "${file}".')
    if not texts(options.get("args") or []):
        raise ArgumentError(f"args is a list of texts, not {shown(options['args'])}.")
    if not isinstance(environment, dict) or not all(isinstance(x, str | None) for x in environment.values()):
        raise ArgumentError(f"env is an object of texts, not {shown(environment)}.")
    if at is not None and not (type(at) is int and at > 0):
        raise ArgumentError(f"at is the number of a backward() call, from 1, not {shown(at)}.")
    if not isinstance(options.get("python") or "", str) and not (options["python"] and texts(options["python"])):
        raise ArgumentError(f"python is the path of an interpreter, not {shown(options['python'])}.")
    console = options.get("console") or "internalConsole"
    if not isinstance(console, str) or console not in _KINDS:
        raise ArgumentError(f"console is one of {', '.join(_KINDS)}, not {shown(console)}.")
    folder = options.get("cwd") or "."
    for name in ("cwd", "program", "python"):
        path = options.get(name) or ""
        path = path if isinstance(path, str) else path[0]
        if (variable := _UNFILLED.search(path)) and not os.path.exists(path):
            raise ArgumentError(f"The editor has not replaced {variable[0]} in {name}: {path}", "Write out the path.")
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


def in_background(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    """Call a function in a thread that no end waits for."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread
