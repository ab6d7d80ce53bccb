"""Networks: micrograd's interface, layers, seeds, activations; where parameters are found; states, files, errors."""

from __future__ import annotations

import collections
import copy
import functools
import itertools
import json
import logging
import math
import operator
import pickle
import random
import statistics
import types
import weakref
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, nn, optim


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ReLU", "write 'relu' as a part of nn.Sequential, or am.relu(x)"),
        ("LeakyReLU", "write 'leaky_relu' as a part of nn.Sequential, or am.leaky_relu(x)"),
        ("CrossEntropyLoss", "write am.cross_entropy(...)"),
        ("Dense", "module 'autograd_mini.nn' has no attribute 'Dense'$"),
    ],
)
def test_classes_of_pytorch_that_are_functions_here(name, hint):
    """The error says how to write them."""
    with pytest.raises(AttributeError, match=hint.replace("(", r"\(").replace(")", r"\)")):
        getattr(nn, name)


def test_micrograds_own_program_runs():
    """The training loop of micrograd's README and demo, with only the imports changed."""
    from autograd_mini.engine import Value
    from autograd_mini.nn import MLP

    random.seed(1337)
    model = MLP(2, [16, 16, 1])  # 2-layer neural network
    assert repr(model).startswith("MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)")
    assert repr(model).endswith("Layer of [LinearNeuron(16)]]")
    assert len(model.parameters()) == 337
    random.seed(1337)
    assert model.parameters()[0].data == random.uniform(-1, 1)

    xs = [[2.0, 3.0], [3.0, -1.0], [0.5, 1.0], [1.0, 1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    losses = []
    for k in range(20):
        inputs = [list(map(Value, row)) for row in xs]
        scores = list(map(model, inputs))
        data_loss = sum((1 + -yi * si).relu() for yi, si in zip(ys, scores, strict=True)) * (1.0 / len(ys))
        loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * 0.1 * p.grad
        losses.append(loss.data)
    assert losses[-1] < 0.5 * losses[0]

    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert f"{g.data:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"  # printed in micrograd's README
    assert {"*", "+"} >= {v._op for v in d._prev} | {d._op}


def test_a_neuron_is_one_dot_node():
    """Weighted sum, bias, activation: three nodes, whatever the number of inputs."""
    neuron = nn.Neuron(5, seed=0)
    output = neuron([1.0, 2.0, Value(3.0), 4, 5.0])
    assert output.op == "where"
    assert output.scope.path == ("relu",)
    linear = output.operands[1] if type(output.operands[1]) is Value else output.operands[2]
    assert (linear.op, linear.operands[0].op) == ("add", "dot")


def test_seeds_and_activations():
    """The same seed gives the same weights; activations go by name or are any function."""
    one, other = nn.MLP(3, [4, 2], seed=7), nn.MLP(3, [4, 2], seed=7)
    assert one.state_dict() == other.state_dict() != nn.MLP(3, [4, 2], seed=8).state_dict()
    x = [0.1, -0.2, 0.3]
    for activation in ("tanh", am.tanh, lambda z: am.tanh(z)):
        model = nn.MLP(3, [4, 2], activation=activation, seed=7)
        hidden = [am.tanh(am.dot([w.data for w in n.w], x) + n.b.data) for n in model.layers[0].neurons]
        expected = [am.dot([w.data for w in n.w], hidden) + n.b.data for n in model.layers[1].neurons]
        assert [z.data for z in model(x)] == expected
    assert repr(nn.Neuron(1, activation="tanh")) == "TanhNeuron(1)"
    with am.scope("net"):
        assert model(x)[1].scope.path == ("net", "Layer1", "Neuron1")


def test_state_survives_json():
    """state_dict goes through JSON and back; what does not fit is refused before anything changes."""
    model, other = nn.MLP(2, [3, 1], seed=1), nn.MLP(2, [3, 1], seed=2)
    state = json.loads(json.dumps(model.state_dict()))
    other.load_state_dict(state)
    assert other([0.5, 0.5]).data == model([0.5, 0.5]).data
    before = other.state_dict()
    for wrong, message in (
        ({**state, "extra": 1.0}, "unknown extra"),
        ({k: v for k, v in state.items() if not k.endswith("b")}, "lacks"),
        (dict.fromkeys(state, "1"), "not a number"),
    ):
        with pytest.raises(am.AutogradError, match=message):
            other.load_state_dict(wrong)
        assert other.state_dict() == before


def test_custom_modules():
    """A user's class finds its parameters in attributes, lists and other modules; or overrides parameters()."""

    class Pair(nn.Module):
        def __init__(self):
            self.left, self.scales, self.title = nn.Neuron(1, seed=0), [Value(1.0), Value(2.0)], "text"

    class Old(nn.Module):
        def __init__(self):
            self.p = Value(1.0)

        def parameters(self):
            return [self.p]

    pair, old = Pair(), Old()
    assert list(pair.state_dict()) == ["left.w.0", "left.b", "scales.0", "scales.1"]
    for module in (pair, old):
        am.sum([p * p for p in module.parameters()]).backward()
        assert any(p.grad for p in module.parameters())
        module.zero_grad()
        assert not any(p.grad for p in module.parameters())


def test_shared_nested_and_computed():
    """Shared parameters train once; dicts and cycles are searched; results kept in attributes are not parameters."""

    class Tied(nn.Module):
        def __init__(self):
            self.weights = {"w": Value(1.0), "rows": [[Value(2.0)]]}
            self.same = self.weights["rows"]
            self.me = self

        def __call__(self, x):
            self.last = self.weights["w"] * x
            return self.last

    model = Tied()
    model(2.0)
    assert list(model.state_dict()) == ["weights.w", "weights.rows.0.0", "same.0.0"]
    assert [p.data for p in model.parameters()] == [1.0, 2.0]
    x = Value(3.0)
    descent = am.optim.SGD([x, x], lr=0.1)
    (x * x).backward()
    descent.step()
    assert x.data == pytest.approx(2.4)


def test_a_layer_of_one_neuron_may_be_hidden():
    """Its output is a single Value, and the next layer takes it."""
    assert len(nn.MLP(2, [1, 3], seed=0)([1.0, 2.0])) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Neuron(0), "0 inputs"),
        (lambda: nn.Layer(1, 0), "0 neurons"),
        (lambda: nn.MLP(2, [3], activation="rleu"), "no activation 'rleu'"),
        (lambda: nn.MLP(3, 4), "nouts = 4"),
        (lambda: nn.MLP(3, []), "nouts = "),
        (lambda: nn.Neuron(2)([1.0]), "2 weights got 1 input\\."),
        (lambda: nn.MLP(2, [3, 1])([1.0, 2.0, 3.0]), "2 weights got 3 inputs"),
        (lambda: nn.MLP(2, [3, 1])(1.0), "takes a list of inputs"),
        (lambda: nn.Neuron(1)(Value(1.0)), "takes a list of inputs"),
        (lambda: nn.Neuron(1, seed="a"), "is not a whole number"),
        (lambda: nn.Neuron(1, seed=1.5), "is not a whole number"),
        (lambda: nn.Neuron(2.0), "nin = 2.0 is not a whole number"),
        (lambda: nn.Layer(2, "3"), "nout = '3' is not a whole number"),
        (lambda: nn.MLP(2, [3, 1.5]), "nout = 1.5 is not a whole number"),
        (lambda: nn.MLP(2, [3, 3, 1], activation=["relu"]), "3 layers got 1 of activation"),
        (lambda: nn.MLP(2, [3, 1], init=["zeros"]), "2 layers got 1 of init"),
        (lambda: nn.Linear(2, 1, init="xavier"), "no init 'xavier'"),
        (lambda: nn.Linear(2, 1, init=lambda nin, nout, generator: "x"), "'x'"),
        (lambda: nn.Linear(0, 1), "0 inputs"),
        (lambda: nn.Sequential(), "no parts"),
        (lambda: nn.Sequential("rleu"), "no activation 'rleu'"),
        (lambda: nn.Sequential(nn.Linear(2, 3), None), "no activation None"),
    ],
)
def test_bad_input(call, message):
    """Sizes that do not fit and unknown names are refused with both numbers or the choices."""
    with pytest.raises(am.AutogradError, match=message):
        call()


