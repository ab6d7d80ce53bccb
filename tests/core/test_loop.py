"""The inner loop among signals, threads, debuggers and the collector, and when memory is short: the same in both texts.

What it computes is tested elsewhere. CI runs these tests once with each text.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
import weakref
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini import Value, engine, micrograd
from autograd_mini.core import sweep
from autograd_mini.core.row import TABLE, ZERO
from autograd_mini.core.sweep import topological_order
from autograd_mini.program.marks import last_root
from tests.effort import effort

IS_PURE = am.engine.implementation == "python"
has_timers = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that signal")


def chain(x, steps):
    """A graph of so many nodes in a row, which all use x."""
    y = x
    for _ in range(steps // 2):
        y = y * 1.0 + x
    return y


def run(script, *options, **environment):
    """Run a script in a process of its own, which must end well, and return what it printed."""
    root = str(Path(__file__).parent.parent.parent)
    paths = os.pathsep.join([root, *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", *options, "-c", script],
        env={**os.environ, "PYTHONPATH": paths, **environment}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# -- interruptions -----------------------------------------------------------------------------------------------------


class Interrupting:
    """Call a function at signals: every millisecond of computing, from the n-th on."""

    def __init__(self, function, first=1):
        self._function, self._first, self._is_busy, self.count = function, first, False, 0

    def _handle(self, _, frame):
        self.count += 1
        if self.count >= self._first and not self._is_busy:
            self._is_busy = True
            try:
                self._function(frame)
            finally:
                self._is_busy = False

    def __enter__(self):
        signal.signal(signal.SIGPROF, self._handle)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        return self

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)  # by default, one that is on its way would end the process


@has_timers
def test_signals_are_handled_during_a_sweep():
    """A sweep through a million nodes handles many signals on its way, so Ctrl-C does not wait for its end."""
    y = chain(Value(1.0), 300_000 if IS_PURE else 1_000_000)
    with Interrupting(lambda _: None) as interrupting:
        y.backward()
    assert interrupting.count >= 4  # a fast machine sweeps for 40 ms, and some kernels count in steps of 4 ms


@has_timers
@pytest.mark.parametrize("after", [1, 3, 6])
def test_an_interruption_changes_no_gradient(after):
    """An error in the handler of a signal ends a sweep; all gradients are those of the sweeps before, whole."""
    xs = [Value(1.0) for _ in range(4)]
    y = xs[0]
    for i in range(100_000):
        y = y * 1.0 + xs[i % 4]
    y.backward(0.0)
    inner = [node for node in topological_order(y) if node.op is not None]

    class Interrupt(BaseException):
        """Unlike a KeyboardInterrupt, it does not end a whole test run when it comes a moment too late."""

    seed, frames = 0.0, (__file__, engine.__file__, sweep.__file__)

    def interrupt(frame):  # once, and only in the loop below: an error in a callback of the collector would be ignored
        if seed > 0.0 and not interrupted and frame.f_code.co_filename in frames:
            interrupted.append(True)
            raise Interrupt

    interrupted = []
    with pytest.raises(Interrupt), Interrupting(interrupt, after):  # noqa: PT012  # until it happens
        while True:
            seed += 1.0
            y.backward(seed)
    done = y.grad  # the last seed, or the one before
    assert done in (seed, seed - 1.0)
    assert {node.grad for node in inner} == {done}
    uses = [25_001, 25_000, 25_000, 25_000]
    assert [x.grad for x in xs] == [done * (done + 1.0) / 2.0 * count for count in uses]


@has_timers
@pytest.mark.parametrize("place", ["handler", "thread"])
@pytest.mark.parametrize("rest", [1, 4, 5, 6, 8])
def test_a_sweep_inside_a_sweep(place, rest):
    """A handler, or a thread that it waits for, sweeps through the same graph: both sweeps count, whole."""
    x = Value(1.0)
    y = chain(x, 200_000)
    z = y * 3.0
    inner = []

    def work():
        z.backward()
        chain(x, 1000).backward()
        inner.append(1)

    def sweep_too(_):
        if not inner and place == "handler":
            work()
        elif not inner:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    rounds = 0
    with Interrupting(sweep_too, rest):
        while not inner:
            y.backward()
            rounds += 1
    assert x.grad == 100_001.0 * (rounds + 3) + 501.0
    assert y.grad in (1.0, 3.0)


def test_threads_that_share_leaves():
    """Graphs of several threads over one leaf: no contribution is lost, and computed nodes have their own."""
    x, gradients = Value(1.0), []

    def work():
        for _ in range(rounds):
            y = chain(x, 10)
            z = am.relu(y) * 2.0
            z.backward()
            gradients.append((y.grad, z.grad))

    rounds, interval = effort(150, 2000), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert x.grad == 4 * rounds * 2.0 * 6.0
    assert set(gradients) == {(2.0, 1.0)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_fork_after_use():
    """A forked process goes on with the graphs of its parent, and makes its own."""
    script = """
