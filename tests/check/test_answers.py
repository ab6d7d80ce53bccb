"""What programs print is read in every form in which people print it, and never guessed."""

from __future__ import annotations

import io
import json
import math
import struct
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import autograd_mini as am
from autograd_mini.check.foreign import vectors
from autograd_mini.check.foreign.answers import Answers, Source, read
from autograd_mini.check.foreign.programs import Limits
from autograd_mini.check.tasks import TASK_NAMES, task_named
from autograd_mini.check.verdicts import RIGHT, UNKNOWN, WRONG
from autograd_mini.cli import main
from tests.effort import effort

TANH, SOFTMAX, ENTROPY = map(task_named, ("tanh", "softmax", "cross_entropy"))
XS = [0.5, -1.0, 3.0]
ROWS = [(x, math.tanh(x), am.grad(am.tanh)(x)) for x in XS]
X, V, D = zip(*ROWS, strict=True)


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
        "\n".join(f"input {x} value {v} gradient: {d}" for x, v, d in ROWS),
        "\n".join(f"x = {x}, y = {v}, dy/dx = {d}" for x, v, d in ROWS),
        "\n".join(str([x, v, d]) for x, v, d in ROWS),
        "\n".join(json.dumps({"input": x, "value": v, "derivative": d}) for x, v, d in ROWS),
        json.dumps([{"input": x, "value": v, "derivative": d} for x, v, d in ROWS], indent=1),
        json.dumps([{"task": "relu", "input": 1, "value": 7}, *({"x": x, "y": v, "slope": d} for x, v, d in ROWS)]),
        "task,input,value,derivative\nrelu,1,1,1\n" + "\n".join(f"tanh,{x},{v},{d}" for x, v, d in ROWS),
        lines(X, V, D).replace("-", "−"),
        "task relu input 1 value 1\n" + "\n".join(f"task: tanh {x} {v} {d}" for x, v, d in ROWS),
    ],
)  # fmt: skip
def test_every_form_says_the_same(text):
    """Columns with and without names in any order, labels, JSON, decimal commas, a minus sign from a text processor."""
    found = read(text, TANH)
    assert found.points == [(x,) for x in X]
    assert (found.value, found.derivative) == ([*V], [*D])


def test_results_alone_are_in_the_order_of_the_vectors():
    """Values or derivatives, one per line or all on one line, are told apart by what they agree with."""
    for quantity in ("value", "derivative"):
        right = [getattr(TANH, quantity)(point) for point in TANH.points]
        for text in ("\n".join(map(repr, right)), " ".join(map(repr, right)), json.dumps(right)):
            found = read(text, TANH)
            assert f"The numbers have no names; they were read as {quantity}." in str(found)
            assert getattr(found, quantity) == right
            assert found.points == [*TANH.points]
            assert found.of("derivative" if quantity == "value" else "value") == {}


def test_a_wrong_column_is_told_by_its_mistake():
    """A column that agrees with nothing is recognised by the known mistake that explains it."""
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
        ("0.5 3\n1 7", "Cannot tell whether the numbers are input and value or input and derivative of tanh"),
        ("1\n2\n3", "Cannot tell whether the numbers are anything of tanh, which has 26 vectors."),
        ("x,y\n1,2\n3", "Line 3 has 1 column, and 2 are named."),
        ("x,y\n1,two", "Line 2 has 'two' where a number should be."),
        ("value 1\n2 3", "Line 2 does not say what its numbers are, but others do."),
        ("input 1 value 2 3", "Line 1 has 2 numbers as the value of tanh, and at (1.0,) there should be 1."),
        ("input 1 2 value 2", "Line 1 is about no input"),
        ("value 1\n" * 27, "Line 27 is about no input: tanh has 26 vectors."),
        ("[1, 2", "Cannot tell"),
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
    forms = [vectors.written([task], "csv"), "\n".join(map(vectors.one_line, answers))]
    forms.append("\n".join(vectors.one_line(answer[1:]) for answer in answers))
    for text in forms:
        found = read(text, task)
        assert found.status == RIGHT, str(found)
        assert [*found.reports] == ["value", "derivative"]


