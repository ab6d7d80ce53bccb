"""Code written for micrograd: identity, attributes, custom operations, and everything that looks at graphs."""

from __future__ import annotations

import copy
import gc
import json
import math
import pickle
import random
import re
import subprocess
import sys
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import debug
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.timeline import differences
from autograd_mini.micrograd import Value, nn
from autograd_mini.script import graph_of
from tests.effort import effort

ACTIVATIONS = [
    "elu", "gelu", "hard_tanh", "leaky_relu", "log_sigmoid", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
]  # fmt: skip


def walked(root):
    """Nodes and edges of a graph, found with lists, as programs for micrograd do it."""
    nodes, edges, waiting = [], [], [root]
    while waiting:
        node = waiting.pop()
        if node not in nodes:
            nodes.append(node)
            for child in node._prev:
                if (child, node) not in edges:
                    edges.append((child, node))
                waiting.append(child)
    return nodes, edges


def own(function, slopes, name, *operands, calls=None):
    """A custom operation: its number, and for each operand the slope that its `_backward` uses."""
    numbers = [x.data for x in operands]
    out = Value(function(*numbers), operands, name)

    def _backward():
        if calls is not None:
            calls.append((name, out.grad))
        for x, slope in zip(operands, slopes, strict=True):
            x.grad += slope(*numbers) * out.grad

    out._backward = _backward
    return out


def own_sin(x, calls=None):
    return own(math.sin, [math.cos], "sin", x, calls=calls)


def own_product(x, y, calls=None):
    return own(lambda a, b: a * b, [lambda a, b: b, lambda a, b: a], "times", x, y, calls=calls)


# -- identity and attributes -------------------------------------------------------------------------------------------


def test_lists_of_nodes_find_nodes_by_identity():
    """`in`, `index`, `remove`, `count` and `==` tell nodes of equal numbers apart; sets and dicts do too."""
    a, b = Value(2.0), Value(2.0)
    nodes, edges = walked((a * b + a) * 1.0)
    assert (len(nodes), len(edges)) == (6, 6)
    values = [Value(0.0), Value(0.0), Value(0.0)]
    assert values.index(values[2]) == 2
    assert values.count(values[1]) == 1
    rest = list(values)
    rest.remove(values[1])
    assert rest[0] is values[0]
    assert rest[1] is values[2]
    assert a != b
    assert (a == b, a == 2.0, a == a, a == am.Value(2.0)) == (False, False, True, False)
    assert len({a, b, a}) == 2


def test_every_node_is_true():
    """A node with the number 0 counts as true; as the condition of `where` it is a number."""
    zero = Value(0.0)
    assert zero
    assert list(filter(None, [zero])) == [zero]
    assert am.where(zero, Value(1.0), 2.0).data == 2.0


def test_nodes_take_any_attribute_and_weak_references():
    """What optimisers and pictures hang on a Value stays there; a weak reference does not keep it alive."""
    v = Value(1.0)
    v.m = v.v = 0.5
    v._vis_color = "lightgreen"
    assert (v.m, v.v, v._vis_color, hasattr(v, "other")) == (0.5, 0.5, "lightgreen", False)
    known = weakref.WeakKeyDictionary({v: 1})
    del v
    gc.collect()
    assert not known


def test_labels():
    """`label` is the name, "" by default; anything but text is kept too."""
    v, unnamed = Value(2.0, label="a"), Value(1.0)
    assert (v.label, v.name, unnamed.label, unnamed.name) == ("a", "a", "", None)
    product = v * unnamed
    product.label = "p"
    assert product.name == "p"
    product.label = ""
    assert product.name is None
    product.label = 0
    assert (product.label, product.name) == (0, "0")
    product.name = "q"
    assert product.label == "q"
    assert repr(v) == "Value(data=2.0, grad=0.0)"


