"""`record`: what is kept of a training run, that nothing else changes, and that a pass steps to the same bits."""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import math
import os
import pickle
import random
import resource
import signal
import subprocess
import sys
import time
from types import CodeType, FunctionType, ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import ArgumentError, DataError, NonFiniteError, OperandError, Value
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import adjoints
from autograd_mini.debug import Flight
from autograd_mini.debug.flight import sparkline, steps
from autograd_mini.debug.flight.recorder import Storage
from autograd_mini.functions.activations import ACTIVATIONS
from tests.effort import effort

SPECIAL = 0.0, -0.0, 1.0, -1.0, math.inf, math.nan, 5e-324, 1e308, 0.3
XOR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]


def train(model, steps: int, lr: float = 0.1, batch: int = 4, data=XOR, seed: int = 0, loss=am.mse):
    """A usual loop; yields after each step, which gives what the loss and gradients were."""
    descent, choose = am.optim.SGD(model.parameters(), lr=lr), random.Random(seed)
    for _ in range(steps):
        chosen = choose.sample(range(len(data[0])), batch)
        descent.zero_grad()
        error = loss([model(data[0][i]) for i in chosen], [data[1][i] for i in chosen])
        error.backward()
        gradients = [p.grad for p in model.parameters()]
        number = error.data
        del error
        descent.step()
        yield number, gradients


def network(activation: str = "tanh", sizes=(4, 1)):
    return am.nn.MLP(2, [*sizes], activation=activation, seed=1)


def bits(numbers) -> list[str]:
    return [*map(repr, numbers)]


def final(trace, node) -> float:
    return trace.journal.gradient(node, len(trace) - 1)


# -- the same bits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [*ACTIVATIONS])
def test_training_is_the_same_to_the_bit(activation):
    """With a record or without, every loss and every gradient has the same bits."""
    plain = [*train(network(activation), 30)]
    with am.record(network(activation)):
        pass
    model = network(activation)
    with am.record(model):
        recorded = [*train(model, 30)]
    assert repr(recorded) == repr(plain)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "elu", "gelu", "softplus", "leaky_relu"])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_kept_pass_steps_to_the_recorded_bits(activation, batch, tmp_path):
    """The trace of each kept step ends with the gradients that `backward()` gave then; also from a file."""
    model, path = network(activation), tmp_path / "run.flight"
    with am.record(model, path=path) as flight:
        seen = [*train(model, 80, batch=batch)]
    for known in (flight, Flight.load(path)):
        assert known.passes[0] == 0
        assert len(known.passes) > 20
        for step in known.passes:
            loss, gradients = seen[step]
            trace = known.trace(step)
            assert repr(trace.root.data) == repr(loss)
            assert bits(known[step].gradients.values()) == bits(gradients)
            named = {node.name: final(trace, node) for node in trace.leaves if node.name in known.names}
            expected = {name: x for name, x in zip(known.names, gradients, strict=True) if named.get(name) is not None}
            assert repr({name: named[name] for name in expected}) == repr(expected)
            assert len(expected) > 4


@pytest.fixture
def cube():
    @am.primitive(rule=lambda y, x: (3.0 * x * x,))
    def cube_of_a_test(x):
        return x * x * x

    yield cube_of_a_test
    TABLE.pop("cube_of_a_test")


def test_losses_of_every_kind_step_to_the_same_bits(cube):
    """Softmax, cross-entropy, a user's operation, a user's `where`, a seed, and a leaf made on the way."""
    w = [Value(0.3), Value(-0.2), Value(1.5)]
    with am.record(w) as flight:
        for step in range(12):
            x = Value(0.5 * step - 2.0, name="x")
            z = [w[0] * x, w[1] * x * x, cube(w[2]) if step % 2 else am.where(w[2] > 1.0, w[2], 0.0 * w[0])]
            loss = am.cross_entropy(z, step % 3) + am.logsumexp(z) + am.maximum(*z) + am.softmax(z)[0]
            for p in w:
                p.grad = None
            loss.backward(0.5 * step)
            assert bits(flight[-1].gradients.values()) == bits(p.grad for p in w)
            for p in w:
                p.data -= 0.1 * p.grad
    for step in flight.passes:
        flight.trace(step)  # raises if a bit differs
    assert len(flight.passes) == 12


