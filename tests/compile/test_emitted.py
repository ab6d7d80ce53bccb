"""`emit`: value and derivatives as readable source, which computes what the package computes."""

from __future__ import annotations

import itertools
import linecache
import math
import random
import re
import subprocess
import sys

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.cli import main
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.languages.emitted import emit
from autograd_mini.compile.languages.java import class_of
from autograd_mini.core.table import take_of
from autograd_mini.errors import ArgumentError, OperandError, TraceError
from tests.compile.foreign import FAST, GCC, JAVAC, LANGUAGES, called, needed
from tests.compile.test_languages import FEW
from tests.core.test_traps import FUNCTIONS, SCOPE, agrees
from tests.effort import effort


def cross_entropy(z, t):
    return am.cross_entropy(z, t)


def by_hand(z, t):
    e = [am.exp(x) for x in z]
    s = sum(e)
    return -sum(tj * am.log(ej / s) for tj, ej in zip(t, e, strict=True))


def layer(w, b, x):
    h = [am.tanh(am.dot(row, x) + c) for row, c in zip(w, b, strict=True)]
    return am.sum([v * v for v in h])


def network(w1, b1, w2, b2, x, target):
    h = [am.tanh(am.dot(row, x) + b) for row, b in zip(w1, b1, strict=True)]
    z = [am.dot(row, h) + b for row, b in zip(w2, b2, strict=True)]
    return am.cross_entropy(z, target)


def settings_of(p, x):
    return p["scale"] * am.norm(x) + am.sum([a * b for a, b in zip(p["w"], x, strict=True)])


def price(s, k, t):
    d = (am.log(s / k) + 0.5 * t) / am.sqrt(t)
    return s * am.ndtr(d) - k * am.ndtr(d - am.sqrt(t))


def mixture(xs, means, scales, logits):
    weights = am.log_softmax(logits)
    terms = [
        am.logsumexp([w - 0.5 * ((x - m) / s) ** 2 - am.log(s) for w, m, s in zip(weights, means, scales, strict=True)])
        for x in xs
    ]
    return -am.sum(terms)


def attention(q, k, v):
    total = 0.0
    for row in q:
        a = am.softmax([am.dot(row, other) / math.sqrt(2.0) for other in k])
        total = total + am.sum([am.dot(a, [other[m] for other in v]) ** 2 for m in range(2)])
    return total


def recurrent(w, u, b, xs, h):
    for x in xs:
        h = [am.tanh(c * x + am.dot(row, h) + d) for c, row, d in zip(w, u, b, strict=True)]
    return am.sum([a * a for a in h])


def pieces(x):
    outer = am.where(x < 2.0, x - 0.5, am.where(x == 3.0, am.log(x), am.sqrt(x)))
    return am.where(x < -1.0, -x - 0.5, am.where(x < 1.0, x * x / 2.0, outer))


def floors(z):
    """Sums and maxima are no index of a largest element, so their floor is not left out."""
    taken = am.take(z, am.sum(z)) + am.take(z, am.maximum(*z)) * z[3]
    return am.floor(am.sum(z)) * z[0] + am.floor(am.minimum(*z)) * z[1] + taken


ROWS = [[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]]
LISTS = [
    (cross_entropy, ([1.0, 2.0, 3.0], [0.0, 1.0, 0.0])),
    (by_hand, ([1.0, -2.0, 0.5, 2.0], [0.25, 0.25, 0.5, 0.0])),
    (layer, ([[0.1, 0.2, 0.3], [0.4, -0.5, 0.6]], [0.1, 0.2], [1.0, 2.0, 3.0])),
    (
        network,
        (
            [[0.1, 0.2, 0.3]] * 4,
            [0.1] * 4,
            [[0.1, 0.2, 0.3, 0.4]] * 3,
            [0.0, 0.1, 0.2],
            [1.0, 2.0, 3.0],
            [0.0, 1.0, 0.0],
        ),
    ),
    (
        lambda x, w: am.logsumexp([x * v + 1.0 for v in w[0]]) + am.softmax([am.sum(r) for r in w])[1],
        (0.5, [[1.0, 2.0, 3.0]] * 3),
    ),
    (settings_of, ({"scale": 2.0, "w": [1.0, 2.0, 3.0]}, [3.0, 4.0, 12.0])),
    (price, (100.0, 95.0, 0.25)),
    (lambda z: am.logsumexp(z) + am.maximum(*z), ([0.5, 1.5, -1.0, 0.0, 1.5],)),
    (lambda z: am.softmax(z)[2] * am.mean(z), ([0.5, 1.5, -1.0, 0.0],)),
    (lambda z, y: am.sum([a * a for a in z]) / y, ([1.0, 2.0, 3.0], 2.0)),
    (lambda x: am.erf(x) + am.erfinv(x), (0.3,)),
    (lambda z: 2.0, ([1.0, 2.0, 3.0],)),
    (lambda z: z[1], ([1.0, 2.0, 3.0],)),
    (lambda z: am.mse(z, [1.0, 0.0, 2.0]) + am.huber(z, [0.0, 0.0, 0.0]), ([1.0, 2.0, 3.0],)),
    (
        lambda a, b: am.sum([x % y + am.floor(x) for x, y in zip(a, b, strict=True)]),
        ([5.0, -7.0, 2.5], [3.0, 3.0, -2.0]),
    ),
    (lambda x, p: x**p + round(x, 1) + am.sign(x), (1.25, 3.0)),
    (mixture, ([1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 2.0], [0.5, 1.0, 1.5], [0.2, 0.3, 0.4])),
    (attention, (ROWS, ROWS[::-1], ROWS)),
    (recurrent, ([0.1, 0.2, 0.3], [[0.1, 0.2, 0.3]] * 3, [0.0, 0.1, 0.2], [1.0, 2.0, -1.0, 0.5, 0.3], [0.0] * 3)),
    (pieces, (0.5,)),
    (floors, ([1.0, 2.0, 0.5, 0.25],)),
]


