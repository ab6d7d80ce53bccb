"""Traced nodes: the graph is the one that numbers record, the sweep walks it, and no branch is taken silently."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import re
import sys
from pathlib import Path

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.core.row import TABLE, ZERO
from autograd_mini.core.sweep import sweep, topological_order
from autograd_mini.core.traced import Condition, Traced, Unrecorded
from autograd_mini.symbolic import exact
from autograd_mini.watch import observing
from tests.core.registers import inputs, run
from tests.effort import effort

X, Y = sympy.symbols("x y", real=True)


def leaves():
    return Traced(X, name="x"), Traced(Y, name="y")


def ops(root):
    return [node.op for node in topological_order(root)]


SMOOTH = [
    lambda x, y: x * y + am.exp(x) / (1.0 + y * y),
    lambda x, y: am.hypot(x, y, 2.0) ** 3 - x,
    lambda x, y: am.dot([x, y, 1.0], [y, 2.0, x]),
    lambda x, y: am.cbrt(x * x) * am.tan(y / 4.0),
    lambda x, y: -am.sin(x) * am.log1p(y * y) + am.atan2(x, 2.0),
    lambda x, y: am.mean([x, y, am.erf(x)]) % 7.0,
]


@pytest.mark.parametrize("f", SMOOTH, ids=range(len(SMOOTH)))
def test_the_graph_is_that_of_numbers(f):
    """The same nodes in the same order, with the same operands, whether traced or recorded."""
    traced, recorded = f(*leaves()), f(Value(2.0), Value(0.5))
    assert ops(traced) == ops(recorded)
    for ours, theirs in zip(topological_order(traced), topological_order(recorded), strict=True):
        assert len(ours.operands) == len(theirs.operands) == len(ours.partials)
        assert [type(x) is float for x in ours.operands] == [type(x) is float for x in theirs.operands]
        assert [p is ZERO for p in ours.partials] == [p is ZERO for p in theirs.partials]


@pytest.mark.parametrize("f", SMOOTH, ids=range(len(SMOOTH)))
@settings(max_examples=effort(10, 100))
@given(a=st.floats(0.25, 3.0), b=st.floats(0.25, 3.0))
def test_the_sweep_agrees_with_numbers(f, a, b):
    """The adjoint of every node, as an expression, has the value that numbers give."""
    x, y = leaves()
    traced, recorded = f(x, y), f(Value(a), Value(b))
    here, there = topological_order(traced), topological_order(recorded)
    for _ in sweep(traced, sympy.Integer(1), here):
        pass
    for _ in sweep(recorded, 1.0, there):
        pass
    for (node, adjoint), (number, slope) in zip(here.items(), there.items(), strict=True):
        point = {X: a, Y: b}
        assert float(sympy.sympify(node.data).subs(point)) == pytest.approx(number.data, rel=1e-9, abs=1e-9)
        assert float(sympy.sympify(adjoint).subs(point)) == pytest.approx(slope, rel=1e-9, abs=1e-9)


def test_constants_have_no_edge():
    """Numbers become floats and carry no gradient; a name and a scope belong to a node."""
    x, _ = leaves()
    with am.scope("part"):
        y = 3 * x
    assert y.operands == (3.0, x)
    assert y.partials == (ZERO, 3.0)
    assert y.scope.path == ("part",)
    assert (x.name, x.op, x.operands, x.partials) == ("x", None, (), ())
    assert repr(y) == "Traced(3*x)"
    assert +x is x
    assert (-x).partials == (-1.0,)


def test_a_graph_of_any_depth():
    """Nothing recurses where the graph is deep."""
    x = node = Traced(sympy.Integer(1))
    for _ in range(20_000):
        node = node + 0.0
    assert len(topological_order(node)) == 20_001
    assert next(iter(topological_order(node, everything=True))) is x


# -- copies and pickles ------------------------------------------------------------------------------------------------

COPIES = {
    "deepcopy": copy.deepcopy,
    "C": lambda x: pickle.loads(pickle.dumps(x)),
    "Python": lambda x: pickle.loads(pickle._dumps(x, 2)),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_the_same_graph(name):
    """Data, names, scopes, conditions and what is shared come back, in other objects; slopes are computed again."""
    x, y = leaves()
    with am.scope("part"):
        z = am.where((x > y) & (x < 2.0), am.exp(x), x * y)
    root = z / (1.0 + z) + am.relu(y)
    assert root.partials  # asked before it is copied
    again = COPIES[name]([root, x])
    ours, theirs = (topological_order(node, everything=True) for node in (root, again[0]))
    assert [type(node) for node in ours] == [type(node) for node in theirs]
    assert not {*map(id, ours)} & {*map(id, theirs)}
    partner = dict(zip(map(id, ours), theirs, strict=True))
    assert partner[id(x)] is again[1]
    for old, new in zip(ours, theirs, strict=True):
        assert (old.data, old.op) == (new.data, new.op)
        for part, twin in zip(old.operands, new.operands, strict=True):
            assert partner[id(part)] is twin if id(part) in partner else part == twin
        if type(old) is Traced:
            assert (old.name, old.scope and old.scope.path) == (new.name, new.scope and new.scope.path)
            assert repr(old.partials) == repr(new.partials)
    gradients = am.grad(lambda x, y: am.where(x > y, x * y, y))(*leaves())
    assert str(COPIES[name](gradients)) == str(gradients)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", COPIES)
def test_copies_of_any_depth(name):
    """100,000 nodes, or thousands of conditions one behind the other, need no deeper stack."""
    chain, choices = Traced(sympy.Integer(1), name="x"), Traced(X)
    condition = choices > 0.0
    for _ in range(effort(10_000, 100_000) if name == "Python" else 100_000):
        chain = chain * 1.0
    for _ in range(effort(2_000, 50_000)):
        node = object.__new__(Traced)  # SymPy's own data would become deep
        node._restore(TABLE["where"], X, (condition, choices, 0.0), None)
        choices, condition = node, Condition(X > 0, ">", (node, 0.0), Traced)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        again = COPIES[name]([chain, choices])
    finally:
        sys.setrecursionlimit(limit)
    for old, new in zip([chain, choices], again, strict=True):
        assert len(topological_order(new, everything=True)) == len(topological_order(old, everything=True))
    assert next(iter(topological_order(again[0], everything=True))).name == "x"


def test_a_shallow_copy_has_the_same_operands():
    """`copy.copy` makes another node of the same operation on the same operands."""
    x, y = leaves()
    twin = copy.copy(z := x * y)
    assert twin is not z
    assert (twin.op, twin.operands, twin.data, twin.partials) == (z.op, z.operands, z.data, z.partials)


# -- comparisons -------------------------------------------------------------------------------------------------------


def test_comparisons_are_conditions():
    """Of the data's own relation; reflected ones, and joined ones too."""
    x, y = leaves()
    two = 2.0
    assert (x < y).data == (X < Y)
    assert (two >= x).data == (X <= 2)
    assert (x == y).data == sympy.Eq(X, Y)
    assert (x != 1).data == sympy.Ne(X, 1)
    assert ((x < y) & (y < 1)).data == ((X < Y) & (Y < 1))
    assert ((x < y) | (y < 1)).data == ((X < Y) | (Y < 1))
    assert (~(x < y)).data == (X >= Y)
    assert ((x < y) & True).data == (X < Y)
    assert ((x < y) & False) is False
    assert ((x < y) | True) is True
    assert (True & (x < y)).op == "&"
    assert (x < y).operands == (x, y)


