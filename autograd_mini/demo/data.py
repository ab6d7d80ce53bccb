"""Tables of numbers with a label in the last column: the iris flowers, and the user's own CSV files.

Not here: training. Read next: `demo.job`.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from math import isfinite
from pathlib import Path

from autograd_mini.errors import DataError, shown
from autograd_mini.output.streams import printable


@dataclass(frozen=True)
class Dataset:
    """Rows of numbers with the index of each row's class, and the names of the classes and columns."""

    rows: list[list[float]]
    labels: list[int]
    classes: list[str]  # in order of appearance
    columns: list[str]

    def __len__(self) -> int:
        return len(self.rows)

    def split(self, every: int = 5, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Split at random into training and test data; every fifth sample of each class is for testing."""
        order = list(range(len(self)))
        random.Random(seed).shuffle(order)
        order.sort(key=self.labels.__getitem__)  # stable: class by class, at random within a class
        chosen = set(order[every - 1 :: every])
        kept = [i for i in range(len(self)) if i not in chosen]
        return self._part(kept), self._part(sorted(chosen))

    def _part(self, places: list[int]) -> Dataset:
        return Dataset([self.rows[i] for i in places], [self.labels[i] for i in places], self.classes, self.columns)


def iris() -> Dataset:
    """Return the 150 iris flowers of Anderson and Fisher, in centimetres; iris.md gives source and licence."""
    return _parsed("iris.csv", resources.files(__package__).joinpath("iris.csv").read_text(encoding="utf-8"))


def read_csv(path: str | Path) -> Dataset:
    """Read a UTF-8 file of numbers, with commas, semicolons or tabs, and a label in the last column; or a DataError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text; save it as a CSV file in UTF-8.") from None
    return _parsed(str(path), text)


def _parsed(name: str, text: str) -> Dataset:
    lines = list(_cells(name, text))
    if not lines:
        raise DataError(f"{name}: the file is empty.")
    head, first = lines[0]
    width = len(first)
    if width < 2:
        raise DataError(
            f"{name}, line {head}: there is only one column; the file needs numbers, and a label in the last column."
        )
    columns = [f"column {i + 1}" for i in range(width - 1)]
    if all(_number(cell) is None for cell in first[:-1]):
        columns = first[:-1]
        del lines[0]
    rows, labels = [], []
    for line, cells in lines:
        if len(cells) != width:
            raise DataError(f"{name}, line {line}: {len(cells)} columns, but line {head} has {width}.")
        for i, cell in enumerate(cells[:-1]):
            number = _number(cell)
            if number is None or not isfinite(number):
                problem = "is not a number" if number is None else "is not finite"
                place = f"{name}, line {line}, column {i + 1} ({printable(columns[i])})"
                raise DataError(f"{place}: {shown(cell)} {problem}.")
        if not cells[-1]:
            raise DataError(f"{name}, line {line}, column {width}: the label is missing.")
        rows.append([float(cell) for cell in cells[:-1]])
        labels.append(cells[-1])
    classes = list(dict.fromkeys(labels))
    if len(classes) < 2:
        raise DataError(f"{name}: at least two classes are needed, but the last column has {len(classes)}.")
    if len(rows) < 10:
        raise DataError(f"{name}: {len(rows)} rows are too few to train and test on; 10 are needed.")
    if len(classes) > len(rows) // 2:
        raise DataError(
            f"{name}: the last column has {len(classes)} different labels in {len(rows)} rows; it should hold classes."
        )
    index = {label: i for i, label in enumerate(classes)}
    return Dataset(rows, [index[label] for label in labels], classes, columns)


def _cells(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank as cells, with their line numbers."""
    delimiter = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: {error}.") from None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