import os
import autograd_mini as am
x = am.Value(2.0)
y = x * x * 3.0
y.backward()
old = [x * 2.0 for _ in range(1000)]
del old
child = os.fork()
y.backward()
z = am.relu(am.dot([x, y], [y, 2.0]))
z.backward()
assert (x.grad, y.grad) == (24.0 + 12.0 * (2.0 + 2.0) + 12.0, 4.0), (x.grad, y.grad)
if child:
    assert os.waitpid(child, 0)[1] == 0
    print("both")
"""
    assert run(script).split() == ["both"]


@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="this Python cannot simulate a full memory")
def test_no_memory():
    """Whichever allocation fails, there is a MemoryError and no crash, and gradients are unchanged, or complete."""
    script = """
import _testcapi
import autograd_mini as am
from autograd_mini.core.sweep import propagate, topological_order
a, b = am.Value(1.5, name="a"), am.Value(-0.5)
xs = [am.Value(float(i)) for i in range(8)]
def graph():
    return am.relu(a * b + a) - am.dot(xs, xs[::-1]) / b + am.sum([*xs, 2.0]) ** 2 - -b + 3 * am.relu(-a)
y = graph()
y.backward()
nodes = [*topological_order(y)]
def state():
    return [node._grad for node in nodes]
once = state()
twice = [2.0 * g if node.op is None else g for node, g in zip(nodes, once)]
works = [lambda: a + b, lambda: a * 2, lambda: 1 / a, lambda: -a, lambda: a ** 2, lambda: am.relu(a),
         lambda: am.relu(b), lambda: am.dot(xs, xs), lambda: am.sum(xs), lambda: y._dleft, lambda: a.grad, graph,
         lambda: propagate(y, 1.0, topological_order(y)), y.backward]
failures = 0
for work in works:
    for _ in range(3):
        work()  # what is imported and remembered at the first time
    for n in range(1, 3000):
        for node, gradient in zip(nodes, once):
            node._grad = gradient
        answer = None
        _testcapi.set_nomemory(n, n + 1)
        try:
            answer = work()
        except MemoryError:
            failed = True
        else:
            failed = False
        finally:
            _testcapi.remove_mem_hooks()
        failures += failed
        after = state()
        assert after == (once if failed or work != y.backward else twice), (n, failed)
        if work is graph and not failed:
            assert answer.data == y.data
        if not failed and n > 40 and work != graph and work != y.backward or n > 600:
            break
