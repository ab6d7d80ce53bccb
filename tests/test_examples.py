"""Every example runs, alone and in an empty folder; what it draws is the committed picture."""

from __future__ import annotations

import subprocess
import sys
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
    "xor": "[0.0, 1.0] -> 0.99",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    """It ends well, prints what it promises, and stays under 60 lines."""
    pictures = {p: p.read_bytes() for p in (ROOT / "visualizations").glob("*.svg")}
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert PROMISES[path.stem] in done.stdout
    assert len(path.read_text().splitlines()) < 60
    redrawn = {p: p.read_bytes() for p in (ROOT / "visualizations").glob("*.svg")}
    try:
        assert redrawn == pictures, "an example draws something else than the committed picture"
    finally:
        for picture, content in pictures.items():
            picture.write_bytes(content)
