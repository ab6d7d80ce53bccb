"""Passes: each makes a tape shorter or cheaper, and is verified; only exact ones run by default.

Not here: what a tape is (`tape`). Read next: `compile.backends`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, compress
from typing import Any, NamedTuple

from autograd_mini.compile.tape import CONSTANT, INPUT, Instruction, Tape, TapeError, kind_of
from autograd_mini.core.row import TABLE, float_of
from autograd_mini.core.traced import RELATE

Registers = tuple[int, ...]
Rewriter = Callable[["Rewriting", Instruction], int | None]


class Pass(NamedTuple):
    """A change of a tape.

    Attributes:
        name: what it does, in a word or two.
        exact: whether every result keeps its bits, also zeros, infinities and nan.
        witness: an expression that it changes, and what it makes of it.
        ops: the operations that it looks at; empty for all that have operands.
        rewrite: for an instruction with new operands: the register that replaces it, or None to keep it.
    """

    name: str
    exact: bool
    witness: tuple[str, str]
    ops: frozenset[str]
    rewrite: Rewriter


class Rewriting:
    """A new tape that is written from an old one, instruction by instruction; equal ones are written once."""

    def __init__(self, passes: Sequence[Pass] = ()) -> None:
        self.instructions: list[Instruction] = []
        self.counts = dict.fromkeys([one.name for one in passes], 0)  # how often each pass has changed something
        self._sources: list[int] = []  # the old register that each new one was written for
        self._authors: dict[int, str] = {}  # the pass that wrote a new register
        self._known: dict[Instruction, int] = {}
        self._source = -1
        ops = (*TABLE, *RELATE)
        self._passes = {op: [one for one in passes if not one.ops or op in one.ops] for op in ops}

    def add(self, op: str, operands: Registers = (), detail: Any = None) -> int:
        """The new register of an instruction."""
        instruction = op, operands, detail
        known = self._known.get(instruction)
        if known is None:
            known = self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
            self._sources.append(self._source)
        return known

    def constant(self, register: int) -> float | None:
        """The number of a register that holds a constant, else None."""
        op, _, detail = self.instructions[register]
        return float(detail) if op == CONSTANT and isinstance(detail, str) else None

    def run(self, tape: Tape) -> Tape:
        """Rewrite a tape, leave out what no result needs, and verify the new one."""
        new: list[int] = [-1] * len(tape)
        for register, (is_needed, (op, operands, detail)) in enumerate(zip(live(tape), tape.instructions, strict=True)):
            if is_needed:
                self._source = register
                instruction = op, tuple([new[x] for x in operands]), detail
                new[register] = self._rewritten(instruction)
        outputs = tuple([new[x] for x in tape.outputs])
        places = tape.places and tuple([tape.places[source] for source in self._sources])
        made = Tape(tuple(self.instructions), tape.inputs, outputs, tape.batched, places)
        return made.verify(lambda register: self._authors.get(register, "rewriting"))

    def _rewritten(self, instruction: Instruction) -> int:
        for one in self._passes.get(instruction[0], ()):
            first = len(self.instructions)
            replaced = one.rewrite(self, instruction)
            if replaced is not None:
                last = len(self.instructions)
                self.counts[one.name] += 1
                self._authors |= dict.fromkeys(range(first, last), f"the pass {one.name!r}")
                kind = kind_of(instruction[0])
                if not (0 <= replaced < last and kind_of(self.instructions[replaced][0]) == kind):
                    raise TapeError(
                        f"The pass {one.name!r} replaced {instruction} by register {replaced}, which is not a {kind}."
                    )
                return replaced
        return self.add(*instruction)


def live(tape: Tape) -> list[bool]:
    """Whether a result depends on each register; inputs always count."""
    needed = [op == INPUT for op, _, _ in tape.instructions]
    for output in tape.outputs:
        needed[output] = True
    for register in range(len(tape) - 1, -1, -1):
        if needed[register]:
            for operand in tape.instructions[register][1]:
                needed[operand] = True
    return needed


def _constants(made: Rewriting, instruction: Instruction) -> int | None:
    """Compute an operation of constants now."""
    op, operands, _ = instruction
    numbers = []
    for x in operands:
        number = made.constant(x)
        if number is None:
            return None
        numbers.append(number)
    row = TABLE[op]
    return made.add(CONSTANT, (), repr(float_of(row, row.function(*numbers))))


def _choices(made: Rewriting, instruction: Instruction) -> int | None:
    """Choose an arm whose condition compares constants."""
    condition, a, b = instruction[1]
    if a == b:
        return a
    op, compared, _ = made.instructions[condition]
    numbers = [made.constant(x) for x in compared]
    if op not in RELATE or op in "&|~" or None in numbers:
        return None
    return a if RELATE[op](*numbers) else b


def _identities(made: Rewriting, instruction: Instruction) -> int | None:
    """Leave out what returns its operand, bit for bit, such as x + -0.0, x * 1.0, --x, c & c; a + -b is a - b."""
    op, operands, _ = instruction
    match op:
        case "pos" | "stop_gradient" | "defined":
            return operands[0]
        case "neg" | "~":
            inner = made.instructions[operands[0]]
            return inner[1][0] if inner[0] == op else None
        case "add" | "mul":
            neutral = "-0.0" if op == "add" else "1.0"
            for x, other in (operands, operands[::-1]):
                known = made.instructions[other]
                if known == (CONSTANT, (), neutral):
                    return x
                if op == "mul" and known == (CONSTANT, (), "-1.0"):
                    return made.add("neg", (x,))
                if op == "add" and known[0] == "neg":
                    return made.add("sub", (x, known[1][0]))
        case "pow":
            if made.instructions[operands[1]] == (CONSTANT, (), "2.0"):
                return made.add("mul", (operands[0], operands[0]))
        case "&" | "|":
            if operands[0] == operands[1]:
                return operands[0]
        case "sub" | "div":
            if made.instructions[operands[1]] == (CONSTANT, (), "0.0" if op == "sub" else "1.0"):
                return operands[0]
    return None


def _arms(made: Rewriting, instruction: Instruction) -> int | None:
    """Compute a function once, of the arm that is taken, if both arms differ in one operand only."""
    condition, *arms = instruction[1]
    (op, one, _), (other_op, other, _) = (made.instructions[arm] for arm in arms)
    if op != other_op or op not in TABLE or op == "where" or len(one) != len(other):
        return None
    differ = [i for i, (x, y) in enumerate(zip(one, other, strict=True)) if x != y]
    if len(differ) != 1:
        return None
    operands, i = list(one), differ[0]
    operands[i] = made.add("where", (condition, one[i], other[i]))
    return made.add(op, tuple(operands))


def _only(*ops: str) -> frozenset[str]:
    return frozenset(ops)


_IDENTITIES = "pos", "stop_gradient", "defined", "neg", "~", "&", "|", "add", "mul", "sub", "div", "pow"
PASSES = (
    Pass("identities", True, ("x * 1.0", "x"), frozenset(_IDENTITIES), _identities),
    Pass("constants", True, ("exp(0.0) + x", "1.0 + x"), frozenset(TABLE) - {"where"}, _constants),
    Pass("choices", True, ("where(1.0 < 2.0, x, y)", "x"), _only("where"), _choices),
    Pass("arms", True, ("where(c, exp(x), exp(y))", "exp(where(c, x, y))"), _only("where"), _arms),
)  # fmt: skip


def optimized(tape: Tape) -> tuple[Tape, dict[str, int]]:
    """The tape after all exact passes, and how often each has changed something; then dead code is left out."""
    rewriting = Rewriting([one for one in PASSES if one.exact])
    return without_dead_code(rewriting.run(tape)), rewriting.counts


def without_dead_code(tape: Tape) -> Tape:
    """The tape without instructions that no result needs."""
    needed = live(tape)
    if all(needed):
        return tape
    new = [*accumulate(needed, initial=0)]
    instructions = [
        (op, tuple([new[x] for x in operands]), detail)
        for (op, operands, detail), is_needed in zip(tape.instructions, needed, strict=True)
        if is_needed
    ]
    places = tuple(compress(tape.places, needed))
    outputs = tuple([new[x] for x in tape.outputs])
    return Tape(tuple(instructions), tape.inputs, outputs, tape.batched, places).verify(
        lambda _: "leaving out dead code"
    )
