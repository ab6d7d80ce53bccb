"""The C text of the inner loop does what its Python twin does, to the last bit."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.core import cell, node, sweep
from autograd_mini.core.methods import Methods
from tests.core import twin
from tests.effort import effort

pytestmark = pytest.mark.native
SOURCE = Path(cell.__file__).with_name("_native.c")

# -- the same bits -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other():
    """The other text, in one process for all tests."""
    other = twin.Other()
    yield other
    other.close()


def test_the_other_text_runs_beside_this_one(other):
    """Of the two processes that the tests below compare, one runs the Python text, and one the C text."""
    texts = [am.engine.implementation, other.ask("implementation")]
    assert sorted(texts) == ["native", "python"]


SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 5e-324, -1e-308, 1e150, -1e300, math.inf, -math.inf, math.nan]
numbers = st.one_of(st.floats(-3.0, 3.0), st.sampled_from(SPECIAL))
picks = st.integers(0, 99)
names = st.sampled_from(sorted(twin.OPERATIONS))
steps = st.lists(st.tuples(names, picks, picks, picks), min_size=1, max_size=12)


@settings(max_examples=effort(400, 6000))
@given(st.lists(numbers, min_size=1, max_size=4), steps)
def test_random_programs_have_the_same_bits(other, leaves, steps):
    """Numbers, edges, scopes, order, gradients of several sweeps, and transforms are equal to the last bit."""
    assert twin.answer(leaves, steps) == other.ask("answer", leaves, steps)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", twin.OPERATIONS)
def test_single_operations_have_the_same_bits(other, name):
    """One operation on special numbers, with each operand a Value or a constant."""
    leaves = SPECIAL if effort(0, 1) else [0.0, -0.0, 1.0, -3.0, 5e-324, math.inf, math.nan]
    assert twin.singles(name, leaves) == other.ask("singles", name, leaves)


@pytest.mark.parametrize("task", ["deep", "wide"])
def test_large_graphs_have_the_same_bits(other, task):
    """100,000 nodes in a row, 1,000 operands of one node."""
    assert twin.TASKS[task]() == other.ask(task)


# -- the same functions ------------------------------------------------------------------------------------------------

# Functions of the C text that only C needs: memory, boxes, and steps that Python's statements do.
MACHINERY = {
    "PyInit__native", "adopt", "attach", "by_twin", "cell_alloc", "cell_dealloc", "cell_traverse", "edge", "execute",
    "get_number", "kind_of", "make_room", "new_node", "number_of", "operand", "put", "record_many", "recorded", "rest",
    "set_number", "settle",
}  # fmt: skip
DEFINITION = re.compile(r"^(?:static )?(?:inline )?[\w ]+?\*{0,2}(\w+)\(([^;{]*)\) \{(.*)$", re.MULTILINE)
TWINS = {"cell": cell, "node": node, "sweep": sweep}


def partner(name):
    """What `cell.Cell.__add__`, `Cell.__add__` or `sweep.sweep` names in the Python text."""
    first, _, rest = name.partition(".")
    found = {**TWINS, "Cell": cell._Text}[first]
    for part in filter(None, rest.split(".")):
        found = cell._Text if part == "Cell" else getattr(found, part)
    return found


def test_each_c_function_names_its_twin():
    """A function in C says which Python function it follows, which exists, or is known to be C's own business."""
    text = SOURCE.read_text(encoding="utf-8")
    named = {}
    for name, _, behind in DEFINITION.findall(text):
        named[name] = re.findall(r"`((?:cell|node|sweep|Cell)\.[\w.]+)`", behind)
    assert len(named) > 25, "the pattern finds the functions"
    above = {"derive", "operate"}  # their comment names several, or stands above
    operators = {f"cell_{name}" for name in ("add", "sub", "mul", "div", "neg")}  # they call `operate`
    assert {name for name, twins in named.items() if not twins} - above - operators <= MACHINERY
    mentioned = re.findall(r"`((?:cell|node|sweep|Cell)\.\w[\w.]*)`", text)
    assert len(mentioned) > 10
    for name in mentioned:
        assert partner(name) is not None, name