# -- layers ------------------------------------------------------------------------------------------------------------


def test_linear_and_sequential():
    """A Linear is weighted sums; in a Sequential, names act on each output, other functions on all of them."""
    first, second = nn.Linear(2, 3, seed=0), nn.Linear(3, 2, bias=False, seed=1)
    x = [0.5, -1.5]
    hidden = [math.tanh(sum(w.data * v for w, v in zip(n.w, x, strict=True)) + n.b.data) for n in first.neurons]
    expected = [sum(w.data * h for w, h in zip(n.w, hidden, strict=True)) for n in second.neurons]
    for tanh in ("tanh", am.tanh, lambda zs: [am.tanh(z) for z in zs]):
        model = nn.Sequential(first, tanh, second)
        assert [y.data for y in model(x)] == pytest.approx(expected, rel=1e-14)
    largest = nn.Sequential(first, "tanh", second, am.softmax, max)(x)
    assert largest.data == pytest.approx(max(z.data for z in am.softmax(expected and [Value(e) for e in expected])))
    assert len(first.parameters()) == 9
    assert len(second.parameters()) == 6
    assert list(nn.Sequential(nn.Linear(1, 1, bias=False), "relu").state_dict()) == ["parts.0.neurons.0.w.0"]
    single = nn.Sequential(nn.Linear(2, 1, seed=0), "sigmoid", nn.Linear(1, 1, seed=1))
    assert type(single(x)) is Value
    assert single([0.5, 0.5]).scope.path == ("Linear2", "Neuron0")
    assert repr(single) == "Sequential of [Linear(2, 1), sigmoid, Linear(1, 1)]"
    inner = nn.Sequential(nn.MLP(2, [3, 2], seed=0), nn.Sequential(nn.Linear(2, 1), "relu"))
    assert len(inner.parameters()) == 20


