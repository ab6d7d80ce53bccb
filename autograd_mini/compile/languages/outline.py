"""Outline: an emitted function before it is written, and what languages share in writing it and a test beside it.

Not here: the languages. Read next: `compile.languages.python`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograd_mini.compile.languages.language import Language
from autograd_mini.compile.languages.writing import Syntax
from autograd_mini.errors import counted


class Parameter(NamedTuple):
    """A parameter of the emitted function: a number, or an array of so many."""

    name: str
    length: int | None


@dataclass(frozen=True)
class Outline:
    """An emitted function before it is written.

    Attributes:
        name: of the function.
        about: the sentence above it.
        parameters: what it takes.
        derivatives: what it returns beside the value: the derivatives by each parameter, or one matrix.
        lines: its statements.
        value: the expression of the value; None if it returns derivatives only.
        helpers: the functions that it brings.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    derivatives: tuple[Parameter, ...]
    lines: tuple[str, ...]
    value: str | None
    helpers: tuple[str, ...]

    @property
    def arrays(self) -> list[Parameter]:
        """The parameters that are arrays."""
        return [p for p in self.parameters if p.length is not None]

    @property
    def returned(self) -> list[str]:
        """The names of the derivatives."""
        return [p.name for p in self.derivatives]


@dataclass(frozen=True)
class Dialect:
    """A language with its statements, and how it writes a file and a test.

    Attributes:
        write: the text of a file.
        check: the text of a test: the outline, the inputs and the expected numbers, and the name of the file.
        is_filling: whether the function fills arrays of its caller.
    """

    language: Language
    syntax: Syntax
    write: Callable[[Outline], str]
    check: Callable[[Outline, Sequence[object], Sequence[object], str], str]
    is_filling: bool = False


def indented(lines: Sequence[str], depth: int) -> str:
    return "\n".join("    " * depth + line if line else "" for text in lines for line in text.split("\n"))


def joined(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def numbers_of(language: Language, data: Any) -> str:
    """A number, or several with commas."""
    if isinstance(data, (list, tuple)):
        return ", ".join(numbers_of(language, x) for x in data)
    return language.literal(float(data)).text


def checks_of(outline: Outline, form: str) -> list[str]:
    """A statement for each array that raises if it has another length."""
    return [
        form.format(name=p.name, length=p.length, message=f"{p.name} takes {counted(p.length or 0, 'number')}")
        for p in outline.arrays
    ]


def arguments_of(language: Language, outline: Outline, inputs: Sequence[object], array: str) -> str:
    """The arguments of a call; arrays as in a pattern."""
    texts = [numbers_of(language, x) for x in inputs]
    return ", ".join(
        text if p.length is None else array.format(text) for p, text in zip(outline.parameters, texts, strict=True)
    )
