"""`explain()`: each diagnosis points to the user's line and says what to write; healthy graphs raise no alarm."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import gc
import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, explain
from autograd_mini.core.sweep import topological_order
from tests.core.test_graphs import anything, build, ordinary, steps
from tests.effort import effort

inf, nan = math.inf, math.nan


def explained(compute, *numbers, **options):
    """The explanation of a computation, recorded with its lines; no gradient changes."""
    leaves = [Value(number, name=name) for number, name in zip(numbers, "xyzuv", strict=False)]
    with am.provenance():
        root = compute(*leaves)
    explanation = explain(root, **options)
    assert all(node._grad is None for node in topological_order(root, everything=True))
    return explanation


def test_what_was_not_looked_at_is_not_called_fine():
    """Asked for one gradient, the text says nothing of the others."""
    x, y = Value(2.0, name="x"), Value(3.0, name="y")
    z = x * 0.0 + y
    assert "no gradient is zero" not in str(explain(z, y))
    assert "Nothing is wrong" in str(explain(z, y))
    assert explain(z)
    assert "no gradient is zero" in str(explain(x * y))


def hand_made_softmax(zs):
    exps = [am.exp(z) for z in zs]
    return [e / sum(exps) for e in exps]


def chain(x, times, step):
    for _ in range(times):
        x = step(x)
    return x


# What can be wrong with one gradient: the computation, its inputs, the kind, the cause, the expression of the culprit
# in this very file, what the message says, and what the advice is to write.
DIAGNOSES = [
    # -- no edge
    (lambda x, y: am.relu(x * y) + 1.0, (-1.0, 2.0), "zero", "dead branch", "am.relu(x * y)", "relu(-2)", None),
    (lambda x: am.hard_tanh(x), (3.0,), "zero", "dead branch", "am.hard_tanh(x)", "limited to 1", None),
    (lambda x: am.maximum(x, 2.0), (1.0,), "zero", "dead branch", "am.maximum(x, 2.0)", "2, not 1", None),
    (lambda x: am.where(x > 0.0, x, 2.0), (-1.0,), "zero", "dead branch", "am.where(x > 0.0, x, 2.0)", "other", None),
    (lambda x: abs(x) * 2.0, (0.0,), "zero", "kink", "abs(x)", "abs(0)", None),
    (lambda x: am.floor(x) + 1.0, (1.5,), "zero", "step", "am.floor(x)", "step function", None),
    (lambda x: am.sign(x) + 1.0, (1.5,), "zero", "step", "am.sign(x)", "step function", None),
    (lambda x: x.stop_gradient() + 1.0, (1.5,), "zero", "stopped", "x.stop_gradient()", "asked for it", None),
    # -- 0 by value
    (lambda x: x * am.relu(x - 3.0) * 0.0, (4.0,), "zero", "multiplied by 0", "x * am.relu(x - 3.0) * 0.0", "0", None),
    (lambda x: am.sigmoid(x), (800.0,), "zero", "saturated", "am.sigmoid(x)", "sigmoid is saturated at 800", None),
    (lambda x: am.tanh(x), (-400.0,), "zero", "saturated", "am.tanh(x)", "tanh is saturated at -400", None),
    (lambda x: am.sigmoid(x), (30.0,), "vanishing", "saturated", "am.sigmoid(x)", "saturated at 30", None),
    (lambda x: am.exp(x), (-800.0,), "zero", "underflow", "am.exp(x)", "exp(-800) is below the smallest float", None),
    (lambda x: (x * 1e-200) * 1e-200, (1.0,), "zero", "underflow", "x * 1e-200", "1e-200 * 1e-200", None),
    (lambda x: 1 / (1 + am.exp(-x)), (800.0,), "zero", "underflow", "am.exp(-x)", "exp(-800)", None),
    (lambda x: am.mse([x], [1.0]), (1.0,), "zero", "stationary", "am.mse([x], [1.0])", "flat", None),
    (lambda x: x**3 + 1.0, (0.0,), "zero", "stationary", "x**3", "slope of 0 ** 3 is 0", None),
    (lambda x: am.cos(x), (0.0,), "zero", "stationary", "am.cos(x)", "cos(0)", None),
    (lambda x: 3.0 * x - 3.0 * x, (1.0,), "zero", "cancelled", None, "3, -3", None),
    (lambda x: 0.1 * x + 0.2 * x - 0.3 * x, (1.0,), "vanishing", "cancelled", None, "cancel", None),
    # -- 0 * inf, inf - inf
    (lambda x: am.sqrt(x) * 0.0, (0.0,), "nan", "0 * inf", "am.sqrt(x)", "0 arrives at sqrt(0)", None),
    (lambda x: am.sqrt(x * x), (0.0,), "nan", "0 * inf", "x * x", "inf arrives at 0 * 0", "abs(x)"),
    (lambda x: (x**2) ** 0.5, (0.0,), "nan", "0 * inf", "x**2", "inf arrives", "abs(x)"),
    (lambda x: am.sqrt(x * x + 0.0), (0.0,), "nan", "0 * inf", "x * x", "inf arrives", "abs(x)"),
    (lambda x: x * am.log(x), (0.0,), "nan", "0 * inf", "am.log(x)", "0 arrives at log(0)", "xlogy(x, x)"),
    (lambda x: am.sqrt(x) - am.sqrt(x), (0.0,), "nan", "inf - inf", None, "infinities of both signs", None),
    (lambda x: 1 / (1 + am.exp(-x)), (-800.0,), "nan", "0 * inf", "am.exp(-x)", "exp(800) is beyond", "sigmoid(x)"),
    (lambda x: am.exp(x) / (am.exp(x) + 1), (800.0,), "nan", "0 * inf", "am.exp(x)", "exp(800)", "sigmoid(x)"),
    (lambda x: (1.0 + am.exp(-x)) ** -1, (-800.0,), "nan", "0 * inf", "am.exp(-x)", "exp(800)", "sigmoid(x)"),
    (lambda x: am.log(1 + am.exp(x)), (800.0,), "nan", "0 * inf", "am.exp(x)", "exp(800)", "softplus(x)"),
    (lambda x: am.log1p(math.e**x), (800.0,), "nan", None, "math.e**x", "beyond", "softplus(x)"),
    (lambda x: am.log(am.sigmoid(x)), (-800.0,), "nan", "0 * inf", "am.sigmoid(x)", "its slope is infinite",
     "log_sigmoid(x)"),
    (lambda x: am.log(1 - am.sigmoid(x)), (40.0,), "inf", "pole", "am.log(1 - am.sigmoid(x))", "1 - 1 = 0",
     "log_sigmoid(-x)"),
    (lambda x: 1 / (1 - am.sigmoid(x)), (40.0,), "inf", "pole", "1 / (1 - am.sigmoid(x))", "1 - 1", "sigmoid(-x)"),
    (lambda x: (am.exp(x) - am.exp(-x)) / (am.exp(-x) + am.exp(x)), (800.0,), "nan", "0 * inf", "am.exp(x)", "800",
     "tanh(x)"),
    (lambda x: am.log(am.exp(x) - 1), (1e-20,), "inf", "pole", "am.log(am.exp(x) - 1)", "1 - 1 = 0", "expm1(x)"),
    (lambda x: 1 / am.log(1 + x), (1e-20,), "inf", "pole", "1 / am.log(1 + x)", "log(1) = 0", "log1p(x)"),
    # -- outside of the domain, poles, overflow, bad input
    (lambda x: am.sqrt(x) * 2.0, (-1.0,), "nan", "outside domain", "am.sqrt(x)",
     "sqrt(-1) is outside the domain", None),
    (lambda x: am.log(x) * 2.0, (-1.0,), "nan", "outside domain", "am.log(x)", "log(-1) is outside the domain", None),
    (lambda x: am.exp(am.log(x) * 2.0), (-1.0,), "nan", "outside domain", "am.log(x)", "log(-1)", None),
    (lambda x: am.log(x) * 2.0, (0.0,), "inf", "pole", "am.log(x)", "log(0) is -inf", None),
    (lambda x: 1.0 / x, (0.0,), "inf", "pole", "1.0 / x", "1 / 0 is inf", None),
    (lambda x: am.sqrt(x), (0.0,), "inf", "pole", "am.sqrt(x)", "slope of sqrt(0) is infinite", None),
    (lambda x: am.exp(x), (710.0,), "inf", "overflow", "am.exp(x)", "exp(710) is beyond the largest float", None),
    (lambda x: (x * 1e200) * 1e200, (1e-300,), "inf", "overflow", "x * 1e200", "1e+200 * 1e+200", None),
    (lambda x: x * nan, (1.0,), "nan", "nan input", "x * nan", "The constant nan", None),
    (lambda x: x * x, (nan,), "nan", "nan input", "x * x", "The input x = nan", None),
    (lambda x: x * x, (inf,), "inf", "inf input", "x * x", "The input x = inf", None),
    # -- many factors, one factor
    (lambda x: chain(x, 50, lambda v: am.tanh(2.0 * v)), (0.5,), "vanishing", "product of many factors",
     "am.tanh(2.0 * v)", "100 factors", None),
    (lambda x: chain(x, 50, lambda v: v * 3.0), (0.5,), "exploding", "product of many factors", "v * 3.0", "50 factors",
     None),
    # -- digits that were lost before
    (lambda x: (1 - am.cos(x)) / x**2, (1e-9,), "exploding", "cancelled", "1 - am.cos(x)", "1 - 1 = 0",
     "2 * sin(x / 2)**2"),
    (lambda x: x**-2 * (am.cos(x) - 1), (1e-9,), "exploding", "cancelled", "am.cos(x) - 1", "lost all its digits",
     "-2 * sin(x / 2)**2"),
    (lambda x: (am.exp(x) - 1) / x, (1e-20,), "exploding", "cancelled", "am.exp(x) - 1", "1 - 1 = 0", "expm1(x)"),
    (lambda x: am.log(1 + x) / x, (1e-20,), "exploding", "cancelled", "am.log(1 + x)", "1 + 1e-20 = 1", "log1p(x)"),
    (lambda x: (am.sqrt(1 + x) - 1) / x, (1e-17,), "exploding", "cancelled", "am.sqrt(1 + x) - 1", "cancel", None),
    (lambda x: 1e10 * (1 - am.cos(x)) / x, (1e-9,), "exploding", "cancelled", "1 - am.cos(x)", "lost",
     "2 * sin(x / 2)**2"),
    (lambda x: (am.sin(x) - x) / x**3, (1e-9,), "zero", "cancelled", "am.sin(x) - x", "lost all its digits", None),
    (lambda x: 1 / (1 - am.cos(x)), (1e-9,), "inf", "pole", "1 / (1 - am.cos(x))", "which has lost all its digits.",
     "2 * sin(x / 2)**2"),
    (lambda x: 1 / (1 - x), (1.0,), "inf", "pole", "1 / (1 - x)", "The 0 is 1 - 1 = 0 (", None),
    (lambda x: (x * x - 4.0) * x * 1e9, (2.0,), "exploding", "large factor", "(x * x - 4.0) * x * 1e9", "1e+09", None),
    (lambda x: (am.exp(x) - math.e) * 1e9, (1.0,), "exploding", "large factor", "(am.exp(x) - math.e) * 1e9", "1e+09",
     None),
    (lambda x: 1.0 / x, (1e-5,), "exploding", "pole", "1.0 / x", "alone makes it so", None),
    (lambda x: x * 1e8, (1.0,), "exploding", "large factor", "x * 1e8", "1e+08", None),
    (lambda x: x * 1e-8, (1.0,), "vanishing", "small factor", "x * 1e-8", "1e-08", None),
]  # fmt: skip


@pytest.mark.parametrize(("compute", "numbers", "kind", "cause", "expression", "words", "stable"), DIAGNOSES)
def test_one_gradient(compute, numbers, kind, cause, expression, words, stable):
    """Kind, cause, the culprit's place in the user's program, the numbers, and what to write instead."""
    explanation = explained(compute, *numbers)
    (finding,) = explanation
    assert explanation
    assert finding.kind == kind
    assert cause in (None, finding.cause)
    if expression is None:
        assert finding.culprit.node is finding.node
    else:
        assert finding.culprit.origin.expression == expression
        assert finding.culprit.origin.file == __file__
        assert expression in str(explanation)
    assert words in finding.message
    assert finding.message.endswith(".")
    advice = finding.advice or ""
    assert advice.startswith(f"Write {stable} instead of ") if stable else not advice.startswith("Write ")
    check_path(explanation.root, finding)


def check_path(root, finding):
    """Links hang together from the output down to the node, and each is a product."""
    nodes = [link.node for link in finding.path] + [finding.node]
    assert nodes[0] is root
    for link, below in zip(finding.path, nodes[1:], strict=True):
        partials = [p for x, p in zip(link.node.operands, link.node.partials, strict=True) if x is below]
        assert any(p is link.local or p == link.local or p != p for p in partials)
        product = 0.0 if link.local is am.ZERO else link.upstream * link.local
        assert link.contribution == product or product != product


def test_log_of_softmax():
    """The package's own, and one made by hand that overflows or underflows."""
    for softmax in (am.softmax, hand_made_softmax):
        for numbers in ((0.0, -1000.0), (1000.0, 0.0)):
            (finding,) = explained(lambda x, y, f=softmax: am.log(f([x, y])[1]), *numbers)
            assert (finding.kind, finding.cause) == ("nan", "0 * inf")
            assert finding.advice.startswith("Write log_softmax(z)[i] instead of log(")
            (finding,) = explained(lambda x, y, f=softmax: -am.log(f([x, y])[1]), *numbers)
            assert finding.advice.startswith("Write cross_entropy(z, t) instead of -log(")
    (finding,) = explained(lambda x, y: -am.log(hand_made_softmax([x, y])[0]), 1000.0, 0.0)
    assert finding.cause in ("overflow", "0 * inf")
    assert "exp(1000) is beyond the largest float" in finding.message
    assert "cross_entropy" in finding.advice
    assert len(explained(lambda x, y: hand_made_softmax([x, y])[0], 1000.0, 0.0)) >= 1