def test_single_outputs_go_on_in_forward_mode():
    """A hidden layer of one neuron hands on a dual number as it hands on a Value."""
    for model in (nn.MLP(1, [1, 1], seed=0), nn.Sequential(nn.Linear(1, 1, seed=0), "tanh", nn.Linear(1, 1, seed=1))):
        x = Value(0.5)
        model([x]).backward()
        _, slope = am.jvp(lambda z, model=model: model([z]), (0.5,), (1.0,))
        assert slope.data == pytest.approx(x.grad)


def test_activations_and_initialisations_of_each_layer():
    """A list has one activation for each hidden layer, or for each layer; None is linear; init likewise."""
    model = nn.MLP(2, [3, 3, 1], activation=["relu", am.tanh], seed=0)
    assert [str(layer.neurons[0]) for layer in model.layers] == ["ReLUNeuron(2)", "TanhNeuron(3)", "LinearNeuron(3)"]
    model = nn.MLP(2, [3, 1], activation=[None, "sigmoid"], init=["zeros", lambda nin, nout, g: nin + 0.1 * nout])
    assert [str(layer.neurons[0]) for layer in model.layers] == ["LinearNeuron(2)", "SigmoidNeuron(3)"]
    assert {w.data for n in model.layers[0].neurons for w in n.w} == {0.0}
    assert {w.data for w in model.layers[1].neurons[0].w} == {3.1}
    assert model([1.0, 1.0]).data == 0.5


@pytest.mark.parametrize(
    ("init", "deviation", "bound"),
    [
        ("uniform", 1 / math.sqrt(3), 1.0),
        ("xavier_uniform", math.sqrt(2 / 150), math.sqrt(6 / 150)),
        ("xavier_normal", math.sqrt(2 / 150), math.inf),
        ("kaiming_uniform", math.sqrt(2 / 100), math.sqrt(6 / 100)),
        ("kaiming_normal", math.sqrt(2 / 100), math.inf),
    ],
)
def test_initialisations(init, deviation, bound):
    """The weights have the spread of the papers: 2/(nin + nout) and 2/nin are the variances; the biases are 0."""
    layer = nn.Linear(100, 50, init=init, seed=0)
    weights = [w.data for n in layer.neurons for w in n.w]
    assert statistics.stdev(weights) == pytest.approx(deviation, rel=0.03)
    assert abs(statistics.mean(weights)) < 0.06 * deviation
    assert bound if bound == math.inf else 0.98 * bound < max(map(abs, weights)) <= bound
    assert {n.b.data for n in layer.neurons} == {0.0}


