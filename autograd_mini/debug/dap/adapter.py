"""What an editor talks to: starts the user's program in a process of its own, passes messages on, and ends it.

The program may crash, exit, print without end or loop for ever: this process lives on, and says what became of it.
Not here: what the requests about a trace mean (that is `session`, in the other process). Read next: `session`.
"""

from __future__ import annotations

import codecs
import itertools
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Protocol

from autograd_mini.debug.dap.debuggee import TOKEN
from autograd_mini.debug.dap.protocol import UNUSABLE, Channel, Message, SocketChannel, is_request, sentences
from autograd_mini.debug.dap.session import CAPABILITIES
from autograd_mini.errors import ArgumentError, AutogradError, ProgramError, shown
from autograd_mini.script import path_and_name

_PATIENCE = 30.0  # seconds for an interpreter to start
_LINGERING = 2.0  # seconds to wait for output when the process has ended, but another one holds its pipes
_REMEMBERED = {
    "setBreakpoints", "setFunctionBreakpoints", "setDataBreakpoints", "setExceptionBreakpoints", "configurationDone",
}  # fmt: skip


class Debuggee(Protocol):
    """Where a session lives."""

    @property
    def channel(self) -> Channel:
        """To the session."""

    def wait(self) -> int | None:
        """Wait for the end; the exit status of a process, None where there is none."""

    def end(self) -> None:
        """End it, now."""


class Process:
    """A program that runs in a process of its own.

    Args:
        options: of the launch: `program`, `args`, `cwd`, `env`, `python`.
        say: what to do with its output: called with a text, and "stdout" or "stderr".

    Raises:
        ArgumentError: the options make no sense.
        ProgramError: the interpreter does not start, or does not know this package.
    """

    def __init__(self, options: dict[str, Any], say: Callable[[str, str], None]) -> None:
        _check(options)
        python = options.get("python") or sys.executable
        command = [python] if isinstance(python, str) else [*python]
        token = secrets.token_hex(16)
        environment = {**os.environ, **(options.get("env") or {}), TOKEN: token}
        with socket.create_server(("127.0.0.1", 0)) as server:
            try:
                self._process = subprocess.Popen(
                    [*command, "-u", str(Path(__file__).parent), str(server.getsockname()[1])],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=options.get("cwd") or None,
                    env={name: value for name, value in environment.items() if value is not None},
                    start_new_session=True,  # so that its own processes end with it
                )
            except (OSError, ValueError) as error:
                raise ProgramError(f"{command[0]} cannot be started: {error}.") from None
            streams = [(self._process.stdout, "stdout"), (self._process.stderr, "stderr")]
            self._output = [_in_background(_pass_on, stream, category, say) for stream, category in streams]
            try:
                connection = self._accept(server, token.encode(), command[0])
            except AutogradError:
                self.end()
                self.wait()
                raise
        self.channel = SocketChannel(connection)
        _in_background(self._hang_up, connection)

    def _accept(self, server: socket.socket, token: bytes, python: str) -> socket.socket:
        """The connection from the process, and from nobody else."""
        server.settimeout(0.05)
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise ProgramError(
                    f"{python} ended before the program began.", "Choose a Python of version 3.11 or newer."
                )
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            connection.settimeout(_PATIENCE)
            try:
                if secrets.compare_digest(connection.recv(len(token) + 1, socket.MSG_WAITALL), token + b"\n"):
                    connection.settimeout(None)
                    return connection
            except OSError:
                pass  # somebody else, who went away
            connection.close()
        raise ProgramError(f"{python} did not start within {_PATIENCE:.0f} seconds.")

    def _hang_up(self, connection: socket.socket) -> None:
        """End the conversation with the process; its children may still hold the other side of the connection."""
        self._process.wait()
        with suppress(OSError):  # closed already
            connection.shutdown(socket.SHUT_RD)

    def wait(self) -> int:
        """Wait for the end, and for all output; the exit status, as a shell counts it."""
        status = self._process.wait()
        end = time.monotonic() + _LINGERING
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


