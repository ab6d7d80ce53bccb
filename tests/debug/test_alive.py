"""The page's sliders: other numbers give what the engine gives, and the page says where paths switch."""

from __future__ import annotations

import math
import random
import re

import pytest

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.graphs import GraphTape
from autograd_mini.core.replay import replay
from autograd_mini.core.row import TABLE, ZERO
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.pages import Page, alive
from autograd_mini.notation.text import number as short
from tests.debug.test_pages import chromium, in_browser, recorded, visit  # noqa: F401  # fixtures
from tests.effort import effort

SETTINGS = effort(40, 200)
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, 1e308, 5e-324, -1e-310, 2.0]


def neuron(x, w, v):
    return am.tanh(x * w + v * 3.0 + 0.25)


def classes(x, w, v):
    return am.cross_entropy([w * x, v * x + 1.0, x], 1)


def smooth(x, w, v):
    return (
        am.gelu(x) * am.sigmoid(w) + am.exp(-v * v) * am.log1p(x * x) + am.hypot(x, w) + am.erf(v) / (2.0 + am.cos(x))
    )


def kinks(x, w, v):
    return (am.relu(x * w) + am.relu(v * x) * w + am.maximum(x, w) * w + am.abs(v) + am.where(x > w, x * v, w)
            + am.clip(x, 0.0, 1.0) * v + am.minimum(x, w, v))  # fmt: skip


def layers(*parameters):
    """Two layers of relus, many of which are dead."""
    first = [am.relu(parameters[i] * 0.5 - parameters[i + 4] * 0.75) for i in range(4)]
    second = [am.relu(am.dot(parameters[8 + 4 * i : 12 + 4 * i], first)) for i in range(3)]
    return am.sum(second) * second[0] + first[1]


PROGRAMS = {neuron: 3, classes: 3, smooth: 3, kinks: 3, layers: 20}
EXACT = (kinks, layers)  # of operations that are the same everywhere, to the bit


def graph_of(program, numbers):
    with am.provenance(calls=True):
        leaves = [Value(number, name=f"x{i}") for i, number in enumerate(numbers)]
        return leaves, program(*leaves)


def same(found: str, expected: float, exact: bool) -> bool:
    number = float(found)
    if exact or not math.isfinite(expected):
        return repr(number) == repr(expected) or number == expected == 0.0
    return math.isclose(number, expected, rel_tol=1e-9, abs_tol=1e-12)


COMPUTED = """(all) => all.map((texts) => {
  live.at(texts.map(read));
  const of = (at) => long(live.get(at));
  return [data.live.values.map(of), data.live.values.map((_, node) => of(live.adjoint(node)))];
})"""


def check(page, trace, program, settings):
    """The page's values and gradients at these settings are those of the program, run again."""
    order = trace.journal.order
    inputs = page.evaluate("leaves.map(({ name }) => name)")
    given = [[setting[int(name[1:])] for name in inputs] for setting in settings]
    found = page.evaluate(COMPUTED, [[repr(x) for x in numbers] for numbers in given])
    for setting, (values, gradients) in zip(settings, found, strict=True):
        leaves, again = graph_of(program, setting)
        again.backward()
        expected = replay(order, {node: setting[int(node.name[1:])] for node in order if node.op is None})
        for node, value, gradient in zip(order, values, gradients, strict=True):
            assert same(value, expected[node], program in EXACT), (setting, node.op, value, expected[node])
            if node.op is None:
                wanted = leaves[int(node.name[1:])].grad
                assert same(gradient, wanted, program in EXACT), (setting, node.name, gradient, wanted)
        assert same(values[-1], again.data, program in EXACT)


@pytest.mark.sampled(2)
@in_browser
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_values_and_gradients_are_those_of_the_engine(program, tmp_path, visit):  # noqa: F811
    """For every leaf and many settings, also beyond branches; where operations are exact, to the bit."""
    source = random.Random(program.__name__)
    count = PROGRAMS[program]
    _, loss = graph_of(program, [source.uniform(-2.0, 2.0) for _ in range(count)])
    trace = debug.trace(loss)
    shown = visit(debug.page(trace, tmp_path / "page.html")).page
    settings = [[source.uniform(-3.0, 3.0) for _ in range(count)] for _ in range(SETTINGS)]
    if program in EXACT:
        settings += [[source.choice(SPECIAL[:4]) for _ in range(count)] for _ in range(SETTINGS)]
    check(shown, trace, program, settings)


