"""What a record says went wrong, and where it began: compared with runs in which it is made to happen."""

from __future__ import annotations

import math
import random

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.debug import Flight
from autograd_mini.debug.flight.units import unit_of
from tests.debug.flight.test_record import XOR, network, train
from tests.effort import effort


def began(flight) -> list[tuple[int, str, str]]:
    return [(event.step, event.kind, event.where) for event in flight.events]


@pytest.mark.parametrize("wanted", [0, 1, 37, 300, *random.Random(0).choices(range(1000), k=effort(2, 20))])
def test_the_first_nan_is_found_at_its_step(wanted, tmp_path):
    """Wherever it is in a long run, its step is kept, with its pass, and says which operation gave it."""
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
    """Before the loss is nan, the parameter is inf; each is told once, where it began."""
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
