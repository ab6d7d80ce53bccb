"""Engines to be judged: one with a switch for each mistake, and the shapes of well-known ones."""

from __future__ import annotations

import math
from collections import deque


class Value:
    """Reverse mode as many write it first; a subclass plants a mistake by setting switches."""

    order = "topological"  # or the name of a wrong walk
    assigns: tuple[str, ...] = ()  # the operations that assign gradients
    merges_equal = False
    visited: set | None = None  # a set that calls of backward() share
    beginning = "restart"
    rules: dict[str, object] = {}  # noqa: RUF012  # other local derivatives, by operation
    functions: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, data, edges=(), op=""):
        self.data, self.edges, self.op, self.grad = data, edges, op, 0.0

    # -- operations --

    def _made(self, op, others, data, locals_):
        operands = (self, *others)
        numbers = [x.data for x in operands]
        if op in self.functions:
            data = self.functions[op](*numbers)
        if op in self.rules:
            locals_ = self.rules[op](data, *numbers)
        edges = tuple(zip(operands, locals_, strict=True))
        if self.merges_equal:
            edges = tuple({id(x): (x, local) for x, local in edges}.values())
        return type(self)(data, edges, op)

    def _lift(self, other):
        return other if isinstance(other, Value) else type(self)(other)

    def __add__(self, other):
        other = self._lift(other)
        return self._made("add", (other,), self.data + other.data, (1.0, 1.0))

    def __mul__(self, other):
        other = self._lift(other)
        return self._made("mul", (other,), self.data * other.data, (other.data, self.data))

    def __sub__(self, other):
        other = self._lift(other)
        return self._made("sub", (other,), self.data - other.data, (1.0, -1.0))

    def __truediv__(self, other):
        other = self._lift(other)
        return self._made(
            "div", (other,), self.data / other.data, (1.0 / other.data, -self.data / other.data / other.data)
        )

    def __pow__(self, p):
        assert isinstance(p, (int, float))
        y = self.data**p
        return self._made("pow", (), y, (p * self.data ** (p - 1),))

    def __neg__(self):
        return self._made("neg", (), -self.data, (-1.0,))

    def __radd__(self, other):
        return self._lift(other) + self

    def __rmul__(self, other):
        return self._lift(other) * self

    def __rsub__(self, other):
        return self._lift(other) - self

    def __rtruediv__(self, other):
        return self._lift(other) / self

    def exp(self):
        y = math.exp(self.data)
        return self._made("exp", (), y, (y,))

    def log(self):
        return self._made("log", (), math.log(self.data), (1.0 / self.data,))

    def tanh(self):
        y = math.tanh(self.data)
        return self._made("tanh", (), y, (1.0 - y * y,))

    def relu(self):
        return self._made("relu", (), max(self.data, 0.0), (1.0 if self.data > 0.0 else 0.0,))

    # -- the sweep --

    def backward(self):
        nodes = self.sorted()
        for node in nodes:
            if self.beginning == "clear all" or (self.beginning == "restart" and node.edges):
                node.grad = 0.0
        if self.beginning != "no seed":
            self.grad = 1.0 + self.grad * (self.beginning == "root added")
        getattr(self, f"walk_{self.order}")(nodes)

    def sorted(self):
        found, path = {}, [(self, iter(self.edges))]
        while path:
            for operand, _ in path[-1][1]:
                if operand not in found:
                    path.append((operand, iter(operand.edges)))
                    break
            else:
                found[path.pop()[0]] = None
        if self.visited is not None:
            found = {node: None for node in found if node not in self.visited}
            self.visited.update(found)
        return [*found]

    def hand(self, edge):
        operand, local = edge
        contribution = self.grad * local
        operand.grad = contribution if self.op in self.assigns else operand.grad + contribution

    def hand_on(self):
        for edge in self.edges:
            self.hand(edge)

    def walk_topological(self, nodes):
        for node in reversed(nodes):
            node.hand_on()

    def walk_leaves_first(self, nodes):
        for node in nodes:
            node.hand_on()

    def walk_root(self, nodes):
        self.hand_on()

    def walk_recursive(self, nodes):
        for edge in self.edges:
            self.hand(edge)
            edge[0].walk_recursive(nodes)

    def walk_recursive_after(self, nodes):
        self.hand_on()
        for operand, _ in self.edges:
            operand.walk_recursive_after(nodes)

    def walk_paths(self, nodes, gradient=1.0):
        for operand, local in self.edges:
            operand.grad = gradient * local + (0.0 if self.op in self.assigns else operand.grad)
            operand.walk_paths(nodes, gradient * local)

    def walk_visited(self, nodes, seen=None):
        seen = {self} if seen is None else seen
        self.hand_on()
        for operand, _ in self.edges:
            if operand not in seen:
                seen.add(operand)
                operand.walk_visited(nodes, seen)

    def _wait(self, last_in, once):
        waiting, seen = deque([self]), {self}
        while waiting:
            node = waiting.pop() if last_in else waiting.popleft()
            node.hand_on()
            for operand, _ in node.edges:
                if not (once and operand in seen):
                    seen.add(operand)
                    waiting.append(operand)

    def walk_stack(self, nodes):
        self._wait(last_in=True, once=True)

    def walk_stack_paths(self, nodes):
        self._wait(last_in=True, once=False)

    def walk_queue(self, nodes):
        self._wait(last_in=False, once=True)

    def walk_queue_paths(self, nodes):
        self._wait(last_in=False, once=False)


