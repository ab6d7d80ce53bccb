"""Transforms nest in any order: random programs of derivatives in derivatives, against tagged dual numbers.

A program keeps numbers in a memory that outlives each derivative, reads them again, closes over the variables of outer
derivatives, and detaches numbers or sends them through steps and kinks. The truth is written here: a number is a
polynomial in ε's with ε² = 0, one ε a derivative, and an ε is gone when its derivative has ended.
"""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import random
import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value, grad, hessian, hvp, jacobian, jvp, stop_gradient, value_and_grad, vjp
from autograd_mini.core.dual import Dual
from tests.effort import effort


class Tagged:
    """A polynomial in ε's: {set of ε's: coefficient}; ε's that have ended do not count."""

    alive: typing.ClassVar[set[int]] = set()
    fresh = itertools.count()

    def __init__(self, terms):
        self.terms = {tags: c for tags, c in terms.items() if tags <= Tagged.alive}

    @property
    def real(self):
        return self.terms[frozenset()]

    def part(self, tags):
        """The factor of a product of ε's."""
        return Tagged({rest - tags: c for rest, c in self.terms.items() if tags <= rest} or {frozenset(): 0.0})

    def settled(self):
        return Tagged(self.terms)


def tagged(x):
    return x.settled() if isinstance(x, Tagged) else Tagged({frozenset(): float(x)})


def plus(a, b):
    a, b = tagged(a), tagged(b)
    return Tagged({tags: a.terms.get(tags, 0.0) + b.terms.get(tags, 0.0) for tags in a.terms | b.terms})


def times(a, b):
    found: dict[frozenset[int], float] = {}
    for (s, x), (t, y) in itertools.product(tagged(a).terms.items(), tagged(b).terms.items()):
        if not s & t:
            found[s | t] = found.get(s | t, 0.0) + x * y
    return Tagged(found)


def sine(a):
    """The Taylor series; it ends, for a product of n + 1 of n different ε's is 0."""
    a = tagged(a)
    small = Tagged({frozenset(): 0.0} | {tags: c for tags, c in a.terms.items() if tags})
    power, total = Tagged({frozenset(): 1.0}), Tagged({frozenset(): 0.0})
    for n in range(len(Tagged.alive) + 1):
        total = plus(total, times(power, math.sin(a.real + n * math.pi / 2) / math.factorial(n)))
        power = times(power, small)
    return total


def constant(a):
    return Tagged({frozenset(): tagged(a).real})


def derived(kind, f, x):
    """What a transform of f gives at x: the value where it gives one, and the derivative."""
    tags = frozenset(next(Tagged.fresh) for _ in range(2 if kind in ("hvp", "hessian") else 1))
    Tagged.alive |= tags
    argument = tagged(x)
    for tag in tags:
        argument = plus(argument, Tagged({frozenset(): 0.0, frozenset([tag]): 1.0}))
    y = tagged(f(argument))
    slope = y.part(tags)
    Tagged.alive -= tags
    return y.settled(), slope.settled()


TRANSFORMS = {
    "grad": lambda f, x: (None, grad(f)(x)),
    "value_and_grad": lambda f, x: value_and_grad(f)(x),
    "jacobian": lambda f, x: (None, jacobian(lambda z: [f(z[0]), 1.0])([x])[0][0]),
    "columns": lambda f, x: (None, jacobian(lambda z: (lambda y: [y, 2.0 * y])(f(z)))(x)[0]),
    "hessian": lambda f, x: (None, hessian(lambda z: f(z[0]))([x])[0][0]),
    "jvp": lambda f, x: jvp(f, (x,), (1.0,)),
    "vjp": lambda f, x: (lambda y, pullback: (y, pullback(1.0)[0]))(*vjp(f, x)),
    "hvp": lambda f, x: (None, hvp(f, (x,), (1.0,))),
}
REAL = {
    "add": lambda a, b: a + b, "mul": lambda a, b: a * b, "sin": am.sin,
    "detach": stop_gradient, "floor": lambda a: am.floor(a) + 0.7, "step": lambda a: am.where(a > 0.0, 0.6, a),
    "clip": lambda a: am.clip(a, 0.4, 0.4) + 0.2, "dead": lambda a: am.relu(-(a * a)) + 0.8,
}  # fmt: skip
TRUE = {
    "add": plus, "mul": times, "sin": sine,
    "detach": constant, "floor": lambda a: Tagged({frozenset(): math.floor(tagged(a).real) + 0.7}),
    "step": lambda a: tagged(0.6) if tagged(a).real > 0.0 else tagged(a),
    "clip": lambda a: tagged(0.4 + 0.2), "dead": lambda a: tagged(0.8),
}  # fmt: skip


