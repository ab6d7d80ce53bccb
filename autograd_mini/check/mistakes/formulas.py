"""Formulas as people write them: the right derivative of each function, and how its value and derivative are misread.

Each is a text, which reports quote, and which is evaluated to find out who wrote what: `x` is the input, `a` the
output. Not here: mistakes that fit every function (`rows`). Read next: `check.mistakes.rows`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from autograd_mini.core import table
from autograd_mini.core.ieee import Total
from autograd_mini.functions import FUNCTIONS


class Right(NamedTuple):
    """The right derivative."""

    by_input: str
    by_output: str = ""  # if it is simpler
    stable: str = ""  # keeps its digits in the tails, if the others do not


RIGHT: dict[str, Right] = {
    "tanh": Right("1 - tanh(x)**2", "1 - a*a", "1/cosh(x)**2"),
    "sigmoid": Right("sigmoid(x)*(1 - sigmoid(x))", "a*(1 - a)", "sigmoid(x)*sigmoid(-x)"),
    "relu": Right("1 if x > 0 else 0", "1 if a > 0 else 0"),
    "leaky_relu": Right("1 if x > 0 else 0.01", "1 if a > 0 else 0.01"),
    "elu": Right("1 if x > 0 else exp(x)", "1 if a > 0 else a + 1"),
    "selu": Right("1.0507009873554805 if x > 0 else 1.7580993408473766*exp(x)"),
    "gelu": Right("ndtr(x) + x*exp(-x*x/2)/sqrt(2*pi)"),
    "silu": Right("sigmoid(x)*(1 + x*(1 - sigmoid(x)))"),
    "softplus": Right("sigmoid(x)", "1 - exp(-a)"),
    "softsign": Right("1/(1 + abs(x))**2", "(1 - abs(a))**2"),
    "log_sigmoid": Right("sigmoid(-x)", "1 - exp(a)"),
    "hard_tanh": Right("1 if -1 < x < 1 else 0"),
    "exp": Right("exp(x)", "a"),
    "exp2": Right("log(2)*exp2(x)", "log(2)*a"),
    "expm1": Right("exp(x)", "a + 1", "exp(x)"),
    "log": Right("1/x", "exp(-a)"),
    "log2": Right("1/(x*log(2))"),
    "log10": Right("1/(x*log(10))"),
    "log1p": Right("1/(1 + x)", "exp(-a)"),
    "sqrt": Right("1/(2*sqrt(x))", "1/(2*a)"),
    "cbrt": Right("1/(3*cbrt(x)**2)", "1/(3*a*a)"),
    "sin": Right("cos(x)"),
    "cos": Right("-sin(x)"),
    "tan": Right("1 + tan(x)**2", "1 + a*a"),
    "asin": Right("1/sqrt(1 - x*x)", "", "1/sqrt((1 - x)*(1 + x))"),
    "acos": Right("-1/sqrt(1 - x*x)", "", "-1/sqrt((1 - x)*(1 + x))"),
    "atan": Right("1/(1 + x*x)"),
    "sinh": Right("cosh(x)"),
    "cosh": Right("sinh(x)"),
    "asinh": Right("1/sqrt(x*x + 1)"),
    "acosh": Right("1/sqrt(x*x - 1)", "", "1/(sqrt(x - 1)*sqrt(x + 1))"),
    "atanh": Right("1/(1 - x*x)", "", "1/((1 - x)*(1 + x))"),
    "erf": Right("2/sqrt(pi)*exp(-x*x)"),
    "erfc": Right("-2/sqrt(pi)*exp(-x*x)"),
    "ndtr": Right("exp(-x*x/2)/sqrt(2*pi)"),
    "abs": Right("sign(x)"),
}

# Derivatives of lists, as they are written; they are not evaluated.
OF_LISTS = {
    "softmax": "a[i]*((1 if i == j else 0) - a[j]), with a = softmax(z)",
    "log_softmax": "(1 if i == j else 0) - a[j], with a = softmax(z)",
    "logsumexp": "a[j], with a = softmax(z)",
    "cross_entropy": "a - t, with a = softmax(z)",
    "binary_cross_entropy": "a - t, with a = sigmoid(z)",
    "nll": "-t",
    "mse": "2*(y - t)/n",
    "mae": "sign(y - t)/n",
    "huber": "min(max(y - t, -1), 1)/n",
    "hinge": "-label/n where label*score < 1, else 0",
    "mean": "1/n",
    "sum": "1",
    "norm": "x/norm(x)",
    "dot": "y",
}

_PRECEDENCE = "precedence: without parentheses only the first term is divided"
# fmt: off
WRONG_VALUES: dict[str, dict[str, str]] = {  # what is written instead, and why it is wrong
    "sigmoid": {"1/1 + exp(-x)": _PRECEDENCE, "1/1 + exp(x)": _PRECEDENCE,
                "1/(1 + exp(x))": "the sign of x in the exponential is flipped",
                "1/(1 - exp(-x))": "minus instead of plus in the denominator", "exp(x)/1 + exp(x)": _PRECEDENCE,
                "1 - 1/(1 + exp(-x))": "the probability of the other class"},
    "tanh": {"exp(x) - exp(-x)/exp(x) + exp(-x)": _PRECEDENCE, "(exp(x) - exp(-x))/exp(x) + exp(-x)": _PRECEDENCE,
             "exp(x) - exp(-x)/(exp(x) + exp(-x))": _PRECEDENCE, "2/1 + exp(-2*x) - 1": _PRECEDENCE,
             "2/(1 + exp(-2*x))": "the final - 1 is missing",
             "2/(1 + exp(-x)) - 1": "the factor 2 in the exponential is missing",
             "(exp(x) + exp(-x))/(exp(x) - exp(-x))": "numerator and denominator are swapped"},
    "softplus": {"log(1) + exp(x)": "precedence: the logarithm is of 1 alone",
                 "log(1 + exp(-x))": "the sign of x in the exponential is flipped"},
    "silu": {"x/1 + exp(-x)": _PRECEDENCE, "x/(1 + exp(x))": "the sign of x is flipped"},
    "softsign": {"x/1 + abs(x)": _PRECEDENCE, "x/(1 + x)": "the absolute value is missing"},
    "gelu": {"0.5*x*(1 + tanh(sqrt(2/pi)*(x + 0.044715*x**3)))": "the approximation by tanh",
             "x*sigmoid(1.702*x)": "the approximation by sigmoid"},
    "relu": {"abs(x)": "the absolute value instead of the positive part",
             "x if x < 0 else 0.0*x": "the negative part instead of the positive one"},
    "elu": {"exp(x) - 1": "the case x > 0 is missing"},
    "log": {**{f"log(x + {e})": "finite at 0, and wrong everywhere else" for e in ("1e-6", "1e-8", "1e-10", "1e-12")},
            "log10(x)": "the logarithm to base 10", "log2(x)": "the logarithm to base 2"},
    **{name: {f"{name}(x*pi/180)": "degrees instead of radians"} for name in ("sin", "cos", "tan")},
}
WRONG_SLOPES: dict[str, dict[str, str]] = {
    "tanh": {"1/a - a": "1/a - a is not 1 - a*a", "1 - a": "the square is missing",
             "1 + a*a": "plus instead of minus", "1/cosh(x)": "the square is missing",
             "(1 - a)*(1 - a)": "(1 - a)*(1 + a) is 1 - a*a, (1 - a)**2 is not"},
    "sigmoid": {"a*1 - a": "precedence: without parentheses only 1 is multiplied",
                "1 - a": "the factor a is missing", "a*(1 + a)": "plus instead of minus",
                "a*a": "a*(1 - a) is not a*a", "a - 1": "the factor -a is missing",
                "(1 - a)*(1 - a)": "one of the factors is a", "a*a*(1 - a)": "a factor a too many",
                "exp(-x)/(1 + exp(-x))": "the denominator must be squared"},
    "softplus": {"1/1 + exp(-x)": _PRECEDENCE, "sigmoid(-x)": "the sign of x is flipped"},
    "softsign": {"1/(1 + abs(x))": "the square is missing", "1/(1 + x)**2": "abs is missing"},
    "silu": {"sigmoid(x)*(1 - sigmoid(x))": "the derivative of sigmoid, without the product rule",
             "sigmoid(x)": "one term of the product rule is missing",
             "sigmoid(x)*(1 - x*(1 - sigmoid(x)))": "minus instead of plus",
             "sigmoid(x)*(1 + x*sigmoid(x)*(1 - sigmoid(x)))": "the second term has a factor sigmoid(x) too many",
             "sigmoid(x) + x*(1 - sigmoid(x))": "the second term lacks a factor sigmoid(x)",
             "sigmoid(x) + x": "the derivative of sigmoid is missing in the product rule",
             "x*sigmoid(x)*(1 - sigmoid(x))": "one term of the product rule is missing"},
    "gelu": {"ndtr(x)": "one term of the product rule is missing",
             "x*exp(-x*x/2)/sqrt(2*pi)": "one term of the product rule is missing",
             "ndtr(x) - x*exp(-x*x/2)/sqrt(2*pi)": "minus instead of plus",
             "ndtr(x) + exp(-x*x/2)/sqrt(2*pi)": "the second term lacks a factor x",
             "ndtr(x) + x*exp(-x*x/2)": "the second term lacks a factor 1/sqrt(2*pi)",
             "ndtr(x) + x*exp(-x*x)/sqrt(2*pi)": "the exponent is -x*x/2",
             "sigmoid(1.702*x) + x*sigmoid(1.702*x)*(1 - sigmoid(1.702*x))":
                 "of the approximation by sigmoid, without the inner derivative 1.702"},
    "relu": {"x if x > 0 else 0": "the value instead of the slope", "1": "the case x < 0 is missing",
             "0 if x > 0 else 1": "the cases are swapped", "1 if x > 0 else -1": "the slope on the left is 0",
             "1 if x > 1 else 0": "the kink is at 0"},
    "leaky_relu": {"1 if x > 0 else 0": "the slope on the left is missing",
                   "0.01 if x > 0 else 1": "the cases are swapped",
                   "1 if x > 0 else -0.01": "the sign on the left is flipped",
                   "1 if x > 0 else 0.01*x": "the value instead of the slope on the left",
                   **{f"1 if x > 0 else {slope}": "the slope on the left is 0.01 here"
                      for slope in ("0.1", "0.2", "0.3", "0.05", "0.001", "1/5.5")}},
    "elu": {"1 if x > 0 else exp(x) - 1": "the value instead of the slope on the left",
            "exp(x)": "the case x > 0 is missing", "exp(x) if x > 0 else 1": "the cases are swapped",
            "1 if x > 0 else exp(x) + 1": "a + 1 is exp(x), not exp(x) + 1",
            "1 if x > 0 else -exp(x)": "the sign on the left is flipped",
            "1 if x > 0 else exp(-x)": "the sign of x in the exponential is flipped"},
    "selu": {"1 if x > 0 else 1.6732632423543772*exp(x)": "the scale 1.0507 is missing",
             "1 if x > 0 else exp(x)": "the scale 1.0507 and alpha 1.6733 are missing",
             "1.0507009873554805 if x > 0 else 1.0507009873554805*exp(x)": "alpha, 1.6733, is missing on the left",
             "1.0507009873554805 if x > 0 else 1.6732632423543772*exp(x)": "the scale 1.0507 is missing on the left",
             "1.0507009873554805 if x > 0 else 1.7580993408473766*(exp(x) - 1)":
                 "the value instead of the slope on the left"},
    "hard_tanh": {"0 if -1 < x < 1 else 1": "the cases are swapped", "1 if 0 < x < 1 else 0": "the left end is -1"},
    "log_sigmoid": {"sigmoid(x)": "the sign of x is flipped",
                    "1/sigmoid(x)": "the derivative of sigmoid is missing"},
    "log": {"1/a": "1 over the logarithm, not over x", "1/(x*x)": "there is no square"},
    "sqrt": {"1/sqrt(x)": "the factor 2 in the denominator is missing",
             "2*sqrt(x)": "numerator and denominator are swapped",
             "0.5*sqrt(x)": "the exponent of x is -1/2", "0.5*x": "the exponent -1/2 is missing"},
    "tan": {"1 - a*a": "minus instead of plus", "1/cos(x)": "the square is missing",
            "1 + a": "the square is missing"},
    "asin": {"1/(1 - x*x)": "the square root is missing", "1/sqrt(1 + x*x)": "plus instead of minus"},
    "atan": {"1/sqrt(1 + x*x)": "there is no square root", "1/(1 - x*x)": "minus instead of plus"},
    "exp": {"x*exp(x - 1)": "the rule of powers does not apply to exponentials"},
    "exp2": {"exp2(x)": "the factor log(2) is missing",
             "x*2**(x - 1)": "the rule of powers does not apply to exponentials"},
    "abs": {"1": "the case x < 0 is missing"},
}

# Entries of gradients and Jacobians: the functions ("": all; "own": softmax and those of a user), the name of the
# mistake, the entry as it is written, a sentence in which {} is that text, and a correction if the right formula is not
# enough. In gradients, x is an element of the first argument, t of the second, a the probability of a class, or the
# value of the function, and n the length; in Jacobians, J is the right entry, and a the probabilities.
Entry = tuple[str, str, str, str] | tuple[str, str, str, str, str]
_TWICE = "a - t is multiplied by a*(1 - a), which it contains already."
_CLASSES = "cross_entropy binary_cross_entropy"
WRONG_GRADIENTS: tuple[Entry, ...] = (
    ("cross_entropy", "target-sum", "a - t", "a - t is right only for targets that sum to 1.",
     "Write a*sum(t) - t, with a = softmax(z)."),
    ("binary_cross_entropy", "inner-derivative", "(a - t)/(a*(1 - a))",
     "It is {}, the derivative by the probability: that of sigmoid is missing."),
    ("cross_entropy", "inner-derivative", "-t/a",
     "It is {}, the derivative by the probabilities: that of softmax is missing."),
    ("cross_entropy", "diagonal", "-t*(1 - a)", "Only the diagonal of the derivative of softmax is used."),
    (_CLASSES, "target", "a", "The target is not subtracted."),
    (_CLASSES, "target", "a + t", "The target is added: plus instead of minus."),
    (_CLASSES, "extra-derivative", "(a - t)*a*(1 - a)", _TWICE),
    (_CLASSES, "extra-derivative, sign", "(t - a)*a*(1 - a)",
     "The sign is flipped, and it is multiplied by a*(1 - a), which it contains already."),
    (_CLASSES, "formula", "(a - t)**2", "It is {}: there is no square."),
    ("cross_entropy", "target", "a - 1", "1 is subtracted for every class, not for the right one alone."),
    ("cross_entropy", "missing-term", "a - t if t else 0",
     "Only the right class has a gradient: a belongs to every class."),
    ("binary_cross_entropy", "target", "a - 1", "1 is subtracted, whatever the target is."),
    ("binary_cross_entropy", "logits", "x - t", "The logit is used where the probability belongs.",
     "Compute a = sigmoid(z) first."),
    ("logsumexp", "not-normalised", "exp(x - largest)", "The exponentials are not divided by their sum.",
     "Divide by the sum of the exponentials."),
    ("logsumexp", "formula", "1 if x == largest else 0", "It is that of max: 1 for the largest logit alone."),
    ("mse", "target", "2*x/n", "The target is not subtracted."),
    ("mse", "target", "2*(x + t)/n", "The target is added: plus instead of minus."),
    ("mse", "sum-for-mean", "x - t", "It is y - t: a factor 2 is missing, and it is not divided by n."),
    ("mse", "sum-for-mean, sign", "t - x",
     "The sign is flipped, a factor 2 is missing, and it is not divided by n."),
    ("mse", "sum-for-mean", "2*(x - t)/(n - 1)", "It is divided by n - 1, and mse is a mean of n numbers."),
    ("mse", "integer-division", "2//n*(x - t)", "2/n is an integer division, which loses the fraction.",
     "Divide floating-point numbers: 2.0/n."),
    ("mse", "formula", "(x - t)**2/n", "It is the squared difference itself, not its derivative."),
    ("mse", "precedence", "2*x - t/n", "It is 2*y - t/n: the parentheses are missing."),
    ("mae", "formula", "(x - t)/n", "It is the difference, not its sign."),
    ("mae", "formula", "abs(x - t)/n", "It is the absolute difference, not the sign of the difference."),
    ("huber", "formula", "(x - t)/n", "It is not clipped: where the difference exceeds 1, the slope is 1/n or -1/n."),
    ("huber", "formula", "sign(x - t)/n", "It is the sign everywhere: where the difference is small, it is y - t."),
    ("huber", "formula", "(2*(x - t) if abs(x - t) < 1 else sign(x - t))/n",
     "The parabola has a factor 1/2, so that its slope is y - t, not twice as much."),
    ("huber", "formula", "((x - t) if abs(x - t) < 1 else 1)/n", "The sign is lost where the difference is large."),
    ("huber", "formula", "((x - t) if abs(x - t) < 1 else 0)/n", "Where the difference is large, the slope is not 0."),
    ("hinge", "formula", "-t/n if x*t < 0 else 0", "The margin is missing: label*score is compared with 0, not 1."),
    ("hinge", "formula", "-1/n if x*t < 1 else 0", "The factor label is missing."),
    ("hinge", "formula", "-x/n if x*t < 1 else 0", "It is the score where the label belongs."),
    ("hinge", "formula", "-t/n", "The case label*score > 1 is missing, where the slope is 0."),
    ("norm", "formula", "x", "It is not divided by norm(x)."),
    ("norm", "formula", "2*x", "It is the derivative of the square of the norm."),
    ("norm", "formula", "x/(a*a)", "It is divided by the square of norm(x)."),
    ("dot", "swapped", "x", "It is the derivative by the other argument."),
    ("dot", "formula", "x + t", "It is the sum of both arguments."),
)
WRONG_JACOBIANS: tuple[Entry, ...] = (
    ("", "diagonal", "J if i == j else 0", "Only the diagonal is there: every output depends on every input."),
    ("", "off-diagonal-sign", "J if i == j else -J", "The sign beside the diagonal is flipped."),
    ("own", "off-diagonal-sign", "a[i]*((1 if i == j else 0) + a[j])", "It is {}: plus instead of minus."),
    ("own", "precedence", "a[i]*(1 if i == j else 0) - a[j]", "It is {}: the parentheses are missing."),
    ("own", "missing-term", "a[i]*(1 if i == j else 0)",
     "It is a[i] on the diagonal alone: the term -a[i]*a[j] is missing."),
    ("own", "missing-term", "-a[i]*a[j]", "It is {} alone: the term a[i] on the diagonal is missing."),
    ("own", "swapped", "a[i]*((0 if i == j else 1) - a[j])", "It is {}: the cases i == j and i != j are swapped."),
    ("own", "missing-case", "a[i]*(1 - a[j])", "It is {} everywhere: the 1 belongs to the diagonal alone."),
    ("own", "index", "a[i]*(1 - a[i])", "It is {} everywhere: one index is j, and the 1 belongs to the diagonal."),
    ("own", "index", "a[i]*((1 if i == j else 0) - a[i])", "It is {}: the last index is j."),
    ("own", "index", "a[j]*((1 if i == j else 0) - a[j])", "It is {}: the first index is i."),
    ("log_softmax", "off-diagonal-sign", "(1 if i == j else 0) + a[j]", "It is {}: plus instead of minus."),
    ("log_softmax", "missing-term", "-a[j]", "It is {} alone: the term 1 on the diagonal is missing."),
    ("log_softmax", "missing-term", "1 if i == j else 0", "It is 1 on the diagonal alone: the term -a[j] is missing."),
    ("log_softmax", "wrong-function", "a[i]*((1 if i == j else 0) - a[j])",
     "It is the Jacobian of softmax, not of its logarithm."),
)
# fmt: on


@functools.cache
def function_of(text: str) -> Callable[..., Any]:
    """Return a formula as a function of x, a and others, of floats (as in C, nothing raises) or `Value`s."""
    code = compile(text, f"<{text}>", "eval")
    scope = {"pi": math.pi, "__builtins__": {}, **vars(table), **FUNCTIONS}

    def function(x: Any = math.nan, a: Any = math.nan, **others: Any) -> Any:
        operands = {"x": x, "a": a, **others}
        result = eval(code, scope, {name: Total(n) if type(n) is float else n for name, n in operands.items()})
        return float(result) if isinstance(result, (float, int)) else result

    return function


def right_formula(name: str) -> str:
    """Return what to write for the derivative of a function, as text; "" if it has no short formula."""
    if name in RIGHT:
        right = RIGHT[name]
        if right.by_output and len(right.by_output) <= len(right.by_input):
            return f"{right.by_output}, with a = {name}(x)"
        return right.by_input
    return OF_LISTS.get(name, "")
