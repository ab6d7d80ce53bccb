"""Java: static methods of one class, without a library; `strictfp` is the default since Java 17.

Not here: programs with names and loops (`emitted`). Read next: `compile.languages.javascript`.
"""

from __future__ import annotations

from autograd_mini.compile.languages.c import OPERATORS
from autograd_mini.compile.languages.language import Language

JAVA = Language(
    name="java",
    suffix=".java",
    operations={
        **OPERATORS,
        **{name: f"Math.{name}" for name in (
            "abs", "acos", "asin", "atan", "atan2", "cbrt", "cos", "cosh", "exp", "expm1", "floor", "hypot", "log", "log10",
            "log1p", "sin", "sinh", "sqrt", "tan",
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
    most=2500,
    reserved=frozenset(
        ["abstract", "assert", "boolean", "break", "byte", "case", "catch", "char", "class", "const", "continue", "default", "do", "double", "else", "enum", "extends", "final", "finally", "float", "for", "goto", "if", "implements", "import", "instanceof", "int", "interface", "long", "native", "new", "package", "private", "protected", "public", "return", "short", "static", "strictfp", "super", "switch", "synchronized", "this", "throw", "throws", "transient", "try", "void", "volatile", "while", "true", "false", "null", "var", "record", "yield", "Math", "Double"]
    ),
)  # fmt: skip
