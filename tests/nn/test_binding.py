"""`functional_call`: a model as a function of its parameters, in every kind of derivative, and the model untouched."""

from __future__ import annotations

import copy
import functools
import math
import random
import threading
import types
import weakref

import numpy as np
import pytest
import sympy

import autograd_mini as am
from autograd_mini import Value, micrograd, nn
from autograd_mini.core.traced import Traced
from tests.nn.test_nn import READABLE, MoreSlots, Renamed, leaf

X = [0.5, -1.5]


def plain(number):
    """The float of a number."""
    return float(getattr(number, "data", number))


def mlp():
    return nn.MLP(2, [3, 2, 1], activation=["tanh", "relu"], seed=3)


def loss(output):
    return (output - 0.3) ** 2


def loss_of(model, x=X):
    return lambda params: loss(nn.functional_call(model, params, x))


class Summing(nn.Module):
    """The sum of squares of whatever its parameters are, times an input."""

    def __call__(self, x=1.0):
        return am.sum([p * p * x for p in self.parameters()], 0.0)


def summing(**attributes):
    module = Summing()
    vars(module).update(attributes)
    return module


@pytest.mark.parametrize("made", [mlp, lambda: nn.Sequential(nn.Linear(2, 3, seed=1), "silu", nn.Linear(3, 1, seed=2))])
def test_gradients_are_those_of_backward(made):
    """To the bit, in the structure of params: a dict by names, a part of one, and a list."""
    model = made()
    before = model.state_dict()
    loss(model(X)).backward()
    slopes = {name: p.grad for name, p in model.named_parameters()}
    assert am.grad(loss_of(model))(before) == slopes
    assert am.grad(loss_of(model))([p.data for p in model.parameters()]) == [*slopes.values()]
    assert am.value_and_grad(loss_of(model))(before) == (loss(model(X)).data, slopes)
    ofvalues = am.grad(loss_of(model))(dict(model.named_parameters()))
    assert {name: plain(slope) for name, slope in ofvalues.items()} == slopes
    some = dict([*before.items()][2:4])
    found = am.grad(loss_of(model))(some)  # the other parameters are variables of the outside
    assert {name: plain(slope) for name, slope in found.items()} == {name: slopes[name] for name in some}
    assert model.state_dict() == before
    assert {name: p.grad for name, p in model.named_parameters()} == slopes


def test_other_numbers():
    """The result is that of a model which has these numbers; floats are bound as leaves, Values as they are."""
    model, other = mlp(), nn.MLP(2, [3, 2, 1], activation=["tanh", "relu"], seed=8)
    assert nn.functional_call(model, other.state_dict(), X).data == other(X).data
    nn.functional_call(model, dict(other.named_parameters()), X).backward()
    theirs = {name: p.grad for name, p in other.named_parameters()}
    other.zero_grad()
    other(X).backward()
    assert theirs == {name: p.grad for name, p in other.named_parameters()}
    assert all(p._grad is None for p in model.parameters())
    assert nn.functional_call(model, {}, X).data == model(X).data


def test_every_kind_of_derivative():
    """Forward mode, products, Hessians, and transforms in each other agree with differences of the gradient."""
    model = nn.MLP(2, [2, 1], activation="tanh", seed=0)
    f, params = loss_of(model), model.state_dict()
    direction = {name: 0.1 * i - 0.3 for i, name in enumerate(params)}
    slopes = am.grad(f)(params)
    along = sum(slopes[name] * direction[name] for name in params)
    assert am.jvp(f, (params,), (direction,)) == (f(params).data, pytest.approx(along, rel=1e-13))
    assert am.vjp(f, params)[1](1.0) == (slopes,)
    matrix = am.hessian(f)(params)
    product = {name: sum(matrix[name][other] * direction[other] for other in params) for name in params}
    assert am.hvp(f, (params,), (direction,)) == pytest.approx(product, rel=1e-12)
    assert am.jvp(am.grad(f), (params,), (direction,))[1] == pytest.approx(product, rel=1e-12)
    moved = am.grad(f)({name: x + 1e-6 * direction[name] for name, x in params.items()})
    for name, exact in product.items():
        assert (moved[name] - slopes[name]) / 1e-6 == pytest.approx(exact, rel=1e-4, abs=1e-5)
    assert am.grad(lambda p: am.jvp(f, (p,), (direction,))[1])(params) == pytest.approx(product, rel=1e-12)


