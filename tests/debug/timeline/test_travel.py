"""Time travel: a moment is the same wherever you come from; motions, breakpoints, names, places."""

from __future__ import annotations

import linecache
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.program import Quit, debug_program
from autograd_mini.program.stack import recording
from tests.debug.timeline.test_journal import bits, graph, graphs
from tests.effort import effort


def state(trace):
    """Everything that is visible."""
    return trace.position, trace.passed, [(node, bits(g)) for node, g in trace.gradients.items()], trace.level


motions = st.lists(
    st.tuples(st.sampled_from(["next", "back", "into", "over", "out", "run", "seek"]), st.booleans(), st.integers(0)),
    max_size=15,
)


@settings(max_examples=effort(60, 1000))
@given(graphs, motions)
def test_any_walk_ends_in_the_state_of_its_place(graph_, walk):
    """A trace that has been anywhere shows what a fresh one shows at the same step."""
    _, root = graph(*graph_)
    trace, fresh = debug.trace(root), debug.trace(root)
    for motion, back, number in walk:
        if motion == "seek":
            trace.seek(number % len(trace))
        elif motion in ("next", "back"):
            getattr(trace, motion)()
        else:
            getattr(trace, motion)(back=back)
        fresh.seek(trace.position)
        assert state(trace)[2] == state(fresh)[2]


@settings(max_examples=effort(60, 1000))
@given(graphs, st.data())
def test_back_undoes_next(graph_, data):
    """Also where subtracting what was added would not: infinities, nan, and sums that round."""
    _, root = graph(*graph_)
    trace = debug.trace(root)
    trace.seek(data.draw(st.integers(0, len(trace) - 1)))
    before = state(trace)
    if trace.next() is not None:
        trace.back()
    assert state(trace) == before


def nested(samples=3):
    with am.provenance(calls=True):
        z = [Value(number, name=f"z{i}") for i, number in enumerate([2.0, 1.0, 0.1])]
        loss = Value(0.0)
        for _ in range(samples):
            with am.scope("sample"):
                loss = loss + am.cross_entropy(am.softmax(z), 0) * am.sigmoid(z[0])
    return loss, z


@pytest.mark.parametrize("motion", ["into", "over", "run"])
def test_the_way_back_has_the_stops_of_the_way_there(motion):
    """`into`, `over` and `run` backwards stop where they stopped forwards, in reverse and in the same state."""
    loss, _ = nested()
    trace = debug.trace(loss)
    if motion == "run":
        trace.break_at(op="exp")
        trace.break_at(watch="z0.grad")
    there = [state(trace)]
    while getattr(trace, motion)().reason != "end":
        there.append(state(trace))
    back = []
    while getattr(trace, motion)(back=True).reason != "end":
        back.append(state(trace))
    ends = {0, len(trace) - 1}
    assert [s for s in back[::-1] if s[0] not in ends] == [s for s in there if s[0] not in ends]


def test_over_passes_a_scope_into_enters_it_out_leaves_it():
    """`over` crosses a scope in one motion, `into` goes to its first node, `out` ends behind it; back likewise."""
    loss, _ = nested(samples=1)
    trace = debug.trace(loss)
    trace.seek(trace.start)
    trace.over()
    assert trace.passed.name == "sample"
    assert trace.position == len(trace) - 1
    trace.over(back=True)
    assert (trace.step.phase, trace.passed) == ("seed", None)
    trace.into()
    assert trace.step.node.scope.name == "sample"
    passed = []
    while trace.over().reason == "step":
        passed.append(trace.passed and trace.passed.name)
    assert passed == [None, "sigmoid", "cross_entropy", "softmax"]
    trace.seek(trace.start)
    while trace.step.node.scope is None or trace.step.node.scope.name != "cross_entropy":
        trace.into()
    trace.out()
    assert "cross_entropy" not in [scope.name for scope in trace.scopes(trace.step.node)]
    trace.out(back=True)
    assert "softmax" not in [scope.name for scope in trace.scopes(trace.step.node)]