def test_numpy_integers_are_seeds_and_sizes():
    """NumPy's integers and 0-d arrays of them work as Python's do."""
    expected = nn.MLP(2, [3, 1], seed=1).state_dict()
    for integer in (np.int64, np.uint8, np.array):
        model = nn.MLP(integer(2), np.array([3, 1]), seed=integer(1))
        assert model.state_dict() == expected
        assert nn.Linear(integer(2), integer(3), seed=integer(1)).state_dict() == nn.Linear(2, 3, seed=1).state_dict()


# -- where parameters are found ----------------------------------------------------------------------------------------


def module_with(**attributes):
    """A module that was given these attributes."""
    module = nn.Module()
    vars(module).update(attributes)
    return module


def leaf(number=1.0, name=None):
    return Value(number, name=name)


@dataclass
class Affine:
    w: Value = field(default_factory=leaf)
    rows: list = field(default_factory=lambda: [leaf(2.0)])


@dataclass(slots=True)
class Slotted:
    w: Value
    b: Value


Pair = collections.namedtuple("Pair", "left right")
READABLE = {
    "vector": (lambda: np.array([leaf(), leaf(2.0)]), ["a.0", "a.1"]),
    "matrix": (lambda: np.array([[leaf(), leaf()], [leaf(), 3.0]]), ["a.0.0", "a.0.1", "a.1.0"]),
    "0-d array": (lambda: np.array(leaf()), ["a"]),
    "empty array": (lambda: np.empty((0, 3), dtype=object), []),
    "array of lists": (lambda: np.array([[leaf()], None], dtype=object), ["a.0.0"]),
    "view of an array": (lambda: np.array([[leaf(), leaf()]]).T[::-1], ["a.0.0", "a.1.0"]),
    "structured array": (lambda: np.array([(1.0, leaf())], dtype=[("x", float), ("w", object)]), ["a.0.1"]),
    "masked array": (lambda: np.ma.array([leaf(), leaf(2.0)], mask=[True, False]), ["a.0", "a.1"]),
    "numbers": (lambda: np.array([1.0, 2.0]), []),
    "set": (lambda: {leaf()}, ["a.0"]),
    "set of two": (lambda: {leaf(2.0), leaf(1.0)}, ["a.0", "a.1"]),
    "set of names": (lambda: {leaf(3.0, "w"), leaf(2.0, "b"), "text", None}, ["a.b", "a.w"]),
    "frozenset": (lambda: frozenset([leaf()]), ["a.0"]),
    "set of modules": (lambda: {nn.Linear(1, 1, seed=0), (leaf(),)}, ["a.0.0", "a.1.neurons.0.w.0", "a.1.neurons.0.b"]),
    "deque": (lambda: collections.deque([leaf(), [leaf()]]), ["a.0", "a.1.0"]),
    "dataclass": (Affine, ["a.w", "a.rows.0"]),
    "dataclass with slots": (lambda: Slotted(leaf(), leaf()), ["a.w", "a.b"]),
    "namedtuple": (lambda: Pair(leaf(), [leaf()]), ["a.left", "a.right.0"]),
    "dicts": (lambda: collections.defaultdict(list, {"x": leaf(), 1: {"y": leaf()}}), ["a.x", "a.1.y"]),
    "ChainMap": (lambda: collections.ChainMap({"x": leaf()}, {"y": leaf()}), ["a.x", "a.y"]),
    "UserDict": (lambda: collections.UserDict(x=leaf()), ["a.x"]),
    "UserList": (lambda: collections.UserList([leaf()]), ["a.0"]),
    "mapping proxy": (lambda: types.MappingProxyType({"x": leaf()}), ["a.x"]),
    "dict view": (lambda: {"x": leaf(), "y": leaf()}.values(), ["a.0", "a.1"]),
    "Values as keys": (lambda: {leaf(): [leaf()]} and (lambda k: {k: [leaf()], "k": k})(leaf()), ["a.0.0", "a.k"]),
    "all at once": (lambda: [{"x": (np.array([Affine()]),)}], ["a.0.x.0.0.w", "a.0.x.0.0.rows.0"]),
}