def test_formulas_and_traced_numbers():
    """SymPy's symbols for the parameters: the gradient as formulas; traced numbers pass."""
    model = nn.Sequential(nn.Linear(2, 1, seed=0), "tanh")
    names = dict(zip(model.state_dict(), sympy.symbols("u v b"), strict=True))
    u, v, b = names.values()
    formula = sympy.tanh(2 * u + 3 * v + b)
    call = functools.partial(nn.functional_call, model, args=[2.0, 3.0])
    slopes = am.grad(call)(names)
    at = model.state_dict()
    numbers = {symbol: at[name] for name, symbol in names.items()}
    for name, symbol in names.items():
        assert float(slopes[name].subs(numbers)) == pytest.approx(float(formula.diff(symbol).subs(numbers)))
    output = nn.functional_call(model, {name: Traced(x) for name, x in names.items()}, [2.0, 3.0])
    assert float((output.data - formula).subs(numbers)) == pytest.approx(0.0, abs=1e-15)
    of_input = nn.functional_call(model, dict.fromkeys(names, 0.5), [u, 1.0])
    assert float(of_input.subs(u, 2.0)) == pytest.approx(math.tanh(2.0))
    penalty = nn.functional_call(summing(w=leaf(), rows=[leaf()]), {"w": sympy.Symbol("w"), "rows.0": 2.0})
    assert penalty.subs(sympy.Symbol("w"), 3.0) == 13.0


def test_a_gradient_step_inside_of_a_derivative():
    """MAML: the derivative of the loss after a step of training, by the parameters before it."""
    model = nn.MLP(2, [2, 1], activation="tanh", seed=0)
    f = loss_of(model)

    def stepped(params):
        slopes = am.grad(f)(params)
        return {name: x - 0.1 * slopes[name] for name, x in params.items()}

    own = dict(model.named_parameters())
    f(stepped(own)).backward()  # which leads back to the model's own parameters, through params
    exact = am.grad(lambda params: f(stepped(params)))(model.state_dict())
    assert {name: p.grad for name, p in own.items()} == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize(("make", "names"), READABLE.values(), ids=READABLE)
@pytest.mark.parametrize("numbers", [float, Value])
def test_containers(make, names, numbers):
    """Every container that parameters are found in takes other numbers, and the model finds them as its own."""
    module = summing(a=make(), b=leaf())
    values = [0.5 + i for i, _ in enumerate(module.parameters())]
    params = [*map(numbers, values)]
    assert nn.functional_call(module, params, 3.0).data == pytest.approx(3.0 * sum(x * x for x in values))
    slopes = am.grad(lambda params: nn.functional_call(module, params))(params)
    assert [plain(slope) for slope in slopes] == [2.0 * x for x in values]
    _, slope = am.jvp(lambda params: nn.functional_call(module, params), (values,), ([1.0] * len(values),))
    assert slope == pytest.approx(2.0 * sum(values))


def test_slots_class_attributes_and_other_names():
    """Slots, what a class holds for all instances, and names that a class chose, are bound like others."""

    class Slotted(MoreSlots, Summing):
        pass

    module = Slotted()
    state = module.state_dict()
    expected = {name: 2.0 * x for name, x in state.items() if name != "table.t"}
    del state["table.t"]  # which is "shared" once more
    assert am.grad(lambda params: nn.functional_call(module, params))(state) == expected
    assert module.shared is MoreSlots.shared

    class Chosen(Renamed):
        def __call__(self):
            return am.sum([p * p for p in self.parameters()]) + self.frozen.data

    assert am.grad(lambda params: nn.functional_call(Chosen(), params))({"weight": 3.0}) == {"weight": 6.0}


