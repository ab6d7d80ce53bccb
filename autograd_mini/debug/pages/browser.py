"""A page as a PDF: printed by a browser of the Chromium family that is installed on this machine.

Not here: the page, which says where its sheets end. Read next: `debug.lessons`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from autograd_mini.errors import MissingError, ProgramError

PDF = ".pdf"
VARIABLE = "AUTOGRAD_MINI_BROWSER"
SECONDS = 60.0
_NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)  # fmt: skip
_OPTIONS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-pdf-header-footer",
)  # fmt: skip
_ADVICE = (
    f"Install Chromium, Chrome or Edge, or set the environment variable {VARIABLE} to the path of one; or write an "
    ".html file and print that in any browser, which gives the same pages."
)


def browser() -> str:
    """Return the path of the browser: $AUTOGRAD_MINI_BROWSER, or the first that is found."""
    named = os.environ.get(VARIABLE)
    found = next(filter(None, map(shutil.which, (named,) if named else _NAMES)), None)
    if found is None:
        what = f"{VARIABLE} is set to {named!r}, which is not a program that can be run" if named else ""
        raise MissingError(f"{what or 'There is no browser to print the PDF'}.", _ADVICE)
    return found


def pdf(page: str) -> bytes:
    """Print a page."""
    command = [browser(), *_OPTIONS]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # or it does not start; the page is ours, and asks for nothing
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, target = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_text(page, encoding="utf-8")
        command += [f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}", source.as_uri()]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{command[0]} did not finish within {SECONDS:g} seconds.", _ADVICE) from None
        except OSError as error:
            raise ProgramError(f"{command[0]} cannot be run: {error.strerror}.", _ADVICE) from None
        printed = target.read_bytes() if target.is_file() else b""
        if done.returncode or not printed.startswith(b"%PDF"):
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise ProgramError(f"{command[0]} printed no PDF (exit status {done.returncode}): {last[0]}", _ADVICE)
    return printed
