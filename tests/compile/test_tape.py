"""The tape as data: what is well formed, how it reads, equality and pickling."""

from __future__ import annotations

import pickle
import textwrap
import time

import pytest

import autograd_mini as am
from autograd_mini.compile.backends import BACKENDS, program
from autograd_mini.compile.passes import optimized
from autograd_mini.compile.tape import Place, Tape, TapeError, kind_of, spelled
from autograd_mini.compile.tracing import tracing
from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import RELATE, Traced
from tests.effort import effort


def tape_of(function, *names):
    with tracing() as builder:
        result = function(*[Traced(builder.input(name)) for name in names])
        return builder.tape([result.data])


X = ("input", (), 0)
LESS = ("<", (0, 0), None)


@pytest.mark.parametrize(
    ("instructions", "outputs", "fault"),
    [
        ([("exp", (0,), None)], (0,), "register 0 of the tape, .* reads a register that is not computed before it"),
        ([X, ("exp", (2,), None), X], (1,), "register 1 of the tape, .* not computed before it"),
        ([X, ("exp", (-1,), None)], (1,), "not computed before it"),
        ([X, ("exp", (0, 0), None)], (1,), "has 2 operands instead of 1"),
        ([X, ("add", (0,), None)], (1,), "has 1 operand instead of 2"),
        ([X, ("Exp", (0,), None)], (1,), "'Exp', .* has an unknown operation"),
        ([X, ("where", (0, 0, 0), None)], (1,), "reads an operand of the wrong type"),
        ([X, LESS, ("add", (0, 1), None)], (2,), "reads an operand of the wrong type"),
        ([X, LESS, ("&", (0, 1), None)], (0,), "reads an operand of the wrong type"),
        ([X, LESS, ("~", (1, 1), None)], (0,), "has 2 operands instead of 1"),
        ([X, LESS], (1,), "returns register 1, which is not a number"),
        ([X], (3,), "returns register 3"),
        ([("input", (), 1)], (0,), "is not an input of the tape"),
        ([("input", (), None)], (0,), "is not an input of the tape"),
        ([X, ("input", (0,), 0)], (0,), "is not an input of the tape"),
        ([("constant", (), 1.0)], (0,), "is not a constant"),
        ([X, ("constant", (0,), "1.0")], (0,), "is not a constant"),
    ],
)
def test_faults(instructions, outputs, fault):
    """A tape that is not well formed is an error that says which register, which instruction and who wrote it."""
    with pytest.raises(TapeError, match=f"After tracing.*{fault}"):
        Tape(tuple(instructions), ("x",), outputs).verify()
    with pytest.raises(TapeError, match="After somebody"):
        Tape(tuple(instructions), ("x",), outputs).verify(lambda register: "somebody")


def test_well_formed():
    """`verify` returns the tape; every operation has a kind."""
    tape = Tape((X, LESS, ("where", (1, 0, 0), None)), ("x",), (2,))
    assert tape.verify() is tape
    assert [kind_of(op) for op, _, _ in tape.instructions] == ["number", "condition", "number"]
    assert {kind_of(op) for op in TABLE} == {"number"}
    assert {kind_of(op) for op in RELATE} == {"condition"}


def test_tracing_twice():
    """Tracing a function twice gives equal tapes, with one hash; another function gives another tape."""
    make = lambda: am.jit(am.value_and_grad(lambda x, y: am.softplus(x * y) / am.maximum(x, y)))  # noqa: E731
    first, second = make(), make()
    first(1.0, 2.0)
    second(-3.0, 0.5)
    assert first.tape == second.tape
    assert hash(first.tape) == hash(second.tape)
    assert len({first.tape, second.tape}) == 1
    other = am.jit(lambda x, y: x * y)
    other(1.0, 2.0)
    assert other.tape != first.tape
    zeros = [tape_of(lambda x, zero=zero: x + zero, "x") for zero in (0.0, -0.0)]
    assert zeros[0] != zeros[1]
    nans = [tape_of(lambda x: x + float("nan"), "x") for _ in range(2)]
    assert nans[0] == nans[1]


