"""Random graphs against an independent evaluator, forward-mode dual numbers, written here from textbook rules; then
copies and pickles of them.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import math
import pickle
import random
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, nn
from autograd_mini.core import copies
from autograd_mini.core.sweep import sweep, topological_order
from tests.effort import effort

# Numbers that uniform random ones never hit: kinks, ties, signed zeros, the smallest and the largest.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 5e-324, -1e-308, 1e150, -1e300, math.inf, -math.inf, math.nan]
ordinary = st.floats(-3.0, 3.0)
anything = st.one_of(ordinary, st.sampled_from(SPECIAL))


class Dual:
    """value + slope * ε with ε² = 0; a slope of None is a structural zero."""

    def __init__(self, value, slope=None):
        self.value, self.slope = value, slope


def combined(value, *parts):
    """A dual number from (local derivative, slope) pairs; pairs without a slope or without an edge do not count."""
    products = [local * slope for local, slope in parts if slope is not None and local is not None]
    return Dual(value, sum(products[1:], products[0]) if products else None)


def quotient(a, b):
    if b != 0.0:
        return a / b
    return math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def exponential(x):
    return math.inf if x > 709.78 else math.exp(x)


def largest(a, b):
    value = a.value if math.isnan(a.value) or a.value >= b.value else b.value
    if math.isnan(value):
        shares = math.nan, math.nan
    elif a.value == b.value:
        shares = 0.5, 0.5
    else:
        shares = (1.0, None) if value == a.value else (None, 1.0)
    return combined(value, (shares[0], a.slope), (shares[1], b.slope))


def chosen(a, b):
    taken = a if a.value > 0.0 else b
    return combined(taken.value, (1.0, taken.slope))


OPERATIONS = {  # name: (on Values, on duals)
    "add": (lambda a, b: a + b, lambda a, b: combined(a.value + b.value, (1.0, a.slope), (1.0, b.slope))),
    "sub": (lambda a, b: a - b, lambda a, b: combined(a.value - b.value, (1.0, a.slope), (-1.0, b.slope))),
    "mul": (lambda a, b: a * b, lambda a, b: combined(a.value * b.value, (b.value, a.slope), (a.value, b.slope))),
    "div": (
        lambda a, b: a / b if isinstance(a, Value) or isinstance(b, Value) else quotient(a, b),
        lambda a, b: combined(
            quotient(a.value, b.value),
            (quotient(1.0, b.value), a.slope),
            (-quotient(quotient(a.value, b.value), b.value), b.slope),
        ),
    ),
    "exp": (lambda a, b: am.exp(a), lambda a, b: combined(exponential(a.value), (exponential(a.value), a.slope))),
    "max": (am.maximum, largest),
    "where": (lambda a, b: am.where(a > 0.0, a, b), chosen),
    "dot": (
        lambda a, b: am.dot([a, b, 2.0], [b, a, a]),
        lambda a, b: combined(
            a.value * b.value + b.value * a.value + 2.0 * a.value,
            (b.value, a.slope), (a.value, b.slope), (b.value, a.slope), (a.value, b.slope), (2.0, a.slope),
        ),
    ),
}  # fmt: skip

steps = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=25
)


def build(inputs, program, which):
    """All nodes of a program: leaves, constants, operations on whatever came before (reuse, diamonds, dead ends)."""
    nodes = list(inputs)
    for name, i, j in program:
        nodes.append(OPERATIONS[name][which](nodes[i % len(nodes)], nodes[j % len(nodes)]))
    return nodes


def agree(a, b, tolerance):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= tolerance


@settings(max_examples=effort(100, 2000))
@given(st.lists(ordinary, min_size=1, max_size=4), st.lists(ordinary, max_size=2), steps)
def test_gradients_of_random_graphs(numbers, constants, program):
    """Reverse mode agrees with forward mode, input by input, on graphs with reuse, constants and dead inputs."""
    leaves = [Value(number) for number in numbers]
    result = build(leaves + constants, program, 0)[-1]
    if type(result) is not Value:
        return  # computed from constants alone
    result.backward()
    for i, leaf in enumerate(leaves):
        duals = [Dual(number, 1.0 if i == j else None) for j, number in enumerate(numbers)]
        truth = build(duals + [Dual(c) for c in constants], program, 1)[-1]
        assert agree(result.data, truth.value, 0.0)
        slope = truth.slope or 0.0
        # The order of additions differs between the modes; with cancellation that shows relative to the largest term.
        sizes = [
            abs(n.grad * m)
            for n in topological_order(result)
            for m in (1.0, *(p for p in n.partials if p is not am.ZERO))
        ]
        if math.isfinite(slope) and all(map(math.isfinite, sizes)):
            assert agree(leaf.grad, slope, 1e-12 * max([abs(slope), *sizes]))


@settings(max_examples=effort(100, 2000))
@given(anything, anything, st.sampled_from(sorted(OPERATIONS)))
def test_single_operations_at_special_numbers(x, y, name):
    """One operation at kinks, ties, infinities, nan: values and slopes to the bit, structural zeros in place."""
    a, b = Value(x), Value(y)
    result = OPERATIONS[name][0](a, b)
    result.backward()
    for leaf, duals in ((a, (Dual(x, 1.0), Dual(y))), (b, (Dual(x), Dual(y, 1.0)))):
        truth = OPERATIONS[name][1](*duals)
        assert agree(result.data, truth.value, 0.0)
        assert agree(leaf.grad, truth.slope or 0.0, 1e-15 * abs(truth.slope or 0.0))


@settings(max_examples=effort(60, 1000))
@given(st.lists(ordinary, min_size=1, max_size=4), steps, st.sampled_from([0.0, 0.5, -2.0, 1024.0]))
def test_linearity_in_the_seed(numbers, program, seed):
    """A seed that is a power of two, or zero, scales every gradient without a rounding error."""
    once, scaled = ([Value(number) for number in numbers] for _ in range(2))
    a, b = build(once, program, 0)[-1], build(scaled, program, 0)[-1]
    a.backward()
    b.backward(seed)
    for x, y in zip(once, scaled, strict=True):
        if all(1e-200 < abs(g) < 1e200 for g in (n.grad for n in topological_order(a))):
            assert agree(y.grad, seed * x.grad, 0.0)


@settings(max_examples=effort(60, 1000))
@given(st.lists(ordinary, min_size=1, max_size=4), steps, st.randoms(use_true_random=False))
def test_order_of_construction_keeps_the_bits(numbers, program, shuffle):
    """The same graph, its nodes made in another order, has the same gradients to the bit."""

    def gradients(order):
        nodes = {i: Value(number) for i, number in enumerate(numbers)}
        n = len(numbers)
        for k in order:
            name, i, j = program[k]
            nodes[n + k] = OPERATIONS[name][0](nodes[i % (n + k)], nodes[j % (n + k)])
        nodes[n + len(program) - 1].backward()
        return [nodes[i].grad.hex() for i in range(n)]

    n = len(numbers)
    waiting = list(range(len(program)))
    order, done = [], set(range(n))
    while waiting:
        ready = [k for k in waiting if {program[k][1] % (n + k), program[k][2] % (n + k)} <= done]
        k = shuffle.choice(ready)
        waiting.remove(k)
        order.append(k)
        done.add(n + k)
    assert gradients(order) == gradients(range(len(program)))


@settings(max_examples=effort(40, 300))
@given(st.lists(ordinary, min_size=1, max_size=4), steps)
def test_the_sweep_visits_results_before_operands(numbers, program):
    """Every node comes once, after everything that uses it, with the adjoint that backward() writes."""
    leaves = [Value(number) for number in numbers]
    root = build(leaves, program, 0)[-1]
    visited = list(sweep(root, 1.0, topological_order(root)))
    place = {node: i for i, (node, _) in enumerate(visited)}
    assert len(place) == len(visited)
    for node, _ in visited:
        for operand, partial in zip(node.operands, node.partials, strict=True):
            assert partial is am.ZERO or place[operand] > place[node]
    root.backward()
    assert all(agree(node.grad, adjoint, 0.0) for node, adjoint in visited)
    everything = topological_order(root, everything=True)
    assert set(place) <= set(everything)


def test_wide_and_deep():
    """A sum of 100,000 operands, shared by a chain of 100,000 operations: linear time, no recursion."""
    xs = [Value(1.0) for _ in range(100_000)]
    y = total = am.sum(xs)
    for _ in range(50_000):
        y = y + total * 1e-9
    y.backward()
    assert xs[0].grad == xs[-1].grad
    assert abs(xs[0].grad - (1.0 + 5e-5)) < 1e-12


def test_exponentially_many_paths():
    """60 nodes with 2**60 paths take the time of 60 nodes."""
    generator = random.Random(0)
    x = Value(1.0)
    y = x
    for _ in range(60):
        y = y + y if generator.random() < 0.5 else am.dot([y], [2.0])
    y.backward()
    assert x.grad == 2.0**60


# -- copies and pickles ------------------------------------------------------------------------------------------------


def python_pickle(thing, protocol=None):
    """The pickler of the standard library that is written in Python: it recurses on Python's own stack."""
    return pickle._dumps(thing, protocol)


