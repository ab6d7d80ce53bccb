"""The quiz: its questions, and the slips behind wrong answers, in the terminal, on the page and on paper."""

from __future__ import annotations

import io
import math
import re

import pytest

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.quiz import is_near, question, typed
from autograd_mini.debug.terminal.commands import QuizShell
from tests.debug.test_pages import (  # noqa: F401  # fixtures
    CONTRAST,
    SOFTMAX,
    chromium,
    in_browser,
    softmax,
    visit,
)


def product() -> debug.Trace:
    """c = a * b is used twice, by d = c + 5 and by e = c * d."""
    a, b = Value(2.0, name="a"), Value(7.0, name="b")
    c = a * b
    d = c + 5.0
    e = c * d
    c.name, d.name, e.name = "c", "d", "e"
    return debug.trace(e)


def asked(trace, node, operand):
    """The question about what one node hands on to another, by their names."""
    steps = [s for s in trace[trace.start :] if (trace.label(s.node), trace.label(s.operand)) == (node, operand)]
    return question(trace, steps[0], trace.label)


# -- the table of slips ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "operand", "answer", "said"),
    [
        ("c", "a", 33 * 7, ""),
        ("c", "a", 231.9, ""),
        ("c", "a", 19 * 7, "You took what had arrived at c so far."),
        ("c", "a", -231, "The size is right, and the sign is wrong."),
        ("c", "a", 33, "You forgot the inner derivative: that is the gradient of c alone. Multiply it by ∂c/∂a."),
        ("c", "a", 7, "That is the local derivative ∂c/∂a alone."),
        ("c", "a", 40, "You added the gradient of c and the local derivative."),
        ("c", "a", 33 / 7, "You divided by the local derivative."),
        ("c", "a", 33 * 2, "You multiplied by the derivative by another operand of c."),
        ("c", "a", 33 * 14, "You multiplied by the number of c itself."),
        ("c", "a", 0, "Something does arrive: neither factor is 0."),
        ("c", "a", 1e9, "No. It is the gradient of c times the local derivative ∂c/∂a."),
        ("d", "c", 33, "That is the new total of c. Only what d adds to it is asked for."),
        ("d", "c", 19, "You took what had arrived at c before."),
        ("d", "c", 14 * 19, "You multiplied by the number of d itself."),
    ],
)
def test_a_wrong_answer_says_what_was_done(node, operand, answer, said):
    """Each row of the table, on a graph in which no two of them give the same number."""
    found = asked(product(), node, operand)
    assert found.text == f"How much does {node} hand on to {operand}?"
    sentence = found.said(answer)
    assert sentence.startswith(said)
    assert (sentence == "") == (said == "")


def test_a_right_answer_is_never_a_slip(softmax):  # noqa: F811
    """On every step of several graphs, rounded to three digits too; a slip is finite and told from the answer."""
    for trace in (softmax, product(), debug.trace(am.tanh(Value(0.7)) * 3.0)):
        for step in trace[trace.start + 1 :]:
            found = question(trace, step, trace.label)
            assert found.answer == step.contribution
            assert found.said(float(f"{step.contribution:.3g}")) == ""
            for wrong, sentence in found.slips:
                assert math.isfinite(wrong)
                assert found.said(wrong) == sentence


def test_only_finite_contributions_are_asked_for():
    """Not a computed node, not the seed, not nan or an infinity."""
    trace = debug.trace(am.log(Value(0.0)) * 2.0)
    assert [step.phase for step in trace if question(trace, step, trace.label)] == ["backward"]


TYPED = {
    "0.5": 0.5, " -1/4 ": -0.25, "−2": -2.0, "1e-3": 1e-3, "0,25": 0.25, ".5": 0.5, "3.": 3.0, "+2": 2.0, "1/0": None,
    "": None, "x": None, "1/": None, "1 2": 12.0, "nan": None, "1/2/3": None, "--1": None, "0x10": None, "1e": None,
}  # fmt: skip


@pytest.mark.parametrize("text", TYPED)
def test_what_counts_as_a_number(text):
    """A sign, a point or a comma, an exponent, a fraction."""
    assert typed(text) == TYPED[text]


def test_near_is_one_percent_and_never_across_zero():
    """0 is right for 0 alone."""
    assert is_near(0.995, 1.0)
    assert not is_near(0.98, 1.0)
    assert not is_near(-1.0, 1.0)
    assert not is_near(1e-300, 0.0)
    assert is_near(0.0, 0.0)


# -- in the terminal ---------------------------------------------------------------------------------------------------


def terminal(*lines, trace=None):
    """What a quiz in the terminal says to lines of input."""
    output = io.StringIO()
    trace = trace or product()
    trace.seek(trace.start)
    shell = QuizShell([*lines, "quit"], stdin=io.StringIO(), stdout=output)
    shell.interact(trace)
    return output.getvalue()


