"""The gallery: drawing it again gives the committed pictures, and each has its caption."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.test_examples import contents
from visualizations.__main__ import CAPTIONS, PHOTOGRAPHS, pictures, readme

ROOT = Path(__file__).parent.parent
PLOTS = ("training", "boundary")


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    """The gallery, drawn by a copy of its programs."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("visualizations", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.svg", "__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); import runpy; "
         "runpy.run_module('visualizations', run_name='__main__')"],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "visualizations"


def test_every_picture_has_a_caption():
    """Committed pictures, captions and the programs that draw them are the same set, and the gallery lists them."""
    committed = {path.stem for path in (ROOT / "visualizations").glob("*.svg")}
    assert committed == set(CAPTIONS) == set(pictures())
    assert (ROOT / "visualizations" / "README.md").read_text(encoding="utf-8") == readme()


@pytest.mark.parametrize("name", CAPTIONS)
def test_drawn_again(redrawn, name):
    """The same texts and shapes; of plots, which follow from sums in the last digits, the same elements."""
    committed, again = ((folder / f"{name}.svg").read_bytes() for folder in (ROOT / "visualizations", redrawn))
    if name in PLOTS:
        committed, again = ([e.tag for e in ElementTree.fromstring(svg).iter()] for svg in (committed, again))
        assert committed == again
    else:
        assert contents(committed) == contents(again)


@pytest.mark.parametrize("name", CAPTIONS)
def test_well_formed_and_alone(name):
    """Each committed picture is XML with unique ids that links to nothing outside."""
    root = ElementTree.fromstring((ROOT / "visualizations" / f"{name}.svg").read_bytes())
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = [value for e in root.iter() for key, value in e.attrib.items() if key.endswith("href")]
    assert all(re.match("#", link) for link in links)


def test_softmax_shows_a_minus_t():
    """The picture at the top of the README shows the gradient `a - t`."""
    text = (ROOT / "visualizations" / "softmax.svg").read_text()
    for number in ("0.659", "&#45;0.341", "0.2424", "0.09857"):
        assert f">{number}<" in text


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_pages_are_photographed_again(redrawn, name):
    """In Chromium; for a picture made of pixels only the size is the same everywhere."""
    committed, again = ((folder / f"{name}.png").read_bytes() for folder in (ROOT / "visualizations", redrawn))
    assert committed[:4] == b"\x89PNG"
    assert committed[16:24] == again[16:24]
