"""The check of a user's rule at registration: right rules pass, whatever the function; wrong ones are found."""

from __future__ import annotations

import inspect
import math
import random
import subprocess
import sys
import time

import pytest

import autograd_mini as am
from autograd_mini.core.row import TABLE, ZERO

NAME = "test_custom"
nan = math.nan
# Their rules are meant to differ from their functions: a slope of 0 that has a derivative, or y as a function of x.
MEANT_TO_DIFFER = ("flat", "slope_at_kink", "one_power_less")
ROWS = [row for row in TABLE.values() if not row.is_users and row.name not in MEANT_TO_DIFFER]


@pytest.fixture
def register():
    """Register an operation; it is gone after the test."""

    def add(function, rule, **settings):
        TABLE.pop(NAME, None)
        return am.primitive(NAME, function, rule, **settings)

    yield add
    TABLE.pop(NAME, None)


def plain(row):
    """A row's function and rule as a user would write them; the last operands of `power_term` are whole numbers."""
    whole = (1.0, 1.0) if row.name == "power_term" else ()

    def function(*xs):
        return row.function(*xs, *whole)

    def rule(y, *xs):
        return row.rule(y, *xs, *whole)[: len(xs)]

    return function, rule, 2 if row.arity is None or whole else row.arity


def of_arity(count, rule):
    """A rule of any number of operands as one of so many."""
    return [None, lambda y, a: rule(y, a), lambda y, a, b: rule(y, a, b), lambda y, a, b, c: rule(y, a, b, c)][count]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_of_the_package_passes(register, row):
    """Registered once more under another name, over its own domain, the default one, small, large and huge ones."""
    function, rule, count = plain(row)
    for domain in (row.domain, (-10.0, 10.0), (0.0, 1e-3), (1e5, 1e9), (-1e300, 1e300)):
        register(function, of_arity(count, rule), domain=domain)


MUTATIONS = {
    "negated": lambda p: -p,
    "doubled": lambda p: 2.0 * p,
    "shifted": lambda p: p + 1.0,
    "a tenth more": lambda p: 1.1 * p,
    "forgotten": lambda p: 0.0 * p,
}
WITHOUT_SLOPE = (
    "floor_divide",
    "sign",
    "floor",
    "round",
    "stop_gradient",
)  # no edge at all: there is nothing to mutate


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in WITHOUT_SLOPE], ids=lambda row: row.name)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutated_rule_is_found(register, mutation, row):
    """One partial derivative after the other is wrong wherever there is an edge; `check=False` lets it pass."""
    function, rule, count = plain(row)
    for position in range(count):
        if (row.name, position) in (("where", 0), ("where", 2), ("take", 0)):  # no edge, at numbers that are not 0
            continue

        def wrong(y, *xs, position=position):
            partials = list(rule(y, *xs))
            if partials[position] is not ZERO:
                partials[position] = MUTATIONS[mutation](partials[position])
            return tuple(partials)

        with pytest.raises(am.ArgumentError, match=r"(?s)contradicts its function.*check=False") as caught:
            register(function, of_arity(count, wrong), domain=row.domain)
        assert "test_custom.py" in str(caught.value)
        assert NAME not in TABLE
        register(function, of_arity(count, wrong), domain=row.domain, check=False)


def test_the_rule_of_another_function_is_found(register):
    """cos for exp, a forgotten inner derivative, a swapped pair."""
    for function, rule in (
        (math.exp, lambda y, x: (am.cos(x),)),
        (lambda x: math.exp(2.0 * x), lambda y, x: (y,)),
        (lambda a, b: a / b, lambda y, a, b: (-y / b, 1.0 / b)),
        (math.tanh, lambda y, x: (1.0 / y - y,)),
        (lambda *xs: math.hypot(*xs), lambda y, *xs: tuple(x for x in xs)),
        (lambda x: max(x, 0.0), lambda y, x: (am.select(x > 0.0, 1.0, 1.0),)),
        (lambda a, b, c: a * b * c, lambda y, a, b, c: (b * c, a * c, a * c)),
    ):
        with pytest.raises(am.ArgumentError, match=r"(?s)contradicts.*slope.*differences.*do:.*check=False"):
            register(function, rule)


