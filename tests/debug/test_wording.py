"""What a stop says: expressions are marked exactly, the chain rule is spelt out with its numbers."""

from __future__ import annotations

import linecache
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.wording import Wording, aligned, marked, path, plain, printable, some, width
from autograd_mini.notation.text import number


@pytest.fixture
def recorded(tmp_path):
    """Run a program under provenance; give its variables."""

    def run(program, name="program.py"):
        file = tmp_path / name
        file.write_text(program, encoding="utf-8")
        variables = {"am": am, "Value": Value}
        with am.provenance(calls=True):
            exec(compile(program, str(file), "exec"), variables)
        return variables

    return run


def wording(loss):
    trace = debug.trace(loss)
    trace.seek(trace.start)
    return Wording(trace)


def source_of(node, root=None):
    return marked(debug.trace(root or node).place(node))


# -- marking -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y = x * w + x", ["y = x * w + x", "    ^^^^^"]),
        ("größe = x; y = größe * w", ["größe = x; y = größe * w", "               ^^^^^^^^^"]),
        ("s = '数数'; y = x * w", ["s = '数数'; y = x * w", "                ^^^^^"]),
        ("s = '🎉é'; y = x * w", ["s = '🎉é'; y = x * w", "               ^^^^^"]),
        ("s = 'e\u0301'; y = x * w", ["s = 'e\u0301'; y = x * w", "             ^^^^^"]),
        ("s = 'a\tb'; y = x * w", ["s = 'a  b'; y = x * w", "                ^^^^^"]),
        ("y = (lambda u: u * w)(x)", ["y = (lambda u: u * w)(x)", "               ^^^^^"]),
        ("y = [u * w for u in [x]][0]", ["y = [u * w for u in [x]][0]", "     ^^^^^"]),
        ("y = x; y *= w", ["y = x; y *= w", "       ^^^^^^"]),
        ("y = -x * w", ["y = -x * w", "    ^^^^^^"]),
    ],
)
def test_the_expression_and_nothing_else_is_marked(recorded, line, expected):
    """In columns of the screen: non-ASCII names, wide and combining characters, tabs, lambdas, comprehensions."""
    found = recorded(f"x, w = Value(2.0), Value(-3.0)\n{line}\n")["y"]
    node = found if found.op == "mul" else found.operands[0]
    assert source_of(node, found) == expected


def test_an_expression_of_several_lines_is_marked_on_each(recorded):
    """Each line of an expression is underlined where it has code, without indentation and comments."""
    program = "def f(x, w):\n\treturn (\n\t\tx\n\t\t* w  # a remark\n\t)\ny = f(Value(2.0), Value(3.0))\n"
    assert source_of(recorded(program)["y"]) == ["x", "^", "* w  # a remark", "^^^"]


def test_long_expressions_are_cut(recorded):
    """An expression of a hundred lines is cut below thirty, and the last line says that there is more."""
    program = "x = Value(1.0)\ny = am.sum([\n" + "    x,\n" * 100 + "])\n"
    lines = source_of(recorded(program)["y"])
    assert len(lines) < 30
    assert "more" in lines[-1]


def test_a_place_without_source_has_no_lines(recorded):
    """A place whose file cannot be read is named by file and line, without source."""
    with am.provenance():
        y = eval(compile("x * x", "<nowhere>", "eval"), {"x": Value(2.0)})
    assert marked(y.origin) == []
    assert wording(y).stop()[1] == "> <nowhere>:1"


def test_library_frames_are_skipped(recorded):
    """Work of the package inside softmax, and of functools, shows as the user's call."""
    program = "import functools, operator\nxs = [Value(1.0), Value(2.0)]\n"
    program += "a = am.softmax(xs)[0]\nb = functools.reduce(operator.mul, xs)\n"
    variables = recorded(program)
    assert source_of(variables["a"])[1].strip("^ ") == ""
    assert source_of(variables["a"])[0] == "a = am.softmax(xs)[0]"
    assert source_of(variables["b"]) == ["b = functools.reduce(operator.mul, xs)", "    " + "^" * 34]


