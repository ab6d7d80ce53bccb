"""The debugger in a terminal: a session that steps through the backpropagation of a program or a value.

Not here: the commands (`commands`), and whose turn it is to read (`turns`). Read next: `debug.terminal.commands`.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_mini.debug.program import Again, Beginning, Call, Quit, debug_program
from autograd_mini.debug.terminal import turns
from autograd_mini.debug.terminal.calls import Calls, Goal, Visit
from autograd_mini.debug.terminal.commands import Shell
from autograd_mini.debug.terminal.quizzing import HOW, QuizShell
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import Wording, file_and_line, printable, some
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.notation.text import number
from autograd_mini.output.streams import abandon
from autograd_mini.script import ScriptError, path_and_name

_HOW = "n steps, rn steps back, help lists more."
_FEW = 4


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
    with turns.commands():
        session = (QuizShell if quiz else Shell)(commands)
        try:
            session.interact(trace, about)
        except BrokenPipeError:  # or the interpreter would complain again at exit
            abandon(session.stdout)
