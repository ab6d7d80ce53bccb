"""`Value`: what it takes and refuses, what a node knows, copying and pickling, depth, memory, bits."""

from __future__ import annotations

import copy
import gc
import math
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import topological_order

# -- numbers in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "stored"),
    [(2, 2.0), (True, 1.0), (0.1, 0.1), (Fraction(1, 3), 1 / 3), (np.float64(0.1), 0.1), (np.float32(0.5), 0.5),
     (np.int8(-3), -3.0), (np.bool_(True), 1.0), (math.nan, math.nan), (-0.0, -0.0)],
)  # fmt: skip
def test_real_numbers_are_taken_as_floats(number, stored):
    """Every real number is stored as a plain float, alone and as an operand on both sides."""
    value = Value(number)
    assert type(value.data) is float
    assert repr(value.data) == repr(stored)
    for node in (Value(1.0) * number, number * Value(1.0)):
        assert type(node) is Value
        assert type(node.data) is float
    x = Value(0.0)
    x.data = number
    assert type(x.data) is float


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [("2", "float(text)"), (None, "return"), (1j, ".real"), (Decimal("0.1"), "Decimal"), ([1.0], "one number"),
     ((1.0,), "one number"), ({1.0}, "one number"), (b"2", "Pass"), (object(), "Pass an int"),
     (np.array([1.0, 2.0]), "one number"), (np.complex128(1j), ".real")],
)  # fmt: skip
def test_wrong_operands_are_refused(wrong, advice):
    """The error says what was wrong, where in the user's program, and what to do."""
    with pytest.raises(am.OperandError) as caught:
        Value(wrong)
    message = str(caught.value)
    assert type(wrong).__name__ in message
    assert "test_engine.py" in message
    assert "Value(wrong)" in message
    assert advice in message or type(wrong) is bytes
    if not isinstance(wrong, np.ndarray):  # arrays of numbers are operands, element by element
        with pytest.raises(am.OperandError):
            am.exp(wrong)
        with pytest.raises(TypeError):
            Value(1.0) + wrong
        with pytest.raises(TypeError):
            wrong * Value(1.0)


def test_a_value_of_a_value_is_refused():
    """Value(v) would silently detach v."""
    with pytest.raises(am.OperandError, match="is a Value already"):
        Value(Value(1.0))


def test_numbers_beyond_floats_are_refused():
    """10**400 is not a float; nothing silently becomes inf."""
    for attempt in (lambda: Value(10**400), lambda: Value(1.0) + 10**400, lambda: am.exp(10**400)):
        with pytest.raises(OverflowError, match=r"1\.8e308"):
            attempt()


def test_foreign_operands_get_their_turn():
    """An operator returns NotImplemented for an unknown class, whose own operator then decides."""

    class Other:
        def __radd__(self, other):
            return "other won"

        def __mul__(self, other):
            return "left won"

    assert Value(1.0) + Other() == "other won"
    assert Other() * Value(1.0) == "left won"
    with pytest.raises(TypeError):
        Value(1.0) - Other()


# -- numbers out -------------------------------------------------------------------------------------------------------


def test_nothing_drops_the_gradient_silently():
    """float(), int() and the functions of math raise, and say what to write instead."""
    x = Value(1.0)
    for attempt in (float, int, math.exp, math.sqrt, lambda v: np.array([v], dtype=float)):
        with pytest.raises(TypeError, match=r"autograd_mini\.exp"):
            attempt(x)
    with pytest.raises(TypeError):
        [10, 20][x]


def test_comparisons_are_numeric_and_hash_is_identity():
    """Numbers compare as numbers, also against ints and NumPy; nodes are told apart by identity."""
    x, y = Value(2.0), Value(2.0)
    assert x == y == 2
    assert x != 3.0
    assert x < 2.5
    assert x >= np.float64(2.0)
    assert len({x, y}) == 2
    assert (x == "2") is False
    assert (x == None) is False  # noqa: E711  # the comparison itself is tested
    assert Value(1.0) < 10**400
    assert Value(2.0**53) != 2**53 + 1
    assert not Value(0.0)
    assert Value(math.nan) != math.nan
    with pytest.raises(TypeError):
        assert x < "2"
    assert max(Value(1.0), Value(3.0)).data == 3.0


