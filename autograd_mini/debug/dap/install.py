"""Installing the VS Code extension, a folder of this package, by copying it to where editors look.

The editor's lists belong to the editor: their entries about other extensions stay the same, to the byte.
Not here: the extension itself (`../vscode`). Read next: `doctor`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograd_mini.debug.dap.protocol import refuse_constant
from autograd_mini.errors import ArgumentError, shown
from autograd_mini.output.files import write

EXTENSION = Path(__file__).parents[1] / "vscode"
_EDITORS = (  # VS Code, its variants, and their servers on other machines
    ".vscode", ".vscode-server", ".vscode-insiders", ".vscode-oss", ".vscodium-server", ".cursor",
    ".local/share/code-server",
)  # fmt: skip


def install(folder: Path | None = None) -> list[Path]:
    """Copy the extension to a folder, or to each of this user's editors, and return the folders it wrote.

    It replaces older versions and remembers this interpreter. If anything cannot be read or written, nothing changes.
    """
    if folder is not None and not folder.is_dir():
        raise ArgumentError(f"There is no folder {str(folder)!r}.", "Create it, or pass another as --extensions-dir.")
    homes = [Path.home() / name for name in _EDITORS]
    folders = [folder] if folder is not None else [home / "extensions" for home in homes if home.is_dir()]
    if not folders:
        raise ArgumentError(
            f"No editor was found in any of {', '.join(map(str, homes))}.",
            "Pass the folder of its extensions with --extensions-dir.",
        )
    return [_copy(folder) for folder in folders]


def _copy(folder: Path) -> Path:
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    name = f"{manifest['publisher']}.{manifest['name']}"
    target = folder / f"{name}-{manifest['version']}"
    folder.mkdir(exist_ok=True)
    removed, register = folder / ".obsolete", folder / "extensions.json"
    edited = {  # read them all before writing, because one may be broken
        removed: _without_removal(removed, name),
        register: _with_extension(register, name, manifest["version"], target),
    }
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as aside:
        fresh, before = Path(aside, "fresh"), Path(aside, "before")
        fresh.mkdir()
        for file in EXTENSION.iterdir():
            if file.is_file() and file.name != "package.json":
                write(fresh / file.name, file.read_bytes())
        write(fresh / "package.json", json.dumps({**manifest, "interpreter": sys.executable}, indent=2))
        was_there = target.exists() or target.is_symlink()
        if was_there:
            target.rename(before)
        try:
            fresh.rename(target)
            for path, text in edited.items():
                if text is not None:
                    write(path, text)
        except BaseException:
            if target.exists():
                target.rename(fresh)
            if was_there:
                before.rename(target)
            raise
        for number, old in enumerate([*folder.glob(f"{name}-*")]):
            if old != target and _is_ours(old.name, name):
                old.rename(Path(aside, str(number)))
    return target


def _is_ours(folder: str, name: str) -> bool:
    """Return True for a version of this extension, and False for one whose name only begins like it."""
    return re.fullmatch(rf"{re.escape(name)}-\d+\.\d.*", folder, re.IGNORECASE) is not None


def _with_extension(register: Path, name: str, version: str, target: Path) -> str | None:
    """Return VS Code's list of extensions with this one at its end; None if VS Code keeps no list.

    The text of the other entries stays the same, whatever they are.
    """
    if (text := _read(register, "[]", list)) is None:
        return None
    entries = [*_elements(text)]
    start, end = (entries[0][1], entries[-1][2]) if entries else (text.index("[") + 1, text.rindex("]"))
    between = text[entries[0][2] : entries[1][1]] if len(entries) > 1 else ","
    ours = {
        "identifier": {"id": name}, "version": version, "relativeLocation": target.name,
        "location": {"$mid": 1, "path": target.as_posix(), "scheme": "file"},
    }  # fmt: skip
    others = [text[first:last] for entry, first, last in entries if _identifier(entry) != name]
    return text[:start] + between.join([*others, json.dumps(ours, separators=(",", ":"))]) + text[end:]


def _identifier(entry: Any) -> str | None:
    """Return the extension that an entry is about; None for an entry of another form."""
    try:
        return str(entry["identifier"]["id"]).lower()
    except (LookupError, TypeError):
        return None


def _elements(text: str) -> Iterator[tuple[Any, int, int]]:
    """Yield the elements of a JSON list with the positions in the text where they begin and end."""

    def after(position: int) -> int:
        return len(text) - len(text[position:].lstrip(" \t\r\n,"))

    position = after(text.index("[") + 1)
    while text[position] != "]":
        element, end = json.JSONDecoder().raw_decode(text, position)
        yield element, position, end
        position = after(end)


def _without_removal(register: Path, name: str) -> str | None:
    """Return VS Code's list of removals for its next start without this extension; None if it is not listed."""
    removed = json.loads(_read(register, "{}", dict) or "{}")
    kept = {key: removed[key] for key in removed if not _is_ours(key, name)}
    return None if kept == removed else json.dumps(kept, separators=(",", ":"))


def _read(register: Path, empty: str, kind: type) -> str | None:
    """Return the text of one of the editor's lists, None if the file is missing; raise if the editor cannot read it."""
    if not register.is_file():
        return None
    try:
        text = register.read_bytes().decode()
        text = text if text.strip() else empty
        found = json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        what = f"cannot be read ({error})"
    else:
        if isinstance(found, kind):
            return text
        what = f"is not what VS Code writes, but {shown(found)}"
    raise ArgumentError(
        f"{str(register)!r} {what}; it was not changed, and nothing was installed there.",
        "Repair it, or delete it to let VS Code search for its extensions again.",
    )