def test_source_cannot_steer_the_terminal(recorded):
    """Control and format characters in names and source never reach the screen."""
    node = recorded("s = '\x1b[31m\u202e'; y = Value(2.0, name='a\x1b[2J\\nb') * 3.0\n")["y"]
    said = "\n".join(wording(node).stop() + wording(node).table([node, *node.operands[:1]]) + source_of(node))
    assert not [c for c in said if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")]


@given(before=st.text(alphabet="aé数🎉\u0301\t ", max_size=12), name=st.sampled_from(["x", "größe", "数"]))
def test_marks_stand_below_what_they_mark(before, name):
    """For any text before it: the columns under ^ are those of the expression."""
    program = f"s = '{before}'; y = {name} * 2.0"
    file = "<marks>"
    linecache.cache[file] = len(program), None, [program], file
    variables = {unicodedata.normalize("NFKC", name): Value(2.0)}
    with am.provenance():
        exec(compile(program, file, "exec"), variables)
    source, marks = marked(variables["y"].origin)
    assert width(source) == width(marks)
    assert marks.count("^") == width(f"{name} * 2.0")
    assert "\t" not in source + marks


@given(before=st.integers(0, 60), after=st.integers(0, 60), columns=st.integers(20, 60), wide=st.booleans())
def test_long_lines_are_cut_around_the_mark(before, after, columns, wide):
    """Long lines are cut to the screen, and the mark stays below its text."""
    program = f"s = '{('数' if wide else 'a') * before}'; y = x * 2.0; t = '{'b' * after}'"
    file = "<cut>"
    linecache.cache[file] = len(program), None, [program], file
    variables = {"x": Value(2.0)}
    with am.provenance():
        exec(compile(program, file, "exec"), variables)
    source, marks = marked(variables["y"].origin, plain, columns)
    assert width(source) <= columns
    assert marks.strip() == "^" * 7
    at = source.index("x * 2.0")
    assert width(source[:at]) == len(marks) - 7


# -- numbers and columns -----------------------------------------------------------------------------------------------


def test_numbers_are_those_of_pictures():
    """Numbers have four digits, minus zero is 0, and a missing one reads `not yet`."""
    assert [number(x) for x in (-0.0, 1 / 3, 12.796301, 1e-9, float("nan"), None)] == [
        "0", "0.3333", "12.8", "1e-09", "nan", "not yet",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.text("aé数", max_size=5), st.text("aé数", max_size=5), st.just("|")), min_size=1))
def test_columns_begin_below_one_another(rows):
    """All rows of a table are equally wide on the screen, wide and accented letters included."""
    lines = aligned(rows)
    assert len({width(line) for line in lines}) == 1


def test_of_many_the_first_are_said():
    """A long list shows its first entries and how many more there are; a short one is complete."""
    assert some(["a", "b", "c"], 2) == ["a", "… 2 more"]
    assert some(["a", "b"], 2) == ["a", "b"]


def test_files_below_the_working_directory_are_short(tmp_path, monkeypatch):
    """Paths below the current folder are relative, others absolute; control characters are replaced."""
    monkeypatch.chdir(tmp_path)
    assert path(str(tmp_path / "net.py")) == "net.py"
    assert path("/elsewhere/net.py") == "/elsewhere/net.py"
    assert printable("a\x1bb") == "a�b"
    assert plain("mark", "a") == "a"


# -- what happened -----------------------------------------------------------------------------------------------------

PROGRAM = """
x, w, b = Value(2.0), Value(-3.0), Value(1.0)
y = am.relu(x * w + b)
loss = y + x ** 2.0
"""


