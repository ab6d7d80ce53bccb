"""The page that steps through backpropagation, in a browser: it shows exactly what the trace says."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import ArgumentError, OperandError, Value, debug
from autograd_mini.debug.pages import Page, page_of_program
from autograd_mini.debug.pages.listing import spans
from autograd_mini.debug.pages.mathml import formula, plot
from autograd_mini.debug.pages.shots import MOST
from autograd_mini.debug.program import debug_program
from autograd_mini.debug.timeline.travel import Trace
from tests.effort import effort

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOSTILE = (
    "</script><script>document.title = 'hacked'</script><!-- \" ' & \\ \0 \u202e \u2066 🤷 <img src=x onerror=alert(1)>"
)

SOFTMAX = """\
from autograd_mini import Value

def softmax(z):
    e = [v.exp() for v in z]
    S = e[0] + e[1] + e[2]
    return [v / S for v in e]

z = [Value(2.0, "z0"), Value(1.0, "z1"), Value(0.1, "z2")]
a = softmax(z)
t = 0                              # target class
loss = -a[t].log()
loss.backward()
"""


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page that is open in the browser, with all that it asked for and complained of."""

    def __init__(self, chromium, path, address: str = "", **options) -> None:
        self.context = chromium.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.messages: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.goto(path.as_uri() + address)

    def keys(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)

    def settle(self) -> None:
        """Wait until what an event has caused is drawn."""
        self.page.evaluate(
            "new Promise((go) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(go))))"
        )

    @property
    def step(self) -> int:
        """The step shown."""
        return int(re.search(r"(\d+) of", self.text("#count"))[1])

    def text(self, selector: str) -> str:
        return self.page.locator(selector).text_content()

    def exact(self) -> list[str]:
        """The numbers of the formula of this step, in full."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.formula.now mn[data-exact]')].map((number) => number.dataset.exact)"
        )

    def labels(self) -> dict[str, tuple[str, str]]:
        """What the boxes say: value and gradient, in full, by name."""
        found = self.page.evaluate(
            "[...document.querySelectorAll('.shot:not([hidden]) .box')].map((box) => box.getAttribute('aria-label'))"
        )
        pairs = [re.fullmatch(r"(.*): value (.*), gradient (.*)", label, re.DOTALL) for label in found]
        return {pair[1]: (pair[2], pair[3].removesuffix(" so far")) for pair in pairs}

    def texts(self) -> dict[str, list[str]]:
        """The last two texts in the boxes, by name, without a note on how much is in them."""
        return dict(
            self.page.evaluate(
                "[...document.querySelectorAll('.shot:not([hidden]) .box')].map("
                "(box) => [box.getAttribute('aria-label').split(': ')[0],"
                " [...box.querySelectorAll(':scope > text')].map((text) => text.textContent)"
                ".filter((text) => !/^[0-9,]+ (operation|parameter|input|lea)/.test(text)).slice(-2)])"
            )
        )

    def rows(self) -> dict[str, tuple[str, str]]:
        """The table, with all digits."""
        found = self.page.evaluate(
            "[...document.querySelectorAll('#gradients tbody tr')].map((row) =>"
            " [row.cells[0].textContent, row.cells[1].title, row.cells[2].title])"
        )
        return {name: (value, gradient) for name, value, gradient in found}

    def marks(self, kind: str) -> list[str]:
        """The texts that are marked in the source."""
        return self.page.evaluate(f"[...document.querySelectorAll('mark.{kind}')].map((mark) => mark.textContent)")


@pytest.fixture
def visit(chromium):
    """Opens pages; in the end none may have complained, or asked for anything but its own file."""
    visits: list[Visit] = []

    def open_page(path, *arguments, **options):
        visits.append(Visit(chromium, path, *arguments, **options))
        return visits[-1]

    yield open_page
    for visit in visits:
        messages, requests = visit.messages, visit.requests
        visit.context.close()
        assert messages == []
        assert len(requests) == 1
        assert requests[0].startswith("file://")


def recorded(tmp_path, program: str, name: str = "program.py") -> Trace:
    """The trace of the first `backward()` in a program."""
    path = tmp_path / name
    path.write_bytes(program.encode())
    traces: list[Trace] = []
    debug_program(str(path), [], lambda call: traces.append(call.trace()))
    traces[0].seek(0)
    return traces[0]


@pytest.fixture
def softmax(tmp_path):
    return recorded(tmp_path, SOFTMAX)


def awkward() -> Trace:
    """A graph with an operand used twice, a branch not taken, constants, an infinity, nan, -0.0, and no source."""
    a, b = Value(-3.0, name="a"), Value(0.0, name="b")
    unused = Value(5.0, name="unused")
    y = a + a
    y = am.where(y < 0.0, y * b * 2.0, unused.exp())
    y = am.where(True, y, y) + am.log(b) * -0.0
    return debug.trace(am.sum([y, a, b, 1.0, b, a, a, b, y]))


def network(sizes, activation="tanh") -> Trace:
    numbers = random.Random(1)
    with am.provenance(calls=True):
        model = am.nn.MLP(4, sizes, activation=activation, seed=3)
        loss = am.cross_entropy(model([Value(numbers.uniform(-1.0, 1.0), name=f"x{k}") for k in range(4)]), 1)
    return debug.trace(loss)


# -- what it shows -----------------------------------------------------------------------------------------------------


def of_trace(trace: Trace, node: Value, at: int) -> tuple[str, str]:
    gradient = trace.grad(node, at)
    value = repr(trace.value(node)) if trace.number(node) <= at else "not yet"
    return value, "not yet" if gradient is None else repr(gradient)


@pytest.mark.sampled(2)
@in_browser
@pytest.mark.parametrize("make", [recorded, awkward, lambda: debug.trace(Value(2.5, name="x"))])
def test_every_number_of_every_step_is_that_of_the_trace(make, tmp_path, visit):
    """Boxes, table, chain rule and address, at every step, going there by key; and the same on the way back."""
    trace = make(tmp_path, SOFTMAX) if make is recorded else make()
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    nodes = {trace.label(node): node for node in trace.journal.order}
    for index in [*range(len(trace)), *reversed(range(len(trace) - 1))]:
        if index != shown.step:
            shown.keys("ArrowRight" if index > shown.step else "ArrowLeft")
        step = trace[index]
        assert shown.step == index
        assert shown.text("#phase") == step.phase
        assert shown.labels() == {name: of_trace(trace, node, index) for name, node in nodes.items()}
        named = {name: node for name, node in nodes.items() if node.op is None or trace.name(node)}
        expected = {name: of_trace(trace, node, index) for name, node in named.items()}
        missing = "nothing has arrived"
        assert shown.rows() == {name: (value, missing if gradient == "not yet" else gradient)
                                for name, (value, gradient) in expected.items()}  # fmt: skip
        if step.phase == "forward":
            assert shown.exact()[-1] == repr(step.total)
        elif step.phase == "seed":
            assert shown.exact() == [repr(step.total)]
        else:
            before = trace.grad(step.operand, index - 1)
            sum_of = [] if before is None else [before, step.contribution]
            numbers = [step.upstream, step.local, step.contribution, *sum_of, step.total]
            assert shown.exact() == [*map(repr, numbers)]
        assert int(shown.page.locator("#slider").input_value()) == index
        terms = shown.page.locator(".formula").count()
        assert terms == len(trace.contributions(index))


@in_browser
def test_boxes_have_room_for_every_number(softmax, tmp_path, visit):
    """At no step does a text leave the cell of its box."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    outside = """() => [...document.querySelectorAll(".box")].flatMap((box) => {
      const cells = [...box.querySelectorAll(":scope > polygon")].map((cell) => cell.getBBox());
      return [...box.querySelectorAll(":scope > text")].filter((text) => {
        const { x, width } = text.getBBox();
        return text.textContent && !cells.some((cell) => cell.x - 0.5 <= x && x + width <= cell.x + cell.width + 0.5);
      }).map((text) => text.textContent);
    })"""
    for _ in softmax:
        assert shown.page.evaluate(outside) == []
        shown.keys("ArrowRight")


@in_browser
def test_the_numbers_of_a_group_stand_in_their_cells(tmp_path, visit):
    """Its range of results, then its largest gradient, then what it contains."""
    shown = visit(debug.page(network([8, 8, 3]), tmp_path / "page.html"))
    shown.keys("End")
    groups = shown.page.evaluate(
        "[...document.querySelectorAll('.shot:not([hidden]) .box.folded')].map((box) =>"
        " [...box.querySelectorAll(':scope > text')].slice(-3).map((text) => text.textContent))"
    )
    patterns = r"out .*\d", r"max\|g\| [\d.]+", r"\d+ operations.*"
    neurons = [texts for texts in groups if "operations" in texts[-1]]
    assert len(neurons) >= 3
    assert all(re.fullmatch(pattern, text) for texts in neurons for pattern, text in zip(patterns, texts, strict=True))


@in_browser
def test_the_boxes_say_numbers_with_four_digits(softmax, tmp_path, visit):
    """Boxes show four digits, and a gradient that has not arrived is blank instead of 0."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19")
    texts = shown.texts()
    assert texts["e[0]"] == ["7.389", "−0.04615"]
    assert texts["e[1]"] == ["2.718", ""]  # nothing has arrived: blank, not 0
    assert shown.text(".formula.now").count("∂") == 6
    assert "e[0]" in shown.text("#words")


