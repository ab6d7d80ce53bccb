"""Languages: the same numbers from Python, C, Java and JavaScript, by their real compilers."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.expansions import expansion_of
from autograd_mini.compile.languages.c import C
from autograd_mini.compile.languages.language import EXPANDED
from autograd_mini.compile.languages.lowering import lowered
from autograd_mini.compile.passes import optimized
from autograd_mini.compile.tracing import tracing
from autograd_mini.core.row import TABLE, evaluate
from autograd_mini.core.rules import named
from autograd_mini.core.traced import RELATE, Traced
from tests.compile.foreign import LANGUAGES, run
from tests.compile.test_expansions import SPECIAL, is_near, points
from tests.core.test_traps import FUNCTIONS, SCOPE, agrees
from tests.effort import effort

C8 = {"add": 2, "sub": 2, "mul": 2, "div": 2, "neg": 1, "sqrt": 1, "abs": 1, "maximum": 3, "minimum": 2, "sum": 4,
      "dot": 4, "where": 4, "clip": 3, "sign": 1, "floor": 1}  # fmt: skip
FEW = [0.0, -0.0, 1.0, -1.5, 2.5, 7.0, -3.0, 1e300, 5e-324, math.inf, -math.inf, math.nan]


def tape_of(f, n):
    """A function of n numbers as a tape, after the passes; it returns one number or several."""
    with tracing() as builder:
        results = f(*[Traced(builder.input(f"x{i}"), f"x{i}") for i in range(n)])
        results = results if isinstance(results, (list, tuple)) else [results]
        return optimized(builder.tape([x.data if isinstance(x, Traced) else x for x in results]))[0]


def with_gradient(f, n, order=1):
    """Value and gradient of a function of n numbers, or the derivative of an order of one number."""
    if order == 1:

        def both(*xs):
            value, gradient = am.value_and_grad(f, tuple(range(n)))(*xs)
            return [value, *gradient]

        return both
    derivative = f
    for _ in range(order):
        derivative = am.grad(derivative)
    return lambda x: [f(x), derivative(x)]


def random_program(rng, n, length):
    """A function of C8 operations."""
    steps = []
    for i in range(length):
        op, arity = rng.choice([*C8.items()])
        steps.append((op, [rng.randrange(-3, n + i) for _ in range(arity)], rng.choice([*RELATE][:6])))
    constants = [rng.choice([0.5, -1.0, 0.0, 3.0, -0.0, 1e-3]) for _ in range(3)]

    def f(*xs):
        known = [*xs]
        for op, operands, symbol in steps:
            a = [constants[x] if x < 0 else known[x] for x in operands]
            if op == "where":
                known.append(am.where(RELATE[symbol](a[0] + 0.0 * known[0], a[1]), a[2], a[3]))
            else:
                known.append(named(op)(*a))
        return known[-1] + 0.0 * known[0] if type(known[-1]) is float else known[-1]

    return f


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_bits(language, tmp_path):
    """Programs of C8 operations have the bits of the interpreter, value and gradient, in every language."""
    rng, tapes, calls = random.Random(0), [], []
    for i in range(effort(40, 400)):
        n = rng.randrange(1, 4)
        f = random_program(rng, n, rng.randrange(1, 10))
        tapes.append(tape_of(with_gradient(f, n), n))
        calls += [(i, [rng.choice([*FEW, rng.uniform(-3.0, 3.0)]) for _ in range(n)]) for _ in range(12)]
    expected = [Program(tapes[i])(xs) for i, xs in calls]
    for call, got, wanted in zip(calls, run(language, tapes, calls, tmp_path), expected, strict=True):
        assert [*map(repr, got)] == [*map(repr, wanted)], (call, str(tapes[call[0]]))


def rows():
    """Each row on registers alone, with its constants."""
    for name, row in TABLE.items():
        if row.is_users or name in ("flat", "slope_at_kink", "where"):
            continue
        match name:
            case "round":
                yield from [(name, 1, (digits,)) for digits in (0.0, 2.0, 1.0, -1.0)]
            case "power_term":
                yield from [(name, 2, constants) for constants in ((0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (0.0, 2.0))]
            case "pow":
                yield from [(name, 2, ()), (name, 1, (2.0,)), (name, 1, (-1.5,)), (name, 1, (3.0,))]
            case _:
                yield from [(name, n, ()) for n in ([row.arity] if row.arity else [2, 4])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_row(language, tmp_path):
    """Each row alone is within 3 ulp of the package's function, and has its special values."""
    rng, tapes, calls, cases = random.Random(1), [], [], [*rows()]
    for i, (name, n, constants) in enumerate(cases):
        row = TABLE[name]
        tapes.append(tape_of(lambda *xs, row=row, constants=constants: evaluate(row, (*xs, *constants)), n))
        chosen = itertools.product(SPECIAL, repeat=n) if n < 3 else [rng.choices(SPECIAL, k=n) for _ in range(300)]
        calls += [(i, [*xs]) for xs in [*chosen, *points(row, n, effort(30, 3000))]]
    for (i, xs), got in zip(calls, run(language, tapes, calls, tmp_path), strict=True):
        name, _, constants = cases[i]
        row = TABLE[name]
        expected = row.function(*xs, *constants)
        ulp = (
            0
            if row.is_exact or name in ("round", "add", "mul", "div", "sum", "dot")
            else 3 + {"erfc": 2, "ndtr": 2, "lifted_ndtr": 2, "power_term": 3}.get(name, 0)
        )
        assert is_near(got[0], expected, ulp), (name, xs, constants, got, expected)