def test_the_imports_of_programs_for_micrograd():
    """Replace `micrograd` by `autograd_mini.micrograd` in imports, and they work; nothing else is imported first."""
    program = (
        "from autograd_mini.micrograd.engine import Value; from autograd_mini.micrograd.nn import Neuron, Layer, MLP;"
        "from autograd_mini.micrograd import nn, Value as Same; import autograd_mini.micrograd as m;"
        "assert Value is Same is m.Value and nn.MLP is MLP"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# -- the graph ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "op", "children"),
    [
        ("x + 2", "+", 2), ("2 + x", "+", 2), ("x * 2", "*", 2), ("2 * x", "*", 2), ("x - 2", "+", 2),
        ("2 - x", "+", 2), ("x / 2", "*", 2), ("2 / x", "*", 2), ("-x", "*", 2), ("x * x", "*", 2), ("x - x", "+", 2),
        ("x**2", "**2", 1), ("x**-1", "**-1", 1), ("x**0.5", "**0.5", 1), ("x.relu()", "ReLU", 1),
        ("(-x).relu()", "ReLU", 1), ("x.tanh()", "tanh", 1), ("x.exp()", "exp", 1), ("x.log()", "log", 1),
        ("am.relu(x)", "ReLU", 1), ("x.sigmoid()", "sigmoid", 1), ("x", "", 0), ("sum([x])", "+", 2),
    ],
)  # fmt: skip
def test_operations_are_spelled_and_linked_as_in_micrograd(text, op, children):
    """A program that reads `_op` and unpacks `_prev` finds micrograd's spellings, and constants among the children."""
    node = eval(text, {"x": Value(3.0), "am": am})
    assert (node._op, len(node._prev)) == (op, children)
    assert all(type(child) is Value for child in node._prev)


def test_the_graph_of_a_softmax_loss_has_the_nodes_that_micrograd_makes():
    """Logits 3, exponentials 3, sums 3 with the constant 0, and of a quotient, a logarithm and a minus sign 5: 15."""
    logits = [Value(1.0), Value(2.0), Value(2.0)]
    exponentials = [z.exp() for z in logits]
    total = sum(exponentials)
    loss = -[e / total for e in exponentials][1].log()
    nodes, edges = walked(loss)
    assert len(nodes) == 3 + 3 + 3 + 1 + 5
    assert sorted(node._op for node in nodes if node._op) == [
        "*", "*", "**-1", "+", "+", "+", "exp", "exp", "exp", "log",
    ]  # fmt: skip
    assert len(edges) == 3 + 6 + 1 + 2 + 1 + 2


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_numbers_are_those_of_micrograds_formulas(a, b):
    """A difference is a sum, a quotient a product: bit for bit what the same program gives with micrograd."""
    x, y = Value(a), Value(b)
    assert (x - y).data == a + (b * -1.0)
    assert (2 - x).data == a * -1.0 + 2
    if abs(b) > 1e-307:  # below, micrograd's program ends with an OverflowError
        assert (x / y).data == a * b**-1
        assert (3 / y).data == b**-1 * 3


def test_what_micrograd_cannot_divide_is_infinite():
    """As everywhere in this package, 1 / 0 is inf, and raises under `checked()`."""
    x = Value(1.0)
    assert (x / 0).data == (x / Value(0.0)).data == (1 / Value(0.0)).data == math.inf
    with am.checked(), pytest.raises(am.NonFiniteError, match="x / 0"):
        x / 0


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(number=st.floats(-40.0, 40.0))
def test_activations_are_one_node_with_what_falls_out(name, number):
    """A method is one operation, and its number and derivative are those of the plain `Value`."""
    plain, x = am.Value(number), Value(number)
    expected, y = getattr(am, name)(plain), getattr(x, name)()
    expected.backward()
    y.backward()
    assert (y._op, y._prev, y.data, x.grad) == (name, (x,), expected.data, plain.grad)


