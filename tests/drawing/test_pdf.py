"""A picture as PDF: the page has the size, the texts and the shapes of the SVG, and readers can find its parts."""

from __future__ import annotations

import html
import re

import pytest

from autograd_mini.drawing import draw
from autograd_mini.drawing.render import pdf
from tests.drawing.graphs import GRAPHS


@pytest.mark.parametrize("name", ["neuron", "branches", "samples", "hostile", "attention"])
def test_the_page_is_the_picture(name):
    """Each text of the SVG is one of the page, and each shape too; the page is as large as the picture."""
    svg = draw(GRAPHS[name]()).svg
    page = pdf(svg).decode("cp1252")
    width, height = map(float, re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg).groups())
    assert f"/MediaBox [0 0 {width:.2f} {height:.2f}]" in page
    assert page.count(" Tj ET") == svg.count("<text")
    shapes = re.findall(r"<(?:path|polygon|polyline) [^>]*>", svg)
    visible = [shape for shape in shapes if 'fill="none" stroke="none"' not in shape]
    assert len(re.findall(r" [BfS]\n", page)) == len(visible)
    for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg):
        plain = html.unescape(text)
        if plain.isascii():
            literal = re.sub(r"([\\()])", r"\\\1", plain)
            assert f"({literal}) Tj" in page


def test_the_file_is_where_its_table_says():
    """Readers find each object at the place in the table, and the table at the place at the end."""
    file = pdf(draw(GRAPHS["neuron"]()).svg)
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", file)[1])
    assert file[start:].startswith(b"xref\n0 5\n")
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", file)]
    assert [file[place:].split(b" ", 1)[0] for place in places] == [b"1", b"2", b"3", b"4"]
    length = int(re.search(rb"/Length (\d+)", file)[1])
    assert file[file.index(b"stream\n") + 7 :][length:].startswith(b"\nendstream")


def test_letters_that_courier_lacks_are_code_points():
    """A Chinese letter is written as U+6F22, rather than lost."""
    assert b"U+6F22U+5B57" in pdf(draw(GRAPHS["hostile"]()).svg)
