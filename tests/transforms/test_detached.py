"""`no_grad` and `detach`: numbers without a past."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import math
import pickle

import pytest

import autograd_mini as am
from autograd_mini import ZERO, Value
from autograd_mini.core.row import TABLE

UNARY = [am.exp, am.tanh, am.relu, am.sigmoid, am.softplus, am.gelu, am.leaky_relu, am.selu, abs, am.stop_gradient]


def is_constant(v):
    """Whether a number is a node with nothing behind it."""
    return type(v) is Value and v.op == "stop_gradient" and v.operands == (v.data,) and v.partials == (ZERO,)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_operation_gives_the_same_number_as_a_constant(name):
    """For all rows of the table: the same value as outside, no edge, and the operands are released."""
    row = TABLE[name]
    number = 1.5 if name == "acosh" else 0.5
    count = len(inspect.signature(row.rule).parameters) - 1
    variadic = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(row.rule).parameters.values())
    operands = [Value(number) for _ in range(2 if variadic else count)]
    from autograd_mini.core.row import evaluate

    outside = evaluate(row, tuple(operands))
    with am.no_grad():
        inside = evaluate(row, tuple(operands))
    assert is_constant(inside)
    assert inside.data == outside.data or math.isnan(inside.data)
    assert not any(operand in gc.get_referents(inside) for operand in map(Box, operands))


class Box:
    """Equal only to a box of the very same number."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return other is self.number

    __hash__ = None


def test_composed_functions_and_models():
    """Compositions, lists and models give the same values as outside, all of them constants."""
    model = am.nn.MLP(2, [4, 3], activation="relu", seed=1)
    outside = model([0.5, -1.0])
    loss = am.cross_entropy(outside, 1)
    with am.no_grad():
        inside = model([0.5, -1.0])
        assert [v.data for v in inside] == [v.data for v in outside]
        assert all(map(is_constant, inside))
        assert am.cross_entropy(model([0.5, -1.0]), 1).data == loss.data
        for function in UNARY:
            for x in (-0.75, 0.0, 2.0):
                assert is_constant(function(Value(x))), function
        leaf = Value(3.0, name="leaf")
    assert (leaf.op, leaf.name) == (None, "leaf")
    (leaf * leaf).backward()
    assert leaf.grad == 6.0


def test_training_by_hand():
    """The update of a parameter through `.data`; what is computed outside flows as ever."""
    w = Value(1.0)
    for _ in range(50):
        w.grad = 0.0
        loss = (w - 3.0) ** 2
        loss.backward()
        with am.no_grad():
            w.data -= 0.1 * w.grad
            report = loss * 2.0
    assert abs(w.data - 3.0) < 1e-4
    assert is_constant(report)
    with am.no_grad():
        target = w * w  # of a slow copy, as in bootstrapping
    w.grad = 0.0
    (w * target).backward()
    assert w.grad == target.data


def test_a_step_that_would_be_lost():
    """PyTorch's `p -= step` cannot write a leaf: where it looks like training, it is an error."""
    p, total = Value(1.0, name="p"), Value(0.0)
    (p * p).backward()
    with am.no_grad():
        with pytest.raises(am.ArgumentError, match=r"(?s)p -= 0.1 \* p.grad.*p.data -= step"):
            p -= 0.1 * p.grad
        with pytest.raises(am.ArgumentError, match=r"(?s)makes a new number.*p.data \+= step"):
            p += 0.1
        total += p
        total -= 2.0 * p
        q = p - 0.1
    assert (p.data, p.op, total.data, q.data) == (1.0, None, -1.0, 0.9)
    p -= 0.1  # as ever
    assert p.op == "sub"


def test_nothing_is_kept_alive():
    """A running mean over 1,000 graphs holds none of them; nor does a hidden state that was detached."""
    x = Value(1.0)
    with am.no_grad():
        mean = x * 0.0
    hidden = x * 1.0
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(1000):
        loss = x * x
        with am.no_grad():
            mean = mean * 0.9 + loss * 0.1
        hidden = (hidden * 0.5).detach()
    gc.collect()
    assert len(gc.get_objects()) - before < 50
    assert mean.data == pytest.approx(1.0)