def test_kinks_are_seen_inside_of_one_node():
    """`kinks` hears of a kink of an activation, and of `relu` and comparisons, as it does for the plain `Value`."""
    for name, at in (("hard_tanh", 1.0), ("leaky_relu", 0.0), ("relu", 0.0)):
        with am.kinks() as plain:
            getattr(am.Value(at), name)()
        with am.kinks() as report:
            getattr(Value(at), name)()
        assert [kink.op for kink in plain] == [kink.op for kink in report]
        assert report


FUNCTIONS = [
    lambda a, b: am.tanh(a) * am.relu(b) + am.sigmoid(a - b),
    lambda a, b: am.softmax([a, b, 1.0])[1],
    lambda a, b: am.cross_entropy([a, b, 0.5], 1) + am.binary_cross_entropy(a, 1),
    lambda a, b: am.logsumexp([a, b]) + am.norm([a, b, 3.0]) + am.dot([a, 2.0], [b, a]) + am.sum([a, b, 1]),
    lambda a, b: am.mse([a, b], [1.0, b]) + am.huber(a, 0.25) + am.hinge(b, 1) + am.mae([a], [b]),
    lambda a, b: am.maximum(a, b, 0.5) + am.where(a > b, a, 2.0 * b) + am.clip(a, -1, 1) + abs(b) % 0.75,
    lambda a, b: am.atan2(a, b) + am.hypot(a, b) + (abs(a) + 1) ** b + 2**a + am.leaky_relu(a, b),
    lambda a, b: a.sin() * b.exp() + a.maximum(b) + am.gelu(a) / (b * b + 1) - am.softplus(b),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@given(a=st.floats(-3.0, 3.0).filter(lambda x: abs(x) > 1e-3), b=st.floats(-3.0, 3.0).filter(lambda x: abs(x) > 1e-3))
def test_functions_of_the_package_give_what_they_give_for_plain_values(function, a, b):
    """Same numbers, same gradients, to rounding, for what is composed, n-ary, piecewise or has two operands."""
    results = []
    for kind in (am.Value, Value):
        x, y = kind(a), kind(b)
        result = function(x, y)
        assert type(result) is kind
        result.backward()
        results.append([result.data, x.grad, y.grad])
    assert results[1] == pytest.approx(results[0], rel=1e-12, abs=1e-12)


def test_arrays_of_objects():
    """NumPy's functions of object arrays, and constants of NumPy, work as for the plain `Value`."""
    numpy = pytest.importorskip("numpy")
    values = numpy.array([Value(1.0), Value(2.0)])
    loss = (numpy.tanh(values) @ numpy.array([2.0, 3.0])) * numpy.float32(0.5)
    loss.backward()
    assert [v.grad for v in values] == pytest.approx([1 - math.tanh(1) ** 2, 1.5 * (1 - math.tanh(2) ** 2)])


# -- backward ----------------------------------------------------------------------------------------------------------


def test_gradients_restart_on_computed_nodes_and_add_up_on_leaves():
    """A second `backward()` doubles the leaves alone; micrograd would also hand on the earlier gradients again."""
    x = Value(3.0)
    h = x * x
    y = h * 2
    y.backward()
    assert (x.grad, h.grad, y.grad) == (12.0, 2.0, 1.0)
    y.backward()
    assert (x.grad, h.grad, y.grad) == (24.0, 2.0, 1.0)
    x.grad = 0
    y.backward(0.5)
    assert (x.grad, h.grad) == (6.0, 1.0)


def test_data_can_be_written_everywhere_and_the_recorded_computation_counts():
    """Programs write the data of parameters and of computed nodes; a gradient is that of what was recorded."""
    x = Value(2.0)
    h = x * x
    h.data = 5
    y = h * x
    assert y.data == 10.0
    x.data -= 1.5
    y.backward()
    assert (x.data, x.grad) == (0.5, 5.0 + 2.0 * 4.0)
    with pytest.raises(am.OperandError, match="text"):
        x.data = "1"


def test_backward_by_hand():
    """A lesson that calls `_backward` of each node itself, from the end to the beginning, gets the same gradients."""
    x, w = Value(0.5), Value(-2.0)
    y = (x * w + own_sin(x)).tanh().relu() + (x / w) ** 2
    y.backward()
    expected = x.grad, w.grad
    order = list(topological_order(y))
    for node in order:
        node.grad = 0
    y.grad = 1.0
    for node in reversed(order):
        node._backward()
    assert (x.grad, w.grad) == pytest.approx(expected, rel=1e-15)


# -- operations of one's own -------------------------------------------------------------------------------------------


@given(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0))
def test_own_operations_mix_with_ours(a, b):
    """The table's operations give the same gradient of a graph in which own ones are used twice, also by each other."""
    x, y = Value(a), Value(b)
    s = own_sin(x * y)
    p = own_product(s, x + s)
    loss = (p * own_sin(p) + own_product(x, x) - s).tanh() + own_product(y, own_sin(y)) / 4
    loss.backward()

    def same(u, v):
        t = am.sin(u * v)
        q = t * (u + t)
        return am.tanh(q * am.sin(q) + u * u - t) + v * am.sin(v) / 4

    value, slopes = am.value_and_grad(same, (0, 1))(a, b)
    assert loss.data == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert (x.grad, y.grad) == pytest.approx(slopes, rel=1e-9, abs=1e-9)


