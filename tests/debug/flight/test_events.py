"""What a record says went wrong, and where it began: compared with runs in which it is made to happen."""

from __future__ import annotations

import math
import random

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.debug import Flight
from autograd_mini.debug.flight.events import STEEP, unit_of
from autograd_mini.functions.activations import ACTIVATIONS
from tests.debug.flight.test_record import XOR, network, train
from tests.effort import effort


def began(flight) -> list[tuple[int, str, str]]:
    return [(event.step, event.kind, event.where) for event in flight.events]


@pytest.mark.parametrize("wanted", [0, 1, 37, 300, *random.Random(0).choices(range(1000), k=effort(2, 20))])
def test_the_first_nan_is_found_at_its_step(wanted, tmp_path):
    """Wherever a nan is in a long run, its step is kept, with its pass, and says which operation gave it."""
    w = Value(1.0, name="w")
    with am.record([w], path=tmp_path / "run.flight") as flight:
        for step in range(wanted + 400):
            x = w * (math.nan if step in (wanted, wanted + 3) else 0.5)
            (x * x).backward()
            w.grad = None
    for known in (flight, Flight.load(tmp_path / "run.flight")):
        assert began(known) == [(wanted, "nan", "loss")]
        assert math.isnan(known[wanted].loss)
        assert math.isnan(known.trace(wanted).root.data)
        assert f"step {wanted:,}: the loss" in str(known)
        assert "It begins where mul(1, nan) gives nan" in known.events[0].text


def test_infinite_gradients_of_a_finite_loss():
    """The sentence names the parameters, and says that a derivative is infinite although all numbers are finite."""
    w, v = Value(1.0, name="w"), Value(2.0, name="v")
    with am.record({"w": w, "v": v}) as flight:
        for number in (1.0, 0.0, 1.0):
            w.data = number
            (am.sqrt(w) + v).backward()
            w.grad = v.grad = None
    assert began(flight) == [(1, "inf", "w")]
    assert flight.events[0].text.startswith("the gradient of w is inf for the first time. All numbers on the way")


def test_a_parameter_that_becomes_infinite():
    """Before the loss is nan, the parameter is inf; each is reported once, where it began."""
    w = Value(1e300, name="w")
    with am.record([w]) as flight:
        for _ in range(4):
            (w - w).backward()
            w.data *= 1e10
            w.grad = None
    assert began(flight) == [(1, "inf", "w"), (1, "nan", "loss")]


def test_an_explosion_is_found_where_it_begins():
    """A learning rate that is too large: marked early in the rise, and before anything is infinite."""
    model = network("relu")
    with am.record(model) as flight:
        seen = [*train(model, 60, lr=0.05), *train(model, 40, lr=3.0)]
    first = next(step for step, (loss, _) in enumerate(seen) if step >= 60 and loss > 100 * seen[59][0])
    events = {event.kind: event for event in flight.events}
    assert 60 <= events["explosion"].step <= first
    assert events["explosion"].step in flight.kept
    assert "Try a smaller learning rate" in events["explosion"].text


