"""Runs in a process of its own: loads one submission, and answers for its functions; `grading` starts it as a script.

It needs no other module of this package, so that it starts fast. Not here: points and mistakes, which are found out of
the submission's reach. Read next: `check.grading`.
"""

from __future__ import annotations

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
    path = Path(question["file"]).resolve()
    sys.path[0], sys.argv = str(path.parent), [str(path)]  # in place of this file and its folder
    module = sys.modules["submission"] = ModuleType("submission")
    module.__file__, error = str(path), ""
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(module))
    except BaseException as raised:  # also SystemExit
        error = f"It cannot be loaded: {_described(raised)}"
    for role in ("value", "derivative"):
        names = question[role]
        function = next((found for name in names if callable(found := getattr(module, name, None))), None)
        if error or function is None:
            words = ["error", error or f"It has no function {names[0]}."]
        for point in points:
            if not error and function is not None:
                words = _answer(role, function, point)
            print(*words, file=answers, flush=True)


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
    return (
        [x for part in numbers for x in _flat(part)] if isinstance(numbers, (list, tuple)) else [repr(float(numbers))]
    )


def _described(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


if __name__ == "__main__":
    main()