def numbers(tree):
    if isinstance(tree, dict):
        return numbers([*tree.values()])
    return [x for part in tree for x in numbers(part)] if isinstance(tree, (list, tuple)) else [tree]


def flat(outline, xs):
    """Numbers as arguments of the emitted function."""
    rest, arguments = iter(xs), []
    for p in outline.parameters:
        arguments.append(next(rest) if p.length is None else [*itertools.islice(rest, p.length)])
    return arguments


def same(a, b):
    return [*map(repr, a)] == [*map(repr, b)]


@pytest.mark.parametrize("case", range(len(LISTS)))
def test_python(case):
    """The emitted Python has the bits of the tape, at random and at special numbers."""
    f, example = LISTS[case]
    code = emit(f, *example)
    rng, run, has_expansions = random.Random(case), Program(code.tape), "ndtr" in str(code) or "erfinv" in str(code)
    n = len(numbers(list(example)))
    function = code.function
    for i in range(effort(60, 2000)):
        xs = numbers(list(example)) if i == 0 else [rng.choice([*FEW, rng.uniform(-2.0, 2.0)]) for _ in range(n)]
        if i % 2:
            xs = [rng.uniform(-2.0, 2.0) for _ in range(n)]
        got, expected = numbers(function(*flat(code.outline, xs))), run(xs)
        assert same(got, expected) or (has_expansions and near(got, expected)), (xs, got, expected, str(code))


def near(got, expected):
    return all(
        math.isclose(a, b, rel_tol=1e-11, abs_tol=1e-300) or repr(a) == repr(b)
        for a, b in zip(got, expected, strict=True)
    )


def list_program(rng, n, kinds="abcdefghij"):
    """A function of two lists of n numbers and one number; the first ten kinds of steps have C8 operations only."""
    steps = [
        (rng.choice(kinds), rng.randrange(9), rng.randrange(9), rng.randrange(9)) for _ in range(rng.randrange(1, 6))
    ]

    def f(x, y, c):
        lists, scalars = [[*x], [*y]], [c, 2.0, -0.5]
        for kind, i, j, k in steps:
            u, v, s = lists[i % len(lists)], lists[j % len(lists)], scalars[k % len(scalars)]
            match kind:
                case "a":
                    lists.append([a * b for a, b in zip(u, v, strict=True)])
                case "b":
                    lists.append([a + s for a in u])
                case "c":
                    scalars.append(am.sum(u))
                case "d":
                    scalars.append(am.dot(u, v))
                case "e":
                    lists.append([am.where(a > s, a, b) for a, b in zip(u, v, strict=True)])
                case "f":
                    scalars.append(am.maximum(*u))
                case "g":
                    scalars.append(sum(u[::-1]) * u[i % n])
                case "i":
                    lists.append([a * u[j % n] for a in v])
                case "j":
                    lists.append([u[j % n] * a - u[k % n] for a in u])
                case "k":
                    lists.append(am.softmax(u))
                case "l":
                    scalars.append(am.logsumexp(v))
                case "m":
                    lists.append([am.tanh(a) * s for a in u])
                case "n":
                    scalars.append(am.cross_entropy(u, [abs(b) for b in v]))
                case "h":
                    lists.append([a * float(m) - b / (s * s + 1.0) for m, (a, b) in enumerate(zip(u, v, strict=True))])
        return am.sum(lists[-1]) + scalars[-1] * c

    return f


def condition_program(rng, n):
    """A function of two lists and a number, with C8 operations and conditions that are joined and used again."""
    steps = [(rng.choice("abcdefghi"), *[rng.randrange(9) for _ in range(5)]) for _ in range(rng.randrange(2, 7))]

    def f(x, y, c):
        lists, scalars = [[*x], [*y]], [c, 1.0, -0.5]
        conditions = [[a > b for a, b in zip(x, y, strict=True)], [a <= c for a in x]]
        for kind, i, j, k, m, o in steps:
            u, v, s = lists[i % len(lists)], lists[j % len(lists)], scalars[k % len(scalars)]
            p, q = conditions[m % len(conditions)], conditions[o % len(conditions)]
            match kind:
                case "a":
                    conditions.append([a & b for a, b in zip(p, q, strict=True)])
                case "b":
                    conditions.append([a | ~b for a, b in zip(p, q, strict=True)])
                case "c":
                    conditions.append([a & q[i % n] for a in p])
                case "d":
                    conditions.append([a * 2.0 > b for a, b in zip(u, v, strict=True)])
                case "e":
                    lists.append([am.where(a, b, d) for a, b, d in zip(p, u, v, strict=True)])
                case "f":
                    lists.append([am.where(a & b, d * s, d) for a, b, d in zip(p, q, u, strict=True)])
                case "g":
                    scalars.append(am.where(p[j % n] | q[0], u[0], s))
                case "h":
                    scalars.append(am.sum([am.where(a, b, 0.5) for a, b in zip(p, u, strict=True)]))
                case "i":
                    lists.append([am.where(a, b, s) + float(t) for t, (a, b) in enumerate(zip(q, v, strict=True))])
        chosen = am.sum([am.where(a, b, -b) for a, b in zip(conditions[-1], lists[-2], strict=True)])
        return am.sum(lists[-1]) * scalars[-1] + chosen

    return f


