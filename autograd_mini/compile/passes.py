"""Passes: each makes a tape shorter or cheaper, and is verified; only exact ones run by default.

Not here: what a tape is (`tape`). Read next: `compile.tracing`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, NUMBER, Instruction, Place, Tape, TapeError
from autograd_mini.core.row import TABLE, float_of
from autograd_mini.core.traced import RELATE

Registers = tuple[int, ...]
Places = Sequence[Place | None]
Rewriter = Callable[["Rewriting", Instruction], int | None]


class Pass(NamedTuple):
    """A change of a tape.

    Attributes:
        name: what it does, in a word or two.
        exact: whether every result keeps its bits, also zeros, infinities and nan.
        witness: an expression that it changes, and the result.
        ops: the operations that it looks at; empty for all that have operands.
        rewrite: for an instruction with new operands: the register that replaces it, or None to keep it.
        needs: operations, one of which has to compute an operand; empty for any operands.
    """

    name: str
    exact: bool
    witness: tuple[str, str]
    ops: frozenset[str]
    rewrite: Rewriter
    needs: frozenset[str] = frozenset()


class Rewriting:
    """A tape that is being written through passes, instruction by instruction; equal ones are written once.

    Attributes:
        instructions: what has been written so far.
        sources: for each, the number of the place or of the old register that it was written for.
        constants: the numbers of registers that hold one.
        counts: how often each pass has changed something.
    """

    def __init__(self, passes: Sequence[Pass] = (), author: str = "rewriting") -> None:
        self.instructions: list[Instruction] = []
        self.constants: dict[int, float] = {}
        self.counts = dict.fromkeys([one.name for one in passes], 0)
        self.sources: list[int] = []
        self._source = -1
        self._author = author
        self._authors: dict[int, str] = {}  # the pass that wrote a register
        self.known: dict[Instruction, int] = {}  # the register of what is written, or was replaced
        self._needs = {op for one in passes for op in one.needs}
        self._needed: set[int] = set()  # the registers that they compute
        self._after_any, self._after_needed = _by_operation(passes, False), _by_operation(passes, True)

    def add(self, op: str, operands: Registers = (), detail: Any = None) -> int:
        """The register of an instruction, which is written if it is new."""
        instruction = op, operands, detail
        known = self.known.get(instruction)
        return self._write(instruction) if known is None else known

    def _write(self, instruction: Instruction) -> int:
        register = self.known[instruction] = len(self.instructions)
        self.instructions.append(instruction)
        self.sources.append(self._source)
        op, _, detail = instruction
        if op in self._needs:
            self._needed.add(register)
        if op == CONSTANT:
            self.constants[register] = float(detail or 0)
        return register

    def constant(self, register: int) -> float | None:
        """The number of a register that holds a constant, else None."""
        return self.constants.get(register)

    def written(self, instruction: Instruction, source: int) -> int:
        """The register that computes an instruction, after the first pass that replaces it, written for a source."""
        known = self.known.get(instruction)
        return self.rewritten(instruction, source) if known is None else known

    def rewritten(self, instruction: Instruction, source: int) -> int:
        """The same for an instruction that has not been asked for before."""
        self._source = source
        op, operands, _ = instruction
        first = len(self.instructions)
        for one in (self._after_any if self._needed.isdisjoint(operands) else self._after_needed).get(op, ()):
            replaced = one.rewrite(self, instruction)
            if replaced is not None:
                self._note(one, instruction, first, replaced)
                return replaced
        return self._write(instruction)

    def _note(self, one: Pass, instruction: Instruction, first: int, replaced: int) -> None:
        """Note what a pass has made of an instruction: one of the registers, those from the first on by itself."""
        self.counts[one.name] += 1
        self.known[instruction] = replaced
        last = len(self.instructions)
        if last > first:
            self._authors.update(dict.fromkeys(range(first, last), f"the pass {one.name!r}"))
        is_condition = instruction[0] in RELATE
        if not (0 <= replaced < last and (self.instructions[replaced][0] in RELATE) is is_condition):
            kind = CONDITION if is_condition else NUMBER
            raise TapeError(
                f"The pass {one.name!r} replaced {instruction} by register {replaced}, which is not a {kind}."
            )

    @property
    def asked(self) -> int:
        """How many different instructions there would be without the passes."""
        return len(self.instructions) - len(self._authors) + sum(self.counts.values())

    def run(self, tape: Tape) -> Tape:
        """Rewrite a tape, leave out what no result needs, and verify the new one."""
        new: list[int] = [-1] * len(tape)
        for register, (is_needed, (op, operands, detail)) in enumerate(zip(live(tape), tape.instructions, strict=True)):
            if is_needed:
                new[register] = self.written((op, tuple([new[x] for x in operands]), detail), register)
        return self.tape(tape.inputs, tuple([new[x] for x in tape.outputs]), tape.batched, tape.places)

    def tape(self, inputs: tuple[str, ...], outputs: Registers, batched: tuple[bool, ...], places: Places) -> Tape:
        """What has been written, verified; the places are those of the sources."""
        found = tuple(map(places.__getitem__, self.sources)) if places else ()
        made = Tape(tuple(self.instructions), inputs, outputs, batched, found)
        return made.verify(lambda register: self._authors.get(register, self._author))


def _by_operation(passes: Sequence[Pass], after_needed: bool) -> dict[str, list[Pass]]:
    """The passes that look at each operation, if what they need computes one of its operands, or if not."""
    found: dict[str, list[Pass]] = {}
    for one in passes:
        for op in (one.ops or (*TABLE, *RELATE)) if after_needed or not one.needs else ():
            found.setdefault(op, []).append(one)
    return found


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
    if not all(map(made.constants.__contains__, operands)):
        return None
    row = TABLE[op]
    return made.add(CONSTANT, (), repr(float_of(row, row.function(*map(made.constants.get, operands)))))


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


def _copies(made: Rewriting, instruction: Instruction) -> int | None:
    """Leave out what returns its operand, whatever it is: pos(x), --x, c & c."""
    op, operands, _ = instruction
    if op in ("&", "|"):
        return operands[0] if operands[0] == operands[1] else None
    if op not in ("neg", "~"):
        return operands[0]
    inner, behind, _ = made.instructions[operands[0]]
    return behind[0] if inner == op else None


def _identities(made: Rewriting, instruction: Instruction) -> int | None:
    """Leave out what a constant does not change, bit for bit, such as x + -0.0; a + -b is a - b."""
    op, (a, b), _ = instruction
    for x, other in ((a, b), (b, a)) if op in ("add", "mul") else ((a, b),):
        kind, behind, number = made.instructions[other]
        if kind == "neg" and op == "add":
            return made.add("sub", (x, behind[0]))
        if kind == CONSTANT:
            if number == _NEUTRAL.get(op):
                return x
            if (op, number) == ("mul", "-1.0"):
                return made.add("neg", (x,))
            if (op, number) == ("pow", "2.0"):
                return made.add("mul", (x, x))
    return None


_NEUTRAL = {"add": "-0.0", "mul": "1.0", "sub": "0.0", "div": "1.0"}


def _arms(made: Rewriting, instruction: Instruction) -> int | None:
    """Compute a function once, on the arm that is taken, if both arms differ in one operand only."""
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


_COPIES = "pos", "stop_gradient", "defined", "neg", "~", "&", "|"
PASSES = (
    Pass("copies", True, ("--x", "x"), _only(*_COPIES), _copies),
    Pass("identities", True, ("x * 1.0", "x"), _only(*_NEUTRAL, "pow"), _identities, _only(CONSTANT, "neg")),
    Pass("constants", True, ("exp(0.0) + x", "1.0 + x"), _only(*TABLE) - {"where"}, _constants, _only(CONSTANT)),
    Pass("choices", True, ("where(1.0 < 2.0, x, y)", "x"), _only("where"), _choices),
    Pass("arms", True, ("where(c, exp(x), exp(y))", "exp(where(c, x, y))"), _only("where"), _arms),
)
EXACT = [one for one in PASSES if one.exact]


def optimized(tape: Tape) -> tuple[Tape, dict[str, int]]:
    """The tape after all exact passes, and how often each has changed something; then dead code is left out."""
    rewriting = Rewriting(EXACT)
    return without_dead_code(rewriting.run(tape)), rewriting.counts


def without_dead_code(tape: Tape) -> Tape:
    """The tape without instructions that no result needs."""
    needed = live(tape)
    if all(needed):
        return tape
    new = [*itertools.accumulate(needed, initial=0)]
    instructions = [
        (op, tuple([new[x] for x in operands]), detail)
        for (op, operands, detail), is_needed in zip(tape.instructions, needed, strict=True)
        if is_needed
    ]
    places = tuple(itertools.compress(tape.places, needed))
    outputs = tuple([new[x] for x in tape.outputs])
    return Tape(tuple(instructions), tape.inputs, outputs, tape.batched, places).verify(
        lambda _: "leaving out dead code"
    )
