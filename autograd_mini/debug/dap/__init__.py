"""Stepping through backpropagation in an editor: the Debug Adapter Protocol, over standard streams or a local port.

Not here: the protocol's messages (`protocol`), the processes (`adapter`), the stops (`session`).
Read next: `debug.dap.protocol`.
"""

from __future__ import annotations

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
from typing import Any

from autograd_mini.debug.dap.adapter import Adapter
from autograd_mini.debug.dap.debuggee import TOKEN
from autograd_mini.debug.dap.launch import LINGERING, Debuggee, start
from autograd_mini.debug.dap.protocol import Channel, Editor, SocketChannel, in_background
from autograd_mini.debug.dap.session import Session
from autograd_mini.debug.program import Call
from autograd_mini.errors import ArgumentError

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