def test_the_terminal_asks_before_it_shows():
    """A question hides the numbers of its step; the right answer shows the step."""
    said = terminal("n")
    assert "step 7 of 10, question" in said
    assert "e = c × d = 14 × 19 = 266" in said
    assert "∂e/∂c += ∂e/∂e × ∂e/∂c = ?" in said
    assert "total" not in said
    said = terminal("n", "1", "19", "14")
    assert "that is the gradient of e alone" in said
    assert said.index("right: 1 × 19 = 19") < said.index("∂e/∂d += ∂e/∂e × ∂e/∂d = ?") < said.index("right: 1 × 14")
    assert "∂e/∂c += ∂e/∂e × ∂e/∂c = 1 × 19 = 19   total 19" in said


def test_no_command_gives_the_answer_away():
    """While a question is open, gradients and `p` are those before the step."""
    said = terminal("n", "19", "14", "n", "p c.grad", "grad all", "14")
    assert "\n19\n" in said
    assert "total 33" not in said.partition("right: 14 × 1")[0]


def test_all_answers_right_are_counted():
    """The whole sweep; an empty line goes on; help and hint cost the point."""
    lines = ["n", "19", "14", "", "14", "", "hint", "231", "66"]
    said = terminal(*lines)
    assert "∂e/∂c = 33, and ∂c/∂a = 7. Multiply them." in said
    assert "the sweep is over" in said
    assert said.rstrip().endswith("quiz: 4 of 5 right at the first try")
    assert said.count("question") == 3
    assert "quiz: 0 of 5 right" in terminal("n", "skip", "skip", "n", "skip", "n", "skip", "skip")


def test_going_on_without_an_answer_and_back():
    """A motion leaves the question; what was shown is not asked again; jumping ahead asks there."""
    said = terminal("n", "n", "rn", "n")
    assert re.findall(r"step (\d+) of 10, (\w+)", said) == [
        ("5", "seed"), ("7", "question"), ("8", "question"), ("7", "backward"), ("8", "backward"),
    ]  # fmt: skip
    assert terminal("jump 10").count("question") == 1
    assert "There is no question now" in terminal("hint")
    assert "33" in terminal("p 30 + 3", "3")


def test_a_number_before_the_first_question_is_told_how_to_go_on():
    """It is an answer too early, not an unknown command."""
    said = terminal("1", "n", "19")
    assert said.index("There is no question now; n goes on to the next.") < said.index("question\n")
    assert "no command" not in said
    assert "right: 1 × 19" in said


