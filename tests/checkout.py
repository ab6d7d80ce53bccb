"""A copy of the checkout, as a clone has it: for builds that write into their source."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FOLDERS = (".ci", ".packaging", "autograd_mini", "examples", "tests", "visualizations")
_FILES = (".gitignore", "LICENSE", "README.md", "pyproject.toml")
_MADE = ("__pycache__", "node_modules", "*.so", "*.pyd")  # by tests, npm and editable installations


def copy(folder: Path) -> Path:
    """Copy what git knows into a new folder, and return it."""
    folder.mkdir()
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*_MADE))
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)
    return folder
