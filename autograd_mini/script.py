"""Running the user's program as Python would, to look at its graph.

Not here: what is done with the graph (a command of `cli`, or a window of `debug`). Read next: `cli`.
"""

from __future__ import annotations

import errno
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.util import decode_source, find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, shown
from autograd_mini.notation.namespaces import namespaces, of_program
from autograd_mini.output.streams import write
from autograd_mini.program.owner import FOLDER
from autograd_mini.watch import hooked
from autograd_mini.watch.origins import provenance


class ScriptError(AutogradError):
    """The user's program raised an error; the message is the traceback without this package's frames."""


class SharedInputError(ArgumentError):
    """The user's program reads the pipe that the commands come from."""


def graph_of(program: str, arguments: Sequence[str] = (), module: bool = False) -> Value:
    """Run `FILE.py[:NAME]` or, like `python -m`, `MODULE[:NAME]`, and return the root of its graph.

    That is the value of the global variable, or else the last node on which the program called `backward()`.
    """
    path, name = path_and_name(program, module)
    roots: list[Value] = []

    def remember(root: Value, _: float) -> None:
        roots[:] = [root]
        of_program.set(namespaces(sys._getframe(1)))  # while the functions are still running

    with hooked(at_backward=remember):
        variables = run(path, arguments, module=module)
    if name:
        return value_called(name, variables, path)
    if not roots:
        raise ArgumentError(f"{path} never calls backward(); name the value to draw: {'-m ' * module}{path}:NAME.")
    return roots[0]


def path_and_name(program: str, module: bool = False) -> tuple[str, str]:
    """Split SCRIPT.py:NAME into an existing file, or a module, and the name; "" if there is no name."""
    named = ":" in program and (module or not Path(program).exists())
    path, _, name = program.rpartition(":") if named else (program, "", "")
    if module:
        return path, name
    if Path(path).is_dir():
        raise ArgumentError(f"{path!r} is a folder, not a program.")
    if not Path(path).is_file():
        raise ArgumentError(f"There is no file {path!r}.")
    return path, name


def value_called(name: str, variables: dict[str, Any], path: str) -> Value:
    """Return the `Value` that a program gave a name."""
    if name not in variables:
        raise ArgumentError(f"{path} has no global variable {name!r} at its end.")
    found = variables[name]
    if not is_node(found):
        raise ArgumentError(f"{name} in {path} is not a Value, but has type {type(found).__name__}: {shown(found)}.")
    return found


def function_called(program: str) -> tuple[Callable[..., Any], str]:
    """Run SCRIPT.py:FUNCTION, and return the function and its name."""
    path, name = path_and_name(program)
    if not name:
        raise ArgumentError(f"{path} is a program; name a function in it.", f"Write {path}:NAME.")
    variables = run(path)
    if not callable(variables.get(name)):
        what = f"{name} in {path} is not a function" if name in variables else f"{path} has no function {name!r}"
        raise ArgumentError(f"{what}.", "Name a function that the program defines.")
    return variables[name], name


def run(path: str, arguments: Sequence[str] = (), calls: bool = False, module: bool = False) -> dict[str, Any]:
    """Run a program as `python [-m] PATH ARGUMENTS` does, with provenance; return its global variables.

    Raises:
        ScriptError: it raises an error, ends with an exit status other than 0, or cannot be found or parsed.
        OSError: the file cannot be read; standard output is full, or its reader has gone.
    """
    main = ModuleType("__main__")
    if module:
        folder, source = os.getcwd(), b""
    else:
        folder, source = str(Path(path).resolve().parent), Path(path).read_bytes()
        linecache.getlines(path)  # now, because the program may change the directory
        main.__file__ = path
    before = sys.modules["__main__"], sys.argv, sys.path
    streams = sys.stdin, sys.stdout, sys.stderr
    of_program.set((vars(main),))
    sys.modules["__main__"], sys.argv, sys.path = main, ["-m" if module else path, *arguments], [folder, *sys.path[1:]]
    try:
        with provenance(calls):
            code = _module(path, main) if module else _compiled(path, source)
            exec(code, vars(main))
    except SystemExit as error:
        if error.code not in (None, 0):
            raise ScriptError(f"{path} ended with sys.exit({error.code!r}).") from error
    except ScriptError:
        raise
    except Exception as error:
        if (
            isinstance(error, OSError)
            and error.filename is None
            and error.errno in (errno.EPIPE, errno.ENOSPC, errno.EIO)
        ):
            write(streams[1], "\n")  # raises if the program could not write to it
        raise ScriptError("the program raised an error\n" + _report(error)) from error
    finally:
        sys.modules["__main__"], sys.argv, sys.path = before
        sys.stdin, sys.stdout, sys.stderr = streams
    return vars(main)


def _compiled(path: str, source: bytes) -> CodeType:
    try:
        return compile(decode_source(source), path, "exec", dont_inherit=True)
    except Exception as error:  # such as bytes that are not UTF-8, a null byte, or too many parentheses
        raise ScriptError(
            f"{path} cannot be parsed\n{''.join(traceback.format_exception_only(error)).rstrip()}"
        ) from error


def _module(name: str, main: ModuleType) -> CodeType:
    """Return the code of a module, or of the `__main__` of a package, as `python -m` finds it."""
    spec = None
    try:
        if name and not name.startswith("."):
            spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(f"{name}.__main__")
            if spec is None:
                raise ScriptError(f"{name} is a package without __main__, so it cannot run; name one of its modules.")
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # it is about an import of the module
    loader: Any = None if spec is None else spec.loader
    code: CodeType | None = loader.get_code(spec.name) if spec is not None and hasattr(loader, "get_code") else None
    if spec is None or code is None:
        raise ScriptError(f"There is no module {name!r}; write package.module, or leave out -m for a file.")
    main.__file__, main.__spec__, main.__loader__, main.__package__ = spec.origin, spec, loader, spec.parent
    vars(main)["__cached__"] = spec.cached
    sys.argv[0] = spec.origin or name
    linecache.getlines(sys.argv[0])
    return code


def _report(error: Exception) -> str:
    """Return the traceback as Python prints it, with only the frames of the user's program."""
    report = traceback.TracebackException.from_exception(error)
    chain: list[traceback.TracebackException | None] = [report]
    for part in chain:
        if part is not None:
            own = [frame for frame in part.stack if not frame.filename.startswith((FOLDER, "<frozen "))]
            part.stack = traceback.StackSummary.from_list(own)
            chain += [part.__cause__, part.__context__]
    return "".join(report.format()).rstrip()