def test_the_ends_of_time():
    """At either end every motion answers `end` and stays there."""
    trace = debug.trace(Value(2.0) * 3.0)
    assert trace.back() is None
    assert trace.into(back=True).reason == "end"
    assert trace.position == 0
    assert trace.run().reason == "end"
    assert trace.next() is None
    for motion in (trace.into, trace.over, trace.out, trace.run):
        assert motion().reason == "end"
        assert trace.position == len(trace) - 1
    assert repr(trace) == "Trace(mul#1, step 3 of 3)"


def test_run_to():
    """`run_to` takes a step, a node, a predicate or an expression, ignores breakpoints, and goes both ways."""
    loss, z = nested(samples=1)
    trace = debug.trace(loss)
    trace.break_at(op="exp")  # does not matter
    assert trace.run_to(trace.start).reason == "step"
    trace.run_to(lambda step: step.operand is z[2])
    assert trace.grad(z[2]) is not None
    first = trace.position
    trace.run_to("z2.grad == None", back=True)
    assert trace.position == first - 1
    trace.seek(trace.start)
    trace.run_to(loss.operands[1])
    assert trace.step.node is loss.operands[1]
    with pytest.raises(am.ArgumentError):
        trace.run_to(1000)


# -- breakpoints -------------------------------------------------------------------------------------------------------


def stops(trace):
    """The steps where `run` stops from the beginning on."""
    trace.seek(0)
    found = []
    while trace.run().reason == "breakpoint":
        found.append(trace.position)
    return found


def test_operations_nodes_and_scopes():
    """A breakpoint on an operation, node or scope stops just there; one that fits nothing is refused."""
    loss, z = nested(samples=2)
    trace = debug.trace(loss)
    last = [trace.journal.turn(i)[-1] == i for i in range(len(trace))]
    breakpoint = trace.break_at(op="exp")
    assert stops(trace) == [i for i, s in enumerate(trace) if s.node.op == "exp" and last[i] and s.phase != "seed"]
    trace.breakpoints.remove(breakpoint)
    breakpoint = trace.break_at(op="*")
    assert all(trace[i].node.op == "mul" for i in stops(trace))
    trace.breakpoints.remove(breakpoint)
    breakpoint = trace.break_at(node="z1")
    assert stops(trace) == [trace.number(z[1])]  # a leaf hands nothing on
    trace.breakpoints.remove(breakpoint)
    trace.break_at(scope="softmax")
    entered = [trace[i].node.scope for i in stops(trace)]
    assert all("softmax" in scope.path for scope in entered)
    assert len(entered) == 4  # two samples, there and back
    for wrong in ({"op": "sin"}, {"scope": "relu"}, {"node": "y"}, {"watch": "y.grad"}, {"line": 10**6}, {}):
        with pytest.raises(am.ArgumentError):
            trace.break_at(**wrong)
    with pytest.raises(am.ArgumentError, match="not 2: line, op"):
        trace.break_at(line=3, op="exp")


def test_a_gradient_that_changes():
    """A watched gradient stops at every step that changes its bits, forwards and backwards."""
    loss, z = nested(samples=2)
    trace = debug.trace(loss)
    arrivals = trace.journal.arrivals(z[0])
    changes = [i for i in arrivals if bits(trace.grad(z[0], i)) != bits(trace.grad(z[0], i - 1))]
    watch = trace.break_at(watch=z[0])
    assert stops(trace) == changes
    trace.breakpoints.remove(watch)
    trace.break_at(watch="z0.grad")
    assert stops(trace) == changes
    trace.seek(changes[-1])
    assert trace.run(back=True).reason == "breakpoint"
    assert trace.position == changes[-2]


