"""Stepping through backpropagation in an editor: the process that an editor talks to by the Debug Adapter Protocol.

It has the user's program started, passes messages on, and ends the program, which may crash, exit, print without end or
loop forever. Not here: the protocol's messages (`protocol`), processes (`launch`), and the requests about a trace
(`session`, in the other process). Read next: `debug.dap.protocol`.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from autograd_mini.debug.dap.launch import LINGERING, TOKEN, Debuggee, completed, start
from autograd_mini.debug.dap.protocol import LONGEST, PENDING, Channel, Editor, Message, SocketChannel, in_background
from autograd_mini.debug.dap.session import CAPABILITIES, REFUSED, REQUESTS, WAITING, Session
from autograd_mini.debug.program import Call
from autograd_mini.errors import ArgumentError, AutogradError, sentences

_LAST = "configurationDone"  # the last message of an editor before the program may run
_OVER = "The program has ended."
_NOTHING_YET = "Nothing is being debugged.", "Launch a program first."


class Adapter:
    """Serves one editor.

    `start` starts the debuggee, given the options of a launch and the editor. `given` are options from before any
    editor came; if they contain a program, editors attach instead of launching. They must send the token, if any.
    """

    def __init__(
        self, channel: Channel, start: Callable[[dict[str, Any], Editor], Debuggee] = start,
        given: Mapping[str, Any] = MappingProxyType({}), token: str | None = None,
    ) -> None:  # fmt: skip
        self.editor = Editor(channel)
        self._channel, self._start_debuggee, self._given, self._token = channel, start, given, token
        self.is_trusted = token is None
        self._lock = threading.RLock()
        self._options: dict[str, Any] | None = None  # of the launch
        self._remembered: dict[str, Message] = {}  # the last request of each kind, for the next run
        self._numbers = itertools.count(1)  # of breakpoints
        self._debuggee: Debuggee | None = None
        self._relay: threading.Thread | None = None
        self._is_over = False  # nothing may start from now on
        self._handlers: dict[str, Callable[[Any], Any]] = {
            "initialize": self._initialize, "launch": self._launch, "attach": partial(self._launch, attaches=True),
            "restart": self._restart, "terminate": self._terminate, "disconnect": lambda _: self.end(),
        }  # fmt: skip

    def serve(self) -> None:
        """Answer the editor until it is gone, and leave nothing running."""
        try:
            for request in self.editor.requests():
                if self._answer(request):
                    break
        finally:
            self.end()
            self._channel.close()

    def _answer(self, request: Message) -> bool:
        """Answer a request, or have it answered; return True if it was the last one."""
        command = request["command"]

        def carry_out(arguments: dict[str, Any]) -> Any:
            if self.editor.client is None and command != "initialize":
                raise ArgumentError("The first request is initialize.")
            own = self._handlers.get(command)
            return own(arguments) if own is not None else self._pass_on(request, arguments)

        why = self._channel.answer(request, carry_out)
        if not why and command in ("launch", "attach"):
            self._channel.event("initialized")
        if why and command == "restart" and self._options is not None:  # editors do not show its refusal
            self._channel.say(f"{why}\n", "important")
        return command == "disconnect" and not why

    def _initialize(self, arguments: Message) -> Any:
        if self.editor.client is not None:
            raise ArgumentError("The editor has introduced itself already.")
        self.editor.client = arguments
        return CAPABILITIES

    # -- running -------------------------------------------------------------------------------------------------------

    def _trust(self, token: object) -> None:
        """Check the token before anything else in the request."""
        if not self.is_trusted:
            known = str(self._token).encode()
            if not isinstance(token, str) or not secrets.compare_digest(token.encode(errors="replace"), known):
                raise ArgumentError(
                    f"The token is {'missing' if token is None else 'wrong'}.",
                    'Add "token": "…" to the configuration; it was printed where the port was opened.',
                )
            self.is_trusted, self._channel.longest = True, LONGEST

    def _launch(self, options: dict[str, Any], attaches: bool = False) -> None:
        self._trust(options.get("token"))
        if self._options is not None:
            raise ArgumentError("A program is being debugged already.", "End it first, or restart it.")
        is_given = "program" in self._given
        if is_given is not attaches:
            raise ArgumentError(
                "The program to debug is fixed already; attach to it."
                if is_given
                else "There is nothing to attach to; use launch, or run autograd-mini dap --port N SCRIPT.py."
            )
        options = completed({**options, **self._given} if is_given else {**self._given, **options})
        self._begin(options)
        self._options = options

    def _restart(self, arguments: dict[str, Any]) -> None:
        if self._options is None:
            raise ArgumentError(*_NOTHING_YET)
        if self._given.get("program") == "":  # this process is the program
            raise ArgumentError("This program runs once.", "Debug it with autograd-mini dap.")
        options = arguments.get("arguments")
        if isinstance(options, dict) and "program" in options and "program" not in self._given:
            self._options = completed({**self._given, **options})
        self._begin(self._options)

    def _begin(self, options: dict[str, Any]) -> None:
        """Start a debuggee in place of the last one, and tell it what the editor has said so far."""
        with self._lock:
            if self._is_over:
                raise ArgumentError("The editor is gone.")
            is_another = self._kill()
            self._debuggee = None
            try:
                self._debuggee = debuggee = self._start_debuggee(options, self.editor)
            except AutogradError:
                if is_another:
                    self._channel.event("terminated")
                raise
            self._relay = in_background(self._listen, debuggee)
            debuggee.channel.request("start", {"client": self.editor.client, "options": options})
            for message in sorted(self._remembered.values(), key=lambda message: message["command"] == _LAST):
                debuggee.channel.request(message["command"], message.get("arguments"))

    def _terminate(self, _: object) -> None:
        self._kill()
        self.editor.is_leaving = False  # it may restart

    def _kill(self) -> bool:
        """End the debuggee; return True if there was one."""
        with self._lock:  # one may be starting
            if self._debuggee is not None:
                self._debuggee.end()
            return self._debuggee is not None

    def end(self) -> None:
        """End the debuggee for good, and tell the editor."""
        with self._lock:
            self._is_over = True
            self._kill()
        if self._relay is not None:
            self._relay.join(2 * LINGERING)

    # -- passing on ----------------------------------------------------------------------------------------------------

    def _pass_on(self, request: Message, arguments: dict[str, Any]) -> object:
        command = request["command"]
        if self._options is None:
            raise ArgumentError(*_NOTHING_YET)
        if command.endswith("Breakpoints") and command != "setExceptionBreakpoints":  # filters have no numbers
            for breakpoint in arguments.get("breakpoints") or []:
                breakpoint["id"] = next(self._numbers)  # which it keeps from run to run
        with self._lock:
            if command.endswith("Breakpoints") or command == _LAST:
                source = arguments.get("source") or {}
                self._remembered[f"{command} {source.get('path')} {source.get('sourceReference')}"] = request
            if self._debuggee is None:
                self._answer_late(request)
            else:
                self._debuggee.pending[self._debuggee.channel.request(command, arguments)] = request
        return PENDING

    def _answer_late(self, request: Message) -> None:
        """Answer a request that came after the program had ended."""
        row = REQUESTS.get(request["command"])
        if row is None or row.ended is REFUSED:
            self._channel.refuse(request, _OVER)
        elif row.ended is WAITING:
            why = "The program has ended; this breakpoint waits for the next run."
            waiting = {"verified": False, "reason": "pending", "message": why}
            asked = (request.get("arguments") or {}).get("breakpoints") or []
            self._channel.respond(request, {"breakpoints": [{"id": b["id"], **waiting} for b in asked]})
        else:
            self._channel.respond(request, row.ended)

    def _listen(self, debuggee: Debuggee) -> None:
        """Pass on what a debuggee says until it ends."""
        for message in debuggee.channel:
            if message["type"] == "response":
                with self._lock:
                    request = debuggee.pending.pop(message["request_seq"], None)
                if request is not None:
                    answer = {key: message[key] for key in message if key != "seq"}
                    self._channel.send({**answer, "request_seq": request["seq"]})
            elif message["event"] == "again":
                try:
                    again = {name: message["body"][name] for name in ("numbers", "resume")}
                    self._begin({**(self._options or {}), **again})
                except AutogradError as error:
                    self._channel.say(f"{sentences(error)}\n", "important")
            elif message["event"] == "quit":
                debuggee.end()
            else:
                self._channel.event(message["event"], message.get("body"))
        status = debuggee.wait()
        debuggee.channel.close()
        with self._lock:
            for request in debuggee.pending.values():
                self._answer_late(request)
            if debuggee is self._debuggee:
                self._debuggee = None
                if status is not None:
                    self._channel.event("exited", {"exitCode": status})
                self._channel.event("terminated")


_TICK = 0.2  # seconds
_PATIENCE = 30.0  # seconds for an editor to launch or attach
_STRANGERS = 50  # connections that have not launched or attached yet; more are sent away
_SHORT = 1 << 20  # bytes of a message from such a connection


def serve_streams(given: Mapping[str, Any]) -> None:
    """Serve the editor that started this process, over standard input and output, until the editor ends it.

    `given` are options of every launch, such as `at`.
    """
    if sys.stdin is None or sys.stdout is None:
        which, go = ("input", "come from") if sys.stdin is None else ("output", "go")
        raise ArgumentError(f"Standard {which} is closed, but the editor's messages {go} there.")
    incoming, output = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # stray prints must not get between the messages
    adapter = Adapter(Channel(incoming, output), given=given)
    woken, waker = socket.socketpair()  # a handler would not wake a thread that is about to wait
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())

    def stop() -> None:
        woken.recv(1)
        adapter.editor.stop()

    in_background(stop)
    for ending in (signal.SIGINT, signal.SIGTERM):  # some editors say goodbye like this
        signal.signal(ending, lambda *_: None)
    adapter.serve()
    signal.set_wakeup_fd(-1)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)


def serve_port(port: int, given: Mapping[str, Any]) -> None:
    """Serve all editors that know the printed token, on a port of this machine; 0 takes any free port.

    `given` are options of every launch, such as `at`; if they have a `program`, editors attach to it.
    """
    with closing(_Port(port, given)) as door:
        door.serve()


def serve_call(call: Call, port: int) -> None:
    """Wait for an editor on a port of this machine, and let it look around in this process before a `backward()`."""
    ours, theirs = socket.socketpair()
    here = Debuggee(SocketChannel(theirs))
    taken = threading.Lock()

    def attach(options: Mapping[str, Any], editor: Editor) -> Debuggee:
        if not taken.acquire(blocking=False):
            raise ArgumentError("Another editor has attached already.")
        return here

    session = Session(SocketChannel(ours), gone=lambda: None, repeatable=False)
    with closing(session.channel), closing(here.channel), closing(_Port(port, {"program": ""}, attach)) as door:
        door.serve(taken.locked)
        session.options()
        session.stop(call)
        session.channel.close()
        door.close(LINGERING)


@dataclass(frozen=True)
class _Guest:
    """A connected client, which may be an editor or a stranger."""

    adapter: Adapter
    channel: SocketChannel
    serving: threading.Thread
    deadline: float


class _Port:
    """A port of this machine; each client gets a thread, so a silent one does not block the others."""

    def __init__(
        self, port: int, given: Mapping[str, Any], begin: Callable[[dict[str, Any], Editor], Debuggee] = start
    ) -> None:
        try:
            self._server = socket.create_server(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise ArgumentError(
                f"This process cannot listen on port {port}: {str(error).rstrip('.')}.", "Choose another, or 0 for any."
            ) from None
        self._server.settimeout(_TICK)
        self._given, self._begin = given, begin
        self._guests: list[_Guest] = []
        chosen = os.environ.get(TOKEN)
        self._token = chosen or secrets.token_hex(16)
        number = self._server.getsockname()[1]
        launch = {"program": "${file}", "stopOnEntry": True}  # said here, because editors complete "node" with false
        configuration = {
            "type": "node", "request": "attach" if "program" in given else "launch", "name": "Step through backprop",
            **({} if "program" in given else launch), "debugServer": number,
            "token": f"${{env:{TOKEN}}}" if chosen else self._token,
        }  # fmt: skip
        waiting = f"autograd-mini: waiting for an editor on 127.0.0.1:{number}"
        print(f"{waiting}\n{json.dumps(configuration)}", file=sys.stderr, flush=True)

    def serve(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Accept connections until `is_over`, and drop those that do not launch or attach in time."""
        while not is_over():
            try:
                self._admit(self._server.accept()[0])
            except TimeoutError:
                pass
            except OSError:  # such as too many open files
                time.sleep(_TICK)
            self._guests = [guest for guest in self._guests if guest.serving.is_alive()]
            for guest in self._guests:
                if not guest.adapter.is_trusted and time.monotonic() > guest.deadline:
                    guest.channel.hang_up()

    def _admit(self, connection: socket.socket) -> None:
        if sum(not guest.adapter.is_trusted for guest in self._guests) >= _STRANGERS:
            connection.close()
            return
        channel = SocketChannel(connection, _SHORT)
        adapter = Adapter(channel, self._begin, self._given, self._token)
        serving = in_background(adapter.serve)
        self._guests.append(_Guest(adapter, channel, serving, time.monotonic() + _PATIENCE))

    def close(self, lingering: float = 0.0) -> None:
        """Stop listening and end what was started, after some seconds for editors to say goodbye."""
        self._server.close()
        end = time.monotonic() + lingering
        for guest in self._guests:
            if guest.adapter.is_trusted:
                guest.serving.join(max(0.0, end - time.monotonic()))
                guest.adapter.end()
            guest.channel.hang_up()
