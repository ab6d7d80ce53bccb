"""Ready lessons: their numbers are those of the run, their sections follow the steps, and a reader sees all of it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini import ArgumentError, cli
from autograd_mini.debug.disorder import disorder
from autograd_mini.debug.lessons import NAMES, Lesson, both_orders, lesson_named
from autograd_mini.debug.timeline.journal import edges
from autograd_mini.notation.text import number
from tests.debug.test_pages import chromium, in_browser, visit  # noqa: F401  # fixtures
from tests.debug.test_slides import MEASURE, SCREEN, check_frames, pdf_pages
from tests.effort import effort

FOLDER = Path(am.__file__).parent / "debug" / "lessons"


@pytest.fixture(scope="module", params=NAMES)
def lesson(request):
    return Lesson(request.param)


@pytest.fixture(scope="module")
def saved(lesson, tmp_path_factory):
    """The page and the slides of a lesson."""
    folder = tmp_path_factory.mktemp(lesson.name)
    return lesson.save(folder / "lesson.html"), lesson.save(folder / "deck.html", slides=True)


# -- numbers -----------------------------------------------------------------------------------------------------------


def prose(lesson) -> str:
    return "\n".join(section.text for section in lesson.sections)


def test_no_number_is_typed(lesson):
    """Beside code, all digits of a lesson come from its run."""
    text = re.sub(r"`[^`]*`|\{[^{}]*\}", "", prose(lesson) + lesson.title.replace("1 − a²", ""))
    assert re.findall(r"\d", text) == []


def test_numbers_are_those_of_a_run_without_a_debugger(lesson):
    """The program runs as it stands, and each number of the text is what the engine has then."""
    plain: dict = {}
    exec(compile(lesson.program, "lesson.py", "exec"), plain)
    trace = lesson.run.trace
    root = next(value for value in plain.values() if isinstance(value, am.Value) and same(value, trace.root))
    trace_of_root = am.debug.trace(root)
    words = {
        "now": lambda node: node.grad,  # of nodes that are complete at their section
        "slope": lambda node, by: next(local for operand, local in edges(node) if operand is by),
        "last": lambda node: node.grad / 2.0,  # of a node that two equal contributions reach
        "seed": 1.0,
        "wrong": (wrong := disorder(trace_of_root)),
        "both_orders": both_orders,
    }
    for section, note in zip(lesson.sections, lesson.notes, strict=True):
        said = re.findall(r"<b>(.*?)</b>", note.text)
        expected = []
        for expression, form in re.findall(r"\{([^{}]+?)(?::([\w.]+))?\}", re.sub(r"`[^`]*`", "", section.text)):
            if expression.startswith("both_orders"):
                here, there = ([re.findall(r"has (.*)", cell) for row in both_orders(one) for cell in row]
                               for one in (wrong, lesson.run.compute("wrong", 0)))  # fmt: skip
                assert here == there
                continue
            result = eval(expression, {**plain, **words})
            result = result.data if isinstance(result, am.Value) else result
            expected.append((format(result, form) if form else number(result)).replace("-", "−"))
        assert said == expected, section.heading


def same(one: am.Value, other: am.Value) -> bool:
    """Whether two nodes of runs of one program are the same one: value, operation and gradient of the last sweep."""
    return repr((one.op, one.data, one.grad)) == repr((other.op, other.data, other.grad)) and other.grad == 1.0


def test_the_answers_are_true():
    """Against formulas that have nothing to do with this package."""
    run = {name: Lesson(name).run for name in NAMES}
    variables = {name: one.variables for name, one in run.items()}
    assert variables["chain"]["x"].grad == 9.0 * 2.0 / 2.0
    x, w = (variables["tanh"][name] for name in "xw")
    assert math.isclose(x.grad, 2.0 * (math.tanh(0.4) - 1.0) * (1.0 - math.tanh(0.4) ** 2) * 0.8, rel_tol=1e-15)
    assert math.isclose(w.grad, 2.0 * (math.tanh(0.4) - 1.0) * (1.0 - math.tanh(0.4) ** 2) * 0.5, rel_tol=1e-15)
    assert {step.node.op for step in run["tanh"].trace if "tanh" in str(step.node.scope)} >= {"sinh", "cosh", "div"}
    exps = [math.exp(z) for z in (2.0, 1.0, 0.1)]
    for which in ("z", "same"):
        for place, z in enumerate(variables["softmax"][which]):
            assert math.isclose(z.grad, exps[place] / sum(exps) - (place == 0), rel_tol=1e-14)
    first, _, last = (w.grad for w in variables["vanishing"]["w"])
    assert 0.0 < first / last < 0.25**2 / 0.6
    assert [v.grad for v in variables["vanishing"]["v"]] == [-1.0] * 3
    assert variables["order"]["a"].grad == 4.0
    assert disorder(run["order"].trace).gradients == {run["order"].trace.leaves[0]: 6.0}
    assert all(math.isnan(z.grad) for z in variables["nan"]["z"])
    assert [z.grad for z in variables["nan"]["same"]] == [1.0, -1.0]


def test_every_equation_is_true(lesson):
    """What stands on both sides of an equals sign is the same number, as far as its digits go."""
    checked = 0
    for note in lesson.notes:
        text = re.sub(r"<code>.*?</code>", "`", note.text.replace("</td><td>", " "))
        text = re.sub(r"<[^>]*>", "", text).replace("−", "-").replace("×", "*").replace("one", "1")
        for left, right in re.findall(r"([-\d.(][-\d.()* ]*) = (?=([-\d.(][-\d.()* ]*))", text):
            assert math.isclose(eval(left), eval(right.rstrip(". *(")), rel_tol=2e-3), f"{left} = {right}"
            checked += 1
    assert checked >= {"chain": 2, "softmax": 5}.get(lesson.name, 0)


def test_sections_follow_the_steps(lesson):
    """The first is about the beginning, and none goes back in time; each is short."""
    steps = [note.step for note in lesson.notes]
    assert steps[0] == 0
    assert steps == sorted(steps)
    assert steps[-1] == len(lesson.run.trace) - 1
    assert 4 <= len(steps) <= 8
    assert max(len(section.text.split()) for section in lesson.sections) < 100


def test_every_file_is_a_lesson():
    """The folder holds the lessons of the list."""
    assert {path.stem for path in FOLDER.glob("*.md")} == {*NAMES}


# -- in the browser ----------------------------------------------------------------------------------------------------

# Texts of the lesson that leave its column, and whether the page is wider than the window.
CUT = """() => {
  const outer = document.getElementById("lesson").getBoundingClientRect();
  const all = (selector) => [...document.querySelectorAll(selector)];
  const leaves = (text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return [...range.getClientRects()].some(({ left, right }) => left < outer.left || right > outer.right);
  };
  const cut = [];
  const walker = document.createTreeWalker(document.getElementById("lesson"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (text.textContent.trim() && leaves(text)) cut.push(text.textContent);
  }
  const panels = all("#lesson, main > section").map((panel) => panel.getBoundingClientRect());
  const letters = all("#lesson :is(p, td, button, code)").map((one) => parseFloat(getComputedStyle(one).fontSize));
  return {
    cut, wide: document.documentElement.scrollWidth - innerWidth, smallest: Math.min(...letters),
    outside: panels.filter(({ left, right }) => left < -1 || right > innerWidth + 1).length,
    low: Math.max(...panels.map(({ bottom }) => bottom)),
  };
}"""
WINDOWS = [(1280, 720, "light"), (390, 844, "light"), (1280, 720, "dark")][: effort(2, 3)]


@pytest.mark.sampled(5)
@in_browser
@pytest.mark.parametrize(("width", "height", "scheme"), WINDOWS)
def test_every_lesson_in_the_browser(lesson, saved, visit, width, height, scheme):  # noqa: F811
    """The text keeps to its column, and the page to the window; each section shows its step."""
    shown = visit(saved[0], viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
    assert shown.text("#title") == lesson.title
    for note in lesson.notes:
        assert shown.step >= note.step
        assert shown.page.locator("#lesson > section.now button").inner_html() == note.heading
        found = shown.page.evaluate(CUT)
        assert found["cut"] == []
        assert (found["wide"] <= 0, found["outside"]) == (True, 0)
        assert found["smallest"] >= 14.0
        assert width < 800 or found["low"] <= height
        shown.keys("n")
    sections = shown.page.locator("#lesson > section")
    seen = sections.evaluate_all("(all) => all.filter((one) => one.offsetHeight).length")
    assert seen == (1 if width < 800 else len(lesson.notes))


@in_browser
def test_sections_and_steps_go_together(visit, tmp_path):  # noqa: F811
    """Steps turn to their section; a heading, N and P go to its step; changed numbers are told apart from the text."""
    shown = visit(Lesson("chain").save(tmp_path / "lesson.html"), reduced_motion="reduce")
    heading = "#lesson > section.now h2"
    shown.keys("End")
    assert shown.text(heading) == "The answer"
    shown.keys("n")
    assert shown.text(heading) == "Try it"
    shown.keys("p", "p")
    assert (shown.text(heading), shown.step) == ("Each arrow multiplies", 6)
    shown.page.click("text=Forward: numbers")
    assert shown.step == 3
    shown.keys("ArrowRight")
    assert shown.text(heading).startswith("Forward: numbers")
    assert shown.page.is_hidden("#unlike")
    shown.page.fill(".field", "3")
    shown.page.wait_for_selector("#unlike", state="visible")


@in_browser
@pytest.mark.parametrize(("scheme", "width"), [("dark", 1280), ("light", 390)][: effort(1, 2)])
def test_axe_finds_nothing_in_a_lesson(visit, tmp_path, scheme, width):  # noqa: F811
    """Of its rules of accessibility, contrast among them."""
    axe = pytest.importorskip("axe_core_python")
    path = Lesson("softmax").save(tmp_path / "lesson.html")
    shown = visit(path, color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    shown.page.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8"))
    assert [found["id"] for found in shown.page.evaluate("axe.run()")["violations"]] == []


@pytest.mark.sampled(3)
@in_browser
def test_the_slides_of_every_lesson(lesson, saved, visit):  # noqa: F811
    """Each section has a slide after the step that it is about; all can be read, and the frames are equal."""
    slides = visit(saved[1], viewport=SCREEN).page.evaluate(MEASURE)
    check_frames(slides)
    assert sum(slide["kind"] == "text" for slide in slides) == len(lesson.notes)
    assert [slides[0]["kind"], slides[1]["kind"], slides[-1]["kind"]] == ["first", "text", "last"]


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_list(capsys):
    """Without a name: a line for each lesson, with its question."""
    assert cli.main(["lesson"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*NAMES]
    assert all(line.endswith("?") for line in lines)
    assert "\n".join(lines) in (FOLDER.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sofmax"], "Did you mean 'softmax'?"),
        (["xyz"], "There are chain, tanh"),
        (["nan", "-o", "a.doc"], ".html or .pdf"),
        (["nan", "-o", "none/a.html"], "Create it first"),
    ],
)
def test_wrong_arguments(capsys, tmp_path, monkeypatch, arguments, said):
    """One sentence, with what to do; the exit status is 1, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lesson", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(ArgumentError):
        lesson_named("sofmax")


@in_browser
def test_what_the_command_writes(capsys, tmp_path, monkeypatch):
    """A page by default, slides if asked to, a PDF by its name."""
    monkeypatch.chdir(tmp_path)
    for arguments, name in ((["order"], "order.html"), (["order", "--slides"], "order-slides.html")):
        assert cli.main(["lesson", *arguments]) == 0
        assert capsys.readouterr().out.strip() == name
        assert Path(name).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert cli.main(["lesson", "order", "-o", "deck.pdf"]) == 0
    pages = pdf_pages(Path("deck.pdf").read_bytes())
    assert len(pages) == Path("order-slides.html").read_text(encoding="utf-8").count("<section ")
    assert cli.main(["debug", "--slides", "none.py"]) == 1
    assert "--page deck.pdf" in capsys.readouterr().err