def test_each_call_counts_alone():
    """If several calls add up before a step of the optimizer, each is one step of the record, with its own gradient."""
    model = network()
    with am.record(model) as flight:
        for x, t in zip(*XOR, strict=True):
            loss = am.mse(model(x), t)
            alone = adjoints(loss)
            loss.backward()
            assert bits(flight[-1].gradients.values()) == bits(alone.get(p, 0.0) for p in model.parameters())
    assert flight.steps == 4
    for step in range(4):
        flight.trace(step)


def test_a_pass_whose_numbers_were_changed_says_so():
    """A leaf that is written between the computation and `backward()` makes the pass unknown, and `trace` raises."""
    w = Value(2.0, name="w")
    with am.record([w]) as flight:
        loss = w * w * w
        w.data = 5.0
        loss.backward()
    with pytest.raises(ArgumentError, match="cannot be repeated"):
        flight.trace(0)


@settings(max_examples=effort(25, 400), deadline=None)
@given(
    st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, math.inf, math.nan, 5e-324, 1e308, 0.3]), min_size=3, max_size=3)
)
def test_special_numbers_are_kept_to_the_bit(numbers):
    """Zeros with their signs, infinities, nan and subnormals, in values and gradients, in memory and as text."""
    w = [Value(x) for x in numbers]
    with am.record(w) as flight:
        (w[0] * w[1] + am.relu(w[2]) * w[0] - am.tanh(w[1])).backward()
    assert bits(flight[0].values.values()) == bits(numbers)
    assert bits(flight[0].gradients.values()) == bits(p.grad for p in w)
    flight.trace(0)


# -- what counts -------------------------------------------------------------------------------------------------------


def test_old_graphs_are_freed():
    """Nothing that the record holds, and none of the parameters, leads to a computed node."""
    model = network("relu", (8, 1))
    block = am.record(model)
    with block as flight:
        for _ in train(model, 10):
            pass
        waiting, seen = [block.result, block._taker, *model.parameters()], set()
        while waiting:
            thing = waiting.pop()
            if id(thing) not in seen and not isinstance(thing, type | ModuleType | FunctionType | CodeType):
                seen.add(id(thing))
                assert type(thing) is not Value or thing.op is None
                waiting += gc.get_referents(thing)
    assert flight.steps == 10
    assert all(p.decisions == () and p.origin is None for p in model.parameters())


def test_other_models_do_not_count():
    """A `backward()` that reaches no parameter of the model is not a step; two records each see their own."""
    one, other = network(), network("relu")
    with am.record(one) as first, am.record(other) as second, am.record([one, other]) as both:
        for _ in train(one, 3):
            pass
        for _ in train(other, 2):
            pass
        (am.mse(one([0.0, 1.0]), 1.0) + am.mse(other([0.0, 1.0]), 1.0)).backward()
    assert (first.steps, second.steps, both.steps) == (4, 3, 6)
    assert both.names[0].startswith("parameters[0].layers[0]")


def test_a_block_inside_itself_counts_once():
    """A function that is decorated with a record, and called inside it, does not double its steps."""
    model = network()
    block = am.record(model)
    with block as flight, am.record(model) as other, block:
        for _ in train(model, 3):
            pass
    assert (flight.steps, other.steps) == (3, 3)


def test_it_ends_with_the_block():
    """After the block nothing is recorded, also after an error, in generators, and as a decorator."""
    model = network()
    with contextlib.suppress(ZeroDivisionError), am.record(model) as flight:
        for _ in train(model, 3):
            pass
        1 / 0  # noqa: B018
    [*train(model, 2)]
    assert (flight.steps, flight.ended) == (3, "ZeroDivisionError: division by zero")

    def loop():
        with am.record(model) as flight:
            for _ in train(model, 3):
                yield flight

    run = loop()
    flight = next(run)
    run.close()
    [*train(model, 2)]
    assert flight.steps == 1
    block = am.record(model)
    block(lambda: [*train(model, 4)])()
    assert block.result.steps == 4
    assert block.result.ended == "finished"


