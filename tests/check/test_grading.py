"""A folder of submissions, good, wrong and nasty: each gets its points, and none costs another its own."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest

import autograd_mini as am
from autograd_mini.check.foreign import child
from autograd_mini.check.grading import assignments, grade, save, written
from autograd_mini.check.verdicts import Verdict
from autograd_mini.cli import main
from tests.check.conftest import JAVAC, needed
from tests.effort import effort

GOOD = "import math\ndef tanh(x): return math.tanh(x)\ndef dtanh(x): return 1 - math.tanh(x) ** 2\n"
SLEEP = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep({})'], start_new_session={})\n"
)
SIGN = "tanh: derivative: The sign is flipped."
SUBMISSIONS = {  # the program, the points of 2, and why points are missing
    "good.py": (GOOD, 2, ""),
    "prints.py": ("print('hello')\n" + GOOD.replace("return 1", "print(x); return 1"), 2, ""),
    "arrays.py": (GOOD.replace("math", "np").replace("import np", "import numpy as np"), 2, ""),
    "deletes.py": ("import os, shutil\nshutil.rmtree(os.getcwd())\n" + GOOD, 2, ""),
    "orphan.py": (SLEEP.format(77, False) + GOOD, 2, ""),
    "daemon.py": (SLEEP.format(78, True) + GOOD, 2, ""),
    "closes.py": ("import os\nos.close(0)\nos.close(1)\n" + GOOD, 2, ""),
    "named json.py": ("import json, copy\n" + GOOD, 2, ""),
    "sign.py": (GOOD.replace("1 - math.tanh(x) ** 2", "math.tanh(x) ** 2 - 1"), 1, SIGN),
    "sign too.py": (GOOD.replace("return 1 - math.tanh(x) ** 2", "return -(1 - math.tanh(x) ** 2)"), 1, SIGN),
    "of_output.py": (GOOD.replace("1 - math.tanh(x) ** 2", "1 - x * x"), 1, "is right if you pass the output"),
    "ratio.py": (GOOD.replace("1 - math.tanh(x) ** 2", "1 / math.tanh(x) - math.tanh(x)"), 1, "It is 1/a - a"),
    "value.py": (GOOD.replace("return math.tanh(x)", "return math.sin(x)"), 1, "tanh: value:"),
    "half.py": (GOOD.replace("def dtanh", "def derivative"), 1, "It has no function tanh_derivative."),
    "empty.py": ("", 0, "It has no function tanh."),
    "syntax.py": ("def tanh(x) return", 0, "It cannot be loaded: SyntaxError"),
    "imports.py": ("import no_such_module\n" + GOOD, 0, "It cannot be loaded: ModuleNotFoundError"),
    "exits.py": ("import sys; sys.exit(0)\n" + GOOD, 0, "It cannot be loaded: SystemExit: 0"),
    "leaves.py": ("import os; os._exit(0)\n" + GOOD, 0, "It ended. It had answered 0 of 26 inputs"),
    "aborts.py": (GOOD + "import os\ndef dtanh(x): os.abort()", 1, "tanh: derivative: It crashed with SIGABRT."),
    "recurses.py": (GOOD + "def dtanh(x): return dtanh(x)", 1, "RecursionError"),
    "none.py": (GOOD + "def dtanh(x): pass", 1, "tanh: derivative: TypeError"),
    "text.py": (GOOD + "def dtanh(x): return 'steep'", 1, "could not convert string to float"),
    "list.py": (GOOD + "def dtanh(x): return [1, 2]", 1, "2 numbers as the derivative of tanh"),
    "reads.py": (GOOD + "def dtanh(x): return input()", 1, "EOFError"),
    "threads.py": (GOOD + "import threading\nthreading.Thread(target=threading.Event().wait).start()", 2, ""),
    "hangs.py": (GOOD + "def dtanh(x):\n    while True: pass", 1, "It did not end within 4 s and was stopped."),
    "hangs at once.py": ("while True: pass", 0, "It did not end within 4 s and was stopped. It had answered 0 of 26"),
    "floods.py": (GOOD + "import os\ndef dtanh(x):\n    while True: os.write(1, b'x' * 9999)", 1, "It did not end"),
    "floods answers.py": (
        "import os\nwhile True:\n    for i in range(3, 9):\n        try: os.write(i, b'1.0\\n' * 9999)\n"
        "        except OSError: pass", 0, "It printed more than 16 MB and was stopped.",
    ),
    # In one piece: a busy machine may need more than the two seconds to fill the memory bit by bit.
    "eats.py": (GOOD + "def dtanh(x): return bytearray(1 << 34)", 1, "MemoryError"),
    "eats at once.py": ("b = bytearray(1 << 34)", 0, "It cannot be loaded: MemoryError"),
}  # fmt: skip


EVERYDAY = {  # one of each kind
    "prints.py", "deletes.py", "orphan.py", "daemon.py", "sign.py", "syntax.py", "leaves.py", "none.py", "hangs.py",
    "floods answers.py", "eats.py",
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_forty_submissions(tmp_path):
    """All are graded, though some hang, flood, crash, eat memory, delete their folder or leave children behind."""
    folder = tmp_path / "submissions"
    folder.mkdir()
    chosen = [name for name in SUBMISSIONS if name in EVERYDAY or not effort(1, 0)]
    for name in chosen:
        (folder / name).write_text(SUBMISSIONS[name][0])
    for i in range(effort(12, 40) - len(chosen)):  # more of a kind, in folders of their own
        (folder / f"student {i}").mkdir()
        (folder / f"student {i}" / "tanh.py").write_text(GOOD)
    (tmp_path / "tasks.toml").write_text("seconds = 4\nmemory = 512\n[[task]]\nname = 'tanh'\npoints = 2\n")
    before = {path: path.read_text() for path in folder.rglob("*.py")}
    began = time.monotonic()
    grades = {entry.submission: entry for entry in grade(folder, *assignments(str(tmp_path / "tasks.toml")))}
    assert time.monotonic() - began < 120.0
    assert len(grades) == effort(12, 40)
    assert {path: path.read_text() for path in folder.rglob("*.py")} == before  # they ran on copies
    for name, entry in grades.items():
        _, points, why = SUBMISSIONS.get(name, (GOOD, 2, ""))
        said = " ".join(f"{part.name}: {part.mistake or part.text}" for part in entry.parts if part.points < part.most)
        assert (entry.points, entry.most) == (points, 2.0), f"{name}: {said}"
        assert why in said, f"{name}: {said}"
    for seconds in (77, 78):  # no child is left
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        assert f"time.sleep({seconds})" not in running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    for name in ("good.py", "sign.py", "sign too.py", "empty.py"):
        (folder / name).write_text(SUBMISSIONS[name][0])
    return folder


@pytest.fixture(scope="module")
def grades(folder):
    return grade(folder, *assignments("tanh"), pictures=True)


def test_formats(grades):
    """Text and CSV for people, JSON with the groups, and the documents of Gradescope and PrairieLearn."""
    text = written(grades, "text").splitlines()
    assert text[0] == "empty.py     0 of 1"
    assert "good.py      1 of 1" in text
    assert text[text.index("Shared mistakes") + 2] == "    sign too.py, sign.py"
    assert text[-1] == "4 submissions, 1 with all points"
    rows = list(csv.DictReader(written(grades, "csv").splitlines()))
    assert [row["points"] for row in rows if row["submission"] == "sign.py"] == ["0.5", "0"]
    found = json.loads(written(grades, "json"))
    assert {entry["submission"]: entry["points"] for entry in found["submissions"]}["good.py"] == 1.0
    assert ["sign too.py", "sign.py"] in found["mistakes"].values()
    scope = json.loads(written(grades, "gradescope"))
    assert scope["sign.py"]["score"] == 0.5
    assert [test["max_score"] for test in scope["sign.py"]["tests"]] == [0.5, 0.5]
    assert "The sign is flipped." in scope["sign.py"]["tests"][1]["output"]
    assert json.loads(written(grades[1:2], "gradescope"))["score"] == 1.0  # of the one submission
    learn = json.loads(written(grades, "prairielearn"))["sign.py"]
    assert (learn["gradable"], learn["score"], learn["tests"][1]["points"]) == (True, 0.5, 0.0)
    assert learn["images"][0]["url"].startswith("data:image/svg+xml;base64,")


def test_counterexamples_are_drawn(grades, tmp_path):
    """The grades and, for each wrong answer, the smallest graph with the right numbers are written to a folder."""
    save(grades, "text", tmp_path / "out")
    pictures = {f"{name}-tanh-derivative.svg" for name in ("sign.py", "sign too.py")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"grades.txt", *pictures}
    for picture in pictures:
        drawn = " ".join(ElementTree.parse(tmp_path / "out" / picture).getroot().itertext())
        assert "tanh at 0.5: its derivative is 0.7864, not -0.7864" in drawn
    paths = save(grades, "gradescope", tmp_path)
    assert {path.name for path in paths} == {f"{entry.submission}.json" for entry in grades} | pictures


def test_the_command(folder, tmp_path, capsys, monkeypatch):
    """It prints the grades, or writes them and prints where; a progress bar goes to standard error."""
    assert main(["grade", str(folder), "--task", "tanh"]) == 1
    printed = capsys.readouterr()
    assert "sign.py      0.5 of 1\n    tanh: derivative: The sign is flipped." in printed.out
    assert "4/4" in printed.err
    monkeypatch.chdir(tmp_path)
    assert main(["grade", str(folder), "--task", "relu", "-o", "out", "--format", "csv"]) == 1
    assert capsys.readouterr().out.splitlines() == ["out/grades.csv"]
    assert main(["grade", "missing", "--task", "tanh"]) == 2
    assert "There are no submissions in" in capsys.readouterr().err


def test_exit_statuses(folder, tmp_path, capsys):
    """The status is 0 if all is right, 1 for a missing point, 2 if anything keeps the command from judging."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.py").write_text(GOOD)
    (tmp_path / "tasks.toml").write_text("[[task]")
    good = str(tmp_path / "in")
    assert main(["grade", good, "--task", "tanh"]) == 0
    assert main(["grade", good, "--task", "sigmoid"]) == 1
    for arguments in (
        ["grade", good, "--task", "foo"],
        ["grade", good, "--task", str(tmp_path / "tasks.toml")],
        ["grade", good, "--task", "missing.toml"],
        ["grade", str(tmp_path / "in" / "nothing"), "--task", "tanh"],
        ["grade", good, "--task", "tanh", "-o", str(tmp_path / "no" / "folder")],
        ["grade", good],
        ["vectors", "foo"],
        ["vectors", "tanh", "-o", str(tmp_path / "no" / "folder")],
        ["vectors", "tanh", "--format", "cobol"],
        ["check", "foo", "--csv", "-"],
        ["check", "missing.py", "--csv", "-"],
        ["check-engine", "missing.py"],
    ):
        assert main(arguments) == 2, arguments
    assert "Traceback" not in "".join(capsys.readouterr())


