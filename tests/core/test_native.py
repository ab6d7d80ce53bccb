"""The C text of the inner loop does what its Python twin does, to the last bit."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.core import cell, sweep
from autograd_mini.core.methods import Methods
from tests.core import twin
from tests.effort import effort

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("autograd_mini.core._native") is None,
    reason="the C text was not compiled; autograd_mini.engine.implementation says which text runs",
)
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
    "adopt", "answer", "append", "by_twin", "cell_dealloc", "cell_traverse", "drop", "edge", "execute", "get_notes",
    "PyInit__native", "get_number", "grow", "kind_of", "new_node", "number_of", "operand", "over_dict", "prepare",
    "record_many", "recorded", "rest", "set_notes", "set_number", "track",
}  # fmt: skip
DEFINITION = re.compile(r"^(?:static )?(?:inline )?[\w ]+?\*{0,2}(\w+)\(([^;{]*)\) \{(.*)$", re.MULTILINE)
TWINS = {"cell": cell, "sweep": sweep}


def partner(name):
    """What `cell.Cell.__add__`, `Cell.__add__` or `sweep.sweep` names in the Python text."""
    first, _, rest = name.partition(".")
    found = {"cell": cell, "sweep": sweep, "Cell": cell._Text}[first]
    for part in filter(None, rest.split(".")):
        found = cell._Text if part == "Cell" else getattr(found, part)
    return found


def test_each_c_function_names_its_twin():
    """A function in C says which Python function it follows, which exists, or is known to be C's own business."""
    text = SOURCE.read_text(encoding="utf-8")
    named = {}
    for name, _, behind in DEFINITION.findall(text):
        named[name] = re.findall(r"`((?:cell|sweep|Cell)\.[\w.]+)`", behind)
    assert len(named) > 25, "the pattern finds the functions"
    above = {"operate", "order_of_pairs", "propagate"}  # their comment names several, or stands above
    operators = {f"cell_{name}" for name in ("add", "sub", "mul", "div")}  # they call `operate`
    assert {name for name, twins in named.items() if not twins} - above - operators <= MACHINERY
    mentioned = re.findall(r"`((?:cell|sweep|Cell)\.\w[\w.]*)`", text)
    assert len(mentioned) > 10
    for name in mentioned:
        assert partner(name) is not None, name


def test_each_function_of_the_module_has_a_twin():
    """What the C module offers has the name of a function of `cell` or `sweep`, and as many parameters."""
    native = importlib.import_module("autograd_mini.core._native")
    own = {name for name, thing in vars(native).items() if inspect.isbuiltin(thing)}
    texts = {**vars(sweep), **vars(cell)} | {twin.__name__: twin for twin in cell._twins}
    assert own == {
        "accumulate",
        "adopt",
        "order_of_pairs",
        "propagate",
        "record",
        "record_dot",
        "record_relu",
        "record_sum",
    }
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
