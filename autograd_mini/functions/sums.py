"""Sums, products, means and norms of many numbers, recorded as one node where possible.

Not here: losses. Read next: `functions.activations`.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from autograd_mini.core.cell import record_dot, record_sum
from autograd_mini.core.row import elements, numbers_in, operand_of
from autograd_mini.core.table import dot_of, hypot, sum_of, take_of
from autograd_mini.core.traced import Unrecorded
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.functions.composed import EMPTY, NOT_NUMBERS, Scalar, composition, number_of
from autograd_mini.program.owner import transparent

_LISTS = (list, tuple)
_SOME = "xs: one or more numbers and `Value`s."
_ONE = "A `Value` if any element is one, else a float."


@composition("The sum from left to right, as one node; a sum of integers is an integer, as with the builtin `sum`.",
             "1 for each element.", "sum([1.0, 2.0, 3.0]) -> 6.0",
             takes="xs: any number of numbers and `Value`s.\nstart: added first.",
             returns="A `Value` if any element is one, else a number.",
             raises="OperandError: xs is not iterable, or an element next to a `Value` is not a number.")  # fmt: skip
@transparent
def sum(xs: Iterable[Scalar], start: Scalar = 0) -> Scalar:
    is_plain = type(start) is int and start == 0
    if is_plain and type(xs) in _LISTS and (total := record_sum((*xs,))) is not None:
        return total
    terms = elements("sum", xs)
    if not is_plain:
        terms.insert(0, start)
    if (total := record_sum((*terms,))) is not None:
        return total
    if any(type(term) is Value or isinstance(term, (float, Unrecorded)) for term in terms):
        return sum_of(*terms)
    if any(type(term).__module__ == "numpy" and not term.ndim for term in terms):  # with few bits, these would overflow
        return sum([term.item() if type(term).__module__ == "numpy" and not term.ndim else term for term in terms])
    return builtins.sum(terms[1:], terms[0]) if terms else 0  # `from autograd_mini import *` does no harm


@composition("The sum from left to right of the products x * y, as one node.", "y for each x, and x for each y.",
             "dot([1.0, 2.0], [3.0, 4.0]) -> 11.0", takes="xs: any number of numbers and `Value`s.\nys: as many.",
             returns="A `Value` if any element is one, else a float; 0.0 for empty lists.",
             raises="OperandError: an argument is not iterable, or an element is not a number.\n"
                    "ArgumentError: xs and ys differ in length.")  # fmt: skip
@transparent
def dot(xs: Iterable[Scalar], ys: Iterable[Scalar]) -> Scalar:
    is_plain = type(xs) in _LISTS and type(ys) in _LISTS and len(xs) == len(ys)  # type: ignore[arg-type]  # a list has one
    if is_plain and (product := record_dot((*xs, *ys))) is not None:
        return product
    xs, ys = numbers_in("dot", xs, 0, ordered=True), numbers_in("dot", ys, 0, ordered=True)
    if len(xs) != len(ys):
        raise ArgumentError(f"dot() got {len(xs)} numbers and {len(ys)} numbers.", "Pass two lists of equal length.")
    return dot_of(*xs, *ys)


@composition("The arithmetic mean: the sum divided by the number of elements.", "1 / n for each element.",
             "mean([1.0, 2.0, 6.0]) -> 3.0", takes=_SOME, returns=_ONE, raises=f"{NOT_NUMBERS}\n{EMPTY}")  # fmt: skip
@transparent
def mean(xs: Iterable[Scalar]) -> Scalar:
    numbers = numbers_in("mean", xs)
    total = record_sum((*numbers,))
    return (sum_of(*numbers) if total is None else total) / float(len(numbers))


@composition("The Euclidean length of a vector, without overflow, as one node.",
             "x / norm for each x. At the zero vector, the tip of a cone, it is 0 and second derivatives are nan.",
             "norm([3.0, 4.0]) -> 5.0", takes=_SOME, returns=_ONE, raises=f"{NOT_NUMBERS}\n{EMPTY}")  # fmt: skip
@transparent
def norm(xs: Iterable[Scalar]) -> Scalar:
    return hypot(*numbers_in("norm", xs))


@composition("The element at an index, as one node: `xs[index]` where the index is a number of the graph or a trace.",
             "1 for that element; no edge for the others, nor for the index.", "take([5.0, 6.0], 1) -> 6.0",
             takes=f"{_SOME}\nindex: an integer from 0, a number or `Value`.", returns=_ONE,
             raises=f"{NOT_NUMBERS}\n{EMPTY}\nArgumentError: there is no element with that index; while tracing, it is "
                    "nan instead.")  # fmt: skip
@transparent
def take(xs: Iterable[Scalar], index: Scalar) -> Scalar:
    numbers, index = numbers_in("take", xs, ordered=True), operand_of(index, "take()")
    number = number_of(index)
    if number is not None and not (0.0 <= number < len(numbers) and number.is_integer()):
        raise ArgumentError(
            f"take() got the index {number!r} for {counted(len(numbers), 'element')}.",
            f"Pass an integer from 0 to {len(numbers) - 1}.",
        )
    return take_of(index, *numbers)
