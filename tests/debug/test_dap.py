"""Editors step through backprop: the Debug Adapter Protocol, driven by Microsoft's client and by hand, over bytes."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from autograd_mini import Value, debug, provenance
from autograd_mini.debug import dap
from autograd_mini.debug.dap import Adapter, _Port
from autograd_mini.debug.dap.install import EXTENSION, install
from autograd_mini.debug.dap.protocol import LONGEST, SocketChannel
from autograd_mini.debug.dap.views import utf16
from autograd_mini.errors import ArgumentError

EDITORS = Path(__file__).parents[1] / "editors"
PATIENCE = 60.0  # seconds; nothing waits longer, and no test asserts a time
SCENARIOS = re.findall(r"^  async (\w+)\(editor\)", (EDITORS / "drive.js").read_text(encoding="utf-8"), re.MULTILINE)
SCENARIOS = [name for name in SCENARIOS if name not in ("attach",)]  # that one needs a port

CHAIN = """\
import os, sys
import autograd_mini as am

x, w, b = am.Value(2.0), am.Value(-3.0), am.Value(1.0)

@am.composite
def square(a):
    double = a + a
    return double * a / 2.0

out = x * w + b
loss = square(out)
loss.backward()
print("dw =", w.grad, *sys.argv[1:], os.environ.get("GREETING", ""))
twice = loss * 2.0
root = am.sqrt(am.Value(0.0, name="zero"))
broken = root * root * twice * 1e4
"""


@pytest.fixture
def program(tmp_path):
    """A function that writes a program, and returns its path."""

    def write(text, name="program.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


# -- the published schema ----------------------------------------------------------------------------------------------


@functools.cache
def schema():
    """Microsoft's schema; what describes a thing, such as a breakpoint, allows nothing that it does not name."""
    protocol = json.loads((EDITORS / "debugAdapterProtocol.json").read_text(encoding="utf-8"))
    for name, definition in protocol["definitions"].items():
        if "properties" in definition and not name.endswith(("Arguments", "ProtocolMessage")):
            definition["additionalProperties"] = False
    return protocol


@functools.cache
def validator(definition):
    assert definition in schema()["definitions"], f"the protocol has no {definition}"
    return jsonschema.Draft4Validator({**schema(), "$ref": f"#/definitions/{definition}"})


OWN = {"inlineValues", "page"}  # requests of our extension


def check_message(message):
    """A message is as the protocol says."""
    if message["type"] == "event":
        definition = f"{message['event'][0].upper()}{message['event'][1:]}Event"
    else:
        definition = f"{message['command'][0].upper()}{message['command'][1:]}{message['type'].capitalize()}"
        if message["type"] == "response" and not message["success"]:
            definition = "ErrorResponse"
            assert message["body"]["error"]["format"]
            assert "Traceback" not in message["body"]["error"]["format"]
    validator("Response" if message.get("command") in OWN else definition).validate(message)


def frames(data):
    """The messages in recorded bytes."""
    while data:
        header, _, data = data.partition(b"\r\n\r\n")
        length = int(re.fullmatch(rb"Content-Length: (\d+)", header)[1])
        body, data = data[:length], data[length:]
        yield json.loads(body)


def check_conversation(sent, received):
    """Every message is valid and numbered in order; every request has one answer; responses precede their stops."""
    for messages in (sent, received):
        for message in messages:
            check_message(message)
        assert [message["seq"] for message in messages] == [*range(1, len(messages) + 1)]
    requests = {message["seq"]: message["command"] for message in sent}
    answers = [message for message in received if message["type"] == "response"]
    assert {answer["request_seq"]: answer["command"] for answer in answers} == requests
    assert len(answers) == len(requests)
    is_moving = False  # a stop comes after the response to what led to it
    for message in received:
        if message["type"] == "response" and message["command"] in MOVING and message["success"]:
            is_moving = True
        elif message.get("event") == "stopped":
            assert is_moving
            is_moving = False


MOVING = {
    "configurationDone", "continue", "reverseContinue", "next", "stepIn", "stepOut", "stepBack", "goto", "restart",
    "evaluate", "setVariable",
}  # fmt: skip


# -- Microsoft's client ------------------------------------------------------------------------------------------------

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (EDITORS / "node_modules").is_dir(),
    reason="node, or what `npm ci --prefix tests/editors` installs, is missing",
)


def drive(scenario, program, record, *port):
    command = ["node", str(EDITORS / "drive.js"), scenario, sys.executable, program, str(record), *map(str, port)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    sent, received = ([*frames(Path(f"{record}.{direction}").read_bytes())] for direction in ("sent", "received"))
    check_conversation(sent, received)


@pytest.mark.sampled(3)
@needs_node
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_microsofts_client(scenario, program, tmp_path):
    """Launch, breakpoints of every kind, both directions of time, variables, changes, restart: as VS Code does it."""
    drive(scenario, program(CHAIN), tmp_path / "record")


@needs_node
def test_microsofts_client_attaches(program, tmp_path):
    """`--port N SCRIPT.py` waits for editors, one after another; a vanished one does not end it."""
    path = program(CHAIN)
    with listening("--port", "0", path) as (port, token):
        drive("attach", path, tmp_path / "first", port, token)
        socket.create_connection(("127.0.0.1", port)).close()
        drive("attach", path, tmp_path / "second", port, token)


# -- a client of our own -----------------------------------------------------------------------------------------------


class Client:
    """Speaks bytes with an adapter, over its standard streams or a socket; checks all that comes."""

    def __init__(self, reader, writer, process=None):
        self.reader, self.writer, self.process = reader, writer, process
        self.numbers = itertools.count(1)
        self.incoming = queue.Queue()
        self.seen = []
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    def _read(self):
        try:
            while header := self.reader.readline():
                length = int(header.split(b":")[1])
                self.reader.readline()
                self.incoming.put(json.loads(self.reader.read(length)))
        except (OSError, ValueError) as error:
            self.incoming.put(error)
        self.incoming.put(None)

    def receive(self):
        """The next message; None at the end."""
        message = self.incoming.get(timeout=PATIENCE)
        if message is not None:
            check_message(message)
            self.seen.append(message)
        return message

    def raw(self, data):
        self.writer.write(data)
        self.writer.flush()

    def body(self, data):
        self.raw(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))

    def send(self, command, **arguments):
        number = next(self.numbers)
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        self.body(json.dumps(message).encode())
        return number

    def ask(self, command, **arguments):
        """Send a request and return its response; other messages that come first are in `seen`."""
        number = self.send(command, **arguments)
        return self.until(lambda message: message.get("request_seq") == number)

    def refused(self, command, **arguments):
        """The reason why a request is refused."""
        response = self.ask(command, **arguments)
        assert not response["success"]
        return response["body"]["error"]["format"]

    def event(self, name):
        """Wait for an event, and return its body."""
        return self.until(lambda message: message.get("event") == name).get("body")

    def until(self, is_wanted):
        while (message := self.receive()) is not None:
            if is_wanted(message):
                return message
        raise AssertionError(f"the adapter is gone; it said {self.seen[-3:]}")

    def rest(self):
        """All messages until the end."""
        messages = []
        while (message := self.receive()) is not None:
            messages.append(message)
        return messages

    def launch(self, path, **options):
        """Launch a program, up to the point where it runs."""
        assert self.ask("initialize", adapterID="test", **options.pop("client", {}))["success"]
        response = self.ask("launch", program=path, **options)
        assert response["success"], response
        self.event("initialized")
        assert self.ask("configurationDone")["success"]

    def go(self, command, **arguments):
        assert self.ask(command, threadId=1, **arguments)["success"]
        return self.event("stopped")

    def frames(self):
        return self.ask("stackTrace", threadId=1)["body"]["stackFrames"]

    def value(self, expression):
        return self.ask("evaluate", expression=expression)["body"]["result"]

    def output(self, category):
        outputs = [message["body"] for message in self.seen if message.get("event") == "output"]
        return "".join(output["output"] for output in outputs if output["category"] == category)

    def printed(self):
        """Wait until the program has printed something; that."""
        while not (output := self.output("stdout")):
            assert self.receive() is not None
        return output

    def ended(self):
        """Wait until the adapter's process has ended by itself; what it wrote to stderr."""
        self.process.wait(PATIENCE)
        return self.process.stderr.read().decode()


@pytest.fixture
def alone():
    """A client of an adapter that is a process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "autograd_mini", "dap"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    yield Client(process.stdout, process.stdin, process)
    process.kill()
    process.wait(PATIENCE)
    for stream in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):  # what was still to be written to a process that is gone
            stream.close()


@contextlib.contextmanager
def served():
    """A client of an adapter that is a thread of ours, which is there sooner."""
    ours, theirs = socket.socketpair()
    serving = threading.Thread(target=Adapter(SocketChannel(theirs)).serve)
    serving.start()
    client = connected(ours)
    yield client
    hang_up(client)
    serving.join(PATIENCE)
    assert not serving.is_alive()


@pytest.fixture
def client():
    with served() as client:
        yield client


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A client that has stopped; for tests that leave it so."""
    path = tmp_path_factory.mktemp("stopped") / "program.py"
    path.write_text(CHAIN, encoding="utf-8")
    with served() as client:
        client.launch(str(path))
        client.event("stopped")
        yield client


def connected(connection):
    """A client at the end of a socket."""
    client = Client(connection.makefile("rb"), connection.makefile("wb"))
    client.connection = connection
    return client


def hang_up(client):
    """Close the connection, and wait until it is no longer used."""
    with contextlib.suppress(OSError):
        client.connection.shutdown(socket.SHUT_RDWR)
    client.reading.join(PATIENCE)
    for stream in (client.writer, client.reader, client.connection):
        with contextlib.suppress(OSError):  # what was still to be written
            stream.close()


linux_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")


