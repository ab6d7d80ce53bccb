"""The optimizers against their published formulas at 60 digits and against PyTorch; schedules, clipping, states."""

from __future__ import annotations

import copy
import inspect
import json
import math
import pickle
import random
import sys

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, nn, optim

needs_torch = pytest.mark.peer("torch")
SETTINGS = [
    ("SGD", {"lr": 0.01}),
    ("SGD", {"lr": 0.01, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.1, "momentum": 0.8}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "betas": (0.8, 0.99), "weight_decay": 0.2}),
]
DEFAULTS = {
    "SGD": {"lr": 0.01, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
    "RMSprop": {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0},
    "Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    "AdamW": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
}
each = pytest.mark.parametrize(("name", "options"), SETTINGS, ids=str)


def gradients(seed, steps=200):
    """Gradients of a parameter: ordinary ones, zeros, large, small, and steps where it takes no part (None)."""
    draw = random.Random(seed)
    kinds = [lambda: draw.gauss(0, 1), lambda: draw.gauss(0, 1), lambda: 0.0, lambda: None, lambda: draw.gauss(0, 1e6)]
    return [draw.choice([*kinds, lambda: draw.gauss(0, 1e-9)])() for _ in range(steps)]


def published(name, options, p, history):
    """The formulas of the papers, at 60 digits and without a limit to exponents: the parameter after each step."""
    mpmath.mp.dps = 60
    o = {key: tuple(map(mpmath.mpf, x)) if key == "betas" else mpmath.mpf(x) for key, x in options.items()}
    p, v, m, s, t = mpmath.mpf(p), 0, 0, 0, 0
    for g in history:
        if g is not None:
            t, g = t + 1, mpmath.mpf(g)
            if name == "AdamW":
                p -= o["lr"] * o["weight_decay"] * p
            else:
                g += o["weight_decay"] * p
            if name == "SGD":
                v = o["momentum"] * v + g
                p -= o["lr"] * (g + o["momentum"] * v if o["nesterov"] else v)
            elif name == "RMSprop":
                s = o["alpha"] * s + (1 - o["alpha"]) * g**2
                v = o["momentum"] * v + g / (mpmath.sqrt(s) + o["eps"])
                p -= o["lr"] * v
            else:
                b1, b2 = o["betas"]
                m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g**2
                p -= o["lr"] * m / (1 - b1**t) / (mpmath.sqrt(s / (1 - b2**t)) + o["eps"])
        yield float(p)


def run(optimizer, history):
    """The parameter after each step."""
    (parameter,) = optimizer.parameters
    for gradient in history:
        parameter.grad = gradient
        optimizer.step()
        yield parameter.data


@each
@pytest.mark.parametrize("seed", range(3))
def test_published_formulas(name, options, seed):
    """200 steps of each optimizer agree with the papers to a few units in the last place of the largest number."""
    history = gradients(seed)
    ours = list(run(getattr(optim, name)([Value(1.5)], **options), history))
    theirs = list(published(name, {**DEFAULTS[name], **options}, 1.5, history))
    size = 0.0
    for a, b in zip(ours, theirs, strict=True):
        size = max(size, abs(b))
        assert abs(a - b) <= 1e-14 * size


@needs_torch
@each
def test_pytorch(name, options):
    """200 steps on three parameters, two of which do not always have a gradient, are those of PyTorch."""
    import torch

    histories = [[g or 0.0 for g in gradients(5)], gradients(6), gradients(7)]
    mine = [Value(x) for x in (1.5, -0.25, 3.0)]
    theirs = [torch.tensor(p.data, dtype=torch.float64, requires_grad=True) for p in mine]
    descent = getattr(optim, name)(mine, **options)
    reference = getattr(torch.optim, name)(theirs, **{**DEFAULTS[name], **options})
    size = 0.0
    for row in zip(*histories, strict=True):
        for p, q, g in zip(mine, theirs, row, strict=True):
            p.grad, q.grad = g, None if g is None else torch.tensor(g, dtype=torch.float64)
        descent.step()
        reference.step()
        size = max(size, *(abs(q.item()) for q in theirs))
        assert [p.data for p in mine] == pytest.approx([q.item() for q in theirs], rel=1e-14, abs=1e-14 * size)


@pytest.mark.parametrize("name", DEFAULTS)
def test_default_settings(name):
    """The defaults are PyTorch's, but for the learning rate of SGD, and they are what is used."""
    signature = inspect.signature(getattr(optim, name)).parameters
    assert {key: p.default for key, p in signature.items() if key != "parameters"} == DEFAULTS[name]
    optimizer = getattr(optim, name)([Value(1.0)])
    assert {key: getattr(optimizer, key) for key in DEFAULTS[name]} == DEFAULTS[name]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-160, 1e-20, 1.0, 1e153, 1e155, 1e200, 1e308, sys.float_info.max])
