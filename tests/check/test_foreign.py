"""Programs in real languages: vectors, ready tests, answers line by line, one sentence where something goes wrong."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini.check import vectors
from autograd_mini.check.answers import read
from autograd_mini.check.foreign import RIGHT, UNKNOWN, WRONG, Source, judge
from autograd_mini.check.programs import Limits
from autograd_mini.check.tasks import flat, task_named
from autograd_mini.cli import main

README = Path(am.__file__).parent / "check" / "README.md"
TASKS = ["tanh", "relu", "softmax", "cross_entropy", "binary_cross_entropy", "mse", "log"]
NAMES = {"java": "Main.java", "c": "main.c", "js": "main.js", "python": "main.py"}
MADE = {  # how to compile and start what stands in a file
    "java": ("javac {file}", "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC {stem}"),
    "c": ("gcc -Wall -Wextra -Werror -std=c11 {file} -lm -o {stem}", "./{stem}"),
    "js": ("", "node {file}"),
    "python": ("", f"{sys.executable} {{file}}"),
}


def compiled(folder, language, text, name=None, compiler=True):
    """Write a program, compile it, and return the command that starts it."""
    path = folder / (name or NAMES[language])
    path.write_text(text)
    commands = [command.format(file=path.name, stem=path.stem) for command in MADE[language]]
    for command in filter(None, commands):
        program = command.split()[0]
        if shutil.which(program) is None and not program.startswith("./"):
            pytest.skip(f"{program} is not installed")
    if commands[0] and compiler:
        subprocess.run(commands[0], shell=True, cwd=folder, check=True, capture_output=True)
    return commands[1].replace("./", f"{folder}/").replace(" Main", f" -cp {folder} Main") if compiler else commands[1]


def blocks(language, part):
    """The programs of the README: part 0 answers line by line, part 1 prints intermediates."""
    fence = "py" if language == "python" else language  # the README's tests run what is fenced as python
    found = re.findall(rf"^```{fence}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found[part if language != "python" else 2 * part]


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", NAMES)
def test_ten_lines_in_every_language(language, tmp_path, capsys, monkeypatch):
    """The programs of the README answer for tanh, and are right but for the digits in the tails."""
    command = compiled(tmp_path, language, blocks(language, 0))
    monkeypatch.chdir(tmp_path)
    assert main(["check", "tanh", "--run", command]) == RIGHT
    said = capsys.readouterr().out
    assert "tanh: value at 26 points: PASS" in said
    assert "tanh: derivative at 26 points: PASS" in said
    assert "loses digits" in said


def python(tmp_path, program):
    (tmp_path / "p.py").write_text(program)
    return [sys.executable, str(tmp_path / "p.py")]


KILL = "    if i == 3: import os; os.abort()"
STAY = "    if i == 3: import time; time.sleep(60)"
ECHO = "import sys, math, time\nfor i, line in enumerate(sys.stdin):\n    x = float(line)\n    t = math.tanh(x)\n"


@pytest.mark.parametrize(
    ("program", "status", "sentence"),
    [
        (ECHO + "    print(t, 1 - t * t)", RIGHT, "tanh: derivative at 26 points: PASS"),
        (ECHO + "    print(t)", RIGHT, "No derivatives were given."),
        (ECHO + "    print(t, 1/t - t if t else math.inf)", WRONG, "It is 1/a - a"),
        (ECHO + "    print('value', t, flush=True)\n" + KILL, UNKNOWN,
         "It crashed with SIGABRT. It had answered 4 of 26 inputs; the next was 2.0."),
        (ECHO + "    print('value', -t, flush=True)\n" + KILL, WRONG, "The sign is flipped."),
        (ECHO + "    print('value', t, flush=True)\n" + STAY, UNKNOWN,
         "It did not end within 1 s and was stopped. It had answered 4 of 26 inputs; the next was 2.0."),
        ("import time; time.sleep(60)", UNKNOWN, "It had answered 0 of 26 inputs; the next was 0.5."),
        ("while True: print(1.0)", UNKNOWN, "and was stopped."),
        ("print('Hello')\n" + ECHO + "    print(t)", UNKNOWN, "It printed 27 lines for 26 inputs"),
        (ECHO + "    print('tanh is', t)", UNKNOWN, "Line 1 cannot be read: 'tanh is 0.46"),
        (ECHO + "    print('error: no', i) if i > 20 else print('value', t)", WRONG, "an error, no answer: no 21"),
        ("1/0", UNKNOWN, "It ended with exit status 1. It had answered 0 of 26 inputs; the next was 0.5. "
         "Its last words: ZeroDivisionError: division by zero"),
        ("", UNKNOWN, "It ended. It had answered 0 of 26 inputs"),
        (ECHO + "    print('value', t, flush=True)\ntime.sleep(60)", RIGHT, "tanh: value at 26 points: PASS"),
    ],
)  # fmt: skip
def test_a_program_that_answers(program, status, sentence, tmp_path):
    """Right, wrong, or one clear sentence: crashes, hangs, floods, garbage; complete answers count all the same."""
    found = Source(None, python(tmp_path, program), Limits(1.0, output=1)).judged(task_named("tanh"))
    assert sentence in str(found)
    assert found.status == status


def test_a_function_that_overwrites_its_argument(tmp_path):
    """The program prints the argument after the call; the sentence says what it was and what it is."""
    program = (
        "import sys, math\nfor line in sys.stdin:\n    z = [float(x) for x in line.split()]\n    m = max(z)\n"
        "    for i in range(len(z)): z[i] = math.exp(z[i] - m)\n    s = sum(z)\n"
        "    print('value', *[x / s for x in z], 'argument', *z)"
    )
    found = Source(None, python(tmp_path, program), Limits()).judged(task_named("softmax"))
    assert found.reports["value"].ok
    assert found.status == WRONG
    assert "softmax changes its argument: [1.0, 2.0, 3.0] has become" in str(found)


def test_the_command_reads_files_and_standard_input(tmp_path, capsys, monkeypatch):
    """Its exit status says right, wrong or unknown; PowerShell's UTF-16 is read; sentences go to standard error."""
    task = task_named("tanh")
    table = "x,tanh\n" + "\n".join(f"{x!r},{task.value((x,))!r}" for (x,) in task.points)
    (tmp_path / "wide.csv").write_text(table, encoding="utf-16")
    assert main(["check", "tanh", "--csv", str(tmp_path / "wide.csv")]) == RIGHT
    for text, status in ((table, RIGHT), (table.replace("tanh", "derivative"), WRONG), ("1 2\n3 4", UNKNOWN)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main(["check", "tanh", "--csv", "-"]) == status
    assert "It cannot be told whether the numbers are" in capsys.readouterr().err
    for arguments in (["nothing", "--csv", "x"], ["tanh", "--csv", "missing.csv"], ["tanh"], ["tanh", "--run", "'"]):
        assert main(["check", *arguments]) == UNKNOWN
    said = capsys.readouterr().err
    assert "There is no function 'nothing' to check." in said
    assert "missing.csv: No such file or directory." in said


# -- vectors -----------------------------------------------------------------------------------------------------------


def test_vectors_as_data():
    """CSV and JSON hold the inputs, values and derivatives of the package, and are read back as right."""
    tasks = [task_named(name) for name in TASKS]
    table = vectors.written(tasks, "csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    entries = json.loads(vectors.written(tasks, "json"))
    assert len(rows) == len(entries) == sum(len(task.points) for task in tasks)
    assert [e["derivative"] for e in entries if e["task"] == "tanh"] == [
        am.grad(am.tanh)(x) for (x,) in tasks[0].points
    ]
    assert {e["task"] for e in entries if e["kink"]} == {"relu"}
    for text in (table, json.dumps([{k: v for k, v in entry.items() if k != "kink"} for entry in entries])):
        for task in tasks:
            found = judge(task, read(text, task))
            assert found.status == RIGHT
            assert found.answers.points == [*task.points]
    xs = [x for (x,) in task_named("tanh").points]
    assert {0.0, 1.0, -1.0, 20.0, -20.0} <= {*xs}
    assert any(math.copysign(1.0, x) < 0.0 == x for x in xs)


MINE = {
    "java": """
        public class Mine {
            static double tanh(double x) { return Math.tanh(x); }
            static double tanhDerivative(double x) { return 1 / Math.cosh(x) / Math.cosh(x); }
            static double relu(double x) { return Math.max(x, 0); }
            static double reluDerivative(double x) { return x >= 0 ? 1 : 0; }
            static double[] softmax(double[] z) {
                double max = Double.NEGATIVE_INFINITY, sum = 0;
                double[] a = new double[z.length];
                for (double x : z) max = Math.max(max, x);
                for (int i = 0; i < z.length; i++) sum += a[i] = Math.exp(z[i] - max);
                for (int i = 0; i < z.length; i++) a[i] /= sum;
                return a;
            }
            static double[][] softmaxDerivative(double[] z) {
                double[] a = softmax(z);
                double[][] d = new double[z.length][z.length];
                for (int i = 0; i < z.length; i++)
                    for (int j = 0; j < z.length; j++) d[i][j] = a[i] * ((i == j ? 1 : 0) - a[j]);
                return d;
            }
            static double mse(double[] p, double[] t) {
                double sum = 0;
                for (int i = 0; i < p.length; i++) sum += (p[i] - t[i]) * (p[i] - t[i]);
                return sum / p.length;
            }
            static double[] mseDerivative(double[] p, double[] t) {
                double[] d = new double[p.length];
                for (int i = 0; i < p.length; i++) d[i] = 2 * (p[i] - t[i]) / p.length;
                return d;
            }
        }""",
    "c": """
        #include <math.h>
        #include "mine.h"
        double my_tanh(double x) { return tanh(x); }
        double my_tanh_derivative(double x) { return 1 / cosh(x) / cosh(x); }
        double my_relu(double x) { return x > 0 ? x : 0; }
        double my_relu_derivative(double x) { return x >= 0; }
        void my_softmax(const double *z, int n, double *a) {
            double max = z[0], sum = 0;
            for (int i = 1; i < n; i++) if (z[i] > max) max = z[i];
            for (int i = 0; i < n; i++) sum += a[i] = exp(z[i] - max);
            for (int i = 0; i < n; i++) a[i] /= sum;
        }
        void my_softmax_derivative(const double *z, int n, double *d) {
            double a[99];
            my_softmax(z, n, a);
            for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) d[i * n + j] = a[i] * ((i == j) - a[j]);
        }
        double my_mse(const double *p, const double *t, int n) {
            double sum = 0;
            for (int i = 0; i < n; i++) sum += (p[i] - t[i]) * (p[i] - t[i]);
            return sum / n;
        }
        void my_mse_derivative(const double *p, const double *t, int n, double *d) {
            for (int i = 0; i < n; i++) d[i] = 2 * (p[i] - t[i]) / n;
        }""",
    "js": """
        const tanh = Math.tanh, tanhDerivative = (x) => 1 / Math.cosh(x) / Math.cosh(x);
        const relu = (x) => Math.max(x, 0), reluDerivative = (x) => (x >= 0 ? 1 : 0);
        const sum = (xs) => xs.reduce((a, b) => a + b, 0);
        const softmax = (z) => {
          const e = z.map((x) => Math.exp(x - Math.max(...z)));
          return e.map((x) => x / sum(e));
        };
        const softmaxDerivative = (z) => softmax(z).map((a, i) => softmax(z).map((b, j) => a * ((i === j) - b)));
        const mse = (p, t) => sum(p.map((x, i) => (x - t[i]) ** 2)) / p.length;
        const mseDerivative = (p, t) => p.map((x, i) => (2 * (x - t[i])) / p.length);
        module.exports = {
          tanh, tanhDerivative, relu, reluDerivative, softmax, softmaxDerivative, mse, mseDerivative,
        };""",
    "python": """
        import math
        def tanh(x): return math.tanh(x)
        def tanh_derivative(x): return 1 / math.cosh(x) / math.cosh(x)
        def relu(x): return max(x, 0.0)
        def relu_derivative(x): return float(x >= 0)
        def softmax(z):
            e = [math.exp(x - max(z)) for x in z]
            return [x / sum(e) for x in e]
        def softmax_derivative(z):
            return [[a * ((i == j) - b) for j, b in enumerate(softmax(z))] for i, a in enumerate(softmax(z))]
        def mse(p, t): return sum((a - b) ** 2 for a, b in zip(p, t)) / len(p)
        def mse_derivative(p, t): return [2 * (a - b) / len(p) for a, b in zip(p, t)]""",
}
HEADER = """
    double my_tanh(double), my_tanh_derivative(double), my_relu(double), my_relu_derivative(double);
    void my_softmax(const double *, int, double *), my_softmax_derivative(const double *, int, double *);
    double my_mse(const double *, const double *, int);
    void my_mse_derivative(const double *, const double *, int, double *);"""
WRONG_TANH = {  # 1 / cosh becomes 1 / sinh, and softmax overwrites its argument
    "java": ("double[] a = new double[z.length]", "double[] a = z"),
    "c": ("sum += a[i] =", "sum += a[i] = ((double *)z)[i] ="),
    "js": ("return e.map((x) => x / sum(e))", "return e.map((x, i) => (z[i] = x / sum(e)))"),
    "python": ("return [x / sum(e) for x in e]", "z[:] = [x / sum(e) for x in e]\n    return z"),
}


@pytest.mark.parametrize("language", MINE)
def test_ready_tests(language, tmp_path):
    """In each language the test passes on right functions, fails on wrong ones, and prints what `check` reads."""
    tasks = [task_named(name) for name in ("tanh", "relu", "softmax", "mse")]
    name = {"java": "VectorsTest.java", "c": "vectors_test.c", "js": "vectors_test.js", "python": "vectors_test.py"}
    text = vectors.written(tasks, language, name[language])
    mine = "\n".join(line[8:] for line in MINE[language].splitlines())
    extra = {"java": "Mine.java", "c": "mine.c", "js": "mine.js", "python": "mine.py"}[language]
    (tmp_path / "mine.h").write_text(HEADER)
    assert "autograd-mini check tanh --csv -" in text

    def tested(mine, chosen=""):
        (tmp_path / extra).write_text(mine)
        command = compiled(tmp_path, language, text, name[language], compiler=False)
        build = {
            "java": "javac VectorsTest.java Mine.java",
            "c": "gcc -Wall -Wextra -Werror -std=c11 vectors_test.c mine.c -lm -o vectors_test",
        }
        if language in build and not chosen:
            subprocess.run(build[language], shell=True, cwd=tmp_path, check=True)
        return subprocess.run(f"{command} {chosen}", shell=True, cwd=tmp_path, capture_output=True, text=True)

    done = tested(mine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"1\d\d right, \d without their last digits, 0 wrong\n", done.stdout), done.stdout
    for task in tasks:
        found = judge(task, read(tested(mine, task.name).stdout, task))
        assert found.status == RIGHT, str(found)
        assert [*found.reports] == ["value", "derivative"]
        assert [[*flat(point)] for point in found.answers.points] == [[*flat(point)] for point in task.points]
    before, after = WRONG_TANH[language]
    assert before in mine
    wrong = mine.replace("cosh", "sinh").replace(before, after)
    done = tested(wrong)
    assert done.returncode == 1
    assert "; it changes its argument" in done.stdout
    assert "tanh: derivative at 0.5 is 3.68269" in done.stdout
    found = judge(tasks[2], read(tested(wrong, "softmax").stdout, tasks[2]))
    assert "softmax changes its argument" in str(found)


def test_the_command_writes_vectors(tmp_path, capsys):
    """To standard output or a file, which names the Java class; what cannot be named so is an error."""
    assert main(["vectors", "tanh"]) == 0
    assert capsys.readouterr().out.startswith(f"task,input,value,derivative\ntanh,0.5,{am.tanh(0.5)},")
    target = tmp_path / "TanhTest.java"
    assert main(["vectors", "tanh", "--format", "java", "-o", str(target)]) == 0
    assert "public class TanhTest {" in target.read_text()
    assert main(["vectors", "tanh", "--format", "java", "-o", str(tmp_path / "my-test.java")]) == 1
    assert "'my-test' cannot be the name of a Java class." in capsys.readouterr().err