def instructions(generator, depth):
    """A random program: operations on numbers computed before, and derivatives of inner programs."""
    found = []
    for _ in range(generator.randint(2, 5)):
        choice = generator.choice(
            ["mul", "mul", "sin", "add", "one", "keep", "recall", "recall", *["derive"] * (2 if depth else 0)]
        )
        if choice == "one":
            choice = generator.choice(["detach", "floor", "step", "clip", "dead"])
        if choice == "derive":
            inner = instructions(generator, depth - 1)
            found.append((choice, generator.choice(list(TRANSFORMS)), inner, generator.random(), 0.0))
        else:
            found.append((choice, None, None, generator.random(), generator.random()))
    return found


def run(program, registers, memory, operations, transform):
    """One program on one kind of number; `registers` are the variables of this and of outer derivatives."""
    registers = list(registers)
    for choice, kind, inner, i, j in program:
        a, b = registers[int(i * len(registers))], registers[int(j * len(registers))]
        if choice == "keep":
            memory.append(a)
            continue
        if choice == "recall":
            result = operations["sin"](memory[int(i * len(memory))]) if memory else a
        elif choice == "derive":

            def f(x, inner=inner):
                return run(inner, [x, *registers, x], memory, operations, transform)

            value, slope = transform(kind, f, a)
            result = operations["sin"](slope)
            if value is not None and kind in ("jvp", "vjp", "value_and_grad"):
                result = operations["add"](result, value)
        else:
            result = operations[choice](*((a, b) if choice in ("add", "mul") else (a,)))
        registers.append(operations["sin"](result))
    last = registers[0]
    for register in registers[1:]:
        last = operations["add"](last, register)
    return operations["mul"](last, registers[-1])


def number(x):
    """The bare number of a result at the top, where every derivative has ended."""
    return float(getattr(x, "data", x))


POINTS = {  # the argument of the outermost derivative, every time 0.9
    "a float": lambda: 0.9, "a Value": lambda: Value(0.9), "a detached one": lambda: stop_gradient(Value(0.9)),
    "behind a step": lambda: am.floor(Value(1.5)) - 0.1, "a dead relu": lambda: am.relu(Value(-1.0)) + 0.9,
}  # fmt: skip


@settings(max_examples=effort(100, 2000))
@given(st.integers(0, 10**9), st.sampled_from(sorted(TRANSFORMS)), st.sampled_from(sorted(POINTS)), st.booleans())
def test_random_nestings(seed, kind, point, closed):
    """All transforms in each other, three deep, whatever a program keeps, detaches and closes over."""
    program = instructions(random.Random(seed), 2)
    outside = Value(0.3) if closed else 0.3
    memory, truth = [outside], [0.3]
    got = TRANSFORMS[kind](
        lambda x: run(program, [x, 0.5, outside], memory, REAL, lambda k, f, a: TRANSFORMS[k](f, a)), POINTS[point]()
    )
    expected = derived(kind, lambda x: run(program, [x, 0.5, 0.3], truth, TRUE, derived), 0.9)
    for mine, true in zip(got, expected, strict=True):
        if mine is not None:
            assert number(mine) == pytest.approx(tagged(true).real, rel=1e-8, abs=1e-8)
    assert [number(kept) for kept in memory] == pytest.approx([tagged(kept).real for kept in truth], rel=1e-8, abs=1e-8)


def test_the_owner_decides_what_is_outside():
    """A derivative through a number without live edges, inside of a derivative by that number."""

    def outer(u):
        return grad(lambda w: (u * w) ** 2)(2.0)

    x = Value(3.0)
    for p in (
        3.0, x, stop_gradient(x), am.floor(x), am.sign(x) * 3.0, am.relu(-x) + 3.0, am.clip(x, 0.0, 3.0), x // 1.0,
        am.where(x > 0, 3.0, x), am.maximum(x - 9.0, 3.0), am.minimum(3.0, x + 1.0), stop_gradient(Value(3.0)),
    ):  # fmt: skip
        for kind, transform in TRANSFORMS.items():
            assert number(transform(outer, p)[1]) == (0.0 if kind in ("hessian", "hvp") else 24.0) + 8.0 * (
                kind in ("hessian", "hvp")
            ), (kind, p)


def test_matrices_of_dual_numbers():
    """A Jacobian by columns and a Hessian whose outputs contain the variable of an outer jvp."""

    def by_columns(x):
        return am.sum(jacobian(lambda v: [x * v * v, x + v, 2.0 * v])(3.0))

    def by_symmetry(x):
        matrix = hessian(lambda v: v[0] ** 2 * x * v[1] + am.sin(x * v[1]))([2.0, 3.0])
        return am.sum([am.sum(row) for row in matrix])

    for f in (by_columns, by_symmetry):
        assert jvp(f, (0.7,), (1.0,))[1] == pytest.approx(grad(f)(0.7), rel=1e-14)
        assert hvp(f, (0.7,), (1.0,)) == pytest.approx(grad(grad(f))(0.7), rel=1e-14, abs=1e-14)


