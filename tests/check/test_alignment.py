"""The first number that diverges, and the wrong term of the chain rule, for programs that print their intermediates."""

from __future__ import annotations

import linecache
import math
import re

import pytest

import autograd_mini as am
from autograd_mini.check.foreign.alignment import check_trace
from autograd_mini.cli import main
from tests.check.conftest import README

NETWORK = """
import autograd_mini as am
x = am.Value(2.0)
w, b = am.Value(0.3), am.Value(-0.1)
s = w * x + b
h = am.tanh(s)
y = h * h + s
loss = (y - 1.0) ** 2
loss.backward()
"""
X, W, B = 2.0, 0.3, -0.1
S = W * X + B
H = math.tanh(S)
Y = H * H + S
LOSS = (Y - 1.0) ** 2
DY = 2.0 * (Y - 1.0)
DH = DY * 2.0 * H
DS = DY + DH * (1.0 - H * H)
RIGHT = {"x": (X, W * DS), "w": (W, X * DS), "b": (B, DS), "s": (S, DS), "h": (H, DH), "y": (Y, DY)}
RIGHT["loss"] = LOSS, 1.0


def printed(form="{name} {value!r} {gradient!r}", **changes):
    """The lines of a program that is right but for some numbers."""
    return "\n".join(
        form.format(name=name, value=value, gradient=gradient) for name, (value, gradient) in (RIGHT | changes).items()
    )


