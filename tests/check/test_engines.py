"""`check_engine`: right engines pass, each planted mistake is named, and an undecided engine is not called wrong."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import random
import re
import subprocess
import sys
import time

import numpy as np
import pytest

import autograd_mini as am
import autograd_mini.micrograd
from autograd_mini.check.engines.examination import check_engine
from autograd_mini.check.engines.graphs import Graph, Step, graph, random_graphs, shrunk
from autograd_mini.check.foreign.child import examined, told
from autograd_mini.check.foreign.programs import Limits
from autograd_mini.check.mistakes.sweeps import WALKS, gradients
from tests.check import engines
from tests.check.engines import planted
from tests.check.test_programs import is_running
from tests.effort import effort

ALL = ("add", "sub", "mul", "div", "pow", "neg", "exp", "log", "tanh", "relu")
PLANTED = {  # switches of the engine: the names of the mistakes
    "from the leaves": ({"order": "leaves_first"}, ["reverse-order"]),
    "root alone": ({"order": "root"}, ["reverse-order"]),
    "recursion": ({"order": "recursive"}, ["depth-first"]),
    "recursion, then": ({"order": "recursive_after"}, ["depth-first"]),
    "visited": ({"order": "visited"}, ["early-visit"]),
    "=, each path for itself": ({"order": "paths", "assigns": ALL}, ["assigned"]),
    "= in mul, each path for itself": ({"order": "paths", "assigns": ("mul",)}, ["assigned"]),
    "stack": ({"order": "stack"}, ["stack-walk"]),
    "stack, all paths": ({"order": "stack_paths"}, ["depth-first"]),
    "queue": ({"order": "queue"}, ["queue-walk"]),
    "queue, all paths": ({"order": "queue_paths"}, ["queue-walk"]),
    "=": ({"assigns": ALL}, ["assigned"]),
    "= in mul": ({"assigns": ("mul",)}, ["assigned"]),
    "= in exp": ({"assigns": ("exp",)}, ["assigned"]),
    "= in relu": ({"assigns": ("relu",)}, ["assigned"]),
    "a set of operands": ({"merges_equal": True}, ["equal-operands"]),
    "stale": ({"beginning": "stale"}, ["stale-interior"]),
    "+= 1 at the root": ({"beginning": "root added"}, ["root-added"]),
    "leaves cleared": ({"beginning": "clear all"}, ["overwritten"]),
    "no seed": ({"beginning": "no seed"}, ["no-seed"]),
    "= in mul, stale": ({"assigns": ("mul",), "beginning": "stale"}, ["assigned", "stale-interior"]),
    "stack, stale": ({"order": "stack", "beginning": "stale"}, ["stack-walk", "stale-interior"]),
    "recursion, =": ({"order": "recursive", "assigns": ("add",)}, ["depth-first", "assigned"]),
    "tanh: 1 - x * x": ({"rules": {"tanh": lambda y, x: (1.0 - x * x,)}}, ["output-form"]),
    "tanh: sign": ({"rules": {"tanh": lambda y, x: (y * y - 1.0,)}}, ["sign"]),
    "exp: 1": ({"rules": {"exp": lambda y, x: (1.0,)}}, ["inner-derivative"]),
    "mul: 1": ({"rules": {"mul": lambda y, a, b: (1.0, 1.0)}}, ["inner-derivative"]),
    "div: sign": ({"rules": {"div": lambda y, a, b: (1.0 / b, a / b**2)}}, ["sign"]),
    "div: -a / b": ({"rules": {"div": lambda y, a, b: (1.0 / b, -a / b)}}, ["formula"]),
    "sub: 1": ({"rules": {"sub": lambda y, a, b: (1.0, 1.0)}}, ["sign"]),
    "log: x": ({"rules": {"log": lambda y, x: (x,)}}, ["reciprocal"]),
    "relu: 1": ({"rules": {"relu": lambda y, x: (1.0,)}}, ["formula"]),
    "nothing known": ({"rules": {"tanh": lambda y, x: (math.cos(7.0 * x),)}}, ["wrong-rule"]),
    "tanh, stack, stale": (
        {"rules": {"tanh": lambda y, x: (y * y - 1.0,)}, "order": "stack", "beginning": "stale"},
        ["sign", "stack-walk", "stale-interior"],
    ),
    "visited by all": ({"visited": set()}, ["visited-kept"]),
    "swapped": ({"rules": {"mul": lambda y, a, b: (a, b)}}, ["swapped"]),
    "pow: abs": ({"rules": {"pow": lambda y, x: (2.0 * abs(x),)}}, ["wrong-rule"]),
    "log: 1 // x": ({"rules": {"log": lambda y, x: (1.0 // x,)}}, ["integer-division"]),
    "forgotten": ({"rules": {"div": lambda y, a, b: (1.0 / b, 0.0)}}, ["forgotten"]),
}


def test_one_operand_may_get_the_gradient_of_the_other():
    """If the gradient of the first operand is right, only the second one needs a correction."""
    report = check_engine(planted(rules={"mul": lambda y, a, b: (b, b)}))
    assert report.mistakes[0].sentence == "The second operand of mul gets the gradient of the other one."
    assert report.mistakes[0].correction == "Write other.grad += self.data * out.grad."


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_named(name):
    """The mistakes are named, each with a small program whose wrong gradient the engine really gives."""
    switches, names = PLANTED[name]
    report = check_engine(planted(**switches))
    assert not report.ok
    assert report.verdict == "FAIL"
    assert sorted({mistake.name for mistake in report.mistakes}) == sorted(names)
    for example in report.examples:
        assert example.mistakes
        variables = {"Value": planted(**switches)}
        exec("\n".join(example.program), variables)
        for letter, theirs, wanted in zip(example.graph.names, example.theirs, example.right, strict=True):
            assert variables[letter].grad == theirs
            if letter in "xyz":
                (node,) = [n for n, c in zip(nodes_of(example.graph), example.graph.names, strict=True) if c == letter]
                assert node.grad == pytest.approx(wanted, rel=1e-12)
        assert len(example.program) <= 7


def nodes_of(given):
    """The graph as nodes of this package after its calls of backward()."""
    nodes = [*map(am.Value, given.leaves)]
    given.extend(nodes)
    for root in given.roots:
        nodes[root].backward()
    return nodes


SPECIAL = {  # where a rule may have a case of its own
    "0": lambda *xs: 0.0 in xs, "1": lambda *xs: 1.0 in xs, "-1": lambda *xs: -1.0 in xs,
    "ties": lambda *xs: len(xs) > len(set(xs)), "large": lambda *xs: max(map(abs, xs)) > 1e7,
    "tiny": lambda *xs: 0.0 < min(map(abs, xs)) < 1e-7,
}  # fmt: skip
SPECIAL_CASES = [
    *[(op, "1" if op == "log" else "0") for op in ALL], *[("mul", name) for name in SPECIAL],
    ("div", "ties"), ("add", "-1"), ("sub", "ties"), ("pow", "-1"), ("pow", "1"), ("log", "tiny"), ("relu", "large"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "name"), SPECIAL_CASES[:: effort(2, 1)])
def test_a_rule_that_is_wrong_at_special_numbers_alone_is_found(op, name):
    """Zeros, ones, ties, large and tiny numbers: the operation is blamed, and the right rule told."""

    class Special(engines.Value):
        def _made(self, operation, others, data, locals_):
            if operation == op and SPECIAL[name](self.data, *[x.data for x in others]):
                locals_ = tuple([local + 7.0 for local in locals_])
            return super()._made(operation, others, data, locals_)

    report = check_engine(Special)
    assert report.verdict == "FAIL"
    assert [mistake.name for mistake in report.mistakes] == ["special-operand"], str(report)
    assert report.mistakes[0].sentence.startswith(f"{op} is right at ordinary numbers")
    assert "out.grad" in report.mistakes[0].correction


def test_the_slope_of_a_product_by_its_quotient_fails_at_zero():
    """`r / x if x else 0` is the other factor everywhere but at 0."""
    rule = {"mul": lambda y, a, b: (y / a if a else 0.0, y / b if b else 0.0)}
    report = check_engine(planted(rules=rule))
    assert report.examples[0].sentence == "x.grad is 0, and 2 is right."
    assert report.mistakes[0].correction == "Write self.grad += other.data * out.grad."


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_any_slope_of_relu_at_zero_will_do(slope):
    """A slope of relu at 0 may be anything from 0 to 1; one that differs from ours is a remark."""
    rule = {"relu": lambda y, x: (1.0 if x > 0.0 else slope * (x == 0.0),)}
    report = check_engine(planted(rules=rule))
    assert report.ok, str(report)
    assert ("convention" in {remark.name for remark in report.remarks}) == (slope != 0.0)


@pytest.mark.parametrize("op", ["", *ALL])
def test_what_arrives_must_be_multiplied_in_every_operation(op):
    """A rule without out.grad is named, and several graphs show it."""

    class Forgetting(engines.Value):
        def hand(self, edge):
            edge[0].grad += edge[1] * (1.0 if op in ("", self.op) else self.grad)

    report = check_engine(Forgetting)
    assert [mistake.name for mistake in report.mistakes] == ["missing-upstream"], str(report)
    assert f"in {op}:" in report.mistakes[0].sentence or (op == "" and "everywhere" in report.mistakes[0].sentence)
    assert sum(finding.verdict == "FAIL" for finding in report.findings) >= 3


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize("place", [0, 1])
def test_an_assignment_to_one_operand_is_named(op, place):
    """`=` for `+=`, on the first or on the second operand of one operation."""

    class Assigning(engines.Value):
        def hand_on(self):
            for k, (operand, local) in enumerate(self.edges):
                operand.grad = self.grad * local + operand.grad * ((self.op, k) != (op, place))

    (mistake,) = check_engine(Assigning).mistakes
    assert mistake.name == "assigned"
    assert f"= in {op}, {('first', 'second')[place]} operand" in mistake.sentence


@pytest.mark.parametrize("seed", [2.0, -1.0, 0.5])
def test_a_wrong_seed_is_named_as_such(seed):
    """A wrong seed is not reported as a factor in each operation."""

    class Seeded(engines.Value):
        def walk_topological(self, nodes):
            self.grad = seed
            super().walk_topological(nodes)

    report = check_engine(Seeded)
    assert [mistake.name for mistake in report.mistakes] == ["seed"], str(report)
    assert f"begins with {seed:g} at the root" in report.mistakes[0].sentence


@pytest.mark.parametrize("op", ALL[:: effort(3, 1)])
def test_the_advice_is_the_right_rule_in_the_words_of_the_engine(op):
    """For a flipped sign, the advice is the right rule of each operation."""

    class Flipped(engines.Value):
        def _made(self, operation, others, data, locals_):
            locals_ = tuple([-local for local in locals_]) if operation == op else locals_
            return super()._made(operation, others, data, locals_)

    (mistake,) = check_engine(Flipped).mistakes
    assert re.match(r"Write self\.grad [+-]= .*out\.grad", mistake.correction), mistake.correction


@pytest.mark.parametrize(
    ("op", "wrong", "said"),
    [
        ("add", lambda a, b: -(a + b), "Compute out.data = self.data + other.data."),
        ("tanh", lambda x: 2.0 * math.tanh(x), "Compute out.data = tanh(self.data)."),
    ],
)
def test_the_advice_for_a_wrong_number_is_how_to_compute_it(op, wrong, said):
    """The advice is how to compute it, even where the table of mistakes explains a sign or a factor."""
    assert check_engine(planted(functions={op: wrong})).mistakes[0].correction == said


MICROGRAD = [  # what is replaced, the name of the first mistake, a part of its sentence or correction
    ("reversed(topo)", "topo", "reverse-order", "reversed(order)"),
    ("self.grad = 1", "self.grad = 2", "seed", "self.grad = 1.0"),
    ("+= other.data * out.grad", "+= (other.data + 1) * out.grad", "wrong-rule", "other.data * out.grad"),
    ("+= other.data * out.grad", "= other.data * out.grad", "assigned", "= in mul, first operand"),
    ("self.data**(other-1)", "self.data**(other+1)", "wrong-rule", "self.data**(n - 1)"),
    ("other.grad += out.grad", "other.grad -= out.grad", "sign", "Write other.grad += out.grad."),
    ("(out.data > 0) * out.grad", "(out.data > 0)", "missing-upstream", "in relu"),
]


@pytest.mark.peer("micrograd")
@pytest.mark.parametrize(("old", "new", "name", "said"), MICROGRAD)
def test_the_operation_that_others_are_made_of_is_blamed(old, new, name, said):
    """In micrograd, x - y is x + y * -1 and x / y is x * y**-1; their failures are a remark."""
    import micrograd.engine

    text = inspect.getsource(micrograd.engine)
    assert old in text
    variables = {}
    exec(text.replace(old, new), variables)
    report = check_engine(variables["Value"])
    first = report.mistakes[0]
    assert first.name == name, str(report)
    assert said in f"{first.sentence} {first.correction}"
    assert {mistake.name for mistake in report.mistakes} <= {name, "stale-interior"}
    assert all(step.op not in ("sub", "div", "neg") for step in report.examples[0].graph.steps)


def test_an_operation_made_of_others_is_blamed_for_its_own_mistake():
    """`x - y` computed as x + 1 / y is wrong whatever is wrong elsewhere; its parts are right."""

    class Made(engines.Value):
        rules = {"tanh": lambda y, x: (y * y - 1.0,)}  # noqa: RUF012

        def __sub__(self, other):
            return self + 1.0 / self._lift(other)

    report = check_engine(Made)
    assert [example.graph.steps[0].op for example in report.examples] == ["tanh", "sub"]
    assert "made-of-others" not in {remark.name for remark in report.remarks}


def test_in_which_operation_is_told():
    """A gradient assigned in one operation only is found there; the smallest graph has that operation."""
    report = check_engine(planted(assigns=("exp",)))
    assert "= in exp" in report.mistakes[0].sentence
    assert report.examples[0].program == ("x = Value(2)", "a = x.exp()", "b = a + x", "b.backward()")
    assert report.examples[0].sentence == "x.grad is 7.389, and 8.389 is right."


@pytest.mark.parametrize("make", [engines.Value, am.Value, autograd_mini.micrograd.Value])
def test_right_engines_pass(make):
    """An engine that is right gets no diagnosis and no example."""
    report = check_engine(make)
    assert report.ok
    assert report
    assert report.verdict == "PASS"
    assert (report.mistakes, report.examples, report.svg) == ((), (), "")
    report.assert_ok()
    assert f"PASS, {len(report.findings)} graphs are right." in str(report)


def test_right_engines_are_right_in_random_graphs(monkeypatch):
    """Many random graphs raise no false alarm, although 1 - y * y loses digits and sums cancel."""
    monkeypatch.setattr("autograd_mini.check.engines.examination._RANDOM", effort(300, 5000))
    report = check_engine(engines.Value)
    assert report.ok, str(report)
    assert len(report.findings) > effort(300, 5000)


ORDERS = ["leaves_first", "recursive", "recursive_after", "visited", "stack", "stack_paths", "queue", "queue_paths"]
PAIRS = [
    *[{"order": order, "assigns": assigns} for order in ORDERS for assigns in (ALL, ("mul",), ("exp",))],
    *[{"order": order, "beginning": begin} for order in ORDERS for begin in ("stale", "root added", "clear all")],
    *[{"order": order, "merges_equal": True} for order in ORDERS],
    *[{"assigns": a, "beginning": begin} for a in (ALL, ("add",), ("log",)) for begin in ("stale", "clear all")],
    *[{"order": order, "rules": {"exp": lambda y, x: (x,)}} for order in ORDERS],
]


@pytest.mark.parametrize("number", range(0, len(PAIRS), effort(5, 1)))
def test_two_mistakes_at_once_never_pass(number):
    """The report says something about wrong ones: all examples are wrong, and most have a name."""
    report = check_engine(planted(**PAIRS[number]))
    assert report.verdict == "FAIL"
    assert report.examples
    assert report.mistakes, str(report)


@pytest.mark.peer("micrograd")
def test_micrograd_hands_on_stale_gradients():
    """micrograd gives 3.0 where 2.0 is right after a second backward(); one call of a new graph is right."""
    import micrograd.engine

    report = check_engine(micrograd.engine.Value)
    assert [mistake.name for mistake in report.mistakes] == ["stale-interior"]
    (example,) = report.examples
    x, y = micrograd.engine.Value(2), micrograd.engine.Value(3)
    b = (x + y) + y
    b.backward()
    b.backward()
    assert (x.grad, example.theirs[0], example.right[0]) == (3, 3.0, 2.0)
    assert example.program[2:] == ("a = x + y", "b = a + y", "b.backward()", "b.backward()")
    assert example.sentence.startswith("x.grad is 3, and 2 is right. On the way back, a.grad is wrong first: 2 instead")
    assert {remark.name for remark in report.remarks} == {"recursion-limit"}
    wrong = [finding for finding in report.findings if finding.verdict == "FAIL"]
    assert all(finding.where.count("backward()") == 2 for finding in wrong)
    with pytest.raises(AssertionError, match="stale-interior"):
        report.assert_ok()


def test_other_names_are_found():
    """microgpt has children in tuples; minitorch calls gradients `derivative`, and its log is one of x + 1e-6."""
    assert [m.name for m in check_engine(engines.Microgpt).mistakes] == ["stale-interior"]
    report = check_engine(engines.Scalar)
    assert [example.program[1] for example in report.examples] == ["a = x.log()"]
    assert report.examples[0].sentence.startswith("x.log() gives 1.0986126220013874, and 1.0986122886681098 is right")
    assert report.mistakes[0].sentence.startswith("In log: It is log(x + 1e-6)")
    assert {remark.name for remark in report.remarks} == {"missing", "recursion-limit"}


class Array(engines.Value):
    """As in TinyTorch: an array in `data`, an array in `grad`, and a switch for gradients in the constructor."""

    def __init__(self, data, edges=(), op="", requires_grad=False):
        super().__init__(np.array(data, dtype=np.float32), edges, op)
        self.grad = None
        self.requires_grad = requires_grad or bool(edges)

    def exp(self):
        y = np.exp(self.data)
        return self._made("exp", (), y, (y,))

    def relu(self):
        return self._made("relu", (), np.maximum(self.data, 0.0), (np.where(self.data > 0, 1.0, 0.0),))

    def hand(self, edge):
        operand, local = edge
        if operand.requires_grad:
            operand.grad = (0.0 if operand.grad is None else operand.grad) + np.array(self.grad * local)


def test_arrays_of_one_element_count_as_numbers():
    """An engine on NumPy arrays in float32 is compared in fewer digits, and told to want gradients."""
    report = check_engine(Array)
    assert report.ok, str(report)
    assert "float32" in {remark.name for remark in report.remarks}


@pytest.mark.peer("torch")
def test_a_function_that_makes_tensors_will_do():
    """PyTorch itself passes: it refuses a second backward() of one graph, which is a remark."""
    import torch

    report = check_engine(torch.tensor)
    assert report.ok, str(report)
    assert {remark.name for remark in report.remarks} == {"float32", "raises"}


def test_a_missing_operator_is_not_wrong():
    """`2 - x` that raises is a remark, and so is an operation that the engine lacks in no other form."""
    kind = planted(__rsub__=None, __rmul__=None)
    report = check_engine(kind)
    assert report.ok
    said = [remark.sentence for remark in report.remarks if remark.name == "missing"]
    assert len(said) == 2
    assert any("2 - x is right: it raises TypeError" in sentence for sentence in said)
    bare = type("Bare", (), {"__init__": lambda self, data: vars(self).update(data=data, grad=0.0), "backward": print})
    report = check_engine(bare)
    assert (report.ok, report.verdict) == (False, "NOISE")


def test_what_raises_in_backward_is_no_missing_operation():
    """A gradient that begins as None, and an operation whose backward step fails, are reported as such."""

    class Unset(engines.Value):
        def __init__(self, data, edges=(), op=""):
            super().__init__(data, edges, op)
            self.grad = None

    report = check_engine(type("Unset", (Unset,), {"beginning": "no seed"}))
    assert (report.ok, report.verdict) == (False, "NOISE")
    assert "Cannot tell about x + y: backward() raises TypeError" in str(report)

    class Broken(engines.Value):
        def hand(self, edge):
            if self.op == "tanh":
                raise KeyError("t")
            super().hand(edge)

    report = check_engine(Broken)
    assert (report.verdict, [remark.name for remark in report.remarks]) == ("NOISE", ["raises"])
    assert "Cannot tell about x.tanh(): backward() raises KeyError: 't'." in str(report)

    class Exiting(engines.Value):
        def exp(self):
            raise SystemExit

    assert check_engine(Exiting).verdict == "NOISE"


def test_backward_may_take_the_gradient():
    """`backward(gradient)` without a default gets 1.0."""

    class Taking(engines.Value):
        def backward(self, gradient):
            assert gradient == 1.0
            super().backward()

    assert check_engine(Taking).ok


def test_wrong_values_are_told_from_wrong_gradients():
    """Where the forward number is wrong already, no gradient is blamed."""
    report = check_engine(planted(functions={"exp": lambda x: math.exp(x) + 1e-6}))
    assert report.verdict == "FAIL"
    assert report.examples[0].sentence.startswith("x.exp() gives")
    assert report.mistakes[0].name == "wrong-value"


@pytest.mark.parametrize("name", ["__rsub__", "__rtruediv__"])
def test_a_reflected_operator_the_wrong_way_round_is_named(name):
    """An engine that computes 2 - x as x - 2, or 2 / x as x / 2, is named."""
    plain = getattr(engines.Value, name.replace("__r", "__"))
    report = check_engine(planted(**{name: lambda self, other: plain(self, other)}))
    assert [mistake.name for mistake in report.mistakes] == ["reflected"]
    assert len(report.examples) == 1


def test_power_has_known_mistakes_of_its_own():
    """y * x**y, and the factor forgotten; exponents are constants there."""
    for rule in (lambda x, p: p * x**p, lambda x, p: x ** (p - 1)):

        class Power(engines.Value):
            def __pow__(self, p, rule=rule):
                assert isinstance(p, (int, float))
                return self._made("pow", (), self.data**p, (rule(self.data, p),))

        (mistake,) = check_engine(Power).mistakes
        assert mistake.name == "formula"
        assert "x ** y is " in mistake.sentence


def test_recursion_is_a_limit():
    """A recursive sort fails on deep graphs, which makes no number wrong."""

    class Recursive(engines.Value):
        def sorted(self, found=None):
            found = {} if found is None else found
            for operand, _ in self.edges:
                if operand not in found:
                    operand.sorted(found)
            found[self] = None
            return [*found]

    report = check_engine(Recursive)
    assert (report.ok, {remark.name for remark in report.remarks}) == (True, {"recursion-limit"})


def test_an_engine_that_hangs_is_interrupted():
    """A hanging engine is stopped even where it catches every Exception; the verdict is "cannot tell"."""

    class Hanging(engines.Value):
        def walk_topological(self, nodes):
            while self.op == "mul":
                with contextlib.suppress(Exception):
                    time.sleep(0.001)
            super().walk_topological(nodes)

    report = check_engine(Hanging, seconds=0.5)
    assert (report.ok, report.verdict) == (False, "NOISE")
    assert "did not end within 0.5 s: x = Hanging(3); y = Hanging(2); a = x * y; a.backward()" in str(report)


def test_an_engine_that_prints_is_not_heard(capsys):
    """Whatever an engine prints is dropped."""

    class Loud(engines.Value):
        def hand(self, edge):
            print("handing on")
            super().hand(edge)

    report = check_engine(Loud)
    assert report.ok
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (2.0, "takes a class, not 2.0"),
        (lambda: None, "raised TypeError"),
        (float, "looks like its number"),
        (
            type("Numb", (), {"__init__": lambda self, data: setattr(self, "data", data)}),
            r"looks like its backward\(\)",
        ),
    ],
)
def test_what_is_no_engine_is_refused(make, what):
    """The message says what is missing and what to pass."""
    with pytest.raises(am.AutogradError, match=what):
        check_engine(make)


def test_the_picture_has_both_numbers():
    """It is the graph of this package with its gradients; a name says the engine's number where it differs."""
    report = check_engine(planted(assigns=ALL))
    assert report.svg.startswith("<svg")
    assert "x (yours: 1)" in report.svg
    assert ">2<" in report.svg
    assert report.svg in report._repr_html_()


