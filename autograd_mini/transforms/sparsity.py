"""Which entries of a Jacobian can differ from zero, and the few sweeps that give them all.

Sets of rows and columns are integers with one bit per element: a union or an overlap of any size is one operation.
Not here: derivatives, and sweeps. Read next: `transforms.detached`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from autograd_mini.core.methods import Methods
from autograd_mini.core.row import ZERO

Set = int  # of rows or columns
Rows = list[dict[int, Any]]  # each row of a matrix: its entries by column


class Coordinates(NamedTuple):
    """A sparse matrix: the values of its entries with their rows and columns, counted from 0."""

    rows: list[int]
    columns: list[int]
    values: list[Any]


def dependence(order: Iterable[Any], variables: Sequence[Any]) -> dict[Any, Set]:
    """Return the variables that each node of a graph depends on, operands first; a `ZERO` edge does not count."""
    found: dict[Any, Set] = {variable: 1 << i for i, variable in enumerate(variables)}
    for node in order:
        if node not in found:
            pattern = 0
            for operand, partial in zip(node.operands, node.partials, strict=True):
                if partial is not ZERO:
                    pattern |= found[operand]
            found[node] = pattern
    return found


def members(pattern: Set) -> list[int]:
    """Return the elements of a set."""
    found = []
    while pattern:
        lowest = pattern & -pattern
        found.append(lowest.bit_length() - 1)
        pattern ^= lowest
    return found


def transposed(patterns: Sequence[Set], n: int) -> list[Set]:
    """Return for each of n columns the rows with an entry there."""
    found = [0] * n
    for row, pattern in enumerate(patterns):
        for column in members(pattern):
            found[column] |= 1 << row
    return found


def flipped(columns: Rows, height: int) -> Rows:
    """Turn a matrix given by its columns into one given by its rows."""
    found: Rows = [{} for _ in range(height)]
    for column, entries in enumerate(columns):
        for row, entry in entries.items():
            found[row][column] = entry
    return found


def groups(patterns: Sequence[Set]) -> list[list[int]]:
    """Group rows that have no column in common, by greedy colouring with the fullest rows first.

    Source: Curtis, Powell, Reid, 1974, IMA Journal of Applied Mathematics 13.
    """
    found: list[list[int]] = []
    covered: list[Set] = []
    for row in _fullest_first(patterns):
        if not patterns[row]:
            break
        for group, columns in enumerate(covered):
            if not columns & patterns[row]:
                found[group].append(row)
                covered[group] |= patterns[row]
                break
        else:
            found.append([row])
            covered.append(patterns[row])
    return found


def _fullest_first(patterns: Sequence[Set]) -> list[int]:
    return sorted(range(len(patterns)), key=lambda i: (-patterns[i].bit_count(), i))


def recover(patterns: Sequence[Set], rows: Iterable[list[int]], sums: Callable[[list[int]], Sequence[Any]]) -> Rows:
    """Recover the entries of a matrix, where `patterns` has them, from sums of rows that do not overlap."""
    found: Rows = [{} for _ in patterns]
    for group in rows:
        row_sum = sums(group)
        for row in group:
            found[row] = {column: row_sum[column] for column in members(patterns[row])}
    return found


def recover_symmetric(entries: Sequence[Set], sums: Callable[[list[int]], Sequence[Any]]) -> Rows:
    """Recover a symmetric matrix from sums of rows, with each entry computed once for both of its places.

    A row that is nearly full gets a sum of its own. By symmetry that gives its column too, so other rows may overlap
    there: an arrow matrix (a full row and column beside the diagonal) takes two sums. Outside a domain, or at a kink,
    `entries` may not be symmetric; an entry then also stands for its missing mirror image.
    """
    patterns = [entry | mirrored for entry, mirrored in zip(entries, transposed(entries, len(entries)), strict=True)]
    fullest = _fullest_first(patterns)
    best: tuple[list[int], list[Set], list[list[int]]] | None = None
    for size in itertools.chain([0], (2**k for k in range(len(patterns).bit_length()))):
        if best is not None and size >= len(best[0]) + len(best[2]):
            break
        full = fullest[:size]
        hidden = ~sum(1 << row for row in full)
        rest = [0 if not hidden >> row & 1 else pattern & hidden for row, pattern in enumerate(patterns)]
        rows = groups(rest)
        if best is None or len(full) + len(rows) < len(best[0]) + len(best[2]):
            best = full, rest, rows
    full, rest, rows = best or ([], [], [])
    for row in full:
        rest[row] = patterns[row]
    found: Rows = [{} for _ in patterns]
    for group in [[row] for row in full] + rows:
        row_sum = sums(group)
        for row in group:
            for column in members(rest[row]):
                if column not in found[row] and entries[row] >> column & 1:
                    found[row][column] = found[column][row] = row_sum[column]
    return found


def coordinates(rows: Rows, width: int) -> Any:
    """Return a matrix as SciPy's `coo_array`, or as `Coordinates` if SciPy is missing or the entries are nodes."""
    entries = [(i, j, row[j]) for i, row in enumerate(rows) for j in sorted(row)]
    found = Coordinates(*map(list, zip(*entries, strict=True))) if entries else Coordinates([], [], [])
    try:
        import scipy.sparse
    except ImportError:
        return found
    if any(isinstance(value, Methods) for value in found.values):
        return found
    return scipy.sparse.coo_array((found.values, (found.rows, found.columns)), shape=(len(rows), width), dtype=float)
