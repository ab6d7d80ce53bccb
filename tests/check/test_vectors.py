"""Vectors as data and as ready tests, which pass and fail in real languages."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
import sys

import pytest

import autograd_mini as am
from autograd_mini.check.foreign import vectors
from autograd_mini.check.foreign.answers import read
from autograd_mini.check.tasks import flat, task_named
from autograd_mini.check.verdicts import RIGHT
from autograd_mini.cli import main
from tests.check.conftest import FAST, GCC, JAVAC, needed
from tests.effort import effort

TASKS = ["tanh", "relu", "softmax", "cross_entropy", "binary_cross_entropy", "mse", "log"]


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
            found = read(text, task)
            assert found.status == RIGHT
            assert found.points == [*task.points]
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


READY = {  # the test, the user's own file, and how they are compiled and started
    "java": ("VectorsTest.java", "Mine.java", f"{JAVAC} *.java", f"java {FAST} VectorsTest"),
    "c": ("vectors_test.c", "mine.c", f"{GCC} vectors_test.c mine.c -lm -o vectors_test", "./vectors_test"),
    "js": ("vectors_test.js", "mine.js", "", "node vectors_test.js"),
    "python": ("vectors_test.py", "mine.py", "", f"{sys.executable} vectors_test.py"),
}


@pytest.mark.parametrize("language", MINE)
def test_ready_tests(language, tmp_path):
    """In each language the test passes on right functions, fails on wrong ones, and prints what `check` reads."""
    tasks = [task_named(name) for name in ("tanh", "relu", "mse", "softmax")]
    name, extra, build, start = READY[language]
    needed(*build.split()[:1], start.split()[0].removeprefix("./vectors_test") or "gcc")
    text = vectors.written(tasks, language, name)
    assert "autograd-mini check tanh --csv -" in text
    (tmp_path / name).write_text(text)
    (tmp_path / "mine.h").write_text(HEADER)

    def made(mine):
        (tmp_path / extra).write_text(mine)
        subprocess.run(build or "true", shell=True, cwd=tmp_path, check=True)

    def tested(chosen=""):
        return subprocess.run(f"{start} {chosen}", shell=True, cwd=tmp_path, capture_output=True, text=True)

    mine = "\n".join(line[8:] for line in MINE[language].splitlines())
    made(mine)
    done = tested()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"1\d\d right, \d without their last digits, 0 wrong\n", done.stdout), done.stdout
    for task in tasks[effort(-2, 0) :]:
        found = read(tested(task.name).stdout, task)
        assert found.status == RIGHT, str(found)
        assert [*found.reports] == ["value", "derivative"]
        assert [[*flat(point)] for point in found.points] == [[*flat(point)] for point in task.points]
    before, after = WRONG_TANH[language]
    assert before in mine
    made(mine.replace("cosh", "sinh").replace(before, after))
    done = tested()
    assert done.returncode == 1
    assert "; it changes its argument" in done.stdout
    assert "tanh: derivative at 0.5 is 3.68269" in done.stdout
    found = read(tested("softmax").stdout, tasks[3])
    assert "softmax changes its argument" in str(found)


def test_the_command_writes_vectors(tmp_path, capsys):
    """Vectors go to standard output or to a file, which names the Java class; a name that Java forbids is an error."""
    assert main(["vectors", "tanh"]) == 0
    assert capsys.readouterr().out.startswith(f"task,input,value,derivative\ntanh,0.5,{am.tanh(0.5)},")
    target = tmp_path / "TanhTest.java"
    assert main(["vectors", "tanh", "--format", "java", "-o", str(target)]) == 0
    assert "public class TanhTest {" in target.read_text()
    assert main(["vectors", "tanh", "--format", "java", "-o", str(tmp_path / "my-test.java")]) == 2
    assert "'my-test' cannot be the name of a Java class." in capsys.readouterr().err
