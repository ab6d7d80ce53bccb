"""Python: functions that need the standard library alone; where `math` raises, they return inf or nan as C does.

Not here: what is written (`writing`). Read next: `compile.languages.c`.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Sequence

from autograd_mini.compile.languages.c import OPERATORS
from autograd_mini.compile.languages.language import Language, Outline, indented


def _file(outline: Outline) -> str:
    checks = outline.checks('if len({name}) != {length}:\n    raise ValueError("{message}")')
    returned = ", ".join(outline.returned)
    derivatives = returned if len(outline.returned) == 1 else f"({returned})"
    result = ", ".join([*filter(None, [outline.value]), derivatives])
    body = [f'"""{outline.about}"""', *checks, *outline.lines, f"return {result}"]
    head = f"def {outline.name}({', '.join(p.name for p in outline.parameters)})"
    parts = [*outline.helpers, "\n".join(PYTHON.block(head, body))]
    imports = ["import math"] if any("math." in part for part in parts) else []
    return "\n\n\n".join([*imports, *parts]) + "\n"


def _test(outline: Outline, inputs: Sequence[object], results: Sequence[object], file: str) -> str:
    module = file.removesuffix(".py")
    is_name = module.isidentifier() and not keyword.iskeyword(module)
    found = f'importlib.import_module("{module}").{outline.name}'
    imports = "import math\n" if is_name else "import importlib\nimport math\n"
    known = f"from {module} import {outline.name}" if is_name else f"{outline.name} = {found}"
    return f'''"""Compare {outline.name} with the results of autograd_mini."""

{imports}
{known}

_expected = [{PYTHON.literals(results)}]


def _numbers(tree):
    return [x for part in tree for x in _numbers(part)] if isinstance(tree, (list, tuple)) else [tree]


for _got, _number in zip(_numbers({outline.name}({PYTHON.arguments(inputs)})), _expected, strict=True):
    if not (_got == _number or math.isclose(_got, _number, rel_tol=1e-12) or (_got != _got and _number != _number)):
        raise SystemExit(f"expected {{_number}}, got {{_got}}")
print("ok")
'''


def _total(name: str, over: str = "", outside: str = "") -> str:
    """A function of `math`, and what it is where that raises an OverflowError or a ValueError."""
    handlers = [("OverflowError", over), ("ValueError", outside)]
    caught = [line for error, result in handlers if result for line in (f"except {error}:", f"    return {result}")]
    return f"def {name}(x):\n{indented(['try:', f'    return math.{name}(x)', *caught])}"


_LIKE_X = "math.copysign(math.inf, x)"

PYTHON = Language(
    name="python",
    suffix=".py",
    operations={
        **OPERATORS,
        **{name: f"math.{name}" for name in ("asinh", "atan", "atan2", "cbrt", "erf", "erfc", "hypot")},
        **{name: name for name in (
            "abs", "acos", "acosh", "asin", "atanh", "cos", "cosh", "exp", "exp2", "expm1", "floor", "fmod", "log",
            "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan",
        )},
        "div": "divide", "div finite": "{} / {}", "hypot of several": "math.hypot", "pow": "power",
        "round": "round_decimal",
        "where": "{1} if {0} else {2}", "&": "{} and {}", "|": "{} or {}", "~": "not {}",
    },
    own={
        **{name: _total(name, "", "math.nan") for name in ("acos", "acosh", "asin", "cos", "sin", "sqrt", "tan")},
        **{name: _total(name, "math.inf") for name in ("cosh", "exp", "exp2", "expm1")},
        **{name: _total(name, "", "-math.inf if x == 0.0 else math.nan") for name in ("log", "log2", "log10")},
        "log1p": _total("log1p", "", "-math.inf if x == -1.0 else math.nan"),
        "atanh": _total("atanh", "", f"{_LIKE_X} if abs(x) == 1.0 else math.nan"),
        "sinh": _total("sinh", _LIKE_X),
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
    infinity="math.inf",
    nan="math.nan",
    number="",
    variable="",
    condition="",
    integer="",
    kinds=("0.0", "False"),
    arrays=("", "{name} = [{kind}] * {count}"),
    filled="{name} = [{numbers}]",
    given="[{}]",
    real="float({})",
    loops=("for {i} in range({n})", "for {i} in range(1, {n})", "for {i} in reversed(range({n}))"),
    helper="def {name}({parameters})",
    parameter="",
    file=_file,
    test=_test,
    end="",
    branch="if {}",
    opening=":",
    closing="",
    comment="#",
    reserved=frozenset([
        *keyword.kwlist, "ValueError", "abs", "float", "len", "math", "range", "reversed", "round", "sum",
    ]),
    provided=frozenset(dir(builtins)),
)  # fmt: skip