def test_numbers_that_are_not_finite_too_large_or_gone():
    """`nonfinite`, `above` and `below` stop at exactly the steps whose numbers are so."""
    x = Value(0.0, name="x")
    y = am.sqrt(x * x) * 1e10 + am.exp(Value(-800.0)) + am.sigmoid(Value(800.0)) * am.Value(3.0)
    trace = debug.trace(y)
    trace.break_at(nonfinite=True)
    assert stops(trace) == [
        s.index for s in trace
        if not all(math.isfinite(n) for n in (s.total, s.contribution or 0.0, s.local or 0.0))
    ]  # fmt: skip
    assert stops(trace)
    trace.breakpoints.clear()
    trace.break_at(above=1e9)
    assert stops(trace) == [s.index for s in trace if s.phase != "forward" and not abs(s.total) <= 1e9]
    assert len(stops(trace)) > 1
    trace.breakpoints.clear()
    trace.break_at(below=0.0)
    assert stops(trace) == [
        s.index for s in trace if s.phase == "backward" and s.contribution == 0.0 and s.upstream != 0.0
    ]
    assert stops(trace)


def test_custom_predicates_and_expressions():
    """A predicate and the expression that says the same stop at the same steps; unknown names are refused."""
    loss, z = nested(samples=1)
    trace = debug.trace(loss)
    trace.break_at(when=lambda step: step.operand is z[1])
    expected = [s.index for s in trace if s.operand is z[1]]
    assert stops(trace) == expected
    trace.breakpoints.clear()
    trace.break_at(when="operand == z1 and phase == 'backward'")
    assert stops(trace) == expected
    with pytest.raises(am.ArgumentError, match="nothing"):
        trace.break_at(when="nothing > 1", log="{x}")


def test_conditions_hits_temporary_ones_and_messages():
    """Conditions, hit counts, `temporary` and `log` filter stops as they say; a wrong one adds no breakpoint."""
    loss, z = nested(samples=3)
    trace = debug.trace(loss)
    everywhere = [s.index for s in trace if s.operand is z[0]]
    assert len(everywhere) > 6

    def met(**options):
        trace.breakpoints.clear()
        trace.break_at(when=lambda step: step.operand is z[0], **options)
        return stops(trace)

    assert met(condition="z0.grad > 0.1") == [i for i in everywhere if trace.grad(z[0], i) > 0.1]
    assert met(hits=3) == everywhere[2:]
    assert met(hits="== 3") == everywhere[2:3]
    assert met(hits="% 2") == everywhere[1::2]
    assert met(hits="< 3") == everywhere[:2]
    assert met(temporary=True) == everywhere[:1]
    assert trace.breakpoints == []
    assert met(log="now {z0.grad}") == []
    trace.seek(0)
    assert trace.run().messages == tuple(f"now {trace.grad(z[0], i):.6g}" for i in everywhere)
    trace.breakpoints[0].enabled = False
    trace.seek(0)
    assert trace.run().messages == ()
    for wrong in (
        {"hits": "often"},
        {"hits": 0},
        {"condition": "z0.grad >"},
        {"log": "{import os}"},
        {"condition": "q"},
    ):
        count = len(trace.breakpoints)
        with pytest.raises(am.ArgumentError):
            trace.break_at(op="exp", **wrong)
        assert len(trace.breakpoints) == count


PROGRAM = """
import autograd_mini as am

def square(x):
    return x * x

def energy(xs):
    return sum([square(x)
                for x in xs])

σ = am.Value(2.0)
größe = am.Value(3.0)
half = lambda v: v * 0.5
loss = (energy([σ, größe])
        + half(σ))
"😀"; y = σ * größe
total = am.softplus(loss + y)
total.backward()
"""