@in_browser
def test_several_nodes_of_one_name_are_told_apart(tmp_path, visit):
    """The boxes, the chain rule and the table call a node alike."""
    e = [Value(1.0, name="e"), Value(2.0, name="e")]
    shown = visit(debug.page(e[0] * e[1], tmp_path / "page.html"), "#step=4")
    headers = shown.page.locator(".box text:first-of-type").all_text_contents()
    assert {"e#0", "e#1"} < {*headers}
    assert [*shown.rows()] == ["e#0", "e#1"]
    assert "∂e#0" in shown.text(".formula.now")


@in_browser
def test_local_derivatives_are_known_as_soon_as_a_node_is_computed(softmax, tmp_path, visit):
    """In the forward phase the slopes of the current node, and those before it, appear in formula and arrows."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=8")
    locals_of = (
        "[...document.querySelectorAll('.local math:last-child mn[data-exact]')].map((number) => number.dataset.exact)"
    )
    turn = softmax.journal.turn_of(softmax[8].node)
    assert shown.page.evaluate(locals_of) == [repr(softmax[index].local) for index in turn]
    known = shown.page.locator(".edge.known text").all_text_contents()
    assert len(known) == 9  # on the arrows too, not yet on those to log and neg
    shown.keys("End")
    assert shown.page.locator(".local").count() == 1  # of the contribution alone
    arrows = shown.page.locator(".shot:not([hidden]) .edge text").all_text_contents()
    assert "−1" in map(str.strip, arrows)  # as in the boxes, no hyphen
    assert "-" not in "".join(arrows)


@in_browser
def test_the_picture_marks_where_something_happens(softmax, tmp_path, visit):
    """The box of the step, the box that receives, and the one arrow between them, also where two are alike."""
    page = debug.page(softmax, tmp_path / "page.html")
    shown = visit(page, "#step=19")
    assert shown.page.locator(".box.at").get_attribute("aria-label").startswith("e[0] + e[1]:")
    assert shown.page.locator(".box.at").get_attribute("aria-current") == "step"
    assert shown.page.locator(".box.to").get_attribute("aria-label").startswith("e[0]:")
    assert shown.page.locator(".edge.going").count() == 1
    passed = shown.page.locator(".edge.passed").count()
    assert passed == 8
    a = Value(3.0, name="a")
    heads = shown.page.locator(".edge.going polygon:visible")
    assert heads.count() == 1  # the arrow points back, to what receives
    box, head = shown.page.locator(".box.to").bounding_box(), heads.bounding_box()
    assert abs(box["x"] + box["width"] - head["x"]) < 12
    twice = visit(debug.page(a + a, tmp_path / "twice.html"))
    going = []
    for _ in range(5):
        going.append(twice.page.evaluate("[...document.querySelectorAll('.edge.going')].map((edge) => edge.id)"))
        twice.keys("ArrowRight")
    assert [len(ids) for ids in going] == [0, 2, 0, 1, 1]
    assert {*going[3], *going[4]} == {*going[1]}


@in_browser
def test_the_source_shows_the_expression_and_the_calls_that_led_there(softmax, tmp_path, visit):
    """The page marks the expression of the step, the line around it, and each call on the way to it."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19")
    assert shown.marks("here") == ["e[0] + e[1]"]
    assert "softmax(z)" in shown.marks("call")
    assert shown.page.locator("#files li.here code").text_content() == "    S = e[0] + e[1] + e[2]"
    calls = shown.page.locator("#calls li").all_text_contents()
    assert calls[0].startswith("in softmax")
    assert calls[1].startswith("called from top level")
    shown.keys("Home")
    assert shown.marks("here") == ['Value(2.0, "z0")']
    shown.keys("f")
    assert shown.marks("here") == ["-a[t].log()"]
    assert re.findall(r"(?m)^.*$", SOFTMAX)[0] in shown.text("#files")


UNICODE = """\
from autograd_mini import Value
Größe, π = Value(2.0), Value(3.0)
y = "😀" and (lambda ä: ä * π)(Größe) + [
    "👩‍👩‍👧" and v.exp() for v in (Größe,)][0] * (
    Größe -
    π)
y.backward()
"""


@in_browser
def test_columns_are_those_of_the_browser(tmp_path, visit):
    """Bytes become UTF-16 units: identifiers that are not ASCII, emoji, lambdas, comprehensions, several lines."""
    trace = recorded(tmp_path, UNICODE)
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    seen, made = {}, []
    for index in range(trace.start):
        seen[trace[index].node.op] = shown.marks("here")
        made.append(shown.marks("here"))
        shown.keys("ArrowRight")
    assert seen["exp"] == ["v.exp()"]
    assert seen["sub"] == ["Größe -", "π"]
    assert ["ä * π"] in made
    assert seen["add"][0].startswith("(lambda ä: ä * π)(Größe) + [")
    lines = UNICODE.split("\n")
    for node in trace.journal.order:
        site = trace.place(node)
        pieces = [
            lines[line - 1].encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")
            for line, start, end in spans(site)
        ]
        assert "".join("".join(pieces).split()) == "".join(site.expression.split())


