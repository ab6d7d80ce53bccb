"""C99: what it lacks it gets as static functions; compiled with -ffp-contract=off, bits do not change.

Not here: what is written (`writing`). Read next: `compile.languages.java`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograd_mini.compile.languages.language import EXPANDED, WRITTEN, Language
from autograd_mini.compile.languages.outline import Dialect, Outline, indented, joined, numbers_of
from autograd_mini.compile.languages.writing import Syntax

# What C, Java and JavaScript share.
OPERATORS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "where": "{} ? {} : {}",
    "<": "{} < {}", "<=": "{} <= {}", ">": "{} > {}", ">=": "{} >= {}", "==": "{} == {}", "!=": "{} != {}",
    "&": "{} && {}", "|": "{} || {}", "~": "!{}",
    **dict.fromkeys(["pos", "sum", "dot", "stop_gradient", "defined", "one_power_less"], WRITTEN),
    **dict.fromkeys(["acosh", "asinh", "atanh", "clip", "erf", "erfc", "erfinv", "exp2", "floor_divide", "hypot",
                     "lifted_ndtr", "log2", "maximum", "minimum", "ndtr", "one_minus_square",
                     "power_term", "remainder", "round", "sign", "take", "xlogy"], EXPANDED),
}  # fmt: skip
LOOPS = (
    "for (int {i} = 0; {i} < {n}; {i}++)",
    "for (int {i} = 1; {i} < {n}; {i}++)",
    "for (int {i} = {last}; {i} >= 0; {i}--)",
)
IF = "if ({condition})"

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
    infinity=("INFINITY", "NAN"),
    number="const double ",
    condition="const int ",
    end=";",
    function="static double {name}({parameters}) {{",
    parameter="double ",
    head=("#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>", ""),
    flat=("void {name}(const double *x, double *{result}) {{\n    (void) x;", ""),
    reserved=frozenset([
            "INFINITY", "NAN", "NULL", "abs", "auto", "break", "case", "ceil", "char", "const", "continue",
            "cos", "default", "div", "do", "double", "else", "enum", "erf", "erfc", "exit", "exp", "extern",
            "fabs", "float", "floor", "fmod", "for", "free", "gamma", "goto", "hypot", "if", "index",
            "inline", "int", "j0", "j1", "jn", "log", "long", "main", "pow", "random", "register",
            "remainder", "restrict", "return", "round", "short", "signal", "signed", "sin", "sizeof",
            "sqrt", "static", "struct", "switch", "tan", "time", "typedef", "union", "unsigned", "void",
            "volatile", "while", "y0", "y1", "yn",
    ]),
)  # fmt: skip


def _c(outline: Outline) -> str:
    given = [
        f"const double {p.name}[{p.length}]" if p.length is not None else f"double {p.name}" for p in outline.parameters
    ]
    filled = [
        f"double {p.name}[{p.length}]" if p.length is not None else f"double *{p.name}" for p in outline.derivatives
    ]
    text = re.sub("//.*", "", "\n".join([*outline.lines, outline.value or ""]))
    unused = [f"(void) {p.name};" for p in outline.parameters if not re.search(rf"\b{re.escape(p.name)}\b", text)]
    body = [*unused, *outline.lines, *([f"return {outline.value};"] if outline.value else [])]
    head = f"{'double' if outline.value else 'void'} {outline.name}({', '.join(given + filled)}) {{"
    used = "\n".join(outline.helpers)
    headers = ["#include <math.h>", *(["#include <stdio.h>", "#include <stdlib.h>"] if "snprintf" in used else [])]
    return joined(
        "\n".join(headers),
        *outline.helpers,
        f"/* {outline.about} The arrays must not overlap. */\n{head}\n{indented(body, 1)}\n}}",
    )


def _c_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    given = [
        f"const double {p.name}[] = {{{numbers_of(C, x)}}};"
        if p.length is not None
        else f"const double {p.name} = {numbers_of(C, x)};"
        for p, x in zip(outline.parameters, inputs, strict=True)
    ]
    made = [f"double {p.name}[{p.length or 1}];" for p in outline.derivatives]
    call = f"{outline.name}({', '.join([p.name for p in outline.parameters] + outline.returned)});"
    compared, place = [], 0
    if outline.value:
        call = f"double test_value = {call}"
        compared.append(f"test_failures += test_differ(test_value, test_expected[{place}]);")
        place = 1
    for p in outline.derivatives:
        compare = f"test_differ({p.name}[i], test_expected[{place} + i])"
        compared.append(f"for (int i = 0; i < {p.length or 1}; i++) test_failures += {compare};")
        place += p.length or 1
    results = f"const double test_expected[] = {{{numbers_of(C, expected)}}};"
    end = 'puts(test_failures ? "wrong" : "ok");', "return test_failures;"
    body = [*given, *made, results, "int test_failures = 0;", call, *compared, *end]
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
{indented(body, 1)}
}}
'''


C_DIALECT = Dialect(
    C,
    Syntax(
        "double {name} = {text}",
        "int {name} = {text}",
        ("double ", "{name}[{count}]", True),
        "const double {name}[] = {{{numbers}}}",
        "(double) {}",
        LOOPS,
        IF,
    ),
    _c,
    _c_check,
    is_filling=True,
)
