"""Programs: what surrounds the statements of an emitted function in each language, and a test beside it.

Not here: tracing the user's function (`emitted`). Read next: `compile.languages.emitted`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autograd_mini.compile.languages.c import C
from autograd_mini.compile.languages.java import JAVA
from autograd_mini.compile.languages.javascript import JAVASCRIPT
from autograd_mini.compile.languages.language import Language
from autograd_mini.compile.languages.python import PYTHON
from autograd_mini.compile.languages.writing import Syntax


class Parameter(NamedTuple):
    """A parameter of the emitted function: a number, or an array of so many."""

    name: str
    count: int | None


@dataclass(frozen=True)
class Outline:
    """An emitted function before it is written.

    Attributes:
        name: of the function.
        about: the sentence above it.
        parameters: what it takes.
        derivatives: what it returns beside the value: the derivatives by each parameter, or one matrix.
        lines: its statements.
        value: the expression of the value; None if it returns derivatives only.
        helpers: the functions that it brings.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    derivatives: tuple[Parameter, ...]
    lines: tuple[str, ...]
    value: str | None
    helpers: tuple[str, ...]

    @property
    def arrays(self) -> list[Parameter]:
        """The parameters that are arrays."""
        return [p for p in self.parameters if p.count is not None]

    @property
    def returned(self) -> list[str]:
        """The names of the derivatives."""
        return [p.name for p in self.derivatives]


@dataclass(frozen=True)
class Dialect:
    """A language with its statements, and how it writes a file and a test.

    Attributes:
        write: the text of a file.
        check: the text of a test: the outline, the inputs and the expected numbers, and the name of the file.
    """

    language: Language
    syntax: Syntax
    write: Callable[[Outline], str]
    check: Callable[[Outline, Sequence[object], Sequence[object], str], str]


