"""The framing of the Debug Adapter Protocol: JSON objects, each after a header with its length, over byte streams.

Not here: the meaning of messages. Read next: `debug.dap.launch`.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, BinaryIO

from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown

Message = dict[str, Any]

LONGEST = 64 << 20  # bytes of a message
PENDING = object()
"""A handler returns this for a request that is answered later."""
_AHEAD = 1000  # requests that may wait; reading pauses until one of them is answered
_SHOWN = {"launch", "attach", "setVariable", "setExpression"}
"""Requests whose refusal editors show in a separate window, because the user waits for the result."""
_UNUSABLE = (AttributeError, LookupError, OSError, OverflowError, RecursionError, TypeError, ValueError)
"""The errors that malformed arguments of a request cause."""
_LONGEST_HEADER = 4096
_NAME = re.compile(rb"[A-Za-z-]+")
_ERROR = 1  # the protocol numbers errors; ours differ in their text


class FramingError(AutogradError):
    """The bytes are not messages, so the beginning of the next message is unknown."""


class Channel:
    """Messages to and from one peer; several threads may send, and one receives."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO, longest: int = LONGEST) -> None:
        self._reader, self._writer, self.longest = reader, writer, longest
        self._sending = threading.Lock()
        self._sent = 0

    # -- receiving -----------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages of the peer until it is gone, and tell it what is not a message."""
        while True:
            try:
                body = self._frame()
            except FramingError as error:
                self.say(f"{error}\n", "important")
                return
            except (OSError, ValueError):  # closed on either side
                return
            if body is None:
                return
            try:
                message = json.loads(body, parse_constant=refuse_constant)
            except (ValueError, RecursionError) as error:
                self.say(f"A message is not JSON ({error}): {shown(body)}\n", "important")
                continue
            if isinstance(message, dict):
                yield message
            else:
                self.say(f"A message is not a JSON object: {shown(message)}\n", "important")

    def _frame(self) -> bytes | None:
        """Return the body of the next message; None at the end, even in the middle of a message."""
        length = None
        while line := self._reader.readline(_LONGEST_HEADER):
            name, colon, value = line.rstrip(b"\r\n").partition(b":")
            if not line.endswith(b"\n") or (line.strip() and not (colon and _NAME.fullmatch(name))):
                raise FramingError(f"This is not the header of a message: {shown(line)}.")
            if not line.strip():
                if length is None:
                    raise FramingError("The header of a message has no Content-Length.")
                body = self._reader.read(length)
                return body if len(body) == length else None
            if name.strip().lower() == b"content-length":
                text = value.strip()
                if not text.isdigit() or int(text) > self.longest:
                    raise FramingError(f"Content-Length is not a whole number up to {self.longest:,}: {shown(text)}.")
                length = int(text)
        return None

    # -- sending -------------------------------------------------------------------------------------------------------

    def send(self, message: Message) -> int:
        """Send a message with the next number, and return the number; nothing is sent to a peer that is gone."""
        with self._sending:
            self._sent += 1
            body = json.dumps({"seq": self._sent, **message}, separators=(",", ":"), allow_nan=False).encode()
            with suppress(OSError, ValueError):  # gone; the receiving thread will notice
                self._writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
                self._writer.flush()
            return self._sent

    def request(self, command: str, arguments: Any = None) -> int:
        """Send a request; the answer arrives as a message."""
        return self.send(_with({"type": "request", "command": command}, arguments=arguments))

    def answer(self, request: Message, handler: Callable[[Any], Any]) -> str:
        """Respond with a handler's result; if the handler raises, refuse and return why."""
        try:
            body = handler(request.get("arguments") or {})
            if body is not PENDING:
                self.respond(request, body)
            return ""
        except AutogradError as error:
            why = sentences(error)
        except _UNUSABLE as error:
            why = f"The arguments of {request['command']} cannot be used: {shown(error)}."
        self.refuse(request, why)
        return why

    def answer_later(self, request: Message, compute: Callable[[], Any]) -> object:
        """Answer with a result that takes long to compute, which may fail in any way, and return PENDING."""

        def handler(_: object) -> Any:
            try:
                return compute()
            except Exception as error:  # the peer waits for an answer
                raise error if isinstance(error, AutogradError) else ArgumentError(repr(error)) from None

        in_background(self.answer, request, handler)
        return PENDING

    def respond(self, request: Message, body: Any = None) -> None:
        """Tell the peer that a request succeeded."""
        self.send(_with(_response(request, True), body=body))

    def refuse(self, request: Message, why: str, short: str | None = None) -> None:
        """Tell the peer that a request failed; `short` is a word that the protocol knows."""
        error = {"id": _ERROR, "format": why, "showUser": request["command"] in _SHOWN}
        self.send({**_response(request, False), "message": short or why, "body": {"error": error}})

    def event(self, name: str, body: Any = None) -> int:
        """Tell the peer about an event."""
        return self.send(_with({"type": "event", "event": name}, body=body))

    def say(self, text: str, category: str = "console") -> None:
        """Print a text in the editor's console."""
        self.event("output", {"category": category, "output": text})

    def close(self) -> None:
        """Stop sending; receiving goes on, because closing a pipe would wait for its reader."""
        with suppress(OSError):
            self._writer.close()


class SocketChannel(Channel):
    """Messages over a connected socket, which closes with the channel."""

    def __init__(self, connection: socket.socket, longest: int = LONGEST) -> None:
        with suppress(OSError):  # not TCP
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or a message would wait for the last one
        super().__init__(connection.makefile("rb"), connection.makefile("wb"), longest)
        self._connection = connection

    def hang_up(self) -> None:
        """End the conversation, and wake the threads that wait to receive or send."""
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
    """The editor's side of a conversation, read in the background so that it is heard during a request."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.client: Message | None = None  # its introduction; None before it comes
        self.is_leaving = False  # it has asked for the end or is gone, so do not start anything
        self.refusals: deque[Message] = deque(maxlen=10)  # its refusals of our requests
        self._requests: SimpleQueue[Message | None] = SimpleQueue()
        self._room = threading.Semaphore(_AHEAD)

    def requests(self) -> Iterator[Message]:
        """Yield the requests until the editor is gone."""
        in_background(self._read)
        try:
            while (request := self._requests.get()) is not None:
                yield request
                self._room.release()
        finally:
            self._room.release(_AHEAD)  # let the reader run to its end

    def stop(self) -> None:
        """End its requests as if it were gone."""
        self.is_leaving = True
        self._requests.put(None)

    def _read(self) -> None:
        for message in self.channel:
            if _is_request(message):
                self._room.acquire()
                self.is_leaving = self.is_leaving or message["command"] in ("disconnect", "terminate")
                self._requests.put(message)
            elif message.get("type") != "response":
                self.channel.say(f"A message is not a request: {shown(message)}\n", "important")
            elif not message.get("success"):
                self.refusals.append(message)
        self.stop()


def _with(message: Message, **more: Any) -> Message:
    return message | {name: value for name, value in more.items() if value is not None}


def _response(request: Message, success: bool) -> Message:
    return {"type": "response", "request_seq": request["seq"], "success": success, "command": request["command"]}


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and writes although JSON lacks them."""
    raise ValueError(f"JSON has no {name}")


def _is_request(message: Message) -> bool:
    """Return True if a message is a request that can be answered."""
    return (
        message.get("type") == "request"
        and type(message.get("seq")) is int
        and isinstance(message.get("command"), str)
        and isinstance(message.get("arguments", {}) or {}, dict)
    )


def in_background(function: Callable[..., object], *arguments: Any) -> threading.Thread:
    """Call a function in a thread that does not keep the process alive."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread
