"""Pictures in a browser: text stays in its cell; the page opens scopes, moves, searches, and runs no foreign code."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.drawing import draw
from tests.drawing.test_boxes import network

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
HOSTILE = "</script><script>document.title = 'hacked'</script><!-- \" ' & \\ 🤷"


def browse(tmp_path, text: str, then: str = "") -> str:
    """The page after its scripts have run, and `then`, whose `report` can be read with `reported`."""
    path = tmp_path / "page.html"
    if then:
        text += f"<script>const report = {{}};\n{{{then}}}\nconst pre = document.createElement('pre');\n"
        text += "pre.id = 'report'; pre.textContent = JSON.stringify(report); document.body.append(pre);</script>"
        text = re.sub("<meta http-equiv[^>]*>", "", text)
    path.write_text(text, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=3000", "--window-size=1400,900", "--dump-dom", path.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode()


def reported(dom: str):
    return json.loads(html.unescape(re.search('<pre id="report">(.*?)</pre>', dom, re.DOTALL)[1]))


MEASURE = """
report.texts = 0;
report.outside = [];
for (const group of document.querySelectorAll("g.node, g.graph")) {
  const cells = [...group.querySelectorAll(":scope > polygon")].map((cell) => cell.getBBox());
  for (const text of group.querySelectorAll(":scope > text")) {
    const box = text.getBBox();
    report.texts += 1;
    if (!cells.some((cell) => cell.x - 0.5 <= box.x && box.x + box.width <= cell.x + cell.width + 0.5
        && cell.y - 1 <= box.y && box.y + box.height <= cell.y + cell.height + 1))
      report.outside.push(text.textContent);
  }
}
"""


@in_browser
def test_no_text_leaves_its_cell(tmp_path):
    """In a browser every text of seven kinds of pictures stays inside its cell."""
    with am.provenance():
        z = [Value(1.0, name="a rather long name of a leaf, cut off"), Value(-2.5e-300, name="WWWWWWWWWW"), Value(0.1)]
        loss = am.cross_entropy(z, 0) + am.maximum(z[1], 0.123456789)
    loss.backward()
    pictures = [
        draw(loss, precision=17), draw(loss), draw(network()), draw(network(samples=30)),
        draw(network(), focus="Layer1"), draw(network(samples=5), direction="TB"), draw(loss, after=3),
    ]  # fmt: skip
    found = reported(browse(tmp_path, "".join(picture.svg for picture in pictures), MEASURE))
    assert found["texts"] > 300
    assert found["outside"] == []


def page(tmp_path, drawing) -> str:
    return drawing.save(tmp_path / "saved.html").read_text(encoding="utf-8")


def test_a_page_is_one_file_without_network(tmp_path):
    """The page loads nothing and forbids loading, has unique ids, and is the same each time."""
    text = page(tmp_path, draw(network(), title=HOSTILE))
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=|url\(|@import|fetch\(|XMLHttpRequest|innerHTML", text.replace("xlink:href", ""))
    assert text.count("<script") == 2
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])
    assert {"", "Layer0", "Layer1/Neuron3", "cross_entropy"} <= set(data["names"])
    assert set(data["opens"]) <= set(ids)
    assert len(data["names"]) <= 60
    assert page(tmp_path, draw(network(), title=HOSTILE)) == text
    HTMLParser().feed(text)


def test_a_small_graph_has_a_page_too(tmp_path):
    """A graph without parts to open is a page with one picture."""
    text = page(tmp_path, draw(Value(1.0) * 2.0))
    assert text.count("<section") == 1


@in_browser
def test_the_page_runs_under_its_own_policy(tmp_path):
    """The page's script runs under its content policy, and a script in a name does not."""
    with am.scope(HOSTILE):
        y = Value(1.0, name=HOSTILE) * 2.0
    dom = browse(tmp_path, page(tmp_path, draw(y, title=HOSTILE)))
    assert 'aria-current="page">everything<' in dom
    assert "<title>hacked" not in dom