print(failures)
"""
    assert int(run(script)) > 20


# -- memory ------------------------------------------------------------------------------------------------------------


def build():
    """A graph with each kind of node, swept, named and copied."""
    xs = [Value(0.1 * i, name=f"x{i}") for i in range(5)]
    y = am.relu(am.dot(xs, [*xs[1:], 2.0])) - am.sum([*xs, 1.0]) / xs[1]
    with am.scope("part"):
        z = -(y**2) * 3 + am.relu(y) + am.tanh(y) ** xs[2] + xs[0] ** xs[0]
    z.name = "z"
    z.backward()
    am.grad(lambda t: t * z * t)(2.0)
    return z


def test_graphs_are_freed():
    """Thousands of graphs, built, swept and freed, leave memory as it was; shared objects are referred to as before."""
    rows = ("add", "sub", "mul", "div", "neg", "where", "dot", "sum")
    shared = [ZERO, Value, am.engine.Scope, *[TABLE[name] for name in rows]]

    def memory():
        gc.collect()
        return tracemalloc.get_traced_memory()[0], [sys.getrefcount(thing) for thing in shared]

    tracemalloc.start()
    try:
        leaves = [Value(0.0) for _ in range(70_000)]  # more than the C text keeps for later
        del leaves
        sizes = []
        for _ in range(effort(6, 30)):
            for _ in range(100):
                build()
            size, references = memory()
            sizes.append((size, references))
    finally:
        tracemalloc.stop()
    growth = [after - before for (before, _), (after, _) in itertools.pairwise(sizes)]
    assert min(growth) < 5_000  # one node of each graph would take more every time; at first, what is kept grows
    assert sizes[0][1] == sizes[-1][1]


def test_nothing_of_a_freed_node_is_seen_again():
    """New nodes in the place of freed ones have no gradient, name, scope or operands of theirs."""
    for _ in range(3):
        with am.scope("old"):
            x = Value(3.0)
            nodes = [x * float(i) for i in range(100)]
        for node in nodes:
            node.name = "old"
            node.backward()
        del nodes, node
        for fresh in (-x, x + 1.0, x * x, x**2, am.sum([x]), am.dot([x], [x]), am.sum([x, x, x])):
            assert fresh._grad is None
            assert fresh.grad == 0.0
            assert fresh.name is fresh.scope is fresh.origin is None
            assert fresh.decisions == ()
        assert am.relu(x).scope.path == ("relu",)
        for made in [-x for _ in range(200)]:
            assert made._grad is made._notes is made._right is None


def test_cycles_through_decisions_are_collected():
    """Comparisons refer to later nodes; such a cycle is collected, also if parts of it were recorded outside."""

    def cycles():
        x = Value(1.0)
        y = x
        for _ in range(300):  # too many for leaves to keep the comparison
            y = y * 1.01 + 0.5
        with am.provenance():
            assert y > x
            inside = am.relu(am.dot([x, y, y], [y, x, 2.0]))
            assert x < inside
            inside.backward()
        z = am.sum([inside, x, y]) * 2.0
        with am.provenance():
            assert x < z
        return [weakref.ref(decision) for node in (x, y, inside, z) for decision in node.decisions]

    found = cycles()
    assert len(found) >= 4
    gc.collect()
    assert {reference() for reference in found} == {None}


def test_cycles_of_micrograds_attributes_are_collected():
    """Nodes for micrograd's code take attributes, and may refer to later nodes and to themselves."""

    def cycles():
        x = micrograd.Value(1.0)
        y = x * 2.0 + x
        x.result, y.me = y, y
        z = micrograd.Value(x.data**3, (x,), "cube")

        def _backward():
            x.grad += 3.0 * x.data**2 * z.grad

        z._backward = _backward
        z.backward()
        return [weakref.ref(node) for node in (x, y, z)]

    found = cycles()
    gc.collect()
    assert [reference() for reference in found] == [None] * 3


def test_the_last_root_is_found():
    """`explain(leaf)` finds the node that backward() was called on, through what refers to its mark."""
    with am.provenance():
        x = Value(2.0)
        y = x * x
        y.backward()
    assert last_root() is y
    del y
    assert last_root() is None


def test_a_deep_graph_of_each_kind_is_freed():
    """Freeing does not recurse: neither through pairs, tuples of operands, notes, nor attributes."""
    x = y = Value(1.0)
    u = v = micrograd.Value(1.0)
    for i in range(30_000):
        y = am.relu(am.dot([y, x, x], [x, x, 0.5])) if i % 2 else am.sum([y, 1.0]) * 0.5
        if i % 3 == 0:
            y.name = "named"
        v = v * 0.5 + u
        v.previous = v
    del y, v
    gc.collect()


