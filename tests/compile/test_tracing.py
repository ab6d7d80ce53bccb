"""Tracing: what cannot be known while it runs is an error at the user's line; nothing else of Python is lost."""

from __future__ import annotations

import gc
import math
import operator
import threading

import numpy as np
import pytest

import autograd_mini as am
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.tracing import Register, collector_paused, is_tracing, tracing
from autograd_mini.core.row import FLAT, TABLE
from autograd_mini.core.traced import Traced, Unrecorded
from autograd_mini.errors import OperandError
from autograd_mini.transforms import trees
from tests.compile.programs import bits

XS, AN_ARRAY = [1.0, 2.0], np.array([1.0, 2.0])


def value_of(tree):
    return [getattr(number, "data", number) for _, number in trees.numbers(tree)]


def a_branch(x):
    if x * 2.0 > 1.0:
        return x
    return -x


def a_truth(x):
    return x if x else 0.0


# For each: a function, its arguments, the expression that the error quotes, and what it names.
ANSWERS = {
    "if": (a_branch, (1.0,), "x * 2.0 > 1.0", "where(condition, a, b)"),
    "truth": (a_truth, (1.0,), "x if x else 0.0", "where(condition, a, b)"),
    "bool": (lambda x: bool(x > 0.0) * x, (1.0,), "bool(x > 0.0)", "where(condition, a, b)"),
    "bool of a number": (lambda x: bool(x) * x, (1.0,), "bool(x)", "static_argnums"),
    "and": (lambda x: am.where(x > 0.0 and x < 1.0, x, 0.0), (1.0,), "x > 0.0", "join conditions with &"),
    "chain": (lambda x: am.where(0.0 < x < 1.0, x, 0.0), (1.0,), "0.0 < x < 1.0", "join conditions with &"),
    "not": (lambda x: am.where(not x > 0.0, x, 0.0), (1.0,), "x > 0.0", "~"),
    "while": (lambda x: [x for _ in iter(lambda: x < 0.0, False)], (1.0,), "x < 0.0", "where"),
    "max": (lambda x: max(x, 0.0), (1.0,), "max(x, 0.0)", "where"),
    "sorted": (lambda x, y: sorted([x, y])[0], (1.0, 2.0), "sorted([x, y])", "where"),
    "in": (lambda x: 1.0 if x in [1.0, 2.0] else x, (3.0,), "x in [1.0, 2.0]", "where"),
    "assert": (lambda x: [x for x in [x] if x == 3.0], (1.0,), "x == 3.0", "where"),
    "float": (lambda x: float(x) * 2.0, (1.0,), "float(x)", "static_argnums"),
    "math": (lambda x: math.exp(x), (1.0,), "math.exp(x)", "autograd_mini.exp"),
    "int": (lambda x: int(x) * x, (1.0,), "int(x)", "static_argnums"),
    "range": (lambda x, n: am.sum([x for _ in range(n)]), (1.0, 3), "range(n)", "static_argnums"),
    "index": (lambda xs, i: xs[i], (XS, 1), "xs[i]", "take(values, index)"),
    "slice": (lambda xs, i: xs[:i][0], (XS, 1), "xs[:i]", "static_argnums"),
    "format": (lambda x: f"{x:.3f}" and x, (1.0,), "{x:.3f}", "Print it without a format"),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("transform", [lambda f: f, am.grad], ids=["value", "gradient"])
def test_answers_that_are_not_known(name, transform):
    """An answer that depends on an input is an error with the user's file, line and expression, and a way out."""
    function, args, expression, named = ANSWERS[name]
    with pytest.raises(am.TraceError) as caught:
        am.jit(transform(function))(*args)
    text = str(caught.value)
    first, where, do = text.splitlines()[0], *[line for line in text.splitlines() if line.startswith("  ")]
    assert "not known while tracing" in first or "stands for all numbers" in first
    line = function.__code__.co_firstlineno
    assert where.startswith(f"  where: {__file__}:{line + name.startswith(('if', 'truth'))} in ")
    assert expression in where
    assert do.startswith("  do:    ")
    assert named in do


def test_an_array_that_is_indexed():
    """NumPy hides the error of an index; the message still appears, and names `take`."""
    with pytest.raises(am.TraceError, match=r"NumPy array has perhaps been indexed(.|\n)*take\(values, index\)"):
        am.jit(lambda xs, i: xs[i])(AN_ARRAY, 1)
    for function, args, expression in (
        (lambda xs, i: xs[i], (AN_ARRAY, AN_ARRAY), "xs[i]"),
        (lambda x, i: {1: x}[i], (2.0, 1), "{1: x}[i]"),
        (lambda n: np.zeros(n), (2,), "np.zeros(n)"),
        (lambda xs, n: xs.reshape(n), (AN_ARRAY, 2), "xs.reshape(n)"),
    ):
        with pytest.raises(am.TraceError, match="stands for all numbers") as caught:
            am.jit(lambda *args: function(*args) * 1.0)(*args)  # noqa: B023
        assert f"where: {__file__}:{function.__code__.co_firstlineno} " in str(caught.value)
        assert f": {expression}\n  do:    Write take(values, index)" in str(caught.value)
    for wrong, error in ((lambda xs: xs[7], IndexError), (lambda xs: {}["a"], KeyError), (lambda xs: xs(), TypeError)):
        with pytest.raises(error) as caught:
            am.jit(wrong)(XS)
        assert not isinstance(caught.value, am.AutogradError)
    assert am.jit(lambda xs, i: am.take(xs, i))(AN_ARRAY, 1) == 2.0


def test_take():
    """A gather by data: its derivative reaches the element that is taken, and an index that is not there gives nan."""
    f = am.value_and_grad(lambda xs, i: am.take([x * x for x in xs], i))
    g = am.jit(f)
    for i in range(3):
        assert g([1.0, 2.0, 3.0], i) == f([1.0, 2.0, 3.0], i)
    values, slopes = am.jit(f, in_axes=(None, 0))([1.0, 2.0, 3.0], [2, 0, 0, 1])
    assert values.tolist() == [9.0, 1.0, 1.0, 4.0]
    assert [slope.tolist() for slope in slopes] == [[0.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 4.0], [6.0, 0.0, 0.0, 0.0]]
    for wrong in (-1, 3, math.nan, math.inf):
        assert math.isnan(g([1.0, 2.0, 3.0], wrong)[0])


def test_a_condition_that_is_known():
    """Python may branch on what does not depend on inputs; a `where` of it is the arm that it takes."""
    f = am.jit(am.value_and_grad(lambda x: am.where((2.0 < 1.0) & (x > 0.0), am.log(x), x * 3.0)))
    assert f(-1.0) == (-3.0, 3.0)
    assert am.jit(lambda x: am.where(True, x, 0.0))(2.0) == 2.0
    assert am.jit(lambda x: am.where((x > 0.0) | (1.0 == 1.0), x, 1.0 / x))(-2.0) == -2.0
    assert am.jit(lambda x, n: x if n > 1 else -x, static_argnums=1)(2.0, 1) == -2.0


def test_conditions():
    """Joined and compared conditions have the answers of Python."""
    for x in (-1.0, -0.0, 0.0, 0.5, 1.0, math.nan, math.inf):
        for function, expected in (
            (lambda x: (x > 0.0) & (x < 1.0), x > 0.0 and x < 1.0),
            (lambda x: (x <= 0.0) | (x >= 1.0), x <= 0.0 or x >= 1.0),
            (lambda x: ~(x == 0.0), x != 0.0),
            (lambda x: (x > 0.0) ^ (x < 1.0), (x > 0.0) != (x < 1.0)),
            (lambda x: (x > 0.0) == (x < 1.0), (x > 0.0) == (x < 1.0)),
            (lambda x: (x != x) & True, x != x),
        ):
            f = lambda x: am.where(function(x), 1.0, 0.0)  # noqa: B023, E731
            for compiled in (am.jit(f), am.jit(f, backend="numpy")):
                assert compiled(x) == float(expected)
            assert am.jit(f, in_axes=0)([x, x]).tolist() == [float(expected)] * 2


def test_integers_between_floats():
    """An integer that is no float compares exactly, as it does with Python's floats."""
    largest, smallest = 1.7976931348623157e308, -1.7976931348623157e308
    points = [-math.inf, smallest, -(2.0**53), 0.0, 2.0**53, 2.0**53 + 2.0, largest, math.inf, math.nan]
    for n in (2**53 + 1, -(2**53) - 1, 10**400, -(10**400), 2**53, 3):
        for relate in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
            for function in (lambda x: relate(x, n), lambda x: relate(n, x)):  # noqa: B023
                f = am.jit(lambda x: am.where(function(x), 1.0, 0.0), in_axes=0)  # noqa: B023
                assert f(points).tolist() == [float(function(x)) for x in points], (n, relate)
                f = am.jit(lambda x: am.jvp(lambda x: am.where(function(x), x, 0.0), (x,), (1.0,))[1])  # noqa: B023
                assert [f(x) for x in points] == [float(function(x)) for x in points], (n, relate)


@pytest.mark.parametrize("transform", ["value", "gradient", "forward", "forward twice", "forward over reverse"])
def test_a_number_as_a_condition(transform):
    """A number is a condition where it is not 0, in every transform; it has no derivative."""

    def f(x, y):
        return am.where(x * y, am.where(am.maximum(x, 0.0), x * x, y), x * y * y)

    function = {
        "value": f,
        "gradient": am.grad(f, (0, 1)),
        "forward": lambda x, y: am.jvp(f, (x, y), (1.0, y)),
        "forward twice": lambda x, y: am.jvp(lambda x: am.jvp(f, (x, y), (y, x))[1], (x,), (1.0,)),
        "forward over reverse": lambda x, y: am.jvp(am.grad(f), (x, y), (1.0, 2.0)),
    }[transform]
    compiled = am.jit(function)
    for x in (-2.0, -0.0, 0.0, 1.5, math.nan):
        for y in (-0.0, 0.5):
            assert bits(compiled(x, y)) == bits(function(x, y)), (x, y)


def test_conditions_as_numbers():
    """In arithmetic a condition is 1 or 0, as a bool is; it has no derivative."""
    for f in (
        lambda x: (x > 0.0) * x,
        lambda x: x * (x > 0.0) + (x == x) / 2.0,
        lambda x: 3.0 - (x <= 1.0) - (x > 0.0) * 2,
        lambda x: -(x > 0.0) + abs(x < 1.0) + +(x < 1.0) * x,
        lambda x: am.sum([x > 0.0, x > 1.0, x * 0.5]),
        lambda x: sum([x > 0.0, x > 1.0]) * x,
        lambda x: 2.0 ** (x > 0.0) * x,
        lambda x: (x > 0.0) // 2 + (x > 0.0) % 2 + 5.0 // ((x > 0.0) + 1),
    ):
        forward = lambda f: lambda x: am.jvp(f, (x,), (2.0,))  # noqa: B023, E731
        for transform in (lambda f: f, am.grad, forward, lambda f: am.grad(am.grad(f))):
            g = transform(f)
            for x in (-2.0, -0.0, 0.5, 1.0, math.inf, math.nan):
                assert bits(am.jit(g)(x)) == bits(value_of(g(am.Value(x)))), x
    for function in (float, int, lambda c: [1.0, 2.0][c], lambda c: range(c), math.exp):
        with pytest.raises(am.TraceError, match="not known while tracing"):
            am.jit(lambda x: function(x > 0.0) * x)(1.0)  # noqa: B023


def test_data():
    """The data of a number are a number without a graph: a constant for derivatives, on either side of an operator."""
    for f in (
        lambda x: x + x.data * x,
        lambda x: x.data * x + x * x.data,
        lambda x: x.data**x - x / x.data,
        lambda x: am.hypot(x.data, x) * am.maximum(x.data, 2.0 * x, x),
        lambda x: am.where(x.data > 1.0, x, x.data * x * x),
        lambda x: am.where(x > x.data, x, am.where(x.data, x, 0.0)) + am.sum([x.data, x, x.data]),
        lambda x: am.dot([x.data, x], [x, x.data]) * am.exp(x.data),
        lambda x: x.data,
        lambda x: am.grad(lambda y: y * y * x)(x.data),
    ):
        second = lambda x: am.grad(am.grad(f))(x)  # noqa: B023, E731
        for g in (am.grad(f), am.value_and_grad(f), second, am.grad(lambda x: am.sum([f(x), x]))):  # noqa: B023
            for x in (0.5, 3.0):
                assert bits(am.jit(g)(x)) == bits(g(x)), x
    assert am.jit(lambda x: x.data)(3.0) == 3.0


# -- numbers from outside ----------------------------------------------------------------------------------------------


def test_values_from_outside():
    """A `Value` in a closure would lose its gradient: it is an error that says what to do."""
    v = am.Value(2.0)
    model = am.nn.Linear(1, 1)
    for function in (
        lambda x: x * v,
        lambda x: v / x,
        lambda x: am.where(x > v, x, 1.0),
        lambda x: am.where(x > 0.0, x, v),
        lambda x: am.sum([x, v]),
        lambda x: am.maximum(x, v),
        lambda x: model([x])[0],
    ):
        for transform in (lambda f: f, am.grad):
            with pytest.raises(OperandError, match=r"Make it an argument of the (traced )?function"):
                am.jit(transform(function))(1.0)
    with pytest.raises(OperandError, match="Make it an argument of the function"):
        am.jit(lambda x: v)(1.0)
    assert am.jit(lambda x: x * v.data)(3.0) == 6.0


def test_constants_from_outside():
    """A number that a function takes from outside is kept as it was at the first call, as documented."""
    scale = [2.0]
    f = am.jit(lambda x: x * scale[0])
    assert f(3.0) == 6.0
    scale[0] = 5.0
    assert f(3.0) == 6.0
    assert "kept as it was at the first call" in am.jit.__doc__


def test_numbers_kept_from_a_trace():
    """What a function keeps of a trace is an error later: in another trace, in eager mode, in a derivative."""
    kept = []

    def keep(x):
        kept.append(x * 2.0)
        return x

    am.jit(keep)(1.0)
    for function in (
        lambda x: x + kept[0],
        lambda x: kept[0],
        lambda x: am.where(kept[0] > 0.0, x, 1.0),
        lambda x: am.exp(kept[0]) * x,
    ):
        with pytest.raises(am.TraceError, match=r"kept from an earlier trace(.|\n)*do: "):
            am.jit(function)(1.0)
    for outside in (lambda: kept[0] + 1.0, lambda: am.exp(kept[0]), lambda: kept[0] > 3.0):
        with pytest.raises(am.TraceError, match="kept from an earlier trace"):
            outside()
    with pytest.raises(OperandError):
        am.grad(lambda x: x * kept[0])(1.0)
    with pytest.raises(OperandError):
        _ = am.Value(1.0) * kept[0]
    assert "Traced" in repr(kept[0])


def test_conditions_kept_from_a_trace():
    """So is a condition, whatever it is joined with; its register must never be taken for one of the new tape."""
    kept = []

    def keep(x):
        kept.append(am.sin(x) > 0.0)
        return x

    am.jit(keep)(1.0)
    for function in (
        lambda x: am.where((x > 5.0) & kept[0], x, 7.0),
        lambda x: am.where((am.sin(x) * 2.0 + am.exp(x) > 5.0) | kept[0], x, 7.0),
        lambda x: am.where((am.exp(am.cos(x)) * x > 5.0) == kept[0], x, 7.0),
        lambda x: am.where(kept[0], am.exp(am.exp(am.sin(x))), 7.0),
        lambda x: am.where(kept[0], 1.0, 7.0) * x,
        lambda x: am.where(~kept[0], x, 7.0),
    ):
        for transform in (lambda f: f, am.grad, lambda f: lambda x: am.jvp(f, (x,), (x,))):
            with pytest.raises(am.TraceError, match="kept from an earlier trace"):
                am.jit(transform(function))(6.0)


def test_numbers_of_an_outer_trace():
    """A compiled function that is called inside a trace may use the numbers of the outer one."""

    def outer(x):
        return am.jit(lambda y: y * x)(x + 1.0)

    assert am.jit(am.grad(outer))(2.0) == 5.0


def test_generators():
    """Generators and comprehensions inside work; one that a trace leaves behind does not."""
    assert am.jit(lambda xs: am.sum(x * x for x in xs))([1.0, 2.0]) == 5.0
    assert am.jit(lambda xs: am.maximum(abs(x) for x in xs))([1.0, -2.0]) == 2.0

    def numbers(x):
        yield x
        yield x * 2.0

    assert am.jit(lambda x: am.sum(numbers(x)))(1.0) == 3.0
    left = []
    am.jit(lambda x: left.append(numbers(x)) or x)(1.0)
    assert isinstance(next(left[0]), Traced)
    with pytest.raises(am.TraceError, match="kept from an earlier trace"):
        next(left[0])


def test_errors_of_the_function():
    """An error of the function reaches the caller as it is, and the next call traces again."""
    fail = [True]

    def f(x):
        if fail[0]:
            raise KeyError("mine")
        return x * 2.0

    compiled = am.jit(f)
    with pytest.raises(KeyError, match="mine"):
        compiled(1.0)
    assert not is_tracing()
    fail[0] = False
    assert compiled(1.0) == 2.0


def test_threads():
    """Each thread writes a tape of its own, also while others write theirs."""
    barrier, found = threading.Barrier(6), {}

    def chain(n, meet=lambda: None):
        def f(x):
            for i in range(200):
                x = x * 1.5 + float(n) if i % 2 else am.sin(x)
                if i in (3, 100):
                    meet()
            return x

        return f

    def work(n):
        found[n] = am.jit(am.value_and_grad(chain(n, barrier.wait)))(0.5)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: am.value_and_grad(chain(n))(0.5) for n in range(6)}