class listening:  # noqa: N801  # a context manager is used like a function
    """An adapter that listens on a port, which this gives, and the token."""

    def __init__(self, *arguments):
        command = [sys.executable, "-m", "autograd_mini", "dap", *arguments]
        signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")

    def __enter__(self):
        port = int(self.process.stderr.readline().rpartition(":")[2])
        self.configuration = json.loads(self.process.stderr.readline())
        assert self.configuration["debugServer"] == port
        return port, self.configuration["token"]

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        assert "Traceback" not in self.process.stderr.read()
        self.process.stderr.close()


# -- frames that are none ----------------------------------------------------------------------------------------------


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"Content-Length: many\r\n\r\n{}", b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 1e3\r\n\r\n", b"Content-Length: %d\r\n\r\n" % (LONGEST + 1), b"x" * 20_000,
        b"Content-Type: text\r\n\r\n{}", b"\x00\xff\xfe\n", b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n",
        "Content-Length: ²\r\n\r\n".encode(),
    ],
)  # fmt: skip
def test_bytes_that_are_no_header_end_the_conversation(alone, data):
    """The next message cannot be found: one sentence says what is wrong, and the adapter ends."""
    alone.raw(data)
    (complaint,) = alone.rest()
    assert complaint["event"] == "output"
    assert re.search(r"header|Content-Length", complaint["body"]["output"])
    assert alone.ended() == ""
    assert alone.process.returncode == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[1, 2]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b"1" * 10_000, b'{"seq": 1}',
        b'{"seq":1,"type":"request","command":7}', b'{"seq":true,"type":"request","command":"threads"}',
        b'{"seq":1,"type":"request","command":"threads","arguments":[]}'.replace(b"[]", b"[1]"),
        b'{"seq":1,"type":"event","event":"stopped"}',
        b'{"seq":1,"type":"request","command":"x","arguments":{"y":NaN}}',
    ],
)  # fmt: skip
def test_a_body_that_is_no_request_is_complained_about(client, body):
    """The frame is whole, so the conversation goes on."""
    client.body(body)
    assert "A message is not" in client.event("output")["output"]
    assert client.ask("initialize", adapterID="test")["success"]


def test_what_is_nested_as_deeply_as_can_be_read_is_answered(client, program):
    """There are depths that can be read but not written again."""
    client.ask("initialize", adapterID="test")
    path = json.dumps(program(CHAIN)).encode()
    for depth in range(1000, 900, -3):
        nested = b"[" * depth + b"]" * depth
        client.body(b'{"seq":9,"type":"request","command":"launch","arguments":{"program":%s,"x":%s}}' % (path, nested))
        answer = client.until(lambda message: "request_seq" in message or message.get("event") == "output")
        if answer.get("success"):
            return
    raise AssertionError("no depth was accepted")


def test_a_length_that_is_too_short_ends_the_conversation(alone):
    """The message is cut, and its remainder is not a header."""
    alone.raw(b'Content-Length: 10\r\n\r\n{"seq":1,"type":"request","command":"threads"}\r\n')
    assert all(message["event"] == "output" for message in alone.rest())
    assert alone.ended() == ""


def test_a_length_that_is_too_long_waits_and_ends_with_the_client(alone):
    """The adapter waits for the bytes a header announces, answers nothing, and exits cleanly when the client leaves."""
    alone.raw(b'Content-Length: 1000\r\n\r\n{"seq":1,"type":"request","command":"initialize"}')
    alone.writer.close()
    assert alone.rest() == []
    assert alone.ended() == ""


def test_headers_may_be_written_in_other_ways(client):
    """Upper and lower case, other headers, bare line feeds."""
    body = b'{"seq":1,"type":"request","command":"initialize","arguments":{"adapterID":"x"}}'
    client.raw(b"content-type: text\ncontent-LENGTH:%d\n\n%s" % (len(body), body))
    assert client.until(lambda message: True)["success"]


def test_messages_of_ten_megabytes_in_both_directions(alone, program):
    """Long requests are refused in words and long output arrives whole: ten megabytes either way."""
    alone.launch(program(CHAIN))
    alone.event("stopped")
    assert "too long" in alone.refused("evaluate", expression="1" * 10_000_000)
    path = program("print('y' * 10_000_000)", "big.py")
    assert alone.ask("restart", arguments={"program": path})["success"]
    alone.event("terminated")
    assert len(alone.output("stdout")) == 10_000_001


# -- requests out of order ---------------------------------------------------------------------------------------------


def test_before_initialize_everything_is_refused(client):
    """Every request before `initialize` is refused with that word, and a second `initialize` too."""
    for command in ("launch", "threads", "setBreakpoints", "nonsense"):
        assert "initialize" in client.refused(command) if command != "nonsense" else True
    assert client.ask("initialize", adapterID="test")["success"]
    assert "already" in client.refused("initialize", adapterID="test")


def test_before_a_launch_there_is_nothing(client):
    """Without a launch, requests about the program fail in words, and `attach` says it has no process to join."""
    client.ask("initialize", adapterID="test")
    for command in ("threads", "continue", "stackTrace", "restart", "setBreakpoints"):
        arguments = {"source": {"path": "x"}} if command == "setBreakpoints" else {}
        assert "Nothing is being debugged" in client.refused(command, threadId=1, **arguments)
    assert "nothing to attach to" in client.refused("attach")


def test_a_second_launch_is_refused_and_the_first_goes_on(client, program):
    """A second `launch` changes nothing: the program stays where it stopped, and its values can be read."""
    path = program(CHAIN)
    client.launch(path)
    client.event("stopped")
    assert "already" in client.refused("launch", program=path)
    assert client.value("out") == "-5, grad not yet"


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "no program"), ({"program": 7}, "no program"), ({"program": "nowhere.py"}, "no file"),
        ({"args": "one"}, "args must be a list"), ({"args": [1]}, "args must be a list"),
        ({"env": {"A": 1}}, "env must be an object"),
        ({"env": []}, None), ({"at": 0}, "at must be the number"), ({"at": "3"}, "at must be the number"),
        ({"cwd": "/nowhere"}, "no folder"), ({"program": "x" * 5000}, "cannot be used"),
        ({"python": "/nowhere/python"}, "cannot be started"), ({"python": 7}, "python must be the path"),
        ({"python": "/bin/false"}, "ended before the program began"),
        ({"console": "terminal"}, "console must be one of"), ({"console": ["x"]}, "console must be one of"),
    ],
)  # fmt: skip
def test_a_launch_that_makes_no_sense_is_refused_in_words(client, program, options, complaint):
    """And another can follow."""
    client.ask("initialize", adapterID="test")
    path = {} if complaint == "no program" or "program" in options else {"program": program(CHAIN)}
    if complaint is not None:
        assert complaint in client.refused("launch", **path, **options)
    assert client.ask("launch", program=program(CHAIN))["success"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("nonsense", {}), ("variables", {}), ("variables", {"variablesReference": "x"}), ("evaluate", {}),
        ("variables", {"variablesReference": -1}), ("variables", {"variablesReference": 10**9}),
        ("goto", {"targetId": 10**9}), ("goto", {"targetId": "x"}), ("setBreakpoints", {}), ("source", {}),
        ("setBreakpoints", {"source": {"path": "x"}, "breakpoints": [7]}), ("setBreakpoints", {"source": 7}),
        ("setBreakpoints", {"source": {"path": "x"}, "breakpoints": [{"line": "x"}]}),
        ("setFunctionBreakpoints", {"breakpoints": 7}), ("setVariable", {"variablesReference": 1, "name": "x"}),
        ("setExceptionBreakpoints", {"filters": ["x"]}), ("exceptionInfo", {"threadId": 1}),
        ("source", {"sourceReference": 99}), ("evaluate", {"expression": "explain nobody", "context": "repl"}),
        ("evaluate", {"expression": "goto far", "context": "repl"}), ("scopes", None), ("completions", {}),
        ("evaluate", {"expression": "goto 1e999", "context": "repl"}),
        ("evaluate", {"expression": "goto 0.5", "context": "repl"}),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused_in_words(stopped, command, arguments):
    """And the debugger goes on."""
    if arguments is not None:
        number = stopped.send(command, **arguments)
        while (message := stopped.incoming.get(timeout=PATIENCE)).get("request_seq") != number:
            check_message(message)
        assert not message["success"]
        assert len(message["body"]["error"]["format"]) > 10
        assert "Traceback" not in message["message"]
    assert stopped.value("out") == "-5, grad not yet"


def test_a_restart_that_fails_ends_the_session(client, program):
    """The old program has been ended by then; a new restart may follow."""
    path = program(CHAIN)
    client.launch(path)
    client.event("stopped")
    os.rename(path, f"{path}.moved")
    assert "no file" in client.refused("restart")
    assert [message.get("event") for message in client.seen].count("terminated") == 1
    os.rename(f"{path}.moved", path)
    client.go("restart")


# -- what becomes of the program ---------------------------------------------------------------------------------------


def test_a_program_that_raises_ends_with_its_traceback_alone(client, program):
    """The user's exception ends the program with status 1; the traceback shows no frame of the debugger."""
    path = program("import autograd_mini as am\nx = am.Value(1.0)\nx.backward()\nprint('before')\n1 / 0\n")
    client.launch(path)
    client.event("stopped")
    client.send("continue", threadId=1)
    assert client.event("exited") == {"exitCode": 1}
    client.event("terminated")
    assert client.output("stdout") == "before\n"
    assert "ZeroDivisionError" in client.output("stderr")
    assert "autograd_mini/debug" not in client.output("stderr")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("text", "status", "output"),
    [
        ("import sys; sys.exit(3)", 3, ""), ("import sys; sys.exit('sorry')", 1, "sorry\n"),
        ("import sys; sys.exit()", 0, ""), ("import os; os._exit(7)", 7, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 139, ""),
        ("raise SystemExit(2)", 2, ""), ("import atexit; atexit.register(print, 'bye')", 0, ""),
    ],
)  # fmt: skip
def test_the_exit_status_is_that_of_the_program(client, program, text, status, output):
    """However a program ends (return, `sys.exit`, `os._exit`, a signal), the editor gets its exit status and stderr."""
    client.launch(program(text))
    assert client.event("exited") == {"exitCode": status}
    client.event("terminated")
    assert client.output("stderr") == output


