"""The Debug Adapter Protocol's framing: JSON objects after a header with their length, over a pair of byte streams.

Not here: what any message means. Read next: `session`, which answers them; `adapter`, which stands between.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, BinaryIO

from autograd_mini.errors import AutogradError, shown

Message = dict[str, Any]

LONGEST = 64 << 20  # bytes of a message
_AHEAD = 1000  # requests that wait to be answered; the next one is read when one of them is
_SHOWN = {"launch", "attach", "setVariable", "setExpression"}
"""Requests whose refusal editors show in a window of its own: the user asked for something, and waits for it."""
UNUSABLE = (AttributeError, LookupError, OSError, OverflowError, RecursionError, TypeError, ValueError)
"""What arguments of a request lead to that are not as the protocol says."""
_LONGEST_HEADER = 4096
_NAME = re.compile(rb"[A-Za-z-]+")
_ERROR = 1  # the protocol wants errors numbered; ours are told apart by their text


class FramingError(AutogradError):
    """The bytes are no messages, and nobody can know where the next message begins."""


class Channel:
    """Messages to and from one peer; several threads may send, one receives.

    Args:
        reader: where messages come from.
        writer: where messages go to.
        longest: how many bytes a message may have.

    >>> import io
    >>> sent = io.BytesIO()
    >>> Channel(io.BytesIO(), sent).event("initialized")
    1
    >>> sent.getvalue()
    b'Content-Length: 46\\r\\n\\r\\n{"seq":1,"type":"event","event":"initialized"}'
    """

    def __init__(self, reader: BinaryIO, writer: BinaryIO, longest: int = LONGEST) -> None:
        self._reader, self._writer, self.longest = reader, writer, longest
        self._sending = threading.Lock()
        self._sent = 0

    # -- receiving -----------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Message]:
        """The messages of the peer until it is gone; what is none is complained about, to the peer."""
        while True:
            try:
                body = self._frame()
            except FramingError as error:
                self.say(f"{error}\n", "important")
                return
            except (OSError, ValueError):  # closed on the other side, or on this one
                return
            if body is None:
                return
            try:
                message = json.loads(body, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as error:
                self.say(f"A message is no JSON ({error}): {shown(body)}\n", "important")
                continue
            if isinstance(message, dict):
                yield message
            else:
                self.say(f"A message is no JSON object: {shown(message)}\n", "important")

    def _frame(self) -> bytes | None:
        """The body of the next message; None at the end, also at one in the middle of a message."""
        length = None
        while True:
            line = self._reader.readline(_LONGEST_HEADER)
            if not line:
                return None
            name, colon, value = line.rstrip(b"\r\n").partition(b":")
            if not line.endswith(b"\n") or (line.strip() and not (colon and _NAME.fullmatch(name))):
                raise FramingError(f"This is no header of a message: {shown(line)}.")
            if not line.strip():
                break
            if name.strip().lower() == b"content-length":
                text = value.strip()
                if not text.isdigit() or int(text) > self.longest:
                    raise FramingError(f"Content-Length is a whole number up to {self.longest:,}, not {shown(text)}.")
                length = int(text)
        if length is None:
            raise FramingError("The header of a message has no Content-Length.")
        body = self._reader.read(length)
        return body if len(body) == length else None

    # -- sending -------------------------------------------------------------------------------------------------------

    def send(self, message: Message) -> int:
        """Send a message with the next number, and return that; to a peer that is gone nothing is sent."""
        with self._sending:
            self._sent += 1
            body = json.dumps({"seq": self._sent, **message}, separators=(",", ":"), allow_nan=False).encode()
            with suppress(OSError, ValueError):  # gone; whoever receives finds out
                self._writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
                self._writer.flush()
            return self._sent

    def request(self, command: str, arguments: Any = None) -> int:
        """Ask for something; the answer comes as a message."""
        return self.send(
            {"type": "request", "command": command} | ({} if arguments is None else {"arguments": arguments})
        )

    def respond(self, request: Message, body: Any = None) -> None:
        """Say that a request was carried out."""
        answer = {"type": "response", "request_seq": request["seq"], "success": True, "command": request["command"]}
        self.send(answer if body is None else {**answer, "body": body})

    def refuse(self, request: Message, why: str, short: str | None = None) -> None:
        """Say that a request cannot be carried out; `short` is a word that the protocol knows."""
        command = request["command"]
        self.send({
            "type": "response", "request_seq": request["seq"], "success": False, "command": command,
            "message": short or why,
            "body": {"error": {"id": _ERROR, "format": why, "showUser": command in _SHOWN}},
        })  # fmt: skip

    def event(self, name: str, body: Any = None) -> int:
        """Tell what has happened."""
        return self.send({"type": "event", "event": name} | ({} if body is None else {"body": body}))

    def say(self, text: str, category: str = "console") -> None:
        """Show a text in the editor's console."""
        self.event("output", {"category": category, "output": text})

    def close(self) -> None:
        """Say nothing more. What the peer still says can be received: closing a pipe waits for who reads from it."""
        with suppress(OSError):
            self._writer.close()


