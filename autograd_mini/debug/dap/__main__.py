"""The file that the adapter lets an interpreter run, by its path: `python …/debug/dap PORT [FILE_OF_SECRET]`."""

import sys
from pathlib import Path


def _start() -> int:
    # An interpreter that does not know this package borrows it, and nothing else from where it is.
    sys.path.append(str(Path(__file__).parents[3]))
    from autograd_mini.debug.dap.debuggee import main

    sys.path.pop()
    return main(int(sys.argv[1]), *sys.argv[2:])


sys.exit(_start())