def test_a_program_that_never_calls_backward_says_what_to_do(client, program):
    """A program without `backward()` runs to its end, and an important message says what was missing."""
    client.launch(program("print('done')"))
    assert client.event("exited") == {"exitCode": 0}
    assert "never called backward()" in client.output("important")


def test_output_comes_before_the_end_in_order_and_complete(client, program):
    """Of both streams, of subprocesses, in pieces of characters, without a newline at the end."""
    text = """\
import subprocess, sys
for i in range(20_000):
    print(i, "é" * 10)
print("error", file=sys.stderr)
subprocess.run([sys.executable, "-c", "print('child', end='')"])
"""
    client.launch(program(text))
    client.event("terminated")
    assert client.output("stdout") == "".join(f"{i} {'é' * 10}\n" for i in range(20_000)) + "child"
    assert client.output("stderr") == "error\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_of_the_program_is_not_debugged(client, program):
    """It computes its gradients, and nothing of it gets between the messages."""
    text = """\
import os
import autograd_mini as am
x = am.Value(3.0)
if not (child := os.fork()):
    (x * x).backward()
    print(x.grad, flush=True)
    os._exit(0)
os.waitpid(child, 0)
(x * 2.0).backward()
"""
    client.launch(program(text))
    client.event("stopped")
    assert client.value("x") == "3, grad not yet"
    assert client.printed() == "6.0\n"


@linux_only
def test_a_child_that_lives_on_does_not_keep_the_session_alive(client, program):
    """Though it holds all that was open in the program; nothing that was said before is lost."""
    text = """\
import os, time
if child := os.fork():
    print(child)
else:
    os.setsid()
    time.sleep(1000)
"""
    client.launch(program(text))
    child = int(client.printed())
    assert client.event("exited") == {"exitCode": 0}
    client.event("terminated")
    assert "never called backward()" in client.output("important")
    os.kill(child, signal.SIGKILL)


def test_what_no_text_can_hold_is_printed_escaped(client, program):
    """Lone surrogates, which UTF-8 cannot encode, reach the editor as escapes; other letters stay as they are."""
    client.launch(program("print('\\udc80 é')"))
    client.event("terminated")
    assert client.output("stdout") == "\\udc80 é\n"


def test_standard_input_is_empty(client, program):
    """A program that the adapter starts itself reads an empty standard input instead of the protocol's messages."""
    client.launch(program("import sys; print(repr(sys.stdin.read()))"))
    client.event("terminated")
    assert client.output("stdout") == "''\n"


def test_arguments_folder_and_environment_are_as_launched(client, program, tmp_path):
    """The program gets `args`, `cwd` and `env` exactly: spaces, empty strings, umlauts, and variables set to None."""
    folder = tmp_path / "folder ü"
    folder.mkdir()
    text = "import os, sys; print(ascii([sys.argv[1:], os.getcwd(), os.environ.get('HOME'), os.environ['NEW']]))"
    client.launch(program(text), args=["a b", "--c", ""], cwd=str(folder), env={"HOME": None, "NEW": "ü"})
    client.event("terminated")
    assert client.output("stdout") == ascii([["a b", "--c", ""], str(folder), None, "ü"]) + "\n"


@pytest.mark.parametrize("command", ["terminate", "disconnect"])
def test_an_endless_program_is_ended(alone, program, command):
    """`terminate` and `disconnect` end a program that loops forever, and the adapter then exits without complaint."""
    alone.launch(program("print('begun')\nwhile True: pass\n"))
    alone.printed()
    assert "running" in alone.refused("continue", threadId=1)
    alone.send(command)
    assert alone.event("exited")["exitCode"] != 0
    alone.event("terminated")
    if command == "terminate":
        alone.send("disconnect")
    alone.rest()
    assert alone.ended() == ""


TWO_PROCESSES = """\
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print(os.getpid(), child.pid)
time.sleep(1000)
"""


def is_alive(process):
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(*processes):
    end = time.monotonic() + PATIENCE
    while any(map(is_alive, processes)):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.02)


@linux_only
def test_a_client_that_vanishes_leaves_nothing_behind(alone, program):
    """Adapter, program, and the processes that the program has started."""
    alone.launch(program(TWO_PROCESSES))
    processes = [*map(int, alone.printed().split())]
    alone.writer.close()
    assert alone.ended() == ""
    wait_until_gone(*processes)


@linux_only
def test_an_adapter_that_is_killed_leaves_no_program_behind(alone, program):
    """Nor the processes that the program has started."""
    alone.launch(program(TWO_PROCESSES))
    processes = [*map(int, alone.printed().split())]
    alone.process.kill()
    wait_until_gone(*processes)


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.1])
def test_a_client_that_vanishes_while_the_program_starts_again_leaves_nothing_behind(program, monkeypatch, delay):
    """At whatever moment; the adapter may serve others for long."""
    processes = []

    def start(command, **options):
        processes.append(popen(command, **options))
        return processes[-1]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with served() as client:
        client.launch(program(DECIDING))
        client.event("stopped")
        client.send("setVariable", **leaf_value(client), value="8")
        time.sleep(delay)
    for process in processes:
        process.wait(PATIENCE)


def test_nobody_else_can_take_the_place_of_the_program(client, program, monkeypatch):
    """The port between adapter and program accepts only a client with the token, even if others are there first."""
    impostors = []

    def start(command, **options):
        for data in [b"0" * 32 + b"\n", b"", b"0"]:
            impostors.append(socket.create_connection(("127.0.0.1", int(command[-1]))))
            impostors[-1].sendall(data)
        return popen(command, **options)

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    client.launch(program("print('it runs')"))
    client.event("terminated")
    assert client.output("stdout") == "it runs\n"
    for impostor in impostors:
        assert impostor.recv(1) == b""
        impostor.close()


def test_the_program_does_not_see_the_token(client, program):
    """The secret of the connection appears neither in the program's environment nor among its arguments."""
    client.launch(program("import os, sys; print([n for n in os.environ if 'TOKEN' in n], len(sys.argv))"))
    client.event("terminated")
    assert client.output("stdout") == "[] 1\n"


# -- after the end, and what is shown where ----------------------------------------------------------------------------


def is_shown(client, command, **arguments):
    """Whether the refusal of a request opens a window of its own."""
    response = client.ask(command, **arguments)
    assert not response["success"]
    return response["body"]["error"]["showUser"]


def test_requests_that_come_after_the_end_are_answered_quietly(client, program):
    """Editors learn of the end later, and ask meanwhile: they get empty answers, not errors. A restart may follow."""
    path = program("print('done')")
    client.launch(path)
    client.event("terminated")
    source = {"path": path}
    for command, arguments, body in [
        ("threads", {}, {"threads": []}), ("stackTrace", {"threadId": 1}, {"stackFrames": [], "totalFrames": 0}),
        ("scopes", {"frameId": 1}, {"scopes": []}), ("variables", {"variablesReference": 18}, {"variables": []}),
        ("loadedSources", {}, {"sources": []}), ("completions", {"text": "x", "column": 2}, {"targets": []}),
        ("breakpointLocations", {"source": source, "line": 1}, {"breakpoints": []}),
        ("gotoTargets", {"source": source, "line": 1}, {"targets": []}),
        ("continue", {"threadId": 1}, {}), ("next", {"threadId": 1}, None), ("stepIn", {"threadId": 1}, None),
        ("stepOut", {"threadId": 1}, None), ("stepBack", {"threadId": 1}, None), ("pause", {"threadId": 1}, None),
        ("reverseContinue", {"threadId": 1}, None), ("setExceptionBreakpoints", {"filters": []}, None),
    ]:  # fmt: skip
        response = client.ask(command, **arguments)
        assert response["success"], command
        assert response.get("body") == body
    asked = client.ask("setBreakpoints", source=source, breakpoints=[{"line": 1}, {"line": 2}])
    assert [breakpoint["verified"] for breakpoint in asked["body"]["breakpoints"]] == [False, False]
    for command, arguments in [("evaluate", {"expression": "x"}), ("exceptionInfo", {"threadId": 1}), ("source", {})]:
        assert not is_shown(client, command, **arguments)
    client.seen.clear()
    assert client.ask("restart")["success"]
    client.event("terminated")
    assert client.printed() == "done\n"


def test_a_request_that_the_end_overtakes_is_answered_quietly(client, program):
    """The program is gone before it has read the request."""
    path = program("import os, signal, time\nprint('begun')\ntime.sleep(0.2)\nos.kill(os.getpid(), signal.SIGKILL)\n")
    client.launch(path)
    client.printed()
    numbers = {client.send("loadedSources") for _ in range(2000)}
    client.event("terminated")
    client.ask("threads")
    answers = [message for message in client.seen if message.get("request_seq") in numbers]
    assert len(answers) == len(numbers)
    assert all(answer["success"] for answer in answers)


def test_only_what_the_user_waits_for_is_shown_in_a_window(client, program):
    """Launch, attach and set; an error of anything else, as of stepping too fast, stays where it was asked for."""
    client.ask("initialize", adapterID="test")
    assert not is_shown(client, "threads")
    assert not is_shown(client, "restart")
    assert is_shown(client, "attach")
    assert is_shown(client, "launch", program="nowhere.py")
    path = program(CHAIN)
    assert client.ask("launch", program=path)["success"]
    client.event("initialized")
    assert client.ask("configurationDone")["success"]
    client.event("stopped")
    assert is_shown(client, "setVariable", variablesReference=1, name="x", value="?")
    assert not is_shown(client, "variables", variablesReference=10**6)
    assert not is_shown(client, "evaluate", expression="nobody")
    client.go("continue")
    client.send("continue", threadId=1)
    response = client.ask("next", threadId=1)  # a step too many
    assert response["success"] or not response["body"]["error"]["showUser"]


