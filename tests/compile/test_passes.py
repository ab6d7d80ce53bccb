"""Passes: each changes its witness and no bit of a result, and a broken one is caught before its tape runs."""

from __future__ import annotations

import ast
import itertools
import math
from functools import partial

import pytest
from hypothesis import given, settings

import autograd_mini as am
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.passes import PASSES, Pass, Rewriting, live, optimized, without_dead_code
from autograd_mini.compile.tape import CONSTANT, TapeError
from autograd_mini.compile.tracing import tracing
from autograd_mini.core.row import TABLE, evaluate
from autograd_mini.core.traced import Traced
from tests.compile.programs import INPUTS, SPECIAL, bits, points, programs, run
from tests.effort import effort

SCOPE = {name: partial(lambda row, *xs: evaluate(row, xs), row) for name, row in TABLE.items()}


class _Constants(ast.NodeTransformer):
    """Literals become registers, so that what is made of them is on the tape."""

    def visit_Constant(self, node):
        return ast.Call(ast.Name("constant", ast.Load()), [node], [])


def tape_of(expression):
    """The tape of an expression of numbers x and y and of a condition c."""
    with tracing() as builder:
        x, y, z = (Traced(builder.input(name)) for name in "xyz")
        tree = ast.fix_missing_locations(_Constants().visit(ast.parse(expression, mode="eval")))
        special = {"inf": Traced(builder.constant(math.inf)), "nan": Traced(builder.constant(math.nan))}
        scope = {
            **SCOPE,
            **special,
            "x": x,
            "y": y,
            "c": z > 0.0,
            "constant": lambda value: Traced(builder.constant(value)),
        }
        return builder.tape([eval(compile(tree, "<expression>", "eval"), scope).data])


def after(passes, tape):
    """The tape after some passes, without dead code."""
    return without_dead_code(Rewriting(passes).run(tape))


def same_results(one, other, samples):
    first, second = Program(one), Program(other)
    return all(bits(first(sample)) == bits(second(sample)) for sample in samples)


EVERYWHERE = [*itertools.product(SPECIAL, repeat=3)]


@pytest.mark.parametrize("one", PASSES, ids=lambda one: one.name)
def test_the_witness(one):
    """Each pass turns its witness into the stated result, and counts it; only exact ones run by default."""
    before, expected = (without_dead_code(tape_of(expression)) for expression in one.witness)
    rewriting = Rewriting([one])
    found = without_dead_code(rewriting.run(before))
    assert str(found).splitlines()[1:] == str(expected).splitlines()[1:]
    assert found != before
    assert rewriting.counts[one.name] > 0
    assert optimized(before)[0] == found if one.exact else optimized(before)[0] == before


@pytest.mark.parametrize("one", PASSES, ids=lambda one: one.name)
def test_exactness(one):
    """A pass that says it is exact keeps every bit, also of zeros, infinities, nan and subnormals."""
    before, _ = map(tape_of, one.witness)
    assert same_results(before, after([one], before), EVERYWHERE) is one.exact


IDENTITIES = [
    "x + -0.0", "-0.0 + x", "x - 0.0", "x * 1.0", "1.0 * x", "x / 1.0", "x * -1.0", "-1.0 * x", "-(-x)", "x + -y",
    "-x + y", "-x + -y", "x ** 2.0", "pos(x)", "stop_gradient(x)", "where(c, x, x)", "where(c, x * y, x * 2.0)",
    "where(c, maximum(x, y), maximum(0.0, y))", "where(c, x ** y, x ** 3.0)", "where(c, x - y, y - x)",
    "where(c, sqrt(x), -y)", "where(0.0 < nan, x, y)", "where(0.0 == -0.0, x, y)", "where(1.0 < 2.0, x, y) + 1.0",
    "0.0 * inf + x", "sqrt(-1.0) + x", "sum(1.0, 2.0, 1e308) * x", "where(c, -x, -y) * -1.0", "1.0 / -0.0 + x",
    "maximum(nan, 1.0) * x", "floor(-0.0) * x", "round(2.5, 0.0) * x", "take(1.0, 5.0, 6.0) * x",
]  # fmt: skip


