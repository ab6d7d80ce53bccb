"""The tests of the engine on a C text that watches itself: `python -m tests.sanitized [TEST ...]`.

It compiles `_native.c` in a copy of the checkout, with each warning an error, so that the first access to memory that
is not its own and the first undefined operation end the run. Not here: the tests; compiling for users (`.packaging`).
"""

from __future__ import annotations

import binascii
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests import checkout

TESTS = [
    *[f"tests/{room}" for room in ("core", "transforms", "functions", "nn", "optim", "micrograd")],
    "tests/test_engine.py",
]
FLAGS = (
    "-shared", "-fPIC", "-g", "-O1", "-ffp-contract=off", "-fno-omit-frame-pointer", "-Wall", "-Wextra",
    "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Wno-cast-function-type", "-Werror",  # Python's ways
    "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip
WATCHED = (
    "import ctypes; from autograd_mini.core.accelerator import native; ctypes.CDLL(None).__asan_init; native.__file__"
)


def main(tests: list[str]) -> int:
    """Compile, run the tests, return their exit status."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    with tempfile.TemporaryDirectory() as folder:
        root = checkout.copy(Path(folder, "checkout"))
        source = root / "autograd_mini" / "core" / "_native.c"
        module = source.with_name(source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
        digest = binascii.crc32(source.read_bytes()) >> 1
        headers = "-I" + sysconfig.get_path("include")
        command = [*compiler, *FLAGS, headers, f"-DSOURCE_DIGEST={digest}", str(source), "-o", str(module)]
        print(shlex.join(command), flush=True)
        subprocess.run(command, check=True)
        environment = {name: value for name, value in os.environ.items() if name != "AUTOGRAD_MINI_PURE"} | {
            # The watch must be loaded before Python; without C++'s library it cannot follow the errors of SciPy.
            "LD_PRELOAD": " ".join(_library(compiler, name) for name in ("libasan.so", "libstdc++.so")),
            # Python keeps what it has made for its whole life; a test asks for more memory than there is.
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:handle_segv=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",  # Python's own pools would hide where a block ends
            "PYTHONPATH": str(root),
            "AUTOGRAD_MINI_IMPLEMENTATION": "native",
        }
        subprocess.run([sys.executable, "-c", WATCHED], cwd=root, env=environment, check=True)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], cwd=root, env=environment
        ).returncode


def _library(compiler: list[str], name: str) -> str:
    """The path of one of the compiler's libraries."""
    done = subprocess.run([*compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return os.path.realpath(done.stdout.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or TESTS))
