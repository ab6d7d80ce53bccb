"""Numbers set by hand, against fresh recordings of the same program on these numbers."""

from __future__ import annotations

import contextlib
import itertools
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import adjoints, topological_order
from autograd_mini.debug.timeline.touched import Touched
from autograd_mini.errors import ArgumentError
from tests.effort import effort

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 5e-324, -1e-310, 1e300, math.inf, -math.inf, math.nan, 37.5, -750.0]
NUMBERS = st.sampled_from(SPECIAL) | st.floats(-3.0, 3.0)


def bits(number):
    """What two equal numbers share, also zeros and nan, but for the sign of a nan."""
    return "nan" if number != number else struct.pack("d", number)


def recorded(program, numbers, **options):
    """The leaves and the root of a program under provenance; the root is a leaf more if it returns a number."""
    with am.provenance(**options):
        leaves = [Value(number, name=f"x{i}") for i, number in enumerate(numbers)]
        root = program(*leaves)
        return leaves, root


def check(touched, leaves, program, numbers):
    """The trace shows what a fresh recording shows, or says why it may not; return whether it is the same."""
    trace = touched.trace
    fresh, root = recorded(program, numbers)
    values = {node: value for node, value in [(trace.root, root.data)] if bits(trace.value(node)) != bits(value)}
    gradients = adjoints(root)
    for old, new in zip(leaves, fresh, strict=True):
        shown = next((leaf for leaf in trace.leaves if touched.former(leaf) is old), None)
        if shown is None:
            continue
        found, wanted = trace.grad(shown, len(trace) - 1), gradients.get(new)
        wanted = wanted if isinstance(wanted, float) else None
        if bits(trace.value(shown)) != bits(new.data) or repr(found) != repr(wanted):
            values[shown] = wanted
    if not touched.doubts:
        assert values == {}, (numbers, values)
        here, there = ([*topological_order(node, everything=True)] for node in (trace.root, root))
        assert [node.op for node in here] == [node.op for node in there]
        assert [[*map(repr, node.partials)] for node in here] == [[*map(repr, node.partials)] for node in there]
    return not values


def set_all(touched, leaves, numbers):
    """Set each leaf that the graph has."""
    for old, number in zip(leaves, numbers, strict=True):
        shown = next((leaf for leaf in touched.trace.leaves if touched.former(leaf) is old), None)
        if shown is not None:
            touched.set(shown, number)


# -- one operation, one composition ------------------------------------------------------------------------------------

ROWS = [row for row in TABLE.values() if row.is_public and row.arity is not None]
COMPOSITIONS = {
    "relu": am.relu, "leaky_relu": am.leaky_relu, "elu": am.elu, "selu": am.selu, "gelu": am.gelu, "silu": am.silu,
    "tanh": am.tanh, "sigmoid": am.sigmoid, "softplus": am.softplus, "softsign": am.softsign,
    "log_sigmoid": am.log_sigmoid, "hard_tanh": am.hard_tanh,
    "clip": lambda x: am.clip(x, -0.5, 1.0), "round": round, "square": lambda x: x**2,
    "steep leaky_relu": lambda x: am.leaky_relu(x, slope=0.5), "elu of alpha": lambda x: am.elu(x, 3.0),
    "reciprocal": lambda x: 1.0 / x, "halved": lambda x: x / 2.0,
}  # fmt: skip


def _iterated(function):
    return lambda x, y, z: am.sum(function(v for v in (x, y, z)))


LISTS = {
    "softmax": lambda x, y, z: am.dot(am.softmax([x, y, z]), [1.0, 2.0, 4.0]),
    "softmax of two": lambda x, y, z: am.softmax([x, y])[1] * z,
    "softmax of shared": lambda x, y, z: am.softmax([x, y, x, 0.5])[2] * z,
    "log_softmax": lambda x, y, z: am.log_softmax((x, y, z))[0] + am.log_softmax([x, y])[1],
    "softmax of a generator": _iterated(am.softmax),
    "logsumexp": lambda x, y, z: am.logsumexp([x, y, z]) + am.logaddexp(x, y),
    "cross_entropy": lambda x, y, z: am.cross_entropy([x, y * 2.0, z], 1),
    "binary_cross_entropy": lambda x, y, z: am.binary_cross_entropy(x, 1.0) + am.binary_cross_entropy([y, z], [0, 0.5]),
    "huber": lambda x, y, z: am.huber([x, y], [0.5, z]) + am.huber(x, 1.0, delta=0.25),
    "hinge": lambda x, y, z: am.hinge([x, y, z], [1, -1, 1]),
    "mae, mse": lambda x, y, z: am.mae([x, y], [z, 0.0]) + am.mse([x, y], [1.0, z]),
    "maximum": lambda x, y, z: am.maximum(x, y, z) + am.minimum(x, y) * am.maximum(z, 0.0),
    "norm, mean, hypot": lambda x, y, z: am.norm([x, y, z]) + am.mean([x, y]) * am.hypot(y, z),
    "where": lambda x, y, z: am.where(x > y, x * z, am.where(z <= 0.0, y, am.exp(y))),
    "stop_gradient": lambda x, y, z: x * am.stop_gradient(y) + z,
    "nested": lambda x, y, z: am.tanh(am.softmax([am.relu(x), am.sigmoid(y), z])[0] * 3.0 - am.elu(x)),
    "a scope": lambda x, y, z: _scoped(x, y) + z,
}  # fmt: skip


