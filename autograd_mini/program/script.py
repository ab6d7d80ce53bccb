"""Running the user's program as Python would, to look at its graph afterwards.

Not here: what is done with the graph (that is `cli`). Read next: `cli`.
"""

from __future__ import annotations

import errno
import linecache
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.util import decode_source, find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, shown
from autograd_mini.notation.namespaces import namespaces, of_program
from autograd_mini.output.streams import write
from autograd_mini.program.scopes import hooked
from autograd_mini.watch.observers import provenance

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


class ScriptError(AutogradError):
    """The user's program raised an error; the message is the traceback, without the frames of this package."""


class SharedInputError(ArgumentError):
    """The user's program reads the pipe from which commands come."""


def graph_of(program: str, arguments: Sequence[str] = (), module: bool = False) -> Value:
    """Run a program, remembering the source of every node, and find the root of its graph.

    Args:
        program: the path of a Python file, or the name of a module; after it may stand ":" and the name of a global
            variable.
        arguments: what the program finds in `sys.argv[1:]`.
        module: whether it is the name of a module, as after `python -m`.

    Returns:
        the value of that variable, or else the last node on which the program called `backward()`.

    Raises:
        ArgumentError: there is no such file or variable, it is no `Value`, or `backward()` is never called.
        ScriptError: the program raises an error, or ends with an exit status other than 0; there is no such module.
        OSError: the file cannot be read.

    >>> graph_of("nowhere.py")
    Traceback (most recent call last):
    autograd_mini.errors.ArgumentError: There is no file 'nowhere.py'.
    """
    path, name = path_and_name(program, module)
    roots: list[Value] = []

    def remember(root: Value, _: float) -> None:
        roots[:] = [root]
        of_program.set(namespaces(sys._getframe(1)))  # while the functions run that have them

    with hooked(at_backward=remember):
        variables = run(path, arguments, module=module)
    if name:
        return variable(variables, path, name)
    if not roots:
        raise ArgumentError(f"{path} never calls backward(); name the value to draw: {'-m ' * module}{path}:NAME.")
    return roots[0]


def path_and_name(program: str, module: bool = False) -> tuple[str, str]:
    """The file or module that SCRIPT.py:NAME means, and the name, "" if there is none.

    Raises:
        ArgumentError: there is no such file. Modules are looked for when they are run.
    """
    named = ":" in program and (module or not Path(program).exists())
    path, _, name = program.rpartition(":") if named else (program, "", "")
    if module:
        return path, name
    if Path(path).is_dir():
        raise ArgumentError(f"{path!r} is a folder, not a program.")
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
    if not is_node(found):
        raise ArgumentError(f"{name} in {path} is no Value, but {type(found).__name__}: {shown(found)}.")
    return found


def run(path: str, arguments: Sequence[str] = (), calls: bool = False, module: bool = False) -> dict[str, Any]:
    """Run a program as `python FILE ARGUMENTS` does, with provenance; return its global variables.

    Args:
        path: of the file.
        arguments: what the program finds in `sys.argv[1:]`.
        calls: whether to remember the calls that lead to each expression too.
        module: whether the path is the name of a module, to be run as `python -m NAME ARGUMENTS` does.

    Raises:
        ScriptError: it raises an error, or ends with an exit status other than 0; it cannot be found or parsed.
        OSError: the file cannot be read; standard output is full, or its reader has gone.
    """
    main = ModuleType("__main__")
    if module:
        folder, source = os.getcwd(), b""
    else:
        folder, source = str(Path(path).resolve().parent), Path(path).read_bytes()
        linecache.getlines(path)  # now, for the program may change the directory
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
            write(streams[1], "\n")  # raises if that is what the program could not write to
        raise ScriptError("the program raised an error\n" + _report(error)) from error
    finally:
        sys.modules["__main__"], sys.argv, sys.path = before
        sys.stdin, sys.stdout, sys.stderr = streams
    return vars(main)


def _compiled(path: str, source: bytes) -> CodeType:
    try:
        return compile(decode_source(source), path, "exec", dont_inherit=True)
    except Exception as error:  # also bytes that are not UTF-8, a null byte, parentheses too deep
        raise ScriptError(
            f"{path} cannot be parsed\n{''.join(traceback.format_exception_only(error)).rstrip()}"
        ) from error


def _module(name: str, main: ModuleType) -> CodeType:
    """The code of a module, or of the `__main__` of a package, as `python -m` finds it."""
    spec = None
    try:
        if name and not name.startswith("."):
            spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find_spec(f"{name}.__main__")
            if spec is None:
                raise ScriptError(f"{name} is a package without __main__, so it cannot be run; name a module of it.")
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # it is of something that is imported
    loader: Any = None if spec is None else spec.loader
    code: CodeType | None = loader.get_code(spec.name) if spec is not None and hasattr(loader, "get_code") else None
    if spec is None or code is None:
        raise ScriptError(f"There is no module {name!r}; a module is named as in package.module, a file without -m.")
    main.__file__, main.__spec__, main.__loader__, main.__package__ = spec.origin, spec, loader, spec.parent
    vars(main)["__cached__"] = spec.cached
    sys.argv[0] = spec.origin or name
    linecache.getlines(sys.argv[0])
    return code


def _report(error: Exception) -> str:
    """The traceback as Python prints it, with the frames of the user's program alone."""
    report = traceback.TracebackException.from_exception(error)
    chain: list[traceback.TracebackException | None] = [report]
    for part in chain:
        if part is not None:
            own = [frame for frame in part.stack if not os.path.abspath(frame.filename).startswith(_PACKAGE)]
            part.stack = traceback.StackSummary.from_list(
                [frame for frame in own if not frame.filename.startswith("<frozen ")]
            )
            chain += [part.__cause__, part.__context__]
    return "".join(report.format()).rstrip()
