"""Twenty graphs of twenty kinds, drawn, and measured in the browser: what a reader sees is readable."""

from __future__ import annotations

import re
import shutil

import pytest

from autograd_mini.drawing import draw, render
from tests.drawing.graphs import GRAPHS
from tests.effort import effort

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")

MEASURE = """
() => {
  const svg = document.querySelector("svg");
  const own = (group, tag) => [...group.children].filter((child) => child.tagName === tag);
  const rectangle = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const union = (all) => [0, 1, 2, 3].map((i) => Math[i < 2 ? "min" : "max"](...all.map((r) => r[i])));
  const id = (group) => group.id.split("-")[1];
  const boxes = {}, frames = {}, texts = [], labels = [], ends = [], crossed = [];
  const names = [...svg.querySelectorAll("g.cluster > text")].map((text) => [text.textContent, rectangle(text)]);
  for (const group of svg.querySelectorAll("g.node")) {
    const cells = own(group, "polygon");
    if (!cells.length) continue;
    const inner = group.querySelector("g.node");
    (inner ? frames : boxes)[id(group)] = union(cells.map(rectangle));
    if (inner) continue;
    const fills = cells.filter((cell) => cell.getAttribute("fill") !== "none");
    for (const text of own(group, "text")) {
      const place = rectangle(text), middle = [(place[0] + place[2]) / 2, (place[1] + place[3]) / 2];
      const below = fills.filter((cell) => { const r = rectangle(cell);
        return r[0] <= middle[0] && middle[0] <= r[2] && r[1] <= middle[1] && middle[1] <= r[3]; }).pop();
      texts.push([text.textContent, place, below ? rectangle(below) : null, below ? below.getAttribute("fill") : null]);
    }
  }
  const scale = svg.getScreenCTM().a;
  for (const group of svg.querySelectorAll("g.edge")) {
    const path = own(group, "path")[0], tip = own(group, "polygon")[0];
    if (!path) continue;
    const matrix = path.getScreenCTM(), length = path.getTotalLength();
    const at = (x) => { const p = path.getPointAtLength(x).matrixTransform(matrix); return [p.x, p.y]; };
    const points = [...Array(Math.ceil(length / 6) + 2).keys()].map((i) => at(Math.min(length, 6 * i)));
    for (const [name, r] of names) {
      if (points.some(([x, y]) => r[0] < x && x < r[2] && r[1] < y && y < r[3])) crossed.push(name);
    }
    if (tip) ends.push([id(group), at(0), rectangle(tip)]);
    const lines = own(group, "text");
    if (lines.length) {  // those of one label
      const r = union(lines.map(rectangle));
      labels.push([lines[0].textContent, Math.min(...points.map(([x, y]) =>
        Math.hypot(Math.max(r[0] - x, 0, x - r[2]), Math.max(r[1] - y, 0, y - r[3])))), r]);
    }
  }
  return { boxes, frames, texts, labels, ends, crossed, names, size: rectangle(svg) };
}
"""


@pytest.fixture(scope="module")
def measured():
    """Give a function that draws a graph and measures its picture, once."""
    known: dict = {}
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})

        def measure(name: str, without_dot: bool = False):
            if (name, without_dot) not in known:
                with pytest.MonkeyPatch.context() as patch:
                    if without_dot:
                        patch.setattr(render, "programs", list)
                    drawing = draw(GRAPHS[name]())
                    page.set_content(f"<body style='margin:0'>{drawing.svg}</body>")
                known[name, without_dot] = drawing, page.evaluate(MEASURE)
            return known[name, without_dot]

        yield measure
        browser.close()


def gap(a, b) -> float:
    """How far two rectangles are apart."""
    return max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3])


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("name", "without_dot"),
    [*((name, False) for name in GRAPHS), *((name, True) for name in effort([*GRAPHS][:6], [*GRAPHS]))],
)
def test_texts_stay_in_boxes_and_boxes_apart(measured, name, without_dot):
    """No text leaves its cell, and no box overlaps another."""
    _, found = measured(name, without_dot)
    for text, place, cell, _ in found["texts"]:
        if text.strip() and text.isascii():  # letters of other scripts are wider than any font says
            assert cell is not None, text
            assert cell[0] - 2 <= place[0], text
            assert place[2] <= cell[2] + 2, text
    boxes = [*found["boxes"].values()]
    assert boxes
    for i, a in enumerate(boxes):
        assert all(gap(a, b) > -1.0 for b in boxes[:i])


@pytest.mark.parametrize("name", GRAPHS)
def test_labels_stand_on_their_arrows(measured, name):
    """Every label is within 20 px of its arrow, and none is behind a box."""
    _, found = measured(name)
    for text, distance, place in found["labels"]:
        assert distance <= 20.0, text
        assert all(gap(place, box) > -4.0 for box in found["boxes"].values()), text


