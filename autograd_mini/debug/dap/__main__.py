"""The program that the adapter starts with an interpreter: `python …/debug/dap PORT [FILE_OF_SECRET]`."""

import sys
from pathlib import Path


def _start() -> int:
    # An interpreter without this package borrows it, and nothing else from its folder.
    sys.path.append(str(Path(__file__).parents[3]))
    from autograd_mini.debug.dap.launch import main

    sys.path.pop()
    return main(int(sys.argv[1]), *sys.argv[2:])


sys.exit(_start())
