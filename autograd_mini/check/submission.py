"""Runs in a process of its own: loads one submission, and answers for its functions; `grading` starts it as a script.

It needs no other module of this package, so that it starts fast. Not here: points and mistakes, which are found out of
the submission's reach. Read next: `check.grading`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def main() -> None:
    """Answer for what standard input names: a file, its functions, and the arguments of each call, as JSON.

    The values at all points come before the derivatives, so that they count even if those never come.
    """
    question, *points = map(json.loads, sys.stdin)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the submission prints is not an answer
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # it stays until the end
    module: ModuleType | None = None
    error = ""
    try:
        module = _loaded(Path(question["file"]).resolve())
    except BaseException as raised:  # also SystemExit
        error = f"It cannot be loaded: {_described(raised)}"
    for role in ("value", "derivative"):
        names = question[role]
        function = next((found for name in names if callable(found := getattr(module, name, None))), None)
        for point in points:
            words = (
                ["error", error or f"It has no function {names[0]}."]
                if function is None
                else _answer(role, function, point)
            )
            print(*words, file=answers, flush=True)


def _loaded(path: Path) -> ModuleType:
    sys.path[0] = str(path.parent)  # in place of this file's folder
    sys.argv = [str(path)]
    spec = importlib.util.spec_from_file_location("submission", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _answer(role: str, function: Callable[..., Any], point: list[Any]) -> list[str]:
    given = [[*x] if isinstance(x, list) else x for x in point]
    if (numpy := sys.modules.get("numpy")) is not None:  # the submission computes with arrays
        given = [numpy.array(x) if isinstance(x, list) else x for x in given]
    try:
        words = [role, *[repr(float(x)) for x in _flat(function(*given))]]
        if _flat(given[0]) != _flat(point[0]):
            words += ["argument", *[repr(float(x)) for x in _flat(given[0])]]
    except BaseException as error:  # the other points count
        return ["error", _described(error)]
    return words


def _flat(numbers: Any) -> list[Any]:
    if hasattr(numbers, "tolist"):  # an array
        numbers = numbers.tolist()
    return [x for part in numbers for x in _flat(part)] if isinstance(numbers, (list, tuple)) else [numbers]


def _described(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


if __name__ == "__main__":
    main()