def matrix_program(rng, rows, columns):
    """A function of a matrix and a vector, with C8 operations, a fold of each row and the index of the largest."""
    how = [rng.randrange(3) for _ in range(4)]

    def f(w, x):
        y = [am.dot(row, x) if how[0] else am.sum(row) for row in w]
        y = [am.maximum(a, 0.0) * x[0] if how[1] else a + float(i) for i, a in enumerate(y)]
        columns_of = [am.sum([row[j] * (y[0] if how[2] else 2.0) for row in w]) for j in range(columns)]
        k, largest = 0.0, y[0]
        for i, a in enumerate(y[1:], 1):
            is_larger = a > largest
            k, largest = am.where(is_larger, float(i), k), am.where(is_larger, a, largest)
        taken = take_of(k, *y)
        choices = am.sum([am.where(k == float(i), a, -a) for i, a in enumerate(y)])
        indices = am.sum([float(i) / (k + 1.0) * a - k / (float(i) + 1.0) for i, a in enumerate(y)])  # not of integers
        return am.sum(columns_of) * taken + choices + indices + (1.0 / -k if how[3] else x[0] * k / 2.0)

    return f


def network_program(rng, inputs, hidden, outputs):
    """A function of two layers and an input, with C8 operations, written as people write it."""
    how = [rng.randrange(4) for _ in range(12)]

    def layer(w, b, x, how, final):
        match how[0]:
            case 0:
                z = [am.dot(row, x) + c for row, c in zip(w, b, strict=True)]
            case 1:
                z = [sum((a * u for a, u in zip(row, x, strict=True)), c) for row, c in zip(w, b, strict=True)]
            case 2:
                z = [c + sum(a * u for a, u in zip(row, x, strict=True)) for row, c in zip(w, b, strict=True)]
            case 3:
                z = [am.sum([c, *[a * u for a, u in zip(row[::-1], x[::-1], strict=True)], 0.5])
                     for row, c in zip(w, b, strict=True)]  # fmt: skip
        match how[1] if not final else 3:
            case 0:
                return [am.maximum(a, 0.0) for a in z]
            case 1:
                return [a / (1.0 + abs(a)) for a in z]
            case 2:
                return [am.where(a > z[0], a * x[0], b[0] * a) for a in z]
        return z

    def f(w1, b1, w2, b2, x):
        if how[8] == 0:  # the rows of a matrix on both sides
            w2 = [[am.dot(row, other) for other in w2] for row in w2]
            w2 = [[row[j % outputs] for j in range(hidden)] for row in w2]
        if how[9] == 0:  # all elements are used twice
            w1 = [[a * a + a for a in row] for row in w1]
        h = layer(w1, b1, x, how[:2], False)
        y = layer(w2, b2, h, how[2:4], how[4])
        if how[5] == 0:
            y = [am.maximum(*[a * b for a in h]) * b for b in y]
        total = am.sum(y) if how[6] else am.maximum(*[y[0] * a for a in h])
        penalty = am.sum([am.sum([a * a for a in row]) for row in w1]) if how[7] else w1[0][-1] * w2[-1][0]
        return total * penalty + (am.sum([row[0] * c for row, c in zip(w1, b1, strict=True)]) if how[10] else 0.0)

    return f


def network_example(inputs, hidden, outputs):
    return [[1.0] * inputs] * hidden, [0.5] * hidden, [[1.0] * hidden] * outputs, [0.5] * outputs, [2.0] * inputs


@given(st.integers(0, 10**9))
@settings(max_examples=effort(60, 3000), deadline=None)
def test_networks_keep_bits(seed):
    """Loops inside loops have the bits of the tape."""
    rng = random.Random(seed)
    sizes = [rng.choice([1, 2, 3, 3, 4, 5]) for _ in range(3)]
    code = emit(network_program(rng, *sizes), *network_example(*sizes))
    run, function = Program(code.tape), code.function
    for _ in range(5):
        xs = [rng.choice([*FEW, *[rng.uniform(-3.0, 3.0)] * 6]) for _ in code.tape.inputs]
        got, expected = numbers(function(*flat(code.outline, xs))), run(xs)
        assert same(got, expected), (xs, got, expected, str(code))


@pytest.mark.parametrize("language", LANGUAGES)
def test_networks_have_loops(language):
    """The code of a network is as long for many neurons as for few."""

    def loss(w1, b1, w2, b2, x, t):
        h = [am.tanh(am.dot(row, x) + c) for row, c in zip(w1, b1, strict=True)]
        return am.cross_entropy([am.dot(row, h) + c for row, c in zip(w2, b2, strict=True)], t)

    few, many = [
        len(str(emit(loss, *network_example(*sizes), [0.2] * sizes[2], language=language)).splitlines())
        for sizes in ((6, 5, 4), (20, 15, 10))
    ]
    assert abs(many - few) <= 4  # lines that declare arrays may be longer
    assert many < 130


