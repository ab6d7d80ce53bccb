"""Sums of products that become matrix products, because they share a half.

These are `dot`, chains of contributions to an adjoint, and results that are sums of products over the samples. Their
last digits depend on BLAS. Not here: how they are computed (`workspace`). Read next: `compile.backends.arrays`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autograd_mini.compile.backends.levels import Factors
from autograd_mini.compile.tape import Tape

_MATRIX = 4  # from this many rows and columns on


class Outer(NamedTuple):
    """Results that are sums over the samples of a left times a right register: a matrix product as well."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    results: list[tuple[int, int, int]]  # the position of a result, its row and its column


def factors(tape: Tape, is_batched: Sequence[bool]) -> dict[int, Factors]:
    """The sums of products, as rows of a matrix of shared numbers times numbers of the samples."""
    rows: dict[tuple[int, ...], dict[int, Factors]] = {}  # by the half of the samples
    for register, (one, other) in _sums_of_products(tape, is_batched).items():
        for batched, shared in ((one, other), (other, one)):
            if all(is_batched[x] for x in batched) and not any(is_batched[x] for x in shared):
                rows.setdefault(batched, {})[register] = Factors(batched, shared)
    found: dict[int, Factors] = {}
    for batched, members in rows.items():
        if min(len(members), len(batched)) >= _MATRIX:
            found |= members
    return found


def _sums_of_products(tape: Tape, is_batched: Sequence[bool]) -> dict[int, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Both halves of each `dot`, and of each chain of additions of products that nothing else uses."""
    uses = [0] * len(tape)
    for x in (*tape.outputs, *[x for _, operands, _ in tape.instructions for x in operands]):
        uses[x] += 1
    found: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    chains: dict[int, list[int]] = {}  # by the last addition
    for register, (op, operands, _) in enumerate(tape.instructions):
        if op == "dot":
            half = len(operands) // 2
            found[register] = operands[:half], operands[half:]
        elif op == "add" and is_batched[register]:
            first, last = operands
            if tape.instructions[last][0] == "mul" and uses[first] == uses[last] == 1:
                begun = [first] if tape.instructions[first][0] == "mul" else None
                chain = chains.pop(first, begun)
                if chain is not None:
                    chains[register] = [*chain, last]
    for register, terms in chains.items():
        factors = [tape.instructions[term][1] for term in terms]
        sides = [(a, b) if is_batched[a] else (b, a) for a, b in factors]
        found[register] = tuple([a for a, _ in sides]), tuple([b for _, b in sides])
    return found


def outer_products(tape: Tape, is_batched: Sequence[bool]) -> list[Outer]:
    """The groups of results that are connected by common factors, if most products in their matrix are results."""
    pairs: list[tuple[int, int, int]] = []
    for position, output in enumerate(tape.outputs):
        op, operands, _ = tape.instructions[output]
        if op == "mul" and all(is_batched[x] for x in operands):
            a, b = operands
            pairs.append((position, a, b))
    groups: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for _, a, b in pairs:  # join the groups of both factors
        joined = groups.get(("left", a), {("left", a)}) | groups.get(("right", b), {("right", b)})
        groups |= dict.fromkeys(joined, joined)
    found = []
    for group in {id(group): group for group in groups.values()}.values():
        members = [pair for pair in pairs if ("left", pair[1]) in group]
        left, right = (tuple(dict.fromkeys([pair[side] for pair in members])) for side in (1, 2))
        rows, columns = ({x: i for i, x in enumerate(side)} for side in (left, right))
        entries = [(position, rows[a], columns[b]) for position, a, b in members]
        if min(len(left), len(right)) >= _MATRIX and 2 * len(entries) >= len(left) * len(right):
            found.append(Outer(left, right, entries))
    return found