XNOR = {
    "==": lambda x, y: am.where((x > 0.0) == (y > 0.0), x, y),
    "!=": lambda x, y: am.where((x > 0.0) != (y > 0.0), x, y),
    "^": lambda x, y: am.where((x > 0.0) ^ (y > 0.0), x, y),
    "== True": lambda x, y: am.where((x > 0.0) == True, x, y),  # noqa: E712  # such comparisons are tested
    "!= True": lambda x, y: am.where((x > 0.0) != True, x, y),  # noqa: E712  # such comparisons are tested
    "False ==": lambda x, y: am.where(False == (x > 0.0), x, y),  # noqa: E712, SIM300  # and in this order
    "== 0": lambda x, y: am.where((x > 0.0) == 0, x, y),
    "^ True": lambda x, y: am.where(True ^ (x > 0.0), x, y),
    "itself": lambda x, y: am.where((c := x > 0.0) == c, x, y),
}


@pytest.mark.parametrize("name", XNOR)
def test_conditions_compare_like_bools(name):
    """Whether two have the same answer is a condition too; Python's own == would ask whether they are one object."""
    f = XNOR[name]
    x, y = inputs(2)
    traced = [f(x, y), *am.grad(f, argnums=(0, 1))(x, y)]
    for a in (-1.0, 2.0):
        for b in (-3.0, 4.0):
            assert run(traced, {x: a, y: b}) == [f(a, b), *am.grad(f, argnums=(0, 1))(a, b)]