def test_lists_of_any_length():
    """logsumexp, softmax, the norm: sums however they are put together."""

    def added(terms):
        total = 0
        for term in terms:
            total = total + term
        return total

    for total in (sum, am.sum, added):
        findings = explained(lambda *xs, total=total: am.log(total([am.exp(x) for x in xs])), 800.0, 1.0, 2.0, 3.0)
        assert all(finding.advice == "Write logsumexp(z) instead of log(sum(exp(z)))." for finding in findings)
        (finding,) = explained(lambda *xs, total=total: am.sqrt(total([x * x for x in xs])), 0.0, 0.0, 0.0)
        assert finding.advice == "Write norm(xs) instead of sqrt(sum(x * x))."
    (finding,) = explained(lambda *xs: am.sqrt(am.dot(xs, xs)), 0.0, 0.0, 0.0)
    assert "norm(xs)" in finding.advice
    findings = explained(lambda x, y: am.sqrt(x * x + y**2), 0.0, 0.0)
    assert {finding.advice for finding in findings} == {"Write hypot(x, y) instead of sqrt(x*x + y*y)."}
    findings = explained(lambda x, y: hand_made_softmax([x, y])[0], 1000.0, 1.0)
    assert "softmax(z)[i]" in findings.findings[0].advice


def test_advice_helps_and_belongs_to_the_trouble():
    """None for a pattern elsewhere in the graph, where the stable form is no better, in this package's own code."""
    (finding,) = explained(lambda x: am.sqrt(x) * 0.0 + am.log(1 + am.exp(x)), 0.0)
    assert finding.advice == "Keep the argument of sqrt positive: clip it, or use a form that cannot get there."
    form_above = explained(lambda x: am.exp(am.sqrt(x) * 0.0 + 1e-20) - 1.0, 0.0)
    assert not any(finding.advice.startswith("Write") for finding in form_above)
    for finding in explained(lambda x: am.log(am.sigmoid(x)), 800.0):
        assert not finding.advice.startswith("Write")