def test_steps_do_not_depend_on_the_size_of_gradients(name, size):
    """The first step is lr * g / |g| at every size (RMSprop: ten times that), and the next ones follow the formulas."""
    options = {"lr": 0.125, "eps": 5e-324, "weight_decay": 0.0}
    x = Value(1.0)
    history = [size, -size / 2, 0.0, size]
    ours = list(run(getattr(optim, name)([x], **options), history))
    assert ours[0] == pytest.approx(1.0 - 0.125 * (10.0 if name == "RMSprop" else 1.0), rel=1e-14)
    if size > 1e-300:
        theirs = list(published(name, {**DEFAULTS[name], **options}, 1.0, history))
        assert ours == pytest.approx(theirs, rel=1e-13)


@needs_torch
@each
@pytest.mark.parametrize("gradient", [math.nan, math.inf, -math.inf])
def test_nonfinite_gradients(name, options, gradient):
    """After a gradient that is nan or infinite, a parameter has the number that PyTorch gives it."""
    import torch

    p, q = Value(1.0), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    descent = getattr(optim, name)([p], **options)
    reference = getattr(torch.optim, name)([q], **{**DEFAULTS[name], **options})
    for g in (1.0, gradient, 1.0, 0.0):
        p.grad, q.grad = g, torch.tensor(g, dtype=torch.float64)
        descent.step()
        reference.step()
        assert p.data == pytest.approx(q.item(), nan_ok=True)


@each
def test_what_takes_no_part_stays(name, options):
    """A parameter without a gradient since zero_grad() is left alone, whatever is remembered of it; 0 is a gradient."""
    used, other = Value(1.0), Value(2.0)
    descent = getattr(optim, name)([used, other], **options)
    ((used - other) ** 2).backward()
    descent.step()
    before, state = other.data, descent.state_dict()
    for _ in range(3):
        descent.zero_grad()
        (used**2).backward()
        descent.step()
    assert other.data == before
    assert {key: x[1] for key, x in descent.state_dict().items()} == {key: x[1] for key, x in state.items()}
    other.grad = 0
    descent.step()
    moves = options.get("weight_decay", DEFAULTS[name]["weight_decay"]) or options.get("momentum") or "Adam" in name
    assert (other.data != before) == bool(moves)


def descend(steps, ps, optimizer, schedule):
    for _ in range(steps):
        x, y = ps
        loss = (1 - x) ** 2 + 0.5 * (y - x * x) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return loss.data


def rate(step):
    return min(1.0, (step + 1) / 10)


SCHEDULES = [
    lambda optimizer: optim.LambdaLR(optimizer, rate),
    lambda optimizer: optim.StepLR(optimizer, 40, 0.9),
    lambda optimizer: optim.CosineAnnealingLR(optimizer, 250),
]


@pytest.mark.parametrize("scheduled", SCHEDULES)
@pytest.mark.parametrize(
    "kind",
    [
        lambda ps: optim.SGD(ps, lr=0.05, momentum=0.8),
        lambda ps: optim.SGD(ps, lr=0.05, momentum=0.8, nesterov=True),
        lambda ps: optim.RMSprop(ps, lr=0.05),
        lambda ps: optim.Adam(ps, lr=0.3),
        lambda ps: optim.AdamW(ps, lr=0.3),
    ],
)
def test_all_find_the_minimum_and_can_be_interrupted(kind, scheduled):
    """Rosenbrock's valley gets lower; a run saved as JSON or pickled in the middle goes on to the same bits."""
    whole = [Value(-1.0), Value(2.0)]
    optimizer = kind(whole)
    assert descend(200, whole, optimizer, scheduled(optimizer)) < 1e-1
    first = [Value(-1.0), Value(2.0)]
    optimizer = kind(first)
    schedule = scheduled(optimizer)
    descend(90, first, optimizer, schedule)
    state = json.loads(json.dumps([optimizer.state_dict(), schedule.state_dict(), [p.data for p in first]]))
    for copies in (
        pickle.loads(pickle.dumps([first, optimizer, schedule])),
        copy.deepcopy([first, optimizer, schedule]),
    ):
        descend(110, *copies)
        assert [p.data for p in copies[0]] == [p.data for p in whole]
    second = [Value(number) for number in state[2]]
    again = kind(second)
    schedule = scheduled(again)
    again.load_state_dict(state[0])
    schedule.load_state_dict(state[1])
    descend(110, second, again, schedule)
    assert [p.data for p in second] == [p.data for p in whole]