def test_what_is_known_is_a_bool():
    """A comparison with one answer for all inputs is that answer, and a branch takes it."""
    x = Traced(sympy.Symbol("p", positive=True))
    assert (x > 0.0) is True
    assert (x == x) is True
    assert (Traced(X) * 0.0 == 0.0) is True
    assert ((x > 0.0) & (x < 0.0)) is False
    assert "where" not in ops(am.sigmoid(x))


def test_joined_conditions_are_not_true():
    """SymPy counts every `And` as true; a condition must not."""
    x, _ = leaves()
    with pytest.raises(am.OperandError, match="where"):
        bool((x > 0.0) & (x < 1.0))
    assert "where" in ops(am.huber(x, 0.0))


@pytest.mark.parametrize("branch", [lambda x: 1.0 if x > 0 else x, lambda x: x and 1.0, lambda x: max(x, 1.0)])
def test_python_cannot_branch(branch):
    """The error names `where` and the user's own line."""
    with pytest.raises(am.OperandError, match="where") as raised:
        branch(Traced(X))
    assert f"{__file__}:" in str(raised.value)
    assert "where(condition, a, b)" in str(raised.value)


def test_where_keeps_both_arms():
    """Two live edges for an open condition, each with its share; one for a condition that is known."""
    x, y = leaves()
    both = am.where(x > 0.0, x * x, y)
    condition, _, _ = both.operands
    assert isinstance(condition, Condition)
    assert both.partials[0] is ZERO
    assert exact(both.partials[1]) == sympy.Piecewise((1, X > 0), (0, True))
    assert exact(both.partials[2]) == sympy.Piecewise((0, X > 0), (1, True))
    assert ops(both) == [None, "mul", None, "where"]
    assert len(topological_order(both, everything=True)) == 5  # the condition too
    one = am.where(True, x, y)
    assert one.partials == (ZERO, 1.0, ZERO)
    assert one.data == X
    assert am.where(x, y, 2.0).operands[0].data == sympy.Ne(X, 0)


def test_where_of_numbers():
    """A step is a node of its own, without edges."""
    x, _ = leaves()
    step = am.where(x > 0.0, 1.0, 0.0)
    assert type(step) is Traced
    assert step.partials == (ZERO, ZERO, ZERO)
    assert am.where(x > 0.0, am.where(x > 1.0, 2.0, 1.0), 0.0).op == "where"


def test_a_condition_counts_as_1_or_0():
    """In arithmetic it is what a bool of Python is; only conditions can be joined."""
    x, _ = leaves()
    step = sympy.Piecewise((1, X > 0), (0, True))
    assert exact(am.exp(x > 0.0).data) == sympy.exp(step)
    assert exact(((x > 0.0) * x).data) == X * step
    assert exact(am.where(x > 0.0, x > 1.0, x).data).subs(X, 2) == 1
    with pytest.raises(TypeError):
        (x > 0.0) & 1.0


def test_the_opposite_of_an_answer_that_is_known():
    """Python's ~ of a bool is -1 or -2, both of which are true; as a condition they are an error, never an arm."""
    x = am.Value(1.0)
    for condition in (~(x > 0.0), ~(x < 0.0)):
        for arms in ((1.0, 2.0), (x, 2.0), (Traced(X), 2.0)):
            with pytest.raises(am.OperandError, match="Write `not`"):
                am.where(condition, *arms)
    with pytest.raises(am.OperandError, match="~True"):
        am.jvp(lambda x: am.where(~(x > 0.0), x, 2.0 * x), (1.0,), (1.0,))
    with pytest.raises(am.OperandError, match="~True"):
        am.grad(am.grad(lambda x: am.where(~(x > 0.0), x, 2.0 * x)))(1.0)
    assert am.where((x > 0.0) == False, 1.0, 2.0) == 2.0  # noqa: E712
    assert am.where(3, -1, -2) == -1.0
    assert am.where(-1.0, 5.0, 6.0) == am.where(-3, 5.0, 6.0) == 5.0


