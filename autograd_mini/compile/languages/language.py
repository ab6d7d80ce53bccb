"""What a language is: a table of how it writes operations, numbers, statements, loops, files and tests.

Not here: the languages themselves (`python`, `c`, ...). Read next: `compile.languages.expressions`.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograd_mini.compile.expansions import EXPANSIONS
from autograd_mini.compile.tape import COMPUTED
from autograd_mini.errors import counted

WRITTEN = "written"  # by `Expressions.expression`, alike in all languages
LONGEST = 100  # characters in a line, if they can be chosen
EXPANDED = ""  # the language lacks the function: the emitted code brings its expansion


class Parameter(NamedTuple):
    """A parameter of the emitted function, or a derivative that it returns."""

    name: str
    length: int | None  # of an array; None for a number


@dataclass(frozen=True)
class Outline:
    """An emitted function before it is written."""

    name: str
    about: str  # the sentence above it
    parameters: tuple[Parameter, ...]
    derivatives: tuple[Parameter, ...]  # by each parameter, or one matrix
    lines: tuple[str, ...]  # its statements
    value: str | None  # the expression of the value; None if it returns derivatives only
    helpers: tuple[str, ...]  # the functions that it brings

    @property
    def returned(self) -> list[str]:
        """The names of the derivatives."""
        return [p.name for p in self.derivatives]

    def checks(self, form: str) -> list[str]:
        """A statement for each array that raises if its length differs."""
        return [
            form.format(name=p.name, length=p.length, message=f"{p.name} takes {counted(p.length, 'number')}")
            for p in self.parameters
            if p.length is not None
        ]


@dataclass(frozen=True)
class Language:
    """How a language writes a tape; a form is a text with names in braces."""

    name: str  # as `emit` takes it
    suffix: str  # of its files
    operations: Mapping[str, str]  # for each a form such as "{} + {}", or a function; others are `EXPANDED`
    own: Mapping[str, str]  # functions written by hand, by the name that the operations use
    infinity: str
    nan: str
    number: str  # what declares a number, with a space
    variable: str  # what declares a number that changes
    condition: str
    integer: str
    kinds: tuple[str, str]  # what arrays hold: numbers, or conditions
    arrays: tuple[str, str]  # what declares arrays, and the form of each
    filled: str  # the form that declares an array of given numbers
    given: str  # the form of an array that is an argument
    real: str  # turns an integer into a number
    loops: tuple[str, str, str]  # the heads of a loop: upwards from 0, upwards from 1, and downwards
    helper: str  # the head of a helper function
    parameter: str  # what declares a parameter of a helper function
    file: Callable[[Outline], str]
    test: Callable[[Outline, Sequence[object], Sequence[object], str], str]  # inputs, results, and the file of the code
    reserved: frozenset[str]
    provided: frozenset[str] = frozenset()  # functions and types that the emitted function must not replace
    end: str = ";"  # of a statement
    branch: str = "if ({})"
    opening: str = " {"  # of a block
    closing: str = "}"
    comment: str = "//"
    is_filling: bool = False  # does the function fill arrays of its caller?
    is_camel: bool = False  # are names written likeThis?
    most: int | None = None  # characters in one function

    def __post_init__(self) -> None:
        lacking = COMPUTED - self.operations.keys()
        object.__setattr__(self, "operations", {**self.operations, **dict.fromkeys(sorted(lacking), EXPANDED)})

    @functools.cached_property
    def forbidden(self) -> frozenset[str]:
        """Names that no variable may have: reserved words, and functions that the code may call."""
        called = {form for form in self.operations.values() if form.isidentifier()} - {WRITTEN}
        expanded = {op for op, form in self.operations.items() if form == EXPANDED} | EXPANSIONS.keys()
        return self.reserved | called | {*self.own, *map(self.title, expanded - {"sum", "dot"})}

    def title(self, name: str) -> str:
        """The name of a helper function."""
        return re.sub(r"_(\w)", lambda m: m[1].upper(), name) if self.is_camel else name

    def variable_of(self, name: str) -> str:
        """The name of a variable: the user's own, or the derivative by it."""
        if not self.is_camel or not name.startswith("d_"):
            return name
        return f"d{name[2:]}" if len(name) == 3 else f"d{name[2].upper()}{name[3:]}"

    def literal(self, number: float) -> str:
        """A constant."""
        if math.isnan(number):
            return self.nan
        text = self.infinity if math.isinf(number) else repr(abs(number))
        return f"-{text}" if math.copysign(1.0, number) < 0.0 else text

    def literals(self, data: Any) -> str:
        """A number, or several with commas."""
        if isinstance(data, (list, tuple)):
            return ", ".join(map(self.literals, data))
        return self.literal(float(data))

    def arguments(self, inputs: Sequence[object]) -> str:
        """The arguments of a call."""
        texts = [(self.given if isinstance(x, (list, tuple)) else "{}").format(self.literals(x)) for x in inputs]
        return ", ".join(texts)

    def block(self, head: str, body: Sequence[str]) -> list[str]:
        """The lines of a block, such as a loop or a function."""
        return [wrapped(head) + self.opening, *indented(body).splitlines(), *filter(None, [self.closing])]


def ascii_of(text: str) -> str:
    """A text without letters that compilers may not know: σ becomes sigma, Σ Sigma, and é e."""
    return re.sub(r"[^\x00-\x7f]", lambda m: _spelled(m[0]), unicodedata.normalize("NFKD", text))


def remark(text: str) -> str:
    """A text for comments of every language: it cannot end them, and has no backslash, which Java reads there too."""
    text = re.sub(r"[^ -~]", "?", ascii_of(" ".join(text.split()))).replace("\\", "/")
    return re.sub(r"[*](?=/)|/(?=[*])", r"\g<0> ", text).replace('"' * 3, "'" * 3)


def _spelled(letter: str) -> str:
    name = unicodedata.name(letter, "x").split()[-1]
    return "" if unicodedata.combining(letter) else name.capitalize() if letter.isupper() else name.lower()


def wrapped(head: str) -> str:
    """The head of a function, on several lines if it is long."""
    if len(head) <= LONGEST:
        return head
    start, parameters = head.split("(", 1)
    lines = [""]
    for part in parameters.split(", "):
        if lines[-1] and len(lines[-1]) + len(part) > LONGEST - 12:
            lines.append("")
        lines[-1] += f"{part}, "
    return f"{start}(\n{indented([line.rstrip() for line in lines], 2).removesuffix(',')}"


def indented(lines: Sequence[str], depth: int = 1) -> str:
    return "\n".join("    " * depth + line if line else "" for text in lines for line in text.split("\n"))


def joined(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def comparisons(outline: Outline, value: str, derivative: str, compare: str, is_number: bool) -> list[str]:
    """The statements of a test that compare all results, given the forms of a result and of a comparison."""
    statements, place = [compare.format(value, "expected[0]")] if outline.value else [], int(bool(outline.value))
    for name, length in outline.derivatives:
        got = derivative.format(name)
        if length is None and is_number:
            statements.append(compare.format(got, f"expected[{place}]"))
        else:
            each = compare.format(f"{got}[i]", f"expected[{place} + i]")
            statements.append(f"for (int i = 0; i < {length or 1}; i++) {each}")
        place += length or 1
    return statements
