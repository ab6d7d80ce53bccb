"""Slides for a class: every frame says what the trace says, all frames are equal, and all can be read."""

from __future__ import annotations

import html
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

import autograd_mini as am
from autograd_mini import ArgumentError, MissingError, ProgramError, Value, debug
from autograd_mini.debug.pages import browser, frames, page_of_program
from autograd_mini.debug.pages.deck import MOST, Deck
from autograd_mini.debug.pages.frames import Film
from autograd_mini.debug.pages.mathml import called
from autograd_mini.debug.timeline.journal import BACKWARD
from autograd_mini.drawing import render
from autograd_mini.drawing.boxes import Box
from autograd_mini.notation.text import elided, number
from tests.debug.test_pages import HOSTILE, SOFTMAX, awkward, chromium, in_browser, network, recorded, visit  # noqa: F401  # fixtures
from tests.effort import effort

PACKAGED = """\
import autograd_mini as am

z = [am.Value(2.0), am.Value(1.0), am.Value(0.1)]
a = am.softmax(z)
loss = -am.dot([0.2, 0.5, 0.3], [am.log(p) for p in a])
loss.backward()
"""
LONG = """\
import autograd_mini as am

the_first_of_the_two_inputs_of_this_program = am.Value(-1234.5678)
the_second_of_the_two_inputs_of_this_program = am.Value(3.3333333e-7)
the_result = am.sum([
    the_first_of_the_two_inputs_of_this_program * the_second_of_the_two_inputs_of_this_program,
    the_first_of_the_two_inputs_of_this_program / the_second_of_the_two_inputs_of_this_program,
])
the_result.backward()
"""


PRIMITIVES = """\
import autograd_mini as am

x = [am.Value(0.5), am.Value(-1.0)]
w1 = [[am.Value(0.1 * (i + 1) * (j - 0.5)) for j in range(2)] for i in range(3)]
b1 = [am.Value(0.1), am.Value(-0.2), am.Value(0.3)]
w2 = [am.Value(0.7), am.Value(-0.4), am.Value(0.2)]
h = [am.tanh(w[0] * x[0] + w[1] * x[1] + b) for w, b in zip(w1, b1)]
y = w2[0] * h[0] + w2[1] * h[1] + w2[2] * h[2]
loss = (y - 1.0) ** 2
loss.backward()
"""
SAMPLES = """\
import autograd_mini as am

model = am.nn.MLP(2, [4, 1], seed=1)
xs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
loss = am.mse([model(x) for x in xs], [0.0, 1.0, 1.0, 0.0])
loss.backward()
"""
RECURRENT = """\
import autograd_mini as am

w, u, b, h = am.Value(0.5), am.Value(0.8), am.Value(0.1), am.Value(0.0)
for x in [1.0, -1.0, 0.5, 0.2, -0.3, 0.9, 0.1, -0.6, 0.4, 0.7]:
    h = am.tanh(w * x + u * h + b)
loss = (h - 1.0) ** 2
loss.backward()
"""
CHAIN = """\
import autograd_mini as am

x = y = am.Value(0.5)
for _ in range(40):
    y = am.sin(y)
y.backward()
"""


def hostile() -> debug.Trace:
    x, y = Value(3.0, name=HOSTILE), Value(-2.0, name="</pre><img src=x>")
    return debug.trace(am.exp(x * y) + y)


TRACES = {
    "composite": lambda folder: recorded(folder, SOFTMAX),
    "packaged": lambda folder: recorded(folder, PACKAGED),
    "opened": lambda folder: opened(recorded(folder, PACKAGED)),
    "long": lambda folder: recorded(folder, LONG),
    "network": lambda _: network([8, 8, 3]),
    "awkward": lambda _: awkward(),
    "hostile": lambda _: hostile(),
    "primitives": lambda folder: recorded(folder, PRIMITIVES),
    "samples": lambda folder: recorded(folder, SAMPLES),
    "recurrent": lambda folder: recorded(folder, RECURRENT),
    "chain": lambda folder: recorded(folder, CHAIN),
}
CLOSE = ("opened", "primitives", "samples", "recurrent", "chain")  # pictures that are too large to be shown whole

