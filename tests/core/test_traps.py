"""traps.json: numerical and graph traps that other engines fall into, with the right answers."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

import autograd_mini as am
from autograd_mini import Value

TRAPS = json.loads(Path(__file__).with_name("traps.json").read_text())["traps"]
PACKAGE = Path(am.__file__).parent
PAGE = re.findall(r"^- \*\*([CT][0-9]+)", (PACKAGE / "core" / "CONVENTIONS.md").read_text(encoding="utf-8"), re.M)
FUNCTIONS = [trap for trap in TRAPS if trap["kind"] == "function"]
PROGRAMS = [trap for trap in TRAPS if trap["kind"] == "program"]
# The functions are in scope, but not those that would hide a builtin which the programs call.
SCOPE = {name: getattr(am, name) for name in am.__all__ if name not in ("sum", "abs", "pow")}
SCOPE["bce_with_logits"] = am.binary_cross_entropy  # PyTorch's name


def test_no_trap_is_forgotten():
    """Every trap is run by a test below; its group is on the page of conventions."""
    assert {trap["kind"] for trap in TRAPS} == {"function", "program"}
    assert len({trap["id"] for trap in TRAPS}) == len(TRAPS) == 114
    assert {trap["group"][:3] for trap in TRAPS} == {code for code in PAGE if code.startswith("T")}


def test_every_code_is_on_the_page():
    """What comments, docstrings and tests cite as C1 or T11 is explained in core/CONVENTIONS.md."""
    files = [path for folder in (PACKAGE, Path(__file__).parents[1]) for path in folder.rglob("*.py")]
    cited = {
        code for path in files for code in re.findall(r"\b(?:C[1-9]|T[0-9]{2})\b", path.read_text(encoding="utf-8"))
    }
    assert cited >= {"C2", "C5", "T28"}
    assert cited <= set(PAGE), "write a line for each of them in autograd_mini/core/CONVENTIONS.md"
    assert len(set(PAGE)) == len(PAGE)


def agrees(got, expected, trap):
    truth = float(expected)
    if math.isnan(truth) or math.isinf(truth) or not math.isfinite(got):
        return got == truth or (math.isnan(got) and math.isnan(truth))
    if trap["tolerance_ulp"] == 0:
        return got == truth and math.copysign(1.0, got) == math.copysign(1.0, truth)
    return abs(got - truth) <= max(trap["tolerance_ulp"] * math.ulp(truth), trap["tolerance_abs"])


@pytest.mark.parametrize("trap", FUNCTIONS, ids=lambda trap: trap["id"])
def test_function(trap):
    """Value and derivative of one expression, in ulp; other defensible answers are listed with the trap."""
    names = list(trap["inputs"])
    numbers = [float(number) for number in trap["inputs"].values()]

    def f(*xs):
        return eval(trap["expression"], {**SCOPE, **dict(zip(names, xs, strict=True))})

    leaves = [Value(number) for number in numbers]
    result = f(*leaves)
    found = {"value": result.data}
    if trap["order"] == 1:
        result.backward()
        found.update((name, leaf.grad) for name, leaf in zip(names, leaves, strict=True))
        also = am.grad(f, tuple(range(len(names))))(*numbers)
        assert all(repr(a) == repr(found[name]) for a, name in zip(also, names, strict=True))
    else:
        derivative = f
        for _ in range(trap["order"]):
            derivative = am.grad(derivative)
        found[names[0]] = derivative(*numbers)
    for name, expected in {"value": trap["expected_value"], **trap["expected_grads"]}.items():
        answers = [expected, *trap["also_accept"].get(name, [])]
        assert any(agrees(found[name], answer, trap) for answer in answers), (name, found[name], answers)


@pytest.mark.parametrize("trap", PROGRAMS, ids=lambda trap: trap["id"])
def test_program(trap):
    """A program, after which every expression has the expected repr; or which raises what it should."""
    scope = dict(SCOPE)
    if "raises" in trap["expect"]:
        with pytest.raises(eval(trap["expect"]["raises"])):
            exec(trap["program"], scope)
        return
    exec(trap["program"], scope)
    for expression, expected in trap["expect"].items():
        got = eval(expression, scope)
        # eq-number-branches expects a number; here a function that is given a Value returns one.
        assert repr(got.data if isinstance(got, Value) else got) == expected, expression