def test_own_operations_are_asked_once_with_their_complete_gradient():
    """Each `_backward` runs once a sweep, after everything that uses its result."""
    calls = []
    x = Value(0.5)
    first = own_sin(x, calls)
    second = own_product(first, first * 2, calls)
    y = second + first * 10
    y.backward()
    assert calls == [("times", 1.0), ("sin", 10.0 + 2 * first.data + 2 * first.data)]
    assert first.grad == calls[1][1]
    assert x.grad == pytest.approx(calls[1][1] * math.cos(0.5))
    once = x.grad
    y.backward()
    assert (x.grad, first.grad, len(calls)) == (2 * once, calls[1][1], 4)
    second.backward()
    second.backward()
    assert len(calls) == 8


def test_own_operations_need_not_be_linear_in_the_gradient():
    """What a `_backward` does with the gradient is what arrives: clipping, reversing, recording it."""
    x = Value(3.0)
    out = Value(x.data, (x,), "clipped")

    def _backward():
        x.grad += max(-1.0, min(1.0, out.grad))

    out._backward = _backward
    y = out * 5.0
    y.backward()
    assert (x.grad, out.grad) == (1.0, 5.0)
    steps = [step for step in debug.trace(y).journal if step.operand is x]
    assert [step.contribution for step in steps] == [1.0]


def test_own_operations_that_assign_do_not_lose_what_others_add():
    """`x.grad = ...` where `+=` was meant is taken as what this operation adds."""
    x = Value(3.0)
    out = Value(x.data * 2, (x,), "double")

    def _backward():
        x.grad = 2 * out.grad

    out._backward = _backward
    (x * 5 + out + x).backward()
    assert x.grad == 8.0


def test_the_backward_of_our_operations_can_be_replaced():
    """A straight-through estimator, or one that looks at what passes and calls the function that was there."""
    x, seen = Value(-2.0), []
    y = x.relu()

    def straight():
        x.grad += y.grad

    y._backward = straight
    z = y * 3 + x * x
    inner = z._backward

    def looked_at():
        seen.append(z.grad)
        inner()

    z._backward = looked_at
    (z * 2).backward()
    assert (x.grad, seen, y._op, z._op) == (2 * (3 - 4), [2.0], "ReLU", "+")


def test_a_leaf_can_have_a_backward_of_its_own():
    """It runs when the gradient of the leaf is complete: a hook."""
    x = Value(3.0)

    def hook():
        x.grad = min(x.grad, 1.0)

    x._backward = hook
    (x * x + x).backward()
    assert x.grad == 1.0