@given(st.integers(0, 10**9))
@settings(max_examples=effort(40, 2000), deadline=None)
def test_matrices_keep_bits(seed):
    """Rows, columns and what is gathered from them have the bits of the tape."""
    rng = random.Random(seed)
    rows, columns = rng.choice([2, 3, 4, 5]), rng.choice([1, 2, 3, 4])
    code = emit(matrix_program(rng, rows, columns), [[1.0] * columns] * rows, [0.5] * columns)
    run, function = Program(code.tape), code.function
    for _ in range(5):
        xs = [rng.choice([*FEW, *[rng.uniform(-3.0, 3.0)] * 6]) for _ in range(rows * columns + columns)]
        got, expected = numbers(function(*flat(code.outline, xs))), run(xs)
        assert same(got, expected), (xs, got, expected, str(code))


@given(st.integers(0, 10**9))
@settings(max_examples=effort(80, 4000), deadline=None)
def test_loops_keep_bits(seed):
    """Whatever becomes a loop or is left out, every bit is that of the tape before all passes of languages."""
    rng = random.Random(seed)
    n = rng.choice([1, 2, 3, 4, 7])
    f = list_program(rng, n, "abcdefghijklmn") if rng.random() < 0.6 else condition_program(rng, n)
    derivative = rng.choice(["gradient"] * 4 + ["hessian"] * (n < 4))
    code = emit(f, [1.0] * n, [0.5] * n, 2.0, derivative=derivative)
    before = am.jit(am.value_and_grad(f, (0, 1, 2)), backend="interpreter")
    run, function = Program(code.tape), code.function
    for _ in range(5):
        xs = [rng.choice([*FEW, *[rng.uniform(-3.0, 3.0)] * 6]) for _ in range(2 * n + 1)]
        arguments = flat(code.outline, xs)
        got, expected = numbers(function(*arguments)), run(xs)
        assert same(got, expected), (xs, got, expected, str(code))
        assert derivative == "hessian" or same(got, numbers(before(*arguments))), (xs, str(code))


# -- other languages ---------------------------------------------------------------------------------------------------


def literal(language, x):
    if isinstance(x, list):
        inner = ", ".join(literal(language, y) for y in x)
        return {"java": f"new double[] {{{inner}}}", "c": f"(const double[]) {{{inner}}}"}.get(language, f"[{inner}]")
    return LANGUAGES[language].literal(x)


def run_all(language, codes, calls, folder):
    """The results of emitted functions; `calls` are (function, arguments). One call of the compiler."""
    needed(language)
    names = [code.save(folder / code.file).name for code in codes]
    lines = []
    for number, (i, arguments) in enumerate(calls):
        outline, given = codes[i].outline, ", ".join(literal(language, x) for x in arguments)
        name = outline.name
        match language:
            case "java":
                made = [f"r.{p.name}()" for p in outline.derivatives]
                printed = " ".join(f"show({x});" for x in [*["r.value()"] * bool(outline.value), *made])
                lines.append(
                    f"static void c{number}() {{ var r = {class_of(name)}.{name}({given}); {printed} end(); }}"
                )
            case "c":
                made = ", ".join(f"d{j}" for j in range(len(outline.derivatives)))
                declared = " ".join(f"double d{j}[{p.length or 1}];" for j, p in enumerate(outline.derivatives))
                call = f"{name}({given}, {made});"
                call = f"double v = {call} show(&v, 1);" if outline.value else call
                printed = " ".join(f"show(d{j}, {p.length or 1});" for j, p in enumerate(outline.derivatives))
                lines.append(f'static void c{number}(void) {{ {declared} {call} {printed} puts(""); }}')
            case "javascript":
                lines.append(f"show({name}({given}));")
    inner = "\n".join(lines)
    if language == "java":
        parts = [lines[start : start + 100] for start in range(0, len(lines), 100)]  # a class has 65,535 constants
        texts = ["\n".join(part) for part in parts]
        classes = "\n".join(f"final class Part{i} extends Shown {{\n{text}\n}}" for i, text in enumerate(texts))
        calls_text = "\n".join(f"Part{i // 100}.c{i}();" for i in range(len(calls)))
        (folder / "Run.java").write_text(f"""class Shown {{
static void show(double... xs) {{ for (double x : xs) System.out.print(x + " "); }}
static void end() {{ System.out.println(); }} }}
{classes}
final class Run {{ public static void main(String[] args) {{ {calls_text} }} }}""")
        called([*JAVAC, "-d", ".", "Run.java", *names], folder)
        out = called(["java", *FAST, "-cp", ".", "Run"], folder)
    elif language == "c":
        heads = "\n".join(prototype(code) for code in codes)
        calls_text = "\n".join(f"c{i}();" for i in range(len(calls)))
        (folder / "run.c").write_text(f"""#include <math.h>
#include <stdio.h>
{heads}
static void show(const double *x, int n) {{ for (int i = 0; i < n; i++) printf("%.17g ", x[i]); }}
{inner}
int main(void) {{ {calls_text} return 0; }}""")
        called([*GCC, "-o", "run", "run.c", *names, "-lm"], folder)
        out = called(["./run"], folder)
    else:
        imports = "\n".join(f'import {{ {c.name} }} from "./{file}";' for c, file in zip(codes, names, strict=True))
        text = f"""{imports}
const show = (r) => console.log(Object.values(r).flat().map((x) => (Object.is(x, -0) ? "-0" : String(x))).join(" "));
{inner}"""
        (folder / "run.mjs").write_text(text)
        called(["node", "--check", "run.mjs"], folder)
        out = called(["node", "run.mjs"], folder)
    return [[float(x.replace("Infinity", "inf")) for x in line.split()] for line in out.splitlines()]