def test_equality_in_rules_is_numeric():
    """Rules that ask `x == y` get an equation: ties of `maximum` share, which SymPy's own == would deny."""
    x, y = leaves()
    slope = exact(am.maximum(x, y).partials[0])
    assert [slope.subs({X: a, Y: 1}) for a in (0, 1, 2)] == [0, sympy.Rational(1, 2), 1]
    assert exact(abs(x).partials[0]).subs(X, 0) == 0
    assert exact(am.hypot(x, y).partials[0]).subs({X: 0, Y: 0}) == 0


# -- what does not mix -------------------------------------------------------------------------------------------------


def test_numbers_that_record_do_not_mix():
    """A `Value` among traced numbers is an error, from either side."""
    x, v = Traced(X), Value(2.0)
    for mixed in (
        lambda: x + v, lambda: v + x, lambda: v / x, lambda: am.hypot(x, v), lambda: am.hypot(v, x), lambda: x < v,
        lambda: am.where(x > 0.0, v, v), lambda: am.dot([x, v], [v, x]), lambda: am.hypot(X, v), lambda: X * x,
    ):  # fmt: skip
        with pytest.raises(am.OperandError):
            mixed()


@pytest.mark.parametrize("wrong", ["2", None, [1.0], 1j])
def test_other_operands(wrong):
    """Anything but a number is refused, as everywhere."""
    x, _ = leaves()
    with pytest.raises(am.OperandError):
        x * wrong
    with pytest.raises(am.OperandError):
        am.hypot(x, wrong)


def test_no_silent_detach():
    """float() and math would lose the graph; a class derived from it too."""
    with pytest.raises(am.OperandError):
        float(Traced(X))
    with pytest.raises(am.OperandError):
        type("Mine", (Traced,), {})


def test_rules_record_nothing():
    """They are evaluated on bare data: every row, to every order, makes one node."""
    x = Traced(sympy.Symbol("u", positive=True))
    assert ops(am.tan(x)) == [None, "tan"]
    assert type(am.exp(Unrecorded(X))) is Unrecorded
    assert TABLE["exp"].partials(Unrecorded(X), [Unrecorded(X)])[0].data == X


def test_transforms_of_traces_and_formulas():
    """Derivatives of every kind take traced numbers and SymPy expressions, and give what they were given."""
    x = sympy.Symbol("x", real=True)
    at = {x: 0.6}
    for f, meaning in ((am.tanh, sympy.tanh(x)), (am.sigmoid, 1 / (1 + sympy.exp(-x))), (am.relu, x)):
        for transform, order in (
            (am.grad, 1),
            (lambda f: lambda z: am.jvp(f, (z,), (1.0,))[1], 1),
            (lambda f: lambda z: am.jacobian(lambda y: [f(y[0])])([z])[0][0], 1),
            (am.hessian, 2),
            (lambda f: lambda z: am.hvp(f, (z,), (1.0,)), 2),
            (lambda f: am.grad(am.grad(f)), 2),
            (lambda f: am.grad(am.grad(am.grad(f))), 3),
        ):
            truth = float(sympy.diff(meaning, x, order).subs(at))
            formula, traced = transform(f)(x), transform(f)(Traced(x))
            assert float(exact(formula).subs(at)) == pytest.approx(truth, rel=1e-12)
            assert not isinstance(formula, Traced)
            number = getattr(traced, "data", traced)  # a constant derivative is a plain number
            assert float(exact(number).subs(at)) == pytest.approx(truth, rel=1e-12)
    value, gradient = am.value_and_grad(lambda p: p["a"] * p["b"][0] ** 2)({"a": x, "b": [2.0]})
    assert value == 4 * x
    assert gradient == {"a": 4, "b": [4 * x]}


