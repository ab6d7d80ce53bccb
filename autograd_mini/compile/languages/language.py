"""What a language is: how it writes each operation, and the functions that it lacks and the emitted code brings.

Not here: the languages themselves. Read next: `compile.languages.rolling`.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from autograd_mini.compile.expansions import EXPANSIONS
from autograd_mini.compile.languages.lowering import lowered
from autograd_mini.compile.passes import live
from autograd_mini.compile.tape import CONDITION, CONSTANT, INPUT, Tape, kind_of
from autograd_mini.compile.tracing import tracing
from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import RELATE, Unrecorded
from autograd_mini.errors import ArgumentError

WRITTEN = "written"  # by `Language.expression`, alike in all languages
EXPANDED = ""  # the language lacks the function: the emitted code brings its expansion
# How tightly the operator of a pattern binds, by its first symbol; a name or a call binds most.
LEVELS = {"?": 1, "if": 1, "||": 2, "or": 2, "&&": 3, "and": 3, "not": 4, "==": 5, "!=": 5, "===": 5, "!==": 5}
LEVELS |= {"<": 5, "<=": 5, ">": 5, ">=": 5, "+": 6, "-": 6, "*": 7, "/": 7, "%": 7, "-{}": 8, "!{}": 8}
TIGHT, ATOM = 8, 9
_DIGITS = 99  # that `round` may keep
WIDTH = 90  # of an expression; a longer one gets names for its parts


class Text(NamedTuple):
    """An expression, and how tightly its outermost operator binds."""

    text: str
    level: int = ATOM

    def within(self, level: int) -> str:
        """The expression as an operand of an operator that binds this tightly."""
        return self.text if self.level >= level else f"({self.text})"


def ascii_of(text: str) -> str:
    """A text without letters that compilers may not know: σ is sigma."""
    return re.sub(r"[^\x00-\x7f]", lambda m: unicodedata.name(m[0], "x").split()[-1].lower(), text)


@dataclass(frozen=True)
class Language:
    """How a language writes a tape.

    Attributes:
        name: as `emit` takes it.
        suffix: of its files.
        operations: for each operation a pattern such as "{} + {}", the name of a function, or `EXPANDED`.
        own: functions written by hand, by the name that the operations use.
        infinity: how it writes inf and nan.
        number: the type of a number, with a space; or the word that declares one.
        condition: likewise for a condition.
        end: of a statement.
        function: how the head of a helper function is written, with its name and its parameters.
        head: what a file of straight-line functions starts with, and what it ends with.
        flat: the head of a straight-line function by {name}, {count} and {result}, and what returns its results.
        is_camel: whether names are written likeThis.
        most: the largest number of characters in one function; None for any.
    """

    name: str
    suffix: str
    operations: Mapping[str, str]
    own: Mapping[str, str]
    infinity: tuple[str, str]
    number: str
    condition: str
    end: str
    function: str
    head: tuple[str, str]
    flat: tuple[str, str]
    close: str = "}"
    parameter: str = ""
    is_camel: bool = False
    most: int | None = None
    comment: str = "//"
    reserved: frozenset[str] = field(default=frozenset())

    def __post_init__(self) -> None:
        missing = {*TABLE, *RELATE} - {"flat", "slope_at_kink", INPUT, CONSTANT, *self.operations}
        unknown = {name for name, form in self.operations.items() if form == EXPANDED} - EXPANSIONS.keys()
        if missing or unknown:
            raise AssertionError(f"The language {self.name!r} lacks {', '.join(sorted(missing | unknown))}.")

    @functools.cached_property
    def forbidden(self) -> frozenset[str]:
        """What no variable may be called: reserved words, and functions that the code may call."""
        called = [form for form in self.operations.values() if form.isidentifier()]
        return frozenset(
            {*self.reserved, *self.own, *called, *map(self.title, EXPANSIONS)} - {"sum", "dot"} | self.reserved
        )

    # -- expressions ---------------------------------------------------------------------------------------------------

    def literal(self, number: float) -> Text:
        """A constant."""
        if math.isnan(number):
            return Text(self.infinity[1])
        text = self.infinity[0] if math.isinf(number) else repr(abs(number))
        return Text(f"-{text}", TIGHT) if math.copysign(1.0, number) < 0.0 else Text(text)

    def title(self, name: str) -> str:
        """The name of a helper function."""
        return re.sub(r"_(\w)", lambda m: m[1].upper(), name) if self.is_camel else name

    def variable(self, name: str) -> str:
        """The name of a variable: the user's own, or the derivative by it."""
        if not self.is_camel or not name.startswith("d_"):
            return name
        return f"d{name[2:]}" if len(name) == 3 else f"d{name[2].upper()}{name[3:]}"

    def expression(self, op: str, operands: Sequence[Text], constants: Sequence[float | None], uses: Helpers) -> Text:
        """An operation of operands that are written already; `constants` holds the known ones."""
        form = self.operations[op]
        match op:
            case "sum" if operands:
                return reduce(lambda a, b: self._pattern(self.operations["add"], (a, b)), operands)
            case "dot" if operands:
                half = len(operands) // 2
                pairs = zip(operands[:half], operands[half:], strict=True)
                products = [self._pattern(self.operations["mul"], pair) for pair in pairs]
                return reduce(lambda a, b: self._pattern(self.operations["add"], (a, b)), products)
            case "sum" | "dot":
                return self.literal(0.0)
            case "stop_gradient" | "pos" | "defined":
                return operands[0]
            case "maximum" | "minimum" if len(operands) != 2:
                return reduce(lambda a, b: self.expression(op, (a, b), (None, None), uses), operands)
            case "one_power_less":
                return self.expression("div", operands[:2], constants[:2], uses)
            case "hypot" if len(operands) == 1:
                return self.expression("abs", operands, constants, uses)
            case "hypot" if len(operands) > 2:
                form = self.operations.get("hypot of several", EXPANDED)
            case "pow" if constants[1] == 2.0:
                return self._pattern(self.operations["mul"], (operands[0], operands[0]))
            case "pow" if constants[1] is not None and math.isfinite(constants[1]):
                form = self.operations.get("pow finite", form)
            case "div" if constants[1]:
                form = self.operations.get("div finite", form)
            case "round" | "power_term":
                kept = 1 if op == "round" else 2
                settings = [x for x in constants[kept:] if x is not None]
                if op == "round" and settings[0] > _DIGITS:
                    raise ArgumentError(
                        f"round() to {settings[0]:g} digits cannot be written in {self.name}.",
                        f"Round to at most {_DIGITS} digits, or not at all: floats have 17.",
                    )
                if op == "round" and settings[0] >= 1.0 and form != EXPANDED:
                    pass
                else:
                    return self._call(uses.expanded(op, kept, tuple(settings)), operands[:kept])
        if "{" in form:
            return self._pattern(form, operands)
        if form == EXPANDED:
            form = uses.expanded(op, len(operands))
        elif form in self.own:
            uses.by_hand(form)
        return self._call(form, operands)

    def _call(self, name: str, operands: Sequence[Text]) -> Text:
        return Text(f"{name}({', '.join(x.text for x in operands)})")

    def _pattern(self, form: str, operands: Sequence[Text]) -> Text:
        symbol = form if form in LEVELS else next(word for word in form.split() if word in LEVELS)
        level = LEVELS[symbol]
        match len(operands):
            case 1:
                inner = operands[0].within(ATOM if level == TIGHT else level + 1)
                return Text(form.format(inner), level)
            case 2:  # gcc asks for brackets around && within ||
                left = level + 2 if symbol in ("||", "or") and operands[0].level == level + 1 else level
                right = level + 2 if symbol in ("||", "or") else level + 1
                return Text(form.format(operands[0].within(left), operands[1].within(right)), level)
        condition, a, b = operands
        return Text(form.format(condition.within(2), a.within(2), b.within(1)), level)

    # -- straight-line functions ---------------------------------------------------------------------------------------

    def source(self, tape: Tape, name: str, registers: bool = False) -> str:
        """A file with one function of all inputs, in a list, that returns the results in a list.

        Args:
            tape: what it computes.
            name: what it is called.
            registers: whether it returns all registers of the tape instead, with conditions as 0 and 1. Only in C
                and JavaScript, where these are numbers.
        """
        return self.sources([(tape, name)], registers)

    def sources(self, tapes: Sequence[tuple[Tape, str]], registers: bool = False) -> str:
        """A file with several such functions."""
        uses, functions = Helpers(self), []
        for tape, name in tapes:
            functions.append(self.checked(self._straight(tape, name, registers, uses)))
        start, end = self.head
        return "\n\n".join(x.strip("\n") for x in (start, *uses.texts(), *functions, end) if x.strip()) + "\n"

    def checked(self, function: str) -> str:
        """The text of a function itself, if the language allows one as long."""
        if self.most is not None and len(function) > self.most:
            raise ArgumentError(
                f"The function would have {len(function):,} characters, and {self.name} allows about {self.most:,}.",
                "Emit a smaller function, or choose another language.",
            )
        return function

    def _straight(self, tape: Tape, name: str, registers: bool, uses: Helpers) -> str:
        inputs = [Text(f"x[{i}]") for i in range(len(tape.inputs))]
        if registers:
            outputs = self._registers(tape, inputs, uses)
            lines: list[str] = []
        else:
            lines, outputs = self.body(lowered(tape), inputs, uses)
        result = "r" if registers else "y"
        lines += [f"{result}[{i}] = {x.text}{self.end}" for i, x in enumerate(outputs)]
        head, back = [text.format(name=name, count=len(outputs), result=result) for text in self.flat]
        body = [*lines, *filter(None, [back])] or ["pass"]
        return "\n".join([head, *[f"    {line}" for line in body], *filter(None, [self.close])])

    def _registers(self, tape: Tape, inputs: Sequence[Text], uses: Helpers) -> list[Text]:
        """Each register as an operation of others."""
        known = [
            self.literal(float(detail)) if op == CONSTANT and detail is not None else Text(f"r[{i}]")
            for i, (op, _, detail) in enumerate(tape.instructions)
        ]
        found = []
        for i, (op, operands, detail) in enumerate(tape.instructions):
            if op == INPUT:
                found.append(inputs[int(detail or 0)])
            elif op == CONSTANT:
                found.append(known[i])
            else:
                found.append(self.expression(op, [known[x] for x in operands], constants_of(tape, operands), uses))
        return found

    def body(self, tape: Tape, inputs: Sequence[Text], uses: Helpers) -> tuple[list[str], list[Text]]:
        """The statements that compute a tape, and its results as expressions; what is used once gets no name."""
        counts = Counter(x for is_needed, (_, operands, _) in zip(live(tape), tape.instructions, strict=True)
                         if is_needed for x in operands)  # fmt: skip
        counts.update(tape.outputs)
        names: dict[int, Text] = {}
        lines: list[str] = []

        def name(register: int) -> None:
            declared = self.condition if kind_of(tape.instructions[register][0]) == CONDITION else self.number
            lines.append(f"{declared}v{register} = {names[register].text}{self.end}")
            names[register] = Text(f"v{register}")

        for register, (op, operands, detail) in enumerate(tape.instructions):
            if op == INPUT:
                names[register] = inputs[int(detail or 0)]
            elif op == CONSTANT:
                names[register] = self.literal(float(detail or 0.0))
            elif counts[register]:
                constants = constants_of(tape, operands)
                while True:
                    text = self.expression(op, [names[x] for x in operands], constants, uses)
                    longest = max(operands, key=lambda x: len(names[x].text), default=None)
                    if len(text.text) <= WIDTH or longest is None or len(names[longest].text) < WIDTH // 4:
                        break
                    name(longest)
                names[register] = text
                if counts[register] > 1 and op not in ("pos", "stop_gradient", "defined"):
                    name(register)
        return lines, [names[x] for x in tape.outputs]