def prototype(code):
    return re.search(rf"^(?:double|void) {code.name}\([^)]*\)", code.source, re.M)[0] + ";"


@pytest.mark.parametrize("language", ["c", "java", "javascript"])
def test_compiled(language, tmp_path):
    """Emitted programs compile without warnings, and have the bits of the tape where the functions are exact."""
    rng, codes, calls, exact = random.Random(2), [], [], []
    for f, example in LISTS:
        codes.append(emit(f, *example, language=language, name=f"f{len(codes)}"))
        exact.append(False)
    for i in range(effort(15, 200)):
        n = rng.choice([2, 3, 5])
        codes.append(emit(list_program(rng, n), [1.0] * n, [0.5] * n, 2.0, language=language, name=f"f{len(codes)}",
                          derivative="hessian" if i % 5 == 4 and n < 5 else "gradient"))  # fmt: skip
        if i % 3 == 0:
            codes.append(emit(condition_program(rng, n), [1.0] * n, [0.5] * n, 2.0, language=language,
                              name=f"f{len(codes)}"))  # fmt: skip
        shape = rng.choice([(2, 3), (3, 2), (4, 4)])
        codes.append(emit(matrix_program(rng, *shape), [[1.0] * shape[1]] * shape[0], [0.5] * shape[1],
                          language=language, name=f"f{len(codes)}"))  # fmt: skip
        sizes = rng.choice([(3, 4, 3), (4, 3, 5), (3, 3, 3)])
        codes.append(emit(network_program(rng, *sizes), *network_example(*sizes),
                          language=language, name=f"f{len(codes)}"))  # fmt: skip
        exact = [*exact, *[True] * (len(codes) - len(exact))]
    inputs = []
    for i, code in enumerate(codes):
        n = len(code.tape.inputs)
        for j in range(6):
            xs = [rng.uniform(-2.0, 2.0) if j < 3 or rng.random() < 0.6 else rng.choice(FEW) for _ in range(n)]
            xs = numbers(list(LISTS[i][1])) if j == 0 and i < len(LISTS) else xs
            inputs.append((i, xs))
            calls.append((i, flat(code.outline, xs)))
    for (i, xs), got in zip(inputs, run_all(language, codes, calls, tmp_path), strict=True):
        expected = Program(codes[i].tape)(xs)
        assert same(got, expected) if exact[i] else close(got, expected), (i, xs, got, expected, codes[i].source)


def close(got, expected):
    """Within the errors of the functions of two languages."""
    size = max([abs(x) for x in expected if math.isfinite(x)], default=1.0)
    return all(
        (math.isnan(a) and math.isnan(b)) or a == b or abs(a - b) <= 1e-10 * max(abs(b), min(size, 1.0))
        for a, b in zip(got, expected, strict=True)
    )


@pytest.mark.parametrize("language", ["c", "java", "javascript"])
def test_traps_of_emitted(language, tmp_path):
    """Every trap of one expression has the right value and gradient from the emitted program."""
    traps = [trap for trap in FUNCTIONS if trap["order"] == 1][:: effort(4, 1)]  # all of them: test_languages
    codes, calls = [], []
    for i, trap in enumerate(traps):
        names = [*trap["inputs"]]
        scope = dict(SCOPE)
        exec(f"def f({', '.join(names)}): return {trap['expression']}", scope)
        codes.append(emit(scope["f"], *[1.0] * len(names), language=language, name=f"trap_{i}"))
        calls.append((i, [float(x) for x in trap["inputs"].values()]))
    for trap, got in zip(traps, run_all(language, codes, calls, tmp_path), strict=True):
        truths = {"value": trap["expected_value"], **trap["expected_grads"]}
        for (name, truth), number in zip(truths.items(), got, strict=True):
            answers = [truth, *trap["also_accept"].get(name, [])]
            assert any(agrees(number, answer, trap) for answer in answers), (trap["id"], name, number, answers)