def _in_background(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


class _Run:
    """One debuggee, and the requests of the editor that it has not answered yet, by our number."""

    def __init__(self, debuggee: Debuggee) -> None:
        self.debuggee = debuggee
        self.pending: dict[int, Message] = {}


class Adapter:
    """Serves one editor.

    Args:
        editor: the channel to it.
        start: starts what is debugged, given the options of a launch and what to do with output.
        given: options that were given before any editor came; with a program it can be attached to, and launched not.
    """

    def __init__(
        self,
        editor: Channel,
        start: Callable[[dict[str, Any], Callable[[str, str], None]], Debuggee] = Process,
        given: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._editor, self._start_debuggee, self._given = editor, start, given
        self._lock = threading.RLock()
        self._client: dict[str, Any] | None = None  # what the editor said of itself
        self._options: dict[str, Any] | None = None  # of the launch
        self._remembered: dict[str, Message] = {}  # the last request of each kind, for the next run
        self._numbers = itertools.count(1)  # of breakpoints
        self._run: _Run | None = None
        self._relay: threading.Thread | None = None
        self._is_over = False  # nothing may be started any more

    def serve(self) -> None:
        """Answer the editor until it is gone; nothing that was started is left behind."""
        try:
            for message in self._editor:
                if is_request(message):
                    if self._answer(message):
                        break
                elif message.get("type") != "response":  # nothing was asked
                    self._editor.say(f"A message is no request: {shown(message)}\n", "important")
        finally:
            self._end()
            self._editor.close()

    def _answer(self, request: Message) -> bool:
        """Answer a request, or see that it is answered; whether it was the last one."""
        command, arguments = request["command"], request.get("arguments") or {}
        try:
            if (self._client is None) is not (command == "initialize"):
                raise ArgumentError(
                    "The editor has introduced itself already." if self._client else "The first request is initialize."
                )
            match command:
                case "initialize":
                    self._client = arguments
                    self._editor.respond(request, CAPABILITIES)
                case "launch" | "attach":
                    self._launch(request, arguments)
                case "restart":
                    self._restart(arguments.get("arguments"))
                    self._editor.respond(request)
                case "terminate":
                    self._kill()
                    self._editor.respond(request)
                case "disconnect":
                    self._end()
                    self._editor.respond(request)
                    return True
                case _:
                    self._pass_on(request)
        except AutogradError as error:
            self._editor.refuse(request, sentences(error))
        except UNUSABLE as error:
            self._editor.refuse(request, f"The arguments of {command} cannot be used: {shown(error)}.")
        return False

    # -- running -------------------------------------------------------------------------------------------------------

    def _launch(self, request: Message, options: dict[str, Any]) -> None:
        if self._options is not None:
            raise ArgumentError("A program is being debugged already.", "End it first, or restart it.")
        is_given = "program" in self._given
        if is_given is not (request["command"] == "attach"):
            raise ArgumentError(
                "What is to be debugged was said already; attach to it."
                if is_given
                else "There is nothing to attach to; use launch, or run autograd-mini dap --port N SCRIPT.py."
            )
        options = {**options, **self._given} if is_given else {**self._given, **options}
        self._begin(options)
        self._options = options
        self._editor.respond(request)
        self._editor.event("initialized")

    def _restart(self, options: dict[str, Any] | None) -> None:
        if self._options is None:
            raise ArgumentError("Nothing is being debugged.", "Launch a program first.")
        if self._given.get("program") == "":  # we are in it
            raise ArgumentError("This program runs once.", "Debug it with autograd-mini dap.")
        if isinstance(options, dict) and "program" in options and "program" not in self._given:
            self._options = {**self._given, **options}
        self._begin(self._options)

    def _begin(self, options: dict[str, Any]) -> None:
        """Start a debuggee in place of the one before, and tell it what the editor has said so far."""
        with self._lock:
            if self._is_over:
                raise ArgumentError("The editor is gone.")
            is_another = self._discard()
            try:
                self._run = run = _Run(self._start_debuggee(options, self._editor.say))
            except AutogradError:
                if is_another:
                    self._editor.event("terminated")
                raise
            self._relay = _in_background(self._listen, run)
            channel = run.debuggee.channel
            channel.request("initialize", self._client)
            channel.request("start", options)
            for message in sorted(
                self._remembered.values(), key=lambda message: message["command"] == "configurationDone"
            ):
                channel.request(message["command"], message.get("arguments"))

    def _kill(self) -> bool:
        """End the debuggee, if there is one; whether there was."""
        with self._lock:  # one may be starting
            if self._run is not None:
                self._run.debuggee.end()
            return self._run is not None

    def _discard(self) -> bool:
        """End the debuggee without telling the editor; whether there was one."""
        was_there, self._run = self._kill(), None
        return was_there

    def _end(self) -> None:
        """End the debuggee for good, and tell."""
        with self._lock:
            self._is_over = True
            self._kill()
        if self._relay is not None:
            self._relay.join(2 * _LINGERING)

    # -- passing on ----------------------------------------------------------------------------------------------------

    def _pass_on(self, request: Message) -> None:
        command, arguments = request["command"], request.get("arguments") or {}
        if command in _REMEMBERED:
            if command != "setExceptionBreakpoints":  # they have no numbers
                for breakpoint in arguments.get("breakpoints") or []:
                    breakpoint["id"] = next(self._numbers)  # so that it keeps it from run to run
            source = arguments.get("source") or {}
            with self._lock:
                self._remembered[f"{command} {source.get('path')} {source.get('sourceReference')}"] = request
        with self._lock:
            if self._run is None:
                raise ArgumentError("Nothing is being debugged.", "Launch a program first.")
            channel = self._run.debuggee.channel
            self._run.pending[channel.request(command, arguments)] = request

    def _listen(self, run: _Run) -> None:
        """Pass on what a debuggee says, until it ends."""
        for message in run.debuggee.channel:
            if message["type"] == "response":
                with self._lock:
                    request = run.pending.pop(message["request_seq"], None)
                if request is not None:
                    self._editor.send({
                        **{key: message[key] for key in message if key != "seq"}, "request_seq": request["seq"]
                    })  # fmt: skip
            elif message["event"] == "again":
                try:
                    self._begin({**(self._options or {}), **message["body"]})
                except AutogradError as error:
                    self._editor.say(f"{sentences(error)}\n", "important")
            else:
                self._editor.event(message["event"], message.get("body"))
        status = run.debuggee.wait()
        run.debuggee.channel.close()
        with self._lock:
            for request in run.pending.values():
                self._editor.refuse(request, "The program has ended.")
            if run is self._run:
                self._run = None
                if status is not None:
                    self._editor.event("exited", {"exitCode": status})
                self._editor.event("terminated")