def test_shared_parameters():
    """A parameter in several places is given once, by any of its names, and gets all of its gradient."""

    class Tied(nn.Module):
        def __init__(self):
            self.rows = [leaf(2.0), leaf(3.0)]
            self.again, self.me = self.rows, self

        def __call__(self, x):
            return self.rows[0] * x + self.me.again[0] * self.rows[1]

    model = Tied()
    model(5.0).backward()
    for first in ("rows.0", "again.0"):
        params = {first: 2.0, "rows.1": 3.0}
        assert am.grad(lambda params: nn.functional_call(model, params, 5.0))(params) == {first: 8.0, "rows.1": 2.0}
    assert [p.grad for p in model.parameters()] == [8.0, 2.0]
    assert am.grad(lambda params: nn.functional_call(model, params, 5.0))([2.0, 3.0]) == [8.0, 2.0]
    assert nn.functional_call(model, model.state_dict(), 5.0).data == model(5.0).data
    assert nn.functional_call(model, dict(model.named_parameters()), 5.0).data == model(5.0).data
    for wrong in ({"rows.0": 1.0, "again.0": 2.0}, {"rows.0": Value(1.0), "again.0": Value(1.0)}):
        with pytest.raises(am.ArgumentError, match=r"rows.0 and again.0 are the same parameter(?s:.*)the same number"):
            nn.functional_call(model, wrong, 5.0)
    with pytest.raises(am.ArgumentError, match="same parameter"):
        am.grad(lambda params: nn.functional_call(model, params, 5.0))(model.state_dict())


class Stateful(nn.Module):
    """Everything that a call may change: attributes, lists, dicts, arrays; and a random generator, which goes on."""

    def __init__(self):
        self.w, self.count, self.log, self.mean = leaf(2.0), 0, [], np.zeros(2)
        self.cache = {"last": None}
        self.random = random.Random(0)

    def __call__(self, x, *, fail=False):
        self.count += 1
        self.log.append(x)
        self.mean += 1.0
        self.cache["last"] = self.w * x
        self.kept = self.cache["last"]
        if fail:
            raise RuntimeError("user error")
        return self.cache["last"] * self.random.random()


def test_the_model_stays_as_it_was():
    """Whatever a call sets, it sets on a copy, also where it fails; a random generator is shared, and goes on."""
    model, draws = Stateful(), random.Random(0)
    names = set(vars(model))
    assert nn.functional_call(model, {"w": 3.0}, 5.0).data == 15.0 * draws.random()
    with pytest.raises(RuntimeError, match="user error"):
        nn.functional_call(model, {"w": 3.0}, (5.0,), {"fail": True})
    assert nn.functional_call(model, {"w": 4.0}, kwargs={"x": 5.0}).data == 20.0 * draws.random()
    assert (model.w.data, model.count, model.log, model.cache, model.mean.tolist()) == (
        2.0,
        0,
        [],
        {"last": None},
        [0, 0],
    )
    assert set(vars(model)) == names
    assert list(model.state_dict()) == ["w"]


def test_calls_inside_of_calls():
    """A model that calls another one, or itself, with other numbers: each call has its own."""

    class Outer(nn.Module):
        def __init__(self):
            self.inner, self.scale = nn.Linear(1, 1, seed=0), leaf(3.0)

        def __call__(self, x, deep=True):
            if deep:
                return nn.functional_call(self, {"scale": self.scale * 2.0}, (x, False)) + self.scale
            return self.scale * nn.functional_call(self.inner, {"neurons.0.b": self.scale}, [x]) + self.inner([x])

    model = Outer()
    model(0.7).backward()
    slopes = {name: p.grad for name, p in model.named_parameters()}
    assert am.grad(lambda params: nn.functional_call(model, params, 0.7))(model.state_dict()) == slopes
    assert model(0.7).data == nn.functional_call(model, model.state_dict(), 0.7).data


