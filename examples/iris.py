"""Iris with a hidden layer: three species from four lengths. `autograd-mini demo` has no hidden layer."""

import random

import autograd_mini as am
from autograd_mini.demo.data import iris

train, test = iris().split()
model = am.nn.MLP(4, [8, 3], activation="tanh", seed=0)
descent = am.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
random.seed(0)


def centred(row):
    """Shift lengths in cm so that their average is about zero."""
    return [x - c for x, c in zip(row, (5.8, 3.1, 3.8, 1.2), strict=True)]


def accuracy(data):
    """Return the share of flowers whose largest logit belongs to their species."""
    right = 0
    for row, label in zip(data.rows, data.labels, strict=True):
        logits = [z.data for z in model(centred(row))]
        right += logits.index(max(logits)) == label
    return right / len(data)


for step in range(150):
    batch = random.sample(range(len(train)), 24)
    loss = am.mean([am.cross_entropy(model(centred(train.rows[i])), train.labels[i]) for i in batch])
    model.zero_grad()
    loss.backward()
    descent.step()
    if step % 50 == 0:
        print(f"step {step:3d}: loss {loss:.4f}")

print(f"accuracy: {accuracy(train):.1%} in training, {accuracy(test):.1%} on the test flowers")
assert accuracy(test) > 0.9