def constants_of(tape: Tape, operands: Sequence[int]) -> list[float | None]:
    """The numbers of operands that are constants."""
    instructions = [tape.instructions[x] for x in operands]
    return [float(detail) if op == CONSTANT and detail is not None else None for op, _, detail in instructions]


class Helpers:
    """The functions that emitted code brings, in the order of their use."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._texts: dict[str, str] = {}

    def texts(self) -> list[str]:
        """The functions, each after those that it calls."""
        return [*self._texts.values()]

    def names(self) -> list[str]:
        """What they are called."""
        return [*self._texts]

    def by_hand(self, name: str) -> None:
        """Bring a function that is written by hand, and those that it calls."""
        if name not in self._texts:
            text = self._language.own[name]
            for other in self._language.own:
                if other != name and re.search(rf"\b{other}\(", text):
                    self.by_hand(other)
            self._texts[name] = text.strip("\n")

    def expanded(self, op: str, count: int, settings: tuple[float, ...] = ()) -> str:
        """Bring the expansion of a row for so many operands, and constants after them; returns its name."""
        language = self._language
        counted = [count] if TABLE[op].arity is None and count > 2 else []
        parts = [op, *[str(x).replace("-", "minus_").removesuffix(".0") for x in (*counted, *settings)]]
        name = language.title("_".join(parts if op != "round" or settings != (0.0,) else [op]))
        if name in language.reserved:
            name += "_"
        if name not in self._texts:
            parameters = ["x"] if count == 1 else [*"abc"[:count]] if count <= 3 else [f"x{i}" for i in range(count)]
            with tracing() as builder:
                result = EXPANSIONS[op](*[Unrecorded(builder.input(x)) for x in parameters], *settings)
                tape = builder.tape([result.data if isinstance(result, Unrecorded) else result])
            lines, (text,) = language.body(lowered(tape), [Text(x) for x in parameters], self)
            head = language.function.format(
                name=name, parameters=", ".join(f"{language.parameter}{x}" for x in parameters)
            )
            body = [*lines, f"return {text.text}{language.end}"]
            self._texts[name] = "\n".join([head, *[f"    {line}" for line in body], *filter(None, [language.close])])
        return name