def test_without_columns_the_whole_line_is_marked(tmp_path):
    """Where Python keeps no columns, the mark covers the line up to its end, counted in characters."""
    program = tmp_path / "bare.py"
    program.write_text(
        "import autograd_mini as am\nfrom autograd_mini.debug.pages.listing import spans\nwith am.provenance():\n"
        "    y = am.Value(2.0) * 3.0  # ä\nprint(spans(y.origin))\n"
    )
    command = [sys.executable, "-X", "no_debug_ranges", str(program)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[(4, 4, 32)]\n"


@in_browser
def test_a_scope_is_marked_where_it_is_entered(tmp_path, visit):
    """Not the whole block, in which the expression stands."""
    program = "import autograd_mini as am\nx = am.Value(3.0)\nwith am.scope('energy'):\n    y = (\n    x * x)\n"
    program += "y.backward()\n"
    shown = visit(debug.page(recorded(tmp_path, program), tmp_path / "page.html"), "#step=1")
    assert shown.marks("here") == ["x * x"]
    assert shown.marks("call")[0] in ("with am.scope('energy'):", "am.scope('energy')")  # as the interpreter has it


@in_browser
def test_several_files_are_shown_with_the_calls_between_them(tmp_path, visit, monkeypatch):
    """With several files, that of the expression stands first, and the calls in the others are marked."""
    (tmp_path / "inner_of_page.py").write_text("def square(x):\n    return x * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    trace = recorded(
        tmp_path, "from autograd_mini import Value\nimport inner_of_page as i\ni.square(Value(3.0)).backward()\n"
    )
    shown = visit(debug.page(trace, tmp_path / "page.html"), "#step=1")
    assert shown.marks("here") == ["x * x"]
    assert shown.marks("call")[0] == "i.square(Value(3.0))"
    headings = shown.page.locator(".file:visible h3").all_text_contents()
    assert {"program.py", "inner_of_page.py"} <= {*headings}
    tops = {text: shown.page.get_by_role("heading", name=text).bounding_box()["y"] for text in headings}
    assert min(tops, key=tops.get) == "inner_of_page.py"  # the file of the expression stands first


@in_browser
def test_without_a_record_of_places_the_page_says_how_to_get_one(tmp_path, visit):
    """A graph recorded without places gets a page that names `am.provenance(calls=True)`."""
    x = Value(3.0, name="x")
    shown = visit(debug.page(x * x, tmp_path / "page.html"))
    assert "am.provenance(calls=True)" in shown.text("#files")


@in_browser
def test_a_changed_gradient_is_shown(softmax, tmp_path, visit):
    """A trace with a gradient changed by hand: the page begins at its position, and says so."""
    softmax.seek(softmax.start)
    node = next(node for node in softmax.journal.order if node.op == "log")
    softmax.seek(softmax.start + 1)
    softmax.what_if(node, 7.0)
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    assert shown.step == softmax.position
    assert shown.text("#phase") == "what if"
    assert shown.exact() == ["7.0"]
    assert shown.labels()["a[t].log()"][1] == "7.0"


# -- how it moves ------------------------------------------------------------------------------------------------------


@in_browser
def test_keys(softmax, tmp_path, visit):
    """Arrow keys, Home, End, f and F move as announced and stop at the ends; ? opens the help, Escape closes it."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    last = len(softmax) - 1
    visited = []
    for key in ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft", "f", "F", "f"]:
        shown.keys(key)
        visited.append(shown.step)
    assert visited == [1, 2, 1, last, last, 0, 0, softmax.start, 0, softmax.start]
    assert shown.page.url.endswith(f"#step={softmax.start}")
    shown.keys("?")
    assert shown.page.get_by_role("dialog", name="Keys").is_visible()
    shown.keys("ArrowRight", "Escape")
    assert shown.page.get_by_role("dialog").count() == 0
    assert shown.step == softmax.start


@in_browser
def test_shift_and_arrows_go_from_node_to_node_as_the_trace_does(softmax, tmp_path, visit):
    """Shift with an arrow goes where the trace's `into` goes, in both directions, from end to end."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    for _ in range(len(softmax)):
        shown.keys("Shift+ArrowRight")
        softmax.into()
        assert shown.step == softmax.position
    for _ in range(len(softmax)):
        shown.keys("Shift+ArrowLeft")
        softmax.into(back=True)
        assert shown.step == softmax.position


@in_browser
def test_page_keys_go_from_scope_to_scope(tmp_path, visit):
    """PageDown visits the last step of each run of one scope and phase, and PageUp goes back."""
    trace = network([2])
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    visited = []
    while shown.step < len(trace) - 1:
        shown.keys("PageDown")
        visited.append(shown.step)
    scopes = [(step.phase, step.node.scope and step.node.scope.path) for step in trace]
    ends = [i for i, scope in enumerate(scopes) if scopes[i + 1 : i + 2] != [scope]]
    assert visited == [end for end in ends if end > 0]
    shown.keys("PageUp")
    assert shown.step == visited[-2]


@in_browser
def test_the_slider_goes_anywhere_and_says_where(softmax, tmp_path, visit):
    """The slider sets the step, says it in a sentence to screen readers, and keeps its keys."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    slider = shown.page.get_by_role("slider", name="step")
    slider.fill("20")
    assert shown.step == 20
    assert slider.get_attribute("aria-valuetext").startswith(
        "step 20 of 22, backward: e[0] + e[1] hands 0.08919 on to e[1]"
    )
    slider.focus()
    shown.keys("ArrowRight", "End", "PageUp", "Home")
    assert shown.step == 0


@in_browser
def test_it_plays_and_stops_at_the_end(softmax, tmp_path, visit):
    """Playing keeps the chosen speed, pauses on Space or another key, ends at the last step and can begin again."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    shown.page.clock.install(time=0)
    shown.page.clock.pause_at(1000)  # no time passes but what is run here
    speed = shown.page.get_by_role("combobox", name="speed")
    speed.select_option("1000")
    shown.page.get_by_role("button", name="play").click()
    shown.page.clock.run_for(2_500)
    assert shown.step == 2
    assert shown.page.locator("#words").get_attribute("aria-live") == "off"  # nobody can listen so fast
    speed.select_option("200")
    shown.page.clock.run_for(1_100)
    assert shown.step == 7
    shown.page.locator("body").press("Space")
    shown.page.clock.run_for(5_000)
    assert shown.step == 7
    assert shown.page.locator("#words").get_attribute("aria-live") == "polite"
    shown.page.locator("body").press("Space")
    shown.page.clock.run_for(60_000)
    assert shown.step == len(softmax) - 1
    assert shown.text("#play").strip() == "play"
    shown.page.get_by_role("button", name="play").click()  # from the end it begins again
    shown.page.clock.run_for(250)
    assert shown.step == 1
    shown.keys("ArrowRight")  # who takes the wheel stops it
    shown.page.clock.run_for(5_000)
    assert shown.step == 2


@in_browser
def test_buttons(softmax, tmp_path, visit):
    """Each button of the toolbar does what its label says, also at the ends; zoom goes and comes back."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    visited = []
    for name in [
        "one step on",
        "to the end",
        "one step on",
        "one step back",
        "to the beginning",
        "backward",
        "forward",
    ]:
        shown.page.get_by_role("button", name=name, exact=True).click(force=True)  # one is dimmed
        visited.append(shown.step)
    assert visited == [1, 22, 22, 21, 0, softmax.start, 0]
    picture = shown.page.locator(".shot:visible > svg")
    before = picture.bounding_box()["width"]
    shown.page.get_by_role("button", name="larger").click()
    larger = picture.bounding_box()["width"]
    assert larger == pytest.approx(1.25 * before)
    shown.page.get_by_role("button", name="fit").click()
    assert picture.bounding_box()["width"] == pytest.approx(before)


@in_browser
def test_a_click_on_a_box_goes_to_its_step(softmax, tmp_path, visit):
    """In the forward phase to where it is computed; in the backward phase to where it hands on, or receives."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"))
    box = {trace_name: shown.page.locator(f'.box[aria-label^="{trace_name}:"]') for trace_name in ("S", "z1", "e[0]")}
    box["S"].click()
    assert shown.step == softmax.number(softmax.nodes("S")[0]) == 7
    shown.keys("f")
    box["S"].click()
    assert shown.step == softmax.journal.turn_of(softmax.nodes("S")[0])[0] == 16
    box["S"].click()
    assert shown.step == 7
    shown.keys("End")
    box["z1"].focus()
    shown.keys("Enter")
    assert shown.step == softmax.journal.arrivals(softmax.nodes("z1")[0])[-1] == 21
    box["e[0]"].focus()
    shown.keys(" ")
    assert shown.step == 22
    assert shown.text("#play").strip() == "play"


@in_browser
def test_the_address_says_the_step(softmax, tmp_path, visit):
    """The address opens a step and follows a change; a step too far is the last, and nonsense the first."""
    page = debug.page(softmax, tmp_path / "page.html")
    shown = visit(page, "#step=21")
    assert shown.step == 21
    shown.page.evaluate("location.hash = '#step=3'")
    shown.page.wait_for_function("document.querySelector('#count').textContent.startsWith('step 3 ')")
    assert visit(page, "#step=9999").step == 22
    for nonsense in ("#step=-1", "#step=x", "#%%%", "#rule"):
        assert visit(page, nonsense).step == 0
    softmax.seek(13)
    assert visit(debug.page(softmax, tmp_path / "page.html")).step == 13


@in_browser
def test_all_digits_on_request(softmax, tmp_path, visit):
    """The key d or the checkbox switches table and formula between four digits and all."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=22")
    assert shown.page.locator("#gradients tbody tr:first-child td:last-child").text_content() == "−0.341"
    shown.keys("d")
    assert shown.page.locator("#gradients tbody tr:first-child td:last-child").text_content() == "−0.34099886111403205"
    assert "−0.34099886111403205" in shown.text(".formula.now")
    shown.page.get_by_label("all digits").uncheck()
    assert "−0.34099886111403205" not in shown.text(".formula.now")


# -- who can use it ----------------------------------------------------------------------------------------------------


@in_browser
def test_landmarks_names_and_roles(softmax, tmp_path, visit):
    """Readers who cannot see the page find the same things in it by their names."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19").page
    for role, name in [
        ("banner", None), ("main", None), ("toolbar", "moving in time"), ("region", "Graph"), ("region", "Chain rule"),
        ("region", "Source"), ("region", "Gradients now"), ("group", "phases"), ("slider", "step"), ("status", None),
        ("combobox", "speed"), ("checkbox", "all digits"), ("button", "keys"), ("link", "skip the picture"),
        ("heading", "Backpropagation of loss"), ("columnheader", "gradient"), ("rowheader", "z0"),
        ("button", "e[0] + e[1]: value 10.107337927389695, gradient 0.0891861057843828"),
        ("list", "where this comes from"), ("list", "colours of gradients"),
    ]:  # fmt: skip
        found = shown.get_by_role(role, name=name, exact=True) if name else shown.get_by_role(role)
        assert found.count() == 1, (role, name)
    assert shown.get_by_role("status").get_attribute("aria-live") == "polite"
    unnamed = "[...document.querySelectorAll('button')].filter((b) => !b.textContent.trim() && !b.ariaLabel).length"
    assert shown.evaluate(unnamed) == 0