def test_the_chain_rule_has_names_and_numbers(recorded):
    """A step shows upstream times local derivative, first in names and then in numbers, with the new total."""
    said = wording(recorded(PROGRAM)["loss"])
    trace = said.trace
    assert said.header() == f"step {trace.start} of {len(trace) - 1}, seed"
    assert said.happened() == ["∂loss/∂loss = 1   here the sweep begins"]
    trace.into()
    assert said.happened() == [
        "∂loss/∂y          += ∂loss/∂loss × ∂loss/∂y          = 1 × 1 = 1   total 1",
        "∂loss/∂(x ** 2.0) += ∂loss/∂loss × ∂loss/∂(x ** 2.0) = 1 × 1 = 1   total 1",
    ]
    trace.into()
    assert said.happened() == ["∂loss/∂x += ∂loss/∂(x ** 2.0) × ∂(x ** 2.0)/∂x = 1 × 4 = 4   total 4"]


def test_computations_read_as_mathematics(recorded):
    """A forward step shows the user's expression, the numbers in it, and the result."""
    loss = recorded(PROGRAM)["loss"]
    said = wording(loss)
    texts = [said.computed(node) for node in said.trace.journal.order]
    assert "x = 2   a leaf" in texts
    assert "x * w = 2 × -3 = -6" in texts
    assert "x * w + b = -6 + 1 = -5" in texts
    assert "y = am.relu(x * w + b) = relu(-5) = 0" in texts
    assert "loss = y + x ** 2.0 = 0 + 4 = 4" in texts


def test_expressions_of_which_there_are_several_are_called_by_number(recorded):
    """In a loop, x * 2.0 is said of no node alone; the number is, and can be typed."""
    total = recorded("x = Value(1.0)\ntotal = x\nfor i in range(3):\n    total = total + x * 2.0\n")["total"]
    said = wording(total)
    symbols = {said.symbol(node) for node in said.trace.journal.order if node.op == "mul"}
    assert symbols == {said.trace.label(node) for node in said.trace.journal.order if node.op == "mul"}
    for symbol in symbols:
        assert len(said.trace.nodes(symbol)) == 1


def test_a_scope_that_is_passed_says_what_came_in_and_what_went_out(recorded):
    """Stepping over softmax shows its line, the gradients that arrived and those that it handed on."""
    program = "zs = [Value(1.0, name='z0'), Value(2.0, name='z1')]\na = am.softmax(zs)\nloss = -am.log(a[0])\n"
    said = wording(recorded(program)["loss"])
    trace = said.trace
    for _ in range(3):
        trace.over()
    assert trace.passed is not None
    assert said.header().endswith("backward through softmax")
    source, marks, *happened = said.stop()[2:]
    assert (source, marks) == ("-> a = am.softmax(zs)", "       ^^^^^^^^^^^^^^")
    assert happened[0].split() == ["in", "∂loss/∂a", "=", "-3.718"]
    assert {line.split()[-1] for line in happened[1:]} == {"0.7311", "-0.7311"}
    assert trace.grad(trace.nodes("z1")[0]) == pytest.approx(0.7310585786300049)


def test_what_was_passed_forwards_says_what_was_computed(recorded):
    """Stepping over a scope in the forward phase shows its inputs and its output."""
    said = wording(recorded("x = Value(1.0)\ny = am.sigmoid(x)\nz = y * 2.0\n")["z"])
    said.trace.seek(0)
    said.trace.over()
    assert said.header() == f"step {said.trace.position} of {len(said.trace) - 1}, forward through sigmoid"
    assert said.happened() == ["in  x = 1", "out y = 0.7311"]