@in_browser
def test_infinities_nan_and_tiny_numbers(tmp_path, visit):  # noqa: F811
    """They go through values and gradients as in the engine."""

    def program(x, w, v):
        return x * w + v / x + am.where(x > w, v * x, w)

    _, loss = graph_of(program, [1.5, 0.5, -1.0])
    trace = debug.trace(loss)
    shown = visit(debug.page(trace, tmp_path / "page.html")).page
    source = random.Random(1)
    check(shown, trace, program, [[source.choice([*SPECIAL, math.nan]) for _ in range(3)] for _ in range(SETTINGS)])


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_tape_of_a_graph_has_its_numbers_to_the_bit(program):
    """At the recorded numbers, values, edges and local derivatives are the recorded ones."""
    source = random.Random(program.__name__)
    for _ in range(effort(5, 100)):
        _, loss = graph_of(program, [source.uniform(-2.0, 2.0) for _ in range(PROGRAMS[program])])
        graph = GraphTape(loss)
        found = [number for _, number in Program(graph.tape).steps([leaf.data for leaf in graph.leaves])]
        assert [repr(found[at]) for at in graph.values.values()] == [repr(node.data) for node in graph.values]
        edges = {(node, edge.place): edge for node, turn in graph.turns.items() for edge in turn}
        for node in topological_order(loss, everything=True):
            for place, partial in enumerate(node.partials):
                edge = edges.get((node, place))
                assert (partial is not ZERO) == (edge is not None and (edge.state is None or found[edge.state] != 0.0))
                if partial is not ZERO:
                    assert repr(float(found[edge.local])) == repr(float(partial))


@in_browser
def test_numbers_are_written_as_python_writes_them(tmp_path, visit):  # noqa: F811
    """With four digits, ties to even, and with all."""
    shown = visit(debug.page(Value(1.0, "x") * 2.0, tmp_path / "page.html")).page
    source = random.Random(0)
    numbers = [
        *SPECIAL,
        math.nan,
        12345.0,
        1234.5,
        1233.5,
        0.03125,
        2.00025,
        1.00048828125,
        -99995.0,
        9999.5,
        1e-5,
        1e16,
        1e22,
    ]
    numbers += [source.uniform(-1, 1) * 10.0 ** source.randint(-20, 20) for _ in range(effort(200, 5_000))]
    numbers += [source.randint(0, 99999) / 2 ** source.randint(0, 8) for _ in range(effort(200, 5_000))]
    found = shown.evaluate("(all) => all.map(read).map((x) => [short(x), long(x)])", [*map(repr, numbers)])
    assert [tuple(pair) for pair in found] == [(short(x), repr(x)) for x in numbers]


def turn(shown, name: str, number: str) -> None:
    """Type a number into the field of a leaf."""
    field = shown.page.get_by_label(f"{name}, number")
    field.fill(number)
    shown.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    field.blur()


@in_browser
def test_everything_follows_a_slider(tmp_path, visit):  # noqa: F811
    """Table, boxes, formulas and words have the numbers of now; a button brings the recorded ones back."""
    _, loss = graph_of(classes, [2.0, 0.5, -1.0])
    shown = visit(debug.page(loss, tmp_path / "page.html"))
    shown.keys("End")
    before = shown.rows(), shown.texts(), shown.text("#words"), shown.text("#formulas")
    slider = shown.page.get_by_label("x1, slider")
    assert slider.get_attribute("aria-valuetext") == "0.5"
    slider.focus()
    shown.keys("ArrowRight", "ArrowRight", "ArrowLeft", "PageUp")
    shown.settle()
    number = float(shown.page.evaluate("inputs[leaves.findIndex(({name}) => name === 'x1')]"))
    assert number != 0.5
    leaves, again = graph_of(classes, [2.0, number, -1.0])
    again.backward()
    rows = shown.rows()
    for leaf in leaves:
        value, gradient = map(float, rows[leaf.name])
        assert value == leaf.data
        assert math.isclose(gradient, leaf.grad, rel_tol=1e-12)
    labels = shown.labels()
    assert float(labels["x1"][0]) == number
    for text in (shown.text("#words"), shown.text("#formulas")):
        assert text not in before
    shown.page.get_by_role("button", name="recorded numbers").click()
    assert (shown.rows(), shown.texts(), shown.text("#words"), shown.text("#formulas")) == before
    assert not shown.page.get_by_role("button", name="recorded numbers").is_visible()


