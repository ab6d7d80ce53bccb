"""JavaScript: an ES module of functions, without a dependency; also what pages run (`source`).

Not here: programs with names and loops (`emitted`). Read next: `compile.languages.emitted`.
"""

from __future__ import annotations

from autograd_mini.compile.languages.c import OPERATORS
from autograd_mini.compile.languages.language import Language
from autograd_mini.compile.tape import Tape

JAVASCRIPT = Language(
    name="javascript",
    suffix=".mjs",
    operations={
        **OPERATORS,
        **{name: f"Math.{name}" for name in (
            "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "exp", "expm1", "floor",
            "hypot", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan",
        )},
        "==": "{} === {}", "!=": "{} !== {}", "fmod": "{} % {}", "pow": "power", "pow finite": "Math.pow",
        "round": "roundDecimal",
    },
    own={
        "power": """
function power(x, p) {
    return p === 2 ? x * x : x === 1 || (x === -1 && Math.abs(p) === Infinity) ? 1 : Math.pow(x, p);
}""",
        "roundDecimal": """
function roundDecimal(x, digits) {
    const size = Math.abs(x), scale = 2 ** (digits + 1);
    if (!(size < 1e21) || !Number.isFinite(size * scale)) return x;
    const longer = size.toFixed(digits + 1), shorter = longer.slice(0, -1);
    const isTie = Number.isInteger(size * scale) && longer.endsWith("5");  // exact, so it has no more digits
    const isEven = "02468".includes(shorter.at(-1));
    const nearest = Number(isTie && isEven ? shorter : size.toFixed(digits));
    return x < 0 || Object.is(x, -0) ? -nearest : nearest;
}""",
    },
    infinity=("Infinity", "NaN"),
    number="const ",
    condition="const ",
    end=";",
    function="function {name}({parameters}) {{",
    head=("", ""),
    flat=("function {name}(x) {{\n    const {result} = new Float64Array({count});", "return {result};"),
    is_camel=True,
    reserved=frozenset(
        ["arguments", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do", "else", "enum", "eval", "export", "extends", "false", "finally", "for", "function", "if", "implements", "import", "in", "instanceof", "interface", "let", "new", "null", "package", "private", "protected", "public", "return", "static", "super", "switch", "this", "throw", "true", "try", "typeof", "var", "void", "while", "with", "yield", "undefined", "NaN", "Infinity", "Math", "Number", "Object"]
    ),
)  # fmt: skip


def source(tape: Tape, name: str, registers: bool = False) -> str:
    """A script with one function of all inputs, in an array, that returns a Float64Array of the results.

    Args:
        tape: what it computes.
        name: what it is called.
        registers: whether it returns all registers of the tape instead, with conditions as 0 and 1.
    """
    return JAVASCRIPT.source(tape, name, registers)
