"""The compiled twin of the inner loop, `_native.c`: the module, or why the Python text does the work.

Nothing depends on it but time. Not here: what the two do. Read next: `core.copies`.
"""

from __future__ import annotations

import binascii
import importlib
import os
from pathlib import Path
from typing import Any

SWITCH = "AUTOGRAD_MINI_PURE"
SOURCE = Path(__file__).with_name("_native.c")
STALE = "it was compiled from another version of _native.c"
NOT_COMPILED = "it was not compiled when autograd_mini was installed"


def choose() -> tuple[Any, str]:
    """The compiled module and an empty text, or None and why it is not used."""
    if os.environ.get(SWITCH, "0") not in ("", "0"):
        return None, f"{SWITCH} is set"
    try:
        compiled: Any = importlib.import_module("autograd_mini.core._native")
    except ModuleNotFoundError:
        return None, NOT_COMPILED
    except ImportError as error:  # a subinterpreter; another machine's
        return None, f"it cannot be imported: {error}"
    try:
        digest = binascii.crc32(SOURCE.read_bytes()) >> 1
    except OSError:  # wheels have no source
        return compiled, ""
    # The source lies beside it in an editable installation, where `git pull` changes one and not the other.
    return (compiled, "") if digest == compiled.SOURCE_DIGEST else (None, STALE)


native, why_not = choose()
