"""A tape as a graph of `Value`s, for the debugger: each instruction is a node, with its name and place.

The numbers are those of the interpreter, because both evaluate the rows of the table in the order of the tape.
Not here: the debugger (`debug`). Read next: `compile.graphs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd_mini.compile.arguments import Arguments
from autograd_mini.compile.backends import flat
from autograd_mini.compile.backends.interpreter import OPERATIONS
from autograd_mini.compile.compiled import Compiled, Jit
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, kind_of
from autograd_mini.core.row import TABLE, evaluate
from autograd_mini.core.table import sum_of
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError


def graph(f: Jit, args: Sequence[Any]) -> Value:
    """Run a compiled function on the interpreter, and return its result with the graph of what has run.

    For a batch, it runs the first sample; for several results, it returns their sum.
    """
    given = Arguments(f, f._with_parameters(tuple(args)), {})
    if given.records:
        raise ArgumentError("The arguments contain a number with a graph, or a formula.", "Pass plain numbers.")
    if given.samples == 0:
        raise ArgumentError("The batch is empty, so there is nothing to step through.", "Pass at least one sample.")
    made = f._for(given)
    numbers = [float(x[0]) if many else x for x, many in zip(flat(given.parts), made.tape.batched, strict=True)]
    return _recorded(made, numbers)


def _recorded(made: Compiled, numbers: Sequence[float]) -> Value:
    tape = made.tape
    registers: list[Any] = []
    places = tape.places or (None,) * len(tape)
    for name, place, (op, operands, detail) in zip(tape.names, places, tape.instructions, strict=True):
        read = [registers[x] for x in operands]
        if op == INPUT:
            register: Any = Value(numbers[int(str(detail))], name)
        elif op == CONSTANT:
            register = float(str(detail))
        elif kind_of(op) == CONDITION:
            register = OPERATIONS[op](*[x.data if is_node(x) else x for x in read])
        else:
            register = evaluate(TABLE[op], tuple(read))
        if is_node(register) and operands:
            register.name = name
            register.origin = made.sites.get(place) if place is not None else None
        registers.append(register)
    results = [registers[x] for x in tape.outputs]
    if not results:
        raise ArgumentError("The function returns no number.", "Return the number to differentiate.")
    root = sum_of(*results) if len(results) > 1 else results[0]
    if not is_node(root):
        return Value(root, "result")
    if len(results) > 1:
        root.name = "results"
    return root