@pytest.mark.parametrize(
    ("compute", "number", "words"),
    [
        (lambda x: am.relu(x), -1.0, "leaky_relu keeps it alive"),
        (lambda x: chain(x, 50, lambda v: am.tanh(0.5 * v)), 0.5, "residual connections"),
        (lambda x: chain(x, 50, lambda v: 3.0 * v), 0.5, "Initialise smaller"),
        (lambda x: am.sigmoid(x), 800.0, "binary_cross_entropy"),
        (lambda x: am.tanh(x), 400.0, "Scale the inputs of tanh, or initialise smaller."),
        (lambda x: am.log(x), 0.0, "Keep the argument of log positive"),
        (lambda x: am.log(x), -1.0, "Keep the argument of log positive"),
        (lambda x: am.sqrt(x), -1.0, "Keep the argument of sqrt positive"),
        (lambda x: am.acos(x), 1.0, "Keep the argument of acos between -1 and 1"),
        (lambda x: 1.0 / x, 0.0, "Keep the denominator away from 0"),
        (lambda x: Value(x.data) * 2.0, 1.0, "Did you use .data, a new Value, or another variable of the same name?"),
        (lambda x: am.log(x), nan, None),
        (lambda x: am.sqrt(x), inf, None),
        (lambda x: am.acos(am.log(x)), 0.0, "Keep the argument of log positive"),  # where it began
        (lambda x: am.floor(x), 1.5, None),
        (lambda x: 3.0 * x - 3.0 * x, 1.0, None),
    ],
)
def test_what_usually_helps(compute, number, words):
    """Where there is no stable form, the advice is the usual remedy, in one sentence."""
    x = Value(number, name="x")
    (finding,) = explain(compute(x), [x])
    assert (finding.advice is None) if words is None else (words in finding.advice)
    assert words is None or finding.advice in str(finding)