def test_pickling():
    """A tape is pickled with its places, and runs in another process's backends."""
    compiled = am.jit(am.grad(lambda x: am.exp(x) * x))
    expected = compiled(0.5)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        other = pickle.loads(pickle.dumps(compiled.tape, protocol))
        assert other == compiled.tape
        assert other.places == compiled.tape.places
        assert program("interpreter", other.verify(), None)([0.5]) == [expected]


def test_text():
    """The text reads as code: inputs, one line for each instruction with the user's expression, and the results."""

    def f(w, x):
        hidden = am.tanh(w["a"] * x + 1)
        return am.where(hidden > 0.5, hidden, -x)

    compiled = am.jit(f)
    compiled({"a": 1.0}, 2.0)
    line = f.__code__.co_firstlineno
    head, *body, last = str(compiled.tape).splitlines()
    assert head == "inputs w['a'], x"
    assert body[0].startswith("v2 = w['a'] * x ")
    assert body[0].endswith(f'# w["a"] * x  (line {line + 1})')
    assert any(text.endswith(f"# am.where(hidden > 0.5, hidden, -x)  (line {line + 2})") for text in body)
    assert any(" if " in text and " else " in text for text in body)
    assert last.startswith("return v")
    assert len({text.index("#") for text in body if "#" in text}) == 1
    assert repr(compiled.tape) == f"<tape of {len(compiled.tape)} instructions, 2 inputs>"
    assert str(Tape((), (), ())) == "no inputs\nreturn "


def test_places_in_a_file(tmp_path):
    """Each instruction knows file, line and expression, also after the passes; what the rules add has none."""
    path = tmp_path / "model.py"
    path.write_text(textwrap.dedent("""
        import autograd_mini as am
        def loss(x, y):
            product = x * y
            return (am.exp(product)
                    + am.relu(y))
        loss = am.jit(am.grad(loss))
    """), encoding="utf-8")  # fmt: skip
    scope = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), scope)
    scope["loss"](1.0, 2.0)
    tape = scope["loss"].tape
    assert len(tape.places) == len(tape)
    assert {place.file for place in tape.places if place} == {str(path)}
    assert Place(str(path), 4, "x * y") in tape.places
    assert any(place and (place.line, place.expression) == (5, "am.exp(product)") for place in tape.places)


def _operations(*signs):
    return [f"{a} {sign} {b}" for sign in signs for a, b in (("x", "y"), ("x", "2.5"), ("2.5", "x"), ("x", "n"))]


CONDITIONS = [
    *_operations("<", ">", "<=", ">=", "==", "!="),
    *["(x < y) & (x > 0.0)", "(x < y) | (x > 0.0)", "~(x < y)", "(x < y) ^ (x > 0.0)", "(x < y) == (x > 0.0)"],
]
NUMBERS = [
    *_operations("+", "-", "*", "/", "**", "//", "%"),
    *["-x", "abs(x)", "round(x)", "math.floor(x)", "math.ceil(x)", "divmod(x, y)[0]", "x.clip(0.0, 1.0)", "x.square()"],
    *["am.sum([x, y])", "am.dot([x, y], [y, x])", "am.norm([x, y])", "am.softmax([x, y])[1]", "am.tanh(x * 0.3)"],
    *["np.exp(x)", "np.add(x, y)", "x.exp()", "np.exp(np.array([x, y]))[1]", "(np.array([x, y]) * 3.0)[0]"],
    *["am.where(x < y, x, 2.0)", "am.where(y, x, 2.0)", "am.take([x, y], n)", "sum([x, y])"],
    *[
        f"am.{row.name}({', '.join('xyx'[: row.arity])})"
        for row in TABLE.values()
        if row.is_public and row.arity and row.name not in ("round", "take")
    ],
]
CHOSEN = [f"chosen({condition})" for condition in CONDITIONS]
WRITTEN = [*NUMBERS, "ours(x)", "am.grad(ours)(x)", *CHOSEN]
SHARED = (
    "def ours(x): return x * x / (2.0 - x) + am.exp(-x)",
    "def chosen(condition): return am.where(condition, 3.0, 4.0)",
    "import math, numpy as np, autograd_mini as am",
)