def test_formats():
    """repr is one line, with a gradient only once there is one; format specs apply to the number."""
    x = Value(1 / 3, name="x")
    assert repr(x) == "Value(data=0.3333333333333333, name='x')"
    x.backward()
    assert repr(x) == "Value(data=0.3333333333333333, grad=1.0, name='x')"
    assert repr(Value(1.5) ** 3) == "Value(data=3.375, op='pow')"
    y = x.exp()
    y.name = "y"
    y.backward()
    assert repr(y) == f"Value(data={y.data!r}, grad=1.0, name='y', op='exp')"
    assert f"{x:.3f}" == "0.333"
    assert f"{x}" == repr(x)


def test_data_is_written_on_leaves_only():
    """Computed data is what was computed; a leaf's may change, and earlier graphs keep what they recorded."""
    x = Value(3.0)
    y = x * x
    with pytest.raises(am.ArgumentError, match="computed node"):
        y.data = 1.0
    x.data = 100.0
    y.backward()
    assert (y.data, x.grad) == (9.0, 6.0)
    x.data -= 0.5 * x.grad
    assert x.data == 97.0
    with pytest.raises(am.OperandError):
        x.data = "1"
    assert x.data == 97.0


def test_grad_is_a_number_that_can_be_reset():
    """p.grad = 0 and p.grad = None both reset; nonsense is refused and changes nothing."""
    x = Value(3.0)
    assert x.grad == 0.0
    (x * x).backward()
    (x * x).backward()
    assert x.grad == 12.0
    with pytest.raises(am.OperandError):
        x.grad = "0"
    assert x.grad == 12.0
    for reset in (0, None):
        x.grad = reset
        assert x.grad == 0.0
        (x * x).backward()
        assert x.grad == 6.0


# -- the graph ---------------------------------------------------------------------------------------------------------


def test_a_node_knows_its_operation():
    """op, operands and partials of leaves and of operations with one, two and many operands."""
    x, y = Value(2.0), Value(3.0)
    assert (x.op, x.operands, x.partials) == (None, (), ())
    for node, op, operands, partials in (
        (x * y, "mul", (x, y), (3.0, 2.0)),
        (2.5 * y, "mul", (2.5, y), (am.ZERO, 2.5)),
        (-x, "neg", (x,), (-1.0,)),
        (x**2, "pow", (x, 2.0), (4.0, am.ZERO)),
        (x - 0, "sub", (x, 0.0), (1.0, am.ZERO)),
        (am.dot([x, y], [4.0, x]), "dot", (x, y, 4.0, x), (4.0, 2.0, am.ZERO, 3.0)),
        (am.sum([x, 1.0, y, x]), "sum", (x, 1.0, y, x), (1.0, am.ZERO, 1.0, 1.0)),
        (am.where(x < y, x, y), "where", (1.0, x, y), (am.ZERO, 1.0, am.ZERO)),
        (am.where(x > y, x, x), "where", (0.0, x, x), (am.ZERO, am.ZERO, 1.0)),
        (am.where(True, 5.0, x), "where", (1.0, 5.0, x), (am.ZERO, am.ZERO, am.ZERO)),
    ):
        assert node.op == op
        assert all(a is b or a == b for a, b in zip(node.operands, operands, strict=True))
        assert [a is b for a, b in zip(node.operands, operands, strict=True) if type(b) is Value].count(False) == 0
        assert node.partials == partials


