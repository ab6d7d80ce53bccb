"""Java: static methods of one class, without a library; `strictfp` is the default since Java 17.

Not here: what is written (`writing`). Read next: `compile.languages.javascript`.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_mini.compile.languages.c import OPERATORS, loops
from autograd_mini.compile.languages.language import Language, Outline, Parameter, comparisons, indented, wrapped
from autograd_mini.errors import ArgumentError

_USED = ("AssertionError", "Double", "IllegalArgumentException", "Math", "Object", "Result", "String", "System")
_SLOTS = 252  # for parameters beside `this` and `value`; a double takes two of them, an array one


def class_of(name: str) -> str:
    """The Java class of a function."""
    name = "".join(part[:1].upper() + part[1:] for part in name.split("_") if part) or "F"
    return f"{name}Function" if name in _USED else name


def _declared(parameters: Sequence[Parameter]) -> str:
    return ", ".join(f"{'double' if p.length is None else 'double[]'} {p.name}" for p in parameters)


def _file(outline: Outline) -> str:
    for parameters in (outline.parameters, outline.derivatives):
        if sum(2 if p.length is None else 1 for p in parameters) > _SLOTS:
            raise ArgumentError(
                f"The function would have {len(parameters)} parameters, which are more than Java allows.",
                "Pass a list, which becomes one array.",
            )
    fields = ", ".join([*["double value"] * bool(outline.value), _declared(outline.derivatives)])
    checks = outline.checks('if ({name}.length != {length}) throw new IllegalArgumentException("{message}");')
    result = f"return new Result({', '.join([*filter(None, [outline.value]), *outline.returned])});"
    head = f"static Result {outline.name}({_declared(outline.parameters)})"
    function = "\n".join([f"/** {outline.about} */", *JAVA.block(head, [*checks, *outline.lines, result])])
    inner = "\n\n".join([f"{wrapped(f'record Result({fields})')} {{}}", function, *outline.helpers])
    return "\n".join([*JAVA.block(f"final class {class_of(outline.name)}", [inner]), ""])


def _test(outline: Outline, inputs: Sequence[object], results: Sequence[object], file: str) -> str:
    name = class_of(outline.name)
    body = [
        f"double[] expected = {{{JAVA.literals(results)}}};",
        f"{name}.Result result = {name}.{outline.name}({JAVA.arguments(inputs)});",
        *comparisons(outline, "result.value()", "result.{}()", "compare({}, {});", True),
        'System.out.println("ok");',
    ]
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
    infinity="Double.POSITIVE_INFINITY",
    nan="Double.NaN",
    number="double ",
    variable="double ",
    condition="boolean ",
    integer="int ",
    kinds=("double", "boolean"),
    arrays=("{kind}[] ", "{name} = new {kind}[{count}]"),
    filled="double[] {name} = {{{numbers}}}",
    given="new double[] {{{}}}",
    real="(double) {}",
    loops=loops("int "),
    helper="private static double {name}({parameters})",
    parameter="double ",
    file=_file,
    test=_test,
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
