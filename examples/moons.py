"""micrograd's moons: two interleaved half circles, a network 2-16-16-1, hinge loss, and a plot with matplotlib."""

import importlib.util
import math
import random

import autograd_mini as am

random.seed(1337)
points, labels = [], []
for i in range(100):
    angle = math.pi * random.random()
    upper = i % 2 == 0
    x, y = (math.cos(angle), math.sin(angle)) if upper else (1.0 - math.cos(angle), 0.5 - math.sin(angle))
    points.append([x + random.gauss(0.0, 0.1), y + random.gauss(0.0, 0.1)])
    labels.append(1 if upper else -1)

model = am.nn.MLP(2, [16, 16, 1], seed=1337)
print(f"{len(model.parameters())} parameters")

for step in range(60):
    scores = [model(point) for point in points]
    loss = am.hinge(scores, labels) + 1e-4 * am.sum([p * p for p in model.parameters()])
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= (1.0 - 0.9 * step / 60) * p.grad
    right = sum((score.data > 0.0) == (label > 0) for score, label in zip(scores, labels, strict=True))
    if step % 10 == 0 or step == 59:
        print(f"step {step:2d}: loss {loss:.4f}, accuracy {right}%")

if importlib.util.find_spec("matplotlib") is None:
    print("no matplotlib, no plot: pip install matplotlib")
else:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    xs = [-1.6 + 4.2 * i / 60 for i in range(61)]
    ys = [-1.2 + 2.9 * i / 40 for i in range(41)]
    scores = [[model([x, y]).data for x in xs] for y in ys]
    plt.figure(figsize=(6, 4))
    plt.contourf(xs, ys, scores, levels=[-1e9, 0.0, 1e9], colors=["#d6604d", "#4393c3"], alpha=0.4)
    plt.scatter(*zip(*points, strict=True), c=labels, cmap="RdBu", edgecolors="black")
    plt.title("moons: the decision boundary")
    plt.savefig("moons.png", dpi=100)
    print("drawn: moons.png")