def test_without_a_backward_no_gradient_gets_through():
    """As in micrograd, where the default does nothing; a picture shows that edge as one that is not there."""
    x, other = Value(3.0), Value(1.0)
    cut = Value(x.data, {x, other}, "cut")
    assert set(cut._prev) == {x, other}
    (cut * x).backward()
    assert (x.grad, other.grad, cut.grad) == (3.0, 0.0, 3.0)
    cut._backward()
    assert other.grad == 0.0


def test_an_error_in_an_own_operation_leaves_gradients_as_they_were():
    """So does one under `checked()`, and one that forgets `.data`."""
    x = Value(3.0)
    (x * 2).backward()
    for broken in (lambda: 1 / 0, lambda: setattr(x, "grad", x * 1.0)):
        out = own_sin(x)
        out._backward = broken
        y = out * 2 + x
        with pytest.raises((ZeroDivisionError, am.OperandError)):
            y.backward()
        assert (x.grad, out.grad, y.grad) == (2.0, 0.0, 0.0)
    infinite = own(lambda a: a, [lambda a: math.inf], "steep", x)
    with am.checked(), pytest.raises(am.NonFiniteError, match="steep"):
        (infinite + x).backward()
    assert x.grad == 2.0


def test_operands_that_were_not_named_are_an_error():
    """A `_backward` that adds to a node that is not a child would come too early or too late for it."""
    x, w = Value(3.0, label="x"), Value(2.0, label="w")
    out = Value(x.data * w.data, (x,), "half told")

    def _backward():
        x.grad += w.data * out.grad
        w.grad += x.data * out.grad

    out._backward = _backward
    with pytest.raises(am.ArgumentError, match="half told adds to the gradient of w"):
        (out * w).backward()
    assert (x.grad, w.grad) == (0.0, 0.0)


@pytest.mark.parametrize("children", [3.0, (3.0,), "ab", [None]])
def test_children_are_nodes(children):
    """Anything else is an error immediately; micrograd notices only in `backward()`."""
    with pytest.raises(am.OperandError, match="operands of a Value are Values"):
        Value(2.0, children, "op")
    with pytest.raises(am.OperandError, match="_backward must be a function"):
        Value(2.0)._backward = None


def test_classes_can_derive_from_it():
    """Results are of the derived class, so that its methods are there for them, also beside the class itself."""

    class Number(Value):
        def sine(self):
            return own_sin(self)

    x = Number(0.5)
    y = (Value(2.0) * x - 1).relu() + x.exp() / 2 % 3
    assert type(y) is type(1 - x) is type(am.hypot(x, 1.0)) is Number
    y.sine().backward()
    assert x.grad == pytest.approx(math.exp(0.5) / 2 * math.cos(math.exp(0.5) / 2))

    class Sine(Value):
        def __init__(self, x):
            super().__init__(math.sin(x.data), (x,), "sin")
            self.x = x
            self._backward = self.hand_on

        def hand_on(self):
            self.x.grad += math.cos(self.x.data) * self.grad

    Sine(Sine(z := Value(0.5))).backward()
    assert z.grad == pytest.approx(math.cos(math.sin(0.5)) * math.cos(0.5))
    with pytest.raises(am.ArgumentError, match="defines _backward"):
        type("Broken", (Value,), {"_backward": print})


# -- what looks at graphs ----------------------------------------------------------------------------------------------


def program():
    """A graph with everything in it: labels, constants, an own operation, a dead branch."""
    x, w = Value(0.5, label="x"), Value(-2.0, label="w")
    y = own_sin(x * w + 1) * 2 + (x * w).relu()
    y.label = "y"
    return x, w, y


def test_a_trace_is_the_sweep_and_changes_nothing():
    """Every contribution of `backward()` is a step, those of own operations too, and no gradient is touched."""
    x, w, y = program()
    trace = debug.trace(y)
    assert [node.grad for node in trace.journal.order] == [0.0] * len(trace.journal.order)
    y.backward()
    last = len(trace.journal) - 1
    for node in topological_order(y):
        assert trace.journal.gradient(node, last) == node.grad
    (step,) = [step for step in trace.journal if step.node.op == "sin" and step.phase == "backward"]
    assert (step.upstream, step.local, step.contribution) == (2.0, math.cos(0.0), 2.0)
    assert (x.grad, w.grad) == (-4.0, 1.0)