def test_a_kink_on_the_path():
    """What was chosen there, and the slopes on both sides."""
    (finding,) = explained(lambda x: am.relu(x) * 2.0, 0.0)
    (kink,) = finding.kinks
    assert (kink.op, kink.chosen, kink.left, kink.right) == ("relu", (0.0,), (0.0,), (1.0,))
    (finding,) = explained(lambda x: abs(x) * 2.0, 0.0)
    assert [kink.op for kink in finding.kinks] == ["abs"]
    assert "  Kink: abs(0) (test_explanation.py:" in str(finding)
    assert f"  Kink: abs(0) ({__file__}" not in str(finding)
    (finding,) = explained(lambda x: am.relu(x) * 2.0, -1.0)
    assert not finding.kinks


def test_a_fact_a_line():
    """For 0 * inf it says what happened, where the slope and the adjoint come from; nothing twice, no jargon."""
    (finding,) = explained(lambda x: am.log(1 + am.exp(x)), 800.0)
    what, slope, arrives = finding.message.splitlines()
    assert what.endswith("whose local slope is inf: 0 * inf is nan.")
    assert slope.startswith("The slope: exp(800) is beyond the largest float")
    assert arrives.startswith("What arrives: log(inf) = inf")
    assert finding.message.count("beyond") == 1
    assert all(f"  {line}" in str(finding).splitlines() for line in (what, slope, arrives))
    (finding,) = explained(lambda x: am.log(am.sigmoid(x)), -800.0)
    assert "The 0 is sigmoid(-800) = 0 (test_explanation.py" in finding.message
    (finding,) = explained(lambda x: am.relu(x) * 2.0, -1.0)
    assert "2 × none (no connection: nothing flows there) = 0  by relu(-1) = 0" in str(finding)
    (finding,) = explained(lambda x: am.log(x), 0.0)
    assert str(finding).startswith("Gradient of x = inf (infinite slope)")
    (finding,) = explained(lambda x: 1.0 / x, 1e-5)
    assert "(exploding: close to an infinite slope)" in str(finding)
    text = str(explain(Value(nan) * Value(nan)))
    assert "The input nan goes into" in text


def test_the_path_stops_where_nothing_flows():
    """Behind a branch not taken no product is shown: 0 times an infinite slope is not what happens there."""
    for compute, number in (
        (lambda x: am.where(x > 0.0, am.log(x), 0.0) * 1.0, 0.0),
        (lambda x: am.where(x > 0.0, am.tanh(am.log(x) * 2.0), 0.0) * 1.0, 0.0),
        (lambda x: am.maximum(am.sqrt(x), 5.0) * 1.0, 0.0),
        (lambda x: am.where(x > 0.0, am.sqrt(am.relu(x)), 1.0), 0.0),
    ):
        (finding,) = explained(compute, number)
        text = str(finding)
        assert "none (no connection: nothing flows there) = 0" in text
        assert "nan" not in text
        assert "a sum" not in text
        assert "Kink" not in text
        assert not any(math.isnan(link.contribution) for link in (*finding.path, *finding.steps))
        assert text.splitlines()[-1 - bool(finding.advice)].count("none (no connection")


