"""The debugger in a terminal: a session that steps through the backpropagation of a program or a value.

Not here: the commands (`commands`), and whose turn it is to read (`turns`). Read next: `debug.terminal.commands`.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_mini.debug.program import Call, Quit, debug_program
from autograd_mini.debug.terminal import turns
from autograd_mini.debug.terminal.calls import Calls, Visit
from autograd_mini.debug.terminal.commands import Shell
from autograd_mini.debug.terminal.quizzing import HOW, QuizShell
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import file_and_line, printable
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.output.streams import abandon
from autograd_mini.script import path_and_name

_HOW = "n steps, rn steps back, help lists more."


def debug(
    program: str, arguments: Sequence[str] = (), at: int | None = None, module: bool = False, given: str | None = None,
    quiz: bool = False,
) -> None:  # fmt: skip
    """Run a program from the command line, and stop whenever it calls `backward()`, or only at call number `at`.

    `given` is the program's standard input, as `Turns` takes it. A quiz asks before it shows a step.
    """
    shared = turns.Turns(given)
    with shared.debugger():  # the shell asks whether its input is a terminal
        shell = (QuizShell if quiz else Shell)(stdin=shared.commands)
    called = f"{'-m ' * module}{program}"

    shell.calls = calls = Calls()

    def show(visit: Visit) -> bool:
        call = visit.call
        where = f" at {file_and_line(call.site)}" if call.site is not None else ""
        past = f" of {calls.visits[-1].call.number} so far" * shell.is_past
        trace = call.trace()
        if visit.position is not None:
            trace.seek(visit.position)
        return shell.interact(trace, f"backward(), call {call.number}{past}{where}. {HOW if quiz else _HOW}")

    def stop(call: Call) -> None:
        visit = calls.add(call)
        if not (shell.goal.is_met(visit) if shell.goal is not None else at in (None, call.number)):
            return
        with shared.debugger():
            if not shell.travel(visit, show):
                raise Quit

    try:
        with shared.program():
            count = debug_program(program, arguments, stop, module=module)
        while shell.goal is not None:  # it did not come
            missing = f"{printable(called)} has ended after call {count}, without {shell.goal}."
            with shared.debugger():
                shell.say(missing)
                if not shell.travel(calls.visits[-1], show):
                    raise Quit
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


def shell(trace: Trace, commands: Sequence[str], quiz: bool = False) -> None:
    """Step through the backpropagation of an existing value."""
    trace.seek(trace.start)
    about = HOW if quiz else _HOW
    if not any(node.origin is not None for node in trace.journal.order):
        about += " Record inside `with autograd_mini.provenance(calls=True):` to see your lines."
    with turns.commands():
        session = (QuizShell if quiz else Shell)(commands)
        try:
            session.interact(trace, about)
        except BrokenPipeError:  # or the interpreter would complain again at exit
            abandon(session.stdout)
