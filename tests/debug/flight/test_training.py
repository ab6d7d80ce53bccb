"""The page of a training run in a browser: what it shows is what was recorded, and a step leads to its own pass."""

from __future__ import annotations

import re

import pytest

import autograd_mini as am
from autograd_mini import ArgumentError, OperandError, Value
from autograd_mini.debug import Flight
from autograd_mini.debug.flight.training import Replays
from autograd_mini.notation.text import number
from tests.debug.flight.test_record import network, train
from tests.debug.test_pages import CONTRAST, chromium, in_browser, visit  # noqa: F401  # fixtures
from tests.effort import effort


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages of a run that goes well, and of one in which much goes wrong."""
    folder = tmp_path_factory.mktemp("pages")
    small = am.nn.MLP(2, [2, 1], activation="tanh", seed=1)
    with am.record(small) as good:
        for _ in train(small, 90, lr=0.3, batch=1):
            pass
    relus = am.nn.MLP(2, [3, 1], activation="relu", seed=2)
    with am.record(relus) as bad:
        for _ in train(relus, 20, lr=0.05):
            pass
        relus.layers[0].neurons[1].b.data = -40.0
        for _ in train(relus, 80, lr=3.0):
            pass
    return good, good.page(folder / "good.html"), bad, bad.page(folder / "bad.html")


def told(shown) -> int:
    """The step that the page shows."""
    return int(re.match(r"step ([\d,]+)", shown.text("#run-now"))[1].replace(",", ""))


def table(shown) -> list[list[str]]:
    return shown.page.evaluate(
        "[...document.querySelectorAll('#run-step tbody tr')].map((row) => [...row.cells].map((c) => c.textContent))"
    )


@in_browser
def test_every_step_shows_its_numbers(pages, visit):  # noqa: F811
    """By arrow keys through the kept steps: loss, values and gradients; the address holds the step."""
    good, path, *_ = pages
    shown = visit(path, "#training=0")
    for step in good.kept[: effort(12, 90)]:
        assert told(shown) == step
        assert number(good[step].loss).replace("-", "−") in shown.text("#run-now")
        expected = zip(good.names, good[step].values.values(), good[step].gradients.values(), strict=True)
        assert table(shown) == [[n, *[number(x).replace("-", "−") for x in pair]] for n, *pair in expected]
        assert shown.page.evaluate("location.hash") == f"#training={step}"
        shown.keys("ArrowRight")
    shown.keys("Home")
    assert told(shown) == 0


@in_browser
def test_a_step_leads_to_its_own_backward_pass(pages, visit):  # noqa: F811
    """The gradients at the end of each pass are those of the record; T leads back to the training."""
    good, path, *_ = pages
    shown = visit(path, "#training=0")
    for step in good.passes[:: effort(11, 1)]:
        while told(shown) < step:
            shown.keys("ArrowRight")
        shown.keys("Enter", "End")
        assert shown.text("#run-pass").startswith(f"step {step} of 90")
        rows = shown.page.evaluate(
            "[...document.querySelectorAll('#gradients tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
        )
        for name, gradient in good[step].gradients.items():
            found = next(cells[2] for cells in rows if cells[0].startswith(name))
            assert float(found.replace("−", "-")) == pytest.approx(gradient, rel=1e-3, abs=1e-300)
        shown.keys("t")
        assert told(shown) == step


@in_browser
def test_from_pass_to_pass(pages, visit):  # noqa: F811
    """Brackets go to the previous and the next pass, and stay at the same step of the sweep."""
    good, path, *_ = pages
    shown = visit(path, f"#training={good.passes[3]}")
    shown.keys("Enter", "ArrowRight", "ArrowRight")
    step = shown.step
    shown.keys("]")
    assert (shown.step, shown.text("#run-pass").split()[1]) == (step, str(good.passes[4]))
    shown.keys("[", "[", "[", "[", "[", "[")
    assert shown.text("#run-pass").split()[1] == "0"
    shown.page.locator("[data-run=close]").click()
    assert told(shown) == 0


@in_browser
def test_what_happened_is_marked_where_it_began(pages, visit):  # noqa: F811
    """Each event is a button that goes to its step, and a line in the charts; the page begins at the first one."""
    *_, bad, path = pages
    shown = visit(path)
    assert {"dead", "explosion"} <= {event.kind for event in bad.events}
    buttons = shown.page.locator("#run-events button")
    steps = sorted({(event.step, event.kind, event.until is None) for event in bad.events})
    assert buttons.count() == len(steps)
    assert told(shown) == bad.events[0].step
    for place in range(buttons.count()):
        buttons.nth(place).click()
        assert f"Step {told(shown)}: " in buttons.nth(place).text_content()
        if "dead" in buttons.nth(place).text_content():
            assert re.search("works again at step|to the last step", buttons.nth(place).text_content())
    assert shown.page.locator("#run-loss .began").count() == len(steps)
    text = shown.text("#run-events")
    assert all(event.where in text for event in bad.events if event.where != "loss")


@in_browser
def test_a_click_on_a_chart_goes_to_a_step(pages, visit):  # noqa: F811
    """A click goes to the nearest step, preferably one whose pass is kept; a step without a pass offers the nearest."""
    good, path, *_ = pages
    shown = visit(path)
    box = shown.page.locator("#run-loss .chart").bounding_box()
    for share in (0.1, 0.35, 0.8):
        shown.page.mouse.click(box["x"] + share * box["width"], box["y"] + 40)
        assert told(shown) in good.passes
    shown.keys("End")
    assert told(shown) == 89
    assert "not kept" in shown.text("#run-why")
    shown.keys("Enter")
    assert shown.page.locator("#run").is_visible()
    shown.page.locator("#run-why button").first.click()
    assert told(shown) == good.passes[-1]


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out(pages, scheme, visit):  # noqa: F811
    """At least 4.5 to 1, in both schemes, in the run and in a pass."""
    for path in pages[1::2]:
        shown = visit(path, color_scheme=scheme)
        count, poor = shown.page.evaluate(CONTRAST)
        assert (count > 60, poor) == (True, [])
        shown.keys("Enter")
        assert shown.page.evaluate(CONTRAST)[1] == []


@in_browser
@pytest.mark.parametrize("width", [320, 400, 820, 1400])
def test_nothing_is_cut_off(pages, width, visit):  # noqa: F811
    """On a phone, a tablet and a screen: nothing beyond the edges, and no text over another in the charts."""
    for path in pages[1::2]:
        shown = visit(path, viewport={"width": width, "height": 800})
        outside = """() => [...document.querySelectorAll("#run *")].filter((element) => {
          if (!element.checkVisibility() || element.closest("title")) return false;
          const { left, right, width } = element.getBoundingClientRect();
          return width && (left < -0.5 || right > innerWidth + 0.5);
        }).map((element) => element.outerHTML.slice(0, 90))"""
        assert shown.page.evaluate(outside) == []
        cut = """() => [...document.querySelectorAll("#run button, #run h2, #run h3, #run td, #run th, #run p")]
          .filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth)
          .map((element) => element.textContent)"""
        assert shown.page.evaluate(cut) == []
        crossed = """() => [...document.querySelectorAll("#run svg")].flatMap((svg) => {
          const texts = [...svg.querySelectorAll("text")];
          const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
          return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).filter(([, b]) =>
            a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2)
            .map(([other]) => `${one} over ${other}`));
        })"""
        assert shown.page.evaluate(crossed) == []


@in_browser
def test_hostile_names_and_special_numbers(tmp_path, visit):  # noqa: F811
    """Names are text, never markup; nan, infinities, a single step and a constant loss have charts too."""
    w = Value(0.0, name="</script><img src=x onerror=alert(1)>")
    with am.record([w, Value(1.0, name="unused")]) as flight:
        for factor in (1.0, float("inf"), 1.0):
            (w * factor).backward()
    shown = visit(flight.page(tmp_path / "hostile.html"))
    assert w.name in shown.text("#run-step")
    assert shown.page.locator(".broken").count() > 0
    with am.record([w]) as flight:
        (w * 1.0).backward()
    shown = visit(flight.page(tmp_path / "one.html"))
    assert told(shown) == 0
    shown.keys("Enter", "End")
    assert shown.text("#run-pass") == "step 0 of 1, loss 0"


@in_browser
def test_a_loaded_run_has_the_same_page(tmp_path, visit):  # noqa: F811
    """A record of a file has everything but the source."""
    model = network("relu", (2, 1))
    with am.record(model, path=tmp_path / "run.flight"):
        for _ in train(model, 12, batch=1):
            pass
    shown = visit(Flight.load(tmp_path / "run.flight").page(tmp_path / "page.html"), "#training=7")
    shown.keys("Enter", "End")
    assert shown.text("#run-pass").startswith("step 7 of 12")


@pytest.mark.parametrize(("activation", "is_exact"), [("relu", True), ("tanh", False), ("gelu", True)])
def test_one_graph_stands_for_all_steps_of_a_loop(activation, is_exact):
    """Whichever samples a step takes, and whichever of its relus are open; tanh differs in the last digits at most."""
    model = network(activation)
    with am.record(model) as flight:
        for _ in train(model, 40, batch=2):
            pass
    replays = Replays(flight)
    assert [*replays.inputs] == flight.passes == [*range(40)]
    assert (not replays.near) == is_exact


def test_graphs_that_differ_are_not_offered():
    """A step whose computation is another one is not shown in the graph of the first: its numbers would be wrong."""
    w = Value(0.5, name="w")
    with am.record([w]) as flight:
        for step in range(20):
            (w * 3.0 if step < 12 else am.exp(w) * 3.0).backward()
    replays = Replays(flight)
    assert (replays.step, sorted(replays.inputs)) == (0, [*range(12)])
    page = flight.page().html
    assert "This step made another graph than step 0" in page
    w = Value(0.5, name="w")
    with am.record([w]) as flight:  # the same shape, but min and max take turns
        for step in range(8):
            (am.maximum(w, 0.25) if step % 2 else am.minimum(w, 0.25)).backward()
    assert sorted(Replays(flight).inputs) == [0, 2, 4, 6]


def test_a_picture_over_a_run(tmp_path):
    """Under each parameter of the record: its first number, bars, its last one; the tooltip says between what."""
    w, b = Value(-2.0, name="w"), Value(0.0, name="b")
    with am.record(w) as flight:
        for _ in range(50):
            loss = (w * 2.0 + b - 1.0) ** 2
            loss.backward()
            w.data -= 0.1 * w.grad
            w.grad = None
    plain, over = am.draw(loss), am.draw(loss, over=flight)
    story = flight.story(w)[0]
    assert re.fullmatch("-2 ▁[▂▃▄▅▆▇█]+ 0.5", story)
    assert over.svg.replace("&#45;", "-").count(story) == 1
    assert "▁" not in plain.svg
    assert f"over 50 steps: -2.0 → {flight[-1].values['w']!r}, between -2 and 0.5" in over.svg.replace("&#45;", "-")
    assert b"_###" in over.save(tmp_path / "over.pdf").read_bytes()
    with pytest.raises(OperandError, match="not a training run"):
        am.draw(loss, over="run")
    with am.record(b) as short:
        (b * 2.0).backward()
    assert am.draw(loss, over=short).svg == am.draw(loss).svg


def test_how_a_run_ended():
    """The title says so if the run did not end as planned; a long list of events is shortened, and the page says so."""
    w = [Value(1.0) for _ in range(60)]
    with pytest.raises(KeyboardInterrupt), am.record({"w": w}) as flight:  # noqa: PT012
        for step in range(140):
            for i, p in enumerate(w):
                p.data = -1.0 if step >= 2 * i else 1.0
            am.sum([am.relu(p * x) for p in w for x in (1.0, 2.0, 3.0, 4.0)]).backward()
        raise KeyboardInterrupt
    page = flight.page().html
    assert "<title>Training: 140 steps, ended by KeyboardInterrupt</title>" in page
    assert "The first 24 of 60; flight.events has all." in page


def test_paths_are_checked_first(tmp_path):
    """A page is an .html file in a folder that exists."""
    w = Value(0.5)
    with am.record([w]) as flight:
        (w * 3.0).backward()
    with pytest.raises(ArgumentError, match="html"):
        flight.page("run.pdf")
    with pytest.raises(ArgumentError, match="no folder"):
        flight.page(tmp_path / "no" / "run.html")
    assert 'sandbox="allow-scripts"' in flight._repr_html_()