def test_why_a_restart_fails_is_said_in_the_console(client, program):
    """The refusal itself is not shown by editors."""
    path = program(CHAIN)
    client.launch(path)
    client.event("stopped")
    os.remove(path)
    assert not is_shown(client, "restart")
    client.ask("threads")
    assert "no file" in client.output("important")


@pytest.mark.sampled(3)
@pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("how", ["first", "last", "alone", "twice"])
def test_an_editor_may_say_good_bye_with_a_signal(alone, program, ending, how):
    """Before or after it closes standard input: the status is 0, nothing is written, nothing is left behind."""
    alone.launch(program("import os\nprint(os.getpid())\nwhile True: pass\n"))
    process = int(alone.printed())
    if how == "first":
        alone.writer.close()
    for _ in range(2 if how == "twice" else 1):
        alone.process.send_signal(ending)
    if how == "last":
        with contextlib.suppress(OSError):  # it is faster
            alone.writer.close()
    assert alone.ended() == ""
    assert alone.process.returncode == 0
    if Path("/proc/self/stat").exists():
        wait_until_gone(process)


def test_an_idle_adapter_ends_with_a_signal(alone):
    """SIGTERM ends an adapter that debugs nothing, with status 0 and nothing on stderr."""
    alone.ask("initialize", adapterID="test")
    alone.process.send_signal(signal.SIGTERM)
    assert alone.ended() == ""
    assert alone.process.returncode == 0


# -- paths -------------------------------------------------------------------------------------------------------------


def test_a_tilde_is_the_home_folder(client, program, tmp_path, monkeypatch):
    """In `program`, `cwd` and `python`, as some editors pass it; not in the arguments of the program."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    program("import os, sys; print(os.getcwd() == os.path.expanduser('~'), sys.argv[1:])", "program.py")
    for python in ("~/bin/python", ["~/bin/python", "-B"]):
        with served() as client:
            client.launch("~/program.py", cwd="~", python=python, args=["~/x"])
            client.event("terminated")
            assert client.output("stdout") == "True ['~/x']\n"


@pytest.mark.parametrize(
    "options", [{"program": "${file}"}, {"cwd": "${workspaceFolder}"}, {"python": ["${command:python.path}", "-B"]}]
)
def test_a_variable_that_the_editor_does_not_know_is_named(client, program, options):
    """Others than VS Code pass on what they cannot replace; a folder may be called like that all the same."""
    client.ask("initialize", adapterID="test")
    (name, value), *_ = options.items()
    why = client.refused("launch", **{"program": program(CHAIN), **options})
    assert f"has not replaced {value if isinstance(value, str) else value[0]} in {name}" in why
    assert client.ask("launch", program=program(CHAIN, "${file}.py"))["success"]


# -- programs that read input ------------------------------------------------------------------------------------------

ASKING = """\
import os, sys
import autograd_mini as am
x = am.Value(float(input("x? ")), name="x")
y = x * x
y.backward()
print("slope", x.grad, sys.stdin.isatty(), os.environ.get("GREETING"), os.path.basename(os.getcwd()))
"""


class Terminal:
    """The terminal that an editor opens on request, and a user who types there."""

    def __init__(self, client, types=b""):
        request = client.until(lambda message: message["type"] == "request")
        asked = request["arguments"]
        self.kind, self.args = asked["kind"], asked["args"]
        signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
        self.fd, inner = pty.openpty()
        environment = {name: value for name, value in {**os.environ, **asked["env"]}.items() if value is not None}
        self.process = subprocess.Popen(
            self.args, cwd=asked["cwd"], env=environment, stdin=inner, stdout=inner, stderr=inner,
            start_new_session=True,
        )  # fmt: skip
        os.close(inner)
        os.write(self.fd, types)
        reply = {"seq": next(client.numbers), "type": "response", "request_seq": request["seq"], "success": True}
        client.body(json.dumps({**reply, "command": "runInTerminal", "body": {}}).encode())

    def close(self):
        """What was on the screen, and the status."""
        status, screen = self.process.wait(PATIENCE), b""
        with contextlib.suppress(OSError):  # so Linux says that the other side is gone
            while data := os.read(self.fd, 1 << 16):
                screen += data
        os.close(self.fd)
        return screen.decode().replace("\r\n", "\n"), status


pty = pytest.importorskip("pty") if os.name == "posix" else None
unix_only = pytest.mark.skipif(pty is None, reason="this system has no pseudo-terminals")


def launch_in_terminal(client, path, types=b"", console="integratedTerminal", **options):
    client.ask("initialize", adapterID="test", supportsRunInTerminalRequest=True)
    number = client.send("launch", program=path, console=console, **options)
    terminal = Terminal(client, types)
    assert client.until(lambda message: message.get("request_seq") == number)["success"]
    assert client.ask("configurationDone")["success"]
    return terminal


@unix_only
@pytest.mark.parametrize(("console", "kind"), [("integratedTerminal", "integrated"), ("externalTerminal", "external")])
def test_a_program_that_reads_input_runs_in_a_terminal(client, program, tmp_path, console, kind):
    """Its input and output are there, in the launched folder and environment; the editor steps through it as ever."""
    (tmp_path / "here ü").mkdir()
    options = {"cwd": str(tmp_path / "here ü"), "env": {"GREETING": "hello"}}
    terminal = launch_in_terminal(client, program(ASKING), b"3\n", console, **options)
    assert terminal.kind == kind
    assert client.event("stopped")["reason"] == "entry"
    assert client.value("x") == "3, grad not yet"
    client.go("continue")
    client.send("continue", threadId=1)
    client.event("terminated")
    screen, status = terminal.close()
    assert "slope 6.0 True hello here ü" in screen
    assert status == 0
    assert client.output("stdout") == ""
    assert not Path(terminal.args[-1]).exists()  # the secret
    assert (client.ask("threads")["body"], client.ask("disconnect")["success"]) == ({"threads": []}, True)


@unix_only
def test_the_secret_of_a_terminal_is_in_no_command(client, program):
    """All users of a machine can read commands, and a shell may remember them; only this user can read the file."""
    client.ask("initialize", adapterID="test", supportsRunInTerminalRequest=True)
    client.send("launch", program=program(ASKING), console="integratedTerminal")
    asked = client.until(lambda message: message["type"] == "request")["arguments"]
    path = Path(asked["args"][-1])
    assert path.stat().st_mode & 0o077 == 0
    assert re.fullmatch("[0-9a-f]{32}", path.read_text(encoding="ascii"))
    assert path.read_text(encoding="ascii") not in json.dumps(asked)
    client.send("terminate")
    client.until(lambda message: message.get("command") == "terminate")
    assert not path.exists()


@unix_only
@pytest.mark.parametrize(
    ("rest", "status", "seen"),
    [
        ("raise SystemExit(3)", 3, ""), ("1 / 0", 1, "ZeroDivisionError"), ("import os; os._exit(7)", 7, ""),
        ("import atexit; atexit.register(print, 'bye')", 0, "bye"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT); input()", 130, "KeyboardInterrupt"),
        ("import os, time\nif not os.fork(): time.sleep(1); os._exit(0)", 0, ""),
    ],
)  # fmt: skip
def test_a_program_in_a_terminal_ends_as_it_does_alone(client, program, rest, status, seen):
    """Its status is that of its command, and what it says at the end is to be seen."""
    terminal = launch_in_terminal(client, program(f"print(input())\n{rest}\n"), b"typed\n")
    client.event("terminated")
    screen, found = terminal.close()
    assert found == status
    assert screen.count("typed") == 2  # as it was typed, and printed
    assert seen in screen
    assert "autograd_mini/debug" not in screen


@unix_only
@linux_only
@pytest.mark.parametrize("how", ["terminate", "disconnect", "vanish"])
def test_a_program_in_a_terminal_is_ended_with_what_it_has_started(client, program, how):
    """Ending the session, in words or by hanging up, ends a program in a terminal and all its child processes."""
    terminal = launch_in_terminal(client, program(f"input()\n{TWO_PROCESSES}"), b"\n")
    screen = b""
    while not (numbers := re.search(rb"(\d+) (\d+)\r\n", screen)):
        screen += os.read(terminal.fd, 100)
    if how == "vanish":
        client.connection.shutdown(socket.SHUT_RDWR)
    else:
        client.send(how)
        client.event("terminated")
    wait_until_gone(*map(int, numbers.groups()))
    terminal.close()


@unix_only
def test_control_c_ends_a_program_in_a_terminal_at_a_stop(client, program):
    """Ctrl-C in the terminal ends a stopped program as in a shell: `KeyboardInterrupt`, status 130."""
    terminal = launch_in_terminal(client, program(TRAINING))
    client.event("stopped")
    terminal.process.send_signal(signal.SIGINT)
    client.event("terminated")
    screen, status = terminal.close()
    assert (screen, status) == ("KeyboardInterrupt\n", 130)


@unix_only
def test_a_program_in_a_terminal_runs_again_with_another_number(client, program):
    """It runs in a terminal again, because it reads its input again."""
    terminal = launch_in_terminal(client, program("import autograd_mini as am\ninput()\n" + DECIDING), b"\n")
    client.event("stopped")
    client.send("setVariable", **leaf_value(client), value="8")
    another = Terminal(client, b"\n")
    client.event("stopped")
    assert client.value("w.value") == "8"
    client.send("terminate")
    client.event("terminated")
    assert [t.close()[1] for t in (terminal, another)] == [-signal.SIGKILL] * 2


def test_an_editor_that_opens_no_terminal_says_why(client, program):
    """And another launch can follow, also when it never answers and gives up."""
    client.ask("initialize", adapterID="test", supportsRunInTerminalRequest=True)
    path = program(ASKING)
    number = client.send("launch", program=path, console="integratedTerminal")
    request = client.until(lambda message: message["type"] == "request")
    reply = {"seq": next(client.numbers), "type": "response", "request_seq": request["seq"], "success": False}
    client.body(json.dumps({**reply, "command": "runInTerminal", "message": "no terminal here"}).encode())
    refusal = client.until(lambda message: message.get("request_seq") == number)
    assert "no terminal here" in refusal["message"]
    number = client.send("launch", program=path, console="externalTerminal")
    client.until(lambda message: message["type"] == "request")
    client.send("terminate")
    assert "ended before" in client.until(lambda message: message.get("request_seq") == number)["message"]
    assert client.ask("launch", program=program(CHAIN))["success"]


def test_without_terminals_the_program_runs_without_input(client, program):
    """The editor hears that there is no terminal, and the reason for the program's error."""
    client.launch(program(ASKING), console="integratedTerminal")
    assert client.event("exited") == {"exitCode": 1}
    client.event("terminated")
    assert "opens no terminals" in client.output("important")
    assert "EOFError" in client.output("stderr")