# -- what a compiler relies on -----------------------------------------------------------------------------------------


def test_rules_wait_until_a_sweep_asks():
    """Recording evaluates no rule; asked twice, a node evaluates its rule once."""
    asked = []

    @am.primitive(name="counted_square", rule=lambda y, x: (asked.append(x) or 2.0 * x,), check=False)
    def counted_square(x):
        return x * x

    try:
        x = Traced(3.0)
        y = counted_square(x)
        assert (y.data, asked) == (9.0, [])
        assert (y.partials, y.partials, len(asked)) == ((6.0,), (6.0,), 1)
        assert [adjoint for _, adjoint in sweep(y, 1.0, topological_order(y))] == [1.0, 6.0]
    finally:
        del TABLE["counted_square"]


def test_a_traced_node_is_a_node():
    """It has an origin, a name and a scope; observers see it, `checked` and `kinks` are not confused by it."""
    seen = []
    with am.provenance(), am.scope("part"), observing(seen.append), am.checked(), am.kinks() as report:
        x = Traced(X, name="x")
        y = am.relu(x) + 1.0
    assert y.origin.expression == "am.relu(x) + 1.0"
    assert y.scope.path == ("part",)
    assert seen[0] is x
    assert seen[-1] is y
    assert not report
    y.name = "y"
    assert (x.name, y.label) == ("x", "y")


def test_no_grad_stops_a_trace():
    """The number is still computed, and no gradient goes through."""
    (x,) = inputs(1)

    def f(x):
        with am.no_grad():
            square = x * x
        return square * x

    assert run([f(x), am.grad(f)(x)], {x: 3.0}) == [27.0, 9.0]
    assert am.grad(f)(3.0) == 9.0


def test_sums_are_one_node():
    """A chain of additions would hide from a compiler that it is a sum."""
    x, y = leaves()
    assert am.sum([x, y, x]).op == am.sum([x, 1, y]).op == "sum"
    assert (am.mean([x, y]).operands[0].op, am.dot([x, y], [y, 2.0]).op) == ("sum", "dot")


@pytest.mark.parametrize("target", [0, 1, 2])
def test_a_class_can_be_an_input(target):
    """The index of a class is an input like any other; an index beyond the last class gives nan."""
    a, b, index = inputs(3)
    logits = [0.3, -1.0]

    def loss(a, b, index=target):
        return am.cross_entropy([a, b, 0.5], index) + am.nll(am.log_softmax([a, 0.1, b]), index)

    traced = [*am.value_and_grad(lambda a: loss(a, b, index))(a), am.grad(lambda b: loss(a, b, index))(b)]
    expected = [loss(*logits), *am.grad(loss, argnums=(0, 1))(*logits)]
    assert run(traced, {a: 0.3, b: -1.0, index: float(target)}) == pytest.approx(expected, rel=1e-14)
    assert all(map(math.isnan, run(traced[:2], {a: 0.3, b: -1.0, index: 3.0})))


def test_transforms_of_a_bare_traced_number():
    """They take it as they take a number, over any data."""
    assert am.value_and_grad(lambda x: x * x)(Traced(X))[0].data == X**2
    value, slope = am.value_and_grad(lambda x: x * x)(Traced(3.0))
    assert (value.data, slope.data) == (9.0, 6.0)
    assert am.grad(lambda x, y: x * y, argnums=(0, 1))(Traced(X), Traced(Y))[0].data == Y


def test_the_core_does_not_know_sympy():
    """Neither its names nor what it asks objects for."""
    for path in (Path(am.__file__).parent / "core").glob("*.py"):
        assert "_sympy_" not in path.read_text()
        assert "import sympy" not in path.read_text()


def test_few_modules_know_the_pairs():
    """How a `Value` keeps its edges is known to the node, its recording and the sweep alone."""
    folder = Path(am.__file__).parent
    knowing = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if re.search(r"\b_(left|right|dleft|dright)\b", path.read_text())
    }
    assert knowing == {"core/node.py", "core/cell.py", "core/sweep.py", "engine.py"}
    asking = {path.name for path in folder.rglob("*.py") if "keeps_pairs" in path.read_text()}
    assert asking == {"node.py", "traced.py", "sweep.py"}
