"""The tape: a recorded function as a flat list of instructions, each of which computes one register.

Not here: what writes tapes (`tracing`), changes them (`passes`) and runs them (`backends`).
Read next: `compile.passes`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import RELATE
from autograd_mini.errors import AutogradError, counted
from autograd_mini.notation.spelling import PYTHON, Spelling, spelling_of
from autograd_mini.notation.text import elided
from autograd_mini.program.source import located

INPUT, CONSTANT = "input", "constant"
JOINS = ("&", "|", "~")  # conditions in, a condition out
COMPARISONS = tuple(symbol for symbol in RELATE if symbol not in JOINS)  # numbers in, a condition out
NUMBER, CONDITION = "number", "condition"
_LONGEST = 60  # characters of an expression in the text of a tape


# (op, operands, detail): the name of a row of the table, a comparison, a join of conditions, "input" or "constant"; the
# registers that it reads; the position of an input, or the `repr` of a constant, because -0.0 == 0.0 and nan != nan.
# An instruction computes the register whose number is its place on the tape. Plain tuples: the collector ignores them.
Instruction = tuple[str, tuple[int, ...], int | str | None]


class Place(NamedTuple):
    """Where in the user's program an operation was written."""

    file: str
    line: int
    expression: str


class TapeError(AutogradError, AssertionError):
    """A tape that is not well formed: a bug in this package; the message names the pass and the instruction."""


@dataclass(frozen=True)
class Tape:
    """A function as instructions; equal tapes compute the same, bit for bit.

    Attributes:
        instructions: each reads registers before its own.
        inputs: the names of the inputs, such as "w[0]".
        outputs: the registers of the results.
        batched: which inputs have one number per sample of a batch.
        places: where the user wrote each instruction, None if nowhere.
    """

    instructions: tuple[Instruction, ...]
    inputs: tuple[str, ...]
    outputs: tuple[int, ...]
    batched: tuple[bool, ...] = ()
    places: tuple[Place | None, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.instructions)

    def verify(self, author: Callable[[int], str] = lambda register: "tracing") -> Tape:
        """Return the tape itself if it is well formed.

        Args:
            author: says what wrote a register, such as a pass.

        Raises:
            TapeError: an instruction is unknown, reads a later register, or has operands of a wrong type.
        """
        conditions: set[int] = set()  # the registers that hold one
        for register, instruction in enumerate(self.instructions):
            op, operands, _ = instruction
            if op in _ARITHMETIC and len(operands) == _ARITHMETIC[op]:  # nearly all instructions: in one loop
                for x in operands:
                    if not 0 <= x < register or x in conditions:
                        break
                else:
                    continue
            fault = _fault(instruction, register, conditions, len(self.inputs))
            if fault is not None:
                raise TapeError(f"After {author(register)}, register {register} of the tape, {instruction}, {fault}.")
            if op in RELATE:
                conditions.add(register)
        for output in self.outputs:
            if not 0 <= output < len(self) or output in conditions:
                raise TapeError(f"After {author(output)}, the tape returns register {output}, which is not a number.")
        return self

    @property
    def names(self) -> list[str]:
        """The name of each register in the text: that of an input, a constant as it is, v3 for any other."""
        return [
            self.inputs[detail]
            if op == INPUT and isinstance(detail, int)
            else str(detail)
            if op == CONSTANT
            else f"v{i}"
            for i, (op, _, detail) in enumerate(self.instructions)
        ]

    def lines(self) -> Iterator[tuple[str, Place | None]]:
        """Yield the text of each instruction that computes something, and its place."""
        names = self.names
        places = self.places or (None,) * len(self)
        for name, instruction, place in zip(names, self.instructions, places, strict=True):
            op, operands, _ = instruction
            if op not in (INPUT, CONSTANT):
                yield f"{name} = {spelled(op, [names[x] for x in operands])}", place

    def __str__(self) -> str:
        lines = [*self.lines()]
        width = min(max((len(text) for text, _ in lines), default=0), 60)
        names = self.names
        head = f"inputs {', '.join(self.inputs)}" if self.inputs else "no inputs"
        files = {place.file for place in self.places if place is not None}
        body = [
            f"{text:{width}}  # {elided(place.expression, _LONGEST)}  ({_line(place, len(files) > 1)})"
            if place and place.expression
            else text
            for text, place in lines
        ]
        return "\n".join([head, *body, f"return {', '.join(names[output] for output in self.outputs)}"])

    def __repr__(self) -> str:
        return f"<tape of {counted(len(self), 'instruction')}, {counted(len(self.inputs), 'input')}>"


def _line(place: Place, is_one_of_several: bool) -> str:
    return located(os.path.basename(place.file), place.line) if is_one_of_several else f"line {place.line}"


def kind_of(op: str) -> str:
    """The type of what an operation computes."""
    return CONDITION if op in RELATE else NUMBER


def _fault(instruction: Instruction, register: int, conditions: Collection[int], inputs: int) -> str | None:
    """What is wrong with the instruction of a register, given the conditions before it; None if nothing is."""
    op, operands, detail = instruction
    if op in _READS:
        arity, kind, others = _READS[op]
        if arity is not None and len(operands) != arity:
            return f"has {counted(len(operands), 'operand')} instead of {arity}"
        for operand in operands:
            if not 0 <= operand < register:
                return "reads a register that is not computed before it"
            if (operand in conditions) != (kind == CONDITION):
                return "reads an operand of the wrong type"
            kind = others
        return None
    if op == INPUT:
        known = isinstance(detail, int) and 0 <= detail < inputs and not operands
        return None if known else "is not an input of the tape"
    if op == CONSTANT:
        return None if isinstance(detail, str) and not operands else "is not a constant"
    return "has an unknown operation"


# For each operation: how many operands it reads (None for any number), and the types of the first and of the others.
_READS: dict[str, tuple[int | None, str, str]] = {
    **{name: (row.arity, CONDITION if name == "where" else NUMBER, NUMBER) for name, row in TABLE.items()},
    **dict.fromkeys(COMPARISONS, (2, NUMBER, NUMBER)),
    **{op: (1 if op == "~" else 2, CONDITION, CONDITION) for op in JOINS},
}

_ARITHMETIC = {op: arity for op, (arity, kind, _) in _READS.items() if kind == NUMBER and op not in RELATE}

# What a tape can have besides inputs and constants: never a user's row, which is written in other rows.
COMPUTED = _READS.keys() - {row.name for row in TABLE.values() if row.is_users} - {"flat", "slope_at_kink"}


def spelled(op: str, operands: Sequence[str]) -> str:
    """The text of an instruction, given the texts of its operands."""
    if op in TABLE:
        return spelling_of(TABLE[op], tuple(operands)).text(operands, PYTHON, most=12)
    return Spelling("infix" if len(operands) > 1 else "prefix", op, tuple(operands)).text(operands, PYTHON)