def class_of(name: str) -> str:
    """The Java class of a function."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_") if part) or "F"


def _indented(lines: Sequence[str], depth: int) -> str:
    return "\n".join("    " * depth + line if line else "" for text in lines for line in text.split("\n"))


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _numbers(language: Language, data: object) -> str:
    """A number, or several with commas."""
    if isinstance(data, (list, tuple)):
        return ", ".join(_numbers(language, x) for x in data)
    return language.literal(float(data)).text  # type: ignore[arg-type]


# -- Python ------------------------------------------------------------------------------------------------------------


def _tuple(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _python(outline: Outline) -> str:
    name, checks = outline.name, []
    if outline.arrays:
        test = " or ".join(f"len({p.name}) != {p.count}" for p in outline.arrays)
        sizes = ", ".join(f"{p.count} numbers in {p.name}" for p in outline.arrays)
        checks = [f"if {test}:", f'    raise ValueError("{name} takes {sizes}")']
    made = [f"{p.name} = [0.0] * {p.count}" for p in outline.derivatives if p.count is not None]
    result = ", ".join([*filter(None, [outline.value]), _tuple(outline.returned)])
    body = [f'"""{outline.about}"""', *checks, *made, *outline.lines, f"return {result}"]
    head = f"def {name}({', '.join(p.name for p in outline.parameters)}):"
    text = "\n".join(outline.helpers + (head,) + outline.lines)
    return _joined(
        "import math" if "math." in text or "math." in result else "", "\n\n\n".join([*outline.helpers, f"{head}\n{_indented(body, 1)}"])
    ).replace("import math\n\n", "import math\n\n\n", 1)


def _python_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    arguments = ", ".join(
        _numbers(PYTHON, x) if p.count is None else f"[{_numbers(PYTHON, x)}]"
        for p, x in zip(outline.parameters, inputs, strict=True)
    )
    module = re.sub(r"\.py$", "", file)
    return f'''"""Compare {outline.name} with the results of autograd_mini."""

import math

from {module} import {outline.name}

expected = [{_numbers(PYTHON, expected)}]


def numbers(tree):
    return [x for part in tree for x in numbers(part)] if isinstance(tree, (list, tuple)) else [tree]


for got, number in zip(numbers({outline.name}({arguments})), expected, strict=True):
    if not (got == number or math.isclose(got, number, rel_tol=1e-12) or (got != got and number != number)):
        raise SystemExit(f"expected {{number}}, got {{got}}")
print("ok")
'''


# -- C -----------------------------------------------------------------------------------------------------------------


def _c(outline: Outline) -> str:
    given = [f"const double {p.name}[{p.count}]" if p.count is not None else f"double {p.name}" for p in outline.parameters]
    filled = [f"double {p.name}[{p.count}]" if p.count is not None else f"double *{p.name}" for p in outline.derivatives]
    text = "\n".join([*outline.lines, outline.value or ""])
    unused = [f"(void) {p.name};" for p in outline.parameters if not re.search(rf"\b{re.escape(p.name)}\b", text)]
    body = [*unused, *outline.lines, *([f"return {outline.value};"] if outline.value else [])]
    head = f"{'double' if outline.value else 'void'} {outline.name}({', '.join(given + filled)}) {{"
    used = "\n".join(outline.helpers)
    headers = ["#include <math.h>", *(["#include <stdio.h>", "#include <stdlib.h>"] if "snprintf" in used else [])]
    return _joined("\n".join(headers), *outline.helpers, f"/* {outline.about} */\n{head}\n{_indented(body, 1)}\n}}")


def _c_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    given = [
        f"const double {p.name}[] = {{{_numbers(C, x)}}};" if p.count is not None else f"const double {p.name} = {_numbers(C, x)};"
        for p, x in zip(outline.parameters, inputs, strict=True)
    ]
    made = [f"double {p.name}[{p.count or 1}];" for p in outline.derivatives]
    call = f"{outline.name}({', '.join([p.name for p in outline.parameters] + outline.returned)});"
    compared, place = [], 0
    if outline.value:
        call = f"double value = {call}"
        compared.append(f"failures += differ(value, expected[{place}]);")
        place = 1
    for p in outline.derivatives:
        compared.append(f"for (int i = 0; i < {p.count or 1}; i++) failures += differ({p.name}[i], expected[{place} + i]);")
        place += p.count or 1
    body = [*given, *made, f"const double expected[] = {{{_numbers(C, expected)}}};", "int failures = 0;", call, *compared,
            'puts(failures ? "wrong" : "ok");', "return failures;"]  # fmt: skip
    return f'''/* Compare {outline.name} with the results of autograd_mini. */
#include <math.h>
#include <stdio.h>
#include "{file}"

static int differ(double got, double number) {{
    if (got == number || (got != got && number != number) || fabs(got - number) <= 1e-12 * fabs(number)) return 0;
    printf("expected %.17g, got %.17g\\n", number, got);
    return 1;
}}

int main(void) {{
{_indented(body, 1)}
}}
'''


# -- Java --------------------------------------------------------------------------------------------------------------


def _java(outline: Outline) -> str:
    kind = {True: "double", False: "double[]"}
    fields = ["double value"] if outline.value else []
    fields += [f"{kind[p.count is None]} {p.name}" for p in outline.derivatives]
    checks = []
    if outline.arrays:
        test = " || ".join(f"{p.name}.length != {p.count}" for p in outline.arrays)
        sizes = ", ".join(f"{p.count} numbers in {p.name}" for p in outline.arrays)
        checks = [f'if ({test}) throw new IllegalArgumentException("{sizes}");']
    made = [f"double[] {p.name} = new double[{p.count}];" for p in outline.derivatives if p.count is not None]
    result = f"return new Result({', '.join([*filter(None, [outline.value]), *outline.returned])});"
    given = ", ".join(f"{kind[p.count is None]} {p.name}" for p in outline.parameters)
    function = f"/** {outline.about} */\nstatic Result {outline.name}({given}) {{\n"
    function += f"{_indented([*checks, *made, *outline.lines, result], 1)}\n}}"
    record = f"/** What {outline.name} returns. */\nrecord Result({', '.join(fields)}) {{}}"
    inner = "\n\n".join([record, function, *outline.helpers])
    return f"final class {class_of(outline.name)} {{\n{_indented([inner], 1)}\n}}\n"


def _java_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    arguments = ", ".join(
        _numbers(JAVA, x) if p.count is None else f"new double[] {{{_numbers(JAVA, x)}}}"
        for p, x in zip(outline.parameters, inputs, strict=True)
    )
    name, place, compared = class_of(outline.name), 0, []
    if outline.value:
        compared.append("compare(result.value(), expected[0]);")
        place = 1
    for p in outline.derivatives:
        if p.count is None:
            compared.append(f"compare(result.{p.name}(), expected[{place}]);")
        else:
            compared.append(f"for (int i = 0; i < {p.count}; i++) compare(result.{p.name}()[i], expected[{place} + i]);")
        place += p.count or 1
    body = [f"double[] expected = {{{_numbers(JAVA, expected)}}};", f"{name}.Result result = {name}.{outline.name}({arguments});",
            *compared, 'System.out.println("ok");']  # fmt: skip
    return f'''/** Compare {outline.name} with the results of autograd_mini. */
final class {name}Test {{
    static void compare(double got, double number) {{
        boolean bothNaN = Double.isNaN(got) && Double.isNaN(number);
        if (got != number && !bothNaN && !(Math.abs(got - number) <= 1e-12 * Math.abs(number)))
            throw new AssertionError("expected " + number + ", got " + got);
    }}

    public static void main(String[] args) {{
{_indented(body, 2)}
    }}
}}
'''


# -- JavaScript --------------------------------------------------------------------------------------------------------


def _javascript(outline: Outline) -> str:
    document = [outline.about, ""]
    document += [f"@param {{{'number' if p.count is None else 'number[]'}}} {p.name}" for p in outline.parameters]
    checks = []
    if outline.arrays:
        test = " || ".join(f"{p.name}.length !== {p.count}" for p in outline.arrays)
        sizes = ", ".join(f"{p.count} numbers in {p.name}" for p in outline.arrays)
        checks = [f'if ({test}) throw new RangeError("{sizes}");']
    made = [f"const {p.name} = new Array({p.count});" for p in outline.derivatives if p.count is not None]
    value = [f"value: {outline.value}"] if outline.value else []
    result = f"return {{ {', '.join([*value, *outline.returned])} }};"
    head = f"export function {outline.name}({', '.join(p.name for p in outline.parameters)}) {{"
    text = "\n".join(["/**", *[f" * {line}".rstrip() for line in document], " */", head])
    return _joined(f"{text}\n{_indented([*checks, *made, *outline.lines, result], 1)}\n}}", *outline.helpers)


def _javascript_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    arguments = ", ".join(
        _numbers(JAVASCRIPT, x) if p.count is None else f"[{_numbers(JAVASCRIPT, x)}]"
        for p, x in zip(outline.parameters, inputs, strict=True)
    )
    return f'''// Compare {outline.name} with the results of autograd_mini.
import {{ {outline.name} }} from "./{file}";

const expected = [{_numbers(JAVASCRIPT, expected)}];
const got = Object.values({outline.name}({arguments})).flat();
expected.forEach((number, i) => {{
    const isNear = Math.abs(got[i] - number) <= 1e-12 * Math.abs(number);
    if (!(got[i] === number || isNear || (Number.isNaN(got[i]) && Number.isNaN(number)))) {{
        throw new Error(`expected ${{number}}, got ${{got[i]}}`);
    }}
}});
console.log("ok");
'''


_BRACES = ("for (int {i} = {start}; {i} < {n}; {i}++) {{", "for (int {i} = {last}; {i} >= 0; {i}--) {{")
DIALECTS = {
    "python": Dialect(
        PYTHON,
        Syntax("{name} = {text}", "{name} = {text}", "{name} = [0.0] * {count}",
               ("for {i} in range({start}, {n}):", "for {i} in reversed(range({n})):"), "if {condition}:"),
        _python,
        _python_check,
    ),
    "c": Dialect(
        C,
        Syntax("double {name} = {text}", "int {name} = {text}", "double {name}[{count}]", _BRACES, "if ({condition}) {{"),
        _c,
        _c_check,
    ),
    "java": Dialect(
        JAVA,
        Syntax("double {name} = {text}", "int {name} = {text}", "double[] {name} = new double[{count}]", _BRACES,
               "if ({condition}) {{"),
        _java,
        _java_check,
    ),
    "javascript": Dialect(
        JAVASCRIPT,
        Syntax("let {name} = {text}", "let {name} = {text}", "const {name} = new Array({count})",
               tuple(text.replace("int", "let") for text in _BRACES), "if ({condition}) {{"),
        _javascript,
        _javascript_check,
    ),
}  # fmt: skip