@pytest.mark.parametrize(("make", "names"), READABLE.values(), ids=READABLE)
def test_containers(make, names):
    """Every container gives up its leaves, with names; they are trained, zeroed and, where names can be, saved."""
    module = module_with(a=make(), b=leaf())
    assert sorted(name for name, _ in module.named_parameters()) == sorted([*names, "b"])
    found = module.parameters()
    assert len(found) == len(names) + 1
    am.sum([p * p for p in found]).backward()
    optim.SGD(found, lr=0.5).step()
    assert {p.data for p in found} == {0.0}
    module.zero_grad()
    assert {p.grad for p in found} == {0.0}
    if not isinstance(module.a, set) or len(module.a) == 1 or "a.b" in names:
        module.load_state_dict(dict.fromkeys(module.state_dict(), 2.0))
        assert {p.data for p in found} == {2.0}


class Slots(nn.Module):
    __slots__ = ("__private", "unset", "w")

    def __init__(self):
        self.w, self.__private = leaf(), [leaf()]


class MoreSlots(Slots):
    __slots__ = ("v",)
    shared = leaf(5.0)
    table: ClassVar = {"t": shared}

    def __init__(self):
        super().__init__()
        self.v, self.ordinary = leaf(), leaf()


def test_slots_and_class_attributes():
    """Slots, inherited and private ones too, and what a class holds for all instances are attributes like others."""
    assert list(Slots().state_dict()) == ["_Slots__private.0", "w"]
    names = ["_Slots__private.0", "ordinary", "shared", "table.t", "v", "w"]
    assert sorted(MoreSlots().state_dict()) == names
    assert len(MoreSlots().parameters()) == 5
    own = MoreSlots()
    own.shared = leaf(6.0)  # hides that of the class
    assert own.state_dict()["shared"] == 6.0