def test_two_threads():
    """Calls at the same time, of one model with other numbers and of the model itself, do not see each other."""
    model = nn.MLP(2, [8, 1], seed=0)
    states = [nn.MLP(2, [8, 1], seed=seed).state_dict() for seed in range(4)]
    expected = [nn.functional_call(model, state, X).data for state in states]
    own, wrong = model(X).data, []

    def run(state, answer):
        for _ in range(30):
            if nn.functional_call(model, state, X).data != answer or model(X).data != own:
                wrong.append(answer)

    threads = [threading.Thread(target=run, args=both) for both in zip(states, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


class Holder:
    def __init__(self, w):
        self.w = w


def test_what_holds_a_parameter_aside_is_an_error():
    """A function, an object or an old result that leads to a replaced parameter: never a gradient without it."""
    w = leaf(2.0)
    cases = [
        summing(w=w, f=lambda x: w * x),
        summing(w=w, f=functools.partial(am.core.table.mul, w)),
        summing(w=w, f=Holder(w)),
        summing(w=w, f=w * 3.0),
    ]

    class Uses(Summing):
        def __call__(self, x):
            f = self.f
            return self.w + (f.w * x if isinstance(f, Holder) else f * x if isinstance(f, Value) else f(x))

    for case in cases:
        case.__class__ = Uses
        for call in (
            lambda params, case=case: nn.functional_call(case, params, 5.0),
            am.grad(lambda params, case=case: nn.functional_call(case, params, 5.0)),
            lambda params, case=case: am.jvp(lambda p: nn.functional_call(case, p, 5.0), (params,), (params,)),
            am.no_grad(lambda params, case=case: nn.functional_call(case, params, 5.0)),
        ):
            with pytest.raises(am.ArgumentError, match=r"depends on the w of Uses itself(?s:.*)attribute, list"):
                call({"w": 7.0})
    module = summing(w=w)
    module.__class__ = Uses
    module.f = types.MethodType(lambda self, x: self.w * x, module)  # a method of the model is the copy's
    assert am.grad(lambda params: nn.functional_call(module, params, 5.0))({"w": 7.0}) == {"w": 6.0}
    unused = nn.Linear(1, 1, seed=0)
    unused.last = unused([1.0])
    nn.functional_call(unused, unused.state_dict(), [2.0])


def test_inside_of_no_grad():
    """Inside `no_grad` the result is a constant, as every result there; `grad` works as ever."""
    model = mlp()
    with am.no_grad():
        output = nn.functional_call(model, model.state_dict(), X)
        slopes = am.grad(loss_of(model))(model.state_dict())
    assert (output.op, output.data) == ("stop_gradient", model(X).data)
    assert slopes == am.grad(loss_of(model))(model.state_dict())


def test_modules_of_micrograd():
    """Floats become Values of the same kind as the parameters."""
    model = micrograd.nn.MLP(2, [3, 1], seed=0)
    output = nn.functional_call(model, model.state_dict(), X)
    assert (type(output), output.data) == (micrograd.Value, model(X).data)


def test_names_and_copies():
    """Leaves keep the names of the parameters; the copy can be copied."""
    module = summing(w=leaf(2.0, "w"))
    seen = []
    vars(module)["watch"] = seen.append

    class Watched(Summing):
        def __call__(self):
            assert sum(isinstance(member, (Value, dict)) for member in vars(self).values()) == 1
            self.watch((self.w.name, copy.deepcopy(self).state_dict()))
            return self.w

    module.__class__ = Watched
    nn.functional_call(module, {"w": 3})
    assert seen == [("w", {"w": 3.0})]


def test_modules_that_are_hard_to_copy():
    """What a class leaves out when it is pickled, weak proxies, and cycles between modules are in the copy."""

    class Scaled(Summing):
        def __init__(self, owner=None):
            self.w, self.scale, self.lock, self.owner = leaf(2.0), lambda x: 3.0 * x, threading.Lock(), owner

        def __getstate__(self):
            return {"w": self.w}

        def __call__(self):
            return self.scale(self.w) * (self.owner.first.w if self.owner else 1.0)

    owner = Summing()
    owner.first, owner.second = Scaled(), Scaled(weakref.proxy(owner))
    slopes = am.grad(lambda params: nn.functional_call(owner.second, params))({"w": 5.0, "owner.first.w": 7.0})
    assert slopes == {"w": 21.0, "owner.first.w": 15.0}


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"layers.0.w": 1.0},
            am.ArgumentError,
            r"MLP has no parameter 'layers.0.w'; its 20 are layers.0.neurons.0.w.0",
        ),
        ({1: 1.0}, am.ArgumentError, "no parameter 1"),
        ([1.0, 2.0], am.ArgumentError, "MLP has 20 parameters, but params has 2"),
        (3.0, am.OperandError, r"params as a dict, not 3.0(?s:.*)state_dict\(\)"),
        ({"layers.0.neurons.0.b": [1.0]}, am.OperandError, r"params\['layers.0.neurons.0.b'\].*list"),
        ({"layers.0.neurons.0.b": "1"}, am.OperandError, r"params\['layers.0.neurons.0.b'\].*str"),
        ({"layers.0.neurons.0.b": None}, am.OperandError, r"params\['layers.0.neurons.0.b'\]"),
        ({"layers.0.neurons.0.b": 10**400}, am.RangeError, "beyond the range"),
    ],
)
def test_wrong_params(params, error, message):
    """Parameters that do not fit the model are an error that says what the model has."""
    with pytest.raises(error, match=message):
        nn.functional_call(mlp(), params, X)


