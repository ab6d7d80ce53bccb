"""Writing a file: to a temporary file that is then renamed, so that a failed write leaves the old file intact.

Every file that the package writes goes through here. Not here: the contents. Read next: `output.streams`.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

_UMASK = os.umask(0)
os.umask(_UMASK)


def write(path: str | Path, content: str | bytes) -> Path:
    """Write a whole file, or leave the old one intact; links are followed, devices written to directly.

    Raises:
        OSError: the disk is full or read-only, or the folder does not exist; its `filename` is the path.
    """
    data = content.encode() if isinstance(content, str) else content  # keep line ends unchanged
    path = Path(path)
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as error:  # name the user's file, not the temporary one
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    return path


def _replace(target: Path, data: bytes) -> None:
    """Write beside the target and rename, with the target's permissions; a failure leaves nothing behind."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_UMASK
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(13, os.strerror(13), str(target))  # a rename would not ask
    # A name may have 255 bytes, and the temporary one is longer than the target's.
    handle, aside = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, mode)
        os.replace(aside, target)
    except BaseException:
        os.unlink(aside)
        raise
