"""Drawing: what the picture says, how it is rendered, and what happens when it cannot be."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from xml.etree import ElementTree

import pytest

import autograd_mini as am
from autograd_mini import ArgumentError, AutogradError, MissingError, OperandError, ProgramError, Value
from autograd_mini.drawing import Drawing, draw, render
from autograd_mini.drawing.style import FAINT
from tests.effort import effort

SVG = "{http://www.w3.org/2000/svg}"
GREY, MAGENTA, WHITE = "#d4d4d4", "#ff8cff", "#ffffff"
posix = pytest.mark.skipif(os.name == "nt", reason="the fake programs are scripts with a shebang")


class Seen:
    """A drawing as read from its SVG: texts, fills and tooltips by id, without the prefix."""

    def __init__(self, drawing: Drawing) -> None:
        self.root = ElementTree.fromstring(drawing.svg)
        self.texts, self.fills, self.tooltips, self.dashed, self.strokes = {}, {}, {}, {}, {}
        for group in self.root.iter(f"{SVG}g"):
            key = group.get("id").partition("-")[2]
            own = [element for element in group if element.tag != f"{SVG}g"]
            self.texts[key] = ["".join(element.itertext()).strip() for element in own if element.tag == f"{SVG}text"]
            self.fills[key] = [element.get("fill") for element in own if element.tag == f"{SVG}polygon"]
            self.tooltips[key] = "".join(element.text or "" for element in own if element.tag == f"{SVG}title")
            paths = [element for element in own if element.tag == f"{SVG}path"]
            self.strokes[key] = paths[0].get("stroke") if paths else None
            self.dashed[key] = any("stroke-dasharray" in element.attrib for element in paths)
        lines = re.findall(r"^(n\d+) -> (n\d+) \[id=(e\d+)", drawing.dot, re.M)
        self.ends = {edge: (tail, head) for tail, head, edge in lines}

    def node(self, header: str) -> str:
        (key,) = [key for key, texts in self.texts.items() if key[0] == "n" and self.header(key) == header]
        return key

    def header(self, key: str) -> str:
        return " ".join(self.texts[key][:-2])

    def value(self, header: str) -> str:
        return self.texts[self.node(header)][-2]

    def gradient(self, header: str) -> str:
        return self.texts[self.node(header)][-1]

    def colour(self, header: str) -> str:
        return [fill for fill in self.fills[self.node(header)] if fill != "none"][-1]

    def edges(self) -> list[tuple[str, str, str]]:
        return [
            (self.header(a), self.texts[edge][0], self.header(b))
            for edge, (a, b) in sorted(self.ends.items(), key=lambda item: int(item[0][1:]))
        ]

    def edge(self, tail: str, head: str) -> str:
        (key,) = [key for key, ends in self.ends.items() if ends == (self.node(tail), self.node(head))]
        return key


def neuron() -> Value:
    x1, w1, b = Value(2.0, name="x1"), Value(-3.0, name="w1"), Value(6.5, name="b")
    o = (x1 * w1 + b) ** 2.0
    o.name = "o"
    return o


def program(tmp_path, monkeypatch, body: str) -> str:
    """A program that does this, which the environment variable names."""
    path = tmp_path / "fake-dot"
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(0o755)
    monkeypatch.setenv(render.VARIABLE, str(path))
    return str(path)


# -- what the picture says ---------------------------------------------------------------------------------------------


def test_every_node_and_edge_is_there_with_its_numbers():
    """Each node is a box with value and gradient, each operand an arrow with the local derivative."""
    o = neuron()
    o.backward()
    drawing = draw(o, precision=6)
    seen = Seen(drawing)
    assert {seen.header(key): tuple(seen.texts[key][-2:]) for key in seen.texts if key[0] == "n"} == {
        "x1": ("2", "-3"),
        "w1": ("-3", "2"),
        "×": ("-6", "1"),
        "b": ("6.5", "1"),
        "+": ("0.5", "1"),
        "o = □ ** 2": ("0.25", "1"),
    }
    assert seen.edges() == [
        ("x1", "-3", "×"),
        ("w1", "2", "×"),
        ("×", "1", "+"),
        ("b", "1", "+"),
        ("+", "1", "o = □ ** 2"),
    ]
    assert (drawing.nodes, drawing.edges) == (6, 5)
    assert repr(drawing) == "Drawing(6 nodes, 5 edges)"
    assert repr(draw(Value(1.0) * 2.0)) == "Drawing(2 nodes, 1 edge)"


def test_a_value_used_twice_has_two_edges():
    """`a + a` and `a * a` show two arrows from the same box."""
    a = Value(3.0, name="a")
    assert Seen(draw(a + a)).edges() == [("a", "1", "+"), ("a", "1", "+")]
    assert Seen(draw(a * a)).edges() == [("a", "3", "×"), ("a", "3", "×")]


def test_before_any_backward_the_gradient_is_not_zero_but_absent():
    """Without a backward, boxes, tooltips and legend read `no backward yet`."""
    o = neuron()
    seen = Seen(draw(o))
    assert {seen.texts[key][-1] for key in seen.texts if key[0] == "n"} == {"no backward yet"}
    assert all("gradient no backward yet" in text for key, text in seen.tooltips.items() if key[0] == "n")
    assert "gradient: no backward yet" in seen.texts["graph"]


def test_a_backward_of_another_root_is_none_of_this_one():
    """A gradient that another root's backward left behind is not shown as this one's."""
    x = Value(2.0, name="x")
    other, y = x * 5.0, x * 3.0
    other.backward()
    assert Seen(draw(y)).gradient("x") == "no backward yet"


def test_a_gradient_that_was_cleared_is_not_shown_as_zero():
    """After `x.grad = None` the box reads `cleared`."""
    x = Value(2.0, name="x")
    y = x * 3.0
    y.backward()
    x.grad = None
    assert Seen(draw(y)).gradient("x") == "cleared"


def test_a_branch_not_taken_has_gradient_zero_and_dashed_faint_edges():
    """Behind an untaken branch gradients are 0, whatever `.grad` holds, and its arrow is dashed and faint."""
    x, y = Value(2.0, name="x"), Value(5.0, name="y")
    dead = y * 3.0
    dead.name = "dead"
    (y * 7.0).backward()  # leaves a number that has nothing to do with the picture
    result = am.where(x > 0.0, x, dead)
    result.backward()
    seen = Seen(draw(result))
    head = "result = where(1, □, □)"
    assert (seen.gradient("x"), seen.gradient("dead = □ × 3"), seen.gradient("y")) == ("1", "0", "0")
    assert seen.colour("dead = □ × 3") == seen.colour("y") == GREY != seen.colour("x")
    assert ".grad is 7.0" in seen.tooltips[seen.node("y")]
    taken, dropped = seen.edge("x", head), seen.edge("dead = □ × 3", head)
    behind = seen.edge("y", "dead = □ × 3")
    assert (seen.dashed[taken], seen.dashed[dropped], seen.dashed[behind]) == (False, True, False)
    assert seen.strokes[dropped] == seen.strokes[behind] != seen.strokes[taken]
    assert (seen.texts[dropped], seen.texts[behind]) == (["0"], ["3"])
    assert "branch not taken" in seen.tooltips[dropped]


def test_an_edge_that_carried_nothing_is_faint():
    """After backward, arrows that carried a product of 0 are paler than the others; before it all are alike."""
    x, w = Value(0.0, name="x"), Value(1.0, name="w")
    y = x * w
    before = Seen(draw(y))
    y.backward()
    after = Seen(draw(y))
    edges = before.edge("x", "y = ×"), before.edge("w", "y = ×")
    assert len({before.strokes[edge] for edge in edges}) == 1
    assert len({after.strokes[edge] for edge in edges}) == 2
    stopped = am.exp(am.sin(w) * 0.0)
    stopped.backward()
    seen = Seen(draw(stopped))
    edges = seen.edge("□ × 0", "stopped = exp"), seen.edge("sin", "□ × 0"), seen.edge("w", "sin")  # 1, 0 and cos(1)
    assert seen.strokes[edges[0]] != seen.strokes[edges[1]] == seen.strokes[edges[2]]


def test_an_edge_that_hands_on_nan_is_not_faint():
    """0 times inf is nan, and nan times 0 too: between single operations, and at a whole scope."""
    x, w = Value(0.0, name="x"), Value(2.0, name="w")
    with am.scope("inner"):
        logarithm = am.log(x * w)
    y = logarithm * 0.0
    y.backward()
    seen = Seen(draw(y, expand="inner"))
    assert (seen.gradient("x"), seen.gradient("w"), seen.gradient("logarithm = log")) == ("nan", "nan", "0")
    for tail, head in (("×", "logarithm = log"), ("x", "×"), ("w", "×")):  # 0 × inf, nan × 2, nan × 0
        assert seen.strokes[seen.edge(tail, head)] != FAINT
    assert seen.strokes[seen.edge("logarithm = log", "y = □ × 0")] == FAINT
    bundles = re.findall(r"^n\d+ -> n\d+ \[id=e\d+(.*)\]", draw(y, depth=0, direction="LR").dot, re.M)
    assert [FAINT in style for style in bundles] == [False, False, True]


def test_colours_tell_sign_size_zero_and_nan():
    """Positive is red, negative blue, paler when smaller, zero grey, and nan and inf magenta."""
    names = {"p": 1000.0, "q": 10.0, "r": 1e-9, "m": -1000.0, "n": -10.0, "z": 0.0}
    leaves = [Value(1.0, name=name) for name in names]
    total = am.sum([leaf * slope for leaf, slope in zip(leaves, names.values(), strict=True)])
    total.backward()
    seen = Seen(draw(total))
    rgb = {name: [int(seen.colour(name)[i : i + 2], 16) for i in (1, 3, 5)] for name in names}
    assert all(rgb[name][0] > rgb[name][2] for name in "pqr")  # red
    assert all(rgb[name][0] < rgb[name][2] for name in "mn")  # blue
    assert rgb["p"][2] < rgb["q"][2] < rgb["r"][2]  # paler when smaller
    assert rgb["m"][0] < rgb["n"][0]
    assert seen.colour("z") == GREY
    assert seen.gradient("z") == "0"
    leaves[0].grad, leaves[1].grad = math.nan, -math.inf
    seen = Seen(draw(total))
    assert [(seen.gradient(name), seen.colour(name)) for name in "pq"] == [("nan", MAGENTA), ("-inf", MAGENTA)]
    assert seen.gradient("m") == "-1000"


@pytest.mark.parametrize("seed", [math.nan, math.inf, 0.0, 5e-324, 1.7e308, -0.0])
def test_extreme_gradients_are_drawn(seed):
    """Gradients of nan, inf, minus zero, the smallest and the largest float are drawn and read as such."""
    o = neuron()
    o.backward(seed)
    seen = Seen(draw(o))
    assert seen.gradient("o = □ ** 2") == f"{seed + 0.0:.4g}"


def test_constants_stand_in_the_box_that_uses_them():
    """Constants need no box of their own: the header of the operation shows them, the tooltip in full."""
    x = Value(0.5, name="x")
    for value, header in [
        (x * 2.0, "□ × 2"),
        (3.0 - x, "3 − □"),
        (1 / x, "1 ÷ □"),
        (-x, "−"),
        (am.clip(x, 0.0, 1.0), "clip(□, 0, 1)"),
        (am.exp(x), "exp"),
        (am.maximum(x, 0.1234567), "maximum(□, 0.1235)"),
    ]:
        drawing = draw(value)
        assert drawing.nodes == 2
        assert Seen(drawing).header("n1") == f"value = {header}"
    assert "0.1234567" in Seen(draw(am.maximum(x, 0.1234567))).tooltips["n1"]


def test_tooltips_have_all_digits():
    """Tooltips repeat value, gradient and local derivative with all digits, whatever the precision."""
    x = Value(1 / 3, name="x")
    y = am.sin(x)
    y.backward()
    seen = Seen(draw(y, precision=2))
    assert seen.texts["n0"] == ["x", "0.33", "0.94"]
    assert seen.tooltips["n0"] == f"x\nvalue {1 / 3!r}\ngradient {math.cos(1 / 3)!r}"
    assert seen.tooltips["e0"] == f"local derivative {math.cos(1 / 3)!r}"


def test_scopes_are_nested_clusters_and_two_calls_are_two():
    """A frame surrounds just the nodes of its scope, inner ones inside outer ones, one frame per entry."""
    x = Value(1.0, name="x")
    with am.scope("outer"):
        y = x * 2.0
        with am.scope("inner"):
            y = am.exp(y)
        y = am.sin(y)
    with am.scope("outer"):
        y = am.cos(y)
    drawing = draw(y, direction="LR")
    seen = Seen(drawing)
    assert [seen.texts[key] for key in ("s0", "s1", "s2")] == [["outer"], ["inner"], ["outer"]]
    assert seen.tooltips["s1"] == "outer > inner"

    def bounds(key: str) -> tuple[float, float]:
        group = next(g for g in seen.root.iter(f"{SVG}g") if g.get("id").endswith(f"-{key}"))
        shapes = [element.get("points") or element.get("d") for element in group if element.get("fill") != "black"]
        xs = [float(x) for text in shapes if text for x in re.findall(r"(-?[\d.]+),", text)]
        return min(xs), max(xs)

    def inside(key: str, cluster: str) -> bool:
        return bounds(cluster)[0] < bounds(key)[0] and bounds(key)[1] < bounds(cluster)[1]

    inner = {"s0": ("n1", "n2", "n3", "s1"), "s1": ("n2",), "s2": ("n4",)}
    for cluster in inner:
        for key in ("n0", "n1", "n2", "n3", "n4", "s1"):
            assert inside(key, cluster) == (key in inner[cluster]), (key, cluster)


def test_unnamed_nodes_are_called_by_their_source():
    """With provenance a box without a name shows its expression, and a name takes precedence."""
    with am.provenance():
        x, y = Value(2.0, name="x"), Value(3.0, name="y")
        z = x * y + 1.0
        total = sum([x, z])
    seen = Seen(draw(total))
    headers = ["x", "0 + □ in sum([x, z])", "y", "x * y", "z = □ + 1", "total = +"]  # a step of the sum is not the sum
    assert [seen.header(f"n{i}") for i in range(6)] == headers
    z.name = "other"
    seen = Seen(draw(z))
    assert seen.header("n3") == "other = □ + 1"
    assert seen.tooltips["n3"].endswith("source x * y + 1.0")


def test_operands_stand_in_their_order():
    """Left operands are drawn above right ones, with scopes and without."""
    leaves = [Value(float(i), name=f"v{i}") for i in range(6)]
    a, b, c, d, e, f = leaves
    for scoped in (False, True):
        with am.scope("s") if scoped else nullcontext():
            result = am.tanh((b * a + d * c) * (f * e))
        for direction, axis in (("LR", "y"), ("TB", "x")):
            svg = draw(result, direction=direction).svg
            place = {name: float(x) for x, name in re.findall(rf' {axis}="(-?[\d.]+)"[^>]*>(v\d)<', svg)}
            assert place["v1"] < place["v0"] < place["v3"] < place["v2"]
            assert place["v5"] < place["v4"]
    svg = draw(am.exp(a) - am.sqrt(b) * am.sin(a)).svg
    height = {name: float(y) for y, name in re.findall(r'y="(-?[\d.]+)"[^>]*>(sqrt|sin)<', svg)}
    assert height["sqrt"] < height["sin"]


def test_legend_title_and_direction():
    """The legend explains the colours and can be left out; the picture grows in the direction asked for."""
    o = neuron()
    o.backward()
    legend = Seen(draw(o, title="one neuron")).texts["graph"]
    assert legend[0] == "one neuron"
    assert {"gradient", "value", "on an arrow: local derivative", "-3", "-0.03", "0", "3"} <= set(legend)
    assert Seen(draw(o, legend=False)).texts["graph"] == []

    def place(direction: str, key: str) -> tuple[float, float]:
        text = next(g for g in Seen(draw(o, direction=direction)).root.iter(f"{SVG}g") if g.get("id").endswith(key))
        label = next(text.iter(f"{SVG}text"))
        return float(label.get("x")), float(label.get("y"))

    assert place("LR", "-n0")[0] < place("LR", "-n5")[0]
    assert place("RL", "-n0")[0] > place("RL", "-n5")[0]
    assert place("TB", "-n0")[1] < place("TB", "-n5")[1]
    assert place("BT", "-n0")[1] > place("BT", "-n5")[1]


def test_a_drawing_shows_the_graph_as_it_was():
    """A drawing made before backward does not change afterwards, although its SVG is made on demand."""
    o = neuron()
    before = draw(o)
    o.backward()
    assert Seen(before).gradient("x1") == "no backward yet"


# -- hostile text ------------------------------------------------------------------------------------------------------

HOSTILE = {
    "<b>&amp;</b>": "<b>&amp;</b>",
    "\\N": "\\N",
    "back\\": "back\\",
    "\\\\n": "\\\\n",
    'a"b|c:d': 'a"b|c:d',
    "it's; ]>": "it's; ]>",
    "-->": "-->",
    'URL="x" image="y"': 'URL="x" image="y"',
    "two\nlines": "two↵lines",
    "\x00\ud800\u202e!": "���!",
    "漢字 é 👩‍👧": "漢字 é 👩‍👧",
    "שלום עולם": "שלום עולם",
    "x" * 10_000: "x" * 16 + "…" + "x" * 15,
    '<g id="n0">': '<g id="n0">',
    '<text font-family="': '<text font-family="',
    "%s {0} \\1": "%s {0} \\1",
}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_user_text_comes_out_as_it_went_in(text):
    """Names with markup, escapes or any script appear letter by letter in boxes, frames, title and tooltips."""
    shown = HOSTILE[text]
    with am.scope(text):
        y = Value(1.0, name=text) * 2.0
    y.name = text
    y.backward()
    seen = Seen(draw(y, title=text))
    assert seen.header("n0") == shown
    assert seen.header("n1") == f"{shown} = □ × 2"
    assert seen.texts["s0"] == [shown]
    title = seen.texts["graph"][0]
    assert title == (shown if len(text) < 100 else "x" * 50 + "…" + "x" * 49)
    assert seen.tooltips["n0"].startswith(shown.partition("…")[0])
    assert seen.value(shown) == "1"


@pytest.mark.parametrize("text", ["", " ", "\u200b"])
def test_invisible_names_are_drawn(text):
    """Empty and invisible names still give a valid picture."""
    with am.scope(text):
        y = am.exp(Value(1.0, name=text))
    y.name = text
    assert len(Seen(draw(y, title=text)).ends) == 1


def test_no_links_and_no_files():
    """Names cannot smuggle links, images or other attributes and elements into DOT or SVG."""
    y = Value(1.0, name='URL="http://x" image="y.png"') * 2.0
    y.backward()
    drawing = draw(y)
    for label in ("n0", "e0", "graph"):
        assert label in drawing.tooltips
    outside = re.sub(r"label=<.*>\]", "", drawing.dot)
    assert not re.search(r"URL|href|image|shapefile|target", outside, re.I)
    root = ElementTree.fromstring(drawing.svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "g",
        "title",
        "polygon",
        "path",
        "text",
    }
    assert not [name for element in root.iter() for name in element.attrib if "href" in name]


# -- one page, many pictures -------------------------------------------------------------------------------------------


def ids(drawing: Drawing) -> list[str]:
    return [element.get("id") for element in ElementTree.fromstring(drawing.svg).iter() if element.get("id")]


def test_ids_are_unique_in_and_between_pictures():
    """No two pictures on one page share an id, even those whose labels agree."""
    o = neuron()
    before = draw(o)
    o.backward()
    pictures = [
        before,
        draw(o),
        draw(o, title="other"),
        draw(Value(1 / 3)),
        draw(Value(0.33333333)),
    ]  # the last two: same labels
    everything = [key for picture in pictures for key in ids(picture)]
    assert len(everything) == len(set(everything)) >= 5 * 2
    assert re.sub("digraph.*", "", pictures[-1].dot) == re.sub("digraph.*", "", pictures[-2].dot)
    assert all(key.partition("-")[2] for key in everything)


def test_an_svg_can_stand_inside_a_page():
    """The SVG has no prologue, sets its font once, and has a white background."""
    svg = draw(neuron()).svg
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>\n")
    root = ElementTree.fromstring(svg)
    assert root.get("font-family") == 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace'
    assert not [e for e in root.iter() if e is not root and e.get("font-family")]
    background = next(root.iter(f"{SVG}polygon"))
    assert background.get("fill") == "white"


def test_text_stays_inside_its_cell():
    """Texts of 17 digits and long names fit into the cells that Graphviz reserves for them."""
    o = neuron()
    o.name = "a rather long name, cut"
    o.backward()
    for element in ElementTree.fromstring(draw(o, precision=17).svg).iter(f"{SVG}g"):
        if element.get("class") != "node":
            continue
        boxes = [
            [float(x) for x in re.findall(r"(-?[\d.]+),", child.get("points"))]
            for child in element
            if child.tag == f"{SVG}polygon"
        ]
        for text in element.iter(f"{SVG}text"):
            left = float(text.get("x"))
            right = left + 0.602 * float(text.get("font-size")) * len(text.text)
            assert any(min(box) <= left and right <= max(box) for box in boxes), text.text


SCRIPT = """
import sys
import autograd_mini as am
with am.provenance():
    zs = [am.Value(z, name=f"z{i}") for i, z in enumerate([2.0, 1.0, 0.1])]
    loss = am.cross_entropy(zs, 0) + am.sum(am.softmax(zs)) + am.relu(zs[0] - 5.0)