@pytest.mark.parametrize(
    "read",
    [
        "input()", "sys.stdin.read()", "sys.stdin.readline()", "next(sys.stdin, '')", "[*sys.stdin]",
        "sys.stdin.buffer.read()",
    ],
)  # fmt: skip
def test_a_program_that_finds_no_input_is_told_what_to_write(client, program, read):
    """Once, however it reads; and it does not wait."""
    text = f"""\
import sys
for _ in range(2):
    try:
        print(repr({read}))
    except EOFError:
        print("''")
print(sys.stdin.fileno(), sys.stdin.isatty())
"""
    client.launch(program(text))
    client.event("terminated")
    first, second, last = client.output("stdout").splitlines()
    assert first == second
    assert first in ("''", "[]", "b''")
    assert last == "0 False"
    assert client.output("console").count('"console": "integratedTerminal"') == 1


def test_who_does_not_read_input_is_told_nothing_of_it(client, program):
    """The hint about standard input appears only for programs that read it."""
    client.launch(program("print('done')"))
    client.event("terminated")
    assert "reads standard input" not in client.output("console")


# -- several calls of backward() ---------------------------------------------------------------------------------------

TRAINING = """\
import autograd_mini as am
w = am.Value(4.0)
for step in range(5):
    loss = w * w
    w.grad = 0.0
    loss.backward()
    w.data -= 0.25 * w.grad
print(w.data)
"""


DECIDING = TRAINING.replace("w * w", "w * w if w < 5.0 else 3.0 * w")


def calls(client):
    """The number of w at each stop, continuing from each."""
    found = []
    while (message := client.receive()) and message.get("event") != "terminated":
        if message.get("event") == "stopped":
            found.append(float(client.value("w.value")))
            client.go("continue")  # to the end of the sweep
            client.send("continue", threadId=1)
    return found


def test_it_stops_at_every_call(client, program):
    """Without further options each call of `backward()` stops the program, in order."""
    client.launch(program(TRAINING))
    assert calls(client) == [4.0, 2.0, 1.0, 0.5, 0.25]


def test_at_chooses_one_call(client, program):
    """With `at=3` only the third `backward()` stops; the others run through, and the program prints its result."""
    client.launch(program(TRAINING), at=3)
    assert calls(client) == [1.0]
    assert client.output("stdout") == "0.125\n"


@pytest.mark.parametrize(
    ("asked", "stops"),
    [
        ({}, [4.0, 2.0, 1.0, 0.5, 0.25]),
        ({"condition": "loss < 1"}, [0.5, 0.25]), ({"hitCondition": "% 2"}, [2.0, 0.5]),
        ({"hitCondition": "== 3"}, [1.0]), ({"logMessage": "loss {loss.value}"}, [4.0, 2.0, 1.0, 0.5, 0.25]),
    ],
)  # fmt: skip
def test_a_breakpoint_on_the_line_of_a_call_chooses_among_calls(client, program, asked, stops):
    """With a condition on the values, every so many times, or to print only."""
    path = program(TRAINING)
    client.ask("initialize", adapterID="test")
    client.ask("launch", program=path)
    response = client.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": 6, **asked}])
    assert response["body"]["breakpoints"][0]["verified"]
    client.ask("configurationDone")
    assert calls(client) == stops
    if "logMessage" in asked:
        assert client.output("console").splitlines() == ["loss 16", "loss 4", "loss 1", "loss 0.25", "loss 0.0625"]


def test_a_call_in_another_file_says_nothing_about_this_one(client, program, tmp_path):
    """Editors send the breakpoints of all files; a comment is not a call."""
    other = tmp_path / "other.py"
    other.write_text("# loss.backward()\nloss.backward()\n", encoding="utf-8")
    path = program(TRAINING)
    client.ask("initialize", adapterID="test")
    client.ask("launch", program=path)
    response = client.ask("setBreakpoints", source={"path": str(other)}, breakpoints=[{"line": 1}, {"line": 2}])
    assert [breakpoint["verified"] for breakpoint in response["body"]["breakpoints"]] == [False, True]
    client.ask("configurationDone")
    assert calls(client) == [4.0, 2.0, 1.0, 0.5, 0.25]


@pytest.mark.parametrize("line", [6, 7])
def test_a_call_may_stand_on_several_lines(client, program, line):
    """A breakpoint on any line of a call of `backward()` that spans several lines stops at it."""
    path = program(TRAINING.replace("backward()", "backward(\n        1.0)"))
    client.ask("initialize", adapterID="test")
    client.ask("launch", program=path)
    client.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": line, "hitCondition": "== 2"}])
    client.ask("configurationDone")
    assert calls(client) == [2.0]


def test_without_stop_on_entry_only_breakpoints_stop(client, program):
    """And their hits are counted from call to call."""
    path = program(TRAINING)
    client.ask("initialize", adapterID="test")
    client.ask("launch", program=path, stopOnEntry=False)
    client.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": 4, "hitCondition": "== 2"}])
    client.ask("configurationDone")
    assert client.event("stopped")["reason"] == "breakpoint"
    assert client.value("w.value") == "2"
    client.send("continue", threadId=1)
    client.event("terminated")
    assert client.output("stdout") == "0.125\n"


def test_without_debugging_it_just_runs(client, program):
    """With `noDebug` no call of `backward()` stops the program."""
    client.launch(program(TRAINING), noDebug=True)
    assert calls(client) == []


def test_pause_stops_at_the_next_call(client, program, tmp_path):
    """`pause` stops at the next `backward()` although `at` names another one."""
    asked = tmp_path / "asked"
    wait = f"import os, time\nprint('begun')\nwhile not os.path.exists({str(asked)!r}): time.sleep(0.01)\n"
    text = f"{wait}import autograd_mini as am\n{TRAINING}"
    client.launch(program(text), at=99)
    client.printed()
    assert client.ask("pause", threadId=1)["success"]
    asked.touch()
    assert client.event("stopped")["reason"] == "pause"


def test_a_value_is_set_where_it_stands(client, program):
    """Though the program has written it since; what came before stays, and the console says what the set does."""
    client.launch(program(TRAINING), at=2)
    client.event("stopped")
    client.go("setVariable", **leaf_value(client), value="8")
    assert client.value("w.value") == "8"
    assert "→ loss" in client.output("console")


def test_the_program_runs_again_where_only_it_can_tell(client, program):
    """At the same call and place, after the same steps of training; the editor hears why."""
    client.launch(program(DECIDING), at=2)
    client.event("stopped")
    assert client.value("w.value") == "2"
    client.go("stepIn")
    client.go("setVariable", **leaf_value(client), value="8")
    assert (client.value("w.value"), client.value("loss.value"), client.value("phase")) == ("8", "24", "backward")
    assert "w < 5.0 is False now, not True" in client.output("console")
    client.go("setVariable", **leaf_value(client), value="1")
    assert (client.value("w.value"), client.value("loss.value")) == ("1", "1")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_a_leaf_can_be_any_number(client, program, number):
    """Set a leaf to nan or an infinity, although JSON has no word for it."""
    client.launch(program(TRAINING))
    client.event("stopped")
    client.go("setVariable", **leaf_value(client), value=number if number != "nan" else "inf - inf")
    assert client.value("w.value") == repr(float(number))
    assert "the program has changed it" not in client.output("console")


def leaf_value(client):
    """What to send with `setVariable` to change the value of the first leaf."""
    scopes = client.ask("scopes", frameId=1)["body"]["scopes"]
    leaves = next(scope["variablesReference"] for scope in scopes if scope["name"] == "Leaves")
    row = client.ask("variables", variablesReference=leaves)["body"]["variables"][0]
    return {"variablesReference": row["variablesReference"], "name": "value"}


# -- places ------------------------------------------------------------------------------------------------------------

PLACES = """\
import autograd_mini as am
σ, 𝒙 = am.Value(0.5), am.Value(2.0)
"😀"; y = σ * 𝒙; "é"; z = am.exp(𝒙 + σ)
total = (y
    * z
    - σ)
f = lambda t: t * t
many = sum([f(v) for v in (y, z)])
exec("hidden = many * total")
hidden.backward()
"""