def test_each_function_of_the_module_has_a_twin():
    """What the C module offers has the name of a function of `cell` or `sweep`, and as many parameters."""
    native = importlib.import_module("autograd_mini.core._native")
    own = {name for name, thing in vars(native).items() if inspect.isbuiltin(thing)}
    texts = {**vars(sweep), **vars(node), **vars(cell)}
    assert own == {"adopt", "propagate", "record", "record_dot", "record_sum", "track"}
    assert {name for name in own if callable(texts.get(name))} == own
    for wrong in (0, 1, 7):  # they refuse what the twin would refuse, and crash at nothing
        for name in own - {"adopt"}:
            with contextlib.suppress(TypeError):
                getattr(native, name)(*[None] * wrong)


def test_each_operator_of_the_c_cell_has_a_twin():
    """Every method of the C cell is one of the Python cell, or of all recording numbers; and the other way round."""
    native = importlib.import_module("autograd_mini.core._native")
    ours = {name for name in vars(native.Cell) if name.endswith("__")} - {"__doc__", "__new__"}
    texts = {name for name, thing in vars(cell._Text).items() if inspect.isfunction(thing)}
    assert texts <= ours
    for name in ours:
        assert hasattr(cell._Text, name) or hasattr(Methods, name), name
    fields = {name for name in vars(native.Cell) if not name.endswith("__")}
    assert fields == {"_data", "_dleft", "_dright", "_grad", "_left", "_notes", "_right", "_row"}


# -- nothing breaks it -------------------------------------------------------------------------------------------------

FIELDS = ("_data", "_dleft", "_dright", "_grad", "_left", "_notes", "_right", "_row")
ABUSE = f"""
import contextlib, copy, gc, pickle, sys
import autograd_mini as am
from autograd_mini.core import cell
FIELDS = {FIELDS}
anything = (Exception, SystemError)

def attempts(node, others):
    a, b, s, p = others
    return (
        lambda: s + 1, lambda: 1 / s, lambda: node * node, lambda: node ** 2, lambda: 2 ** node, lambda: -node,
        lambda: abs(node), lambda: node < a, lambda: repr(node), lambda: hash(node), lambda: am.relu(node),
        lambda: am.sum([a, b, s, p, 1.0]), lambda: am.dot([a, node], [node, 2.0]), lambda: node.operands,
        lambda: node.partials, lambda: node._dleft, lambda: node._dright, lambda: node.grad, lambda: node.op,
        lambda: node.name, lambda: setattr(node, "name", "n"), lambda: (s * b + p + node).backward(),
        lambda: am.grad(lambda x: x * node * s)(2.0), lambda: copy.copy(node), lambda: copy.deepcopy(s * node),
        lambda: pickle.dumps(node), lambda: sys.getsizeof(node), lambda: node.__init__(1.0),
    )
"""
NONSENSE = """
junk = [None, 0, 1.5, True, "x", (), (1.0,), (None,) * 4, (am.ZERO,) * 7, [], {}, am.ZERO, object(), float, len,
        am.Value(3.0), am.Value, (am.Value(1.0),) * 6, float("nan"), 10**400, cell.TABLE["mul"], cell.TABLE["where"]]
for field in FIELDS:
    for thing in [*junk, "delete"]:
        for which in range(4):
            a = am.Value(1.0)
            b = am.relu(a * 2 + a)
            s = am.dot([a, b, 2.0], [b, a, a])
            p = a * b
            node = (a, b, s, p)[which]
            with contextlib.suppress(AttributeError):
                delattr(node, field) if thing == "delete" else setattr(node, field, thing)
            for attempt in attempts(node, (a, b, s, p)):
                with contextlib.suppress(*anything):
                    attempt()
            del a, b, s, p, node, attempt
gc.collect()
"""
UNUSED = """
for _ in range(3):
    node = object.__new__(am.Value)
    a, b, s, p = (am.Value(float(i)) for i in range(4))
    for attempt in attempts(node, (a, b, s, p)):
        with contextlib.suppress(*anything):
            attempt()
try:
    am.relu(object.__new__(am.Value))
except (TypeError, AttributeError):
    print("refused")
"""
CLASSES = """
from autograd_mini.core.copies import Copied
for _ in range(3000):  # a class that loses a reference with each node dies early
    object.__new__(cell.Cell)
for _ in range(300):
    class Bare(cell.Cell):
        pass
    class Held(cell.Cell):
        def __del__(self):
            -am.Value(1.0)
    bare, held = [Bare() for _ in range(5)], Held()
    held.me = held
    for operate in (lambda: bare[0] + 1, lambda: 1 * bare[0], lambda: -bare[0], lambda: bare[0] ** 2,
                    lambda: am.Value(1.0) + bare[0], lambda: am.relu(bare[0])):
        with contextlib.suppress(*anything):
            operate()
    del bare, held
Twin = type("Twin", (cell.Cell, Copied), {"__slots__": am.Value.__slots__})
for _ in range(3000):
    node = -am.Value(1.0)
    with contextlib.suppress(TypeError):
        node.__class__ = Twin
    with contextlib.suppress(*anything):
        node + am.Value(2.0)
    del node
gc.collect()
print(-am.Value(2.0), sys.getrefcount(Twin) < 100, sys.getrefcount(am.Value) > 3)
"""
AGAIN = """
old = am.Value(2.0)
y = old * 3.0
for name in [name for name in sys.modules if name.partition(".")[0] == "autograd_mini"]:
    del sys.modules[name]
import autograd_mini as again
x = again.Value(2.0)
(x * x * 3).backward()
with contextlib.suppress(*anything):
    y.backward()
with contextlib.suppress(*anything):
    x + old
with contextlib.suppress(*anything):
    again.relu(old) * y
del old, y
gc.collect()
print(x.grad)
"""


