"""Random programs for both texts of the inner loop: as a process, it answers for the text of its environment.

A program is plain data: leaves, and steps that name an operation and pick operands from everything made before.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core import cell
from autograd_mini.core.node import is_cut_off
from autograd_mini.core.row import FLAT, TABLE
from autograd_mini.core.sweep import topological_order

CONSTANTS = [0, 1, 2, -1, 3, 2**60 + 1, 10**400, True, False, Fraction(1, 3), Fraction(-7, 2)]
CONSTANTS += [0.0, -0.0, 1.0, 2.0, -1.0, 0.5, 1e-310, 5e-324, 1e308, math.inf, -math.inf, math.nan]


def _inside(x, y):
    with am.no_grad():
        return x * y + 1.0


def _scoped(x, y):
    with am.scope("inner"):
        return am.relu(x) - y


def _flat(x):
    return cell.record(TABLE["flat"], FLAT, x, None, 1.0, am.ZERO) if type(x) is Value else x


def _flat_edges(x, y):
    edges = [FLAT if type(v) is Value else am.ZERO for v in (x, y)]
    return cell.record(TABLE["mul"], 0.0, x, y, *edges) if type(x) is type(y) is Value else x


def _written(x):
    if type(x) is Value and x.op is None:
        x.data = 0.75
    return x


def _swept(x):
    if type(x) is Value:
        x.backward(-1.5)
    return x


def _named(x):
    if type(x) is Value:
        x.name = "named"
    return x


OPERATIONS = {
    "add": lambda x, y, z: x + y,
    "sub": lambda x, y, z: x - y,
    "mul": lambda x, y, z: x * y,
    "div": lambda x, y, z: x / y,
    "pow": lambda x, y, z: x**y,
    "floor": lambda x, y, z: x // y,
    "remainder": lambda x, y, z: x % y,
    "square": lambda x, y, z: x**2,
    "square of floats": lambda x, y, z: x**2.0,
    "neg": lambda x, y, z: -x,
    "pos": lambda x, y, z: +x,
    "abs": lambda x, y, z: abs(x),
    "unbound": lambda x, y, z: x.__radd__(y) if type(x) is Value else z,
    "unbound too": lambda x, y, z: x.__rsub__(y) if type(x) is Value else z,
    "relu": lambda x, y, z: am.relu(x),
    "relu of nan": lambda x, y, z: am.relu(x * math.nan),
    "relu as recorded": lambda x, y, z: cell.record_relu(x) if type(x) is Value else y,
    "nan as recorded": lambda x, y, z: cell.record_relu(x * math.nan) if type(x) is Value else y,
    "exp": lambda x, y, z: am.exp(x),
    "log": lambda x, y, z: am.log(x),
    "sqrt": lambda x, y, z: am.sqrt(x),
    "tanh": lambda x, y, z: am.tanh(x),
    "sigmoid": lambda x, y, z: am.sigmoid(x),
    "xlogy": lambda x, y, z: am.xlogy(x, y),
    "maximum": lambda x, y, z: am.maximum(x, y, z),
    "clip": lambda x, y, z: am.clip(x, y, z),
    "where": lambda x, y, z: am.where(x > 0.0, y, z),
    "dot": lambda x, y, z: am.dot([x, y, z], (y, y, x)),
    "dot of one": lambda x, y, z: am.dot([x], [y]),
    "dot of two": lambda x, y, z: am.dot([x, y], [z, x]),
    "sum": lambda x, y, z: am.sum([x, y, z, x]),
    "sum of one": lambda x, y, z: am.sum([x]),
    "sum of two": lambda x, y, z: am.sum((x, y)),
    "sum from": lambda x, y, z: am.sum([x, y], z),
    "Python's sum": lambda x, y, z: sum([x, y, z]),
    "mean": lambda x, y, z: am.mean([x, y, z]),
    "norm": lambda x, y, z: am.norm([x, y]),
    "softmax": lambda x, y, z: am.softmax([x, y, z])[1],
    "detach": lambda x, y, z: x.detach() if type(x) is Value else y,
    "stop": lambda x, y, z: am.stop_gradient(x),
    "no_grad": lambda x, y, z: _inside(x, y),
    "scope": lambda x, y, z: _scoped(x, y),
    "flat": lambda x, y, z: _flat(x),
    "flat dot": lambda x, y, z: am.dot([_flat(x), z], [y, z]) * y,
    "flat dot of one": lambda x, y, z: am.dot([_flat(x)], [y]),
    "flat sum": lambda x, y, z: am.sum([_flat(x), y, _flat(x)]),
    "flat relu": lambda x, y, z: am.relu(_flat(x)) + _flat(x) * y - _flat(x) / z,
    "flat edges": lambda x, y, z: _flat_edges(x, y),
    "branch": lambda x, y, z: y if x < z else x * y,
    "write": lambda x, y, z: _written(x),
    "backward": lambda x, y, z: _swept(x),
    "name": lambda x, y, z: _named(x),
    "grad": lambda x, y, z: am.grad(lambda t: t * y * t + x)(z),
    "hessian": lambda x, y, z: am.hessian(lambda t: t[0] ** 2 * t[1] / x)([y, z])[0][1],
}


def _run(pool, steps):
    """All that a program makes; an error takes the place of a result."""
    pool = [*pool]
    for name, *picks in steps:
        x, y, z = [pool[-1 - pick % len(pool)] if pick < 50 else pool[pick % len(pool)] for pick in picks]
        if type(x) is not Value and type(y) is not Value:
            x = pool[0]  # not ours to test, and powers of integers may be endless
        try:
            pool.append(OPERATIONS[name](x, y, z))
        except (am.AutogradError, ArithmeticError, TypeError, ValueError) as error:
            pool.append(float(len(type(error).__name__)))  # the kinds of errors are compared below
    return pool


def written(x, numbers):
    """What a thing is to the last bit, payloads of nan aside; nodes by the number of their first appearance."""
    if isinstance(x, Value):
        return f"#{numbers.setdefault(id(x), len(numbers))}"
    if isinstance(x, (tuple, list)) and not hasattr(x, "_fields"):
        return [written(part, numbers) for part in x]
    if isinstance(x, float):
        return f"{type(x).__name__} {float(x).hex()}"
    return repr(x) if x is None or isinstance(x, (int, str, Fraction)) or x is am.ZERO else type(x).__name__


def fields(node, numbers):
    """All fields of a node."""
    own = [node._data, node._left, node._right, node._dleft, node._dright, node._grad, node.operands, node.partials]
    path = () if node.scope is None else node.scope.path
    return [node.op, node.name, "/".join(path), *[written(field, numbers) for field in own]]


def answer(leaves, steps):
    """Everything that a program makes, before and after two sweeps; the order; derivatives of it as a function."""
    inputs = [Value(number) for number in leaves]
    made = _run([*inputs, *CONSTANTS], steps)
    numbers, found = {}, []
    nodes = [x for x in made if isinstance(x, Value)]
    order = topological_order(nodes[-1])
    everything = topological_order(nodes[-1], everything=True)
    found.append([written([*order], numbers), written([*everything], numbers), written(made, numbers)])
    for root in (None, nodes[-1], nodes[-1], nodes[len(nodes) // 2]):
        try:
            if root is not None:
                root.backward(0.5)
        except am.AutogradError as error:
            found.append(type(error).__name__)
        found.append([fields(node, numbers) for node in (*everything, *nodes)])

    def program(xs):
        return [x for x in _run([*xs, *CONSTANTS], steps) if isinstance(x, (Value, float))][-1]

    swept = any(name in ("backward", "write", "name") for name, *_ in steps)
    for transform in () if swept else (am.grad, am.value_and_grad, am.jacobian, am.hessian):
        try:
            found.append(written(transform(program)(leaves), {}))
        except (am.AutogradError, ArithmeticError, TypeError, ValueError) as error:
            found.append(type(error).__name__)
    return found


def singles(name, leaves):
    """One operation on all triples of these leaves, and with a constant in each place: results and one sweep."""
    found = []
    for x in leaves:
        for y in leaves:
            inputs = [Value(x), Value(y)]
            for operands in ((*inputs, inputs[0]), (inputs[0], y, 2), (x, inputs[1], 2.0), (inputs[0], x, inputs[1])):
                numbers = {}
                try:
                    result = OPERATIONS[name](*operands)
                except (am.AutogradError, ArithmeticError, TypeError, ValueError) as error:
                    found.append(type(error).__name__)
                    continue
                if type(result) is Value:
                    if not is_cut_off(result):
                        result.backward(3.0)
                    found.append([fields(node, numbers) for node in topological_order(result, everything=True)])
                found.append(written(result, numbers))
    return found


def digest(root):
    """The order behind a root, and all fields of its nodes after a sweep, in a few bytes."""
    order = topological_order(root)
    root.backward()
    numbers = {id(node): i for i, node in enumerate(order)}
    found = hashlib.sha256()
    for node in order:
        own = (node._left, node._right, node._dleft, node._dright, node._data, node._grad)
        found.update(repr((node.op, written(own, numbers))).encode())
    return found.hexdigest(), len(order)


def deep():
    """A graph of 100,000 steps, with shared nodes, relus, dots and constants."""
    x = y = Value(0.3)
    for i in range(17_000):
        y = am.relu(y * 1.001 - x) + am.dot([y, x, 0.5], [x, 0.25, y]) / (x + float(i))
    return digest(y)


def wide():
    """A sum and a dot of 1,000 operands each, some of them numbers."""
    xs = [Value(i / 7.0) if i % 5 else i / 3.0 for i in range(1000)]
    return digest(am.sum(xs) * am.dot(xs, xs[::-1]) + am.mean([x * 0.1 for x in xs if type(x) is Value]))


TASKS = {function.__name__: function for function in (answer, singles, deep, wide)}
TASKS["implementation"] = lambda: am.engine.implementation


class Other:
    """The other text, in a process of its own, which stays as long as this object."""

    def __init__(self):
        pure = "0" if am.engine.implementation == "python" else "1"
        paths = os.pathsep.join([str(Path(__file__).parent.parent.parent), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.core.twin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "AUTOGRAD_MINI_PURE": pure, "PYTHONPATH": paths},
        )  # fmt: skip

    def ask(self, task, *arguments):
        """The answer of the other text to a task."""
        pickle.dump((task, arguments), self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(timeout=60) == 0


def serve():
    """Answer tasks from standard input, until it ends."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    while source.peek(1):
        task, arguments = pickle.load(source)
        pickle.dump(TASKS[task](*arguments), sink)
        sink.flush()


if __name__ == "__main__":
    serve()