@pytest.mark.parametrize("spec", [".4f", ".10f", ".6g", ".3e", ".12g"])
def test_few_digits_are_compared_as_far_as_they_go(spec):
    """A number is right if it agrees in all printed digits; if it is off by more, however little, it is wrong."""
    right = [(x, math.tanh(x)) for (x,) in TANH.points]

    def judged(change):
        text = "\n".join(f"input {x!r} value {v + change * (k == 4):{spec}}" for k, (x, v) in enumerate(right))
        return read(text, TANH)

    found = judged(0.0)
    assert found.status == RIGHT, str(found)
    assert ("too few digits were printed to tell" in str(found)) == (spec == ".4f")
    assert found.unclear < 5
    unit = 10.0 ** {".4f": -4, ".10f": -10, ".6g": -6, ".3e": -3, ".12g": -12}[spec]
    assert judged(max(2.0 * unit, 3e-9)).status == WRONG, str(judged(max(2.0 * unit, 3e-9)))


def test_single_precision():
    """What a float prints in Java or C is right in single precision; more wrong than that is wrong."""
    for spec, factor, status in ((".9g", 1.0, RIGHT), (".8g", 1.0, RIGHT), (".9g", 1.0 + 1e-5, WRONG)):
        singles = [struct.unpack("f", struct.pack("f", factor * TANH.value(point)))[0] for point in TANH.points]
        found = read("\n".join(f"value {x:{spec}}" for x in singles), TANH)
        assert found.status == status, str(found)


@pytest.mark.parametrize("spec", [".6f", "g", ".4f", ".7g", ".9g", "e"])
def test_single_precision_printed_with_few_digits(spec):
    """A float of C with the default %f or %g: both roundings together are tolerated, and no larger error is."""

    def rounded(x):
        return struct.unpack("f", struct.pack("f", x))[0]

    def judged(error):
        rows = []
        for (x,) in TANH.points:
            t = rounded(math.tanh(x))
            d = rounded(1.0 - rounded(t * t))  # large relative errors in the tails
            rows.append(f"input {x!r} value {t * (1.0 + error):{spec}} derivative {d * (1.0 + error):{spec}}")
        return read("\n".join(rows), TANH)

    assert judged(0.0).status == RIGHT, str(judged(0.0))
    assert judged(1e-3 if spec == ".4f" else 1e-5).status == WRONG


def test_large_numbers_in_single_precision_and_fixed_decimals():
    """C prints 485165184.000000 for a float: these digits are right in single precision and wrong in double."""
    sinh = task_named("sinh")
    points = [x for (x,) in sinh.points if abs(x) < 60.0]
    for factor, is_single, status in ((1.0, True, RIGHT), (1.0 + 2e-8, False, WRONG), (1.0 + 1e-5, True, WRONG)):
        numbers = [math.sinh(x) * factor for x in points]
        numbers = [struct.unpack("f", struct.pack("f", x))[0] if is_single else x for x in numbers]
        text = "\n".join(f"input {x!r} value {y:.6f}" for x, y in zip(points, numbers, strict=True))
        assert read(text, sinh).status == status, str(read(text, sinh))


def test_a_mistake_is_named_in_few_digits_too():
    """The sign is flipped, in whatever precision it is printed."""
    for spec in (".4f", ".6g", ".9g", "r"):
        wrong = [-TANH.derivative(point) for point in TANH.points]
        text = "\n".join(f"derivative {x!r}" if spec == "r" else f"derivative {x:{spec}}" for x in wrong)
        assert "The sign is flipped." in str(read(text, TANH))


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
    assert read('[{"input": 1, "error": "not a number"}]', TANH).errors == ["not a number"]
    assert isinstance(found, Answers)


# -- programs that answer ----------------------------------------------------------------------------------------------


def test_ten_lines_in_every_language(programs, tmp_path, capsys, monkeypatch):
    """The programs of the README answer for tanh, and are right but for the digits in the tails."""
    monkeypatch.chdir(tmp_path)
    assert main(["check", "tanh", "--run", programs[0]]) == RIGHT
    said = capsys.readouterr().out
    assert "tanh: value at 26 points: PASS" in said
    assert "tanh: derivative at 26 points: PASS" in said
    assert "loses digits" in said


def judged(program, task="tanh"):
    return Source(None, [sys.executable, "-c", program], Limits(1.0, output=1)).answers(task_named(task))


KILL = "    if i == 3: import os; os.abort()"
STAY = "    if i == 3: import time; time.sleep(60)"
ECHO = "import sys, math, time\nfor i, line in enumerate(sys.stdin):\n    x = float(line)\n    t = math.tanh(x)\n"


