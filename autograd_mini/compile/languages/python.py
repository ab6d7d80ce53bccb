"""Python: functions that need the standard library alone; where `math` raises, they return inf or nan as C does.

Not here: programs with names and loops (`emitted`). Read next: `compile.languages.c`.
"""

from __future__ import annotations

import keyword

from autograd_mini.compile.languages.c import OPERATORS
from autograd_mini.compile.languages.language import Language


def _total(name: str, over: str = "math.inf", pole: str = "") -> str:
    """A function of `math` where it raises."""
    outside = f"    except ValueError:\n        return {pole or 'math.nan'}" if pole != "never" else ""
    above = f"    except OverflowError:\n        return {over}\n" if over else ""
    return f"def {name}(x):\n    try:\n        return math.{name}(x)\n{above}{outside}".rstrip("\n")


_POLE = "-math.inf if x == {} else math.nan"
_NAMED = [
    *("acos", "acosh", "asin", "atanh", "cos", "cosh", "exp", "exp2", "expm1", "floor", "fmod", "log", "log10", "log1p"),
    *("log2", "sin", "sinh", "sqrt", "tan", "divide", "power"),
]

PYTHON = Language(
    name="python",
    suffix=".py",
    operations={
        **OPERATORS,
        **{name: f"math.{name}" for name in ("asinh", "atan", "atan2", "cbrt", "erf", "erfc", "hypot")},
        **{name: name for name in _NAMED if name not in ("divide", "power")},
        "abs": "abs", "div": "divide", "div finite": "{} / {}", "pow": "power", "round": "round_decimal",
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
        "fmod": "def fmod(x, y):\n    try:\n        return math.fmod(x, y)\n    except ValueError:\n        return math.nan",
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
    reserved=frozenset({*keyword.kwlist, "math", "abs", "round", "range", "len", "zip", "sum", "ValueError"}),
)  # fmt: skip