@am.composite
def _scoped(x, y):
    with am.scope("inner"):
        return am.tanh(x * y) + am.relu(y)


@settings(max_examples=effort(2, 200), deadline=None)
@given(first=NUMBERS, second=NUMBERS, third=NUMBERS)
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_a_function_takes_the_form_for_the_new_number(name, first, second, third):
    """Values, gradients and nodes are those of a fresh recording, to the bit; also at a second set."""

    def program(x):
        return COMPOSITIONS[name](x * 1.5) * x

    leaves, root = recorded(program, [first])
    touched = Touched(debug.trace(root))
    for number in (second, third, third, first):
        set_all(touched, leaves, [number])
        check(touched, leaves, program, [number])


@settings(max_examples=effort(2, 100), deadline=None)
@given(first=st.lists(NUMBERS, min_size=3, max_size=3), second=st.lists(NUMBERS, min_size=3, max_size=3))
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_operation_is_recorded_again(row, first, second):
    """Each row of the table, at special numbers too; only a condition that is a number may be told instead."""

    def program(x, y, z):
        return getattr(am, row.name)(*(x, y, z)[: row.arity]) * 1.0 + x * y

    leaves, root = recorded(program, first)
    touched = Touched(debug.trace(root))
    set_all(touched, leaves, second)
    assert check(touched, leaves, program, second) or row.arity is None or row.name == "where"


@settings(max_examples=effort(3, 300), deadline=None)
@given(first=st.lists(NUMBERS, min_size=3, max_size=3), second=st.lists(NUMBERS, min_size=3, max_size=3))
@pytest.mark.parametrize("name", LISTS)
def test_functions_of_lists_too(name, first, second):
    """Softmax finds its largest element again; arms that were not taken are taken."""
    program = LISTS[name]
    leaves, root = recorded(program, first, calls=True)
    touched = Touched(debug.trace(root))
    set_all(touched, leaves, second)
    check(touched, leaves, program, second)
    set_all(touched, leaves, first)
    check(touched, leaves, program, first)


@pytest.mark.parametrize("name", [*COMPOSITIONS, *LISTS])
def test_ordinary_numbers_leave_no_doubt(name):
    """Whatever form was recorded: there is nothing to say between ordinary numbers."""
    program = LISTS.get(name) or (lambda x, y, z: COMPOSITIONS[name](x * y) + z)
    for first in ([0.25, -2.0, 3.0], [2.0, 0.5, -1.0]):
        leaves, root = recorded(program, first)
        for second in ([-3.0, 1.5, 0.75], [0.1, 0.2, 0.3], [1.0, 1.0, 1.0], [0.0, -1.0, 0.0], [5.0, 4.0, -6.0]):
            touched = Touched(debug.trace(root))
            set_all(touched, leaves, second)
            assert check(touched, leaves, program, second)
            assert touched.doubts == []


def test_lists_that_change_later():
    """A call keeps what it was made with, whatever the program does with its list, and however it passed it."""

    def program(x, y, z):
        logits, more = [x, y], [y, z]
        a, b = am.softmax(logits), am.cross_entropy(logits=more, target=1)
        logits[:], more[0] = [z, z], x
        return a[0] * b + z

    leaves, root = recorded(program, [1.0, 2.0, 3.0])
    touched = Touched(debug.trace(root))
    set_all(touched, leaves, [-1.0, 3.0, 0.5])
    assert check(touched, leaves, program, [-1.0, 3.0, 0.5])
    assert touched.doubts == []


