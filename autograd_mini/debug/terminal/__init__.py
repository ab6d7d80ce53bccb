"""The debugger in a terminal: a session for a program or a value, and whose turn it is to read standard input.

At a terminal both program and debugger read what you type, in turns. In a pipe nothing tells commands from the
program's input, so there the program must not read. Not here: the commands. Read next: `debug.terminal.commands`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from autograd_mini.debug.program import Again, Beginning, Call, Quit, debug_program
from autograd_mini.debug.terminal.calls import Calls, Goal, Visit
from autograd_mini.debug.terminal.commands import HOW, QuizShell, Shell
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import Wording, file_and_line, some
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.notation.text import number
from autograd_mini.output.streams import WatchedInput, abandon, printable
from autograd_mini.program.owner import user_site
from autograd_mini.program.source import Site
from autograd_mini.script import ScriptError, SharedInputError, path_and_name

_TERMINAL = "CONIN$" if os.name == "nt" else "/dev/tty"


# The turns of the running program; `loss.debug()` inside it reads commands too.
_running: ContextVar[Turns | None] = ContextVar("running", default=None)


def _commands() -> AbstractContextManager[None]:
    """Let the debugger read commands, even inside a program that runs under the debugger."""
    turns = _running.get()
    return nullcontext() if turns is None else turns.debugger()


class Turns:
    """Standard input, which the program and the debugger share.

    `given` is the file that becomes the program's standard input. With "-" the program reads standard input itself, and
    commands come from the terminal. With None both come from the same place.
    """

    def __init__(self, given: str | None, commands: bool = True) -> None:
        self._refused: Site | None = None  # where the program read the debugger's input
        self._swapped: tuple[int, int] | None = None  # the files behind descriptor 0 for the program and for commands
        self.commands: Any = sys.stdin
        self._program: Any = sys.stdin
        if given == "-" and commands:
            try:
                terminal = os.open(_TERMINAL, os.O_RDWR)
            except OSError:
                raise ArgumentError("--input - needs a terminal to read commands from, and there is none.") from None
            self._swapped = os.dup(0), terminal
            self.commands = self._open()
        elif given not in (None, "-"):
            self._swapped = os.open(str(given), os.O_RDONLY), os.dup(0)
            self._program = self._open()
        elif given is None and commands and _is_descriptor_0(sys.stdin) and not sys.stdin.isatty():
            self._swapped = os.open(os.devnull, os.O_WRONLY), os.dup(0)
            self._program = io.TextIOWrapper(io.BufferedReader(WatchedInput(self._refuse)), encoding=sys.stdin.encoding)
            if isinstance(sys.stdin, io.TextIOWrapper):
                sys.stdin.reconfigure(errors="backslashreplace")

    def _refuse(self) -> None:
        self._refused = user_site()
        raise Quit

    def _open(self) -> io.TextIOWrapper:
        encoding = getattr(sys.stdin, "encoding", None) or "utf-8"
        return open(0, encoding=encoding, closefd=False)  # it stays until the end

    @contextmanager
    def program(self) -> Iterator[None]:
        """Give the program its own input; raise SharedInputError if it reads the debugger's."""
        before = sys.stdin
        self._give(0, self._program)
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)
            self._give(1, before)
        if (site := self._refused) is not None:
            raise SharedInputError(
                f"{printable(site.file)}, line {site.line}, reads standard input, which is where the debugger's "
                "commands come from. Type them at a terminal, or give the program its input with --input FILE."
            )

    @contextmanager
    def debugger(self) -> Iterator[None]:
        """Let the debugger read commands, even if the program has replaced `sys.stdin`."""
        before = sys.stdin
        self._give(1, self.commands)
        try:
            yield
        finally:
            self._give(0, before)

    def _give(self, whose: int, stream: Any) -> None:
        if self._swapped is not None:
            os.dup2(self._swapped[whose], 0)
        sys.stdin = stream


def _is_descriptor_0(stream: Any) -> bool:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return bool(stream.fileno() == 0)
    return False


_HOW = "n steps, rn steps back, help lists more."
_FEW = 4