def marked(text, frame, one=1):
    """The text that a frame marks, counted in UTF-16 code units as editors do."""
    lines = [line.encode("utf-16-le") for line in text.splitlines()[frame["line"] - one : frame["endLine"] - one + 1]]
    lines[-1] = lines[-1][: 2 * (frame["endColumn"] - one)]
    lines[0] = lines[0][2 * (frame["column"] - one) :]
    return "\n".join(line.decode("utf-16-le") for line in lines)


@pytest.mark.parametrize("one", [1, 0])
def test_columns_are_utf16_and_exact(client, program, one):
    """With names beyond ASCII and the Basic Multilingual Plane, over several lines, in lambdas and comprehensions."""
    client.launch(program(PLACES), client={"linesStartAt1": one == 1, "columnsStartAt1": one == 1})
    client.event("stopped")
    found = []
    while True:
        stop = client.go("stepIn")
        if "the end" in stop["description"]:
            break
        top, *callers = client.frames()
        if "path" in top["source"]:
            found.append([marked(PLACES, frame, one) for frame in (top, *callers)])
    expected = [
        ["(y\n    * z\n    - σ)".strip("()")], ["y\n    * z"], ["sum([f(v) for v in (y, z)])"], ["t * t", "f(v)"],
        ["am.exp(𝒙 + σ)"], ["𝒙 + σ"], ["σ * 𝒙"],
    ]  # fmt: skip
    assert {*map(tuple, found)} == {*map(tuple, expected)}


def test_source_that_has_no_file_is_named_but_not_invented(client, program):
    """A frame of code made by `exec` carries its name and no path, and the editor shows it faintly."""
    client.launch(program(PLACES))
    client.event("stopped")
    (top, *_) = client.frames()
    assert top["source"] == {"name": "<string>", "presentationHint": "deemphasize"}


NOTEBOOK = """\
import linecache
import autograd_mini as am
text = "x = am.Value(3.0)\\ny = x * x\\n"
linecache.cache["<cell 1>"] = len(text), None, text.splitlines(True), "<cell 1>"
exec(compile(text, "<cell 1>", "exec"))
y.backward()
"""


def test_source_that_only_python_knows_is_sent(client, program):
    """As of notebooks; breakpoints can be set there too."""
    client.launch(program(NOTEBOOK))
    client.event("stopped")
    source = client.frames()[0]["source"]
    assert source == {"name": "<cell 1>", "sourceReference": 1}
    text = client.ask("source", source=source, sourceReference=1)["body"]["content"]
    assert text == "x = am.Value(3.0)\ny = x * x\n"
    response = client.ask("setBreakpoints", source=source, breakpoints=[{"line": 2}])
    assert response["body"]["breakpoints"][0]["verified"]
    assert source in client.ask("loadedSources")["body"]["sources"]


def test_frames_of_libraries_are_not_shown(client, program):
    """Neither of this package, nor of the standard library, nor of the debugger itself."""
    text = """\
import functools, operator
import autograd_mini as am
def product(*numbers):
    return functools.reduce(operator.mul, numbers)
out = product(am.Value(2.0), am.softmax([am.Value(3.0), am.Value(4.0)])[0])
out.backward()
"""
    path = program(text)
    client.launch(path)
    client.event("stopped")
    for _ in range(6):
        frames = client.frames()
        assert {frame["source"].get("path") for frame in frames} == {path}
        assert frames[-1]["line"] in (4, 5)
        client.go("stepIn")


def test_frames_come_in_pages(client, program):
    """`stackTrace` returns the frames asked for, says how many there are, and without limits returns them all."""
    text = """\
import autograd_mini as am
def down(x, n):
    return x * x if n == 0 else down(x, n - 1)
down(am.Value(2.0), 50).backward()
"""
    client.launch(program(text))
    client.event("stopped")
    body = client.ask("stackTrace", threadId=1, startFrame=10, levels=5)["body"]
    assert body["totalFrames"] == 52
    assert [frame["id"] for frame in body["stackFrames"]] == [11, 12, 13, 14, 15]
    assert len(client.frames()) == 52


def test_utf16_counts_code_units(tmp_path):
    """The number of code units before a byte, for every boundary between characters."""
    text = "aé𝒙😀\tσ = 1"
    path = tmp_path / "text.py"
    path.write_text(text, encoding="utf-8")
    for length in range(len(text) + 1):
        head = text[:length]
        assert utf16(str(path), 1, len(head.encode())) == sum(2 if ord(c) > 0xFFFF else 1 for c in head)
    assert utf16("<nowhere>", 1, 7) == 7


# -- in this process ---------------------------------------------------------------------------------------------------


SECRET = "0123456789abcdef"


@pytest.fixture
def secret(monkeypatch):
    """A token that is chosen, not drawn."""
    monkeypatch.setenv("AUTOGRAD_MINI_DAP_TOKEN", SECRET)


def waiting(v):
    """A connection to `debug.serve(v)`, which waits in a thread; that thread, and the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    serving = threading.Thread(target=debug.serve, args=(v, port), daemon=True)
    serving.start()
    end = time.monotonic() + PATIENCE
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)
    return connection, serving, port


def attached(v):
    """A client attached to `debug.serve(v)`, which waits in a thread; that thread."""
    connection, serving, _ = waiting(v)
    client = connected(connection)
    client.ask("initialize", adapterID="test")
    assert client.ask("attach", token=SECRET)["success"]
    client.ask("configurationDone")
    assert client.event("stopped")["reason"] == "entry"
    return client, serving


@pytest.mark.parametrize("leave", ["continue", "disconnect", "vanish"])
def test_serve_lets_an_editor_step_through_a_value(secret, leave):
    """The program waits meanwhile, and goes on afterwards, however the editor goes."""
    x = Value(3.0, name="x")
    client, serving = attached(x * x)
    assert client.value("x") == "3, grad not yet"
    client.go("continue")
    assert client.value("x.grad") == "6"
    assert x.grad is None or x.grad == 0.0
    assert serving.is_alive()
    if leave == "continue":
        client.ask("continue", threadId=1)
        client.event("terminated")
        assert client.ask("disconnect")["success"]
    elif leave == "disconnect":
        client.send("disconnect")
    else:
        client.connection.shutdown(socket.SHUT_RDWR)
    serving.join(PATIENCE)
    assert not serving.is_alive()
    hang_up(client)


def test_serve_cannot_run_the_program_again(secret):
    """Because the program runs once: a served trace refuses to restart, and says where it may be another program's."""
    with provenance():
        x = Value(3.0, name="x")
        y = x * 2.0 if x > 2.0 else x
    client, serving = attached(y)
    assert "runs once" in client.refused("restart")
    client.go("setVariable", **leaf_value(client), value="2.5")
    assert (client.value("x.value"), client.value("#1.value")) == ("2.5", "5")
    assert "stand for" not in client.output("console")
    client.go("setVariable", **leaf_value(client), value="1")
    assert client.value("x").startswith("1, grad not yet")
    assert "x > 2.0 is False now, not True\nThese numbers hold" in client.output("console").replace("   ", "")
    assert x.data == 3.0
    client.send("disconnect")
    serving.join(PATIENCE)
    hang_up(client)


def test_a_port_that_is_taken_is_an_error_in_words():
    """`debug.serve` on a port in use raises an ArgumentError that names the port."""
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(ArgumentError, match="listen on port"):
        debug.serve(Value(1.0), server.getsockname()[1])


def test_only_this_machine_is_listened_to():
    """The adapter listens on 127.0.0.1, never on every address of the machine."""
    with listening("--port", "0") as (port, _):
        listeners = (
            Path("/proc/net/tcp").read_text(encoding="utf-8")
            if Path("/proc/net/tcp").exists()
            else f"0100007F:{port:04X}"
        )
        assert f"0100007F:{port:04X}" in listeners
        assert f"00000000:{port:04X}" not in listeners


# -- on a port: who may have what done ---------------------------------------------------------------------------------


class door:  # noqa: N801  # a context manager is used like a function
    """A port served by a thread of ours, which gives its number and the token."""

    def __init__(self, given=None):
        self.given, self.is_over = given or {}, threading.Event()

    def __enter__(self):
        output = io.StringIO()
        with contextlib.redirect_stderr(output):
            self.port = _Port(0, self.given)
        self.serving = threading.Thread(target=self.port.serve, args=(self.is_over.is_set,))
        self.serving.start()
        self.printed = output.getvalue()
        configuration = json.loads(self.printed.splitlines()[1])
        return configuration["debugServer"], configuration["token"]

    def __exit__(self, *error):
        self.is_over.set()
        self.serving.join(PATIENCE)
        self.port.close()
        assert not self.serving.is_alive()


@contextlib.contextmanager
def guest(port):
    client = connected(socket.create_connection(("127.0.0.1", port)))
    yield client
    hang_up(client)


IMPOSTOR = """\
import encodings.idna, json, os, socket, sys  # the other user may not read the library
port, target, witness, *who = sys.argv[1:]
if who:
    os.setgroups([]), os.setgid(int(who[0])), os.setuid(int(who[0]))
requests = [("initialize", {"adapterID": "x"})]
for token in ({}, *({"token": guess} for guess in ("", "0" * 32, None, 7, ["x"], "\\ud800"))):
    for command in ("launch", "attach"):
        shell = {"program": target, "python": ["/bin/sh", "-c", f"id > {witness}"], **token}
        requests.append((command, shell))
        requests.append((command, {**shell, "program": "/nowhere/at/all"}))
    requests += [("restart", {"arguments": shell}), ("configurationDone", {}), ("evaluate", {"expression": "1"})]
    requests += [("setVariable", {"variablesReference": 1, "name": "x", "value": "1"}), ("runInTerminal", {})]
with socket.create_connection(("127.0.0.1", int(port))) as connection:
    for number, (command, arguments) in enumerate(requests, 1):
        body = json.dumps({"seq": number, "type": "request", "command": command, "arguments": arguments}).encode()
        connection.sendall(b"Content-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    stream = connection.makefile("rb")
    for _ in requests:
        length = int(stream.readline().split(b":")[1])
        stream.readline()
        print(stream.read(length).decode())
"""