@in_browser
@pytest.mark.parametrize("program", [neuron, kinks, layers], ids=lambda program: program.__name__)
def test_every_formula_adds_up_at_other_numbers(program, tmp_path, visit):  # noqa: F811
    """In each step of the sweep, the product and the sum are those of the numbers before them."""
    source = random.Random(3)
    count = PROGRAMS[program]
    _, loss = graph_of(program, [source.uniform(-2.0, 2.0) for _ in range(count)])
    shown = visit(debug.page(loss, tmp_path / "page.html"), "#step=0")
    for i in range(count):
        turn(shown, f"x{i}", repr(source.uniform(-2.0, 2.0)))
    if shown.page.locator("#folds option[value=all]").count():
        shown.page.locator("#folds").select_option("all")
    steps = int(shown.page.locator("#slider").get_attribute("max"))
    for _ in range(steps):
        shown.keys("ArrowRight")
        if "hands" in shown.text("#words") and "derivative" not in shown.text("#words"):
            numbers = [*map(float, shown.exact())]
            upstream, local, contribution, *sums = numbers
            assert repr(upstream * local + 0.0) == repr(contribution + 0.0)
            if len(sums) > 1:
                assert repr(sums[0] + sums[1]) == repr(sums[2])


@in_browser
def test_a_switched_arm_is_named(tmp_path, visit):  # noqa: F811
    """A relu that comes alive hands on, and the page says that the other arm is taken."""
    trace = recorded(
        tmp_path, 'import autograd_mini as am\nx = am.Value(-2.0, "x")\ny = am.relu(x) * 3.0\ny.backward()\n'
    )
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    shown.keys("End")
    assert not shown.page.locator("#switched").is_visible()
    turn(shown, "x", "4")
    assert "The other arm is taken now" in shown.text("#switched")
    assert "line 3" in shown.text("#switched")
    rows = shown.rows()
    assert rows["x"] == ("4.0", "3.0")
    assert rows["y"][0] == "12.0"
    turn(shown, "x", "-1")
    assert not shown.page.locator("#switched").is_visible()


@in_browser
def test_a_branch_of_the_program_is_reported(tmp_path, visit):  # noqa: F811
    """The page says which `if` would go the other way, and follows the recorded path."""
    program = ["import autograd_mini as am", 'x = am.Value(2.0, "x")', "if x > 1.0:", "    y = x * x"]
    program += ["else:", "    y = -x", "y.backward()", ""]
    trace = recorded(tmp_path, "\n".join(program))
    shown = visit(debug.page(trace, tmp_path / "page.html"))
    turn(shown, "x", "0.5")
    assert "Your program would take the other branch at line 3: x > 1.0." in shown.text("#switched")
    assert shown.page.evaluate("long(live.get(data.live.values.at(-1)))") == "0.25"
    turn(shown, "x", "1.5")
    assert not shown.page.locator("#switched").is_visible()


@in_browser
def test_a_form_of_a_function_that_does_not_fit_is_reported(tmp_path, visit):  # noqa: F811
    """tanh near 0 is sinh / cosh, which overflows far out: the page follows what was recorded, and says so."""
    with am.provenance():
        y = am.tanh(Value(0.25, "x"))
    shown = visit(debug.page(y, tmp_path / "page.html"))
    turn(shown, "x", "0.5001")
    assert "tanh was recorded in a form for other numbers" in shown.text("#switched")
    turn(shown, "x", "0.125")
    assert not shown.page.locator("#switched").is_visible()


@in_browser
def test_the_address_holds_the_numbers(tmp_path, visit):  # noqa: F811
    """Whoever opens the address sees the same step, the same folds and the same numbers."""
    _, loss = graph_of(classes, [2.0, 0.5, -1.0])
    path = debug.page(loss, tmp_path / "page.html")
    shown = visit(path, "#step=9")
    shown.page.locator("#folds").select_option(index=1)
    turn(shown, "x0", "-0.1")
    turn(shown, "x2", "inf")
    shown.keys("ArrowRight")
    address = shown.page.evaluate("location.hash")
    assert re.fullmatch(r"#step=\d+&open=[\w-]+&set=[-\d.:,inf]+", address)
    again = visit(path, address)
    assert again.page.evaluate("inputs.map(long)") == shown.page.evaluate("inputs.map(long)")
    for what in ("#words", "#formulas", "#gradients tbody"):
        assert again.text(what) == shown.text(what)
    assert again.page.locator("#folds").input_value() == shown.page.locator("#folds").input_value()
    for nonsense in ("&set=", "&set=7:1,x:2,0:zero,0", "&set=0:1e999"):
        assert visit(path, f"#step=9{nonsense}").step >= 9


