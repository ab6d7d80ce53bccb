"""A step as a formula with its numbers, and in words.

A formula is MathML as nested lists, `[tag, *children]`, which a page builds element by element; a number is written
short and in full. Not here: what happens when (that is `journal`). Read next: `pages`.
"""

from __future__ import annotations

import re

from autograd_mini.debug.pages.listing import readable
from autograd_mini.debug.timeline.journal import FORWARD, SEED, WHAT_IF, Step
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.spelling import Markup as Formula
from autograd_mini.notation.spelling import parenthesised, spelling
from autograd_mini.notation.text import bracketed, elided, guarded
from autograd_mini.notation.text import number as short

_MOST_OPERANDS = 6
_INDEXED = re.compile(r"([^\W\d_]+)_?(\d+)|(\w+)\[(\w+)\]")


def called(trace: Trace, node: Value) -> str:
    """What a page calls a node."""
    return elided(readable(trace.label(node)).replace("\t", " "))


def numeral(number: float) -> Formula:
    """A number."""
    return ["mn", short(number), repr(number)]


def variable(name: str) -> Formula:
    """A name; an index at its end is set as one.

    >>> variable("z0"), variable("a[1]"), variable("loss")
    (['msub', ['mi', 'z'], ['mn', '0']], ['msub', ['mi', 'a'], ['mn', '1']], ['mi', 'loss'])
    """
    found = _INDEXED.fullmatch(name)
    if not found:
        return ["mi", bracketed(name)]
    letter, index = (found[1], found[2]) if found[1] else (found[3], found[4])
    return ["msub", ["mi", letter], ["mn" if index.isdecimal() else "mi", index]]


def derivative(of: Formula, by: Formula) -> Formula:
    """∂of/∂by."""
    return ["mfrac", ["mrow", ["mo", "∂"], of], ["mrow", ["mo", "∂"], by]]


def formula(trace: Trace, step: Step) -> list[Formula]:
    """A step in pieces, between which a line may be broken."""
    root = variable(called(trace, trace.root))
    node = variable(called(trace, step.node))
    if step.phase == FORWARD:
        return _computed(trace, step.node, node)
    if step.operand is None or step.phase in (SEED, WHAT_IF):
        return [["mrow", derivative(root, node)], ["mrow", ["mo", "="], numeral(step.total)]]
    assert step.upstream is not None  # of a contribution all numbers are there
    assert step.local is not None
    assert step.contribution is not None
    operand = variable(called(trace, step.operand))
    pieces: list[Formula] = [
        ["mrow", derivative(root, operand), ["mo", "+="]],
        ["mrow", derivative(root, node)],
        ["mrow", ["mo", "·"], derivative(node, operand)],
        ["mrow", ["mo", "="], numeral(step.upstream)],
        ["mrow", ["mo", "×"], _factor(step.local)],
        ["mrow", ["mo", "="], numeral(step.contribution)],
    ]
    before = trace.grad(step.operand, step.index - 1)
    if before is None:
        return [*pieces, ["mrow", ["mtext", "total"], numeral(step.total)]]
    pieces += [["mrow", ["mtext", "total"], numeral(before)], ["mrow", ["mo", "+"], _factor(step.contribution)]]
    return [*pieces, ["mrow", ["mo", "="], numeral(step.total)]]


def slopes(trace: Trace, step: Step) -> list[Formula]:
    """The local derivatives of a node that has been computed."""
    if step.phase != FORWARD:
        return []
    node = variable(called(trace, step.node))
    handed = [trace[index] for index in trace.journal.turn_of(step.node)][:_MOST_OPERANDS]
    return [
        ["mrow", derivative(node, variable(called(trace, later.operand))), ["mo", "="], numeral(later.local)]
        for later in handed
        if later.operand is not None and later.local is not None
    ]


def _computed(trace: Trace, node: Value, name: Formula) -> list[Formula]:
    if node._row is None:
        return [["mrow", name, ["mo", "="], numeral(trace.value(node))]]
    spelled = spelling(node)
    names = [variable(called(trace, x)) if is_node(x) else numeral(float(x)) for x in spelled.operands]
    numbers = [numeral(trace.value(x) if is_node(x) else float(x)) for x in spelled.operands]
    pieces = [["mrow", name, ["mo", "="], *spelled.mathml(names, _MOST_OPERANDS)]]
    pieces.append(["mrow", ["mo", "="], *spelled.mathml(numbers, _MOST_OPERANDS)])
    return [*pieces, ["mrow", ["mo", "="], numeral(trace.value(node))]]


def _factor(number: float) -> Formula:
    return parenthesised(numeral(number))


def words(trace: Trace, step: Step) -> str:
    """A step in words, for those who listen to a page, and for those who see the chain rule for the first time."""
    name = called(trace, step.node)
    if step.phase == FORWARD:
        if step.node.op is None:
            remark = trace.remark(step.node)
            return f"{name} is {short(step.total)}, a number that is given{', ' * bool(remark)}{remark}."
        return f"{name} is computed: {short(step.total)}."
    if step.phase == SEED:
        return f"Backward begins at {name}: its derivative by itself is {short(step.total)}."
    if step.phase == WHAT_IF:
        return f"What if the gradient of {name} were {short(step.total)}?"
    assert step.operand is not None  # of a contribution everything is there
    assert step.upstream is not None
    assert step.local is not None
    assert step.contribution is not None
    operand = called(trace, step.operand)
    before = trace.grad(step.operand, step.index - 1)
    product = f"{short(step.upstream)} × {guarded(short(step.local))}"
    passed = f"{name} hands {short(step.contribution)} on to {operand}: {product}."
    if before is None:
        return f"{passed} That is the gradient of {operand}{' so far' if _more(trace, step) else ''}."
    return f"{passed} Added to {short(before)}, the gradient of {operand} is {short(step.total)} now."


def _more(trace: Trace, step: Step) -> bool:
    """Whether more is going to be added to what a step adds to."""
    assert step.operand is not None
    return trace.journal.arrivals(step.operand)[-1] > step.index
