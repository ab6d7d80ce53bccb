"""What nodes are called: as the running program can write them, whatever made them."""

from __future__ import annotations

import sys

import pytest

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.program import debug_program
from autograd_mini.debug.timeline.breakpoints import meant
from autograd_mini.notation.namespaces import namespaces, paths, plain

PROGRAM = """
import autograd_mini as am


def model(x, w, b):
    inner = w * x
    return inner + b


def mse(p, t):
    return (p - t) ** 2


class Net:
    def __init__(self):
        self.weights = [am.Value(0.5), am.Value(-1.0)]
        self.params = {"α": am.Value(2.0)}


net = Net()
mlp = am.nn.MLP(1, [2, 1], seed=0)
w, b = net.weights
epoch, rate, title = 3, 0.5, "first"
total = am.Value(0.0)
for i in range(3):
    pred = model(float(i), w, b)
    total = total + mse(pred, net.params["α"])
a = am.softmax([total, w])
e = [am.exp(x) for x in a]
loss = e[0] + e[1] + mlp([1.0])
loss.backward()
"""


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    traces = []
    assert debug_program(str(path), [], lambda call: traces.append(call.trace())) == 1
    return traces[0]


def test_results_of_functions_elements_of_lists_and_attributes_have_names(trace):
    """Variables, elements and attributes name nodes, and each name leads back to its node."""
    names = set(trace.vocabulary)
    assert {"loss", "total", "pred", "w", "b", "a[0]", "a[1]", "e[0]", "e[1]", "net.params['α']"} <= names
    assert {"mlp.layers[0].neurons[1].w[0]", "mlp.layers[1].neurons[0].b"} <= names
    for name in names - {"inner"}:
        (node,) = trace.nodes(name)
        assert trace.label(node) == name
        assert trace.evaluate(name) is node
        assert trace.evaluate(f"{name}.value") == node.data
    assert trace.label(trace.root) == "loss"


def test_a_name_means_what_it_means_now(trace):
    """Of the passes of a loop the last one; the others are told apart by their numbers."""
    (total,) = trace.nodes("total")
    assert trace.evaluate("total") is total
    assert trace.evaluate("step.total") == trace.step.total
    assert trace.evaluate("step is loss and step.grad == 1 and step.op == 'add'")
    former = [trace.label(node) for node in trace.journal.order if trace.name(node) == "total"]
    assert sorted(label.partition("#")[0] for label in former) == ["total", "total"]  # the first one, and the last
    assert trace.label(total) == "total"
    assert len(trace.nodes("inner")) == 3  # a variable of a function that has ended


def test_a_list_means_its_elements(trace):
    """The name of a list stands for its nodes in a breakpoint; where one node is needed, the error lists them."""
    assert [trace.label(node) for node in trace.nodes("a")] == ["a[0]", "a[1]"]
    assert len(trace.break_at(node="e").nodes) == 2
    assert len(trace.break_at(node="mlp.layers[0]").nodes) == 4
    with pytest.raises(am.ArgumentError, match=r"2 nodes are called e.*\n(.*\n)?.*e\[0\], e\[1\]"):
        trace.evaluate("e")


def test_functions_of_the_program_are_places_to_stop(trace):
    """A breakpoint on a function stops at each call's nodes; an unknown function is refused with those that exist."""
    assert {"model", "mse"} <= set(trace.functions)
    trace.break_at(function="model")
    trace.seek(trace.start)
    found = []
    while trace.run().reason == "breakpoint":
        found.append([frame.name for frame in trace.frames(trace.step.node)])
    assert len(found) == 3
    assert all(names[0] == "model" for names in found)
    with pytest.raises(am.ArgumentError, match="model, mse"):
        trace.break_at(function="main")


def test_what_is_typed_means_these_names_too(trace):
    """A typed word means a node, its gradient or a function, whichever the program has under that name."""
    assert meant(trace, "a[1]") == {"node": "a[1]"}
    assert meant(trace, "a") == {"node": "a"}
    assert meant(trace, "net.params['α'].grad") == {"watch": trace.nodes("net.params['α']")[0]}
    assert meant(trace, "model") == {"function": "model"}
    assert str(trace.break_at(**meant(trace, "a[1].grad"))) == "watch a[1].grad"


def test_numbers_and_texts_of_the_program_can_stand_in_conditions(trace):
    """Conditions may use plain numbers and strings of the program, and nothing else of it."""
    assert trace.evaluate("epoch == 3 and rate < 1 and title == 'first'")
    trace.break_at(op="exp", condition="epoch > 2")
    assert trace.run().reason == "breakpoint"
    for hostile in ("mlp", "net.weights", "mlp.parameters", "net.__dict__", "total._data", "am.exp", "net.weights[5]"):
        with pytest.raises(am.ArgumentError):
            trace.evaluate(f"{hostile} > 1")


def test_nothing_of_the_program_is_called():
    """Looking for names calls no method or property of the user's objects, and survives lists that hold themselves."""

    class Trap(dict):
        def __getattr__(self, name):
            raise AssertionError(name)

        def items(self):
            raise AssertionError

        @property
        def property(self):
            raise AssertionError

    x = Value(1.0)
    trap = Trap(x=x)
    endless = []
    endless.append(endless)
    found = paths([{"In": [x], "_x": x, "endless": endless, "big": [0.0] * 10, "trap": trap}], {x})
    assert found == {x: "trap['x']"}


def test_the_frames_of_the_program_are_looked_at_not_ours():
    """Namespaces come from the user's frames alone, and of them only numbers and texts are kept."""
    inside = Value(1.0)

    def function(inside):
        return namespaces(sys._getframe())

    spaces = function(inside)
    assert spaces[0] == {"inside": inside}
    assert any("Value" in space for space in spaces[1:])
    assert all("pytest" not in space.get("__name__", "") for space in spaces)
    assert plain([{"n": 1, "x": 2.5, "t": "text", "b": True, "huge": 10**400, "v": inside}, {"n": 2}]) == {
        "n": 1.0, "x": 2.5, "t": "text", "b": True,
    }  # fmt: skip


def test_values_are_called_by_their_variables_without_provenance():
    """The caller's variables name nodes even where no places were recorded."""
    x = Value(3.0)
    ys = [x * 2.0, x * 3.0]
    loss = ys[0] * ys[1]
    trace = debug.trace(loss)
    assert trace.vocabulary == ["x", "ys[0]", "ys[1]", "loss"]
    assert repr(trace) == "Trace(loss, step 0 of 8)"


def test_a_helper_that_is_given_a_value_does_not_rename_it():
    """A parameter of a helper does not replace the name that the value was assigned to."""

    def show(something):
        return debug.trace(something)

    with am.provenance():
        loss = Value(2.0) * 3.0
    assert show(loss).label(loss) == "loss"


def test_what_was_made_first_names_what_is_in_a_list_of_everything():
    """A parameter is called by the model, not by the flat list made of it; a variable of its own goes before both."""
    w, b, x = Value(1.0), Value(2.0), Value(3.0)
    state = {"wte": [[w]], "bias": b}
    space = {"state": state, "params": [w, b, x], "lonely": x}
    assert paths([space], {w, b, x}) == {x: "lonely", w: "state['wte'][0][0]", b: "state['bias']"}