def test_a_slope_that_depends_on_an_operand_without_an_edge():
    """Where a rule has no edge to t, and a slope by x that depends on t, the outer derivative by t is there."""

    @am.primitive(rule=lambda y, x, t: (1.0 / t, am.ZERO))
    def tempered(x, t):
        return x / t

    for kind in ("grad", "jacobian", "vjp"):
        slope = TRANSFORMS[kind](lambda t: grad(tempered)(3.0, t), 2.0)[1]
        assert slope == -0.25
    assert grad(lambda t: grad(lambda x: tempered(x, t) + 0.0 * t)(3.0))(2.0) == -0.25
    assert jvp(lambda t: jvp(lambda x: tempered(x, t), (3.0,), (1.0,))[1], (2.0,), (1.0,))[1] == -0.25


def kept_by(transform):
    """What a function leaves behind: a number of its own derivative."""
    box = []

    def f(x):
        box.append(x * x)
        return box[0] * x

    transform(f)
    return box[0]


def test_a_number_that_outlives_its_jvp_is_its_primal():
    """Operators, comparisons, float(), text, copies, pickles and later derivatives see the number 9.0."""
    kept = kept_by(lambda f: jvp(f, (3.0,), (1.0,)))
    assert type(kept) is Dual
    assert repr(kept) == "9.0"
    assert (f"{kept}", f"{kept:.2f}", float(kept), int(kept), math.sqrt(kept)) == ("9.0", "9.00", 9.0, 9, 3.0)
    assert (kept == 9.0, kept > 8, kept >= Value(9.0), kept != 9.0, bool(kept)) == (True, True, True, False, True)
    for result in (
        kept + 1.0, 1.0 + kept, kept - 1, 1 - kept, kept * 2.0, 2.0 * kept, kept / 2.0, 2.0 / kept, kept**2, 2**kept,
        -kept, abs(kept), kept % 4, kept // 4, kept + kept, kept * kept, am.exp(kept), kept.sqrt(), am.sigmoid(kept),
        am.sum([kept, 1.0]), am.maximum(kept, 1.0), am.where(kept > 1.0, kept, 0.0) + 0.0, am.norm([kept, 1.0]),
    ):  # fmt: skip
        assert type(result) is float
    assert type(pickle.loads(pickle.dumps([kept]))[0]) is float
    assert (copy.copy(kept), copy.deepcopy(kept)) == (9.0, 9.0)
    assert type(copy.deepcopy({"last": kept})["last"]) is float
    assert Value(kept).data == 9.0
    assert grad(lambda x: x * kept)(2.0) == 9.0
    assert grad(lambda x: x * x)(kept) == 18.0
    assert hessian(lambda x: x[0] ** 3)([kept]) == [[54.0]]
    assert vjp(lambda x: [x, kept], 2.0)[0] == [2.0, 9.0]
    for tangent in (1.0, kept):
        value, slope = jvp(lambda x: x * kept, (kept,), (tangent,))
        assert (value, slope) == (81.0, 9.0 * tangent)
    assert (Value(2.0) * kept).data == 18.0
    assert (np.array([kept, 1.0], dtype=object) * 2.0).tolist() == [18.0, 2.0]


def test_what_an_outer_derivative_gave_it_stays():
    """After the inner derivative, a kept number goes on in the outer one, of whatever kind the two are."""
    for inner, outer in itertools.product(TRANSFORMS, repeat=2):

        def f(x, inner=inner):
            box = []

            def g(y):
                box.append(y * x)
                return box[0] * y * y

            TRANSFORMS[inner](g, x)
            return box[0] * x  # (x * x) * x: y is gone, and what y was stays

        # The first and the second derivative of x³ are both 12 there.
        assert number(TRANSFORMS[outer](f, 2.0)[1]) == pytest.approx(12.0, rel=1e-14), (inner, outer)


def test_a_living_dual_number_cannot_be_pickled():
    """A pickle would take an ε out of its derivative; the error says what to do."""

    def f(x):
        with pytest.raises(am.OperandError, match=r"pickled[\s\S]*\.data"):
            pickle.dumps(x)
        assert copy.copy(x) is x
        return copy.deepcopy(x) * x

    assert jvp(f, (3.0,), (1.0,)) == (9.0, 6.0)


def test_forward_mode_has_nothing_to_go_back_through():
    """A function that calls backward() itself works in reverse mode; in forward mode it raises an error."""

    def f(x):
        y = x * x
        y.backward()
        return y

    assert grad(f)(3.0) == 6.0
    with pytest.raises(am.OperandError, match=r"no graph[\s\S]*grad instead of jvp"):
        jvp(f, (3.0,), (1.0,))


def test_a_jvp_that_fails_leaves_constants():
    """A number kept before an error becomes its primal too."""
    box = []

    def f(x):
        box.append(x)
        raise KeyError

    with pytest.raises(KeyError):
        jvp(f, (3.0,), (1.0,))
    assert type(box[0] + 1.0) is float