def test_pictures_pages_and_explanations(tmp_path, capsys):
    """`draw`, `debug.page`, `debug.shell`, `wrong_order` and `explain` take such a graph."""
    x, w, y = program()
    y.backward()
    drawing = am.draw(y)
    assert (drawing.nodes, len(walked(y)[0])) == (11, 11)
    assert "<B>x</B>" in drawing.dot
    assert "sin" in drawing.dot
    assert "relu" in drawing.dot
    assert am.draw(y, after=3, focus=x).nodes
    assert "sin" in debug.page(y).html
    debug.shell(y, commands=["next", "next", "check", "tree", "grad", "quit"])
    assert "sin" in capsys.readouterr().out
    assert debug.wrong_order(y) is not None
    assert not am.explain(y, x)
    (finding,) = am.explain(own_sin(w) * (w - 2).relu(), w)
    assert finding.node is w
    assert (x.grad, w.grad) == (-4.0, 1.0)


def test_own_operations_in_explanations():
    """An infinite or vanishing own operation is named, with its place."""
    x = Value(0.0, label="x")
    with am.provenance():
        y = own(lambda a: math.inf, [lambda a: math.inf], "blow", x) * x
    assert "blow" in str(am.explain(y, x))
    tiny = own(lambda a: a, [lambda a: 1e-30], "shrink", x) + 1
    (finding,) = am.explain(tiny, x)
    assert (finding.kind, "shrink" in str(am.explain(tiny, x))) == ("vanishing", True)


def test_places_and_variables(tmp_path):
    """A program is run and drawn by the command line; its variables name the nodes, constants have none."""
    path = tmp_path / "program.py"
    path.write_text(
        "from autograd_mini.micrograd import Value\na = Value(2.0)\nb = a * 3 + 1\nc = b / a\nc.backward()\n"
    )
    c = graph_of(str(path))
    assert (c.data, c.origin.expression, graph_of(f"{path}:b").data) == (3.5, "b / a", 7.0)
    names = debug.trace(c)
    assert [names.label(node) for node in names.journal.order if names.name(node)] == ["a", "b", "c"]
    assert [node.data for node in names.journal.order if node.origin is None] == [3.0, 1.0]


def test_optimisers_of_the_package_take_these_parameters():
    """`optim` and `checked` work with them."""
    x = Value(1.0)
    optimizer = am.optim.SGD([x], lr=0.1)
    with am.checked():
        (x * x).backward()
    optimizer.step()
    assert x.data == pytest.approx(0.8)


# -- mixing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "p + m", "m + p", "p - m", "m - p", "p * m", "m * p", "p / m", "m / p", "p**m", "m**p", "p % m", "m // p",
        "am.maximum(p, m)", "am.hypot(m, p)", "am.dot([m, m], [p, p])", "am.sum([m, p])", "am.where(True, p, m)",
        "am.where(True, m, p)", "Value(2.0, (p,), 'op')", "am.cross_entropy([m, p], 0)",
        "am.grad(lambda x: x * m)(2.0)", "am.grad(lambda x: x * x)(m)", "am.jacobian(lambda x: [x, m])(2.0)",
        "am.hessian(lambda x: x * m)(2.0)", "am.vjp(lambda x: m * 1, 2.0)", "am.hvp(lambda x: x * m, (2.0,), (1.0,))",
        "am.jvp(lambda x: x * m, (2.0,), (1.0,))", "am.jvp(lambda x: x, (m,), (1.0,))",
    ],
)  # fmt: skip
def test_the_two_kinds_do_not_mix(text):
    """Nor do transforms take these Values: an error that names both, never a number."""
    with pytest.raises(am.OperandError, match=r"autograd_mini\.micrograd"):
        eval(text, {"p": am.Value(2.0, name="p"), "m": Value(3.0), "am": am, "Value": Value})


