"""Which sums have no correct digit, because their terms are equal up to their rounding errors.

Not here: what such a sum does to a gradient (`causes`). Read next: `explanation.stable`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from autograd_mini.engine import Value, is_node

_EPSILON = sys.float_info.epsilon
_SUMS = ("add", "sub", "sum")
_MOST_NODES = 100  # behind a sum, to search for one that is not exact


def without_digits(node: Any, number: Callable[[Any], float]) -> Value | None:
    """Find the cancelled sum, or the log of a 1 + x that rounded to 1, that makes all digits of a number wrong.

    It may be behind a constant factor. `number` returns an operand's number when it was recorded.
    """
    while is_node(node) and node.op in ("mul", "div", "neg") and sum(map(is_node, node.operands)) == 1:
        node = next(filter(is_node, node.operands))  # a constant factor changes nothing
    if not is_node(node) or node.op is None:
        return None
    if node.op in ("log", "log2", "log10") and node.data == 0.0:
        (inner,) = node.operands
        return node if is_node(inner) and inner.op in _SUMS and not _is_exact(inner, number) else None
    if node.op not in _SUMS:
        return None
    terms = [abs(number(x)) for x in node.operands]
    largest = max(terms)
    if not math.isfinite(largest) or abs(node.data) > len(terms) * _EPSILON * largest:
        return None
    waiting, seen = [x for x in node.operands if is_node(x)], 0
    while waiting and seen < _MOST_NODES:
        term = waiting.pop()
        seen += 1
        if not _is_exact(term, number):
            return node
        waiting += [x for x in term.operands if is_node(x)]
    return None


def _is_exact(node: Value, number: Callable[[Any], float]) -> bool:
    """Return True if an operation did not round; functions without an exact test count only at 0 and 1."""
    if node._row is None or node._row.is_exact:
        return True
    numbers = [number(x) for x in node.operands]
    if not all(map(math.isfinite, (*numbers, node.data))):
        return True  # rounding is not to blame
    terms, result = list(map(Fraction, numbers)), Fraction(node.data)
    match node.op, terms:
        case (("add" | "sum"), _):
            return sum(terms) == result
        case "sub", [a, b]:
            return a - b == result
        case "mul", [a, b]:
            return a * b == result
        case "div", [a, b]:
            return result * b == a
        case "sqrt", [a]:
            return result * result == a
        case "pow", [a, b] if b == 2:
            return a * a == result
    return node.data in (-1.0, 0.0, 1.0) and all(x in (0.0, 1.0) for x in numbers)
