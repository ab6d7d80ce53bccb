"""Compiles `autograd_mini/core/_native.c` while a wheel is built, if that can be done; hatchling runs this.

Where it cannot, the wheel is the pure one, and the build goes on: the Python text does the same.
Not here: the choice between the two at run time, `autograd_mini/core/accelerator.py`.
"""

from __future__ import annotations

import binascii
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "autograd_mini.core._native"
# These stand after CFLAGS of the environment: gradients have the bits of the Python text, whatever CFLAGS asks for. The
# linker gets them too, because with -ffast-math alone it adds code that turns off subnormals in the whole process.
FLAGS = [
    "-O3", "-ffp-contract=off", "-fno-fast-math", "-fno-unsafe-math-optimizations", "-fno-finite-math-only",
    "-fno-associative-math", "-fno-reciprocal-math", "-fsigned-zeros", "-ftrapping-math",
]  # fmt: skip


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the compiled module to a wheel, or puts it beside its source for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root, *MODULE.split(".")).with_suffix(".c")
        target = source.with_name(f"{source.stem}{sysconfig.get_config_var('EXT_SUFFIX')}")
        self._folder = tempfile.TemporaryDirectory(prefix="autograd-mini-")  # hatchling reads it until the end
        try:
            if version == "editable":
                target.unlink(missing_ok=True)  # of an older source, or made where there was a compiler
            compiled = _compiled(source, self._folder.name)
            if version == "editable":
                shutil.copyfile(compiled, target)
        except Exception as error:  # whatever keeps a compiler from its work, or Windows from replacing what is loaded
            self.app.display_info(f"{source.name} is not compiled ({error}); the Python text does the same, slower.")
            return
        if version != "editable":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["force_include"][compiled] = str(target.relative_to(self.root))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._folder.cleanup()


def _compiled(source: Path, folder: str) -> str:
    """Compile the source into a folder; return the path of the shared object.

    Raises:
        Exception: it cannot be done here, or a compiler says no.
    """
    if os.environ.get("AUTOGRAD_MINI_PURE", "0") not in ("", "0"):
        raise RuntimeError("AUTOGRAD_MINI_PURE is set")
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise RuntimeError("it is written for CPython with its lock")
    if sys.platform == "darwin" and "CC" not in os.environ:  # without this, a window would offer to install a compiler
        subprocess.run(["xcode-select", "-p"], check=True, capture_output=True)

    from setuptools import Distribution, Extension  # here, so that a build without it is a pure one

    digest = binascii.crc32(source.read_bytes()) >> 1  # as in `accelerator`
    flags, link_flags = (["/O2", "/fp:precise"], []) if os.name == "nt" else (FLAGS, FLAGS)
    extension = Extension(
        MODULE, [str(source)], define_macros=[("SOURCE_DIGEST", str(digest))],
        extra_compile_args=flags, extra_link_args=link_flags,
    )  # fmt: skip
    command: Any = Distribution({"ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib = command.build_temp = folder
    command.ensure_finalized()
    command.run()
    (compiled,) = command.get_outputs()
    return str(compiled)