def debug(
    program: str, arguments: Sequence[str] = (), at: int | None = None, module: bool = False, given: str | None = None,
    quiz: bool = False,
) -> None:  # fmt: skip
    """Run a program from the command line, and stop whenever it calls `backward()`, or only at call number `at`.

    `given` is the program's standard input, as `Turns` takes it. A quiz asks before it shows a step.
    """
    shared = Turns(given)
    with shared.debugger():  # the shell asks whether its input is a terminal
        shell = (QuizShell if quiz else Shell)(stdin=shared.commands)
    called = f"{'-m ' * module}{program}"

    shell.calls = calls = Calls()

    def show(visit: Visit) -> bool:
        call, again = visit.call, shell.again
        trace, shell.again = call.trace(), None
        if visit.position is not None:
            trace.seek(visit.position)
        where = f" at {file_and_line(call.site)}" if call.site is not None else ""
        past = f" of {calls.visits[-1].call.number} so far" * shell.is_past
        about = [f"backward(), call {call.number}{past}{where}. {HOW if quiz else _HOW}"]
        if again is not None:
            about = _news(again, call, trace) or [f"backward(), call {call.number}{where}"]
        return shell.interact(trace, "\n".join(about), call) and shell.again is None

    def stop(call: Call) -> None:
        visit = calls.add(call)
        goal = Goal("call", shell.again.call) if shell.again is not None else shell.goal
        if not (goal.is_met(visit) if goal is not None else at in (None, call.number)):
            return
        with shared.debugger():
            if not shell.travel(visit, show):
                raise Quit

    beginning, shell.repeats = Beginning(), given is None  # what it has read from a file, it cannot read again
    try:
        while True:
            asked, why = shell.again, ""
            calls.visits.clear()  # those of another run
            try:
                with shared.program():
                    count = debug_program(program, arguments, stop, asked.numbers if asked else None, module)
            except ScriptError as error:
                if asked is None or shell.again is not asked:
                    raise
                why = str(error)
            if asked is not None and shell.again is asked:  # it did not come that far
                shell.again = asked.undone()
                shell.say(*map(printable, why.splitlines()), "   so it does not get here: back to the numbers before")
            while shell.goal is not None and shell.again is None:  # it did not come
                calls.has_ended = True
                shell.say(f"{printable(called)} has ended after call {count}, without {shell.goal}.")
                with shared.debugger():
                    shell.travel(calls.visits[-1], show)
            if shell.again is None:
                break
            beginning.restore()
    except Quit:  # the program has ended already
        return
    if shell.quits:
        if shell.ran_out and not path_and_name(program, module)[1]:
            raise ArgumentError(
                f"The commands ended before {called} did. End them with q to leave it, or with enough c to finish it."
            )
        return
    if count == 0:
        raise ArgumentError(
            f"{called} never calls backward(). Call it on the value you want to differentiate, or name the value: "
            f"autograd-mini debug {called}:NAME. Other threads and processes are not followed."
        )
    if at is not None and count < at:
        raise ArgumentError(f"{called} calls backward() {counted(count, 'time')}, so there is no call {at}.")
    shell.say(f"{printable(called)} has ended.")  # to the session's output; the program may have replaced sys.stdout


def _news(again: Again, call: Call, trace: Trace) -> list[str]:
    """Go to the place in a trace where the program ran again, and return what is different there."""
    wording, change = Wording(trace), again.arrived(call, trace)
    lines = [wording.change(change, "said")] if change is not None else []
    others = [f"{wording.symbol(x)} is {number(trace.value(x))} now, and was {number(was)}"
              for x, was in again.moved(call, trace)]  # fmt: skip
    return [f"   {line}" for line in [*lines, *some(others, _FEW), *again.missing(call)]]


def shell(trace: Trace, commands: Sequence[str], quiz: bool = False) -> None:
    """Step through the backpropagation of an existing value."""
    trace.seek(trace.start)
    about = HOW if quiz else _HOW
    if not any(node.origin is not None for node in trace.journal.order):
        about += " Record inside `with autograd_mini.provenance(calls=True):` to see your lines."
    with _commands():
        session = (QuizShell if quiz else Shell)(commands)
        try:
            session.interact(trace, about)
        except BrokenPipeError:  # or the interpreter would complain again at exit
            abandon(session.stdout)