CASES = [
    (ECHO + "    print(t, 1 - t * t)", RIGHT, "tanh: derivative at 26 points: PASS"),
    (ECHO + "    print(t)", RIGHT, "No derivatives were given."),
    (ECHO + "    print(t, 1/t - t if t else math.inf)", WRONG, "It is 1/a - a"),
    (ECHO + "    print('value', t, flush=True)\n" + KILL, UNKNOWN,
     "It crashed with SIGABRT. It had answered 4 of 26 inputs; the next was 2.0."),
    (ECHO + "    print('value', t if i < 3 else 0.5, end='\\n'[i > 2:], flush=True)\n" + KILL, UNKNOWN,
     "It crashed with SIGABRT. It had answered 3 of 26 inputs; the next was -1.0."),
    (ECHO + "    print('value', -t, flush=True)\n" + KILL, WRONG, "The sign is flipped."),
    (ECHO + "    print('value', t, flush=True)\n" + STAY, UNKNOWN,
     "It did not end within 1 s and was stopped. It had answered 4 of 26 inputs; the next was 2.0."),
    ("import time; time.sleep(60)", UNKNOWN, "It had answered 0 of 26 inputs; the next was 0.5."),
    ("while True: print(1.0)", UNKNOWN, "and was stopped."),
    ("print('Hello')\n" + ECHO + "    print(t)", UNKNOWN, "It printed 27 lines for 26 inputs"),
    (ECHO + "    print('tanh is', t)", UNKNOWN, "Line 1 cannot be read: 'tanh is 0.46"),
    (ECHO + "    print('error: no', i) if i > 20 else print('value', t)", WRONG, "an error, no answer: no 21"),
    ("1/0", UNKNOWN, "It ended with exit status 1. It had answered 0 of 26 inputs; the next was 0.5. "
     "Its error output ends with: ZeroDivisionError: division by zero"),
    ("", UNKNOWN, "It ended. It had answered 0 of 26 inputs"),
    (ECHO + "    print('value', t, flush=True)\ntime.sleep(60)", RIGHT, "tanh: value at 26 points: PASS"),
]  # fmt: skip


@pytest.fixture(scope="module")
def judgements():
    """The answer about each program; programs that wait do so at the same time."""
    with ThreadPoolExecutor(4) as pool:
        return [*pool.map(judged, [program for program, _, _ in CASES])]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_program_that_answers(case, judgements):
    """Right, wrong, or one clear sentence: crashes, hangs, floods, garbage; complete answers count all the same."""
    _, status, sentence = CASES[case]
    assert sentence in str(judgements[case])
    assert judgements[case].status == status


def test_a_function_that_overwrites_its_argument():
    """The program prints the argument after the call; the sentence says what it was before and is after."""
    program = (
        "import sys, math\nfor line in sys.stdin:\n    z = [float(x) for x in line.split()]\n    m = max(z)\n"
        "    for i in range(len(z)): z[i] = math.exp(z[i] - m)\n    s = sum(z)\n"
        "    print('value', *[x / s for x in z], 'argument', *z)"
    )
    found = judged(program, "softmax")
    assert found.reports["value"].ok
    assert found.status == WRONG
    assert "softmax changes its argument: [1.0, 2.0, 3.0] has become" in str(found)


ASKED = (
    "import sys, math\nfor line in sys.stdin:\n    xs = [float(word) for word in line.split()]\n    x = xs[0]\n"
    "    t = math.tanh(x)\n    d = 1 - t * t\n    e = [math.exp(z - max(xs)) for z in xs]\n"
    "    s = [z / sum(e) for z in e]\n    nan = math.nan\n    print({})"
)


