"""What programs print is read in every form in which people print it, and never guessed."""

from __future__ import annotations

import json
import math
import struct

import pytest

import autograd_mini as am
from autograd_mini.check import vectors
from autograd_mini.check.answers import Answers, read
from autograd_mini.check.foreign import RIGHT as IS_RIGHT
from autograd_mini.check.foreign import WRONG, judge
from autograd_mini.check.tasks import TASK_NAMES, task_named
from tests.effort import effort

TANH, SOFTMAX, ENTROPY = map(task_named, ("tanh", "softmax", "cross_entropy"))
XS = [0.5, -1.0, 3.0]
RIGHT = [(x, math.tanh(x), am.grad(am.tanh)(x)) for x in XS]
X, V, D = zip(*RIGHT, strict=True)


def lines(*columns, between=" "):
    return "\n".join(between.join(map(repr, row)) for row in zip(*columns, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        lines(X, V, D),
        lines(X, V, D, between=", "),
        "x,tanh,dtanh\n" + lines(X, V, D, between=","),
        "input;value;derivative\n" + lines(X, V, D, between=";"),
        "input;value;derivative\n" + lines(X, V, D, between=";").replace(".", ","),
        "derivative\tx\tvalue\n" + lines(D, X, V, between="\t"),
        "# x  y  dy\n" + lines(X, V, D),
        "\ufeffx,y,tanh'\r\n\r\n" + lines(X, V, D, between=",").replace("\n", "\r\n") + "\r\n",
        "\n".join(f"input {x} value {v} gradient: {d}" for x, v, d in RIGHT),
        "\n".join(f"x = {x}, y = {v}, dy/dx = {d}" for x, v, d in RIGHT),
        "\n".join(str([x, v, d]) for x, v, d in RIGHT),
        json.dumps([{"input": x, "value": v, "derivative": d} for x, v, d in RIGHT]),
        json.dumps([{"task": "relu", "input": 1, "value": 7}, *({"x": x, "y": v, "slope": d} for x, v, d in RIGHT)]),
        "task,input,value,derivative\nrelu,1,1,1\n" + "\n".join(f"tanh,{x},{v},{d}" for x, v, d in RIGHT),
        lines(X, V, D).replace("-", "−"),
    ],
)  # fmt: skip
def test_every_form_says_the_same(text):
    """Columns with and without names in any order, labels, JSON, decimal commas, a minus sign from a text processor."""
    found = read(text, TANH)
    assert found.points == [(x,) for x in X]
    assert (found.value, found.derivative) == ([*V], [*D])


def test_results_alone_are_in_the_order_of_the_vectors():
    """Values or derivatives, one a line or all on one line, are told apart by what they agree with."""
    for quantity in ("value", "derivative"):
        right = [getattr(TANH, quantity)(point) for point in TANH.points]
        for text in ("\n".join(map(repr, right)), " ".join(map(repr, right)), json.dumps(right)):
            found = read(text, TANH)
            assert getattr(found, quantity) == right
            assert found.points == [*TANH.points]
            assert found.of("derivative" if quantity == "value" else "value") == {}


def test_a_wrong_column_is_told_by_its_mistake():
    """Numbers that agree with nothing are what a known mistake makes of them."""
    wrong = "\n".join(f"{point[0]!r} {-TANH.derivative(point)!r}" for point in TANH.points)
    found = read(wrong, TANH)
    assert found.derivative == [-TANH.derivative(point) for point in TANH.points]
    assert found.of("value") == {}


def test_lists_and_matrices():
    """Softmax of any number of logits: the row tells how many there are; a target comes after the logits."""
    z, a = [2.0, 1.0, 0.1], am.softmax([2.0, 1.0, 0.1])
    jacobian = am.jacobian(am.softmax)(z)
    flat = [x for row in jacobian for x in row]
    rows = [[*z, *a, *flat], [*z, *a], [*z, *flat]]
    for row in rows:
        found = read("\n".join([" ".join(map(repr, row))] * 2), SOFTMAX)
        assert found.points == [(z,)] * 2
        assert found.value == [a if len(row) != 12 else None] * 2
        assert found.derivative == [jacobian if len(row) != 6 else None] * 2
    found = read(f"input {z} {[1, 0, 0]} value 7", ENTROPY)
    assert (found.points, found.value) == ([(z, [1.0, 0.0, 0.0])], [7.0])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There are no numbers for tanh in what was given."),
        ("task,value\nrelu,1", "There are no numbers for tanh in what was given."),
        ("hello 1", "Line 1 cannot be read: 'hello 1'. Before numbers, only names may stand"),
        ("0.5 3\n1 7", "It cannot be told whether the numbers are input and value or input and derivative of tanh"),
        ("1\n2\n3", "It cannot be told whether the numbers are anything of tanh, which has 26 vectors."),
        ("x,y\n1,2\n3", "Line 3 has 1 column, and 2 are named."),
        ("x,y\n1,two", "Line 2 has 'two' where a number should be."),
        ("value 1\n2 3", "Line 2 does not say what its numbers are, but others do."),
        ("input 1 value 2 3", "Line 1 has 2 numbers as the value of tanh, and at (1.0,) there should be 1."),
        ("input 1 2 value 2", "Line 1 is about no input"),
        ("value 1\n" * 27, "Line 27 is about no input: tanh has 26 vectors."),
        ("[1, 2", "It cannot be told"),
        ('{"input": "one"}', "Line 1 has 'one' where a number should be."),
    ],
)
def test_what_cannot_be_told_is_an_error(text, sentence):
    """It names the line, and says how to write it."""
    with pytest.raises(am.DataError) as raised:
        read(text, TANH)
    assert sentence in str(raised.value)


