"""Random expressions against SymPy's derivatives at 400 digits, and against JAX and PyTorch where they are installed.

An expression is a program of up to five steps on two or three numbers, which are often kinks, ties and signed zeros.
Compared are value, gradient and Hessian. Where a peer disagrees, one of CONVENTIONS says why, or the test fails; what
is right there is settled by 400 digits wherever real analysis has an answer. Then all transforms, nested.
Read next: `oracles`, `test_graphs` (larger graphs, first order, by dual numbers).
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
import operator
import random
from collections import Counter
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import sympy

import autograd_mini as am
from autograd_mini import Value
from tests import oracles
from tests.effort import effort

COUNT = {"exact": effort(300, 3000), "jax": effort(500, 4000), "torch": effort(500, 4000)}
ULP = 2.0**-53
EVENTS = KINK, EDGE, OUTSIDE, RANGE = "kink", "edge of the domain", "outside the domain", "beyond floats"

# -- what the functions mean -------------------------------------------------------------------------------------------

A, B, C = SYMBOLS = sympy.symbols("a b c", real=True)
_RENAMED = {oracles.X: A, oracles.Y: B}
_LEFT_OUT = (
    "pos",
    "defined",
    "cbrt",
    "one_minus_square",
    "lifted_ndtr",
)  # nobody else has these but cbrt, which is in PIECES
SMOOTH = {  # name: meaning
    **{name: meaning.xreplace(_RENAMED) for name, meaning in oracles.MEANING.items() if name not in _LEFT_OUT},
    "square": A**2,
    "cube": A**3,
    "inverse": 1 / A,
    "sigmoid": 1 / (1 + sympy.exp(-A)),
    "tanh": sympy.tanh(A),
    "softplus": sympy.log(1 + sympy.exp(A)),
    "silu": A / (1 + sympy.exp(-A)),
    "gelu": A * sympy.erfc(-A / sympy.sqrt(2)) / 2,
    "log_sigmoid": -sympy.log(1 + sympy.exp(-A)),
    "logaddexp": sympy.log(sympy.exp(A) + sympy.exp(B)),
    "logsumexp": sympy.log(sympy.exp(A) + sympy.exp(B) + sympy.exp(C)),
    "softmax": sympy.exp(A) / (sympy.exp(A) + sympy.exp(B) + sympy.exp(C)),
    "log_softmax": A - sympy.log(sympy.exp(A) + sympy.exp(B) + sympy.exp(C)),
}
_SELU = sympy.Float("1.0507009873554804934193349852946", 60)
_SELU_LEFT = sympy.Float("1.7580993408473768599402175208123", 60)
_ZERO, _ONE = sympy.Integer(0), sympy.Integer(1)
_CBRT, _SLOPE = sympy.Rational(1, 3), sympy.Rational(0.01)

# The rest is one of several smooth functions, and which one depends on the operands. At a kink it is a function with
# the slope of convention C3, the smallest that lies between those of both sides.
PIECES = {
    "abs": lambda a: A if a > 0 else -A if a < 0 else (_ZERO, KINK),
    "relu": lambda a: A if a > 0 else _ZERO if a < 0 else (_ZERO, KINK),
    "leaky_relu": lambda a: A if a > 0 else _SLOPE * A if a < 0 else (_SLOPE * A, KINK),
    "elu": lambda a: A if a > 0 else sympy.exp(A) - 1 if a < 0 else (sympy.exp(A) - 1, KINK),
    "selu": lambda a: _SELU * A if a > 0 else (_SELU_LEFT * (sympy.exp(A) - 1), KINK if a == 0 else None),
    "softsign": lambda a: A / (1 + A) if a > 0 else A / (1 - A) if a < 0 else (A, KINK),
    "cbrt": lambda a: A**_CBRT if a >= 0 else -((-A) ** _CBRT),
    "clip": lambda a: A if abs(a) < 1 else (_ONE if a > 0 else -_ONE, KINK if abs(a) == 1 else None),
    "hard_tanh": lambda a: PIECES["clip"](a),
    "maximum": lambda a, b: A if a > b else B if b > a else ((A + B) / 2, KINK),
    "minimum": lambda a, b: A if a < b else B if b < a else ((A + B) / 2, KINK),
    "where": lambda a, b, c: B if a > 0 else C,
    "hypot": lambda a, b: SMOOTH["hypot"] if a or b else (_ZERO, KINK),
    "atan2": lambda a, b: SMOOTH["atan2"] if a or b > 0 else (SMOOTH["atan2"], EDGE),
    "xlogy": lambda a, b: SMOOTH["xlogy"] if b > 0 or (a and b) else (SMOOTH["xlogy"], EDGE),
    "pow": lambda a, b: SMOOTH["pow"] if a or not b else (SMOOTH["pow"], EDGE),
}
NAMES = sorted({*SMOOTH, *PIECES})

# -- how everybody spells them -----------------------------------------------------------------------------------------

OPERATORS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "neg": operator.neg,
    "pow": operator.pow, "abs": abs,
    "square": lambda a: a**2, "cube": lambda a: a**3, "inverse": lambda a: a**-1.0,
}  # fmt: skip
OURS = {name: getattr(am, name) for name in NAMES if name not in OPERATORS} | {
    **OPERATORS,
    "clip": lambda a: am.clip(a, -1.0, 1.0),
    "where": lambda a, b, c: am.where(a > 0.0, b, c),
    "logsumexp": lambda *xs: am.logsumexp(xs),
    "softmax": lambda *xs: am.softmax(xs)[0],
    "log_softmax": lambda *xs: am.log_softmax(xs)[0],
}


class Ours:
    """This package."""

    functions = OURS

    def derivatives(self, expression):
        def f(xs):
            return expression.on(xs, OURS, float)

        (value, gradient), hessian = am.value_and_grad(f)(expression.point), am.hessian(f)(expression.point)
        return [value, *gradient, *itertools.chain(*hessian)]


class Jax:
    """JAX with 64 bits, operation by operation: compiling an expression takes 20 times as long."""

    def __init__(self):
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        self.jax, self.array = jax, jnp.array
        renamed = {"log_sigmoid": "log_sigmoid", "softsign": "soft_sign", "hard_tanh": "hard_tanh"}
        modules = (jnp, jax.nn, jax.scipy.special)
        named = {
            name: next(getattr(m, name) for m in modules if hasattr(m, name))
            for name in ({name: name for name in NAMES} | renamed).values()
            if any(hasattr(m, name) for m in modules)
        }
        self.functions = named | OPERATORS | {ours: named[theirs] for ours, theirs in renamed.items()}
        self.functions |= {
            "clip": lambda a: jnp.clip(a, -1.0, 1.0),
            "where": lambda a, b, c: jnp.where(a > 0.0, b, c),
            "gelu": functools.partial(jax.nn.gelu, approximate=False),
            "logsumexp": lambda *xs: jax.nn.logsumexp(jnp.stack(xs)),
            "softmax": lambda *xs: jax.nn.softmax(jnp.stack(xs))[0],
            "log_softmax": lambda *xs: jax.nn.log_softmax(jnp.stack(xs))[0],
        }

    def derivatives(self, expression):
        def f(xs):
            return expression.on(list(xs), self.functions, self.array)

        def gradient(xs):
            value, slopes = self.jax.value_and_grad(f)(xs)
            return slopes, (value, slopes)

        hessian, (value, slopes) = self.jax.jacfwd(gradient, has_aux=True)(self.array(expression.point))
        return [float(value), *slopes.tolist(), *hessian.ravel().tolist()]


class Torch:
    """PyTorch in float64."""

    def __init__(self):
        import torch

        self.torch = torch
        self.array = functools.partial(torch.tensor, dtype=torch.float64)
        activations = torch.nn.functional
        modules = (torch, torch.special, activations)
        self.functions = {
            name: next(getattr(m, name) for m in modules if hasattr(m, name))
            for name in NAMES
            if any(hasattr(m, name) for m in modules)
        }
        self.functions |= OPERATORS | {
            "clip": lambda a: torch.clip(a, -1.0, 1.0),
            "where": lambda a, b, c: torch.where(a > 0.0, b, c),
            "hard_tanh": activations.hardtanh,
            "log_sigmoid": activations.logsigmoid,
            "logsumexp": lambda *xs: torch.logsumexp(torch.stack(xs), 0),
            "softmax": lambda *xs: torch.softmax(torch.stack(xs), 0)[0],
            "log_softmax": lambda *xs: torch.log_softmax(torch.stack(xs), 0)[0],
        }

    def derivatives(self, expression):
        xs = [self.array(x).requires_grad_() for x in expression.point]
        value = expression.on(xs, self.functions, self.array)
        gradient = self._slopes(value, xs)
        hessian = [h for g in gradient for h in self._slopes(g, xs)]
        return [x.detach().item() for x in (value, *gradient, *hessian)]

    def _slopes(self, y, xs):
        if not y.requires_grad:
            return [self.array(0.0) for _ in xs]
        return self.torch.autograd.grad(y, xs, create_graph=True, materialize_grads=True)


PEERS = {
    name: peer for name, peer in {"jax": Jax, "torch": Torch}.items() if importlib.util.find_spec(name) is not None
}

# -- random expressions ------------------------------------------------------------------------------------------------

SPECIAL = (0.0, -0.0, 1.0, -1.0, 20.0, -20.0, 0.5, 2.0)
ARITY = {name: len(meaning.free_symbols) for name, meaning in SMOOTH.items()} | {
    name: pieces.__code__.co_argcount for name, pieces in PIECES.items()
}


@dataclass(frozen=True)
class Expression:
    """A program: each step applies a function to variables, constants and earlier steps, by their numbers."""

    point: list[float]
    constants: list[float]
    steps: list[tuple[str, tuple[int, ...]]]

    def on(self, variables, functions, number):
        """The result of the last step, over any kind of number."""
        return self.all_on(variables, functions, number)[-1]

    def all_on(self, variables, functions, number):
        """The results of all steps."""
        nodes = [*variables, *map(number, self.constants)]
        for name, operands in self.steps:
            nodes.append(functions[name](*[nodes[i] for i in operands]))
        return nodes[-len(self.steps) :]

    def __str__(self):
        names = [f"x{i}" for i in range(len(self.point))] + [str(c) for c in self.constants]
        for name, operands in self.steps:
            names.append(f"{name}({', '.join(names[i] for i in operands)})")
        return f"{names[-1]} at {self.point}"


def expressions(names, count, seed=0, special=0.3, limit=1e6):
    """Random expressions of these functions, most of them inside of the domain, with a share of special numbers."""
    chance = random.Random(seed)

    def number(others):
        if chance.random() < special:
            return chance.choice([*SPECIAL, *others])
        return chance.choice([1.0, -1.0]) * chance.uniform(0.05, 3.0)

    for _ in range(count):
        point: list[float] = []
        for _ in range(chance.choice([2, 3])):
            point.append(number(point))
        constants = [number(point)]
        steps, nodes = [], [*map(Value, point), *constants]
        leaves, length = len(nodes), chance.randint(1, 5)
        while len(steps) < length:
            name = chance.choice(names)
            operands = [chance.randrange(len(nodes)) for _ in range(ARITY[name])]
            if steps:
                operands[chance.randrange(len(operands))] = len(nodes) - 1  # nothing is computed in vain
            y = OURS[name](*[nodes[i] for i in operands]) if any(type(nodes[i]) is Value for i in operands) else 0.0
            if type(y) is Value and (abs(y.data) < limit or chance.random() < 0.01):
                steps.append((name, tuple(operands)))
                nodes.append(y)
        assert len(nodes) == leaves + length
        yield Expression(point, constants, steps)


# -- the truth ---------------------------------------------------------------------------------------------------------


class UndecidedError(Exception):
    """A branch depends on a rounding error."""


@dataclass
class Jet:
    """A number with all its first and second derivatives, in mpmath; nan where real analysis has no answer.

    Attributes:
        events: what happened on the way to it, as (event, function), along edges that are there.
        elsewhere: also on branches not taken.
    """

    value: object
    gradient: list
    hessian: list
    events: frozenset = frozenset()
    elsewhere: frozenset = frozenset()


@functools.cache
def taylor(form):
    """A function with its first and second derivatives by SymPy: positions of the operands, and one mpmath function."""
    free = [s for s in SYMBOLS if s in form.free_symbols]
    pairs = list(itertools.combinations_with_replacement(range(len(free)), 2))
    wanted = [form, *[form.diff(s) for s in free], *[form.diff(free[i], free[j]) for i, j in pairs]]
    together = sympy.lambdify(free, wanted, "mpmath", cse=True)
    single = [sympy.lambdify(free, w, "mpmath") for w in wanted]

    def derivatives(*numbers):
        try:
            return together(*numbers)
        except SINGULAR:
            return [_attempt(function, numbers) for function in single]

    return [SYMBOLS.index(s) for s in free], pairs, derivatives


SINGULAR = (ZeroDivisionError, ValueError, TypeError, OverflowError)


def _attempt(function, numbers):
    try:
        return function(*numbers)
    except SINGULAR:
        return mpmath.nan


def real(number, name):
    """A number of mpmath, nan where it is complex or infinite; and what happened."""
    number = mpmath.mpmathify(number)
    if isinstance(number, mpmath.mpc) and number.imag != 0:
        return mpmath.nan, {(OUTSIDE, name)}
    if not mpmath.isfinite(number.real):
        return mpmath.nan, {(EDGE, name)}
    tiny_or_huge = number.real != 0 and not 1e-290 < abs(number.real) < 1e290
    return number.real, {(RANGE, name)} if tiny_or_huge else set()


def total(*terms):
    """The sum of products of factors; those with a factor None, a structural zero, do not count."""
    products = [mpmath.fprod(factors) for factors in terms if None not in factors]
    return mpmath.fsum(products) if products else None


def exactly():
    """No nudge."""
    return 1


def applied(name, operands, numbers, nudge):
    """One step of an expression: the chain rule to second order.

    Args:
        name: the function.
        operands: jets.
        numbers: the same operands as the floats that a program has; they decide branches, as in a program.
        nudge: gives a factor near 1 for every number computed.
    """
    form, event = SMOOTH.get(name), None
    lost = any(mpmath.isnan(jet.value) for jet in operands)
    if name in PIECES and lost and name != "where":
        form = sympy.Add(*SYMBOLS[: len(operands)])  # nan is on no side of a kink: nan by each operand
    elif name in PIECES:
        with mpmath.workdps(40):  # x / x is 1 up to the last digit only
            chosen, exact = PIECES[name](*numbers), PIECES[name](*[+jet.value for jet in operands])
        if chosen != exact and nudge is exactly:
            raise UndecidedError
        form, event = chosen if isinstance(chosen, tuple) else (chosen, None)
    places, pairs, function = taylor(form)
    jets, n = [operands[i] for i in places], len(operands[0].gradient)
    live = [any(slope is not None for slope in itertools.chain(jet.gradient, *jet.hessian)) for jet in jets]
    used = [True, *live, *[live[p] and live[q] for p, q in pairs]]
    events: set = {(event, name)} if event else set()
    lost = any(mpmath.isnan(jet.value) for jet in (jets if name == "where" else operands))  # of the arm taken
    results = [mpmath.nan] * len(used) if lost or event == EDGE else function(*[jet.value for jet in jets])
    for i, result in enumerate(results):
        results[i], happened = real(result, name) if used[i] and result is not None else (None, set())
        events |= set() if lost else happened
        results[i] = None if results[i] is None else results[i] * nudge()
    if nudge is exactly and not lost and event != EDGE and all(map(math.isfinite, numbers)):
        # acosh(erf(20)) and asin(ndtr(20)): the float is 1, at the edge, and the number is a little less.
        rounded = function(*[mpmath.mpf(numbers[i]) for i in places])
        if any(
            r is not None and mpmath.isnan(r) != mpmath.isnan(real(f, name)[0])
            for r, f in zip(results, rounded, strict=True)
        ):
            raise UndecidedError
    if mpmath.isnan(results[0]):  # what has no value has no derivative, whatever formulas say
        results = [None if result is None else mpmath.nan for result in results]
    if name == "hypot" and event == KINK:  # the tip of a cone has no second derivatives; nan is "no opinion"
        jets, pairs = operands, [(0, 0), (0, 1), (1, 1)]
        results = [results[0], None, None, mpmath.nan, mpmath.nan, mpmath.nan]
    value, slopes, curves = results[0], results[1 : 1 + len(jets)], results[1 + len(jets) :]
    # (-2)**p has no slope by p: no curve either, although 0 * log(-2) looks like one.
    unknown = [slope is not None and mpmath.isnan(slope) for slope in slopes]
    curves = [
        mpmath.nan if curve is not None and (unknown[p] or unknown[q]) else curve
        for (p, q), curve in zip(pairs, curves, strict=True)
    ]
    gradient = [total(*[(s, jet.gradient[i]) for s, jet in zip(slopes, jets, strict=True)]) for i in range(n)]
    hessian = [
        [
            total(
                *[(s, jet.hessian[i][j]) for s, jet in zip(slopes, jets, strict=True)],
                *[
                    (curve, jets[p].gradient[k], jets[q].gradient[m])
                    for (p, q), curve in zip(pairs, curves, strict=True)
                    for k, m in ([(i, j)] if p == q else [(i, j), (j, i)])
                ],
            )
            for j in range(n)
        ]
        for i in range(n)
    ]
    happened = frozenset(events).union(*[jet.events for jet in jets])
    return Jet(value, gradient, hessian, happened, happened.union(*[jet.elsewhere for jet in operands]))


def truth(expression, digits, nudge=exactly):
    """The jet of an expression."""
    n = len(expression.point)
    nothing = [[None] * n for _ in range(n)]
    with mpmath.workdps(digits):
        jets = [
            Jet(mpmath.mpf(x), [mpmath.mpf(1) if i == j else None for j in range(n)], nothing)
            for i, x in enumerate(expression.point)
        ] + [Jet(mpmath.mpf(x), [None] * n, nothing) for x in expression.constants]
        numbers = [*map(Value, expression.point), *expression.constants]
        for name, operands in expression.steps:
            floats = [float(getattr(numbers[i], "data", numbers[i])) for i in operands]
            jets.append(applied(name, [jets[i] for i in operands], floats, nudge))
            numbers.append(OURS[name](*[numbers[i] for i in operands]))
    return jets[-1]


def flat(jet):
    """Value, gradient and Hessian in one list; a structural zero is 0."""
    return [
        mpmath.mpf(0) if number is None else number
        for number in [jet.value, *jet.gradient, *itertools.chain(*jet.hessian)]
    ]


@dataclass
class Answer:
    """What is right: numbers (nan: no opinion), how far off a careful program may be, and what happened."""

    numbers: list
    errors: list
    jet: Jet


def answer(expression):
    """Numbers right to 30 digits, and the spread of what comes out when every step is off by some ulp.

    Raises:
        UndecidedError: a branch depends on a rounding error.
    """
    last = None
    for digits in (400, 800):  # erfc(20) + 1 is not 1
        jet = truth(expression, digits)
        numbers = flat(jet)
        if last is not None and all(
            mpmath.isnan(b) or abs(a - b) <= 1e-30 * abs(b) + 1e-300 for a, b in zip(last, numbers, strict=True)
        ):
            break
        last = numbers
    else:
        raise UndecidedError
    chance = random.Random(0)
    errors = [4 * ULP * abs(number) + 1e-300 for number in numbers]
    for _ in range(3):
        other = flat(truth(expression, digits, lambda: 1 + mpmath.mpf(chance.uniform(-8.0, 8.0)) * ULP))
        errors = [max(e, abs(a - b)) for e, a, b in zip(errors, numbers, other, strict=True)]
    return Answer(numbers, errors, jet)


# -- conventions -------------------------------------------------------------------------------------------------------


@dataclass
class Difference:
    """A number on which a peer and this package disagree.

    Attributes:
        ours: the number.
        theirs: the peer's.
        right: ours is as near to the truth as a careful program can be; None where real analysis has no answer.
        live: the events on the way, as {event: functions}.
        elsewhere: events on branches not taken as well.
    """

    ours: float
    theirs: float
    right: bool | None
    live: dict
    elsewhere: dict


CONVENTIONS = {
    # The peer differentiates a branch not taken, or multiplies an edge that is not there: 0 * inf.
    "C2 a branch not taken has no edge": lambda d: d.right and math.isfinite(d.ours) and not math.isfinite(d.theirs),
    # The peer takes another slope than the smallest, or the slope of the other side.
    "C3 minimum-norm slope at a kink": lambda d: d.right and KINK in d.live,
    # Smooth, and a peer has fewer digits, or has the kink of its own way to compute it.
    "C4 the peer loses digits": lambda d: d.right and not {KINK, EDGE, OUTSIDE} & d.live.keys(),
    # The peer uses the formula of the derivative where there is no value, or no real one.
    "C3 outside the domain: nan": lambda d: d.right is None and OUTSIDE in d.live and math.isnan(d.ours),
    # 0 ** 0, 0 * log(0), the angle of the origin: 0 or nan, as the conventions have them.
    "C5 pow, xlogy, atan2 at zero": lambda d: d.right is None and {"pow", "xlogy", "atan2"} & d.live.get(EDGE, set()),
    # An infinite slope: the defined side has it; a curve there, or inf * 0, is nan.
    "C3 one-sided slope at the edge": lambda d: d.right is None and EDGE in d.live and not math.isfinite(d.ours),
    # Even the value is on an edge, and a clip or a condition behind it lets nothing through.
    "C2 an edge behind a branch": lambda d: d.right is None and EDGE in d.elsewhere and d.ours == 0.0,
}


def by_event(events):
    """Pairs of event and function as {event: functions}."""
    return {event: {name for happened, name in events if happened == event} for event, _ in events}


def same(x, y):
    return x == y or (math.isnan(x) and math.isnan(y)) or abs(x - y) <= 1e-9 * max(abs(x), abs(y))


def near(x, exact, error):
    """Whether a float is what a careful program can give."""
    return math.isfinite(x) and abs(x - exact) <= 100 * error


def differences(expression, ours, theirs):
    """The numbers on which two disagree, without those in which both are as good as possible.

    Raises:
        UndecidedError: a branch depends on a rounding error.
    """
    if all(map(same, ours, theirs)):
        return
    exact = answer(expression)
    live, elsewhere = by_event(exact.jet.events), by_event(exact.jet.elsewhere)
    for x, y, number, error in zip(ours, theirs, exact.numbers, exact.errors, strict=True):
        silent = mpmath.isnan(number)
        if not same(x, y) and (silent or not (near(x, number, error) and near(y, number, error))):
            yield Difference(x, y, None if silent else near(x, number, error), live, elsewhere)


def forgets_nan(expression):
    """Whether a step is a power that is 1 even for nan, as in C: 1**nan, nan**0."""
    numbers = [*expression.point, *expression.constants, *expression.all_on(expression.point, OURS, float)]
    powers = [operands for name, operands in expression.steps if name == "pow"]
    return any(numbers[base] == 1.0 or numbers[exponent] == 0.0 for base, exponent in powers)


def test_exact():
    """Value, gradient and Hessian of random expressions are those of SymPy, up to the spread of rounding errors."""
    determined, count, undecided = 0, COUNT["exact"], 0
    for expression in expressions(NAMES, count):
        try:
            exact = answer(expression)
        except UndecidedError:
            undecided += 1
            continue
        ours = Ours().derivatives(expression)
        for place, (x, number, error) in enumerate(zip(ours, exact.numbers, exact.errors, strict=True)):
            if not mpmath.isnan(number):
                determined += 1
                assert near(x, number, error), (str(expression), place, x, float(number), exact.jet.events)
        if any(event == OUTSIDE for event, _ in exact.jet.events) and mpmath.isnan(exact.numbers[0]):
            defined = exact.jet.events & {(EDGE, "atan2")} or forgets_nan(expression)
            assert not math.isfinite(ours[0]) or defined, str(expression)
    assert determined > 9 * count
    assert undecided < 0.01 * count


@pytest.mark.parametrize("name", sorted(PEERS) or ["exact"])
def test_peer(name, record_property):
    """Where a peer disagrees with value, gradient or Hessian of a random expression, a convention says why."""
    if name == "exact":
        return  # no peer is installed, and `test_exact` needs none
    peer, found, undecided = PEERS[name](), Counter(), 0
    for expression in expressions(sorted({*NAMES} & {*peer.functions}), COUNT[name]):
        ours, theirs = Ours().derivatives(expression), peer.derivatives(expression)
        classes = set()
        try:
            for difference in differences(expression, ours, theirs):
                reasons = [reason for reason, holds in CONVENTIONS.items() if holds(difference)]
                assert reasons, f"{expression}\nours   {ours}\ntheirs {theirs}\n{difference}"
                classes.add(reasons[0])
        except UndecidedError:
            undecided += 1
        found.update(classes or ["agreement"])
    for reason, count in found.most_common():
        record_property(reason, count)
        print(f"{name}: {count:5} {reason}")
    assert found["agreement"] > 0.93 * COUNT[name]
    assert undecided < 0.01 * COUNT[name]


def test_xlogy_by_both():
    """d²(x log y)/dydx is 1 / y at x = 0 as well, in both orders."""
    assert am.grad(am.grad(am.xlogy, 0), 1)(0.0, 2.0) == 0.5
    assert am.grad(am.grad(am.xlogy, 1), 0)(0.0, 2.0) == 0.5


# -- transforms of transforms ------------------------------------------------------------------------------------------

MIXES = {  # name: (by f, its arguments x and a direction u; from the second and third derivatives)
    "hessian": (lambda f, x, u: am.hessian(f)(x), lambda H, T, u: H),
    "jacobian of grad": (lambda f, x, u: am.jacobian(am.grad(f))(x), lambda H, T, u: H),
    "hvp": (lambda f, x, u: am.hvp(f, (x,), (u,)), lambda H, T, u: H @ u),
    "grad of jvp": (lambda f, x, u: am.grad(along(f, u))(x), lambda H, T, u: H @ u),
    "jvp of grad": (lambda f, x, u: along(am.grad(f), u)(x), lambda H, T, u: H @ u),
    "vjp of jvp": (lambda f, x, u: pulled(along(f, u), 1.0)(x), lambda H, T, u: H @ u),
    "vjp of grad": (lambda f, x, u: pulled(am.grad(f), u)(x), lambda H, T, u: H @ u),
    "jvp of vjp": (lambda f, x, u: along(pulled(f, 1.0), u)(x), lambda H, T, u: H @ u),
    "vjp of vjp": (lambda f, x, u: pulled(pulled(f, 1.0), u)(x), lambda H, T, u: H @ u),
    "jvp of jvp": (lambda f, x, u: along(along(f, u), u)(x), lambda H, T, u: u @ H @ u),
    "jacobian of hessian": (lambda f, x, u: am.jacobian(am.hessian(f))(x), lambda H, T, u: T),
    "jacobian of jacobian of grad": (lambda f, x, u: am.jacobian(am.jacobian(am.grad(f)))(x), lambda H, T, u: T),
    "hessian of an entry of grad": (lambda f, x, u: am.hessian(lambda z: am.grad(f)(z)[0])(x), lambda H, T, u: T[0]),
    "hessian of jvp": (lambda f, x, u: am.hessian(along(f, u))(x), lambda H, T, u: T @ u),
    "jvp of hessian": (lambda f, x, u: along(am.hessian(f), u)(x), lambda H, T, u: T @ u),
    "jacobian of hvp": (lambda f, x, u: am.jacobian(lambda z: am.hvp(f, (z,), (u,)))(x), lambda H, T, u: T @ u),
    "jacobian of jvp of grad": (lambda f, x, u: am.jacobian(along(am.grad(f), u))(x), lambda H, T, u: T @ u),
    "jvp of hvp": (lambda f, x, u: along(lambda z: am.hvp(f, (z,), (u,)), u)(x), lambda H, T, u: T @ u @ u),
    "hvp of jvp": (lambda f, x, u: am.hvp(along(f, u), (x,), (u,)), lambda H, T, u: T @ u @ u),
    "vjp of jvp of grad": (lambda f, x, u: pulled(along(am.grad(f), u), u)(x), lambda H, T, u: T @ u @ u),
    "jvp of vjp of grad": (lambda f, x, u: along(pulled(am.grad(f), u), u)(x), lambda H, T, u: T @ u @ u),
    "grad of jvp of jvp": (lambda f, x, u: am.grad(along(along(f, u), u))(x), lambda H, T, u: T @ u @ u),
    "grad of grad of grad": (
        lambda f, x, u: am.grad(lambda z: am.dot(u, am.grad(lambda y: am.dot(u, am.grad(f)(y)))(z)))(x),
        lambda H, T, u: T @ u @ u,
    ),
    "jvp of jvp of jvp": (lambda f, x, u: along(along(along(f, u), u), u)(x), lambda H, T, u: T @ u @ u @ u),
}


def along(f, u):
    """The derivative of f in a direction, forwards."""
    return lambda x: am.jvp(f, (x,), (u,))[1]


def pulled(f, weights):
    """The derivative of a weighted sum of what f returns, backwards."""
    return lambda x: am.vjp(f, x)[1](weights)[0]


# SymPy's √x² is |x|, whose second derivative is an impulse at 0; no point is there.
AWAY_FROM_KINKS = {"DiracDelta": lambda x, *order: mpmath.mpf(0) if x else mpmath.nan}


@functools.cache
def smooth_cases():
    """Smooth expressions with their first three derivatives by SymPy, and a direction."""
    found, chance = [], random.Random(1)
    functions = {name: sympy.Lambda(SYMBOLS[: ARITY[name]], meaning) for name, meaning in SMOOTH.items()}
    for expression in expressions(sorted(SMOOTH), 40, seed=1, special=0.0, limit=20.0):
        n = len(expression.point)
        symbols = sympy.symbols(f"x:{n}", real=True)
        formula = expression.on(symbols, functions, sympy.Rational)
        orders = [[formula]]
        for _ in range(3):
            orders.append([sympy.diff(g, s) for g in orders[-1] for s in symbols])
        with mpmath.workdps(40):
            numbers = sympy.lambdify(symbols, [*itertools.chain(*orders)], [AWAY_FROM_KINKS, "mpmath"], cse=True)(
                *map(mpmath.mpf, expression.point)
            )
            if all(isinstance(x, mpmath.mpf) or not mpmath.im(x) for x in numbers) and max(map(abs, numbers)) < 1e6:
                flat = np.array([float(mpmath.re(x)) for x in numbers])
                H, T = flat[1 + n : 1 + n + n * n].reshape(n, n), flat[1 + n + n * n :].reshape(n, n, n)
                found.append((expression, H, T, [chance.uniform(-2.0, 2.0) for _ in range(n)]))
    return found


@pytest.mark.parametrize("name", MIXES)
def test_mixes(name):
    """Transforms of transforms, up to three deep, agree with SymPy's derivatives."""
    ours, expected = MIXES[name]
    cases = smooth_cases()
    assert len(cases) > 30
    for expression, H, T, u in cases:
        numbers = ours(lambda xs, e=expression: e.on(xs, OURS, float), expression.point, u)
        scale = max(1e-3, np.abs(H).max(), np.abs(T).max())
        np.testing.assert_allclose(
            np.array(numbers), expected(H, T, np.array(u)), rtol=1e-10, atol=1e-11 * scale, err_msg=str(expression)
        )


