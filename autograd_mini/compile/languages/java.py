"""Java: static methods of one class, without a library; `strictfp` is the default since Java 17.

Not here: what is written (`writing`). Read next: `compile.languages.javascript`.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_mini.compile.languages.c import IF, LOOPS, OPERATORS
from autograd_mini.compile.languages.language import Language
from autograd_mini.compile.languages.outline import Dialect, Outline, arguments_of, checks_of, indented, numbers_of
from autograd_mini.compile.languages.writing import Syntax

JAVA = Language(
    name="java",
    suffix=".java",
    operations={
        **OPERATORS,
        **{name: f"Math.{name}" for name in (
            "abs", "acos", "asin", "atan", "atan2", "cbrt", "cos", "cosh", "exp", "expm1", "floor", "hypot", "log",
            "log10", "log1p", "sin", "sinh", "sqrt", "tan",
        )},
        "fmod": "{} % {}", "pow": "power", "pow finite": "Math.pow", "round": "roundDecimal",
    },
    own={
        "power": """
private static double power(double x, double p) {
    return p == 2.0 ? x * x : x == 1.0 || x == -1.0 && Double.isInfinite(p) ? 1.0 : Math.pow(x, p);
}""",
        "roundDecimal": """
private static double roundDecimal(double x, double digits) {
    return Double.isNaN(x) || Double.isInfinite(x) || x == 0.0 ? x : Math.copySign(new java.math.BigDecimal(x)
        .setScale((int) digits, java.math.RoundingMode.HALF_EVEN).doubleValue(), x);
}""",
    },
    infinity=("Double.POSITIVE_INFINITY", "Double.NaN"),
    number="double ",
    condition="boolean ",
    end=";",
    function="private static double {name}({parameters}) {{",
    parameter="double ",
    head=("", ""),
    flat=("static double[] {name}(double[] x) {{\n    double[] {result} = new double[{count}];", "return {result};"),
    is_camel=True,
    most=120_000,  # a method may have 64 kB, and a character makes about half a byte
    reserved=frozenset([
        "Double", "Math", "abstract", "assert", "boolean", "break", "byte", "case", "catch", "char", "class",
        "const", "continue", "default", "do", "double", "else", "enum", "extends", "false", "final", "finally",
        "float", "for", "goto", "if", "implements", "import", "instanceof", "int", "interface", "long",
        "native", "new", "null", "package", "private", "protected", "public", "record", "return", "short",
        "static", "strictfp", "super", "switch", "synchronized", "this", "throw", "throws", "transient", "true",
        "try", "var", "void", "volatile", "while", "yield",
    ]),
)  # fmt: skip


def class_of(name: str) -> str:
    """The Java class of a function."""
    name = "".join(part[:1].upper() + part[1:] for part in name.split("_") if part) or "F"
    return f"{name}Function" if name in ("Double", "Math", "Object", "Result", "String", "System") else name


def _java(outline: Outline) -> str:
    kind = {True: "double", False: "double[]"}
    fields = ["double value"] if outline.value else []
    fields += [f"{kind[p.length is None]} {p.name}" for p in outline.derivatives]
    checks = checks_of(outline, 'if ({name}.length != {length}) throw new IllegalArgumentException("{message}");')
    result = f"return new Result({', '.join([*filter(None, [outline.value]), *outline.returned])});"
    given = ", ".join(f"{kind[p.length is None]} {p.name}" for p in outline.parameters)
    function = f"/** {outline.about} */\nstatic Result {outline.name}({given}) {{\n"
    function += f"{indented([*checks, *outline.lines, result], 1)}\n}}"
    record = f"record Result({', '.join(fields)}) {{}}"
    inner = "\n\n".join([record, function, *outline.helpers])
    return f"final class {class_of(outline.name)} {{\n{indented([inner], 1)}\n}}\n"


def _java_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    arguments = arguments_of(JAVA, outline, inputs, "new double[] {{{}}}")
    name, place, compared = class_of(outline.name), 0, []
    if outline.value:
        compared.append("compare(result.value(), expected[0]);")
        place = 1
    for p in outline.derivatives:
        if p.length is None:
            compared.append(f"compare(result.{p.name}(), expected[{place}]);")
        else:
            compared.append(
                f"for (int i = 0; i < {p.length}; i++) compare(result.{p.name}()[i], expected[{place} + i]);"
            )
        place += p.length or 1
    results = f"double[] expected = {{{numbers_of(JAVA, expected)}}};"
    call = f"{name}.Result result = {name}.{outline.name}({arguments});"
    body = [results, call, *compared, 'System.out.println("ok");']
    return f"""/** Compare {outline.name} with the results of autograd_mini. */
final class {name}Test {{
    static void compare(double got, double number) {{
        boolean bothNaN = Double.isNaN(got) && Double.isNaN(number);
        if (got != number && !bothNaN && !(Math.abs(got - number) <= 1e-12 * Math.abs(number)))
            throw new AssertionError("expected " + number + ", got " + got);
    }}

    public static void main(String[] args) {{
{indented(body, 2)}
    }}
}}
"""


JAVA_DIALECT = Dialect(
    JAVA,
    Syntax(
        "double {name} = {text}",
        "int {name} = {text}",
        ("double[] ", "{name} = new double[{count}]", True),
        "double[] {name} = {{{numbers}}}",
        "(double) {}",
        LOOPS,
        IF,
    ),
    _java,
    _java_check,
)
