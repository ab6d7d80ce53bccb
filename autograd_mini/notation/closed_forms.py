"""The closed forms of derivatives of this package's compositions, such as 1 − o² for o = tanh(x), as text.

Tests prove each with SymPy, so that no picture, page or terminal needs it. Not here: the numbers of a graph.
Read next: `notation.namespaces`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from autograd_mini.notation.text import guarded, number


class ClosedForm(NamedTuple):
    """A derivative written with a few letters; letters side by side are multiplied.

    Attributes:
        text: the derivative, such as "a_i(δ_ij − a_j)".
        where: what the letters stand for.
        value: the same derivative as a function; its parameters are the letters.
    """

    text: str
    where: str
    value: Callable[..., float]

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters in the text."""
        return self.value.__code__.co_varnames

    def numbered(self, letters: Mapping[str, float], digits: int = 4) -> str:
        """Return the text with numbers in place of its letters."""
        written, after_operand = "", False
        for token in re.findall("|".join([*sorted(self.letters, key=len, reverse=True), r"\d+", " +", "."]), self.text):
            is_operand = token in self.letters or token.isdecimal()
            written += " × " * (after_operand and (is_operand or token == "("))
            written += guarded(number(letters[token], digits)) if token in self.letters else token
            after_operand = is_operand or token in (")", "²")
        return written


_SIGMOID, _SOFTMAX = "a = sigmoid(x)", "a = softmax(z)"
# By the name of the composition.
CLOSED_FORMS: dict[str, ClosedForm] = {
    "tanh": ClosedForm("1 − o²", "o = tanh(x)", lambda o: 1.0 - o * o),
    "sigmoid": ClosedForm("a(1 − a)", _SIGMOID, lambda a: a * (1.0 - a)),
    "softplus": ClosedForm("a", _SIGMOID, lambda a: a),
    "log_sigmoid": ClosedForm("1 − a", _SIGMOID, lambda a: 1.0 - a),
    "silu": ClosedForm("a(1 + x(1 − a))", _SIGMOID, lambda a, x: a * (1.0 + x * (1.0 - a))),
    "gelu": ClosedForm("Φ + xφ", "Φ is the normal distribution at x, φ its density", lambda Φ, x, φ: Φ + x * φ),
    "relu": ClosedForm("1 if x > 0, else 0", "x is the operand", lambda x: 1.0 if x > 0.0 else 0.0),
    "leaky_relu": ClosedForm("1 if x > 0, else s", "s is the slope on the left", lambda x, s: 1.0 if x > 0.0 else s),
    "softsign": ClosedForm("(1 − |o|)²", "o = softsign(x)", lambda o: (1.0 - abs(o)) ** 2),
    "softmax": ClosedForm(
        "a_i(δ_ij − a_j)", f"{_SOFTMAX}, δ_ij = 1 if i = j, else 0", lambda a_i, δ_ij, a_j: a_i * (δ_ij - a_j)
    ),
    "log_softmax": ClosedForm("δ_ij − a_j", f"{_SOFTMAX}, δ_ij = 1 if i = j, else 0", lambda δ_ij, a_j: δ_ij - a_j),
    "logsumexp": ClosedForm("a_j", _SOFTMAX, lambda a_j: a_j),
    "cross_entropy": ClosedForm("a_j − t_j", f"{_SOFTMAX}, t is the target", lambda a_j, t_j: a_j - t_j),
    "nll": ClosedForm("−t_j", "t is the target", lambda t_j: -t_j),
    "binary_cross_entropy": ClosedForm("(a − t)/n", f"{_SIGMOID}, t is the target, n their number",
                                       lambda a, t, n: (a - t) / n),
    "mse": ClosedForm("2(p − t)/n", "p is the prediction, t the target, n their number",
                      lambda p, t, n: 2.0 * (p - t) / n),
}  # fmt: skip
# Where the probabilities of a target do not sum to 1.
UNNORMALISED = {
    "cross_entropy": ClosedForm("a_jΣt − t_j", f"{_SOFTMAX}, t is the target and Σt its sum",
                                lambda a_j, Σt, t_j: a_j * Σt - t_j),
}  # fmt: skip


def closed_form(name: str, is_normalised: bool = True) -> ClosedForm | None:
    """Return the closed form of a composition's derivative, or None if it is not known.

    `is_normalised` says whether the target sums to 1.
    """
    return CLOSED_FORMS.get(name) if is_normalised else UNNORMALISED.get(name, CLOSED_FORMS.get(name))
