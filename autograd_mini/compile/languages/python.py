"""Python: functions that need the standard library alone; where `math` raises, they return inf or nan as C does.

Not here: what is written (`writing`). Read next: `compile.languages.c`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

from autograd_mini.compile.languages.c import OPERATORS
from autograd_mini.compile.languages.language import Language
from autograd_mini.compile.languages.outline import Dialect, Outline, arguments_of, checks_of, indented, numbers_of
from autograd_mini.compile.languages.writing import Syntax


def _total(name: str, over: str = "math.inf", pole: str = "") -> str:
    """A function of `math` where it raises."""
    outside = f"    except ValueError:\n        return {pole or 'math.nan'}" if pole != "never" else ""
    above = f"    except OverflowError:\n        return {over}\n" if over else ""
    return f"def {name}(x):\n    try:\n        return math.{name}(x)\n{above}{outside}".rstrip("\n")


_POLE = "-math.inf if x == {} else math.nan"
_NAMED = [
    *(
        "acos",
        "acosh",
        "asin",
        "atanh",
        "cos",
        "cosh",
        "exp",
        "exp2",
        "expm1",
        "floor",
        "fmod",
        "log",
        "log10",
        "log1p",
    ),
    *("log2", "sin", "sinh", "sqrt", "tan", "divide", "power"),
]

PYTHON = Language(
    name="python",
    suffix=".py",
    operations={
        **OPERATORS,
        **{name: f"math.{name}" for name in ("asinh", "atan", "atan2", "cbrt", "erf", "erfc", "hypot")},
        **{name: name for name in _NAMED if name not in ("divide", "power")},
        "abs": "abs", "div": "divide", "div finite": "{} / {}", "hypot of several": "math.hypot", "pow": "power",
        "round": "round_decimal",
        "where": "{1} if {0} else {2}", "&": "{} and {}", "|": "{} or {}", "~": "not {}",
    },
    own={
        **{name: _total(name, "") for name in ("acos", "acosh", "asin", "cos", "sin", "sqrt", "tan")},
        **{name: _total(name, pole="never") for name in ("cosh", "exp", "exp2", "expm1")},
        **{name: _total(name, "", _POLE.format("0.0")) for name in ("log", "log2", "log10")},
        "log1p": _total("log1p", "", _POLE.format("-1.0")),
        "atanh": _total("atanh", "", "math.copysign(math.inf, x) if abs(x) == 1.0 else math.nan"),
        "sinh": _total("sinh", "math.copysign(math.inf, x)", "never"),
        "floor": "def floor(x):\n    return x // 1.0 if math.isfinite(x) else x",
        "fmod": """
def fmod(x, y):
    try:
        return math.fmod(x, y)
    except ValueError:
        return math.nan""",
        "divide": """
def divide(x, y):
    if y != 0.0:
        return x / y
    return math.nan if x == 0.0 or x != x else math.copysign(math.inf, x) * math.copysign(1.0, y)""",
        "power": """
def power(x, p):
    if p == 2.0:
        return x * x
    try:
        return math.pow(x, p)
    except OverflowError:
        return -math.inf if x < 0.0 and p % 2.0 == 1.0 else math.inf
    except ValueError:
        return math.nan if x != 0.0 else math.copysign(math.inf, x) if p % 2.0 == 1.0 else math.inf""",
        "round_decimal": """
def round_decimal(x, digits):
    return round(x, int(digits)) if math.isfinite(x) else x""",
    },
    infinity=("math.inf", "math.nan"),
    number="",
    condition="",
    end="",
    function="def {name}({parameters}):",
    head=("import math", ""),
    flat=("def {name}(x):\n    {result} = [0.0] * {count}", "return {result}"),
    close="",
    comment="#",
    reserved=frozenset([
        *keyword.kwlist, "ValueError", "abs", "float", "len", "math", "range", "reversed", "round", "sum",
    ]),
)  # fmt: skip


def _tuple(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _python(outline: Outline) -> str:
    checks = checks_of(outline, 'if len({name}) != {length}:\n    raise ValueError("{message}")')
    result = ", ".join([*filter(None, [outline.value]), _tuple(outline.returned)])
    body = [f'"""{outline.about}"""', *checks, *outline.lines, f"return {result}"]
    head = f"def {outline.name}({', '.join(p.name for p in outline.parameters)}):"
    parts = [*outline.helpers, f"{head}\n{indented(body, 1)}"]
    imports = ["import math"] if any("math." in part for part in parts) else []
    return "\n\n\n".join([*imports, *parts]) + "\n"


def _python_check(outline: Outline, inputs: Sequence[object], expected: Sequence[object], file: str) -> str:
    arguments = arguments_of(PYTHON, outline, inputs, "[{}]")
    module = re.sub(r"\.py$", "", file)
    return f'''"""Compare {outline.name} with the results of autograd_mini."""

import math

from {module} import {outline.name}

_expected = [{numbers_of(PYTHON, expected)}]


def _numbers(tree):
    return [x for part in tree for x in _numbers(part)] if isinstance(tree, (list, tuple)) else [tree]


for _got, _number in zip(_numbers({outline.name}({arguments})), _expected, strict=True):
    if not (_got == _number or math.isclose(_got, _number, rel_tol=1e-12) or (_got != _got and _number != _number)):
        raise SystemExit(f"expected {{_number}}, got {{_got}}")
print("ok")
'''


PYTHON_DIALECT = Dialect(
    PYTHON,
    Syntax(
        "{name} = {text}",
        "{name} = {text}",
        ("", "{name} = [0.0] * {count}", False),
        "{name} = [{numbers}]",
        "float({})",
        ("for {i} in range({n}):", "for {i} in range(1, {n}):", "for {i} in reversed(range({n})):"),
        "if {condition}:",
    ),
    _python,
    _python_check,
)
