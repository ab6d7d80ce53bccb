"""Every example runs, alone and in an empty folder; what it draws is the committed picture."""

from __future__ import annotations

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
    "moons": "step 59",
    "network_from_primitives": "largest difference from backprop by hand",
    "softmax_derivative": "a - t:                [-0.340999, 0.242433, 0.098566]",
    "wrong_order": "In the end a gets 6 instead of 4.",
    "xor": "[0.0, 1.0] -> 0.99",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    """It ends well, prints what it promises, and stays under 60 lines."""
    pictures = {p: p.read_bytes() for p in (ROOT / "visualizations").glob("*.svg")}
    assert pictures
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", path], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        redrawn = {p: contents(p.read_bytes()) for p in (ROOT / "visualizations").glob("*.svg")}
    finally:
        for picture, committed in pictures.items():
            picture.write_bytes(committed)
    assert done.returncode == 0, done.stderr
    assert PROMISES[path.stem] in done.stdout
    assert len(path.read_text().splitlines()) < 60
    assert redrawn == {picture: contents(committed) for picture, committed in pictures.items()}


def contents(svg):
    """What a picture says, wherever the layout program puts it: its texts, and how many shapes of each kind it has."""
    root = ElementTree.fromstring(svg)
    texts = Counter("".join(e.itertext()).strip() for e in root.iter() if e.tag.endswith(("}text", "}title")))
    return texts, Counter(e.get("class") for e in root.iter() if e.get("class"))