@in_browser
def test_a_field_takes_numbers_only(tmp_path, visit):  # noqa: F811
    """What is no number is marked, and changes nothing; a comma is a point; its keys do not step."""
    _, loss = graph_of(neuron, [2.0, 0.5, -1.0])
    shown = visit(debug.page(loss, tmp_path / "page.html"))
    step = shown.step
    field = shown.page.get_by_label("x0, number")
    field.fill("two")
    assert field.get_attribute("aria-invalid") == "true"
    assert shown.page.evaluate("moved") is False
    turn(shown, "x0", "−2,5")
    assert shown.page.evaluate("inputs[leaves.findIndex(({name}) => name === 'x0')]") == -2.5
    field.press("ArrowRight")
    field.press("Home")
    assert shown.step == step


@in_browser
def test_every_leaf_has_a_slider(tmp_path, visit):  # noqa: F811
    """Those that the table has no room for are chosen from a list."""
    leaves = [Value(float(i), name=f"x{i}") for i in range(130)]
    shown = visit(debug.page(am.sum([x * x for x in leaves]), tmp_path / "page.html"))
    options = shown.page.locator("#others option").all_text_contents()
    names = {
        label.split(",")[0]
        for label in shown.page.locator(".dial input").evaluate_all("all => all.map(x => x.ariaLabel)")
    }
    assert names | {*options} == {leaf.name for leaf in leaves}
    shown.page.locator("#others").select_option(label=options[-1])
    turn(shown, options[-1], "3.5")
    total = sum(i * i for i in range(130)) - int(options[-1][1:]) ** 2 + 3.5**2
    assert shown.page.evaluate("live.get(data.live.values.at(-1))") == total


@in_browser
def test_a_large_page_follows_too(tmp_path, visit):  # noqa: F811
    """Boxes of several nodes have the range and the largest gradient of now."""
    with am.provenance(calls=True):
        xs = [Value(0.01 * i - 1.0, name=f"x{i}") for i in range(300)]
        with am.scope("part"):
            parts = [am.exp(x) * x for x in xs]
        loss = am.sum(parts)
    assert len(debug.trace(loss)) > 1000
    shown = visit(debug.page(loss, tmp_path / "page.html"))
    shown.keys("End")
    recorded_texts = shown.texts()
    turn(shown, "x0", "9")
    assert shown.texts() != recorded_texts
    assert any(short(9.0 * math.exp(9.0)) in text for texts in shown.texts().values() for text in texts)
    turn(shown, "x0", "-1")
    assert shown.texts() == recorded_texts


def test_a_graph_above_the_limit_has_no_sliders(monkeypatch):
    """Its page says so in a line, and has the script alone that it had."""
    monkeypatch.setattr(alive, "MOST", 5)
    _, loss = graph_of(classes, [2.0, 0.5, -1.0])
    text = Page(debug.trace(loss)).html
    assert '"live":null' in text
    assert "A graph of more than 5 nodes has no sliders." in text
    assert "function " + "compute(x)" not in text


def of_floats(**rule):
    """A graph with an operation that takes floats only."""
    row = am.primitive("lonely", lambda v: math.sin(v), **rule)
    try:
        return row(Value(2.0, name="x")) * 2.0
    finally:
        del TABLE["lonely"]


def test_what_cannot_be_computed_again_has_no_sliders():
    """A graph whose leaves were written since, a gradient set by hand, an operation that takes floats only; a quiz."""
    x = Value(2.0, name="x")
    y = x * x
    assert '"live":null' not in Page(debug.trace(y)).html
    assert '"live":null' in Page(debug.trace(y), quiz=True).html
    trace = debug.trace(y)
    trace.seek(trace.start)
    trace.what_if(y, 2.0)
    assert "a gradient was set by hand" in Page(trace).html
    text = Page(debug.trace(of_floats(rule=lambda y, v: (math.cos(v),)))).html
    assert '"live":null' in text
    assert "There are no sliders." in text
    z = am.exp(x)
    x.data = 3.0
    assert "There are no sliders. The graph cannot be computed again" in Page(debug.trace(z)).html


@in_browser
def test_typing_replaces_the_number(tmp_path, visit):  # noqa: F811
    """A field that gets the focus shows all digits, and they are selected."""
    _, loss = graph_of(neuron, [1.0 / 3.0, 0.5, -1.0])
    shown = visit(debug.page(loss, tmp_path / "page.html"))
    field = shown.page.get_by_label("x0, number")
    assert field.input_value() == "0.3333"
    field.focus()
    assert field.input_value() == repr(1.0 / 3.0)
    shown.page.keyboard.type("-1.7")
    shown.settle()
    assert shown.page.evaluate("inputs[leaves.findIndex(({name}) => name === 'x0')]") == -1.7