@pytest.mark.parametrize(
    ("task", "answer", "status", "sentence"),
    [
        ("tanh", "x, d", WRONG, "tanh: value at 26 points: FAIL"),
        ("tanh", "x, t", WRONG, "tanh: derivative at 26 points: FAIL"),
        ("tanh", "x, x", WRONG, "tanh: value at 26 points: FAIL"),
        ("relu", "x, float(x > 0)", WRONG, "relu: value at 26 points: FAIL"),
        ("sum", "*xs, 1.0, *xs[1:]", UNKNOWN, "Line 1 has 4 numbers for 3.0 4.0."),
        ("softmax", "*xs, *s", UNKNOWN, "has 6 numbers for 1.0 2.0 3.0. Print the value (3), the derivative (9)"),
        ("softmax", "*xs, *[a * ((i == j) - b) for i, a in enumerate(s) for j, b in enumerate(s)]", WRONG, "value at"),
        ("tanh", "x, t, d", UNKNOWN, "Line 1 has 3 numbers for 0.5. Print the value (1), the derivative (1), or both"),
        ("tanh", "d, t", WRONG, "It is the derivative, not the value."),
        ("tanh", "nan, nan", WRONG, "FAIL    tanh at 0.5: nan; 0.4621171573 is right"),
        ("tanh", "t, nan", WRONG, "FAIL    tanh at 0.5: nan; 0.786447733 is right"),
        ("tanh", "nan", WRONG, "FAIL    tanh at 0.5: nan"),
        ("tanh", "d", RIGHT, "No values were given."),
        ("tanh", "-d", WRONG, "The sign is flipped."),
        ("tanh", "t if x < 5 else 0.5", WRONG, "tanh: value at 26 points: FAIL"),
        ("tanh", "d if x < 5 else 0.5", WRONG, "tanh: derivative at 26 points: FAIL"),
        ("tanh", "*((t, d) if x > 0 else (t,))", UNKNOWN, "or both, in this order and in all lines"),
        ("tanh", "'value', t, *(('derivative', d) if x > 0 else ())", UNKNOWN, "Line 2 has no derivative, but"),
        ("tanh", "'derivative', d, 'value', t", RIGHT, "tanh: derivative at 26 points: PASS"),
        ("tanh", "t, 'derivative', d", RIGHT, "tanh: derivative at 26 points: PASS"),
        ("tanh", "t, 'derivative', -d", WRONG, "The sign is flipped."),
        ("tanh", "'input', x, 'value', t", RIGHT, "tanh: value at 26 points: PASS"),
        ("tanh", "'input 0.0 value 0.0 derivative 1.0'", UNKNOWN, "Line 1 is about the input 0.0, and 0.5 was given."),
        ("tanh", "'value,derivative' if line == '0.5\\n' else f'{t},{d}'", UNKNOWN, "Of 26 lines 25 are answers"),
        ("tanh", "'task relu value 1' if x > 2 else f'value {t}'", UNKNOWN, "are answers: print no other."),
        ("softmax", "*s, 'argument', *s", WRONG, "softmax changes its argument: [1.0, 2.0, 3.0] has become"),
        ("softmax", "'value', *s, 'argument', *s", WRONG, "softmax changes its argument: [1.0, 2.0, 3.0] has become"),
        ("softmax", "*s, 'argument', *xs", RIGHT, "softmax: value at 10 points: PASS"),
    ],
)  # fmt: skip
def test_an_answer_is_the_value_the_derivative_or_both(task, answer, status, sentence):
    """Answers come in this order, or with labels; no number is taken for an input, and the label `argument` counts."""
    found = judged(ASKED.format(answer), task)
    assert sentence in str(found)
    assert found.status == status, str(found)


def test_a_label_beside_numbers_without_one_counts():
    """In a file too: the argument after the call is compared, and a labelled derivative is not dropped."""
    right = [(point[0], TANH.value(point), TANH.derivative(point)) for point in TANH.points]
    found = read("\n".join(f"{x!r} {v!r} derivative {-d!r}" for x, v, d in right), TANH)
    assert found.reports["value"].ok
    assert found.status == WRONG
    found = read("\n".join(f"{x!r} {v!r} {d!r} argument {v!r}" for x, v, d in right), TANH)
    assert "tanh changes its argument: 0.5 has become" in str(found)
    assert found.status == WRONG


def test_the_command_reads_files_and_standard_input(tmp_path, capsys, monkeypatch):
    """Its exit status says right, wrong or unknown; PowerShell's UTF-16 is read; sentences go to standard error."""
    task = task_named("tanh")
    table = "x,tanh\n" + "\n".join(f"{x!r},{task.value((x,))!r}" for (x,) in task.points)
    (tmp_path / "wide.csv").write_text(table, encoding="utf-16")
    assert main(["check", "tanh", "--csv", str(tmp_path / "wide.csv")]) == RIGHT
    for text, status in ((table, RIGHT), (table.replace("tanh", "derivative"), WRONG), ("1 2\n3 4", UNKNOWN)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main(["check", "tanh", "--csv", "-"]) == status
    assert "Cannot tell whether the numbers are" in capsys.readouterr().err
    for arguments in (["nothing", "--csv", "x"], ["tanh", "--csv", "missing.csv"], ["tanh"], ["tanh", "--run", "'"]):
        assert main(["check", *arguments]) == UNKNOWN
    said = capsys.readouterr().err
    assert "There is no function 'nothing' to check." in said
    assert "missing.csv: No such file or directory." in said