def test_lists_engines_and_other_languages(tmp_path, capsys):
    """Softmax and its Jacobian, a class Value, and Java that is built and answers; each task has its own file."""
    needed("javac")
    anna = tmp_path / "in" / "anna"
    anna.mkdir(parents=True)
    (anna / "soft.py").write_text(
        "import math\ndef my_softmax(z):\n    m = max(z)\n    for i, x in enumerate(z): z[i] = math.exp(x - m)\n"
        "    s = sum(z)\n    for i, x in enumerate(z): z[i] = x / s\n    return z\n"  # right, but in place
    )
    (anna / "engine.py").write_text(
        "from autograd_mini import Value as V\nclass Value:\n    def __new__(cls, x): return V(x)\n"
    )
    (anna / "json.py").write_text("raise SystemExit('it hides the one of the standard library')")
    (anna / "Tanh.java").write_text(
        "import java.util.Scanner;\npublic class Tanh { public static void main(String[] a) { Scanner s = new Scanner("
        "System.in); while (s.hasNextLine()) System.out.println(Math.tanh(Double.parseDouble(s.nextLine()))); } }"
    )
    tasks = tmp_path / "tasks.toml"
    tasks.write_text(
        "[[task]]\nname = 'softmax'\nfiles = 'soft.py'\nvalue = 'my_softmax'\nderivative = 'jacobian d_softmax'\n"
        f"[[task]]\nname = 'tanh'\npoints = 4\nfiles = '*.java'\nbuild = '{JAVAC} {{file}}'\nrun = 'java {{stem}}'\n"
        "[[task]]\nname = 'engine'\nfiles = 'engine.py'\n[[task]]\nname = 'sigmoid'\nfiles = '*.rs'\n"
    )
    (found,) = grade(tmp_path / "in", *assignments(str(tasks)))
    points = {part.name: (part.points, part.most) for part in found.parts}
    assert points == {
        "softmax: value": (0.0, 0.5), "softmax: derivative": (0.0, 0.5), "tanh: value": (2.0, 2.0),
        "tanh: derivative": (0.0, 2.0), "engine": (1.0, 1.0), "sigmoid": (0.0, 1.0),
    }, "\n".join(part.text for part in found.parts)  # fmt: skip
    texts = {part.name: part.text for part in found.parts}
    assert "softmax changes its argument: [1.0, 2.0, 3.0] has become" in texts["softmax: value"]
    assert "It has no function jacobian." in texts["softmax: derivative"]
    assert texts["tanh: derivative"] == "No derivatives were given."
    assert texts["sigmoid"] == "It should hold one file *.rs, and holds none."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[task]", "is not TOML"),
        ("", "may hold seconds, memory (in MB), and tables [[task]] with a name"),
        ("[[task]]\npoints = 1", "may hold seconds"),
        ("[[task]]\nname = 'tanh'\ncolour = 1", "their keys are name, points, files, value, derivative, run, build"),
        ("[[task]]\nname = 'tanh'\npoints = 'two'", "may hold seconds"),
        ("[[task]]\nname = 'tann'", "Did you mean"),
        ("seconds = 0\n[[task]]\nname = 'tanh'", "may hold seconds"),
        ("seconds = 'two'\n[[task]]\nname = 'tanh'", "may hold seconds"),
        ("task = 'tanh'", "may hold seconds"),
        ("[[task]]\nname = 'tanh'\npoints = '2'", "may hold seconds"),
    ],
)
def test_a_wrong_file_of_tasks(text, sentence, tmp_path):
    """A wrong key or value in the file is an error that says what may stand there."""
    (tmp_path / "tasks.toml").write_text(text)
    with pytest.raises(am.AutogradError) as raised:
        assignments(str(tmp_path / "tasks.toml"))
    assert sentence in str(raised.value)


