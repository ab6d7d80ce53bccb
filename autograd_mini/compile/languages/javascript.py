"""JavaScript: an ES module of functions, without a dependency; also what pages run (`source`).

Not here: what is written (`writing`). Read next: `compile.languages.models`.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograd_mini.compile.languages.c import IF, OPERATORS
from autograd_mini.compile.languages.language import Language
from autograd_mini.compile.languages.outline import (
    Dialect,
    Outline,
    arguments_of,
    checks_of,
    indented,
    joined,
    numbers_of,
)
from autograd_mini.compile.languages.writing import Syntax
from autograd_mini.compile.tape import Tape

_LOOPS = (
    "for (let {i} = 0; {i} < {n}; {i}++)",
    "for (let {i} = 1; {i} < {n}; {i}++)",
    "for (let {i} = {last}; {i} >= 0; {i}--)",
)
JAVASCRIPT = Language(
    name="javascript",
    suffix=".mjs",
    operations={
        **OPERATORS,
        **{name: f"Math.{name}" for name in (
            "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "exp", "expm1",
            "floor", "hypot", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan",
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
    reserved=frozenset([
        "Infinity", "Math", "NaN", "Number", "Object", "arguments", "await", "break", "case", "catch", "class",
        "const", "continue", "debugger", "default", "delete", "do", "else", "enum", "eval", "export", "extends",
        "false", "finally", "for", "function", "if", "implements", "import", "in", "instanceof", "interface",
        "let", "new", "null", "package", "private", "protected", "public", "return", "static", "super",
        "switch", "this", "throw", "true", "try", "typeof", "undefined", "var", "void", "while", "with",
        "yield",
    ]),
)  # fmt: skip


def source(tape: Tape, name: str, registers: bool = False) -> str:
    """A script with one function of all inputs, in an array, that returns a Float64Array of the results.

    Args:
        tape: what it computes.
        name: what it is called.
        registers: whether it returns all registers of the tape instead, with conditions as 0 and 1.
    """
    return JAVASCRIPT.source(tape, name, registers)


def _javascript(outline: Outline) -> str:
    document = [outline.about, ""]
    document += [f"@param {{{'number' if p.length is None else 'number[]'}}} {p.name}" for p in outline.parameters]
    checks = checks_of(outline, 'if ({name}.length !== {length}) throw new RangeError("{message}");')
    value = [f"value: {outline.value}"] if outline.value else []
    result = f"return {{ {', '.join([*value, *outline.returned])} }};"
    head = f"export function {outline.name}({', '.join(p.name for p in outline.parameters)}) {{"
    text = "\n".join(["/**", *[f" * {line}".rstrip() for line in document], " */", head])
    return joined(f"{text}\n{indented([*checks, *outline.lines, result], 1)}\n}}", *outline.helpers)


def _javascript_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    arguments = arguments_of(JAVASCRIPT, outline, inputs, "[{}]")
    return f"""// Compare {outline.name} with the results of autograd_mini.
import {{ {outline.name} }} from "./{file}";

const $expected = [{numbers_of(JAVASCRIPT, expected)}];
const $got = Object.values({outline.name}({arguments})).flat();
$expected.forEach((number, i) => {{
    const isNear = Math.abs($got[i] - number) <= 1e-12 * Math.abs(number);
    if (!($got[i] === number || isNear || (Number.isNaN($got[i]) && Number.isNaN(number)))) {{
        throw new Error(`expected ${{number}}, got ${{$got[i]}}`);
    }}
}});
console.log("ok");
"""


JAVASCRIPT_DIALECT = Dialect(
    JAVASCRIPT,
    Syntax(
        "let {name} = {text}",
        "let {name} = {text}",
        ("const ", "{name} = new Array({count})", True),
        "const {name} = [{numbers}]",
        "{}",
        _LOOPS,
        IF,
    ),
    _javascript,
    _javascript_check,
)