@pytest.mark.parametrize("f", [cross_entropy, by_hand])
def test_seed_case(f, tmp_path):
    """Java of softmax with cross-entropy, compiled and run: the gradient is the closed form a - t, within an ulp of 1;
    two with a formula by hand.
    """
    code = emit(f, [1.0, 2.0, 3.0], [0.0, 1.0, 0.0], language="java", argnums=0)
    assert len(code.source.splitlines()) <= 35
    rng, calls = random.Random(3), []
    for _ in range(effort(40, 2000)):
        z, t = [rng.uniform(-3.0, 3.0) for _ in range(3)], [0.0, 0.0, 0.0]
        t[rng.randrange(3)] = 1.0
        calls.append((0, [z, t]))
    for (_, (z, t)), got in zip(calls, run_all("java", [code], calls, tmp_path), strict=True):
        with mpmath.workdps(40):
            e = [mpmath.exp(x) for x in z]
            closed = [x / mpmath.fsum(e) - b for x, b in zip(e, t, strict=True)]
        for number, truth in zip(got[1:], closed, strict=True):
            assert abs(number - truth) <= (1 if f is cross_entropy else 2) * math.ulp(1.0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_test_of_the_code(language, tmp_path):
    """Beside the code there is a test in the same language, which says "ok", or fails if a number is wrong."""
    needed(language)
    code = emit(layer, *LISTS[2][1], language=language, test=True)
    for is_wrong in (False, True):
        path = code.save(tmp_path / code.file)
        if is_wrong:
            path.write_text(
                code.source.replace("1.0", "1.5") if "1.0" in code.source else code.source.replace("+=", "-=")
            )
        stem = "LayerTest" if language == "java" else f"{path.stem}_test"
        test = path.with_name(stem + path.suffix)
        command = {"python": [sys.executable, test.name], "javascript": ["node", test.name], "c": ["./t"],
                   "java": ["java", *FAST, "-cp", ".", stem]}[language]  # fmt: skip
        if language == "c":
            called([*GCC, "-o", "t", test.name, "-lm"], tmp_path)
        if language == "java":
            called([*JAVAC, "-d", ".", path.name, test.name], tmp_path)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode != 0, "ok" in done.stdout) == (is_wrong, not is_wrong), done


@pytest.mark.parametrize(
    ("language", "file"), [("python", "my-loss.py"), ("python", "class.py"), ("javascript", "a #%b.mjs")]
)
def test_test_of_a_file_of_any_name(language, file, tmp_path):
    """The test finds the code also where the file's name is no name of the language."""
    needed(language)
    path = emit(layer, *LISTS[2][1], language=language, test=True).save(tmp_path / file)
    test = path.with_name(f"{path.stem}_test{path.suffix}").name
    assert "ok" in called(["node" if language == "javascript" else sys.executable, test], tmp_path)


def test_what_is_readable():
    """The user's names and expressions are in the code, lists become loops, and lengths are checked."""
    text = str(emit(by_hand, [1.0, 2.0, 3.0], [0.0, 1.0, 0.0], language="java"))
    assert "e[i] = Math.exp(z[i]);  // am.exp(x)" in text
    assert "double s = 0.0;" in text
    assert "double ds =" in text
    assert text.count("Math.exp") == 1
    text = str(emit(mixture, *next(example for f, example in LISTS if f is mixture), language="java"))
    assert "boolean[] holds" in text
    assert max(len(line) for line in text.splitlines() if "static" not in line) < 130
    with pytest.raises(ValueError, match="z takes 3 numbers"):
        emit(by_hand, [1.0, 2.0, 3.0], [0.0, 1.0, 0.0]).function([1.0], [1.0])


def collisions(hypot_3, hypot3, take_4, take4, test_failures, test_expected, part, i, j, round_minus_1, roundMinus1):
    size = am.hypot(hypot_3, hypot3, take_4)
    taken = take_of(am.floor(i), take4, part, j, test_failures)
    return size * taken + test_expected * round(round_minus_1, -1) + round(roundMinus1, 2) * am.erf(part)


def long_names(weights_of_the_first_hidden_layer_of_it, inputs_of_the_first_hidden_layer_of_it):
    w, x = weights_of_the_first_hidden_layer_of_it, inputs_of_the_first_hidden_layer_of_it
    rows = [am.sum([a * b * c / (c + b) for a, b in zip(row, x, strict=True)]) for row, c in zip(w, x, strict=True)]
    return am.sum([am.tanh(a) for a in rows]) * am.where(x[0] > x[1], w[0][0], w[1][1])


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_all_kinds(language, tmp_path):
    """A parameter may be named like a helper or test function of the code, or be half a line long."""
    rng, codes, calls, points = random.Random(9), [], [], []
    for f, example in (
        (collisions, [1.5 + 0.25 * i for i in range(11)]),
        (long_names, ([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]], [1.0, 2.0, 3.0])),
    ):
        codes.append(emit(f, *example, language=language, test=True))
        for _ in range(3):
            points.append([x * rng.uniform(0.9, 1.1) for x in numbers(list(example))])
            calls.append((len(codes) - 1, flat(codes[-1].outline, points[-1])))
    if language == "python":
        found = [numbers(codes[i].function(*xs)) for i, xs in calls]
    else:
        found = run_all(language, codes, calls, tmp_path)
    for (i, _), xs, got in zip(calls, points, found, strict=True):
        assert close(got, Program(codes[i].tape)(xs)), codes[i].source
    if language == "c":
        called([*GCC, "-o", "t", "collisions_test.c", "-lm"], tmp_path)
        assert "ok" in called(["./t"], tmp_path)


def test_long_programs():
    """A long program takes time in proportion; no line of it is so long that a compiler would give up."""

    def f(x):
        y = x
        for i in range(700):
            y = am.sin(y * 1.5 + float(i)) * 0.5 + x
        return y

    code = emit(f, 0.3)
    assert max(map(len, code.source.splitlines())) < 200
    assert same(numbers(code.function(0.25)), Program(code.tape)([0.25]))


