"""A step as a formula with its numbers, and in words.

A formula is MathML as nested lists, `[tag, *children]`, which a page builds element by element; numbers are written
both short and in full. Not here: the order of steps (`journal`). Read next: `debug.pages.alive`.
"""

from __future__ import annotations

import re
from typing import Any

from autograd_mini.core.node import is_relu
from autograd_mini.debug.pages.alive import position, told
from autograd_mini.debug.pages.listing import readable
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD, SEED, Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.spelling import Markup, parenthesised, spelling
from autograd_mini.notation.text import bracketed, elided
from autograd_mini.notation.text import number as short

_MOST_OPERANDS = 6
_LONGEST = 40  # characters of the operands' names, beyond which an operation goes by its own
_INDEXED = re.compile(r"([^\W\d_]+)_?(\d+)|(\w+)\[(\w+)\]")


def called(trace: Trace, node: Value) -> str:
    """Return the name of a node on a page."""
    return elided(readable(trace.label(node)).replace("\t", " "))


# -- in symbols --------------------------------------------------------------------------------------------------------


def row(*children: Any) -> Markup:
    """Put children in a row; a plain text is a sign or a word."""
    return ["mrow", *(["mo", child] if isinstance(child, str) else child for child in children)]


def still(piece: Markup) -> Markup:
    """Mark a piece that holds for the recorded numbers alone."""
    return ["still", piece]


def numeral(number: float) -> Markup:
    return ["mn", short(number), repr(number), *([] if (at := position(number)) is None else [at])]


def variable(trace: Trace, node: Value) -> Markup:
    """Return the name of a node; an index at its end, as in z0 or a[1], becomes a subscript."""
    name = called(trace, node)
    found = _INDEXED.fullmatch(name)
    if not found:
        return ["mi", bracketed(name)]
    letter, index = (found[1], found[2]) if found[1] else (found[3], found[4])
    return ["msub", ["mi", letter], ["mn" if index.isdecimal() else "mi", index]]


def derivative(of: Markup, by: Markup) -> Markup:
    return ["mfrac", row("∂", of), row("∂", by)]


def formula(trace: Trace, step: Step) -> list[Markup]:
    """Return a step in pieces, between which a line may break."""
    root, node = variable(trace, trace.root), variable(trace, step.node)
    if step.phase == FORWARD:
        return _computed(trace, step.node, node)
    if step.phase != BACKWARD:
        return [row(derivative(root, node)), row("=", numeral(step.total))]
    receiver, upstream, local, contribution = _contribution(step)
    operand = variable(trace, receiver)
    pieces = [
        row(derivative(root, operand), "+="),
        row(derivative(root, node)),
        row("·", derivative(node, operand)),
        row("=", numeral(upstream)),
        row("×", parenthesised(numeral(local))),
        row("=", numeral(contribution)),
    ]
    before, total = trace.grad(receiver, step.index - 1), ["mtext", "total"]
    if before is None:
        return [*pieces, row(total, numeral(step.total))]
    sum_ = [row(total, numeral(before)), row("+", parenthesised(numeral(contribution)))]
    return [*pieces, *sum_, row("=", numeral(step.total))]


def asked(trace: Trace, step: Step) -> list[Markup]:
    """Return the formula of a contribution without its numbers."""
    return [*formula(trace, step)[:3], row("=", ["mtext", "?"])]


def _contribution(step: Step) -> tuple[Value, float, float, float]:
    """Return the receiver of a step, and the numbers of its contribution."""
    assert step.operand is not None  # a contribution has all of them
    assert step.upstream is not None
    assert step.local is not None
    assert step.contribution is not None
    return step.operand, step.upstream, step.local, step.contribution


def rules(trace: Trace, step: Step) -> list[tuple[Value, int]]:
    """Return which local derivatives a step is about: that of a contribution, or the first of a computed node."""
    turn = trace.journal.turn_of(step.node)
    if step.phase == FORWARD:
        return [(step.node, place) for place in range(len(turn[:_MOST_OPERANDS]))]
    return [(step.node, step.index - turn[0])] if step.phase == BACKWARD else []


def local(trace: Trace, node: Value, place: int) -> list[Markup]:
    """Return a local derivative of a node as a formula, in pieces: the rule in symbols, in numbers, and the result."""
    operand, _, slope, _ = _contribution(trace[trace.journal.turn_of(node)[place]])
    result, by = row("=", numeral(slope)), variable(trace, operand)
    rule = trace.rules(node)[place]
    if rule is None:
        return [row(derivative(variable(trace, node), by)), result]
    spelled = spelling(node)
    names = [variable(trace, x) if is_node(x) else numeral(x) for x in spelled.operands]
    operation = row(*spelled.mathml(names, _MOST_OPERANDS))
    if sum(len(called(trace, x)) for x in spelled.operands[:_MOST_OPERANDS] if is_node(x)) > _LONGEST:
        operation = variable(trace, node)
    elif spelled.form in ("infix", "prefix", "power", "fraction", "products", "choice"):
        operation = row("(", operation, ")")
    if is_relu(node):
        return [row(derivative(operation, by)), result, still(row(["mtext", "as"], by, ">", ["mn", "0"]))]
    symbols = rule.derivative.mathml(lambda x: variable(trace, x))
    numbers = rule.derivative.mathml(lambda x: numeral(trace.value(x)))
    pieces = [row("=", symbols)] * (symbols[0] != "mn") + [row("=", numbers)] * (numbers[0] != "mn")
    return [row(derivative(operation, by)), *pieces, result]


def _computed(trace: Trace, node: Value, name: Markup) -> list[Markup]:
    result = row("=", numeral(trace.value(node)))
    if node._row is None:
        return [row(name, *result[1:])]
    spelled = spelling(node)
    names = [variable(trace, x) if is_node(x) else numeral(float(x)) for x in spelled.operands]
    numbers = [numeral(trace.value(x) if is_node(x) else float(x)) for x in spelled.operands]
    symbols, digits = (spelled.mathml(operands, _MOST_OPERANDS) for operands in (names, numbers))
    return [row(name, "=", *symbols), row("=", *digits), result]


# -- in words ----------------------------------------------------------------------------------------------------------


def words(trace: Trace, step: Step) -> str:
    """Return a step in words, for screen readers and for readers who are new to the chain rule."""
    name, total = called(trace, step.node), told(step.total)
    if step.phase == FORWARD:
        if step.node.op is None:
            remark = trace.remark(step.node)
            return f"{name} is {total}, a number that is given{', ' * bool(remark)}{remark}."
        return f"{name} is computed: {total}."
    if step.phase == SEED:
        return f"Backward begins at {name}: its derivative by itself is {total}."
    if step.phase != BACKWARD:
        return f"What if the gradient of {name} were {total}?"
    receiver, upstream, local, contribution = _contribution(step)
    operand, before = called(trace, receiver), trace.grad(receiver, step.index - 1)
    product = f"{told(upstream)} × {told(local, guard=True)}"
    passed = f"{name} hands {told(contribution)} on to {operand}: {product}."
    if before is None:
        more = trace.journal.arrivals(receiver)[-1] > step.index
        return f"{passed} That is the gradient of {operand}{' so far' if more else ''}."
    return f"{passed} Added to {told(before)}, the gradient of {operand} is {total} now."