def test_arrays():
    """NumPy's arrays are lists of their elements, with the numbers of then; functions get them as they are."""
    numpy = pytest.importorskip("numpy")

    def program(x, y, z):
        logits, weights = numpy.array([x, y, z]) * 2.0, numpy.array([0.5, 1.0, 0.25], dtype="float32")
        loss = am.cross_entropy(logits, weights) + am.softmax(logits)[1] + am.tanh(logits[:2])[0]
        logits[:], weights[:] = z, 0.0
        return loss

    leaves, root = recorded(program, [1.0, 2.0, 3.0])
    touched = Touched(debug.trace(root))
    set_all(touched, leaves, [-1.0, 3.0, 0.5])
    assert check(touched, leaves, program, [-1.0, 3.0, 0.5])
    assert touched.doubts == []
    with am.provenance(), pytest.raises(am.OperandError, match="Masks are not supported"):
        am.softmax(numpy.ma.array([1.0, 2.0], mask=[True, False]))


DERIVATIVES = {
    "relu": lambda x, y: am.grad(am.relu)(x) * y * x,
    "value and relu": lambda x, y: am.value_and_grad(am.relu)(x)[1] * x + y,
    "maximum": lambda x, y: am.grad(lambda z: am.maximum(z, y) * z)(0.5) * x * y,
    "abs": lambda x, y: am.grad(abs)(x) * y * x,
    "clip": lambda x, y: am.grad(lambda z: am.clip(z, -1.0, 1.0))(x) * y + x,
    "elu": lambda x, y: am.grad(am.elu)(x) * y + x,
    "hypot": lambda x, y: am.grad(lambda z: am.hypot(z, y))(x) * x,
    "tanh": lambda x, y: am.grad(am.tanh)(x) * y + x,
    "softmax": lambda x, y: am.grad(lambda z: am.softmax([z, x])[0])(0.5) * x + y,
    "jvp": lambda x, y: am.jvp(am.relu, (x,), (1.0,))[1] * y + x,
    "hessian": lambda x, y: am.hessian(lambda z: am.relu(z) ** 3)(x) * y + x,
    "where": lambda x, y: am.grad(lambda z: am.where(z > y, z * z, z))(x) * y * x,
    "product": lambda x, y: am.grad(lambda z: z * z * y + am.exp(z))(x) * y,
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_derivative_inside_is_the_same_or_told(name):
    """Its edges depend on numbers without any comparison; where they never do, nothing is said."""
    program = DERIVATIVES[name]
    doubts = 0
    for first, second in itertools.product(itertools.product([-1.3, 0.2, 0.7], [-2.0, 0.4]), repeat=2):
        leaves, root = recorded(program, first)
        touched = Touched(debug.trace(root))  # a leaf that is not in the graph cannot be set
        numbers = [b if x in touched.trace.leaves else a for x, a, b in zip(leaves, first, second, strict=True)]
        set_all(touched, leaves, numbers)
        check(touched, leaves, program, numbers)
        doubts += bool(touched.doubts)
    assert bool(doubts) is (name != "product")


# -- random programs ---------------------------------------------------------------------------------------------------

UNARY = [
    am.relu,
    am.tanh,
    am.sigmoid,
    am.exp,
    am.sin,
    abs,
    am.elu,
    am.gelu,
    am.floor,
    am.sqrt,
    lambda x: -x,
    am.softplus,
]
BINARY = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b, am.maximum, am.minimum, am.hypot,
    lambda a, b: am.softmax([a, b])[0], lambda a, b: am.where(a > b, a, b * 2.0), lambda a, b: a**b,
    lambda a, b: am.logsumexp([a, b, 0.5]), lambda a, b: am.cross_entropy([a, b], 0),
]  # fmt: skip
DECIDING = [
    lambda a, b: a * b if a > 0.5 else b, lambda a, b: max(a, b), lambda a, b: a if a else b, math.trunc,
    lambda a, b: sorted([a, b])[0] * 1.0, lambda a, b: b * 2.0 if a == b else a, lambda a, b: min(a, 1.0) * b,
    lambda a, b: am.grad(am.relu)(a) * b, lambda a, b: am.grad(lambda x: am.maximum(x, b) * x)(a), round,
    lambda a, b: am.grad(lambda x: am.softmax([x, b])[1])(a) * a, lambda a, b: am.jvp(am.elu, (a,), (1.0,))[1] * b,
    lambda a, b: am.grad(lambda x: x * x * am.exp(b))(a), lambda a, b: am.where(a > b, am.elu(a), b) * 1.0,
]  # fmt: skip


