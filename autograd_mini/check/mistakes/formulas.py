"""Formulas as people write them: the right derivative of each function, and how its value and derivative are misread.

Each is a text, which reports quote, and which is evaluated to find out who wrote what: `x` is the input, `a` the
output. Not here: mistakes that fit every function (`mistakes`). Read next: `check.mistakes.rows`.
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
                "exp(-x)/(1 + exp(-x))": "the denominator must be squared"},
    "softplus": {"1/1 + exp(-x)": _PRECEDENCE, "sigmoid(-x)": "the sign of x is flipped"},
    "softsign": {"1/(1 + abs(x))": "the square is missing", "1/(1 + x)**2": "abs is missing"},
    "silu": {"sigmoid(x)*(1 - sigmoid(x))": "the derivative of sigmoid, without the product rule",
             "sigmoid(x) + x": "the derivative of sigmoid is missing in the product rule",
             "x*sigmoid(x)*(1 - sigmoid(x))": "one term of the product rule is missing"},
    "gelu": {"ndtr(x)": "one term of the product rule is missing",
             "x*exp(-x*x/2)/sqrt(2*pi)": "one term of the product rule is missing"},
    "relu": {"x if x > 0 else 0": "the value instead of the slope", "1": "the case x < 0 is missing"},
    "leaky_relu": {"1 if x > 0 else 0": "the slope on the left is missing"},
    "elu": {"1 if x > 0 else exp(x) - 1": "the value instead of the slope on the left",
            "exp(x)": "the case x > 0 is missing"},
    "log": {"1/a": "1 over the logarithm, not over x"},
    "sqrt": {"1/sqrt(x)": "the factor 2 in the denominator is missing",
             "2*sqrt(x)": "numerator and denominator are swapped"},
    "tan": {"1 - a*a": "minus instead of plus", "1/cos(x)": "the square is missing"},
    "asin": {"1/(1 - x*x)": "the square root is missing", "1/sqrt(1 + x*x)": "plus instead of minus"},
    "atan": {"1/sqrt(1 + x*x)": "there is no square root", "1/(1 - x*x)": "minus instead of plus"},
    "exp": {"x*exp(x - 1)": "the rule of powers does not apply to exponentials"},
    "exp2": {"exp2(x)": "the factor log(2) is missing",
             "x*2**(x - 1)": "the rule of powers does not apply to exponentials"},
    "abs": {"1": "the case x < 0 is missing"},
}
# fmt: on


@functools.cache
def function_of(text: str) -> Callable[..., Any]:
    """Return a formula as a function of x and a, of floats (as in C, nothing raises) or `Value`s."""
    code = compile(text, f"<{text}>", "eval")
    scope = {"pi": math.pi, "__builtins__": {}, **vars(table), **FUNCTIONS}

    def function(x: Any, a: Any = math.nan) -> Any:
        operands = {name: Total(n) if type(n) is float else n for name, n in (("x", x), ("a", a))}
        result = eval(code, scope, operands)
        return float(result) if isinstance(result, (float, int)) else result

    return function


def right_formula(name: str, shown_by_output: bool = True) -> str:
    """Return what to write for the derivative of a function, as text; "" if it has no short formula."""
    if name in RIGHT:
        right = RIGHT[name]
        if right.by_output and shown_by_output:
            return f"{right.by_output}, with a = {name}(x)"
        return right.by_input
    return OF_LISTS.get(name, "")
