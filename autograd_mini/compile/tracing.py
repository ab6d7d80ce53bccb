"""Tracing: run a function once on registers in place of numbers, and keep what it computes as a tape.

A register is one more kind of number that the table interprets, so rules write derivatives onto the same tape.
Not here: the structure of arguments (`compiled`). Read next: `compile.expansions`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, NoReturn

from autograd_mini.compile.passes import Pass, Rewriting
from autograd_mini.compile.tape import (
    CONDITION,
    CONSTANT,
    INPUT,
    JOINS,
    Instruction,
    Place,
    Tape,
    kind_of,
    spelled,
)
from autograd_mini.core.methods import Methods
from autograd_mini.core.row import FLAT, TABLE, Primitive, float_of, interpreters
from autograd_mini.core.traced import Condition, Traced, Unrecorded, relations, resolved
from autograd_mini.core.traced import tape as active
from autograd_mini.errors import TraceError
from autograd_mini.program.owner import FOLDER
from autograd_mini.program.source import Site

_new = object.__new__
_NOWHERE = -1  # the number of no place

# How many frames of this package there are at least between a place in the user's program and the question for it:
# if operations of traced numbers are written there, and if operations of registers are.
_OF_TRACED, _OF_REGISTERS = 6, 3

# Rows that are, or whose rules return, `FLAT`; and `where`, whose answer may be known.
_SPECIAL = {"flat", "slope_at_kink", "pow", "power_term", "xlogy", "where"}
_SPECIAL |= {row.name for row in TABLE.values() if row.curvature != row.curvature}


class Register(Unrecorded):
    """A number or a condition of a tape that is being written; its data are itself.

    A slope can be `FLAT`, perhaps behind a condition: `flat` says when. Whatever it is multiplied by, it stays the zero
    that changes no sum, which is -0.0 on the tape, and 0.0 in a result.
    """

    __slots__ = ("builder", "flat", "index")

    def __init__(self, builder: Builder, index: int, flat: Register | bool = False) -> None:
        self.builder, self.index, self.flat = builder, index, flat

    @property
    def _data(self) -> Register:
        return self

    @property
    def nothing(self) -> float | None:
        """A zero that changes no sum; None where sums may be `FLAT`, and have to stay that."""
        return None if self.builder.may_be_flat else -0.0

    def __repr__(self) -> str:
        op, operands, _ = self.builder.writing.instructions[self.index]
        names = [self.builder.name_of(x) for x in operands]
        return spelled(op, names) if kind_of(op) == CONDITION else self.builder.name_of(self.index)


class Builder:
    """A tape that is being written, through passes; equal instructions are written once.

    Args:
        caller: a frame outside of the traced function; None to remember no places.
        passes: what changes instructions before they are written.
    """

    def __init__(self, caller: FrameType | None = None, passes: Sequence[Pass] = ()) -> None:
        while caller is not None and _is_own(caller):
            caller = caller.f_back
        self._inputs: list[str] = []
        self._batched: list[bool] = []
        self.writing = Rewriting(passes, "tracing")
        self._known = self.writing.known
        self._registers: list[Register] = []  # one for each instruction: equal numbers are the same object
        self._constants: dict[float | str, Register] = {}  # zeros by their text: 0.0 == -0.0
        self._caller = caller
        self.derivatives = 0  # how many derivatives are being recorded
        self.may_be_flat = False  # does the tape hold an operation whose rule returns `FLAT`?
        self._numbers: dict[tuple[int, int], int] = {}  # of places, by the code and the instruction in it
        self._places: list[tuple[CodeType, int]] = []
        self._place_of_sweep: int | None = None  # while one is running
        self._nearest = _OF_TRACED  # the frame that may be the user's; all nearer ones are this package's
        self.sites: dict[Place, Site] = {}  # of the places on the tape, which can be pickled, as sites cannot

    def input(self, name: str, batched: bool = False) -> Register:
        """Add an input, which has one number per sample if it is batched."""
        self._inputs.append(name)
        self._batched.append(batched)
        return self.add(INPUT, (), len(self._inputs) - 1)

    def constant(self, number: float) -> Register:
        """The register of a constant."""
        key = number or repr(float(number))
        register = self._constants.get(key)
        if register is None:
            register = self._constants[key] = self.add(CONSTANT, (), repr(float(number)))
        return register

    def add(self, op: str, operands: tuple[Register, ...] = (), detail: int | str | None = None) -> Register:
        """The register of an instruction, which is written if it is new."""
        return self.written((op, tuple([x.index for x in operands]), detail))

    def written(self, instruction: Instruction) -> Register:
        """The register of an instruction, which is written if it is new."""
        registers, index = self._registers, self._known.get(instruction)
        if index is not None:
            return registers[index]
        place = self._place_of_sweep
        if place is None:
            place = self._place() if instruction[1] else _NOWHERE
        index = self.writing.rewritten(instruction, place)
        while index >= len(registers):  # passes write others, too
            register = _new(Register)  # a call of the class takes twice the time
            register.builder, register.index, register.flat = self, len(registers), False
            registers.append(register)
        return registers[index]

    def close(self) -> None:
        """Stop writing: using a number that the function has kept from the trace is an error from now on."""
        self._known = _Closed()  # rather than a check at every instruction
        self._constants = {}
        self._registers = []  # they refer to the builder: the collector would have to find the cycle

    def tape(self, outputs: Sequence[Any]) -> Tape:
        """The tape that returns these numbers."""
        results = [self.register_of(resolved(x)) for x in outputs]
        registers = tuple([self._where(x.flat, self.constant(0.0), x).index for x in results])
        sites = [Site(*place) for place in self._places]
        places = [Place(site.file, site.line, site.expression) for site in sites]
        self.sites = dict(zip(places, sites, strict=True))
        return self.writing.tape(tuple(self._inputs), registers, tuple(self._batched), [*places, None])

    def name_of(self, register: int) -> str:
        """What messages call a register: the name of an input, a constant, or v3 for any other."""
        op, _, detail = self.writing.instructions[register]
        return self._inputs[int(str(detail))] if op == INPUT else str(detail) if op == CONSTANT else f"v{register}"

    def place_of(self, register: Register) -> tuple[CodeType, int] | None:
        """Where in the traced function a register was computed: the code, and the instruction in it."""
        number = self.writing.sources[register.index]
        return None if number == _NOWHERE else self._places[number]

    def register_of(self, operand: Any) -> Register:
        """An operand as a register of this tape."""
        if type(operand) is float:
            return self.constant(operand)
        if isinstance(operand, (Unrecorded, Condition)):
            operand = operand.data
        if operand is FLAT:
            return Register(self, self.constant(-0.0).index, True)  # to add -0.0 changes no bit
        if type(operand) is not Register:
            return self.constant(operand)
        if operand.builder is not self:
            raise _kept()
        return operand

    def _place(self) -> int:
        """The number of the innermost place in the traced function that is not in this package."""
        if self._place_of_sweep is not None:
            return self._place_of_sweep
        if self._caller is None:
            return _NOWHERE
        frame: FrameType | None = sys._getframe(self._nearest)
        while frame is not None and frame.f_code.co_filename.startswith(FOLDER):
            frame = frame.f_back
        if frame is None or frame is self._caller:
            return _NOWHERE
        key = id(frame.f_code), frame.f_lasti
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._places)
            self._places.append((frame.f_code, frame.f_lasti))
        return number

    def in_one_place(self, work: Callable[..., object], *args: Any) -> None:
        """Do work all of whose instructions belong to this place: a sweep is called once, from deep inside."""
        before, self._place_of_sweep = self._place_of_sweep, self._place()
        try:
            work(*args)
        finally:
            self._place_of_sweep = before

    # -- operations ----------------------------------------------------------------------------------------------------

    def compute(self, row: Primitive, operands: tuple[Any, ...]) -> Register:
        """The register of an operation of the table; no language needs to know about `FLAT`."""
        name = row.name
        if name in _SPECIAL:
            if name == "where":
                condition, a, b = [x.data if isinstance(x, Condition) else x for x in operands]
                if isinstance(condition, (bool, float)):  # the answer was known already
                    return self.register_of(a if condition else b)
                condition = self.register_of(condition)
                if kind_of(self.writing.instructions[condition.index][0]) != CONDITION:
                    condition = self.add("!=", (condition, self.constant(0.0)))
                operands = condition, a, b
            self.may_be_flat = self.may_be_flat or name != "where"
            if name in ("flat", "slope_at_kink"):
                return self.register_of(FLAT)
        registers = tuple([self.register_of(x) for x in operands])
        if row.is_users:
            return self._in_simpler_rows(row, registers)
        if all(x.flat is False for x in registers):
            return self.add(name, registers)
        flat: Register | bool = False
        match name, registers:
            case "where", (condition, a, b):
                result = self.add("where", registers)
                flat = self._either(self._both(condition, a.flat), self._both(self._not(condition), b.flat))
            case "neg", (x,):
                result, flat = self._where(x.flat, self.constant(-0.0), self.add("neg", registers)), x.flat
            case "mul", (a, b):
                flat = self._either(a.flat, b.flat)
                result = self._where(flat, self.constant(-0.0), self.add("mul", registers))
            case "add", (a, b):
                result, flat = self.add("add", registers), self._both(a.flat, b.flat)
            case _:  # where it is no longer a slope, it is the number 0.0
                result = self.add(name, tuple([self._where(x.flat, self.constant(0.0), x) for x in registers]))
        return Register(self, result.index, flat)

    def _in_simpler_rows(self, row: Primitive, registers: tuple[Register, ...]) -> Register:
        """The user's function, run on registers: it is a decomposition if it uses only what this package knows."""
        before, self._nearest = self._nearest, _OF_REGISTERS
        try:
            result = row.function(*registers)
        except Exception as error:  # the user's code is made for floats and may raise anything
            what = str(error).partition("\n")[0]
            raise TraceError(
                f"The operation {row.name!r} cannot be compiled: its function takes floats only "
                f"({type(error).__name__}: {what}).",
                "Write it with this package's functions (am.exp, not math.exp), which take registers too.",
            ) from error
        finally:
            self._nearest = before
        return self.register_of(result if isinstance(result, Unrecorded) else float_of(row, result))

    def _where(self, condition: Register | bool, a: Register, b: Register) -> Register:
        return (a if condition else b) if isinstance(condition, bool) else self.add("where", (condition, a, b))

    def _not(self, condition: Register | bool) -> Register | bool:
        return not condition if isinstance(condition, bool) else self.add("~", (condition,))

    def _both(self, a: Register | bool, b: Register | bool) -> Register | bool:
        if isinstance(a, bool):
            return b if a else False
        return (a if b else False) if isinstance(b, bool) else self.add("&", (a, b))

    def _either(self, a: Register | bool, b: Register | bool) -> Register | bool:
        if isinstance(a, bool):
            return True if a else b
        return (True if b else a) if isinstance(b, bool) else self.add("|", (a, b))

    def relate(self, symbol: str, operands: Sequence[Any]) -> Register | bool:
        """The register of a comparison, or of a join of conditions, some of which may be known."""
        operands = [x if isinstance(x, bool) else self.register_of(x) for x in operands]
        if symbol not in JOINS:
            return self.add(symbol, tuple(operands))
        if symbol == "~":
            return self._not(operands[0])
        return (self._both if symbol == "&" else self._either)(*operands)


