"""Stepping through a compiled function: each instruction of the tape, with its number, name and place."""

from __future__ import annotations

import numpy as np
import pytest

import autograd_mini as am
from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.tape import CONSTANT, kind_of
from autograd_mini.core.traced import RELATE


def loss(w, x):
    hidden = am.tanh(w[0] * x + w[1])
    return am.where(hidden > 0.5, hidden * hidden, -hidden)


FIRST = loss.__code__.co_firstlineno


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (loss, ([0.3, 0.2], 2.0)),
        (am.grad(lambda x: am.softplus(x) * x), (0.5,)),
        (lambda x, y: am.maximum(x, y) / am.erf(x) + am.take([x, y], 1.0), (0.5, 2.0)),
    ],
)
def test_each_instruction(f, args):
    """A step in the forward phase has the number of the interpreter, and the name that the tape prints."""
    compiled = am.jit(f, backend="interpreter")
    expected = compiled(*args)
    trace = am.debug.trace(compiled, *args)
    assert trace.root.data == expected
    tape = compiled.tape
    flat = [leaf for arg in args for leaf in (arg if isinstance(arg, list) else [arg])]
    numbers = {tape.names[register]: number for register, number in Program(tape).steps(flat)}
    shown = {trace.label(node): trace.value(node) for node in trace.journal.order}
    assert {name: numbers[name] for name in shown} == shown
    constant = {register for register, (op, _, _) in enumerate(tape.instructions) if op == CONSTANT or op in RELATE}
    for register, (op, operands, _) in enumerate(tape.instructions):
        if kind_of(op) == "number" and register not in constant and not {*operands} <= constant:
            assert tape.names[register] in shown


def test_places():
    """Each instruction is at the expression of the user's program that wrote it."""
    trace = am.debug.trace(am.jit(loss), [0.3, 0.2], 2.0)
    places = {trace.label(node): trace.place(node) for node in trace.journal.order}
    assert (places["v3"].line, places["v3"].expression) == (FIRST + 1, "w[0] * x")
    assert places["v3"].file == __file__
    last = places[trace.label(trace.root)]
    assert (last.line, last.expression) == (FIRST + 2, "am.where(hidden > 0.5, hidden * hidden, -hidden)")
    assert places["w[0]"] is None
    trace.break_at(line=FIRST + 2)
    assert trace.run().reason == "breakpoint"


def test_gradients():
    """The sweep back through the instructions gives the derivatives of what was compiled, also of a derivative."""
    trace = am.debug.trace(am.jit(loss), [0.3, 0.2], 2.0)
    trace.run_to(len(trace) - 1)
    by_name = {trace.label(leaf): trace.grad(leaf) for leaf in trace.leaves}
    (w0, w1), x = am.grad(loss, (0, 1))([0.3, 0.2], 2.0)
    assert by_name == pytest.approx({"w[0]": w0, "w[1]": w1, "x": x}, rel=1e-14)
    second = am.debug.trace(am.jit(am.grad(lambda x: x**3)), 2.0)
    assert second.grad(second.leaves[0], len(second) - 1) == 12.0
    scaled = am.debug.trace(am.jit(lambda x: x * x), 3.0, seed=2.0)
    assert scaled.grad(scaled.leaves[0], len(scaled) - 1) == 12.0


def test_several_results_and_batches():
    """Several results are shown with their sum; of a batch, the first sample; a constant has nothing behind it."""
    several = am.debug.trace(am.jit(am.value_and_grad(lambda x: x * x)), 3.0)
    assert several.label(several.root) == "results"
    assert several.root.data == 15.0
    batch = am.debug.trace(am.jit(lambda w, x: w * x, in_axes=(None, 0)), 2.0, np.array([5.0, 7.0]))
    assert batch.root.data == 10.0
    assert [step.phase for step in am.debug.trace(am.jit(lambda x: 3.0), 1.0)] == ["forward", "seed"]
    model = am.nn.MLP(1, [1], seed=0)
    assert am.debug.trace(am.jit(model), [0.5]).root.data == model([0.5]).data


def test_nothing_changes():
    """The compiled function, its statistics and its tape do not change."""
    compiled = am.jit(loss)
    compiled([0.3, 0.2], 2.0)
    tape, calls = compiled.tape, compiled.stats.calls
    am.debug.trace(compiled, [0.3, 0.2], 2.0)
    assert compiled.tape is tape
    assert compiled.stats.calls == calls
    assert am.debug.trace(compiled, [0.3, 0.2], 2.0).root.grad == 0.0


def test_in_the_terminal(capsys):
    """The terminal shows the user's line, the expression and the names of the tape."""
    trace = am.debug.trace(am.jit(loss), [0.3, 0.2], 2.0)
    am.debug.shell(trace, commands=["next", "next", "quit"])
    shown = capsys.readouterr().out
    assert f"test_compiled.py:{FIRST + 2} in loss" in shown
    assert "-> return am.where(hidden > 0.5, hidden * hidden, -hidden)" in shown
    assert "∂v20/∂v15 += ∂v20/∂v18 × ∂v18/∂v15 = 1 × 0.664 = 0.664" in shown
    assert "Record inside" not in shown


def test_errors():
    """A function that is not compiled, a graph among the arguments and an empty batch say what to do."""
    with pytest.raises(am.OperandError, match=r"debug.trace\(am.jit\(f\), \*args\)"):
        am.debug.trace(loss, [0.3, 0.2], 2.0)
    with pytest.raises(am.ArgumentError, match="Pass plain numbers"):
        am.debug.trace(am.jit(loss), [am.Value(0.3), 0.2], 2.0)
    with pytest.raises(am.ArgumentError, match="Pass at least one sample"):
        am.debug.trace(am.jit(lambda x: x, in_axes=0), [])
    with pytest.raises(am.ArgumentError, match="returns no number"):
        am.debug.trace(am.jit(lambda x: None), 1.0)
    with pytest.raises(am.OperandError, match="not float"):
        am.debug.trace(3.0)
    x = am.Value(3.0)
    assert am.debug.trace(x * x, 2.0).seed == 2.0
    with pytest.raises(TypeError):
        am.debug.trace(x * x, 2.0, 3.0)
