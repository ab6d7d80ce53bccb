"""A recorded graph on other numbers, and the decisions that would have been others there."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.replay import replay, switched
from autograd_mini.core.sweep import topological_order


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
    """With its place; the replay itself follows the path that was recorded."""

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
    """Also where the result does not lead to what was compared; the replay alone would be wrong in silence."""
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
    """A loss that is compared in each step of a training goes when the step does."""
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
    """Between two nodes, with a number on either side, and reflected."""
    with am.provenance():
        a, b = Value(1.0), Value(2.0)
        sum_ = a * 1.0 + b
        for first, second in ((a, b), (a * 1.0, b), (a, 2.0)):
            compare(first, second)
    found = switched(behind(sum_), {a: left, b: right})
    assert [decision.left is a for decision in found[:1]] == [True]


def test_compositions_are_reported_where_they_decide():
    """A relu on the other side is another function; so is a leaky_relu."""
    for f in (am.relu, am.leaky_relu, am.elu):
        with am.provenance():
            y = f(x := Value(1.0))
        order = behind(y)
        assert switched(order, replay(order, {x: 2.0})) == []
        assert switched(order, replay(order, {x: -1.0}))


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