def test_all_blockers_are_named():
    """All places are named if the paths of a unit are blocked at three of them."""
    (finding,) = explained(lambda x: am.relu(x - 5.0) + am.floor(x) + am.clip(x, 2.0, 3.0), 1.0)
    assert all(text in finding.message for text in ("am.relu(x - 5.0)", "am.floor(x)", "am.clip(x, 2.0, 3.0)"))


def test_what_never_reaches():
    """A leaf outside the graph is named as such; one whose result is not used is outside, too."""
    x, y = Value(1.0, name="x"), Value(2.0, name="y")
    unused = y * 3.0
    explanation = explain(x * 2.0, [x, y, unused])
    assert [(f.kind, f.cause) for f in explanation] == [
        ("ordinary", "ordinary"), ("unreached", "never reaches"), ("unreached", "never reaches"),
    ]  # fmt: skip
    assert explanation
    assert not explain(x * 2.0, x)
    assert not explain(x, x)
    assert len(explain(am.relu(-x), [])) == 0
    assert explain(x, y)


def test_by_name():
    """One node, or lists, tuples and dicts of them; computed nodes too; each has an entry of its own."""
    x, y = Value(2.0), Value(-3.0)
    hidden = x * y
    root = am.relu(hidden)
    explanation = explain(root, {"weights": [x, y], "hidden": hidden, "root": (root,)})
    assert [f.node for f in explanation] == [x, y, hidden, root]
    assert [f.kind for f in explanation] == ["zero", "zero", "zero", "ordinary"]
    text = str(explanation)
    assert "Gradient of weights[1] = 0.0 (dead branch)" in text
    assert "provenance()" in text
    for wrong in (3.0, [x, "y"]):
        with pytest.raises(am.OperandError, match="takes Values"):
            explain(root, wrong)
    for arguments in ((root, x, y), (root, x, y, x)):
        with pytest.raises(am.ArgumentError, match="not a function"):
            explain(*arguments)
    with pytest.raises(am.ArgumentError, match="not a function"):
        explain(root, x, by=y)
    assert [f.node for f in explain(root, by=x)] == [x]


def test_a_plain_number_has_no_graph():
    """The error says how a result becomes a Value."""
    x = Value(1.0)
    for call in (
        lambda: explain(3.0),
        lambda: explain(7),
        lambda: explain(lambda x: 2.0, 1.0),
        lambda: explain(x.data),
    ):
        with pytest.raises(am.OperandError, match="no Value took part, or the graph was lost"):
            call()
    for call in (lambda: explain("loss"), lambda: explain(lambda x: [x], 1.0)):
        with pytest.raises(am.OperandError, match="takes a Value"):
            call()


def test_a_function():
    """Recorded with its lines on fresh Values, which are named by where they are in the arguments."""

    def model(params, x, name):
        assert name == "tanh"
        return am.relu(params["w"][0] * x[0] + params["w"][1] * x[1]) + params["b"]

    params = {"w": [1.0, Value(-2.0)], "b": 0.5, "unused": 1.0}
    explanation = explain(model, params, (1.0, 3.0), "tanh")
    unit, unused = explanation
    names = [node.name for node in (unit.node, *unit.others)]
    assert sorted(names) == ["params['w'][0]", "params['w'][1]", "x[0]", "x[1]"]
    assert (unit.cause, unused.cause) == ("dead branch", "never reaches")
    assert unused.node.name == "params['unused']"
    assert unit.culprit.origin.expression == 'am.relu(params["w"][0] * x[0] + params["w"][1] * x[1])'
    assert "Gradient of params['unused'] = 0.0 (never reaches)" in str(explanation)
    assert params["w"][1]._grad is None
    assert not explain(lambda x: x, 1.0)
    assert not explain(lambda x: x * 2.0, 1.0)
    assert explain(lambda x: x * 2.0, 1.0, large=1.0)
    outside = Value(3.0, name="outside")
    (finding,) = explain(lambda x: am.floor(outside) * x, 1.0, by=outside)
    assert (finding.node, finding.cause) == (outside, "step")
    assert [f.cause for f in explain(lambda x, y: x * 2.0, 1.0, 2.0)] == ["never reaches"]


def test_a_function_of_an_array():
    """The elements are named by their index."""
    np = pytest.importorskip("numpy")
    (finding,) = explain(lambda w: np.sqrt(w * w).sum(), np.array([[1.0, 0.0]]))
    assert (finding.node.name, finding.advice) == ("w[0, 1]", "Write abs(x) instead of sqrt(x * x).")


def test_a_leaf_alone():
    """The gradient of a leaf with respect to the root of the last backward() under provenance."""
    x = Value(0.0, name="x")
    with pytest.raises(am.ArgumentError, match=r"explain\(loss, x\)"):
        contextvars.Context().run(explain, x)
    with am.provenance():
        loss = am.sqrt(x * x)
    loss.backward()
    (finding,) = explain(x)
    assert (finding.node, finding.cause) == (x, "0 * inf")
    assert math.isnan(x.grad)


def test_a_leaf_alone_does_not_keep_its_graph():
    """The last output is known as long as the program holds it: named later, copied, or beside others; not longer."""
    x = Value(0.0, name="x")
    with am.provenance():
        first, loss = am.sqrt(x * x), am.sqrt(x * x) * 2.0
    loss.backward()
    copies = [copy.copy(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))]
    loss.name = "loss"
    assert explain(x).root is loss
    assert not any(other is loss for other in copies)
    first.backward()
    assert explain(x).root is first
    with am.provenance():
        for _ in range(1000):
            loss = loss * 1.0
        loss.backward()
        before = sum(type(thing) is Value for thing in gc.get_objects())
        del loss
        assert sum(type(thing) is Value for thing in gc.get_objects()) <= before - 1000  # without a collection
        with pytest.raises(am.ArgumentError, match=r"explain\(loss, x\)"):
            explain(x)