def test_what_if_says_what_it_was_before(recorded):
    """A gradient changed by hand is marked as such, with the number that it replaced."""
    loss = recorded(PROGRAM)["loss"]
    said = wording(loss)
    said.trace.into()
    said.trace.what_if(said.trace.nodes("y")[0], 5.0)
    assert said.happened() == ["∂loss/∂y = 5   what if: changed by hand, before: 1"]


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_of_a_passed_scope_add_up(seed):
    """What goes out of it is the sum of what its nodes handed to others, also where several add to one."""

    @am.composite
    def square(u):
        return u * u

    root = am.sum([square(z) * z for z in am.nn.MLP(2, [3, 2], seed=seed)([1.0, 2.0])])
    said = wording(root)
    trace, passed, reason = said.trace, 0, ""
    while reason != "end":
        reason = trace.over().reason
        if trace.passed is not None:
            passed += 1
            changes = {}
            for arrival in range(trace.start + 1, trace.position + 1):
                step, inner = trace[arrival], trace.journal.around(arrival)
                if trace.passed in inner and (
                    step.operand.op is None or trace.passed not in trace.scopes(step.operand)
                ):
                    total = changes.get(said.gradient(step.operand), (0.0,))[0] + step.contribution
                    changes[said.gradient(step.operand)] = total, trace.grad(step.operand)
            lines = [line[4:].split() for line in said._whole(trace.passed) if "+=" in line]
            found = {line[0]: (float(line[2]), float(line[4])) for line in lines}
            assert found.keys() == changes.keys()
            for node, numbers in found.items():
                assert numbers == pytest.approx(changes[node], rel=1e-3, abs=1e-12)
    assert passed >= 3


def test_trees_stop_at_their_depth(recorded):
    """A tree ends with an ellipsis at the depth asked for, and stays short for a graph 5,000 nodes deep."""
    loss = recorded(PROGRAM)["loss"]
    lines = wording(loss).tree(loss, 1)
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "loss = y + (x ** 2.0)",
        "├─ y = relu(x * w + b) …",
        "└─ (x ** 2.0) …",
    ]
    deep = Value(1.0)
    for _ in range(5000):
        deep = deep + 1.0
    assert len(wording(deep).tree(deep, 10**6)) < 50


def test_a_gradient_is_the_sum_of_what_arrived(recorded):
    """`sum_of` writes a gradient as the sum of its contributions, or says that none has arrived."""
    x = Value(3.0, name="x")
    said = wording(x * x + x)
    assert said.sum_of(x) == [f"{said.gradient(x)}: nothing has arrived yet"]
    said.trace.run()
    assert said.sum_of(x)[0] == f"{said.gradient(x)} = 1 + 3 + 3 = 7"


def test_what_was_set_by_hand_is_where_a_sum_begins():
    """A gradient set by hand is the first term of the sum, with the step it was set in."""
    x = Value(2.0, name="x")
    trace = debug.trace(x * x)
    trace.seek(trace.start + 1)
    trace.seek(trace.start)
    trace.what_if(x, 10.0)
    trace.run()
    assert Wording(trace).sum_of(x) == [
        "∂mul#1/∂x = 10 + 2 + 2 = 14",
        "   10 set by hand, in step 3",
        "   2 from mul#1, in step 4",
        "   2 from mul#1, in step 5",
    ]


def test_in_a_narrow_window_numbers_stand_below_symbols():
    """In 60 columns the numbers move to a second line; the words are those of a wide window."""
    x, w = Value(2.0, name="a_rather_long_name"), Value(-3.0, name="w")
    trace = debug.trace(x * w)
    trace.run()
    lines = Wording(trace, columns=60).happened()
    assert lines == [
        "∂mul#2/∂a_rather_long_name += ∂mul#2/∂mul#2 × ∂mul#2/∂a_rather_long_name",
        "      = 1 × -3 = -3   total -3",
        "∂mul#2/∂w += ∂mul#2/∂mul#2 × ∂mul#2/∂w",
        "      = 1 × 2 = 2   total 2",
    ]
    assert [line.split() for line in Wording(trace).happened()] == [
        (lines[i] + lines[i + 1]).split() for i in range(0, 4, 2)
    ]


def test_the_graph_is_looked_through_once_not_at_every_stop(monkeypatch):
    """Passing scopes costs what is in them."""
    y = Value(1.0, name="x")
    for _ in range(200):
        y = am.tanh(y)
    trace = debug.trace(y)
    wording = Wording(trace)
    trace.over()
    wording.happened()
    looked, scopes = [], trace.scopes
    monkeypatch.setattr(trace, "scopes", lambda node: looked.append(node) or scopes(node))
    trace.over()
    assert wording.happened()[0].startswith("in ")
    assert len(looked) < 100
