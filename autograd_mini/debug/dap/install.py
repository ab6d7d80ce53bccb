"""Installing the VS Code extension, which is a folder of this package, by copying it to where editors look.

Not here: the extension itself (`../vscode`). Read next: `adapter`, which it starts.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from autograd_mini.errors import ArgumentError

EXTENSION = Path(__file__).parents[1] / "vscode"
_EDITORS = {
    ".vscode": "VS Code", ".vscode-server": "VS Code (remote)", ".vscode-insiders": "VS Code Insiders",
    ".vscode-oss": "VSCodium", ".vscodium-server": "VSCodium (remote)", ".cursor": "Cursor",
    ".local/share/code-server": "code-server",
}  # fmt: skip


def install(folder: Path | None = None) -> list[Path]:
    """Copy the extension to every editor of this user, in place of older ones.

    Args:
        folder: where an editor keeps its extensions; by default those of all editors that are found.

    Returns:
        the folders that were written.

    Raises:
        ArgumentError: no editor is found, or there is no such folder.
    """
    if folder is not None and not folder.is_dir():
        raise ArgumentError(f"There is no folder {str(folder)!r}.", "Create it, or pass another as --extensions-dir.")
    homes = [Path.home() / name for name in _EDITORS]
    folders = [folder] if folder is not None else [home / "extensions" for home in homes if home.is_dir()]
    if not folders:
        raise ArgumentError(
            f"No editor is found: there is none of {', '.join(map(str, homes))}.",
            "Say with --extensions-dir where it keeps its extensions.",
        )
    return [_copy(folder) for folder in folders]


def _copy(folder: Path) -> Path:
    manifest = json.loads((EXTENSION / "package.json").read_text())
    name = f"{manifest['publisher']}.{manifest['name']}"
    target = folder / f"{name}-{manifest['version']}"
    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{name}-*"):
        shutil.rmtree(old)
    shutil.copytree(EXTENSION, target)
    _register(folder / "extensions.json", name, manifest["version"], target)
    _forget_removal(folder / ".obsolete", name)
    return target


def _register(register: Path, name: str, version: str, target: Path) -> None:
    """Write the extension into the list that VS Code keeps of those it has; if there is none it looks for itself."""
    if not register.is_file():
        return
    known: list[dict[str, Any]] = json.loads(register.read_text() or "[]")
    known = [entry for entry in known if entry["identifier"]["id"].lower() != name]
    known.append({
        "identifier": {"id": name}, "version": version, "relativeLocation": target.name,
        "location": {"$mid": 1, "path": target.as_posix(), "scheme": "file"},
    })  # fmt: skip
    register.write_text(json.dumps(known))


def _forget_removal(register: Path, name: str) -> None:
    """An extension that was removed earlier would be removed again at the next start."""
    if register.is_file():
        removed = json.loads(register.read_text() or "{}")
        register.write_text(json.dumps({key: removed[key] for key in removed if not key.startswith(f"{name}-")}))