def test_an_error_in_backward_leaves_the_step():
    """Under `checked()`, the call that raises is the last step of the record."""
    w = Value(0.0, name="w")
    block = am.record([w])
    flight = block.result

    def run():
        with block, am.checked():
            (w * 1.0).backward()
            am.sqrt(w).backward()

    with pytest.raises(NonFiniteError):
        run()
    assert flight.steps == 2
    assert flight[-1].gradients == {"w": math.inf}
    assert flight.ended.startswith("NonFiniteError")
    assert w.grad == 1.0


@pytest.mark.parametrize("model", [3.0, None, "model", object()])
def test_what_is_no_model(model):
    """An error says what to pass."""
    with pytest.raises(OperandError, match="Pass an nn"):
        am.record(model)


def test_models_of_all_kinds():
    """It takes a module, a value, nested lists and dicts; not computed values, nothing at all, or a missing folder."""
    w, b = Value(1.0), Value(2.0, name="bias")
    assert am.record({"w": [[w, w]], "b": b}).result.names == ["w[0][0]", "bias"]
    assert am.record(iter([w, b])).result.names == ["parameters[0]", "bias"]
    assert am.record(b).result.names == ["bias"]
    assert am.record(am.nn.MLP(1, [1])).result.names == ["layers[0].neurons[0].w[0]", "layers[0].neurons[0].b"]
    for wrong in ([], [w * 2.0], {}):
        with pytest.raises(ArgumentError):
            am.record(wrong)
    with pytest.raises(ArgumentError, match="no folder"):
        am.record(w, path="no/such/folder/run.flight")


@pytest.mark.parametrize("way", ["added", "replaced", "in a list"])
def test_parameters_that_come_later_are_a_warning(way):
    """A record follows the parameters that the model had when it began; others would be silently missing."""
    model = network()
    given = model if way != "in a list" else model.parameters()
    with pytest.warns(UserWarning, match="has gained 1 parameter"), am.record(given) as flight:  # noqa: PT031
        [*train(model, 2)]
        if way == "added":
            model.scale = Value(2.0)
        elif way == "replaced":
            model.layers[0].neurons[0].b = Value(1.0)
        else:
            given[0] = Value(1.0)
    assert flight.steps == 2
    with am.record(model) as flight:  # fewer are none of these
        del model.layers[0].neurons[0].b
        model.layers[0].neurons[0].b = None


def test_runs_can_be_pickled():
    """Everything but places in the source; what belongs to `Value`s of this program is an error elsewhere."""
    model = network("relu")
    with am.record(model) as flight:
        [*train(model, 40)]
    for other in (pickle.loads(pickle.dumps(flight)), copy.deepcopy(flight)):
        assert str(other) == str(flight)
        assert other[-1] == flight[-1]
        for step in flight.passes:
            assert len(other.trace(step)) == len(flight.trace(step))
        with pytest.raises(ArgumentError, match="does not know which Values"):
            am.draw(am.relu(model.parameters()[0]), over=other)


def test_hands_that_write_to_gradients():
    """Clipping, `grad = 0` and a step by hand change nothing in the record: it is what each call alone gave."""
    w = Value(1.0, name="w")
    with am.record([w]) as flight:
        for _ in range(3):
            w.grad = 5.0  # left over
            (w * 100.0).backward()
            w.grad = min(w.grad, 1.0)
            w.data -= 0.1 * w.grad
    assert [flight[step].gradients for step in range(3)] == [{"w": 100.0}] * 3
    assert [flight[step].values["w"] for step in range(3)] == [1.0, 0.9, 0.8]


# -- memory ------------------------------------------------------------------------------------------------------------


def test_memory_stays_bounded_over_100_000_steps(tmp_path):
    """So does the file; the first and the last step are there, and steps lie evenly between."""
    w, x = Value(1.0, name="w"), 0.999999
    path = tmp_path / "run.flight"
    sizes = []
    with am.record([w], path=path) as flight:
        for step in range(100_000):
            (w * x).backward()
            w.grad = None
            if step in (20_000, 99_999):
                sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert flight.steps == 100_000
    assert len(flight.moments) <= steps.MOST_STEPS + 1
    assert len(flight.passes) <= steps.MOST_PASSES + 1
    assert sizes[1] < sizes[0] + 2_000  # kB on Linux
    assert path.stat().st_size < 1_000_000
    assert (flight.kept[0], flight.kept[-1]) == (0, 99_999)
    gaps = {after - before for before, after in zip(flight.kept[:-2], flight.kept[1:-1], strict=True)}
    assert gaps == {512}
    assert Flight.load(path).kept == flight.kept
    for step in flight.passes[::8]:
        flight.trace(step)


