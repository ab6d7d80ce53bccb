"""Running the user's program as Python would, to look at its graph afterwards.

Not here: what is done with the graph (that is `cli`). Read next: `cli`.
"""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, AutogradError, shown
from autograd_mini.namespaces import of_program
from autograd_mini.observers import last_root, provenance

_PACKAGE = str(Path(__file__).parent) + os.sep


class ScriptError(AutogradError):
    """The user's program raised an error; the message is the traceback, without the frames of this package."""


def graph_of(program: str) -> Value:
    """Run a program, remembering the source of every node, and find the root of its graph.

    Args:
        program: the path of a Python file; after it may stand ":" and the name of a global variable.

    Returns:
        the value of that variable, or else the last node on which the program called `backward()`.

    Raises:
        ArgumentError: there is no such file or variable, it is no `Value`, or `backward()` is never called.
        ScriptError: the program raises an error, or ends with an exit status other than 0.

    >>> graph_of("nowhere.py")
    Traceback (most recent call last):
    autograd_mini.errors.ArgumentError: There is no file 'nowhere.py'.
    """
    path, name = path_and_name(program)
    variables = run(path)
    if name:
        return variable(variables, path, name)
    root: Value | None = last_root.get()
    if root is None:
        raise ArgumentError(f"{path} never calls backward(); name the value to draw: {path}:NAME.")
    return root


def path_and_name(program: str) -> tuple[str, str]:
    """The file that SCRIPT.py:NAME means, and the name, "" if there is none.

    Raises:
        ArgumentError: there is no such file.
    """
    path, _, name = program.rpartition(":") if ":" in program and not Path(program).exists() else (program, "", "")
    if not Path(path).is_file():
        raise ArgumentError(f"There is no file {path!r}.")
    return path, name


def variable(variables: dict[str, Any], path: str, name: str) -> Value:
    """The `Value` that a program called by a name.

    Raises:
        ArgumentError: there is no such variable, or it is no `Value`.
    """
    if name not in variables:
        raise ArgumentError(f"{path} has no global variable {name!r} at its end.")
    found = variables[name]
    if type(found) is not Value:
        raise ArgumentError(f"{name} in {path} is no Value, but {type(found).__name__}: {shown(found)}.")
    return found


def run(path: str, arguments: Sequence[str] = (), calls: bool = False) -> dict[str, Any]:
    """Run a file as `python FILE ARGUMENTS` does, with provenance; return its global variables.

    Args:
        path: of the file.
        arguments: what the program finds in `sys.argv[1:]`.
        calls: whether to remember the calls that lead to each expression too.

    Raises:
        ScriptError: it raises an error, or ends with an exit status other than 0.
    """
    module = ModuleType("__main__")
    module.__file__ = path
    before = sys.modules["__main__"], sys.argv, sys.path
    sys.modules["__main__"], sys.argv, sys.path = (
        module,
        [path, *arguments],
        [str(Path(path).resolve().parent), *sys.path[1:]],
    )
    last_root.set(None)
    of_program.set(vars(module))
    linecache.getlines(path)  # now, for the program may change the directory
    try:
        with provenance(calls):
            exec(compile(Path(path).read_bytes(), path, "exec"), vars(module))
    except SystemExit as error:
        if error.code not in (None, 0):
            raise ScriptError(f"{path} ended with sys.exit({error.code!r}).") from error
    except Exception as error:
        raise ScriptError(_report(error)) from error
    finally:
        sys.modules["__main__"], sys.argv, sys.path = before
    return vars(module)


def _report(error: Exception) -> str:
    """The traceback as Python prints it, with the frames of the user's program alone."""
    report = traceback.TracebackException.from_exception(error)
    chain: list[traceback.TracebackException | None] = [report]
    for part in chain:
        if part is not None:
            own = [frame for frame in part.stack if not os.path.abspath(frame.filename).startswith(_PACKAGE)]
            part.stack = traceback.StackSummary.from_list(own)
            chain += [part.__cause__, part.__context__]
    return "the program raised an error\n" + "".join(report.format()).rstrip()