# -- graphs and walks --------------------------------------------------------------------------------------------------


def test_the_right_walk_is_that_of_this_package():
    """On random graphs, its gradients are those of `backward()`, after two calls as well."""
    operations = [(op, 2) for op in ("add", "mul", "sub", "div")] + [("tanh", 1), ("exp", 1), ("neg", 1)]
    for given in random_graphs(operations, effort(100, 2000), seed=5):
        roots = (len(given) - 1, random.Random(len(given)).randrange(len(given.leaves), len(given)), len(given) - 1)
        twice = Graph(given.leaves, given.steps, roots)
        found, nodes = gradients(twice.edges, roots), nodes_of(twice)
        for place in range(len(given.leaves)):
            assert found[place] == pytest.approx(nodes[place].grad, rel=1e-9, abs=1e-12)


def test_walks_are_told_apart():
    """No two rows of the table leave the same gradients everywhere, whichever operand comes first."""
    cases = [*random_graphs([("add", 2), ("mul", 2)], 200, seed=3)]
    for one in WALKS:
        for other in WALKS:
            if one.mistake is not other.mistake:
                assert any(
                    all(
                        gradients(case.edges, walk=one.do, mirrored=mirrored)
                        != gradients(case.edges, walk=other.do, mirrored=way)
                        for way in (False, True)
                    )
                    for case in cases
                    for mirrored in (False, True)
                ), (one.mistake, other.mistake)