loss.backward()
drawing = am.draw(loss, title="t")
sys.stdout.buffer.write((drawing.dot + drawing.svg).encode())
"""


def test_the_same_graph_gives_the_same_bytes(tmp_path):
    """DOT and SVG are the same bytes for every hash seed."""
    (tmp_path / "script.py").write_text(SCRIPT)
    outputs = [
        subprocess.run(
            [sys.executable, tmp_path / "script.py"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"</svg>") == 1


# -- limits ------------------------------------------------------------------------------------------------------------


def chain(nodes: int) -> Value:
    y = Value(1.0)
    for _ in range(nodes - 1):
        y = y + 1.0
    return y


def test_150_nodes_are_drawn_and_one_more_collapses():
    """Up to 150 boxes nothing collapses; `force=True` draws every node of more."""
    assert draw(chain(150)).boxes == 150
    assert draw(chain(151)).boxes < 10
    drawing = draw(chain(1001), force=True)
    assert (drawing.nodes, drawing.boxes) == (1001, 1001)
    assert len(Seen(drawing).ends) == 1000


def test_more_than_a_thousand_boxes_are_refused():
    """More than 1,000 boxes raise an error that names `depth`, `focus` and `force`."""
    y = Value(1.0)
    for i in range(1001):
        with am.scope(f"part {i}"):
            y = am.sin(y)
    with pytest.raises(ArgumentError, match=r"1,001 boxes.*(?s:.*)depth.*focus.*force=True"):
        draw(y, depth=0)
    assert draw(y, depth=0, force=True).boxes == 1001
    assert draw(y).boxes < 10


def calls(function) -> int:
    """How many functions are called by a function, those of C too."""
    counted = [0]

    def count(frame, event, what):
        counted[0] += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return counted[0]


def test_depth_does_not_matter():
    """Ten times the nodes in a chain are ten times the work, and no recursion goes down it."""
    size = effort(500, 2_000)
    short, long = chain(size), chain(10 * size)
    assert calls(lambda: draw(long)) < 11 * calls(lambda: draw(short))
    nodes = effort(10_000, 200_000)
    y = chain(nodes)
    drawing = draw(y)
    assert repr(drawing) == f"Drawing({nodes:,} nodes in 1 box, 0 edges)"
    texts = Seen(drawing).texts["n0"]
    assert (texts[0], texts[-1]) == (f"addition × {nodes - 1:,}", "1 leaf")
    assert draw(y, force=True).edges == nodes - 1


def test_deeply_nested_scopes_are_drawn():
    """Nested scopes become as many frames, more than Python's recursion could go down."""
    from autograd_mini.program.stack import Scope

    y = Value(1.0) * 2.0
    scope = None
    scopes = effort(1500, 5000)
    for i in range(scopes):
        scope = Scope(str(i), scope)
    y._notes = scope
    assert draw(y).dot.count("subgraph") == scopes