@pytest.mark.parametrize("expression", IDENTITIES)
def test_what_passes_look_for(expression):
    """Whatever a pass looks at keeps its bits, in whichever order the operands come."""
    before = tape_of(expression)
    found, _ = optimized(before)
    assert same_results(before, found, EVERYWHERE)
    for one in PASSES:
        assert same_results(before, after([one], before), EVERYWHERE[::7]), one.name


@pytest.mark.parametrize(
    ("expression", "op"),
    [
        ("x + 0.0", "add"), ("0.0 + x", "add"), ("0.0 * x", "mul"), ("x * 0.0", "mul"), ("x - x", "sub"),
        ("x / x", "div"), ("x / 3.0", "div"), ("0.0 - x", "sub"), ("-0.0 - x", "sub"), ("(x + 1.0) + 2.0", "add"),
        ("log(exp(x))", "log"), ("x ** 1.0", "pow"), ("x ** 0.0", "pow"), ("x ** 0.5", "pow"), ("x ** -1.0", "pow"),
        ("sqrt(x * x)", "sqrt"), ("maximum(x, x)", "maximum"), ("abs(-x)", "abs"), ("x * y + x", "add"),
        ("x + x", "add"), ("x * 2.0", "mul"), ("1.0 / x", "div"), ("where(x == x, x, 0.0)", "where"),
    ],
)  # fmt: skip
def test_nothing_inexact_runs(expression, op):
    """Expressions that are equal in algebra but not for floats are left alone."""
    before = tape_of(expression)
    found, _ = optimized(before)
    assert [o for o, _, _ in found.instructions if o in TABLE].count(op) == [
        o for o, _, _ in before.instructions
    ].count(op)
    assert same_results(before, found, EVERYWHERE)


@settings(max_examples=effort(60, 1000))
@given(steps=programs, samples=points)
def test_random_programs(steps, samples):
    """Each pass, and all together, keep the bits of random programs and their gradients."""
    with tracing() as builder:
        xs = [Traced(builder.input(f"x{i}")) for i in range(INPUTS)]
        value, slopes = am.value_and_grad(lambda xs: run(steps, xs))(xs)
        tape = builder.tape([getattr(number, "data", number) for number in (value, *slopes)])
    program = Program(tape)
    expected = [bits(program(sample)) for sample in samples]
    for passes in ([], *[[one] for one in PASSES], PASSES, PASSES[::-1]):
        other = after(passes, tape)
        assert len(other) <= len(tape)
        changed = Program(other)
        assert [bits(changed(sample)) for sample in samples] == expected, [one.name for one in passes]
    once, _ = optimized(tape)
    assert optimized(once)[0].inputs == tape.inputs
    with tracing(passes=PASSES) as builder:  # as `jit` does
        xs = [Traced(builder.input(f"x{i}")) for i in range(INPUTS)]
        value, slopes = am.value_and_grad(lambda xs: run(steps, xs))(xs)
        other = without_dead_code(builder.tape([getattr(number, "data", number) for number in (value, *slopes)]))
    assert len(other) <= len(tape)
    changed = Program(other)
    assert [bits(changed(sample)) for sample in samples] == expected


def _broken(name, rewrite):
    return Pass(name, True, ("x", "x"), frozenset({"exp"}), rewrite)


