"""Running your program under a debugger: it stops at `backward()`, and can run again with other leaves.

Not here: stops (`terminal`, `pages`, `dap`), and how to run a file (`script`). Read next: `debug.quiz`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.notation.namespaces import Namespace, namespaces
from autograd_mini.program.owner import is_of_library, user_site
from autograd_mini.program.source import Site
from autograd_mini.script import ScriptError, path_and_name, run, value_called
from autograd_mini.watch import hooked, observing


class Quit(BaseException):
    """Ends the program at a stop; the program's `except Exception` does not catch it."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of `backward()`, before it does anything."""

    number: int  # in the run, from 1
    root: Value
    seed: float
    site: Site | None  # where in the program
    leaves: Sequence[Value] = field(default=(), repr=False)  # made so far in the run, which allows repeating it
    spaces: Sequence[Namespace] = field(default=(), repr=False)  # the program's variables, innermost function first

    def trace(self) -> Trace:
        """Return the trace of this call, positioned where the sweep begins."""
        trace = Trace(self.root, self.seed, self.spaces)
        trace.seek(trace.start)
        return trace

    def leaf_number(self, leaf: Value) -> int:
        """Return the number of a leaf in the run, from 0, as `debug_program` counts; -1 for any other node."""
        return next((i for i, made in enumerate(self.leaves) if made is leaf), -1)


def debug_program(
    program: str,
    arguments: Sequence[str],
    stop: Callable[[Call], None],
    numbers: Mapping[int, float] | None = None,
    module: bool = False,
) -> int:
    """Run a program, call a function before each `backward()`, and return the number of calls.

    Args:
        program: a Python file, or the name of a module. With ":" and the name of a global variable after it, the
            program runs to its end, and `stop` is called once, as if for `backward()` on that variable.
        arguments: the program's `sys.argv[1:]`.
        stop: the function to call; it may raise `Quit`. Any other error ends the program and is raised here.
        numbers: new data of leaves, by their number in the order in which the program makes them.
        module: True if the program is the name of a module, as after `python -m`.

    Raises:
        ArgumentError: there is no such file or variable, or it is not a `Value`.
        ScriptError: the program raises an error, or ends with an exit status other than 0.
    """
    path, name = path_and_name(program, module)
    leaves: list[Value] = []
    count, process = 0, os.getpid()
    failure: Exception | None = None

    def remember_leaf(node: Value) -> None:
        if node.op is None:
            if numbers and len(leaves) in numbers:
                node.data = numbers[len(leaves)]
            leaves.append(node)

    def stopped(root: Value, seed: float) -> None:
        nonlocal count, failure
        if os.getpid() != process:  # in a fork, as with multiprocessing: you cannot talk to two debuggers at once
            return
        count += 1
        site = user_site()
        site = None if site is None or is_of_library(site) else site
        try:
            with hooked(at_backward=None):
                stop(Call(count, root, seed, site, leaves, namespaces(sys._getframe(1))))
        except Exception as error:  # ours; the program might catch it
            failure = error
            raise Quit from None

    try:
        with hooked(at_backward=None if name else stopped), observing(remember_leaf):
            variables = run(path, arguments, calls=True, module=module)
    except Quit:
        name = ""
    except ScriptError:
        if failure is None:  # otherwise it is the program's reaction to our error
            raise
    if failure is not None:
        raise failure
    if name:
        with suppress(Quit):
            stop(Call(1, value_called(name, variables, path), 1.0, None, leaves, (variables,)))
        return 1
    return count
