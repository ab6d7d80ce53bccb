"""`autograd-mini prove`: the derivation is read from the graph, the algebra on the page is right, the verdict holds."""

from __future__ import annotations

import functools
import math
import re
import subprocess
import sys

import pytest

import autograd_mini as am
from autograd_mini.cli import main
from autograd_mini.core.row import TABLE
from autograd_mini.symbolic import explain_proof
from autograd_mini.symbolic import lessons as proofs
from autograd_mini.symbolic.lessons import LESSONS
from tests.effort import effort


@functools.cache
def lesson(name):
    """A page and whether it is proved; several tests read the same one."""
    return explain_proof(name)


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "autograd_mini", "prove", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_main_proof(tmp_path):
    """Composition, chain rule, closed form, a - t, verdicts; status 0; nothing on standard error, no file."""
    done = run("softmax-cross-entropy", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "  e1 = exp(d1)",
        "  r  = e1 + e2",
        "  L  = t1·l + t2·d3 + t3·d4",
        "  ∂L/∂L  = 1",
        "  ∂L/∂l  = ∂L/∂L · t1 + ∂L/∂d4 · 1 + ∂L/∂d3 · 1 = t1 + t2 + t3",
        "  ∂L/∂e1 = ∂L/∂r · 1 = (t1 + t2 + t3)/(r + 1)",
        "  a1 = 1/(r + 1)",
        "  ∂L/∂z2 = e1·(t1 + t2 + t3)/(r + 1) - t2",
        "         = a2·(t1 + t2 + t3) - t2",
        "4. With t1 + t2 + t3 = 1",
        "  ∂L/∂z2 = a2 - t2",
    ):
        assert line in done.stdout.splitlines(), line
    assert done.stdout.count("PROVED for all inputs, algebraically; ") == 1
    assert done.stdout.count("PROVED for all inputs with t1 + t2 + t3 = 1, algebraically; ") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", LESSONS)