@st.composite
def programs(draw, deciding):
    """A program of three numbers: operations on any earlier results, and which result it returns."""
    lines = draw(st.lists(st.tuples(
        st.sampled_from([*UNARY, *BINARY, *DECIDING * deciding]), st.integers(0, 20), st.integers(0, 20),
    ), min_size=1, max_size=8))  # fmt: skip

    def program(*numbers):
        found = [*numbers]
        for function, i, j in lines:
            a, b = found[-1 - i % len(found)], found[-1 - j % len(found)]
            found.append(function(a) if function in (*UNARY, math.trunc, round) else function(a, b))
        return found[-1] + found[-1 - lines[0][1] % len(found)] * 0.25

    return program


@settings(max_examples=effort(20, 5000), deadline=None)
@given(program=programs(deciding=False), data=st.data())
def test_random_programs(program, data):
    """Random programs agree set after set, to the bit, or the trace says why not."""
    lists = st.lists(NUMBERS, min_size=3, max_size=3)
    first = data.draw(lists)
    leaves, root = recorded(program, first)
    touched = Touched(debug.trace(root, seed=data.draw(st.sampled_from([1.0, 1.0]))))
    for _ in range(2):
        second = data.draw(lists)
        set_all(touched, leaves, second)
        check(touched, leaves, program, second)
    touched.reset()
    assert touched.trace is touched.program
    assert touched.doubts == []


@settings(max_examples=effort(20, 5000), deadline=None)
@given(program=programs(deciding=True), data=st.data())
def test_random_programs_that_decide(program, data):
    """A choice that the program would not make is reported, or it makes no difference."""
    lists = st.lists(NUMBERS, min_size=3, max_size=3)
    leaves, root = recorded(program, data.draw(lists))
    second = data.draw(lists)
    touched = Touched(debug.trace(root))
    shown = [leaf for leaf in touched.trace.leaves if leaf in leaves]
    if len(shown) == 3:  # a leaf that the graph lacks cannot be set, and has its number
        set_all(touched, leaves, second)
        check(touched, leaves, program, second)


# -- special graphs ----------------------------------------------------------------------------------------------------


def network(x, w, v):
    a = am.softmax([w * x, v * x])
    return -am.log(a[1]) + am.relu(v) * x


def test_what_was_recorded_does_not_change():
    """Neither the numbers, gradients, names nor notes of the old graph; the new one shares no node with it."""
    leaves, root = recorded(network, [2.0, 0.5, -1.0])
    root.backward()
    order = topological_order(root, everything=True)

    def state():
        return [(node.data, node.grad, node.name, node.operands, node.partials, node._notes) for node in order]

    before, touched = state(), Touched(debug.trace(root))
    touched.set(leaves[1], -3.0)
    assert not {*touched.trace.journal.order} & {*order}
    assert [made.grad for made in touched.trace.journal.order] == [0.0] * len(touched.trace.journal.order)
    assert [*map(repr, state())] == [*map(repr, before)]
    assert {*map(touched.former, touched.trace.leaves)} == {*touched.program.leaves}
    assert all(node.origin is touched.former(node).origin for node in touched.trace.leaves)


def test_sets_add_up_and_go_back():
    """One leaf after the other, one back, all back; the same number changes nothing."""
    leaves, root = recorded(network, [2.0, 0.5, -1.0])
    trace = debug.trace(root)
    touched = Touched(trace)
    for i, number in ((0, 3.0), (2, 0.25), (0, 3.0), (1, 0.5)):
        set_all(touched, leaves[i : i + 1], [number])
    assert check(touched, leaves, network, [3.0, 0.5, 0.25])
    again = touched.trace.nodes("x0")[0]
    assert touched.trace.remark(again) == "set by hand: 2 in the program"
    touched.set(again, None)
    assert check(touched, leaves, network, [2.0, 0.5, 0.25])
    touched.reset()
    assert touched.trace is trace
    assert [*map(trace.remark, trace.leaves)] == [""] * 3
    with pytest.raises(ArgumentError, match="x0 has its own number"):
        touched.set(leaves[0], None)
    change = touched.set(leaves[1], 0.5)
    assert (change.before, change.after, change.result_before) == (0.5, 0.5, change.result_after)


