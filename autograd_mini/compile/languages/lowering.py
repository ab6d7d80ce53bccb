"""Lowering: exact passes that make a tape shorter to read; every result keeps its bits.

They use what is known of a register: whether it can be negative, and which conditions exclude each other.
Not here: the passes of every tape (`passes`). Read next: `compile.languages.language`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from autograd_mini.compile.passes import PASSES, Pass, Registers, Rewriting
from autograd_mini.compile.tape import COMPARISONS, CONSTANT, Instruction, Tape

_PLUS = {"abs", "cosh", "erfc", "exp", "exp2", "hypot", "ndtr", "lifted_ndtr"}  # whatever the operands are
_KEEPING = {"add", "div", "dot", "expm1", "floor", "log1p", "maximum", "minimum", "mul", "pos", "sqrt", "stop_gradient",
            "sum", "where"}  # not negative if no operand is  # fmt: skip


class Sign(NamedTuple):
    """What is known of a number, unless it is nan.

    Attributes:
        is_plus: its sign is +: it may be 0.0, but not -0.0.
        is_positive: it is above 0.
    """

    is_plus: bool
    is_positive: bool


def sign_of(instruction: Instruction, signs: Sequence[Sign]) -> Sign:
    """What is known of the result of an instruction, given the signs of the registers before it."""
    op, operands, detail = instruction
    if op == CONSTANT:
        number = float(detail or 0.0)
        is_nan = math.isnan(number)
        return Sign(is_nan or math.copysign(1.0, number) > 0.0, is_nan or number > 0.0)
    known = [signs[x] for x in (operands[1:] if op in ("where", "take") else operands)]
    are_plus, are_positive = all(x.is_plus for x in known), all(x.is_positive for x in known)
    if op == "cosh" or (op in ("add", "sum") and are_plus and any(x.is_positive for x in known)):
        return Sign(True, True)
    if op in ("where", "sqrt", "pos", "stop_gradient") and are_positive:
        return Sign(True, True)
    is_square = op == "mul" and operands[0] == operands[1]
    is_power = op == "pow" and known[0].is_plus
    return Sign(op in _PLUS or is_square or is_power or (op in _KEEPING and bool(known) and are_plus), False)


class Lowering(Rewriting):
    """A tape that is rewritten with facts about its registers.

    Attributes:
        signs: what is known of each register.
        made: for registers of the old tape the new ones.
    """

    def __init__(self) -> None:
        super().__init__([*LOWERING, *[one for one in PASSES if one.exact]])
        self.signs: list[Sign] = []
        self.made: dict[int, int] = {}

    def add(self, op: str, operands: Registers = (), detail: Any = None) -> int:
        register = super().add(op, operands, detail)
        if register == len(self.signs):
            self.signs.append(sign_of((op, operands, detail), self.signs))
        return register

    def _rewritten(self, instruction: Instruction) -> int:
        register = super()._rewritten(instruction)
        self.made[self._source] = register
        return register

    def truth(self, answer: bool) -> int:
        """A condition whose answer is known."""
        zero = self.add(CONSTANT, (), "0.0")
        return self.add("==" if answer else "!=", (zero, zero))

    def known(self, condition: int) -> bool | None:
        """The answer of a condition, if it is known."""
        op, operands, _ = self.instructions[condition]
        return op == "==" if op in ("==", "!=") and operands[0] == operands[1] and self.constant(operands[0]) == 0.0 else None

    def exclude(self, a: int, b: int) -> bool:
        """Whether two conditions never hold together: opposites, or equality with different constants."""
        (op, x, _), (other, y, _) = self.instructions[a], self.instructions[b]
        if (op == "~" and x[0] == b) or (other == "~" and y[0] == a):
            return True
        numbers = [self.constant(z) for z in (x[1:] + y[1:])] if op == other == "==" and x[0] == y[0] else []
        return None not in numbers and len({*numbers}) == 2 and not any(map(math.isnan, numbers))  # type: ignore[arg-type]

    def opposite(self, condition: int) -> int:
        """The register of ~condition."""
        op, operands, _ = self.instructions[condition]
        answer = self.known(condition)
        if answer is not None:
            return self.truth(not answer)
        return operands[0] if op == "~" else self.add("~", (condition,))


def _powers(made: Rewriting, instruction: Instruction) -> int | None:
    """x ** 2 is x * x, to the bit."""
    x, p = instruction[1]
    return made.add("mul", (x, x)) if made.constant(p) == 2.0 else None


def _signs(made: Rewriting, instruction: Instruction) -> int | None:
    """Leave out what only negative numbers need."""
    assert isinstance(made, Lowering)
    op, operands, _ = instruction
    x, other = operands[0], operands[-1]
    zero = made.constant(other) == 0.0
    match op:
        case "<" if zero and made.signs[x].is_plus:
            return made.truth(False)
        case "<=" | "==" if zero and made.signs[x].is_positive:
            return made.truth(False)
        case "abs" if made.signs[x].is_plus:
            return x
        case "add":
            for a, b in (operands, operands[::-1]):
                if made.constant(b) == 0.0 and made.signs[a].is_plus:
                    return a
    return None


def _conditions(made: Rewriting, instruction: Instruction) -> int | None:
    """Join conditions that are known, equal, or exclude each other."""
    assert isinstance(made, Lowering)
    op, operands, _ = instruction
    if op == "~":
        opposite = made.opposite(operands[0])
        return None if made.instructions[opposite] == instruction else opposite
    is_and = op == "&"
    for a, b in (operands, operands[::-1]):
        if a == b or made.known(a) is is_and:
            return b
        if made.known(a) is (not is_and):
            return a
        if is_and and made.exclude(a, b):
            return made.truth(False)
        (a_op, inner, _), (b_op, other, _) = made.instructions[a], made.instructions[b]
        if not is_and and ((a_op == "~" == b_op and made.exclude(inner[0], other[0])) or (a_op == "~" and inner[0] == b)):
            return made.truth(True)
    return None


def _nested(made: Rewriting, instruction: Instruction) -> int | None:
    """Choose once where a condition is asked twice; ask it, not its opposite."""
    condition, *arms = instruction[1]
    op, inner, _ = made.instructions[condition]
    if op == "~":
        return made.add("where", (inner[0], arms[1], arms[0]))
    for place, arm in enumerate(arms):
        op, inner, _ = made.instructions[arm]
        if op == "where" and inner[0] == condition:
            arms[place] = inner[1 + place]
            return made.add("where", (condition, *arms))
    return None


def _sums(made: Rewriting, instruction: Instruction) -> int | None:
    """Add the arms of two choices by one condition, where at most one arm of each pair is not a constant."""
    (op, a, _), (other, b, _) = (made.instructions[x] for x in instruction[1])
    if not op == other == "where" or a[0] != b[0]:
        return None
    arms = []
    for x, y in zip(a[1:], b[1:], strict=True):
        if made.constant(x) is None and made.constant(y) is None:
            return None
        neutral = [z for z in (x, y) if made.instructions[z] == (CONSTANT, (), "-0.0")]
        if not neutral:
            return None
        arms.append(y if neutral[0] == x else x)
    return made.add("where", (a[0], *arms))


def _only(*ops: str) -> frozenset[str]:
    return frozenset(ops)


LOWERING = (
    Pass("powers", True, ("x ** 2.0", "x * x"), _only("pow"), _powers),
    Pass("signs", True, ("abs(exp(x))", "exp(x)"), _only("add", "abs", *COMPARISONS), _signs),
    Pass("conditions", True, ("(x < y) & ~(x < y)", "0.0 != 0.0"), _only("&", "|", "~"), _conditions),
    Pass("nested", True, ("where(~c, x, y)", "where(c, y, x)"), _only("where"), _nested),
    Pass("sums", True, ("where(c, x, -0.0) + where(c, -0.0, y)", "where(c, x, y)"), _only("add"), _sums),
)


def lowered(tape: Tape) -> Tape:
    """The tape after these passes and all exact ones."""
    return lowered_with(tape, {})[0]


def lowered_with(tape: Tape, names: Mapping[int, str]) -> tuple[Tape, dict[int, str]]:
    """The tape after these passes and all exact ones, and the names that registers had before."""
    first, second = Lowering(), Lowering()
    result = second.run(first.run(tape))
    found: dict[int, str] = {}
    for register, name in names.items():
        new = second.made.get(first.made.get(register, -1))
        if new is not None:
            found.setdefault(new, name)
    return result, found