@pytest.mark.parametrize("names_program", [False, True], ids=["launch", "attach"])
def test_who_does_not_know_the_token_has_nothing_done(program, tmp_path, names_program):
    """Another user of this machine can connect: nothing runs, no file is looked for, and all is refused in words."""
    impostor, target, witness = program(IMPOSTOR, "impostor.py"), program(CHAIN), tmp_path / "ran"
    tmp_path.chmod(0o777)
    who = ["65534"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with listening("--port", "0", *([target] if names_program else [])) as (port, token):
        assert re.fullmatch("[0-9a-f]{32}", token)
        with open(impostor, encoding="utf-8") as text:  # it can perhaps not read that file
            command = [sys.executable, "-", str(port), target, str(witness), *who]
            done = subprocess.run(command, stdin=text, capture_output=True, encoding="utf-8", timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        introduction, *answers = map(json.loads, done.stdout.splitlines())
        assert introduction["success"]
        for answer in answers:
            check_message(answer) if answer["command"] != "runInTerminal" else None
            assert not answer["success"]
            error = answer["body"]["error"]
            if answer["command"] in ("launch", "attach"):
                assert re.search("The token is (missing|wrong)", error["format"])
                assert error["showUser"]
        assert not witness.exists()
        with guest(port) as client:  # and who knows it is served
            client.ask("initialize", adapterID="test")
            request = {} if names_program else {"program": target}
            assert client.ask("attach" if names_program else "launch", token=token, **request)["success"]
            client.ask("configurationDone")
            client.event("stopped")


def test_the_token_can_be_chosen_and_is_then_not_printed(secret):
    """By the environment, which an editor that starts the adapter knows too; the program does not see it."""
    place = door()
    with place as (port, printed), guest(port) as client:
        assert SECRET not in place.printed
        assert printed == "${env:AUTOGRAD_MINI_DAP_TOKEN}"  # VS Code reads this
        client.ask("initialize", adapterID="test")
        assert "wrong" in client.refused("launch", program=__file__, token=printed)
        assert "no file" in client.refused("launch", program="/nowhere", token=SECRET)


def test_what_is_printed_stops_also_where_another_debugger_completes_it(program):
    """VS Code has its own debugger complete a configuration of type "node", and that does not stop on entry."""
    place = door()
    with place as (port, token), guest(port) as client:
        printed = json.loads(place.printed.splitlines()[1])
        node = {"stopOnEntry": False, "console": "internalConsole", "args": [], "env": {}}
        options = {**node, **printed, "token": token}
        client.launch(program(CHAIN), **{name: options[name] for name in options if name != "program"})
        client.event("stopped")


def test_a_silent_connection_keeps_nobody_waiting(program):
    """Neither half a header, nor half a body, nor many of them block others; several editors are served in parallel."""
    path = program(CHAIN)
    with door() as (port, token), contextlib.ExitStack() as stack:
        for data in [b"", b"Content-Le", b"Content-Length: 100\r\n\r\n{", b"GET / HTTP/1.1\r\n"] * 5:
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            silent.sendall(data)
        clients = [stack.enter_context(guest(port)) for _ in range(2)]
        for client in clients:
            client.launch(path, token=token)
        for client in clients:
            client.event("stopped")
            assert client.value("out") == "-5, grad not yet"


@pytest.mark.parametrize("drip", [False, True])
def test_who_does_not_launch_in_time_is_sent_away(monkeypatch, program, drip):
    """However often it sends something; a client that has launched may take its time."""
    monkeypatch.setattr(dap, "_PATIENCE", 0.5)
    with door() as (port, token), guest(port) as client:
        client.launch(program(CHAIN), token=token)
        client.event("stopped")
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.settimeout(PATIENCE if not drip else 0.05)
            with contextlib.suppress(ConnectionError):
                while True:
                    try:
                        assert silent.recv(1) == b""
                        break
                    except TimeoutError:
                        silent.sendall(b"a")
        assert client.value("out") == "-5, grad not yet"


def test_no_more_strangers_are_let_in_than_can_be_watched(monkeypatch, program):
    """A client that has launched does not count as one."""
    monkeypatch.setattr(dap, "_STRANGERS", 2)
    path = program(CHAIN)
    with door() as (port, token), contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(guest(port)).launch(path, token=token)
        for _ in range(2):
            assert stack.enter_context(guest(port)).ask("initialize", adapterID="test")["success"]
        with socket.create_connection(("127.0.0.1", port)) as another:
            another.settimeout(PATIENCE)
            assert another.recv(1) == b""


def test_before_the_token_messages_are_short(program):
    """A stranger must not fill the memory; after it they may be as long as elsewhere."""
    with door() as (port, token):
        with guest(port) as client:
            client.raw(b"Content-Length: %d\r\n\r\n" % (1 << 24))
            (complaint,) = client.rest()
            assert "Content-Length" in complaint["body"]["output"]
        with guest(port) as client:
            client.launch(program(CHAIN), token=token)
            client.event("stopped")
            assert "too long" in client.refused("evaluate", expression="1" * (1 << 22))


def test_what_is_no_message_ends_its_connection_alone(program):
    """Bytes that are not the protocol's close their own connection; the next client is served as usual."""
    with door() as (port, token):
        for data in [b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"Content-Length: -1\r\n\r\n", b"\x00" * 10_000]:
            with guest(port) as client:
                client.raw(data)
                assert all(message["event"] == "output" for message in client.rest())
        with guest(port) as client:
            client.launch(program(CHAIN), token=token)
            client.event("stopped")


@pytest.mark.skipif(os.name != "posix", reason="shells of Unix")
@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_without_standard_streams_it_says_so(closed):
    """Or ends, as without an editor."""
    shell = f'"{sys.executable}" -m autograd_mini dap {closed}'
    done = subprocess.run(
        ["sh", "-c", shell], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=PATIENCE
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "is closed" in done.stderr


@linux_only
def test_a_port_that_is_closed_leaves_nothing_behind(program):
    """Neither the programs of its editors, nor what those have started."""
    path = program(TWO_PROCESSES)
    with listening("--port", "0") as (port, token):
        clients = [connected(socket.create_connection(("127.0.0.1", port))) for _ in range(2)]
        processes = []
        for client in clients:
            client.launch(path, token=token)
            processes += map(int, client.printed().split())
    wait_until_gone(*processes)
    for client in clients:
        hang_up(client)


def test_serve_waits_for_the_one_who_knows_the_token(secret):
    """The first to connect does not count without the token; a second editor hears that there is another already."""
    x = Value(3.0, name="x")
    connection, serving, port = waiting(x * x)
    silent = socket.create_connection(("127.0.0.1", port))
    impostor = connected(connection)
    impostor.ask("initialize", adapterID="test")
    assert "missing" in impostor.refused("attach")
    assert "wrong" in impostor.refused("attach", token=f"{SECRET}0")
    with guest(port) as client:
        client.ask("initialize", adapterID="test")
        assert client.ask("attach", token=SECRET)["success"]
        assert "already" in impostor.refused("attach", token=SECRET)
        client.ask("configurationDone")
        client.event("stopped")
        assert client.value("x") == "3, grad not yet"
        client.send("disconnect")
        serving.join(PATIENCE)
        assert not serving.is_alive()
    silent.close()
    hang_up(impostor)


# -- the command -------------------------------------------------------------------------------------------------------


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "autograd_mini", "dap", *arguments],
        capture_output=True, encoding="utf-8", timeout=PATIENCE, stdin=subprocess.DEVNULL, **options,
    )  # fmt: skip


def test_a_program_without_a_port_is_an_error_in_words(program):
    """A script without `--port` ends with status 1 and a sentence that names the option."""
    done = command(program(CHAIN))
    assert (done.returncode, done.stdout) == (1, "")
    assert "--port" in done.stderr


def test_without_an_editor_it_ends_at_once():
    """With an empty standard input the adapter ends immediately with status 0 and prints nothing."""
    done = command()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_extension_is_installed_in_place_of_an_older_one(tmp_path):
    """It joins the list that the editor keeps, and leaves the list of removed ones."""
    old = tmp_path / "autograd-mini.backprop-0.0.1"
    old.mkdir()
    other = {"identifier": {"id": "ms-python.python"}, "version": "1"}
    ours = {"identifier": {"id": "autograd-mini.backprop"}, "version": "0.0.1"}
    (tmp_path / "extensions.json").write_text(json.dumps([other, ours]), encoding="utf-8")
    (tmp_path / ".obsolete").write_text(
        json.dumps({"autograd-mini.backprop-0.2.0": True, "other-1": True}), encoding="utf-8"
    )
    done = command("--install-vscode", "--extensions-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (target,) = tmp_path.glob("autograd-mini.backprop-*")
    assert str(target) in done.stdout
    assert json.loads((target / "package.json").read_bytes())["interpreter"] == sys.executable
    assert {path.name for path in target.iterdir()} == {path.name for path in EXTENSION.iterdir()}
    listed = json.loads((tmp_path / "extensions.json").read_text(encoding="utf-8"))
    assert listed[0] == other
    assert [entry["relativeLocation"] for entry in listed[1:]] == [target.name]
    assert json.loads((tmp_path / ".obsolete").read_text(encoding="utf-8")) == {"other-1": True}


OURS = "autograd-mini.backprop"
REGISTERS = {  # by name: a text, the part of it that stays, and whether it goes on after the extension's entry
    "compact": '[{"identifier":{"id":"ms-python.python"},"location":{"path":"/c:/Users/Jürgen/x"}}]',
    "odd": '[7,null,"x",{},{"identifier":"y"},{"identifier":{"id":null}},[],1e400,{"a":1,"a":2},"\\ud800",1.50]',
    "spaced": '[\n  {"identifier": {"id": "ü"}},\n  {"identifier": {"id": "数"} , "n": 1.0}\n]\n',
    "empty": "[ ]", "ours only": f'[{{"identifier":{{"id":"{OURS.upper()}"}}}}]',
    "ours between": f'["a", {{"identifier":{{"id":"{OURS}"}},"version":"0.0.1"}}, "b"]',
}  # fmt: skip


@pytest.mark.parametrize("name", REGISTERS)
def test_the_list_of_all_extensions_keeps_what_it_says_of_others(tmp_path, name):
    """To the byte, in its order, whatever the locale; and it is JSON, with one entry of ours at its end."""
    register = tmp_path / "extensions.json"
    register.write_bytes(REGISTERS[name].encode())
    locale = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = command("--install-vscode", "--extensions-dir", str(tmp_path), env=locale)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(REGISTERS[name]), json.loads(register.read_bytes())
    is_ours = [isinstance(entry, dict) and OURS in str(entry.get("identifier")).lower() for entry in before]
    assert after[:-1] == [entry for entry, ours in zip(before, is_ours, strict=True) if not ours]
    assert after[-1]["identifier"] == {"id": OURS}
    assert after[-1]["location"]["path"] == (tmp_path / after[-1]["relativeLocation"]).as_posix()
    if not any(is_ours):
        text = REGISTERS[name].rstrip().removesuffix("]").rstrip()
        assert register.read_bytes().startswith(text.encode())
    once = register.read_bytes()
    install(tmp_path)
    assert register.read_bytes() == once


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("extensions.json", b"[{"), ("extensions.json", b"{}"), ("extensions.json", b'["\xfc"]'),
        ("extensions.json", b"[NaN]"), ("extensions.json", b"[" * 100_000), (".obsolete", b"[]"), (".obsolete", b"{"),
        (".obsolete", b"null"), ("extensions.json", b"\xef\xbb\xbf[]"),
    ],
)  # fmt: skip
def test_a_list_that_is_broken_is_left_as_it_is(tmp_path, file, text):
    """One sentence says so, and nothing is installed, nothing removed."""
    (tmp_path / f"{OURS}-0.0.1").mkdir()
    (tmp_path / file).write_bytes(text)
    before = sorted(tmp_path.rglob("*"))
    done = command("--install-vscode", "--extensions-dir", str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(f"{re.escape(file)}.* was not changed", done.stderr)
    assert (tmp_path / file).read_bytes() == text
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("full_at", range(1, 6))
@pytest.mark.parametrize("old", ["0.0.1", version("autograd-mini")])
def test_a_disk_that_is_full_leaves_the_old_version(tmp_path, monkeypatch, full_at, old):
    """Wherever it becomes full: in the extension, in either list."""
    (tmp_path / f"{OURS}-{old}").mkdir()
    (tmp_path / f"{OURS}-{old}" / "package.json").write_text("old", encoding="utf-8")
    (tmp_path / "extensions.json").write_text(REGISTERS["ours between"], encoding="utf-8")
    (tmp_path / ".obsolete").write_text(f'{{"{OURS}-0.0.2":true}}', encoding="utf-8")

    def contents():
        return {path: path.is_file() and path.read_bytes() for path in sorted(tmp_path.rglob("*"))}

    writes = itertools.count(1)

    def fsync(handle):
        if next(writes) == full_at:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    before = contents()
    if full_at == 5:  # there are four files
        install(tmp_path)
        assert len(before) != len(contents()) or before != contents()
        return
    with pytest.raises(OSError, match="No space left"):
        install(tmp_path)
    after = contents()
    del before[tmp_path / ".obsolete"], after[tmp_path / ".obsolete"]  # it may have been first, which does no harm
    assert after == before


def test_another_extension_whose_name_begins_alike_is_left_alone(tmp_path):
    """Folders, links, and what is to be removed."""
    for name in ("extra-1.0.0", "1", "next"):
        (tmp_path / f"{OURS}-{name}").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    (tmp_path / f"{OURS}-0.0.1").symlink_to(tmp_path / "mine")
    (tmp_path / ".obsolete").write_text(f'{{"{OURS}-extra-1.0.0": true, "{OURS}-0.1.0": true}}', encoding="utf-8")
    (target,) = install(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{OURS}-extra-1.0.0", f"{OURS}-1", f"{OURS}-next", "mine", ".obsolete", target.name}
    assert (tmp_path / "mine" / "file").exists()
    assert json.loads((tmp_path / ".obsolete").read_bytes()) == {f"{OURS}-extra-1.0.0": True}


def in_host(extension, answers, **environment):
    """What the extension says when VS Code asks it."""
    found = subprocess.run(
        ["node", str(EDITORS / "host.js"), str(extension), json.dumps(answers)], check=True, capture_output=True,
        encoding="utf-8", timeout=PATIENCE, env={**os.environ, **environment},
    )  # fmt: skip
    return json.loads(found.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is missing")
@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ({}, {"type": "autograd-mini", "request": "launch", "name": "Step through backprop", "program": "${file}"}),
        ({"type": "autograd-mini", "console": "internalConsole"}, {}),
        ({"type": "autograd-mini", "console": "integratedTerminal"}, {"internalConsoleOptions": "neverOpen"}),
        ({"type": "autograd-mini", "console": "externalTerminal"}, {"internalConsoleOptions": "neverOpen"}),
        (
            {"type": "autograd-mini", "console": "integratedTerminal", "internalConsoleOptions": "openOnSessionStart"},
            {},
        ),
    ],
)
def test_the_console_of_the_debugger_does_not_hide_the_terminal(given, becomes):
    """The terminal that waits for input is to be seen, unless the user wants otherwise; F5 alone launches the file."""
    assert in_host(EXTENSION, {"resolve": given}) == {**becomes, **given}


@pytest.mark.skipif(shutil.which("node") is None, reason="node is missing")
@unix_only
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, [sys.executable]),  # the interpreter that has installed the extension
        ({"chosen": None}, [sys.executable]),  # the Python extension is there, and nothing is chosen in it
        ({"chosen": [sys.executable, "-B"]}, [sys.executable, "-B"]),
        ({"setting": sys.executable, "chosen": ["/nowhere"]}, [sys.executable]),
        ({"configuration": {"python": [sys.executable, "-B"]}, "setting": "/nowhere"}, [sys.executable, "-B"]),
        ({"configuration": {"python": "~/python", "cwd": "~"}}, ["~/python"]),
        (
            {"setting": "/nowhere/python"},
            "There is no such interpreter: /nowhere/python. Choose another in the setting autograd-mini.python",
        ),
        ({"gone": True}, "There is no such interpreter: /nowhere/old/python"),
        (
            {"configuration": {"python": "false"}},
            'autograd-mini is not installed there: false. Choose another in "python" of the configuration',
        ),
        ({"configuration": {"cwd": "/nowhere"}}, [sys.executable]),  # the adapter complains
    ],
)
def test_the_extension_finds_an_interpreter(tmp_path, answers, expected):
    """The configuration's, the setting's, the chosen one, that which has installed it; what is gone is said to be."""
    (target,) = install(tmp_path)
    if answers.get("gone"):
        manifest = json.loads((target / "package.json").read_bytes())
        (target / "package.json").write_text(
            json.dumps({**manifest, "interpreter": "/nowhere/old/python"}), encoding="utf-8"
        )
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    descriptor = in_host(target, answers, HOME=str(tmp_path))
    if isinstance(expected, str):
        assert descriptor.startswith(expected)
        return
    expected = [word.replace("~", str(tmp_path)) for word in expected]
    assert [descriptor["command"], *descriptor["args"]] == [*expected, "-m", "autograd_mini", "dap"]