def test_names_do_not_collide():
    """Reserved words, functions of the code and parameters do not collide."""

    def f(lambda_, exp, log, i, d_x, x):
        double = am.exp(exp) + am.log(log)
        total = double * i + d_x
        return am.sum([total * v for v in x]) + lambda_

    example = 1.0, 2.0, 3.0, 4.0, 5.0, [1.0, 2.0, 3.0]
    code = emit(f, *example, name="print")
    xs = numbers(list(example))
    assert same(numbers(code.function(*flat(code.outline, xs))), Program(code.tape)(xs))


def index_of_largest(z):
    k, largest = 0.0, z[0]
    for i, x in enumerate(z[1:], 1):
        is_larger = x > largest
        k, largest = am.where(is_larger, float(i), k), am.where(is_larger, x, largest)
    return k, take_of(k, *z)


def fractions(z):
    k, largest = index_of_largest(z)
    return am.sum([x / (float(i) / k) for i, x in enumerate(z)]) + largest + am.where(k > 0.0, k, z[1]) / 2.0


def negative(z):
    k, largest = index_of_largest(z)
    return 1.0 / -k + largest


@pytest.mark.parametrize("language", LANGUAGES)
def test_indices_are_numbers(language, tmp_path):
    """An index that the code keeps as an integer has a negative zero and a fraction where it is used as a number."""
    codes = [emit(f, [1.0, 2.0, 3.0, 4.0], language=language) for f in (fractions, negative)]
    points = [[3.0, 1.0, 2.0, 0.0], [1.0, 3.0, 2.0, 0.0], [1.0, 2.0, 1.0, 3.0]]
    calls = [(i, [xs]) for i in range(2) for xs in points]
    if language == "python":
        found = [numbers(codes[i].function(*xs)) for i, xs in calls]
    else:
        found = run_all(language, codes, calls, tmp_path)
    for (i, (xs,)), got in zip(calls, found, strict=True):
        assert re.search(r"for .* = ?1; |for i in range\(1, 4\)", codes[i].source)
        assert same(got, Program(codes[i].tape)(xs)), (xs, got, codes[i].source)


@pytest.mark.parametrize("language", LANGUAGES)
def test_letters(language, tmp_path):
    """Greek letters and backslashes are for Python; other compilers may not know them."""

    def f(σ, x, Σ, é, è):
        μ = σ * x if "\\user" else x
        return μ * μ + Σ * é - è

    code = emit(f, 1.0, 2.0, 3.0, 4.0, 5.0, language=language)
    assert code.source.isascii()
    assert [p.name for p in code.outline.parameters] == ["sigma", "x", "Sigma", "e", "e_"]
    if language != "python":
        run_all(language, [code], [(0, [1.0, 2.0, 3.0, 4.0, 5.0])], tmp_path)