def test_both_directions():
    """<u, J v> = <Jᵀ u, v>, at kinks and edges as well; J v and H v are what jacobian and hessian say."""
    chance, counted = random.Random(2), 0
    count = effort(1000, 5000)
    for expression in expressions(NAMES, count, seed=2):
        x, n, m = expression.point, len(expression.point), len(expression.steps)
        u, v = ([chance.uniform(-2.0, 2.0) for _ in range(size)] for size in (m, n))

        def f(xs, e=expression):
            return e.all_on(xs, OURS, float)

        J, H = np.array(am.jacobian(f)(x)), np.array(am.hessian(lambda xs, f=f: f(xs)[-1])(x))
        if not np.isfinite(J).all():
            continue
        forward, backward = along(f, v)(x), pulled(f, u)(x)
        size = (1.0 + np.abs(J).max()) ** 2  # of the terms, which may cancel: products of local slopes
        assert abs(np.dot(u, forward) - np.dot(backward, v)) <= 1e-13 * size, str(expression)
        assert np.abs(J @ v - forward).max() <= 1e-13 * size, str(expression)
        if np.isfinite(H).all():
            product = am.hvp(lambda xs, f=f: f(xs)[-1], (x,), (v,))
            error = 1e-12 * (size + (np.abs(H) @ np.abs(v)).max())
            assert np.abs(H @ np.array(v) - product).max() <= error, str(expression)
            counted += 1
    assert counted > 0.9 * count
