"""A network without a network library: weights, a loop and backward(), checked against backprop by hand."""

import math
import random

import autograd_mini as am

random.seed(0)
samples = [(x / 10, math.sin(x / 5)) for x in range(-30, 31)]  # learn a sine

hidden = 8
w1 = [am.Value(random.gauss(0.0, 1.0)) for _ in range(hidden)]
b1 = [am.Value(random.gauss(0.0, 1.0)) for _ in range(hidden)]
w2 = [am.Value(random.gauss(0.0, 0.5)) for _ in range(hidden)]
b2 = am.Value(0.0)
parameters = [*w1, *b1, *w2, b2]


def network(x):
    """Compute tanh of weighted inputs, then a weighted sum; every operation is composed from primitives."""
    return am.dot(w2, [am.tanh(w * x + b) for w, b in zip(w1, b1, strict=True)]) + b2


for step in range(300):
    loss = am.mean([(network(x) - y) ** 2 for x, y in samples])
    for p in parameters:
        p.grad = 0.0
    loss.backward()
    for p in parameters:
        p.data -= 0.1 * p.grad
    if step % 100 == 0 or step == 299:
        print(f"step {step:3d}: loss {loss:.5f}")

# Backprop by hand for one sample: dL/dy = 2 (y - t), through w2, through tanh' = 1 - h², through w1.
x, t = samples[5]
for p in parameters:
    p.grad = 0.0
((network(x) - t) ** 2).backward()
h = [math.tanh(w.data * x + b.data) for w, b in zip(w1, b1, strict=True)]
dy = 2.0 * (sum(w.data * a for w, a in zip(w2, h, strict=True)) + b2.data - t)
dw2 = [dy * a for a in h]
db1 = [dy * w.data * (1.0 - a * a) for w, a in zip(w2, h, strict=True)]
dw1 = [d * x for d in db1]
by_hand = [*dw1, *db1, *dw2, dy]
difference = max(abs(p.grad - d) for p, d in zip(parameters, by_hand, strict=True))
print(f"largest difference from backprop by hand over {len(parameters)} parameters: {difference:.1e}")
assert difference < 1e-12