trees = st.recursive(
    st.builds(leaf, st.floats(-9, 9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(collections.deque),
        st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(lambda xs: module_with(**{f"m{i}": x for i, x in enumerate(xs)})),
        st.builds(Affine, inner, st.lists(inner, max_size=2)),
        st.lists(inner, max_size=3).map(lambda xs: np.array([*xs, None], dtype=object)[:-1]),
    ),
    max_leaves=12,
)


def count(tree):
    """The number of leaves in a tree, by recursion over what it was made from."""
    if isinstance(tree, Value):
        return 1
    if isinstance(tree, (nn.Module, Affine)):
        tree = vars(tree)
    return sum(map(count, tree.values() if isinstance(tree, dict) else tree))


@given(trees)
def test_nested_containers(tree):
    """Whatever is nested in what, each leaf is found once, under a name of its own, and its state comes back."""
    module = module_with(tree=tree)
    assert len(module.parameters()) == count(tree) == len(module.state_dict())
    twin = copy.deepcopy(module)
    for p in twin.parameters():
        p.data = 77.0
    twin.load_state_dict(module.state_dict())
    assert twin.state_dict() == module.state_dict()


class Plain:
    def __init__(self, inner):
        self.inner = inner


class PlainSlots:
    __slots__ = ("inner",)

    def __init__(self, inner):
        self.inner = inner


def generator_over(value):
    yield 1
    yield value


def started(value):
    generator = generator_over(value)
    next(generator)
    return generator


HIDING = {
    "plain object": Plain,
    "plain object with slots": PlainSlots,
    "plain object, deeper": lambda v: Plain([{"x": Plain((v,))}]),
    "list of plain objects": lambda v: [1, Plain(v)],
    "SimpleNamespace": lambda v: types.SimpleNamespace(w=v),
    "closure": lambda v: lambda x: v * x,
    "default argument": lambda v: lambda x, w=v: w * x,
    "keyword default": lambda v: lambda x, *, w=v: w * x,
    "partial": lambda v: functools.partial(operator.mul, v),
    "cache": lambda v: functools.lru_cache(lambda x: v * x),
    "bound method": lambda v: Plain(v).__eq__,
    "method of a Value": lambda v: v.tanh,
    "method of another module": lambda v: module_with(w=v).state_dict,
    "iterator": lambda v: iter([v]),
    "map": lambda v: map(abs, [v]),
    "cycle": lambda v: itertools.cycle([v]),
    "generator": generator_over,
    "started generator": started,
    "key of a dict": lambda v: {v: 1.0},
    "inside of a key": lambda v: {(1, v): 1.0},
    "array behind an object": lambda v: Plain(np.array([v])),
    "set behind an object": lambda v: Plain({v}),
    "method with a state": lambda v: types.MethodType(lambda self, x: x, [v]),
}


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_hidden_leaves_are_an_error(hide):
    """An attribute that is not searched and has a leaf behind it is named, with advice, also in an inner module."""
    value = leaf()
    for owner, name in ((nn.Module(), "w"), (module_with(part=[nn.Module()]), "part.0.w")):
        inner = owner.part[0] if "." in name else owner
        inner.w = hide(value)
        for call in (owner.parameters, owner.state_dict, owner.zero_grad, lambda o=owner: o.load_state_dict({})):
            with pytest.raises(am.ArgumentError, match=rf"Module\.{name}.*is not searched") as caught:
                call()
            assert "override parameters()" in str(caught.value)
        inner.also = value  # found elsewhere, it is not hidden
        if name == "w":
            assert owner.parameters() == [value]


def test_hidden_behind_weak_references():
    """A module that only a weak reference reaches is not passed over, as long as it lives."""
    other = module_with(w=leaf())
    for weak in (weakref.ref(other), weakref.WeakKeyDictionary({other: 1})):
        with pytest.raises(am.ArgumentError, match="is not searched"):
            module_with(other=weak).parameters()
    for weak in (weakref.WeakSet([other]), weakref.WeakValueDictionary(x=other), weakref.proxy(other)):
        assert module_with(other=weak).parameters() == [other.w]


def test_what_is_no_cause_for_alarm():
    """Functions, optimizers, results, loggers, methods and whatever holds only what is found already are left alone."""
    model = nn.MLP(2, [2, 1], seed=0)
    constant = leaf(9.0)
    model.last = model([1.0, constant])
    model.history = collections.deque([model.last, model.last * constant])
    model.optimizer = optim.Adam([*model.parameters(), constant])
    model.schedule = optim.StepLR(model.optimizer, 3)
    model.functions = [am.tanh, am.softmax, math.sin, len, lambda x: x * constant.data if False else 0.0][:4]
    model.forward = model.__call__
    model.first = functools.partial(model.layers[0], [1.0, 2.0])
    model.iterator = iter(model.parameters())
    model.mean = dict.fromkeys(model.parameters(), 0.0)
    model.views = Plain(model.layers)
    model.owner = Plain(model)
    model.log, model.random, model.kind, model.module = logging.getLogger(), random.Random(1), nn.Neuron, am
    model.picture = am.draw(model.last)
    model.report = am.explain(model.last)
    model.result = lambda x, y=model.last: x * y
    try:
        raise ValueError(constant)
    except ValueError as error:
        model.error = error
    assert len(model.parameters()) == 9
    assert len(model.state_dict()) == 9


def test_cycles_and_nets_of_modules():
    """Modules that all know each other, and themselves, are each looked into; deep lists do not recurse."""
    modules = [module_with(w=leaf(), number=i) for i in range(30)]
    for module in modules:
        module.others = list(modules)
    assert len(modules[0].parameters()) == 30
    child = module_with(w=leaf())
    parent = module_with(children={child})
    child.parent = parent
    assert list(parent.state_dict()) == ["children.0.w"]
    assert len(child.parameters()) == 1
    deep = [leaf()]
    for _ in range(3000):
        deep = [deep]
    assert len(module_with(deep=deep).parameters()) == 1


def test_sets():
    """The order of a set does not depend on addresses; a state refuses it unless it can tell the members apart."""
    numbers = [3.0, -1.0, 2.0, 0.5]
    assert [p.data for p in module_with(a={leaf(x) for x in numbers}).parameters()] == sorted(numbers, key=str)
    named = module_with(a={leaf(x, name) for x, name in zip(numbers, "wxyz", strict=True)})
    assert named.state_dict() == {"a.w": 3.0, "a.x": -1.0, "a.y": 2.0, "a.z": 0.5}
    for twice in ({leaf(), leaf(2.0)}, {nn.Neuron(1), nn.Neuron(2)}, {leaf(1.0, "w"), leaf(2.0, "w")}):
        module = module_with(a=twice)
        for call in (module.state_dict, lambda m=module: m.load_state_dict({})):
            with pytest.raises(am.ArgumentError, match="a is a set"):
                call()
    x, y = leaf(), leaf(2.0)
    assert list(module_with(x=x, y=y, both={x, y}).state_dict()) == ["x", "y"]


class Hidden(nn.Module):
    """Parameters that only its own method knows."""

    def __init__(self):
        self.calculate = (lambda w: lambda x: w * x)(leaf(4.0))

    def parameters(self):
        return [self.calculate.__closure__[0].cell_contents]


class Renamed(nn.Module):
    def __init__(self):
        self.w, self.frozen = leaf(4.0), leaf(1.0)

    def named_parameters(self):
        yield "weight", self.w


class Longer(nn.Module):
    def __init__(self):
        self.w, self.function = leaf(4.0), (lambda w: lambda: w)(leaf())

    def parameters(self):
        return [*super().parameters(), self.function()]


def test_overridden_methods_decide():
    """`parameters` and `named_parameters` of a class count at the top, inside of another module, and for the state."""
    expected = [
        (Hidden, ["parameters.0"], 1),
        (Renamed, ["weight"], 1),
        (Longer, ["w", "parameters.1"], 2),
    ]
    for kind, names, size in expected:
        module = kind()
        assert list(module.state_dict()) == names
        assert len(module.parameters()) == size
        outer = module_with(inner=[kind()])
        assert list(outer.state_dict()) == [f"inner.0.{name}" for name in names]
        state = outer.state_dict()
        outer.load_state_dict(dict.fromkeys(state, 7.0))
        assert [p.data for p in outer.inner[0].parameters()] == [7.0] * size
        for p in outer.parameters():
            p.grad = 1.0
        outer.zero_grad()
        assert {p.grad for p in outer.inner[0].parameters()} == {0.0}


def test_overriding_parameters_answers_the_alarm():
    """A class that says by `parameters` what to train may hold any Values it likes, also inside of another module."""

    class Chooses(nn.Module):
        def __init__(self):
            self.w, self.data = leaf(), Plain([leaf(), leaf()])

        def parameters(self):
            return [self.w]

    assert list(Chooses().state_dict()) == ["w"]
    assert len(module_with(inner=[Chooses()]).parameters()) == 1


# -- states and files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        None, [], "w", 1.0, {1: 1.0, "b": 0.0}, {"w.0": None, "b": 0.0}, {"w.0": "1", "b": 0.0}, {"w.0": [], "b": 0.0},
        {"w.0": True, "b": 0.0}, {"b": 0.0, "w.0": 10**400}, {"w.0": Value(1.0), "b": 0.0}, {"w.0": 1j, "b": 0.0},
    ],
)  # fmt: skip
def test_broken_states_change_nothing(bad):
    """Anything but a state of numbers is refused with advice, and the parameters are as before."""
    neuron = nn.Neuron(1, seed=0)
    before = neuron.state_dict()
    with pytest.raises(am.AutogradError, match="do:"):
        neuron.load_state_dict(bad)
    assert neuron.state_dict() == before


