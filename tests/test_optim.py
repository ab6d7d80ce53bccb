"""SGD and Adam against their published formulas, written out here; saving and loading; bad settings."""

from __future__ import annotations

import json
import math

import pytest

import autograd_mini as am
from autograd_mini import Value, nn, optim

GRADIENTS = [3.0, -2.0, 0.5, 0.0, 100.0, -1e-9]


def run(optimizer, parameter):
    for gradient in GRADIENTS:
        parameter.grad = gradient
        optimizer.step()
    return parameter.data


def test_sgd_with_momentum_and_weight_decay():
    """v = m v + (g + d p); p = p - lr v."""
    p, v = 1.5, 0.0
    for g in GRADIENTS:
        v = 0.9 * v + (g + 0.1 * p)
        p = p - 0.01 * v
    x = Value(1.5)
    assert run(optim.SGD([x], lr=0.01, momentum=0.9, weight_decay=0.1), x) == p


def test_adam():
    """The algorithm of Kingma and Ba, with L2 decay in the gradient."""
    p, m, s = 1.5, 0.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        g = g + 0.1 * p
        m, s = 0.8 * m + (1 - 0.8) * g, 0.99 * s + (1 - 0.99) * g * g
        p -= 0.05 * (m / (1 - 0.8**t)) / (math.sqrt(s / (1 - 0.99**t)) + 1e-8)
    x = Value(1.5)
    assert run(optim.Adam([x], lr=0.05, betas=(0.8, 0.99), weight_decay=0.1), x) == pytest.approx(p, rel=1e-14)


@pytest.mark.parametrize("kind", [lambda ps: optim.SGD(ps, lr=0.05, momentum=0.8), lambda ps: optim.Adam(ps, lr=0.3)])
def test_both_find_the_minimum_and_can_be_interrupted(kind):
    """Rosenbrock's valley gets lower; a run saved as JSON in the middle goes on to the same bits."""

    def descend(steps, ps, optimizer):
        for _ in range(steps):
            x, y = ps
            loss = (1 - x) ** 2 + 0.5 * (y - x * x) ** 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.data

    whole = [Value(-1.0), Value(2.0)]
    last = descend(200, whole, kind(whole))
    assert last < 1e-2
    first = [Value(-1.0), Value(2.0)]
    optimizer = kind(first)
    descend(90, first, optimizer)
    state = json.loads(json.dumps([optimizer.state_dict(), [p.data for p in first]]))
    second = [Value(number) for number in state[1]]
    again = kind(second)
    again.load_state_dict(state[0])
    descend(110, second, again)
    assert [p.data for p in second] == [p.data for p in whole]
    for wrong in (state[0], {}, None, {**again.state_dict(), "steps": "x"}, {"steps": 0, "velocity": ["a"]}):
        with pytest.raises(am.ArgumentError, match="another optimizer"):
            kind([Value(1.0)]).load_state_dict(wrong)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: optim.SGD([]), am.ArgumentError),
        (lambda: optim.SGD([1.0]), am.OperandError),
        (lambda: optim.Adam(nn.MLP(1, [1])), am.OperandError),
        (lambda: optim.SGD([Value(1.0)], lr="x"), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0) * 2]), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], lr=0.0), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], momentum=1.0), am.ArgumentError),
        (lambda: optim.SGD([Value(1.0)], weight_decay=-1.0), am.ArgumentError),
        (lambda: optim.Adam([Value(1.0)], betas=(0.9, 1.0)), am.ArgumentError),
        (lambda: optim.Adam([Value(1.0)], betas=(0.9,)), am.ArgumentError),
        (lambda: optim.Adam([Value(1.0)], eps=0.0), am.ArgumentError),
    ],
)
def test_bad_settings(call, error):
    """Settings out of range and parameters that are none are refused at once."""
    with pytest.raises(error, match="do:"):
        call()
