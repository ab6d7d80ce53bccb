"""Emitted code, run: real compilers and interpreters, with many functions in one call."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys

import pytest

from autograd_mini.compile.languages.emitted import LANGUAGES, outline_of
from autograd_mini.compile.languages.javascript import source
from autograd_mini.compile.languages.lowering import lowered
from autograd_mini.compile.languages.parameters import Arguments

PROGRAMS = {"python": (sys.executable,), "c": ("gcc",), "java": ("javac", "java"), "javascript": ("node",)}
GCC = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
FAST = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
JAVAC = ["javac", *[f"-J{option}" for option in FAST], "-Xlint:all", "-Werror"]


def needed(language):
    """Skip a test if a program that it needs is missing."""
    missing = [program for program in PROGRAMS[language] if shutil.which(program) is None]
    if missing and not os.environ.get("AUTOGRAD_MINI_NO_SKIP"):
        pytest.skip(f"{missing[0]} is not installed")


def called(command, folder, text=""):
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[:3000] + done.stdout[:1000]
    assert not done.stderr, done.stderr[:3000]
    return done.stdout


def build(language, source, folder, name="Main"):
    """Write and compile a source, without warnings; the command that runs it."""
    path = folder / f"{name}{LANGUAGES[language].suffix}"
    path.write_text(source, encoding="utf-8")
    if language == "c":
        called([*GCC, "-o", name, path.name, "-lm"], folder)
        return [f"./{name}"]
    if language == "java":
        called([*JAVAC, "-d", ".", path.name], folder)
        return ["java", *FAST, "-cp", ".", name]
    if language == "javascript":
        called(["node", "--check", path.name], folder)
        return ["node", path.name]
    return [sys.executable, "-W", "error", path.name]


def run(language, tapes, calls, folder, registers=False):
    """The results of tapes as functions f0, f1, ... of an array x that return an array y, for (function, numbers).

    With `registers`, what pages run in JavaScript: functions that return each register.
    """
    needed(language)
    sizes = [len(tape.outputs) for tape in tapes]
    if registers:
        made = [f"const f{i} = (() => {{\n{source(tape, 'f')}return f;\n}})();" for i, tape in enumerate(tapes)]
    code = "\n".join(made) if registers else code_of(language, tapes)
    most = max([1, *[len(tape.inputs) for tape in tapes], *sizes])
    text = "".join(f"{i} {len(xs)} {' '.join(map(repr, xs))}\n" for i, xs in calls)
    out = called(build(language, MAINS[language](code, sizes, most), folder), folder, text)
    rows = [[float(x.replace("Infinity", "inf")) for x in line.split()] for line in out.splitlines()]
    assert len(rows) == len(calls)
    return rows


def code_of(language, tapes):
    """All functions in one file, and once what they bring; in Java each brings its own."""
    outlines = []
    for i, tape in enumerate(tapes):
        arguments = Arguments(["x"], [[1.0] * len(tape.inputs)], LANGUAGES[language], f"f{i}", [0])
        outlines.append(outline_of(lowered(tape), arguments, "A tape", {}, "y"))
    helpers = [] if language == "java" else dict.fromkeys(text for one in outlines for text in one.helpers)
    alone = [one if language == "java" else dataclasses.replace(one, helpers=()) for one in outlines]
    return "\n".join([*helpers, *[LANGUAGES[language].file(one) for one in alone]])


def _python(code, sizes, most):
    return f"""import math
import sys
{code}
for line in sys.stdin:
    i, n, *xs = line.split()
    print(*globals()[f"f{{i}}"](list(map(float, xs))))
"""


def _c(code, sizes, most):
    cases = "".join(f"        case {i}: f{i}(x, y); m = {n}; break;\n" for i, n in enumerate(sizes))
    return f"""#include <math.h>
#include <stdio.h>
#include <stdlib.h>
{code}
int main(void) {{
    int i, n, m = 0;
    double x[{most}], y[{most}];
    while (scanf("%d %d", &i, &n) == 2) {{
        for (int j = 0; j < n; j++) if (scanf("%lf", &x[j]) != 1) return 1;
        switch (i) {{
{cases}        }}
        for (int j = 0; j < m; j++) printf("%.17g ", y[j]);
        printf("\\n");
    }}
    return 0;
}}
"""


def _java(code, sizes, most):
    cases = "".join(f"                case {i} -> F{i}.f{i}(x).y();\n" for i in range(len(sizes)))
    return f"""{code}
final class Main {{
    public static void main(String[] args) throws java.io.IOException {{
        java.io.BufferedReader in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        StringBuilder out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {{
            String[] words = line.replace("inf", "Infinity").replace("nan", "NaN").trim().split(" +");
            double[] x = new double[words.length - 2];
            for (int j = 0; j < x.length; j++) x[j] = Double.parseDouble(words[j + 2]);
            double[] y = switch (Integer.parseInt(words[0])) {{
{cases}                default -> throw new IllegalStateException();
            }};
            for (double number : y) out.append(number).append(' ');
            out.append('\\n');
        }}
        System.out.print(out);
    }}
}}
"""


def _javascript(code, sizes, most):
    return f"""{code}
import {{ readFileSync }} from "node:fs";
const functions = [{", ".join(f"f{i}" for i in range(len(sizes)))}];
const number = (text) => Number(text.replace("inf", "Infinity").replace("nan", "NaN"));
const out = readFileSync(0, "utf8").trimEnd().split("\\n").map((line) => {{
    const [i, n, ...words] = line.trim().split(" ");
    const made = functions[i](words.map(number));
    return [...(made.y ?? made)].map((y) => (Object.is(y, -0) ? "-0" : String(y))).join(" ");
}});
console.log(out.join("\\n"));
"""


MAINS = {"python": _python, "c": _c, "java": _java, "javascript": _javascript}