def test_a_shrunk_graph_still_fails():
    """Nothing can be left out of the smallest graph: here, any graph with a product of a node by itself fails."""

    def fails(given):
        return any(step.op == "mul" and step.operands[0] == step.operands[1] for step in given.steps)

    for given in random_graphs([("add", 2), ("mul", 2), ("tanh", 1)], 60, seed=9):
        if fails(given):
            small = shrunk(given, fails)
            assert fails(small)
            assert (len(small.leaves), small.steps) == (1, (Step("mul", (0, 0)),))
    assert graph("add 0 1; mul 2 2").program("V") == [
        "x = V(2)", "y = V(3)", "a = x + y", "b = a * a", "b.backward()",
    ]  # fmt: skip


# -- the command -------------------------------------------------------------------------------------------------------

WRONG = """
import math
print("imported")

class Value:
    def __init__(self, data, edges=()):
        self.data, self.edges, self.grad = data, edges, 0.0
    def __add__(self, other):
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))
    def __mul__(self, other):
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))
    def backward(self, gradient=1.0):
        self.grad = gradient
        for operand, local in self.edges:
            operand.backward(gradient * local)
"""


@pytest.fixture
def command(tmp_path):
    """Run `autograd-mini check-engine`; give the finished process."""

    def run(*arguments, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "autograd_mini", "check-engine", *arguments],
            cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=60,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip

    return run