def test_equal_troubles_come_once():
    """1,000 dead weights of one unit: one entry, and a short text; many units: few entries."""
    weights = [Value(1.0, name=f"w{i}") for i in range(1000)]
    with am.provenance():
        root = am.relu(am.dot(weights, [-1.0] * 1000)) + 1.0
    (finding,) = explain(root)
    assert len(finding.others) == 999
    assert "w0, w1, w2 and 997 more" in str(finding)
    assert len(str(finding)) < 1500
    root = am.sum([am.relu(-w) for w in weights])
    assert len(explain(root)) == 1
    assert len(explain(root).findings[0].others) == 999
    root = am.sum([w * 1e-9 for w in weights])
    assert len(explain(root)) == 1


def test_a_group_has_no_gradient_in_common():
    """Of many different gradients the text has the range, and one as an example; of equal ones, the number."""
    x, w = Value(0.5, name="x"), Value(0.5, name="w")
    (finding,) = explain(chain(x, 100, lambda v: am.tanh(w * v)))
    first, second = finding.gradients
    assert (finding.node, finding.others, first) == (x, (w,), finding.gradient)
    assert 0.0 < first < second
    head = str(finding).splitlines()[0]
    assert head.startswith(f"Gradients of x, w, from {first:.6g} to {second:.6g} in size, for example of x = {first!r}")
    assert "For x, from the output down" in str(finding)
    (finding,) = explain(am.sum([Value(1.0) * 1e-9 for _ in range(140)]))
    assert str(finding).startswith("Gradients of 140 inputs, each = 1e-09 (vanishing")
    (finding,) = explain(am.relu(-(x + w)))
    assert str(finding).startswith("Gradients of x, w, each = 0.0 (dead branch)")


def test_a_composition_is_one_step():
    """With its total slope, and what it was called with; the primitives stay in `path`."""
    (finding,) = explained(lambda x: chain(x, 100, lambda v: am.tanh(0.5 * v)), 0.5)
    assert len(finding.path) == 300
    assert len(finding.steps) == 200
    assert [step.text[:5] for step in finding.steps[:3]] == ["tanh(", "", "tanh("]
    assert str(finding).count("neg(") == 0
    assert "The smallest: 0.5 by 0.5 *" in finding.message
    for name in ("sigmoid", "tanh", "softplus", "gelu", "silu", "elu", "softsign", "log_sigmoid", "mish"):
        if not hasattr(am, name):
            continue
        f = getattr(am, name)
        for number in (-1.5, 0.0, 0.7):
            x = Value(number, name="x")
            (finding,) = explain(f(x), [x])
            (step,) = finding.steps
            assert (step.text, step.upstream) == (f"{name}({number:.6g})", 1.0)
            assert step.local == pytest.approx(am.grad(f)(number), rel=1e-13)
    x = Value(2.0, name="x")
    (finding,) = explained(lambda x: am.softmax([x, x * 2.0, x * 3.0, x - 1.0])[0] * 1e-9, 2.0)
    assert finding.steps[1].text.startswith("softmax(2, ")
    assert finding.steps[1].text.endswith(", ...)")
    (finding,) = explain(am.cross_entropy([x, x * 2.0], 0), [x])
    assert finding.steps[0].text == "cross_entropy(2, 4)"


def test_where_paths_join():
    """A row that does not begin with what the one above handed on says why."""
    (finding,) = explained(lambda x: (lambda v: v * v * 1e-9)(x + 1.0), 2.0)
    lines = str(finding).splitlines()
    assert any("    6e-09 (the sum of 2 paths) × 1 = 6e-09  by 2 + 1 = 3" in line for line in lines)
    assert finding.steps[-1].arrivals == 2
    (finding,) = explained(lambda x: x * x * 1e-9, 2.0)
    assert "    4e-09 (the sum of 2 paths) arrives at x" in str(finding)


def test_thresholds():
    """The caller decides what counts as tiny and as huge."""
    x = Value(1.0)
    assert not explain(x * 1e-3)
    assert explain(x * 1e-3, small=1e-2)
    assert not explain(x * 1e3)
    assert explain(x * 1e3, large=1e2)
    assert not explain(x * 1e-9, small=1e-10)


def test_healthy_says_so():
    """Nothing wrong: false, empty, one sentence."""
    explanation = explained(lambda x, y: am.softplus(x * y) + x**2, 2.0, -3.0)
    assert not explanation
    assert len(explanation) == 0
    assert "Nothing is wrong" in str(explanation)
    model = am.nn.MLP(2, [4, 1], activation=am.tanh)
    assert not explain(model([0.5, -0.3]))
    assert not explain(am.cross_entropy([Value(1.0), Value(2.0), Value(-1.0)], 1))


def test_a_model_names_the_call():
    """Inside `nn` the place is the user's call."""
    model = am.nn.MLP(2, [3, 1], activation=am.relu)
    for layer in model.layers:
        for p in layer.parameters():
            p.data = -abs(p.data) - 0.1
    with am.provenance():
        out = model([1.0, 1.0])
    findings = list(explain(out))
    assert any(f.cause == "dead branch" and f.culprit.origin.expression == "model([1.0, 1.0])" for f in findings)


