"""Lines on a screen: they are broken between words, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.output.streams import columns, width, wrapped

ROOT = Path(__file__).parents[2]
WORDS = st.lists(st.text("ab数e\u0301", min_size=1, max_size=9), min_size=1, max_size=30)


@given(WORDS, st.integers(0, 6), st.integers(26, 60), st.booleans())  # 26: the longest word fits, with any indent
def test_lines_fit_and_keep_their_words(words, indent, most, coloured):
    """In columns, whatever the letters; colours take none; no word is broken."""
    said = [f"\x1b[31m{word}\x1b[0m" for word in words] if coloured else words
    line = " " * indent + " ".join(said)
    lines = wrapped(line, most)
    assert " ".join(lines).split() == said
    assert all(width(part) <= most for part in lines)
    assert lines[0].startswith(" " * indent)
    assert all(part.startswith(" " * (indent + 2)) for part in lines[1:])
    assert wrapped(line, 0) == [line]


def test_a_word_that_is_too_long_stays_whole():
    """A path longer than the line stands on a line of its own, in one piece."""
    assert wrapped("see /a/very/long/path now", 10) == ["see", "  /a/very/long/path", "  now"]


def test_what_is_no_terminal_has_no_width(capsys):
    """Where output is not a terminal, `columns` returns its argument, by default 0."""
    assert columns() == 0
    assert columns(80) == 80


@pytest.mark.parametrize("wide", [80, 60])
def test_every_line_fits_a_terminal(tmp_path, wide):
    """Help, the chain rule, explain, tables and the wrong order, of a program with long lines and names."""
    pexpect = pytest.importorskip("pexpect")
    program = tmp_path / "program.py"
    program.write_text(
        "import autograd_mini as am\n"
        "model = am.nn.MLP(2, [3, 2, 1], activation='tanh', seed=0)\n"
        "loss = (model([am.Value(0.5), am.Value(0.25)]) ** 2 + 1.0) * am.exp(model([am.Value(0.5), 1.0]))\n"
        "loss.backward()\n"
        "with am.provenance(): y = am.exp(model([am.Value(-0.5), 1.0])) + model([am.Value(0.5), 1.0])\n"
        "print(am.debug.wrong_order(y))\nprint(am.explain(y, model.parameters()[:2]))\n"
    )
    child = pexpect.spawn(
        sys.executable, ["-m", "autograd_mini", "debug", "program.py"], cwd=str(tmp_path), encoding="utf-8",
        dimensions=(200, wide), timeout=60,
        env={k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    said = ""
    for command in (
        "help",
        "help break",
        "n",
        "n",
        "s",
        "explain",
        "explain all",
        "grad",
        "tree",
        "check",
        "w",
        "r",
        "c",
        "c",
    ):
        child.expect_exact("(backprop) ")
        said += child.before
        child.sendline(command)
    child.expect(pexpect.EOF)
    said += child.before
    assert "In the end" in said
    for line in said.replace("\r", "").split("\n"):
        assert width(line) <= wide, line


def test_the_wrong_order_fits_a_pipe():
    """Side by side where there is room for it; else one below the other."""
    model = am.nn.MLP(2, [3, 2, 1], activation="tanh", seed=0)
    with am.provenance():
        y = model([am.Value(0.5), am.Value(0.25)]) ** 2
    text = str(am.debug.wrong_order(y))
    assert max(map(width, text.splitlines())) <= 80
    assert text.index("depth first") < text.index("\n\nin topological order\n")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "wrong_order.py"], capture_output=True, text=True, encoding="utf-8",
        check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "depth first                    in topological order" in done.stdout
    assert max(map(width, done.stdout.splitlines())) <= 90  # its own sentence