@pytest.mark.parametrize("language", ["c", "java", "javascript"])
def test_names_of_functions(language, tmp_path):
    """A function may be called like a word or a class of the language."""
    names = ["class", "int", "string", "math", "result", "main", "illegal_argument_exception", "assertion_error",
             "λ", "2nd", "a-b", "value", "exp", "object", "record", "function", "test_differ", "tanh", "trunc",
             "puts", "isnan", "size_t", "printf", "Array", "console", "RangeError", "M_PI"]  # fmt: skip
    codes = [emit(lambda x: am.exp(x[0]) * x[1], [1.0, 2.0], language=language, name=name, test=True) for name in names]
    found = run_all(language, codes, [(i, [[0.5, 2.0]]) for i in range(len(codes))], tmp_path)
    assert all(close(got, Program(codes[0].tape)([0.5, 2.0])) for got in found)
    if language == "java":
        called(
            [*JAVAC, "-d", ".", *[path.name for path in tmp_path.glob("*.java") if path.name != "Run.java"]], tmp_path
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_arguments_like_names_of_the_language(language, tmp_path):
    """An argument may be called like what the code or its test calls, and like a macro."""
    code = emit(lambda puts, Array, RangeError, EOF, asm: am.dot(puts, Array) * am.norm(RangeError) * EOF + asm,
                *[[1.0, 2.0, 3.0]] * 3, 2.0, 3.0, language=language, test=True)  # fmt: skip
    xs = [1.0, 2.0, 3.0] * 3 + [2.0, 3.0]
    arguments = flat(code.outline, xs)
    found = numbers(code.function(*arguments)) if language == "python" else run_all(
        language, [code], [(0, arguments)], tmp_path)[0]  # fmt: skip
    assert close(found, Program(code.tape)(xs))
    if language == "c":
        called([*GCC, "-std=gnu17", "-o", "t", "f_test.c", "-lm"], tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_of_any_name(language, tmp_path):
    """Whatever the file of the function is called, its name cannot end the comment that it is in."""
    source = "def loss{}(x): return am.exp(x[0] * (2.0 if '*/' else 1.0)) + x[1]"
    names = ['a"""b.py', "a\\u002a\\u002f.py", "\\user.py", "é.py", "x\ny.py", "a\udce9.py", "a\\"]
    codes = []
    for i, name in enumerate(names):
        scope, text = {"am": am}, source.format(i)
        linecache.cache[name] = len(text), None, [text], name
        exec(compile(text, name, "exec"), scope)
        codes.append(emit(scope[f"loss{i}"], [1.0, 2.0], language=language))
        assert codes[-1].source.isascii()
        if language == "python":
            assert codes[-1].function([0.0, 2.0])[0] == 3.0
    if language != "python":
        assert all(found[0] == 3.0 for found in run_all(language, codes, [(i, [[0.0, 2.0]]) for i in range(len(codes))],
                                                        tmp_path))  # fmt: skip


def test_hessian():
    """The Hessian comes as one array, row by row; so does the Jacobian of several results."""
    assert emit(lambda x, y: x * x * y, 1.0, 2.0, derivative="hessian").function(3.0, 5.0) == [10.0, 6.0, 6.0, 0.0]
    assert emit(lambda x, y: [x * y, x], 1.0, 2.0, derivative="jacobian").function(3.0, 5.0) == [5.0, 3.0, 1.0, 0.0]


def test_argnums():
    """Only the arguments that are asked for have derivatives."""
    assert emit(lambda x, y: x * y, 1.0, 2.0, argnums=1).function(3.0, 5.0) == (15.0, 3.0)
    assert emit(lambda x, y: x * y, 1.0, 2.0, argnums=(1, 0)).function(3.0, 5.0) == (15.0, (3.0, 5.0))


def test_pdb_steps_through_it():
    """The source of emitted Python is known to tracebacks and debuggers."""
    import inspect

    function = emit(lambda x: x * x, 1.0, name="square").function
    assert "def square(x):" in inspect.getsource(function)


def products(x):
    return am.sum([am.sin(a * b) for a in x for b in x])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((lambda x: x, 1.0), {"language": "fortran"}, ArgumentError, "There is no language"),
        ((lambda x: x, 1.0), {"derivative": "slope"}, ArgumentError, "There is no derivative"),
        ((lambda x: x, 1.0), {"language": ["c"]}, ArgumentError, "There is no language"),
        ((lambda x: x, 1.0), {"name": 3}, ArgumentError, "cannot be called 3"),
        ((lambda x: [], 1.0), {"derivative": "jacobian"}, OperandError, "returned none"),
        ((lambda x: x,), {}, ArgumentError, "needs an example"),
        ((1.0, 1.0), {}, OperandError, "takes a function"),
        ((lambda x: x, "a"), {}, OperandError, "with x"),
        ((lambda x: am.sum(x), []), {}, ArgumentError, "is empty"),
        ((lambda x: "a", 1.0), {}, OperandError, "needs a function that returns numbers"),
        ((lambda x: [x, x], 1.0), {}, (ArgumentError, OperandError), "one number|single number|scalar"),
        ((lambda x: x if x > 0.0 else -x, 1.0), {}, TraceError, "where"),
        ((lambda x: x, 1.0), {"argnums": 3}, (ArgumentError, OperandError), "argnum"),
        ((products, [1.0] * 33), {"language": "java"}, ArgumentError, "allows about"),
        ((lambda *xs: am.sum(xs), *[1.0] * 127), {"language": "java"}, ArgumentError, "more than Java allows"),
    ],
)  # fmt: skip
def test_errors(arguments, options, error, words):
    """What cannot be emitted raises an error that says why."""
    with pytest.raises(error, match=words):
        emit(*arguments, **options)


# -- the command -------------------------------------------------------------------------------------------------------

PROGRAM = """
import autograd_mini as am

def loss(z, t):
    return am.cross_entropy(z, t)

def slope(x):
    return 2.0 * x

def branches(x):
    return x if x > 0.0 else -x

number = 3.0
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loss.py").write_text(PROGRAM)
    return tmp_path


def test_command(program, capsys):
    """`autograd-mini emit SCRIPT.py:function` prints the code, or writes it, in the language of the file's ending."""
    assert main(["emit", "loss.py:slope"]) == 0
    assert "def slope(x):" in capsys.readouterr().out
    example = ["--example", "[0.0, 0.0, 0.0]", "[1, 0, 0]"]
    assert main(["emit", "loss.py:loss", *example, "-o", "Loss.java", "--test"]) == 0
    assert capsys.readouterr().out == "Loss.java\n"
    assert "final class Loss {" in (program / "Loss.java").read_text()
    assert "final class LossTest {" in (program / "LossTest.java").read_text()
    assert main(["emit", "loss.py:slope", "--language", "c"]) == 0
    assert "double slope(double x, double *d_x) {" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["loss.py"], 1, "name a function"),
        (["loss.py:nothing"], 1, "has no function 'nothing'"),
        (["loss.py:number"], 1, "is not a function"),
        (["loss.py:loss"], 1, "there is no --example"),
        (["loss.py:loss", "--example", "[1.0"], 1, "cannot be read"),
        (["loss.py:slope", "--test"], 1, "-o"),
        (["loss.py:branches"], 1, "loss.py:11"),
        (["other.py:f"], 1, "There is no file"),
        (["loss.py:slope", "--language", "cobol"], 2, "invalid choice"),
    ],
)
def test_errors_of_the_command(program, capsys, arguments, status, words):
    """An error is one sentence, and the exit status is 1, or 2 for a wrong option."""
    assert main(["emit", *arguments]) == status
    assert words in capsys.readouterr().err
