"""`check_engine` on a class in a file or a module, in a process of its own that can be stopped whatever it does.

The process is started with this module as its program, and leaves what it found in a file. Not here: a sandbox, because
the code runs with your rights. Read next: `check.pytorch`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import tempfile
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from autograd_mini.check.programs import Limits, run
from autograd_mini.check.verdicts import Verdict
from autograd_mini.errors import ArgumentError, AutogradError, sentences
from autograd_mini.program.owner import FOLDER


class Result(NamedTuple):
    """What the process left: the verdict, the report as text, and the picture of the first example."""

    verdict: Verdict
    text: str
    svg: str = ""

    @property
    def status(self) -> int:
        """The exit status of the command: 0 right, 1 wrong, 2 cannot tell."""
        return {Verdict.PASS: 0, Verdict.KINK: 0, Verdict.FAIL: 1}.get(self.verdict, 2)


def examined(target: str, limits: Limits, folder: Path | None = None) -> Result:
    """Examine the class that a target such as "engine.py:Value" names, started in a folder and within limits."""
    packages = [str(Path(FOLDER).parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    with tempfile.TemporaryDirectory() as out:
        left = Path(out, "report.json")
        command = [sys.executable, "-P", "-m", __name__, target, str(left)]  # no file there may hide our modules
        outcome = run(command, "", limits, folder, {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, packages))})
        if left.exists():
            verdict, text, svg = json.loads(left.read_text(encoding="utf-8"))
            return Result(Verdict(verdict), text, svg)
    return Result(Verdict.NOISE, f"{target}: cannot tell. {outcome.why('It left no report.')}")


def loaded(target: str) -> Any:
    """Import `FILE.py:CLASS`, `MODULE:CLASS`, or a file whose only class has a backward(), and return the class."""
    place, colon, name = target.rpartition(":")
    if not colon or name.endswith(".py") or os.sep in name:
        place, name = target, ""
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise ArgumentError(f"There is no file {place!r}.", "Write FILE.py:CLASS, or MODULE:CLASS.")
        sys.path.insert(0, str(path.parent.resolve()))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None  # the file is there
        assert spec.loader is not None
        module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        module = importlib.import_module(place)
    if not name:
        own = [x for x in vars(module).values() if isinstance(x, type) and x.__module__ == module.__name__]
        engines = [kind for kind in dict.fromkeys(own) if hasattr(kind, "backward")]
        if len(engines) != 1:
            raise ArgumentError(f"{place} has {len(engines)} classes with a backward().", "Name one: FILE.py:CLASS.")
        return engines[0]
    try:
        return attrgetter(name)(module)
    except AttributeError:
        raise ArgumentError(f"{place} has no {name!r}.", "Write the name of the class after the colon.") from None


def told(target: str) -> tuple[str, str, str]:
    """Return the verdict, the text and the picture, whatever the code of the target does."""
    from autograd_mini.check.engines import check_engine

    try:
        report = check_engine(loaded(target))
    except (Exception, SystemExit) as error:
        why = f"because it raises {type(error).__name__}: {error}"
        said = f". {sentences(error)}" if isinstance(error, AutogradError) else f", {why}"
        return Verdict.NOISE, f"{target}: cannot tell{said}", ""
    try:
        return report.verdict, str(report), report.svg
    except AutogradError as error:  # without dot there is no picture
        return report.verdict, f"{report}\n  There is no picture: {sentences(error)}", ""


if __name__ == "__main__":
    _target, _file = sys.argv[1:]
    _whole = f"{_file}.part"
    Path(_whole).write_text(json.dumps(told(_target)), encoding="utf-8")
    os.replace(_whole, _file)  # whole, or not there
    os._exit(0)  # whatever threads the target has started