@pytest.mark.sampled(4)
@pytest.mark.parametrize("threshold", [1, 2, 3, 4, 5, 7, 11, 13, 17])
def test_scopes_that_the_collector_leaves_while_a_relu_is_recorded(threshold):
    """The collector may close a generator inside of a scope at any allocation; the scope of a relu stays whole."""

    class Loop:
        pass

    def held():
        with am.scope("held"):
            yield

    x = Value(-1.0)
    thresholds = gc.get_threshold()
    gc.set_threshold(threshold)
    try:
        for _ in range(300):
            loop = Loop()
            loop.me, loop.generator = loop, held()
            next(loop.generator)
            with am.scope("inner"):
                del loop
                made = [am.relu(x) for _ in range(5)]
            for node in made:
                assert node.scope.path[-2:] == ("inner", "relu")
    finally:
        gc.set_threshold(*thresholds)
        gc.collect()
    assert (2.0 * x).scope is None


# -- who watches -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sweeps(monkeypatch):
    """The number of sweeps by the Python text, as a list that grows."""
    found, own = [], sweep.sweep
    monkeypatch.setattr(sweep, "sweep", lambda *args: found.append(1) or own(*args))
    return found


def is_python(sweeps, work):
    """Whether the Python text swept during some work."""
    sweeps.clear()
    work()
    return bool(sweeps)


def test_a_debugger_leads_into_the_python_text(sweeps):
    """With a trace function, backward() steps through the Python sweep; one that measures coverage does not count."""
    y = Value(2.0) ** 2
    assert is_python(sweeps, y.backward) is IS_PURE

    class Tracer:
        """As coverage's: an object in C, or a method of one in Python."""

        def __call__(self, *_):
            return None

        def trace(self, *_):
            return None

    tracer, before = Tracer(), sys.gettrace()
    try:
        for module, expected in (("somebody.debugger", True), ("coverage.tracer", IS_PURE), ("coveragelike", True)):
            Tracer.__module__ = Tracer.trace.__module__ = module
            for function in (tracer, tracer.trace):
                sys.settrace(function)
                stepped = is_python(sweeps, y.backward)
                sys.settrace(before)
                assert stepped is expected, (module, function)
    finally:
        sys.settrace(before)
    assert is_python(sweeps, y.backward) is IS_PURE


if hasattr(sys, "monitoring"):  # since Python 3.12

    @pytest.mark.parametrize(
        ("name", "counts"), [("DEBUGGER_ID", True), ("COVERAGE_ID", False), ("PROFILER_ID", False)]
    )
    def test_a_debugger_that_monitors(sweeps, name, counts):
        """A debugger may use `sys.monitoring`, where measuring coverage has an id of its own."""
        y, tool = Value(2.0) ** 2, getattr(sys.monitoring, name)
        sys.monitoring.use_tool_id(tool, "a tool of the tests")
        try:
            stepped = is_python(sweeps, y.backward)
        finally:
            sys.monitoring.free_tool_id(tool)
        assert stepped is (bool(counts) or IS_PURE)


def test_what_watches_steps_runs_the_python_text(sweeps):
    """`checked`, `provenance` and `explain` see every step."""
    x = Value(2.0)
    y = x**2
    with am.checked():
        assert is_python(sweeps, y.backward)
    with am.provenance():
        assert is_python(sweeps, y.backward)
        z = y * x
        z.backward()
        assert is_python(sweeps, lambda: am.explain(x))
    with am.scope("name"), am.no_grad():
        assert is_python(sweeps, y.backward) is IS_PURE


def test_subinterpreters_run_the_python_text():
    """What C remembers belongs to one interpreter; in any other, the Python text runs."""
    script = """
import autograd_mini as am
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
x = am.Value(3.0)
y = x * x
inner = '''
import sys
import autograd_mini as am
from autograd_mini.core.accelerator import why_not
x = am.Value(2.0)
(x * x * x).backward()
assert am.engine.implementation == "python", am.engine.implementation
assert "interpreter" in why_not or "not compiled" in why_not or "is set" in why_not, why_not
assert x.grad == 12.0
print("inside", flush=True)
'''
for _ in range(2):
    own = interpreters.create()
    problem = interpreters.run_string(own, inner)
    assert problem is None, problem
    interpreters.destroy(own)
    y.backward()
assert x.grad == 12.0
print("outside")
"""
    assert run(script, "-W", "ignore").split() == ["inside", "inside", "outside"]