def test_every_proof(name, capsys):
    """Each is proved and fits into a terminal of 100 columns; the status says so."""
    assert main(["prove", name]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{name}: {LESSONS[name].about}.\n")
    assert "\nPROVED for all inputs, algebraically; " in printed
    assert max(map(len, printed.splitlines())) <= 100


def value(written, names):
    """The number of an expression as it is printed."""
    for ours, theirs in (
        ("·", "*"),
        ("²", "**2"),
        ("≥", ">="),
        (", else", " else"),
        ("√2", "sqrt(2)"),
        ("√π", "sqrt(pi)"),
    ):
        written = written.replace(ours, theirs)
    written = re.sub(r"( if [^,]*), ", r"\1 else ", written)
    written = re.sub(r"∂\w+/∂\w+", lambda derivative: f"({names[derivative[0]]!r})", written)
    functions = {name: getattr(am, name) for name in ("exp", "expm1", "log1p", "ndtr", "sqrt")}
    return float(eval(written, functions | {"pi": math.pi}, names))


@pytest.mark.parametrize("x", [-1.25, 0.5])
@pytest.mark.parametrize("name", [n for n in LESSONS if n not in ("softmax", "log-softmax")])
def test_the_page_adds_up(name, x):
    """Every printed line is true at numbers: compositions, contributions, and what they are said to be together."""
    names = {"x": x, "z1": x, "z2": 0.75, "z3": -0.5, "t": 0.3, "t1": 0.2, "t2": 0.5, "t3": 0.3}
    page, _ = lesson(name)
    page = re.sub(r"\n {5,}", " ", page)
    first, second, third = re.split(r"\n[23]\. ", page)
    for left, right in re.findall(r"^  (\S+) += (.*)$", first, re.MULTILINE):
        names[left] = value(right, names)
    result = "L" if "cross" in name else "y"
    arguments = [names["z1"], names["z2"], names["z3"]] if "z1" in page else x
    target = [[names["t1"], names["t2"], names["t3"]]] if "t1" in page else [names["t"]] if "t is" in page else []
    assert names[result] == pytest.approx(LESSONS[name].function(arguments, *target))
    for left, right in re.findall(r"^  (∂\S+) += (.*)$", second, re.MULTILINE):
        forms = [value(form, names) for form in right.split(" = ")]
        names[left] = forms[0]
        assert forms == pytest.approx(forms[:1] * len(forms)), left
    for left, right in re.findall(r"^  (\w+) += (.*)$", third.split("\n4. ")[0], re.MULTILINE):
        names[left] = value(right, names)
    for left, right in re.findall(r"^  (∂\S+) += (.*)$", third.split("\n4. ")[0], re.MULTILINE):
        forms = [value(form, names) for form in right.split(" = ")]
        assert len(forms) > 1
        assert forms == pytest.approx([names[left]] * len(forms)), left
    slopes = am.grad(LESSONS[name].function)(arguments, *target)
    for variable, slope in zip(("z1", "z2", "z3"), slopes, strict=True) if "z1" in page else [("x", slopes)]:
        assert names[f"∂{result}/∂{variable}"] == pytest.approx(slope)


def test_no_line_of_an_input_is_cut():
    """The last lines show the result, however long it is."""
    page, _ = lesson("binary-cross-entropy")
    last = page.split("\n3. ")[0].split("  ∂L/∂x  = ")[1]
    assert " = d·e2/(e2 + 1)" in " ".join(last.split())


def test_sentences_for_beginners():
    """The remarks are about the table, the subtraction, the branches and the target, where they occur."""
    page, _ = lesson("softmax-cross-entropy")
    assert "a row of the table: an operation whose derivative is known" in page
    assert "t is the target" in page
    assert "z1 is subtracted" in page
    assert "branches" not in page
    page, _ = lesson("tanh")
    assert "Each of the two branches" in page
    assert "target" not in page
    page, _ = lesson("sigmoid")
    assert "Both branches are the same, for e2 = 1/e1." in page


def test_classes():
    """As many logits as asked for; a Jacobian shows two rows and says that the others are alike."""
    text, proved = explain_proof("softmax", 4)
    assert proved
    assert text.count("a4·(1 - a4)") == 1
    assert "... and likewise from a3 on" in text
    assert "∂a3/∂a3" not in text.split("\n3. ")[0]
    assert "∂L/∂z2 = a2 - t2" in explain_proof("softmax-cross-entropy", 2)[0]
    classes = effort(4, 6)
    page, proved = explain_proof("softmax-cross-entropy", classes)
    assert proved
    assert f"a{classes} - t{classes}" in page


def test_the_derivation_is_not_canned(monkeypatch):
    """A rule that is wrong shows on the page, and the verdict changes, and the status."""
    row = TABLE["exp"]
    wrong = am.primitive("wrong_exp", lambda x: am.exp(x), lambda y, x: (2.0 * y,), check=False)
    try:
        lesson = proofs.Lesson(
            "nothing", lambda x: wrong(x) * x, "x", "y", lambda a, x: a[0] * (1 + x), lambda x: [am.exp(x)], "a",
            "a = exp(x)",
        )  # fmt: skip
        monkeypatch.setitem(LESSONS, "sigmoid", lesson)
        text, proved = explain_proof("sigmoid")
        assert not proved
        assert "  ∂y/∂x = ∂y/∂y · w + ∂y/∂w · 2·w = 2·w·x + w\n" in text
        assert "REFUTED: at x = 1 " in text
        assert main(["prove", "sigmoid"]) == 1
    finally:
        del TABLE["wrong_exp"]
    assert TABLE["exp"] is row


def test_list_of_names(tmp_path):
    """Without a name, what there is, a line each."""
    done = run(cwd=tmp_path)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(LESSONS)
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["relu6"], "invalid choice: 'relu6' (choose from"),
        (["softmax", "--classes", "1"], "1 is not between 2 and 12"),
        (["softmax", "--classes", "x"], "'x' is not a whole number"),
        (["softmax", "tanh"], "unrecognized arguments: tanh"),
    ],
)
def test_bad_usage(tmp_path, arguments, message):
    """Status 2, a usage line, the choices."""
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: autograd-mini")
    assert message in done.stderr
    assert done.stdout == ""


def test_without_sympy(tmp_path):
    """One sentence with the command that installs it; the list of names needs none."""
    program = (
        "import sys; sys.modules['sympy'] = None; from autograd_mini.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for arguments, status in ((["prove", "softmax"], 1), (["prove"], 0)):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == status, done.stderr
        if status:
            message = 'autograd-mini: Formulas and proofs need SymPy: pip install "autograd-mini[symbolic]"\n'
            assert (done.stdout, done.stderr) == ("", message)