def learning_rates(schedule, steps):
    for _ in range(steps):
        yield schedule.optimizer.lr
        schedule.step()


def test_schedules():
    """The learning rates follow their formulas from the first step on."""
    descent = optim.SGD([Value(1.0)], lr=0.5)
    assert list(learning_rates(optim.LambdaLR(descent, lambda t: 1 / (t + 1)), 4)) == [0.5, 0.25, 0.5 / 3, 0.125]
    descent = optim.SGD([Value(1.0)], lr=0.5)
    assert list(learning_rates(optim.StepLR(descent, 2, 0.5), 6)) == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    descent = optim.SGD([Value(1.0)], lr=0.5)
    found = list(learning_rates(optim.CosineAnnealingLR(descent, 6, 0.1), 8))
    assert found == pytest.approx([0.1 + 0.4 * (1 + math.cos(math.pi * t / 6)) / 2 for t in range(8)], rel=1e-15)
    assert found[6] == 0.1


@needs_torch
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LambdaLR", {"lr_lambda": rate}),
        ("StepLR", {"step_size": 7}),
        ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01}),
    ],
)
def test_schedules_of_pytorch(name, options):
    """50 learning rates of each schedule are those of PyTorch."""
    import torch

    reference = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = getattr(torch.optim.lr_scheduler, name)(reference, **options)
    ours = getattr(optim, name)(optim.SGD([Value(1.0)], lr=0.3), *options.values())
    for lr in learning_rates(ours, 50):
        assert lr == pytest.approx(reference.param_groups[0]["lr"], rel=1e-12)
        reference.step()
        theirs.step()


def norm_and_clipped(numbers, max_norm):
    values = [Value(0.0) for _ in numbers]
    for value, number in zip(values, numbers, strict=True):
        value.grad = number
    return optim.clip_grad_norm(values, max_norm), [value.grad for value in values]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=6), st.floats(1e-3, 1e3))
def test_clipping_finite_gradients(numbers, max_norm):
    """The factor is max_norm / (norm + 1e-6) at every size, though the square or the norm itself overflows."""
    mpmath.mp.dps = 60
    norm, clipped = norm_and_clipped(numbers, max_norm)
    exact = mpmath.sqrt(mpmath.fsum(mpmath.mpf(x) ** 2 for x in numbers))
    assert norm == pytest.approx(float(exact), rel=1e-15)
    factor = min(mpmath.mpf(1), max_norm / (exact + 1e-6))
    assert clipped == pytest.approx([float(x * factor) for x in numbers], rel=1e-14, abs=1e-320)


@needs_torch
@pytest.mark.parametrize(
    "numbers", [[3.0, 4.0], [math.nan, 1.0], [math.inf, 1.0], [math.inf, math.nan], [0.0, 0.0], []]
)
def test_clipping_in_pytorch(numbers):
    """nan and infinities among the gradients end as in PyTorch."""
    import torch

    theirs = [torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in numbers]
    for tensor, number in zip(theirs, numbers, strict=True):
        tensor.grad = torch.tensor(number, dtype=torch.float64)
    norm, clipped = norm_and_clipped(numbers, 1.0)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, 1.0).item(), nan_ok=True)
    assert clipped == pytest.approx([tensor.grad.item() for tensor in theirs], nan_ok=True)


def test_clipping_leaves_alone_what_has_no_gradient():
    """A parameter without a gradient still has none afterwards; a shared one counts once; math.inf only measures."""
    x, y = Value(1.0), Value(1.0)
    x.grad = 5.0
    assert optim.clip_grad_norm([x, y, x], math.inf) == 5.0
    assert x.grad == 5.0
    optim.clip_grad_norm([x, y, x], 1.0)
    descent = optim.AdamW([y], weight_decay=0.5)
    descent.step()
    assert y.data == 1.0