def run(script, pure):
    """What a script prints in one of the two texts; it must end well."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", script],
        env={**os.environ, "AUTOGRAD_MINI_PURE": pure}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.sampled(2)
@pytest.mark.parametrize("script", [NONSENSE, UNUSED, CLASSES, AGAIN], ids=["fields", "unused", "classes", "again"])
def test_nothing_crashes_it(script):
    """Private fields of any kind or missing, nodes without __init__, strange classes, a second import: no crash."""
    printed = [run(ABUSE + script, pure) for pure in ("0", "1")]
    assert printed[0] == printed[1]


def test_operators_refuse_alike():
    """What one text refuses, the other does, with an error of the same kind: huge integers, other classes."""
    script = """
import numpy, decimal, fractions
import autograd_mini as am
from autograd_mini import micrograd
v, m = am.Value(2.0), micrograd.Value(2.0)
others = [10**400, -(10**400), 2**63, -1, True, "2", None, 2j, decimal.Decimal(2), fractions.Fraction(1, 3), [1.0], m,
          numpy.float64(2.5), numpy.float32(0.1), numpy.int64(3), numpy.bool_(True), numpy.array(2.0), numpy.ones(2),
          am.Value, object, float("nan"), 2, 2.0, numpy.longdouble(0.1)]
operators = ["a + b", "a - b", "a * b", "a / b", "a ** b", "a // b", "a % b", "pow(a, b, 5)", "a @ b", "a << b",
             "a & b", "a.__add__(b)", "a.__radd__(b)", "a.__rpow__(b)", "am.Value.__add__(a, b)",
             "am.Value.__mul__(b, a)",
             "sum([a, b])", "divmod(a, b)", "am.Value(b)", "am.dot([a, b], [b, a])", "am.sum([b, a])"]
for text in operators:
    for other in others:
        for a, b in ((v, other), (other, v)):
            if text.startswith("am.Value._") and other is m:
                continue  # one class's operator on another class's number
            try:
                answer = eval(text)
                print(text, repr(answer), type(answer).__name__, getattr(answer, "partials", None))
            except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
                kind = "TypeError" if isinstance(error, AttributeError) and "__" in text else type(error).__name__
                print(text, kind, isinstance(error, am.AutogradError))
for text in ("v.foo", "vars(v)", "v.m", "v._backward", "del_", "v[0]", "v()", "len(v)",
             "iter(v)", "int(v)", "round(v)"):
    try:
        print(text, eval(text))
    except Exception as error:
        print(text, type(error).__name__, error)
try:
    v.foo = 1
except AttributeError as error:
    print(error)
try:
    class Own(am.Value):
        pass
except am.OperandError as error:
    print(error)
print([isinstance(thing, am.Value) for thing in (v, m, 2.0)], issubclass(micrograd.Value, am.Value), v.__reduce__()[1:])
"""
    printed = [run(script, pure) for pure in ("0", "1")]
    hidden = re.compile(r"0x[0-9a-f]+")
    assert hidden.sub("", printed[0]).splitlines() == hidden.sub("", printed[1]).splitlines()