def test_wrong_models():
    """Only a module that can be called is a model."""
    for model in (nn.Module(), lambda x: x, 3.0, [mlp()]):
        with pytest.raises(am.OperandError, match=r"functional_call\(\) takes a model"):
            nn.functional_call(model, {}, X)
    assert nn.functional_call(nn.Neuron(2, seed=0), {"w.0": math.pi}, ([1.0, 2.0],)).data != 0.0


@pytest.mark.peer("torch")
def test_torch():
    """Values and gradients of `torch.func.functional_call` on the same network with the same numbers."""
    import torch

    ours = nn.Sequential(nn.Linear(2, 3, seed=1), "tanh", nn.Linear(3, 1, seed=2))
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).double()
    params = {name: 0.8 * x for name, x in ours.state_dict().items()}
    tensors = {}
    for name, like in theirs.named_parameters():
        part = int(name[0])
        rows = [
            [params[f"parts.{part}.neurons.{i}.w.{j}"] for j in range(like.shape[1])] if like.ndim > 1
            else params[f"parts.{part}.neurons.{i}.b"]
            for i in range(like.shape[0])
        ]  # fmt: skip
        tensors[name] = torch.tensor(rows, dtype=torch.float64)
    x = torch.tensor(X, dtype=torch.float64)
    slopes = torch.func.grad(lambda p: (torch.func.functional_call(theirs, p, x)[0] - 0.3) ** 2)(tensors)
    value, found = am.value_and_grad(loss_of(ours))(params)
    assert value == pytest.approx(((torch.func.functional_call(theirs, tensors, x)[0] - 0.3) ** 2).item(), rel=1e-14)
    for name, tensor in slopes.items():
        part = int(name[0])
        for i, row in enumerate(tensor.tolist()):
            for j, slope in enumerate(row if isinstance(row, list) else [row]):
                key = f"w.{j}" if isinstance(row, list) else "b"
                assert found[f"parts.{part}.neurons.{i}.{key}"] == pytest.approx(slope, rel=1e-13)