def test_the_common_operators_agree_with_python():
    """x ** 2 is x * x to the bit; the floor operators and abs follow Python; -x is exact."""
    x = Value(-7.3)
    assert (x**2).data == x.data * x.data
    assert (x // 2).data == -7.3 // 2
    assert (x % 2).data == -7.3 % 2
    assert (2 % Value(-1.5)).data == 2 % -1.5
    assert abs(x).data == 7.3
    assert (+x) is x
    assert (2 ** Value(0.5)).data == 2**0.5
    assert divmod(9.5, 2.0) == ((Value(9.5) // 2.0).data, (Value(9.5) % 2.0).data)


def test_methods_have_numpys_names():
    """Every unary function is a method, so that NumPy's functions work on object arrays of Values."""
    a = np.array([Value(0.3), Value(0.7)])
    for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "sin", "cos", "tan", "arcsin",
                 "arccos", "arctan", "sinh", "cosh", "arcsinh", "arctanh", "tanh"):  # fmt: skip
        ours = getattr(np, name)(a)
        plain = getattr(np, name)(np.array([0.3, 0.7]))
        assert all(type(v) is Value for v in ours)
        assert [v.data for v in ours] == pytest.approx(list(plain), rel=1e-15)
    assert [v.data for v in np.floor(a * 10.0)] == [3.0, 7.0] or [v.data for v in np.floor(a * 10.0)] == [3.0, 6.0]
    assert np.arccosh(Value(1.5)).data == pytest.approx(math.acosh(1.5))
    for name in ("abs", "relu", "sigmoid", "gelu", "erf", "floor", "sign"):
        assert getattr(Value(0.3), name)().data == getattr(am, name)(0.3)


def test_numpy_arrays():
    """Matrix products, dot, sums, elementwise products from both sides, ufuncs of single Values; gradients flow."""
    w = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    x = np.array([0.5, -1.0])
    y = w @ x
    loss = np.tanh(y).sum() + np.dot(w[0], w[1]) + (Value(2.0) * x).sum() + (x * w[0, 0]).sum()
    assert type(loss) is Value
    loss.backward()
    slope = 1 - math.tanh(-1.5) ** 2
    assert w[0, 1].grad == pytest.approx(-slope + 4.0)
    v = Value(3.0)
    for product in (v * x, x * v):
        assert product.dtype == object
        assert [p.data for p in product] == [1.5, -3.0]
    for single in (np.exp(v), np.float64(2.0) * v, v + np.float32(2.0), np.int64(3) - v, np.maximum(v, 1.0), v / x[0]):
        assert type(single) is Value
    assert (v > np.array([1.0, 5.0])).tolist() == [True, False]


# -- gradients ---------------------------------------------------------------------------------------------------------


def test_backward_accumulates_on_leaves_and_restarts_inside():
    """A second backward() doubles the leaves and nothing else."""
    a, b, d = Value(3.0), Value(2.0), Value(1.0)
    c = a + b
    e = c * d
    e.backward()
    e.backward()
    assert (a.grad, b.grad, d.grad, c.grad, e.grad) == (2.0, 2.0, 10.0, 1.0, 1.0)


def test_seed():
    """The seed is a factor; it must be a real number."""
    x = Value(3.0)
    (x * x).backward(seed=-2)
    assert x.grad == -12.0
    for wrong in ("1", None, Value(1.0), [1.0]):
        with pytest.raises(am.OperandError):
            (x * x).backward(seed=wrong)
    assert x.grad == -12.0


def test_backward_on_a_float():
    """The error for a loss that is not a Value says so."""
    with pytest.raises(am.OperandError, match="float"):
        Value.backward(2.0)


def test_a_branch_not_taken_gets_nothing():
    """What is only behind dead edges keeps gradient 0.0, and nothing non-finite leaks out of it."""
    x = Value(0.0)
    dead = 1.0 / x
    y = am.where(x > 0.0, dead, x * 3.0) + am.relu(-am.exp(x) * math.inf)
    y.backward()
    assert x.grad == 3.0
    assert dead.grad == 0.0


# -- depth, memory, threads, bits --------------------------------------------------------------------------------------


def test_a_million_operations_deep():
    """Forward, backward and release of a chain of 1,000,000 operations, by reference counting alone."""
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        x = Value(1.0)
        y = x
        for _ in range(500_000):
            y = y * 0.5 + 1.0
        used, _ = tracemalloc.get_traced_memory()
        y.backward()
        assert x.grad == 0.0  # 0.5**500000
        assert y.operands[0].operands[0].grad == 0.5
        del y
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert used > 100_000_000
    assert left < used / 10, "the graph was not freed by reference counting"  # the C text keeps 7 MB for the next graph
    assert peak / 1_000_000 < 250


def test_deep_graphs_copy_pickle_and_print():
    """No operation on a deep graph recurses; the copies compute the same gradients."""
    x = Value(1.0, name="x")
    y = x
    for i in range(30_000):
        y = (y * 0.9999 if i % 2 else 0.5 + y) if i % 3 else am.where(True, y, x)
    assert len(repr(y)) < 200
    y.backward()
    for clone in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert clone is not y
        leaf = next(iter(topological_order(clone)))
        assert (leaf.name, leaf.grad, leaf is x) == ("x", x.grad, False)
        clone.backward()
        assert leaf.grad == 2 * x.grad


def test_copies_keep_what_was_shared():
    """deepcopy and pickle keep identities among everything copied."""
    x = Value(2.0)
    h = am.dot([x, x, 3.0], [x, 1.0, 2.0])
    y, z = h * x, h - x
    for cx, ch, cy, cz in (copy.deepcopy([x, h, y, z]), pickle.loads(pickle.dumps([x, h, y, z]))):
        assert (ch.data, ch.op, ch.partials) == (h.data, h.op, h.partials)
        assert cy.operands[0] is cz.operands[0] is ch
        cy.backward()
        cz.backward()
        assert cx.grad == 12.0 + 2.0 * 5.0 + 5.0 - 1.0
    shallow = copy.copy(y)
    assert shallow is not y
    assert shallow.operands[0] is h


def test_pickles_know_primitives_by_name():
    """A pickled graph of a primitive that is gone says which one is missing."""
    operation = am.primitive("test_gone", lambda x: x, lambda y, x: (1.0,))
    data = pickle.dumps(operation(Value(1.0)))
    del TABLE["test_gone"]
    with pytest.raises(am.ArgumentError, match="test_gone"):
        pickle.loads(data)


def test_threads_do_not_meet():
    """Graphs built at the same time in several threads, in scopes of their own, do not touch each other."""

    def work(seed, results):
        x = Value(float(seed))
        y = x
        with am.scope(f"thread {seed}"):
            for _ in range(2000):
                y = y * 1.0001 + x * 1e-6
        y.backward()
        results[seed] = x.grad, y.scope.path

    alone, together = {}, {}
    for seed in range(4):
        work(seed, alone)
    threads = [threading.Thread(target=work, args=(seed, together)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == together


PROGRAM = """
import autograd_mini as am, random
generator = random.Random(3)
leaves = [am.Value(generator.uniform(-2, 2)) for _ in range(20)]
nodes = list(leaves)
for _ in range(3000):
    a, b = generator.choice(nodes), generator.choice(nodes)
    nodes.append(generator.choice([a + b, a * b, a - b, am.tanh(a), am.maximum(a, b), am.sigmoid(a) * b]).tanh())
am.sum(nodes).backward()
print([leaf.grad.hex() for leaf in leaves])
"""


def test_two_processes_give_the_same_bits():
    """Nothing depends on addresses or on the hash seed."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", f"padding = ['x'] * {size}\n{PROGRAM}"],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed, size in (("1", 10), ("2", 99999))
    ]  # fmt: skip
    assert runs[0] == runs[1] != ""


def test_subclasses_are_refused():
    """`Value` is final: the engine asks for the type itself, everywhere."""
    with pytest.raises(am.OperandError, match="cannot be a base class"):
        type("Special", (Value,), {})
