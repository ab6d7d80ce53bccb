"""Running the user's program under a debugger: it stops at `backward()`, and may be run again with other leaves.

Not here: what happens at a stop (that is a window: `terminal`, `pages`, `dap`). Read next: `script`, which runs files.
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
    """Raised at a stop to end the program; no `except Exception` of the program catches it."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of `backward()`, just before it does anything.

    Attributes:
        number: which one it is in the run, from 1.
        root: the value it was called on.
        seed: its seed.
        site: where in the program.
        leaves: the leaves made in the run so far, by which a run can be repeated with other numbers.
        spaces: the variables of the program, the innermost function's first.
    """

    number: int
    root: Value
    seed: float
    site: Site | None
    leaves: Sequence[Value] = field(default=(), repr=False)
    spaces: Sequence[Namespace] = field(default=(), repr=False)

    def trace(self) -> Trace:
        """The trace of this call, at the moment when the sweep begins."""
        trace = Trace(self.root, self.seed, self.spaces)
        trace.seek(trace.start)
        return trace

    def leaf_number(self, leaf: Value) -> int:
        """Which of the leaves that the program made this is, from 0: its number in `debug_program`; -1 if none."""
        return next((i for i, made in enumerate(self.leaves) if made is leaf), -1)


def debug_program(
    program: str,
    arguments: Sequence[str],
    stop: Callable[[Call], None],
    numbers: Mapping[int, float] | None = None,
    module: bool = False,
) -> int:
    """Run a program and call a function whenever it calls `backward()`, before that does anything.

    Args:
        program: the path of a Python file; after it may stand ":" and the name of a global variable: then the program
            runs to its end, and the function is called once, as if it called `backward()` on that.
        arguments: what the program finds in `sys.argv[1:]`.
        stop: what to do; it may raise `Quit`. What else it raises ends the program too, and comes out of here.
        numbers: the data that leaves are to have instead of their own, by their number in the order of making.
        module: whether the program is the name of a module, as after `python -m`.

    Returns:
        how many calls of `backward()` there were.

    Raises:
        ArgumentError: there is no such file or variable, or it is no `Value`.
        ScriptError: the program raises an error, or ends with an exit status other than 0.
    """
    path, name = path_and_name(program, module)
    leaves: list[Value] = []
    changes = numbers or {}
    count, process = 0, os.getpid()
    failure: Exception | None = None

    def remember_leaf(node: Value) -> None:
        if node.op is None:
            if len(leaves) in changes:
                node.data = changes[len(leaves)]
            leaves.append(node)

    def stopped(root: Value, seed: float) -> None:
        nonlocal count, failure
        if os.getpid() != process:  # a fork, as of multiprocessing: nobody can talk to two debuggers at once
            return
        count += 1
        try:
            with hooked(at_backward=None):
                stop(Call(count, root, seed, _caller(), leaves, namespaces(sys._getframe(1))))
        except Quit:
            raise
        except Exception as error:  # ours, not the program's, which might catch it
            failure = error
            raise Quit from None

    try:
        with hooked(at_backward=None if name else stopped), observing(remember_leaf):
            variables = run(path, arguments, calls=True, module=module)
    except Quit:
        name = ""
    except ScriptError:
        if failure is None:  # else it is what the program made of the end
            raise
    if failure is not None:
        raise failure
    if name:
        with suppress(Quit):
            stop(Call(1, value_called(name, variables, path), 1.0, None, leaves, (variables,)))
        return 1
    return count


def _caller() -> Site | None:
    site = user_site()
    return None if site is None or is_of_library(site) else site