def test_numpy_is_not_the_program():
    """The sum of an array runs NumPy's code; the place is the user's line."""
    np = pytest.importorskip("numpy")
    (finding,) = explained(lambda x: np.array([x * 1e-9, x * 1e-9]).sum(), 1.0)
    assert finding.path[0].origin.expression == "np.array([x * 1e-9, x * 1e-9]).sum()"


@pytest.mark.parametrize("block", [contextlib.nullcontext(), am.scope("model")])
def test_checked_names_the_line_that_calls_a_transform(block):
    """Not the line of this package that calls the function; also where a composition is the operand."""
    with block, am.checked():
        for compute in (
            lambda: am.grad(am.sqrt)(0.0),
            lambda: am.hessian(am.sqrt)(0.0),
            lambda: am.grad(am.grad(am.sqrt))(0.0),
            lambda: am.grad(am.log)(-1.0),
            lambda: am.log(am.sigmoid(Value(-800.0))),
        ):
            with pytest.raises(am.NonFiniteError) as raised:
                compute()
            assert "test_explanation.py" in str(raised.value)
            assert "transforms.py" not in str(raised.value)
            assert "functions.py" not in str(raised.value)


def test_watchers_do_not_matter():
    """Under checked() and kinks() the explanation is the same, and its trials go unnoticed."""
    x = Value(0.0, name="x")
    y = am.relu(x) + am.sqrt(x * x)
    before = str(explain(y))
    with am.kinks() as report, am.checked():
        assert str(explain(y)) == before
    assert not report


@pytest.mark.parametrize(
    ("step", "end", "cause"),
    [
        (lambda x: x + 1e-3, lambda x: x, None),
        (lambda x: x + 1e-3, lambda x: am.relu(x - 1e9), "dead branch"),
        (lambda x: x + 1e-3, lambda x: am.log(x - x), "inf - inf"),
        (lambda x: x + 1e-3, lambda x: am.log(x * 0.0), "0 * inf"),
        (lambda x: x * 0.999, lambda x: x, "product of many factors"),
    ],
)
def test_deep_graphs(step, end, cause):
    """A graph of any depth: no recursion, and a text of a few lines."""
    explanation = explain(end(chain(Value(1.0), effort(20_000, 200_000), step)))
    assert [f.cause for f in explanation] == ([] if cause is None else [cause])
    assert len(str(explanation)) < 5000


@settings(max_examples=effort(80, 1000))
@given(st.lists(anything, min_size=1, max_size=4), st.lists(ordinary, max_size=2), steps)
def test_explanations_agree_with_backward(numbers, constants, program):
    """Every leaf behind the result is reported exactly if backward() gives it a gradient that is not fine."""
    leaves = [Value(number) for number in numbers]
    root = build(leaves + constants, program, 0)[-1]
    if type(root) is not Value or root.op is None:
        return
    kinds = {}
    explanation = explain(root)
    for finding in explanation:
        for node in (finding.node, *finding.others):
            assert node not in kinds
            kinds[node] = finding.kind
        assert finding.message
        check_path(root, finding)
    assert str(explanation)
    named = {f.node: f for f in explain(root, leaves)}
    root.backward()
    behind = topological_order(root, everything=True)
    for leaf in leaves:
        gradient = leaf.grad
        if leaf not in behind:
            assert named[leaf].kind == "unreached"
            assert leaf not in kinds
            continue
        assert named[leaf].gradient == gradient or math.isnan(gradient)
        assert (kinds.get(leaf) == "nan") == math.isnan(gradient)
        assert (kinds.get(leaf) == "inf") == math.isinf(gradient)
        assert (kinds.get(leaf) == "zero") == (gradient == 0.0)
        if abs(gradient) < 1e-6 and gradient != 0.0:
            assert kinds[leaf] == "vanishing"
        if 1e-6 < abs(gradient) < 1e6 and leaf in kinds:
            assert named[leaf].cause == "cancelled"
        assert named[leaf].kind == kinds.get(leaf, "ordinary")


def test_the_infinity_of_a_sum_is_traced_to_its_source():
    """Infinities of both signs arrive by slopes of 1: the slope of acos at 1 is to blame, not the product."""

    def cosine(x, y, z):
        return am.acos(x * z / am.sqrt(x * x + y * y))

    finding = next(f for f in explained(cosine, 1.0, 0.0, 1.0) if f.node.name == "x")
    assert finding.cause == "inf - inf"
    assert "The slope of acos(1) is infinite" in finding.message


def test_digits_that_matter_are_shown():
    """1.00000005 is outside the domain of acos, and 1 is not."""
    (finding,) = explained(lambda x: am.acos(x / 1.9999999), 2.0)
    assert "acos(1.00000005" in finding.message


def test_a_node_inside_of_a_composition_has_a_path_too():
    """A path that ends inside a call shows its primitives, because the call is not a single link."""
    x = am.Value(12.0, name="x")
    y = am.tanh(x) * 1e-9
    inner = [node for node in am.debug.trace(y).journal.order if node.op is not None and node is not y]
    for node in inner:
        (finding,) = am.explain(y, node)
        assert finding.steps[-1].local in finding.steps[-1].node.partials
        assert "no connection" not in str(finding)


