"""Reading tables: iris as published, the user's own files, and every way in which a file can be bad."""

from __future__ import annotations

from collections import Counter

import pytest

from autograd_mini.demo.data import iris, read_csv
from autograd_mini.errors import DataError


def test_iris_is_the_published_table():
    """150 flowers, 50 per species, with Fisher's numbers in the two rows that a well-known copy has wrong."""
    flowers = iris()
    assert Counter(flowers.labels) == {0: 50, 1: 50, 2: 50}
    assert flowers.columns == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert flowers.rows[0] == [5.1, 3.5, 1.4, 0.2]
    assert flowers.rows[34] == [4.9, 3.1, 1.5, 0.2]
    assert flowers.rows[37] == [4.9, 3.6, 1.4, 0.1]
    means = [sum(column) / 150 for column in zip(*flowers.rows, strict=True)]
    assert means == pytest.approx([5.843333, 3.057333, 3.758, 1.199333], abs=1e-6)


def test_split_takes_every_class_apart_evenly():
    """120 and 30, ten test flowers per species, nothing lost, nothing twice, the same for the same seed."""
    train, test = iris().split(seed=3)
    assert Counter(test.labels) == {0: 10, 1: 10, 2: 10}
    assert sorted(train.rows + test.rows) == sorted(iris().rows)
    assert iris().split(seed=3)[1].rows == test.rows != iris().split(seed=4)[1].rows


ROWS = "\n".join(f"{i},{i * 0.5},{'ab'[i % 2]}" for i in range(10))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (ROWS, ["column 1", "column 2"]),
        ("x,y,label\n" + ROWS + "\n\n", ["x", "y"]),
        ("\ufeffx;y;label\r\n" + ROWS.replace(",", ";").replace("\n", "\r\n"), ["x", "y"]),
        ('"x, first"\t y \tlabel\n' + ROWS.replace(",", "\t"), ["x, first", "y"]),
    ],
)
def test_good_files(tmp_path, text, columns):
    """With and without a header, with other separators, quotes, blank lines, a byte order mark, Windows line ends."""
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode())
    data = read_csv(path)
    assert (data.columns, data.classes) == (columns, ["a", "b"])
    assert data.rows[3] == [3.0, 1.5]
    assert data.labels == [0, 1] * 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n  \n", "the file is empty"),
        (b"x,y,label\n1,2,a\n1,oops,b\n", r"line 3, column 2 \(y\): 'oops' is not a number"),
        (b"1,2,a\n1,nan,b\n", r"line 2, column 2 \(column 2\): 'nan' is not finite"),
        (b"1,2,a\n-inf,2,b\n", r"line 2, column 1 .*: '-inf' is not finite"),
        (b"1,2,a\n1,,b\n", r"line 2, column 2 .*: '' is not a number"),
        (b"x,y,label\n1,2,a\n\n1,b\n", "line 4: 2 columns, but line 1 has 3"),
        (b"1,2,a\n1,2,\n", "line 2, column 3: the label is missing"),
        (b"1\n2\n", "line 1: there is only one column"),
        (b"1,2,a\n" * 20, "at least two classes"),
        (b"1,2,a\n1,2,b\n", "2 rows are too few"),
        (b"x,y,label\n", "at least two classes"),
        (b"".join(b"%d,2,%d.5\n" % (i, i) for i in range(20)), "20 different labels in 20 rows"),
        (b"1,2,a\n\xff,2,b\n", "byte 6 is not UTF-8"),
        (b'1,"2,a\n', "line 1|is not a number|unexpected end"),
    ],
)
def test_bad_files(tmp_path, content, message):
    """One sentence with the file's name, line and column."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_csv(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    """Missing files and folders are named."""
    with pytest.raises(DataError, match="No such file"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(DataError, match="directory"):
        read_csv(tmp_path)
