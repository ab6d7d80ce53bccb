"""Tables of numbers with a label in the last column: the iris flowers, and the user's own CSV files.

Not here: training. Read next: `demo`.
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
    """Rows of numbers, each with the index of its class.

    Attributes:
        rows: one list of numbers a sample.
        labels: the index of the class of each sample.
        classes: the names of the classes, in the order in which they occur.
        columns: the names of the numbers.
    """

    rows: list[list[float]]
    labels: list[int]
    classes: list[str]
    columns: list[str]

    def __len__(self) -> int:
        return len(self.rows)

    def split(self, every: int = 5, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two parts for training and testing, at random; every fifth sample of each class is for testing.

        >>> train, test = iris().split()
        >>> len(train), len(test)
        (120, 30)
        """
        order = list(range(len(self)))
        random.Random(seed).shuffle(order)
        order.sort(key=self.labels.__getitem__)  # stable: class by class, at random within a class
        chosen = set(order[every - 1 :: every])
        return (
            self._part([i for i in range(len(self)) if i not in chosen]),
            self._part([i for i in range(len(self)) if i in chosen]),
        )

    def _part(self, indices: list[int]) -> Dataset:
        return Dataset([self.rows[i] for i in indices], [self.labels[i] for i in indices], self.classes, self.columns)


def iris() -> Dataset:
    """The 150 iris flowers of Anderson and Fisher, in centimetres; source and licence stand in iris.md beside it.

    >>> flowers = iris()
    >>> len(flowers), flowers.classes
    (150, ['setosa', 'versicolor', 'virginica'])
    """
    return _parsed("iris.csv", resources.files(__package__).joinpath("iris.csv").read_text(encoding="utf-8"))


def read_csv(path: str | Path) -> Dataset:
    """A CSV file of numbers with a label in the last column.

    Args:
        path: a UTF-8 file; commas, semicolons or tabs between the columns; the first line may name them.

    Returns:
        its contents.

    Raises:
        DataError: the file cannot be read, is empty, has a single class or column, a row of another length, or a
            cell that is not a finite number; the message names line and column.
    """
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
    line, width = head, len(first)
    if width < 2:
        raise DataError(
            f"{name}, line {line}: there is one column; numbers and, in the last column, a label are needed."
        )
    if not any(_is_number(cell) for cell in first[:-1]):
        columns = first[:-1]
        del lines[0]
    else:
        columns = [f"column {i + 1}" for i in range(width - 1)]
    rows, labels = [], []
    for line, cells in lines:
        if len(cells) != width:
            raise DataError(f"{name}, line {line}: {len(cells)} columns, where line {head} has {width}.")
        rows.append([_number(name, line, i, columns[i], cell) for i, cell in enumerate(cells[:-1])])
        if not cells[-1]:
            raise DataError(f"{name}, line {line}, column {width}: the label is missing.")
        labels.append(cells[-1])
    classes = list(dict.fromkeys(labels))
    if len(classes) < 2:
        raise DataError(f"{name}: at least two classes are needed, and the last column has {len(classes)}.")
    if len(rows) < 10:
        raise DataError(f"{name}: {len(rows)} rows are too few to train and test on; 10 are needed.")
    if len(classes) > len(rows) // 2:
        raise DataError(
            f"{name}: the last column has {len(classes)} different labels in {len(rows)} rows; it should hold classes."
        )
    index = {label: i for i, label in enumerate(classes)}
    return Dataset(rows, [index[label] for label in labels], classes, columns)


def _cells(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, with their numbers, split into cells."""
    head = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: {error}.") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(name: str, line: int, column: int, title: str, cell: str) -> float:
    number = float(cell) if _is_number(cell) else None
    if number is None or not isfinite(number):
        problem = "is not a number" if number is None else "is not finite"
        raise DataError(f"{name}, line {line}, column {column + 1} ({printable(title)}): {shown(cell)} {problem}.")
    return number