class SocketChannel(Channel):
    """Messages over a connected socket, which is closed with it."""

    def __init__(self, connection: socket.socket, longest: int = LONGEST) -> None:
        with suppress(OSError):  # it is no TCP
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a message would wait for the one before
        super().__init__(connection.makefile("rb"), connection.makefile("wb"), longest)
        self._connection = connection

    def hang_up(self) -> None:
        """End the conversation; whoever waits for a message, or to send one, gets the end."""
        with suppress(OSError):  # the other side was faster
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the conversation."""
        self.hang_up()
        self._connection.close()
        super().close()
        with suppress(OSError):
            self._reader.close()


class Editor:
    """The editor's side of a conversation, read in the background so that it is heard while a request is carried out.

    Args:
        channel: to the editor.

    Attributes:
        client: what it says of itself, None before it does.
        is_leaving: whether it has asked for an end since, or is gone: what is being started need not be.
        refusals: its answers to our requests that it does not carry out, the last ones.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.client: Message | None = None
        self.is_leaving = False
        self.refusals: deque[Message] = deque(maxlen=10)
        self._requests: SimpleQueue[Message | None] = SimpleQueue()
        self._room = threading.Semaphore(_AHEAD)

    def requests(self) -> Iterator[Message]:
        """The requests until the editor is gone."""
        threading.Thread(target=self._read, daemon=True).start()
        try:
            while (request := self._requests.get()) is not None:
                yield request
                self._room.release()
        finally:
            self._room.release(_AHEAD)  # the reader may go on, to its end

    def stop(self) -> None:
        """End its requests, as if it were gone."""
        self.is_leaving = True
        self._requests.put(None)

    def _read(self) -> None:
        for message in self.channel:
            if is_request(message):
                self._room.acquire()
                self.is_leaving = self.is_leaving or message["command"] in ("disconnect", "terminate")
                self._requests.put(message)
            elif message.get("type") != "response":
                self.channel.say(f"A message is no request: {shown(message)}\n", "important")
            elif not message.get("success"):
                self.refusals.append(message)
        self.stop()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"there is no {name} in JSON")  # Python reads it, but nobody could pass it on


def is_request(message: Message) -> bool:
    """Whether a message is a request that can be answered."""
    return (
        message.get("type") == "request"
        and type(message.get("seq")) is int
        and isinstance(message.get("command"), str)
        and isinstance(message.get("arguments", {}) or {}, dict)
    )


def sentences(error: Exception) -> str:
    """What an error of this package says, without the place in this program: what is wrong, and what to do."""
    lines = [line.removeprefix("  do:").strip() for line in str(error).splitlines() if not line.startswith("  where:")]
    return " ".join(lines)