# -- copies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies_keep_everything(copied):
    """Numbers, gradients, labels, spellings, attributes, and what shares a node goes on sharing it."""
    x = Value(2.0, label="x")
    x.m = [1, 2]
    x.myself = x
    y = (x**3).tanh() + x.relu() + x / 4
    y._vis_color = "red"
    y.backward()
    other = copied([x, y])
    assert [type(v) for v in other] == [Value, Value]
    assert (other[0].m, other[0].label, other[0].grad) == ([1, 2], "x", x.grad)
    assert other[0].m is not x.m
    assert other[0].myself is other[0]
    assert other[1]._vis_color == "red"
    nodes, copies = ([*topological_order(root)] for root in (y, other[1]))
    assert [(v._op, v.data, v.grad) for v in copies] == [(v._op, v.data, v.grad) for v in nodes]
    leaf = next(v for v in copies if v.label == "x")
    leaf.grad = 0
    other[1].backward()
    assert leaf.grad == x.grad


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_own_operations_cannot_be_copied(copied):
    """Their `_backward` would add to the nodes it was written for, so that copies would have no gradients."""
    x = Value(1.0)
    with pytest.raises(am.ArgumentError, match="sin with a _backward of your own"):
        copied(own_sin(x) if copied is copy.copy else own_sin(x) * 2)
    with pytest.raises(am.ArgumentError, match=re.escape(f"{__file__}:")):  # not a place in the module copy
        copied(own_sin(x))
    cut = copy.deepcopy(Value(1.0, (x,), "cut"))
    assert (cut._op, cut._prev[0].data) == ("cut", 1.0)


def test_own_operations_are_not_compared_with_differences():
    """Only the program can compute them: `check` in the debugger says so, of each and of what passes one."""
    x = Value(1.0)
    z = x * 3
    y = own_sin(z)
    trace = debug.trace(y + z)
    ((_, local),) = differences.local(trace.journal, y)
    whole = differences.total(trace.journal, x)
    assert local.verdict == whole.verdict == "cannot be compared: only your program can compute sin"
    assert differences.total(trace.journal, y).verdict == "agrees"