@pytest.mark.parametrize("name", TASK_NAMES[:: effort(5, 1)])
def test_every_function_in_every_form(name):
    """The right answers of the package are read as right, with inputs and without, for numbers, lists and targets."""
    task = task_named(name)
    answers = [(point, task.value(point), task.derivative(point)) for point in task.points]
    forms = [vectors.written([task], "csv"), "\n".join(map(vectors.line, answers))]
    forms.append("\n".join(vectors.line(answer[1:]) for answer in answers))
    for text in forms:
        found = judge(task, read(text, task))
        assert found.status == IS_RIGHT, str(found)
        assert [*found.reports] == ["value", "derivative"]


@pytest.mark.parametrize("spec", [".4f", ".10f", ".6g", ".3e", ".12g"])
def test_few_digits_are_compared_as_far_as_they_go(spec):
    """A number is right if it agrees in all printed digits; if it is off by more, however little, it is wrong."""
    right = [(x, math.tanh(x)) for (x,) in TANH.points]

    def judged(change):
        text = "\n".join(f"input {x!r} value {v + change * (k == 4):{spec}}" for k, (x, v) in enumerate(right))
        return judge(TANH, read(text, TANH))

    found = judged(0.0)
    assert found.status == IS_RIGHT, str(found)
    assert ("too few digits were printed to tell" in str(found)) == (spec == ".4f")
    assert found.answers.unclear < 5
    unit = 10.0 ** {".4f": -4, ".10f": -10, ".6g": -6, ".3e": -3, ".12g": -12}[spec]
    assert judged(max(2.0 * unit, 3e-9)).status == WRONG, str(judged(max(2.0 * unit, 3e-9)))


def test_single_precision():
    """What a float prints in Java or C is right in single precision; more wrong than that is wrong."""
    for spec, factor, status in ((".9g", 1.0, IS_RIGHT), (".8g", 1.0, IS_RIGHT), (".9g", 1.0 + 1e-5, WRONG)):
        singles = [struct.unpack("f", struct.pack("f", factor * TANH.value(point)))[0] for point in TANH.points]
        found = judge(TANH, read("\n".join(f"value {x:{spec}}" for x in singles), TANH))
        assert found.status == status, str(found)


def test_a_mistake_is_named_in_few_digits_too():
    """The sign is flipped, in whatever precision it is printed."""
    for spec in (".4f", ".6g", ".9g", "r"):
        wrong = [-TANH.derivative(point) for point in TANH.points]
        text = "\n".join(f"derivative {x!r}" if spec == "r" else f"derivative {x:{spec}}" for x in wrong)
        assert "The sign is flipped." in str(judge(TANH, read(text, TANH)))


def test_numbers_that_look_rounded_may_be_exact():
    """A program that prints all digits somewhere prints 0.5 where it means it; integers are not rounded numbers."""
    sigmoid = task_named("sigmoid")
    assert read("input 0.1 value 0.5\ninput 0.3 value 0.574442516811659", sigmoid).value == [0.5, 0.574442516811659]
    truncated = read("\n".join(f"input {x!r} value {int(sigmoid.value((x,)))}" for (x,) in sigmoid.points), sigmoid)
    assert truncated.value == [float(int(sigmoid.value(point))) for point in sigmoid.points]


def test_errors_and_changed_arguments():
    """A program can say that it failed, and what its argument is after the call."""
    found = read("value 1 2 3 argument 4 5 6 derivative 1 2 3 4 5 6 7 8 9 argument 7 8 9\nerror: no, 3 is odd", SOFTMAX)
    assert found.argument == [[7.0, 8.0, 9.0], None]
    assert found.errors == ["", "no, 3 is odd"]
    assert isinstance(found, Answers)