ENGINE = """
class Value:
    def __init__(self, data, edges=()):
        self.data, self.edges, self.grad = data, edges, 0.0

    def __add__(self, other):
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for operand, _ in node.edges:
                    visit(operand)
                order.append(node)

        visit(self)
        for node in order:
            if node.edges:
                node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            for operand, local in node.edges:
                operand.grad += node.grad * local
"""
ENGINES = {  # the points, and why they are missing
    "good.py": (ENGINE, 3.0, ""),
    "assigns.py": (ENGINE.replace("operand.grad +=", "operand.grad ="), 0.0, "is assigned with ="),
    "no seed.py": (ENGINE.replace("self.grad = 1.0", "pass"), 0.0, "is never set to 1"),
    "sign.py": (ENGINE.replace("+= node", "+= -node"), 0.0, "The sign is flipped."),
    "no class.py": ("", 0.0, "cannot tell"),
    "fails.py": ("1/0", 0.0, "ZeroDivisionError"),
}


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    for name, (program, _, _) in ENGINES.items():
        (folder / name).write_text(program)
    return folder


def test_a_broken_engine_gets_no_points(engines, tmp_path):
    """The verdict alone decides, whether --task or a file of tasks names the engine; the reason is its mistake."""
    (tmp_path / "tasks.toml").write_text("[[task]]\nname = 'engine'\npoints = 3\n")
    for task, most in (("engine", 1.0), (str(tmp_path / "tasks.toml"), 3.0)):
        found = {entry.submission: entry for entry in grade(engines, *assignments(task))}
        for name, (_, points, why) in ENGINES.items():
            assert (found[name].points, found[name].most) == (points * most / 3.0, most), name
            assert why in "".join(found[name].missing()), name
            assert bool(found[name].missing()) == (points == 0.0), name


@pytest.mark.parametrize("text", ["", "\n", "Value: FAIL\n\n", "\n\nValue: FAIL"])
@pytest.mark.parametrize("verdict", [*Verdict])
def test_points_for_an_engine_do_not_depend_on_the_text(engines, text, verdict, monkeypatch):
    """Points depend on the verdict alone, whatever the report looks like."""
    monkeypatch.setattr(child, "examined", lambda *_: child.Result(verdict, text))
    is_right = verdict in (Verdict.PASS, Verdict.KINK)
    for entry in grade(engines, *assignments("engine")):
        assert entry.points == float(is_right)
        assert bool("".join(entry.missing())) != is_right
