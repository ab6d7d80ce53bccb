"""Closed forms are texts, and SymPy proves each of them."""

from __future__ import annotations

import math
import re

import pytest
import sympy

import autograd_mini as am
from autograd_mini.notation.local_rules import CLOSED_FORMS, UNNORMALISED, closed_form
from autograd_mini.notation.text import number
from autograd_mini.symbolic.lessons import LESSONS

x, s = sympy.symbols("x s", real=True)
z, t = sympy.symbols("z1:4", real=True), sympy.symbols("t1:4", real=True)
softmax = [sympy.exp(zi) / sum(map(sympy.exp, z)) for zi in z]
sigmoid = 1 / (1 + sympy.exp(-x))


def read(text, letters):
    """The text of a closed form as a SymPy expression."""
    written = text
    for ours, theirs in (("−", "-"), ("²", "**2"), ("|o|", "Abs(o)")):
        written = written.replace(ours, theirs)
    if found := re.fullmatch(r"(.*) if (.*), else (.*)", written):
        then, condition, otherwise = (read(part, letters) for part in found.groups())
        return sympy.Piecewise((then, condition), (otherwise, True))
    names = sorted(letters, key=len, reverse=True)
    tokens = re.findall("|".join([*names, r"Abs", r"\d+", r"\S"]), written)
    product = ""
    for before, token in zip(["", *tokens], tokens, strict=False):
        ends, begins = (
            before in letters or before.isdecimal() or before == ")",
            token in letters or token in ("(", "Abs"),
        )
        product += ("*" if ends and begins else "") + token
    return sympy.sympify(product, locals={**letters, "Abs": sympy.Abs})


def forms():
    """Each form with (the derivative that SymPy finds, the letters) for every entry of the Jacobian."""
    normal, density = (
        sympy.erf(x / sympy.sqrt(2)) / 2 + sympy.Rational(1, 2),
        sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi),
    )
    exact = {
        "tanh": (sympy.tanh(x), {"o": sympy.tanh(x)}),
        "sigmoid": (sigmoid, {"a": sigmoid}),
        "softplus": (sympy.log(1 + sympy.exp(x)), {"a": sigmoid}),
        "log_sigmoid": (sympy.log(sigmoid), {"a": sigmoid}),
        "silu": (x * sigmoid, {"a": sigmoid, "x": x}),
        "gelu": (x * normal, {"Φ": normal, "x": x, "φ": density}),
        "relu": (sympy.Piecewise((x, x > 0), (0, True)), {"x": x}),
        "leaky_relu": (sympy.Piecewise((x, x > 0), (s * x, True)), {"x": x, "s": s}),
        "softsign": (x / (1 + sympy.Abs(x)), {"o": x / (1 + sympy.Abs(x))}),
    }
    for name, (function, letters) in exact.items():
        yield name, CLOSED_FORMS[name], [(sympy.diff(function, x), letters)]
    lse = sympy.log(sum(map(sympy.exp, z)))
    pairs = [(i, j) for i in range(3) for j in range(3)]
    delta = [[sympy.Integer(i == j) for j in range(3)] for i in range(3)]
    yield (
        "softmax",
        CLOSED_FORMS["softmax"],
        [(sympy.diff(softmax[i], z[j]), {"a_i": softmax[i], "δ_ij": delta[i][j], "a_j": softmax[j]}) for i, j in pairs],
    )
    yield (
        "log_softmax",
        CLOSED_FORMS["log_softmax"],
        [(sympy.diff(z[i] - lse, z[j]), {"δ_ij": delta[i][j], "a_j": softmax[j]}) for i, j in pairs],
    )
    yield "logsumexp", CLOSED_FORMS["logsumexp"], [(sympy.diff(lse, z[j]), {"a_j": softmax[j]}) for j in range(3)]
    loss = sum(ti * (lse - zi) for ti, zi in zip(t, z, strict=True))
    yield (
        "cross_entropy",
        UNNORMALISED["cross_entropy"],
        [(sympy.diff(loss, z[j]), {"a_j": softmax[j], "Σt": sum(t), "t_j": t[j]}) for j in range(3)],
    )
    normalised = {t[2]: 1 - t[0] - t[1]}
    yield (
        "cross_entropy",
        CLOSED_FORMS["cross_entropy"],
        [
            (sympy.diff(loss, z[j]).subs(normalised), {"a_j": softmax[j], "t_j": t[j].subs(normalised)})
            for j in range(3)
        ],
    )
    yield (
        "nll",
        CLOSED_FORMS["nll"],
        [(sympy.diff(-sum(ti * zi for ti, zi in zip(t, z, strict=True)), z[j]), {"t_j": t[j]}) for j in range(3)],
    )
    by_logit = sum(sympy.log(1 + sympy.exp(zi)) - ti * zi for ti, zi in zip(t, z, strict=True)) / 3
    yield (
        "binary_cross_entropy",
        CLOSED_FORMS["binary_cross_entropy"],
        [(sympy.diff(by_logit, z[j]), {"a": 1 / (1 + sympy.exp(-z[j])), "t": t[j], "n": 3}) for j in range(3)],
    )
    squares = sum((zi - ti) ** 2 for zi, ti in zip(z, t, strict=True)) / 3
    yield "mse", CLOSED_FORMS["mse"], [(sympy.diff(squares, z[j]), {"p": z[j], "t": t[j], "n": 3}) for j in range(3)]