def test_places_of_everything(tmp_path):
    """Whatever an instruction is written with, its place is the user's innermost line, never that of a caller."""
    path = tmp_path / "everything.py"
    lines = [*SHARED, *[f"def f{i}(x, y, n): return {text}" for i, text in enumerate(WRITTEN)]]
    path.write_text("\n".join(lines), encoding="utf-8")
    scope = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), scope)
    scope["ours"] = am.primitive("tape_ours", scope["ours"], lambda y, x: (2.0 * x,), check=False)
    try:
        for line, text in enumerate(WRITTEN, 1 + len(SHARED)):
            function = scope[f"f{line - 1 - len(SHARED)}"]
            compiled = am.jit(lambda x, y, n, f=function: f(x, y, n), backend="interpreter")
            compiled(0.25, 0.75, 1)
            found = {place.line for place in compiled.tape.places if place is not None}
            expected = {1} if text == "ours(x)" else {2, line} if text in CHOSEN else {line}
            assert found == expected, text
    finally:
        del TABLE["tape_ours"]


def test_places_in_several_files(tmp_path):
    """If a function calls others, the text names the file; a long expression is shortened."""
    terms = " + ".join([f"x * {i}.0" for i in range(40)])
    scopes = {}
    for name, source in (("one", f"def f(x):\n    return {terms}"), ("two", "def g(x):\n    return f(x) * 2.0")):
        path = tmp_path / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        exec(compile(source, str(path), "exec"), scopes)
    compiled = am.jit(scopes["g"])
    compiled(1.0)
    lines = str(compiled.tape).splitlines()
    assert lines[-2].endswith("# f(x) * 2.0  (two.py:2)")
    assert "x * 0.0 + x * 1.0" in lines[-3]
    assert lines[-3].endswith(" + x * 39.0  (one.py:2)")
    assert "…" in lines[-3]
    assert max(map(len, lines)) < 150


def test_spelling():
    """Every operation can be written."""
    for op in (*TABLE, *RELATE):
        arity = 1 if op == "~" else 2 if op in RELATE else TABLE[op].arity or 2
        text = spelled(op, [*"abcd"][:arity])
        assert text
        assert "\n" not in text


def test_linear_time():
    """Tracing, verifying, rewriting and running take time in proportion to the length; nothing recurses."""

    def chain(n):
        def f(x, y):
            for i in range(n // 4):
                x = (x * 1.0000001 + y) - am.abs(y * 0.5) / (float(i) + 1.0)
            return x

        return f

    def seconds(n):
        start = time.process_time()  # others may be busy too
        with tracing() as builder:
            x, y = (Traced(builder.input(name)) for name in "xy")
            tape = builder.tape([chain(n)(x, y).data])
        optimal, _ = optimized(tape)
        found = [program(backend, optimal, None)([0.3, 0.7]) for backend in ("interpreter",)]
        assert found == [[chain(n)(0.3, 0.7)]]
        assert len(str(optimal)) > 0
        return time.process_time() - start, len(tape)

    small, few = seconds(effort(2_000, 100_000))
    large, many = seconds(effort(20_000, 1_000_000))
    assert many > 9 * few
    assert large < 40 * max(small, 1e-3)  # in a square it would be 100; machines are noisy


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_long_gradient(backend):
    """The gradient of a long chain, whose tape is longer still."""
    n = effort(3_000, 100_000)

    def f(x):
        y = x
        for _ in range(n):
            y = y * 0.999 + x
        return y

    assert am.jit(am.grad(f), backend=backend)(0.3) == am.grad(f)(0.3)