@pytest.mark.parametrize("wrong", [2.0, None, "x", [Value(1.0)], (), Value])
def test_only_values_can_be_drawn(wrong):
    """`draw` refuses anything but a Value and says which type it got."""
    with pytest.raises(OperandError, match=r"draw\(\) takes a Value, not \w+"):
        draw(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"depth": -1}, {"depth": 1.0}, {"depth": True}, {"focus": ""}, {"focus": "x"}, {"focus": Value(1.0)},
        {"expand": "x"}, {"expand": ["x"]}, {"after": -1}, {"after": 7}, {"after": 1.0},
        {"direction": "left"}, {"direction": 1}, {"precision": 0}, {"precision": 18}, {"precision": 4.0},
    ],
)  # fmt: skip
def test_impossible_options(options):
    """Each option outside its range raises an ArgumentError."""
    with pytest.raises(ArgumentError):
        draw(neuron(), **options)


# -- rendering ---------------------------------------------------------------------------------------------------------


@posix
def test_the_environment_variable_comes_first(tmp_path, monkeypatch):
    """`dot` is looked for in AUTOGRAD_MINI_DOT, on PATH and among pip's scripts; without it, PNG says how to get it."""
    monkeypatch.delenv(render.VARIABLE, raising=False)
    name = "graphviz-pure"
    for folder in ("scripts", "path"):
        (tmp_path / folder).mkdir()
    for path in ("scripts/graphviz-pure", "path/dot", "named"):
        (tmp_path / path).write_text("#!/bin/sh\n")
        (tmp_path / path).chmod(0o755)
    monkeypatch.setattr(render.sysconfig, "get_path", lambda key: str(tmp_path / key))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert render.programs() == [str(tmp_path / "path" / "dot"), str(tmp_path / "scripts" / name)]  # of no version
    monkeypatch.setenv(render.VARIABLE, str(tmp_path / "named"))
    assert render.programs() == [str(tmp_path / "named")]
    monkeypatch.setenv(render.VARIABLE, "")
    (tmp_path / "scripts" / name).unlink()
    assert render.programs() == [str(tmp_path / "path" / "dot")]
    (tmp_path / "path" / "dot").unlink()
    assert render.programs() == []
    assert "Laid out without Graphviz: pip install graphviz-pure" in draw(Value(1.0)).svg
    with pytest.raises(MissingError, match=r"(?s)no `dot` program.*pip install graphviz-pure"):
        draw(Value(1.0)).save(tmp_path / "a.png")
    monkeypatch.setenv(render.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(MissingError, match=r"AUTOGRAD_MINI_DOT is set to .*nowhere"):
        _ = draw(Value(1.0)).svg


@pytest.fixture
def two_programs(tmp_path, monkeypatch):
    """Write what `graphviz-pure`, with a version, and `dot` do; give the paths of both."""
    monkeypatch.delenv(render.VARIABLE, raising=False)
    monkeypatch.setattr(render.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(pure, dot, version="graphviz-pure - graphviz-pure version 0.2.9 (of a test)"):
        render._is_known.cache_clear()
        paths = tmp_path / "graphviz-pure", tmp_path / "dot"
        for path, body in zip(paths, (pure, dot), strict=True):
            path.write_text(f"#!{sys.executable}\nimport os, sys\nif '-V' in sys.argv:\n    print({version!r})\n"
                            f"    sys.exit()\nsys.stdin.read()\n{body}\n")  # fmt: skip
            path.chmod(0o755)
        return tuple(map(str, paths))

    yield write
    render._is_known.cache_clear()


DRAWS = "print('<svg>' + sys.argv[0].rpartition('/')[2] + '</svg>')"


@posix
@pytest.mark.parametrize("failure", ["sys.exit(3)", "pass", "os.abort()", "print('<svg>')"])
def test_dot_draws_what_graphviz_pure_does_not(two_programs, failure):
    """If `graphviz-pure` fails, says nothing, crashes or draws a half, `dot` on PATH draws."""
    two_programs(failure, DRAWS)
    assert render.run("digraph {}", "svg") == b"<svg>dot</svg>\n"
    two_programs(DRAWS, DRAWS)
    assert render.run("digraph {}", "svg") == b"<svg>graphviz-pure</svg>\n"


@posix
def test_where_both_fail_both_are_named(two_programs):
    """If both fail, the error quotes each of them."""
    pure, dot = two_programs("sys.exit('no luck')", "sys.exit('none here')")
    with pytest.raises(ProgramError) as caught:
        render.run("digraph {}", "svg")
    for said in (f"{pure} drew no SVG (exit status 1): no luck", f"{dot} drew no SVG (exit status 1): none here"):
        assert said in str(caught.value)


@posix
@pytest.mark.parametrize("version", ["graphviz-pure - graphviz-pure version 0.3.0", "graphviz-pure version 0.20.1", ""])
def test_a_graphviz_pure_of_another_version_comes_last(two_programs, version):
    """An unknown version of `graphviz-pure` comes after `dot`, but without `dot` it is better than nothing."""
    _, dot = two_programs(DRAWS, DRAWS, version)
    assert render.run("digraph {}", "svg") == b"<svg>dot</svg>\n"
    os.unlink(dot)
    assert render.run("digraph {}", "svg") == b"<svg>graphviz-pure</svg>\n"


def test_the_known_version_is_the_one_that_pip_installs():
    """The bound in pyproject.toml, and the version that is here."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    major, minor = map(int, render._VERSION.split("."))
    assert f"graphviz-pure>={major}.{minor}.2,<{major}.{minor + 1};" in text
    assert render._is_known(os.path.join(render.sysconfig.get_path("scripts"), "graphviz-pure"))


@posix
def test_the_program_gets_the_text_and_its_picture_is_shown(tmp_path, monkeypatch):
    """The program reads the DOT text once, and its SVG is shown cleaned, with our ids and tooltips."""
    log = tmp_path / "log"
    program(
        tmp_path,
        monkeypatch,
        f"open({str(log)!r}, 'ab').write(sys.argv[1].encode() + b' ' + sys.stdin.buffer.read())\n"
        'print(\'<?xml?><svg><g id="n0" class="node"><title>n0</title></g></svg>\')',
    )
    drawing = draw(Value(1.0, name="é"))
    assert re.fullmatch(r'<svg .*><g id="g\w{10}-n0" class="node">\n<title>é\n[^<]*</title></g></svg>\n', drawing.svg)
    assert drawing.svg is drawing.svg
    assert log.read_text(encoding="utf-8") == "-Tsvg " + drawing.dot  # once


@posix
def test_a_program_that_hangs_is_stopped(tmp_path, monkeypatch):
    """A `dot` that does not finish in time is killed; the SVG is laid out without it, and says so."""
    pid = tmp_path / "pid"
    path = program(
        tmp_path, monkeypatch, f"import os; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(3600)"
    )
    monkeypatch.setattr(render, "SECONDS", 0.5)
    assert "Laid out without Graphviz, which did not finish within 0.5 seconds." in draw(Value(1.0)).svg
    with pytest.raises(ProgramError, match=re.escape(f"{path} did not finish within 0.5 seconds")):
        draw(Value(1.0)).save(tmp_path / "one.png")
    if pid.exists():  # it had begun, and would have slept for an hour
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


@posix
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pass", r"exit status 0\): it printed nothing"),
        ("print('<svg>')", r"exit status 0\): it printed nothing"),
        ("print('<svg></svg>'); print('a bad label\\nmore', file=sys.stderr); sys.exit(1)", r"1\): a bad label\n"),
        ("print('Warning: w\\nError: e', file=sys.stderr); sys.exit(3)", r"3\): Error: e\n"),
        ("sys.stderr.buffer.write(b'\\xff')", "�"),
    ],
)
def test_a_program_that_fails_is_quoted(tmp_path, monkeypatch, body, message):
    """Exit status and the telling line of stderr appear in the error, as does a silent failure."""
    path = program(tmp_path, monkeypatch, f"sys.stdin.read()\n{body}")
    with pytest.raises(AutogradError, match=f"{re.escape(path)} drew no SVG .*{message}"):
        _ = draw(Value(1.0)).svg


@posix
def test_a_program_that_does_not_read_fails_too(tmp_path, monkeypatch):
    """A program that exits without reading gives an error about it, not about a broken pipe."""
    program(tmp_path, monkeypatch, "sys.exit(2)")
    with pytest.raises(ProgramError, match="exit status 2"):
        _ = draw(chain(900)).svg


@posix
def test_a_file_that_is_no_program(tmp_path, monkeypatch):
    """A file that the system cannot execute is reported as such."""
    path = tmp_path / "dot"
    path.write_bytes(b"\x00\x01")
    path.chmod(0o755)
    monkeypatch.setenv(render.VARIABLE, str(path))
    with pytest.raises(ProgramError, match="cannot be run"):
        _ = draw(Value(1.0)).svg


def test_notebooks_get_an_svg_and_a_text():
    """Notebooks receive the SVG and the repr."""
    drawing = draw(neuron())
    assert drawing._repr_mimebundle_() == {"image/svg+xml": drawing.svg, "text/plain": repr(drawing)}
    assert drawing._repr_mimebundle_(include=None, exclude=None)["text/plain"] == "Drawing(6 nodes, 5 edges)"


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_save(tmp_path, kind):
    """`save` writes .svg, .dot, .png or .pdf, whichever the name asks for, and refuses other endings."""
    drawing = draw(neuron())
    assert drawing.save(kind(tmp_path / "a.svg")) == tmp_path / "a.svg"
    assert (tmp_path / "a.svg").read_bytes() == drawing.svg.encode()
    assert drawing.save(kind(tmp_path / "a.DOT")) == tmp_path / "a.DOT"
    assert (tmp_path / "a.DOT").read_bytes() == drawing.dot.encode()
    assert drawing.save(kind(tmp_path / "a.png")) == tmp_path / "a.png"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert drawing.save(kind(tmp_path / "a.pdf")) == tmp_path / "a.pdf"
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-1.4\n")
    for name in ("a.jpeg", "a", ".svg"):
        with pytest.raises(ArgumentError, match=r"\.svg, \.dot, \.png, \.pdf"):
            drawing.save(kind(tmp_path / name))


@posix
def test_a_png_that_the_program_cannot_draw_leaves_no_file(tmp_path, monkeypatch):
    """When PNG fails, the error quotes the program, and no file remains."""
    program(tmp_path, monkeypatch, "print('Format: \"png\" not recognized.', file=sys.stderr); sys.exit(1)")
    with pytest.raises(ProgramError, match=r'drew no PNG .*Format: "png" not recognized'):
        draw(Value(1.0)).save(tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_the_digraph_says_the_same(monkeypatch):
    """`digraph` is the `graphviz` package's object with the same text; without that package the SVG works."""
    import graphviz

    drawing = draw(neuron(), title="t")
    assert type(drawing.digraph) is graphviz.Digraph
    assert drawing.digraph.source == drawing.dot
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(MissingError, match="pip install graphviz"):
        _ = drawing.digraph
    assert drawing.svg  # needs the program alone


def test_importing_and_drawing_need_the_standard_library_alone():
    """Importing the package and drawing do not import `graphviz`."""
    script = "import sys, autograd_mini as am; am.draw(am.Value(1.0)); assert 'graphviz' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_one_edge_a_line():
    """DOT texts have at most one edge per line, so that differences are easy to read."""
    dot = draw(chain(50)).dot
    assert all(line.count("->") <= 1 for line in dot.splitlines())


def test_one_page_of_style_names_all_colours():
    """Colours and fonts stand in `style.css` alone; the style sheets of pages and the pictures refer to it."""
    package = Path(am.__file__).parent
    for folder in ("drawing", "debug/pages"):
        for path in sorted((package / folder).iterdir()):
            if path.suffix in (".py", ".css", ".js", ".html") and path.name != "style.css":
                found = re.findall(r"#[0-9a-fA-F]{6}\b|monospace|sans-serif", path.read_text(encoding="utf-8"))
                assert not found, path