def planted(**switches):
    """A class with these switches."""
    return type("Value", (Value,), switches)


# -- the shapes of others ----------------------------------------------------------------------------------------------


class Microgpt:
    """As in Karpathy's microgpt: children and local gradients in tuples."""

    __slots__ = ("_children", "_local_grads", "data", "grad")

    def __init__(self, data, children=(), local_grads=()):
        self.data, self.grad, self._children, self._local_grads = data, 0, children, local_grads

    def __add__(self, other):
        other = other if isinstance(other, Microgpt) else Microgpt(other)
        return Microgpt(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Microgpt) else Microgpt(other)
        return Microgpt(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other):
        return Microgpt(self.data**other, (self,), (other * self.data ** (other - 1),))

    def log(self):
        return Microgpt(math.log(self.data), (self,), (1 / self.data,))

    def exp(self):
        return Microgpt(math.exp(self.data), (self,), (math.exp(self.data),))

    def relu(self):
        return Microgpt(max(0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self):
        return self * -1

    def __radd__(self, other):
        return self + other

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __rmul__(self, other):
        return self * other

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return other * self**-1

    def backward(self):
        topo, visited = [], set()

        def build_topo(v):
            if v not in visited:
                visited.add(v)
                for child in v._children:
                    build_topo(child)
                topo.append(v)

        build_topo(self)
        self.grad = 1
        for v in reversed(topo):
            for child, local_grad in zip(v._children, v._local_grads, strict=True):
                child.grad += local_grad * v.grad


class Scalar:
    """As in minitorch: `derivative` on leaves alone, a history, `backward(d_output)`, log(x + 1e-6)."""

    EPS = 1e-6

    def __init__(self, v, back=None, name=None):
        self.data, self.derivative, self.history, self.name = float(v), None, back or (), name

    def requires_grad_(self, x):
        pass

    def is_leaf(self):
        return not self.history

    def accumulate_derivative(self, x):
        assert self.is_leaf(), "Only leaf variables can have derivatives."
        self.derivative = (self.derivative or 0.0) + x

    def _apply(self, number, *pairs):
        return Scalar(number, tuple(pairs))

    def _other(self, b):
        return b if isinstance(b, Scalar) else Scalar(b)

    def __add__(self, b):
        b = self._other(b)
        return self._apply(self.data + b.data, (self, 1.0), (b, 1.0))

    def __mul__(self, b):
        b = self._other(b)
        return self._apply(self.data * b.data, (self, b.data), (b, self.data))

    def __neg__(self):
        return self._apply(-self.data, (self, -1.0))

    def __sub__(self, b):
        return self + -self._other(b)

    def inv(self):
        return self._apply(1.0 / self.data, (self, -1.0 / self.data**2))

    def __truediv__(self, b):
        return self * self._other(b).inv()

    def __rtruediv__(self, b):
        return self._other(b) / self

    __radd__, __rmul__ = __add__, __mul__

    def log(self):
        return self._apply(math.log(self.data + self.EPS), (self, 1.0 / (self.data + self.EPS)))

    def exp(self):
        y = math.exp(self.data)
        return self._apply(y, (self, y))

    def sigmoid(self):
        y = 1.0 / (1.0 + math.exp(-self.data))
        return self._apply(y, (self, y * (1.0 - y)))

    def relu(self):
        return self._apply(max(self.data, 0.0), (self, float(self.data > 0.0)))

    def backward(self, d_output=None):
        order, seen = [], set()

        def visit(variable):
            if id(variable) in seen:
                return
            seen.add(id(variable))
            for parent, _ in variable.history:
                visit(parent)
            order.insert(0, variable)

        visit(self)
        derivatives = {id(self): 1.0 if d_output is None else d_output}
        for variable in order:
            d = derivatives.get(id(variable), 0.0)
            if variable.is_leaf():
                variable.accumulate_derivative(d)
            for parent, local in variable.history:
                derivatives[id(parent)] = derivatives.get(id(parent), 0.0) + d * local