@pytest.mark.parametrize("name", GRAPHS)
def test_arrows_end_at_boxes(measured, name):
    """No arrow begins or ends in empty space."""
    _, found = measured(name)
    places = [*found["boxes"].values(), *found["frames"].values()]
    for key, (x, y), tip in found["ends"]:
        assert min(gap((x, y, x, y), place) for place in places) < 6.0, key
        assert min(gap(tip, place) for place in places) < 6.0, key


@pytest.mark.parametrize("name", GRAPHS)
def test_no_arrow_crosses_the_name_of_a_frame(measured, name):
    """The name of a scope stands in the picture, clear of arrows and boxes."""
    _, found = measured(name)
    left, top, right, bottom = found["size"]
    assert found["crossed"] == []
    for text, place in found["names"]:
        assert all(gap(place, box) > -1.0 for box in found["boxes"].values()), text
        assert left <= place[0] < place[2] <= right + 1, text
        assert top <= place[1] < place[3] <= bottom + 1, text


WIDE = {"norm": 1300, "mixture": 1400}  # many operations side by side


@pytest.mark.parametrize("name", GRAPHS)
def test_pictures_fit_the_column_of_a_page(measured, name):
    """A picture is at most as wide as a column of 830 px shows with small letters of 9 px, where layout allows it."""
    _, found = measured(name)
    assert found["size"][2] - found["size"][0] <= WIDE.get(name, 10.0 * 4 / 3 * 830 / 9), found["size"]


@pytest.mark.parametrize("name", GRAPHS)
def test_time_runs_one_way(measured, name):
    """All arrows point in one direction, except those of a loop that shares its boxes."""
    drawing, found = measured(name)
    down = "rankdir=TB" in drawing.dot
    boxes = found["boxes"] | found["frames"]
    ends = re.findall(r"^(\w+)(?::(n\d+))?\S* -> (\w+)(?::(n\d+))?\S* \[id=e\d+", drawing.dot, re.M)
    for tail, inner, head, other in ends:
        a, b = boxes[inner or tail], boxes[other or head]
        assert b[1 if down else 0] > a[1 if down else 0], (tail, head)