def test_large_models_keep_quantiles():
    """Of more than 500 parameters, a step keeps quantiles by layer, and all numbers where its pass is kept."""
    model = am.nn.MLP(2, [40, 12, 1], activation="tanh", seed=0)
    assert len(model.parameters()) > steps.SMALL
    with am.record(model) as flight:
        for _ in train(model, 130, batch=1):
            pass
    with_pass, without = flight.passes[-1], next(step for step in flight.kept if step not in flight.passes)
    assert flight[without].values == {}
    assert len(flight[with_pass].values) == len(model.parameters())
    values, sizes = flight.bands(flight.moment(with_pass))
    for place, layer in enumerate(flight.layers.values()):
        many = sorted(abs([*flight[with_pass].gradients.values()][i]) for i in layer)
        assert (sizes[place][0], sizes[place][-1]) == (many[0], many[-1])
        assert values[place] == sorted(values[place])


# -- a file ------------------------------------------------------------------------------------------------------------

ENDLESS = """
import autograd_mini as am
model = am.nn.MLP(2, [3, 1], activation="tanh", seed=1)
descent = am.optim.SGD(model.parameters(), lr=0.1)
with am.record(model, path="run.flight"):
    while True:
        descent.zero_grad()
        am.mse([model([0.0, 1.0]), model([1.0, 1.0])], [1.0, 0.0]).backward()
        descent.step()
        print("step", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process is killed by a signal")
def test_a_killed_run_leaves_a_readable_record(tmp_path):
    """Its steps, its passes to the bit, and that it did not end; the command prints it and writes its page."""
    program = subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert program.stdout is not None
    for _ in range(150):
        assert program.stdout.readline()
    program.send_signal(signal.SIGKILL)
    program.communicate()
    path = tmp_path / "run.flight"
    flight = Flight.load(path)
    assert flight.steps >= 150
    assert flight.ended == ""
    for step in flight.passes:
        flight.trace(step)
    shown = subprocess.run(
        [sys.executable, "-m", "autograd_mini", "flight", path], capture_output=True, text=True, check=True
    ).stdout
    assert shown == f"{flight}\n"
    assert "was killed" in shown


def test_a_killed_run_keeps_where_things_began(tmp_path):
    """Also where only every fourth step is kept by then: the step where a unit died, with its pass."""
    path, model = tmp_path / "run.flight", network("relu")
    unit = model.layers[0].neurons[1]
    unit.b.data = 5.0
    with am.record(model, path=path):
        for step, _ in enumerate(train(model, 700, lr=0.0001)):
            if step == 600:
                unit.b.data = -50.0
        known = Flight.load(path)  # as a killed run would leave it
    (event,) = [event for event in known.events if event.step == 601]
    assert (event.kind, event.until) == ("dead", None)
    assert 601 in known.passes
    assert known.steps >= 606
    known.trace(601)


def test_any_end_of_a_file_is_readable(tmp_path):
    """Wherever the last line was cut off, what came before it is there; other files and changed ones are errors."""
    path, model = tmp_path / "run.flight", network()
    with am.record(model, path=path) as flight:
        for _ in train(model, 5):
            pass
    whole = path.read_bytes()
    second = whole.index(b'{"step":1')
    for end in [*range(second, second + 40, 3), len(whole) - 3]:
        path.write_bytes(whole[:end])
        assert 0 in Flight.load(path).kept
    path.write_bytes(whole.replace(b'"seed":1.0', b'"seed":x'))
    with pytest.raises(DataError, match="line 3"):
        Flight.load(path)
    for other in (b"", b"\n", b"{}", b"[1]", b'{"kind":"autograd-mini flight","version":2,"names":[]}', b"\xff"):
        path.write_bytes(other)
        with pytest.raises(DataError, match="not the record"):
            Flight.load(path)
    lines = whole.decode().splitlines()
    step = json.loads(lines[2])
    for key, wrong in (("root", 10**6), ("rows", "AAAA"), ("tree", [["x", 99]]), ("scopes", "AAAA"), ("operands", "")):
        changed = {**step, "pass": {**step["pass"], key: wrong}}
        path.write_text("\n".join([*lines[:2], json.dumps(changed), *lines[3:]]))
        with pytest.raises(DataError, match="line 3"):
            Flight.load(path)
    assert flight.ended == "finished"


def test_a_full_disk_does_not_end_a_run(tmp_path, monkeypatch):
    """A warning says where the record ends; training goes on."""

    def full(*_):
        raise OSError(28, "No space left on device")

    model = network()
    with am.record(model, path=tmp_path / "run.flight") as flight:
        [*train(model, 2)]
        monkeypatch.setattr(Storage, "_append", full)
        with pytest.warns(UserWarning, match="ends at step 2"):
            [*train(model, 3)]
    assert flight.steps == 5
    assert Flight.load(tmp_path / "run.flight").steps == 2


# -- reading -----------------------------------------------------------------------------------------------------------


def test_steps_that_are_not_kept_say_what_is():
    """The error names the nearest step."""
    w = Value(1.0)
    with am.record([w]) as flight:
        for _ in range(300):
            (w * 1.0).backward()
    assert flight[-1].step == 299
    with pytest.raises(ArgumentError, match=r"Step 297 of 300 is not kept[^$]*nearest one is 296"):
        flight.trace(297)
    with pytest.raises(ArgumentError, match="nearest pass"):
        flight.trace(298)
    with pytest.raises(OperandError, match="whole number"):
        flight["last"]
    with pytest.raises(ArgumentError, match="Nothing was recorded"):
        am.record([w]).result.trace(0)
    with pytest.raises(ArgumentError, match="Nothing was recorded"):
        am.record([w]).result.page()


def test_the_text_of_a_run():
    """Steps, the loss from first to last, and layers; in an empty run, what to do."""
    model = network()
    with am.record(model) as flight:
        assert "no step yet" in str(flight)
        assert repr(flight) == "Flight(no step yet)"
        for _ in train(model, 100):
            pass
    text = str(flight)
    assert text.splitlines()[0] == "steps      100; kept are 100, 50 with their backward pass"
    assert "layers[1]" in text
    assert "→" in text
    assert repr(flight).startswith("Flight(100 steps, loss ")


def test_sparklines():
    """Low and high are the lowest and highest bar; equal numbers are in the middle; nan is a cross."""
    assert sparkline([0.0, 1.0, 2.0, 3.0]) == "▁▃▆█"
    assert sparkline([1.0, 1.0]) == "▄▄"
    assert sparkline([1e-9, math.nan, 1.0]) == "▁×█"
    assert sparkline([math.inf, math.nan]) == "××"
    assert len(sparkline([*map(float, range(1000))])) == 24


def test_the_cost_of_a_step_is_small():
    """Over a few thousand steps, a record adds at most half of the time of a small training step."""
    model = network("tanh", (8, 1))
    rounds = effort(400, 3000)

    def seconds(record: bool) -> float:
        with am.record(model, sources=False) if record else contextlib.nullcontext():
            [*train(model, 600 if record else 1, batch=1)]  # past the first steps, all of which are kept
            began = time.process_time()
            [*train(model, rounds, batch=4)]
            return time.process_time() - began

    ratio = min(seconds(True) / seconds(False) for _ in range(3))
    assert ratio < 1.5


@pytest.mark.parametrize("inside", [False, True])
def test_a_record_that_is_entered_again_inside_itself(inside):
    """Each step counts once, wherever the first one is, and afterwards nothing is observed."""
    model = network()
    run = am.record(model)
    with run as flight:
        with run:
            for _ in train(model, 2 * inside):
                pass
        for _ in train(model, 3):
            pass
    assert flight.steps == 3 + 2 * inside
    assert (2.0 * Value(1.0)).origin is None
