"""Every example runs, alone and from any folder; it draws the committed picture."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PROMISES = {  # what a run prints, beside its own asserts
    "first_five_minutes": "do/dw1 = +1.0000",
    "iris": "on the test flowers",
    "java_class": "It is 1/a - a: 1/a - a is not 1 - a*a.",
    "moons": "step 59",
    "network_from_primitives": "largest difference from backprop by hand",
    "softmax_derivative": "a - t:                [-0.340999, 0.242433, 0.098566]",
    "step_through": "softmax has handed on. Gradients: x 0.4404, w 1.7616",
    "training_run": "step 200: the gradients begin to explode",
    "wrong_order": "In the end a gets 6 instead of 4.",
    "xor": "[0.0, 1.0] -> 0.99",
}


DRAWN = {"first_five_minutes": "neuron", "softmax_derivative": "softmax"}  # the committed picture


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    """It ends well, prints what it promises, stays under 60 lines, and writes into the current folder alone."""
    if path.stem == "java_class" and shutil.which("javac") is None:
        pytest.skip("javac is not installed")
    before = checkout()
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert PROMISES[path.stem] in done.stdout
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    assert checkout() == before
    for drawn in tmp_path.iterdir():
        assert drawn.name in done.stdout
    if path.stem in DRAWN:
        name = f"{DRAWN[path.stem]}.svg"
        committed, again = (folder / name for folder in (ROOT / "visualizations", tmp_path))
        assert contents(again.read_bytes()) == contents(committed.read_bytes())


def checkout():
    """The files in the folders that an example might write into, and when they were written."""
    folders = ROOT, ROOT / "examples", ROOT / "examples" / "java", ROOT / "visualizations"
    return {path: path.stat().st_mtime_ns for folder in folders for path in folder.iterdir() if path.is_file()}


def contents(svg):
    """What a picture says, wherever the layout program puts it: its texts, and how many shapes of each kind it has."""
    root = ElementTree.fromstring(svg)
    texts = Counter("".join(e.itertext()).strip() for e in root.iter() if e.tag.endswith(("}text", "}title")))
    return texts, Counter(e.get("class") for e in root.iter() if e.get("class"))
