"""The inner loop in C, `_native.c`, if a compiler was there to build it; otherwise its Python twins run alone.

Not here: the twins (`cell`, `sweep`), which say what both do. Read next: `engine`.
"""

from __future__ import annotations

import binascii
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from autograd_mini.program.stack import recording

VARIABLE = "AUTOGRAD_MINI_PURE"
SOURCE = Path(__file__).with_name("_native.c")


def _loaded() -> tuple[ModuleType | None, str]:
    """The compiled module and "", or None and why it is missing."""
    if os.environ.get(VARIABLE, "0") not in ("", "0"):
        return None, f"{VARIABLE} is set"
    try:
        compiled = importlib.import_module("autograd_mini.core._native")
    except ModuleNotFoundError:
        return None, "it was not compiled"
    except ImportError as error:  # in a subinterpreter, or a library is missing
        return None, str(error)
    if SOURCE.exists():  # in a checkout, where `git pull` changes it; wheels do not have it
        digest = binascii.crc32(SOURCE.read_bytes()) >> 1  # as in `.packaging/native.py`
        if digest != getattr(compiled, "SOURCE_DIGEST", None):
            return None, "it was compiled from another version of _native.c"
    return compiled, ""


native: Any
native, why_not = _loaded()


def is_stepped() -> bool:
    """Whether a debugger traces the program: Python's sweep then runs, so that you can step into it.

    Coverage measurement uses the same hook, but does not count.
    """
    tracer = sys.gettrace()
    if tracer is not None:
        home = getattr(tracer, "__module__", None) or type(tracer).__module__
        return not home.startswith("coverage.")
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None


def is_unwatched() -> bool:
    """Whether C may sweep: nothing watches each step, and no debugger steps through the program."""
    hooks = recording().hooks
    return native is not None and hooks.checked is None and not hooks.observers and not is_stepped()
