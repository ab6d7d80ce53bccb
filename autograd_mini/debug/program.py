"""Running your program under a debugger: it stops at `backward()`, and can run again with other leaves.

Not here: stops (`terminal`, `pages`, `dap`), and how to run a file (`script`). Read next: `debug.accesses`.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from autograd_mini.debug.accesses import Accesses
from autograd_mini.debug.timeline.touched import Change, Touched, same_place
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.namespaces import Namespace, namespaces
from autograd_mini.program.owner import is_library, is_of_library, user_site
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
    accesses: Accesses | None = field(default=None, repr=False)  # of the run so far, which allows repeating it
    spaces: Sequence[Namespace] = field(default=(), repr=False)  # the program's variables, innermost function first

    def trace(self) -> Trace:
        """Return the trace of this call, positioned where the sweep begins."""
        trace = Trace(self.root, self.seed, self.spaces)
        trace.seek(trace.start)
        return trace


class Again(NamedTuple):
    """Another run of the program: which numbers to put in place of its own, and where to stop."""

    numbers: dict[str, float]  # by the keys of leaves
    call: int  # of backward()
    trace: Trace  # of the run before, at the place to stop at
    recorded: dict[str, float]  # the numbers of all leaves in the run before
    former: dict[str, float] | None  # the numbers that were put in place there; None if it cannot be repeated
    key: str = ""  # of the leaf that was set last
    change: Change | None = None  # what a replay says about it

    @classmethod
    def asked(cls, call: Call, touched: Touched, change: Change | None) -> Again | None:
        """Return how to run a program again with the numbers that were set; None if it cannot be."""
        accesses, trace, numbers = call.accesses, touched.trace, touched.for_program()
        if accesses is None or numbers is None:
            return None
        recorded = {accesses.key(leaf): touched.program.value(leaf) for leaf in touched.program.leaves}
        key = accesses.key(touched.former(change.leaf)) if change is not None else ""
        return cls(numbers, call.number, trace, recorded, accesses.numbers, key, change)

    def undone(self) -> Again:
        """Return the run before, once more."""
        if self.former is None:
            raise ArgumentError("The program does not repeat itself: it does not come back to this call.")
        return self._replace(numbers=self.former, former=None, key="", change=None)

    def arrived(self, call: Call, trace: Trace) -> Change | None:
        """Go to the place in the trace of the call, and return what the new numbers have changed."""
        labels = {trace.label(node): node for node in trace.journal.order}
        before = {node: labels.get(self.trace.label(node), node) for node in self.trace.journal.order}
        trace.seek(same_place(self.trace, trace, {node: now for node, now in before.items() if now is not node}))
        leaf = call.accesses.leaf(self.key) if call.accesses is not None else None
        if self.change is None or leaf is None or leaf not in trace.journal.numbers:
            return None
        return self.change._replace(leaf=leaf, after=trace.value(leaf), result_after=trace.value(trace.root))

    def moved(self, call: Call, trace: Trace) -> list[tuple[Value, float]]:
        """Return the leaves whose number differs from the last run, though it was not set, and that number."""
        assert call.accesses is not None  # the program is run
        keys = {call.accesses.key(leaf): leaf for leaf in trace.leaves}
        own = {*self.numbers, *(self.former or {})}
        known = [(leaf, self.recorded[key]) for key, leaf in keys.items() if key in self.recorded and key not in own]
        return [(x, was) for x, was in known if repr(was) != repr(trace.value(x))]

    def missing(self, call: Call) -> list[str]:
        """Return what to say if a number that was set is not there."""
        assert call.accesses is not None  # the program is run
        is_missing = call.accesses.leaf(self.key) is None and self.key in self.numbers
        return ["the number that you set is missing: the program does not make its leaf, or overwrites it"] * is_missing


class Beginning:
    """What a run of a program changes in the interpreter, to begin another one in the same way."""

    def __init__(self) -> None:
        self._modules, self._chance = {*sys.modules}, random.getstate()

    def restore(self) -> None:
        """Forget the program's modules, and begin with the same random numbers."""
        random.setstate(self._chance)
        for name in sys.modules.keys() - self._modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and not is_library(file):
                del sys.modules[name]


def debug_program(
    program: str, arguments: Sequence[str], stop: Callable[[Call], None], numbers: Mapping[str, float] | None = None,
    module: bool = False,
) -> int:  # fmt: skip
    """Run a program, or with `module` a module, call `stop` before each `backward()`, and return the number of calls.

    If ":" and the name of a global variable follow the program, it runs to its end, and `stop` is called once, as if
    for `backward()` on that variable. `stop` may raise `Quit`; any other error of it ends the program and is raised
    here. `numbers` are new data of leaves, by their keys (see `accesses`).
    """
    path, name = path_and_name(program, module)
    accesses = Accesses(numbers or {})
    count, process = 0, os.getpid()
    failure: Exception | None = None

    def stopped(root: Value, seed: float) -> None:
        nonlocal count, failure
        if os.getpid() != process:  # in a fork, as with multiprocessing: you cannot talk to two debuggers at once
            return
        count += 1
        site = user_site()
        site = None if site is None or is_of_library(site) else site
        try:
            with hooked(at_backward=None):
                stop(Call(count, root, seed, site, accesses, namespaces(sys._getframe(1))))
        except Exception as error:  # ours; the program might catch it
            failure = error
            raise Quit from None
        finally:
            accesses.forget()

    try:
        with hooked(at_backward=None if name else stopped), observing(accesses.remember), accesses.noted():
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
            stop(Call(1, value_called(name, variables, path), 1.0, None, accesses, (variables,)))
        return 1
    return count