def test_a_change_says_what_the_gradient_says():
    """The difference of the result, beside the slope before; a nudge changes nothing."""
    leaves, root = recorded(network, [2.0, 0.5, -1.0])
    touched = Touched(debug.trace(root, seed=-3.0))
    nudge, doubts = touched.nudged(leaves[1], 1e-6)
    assert doubts == []
    assert touched.trace is touched.program
    slope = adjoints(root)[leaves[1]]
    assert nudge.slope == slope
    assert (nudge.result_after - nudge.result_before) / 1e-6 == pytest.approx(slope, rel=1e-4)
    change = touched.set(leaves[1], 0.7)
    assert change.result_after == network(*map(Value, (2.0, 0.7, -1.0))).data
    (w,) = touched.trace.nodes("x1")
    assert touched.trace.grad(w, len(touched.trace) - 1) == pytest.approx(-3.0 * adjoints(touched.trace.root)[w])


@pytest.mark.parametrize(("at", "step"), [
    (0.5, 0.01), (0.0, 0.01), (-7.0, 0.01), (20.0, 0.1), (-3e6, 1e4), (0.05, 1e-4), (math.inf, 0.01), (math.nan, 0.01),
])  # fmt: skip
def test_a_nudge_fits_the_size_of_the_number(at, step):
    """A hundredth for ordinary numbers, a percent or less of the digit for others."""
    x = Value(at, name="x")
    change, _ = Touched(debug.trace(x * 1.0)).nudged(x)
    assert repr(change.after) == repr(at + step)


def test_a_leaf_that_is_used_twice_or_not_at_all():
    """A leaf is set wherever it is used; one behind a dead branch has its number; one outside is refused."""
    with am.provenance():
        x, y, z = Value(2.0, name="x"), Value(3.0, name="y"), Value(5.0, name="z")
        root = am.where(x > 0.0, x * x + x, y * 4.0)
    touched = Touched(debug.trace(root))
    touched.set(x, 1.5)
    assert touched.trace.value(touched.trace.root) == 3.75
    touched.set(touched.trace.nodes("y")[0], 7.0)
    assert touched.trace.value(touched.trace.root) == 3.75
    assert touched.trace.grad(touched.trace.nodes("y")[0], len(touched.trace) - 1) is None
    touched.set(touched.trace.nodes("x")[0], -1.0)
    assert touched.trace.value(touched.trace.root) == 28.0
    assert touched.trace.grad(touched.trace.nodes("y")[0], len(touched.trace) - 1) == 4.0
    for node, why in ((z, "is not in the graph"), (touched.trace.root, "is computed")):
        with pytest.raises(ArgumentError, match=why):
            touched.set(node, 1.0)
    lone = Touched(debug.trace(z))
    lone.set(z, 1.0)
    assert lone.trace.value(lone.trace.root) == 1.0


def test_the_place_in_time_stays():
    """At every step: the same node hands on to the same operand, and at the ends of time, the ends."""
    leaves, root = recorded(network, [2.0, 0.5, -1.0])
    trace = debug.trace(root)
    for position in range(len(trace)):
        touched = Touched(trace)
        step = trace.seek(position)
        touched.set(leaves[1], 0.7)
        now = touched.trace.step
        names = [(s.index, s.phase, t.label(s.node), s.operand and t.label(s.operand))
                 for s, t in ((step, trace), (now, touched.trace))]  # fmt: skip
        assert names[0] == names[1]
        touched.set(touched.trace.nodes("x2")[0], 1.0)  # another branch, another largest element
        assert touched.trace.position == len(touched.trace) - 1 or position < len(trace) - 1
        assert (touched.trace.position <= touched.trace.start) == (position <= trace.start)
        touched.reset()
        assert (touched.trace is trace, trace.step.phase) == (True, step.phase)


def test_breakpoints_watches_and_passed_scopes_stay():
    """They are those of the session, whatever the numbers are."""
    leaves, root = recorded(network, [2.0, 0.5, -1.0], calls=True)
    trace = debug.trace(root)
    trace.seek(trace.start)
    trace.break_at(op="mul", condition="x1.grad > 0")
    trace.watches.append(trace.now.read("x1 * 2"))
    while trace.passed is None:
        trace.over()
    touched = Touched(trace)
    touched.set(leaves[1], 0.7)
    now = touched.trace
    assert (now.passed.name, now.position) == ("softmax", trace.position)
    assert [(str(b), b.nodes) for b in now.breakpoints] == [("op mul, if x1.grad > 0", {*now.breakpoints[0].nodes})]
    assert {*now.breakpoints[0].nodes} <= {*now.journal.order}
    assert now.watches[0](now.now) == 1.4
    touched.reset()
    assert len(trace.breakpoints) == 1


