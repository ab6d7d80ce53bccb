"""Expressions: an operation as text, and the functions that the language lacks and the emitted code brings.

Not here: statements (`writing`). Read next: `compile.languages.rolling`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

from autograd_mini.compile.expansions import expansion_of
from autograd_mini.compile.languages.language import EXPANDED, Language
from autograd_mini.compile.languages.lowering import lowered
from autograd_mini.compile.tape import Tape
from autograd_mini.compile.tracing import tracing
from autograd_mini.core.row import TABLE
from autograd_mini.core.traced import Unrecorded
from autograd_mini.errors import ArgumentError

# How tightly the operator of a form binds, by its first symbol; a name or a call binds most.
LEVELS = {"?": 1, "if": 1, "||": 2, "or": 2, "&&": 3, "and": 3, "not": 4, "==": 5, "!=": 5, "===": 5, "!==": 5}
LEVELS |= {"<": 5, "<=": 5, ">": 5, ">=": 5, "+": 6, "-": 6, "*": 7, "/": 7, "%": 7, "-{}": 8, "!{}": 8}
TIGHT, ATOM = 8, 9
_DIGITS = 99  # that `round` may keep


class Text(NamedTuple):
    """An expression, and how tightly its outermost operator binds."""

    text: str
    level: int = ATOM

    def within(self, level: int) -> str:
        """The expression as an operand of an operator that binds this tightly."""
        return self.text if self.level >= level else f"({self.text})"


class Expressions:
    """Operations as text in one file, and the functions that they need."""

    def __init__(
        self,
        language: Language,
        taken: set[str],  # names that functions must not have, unless they are the language's own
        body: Callable[[Tape, Sequence[str], Expressions], tuple[Sequence[str], str]],  # writes one, given parameters
    ) -> None:
        self.language, self._taken, self._body = language, taken, body
        self._names: dict[tuple[str, int, tuple[float, ...]], str] = {}  # of expansions
        self.helpers: dict[str, str] = {}  # the texts of functions by name, each after those that it calls

    def literal(self, number: float) -> Text:
        """A constant."""
        text = self.language.literal(number)
        return Text(text, TIGHT if text.startswith("-") else ATOM)

    def expression(self, op: str, operands: Sequence[Text], constants: Sequence[float | None]) -> Text:
        """An operation of operands that are written already; `constants` holds the known ones."""
        forms = self.language.operations
        form = forms[op]
        match op:
            case "sum" if operands:
                return reduce(lambda a, b: self._formed(forms["add"], (a, b)), operands)
            case "dot" if operands:
                half = len(operands) // 2
                pairs = zip(operands[:half], operands[half:], strict=True)
                return self.expression("sum", [self._formed(forms["mul"], pair) for pair in pairs], ())
            case "sum" | "dot":
                return self.literal(0.0)
            case "stop_gradient" | "pos" | "defined":
                return operands[0]
            case "maximum" | "minimum" if len(operands) != 2:
                return reduce(lambda a, b: self.expression(op, (a, b), (None, None)), operands)
            case "one_power_less":
                return self.expression("div", operands[:2], constants[:2])
            case "hypot" if len(operands) == 1:
                return self.expression("abs", operands, constants)
            case "hypot" if len(operands) > 2:
                form = forms.get("hypot of several", EXPANDED)
            case "pow" if constants[1] == 2.0:
                return self._formed(forms["mul"], (operands[0], operands[0]))
            case "pow" if constants[1] is not None and math.isfinite(constants[1]):
                form = forms.get("pow finite", form)
            case "div" if constants[1]:
                form = forms.get("div finite", form)
            case "round" | "power_term":
                return self._with_settings(op, operands, constants)
        if "{" in form:
            return self._formed(form, operands)
        if form == EXPANDED:
            form = self._expanded(op, len(operands))
        elif form in self.language.own:
            self._by_hand(form)
        return _call(form, operands)

    def _with_settings(self, op: str, operands: Sequence[Text], constants: Sequence[float | None]) -> Text:
        """An operation whose last operands are constants that its expansion unrolls."""
        count = 1 if op == "round" else 2
        settings = tuple([x for x in constants[count:] if x is not None])
        by_hand = self.language.operations[op]
        if op == "round" and settings[0] > _DIGITS:
            raise ArgumentError(
                f"round() to {settings[0]:g} digits cannot be written in {self.language.name}.",
                f"Round to at most {_DIGITS} digits, or not at all: floats have 17.",
            )
        if op == "round" and settings[0] >= 1.0 and by_hand != EXPANDED:
            self._by_hand(by_hand)
            return _call(by_hand, operands)
        return _call(self._expanded(op, count, settings), operands[:count])

    def _formed(self, form: str, operands: Sequence[Text]) -> Text:
        """An expression with an operator, and brackets where they are needed."""
        symbol = form if form in LEVELS else next(word for word in form.split() if word in LEVELS)
        level = LEVELS[symbol]
        match operands:
            case (x,):
                return Text(form.format(x.within(ATOM if level == TIGHT else level + 1)), level)
            case a, b:  # gcc asks for brackets around && within ||
                left = level + 2 if symbol in ("||", "or") and a.level == level + 1 else level
                right = level + 2 if symbol in ("||", "or") else level + 1
                return Text(form.format(a.within(left), b.within(right)), level)
        condition, a, b = operands
        return Text(form.format(condition.within(2), a.within(2), b.within(1)), level)

    # -- functions -----------------------------------------------------------------------------------------------------

    def _by_hand(self, name: str) -> None:
        """Bring a function that is written by hand."""
        self.helpers.setdefault(name, self.language.own[name].strip("\n"))

    def _expanded(self, op: str, count: int, settings: tuple[float, ...] = ()) -> str:
        """Bring the expansion of a row for so many operands, and constants after them; returns its name."""
        language, key = self.language, (op, count, settings)
        if key not in self._names:
            counts = [count] if TABLE[op].arity is None and count > 2 else []
            details = [str(x).replace("-", "minus_").removesuffix(".0") for x in (*counts, *settings)]
            name = language.title("_".join([op, *details] if key != ("round", 1, (0.0,)) else [op]))
            while name in language.reserved or (name in self._taken and name not in language.forbidden):
                name += "_"
            self._names[key] = name
            self._taken.add(name)
            parameters = ["x"] if count == 1 else [*"abc"[:count]] if count <= 3 else [f"x{i}" for i in range(count)]
            with tracing() as builder:
                result = expansion_of(op)(*[Unrecorded(builder.input(x)) for x in parameters], *settings)
                tape = builder.tape([result.data if isinstance(result, Unrecorded) else result])
            lines, text = self._body(lowered(tape), parameters, self)
            declared = ", ".join(language.parameter + x for x in parameters)
            head = language.helper.format(name=name, parameters=declared)
            self.helpers[name] = "\n".join(language.block(head, [*lines, f"return {text}{language.end}"]))
        return self._names[key]


def _call(name: str, operands: Sequence[Text]) -> Text:
    return Text(f"{name}({', '.join(x.text for x in operands)})")