@pytest.mark.parametrize("slope", [nan, math.inf, -math.inf])
def test_a_slope_that_is_not_finite_is_found(register, slope):
    """Where the function is finite and smooth, nan and infinity are wrong slopes too; at a pole they are right."""
    with pytest.raises(am.ArgumentError, match=r"(?s)contradicts.*gives the slope (nan|-?inf).*differences"):
        register(lambda x: x * x, lambda y, x: (2.0 * x + slope,))
    register(lambda x: abs(x), lambda y, x: (x / abs(x),))


@pytest.mark.parametrize(
    "domain", [(), "ab", 3.0, (0.0,), (0.0, 1.0, 2.0), (nan, 1.0), (3.0, -3.0), ("a", "b"), ((0.0, 1.0), 2.0), None]
)
def test_an_impossible_domain(register, domain):
    """A domain is two numbers, the smaller one first, or one such pair per operand; anything else is an error."""
    with pytest.raises(am.ArgumentError, match=r"(?s)domain of .*test_custom.*do: .*\(low, high\)"):
        register(lambda x: x * x, lambda y, x: (2.0 * x,), domain=domain)
    assert NAME not in TABLE


@pytest.mark.parametrize("partial", [2.0j, "a", None, [1.0]])
def test_a_partial_that_is_no_number(register, partial):
    """An error names the rule in every mode, while tracing too."""
    operation = register(lambda x: x * x, lambda y, x: (partial,), check=False)
    for use in (
        lambda: operation(am.Value(3.0)),
        lambda: am.grad(operation)(3.0),
        lambda: am.grad(am.grad(operation))(3.0),
        lambda: am.jvp(operation, (3.0,), (1.0,)),
        lambda: am.jit(am.grad(operation))(3.0),
    ):
        with pytest.raises(am.ArgumentError, match=rf"(?s)The rule of '{NAME}' returned.*must be a number or ZERO"):
            use()


def test_a_function_that_returns_no_number_is_not_compiled(register):
    """As in eager mode, the error names the function."""
    for result in (None, "a"):
        operation = register(lambda x, result=result: result, lambda y, x: (1.0,), check=False)
        for f in (operation, am.jit(operation)):
            with pytest.raises(am.ArgumentError, match=rf"The function of '{NAME}' returned {result!r}"):
                f(3.0)


class Counter:
    """A function with a state."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x * x


RIGHT = {
    "kink": (abs, lambda y, x: (am.sign(x),), (-10.0, 10.0)),
    "kinks everywhere": (
        lambda x: abs(math.sin(50.0 * x)), lambda y, x: (25.0 * am.sin(100.0 * x) / y,), (-10.0, 10.0),
    ),
    "pole": (lambda x: 1.0 / x, lambda y, x: (-y / x,), (-1.0, 1.0)),
    "a pole in reach": (lambda x: 1.0 / (x - 0.123), lambda y, x: (-y * y,), (0.0, 0.25)),
    "nan outside": (am.log, lambda y, x: (1.0 / x,), (-10.0, 10.0)),
    "raises outside": (math.log, lambda y, x: (1.0 / x,), (-10.0, 10.0)),
    "whole numbers": (math.floor, lambda y, x: (0.0,), (-10.0, 10.0)),
    "no edge": (lambda x: x, lambda y, x: (am.ZERO,), (-10.0, 10.0)),
    "steps": (lambda x: math.floor(1e4 * x) / 1e4, lambda y, x: (0.0,), (-10.0, 10.0)),
    "state": (Counter(), lambda y, x: (2.0 * x,), (-10.0, 10.0)),
    "seven digits": (lambda x: round(math.sin(x), 7), lambda y, x: (am.cos(x),), (-10.0, 10.0)),
    "three digits": (lambda x: round(math.sin(x), 3), lambda y, x: (am.cos(x),), (-10.0, 10.0)),
    "fast": (lambda x: math.sin(1e4 * x), lambda y, x: (1e4 * am.cos(1e4 * x),), (-10.0, 10.0)),
    "huge": (lambda x: 1e300 * x * x * x, lambda y, x: (3e300 * x * x,), (-1.0, 1.0)),
    "tiny": (lambda x: 1e-300 * x * x * x, lambda y, x: (3e-300 * x * x,), (-1.0, 1.0)),
    "cancelled": (lambda x: (x + 1e12) - 1e12, lambda y, x: (1.0,), (-1.0, 1.0)),
    "one point": (lambda x: x, lambda y, x: (1.0,), (2.0, 2.0)),
    "infinite domain": (lambda x: x * x, lambda y, x: (2.0 * x,), (-math.inf, math.inf)),
    "numbers of NumPy's size": (lambda x: int(x > 0.0), lambda y, x: (0,), (-10.0, 10.0)),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_rule_is_not_complained_about(register, case):
    """Kinks, poles, edges of the domain, steps, rounding, huge and tiny numbers."""
    function, rule, domain = RIGHT[case]
    register(function, rule, domain=domain)


@pytest.mark.parametrize("seed", range(50))
def test_noise_is_not_a_contradiction(register, seed):
    """A simulation's result differs from call to call; its differences agree with nothing."""
    noise = random.Random(seed)
    for size in (1e-6, 1e-3, 1.0):
        register(lambda x, size=size: math.sin(x) + size * noise.random(), lambda y, x: (am.cos(x),))