@pytest.mark.parametrize("name", GRAPHS)
def test_pictures_fit_a_page(measured, name):
    """No picture is wider than three times its height; a chain may be tall, because pages scroll."""
    _, found = measured(name)
    left, top, right, bottom = found["size"]
    assert right - left <= 3.1 * (bottom - top)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG."""
    parts = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("name", GRAPHS)
def test_texts_have_contrast(measured, name):
    """Black text on each background has a contrast of at least 4.5."""
    _, found = measured(name)
    for fill in {fill for _, _, _, fill in found["texts"] if fill}:
        assert (luminance(fill) + 0.05) / 0.05 >= 4.5, fill


def test_without_dot_the_picture_says_so(measured):
    """Where no dot program is found, the picture has the same boxes, arrows and tooltips, and says so."""
    for name in ("neuron", "softmax", "samples"):
        drawing, found = measured(name, without_dot=True)
        _, usual = measured(name)
        assert "pip install graphviz-pure" in drawing.svg
        assert found["boxes"].keys() == usual["boxes"].keys()
        assert {end[0] for end in found["ends"]} == {end[0] for end in usual["ends"]}
        assert drawing.svg.count("<title>") >= len(found["boxes"])


def test_no_arrow_passes_behind_a_layer():
    """An arrow from a layer to what comes after the next one goes around the boxes between."""
    from autograd_mini.drawing.labels import _CELL, _EDGE, _PATH, _along, _bounds

    svg = draw(GRAPHS["samples"](), direction="LR").svg
    cells = [_bounds(points) for points in _CELL.findall(svg)]
    arrows = [_PATH.search(group)[1] for group in _EDGE.findall(svg)]
    assert len(arrows) > 15
    for arrow in arrows:
        inside = [*_along(arrow)][3:-3]
        assert not [c for c in cells for x, y in inside if c[0] + 3 < x < c[2] - 3 and c[1] + 3 < y < c[3] - 3]


def test_elements_of_a_list_stand_in_order():
    """Inputs stand in the order of their indices, even where another order would cross fewer arrows."""
    import autograd_mini as am

    for largest in range(4):
        z = [am.Value(float(i == largest), name=f"z{i}") for i in range(4)]
        for direction, axis in (("LR", "y"), ("TB", "x")):
            svg = draw(am.logsumexp(z), expand="logsumexp", direction=direction).svg
            place = {name: float(x) for x, name in re.findall(rf' {axis}="(-?[\d.]+)"[^>]*>(z\d)<', svg)}
            assert sorted(place, key=place.__getitem__) == ["z0", "z1", "z2", "z3"]


@pytest.mark.parametrize("without_dot", [False, True])
def test_results_in_a_frame_stand_in_order(monkeypatch, without_dot):
    """The results of an open softmax stand in the order of their indices, each at the end of its own arrows."""
    import autograd_mini as am

    if without_dot:
        monkeypatch.setattr(render, "programs", list)
    z = [am.Value(number, name=f"z{i}") for i, number in enumerate((2.0, 1.0, 0.1))]
    a = am.softmax(z)
    for i, probability in enumerate(a):
        probability.name = f"a{i}"
    drawing = draw(-am.dot([1.0, 0.0, 0.0], [am.log(p) for p in a]), expand="softmax", direction="TB")
    found = re.findall(r' x="(-?[\d.]+)" y="(-?[\d.]+)"[^>]*>(a\d)(?: = [^<]*)?<', drawing.svg)
    assert [name for _, _, name in sorted(found, key=lambda place: float(place[0]))] == ["a0", "a1", "a2"]
    assert len({y for _, y, _ in found}) == 1
    heads = {name: float(x) for x, _, name in found}
    starts = sorted(
        float(x)
        for x in re.findall(
            r' d="M(-?[\d.]+),[^"]*"/>\n<polygon[^>]*>\n<text[^>]*> (?:1.517|4.125|10.15) ', drawing.svg
        )
    )
    assert all(abs(x - start) < 60.0 for x, start in zip(sorted(heads.values()), starts, strict=True))


def test_results_of_a_call_stand_side_by_side_above_their_arrows():
    """In a picture that goes down, arrows leave a folded call below the gradients, not from behind them."""
    import autograd_mini as am

    z = [am.Value(float(i), name=f"z{i}") for i in range(3)]
    a = am.softmax(z)
    for i, probability in enumerate(a):
        probability.name = f"a{i}"
    loss = am.sum([am.log(p) for p in a])
    loss.backward()
    svg = draw(loss, direction="TB").svg
    place = {
        name: (float(x), float(y)) for x, y, name in re.findall(r' x="(-?[\d.]+)" y="(-?[\d.]+)"[^>]*>(a\d)<', svg)
    }
    assert len({y for _, y in place.values()}) == 1
    assert sorted(place, key=place.__getitem__) == ["a0", "a1", "a2"]
    starts = [float(y) for y in re.findall(r'<path fill="none"[^>]* d="M-?[\d.]+,(-?[\d.]+)', svg)]
    note = float(re.search(r' y="(-?[\d.]+)"[^>]*>derivative', svg)[1])
    assert min(start for start in starts if start > note - 30.0) > place["a0"][1] + 20.0


def test_a_graph_with_parts_fits_a_page():
    """More than 40 boxes become neurons; `force` and `expand` show what is in them."""
    import autograd_mini as am

    model = am.nn.MLP(3, [4, 4, 1], activation="tanh", seed=0)
    loss = (model([am.Value(v, name=f"x{i}") for i, v in enumerate((2.0, 3.0, -1.0))]) - 1.0) ** 2
    assert draw(loss).boxes == 14
    assert draw(loss, force=True).boxes == draw(loss).nodes
    assert draw(loss, expand="Layer1/Neuron2").boxes > 12
    losses = [(model([x, 1.0, -x]) - 1.0) ** 2 for x in (0.5, 1.0, 1.5, 2.0)]
    assert "Layer0 × 4" in draw(am.mean(losses), depth=0).svg  # four samples in one box per layer
    assert draw(am.mean(losses), depth=0).boxes < 15


def test_leaves_used_alike_stand_in_a_row():
    """The weights of a loop each have a box, list by list in their order, and one arrow for all to each step."""
    for name, leaves, steps in (("loop", ["w", "u", "b"], 10), ("recurrent", ["w0", "w1", "w2", "w3", "u0", "u1"], 10)):
        dot = draw(GRAPHS[name]()).dot
        (row,) = re.findall(r"^(c\d+) \[.*", dot, re.M)
        (text,) = re.findall(rf"^{row} \[(.*)", dot, re.M)
        assert re.findall(r"<B>(\w+)</B>", text) == leaves
        assert len(re.findall(rf"^{row} -> ", dot, re.M)) == steps


def test_texts_stand_in_the_middle_of_their_cells(measured):
    """Letters beyond ASCII, which dot measures too wide, do not push a text aside."""
    for name in ("neuron", "black_scholes", "unswept", "norm"):
        _, found = measured(name)
        lines: dict = {}
        for text, place, cell, _ in found["texts"]:
            if text.strip():
                lines.setdefault(tuple(cell), []).append(place)
        for cell, places in lines.items():
            middle = (min(p[0] for p in places) + max(p[2] for p in places)) / 2.0
            assert abs(middle - (cell[0] + cell[2]) / 2.0) < 4.0


def test_a_legend_says_what_the_letters_of_a_closed_form_stand_for():
    """Each letter beside a derivative that occurs is explained, and none that does not."""
    assert "o = tanh(x)" in draw(GRAPHS["neuron"]()).svg
    assert "t is the target" in draw(GRAPHS["loss"]()).svg
    assert "= tanh(x)" not in draw(GRAPHS["loss"](), legend=False).svg
    assert "sigmoid(x)" not in draw(GRAPHS["neuron"]()).svg


def test_samples_that_take_other_branches_inside_a_call_are_alike():
    """Four points of a mixture are one part, though logsumexp begins with the larger of its operands."""
    assert "logsumexp × 4" in draw(GRAPHS["mixture"]()).dot
    assert draw(GRAPHS["mixture"]()).boxes == 14