BROKEN = {
    "steps": [math.nan, math.inf, -1, 0.5, True, "1", None, [1], 10**400],
    "mean": [True, "1", None, [1.0], 10**400],
    "size": [-1.0, -math.inf, True, "1", None],
    "velocity": [False, "x", None, 1j],
    "start": [math.nan, math.inf, -0.1, True, "1"],
}


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD([p], momentum=0.5),
        lambda p: optim.RMSprop([p]),
        lambda p: optim.Adam([p]),
        lambda p: optim.AdamW([p]),
        lambda p: optim.StepLR(optim.SGD([p]), 3),
    ],
)
def test_broken_states_change_nothing(make):
    """Whatever is wrong with a state raises an ArgumentError, and all is as before; what diverged can be saved."""
    p = Value(1.0)
    p.grad = 1.0
    thing = make(p)
    thing.step()
    state = thing.state_dict()
    broken = [None, [], {}, 1, "state", {**state, "extra": [0.0]}, dict.fromkeys(state), {1: 2, **state}]
    for name in state:
        broken += [{**state, name: wrong} for wrong in (1.0, [], [0.0, 0.0], "x", {"0": 0.0}, None)]
        broken += [{**state, name: [wrong]} for wrong in BROKEN[name]]
        broken += [{key: x for key, x in state.items() if key != name}]
    for wrong in broken:
        with pytest.raises(am.ArgumentError, match="do:"):
            thing.load_state_dict(wrong)
        assert thing.state_dict() == state
    if isinstance(thing, optim.Optimizer):
        for gradient in (math.inf, math.nan):
            p.grad = gradient
            thing.step()
            state = json.loads(json.dumps(thing.state_dict()))
            again = make(Value(1.0))
            again.load_state_dict(state)
            assert repr(again.state_dict()) == repr(thing.state_dict())


def test_schedules_refuse_what_is_not_a_rate():
    """A factor that is not a number, or that turns the rate negative, raises and leaves the rate as it was."""
    descent = optim.SGD([Value(1.0)], lr=0.5)
    for wrong in (-1.0, math.nan, math.inf):
        schedule = optim.LambdaLR(descent, lambda step, wrong=wrong: wrong if step == 2 else 1.0)
        schedule.step()
        with pytest.raises(am.ArgumentError, match="after 2 steps"):
            schedule.step()
        assert (descent.lr, schedule.steps) == (0.5, 1)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: optim.SGD([]), am.ArgumentError),
        (lambda: optim.SGD([1.0]), am.OperandError),
        (lambda: optim.Adam(nn.MLP(1, [1])), am.OperandError),
        (lambda: optim.SGD([Value(1.0)], lr="x"), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], lr=Value(1.0)), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], lr=math.nan), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], lr=math.inf), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], lr=True), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0) * 2]), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], lr=0.0), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], momentum=1.0), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], nesterov=True), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], weight_decay=-1.0), am.ArgumentError),
        (lambda: optim.RMSprop([Value(1.0)], alpha=1.0), am.ArgumentError),
        (lambda: optim.RMSprop([Value(1.0)], eps=0.0), am.ArgumentError),
        (lambda: optim.RMSprop([Value(1.0)], momentum=-0.1), am.ArgumentError),
        (lambda: optim.Adam([Value(1.0)], betas=(0.9, 1.0)), am.ArgumentError),
        (lambda: optim.Adam([Value(1.0)], betas=(0.9,)), am.ArgumentError),
        (lambda: optim.Adam([Value(1.0)], betas=0.9), am.ArgumentError),
        (lambda: optim.Adam([Value(1.0)], eps=0.0), am.ArgumentError),
        (lambda: optim.AdamW([Value(1.0)], weight_decay=-0.1), am.ArgumentError),
        (lambda: optim.StepLR(optim.SGD([Value(1.0)]), 0), am.ArgumentError),
        (lambda: optim.StepLR(optim.SGD([Value(1.0)]), 2, gamma=0.0), am.ArgumentError),
        (lambda: optim.CosineAnnealingLR(optim.SGD([Value(1.0)]), 0.5), am.ArgumentError),
        (lambda: optim.CosineAnnealingLR(optim.SGD([Value(1.0)]), 2, eta_min=-1.0), am.ArgumentError),
        (lambda: optim.LambdaLR([Value(1.0)], lambda step: 1.0), am.OperandError),
        (lambda: optim.clip_grad_norm([Value(1.0)], 0.0), am.ArgumentError),
        (lambda: optim.clip_grad_norm([1.0], 1.0), am.OperandError),
        (lambda: optim.clip_grad_norm(Value(1.0), 1.0), am.OperandError),
    ],
)
def test_bad_settings(call, error):
    """Settings out of range, and anything but parameters, are refused immediately."""
    with pytest.raises(error, match="do:"):
        call()