def test_the_command_names_the_mistake(command, tmp_path):
    """Exit status 1, the report on standard output, and the picture where -o says."""
    done = command("engine.py:Value", "-o", "small.svg", engine=WRONG)
    assert (done.returncode, done.stderr) == (1, "")
    assert "assigned: The gradient is assigned with = everywhere" in done.stdout
    assert "imported" not in done.stdout
    assert (tmp_path / "small.svg").read_text(encoding="utf-8").startswith("<svg")
    assert done.stdout.endswith("small.svg\n")


def test_the_command_says_right_and_cannot_tell(command):
    """Exit status 0 for a right engine, found in a module; 2 for a process that ends on its own, or never."""
    done = command("autograd_mini.micrograd:Value")
    assert done.returncode == 0
    assert re.fullmatch(r"Value: PASS, \d+ graphs are right\.\n", done.stdout)
    done = command("engine.py:Value", engine="import os\nos._exit(3)\n")
    assert (done.returncode, done.stderr) == (2, "")
    assert "ended with exit status 3" in done.stdout
    done = command("engine.py:Value", "-o", "small.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not the name of an .svg file" in done.stderr


@pytest.mark.parametrize(
    ("target", "text", "said"),
    [
        ("own.py:Value", "1 / 0\n", "because it raises ZeroDivisionError: division by zero"),
        ("own.py:Value", "raise SystemExit\n", "because it raises SystemExit"),
        ("own.py:Number", WRONG, "has no 'Number'"),
        ("own.py", "x = 1\n", "Write FILE.py:CLASS"),
        ("nothing.py:Value", "", "There is no file 'nothing.py'"),
        ("nothing_like_this:Value", "", "No module named 'nothing_like_this'"),
        ("own.py:Value", "class Value:\n    def __init__(self): pass\n", "Value(2.0) raised TypeError"),
    ],
)
def test_what_cannot_be_loaded_is_no_verdict_on_it(target, text, said, tmp_path, monkeypatch):
    """A sentence says why there is no verdict."""
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    verdict, sentence, picture = told(target)
    assert (verdict, picture) == ("NOISE", "")
    assert sentence.startswith(f"{target}: cannot tell")
    assert said in sentence


@pytest.mark.skipif(sys.platform != "linux", reason="is_running() reads /proc")
def test_a_process_that_ignores_everything_is_killed(tmp_path):
    """A process that catches BaseException is stopped too, and its children with it."""
    file = tmp_path / "stubborn.py"
    file.write_text(
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(1000)'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
        "while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass\n"
    )
    result = examined(f"{file}:Value", Limits(3.0))
    assert (result.verdict.status, result.verdict) == (2, "NOISE")
    assert result.text.endswith("cannot tell. It did not end within 3 s and was stopped.")
    child, end = int((tmp_path / "child").read_text()), time.monotonic() + 30.0
    while is_running(child):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_time_limit_leaves_debuggers_alone():
    """After a time limit was reached, programs can still be traced and profiled: nothing of it stays pending."""
    program = (
        "import sys\n"
        "from autograd_mini.check.engines.trials import TimeoutReached, _time_limit\n"
        "for seconds in (0.01, 30.0):\n"
        "    try:\n"
        "        with _time_limit(seconds):\n"
        "            while seconds < 1.0: pass\n"
        "    except TimeoutReached:\n"
        "        print('reached')\n"
        "    for watch in (sys.settrace, sys.setprofile):\n"
        "        watch(lambda *event: None)\n"
        "        (lambda: None)()\n"
        "        watch(None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "reached\n", "")
