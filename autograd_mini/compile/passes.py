"""Passes: each makes a tape shorter or cheaper, and is verified; only exact ones run by default.

Not here: what a tape is (`tape`). Read next: `compile.tracing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, compress
from typing import Any, NamedTuple

from autograd_mini.compile.tape import CONSTANT, INPUT, Instruction, Place, Tape, TapeError, kind_of
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
    """A tape that is being written through passes, instruction by instruction; equal ones are written once.

    Attributes:
        instructions: what has been written so far.
        sources: for each, the number of the place or of the old register that it was written for.
        counts: how often each pass has changed something.
    """

    def __init__(self, passes: Sequence[Pass] = (), author: str = "rewriting") -> None:
        self.instructions: list[Instruction] = []
        self.counts = dict.fromkeys([one.name for one in passes], 0)
        self.sources: list[int] = []
        self._source = -1
        self._author = author
        self._authors: dict[int, str] = {}  # the pass that wrote a register
        self.known: dict[Instruction, int] = {}  # the register of what is written, or was replaced
        self._passes: dict[str, list[Pass]] = {}
        for one in passes:
            for op in one.ops or (*TABLE, *RELATE):
                self._passes.setdefault(op, []).append(one)

    def add(self, op: str, operands: Registers = (), detail: Any = None) -> int:
        """The register of an instruction, which is written if it is new."""
        instruction = op, operands, detail
        known = self.known.get(instruction)
        if known is None:
            known = self.known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
            self.sources.append(self._source)
        return known

    def constant(self, register: int) -> float | None:
        """The number of a register that holds a constant, else None."""
        op, _, detail = self.instructions[register]
        return float(detail) if op == CONSTANT and isinstance(detail, str) else None

    def written(self, instruction: Instruction, source: int) -> int:
        """The register that computes an instruction, after the first pass that replaces it, written for a source."""
        self._source = source
        for one in self._passes.get(instruction[0], ()):
            first = len(self.instructions)
            replaced = one.rewrite(self, instruction)
            if replaced is not None:
                last = len(self.instructions)
                self.counts[one.name] += 1
                for register in range(first, last):
                    self._authors[register] = f"the pass {one.name!r}"
                kind = kind_of(instruction[0])
                if not (0 <= replaced < last and kind_of(self.instructions[replaced][0]) == kind):
                    raise TapeError(
                        f"The pass {one.name!r} replaced {instruction} by register {replaced}, which is not a {kind}."
                    )
                self.known[instruction] = replaced
                return replaced
        return self.add(*instruction)

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

    def tape(
        self,
        inputs: tuple[str, ...],
        outputs: Registers,
        batched: tuple[bool, ...],
        places: Sequence[Place | None],
    ) -> Tape:
        """What has been written, verified; the places are those of the sources."""
        found = tuple(map(places.__getitem__, self.sources)) if places else ()
        made = Tape(tuple(self.instructions), inputs, outputs, batched, found)
        return made.verify(lambda register: self._authors.get(register, self._author))


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
    if operands and made.instructions[operands[0]][0] != CONSTANT:  # as usual
        return None
    numbers = [made.constant(x) for x in operands]
    row = TABLE[op]
    return None if None in numbers else made.add(CONSTANT, (), repr(float_of(row, row.function(*numbers))))


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
    if op in _SAME:
        return operands[0]
    x, y = operands[0], operands[-1]
    first, last = made.instructions[x], made.instructions[y]
    if op == first[0] and op in ("neg", "~"):
        return first[1][0]
    if op in ("add", "mul") and (first[0] == CONSTANT or first[0] == "neg" != last[0]):
        x, y, first, last = y, x, last, first  # the order of both does not matter
    if last[0] == CONSTANT:
        number = last[2]
        if number == _NEUTRAL.get(op):
            return x
        if number == "-1.0" and op == "mul":
            return made.add("neg", (x,))
        if number == "2.0" and op == "pow":
            return made.add("mul", (x, x))
    elif last[0] == "neg" and op == "add":
        return made.add("sub", (x, last[1][0]))
    return x if x == y and op in ("&", "|") else None


_SAME = frozenset({"pos", "stop_gradient", "defined"})
_NEUTRAL = {"add": "-0.0", "mul": "1.0", "sub": "0.0", "div": "1.0"}


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