@pytest.fixture
def network(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(NETWORK)
    linecache.clearcache()
    monkeypatch.chdir(tmp_path)
    return "net.py"


@pytest.mark.parametrize(
    "form",
    [
        "{name} {value!r} {gradient!r}",
        "{name}: {value!r}, {gradient!r}",
        "  {name} = {value!r}",
        "{name}\t{value:.6f}\t{gradient:.6f}",
        "{name} {value:.4e} {gradient:.4e}",
        "X{name} {value!r} {gradient!r}",
        "d={value!r} about {name}\n{name} {value!r} {gradient!r}",
    ],
)
def test_a_right_program_agrees(network, form):
    """However it writes a line, in all digits or few; lines of another form are left out; names may differ."""
    found = check_trace(network, printed(form))
    assert found
    assert len(found.found) == 7
    agree = "values agree, and 7 gradients of them too." if "gradient" in form else "agree; no gradient was checked."
    assert str(found).endswith(agree)


LABELS = (
    "{}: {!r} grad: {!r}", "{} = {!r}, grad = {!r}", "{} {!r} grad {!r}", "{} value {!r} gradient {!r}",
    "{} value {!r} derivative {!r}", "{}: value = {!r}, gradient = {!r}", "{}.data={!r} grad={!r}",
    "{}={!r} (grad {!r})", "{} Val: {!r}; Grad: {!r}", "{}: {!r} | {!r}",
)  # fmt: skip


@pytest.mark.parametrize("form", LABELS)
def test_labels_before_the_numbers(network, form):
    """With labels each number is compared as what its label says, so a wrong one is found."""
    found = check_trace(network, "\n".join(form.format(name, *RIGHT[name]) for name in RIGHT))
    assert str(found).endswith("7 gradients of them too.")
    assert found
    for node in RIGHT:
        for wrong in ((5.0, RIGHT[node][1]), (RIGHT[node][0], 5.0)):
            text = "\n".join(form.format(name, *(wrong if name == node else RIGHT[name])) for name in RIGHT)
            assert check_trace(network, text).status == 1, text


@pytest.mark.parametrize(
    "line",
    [
        "loss 5 dloss 1", "loss grad 1 value 5", "loss gradient 1", "loss.grad = 1", "gradient: 1", "loss_grad 1",
        "dloss 1", "dloss/dw 1", "grad_w 1", "loss 5 1 0", "loss = 5 # grad 1", "loss 5 slope 1", "loss: [5]",
        '"loss": 5, "grad": 1', '{"name": "loss", "value": 5}', "loss = [5, 1]",
    ],
)  # fmt: skip
def test_a_line_whose_numbers_are_not_known_is_an_error(network, line, tmp_path, capsys):
    """An unclear line is neither left out nor misread: the sentence says how to write it."""
    right = printed().splitlines()
    (tmp_path / "printed").write_text("\n".join([*right[:-1], line]))
    status = main(["check", network, "--csv", "printed"])
    said = capsys.readouterr()
    assert status == 2, said.out
    assert "Line 7 cannot be read" in said.err
    assert "name value gradient" in said.err


@pytest.mark.parametrize(
    ("gradient", "mistake"),
    [
        (
            DH * (1.0 - H * H),
            "term through h is wrong: it is the only one there. Every use adds a term: write += instead of =.",
        ),
        (DY, "term through h is wrong: it is missing. Every use adds a term."),
        (DY - DH * (1.0 - H * H), "term through h is wrong: its sign is flipped."),
        (-DY + DH * (1.0 - H * H), "term through y is wrong: its sign is flipped."),
        (DY + DH, "term through h is wrong: it is not multiplied by the local derivative (the inner derivative)."),
        (DY + (1.0 - H * H), "term through h is wrong: it is not multiplied by what arrives from above."),
        (DY + 2.0 * DH * (1.0 - H * H), "term through h is wrong: it is counted twice"),
        (DY + DH / 2.0 * (1.0 - H * H), "term through h is wrong: it lacks a factor of 2."),
        (DY + DH * (1.0 / H - H), "It is 1/a - a: 1/a - a is not 1 - a*a."),
        (DY + DH * (1.0 - S * S), "1 - a*a is right if you pass the output"),
    ],
)
def test_the_wrong_term_is_named(network, gradient, mistake):
    """The gradient of s has two terms; what depends on it is wrong too, and is not what is named."""
    wrong = {"s": (S, gradient), "w": (W, X * gradient), "b": (B, gradient), "x": (X, W * gradient)}
    found = check_trace(network, printed(**wrong))
    assert not found
    assert found.backward
    assert f"is that of s, in line 4: {gradient!r} was printed, and {DS!r} is right." in str(found)
    assert f"∂loss/∂h × ∂h/∂s = {DH:.10g} × {1 - H * H:.10g} = {DH * (1 - H * H):.10g}" in str(found)
    assert mistake in str(found)


def test_a_single_term_and_a_gradient_handed_on_too_early(network):
    """With one term the wrong local derivative is stated; a node visited too early hands on a part of its gradient."""
    found = check_trace(network, printed(y=(Y, 17.0 * (Y - 1.0))))
    assert "∂loss/∂y = " in str(found)
    assert f"{17.0 * (Y - 1.0):.10g} was used." in str(found)
    early = check_trace(network, printed(w=(W, X * DY)))
    assert "The first gradient that diverges, in the order of the sweep, is that of w" in str(early)
    assert "s has handed on before all had arrived: visit it later." in str(early)
    assert str(check_trace(network, printed(loss=(LOSS, 0.0)))).endswith("by itself: begin the sweep with 1.")


def test_a_slope_that_is_right_is_not_explained(network):
    """A gradient off by a little more than rounding diverges; no mistake is named that gives the right one."""
    slope = (1.0 - H * H) * (1.0 + 2e-8)
    found = check_trace(network, printed(s=(S, DY + DH * slope)))
    assert "is that of s, in line 4" in str(found)
    assert str(found).splitlines()[-2:] == [
        f"  ∂loss/∂y × ∂y/∂s = {DY:.10g} × 1 = {DY:.10g}",
        "where: net.py:5 in <module>: w * x + b",
    ]


def test_the_first_wrong_value_is_named(network):
    """A wrong value comes before any gradient, with what it is computed from, the expression, the place."""
    found = check_trace(network, printed(h=(0.45, 1.0), y=(0.7, 1.0)))
    assert not found.backward
    assert str(found).splitlines()[1:] == [
        "The first number that diverges is the value of h, in line 5: 0.45 was printed, and "
        f"{H!r} is right: am.tanh(s) with s = {S!r}.",
        "where: net.py:6 in <module>: am.tanh(s)",
    ]
    assert "3.0 was printed, and 2.0 is right: an input." in str(check_trace(network, printed(x=(3.0, 1.0))))


def test_names_of_lists_and_repeated_names(tmp_path, monkeypatch):
    """z[0], z_0 and z0 are the same; a name printed again in a loop is the next node of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.py").write_text(
        "import autograd_mini as am\nx = am.Value(0.5)\nz = [x * 2.0, x * 3.0]\nh = z[0] * z[1]\nfor _ in range(3):\n"
        "    h = h * h + x\nh.backward()\n"
    )
    h0, lines = 1.5, []
    for _ in range(3):
        h0 = h0 * h0 + 0.5
        lines.append(f"h {h0!r}")
    for names in ("z[0] z[1]", "z_0 z_1", "Z0 Z1"):
        first, second = names.split()
        found = check_trace("p.py", "\n".join([f"{first} 1.0", f"{second} 1.5", *lines]))
        assert found, str(found)
        found = check_trace("p.py", "\n".join([f"{first} 1.0", f"{second} 1.75", *lines]))
        assert f"the value of {second}, in line 2: 1.75 was printed" in str(found)


def test_a_task_in_place_of_a_script(capsys, tmp_path):
    """The inputs come first; the result is the last line; a function with several results needs a script."""
    a = am.softmax([2.0, 1.0])
    loss = -math.log(a[0])
    text = f"z0 2.0 {{}}\nz1 1.0 {a[1]!r}\nt0 1\nt1 0\nloss {loss!r} 1"
    assert check_trace("cross_entropy", text.format(a[0] - 1.0))
    assert "is that of z0" in str(check_trace("cross_entropy", text.format(1.0 - a[0])))
    (tmp_path / "printed").write_text("x 0.5 1.0\ny 0.46211715726000974 1.0")
    assert main(["check", "tanh", "--trace", "--csv", str(tmp_path / "printed")]) == 1
    assert "it is not multiplied by the local derivative" in capsys.readouterr().out
    with pytest.raises(am.ArgumentError, match="several results"):
        check_trace("softmax", "z0 1\nz1 2")
    with pytest.raises(am.DataError, match="come first"):
        check_trace("mse", "z0 1")


def test_ten_lines_in_every_language(programs, tmp_path, monkeypatch, capsys):
    """The programs of the README print their intermediates, and the README shows what is found."""
    network = README.read_text(encoding="utf-8").split("```py\nimport autograd_mini")[1].split("```")[0]
    (tmp_path / "net.py").write_text(f"import autograd_mini{network}")
    monkeypatch.chdir(tmp_path)
    linecache.clearcache()  # other tests have other files of this name
    assert main(["check", "net.py", "--run", programs[1]]) == 1
    said = capsys.readouterr().out
    expected = README.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    last_digits = re.compile(r"(?<=\d{13})\d+")  # they differ between languages
    assert last_digits.sub("", said) == last_digits.sub("", expected)


def test_debug_opens_the_page_there(network, tmp_path, capsys):
    """The page begins at the step in which the last term arrives at the node that diverges."""
    (tmp_path / "printed").write_text(printed(s=(S, DY)))
    assert main(["check", network, "--csv", "printed", "--debug", "there.html"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("there.html")
    page = (tmp_path / "there.html").read_text(encoding="utf-8")
    trace = am.debug.trace(check_trace(network, printed(s=(S, DY))).root)
    first = page.split('"first":')[1].split(",")[0].strip()
    step = trace[int(first)]
    assert step.phase == "backward"
    assert trace.label(step.operand) == "s" or step.operand.data == S


def test_a_name_that_is_not_in_the_computation_is_told(network, tmp_path, capsys):
    """A printed number that matches nothing here was not checked, so the answer is not a plain yes."""
    (tmp_path / "printed").write_text(f"{printed()[: printed().rindex('loss')]}q 17.5\n{printed().splitlines()[-1]}")
    assert main(["check", network, "--csv", "printed"]) == 2
    said = capsys.readouterr().out
    assert "Not checked, because no number here has that name or value: q." in said
    assert said.endswith("Their values agree, and 7 gradients of them too.\n")
    (tmp_path / "printed").write_text(f"q 17.5\n{printed(s=(S, DY))}")
    assert main(["check", network, "--csv", "printed"]) == 1


def test_nan_is_never_right(tmp_path, monkeypatch, capsys):
    """If both give nan, there is no telling whether the program is right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.py").write_text("import autograd_mini as am\nx = am.Value(-1.0)\ny = am.log(x)\ny.backward()\n")
    (tmp_path / "printed").write_text("x -1.0 nan\ny nan 1.0\n")
    assert main(["check", "q.py", "--csv", "printed"]) == 2
    assert "Cannot tell whether it is right: x, y is nan or has the gradient nan." in capsys.readouterr().out


def test_what_cannot_be_compared(network, tmp_path, capsys):
    """No line of the form, a failing program, a script that fails: a sentence, and the exit status 2."""
    (tmp_path / "bad.py").write_text("1/0")
    (tmp_path / "printed").write_text(printed())
    for arguments, sentence in (
        ([network, "--csv", "/dev/null"], "There is no such line. Print one line for each intermediate number"),
        ([network, "--run", "false"], "It ended with exit status 1."),
        (["missing.py", "--csv", "printed"], "There is no file 'missing.py'."),
        (["bad.py", "--csv", "printed"], "ZeroDivisionError"),
        ([network, "--csv", "printed", "--debug", "page.txt"], "End the name in .html."),
    ):
        assert main(["check", *arguments]) == 2
        assert sentence in capsys.readouterr().err


def test_words_beside_a_name_do_not_hide_it(network):
    """A wrong number that happens to be that of another node is not taken for it."""
    text = "\n".join(line for line in printed().splitlines() if line[0] not in "hx")
    assert check_trace(network, f"{text}\nx is {X} {W * DS!r}\nh out {H!r} {DH!r}")  # told by their values
    with pytest.raises(am.DataError, match=r"Line 6 cannot be read: 'h is 2\.0'"):
        check_trace(network, f"{text}\nh is {X}")