class _Closed(dict[Any, Any]):
    """The instructions of a tape that is no longer written: looking for one is an error."""

    def get(self, *key: Any) -> NoReturn:
        raise _kept()


def _kept() -> TraceError:
    return TraceError(
        "A number was kept from an earlier trace, or from another thread's.",
        "Return it from the traced function, or pass it as an argument.",
    )


def _is_own(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(FOLDER)


def _computed(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The interpreter of registers."""
    first, indices = operands[0], []
    builder = first.builder if type(first) is Register else _builder_of(operands)
    if row.is_users or row.name in _SPECIAL:
        return _in_general(builder, row, operands)
    for x in operands:
        if type(x) is float:
            x = builder.constant(x)
        if type(x) is not Register or x.flat is not False or x.builder is not builder:
            return _in_general(builder, row, operands)
        indices.append(x.index)
    return builder.written((row.name, tuple(indices), None))


def _in_general(builder: Builder, row: Primitive, operands: tuple[Any, ...]) -> Any:
    """The result of any operation; a number with a graph that meets the data of another one keeps its graph."""
    for x in operands:
        if type(x) is Traced or (isinstance(x, Methods) and x.contains_others):
            first, *others = operands
            if row.name == "where" and isinstance(first, Register):
                operands = (first != 0.0, *others)
            return interpreters[type(x)](row, operands)
    return builder.compute(row, operands)


def _builder_of(operands: tuple[Any, ...]) -> Builder:
    for x in operands:
        if type(x) is Register:
            return x.builder
    condition: Register = operands[0].data  # of a `where` of floats
    return condition.builder


def _related(symbol: str, *operands: Any) -> Register | bool:
    builder: Builder = next(x.builder for x in operands if type(x) is Register)
    return builder.relate(symbol, operands)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector while tapes are made: everything stays alive, and a fifth of the time is saved."""
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_collecting:
            gc.enable()


@contextmanager
def tracing(caller: FrameType | None = None, passes: Sequence[Pass] = ()) -> Iterator[Builder]:
    """Write a tape; calls of other compiled functions inside write onto it too."""
    builder = Builder(caller, passes)
    token = active.set(builder)
    try:
        with collector_paused():
            yield builder
    finally:
        builder.close()
        active.reset(token)


def is_tracing() -> bool:
    """Whether a tape is being written."""
    return active.get() is not None


def _directly(name: str, in_general: Callable[[Register, Any], Any], is_reflected: bool) -> Callable[..., Any]:
    """An operator of plain numbers of one tape, inlined: the sweep and most rules consist of these."""

    def operator(self: Register, other: Any) -> Any:
        builder = self.builder
        if type(other) is float:
            other = builder.constant(other)
        if type(other) is not Register or not (self.flat is other.flat is False and builder is other.builder):
            return in_general(self, other)
        operands = (other.index, self.index) if is_reflected else (self.index, other.index)
        return builder.written((name, operands, None))

    return operator


for _name, _sign in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("div", "truediv")):
    for _title in (f"__{_sign}__", f"__r{_sign}__"):
        setattr(Register, _title, _directly(_name, getattr(Unrecorded, _title), _title.startswith("__r")))

interpreters[Register] = _computed
relations[Register] = _related
