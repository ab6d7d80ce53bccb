"""The owner of a frame, a place or a class: the user, a library, or this package (with its version).

Not here: the use of the answer. Read next: `program.stack`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, TypeVar

from autograd_mini.program.source import Site, cell, site_of

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = __name__.partition(".")[0]
FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
RUNNER = f"{PACKAGE}.script"  # the frames outside of it are not the user's program

# Modules that operations consist of: no node has its origin there. Composed functions, such as `tanh`, may be origins.
_OPERATIONS = "core.", "engine", "micrograd.engine", "program.", "transforms."
_INSIDE_OPERATIONS = ("numpy.", *[f"{PACKAGE}.{name}" for name in _OPERATIONS])
_TRANSPARENT: set[CodeType] = set()
_CALLED_BY_PROGRAM = PACKAGE, "numpy", "copy"  # NumPy calls operators, as in `array.sum()`; `copy` calls `__copy__`
_MACHINERY = PACKAGE, "logging", "threading", "asyncio", "multiprocessing", "concurrent", "unittest"


def version() -> str:
    """The version of this package; "unknown" where it is neither installed nor beside its `pyproject.toml`."""
    from importlib.metadata import PackageNotFoundError, version  # slower to import than the rest
    from pathlib import Path

    try:
        return version("autograd-mini")
    except PackageNotFoundError:
        import tomllib

        try:
            text = Path(FOLDER).parent.joinpath("pyproject.toml").read_text(encoding="utf-8")
            return str(tomllib.loads(text)["project"]["version"])
        except (OSError, KeyError, ValueError):
            return "unknown"


# -- frames ------------------------------------------------------------------------------------------------------------


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def transparent(function: Function) -> Function:
    """Treat a function as an operation: nodes made inside have their origin where it was called."""
    _TRANSPARENT.add(function.__code__)
    return function


def program_frame(frame: FrameType) -> FrameType:
    """The innermost frame, from this one outwards, that is not part of an operation."""
    while frame.f_back is not None and (_is_operation(frame.f_globals.get("__name__")) or frame.f_code in _TRANSPARENT):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=1000)  # called several times for every node under `provenance`
def _is_operation(module: str | None) -> bool:
    return str(module).startswith(_INSIDE_OPERATIONS)


def frames_of_run(frame: FrameType | None) -> list[FrameType]:
    """A frame and its callers, up to where this package or a notebook began to run the user's program."""
    found = []
    while frame is not None and frame.f_globals.get("__name__") != RUNNER:
        found.append(frame)
        if frame.f_code.co_qualname == "<module>" and _is_cell(frame.f_code.co_filename):
            break
        frame = frame.f_back
    return found


@lru_cache(maxsize=1000)
def _is_cell(file: str) -> bool:
    return cell(file) != ""


def is_package_frame(frame: FrameType) -> bool:
    """Whether a frame runs a function of this package."""
    return _module(frame).partition(".")[0] == PACKAGE


def user_site() -> Site | None:
    """The innermost place in the running program that is not inside this package, NumPy or `copy`, or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_called_by_program(frame):
        frame = frame.f_back
    return site_of(frame) if frame is not None else None


def is_called_by_program(frame: FrameType) -> bool:
    """Whether a frame runs a function of this package, of NumPy or of `copy`."""
    return _module(frame).partition(".")[0] in _CALLED_BY_PROGRAM


# -- places ------------------------------------------------------------------------------------------------------------


def is_of_package(site: Site) -> bool:
    """Whether a place is in this package, not in the user's program."""
    return site.file.startswith(FOLDER)


def is_of_library(site: Site) -> bool:
    """Whether a place is in this package, the standard library, or an installed package: not in the user's program."""
    return is_library(site.file)


@lru_cache(maxsize=1000)
def is_library(file: str) -> bool:
    """Whether a file is in this package, the standard library, or an installed package."""
    import sysconfig  # here: finding the paths is slow

    names = "stdlib", "platstdlib", "purelib", "platlib", "scripts"
    return file.startswith(("<frozen ", FOLDER, *[os.path.join(sysconfig.get_path(name), "") for name in names]))


# -- classes -----------------------------------------------------------------------------------------------------------


def is_machinery(kind: type) -> bool:
    """Whether a class is this package's, or its objects refer to everything, as loggers and threads do."""
    return str(kind.__module__).partition(".")[0] in _MACHINERY


def is_tool(kind: type) -> bool:
    """Whether a class is this package's but not part of a model, such as a trace, an optimiser or a report."""
    package, *rest = str(kind.__module__).split(".")
    return package == PACKAGE and "nn" not in rest