def test_leaves_are_called_by_their_variables(tmp_path):
    """Many of one variable, as a loop makes them, are counted instead."""
    file = tmp_path / "p.py"
    program = (
        "from autograd_mini import Value, sum\nw = Value(2.0)\ny = w * 0.0\n"
        "xs = []\nfor i in range(5):\n    x = Value(float(i + 1))\n    xs.append(x)\nz = sum(xs) * 0.0\n"
    )
    file.write_text(program)
    variables = {}
    with am.provenance():
        exec(compile(program, str(file), "exec"), variables)
    assert "Gradient of w = 0.0" in str(explain(variables["y"]))
    assert "Gradients of 5 inputs, each = 0.0" in str(explain(variables["z"]))


def test_ten_equal_factors_are_ten_causes():
    """No single factor is blamed if only their product is small."""
    (finding,) = explained(lambda x: chain(x, 10, am.sigmoid), 0.5)
    assert (finding.kind, finding.cause) == ("vanishing", "product of many factors")
    assert "It is a product of 10 factors; 10 of about 0.23 each make it small." in finding.message
    assert "alone" not in str(finding)
    assert "saturated" not in str(finding)


def test_equal_factors_are_listed_once():
    """With how many there are, without places and with them; the others follow."""
    (finding,) = explain(chain(Value(0.5, name="x"), 100, am.sigmoid))
    most, *others = finding.message.partition("The smallest: ")[2].rstrip(".").split("; ")
    times = sum(step.text == finding.steps[0].text for step in finding.steps)
    assert most.startswith("0.224704 by sigmoid(0.659046) = 0.659046, ")
    assert 70 < int(most.split(", ")[1].removesuffix(" times")) <= times
    assert len({most, *others}) == len(others) + 1 == 3
    (finding,) = explained(lambda x: chain(x, 100, am.sigmoid), 0.5)
    assert finding.message.count("0.224704 by") == 1
    assert " times." in finding.message
    (finding,) = explain(Value(1.0, name="x") * 1e-4 * 1e-5)
    assert "times" not in finding.message


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        (lambda x: x * 1e-8, "small factor"),  # small by itself
        (lambda x: chain(x * 1e-5, 3, lambda v: v * 0.4), "small factor"),  # most of the product
        (lambda x: chain(x * 1e-20, 30, lambda v: v * 0.5), "small factor"),
        (lambda x: x * 1e-4 * 1e-4, "product of many factors"),
        (lambda x: chain(x * 1e-3, 20, lambda v: v * 0.5), "product of many factors"),
        (lambda x: x * 1e4 * 1e4, "product of many factors"),
        (lambda x: chain(x * 1e8, 3, lambda v: v * 2.0), "large factor"),
        (lambda x: am.sigmoid(x * 20.0 + 20.0), "saturated"),
    ],
)
def test_one_factor_is_the_cause_where_it_outweighs_the_others(function, cause):
    """The sizes of factors are compared in logarithms."""
    (finding,) = explained(function, 0.5)
    assert finding.cause == cause


def test_a_number_that_is_not_finite_is_explained_where_the_gradient_is_fine():
    """A value of -inf is explained although the gradient asked about is a plain 1."""
    with am.provenance():
        x = Value(0.0, name="x")
        y = am.log(x)
    text = str(explain(y, y))
    assert "Nothing is wrong" not in text
    assert "log(0) is -inf" in text


def test_a_result_that_is_not_finite_is_traced_to_the_first_such_number():
    """Where no gradient is at fault, too; and something is wrong then."""
    with am.provenance():
        explanations = explain(Value(nan, name="x") * 2.0), explain(am.log(Value(0.0, name="x")) * 0.0 + 1.0, [])
    for explanation, words in zip(
        explanations,
        ("The input x = nan goes into nan * 2 = nan (test_explanation.py:", "log(0) is -inf (test_explanation.py:"),
        strict=True,
    ):
        assert explanation
        assert len(explanation) == 0
        assert words in str(explanation)
        assert "Nothing is wrong" not in str(explanation)
    assert "The input x = nan is where it begins." in str(explain(lambda x: x, nan))


def test_what_was_computed_without_a_graph_says_so():
    """As `backward()` does: of the output itself, of what is computed from it alone, of a Value that it hides."""
    x = Value(3.0, name="x")
    with am.no_grad():
        y = x * 2.0
    recorded = "was made inside no_grad() or by detach(): nothing is recorded behind it"
    with pytest.raises(am.ArgumentError) as raised:
        y.backward()
    assert recorded in str(raised.value)
    for root, by in ((y, None), (x.detach(), None), (y * 2.0, None), (y, x), (y + Value(1.0), x), (y, y)):
        explanation = explain(root, by=by)
        assert recorded in str(explanation)
        assert "Nothing is wrong" not in str(explanation)
        assert explanation
    assert not explain(y * x)
    assert "Did you use .data" in str(explain(Value(1.0) * 2.0, x))


def test_variables_name_what_is_explained():
    """Without provenance too: those of the program, as in all windows; never the name of a parameter of ours."""
    weights = [Value(1.0), Value(-2.0)]
    hidden = weights[0] * weights[1]
    text = str(explain(am.relu(hidden), [*weights, hidden]))
    assert "Gradient of weights[0] = 0.0" in text
    assert "Gradient of hidden = 0.0" in text
    assert "by[" not in text
