"""Stepping through backpropagation in an editor: the Debug Adapter Protocol, over standard streams or a local port.

Not here: the protocol's messages (`protocol`), the processes (`adapter`), the stops (`session`). Read next: `adapter`.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any

from autograd_mini.debug.dap.adapter import Adapter
from autograd_mini.debug.dap.protocol import Channel, SocketChannel
from autograd_mini.debug.dap.session import Session
from autograd_mini.debug.program import Call
from autograd_mini.errors import ArgumentError


def serve_streams(given: Mapping[str, Any]) -> None:
    """Serve the editor that has started this process, over standard input and output.

    Args:
        given: options of every launch, such as `at`.
    """
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed by mistake must not get between the messages
    Adapter(Channel(sys.stdin.buffer, output), given=given).serve()


def serve_port(port: int, given: Mapping[str, Any]) -> None:
    """Serve one editor after another on a port of this machine.

    Args:
        port: 0 for any that is free; it is printed.
        given: options of every launch, such as `at`; with a `program`, that is what editors attach to.
    """
    with _server(port) as server:
        while True:
            Adapter(SocketChannel(server.accept()[0]), given=given).serve()


def serve_call(call: Call, port: int) -> None:
    """Wait for an editor on a port of this machine, and let it look around in this process before a `backward()`."""
    with _server(port) as server:
        connection = server.accept()[0]
    ours, theirs = socket.socketpair()
    session = Session(SocketChannel(ours), gone=lambda: None, repeatable=False)
    adapter = Adapter(SocketChannel(connection), lambda options, say: _Here(SocketChannel(theirs)), {"program": ""})
    serving = threading.Thread(target=adapter.serve, daemon=True)
    serving.start()
    session.options()
    session.stop(call)
    session.channel.close()
    serving.join(_LINGERING)


_LINGERING = 2.0  # seconds that an editor has to say good-bye


class _Here:
    """A debuggee in this process."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def wait(self) -> None:
        """There is nothing to wait for: the program goes on."""

    def end(self) -> None:
        """Let the program go on."""
        self.channel.close()


def _server(port: int) -> socket.socket:
    try:
        server = socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise ArgumentError(
            f"Nobody can listen on port {port}: {str(error).rstrip('.')}.", "Choose another, or 0 for any."
        ) from None
    print(f"autograd-mini: waiting for an editor on 127.0.0.1:{server.getsockname()[1]}", file=sys.stderr, flush=True)
    return server