# -- registers ---------------------------------------------------------------------------------------------------------


def test_equal_instructions_are_one_register():
    """Equal instructions are written once as the tape is built; constants are equal by their bits."""
    with tracing() as builder:
        x = builder.input("x")
        one = builder.add("exp", (x,))
        assert builder.add("exp", (x,)) is one
        assert builder.constant(0.0) is not builder.constant(-0.0)
        assert builder.constant(math.nan) is builder.constant(-math.nan * 1.0)
        assert builder.input("x") is not x
        assert repr(one) == "v1"
        assert repr(x) == "x"
        assert is_tracing()
    assert not is_tracing()


def test_flat():
    """The zero that stays one whatever multiplies it needs no operation on a tape."""
    with tracing() as builder:
        x = Unrecorded(builder.input("x"))
        flat = builder.register_of(FLAT)
        assert flat.flat is True
        product = builder.compute(TABLE["mul"], (flat, x.data))
        assert product.flat is True
        total = builder.compute(TABLE["add"], (product, x.data))
        assert total.flat is False
        tape = builder.tape([product, total, builder.compute(TABLE["add"], (x.data, FLAT))])
    for number in (math.inf, math.nan, -0.0, 3.0):
        first, *others = map(repr, Program(tape)([number]))
        assert first == "0.0"
        assert others == [repr(number)] * 2
    assert not {"flat", "slope_at_kink"} & {op for op, _, _ in tape.instructions}


