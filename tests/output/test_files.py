"""Every file is written aside and renamed: a write that fails leaves what was there, and nothing else."""

from __future__ import annotations

import ast
import os
import stat
import threading
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini.output import files


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    """A disk that is full while the file is written: the old text stays, the new one leaves no trace."""
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write(path, "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_permissions_and_links_are_kept(tmp_path):
    """The file keeps its permissions, a link goes on pointing to it, and a new file has the usual ones."""
    path, link = tmp_path / "a.txt", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    assert files.write(link, "new") == link
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    (tmp_path / "usual").touch()
    files.write(tmp_path / "fresh", b"\xff")
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_text_is_utf_8_with_its_own_line_ends(tmp_path):
    """Whatever the locale: UTF-8, and no line end is changed."""
    assert files.write(tmp_path / "a", "ü\n\r\n").read_bytes() == b"\xc3\xbc\n\r\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a thing of POSIX")
def test_a_pipe_is_written_not_replaced(tmp_path):
    """A device or pipe is not replaced by an ordinary file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    files.write(pipe, "through")
    reader.join()
    assert found == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_errors_name_the_file(tmp_path):
    """No such folder: the error names the file that was asked for."""
    with pytest.raises(FileNotFoundError) as caught:
        files.write(tmp_path / "none" / "a.svg", "x")
    assert caught.value.filename == str(tmp_path / "none" / "a.svg")


@pytest.mark.parametrize("module", sorted(Path(am.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_no_text_is_read_in_the_encoding_of_the_locale(module):
    """Every text file is opened with an encoding."""
    for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call):
            name = ast.unparse(call.func)
            is_text = name in ("open", "os.fdopen") and not any(
                isinstance(argument, ast.Constant) and "b" in str(argument.value) for argument in call.args
            )
            if name.endswith(".read_text") and call.args:
                continue  # the encoding, or a file of a distribution's metadata
            if is_text or name.endswith((".read_text", ".write_text", "TemporaryFile", "TextIOWrapper")):
                assert "encoding" in [keyword.arg for keyword in call.keywords], ast.unparse(call)