# What a reader sees: the places of rows and boxes of each slide, texts that leave their row, how large letters are, and
# which boxes where something happens are not in the picture or not in the close-up.
MEASURE = """() => slides.map((slide, index) => {
  show(index);
  const rows = ".words, .source, .picture, .rule";
  const all = (selector) => [...slide.querySelectorAll(selector)];
  const place = (element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return [left, top, width, height].map((side) => Math.round(side * 10) / 10);
  };
  const cut = [];
  const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (!text.textContent.trim()) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const inner = range.getBoundingClientRect();
    const outer = text.parentElement.closest(`${rows}, .slide`).getBoundingClientRect();
    const beside = inner.left < outer.left - 1 || inner.right > outer.right + 1;
    if (beside || inner.top < outer.top - 6 || inner.bottom > outer.bottom + 6) cut.push(text.textContent);
  }
  const letters = all(".words, .source, .formula, .local, h2, p, pre, th, td");
  const written = all(".picture text").filter((text) => text.textContent.trim());
  const drawn = written.map((text) => text.getScreenCTM().a * parseFloat(text.getAttribute("font-size")));
  const inside = (box, around) => around.left - 1 <= box.left && box.right <= around.right + 1
    && around.top - 1 <= box.top && box.bottom <= around.bottom + 1;
  const frames = all("svg.near").length ? ["svg.near", ".picture"] : [".picture"];
  const outside = all(".whole .box, .near .box, .map rect").filter((box) => frames.some((selector) =>
    (selector === ".picture" || box.closest(selector)) &&
    !inside(box.getBoundingClientRect(), slide.querySelector(selector).getBoundingClientRect())));
  const marked = (kind) => [".at", ".to"].map((state) => all(`${kind} ${state}`).length).join();
  return {
    kind: slide.classList[1], cut, whole: place(slide), rows: all(rows).map(place),
    views: all(".picture svg").map((one) => one.classList[0]).join(), outside: outside.length,
    boxes: all(".whole .box > polygon[fill=none], .map rect, svg.near").map(place),
    read: Math.min(...letters.map((one) => parseFloat(getComputedStyle(one).fontSize))), drawn: Math.min(...drawn),
    near: marked(".near"), map: marked(".map"), whole_marked: marked(".whole"),
  };
})"""


def opened(trace):
    trace.opened.add("softmax")
    return trace


@pytest.fixture(scope="module", params=TRACES)
def deck(request, tmp_path_factory):
    return Deck(TRACES[request.param](tmp_path_factory.mktemp("program")))


def check_frames(slides) -> None:
    """All slides fill the screen, nothing is cut off, letters are large, and the frames differ only in what is said.

    A close-up has every box where something happens, and so has its map.
    """
    frames = [slide for slide in slides if slide["kind"] == "frame"]
    assert [slide["cut"] for slide in slides] == [[]] * len(slides)
    assert {tuple(slide["whole"]) for slide in slides} == {(0, 0, 1920, 1080)}
    assert min(slide["read"] for slide in slides) >= 36.0
    assert min(frame["drawn"] for frame in frames if frame["drawn"] is not None) >= 18.0
    first = {frame["views"]: frame for frame in reversed(frames)}
    assert all(frame["rows"] == frames[0]["rows"] for frame in frames)
    assert all(frame["boxes"] == first[frame["views"]]["boxes"] for frame in frames)
    for frame in frames[1:]:
        assert frame["views"] in ("whole", "near,map")
        assert frame["outside"] == 0
        shown = frame["whole_marked" if frame["views"] == "whole" else "near"]
        assert shown.startswith("1,")
        assert frame["views"] == "whole" or shown == frame["map"]


SCREEN = {"width": 1920, "height": 1080}