CLICKS = """
const seen = () => [...document.querySelectorAll("section")].findIndex((section) => !section.hidden);
const crumbs = () => document.querySelector("nav").textContent;
const picture = () => document.querySelector("section:not([hidden]) > svg");
const title = (group) => group.querySelector("title").textContent;
const named = (name) => (group) => title(group).split(" > ").pop().startsWith(name);
const box = (name) => [...picture().querySelectorAll("g.opens")].find(named(name));
const key = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
report.start = crumbs();
box("Layer1").dispatchEvent(new MouseEvent("click", { bubbles: true }));
report.layer = crumbs();
report.hash = location.hash;
key(box("Neuron3"), "Enter");
report.neuron = crumbs();
key(document.body, "Escape");
report.up = crumbs();
key(document.body, "Escape");
report.top = crumbs();
const before = picture().getAttribute("viewBox").split(" ").map(Number);
key(document.body, "+");
key(document.body, "ArrowRight");
const after = picture().getAttribute("viewBox").split(" ").map(Number);
report.zoomed = before[2] / after[2];
report.moved = after[0] - before[0] > (before[2] - after[2]) / 2;
key(document.body, "0");
report.fit = picture().getAttribute("viewBox").split(" ").map(Number)[2] === before[2];
const search = document.querySelector("input");
search.value = "neuron11";
search.dispatchEvent(new Event("input"));
report.found = document.querySelector("g.found title").textContent.split("\\n")[0];
report.count = document.querySelector("output").textContent;
key(search, "Enter");
report.next = document.querySelector("output").textContent;
search.value = "nowhere";
search.dispatchEvent(new Event("input"));
report.none = document.querySelector("output").textContent;
"""


OPENED = """
const seen = () => document.querySelector("section:not([hidden])");
const title = (group) => (group.querySelector(":scope > title")?.textContent ?? "").split("\\n")[0];
const groups = [...document.querySelectorAll("g.node")].filter((g) => /largest gradient/.test(g.textContent));
report.closed = groups.filter((g) => !g.classList.contains("opens") && !g.querySelector("g.node")).map(title);
const squares = groups.find((g) => title(g).startsWith("square × 157"));
squares.dispatchEvent(new MouseEvent("click", { bubbles: true }));
report.crumbs = document.querySelector("nav").textContent;
report.rows = seen().querySelectorAll("tbody tr").length;
report.cells = [...seen().querySelectorAll("tbody tr:first-child td")].map((cell) => cell.textContent);
document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
report.back = document.querySelector("nav").textContent;
"""


@in_browser
def test_every_box_opens(tmp_path):
    """A box that is not a scope, such as the squares of all weights, opens as a list with values and gradients."""
    model = am.nn.MLP(2, [16, 6, 1], activation="relu", seed=0)
    loss = am.mean([model([0.1 * i, 1.0]) for i in range(20)]) + 0.5 * am.sum([p * p for p in model.parameters()])
    loss.backward()
    assert len(model.parameters()) == 157
    found = reported(browse(tmp_path, page(tmp_path, draw(loss)), OPENED))
    weight = model.parameters()[0]
    assert found["closed"] == []
    assert (found["crumbs"], found["back"]) == ("everything › square × 157", "everything")
    assert found["rows"] == 157
    assert found["cells"][2:] == [f"{weight.data**2:.4g}", "0.5"]


@in_browser
def test_clicks_keys_and_search(tmp_path):
    """A click or Enter opens a part, Escape goes up, keys zoom and move, and the search counts what it finds."""
    found = reported(browse(tmp_path, page(tmp_path, draw(network())), CLICKS))
    count = found.pop("count")
    assert re.fullmatch(r"1 of \d+", count)
    assert found == {
        "start": "everything", "layer": "everything › Layer1", "hash": "#Layer1",
        "neuron": "everything › Layer1 › Neuron3", "up": "everything › Layer1", "top": "everything",
        "zoomed": pytest.approx(1.25), "moved": True, "fit": True, "found": "Neuron11",
        "next": "2" + count[1:], "none": "0 of 0",
    }  # fmt: skip