def test_a_gradient_set_by_hand_is_forgotten():
    """Numbers that were set begin a sweep of their own."""
    leaves, root = recorded(network, [2.0, 0.5, -1.0])
    trace = debug.trace(root)
    trace.seek(trace.start)
    trace.what_if(root.operands[0], 7.0)
    touched = Touched(trace)
    touched.set(leaves[1], 0.7)
    assert touched.trace.journal.changes == ()
    touched.reset()
    assert len(trace) > trace.position


def test_what_is_behind_a_cut_is_told():
    """A number from `no_grad` or `detach` does not follow, and the trace says so."""
    with am.provenance():
        x = Value(2.0, name="x")
        with am.no_grad():
            scale = x * 3.0
        root = x * scale
    touched = Touched(debug.trace(root))
    touched.set(x, 3.0)
    (doubt,) = touched.doubts
    assert "scale keeps its number" in doubt.text
    assert doubt.site.line


def test_a_python_if_is_told():
    """With its place, what it compares and which way it goes now; max and truth count too."""
    with am.provenance():
        x, y = Value(2.0, name="x"), Value(1.0, name="y")
        root = (x * 2.0 if x > y else y) + max(y, 0.5)
    touched = Touched(debug.trace(root))
    touched.set(x, 1.5)
    assert touched.doubts == []
    touched.set(touched.trace.nodes("x")[0], -1.5)
    (doubt,) = touched.doubts
    assert doubt.text == "x > y is False now, not True"
    touched.set(touched.trace.nodes("y")[0], 0.25)
    assert [doubt.text for doubt in touched.doubts] == [doubt.text, "max(y, 0.5) is True now, not False"]


def test_an_old_comparison_is_not_this_graphs():
    """In training a leaf is compared in every step, with the numbers of then."""
    w = Value(1.0, name="w")
    with am.provenance():
        for _ in range(3):
            loss = am.tanh(w * 0.5) if w > -5.0 else w * 1.0
            w.data -= 1.0
    with am.provenance():
        loss = am.tanh(w * 0.5) if w > -5.0 else w * 1.0
    touched = Touched(debug.trace(loss))
    touched.set(w, -4.0)
    assert touched.doubts == []


def test_what_cannot_be_computed_again_is_refused():
    """An operation of the user's own for micrograd, and numbers that were written since; what can be, is."""
    from autograd_mini import micrograd

    x = micrograd.Value(3.0, label="x")
    cube = micrograd.Value(x.data**3, (x,), "cube")
    cube._backward = lambda: None
    with pytest.raises(ArgumentError, match="cannot be computed with other numbers"):
        Touched(debug.trace(cube + x)).set(x, 2.0)
    plain = Touched(debug.trace(x * x - x))
    plain.set(x, 5.0)
    assert plain.trace.value(plain.trace.root) == 20.0
    y = Value(3.0, name="y")
    root = am.exp(y)
    y.data = 1.0
    with pytest.raises(ArgumentError, match="written since"):
        Touched(debug.trace(root)).set(y, 2.0)
    z = Value(3.0, name="z")
    root = z * z
    z.data = 1.0  # a product remembers its factors
    touched = Touched(debug.trace(root))
    touched.set(z, 2.0)
    assert touched.trace.value(touched.trace.root) == 4.0
    assert "without provenance" in touched.doubts[0].text


def test_operations_of_the_user():
    """A row that the user added is a row like the others."""

    @am.primitive(rule=lambda y, x: (2.0 * x,))
    def own_square(x):
        return x * x

    del TABLE["own_square"]  # for good: monkeypatch would put it back at the end
    x = Value(3.0, name="x")
    touched = Touched(debug.trace(own_square(x) * x))
    touched.set(x, 2.0)
    (leaf,) = touched.trace.leaves
    assert (touched.trace.value(touched.trace.root), touched.trace.grad(leaf, len(touched.trace) - 1)) == (8.0, 12.0)


def test_a_checked_graph():
    """Kinks and their flat slopes come out as they were recorded."""

    def program(x, y, z):
        with am.checked():
            return am.relu(x) * y + abs(z)

    for first, second in (([0.0, 1.0, 0.0], [2.0, 3.0, -1.0]), ([1.0, 1.0, 1.0], [0.0, 1.0, 0.0])):
        leaves, root = recorded(program, first)
        with contextlib.suppress(ArgumentError), am.checked():
            touched = Touched(debug.trace(root))
            set_all(touched, leaves, second)
            assert check(touched, leaves, program, second) or touched.doubts
