"""Twenty graphs of twenty kinds, small and large, with scopes and without, as people draw them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import autograd_mini as am
from autograd_mini import Value


def _swept(root: Value) -> Value:
    root.backward()
    return root


def neuron() -> Value:
    """A neuron of two inputs."""
    x1, x2, w1, w2 = (Value(v, name=n) for n, v in {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0}.items())
    b = Value(6.8813735870195432, name="b")
    n = x1 * w1 + x2 * w2 + b
    n.name = "n"
    o = am.tanh(n)
    o.name = "o"
    return _swept(o)


def primitives(samples: int = 4, hidden: int = 4) -> Value:
    """A network 2-4-1 from primitives alone, for four samples."""
    choose = random.Random(0)
    w1 = [[Value(choose.gauss(0, 1)) for _ in range(2)] for _ in range(hidden)]
    b1 = [Value(0.1 * i) for i in range(hidden)]
    w2, b2 = [Value(choose.gauss(0, 1)) for _ in range(hidden)], Value(0.0)
    total = Value(0.0)
    for i in range(samples):
        x = [math.sin(i), math.cos(i)]
        h = [am.tanh(w[0] * x[0] + w[1] * x[1] + b) for w, b in zip(w1, b1, strict=True)]
        y = sum(w * a for w, a in zip(w2, h, strict=True)) + b2
        total = total + (y - i % 2) ** 2
    return _swept(total)


def deep_primitives() -> Value:
    """A network 3-4-4-1 from primitives, as in Karpathy's lecture, for four samples."""
    choose = random.Random(1)

    def layer(ins: int, outs: int) -> list[tuple[list[Value], Value]]:
        return [([Value(choose.uniform(-1, 1)) for _ in range(ins)], Value(choose.uniform(-1, 1))) for _ in range(outs)]

    layers = [layer(3, 4), layer(4, 4), layer(4, 1)]
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    outputs = []
    for x in xs:
        for neurons in layers:
            x = [am.tanh(sum((wi * xi for wi, xi in zip(w, x, strict=True)), b)) for w, b in neurons]
        outputs.append(x[0])
    return _swept(sum((y - t) ** 2 for y, t in zip(outputs, [1.0, -1.0, -1.0, 1.0], strict=True)))


def perceptron() -> Value:
    """A network of `nn`, one sample."""
    model = am.nn.MLP(3, [4, 4, 1], activation="tanh", seed=0)
    return _swept((model([Value(0.5, name="x0"), Value(-1.0, name="x1"), Value(2.0, name="x2")]) - 1.0) ** 2)


def samples() -> Value:
    """A network of `nn`, a hundred samples."""
    model, choose = am.nn.MLP(2, [8, 8, 1], activation="relu", seed=0), random.Random(0)
    losses = [am.relu(1.0 - (-1) ** i * model([choose.gauss(0, 1), choose.gauss(0, 1)])) for i in range(100)]
    return _swept(am.mean(losses) + 1e-4 * am.sum([p * p for p in model.parameters()]))


def recurrent(steps: int = 10) -> Value:
    """A recurrent network of two units, unrolled over ten steps, with a scope per step."""
    w = [Value(0.3 * i - 0.4, name=f"w{i}") for i in range(4)]
    u = [Value(0.5, name="u0"), Value(-0.5, name="u1")]
    h: list[Value] = [Value(0.0, name="h0"), Value(0.0, name="h1")]
    for t in range(steps):
        with am.scope("cell"):
            x = math.sin(t)
            h = [am.tanh(w[2 * i] * h[0] + w[2 * i + 1] * h[1] + u[i] * x) for i in range(2)]
    return _swept((h[0] - h[1]) ** 2)


def loop(steps: int = 10) -> Value:
    """A recurrent unit without scopes."""
    w, u, b = Value(0.9, name="w"), Value(0.5, name="u"), Value(0.1, name="b")
    h = Value(0.0, name="h0")
    for t in range(steps):
        h = am.tanh(w * h + u * math.sin(t) + b)
    return _swept(h)


def attention(tokens: int = 3, width: int = 2) -> Value:
    """An attention head: queries, keys, values in scopes of their own."""
    choose = random.Random(2)
    xs = [[choose.gauss(0, 1) for _ in range(width)] for _ in range(tokens)]

    def project(name: str) -> list[list[Value]]:
        weights = [[Value(choose.gauss(0, 1), name=f"{name[0]}{i}{j}") for j in range(width)] for i in range(width)]
        with am.scope(name):
            return [[am.dot(row, x) for row in weights] for x in xs]

    queries, keys, values = map(project, ("queries", "keys", "values"))
    out = []
    for i in range(tokens):
        with am.scope("attend"):
            a = am.softmax([am.dot(queries[i], k) / math.sqrt(width) for k in keys])
            out += [am.dot(a, [v[j] for v in values]) for j in range(width)]
    return _swept(am.sum([o * o for o in out]))


