"""`check_derivative`: what it accepts, what its report says, where it points."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autograd_mini as am
from autograd_mini.check.tasks import task_named, task_of
from autograd_mini.check.verdicts import Verdict, worst


def test_the_users_line_is_shown():
    """The report names file and line of the derivative, and the formula that would be right."""

    def my_tanh_derivative(x):
        t = math.tanh(x)
        return 1 / t - t

    report = am.check_derivative("tanh", my_tanh_derivative, at=[0.5, 2.0])
    assert "test_handwritten.py" in report.place
    assert report.place.endswith("return 1 / t - t")
    assert "1 - a*a, with a = tanh(x)" in str(report)
    assert report.place in str(report)


def test_a_failure_in_pytest_shows_the_report():
    """`assert_ok` raises an AssertionError with the whole report, and returns nothing where all is right."""
    with pytest.raises(AssertionError) as raised:
        am.check_derivative("sigmoid", lambda x: x * (1 - x)).assert_ok()
    assert "right if you pass the output" in str(raised.value)
    assert am.check_derivative("sin", math.cos).assert_ok() is None


@pytest.mark.parametrize(
    ("f", "df", "at"),
    [
        ("tanh", lambda x: 1 / math.cosh(x) ** 2, None),
        ("tanh", lambda x: 1 / math.cosh(x) ** 2, 0.5),
        ("tanh", lambda x: 1 / math.cosh(x) ** 2, [0.5, 20.0]),
        (am.tanh, lambda x: 1 / math.cosh(x) ** 2, (0.5,)),
        (math.sin, math.cos, None),
        (lambda x: x * x, lambda x: 2 * x, [1e9, 1e-9]),
        (lambda xs: xs[0] * xs[1], lambda xs: [xs[1], xs[0]], [1.0, 2.0]),
        (lambda xs: xs[0] * xs[1], lambda xs: [xs[1], xs[0]], [[1.0, 2.0], [3.0, 4.0]]),
        ("cross_entropy", lambda z, t: [a - b for a, b in zip(am.softmax(z), t, strict=True)], None),
        ("mse", lambda y, t: [2 * (a - b) / len(y) for a, b in zip(y, t, strict=True)], ([1.0, 2.0], [0.5, 3.0])),
        ("softmax", lambda z: [[a * ((i == j) - b) for j, b in enumerate(am.softmax(z))]
                               for i, a in enumerate(am.softmax(z))], [1.0, 2.0]),
        (lambda p: p["w"] * p["x"], lambda p: {"w": p["x"], "x": p["w"]}, {"w": 2.0, "x": 3.0}),
        ("atan2", lambda y, x: x / (x * x + y * y), None),
    ],
)  # fmt: skip
def test_right_derivatives(f, df, at):
    """Functions by name or as callables, points of every shape."""
    report = am.check_derivative(f, df, at=at)
    assert report.ok, report
    assert all(mistake.is_right for mistake in report.mistakes)


def test_argument():
    """`argument` says what the derivative takes; "auto" judges it as a function of the input."""
    by_output = lambda a: 1 - a * a  # noqa: E731
    assert am.check_derivative("tanh", by_output, argument="output").ok
    assert not am.check_derivative("tanh", by_output).ok
    assert not am.check_derivative("tanh", by_output, argument="input").ok


@pytest.mark.parametrize(("name", "df", "text"), [
    ("tanh", lambda t: 1 / t - t, "1/a - a"),
    ("sigmoid", lambda a: 1 - a, "1 - a"),
    ("cross_entropy", lambda a, t: [one - p for p, one in zip(a, t, strict=True)], "sign"),
])  # fmt: skip
def test_a_mistake_in_terms_of_the_output_is_named(name, df, text):
    """A derivative that takes the output, and is wrong even then, has its mistake named too."""
    report = am.check_derivative(name, df)
    assert not report.ok
    assert text in report.mistakes[0].sentence


@pytest.mark.parametrize("factor", [1 + 2e-8, 1 - 2e-8])
def test_what_gives_the_right_numbers_explains_nothing(factor):
    """A derivative that is wrong in the eighth digit is wrong, and no mistake that gives the right one is named."""
    report = am.check_derivative("tanh", lambda x: factor / math.cosh(min(abs(x), 300.0)) ** 2)
    assert not report.ok
    assert not report.mistakes


def test_an_exception_is_no_answer():
    """An overflow in the derivative is reported, not raised."""
    report = am.check_derivative("sigmoid", lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2, at=[0.5, -800.0])
    assert report.verdict == "FAIL"
    assert report.mistakes[0].name == "overflow"
    assert "OverflowError" in str(report)


def test_a_single_point_lists_every_number():
    """At one point, each number of a gradient has its finding."""
    report = am.check_derivative(lambda xs: xs[0] * xs[1], lambda xs: [xs[1], -xs[0]], at=[1.0, 2.0])
    assert [finding.verdict for finding in report.findings] == ["PASS", "FAIL"]


def test_the_shape_is_wrong():
    """A list of the wrong length is FAIL, with both lengths."""
    report = am.check_derivative("softmax", lambda z: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert report.verdict == "FAIL"
    assert "There are 7 numbers where 9 belong" in str(report)


@pytest.mark.parametrize("df", [lambda x, y: (y, x), lambda x, y: [y, x], lambda x, y: {"x": y, "y": x}])
def test_a_gradient_by_all_arguments(df):
    """A gradient by all arguments is FAIL: the derivative by the first one belongs there."""
    report = am.check_derivative(lambda x, y: x * y, df, at=[(1.0, 2.0), (3.0, -1.0)])
    assert report.verdict == "FAIL"
    assert "Return the derivative by the first argument alone: a number." in str(report)
    assert am.check_derivative(lambda x, y: x * y, lambda x, y: y, at=[(1.0, 2.0), (3.0, -1.0)])


def test_a_wrong_rule_is_no_truth(new_primitives):
    """If f uses a primitive of yours, differences say what is right: its rule may be wrong itself."""
    wrong = am.primitive("halved", lambda x: x * x, lambda y, x: (x,), check=False)
    assert am.check_derivative(lambda x: wrong(x) + x, lambda x: x + 1, at=[1.0, 2.0]).verdict == "FAIL"
    assert am.check_derivative(lambda x: wrong(x) + x, lambda x: 2 * x + 1, at=[1.0, 2.0]).verdict == "PASS"


def test_points_that_look_alike():
    """NumPy prints few digits of an array; points that differ beyond these are still different points."""
    first = np.array([0.1234567890123, 1.0])
    second = first + 1e-10
    report = am.check_derivative(lambda x: (x * x).sum() * 1e9, lambda x: 2e9 * x, at=[(first,), (second,)])
    assert report.verdict == "PASS"


def test_state_between_calls():
    """A right derivative that counts its calls is FAIL: it does not answer the same twice."""
    calls = []

    def df(x):
        calls.append(x)
        return math.cos(x) * (1 if len(calls) <= 26 else 2)

    report = am.check_derivative("sin", df)
    assert [mistake.name for mistake in report.mistakes] == ["state"]
    assert not report.ok


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: am.check_derivative("tanhh", math.cos), "Did you mean 'tanh'?"),
        (lambda: am.check_derivative("tanh", 3.0), "got 3.0 as the derivative"),
        (lambda: am.check_derivative(3.0, math.cos), "got 3.0 as the function"),
        (lambda: am.check_derivative("tanh", lambda x: None), "look for a forgotten return"),
        (lambda: am.check_derivative("tanh", math.cos, argument="x"), "argument = 'x'"),
        (lambda: am.check_derivative("tanh", math.cos, at="a"), "tanh cannot be called at 'a'"),
        (lambda: am.check_derivative("softmax", math.cos), "raised TypeError"),
        (lambda: am.check_derivative(lambda x: x["w"], math.cos), "Pass points: at=[...]"),
    ],
)
def test_bad_input(call, what):
    """Errors say what is wrong and what to do."""
    with pytest.raises(am.AutogradError) as raised:
        call()
    assert what in str(raised.value)


def test_points_expose_errors():
    """Tails, kinks, signed zeros, ties, huge and equal logits, and the ends of the domain are among the points."""
    numbers = [x for (x,) in task_named("tanh").points]
    assert {20.0, -20.0, 1.0, -1.0} <= set(numbers)
    assert {math.copysign(1.0, x) for x in numbers if x == 0.0} == {1.0, -1.0}
    logits = [tuple(z) for (z,) in task_named("softmax").points]
    assert any(max(z) < 0.0 for z in logits)
    assert any(max(z) > 999.0 for z in logits)
    assert any(len(set(z)) == 1 for z in logits)
    assert any(0.999 < x < 1.0 for (x,) in task_named("asin").points)
    assert task_of(math.log).points[0] == (0.5,)


def test_what_differences_cannot_tell_is_noise():
    """If the right number comes from differences that show nothing, no answer counts as right."""
    report = am.check_derivative(math.sin, lambda x: 0.25, at=1e16)
    assert report.verdict == "NOISE"
    assert not report.ok
    assert am.check_derivative(math.tanh, lambda x: 1 - math.tanh(x) ** 2, at=[0.5, 40.0]).verdict == "NOISE"


def test_the_worst_verdict_counts():
    """The verdict of a report is the worst of its findings."""
    assert worst([]) == "PASS"
    assert worst([Verdict.PASS, Verdict.NOISE, Verdict.KINK]) == "NOISE"
    assert worst([Verdict.DOMAIN, Verdict.FAIL]) == "FAIL"