@pytest.mark.parametrize("language", LANGUAGES)
def test_traps(language, tmp_path):
    """Every trap of one expression has the right answer, value and derivatives, in every language."""
    tapes, calls = [], []
    for i, trap in enumerate(FUNCTIONS):
        names = [*trap["inputs"]]

        def f(*xs, names=names, trap=trap):
            return eval(trap["expression"], {**SCOPE, **dict(zip(names, xs, strict=True))})

        tapes.append(tape_of(with_gradient(f, len(names), trap["order"]), len(names)))
        calls.append((i, [float(x) for x in trap["inputs"].values()]))
    for trap, got in zip(FUNCTIONS, run(language, tapes, calls, tmp_path), strict=True):
        expected = {"value": trap["expected_value"], **trap["expected_grads"]}
        for (name, truth), number in zip(expected.items(), got, strict=True):
            answers = [truth, *trap["also_accept"].get(name, [])]
            assert any(agrees(number, answer, trap) for answer in answers), (trap["id"], name, number, answers)


@given(st.integers(0, 10**9))
@settings(max_examples=effort(60, 3000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_lowering_keeps_bits(seed):
    """Lowering changes no bit of a result, whatever the inputs are."""
    rng = random.Random(seed)
    n = rng.randrange(1, 4)
    tape = tape_of(with_gradient(random_program(rng, n, rng.randrange(1, 12)), n), n)
    before, after = Program(tape), Program(lowered(tape))
    for _ in range(10):
        xs = [rng.choice([*FEW, rng.uniform(-3.0, 3.0)]) for _ in range(n)]
        assert [*map(repr, before(xs))] == [*map(repr, after(xs))], (xs, str(tape), str(lowered(tape)))


def test_conditions_that_others_imply():
    """Lowering leaves out conditions that others imply, also inside of chains."""

    def program(join):
        with tracing() as builder:
            xs = [Traced(builder.input(f"x{i}")) for i in range(3)]
            c, d, e = (x > 0.0 for x in xs)
            result = am.where(join(c, d, e), xs[0], xs[1])
            return lowered(builder.tape([result.data]))

    ops = {
        "c & d & c": lambda c, d, e: c & d & c,
        "c | d & e | c": lambda c, d, e: c | (d & e) | c,
        "c | c & d": lambda c, d, e: c | (c & d),
        "e & d & (c | d)": lambda c, d, e: (e & d) & (c | d),
        "~c | ~c & d": lambda c, d, e: ~c | (~c & d),
    }
    sizes = {name: sum(op in "&|" for op, _, _ in program(join).instructions) for name, join in ops.items()}
    assert sizes == {"c & d & c": 1, "c | d & e | c": 2, "c | c & d": 0, "e & d & (c | d)": 1, "~c | ~c & d": 0}
    for name, join in ops.items():
        run = Program(program(join))
        for c, d, e in itertools.product((False, True), repeat=3):
            assert run([1.0 if c else -1.0, 2.0 if d else -2.0, 1.0 if e else -1.0]) == [
                (1.0 if c else -1.0) if eval(name.replace("~c", "(not c)")) else (2.0 if d else -2.0)
            ]


def test_registers(tmp_path):
    """The functions of pages return every register, conditions as 0 and 1."""
    rng = random.Random(4)
    tapes = [tape_of(with_gradient(random_program(rng, 2, 8), 2), 2) for _ in range(8)]
    all_of = [dataclasses.replace(tape, outputs=tuple(range(len(tape)))) for tape in tapes]
    calls = [(i, [rng.uniform(-2.0, 2.0), rng.choice(FEW)]) for i in range(len(tapes)) for _ in range(3)]
    expected = [[float(number) for _, number in Program(tapes[i]).steps(xs)] for i, xs in calls]
    for wanted, got in zip(expected, run("javascript", all_of, calls, tmp_path, registers=True), strict=True):
        assert [*map(repr, got)] == [*map(repr, wanted)]


def test_a_language_needs_no_entry():
    """What it has no function for is written as an expansion, or as in formulas; else an error says what to write."""
    lacking = dataclasses.replace(C, operations={x: form for x, form in C.operations.items() if x != "log10"})
    assert (C.operations["log10"], lacking.operations["log10"]) == ("log10", EXPANDED)
    assert expansion_of("log10") is TABLE["log10"].expansion
    assert expansion_of("erf") is not TABLE["erf"].expansion
    with pytest.raises(am.ArgumentError, match=r"(?s)'sin' cannot be written.*`expansion`.*core/table.py"):
        expansion_of("sin")
