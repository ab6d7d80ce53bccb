"""The compiled twin of the inner loop, `_native.c`: the module, or why the Python text does the work.

Nothing depends on it but time. Not here: what the two do. Read next: `core.copies`.
"""

from __future__ import annotations

import binascii
import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "AUTOGRAD_MINI_PURE"
SOURCE = Path(__file__).with_name("_native.c")


def _loaded() -> tuple[ModuleType | None, str]:
    """The compiled module, or None and why."""
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