def test_depth_does_not_matter():
    """A graph of any depth goes back, is copied, pickled, and freed; a chain of own operations too."""
    depth = effort(10_000, 100_000)
    x = Value(1.0)
    y = x
    for _ in range(depth):
        y = y * 1.0 + x
    y.backward()
    assert x.grad == depth + 1.0
    assert copy.deepcopy(y).data == pickle.loads(pickle.dumps(y)).data == y.data
    z = x
    for _ in range(depth // 2):
        z = own_sin(z)
    z.backward()
    known = weakref.ref(z._prev[0])
    del y, z
    gc.collect()
    assert known() is None


# -- networks ----------------------------------------------------------------------------------------------------------


def test_networks_are_those_of_nn_node_by_node():
    """The same seed gives the same weights and outputs; a neuron is micrograd's products, sums and one activation."""
    for activation in ("relu", "tanh"):
        plain = am.nn.MLP(3, [4, 2], activation=activation, seed=1)
        model = nn.MLP(3, [4, 2], activation=activation, seed=1)
        assert model.state_dict() == plain.state_dict()
        assert repr(model) == repr(plain)
        x = [0.5, -1.0, 2.0]
        assert [y.data for y in model(x)] == pytest.approx([y.data for y in plain(x)], rel=1e-12)
        am.sum(model(x)).backward()
        am.sum(plain(x)).backward()
        assert [p.grad for p in model.parameters()] == pytest.approx([p.grad for p in plain.parameters()], rel=1e-12)
        copied = pickle.loads(pickle.dumps(model))
        assert copied.state_dict() == model.state_dict()
        assert all(type(p) is Value for p in copied.parameters())
    neuron = nn.Neuron(2)
    nodes, _ = walked(neuron([Value(1.0), Value(-2.0)]))
    assert sorted(node._op for node in nodes) == ["", "", "", "", "", "*", "*", "+", "+", "ReLU"]
    assert neuron.parameters() == [*neuron.w, neuron.b]
    model.zero_grad()
    assert {p.grad for p in model.parameters()} == {0.0}
    assert am.draw(model([Value(1.0)] * 3)[0], depth=1).boxes


def test_weights_come_from_the_global_generator():
    """`random.seed` decides, in micrograd's order: the weights of each neuron, nothing for biases."""
    random.seed(1337)
    model = nn.MLP(2, [3, 1])
    random.seed(1337)
    assert [p.data for p in model.parameters() if p.data] == [random.uniform(-1, 1) for _ in range(9)]


def test_a_training_loop_that_keeps_its_state_on_parameters():
    """Adam as programs write it, with the moments as attributes, learns the sign of a product."""
    random.seed(3)
    model = nn.MLP(2, [8, 1])
    parameters = model.parameters()
    for p in parameters:
        p.m = p.v = 0.0
    samples = [((a, b), 1.0 if a * b > 0 else -1.0) for a in (-1.0, 1.0, 0.5) for b in (-1.0, 0.5, 1.0)]
    for t in range(1, 60):
        loss = sum((1 + -sign * model(list(map(Value, x)))).relu() for x, sign in samples) * (1.0 / len(samples))
        for p in parameters:
            p.grad = 0
        loss.backward()
        for p in parameters:
            p.m = 0.9 * p.m + 0.1 * p.grad
            p.v = 0.95 * p.v + 0.05 * p.grad**2
            p.data -= 0.1 * (p.m / (1 - 0.9**t)) / ((p.v / (1 - 0.95**t)) ** 0.5 + 1e-8)
    assert loss.data < 0.05
    assert json.loads(json.dumps(model.state_dict())) == model.state_dict()


# -- the plain Value ---------------------------------------------------------------------------------------------------


def test_the_plain_value_knows_labels():
    """`label` is another word for `name`; two names are an error, and so is one that is not text."""
    v = am.Value(2.0, label="a")
    assert (v.name, v.label) == ("a", "a")
    v.label = "b"
    assert v.name == "b"
    assert am.Value(2.0, "c").label == "c"
    assert am.Value(2.0).label is None
    with pytest.raises(am.ArgumentError, match="name='a' and label='b'"):
        am.Value(2.0, name="a", label="b")
    with pytest.raises(am.OperandError, match="is a string"):
        am.Value(2.0, name=5)
    assert (am.Value(2.0).relu()._op, am.Value(-2.0).relu()._op, (am.Value(1.0) + 2)._op) == ("ReLU", "ReLU", "+")


@pytest.mark.parametrize(
    "text",
    [
        "V(2.0, (v,), 'tanh')", "V(2.0, (v,))", "V(2.0, {v}, 'tanh')", "v._backward",
        "V(2.0, [], '')", "setattr(v, '_backward', print)", "setattr(v, 'm', 0)",
        "setattr(v, 'v', 0)", "setattr(v, '_vis_color', 'red')", "v.m", "type('Number', (V,), {})",
    ],
)  # fmt: skip
def test_the_plain_value_says_where_the_other_is(text):
    """Using a feature of micrograd's Value alone is an error that names the module to import."""
    v = am.Value(1.0)
    with pytest.raises((TypeError, AttributeError), match=r"autograd_mini\.micrograd"):
        eval(text, {"V": am.Value, "v": v})
    assert not hasattr(v, "_vis_color")


def test_help_for_equality_names_the_other():
    """`==` of the plain Value is numeric, so `in` cannot refuse: its docstring says what to do."""
    assert am.Value(2.0) in [am.Value(2.0)]
    assert "autograd_mini.micrograd" in am.Value.__eq__.__doc__
    assert "index" in am.Value.__eq__.__doc__