@pytest.fixture
def traced(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    traces = []
    assert debug_program(str(path), [], lambda call: traces.append(call.trace())) == 1
    linecache.checkcache()
    return traces[0], str(path)


def test_frames_lead_from_the_expression_to_the_program(traced):
    """Frames go from the expression through the user's functions to the module, and never into the package."""
    trace, path = traced
    frames = {
        trace.place(node).expression: [(f.name, f.site.line) for f in trace.frames(node)]
        for node in trace.journal.order
    }
    assert frames["x * x"] == [("square", 5), ("energy", 8), ("<module>", 14)]
    assert frames["v * 0.5"] == [("<lambda>", 13), ("<module>", 15)]
    assert frames["σ * größe"] == [("<module>", 16)]
    assert frames["am.softplus(loss + y)"] == [("<module>", 17), ("softplus", 17)]
    assert {f.site.file for node in trace.journal.order for f in trace.frames(node)} == {path}


def test_lines_snap_to_where_something_is(traced):
    """A line breakpoint moves down to the next line with nodes; behind the last one it is refused."""
    trace, _ = traced
    assert trace.lines() == [5, 8, 11, 12, 13, 14, 15, 16, 17]
    places = {}
    for line in range(1, 18):
        trace.breakpoints.clear()
        found = trace.break_at(line=line)
        places[line] = found.target, {trace.place(node).expression.partition("\n")[0] for node in found.nodes}
    assert {line: place[0] for line, place in places.items()} == {
        1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 8, 7: 8, 8: 8, 9: 9, 10: 11, 11: 11, 12: 12, 13: 13, 14: 14, 15: 15, 16: 16,
        17: 17,
    }  # fmt: skip
    assert found.file == trace.place(trace.root).file
    assert places[5][1] == {"x * x"}
    assert places[16][1] == {"σ * größe"}
    assert places[14][1] == places[15][1] - {"half(σ)"}
    with pytest.raises(am.ArgumentError, match="the last is 17"):
        trace.break_at(line=18)
    with pytest.raises(am.ArgumentError, match="Nothing in the graph comes from"):
        trace.break_at(line=1, file="other.py")


def test_names_and_numbers(traced):
    """A node's label and its `#number` lead back to it alone; a misspelt name suggests the right one."""
    trace, _ = traced
    assert {"σ", "größe", "loss", "y", "total"} <= set(trace.vocabulary)
    assert [trace.label(node) for node in trace.nodes("σ")] == ["σ"]
    squares = [node for node in trace.journal.order if trace.place(node).expression == "x * x"]
    for node in squares:
        assert trace.nodes(trace.label(node)) == [node]
        assert trace.nodes(f"#{trace.number(node)}") == [node]
    with pytest.raises(am.ArgumentError, match="größe"):
        trace.nodes("grösse")


def test_programs(tmp_path, capsys):
    """Each call of `backward()` is a stop, before it does anything; in another run leaves can have other numbers."""
    path = tmp_path / "train.py"
    path.write_text(
        "import sys\nimport autograd_mini as am\nw = am.Value(float(sys.argv[1]))\n"
        "for i in range(3):\n    loss = (w - 3.0) ** 2\n    w.grad = 0\n"
        "    loss.backward()\n    w.data -= 0.25 * w.grad\n"
        "print(w.data)\n"
    )
    calls = []

    def look(call):
        trace = call.trace()
        assert trace.position == trace.start
        (leaf,) = trace.leaves
        calls.append((call.number, call.site.line, trace.value(leaf), leaf.grad, call.accesses.key(leaf)))

    assert debug_program(str(path), ["1"], look) == 3
    assert [call[:-1] for call in calls] == [(1, 7, 1.0, 0.0), (2, 7, 2.0, 0.0), (3, 7, 2.5, 0.0)]
    first, _, last = [key for *_, key in calls]
    assert capsys.readouterr().out == "2.75\n"
    calls.clear()
    assert debug_program(str(path), ["1"], look, {first: 5.0}) == 3
    assert [number for _, _, number, _, _ in calls] == [5.0, 4.0, 3.5]
    calls.clear()
    assert debug_program(str(path), ["1"], look, {last: 5.0}) == 3  # as it was then, after two steps
    assert [number for _, _, number, _, _ in calls] == [1.0, 2.0, 5.0]

    def leave(call):
        look(call)
        if call.number == 2:
            raise Quit

    capsys.readouterr()
    assert debug_program(str(path), ["1"], leave) == 2
    assert capsys.readouterr().out == ""
    named = []
    assert debug_program(f"{path}:loss", ["1"], named.append) == 1
    assert (named[0].root.data, named[0].site) == (0.25, None)
    assert recording().hooks.at_backward is None


def test_a_scope_is_one_motion_also_where_the_sweep_leaves_it_on_the_way():
    """The sweep goes into the network behind a logit before it is done with the softmax of all logits."""
    model = am.nn.MLP(2, [3, 2], activation="tanh", seed=0)
    loss = am.cross_entropy(model([0.3, -0.2]), 1)
    trace = debug.trace(loss * 1.0)
    inside = [s.index for s in trace if s.phase == "backward" and s.node.scope and "cross_entropy" in s.node.scope.path]
    trace.seek(trace.start)
    passed = []
    while trace.over().reason == "step":
        passed.append(trace.passed and trace.passed.name)
        if trace.passed and trace.passed.name == "cross_entropy":
            assert trace.position == inside[-1]
    assert passed == [None, "cross_entropy", "Layer1", "Layer0"]
    trace.seek(trace.start)
    while trace.position != inside[-1]:
        trace.into()
    trace.break_at(scope="Layer0")
    assert len(stops(trace)) == 2  # there, and back


def test_names_are_those_of_the_time_when_the_trace_was_made():
    """As numbers are: the program may go on."""
    x = Value(2.0, name="x")
    trace = debug.trace(x * x)
    x.name, x.data = "other", 3.0
    assert (trace.label(x), trace.value(x), trace.nodes("x")) == ("x", 2.0, [x])
    with pytest.raises(am.ArgumentError, match="is not in the graph"):
        trace.label(Value(1.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda trace: trace.break_at(above="much"), lambda trace: trace.break_at(when=3),
        lambda trace: trace.break_at(node=3), lambda trace: trace.break_at(nonfinite=True, condition=3),
        lambda trace: trace.run_to(None), lambda trace: trace.what_if(trace.root, "much"),
        lambda trace: trace.evaluate(3), lambda trace: trace.break_at(line=3, file="nowhere.py"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_changes_nothing(call):
    """A wrong argument raises an error and leaves position, breakpoints and changes as they were."""
    trace = debug.trace(am.exp(Value(2.0, name="x")))
    trace.seek(trace.start)
    with pytest.raises(am.AutogradError):
        call(trace)
    assert (trace.position, trace.breakpoints, trace.journal.changes) == (trace.start, [], ())


def test_a_file_without_anything_is_told_from_a_program_without_places(tmp_path):
    """A file from which no node comes is refused with the names of those that have some."""
    file = tmp_path / "p.py"
    file.write_text("from autograd_mini import Value\ny = Value(2.0) * 3.0\n")
    variables = {}
    with am.provenance():
        exec(compile(file.read_text(), str(file), "exec"), variables)
    with pytest.raises(am.ArgumentError, match=r"from other\.py\.\n(.*\n)?.*There are .*p\.py"):
        debug.trace(variables["y"]).break_at(line=2, file="other.py")


@pytest.mark.parametrize("name", debug.__all__)
def test_every_public_name_is_there(name):
    """Also those that the first use imports."""
    assert getattr(debug, name).__doc__
    assert name in dir(debug)


def test_every_value_can_be_debugged():
    """The debugger gives values the method, as soon as the package is imported; values know nothing of it."""
    program = "import autograd_mini as am; print(am.Value.debug.__qualname__, am.Value.debug.__doc__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Value.debug Step through `backward()`")