def test_the_command_asks(tmp_path, capsys, monkeypatch):
    """`autograd-mini debug --quiz` on a program, with answers from a pipe."""
    from autograd_mini.debug import terminal as window

    program = tmp_path / "program.py"
    program.write_text(SOFTMAX, encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n-1\nq\n"))
    window.debug(str(program), quiz=True)
    said = capsys.readouterr().out
    assert "n goes on to a question; answer with a number" in said
    assert "right: 1 × (-1) = -1" in said
    assert "∂loss/∂(a[t].log()) += ∂loss/∂loss × ∂loss/∂(a[t].log()) = ?" in said


# -- on the page -------------------------------------------------------------------------------------------------------


@in_browser
def test_the_page_asks_each_contribution(softmax, tmp_path, visit):  # noqa: F811
    """Typing every answer and Enter goes through the sweep; nothing of a step is there before it is answered."""
    shown = visit(debug.page(softmax, tmp_path / "page.html", quiz=True), f"#step={softmax.start}")
    page = shown.page
    for index in range(softmax.start + 1, len(softmax)):
        shown.keys("ArrowRight" if index == softmax.start + 1 else "Enter")
        step = softmax[index]
        assert shown.step == index
        assert shown.text("#words").startswith("How much does ")
        assert "=?" in shown.text(".formula.now").replace(" ", "")
        before = softmax.grad(step.operand, index - 1)
        name = softmax.label(step.operand)
        assert shown.labels()[name][1] == ("not yet" if before is None else repr(before))
        assert page.locator("[data-do=answer]").text_content() == "check"
        page.fill("#answer", f"{step.contribution:.3g}")
        shown.keys("Enter")
        assert shown.text("#said").startswith("Right.")
        assert shown.labels()[name][1] == repr(step.total)
        assert shown.exact()[-1] == repr(step.total)
        assert page.evaluate("document.activeElement.id") == "answer"
    count = len(softmax) - softmax.start - 1
    assert shown.text("#said") == f"Right. {count} of {count} right at the first try"


@in_browser
def test_the_page_says_what_a_wrong_answer_comes_from(tmp_path, visit):  # noqa: F811
    """The same sentences as in the terminal, from the same table."""
    trace = product()
    shown = visit(debug.page(trace, tmp_path / "page.html", quiz=True), "#step=9")
    found = question(trace, trace[9], trace.label)
    assert len(found.slips) > 7
    for wrong, sentence in (*found.slips, (1e9, found.otherwise)):
        shown.page.fill("#answer", repr(wrong))
        shown.page.get_by_role("button", name="check").click()
        assert shown.text("#said").strip() == sentence.replace("-", "−")
        assert shown.text("#words").startswith("How much")
    shown.page.fill("#answer", "much")
    shown.keys("Enter")
    assert shown.text("#said").strip() == "Type a number, such as −0.25 or −1/4."
    shown.keys("Escape", "ArrowLeft")
    assert shown.step == 8
    shown.keys("ArrowRight")
    shown.page.get_by_role("button", name="show it").click()
    assert shown.exact()[-1] == "231.0"
    assert shown.text("#said") == "0 of 2 right at the first try"


@in_browser
def test_page_and_terminal_read_numbers_alike(tmp_path, visit):  # noqa: F811
    """The page reads every text that may be typed as the terminal does, and calls the same answers near."""
    shown = visit(debug.page(product(), tmp_path / "page.html", quiz=True))
    for text, number in TYPED.items():
        assert shown.page.evaluate("(text) => typed(text)", text) == number, text
    for a, b in ((0.995, 1.0), (0.98, 1.0), (-1.0, 1.0), (1e-300, 0.0), (0.0, 0.0), (-0.0, 0.0)):
        assert shown.page.evaluate("([a, b]) => near(a, b)", [a, b]) == is_near(a, b)


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_question_can_be_read_reached_and_hit(scheme, softmax, tmp_path, visit):  # noqa: F811
    """Contrast, names, sizes, the tab order, and nothing wider than the screen."""
    path = debug.page(softmax, tmp_path / "page.html", quiz=True)
    shown = visit(path, "#step=15", color_scheme=scheme, viewport={"width": 360, "height": 800})
    assert shown.page.evaluate(CONTRAST)[1] == []
    assert shown.page.get_by_role("textbox", name="your answer").count() == 1
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("check", "show it"):
        box = shown.page.get_by_role("button", name=name).bounding_box()
        assert min(box["width"], box["height"]) >= 24
    shown.page.locator("#answer").focus()
    shown.keys("Tab")
    assert shown.page.evaluate("document.activeElement.dataset.do") == "answer"
    shown.page.locator("#play").click()
    shown.settle()
    assert "-21.082" not in shown.text("#rule")


@in_browser
def test_it_prints_as_a_worksheet_with_a_key(softmax, tmp_path, visit):  # noqa: F811
    """On paper: the picture with values and without gradients, a blank for each contribution, the key on a new page."""
    shown = visit(debug.page(softmax, tmp_path / "page.html", quiz=True), "#step=18", color_scheme="dark")
    page = shown.page
    count = len(softmax) - softmax.start - 1
    assert not page.locator("#worksheet").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#tasks li").count() == page.locator("#answers li").count() == count
    assert page.locator(".blank").count() == 2 * count
    for part, visible in (
        ("#tasks", True), ("#key", True), ("#picture svg", True), ("#files", True), ("#title", True),
        ("#rule", False), ("#gradients", False), ("#quiz", False), ("[role=toolbar]", False), ("#legend", False),
    ):  # fmt: skip
        assert page.locator(part).first.is_visible() == visible, part
    assert {gradient for _, gradient in shown.labels().values()} == {"not yet"}
    assert "not yet" not in {value for value, _ in shown.labels().values()}
    assert page.locator("mark").count() == 0
    assert page.evaluate("getComputedStyle(document.querySelector('#key')).breakBefore") == "page"
    numbers = page.evaluate(
        "[...document.querySelectorAll('#answers li')].map("
        " (li) => [...li.querySelectorAll('mn[data-exact]')].at(-1).dataset.exact)"
    )
    assert numbers == [repr(step.total) for step in softmax[softmax.start + 1 :]]
    assert not re.search(r"0\.0474|−0\.9526", page.locator("#tasks .asked").all_text_contents()[0])
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.step == 18
    assert len(page.pdf()) > 10_000


def test_a_graph_too_large_for_a_quiz_is_refused():
    """Where the page shows steps in groups, there is no single step to ask about."""
    x = Value(1.0, name="x")
    for _ in range(1500):
        x = x * 1.001
    with pytest.raises(am.ArgumentError, match="which a page shows in groups"):
        _ = debug.page(x, quiz=True).html


def test_a_page_without_a_quiz_asks_nothing(softmax):  # noqa: F811
    """Only the page of a quiz contains the answers."""
    assert '"slips"' not in debug.page(softmax).html
    assert debug.page(softmax, quiz=True).html.count('"slips"') == len(softmax) - softmax.start - 1
    assert "a quiz</title>" in debug.page(softmax, quiz=True).html