def test_editors_are_found_at_home(tmp_path, monkeypatch):
    """`install` puts the extension into every editor's folder at home; without one it raises an error in words."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(ArgumentError, match="No editor was found"):
        install()
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode-server").mkdir()
    assert [path.parent.parent.name for path in install()] == [".vscode", ".vscode-server"]
    with pytest.raises(ArgumentError, match="no folder"):
        install(tmp_path / "nowhere")


def test_the_extension_names_the_options_that_the_adapter_reads():
    """And every option of its configuration is documented."""
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    (debugger,) = manifest["contributes"]["debuggers"]
    options = debugger["configurationAttributes"]["launch"]["properties"]
    assert set(options) == {"program", "args", "cwd", "env", "at", "stopOnEntry", "console", "python", "token"}
    assert all(option["description"] for option in options.values())
    assert debugger["type"] in manifest["activationEvents"][0]
    if shutil.which("node"):
        subprocess.run(["node", "--check", str(EXTENSION / "extension.js")], check=True, timeout=PATIENCE)


def test_the_extension_has_the_version_of_the_package():
    """The extension's manifest carries the version of the installed package."""
    manifest = json.loads((files("autograd_mini.debug") / "vscode" / "package.json").read_text(encoding="utf-8"))
    assert manifest["version"] == version("autograd-mini")


def test_a_contribution_says_its_rule():
    """Among the variables of a step stands the local derivative as a formula, with its numbers."""
    from autograd_mini.debug.dap.views import Variables
    from autograd_mini.debug.wording import Wording

    a, b = Value(3.0, name="a"), Value(1.5, name="b")
    trace = debug.trace(a / b)
    trace.seek(len(trace) - 1)
    variables = Variables(Wording(trace))
    chain = variables.rows(variables.scopes()[0]["variablesReference"])
    rules = [
        row["value"] for step in chain for row in variables.rows(step["variablesReference"]) if row["name"] == "rule"
    ]
    assert rules == ["∂(a / b)/∂a = 1 / b = 1 / 1.5 = 0.6667", "∂(a / b)/∂b = −a / b² = −3 / 1.5² = -1.333"]
