"""The table of stable forms: both sides of a row agree where neither is in trouble; every spelling is recognised."""

from __future__ import annotations

import inspect
import math

import pytest

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.explanation.stable import FORMS, NOTHING, _forms, _matches, advise
from tests.effort import effort

WRITTEN = [row[0] for row in FORMS]


def arguments(function, numbers=(0.7, 1.3, 0.4)):
    """Leaves for x and y; x is the second of the list xs."""
    leaves = [Value(number) for number in numbers]
    given = {"x": leaves[1], "y": leaves[2], "xs": leaves}
    return leaves, [given[name] for name in inspect.signature(function).parameters]


@pytest.mark.parametrize(("written", "bad", "stable", "good"), FORMS, ids=WRITTEN)
def test_both_sides_agree(written, bad, stable, good):
    """The same value and the same gradients at ordinary numbers."""
    sides = []
    for function in (bad, good):
        leaves, given = arguments(bad)
        y = function(*given)
        y.backward()
        sides.append([y.data, *(leaf.grad for leaf in leaves)])
    assert sides[0] == pytest.approx(sides[1], rel=1e-12)


@pytest.mark.parametrize("index", range(len(FORMS)), ids=WRITTEN)
def test_a_form_matches_itself(index):
    """Recorded with other numbers, in a scope of the user's, with provenance or not."""
    form = _forms()[index]
    _, given = arguments(form.bad)
    with am.scope("model"):
        root = form.bad(*given)
    assert any(_matches(form.root, root, form, NOTHING))
    with am.provenance():
        assert any(_matches(form.root, form.bad(*given), form, NOTHING))
    assert not any(_matches(form.root, am.sin(given[0]) if type(given[0]) is Value else given[0][0], form, NOTHING))


def matching(root):
    """The forms that end at a node, as they are written in the table."""
    return {form.written for form in _forms() if any(_matches(form.root, root, form, NOTHING))}


@pytest.mark.parametrize(
    ("compute", "written"),
    [
        (lambda x: (x**2) ** 0.5, "sqrt(x * x)"),
        (lambda x: am.sqrt(x * x), "sqrt(x * x)"),
        (lambda x: 1 / (am.exp(0 - x) + 1), "1 / (1 + exp(-x))"),
        (lambda x: 1 / (1 + am.exp(-1 * x)), "1 / (1 + exp(-x))"),
        (lambda x: (1 + math.e ** (x * -1)) ** -1, "1 / (1 + exp(-x))"),
        (lambda x: am.log(am.sum([1.0, am.exp(x)])), "log(1 + exp(x))"),
        (lambda x: -1 + am.exp(x), "exp(x) - 1"),
        (lambda x: am.exp(x) + -1.0, "exp(x) - 1"),
        (lambda x: am.log(x) * x, "x * log(x)"),
        (lambda x: 0 - am.log(am.softmax([x, 1.0])[0]), "-log(softmax(z)[t])"),
        (lambda x: -1.0 * am.log(am.softmax([x, 1.0])[1]), "-log(softmax(z)[t])"),
        (lambda x: (am.exp(x) - am.exp(-x)) / (am.exp(-x) + am.exp(x)), "(exp(x) - exp(-x)) / (exp(x) + exp(-x))"),
        (lambda x: am.log(sum([am.exp(x), am.exp(x * 2.0), am.exp(x * 3.0)])), "log(sum(exp(z)))"),
        (lambda x: -am.sigmoid(x) + 1, "1 - sigmoid(x)"),
        (lambda x: am.sigmoid(x), None),
        (lambda x: am.tanh(x), None),
        (lambda x: am.softplus(x), None),
        (lambda x: 2 / (1 + am.exp(-x)), None),
        (lambda x: 1 / (2 + am.exp(-x)), None),
        (lambda x: 1 / (1 - am.exp(-x)), None),
        (lambda x: am.sqrt(x * x + 1.0), None),
        (lambda x: am.sqrt(x * x - x * x), None),
        (lambda x: am.sqrt(x * (x + 0.0)), None),
        (lambda x: am.log(2.0 + am.exp(x)), None),
        (lambda x: am.log(am.exp(x)), None),
        (lambda x: (am.exp(x) + am.exp(-x)) / (am.exp(x) - am.exp(-x)), None),
    ],
)
def test_spellings(compute, written):
    """All spellings of a form match; forms that only look like one do not."""
    found = matching(compute(Value(0.5)))
    assert written in found if written else not found


def test_softmax_needs_its_own_numerator():
    """exp(x) / sum(exp(z)) is a softmax only if x is one of the z."""
    x, a, b = Value(800.0), Value(900.0), Value(1.0)
    for top, expected in ((a, "Write softmax(z)[i] instead of exp(z[i]) / sum(exp(z))."), (x, None)):
        exps = [am.exp(z) for z in (a, b)]
        root = am.exp(top) / sum(exps)
        assert advise([root], {root}) == expected


def test_long_and_shared_sums():
    """The search gives up in time on a sum of very many terms, and on one of 2**60 paths."""
    x = Value(1.0)
    y = z = x
    for _ in range(effort(20_000, 100_000)):
        y = y + am.exp(x)
    for _ in range(60):
        z = z + z
    for root in (am.log(y), am.sqrt(z), am.exp(x) / y, 1.0 - z):
        assert matching(root) == set()
    assert matching(am.log(am.sum([am.exp(x)] * 5000))) == {"log(sum(exp(z)))"}