@pytest.mark.sampled(4)
@pytest.mark.parametrize("lr", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus"])
def test_a_usual_run_has_no_events(activation, batch, lr):
    """No false alarm while a small network learns, also with single samples, whose gradients jump."""
    for seed in range(effort(2, 20)):
        model = am.nn.MLP(2, [4, 1], activation=activation, seed=seed)
        with am.record(model) as flight:
            losses = [loss for loss, _ in train(model, 300, lr=lr, batch=batch, seed=seed)]
        if max(losses) < 1e6:  # else it does not learn, as one in twenty with tanh, single samples and 0.3
            assert began(flight) == []
        else:
            assert lr == 0.3
            assert began(flight)[0][1] == "explosion"


def test_dead_units_are_found_where_they_die():
    """A relu whose bias is far below 0 from a step on; from the step where it is raised, it works again."""
    model = network("relu")
    for neuron in model.layers[0].neurons:
        neuron.b.data = 2.0
    unit = model.layers[0].neurons[2]
    with am.record(model) as flight:
        for step, _ in enumerate(train(model, 60, lr=0.001)):
            if step == 19:
                unit.b.data = -50.0
            if step == 49:
                unit.b.data = 2.0
    assert began(flight) == [(20, "dead", "layers[0].neurons[2]")]
    assert (flight.events[0].until, 20 in flight.passes) == (50, True)
    assert str(flight.events[0]).endswith("It works again at step 50.")


@pytest.mark.parametrize("steps", [300, effort(700, 5000)])
def test_each_step_is_looked_at(steps, tmp_path):
    """Where fewer and fewer steps and passes are kept, the step of a death and of a return are still exact."""
    die, back, again = steps // 2 + 7, steps // 2 + 38, steps - 41
    model = network("relu")
    for neuron in model.layers[0].neurons:
        neuron.b.data = 2.0
    unit = model.layers[0].neurons[2]
    with am.record(model, path=tmp_path / "run.flight") as flight:
        for step, _ in enumerate(train(model, steps, lr=0.0001)):
            unit.b.data = {die - 1: -50.0, back - 1: 2.0, again - 1: -50.0}.get(step, unit.b.data)
    for known in (flight, Flight.load(tmp_path / "run.flight")):
        assert began(known) == [(die, "dead", "layers[0].neurons[2]"), (again, "dead", "layers[0].neurons[2]")]
        first, second = known.events
        assert (first.until, second.until) == (back, None)
        assert str(second).endswith("It stays dead to the last step.")
        assert "is dead again (1 time before)" in second.text
        assert {die, again} <= {*known.passes}
        assert known.trace(die).root.data == known[die].loss


def test_a_unit_that_dies_again_and_again():
    """The first and the last time are kept, so memory is bounded."""
    w = Value(1.0, name="w")
    with am.record([w]) as flight:
        for step in range(2000):
            w.data = -1.0 if step // 25 % 2 else 1.0
            am.relu(w * 1.0).backward()
    assert began(flight) == [(25, "dead", "w"), (1975, "dead", "w")]
    assert "(39 times before)" in flight.events[1].text
    assert len(flight.kept) > 128


@pytest.mark.parametrize("batch", [1, 2])
def test_a_relu_that_is_closed_now_and_then_is_not_dead(batch):
    """With few samples per step, many relus are closed in many steps; what counts is far longer than usual."""
    random_samples = random.Random(batch)
    w = [Value(-1.0), Value(1.0)]
    with am.record({"w": w}) as flight:
        for _ in range(effort(3000, 30_000)):
            xs = [random_samples.uniform(-0.1, 1.0) for _ in range(batch)]
            am.sum([am.relu(w[0] * x) + am.relu(w[1] * x) for x in xs]).backward()
    assert [event for event in flight.events if event.until is None] == []
    assert len(flight.events) <= 2


def test_a_pause_that_is_hardly_longer_than_others_does_not_count():
    """A unit that has paused for 15 samples is not dead after 20; after four times as many it is, from the first on."""
    w = Value(1.0, name="w")
    with am.record([w]) as flight:
        for pause in (15, 15, 30, 150):
            for x in (*[-1.0] * pause, 1.0):
                am.relu(w * x).backward()
    assert [(event.step, event.until) for event in flight.events] == [(63, 213)]


@pytest.mark.parametrize("name", [*STEEP])
def test_slopes_outside_are_below_one_percent(name):
    """Of each activation that is watched: just inside its bounds its slope is above 1 % of the largest, then below."""

    def slope(x: float) -> float:
        return abs(am.grad(ACTIVATIONS[name])(x))

    largest = max(slope(x / 100.0) for x in range(-1000, 1000))
    for bound, outwards in zip(STEEP[name], (-1.0, 1.0), strict=True):
        if not math.isnan(bound):
            far = [slope(bound + outwards * (0.003 + 0.1 * i)) for i in range(200)]
            assert max(far) < 0.0101 * largest
            assert slope(bound - 0.02 * outwards) > 0.0099 * largest


@pytest.mark.parametrize("name", ["hard_tanh", "softsign", "softplus", "elu", "selu", "gelu", "silu", "log_sigmoid"])
def test_other_activations_saturate_too(name):
    """Whichever form they are computed in; a unit in the steep part is not marked, nor what others are made of."""
    sign = 1.0 if name == "log_sigmoid" else -1.0
    w = [Value(sign * 30.0), Value(sign * -0.2 if name != "hard_tanh" else 0.2), Value(sign * -30.0)]
    with am.record({"w": w}) as flight:
        for _ in range(6):
            am.sum([ACTIVATIONS[name](p * x) for p in w for x in (1.0, 1.1, 1.2, 1.3)]).backward()
    both = name in ("hard_tanh", "softsign")
    assert began(flight) == [(0, "saturated", "w[0]"), (0, "saturated", "w[2]")][: 1 + both]


def test_what_is_no_unit():
    """A relu in a hinge loss that is satisfied, and the sigmoid inside a loss, are not units that die."""
    w = Value(20.0, name="w")
    with am.record([w]) as flight:
        for _ in range(10):
            pairs = [(x, 1 if x > 0 else -1) for x in (-2.0, -1.0, 1.0, 2.0)]
            losses = [(1 + -y * (w * x + 0.0)).relu() for x, y in pairs]
            (am.sum(losses) + am.hinge([w * x for x, _ in pairs], [y for _, y in pairs]) + w * w).backward()
    assert began(flight) == []


def test_weight_decay_and_hidden_relus():
    """A death is seen although the loss contains weights; a relu that is open behind closed ones is not called dead."""
    w = Value(-1.0, name="w")
    with am.record([w]) as flight:
        for _ in range(6):
            (am.sum([am.relu(w * x) for x in (1.0, 2.0, 3.0, 4.0)]) + 0.1 * w * w).backward()
    assert began(flight) == [(0, "dead", "w")]
    a, b = Value(1.0, name="a"), Value(1.0, name="b")
    with am.record([a, b]) as flight:
        for _ in range(9):
            inner = [am.relu(a * x) for x in (-1.0, -1.0, -1.0, -1.0, -1.0, 1.0)]
            shifts = [1.0] * 5 + [-9.0]  # the only open one is behind a closed one
            am.sum([am.relu(b * h + s) for h, s in zip(inner, shifts, strict=True)]).backward()
    assert began(flight) == []


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_micrograd_models(activation):
    """Their activations are single nodes, and their weighted sums chains."""
    from autograd_mini.micrograd import nn

    model = nn.MLP(2, [3, 1], activation=activation, seed=1)
    model.layers[0].neurons[1].b.data = -40.0
    with am.record(model) as flight:
        for _ in range(6):
            am.sum([model(x) ** 2 for x in XOR[0]]).backward()
    kind = "dead" if activation == "relu" else "saturated"
    assert (0, kind, "layers[0].neurons[1]") in began(flight)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_saturated_units_are_found(activation):
    """A tanh or sigmoid whose input is far from 0 for every sample, also far out, where other operations compute it."""
    model = network(activation, (3, 1))
    units = model.layers[0].neurons
    with am.record(model) as flight:
        for step, _ in enumerate(train(model, 40, lr=0.001)):
            if step == 9:
                units[0].b.data, units[1].b.data = 30.0, -30.0
    assert began(flight) == [(10, "saturated", f"layers[0].neurons[{i}]") for i in (0, 1)]


def test_units_without_modules_are_named_by_their_parameters():
    """In a network of plain lists, a unit is called after its bias, or after a weight."""
    w, b = [[Value(0.5), Value(0.25)] for _ in range(2)], [Value(0.1), Value(-9.0)]
    with am.record({"w": w, "b": b}) as flight:
        for _ in range(8):
            for x, t in zip(*XOR, strict=True):
                hidden = [am.relu(w[i][0] * x[0] + w[i][1] * x[1] + b[i]) for i in range(2)]
                ((hidden[0] + hidden[1] - t) ** 2).backward()
    assert began(flight) == [(0, "dead", "b[1]")]
    assert [*flight.layers] == ["w", "b"]
    assert unit_of("layers[0].neurons[3].w[1]") == unit_of("layers[0].neurons[3].b") == "layers[0].neurons[3]"
    assert unit_of("b[3]") == "b[3]"


def test_many_dead_units_stay_within_bounds():
    """Their steps are kept, but not more of them than the record has room for."""
    w = [Value(1.0) for _ in range(150)]
    with am.record({"w": w}) as flight:
        for step in range(400):
            for i, p in enumerate(w):
                p.data = -1.0 if step >= 2 * i else 1.0
            am.sum([am.relu(p * 1.0) for p in w]).backward()
    assert len(flight.events) > 100
    assert len(flight.moments) < 320
    assert len(flight.passes) < 120
