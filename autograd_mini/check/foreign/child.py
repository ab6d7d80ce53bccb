"""Python code of others, in a process of its own: loads a file, and answers for its functions or examines its class.

The process is started with this module as its program; points and mistakes stay out of its reach. Not here: a
sandbox, because the code runs with your rights. Read next: `check.foreign.answers`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from autograd_mini.check.foreign.programs import Limits, Outcome, run
from autograd_mini.check.verdicts import Verdict
from autograd_mini.errors import ArgumentError, AutogradError, sentences
from autograd_mini.program.owner import FOLDER


class Result(NamedTuple):
    """What an examination left: the verdict, the report as text, and the picture of the first example."""

    verdict: Verdict
    text: str
    svg: str = ""


def examined(target: str, limits: Limits, folder: Path | None = None) -> Result:
    """Examine the class that a target such as "engine.py:Value" names, started in a folder and within limits."""
    with tempfile.TemporaryDirectory() as out:
        left = Path(out, "report.json")
        outcome = _started("", limits, folder, target, str(left))
        if left.exists():
            verdict, text, svg = json.loads(left.read_text(encoding="utf-8"))
            return Result(Verdict(verdict), text, svg)
    return Result(Verdict.NOISE, f"{target}: cannot tell. {outcome.why('It left no report.')}")


def answers(file: str, names: Sequence[Sequence[str]], points: Sequence[Any], limits: Limits, folder: Path) -> Outcome:
    """Call the functions of a file at points: the first with one of the names, for the values, then the derivatives.

    There is one line for each call. Values come first, so that they count even if the derivatives never come.
    """
    given = "".join(json.dumps(entry) + "\n" for entry in ([file, *names], *points))
    return _started(given, limits, folder)


def _started(given: str, limits: Limits, folder: Path | None, *arguments: str) -> Outcome:
    packages = [str(Path(FOLDER).parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    command = [sys.executable, "-P", "-m", __name__, *arguments]  # no file there may hide our modules
    return run(command, given, limits, folder, {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, packages))})


# -- in the process ----------------------------------------------------------------------------------------------------


def loaded(target: str) -> Any:
    """Import `FILE.py:CLASS`, or `MODULE:CLASS`, and return the class."""
    place, colon, name = target.rpartition(":")
    if not colon or os.sep in name:
        raise ArgumentError(f"{target!r} names no class.", "Write FILE.py:CLASS, or MODULE:CLASS.")
    if place.endswith(".py"):
        if not Path(place).is_file():
            raise ArgumentError(f"There is no file {place!r}.", "Write FILE.py:CLASS, or MODULE:CLASS.")
        module = _imported(Path(place).resolve())
    else:
        sys.path.insert(0, os.getcwd())
        module = importlib.import_module(place)
    try:
        return attrgetter(name)(module)
    except AttributeError:
        raise ArgumentError(f"{place} has no {name!r}.", "Write the name of the class after the colon.") from None


def _imported(path: Path) -> ModuleType:
    """Run a file as a module that hides no other one, whatever the file is called."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("submission", path)
    assert spec is not None  # the file is there
    assert spec.loader is not None
    module = sys.modules["submission"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(target: str) -> tuple[str, str, str]:
    """Return the verdict, the text and the picture, whatever the code of the target does."""
    from autograd_mini.check.engines.examination import check_engine

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


def _answered(file: str, names: Sequence[Sequence[str]], points: Sequence[Any]) -> Iterator[list[str]]:
    """Yield the words of each answer."""
    error, functions = "", {}
    try:
        functions = vars(_imported(Path(file).resolve()))
    except BaseException as raised:  # also SystemExit
        error = f"It cannot be loaded: {_described(raised)}"
    for role, possible in zip(("value", "derivative"), names, strict=True):
        function = next((found for name in possible if callable(found := functions.get(name))), None)
        for point in points:
            if error or function is None:
                yield ["error", error or f"It has no function {possible[0]}."]
            else:
                yield _answer(role, function, point)


def _answer(role: str, function: Callable[..., Any], point: list[Any]) -> list[str]:
    given = [[*x] if isinstance(x, list) else x for x in point]
    if (numpy := sys.modules.get("numpy")) is not None:  # the submission computes with arrays
        given = [numpy.array(x) if isinstance(x, list) else x for x in given]
    try:
        words = [role, *_flat(function(*given))]
        if _flat(given[0]) != _flat(point[0]):
            words += ["argument", *_flat(given[0])]
    except BaseException as error:  # the other points count
        return ["error", _described(error)]
    return words


def _flat(numbers: Any) -> list[str]:
    if hasattr(numbers, "tolist"):  # an array
        numbers = numbers.tolist()
    is_list = isinstance(numbers, (list, tuple))
    return [x for part in numbers for x in _flat(part)] if is_list else [repr(float(numbers))]


def _described(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


if __name__ == "__main__":
    if sys.argv[1:]:
        _target, _file = sys.argv[1:]
        _whole = f"{_file}.part"
        Path(_whole).write_text(json.dumps(told(_target)), encoding="utf-8")
        os.replace(_whole, _file)  # whole, or not there
        os._exit(0)  # whatever threads the target has started
    (_name, *_names), *_points = map(json.loads, sys.stdin)
    _lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the submission prints is not an answer
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # it stays until the end
    sys.argv = [_name]
    for _words in _answered(_name, _names, _points):
        print(*_words, file=_lines, flush=True)
