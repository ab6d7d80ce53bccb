"""C99: what it lacks it gets as static functions; compiled with -ffp-contract=off, as ISO C demands, bits do not change.

Not here: programs with names and loops (`emitted`). Read next: `compile.languages.java`.
"""

from __future__ import annotations

from autograd_mini.compile.languages.language import EXPANDED, WRITTEN, Language

# What C, Java and JavaScript share.
OPERATORS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "where": "{} ? {} : {}",
    "<": "{} < {}", "<=": "{} <= {}", ">": "{} > {}", ">=": "{} >= {}", "==": "{} == {}", "!=": "{} != {}",
    "&": "{} && {}", "|": "{} || {}", "~": "!{}",
    **dict.fromkeys(["pos", "sum", "dot", "stop_gradient", "one_power_less"], WRITTEN),
    **dict.fromkeys(["acosh", "asinh", "atanh", "clip", "erf", "erfc", "erfinv", "exp2", "floor_divide", "hypot",
                     "lifted_ndtr", "log2", "maximum", "minimum", "ndtr", "one_minus_square",
                     "power_term", "remainder", "round", "sign", "take", "xlogy"], EXPANDED),
}  # fmt: skip

C = Language(
    name="c",
    suffix=".c",
    operations={
        **OPERATORS,
        **{name: name for name in (
            "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "erf", "erfc", "exp", "exp2",
            "expm1", "floor", "fmod", "hypot", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan",
        )},
        "abs": "fabs", "pow": "power", "pow finite": "pow", "round": "round_decimal",
    },
    own={
        "power": """
static double power(double x, double p) {
    return p == 2.0 ? x * x : pow(x, p);
}""",
        "round_decimal": """
static double round_decimal(double x, double digits) {
    char text[512];
    snprintf(text, sizeof text, "%.*f", (int) digits, x);
    return strtod(text, NULL);
}""",
    },
    infinity=("INFINITY", "NAN"),
    number="const double ",
    condition="const int ",
    end=";",
    function="static double {name}({parameters}) {{",
    parameter="double ",
    head=("#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>", ""),
    flat=("void {name}(const double *x, double *{result}) {{\n    (void) x;", ""),
    reserved=frozenset(
        ["auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "main", "remainder", "round", "gamma", "j0", "j1", "jn", "y0", "y1", "yn", "div", "abs", "log", "exp", "sin", "cos", "tan", "pow", "floor", "ceil", "fabs", "sqrt", "fmod", "hypot", "erf", "erfc", "index", "signal", "random", "time", "exit", "free"]
    ),
)  # fmt: skip