@in_browser
def test_everything_is_reached_by_keyboard_and_focus_is_seen(softmax, tmp_path, visit):
    """Tab reaches all controls and boxes, and whatever has the focus shows it."""
    shown = visit(debug.page(softmax, tmp_path / "page.html")).page
    reached = set()
    for _ in range(40):
        shown.keyboard.press("Tab")
        reached.add(
            shown.evaluate(
                "(document.activeElement.getAttribute('aria-label') || document.activeElement.id).split(':')[0]"
            )
        )
        visible = """() => {
          const focused = document.activeElement;
          if (focused === document.body) return true;
          const shape = focused.matches(".box") ? focused.querySelector("polygon[fill=none]") : focused;
          const style = getComputedStyle(shape);
          return focused.matches(".box") ? style.strokeWidth === "4px" : style.outlineStyle !== "none";
        }"""
        assert shown.evaluate(visible)
    assert {"one step on", "step", "speed", "keys", "larger", "z0", "loss", "digits"} <= reached


@pytest.mark.sampled(3)
@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing(softmax, tmp_path, chromium, scheme, width):
    """A widely used accessibility checker has no complaint, with paths shown too."""
    axe = pytest.importorskip("axe_core_python")
    script = Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
    shown = Visit(chromium, debug.page(softmax, tmp_path / "page.html"), "#step=19", **options)
    shown.page.evaluate(script)
    for _ in range(2):
        assert [found["id"] for found in shown.page.evaluate("axe.run()")["violations"]] == []
        shown.page.evaluate("trails(0)")
    shown.context.close()


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement)
      if (!(at instanceof SVGElement)) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const opacity = (element) => {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
    return product;
  };
  const poor = [];
  const check = (element, front, back) => {
    const alpha = rgba(front);
    alpha[3] *= opacity(element);
    const [one, other] = [light(over(alpha, back)), light(back)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) poor.push(`${element.textContent.trim()} in ${element.tagName}: ${ratio.toFixed(2)}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, style, [aria-disabled=true], .skip")) continue;
    count += 1;
    if (element instanceof SVGElement) {
      if (element.tagName !== "text" || getComputedStyle(element).fill === "none") continue;
      const { x, y, width, height } = element.getBBox();
      const cells = [...element.parentElement.querySelectorAll(":scope > polygon:not([fill=none])")].filter((cell) => {
        const [box, across, down] = [cell.getBBox(), x + width / 2, y + height / 2];
        return box.x <= across && across <= box.x + box.width && box.y <= down && down <= box.y + box.height;
      });
      const fills = element.parentElement.matches(".box") ? cells.map((cell) => getComputedStyle(cell).fill) : [];
      const back = fills.length ? over(rgba(fills.at(-1)), ground(element)) : ground(element);
      check(element, getComputedStyle(element).fill, back);
    } else check(element, getComputedStyle(element).color, ground(element));
  }
  return [count, [...new Set(poor)]];
}"""


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("step", [7, 15, 22])
def test_contrast(softmax, scheme, step, tmp_path, visit):
    """Every text has a contrast of at least 4.5 to 1, in light and dark, in the picture too."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), f"#step={step}", color_scheme=scheme)
    count, poor = shown.page.evaluate(CONTRAST)
    assert count > 100
    assert poor == []
    back = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", back))) > 384) == (scheme == "light")


@in_browser
def test_contrast_of_numbers_that_are_no_numbers(tmp_path, visit):
    """Boxes of nan, inf and zero are readable in the light and in the dark scheme."""
    for scheme in "light", "dark":
        shown = visit(debug.page(awkward(), tmp_path / "page.html"), "#step=999", color_scheme=scheme)
        assert shown.page.locator("polygon.broken").count() > 0
        assert shown.page.locator("polygon.zero").count() > 0
        assert shown.page.evaluate(CONTRAST)[1] == []


@in_browser
def test_colours_that_say_something_are_kept_where_the_system_chooses_colours(softmax, tmp_path, visit):
    """In a high-contrast mode: the legend still explains the picture, and the texts in both can be read."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19", forced_colors="active")
    colours = shown.page.evaluate(
        "['#legend .plus', '#legend .minus', '#gradients .plus', '#graph', '#rule'].map("
        " (name) => getComputedStyle(document.querySelector(name)).forcedColorAdjust)"
    )
    assert colours == ["none", "none", "none", "none", "auto"]
    assert [text for text in shown.page.evaluate(CONTRAST)[1] if "in text" in text or "in LI" in text] == []


@in_browser
@pytest.mark.parametrize("width", [360, 1400])
def test_everything_can_be_hit(softmax, width, tmp_path, visit):
    """Whatever can be pressed is at least 24 pixels wide and high; a box in the picture can be enlarged."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), viewport={"width": width, "height": 800})
    small = """[...document.querySelectorAll("button, select, input")].map((control) => {
      const { width, height } = (control.closest("label") ?? control).getBoundingClientRect();
      return [control.id || control.dataset.do, width, height, control.checkVisibility()];
    }).filter(([, width, height, visible]) => visible && (width < 24 || height < 24))"""
    assert shown.page.evaluate(small) == []


@in_browser
def test_who_listens_hears_the_boxes_and_no_numbers_in_between(softmax, tmp_path, visit):
    """What stands on the arrows is said with its formula, in the chain rule."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19")
    heard = shown.page.locator("#picture").aria_snapshot().splitlines()
    kinds = {re.match(r" *- '?(\w+)", line)[1] for line in heard}
    assert kinds == {"group", "button"}
    assert len(heard) == 1 + shown.page.locator(".box").count()


@in_browser
def test_nothing_moves_by_itself_where_that_is_not_wanted(softmax, tmp_path, visit):
    """The arrow in use flows, unless the reader asked the system for less motion."""
    page = debug.page(softmax, tmp_path / "page.html")
    moving = "getComputedStyle(document.querySelector('.edge.going path')).animationName"
    assert visit(page, "#step=19").page.evaluate(moving) == "flow"
    assert visit(page, "#step=19", reduced_motion="reduce").page.evaluate(moving) == "none"


@in_browser
@pytest.mark.parametrize("width", [320, 360, 400, 700, 1000, 1180])
def test_nothing_overflows_sideways(softmax, width, tmp_path, visit):
    """On a phone too: only the picture scrolls sideways, in its own area; also with all digits."""
    options = {"viewport": {"width": width, "height": 720}}
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19", **options)
    shown.keys("d")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = """() => [...document.querySelectorAll("body *")].filter((element) => {
      if (element.closest("#picture, #legend li, dialog, .skip, math") || !element.checkVisibility()) return false;
      const { left, right, width } = element.getBoundingClientRect();
      return width && (left < -0.5 || right > innerWidth + 0.5);
    }).map((element) => element.outerHTML.slice(0, 80))"""
    assert shown.page.evaluate(wide) == []


@in_browser
def test_it_prints_this_step_without_buttons(softmax, tmp_path, visit):
    """On paper the picture, formula, source and table of the step remain, black on white, without controls."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19", color_scheme="dark")
    shown.page.emulate_media(media="print")
    seen = {selector: shown.page.locator(selector).first.is_visible() for selector in (
        "#picture svg", ".formula.now", "#files li.here", "#gradients table", "#count",
        "[role=toolbar]", "#slider", "#speed", "#digits", "#zoom",
    )}  # fmt: skip
    assert [selector for selector, visible in seen.items() if visible] == [*seen][:5]
    assert shown.page.evaluate("getComputedStyle(document.querySelector('#picture text')).fill") == "rgb(16, 18, 22)"
    assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(shown.page.pdf()) > 10_000


# -- what it must not do -----------------------------------------------------------------------------------------------


def test_one_file_without_network(softmax, tmp_path):
    """The page is one file that loads nothing, forbids loading, has unique ids, and is the same each time."""
    path = debug.page(softmax, tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(
        r"(src|href)=|url\(|@import|fetch\(|XMLHttpRequest|innerHTML|eval\(", text.replace('href="#', "")
    )
    assert text.count("<script") == 2
    assert set(re.findall(r"https?://[^\"' )]+", text)) == {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/1998/Math/MathML",
    }  # fmt: skip
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert debug.page(softmax, tmp_path / "again.html").read_bytes() == path.read_bytes()
    HTMLParser().feed(text)


def hostile_program() -> str:
    name = HOSTILE.replace("\\", "\\\\").replace("\0", "\\0").replace('"', '\\"')
    return (
        'import autograd_mini as am\n# </script><script>document.title = "hacked"</script><!-- <![CDATA[ \u202e evil\n'
        f'with am.scope("{name}"):\n    x = am.Value(2.0, name="{name}")\n    y = x * x  # \u2067 </textarea>\n'
        '    z = {"</script><!--": y}["</script><!--"] + x\nz.backward()\n'
    )


@in_browser
def test_hostile_names_and_source_are_harmless(tmp_path, visit):
    """Markup, scripts and control characters in names or source appear as text and run nowhere."""
    trace = recorded(tmp_path, hostile_program())
    shown = visit(debug.page(trace, tmp_path / "page.html"), "#step=2")
    assert shown.page.title() == "Backpropagation of z"
    assert shown.marks("here") == ['{"</script><!--": y}["</script><!--"] + x']
    assert shown.page.locator("img").count() == 0
    assert shown.page.locator("script").count() == 2
    assert "</script>" in shown.text("#gradients tbody")
    everything = shown.page.evaluate("document.documentElement.outerHTML")
    assert not re.search("[\0\u202a-\u202e\u2066-\u2069]", everything)
    for _ in range(len(trace)):
        shown.keys("ArrowRight")
    assert shown.page.title() == "Backpropagation of z"


@in_browser
def test_the_policy_is_in_force(softmax, tmp_path, chromium):
    """A script, a handler or a style added to the file does nothing; nothing is loaded."""
    path = debug.page(softmax, tmp_path / "page.html")
    added = (
        "<script>document.title = 'hacked'</script><img src='https://example.org/x.png' onerror='document.title=1'>"
        "<style>body { display: none !important }</style><link rel='stylesheet' href='https://example.org/x.css'>"
        "<iframe src='https://example.org/'></iframe><svg onload='document.title = 2'></svg>"
    )
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", added + "</body>"), encoding="utf-8")
    shown = Visit(chromium, path)
    shown.keys("ArrowRight")
    assert shown.step == 1
    assert shown.page.title() == "Backpropagation of loss"
    assert shown.page.locator("main").is_visible()
    assert not any("example.org" in request for request in shown.requests[1:] if not shown.messages)
    assert sum("Content Security Policy" in message for message in shown.messages) >= 5
    shown.context.close()


def test_json_has_no_number_that_is_none(tmp_path):
    """nan and infinities are texts: JSON has neither."""
    text = Page(awkward()).html
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    assert "<" not in data

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(data, parse_constant=refuse, parse_float=refuse)
    pieces = [piece for scene in found["scenes"] for row in scene["formula"] for piece in row]
    assert ["mn", "-inf", "-inf"] in [piece[:3] for piece in pieces]


@st.composite
def graphs(draw) -> Value:
    """A graph of additions, products and quotients of whatever there is already, zeros and infinities included."""
    nodes = [Value(number, name=f"x{i}") for i, number in enumerate(draw(st.lists(st.floats(-3.0, 3.0), min_size=1)))]
    for _ in range(draw(st.integers(0, 12))):
        left, right = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
        nodes.append(draw(st.sampled_from([left + right, left * right, left / right, am.maximum(left, right)])))
    return nodes[-1]


@settings(max_examples=effort(15, 100))
@given(root=graphs())
def test_what_a_page_knows_in_a_scene_is_what_the_trace_says(root):
    """Of any graph: the last entry that is not later than a scene is the number of that moment."""
    trace = debug.trace(root)
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', Page(trace).html, re.DOTALL)[1]
    data = json.loads(text)
    nodes = {trace.label(node): node for node in trace.journal.order}
    boxes = data["pictures"][0]["boxes"]
    assert {box["name"] for box in boxes} == {*nodes}
    for index, scene in enumerate(data["scenes"]):
        assert (scene["step"], scene["phase"]) == (index, trace[index].phase)
        for shown in [{**box, **box["slots"][0]} for box in boxes] + data["rows"]:
            node = nodes[shown["name"]]
            found = []
            for entries in shown["values"], shown["gradients"]:
                numbers = [entry[1] for entry in entries if entry[0] <= index]
                found.append(numbers[-1] if numbers else "not yet")
            exact = tuple(number if isinstance(number, str) else number[1] for number in found)
            assert exact == of_trace(trace, node, index)


# -- large graphs ------------------------------------------------------------------------------------------------------


@in_browser
def test_a_network_is_collapsed_and_still_goes_step_by_step(tmp_path, visit):
    """In a collapsed network each step stays reachable, and a box tells the largest gradient inside so far."""
    trace = network([12, 8, 4], "relu")
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    assert shown.text("#note") == f"A large graph: {trace.start} nodes are in 29 boxes."
    assert int(shown.page.locator("#slider").get_attribute("max")) == len(trace) - 1
    box = shown.page.locator(".shot:not([hidden]) .box", has_text="Neuron2").first
    inside = [n for n in trace.journal.order if n.scope and n.scope.path[:2] == ("Layer0", "Neuron2")]
    weights = [x for n in inside for x in n.operands if type(x) is Value and x.op is None and x.name is None]
    for index in (trace.start + 3, len(trace) - 40, len(trace) - 1):
        shown.page.evaluate(f"location.hash = '#step={index}&open=cross_entropy'")
        shown.page.wait_for_function(f"document.querySelector('#count').textContent.includes('{index} of')")
        assert shown.step == index
        numbers = [trace.grad(node, index) for node in {*inside, *weights}]
        largest = max((g for g in numbers if g is not None), key=abs, default=None)
        said = box.get_attribute("aria-label").partition("; opens")[0].partition("gradient ")[2].removesuffix(" so far")
        assert said == ("not yet" if largest is None else repr(largest))
    texts = shown.page.locator(".shot:not([hidden]) .box text").all_text_contents()
    assert not [text for text in texts if re.fullmatch("0{4,}", text)]  # what stands in for numbers in the layout
    assert sum(text.startswith("out ") for text in texts) == 24
    assert "3 operations, 5 leaves" in texts


@in_browser
def test_a_table_of_many_leaves_is_cut_and_says_so(tmp_path, visit):
    """Variables come first: what is inside of lists may be parameters, of which there are many."""
    weights = [Value(1.0) for _ in range(150)]
    x = Value(2.0)
    loss = am.sum([w * x for w in weights])
    shown = visit(debug.page(loss, tmp_path / "page.html"))
    names = list(shown.rows())
    assert len(names) == 100
    assert names[0] == "x"
    assert {"x", "loss", "weights[0]"} <= set(names)
    assert "more" in shown.text("#gradients")


@in_browser
def test_every_box_of_a_large_graph_opens(tmp_path, visit):
    """A click on a box of several nodes lists them in the table, with their numbers at this step; Escape closes it."""
    model = am.nn.MLP(2, [6, 1], seed=0)
    losses = [(model([0.1 * i, 1.0]) - i % 2) ** 2 for i in range(50)]
    root = am.mean(losses) + 1e-7 * am.sum([p * p for p in model.parameters()])
    trace = debug.trace(root)
    trace.seek(len(trace) - 1)
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    boxes = shown.page.locator(".shot:not([hidden]) .box")
    groups = [box for box in boxes.all() if "opens as a list" in box.get_attribute("aria-label")]
    assert len(groups) > 8
    for box in groups:  # a magnitude has no sign, and an exponent keeps its own
        told = float(box.get_attribute("aria-label").partition("; opens")[0].partition("gradient ")[2])
        assert f"max|g| {am.notation.text.number(abs(told))}".replace("-", "−") in box.text_content()
    known = shown.rows()
    names = {*known}
    for box in groups:
        box.click()
        title = shown.text("#gradients-title").lower()
        assert title.startswith("inside ")
        names |= shown.rows().keys()
    assert len(names) > 300
    shown.keys("Escape")
    assert shown.rows().keys() == known.keys()


@in_browser
def test_steps_of_a_very_large_graph_are_grouped(tmp_path, visit):
    """The page stays small, says so, and every group ends where the trace has the numbers it shows."""
    trace = network([60, 60, 10])
    assert len(trace) > 3 * MOST
    path = debug.page(trace, tmp_path / "page.html")
    assert path.stat().st_size < 2_500_000  # with sliders for 4,300 leaves
    shown = visit(path)
    note = shown.text("#note")
    assert f"{len(trace):,} steps are shown in" in note
    assert int(shown.page.locator("#slider").get_attribute("max")) < MOST
    for key in ["ArrowRight", "f", "ArrowRight", "ArrowRight", "End"]:
        shown.keys(key)
        index = shown.step if key == "f" else int(re.search(r"(\d+) of", shown.text("#count"))[1])
        rows = shown.rows()
        for name in ("x0", "x3"):
            (node,) = trace.nodes(name)
            value, gradient = of_trace(trace, node, index)
            assert rows[name] == (value, "nothing has arrived" if gradient == "not yet" else gradient)
    assert shown.step == len(trace) - 1
    assert "contributions" in shown.text("#words")


def test_groups_cover_all_steps_and_never_join_the_phases():
    """The scenes of a long trace contain each step once, are few, and one begins with the backward phase."""
    from autograd_mini.debug.pages.shots import Scenes
    from autograd_mini.drawing.boxes import Graph, arrange

    x = Value(1.0, name="x")
    for _ in range(3 * MOST):
        x = x * 1.0001 + 0.001  # no scopes: boxes of operations
    for trace in (network([60, 60, 10]), debug.trace(x)):
        scenes = Scenes(trace, arrange(Graph(trace.journal.order)))
        covered = [index for scene in range(len(scenes)) for index in scenes.steps(scene)]
        assert covered == [*range(len(trace))]
        assert 50 < len(scenes) <= MOST + 1
        assert trace.start in scenes.firsts


# -- notebooks and files -----------------------------------------------------------------------------------------------


@in_browser
def test_a_notebook_shows_the_page_in_a_frame(softmax, tmp_path, visit):
    """The frame may run scripts, and nothing else; it steps, and its keys stay in it."""
    softmax.seek(5)
    shown = debug.page(softmax)
    assert repr(shown) == 'Page(loss, 23 steps); notebooks show it, .save("backprop.html") writes it'
    text = shown._repr_html_()
    assert 'sandbox="allow-scripts"' in text
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><title>notebook</title><h1>a cell</h1>{text}", encoding="utf-8")
    opened = visit(notebook)
    frame = opened.page.frame_locator("iframe[title='Stepping through backpropagation']")
    assert frame.locator("#count").text_content() == "step 5 of 22"
    frame.get_by_role("button", name="one step on").click()
    assert frame.locator("#count").text_content() == "step 6 of 22"
    frame.locator("body").press("End")
    assert frame.locator("#count").text_content() == "step 22 of 22"
    opened.requests[:] = [request for request in opened.requests if request != "about:srcdoc"]


def test_saving(softmax, tmp_path):
    """`page.save` and `debug.page(…, path)` write the same bytes, to str or Path, .html or .htm."""
    page = debug.page(softmax)
    path = page.save(tmp_path / "Page.HTML")
    assert path == tmp_path / "Page.HTML"
    assert path.read_text(encoding="utf-8") == page.html
    assert debug.page(softmax, str(tmp_path / "other.htm")).read_bytes() == path.read_bytes()


def test_impossible_arguments_are_found_before_the_work(tmp_path):
    """A wrong ending, folder or type is refused immediately, and no file is left behind."""
    x = Value(1.0)
    with pytest.raises(ArgumentError, match=r"cannot be saved as 'page\.svg'"):
        debug.page(x, "page.svg")
    with pytest.raises(ArgumentError, match="There is no folder"):
        debug.page(x, tmp_path / "nowhere" / "page.html")
    with pytest.raises(OperandError, match=r"debug\.page\(\) takes a Value, not float"):
        debug.page(1.0)
    with pytest.raises(ArgumentError):
        debug.page(1.0, "page.svg")
    assert [*tmp_path.iterdir()] == []


LOOP = """\
import sys
from autograd_mini import Value
w = Value(1.0, name="w")
for number in map(float, sys.argv[1:]):
    loss = w * number
    loss.backward()
print("the end")
"""


def test_the_page_of_a_program(tmp_path, monkeypatch, capsys):
    """Its first call of backward(), or another one; the program ends there."""
    program = tmp_path / "loop.py"
    program.write_text(LOOP)
    monkeypatch.chdir(tmp_path)
    assert str(page_of_program(str(program), ["3", "5"], "first.html")) == "first.html"
    assert page_of_program(str(program), ["3", "5"], "second.html", at=2).exists()
    assert page_of_program(f"{program}:loss", ["7"], "last.html").exists()
    assert capsys.readouterr().out == "the end\n"  # of the last, in which nothing was cut short
    for name, number in ("first", "3.0"), ("second", "5.0"), ("last", "7.0"):
        assert f'["mn","{number[0]}","{number}"]' in (tmp_path / f"{name}.html").read_text(encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"calls backward\(\) 2 times\.\n(.|\n)*from 1 to 2"):
        page_of_program(str(program), ["3", "5"], "third.html", at=3)
    with pytest.raises(ArgumentError, match=r"never calls backward\(\)(.|\n)*loop\.py:NAME"):
        page_of_program(str(program), [], "none.html")
    with pytest.raises(ArgumentError, match="There is no folder"):
        page_of_program("nowhere.py", [], tmp_path / "missing" / "page.html")


# -- formulas ----------------------------------------------------------------------------------------------------------


def flat(tree) -> str:
    return "".join(part if isinstance(part, str) else flat(part) for part in tree[1 : 2 if tree[0] == "mn" else None])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda a, b: a - b, "c=a−b =2−(-3) =5"),
        (lambda a, b: a**b, "c=ab =2-3 =0.125"),
        (lambda a, b: -b, "c=−b =−(-3) =3"),
        (lambda a, b: a / b, "c=a÷b =2÷(-3) =-0.6667"),
        (lambda a, b: am.exp(a), "c=exp(a) =exp(2) =7.389"),
        (lambda a, b: abs(b), "c=|b| =|-3| =3"),
        (lambda a, b: am.sqrt(a), "c=a =2 =1.414"),
        (lambda a, b: am.cbrt(a), "c=a3 =23 =1.26"),
        (lambda a, b: am.sum([a, b, a, b, a, b, a, b]), "c=Σ(a,b,a,b,…,b) =Σ(2,-3,2,-3,…,-3) =-4"),
        (lambda a, b: am.dot([a, b], [b, 2.0]), "c=a×b+b×2 =2×(-3)+(-3)×2 =-12"),
    ],
)
def test_operations_are_written_as_people_write_them(make, expected):
    """Formulas use signs, powers, brackets around negative numbers, and shorten long sums."""
    result = make(Value(2.0, name="a"), Value(-3.0, name="b"))
    result.name = "c"
    trace = debug.trace(result)
    assert " ".join(map(flat, formula(trace, trace[trace.start - 1]))) == expected


def test_the_product_of_a_formula_is_its_result(softmax):
    """upstream times local is the contribution, bit for bit, in every formula that the page has."""
    for step in softmax[softmax.start + 1 :]:
        assert math.prod([step.upstream, step.local]) == step.contribution


# -- the local rule ----------------------------------------------------------------------------------------------------


@in_browser
def test_the_local_derivative_stands_beside_the_chain_rule(softmax, tmp_path, visit):
    """The rule in symbols, in numbers, and its result, which is the number of the arrow; a plot with the tangent."""
    log = next(node for node in softmax.journal.order if node.op == "log")
    shown = visit(debug.page(softmax, tmp_path / "page.html"), f"#step={softmax.journal.turn_of(log)[0]}")
    assert "".join(shown.text(".local").split()) == "∂log(a0)∂a0=1a0=10.659=1.517"  # the page has no fraction bars here
    plot = shown.page.locator("#plot svg")
    assert plot.get_attribute("aria-label") == "log at 0.659: -0.417, slope 1.517"
    assert plot.locator(".curve").count() == plot.locator(".tangent").count() == 1
    last = "[...document.querySelectorAll('.local math:last-child mn')].map((number) => number.dataset.exact)"
    for index in range(softmax.start + 1, len(softmax)):
        shown.page.evaluate(f"show({index})")
        assert shown.page.evaluate(last) == [repr(softmax[index].local)]


def test_a_plot_has_its_tangent_where_the_operation_is():
    """The spot lies on the curve, the tangent has the slope of the derivative, and nothing else is drawn."""
    x = Value(0.5, name="x")
    for y in (am.exp(x), am.log(x), x * x, 2.0 / x, am.tan(x), x**3.0, am.sqrt(x)):
        trace = debug.trace(y)
        drawn = plot(trace, y, 0, "plot-0")
        spot = [float(found) for found in re.search(r'cx="([-\d.]+)" cy="([-\d.]+)"', drawn).groups()]
        ends = [[*map(float, pair.split(","))] for pair in re.search(r'tangent" d="M(.*?)L(.*?)"', drawn).groups()]
        middle = [(a + b) / 2 for a, b in zip(*ends, strict=True)]
        assert middle == pytest.approx(spot, abs=0.2)
        points = [
            [*map(float, pair.split(","))] for pair in re.findall(r"[ML]([-\d.]+,[-\d.]+)", drawn.split('curve"')[1])
        ]
        assert min(math.dist(spot, point) for point in points[:-2]) < 240 or y is x * x
        assert "style=" not in drawn


@pytest.mark.parametrize("number", [math.inf, math.nan, 1e300, 0.0])
def test_no_plot_where_there_is_nothing_to_see(number):
    """At a pole, nan, or far out the page has the formula alone."""
    x = Value(number, name="x")
    y = am.log(x) if number == 0.0 else am.exp(x)
    assert plot(debug.trace(y), y, 0, "plot-0") == ""


# -- paths -------------------------------------------------------------------------------------------------------------


@in_browser
def test_a_click_on_a_leaf_lights_up_its_paths(softmax, tmp_path, visit):
    """Every path with its product, adding up to the gradient; a click on one leaves it alone lit; Escape ends it."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19")
    shown.page.locator('.box[aria-label^="z0:"]').click()
    found = softmax.paths(softmax.nodes("z0")[0])
    assert shown.text("#paths-title") == "2 paths from loss to z0: adding up to −0.341, the gradient."
    ways = shown.page.locator("#ways .way").all_text_contents()
    assert ways == ["loss → a[t].log() → a[0] → e[0] → z0", "loss → a[t].log() → a[0] → S → e[0] + e[1] → e[0] → z0"]
    products = [text.rpartition("= ")[2] for text in shown.page.locator("#ways .product").all_text_contents()]
    assert products == [am.notation.text.number(path.product).replace("-", "−") for path in found.paths]
    lit = "[...document.querySelectorAll('.box.lit')].map((box) => box.getAttribute('aria-label').split(':')[0])"
    assert {*shown.page.evaluate(lit)} == {"loss", "a[t].log()", "a[0]", "S", "e[0] + e[1]", "e[0]", "z0"}
    assert shown.page.locator(".edge.lit").count() == 7
    shown.page.locator("#ways button").first.click()
    assert "S" not in shown.page.evaluate(lit)
    assert shown.page.locator(".edge.lit").count() == 4
    shown.keys("ArrowLeft")
    assert shown.page.locator(".edge.lit").count() == 4  # stepping keeps them
    shown.keys("Escape")
    assert shown.page.evaluate(lit) == []
    assert not shown.page.locator("#paths").is_visible()
    shown.page.get_by_role("button", name="z1", exact=True).focus()  # in the table
    shown.keys("Enter")
    assert shown.text("#paths-title").startswith("1 path from loss to z1:")


# -- room --------------------------------------------------------------------------------------------------------------


def chain(length: int) -> Value:
    x = Value(0.5, name="x")
    y = x
    for _ in range(length):
        y = am.sin(y)
    return y


SEEN = """() => {
  const area = document.querySelector("#picture"), outer = area.getBoundingClientRect();
  const inner = document.querySelector(".shot:not([hidden]) > svg").getBoundingClientRect();
  return outer.left <= inner.left && inner.right <= outer.right && outer.top <= inner.top
    && inner.bottom <= outer.bottom && area.scrollWidth <= area.clientWidth && area.scrollHeight <= area.clientHeight;
}"""


@pytest.mark.sampled(3)
@in_browser
@pytest.mark.parametrize("viewport", [(1400, 900), (1024, 640), (390, 844)])
def test_fit_shows_all_of_the_picture(tmp_path, visit, viewport):
    """A chain of 36 nodes, a network and a softmax: after "fit" nothing is cut off."""
    size = {"width": viewport[0], "height": viewport[1]}
    for name, trace in (("chain", debug.trace(chain(36))), ("network", network([4, 3])), ("wide", network([12, 8, 4]))):
        shown = visit(debug.page(trace, tmp_path / f"{name}.html"), "", viewport=size)
        shown.page.get_by_role("button", name="fit").click()
        assert shown.page.evaluate(SEEN), name
        shown.keys("-", "-", "0")
        assert shown.page.evaluate(SEEN), name


@in_browser
def test_panels_are_resized_by_keyboard_and_by_mouse(softmax, tmp_path, visit):
    """A line between panels is a separator that says its place; arrow keys there do not step."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=5")
    for name, key, selector, side in (
        ("height of the lower panels", "ArrowUp", "#rule", "height"),
        ("width of the panels on the right", "ArrowLeft", "#gradients", "width"),
        ("width of the source", "ArrowLeft", "#source", "width"),
    ):
        bar = shown.page.get_by_role("separator", name=name)
        before = shown.page.locator(selector).bounding_box()[side], int(bar.get_attribute("aria-valuenow"))
        bar.focus()
        shown.keys(key, key)
        after = shown.page.locator(selector).bounding_box()[side], int(bar.get_attribute("aria-valuenow"))
        assert after[0] > before[0] + 20
        assert after[1] > before[1]
    assert shown.step == 5
    bar = shown.page.get_by_role("separator", name="width of the panels on the right").bounding_box()
    width = shown.page.locator("#gradients").bounding_box()["width"]
    shown.page.mouse.move(bar["x"] + 5, bar["y"] + bar["height"] - 60)
    shown.page.mouse.down()
    shown.page.mouse.move(bar["x"] - 95, bar["y"] + 100)
    shown.page.mouse.up()
    assert shown.page.locator("#gradients").bounding_box()["width"] == pytest.approx(width + 100, abs=3)


@in_browser
def test_long_names_in_the_table_take_two_lines(tmp_path, visit):
    """A long name takes two lines at most, broken after a dot, and stands in the tooltip."""
    long = [Value(1.0, name=f"transformer.layers[{i}].attention.query.weights[3][4]") for i in range(3)]
    shown = visit(debug.page(am.sum(long) * 2.0, tmp_path / "page.html"), viewport={"width": 1100, "height": 800})
    heights = shown.page.evaluate(
        "[...document.querySelectorAll('#gradients tbody th > :first-child')].map((name) => name.offsetHeight)"
    )
    assert max(heights) < 52
    assert "transformer.laye…y.weights[3][4]" in shown.page.locator("#gradients tbody th").first.get_attribute("title")


@in_browser
def test_a_ledger_of_every_step_is_printed_on_request(softmax, tmp_path, visit):
    """The button asks what to print: the step alone takes one or two pages, the ledger a row for every step more."""
    shown = visit(debug.page(softmax, tmp_path / "page.html"), "#step=19")

    def pages() -> int:
        return len(re.findall(rb"/Type\s*/Page\b", shown.page.pdf()))

    alone = pages()
    assert alone <= 2
    shown.page.evaluate("window.print = () => { window.asked = true; }")
    shown.page.get_by_role("button", name="print").click()
    shown.page.get_by_role("button", name="a ledger of every step").click()
    assert shown.page.evaluate("window.asked")
    assert shown.page.locator("#ledger tbody tr").count() == len(softmax)
    shown.page.emulate_media(media="print")
    assert shown.page.locator("#ledger").is_visible()
    assert not shown.page.get_by_role("dialog").is_visible()
    assert pages() > alone
    shown.page.evaluate("ledger()")  # printing has taken it away
    text = "".join(shown.text("#ledger").split())
    for step in softmax[softmax.start + 1 :]:
        assert am.notation.text.number(step.contribution).replace("-", "−") in text
    shown.page.emulate_media(media="screen")
    shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not shown.page.locator("#ledger").is_visible()


# -- folds -------------------------------------------------------------------------------------------------------------

FOLDED = """\
import autograd_mini as am
x, w, v = am.Value(2.0, "x"), am.Value(0.5, "w"), am.Value(-1.0, "v")
z = [w * x, v * x]
a = am.softmax(z)
h = am.tanh(a[0] * v)
loss = -am.log(a[1]) + h
loss.backward()
"""


@pytest.fixture
def folded(tmp_path):
    return recorded(tmp_path, FOLDED)


def own(trace: Trace, name: str) -> set[int]:
    """The steps that happen inside a call."""
    (call,) = [call for call in trace.calls.values() if call.name == name]
    return {step.index for step in trace if step.node in call.nodes and step.phase != "seed"}


@in_browser
def test_a_call_is_folded_and_one_motion(folded, tmp_path, visit):
    """Stepping passes softmax and tanh as a whole, on the way there and back; no step inside is shown."""
    shown = visit(debug.page(folded, tmp_path / "page.html"))
    inside = own(folded, "softmax") | own(folded, "tanh")
    there = [shown.step]
    while shown.step < len(folded) - 1:
        shown.keys("ArrowRight")
        there.append(shown.step)
    calls = own(folded, "softmax"), own(folded, "tanh")
    last_inside = {step for call in calls for step in call if step + 1 not in call or step + 1 == folded.start}
    assert {*there} >= {*range(len(folded))} - inside
    assert 4 <= len({*there} & inside) <= 6  # the end of each call in both phases; others may come in between
    assert {*there} & inside <= last_inside
    back = [shown.step]
    while shown.step > 0:
        shown.keys("ArrowLeft")
        back.append(shown.step)
    assert back == there[::-1]


@in_browser
def test_a_folded_call_has_its_own_derivative_and_closed_form(folded, tmp_path, visit):
    """A call hands on the sum over its results, as in the trace; the rule is the closed form with its numbers."""
    trace = folded
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    (call,) = [call for call in trace.calls.values() if call.name == "tanh"]
    (y,), (x,) = call.fold.outputs, call.fold.inputs
    last = max(step.index for step in trace[trace.start :] if step.node in call.nodes)
    shown.page.evaluate(f"show({last})")
    assert "".join(shown.page.locator(".local").first.text_content().split()).startswith("∂h∂(a[0]*v)=1−o2=1−")
    product = trace.grad(y, last) * call.slope(y, x)
    assert product == pytest.approx(trace.grad(x, last))
    assert shown.exact()[-2:] == [repr(trace.grad(x, last)), repr(trace.grad(x, last))]
    assert shown.page.locator("#plot svg").get_attribute("aria-label").startswith("tanh at ")
    last = max(own(trace, "softmax"))
    shown.page.evaluate(f"show({last})")
    locals_ = ["".join(text.split()) for text in shown.page.locator(".local").all_text_contents()]
    assert len(locals_) == 5  # two results by two operands, and what the letters mean
    assert all("=ai(δij−aj)=" in text for text in locals_[:4])


@in_browser
def test_every_number_of_a_folded_box_is_that_of_the_trace(folded, tmp_path, visit):
    """At the end of each motion; a box with several results lists each with its gradient."""
    shown = visit(debug.page(folded, tmp_path / "page.html"))
    while shown.step < len(folded) - 1:
        said = shown.page.locator(".shot:not([hidden]) .box.folded").first.get_attribute("aria-label")
        index = shown.step
        for name in ("a[0]", "a[1]"):
            value, gradient = of_trace(folded, folded.nodes(name)[0], index)
            assert re.search(
                rf"{re.escape(name)}: value {re.escape(value)}, gradient {re.escape(gradient)}( so far)?;", said
            )
        shown.keys("ArrowRight")


@in_browser
def test_a_call_opens_by_click_key_or_choice_and_folds_again(folded, tmp_path, visit):
    """A click on its box, S on the way, or the list; R or Escape fold it; the address says it, and leads back to it."""
    page = debug.page(folded, tmp_path / "page.html")
    shown = visit(page, f"#step={folded.start}")
    boxes = shown.page.locator(".shot:not([hidden]) .box")
    few = boxes.count()
    shown.page.locator('.shot:not([hidden]) .box.folded[aria-label*="softmax"]').click()
    assert boxes.count() > few
    assert shown.page.url.endswith(f"#step={folded.start}&open=softmax")
    assert shown.page.get_by_role("combobox", name="open").input_value() == "softmax"
    shown.keys("r")
    assert boxes.count() == few
    assert shown.page.url.endswith(f"#step={folded.start}")
    first = min(step for step in own(folded, "tanh") if step > folded.start)
    while shown.step < first - 1:
        shown.keys("ArrowRight")
    shown.keys("s")
    assert shown.step == first
    assert shown.page.url.endswith(f"#step={first}&open=tanh")
    shown.keys("ArrowRight")
    assert shown.step == first + 1
    again = visit(page, f"#step={first + 1}&open=tanh")
    assert again.step == first + 1
    assert again.labels() == shown.labels()
    again.keys("Escape")
    assert again.step > first + 1  # the end of the motion
    again.page.get_by_role("combobox", name="open").select_option("all")
    assert again.page.locator(".shot:not([hidden]) .box.folded").count() == 0
    assert visit(page, "#step=3&open=nonsense").page.locator(".shot:not([hidden]) .box.folded").count() == 2


OWN = """\
import autograd_mini as am
@am.composite
def cell(w, h, x):
    return am.tanh(w * h + x)
w, h = am.Value(0.9, "w"), am.Value(0.1, "h0")
for x in (0.5, -0.2):
    h = cell(w, h, x)
with am.scope("squared"):
    loss = (h - 1.0) ** 2 + 0.1 * h
loss.backward()
"""


@in_browser
def test_scopes_and_composites_of_the_user_fold_and_open(tmp_path, visit):
    """They are open; a click or R on a frame folds it, to a box with its own derivative, which opens again."""
    trace = recorded(tmp_path, OWN)
    trace.seek(len(trace) - 1)
    page = debug.page(trace, tmp_path / "page.html")
    shown = visit(page)
    frames, boxes = (shown.page.locator(f".shot:not([hidden]) .{kind}") for kind in ("frame", "box"))
    assert sorted(frame.get_attribute("aria-label") for frame in frames.all()) == ["cell: folds"] * 2 + [
        "squared: folds"
    ]
    before = boxes.count()
    frames.first.click(position={"x": 6, "y": 6})
    assert shown.page.url.endswith("&open=fold-cell")
    assert boxes.count() == before - 2  # product, sum and tanh are one
    (folded,) = [box for box in boxes.all() if "cell" in box.get_attribute("aria-label")]
    call = next(iter(trace.calls.values()))  # the tanh inside leaves it
    y = call.fold.outputs[0]
    assert f"value {trace.value(y)!r}, gradient {trace.grad(y)!r}" in folded.get_attribute("aria-label")
    while "cell" not in shown.text("#words"):
        shown.keys("ArrowLeft")
    assert "hands on to" in shown.text("#words")
    assert am.notation.text.number((1.0 - y.data**2) * 0.9).replace("-", "−") in shown.text("#locals")
    again = visit(page, f"#step={shown.step}&open=fold-cell")
    assert again.labels() == shown.labels()
    folded.click()
    assert boxes.count() == before
    shown.keys("End", "ArrowLeft", "r")
    assert boxes.count() < before
    shown.keys("Escape")
    assert boxes.count() == before


@in_browser
def test_paths_go_through_a_folded_call_as_one_factor(folded, tmp_path, visit):
    """Their products add up to the gradient; in the open picture the whole call lights up."""
    shown = visit(debug.page(folded, tmp_path / "page.html"), "#step=0&open=softmax")
    shown.page.get_by_role("button", name="w", exact=True).click()
    ways = shown.page.locator("#ways .way").all_text_contents()
    assert len(ways) == folded.paths(folded.nodes("w")[0]).count == 2
    assert all("exp" not in way for way in ways)
    lit = shown.page.locator(".shot:not([hidden]) .box.lit").count()
    shown.keys("Escape")
    shown.keys("Escape")
    shown.page.get_by_role("button", name="w", exact=True).click()
    assert lit > shown.page.locator(".shot:not([hidden]) .box.lit").count() > 3


@in_browser
def test_a_phone_gets_an_upright_picture(folded, tmp_path, visit):
    """On a phone the arrows point down, and nothing needs scrolling sideways."""
    shown = visit(debug.page(folded, tmp_path / "page.html"), viewport={"width": 390, "height": 844})
    size = shown.page.locator(".shot:not([hidden]) svg").bounding_box()
    assert size["height"] > size["width"]
    shown.page.set_viewport_size({"width": 1400, "height": 900})
    shown.page.wait_for_function(
        "[...document.querySelectorAll('.shot:not([hidden]) svg')].every((e) => e.clientWidth > e.clientHeight)"
    )
    size = shown.page.locator(".shot:not([hidden]) svg").bounding_box()
    assert size["width"] > size["height"]


def test_a_quiz_asks_inside_of_calls_too(folded):
    """So nothing is folded there."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', Page(folded, True).html, re.DOTALL)[1]
    data = json.loads(text)
    assert (data["folds"], data["inside"], len(data["pictures"])) <= ([], [], 2)
    assert sum("quiz" in scene for scene in data["scenes"]) == len(folded) - folded.start - 1
