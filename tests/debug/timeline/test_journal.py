"""The record of a sweep: it is what `backward()` does, to the bit, and every moment of it can be asked for."""

from __future__ import annotations

import copy
import math
import sys
from array import array
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.timeline.journal import Journal
from tests.core.test_graphs import anything, build, steps
from tests.effort import effort


def bits(number):
    """The bits, in which -0.0 differs from 0.0, and nan equals nan."""
    return None if number is None else "nan" if math.isnan(number) else number.hex()


def graph(numbers, program):
    leaves = [Value(number) for number in numbers]
    return leaves, build(leaves, program, 0)[-1]


graphs = st.tuples(st.lists(anything, min_size=1, max_size=4), steps)


@settings(max_examples=effort(80, 1000))
@given(graphs, st.sampled_from([1.0, -0.5, 0.0, -0.0, math.inf, math.nan]))
def test_the_contributions_add_up_to_the_gradients_bit_for_bit(graph_, seed):
    """Summed independently in their order, contributions give what `backward()` writes, for every node."""
    _, root = graph(*graph_)
    sums = {}
    for step in debug.trace(root, seed):
        if step.phase == "forward":
            assert (step.operand, step.upstream, step.local, step.contribution) == (None,) * 4
            assert bits(step.total) == bits(step.node.data)
            continue
        assert bits(step.upstream * step.local) == bits(step.contribution)
        if step.phase == "backward":  # complete before it is handed on
            assert bits(step.upstream) == bits(sums[step.node])
        before = sums.get(step.operand)
        sums[step.operand] = step.contribution if before is None else before + step.contribution
        assert bits(step.total) == bits(sums[step.operand])
    root.backward(seed)
    assert {node: bits(total) for node, total in sums.items()} == {
        node: bits(node.grad) for node in topological_order(root)
    }


@settings(max_examples=effort(60, 1000))
@given(graphs, st.data())
def test_every_moment_has_its_gradients(graph_, data):
    """At any step, in any order of asking, a gradient is the last total of its node up to then."""
    _, root = graph(*graph_)
    journal = Journal(root)
    moments = [{}]
    for step in journal:
        moments.append(moments[-1] | ({step.operand: step.total} if step.operand is not None else {}))
    for index in data.draw(st.lists(st.integers(0, len(journal) - 1), max_size=10)):
        for node in journal.order:
            assert bits(journal.gradient(node, index)) == bits(moments[index + 1].get(node))


@settings(max_examples=effort(60, 1000))
@given(graphs)
def test_turns_are_what_a_node_hands_on(graph_):
    """The steps fall into turns, one for each node, which `turn_of` finds; arrivals are found from the other side."""
    _, root = graph(*graph_)
    journal = Journal(root)
    index = 0
    while index < len(journal):
        turn = journal.turn(index)
        assert turn[0] == index
        assert {journal[i].node for i in turn} == {journal[index].node}
        assert all(journal.turn(i) == turn for i in turn)
        if journal[index].phase == "backward":
            assert journal.turn_of(journal[index].node) == turn
        index = turn[-1] + 1
    for node in journal.order:
        assert journal.arrivals(node) == [step.index for step in journal if step.operand is node]
        assert journal[journal.numbers[node]].node is node


@settings(max_examples=effort(60, 1000))
@given(graphs, st.floats(), st.data())
def test_what_if_is_a_sweep_of_its_own(graph_, gradient, data):
    """A changed gradient is handed on as if it had come about: what follows agrees with a sweep written out here."""
    _, root = graph(*graph_)
    trace = debug.trace(root)
    trace.seek(data.draw(st.integers(trace.start, len(trace) - 1)))
    turns = {node: trace.journal.turn_of(node) for node in trace.journal.order}
    waiting = [
        node for node, turn in turns.items() if (not turn or turn[0] > trace.position) and trace.journal.arrivals(node)
    ]
    node = data.draw(st.sampled_from(waiting))
    end = trace.journal.turn(trace.position)[-1]
    sums = {n: g for n in trace.journal.order if (g := trace.journal.gradient(n, end)) is not None}
    order = [step.node for step in trace[end + 1 :]]
    sums[node] = gradient
    step = trace.what_if(node, gradient)
    assert (step.phase, step.operand, step.index) == ("what if", node, end + 1)
    assert trace.position == end + 1
    for n in dict.fromkeys(order):
        upstream = sums[n]
        for operand, local in zip(n.operands, n.partials, strict=True):
            if local is not am.ZERO:
                before = sums.get(operand)
                sums[operand] = upstream * local if before is None else before + upstream * local
    trace.seek(-1)
    assert {n: bits(g) for n, g in sums.items()} == {n: bits(g) for n, g in trace.gradients.items()}