@pytest.mark.parametrize("sign", ["add", "sub", "mul", "truediv"])
def test_operators_are_the_rows(sign):
    """The operators that are inlined write what the table's interpreter writes, whatever the operand is."""
    row = TABLE["div" if sign == "truediv" else sign]
    with tracing() as builder:
        x, y = builder.input("x"), builder.input("y")
        behind = builder.compute(TABLE["where"], (builder.relate("<", (x, y)), FLAT, y))
        for other in (x, y, 2.5, 1.0, 0.0, -0.0, math.inf, math.nan, 3, True, behind, builder.register_of(FLAT)):
            for name, operands in ((f"__{sign}__", (x, other)), (f"__r{sign}__", (other, x))):
                found, expected = getattr(x, name)(other), builder.compute(row, operands)
                assert (found.index, found.flat) == (expected.index, expected.flat)
        with pytest.raises(OperandError):
            getattr(x, f"__{sign}__")("text")


def test_registers_do_not_mix():
    """A register of another tape is an error, in any operand."""
    with tracing() as one, tracing() as other:
        x, y = Unrecorded(one.input("x")), Unrecorded(other.input("y"))
        for operation in (lambda: x + y, lambda: y * x, lambda: am.where(x > 0.0, y, y), lambda: x < y):
            with pytest.raises(am.TraceError, match="another thread's"):
                operation()
    assert type(x.data) is Register


