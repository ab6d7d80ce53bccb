"""Grades as a table, JSON, CSV, or what Gradescope and PrairieLearn read; submissions that share a mistake are grouped.

Not here: how points are given (`grading`). Read next: `drawing`.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autograd_mini.check.grading import Grade, Part
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.output import files
from autograd_mini.output.streams import width


def _why(part: Part) -> str:
    """Return why points are missing: the mistake, or the first line of the report."""
    return part.mistake or part.text.partition("\n")[0]


def _missing(grade: Grade) -> dict[str, str]:
    """Return why points are missing, with the names of the parts."""
    found: dict[str, str] = {}
    for part in grade.parts:
        if part.points < part.most:
            found[_why(part)] = f"{found[_why(part)]}, {part.name}" if _why(part) in found else part.name
    return found


def groups(grades: Sequence[Grade]) -> dict[str, list[str]]:
    """Return the submissions that share a mistake, the most frequent first."""
    found: dict[str, list[str]] = {}
    for grade in grades:
        for why, parts in _missing(grade).items():
            found.setdefault(f"{parts}: {why}", []).append(grade.submission)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def _text(grades: Sequence[Grade]) -> str:
    columns = max(width(grade.submission) for grade in grades)
    lines = []
    for grade in grades:
        points = f"{grade.points:g} of {grade.most:g}"
        lines.append(f"{grade.submission}{' ' * (columns - width(grade.submission))}  {points}")
        lines += [f"    {parts}: {why}" for why, parts in _missing(grade).items()]
    shared = [(why, names) for why, names in groups(grades).items() if len(names) > 1]
    lines += ["", "Shared mistakes"] * bool(shared)
    lines += [line for why, names in shared for line in (f"{len(names)} × {why}", f"    {', '.join(names)}")]
    full = sum(grade.points == grade.most for grade in grades)
    return "\n".join([*lines, "", f"{counted(len(grades), 'submission')}, {full} with all points"])


def _json(grades: Sequence[Grade]) -> str:
    def entry(grade: Grade) -> dict[str, Any]:
        parts = [{key: field for key, field in vars(part).items() if key != "svg"} for part in grade.parts]
        return {"submission": grade.submission, "points": grade.points, "most": grade.most, "parts": parts}

    return _dumped({"submissions": [*map(entry, grades)], "mistakes": groups(grades)})


def _csv(grades: Sequence[Grade]) -> str:
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("submission", "part", "points", "most", "mistake"))
    for grade in grades:
        for part in grade.parts:
            mistake = _why(part) if part.points < part.most else ""
            rows.writerow((grade.submission, part.name, f"{part.points:g}", f"{part.most:g}", mistake))
    return table.getvalue().rstrip("\n")


def _gradescope(grade: Grade) -> dict[str, Any]:
    """Return the contents of results.json."""
    tests = [
        {"name": part.name, "score": part.points, "max_score": part.most, "output": part.text} for part in grade.parts
    ]
    return {"score": grade.points, "tests": tests}


def _prairielearn(grade: Grade) -> dict[str, Any]:
    """Return the contents of results.json, with the counterexamples as images."""
    tests = [
        {
            "name": part.name,
            "points": part.points,
            "max_points": part.most,
            "message": part.mistake,
            "output": part.text,
        }
        for part in grade.parts
    ]
    pictures = [(part.name, base64.b64encode(part.svg.encode()).decode()) for part in grade.parts if part.svg]
    images = [{"label": name, "url": f"data:image/svg+xml;base64,{picture}"} for name, picture in pictures]
    return {"gradable": True, "score": grade.points / grade.most, "tests": tests, "images": images}


def _dumped(thing: Any) -> str:
    return json.dumps(thing, indent=1, ensure_ascii=False)


_WHOLE: dict[str, Callable[[Sequence[Grade]], str]] = {"text": _text, "json": _json, "csv": _csv}
_EACH: dict[str, Callable[[Grade], dict[str, Any]]] = {"gradescope": _gradescope, "prairielearn": _prairielearn}


def written(grades: Sequence[Grade], form: str) -> str:
    """Return grades as one text; in formats for one submission, several become an object with their names as keys."""
    if form in _WHOLE:
        return _WHOLE[form](grades)
    found = {grade.submission: _EACH[form](grade) for grade in grades}
    return _dumped(found if len(found) > 1 else found[grades[0].submission])


def save(grades: Sequence[Grade], form: str, folder: Path) -> list[Path]:
    """Write grades and pictures to a folder, in formats for one submission one file for each; return their paths.

    Raises:
        ArgumentError: there is no such folder, and it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        raise ArgumentError(f"There is no folder {str(folder)!r}.", "Choose another with -o.") from None
    texts = {f"grades.{form.replace('text', 'txt')}": written(grades, form)} if form in _WHOLE else {}
    for grade in grades:
        texts |= {f"{grade.submission}.json": written([grade], form)} if form in _EACH else {}
        for part in grade.parts:
            if part.svg:
                texts[f"{grade.submission}-{re.sub('[^a-z_]+', '-', part.name)}.svg"] = part.svg
    return [files.write(folder / name, f"{text.rstrip()}\n") for name, text in texts.items()]