@pytest.mark.parametrize(
    ("rewrite", "message"),
    [
        (lambda made, old: 999, r"'broken' replaced \('exp', .* by register 999, which is not a number"),
        (lambda made, old: -1, r"'broken' replaced .* by register -1"),
        (lambda made, old: made.add("<", (0, 1)), r"'broken' replaced .* which is not a number"),
        (lambda made, old: made.add("exp", (0, 1)), r"pass 'broken', register \d+ .* has 2 operands instead of 1"),
        (lambda made, old: made.add("add", (0,)), r"pass 'broken', register \d+ .* has 1 operand instead of 2"),
        (lambda made, old: made.add("exp", (99,)), r"pass 'broken', register \d+ .* a register that is not computed"),
        (lambda made, old: made.add("exp", (-1,)), r"pass 'broken', register \d+ .* a register that is not computed"),
        (lambda made, old: made.add("guess", (0,)), r"pass 'broken', register \d+ .*'guess', .* unknown operation"),
        (lambda made, old: made.add("where", (0, 0, 1)), r"pass 'broken', register \d+ .* operand of the wrong type"),
        (lambda made, old: made.add("neg", (made.add("<", (0, 1)),)), r"pass 'broken', .* operand of the wrong type"),
        (lambda made, old: made.add(CONSTANT, (), 2.0), r"pass 'broken', register \d+ .* is not a constant"),
        (lambda made, old: made.add("input", (), 7), r"pass 'broken', register \d+ .* is not an input"),
    ],
)  # fmt: skip
def test_a_broken_pass(rewrite, message):
    """A pass that writes a malformed tape is caught immediately, by name, with the instruction."""
    tape = tape_of("sqrt(exp(x * y) + 1.0)")
    with pytest.raises(TapeError, match=message):
        Rewriting([_broken("broken", rewrite), *PASSES]).run(tape)


def test_a_broken_pass_of_a_trace():
    """While tracing, too, a broken pass is named; an instruction that was traced is not its fault."""
    broken = _broken("broken", lambda made, old: made.add("exp", (0, 1)))
    with tracing(passes=[broken]) as builder:
        x, y = (Traced(builder.input(name)) for name in "xy")
        with pytest.raises(TapeError, match=r"After the pass 'broken', register 3 .* 2 operands instead of 1"):
            builder.tape([am.exp(x * y).data])
        builder.add("guess", (x.data,))
        with pytest.raises(TapeError, match="After the pass 'broken'"):
            builder.tape([x.data])
    with tracing() as builder:
        builder.add("guess", (builder.input("x"),))
        with pytest.raises(TapeError, match=r"After tracing, register 1 .*'guess', .* unknown operation"):
            builder.tape([])


def test_a_wrong_pass():
    """A pass that is not exact shows on its witness; this one would replace `x - x` by 0."""

    def difference(made, instruction):
        a, b = instruction[1]
        return made.add(CONSTANT, (), "0.0") if a == b else None

    wrong = Pass("difference", True, ("x - x", "0.0"), frozenset({"sub"}), difference)
    before = tape_of("x - x")
    assert not same_results(before, after([wrong], before), EVERYWHERE)


def test_dead_code():
    """Instructions that no result needs are left out; inputs stay, because calls pass all of them."""
    with tracing() as builder:
        x, y = (Traced(builder.input(name)) for name in "xy")
        _ = am.exp(x) * y
        tape = builder.tape([(x + 1.0).data])
    found = without_dead_code(tape)
    assert len(tape) > len(found) == 4
    assert str(found) == "inputs x, y\nv3 = x + 1.0\nreturn v3"
    assert live(found) == [True] * len(found)
    assert Program(found)([2.0, math.nan]) == [3.0]


def test_equal_instructions():
    """Equal instructions are written once, also if a pass makes them equal; 0.0 and -0.0 are not equal."""
    f = am.jit(lambda x, y: (x * y) * (x * y) + (x * 1.0) * y + am.maximum(x, 0.0) + am.maximum(x, -0.0))
    f(1.0, 2.0)
    assert [op for op, _, _ in f.tape.instructions].count("mul") == 2
    assert [op for op, _, _ in f.tape.instructions].count("maximum") == 2
    assert f.stats.passes["identities"] == 1
