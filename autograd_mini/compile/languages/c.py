"""C99: functions that it lacks become static functions; with -ffp-contract=off, compiling changes no bits.

Not here: what is written (`writing`). Read next: `compile.languages.java`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograd_mini.compile.languages.language import (
    WRITTEN,
    Language,
    Outline,
    comparisons,
    indented,
    joined,
)

# What C, Java and JavaScript share.
OPERATORS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "where": "{} ? {} : {}",
    "<": "{} < {}", "<=": "{} <= {}", ">": "{} > {}", ">=": "{} >= {}", "==": "{} == {}", "!=": "{} != {}",
    "&": "{} && {}", "|": "{} || {}", "~": "!{}",
    **dict.fromkeys(["pos", "sum", "dot", "stop_gradient", "defined", "one_power_less"], WRITTEN),
}  # fmt: skip


def loops(integer: str) -> tuple[str, str, str]:
    return (
        f"for ({integer}{{i}} = 0; {{i}} < {{n}}; {{i}}++)",
        f"for ({integer}{{i}} = 1; {{i}} < {{n}}; {{i}}++)",
        f"for ({integer}{{i}} = {{last}}; {{i}} >= 0; {{i}}--)",
    )


def _file(outline: Outline) -> str:
    given = [
        f"double {p.name}" if p.length is None else f"const double {p.name}[{p.length}]" for p in outline.parameters
    ]
    filled = [f"double *{p.name}" if p.length is None else f"double {p.name}[{p.length}]" for p in outline.derivatives]
    text = re.sub("//.*", "", "\n".join([*outline.lines, outline.value or ""]))
    unused = [f"(void) {p.name};" for p in outline.parameters if not re.search(rf"\b{re.escape(p.name)}\b", text)]
    body = [*unused, *outline.lines, *([f"return {outline.value};"] if outline.value else [])]
    head = f"{'double' if outline.value else 'void'} {outline.name}({', '.join(given + filled)})"
    headers = ["math.h", *(["stdio.h", "stdlib.h"] if "snprintf" in "".join(outline.helpers) else [])]
    function = "\n".join([f"/* {outline.about} The arrays must not overlap. */", *C.block(head, body)])
    return joined("\n".join(f"#include <{header}>" for header in headers), *outline.helpers, function)


def _test(outline: Outline, inputs: Sequence[object], results: Sequence[object], file: str) -> str:
    given = [f"{p.name}{'[]' * (p.length is not None)}" for p in outline.parameters]
    numbers = [f"{{{C.literals(x)}}}" if isinstance(x, list) else C.literals(x) for x in inputs]
    call = f"{outline.name}({', '.join([*[p.name for p in outline.parameters], *outline.returned])});"
    compared = comparisons(outline, "test_value", "{}", "test_failures += test_differ({}, test_{});", False)
    body = [
        *[f"const double {name} = {text};" for name, text in zip(given, numbers, strict=True)],
        *[f"double {p.name}[{p.length or 1}];" for p in outline.derivatives],
        f"const double test_expected[] = {{{C.literals(results)}}};",
        "int test_failures = 0;",
        f"double test_value = {call}" if outline.value else call,
        *compared,
        'puts(test_failures ? "wrong" : "ok");',
        "return test_failures;",
    ]
    return f'''/* Compare {outline.name} with the results of autograd_mini. */
#include <math.h>
#include <stdio.h>
#include "{file}"

static int test_differ(double got, double number) {{
    if (got == number || (got != got && number != number) || fabs(got - number) <= 1e-12 * fabs(number)) return 0;
    printf("expected %.17g, got %.17g\\n", number, got);
    return 1;
}}

int main(void) {{
{indented(body)}
}}
'''


C = Language(
    name="c",
    suffix=".c",
    operations={
        **OPERATORS,
        **{name: name for name in (
            "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "erf", "erfc", "exp",
            "exp2", "expm1", "floor", "fmod", "hypot", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan",
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
    infinity="INFINITY",
    nan="NAN",
    number="const double ",
    variable="double ",
    condition="const int ",
    integer="int ",
    kinds=("double", "int"),
    arrays=("{kind} ", "{name}[{count}]"),
    filled="const double {name}[] = {{{numbers}}}",
    given="(const double[]) {{{}}}",
    real="(double) {}",
    loops=loops("int "),
    helper="static double {name}({parameters})",
    parameter="double ",
    file=_file,
    test=_test,
    is_filling=True,
    reserved=frozenset([
        "INFINITY", "NAN", "NULL", "abs", "auto", "break", "case", "ceil", "char", "const", "continue",
        "cos", "default", "div", "do", "double", "else", "enum", "erf", "erfc", "exit", "exp", "extern",
        "fabs", "float", "floor", "fmod", "for", "free", "gamma", "goto", "hypot", "if", "index",
        "inline", "int", "j0", "j1", "jn", "log", "long", "main", "pow", "random", "register",
        "remainder", "restrict", "return", "round", "short", "signal", "signed", "sin", "sizeof",
        "sqrt", "static", "struct", "switch", "tan", "test_differ", "test_expected", "test_failures", "test_value",
        "time", "typedef", "union", "unsigned", "void", "volatile", "while", "y0", "y1", "yn",
    ]),
)  # fmt: skip