def black_scholes() -> Value:
    """The price of a call option."""
    s, k, r, v, t = (Value(x, name=n) for n, x in {"S": 100.0, "K": 105.0, "r": 0.02, "σ": 0.2, "T": 0.5}.items())
    d1 = (am.log(s / k) + (r + v * v / 2.0) * t) / (v * am.sqrt(t))
    d1.name = "d1"
    d2 = d1 - v * am.sqrt(t)
    d2.name = "d2"
    price = s * am.ndtr(d1) - k * am.exp(-r * t) * am.ndtr(d2)
    price.name = "price"
    return _swept(price)


def mixture() -> Value:
    """The log-likelihood of a mixture of two Gaussians, four points."""
    mean = [Value(-1.0, name="μ0"), Value(2.0, name="μ1")]
    spread = [Value(0.0, name="ρ0"), Value(0.3, name="ρ1")]
    weight = Value(0.2, name="w")
    parts = []
    for x in (-1.2, 0.3, 1.8, 2.5):
        logs = [-0.5 * ((x - m) / am.exp(s)) ** 2 - s for m, s in zip(mean, spread, strict=True)]
        parts.append(am.logsumexp([logs[0] + am.log_sigmoid(weight), logs[1] + am.log_sigmoid(-weight)]))
    return _swept(am.sum(parts))


def softmax() -> Value:
    """Softmax, then cross-entropy by hand."""
    z = [Value(number, name=f"z{i}") for i, number in enumerate([2.0, 1.0, 0.1])]
    a = am.softmax(z)
    for i, probability in enumerate(a):
        probability.name = f"a{i}"
    loss = -am.log(a[0])
    loss.name = "loss"
    return _swept(loss)


def norm() -> Value:
    """A layer norm, written by hand."""
    x = [Value(v, name=f"x{i}") for i, v in enumerate([1.0, -2.0, 0.5, 4.0])]
    centre = am.mean(x)
    variance = am.mean([(v - centre) ** 2 for v in x])
    return _swept(am.sum([(v - centre) / am.sqrt(variance + 1e-5) * (i + 1.0) for i, v in enumerate(x)]))


def diamond() -> Value:
    """Two paths that meet, twice."""
    a = Value(3.0, name="a")
    b = a + a
    b.name = "b"
    c = am.sin(b) * am.cos(b) + b
    c.name = "c"
    return _swept(c)


def chain(length: int = 40) -> Value:
    """A chain of forty operations, alternating."""
    x = Value(0.5, name="x")
    y = x
    for i in range(length // 2):
        y = am.sin(y) if i % 2 else am.cos(y)
        y = y * 1.1
    return _swept(y)


def transformer() -> Value:
    """A training step of a transformer."""
    from visualizations.transformer import step

    return step()


def hostile() -> Value:
    """Names with markup, other scripts and great length."""
    names = ["<b>&amp;", "two\nlines", "漢字", "שלום", "x" * 200, 'a"b|c:d', "\\N"]
    leaves = [Value(float(i), name=name) for i, name in enumerate(names)]
    with am.scope("<i>" + "y" * 80):
        total = am.sum([am.sin(leaf) for leaf in leaves])
    total.name = "]]>"
    return _swept(total)


def loss() -> Value:
    """Cross-entropy of five logits."""
    return _swept(am.cross_entropy([Value(0.3 * i, name=f"z{i}") for i in range(5)], 2))


def unswept() -> Value:
    """A polynomial before any backward."""
    x = Value(0.1, name="x")
    return 1.0 + x * (2.0 + x * (3.0 + x * (4.0 + x)))


def many_leaves() -> Value:
    """A dot product of sixteen weights, then a loss."""
    w = [Value(math.sin(i), name=f"w[{i}]") for i in range(16)]
    x = [Value(math.cos(i), name=f"x[{i}]") for i in range(16)]
    return _swept(am.softplus(am.dot(w, x)) + 0.01 * am.sum([v * v for v in w]))


def branches() -> Value:
    """Branches not taken, kinks, steps, and a nan."""
    x, y = Value(1.0, name="x"), Value(-2.0, name="y")
    taken = am.where(x > 0.0, am.relu(y) + am.abs(y), am.exp(y))
    return _swept(taken * am.floor(x) + am.leaky_relu(y) + am.maximum(x, y) * am.log(x - 1.0))


GRAPHS: dict[str, Callable[[], Value]] = {
    make.__name__: make
    for make in (
        neuron, primitives, deep_primitives, perceptron, samples, recurrent, loop, attention, black_scholes, mixture,
        softmax, norm, diamond, chain, transformer, hostile, loss, unswept, many_leaves, branches,
    )
}  # fmt: skip