FORMS = [*forms()]


@pytest.mark.parametrize(("name", "form", "entries"), FORMS, ids=[f"{name}: {form.text}" for name, form, _ in FORMS])
def test_sympy_proves_each_closed_form(name, form, entries):
    """The text, read as a formula, is the derivative of the textbook function; the lambda beside it says the same."""
    for derivative, letters in entries:
        assert {*form.letters} == {*letters}
        difference = read(form.text, letters) - derivative
        for case in [x > 0, x < 0] if name in ("relu", "leaky_relu", "softsign") else [True]:
            sign = sympy.Symbol("x", positive=True) * (1 if case == (x > 0) else -1)
            one = difference if case is True else difference.subs(x, sign).doit()
            assert sympy.simplify(one.rewrite(sympy.exp)) == 0
    if name not in ("relu", "leaky_relu", "softsign"):
        symbols = {letter: sympy.Symbol(letter) for letter in form.letters}
        assert sympy.nsimplify(sympy.expand(form.value(**symbols) - read(form.text, symbols))) == 0


def test_every_form_is_proved():
    """No closed form goes without a proof, and each that `prove` teaches is here."""
    proved = {id(form) for _, form, _ in FORMS}
    assert {id(form) for form in (*CLOSED_FORMS.values(), *UNNORMALISED.values())} == proved
    taught = {lesson.function.__name__ for lesson in LESSONS.values()}
    assert taught <= CLOSED_FORMS.keys()


@pytest.mark.parametrize("name", [n for n, f in CLOSED_FORMS.items() if {*f.letters} <= {"o", "a", "x", "Φ", "φ"}])
@pytest.mark.parametrize("at", [-2.5, -0.3, 0.2, 0.7, 3.0])
def test_the_package_computes_what_the_form_says(name, at):
    """The gradient of the recorded composition is the value of the closed form."""
    leaf = am.Value(at)
    o = getattr(am, name)(leaf)
    o.backward()
    known = {"o": o.data, "a": am.sigmoid(at), "x": at, "Φ": am.ndtr(at),
             "φ": math.exp(-at * at / 2) / math.sqrt(2 * math.pi)}  # fmt: skip
    form = CLOSED_FORMS[name]
    assert leaf.grad == pytest.approx(form.value(**{letter: known[letter] for letter in form.letters}), rel=1e-12)


def test_numbers_take_the_place_of_letters():
    """Letters side by side become a product, and a negative number gets parentheses."""
    said = {name: CLOSED_FORMS[name].numbered(letters) for name, letters in {
        "tanh": {"o": 0.70710678}, "sigmoid": {"a": 0.25}, "silu": {"a": 0.25, "x": -2.0},
        "softmax": {"a_i": 0.5, "δ_ij": 1.0, "a_j": 0.5}, "gelu": {"Φ": 0.8413, "x": 1.0, "φ": 0.242},
        "mse": {"p": -1.0, "t": 2.0, "n": 3.0}, "relu": {"x": -1.0},
    }.items()}  # fmt: skip
    assert said == {
        "tanh": "1 − 0.7071²", "sigmoid": "0.25 × (1 − 0.25)", "silu": "0.25 × (1 + (-2) × (1 − 0.25))",
        "softmax": "0.5 × (1 − 0.5)", "gelu": "0.8413 + 1 × 0.242", "mse": "2 × ((-1) − 2)/3",
        "relu": "1 if (-1) > 0, else 0",
    }  # fmt: skip
    assert CLOSED_FORMS["tanh"].numbered({"o": 2 / 3}, 2) == f"1 − {number(2 / 3, 2)}²"


def test_the_sum_of_the_targets_stands_in_the_form_where_it_is_not_1():
    """a − t holds for probabilities; other forms do not change."""
    assert closed_form("cross_entropy").text == "a_j − t_j"
    assert closed_form("cross_entropy", is_normalised=False).text == "a_jΣt − t_j"
    assert closed_form("tanh", is_normalised=False) is CLOSED_FORMS["tanh"]
    assert closed_form("energy") is None