@given(st.lists(st.floats(), min_size=3, max_size=3))
def test_every_state_comes_back(numbers):
    """Everything that parameters can become goes through JSON and a file: nan, infinities, -0.0, subnormals."""
    model, other = nn.Neuron(2, seed=0), nn.Neuron(2, seed=1)
    for p, number in zip(model.parameters(), numbers, strict=True):
        p.data = number
    other.load_state_dict(json.loads(json.dumps(model.state_dict())))
    assert repr(other.state_dict()) == repr(model.state_dict())


def test_names_that_a_state_could_not_tell_apart():
    """Two parameters of one name, or one parameter with two numbers, are an error before anything changes."""
    for twice in ({1: leaf(), "1": leaf()}, {"x": {"y": leaf()}, "x.y": leaf()}):
        module = module_with(a=twice)
        assert len(module.parameters()) == 2
        with pytest.raises(am.ArgumentError, match="Two parameters are called a"):
            module.state_dict()
    shared = leaf()
    tied = module_with(a=shared, b=shared)
    with pytest.raises(am.ArgumentError, match="a and b are the same parameter"):
        tied.load_state_dict({"a": 1.0, "b": 2.0})
    tied.load_state_dict({"a": math.nan, "b": math.nan})
    assert math.isnan(shared.data)