COPIES = {
    "deepcopy": copy.deepcopy,
    **{f"C, {p}": lambda x, p=p: pickle.loads(pickle.dumps(x, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    **{f"Python, {p}": lambda x, p=p: pickle.loads(python_pickle(x, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
}
each_copy = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)


def same_graph(roots, copies):
    """Whether two lists of nodes are two graphs of one shape: each node has one partner, with the same state."""
    partner = {}
    pairs = list(zip(roots, copies, strict=True))
    while pairs:
        a, b = pairs.pop()
        if type(a) is not Value:
            assert repr(a) == repr(b)
        elif a in partner:
            assert partner[a] is b
        else:
            partner[a] = b
            assert a is not b
            assert repr((a.op, a.data, a._grad, a.name, a.partials)) == repr(
                (b.op, b.data, b._grad, b.name, b.partials)
            )
            assert (a.scope is None) == (b.scope is None)
            pairs += zip(a.operands, b.operands, strict=True)
    assert len(set(map(id, partner.values()))) == len(partner)


def recurrent(steps):
    """The hidden states of a network with two neurons, which share history and parameters."""
    u, v = Value(0.5, name="u"), Value(-0.25, name="v")
    states = [(Value(1.0), Value(0.5))]
    for _ in range(steps):
        a, b = states[-1]
        states.append((am.tanh(am.dot([a, b], [u, v])), am.sigmoid(a * v + b)))
    return states


@settings(max_examples=effort(15, 100))
@given(st.lists(ordinary, min_size=1, max_size=3), steps, st.randoms(use_true_random=False))
def test_copies_of_random_graphs(numbers, program, shuffle):
    """Any selection of nodes in any order, some twice, comes back as the same graph, with its gradients."""
    nodes = [n for n in build([Value(x, name=f"x{i}") for i, x in enumerate(numbers)], program, 0) if type(n) is Value]
    nodes[-1].backward()
    chosen = shuffle.choices(nodes, k=len(nodes))
    for duplicate in COPIES.values():
        same_graph(chosen, duplicate(chosen))


@each_copy
def test_shared_history_stays_shared(duplicate):
    """Hidden states, a model that holds some, and dicts of them are one graph afterwards too."""
    states = recurrent(50)
    model = nn.MLP(2, [3, 1], seed=0)
    model.last = model(states[-1])
    everything = [states, {"last": states[-1], "loss": model.last**2}, model]
    again = duplicate(everything)
    flat = [x for pair in states for x in pair] + [everything[1]["loss"], *model.parameters(), model.last]
    same_graph(flat, [x for pair in again[0] for x in pair] + [again[1]["loss"], *again[2].parameters(), again[2].last])
    again[1]["loss"].backward()
    everything[1]["loss"].backward()
    assert [p.grad for p in again[2].parameters()] == [p.grad for p in model.parameters()]


@pytest.mark.parametrize("dumps", [pickle.dumps, python_pickle])
def test_pickles_are_linear(dumps, monkeypatch):
    """Twice as many states take twice as many bytes and twice as much walking; a copy too."""
    walked = []
    history = copies._history
    monkeypatch.setattr(copies, "_history", lambda *args: walked.append(len(found := history(*args))) or found)

    def cost(work, steps):
        walked.clear()
        made = work(recurrent(steps))
        return len(made), sum(walked)

    for work in (dumps, lambda states: dumps(states[::-1]), copy.deepcopy):
        (size, walk), (double, longer) = cost(work, 400), cost(work, 800)
        assert double < 2.2 * size
        assert longer <= 2.1 * walk < 100 * 400


@contextlib.contextmanager
def few_frames():
    """Let the program call no deeper than 120 frames from here."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 120)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("order", [lambda roots: roots, lambda roots: roots[::-1]])
def test_depth_does_not_matter_to_pickles(order):
    """A pickler written in Python needs the same few frames whatever the depth, and whatever is pickled first."""
    x = y = Value(1.0)
    roots = []
    for i in range(20_000):
        y = y * x if i % 2 else y + 0.5
        if i % 100 == 0:
            roots.append(y)
    roots = order([*roots, y])
    with few_frames():
        again = pickle.loads(python_pickle(roots))
    assert [root.data for root in again] == [root.data for root in roots]
    deepest = max(again, key=lambda root: len(topological_order(root)))
    assert set(again) <= set(topological_order(deepest))


def test_picklers_that_take_turns():
    """Two picklers fed in turns, one inside another, and one that failed: each has its own complete graph."""
    states = [b for _, b in recurrent(60)]
    files = [io.BytesIO(), io.BytesIO()]
    picklers = [pickle.Pickler(files[0]), pickle._Pickler(files[1])]
    for state in states:
        for pickler in picklers:
            pickler.dump(state)
    for file in files:
        file.seek(0)
        unpickler = pickle.Unpickler(file)
        same_graph(states, [unpickler.load() for _ in states])

    deep = [am.exp(Value(0.0))]
    for _ in range(3000):
        deep.append(deep[-1] * 1.5)
    for second in ([deep[3], deep[-1]], [deep[-2], deep[-1]]):
        files = [io.BytesIO(), io.BytesIO()]
        first, other = map(pickle._Pickler, files)
        with few_frames():
            for pickler, node in ((first, deep[0]), (other, deep[1]), (first, second[0]), (other, second[1])):
                pickler.dump(node)
        files[1].seek(0)
        unpickler = pickle.Unpickler(files[1])
        same_graph([deep[1], second[1]], [unpickler.load(), unpickler.load()])

    class Inner:
        def __init__(self, value):
            self.value = value

        def __reduce__(self):
            return pickle.loads, (pickle.dumps(self.value),)

    mixed = pickle.loads(pickle.dumps([(state, Inner([state, states[-1]])) for state in states]))
    same_graph(states, [state for state, _ in mixed])
    same_graph([states[7], states[-1]], mixed[7][1])

    class Refuses:
        def __reduce__(self):
            raise ValueError("not this")

    for dumps in (pickle.dumps, python_pickle):
        with pytest.raises(ValueError, match="not this"):
            dumps([states, Refuses()])
        same_graph(states, pickle.loads(dumps(states)))


def test_pickling_leaves_nothing_behind():
    """Once a pickler is gone, its memory is gone; a later node of the graph is pickled completely."""
    states = [b for _, b in recurrent(30)]
    pickle.dumps(states)
    assert copies._dumping.dump() is None
    after = states[-1] * 2.0
    same_graph([after], [pickle.loads(pickle.dumps(after))])


def test_threads_pickle_at_the_same_time():
    """Four threads pickle one graph again and again; each gets all of it."""
    states = [b for _, b in recurrent(80)]
    results = []

    def work():
        results.extend(pickle.loads(python_pickle(states)) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    for result in results:
        same_graph(states, result)