def test_a_dear_function_is_asked_a_few_times(register):
    """The check ends after a tenth of a second, after a point at least; without a check nothing is called."""
    calls = []

    def dear(x):
        calls.append(x)
        time.sleep(0.03)
        return x

    register(dear, lambda y, x: (1.0,))
    assert 1 <= len(calls) <= 12
    calls.clear()
    register(dear, lambda y, x: (1.0,), check=False)
    assert calls == []


def test_the_check_leaves_nothing_behind(register):
    """No node, no hook: a graph that is recorded around it, and its observers, do not notice."""
    with am.provenance(), am.checked(), am.kinks() as kinks:
        register(lambda x: abs(x), lambda y, x: (am.sign(x),), domain=(-1.0, 1.0))
    assert not list(kinks)


@pytest.mark.parametrize(
    ("function", "rule", "operands", "signature"),
    [
        (lambda: 3.0, lambda y: (), (), "()"),
        (lambda x: 2.0 * x, lambda *ys: (2.0,), (1.0,), "(*ys)"),
        (lambda *xs: sum(xs), lambda y, *xs: (1.0,) * len(xs), (1.0, 2.0, 3.0, 4.0), "(*xs)"),
        (lambda *xs: sum(xs), lambda y, x, *more: (1.0,) * (1 + len(more)), (1.0, 2.0, 3.0), "(x, *more)"),
        (lambda a, b, c, d: a * d, lambda y, a, b, c, d: (d, 0.0, 0.0, a), (1.0, 2.0, 3.0, 4.0), "(a, b, c, d)"),
        (lambda a, b, c, d=4.0: a * d, lambda y, a, b, c, d: (d, 0.0, 0.0, a), (1.0, 2.0, 3.0), "(a, b, c, d)"),
        (lambda a, b=2.0: a * b, lambda y, a, b: (b, a), (1.0,), "(a, b)"),
    ],
)
def test_any_number_of_operands(register, function, rule, operands, signature):
    """None, a few, many, any number; defaults of the function are filled in; `help` shows the rule's names."""
    operation = register(function, rule)
    assert operation(*operands) == function(*operands)
    assert str(inspect.signature(operation)) == signature
    if operands:
        leaves = [am.Value(x) for x in operands]
        operation(*leaves).backward()
        assert [leaf.grad for leaf in leaves] == [am.grad(operation, i)(*operands) for i in range(len(operands))]


def test_every_module_can_be_imported_after_a_registration():
    """Tables made while a module is imported do not expect anything of a user's operation."""
    program = (
        "import importlib, pkgutil\n"
        "import autograd_mini as am\n"
        "am.primitive('own_square', lambda x: x * x, lambda y, x: (2.0 * x,))\n"
        "for module in pkgutil.walk_packages(am.__path__, 'autograd_mini.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
