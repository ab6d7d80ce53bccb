"""The C text of the inner loop, `_native.c`, where a compiler was there to build it; else its Python twins run alone.

Not here: the twins (`cell`, `sweep`), which say what both do. Read next: `engine`.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

VARIABLE = "AUTOGRAD_MINI_PURE"


def _loaded() -> tuple[ModuleType | None, str]:
    """The C text, or None and why."""
    if os.environ.get(VARIABLE, "0") not in ("", "0"):
        return None, f"{VARIABLE} is set"
    try:
        from autograd_mini.core import _native
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) or str(error).startswith("cannot import name")
        return None, "it was not compiled" if missing else str(error)
    return _native, ""


native: Any
native, why_not = _loaded()


def is_stepped() -> bool:
    """Whether a debugger traces the program: Python's sweep then runs, so that you can step into it.

    Measuring coverage uses the same hook, and does not count.
    """
    tracer = sys.gettrace()
    if tracer is not None:
        home = getattr(tracer, "__module__", None) or type(tracer).__module__
        return not home.startswith("coverage.")
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None
