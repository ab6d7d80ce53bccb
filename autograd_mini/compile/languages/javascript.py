"""JavaScript: an ES module of functions, without a dependency; also what pages run (`source`).

Not here: what is written (`writing`). Read next: `compile.languages.parameters`.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from autograd_mini.compile.languages.c import OPERATORS, loops
from autograd_mini.compile.languages.language import Language, Outline, joined
from autograd_mini.compile.languages.writing import registers
from autograd_mini.compile.tape import Tape


def source(tape: Tape, name: str) -> str:
    """A script with one function of all inputs, in an array, that returns a Float64Array of all registers.

    Conditions are 0 and 1.
    """
    numbers, helpers = registers(JAVASCRIPT, tape, "x", "r")
    lines = [f"const r = new Float64Array({len(tape)});", *[f"r[{i}] = {x};" for i, x in enumerate(numbers)]]
    return joined(*helpers, "\n".join(JAVASCRIPT.block(f"function {name}(x)", [*lines, "return r;"])))


def _file(outline: Outline) -> str:
    document = [outline.about, ""]
    document += [f"@param {{{'number' if p.length is None else 'number[]'}}} {p.name}" for p in outline.parameters]
    checks = outline.checks('if ({name}.length !== {length}) throw new RangeError("{message}");')
    value = [] if not outline.value else ["value" if outline.value == "value" else f"value: {outline.value}"]
    result = f"return {{ {', '.join([*value, *outline.returned])} }};"
    head = f"export function {outline.name}({', '.join(p.name for p in outline.parameters)})"
    function = JAVASCRIPT.block(head, [*checks, *outline.lines, result])
    return joined("\n".join(["/**", *[f" * {line}".rstrip() for line in document], " */", *function]), *outline.helpers)


def _test(outline: Outline, inputs: Sequence[object], results: Sequence[object], file: str) -> str:
    return f"""// Compare {outline.name} with the results of autograd_mini.
import {{ {outline.name} }} from "./{quote(file)}";

const $expected = [{JAVASCRIPT.literals(results)}];
const $got = Object.values({outline.name}({JAVASCRIPT.arguments(inputs)})).flat();
$expected.forEach((number, i) => {{
    const isNear = Math.abs($got[i] - number) <= 1e-12 * Math.abs(number);
    if (!($got[i] === number || isNear || (Number.isNaN($got[i]) && Number.isNaN(number)))) {{
        throw new Error(`expected ${{number}}, got ${{$got[i]}}`);
    }}
}});
console.log("ok");
"""


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
    infinity="Infinity",
    nan="NaN",
    number="const ",
    variable="let ",
    condition="const ",
    integer="let ",
    kinds=("", ""),
    arrays=("const ", "{name} = new Array({count})"),
    filled="const {name} = [{numbers}]",
    given="[{}]",
    real="{}",
    loops=loops("let "),
    helper="function {name}({parameters})",
    parameter="",
    file=_file,
    test=_test,
    is_camel=True,
    reserved=frozenset([
        "Array", "Infinity", "Math", "NaN", "Number", "Object", "RangeError", "arguments", "await", "break", "case",
        "catch", "class",
        "const", "continue", "debugger", "default", "delete", "do", "else", "enum", "eval", "export", "extends",
        "false", "finally", "for", "function", "if", "implements", "import", "in", "instanceof", "interface",
        "let", "new", "null", "package", "private", "protected", "public", "return", "static", "super",
        "switch", "this", "throw", "true", "try", "typeof", "undefined", "var", "void", "while", "with",
        "yield",
    ]),
    provided=frozenset(["Error", "console"]),  # of the test
)  # fmt: skip
