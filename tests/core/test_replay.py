"""A recorded graph on other numbers, and the decisions that would change there."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import os
import pickle
import struct
import subprocess
import sys

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.replay import replay, switched
from autograd_mini.core.sweep import topological_order
from autograd_mini.core.traced import Traced
from tests.effort import effort


def behind(root):
    return topological_order(root, everything=True)


@pytest.mark.parametrize("x", [-1.5, 0.3, 2.0])
def test_replay_is_the_program_again(x):
    """Without decisions, a replay gives what the program gives at those numbers, to the bit."""

    def f(a, b):
        return am.sin(a) * b + abs(a) ** 3 - am.maximum(a, b, 0.5) / am.hypot(a, b, 1.0)

    a, b = Value(0.7), Value(-0.2)
    order = behind(y := f(a, b))
    assert replay(order, {a: x, b: 0.1})[y] == f(Value(x), Value(0.1)).data
    assert replay(order, {})[y] == y.data
    assert set(replay(order, {a: x})) == set(order)


def test_an_inner_node_may_have_another_number():
    """What it was computed from does not matter then."""
    x = Value(2.0)
    square = x * x
    y = square + x
    assert replay(behind(y), {square: 10.0})[y] == 12.0


def test_a_python_if_is_reported():
    """A switched decision is reported with its place; the replay follows the recorded path."""

    def f(x):
        if x > 1.0:
            return x * x
        return -x

    with am.provenance():
        y = f(x := Value(0.5))
    order = behind(y)
    numbers = replay(order, {x: 2.0})
    (decision,) = switched(order, numbers)
    assert numbers[y] == -2.0
    assert (decision.left, decision.op, decision.right, decision.answer) == (x, ">", 1.0, False)
    assert decision.is_of_program
    assert "x > 1.0" in str(decision)
    assert f"{os.path.basename(__file__)}:" in str(decision)
    assert switched(order, replay(order, {x: 0.9})) == []


def _halved(x, y):
    while x > 1.0:
        x = x / y
    return x * 1.0


DECISIONS = {  # a program that goes another way at the second pair of numbers
    "truth": (lambda x, y: x * y if x else y * 3.0, (1.0, 2.0), (0.0, 2.0)),
    "and": (lambda x, y: (x and y) * 2.0, (1.0, 2.0), (0.0, 2.0)),
    "not": (lambda x, y: y if not x else x * y, (1.0, 2.0), (0.0, 2.0)),
    "a truth in where": (lambda x, y: am.where(x, y * 2.0, y * 3.0) + x, (1.0, 2.0), (0.0, 2.0)),
    "any": (lambda x, y: x + y if any([x, 0.0 * y]) else x - y, (1.0, 2.0), (0.0, 2.0)),
    "max": (lambda x, y: max(x, y) * 2.0, (2.0, 1.0), (1.0, 2.0)),
    "max of a result": (lambda x, y: max(x, x * y) * 2.0, (2.0, 1.0), (2.0, 3.0)),
    "sorted": (lambda x, y: sorted([x, y, x * y])[1] * 2.0, (3.0, 2.0), (2.0, 3.0)),
    "in": (lambda x, y: x * 2.0 if x in [y] else x * 3.0, (1.0, 2.0), (2.0, 2.0)),
    "another number": (lambda x, y: x * 3.0 if y > 0.0 else x * 2.0, (2.0, 2.0), (2.0, -3.0)),
    "a result of its own": (lambda x, y: x * 3.0 if x * x > y else x * 2.0, (2.0, 2.0), (1.0, 3.0)),
    "a constant": (lambda x, y: x * y if am.stop_gradient(x) > 0.0 else x * 3.0 + y, (2.0, 2.0), (-2.0, 3.0)),
    "in grad": (lambda x, y: am.grad(lambda z: z * z if z > 0.0 else z * y)(x) + y, (-2.0, 3.0), (2.0, 2.0)),
    "truth in jvp": (lambda x, y: am.jvp(lambda z: z * y if z else z, (x,), (1.0,))[1] + x * y, (2.0, 2.0), (0.0, 3.0)),
    "while": (_halved, (0.5, 3.0), (2.0, 3.0)),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_every_decision_is_found(name):
    """Decisions count even where the result does not lead to the comparison; a replay alone would be silently wrong."""
    f, here, there = DECISIONS[name]
    with am.provenance():
        leaves = [Value(number) for number in here]
        result = f(*leaves)
    order = behind(result)
    numbers = replay(order, dict(zip(leaves, there, strict=True)))
    assert numbers[result] != f(*map(Value, there)).data
    assert switched(order, numbers)
    assert switched(order, replay(order, dict(zip(leaves, here, strict=True)))) == []


def test_a_leaf_does_not_keep_large_graphs():
    """A loss that is compared in each training step is freed with the step."""
    with am.provenance():
        x = Value(1.0)
        loss = am.sum([x * float(i) for i in range(1000)])
        assert loss > 0.0
    assert x.decisions == ()
    assert len(loss.decisions) == 1


@pytest.mark.parametrize(("compare", "left", "right"), [
    (lambda a, b: a < b, 3.0, 1.0), (lambda a, b: a <= b, 3.0, 1.0), (lambda a, b: a > b, 3.0, 1.0),
    (lambda a, b: a >= b, 3.0, 1.0), (lambda a, b: a == b, 1.0, 1.0), (lambda a, b: a != b, 1.0, 1.0),
])  # fmt: skip
def test_every_comparison_counts(compare, left, right):
    """Comparisons are noted between two nodes, with a number on either side, and reflected."""
    with am.provenance():
        a, b = Value(1.0), Value(2.0)
        sum_ = a * 1.0 + b
        for first, second in ((a, b), (a * 1.0, b), (a, 2.0)):
            compare(first, second)
    found = switched(behind(sum_), {a: left, b: right})
    assert [decision.left is a for decision in found[:1]] == [True]


def test_compositions_are_reported_where_they_decide():
    """The sigmoid on the other side has another form, which was not recorded."""
    with am.provenance():
        y = am.sigmoid(x := Value(2.0))
    order = behind(y)
    assert switched(order, replay(order, {x: 3.0})) == []
    assert switched(order, replay(order, {x: -3.0}))


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "selu", "hard_tanh", "abs", "clip", "maximum", "minimum"]
)
def test_functions_that_decide_again(name):
    """Both arms are recorded, and the comparison is known to be theirs: a replay is the function itself."""
    f = {
        "abs": abs,
        "clip": lambda x: am.clip(x, -0.5, 0.75),
        "maximum": lambda x: am.maximum(x, -x, 0.5),
        "minimum": lambda x: am.minimum(x, x * x),
    }.get(name) or getattr(am, name)
    for recorded in (-2.0, 0.25, 1.5):
        with am.provenance():
            y = f((x := Value(recorded)) * 1.0) * 3.0
            assert y > -100.0  # a decision of the program, which comes to the same everywhere
        order = behind(y)
        for number in (-3.0, -0.6, -0.0, 0.0, 0.3, 2.0, float("nan")):
            found = replay(order, {x: number})
            assert found[y] == (f(Value(number) * 1.0) * 3.0).data or found[y] != found[y] != number != number
            assert number != number or switched(order, found) == []


def test_a_scope_named_relu_decides_nothing():
    """A `where` of the user in a scope of that name keeps its choice, and is reported if it looks like a relu."""
    with am.provenance():
        x = Value(-1.0)
        with am.scope("relu"):
            y = am.where(True, 0.0, x)
    order = behind(y)
    assert replay(order, {x: 2.0})[y] == 0.0
    assert switched(order, {x: 2.0})


# -- a choice of the program: where(x > y, a, b) -----------------------------------------------------------------------


class _Model:
    limit = 0.25

    def __init__(self, weight):
        self.weight = weight
        self.bound = 0.25


def _of_elements(x, y):
    zs = [x, y]
    return sum(am.where(zs[i] >= 0.5, zs[i], 3.0 * zs[i - 1]) for i in range(2))


def _in_a_loop(x, y):
    for _ in range(5):
        x = am.where(x > y, x - y, x * 2.0)
    return x


CHOICES = {
    "of a variable": lambda x, y: am.where(x > 0.0, am.exp(x), y),
    "of results": lambda x, y: am.where(x * y <= -x + 1, x * y, y),
    "of elements": _of_elements,
    "of an attribute": lambda x, y: (lambda model: am.where(model.bound < model.weight, y * 2.0, x))(_Model(x)),
    "in a loop": _in_a_loop,
    "of a parameter": lambda x, y: (lambda z: am.where(z != y, z, y * 2.0))(x * x),
    "inside another": lambda x, y: am.where(x > y, am.where(y > 0.0, am.elu(x), x), am.relu(y) * x),
    "elu": lambda x, y: am.elu(x * y, 2.0) + am.elu(y, x),
    "selu": lambda x, y: am.selu(x) * am.selu(-y),
}


def _stale(x, y):
    total = 0.0
    for z, a, b in ((x, 1.0, 2.0), (1.0, x, y)):  # the second condition is of no node
        total = total + am.where(z > 0.5, a, b)
    return total


def _again(x, y):
    def rest(z, n):
        return am.where(z > y, rest(z - 1.0, n - 1) if n else z, y * 2.0)

    return rest(x, 3)


def _rebound(x, y):
    def rebind():
        nonlocal x
        x = y
        return y * 3.0

    return am.where(x > 0.5, rebind(), y)


def _set_in_an_arm(x, y):
    total = 0.0 * y
    for z in (x, 1.0):  # the second condition is of a number that is a node afterwards
        total = total + am.where(z > 0.5, 1.0 if z is x else (z := x) * 3.0, 2.0)
    return total


def _kept(x, y):
    is_larger = x > y
    return am.where(is_larger, x, y * 2.0)


REPORTED = {
    "a condition in a variable": _kept,
    "a variable set in the call": lambda x, y: am.where((z := x > y), x, y * 2.0) + float(z),
    "a negation": lambda x, y: am.where(not x > y, x, y * 2.0),
    "a chain": lambda x, y: am.where(0.0 < x < y, x, y * 2.0),
    "a function": lambda x, y: am.where(am.sin(x) > y, x, y * 2.0),
    "an attribute of the class": lambda x, y: (lambda model: am.where(x > model.limit, y, x))(_Model(x)),
    "an earlier comparison": _stale,
    "a variable set in an arm": _set_in_an_arm,
    "a recursion": _again,
    "a variable that changes": _rebound,
    "inside of grad": lambda x, y: am.grad(lambda z: am.where(z > 0.5, z * z, z * y))(x) + y,
}
NUMBERS = st.sampled_from([0.0, -0.0, 0.5, 0.25, 1.0, -1.0, -2.0, 1e300, 5e-324, math.inf, -math.inf, math.nan])


@settings(max_examples=effort(40, 1000))
@given(numbers=st.lists(NUMBERS | st.floats(-3.0, 3.0), min_size=4, max_size=4), checked=st.booleans())
@pytest.mark.parametrize("name", [*CHOICES, *REPORTED])
def test_a_replay_is_a_fresh_recording_or_says_that_it_is_not(name, numbers, checked):
    """Bit for bit, for choices that the program writes into `where`, and for elu and selu; never silently wrong."""
    f = (CHOICES | REPORTED)[name]
    a, b, c, d = numbers
    checks = am.checked if checked and all(abs(number) < 1e100 for number in numbers) else contextlib.nullcontext
    with checks(), am.provenance():
        y = f(x := Value(a), z := Value(b))
    order = behind(y)
    found = replay(order, {x: c, z: d})
    if not switched(order, found):
        with checks():
            fresh = f(Value(c), Value(d)).data
        assert struct.pack("d", found[y]) == struct.pack("d", fresh) or found[y] != found[y] != fresh != fresh


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_written_into_where_is_decided_again(name):
    """Nothing is reported, whatever the comparison answers on the new numbers, and both arms are there."""
    f = CHOICES[name]
    points = [-1.5, 0.25, 0.5, 2.0]
    for a, b, c, d in itertools.product(points, repeat=4):
        with am.provenance():
            y = f(x := Value(a), z := Value(b))
        found = replay(behind(y), {x: c, z: d})
        assert found[y] == f(Value(c), Value(d)).data
        assert switched(behind(y), found) == []


@pytest.mark.parametrize("name", REPORTED)
def test_other_choices_are_reported(name):
    """What decides is not certain where a comparison does not stand in the call, or is of more than variables."""
    f = REPORTED[name]
    reported = 0
    for a, b, c, d in itertools.product([-1.5, 0.25, 0.75, 2.0], repeat=4):
        with am.provenance():
            y = f(x := Value(a), z := Value(b))
        found = replay(behind(y), {x: c, z: d})
        reported += bool(switched(behind(y), found))
        assert found[y] == f(Value(c), Value(d)).data or switched(behind(y), found)
    assert reported > 50


def test_an_order_without_the_other_arm_is_completed():
    """A walk along the gradient does not see the arm that was not taken, nor what was compared."""
    with am.provenance():
        x = Value(2.0)
        y = am.where(x * x > 1.0, x * 1.0, am.relu(-x) * 5.0)
    assert replay(topological_order(y), {x: -0.5})[y] == 2.5


def test_numbers_and_traces_may_share_a_place():
    """A condition of a trace is not a decision; one of numbers at the same place, before it, does not matter."""

    def f(x):
        return am.where(x > 0.0, x, x * 2.0)

    with am.provenance():
        assert f(Value(1.0)).decisions
        x = Traced(sympy.Symbol("x", real=True))
        assert f(x).decisions == am.gelu(x).decisions == x.decisions == ()


@pytest.mark.parametrize("name", ["relu", "elu", "tanh", "sigmoid", "gelu", "silu", "softplus", "selu", "leaky_relu"])
def test_what_only_some_numbers_do_is_reported(name):
    """A function that was recorded at nan, at an infinity, at a kink under `checked`, or where it has another form."""
    f = getattr(am, name)
    for a in (math.nan, -math.inf, 0.0, 0.1, -750.0, -38.0):
        with am.checked() if a == 0.0 else contextlib.nullcontext(), am.provenance():
            y = f(x := Value(a))
        order = behind(y)
        for b in (2.0, 800.0, 2000.0, -1.0, 0.0, math.nan, -math.inf):
            found = replay(order, {x: b})
            fresh = f(Value(b)).data
            assert found[y] == fresh or found[y] != found[y] != fresh != fresh or switched(order, found), (a, b)


def test_nothing_is_kept_outside_of_provenance():
    """Comparisons cost nothing then, and leaves do not collect more than a few in a long training."""
    x = Value(1.0)
    assert x > 0.5
    assert x.decisions == ()
    with am.provenance():
        for i in range(1000):
            assert x > -1.0 - i
        assert am.grad(lambda z: z * z if z > 0.0 else z)(1.0) == 2.0
    assert len(x.decisions) == 100
    assert copy.deepcopy(x).decisions == pickle.loads(pickle.dumps(x)).decisions == ()


def test_both_watchers_hear_of_a_comparison():
    """`kinks` and `provenance` do not replace each other, whichever is inside."""
    for outer, inner in ((am.kinks, am.provenance), (am.provenance, am.kinks)):
        x = Value(1.0)
        with outer() as a, inner() as b:
            assert x <= 1.0
        report = a or b
        assert [kink.op for kink in report] == ["comparison"]
        assert len(x.decisions) == 1


def test_for_a_whole_run():
    """The environment variable that turns provenance on remembers decisions too."""
    program = "from autograd_mini import Value; x = Value(1.0); assert x > 0.5; print(*x.decisions)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "AUTOGRAD_MINI_PROVENANCE": "1"},
    )
    assert done.stdout.startswith("1.0 > 0.5 at <string>:1"), done.stderr