def test_derivatives_inside_of_each_other():
    """A derivative keeps its graph exactly as long as another one may look at it."""

    def f(x):
        return am.exp(x * 0.5) * am.where(x > 1.0, x * x, am.sin(x))

    def pulled_twice(x):
        _, pullback = am.vjp(f, x * 2.0)
        (last,) = pullback(1.0)
        return last * am.grad(lambda y: pullback(y)[0] * y)(x) + pullback(last)[0]

    slope = lambda f: lambda x: am.grad(f)(x)  # noqa: E731
    cases = (
        slope(slope(slope(f))),
        slope(lambda x: am.grad(f)(3.0) * x * am.grad(f)(x)),
        slope(lambda x: am.grad(lambda y: f(x * y))(2.0)),
        lambda x: am.grad(f)(am.grad(f)(x)),
        lambda x: am.jvp(slope(f), (x,), (x,))[1],
        slope(lambda x: am.jvp(slope(f), (x,), (1.0,))[1]),
        pulled_twice,
        slope(pulled_twice),
    )
    for case in cases:
        compiled = am.jit(case)
        for x in (0.3, 1.7):
            assert compiled(x) == pytest.approx(case(x), rel=1e-14)


def test_a_rule_that_chooses_by_a_number():
    """A number counts as true where it is not 0, in a rule too."""
    name = "front_choice"
    ramp = am.primitive(name, lambda x: am.where(x != 0.0, x, 2.0), lambda y, x: (am.where(x, 3.0, 1.0),), check=False)
    try:
        with tracing() as builder:
            slope = am.grad(ramp)(Traced(builder.input("x"))).data
            tape = builder.tape([builder.compute(TABLE["mul"], (slope, slope))])
        assert [Program(tape)([x])[0] for x in (-1.0, 0.0, math.nan)] == [9.0, 1.0, 9.0]
    finally:
        del TABLE[name]


def test_nothing_for_the_collector():
    """A trace leaves no cycle behind for the garbage collector to search for."""
    compiled = am.jit(am.value_and_grad(lambda xs: am.sum([am.exp(x) * x for x in xs])))
    with collector_paused():
        gc.collect()
        compiled([float(i) for i in range(100)])
        assert gc.collect() < 100  # a trace has thousands of objects
