"""The main job, as a user runs it: the installed command, its figures, its picture, bad files, bad usage."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from autograd_mini.demo.job import derive


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "autograd_mini", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def test_iris(tmp_path):
    """It trains on iris, shows derived beside closed form, prints both accuracies, writes the picture it names."""
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "150 samples, 4 numbers each, 3 classes; 120 to train on, 30 to test on" in done.stdout
    train, test = map(float, re.findall(r"([\d.]+)% ", done.stdout))
    assert train > 95
    assert test > 90
    rows = re.findall(r"^(?:setosa|versicolor|virginica) +\S+ +\S+ +[01] +(\S+) +(\S+)$", done.stdout, re.MULTILINE)
    assert len(rows) == 3
    assert all(float(derived) == pytest.approx(float(closed), abs=1e-15) for derived, closed in rows)
    for ulp in re.findall(r"largest difference: (\S+) ulp", done.stdout):
        assert float(ulp) <= 4.0
    assert "step" in done.stderr  # the progress bar
    assert str(tmp_path / "loss.svg") in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["loss.svg"]
    text = " ".join(ElementTree.parse(tmp_path / "loss.svg").getroot().itertext())
    assert "cross_entropy" in text
    assert "loss" in text


def test_own_data(tmp_path):
    """A file of the user's own, with text labels; seeds decide; another place for the picture."""
    lines = [f"{i % 7},{i % 3},{'yes' if i % 7 > 3 else 'no'}" for i in range(60)]
    (tmp_path / "own.csv").write_text("\n".join(lines))
    first = run("demo", "--data", "own.csv", "--steps", "150", "--seed", "3", "-o", "sub.svg", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "100.0% on the test samples" in first.stdout
    assert (tmp_path / "sub.svg").exists()
    again = run("demo", "--data", "own.csv", "--steps", "150", "--seed", "3", "-o", "sub.svg", cwd=tmp_path)
    assert again.stdout == first.stdout


def test_many_columns_and_classes(tmp_path):
    """Wide data: the picture begins at the logits, the table shows the first classes and says so."""
    lines = [",".join(str((i * k) % 11) for k in range(1, 41)) + f",class{i % 9}" for i in range(90)]
    (tmp_path / "wide.csv").write_text("\n".join(lines))
    done = run("demo", "--data", "wide.csv", "--steps", "5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 more classes" in done.stdout
    assert (tmp_path / "loss.svg").exists()


def test_bad_data_writes_nothing(tmp_path):
    """One sentence on standard error, status 1, no picture."""
    (tmp_path / "bad.csv").write_text("x,y,label\n1,2,a\n1,oops,b\n")
    done = run("demo", "--data", "bad.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "autograd-mini: bad.csv, line 3, column 2 (y): 'oops' is not a number.\n"
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


def test_a_place_that_cannot_be_written(tmp_path):
    """A missing folder or an unknown ending is found before the training begins."""
    for place, message in (("none/loss.svg", "no folder 'none'"), ("loss.txt", "End the name in .svg")):
        done = run("demo", "-o", place, cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr
        assert "where:" not in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["demo", "--steps", "0"],
        ["demo", "--steps", "x"],
        ["demo", "--seed", "x"],
        ["demo", "--unknown"],
        ["demo", "x"],
    ],
)
def test_bad_usage(tmp_path, arguments):
    """Exit status 2 and a usage line."""
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: autograd-mini")


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"]])
def test_help(tmp_path, arguments):
    """--help everywhere, status 0."""
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: autograd-mini")


def test_the_installed_command(tmp_path):
    """The console script is the same program."""
    command = Path(sys.executable).with_name("autograd-mini")
    done = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, run("--help", cwd=tmp_path).stdout)


def test_extreme_logits():
    """Derived and closed forms agree where probabilities underflow, and the units are those the output names."""
    found = derive([1000.0, 0.0, -1000.0], 1)
    assert found.slopes == pytest.approx([1.0, -1.0, 0.0])
    assert found.slope_error == 0.0
    assert math.isfinite(found.jacobian_error)