def test_backward_says_so():
    """A root that was made inside, or by detach(), is an error; that of other constants does nothing, as before."""
    x = Value(2.0, name="x")
    with am.no_grad():
        y = x * x
    for root in (y, (x * x).detach(), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        with pytest.raises(am.ArgumentError, match=r"inside no_grad\(\) or by detach\(\)"):
            root.backward()
    am.stop_gradient(x * x).backward()
    with am.no_grad():
        z = x * 3.0
    loss = x * z
    with am.no_grad():
        loss.backward()  # of a graph that was made outside
    assert x.grad == 6.0


def test_transforms_inside():
    """As in PyTorch: derivatives by their own variables are right, all around is constant, in every mode and order."""
    w = Value(3.0)

    def cube(x):
        return w * x**3

    def detached(tree):
        return [v.data for v in tree if is_constant(v)]

    x = Value(2.0)
    with am.no_grad():
        value, slope = am.value_and_grad(cube)(2.0)
        assert detached([value, slope]) == [24.0, 36.0]
        assert am.grad(lambda x: x**3)(2.0) == 12.0
        assert detached([am.grad(lambda x: x**3)(x), am.grad(am.grad(cube))(2.0), am.grad(am.grad(cube))(x)]) == [
            12.0, 36.0, 36.0,
        ]  # fmt: skip
        assert am.hessian(lambda v: v[0] ** 2 * v[1])([2.0, 5.0]) == [[10.0, 4.0], [4.0, 0.0]]
        assert detached(am.jvp(cube, (2.0,), (1.0,))) == [24.0, 36.0]
        assert detached([am.hvp(cube, (2.0,), (1.0,)), am.jacobian(lambda x: [cube(x)])(x)[0]]) == [36.0, 36.0]
        y, pullback = am.vjp(cube, 2.0)
        assert detached([y, *pullback(1.0)]) == [24.0, 36.0]
        assert am.jvp(am.grad(lambda x: x**3), (2.0,), (1.0,)) == (12.0, 12.0)
    assert detached(pullback(1.0)) == [36.0]
    y, pullback = am.vjp(lambda x: x**3, 2.0)
    with am.no_grad():
        assert pullback(1.0) == (12.0,)
    assert am.grad(cube)(2.0).op is not None
    assert not is_constant(am.grad(cube)(2.0))


@pytest.mark.parametrize("cut", ["no_grad", "detach"])
def test_inside_of_a_function(cut):
    """x² times a constant x², to any order, in reverse and in forward mode: the constant has no part in it."""

    def square(x):
        if cut == "detach":
            return (x * x).detach()
        with am.no_grad():
            return x * x

    def f(x):
        return x * x * square(x)

    x = Value(3.0)
    f(x).backward()
    assert x.grad == 54.0
    assert am.grad(f)(3.0) == 54.0
    assert am.grad(am.grad(f))(3.0) == 18.0
    assert am.jvp(f, (3.0,), (1.0,)) == (81.0, 54.0)
    assert am.hvp(f, (3.0,), (1.0,)) == 18.0
    assert am.jvp(lambda x: am.jvp(f, (x,), (1.0,))[1], (3.0,), (1.0,)) == (54.0, 18.0)
    assert am.hessian(lambda v: f(v[0]) * v[1])([3.0, 1.0]) == [[18.0, 54.0], [54.0, 0.0]]
    sympy = pytest.importorskip("sympy")
    X = sympy.Symbol("x")
    assert sympy.simplify(am.grad(f)(X) - 2 * X**3) == 0


def test_sums_in_forward_mode():
    """The inlined operators of forward mode, and every other, obey too."""

    def f(x):
        with am.no_grad():
            return [x + x, x * x, 2.0 * x, x + 2.0, x - 1.0, am.sin(x), am.where(x > 0.0, x * 2.0, x), x.exp()]

    assert am.jvp(f, (3.0,), (1.0,))[1] == [0.0] * 8


def test_only_functions_are_decorated():
    """A number is refused immediately, instead of being called later."""
    with pytest.raises(am.OperandError, match=r"decorates a function, not 3\.0"):
        am.no_grad(3.0)


def test_decorators():
    """With and without parentheses; generators compute without a graph while they run, and their callers do not."""
    x = Value(2.0)

    @am.no_grad
    def plain(x):
        """Twice."""
        return x * 2.0

    @am.no_grad()
    def numbers(x):
        try:
            while True:
                x = (yield x * 2.0) or x
        except KeyError:
            yield x * 3.0
        return x * 4.0

    @am.no_grad()
    async def later(x):
        await asyncio.sleep(0)
        return x * 2.0

    assert is_constant(plain(x))
    assert (plain.__name__, plain.__doc__, str(inspect.signature(plain))) == ("plain", "Twice.", "(x)")
    generator = numbers(x)
    assert is_constant(next(generator))
    assert not is_constant(x * 2.0)
    assert generator.send(Value(5.0)).data == 10.0
    assert generator.throw(KeyError).data == 15.0
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert is_constant(end.value.value)
    generator = numbers(x)
    next(generator)
    generator.close()
    assert not is_constant(x * 2.0)

    async def main():
        task = asyncio.create_task(later(x))
        await asyncio.sleep(0)
        assert not is_constant(x * 2.0)
        assert is_constant(await task)

    asyncio.run(main())
    with pytest.raises(am.OperandError, match="asynchronous generator"):

        @am.no_grad()
        async def items():
            yield 1.0

    @am.checked()
    def logs(x):
        yield am.log(x)

    with pytest.raises(am.NonFiniteError):
        next(logs(Value(-1.0)))


def test_with_those_who_watch():
    """`checked` still raises and names the operands; lines are remembered; there are no kinks where nothing flows."""
    x = Value(0.0, name="x")
    with am.no_grad(), am.checked(), pytest.raises(am.NonFiniteError, match=r"(?s)log\(0.0\) is -inf.*x = 0.0"):
        am.log(x)
    with am.no_grad(), am.provenance(), am.scope("part"):
        y = abs(x)
    assert (y.origin.expression, y.scope.path) == ("abs(x)", ("part",))
    with am.provenance():
        assert x.detach().origin.expression == "x.detach()"
    with am.kinks() as report, am.no_grad():
        abs(x)
        am.selu(x)
        assert x >= 0.0
    assert report == []
    with am.no_grad():
        assert [finding.cause for finding in am.explain(lambda x: am.sqrt(x * x), 0.0)] == ["0 * inf"]
    loss = y * Value(2.0, name="w")
    assert not any(finding.kind == "nan" for finding in am.explain(loss))
    assert am.draw(loss).svg


def test_detach():
    """A constant of the same number, also of a leaf; the leaf stays what it was; nothing flows through it."""
    x = Value(3.0)
    assert is_constant(x.detach())
    assert (x.op, x.detach().data) == (None, 3.0)
    (x * x.detach()).backward()
    assert x.grad == 3.0
    assert am.jvp(lambda x: x * x.detach(), (3.0,), (1.0,)) == (9.0, 3.0)
    assert am.grad(am.grad(lambda x: x * x.detach() * x))(3.0) == 6.0
    np = pytest.importorskip("numpy")
    array = np.array([Value(1.0), Value(2.0)])
    assert all(is_constant(v.detach()) for v in array)