def test_what_was_changed_later_is_forgotten():
    """Going back and changing a gradient drops later changes; a node that has handed on cannot be changed."""
    x = Value(2.0, name="x")
    y = x * 3.0
    z = y * 5.0
    trace = debug.trace(z)
    trace.seek(trace.start)
    trace.what_if(z, 10.0)
    trace.next()
    trace.what_if(y, 7.0)
    assert trace.grad(x, -1) == 21.0
    trace.seek(trace.start)
    trace.what_if(z, 2.0)
    assert trace.grad(x, -1) == 30.0
    with pytest.raises(am.ArgumentError, match="already handed on its gradient"):
        trace.seek(-1) and trace.what_if(z, 1.0)
    with pytest.raises(am.ArgumentError, match="forward phase"):
        trace.seek(0) and trace.what_if(z, 1.0)


def test_steps_are_frozen():
    """A step of the past cannot be written."""
    step = debug.trace(Value(1.0) * 2.0)[0]
    with pytest.raises(FrozenInstanceError):
        step.total = 3.0


def test_nothing_changes_by_looking():
    """Neither a gradient nor a number of the graph; and what is written to leaves later does not change the trace."""
    x = Value(2.0)
    y = x * x
    y.backward()
    before = copy.deepcopy((x.grad, y.grad, x.data))
    trace = debug.trace(y)
    x.data = 7.0
    trace.run()
    trace.what_if(x, 100.0)
    assert (x.grad, y.grad, trace.value(x), trace[0].total) == (*before[:2], before[2], before[2])


def test_a_leaf_alone():
    """The trace of a single leaf has a forward step and the seed."""
    x = Value(2.0)
    assert [(step.phase, step.node is x) for step in debug.trace(x)] == [("forward", True), ("seed", True)]


def test_a_long_trace_costs_no_replay():
    """Going anywhere reads a few numbers of arrays whose size is bounded: no step is made twice, none is kept."""
    y = x = Value(1.0)
    nodes = effort(10_000, 50_000)
    for _ in range(nodes):
        y = y * x
    journal = debug.trace(y).journal
    assert len(journal) == 3 * nodes + 2
    parts = [*vars(journal).values()]
    parts += [part for table in parts if isinstance(table, dict) for part in table.values()]
    assert sum(sys.getsizeof(part) for part in parts if isinstance(part, array)) < 60 * len(journal)
    assert not any(isinstance(part, (list, tuple, dict)) and len(part) > len(journal) for part in parts)

    class Counted(Journal):
        asked = 0

        def __getitem__(self, index):
            Counted.asked += 1
            return super().__getitem__(index)

    trace = debug.trace(y)
    trace.journal = Counted(y)
    y.backward()
    for index in (-1, 0, nodes * 3 // 2, 10, -1):
        trace.seek(index)
    assert trace.grad(x) == x.grad
    assert Counted.asked == 5


def test_bad_arguments_say_what_to_do():
    """A wrong type raises OperandError; a step or node that is not in the trace raises ArgumentError."""
    x = Value(1.0)
    trace = debug.trace(x * 2.0)
    for call in (
        lambda: debug.trace(2.0),
        lambda: debug.trace([x]),
        lambda: trace.grad(1.0),
        lambda: debug.trace(x, "1"),
    ):
        with pytest.raises(am.OperandError):
            call()
    for call in (
        lambda: trace.seek(5),
        lambda: trace.seek("x"),
        lambda: trace.grad(Value(1.0)),
        lambda: trace.grad(x, 9),
    ):
        with pytest.raises(am.ArgumentError):
            call()
