"""Lowering: exact passes that make a tape shorter to read; one removes operations that only negative numbers need.

Not here: the passes of every tape (`passes`). Read next: `compile.languages.language`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from autograd_mini.compile.passes import PASSES, Pass, Rewriting, live, without_dead_code
from autograd_mini.compile.tape import COMPARISONS, CONSTANT, Instruction, Tape

_PLUS = {"abs", "cosh", "erfc", "exp", "exp2", "hypot", "ndtr", "lifted_ndtr"}  # whatever the operands are
_KEEPING = {"add", "div", "dot", "expm1", "floor", "log1p", "maximum", "minimum", "mul", "pos", "sqrt", "stop_gradient",
            "sum", "where"}  # if no operand is negative  # fmt: skip
_MEMBERS = 16  # conditions that one joins


class Sign(NamedTuple):
    """What is known about a number, unless it is nan."""

    is_plus: bool  # its sign is +: it may be 0.0, but not -0.0
    is_positive: bool  # it is above 0


def sign_of(instruction: Instruction, signs: Sequence[Sign]) -> Sign:
    """What is known about the result of an instruction, given the signs of the registers before it."""
    op, operands, detail = instruction
    if op == CONSTANT:
        number = float(detail or 0.0)
        is_nan = math.isnan(number)
        return Sign(is_nan or math.copysign(1.0, number) > 0.0, is_nan or number > 0.0)
    known = [signs[x] for x in (operands[1:] if op in ("where", "take") else operands)]
    are_plus, are_positive = all(x.is_plus for x in known), bool(known) and all(x.is_positive for x in known)
    if op == "cosh" or (op in ("add", "sum") and are_plus and any(x.is_positive for x in known)):
        return Sign(True, True)
    if op in ("where", "sqrt", "pos", "stop_gradient") and are_positive:
        return Sign(True, True)
    is_square = op == "mul" and operands[0] == operands[1]
    is_power = op == "pow" and known[0].is_plus
    return Sign(op in _PLUS or is_square or is_power or (op in _KEEPING and bool(known) and are_plus), False)


class Lowering(Rewriting):
    """A tape that is rewritten with the signs of its registers."""

    def __init__(self) -> None:
        super().__init__([SIGNS, NESTED, JOINED, *[one for one in PASSES if one.exact]])
        self.signs: list[Sign] = []
        self.made: dict[int, int] = {}  # for registers of the old tape the new ones

    def _write(self, instruction: Instruction) -> int:
        self.signs.append(sign_of(instruction, self.signs))
        return super()._write(instruction)

    def written(self, instruction: Instruction, source: int) -> int:
        register = self.made[source] = super().written(instruction, source)
        return register


def _signs(made: Rewriting, instruction: Instruction) -> int | None:
    assert isinstance(made, Lowering)
    op, operands, _ = instruction
    x, other = operands[0], operands[-1]
    is_zero = made.constant(other) == 0.0
    is_plus, is_positive = made.signs[x]
    if is_zero and ((op == "<" and is_plus) or (op in ("<=", "==") and is_positive)):
        zero = made.add(CONSTANT, (), "0.0")
        return made.add("!=", (zero, zero))  # never, also for nan
    if op == "abs" and is_plus:
        return x
    if op == "add":
        for a, b in (operands, operands[::-1]):
            if made.constant(b) == 0.0 and made.signs[a].is_plus:
                return a
    return None


def _nested(made: Rewriting, instruction: Instruction) -> int | None:
    """Choose once if a condition is tested again inside an arm."""
    condition, *arms = instruction[1]
    for place, arm in enumerate(arms):
        op, inner, _ = made.instructions[arm]
        if op == "where" and inner[0] == condition:
            arms[place] = inner[1 + place]
            return made.add("where", (condition, *arms))
    return None


def _joined(made: Rewriting, instruction: Instruction) -> int | None:
    """Leave out a condition that follows from the other: c & d & c is c & d, and c | (c & d) is c."""
    op, operands, _ = instruction
    for a, b in (operands, operands[::-1]):
        known, others = _members(made, op, a), _members(made, op, b)
        if others <= known or not known.isdisjoint(_members(made, "|" if op == "&" else "&", b)):
            return a
    return None


def _members(made: Rewriting, op: str, condition: int) -> set[int]:
    """The conditions that an operation joins to this one; the last few, so that long chains take linear time."""
    found: set[int] = set()
    waiting = [condition]
    while waiting:
        x = waiting.pop()
        inner_op, inner, _ = made.instructions[x]
        if inner_op == op and len(found) < _MEMBERS:
            waiting += inner
        else:
            found.add(x)
    return found


SIGNS = Pass("signs", True, ("abs(exp(x))", "exp(x)"), frozenset({"add", "abs", *COMPARISONS}), _signs)
NESTED = Pass("nested", True, ("where(c, x, where(c, y, z))", "where(c, x, z)"), frozenset({"where"}), _nested)

JOINED = Pass("joined", True, ("where(c & d & c, x, y)", "where(c & d, x, y)"), frozenset({"&", "|"}), _joined)


def lowered(tape: Tape) -> Tape:
    """The tape after these passes and all exact ones."""
    return lowered_with(tape, {})[0]


def lowered_with(tape: Tape, names: Mapping[int, str]) -> tuple[Tape, dict[int, str]]:
    """The tape after these passes and all exact ones, and the names that registers had before."""
    lowering = Lowering()
    made = lowering.run(tape)
    needed = live(made)
    places = [*accumulate(needed, initial=0)]
    found: dict[int, str] = {}
    for register, name in names.items():
        new = lowering.made.get(register)
        if new is not None and needed[new]:
            found.setdefault(places[new], name)
    return without_dead_code(made), found