@pytest.mark.sampled(4)
@in_browser
def test_every_slide_in_the_browser(deck, visit, tmp_path):  # noqa: F811
    """Nothing leaves its place, the smallest letters have 18 pixels in pictures and 36 beside, and frames are equal."""
    slides = visit(deck.save(tmp_path / "deck.html"), viewport=SCREEN).page.evaluate(MEASURE)
    assert [slide["kind"] for slide in slides] == ["first", *["frame"] * len(deck.frames), "last"]
    check_frames(slides)


@in_browser
@pytest.mark.parametrize(("scheme", "width"), [("dark", 1920), ("light", 1280)][: effort(1, 2)])
def test_axe_finds_nothing_on_slides(visit, tmp_path, scheme, width):  # noqa: F811
    """Of its rules of accessibility, contrast among them; a larger screen shows the same, larger."""
    axe = pytest.importorskip("axe_core_python")
    path = recorded(tmp_path, PACKAGED).slides(tmp_path / "deck.html")
    shown = visit(path, "#12", color_scheme=scheme, viewport={"width": width, "height": width * 9 // 16})
    shown.page.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8"))
    found = shown.page.evaluate("axe.run()")["violations"]
    assert [violation["id"] for violation in found] == []
    assert shown.page.evaluate("document.querySelector('.now .source').getBoundingClientRect().left") == width / 32


@in_browser
def test_moving_between_slides(visit, tmp_path):  # noqa: F811
    """Arrow keys, space, clicks, swipes and the address move; the page number says where."""
    x = Value(3.0, name="x")
    shown = visit(debug.slides(x * x, tmp_path / "deck.html"), has_touch=True)
    count = shown.page.locator(".slide").count()

    def now() -> int:
        return int(shown.text(".now .page").partition(" /")[0])

    assert now() == 1
    moved = []
    for key in ("ArrowRight", " ", "ArrowLeft", "PageDown", "End", "ArrowRight", "Shift+Space", "Home", "ArrowLeft"):
        shown.keys("Space" if key == " " else key)
        moved.append(now())
    assert moved == [2, 3, 2, 3, count, count, count - 1, 1, 1]
    shown.page.mouse.click(1000, 300)
    shown.page.mouse.click(1000, 300)
    shown.page.mouse.click(100, 300)
    assert now() == 2
    assert shown.page.url.endswith("#2")
    swipe = """(places) => ["touchstart", "touchend"].forEach((type, index) => {
      const touch = new Touch({ identifier: 1, target: document.body, clientX: places[index], clientY: 9 });
      const all = { touches: index ? [] : [touch], changedTouches: [touch] };
      document.body.dispatchEvent(new TouchEvent(type, { bubbles: true, cancelable: true, ...all }));
    })"""
    shown.page.evaluate(swipe, [600, 200])
    assert now() == 3
    shown.page.evaluate(swipe, [200, 600])
    assert now() == 2
    shown.page.evaluate("location.hash = '#4'")
    shown.page.wait_for_function("document.querySelector('.now').id === '4'")
    assert shown.text("#said").startswith("4 of")


# -- what they say -----------------------------------------------------------------------------------------------------


def texts(film: Film, frame) -> list[tuple[Box, list[str]]]:
    """The texts in each box of a picture or close-up."""
    stage = film.stage(frame)
    boxes = {} if stage is None else {stage.id(box): box for box in stage.boxes.boxes}
    in_order = [
        boxes[key] for key in re.findall(r'<g id="([^"]*)" class="node"', stage.svg if stage else "") if key in boxes
    ]
    picture = film.picture(frame).partition('<svg class="map"')[0]
    found = re.findall(r'<g class="box[^"]*">(.*?)</g>', picture, re.DOTALL)
    lines = [re.findall(r"<text[^>]*?(?:>([^<]*)</text>|/>)", group) for group in found]
    return [*zip(in_order, lines, strict=True)]


@pytest.mark.sampled(4)
def test_every_number_in_a_picture(deck):
    """A node's value once its frame has come, its gradient after the step of this frame, and nothing before that.

    A group has the range of its results, and its largest gradient so far.
    """
    film, trace = deck.film, deck.trace
    seen = set()
    for frame in film.frames:
        seen |= {step.node for step in frame.steps}
        for box, found in texts(film, frame):
            nodes = [box.alone] if box.alone is not None else box.nodes
            grads = [trace.grad(node, frame.step.index) for node in nodes] if frame.step.phase != "forward" else []
            grads = [grad for grad in grads if grad is not None]
            if box.alone is not None:
                value = number(trace.value(box.alone)) if box.alone in seen else ""
                grad = "".join(map(number, grads))
            elif box.folded and box.results:
                continue
            else:
                known = [node for node in box.outputs if node.op] or box.nodes
                known = sorted(map(trace.value, known)) if seen.issuperset(known) else []
                ends = [number(end) for end in dict.fromkeys([known[0], known[-1]])] if known else []
                value = ("out " * box.computes + " … ".join(ends)) * bool(known)
                grad = f"max|g| {number(max(map(abs, grads)))}" if grads else ""
            assert found[-2:] == [value.replace("-", "−"), grad.replace("-", "−")]


def test_the_numbers_of_calls(tmp_path):
    """A folded call has the value and the gradient of each result, in its row."""
    film = Deck(recorded(tmp_path, PACKAGED)).film
    trace = film.trace
    checked = 0
    for frame in film.frames:
        for box, found in texts(film, frame):
            if box.folded and frame.step.phase != "forward":
                values = [number(trace.value(node)) for node in box.results]
                grads = [trace.grad(node, frame.step.index) for node in box.results]
                rows = zip(
                    ["a[0]", "a[1]", "a[2]"], values, ["" if x is None else number(x) for x in grads], strict=True
                )
                assert found[1:-1] == [text.replace("-", "−") for row in rows for text in row]
                checked += 1
    assert checked > 3


@pytest.mark.parametrize("which", CLOSE)
def test_what_a_close_up_shows(which, tmp_path):
    """The box of the step, what receives something, all its operands and what uses it; the map shows all boxes."""
    film = Deck(TRACES[which](tmp_path)).film
    assert film.closeups is not None
    for frame in film.frames[1:]:
        shown = {*film.stage(frame).boxes.boxes}
        (box,) = frame.at
        assert shown.issuperset([box, *frame.to])
        operands = {film.boxes[x] for node in box.nodes for x in node.operands if isinstance(x, Value)}
        users = {film.boxes[node] for node in film.boxes if any(x in {*box.nodes} for x in node.operands)}
        assert shown.issuperset(operands)
        assert shown - {box} - operands <= users
        assert len(shown & users) >= min(len(users), 3)
        assert film.picture(frame).count("<rect ") == len(film.shot.tracks)


def test_every_step_has_its_frame(deck):
    """Each step is in one frame, after all that its node needs; contributions come in the order of the sweep."""
    assert Counter(step.index for frame in deck.film.frames for step in frame.steps) == Counter(range(len(deck.trace)))
    known = set()
    for frame in deck.film.frames:
        if frame.step.phase == "forward":
            known |= {step.node for step in frame.steps}
            assert all(x in known for step in frame.steps for x in step.node.operands if isinstance(x, Value))
    backward = [frame.step.index for frame in deck.film.frames if frame.step.phase == BACKWARD]
    assert backward == sorted(backward)


def test_the_chain_rule_with_its_numbers(tmp_path):
    """The slide of a contribution has its source line, the marked expression, the product and the running total."""
    trace = recorded(tmp_path, "import autograd_mini as am\nx = am.Value(3.0)\ny = x * x + x\ny.backward()\n")
    slides = re.findall(r'<section class="slide frame".*?</section>', Deck(trace).html, re.DOTALL)
    assert len(slides) == 1 + 2 + 1 + 4
    last = slides[-1]
    assert "<b>3</b><code>y = <mark>x * x</mark> + x</code>" in last
    assert re.findall(r"<mn>([^<]*)</mn>", last[last.index('class="formula') : last.index('class="local')]) == [
        "1", "3", "3", "4", "3", "7"]  # fmt: skip
    assert last.count('<g class="edge passed going">') == 1
    assert "step 7 of 7" in last


def test_a_call_is_one_slide_until_it_is_opened(tmp_path):
    """Softmax is computed on one slide and hands on from one; opened, each of its steps has a slide."""
    trace = recorded(tmp_path, PACKAGED)
    whole = [frame for frame in Deck(trace).frames if frame.call is not None]
    assert [(frame.step.phase, frame.call.name) for frame in whole] == [("forward", "softmax"), ("backward", "softmax")]
    inside = sum(len(frame.steps) for frame in whole)
    assert len(Deck(opened(trace)).frames) == len(Deck(recorded(tmp_path, PACKAGED)).frames) - 2 + inside


def test_a_large_graph_is_grouped():
    """Each box of a picture that collapses is one slide on each way, which never shows a name of ours."""
    deck = Deck(network([16, 16, 3]))
    assert len(deck.frames) < 20
    assert sum(len(frame.steps) for frame in deck.frames) == len(deck.trace) > 700
    assert not re.search(r"\b(mul|add|dot|sinh|cosh|div)#\d", deck.html)


def test_the_gradients_at_the_end(deck):
    """The last slide has the gradients of `backward()`."""
    last = deck.html[deck.html.index('class="slide last"') :]
    rows = re.findall(r'<th scope="row">(.*?)</th><td>.*?</td><td>(.*?)</td>', last)
    trace, nodes = deck.trace, deck.trace.journal.order
    for node in nodes:
        node.grad = 0.0
    trace.root.backward()
    reached = [node for node in nodes if trace.grad(node, -1) is not None]
    expected: dict[str, set[str]] = {}
    for node in reached:
        expected.setdefault(elided(called(trace, node), 32).replace("-", "−"), set()).add(number(node.grad))
    known = [(name, gradient.replace("−", "-")) for name, gradient in rows if html.unescape(name) in expected]
    assert len(known) >= min(len(rows), 2)
    assert all(gradient in expected[html.unescape(name)] for name, gradient in known)


# -- what they cannot show ---------------------------------------------------------------------------------------------


def test_choosing_steps(tmp_path):
    """A range of steps gives the slides of those; the numbers before are known."""
    trace = recorded(tmp_path, PACKAGED)
    deck = Deck(trace, range(trace.start, trace.start + 3))
    assert [frame.step.index for frame in deck.frames] == [trace.start, trace.start + 1, trace.start + 2]
    assert "0.659" in deck.film.picture(deck.frames[0])
    with pytest.raises(ArgumentError, match=r"no step 999.*\n.*\n?.*0 to 38"):
        trace.slides(tmp_path / "deck.html", [3, 999])


def test_too_many_slides_and_too_many_boxes(tmp_path, monkeypatch):
    """Then the error says what to do."""
    rows = [Value(1.0, name=f"x{i}") for i in range(6)]
    for _ in range(3):
        rows = [am.sum(rows) for _ in range(6)]
    with pytest.raises(ArgumentError, match=rf"(?s)at most {MOST}.*steps=range\("):
        debug.slides(am.sum(rows), tmp_path / "deck.html")
    assert debug.slides(am.sum(rows), tmp_path / "deck.html", range(30)).exists()
    monkeypatch.setattr(frames, "_MOST_BOXES", 5)
    with pytest.raises(ArgumentError, match=r"(?s)too small to be read.*am.scope"):
        debug.slides(am.sum(rows), tmp_path / "deck.html")


@pytest.mark.parametrize(("name", "said"), [("deck.txt", r"\.html or \.pdf"), ("none/deck.html", "Create it first")])
def test_a_wrong_path(tmp_path, name, said):
    """It is refused before any work."""
    with pytest.raises(ArgumentError, match=said):
        debug.slides(Value(1.0) * 2.0, tmp_path / name)


def test_slides_of_anything_else():
    """A number has no steps."""
    with pytest.raises(am.OperandError, match=r"debug\.slides\(\) takes a Value"):
        debug.slides(3.0, "deck.html")


# -- a PDF -------------------------------------------------------------------------------------------------------------


class Sheet(NamedTuple):
    """A page of a PDF: its size, its text, and its smallest letters, in points."""

    size: list[float]
    text: str
    letters: float


def pdf_pages(data: bytes) -> list[Sheet]:
    """The pages of a PDF that Chromium wrote."""
    objects = {int(found[1]): found[2] for found in re.finditer(rb"(?s)(\d+) 0 obj\s(.*?)endobj", data)}

    def stream(key: int) -> bytes:
        return zlib.decompressobj().decompress(re.search(rb"(?s)stream\r?\n(.*)endstream", objects[key])[1])

    def letters(font: int) -> tuple[int, dict[int, str]]:
        named = re.search(rb"/ToUnicode (\d+) 0 R", objects[font])
        found: dict[int, str] = {}
        for block in re.findall(rb"(?s)beginbfchar(.*?)endbfchar", table := stream(int(named[1])) if named else b""):
            for code, text in re.findall(rb"<(\w+)>\s*<(\w+)>", block):
                found[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
        for block in re.findall(rb"(?s)beginbfrange(.*?)endbfrange", table):
            for low, high, text in re.findall(rb"<(\w+)>\s*<(\w+)>\s*<(\w+)>", block):
                first = ord(bytes.fromhex(text.decode()).decode("utf-16-be")[0])
                for code in range(int(low, 16), int(high, 16) + 1):
                    found[code] = chr(first + code - int(low, 16))
        return 2 if b"/Type0" in objects[font] else 1, found

    pages = []
    for body in (body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)):
        box = [float(side) for side in re.search(rb"/MediaBox\s*\[(.*?)\]", body)[1].split()]
        fonts = {name: letters(int(key)) for name, key in re.findall(rb"/(F\d+) (\d+) 0 R", body)}
        wide, known, said, sizes, size, scales = 2, {}, "", [], 0.0, [1.0]
        content = stream(int(re.search(rb"/Contents (\d+) 0 R", body)[1]))
        for ends, moved, font, high, code in re.findall(
            rb"(?m)^([qQ])$|^([-\d. ]+) cm$|/(F\d+) ([\d.]+) Tf|<(\w+)> Tj", content
        ):
            if ends == b"q":
                scales.append(scales[-1])
            elif ends:
                scales.pop()
            elif moved:
                scales[-1] *= abs(float(moved.split()[3]))
            elif font:
                (wide, known), size = fonts[font], float(high)
            else:
                text = [known.get(int(code[i : i + 2 * wide], 16), "") for i in range(0, len(code), 2 * wide)]
                said += "".join(text)
                sizes += [size * scales[-1]] * bool("".join(text).strip())
        pages.append(Sheet(box, said, min(sizes)))
    return pages


@in_browser
def test_a_pdf_has_one_page_per_slide(tmp_path):
    """Of 16 : 9, with text that can be selected; the page says the same as the HTML."""
    trace = recorded(tmp_path, SOFTMAX)
    path = debug.page(trace).slides(tmp_path / "deck.pdf")
    pages = pdf_pages(path.read_bytes())
    assert len(pages) == len(Deck(trace).frames) + 2
    assert all(page.size == [0.0, 0.0, 960.0, 540.0] for page in pages)
    texts = [re.sub(r"\s", "", page.text) for page in pages]
    assert "Backpropagationofloss" in texts[0]
    assert "Gradientsofloss" in texts[-1]
    assert all(f"{place}/{len(pages)}" in text for place, text in enumerate(texts, 1))
    assert "a[t].log()" in "".join(texts)
    assert "−1.517" in texts[13]


@in_browser
@pytest.mark.parametrize("which", [*CLOSE[2:], *CLOSE[:2], "composite"][: effort(2, 6)])
def test_letters_of_a_pdf(which, tmp_path):
    """The smallest letters have 9 points on a sheet of 960: 18 pixels if it fills a screen of 1920."""
    trace = TRACES[which](tmp_path)
    path = trace.slides(tmp_path / "deck.pdf", {0, trace.start - 1, trace.start + 1, len(trace) - 1})
    pages = pdf_pages(path.read_bytes())
    assert 5 <= len(pages) <= 6
    assert min(page.letters for page in pages) >= 9.0


@in_browser
def test_a_program_gives_slides(tmp_path):
    """`page_of_program` writes them for a .pdf file, or if asked to; a quiz cannot be on slides."""
    program = tmp_path / "program.py"
    program.write_text(SOFTMAX, encoding="utf-8")
    made = page_of_program(str(program), [], tmp_path / "deck.html", slides=True)
    assert 'class="slide last"' in made.read_text(encoding="utf-8")
    with pytest.raises(ArgumentError, match="no questions"):
        page_of_program(str(program), [], tmp_path / "deck.pdf", quiz=True)


def test_without_a_browser(tmp_path, monkeypatch):
    """A PDF needs one: the error says which, how to name it, and that HTML needs none."""
    monkeypatch.setattr(browser, "_NAMES", ("no-such-browser",))
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    with pytest.raises(MissingError, match=r"(?s)no browser.*Install Chromium.*AUTOGRAD_MINI_BROWSER.*\.html"):
        debug.slides(Value(1.0) * 2.0, tmp_path / "deck.pdf")
    monkeypatch.setenv(browser.VARIABLE, "/nowhere/browser")
    with pytest.raises(MissingError, match="'/nowhere/browser', which is not a program"):
        debug.slides(Value(1.0) * 2.0, tmp_path / "deck.pdf")


@pytest.mark.parametrize(
    ("program", "said"), [("exit 3", "exit status 3.*it said nothing"), ("sleep 9", "did not finish")]
)
def test_a_browser_that_fails(tmp_path, monkeypatch, program, said):
    """Its exit status and last words are in the error, and no file is left behind."""
    script = tmp_path / "browser"
    script.write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv(browser.VARIABLE, str(script))
    monkeypatch.setattr(browser, "SECONDS", 0.5)
    with pytest.raises(ProgramError, match=said):
        debug.slides(Value(1.0) * 2.0, tmp_path / "deck.pdf")
    assert not (tmp_path / "deck.pdf").exists()


def test_without_dot(tmp_path, monkeypatch):
    """Our own layout serves, and what is too wide is shown close up; a call is still one box."""
    monkeypatch.setattr(render, "programs", list)
    film = Deck(recorded(tmp_path, PACKAGED)).film
    assert film.closeups is not None
    last = next(frame for frame in film.frames[::-1] if frame.call is not None)
    said = {film.shot.stage.title(box): found for box, found in texts(film, last)}
    assert said["z[0]"][-2:] == ["2", "0.459"]
    rows = [["a[0]", "0.659", "−0.3035"], ["a[1]", "0.2424", "−2.062"], ["a[2]", "0.09857", "−3.044"]]
    assert said["softmax"][1:-1] == [part for row in rows for part in row]


@in_browser
def test_results_side_by_side_on_a_phone(visit, tmp_path):  # noqa: F811
    """Upright, the page that steps writes each number of a call into its own cell too."""
    path = debug.page(recorded(tmp_path, PACKAGED), tmp_path / "page.html")
    shown = visit(path, "#step=38", viewport={"width": 390, "height": 844})
    found = shown.page.evaluate(
        "[...document.querySelectorAll('.shot:not([hidden]) .box')].map((box) =>"
        " [...box.querySelectorAll(':scope > text')].map((text) => text.textContent))"
    )
    flat = next([part for part in box if not part.startswith("derivative")] for box in found if "a[0]" in box)
    assert flat[1:] == ["a[0]", "a[1]", "a[2]", "0.659", "0.2424", "0.09857", "−0.3035", "−2.062", "−3.044"]


def test_the_same_picture_for_the_same_graph(tmp_path):
    """Two decks of one trace are the same bytes."""
    trace = recorded(tmp_path, PACKAGED)
    assert Deck(trace).html == Deck(trace).html
    for _ in range(effort(1, 5)):
        film = Film(trace, (1200, 330))
        assert [film.picture(frame) for frame in film.frames] == [film.picture(frame) for frame in film.frames]