def trained(seed, steps=0):
    model = nn.MLP(2, [3, 1], activation="tanh", seed=seed)
    optimizer = optim.AdamW(model.parameters(), lr=0.1)
    schedule = optim.CosineAnnealingLR(optimizer, 20)
    train(model, optimizer, schedule, steps)
    return model, optimizer, schedule


def train(model, optimizer, schedule, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        am.mean([(model(x) - x[0] * x[1]) ** 2 for x in ([0.0, 1.0], [1.0, 1.0], [-1.0, 0.5])]).backward()
        optimizer.step()
        schedule.step()


def states(things):
    return repr([thing.state_dict() for thing in things]) + repr(things[1].lr)


def test_save_and_load(tmp_path):
    """A run that is saved in the middle, and loaded into new objects, goes on to the same bits."""
    whole = trained(0, 15)
    half = trained(0, 7)
    path = tmp_path / "model.json"
    assert nn.save(path, *half) == path
    again = trained(1)
    nn.load(str(path), *again)
    assert states(again) == states(half)
    train(*again, 8)
    assert states(again) == states(whole)
    only = nn.MLP(2, [3, 1], seed=2)
    nn.load(path, only)
    assert only.state_dict() == half[0].state_dict()
    half[0].parameters()[0].data, half[0].parameters()[1].data = math.nan, -math.inf
    nn.save(path, half[0])
    nn.load(path, only)
    assert repr(only.state_dict()) == repr(half[0].state_dict())
    text = path.read_text("utf-8")
    half[0].unsaved = {leaf(), leaf()}
    with pytest.raises(am.ArgumentError, match="unsaved is a set"):
        nn.save(path, half[0])
    assert path.read_text("utf-8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["model.json"]


def test_broken_files_change_nothing(tmp_path):
    """A file that is cut, edited, empty or from another model is named with its line, and nothing has changed."""
    path = tmp_path / "model.json"
    nn.save(path, *trained(0, 3))
    text = path.read_text("utf-8")
    content = json.loads(text)
    optimizer = content["optimizer"]
    broken = [
        ("", "line 1: "),
        (text[: len(text) // 2], "line "),
        (text.replace(":", "", 1), "line 2: "),
        ("[" * 100_000, "line 1: "),
        ("[]", "it contains no model"),
        ("{}", "it contains no model"),
        (json.dumps({"model": content["model"]}), "it contains no optimizer"),
        (json.dumps({**content, "model": None}), "the model does not fit"),
        (json.dumps({**content, "model": {}}), "the model does not fit. The state lacks"),
        (json.dumps({**content, "optimizer": {**optimizer, "steps": [math.nan]}}), "the optimizer does not fit"),
        (json.dumps({**content, "schedule": {"start": [0.1], "steps": [-1]}}, indent=1), "the schedule does not fit"),
    ]
    things = trained(1, 2)
    before = states(things)
    for wrong, message in broken:
        path.write_text(wrong, "utf-8")
        with pytest.raises(am.DataError, match=message) as caught:
            nn.load(path, *things)
        assert str(caught.value).startswith(f"{path}, line ")
        assert states(things) == before
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(am.DataError, match="line 1: this is not JSON"):
        nn.load(path, *things)
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "none.json", *things)
    with pytest.raises(FileNotFoundError):
        nn.save(tmp_path / "none" / "model.json", *things)
    assert states(things) == before


def test_models_are_copied_and_pickled():
    """A model, its optimizer and its schedule stay connected when they are copied or pickled together."""
    for duplicate in (copy.deepcopy, lambda things: pickle.loads(pickle.dumps(things))):
        things = trained(0, 3)
        twins = duplicate(things)
        train(*twins, 4)
        assert states(twins) == states(trained(0, 7))
        assert states(things) == states(trained(0, 3))
